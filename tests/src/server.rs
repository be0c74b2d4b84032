//! A running server process.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::control::Control;

/// The servers, in the order of the tables.
pub const SERVERS: [&str; 15] = [
    "0.9.0",
    "0.9.6",
    "0.9.14",
    "0.9.16",
    "0.9.17",
    "0.9.18",
    "0.9.19",
    "1.0.6",
    "1.3.7",
    "1.4.5",
    "1.7.4",
    "2.0.4",
    "2.5.1",
    "4.8.4",
    "4.8.4-no-eio3",
];

/// The server that refuses clients of Engine.IO 3.
pub const REFUSING: &str = "4.8.4-no-eio3";

const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(2);
const OUTPUT_KEPT: usize = 64 << 10;
/// What `app.js` ends with when a server does not run on this machine.
const NOT_HERE: i32 = 3;

/// A process that serves one version of socket.io on several ports. It is ended when this is dropped.
pub struct Server {
    name: String,
    ports: BTreeMap<String, u16>,
    control: Control,
    process: Mutex<Child>,
    output: Output,
}

/// What a process wrote, the newest part of it.
type Output = Arc<Mutex<VecDeque<u8>>>;

/// Why a server did not start, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
    text: String,
    not_here: bool,
}

impl StartError {
    fn new(text: String) -> Self {
        Self {
            text,
            not_here: false,
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

impl Server {
    /// Starts a server: one of [`SERVERS`]. Returns when its ports are open.
    ///
    /// # Errors
    /// If the name is unknown, Node or the version is not installed, it does not run on this machine, or the server does
    /// not become ready in time.
    pub fn start(name: &str) -> Result<Self, StartError> {
        let (folder, flags) = folder_of(name)?;
        Self::launch(name, &folder, &flags)
    }

    /// Starts a server anew after it was [killed](Self::kill): the port `main` is the same, the others are not.
    ///
    /// # Errors
    /// As [`start`](Self::start); besides if somebody else has taken that port meanwhile.
    pub fn start_again(&self) -> Result<Self, StartError> {
        let (folder, mut flags) = folder_of(&self.name)?;
        flags.push(format!("--main={}", self.port("main")));
        Self::launch(&self.name, &folder, &flags)
    }

    fn launch(name: &str, folder: &str, flags: &[String]) -> Result<Self, StartError> {
        let mut process = spawn(folder, flags)?;
        let (output, reader) = keep_stderr(&mut process);
        let ready = match process.stdout.take() {
            Some(stdout) => wait_until_ready(stdout),
            None => Err("its standard output is missing".to_owned()),
        };
        let ready = ready.map_err(|why| {
            let status = stop(&mut process);
            wait_for_last_words(reader);
            let said = text_of(&output);
            let said = said.trim();
            if status == Some(NOT_HERE) {
                return StartError {
                    text: said.to_owned(),
                    not_here: true,
                };
            }
            StartError::new(format!(
                "the server {name} did not start: {why}; it said: {said}"
            ))
        });
        let ports = ready?.ports;
        let control = ports.get("control").copied().unwrap_or_default();
        Ok(Self {
            name: name.to_owned(),
            ports,
            control: Control::new(control),
            process: Mutex::new(process),
            output,
        })
    }

    /// The name it was started by, for example `2.5.1` or `4.8.4-no-eio3`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The socket.io version, for example `4.8.4`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.name
            .split_once('-')
            .map_or(&self.name, |(version, _)| version)
    }

    /// The port of a variant, for example `main`.
    ///
    /// # Panics
    /// If the server has no such variant: the test names one that does not exist.
    #[must_use]
    pub fn port(&self, variant: &str) -> u16 {
        match self.ports.get(variant) {
            Some(port) => *port,
            None => panic!(
                "the server {} has no port {variant:?}, only {:?}",
                self.name, self.ports
            ),
        }
    }

    /// All ports by the names of their variants.
    #[must_use]
    pub fn ports(&self) -> &BTreeMap<String, u16> {
        &self.ports
    }

    /// What the server saw, and making it do something.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// What the process wrote to standard error, the newest part of it.
    #[must_use]
    pub fn output(&self) -> String {
        text_of(&self.output)
    }

    /// Kills the process, which has no time to say goodbye to anybody. Returns when nobody listens on its port `main` any
    /// more.
    ///
    /// # Errors
    /// If it cannot be killed, or somebody still listens after 2 s.
    pub fn kill(&self) -> io::Result<()> {
        {
            let mut process = lock(&self.process);
            process.kill()?;
            process.wait()?;
            // Where a server runs on another Node, that one ends with its standard input.
            drop(process.stdin.take());
        }
        let deadline = Instant::now() + STOP_LIMIT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port("main"))).is_ok() {
            if Instant::now() >= deadline {
                return Err(io::Error::other("a killed server still listens"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Ends the process: closes its standard input, waits 2 s at most, then kills it. A second call does nothing.
    pub fn stop(&self) {
        _ = stop(&mut lock(&self.process));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.name)
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

/// The folder of `node-server` and the flags that a name stands for.
fn folder_of(name: &str) -> Result<(String, Vec<String>), StartError> {
    if !SERVERS.contains(&name) {
        return Err(StartError::new(format!(
            "there is no server {name:?}, only {}",
            SERVERS.join(", ")
        )));
    }
    Ok(match name.strip_suffix("-no-eio3") {
        Some(folder) => (folder.to_owned(), vec!["--no-eio3".to_owned()]),
        None => (name.to_owned(), Vec::new()),
    })
}

fn spawn(folder: &str, flags: &[String]) -> Result<Child, StartError> {
    let servers = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../node-server"));
    Command::new("node")
        .arg("app.js")
        .arg(folder)
        .args(flags)
        .current_dir(servers)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            StartError::new(format!(
                "Node.js 18.3 or newer is needed as `node` on the PATH ({error}); \
                 `cargo xtask test-servers` installs all the rest"
            ))
        })
}

fn keep_stderr(process: &mut Child) -> (Output, Option<JoinHandle<()>>) {
    let output = Output::default();
    let reader = process.stderr.take().map(|mut stderr| {
        let kept = Arc::clone(&output);
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut chunk) {
                let mut kept = lock(&kept);
                kept.extend(&chunk[..read]);
                let surplus = kept.len().saturating_sub(OUTPUT_KEPT);
                kept.drain(..surplus);
            }
        })
    });
    (output, reader)
}

/// Until all that a process wrote before its end is read, within the limit for stopping.
fn wait_for_last_words(reader: Option<JoinHandle<()>>) {
    let deadline = Instant::now() + STOP_LIMIT;
    while reader.as_ref().is_some_and(|reader| !reader.is_finished()) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
}

fn wait_until_ready(stdout: ChildStdout) -> Result<Ready, String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        // Nobody listens any more if it took too long.
        drop(sender.send(read.map(|_| line)));
    });
    match receiver.recv_timeout(START_LIMIT) {
        Ok(Ok(line)) if line.is_empty() => Err("it ended before its ready line".to_owned()),
        Ok(Ok(line)) => serde_json::from_str(&line)
            .map_err(|error| format!("{error} in its ready line {line:?}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no ready line within {START_LIMIT:?}")),
    }
}

