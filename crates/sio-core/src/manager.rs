//! One connection as a program knows it: its namespaces, acks and waiting emits, above whatever session carries it.
//!
//! Like a [session](crate::session) the manager does no I/O and reads no clock, and follows the same contract: after
//! every call with `&mut self`, carry out [`poll_effect`](Manager::poll_effect) until it returns `None`, and call
//! [`handle_timeout`](Manager::handle_timeout) at [`poll_timeout`](Manager::poll_timeout).
//!
//! ```text
//!         join()             prepared(Ok)          close(), deadline           session: Closed
//!  Closed ──────► Preparing ──────────────► Active ──────────────────► Closing ───────────────► over?
//!                  ▲     │                     │ session: Closed
//!       delay over │     │ prepared(Err),      └──────────────────────────────────────────────► over?
//!        or join() │     │ deadline
//!                  │     └────────────────────────────────────────────────────────────────────► over?
//!               Waiting ◄── it is made again ── over? ── it is not, or close() ──► Closed
//! ```
//!
//! Every way from Preparing to the end of a session is an *attempt*. What is over is made again by the policy in
//! [`Reconnect`]; `close()` wins in every state.
//!
//! A namespace is *out*, *joining*, *in* or *lost*: it was in and will be joined with the next session. Emits wait while
//! it is joining or lost. When it is in, its hook runs first, then they leave in order; what the hook itself emits goes
//! before them.

mod attempts;
mod history;
mod inbound;
mod joining;
mod life;
mod looking;
mod namespace;
mod queue;
mod recording;

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use bytestring::ByteString;

use crate::bounds::{Bounds, Overflow};
use crate::error::{Deadline, Dropped, Error, UsageError};
use crate::event::Question;
use crate::payload::{Args, Encoded};
use crate::reconnect::Reconnect;
use crate::report::Counters;
use crate::session::{AckId, Command, Input, Io, Output, Session, SessionConfig};
use crate::status::{DisconnectReason, Status, Transport};
use crate::wire_log::Recorder;

use self::attempts::Attempts;
use self::history::History;
use self::namespace::{Namespace, State};

pub use self::namespace::{Ask, Emit, Expiry, Origin, countable};

/// The name of the root namespace.
pub const ROOT: &str = "/";

/// What a [`Manager`] is made with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long an attempt may take, from its start until the root namespace is usable.
    pub connect_timeout: Duration,
    /// How long a session may take from its start until the server has given it an id; `None` is as long as the attempt.
    pub handshake_timeout: Option<Duration>,
    /// What may wait in each namespace that is joining or lost.
    pub queue: Bounds,
    /// Whether what waits leaves only when [`flush`](Manager::flush) is called.
    pub manual_flush: bool,
    /// When a connection is made again.
    pub reconnect: Reconnect,
    /// Where the chance in the delays begins.
    pub seed: u64,
    /// Whether the connection stays when the last namespace was left.
    pub keep_open: bool,
}

/// Names a namespace of one manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NamespaceId(usize);

/// The root namespace of every manager.
pub const ROOT_ID: NamespaceId = NamespaceId(0);

/// How many events may come before a namespace's connect packet. No server is known to send more than a few.
const EARLY_EVENTS: usize = 1000;

/// What to do next.
#[derive(Debug)]
pub enum Effect<W> {
    /// Get ready for a session (run hooks, look up the name), then call [`Manager::prepared`].
    Prepare {
        /// Which attempt it is: 0 is the first connect, *n* the n-th after a loss.
        attempt: u32,
        /// What the one before ended with.
        after: Option<DisconnectReason>,
    },
    /// Do this on the network.
    Io(Io),
    /// No session is left: let go of what carried it.
    HangUp,
    /// A namespace changed.
    Status(NamespaceId, Status),
    /// A namespace is out: nothing comes in it until it is opened or joined again.
    Out {
        /// The namespace.
        namespace: NamespaceId,
        /// Whether it was in before.
        was_in: bool,
    },
    /// Emits wait in a namespace that is in: once its hook has run, call [`Manager::release`].
    Hook {
        /// The namespace.
        namespace: NamespaceId,
        /// Which of its joins this is.
        join: u64,
    },
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

/// What became of an emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The session has it.
    Sent,
    /// It waits for the connection.
    Queued,
    /// It was given up, as it was told to be.
    Dropped,
}

