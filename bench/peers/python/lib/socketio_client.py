"""socketIO-client: 0.7.2 for Socket.IO 1.x, 0.5.7.2 for 0.9. It reads only while the program waits."""

import socketIO_client
from socketIO_client import BaseNamespace, SocketIO

from .works import LIMIT, require

# 0.7.2 begins with polling, whatever it is told, and upgrades.
TRANSPORTS = {'polling': 'xhr-polling', 'websocket': 'websocket'}

# 0.7.2 reads polls in the binary form only, as servers of 1.x wrote them. The fast server does so when the query asks for it.
OPTIONS = {'params': {'framing': 'binary'}} if socketIO_client.__version__.startswith('0.7') else {}


class Client:
    name = 'socketIO-client'
    has_bytes = False
    keeps_order = True

    def __init__(self, url):
        self.url = url

    def connect(self, transport):
        return Connection(self.url, TRANSPORTS[transport])


class Connection:
    def __init__(self, url, transport):
        # 0.5.7.2 connects, and hears of acks, only with a namespace.
        self.client = SocketIO(
            url, Namespace=BaseNamespace, wait_for_connection=False, transports=[transport], **OPTIONS)
        # 0.5.7.2 keeps the name in another place.
        used = getattr(self.client, 'transport_name', None) or self.client._transport_name
        require(used == transport, f'connected by {used}')

    def _wait(self):
        self.client.wait_for_callbacks(seconds=LIMIT)

    def ask(self, *arguments):
        answers = []
        self.client.emit('message', *arguments, lambda *values: answers.append(values))
        self._wait()
        require(len(answers) == 1, f'no answer in {LIMIT} s')
        return answers[0]

    def ask_at_once(self, count, size):
        """The next one is emitted when one is answered."""
        indices = iter(range(count))
        answers = []

        def ask_next():
            index = next(indices, None)
            if index is not None:
                self.client.emit('message', 'hello', index, lambda _text, answer: answered(index, answer))

        def answered(index, answer):
            answers.append((index, answer))
            ask_next()

        for _ in range(size):
            ask_next()
        self._wait()
        return answers

    def burst(self, count, size, on_tick):
        told = []
        self.client.on('tick', on_tick)
        self.client.emit('burst', {'count': count, 'size': size, 'gap': 0}, told.append)
        self._wait()
        require(len(told) == 1, f'no ack in {LIMIT} s')
        return told[0]

    def close(self):
        self.client.disconnect()
