//! The connections of a [`Front`](super::Front), and the thread that carries their bytes.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use socket2::{SockRef, Socket};

use super::pipe::Pipe;
use super::{Cut, Direction, Done, Door, Flow, Then, Which, lock};
use crate::port::bound;

/// Wakes the thread when something was changed.
pub(super) const WAKER: Token = Token(0);
const LISTENER: Token = Token(1);
/// The first token of a connection; each has [`SIDES`].
const FIRST: usize = 2;
const SIDES: usize = 3;

/// How many bytes of each connection are kept, per direction.
const KEPT: usize = 256 << 10;
const BACKLOG: i32 = 128;

/// All that a front has.
#[derive(Debug)]
pub(super) struct Wire {
    address: SocketAddr,
    /// Bound to the port all the time, so that nobody else gets it while the door is closed.
    _holder: Socket,
    listener: Option<TcpListener>,
    registry: Registry,
    forward_to: u16,
    door: Door,
    /// What was asked for, the newest last.
    rules: Vec<(Which, Direction, Flow)>,
    connections: BTreeMap<usize, Connection>,
    done: Done,
    /// What clients sent, and what servers sent, by connection.
    from_clients: BTreeMap<usize, Vec<u8>>,
    from_servers: BTreeMap<usize, Vec<u8>>,
    stopped: bool,
}

impl Wire {
    pub(super) fn open(address: IpAddr, port: u16, registry: Registry) -> io::Result<Self> {
        let holder = bound(SocketAddr::new(address, 0))?;
        let address = holder
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("the system gave no IP address"))?;
        let mut wire = Self {
            address,
            _holder: holder,
            listener: None,
            registry,
            forward_to: port,
            door: Door::Closed,
            rules: Vec::new(),
            connections: BTreeMap::new(),
            done: Done::default(),
            from_clients: BTreeMap::new(),
            from_servers: BTreeMap::new(),
            stopped: false,
        };
        wire.set_door(Door::Open)?;
        Ok(wire)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn done(&self) -> Done {
        self.done
    }

    pub(super) fn kept(&self, direction: Direction) -> Vec<Vec<u8>> {
        let kept = match direction {
            Direction::Up => &self.from_clients,
            Direction::Down => &self.from_servers,
        };
        kept.values().cloned().collect()
    }

    pub(super) fn forget(&mut self) {
        self.from_clients.clear();
        self.from_servers.clear();
    }

    // --- doing harm ---------------------------------------------------------------------------------------------

    pub(super) fn forward_to(&mut self, port: u16) {
        self.forward_to = port;
    }

    pub(super) fn set_door(&mut self, door: Door) -> io::Result<()> {
        if door == Door::Closed {
            self.stop_listening();
        } else if self.listener.is_none() {
            let socket = bound(self.address)?;
            socket.listen(BACKLOG)?;
            let mut listener = TcpListener::from_std(socket.into());
            self.registry
                .register(&mut listener, LISTENER, Interest::READABLE)?;
            self.listener = Some(listener);
        }
        self.door = door;
        Ok(())
    }

    /// A process that another thread starts just now shares the socket until it runs: dropping ours would not do.
    fn stop_listening(&mut self) {
        if let Some(listener) = self.listener.take() {
            // Where a listener cannot be shut down, the drop has to do.
            drop(SockRef::from(&listener).shutdown(Shutdown::Both));
        }
    }

    pub(super) fn set(&mut self, which: Which, direction: Direction, flow: Flow, now: Instant) {
        self.rules
            .retain(|(meant, way, _)| (*meant, *way) != (which, direction));
        self.rules.push((which, direction, flow));
        self.apply_rules(now);
    }

    pub(super) fn free(&mut self, now: Instant) {
        self.rules.clear();
        self.apply_rules(now);
        let doubled = |(number, connection): (&usize, &Connection)| {
            connection.copy.is_some().then_some(*number)
        };
        let doubled: Vec<usize> = self.connections.iter().filter_map(doubled).collect();
        for number in doubled {
            self.end(number, Cut::Reset);
        }
    }

    fn apply_rules(&mut self, now: Instant) {
        let mut lost = Vec::new();
        for (number, connection) in &mut self.connections {
            if !connection.obey(&self.rules, *number, now) {
                lost.push(*number);
            }
        }
        for number in lost {
            self.end(number, Cut::Reset);
        }
    }

