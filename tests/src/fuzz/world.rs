//! A session without a network: inputs, commands and time come from a tape, and whatever the session does with them, it
//! keeps the contract of [`sio_core::session`].

use std::collections::{BTreeSet, VecDeque};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use sio_core::session::{
    AckId, Command, Input, Io, Method, Output, Request, RequestId, Response, Session,
    SessionConfig, SessionEvent,
};
use sio_core::{Args, Encoded, Error, Limits, Transport, Value};

use super::tape::Tape;
use super::text;

/// How long closing may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// More deadlines than any session has until it closes.
const DEADLINES: usize = 1000;

const NAMESPACES: [&str; 3] = ["/", "/a", "/b"];

/// What a protocol's server says, right or wrong, and what it makes of the client's words.
pub(super) trait Server: Default {
    /// The client's side.
    type Session: Session;

    /// Options of the client.
    fn options(tape: &mut Tape<'_>) -> <Self::Session as Session>::Options;

    /// The content type and body of an answer to a GET.
    fn answer(request: &Request, tape: &mut Tape<'_>) -> (Option<&'static str>, Vec<u8>);

    /// What comes on a stream.
    fn data(tape: &mut Tape<'_>) -> Vec<u8>;

    /// A WebSocket message.
    fn message(tape: &mut Tape<'_>) -> Input;

    /// The numbers of the payloads in a POST. Panics when the body is broken.
    fn posted(&mut self, request: &Request) -> Vec<u64>;

    /// The same for a WebSocket text message.
    fn text(&mut self, text: &ByteString) -> Vec<u64>;

    /// The same for a binary one.
    fn binary(&mut self, bytes: &Bytes) -> Vec<u64>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WebSocket {
    None,
    Opening,
    Open,
    /// The client has sent its close frame.
    Closing,
}

/// A session, what is on the network for it, and what its program was told.
struct World<'a, P: Server> {
    tape: Tape<'a>,
    session: P::Session,
    server: P,
    now: Instant,
    get: Option<Request>,
    post: Option<RequestId>,
    websocket: WebSocket,
    /// How many requests were made; they are numbered in order.
    requests: u32,
    /// Whether all that is reported of a WebSocket is of the one that is there.
    lawful: bool,
    transport: Option<Transport>,
    upgraded: bool,
    joined: BTreeSet<ByteString>,
    /// What the server asked, and was not answered.
    questions: VecDeque<(ByteString, AckId)>,
    next_ack: AckId,
    /// How many payloads were commanded, and how many of them the server got.
    commanded: u64,
    arrived: u64,
    /// When the session has to be over, once it was told to close.
    close_by: Option<Instant>,
    closed: bool,
    log: Log,
}

/// What has happened, for whoever has to understand a failure. The fuzzer itself has no time for it.
#[derive(Default)]
struct Log(Vec<String>);

impl Log {
    fn note(&mut self, what: impl FnOnce() -> String) {
        if cfg!(test) {
            self.0.push(what());
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.0.join("\n"));
        }
    }
}

/// Plays a tape to its end, and then closes the session.
pub(super) fn play<P: Server>(input: &[u8]) {
    let mut world = World::<P>::new(Tape::new(input));
    world.carry_out();
    while !world.closed && !world.tape.is_over() {
        world.step();
    }
    world.command_close();
    for _ in 0..DEADLINES {
        if world.closed {
            return;
        }
        world.time_passes_to_deadline();
    }
    panic!("closing has {DEADLINES} deadlines");
}

impl<'a, P: Server> World<'a, P> {
    fn new(mut tape: Tape<'a>) -> Self {
        let mut transports = P::Session::TRANSPORTS.to_vec();
        let first = tape.below(transports.len());
        transports.rotate_left(first);
        let count = 1 + tape.below(transports.len());
        transports.truncate(count);
        let choices = tape.byte();
        let is_chosen = |bit: u8| choices & 1 << bit == 0;
        let config = SessionConfig {
            path: "/socket.io/".into(),
            query: "".into(),
            transports,
            upgrade: P::Session::UPGRADES && is_chosen(0),
            timestamps: !is_chosen(1),
            nonce: 1,
            upgrade_timeout: Duration::from_secs(if is_chosen(2) { 10 } else { 0 }),
            close_timeout: CLOSE_TIMEOUT,
            limits: Limits::default()
                .message_bytes(1000)
                .attachments(2)
                .attachment_bytes(100),
            options: P::options(&mut tape),
        };
        let mut log = Log::default();
        log.note(|| format!("{config:?}"));
        let now = Instant::now();
        Self {
            tape,
            session: P::Session::start(config, now + Duration::from_secs(20), now),
            server: P::default(),
            now,
            get: None,
            post: None,
            websocket: WebSocket::None,
            requests: 0,
            lawful: is_chosen(3),
            transport: None,
            upgraded: false,
            joined: BTreeSet::new(),
            questions: VecDeque::new(),
            next_ack: P::Session::FIRST_ACK_ID,
            commanded: 0,
            arrived: 0,
            close_by: None,
            closed: false,
            log,
        }
    }

    // --- what the session wants -------------------------------------------------------------------------------------

    /// Carries out all outputs, and looks at each of them. Returns how many there were.
    fn carry_out(&mut self) -> usize {
        let mut count = 0;
        while let Some(output) = self.session.poll_output() {
            self.log.note(|| format!("    {output:?}"));
            assert!(!self.closed, "something follows the end");
            count += 1;
            match output {
                Output::Io(io) => self.io(io),
                Output::Event(event) => self.event(event),
            }
        }
        let backlog = self.session.backlog();
        if self.closed {
            assert_eq!(backlog, 0, "a backlog that nobody will take");
            assert_eq!(
                self.session.poll_timeout(),
                None,
                "a deadline behind the end"
            );
        } else if backlog == 0 {
            assert_eq!(self.arrived, self.commanded, "something was lost");
        }
        assert!(backlog < 1 << 32, "a backlog below nothing");
        count
    }

    fn io(&mut self, io: Io) {
        match io {
            Io::Request(request) => self.request(request),
            Io::CancelRequest(id) => {
                let is_get = self.get.take_if(|get| get.id == id).is_some();
                let is_post = self.post.take_if(|post| *post == id).is_some();
                assert!(is_get || is_post, "what is not out is cancelled");
            }
            Io::OpenWebSocket(_) => {
                assert_eq!(self.websocket, WebSocket::None, "a second WebSocket");
                self.websocket = WebSocket::Opening;
            }
            Io::SendText(text) => {
                self.may_send();
                let numbers = self.server.text(&text);
                self.arrive(&numbers);
            }
            Io::SendBinary(bytes) => {
                self.may_send();
                let numbers = self.server.binary(&bytes);
                self.arrive(&numbers);
            }
            Io::CloseWebSocket => {
                self.may_send();
                self.websocket = WebSocket::Closing;
            }
            // Also one that is gone by itself.
            Io::DropWebSocket => self.websocket = WebSocket::None,
        }
    }

    fn may_send(&self) {
        let may = self.websocket == WebSocket::Open;
        assert!(
            may || !self.lawful,
            "sending on a WebSocket that is not open"
        );
    }

    fn request(&mut self, request: Request) {
        assert_eq!(
            request.id.0, self.requests,
            "requests are numbered in order"
        );
        self.requests += 1;
        match request.method {
            Method::Get => {
                assert!(self.get.is_none(), "a second GET");
                assert!(request.body.is_empty() && request.content_type.is_none());
                self.get = Some(request);
            }
            Method::Post => {
                assert!(self.post.is_none(), "a second POST");
                assert!(!request.body.is_empty() && request.content_type.is_some());
                self.post = Some(request.id);
                let numbers = self.server.posted(&request);
                self.arrive(&numbers);
            }
        }
    }

    /// In order, each once.
    fn arrive(&mut self, numbers: &[u64]) {
        for number in numbers {
            assert_eq!(
                *number, self.arrived,
                "a payload is lost, doubled, or out of order"
            );
            self.arrived += 1;
        }
        assert!(self.arrived <= self.commanded);
    }

    fn event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Opened { transport, .. } => {
                assert!(self.transport.is_none(), "opened twice");
                self.transport = Some(transport);
            }
            SessionEvent::Upgraded => {
                assert!(!self.upgraded && self.transport == Some(Transport::Polling));
                self.upgraded = true;
            }
            SessionEvent::UpgradeFailed(_) => {
                assert!(self.transport == Some(Transport::Polling) && !self.upgraded);
            }
            SessionEvent::TransportFailed { .. } => {
                assert!(self.transport.is_none(), "a session stays on its transport");
            }
            SessionEvent::Joined { namespace } => {
                self.is_open();
                assert!(self.joined.insert(namespace), "joined twice");
            }
            SessionEvent::Left { namespace } => {
                self.joined.remove(&namespace);
            }
            SessionEvent::Refused { namespace, .. } => {
                assert!(
                    !self.joined.contains(&namespace),
                    "refused behind its grant"
                );
            }
            SessionEvent::ServerError { namespace, .. } => {
                assert!(
                    self.joined.contains(&namespace),
                    "an error of a namespace that is out"
                );
            }
            // Also of a namespace that is out: the manager drops those.
            SessionEvent::Event {
                namespace,
                args,
                id,
                ..
            } => {
                let _ = args.to_values();
                self.questions.extend(id.map(|id| (namespace, id)));
            }
            SessionEvent::Ack { args, .. } => {
                let _ = args.to_values();
            }
            SessionEvent::Latency(_) => self.is_open(),
            SessionEvent::Tolerated { .. } => {}
            SessionEvent::Closed(_) => {
                self.closed = true;
                let left = (&self.get, self.post, self.websocket);
                assert_eq!(
                    left,
                    (&None, None, WebSocket::None),
                    "the end leaves something open"
                );
            }
        }
    }

