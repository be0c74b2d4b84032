'use strict';

// Answers given in place of socket.io's, as a broken proxy would: asked for by a test for its own tag.
//
// A rule: { on, skip, times, delay, answer }
//   on      handshake | poll | post | upgrade | any
//   skip    let so many matching requests pass first (0)
//   times   then apply to so many (all)
//   delay   milliseconds to wait before answering or passing on (0)
//   answer  { status, headers, body } | "hang" | "reset" | null: pass the request on

const { STATUS_CODES } = require('node:http');

const KINDS = ['handshake', 'poll', 'post', 'upgrade', 'any'];

class Faults {
  constructor() {
    this.rules = [];
  }

  add(tag, { on, skip = 0, times = Infinity, delay = 0, answer = null }) {
    if (!KINDS.includes(on)) throw new Error(`"on" must be one of ${KINDS.join(', ')}`);
    this.rules.push({ tag, on, skip, times, delay, answer });
  }

  clear(tag) {
    const before = this.rules.length;
    this.rules = this.rules.filter((rule) => rule.tag !== tag);
    return before - this.rules.length;
  }

  // The rule that applies to this request, if any. Counts down `skip` and `times`.
  take({ tag, kind }) {
    for (const rule of this.rules) {
      if (rule.tag !== tag || (rule.on !== kind && rule.on !== 'any')) continue;
      if (rule.skip > 0) {
        rule.skip -= 1;
      } else if (rule.times > 0) {
        rule.times -= 1;
        return rule;
      }
    }
    return undefined;
  }
}

// `respond` writes an HTTP answer, `pass` hands the request to socket.io.
function applyFault({ delay, answer }, tcp, respond, pass) {
  const act = () => {
    if (answer === null) pass();
    else if (answer === 'reset') tcp.resetAndDestroy();
    else if (answer !== 'hang') respond(answer);
  };
  if (delay > 0) setTimeout(act, delay);
  else act();
}

function respondPlain(req, res, { status = 500, headers = {}, body = '' }) {
  req.resume();
  res.writeHead(status, { 'Content-Type': 'text/html', ...headers });
  res.end(body);
}

function respondRaw(tcp, { status = 500, headers = {}, body = '' }) {
  const fields = { 'Content-Type': 'text/html', 'Content-Length': Buffer.byteLength(body), Connection: 'close', ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  tcp.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${lines.join('')}\r\n${body}`);
}

module.exports = { Faults, applyFault, respondPlain, respondRaw };
