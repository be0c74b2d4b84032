//! The move from polling to WebSocket, with traffic in flight and nothing lost, doubled or reordered.
//!
//! ```text
//!  None ──► Opening ──── WebSocket open: send "2probe" ───► Probing ──── "3probe" ───► Pausing ──┐
//!   ▲          │                                               │                          │      │
//!   └──────────┴───── failed, closed, silent, wrong answer ────┴──────────────────────────┘      │
//!                                                        poll and post are done: send "5", flush ┘
//! ```
//!
//! Polling goes on until *Pausing*; there no new poll or post is started, and what the running ones bring is delivered
//! first. `5` is never sent while a poll is pending: 1.4 and later would answer it with `1`, 1.0 to 1.3 not at all.

use std::time::Instant;

use bytestring::ByteString;
use sio_core::session::{Io, SessionEvent};
use sio_core::{Deadline, Error};

use super::{Polling, Session, State};
use crate::engine::packet::EnginePacket;
use crate::error::SessionError;

/// How far an upgrade is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgrade {
    None,
    Opening { deadline: Instant },
    Probing { deadline: Instant },
    Pausing { deadline: Instant },
}

impl Upgrade {
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::None => None,
            Self::Opening { deadline }
            | Self::Probing { deadline }
            | Self::Pausing { deadline } => Some(deadline),
        }
    }

    pub(super) fn is_pausing(self) -> bool {
        matches!(self, Self::Pausing { .. })
    }

    /// Moves the deadline forward.
    pub(super) fn hurry(&mut self, latest: Instant) {
        if let Self::Opening { deadline }
        | Self::Probing { deadline }
        | Self::Pausing { deadline } = self
        {
            *deadline = latest.min(*deadline);
        }
    }
}

impl Session {
    pub(super) fn start_upgrade(&mut self, now: Instant) {
        let deadline = now + self.config.upgrade_timeout;
        self.set_upgrade(Upgrade::Opening { deadline });
        let target = self.targets.websocket();
        self.out.io(Io::OpenWebSocket(target));
    }

    pub(super) fn probe(&mut self) {
        if let Upgrade::Opening { deadline } = self.upgrade() {
            self.set_upgrade(Upgrade::Probing { deadline });
            let probe = EnginePacket::Ping(ByteString::from_static("probe"));
            self.put_on_websocket(probe.encode_frame());
        }
    }

    pub(super) fn probe_answered(&mut self, text: &ByteString) {
        if let Ok(packet) = EnginePacket::decode_text(text.clone()) {
            self.out.received(text.len(), || packet.kind());
        }
        match self.upgrade() {
            Upgrade::Probing { deadline } if **text == *"3probe" => {
                self.set_upgrade(Upgrade::Pausing { deadline });
                self.after_request();
            }
            // A Python server flushes with a noop here too.
            Upgrade::Probing { .. } | Upgrade::Pausing { .. } if **text == *"6" => {}
            _ => self.probe_answered_wrongly(text),
        }
    }

    pub(super) fn probe_answered_wrongly(&mut self, what: &str) {
        let shown: String = what.chars().take(40).collect();
        let error = SessionError::WrongProbe(shown);
        let error = Error::protocol("the upgrade's WebSocket was dropped", error);
        self.abandon_upgrade(error);
    }

    pub(super) fn upgrade_timeout(&mut self, now: Instant) {
        let expired = |deadline| deadline <= now;
        if self.upgrade().deadline().is_some_and(expired) {
            let after = self.config.upgrade_timeout;
            self.abandon_upgrade(Error::timeout(Deadline::Upgrade, after));
        }
    }

    /// Poll and post are done: the session lives on the WebSocket from here on.
    pub(super) fn finish_upgrade(&mut self) {
        let State::Polling(polling) = &self.state else {
            return;
        };
        let closing_until = polling.closing_until;
        self.put_on_websocket(EnginePacket::Upgrade.encode_frame());
        self.state = State::WebSocket;
        self.queued_bytes = 0;
        for frame in std::mem::take(&mut self.queue) {
            self.put_on_websocket(frame);
        }
        self.out.tell(SessionEvent::Upgraded);
        if let Some(until) = closing_until {
            self.close_until(until);
        }
    }

    fn abandon_upgrade(&mut self, error: Error) {
        self.out.io(Io::DropWebSocket);
        self.upgrade_failed(error);
    }

    /// The WebSocket is gone; polling goes on, or closes if that was put off until now.
    pub(super) fn upgrade_failed(&mut self, error: Error) {
        self.set_upgrade(Upgrade::None);
        self.out.tell(SessionEvent::UpgradeFailed(error));
        match &self.state {
            State::Polling(Polling {
                closing_until: Some(until),
                ..
            }) => self.close_until(*until),
            _ => self.after_request(),
        }
    }

    fn upgrade(&self) -> Upgrade {
        match &self.state {
            State::Polling(polling) => polling.upgrade,
            _ => Upgrade::None,
        }
    }

    fn set_upgrade(&mut self, upgrade: Upgrade) {
        if let State::Polling(polling) = &mut self.state {
            polling.upgrade = upgrade;
        }
    }
}
