//! A connection without a network: a manager and the sessions it makes, fed from a tape. Whatever comes, the program is
//! told the truth: each question has one outcome, in time; events come in namespaces that are connected; what is given
//! up never leaves; and a connection that is closed ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::Weak;
use std::time::{Duration, Instant};

use sio_core::event::{Question, Reply};
use sio_core::manager::{
    Ask, Effect, Emit, Expiry, Manager, NamespaceId, Origin, ROOT_ID, Settings, Taken,
};
use sio_core::session::{Input, Io};
use sio_core::wire_log::{Recorder, replay};
use sio_core::{Bounds, ConnectionState, Encoded, Error, Overflow, Reconnect, Result, Status};

use super::client::{self, CLOSE_TIMEOUT, CONNECT_TIMEOUT, DEADLINES, NAMESPACES};
use super::log::Log;
use super::network::{Network, Server, cut};
use super::tape::Tape;

/// Mostly the program, whose emits keep their order.
const ORIGINS: [Origin; 6] = [
    Origin::Program,
    Origin::Program,
    Origin::Program,
    Origin::Handlers,
    Origin::WaitingHandler,
    Origin::Hook,
];

/// Answers are given to the manager itself.
struct Nobody;

impl Reply for Nobody {
    fn check(&self, _: &Encoded) -> Result<()> {
        unreachable!("nobody has this")
    }

    fn reply(&self, _: &Question, _: Encoded) -> Result<()> {
        unreachable!("nobody has this")
    }
}

/// What is known of a payload.
#[derive(Debug)]
struct Sent {
    /// The namespace it went to, if it keeps its place in the order there.
    queue: Option<NamespaceId>,
    is_given_up: bool,
    has_arrived: bool,
}

/// What a program knows of a namespace.
#[derive(Debug, Default)]
struct Known {
    is_connected: bool,
    was_connected: bool,
    /// Whether a join has no outcome yet.
    is_joining: bool,
    /// By when it has one.
    join_by: Option<Instant>,
    /// The payload that arrived last.
    arrived: Option<u64>,
}

/// A connection, what is on the network for it, and what its program was told.
struct World<'a, P: Server> {
    tape: Tape<'a>,
    manager: Manager<P::Session, u64>,
    network: Network<P>,
    now: Instant,
    retries_initial: bool,
    queue: Bounds,
    ids: [NamespaceId; 3],
    known: HashMap<NamespaceId, Known>,
    /// Whether the root was connected in this session.
    had_root: bool,
    /// Whether the manager waits to be told that all is prepared.
    preparing: bool,
    payloads: BTreeMap<u64, Sent>,
    /// Who waits for an ack, and until when.
    waiting: BTreeMap<u64, Instant>,
    questions: Vec<Question>,
    /// Hooks that run, each after some join of its namespace.
    hooks: Vec<(NamespaceId, u64)>,
    /// When the connection has to be over, once it was closed.
    close_by: Option<Instant>,
    log: Log,
}

/// Plays a tape to its end, and then closes the connection. What was recorded of it gives the same again.
pub(super) fn play<P: Server>(input: &[u8]) {
    let mut world = World::<P>::new(Tape::new(input));
    world.play();
    let recorded = world.manager.take_recorded();
    let replay = replay::<P::Session>(&recorded, Instant::now()).expect("a log can be replayed");
    assert!(
        replay.differences.is_empty(),
        "{}\n{recorded}",
        replay.differences[0]
    );
}

