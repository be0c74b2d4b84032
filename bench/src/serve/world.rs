//! What connections share: the sessions over polling, and what is due.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use mio::Token;

use super::application::Sink;
use super::burst::{self, Bursts};
use super::connection::{Connection, End, Socket};
use super::dialect::Dialect;
use super::http::{self, Request};
use super::{Next, Timing, engine_io, legacy};

const OK: &str = "200 OK";
const BAD: &str = "400 Bad Request";
const UNKNOWN: &[u8] = b"{\"code\":1,\"message\":\"Session ID unknown\"}";

#[derive(Debug)]
pub(super) struct World {
    sessions: HashMap<String, Session>,
    /// How many there were.
    count: u64,
    timing: Timing,
    pub(super) bursts: Bursts,
    /// A large buffer to be used again.
    pub(super) spare: Vec<Vec<u8>>,
    /// Heartbeats, the next one first: the time between them is always the same.
    pub(super) beats: VecDeque<(Instant, Whom)>,
    /// Answers to polls, for other connections than the one that has its turn.
    pub(super) answers: Vec<(Token, Vec<u8>)>,
}

/// Who gets a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whom {
    Connection(Token),
    Session(String),
}

/// A session without a WebSocket.
#[derive(Debug)]
struct Session {
    dialect: Dialect,
    /// Its polls are answered in the binary form.
    is_binary: bool,
    queue: Vec<Vec<u8>>,
    /// The connection whose poll waits.
    poll: Option<Token>,
    /// A WebSocket is about to take it over.
    is_probed: bool,
}

impl World {
    pub(super) fn new(timing: Timing) -> Self {
        Self {
            sessions: HashMap::new(),
            count: 0,
            timing,
            bursts: Bursts::default(),
            spare: Vec::new(),
            beats: VecDeque::new(),
            answers: Vec::new(),
        }
    }

    /// Answers a request, or has it wait.
    pub(super) fn request(
        &mut self,
        connection: &mut Connection,
        request: &Request,
    ) -> Result<(), End> {
        let path = request.path.strip_prefix("/socket.io/");
        match path.ok_or("a path that is not /socket.io/")? {
            "" => self.engine_io(connection, request),
            behind => self.legacy(connection, request, behind),
        }
    }

    fn engine_io(&mut self, connection: &mut Connection, request: &Request) -> Result<(), End> {
        let dialect = match request.query("EIO") {
            Some("4") => Dialect::EngineIo4,
            _ => Dialect::EngineIo3,
        };
        let sid = request.query("sid");
        match (&request.key, sid) {
            (Some(key), None) => {
                let sid = self.new_sid();
                http::switch(key, connection.output.tail());
                let open = engine_io::open_packet(dialect, &sid, self.timing, false);
                connection.text(open.as_bytes());
                if dialect == Dialect::EngineIo3 {
                    connection.text(b"40");
                }
                connection.switch(Socket::new(dialect, sid, false));
                self.beat(dialect, Whom::Connection(connection.token));
            }
            (Some(key), Some(sid)) if self.sessions.contains_key(sid) => {
                http::switch(key, connection.output.tail());
                connection.switch(Socket::new(dialect, sid.to_owned(), true));
            }
            (None, None) if !request.is_post => {
                let sid = self.new_sid();
                let open = engine_io::open_packet(dialect, &sid, self.timing, true);
                let mut packets = vec![open.into_bytes()];
                if dialect == Dialect::EngineIo3 {
                    packets.push(b"40".to_vec());
                }
                let is_binary = request.query("framing") == Some("binary");
                let body = engine_io::write_payload(dialect, is_binary, &packets);
                http::answer(OK, &body, connection.output.tail());
                self.add(&sid, dialect, is_binary, Vec::new());
            }
            (None, Some(sid)) => self.poll_or_post(connection, request, sid)?,
            _ => http::answer(BAD, UNKNOWN, connection.output.tail()),
        }
        Ok(())
    }

    fn legacy(
        &mut self,
        connection: &mut Connection,
        request: &Request,
        behind: &str,
    ) -> Result<(), End> {
        let behind = behind.strip_prefix("1/");
        let behind = behind
            .ok_or("a version that is not 1")?
            .trim_end_matches('/');
        match (behind.split_once('/'), &request.key) {
            (Some((_, sid)), None) if request.query("disconnect").is_some() => {
                http::answer(OK, b"", connection.output.tail());
                if let Some(mut session) = self.sessions.remove(sid) {
                    session.queue.push(legacy::DISCONNECTED.to_vec());
                    self.answers.extend(session.take_answer());
                }
            }
            (None, None) => {
                let sid = self.new_sid();
                let body = legacy::handshake(&sid);
                http::answer(OK, body.as_bytes(), connection.output.tail());
                self.add(
                    &sid,
                    Dialect::Legacy,
                    false,
                    vec![legacy::CONNECTED.to_vec()],
                );
            }
            (Some(("websocket", sid)), Some(key)) => {
                http::switch(key, connection.output.tail());
                match self.sessions.remove(sid) {
                    Some(session) => {
                        for packet in session.queue {
                            connection.text(&packet);
                        }
                        let socket = Socket::new(Dialect::Legacy, sid.to_owned(), false);
                        connection.switch(socket);
                        self.beat(Dialect::Legacy, Whom::Connection(connection.token));
                    }
                    None => {
                        connection.text(b"7:::1+0");
                        connection.is_ending = true;
                    }
                }
            }
            (Some(("xhr-polling", sid)), None) => self.poll_or_post(connection, request, sid)?,
            _ => return Err("a transport that it does not have".into()),
        }
        Ok(())
    }

