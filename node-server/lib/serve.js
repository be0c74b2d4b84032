'use strict';

// One process = one pinned socket.io version on several ports. app.js runs this, on the Node that the version needs:
//
//     node lib/serve.js <folder> [--no-eio3] [--main=<port>] [--tls=<folder>] [--redis=<port>]
//
// stdout carries exactly one line, the ready line. The process ends when its standard input closes.

var path = require('path');

var Faults = require('./faults.js').Faults;
var Journal = require('./journal.js');
var assign = require('./old-node.js').assign;
var startControl = require('./control.js');
var tls = require('./tls.js');

function serve(folder, args) {
  // 3.0 came before allowEIO3.
  var eio3 = args.indexOf('--no-eio3') < 0 && !/^3\.0\./.test(folder);
  var main = Number(valueOf(args, '--main='));
  var secure = valueOf(args, '--tls=');
  var redis = Number(valueOf(args, '--redis='));

  // Old modules like to talk; stdout is for the ready line alone.
  console.log = console.info = console.error;

  var journal = new Journal();
  var faults = new Faults();

  // 1.0.x throws out of its socket callbacks on malformed input, 0.9 on an ack that is no list. A test server counts
  // that and goes on.
  process.on('uncaughtException', function (error) {
    journal.error(error);
  });
  process.on('unhandledRejection', function (error) {
    journal.error(error);
  });

  function end() {
    process.exit(0);
  }
  process.stdin.on('end', end);
  process.stdin.on('close', end);
  process.stdin.on('error', end);
  process.stdin.resume();

  var socketIo = require(path.join(__dirname, '..', folder, 'node_modules', 'socket.io'));
  var isOld = /^0\./.test(folder);
  var startServers = isOld ? require('./v0') : require('./v1');
  var servers = startServers(socketIo, {
    folder: folder,
    eio3: eio3,
    adapter: redis ? adapterOf(folder, redis) : null,
    secure: secure ? tls.variants(secure) : [],
    notFound: notFound,
    journal: journal,
    faults: faults
  });
  var ports = {};
  // 0.9 knows no Engine.IO.
  var about = { server: folder, eio3: isOld ? undefined : eio3, node: process.versions.node, ports: ports };
  servers.push({ name: 'control', server: startControl({ journal: journal, faults: faults, about: about }) });

  var open = servers.length;
  function opened() {
    open -= 1;
    if (open === 0) process.stdout.write(JSON.stringify(assign({ ready: true }, about)) + '\n');
  }
  servers.forEach(function (entry) {
    ports[entry.name] = 0; // in this order
    entry.server.on('error', fail);
    entry.server.listen(entry.name === 'main' ? main : 0, '127.0.0.1', function () {
      entry.server.removeListener('error', fail);
      ports[entry.name] = entry.server.address().port;
      if (entry.whenReady) entry.whenReady(opened);
      else opened();
    });
  });
}

function notFound(req, res) {
  res.writeHead(404, { 'Content-Type': 'text/plain' });
  res.end('not found\n');
}

function fail(error) {
  process.stderr.write('cannot start: ' + error.stack + '\n');
  process.exit(2);
}

function isName(argument) {
  return argument.slice(0, 2) !== '--';
}

// What stands behind such a flag; empty, which is also 0, without it.
function valueOf(args, flag) {
  var found = args.filter(function (argument) {
    return argument.slice(0, flag.length) === flag;
  });
  return found.length > 0 ? found[0].slice(flag.length) : '';
}

// What the nodes of a deployment tell each other their broadcasts by.
function adapterOf(folder, port) {
  var adapter = require(path.join(__dirname, '..', folder, 'node_modules', 'socket.io-redis'));
  return adapter({ host: '127.0.0.1', port: port });
}

try {
  serve(process.argv.slice(2).filter(isName)[0], process.argv.slice(2));
} catch (error) {
  fail(error);
}
