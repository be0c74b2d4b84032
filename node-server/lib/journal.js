'use strict';

// What the servers saw, kept per tag so that tests running in parallel do not push out each other's records.
//
// A tag is whatever the client put as `tag` into the query of its first request; later requests of the same session
// belong to that tag even if they do not repeat it. Requests without either have the empty tag.

var assign = require('./old-node.js').assign;

var LIMITS = { requests: 2000, sessions: 500, sockets: 500, packets: 10000, questions: 2000 };
var MAX_TAGS = 1000;
var MAX_ERRORS = 200;

var started = process.hrtime();

function Journal() {
  this.sequence = 0;
  this.byTag = Object.create(null);
  this.tags = [];
  this.errors = [];
  this.errorCount = 0;
  // Open sessions only: sid -> { record, engine, tcp }. `engine` is { close(), closeWith(code, reason), mute() }, `tcp`
  // the connections that carried it.
  this.sessions = Object.create(null);
  // Open namespace sockets only: { socket, record }.
  this.sockets = [];
}

// Milliseconds since the process started, one decimal.
Journal.prototype.now = function () {
  var passed = process.hrtime(started);
  return Math.round(passed[0] * 1e4 + passed[1] / 1e5) / 10;
};

Journal.prototype.add = function (kind, tag, fields) {
  this.sequence += 1;
  var record = assign({ seq: this.sequence, tag: tag, at: this.now() }, fields);
  var list = this.listsOf(tag)[kind];
  list.push(record);
  if (list.length > LIMITS[kind]) list.shift();
  return record;
};

// All records of a kind whose fields equal those of `filter` (undefined fields do not filter), in order.
Journal.prototype.list = function (kind, filter) {
  var journal = this;
  var tags = filter.tag === undefined ? this.tags : [filter.tag];
  var wanted = Object.keys(filter).filter(function (field) {
    return filter[field] !== undefined;
  });
  var found = [];
  tags.forEach(function (tag) {
    var lists = journal.byTag[tag];
    if (!lists) return;
    lists[kind].forEach(function (record) {
      var fits = wanted.every(function (field) {
        return record[field] === filter[field];
      });
      if (fits) found.push(record);
    });
  });
  return found.sort(function (a, b) {
    return a.seq - b.seq;
  });
};

Journal.prototype.listsOf = function (tag) {
  var lists = this.byTag[tag];
  if (!lists) {
    lists = {};
    for (var kind in LIMITS) lists[kind] = [];
    this.byTag[tag] = lists;
    this.tags.push(tag);
    if (this.tags.length > MAX_TAGS) delete this.byTag[this.tags.shift()];
  }
  return lists;
};

// --- open sessions ---------------------------------------------------------------------------------------------------

// Undefined if there is none.
Journal.prototype.session = function (sid) {
  return this.sessions[sid];
};

Journal.prototype.openSession = function (sid, entry) {
  this.sessions[sid] = entry;
};

Journal.prototype.closeSession = function (sid, reason) {
  var entry = this.sessions[sid];
  if (!entry) return;
  entry.record.closed_at = this.now();
  entry.record.reason = reason;
  delete this.sessions[sid];
};

Journal.prototype.liveSessions = function (tag) {
  var sessions = this.sessions;
  return Object.keys(sessions)
    .map(function (sid) {
      return sessions[sid];
    })
    .filter(function (entry) {
      return entry.record.tag === tag;
    })
    .sort(function (a, b) {
      return a.record.seq - b.record.seq;
    });
};

Journal.prototype.tagOf = function (query, sid) {
  if (query.tag !== undefined) return query.tag;
  var entry = this.session(sid);
  return entry ? entry.record.tag : '';
};

// --- open namespace sockets ------------------------------------------------------------------------------------------

Journal.prototype.enter = function (socket, record) {
  this.sockets.push({ socket: socket, record: record });
};

Journal.prototype.leave = function (record, reason) {
  if (record.disconnected_at !== null) return;
  record.disconnected_at = this.now();
  record.reason = reason === undefined ? null : reason;
  this.sockets = this.sockets.filter(function (entry) {
    return entry.record !== record;
  });
};

Journal.prototype.liveSockets = function (tag, nsp) {
  return this.sockets
    .filter(function (entry) {
      return entry.record.tag === tag && (nsp === undefined || entry.record.nsp === nsp);
    })
    .map(function (entry) {
      return entry.socket;
    });
};

// --- errors ----------------------------------------------------------------------------------------------------------

Journal.prototype.error = function (error) {
  var text = String((error && error.stack) || error);
  process.stderr.write('uncaught: ' + text + '\n');
  this.errorCount += 1;
  this.sequence += 1;
  this.errors.push({ seq: this.sequence, at: this.now(), error: text });
  if (this.errors.length > MAX_ERRORS) this.errors.shift();
};

module.exports = Journal;
