'use strict';

// The ports of one process: each is a 0.9 server of its own with one thing changed against the defaults.
//
// `guards` says who has authorization ("nobody", "namespaces", "everybody"); see namespaces.js. Times are seconds.

var assign = require('../old-node.js').assign;

var VARIANTS = [
  { name: 'main', options: {} },
  { name: 'nsp-guarded', options: {}, guards: 'namespaces' },
  { name: 'root-guarded', options: {}, guards: 'everybody' },
  { name: 'polling-only', options: { transports: ['xhr-polling'] } },
  { name: 'websocket-only', options: { transports: ['websocket'] } },
  { name: 'jsonp-only', options: { transports: ['jsonp-polling'] } },
  { name: 'htmlfile-only', options: { transports: ['htmlfile'] } },
  { name: 'polling-first', options: { transports: ['jsonp-polling', 'xhr-polling', 'htmlfile', 'websocket'] } },
  { name: 'no-transports', options: { transports: [] } },
  { name: 'short-heartbeat', options: { 'heartbeat interval': 0.3, 'heartbeat timeout': 1, 'close timeout': 1 } },
  { name: 'no-heartbeat', options: { heartbeats: false } },
  { name: 'no-timeouts', options: { heartbeats: false, 'close timeout': 0 } },
  { name: 'short-close', options: { 'close timeout': 1 } },
  { name: 'short-poll', options: { 'polling duration': 0.3 } },
  { name: 'small-limit', options: { 'destroy buffer size': 10000 } },
  { name: 'custom-path', options: { resource: '/custom/path' } },
  { name: 'forbidden', options: { origins: 'nobody.invalid:1' } }
];

module.exports = VARIANTS.map(function (variant) {
  // Level 1: warnings and errors, which go to standard error.
  return {
    name: variant.name,
    guards: variant.guards || 'nobody',
    options: assign({ 'log level': 1, 'log colors': false }, variant.options)
  };
});
