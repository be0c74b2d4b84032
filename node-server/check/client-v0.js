'use strict';

// The 0.9 protocol by hand: a session over each of its transports, with Node's built-ins only.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const http = require('node:http');
const net = require('node:net');
const { once } = require('node:events');

const { DEADLINE, request } = require('./http.js');

async function handshake(port, { resource = '/socket.io', query = '' } = {}) {
  const { status, body } = await request(port, `${resource}/1/?t=${Date.now()}${query}`);
  assert.equal(status, 200, `handshake: ${body}`);
  const [sid, heartbeat, close, transports] = body.toString().split(':');
  return { sid, heartbeat, close, transports };
}

// What all transports share: packets that came, and waiting for one.
class Session {
  constructor(port, transport, sid, { resource = '/socket.io', query = '' } = {}) {
    this.port = port;
    this.sid = sid;
    this.target = `${resource}/1/${transport}/${sid}?t=1${query}`;
    this.packets = [];
    this.wakeUp = () => {};
  }

  receive(...packets) {
    this.packets.push(...packets);
    this.wakeUp();
  }

  // The first packet that equals `wanted` (a text) or satisfies it (a function); those before it are dropped.
  async until(wanted) {
    const fits = typeof wanted === 'string' ? (packet) => packet === wanted : wanted;
    const deadline = Date.now() + DEADLINE;
    for (;;) {
      while (this.packets.length > 0) {
        const packet = this.packets.shift();
        if (fits(packet)) return packet;
        assert.notEqual(packet, '7:::1+0', `the session is gone, waiting for ${wanted}`);
      }
      assert.ok(Date.now() < deadline, `waited for ${wanted}`);
      await this.more(deadline - Date.now());
    }
  }

  // For streams: returns as soon as something has come, or at the deadline.
  more(limit) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limit);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async post(payload) {
    const { status, body } = await request(this.port, this.target, { method: 'POST', body: payload });
    assert.deepEqual([status, body.toString()], [200, '1']);
  }

  async send(...packets) {
    await this.post(encodePayload(packets));
  }
}

class XhrPolling extends Session {
  static async open(port, options) {
    const { sid } = await handshake(port, options);
    const session = new this(port, this.transport, sid, options);
    await session.until('1::');
    return session;
  }

  async more() {
    const { status, body } = await request(this.port, this.target);
    assert.equal(status, 200);
    this.receive(...decodePayload(this.unwrap(body.toString())));
  }

  unwrap(body) {
    return body;
  }
}
XhrPolling.transport = 'xhr-polling';

class JsonpPolling extends XhrPolling {
  constructor(...args) {
    super(...args);
    this.target += '&i=7';
  }

  unwrap(body) {
    const inside = /^io\.j\[7\]\((.*)\);$/s.exec(body);
    assert.ok(inside, body);
    return JSON.parse(inside[1]);
  }

  async send(...packets) {
    await this.post(`d=${encodeURIComponent(JSON.stringify(encodePayload(packets)))}`);
  }
}
JsonpPolling.transport = 'jsonp-polling';

class HtmlFile extends Session {
  static async open(port, options) {
    const { sid } = await handshake(port, options);
    const session = new this(port, 'htmlfile', sid, options);
    const req = http.get({ host: '127.0.0.1', port, path: session.target, agent: false });
    const [res] = await once(req, 'response');
    let text = '';
    res.setEncoding('utf8');
    res.on('error', () => {});
    res.on('data', (chunk) => {
      text += chunk;
      for (;;) {
        // The packets of the checks do not contain the end mark.
        const found = /<script>_\((.*?)\);<\/script>/s.exec(text);
        if (!found) return;
        text = text.slice(found.index + found[0].length);
        session.receive(...decodePayload(JSON.parse(found[1])));
      }
    });
    await session.until('1::');
    return session;
  }
}

class WebSocket extends Session {
  static async open(port, options) {
    const { sid } = await handshake(port, options);
    return WebSocket.attach(port, sid, options);
  }

  static async attach(port, sid, options) {
    const session = new WebSocket(port, 'websocket', sid, options);
    const tcp = net.connect(port, '127.0.0.1');
    session.tcp = tcp;
    session.ended = new Promise((resolve) => {
      tcp.on('close', () => {
        session.closed = true;
        session.wakeUp();
        resolve();
      });
    });
    tcp.on('error', () => {});
    const key = crypto.randomBytes(16).toString('base64');
    tcp.write(`GET ${session.target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`
      + `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`);
    let data = Buffer.alloc(0);
    let open = false;
    tcp.on('data', (chunk) => {
      data = Buffer.concat([data, chunk]);
      if (!open) {
        const end = data.indexOf('\r\n\r\n');
        if (end < 0) return;
        assert.ok(data.toString('latin1').startsWith('HTTP/1.1 101 '));
        data = data.subarray(end + 4);
        open = true;
      }
      for (let frame = decodeFrame(data); frame !== null; frame = decodeFrame(data)) {
        data = data.subarray(frame.length);
        session.receive(frame.text);
      }
    });
    await session.until((packet) => packet === '1::' || packet.startsWith('7:'));
    return session;
  }

  async send(...packets) {
    this.tcp.write(Buffer.concat(packets.map(encodeFrame)));
  }
}

function decodeFrame(data) {
  if (data.length < 2) return null;
  let length = data[1] & 0x7f;
  let head = 2;
  if (length === 126 && data.length >= 4) {
    length = data.readUInt16BE(2);
    head = 4;
  } else if (length === 127 && data.length >= 10) {
    length = Number(data.readBigUInt64BE(2));
    head = 10;
  }
  if (data.length < head + length) return null;
  return { length: head + length, text: data.toString('utf8', head, head + length) };
}

function encodeFrame(text) {
  const data = Buffer.from(text);
  let head;
  if (data.length < 126) {
    head = Buffer.from([0x81, 0x80 | data.length]);
  } else if (data.length < 65536) {
    head = Buffer.from([0x81, 0xfe, 0, 0]);
    head.writeUInt16BE(data.length, 2);
  } else {
    head = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeUInt32BE(data.length, 6);
  }
  const mask = crypto.randomBytes(4);
  for (let i = 0; i < data.length; i += 1) data[i] ^= mask[i % 4];
  return Buffer.concat([head, mask, data]);
}

function encodePayload(packets) {
  if (packets.length === 1) return packets[0];
  return packets.map((packet) => `\ufffd${packet.length}\ufffd${packet}`).join('');
}

function decodePayload(payload) {
  if (!payload.startsWith('\ufffd')) return payload === '' ? [] : [payload];
  const packets = [];
  for (let at = 0; at < payload.length;) {
    const mark = payload.indexOf('\ufffd', at + 1);
    const end = mark + 1 + Number(payload.slice(at + 1, mark));
    packets.push(payload.slice(mark + 1, end));
    at = end;
  }
  return packets;
}

module.exports = { HtmlFile, JsonpPolling, WebSocket, XhrPolling, encodeFrame, handshake };
