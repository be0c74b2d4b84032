//! Waiting, bounded: every wait says what it waited for.

use std::fmt::Debug;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything here may take that takes no time on a good day.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What a thread is busy with, to be fetched later.
#[derive(Debug)]
pub struct Background<T> {
    what: &'static str,
    result: Receiver<thread::Result<T>>,
}

/// Does something that blocks on a thread of its own.
pub fn background<T: Send + 'static>(
    what: &'static str,
    act: impl FnOnce() -> T + Send + 'static,
) -> Background<T> {
    let (sender, result) = mpsc::channel();
    let run = move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        // Nobody listens if the test failed before.
        let _ = sender.send(outcome);
    };
    thread::Builder::new().name(what.into()).spawn(run).unwrap();
    Background { what, result }
}

impl<T> Background<T> {
    /// The result, within [`PATIENCE`].
    #[track_caller]
    pub fn join(self) -> T {
        match self.result.recv_timeout(PATIENCE) {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => panic!("waited {PATIENCE:?} for {}", self.what),
        }
    }

    /// Whether it is still going on after `limit`.
    #[must_use]
    pub fn blocks_for(&self, limit: Duration) -> bool {
        self.result.recv_timeout(limit).is_err()
    }
}

/// The next value of a channel, within [`PATIENCE`].
#[track_caller]
pub fn next<T>(what: &str, from: &Receiver<T>) -> T {
    match from.recv_timeout(PATIENCE) {
        Ok(value) => value,
        Err(error) => panic!("waited {PATIENCE:?} for {what}: {error}"),
    }
}

/// Waits for something that tells nobody when it happens.
#[track_caller]
pub fn eventually(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited {limit:?} for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Runs something and asserts how long it took.
#[track_caller]
pub fn takes<T>(least: Duration, most: Duration, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = act();
    let took = start.elapsed();
    assert!(
        least <= took && took <= most,
        "took {took:?}, expected {least:?} to {most:?}"
    );
    value
}

/// Does something with each of these at the same time, for what takes its time and computes little.
pub fn all_at_once<T: Send>(cases: impl IntoIterator<Item = T>, act: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| act(case));
        }
    });
}

/// Asserts that a text holds each of these parts, and names no cause twice.
#[track_caller]
pub fn assert_says(text: &str, parts: &[&str]) {
    let causes: Vec<&str> = text.split(": ").collect();
    assert!(
        causes.windows(2).all(|pair| pair[0] != pair[1]),
        "a cause appears twice in: {text}"
    );
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
}

/// The error of a result, which must be one.
#[track_caller]
pub fn error_of<T: Debug, E>(what: &str, result: Result<T, E>) -> E {
    match result {
        Ok(value) => panic!("{what} should have failed, and gave {value:?}"),
        Err(error) => error,
    }
}
