'use strict';

// socket.io 1.0 and later: one server per variant.

const http = require('node:http');
const https = require('node:https');

const tapHttp = require('../tap.js');
const { classify, tapEngine } = require('./engine.js');
const { serveNamespaces } = require('./namespaces.js');
const { repair } = require('./repairs.js');
const { variants } = require('./variants.js');

function startServers(socketIo, { folder, eio3, adapter, secure, notFound, journal, faults }) {
  const list = variants(folder, eio3);
  const main = list.find(({ name }) => name === 'main');
  const withTls = secure.map(({ name, options }) => ({ ...main, name, tls: options }));
  // A node of several needs no other port.
  const all = adapter ? [main] : [...list, ...withTls];
  return all.map(({ name, options, guards, tls }) => {
    const server = tls ? https.createServer(tls, notFound) : http.createServer(notFound);
    const io = socketIo(server, { ...options });
    if (adapter) io.adapter(adapter);
    serveNamespaces(io, guards, journal);
    repair(io.eio, folder);
    tapEngine(io.eio, name, journal);
    tapHttp(server, { port: name, secure: tls !== undefined, journal, faults, classify });
    return { name, server, whenReady: adapter && ((done) => whenSubscribed(io, done)) };
  });
}

// The adapters of all namespaces subscribe over one connection, in order: once this one is through, all are, and no
// broadcast of another node is missed.
function whenSubscribed(io, done) {
  io.of('/').adapter.subClient.subscribe('nobody sends here', (error) => {
    if (error) throw error;
    done();
  });
}

module.exports = startServers;
