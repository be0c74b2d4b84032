//! Starting other programs, and waiting for them.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

/// The cargo that runs this program: the same toolchain, wherever it is installed.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// The program of `tests/` that drives the servers. Cargo builds it first where needed, in silence but for errors.
pub(crate) fn conformance() -> Command {
    let mut command = cargo();
    command.args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "sio-conformance",
        "--bin",
        "conformance",
        "--",
    ]);
    command
}

/// Says why nothing happens for a while, on standard error, as Cargo itself would.
pub(crate) fn announce_build() {
    eprintln!("building the clients (the first time takes a minute or two)");
}

/// Runs a program to its end, its output shown as it comes.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus, String> {
    command
        .status()
        .map_err(|error| cannot_start(command, &error))
}

/// Runs a program to its end and hands on each line of its standard output; standard error is shown as it comes.
pub(crate) fn read_lines(
    command: &mut Command,
    on_line: impl FnMut(&str),
) -> Result<ExitStatus, String> {
    let mut child = spawn(command.stdout(Stdio::piped()))?;
    let output = child.stdout.take();
    follow(child, output, on_line).map_err(|error| format!("lost {}: {error}", name(command)))
}

/// The same for standard error; standard output is not wanted.
pub(crate) fn read_error_lines(
    command: &mut Command,
    on_line: impl FnMut(&str),
) -> Result<ExitStatus, String> {
    let mut child = spawn(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
    let output = child.stderr.take();
    follow(child, output, on_line).map_err(|error| format!("lost {}: {error}", name(command)))
}

fn spawn(command: &mut Command) -> Result<Child, String> {
    let child = command.stdin(Stdio::null()).spawn();
    child.map_err(|error| cannot_start(command, &error))
}

fn follow(
    mut child: Child,
    output: Option<impl Read>,
    mut on_line: impl FnMut(&str),
) -> io::Result<ExitStatus> {
    let read = output.map_or(Ok(()), |output| {
        for_each_line(BufReader::new(output), &mut on_line)
    });
    let ended = child.wait();
    read.and(ended)
}

/// Not `BufRead::lines`, which would end at the first byte that is not UTF-8.
fn for_each_line(mut from: impl BufRead, on_line: &mut impl FnMut(&str)) -> io::Result<()> {
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        on_line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
        line.clear();
    }
    Ok(())
}

/// Ends as the other program ended, which has already said why.
pub(crate) fn same_end(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}

fn cannot_start(command: &Command, error: &io::Error) -> String {
    format!("cannot start {}: {error}", name(command))
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_whatever_their_bytes() {
        let mut lines = Vec::new();
        for_each_line(&b"one\r\n\xff\n\nlast"[..], &mut |line| {
            lines.push(line.to_owned());
        })
        .unwrap();
        assert_eq!(lines, ["one", "\u{fffd}", "", "last"]);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let sentence = status(&mut Command::new("no-such-program-of-sio")).unwrap_err();
        assert!(
            sentence.starts_with("cannot start no-such-program-of-sio: "),
            "{sentence}"
        );
    }
}
