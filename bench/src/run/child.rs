//! Programs that are run to their end, within a limit.

use std::io::{ErrorKind, Read};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a program to its end. One that takes longer than `limit` is killed.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Ended, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{name} is not there"),
        _ => format!("cannot start {name}: {error}"),
    })?;
    let out = child.stdout.take().map(read_all);
    let err = child.stderr.take().map(read_all);
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status.code()),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            Ok(None) => break Err(format!("it took longer than {limit:?}")),
            Err(error) => break Err(format!("lost {name}: {error}")),
        }
    };
    if status.is_err() {
        // Fails only if it has ended.
        _ = child.kill();
        _ = child.wait();
    }
    let text = |reader: Option<JoinHandle<String>>| {
        let read = reader.map(JoinHandle::join);
        read.and_then(Result::ok).unwrap_or_default()
    };
    let (out, err) = (text(out), text(err));
    status.map(|status| Ended { status, out, err })
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is what there is.
        _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_read_to_their_end() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; exit 3"]);
        let ended = Ended {
            status: Some(3),
            out: "one\n".into(),
            err: "two\n".into(),
        };
        assert_eq!(run(&mut command, Duration::from_secs(20)), Ok(ended));
    }

    #[test]
    fn program_that_does_not_end_is_ended() {
        let started = Instant::now();
        let mut command = Command::new("sleep");
        let ended = run(command.arg("60"), Duration::from_millis(100));
        assert!(ended.unwrap_err().contains("longer than 100ms"));
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn program_that_is_not_there_is_named() {
        let ended = run(&mut Command::new("no-such-program-of-sio"), Duration::ZERO);
        assert_eq!(ended, Err("no-such-program-of-sio is not there".into()));
    }
}
