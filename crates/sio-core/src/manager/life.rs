//! How sessions begin and end, and what follows on a session.

use std::mem;
use std::time::Instant;

use super::namespace::State;
use super::{Effect, Expiry, Link, Manager, NamespaceId, ROOT_ID, Then, countable};
use crate::error::Error;
use crate::session::{Command, Session};
use crate::status::{DisconnectReason, Status};

impl<S: Session, W> Manager<S, W> {
    /// Begins a session after a loss.
    pub(super) fn next_attempt(&mut self, now: Instant) {
        self.attempt(Expiry::new(now, self.settings.connect_timeout), now);
    }

    /// Begins a session, which has to bring the root in time.
    pub(super) fn attempt(&mut self, limit: Expiry, now: Instant) {
        self.epoch += 1;
        self.history.attempt();
        self.link = Link::Preparing;
        let attempt = self.attempts.number();
        self.connect_by = Some(limit);
        self.namespaces[ROOT_ID.0].join_timeout = limit.after;
        for (index, namespace) in self.namespaces.iter_mut().enumerate() {
            let is_lost = matches!(namespace.state, State::Lost { .. });
            let is_retried = namespace.returns && namespace.is_joining();
            let is_root = index == ROOT_ID.0 && !namespace.is_left;
            // Whoever joins the root for the first time has a deadline, whatever becomes of the attempts.
            let is_new = namespace.is_joining() && !namespace.returns;
            namespace.unanswered = 0;
            if (is_root && !is_new) || is_lost || is_retried {
                namespace.attempt = attempt;
                namespace.start_joining(now);
            }
        }
        if attempt > 0 {
            self.tell_returning(&Status::Reconnecting { attempt });
        }
        let after = self.loss.clone();
        self.effects.push_back(Effect::Prepare { attempt, after });
    }

    /// Ends the session; it is made again if the policy says so.
    pub(super) fn shut_because(&mut self, reason: DisconnectReason, now: Instant) {
        let then = self.what_follows(&reason);
        self.shut(reason, then, now);
    }

    fn what_follows(&self, reason: &DisconnectReason) -> Then {
        if self.attempts.go_on_after(reason) {
            Then::Reconnect
        } else {
            Then::End
        }
    }

    pub(super) fn shut(&mut self, reason: DisconnectReason, then: Then, now: Instant) {
        match mem::replace(&mut self.link, Link::Closed) {
            Link::Closed => {}
            Link::Preparing | Link::Waiting { .. } => self.conclude(reason, then, now),
            Link::Active(session) => {
                self.link = Link::Active(session);
                self.connect_by = None;
                self.handshake_by = None;
                if matches!(reason, DisconnectReason::Client) {
                    for index in 0..self.namespaces.len() {
                        self.flush_held(NamespaceId(index), now);
                    }
                }
                self.command(Command::Close, now);
                if let Link::Active(session) = mem::replace(&mut self.link, Link::Closed) {
                    let reason = reason.clone();
                    self.link = Link::Closing {
                        session,
                        reason,
                        then,
                    };
                }
                self.let_go_of_all(&reason, then);
            }
            // What ends for good is not made again; what was to be made again may be ended.
            Link::Closing {
                session,
                reason: before,
                then: earlier,
            } => {
                let ends_now = earlier == Then::Reconnect && then == Then::End;
                let (reason, then) = if ends_now {
                    (reason, then)
                } else {
                    (before, earlier)
                };
                self.let_go_of_all(&reason, then);
                self.link = Link::Closing {
                    session,
                    reason,
                    then,
                };
            }
        }
    }

    /// A session is over, or never came to be.
    pub(super) fn over(&mut self, reason: DisconnectReason, now: Instant) {
        self.keep_traffic();
        let (reason, then) = match mem::replace(&mut self.link, Link::Closed) {
            Link::Closing { reason, then, .. } => (reason, then),
            _ => {
                let then = self.what_follows(&reason);
                (reason, then)
            }
        };
        self.conclude(reason, then, now);
    }

