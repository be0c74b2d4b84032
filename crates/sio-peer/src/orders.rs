//! Connections without a network, fed with anything in any order: lost, made again, closed and opened at any moment.
//!
//! Whatever comes, manager and session keep what they promise to the program and to whoever drives them. What may be on the
//! network, the protocol's own tests say.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Weak;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sio_core::event::{Question, Reply};
use sio_core::manager::{
    Ask, Effect, Emit, Expiry, Manager, NamespaceId, NotTaken, Origin, ROOT_ID, Settings, Taken,
};
use sio_core::session::{
    AckId, Command, Input, Io, Method, Output, Request, RequestId, Response, Session,
    SessionConfig, SessionEvent, WebSocketRules,
};
use sio_core::{
    Bounds, Encoded, Error, Overflow, Reconnect, Result, Status, Traffic, Transport, UsageError,
};

use crate::bytes::Dice;
use crate::scenario::SECOND;

/// What a protocol's servers answer, and what its client may ask.
pub trait Wire {
    /// The client's side.
    type Protocol: Session;

    /// What a session is started with.
    fn config(dice: &mut Dice) -> SessionConfig<<Self::Protocol as Session>::Options>;

    /// A message on the WebSocket.
    fn message(dice: &mut Dice) -> String;

    /// What comes of a GET.
    fn get(dice: &mut Dice, request: &Request) -> Got;

    /// A body for a request that nobody waits for.
    fn body(dice: &mut Dice) -> String;

    /// Looks at something that the client is about to do on the network.
    fn check(network: &Network, io: &Io);
}

/// What comes of a GET.
#[derive(Debug)]
pub enum Got {
    /// Its answer.
    Answer {
        /// Its body.
        body: String,
        /// Its content type.
        content_type: Option<&'static str>,
    },
    /// A part of it; more will come.
    Part(Vec<u8>),
}

/// What is on the network for one session.
#[derive(Debug, Default)]
pub struct Network {
    /// The GET that is out.
    pub get: Option<Request>,
    /// The POST that is out.
    pub post: Option<RequestId>,
    /// Whether there is a WebSocket.
    pub websocket: bool,
    /// Whether the server has accepted it.
    pub accepted: bool,
    /// Whether the session has an id.
    pub is_open: bool,
    /// How many GETs of this session were answered.
    pub answered: usize,
    /// The number behind that of the last request.
    pub requests: u32,
}

impl Network {
    fn is_silent(&self) -> bool {
        self.get.is_none() && self.post.is_none() && !self.websocket
    }
}

thread_local! {
    /// Whether a session was started.
    static STARTED: Cell<bool> = const { Cell::new(false) };
    /// The events that sessions of this thread were told to emit: namespace, name and number.
    static EMITTED: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
}

/// A session that is looked at from above: what has ended is left alone.
#[derive(Debug)]
pub struct Watched<S> {
    inner: S,
    is_closing: bool,
    has_ended: bool,
}

impl<S: Session> Session for Watched<S> {
    type Options = S::Options;
    const NAME: &'static str = S::NAME;
    const FIRST_ACK_ID: AckId = S::FIRST_ACK_ID;
    const TRANSPORTS: &'static [Transport] = S::TRANSPORTS;
    const UPGRADES: bool = S::UPGRADES;
    const REJOINS: bool = S::REJOINS;
    const WEBSOCKET: WebSocketRules = S::WEBSOCKET;

    fn start(config: SessionConfig<Self::Options>, connect_by: Instant, now: Instant) -> Self {
        assert!(connect_by > now, "a session without time to connect");
        STARTED.set(true);
        Self {
            inner: S::start(config, connect_by, now),
            is_closing: false,
            has_ended: false,
        }
    }

