//! A connection without a network, fed with anything in any order: whatever comes, it keeps what it promises to the program
//! and to whoever drives it, and the rules that keep a server alive.

use std::collections::HashSet;
use std::sync::Weak;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sio_core::event::{Question, Reply};
use sio_core::manager::{Ask, Effect, Emit, Expiry, Manager, NamespaceId, ROOT_ID, Settings};
use sio_core::session::{
    Input, Io, Method, Request, RequestId, Response, Session as _, SessionConfig,
};
use sio_core::{Bounds, Encoded, Reconnect};
use sio_legacy::{Error, Limits, Options, Session, Status, Transport};
use sio_peer::bytes::Dice;
use sio_peer::scenario::config;

use crate::wire::{call, framed, payload, script};

/// Packets that mean something in some state.
const PACKETS: [&str; 24] = [
    "1::",
    "1::",
    "1::",
    "1::/a",
    "1::/a",
    "0::",
    "0::/a",
    "2::",
    "3:::text",
    "3:1::question",
    "5:2+::{\"name\":\"x\"}",
    "5:3:/a:{\"name\":\"x\"}",
    "5:::{}",
    "6:::1+[1]",
    "6:::1099511627776",
    "6:::1099511627777",
    "6::/a:1",
    "7:::1+0",
    "7:::2",
    "7::/a:2",
    "8::",
    "junk",
    "",
    "3:::\u{fffd}",
];

/// Answers are given to the connection itself.
struct Nobody;

impl Reply for Nobody {
    fn check(&self, _: &Encoded) -> sio_legacy::Result<()> {
        unreachable!("nobody has this")
    }

    fn reply(&self, _: &Question, _: Encoded) -> sio_legacy::Result<()> {
        unreachable!("nobody has this")
    }
}