/// An emit that was not taken, with whoever waits for its ack.
#[derive(Debug)]
pub struct NotTaken<W> {
    /// Why.
    pub error: Error,
    /// Who asked.
    pub waiter: Option<W>,
}

/// An emit that waits for the connection, as a program sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queued {
    /// Its name and arguments.
    pub payload: Encoded,
    /// Whether somebody waits for its ack.
    pub asks: bool,
    /// When it will be given up.
    pub expires: Option<Instant>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Manager<S: Session, W> {
    settings: Settings,
    link: Link<S>,
    attempts: Attempts,
    /// Until when the attempt that is made has to bring the root.
    connect_by: Option<Expiry>,
    /// What the network was last said to be busy with.
    doing: Option<ByteString>,
    /// When the session has to be open.
    handshake_by: Option<Expiry>,
    /// What the last session or attempt ended with.
    loss: Option<DisconnectReason>,
    /// The root is first and always there.
    namespaces: Vec<Namespace<W>>,
    effects: VecDeque<Effect<W>>,
    epoch: u64,
    sid: Option<ByteString>,
    transport: Option<Transport>,
    latency: Option<Duration>,
    /// Without the packets of the session that is there.
    counters: Counters,
    recorder: Option<Box<Recorder>>,
    history: History,
}

#[derive(Debug)]
enum Link<S> {
    Closed,
    Preparing,
    Active(Box<S>),
    /// Told to close for this reason, and not closed yet.
    Closing {
        session: Box<S>,
        reason: DisconnectReason,
        then: Then,
    },
    /// Until the next attempt.
    Waiting {
        until: Instant,
    },
}

/// What follows the end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    End,
    Reconnect,
}

impl<S> Link<S> {
    fn session(&self) -> Option<&S> {
        match self {
            Self::Active(session) | Self::Closing { session, .. } => Some(session),
            Self::Closed | Self::Preparing | Self::Waiting { .. } => None,
        }
    }

    fn session_mut(&mut self) -> Option<&mut S> {
        match self {
            Self::Active(session) | Self::Closing { session, .. } => Some(session),
            Self::Closed | Self::Preparing | Self::Waiting { .. } => None,
        }
    }

    fn is_active(&self) -> bool {
        matches!(self, Self::Active(_))
    }

    /// Closed, or about to be for good.
    fn is_ending(&self) -> bool {
        let closing = matches!(
            self,
            Self::Closing {
                then: Then::End,
                ..
            }
        );
        closing || matches!(self, Self::Closed)
    }
}

impl<S: Session, W> Manager<S, W> {
    /// A manager that is not connected.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let attempts = Attempts::new(settings.reconnect.clone(), settings.seed);
        let mut manager = Self {
            settings,
            link: Link::Closed,
            attempts,
            connect_by: None,
            handshake_by: None,
            doing: None,
            loss: None,
            // Most connections have only the root, and room for four would be a kilobyte more.
            namespaces: Vec::with_capacity(1),
            effects: VecDeque::new(),
            epoch: 0,
            sid: None,
            transport: None,
            latency: None,
            counters: Counters::default(),
            recorder: None,
            history: History::default(),
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

    // --- what programs want -------------------------------------------------------------------------------------

    /// Joins a namespace, with the query it had before; its outcome is the [`Effect::Joined`].
    ///
    /// Joined already, it has it at once. Without a connection one is opened; between two attempts to make one again,
    /// the next one is made now. The namespace has the connect timeout.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn open(&mut self, id: NamespaceId, now: Instant) -> Result<(), Error> {
        self.enter(id, now, self.settings.connect_timeout, now)
    }

