'use strict';

// Smoke test of the servers themselves, with Node's built-ins only:
//
//     node check.js [<folder> [--no-eio3]]
//
// Starts each server in turn, talks raw polling to it (binary-framed posts, as the sio client does; to 0.9 every
// transport, see check/v0.js) and prints one line per server. Exit status 1 if any of them failed.

const assert = require('node:assert/strict');
const net = require('node:net');
const path = require('node:path');
const { once } = require('node:events');
const { spawn } = require('node:child_process');

const { DEADLINE, getJson, request } = require('./check/http.js');
const checkOld = require('./check/v0.js');

const SERVERS = [
  ['0.9.0'], ['0.9.6'], ['0.9.14'], ['0.9.16'], ['0.9.17'], ['0.9.18'], ['0.9.19'],
  ['1.0.6'], ['1.3.7'], ['1.4.5'], ['1.7.4'], ['2.0.4'], ['2.5.1'], ['4.8.4'], ['4.8.4', '--no-eio3'],
  ['3.0.5'], ['3.1.2', '--no-eio3'],
];
// app.js ends with it where the server's Node does not run.
const NOT_HERE = 3;

// The two payload forms of protocol 3. Returns strings, and buffers for binary packets (with their type byte).
function decodePayload({ type, body }) {
  return type.startsWith('application/octet-stream') ? decodeBinary(body) : decodeText(body.toString());
}

function decodeBinary(body) {
  const packets = [];
  for (let at = 0; at < body.length;) {
    const text = body[at] === 0;
    const mark = body.indexOf(0xff, at);
    const length = Number([...body.subarray(at + 1, mark)].join(''));
    const data = body.subarray(mark + 1, mark + 1 + length);
    packets.push(text ? data.toString() : data);
    at = mark + 1 + length;
  }
  return packets;
}

function decodeText(body) {
  const packets = [];
  for (let at = 0; at < body.length;) {
    const colon = body.indexOf(':', at);
    const length = Number(body.slice(at, colon));
    packets.push(body.slice(colon + 1, colon + 1 + length));
    at = colon + 1 + length;
  }
  return packets;
}

function encodePacket(text) {
  const data = Buffer.from(text);
  const digits = [...String(data.length)].map(Number);
  return Buffer.concat([Buffer.from([0, ...digits, 0xff]), data]);
}

class Session {
  static async open(port, { target = '/socket.io/', query = '' } = {}) {
    const session = new Session();
    session.port = port;
    session.target = `${target}?EIO=3&transport=polling${query}`;
    const answer = await request(port, session.target);
    assert.equal(answer.status, 200, `handshake on ${session.target}: ${answer.body}`);
    session.waiting = decodePayload(answer);
    session.handshake = JSON.parse(session.waiting.shift().slice(1));
    session.target += `&sid=${encodeURIComponent(session.handshake.sid)}`;
    return session;
  }

  async send(...packets) {
    const answer = await request(this.port, this.target, {
      method: 'POST',
      headers: { 'Content-Type': 'application/octet-stream' },
      body: Buffer.concat(packets.map(encodePacket)),
    });
    assert.deepEqual([answer.status, answer.body.toString()], [200, 'ok']);
  }

  // Polls until a packet has come that equals `test` (a string or bytes) or is text and satisfies it (a function).
  async until(test) {
    const wanted = (packet) => {
      if (Buffer.isBuffer(test)) return Buffer.isBuffer(packet) && packet.equals(test);
      return typeof test === 'string' ? packet === test : typeof packet === 'string' && test(packet);
    };
    for (;;) {
      while (this.waiting.length > 0) {
        const packet = this.waiting.shift();
        if (wanted(packet)) return packet;
      }
      const answer = await request(this.port, this.target);
      assert.equal(answer.status, 200, `poll, waiting for ${test}: ${answer.body}`);
      this.waiting.push(...decodePayload(answer));
    }
  }

  async close() {
    await this.send('1');
  }
}

