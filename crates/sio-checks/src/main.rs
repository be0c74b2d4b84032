//! Writes what the fuzzer begins with: a folder for each target, in the folder that is named.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("into which folder?");
        return ExitCode::from(2);
    };
    match sio_checks::seeds::write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("writing into {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}
