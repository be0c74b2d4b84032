// Talks Socket.IO from Node without any package, by running `sio connect --json`.
//
//     node talk.js http://localhost:3000
//
// Shows every event, answers the server's questions with its name, emits `echo` and waits for the ack. Words behind the
// URL are the command that runs, with its options, in place of `sio connect --json`.

'use strict';

const { spawn } = require('node:child_process');
const { createInterface } = require('node:readline');

const [url, ...words] = process.argv.slice(2);
const [program, ...options] = words.length > 0 ? words : ['sio', 'connect', '--json'];
const sio = spawn(program, [...options, url], { stdio: ['pipe', 'pipe', 'inherit'] });

function send(line) {
  sio.stdin.write(`${JSON.stringify(line)}\n`);
}

createInterface({ input: sio.stdout }).on('line', (text) => {
  const line = JSON.parse(text);
  if ('event' in line) {
    console.log('event', line.event, JSON.stringify(line.args));
    if ('ask' in line) send({ reply: line.ask, args: ['Node'] });
  } else if (line.state === 'connected') {
    console.log('connected over', line.transport);
    send({ emit: 'echo', args: [1, '\u00fc', { a: [null] }], ack: 'first' });
  } else if ('ack' in line) {
    console.log('ack', line.ack, 'args' in line ? JSON.stringify(line.args) : line.error);
    // No more lines from here: the command waits for acks that are out, closes the connection, and ends.
    sio.stdin.end();
  } else if ('error' in line) {
    console.log('error', line.error.message);
  }
});

sio.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
sio.on('close', (code) => {
  process.exitCode = code;
});
