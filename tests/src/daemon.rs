//! Programs from packages, such as a proxy or a balancer: started for a test, with a configuration of its own.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use socket2::Socket;

use crate::case::{Failure, Outcome};
use crate::port::bound;
use crate::scratch::Scratch;
use sio_servers::process::{self, Output, lock};

/// How long a program may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(5);
/// Runs the program in its arguments, and kills it once standard input ends: with this process, however that ends. What
/// it ends with by itself is passed on.
const GUARD: &str = r#"
exec 3<&0
"$@" </dev/null >&2 3<&- &
program=$!
(read -r _ <&3; kill -9 "$program") >/dev/null 2>&1 &
guard=$!
wait "$program"
status=$?
kill "$guard" 2>/dev/null
exit "$status"
"#;

/// A program that listens on a port of this machine. It is ended when this is dropped.
pub struct Daemon {
    program: String,
    port: u16,
    process: Mutex<Child>,
    output: Output,
    /// Keeps the port for the program.
    _holder: Socket,
    // Goes last: the program may write into it.
    folder: Scratch,
}

/// Where a program is started: a folder of its own, and the port it is to listen on, on 127.0.0.1.
#[derive(Debug)]
pub struct Place<'a> {
    folder: &'a Scratch,
    /// The port.
    pub port: u16,
}

impl Place<'_> {
    /// The folder, for what the program wants to write.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, such as the configuration, and returns where.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn file(&self, name: &str, content: &str) -> io::Result<PathBuf> {
        self.folder.write(name, content)
    }
}

impl Daemon {
    /// Starts a program in the foreground, with the arguments for a place. Returns when it listens.
    ///
    /// # Errors
    /// If it is not installed, which is [no failure](Failure::not_here), or does not listen in time; with what it said.
    pub fn start(
        program: &str,
        arguments: impl FnOnce(&Place<'_>) -> io::Result<Vec<OsString>>,
    ) -> Outcome<Self> {
        if !is_installed(program) {
            return Err(Failure::not_here(format!(
                "{program} is not installed (nowhere on the PATH); `cargo xtask test-servers` does so as root on Debian"
            )));
        }
        let folder = Scratch::new(program)?;
        let holder = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let port = port_of(&holder)?;
        let place = Place {
            folder: &folder,
            port,
        };
        let mut process = Command::new("sh")
            .args(["-c", GUARD, "sh", program])
            .args(arguments(&place)?)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = process
            .stderr
            .take()
            .ok_or("the standard error of a program is missing")?;
        let daemon = Self {
            program: program.to_owned(),
            port,
            output: Output::keep(stderr),
            process: Mutex::new(process),
            _holder: holder,
            folder,
        };
        daemon.wait_until_it_listens()?;
        Ok(daemon)
    }

    fn wait_until_it_listens(&self) -> Outcome {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if is_listening(self.port) {
                return Ok(());
            }
            let why = match lock(&self.process).try_wait()? {
                Some(status) => format!("ended with {status}"),
                None if Instant::now() >= deadline => {
                    self.stop();
                    format!("did not listen within {START_LIMIT:?}")
                }
                None => {
                    thread::sleep(Duration::from_millis(5));
                    continue;
                }
            };
            let (program, said) = (&self.program, self.output.last_words());
            return Err(format!("{program} {why}; it said: {said}").into());
        }
    }

    /// The port it listens on, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder it was started in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it wrote to standard error, the newest part of it.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// Kills it, which gives it no time to say goodbye. A second call does nothing.
    pub fn stop(&self) {
        _ = process::stop(&mut lock(&self.process));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon")
            .field("program", &self.program)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn port_of(socket: &Socket) -> io::Result<u16> {
    let address = socket.local_addr()?.as_socket();
    Ok(address
        .ok_or_else(|| io::Error::other("a socket without a port"))?
        .port())
}

fn is_listening(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::ensure;

    /// Node is there wherever these tests run; the packages need not be.
    fn listener(place: &Place<'_>) -> io::Result<Vec<OsString>> {
        let script = format!(
            "process.stderr.write(`I am ${{process.pid}}\n`); require('net').createServer().listen({}, '127.0.0.1')",
            place.port
        );
        Ok(vec!["-e".into(), script.into()])
    }

    #[test]
    fn program_that_is_not_installed_is_no_failure() {
        let failure = Daemon::start("no-such-program-of-sio", listener).unwrap_err();
        assert!(failure.is_not_here(), "{failure}");
        assert!(
            failure
                .text()
                .starts_with("no-such-program-of-sio is not installed"),
            "{failure}"
        );
    }

    #[test]
    fn program_that_ends_is_a_failure_with_its_words() {
        let broken =
            |_: &Place<'_>| Ok(vec!["-e".into(), "throw Error('no configuration')".into()]);
        let failure = Daemon::start("node", broken).unwrap_err();
        assert!(!failure.is_not_here());
        assert!(
            failure.text().starts_with("node ended with exit status: 1"),
            "{failure}"
        );
        assert!(failure.text().contains("no configuration"), "{failure}");
    }

    fn said_its_id(daemon: &Daemon) -> Outcome<u32> {
        crate::context::until("the id of the program", || {
            let output = daemon.output();
            Ok(output.trim().strip_prefix("I am ").map(str::to_owned))
        })?
        .parse()
        .map_err(|error| format!("its id: {error}").into())
    }

    fn lives(id: u32) -> bool {
        let asked = Command::new("kill").args(["-0", &id.to_string()]).output();
        asked.unwrap().status.success()
    }

    #[test]
    fn program_listens_until_it_is_stopped() -> Outcome {
        let daemon = Daemon::start("node", listener)?;
        let (port, id) = (daemon.port(), said_its_id(&daemon)?);
        ensure!(is_listening(port) && lives(id), "it is not there");
        daemon.stop();
        ensure!(!is_listening(port) && !lives(id), "it is still there");
        Ok(())
    }

    #[test]
    fn program_ends_with_whoever_started_it() -> Outcome {
        let daemon = Daemon::start("node", listener)?;
        let id = said_its_id(&daemon)?;
        // What the system does when this process is killed.
        drop(lock(&daemon.process).stdin.take());
        crate::context::until("the end of the program", || Ok((!lives(id)).then_some(())))
    }
}
