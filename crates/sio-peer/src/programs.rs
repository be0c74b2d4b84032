//! Tests that are whole programs: a process of its own, from `main` to its end, and a scripted peer in the test's process.
//!
//! The test executable, which has no harness, is also the program: called with `PROGRAM`, it runs one of them and returns
//! from `main`. So what is seen from outside (exit code, output, time, memory) is the program's and the client's alone.

mod costs;
mod ends;
mod holds;

use std::env;
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::catch_unwind;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use sio_core::session::Session;
use sio_core::{Reconnect, Transport};
use sio_net::{Client, ClientBuilder};

use crate::child::{Child, Ended};
use crate::peer::{Answer, Peer, Request};
use crate::websocket::WebSocketPeer;

/// The first argument of a call that runs a program: behind it are its name, the way and the URL.
const PROGRAM: &str = "--program";

/// What needs no waiting, on a busy machine. It is less than the client's shortest limit, the 1.5 s for closing, half of
/// which an upgrade gets that is under way.
const AT_ONCE: Duration = Duration::from_millis(1400);

/// By what a program is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// WebSocket alone.
    WebSocket,
    /// Polling alone.
    Polling,
    /// Polling, while the WebSocket of the upgrade is not answered.
    Upgrading,
    /// WebSocket, after an upgrade.
    Upgraded,
}

impl Way {
    const ALL: [Self; 4] = [
        Self::WebSocket,
        Self::Polling,
        Self::Upgrading,
        Self::Upgraded,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Polling => "polling",
            Self::Upgrading => "upgrading",
            Self::Upgraded => "upgraded",
        }
    }
}

/// The server's side of a connection.
#[derive(Debug)]
pub enum Line {
    /// A WebSocket.
    Socket(WebSocketPeer),
    /// A held poll, and the WebSocket of the upgrade if there is one.
    Polling(Request, Option<Request>),
}

impl Line {
    /// Ends the connection without a word.
    fn cut(self) {
        match self {
            Self::Socket(mut socket) => socket.cut(),
            Self::Polling(poll, _) => poll.answer(&Answer::new(500, "text/plain", b"no")),
        }
    }
}

/// What a peer of these programs says, in a protocol's words.
pub trait Words: 'static {
    /// The protocol.
    type Protocol: Session;

    /// The ways this protocol has.
    const WAYS: &'static [Way];

    /// The answer to the first call.
    const FIRST_ANSWER: &'static str;

    /// Answers a client until it is connected.
    fn welcome(peer: &mut Peer, way: Way) -> Line;

    /// The handshake of a WebSocket, with everything before it answered.
    fn upgrade(peer: &mut Peer) -> Request;

    /// An event without arguments.
    fn event(name: &str) -> String;

    /// An event with one text, which needs no escapes.
    fn text_event(name: &str, text: &str) -> String;

    /// A packet that means nothing, with this data.
    fn noop(data: &str) -> String;

    /// The answer to a poll.
    fn polled(packets: &[&str]) -> Answer;

    /// The answer to a post.
    fn posted() -> Answer;

    /// Takes what comes and answers no question, until the client has said goodbye and the connection has ended.
    fn hear_out(peer: &mut Peer, line: Line);

    /// Hears the client's goodbye and nothing else, and sees the end of the connection.
    fn see_off(peer: &mut Peer, line: Line);
}

/// A program and the script of its peer.
struct Case<W: Words> {
    name: &'static str,
    /// The ways it is played, as far as the protocol has them.
    ways: &'static [Way],
    program: fn(&Program),
    script: fn(&mut Stage<W>),
}

impl<W: Words> Case<W> {
    fn new(
        name: &'static str,
        ways: &'static [Way],
        program: fn(&Program),
        script: fn(&mut Stage<W>),
    ) -> Self {
        Self {
            name,
            ways,
            program,
            script,
        }
    }
}

/// What a program is called with.
struct Program {
    way: Way,
    url: String,
}

impl Program {
    fn builder<W: Words>(&self) -> ClientBuilder<W::Protocol> {
        self.builder_at::<W>(&self.url)
    }

