//! One connection as a program knows it: its namespaces, acks and waiting emits, above whatever session carries it.
//!
//! Like a [session](crate::session) the manager does no I/O and reads no clock, and follows the same contract: after
//! every call with `&mut self`, carry out [`poll_effect`](Manager::poll_effect) until it returns `None`, and call
//! [`handle_timeout`](Manager::handle_timeout) at [`poll_timeout`](Manager::poll_timeout).
//!
//! ```text
//!          open()            prepared(Ok)         close(), deadline         session: Closed
//!  Closed ───────► Preparing ────────────► Active ──────────────────► Closing ──────────────► Closed
//!                      │                      └───────── session: Closed ───────────────────────▲
//!                      └── prepared(Err), close(), deadline ────────────────────────────────────┘
//! ```
//!
//! A namespace is *out*, *joining* or *in*. Emits wait while it is joining and leave, in order, when it is in.

mod namespace;

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use bytestring::ByteString;

use crate::error::{Deadline, Error, UsageError};
use crate::event::Question;
use crate::payload::{Args, Encoded};
use crate::session::{AckId, Command, Input, Io, Output, Session, SessionConfig, SessionEvent};
use crate::status::{DisconnectReason, Status, Transport};

use self::namespace::{Namespace, State, Waiting};

pub use self::namespace::Ask;

/// The name of the root namespace.
pub const ROOT: &str = "/";

/// What a [`Manager`] is made with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From [`open`](Manager::open) until the root namespace is usable.
    pub connect_timeout: Duration,
    /// How many emits may wait in each namespace that is joining.
    pub queue_limit: usize,
    /// Whether the connection stays when the last namespace was left.
    pub keep_open: bool,
}

/// Names a namespace of one manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NamespaceId(usize);

/// The root namespace of every manager.
pub const ROOT_ID: NamespaceId = NamespaceId(0);

/// What to do next.
#[derive(Debug)]
pub enum Effect<W> {
    /// Get ready for a session (look up the name, run hooks), then call [`Manager::prepared`].
    Prepare,
    /// Do this on the network.
    Io(Io),
    /// A namespace changed.
    Status(NamespaceId, Status),
    /// A join, or for the root the connect, has its outcome.
    Joined(NamespaceId, Result<(), Error>),
    /// An event came.
    Event {
        /// The namespace.
        namespace: NamespaceId,
        /// The event's name.
        name: ByteString,
        /// Its arguments.
        args: Args,
        /// The ack the server wants.
        id: Option<AckId>,
    },
    /// A question has its one outcome.
    Outcome(W, Result<Args, Error>),
    /// Something odd but harmless was let pass: the tolerance's name and what came.
    Tolerated(&'static str, ByteString),
    /// The connection is over and nothing is left to do.
    Ended,
}

/// An emit that was not taken, with whoever waits for its ack.
#[derive(Debug)]
pub struct NotTaken<W> {
    /// Why.
    pub error: Error,
    /// Who asked.
    pub waiter: Option<W>,
}

/// What was counted since the manager was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Events delivered.
    pub events: u64,
    /// Acks that nobody waited for: late, doubled or never asked for.
    pub unknown_acks: u64,
    /// Events for namespaces that are not joined, dropped.
    pub dropped_events: u64,
    /// Times a named tolerance let something odd pass.
    pub tolerated: u64,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Manager<S: Session, W> {
    settings: Settings,
    link: Link<S>,
    /// The root is first and always there.
    namespaces: Vec<Namespace<W>>,
    effects: VecDeque<Effect<W>>,
    epoch: u64,
    sid: Option<ByteString>,
    transport: Option<Transport>,
    latency: Option<Duration>,
    counters: Counters,
}

#[derive(Debug)]
enum Link<S> {
    Closed,
    Preparing,
    Active(Box<S>),
    /// Told to close, and not closed yet.
    Closing(Box<S>),
}

impl<S> Link<S> {
    fn session(&self) -> Option<&S> {
        match self {
            Self::Active(session) | Self::Closing(session) => Some(session),
            Self::Closed | Self::Preparing => None,
        }
    }

