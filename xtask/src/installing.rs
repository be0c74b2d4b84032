//! What installing any server takes: saying what is done and how long it took, and noting what it was done from.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Instant;

/// Installs something with a tool, and shows what that said if it fails.
pub(crate) fn step(
    what: &str,
    tool: &str,
    run: impl FnOnce() -> Result<Output, String>,
) -> Result<(), String> {
    eprint!("installing {what} … ");
    let started = Instant::now();
    match run() {
        Ok(output) if output.status.success() => {
            eprintln!("{:.1} s", started.elapsed().as_secs_f64());
            Ok(())
        }
        Ok(output) => {
            eprintln!(
                "failed\n{}",
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
            Err(format!(
                "{tool} could not install {what}; what it said stands above"
            ))
        }
        Err(sentence) => {
            eprintln!("failed");
            Err(sentence)
        }
    }
}

/// Whether the note says that all was installed from this list. Times of files would not do: git sets them to when a file
/// was checked out.
pub(crate) fn is_noted(note: &Path, list: &[u8]) -> bool {
    fs::read(note).is_ok_and(|noted| noted == list)
}

/// Notes it, once all is installed.
pub(crate) fn note(note: &Path, list: &[u8]) -> Result<(), String> {
    fs::write(note, list).map_err(|error| format!("cannot write {}: {error}", note.display()))
}

/// Reads such a list.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