    fn builder_at<W: Words>(&self, url: &str) -> ClientBuilder<W::Protocol> {
        let transports = match self.way {
            Way::WebSocket => vec![Transport::WebSocket],
            Way::Polling => vec![Transport::Polling],
            Way::Upgrading | Way::Upgraded => vec![Transport::Polling, Transport::WebSocket],
        };
        // What ends a connection is looked at, not what follows.
        Client::builder(url)
            .transports(transports)
            .reconnect(Reconnect::off())
    }

    fn connect<W: Words>(&self) -> Client<W::Protocol> {
        connect::<W>(self.builder::<W>())
    }
}

/// Connects, and waits for its cue.
fn connect<W: Words>(builder: ClientBuilder<W::Protocol>) -> Client<W::Protocol> {
    let client = builder.connect().expect("a connection");
    wait_for_cue();
    client
}

/// Waits until the script says that the program may go on. What a program is sent comes with a cue, for then the peer has
/// taken what a client asks for by itself.
fn wait_for_cue() {
    read_cue();
}

/// The same, with what the script says.
fn read_cue() -> String {
    let mut line = String::new();
    io::stdin().read_line(&mut line).expect("a line");
    line.truncate(line.trim_end().len());
    line
}

/// Where a program is played: its process and its peer.
struct Stage<W: Words> {
    peer: Peer,
    way: Way,
    child: Option<Child>,
    /// When the program was last given something to go on with.
    since: Instant,
    words: PhantomData<W>,
}

impl<W: Words> Stage<W> {
    fn new(case: &Case<W>, way: Way) -> Self {
        let peer = Peer::new();
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args([PROGRAM, case.name, way.name(), &peer.url()])
            .env("RUST_BACKTRACE", "0");
        Self {
            peer,
            way,
            child: Some(Child::start(&mut command)),
            since: Instant::now(),
            words: PhantomData,
        }
    }

    /// Answers the program until it is connected, and gives it its cue.
    #[track_caller]
    fn connects(&mut self) -> Line {
        let line = W::welcome(&mut self.peer, self.way);
        self.cues();
        line
    }

    /// Lets the program go on that [waits for its cue](wait_for_cue).
    fn cues(&mut self) {
        self.cues_with("");
    }

    /// The same, and says something.
    fn cues_with(&mut self, line: &str) {
        self.child.as_mut().expect("a process").tell(line);
        self.since = Instant::now();
    }

    /// Sends a packet, and gives the program its cue.
    #[track_caller]
    fn sends(&mut self, line: Line, packet: &str) -> Line {
        let line = match line {
            Line::Socket(mut socket) => {
                socket.text(packet);
                Line::Socket(socket)
            }
            Line::Polling(poll, upgrade) => {
                poll.answer(&W::polled(&[packet]));
                Line::Polling(self.peer.get(), upgrade)
            }
        };
        self.cues();
        line
    }

    /// Sends an event without arguments.
    #[track_caller]
    fn sends_event(&mut self, line: Line, name: &str) -> Line {
        self.sends(line, &W::event(name))
    }

    /// Takes one packet from the program, whatever it is.
    #[track_caller]
    fn hears(&mut self, line: &mut Line) {
        match line {
            Line::Socket(socket) => drop(socket.message()),
            Line::Polling(..) => self.peer.post().answer(&W::posted()),
        }
    }

    /// The program says goodbye, at once.
    #[track_caller]
    fn sees_goodbye(&mut self, line: Line) {
        W::see_off(&mut self.peer, line);
        self.was_at_once("the goodbye");
    }

    /// The connection ends at once, with a goodbye or without.
    #[track_caller]
    fn sees_end(&self, line: Line) {
        match line {
            Line::Socket(mut socket) => socket.is_closed(),
            Line::Polling(poll, upgrade) => {
                poll.expect_drop();
                upgrade.into_iter().for_each(Request::expect_drop);
            }
        }
        self.was_at_once("the end of the connection");
    }

    /// The connection ends at once, and nothing was said before.
    #[track_caller]
    fn sees_end_without_goodbye(&mut self, line: Line) {
        if let Line::Socket(mut socket) = line {
            let read = socket.socket.read();
            assert!(read.is_err(), "{read:?}");
        } else {
            self.sees_end(line);
            let came = self.peer.any_within(Duration::from_millis(20));
            assert!(came.is_none(), "{came:?}");
        }
        self.was_at_once("the end of the connection");
    }

