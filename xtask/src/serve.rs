//! `cargo xtask serve`: one pinned server for a client of one's own, until Ctrl-C.

use std::process::ExitCode;

use crate::{process, servers};

pub(crate) fn run(server: &str) -> Result<ExitCode, String> {
    servers::install_one(server)?;
    process::announce_build();
    let status = process::status(process::conformance().args(["serve", server]))?;
    Ok(process::same_end(status))
}
