//! The polling half: what the answers of the two requests mean, and which request comes next.
//!
//! One GET is always out while the session polls; a POST is out while there was something to send. An upgrade pauses
//! both: then the running ones are waited for, and no new one is made.

use std::time::Instant;

use bytes::Bytes;
use sio_core::codec::{bytes_apart, text_apart};
use sio_core::session::{RequestId, Response};
use sio_core::{DisconnectReason, Error};

use super::{FRAMING, MAX_PACKETS, Session, State, explain, size};
use crate::engine::packet::{EnginePacket, Frame};
use crate::engine::payload::{self, PayloadLimits};
use crate::error::SessionError;
use crate::tolerance;

impl Session {
    pub(super) fn response(&mut self, id: RequestId, response: Response, now: Instant) {
        if self.inquiry_answered(id, &response, now) {
            return;
        }
        match &mut self.state {
            State::PollingHandshake { get } if *get == Some(id) => {
                *get = None;
                self.handshake_response(response, now);
            }
            State::Polling(polling) if polling.get == Some(id) => {
                polling.get = None;
                self.poll_response(response, now);
            }
            State::Polling(polling) if polling.post == Some(id) => {
                polling.post = None;
                if response.status == 200 {
                    self.after_request();
                } else {
                    self.end(explain::refusal("a post", &response).into());
                }
            }
            State::ClosingPolling(closing) if closing.post == Some(id) => {
                closing.post = None;
                self.post_or_finish_closing();
            }
            State::ClosingPolling(closing) if closing.get == Some(id) => closing.get = None,
            _ => {} // the answer to a request that was cancelled
        }
    }

    pub(super) fn request_failed(&mut self, id: RequestId, error: Error) {
        if self.inquiry_failed(id) {
            return;
        }
        match &mut self.state {
            State::PollingHandshake { get } if *get == Some(id) => {
                *get = None;
                self.end(error.into());
            }
            State::Polling(polling) if polling.get == Some(id) => {
                polling.get = None;
                self.end(error.into());
            }
            State::Polling(polling) if polling.post == Some(id) => {
                polling.post = None;
                self.end(error.into());
            }
            State::ClosingPolling(closing) if closing.post == Some(id) => {
                closing.post = None;
                self.end(DisconnectReason::Client);
            }
            State::ClosingPolling(closing) if closing.get == Some(id) => closing.get = None,
            _ => {}
        }
    }

    pub(super) fn handshake_response(&mut self, response: Response, now: Instant) {
        if response.status != 200 {
            self.end(explain::refusal("the handshake", &response).into());
            return;
        }
        if let Some(error) = explain::no_handshake("the handshake", &response) {
            self.end(Error::from(error).into());
            return;
        }
        self.poll_response(response, now);
        if matches!(self.state, State::PollingHandshake { .. }) {
            self.break_protocol(SessionError::NoOpenPacket);
        }
    }

    pub(super) fn poll_response(&mut self, response: Response, now: Instant) {
        if response.status != 200 {
            self.end(explain::refusal("a poll", &response).into());
            return;
        }
        let limits = PayloadLimits::default();
        let mut payload = payload::decode(
            response.content_type.as_deref(),
            response.body.clone(),
            &limits,
        );
        for packet in payload.by_ref() {
            match packet {
                Ok(packet) => self.engine_packet(apart(packet, response.body.len()), now),
                Err(error) => {
                    let broken = || Error::protocol("the body of a poll is broken", error);
                    let error = response.page_error("a poll").map(Error::from);
                    self.end(error.unwrap_or_else(broken).into());
                }
            }
        }
        if matches!(self.state, State::Closed) {
            return; // nothing follows the end
        }
        self.inbound.detach();
        for name in tolerance::of_payload(payload.tolerated()) {
            self.out.tolerate(name, "in the body of a poll");
        }
        self.after_request();
    }

    /// A request is done: start the next ones, or go on with an upgrade that waited for it.
    pub(super) fn after_request(&mut self) {
        let State::Polling(polling) = &mut self.state else {
            return;
        };
        if polling.upgrade.is_pausing() {
            if polling.get.is_none() && polling.post.is_none() {
                self.finish_upgrade();
            }
            return;
        }
        if polling.get.is_none() {
            let get = self.get();
            if let State::Polling(polling) = &mut self.state {
                polling.get = Some(get);
            }
        }
        self.flush();
    }

    /// Posts what waits, unless a post is out or an upgrade pauses.
    pub(super) fn flush(&mut self) {
        let State::Polling(polling) = &self.state else {
            return;
        };
        if self.queue.is_empty() || polling.post.is_some() || polling.upgrade.is_pausing() {
            return;
        }
        let post = self.post_queue();
        if let State::Polling(polling) = &mut self.state {
            polling.post = Some(post);
        }
    }

    /// Posts as much of what waits as one request may carry, in order, and at least one frame.
    pub(super) fn post_queue(&mut self) -> RequestId {
        let mut bytes = 0;
        let fits = |frame: &&Frame| {
            bytes += size(frame) + FRAMING;
            bytes <= self.max_post
        };
        let count = self.queue.iter().take(MAX_PACKETS).take_while(fits).count();
        let count = count.max(1).min(self.queue.len());
        let body = payload::encode_frames(self.queue.range(..count));
        for frame in self.queue.drain(..count) {
            self.queued_bytes -= size(&frame);
            self.out.sent(size(&frame), || frame.kind());
        }
        self.post(body)
    }

    pub(super) fn get(&mut self) -> RequestId {
        let target = self.targets.polling();
        self.out.get(target, false)
    }

    fn post(&mut self, body: Bytes) -> RequestId {
        let target = self.targets.polling();
        self.out.post(target, payload::CONTENT_TYPE, body)
    }
}

/// What a program may keep of a body shall not keep the rest of it.
fn apart(packet: EnginePacket, body: usize) -> EnginePacket {
    match packet {
        EnginePacket::Message(text) => EnginePacket::Message(text_apart(text, body)),
        EnginePacket::Binary(bytes) => EnginePacket::Binary(bytes_apart(bytes, body)),
        other => other,
    }
}
