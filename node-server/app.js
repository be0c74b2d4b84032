'use strict';

// Starts one pinned socket.io version on several ports; see README.md.
//
//     node app.js <folder> [--no-eio3] [--main=<port>] [--tls=<folder>] [--redis=<port>]
//     node app.js --needs <folder>         what to install for it: one folder per line
//
// A package.json with "runtime" names the folder of another Node, which its version needs. The package.json there says
// where the program is ("node") and, as npm has it, for which machines ("os", "cpu"): elsewhere the status is 3.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const INSTALL = 'npm ci --ignore-scripts --no-audit --no-fund';
const WRONG = 2;
const NOT_HERE = 3;
// How long the server may take to end after its standard input.
const LAST_BREATH = 1000;

function fail(sentence, status = WRONG) {
  process.stderr.write(`${sentence}\n`);
  process.exit(status);
}

function serverFolders() {
  const folders = fs.readdirSync(__dirname).filter((name) => /^\d+\.\d+\.\d+(-redis)?$/.test(name));
  return folders.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

function parseArguments(args) {
  const flags = args.filter((arg) => arg.startsWith('--'));
  const names = args.filter((arg) => !arg.startsWith('--'));
  const folders = serverFolders();
  const known = flags.every((flag) => /^--(no-eio3|needs|main=\d+|tls=.+|redis=\d+)$/.test(flag))
    && (flags.length < 2 || !flags.includes('--needs'));
  if (names.length !== 1 || !folders.includes(names[0]) || !known) {
    fail(`usage: node app.js [--needs] <${folders.join('|')}> [--no-eio3] [--main=<port>] [--tls=<folder>] [--redis=<port>]`);
  }
  return { folder: names[0], flags };
}

function packageOf(folder) {
  return JSON.parse(fs.readFileSync(path.join(__dirname, folder, 'package.json'), 'utf8'));
}

function requireInstalled(folder, what, module) {
  if (!fs.existsSync(path.join(__dirname, folder, module))) {
    fail(`${what} is not installed: run "${INSTALL}" in node-server/${folder}.`);
  }
}

// The Node that a server needs: this one, or the one of a folder.
function runtimeOf(folder) {
  const { runtime } = packageOf(folder);
  if (runtime === undefined) return { folder: null, node: process.execPath };
  const { description, os, cpu, node } = packageOf(runtime);
  if (!os.includes(process.platform) || !cpu.includes(process.arch)) {
    const machines = `${os.join(', ')} on ${cpu.join(', ')}`;
    fail(`socket.io ${folder} does not run here: ${description}, is there for ${machines} only.`, NOT_HERE);
  }
  return { folder: runtime, node: path.join(__dirname, runtime, node), needed: node };
}

function start(folder, flags) {
  const runtime = runtimeOf(folder);
  requireInstalled(folder, `socket.io ${folder}`, 'node_modules/socket.io');
  if (runtime.folder === null) {
    require('./lib/serve.js');
    return;
  }
  requireInstalled(runtime.folder, `The Node of socket.io ${folder}`, runtime.needed);
  const server = spawn(runtime.node, [path.join(__dirname, 'lib', 'serve.js'), folder, ...flags], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  server.on('error', (error) => fail(`cannot start ${runtime.node}: ${error.message}`));
  server.on('exit', (status, signal) => {
    if (signal !== null) process.stderr.write(`the server was ended by ${signal}\n`);
    process.exit(status ?? 1);
  });
  server.stdin.on('error', () => {});
  process.stdin.on('error', () => server.stdin.end());
  process.stdin.on('close', () => setTimeout(() => server.kill('SIGKILL'), LAST_BREATH));
  process.stdin.pipe(server.stdin);
}

const { folder, flags } = parseArguments(process.argv.slice(2));
if (flags.includes('--needs')) {
  const runtime = runtimeOf(folder);
  process.stdout.write(runtime.folder === null ? `${folder}\n` : `${runtime.folder}\n${folder}\n`);
} else {
  start(folder, flags);
}