impl<'a, P: Server> World<'a, P> {
    fn new(mut tape: Tape<'a>) -> Self {
        let choices = tape.byte();
        let is_chosen = |bit: u8| choices & (1 << bit) != 0;
        let mut reconnect = match tape.below(4) {
            0 => Reconnect::off(),
            1 => Reconnect::default().attempts(2),
            _ => Reconnect::default(),
        };
        reconnect = reconnect
            .after_server(is_chosen(0))
            .retry_initial(is_chosen(1));
        let overflow = [Overflow::Error, Overflow::DropOldest, Overflow::DropNewest];
        let queue = Bounds::default()
            .count(tape.below(5))
            .bytes(if is_chosen(2) { 1000 } else { 64 << 20 })
            .overflow(overflow[tape.below(overflow.len())]);
        let settings = Settings {
            connect_timeout: CONNECT_TIMEOUT,
            queue: queue.clone(),
            manual_flush: is_chosen(3),
            reconnect,
            seed: u64::from(choices),
            handshake_timeout: is_chosen(5).then_some(Duration::from_secs(2)),
            keep_open: is_chosen(4),
        };
        let mut log = Log::default();
        log.note(|| format!("{settings:?}"));
        let mut manager = Manager::new(settings);
        let began = Instant::now();
        let recorder = Recorder::new::<P::Session>("checks", "none", Duration::ZERO, began);
        manager.record(recorder);
        let ids = NAMESPACES.map(|name| manager.namespace(name));
        Self {
            tape,
            manager,
            network: Network::new(),
            now: Instant::now(),
            retries_initial: is_chosen(1),
            queue,
            ids,
            known: HashMap::new(),
            had_root: false,
            preparing: false,
            payloads: BTreeMap::new(),
            waiting: BTreeMap::new(),
            questions: Vec::new(),
            hooks: Vec::new(),
            close_by: None,
            log,
        }
    }

    fn known(&mut self, id: NamespaceId) -> &mut Known {
        self.known.entry(id).or_default()
    }

    // --- what the manager wants -------------------------------------------------------------------------------------

    /// Carries out all effects, and looks at each of them.
    fn carry_out(&mut self) {
        while let Some(effect) = self.manager.poll_effect(self.now) {
            self.log.note(|| format!("    {effect:?}"));
            self.effect(effect);
        }
        assert!(self.manager.backlog() < 1 << 32, "a backlog below nothing");
        for id in self.ids {
            let queued = self.manager.queued(id);
            let bytes = queued.iter().map(|emit| emit.payload.size()).sum();
            assert!(self.queue.hold(queued.len(), bytes), "more waits than may");
        }
    }

    fn effect(&mut self, effect: Effect<u64>) {
        match effect {
            Effect::Prepare { .. } => {
                assert_eq!(self.close_by, None, "what was closed is made again");
                assert!(self.network.is_silent(), "two sessions");
                self.network = Network::new();
                self.had_root = false;
                self.preparing = true;
                if self.tape.below(4) > 0 {
                    self.prepared();
                }
            }
            Effect::Io(io) => self.io(io),
            Effect::HangUp => assert!(self.network.is_silent(), "the end leaves something open"),
            Effect::Status(id, status) => self.status(id, &status),
            Effect::Out { namespace, .. } => {
                assert!(!self.known(namespace).is_connected, "out, and was not told");
            }
            Effect::Hook { namespace, join } => {
                assert!(self.known(namespace).is_connected);
                self.hooks.push((namespace, join));
            }
            Effect::Joined(id, outcome) => {
                let known = self.known(id);
                assert_eq!(outcome.is_ok(), known.is_connected);
                known.is_joining = false;
                known.join_by = None;
            }
            Effect::Event { namespace, id, .. } => {
                assert!(
                    self.known(namespace).is_connected,
                    "an event of what is out"
                );
                self.questions.extend(id.map(|id| {
                    let name = self.manager.name(namespace).clone();
                    Question::new(name, id, self.manager.epoch(), Weak::<Nobody>::new())
                }));
            }
            Effect::Outcome(waiter, outcome) => {
                assert!(self.waiting.remove(&waiter).is_some(), "a second outcome");
                if let Err(Error::Dropped(_)) = outcome {
                    self.give_up(waiter);
                }
            }
            Effect::Tolerated(..) => {}
            Effect::Ended => {
                assert!(self.network.is_silent(), "the end leaves something open");
                assert!(self.waiting.is_empty(), "the end leaves somebody waiting");
                assert!(self.manager.is_closed());
                for known in self.known.values() {
                    assert!(!known.is_connected, "the end was not told to all");
                    assert!(
                        !known.is_joining,
                        "the end leaves a join without an outcome"
                    );
                }
                self.preparing = false;
                self.hooks.clear();
                self.close_by = None;
            }
        }
    }

