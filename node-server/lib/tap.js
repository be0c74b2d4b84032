'use strict';

// Listens in on one server at two levels: HTTP requests as they arrive, Engine.IO sessions and packets as it decoded them.

const { applyFault, respondPlain, respondRaw } = require('./faults.js');

const BODY_KEPT = 4096;
const PACKET_KEPT = 1024;

const recordOfRequest = new WeakMap();
const numberOfConnection = new WeakMap();
let connections = 0;

// Call after socket.io has attached itself: its listeners are taken over and called from here.
function tapHttp(server, port, journal, faults) {
  server.on('connection', (tcp) => numberOfConnection.set(tcp, ++connections));

  const onRequest = takeListeners(server, 'request');
  server.on('request', (req, res) => {
    const record = recordRequest(journal, port, req, isUpgrade(req));
    watchResponse(journal, record, req, res);
    const pass = () => {
      for (const listener of onRequest) listener.call(server, req, res);
      // Only now: listening makes the body flow, so the engine must have its own listeners in place.
      watchBody(record, req);
    };
    const fault = faults.take(record);
    if (fault) applyFault(fault, req.socket, (answer) => respondPlain(req, res, answer), pass);
    else pass();
  });

  // Without a listener Node treats an upgrade as an ordinary request, and servers without websockets rely on that.
  const onUpgrade = takeListeners(server, 'upgrade');
  if (onUpgrade.length === 0) return;
  server.on('upgrade', (req, tcp, head) => {
    const record = recordRequest(journal, port, req, true);
    tcp.on('error', () => {});
    tcp.on('close', () => {
      record.ended_at = journal.now();
    });
    const pass = () => {
      for (const listener of onUpgrade) listener.call(server, req, tcp, head);
    };
    const fault = faults.take(record);
    if (fault) applyFault(fault, tcp, (answer) => respondRaw(tcp, answer), pass);
    else pass();
  });
}

function takeListeners(server, event) {
  const listeners = server.listeners(event);
  server.removeAllListeners(event);
  return listeners;
}

function isUpgrade(req) {
  return req.headers.upgrade !== undefined;
}

function recordRequest(journal, port, req, upgrade) {
  const query = Object.fromEntries(new URL(req.url, 'http://localhost').searchParams);
  const record = journal.add('requests', journal.tagOf(query), {
    port,
    kind: kindOf(req, query, upgrade),
    connection: numberOfConnection.get(req.socket),
    method: req.method,
    url: req.url,
    query,
    transport: query.transport ?? null,
    sid: query.sid ?? null,
    opened: null, // the session this request opened
    headers: req.headers,
    body_bytes: 0,
    body: null, // the first bytes of a POST, in base64
    status: null, // of an HTTP answer; stays null for a websocket
    ended_at: null,
  });
  recordOfRequest.set(req, record);
  journal.sessions.get(query.sid)?.tcp.add(req.socket);
  return record;
}

function kindOf(req, query, upgrade) {
  if (upgrade) return 'upgrade';
  if (query.transport === undefined) return 'other';
  if (query.sid === undefined) return 'handshake';
  return req.method === 'GET' ? 'poll' : 'post';
}

// Counts requests in flight: from arrival until the server ends its answer, which is before any client can have read it.
function watchResponse(journal, record, req, res) {
  const session = journal.sessions.get(record.sid)?.record;
  const counter = { poll: session?.polls, post: session?.posts }[record.kind];
  if (counter) {
    counter.total += 1;
    counter.now += 1;
    counter.max = Math.max(counter.max, counter.now);
  }
  const ended = () => {
    if (record.ended_at !== null) return;
    record.ended_at = journal.now();
    if (counter) counter.now -= 1;
  };
  const end = res.end;
  res.end = (...args) => {
    record.status = res.statusCode;
    ended();
    return end.apply(res, args);
  };
  res.on('close', ended);
}

function watchBody(record, req) {
  if (req.method !== 'POST' || req.listenerCount('data') === 0) return;
  let kept = Buffer.alloc(0);
  req.on('data', (chunk) => {
    const bytes = Buffer.from(chunk);
    record.body_bytes += bytes.length;
    if (kept.length < BODY_KEPT) {
      kept = Buffer.concat([kept, bytes.subarray(0, BODY_KEPT - kept.length)]);
      record.body = kept.toString('base64');
    }
  });
}

// `engine` is the Engine.IO server. What it sends before announcing a session (the open packet, and in 2.x the root
// CONNECT that travels with it) is not seen here, nor is the probe of an upgrade.
function tapEngine(engine, port, journal) {
  engine.prependListener('connection', (socket) => {
    const request = recordOfRequest.get(socket.request);
    const tag = request?.tag ?? '';
    const record = journal.add('sessions', tag, {
      port,
      sid: socket.id,
      transport: socket.transport.name,
      upgraded_at: null,
      closed_at: null,
      reason: null,
      polls: { total: 0, now: 0, max: 0 },
      posts: { total: 0, now: 0, max: 0 },
      received: 0,
      sent: 0,
    });
    if (request) request.opened = socket.id;
    journal.sessions.set(socket.id, { record, engine: socket, tcp: new Set([socket.request.socket]) });

    socket.on('packet', (packet) => {
      record.received += 1;
      recordPacket(journal, tag, port, socket, 'received', packet);
    });
    socket.on('packetCreate', (packet) => {
      record.sent += 1;
      recordPacket(journal, tag, port, socket, 'sent', packet);
    });
    socket.on('upgrade', (transport) => {
      record.transport = transport.name;
      record.upgraded_at = journal.now();
    });
    socket.on('close', (reason) => {
      record.closed_at = journal.now();
      record.reason = String(reason);
      journal.sessions.delete(socket.id);
    });
  });
}

function recordPacket(journal, tag, port, socket, direction, { type, data }) {
  const text = typeof data === 'string';
  const bytes = text ? Buffer.byteLength(data) : (data?.length ?? 0);
  journal.add('packets', tag, {
    port,
    sid: socket.id,
    transport: socket.transport.name,
    direction,
    type,
    bytes,
    data: text ? data.slice(0, PACKET_KEPT) : null,
    data_base64: Buffer.isBuffer(data) ? data.toString('base64', 0, PACKET_KEPT) : null,
  });
}

module.exports = { tapHttp, tapEngine };
