//! A connection of a lane: what is written to it, what was read from it, and whether it may be used again.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use bytes::Buf as _;

use super::exchange::Written;
use super::unread::Unread;
use crate::stream::Stream;

/// Node closes idle connections after 5 s; one that is older is not tried again.
const IDLE: Duration = Duration::from_secs(4);

/// A connection, in use or kept for the next request.
pub(super) struct Connection {
    pub(super) stream: Stream,
    pub(super) unread: Unread,
    /// When it brought its last answer.
    answered: Option<Instant>,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            unread: Unread::default(),
            answered: None,
        }
    }

    /// It has brought an answer, and is kept for another request.
    pub(super) fn keep(&mut self) {
        self.unread.shrink();
        self.answered = Some(Instant::now());
    }

    /// Whether another request may go this way.
    pub(super) fn is_good(&self) -> bool {
        self.answered.is_some_and(|at| at.elapsed() < IDLE) && self.stream.is_idle()
    }

    /// Writes as much as the peer takes; whether that is all.
    pub(super) fn write(&mut self, written: &mut Written) -> io::Result<bool> {
        loop {
            let left = if written.head.has_remaining() {
                &mut written.head
            } else {
                &mut written.body
            };
            if left.is_empty() {
                break;
            }
            match self.stream.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => left.advance(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        match self.stream.flush() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            result => result.map(|()| true),
        }
    }
}
