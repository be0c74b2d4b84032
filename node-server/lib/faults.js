'use strict';

// Answers given in place of socket.io's, as a broken proxy would: asked for by a test for its own tag.
//
// A rule: { on, skip, times, delay, headers, answer }
//   on      handshake | poll | post | stream | upgrade | any
//   skip    let so many matching requests pass first (0)
//   times   then apply to so many (all)
//   delay   milliseconds to wait before answering or passing on (0)
//   headers what the head of the answer has beside the server's own; not on upgrade ({})
//   answer  { status, headers, body } | "hang" | "reset" | null: pass the request on

var STATUS_CODES = require('http').STATUS_CODES;

var old = require('./old-node.js');

var KINDS = ['handshake', 'poll', 'post', 'stream', 'upgrade', 'any'];
var DEFAULTS = { skip: 0, times: Infinity, delay: 0, headers: {}, answer: null };

function Faults() {
  this.rules = [];
}

Faults.prototype.add = function (tag, rule) {
  if (KINDS.indexOf(rule.on) < 0) throw new Error('"on" must be one of ' + KINDS.join(', '));
  this.rules.push(old.assign({}, DEFAULTS, rule, { tag: tag }));
};

Faults.prototype.clear = function (tag) {
  var before = this.rules.length;
  this.rules = this.rules.filter(function (rule) {
    return rule.tag !== tag;
  });
  return before - this.rules.length;
};

// The rule that applies to this request, if any. Counts down `skip` and `times`.
Faults.prototype.take = function (request) {
  for (var i = 0; i < this.rules.length; i += 1) {
    var rule = this.rules[i];
    if (rule.tag !== request.tag || (rule.on !== request.kind && rule.on !== 'any')) continue;
    if (rule.skip > 0) {
      rule.skip -= 1;
    } else if (rule.times > 0) {
      rule.times -= 1;
      return rule;
    }
  }
  return undefined;
};

// `respond` writes an HTTP answer, `pass` hands the request to socket.io.
function applyFault(rule, tcp, respond, pass) {
  function act() {
    if (rule.answer === null) pass();
    else if (rule.answer === 'reset') old.reset(tcp);
    else if (rule.answer !== 'hang') respond(rule.answer);
  }
  if (rule.delay > 0) setTimeout(act, rule.delay);
  else act();
}

function addHeaders(rule, res) {
  var writeHead = res.writeHead;
  res.writeHead = function () {
    var args = Array.prototype.slice.call(arguments);
    var hasOwn = args[args.length - 1] !== null && typeof args[args.length - 1] === 'object';
    var headers = old.assign({}, hasOwn ? args.pop() : {});
    Object.keys(rule.headers).forEach(function (name) {
      headers[name] = [].concat(headers[name] || [], rule.headers[name]);
    });
    return writeHead.apply(res, args.concat(headers));
  };
}

function respondPlain(req, res, answer) {
  req.resume();
  res.writeHead(answer.status || 500, old.assign({ 'Content-Type': 'text/html' }, answer.headers));
  res.end(answer.body || '');
}

function respondRaw(tcp, answer) {
  var status = answer.status || 500;
  var body = answer.body || '';
  var fields = { 'Content-Type': 'text/html', 'Content-Length': Buffer.byteLength(body), Connection: 'close' };
  old.assign(fields, answer.headers);
  var lines = Object.keys(fields).map(function (name) {
    return name + ': ' + fields[name] + '\r\n';
  });
  tcp.end('HTTP/1.1 ' + status + ' ' + (STATUS_CODES[status] || 'Unknown') + '\r\n' + lines.join('') + '\r\n' + body);
}

module.exports = {
  Faults: Faults,
  addHeaders: addHeaders,
  applyFault: applyFault,
  respondPlain: respondPlain,
  respondRaw: respondRaw,
};