async function checkMain(ports, version) {
  const tag = 'check-main';
  const session = await Session.open(ports.main, { query: `&tag=${tag}` });
  await session.until('40');
  await session.until((packet) => packet.startsWith('42["welcome",'));
  await session.until((packet) => packet.startsWith('451-["welcome-bytes",'));
  await session.until(Buffer.from('\x04welcome'));
  await session.until((packet) => packet.includes('["welcome-question","who are you?"]'));

  await session.send('42["echo",1,"höra",{"a":[null]}]');
  await session.until('42["echo",1,"höra",{"a":[null]}]');
  await session.send('420["reply","many"]', '421["no such name",7]', '422["twice-ack"]');
  await session.until('430[1,"two",true,null,{"three":3},[4]]');
  await session.until('431[7]');
  await session.until('432["first"]');
  await session.until('432["second"]');

  await session.send('40/chat');
  await session.until((packet) => packet === '40/chat' || packet === '40/chat,');
  await session.send('42/chat,["ask","question",1]');
  const question = await session.until((packet) => packet.includes('["question",1]'));
  const id = /^42\/chat,(\d+)\[/.exec(question)[1];
  await session.send(`43/chat,${id}["answer"]`);
  await session.until('42/chat,["answer","answer"]');
  await session.send('40/nope');
  await session.until((packet) => packet.includes('/nope'));

  const pushed = { method: 'POST', body: '["pushed",{"$base64":"AAH6"}]' };
  const emitted = await getJson(ports.control, `/emit?tag=${tag}`, pushed);
  assert.equal(emitted.sockets, 1);
  await session.until((packet) => packet.startsWith('451-["pushed",'));
  await session.until(Buffer.from([4, 0x00, 0x01, 0xfa]));
  await session.close();

  const { sessions } = await getJson(ports.control, `/sessions?tag=${tag}`);
  assert.equal(sessions.length, 1);
  assert.deepEqual([sessions[0].polls.max, sessions[0].posts.max], [1, 1]);
  assert.equal(typeof sessions[0].closed_at, 'number');
  const { sockets } = await getJson(ports.control, `/sockets?tag=${tag}`);
  assert.deepEqual(sockets.map(({ nsp }) => nsp), ['/', '/chat']);
  assert.ok(sockets.every(({ disconnected_at }) => disconnected_at !== null));
  const { requests } = await getJson(ports.control, `/requests?tag=${tag}`);
  assert.equal(requests[0].opened, session.handshake.sid);
  assert.ok(requests.every(({ headers }) => headers.host === `127.0.0.1:${ports.main}`), version);
}

async function checkGuards(ports, version) {
  const refused = await Session.open(ports['root-guarded'], { query: '&refuse=object' });
  await refused.until((packet) => packet.startsWith('44{') && packet.includes('"root refused"'));
  await refused.close();

  const guarded = await Session.open(ports['root-guarded'], { query: '&delay=100' });
  await guarded.until('40');
  await guarded.send('40/admin', '40/slow');
  await guarded.until((packet) => packet.startsWith('44/admin,') && packet.includes('admins only'));
  await guarded.until((packet) => packet.startsWith('40/slow'));
  await guarded.close();

  const bare = await Session.open(ports['nsp-guarded']);
  if (version !== '2.0.4') await bare.until('40');
  await bare.send('40/chat');
  await bare.until((packet) => packet.startsWith('40/chat'));
  await bare.close();
}

async function checkOtherPorts(ports) {
  const open = async (port, options) => (await Session.open(ports[port], options)).handshake;
  assert.deepEqual((await open('main')).upgrades, ['websocket']);
  assert.deepEqual((await open('no-upgrade')).upgrades, []);
  assert.deepEqual((await open('polling-only')).upgrades, []);
  assert.equal((await open('short-heartbeat')).pingInterval, 300);
  for (const port of ['small-limit', 'large-limit', 'compressed']) await open(port);
  await open('custom-path', { target: '/custom/path/' });
  const wrongTransport = await request(ports['websocket-only'], '/socket.io/?EIO=3&transport=polling');
  assert.deepEqual([wrongTransport.status, JSON.parse(wrongTransport.body).code], [400, 0]);
  const forbidden = await request(ports.forbidden, '/socket.io/?EIO=3&transport=polling');
  assert.ok([400, 403].includes(forbidden.status));
  assert.equal((await request(ports.main, '/elsewhere')).status, 404);

  const fault = JSON.stringify({ on: 'handshake', times: 1, answer: { status: 502, body: '<h1>Bad gateway</h1>' } });
  await getJson(ports.control, '/fault?tag=check-fault', { method: 'POST', body: fault });
  assert.equal((await request(ports.main, '/socket.io/?EIO=3&transport=polling&tag=check-fault')).status, 502);
  await open('main', { query: '&tag=check-fault' });
}

async function checkRefusal(ports, version) {
  const answer = await request(ports.main, '/socket.io/?EIO=3&transport=polling');
  if (version === '3.0.5') {
    // It does not look at EIO: everybody gets the handshake of protocol 4, without a length.
    assert.ok(answer.body.toString().startsWith('0{'), `${answer.body}`);
  } else {
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], [400, 5]);
  }
  assert.equal((await request(ports.main, '/socket.io/?EIO=4&transport=polling')).status, 200);
}

// Null if the server does not run on this machine.
async function readyLine(child) {
  const ended = once(child, 'exit');
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    if (text.includes('\n')) return JSON.parse(text);
  }
  const [status] = await ended;
  if (status === NOT_HERE) return null;
  throw new Error('it ended without a ready line');
}

async function checkServer(args) {
  const started = performance.now();
  const child = spawn(process.execPath, [path.join(__dirname, 'app.js'), ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const timer = setTimeout(() => child.kill(), 3 * DEADLINE);
  try {
    const ready = await readyLine(child);
    if (ready === null) {
      console.log(`skipped ${args.join(' ')}: ${log.trim()}`);
      return true;
    }
    const { ports, eio3, server } = ready;
    if (server.startsWith('0.')) {
      await checkOld(ports, server);
    } else if (eio3) {
      await checkMain(ports, server);
      await checkGuards(ports, server);
      await checkOtherPorts(ports);
    } else {
      await checkRefusal(ports, server);
    }
    const { count } = await getJson(ports.control, '/errors');
    assert.equal(count, 0, 'uncaught exceptions in the server');

    // An open connection must not keep the process from ending.
    const open = net.connect(ports.main, '127.0.0.1');
    open.on('error', () => {});
    await once(open, 'connect');
    const ended = once(child, 'exit');
    const asked = performance.now();
    child.stdin.end();
    assert.deepEqual(await ended, [0, null]);
    assert.ok(performance.now() - asked < 2000, 'it took long to end');
    console.log(`ok      ${args.join(' ')}  (${Math.round(performance.now() - started)} ms)`);
    return true;
  } catch (error) {
    console.log(`FAILED  ${args.join(' ')}: ${error.message}\n${log.slice(-2000)}`);
    return false;
  } finally {
    clearTimeout(timer);
    child.kill();
  }
}

async function main() {
  const chosen = process.argv.length > 2 ? [process.argv.slice(2)] : SERVERS;
  for (const args of chosen) {
    if (!(await checkServer(args))) process.exitCode = 1;
  }
}

main();
