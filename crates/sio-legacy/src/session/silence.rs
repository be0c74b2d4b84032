//! For how long a server may be silent.
//!
//! On the streams (WebSocket and htmlfile) the server beats first, at an interval it does not announce; what it announces
//! may even be shorter than that (0.9.0 says 15 s and beats every 20). So the deadline is the longer of its two timeouts,
//! counted from the last message (on htmlfile from the last byte), and there is none where heartbeats are off. On the
//! polling transports there are no heartbeats: there each request has a deadline.

use std::time::{Duration, Instant};

use crate::handshake::Handshake;
use crate::options::Options;

/// How long a poll may last at least: servers hold one for 20 s unless told otherwise.
const POLL: Duration = Duration::from_secs(60);

/// The deadline of a stream, and the limit of a request.
#[derive(Debug)]
pub(super) struct Silence {
    options: Options,
    stream: Option<Duration>,
    request: Duration,
    deadline: Option<Instant>,
}

impl Silence {
    pub(super) fn new(options: Options) -> Self {
        Self {
            stream: None,
            request: options.poll_timeout.unwrap_or(POLL),
            deadline: None,
            options,
        }
    }

    /// The server's timeouts are known.
    pub(super) fn announced(&mut self, handshake: &Handshake) {
        // What came on a transport that was given up says nothing about the next.
        self.deadline = None;
        let close = handshake.close_timeout.unwrap_or_default();
        self.stream = handshake.heartbeat_timeout.map(|beat| beat.max(close));
        let poll = POLL.max(close);
        self.request = self.options.poll_timeout.unwrap_or(poll);
    }

    /// Something came on a stream, or it opened.
    pub(super) fn broken_at(&mut self, now: Instant) {
        self.deadline = self.stream.map(|limit| now + limit);
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// When a request that starts now is too late.
    pub(super) fn request_deadline(&self, now: Instant) -> Instant {
        now + self.request
    }
}