    fn is_open(&self) {
        assert!(self.transport.is_some(), "before the session is open");
    }

    // --- what happens -----------------------------------------------------------------------------------------------

    fn step(&mut self) {
        match self.tape.below(16) {
            0..=2 => self.get_goes_on(),
            3 => {
                if let Some(id) = self.post.take() {
                    let body = if self.tape.below(8) == 0 {
                        "<html>"
                    } else {
                        "ok"
                    };
                    self.respond(id, None, body.as_bytes().to_vec());
                }
            }
            4 => self.request_fails(),
            5..=7 => self.websocket_goes_on(),
            8 => self.websocket_ends(),
            9 => self.stale_answer(),
            10 if !self.lawful && self.websocket == WebSocket::None => self.stale_websocket(),
            10..=13 => self.command(),
            14 => self.time_passes_to_deadline(),
            _ => self.time_passes(),
        }
    }

    fn input(&mut self, input: Input) -> usize {
        self.log.note(|| format!("{input:?}"));
        self.session.handle_input(input, self.now);
        self.carry_out()
    }

    fn respond(&mut self, id: RequestId, content_type: Option<&str>, body: Vec<u8>) -> usize {
        let response = self.response(content_type, body);
        self.input(Input::HttpResponse { id, response })
    }

    fn response(&mut self, content_type: Option<&str>, body: Vec<u8>) -> Response {
        let status = [400, 200, 200, 200, 200, 200, 200, 302][self.tape.below(8)];
        Response {
            status,
            content_type: content_type.map(Into::into),
            location: (status == 302).then(|| "/elsewhere".into()),
            body: body.into(),
        }
    }

