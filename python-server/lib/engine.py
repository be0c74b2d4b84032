"""Listening in on Engine.IO: sessions and packets as the library decoded them."""

import base64

import engineio
import engineio.server
import engineio.socket
from engineio.exceptions import QueueEmpty
from engineio.packet import packet_names
from eventlet.event import Event
from eventlet.websocket import RFC6455WebSocket

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
        # First, for this may wait until a client has fetched everything, and that may be gone.
        self.end('closed')
        super().close(wait, abort)

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


def apply_mask(data, mask, length=None, offset=0):
    """What eventlet does byte by byte, which takes most of the server's time."""
    length = len(data) if length is None else length
    start = offset % 4
    mask = bytes(mask[start:]) + bytes(mask[:start])
    masks = (mask * (length // 4 + 1))[:length]
    masked = int.from_bytes(data[:length], 'little') ^ int.from_bytes(masks, 'little')
    return masked.to_bytes(length, 'little')


RFC6455WebSocket._apply_mask = staticmethod(apply_mask)

# The library names its class of sessions, and has no other way to give it one.
engineio.server.socket.Socket = TappedSocket


class Engine(engineio.Server):
    """The Engine.IO server of a port."""

    journal = None
    port = None
