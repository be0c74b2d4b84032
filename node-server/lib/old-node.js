'use strict';

// What Node 0.10 lacks. Everything that is shared with the 0.9 servers is written in ES5 and uses these.

var querystring = require('querystring');

function bytes(source, encoding) {
  return Buffer.from && Buffer.from !== Uint8Array.from ? Buffer.from(source, encoding) : new Buffer(source, encoding);
}

function assign(target) {
  for (var i = 1; i < arguments.length; i += 1) {
    var source = arguments[i] || {};
    for (var key in source) {
      if (has(source, key)) target[key] = source[key];
    }
  }
  return target;
}

function has(object, key) {
  return Object.prototype.hasOwnProperty.call(object, key);
}

// Path and query of a request target; of several values of one name the last.
function parseTarget(target) {
  var mark = target.indexOf('?');
  var parsed = querystring.parse(mark < 0 ? '' : target.slice(mark + 1), null, null, { maxKeys: 0 });
  var query = {};
  for (var name in parsed) {
    var value = parsed[name];
    query[name] = Array.isArray(value) ? value[value.length - 1] : value;
  }
  return { path: mark < 0 ? target : target.slice(0, mark), query: query };
}

// Node 0.10 cannot reset a connection, and no Node one with TLS: those just end.
function reset(tcp) {
  if (tcp.resetAndDestroy && !tcp.encrypted) tcp.resetAndDestroy();
  else tcp.destroy();
}

module.exports = { assign: assign, bytes: bytes, has: has, parseTarget: parseTarget, reset: reset };
