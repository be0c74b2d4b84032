//! `cargo xtask soak`: one connection for long, while the network fails and the server is restarted; a line each minute says
//! what came of it, and what the process uses.

use std::process::{ExitCode, Stdio};

use crate::command_line::Soaking;
use crate::{process, servers};

pub(crate) fn run(wanted: &Soaking) -> Result<ExitCode, String> {
    servers::install_one(&wanted.server)?;
    process::announce_build();
    let minutes = wanted.minutes.to_string();
    let transport = wanted.transport.iter();
    let status = process::status(
        process::conformance()
            .args(["soak", "--faults", "--server", &wanted.server])
            .args(["--minutes", &minutes])
            .args(transport.flat_map(|transport| ["--transport", transport]))
            .stdin(Stdio::null()),
    )?;
    Ok(process::same_end(status))
}
