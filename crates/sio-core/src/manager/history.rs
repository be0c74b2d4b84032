//! What a manager remembers for its reports.

use std::time::Instant;

use super::{Manager, NamespaceId};
use crate::error::Error;
use crate::report::{ConnectionReport, Counters};
use crate::session::Session;
use crate::status::{DisconnectReason, Transport};

/// What was, as far as nothing else needs it.
#[derive(Debug, Default)]
pub(super) struct History {
    sessions: u64,
    /// Attempts begun since the last success.
    attempts: u32,
    usable_since: Option<Instant>,
    last_close: Option<DisconnectReason>,
    last_failure: Option<Error>,
    upgrade_failure: Option<Error>,
    transports_failed: Vec<(Transport, Error)>,
}

impl History {
    /// The program opens the connection.
    pub(super) fn begin(&mut self) {
        self.attempts = 0;
    }

    pub(super) fn attempt(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
    }

    pub(super) fn opened(&mut self, transport: Transport) {
        self.sessions += 1;
        self.works(transport);
    }

    pub(super) fn usable(&mut self, now: Instant) {
        self.attempts = 0;
        self.usable_since = Some(now);
    }

    pub(super) fn upgraded(&mut self) {
        self.upgrade_failure = None;
    }

    pub(super) fn upgrade_failed(&mut self, error: Error) {
        self.upgrade_failure = Some(error);
    }

    pub(super) fn transport_failed(&mut self, transport: Transport, error: Error) {
        self.works(transport);
        self.transports_failed.push((transport, error));
    }

    /// What failed before does not count any more.
    fn works(&mut self, transport: Transport) {
        self.transports_failed
            .retain(|(failed, _)| *failed != transport);
    }

    /// A session, or an attempt to have one, is over.
    pub(super) fn over(&mut self, reason: &DisconnectReason) {
        if self.usable_since.take().is_some() {
            self.last_close = Some(reason.clone());
        } else if !matches!(reason, DisconnectReason::Client) {
            self.last_failure = Some(reason.clone().into_error());
        }
    }
}

impl<S: Session, W> Manager<S, W> {
    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters;
        if let Some(session) = self.link.session() {
            counters.add(session.traffic());
        }
        counters
    }

    /// Keeps what the session has counted, which is about to go.
    pub(super) fn keep_traffic(&mut self) {
        self.counters = self.counters();
    }

    /// How the connection stands; `state` is that of one namespace, and `backlog_bytes` what the sessions have.
    #[must_use]
    pub fn report(&self, id: NamespaceId, now: Instant) -> ConnectionReport {
        let history = &self.history;
        let since = history.usable_since.filter(|_| self.link.is_active());
        let queues = self.namespaces.iter().map(|namespace| &namespace.queue);
        let session = self.link.session();
        ConnectionReport {
            state: self.state(id),
            transport: self.transport,
            upgrade_failure: history.upgrade_failure.clone(),
            transports_failed: history.transports_failed.clone(),
            no_websocket: session.and_then(Session::why_no_websocket),
            last_close: history.last_close.clone(),
            last_failure: history.last_failure.clone(),
            sessions: history.sessions,
            attempts: history.attempts,
            connected_for: since.map(|since| now.saturating_duration_since(since)),
            latency: self.latency,
            queued: queues.map(super::queue::Queue::len).sum(),
            backlog_bytes: self.backlog(),
            counters: self.counters(),
        }
    }
}
