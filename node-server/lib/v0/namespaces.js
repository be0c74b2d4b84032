'use strict';

// Which namespaces exist, and who is let in where.

var OPEN = ['', '/chat', '/news', '/with-hyphen', '/with.dot', '/a/b.c-d'];

// Each gets the handshake and a callback (error, yes or no). On the wire a refusal is 7::/admin:2, and an error that is
// none of the three known reasons is 7::/admin-error:undefined.
var GUARDED = {
  '/admin': function (handshake, decide) {
    decide(null, false);
  },
  '/admin-error': function (handshake, decide) {
    decide('admins only');
  },
  '/slow': function (handshake, decide) {
    setTimeout(decide, 300, null, true);
  },
  '/slow-admin': function (handshake, decide) {
    setTimeout(decide, 300, null, false);
  },
  '/token': function (handshake, decide) {
    decide(null, handshake.query.token === 'secret');
  }
};

// A guarded server does with a handshake what its query asks for: ?refuse=unauthorized|error, ?delay=ms.
function rootGuard(handshake, decide) {
  var query = handshake.query;
  function verdict() {
    if (query.refuse === 'error') decide(new Error('root refused'));
    else decide(null, query.refuse !== 'unauthorized');
  }
  if (Number(query.delay) > 0) setTimeout(verdict, Number(query.delay));
  else verdict();
}

// guards: "nobody", "namespaces", "everybody". `serve` gets each socket and its namespace.
function serveNamespaces(io, guards, serve) {
  function open(name) {
    var nsp = io.of(name);
    nsp.on('connection', function (socket) {
      serve(socket, nsp);
    });
    return nsp;
  }
  OPEN.forEach(open);
  if (guards === 'nobody') return;
  if (guards === 'everybody') io.set('authorization', rootGuard);
  Object.keys(GUARDED).forEach(function (name) {
    open(name).authorization(GUARDED[name]);
  });
}

module.exports = serveNamespaces;
