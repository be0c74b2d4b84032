'use strict';

// The events every namespace understands; README.md has the table. What 0.9 does differently is in the context:
//
//   socket       emit, send, join, leave, disconnect
//   nsp          to(room).emit
//   record       of the socket, in the journal
//   journal      the journal
//   binary       whether it can carry bytes
//   sendAck      function (id, values): writes an ACK packet
//   sendError    function (args): writes an ERROR packet
//   handshake    function (): what the event of that name answers

var createHash = require('crypto').createHash;

var catalogue = require('./catalogue.js');
var old = require('./old-node.js');

// The handler of all names that have none.
var OTHER = 'any other name';

// Each handler gets the context, the arguments without the ack, and the ack or undefined.
var HANDLERS = {
  // Plain

  message: function (context, args, ack) {
    if (ack) ack.apply(null, args);
    else context.socket.send.apply(context.socket, args);
  },
  sink: function () {},
  count: function (context, args, ack) {
    if (ack) ack(context.record.events - 1);
  },
  digest: function (context, args, ack) {
    if (ack) ack(digest(args[0]));
  },
  emit: function (context, args) {
    emit(context, args);
  },
  after: function (context, args) {
    setTimeout(emit, args[0], context, args.slice(1));
  },
  handshake: function (context, args, ack) {
    if (ack) ack(context.handshake());
  },

  // Fixed values

  type: function (context, args) {
    emit(context, ['type-' + args[0]].concat(catalogue.entry(args[0]) || []));
  },
  types: function (context) {
    var names = catalogue.names(context.binary);
    names.forEach(function (name) {
      emit(context, ['type-' + name].concat(catalogue.entry(name)));
    });
    emit(context, ['types-end', names.length]);
  },
  reply: function (context, args, ack) {
    if (ack) ack.apply(null, catalogue.entry(args[0]) || []);
  },
  check: function (context, args, ack) {
    var values = args.slice(1);
    if (ack) ack(catalogue.same(values, catalogue.entry(args[0])), JSON.stringify(catalogue.toJson(values)));
  },

  // Acks

  'never-ack': function () {},
  'twice-ack': function (context, args, ack) {
    if (!ack) return;
    context.sendAck(args[0], ['first']);
    context.sendAck(args[0], ['second']);
  },
  'late-ack': function (context, args, ack) {
    setTimeout(function () {
      if (ack) ack.apply(null, args.slice(1));
    }, args[0]);
  },
  'unknown-ack': function (context, args) {
    context.sendAck(args[0], args.slice(1));
  },
  ask: function (context, args, ack) {
    emit(context, args.concat(answerOf(context, 'data', args[0], ack)));
  },

  // Many

  burst: function (context, args, ack) {
    burst(context.socket, args[0], ack);
  },
  seq: function (context, args) {
    var thread = args[0];
    var index = args[1];
    var seen = context.threads[thread];
    if (!seen) seen = context.threads[thread] = { count: 0, in_order: true, intact: true, last: -1 };
    seen.count += 1;
    seen.in_order = seen.in_order && index === seen.last + 1;
    seen.intact = seen.intact && args.slice(2).every(function (buffer) {
      return catalogue.same(buffer, old.bytes(thread + ':' + index));
    });
    seen.last = index;
  },
  'seq-report': function (context, args, ack) {
    if (ack) ack(context.threads);
  },

  // Rooms

  join: function (context, args, ack) {
    context.socket.join(args[0]);
    if (ack) ack();
  },
  leave: function (context, args, ack) {
    context.socket.leave(args[0]);
    if (ack) ack();
  },
  broadcast: function (context, args) {
    // nextTick: before 3.x a join is done by the adapter, a tick later.
    process.nextTick(function () {
      var room = context.nsp.to(args[0]);
      room.emit.apply(room, args.slice(1));
    });
  },

  // Ends

  fail: function (context, args) {
    context.sendError(args);
  },
  'disconnect-me': function (context, args) {
    context.socket.disconnect(args[0] === true);
  }
};

HANDLERS[OTHER] = function (context, args, ack) {
  if (ack) ack.apply(null, args.slice(1));
  else emit(context, args);
};

function emit(context, args) {
  context.socket.emit.apply(context.socket, args);
}

// The callback of a question to the client: notes the answer, and passes it back to the client, as its ack or an event.
// On 0.9 a callback without a parameter asks for a receipt ("plain"), one with a parameter for values ("data").
function answerOf(context, how, name, ack) {
  var record = context.journal.add('questions', context.record.tag, {
    port: context.record.port,
    sid: context.record.sid,
    nsp: context.record.nsp,
    how: how,
    name: name,
    answers: 0, // how often the callback ran
    answered_at: null,
    values: null
  });
  function answered(values) {
    record.answers += 1;
    record.answered_at = context.journal.now();
    record.values = catalogue.toJson(values);
    if (ack) ack.apply(null, values);
    else emit(context, ['answer'].concat(values));
  }
  if (how !== 'data') {
    return function () {
      answered(Array.prototype.slice.call(arguments));
    };
  }
  return function (first) {
    answered(arguments.length === 0 ? [] : [first].concat(Array.prototype.slice.call(arguments, 1)));
  };
}

// Sent in the connection handler, so in the same breath as the CONNECT packet: a client must not lose any of it.
function welcome(context) {
  var record = context.record;
  emit(context, ['welcome', { id: record.id, nsp: record.nsp, query: record.query, auth: record.auth }]);
  if (context.binary) emit(context, ['welcome-bytes', old.bytes('welcome')]);
  emit(context, ['welcome-question', 'who are you?', function (first) {
    var values = arguments.length === 0 ? [] : [first].concat(Array.prototype.slice.call(arguments, 1));
    record.welcome_answer = catalogue.toJson(values);
    emit(context, ['welcome-answer'].concat(values));
  }]);
}

function digest(value) {
  var data = Buffer.isBuffer(value) ? value : old.bytes(String(value));
  var sha1 = createHash('sha1').update(data).digest('hex');
  return { kind: Buffer.isBuffer(value) ? 'bytes' : 'text', bytes: data.length, sha1: sha1 };
}

// tick (index, payload) so many times, at once or with a gap, then tick-end (count); the ack, if any, at the end too.
function burst(socket, options, ack) {
  var size = options.size || 0;
  var text = new Array(size + 1).join('x');
  var bytes = old.bytes(text);
  function tick(index) {
    var binary = options.kind === 'bytes' || (options.kind === 'alternate' && index % 2 === 1);
    socket.emit('tick', index, binary ? bytes : text);
  }
  function end() {
    socket.emit('tick-end', options.count);
    if (ack) ack(options.count);
  }
  var index = 0;
  if (!options.gap) {
    for (; index < options.count; index += 1) tick(index);
    end();
    return;
  }
  var timer = setInterval(function () {
    if (index < options.count && socket.connected !== false && socket.disconnected !== true) {
      tick(index);
      index += 1;
    } else {
      clearInterval(timer);
      end();
    }
  }, options.gap);
}

module.exports = { HANDLERS: HANDLERS, OTHER: OTHER, answerOf: answerOf, emit: emit, welcome: welcome };
