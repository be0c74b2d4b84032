'use strict';

// A published client of Node's at one work of the benchmark; see ../README.md.
//
//     node client.js <folder> <work> <url> <count> [<extra>]
//
// The folder has the client's version: 2.5.0, 4.8, 0.9.17. Status 3: this client cannot do the work.

const fs = require('node:fs');
const path = require('node:path');

const { clientOf } = require('./lib/clients.js');
const { CannotDo } = require('./lib/cannot.js');
const { codec } = require('./lib/codec.js');
const works = require('./lib/works.js');

const FAILED = 1;
const CANNOT = 3;
const USAGE = 'usage: node client.js <folder> <work> <url> <count> [<extra>]';

function parseArguments([folder, work, url, count, extra, ...more]) {
  const installed = folder !== undefined && /^[\d.]+$/.test(folder)
    && fs.existsSync(path.join(__dirname, folder, 'package.json'));
  const number = (text) => (/^[1-9]\d*$/.test(text ?? '') ? Number(text) : null);
  const fits = installed && url !== undefined && number(count) !== null && more.length === 0
    && (extra === undefined || number(extra) !== null);
  if (!fits) throw new Error(USAGE);
  return { folder, work, url, count: number(count), extra: number(extra) };
}

async function main() {
  const { folder, work, url, count, extra } = parseArguments(process.argv.slice(2));
  if (work === 'codec') return { work, rows: codec(folder, count) };
  if (!Object.hasOwn(works, work)) throw new CannotDo(`There is no work "${work}".`);
  return { work, ...await works[work](clientOf(folder, url), count, extra ?? undefined) };
}

main().then(
  (line) => process.stdout.write(`${JSON.stringify(line)}\n`, () => process.exit(0)),
  (error) => {
    const cannot = error instanceof CannotDo;
    process.stderr.write(`${cannot ? error.message : error.stack}\n`, () => process.exit(cannot ? CANNOT : FAILED));
  },
);