    pub(super) fn cut(&mut self, how: Cut) {
        let all: Vec<usize> = self.connections.keys().copied().collect();
        for number in all {
            self.end(number, how);
        }
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
        self.stop_listening();
        self.connections.clear();
    }

    /// Cuts a connection.
    fn end(&mut self, number: usize, how: Cut) {
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        if !connection.ending {
            self.done.cuts += 1;
        }
        match how {
            Cut::Fin => connection.end_in_order(),
            Cut::Reset => {
                connection.end_by_force();
                self.connections.remove(&number);
            }
        }
    }

    // --- carrying -----------------------------------------------------------------------------------------------

    fn accept(&mut self, now: Instant) {
        while let Some(listener) = &self.listener {
            match listener.accept() {
                // A connection that cannot be forwarded is reset; the client under test has to say so.
                Ok((client, _)) => drop(self.admit(client, now)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Only this connection is meant: it was gone before it was accepted.
                Err(_) => {}
            }
        }
    }

    fn admit(&mut self, client: TcpStream, now: Instant) -> io::Result<()> {
        let number = self.done.connections;
        self.done.connections += 1;
        self.from_clients.insert(number, Vec::new());
        self.from_servers.insert(number, Vec::new());
        // Until everything is set up, dropping it resets it.
        SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        let token = |side| Token(FIRST + SIDES * number + side);
        let server = |side| -> io::Result<Side> {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.forward_to));
            let stream = TcpStream::connect(address)?;
            Side::new(stream, &self.registry, token(side))
        };
        let client = Side::new(client, &self.registry, token(0))?;
        let (server, copy) = match self.door {
            Door::Open => (Some(server(1)?), None),
            Door::Doubled => {
                self.done.doubled += 1;
                let copy = Copy {
                    side: server(2)?,
                    waiting: Vec::new(),
                };
                (Some(server(1)?), Some(copy))
            }
            Door::Closed | Door::BlackHole | Door::Slammed(_) => (None, None),
        };
        SockRef::from(&client.stream).set_linger(None)?;
        let mut connection = Connection {
            client,
            server,
            copy,
            up: Pipe::new(Flow::Free, now),
            down: Pipe::new(Flow::Free, now),
            opens_websocket: None,
            ending: false,
        };
        connection.obey(&self.rules, number, now);
        self.connections.insert(number, connection);
        if let Door::Slammed(how) = self.door {
            self.end(number, how);
        }
        Ok(())
    }

    fn take_note(&mut self, event: &Event) {
        let Some(place) = event.token().0.checked_sub(FIRST) else {
            return;
        };
        let connection = self.connections.get_mut(&(place / SIDES));
        if let Some(side) = connection.and_then(|connection| connection.side(place % SIDES)) {
            side.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
            side.writable |= event.is_writable() || event.is_error();
        }
    }

    /// Moves what can be moved; returns when to look again.
    fn pump(&mut self, now: Instant) -> Option<Instant> {
        let numbers: Vec<usize> = self.connections.keys().copied().collect();
        for number in numbers {
            let Some(connection) = self.connections.get_mut(&number) else {
                continue;
            };
            let kept = (
                self.from_clients.entry(number).or_default(),
                self.from_servers.entry(number).or_default(),
            );
            match connection.pump(&self.rules, number, kept, now) {
                Fate::GoesOn => {}
                Fate::Over => drop(self.connections.remove(&number)),
                Fate::Broken => {
                    connection.end_by_force();
                    self.connections.remove(&number);
                }
                Fate::Cut(how) => self.end(number, how),
            }
        }
        let connections = self.connections.values();
        connections.filter_map(Connection::deadline).min()
    }
}

/// Carries bytes until the wire is stopped.
pub(super) fn carry(mut poll: Poll, wire: &Mutex<Wire>) {
    let mut events = Events::with_capacity(256);
    let mut deadline: Option<Instant> = None;
    loop {
        let wait = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        match poll.poll(&mut events, wait) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => panic!("the front cannot wait for its sockets: {error}"),
        }
        let now = Instant::now();
        let mut wire = lock(wire);
        if wire.stopped {
            return;
        }
        for event in &events {
            wire.take_note(event);
        }
        // A listener that was opened again may have connections that no event tells of.
        wire.accept(now);
        deadline = wire.pump(now);
    }
}

/// A connection of a client, and those to the server that belong to it.
#[derive(Debug)]
struct Connection {
    client: Side,
    /// Missing where nobody answers.
    server: Option<Side>,
    copy: Option<Copy>,
    up: Pipe,
    down: Pipe,
    /// Known when the first line is there.
    opens_websocket: Option<bool>,
    /// It was cut in order: what still comes is read and dropped, or the system would reset it.
    ending: bool,
}

