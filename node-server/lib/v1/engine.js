'use strict';

// Listening in on Engine.IO: sessions and packets as it decoded them.

const PACKET_KEPT = 1024;

// What tap.js asks of a request.
function classify(req, { query }, upgrade) {
  return { kind: kindOf(req, query, upgrade), transport: query.transport ?? null, sid: query.sid ?? null };
}

function kindOf(req, query, upgrade) {
  if (upgrade) return 'upgrade';
  if (query.transport === undefined) return 'other';
  if (query.sid === undefined) return 'handshake';
  return req.method === 'GET' ? 'poll' : 'post';
}

// `engine` is the Engine.IO server. What it sends before announcing a session (the open packet, and in 2.x the root
// CONNECT that travels with it) is not seen here, nor is the probe of an upgrade.
function tapEngine(engine, port, journal) {
  engine.prependListener('connection', (socket) => {
    const request = socket.request.journalRecord;
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
    journal.openSession(socket.id, { record, engine: handleOf(socket), tcp: [socket.request.socket] });

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
    socket.on('close', (reason) => journal.closeSession(socket.id, String(reason)));
  });
}

// What the control port does to a session.
function handleOf(socket) {
  return {
    close: () => socket.close(),
    closeWith: (code, reason) => {
      if (socket.transport.name !== 'websocket') throw new Error('the session is not on a websocket');
      socket.transport.socket.close(code, reason);
    },
    mute: () => {
      socket.sendPacket = () => socket;
    },
  };
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

module.exports = { classify, tapEngine };
