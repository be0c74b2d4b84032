//! One connection: what came and is not understood yet, what has to be written, and what is spoken.

use std::io::{self, ErrorKind, Read as _};

use mio::Token;
use mio::net::TcpStream;

use super::application::Sink;
use super::burst::Bursts;
use super::dialect::Dialect;
use super::output::Output;
use super::world::World;
use super::{Next, engine_io, frame, http, legacy};

/// While so much waits to be written, nothing is read.
const MOST_OUTPUT: usize = 4 << 20;
/// A connection may read so often before others have their turn.
const TURNS: usize = 16;
/// Attachments from this size on are read to where they are echoed from.
const LARGE: usize = 64 << 10;

pub(super) struct Connection {
    pub(super) token: Token,
    pub(super) stream: TcpStream,
    pub(super) output: Output,
    /// The session whose poll waits on it.
    pub(super) parked: Option<String>,
    /// It ends when everything is written.
    pub(super) is_ending: bool,
    input: Vec<u8>,
    socket: Option<Socket>,
    /// There may be more to read: nobody will say so again.
    is_paused: bool,
}

/// A WebSocket.
pub(super) struct Socket {
    pub(super) dialect: Dialect,
    pub(super) sid: String,
    /// It may take a session over from polling, and has not yet.
    pub(super) is_candidate: bool,
    attachments: usize,
    large: Option<Large>,
}

impl Socket {
    pub(super) fn new(dialect: Dialect, sid: String, is_candidate: bool) -> Self {
        Self {
            dialect,
            sid,
            is_candidate,
            attachments: 0,
            large: None,
        }
    }
}

/// A large frame that is coming, as it will be echoed.
struct Large {
    frame: Vec<u8>,
    /// Where its payload begins.
    start: usize,
    /// How much of it is there.
    filled: usize,
    mask: [u8; 4],
}

/// Why a connection is over.
pub(super) enum End {
    /// The peer has gone, or was told to.
    Gone,
    /// It said something that no client of the benchmarks says.
    Strange(&'static str),
}

impl From<&'static str> for End {
    fn from(why: &'static str) -> Self {
        Self::Strange(why)
    }
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Whether there is more to do that no event will tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Yes,
    No,
}

impl Connection {
    pub(super) fn new(token: Token, stream: TcpStream) -> Self {
        Self {
            token,
            stream,
            output: Output::default(),
            parked: None,
            is_ending: false,
            input: Vec::new(),
            socket: None,
            is_paused: false,
        }
    }

