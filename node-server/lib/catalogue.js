'use strict';

// Fixed argument lists, known to both ends by name: what `type`, `types`, `reply` and `check` work with.

var old = require('./old-node.js');

function bytes() {
  return old.bytes(Array.prototype.slice.call(arguments));
}

function range(length) {
  var values = [];
  for (var i = 0; i < length; i += 1) values.push(i);
  return values;
}

var CATALOGUE = {
  none: [],
  null: [null],
  false: [false],
  zero: [0],
  'empty-text': [''],
  'empty-list': [[]],
  'empty-map': [{}],
  falsy: [null, false, 0, '', [], {}],
  text: ['text'],
  list: [[1, 'two', [3]]],
  many: [1, 'two', true, null, { three: 3 }, [4]],
  numbers: [-1, 1.5, -0.25, 1e21, 5e-324, 9007199254740991, -9007199254740991],
  nested: [{ a: { b: [{ c: null }, [[]], {}], d: [[[1], 2], 3] }, '': 'empty key', 'k"\\e,y:': true }],
  escapes: ['"quoted" \\back\\slash /slash', '\b\f\n\r\t', '\u0000\u001f\u007f'],
  accents: ['àéîõü ÀÉÎÕÜ ßøå', 'e\u0301 decomposed', { clé: 'été' }],
  cjk: ['한글', '漢字 かな カナ', { 键: '值' }],
  emoji: ['😀', '👩‍👩‍👧 🇫🇷 👍🏽', { '🔑': '🔒' }],
  separators: ['a\u2028b\u2029c', '\u0085\u00a0\ufeff', '\ufffd', '\uffff', 'עברית العربية'],
  wire: ['42["no",1]', '1:2', ',', '450-', '\\n', '\\u0000'],
  placeholder: [{ _placeholder: true, num: 0 }],
  bytes: [bytes(0x00, 0x01, 0x02, 0xfa, 0xff)],
  'bytes-empty': [bytes()],
  'bytes-all': [old.bytes(range(256))],
  'bytes-many': [bytes(1), bytes(2, 2), bytes(3, 3, 3), 'text', bytes(4)],
  'bytes-with-empty': [bytes(1), bytes(), bytes(2)],
  'bytes-nested': [{ title: 'é', parts: [{ data: bytes(1, 2), note: null }, [bytes(3), []]], size: 2 }, 7, bytes(0xff)],
  'bytes-ten': range(10).map(function (value) {
    return bytes(value);
  })
};

// By name only, because a strict JSON parser must refuse it: Node >= 12 sends the escape \ud800.
var UNUSUAL = {
  'lone-surrogate': ['x\ud800y']
};

// The values of an entry, if there is one of that name.
function entry(name) {
  if (old.has(CATALOGUE, name)) return CATALOGUE[name];
  return old.has(UNUSUAL, name) ? UNUSUAL[name] : undefined;
}

// The entries of `types`, in order.
function names(withBytes) {
  return Object.keys(CATALOGUE).filter(function (name) {
    return withBytes || !/^bytes/.test(name);
  });
}

// Equality of JSON values with buffers at any depth.
function same(a, b) {
  if (Buffer.isBuffer(a) || Buffer.isBuffer(b)) {
    return Buffer.isBuffer(a) && Buffer.isBuffer(b) && a.toString('base64') === b.toString('base64');
  }
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return identical(a, b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  var keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every(function (key) {
    return old.has(b, key) && same(a[key], b[key]);
  });
}

// What Object.is says: -0 is not 0.
function identical(a, b) {
  if (a === b) return a !== 0 || 1 / a === 1 / b;
  return a !== a && b !== b;
}

// JSON for the control port and for reports: bytes become {"$base64": "…"}.
function toJson(value) {
  if (Buffer.isBuffer(value)) return { $base64: value.toString('base64') };
  if (Array.isArray(value)) return value.map(toJson);
  if (value === undefined) return null;
  if (value === null || typeof value !== 'object') return value;
  return mapped(value, toJson);
}

function fromJson(value) {
  if (Array.isArray(value)) return value.map(fromJson);
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.$base64 === 'string') return old.bytes(value.$base64, 'base64');
  return mapped(value, fromJson);
}

function mapped(object, change) {
  var result = {};
  Object.keys(object).forEach(function (key) {
    result[key] = change(object[key]);
  });
  return result;
}

module.exports = { entry: entry, names: names, same: same, toJson: toJson, fromJson: fromJson };
