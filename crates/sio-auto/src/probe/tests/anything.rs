//! Whatever comes, and whenever: the probe ends in time, and its report can be told.

use std::mem;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use sio_core::Error;
use sio_core::session::{
    Command, Input, Io, Method, Output, Request, RequestId, Response, Session as _, SessionEvent,
};

use super::{CONNECT_TIMEOUT, OPEN, OPEN_4, config, octets, ok, texts};
use crate::Report;
use crate::probe::Session;

/// What happens next, if it can.
#[derive(Debug, Clone)]
enum Step {
    Answer(Response),
    Data(Vec<u8>),
    Fails,
    Posted(u16),
    Opens,
    Says(String),
    Bytes(Vec<u8>),
    Ends(Option<u16>),
    Refuses(Response),
    Passes(u64),
    Stale(u32, Response),
    Closes,
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<Vec<u8>> = vec![
        OPEN.into(),
        OPEN_4.into(),
        octets(OPEN),
        [octets(OPEN), octets("40")].concat(),
        texts(&[OPEN, "40"]).into(),
        "Welcome to socket.io.".into(),
        "S:60:60:websocket,xhr-polling".into(),
        "S:60:60:".into(),
        "handshake unauthorized".into(),
        r#"{"code":0,"message":"Transport unknown"}"#.into(),
        r#"{"code":5,"message":"Unsupported protocol version"}"#.into(),
        r#"{"code":4,"message":"no"}"#.into(),
        r#"{"code":"3","message":"Bad request"}"#.into(),
        r#"{"code":null}"#.into(),
        "\"no\"".into(),
        "<html>".into(),
        "/*! Socket.IO.js build:0.9.16, development.".into(),
    ];
    prop_oneof![
        4 => proptest::sample::select(known),
        1 => vec(any::<u8>(), 0..300),
        1 => "0\\{[ -~]{0,60}".prop_map(String::into_bytes),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    let status = prop_oneof![
        6 => Just(200_u16), 3 => Just(400), 1 => Just(403), 1 => 100_u16..600
    ];
    let text = proptest::option::of("[ -~é]{0,40}");
    let tag = proptest::option::of("(W/)?\"?[0-9]\\.[0-9]\\.[0-9]\"?|[ -~]{0,20}");
    (status, body(), text.clone(), text, tag).prop_map(|(status, body, one, other, tag)| Response {
        status,
        content_type: one.as_deref().map(Into::into),
        location: other.map(Into::into),
        etag: tag.map(Into::into),
        server: one.map(Into::into),
        body: body.into(),
        ..ok()
    })
}

fn step() -> impl Strategy<Value = Step> {
    let packet = prop_oneof![
        Just(OPEN.to_owned()),
        Just(OPEN_4.to_owned()),
        Just("40".to_owned()),
        "[ -~]{0,20}"
    ];
    prop_oneof![
        8 => response().prop_map(Step::Answer),
        2 => body().prop_map(Step::Data),
        1 => Just(Step::Data(vec![b'x'; 50 << 10])),
        1 => Just(Step::Fails),
        4 => (100_u16..600).prop_map(Step::Posted),
        3 => Just(Step::Opens),
        4 => packet.prop_map(Step::Says),
        1 => body().prop_map(Step::Bytes),
        2 => proptest::option::of(any::<u16>()).prop_map(Step::Ends),
        1 => response().prop_map(Step::Refuses),
        2 => (0_u64..6000).prop_map(Step::Passes),
        1 => (any::<u32>(), response()).prop_map(|(id, response)| Step::Stale(id, response)),
        1 => Just(Step::Closes),
    ]
}

/// The session with its network, which takes only what makes sense, and its clock.
struct World {
    session: Session,
    now: Instant,
    get: Option<Request>,
    post: Option<RequestId>,
    /// Whether it is open.
    websocket: Option<bool>,
    report: Option<Report>,
    is_closed: bool,
    log: Vec<String>,
}

impl World {
    fn new(until: Instant, now: Instant) -> Self {
        let mut world = Self {
            session: Session::start(config(), until, now),
            now,
            get: None,
            post: None,
            websocket: None,
            report: None,
            is_closed: false,
            log: Vec::new(),
        };
        world.carry_out();
        world
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.session.poll_output() {
            assert!(!self.is_closed, "{output:?} behind the end");
            self.log.push(format!("{output:?}"));
            match output {
                Output::Io(Io::Request(request)) if request.method == Method::Post => {
                    assert!(self.post.replace(request.id).is_none(), "a second POST");
                }
                Output::Io(Io::Request(request)) => {
                    assert!(self.get.replace(request).is_none(), "a second GET");
                }
                Output::Io(Io::CancelRequest(id)) => {
                    let get = self.get.take_if(|get| get.id == id).is_some();
                    let post = self.post.take_if(|post| *post == id).is_some();
                    assert!(get || post, "what is not out is cancelled");
                }
                Output::Io(Io::OpenWebSocket(_)) => {
                    let other = self.websocket.replace(false);
                    assert!(other.is_none(), "a second WebSocket");
                }
                Output::Io(Io::CloseWebSocket) => {
                    assert_eq!(self.websocket, Some(true), "what is not open is closed");
                }
                Output::Io(Io::DropWebSocket) => self.websocket = None,
                Output::Io(Io::SendText(_) | Io::SendBinary(_)) => panic!("something is sent"),
                Output::Event(SessionEvent::Event { args, .. }) => {
                    let (report,) = args.decode().expect("a report");
                    self.report = Some(report);
                }
                Output::Event(SessionEvent::Closed(_)) => self.is_closed = true,
                Output::Event(_) => {}
            }
        }
    }