    fn status(&mut self, id: NamespaceId, status: &Status) {
        let is_closed = self.close_by.is_some();
        let known = self.known(id);
        match status {
            Status::Connected { again } => {
                assert!(!known.is_connected, "connected twice");
                assert_eq!(*again, known.was_connected);
                (known.is_connected, known.was_connected) = (true, true);
                self.had_root |= id == ROOT_ID;
            }
            Status::Disconnected(_) => {
                assert!(known.is_connected, "disconnected, and was not connected");
                known.is_connected = false;
            }
            Status::Reconnected { attempt } => {
                assert!(known.is_connected && *attempt > 0);
            }
            Status::ReconnectScheduled { .. } | Status::Reconnecting { .. } => {
                assert!(!known.is_connected && !is_closed);
            }
            _ => {}
        }
    }

    fn io(&mut self, io: Io) {
        let numbers = self.network.carry_out(io);
        let may_ask = !self.network.server().asks_for_root() || self.had_root;
        assert!(
            may_ask,
            "a root is asked for that the server gives by itself"
        );
        for number in numbers {
            let sent = self.payloads.get_mut(&number).expect("somebody sent this");
            assert!(!sent.is_given_up, "what was given up leaves");
            assert!(!sent.has_arrived, "a payload is doubled");
            sent.has_arrived = true;
            if let Some(id) = sent.queue {
                let before = self.known(id).arrived.replace(number);
                assert!(before.is_none_or(|before| before < number), "out of order");
            }
        }
    }

    fn give_up(&mut self, number: u64) {
        let sent = self.payloads.get_mut(&number).expect("somebody sent this");
        assert!(!sent.has_arrived, "what has left is given up");
        sent.is_given_up = true;
    }

    fn prepared(&mut self) {
        self.preparing = false;
        let config = match self.tape.below(16) {
            15 => Err(cut()),
            _ => Ok(client::config::<P>(&mut self.tape)),
        };
        self.log.note(|| format!("{config:?}"));
        self.manager.prepared(config, self.now);
    }

    // --- what happens -----------------------------------------------------------------------------------------------

    fn play(&mut self) {
        while !self.tape.is_over() {
            self.step();
        }
        self.close();
        for _ in 0..DEADLINES {
            if self.manager.is_closed() {
                return;
            }
            self.time_passes_to_deadline();
        }
        panic!("closing has {DEADLINES} deadlines");
    }

    fn step(&mut self) {
        match self.tape.below(20) {
            0..=8 => {
                let input = self.network.arrive(&mut self.tape);
                self.input(input);
            }
            9 => {
                let input = self.network.stale_answer(&mut self.tape);
                self.input(input);
            }
            10 if self.preparing => self.prepared(),
            10..=11 => self.join(),
            12 => self.end_something(),
            13..=15 => self.emit(),
            16..=17 => self.go_on(),
            18 => self.time_passes_to_deadline(),
            _ => self.time_passes(),
        }
        self.carry_out();
    }

    fn input(&mut self, input: Option<Input>) {
        if let Some(input) = input {
            self.log.note(|| format!("{input:?}"));
            self.manager.handle_input(input, self.now);
        }
    }

    // --- what the program wants -------------------------------------------------------------------------------------

    fn namespace(&mut self) -> NamespaceId {
        self.ids[self.tape.below(self.ids.len())]
    }

    fn join(&mut self) {
        let id = self.namespace();
        let is_new = self.manager.state(id) == ConnectionState::Disconnected;
        let after = Duration::from_secs(3);
        let joined = if self.tape.below(3) == 0 {
            let query = self.tape.flag().then(|| "a=b".into());
            let joined = self.manager.join(id, query, self.now, after, self.now);
            joined.map(|()| after)
        } else {
            self.manager.open(id, self.now).map(|()| CONNECT_TIMEOUT)
        };
        self.log.note(|| format!("join {id:?}: {joined:?}"));
        if let Ok(after) = joined {
            let join_by = (is_new && !self.retries_initial).then(|| self.now + after);
            let known = self.known(id);
            known.is_joining = true;
            known.join_by = known.join_by.or(join_by);
        }
    }

    fn end_something(&mut self) {
        let id = self.namespace();
        match self.tape.below(8) {
            0 => self.close(),
            1..=2 => {
                self.log.note(|| "fail".to_owned());
                self.manager.fail(cut(), self.now);
            }
            _ => {
                self.log.note(|| format!("leave {id:?}"));
                self.manager.leave(id, self.now);
            }
        }
    }

