"""A port's Socket.IO server: who is let in where, and the clients in its namespaces."""

import eventlet
import socketio
from socketio.exceptions import ConnectionRefusedError
from socketio.packet import ACK, ERROR, Packet

from . import vocabulary
from .engine import Engine
from .tap import query_of, url_of

OPEN = ('/', '/chat', '/news', '/with-hyphen', '/with.dot', '/a/b.c-d')


def refuse(*values):
    raise ConnectionRefusedError(*values)


def token(query):
    # The query of a namespace goes nowhere; this is the connection's.
    if query.get('token') != 'secret':
        refuse('bad token')


GUARDED = {
    '/admin': lambda query: refuse('admins only'),
    '/admin-object': lambda query: refuse({'code': 403, 'reason': 'admins only', 'roles': ['admin', 'root']}),
    '/admin-text': lambda query: refuse('admins only, as data'),
    '/admin-list': lambda query: refuse(403, 'admins only', {'role': 'admin'}),
    '/slow': lambda query: eventlet.sleep(0.3),
    '/slow-admin': lambda query: (eventlet.sleep(0.3), refuse('admins only, after a while')),
    '/token': token,
}

ROOT_REFUSALS = {
    'text': ['root refused'],
    'object': [{'code': 401, 'reason': 'root refused', 'nested': {'list': [1, 'two', None]}}],
    'string': ['root refused, as data'],
    'list': [401, 'root refused'],
}


def root_guard(query):
    eventlet.sleep(int(query.get('delay', 0)) / 1000)
    if query.get('refuse') in ROOT_REFUSALS:
        refuse(*ROOT_REFUSALS[query['refuse']])


def guards_of(kind):
    """For "nobody", "namespaces", "everybody" or "all": what decides in which namespace."""
    if kind == 'all':
        return {'/': lambda query: refuse()}
    if kind == 'everybody':
        return {'/': root_guard, **GUARDED}
    return GUARDED if kind == 'namespaces' else {}


class Server(socketio.Server):
    """Keeps records, and hands events to the vocabulary."""

    def __init__(self, port, guards, journal, **options):
        super().__init__(**options)
        self.eio.journal = journal
        self.eio.port = port
        self.journal = journal
        self.port = port
        self.clients = {}
        guards = guards_of(guards)
        for name in dict.fromkeys([*OPEN, *guards]):
            self.register_namespace(Namespace(name, guards.get(name)))

    def _engineio_server_class(self):
        return Engine

    def _handle_eio_connect(self, sid, environ):
        session = self.eio.sockets[sid]
        session.begin(environ)
        refused = super()._handle_eio_connect(sid, environ)
        if refused is not None:
            session.end('refused')
        return refused

    # Where the library runs the handler of an event and acknowledges with what that returns. Here the handler gets a
    # function, as in node-server: it may acknowledge twice, or not at all.
    def _handle_event_internal(self, server, sid, data, namespace, id):
        client = self.clients.get((sid, namespace))
        if client is None:
            return
        name, *args = data
        client.record['events'] += 1

        def ack(*values):
            client.send_ack(id, values)

        try:
            vocabulary.handle(client, name, args, None if id is None else ack)
        except Exception as error:
            self.journal.error(error)
        # While a client sends without a pause, others go on, and so does what is sent to it.
        eventlet.sleep(0)


class Namespace(socketio.Namespace):
    """Told of connects and disconnects alone: events go to the server's own `_handle_event_internal`."""

    def __init__(self, name, guard):
        super().__init__(name)
        self.guard = guard

    def on_connect(self, sid, environ):
        if self.guard:
            self.guard(query_of(environ))
        client = Client(self.server, sid, self.namespace, environ)
        self.server.clients[sid, self.namespace] = client
        vocabulary.welcome(client)

    def on_disconnect(self, sid):
        client = self.server.clients.pop((sid, self.namespace), None)
        if client:
            client.journal.leave(client)


class Client:
    """A client in a namespace: what the vocabulary and the control port do with it."""

    def __init__(self, server, sid, nsp, environ):
        self.server = server
        self.journal = server.journal
        self.sid = sid
        self.nsp = nsp
        self.environ = environ
        self.threads = {}
        self.record = self.journal.add(
            'sockets',
            environ['sio.request']['tag'],
            port=server.port,
            sid=sid,
            nsp=nsp,
            id=sid,
            query=query_of(environ),
            auth=None,
            events=0,
            welcome_answer=None,
            disconnected_at=None,
            reason=None,
        )
        self.journal.sockets.append(self)

    def is_open(self):
        return self.record['disconnected_at'] is None

    def emit(self, name, *args):
        self.server.emit(name, args, room=self.sid, namespace=self.nsp)

    def ask(self, answered, name, *args):
        self.server.emit(name, args, room=self.sid, namespace=self.nsp, callback=answered)

    def join(self, room):
        self.server.enter_room(self.sid, room, namespace=self.nsp)

    def leave(self, room):
        self.server.leave_room(self.sid, room, namespace=self.nsp)

    def broadcast(self, room, name, *args):
        self.server.emit(name, args, room=room, namespace=self.nsp)

    def send_ack(self, id, values):
        self.server._send_packet(self.sid, Packet(ACK, namespace=self.nsp, id=id, data=list(values)))

    def send_error(self, value):
        self.server._send_packet(self.sid, Packet(ERROR, namespace=self.nsp, data=value))

    def disconnect(self, close):
        # Disconnecting the root closes the session, here as in every program.
        self.server.disconnect(self.sid, namespace='/' if close else self.nsp)

    def note_question(self, name):
        return self.journal.add(
            'questions',
            self.record['tag'],
            port=self.record['port'],
            sid=self.sid,
            nsp=self.nsp,
            how='data',
            name=name,
            answers=0,
            answered_at=None,
            values=None,
        )

    def handshake(self):
        return {
            'id': self.sid,
            'sid': self.sid,
            'nsp': self.nsp,
            'transport': self.server.transport(self.sid),
            'query': self.record['query'],
            'auth': None,
            'headers': self.environ['sio.request']['headers'],
            'url': url_of(self.environ),
            'address': self.environ['REMOTE_ADDR'],
        }
