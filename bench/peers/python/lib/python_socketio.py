"""python-socketio 4.6: Engine.IO 3, three threads for a connection, and one more for each packet that comes."""

import os
import sys
import threading

import socketio

from .works import LIMIT, require


class Client:
    name = 'python-socketio'
    has_bytes = True
    # Each packet has a thread of its own, which calls the handler.
    keeps_order = False

    def __init__(self, url):
        self.url = url

    def connect(self, transport):
        return Connection(self.url, transport)


class Connection:
    def __init__(self, url, transport):
        self.is_leaving = False
        self.client = socketio.Client(reconnection=False)
        self.client.on('disconnect', self._lost)
        self.client.connect(url, transports=[transport])
        require(self.client.transport() == transport, f'connected by {self.client.transport()}')

    def _lost(self):
        """A call would wait for its limit: the library does not end it."""
        if not self.is_leaving:
            print('the connection was lost', file=sys.stderr, flush=True)
            os._exit(1)

    def ask(self, *arguments):
        answer = self.client.call('message', arguments, timeout=LIMIT)
        return answer if isinstance(answer, tuple) else (answer,)

    def ask_at_once(self, count, size):
        places = threading.Semaphore(size)
        answers = []

        def asked(index):
            def answered(_text, answer):
                answers.append((index, answer))
                places.release()
            return answered

        def take():
            require(places.acquire(timeout=LIMIT), f'{len(answers)} of {count} answers')

        for index in range(count):
            take()
            self.client.emit('message', ('hello', index), callback=asked(index))
        for _ in range(size):
            take()
        return answers

    def burst(self, count, size, on_tick):
        self.client.on('tick', on_tick)
        return self.client.call('burst', {'count': count, 'size': size, 'gap': 0}, timeout=LIMIT)

    def close(self):
        self.is_leaving = True
        self.client.disconnect()
