'use strict';

// A plain HTTP/JSON port beside the socket.io servers: what did the server see, and make it do something.

const http = require('node:http');

const { fromJson, toJson } = require('./catalogue.js');

const ACK_TIMEOUT = 5000;
const MAX_BODY = 1e6;

const ROUTES = {
  'GET /': ({ about }) => ({ ...about, routes: Object.keys(ROUTES) }),
  'GET /errors': ({ journal }) => ({ count: journal.errorCount, errors: journal.errors }),

  'GET /requests': listOf('requests', ['port', 'sid', 'kind', 'method', 'transport']),
  'GET /sessions': listOf('sessions', ['port', 'sid']),
  'GET /sockets': listOf('sockets', ['port', 'sid', 'nsp']),
  'GET /packets': listOf('packets', ['port', 'sid', 'direction', 'type', 'transport']),

  'POST /emit': emit,
  'POST /disconnect': ({ journal, tag, query }) => {
    const sockets = journal.liveSockets(tag, query.nsp ?? '/');
    for (const socket of sockets) socket.disconnect(query.close === '1');
    return { sockets: sockets.length };
  },
  'POST /close': closeSessions,
  'POST /drop': dropConnections,
  'POST /mute': ({ journal, tag }) => {
    const sessions = journal.liveSessions(tag);
    for (const { engine } of sessions) engine.sendPacket = () => engine;
    return { sessions: sessions.length };
  },

  'POST /fault': ({ faults, tag, body }) => {
    faults.add(tag, body);
    return { added: 1 };
  },
  'DELETE /fault': ({ faults, tag }) => ({ removed: faults.clear(tag) }),
};

function listOf(kind, fields) {
  return ({ journal, query }) => {
    const filter = { tag: query.tag };
    for (const field of fields) filter[field] = query[field];
    return { [kind]: journal.list(kind, filter) };
  };
}

// Body: ["event", argument…]. With ?ack=1 the answer of every socket is waited for.
async function emit({ journal, tag, query, body }) {
  if (!Array.isArray(body) || typeof body[0] !== 'string') throw new Error('the body must be ["event", argument…]');
  const sockets = journal.liveSockets(tag, query.nsp ?? '/');
  const packet = fromJson(body);
  if (query.ack !== '1') {
    for (const socket of sockets) socket.emit(...packet);
    return { sockets: sockets.length };
  }
  const asked = sockets.map((socket) => new Promise((resolve) => {
    const timer = setTimeout(resolve, ACK_TIMEOUT, null);
    socket.emit(...packet, (...values) => {
      clearTimeout(timer);
      resolve(toJson(values));
    });
  }));
  return { sockets: sockets.length, answers: await Promise.all(asked) };
}

// Orderly: Engine.IO's own close; with ?code= (and ?reason=) a websocket close frame of that code.
function closeSessions({ journal, tag, query }) {
  const sessions = journal.liveSessions(tag);
  for (const { engine } of sessions) {
    if (query.code === undefined) engine.close();
    else if (engine.transport.name !== 'websocket') throw new Error('the session is not on a websocket');
    else engine.transport.socket.close(Number(query.code), query.reason ?? '');
  }
  return { sessions: sessions.length };
}

// Disorderly: the TCP connections of the tag's sessions just go, ?how=fin (default) or reset.
function dropConnections({ journal, tag, query }) {
  let dropped = 0;
  for (const { tcp } of journal.liveSessions(tag)) {
    for (const connection of tcp) {
      if (connection.destroyed) continue;
      dropped += 1;
      if (query.how === 'reset') connection.resetAndDestroy();
      else connection.destroy();
    }
  }
  return { connections: dropped };
}

async function readJson(req) {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error('the body is too large');
    chunks.push(chunk);
  }
  return size === 0 ? {} : JSON.parse(Buffer.concat(chunks));
}

function startControl(state) {
  const handle = async (req) => {
    const url = new URL(req.url, 'http://localhost');
    const query = Object.fromEntries(url.searchParams);
    const route = ROUTES[`${req.method} ${url.pathname}`];
    if (!route) return [404, { error: `no ${req.method} ${url.pathname} here`, routes: Object.keys(ROUTES) }];
    if (req.method !== 'GET' && query.tag === undefined) return [400, { error: 'this needs a tag' }];
    try {
      return [200, await route({ ...state, query, tag: query.tag, body: await readJson(req) })];
    } catch (error) {
      return [400, { error: error.message }];
    }
  };
  return http.createServer(async (req, res) => {
    const [status, answer] = await handle(req);
    const body = JSON.stringify(answer);
    res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
    res.end(body);
  });
}

module.exports = { startControl };
