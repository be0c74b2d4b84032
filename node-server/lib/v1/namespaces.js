'use strict';

// Which namespaces exist, and who is let in where.

const { serveSocket } = require('./sockets.js');

const OPEN = ['/', '/chat', '/news', '/with-hyphen', '/with.dot', '/a/b.c-d'];

const GUARDED = {
  '/admin': () => new Error('admins only'),
  '/admin-object': () => withData({ code: 403, reason: 'admins only', roles: ['admin', 'root'] }),
  '/admin-text': () => withData('admins only, as data'),
  '/admin-list': () => withData([403, 'admins only', { role: 'admin' }]),
  '/slow': () => later(300, undefined),
  '/slow-admin': () => later(300, new Error('admins only, after a while')),
  '/token': (socket) => (token(socket) === 'secret' ? undefined : new Error('bad token')),
};

// The root of a guarded server does what the query of the connection asks for: ?refuse=text|object|string|list, ?delay=ms.
const ROOT_REFUSALS = {
  text: () => new Error('root refused'),
  object: () => withData({ code: 401, reason: 'root refused', nested: { list: [1, 'two', null] } }),
  string: () => withData('root refused, as data'),
  list: () => withData([401, 'root refused']),
};

function rootGuard(socket) {
  const { refuse, delay = '0' } = socket.handshake.query;
  const verdict = ROOT_REFUSALS[refuse]?.();
  return Number(delay) > 0 ? later(Number(delay), verdict) : verdict;
}

function withData(data) {
  return Object.assign(new Error('the message, which data replaces'), { data });
}

function later(ms, verdict) {
  return new Promise((resolve) => setTimeout(resolve, ms, verdict));
}

// A namespace's query is merged into the handshake query by 1.5 to 2.x, and is the `auth` of later versions.
function token(socket) {
  return socket.handshake.auth?.token ?? socket.handshake.query.token;
}

// A guard returns undefined (come in), an Error (stay out), or a promise of either.
function guard(nsp, decide) {
  nsp.use((socket, next) => {
    const verdict = decide(socket);
    if (verdict instanceof Promise) verdict.then((value) => next(value));
    else next(verdict);
  });
}

// guards: "nobody", "namespaces" (which makes 2.0.4 forget the root's CONNECT), "everybody".
function serveNamespaces(io, guards, journal) {
  for (const name of OPEN) serve(io.of(name), journal);
  if (guards === 'nobody') return;
  if (guards === 'everybody') guard(io.of('/'), rootGuard);
  for (const [name, decide] of Object.entries(GUARDED)) {
    const nsp = io.of(name);
    guard(nsp, decide);
    serve(nsp, journal);
  }
}

function serve(nsp, journal) {
  nsp.on('connection', (socket) => serveSocket(socket, nsp, journal));
}

module.exports = { serveNamespaces };
