'use strict';

// Clocks, around the timed part only, and memory.

const fs = require('node:fs');

const { CannotDo } = require('./cannot.js');

function warmUp(count) {
  return Math.min(Math.floor(count / 10), 1000);
}

function seconds() {
  return Number(process.hrtime.bigint()) / 1e9;
}

/** Wall clock, and the CPU time of all threads, user and system. */
async function timed(work) {
  const cpuBefore = process.cpuUsage();
  const before = seconds();
  await work();
  const after = seconds();
  const { user, system } = process.cpuUsage(cpuBefore);
  return { seconds: after - before, cpu_seconds: (user + system) / 1e6 };
}

/** VmRSS in KiB, and the number of threads. */
function resident() {
  let status;
  try {
    status = fs.readFileSync('/proc/self/status', 'latin1');
  } catch {
    throw new CannotDo('Memory is read from /proc, which this system has not.');
  }
  const field = (name) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)[1]);
  return { kib: field('VmRSS'), threads: field('Threads') };
}

module.exports = { resident, seconds, timed, warmUp };
