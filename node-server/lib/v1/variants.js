'use strict';

// The ports of one process: each is a socket.io server of its own with one thing changed against the defaults.
//
// `guards` says who has middleware ("nobody", "namespaces", "everybody"); see namespaces.js.

function variants(version, eio3) {
  const major = Number(version.split('.')[0]);
  // From 3.1 on, clients of the 2.x generation are served only on request.
  const common = major >= 3 ? { allowEIO3: eio3 } : {};
  const list = [
    { name: 'main', options: {} },
    { name: 'nsp-guarded', options: {}, guards: 'namespaces' },
    { name: 'root-guarded', options: {}, guards: 'everybody' },
    { name: 'polling-only', options: { transports: ['polling'] } },
    { name: 'websocket-only', options: { transports: ['websocket'] } },
    { name: 'no-upgrade', options: { allowUpgrades: false } },
    { name: 'short-heartbeat', options: { pingInterval: 300, pingTimeout: 700 } },
    { name: 'small-limit', options: { maxHttpBufferSize: 1000 } },
    { name: 'large-limit', options: { maxHttpBufferSize: 1e8 } },
    { name: 'compressed', options: { perMessageDeflate: { threshold: 0 }, httpCompression: { threshold: 0 } } },
    { name: 'custom-path', options: { path: '/custom/path' } },
    { name: 'forbidden', options: refuseEverybody() },
  ];
  return list.map(({ name, options, guards }) => ({
    name,
    options: { ...common, ...options },
    guards: guards ?? 'nobody',
  }));
}

// 1.0 to 1.3 overwrite `allowRequest` with their origin check, 3.x and later have no `origins`: give both.
function refuseEverybody() {
  return {
    origins: 'nobody.invalid:1',
    allowRequest: (request, decide) => decide(null, false),
  };
}

module.exports = { variants };
