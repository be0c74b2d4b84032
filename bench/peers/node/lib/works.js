'use strict';

// The works of the benchmark, by their names; each connects, warms up and times.

const assert = require('node:assert/strict');

const { CannotDo } = require('./cannot.js');
const { resident, timed, warmUp } = require('./measure.js');

/** An event that the server answers with what it was given. */
function ask(socket, index) {
  return new Promise((resolve) => {
    socket.emit('message', 'hello', index, (text, answer) => {
      assert.equal(text, 'hello');
      assert.equal(answer, index);
      resolve();
    });
  });
}

async function askOneByOne(socket, count) {
  for (let index = 0; index < count; index += 1) await ask(socket, index);
}

/** Warms up, times and leaves, on one connection. */
async function onOne(client, transport, count, work) {
  const socket = await client.connect(transport);
  await work(socket, warmUp(count));
  const times = await timed(() => work(socket, count));
  client.disconnect(socket);
  return { count, ...times };
}

function ack(client, count) {
  return onOne(client, 'websocket', count, askOneByOne);
}

function polling(client, count) {
  return onOne(client, 'polling', count, askOneByOne);
}

function askAtOnce(socket, count, size) {
  return new Promise((resolve) => {
    let asked = 0;
    let answered = 0;
    const next = () => {
      const index = asked;
      asked += 1;
      socket.emit('message', 'hello', index, (text, answer) => {
        assert.equal(answer, index);
        answered += 1;
        if (asked < count) next();
        if (answered === count) resolve();
      });
    };
    if (count === 0) resolve();
    while (asked < Math.min(size, count)) next();
  });
}

function window(client, count, size = 1000) {
  return onOne(client, 'websocket', count, (socket, asks) => askAtOnce(socket, asks, size));
}

/** Timed until the last event is there; the ack, which comes behind it, is waited for too, so that nothing is left over. */
async function flood(client, count, size = 80) {
  const socket = await client.connect('websocket');
  let expected = 0;
  let wanted = 0;
  let last = () => {};
  socket.on('tick', (index, text) => {
    assert.equal(index, expected);
    assert.equal(typeof text, 'string');
    assert.equal(text.length, size);
    expected += 1;
    if (expected === wanted) last();
  });
  const start = (ticks) => {
    expected = 0;
    wanted = ticks;
    const arrived = new Promise((resolve) => { last = resolve; });
    const ended = new Promise((resolve) => { socket.emit('burst', { count: ticks, size, gap: 0 }, resolve); });
    return { arrived, ended };
  };
  const warming = warmUp(count);
  if (warming > 0) await start(warming).ended;
  let ended;
  const times = await timed(() => {
    const burst = start(count);
    ended = burst.ended;
    return burst.arrived;
  });
  assert.equal(await ended, count);
  client.disconnect(socket);
  return { count, ...times };
}

async function buffers(client, count, bytes = 1048576) {
  if (!client.hasBytes) throw new CannotDo('Socket.IO 0.9 has no bytes.');
  const buffer = Buffer.alloc(bytes, 7);
  const echo = (socket) => new Promise((resolve) => {
    socket.emit('message', buffer, (answer) => {
      assert.equal(answer.byteLength, bytes);
      resolve();
    });
  });
  const line = await onOne(client, 'websocket', count, async (socket, asks) => {
    for (let index = 0; index < asks; index += 1) await echo(socket);
  });
  return { ...line, bytes };
}

async function connect(client, count) {
  const visits = async (times) => {
    for (let index = 0; index < times; index += 1) {
      const socket = await client.connect('websocket');
      await ask(socket, index);
      client.disconnect(socket);
    }
  };
  await visits(warmUp(count));
  return { count, ...await timed(() => visits(count)) };
}

/** Garbage that is not collected yet counts, for the process holds it. */
async function idle(client, count) {
  const sockets = [await client.connect('websocket')];
  const before = resident();
  while (sockets.length <= count) sockets.push(await client.connect('websocket'));
  const after = resident();
  for (const socket of sockets) client.disconnect(socket);
  return { count, kib_per_connection: (after.kib - before.kib) / count, threads: after.threads };
}

module.exports = { ack, buffers, connect, flood, idle, polling, window };
