//! `cargo xtask demo`: a client and a real server, in a few lines to look at.

use std::process::{ExitCode, Stdio};

use crate::{process, servers};

pub(crate) fn run(server: &str) -> Result<ExitCode, String> {
    servers::install_one(server)?;
    process::announce_build();
    let status = process::status(
        process::conformance()
            .args(["demo", "--server", server])
            .stdin(Stdio::null()),
    )?;
    Ok(process::same_end(status))
}