    fn handle_input(&mut self, input: Input, now: Instant) {
        assert!(!self.has_ended, "input to a session that has ended");
        self.inner.handle_input(input, now);
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        assert!(!self.has_ended, "a command to a session that has ended");
        assert!(!self.is_closing, "{command:?} after the command to close");
        match &command {
            Command::Emit {
                namespace, payload, ..
            } => EMITTED.with_borrow_mut(|emitted| {
                emitted.push((namespace.to_string(), payload.json().to_owned()));
            }),
            Command::Close => self.is_closing = true,
            _ => {}
        }
        self.inner.handle_command(command, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        assert!(!self.has_ended, "time passes for a session that has ended");
        self.inner.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        let output = self.inner.poll_output();
        self.has_ended |= matches!(output, Some(Output::Event(SessionEvent::Closed(_))));
        output
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.inner.poll_timeout()
    }

    fn backlog(&self) -> usize {
        self.inner.backlog()
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }

    fn why_no_websocket(&self) -> Option<&'static str> {
        self.inner.why_no_websocket()
    }

    fn check_event_name(name: &str) -> Result<(), UsageError> {
        S::check_event_name(name)
    }

    fn check_namespace(name: &str) -> Result<(), UsageError> {
        S::check_namespace(name)
    }

    fn check_payload(payload: &Encoded) -> Result<(), UsageError> {
        S::check_payload(payload)
    }

    fn socket_id(sid: &str, namespace: &str) -> String {
        S::socket_id(sid, namespace)
    }
}

/// Answers are given to the connection itself.
struct Nobody;

impl Reply for Nobody {
    fn check(&self, _: &Encoded) -> Result<()> {
        unreachable!("nobody has this")
    }

    fn reply(&self, _: &Question, _: Encoded) -> Result<()> {
        unreachable!("nobody has this")
    }
}

/// What a namespace was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Nothing, or that it is over.
    Nothing,
    Connected,
    Disconnected,
    Scheduled,
    Reconnecting,
    Failed,
}

/// How often what happened, over all rounds.
#[derive(Debug, Default)]
pub struct Seen {
    /// Sessions that opened, by transport.
    pub opened: HashMap<Transport, usize>,
    /// Namespaces that came back.
    pub again: usize,
    /// Connections that were given up.
    pub given_up: usize,
    /// Upgrades.
    pub upgraded: usize,
    /// Emits that waited, and were sent.
    pub flushed: usize,
}

/// One connection, and what is on the network for it.
struct World<W: Wire> {
    manager: Manager<Watched<W::Protocol>, u32>,
    a: NamespaceId,
    dice: Dice,
    now: Instant,
    network: Network,
    /// Whether a session may do something on the network.
    has_session: bool,
    /// Whether nothing may come before it is opened again.
    closed: bool,
    /// What an attempt is prepared for, while the hook runs.
    preparing: Option<u64>,
    /// The namespaces whose hooks run, and after which join.
    hooks: Vec<(NamespaceId, u64)>,
    /// Who waits for an ack.
    waiting: HashSet<u32>,
    asked: u32,
    told: HashMap<NamespaceId, Told>,
    were_in: HashSet<NamespaceId>,
    questions: Vec<Question>,
    numbers: u64,
    /// The number of the last emit of each namespace that went to a session.
    sent: HashMap<String, u64>,
    ahead: HashSet<u64>,
    seen: Seen,
    /// What has happened, for whoever has to understand a failure.
    log: Vec<String>,
}

impl<W: Wire> World<W> {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let settings = settings(&mut dice);
        let mut manager = Manager::new(settings.clone());
        let a = manager.namespace("/a");
        EMITTED.with_borrow_mut(Vec::clear);
        Self {
            manager,
            a,
            dice,
            now: Instant::now(),
            network: Network::default(),
            has_session: false,
            closed: true,
            preparing: None,
            hooks: Vec::new(),
            waiting: HashSet::new(),
            asked: 0,
            told: HashMap::new(),
            were_in: HashSet::new(),
            questions: Vec::new(),
            numbers: 0,
            sent: HashMap::new(),
            ahead: HashSet::new(),
            seen: Seen::default(),
            log: vec![format!("{settings:?}")],
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        self.log.push(what.into());
    }

    /// Carries out what the connection wants, and looks at each of it.
    fn carry_out(&mut self) {
        while let Some(effect) = self.manager.poll_effect(self.now) {
            self.note(format!("    {effect:?}"));
            if let Effect::Outcome(waiter, outcome) = effect {
                assert!(
                    self.waiting.remove(&waiter),
                    "a second outcome: {outcome:?}"
                );
                continue;
            }
            let is_late = matches!(effect, Effect::Joined(..));
            assert!(!self.closed || is_late, "nothing follows the end");
            self.effect(effect);
        }
        self.look_at_emitted();
        let _ = self.manager.backlog();
        self.network.is_open = self.manager.sid().is_some();
    }

