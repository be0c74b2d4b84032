'use strict';

// What a modern Node breaks in an old version, put right, so that the server sends what it sent in its day.

// 1.0.x takes `data.buffer || data` for the bytes of a packet. Since Node 4 a Buffer has a `.buffer`: the memory pool it
// was cut from, all 8 KiB of which would go out (or as many zeros, in base64). Hide it.
function hidePool(engine) {
  engine.prependListener('connection', (socket) => {
    const { sendPacket } = socket;
    socket.sendPacket = (type, data, ...rest) => {
      const plain = Buffer.isBuffer(data) ? Object.defineProperty(Buffer.from(data), 'buffer', { value: undefined }) : data;
      return sendPacket.call(socket, type, plain, ...rest);
    };
  });
}

function repair(engine, version) {
  if (version.startsWith('1.0.')) hidePool(engine);
}

module.exports = { repair };
