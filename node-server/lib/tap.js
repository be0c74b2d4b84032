'use strict';

// Listening in on the HTTP side of a server: requests and what became of them.

var faults = require('./faults.js');
var old = require('./old-node.js');
var tls = require('./tls.js');

var BODY_KEPT = 4096;

var connections = 0;

// Call after socket.io has attached itself: its listeners are taken over and called from here.
//
// `tap` is { port, secure, journal, faults, classify }; classify(req, target, upgrade) returns { kind, transport, sid }.
function tapHttp(server, tap) {
  // With TLS a request names the connection inside, which the other event brings.
  server.on(tap.secure ? 'secureConnection' : 'connection', function (connection) {
    connections += 1;
    connection.journalNumber = connections;
  });

  var onRequest = takeListeners(server, 'request');
  server.on('request', function (req, res) {
    var record = recordRequest(tap, req, req.headers.upgrade !== undefined);
    watchResponse(tap.journal, record, req, res);
    function pass() {
      onRequest.forEach(function (listener) {
        listener.call(server, req, res);
      });
      // Only now: listening makes the body flow, so the engine must have its own listeners in place.
      watchBody(record, req);
    }
    function respond(answer) {
      faults.respondPlain(req, res, answer);
    }
    var fault = tap.faults.take(record);
    if (fault && fault.answer === null) faults.addHeaders(fault, res);
    if (fault) faults.applyFault(fault, req.socket, respond, pass);
    else pass();
  });

  // Without a listener Node treats an upgrade as an ordinary request, and servers without websockets rely on that.
  var onUpgrade = takeListeners(server, 'upgrade');
  if (onUpgrade.length === 0) return;
  server.on('upgrade', function (req, tcp, head) {
    var record = recordRequest(tap, req, true);
    tcp.on('error', function () {});
    tcp.on('close', function () {
      record.ended_at = tap.journal.now();
    });
    function pass() {
      onUpgrade.forEach(function (listener) {
        listener.call(server, req, tcp, head);
      });
    }
    function respond(answer) {
      faults.respondRaw(tcp, answer);
    }
    var fault = tap.faults.take(record);
    if (fault) faults.applyFault(fault, tcp, respond, pass);
    else pass();
  });
}

function takeListeners(server, event) {
  var listeners = server.listeners(event).slice();
  server.removeAllListeners(event);
  return listeners;
}

// The record stays with the request, as `req.journalRecord`.
function recordRequest(tap, req, upgrade) {
  var target = old.parseTarget(req.url);
  var what = tap.classify(req, target, upgrade);
  var record = tap.journal.add('requests', tap.journal.tagOf(target.query, what.sid), {
    port: tap.port,
    kind: what.kind,
    connection: req.socket.journalNumber,
    tls: tls.shown(req.socket),
    method: req.method,
    url: req.url,
    query: target.query,
    transport: what.transport,
    sid: what.sid,
    opened: null, // the session this request opened
    headers: req.headers,
    body_bytes: 0,
    body: null, // the first bytes of a POST, in base64
    status: null, // of an HTTP answer; stays null for a websocket
    ended_at: null
  });
  req.journalRecord = record;
  var session = tap.journal.session(what.sid);
  if (session && session.tcp.indexOf(req.socket) < 0) session.tcp.push(req.socket);
  return record;
}

// Counts requests in flight: from arrival until the server ends its answer, before any client can have read it.
function watchResponse(journal, record, req, res) {
  var session = journal.session(record.sid);
  var counter = session && { poll: session.record.polls, post: session.record.posts }[record.kind];
  if (counter) {
    counter.total += 1;
    counter.now += 1;
    counter.max = Math.max(counter.max, counter.now);
  }
  function ended() {
    if (record.ended_at !== null) return;
    record.ended_at = journal.now();
    if (counter) counter.now -= 1;
  }
  var end = res.end;
  res.end = function () {
    record.status = res.statusCode;
    ended();
    return end.apply(res, arguments);
  };
  res.on('close', ended);
}

function watchBody(record, req) {
  if (req.method !== 'POST' || req.listeners('data').length === 0) return;
  var kept = old.bytes([]);
  req.on('data', function (chunk) {
    var bytes = Buffer.isBuffer(chunk) ? chunk : old.bytes(chunk);
    record.body_bytes += bytes.length;
    if (kept.length < BODY_KEPT) {
      kept = Buffer.concat([kept, bytes.slice(0, BODY_KEPT - kept.length)]);
      record.body = kept.toString('base64');
    }
  });
}

module.exports = tapHttp;