    fn session_mut(&mut self) -> Option<&mut S> {
        match self {
            Self::Active(session) | Self::Closing(session) => Some(session),
            Self::Closed | Self::Preparing => None,
        }
    }
}

impl<S: Session, W> Manager<S, W> {
    /// A manager that is not connected.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut manager = Self {
            settings,
            link: Link::Closed,
            namespaces: Vec::new(),
            effects: VecDeque::new(),
            epoch: 0,
            sid: None,
            transport: None,
            latency: None,
            counters: Counters::default(),
        };
        manager.namespace(ROOT);
        manager
    }

    /// The id of a namespace, known before or not.
    pub fn namespace(&mut self, name: &str) -> NamespaceId {
        if let Some(index) = self.find(name) {
            return index;
        }
        self.namespaces.push(Namespace::new(name, S::FIRST_ACK_ID));
        NamespaceId(self.namespaces.len() - 1)
    }

    /// Connects. The outcome is the [`Effect::Joined`] of the root.
    ///
    /// If the root is not `wanted` for itself, the connection closes when the last other namespace was left.
    pub fn open(&mut self, wanted: bool, now: Instant) {
        let after = self.settings.connect_timeout;
        self.epoch += 1;
        self.link = Link::Preparing;
        let root = &mut self.namespaces[ROOT_ID.0];
        root.wanted = wanted;
        root.state = State::Joining {
            deadline: now + after,
            after,
        };
        self.effects.push_back(Effect::Prepare);
    }

    /// The answer to [`Effect::Prepare`].
    pub fn prepared(&mut self, config: Result<SessionConfig<S::Options>, Error>, now: Instant) {
        if !matches!(self.link, Link::Preparing) {
            return; // closed meanwhile
        }
        match config {
            Ok(config) => {
                let session = S::start(config, self.connect_by(now), now);
                self.link = Link::Active(Box::new(session));
            }
            Err(error) => self.end(&error.into()),
        }
    }

    /// When the root has to be usable.
    fn connect_by(&self, now: Instant) -> Instant {
        match self.namespaces[ROOT_ID.0].state {
            State::Joining { deadline, .. } => deadline,
            _ => now,
        }
    }

    /// Joins a namespace; its outcome is the [`Effect::Joined`], `after` the moment `since` at the latest. Joined already,
    /// it has it at once.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if there is no connection, or it is about to be closed. [`UsageError::Unsupported`] if
    /// the namespace was left before and the protocol cannot join it again.
    pub fn join(
        &mut self,
        id: NamespaceId,
        query: Option<ByteString>,
        since: Instant,
        after: Duration,
        now: Instant,
    ) -> Result<(), Error> {
        if matches!(self.link, Link::Closed | Link::Closing(_)) {
            return Err(self.reason(ROOT_ID).into_error());
        }
        let namespace = &mut self.namespaces[id.0];
        if !S::REJOINS && namespace.spent_in == Some(self.epoch) {
            return Err(UsageError::Unsupported {
                what: "joining a namespace again in the same session",
                instead: "connect anew; the server would run its handlers twice",
            }
            .into());
        }
        namespace.wanted = true;
        match namespace.state {
            State::In => self.effects.push_back(Effect::Joined(id, Ok(()))),
            State::Joining { .. } => {}
            State::Out(_) => {
                namespace.query = query;
                namespace.state = State::Joining {
                    deadline: since + after,
                    after,
                };
                if self.sid.is_some() {
                    self.send_join(id, now);
                }
            }
        }
        Ok(())
    }

    /// Leaves a namespace. When it was the last one and the connection is not to be kept, closes.
    pub fn leave(&mut self, id: NamespaceId, now: Instant) {
        let namespace = &self.namespaces[id.0];
        if matches!(namespace.state, State::Out(_)) {
            return;
        }
        let command = Command::Leave {
            namespace: namespace.name.clone(),
        };
        let others = self.others_remain(id);
        if others || self.settings.keep_open {
            self.command(command, now);
            self.put_out(id, &DisconnectReason::Client);
        } else {
            self.close(now);
        }
    }

    /// Closes: what was emitted before is sent, then the session ends. Acks still out are told at once.
    pub fn close(&mut self, now: Instant) {
        self.close_because(&DisconnectReason::Client, now);
    }

    fn close_because(&mut self, reason: &DisconnectReason, now: Instant) {
        match mem::replace(&mut self.link, Link::Closed) {
            Link::Closed => {}
            Link::Preparing => self.end(reason),
            Link::Active(mut session) => {
                session.handle_command(Command::Close, now);
                self.link = Link::Closing(session);
                self.put_all_out(reason);
            }
            closing @ Link::Closing(_) => self.link = closing,
        }
    }

    /// Emits an event, at once or when the namespace is in.
    ///
    /// # Errors
    /// The emit was not taken: the namespace is out, or too many wait already.
    pub fn emit(
        &mut self,
        id: NamespaceId,
        payload: Encoded,
        ask: Option<Ask<W>>,
        now: Instant,
    ) -> Result<(), NotTaken<W>> {
        let limit = self.settings.queue_limit;
        let namespace = &mut self.namespaces[id.0];
        let error = match &namespace.state {
            State::In => {
                self.send_emit(id, payload, ask, now);
                return Ok(());
            }
            State::Joining { .. } if namespace.waiting.len() < limit => {
                namespace.wait(Waiting { payload, ask });
                return Ok(());
            }
            State::Joining { .. } => UsageError::QueueFull {
                namespace: namespace.name.clone(),
                limit,
            }
            .into(),
            State::Out(reason) => Error::Disconnected(reason.clone()),
        };
        let waiter = ask.map(|ask| ask.waiter);
        Err(NotTaken { error, waiter })
    }

    /// Sends the answer to a question of the server.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if the connection the question came over is gone.
    pub fn reply(
        &mut self,
        question: &Question,
        payload: Encoded,
        now: Instant,
    ) -> Result<(), Error> {
        let id = self.find(&question.namespace).unwrap_or(ROOT_ID);
        if question.epoch != self.epoch || !self.namespaces[id.0].is_in() {
            return Err(Error::Disconnected(self.reason(id)));
        }
        let command = Command::Ack {
            namespace: question.namespace.clone(),
            id: question.id,
            payload,
        };
        self.command(command, now);
        Ok(())
    }

    /// Something arrived from the network.
    pub fn handle_input(&mut self, input: Input, now: Instant) {
        if let Some(session) = self.link.session_mut() {
            session.handle_input(input, now);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        for index in 0..self.namespaces.len() {
            let namespace = &mut self.namespaces[index];
            while let Some((waiter, after)) = namespace.acks.expire(now) {
                let error = Error::Timeout {
                    deadline: Deadline::Ack,
                    after,
                };
                self.effects.push_back(Effect::Outcome(waiter, Err(error)));
            }
            for ask in namespace.expire_waiting(now) {
                let error = Error::Timeout {
                    deadline: Deadline::Ack,
                    after: ask.after,
                };
                self.effects
                    .push_back(Effect::Outcome(ask.waiter, Err(error)));
            }
            if let State::Joining { deadline, after } = namespace.state
                && deadline <= now
            {
                self.join_expired(NamespaceId(index), after, now);
            }
        }
        if let Some(session) = self.link.session_mut() {
            session.handle_timeout(now);
        }
    }

    /// The next effect; `None` until the next call with `&mut self`.
    pub fn poll_effect(&mut self, now: Instant) -> Option<Effect<W>> {
        loop {
            if let Some(effect) = self.effects.pop_front() {
                return Some(effect);
            }
            match self.link.session_mut()?.poll_output()? {
                Output::Io(io) => return Some(Effect::Io(io)),
                Output::Event(event) => self.session_event(event, now),
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let session = self.link.session().and_then(Session::poll_timeout);
        self.namespaces
            .iter()
            .flat_map(|namespace| {
                let join = match namespace.state {
                    State::Joining { deadline, .. } => Some(deadline),
                    _ => None,
                };
                [
                    join,
                    namespace.waiting_deadline,
                    namespace.acks.next_deadline(),
                ]
            })
            .chain([session])
            .flatten()
            .min()
    }

    /// Bytes commanded and not yet put out by the session.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.link.session().map_or(0, Session::backlog)
    }

    /// Which connection this is, counted from 1; see [`Question::epoch`].
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether a namespace is usable.
    #[must_use]
    pub fn is_in(&self, id: NamespaceId) -> bool {
        self.namespaces[id.0].is_in()
    }

    /// Whether the connection is over, or was never opened.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.link, Link::Closed)
    }

    /// Whether the connection is over, or about to be.
    #[must_use]
    pub fn is_closing_or_closed(&self) -> bool {
        matches!(self.link, Link::Closed | Link::Closing(_))
    }

    /// Why a namespace is not usable.
    #[must_use]
    pub fn reason(&self, id: NamespaceId) -> DisconnectReason {
        match &self.namespaces[id.0].state {
            State::Out(reason) => reason.clone(),
            _ => DisconnectReason::NotYet,
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

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn session_event(&mut self, event: SessionEvent, now: Instant) {
        match event {
            SessionEvent::Event {
                namespace,
                name,
                args,
                id,
            } => self.deliver(&namespace, name, args, id),
            SessionEvent::Ack {
                namespace,
                id,
                args,
            } => self.answer(&namespace, id, args),
            SessionEvent::Opened { sid, transport } => {
                self.sid = Some(sid);
                self.transport = Some(transport);
                self.send_joins(now);
            }
            SessionEvent::Upgraded => {
                self.transport = Some(Transport::WebSocket);
                self.tell_all(&Status::Upgraded);
            }
            SessionEvent::UpgradeFailed(error) => self.tell_all(&Status::UpgradeFailed(error)),
            SessionEvent::TransportFailed { transport, error } => {
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
            SessionEvent::Latency(latency) => self.latency = Some(latency),
            SessionEvent::Tolerated { name, detail } => {
                self.counters.tolerated += 1;
                self.effects.push_back(Effect::Tolerated(name, detail));
            }
            SessionEvent::Closed(reason) => self.end(&reason),
        }
    }

    fn deliver(&mut self, name: &str, event: ByteString, args: Args, ack: Option<AckId>) {
        let Some(id) = self.find(name) else {
            self.counters.dropped_events += 1;
            return;
        };
        let limit = self.settings.queue_limit;
        let namespace = &mut self.namespaces[id.0];
        match namespace.state {
            State::In => {
                self.counters.events += 1;
                self.effects.push_back(Effect::Event {
                    namespace: id,
                    name: event,
                    args,
                    id: ack,
                });
            }
            State::Joining { .. } if namespace.early.len() < limit => {
                namespace.early.push_back((event, args, ack));
            }
            _ => self.counters.dropped_events += 1,
        }
    }

    fn answer(&mut self, name: &str, id: AckId, args: Args) {
        let waiter = self
            .find(name)
            .and_then(|found| self.namespaces[found.0].acks.answer(id));
        match waiter {
            Some(waiter) => self.effects.push_back(Effect::Outcome(waiter, Ok(args))),
            None => self.counters.unknown_acks += 1,
        }
    }

    fn joined(&mut self, name: &str, now: Instant) {
        let Some(id) = self.find(name) else { return };
        let namespace = &mut self.namespaces[id.0];
        if !namespace.is_joining() {
            return;
        }
        namespace.state = State::In;
        let waiting = namespace.take_waiting();
        let early = mem::take(&mut namespace.early);
        self.effects
            .push_back(Effect::Status(id, Status::Connected));
        self.effects.push_back(Effect::Joined(id, Ok(())));
        for (event, args, ack) in early {
            self.deliver(name, event, args, ack);
        }
        for Waiting { payload, ask } in waiting {
            self.send_emit(id, payload, ask, now);
        }
    }

    fn refused(&mut self, name: &str, error: Error, now: Instant) {
        let Some(id) = self.find(name) else { return };
        if !self.namespaces[id.0].is_joining() {
            return;
        }
        let reason = DisconnectReason::from(error);
        if id == ROOT_ID {
            // The engine session stays open on the server, but nothing can be done with it.
            self.close_because(&reason, now);
        } else {
            self.put_out(id, &reason);
        }
    }

    fn left(&mut self, name: &str, now: Instant) {
        let Some(id) = self.find(name) else { return };
        self.put_out(id, &DisconnectReason::Server);
        if !self.others_remain(id) && !self.settings.keep_open {
            self.close_because(&DisconnectReason::Server, now);
        }
    }

    fn join_expired(&mut self, id: NamespaceId, after: Duration, now: Instant) {
        let deadline = if id == ROOT_ID {
            Deadline::Connect
        } else {
            Deadline::Join
        };
        let reason = DisconnectReason::from(Error::Timeout { deadline, after });
        if id == ROOT_ID {
            self.close_because(&reason, now);
        } else {
            // The server may grant it after all; it must not believe that somebody listens.
            let namespace = self.namespaces[id.0].name.clone();
            self.command(Command::Leave { namespace }, now);
            self.put_out(id, &reason);
            self.namespaces[id.0].spent_in = Some(self.epoch);
        }
    }

    fn send_joins(&mut self, now: Instant) {
        for index in 1..self.namespaces.len() {
            if self.namespaces[index].is_joining() {
                self.send_join(NamespaceId(index), now);
            }
        }
    }

    fn send_join(&mut self, id: NamespaceId, now: Instant) {
        let namespace = &self.namespaces[id.0];
        let command = Command::Join {
            namespace: namespace.name.clone(),
            query: namespace.query.clone(),
        };
        self.command(command, now);
    }

    fn send_emit(&mut self, id: NamespaceId, payload: Encoded, ask: Option<Ask<W>>, now: Instant) {
        let namespace = &mut self.namespaces[id.0];
        let ack = ask.map(|ask| namespace.acks.ask(ask.waiter, ask.deadline, ask.after));
        let command = Command::Emit {
            namespace: namespace.name.clone(),
            id: ack,
            payload,
        };
        self.command(command, now);
    }

    fn command(&mut self, command: Command, now: Instant) {
        if let Some(session) = self.link.session_mut() {
            session.handle_command(command, now);
        }
    }

    /// The session is over, or never came to be.
    fn end(&mut self, reason: &DisconnectReason) {
        self.link = Link::Closed;
        self.put_all_out(reason);
        self.sid = None;
        self.transport = None;
        self.effects.push_back(Effect::Ended);
    }

    fn put_all_out(&mut self, reason: &DisconnectReason) {
        for index in 0..self.namespaces.len() {
            self.put_out(NamespaceId(index), reason);
        }
    }

    /// Ends a namespace: everybody who waits in it is told, once.
    fn put_out(&mut self, id: NamespaceId, reason: &DisconnectReason) {
        let namespace = &mut self.namespaces[id.0];
        let was = mem::replace(&mut namespace.state, State::Out(reason.clone()));
        let queued = namespace
            .take_waiting()
            .into_iter()
            .filter_map(|waiting| waiting.ask.map(|ask| ask.waiter));
        let waiters: Vec<W> = namespace.acks.drain().into_iter().chain(queued).collect();
        namespace.early.clear();
        for waiter in waiters {
            let error = Error::Disconnected(reason.clone());
            self.effects.push_back(Effect::Outcome(waiter, Err(error)));
        }
        match was {
            State::Out(before) => self.namespaces[id.0].state = State::Out(before),
            State::Joining { .. } => {
                let outcome = Err(reason.clone().into_error());
                self.effects.push_back(Effect::Joined(id, outcome));
            }
            State::In => {
                self.namespaces[id.0].spent_in = Some(self.epoch);
                let status = Status::Disconnected(reason.clone());
                self.effects.push_back(Effect::Status(id, status));
            }
        }
    }

    fn tell_all(&mut self, status: &Status) {
        for (index, namespace) in self.namespaces.iter().enumerate() {
            if !matches!(namespace.state, State::Out(_)) {
                let effect = Effect::Status(NamespaceId(index), status.clone());
                self.effects.push_back(effect);
            }
        }
    }

    fn others_remain(&self, id: NamespaceId) -> bool {
        self.namespaces
            .iter()
            .enumerate()
            .any(|(index, namespace)| {
                index != id.0 && namespace.wanted && !matches!(namespace.state, State::Out(_))
            })
    }

    fn find(&self, name: &str) -> Option<NamespaceId> {
        // Programs have few namespaces, and mostly the root: a scan beats a table.
        self.namespaces
            .iter()
            .position(|namespace| namespace.name == *name)
            .map(NamespaceId)
    }
}

impl DisconnectReason {
    /// The error a waiting caller gets: the cause itself where there is one.
    #[must_use]
    pub fn into_error(self) -> Error {
        match self {
            Self::Error(error) => *error,
            reason => Error::Disconnected(reason),
        }
    }
}

#[cfg(test)]
mod tests;
