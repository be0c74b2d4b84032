'use strict';

// socket.io 1.0 and later: one server per variant.

const http = require('node:http');

const tapHttp = require('../tap.js');
const { classify, tapEngine } = require('./engine.js');
const { serveNamespaces } = require('./namespaces.js');
const { repair } = require('./repairs.js');
const { variants } = require('./variants.js');

function startServers(socketIo, { folder, eio3, notFound, journal, faults }) {
  return variants(folder, eio3).map(({ name, options, guards }) => {
    const server = http.createServer(notFound);
    const io = socketIo(server, options);
    serveNamespaces(io, guards, journal);
    repair(io.eio, folder);
    tapEngine(io.eio, name, journal);
    tapHttp(server, { port: name, journal, faults, classify });
    return { name, server };
  });
}

module.exports = startServers;
