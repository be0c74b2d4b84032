'use strict';

// A client in a namespace: its record, and its events and messages handed to the vocabulary.

var old = require('../old-node.js');
var vocabulary = require('../vocabulary.js');

// Names with a meaning of their own on a server socket: left to socket.io.
var RESERVED = ['connect', 'connection', 'disconnect', 'error', 'newListener', 'removeListener'];

// What only 0.9 has.
var HANDLERS = {
  send: function (context, args) {
    context.socket.send(args[0]);
  },
  'send-json': function (context, args) {
    context.socket.json.send(args[0]);
  },
  'ask-plain': function (context, args, ack) {
    vocabulary.emit(context, args.concat(vocabulary.answerOf(context, 'plain', args[0], ack)));
  },
  'ask-send': function (context, args, ack) {
    context.socket.send(args[0], vocabulary.answerOf(context, 'message', null, ack));
  },
  'ask-send-json': function (context, args, ack) {
    context.socket.json.send(args[0], vocabulary.answerOf(context, 'json', null, ack));
  },
  raw: function (context, args) {
    context.socket.dispatch(args[0], false);
  }
};

// An event of the name `message` is one like any other here: text and JSON have packets of their own.
old.assign(HANDLERS, vocabulary.HANDLERS);
delete HANDLERS.message;

function serveSocket(socket, nsp, journal) {
  var session = journal.session(socket.id);
  var shaken = socket.handshake;
  var record = journal.add('sockets', session ? session.record.tag : '', {
    port: session && session.record.port,
    sid: socket.id,
    nsp: nsp.name || '/',
    id: socket.id,
    query: old.assign({}, shaken.query),
    auth: null,
    events: 0,
    welcome_answer: null,
    disconnected_at: null,
    reason: null
  });
  journal.enter(socket, record);
  var context = {
    socket: socket,
    nsp: nsp,
    record: record,
    journal: journal,
    threads: {},
    binary: false,
    sendAck: function (id, values) {
      socket.packet({ type: 'ack', ackId: id, args: values });
    },
    sendError: function (args) {
      socket.packet({ type: 'error', reason: args[0], advice: args[1] });
    },
    handshake: function () {
      return {
        id: socket.id,
        sid: socket.id,
        nsp: record.nsp,
        transport: session ? session.record.transport : null,
        query: record.query,
        auth: null,
        headers: shaken.headers,
        url: shaken.url,
        address: shaken.address && shaken.address.address
      };
    }
  };
  // A second connect of the same namespace gives the same socket again: these replace those of the first.
  socket.disconnect = function (close) {
    var whole = close === true ? socket.manager.sockets.socket(socket.id) : socket;
    Object.getPrototypeOf(socket).disconnect.call(whole);
  };
  socket.$emit = function (name) {
    if (name === 'disconnect') journal.leave(record, arguments[1]);
    else if (RESERVED.indexOf(name) < 0) received(context, Array.prototype.slice.call(arguments));
    return Object.getPrototypeOf(socket).$emit.apply(socket, arguments);
  };
  vocabulary.welcome(context);
}

// `$emit` is where 0.9 hands all packets to the handlers: the name, the arguments, and the ack if one is wanted.
function received(context, args) {
  var packet = context.nsp.journalPacket;
  var ack = packet.ack === 'data' ? args.pop() : undefined;
  var name = args.shift();
  if (packet.type !== 'event') return message(context, packet.type, args[0], ack);
  context.record.events += 1;
  if (name === 'twice-ack') return HANDLERS[name](context, [packet.id], ack);
  if (old.has(HANDLERS, name) && name !== vocabulary.OTHER) return HANDLERS[name](context, args, ack);
  return HANDLERS[vocabulary.OTHER](context, [name].concat(args), ack);
}

// `message` (text) and `json` packets go back as they came, or as the ack.
function message(context, type, data, ack) {
  context.record.events += 1;
  if (ack) ack(data);
  else if (type === 'json') context.socket.json.send(data);
  else context.socket.send(data);
}

// Keeps the packet that is being handled, for `received`.
function watchPackets(nsp) {
  var handlePacket = nsp.handlePacket;
  nsp.handlePacket = function (sid, packet) {
    nsp.journalPacket = packet;
    return handlePacket.call(nsp, sid, packet);
  };
}

module.exports = { serveSocket: serveSocket, watchPackets: watchPackets };