    fn get_goes_on(&mut self) {
        let Some(request) = self.get.take() else {
            return;
        };
        let id = request.id;
        if request.streamed && self.tape.below(8) > 0 {
            self.get = Some(request);
            let data = P::data(&mut self.tape);
            if !data.is_empty() {
                self.input(Input::HttpData {
                    id,
                    data: data.into(),
                });
            }
        } else if request.streamed {
            let mut response = self.response(None, Vec::new());
            response.status = 200;
            self.input(Input::HttpResponse { id, response });
        } else {
            let (content_type, body) = P::answer(&request, &mut self.tape);
            self.respond(id, content_type, body);
        }
    }

    fn request_fails(&mut self) {
        let id = match self.tape.flag() {
            true => self.get.take().map(|get| get.id),
            false => self.post.take(),
        };
        if let Some(id) = id {
            self.input(Input::HttpFailed { id, error: cut() });
        }
    }

    fn websocket_goes_on(&mut self) {
        match self.websocket {
            WebSocket::None => {}
            WebSocket::Opening => {
                self.websocket = WebSocket::Open;
                self.input(Input::WebSocketOpened);
            }
            WebSocket::Open | WebSocket::Closing => {
                let message = P::message(&mut self.tape);
                self.input(message);
            }
        }
    }

    fn websocket_ends(&mut self) {
        let input = match self.websocket {
            WebSocket::None => return,
            WebSocket::Opening if self.tape.flag() => {
                let body = self.tape.bytes().to_vec();
                Input::WebSocketRefused(self.response(None, body))
            }
            WebSocket::Open | WebSocket::Closing if self.tape.flag() => Input::WebSocketClosed {
                code: self.tape.flag().then_some(1000),
                text: text(self.tape.bytes()),
            },
            _ => Input::WebSocketFailed(cut()),
        };
        self.websocket = WebSocket::None;
        self.input(input);
    }

    /// Of a request that is over, or that never was.
    fn stale_answer(&mut self) {
        let id = RequestId(self.tape.below(self.requests as usize + 2) as u32);
        if self.get.as_ref().is_some_and(|get| get.id == id) || self.post == Some(id) {
            return;
        }
        let body = self.tape.bytes().to_vec();
        let count = match self.tape.below(3) {
            0 => self.respond(id, None, body),
            1 => self.input(Input::HttpData {
                id,
                data: body.into(),
            }),
            _ => self.input(Input::HttpFailed { id, error: cut() }),
        };
        assert_eq!(count, 0, "what nobody asked for has an effect");
    }

