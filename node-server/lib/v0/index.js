'use strict';

// socket.io 0.9: one server per variant.

var http = require('http');
var https = require('https');
var path = require('path');

var assign = require('../old-node.js').assign;
var serveNamespaces = require('./namespaces.js');
var sessions = require('./sessions.js');
var sockets = require('./sockets.js');
var tapHttp = require('../tap.js');
var variants = require('./variants.js');

function mainVariant() {
  return variants.filter(function (variant) {
    return variant.name === 'main';
  })[0];
}

function startServers(socketIo, setup) {
  var journal = setup.journal;
  sessions.tapTransports(socketIo, path.join(__dirname, '..', '..', setup.folder, 'node_modules', 'socket.io', 'lib'));
  var withTls = setup.secure.map(function (variant) {
    return assign({}, mainVariant(), { name: variant.name, tls: variant.options });
  });
  return variants.concat(withTls).map(function (variant) {
    var server = variant.tls ? https.createServer(variant.tls, setup.notFound) : http.createServer(setup.notFound);
    var io = socketIo.listen(server, assign({}, variant.options));
    sessions.tapManager(io, variant.name, journal);
    serveNamespaces(io, variant.guards, function (socket, nsp) {
      sockets.serveSocket(socket, nsp, journal);
    });
    Object.keys(io.namespaces).forEach(function (name) {
      sockets.watchPackets(io.namespaces[name]);
    });
    var classify = sessions.classifier(io.get('resource'));
    tapHttp(server, {
      port: variant.name,
      secure: variant.tls !== undefined,
      journal: journal,
      faults: setup.faults,
      classify: classify
    });
    return { name: variant.name, server: server };
  });
}

module.exports = startServers;