    /// Joins a namespace with a query of its own; as [`open`](Self::open), but its outcome comes `after` the moment `since`
    /// at the latest.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if the connection is about to be closed for good. [`UsageError::Unsupported`] if the
    /// namespace was left before in this session and the protocol cannot join it again.
    pub fn join(
        &mut self,
        id: NamespaceId,
        query: Option<ByteString>,
        since: Instant,
        after: Duration,
        now: Instant,
    ) -> Result<(), Error> {
        let namespace = &mut self.namespaces[id.0];
        if namespace.is_out() {
            namespace.query = query;
        }
        self.enter(id, since, after, now)
    }

    fn enter(
        &mut self,
        id: NamespaceId,
        since: Instant,
        after: Duration,
        now: Instant,
    ) -> Result<(), Error> {
        if let Link::Closing {
            reason,
            then: Then::End,
            ..
        } = &self.link
        {
            return Err(reason.clone().into_error());
        }
        let namespace = &mut self.namespaces[id.0];
        let is_spent = self.link.is_active() && namespace.spent_in == Some(self.epoch);
        if is_spent && !S::REJOINS {
            return Err(UsageError::Unsupported {
                what: "joining a namespace again in the same session",
                instead: "connect anew; the server would run its handlers twice",
            }
            .into());
        }
        namespace.wanted = true;
        namespace.is_left = false;
        match namespace.state {
            State::In => self.effects.push_back(Effect::Joined(id, Ok(()))),
            State::Joining { .. } => {}
            State::Out(_) => {
                namespace.attempt = 0;
                namespace.join_timeout = after;
                namespace.state = State::Joining {
                    deadline: since + after,
                    after,
                };
                self.send_join(id, now);
            }
            // The server had disconnected it; this session can have it back sooner than planned.
            State::Lost { at: Some(_), .. } => self.rejoin(id, now),
            State::Lost { .. } => {}
        }
        match self.link {
            Link::Closed => {
                let limit = if id == ROOT_ID {
                    Expiry::new(since, after)
                } else {
                    Expiry::new(now, self.settings.connect_timeout)
                };
                self.attempts.begin();
                self.history.begin();
                self.loss = None;
                let returns = self.attempts.retries_initial();
                let root = &mut self.namespaces[ROOT_ID.0];
                root.wanted = id == ROOT_ID;
                root.is_left = false;
                root.returns = returns;
                self.namespaces[id.0].returns = returns;
                self.attempt(limit, now);
            }
            Link::Waiting { .. } => self.next_attempt(now),
            Link::Preparing | Link::Active(_) | Link::Closing { .. } => {}
        }
        Ok(())
    }

    /// Leaves a namespace: what waits in it for its hook is sent first. When it was the last one and the connection is not
    /// to be kept, closes.
    pub fn leave(&mut self, id: NamespaceId, now: Instant) {
        if self.namespaces[id.0].is_out() {
            return;
        }
        if !self.others_remain(id) && !self.settings.keep_open {
            self.close(now);
            return;
        }
        self.flush_held(id, now);
        let namespace = &mut self.namespaces[id.0];
        namespace.wanted = false;
        namespace.is_left = true;
        let is_lost = matches!(namespace.state, State::Lost { .. });
        let comes_along = id == ROOT_ID && self.connect_by.is_some();
        // A root that is still to come is left when it has; what was not asked for yet need not be left.
        if !is_lost && !comes_along && self.sid.is_some() {
            namespace.spent_in = Some(self.epoch);
            let namespace = namespace.name.clone();
            self.command(Command::Leave { namespace }, now);
        }
        self.put_out(id, &DisconnectReason::Client);
    }

    /// Closes for good, in whatever state: what was emitted before is sent, then the session ends. Acks still out are told
    /// at once; what waited for a connection is given up.
    pub fn close(&mut self, now: Instant) {
        self.shut(DisconnectReason::Client, Then::End, now);
    }

    /// Ends the session, if there is one, because of an error of this side; it is made again if the policy says so.
    pub fn fail(&mut self, error: Error, now: Instant) {
        if self.link.is_active() {
            self.shut_because(error.into(), now);
        }
    }