    /// Emits reach sessions in the order in which they were made, and once.
    fn look_at_emitted(&mut self) {
        for (namespace, json) in EMITTED.take() {
            let number = json
                .split([',', ']'])
                .nth(1)
                .and_then(|text| text.parse().ok());
            let number: u64 = number.expect("a number in every emit");
            if self.ahead.remove(&number) {
                continue;
            }
            let before = self.sent.insert(namespace, number).unwrap_or(0);
            assert!(before < number, "{number} is sent after {before}");
        }
    }

    fn effect(&mut self, effect: Effect<u32>) {
        match effect {
            Effect::Prepare { .. } => {
                assert!(self.network.is_silent() && !self.has_session);
                self.network = Network::default();
                self.preparing = Some(self.manager.epoch());
                if self.dice.roll(3) > 0 {
                    self.prepared();
                }
            }
            Effect::Io(io) => self.io(io),
            Effect::Status(id, status) => self.status(id, &status),
            Effect::Hook { namespace, join } => {
                if self.dice.roll(2) == 0 {
                    self.release(namespace, join);
                } else {
                    self.hooks.push((namespace, join));
                }
            }
            Effect::Event { namespace, id, .. } => {
                assert_eq!(
                    self.told.get(&namespace),
                    Some(&Told::Connected),
                    "an event of a namespace that is out"
                );
                self.questions.extend(id.map(|id| {
                    let name = self.manager.name(namespace).clone();
                    Question::new(name, id, self.manager.epoch(), Weak::<Nobody>::new())
                }));
            }
            Effect::Out { namespace, .. } => {
                let told = self.told.insert(namespace, Told::Nothing);
                assert_ne!(told, Some(Told::Connected), "the end was not told");
            }
            Effect::HangUp => self.hang_up(),
            Effect::Ended => {
                self.hang_up();
                self.closed = true;
                assert!(self.waiting.is_empty(), "the end leaves somebody waiting");
                let connected = self.told.values().any(|told| *told == Told::Connected);
                assert!(!connected, "the end was not told to all");
            }
            _ => {}
        }
    }

    fn hang_up(&mut self) {
        assert!(
            self.network.is_silent(),
            "the end of a session leaves something open: {:?}",
            self.network
        );
        self.has_session = false;
    }

    /// Statuses come in an order that makes sense.
    fn status(&mut self, id: NamespaceId, status: &Status) {
        use Told::{Connected, Disconnected, Failed, Nothing, Reconnecting, Scheduled};
        let told = *self.told.get(&id).unwrap_or(&Nothing);
        let (from, next): (&[Told], Told) = match status {
            Status::Connected { again } => {
                let first = self.were_in.insert(id);
                assert_eq!(*again, !first, "whether it was connected before");
                self.seen.again += usize::from(*again);
                (&[Nothing, Reconnecting], Connected)
            }
            Status::Disconnected(_) => (&[Connected], Disconnected),
            Status::ReconnectScheduled { .. } => {
                // With the first connect retried, a session may end that had only the root.
                (&[Nothing, Disconnected, Failed, Scheduled], Scheduled)
            }
            Status::Reconnecting { .. } => (&[Scheduled], Reconnecting),
            Status::ReconnectError { .. } => (&[Nothing, Reconnecting], Failed),
            Status::ReconnectFailed { .. } => {
                self.seen.given_up += 1;
                (&[Disconnected, Failed, Reconnecting, Nothing], Nothing)
            }
            Status::Reconnected { .. } => (&[Connected], Connected),
            Status::Upgraded => {
                self.seen.upgraded += 1;
                return;
            }
            Status::TransportFailed { .. } => {
                assert!(!self.network.is_open, "a session stays on its transport");
                return;
            }
            _ => return,
        };
        assert!(from.contains(&told), "{status:?} after {told:?}");
        self.told.insert(id, next);
    }

