//! Which cores programs may run on.

use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

use serde::Serialize;

use super::child;

const TASKSET: &str = "taskset";
/// The one core, if it is one.
const FIRST: &str = "0";
const PATIENCE: Duration = Duration::from_secs(5);

/// Where server and client run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cores {
    /// Both on the same core.
    One,
    /// Wherever the system has them run.
    Any,
}

impl Cores {
    /// Why it cannot be had on this machine, if it cannot.
    pub(super) fn missing(self) -> Option<String> {
        if self == Self::Any {
            return None;
        }
        let asked = child::run(Command::new(TASKSET).arg("--version"), PATIENCE);
        let why = match asked {
            Ok(ended) if ended.status == Some(0) => return None,
            Ok(ended) => ended.err,
            Err(why) => why,
        };
        Some(format!(
            "no program can be bound to one core: {}",
            why.trim()
        ))
    }

    /// A command that runs there.
    pub(super) fn command(self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Any => Command::new(program),
            Self::One => {
                let mut command = Command::new(TASKSET);
                command.args(["-c", FIRST]).arg(program);
                command
            }
        }
    }

    /// Has a process that runs already go on there, with all its threads.
    pub(super) fn bind(self, process: u32) -> Result<(), String> {
        if self == Self::Any {
            return Ok(());
        }
        let mut command = Command::new(TASKSET);
        command.args(["-a", "-p", "-c", FIRST, &process.to_string()]);
        let ended = child::run(&mut command, PATIENCE)?;
        match ended.status {
            Some(0) => Ok(()),
            _ => Err(format!(
                "cannot bind the server to one core: {}",
                ended.err.trim()
            )),
        }
    }
}
