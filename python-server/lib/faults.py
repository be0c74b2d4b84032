"""Answers given in place of the server's, as a broken proxy would; the rules are those of node-server/lib/faults.js."""

import errno
import socket as sockets
import struct

import eventlet
from eventlet.hubs import get_hub, trampoline

KINDS = ('handshake', 'poll', 'post', 'stream', 'upgrade', 'any')


class Faults:
    def __init__(self):
        self.rules = []

    def add(self, tag, rule):
        if rule.get('on') not in KINDS:
            raise ValueError(f'"on" must be one of {", ".join(KINDS)}')
        defaults = {'skip': 0, 'times': float('inf'), 'delay': 0, 'headers': {}, 'answer': None}
        self.rules.append({**defaults, **rule, 'tag': tag})

    def clear(self, tag):
        before = len(self.rules)
        self.rules = [rule for rule in self.rules if rule['tag'] != tag]
        return before - len(self.rules)

    def take(self, record):
        """The rule that applies to this request, if any. Counts down `skip` and `times`."""
        for rule in self.rules:
            if rule['tag'] != record['tag'] or rule['on'] not in (record['kind'], 'any'):
                continue
            if rule['skip'] > 0:
                rule['skip'] -= 1
            elif rule['times'] > 0:
                rule['times'] -= 1
                return rule
        return None


def apply(rule, connection, start_response, go_on):
    """The body of the answer; `go_on` hands the request to the server."""
    eventlet.sleep(rule['delay'] / 1000)
    answer = rule['answer']
    if answer is None:
        return go_on(adding(rule['headers'], start_response))
    if answer == 'reset':
        reset(connection)
        return [b'']
    if answer == 'hang':
        wait_for_end(connection)
        return [b'']
    headers = {'Content-Type': 'text/html', **answer.get('headers', {})}
    start_response(f'{answer.get("status", 500)} Fault', list(headers.items()))
    return [answer.get('body', '').encode()]


def adding(extra, start_response):
    """Puts headers beside those of the answer; one may have several values."""
    pairs = [(name, value) for name, values in extra.items() for value in ([values] if isinstance(values, str) else values)]

    def start(status, headers, *rest):
        return start_response(status, [*headers, *pairs], *rest)

    return start


def wait_for_end(connection):
    """Returns when the client has given up the connection."""
    try:
        while True:
            trampoline(connection.fd, read=True)
            if not connection.fd.recv(1, sockets.MSG_PEEK):
                return
            eventlet.sleep(0.05)  # there is something that nobody reads
    except OSError:
        return


def drop(connection):
    """Ends a TCP connection without a word, whoever waits for it or holds it."""
    try:
        connection.fd.shutdown(sockets.SHUT_RDWR)
    except OSError as error:
        if error.errno not in (errno.EBADF, errno.ENOTCONN):
            raise


def reset(connection):
    number = connection.fd.fileno()
    if number < 0:
        return
    connection.fd.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack('ii', 1, 0))
    # close() would wait until the files made of it are closed, too.
    connection.fd._real_close()
    hub = get_hub()
    for kind in (hub.READ, hub.WRITE):
        listener = hub.listeners[kind].get(number)
        if listener:
            # Nobody else would tell whoever waits.
            hub.schedule_call_global(0, listener.cb, number)