    fn emit(&mut self) {
        let id = self.namespace();
        let choices = self.tape.byte();
        let is_chosen = |bit: u8| choices & (1 << bit) != 0;
        let (number, payload) = self.payload(Some("e"));
        let after = Duration::from_secs(2);
        let expiry = Expiry {
            at: self.now + after,
            after,
        };
        let emit = Emit {
            payload,
            ask: is_chosen(0).then_some(Ask {
                waiter: number,
                expiry,
            }),
            expiry: is_chosen(1).then_some(expiry),
            is_volatile: is_chosen(2) && !is_chosen(0),
            origin: ORIGINS[usize::from(choices >> 3) % ORIGINS.len()],
        };
        if emit.ask.is_some() {
            self.waiting.insert(number, expiry.at);
        }
        let sent = self.payloads.get_mut(&number).expect("it was just made");
        sent.queue = (emit.origin == Origin::Program).then_some(id);
        let taken = self.manager.emit(id, emit, self.now);
        self.log
            .note(|| format!("emit {number} in {id:?}: {taken:?}"));
        match taken {
            Ok(Taken::Sent | Taken::Queued) => {}
            Ok(Taken::Dropped) => self.give_up(number),
            Err(not_taken) => {
                let waiter = not_taken.waiter;
                assert!(waiter.is_none_or(|waiter| self.waiting.remove(&waiter).is_some()));
                self.give_up(number);
            }
        }
    }

    /// What goes on behind an effect: hooks and answers; and what the program does with its queues.
    fn go_on(&mut self) {
        match self.tape.below(8) {
            0 => {
                let id = self.namespace();
                self.log.note(|| format!("clear {id:?}"));
                self.manager.clear_queue(id);
            }
            1 => {
                let id = self.namespace();
                self.log.note(|| format!("flush {id:?}"));
                self.manager.flush(id, self.now);
            }
            2..=4 => {
                if let Some((id, join)) = self.hooks.pop() {
                    self.log.note(|| format!("the hook of {id:?} has run"));
                    self.manager.release(id, join, self.now);
                }
            }
            _ => {
                let Some(question) = self.questions.pop() else {
                    return;
                };
                let (number, answer) = self.payload(None);
                let replied = self.manager.reply(&question, answer, self.now);
                self.log.note(|| format!("answer {number}: {replied:?}"));
                if replied.is_err() {
                    self.give_up(number);
                }
            }
        }
    }

    fn payload(&mut self, name: Option<&str>) -> (u64, Encoded) {
        let number = self.payloads.len() as u64;
        let sent = Sent {
            queue: None,
            is_given_up: false,
            has_arrived: false,
        };
        self.payloads.insert(number, sent);
        let payload = client::payload::<P::Session>(&mut self.tape, name, number);
        (number, payload)
    }

    fn close(&mut self) {
        self.log.note(|| "close".to_owned());
        self.manager.close(self.now);
        if !self.manager.is_closed() {
            self.close_by = self.close_by.or(Some(self.now + CLOSE_TIMEOUT));
        }
        self.carry_out();
    }

    // --- time -------------------------------------------------------------------------------------------------------

    fn time_passes_to_deadline(&mut self) {
        let Some(due) = self.manager.poll_timeout() else {
            assert_eq!(self.close_by, None, "nothing will end this");
            return;
        };
        self.now = self.now.max(due);
        self.timeout();
    }

    /// A little, or up to many years.
    fn time_passes(&mut self) {
        self.now += Duration::from_millis(1 << self.tape.below(42));
        if self.tape.flag() {
            self.timeout();
        }
    }

    fn timeout(&mut self) {
        self.log.note(|| "the time passes".to_owned());
        let now = self.now;
        self.manager.handle_timeout(now);
        self.carry_out();
        let next = self.manager.poll_timeout();
        assert!(
            next.is_none_or(|next| next > now),
            "a deadline that has passed is due again: whoever drives this would spin"
        );
        assert!(
            self.waiting.values().all(|deadline| *deadline > now),
            "a question has no outcome in time"
        );
        let mut joins = self.known.values().filter_map(|known| known.join_by);
        assert!(
            joins.all(|deadline| deadline > now),
            "a join has no outcome in time"
        );
        let is_late = self.close_by.is_some_and(|close_by| close_by <= now);
        assert!(!is_late, "closing takes longer than its limit");
    }
}