    fn poll_or_post(
        &mut self,
        connection: &mut Connection,
        request: &Request,
        sid: &str,
    ) -> Result<(), End> {
        let Some(session) = self.sessions.get_mut(sid) else {
            match request.path.contains("/1/") {
                false => http::answer(BAD, UNKNOWN, connection.output.tail()),
                true if request.is_post => http::answer(OK, b"1", connection.output.tail()),
                true => http::answer(OK, b"7:::1+0", connection.output.tail()),
            }
            return Ok(());
        };
        if !request.is_post {
            if session.poll.is_some() {
                return Err("a second poll".into());
            }
            session.poll = Some(connection.token);
            connection.parked = Some(sid.to_owned());
            if session.is_probed {
                session.queue.push(session.dialect.noop().to_vec());
            }
            if let Some((_, answer)) = session.take_answer() {
                connection.parked = None;
                connection.output.tail().extend_from_slice(&answer);
            }
            return Ok(());
        }
        let dialect = session.dialect;
        let (packets, done) = match dialect {
            Dialect::Legacy => (legacy::read_payload(&request.body)?, &b"1"[..]),
            _ => {
                let packets = engine_io::read_payload(dialect, &request.body, request.is_binary)?;
                (packets, &b"ok"[..])
            }
        };
        let mut is_over = false;
        for packet in packets {
            let next = match dialect {
                Dialect::Legacy => legacy::packet(packet, session),
                _ => engine_io::packet(packet, dialect, sid, session),
            };
            match next? {
                Next::GoOn => {}
                Next::Close => is_over = true,
                _ => return Err("a packet for a WebSocket over polling".into()),
            }
        }
        if is_over && session.queue.is_empty() {
            session.queue.push(dialect.noop().to_vec());
        }
        http::answer(OK, done, connection.output.tail());
        self.answers.extend(session.take_answer());
        if is_over {
            self.sessions.remove(sid);
        }
        Ok(())
    }

    /// A WebSocket asks whether it may take a session over: the poll that waits has to end.
    pub(super) fn probe(&mut self, sid: &str) -> Result<(), End> {
        let session = self
            .sessions
            .get_mut(sid)
            .ok_or("a probe without a session")?;
        session.is_probed = true;
        if session.poll.is_some() {
            session.queue.push(session.dialect.noop().to_vec());
            self.answers.extend(session.take_answer());
        }
        Ok(())
    }

    /// The WebSocket has it.
    pub(super) fn upgrade(
        &mut self,
        connection: &mut Connection,
        sid: &str,
        dialect: Dialect,
    ) -> Result<(), End> {
        let session = self.sessions.remove(sid);
        let session = session.ok_or("an upgrade without a session")?;
        if session.poll.is_some() {
            return Err("an upgrade while a poll waits".into());
        }
        for packet in &session.queue {
            connection.text(packet);
        }
        self.beat(dialect, Whom::Connection(connection.token));
        Ok(())
    }

    /// Forgets the session whose poll waited on a connection that has ended.
    pub(super) fn forget(&mut self, connection: &Connection) {
        if let Some(sid) = &connection.parked {
            self.sessions.remove(sid);
        }
    }

    /// A heartbeat of a session over polling is due. Says what the session speaks, if it is there.
    pub(super) fn beat_of_session(&mut self, sid: &str) -> Option<Dialect> {
        let session = self.sessions.get_mut(sid)?;
        match session.dialect {
            Dialect::EngineIo3 => {}
            Dialect::EngineIo4 => session.queue.push(b"2".to_vec()),
            Dialect::Legacy if session.poll.is_some() => session.queue.push(b"8::".to_vec()),
            Dialect::Legacy => {}
        }
        let dialect = session.dialect;
        self.answers.extend(session.take_answer());
        Some(dialect)
    }

    /// Has somebody get a heartbeat, if the dialect's server sends them.
    pub(super) fn beat(&mut self, dialect: Dialect, whom: Whom) {
        if dialect.heartbeat().is_some() {
            let due = Instant::now() + self.timing.interval;
            self.beats.push_back((due, whom));
        }
    }

    fn add(&mut self, sid: &str, dialect: Dialect, is_binary: bool, queue: Vec<Vec<u8>>) {
        let session = Session {
            dialect,
            is_binary,
            queue,
            poll: None,
            is_probed: false,
        };
        self.sessions.insert(sid.to_owned(), session);
        self.beat(dialect, Whom::Session(sid.to_owned()));
    }

    fn new_sid(&mut self) -> String {
        self.count += 1;
        format!("{:020}", self.count)
    }
}

impl Session {
    /// The answer to the poll that waits, if there is one, and something to answer.
    fn take_answer(&mut self) -> Option<(Token, Vec<u8>)> {
        if self.queue.is_empty() {
            return None;
        }
        let token = self.poll.take()?;
        let packets = std::mem::take(&mut self.queue);
        let body = match self.dialect {
            Dialect::Legacy => legacy::write_payload(&packets),
            dialect => engine_io::write_payload(dialect, self.is_binary, &packets),
        };
        let mut answer = Vec::with_capacity(body.len() + 128);
        http::answer(OK, &body, &mut answer);
        Some((token, answer))
    }
}

impl Sink for Session {
    fn packet(&mut self, parts: &[&[u8]]) {
        self.queue.push(parts.concat());
    }

    fn ticks(&mut self, dialect: Dialect, count: usize, size: usize) {
        let text = vec![b'x'; size];
        for index in 0..count {
            let mut packet = Vec::new();
            burst::write_tick(dialect, index, &text, &mut packet);
            self.queue.push(packet);
        }
    }
}