    fn io(&mut self, io: Io) {
        assert!(self.has_session, "{io:?} without a session");
        self.network.is_open = self.manager.sid().is_some();
        W::check(&self.network, &io);
        match io {
            Io::Request(request) => {
                self.network.requests = self.network.requests.max(request.id.0 + 1);
                match request.method {
                    Method::Get | Method::Head => {
                        assert!(self.network.get.is_none(), "a second GET");
                        self.network.get = Some(request);
                    }
                    Method::Post => {
                        assert!(self.network.post.is_none(), "a second POST");
                        assert!(!request.body.is_empty());
                        self.network.post = Some(request.id);
                    }
                }
            }
            Io::CancelRequest(id) => {
                let is_get = self.network.get.take_if(|get| get.id == id).is_some();
                let is_post = self.network.post.take_if(|post| *post == id).is_some();
                assert!(is_get || is_post, "a request that is not out is cancelled");
            }
            Io::OpenWebSocket(_) => {
                assert!(!self.network.websocket, "a second WebSocket");
                self.network.websocket = true;
                self.network.accepted = false;
            }
            Io::SendText(_) | Io::SendBinary(_) => {
                assert!(self.network.websocket, "a packet without a WebSocket");
            }
            Io::DropWebSocket => self.network.websocket = false,
            Io::CloseWebSocket => {}
        }
    }

    fn respond(&mut self, id: RequestId, body: String, content_type: Option<&'static str>) {
        let status = [200, 200, 200, 200, 200, 200, 200, 200, 200, 500][self.dice.roll(10)];
        let response = Response {
            status,
            content_type: content_type.map(Into::into),
            location: None,
            etag: None,
            server: None,
            proxy: None,
            body: body.into(),
        };
        self.input(Input::HttpResponse { id, response });
    }

    fn input(&mut self, input: Input) {
        self.note(format!("{input:?}"));
        self.manager.handle_input(input, self.now);
        self.carry_out();
    }

    /// Hook and lookup are done, if they run.
    fn prepared(&mut self) {
        let Some(connection) = self.preparing.take() else {
            return;
        };
        if connection != self.manager.epoch() {
            return; // as the shell does with an attempt that was given up
        }
        let result = if self.dice.roll(6) == 0 {
            Err(failed())
        } else {
            Ok(W::config(&mut self.dice))
        };
        self.note(format!("prepared {result:?}"));
        STARTED.set(false);
        self.manager.prepared(result, self.now);
        self.has_session |= STARTED.get();
    }

    /// The program does something.
    fn act(&mut self) {
        let namespace = if self.dice.roll(3) == 0 {
            self.a
        } else {
            ROOT_ID
        };
        let what = self.dice.roll(16);
        self.note(format!("the program does {what} in {namespace:?}"));
        match what {
            0..=1 => self.open(self.a),
            2 => self.open(namespace),
            3 if self.dice.roll(3) == 0 => self.manager.leave(namespace, self.now),
            4 if self.dice.roll(3) == 0 => self.manager.close(self.now),
            5..=6 => {
                if let Some(question) = self.questions.pop() {
                    let answer = Encoded::values(&"yes").expect("a text");
                    let _ = self.manager.reply(&question, answer, self.now);
                }
            }
            7 => {
                for _ in 0..100 {
                    self.emit(namespace);
                }
            }
            8 if self.dice.roll(4) == 0 => {
                self.manager.clear_queue(namespace);
            }
            9 => {
                self.seen.flushed += self.manager.flush(namespace, self.now);
            }
            10 if self.dice.roll(6) == 0 => self.manager.fail(failed(), self.now),
            11..=12 => {
                if let Some((namespace, join)) = self.hooks.pop() {
                    self.release(namespace, join);
                }
            }
            _ => self.emit(namespace),
        }
        self.carry_out();
    }

    fn open(&mut self, namespace: NamespaceId) {
        let closed = std::mem::replace(&mut self.closed, false);
        let result = if self.dice.roll(2) == 0 {
            self.manager.open(namespace, self.now)
        } else {
            let after = 3 * SECOND;
            self.manager
                .join(namespace, None, self.now, after, self.now)
        };
        if let Err(error) = result {
            self.note(format!("    not opened: {error}"));
            assert!(!closed, "what is closed opens");
        }
    }

    /// The hook of a namespace has run.
    fn release(&mut self, namespace: NamespaceId, join: u64) {
        let before = self.manager.queued(namespace).len();
        self.manager.release(namespace, join, self.now);
        self.seen.flushed += before - self.manager.queued(namespace).len();
    }

