//! The tasks of the workspace; `cargo xtask` alone lists them.
//!
//! One file per task: [`demo`], [`serve`], [`test_servers`], [`soak`], [`fuzz`], [`mod@bench`], [`ci`]. Beside them [`command_line`]
//! (what may be asked for), [`servers`] (those of tests) and [`peers`] (other clients; [`node`], [`python`] and [`rust`] install
//! both), [`packages`] (proxies and balancers), [`tidy`] (rules no linter knows), [`process`], [`toolchain`] and [`counts`].
//!
//! Nothing here depends on a crate of the workspace: the tasks must run while a crate does not compile. What talks to
//! servers is the program `conformance` of `tests/`, which the tasks build and start.

mod bench;
mod ci;
mod command_line;
mod counts;
mod demo;
mod fuzz;
mod installing;
mod node;
mod packages;
mod peers;
mod process;
mod python;
mod rust;
mod serve;
mod servers;
mod soak;
mod test_servers;
mod tidy;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use command_line::Task;

/// The task could not be done: a request that makes no sense, or something missing on this machine.
const NOT_DONE: u8 = 2;

fn main() -> ExitCode {
    let outcome = command_line::parse(std::env::args_os().skip(1)).and_then(|task| {
        move_to_root()?;
        match task {
            Task::Help => command_line::print_help(),
            Task::Demo { server } => demo::run(&server),
            Task::Serve { server } => serve::run(&server),
            Task::TestServers(wanted) => test_servers::run(&wanted),
            Task::Soak(wanted) => soak::run(&wanted),
            Task::Fuzz(wanted) => fuzz::run(&wanted),
            Task::Bench(wanted) => bench::run(&wanted),
            Task::Ci => ci::run(),
        }
    });
    outcome.unwrap_or_else(|sentence| {
        eprintln!("xtask: {sentence}");
        ExitCode::from(NOT_DONE)
    })
}

/// Every path in the tasks is relative to the root, wherever `cargo xtask` was called.
fn move_to_root() -> Result<(), String> {
    let root = root();
    std::env::set_current_dir(&root)
        .map_err(|error| format!("cannot go to the workspace in {}: {error}", root.display()))
}

/// Cargo says at run time where this package is. What it said when building is only for a program that is started by
/// hand: a checkout may have moved since, or share its target folder with another one.
fn root() -> PathBuf {
    let now = std::env::var_os("CARGO_MANIFEST_DIR");
    let xtask = now.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map(Path::to_owned).unwrap_or(xtask)
}
