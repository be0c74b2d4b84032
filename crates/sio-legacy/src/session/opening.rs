//! The handshake, and which transport the session gets.
//!
//! The program's order counts, limited to what the server lists. A transport that fails, is refused, or stays silent for
//! its share of the connect timeout gives way to the next one, each with a handshake of its own: a server lets the newest
//! transport have a session, and a half-open WebSocket could still take it away.

use std::collections::VecDeque;
use std::time::Instant;

use sio_core::session::{Io, Response, SessionEvent};
use sio_core::{Deadline, Error, Transport};

use super::http::Http;
use super::target::wire_name;
use super::websocket::WebSocket;
use super::{Leg, Session, State, explain};
use crate::error::SessionError;
use crate::handshake::Handshake;

/// What is left to try.
#[derive(Debug)]
pub(super) struct Choice {
    /// The transport that is being opened comes first.
    left: VecDeque<Transport>,
    /// What went wrong with those before.
    failed: Vec<(Transport, Error)>,
    connect_by: Instant,
    opened_at: Instant,
    /// Whether the server forgot a handshake before its transport could be opened: that may happen once.
    forgotten: bool,
    /// Whether the server offers WebSocket.
    has_websocket: bool,
    /// Whether the program allows it.
    is_allowed: bool,
    pub(super) sid: bytestring::ByteString,
}

impl Choice {
    pub(super) fn new(transports: &[Transport], connect_by: Instant) -> Self {
        Self {
            left: transports.iter().copied().collect(),
            failed: Vec::new(),
            connect_by,
            opened_at: connect_by,
            forgotten: false,
            has_websocket: false,
            is_allowed: transports.contains(&Transport::WebSocket),
            sid: bytestring::ByteString::new(),
        }
    }

    /// Until when the current transport may take, so that those behind it get their share. The last one may take all.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        let shares = u32::try_from(self.left.len()).unwrap_or(u32::MAX);
        let left = self.connect_by.saturating_duration_since(now);
        (shares > 1).then(|| now + left / shares)
    }

    /// Why it is not a WebSocket that was opened, where nothing failed.
    pub(super) fn why_no_websocket(&self) -> Option<&'static str> {
        let is_it = |transport: &Transport| *transport == Transport::WebSocket;
        if self.failed.iter().any(|(transport, _)| is_it(transport)) {
            None
        } else if !self.is_allowed {
            Some("it is not among the transports that the program allows")
        } else if !self.has_websocket {
            Some("the server does not offer it")
        } else {
            Some("the program prefers another transport")
        }
    }

    /// What went wrong with each transport.
    fn none_works(&self) -> Error {
        let failed = self.failed.iter();
        let causes: Vec<String> = failed
            .map(|(transport, error)| format!("{}: {}", wire_name(*transport), error.chain()))
            .collect();
        let error = SessionError::NoTransportWorks(causes.join("; "));
        Error::transport("opening the session", error)
    }
}

impl Session {
    pub(super) fn shake_hands(&mut self) {
        let target = self.targets.handshake();
        let get = self.out.get(target, false);
        self.state = State::Handshaking { get };
    }

    pub(super) fn hand_shaken(&mut self, response: &Response, now: Instant) {
        match self.read_handshake(response) {
            Ok(handshake) => {
                tracing::debug!(
                    transports = ?handshake.transports,
                    heartbeat_timeout = ?handshake.heartbeat_timeout,
                    close_timeout = ?handshake.close_timeout,
                    "handshake done"
                );
                self.targets.set_sid(&handshake.sid);
                self.silence.announced(&handshake);
                self.choice.sid = handshake.sid;
                self.out.tell(SessionEvent::Identified);
                self.open_transport(now);
            }
            Err(error) => self.give_up(error),
        }
    }

    /// Nothing is left to try, and nothing is out.
    pub(super) fn give_up(&mut self, error: Error) {
        self.state = State::Closed;
        self.out.tell(SessionEvent::Closed(error.into()));
    }

