'use strict';

// Fixed argument lists, known to both ends by name: what `type`, `types`, `reply` and `check` work with.

const bytes = (...values) => Buffer.from(values);

const CATALOGUE = {
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
  'bytes-all': [Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
  'bytes-many': [bytes(1), bytes(2, 2), bytes(3, 3, 3), 'text', bytes(4)],
  'bytes-with-empty': [bytes(1), bytes(), bytes(2)],
  'bytes-nested': [{ title: 'é', parts: [{ data: bytes(1, 2), note: null }, [bytes(3), []]], size: 2 }, 7, bytes(0xff)],
  'bytes-ten': Array.from({ length: 10 }, (_, i) => bytes(i)),
};

// By name only, because a strict JSON parser must refuse it: Node >= 12 sends the escape \ud800.
const UNUSUAL = {
  'lone-surrogate': ['x\ud800y'],
};

function entry(name) {
  return CATALOGUE[name] ?? UNUSUAL[name];
}

// Equality of JSON values with buffers at any depth.
function same(a, b) {
  if (Buffer.isBuffer(a) || Buffer.isBuffer(b)) return Buffer.isBuffer(a) && Buffer.isBuffer(b) && a.equals(b);
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return Object.is(a, b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

// JSON for the control port and for reports: bytes become {"$base64": "…"}.
function toJson(value) {
  if (Buffer.isBuffer(value)) return { $base64: value.toString('base64') };
  if (Array.isArray(value)) return value.map(toJson);
  if (value === undefined) return null;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]));
}

function fromJson(value) {
  if (Array.isArray(value)) return value.map(fromJson);
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.$base64 === 'string') return Buffer.from(value.$base64, 'base64');
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fromJson(inner)]));
}

module.exports = { CATALOGUE, entry, same, toJson, fromJson };