    fn input(&mut self, input: Input) {
        self.session.handle_input(input, self.now);
        self.carry_out();
    }

    fn pass_to(&mut self, now: Instant) {
        self.now = now;
        self.session.handle_timeout(now);
        self.carry_out();
    }

    fn close(&mut self) {
        self.session.handle_command(Command::Close, self.now);
        self.carry_out();
    }

    /// The request that is out, if its answer is a stream.
    fn stream(&self) -> Option<RequestId> {
        self.get
            .as_ref()
            .filter(|get| get.streamed)
            .map(|get| get.id)
    }

    fn answer(&mut self, mut response: Response) {
        if response.status == 200
            && let Some(id) = self.stream()
        {
            let data = mem::take(&mut response.body);
            if !data.is_empty() {
                self.input(Input::HttpData { id, data });
            }
            if self.stream() != Some(id) {
                return; // enough was said
            }
        }
        if let Some(Request { id, .. }) = self.get.take() {
            self.input(Input::HttpResponse { id, response });
        }
    }

    fn step(&mut self, step: Step) {
        let cut = || Error::transport("a test", std::io::Error::other("cut"));
        match step {
            Step::Answer(response) => self.answer(response),
            Step::Data(data) => {
                if let Some(id) = self.stream() {
                    let data = data.into();
                    self.input(Input::HttpData { id, data });
                }
            }
            Step::Fails => {
                let get = self.get.take().map(|get| get.id);
                if let Some(id) = get.or_else(|| self.post.take()) {
                    self.input(Input::HttpFailed { id, error: cut() });
                }
            }
            Step::Posted(status) => {
                if let Some(id) = self.post.take() {
                    let response = Response { status, ..ok() };
                    self.input(Input::HttpResponse { id, response });
                }
            }
            Step::Opens if self.websocket == Some(false) => {
                self.websocket = Some(true);
                self.input(Input::WebSocketOpened);
            }
            Step::Says(text) if self.websocket == Some(true) => {
                self.input(Input::WebSocketText(text.into()));
            }
            Step::Bytes(bytes) if self.websocket == Some(true) => {
                self.input(Input::WebSocketBinary(bytes.into()));
            }
            Step::Refuses(response) if self.websocket == Some(false) => {
                self.websocket = None;
                self.input(Input::WebSocketRefused(response));
            }
            Step::Opens | Step::Says(_) | Step::Bytes(_) | Step::Refuses(_) => {}
            Step::Ends(code) => match self.websocket.take() {
                Some(true) => {
                    let text = "".into();
                    self.input(Input::WebSocketClosed { code, text });
                }
                Some(false) => self.input(Input::WebSocketFailed(cut())),
                None => {}
            },
            Step::Passes(milliseconds) => {
                self.pass_to(self.now + Duration::from_millis(milliseconds));
            }
            Step::Stale(id, response) => {
                let id = RequestId(id | 1 << 31);
                self.input(Input::HttpResponse { id, response });
            }
            Step::Closes => self.close(),
        }
    }
}

proptest! {
    #[test]
    fn the_probe_ends_in_time_whatever_comes(steps in vec(step(), 0..40)) {
        let begin = Instant::now();
        let until = begin + CONNECT_TIMEOUT;
        let mut world = World::new(until, begin);
        for step in steps {
            if world.is_closed {
                break;
            }
            world.step(step);
        }
        // From here on nothing comes any more: one deadline passes after the other, and at last that of connecting.
        while let Some(due) = world.session.poll_timeout() {
            prop_assert!(due <= until.max(world.now), "a deadline too late: {:?}", world.log);
            world.pass_to(due.max(world.now));
        }
        world.close();
        while let Some(due) = world.session.poll_timeout() {
            let limit = world.now + config().close_timeout;
            prop_assert!(due <= limit, "closing takes too long: {:?}", world.log);
            world.pass_to(due);
        }
        prop_assert!(world.is_closed, "{:?}", world.log);
        prop_assert!(world.get.is_none() && world.post.is_none(), "{:?}", world.log);
        prop_assert!(world.websocket.is_none(), "{:?}", world.log);
        if let Some(report) = world.report {
            prop_assert!(!report.evidence.is_empty());
            let text = report.to_string();
            prop_assert!(text.starts_with(&report.headline()));
            let odd = text.chars().find(|c| c.is_control() && *c != '\n');
            prop_assert_eq!(odd, None, "{}", text);
        }
    }
}
