"""What the server saw, kept per tag; the same records as those of node-server (see its README)."""

import sys
import time
import traceback
from collections import OrderedDict, deque

LIMITS = {'requests': 2000, 'sessions': 500, 'sockets': 500, 'packets': 10000, 'questions': 2000}
MAX_TAGS = 1000
MAX_ERRORS = 200


class Journal:
    def __init__(self):
        self.started = time.monotonic()
        self.sequence = 0
        self.by_tag = OrderedDict()
        self.errors = deque(maxlen=MAX_ERRORS)
        self.error_count = 0
        self.sessions = {}  # the open ones: sid -> TappedSocket
        self.sockets = []  # the open ones: SocketInNamespace

    def now(self):
        """Milliseconds since the process started, one decimal."""
        return round((time.monotonic() - self.started) * 1000, 1)

    def number(self):
        self.sequence += 1
        return self.sequence

    def add(self, kind, tag, /, **fields):
        record = {'seq': self.number(), 'tag': tag, 'at': self.now(), **fields}
        self._lists_of(tag)[kind].append(record)
        return record

    def list(self, kind, wanted):
        """All records of a kind with these fields, in order; None filters nothing."""
        wanted = {field: value for field, value in wanted.items() if value is not None}
        tags = [wanted['tag']] if 'tag' in wanted else list(self.by_tag)
        records = (record for tag in tags if tag in self.by_tag for record in self.by_tag[tag][kind])
        found = [record for record in records if all(record[field] == value for field, value in wanted.items())]
        return sorted(found, key=lambda record: record['seq'])

    def _lists_of(self, tag):
        if tag not in self.by_tag:
            self.by_tag[tag] = {kind: deque(maxlen=limit) for kind, limit in LIMITS.items()}
            if len(self.by_tag) > MAX_TAGS:
                self.by_tag.popitem(last=False)
        return self.by_tag[tag]

    def tag_of(self, query, sid):
        session = self.sessions.get(sid)
        return query.get('tag', session.record['tag'] if session else '')

    def live_sessions(self, tag):
        live = [session for session in self.sessions.values() if session.record['tag'] == tag]
        return sorted(live, key=lambda session: session.record['seq'])

    def live_sockets(self, tag, nsp):
        return [socket for socket in self.sockets if socket.record['tag'] == tag and socket.record['nsp'] == nsp]

    def leave(self, socket, reason=None):
        if socket in self.sockets:
            self.sockets.remove(socket)
            socket.record.update(disconnected_at=self.now(), reason=reason)

    def error(self, error):
        """An exception that nobody caught."""
        text = ''.join(traceback.format_exception(error))
        print('uncaught:', text, file=sys.stderr)
        self.error_count += 1
        self.errors.append({'seq': self.number(), 'at': self.now(), 'error': text})
