"""The control port: what did the server see, and make it do something. The API is that of node-server (see its README)."""

import json

import eventlet
from eventlet.event import Event

from . import faults as broken
from .catalogue import from_json, to_json
from .tap import query_of

ACK_TIMEOUT = 5
MAX_BODY = 1_000_000


class Control:
    def __init__(self, journal, faults, about):
        self.journal = journal
        self.faults = faults
        self.about = about
        self.routes = {
            'GET /': lambda request: {**about, 'routes': list(self.routes)},
            'GET /errors': lambda request: {'count': journal.error_count, 'errors': list(journal.errors)},
            'GET /requests': self.list_of('requests', 'port', 'sid', 'kind', 'method', 'transport'),
            'GET /sessions': self.list_of('sessions', 'port', 'sid'),
            'GET /sockets': self.list_of('sockets', 'port', 'sid', 'nsp'),
            'GET /packets': self.list_of('packets', 'port', 'sid', 'direction', 'type', 'transport'),
            'GET /questions': self.list_of('questions', 'port', 'sid', 'nsp', 'how', 'name'),
            'POST /emit': self.emit,
            'POST /disconnect': self.disconnect,
            'POST /close': self.close,
            'POST /drop': self.drop,
            'POST /mute': self.mute,
            'POST /fault': self.fault,
            'DELETE /fault': lambda request: {'removed': faults.clear(request.tag)},
        }

    def __call__(self, environ, start_response):
        status, content = self.answer(environ)
        start_response(status, [('Content-Type', 'application/json')])
        return [json.dumps(content).encode()]

    def answer(self, environ):
        name = f'{environ["REQUEST_METHOD"]} {environ["PATH_INFO"]}'
        if name not in self.routes:
            return '404 Not Found', {'error': f'no {name} here', 'routes': list(self.routes)}
        try:
            request = Request(environ)
            if request.tag is None and environ['REQUEST_METHOD'] != 'GET':
                raise ValueError('this needs a tag')
            return '200 OK', self.routes[name](request)
        except (KeyError, TypeError, ValueError) as error:
            return '400 Bad Request', {'error': str(error)}

    def list_of(self, kind, *fields):
        def answer(request):
            return {kind: self.journal.list(kind, {field: request.query.get(field) for field in ('tag', *fields)})}

        return answer

    def sockets_of(self, request):
        return self.journal.live_sockets(request.tag, request.query.get('nsp', '/'))

    def emit(self, request):
        body = request.body
        if not isinstance(body, list) or not body or not isinstance(body[0], str):
            raise ValueError('the body must be ["event", argument…]')
        sockets, packet = self.sockets_of(request), from_json(body)
        if request.query.get('ack') == '1':
            return {'sockets': len(sockets), 'answers': ask_all(sockets, packet)}
        for socket in sockets:
            socket.emit(*packet)
        return {'sockets': len(sockets)}

    def disconnect(self, request):
        sockets = self.sockets_of(request)
        for socket in sockets:
            # The library waits until everything is sent.
            eventlet.spawn(socket.disconnect, request.query.get('close') == '1')
        return {'sockets': len(sockets)}

    def close(self, request):
        """Orderly: the session's own end; with ?code= (and ?reason=) a WebSocket close frame of that code."""
        sessions = self.journal.live_sessions(request.tag)
        code, reason = request.query.get('code'), request.query.get('reason', '')
        for session in sessions:
            if code is None:
                eventlet.spawn(session.server.disconnect, session.sid)
            elif session.record['transport'] != 'websocket':
                raise ValueError('the session is not on a websocket')
            else:
                session.websocket._send_closing_frame(close_data=(int(code), reason))
        return {'sessions': len(sessions)}

    def drop(self, request):
        """Disorderly: the TCP connections of the tag's sessions just go, ?how=fin (default) or reset."""
        connections = [
            connection
            for session in self.journal.live_sessions(request.tag)
            for connection in session.connections
            if connection.fd.fileno() >= 0
        ]
        for connection in connections:
            (broken.reset if request.query.get('how') == 'reset' else broken.drop)(connection)
        return {'connections': len(connections)}

    def mute(self, request):
        sessions = self.journal.live_sessions(request.tag)
        for session in sessions:
            session.muted = True
        return {'sessions': len(sessions)}

    def fault(self, request):
        self.faults.add(request.tag, request.body)
        return {'added': 1}


class Request:
    def __init__(self, environ):
        self.query = query_of(environ)
        self.tag = self.query.get('tag')
        length = int(environ.get('CONTENT_LENGTH') or 0)
        if length > MAX_BODY:
            raise ValueError('the body is too large')
        self.body = json.loads(environ['wsgi.input'].read(length)) if length else {}


def ask_all(sockets, packet):
    answers = [Event() for _ in sockets]
    for socket, answer in zip(sockets, answers):
        socket.ask(lambda *values, answer=answer: answer.ready() or answer.send(to_json(values)), *packet)
    with eventlet.Timeout(ACK_TIMEOUT, False):
        for answer in answers:
            answer.wait()
    return [answer.wait() if answer.ready() else None for answer in answers]
