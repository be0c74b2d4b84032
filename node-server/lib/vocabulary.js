'use strict';

// The events every namespace understands; README.md has the table.

const { createHash } = require('node:crypto');
const { CATALOGUE, entry, same, toJson } = require('./catalogue.js');

const ACK = 3;
const ERROR = 4;

// The handler of all names that have none.
const OTHER = 'any other name';

// Names with a meaning of their own on a server socket: left to socket.io, whatever that version does with them.
const RESERVED = new Set([
  'connect', 'connect_error', 'connection', 'disconnect', 'disconnecting', 'error', 'newListener', 'removeListener',
]);

// Each handler gets (context, arguments without the ack, the ack or undefined).
const HANDLERS = {
  // Plain

  [OTHER]: ({ socket }, [name, ...args], ack) => (ack ? ack(...args) : socket.emit(name, ...args)),
  message: ({ socket }, args, ack) => (ack ? ack(...args) : socket.send(...args)),
  sink: () => {},
  count: ({ record }, args, ack) => ack?.(record.events - 1),
  digest: (context, [value], ack) => ack?.(digest(value)),
  emit: ({ socket }, args) => socket.emit(...args),
  after: ({ socket }, [ms, ...args]) => setTimeout(() => socket.emit(...args), ms),
  handshake: (context, args, ack) => ack?.(handshake(context)),

  // Fixed values

  type: ({ socket }, [name]) => socket.emit(`type-${name}`, ...(entry(name) ?? [])),
  types: ({ socket }) => {
    for (const [name, values] of Object.entries(CATALOGUE)) socket.emit(`type-${name}`, ...values);
    socket.emit('types-end', Object.keys(CATALOGUE).length);
  },
  reply: (context, [name], ack) => ack?.(...(entry(name) ?? [])),
  check: (context, [name, ...values], ack) => ack?.(same(values, entry(name)), JSON.stringify(toJson(values))),

  // Acks

  'never-ack': () => {},
  'twice-ack': ({ socket }, [id], ack) => {
    if (!ack) return;
    for (const value of ['first', 'second']) socket.packet({ type: ACK, id, data: [value] });
  },
  'late-ack': (context, [ms, ...values], ack) => setTimeout(() => ack?.(...values), ms),
  'unknown-ack': ({ socket }, [id, ...values]) => socket.packet({ type: ACK, id, data: values }),
  ask: ({ socket }, args, ack) => {
    socket.emit(...args, (...values) => (ack ? ack(...values) : socket.emit('answer', ...values)));
  },

  // Many

  burst: (context, [options], ack) => burst(context, options, ack),
  seq: ({ threads }, [thread, index, ...buffers]) => {
    const seen = (threads[thread] ??= { count: 0, in_order: true, intact: true, last: -1 });
    seen.count += 1;
    seen.in_order &&= index === seen.last + 1;
    seen.intact &&= buffers.every((bytes) => same(bytes, Buffer.from(`${thread}:${index}`)));
    seen.last = index;
  },
  'seq-report': ({ threads }, args, ack) => ack?.(threads),

  // Rooms

  join: ({ socket }, [room], ack) => {
    socket.join(room);
    ack?.();
  },
  leave: ({ socket }, [room], ack) => {
    socket.leave(room);
    ack?.();
  },
  // nextTick: before 3.x a join is done by the adapter, a tick later.
  broadcast: ({ nsp }, [room, ...args]) => process.nextTick(() => nsp.to(room).emit(...args)),

  // Ends

  fail: ({ socket }, [value]) => socket.packet({ type: ERROR, data: value }),
  'disconnect-me': ({ socket }, [close]) => socket.disconnect(close === true),
};

function serveSocket(socket, nsp, journal) {
  const session = journal.sessions.get(socket.conn.id)?.record;
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
  journal.sockets.set(socket, record);
  socket.on('disconnect', (reason) => {
    record.disconnected_at = journal.now();
    record.reason = reason;
    journal.sockets.delete(socket);
  });
  // Without a listener an ERROR packet from the client is an uncaught exception in old versions.
  socket.on('error', () => {});

  const context = { socket, nsp, record, threads: {} };
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

// Sent in the connection handler, so in the same breath as the CONNECT packet: a client must not lose any of it.
function welcome({ socket, nsp, record }) {
  socket.emit('welcome', { id: socket.id, nsp: nsp.name, query: record.query, auth: record.auth });
  socket.emit('welcome-bytes', Buffer.from('welcome'));
  socket.emit('welcome-question', 'who are you?', (...values) => {
    record.welcome_answer = toJson(values);
    socket.emit('welcome-answer', ...values);
  });
}

function handshake({ socket, record }) {
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

function digest(value) {
  const kind = Buffer.isBuffer(value) ? 'bytes' : 'text';
  const data = kind === 'bytes' ? value : Buffer.from(String(value));
  return { kind, bytes: data.length, sha1: createHash('sha1').update(data).digest('hex') };
}

// tick (index, payload) so many times, at once or with a gap, then tick-end (count); the ack, if any, at the end too.
function burst({ socket }, { count, size = 0, gap = 0, kind = 'text' }, ack) {
  const text = 'x'.repeat(size);
  const bytes = Buffer.alloc(size, 'x');
  const tick = (index) => {
    const binary = kind === 'bytes' || (kind === 'alternate' && index % 2 === 1);
    socket.emit('tick', index, binary ? bytes : text);
  };
  const end = () => {
    socket.emit('tick-end', count);
    ack?.(count);
  };
  if (gap === 0) {
    for (let index = 0; index < count; index += 1) tick(index);
    end();
    return;
  }
  let index = 0;
  const timer = setInterval(() => {
    if (index < count && socket.connected !== false) {
      tick(index);
      index += 1;
    } else {
      clearInterval(timer);
      end();
    }
  }, gap);
}

module.exports = { serveSocket };
