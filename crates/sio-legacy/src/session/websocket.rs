//! The WebSocket: one packet per text message, in both directions.

use std::time::Instant;

use bytes::Bytes;
use bytestring::ByteString;
use sio_core::session::{Io, Outbox};
use sio_core::{DisconnectReason, Error};

use super::pacing::{Pacing, Waited};
use super::{Leg, Outgoing, Session};
use crate::packet::write;
use crate::payload::{self, PayloadLimits};
use crate::tolerance;

/// From how many bytes on a disconnect may be the server's input budget: it is never exceeded by less than a hundredth of
/// the default of 100 MB.
const BUDGET_SUSPECT: u64 = 1_000_000;

/// What is sent on a WebSocket.
#[derive(Debug)]
pub(super) struct WebSocket {
    pacing: Pacing,
    frames: u64,
    bytes: u64,
}

impl WebSocket {
    pub(super) fn new() -> Self {
        Self {
            pacing: Pacing::new(),
            frames: 0,
            bytes: 0,
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
        self.put(packet, out);
        if let Some(id) = self.pacing.sent(now) {
            self.put(write::noop(Some(id)), out);
        }
    }

    fn put(&mut self, packet: ByteString, out: &mut Outbox) {
        self.frames += 1;
        self.bytes += packet.len() as u64;
        out.io(Io::SendText(packet));
    }

    /// An ack came; whether it was only asked for to pace what is sent.
    pub(super) fn paced_by(&mut self, id: u64) -> bool {
        self.pacing.answered(id)
    }

    /// Anything else came.
    pub(super) fn heard(&mut self) {
        self.pacing.heard();
    }

    /// The server disconnects: what was sent, if that may be why.
    pub(super) fn over_budget(&self) -> Option<String> {
        (self.bytes >= BUDGET_SUSPECT)
            .then(|| format!("{} bytes in {} frames were sent", self.bytes, self.frames))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pacing.deadline()
    }
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
            self.framed_text(text, now);
        } else {
            self.packet(text, now);
        }
    }

    fn framed_text(&mut self, text: ByteString, now: Instant) {
        self.out.tolerate(tolerance::FRAMED_MESSAGE, &text);
        for packet in payload::decode(text, &PayloadLimits::default()) {
            match packet {
                Ok(packet) => {
                    self.packet(packet, now);
                }
                Err(error) => {
                    self.break_protocol(Error::protocol("a WebSocket message is broken", error));
                }
            }
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
