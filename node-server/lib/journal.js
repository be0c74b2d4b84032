'use strict';

// What the servers saw, kept per tag so that tests running in parallel do not push out each other's records.
//
// A tag is whatever the client put as `tag` into the query of its first request; later requests of the same session
// belong to that tag even if they do not repeat it. Requests without either have the empty tag.

const LIMITS = { requests: 2000, sessions: 500, sockets: 500, packets: 10000 };
const MAX_TAGS = 1000;
const MAX_ERRORS = 200;

class Journal {
  constructor() {
    this.sequence = 0;
    this.byTag = new Map();
    this.errors = [];
    this.errorCount = 0;
    // Open sessions only: sid -> { record, engine, tcp }.
    this.sessions = new Map();
    // Open namespace sockets only: socket -> record.
    this.sockets = new Map();
  }

  // Milliseconds since the process started, one decimal.
  now() {
    return Math.round(performance.now() * 10) / 10;
  }

  add(kind, tag, fields) {
    const record = { seq: ++this.sequence, tag, at: this.now(), ...fields };
    const list = this.#tagged(tag)[kind];
    list.push(record);
    if (list.length > LIMITS[kind]) list.shift();
    return record;
  }

  // All records of a kind whose fields equal those of `filter` (undefined fields do not filter), in order.
  list(kind, filter) {
    const tags = filter.tag === undefined ? [...this.byTag.keys()] : [filter.tag];
    const wanted = Object.entries(filter).filter(([, value]) => value !== undefined);
    return tags
      .flatMap((tag) => this.byTag.get(tag)?.[kind] ?? [])
      .filter((record) => wanted.every(([field, value]) => record[field] === value))
      .sort((a, b) => a.seq - b.seq);
  }

  tagOf(query) {
    return query.tag ?? this.sessions.get(query.sid)?.record.tag ?? '';
  }

  liveSessions(tag) {
    return [...this.sessions.values()].filter(({ record }) => record.tag === tag);
  }

  liveSockets(tag, nsp) {
    return [...this.sockets]
      .filter(([, record]) => record.tag === tag && (nsp === undefined || record.nsp === nsp))
      .map(([socket]) => socket);
  }

  error(error) {
    const text = String(error?.stack ?? error);
    process.stderr.write(`uncaught: ${text}\n`);
    this.errorCount += 1;
    this.errors.push({ seq: ++this.sequence, at: this.now(), error: text });
    if (this.errors.length > MAX_ERRORS) this.errors.shift();
  }

  #tagged(tag) {
    let lists = this.byTag.get(tag);
    if (!lists) {
      lists = { requests: [], sessions: [], sockets: [], packets: [] };
      this.byTag.set(tag, lists);
      if (this.byTag.size > MAX_TAGS) this.byTag.delete(this.byTag.keys().next().value);
    }
    return lists;
  }
}

module.exports = { Journal };