    /// Emits an event: at once, or when the namespace is in.
    ///
    /// # Errors
    /// The emit was not taken: the namespace is out, or too many wait already.
    pub fn emit(
        &mut self,
        id: NamespaceId,
        emit: Emit<W>,
        now: Instant,
    ) -> Result<Taken, NotTaken<W>> {
        let namespace = &self.namespaces[id.0];
        let is_ahead = matches!(emit.origin, Origin::Hook | Origin::WaitingHandler);
        if namespace.is_open() || (is_ahead && namespace.is_in()) {
            self.send_emit(id, emit, now);
            return Ok(Taken::Sent);
        }
        let is_out = namespace.is_out();
        if emit.is_volatile && !is_out {
            self.counters.dropped_emits += 1;
            return Ok(Taken::Dropped);
        }
        let bounds = &self.settings.queue;
        let gives_way = emit.ask.is_none() && bounds.overflow == Overflow::DropNewest;
        let error = if is_out || bounds.count == 0 {
            Error::Disconnected(self.reason(id))
        } else if self.make_room(id, &emit) {
            self.namespaces[id.0].queue.push(emit);
            return Ok(Taken::Queued);
        } else if gives_way {
            self.counters.dropped_emits += 1;
            return Ok(Taken::Dropped);
        } else {
            self.queue_full(id)
        };
        let waiter = emit.ask.map(|ask| ask.waiter);
        Err(NotTaken { error, waiter })
    }

    /// Whether an emit fits into the queue, after the oldest ones were given up if the policy says so.
    fn make_room(&mut self, id: NamespaceId, emit: &Emit<W>) -> bool {
        let bounds = &self.settings.queue;
        let queue = &mut self.namespaces[id.0].queue;
        if bounds.overflow == Overflow::DropOldest && bounds.hold(1, emit.payload.size()) {
            while !queue.fits(emit, bounds) {
                let Some(oldest) = queue.pop() else { break };
                let counters = &mut self.counters;
                Self::give_up(oldest, Dropped::Displaced, counters, &mut self.effects);
            }
        }
        queue.fits(emit, bounds)
    }

    fn queue_full(&self, id: NamespaceId) -> Error {
        let namespace = &self.namespaces[id.0];
        UsageError::QueueFull {
            namespace: namespace.name.clone(),
            emits: namespace.queue.len(),
            bytes: namespace.queue.bytes(),
        }
        .into()
    }

    /// An emit that will never leave: whoever waits for its ack is told.
    fn give_up(
        emit: Emit<W>,
        why: Dropped,
        counters: &mut Counters,
        effects: &mut VecDeque<Effect<W>>,
    ) {
        counters.dropped_emits += 1;
        if let Some(ask) = emit.ask {
            effects.push_back(Effect::Outcome(ask.waiter, Err(Error::Dropped(why))));
        }
    }

    /// Events were given up on their way to the program.
    pub fn count_dropped_events(&mut self, events: u64) {
        self.counters.dropped_events += events;
    }

    /// An emit was given up before it came here.
    pub fn count_dropped_emit(&mut self) {
        self.counters.dropped_emits += 1;
    }

    /// The emits of a namespace that wait, oldest first.
    #[must_use]
    pub fn queued(&self, id: NamespaceId) -> Vec<Queued> {
        let waiting = self.namespaces[id.0].queue.iter();
        waiting
            .map(|emit| Queued {
                payload: emit.payload.clone(),
                asks: emit.ask.is_some(),
                expires: emit.expiry().map(|expiry| expiry.at),
            })
            .collect()
    }

    /// Gives up the emits of a namespace that wait; returns how many there were.
    pub fn clear_queue(&mut self, id: NamespaceId) -> usize {
        let queue = &mut self.namespaces[id.0].queue;
        let count = queue.len();
        for emit in queue.take() {
            let counters = &mut self.counters;
            Self::give_up(emit, Dropped::Cleared, counters, &mut self.effects);
        }
        self.open_if_empty(id);
        count
    }

    /// The hook of a namespace has run, after this join of it: sends what waited for it, unless the program wants to do that
    /// itself, or the namespace was joined again since.
    pub fn release(&mut self, id: NamespaceId, join: u64, now: Instant) {
        if self.namespaces[id.0].joins == join {
            self.flush_held(id, now);
        }
    }

