//! Flow control: what a client holds while more comes, or is to be sent, than can be dealt with.
//!
//! Each case runs in a process of its own, looks at itself each 100 ms, and says of each promised bound whether it held.

mod cases;
mod deaf;
mod samples;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub use cases::Case;

use crate::client::Which;
use crate::run::child;
use crate::run::cores::Cores;
use crate::run::servers::Running;

const CASE_LIMIT: Duration = Duration::from_secs(120);

/// Runs all cases; the tables as Markdown, and whether every bound held.
///
/// # Errors
/// If the server does not start.
pub fn run(program: &Path) -> Result<(String, bool), String> {
    let server = Running::start_fast(program, Cores::Any, &[])?;
    let url = server.url();
    let mut text = String::new();
    let mut all_hold = true;
    for which in [Which::V1, Which::Legacy] {
        for case in Case::ALL {
            eprintln!("{}: {}", which.name(), case.name());
            let mut command = Command::new(program);
            command.args(["flow", which.name(), case.name(), &url]);
            let ended = child::run(&mut command, CASE_LIMIT)?;
            all_hold &= ended.status == Some(0);
            text.push_str(&ended.out);
            text.push_str(&ended.err);
            text.push('\n');
        }
    }
    Ok((text, all_hold))
}
