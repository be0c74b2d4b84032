//! The command `sio`: talks Socket.IO to servers of 0.9, 1.x, 2.x, and 3.x/4.x with `allowEIO3`.
//!
//! `sio --help` shows how it is used; the JSON lines of `--json` are described below.
#![doc = include_str!("../JSON.md")]

pub mod args;
mod commands;
mod connection;
mod editor;
mod failure;
mod happening;
pub mod json;
mod logs;
mod paint;
mod printer;
mod reader;
mod run;
mod screen;
mod signals;
mod talk;
mod terminal;
mod typed;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};

use args::{Cli, Command, Output};
pub use failure::{Exit, Failure};

/// Does what a command line asks for, its first word the command's own name.
#[must_use]
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let wants_json = args.iter().any(|arg| arg == "--json");
    let cli = match args::read(args) {
        Ok(cli) => cli,
        Err(error) => return misread(&error, wants_json),
    };
    let done = act(&cli);
    terminal::restore();
    match done {
        Ok(exit) => exit,
        Err(failure) => {
            tell(&failure, wants_json);
            failure.exit
        }
    }
}

fn act(cli: &Cli) -> Result<Exit, Failure> {
    let (connection, output) = match &cli.command {
        Command::Probe(probe) => (Some(&probe.connection), Some(&probe.output)),
        Command::Listen(listen) => (Some(&listen.connection), Some(&listen.output)),
        Command::Emit(emit) => (Some(&emit.connection), Some(&emit.output)),
        Command::Connect(connect) => (Some(&connect.connection), Some(&connect.output)),
        Command::Replay(replay) => (None, Some(&replay.output)),
        Command::Completions { .. } | Command::Man { .. } => (None, None),
    };
    if connection.is_some_and(|connection| connection.insecure) {
        connection::note(
            "sio: --insecure takes any certificate: whoever sits between can read and change everything",
        );
    }
    if let Some(output) = output
        && !is_typed(cli, output)
    {
        logs::show(output.verbose, None)?;
    }
    match &cli.command {
        Command::Probe(options) => commands::probe::probe(options),
        Command::Listen(options) => commands::listen::listen(options),
        Command::Emit(options) => commands::emit::emit(options),
        Command::Connect(options) => commands::connect::connect(options),
        Command::Replay(options) => commands::replay::replay(options),
        Command::Completions { shell } => commands::completions::completions(*shell),
        Command::Man { command } => commands::completions::man(command.as_deref()),
    }
}

/// Whether somebody types, so that nothing may be written into the line.
fn is_typed(cli: &Cli, output: &Output) -> bool {
    matches!(cli.command, Command::Connect(_))
        && !output.json
        && io::stdin().is_terminal()
        && io::stdout().is_terminal()
        && io::stderr().is_terminal()
}

/// Help that was asked for, or a command line that cannot be read.
fn misread(error: &clap::Error, wants_json: bool) -> Exit {
    if !error.use_stderr() {
        // Whoever reads it may have seen enough.
        let _ = error.print();
        return Exit::Done;
    }
    // Nobody may listen on standard error; the exit code says it, too.
    let _ = error.print();
    if wants_json {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first);
        tell_program(&Failure::usage(message));
    }
    Exit::Usage
}

/// Says what went wrong: to a person always, to a program if it listens.
fn tell(failure: &Failure, wants_json: bool) {
    if failure.exit == Exit::Interrupted {
        return;
    }
    let bad = anstyle::AnsiColor::Red.on_default();
    let text = paint::safe(&failure.to_string());
    // Nobody may listen there any more; the exit code says it, too.
    let _ = writeln!(anstream::stderr(), "{bad}sio:{bad:#} {text}");
    if wants_json {
        tell_program(failure);
    }
}

fn tell_program(failure: &Failure) {
    let line: json::Line<'_> = json::Line::Error {
        error: failure.fault(None),
    };
    // As above.
    let _ = writeln!(io::stdout(), "{}", line.to_text());
}

/// Prints a whole text; one that is read in part is no error.
fn print_all(text: &[u8]) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    screen::written(out.write_all(text).and_then(|()| out.flush()))?;
    Ok(Exit::Done)
}
