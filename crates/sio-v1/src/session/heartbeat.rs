//! The heartbeat rule: the client pings, strictly on schedule; whatever the server sends proves that it lives.

use std::time::{Duration, Instant};

use crate::engine::handshake::Handshake;

/// The heartbeat of an open session.
///
/// A ping is due one `pingInterval` after the last ping, whatever else flows: 4.x servers count nothing but pings.
/// The server is dead when nothing came for `pingInterval` + `pingTimeout`, or for `pingTimeout` after a ping.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    ping_at: Instant,
    dead_at: Instant,
    pinged: Option<Instant>,
}

impl Heartbeat {
    pub(super) fn new(handshake: &Handshake, now: Instant) -> Self {
        let (interval, timeout) = (handshake.ping_interval, handshake.ping_timeout);
        Self {
            interval,
            timeout,
            ping_at: now + interval,
            dead_at: now + interval + timeout,
            pinged: None,
        }
    }

    /// Something came from the server.
    pub(super) fn alive(&mut self, now: Instant) {
        self.dead_at = now + self.interval + self.timeout;
    }

    /// Whether to send a ping now; if so, the next one is scheduled.
    pub(super) fn take_ping(&mut self, now: Instant) -> bool {
        if now < self.ping_at {
            return false;
        }
        self.ping_at = now + self.interval;
        // Never later: where the timeout is the longer one (as by default in 1.x), pings would put the end off for ever.
        self.dead_at = self.dead_at.min(now + self.timeout);
        self.pinged = Some(now);
        true
    }

    /// A pong came; the time since its ping, if there was one.
    pub(super) fn pong(&mut self, now: Instant) -> Option<Duration> {
        self.pinged.take().map(|pinged| now - pinged)
    }

    pub(super) fn is_dead(&self, now: Instant) -> bool {
        self.dead_at <= now
    }

    pub(super) fn next_deadline(&self) -> Instant {
        self.ping_at.min(self.dead_at)
    }
}
