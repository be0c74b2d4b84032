"""Listening in on requests, as WSGI shows them, and what became of them."""

import base64
import io
from itertools import count
from urllib.parse import parse_qsl

from . import faults as broken

BODY_KEPT = 4096

connections = count(1)


class Tap:
    """Stands before the application of a port."""

    def __init__(self, app, port, journal, faults):
        self.app = app
        self.port = port
        self.journal = journal
        self.faults = faults

    def __call__(self, environ, start_response):
        try:
            return self.handle(environ, start_response)
        except Exception as error:
            self.journal.error(error)
            raise

    def handle(self, environ, start_response):
        connection = environ['eventlet.input'].get_socket()
        record = self.request(environ, connection)
        session = self.journal.sessions.get(record['sid'])
        if session and connection not in session.connections:
            session.connections.append(connection)
        counter = session and {'poll': session.record['polls'], 'post': session.record['posts']}.get(record['kind'])
        if counter:
            counter['total'] += 1
            counter['now'] += 1
            counter['max'] = max(counter['max'], counter['now'])
        keep_body(environ, record)
        environ['sio.request'] = record

        def start(status, headers, *rest):
            record['status'] = int(status.split()[0])
            return start_response(status, headers, *rest)

        def go_on(start):
            return self.app(environ, start)

        try:
            fault = self.faults.take(record)
            return broken.apply(fault, connection, start, go_on) if fault else go_on(start)
        finally:
            record['ended_at'] = self.journal.now()
            if counter:
                counter['now'] -= 1

    def request(self, environ, connection):
        query = query_of(environ)
        sid = query.get('sid')
        if not hasattr(connection, 'number'):
            connection.number = next(connections)
        headers = {}
        for name, value in environ['headers_raw']:
            name = name.lower()
            headers[name] = f'{headers[name]}, {value}' if name in headers else value
        return self.journal.add(
            'requests',
            self.journal.tag_of(query, sid),
            port=self.port,
            kind=kind_of(environ, query),
            connection=connection.number,
            tls=None,
            method=environ['REQUEST_METHOD'],
            url=url_of(environ),
            query=query,
            transport=query.get('transport'),
            sid=sid,
            opened=None,
            headers=headers,
            body_bytes=0,
            body=None,
            status=None,
            ended_at=None,
        )


def query_of(environ):
    return dict(parse_qsl(environ.get('QUERY_STRING', ''), keep_blank_values=True))


def url_of(environ):
    query = environ.get('QUERY_STRING')
    return environ['RAW_PATH_INFO'] + (f'?{query}' if query else '')


def kind_of(environ, query):
    if 'HTTP_UPGRADE' in environ:
        return 'upgrade'
    if 'transport' not in query:
        return 'other'
    if 'sid' not in query:
        return 'handshake'
    return 'poll' if environ['REQUEST_METHOD'] == 'GET' else 'post'


def keep_body(environ, record):
    length = int(environ.get('CONTENT_LENGTH') or 0)
    if record['method'] != 'POST' or length == 0:
        return
    body = environ['wsgi.input'].read(length)
    environ['wsgi.input'] = io.BytesIO(body)
    record['body_bytes'] = len(body)
    record['body'] = base64.b64encode(body[:BODY_KEPT]).decode()