    /// Nothing waits for the program any more: what comes need not wait behind it. A hook is waited for nevertheless.
    fn open_if_empty(&mut self, id: NamespaceId) {
        let namespace = &mut self.namespaces[id.0];
        if self.settings.manual_flush && namespace.queue.is_empty() {
            namespace.is_held = false;
        }
    }

    /// Sends the emits of a namespace that waited for its hook, or for the program; returns how many there were. Those that
    /// wait for the connection go on waiting.
    pub fn flush(&mut self, id: NamespaceId, now: Instant) -> usize {
        let namespace = &mut self.namespaces[id.0];
        if !namespace.is_in() || !mem::take(&mut namespace.is_held) {
            return 0;
        }
        let count = namespace.queue.len();
        for emit in namespace.queue.take() {
            self.send_emit(id, emit, now);
        }
        count
    }

    /// Before the end: what waits only for a hook was emitted while connected.
    fn flush_held(&mut self, id: NamespaceId, now: Instant) {
        if !self.settings.manual_flush {
            self.flush(id, now);
        }
    }

    /// Sends the answer to a question of the server.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if the session the question came over is gone.
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

    // --- what happens -------------------------------------------------------------------------------------------

    /// The answer to [`Effect::Prepare`].
    pub fn prepared(&mut self, config: Result<SessionConfig<S::Options>, Error>, now: Instant) {
        if !matches!(self.link, Link::Preparing) {
            return; // closed meanwhile
        }
        match config {
            Ok(config) => {
                let connect_by = self.connect_by.map_or(now, |by| by.at);
                let limit = self.settings.handshake_timeout;
                self.handshake_by = limit.map(|limit| Expiry::new(now, limit));
                if let Some(recorder) = &mut self.recorder {
                    recorder.start(&config, connect_by, now);
                }
                let session = S::start(config, connect_by, now);
                self.link = Link::Active(Box::new(session));
            }
            Err(error) => self.over(error.into(), now),
        }
    }

    /// Something arrived from the network.
    pub fn handle_input(&mut self, input: Input, now: Instant) {
        if let Some(session) = self.link.session_mut() {
            if let Some(recorder) = &mut self.recorder {
                recorder.input(&input, now);
            }
            self.counters.count_input(&input);
            session.handle_input(input, now);
        }
    }

    /// What the network is busy with, for the errors of deadlines that pass; worth asking before
    /// [`handle_timeout`](Self::handle_timeout).
    pub fn set_doing(&mut self, doing: Option<ByteString>) {
        self.doing = doing;
    }

