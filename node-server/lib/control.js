'use strict';

// A plain HTTP/JSON port beside the socket.io servers: what did the server see, and make it do something.

var http = require('http');

var catalogue = require('./catalogue.js');
var old = require('./old-node.js');

var ACK_TIMEOUT = 5000;
var MAX_BODY = 1e6;

// Each gets a request, { journal, faults, about, tag, query, body }, and returns its answer, or calls `answer` later.
var ROUTES = {
  'GET /': function (request) {
    return old.assign({}, request.about, { routes: Object.keys(ROUTES) });
  },
  'GET /errors': function (request) {
    return { count: request.journal.errorCount, errors: request.journal.errors };
  },

  'GET /requests': listOf('requests', ['port', 'sid', 'kind', 'method', 'transport']),
  'GET /sessions': listOf('sessions', ['port', 'sid']),
  'GET /sockets': listOf('sockets', ['port', 'sid', 'nsp']),
  'GET /packets': listOf('packets', ['port', 'sid', 'direction', 'type', 'transport']),
  'GET /questions': listOf('questions', ['port', 'sid', 'nsp', 'how', 'name']),

  'POST /emit': emit,
  'POST /disconnect': function (request) {
    var sockets = socketsOf(request);
    sockets.forEach(function (socket) {
      socket.disconnect(request.query.close === '1');
    });
    return { sockets: sockets.length };
  },
  'POST /close': closeSessions,
  'POST /drop': dropConnections,
  'POST /mute': function (request) {
    var sessions = request.journal.liveSessions(request.tag);
    sessions.forEach(function (session) {
      session.engine.mute();
    });
    return { sessions: sessions.length };
  },

  'POST /fault': function (request) {
    request.faults.add(request.tag, request.body);
    return { added: 1 };
  },
  'DELETE /fault': function (request) {
    return { removed: request.faults.clear(request.tag) };
  }
};

function listOf(kind, fields) {
  return function (request) {
    var filter = { tag: request.query.tag };
    fields.forEach(function (field) {
      filter[field] = request.query[field];
    });
    var answer = {};
    answer[kind] = request.journal.list(kind, filter);
    return answer;
  };
}

function socketsOf(request) {
  return request.journal.liveSockets(request.tag, request.query.nsp === undefined ? '/' : request.query.nsp);
}

// Body: ["event", argument…]. With ?ack=1 the answer of every socket is waited for.
function emit(request, answer) {
  if (!Array.isArray(request.body) || typeof request.body[0] !== 'string') {
    throw new Error('the body must be ["event", argument…]');
  }
  var sockets = socketsOf(request);
  var packet = catalogue.fromJson(request.body);
  if (request.query.ack !== '1') {
    sockets.forEach(function (socket) {
      socket.emit.apply(socket, packet);
    });
    return { sockets: sockets.length };
  }
  askAll(sockets, packet, function (answers) {
    answer({ sockets: sockets.length, answers: answers });
  });
  return undefined;
}

function askAll(sockets, packet, done) {
  var answers = [];
  var open = sockets.length;
  if (open === 0) done(answers);
  sockets.forEach(function (socket, index) {
    function settle(values) {
      if (answers[index] !== undefined) return;
      clearTimeout(timer);
      answers[index] = values;
      open -= 1;
      if (open === 0) done(answers);
    }
    var timer = setTimeout(settle, ACK_TIMEOUT, null);
    // Its parameter is what makes 0.9 ask for values.
    socket.emit.apply(socket, packet.concat(function (first) {
      settle(catalogue.toJson(Array.prototype.slice.call(arguments)));
    }));
  });
}

// Orderly: the session's own end; with ?code= (and ?reason=) a websocket close frame of that code.
function closeSessions(request) {
  var sessions = request.journal.liveSessions(request.tag);
  var query = request.query;
  sessions.forEach(function (session) {
    if (query.code === undefined) session.engine.close();
    else session.engine.closeWith(Number(query.code), query.reason || '');
  });
  return { sessions: sessions.length };
}

// Disorderly: the TCP connections of the tag's sessions just go, ?how=fin (default) or reset.
function dropConnections(request) {
  var dropped = 0;
  request.journal.liveSessions(request.tag).forEach(function (session) {
    session.tcp.slice().forEach(function (connection) {
      if (connection.destroyed) return;
      dropped += 1;
      if (request.query.how === 'reset') old.reset(connection);
      else connection.destroy();
    });
  });
  return { connections: dropped };
}

function readJson(req, done) {
  var chunks = [];
  var size = 0;
  req.on('data', function (chunk) {
    size += chunk.length;
    if (size <= MAX_BODY) chunks.push(chunk);
  });
  req.on('end', function () {
    if (size > MAX_BODY) return done(new Error('the body is too large'));
    try {
      var body = size === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
    } catch (error) {
      return done(error);
    }
    return done(null, body);
  });
}

function startControl(state) {
  return http.createServer(function (req, res) {
    function answer(status, content) {
      var body = JSON.stringify(content);
      res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
      res.end(body);
    }
    function done(content) {
      answer(200, content);
    }
    var target = old.parseTarget(req.url);
    var name = req.method + ' ' + target.path;
    var tag = target.query.tag;
    if (!old.has(ROUTES, name)) return answer(404, { error: 'no ' + name + ' here', routes: Object.keys(ROUTES) });
    if (req.method !== 'GET' && tag === undefined) return answer(400, { error: 'this needs a tag' });
    return readJson(req, function (problem, body) {
      try {
        if (problem) throw problem;
        var content = ROUTES[name](old.assign({}, state, { query: target.query, tag: tag, body: body }), done);
        if (content !== undefined) done(content);
      } catch (error) {
        answer(400, { error: error.message });
      }
    });
  });
}

module.exports = startControl;
