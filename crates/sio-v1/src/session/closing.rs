//! Closing, at the client's wish and at the server's.
//!
//! What was emitted before is sent, each joined namespace is told, and then the engine: by a close packet on polling,
//! by a close frame on WebSocket. An upgrade that is under way is waited for first.

use std::time::Instant;

use bytestring::ByteString;
use sio_core::session::Io;
use sio_core::{DisconnectReason, Error};

use super::{ClosingPolling, Session, State, Upgrade};
use crate::engine::packet::EnginePacket;
use crate::error::SessionError;
use crate::packet::write;

impl Session {
    pub(super) fn close(&mut self, now: Instant) {
        let limit = self.config.close_timeout;
        match &mut self.state {
            State::PollingHandshake { .. } | State::WebSocketHandshake(_) => {
                self.end(DisconnectReason::Client);
            }
            State::Polling(polling) if polling.upgrade != Upgrade::None => {
                // An upgrade is waited for, but not so long that no time is left to close on polling.
                polling.upgrade.hurry(now + limit / 2);
                polling.closing_until = Some(now + limit);
            }
            State::Polling(_) | State::WebSocket => self.close_until(now + limit),
            State::ClosingPolling(_) | State::ClosingWebSocket { .. } | State::Closed => {}
        }
    }

    /// Closes on the transport the session is on.
    pub(super) fn close_until(&mut self, until: Instant) {
        self.say_goodbye();
        if let State::Polling(polling) = &self.state {
            let (get, post) = (polling.get, polling.post);
            self.put(EnginePacket::Close.encode_frame());
            self.state = State::ClosingPolling(ClosingPolling { get, post, until });
            if post.is_none() {
                self.post_or_finish_closing();
            }
        } else {
            self.out.io(Io::CloseWebSocket);
            self.state = State::ClosingWebSocket { until };
        }
    }

    pub(super) fn say_goodbye(&mut self) {
        for namespace in self.inbound.joined().to_vec() {
            let packet = EnginePacket::Message(write::disconnect(&namespace));
            self.put(packet.encode_frame());
        }
    }

    /// While closing: posts what is left; when nothing is, the session is over, and the poll with it.
    pub(super) fn post_or_finish_closing(&mut self) {
        if self.queue.is_empty() {
            self.end(DisconnectReason::Client);
            return;
        }
        let post = self.post_queue();
        if let State::ClosingPolling(closing) = &mut self.state {
            closing.post = Some(post);
        }
    }

    pub(super) fn closed_by_server(&mut self) {
        let closing = matches!(
            self.state,
            State::ClosingPolling(_) | State::ClosingWebSocket { .. }
        );
        self.end(if closing {
            DisconnectReason::Client
        } else {
            DisconnectReason::TransportClose {
                code: None,
                text: ByteString::new(),
            }
        });
    }

    pub(super) fn break_protocol(&mut self, error: SessionError) {
        self.end(Error::protocol("the server broke the protocol", error).into());
    }
}
