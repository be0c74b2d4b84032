//! What is asked over polling when a WebSocket of its own says nothing.
//!
//! Servers that are no match say so over polling: 0.9 closes the connection of such a WebSocket without an answer, 3.1
//! without allowEIO3 accepts it and is silent. So a session that begins on a WebSocket and hears nothing makes one handshake
//! over polling, as a question only.
//!
//! ```text
//!  the WebSocket is accepted ──► Waiting ── half of the time is over ──┐
//!  it ends before an open packet ──────────────────────────────────► Asking ── a session ──► HangingUp
//!                                                                      │                         │
//!                   the session ends with the answer ◄── it explains ──┤                         │
//!                                                                      └─ it does not ──► Over ◄─┘
//! ```
//!
//! Over, the error of a WebSocket that has ended is its own; one that is merely silent is waited for, since middleware may
//! take its time. A session that the question has opened is closed at once.

use std::time::{Duration, Instant};

use bytestring::ByteString;
use sio_core::session::{RequestId, Response};
use sio_core::{DisconnectReason, Error};

use super::explain::{self, Told};
use super::{Session, State};
use crate::engine::packet::EnginePacket;
use crate::engine::payload;
use crate::error::SessionError;

/// How far the question is. It may outlast what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inquiry {
    NotYet,
    Waiting {
        at: Instant,
    },
    Asking {
        get: RequestId,
        by: Instant,
    },
    /// The answer was a session.
    HangingUp {
        post: RequestId,
        by: Instant,
    },
    Over,
}

impl Inquiry {
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Waiting { at } => Some(at),
            Self::Asking { by, .. } | Self::HangingUp { by, .. } => Some(by),
            Self::NotYet | Self::Over => None,
        }
    }

    fn request(self) -> Option<RequestId> {
        match self {
            Self::Asking { get: id, .. } | Self::HangingUp { post: id, .. } => Some(id),
            _ => None,
        }
    }
}

/// A WebSocket of its own before its open packet.
#[derive(Debug, Default)]
pub(super) struct Unopened {
    is_accepted: bool,
    /// How it ended.
    end: Option<DisconnectReason>,
    /// The question was answered with a session.
    polling_works: bool,
}

impl Unopened {
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// What it did, for errors.
    fn symptom(&self) -> &'static str {
        match (self.is_accepted, self.has_ended()) {
            (false, _) => "the WebSocket was closed without an answer",
            (true, true) => "the WebSocket was accepted, and closed before anything came",
            (true, false) => "the WebSocket was accepted, and nothing came",
        }
    }

    /// How the session ends with it, where the question has brought nothing else.
    fn into_reason(self) -> DisconnectReason {
        let symptom = self.symptom();
        match self.end {
            Some(end) if !self.polling_works => end,
            _ => Error::transport(symptom, SessionError::OnlyPollingWorks).into(),
        }
    }

    pub(super) fn waits_for(&self) -> Option<&'static str> {
        match (self.is_accepted, self.polling_works) {
            (false, _) => None,
            (true, false) => Some(explain::SILENT),
            (true, true) => Some(explain::SILENT_BUT_POLLING_WORKS),
        }
    }
}

impl Session {
    /// The server has accepted a WebSocket of its own.
    pub(super) fn unopened_accepted(&mut self, now: Instant) {
        if let State::WebSocketHandshake(unopened) = &mut self.state {
            unopened.is_accepted = true;
            let at = now + self.time_left(now) / 2;
            self.inquiry = Inquiry::Waiting { at };
        }
    }

    /// A WebSocket of its own has ended without an open packet.
    pub(super) fn unopened_ended(&mut self, end: DisconnectReason, now: Instant) {
        let State::WebSocketHandshake(unopened) = &mut self.state else {
            return;
        };
        unopened.end = Some(end);
        match self.inquiry {
            Inquiry::NotYet | Inquiry::Waiting { .. } => self.ask_over_polling(now),
            Inquiry::Asking { .. } | Inquiry::HangingUp { .. } => {}
            Inquiry::Over => self.inquiry_over(),
        }
    }

    /// Asks, if there is time for an answer.
    fn ask_over_polling(&mut self, now: Instant) {
        let limit = self.time_left(now) / 2;
        if limit.is_zero() {
            self.inquiry_over();
            return;
        }
        let get = self.get();
        let by = now + limit;
        self.inquiry = Inquiry::Asking { get, by };
    }

    fn time_left(&self, now: Instant) -> Duration {
        self.connect_by.saturating_duration_since(now)
    }

    /// Takes the answer if it is to the question.
    pub(super) fn inquiry_answered(
        &mut self,
        id: RequestId,
        response: &Response,
        now: Instant,
    ) -> bool {
        if self.inquiry.request() != Some(id) {
            return false;
        }
        if matches!(self.inquiry, Inquiry::HangingUp { .. }) {
            self.inquiry_over();
            return true;
        }
        let symptom = match &self.state {
            State::WebSocketHandshake(unopened) => Some(unopened.symptom()),
            _ => None,
        };
        match (explain::told_over_polling(response), symptom) {
            (Told::Session(sid), _) => self.hang_up_on(&sid, now),
            (Told::Mismatch(mut error), Some(symptom)) => {
                self.inquiry = Inquiry::Over;
                error.what = format!("{symptom}; {}", error.what).into();
                self.end(Error::from(*error).into());
            }
            // The open packet came while the question was out.
            (Told::Mismatch(_), None) | (Told::Nothing, _) => self.inquiry_over(),
        }
        true
    }

    /// Closes the session that the question has opened.
    fn hang_up_on(&mut self, sid: &ByteString, now: Instant) {
        if let State::WebSocketHandshake(unopened) = &mut self.state {
            unopened.polling_works = true;
        }
        let target = self.targets.polling_of(sid);
        let body = payload::encode_frames([&EnginePacket::Close.encode_frame()]);
        let post = self.out.post(target, payload::CONTENT_TYPE, body);
        let by = now + self.config.close_timeout;
        self.inquiry = Inquiry::HangingUp { post, by };
    }

    /// The same for a request that failed.
    pub(super) fn inquiry_failed(&mut self, id: RequestId) -> bool {
        let is_it = self.inquiry.request() == Some(id);
        if is_it {
            self.inquiry_over();
        }
        is_it
    }

    pub(super) fn inquiry_timeout(&mut self, now: Instant) {
        if self.inquiry.deadline().is_none_or(|due| due > now) {
            return;
        }
        if let Inquiry::Waiting { .. } = self.inquiry {
            self.ask_over_polling(now);
        } else {
            self.out.cancel([self.inquiry.request()]);
            self.inquiry_over();
        }
    }

    /// The open packet has come; what is out is still seen to.
    pub(super) fn no_need_to_ask(&mut self) {
        if let Inquiry::Waiting { .. } = self.inquiry {
            self.inquiry = Inquiry::Over;
        }
    }

    /// The session ends: so does the question.
    pub(super) fn drop_inquiry(&mut self) {
        self.out.cancel([self.inquiry.request()]);
        self.inquiry = Inquiry::Over;
    }

    /// Nothing more will come of the question.
    fn inquiry_over(&mut self) {
        self.inquiry = Inquiry::Over;
        if let State::WebSocketHandshake(unopened) = &mut self.state
            && unopened.has_ended()
        {
            let reason = std::mem::take(unopened).into_reason();
            self.end_with_websocket_gone(reason);
        }
    }
}
