//! The command `sio`; see the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    sio_cli::run(std::env::args_os()).into()
}