/// What becomes of a connection.
enum Fate {
    GoesOn,
    /// Both sides have ended.
    Over,
    /// One side failed.
    Broken,
    Cut(Cut),
}

impl Connection {
    /// Applies the rules that mean this connection. Returns whether it can go on.
    fn obey(&mut self, rules: &[(Which, Direction, Flow)], number: usize, now: Instant) -> bool {
        let pipes = (&mut self.up, &mut self.down);
        obey(rules, number, self.opens_websocket, pipes, now)
    }

    fn side(&mut self, index: usize) -> Option<&mut Side> {
        match index {
            0 => Some(&mut self.client),
            1 => self.server.as_mut(),
            _ => self.copy.as_mut().map(|copy| &mut copy.side),
        }
    }

    fn sides(&mut self) -> impl Iterator<Item = &mut Side> {
        let copy = self.copy.as_mut().map(|copy| &mut copy.side);
        [Some(&mut self.client), self.server.as_mut(), copy]
            .into_iter()
            .flatten()
    }

    fn end_in_order(&mut self) {
        self.ending = true;
        self.sides().for_each(Side::shut);
    }

    fn end_by_force(&mut self) {
        for side in self.sides() {
            // Whoever has gone already needs no reset.
            drop(SockRef::from(&side.stream).set_linger(Some(Duration::ZERO)));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        [self.up.deadline(), self.down.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn pump(
        &mut self,
        rules: &[(Which, Direction, Flow)],
        number: usize,
        (from_client, from_server): (&mut Vec<u8>, &mut Vec<u8>),
        now: Instant,
    ) -> Fate {
        if self.ending {
            self.sides().for_each(Side::drain);
            let over = self.sides().all(|side| side.ended);
            return if over { Fate::Over } else { Fate::GoesOn };
        }
        let Some(server) = &mut self.server else {
            self.client.drain();
            return if self.client.ended {
                Fate::Over
            } else {
                Fate::GoesOn
            };
        };
        loop {
            let mut moved = self.client.read_into(&mut self.up, from_client, now);
            moved |= server.read_into(&mut self.down, from_server, now);
            if self.opens_websocket.is_none()
                && let Some(line) = first_line(self.up.held(), self.client.ended)
            {
                self.opens_websocket = Some(opens_websocket(line));
                // Nothing has passed, so nothing can be lost.
                obey(
                    rules,
                    number,
                    self.opens_websocket,
                    (&mut self.up, &mut self.down),
                    now,
                );
            }
            // Nothing passes before it is known which rules apply.
            let most = if self.opens_websocket.is_some() {
                usize::MAX
            } else {
                0
            };
            let up = server.write_from(&mut self.up, most, self.copy.as_mut(), now);
            let down = self
                .client
                .write_from(&mut self.down, usize::MAX, None, now);
            for (passed, pipe) in [(&up, &mut self.up), (&down, &mut self.down)] {
                match passed.then {
                    Some(Then::Cut(how)) => return Fate::Cut(how),
                    Some(Then::Swallow) => drop(pipe.set(Flow::Swallowed, now)),
                    None => {}
                }
                moved |= passed.moved;
            }
            if !moved {
                break;
            }
        }
        if let Some(copy) = &mut self.copy {
            copy.flush();
        }
        self.client.pass_end(&self.up, server);
        server.pass_end(&self.down, &mut self.client);
        if self.client.is_lost(&self.up) || server.is_lost(&self.down) {
            Fate::Broken
        } else if self.client.is_done() && server.is_done() {
            Fate::Over
        } else {
            Fate::GoesOn
        }
    }
}

/// Applies the rules that mean a connection. Returns whether it can go on.
fn obey(
    rules: &[(Which, Direction, Flow)],
    number: usize,
    opens_websocket: Option<bool>,
    (up, down): (&mut Pipe, &mut Pipe),
    now: Instant,
) -> bool {
    let is_meant = |which| match which {
        Which::All => true,
        Which::Number(meant) => meant == number,
        Which::WebSockets => opens_websocket == Some(true),
    };
    let flow = |direction| {
        let mut newest_first = rules.iter().rev();
        let fits =
            |(which, way, _): &&(Which, Direction, Flow)| *way == direction && is_meant(*which);
        newest_first
            .find(fits)
            .map_or(Flow::Free, |(_, _, flow)| flow.clone())
    };
    let up = up.set(flow(Direction::Up), now);
    down.set(flow(Direction::Down), now) && up
}

/// The first line of a request, or what there is of it when nothing more will come.
fn first_line(bytes: &[u8], ended: bool) -> Option<&[u8]> {
    /// More than any request of a client has.
    const MOST: usize = 8 << 10;
    /// How TLS begins.
    const TLS: u8 = 0x16;
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => Some(&bytes[..end]),
        None if ended || bytes.len() > MOST || bytes.first() == Some(&TLS) => Some(bytes),
        None => None,
    }
}

/// 1.x and later name the transport in the query, 0.9 in the path.
fn opens_websocket(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    line.contains("transport=websocket") || line.contains("/1/websocket/")
}

/// A second connection to the server.
#[derive(Debug)]
struct Copy {
    side: Side,
    /// What was not written yet.
    waiting: Vec<u8>,
}

impl Copy {
    fn flush(&mut self) {
        self.side.drain();
        while self.side.writable && !self.waiting.is_empty() {
            let written = self.side.write(&self.waiting);
            self.waiting.drain(..written);
        }
    }
}

/// A connection with one of the two.
#[derive(Debug)]
struct Side {
    stream: TcpStream,
    readable: bool,
    writable: bool,
    /// Nothing more comes.
    ended: bool,
    /// It was told that nothing more will come.
    shut: bool,
    /// It ended by force.
    failed: bool,
}

/// What one attempt to write moved.
struct Passed {
    moved: bool,
    then: Option<Then>,
}

impl Side {
    fn new(mut stream: TcpStream, registry: &Registry, token: Token) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream,
            readable: false,
            writable: false,
            ended: false,
            shut: false,
            failed: false,
        })
    }

    /// Both have said their last.
    fn is_done(&self) -> bool {
        self.ended && self.shut
    }

    /// It ended by force, and everything it said before has passed.
    fn is_lost(&self, pipe: &Pipe) -> bool {
        self.failed && self.ended && pipe.passes_end()
    }

    fn shut(&mut self) {
        self.shut = true;
        // It may be gone already.
        drop(self.stream.shutdown(Shutdown::Write));
    }

    /// If everything it said has passed, the end passes too, if it was one in order.
    fn pass_end(&self, pipe: &Pipe, to: &mut Self) {
        if self.ended && !self.failed && !to.shut && pipe.passes_end() {
            to.shut();
        }
    }

    /// Reads once; `None` if nothing is there.
    fn read(&mut self, chunk: &mut [u8]) -> Option<usize> {
        if !self.readable || self.ended {
            return None;
        }
        match self.stream.read(chunk) {
            Ok(0) => self.ended = true,
            Ok(count) => return Some(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Some(0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(_) => (self.ended, self.failed) = (true, true),
        }
        None
    }

    /// Reads and drops what is there.
    fn drain(&mut self) {
        while self.read(&mut [0; 4096]).is_some() {}
    }

    /// Reads into a pipe, and keeps what it read. Returns whether there was something.
    fn read_into(&mut self, pipe: &mut Pipe, kept: &mut Vec<u8>, now: Instant) -> bool {
        let mut chunk = [0; 16 << 10];
        if !pipe.reads() {
            return false;
        }
        let Some(count) = self.read(&mut chunk) else {
            return false;
        };
        let bytes = &chunk[..count];
        let room = KEPT.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        pipe.push(bytes, now);
        true
    }

    /// Writes once; returns how much. A side that takes nothing any more takes everything.
    fn write(&mut self, bytes: &[u8]) -> usize {
        match self.stream.write(bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.writable = false;
                0
            }
            Err(_) => {
                self.failed = true;
                bytes.len()
            }
        }
    }

    /// Writes what may pass now, `most` bytes at most.
    fn write_from(
        &mut self,
        pipe: &mut Pipe,
        most: usize,
        copy: Option<&mut Copy>,
        now: Instant,
    ) -> Passed {
        let step = pipe.step(now);
        let pass = step.pass.min(most);
        let mut written = 0;
        if pass > 0 && self.writable {
            written = self.write(&pipe.held()[..pass]);
            if let Some(copy) = copy {
                copy.waiting.extend_from_slice(&pipe.held()[..written]);
            }
            pipe.passed(written);
        }
        Passed {
            moved: written > 0,
            then: step.then.filter(|_| written == step.pass),
        }
    }
}
