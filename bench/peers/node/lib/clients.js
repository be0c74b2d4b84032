'use strict';

// How each client is told to use one transport and a connection of its own, and nothing else: no reconnecting, no
// compression. All else is as it comes; 2.5 and 4.8 find the native add-ons of ws, as their documentation advises.

const path = require('node:path');

function load(folder, name) {
  return require(require.resolve(name, { paths: [path.join(__dirname, '..', folder)] }));
}

// 1.0 and later.
function modern(io, url, transport) {
  const socket = io(url, {
    transports: [transport],
    upgrade: false,
    forceNew: true,
    reconnection: false,
    perMessageDeflate: false,
  });
  return { socket, failures: ['connect_error', 'error'], transport, used: () => socket.io.engine.transport.name };
}

function legacy(io, url, transport) {
  const name = transport === 'polling' ? 'xhr-polling' : transport;
  // On Node this list has each transport twice, and an option of that name only replaces its beginning.
  io.transports = [name];
  const socket = io.connect(url, {
    'try multiple transports': false,
    'force new connection': true,
    reconnect: false,
  });
  return { socket, failures: ['connect_failed', 'error'], transport: name, used: () => socket.socket.transport.name };
}

function connected({ socket, failures, transport, used }) {
  return new Promise((resolve, reject) => {
    // Once connected it ends the program: nobody would hear of it otherwise, and a work would wait for ever.
    let fail = reject;
    const lost = (what) => (reason) => {
      if (!socket.leaving) fail(reason instanceof Error ? reason : new Error(`${what}: ${reason}`));
    };
    for (const name of failures) socket.on(name, lost(name));
    socket.on('disconnect', lost('disconnected'));
    socket.on('connect', () => {
      if (used() !== transport) reject(new Error(`connected by ${used()}`));
      fail = (error) => { throw error; };
      resolve(socket);
    });
  });
}

/** What the works ask of a client, which differs between the versions in how it connects only. */
function clientOf(folder, url) {
  const isLegacy = folder.startsWith('0.');
  const io = load(folder, 'socket.io-client');
  const start = isLegacy ? legacy : modern;
  return {
    hasBytes: !isLegacy,
    connect: (transport) => connected(start(io, url, transport)),
    disconnect: (socket) => {
      socket.leaving = true;
      socket.disconnect();
    },
  };
}

module.exports = { clientOf, load };
