'use strict';

// One process = one pinned socket.io version on several ports; see README.md.
//
//     node app.js <folder> [--no-eio3]
//
// stdout carries exactly one line, the ready line. The process ends when its standard input closes.

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { createRequire } = require('node:module');

const { Journal } = require('./lib/journal.js');
const { Faults } = require('./lib/faults.js');
const { tapHttp, tapEngine } = require('./lib/tap.js');
const { startControl } = require('./lib/control.js');
const { repair } = require('./lib/repairs.js');
const { variants } = require('./lib/variants.js');
const { serveNamespaces } = require('./lib/namespaces.js');

const INSTALL = 'npm ci --ignore-scripts --no-audit --no-fund';

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(2);
}

function serverFolders() {
  return fs.readdirSync(__dirname).filter((name) => /^\d+\.\d+\.\d+$/.test(name));
}

function parseArguments(args) {
  const flags = args.filter((arg) => arg.startsWith('--'));
  const names = args.filter((arg) => !arg.startsWith('--'));
  const folders = serverFolders();
  if (names.length !== 1 || !folders.includes(names[0]) || flags.some((flag) => flag !== '--no-eio3')) {
    fail(`usage: node app.js <${folders.join('|')}> [--no-eio3]`);
  }
  return { folder: names[0], eio3: flags.length === 0 };
}

function loadSocketIo(folder) {
  const requireThere = createRequire(path.join(__dirname, folder, 'package.json'));
  try {
    requireThere.resolve('socket.io');
  } catch {
    fail(`socket.io ${folder} is not installed: run "${INSTALL}" in node-server/${folder}.`);
  }
  return requireThere('socket.io');
}

function listen(server) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
}

function notFound(req, res) {
  res.writeHead(404, { 'Content-Type': 'text/plain' });
  res.end('not found\n');
}

async function main() {
  const { folder, eio3 } = parseArguments(process.argv.slice(2));

  // Old modules like to talk; stdout is for the ready line alone.
  console.log = console.info = console.error;

  const journal = new Journal();
  const faults = new Faults();

  // 1.0.x throws out of its socket callbacks on malformed input. A test server counts that and goes on.
  process.on('uncaughtException', (error) => journal.error(error));
  process.on('unhandledRejection', (error) => journal.error(error));

  process.stdin.on('end', () => process.exit(0));
  process.stdin.on('close', () => process.exit(0));
  process.stdin.on('error', () => process.exit(0));
  process.stdin.resume();

  const socketIo = loadSocketIo(folder);
  const ports = {};
  for (const { name, options, guards } of variants(folder, eio3)) {
    const server = http.createServer(notFound);
    const io = socketIo(server, options);
    serveNamespaces(io, guards, journal);
    repair(io.eio, folder);
    tapEngine(io.eio, name, journal);
    tapHttp(server, name, journal, faults);
    ports[name] = await listen(server);
  }
  ports.control = await listen(startControl({ journal, faults, about: { server: folder, eio3, ports } }));

  process.stdout.write(`${JSON.stringify({ ready: true, server: folder, eio3, node: process.versions.node, ports })}\n`);
}

main().catch((error) => fail(`cannot start: ${error.stack}`));