/// Returns the status it ended with by itself.
fn stop(process: &mut Child) -> Option<i32> {
    drop(process.stdin.take());
    let deadline = Instant::now() + STOP_LIMIT;
    while Instant::now() < deadline {
        match process.try_wait() {
            Ok(None) => thread::sleep(Duration::from_millis(5)),
            Ok(Some(status)) => return status.code(),
            Err(_) => return None,
        }
    }
    // It may have ended just now; either way it is gone after this.
    drop(process.kill());
    drop(process.wait());
    None
}

fn text_of(output: &Output) -> String {
    let (head, tail) = {
        let kept = lock(output);
        let (head, tail) = kept.as_slices();
        (head.to_vec(), tail.to_vec())
    };
    String::from_utf8_lossy(&[head, tail].concat()).into_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_server_is_one_clear_sentence() {
        let error = Server::start("0.0.1").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("there is no server \"0.0.1\", only 0.9.0, "),
            "{error}"
        );
    }

    #[test]
    fn refusing_server_is_the_same_version_with_a_flag() {
        assert_eq!(folder_of("2.5.1").unwrap(), ("2.5.1".to_owned(), vec![]));
        let flags = vec!["--no-eio3".to_owned()];
        assert_eq!(folder_of(REFUSING).unwrap(), ("4.8.4".to_owned(), flags));
    }
}
