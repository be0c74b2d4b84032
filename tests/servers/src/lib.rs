//! Starts the real servers: [`making`] says how, [`process`] has what any program takes that a test starts.

pub mod making;
pub mod process;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;

use making::Making;
use process::{Output, lock};

const START_LIMIT: Duration = Duration::from_secs(20);
/// What the programs that start servers end with when one does not run on this machine.
const NOT_HERE: i32 = 3;

/// A server's process, which serves one version of socket.io on several ports. It is ended when this is dropped.
pub struct Started {
    ports: BTreeMap<String, u16>,
    process: Mutex<Child>,
    output: Output,
}

/// Why a server did not start, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
    text: String,
    not_here: bool,
}

impl StartError {
    /// It failed.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            not_here: false,
        }
    }

    /// It cannot run on this machine.
    pub fn not_here(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            not_here: true,
        }
    }

    /// Whether the server cannot run on this machine: a reason to skip it, not a failure.
    #[must_use]
    pub fn is_not_here(&self) -> bool {
        self.not_here
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for StartError {}

#[derive(Deserialize)]
struct Ready {
    ports: BTreeMap<String, u16>,
}

impl Started {
    /// Starts a server; `name` is for errors. Returns when its ports are open.
    ///
    /// # Errors
    /// If what it is made of is not installed, it does not run on this machine, or it does not become ready in time.
    pub fn launch(name: &str, making: &Making, flags: &[OsString]) -> Result<Self, StartError> {
        let mut command = making.command();
        let spawned = command
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut process = spawned.map_err(|error| making.cannot_start(&error))?;
        let output = process.stderr.take().map(Output::keep);
        let output = output.ok_or_else(|| StartError::new("its standard error is missing"))?;
        let ready = match process.stdout.take() {
            Some(stdout) => wait_until_ready(stdout),
            None => Err("its standard output is missing".to_owned()),
        };
        let ready = ready.map_err(|why| {
            let status = process::stop(&mut process);
            let said = output.last_words();
            if status == Some(NOT_HERE) {
                return StartError::not_here(said);
            }
            StartError::new(format!(
                "the server {name} did not start: {why}; it said: {said}"
            ))
        });
        Ok(Self {
            ports: ready?.ports,
            process: Mutex::new(process),
            output,
        })
    }

    /// All ports by the names of their variants.
    #[must_use]
    pub fn ports(&self) -> &BTreeMap<String, u16> {
        &self.ports
    }

    /// The id of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        lock(&self.process).id()
    }

    /// What the process wrote to standard error, the newest part of it.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// Kills the process, which has no time to say goodbye to anybody.
    ///
    /// # Errors
    /// If it cannot be killed.
    pub fn kill(&self) -> io::Result<()> {
        let mut process = lock(&self.process);
        process.kill()?;
        process.wait()?;
        // Where a server runs on another Node, that one ends with its standard input.
        drop(process.stdin.take());
        Ok(())
    }

    /// Ends the process: closes its standard input, waits 2 s at most, then kills it. A second call does nothing.
    pub fn stop(&self) {
        _ = process::stop(&mut lock(&self.process));
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started")
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

fn wait_until_ready(stdout: ChildStdout) -> Result<Ready, String> {
    let line = process::first_line(stdout, START_LIMIT)?;
    serde_json::from_str(&line).map_err(|error| format!("{error} in its ready line {line:?}"))
}
