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
  return { socket, failures: ['connect_error', 'error'] };
}

function legacy(io, url, transport) {
  const socket = io.connect(url, {
    transports: [transport === 'polling' ? 'xhr-polling' : transport],
    'try multiple transports': false,
    'force new connection': true,
    reconnect: false,
  });
  return { socket, failures: ['connect_failed', 'error'] };
}

function connected({ socket, failures }) {
  return new Promise((resolve, reject) => {
    // Once connected it ends the program: nobody would hear of it otherwise, and a work would wait for ever.
    let fail = reject;
    const lost = (what) => (reason) => {
      if (!socket.leaving) fail(reason instanceof Error ? reason : new Error(`${what}: ${reason}`));
    };
    for (const name of failures) socket.on(name, lost(name));
    socket.on('disconnect', lost('disconnected'));
    socket.on('connect', () => {
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
