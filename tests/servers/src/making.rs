//! How a server is started, by what it is written in. What each needs is installed by `cargo xtask`.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::Command;

use crate::StartError;

/// The server of python-socketio.
pub const PYTHON: &str = "python-4.6.1";

/// The server of socketioxide.
pub const SOCKETIOXIDE: &str = "socketioxide-0.18";

const PYTHON_PROGRAM: &str = if cfg!(windows) { "python" } else { "python3" };

/// What starts a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Making {
    /// `node-server/app.js`, with a folder of a version.
    Node(String),
    /// `python-server/app.py`.
    Python,
    /// The program of `rust-server`, as a build profile has made it.
    Rust(Profile),
}

/// How a Rust program was built: Cargo's folder of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Built fast.
    Debug,
    /// Runs fast.
    Release,
}

impl Making {
    /// How the server of that name is started.
    pub fn of(name: &str) -> Self {
        if name.starts_with("python-") {
            return Self::Python;
        }
        if name.starts_with("socketioxide-") {
            return Self::Rust(Profile::Debug);
        }
        let version = name.strip_suffix("-no-eio3").unwrap_or(name);
        Self::Node(version.to_owned())
    }

    /// The same, built to run fast, where that is a choice.
    pub fn fast(self) -> Self {
        match self {
            Self::Rust(_) => Self::Rust(Profile::Release),
            other => other,
        }
    }

    /// The command, which flags may follow.
    pub fn command(&self) -> Command {
        match self {
            Self::Node(folder) => {
                let mut command = Command::new("node");
                command.current_dir(at_root("node-server"));
                command.args(["app.js", folder]);
                command
            }
            Self::Python => {
                let mut command = Command::new(PYTHON_PROGRAM);
                command.current_dir(at_root("python-server"));
                command.arg("app.py");
                command
            }
            Self::Rust(profile) => {
                let folder = match profile {
                    Profile::Debug => "target/rust-server/debug",
                    Profile::Release => "target/rust-server/release",
                };
                Command::new(at_root(folder).join("rust-server"))
            }
        }
    }

    /// Why the command did not even start. Node is needed in any case, the others where they are there.
    pub fn cannot_start(&self, error: &io::Error) -> StartError {
        match self {
            Self::Node(_) => StartError::new(format!(
                "Node.js 18.3 or newer is needed as `node` on the PATH ({error}); \
                 `cargo xtask test-servers` installs all the rest"
            )),
            Self::Python if error.kind() == ErrorKind::NotFound => StartError::not_here(format!(
                "python-socketio needs Python 3 as `{PYTHON_PROGRAM}` on the PATH"
            )),
            Self::Python => StartError::new(format!("cannot start {PYTHON_PROGRAM}: {error}")),
            Self::Rust(profile) => {
                let task = match profile {
                    Profile::Debug => "test-servers",
                    Profile::Release => "bench",
                };
                StartError::not_here(format!(
                    "the server of socketioxide is not built ({error}): `cargo xtask {task}` does that, with Rust 1.94 or newer"
                ))
            }
        }
    }
}

fn at_root(folder: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(folder)
}
