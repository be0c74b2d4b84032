//! The WebSocket: one packet per text message, in both directions.

use std::time::Instant;

use bytes::Bytes;
use bytestring::ByteString;
use sio_core::DisconnectReason;
use sio_core::session::{Io, Outbox};

use super::pacing::{Pacing, Waited};
use super::{Leg, Outgoing, Session};
use crate::packet::{PacketType, write};
use crate::payload;
use crate::tolerance;

/// The input budget of a server that was not told otherwise: its `destroy buffer size`.
const BUDGET: u64 = 100_000_000;

/// How many heartbeats are answered while the server reads nothing: it sends one in some 25 s.
const MAX_BEATS: u32 = 16;

/// What is sent on a WebSocket.
#[derive(Debug)]
pub(super) struct WebSocket {
    pacing: Pacing,
    bytes: u64,
    /// Heartbeats answered since the window was full.
    beats: u32,
}

impl WebSocket {
    pub(super) fn new() -> Self {
        Self {
            pacing: Pacing::new(),
            bytes: 0,
            beats: 0,
        }
    }

    /// Sends what waits, as far as the window reaches.
    pub(super) fn flush(&mut self, outgoing: &mut Outgoing, out: &mut Outbox, now: Instant) {
        while self.pacing.may_send()
            && let Some(packet) = outgoing.pop()
        {
            self.send_now(packet, out, now);
        }
    }

    /// Sends a packet before those that wait.
    pub(super) fn send_now(&mut self, packet: ByteString, out: &mut Outbox, now: Instant) {
        self.bytes += packet.len() as u64;
        let noop = self.pacing.sent(packet.len(), now);
        put(packet, out);
        if let Some(id) = noop {
            put(write::noop(Some(id)), out);
        }
    }

    /// Answers a heartbeat, which does not wait behind what else is sent. But a server that beats again and again without
    /// reading the answers gets no more of them.
    pub(super) fn beat(&mut self, out: &mut Outbox, now: Instant) {
        if self.pacing.may_send() {
            self.beats = 0;
        }
        self.beats += 1;
        if self.beats <= MAX_BEATS {
            self.send_now(write::heartbeat(), out, now);
        }
    }

    /// An ack came; whether it was only asked for to pace what is sent.
    pub(super) fn paced_by(&mut self, id: u64, now: Instant) -> bool {
        let answered = self.pacing.answered(id, now);
        if answered {
            self.beats = 0; // it reads
        }
        answered
    }

    /// Anything else came.
    pub(super) fn heard(&mut self) {
        self.pacing.heard();
    }

    /// The server disconnects: what was sent, if that may be why.
    pub(super) fn over_budget(&self) -> Option<String> {
        let (bytes, spent) = (self.bytes, self.pacing.spent());
        (spent >= BUDGET).then(|| format!("{bytes} bytes were sent, and counted as up to {spent}"))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pacing.deadline()
    }
}

fn put(packet: ByteString, out: &mut Outbox) {
    out.sent(packet.len(), || PacketType::name_of(&packet));
    out.io(Io::SendText(packet));
}

impl Session {
    fn has_websocket(&self) -> bool {
        matches!(self.state.leg(), Some(Leg::WebSocket(_)))
    }

    pub(super) fn websocket_text(&mut self, text: ByteString, now: Instant) {
        if !self.has_websocket() {
            return;
        }
        self.silence.broken_at(now);
        if text.starts_with(payload::MARK) {
            self.out.tolerate(tolerance::FRAMED_MESSAGE, &text);
            self.payload(&text, "a WebSocket message is broken", now);
        } else {
            self.packet(text, now);
        }
    }

    pub(super) fn websocket_binary(&mut self, bytes: &Bytes, now: Instant) {
        if self.has_websocket() {
            self.silence.broken_at(now);
            let detail = format!("{} bytes", bytes.len());
            self.out.tolerate(tolerance::BINARY_MESSAGE, &detail);
        }
    }

    /// The server ends a session without a close frame, by the end of the stream.
    pub(super) fn websocket_ended(&mut self, reason: DisconnectReason) {
        if self.has_websocket() {
            self.leg_broke(reason);
        }
    }

    pub(super) fn websocket_timeout(&mut self, now: Instant) {
        let Some(Leg::WebSocket(websocket)) = self.state.sending_leg_mut() else {
            return;
        };
        match websocket.pacing.wait(now) {
            Waited::NotYet => return,
            Waited::OneMore => {}
            Waited::GaveUp => self
                .out
                .tolerate(tolerance::NO_PACING, "no ack of a noop packet"),
        }
        self.flush(now);
    }
}
