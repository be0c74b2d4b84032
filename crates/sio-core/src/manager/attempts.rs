//! Which attempt to connect this is, and what it takes to make another one.

use std::time::Duration;

use crate::reconnect::Reconnect;
use crate::status::DisconnectReason;

/// Counts the attempts since the last success.
#[derive(Debug)]
pub(super) struct Attempts {
    policy: Reconnect,
    chance: fastrand::Rng,
    /// 0 is the first connect; *n* the n-th attempt after a loss.
    number: u32,
    /// Whether this connection was usable since it was opened.
    succeeded: bool,
}

impl Attempts {
    pub(super) fn new(policy: Reconnect, seed: u64) -> Self {
        Self {
            policy,
            chance: fastrand::Rng::with_seed(seed),
            number: 0,
            succeeded: false,
        }
    }

    /// The connection is opened anew: what was before does not count.
    pub(super) fn begin(&mut self) {
        self.number = 0;
        self.succeeded = false;
    }

    /// The connection is usable; returns the number of the attempt that made it so.
    pub(super) fn success(&mut self) -> u32 {
        self.succeeded = true;
        std::mem::take(&mut self.number)
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Whether a failing first connect is made again.
    pub(super) fn retries_initial(&self) -> bool {
        self.policy.retries_initial()
    }

    /// Whether what ended for this reason is made again, if attempts are left.
    pub(super) fn go_on_after(&self, reason: &DisconnectReason) -> bool {
        let wanted = match reason {
            DisconnectReason::Client => false,
            DisconnectReason::Server => self.policy.is_after_server(),
            _ => self.policy.is_enabled(),
        };
        wanted && (self.succeeded || self.policy.retries_initial())
    }

    /// Whether attempt `attempt`, counted from 1, may be made.
    pub(super) fn allows(&self, attempt: u32) -> bool {
        self.policy.allows(attempt)
    }

    /// Counts the next attempt; returns the delay before it. `None` if there is none left.
    pub(super) fn next(&mut self) -> Option<Duration> {
        let next = self.number.saturating_add(1);
        if !self.policy.allows(next) {
            return None;
        }
        self.number = next;
        Some(self.policy.delay(next, self.chance.f64()))
    }

    /// Whether a namespace that the server disconnected is joined again.
    pub(super) fn is_after_server(&self) -> bool {
        self.policy.is_after_server() && self.policy.allows(1)
    }

    /// The delay before such a namespace is joined again.
    pub(super) fn pause(&mut self) -> Duration {
        self.policy.delay(1, self.chance.f64())
    }
}
