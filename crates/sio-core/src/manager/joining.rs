//! Namespaces that are asked for: when, until when, and what follows when they do not come.

use std::time::{Duration, Instant};

use super::{Manager, NamespaceId, ROOT_ID, Then};
use crate::error::{Deadline, Error};
use crate::session::{Command, Session};
use crate::status::Status;

/// With so many deadlines gone by in a session that lives, the server is not slow: it does not know of the join, or its
/// answer is lost.
const FORGOTTEN: u32 = 2;

impl<S: Session, W> Manager<S, W> {
    pub(super) fn join_expired(&mut self, id: NamespaceId, after: Duration, now: Instant) {
        if self.wait_on(id, after, now) {
            return;
        }
        let namespace = &mut self.namespaces[id.0];
        if id == ROOT_ID && self.connect_by.is_some() {
            // It comes with the session nevertheless, and nobody waits for it any more.
            namespace.wanted = false;
            namespace.is_left = true;
            self.put_out(id, &Error::timeout(Deadline::Join, after).into());
            return;
        }
        let error = match &self.loss {
            // It never came to ask.
            Some(loss) if self.sid.is_none() => Error::Disconnected(loss.clone()),
            _ => Error::timeout(Deadline::Join, after),
        };
        if self.sid.is_some() {
            // The server may grant it after all; it must not believe that somebody listens.
            let namespace = self.namespaces[id.0].name.clone();
            self.command(Command::Leave { namespace }, now);
            self.namespaces[id.0].spent_in = Some(self.epoch);
        }
        self.join_failed(id, error, now);
    }

    /// Whether to wait on for a namespace that was lost, and that the server does not grant in time: the session may be
    /// dying, and the next one will bring it; or the server is slow.
    fn wait_on(&mut self, id: NamespaceId, after: Duration, now: Instant) -> bool {
        let namespace = &mut self.namespaces[id.0];
        let attempt = namespace.attempt;
        if !namespace.returns || attempt == 0 {
            return false;
        }
        if self.connect_by.is_some() {
            // The whole attempt is about to fail.
            namespace.start_joining(now);
            return true;
        }
        if !self.attempts.allows(attempt + 1) {
            return false;
        }
        let error = Error::timeout(Deadline::Join, after);
        namespace.unanswered += 1;
        let is_forgotten = namespace.unanswered == FORGOTTEN;
        if is_forgotten && !S::REJOINS {
            self.shut_because(error.into(), now);
            return true;
        }
        namespace.attempt += 1;
        namespace.start_joining(now);
        self.tell(id, Status::ReconnectError { attempt, error });
        let (attempt, delay) = (attempt + 1, Duration::ZERO);
        self.tell(id, Status::ReconnectScheduled { attempt, delay });
        self.tell(id, Status::Reconnecting { attempt });
        if is_forgotten && self.sid.is_some() {
            self.ask_again(id, now);
        }
        true
    }

    /// The request or its answer was lost on the way, as when a middlebox repeats a poll and keeps what it brings: asks once
    /// more. The server may have the namespace already, and would have it twice.
    fn ask_again(&mut self, id: NamespaceId, now: Instant) {
        let namespace = self.namespaces[id.0].name.clone();
        self.namespaces[id.0].asked_again_in = Some(self.epoch);
        self.command(Command::Leave { namespace }, now);
        self.send_join(id, now);
    }

    /// The server grants a namespace that is in. If it was asked for again, the server was only slow: it has the namespace
    /// twice and would say everything twice, until the session ends.
    pub(super) fn granted_twice(&mut self, id: NamespaceId, now: Instant) {
        let namespace = &self.namespaces[id.0];
        if namespace.is_in() && namespace.asked_again_in == Some(self.epoch) {
            let after = namespace.join_timeout;
            self.shut_because(Error::timeout(Deadline::Join, after).into(), now);
        }
    }

    /// A namespace cannot be had in this session. One that was in before is given up.
    pub(super) fn join_failed(&mut self, id: NamespaceId, error: Error, now: Instant) {
        let namespace = &self.namespaces[id.0];
        let (was_lost, attempts) = (namespace.attempt > 0, namespace.attempt);
        let reason = match &error {
            Error::Disconnected(reason) => reason.clone(),
            error => error.clone().into(),
        };
        self.put_out(id, &reason);
        if was_lost {
            self.tell(id, Status::ReconnectFailed { attempts, error });
            if !self.others_remain(id) && !self.settings.keep_open {
                self.shut(reason, Then::End, now);
            }
        }
    }

    pub(super) fn send_joins(&mut self, now: Instant) {
        for index in 1..self.namespaces.len() {
            self.send_join(NamespaceId(index), now);
        }
    }

    /// Asks the server for a namespace that is joining, if there is a session to do so in.
    pub(super) fn send_join(&mut self, id: NamespaceId, now: Instant) {
        let namespace = &self.namespaces[id.0];
        let comes_along = id == ROOT_ID && self.connect_by.is_some();
        if self.sid.is_none() || !self.link.is_active() || !namespace.is_joining() || comes_along {
            return;
        }
        let command = Command::Join {
            namespace: namespace.name.clone(),
            query: namespace.query.clone(),
        };
        self.command(command, now);
    }

    /// Joins a namespace again that the server disconnected.
    pub(super) fn rejoin(&mut self, id: NamespaceId, now: Instant) {
        let namespace = &mut self.namespaces[id.0];
        namespace.start_joining(now);
        let attempt = namespace.attempt;
        self.tell(id, Status::Reconnecting { attempt });
        self.send_join(id, now);
    }
}
