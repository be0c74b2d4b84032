//! What a session tells, and what follows from it.

use std::mem;
use std::time::Instant;

use bytestring::ByteString;

use super::namespace::State;
use super::{EARLY_EVENTS, Effect, Manager, ROOT, ROOT_ID, countable};
use crate::error::Error;
use crate::payload::Args;
use crate::session::{AckId, Command, Session, SessionEvent};
use crate::status::{DisconnectReason, Status, Transport};

impl<S: Session, W> Manager<S, W> {
    /// Returns the effect of what is only handed on; everything else puts its effects into the queue.
    pub(super) fn session_event(&mut self, event: SessionEvent, now: Instant) -> Option<Effect<W>> {
        match event {
            SessionEvent::Event {
                namespace,
                name,
                args,
                id,
            } => return self.deliver(&namespace, name, args, id),
            SessionEvent::Ack {
                namespace,
                id,
                args,
            } => return self.answer(&namespace, id, args),
            SessionEvent::Identified => self.handshake_by = None,
            SessionEvent::Opened { sid, transport } => {
                self.handshake_by = None;
                self.sid = Some(sid);
                self.transport = Some(transport);
                self.history.opened(transport);
                tracing::debug!(%transport, "session open");
                self.send_joins(now);
            }
            SessionEvent::Upgraded => {
                self.transport = Some(Transport::WebSocket);
                self.history.upgraded();
                tracing::debug!("upgraded");
                self.tell_all(&Status::Upgraded);
            }
            SessionEvent::UpgradeFailed(error) => {
                let error = error.during(self.doing.clone());
                tracing::info!(error = %error.chain(), "upgrade failed");
                self.history.upgrade_failed(error.clone());
                self.tell_all(&Status::UpgradeFailed(error));
            }
            SessionEvent::TransportFailed { transport, error } => {
                let error = error.during(self.doing.clone());
                tracing::info!(%transport, error = %error.chain(), "transport failed");
                self.history.transport_failed(transport, error.clone());
                self.tell_all(&Status::TransportFailed { transport, error });
            }
            SessionEvent::Joined { namespace } => self.joined(&namespace, now),
            SessionEvent::Refused { namespace, reason } => {
                let error = Error::Refused {
                    namespace: namespace.clone(),
                    reason,
                };
                self.refused(&namespace, error, now);
            }
            SessionEvent::Left { namespace } => self.left(&namespace, now),
            SessionEvent::ServerError { namespace, reason } => {
                if let Some(id) = self.find(&namespace) {
                    let status = Status::Error(Error::Server { namespace, reason });
                    self.effects.push_back(Effect::Status(id, status));
                }
            }
            SessionEvent::Latency(latency) => {
                tracing::trace!(?latency, "heartbeat answered");
                self.latency = Some(latency);
            }
            SessionEvent::Tolerated { name, detail } => {
                self.counters.tolerated += 1;
                self.effects.push_back(Effect::Tolerated(name, detail));
            }
            SessionEvent::Closed(reason) => self.over(reason, now),
        }
        None
    }

    fn deliver(
        &mut self,
        name: &str,
        event: ByteString,
        args: Args,
        ack: Option<AckId>,
    ) -> Option<Effect<W>> {
        let Some(id) = self.find(name) else {
            self.counters.dropped_events += 1;
            return None;
        };
        let namespace = &mut self.namespaces[id.0];
        match namespace.state {
            State::In => {
                self.counters.events += 1;
                return Some(Effect::Event {
                    namespace: id,
                    name: event,
                    args,
                    id: ack,
                });
            }
            State::Joining { .. } if namespace.early.len() < EARLY_EVENTS => {
                namespace.early.push_back((event, args, ack));
            }
            _ => self.counters.dropped_events += 1,
        }
        None
    }

