'use strict';

// A client in a namespace: its record, and its events handed to the vocabulary.

const { HANDLERS, OTHER, welcome } = require('../vocabulary.js');

const ACK = 3;
const ERROR = 4;

// Names with a meaning of their own on a server socket: left to socket.io, whatever that version does with them.
const RESERVED = new Set([
  'connect', 'connect_error', 'connection', 'disconnect', 'disconnecting', 'error', 'newListener', 'removeListener',
]);

function serveSocket(socket, nsp, journal) {
  const session = journal.session(socket.conn.id)?.record;
  const record = journal.add('sockets', session?.tag ?? '', {
    port: session?.port,
    sid: socket.conn.id,
    nsp: nsp.name,
    id: socket.id,
    query: { ...socket.handshake.query }, // a copy: 1.3 cannot send an object without a prototype
    auth: socket.handshake.auth ?? null,
    events: 0,
    welcome_answer: null,
    disconnected_at: null,
    reason: null,
  });
  journal.enter(socket, record);
  socket.on('disconnect', (reason) => journal.leave(record, reason));
  // Without a listener an ERROR packet from the client is an uncaught exception in old versions.
  socket.on('error', () => {});

  const context = {
    socket,
    nsp,
    record,
    journal,
    threads: {},
    binary: true,
    sendAck: (id, values) => socket.packet({ type: ACK, id, data: values }),
    sendError: ([value]) => socket.packet({ type: ERROR, data: value }),
    handshake: () => handshake(socket, record),
  };
  serveEvents(context);
  welcome(context);
}

function serveEvents(context) {
  const { socket, record } = context;
  for (const [name, handler] of Object.entries(HANDLERS)) {
    socket.on(name, (...args) => {
      const ack = typeof args.at(-1) === 'function' ? args.pop() : undefined;
      handler(context, args, ack);
    });
  }

  // `onevent` is where every version hands an EVENT packet to its handlers. Looked into to count events, and to steer
  // names without a handler, and the one handler that needs the packet's id, through the same queue as all others.
  const { onevent } = socket;
  socket.onevent = (packet) => {
    record.events += 1;
    const [name, ...args] = packet.data ?? [];
    if (name === 'twice-ack') packet.data = [name, packet.id];
    else if (isFree(name)) packet.data = [OTHER, name, ...args];
    onevent.call(socket, packet);
  };
}

function isFree(name) {
  return typeof name === 'string' && (name === OTHER || !(Object.hasOwn(HANDLERS, name) || RESERVED.has(name)));
}

function handshake(socket, record) {
  const { headers, url, address } = socket.handshake;
  return {
    id: socket.id,
    sid: socket.conn.id,
    nsp: record.nsp,
    transport: socket.conn.transport.name,
    query: record.query,
    auth: record.auth,
    headers,
    url,
    address,
  };
}

module.exports = { serveSocket };