    fn emit(&mut self, namespace: NamespaceId) {
        self.numbers += 1;
        let number = self.numbers;
        let mut emit = Emit::new(Encoded::event("e", &number).expect("an event"));
        if self.dice.roll(2) == 0 {
            self.asked += 1;
            self.waiting.insert(self.asked);
            let expiry = self.expiry(2 * SECOND);
            let waiter = self.asked;
            emit.ask = Some(Ask { waiter, expiry });
        }
        match self.dice.roll(8) {
            0 => emit.expiry = Some(self.expiry(SECOND)),
            1 => emit.is_volatile = true,
            2 => emit.origin = Origin::Hook,
            3 => emit.origin = Origin::Handlers,
            4 => emit.origin = Origin::WaitingHandler,
            _ => {}
        }
        if emit.origin != Origin::Program && !self.manager.is_open(namespace) {
            self.ahead.insert(number);
        }
        let (is_volatile, waiter) = (emit.is_volatile, emit.ask.as_ref().map(|ask| ask.waiter));
        match self.manager.emit(namespace, emit, self.now) {
            Ok(Taken::Sent) => {}
            Ok(Taken::Queued) => assert!(!is_volatile, "what is volatile waits"),
            Ok(Taken::Dropped) => {
                // A volatile question is given up with whoever asked: the shell makes none.
                if let Some(waiter) = waiter {
                    assert!(is_volatile, "a question is dropped without a word");
                    self.waiting.remove(&waiter);
                }
            }
            Err(NotTaken { waiter, .. }) => {
                assert!(waiter.is_none_or(|waiter| self.waiting.remove(&waiter)));
            }
        }
    }

    fn expiry(&self, after: Duration) -> Expiry {
        Expiry::new(self.now, after)
    }

    /// Something happens.
    fn step(&mut self) {
        match self.dice.roll(24) {
            0..=5 => self.get_goes_on(),
            6..=7 => {
                if let Some(id) = self.network.post.take() {
                    let body = ["ok", "1", "<html>"][self.dice.roll(3)];
                    self.respond(id, body.to_owned(), None);
                }
            }
            8..=12 => {
                if self.network.websocket && self.network.accepted {
                    let text = W::message(&mut self.dice);
                    self.input(Input::WebSocketText(text.into()));
                }
            }
            13..=14 => {
                if self.network.websocket && !self.network.accepted {
                    self.network.accepted = true;
                    self.input(Input::WebSocketOpened);
                }
            }
            15 => {
                if self.network.websocket && self.dice.roll(4) == 0 {
                    self.network.websocket = false;
                    let text = "".into();
                    let input = match self.dice.roll(2) {
                        0 if !self.network.accepted => Input::WebSocketUnanswered(failed()),
                        0 => Input::WebSocketClosed { code: None, text },
                        _ => Input::WebSocketFailed(failed()),
                    };
                    self.input(input);
                }
            }
            16 => self.late(),
            17..=19 => self.act(),
            20 => {
                self.prepared();
                self.carry_out();
            }
            _ => self.time_passes(),
        }
    }

    /// What a request or a WebSocket had brought before it was given up.
    fn late(&mut self) {
        let id = RequestId(self.dice.roll(self.network.requests as usize + 2) as u32);
        let get = self.network.get.as_ref().map(|get| get.id);
        let is_out = get == Some(id) || self.network.post == Some(id);
        match self.dice.roll(4) {
            _ if is_out || !self.has_session => {}
            0 => {
                let body = W::body(&mut self.dice);
                self.respond(id, body, None);
            }
            1 => {
                let data = W::body(&mut self.dice).into();
                self.input(Input::HttpData { id, data });
            }
            2 => self.input(Input::HttpFailed {
                id,
                error: failed(),
            }),
            _ if self.network.websocket => {}
            _ => {
                let input = match self.dice.roll(3) {
                    0 => Input::WebSocketText(W::message(&mut self.dice).into()),
                    1 => Input::WebSocketBinary(Bytes::from_static(b"x")),
                    _ => Input::WebSocketFailed(failed()),
                };
                self.input(input);
            }
        }
    }

