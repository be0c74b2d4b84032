"""The events every namespace understands; the table is in node-server/README.md.

Each handler gets the socket (namespaces.py), the arguments, and a function that acknowledges with values, or None.
"""

import hashlib
import json

import eventlet

from . import catalogue


def message(socket, args, ack):
    if ack:
        ack(*args)
    else:
        socket.emit('message', *args)


def sink(socket, args, ack):
    pass


def count(socket, args, ack):
    if ack:
        ack(socket.record['events'] - 1)


def digest(socket, args, ack):
    value = args[0]
    data = value if isinstance(value, bytes) else str(value).encode('utf-8', 'surrogatepass')
    kind = 'bytes' if isinstance(value, bytes) else 'text'
    if ack:
        ack({'kind': kind, 'bytes': len(data), 'sha1': hashlib.sha1(data).hexdigest()})


def emit(socket, args, ack):
    socket.emit(*args)


def after(socket, args, ack):
    eventlet.spawn_after(args[0] / 1000, socket.emit, *args[1:])


def handshake(socket, args, ack):
    if ack:
        ack(socket.handshake())


# --- fixed values ---


def type_(socket, args, ack):
    socket.emit(f'type-{args[0]}', *catalogue.entry(args[0]))


def types(socket, args, ack):
    names = catalogue.names()
    for name in names:
        socket.emit(f'type-{name}', *catalogue.entry(name))
    socket.emit('types-end', len(names))


def reply(socket, args, ack):
    if ack:
        ack(*catalogue.entry(args[0]))


def check(socket, args, ack):
    values = args[1:]
    if ack:
        ack(catalogue.same(values, catalogue.entry(args[0])), json.dumps(catalogue.to_json(values)))


# --- acks ---


def twice_ack(socket, args, ack):
    if ack:
        ack('first')
        ack('second')


def late_ack(socket, args, ack):
    if ack:
        eventlet.spawn_after(args[0] / 1000, ack, *args[1:])


def unknown_ack(socket, args, ack):
    socket.send_ack(args[0], args[1:])


def ask(socket, args, ack):
    record = socket.note_question(args[0])

    def answered(*values):
        record['answers'] += 1
        record['answered_at'] = socket.journal.now()
        record['values'] = catalogue.to_json(values)
        if ack:
            ack(*values)
        else:
            socket.emit('answer', *values)

    socket.ask(answered, *args)


# --- many ---


def burst(socket, args, ack):
    if args[0].get('gap'):
        eventlet.spawn(ticks, socket, args[0], ack)
    else:
        ticks(socket, args[0], ack)


def ticks(socket, options, ack):
    text = 'x' * options.get('size', 0)
    kind, gap = options.get('kind', 'text'), options.get('gap', 0)
    for index in range(options['count']):
        if gap:
            eventlet.sleep(gap / 1000)
        if not socket.is_open():
            return
        binary = kind == 'bytes' or (kind == 'alternate' and index % 2 == 1)
        socket.emit('tick', index, text.encode() if binary else text)
    socket.emit('tick-end', options['count'])
    if ack:
        ack(options['count'])


def seq(socket, args, ack):
    thread, index, *buffers = args
    seen = socket.threads.setdefault(str(thread), {'count': 0, 'in_order': True, 'intact': True, 'last': -1})
    seen['count'] += 1
    seen['in_order'] = seen['in_order'] and index == seen['last'] + 1
    seen['intact'] = seen['intact'] and all(buffer == f'{thread}:{index}'.encode() for buffer in buffers)
    seen['last'] = index


def seq_report(socket, args, ack):
    if ack:
        ack(socket.threads)


# --- rooms ---


def join(socket, args, ack):
    socket.join(args[0])
    if ack:
        ack()


def leave(socket, args, ack):
    socket.leave(args[0])
    if ack:
        ack()


def broadcast(socket, args, ack):
    socket.broadcast(*args)


# --- ends ---


def fail(socket, args, ack):
    socket.send_error(args[0])


def disconnect_me(socket, args, ack):
    # The library waits until everything is sent.
    eventlet.spawn(socket.disconnect, close=args[:1] == [True])


HANDLERS = {
    'message': message,
    'sink': sink,
    'count': count,
    'digest': digest,
    'emit': emit,
    'after': after,
    'handshake': handshake,
    'type': type_,
    'types': types,
    'reply': reply,
    'check': check,
    'never-ack': sink,
    'twice-ack': twice_ack,
    'late-ack': late_ack,
    'unknown-ack': unknown_ack,
    'ask': ask,
    'burst': burst,
    'seq': seq,
    'seq-report': seq_report,
    'join': join,
    'leave': leave,
    'broadcast': broadcast,
    'fail': fail,
    'disconnect-me': disconnect_me,
}


def handle(socket, name, args, ack):
    if name in HANDLERS:
        HANDLERS[name](socket, args, ack)
    elif ack:
        ack(*args)
    else:
        socket.emit(name, *args)


def welcome(socket):
    """Sent by the connect handler, as programs do: before the CONNECT packet, which follows when the handler is done."""
    record = socket.record
    socket.emit('welcome', {field: record[field] for field in ('id', 'nsp', 'query', 'auth')})
    socket.emit('welcome-bytes', b'welcome')

    def answered(*values):
        record['welcome_answer'] = catalogue.to_json(values)
        socket.emit('welcome-answer', *values)

    socket.ask(answered, 'welcome-question', 'who are you?')