    /// The program ends by itself at once, with this code, and has written nothing.
    #[track_caller]
    fn exits(&mut self, code: i32) {
        self.exits_within(code, Duration::ZERO..AT_ONCE);
    }

    /// The same, but in another time.
    #[track_caller]
    fn exits_within(&mut self, code: i32, time: Range<Duration>) {
        let ended = self.ends(code, time);
        assert_eq!((&*ended.out, &*ended.err), ("", ""), "what was printed");
    }

    /// The program ends by itself at once, and has written what the standard library does about one panic, and nothing
    /// else.
    #[track_caller]
    fn exits_with_panic(&mut self, code: i32, message: &str) {
        let ended = self.ends(code, Duration::ZERO..AT_ONCE);
        assert_eq!(ended.out, "", "what was printed");
        let is_frame = |line: &&str| {
            let is_head = line.starts_with("thread '") && line.contains(" panicked at ");
            is_head || line.starts_with("note: run with `RUST_BACKTRACE=") || line.is_empty()
        };
        let rest: Vec<&str> = ended.err.lines().filter(|line| !is_frame(line)).collect();
        assert_eq!(rest, [message], "what was printed:\n{}", ended.err);
    }

    #[track_caller]
    fn ends(&mut self, code: i32, time: Range<Duration>) -> Ended {
        let ended = self.child.take().expect("a process").end(time.end);
        let took = self.since.elapsed();
        let status = ended.status.expect("a process that ends by itself");
        assert_eq!(status.code(), Some(code), "{status}: {ended:?}");
        assert!(
            time.contains(&took),
            "the end of the process took {took:?}, expected {time:?}"
        );
        ended
    }

    #[track_caller]
    fn was_at_once(&self, what: &str) {
        let took = self.since.elapsed();
        assert!(took < AT_ONCE, "{what} took {took:?}");
    }
}

/// The tests, or the program that the arguments ask for. Words among the arguments are parts of tests' names, as usual.
#[must_use]
pub fn main<W: Words>() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let cases: Vec<_> = ends::cases::<W>()
        .into_iter()
        .chain(costs::cases())
        .chain(holds::cases())
        .collect();
    match &arguments[..] {
        [program, name, way, url] if program == PROGRAM => {
            let case = cases.iter().find(|case| case.name == name);
            let way = Way::ALL.into_iter().find(|one| one.name() == way);
            let program = Program {
                way: way.expect("a way"),
                url: url.clone(),
            };
            (case.expect("a program of this name").program)(&program);
            ExitCode::SUCCESS
        }
        arguments => test(&cases, arguments),
    }
}

/// What a test that failed leaves behind goes with its stage.
fn passes<W: Words>(case: &Case<W>, way: Way) -> bool {
    catch_unwind(|| (case.script)(&mut Stage::new(case, way))).is_ok()
}

fn test<W: Words>(cases: &[Case<W>], arguments: &[String]) -> ExitCode {
    let words: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_wanted =
        |name: &String| words.is_empty() || words.iter().any(|word| name.contains(&***word));
    let lists_only = arguments.iter().any(|argument| argument == "--list");
    let (mut passed, mut failed) = (0, Vec::new());
    for case in cases {
        // The ways of one program at the same time: processes wait more than they compute.
        let outcomes = thread::scope(|scope| {
            let ways = W::WAYS.iter().filter(|way| case.ways.contains(way));
            let plays = ways.filter_map(|&way| {
                let name = format!("{}::{}", case.name, way.name());
                let play = move || lists_only || passes(case, way);
                is_wanted(&name).then(|| (name, scope.spawn(play)))
            });
            let plays: Vec<_> = plays.collect();
            let outcomes = plays.into_iter().map(|(name, play)| (name, play.join()));
            outcomes.collect::<Vec<_>>()
        });
        for (name, outcome) in outcomes {
            match outcome {
                _ if lists_only => println!("{name}: test"),
                Ok(true) => {
                    println!("test {name} ... ok");
                    passed += 1;
                }
                _ => {
                    println!("test {name} ... FAILED");
                    failed.push(name);
                }
            }
        }
    }
    println!("{passed} passed, {} failed {failed:?}", failed.len());
    match &failed[..] {
        [] => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
