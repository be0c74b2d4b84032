//! The command as a process, and a server for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use sio_peer::peer::Peer;
use sio_peer::wait::{Background, PATIENCE, background, eventually, next};
use sio_peer::websocket::WebSocketPeer;
use tungstenite::Message;

/// The command, running. It does not outlive the test.
pub(crate) struct Sio {
    process: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    err: Option<Background<String>>,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// The lines of standard output that nobody has taken.
    pub(crate) out: Vec<String>,
    pub(crate) err: String,
}

/// A command line, without anything of this machine's environment that would matter.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sio"));
    command
        .args(args)
        .env("no_proxy", "*")
        .env_remove("CLICOLOR_FORCE");
    command
}

impl Sio {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::run(&mut command(args))
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let (sender, lines) = mpsc::channel();
        let out = BufReader::new(process.stdout.take().unwrap());
        thread::spawn(move || {
            for line in out.lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return; // so the output is closed
                }
            }
        });
        let mut from = process.stderr.take().unwrap();
        let err = background("standard error", move || {
            let mut text = String::new();
            from.read_to_string(&mut text).expect("UTF-8");
            text
        });
        Self {
            input: process.stdin.take(),
            process,
            lines,
            err: Some(err),
        }
    }

    /// The next line of output.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        next("a line of output", &self.lines)
    }

    /// Asserts that these lines come next.
    #[track_caller]
    pub(crate) fn says(&self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.line(), *line);
        }
    }

    /// Takes lines until one begins like this, and returns it.
    #[track_caller]
    pub(crate) fn until(&self, beginning: &str) -> String {
        loop {
            let line = self.line();
            if line.starts_with(beginning) {
                return line;
            }
        }
    }

    /// Writes a line to its input.
    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("its input");
        writeln!(input, "{line}").expect("it reads");
    }

    /// Writes bytes to its input.
    pub(crate) fn tell_bytes(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("its input");
        input.write_all(bytes).expect("it reads");
    }

    /// Ends its input.
    pub(crate) fn no_more(&mut self) {
        self.input = None;
    }

    /// Sends it a signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("kill").success());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        self.no_more();
        self.end_by_itself()
    }

    /// The same, with its input left open.
    #[track_caller]
    pub(crate) fn end_by_itself(mut self) -> Ended {
        let mut status = None;
        eventually("the end of the command", PATIENCE, || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        let mut out = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            out.push(line);
        }
        Ended {
            code: status.and_then(|status| status.code()),
            out,
            err: self.err.take().unwrap().join(),
        }
    }

    /// Stops reading its output.
    pub(crate) fn look_away(&mut self) {
        self.lines = mpsc::channel().1;
    }
}

impl Drop for Sio {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ended {
    /// Asserts the exit code, and that standard error says this.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, said: &str) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert!(self.err.contains(said), "no {said:?} in {:?}", self.err);
    }
}

/// A server of 2.x that speaks over a WebSocket.
pub(crate) struct Server {
    pub(crate) peer: Peer,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn new() -> Self {
        let peer = Peer::new();
        let url = peer.url();
        Self { peer, url }
    }

    /// Starts the command with this server, and lets it in.
    #[track_caller]
    pub(crate) fn let_in(&mut self, name: &str, args: &[&str]) -> (Sio, WebSocketPeer) {
        let sio = self.start(name, args);
        (sio, self.accept())
    }

    /// Starts the command with this server.
    pub(crate) fn start(&self, name: &str, args: &[&str]) -> Sio {
        let fixed = [name, &self.url, "--server", "2", "--transport", "websocket"];
        Sio::start(&[&fixed, args].concat())
    }

    /// Takes the next session in.
    #[track_caller]
    pub(crate) fn accept(&mut self) -> WebSocketPeer {
        let mut socket = WebSocketPeer::accept(self.peer.upgrade());
        socket.text(r#"0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#);
        socket.text("40");
        socket
    }
}

/// Waits until the client takes its leave and ends the connection.
#[track_caller]
pub(crate) fn is_left(socket: &mut WebSocketPeer) {
    loop {
        if socket.message() == Message::text("41") {
            break;
        }
    }
    socket.is_closed();
}
