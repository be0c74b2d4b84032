//! What can be seen of a connection from outside.

use std::time::Duration;

use bytestring::ByteString;

use super::namespace::State;
use super::{Link, Manager, NamespaceId};
use crate::session::Session;
use crate::status::{ConnectionState, DisconnectReason, Transport};

impl<S: Session, W> Manager<S, W> {
    /// Bytes commanded and not yet put out by the session.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.link.session().map_or(0, Session::backlog)
    }

    /// Which attempt or session this is, counted from 1; see [`Question::epoch`](crate::event::Question::epoch).
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether emits to a namespace leave at once.
    #[must_use]
    pub fn is_open(&self, id: NamespaceId) -> bool {
        self.namespaces[id.0].is_open()
    }

    /// Whether the connection is over, or was never opened.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.link, Link::Closed)
    }

    /// Whether the connection is about to be over for good.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.link.is_ending() && !self.is_closed()
    }

    /// Whether the connection is over, or about to be, for good.
    #[must_use]
    pub fn is_closing_or_closed(&self) -> bool {
        self.link.is_ending()
    }

    /// Where a namespace stands.
    #[must_use]
    pub fn state(&self, id: NamespaceId) -> ConnectionState {
        let namespace = &self.namespaces[id.0];
        match namespace.state {
            State::In => ConnectionState::Connected,
            State::Lost { .. } => ConnectionState::Reconnecting,
            State::Joining { .. } if namespace.attempt > 0 => ConnectionState::Reconnecting,
            State::Joining { .. } => ConnectionState::Connecting,
            State::Out(_) => ConnectionState::Disconnected,
        }
    }

    /// Why a namespace is not usable.
    #[must_use]
    pub fn reason(&self, id: NamespaceId) -> DisconnectReason {
        match &self.namespaces[id.0].state {
            State::Out(reason) | State::Lost { reason, .. } => reason.clone(),
            State::Joining { .. } | State::In => {
                self.loss.clone().unwrap_or(DisconnectReason::NotYet)
            }
        }
    }

    /// A namespace's name.
    #[must_use]
    pub fn name(&self, id: NamespaceId) -> &ByteString {
        &self.namespaces[id.0].name
    }

    /// The session id, while there is a session.
    #[must_use]
    pub fn sid(&self) -> Option<&ByteString> {
        self.sid.as_ref()
    }

    /// What carries the session, while there is one.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        self.transport
    }

    /// The time of the last heartbeat from ping to pong.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.latency
    }
}