    fn time_is_up(&mut self, deadline: Deadline, after: Duration, now: Instant) {
        let waits_for = self
            .link
            .session_mut()
            .and_then(|session| session.waits_for());
        let error = Error::timeout(deadline, after)
            .during(waits_for.map(ByteString::from_static))
            .during(self.doing.clone());
        self.shut_because(error.into(), now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        for index in 0..self.namespaces.len() {
            self.expire(NamespaceId(index), now);
            // When an attempt fails, the root does with it.
            let is_attempt = index == ROOT_ID.0 && self.connect_by.is_some_and(|by| by.at <= now);
            match self.namespaces[index].state {
                State::Joining { deadline, after } if deadline <= now && !is_attempt => {
                    self.join_expired(NamespaceId(index), after, now);
                }
                State::Lost { at: Some(at), .. } if at <= now => {
                    self.rejoin(NamespaceId(index), now);
                }
                _ => {}
            }
        }
        if let Some(Expiry { at, after }) = self.connect_by
            && at <= now
        {
            self.time_is_up(Deadline::Connect, after, now);
            // Others may have been in before, so that attempts go on; whoever waits for the root has a deadline.
            if let State::Joining { deadline, after } = self.namespaces[ROOT_ID.0].state
                && deadline <= now
            {
                self.join_expired(ROOT_ID, after, now);
            }
        }
        if let Some(Expiry { at, after }) = self.handshake_by
            && at <= now
        {
            self.time_is_up(Deadline::Handshake, after, now);
        }
        if let Link::Waiting { until } = self.link
            && until <= now
        {
            self.next_attempt(now);
        }
        if let Some(session) = self.link.session_mut() {
            if let Some(recorder) = &mut self.recorder
                && session.poll_timeout().is_some_and(|due| due <= now)
            {
                recorder.tick(now);
            }
            session.handle_timeout(now);
        }
    }

    /// Acks that did not come in time, and emits that waited too long.
    fn expire(&mut self, id: NamespaceId, now: Instant) {
        let timed_out = |after| Err(Error::timeout(Deadline::Ack, after));
        let namespace = &mut self.namespaces[id.0];
        while let Some((waiter, after)) = namespace.acks.expire(now) {
            let effect = Effect::Outcome(waiter, timed_out(after));
            self.effects.push_back(effect);
        }
        while let Some((ask, expiry)) = namespace.queue.expire(now) {
            self.counters.dropped_emits += 1;
            if let Some(ask) = ask {
                let effect = Effect::Outcome(ask.waiter, timed_out(expiry.after));
                self.effects.push_back(effect);
            }
        }
        self.open_if_empty(id);
    }

    /// The next effect; `None` until the next call with `&mut self`.
    pub fn poll_effect(&mut self, now: Instant) -> Option<Effect<W>> {
        loop {
            if let Some(effect) = self.effects.pop_front() {
                return Some(effect);
            }
            if self.effects.capacity() > 0 {
                // What comes often does not go this way, and an idle connection keeps no memory for the rest.
                self.effects = VecDeque::new();
            }
            let output = self.link.session_mut()?.poll_output()?;
            if let Some(recorder) = &mut self.recorder {
                recorder.output(&output, now);
            }
            match output {
                Output::Io(io) => {
                    self.counters.count_output(&io);
                    return Some(Effect::Io(io));
                }
                // It may have its effect without the queue, which is empty here.
                Output::Event(event) => {
                    let effect = self.session_event(event, now);
                    if effect.is_some() {
                        return effect;
                    }
                }
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let session = self.link.session().and_then(Session::poll_timeout);
        let attempt = match self.link {
            Link::Waiting { until } => Some(until),
            _ => self.connect_by.map(|by| by.at),
        };
        let handshake = self.handshake_by.map(|by| by.at);
        self.namespaces
            .iter()
            .map(Namespace::next_due)
            .chain([session, attempt, handshake])
            .flatten()
            .min()
    }

    // --- sending ------------------------------------------------------------------------------------------------

    fn send_emit(&mut self, id: NamespaceId, emit: Emit<W>, now: Instant) {
        let namespace = &mut self.namespaces[id.0];
        let ack = emit
            .ask
            .map(|ask| namespace.acks.ask(ask.waiter, ask.expiry));
        let command = Command::Emit {
            namespace: namespace.name.clone(),
            id: ack,
            payload: emit.payload,
        };
        self.command(command, now);
    }

    fn command(&mut self, command: Command, now: Instant) {
        // Nothing follows on the command to close.
        if let Link::Active(session) = &mut self.link {
            if let Some(recorder) = &mut self.recorder {
                recorder.command(&command, now);
            }
            session.handle_command(command, now);
        }
    }

    // --- telling ------------------------------------------------------------------------------------------------

    fn tell(&mut self, id: NamespaceId, status: Status) {
        self.effects.push_back(Effect::Status(id, status));
    }

    fn tell_all(&mut self, status: &Status) {
        self.tell_those(status, |namespace| !namespace.is_out());
    }

    /// Tells the namespaces that are joined with every session.
    fn tell_returning(&mut self, status: &Status) {
        self.tell_those(status, |namespace| namespace.returns);
    }

    fn tell_those(&mut self, status: &Status, which: impl Fn(&Namespace<W>) -> bool) {
        for (index, namespace) in self.namespaces.iter().enumerate() {
            if which(namespace) {
                let effect = Effect::Status(NamespaceId(index), status.clone());
                self.effects.push_back(effect);
            }
        }
    }

    fn others_remain(&self, id: NamespaceId) -> bool {
        self.namespaces
            .iter()
            .enumerate()
            .any(|(index, namespace)| index != id.0 && namespace.wanted && !namespace.is_out())
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