    /// Nothing is left of a session: waits for the next attempt, or ends.
    fn conclude(&mut self, reason: DisconnectReason, then: Then, now: Instant) {
        let attempt = self.attempts.number();
        tracing::debug!(%reason, "session over");
        self.history.over(&reason);
        self.link = Link::Closed;
        self.connect_by = None;
        self.handshake_by = None;
        self.sid = None;
        self.transport = None;
        self.latency = None;
        self.let_go_of_all(&reason, then);
        if then == Then::Reconnect {
            self.effects.push_back(Effect::HangUp);
            let error = reason.clone().into_error();
            self.loss = Some(reason.clone());
            if let Some(delay) = self.attempts.next() {
                let until = now + countable(delay);
                self.link = Link::Waiting { until };
                let attempt = self.attempts.number();
                self.tell_returning(&Status::ReconnectScheduled { attempt, delay });
                return;
            }
            let attempts = attempt;
            self.tell_returning(&Status::ReconnectFailed { attempts, error });
            self.let_go_of_all(&reason, Then::End);
        }
        self.loss = None;
        self.effects.push_back(Effect::Ended);
    }

    fn let_go_of_all(&mut self, reason: &DisconnectReason, then: Then) {
        for index in 0..self.namespaces.len() {
            match then {
                Then::End => self.put_out(NamespaceId(index), reason),
                Then::Reconnect => self.lose(NamespaceId(index), reason),
            }
        }
    }

    /// Ends a namespace for good: everybody who waits in it is told, once.
    pub(super) fn put_out(&mut self, id: NamespaceId, reason: &DisconnectReason) {
        self.drain_acks(id, reason);
        let namespace = &mut self.namespaces[id.0];
        let was = mem::replace(&mut namespace.state, State::Out(reason.clone()));
        namespace.returns = false;
        namespace.is_held = false;
        namespace.has_come = false;
        namespace.attempt = 0;
        let was_in = namespace.was_in;
        namespace.early.clear();
        for emit in namespace.queue.take() {
            self.counters.dropped_emits += 1;
            if let Some(ask) = emit.ask {
                let error = Error::Disconnected(reason.clone());
                self.effects
                    .push_back(Effect::Outcome(ask.waiter, Err(error)));
            }
        }
        match was {
            State::Out(before) => {
                self.namespaces[id.0].state = State::Out(before);
                return;
            }
            State::Joining { .. } | State::Lost { .. } => {
                let outcome = Err(reason.clone().into_error());
                self.effects.push_back(Effect::Joined(id, outcome));
            }
            State::In => {
                self.namespaces[id.0].spent_in = Some(self.epoch);
                self.tell(id, Status::Disconnected(reason.clone()));
            }
        }
        let namespace = id;
        self.effects.push_back(Effect::Out { namespace, was_in });
    }

    /// Takes a namespace out until the next session. What waits in it goes on waiting; acks do not come any more.
    pub(super) fn lose(&mut self, id: NamespaceId, reason: &DisconnectReason) {
        let namespace = &mut self.namespaces[id.0];
        namespace.early.clear();
        namespace.is_held = false;
        let lost = State::Lost {
            reason: reason.clone(),
            at: None,
        };
        match namespace.state {
            State::Out(_) => {}
            State::Lost { .. } => namespace.state = lost,
            State::Joining { .. } if namespace.returns => {
                let (has_come, attempt) = (namespace.has_come, namespace.attempt);
                namespace.state = lost;
                let error = reason.clone().into_error();
                let told = error.clone();
                self.tell(
                    id,
                    Status::ReconnectError {
                        attempt,
                        error: told,
                    },
                );
                // Whoever opened it has one outcome, however often that is retried.
                if has_come {
                    self.effects.push_back(Effect::Joined(id, Err(error)));
                }
            }
            // Its own deadline stands.
            State::Joining { .. } => {}
            State::In => {
                namespace.state = lost;
                namespace.spent_in = Some(self.epoch);
                self.drain_acks(id, reason);
                self.tell(id, Status::Disconnected(reason.clone()));
            }
        }
    }

    /// Everybody who waits for an ack of a namespace is told that none will come.
    fn drain_acks(&mut self, id: NamespaceId, reason: &DisconnectReason) {
        for waiter in self.namespaces[id.0].acks.drain() {
            let error = Error::Disconnected(reason.clone());
            self.effects.push_back(Effect::Outcome(waiter, Err(error)));
        }
    }
}
