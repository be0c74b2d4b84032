'use strict';

// The parsers of each client, from the text of a frame to the arguments and back; both layers, as the client calls them.
//
// Payloads are framing and Engine.IO packets only, 100 of the same event: 2.5 the form with lengths, 4.8 its own form with
// separators, 0.9 its own.

const assert = require('node:assert/strict');

const { load } = require('./clients.js');
const { seconds, warmUp } = require('./measure.js');

const ARGUMENTS = ['message', { id: 7, user: 'ann', text: 'hello there' }];
const EVENT = `2${JSON.stringify(ARGUMENTS)}`;
const IN_PAYLOAD = 100;
// What the runtime must not leave out, since somebody looks at it.
let seen = 0;

function modern(folder) {
  const engine = load(folder, 'engine.io-parser');
  const { Decoder, Encoder } = load(folder, 'socket.io-parser');
  const socketLayer = folder.startsWith('2.') ? callbacks(Encoder) : plain(Encoder);
  const decoder = new Decoder();
  let decoded;
  decoder.on('decoded', (packet) => { decoded = packet.data; });
  const packets = Array(IN_PAYLOAD).fill({ type: 'message', data: EVENT });
  const payload = encodedPayload(engine, packets);
  return {
    decode_event: () => {
      decoder.add(engine.decodePacket(`4${EVENT}`).data);
      seen += decoded[1].id;
      return decoded;
    },
    encode_event: () => {
      let text;
      socketLayer({ type: 2, nsp: '/', data: ARGUMENTS, options: {} }, (data) => {
        engine.encodePacket({ type: 'message', data }, true, (frame) => { text = frame; });
      });
      seen += text.length;
      return text;
    },
    decode_payload: () => {
      const list = decodedPayload(engine, payload);
      seen += list.length;
      return list;
    },
    encode_payload: () => {
      const text = encodedPayload(engine, packets);
      seen += text.length;
      return text;
    },
  };
}

function callbacks(Encoder) {
  const encoder = new Encoder();
  return (packet, use) => encoder.encode(packet, ([data]) => use(data));
}

function plain(Encoder) {
  const encoder = new Encoder();
  return (packet, use) => use(encoder.encode(packet)[0]);
}

// Without bytes the callbacks run before these functions return.
function encodedPayload(engine, packets) {
  let text;
  if (engine.protocol === 3) engine.encodePayload(packets, false, (payload) => { text = payload; });
  else engine.encodePayload(packets, (payload) => { text = payload; });
  return text;
}

function decodedPayload(engine, payload) {
  if (engine.protocol !== 3) return engine.decodePayload(payload);
  const packets = [];
  engine.decodePayload(payload, undefined, (packet) => { packets.push(packet); });
  return packets;
}

function legacy(folder) {
  const { parser } = load(folder, 'socket.io-client');
  const [name, ...args] = ARGUMENTS;
  const event = { type: 'event', name, args, endpoint: '' };
  const text = parser.encodePacket(event);
  const packets = Array(IN_PAYLOAD).fill(text);
  const payload = parser.encodePayload(packets);
  return {
    decode_event: () => {
      const packet = parser.decodePacket(text);
      seen += packet.args[0].id;
      return [packet.name, ...packet.args];
    },
    encode_event: () => {
      const frame = parser.encodePacket(event);
      seen += frame.length;
      return frame;
    },
    // There is no framing alone: it decodes the packets too.
    encode_payload: () => {
      const body = parser.encodePayload(packets);
      seen += body.length;
      return body;
    },
    decode_payload: () => {
      const list = parser.decodePayload(payload);
      seen += list.length;
      return list;
    },
  };
}

function nanosecondsOf(step, rounds) {
  for (let round = warmUp(rounds); round > 0; round -= 1) step();
  const before = seconds();
  for (let round = rounds; round > 0; round -= 1) step();
  return (seconds() - before) / rounds * 1e9;
}

/** Nanoseconds of each step; a payload has a hundredth of the rounds of an event. */
function codec(folder, count) {
  const steps = (folder.startsWith('0.') ? legacy : modern)(folder);
  assert.deepEqual(steps.decode_event(), ARGUMENTS);
  assert.equal(steps.decode_payload().length, IN_PAYLOAD);
  const rows = Object.entries(steps).map(([name, step]) => {
    const rounds = name.endsWith('_payload') ? Math.ceil(count / IN_PAYLOAD) : count;
    return [name, nanosecondsOf(step, rounds)];
  });
  assert.ok(seen > 0);
  return Object.fromEntries(rows);
}

module.exports = { codec };
