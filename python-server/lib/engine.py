"""Listening in on Engine.IO: sessions and packets as the library decoded them."""

import base64

import engineio
import engineio.server
import engineio.socket
from engineio.exceptions import QueueEmpty
from engineio.packet import packet_names
from eventlet.event import Event

PACKET_KEPT = 1024


class TappedSocket(engineio.socket.Socket):
    """An Engine.IO session that keeps a record. It has one from the handshake on, so the open packet is not seen."""

    record = None

    def __init__(self, server, sid):
        self.is_upgraded = False
        self.websocket = None
        self.connections = []
        self.muted = False
        self.over = Event()
        super().__init__(server, sid)

    @property
    def journal(self):
        return self.server.journal

    def begin(self, environ):
        request = environ['sio.request']
        request['opened'] = self.sid
        self.connections.append(environ['eventlet.input'].get_socket())
        self.record = self.journal.add(
            'sessions',
            request['tag'],
            port=self.server.port,
            sid=self.sid,
            transport=request['transport'] or 'polling',
            upgraded_at=None,
            closed_at=None,
            reason=None,
            polls={'total': 0, 'now': 0, 'max': 0},
            posts={'total': 0, 'now': 0, 'max': 0},
            received=0,
            sent=0,
        )
        self.journal.sessions[self.sid] = self

    def end(self, reason):
        if self.journal.sessions.pop(self.sid, None):
            self.record.update(closed_at=self.journal.now(), reason=reason)
            self.over.send()

    # The library sets it when the session is on its WebSocket.
    @property
    def upgraded(self):
        return self.is_upgraded

    @upgraded.setter
    def upgraded(self, upgraded):
        self.is_upgraded = upgraded
        if upgraded and self.record['transport'] == 'polling':
            self.record.update(transport='websocket', upgraded_at=self.journal.now())

    def receive(self, packet):
        self.note('received', packet)
        super().receive(packet)

    def send(self, packet):
        if self.muted:
            return
        self.note('sent', packet)
        super().send(packet)

    def poll(self):
        try:
            return super().poll()
        except QueueEmpty:
            # It gives up a poll that it has nothing for, and the session with it. A dead link says nothing of that.
            if self.muted:
                self.over.wait()
            raise

    def close(self, wait=True, abort=False):
        super().close(wait, abort)
        self.end('closed')

    def _websocket_handler(self, websocket):
        self.websocket = websocket
        return super()._websocket_handler(websocket)

    def note(self, direction, packet):
        if self.record is None:
            return
        self.record[direction] += 1
        data = packet.data
        text = None if isinstance(data, bytes) or data is None else str(data)
        raw = data if isinstance(data, bytes) else (text or '').encode('utf-8', 'surrogatepass')
        self.journal.add(
            'packets',
            self.record['tag'],
            port=self.server.port,
            sid=self.sid,
            transport=self.record['transport'],
            direction=direction,
            type=packet_names[packet.packet_type].lower(),
            bytes=len(raw),
            data=text and text[:PACKET_KEPT],
            data_base64=base64.b64encode(data[:PACKET_KEPT]).decode() if isinstance(data, bytes) else None,
        )


# The library names its class of sessions, and has no other way to give it one.
engineio.server.socket.Socket = TappedSocket


class Engine(engineio.Server):
    """The Engine.IO server of a port."""

    journal = None
    port = None