    /// Reads, answers and writes. A peer whose end came with the event is read to that end.
    pub(super) fn read(
        &mut self,
        scratch: &mut [u8],
        has_ended: bool,
        world: &mut World,
    ) -> Result<More, End> {
        for _ in 0..TURNS {
            if self.output.len() > MOST_OUTPUT {
                self.is_paused = true;
                return Ok(More::No);
            }
            self.is_paused = false;
            let large = self
                .socket
                .as_mut()
                .and_then(|socket| socket.large.as_mut());
            let (read, room) = match large {
                Some(large) => {
                    let room = &mut large.frame[large.filled..];
                    let room_len = room.len();
                    (self.stream.read(room), room_len)
                }
                None => (self.stream.read(scratch), scratch.len()),
            };
            let count = match read {
                Ok(0) => return Err(End::Gone),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(More::No),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if self.take_large(count).is_none() {
                self.take(&mut scratch[..count], world)?;
            }
            self.write(world)?;
            // A short read has emptied the socket; what comes later is another event.
            if count < room && !has_ended {
                return Ok(More::No);
            }
        }
        Ok(More::Yes)
    }

    /// Writes what it can. Says whether it stopped reading for what was not written, and may go on.
    pub(super) fn write(&mut self, world: &mut World) -> Result<bool, End> {
        if self.output.len() > 0 {
            self.output.write_to(&mut self.stream, &mut world.spare)?;
        }
        // A poll that waits is still to be answered, also on a connection that ends with it.
        if self.output.len() == 0 && self.is_ending && self.parked.is_none() {
            return Err(End::Gone);
        }
        Ok(self.is_paused && self.output.len() <= MOST_OUTPUT / 2)
    }

    /// What it speaks, once it is a WebSocket.
    pub(super) fn dialect(&self) -> Option<Dialect> {
        self.socket.as_ref().map(|socket| socket.dialect)
    }

    /// Writes a text frame.
    pub(super) fn text(&mut self, packet: &[u8]) {
        frame::write(frame::TEXT, &[packet], self.output.tail());
    }

    /// From here on it is a WebSocket.
    pub(super) fn switch(&mut self, socket: Socket) {
        self.socket = Some(socket);
    }

    fn take(&mut self, data: &mut [u8], world: &mut World) -> Result<(), End> {
        if self.input.is_empty() {
            let taken = self.understand(data, world)?;
            self.input.extend_from_slice(&data[taken..]);
            return Ok(());
        }
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(data);
        let taken = self.understand(&mut input, world)?;
        if taken < input.len() {
            input.drain(..taken);
            self.input = input;
        }
        Ok(())
    }

    /// Does what the bytes ask for, as far as they go.
    fn understand(&mut self, data: &mut [u8], world: &mut World) -> Result<usize, End> {
        let mut taken = 0;
        while taken < data.len() && !self.is_ending {
            let rest = &mut data[taken..];
            let count = match self.socket.take() {
                None => match http::read(rest)? {
                    None => return Ok(taken),
                    Some((request, length)) => {
                        self.is_ending = request.is_last;
                        world.request(self, &request)?;
                        length
                    }
                },
                Some(mut socket) => {
                    let count = self.frames(&mut socket, rest, world)?;
                    self.socket = Some(socket);
                    if count == 0 {
                        return Ok(taken);
                    }
                    count
                }
            };
            taken += count;
        }
        Ok(taken)
    }

    fn frames(
        &mut self,
        socket: &mut Socket,
        data: &mut [u8],
        world: &mut World,
    ) -> Result<usize, End> {
        let mut taken = 0;
        while let Some(header) = frame::header(&data[taken..])? {
            let start = taken + header.length;
            let end = start + header.payload;
            if header.kind == frame::BINARY {
                socket.attachments = match socket.attachments.checked_sub(1) {
                    Some(left) if end <= data.len() || header.payload >= LARGE => left,
                    // The rest of a small one is soon there.
                    Some(_) => return Ok(taken),
                    None => return Err("bytes that no packet has announced".into()),
                };
            }
            if end > data.len() {
                if header.kind != frame::BINARY {
                    return Ok(taken);
                }
                let mut large = Large::new(header, world.spare.pop().unwrap_or_default());
                large.fill(&data[start..]);
                socket.large = Some(large);
                return Ok(data.len());
            }
            let payload = &mut data[start..end];
            frame::unmask(payload, header.mask);
            taken = end;
            match header.kind {
                frame::TEXT => self.packet(socket, payload, world)?,
                frame::BINARY => {
                    frame::write(frame::BINARY, &[payload], self.output.tail());
                }
                frame::PING => frame::write(frame::PONG, &[payload], self.output.tail()),
                frame::PONG => {}
                frame::CLOSE => {
                    frame::write(frame::CLOSE, &[payload], self.output.tail());
                    self.is_ending = true;
                    return Ok(data.len());
                }
                _ => return Err("a frame of no known kind".into()),
            }
        }
        Ok(taken)
    }

    fn packet(&mut self, socket: &mut Socket, packet: &[u8], world: &mut World) -> Result<(), End> {
        let mut sink = Frames {
            output: &mut self.output,
            bursts: &mut world.bursts,
        };
        let next = match socket.dialect {
            Dialect::Legacy => legacy::packet(packet, &mut sink),
            dialect => engine_io::packet(packet, dialect, &socket.sid, &mut sink),
        };
        match (next?, socket.is_candidate) {
            (Next::GoOn, false) => {}
            (Next::Attachments(count), false) => socket.attachments = count,
            (Next::Close, _) => self.is_ending = true,
            (Next::Probe, true) => world.probe(&socket.sid)?,
            (Next::Upgrade, true) => {
                socket.is_candidate = false;
                world.upgrade(self, &socket.sid, socket.dialect)?;
            }
            _ => return Err("a packet at the wrong time".into()),
        }
        Ok(())
    }

    /// Counts what was read into a large frame, if there is one.
    fn take_large(&mut self, count: usize) -> Option<()> {
        let slot = &mut self.socket.as_mut()?.large;
        let large = slot.as_mut()?;
        large.filled += count;
        if large.filled == large.frame.len() {
            frame::unmask(&mut large.frame[large.start..], large.mask);
            let frame = std::mem::take(&mut large.frame);
            *slot = None;
            self.output.push(frame);
        }
        Some(())
    }
}

impl Large {
    fn new(header: frame::Header, mut buffer: Vec<u8>) -> Self {
        let mut head = Vec::with_capacity(frame::LONGEST_HEADER);
        frame::write_header(header.kind, header.payload, &mut head);
        // What was in the buffer is overwritten: it need not be zeroed each time.
        buffer.resize(head.len() + header.payload, 0);
        buffer[..head.len()].copy_from_slice(&head);
        Self {
            frame: buffer,
            start: head.len(),
            filled: head.len(),
            mask: header.mask,
        }
    }

    fn fill(&mut self, data: &[u8]) {
        self.frame[self.filled..self.filled + data.len()].copy_from_slice(data);
        self.filled += data.len();
    }
}

/// Packets as frames.
struct Frames<'a> {
    output: &'a mut Output,
    bursts: &'a mut Bursts,
}

impl Sink for Frames<'_> {
    fn packet(&mut self, parts: &[&[u8]]) {
        frame::write(frame::TEXT, parts, self.output.tail());
    }

    fn ticks(&mut self, dialect: Dialect, count: usize, size: usize) {
        let (block, end) = self.bursts.get(dialect, count, size);
        if end > 0 {
            self.output.push_shared(block, end);
        }
    }
}
