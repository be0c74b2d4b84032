//! `sio connect` on a terminal.
#![cfg(unix)]

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use sio_peer::wait::{PATIENCE, eventually, next};

use crate::stage::{Server, command, is_left};

/// The command on a terminal of its own.
struct Typed {
    process: Child,
    keys: File,
    shown: Receiver<u8>,
    seen: String,
    terminal: OwnedFd,
}

impl Typed {
    fn start(args: &[&str]) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let name = ptsname(&keys, Vec::new()).unwrap();
        let terminal = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let side = || terminal.try_clone().unwrap();
        let process = command(args)
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .unwrap();
        let keys = File::from(keys);
        let screen = keys.try_clone().unwrap();
        let (sender, shown) = mpsc::channel();
        thread::spawn(move || {
            for byte in BufReader::new(screen).bytes() {
                let Ok(byte) = byte else { return };
                if sender.send(byte).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            keys,
            shown,
            seen: String::new(),
            terminal,
        }
    }

    /// Waits until the screen has shown this, behind what was waited for before.
    #[track_caller]
    fn shows(&mut self, text: &str) {
        let mut bytes = Vec::new();
        while !String::from_utf8_lossy(&bytes).contains(text) {
            bytes.push(next(text, &self.shown));
        }
        self.seen.push_str(&String::from_utf8_lossy(&bytes));
    }

    fn keys(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for its end, and returns the exit code.
    #[track_caller]
    fn end(&mut self) -> Option<i32> {
        let mut status = None;
        eventually("the end of the command", PATIENCE, || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }

    /// Whether lines are edited by the terminal itself, as shells expect to find it.
    fn is_as_before(&self) -> bool {
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }
}

impl Drop for Typed {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn started(server: &Server) -> Typed {
    let args = ["--server", "2", "--transport", "websocket", "--no-time"];
    Typed::start(&[&["connect", &*server.url], &args[..]].concat())
}

#[test]
fn what_is_typed_ahead_is_done_and_what_comes_stands_above() {
    let mut server = Server::new();
    let mut typed = started(&server);
    let mut socket = server.accept();
    typed.shows("/help shows what can be typed");
    typed.keys("news 1\rnews 2\r/ac\tadd 3\rpart");
    socket.expect(r#"42["news",1]"#);
    socket.expect(r#"42["news",2]"#);
    socket.expect(r#"420["add",3]"#);
    socket.text(r#"430["sum"]"#);
    // In colours, and the line that is being typed again below.
    typed.shows("\u{1b}[32mack\u{1b}[0m of add");
    typed.shows("part");
    socket.text(r#"42["\u001b[2Jx"]"#);
    typed.shows("\"\\u001b[2Jx\"");
    typed.keys("\u{15}/quit\r");
    is_left(&mut socket);
    assert_eq!(typed.end(), Some(0));
    assert!(typed.is_as_before(), "{}", typed.seen);
}

#[test]
fn ctrl_c_and_ctrl_d_close_the_connection_and_leave_the_terminal_as_it_was() {
    for (key, code) in [("\u{3}", 130), ("\u{4}", 0)] {
        let mut server = Server::new();
        let mut typed = started(&server);
        let mut socket = server.accept();
        typed.shows("> ");
        typed.keys(key);
        is_left(&mut socket);
        assert_eq!(typed.end(), Some(code));
        assert!(typed.is_as_before(), "{}", typed.seen);
    }
}

#[test]
fn a_connection_that_ends_leaves_the_terminal_as_it_was() {
    let mut server = Server::new();
    let mut typed = started(&server);
    let mut socket = server.accept();
    typed.shows("> ");
    typed.keys("half a li");
    typed.shows("half a li");
    assert!(!typed.is_as_before());
    socket.text("41");
    typed.shows("the connection is over: closed by the server");
    assert_eq!(typed.end(), Some(3));
    assert!(typed.is_as_before(), "{}", typed.seen);
}
