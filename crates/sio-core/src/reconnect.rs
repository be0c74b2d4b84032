//! When a lost connection is made again: the policy, and the delays that follow from it.

use std::time::Duration;

/// When a connection that was lost is made again.
///
/// The delay before attempt *n*, counted from 1, is `base · factor^(n-1)`, moved at random by up to `jitter` of itself
/// in either direction, and at most `cap`. After a success counting begins again.
///
/// A session that ends by itself is made anew: by a dead link, a broken protocol, a server that was restarted. Not so
/// when the program closed it, nor, unless [`after_server`](Self::after_server) says so, when the server disconnected
/// this client. Whatever an attempt fails of, the next one follows: also a refusal, for what refuses may be a balancer
/// in front of a server that starts, or a token that the hook before the next attempt renews.
///
/// ```
/// use std::time::Duration;
/// use sio_core::Reconnect;
///
/// let patient = Reconnect::default().cap(Duration::from_secs(60)).attempts(100);
/// let never = Reconnect::off();
/// # let _ = (patient, never);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Reconnect {
    enabled: bool,
    base: Duration,
    cap: Duration,
    factor: f64,
    jitter: f64,
    attempts: Option<u32>,
    after_server: bool,
    retry_initial: bool,
}

impl Default for Reconnect {
    /// For ever: 1 s doubling to 5 s, jitter 0.5; not after the server disconnected, nor for the first connect.
    fn default() -> Self {
        Self {
            enabled: true,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(5),
            factor: 2.0,
            jitter: 0.5,
            attempts: None,
            after_server: false,
            retry_initial: false,
        }
    }
}

impl Reconnect {
    /// Never: a connection that is lost is over.
    #[must_use]
    pub fn off() -> Self {
        Self {
            enabled: false,
            ..Self::default()
        }
    }

    /// The delay before the first attempt, before jitter. Default 1 s; not zero.
    #[must_use]
    pub fn base(mut self, delay: Duration) -> Self {
        self.base = delay;
        self
    }

    /// The longest delay, jitter included. Default 5 s; not zero.
    #[must_use]
    pub fn cap(mut self, delay: Duration) -> Self {
        self.cap = delay;
        self
    }

    /// What the delay is multiplied by after each failure. Default 2; at least 1.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// The part of a delay by which chance may shorten or lengthen it, from 0 to 1. Default 0.5.
    ///
    /// It keeps many clients from coming back to a restarted server in the same moment.
    #[must_use]
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// How many attempts are made after a loss before the connection is given up. Default: no end.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Whether to come back after the server disconnected this client on purpose. Default false.
    ///
    /// 0.9.17 to 0.9.19 also do so without purpose, when a WebSocket has sent them a few megabytes.
    #[must_use]
    pub fn after_server(mut self, after_server: bool) -> Self {
        self.after_server = after_server;
        self
    }

    /// Whether the first connect is retried too, with the same delays and attempts. Default false: its failure is an
    /// error.
    #[must_use]
    pub fn retry_initial(mut self, retry_initial: bool) -> Self {
        self.retry_initial = retry_initial;
        self
    }

    /// What is wrong with these settings: the setter, and what it must be.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        if !self.factor.is_finite() || self.factor < 1.0 {
            return Some(("reconnect.factor", "it must be 1 or more"));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Some(("reconnect.jitter", "it must be from 0 to 1"));
        }
        if self.enabled && self.base.is_zero() {
            return Some(("reconnect.base", "zero would try without a pause"));
        }
        if self.enabled && self.cap.is_zero() {
            return Some(("reconnect.cap", "zero would try without a pause"));
        }
        None
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub(crate) fn is_after_server(&self) -> bool {
        self.enabled && self.after_server
    }

    pub(crate) fn retries_initial(&self) -> bool {
        self.enabled && self.retry_initial
    }

    /// Whether attempt `attempt`, counted from 1, may be made.
    pub(crate) fn allows(&self, attempt: u32) -> bool {
        self.attempts.is_none_or(|limit| attempt <= limit)
    }

    /// The delay before attempt `attempt`, counted from 1. `chance` is from 0 to 1: one half leaves the delay as it is.
    pub(crate) fn delay(&self, attempt: u32, chance: f64) -> Duration {
        let cap = self.cap.as_secs_f64();
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        // A power that overflows is infinite, and the cap takes it back.
        let grown = (self.base.as_secs_f64() * self.factor.powi(exponent)).min(cap);
        let moved = grown * (1.0 + self.jitter * (2.0 * chance - 1.0));
        Duration::try_from_secs_f64(moved).map_or(self.cap, |delay| delay.min(self.cap))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn delays_double_from_the_base_to_the_cap() {
        let policy = Reconnect::default();
        let delays: Vec<f64> = (1..=5)
            .map(|attempt| policy.delay(attempt, 0.5).as_secs_f64())
            .collect();
        assert_eq!(delays, [1.0, 2.0, 4.0, 5.0, 5.0]);
    }

    #[test]
    fn chance_moves_a_delay_by_its_part_and_never_beyond_the_cap() {
        let policy = Reconnect::default();
        assert_eq!(policy.delay(1, 0.0), Duration::from_millis(500));
        assert_eq!(policy.delay(1, 1.0), Duration::from_millis(1500));
        assert_eq!(policy.delay(9, 1.0), Duration::from_secs(5));
        assert_eq!(policy.delay(9, 0.0), Duration::from_millis(2500));
    }

    #[test]
    fn attempts_are_counted_from_one() {
        let policy = Reconnect::default().attempts(2);
        assert_eq!([1, 2, 3].map(|n| policy.allows(n)), [true, true, false]);
        assert!(Reconnect::default().allows(u32::MAX));
        assert!(!Reconnect::default().attempts(0).allows(1));
    }

    #[test]
    fn settings_that_cannot_work_name_their_setter() {
        let fault = |policy: Reconnect| policy.fault().map(|(setter, _)| setter);
        assert_eq!(fault(Reconnect::default()), None);
        assert_eq!(fault(Reconnect::off().cap(Duration::ZERO)), None);
        for factor in [0.5, f64::NAN, f64::INFINITY] {
            let policy = Reconnect::default().factor(factor);
            assert_eq!(fault(policy), Some("reconnect.factor"));
        }
        for jitter in [-0.1, 1.1, f64::NAN] {
            let policy = Reconnect::default().jitter(jitter);
            assert_eq!(fault(policy), Some("reconnect.jitter"));
        }
        let policy = Reconnect::default().cap(Duration::ZERO);
        assert_eq!(fault(policy), Some("reconnect.cap"));
        let policy = Reconnect::default().base(Duration::ZERO);
        assert_eq!(fault(policy), Some("reconnect.base"));
    }

    proptest! {
        #[test]
        fn delays_never_overflow_nor_pass_the_cap(
            base in any::<u64>(),
            cap in 1..=u64::MAX,
            factor in 1.0..1e9f64,
            jitter in 0.0..=1.0f64,
            attempt in 1..=u32::MAX,
            chance in 0.0..=1.0f64,
        ) {
            let cap = Duration::from_millis(cap);
            let policy = Reconnect::default()
                .base(Duration::from_millis(base))
                .cap(cap)
                .factor(factor)
                .jitter(jitter);
            prop_assert!(policy.delay(attempt, chance) <= cap);
        }
    }
}
