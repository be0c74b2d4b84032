"""The works of the benchmark, by their names; each connects, warms up and times.

A library's Client says whether it has bytes (`has_bytes`) and keeps the order of events (`keeps_order`), and connects; a
connection can `ask` (emit `message`, return the answer), `ask_at_once` (the same for many, so many unanswered), `burst`
(hand ticks to a function; returns at the ack) and `close`.
"""

import os
import sys
import threading

from .measure import Stopwatch, resident, warm_up

# A wait for something that does not come; whoever runs this has limits of his own.
LIMIT = 300


class CannotDo(Exception):
    """The client cannot do a work; says why, in one sentence."""


def require(condition, sentence):
    if not condition:
        raise AssertionError(sentence)


def ask(connection, index):
    answer = connection.ask('hello', index)
    require(list(answer) == ['hello', index], f'the answer to {index} is {answer!r:.200}')


def ask_one_by_one(connection, count):
    for index in range(count):
        ask(connection, index)


def on_one(client, transport, count, work):
    """Warms up, times and leaves, on one connection."""
    connection = client.connect(transport)
    work(connection, warm_up(count))
    watch = Stopwatch()
    work(connection, count)
    watch.stop()
    connection.close()
    return {'count': count, **watch.line()}


def ack(client, count):
    return on_one(client, 'websocket', count, ask_one_by_one)


def polling(client, count):
    return on_one(client, 'polling', count, ask_one_by_one)


def window(client, count, size=1000):
    def work(connection, asks):
        answers = connection.ask_at_once(asks, size)
        wrong = sum(index != answer for index, answer in answers)
        require(len(answers) == asks and not wrong, f'{len(answers)} answers to {asks}, {wrong} of them wrong')

    return on_one(client, 'websocket', count, work)


class Ticks:
    """What has come of a burst; stops the watch at the last."""

    def __init__(self, count, size):
        self.count = count
        self.size = size
        self.indices = []
        self.wrong = []
        self.all_there = threading.Event()
        self.watch = Stopwatch()

    def __call__(self, index, text):
        if not isinstance(text, str) or len(text) != self.size:
            self.wrong.append(index)
        # Appending is atomic, so some thread sees the full number.
        self.indices.append(index)
        if len(self.indices) >= self.count:
            self.watch.stop()
            self.all_there.set()

    def check(self, keeps_order):
        require(self.all_there.wait(LIMIT), f'{len(self.indices)} of {self.count} events in {LIMIT} s')
        require(not self.wrong, f'events with a wrong text: {self.wrong[:10]}')
        ordered = list(range(self.count))
        if self.indices != ordered:
            require(not keeps_order, 'the events came in another order')
            require(sorted(self.indices) == ordered, 'not each event came once')
            displaced = sum(index != place for place, index in enumerate(self.indices))
            print(f'{displaced} of {self.count} events came out of order, as this library promises none', file=sys.stderr)


def flood(client, count, size=80):
    """Timed until the last event is there."""
    connection = client.connect('websocket')
    for ticks in filter(None, (warm_up(count), count)):
        received = Ticks(ticks, size)
        told = connection.burst(ticks, size, received)
        received.check(client.keeps_order)
        require(told == ticks, f'the server sent {told} of {ticks} events')
    connection.close()
    return {'count': count, **received.watch.line()}


def buffers(client, count, size=1048576):
    if not client.has_bytes:
        raise CannotDo(f'{client.name} cannot send bytes.')
    buffer = bytes([7]) * size

    def echo(connection, asks):
        for _ in range(asks):
            answer, = connection.ask(buffer)
            require(len(answer) == size, f'{len(answer)} bytes came back')

    return {**on_one(client, 'websocket', count, echo), 'bytes': size}


def connect(client, count):
    def visits(times):
        for index in range(times):
            connection = client.connect('websocket')
            ask(connection, index)
            connection.close()

    visits(warm_up(count))
    watch = Stopwatch()
    visits(count)
    watch.stop()
    return {'count': count, **watch.line()}


def idle(client, count):
    """An answer shows that a connection is there, for these libraries do not wait for the server's word."""
    if not os.path.exists('/proc/self/status'):
        raise CannotDo('Memory is read from /proc, which this system has not.')
    first = client.connect('websocket')
    ask(first, count)
    before, _ = resident()
    connections = [client.connect('websocket') for _ in range(count)]
    for index, connection in enumerate(connections):
        ask(connection, index)
    after, threads = resident()
    return {'count': count, 'kib_per_connection': (after - before) / count, 'threads': threads}


WORKS = {work.__name__: work for work in (ack, buffers, connect, flood, idle, polling, window)}
