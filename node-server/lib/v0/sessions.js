'use strict';

// Listening in on 0.9: sessions, and packets as text.

var old = require('../old-node.js');

var PACKET_KEPT = 1024;

var PACKETS = ['disconnect', 'connect', 'heartbeat', 'message', 'json', 'event', 'ack', 'error', 'noop'];

// What tap.js asks of a request: <resource>/1/<transport>/<sid>.
function classifier(resource) {
  return function classify(req, target, upgrade) {
    var inside = target.path.slice(0, resource.length) === resource;
    var parts = inside ? target.path.slice(resource.length).split('/') : [];
    var transport = parts[2] || null;
    var sid = (transport && parts[3]) || null;
    return { kind: kindOf(req, target.query, upgrade, parts[1], transport, sid), transport: transport, sid: sid };
  };
}

function kindOf(req, query, upgrade, protocol, transport, sid) {
  if (upgrade) return 'upgrade';
  if (protocol !== '1' || query.disconnect !== undefined) return 'other';
  if (sid === null) return 'handshake';
  if (req.method === 'POST') return 'post';
  if (transport === 'htmlfile') return 'stream';
  return /polling$/.test(transport) ? 'poll' : 'other';
}

// A session begins with its handshake.
function tapManager(manager, port, journal) {
  manager.journal = journal;
  manager.journalPort = port;

  // `handshakeData` is the only place that has both the request and what `onHandshake` gets.
  around(manager, 'handshakeData', function (original, data) {
    var shaken = original(data);
    Object.defineProperty(shaken, 'journalRequest', { value: data.request, configurable: true });
    return shaken;
  });
  around(manager, 'onHandshake', function (original, id, shaken) {
    if (shaken && shaken.journalRequest) {
      openSession(manager, id, shaken.journalRequest);
      delete shaken.journalRequest; // the first time only
    }
    return original(id, shaken);
  });
  around(manager, 'handleClient', function (original, data, req) {
    var session = journal.session(data.id);
    if (session && req.method === 'GET') session.record.transport = data.transport;
    return original(data, req);
  });
  around(manager, 'onClientDisconnect', function (original, id, reason, local) {
    var session = journal.session(id);
    if (session && reason !== undefined) session.record.reason = String(reason);
    return original(id, reason, local);
  });
  around(manager, 'onDisconnect', function (original, id, local) {
    var session = journal.session(id);
    if (session) journal.closeSession(id, session.record.reason);
    return original(id, local);
  });
}

// Replaces a method by `wrapper`, which gets the original and its arguments.
function around(object, name, wrapper) {
  var original = object[name];
  object[name] = function () {
    var self = this;
    function call() {
      return original.apply(self, arguments);
    }
    return wrapper.apply(self, [call].concat(Array.prototype.slice.call(arguments)));
  };
}

function openSession(manager, id, req) {
  var request = req.journalRecord;
  var record = manager.journal.add('sessions', request ? request.tag : '', {
    port: manager.journalPort,
    sid: id,
    transport: 'none', // until it opens one
    upgraded_at: null,
    closed_at: null,
    reason: null,
    polls: { total: 0, now: 0, max: 0 },
    posts: { total: 0, now: 0, max: 0 },
    received: 0,
    sent: 0
  });
  if (request) request.opened = id;
  manager.journal.openSession(id, { record: record, engine: handleOf(manager, id), tcp: [req.socket], muted: false });
}

// What the control port does to a session.
function handleOf(manager, id) {
  return {
    // As after a heartbeat timeout: the stream ends without a packet (an open poll is answered with nothing).
    close: function () {
      var transport = manager.transports[id];
      if (transport) transport.end('closed');
      else manager.onClientDisconnect(id, 'closed');
    },
    closeWith: function () {
      throw new Error('0.9 sends no close frames');
    },
    mute: function () {
      manager.journal.session(id).muted = true;
    }
  };
}

// Once per process: the prototypes of the transports, and the parser, which alone has the text of what came.
function tapTransports(socketIo, lib) {
  around(socketIo.parser, 'decodePacket', function (original, text) {
    var packet = original(text);
    Object.defineProperty(packet, 'journalText', { value: text });
    return packet;
  });
  around(socketIo.Transport.prototype, 'onMessage', function (original, packet) {
    var session = this.manager.journal.session(this.id);
    if (session && packet.journalText !== undefined) {
      session.record.received += 1;
      record(this, session, 'received', packet.journalText);
    }
    return original(packet);
  });
  prototypesOf(lib).forEach(function (prototype) {
    if (!old.has(prototype, 'write')) return;
    around(prototype, 'write', function (original, data, close) {
      var transport = this;
      var session = transport.manager.journal.session(transport.id);
      if (session && session.muted) return undefined;
      if (session && transport.open) {
        split(data).forEach(function (text) {
          session.record.sent += 1;
          record(transport, session, 'sent', text);
        });
      }
      return original(data, close);
    });
  });
}

function prototypesOf(lib) {
  var transports = require(lib + '/transports');
  // The folder, not the file of that name beside it: in the folder are the versions of the protocol.
  var websockets = require(lib + '/transports/websocket/index.js');
  var found = [];
  [transports, websockets].forEach(function (constructors) {
    Object.keys(constructors).forEach(function (name) {
      var prototype = constructors[name].prototype;
      for (; prototype && prototype !== Object.prototype; prototype = Object.getPrototypeOf(prototype)) {
        if (found.indexOf(prototype) < 0) found.push(prototype);
      }
    });
  });
  return found;
}

// The packets of a payload.
function split(payload) {
  var packets = [];
  if (payload.charAt(0) !== '\ufffd') return [payload];
  for (var at = 0; at < payload.length;) {
    var mark = payload.indexOf('\ufffd', at + 1);
    var end = mark + 1 + Number(payload.slice(at + 1, mark));
    packets.push(payload.slice(mark + 1, end));
    at = end;
  }
  return packets;
}

function record(transport, session, direction, text) {
  var manager = transport.manager;
  manager.journal.add('packets', session.record.tag, {
    port: manager.journalPort,
    sid: transport.id,
    transport: session.record.transport,
    direction: direction,
    type: PACKETS[text.slice(0, text.indexOf(':'))] || 'none',
    bytes: Buffer.byteLength(text),
    data: text.slice(0, PACKET_KEPT),
    data_base64: null
  });
}

module.exports = { classifier: classifier, tapManager: tapManager, tapTransports: tapTransports };