/// One connection, and what is on the network for it.
struct World {
    manager: Manager<Session, u32>,
    config: SessionConfig<Options>,
    a: NamespaceId,
    dice: Dice,
    now: Instant,
    get: Option<Request>,
    post: Option<RequestId>,
    websocket: bool,
    closed: bool,
    /// Whether a poll of this session was answered.
    polled: bool,
    was_open_on: Option<Transport>,
    requests: u32,
    /// Who waits for an ack.
    waiting: HashSet<u32>,
    asked: u32,
    /// Which namespaces were told to be connected.
    connected: HashSet<NamespaceId>,
    questions: Vec<Question>,
    /// What has happened, for whoever has to understand a failure.
    log: Vec<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut transports = Session::TRANSPORTS.to_vec();
        for _ in 0..dice.roll(4) {
            let at = dice.roll(transports.len());
            transports.remove(at);
        }
        let turns = dice.roll(transports.len());
        transports.rotate_left(turns);
        let mut config = config::<Session>();
        config.transports = transports;
        config.timestamps = false;
        config.limits = Limits::default().message_bytes(1000);
        let mut manager = Manager::new(Settings {
            connect_timeout: Duration::from_secs(20),
            queue: Bounds::default().count(20),
            manual_flush: false,
            reconnect: Reconnect::off(),
            seed: 0,
            keep_open: dice.roll(2) == 0,
        });
        let a = manager.namespace("/a");
        let now = Instant::now();
        let first = if dice.roll(4) > 0 { ROOT_ID } else { a };
        manager.open(first, now).expect("a closed manager opens");
        let mut world = Self {
            manager,
            config,
            a,
            dice,
            now,
            get: None,
            post: None,
            websocket: false,
            closed: false,
            polled: false,
            was_open_on: None,
            requests: 0,
            waiting: HashSet::new(),
            asked: 0,
            connected: HashSet::new(),
            questions: Vec::new(),
            log: Vec::new(),
        };
        world.carry_out();
        world
    }

    fn note(&mut self, what: impl Into<String>) {
        self.log.push(what.into());
    }

    fn is_open(&self) -> bool {
        self.manager.sid().is_some()
    }

    /// Carries out what the connection wants, and looks at each of it.
    fn carry_out(&mut self) {
        while let Some(effect) = self.manager.poll_effect(self.now) {
            self.note(format!("    {effect:?}"));
            assert!(!self.closed, "nothing follows the end");
            self.effect(effect);
        }
        let _ = self.manager.backlog();
        self.was_open_on = self.manager.transport().or(self.was_open_on);
    }

    fn effect(&mut self, effect: Effect<u32>) {
        match effect {
            Effect::Prepare { .. } => self.manager.prepared(Ok(self.config.clone()), self.now),
            Effect::Io(io) => self.io(io),
            Effect::Outcome(waiter, _) => {
                assert!(self.waiting.remove(&waiter), "a second outcome");
            }
            Effect::Status(id, Status::Connected { .. }) => {
                assert!(self.connected.insert(id), "connected twice");
            }
            Effect::Status(id, Status::Disconnected(_)) => {
                assert!(
                    self.connected.remove(&id),
                    "disconnected, and never connected"
                );
            }
            Effect::Status(_, Status::TransportFailed { .. }) => {
                assert!(!self.is_open(), "a session stays on its transport");
            }
            Effect::Event { namespace, id, .. } => {
                assert!(
                    self.connected.contains(&namespace),
                    "an event of a namespace that is out"
                );
                self.questions.extend(id.map(|id| {
                    let name = self.manager.name(namespace).clone();
                    Question::new(name, id, self.manager.epoch(), Weak::<Nobody>::new())
                }));
            }
            Effect::Ended => {
                self.closed = true;
                assert!(
                    self.get.is_none() && self.post.is_none() && !self.websocket,
                    "the end leaves something open"
                );
                assert!(self.waiting.is_empty(), "the end leaves somebody waiting");
                assert!(self.connected.is_empty(), "the end was not told to all");
            }
            _ => {}
        }
    }

    fn io(&mut self, io: Io) {
        match io {
            Io::Request(request) => {
                assert!(!self.websocket, "a request beside a WebSocket");
                self.requests = self.requests.max(request.id.0 + 1);
                match request.method {
                    Method::Get => {
                        assert!(self.get.is_none(), "a second GET");
                        self.polled &= !is_handshake(&request);
                        self.get = Some(request);
                    }
                    Method::Post => {
                        assert!(self.post.is_none(), "a second POST");
                        assert!(self.is_open() && !request.body.is_empty());
                        assert!(
                            self.polled || request.target.contains("/htmlfile/"),
                            "a POST before the first GET is answered"
                        );
                        self.post = Some(request.id);
                    }
                }
            }
            Io::CancelRequest(id) => {
                let is_get = self.get.take_if(|get| get.id == id).is_some();
                let is_post = self.post.take_if(|post| *post == id).is_some();
                assert!(is_get || is_post, "a request that is not out is cancelled");
            }
            Io::OpenWebSocket(_) => {
                assert!(
                    !self.websocket && self.get.is_none(),
                    "one transport at a time"
                );
                self.websocket = true;
            }
            Io::SendText(text) => {
                assert!(
                    self.websocket && self.is_open(),
                    "a packet without a WebSocket"
                );
                assert!(
                    text != "1::" && !text.starts_with("1::/?"),
                    "the root is asked for"
                );
            }
            Io::DropWebSocket => self.websocket = false,
            Io::SendBinary(_) | Io::CloseWebSocket => panic!("0.9 has no such thing"),
        }
    }

    /// A few packets, in a payload that may be broken.
    fn payload(&mut self) -> String {
        let count = 1 + self.dice.roll(4);
        let packets: Vec<&str> = (0..count)
            .map(|_| PACKETS[self.dice.roll(PACKETS.len())])
            .collect();
        match self.dice.roll(6) {
            0 => format!("{}broken", framed(&packets)),
            1 => framed(&packets),
            _ => payload(&packets),
        }
    }

    fn handshake(&mut self) -> String {
        match self.dice.roll(12) {
            0 => "Welcome to socket.io.".to_owned(),
            1 => "S:1:1:xhr-polling".to_owned(),
            2 => "S:::websocket,jsonp-polling".to_owned(),
            _ => "S:5:7:websocket,htmlfile,xhr-polling,jsonp-polling".to_owned(),
        }
    }

    fn respond(&mut self, id: RequestId, body: String) {
        let status = [200, 200, 200, 200, 200, 200, 200, 500][self.dice.roll(8)];
        let response = Response {
            status,
            content_type: None,
            location: None,
            body: body.into(),
        };
        self.input(Input::HttpResponse { id, response });
    }

    fn input(&mut self, input: Input) {
        self.note(format!("{input:?}"));
        self.manager.handle_input(input, self.now);
        self.carry_out();
    }

    /// The program does something.
    fn act(&mut self) {
        let namespace = if self.dice.roll(3) == 0 {
            self.a
        } else {
            ROOT_ID
        };
        self.note("the program acts");
        match self.dice.roll(12) {
            0..=1 => {
                let after = Duration::from_secs(3);
                let _ = self.manager.join(self.a, None, self.now, after, self.now);
            }
            2 if self.dice.roll(3) == 0 => self.manager.leave(namespace, self.now),
            3 if self.dice.roll(4) == 0 => self.manager.close(self.now),
            4..=5 => {
                if let Some(question) = self.questions.pop() {
                    let answer = Encoded::values(&"yes").unwrap();
                    let _ = self.manager.reply(&question, answer, self.now);
                }
            }
            6 => {
                for _ in 0..100 {
                    self.emit(namespace);
                }
            }
            _ => self.emit(namespace),
        }
        self.carry_out();
    }

    fn emit(&mut self, namespace: NamespaceId) {
        let payload = Encoded::event("e", &"x").unwrap();
        let ask = (self.dice.roll(2) == 0).then(|| {
            self.asked += 1;
            self.waiting.insert(self.asked);
            let after = Duration::from_secs(2);
            Ask {
                waiter: self.asked,
                expiry: Expiry::new(self.now, after),
            }
        });
        let mut emit = Emit::new(payload);
        emit.ask = ask;
        if let Err(not_taken) = self.manager.emit(namespace, emit, self.now) {
            let waiter = not_taken.waiter;
            assert!(waiter.is_none_or(|waiter| self.waiting.remove(&waiter)));
        }
    }

    /// Something happens.
    fn step(&mut self) {
        let failed = || Error::transport("a test", std::io::Error::other("cut"));
        match self.dice.roll(20) {
            0..=5 => self.get_goes_on(),
            6..=7 => {
                if let Some(id) = self.post.take() {
                    let body = if self.dice.roll(8) == 0 {
                        "<html>"
                    } else {
                        "1"
                    };
                    self.respond(id, body.to_owned());
                }
            }
            8..=11 => {
                if self.websocket {
                    let text = self.payload();
                    self.input(Input::WebSocketText(text.into()));
                }
            }
            12 => {
                // Of a request that is long over, or that never was.
                let id = RequestId(self.dice.roll(self.requests as usize + 2) as u32);
                let is_out =
                    self.get.as_ref().map(|get| get.id) == Some(id) || self.post == Some(id);
                if !is_out {
                    let body = self.payload();
                    match self.dice.roll(3) {
                        0 => self.respond(id, body),
                        1 => self.input(Input::HttpData {
                            id,
                            data: body.into(),
                        }),
                        _ => self.input(Input::HttpFailed {
                            id,
                            error: failed(),
                        }),
                    }
                }
            }
            13 => {
                if self.websocket && self.dice.roll(4) == 0 {
                    self.websocket = false;
                    let text = "".into();
                    let input = match self.dice.roll(2) {
                        0 => Input::WebSocketClosed { code: None, text },
                        _ => Input::WebSocketFailed(failed()),
                    };
                    self.input(input);
                } else if self.websocket {
                    self.input(Input::WebSocketOpened);
                }
            }
            14 => {
                // What a WebSocket had brought before it was dropped.
                if !self.websocket {
                    let input = match self.dice.roll(3) {
                        0 => Input::WebSocketText("1::".into()),
                        1 => Input::WebSocketBinary(Bytes::from_static(b"x")),
                        _ => Input::WebSocketFailed(failed()),
                    };
                    self.input(input);
                }
            }
            15..=17 => self.act(),
            _ => self.time_passes(),
        }
    }

    /// The GET brings something, or is answered.
    fn get_goes_on(&mut self) {
        let Some(request) = self.get.take() else {
            return;
        };
        let id = request.id;
        if self.dice.roll(25) == 0 {
            let error = Error::transport("a test", std::io::Error::other("cut"));
            self.input(Input::HttpFailed { id, error });
        } else if is_handshake(&request) {
            let body = self.handshake();
            self.respond(id, body);
        } else if request.streamed && self.dice.roll(8) > 0 {
            self.get = Some(request);
            let payload = self.payload();
            let mut data = script(&payload).into_bytes();
            if self.dice.roll(10) == 0 {
                data.truncate(self.dice.roll(data.len()));
            }
            if !data.is_empty() {
                self.input(Input::HttpData {
                    id,
                    data: data.into(),
                });
            }
        } else {
            self.polled = true;
            let payload = self.payload();
            let body = if request.streamed {
                String::new()
            } else if request.target.contains("/jsonp-polling/") {
                call(&payload)
            } else {
                payload
            };
            self.respond(id, body);
        }
    }

    /// Up to the next deadline, or a little.
    fn time_passes(&mut self) {
        let due = self.manager.poll_timeout();
        self.now = match due {
            Some(due) if self.dice.roll(3) > 0 => due.max(self.now),
            _ => self.now + Duration::from_millis(self.dice.roll(300) as u64),
        };
        self.note(format!(
            "time passes, due is {:?}",
            due.map(|due| due <= self.now)
        ));
        self.manager.handle_timeout(self.now);
        self.carry_out();
        if !self.closed {
            let next = self.manager.poll_timeout();
            assert!(
                next.is_none_or(|next| next > self.now),
                "a deadline that has passed is due again: whoever drives this would spin"
            );
        }
    }
}

fn is_handshake(request: &Request) -> bool {
    request.target == "/socket.io/1/"
}

#[test]
fn anything_in_any_order_breaks_no_promise() {
    let mut opened = [0; 4];
    for seed in 1..=6000_u64 {
        let mut world = World::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..150 {
                if world.closed {
                    break;
                }
                world.step();
            }
            world.note("the program closes");
            world.manager.close(world.now);
            world.carry_out();
            let limit = world.now + Duration::from_secs(1);
            while !world.closed {
                assert!(world.now < limit, "closing takes longer than its limit");
                world.time_passes();
            }
        }));
        if let Err(panic) = outcome {
            let log = world.log.join("\n");
            eprintln!("seed {seed}:\n{}", &log[log.len().saturating_sub(6000)..]);
            std::panic::resume_unwind(panic);
        }

        for (index, transport) in Session::TRANSPORTS.iter().enumerate() {
            opened[index] += usize::from(world.was_open_on == Some(*transport));
        }
    }
    // The dice reach every corner.
    assert!(opened.iter().all(|&count| count > 100), "{opened:?}");
}
