//! What has happened, for whoever has to understand a failure.

use std::thread;

/// Lines that are shown if the test fails. The fuzzer itself has no time for them: it is a test that plays again what it
/// found.
#[derive(Debug, Default)]
pub(super) struct Log(Vec<String>);

impl Log {
    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if cfg!(test) {
            self.0.push(what());
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.0.join("\n"));
        }
    }
}