    fn answer(&mut self, name: &str, id: AckId, args: Args) -> Option<Effect<W>> {
        let waiter = self
            .find(name)
            .and_then(|found| self.namespaces[found.0].acks.answer(id));
        if waiter.is_none() {
            self.counters.unknown_acks += 1;
        }
        waiter.map(|waiter| Effect::Outcome(waiter, Ok(args)))
    }

    fn joined(&mut self, name: &str, now: Instant) {
        let Some(id) = self.find(name) else { return };
        if !self.link.is_active() {
            return;
        }
        if id == ROOT_ID {
            self.succeeded(now);
        }
        let namespace = &mut self.namespaces[id.0];
        if !namespace.is_joining() {
            self.granted_twice(id, now);
            return;
        }
        namespace.state = State::In;
        namespace.unanswered = 0;
        namespace.returns = true;
        namespace.joins += 1;
        namespace.has_come = true;
        let of_handler = namespace.queue.take_of_waiting_handler();
        namespace.is_held = !namespace.queue.is_empty();
        let again = mem::replace(&mut namespace.was_in, true);
        let attempt = mem::take(&mut namespace.attempt);
        let early = mem::take(&mut namespace.early);
        let (is_held, join) = (namespace.is_held, namespace.joins);
        for emit in of_handler {
            self.send_emit(id, emit, now);
        }
        self.tell(id, Status::Connected { again });
        if attempt > 0 {
            self.tell(id, Status::Reconnected { attempt });
        }
        if is_held && !self.settings.manual_flush {
            let namespace = id;
            self.effects.push_back(Effect::Hook { namespace, join });
        }
        self.effects.push_back(Effect::Joined(id, Ok(())));
        for (event, args, ack) in early {
            let effect = self.deliver(name, event, args, ack);
            self.effects.extend(effect);
        }
    }

    /// The root of a session is there: the attempt has succeeded.
    fn succeeded(&mut self, now: Instant) {
        if self.connect_by.take().is_none() {
            return; // joined again in the same session
        }
        self.history.usable(now);
        if self.attempts.success() > 0 {
            self.counters.reconnects += 1;
        }
        if self.namespaces[ROOT_ID.0].is_left {
            // It came along, and is not wanted.
            self.namespaces[ROOT_ID.0].spent_in = Some(self.epoch);
            if S::REJOINS {
                let namespace = ROOT.into();
                self.command(Command::Leave { namespace }, now);
            }
        }
    }

    fn refused(&mut self, name: &str, error: Error, now: Instant) {
        let Some(id) = self.find(name) else { return };
        if !self.link.is_active() {
            return;
        }
        if id == ROOT_ID && self.connect_by.is_some() {
            // The engine session stays open on the server, but nothing can be done with it.
            self.shut_because(error.into(), now);
        } else if self.namespaces[id.0].is_joining() {
            self.join_failed(id, error, now);
        }
    }

    /// The server disconnected a namespace.
    fn left(&mut self, name: &str, now: Instant) {
        let Some(id) = self.find(name) else { return };
        let reason = DisconnectReason::Server;
        match self.namespaces[id.0].state {
            State::In if self.link.is_active() => {}
            State::Joining { .. } if self.link.is_active() => {
                if id == ROOT_ID && self.connect_by.is_some() {
                    self.shut_because(reason, now);
                } else {
                    self.join_failed(id, Error::Disconnected(reason), now);
                }
                return;
            }
            _ => return,
        }
        let alone = !self.others_remain(id) && !self.settings.keep_open;
        let returns = self.attempts.is_after_server();
        // The root comes with a session, and on 0.9 every namespace does so only once.
        if alone || (returns && (id == ROOT_ID || !S::REJOINS)) {
            self.shut_because(reason, now);
        } else if returns {
            let delay = self.attempts.pause();
            self.lose(id, &reason);
            self.namespaces[id.0].attempt = 1;
            self.namespaces[id.0].state = State::Lost {
                reason,
                at: Some(now + countable(delay)),
            };
            self.tell(id, Status::ReconnectScheduled { attempt: 1, delay });
        } else {
            self.put_out(id, &reason);
        }
    }
}
