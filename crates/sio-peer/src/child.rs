//! Processes of a test: started, bounded, and read to their end.

use std::io::{Read, Write};
use std::process::{self, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::wait::{Background, background};

/// A process that a test has started. It does not outlive the test.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    out: Option<Background<String>>,
    err: Option<Background<String>>,
}

/// How a process ended, and what it has written.
#[derive(Debug)]
pub struct Ended {
    /// `None` if it had to be killed.
    pub status: Option<ExitStatus>,
    /// What it has written to standard output.
    pub out: String,
    /// The same for standard error.
    pub err: String,
}

impl Child {
    /// Starts it.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = Some(read_all(process.stdout.take().unwrap()));
        let err = Some(read_all(process.stderr.take().unwrap()));
        Self { process, out, err }
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) {
        let input = self.process.stdin.as_mut().expect("its standard input");
        writeln!(input, "{line}").expect("a process that still reads");
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for its end, for `limit` at most.
    #[must_use]
    pub fn end(mut self, limit: Duration) -> Ended {
        let deadline = Instant::now() + limit;
        let status = loop {
            match self.process.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if Instant::now() >= deadline => break None,
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        self.kill();
        let text = |output: Option<Background<String>>| output.unwrap().join();
        Ended {
            status,
            out: text(self.out.take()),
            err: text(self.err.take()),
        }
    }

    fn kill(&mut self) {
        // Fails only if it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> Background<String> {
    background("the output of the test's own process", move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