    fn read_handshake(&mut self, response: &Response) -> Result<Handshake, Error> {
        if response.status != 200 {
            return Err(explain::refusal("the handshake", response));
        }
        let handshake = String::from_utf8_lossy(&response.body);
        let handshake =
            Handshake::parse(&handshake).map_err(|error| explain::no_handshake(response, error))?;
        self.choice.has_websocket = offers(&handshake, Transport::WebSocket);
        let left = &mut self.choice.left;
        left.retain(|transport| offers(&handshake, *transport));
        if self.choice.left.is_empty() && !self.choice.failed.is_empty() {
            // The server takes back what is left to try: what was tried says more.
            return Err(self.choice.none_works());
        }
        if self.choice.left.is_empty() {
            let error = SessionError::NoCommonTransport {
                wanted: names(&self.config.transports),
                offered: handshake.transports.join(", "),
            };
            return Err(Error::protocol("the handshake", error));
        }
        Ok(handshake)
    }

    fn open_transport(&mut self, now: Instant) {
        let Some(&transport) = self.choice.left.front() else {
            return; // the handshake made sure that there is one
        };
        tracing::debug!(%transport, "opening transport");
        let leg = match transport {
            Transport::WebSocket => {
                self.out.io(Io::OpenWebSocket(self.targets.websocket()));
                Leg::WebSocket(WebSocket::new())
            }
            transport => Leg::Http(Http::new(transport, self.config.limits.message_bytes)),
        };
        self.choice.opened_at = now;
        self.state = State::Opening {
            leg,
            deadline: self.choice.deadline(now),
        };
        self.poll(now);
    }

    /// The server has confirmed the session: `1::`.
    pub(super) fn opened(&mut self, now: Instant) {
        let State::Opening { leg, .. } = std::mem::replace(&mut self.state, State::Closed) else {
            return;
        };
        let transport = leg.transport();
        if matches!(transport, Transport::WebSocket | Transport::HtmlFile) {
            self.silence.broken_at(now);
        }
        self.state = State::Open(leg);
        self.out.tell(SessionEvent::Opened {
            sid: self.choice.sid.clone(),
            transport,
        });
        self.out.tell(SessionEvent::Joined {
            namespace: sio_core::manager::ROOT.into(),
        });
    }

    pub(super) fn opening_expired(&mut self, now: Instant) {
        let after = now.saturating_duration_since(self.choice.opened_at);
        self.transport_failed(Error::timeout(Deadline::Transport, after));
    }

    /// The transport that is being opened cannot be used: the next one gets its turn, if there is one.
    pub(super) fn transport_failed(&mut self, error: Error) {
        self.leave_transport();
        let Some(transport) = self.choice.left.pop_front() else {
            return;
        };
        self.choice.failed.push((transport, error.clone()));
        self.choice.forgotten = false;
        if self.choice.left.is_empty() {
            // One failure speaks for itself.
            let error = match self.choice.failed[..] {
                [_] => error,
                _ => self.choice.none_works(),
            };
            self.give_up(error);
        } else {
            self.out
                .tell(SessionEvent::TransportFailed { transport, error });
            self.shake_hands();
        }
    }

    /// The server does not know the handshake that was just made: it forgets those that are older than 30 s, and a
    /// balancer may lead elsewhere. That is worth one more handshake.
    pub(super) fn handshake_forgotten(&mut self, error: Error) {
        if self.choice.forgotten {
            self.transport_failed(error);
        } else {
            self.leave_transport();
            self.choice.forgotten = true;
            self.shake_hands();
        }
    }

    fn leave_transport(&mut self) {
        if let State::Opening { leg, .. } = std::mem::replace(&mut self.state, State::Closed) {
            self.drop_leg(&leg);
        }
    }
}

fn offers(handshake: &Handshake, transport: Transport) -> bool {
    let name = wire_name(transport);
    handshake.transports.iter().any(|other| **other == *name)
}

fn names(transports: &[Transport]) -> String {
    let names: Vec<&str> = transports.iter().copied().map(wire_name).collect();
    names.join(", ")
}