    /// What nothing is reported of any more, against the contract.
    fn stale_websocket(&mut self) {
        let input = match self.tape.below(4) {
            0 => Input::WebSocketOpened,
            1 => Input::WebSocketFailed(cut()),
            _ => P::message(&mut self.tape),
        };
        self.input(input);
    }

    // --- what the program wants -------------------------------------------------------------------------------------

    /// As far as the manager lets it, which knows what is joined.
    fn command(&mut self) {
        if self.transport.is_none() || self.close_by.is_some() {
            return;
        }
        let namespace = ByteString::from(NAMESPACES[self.tape.below(NAMESPACES.len())]);
        let is_joined = self.joined.contains(&namespace);
        let command = match self.tape.below(8) {
            0 if namespace != "/" && !is_joined => Command::Join {
                query: (self.tape.flag()).then(|| "a=b".into()),
                namespace,
            },
            1 => {
                self.joined.remove(&namespace);
                Command::Leave { namespace }
            }
            2 => {
                self.command_close();
                return;
            }
            3..=4 => {
                let Some((namespace, id)) = self.questions.pop_front() else {
                    return;
                };
                if !self.joined.contains(&namespace) {
                    return;
                }
                let payload = self.payload(None);
                Command::Ack {
                    namespace,
                    id,
                    payload,
                }
            }
            _ if is_joined => {
                let payload = self.payload(Some("e"));
                let id = self.tape.flag().then(|| {
                    self.next_ack += 1;
                    self.next_ack - 1
                });
                Command::Emit {
                    namespace,
                    id,
                    payload,
                }
            }
            _ => return,
        };
        self.log.note(|| format!("{command:?}"));
        self.session.handle_command(command, self.now);
        self.carry_out();
    }

    /// The next number, with something more or less large behind it.
    fn payload(&mut self, name: Option<&str>) -> Encoded {
        let number = self.commanded;
        self.commanded += 1;
        let payload = match (self.tape.below(8), name) {
            (0, _) => encoded(name, &(number, "y".repeat(700))),
            (1, _) => encoded(name, &(number, Bytes::from_static(b"z"))),
            (2, Some(_)) => Encoded::message(&number).expect("a number can be sent"),
            (3, Some(_)) => {
                Encoded::message(&format!("{number}\u{e9}")).expect("a text can be sent")
            }
            _ => encoded(name, &(number, "x+\u{e9}")),
        };
        match P::Session::check_payload(&payload) {
            Ok(()) => payload,
            Err(_) => encoded(name, &(number, ())),
        }
    }

    fn command_close(&mut self) {
        if self.closed || self.close_by.is_some() {
            return;
        }
        self.log.note(|| "close".to_owned());
        self.close_by = Some(self.now + CLOSE_TIMEOUT);
        self.session.handle_command(Command::Close, self.now);
        self.carry_out();
    }

    // --- time -------------------------------------------------------------------------------------------------------

    fn time_passes_to_deadline(&mut self) {
        let Some(due) = self.session.poll_timeout() else {
            assert_eq!(self.close_by, None, "nothing will end this");
            return;
        };
        self.now = self.now.max(due);
        self.timeout();
    }

    /// A little, or up to many years.
    fn time_passes(&mut self) {
        let shift = self.tape.below(42);
        self.now += Duration::from_millis(1 << shift);
        if self.tape.flag() {
            self.timeout();
        }
    }

    fn timeout(&mut self) {
        self.log.note(|| format!("at {:?}", self.now));
        self.session.handle_timeout(self.now);
        self.carry_out();
        if self.closed {
            return;
        }
        let next = self.session.poll_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "a deadline that has passed is due again: whoever drives this would spin"
        );
        let late = self.close_by.is_some_and(|close_by| close_by <= self.now);
        assert!(!late, "closing takes longer than its limit");
    }
}

fn encoded(name: Option<&str>, args: &(u64, impl serde::Serialize)) -> Encoded {
    let encoded = match name {
        Some(name) => Encoded::event(name, args),
        None => Encoded::values(args),
    };
    encoded.expect("a payload that can be encoded")
}

/// The number of a payload, which stands first: as a number, or at the beginning of a text.
pub(super) fn number(args: &Args) -> u64 {
    assert_eq!(args.validate(), Ok(()));
    let first: Value = args.decode().expect("a payload has arguments");
    let digits = |text: &str| text.trim_end_matches('\u{e9}').parse().ok();
    let number = first.as_u64().or_else(|| first.as_str().and_then(digits));
    number.expect("a payload begins with a number")
}

fn cut() -> Error {
    Error::transport("a test", std::io::Error::other("cut"))
}