    /// The GET brings something, or is answered.
    fn get_goes_on(&mut self) {
        let Some(request) = self.network.get.take() else {
            return;
        };
        let id = request.id;
        if self.dice.roll(25) == 0 {
            let error = failed();
            return self.input(Input::HttpFailed { id, error });
        }
        match W::get(&mut self.dice, &request) {
            Got::Answer { body, content_type } => {
                self.network.answered += 1;
                self.respond(id, body, content_type);
            }
            Got::Part(data) => {
                self.network.get = Some(request);
                if !data.is_empty() {
                    self.input(Input::HttpData {
                        id,
                        data: data.into(),
                    });
                }
            }
        }
    }

    /// Up to the next deadline, or a little.
    fn time_passes(&mut self) {
        let due = self.manager.poll_timeout();
        self.now = match due {
            Some(due) if self.dice.roll(3) > 0 => due.max(self.now),
            _ => self.now + Duration::from_millis(self.dice.roll(300) as u64),
        };
        let is_due = due.map(|due| due <= self.now);
        self.note(format!("time passes, due is {is_due:?}"));
        self.manager.handle_timeout(self.now);
        self.carry_out();
        let next = self.manager.poll_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "a deadline that has passed is due again: whoever drives this would spin"
        );
    }

    /// Opens, lets anything happen, and closes.
    fn live(&mut self) {
        let first = if self.dice.roll(4) > 0 {
            ROOT_ID
        } else {
            self.a
        };
        self.note("the program opens");
        self.open(first);
        self.carry_out();
        for _ in 0..150 {
            let was_open = self.manager.transport();
            self.step();
            if let Some(transport) = self.manager.transport()
                && was_open.is_none()
            {
                *self.seen.opened.entry(transport).or_default() += 1;
            }
        }
        self.note("the program closes");
        self.manager.close(self.now);
        self.carry_out();
        let limit = self.now + SECOND;
        while !self.closed {
            assert!(self.now < limit, "closing takes longer than its limit");
            self.time_passes();
        }
        assert!(self.manager.is_closed() && self.manager.poll_timeout().is_none());
    }
}

fn failed() -> Error {
    Error::transport("a test", std::io::Error::other("cut"))
}

fn settings(dice: &mut Dice) -> Settings {
    let mut reconnect = Reconnect::default()
        .base(Duration::from_millis(100))
        .after_server(dice.roll(2) == 0)
        .retry_initial(dice.roll(2) == 0);
    if dice.roll(2) == 0 {
        reconnect = reconnect.attempts(dice.roll(4) as u32);
    }
    if dice.roll(4) == 0 {
        reconnect = Reconnect::off();
    }
    let overflow = [Overflow::Error, Overflow::DropOldest, Overflow::DropNewest][dice.roll(3)];
    let count = [0, 3, 20, 1000][dice.roll(4)];
    Settings {
        connect_timeout: 20 * SECOND,
        queue: Bounds::default().count(count).overflow(overflow),
        manual_flush: dice.roll(5) == 0,
        reconnect,
        seed: dice.roll(1000) as u64,
        handshake_timeout: (dice.roll(4) == 0)
            .then(|| Duration::from_millis(1 + dice.roll(5_000) as u64)),
        keep_open: dice.roll(2) == 0,
    }
}

/// Lets so many connections live, each a few times over; tells what they went through.
#[must_use]
pub fn anything_in_any_order<W: Wire>(rounds: u64) -> Seen {
    let mut all = Seen::default();
    for seed in 1..=rounds {
        let mut world = World::<W>::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for _ in 0..2 {
                world.live();
            }
        }));
        if let Err(panic) = outcome {
            let log = world.log.join("\n");
            let start = log.len().saturating_sub(6000);
            let start = (start..log.len()).find(|&at| log.is_char_boundary(at));
            eprintln!(
                "seed {seed}:\n{}\n{}",
                world.log[0],
                &log[start.unwrap_or(0)..]
            );
            resume_unwind(panic);
        }
        for (transport, count) in world.seen.opened {
            *all.opened.entry(transport).or_default() += count;
        }
        all.again += world.seen.again;
        all.given_up += world.seen.given_up;
        all.upgraded += world.seen.upgraded;
        all.flushed += world.seen.flushed;
    }
    all
}
