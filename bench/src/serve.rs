//! A server that is faster than any client: frames made by hand, many to a write, one thread, no JSON parser.
//!
//! It speaks Engine.IO 3 and 4 and Socket.IO 0.9 on one port, over WebSocket and polling, told apart by path and query as
//! real servers do. Of the real servers' application it has what the benchmarks use: `message` answers with the bytes of
//! its arguments, `burst` sends events `tick`, `sink` does nothing. It trusts its clients: what none of them says ends the
//! connection, with a line on standard error.

mod application;
mod burst;
mod connection;
mod dialect;
mod engine_io;
mod frame;
mod http;
mod legacy;
mod output;
mod world;

use std::collections::HashMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};

use connection::{Connection, End, More};
use world::{Whom, World};

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const FIRST: usize = 2;
/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// The heartbeat that the server announces. It ends nobody who has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The time between two heartbeats.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(25),
            timeout: Duration::from_secs(20),
        }
    }
}

/// The server on a thread of its own. It ends when this is dropped.
pub struct Server {
    port: u16,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Starts it on a port that the system chooses.
    ///
    /// # Errors
    /// If the system has no port, or no more descriptors.
    pub fn start(timing: Timing) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let port = listener.local_addr()?.port();
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        let running = Running {
            poll,
            listener,
            connections: HashMap::new(),
            next: FIRST,
            world: World::new(timing),
            scratch: vec![0; CHUNK],
            waiting: Vec::new(),
        };
        Ok(Self {
            port,
            waker,
            thread: Some(thread::spawn(move || running.run())),
        })
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it, with all connections.
    ///
    /// # Errors
    /// What it ended with before, if it did.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        self.waker.wake()?;
        let ended = thread.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("the server panicked")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("bench serve: {error}");
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// What follows from a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    /// So many binary frames belong to it.
    Attachments(usize),
    /// A WebSocket asks whether it may take over.
    Probe,
    /// It does.
    Upgrade,
    Close,
}

struct Running {
    poll: Poll,
    listener: TcpListener,
    connections: HashMap<Token, Box<Connection>>,
    /// The next token: none is used twice.
    next: usize,
    world: World,
    scratch: Vec<u8>,
    /// Those that have more to read than one turn.
    waiting: Vec<Token>,
}

impl Running {
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let limit = if self.waiting.is_empty() {
                let next = self.world.beats.front();
                next.map(|(due, _)| due.saturating_duration_since(Instant::now()))
            } else {
                Some(Duration::ZERO)
            };
            match self.poll.poll(&mut events, limit) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for token in std::mem::take(&mut self.waiting) {
                self.turn(token, Turn::READ);
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    WAKER => return Ok(()),
                    token => self.turn(
                        token,
                        Turn {
                            can_read: event.is_readable(),
                            can_write: event.is_writable(),
                            has_ended: event.is_read_closed() || event.is_error(),
                        },
                    ),
                }
            }
            self.beats();
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // It has gone before it was taken.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            // Who has gone already is noticed when read.
            _ = stream.set_nodelay(true);
            let token = Token(self.next);
            self.next += 1;
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, token, both)?;
            let connection = Box::new(Connection::new(token, stream));
            self.connections.insert(token, connection);
        }
    }

    fn turn(&mut self, token: Token, turn: Turn) {
        let Some(connection) = self.connections.get_mut(&token) else {
            return;
        };
        match take_turn(connection, turn, &mut self.scratch, &mut self.world) {
            Ok(More::Yes) => self.waiting.push(token),
            Ok(More::No) => {}
            Err(end) => self.end(token, &end),
        }
        self.give_answers();
    }

    /// Polls of other connections are answered.
    fn give_answers(&mut self) {
        while let Some((token, answer)) = self.world.answers.pop() {
            if let Some(connection) = self.connections.get_mut(&token) {
                connection.parked = None;
                connection.output.tail().extend_from_slice(&answer);
                if let Err(end) = connection.write(&mut self.world) {
                    self.end(token, &end);
                }
            }
        }
    }

    fn end(&mut self, token: Token, end: &End) {
        if let End::Strange(why) = end {
            eprintln!("bench serve: {why}");
        }
        if let Some(connection) = self.connections.remove(&token) {
            self.world.forget(&connection);
        }
    }

    fn beats(&mut self) {
        let now = Instant::now();
        while let Some((due, _)) = self.world.beats.front()
            && *due <= now
            && let Some((_, whom)) = self.world.beats.pop_front()
        {
            match &whom {
                Whom::Connection(token) => {
                    let Some(connection) = self.connections.get_mut(token) else {
                        continue;
                    };
                    let Some(dialect) = connection.dialect() else {
                        continue;
                    };
                    if let Some(beat) = dialect.heartbeat() {
                        connection.text(beat);
                        match connection.write(&mut self.world) {
                            Ok(_) => self.world.beat(dialect, whom),
                            Err(end) => self.end(*token, &end),
                        }
                    }
                }
                Whom::Session(sid) => {
                    if let Some(dialect) = self.world.beat_of_session(sid) {
                        self.world.beat(dialect, whom);
                    }
                    self.give_answers();
                }
            }
        }
    }
}

/// What a connection may do.
#[derive(Debug, Clone, Copy)]
struct Turn {
    can_read: bool,
    can_write: bool,
    has_ended: bool,
}

impl Turn {
    const READ: Self = Self {
        can_read: true,
        can_write: false,
        // Nothing is lost if it is read once more than needed.
        has_ended: true,
    };
}

fn take_turn(
    connection: &mut Connection,
    turn: Turn,
    scratch: &mut [u8],
    world: &mut World,
) -> Result<More, End> {
    let may_go_on = turn.can_write && connection.write(world)?;
    if turn.can_read || turn.has_ended || may_go_on {
        return connection.read(scratch, turn.has_ended || may_go_on, world);
    }
    Ok(More::No)
}

/// How long a text is to JavaScript.
fn utf16_length(text: &[u8]) -> usize {
    // A character of four bytes has two units, all others have one.
    let heads = text.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    heads + text.iter().filter(|byte| **byte >= 0xf0).count()
}

/// Where so many units of UTF-16 end.
fn end_of_utf16(text: &[u8], units: usize) -> Option<usize> {
    let mut left = units;
    let mut at = 0;
    while left > 0 {
        let (bytes, units) = match *text.get(at)? {
            0..0x80 => (1, 1),
            0x80..0xe0 => (2, 1),
            0xe0..0xf0 => (3, 1),
            _ => (4, 2),
        };
        at += bytes;
        left = left.checked_sub(units)?;
    }
    (at <= text.len()).then_some(at)
}
