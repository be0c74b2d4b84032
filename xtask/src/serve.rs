//! `cargo xtask serve`: one pinned server for a client of one's own, until Ctrl-C.

use std::process::ExitCode;

use crate::{node, process};

pub(crate) fn run(server: &str) -> Result<ExitCode, String> {
    node::require_node()?;
    node::install_one(server)?;
    process::announce_build();
    let status = process::status(process::conformance().args(["serve", server]))?;
    Ok(process::same_end(status))
}
