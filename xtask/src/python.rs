//! Python and virtual environments, and the server in `python-server/` with its own.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use crate::installing::{is_noted, note, read, step};

/// The server, by the version of python-socketio that its requirements name.
pub(crate) const NAME: &str = "python-4.6.1";

const FOLDER: &str = "python-server";
const ENVIRONMENT: &str = ".venv";
const PROGRAM: &str = if cfg!(windows) { "python" } else { "python3" };

/// Ready-made packages only, which run nothing of theirs, and only those of the list: it names all of them. What is published
/// as source only, a list says itself.
const INSTALL: [&str; 10] = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-input",
    "--only-binary=:all:",
    "--no-deps",
    "--requirement",
    "requirements.txt",
];

/// What `app.py` ends with when the server does not run on this machine.
const NOT_HERE: i32 = 3;

/// Installs what the server needs. Returns why it does not run on this machine, if it does not.
pub(crate) fn install() -> Result<Option<String>, String> {
    make_environment(Path::new(FOLDER))
}

/// Makes a folder's virtual environment, where it is missing or was made from another list or by another Python. Returns why
/// none can be made on this machine, if so.
pub(crate) fn make_environment(folder: &Path) -> Result<Option<String>, String> {
    let python = match needs()? {
        Needs::Python(version) => version,
        Needs::AnotherMachine(why) => return Ok(Some(why)),
    };
    let mut list = read(&folder.join("requirements.txt"))?;
    list.extend(python.as_bytes());
    let noted = folder.join(ENVIRONMENT).join(".installed");
    if is_noted(&noted, &list) {
        return Ok(None);
    }
    step(&folder.to_string_lossy(), "pip", || {
        let made = run(folder, PROGRAM, &["-m", "venv", "--clear", ENVIRONMENT])?;
        if !made.status.success() {
            return Ok(made);
        }
        run(folder, &program_inside(folder), &INSTALL)
    })?;
    note(&noted, &list)?;
    Ok(None)
}

#[derive(Debug, PartialEq)]
enum Needs {
    /// The Python that is there, with its version.
    Python(String),
    /// Why the server does not run here, in one sentence.
    AnotherMachine(String),
}

/// Asks `app.py`, which starts the server and so knows what it needs.
fn needs() -> Result<Needs, String> {
    let asked = Command::new(PROGRAM)
        .args(["app.py", "--needs"])
        .current_dir(FOLDER)
        .output();
    match asked {
        Ok(output) => read_needs(&output),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Needs::AnotherMachine(format!(
            "{NAME} does not run here: Python 3 was not found as {PROGRAM} on the PATH."
        ))),
        Err(error) => Err(format!("cannot start {PROGRAM}: {error}")),
    }
}

fn read_needs(output: &Output) -> Result<Needs, String> {
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match output.status.code() {
        Some(0) => Ok(Needs::Python(said)),
        Some(NOT_HERE) => Ok(Needs::AnotherMachine(complaint)),
        _ => Err(format!(
            "{FOLDER}/app.py does not say what it needs ({}): {complaint}",
            output.status
        )),
    }
}

/// The Python of the virtual environment.
fn program_inside(folder: &Path) -> String {
    let path = if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    };
    // Programs with a path are not looked for in the folder they are to run in on every system.
    let folder = crate::root().join(folder).join(ENVIRONMENT);
    folder.join(path).to_string_lossy().into_owned()
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<Output, String> {
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .map_err(|error| format!("cannot start {program}: {error}"))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn the_server_needs_a_python_or_another_machine() {
        let said = |script: &str| {
            let output = Command::new("sh").args(["-c", script]).output().unwrap();
            read_needs(&output)
        };
        assert_eq!(
            said("echo Python 3.11.7"),
            Ok(Needs::Python("Python 3.11.7".into()))
        );
        assert_eq!(
            said("echo not on this machine. >&2; exit 3"),
            Ok(Needs::AnotherMachine("not on this machine.".into()))
        );
        assert!(
            said("echo broken >&2; exit 1")
                .unwrap_err()
                .ends_with(": broken")
        );
    }

    #[test]
    fn the_list_names_the_version_of_the_server() {
        let list = include_str!("../../python-server/requirements.txt");
        let version = NAME.trim_start_matches("python-");
        assert!(
            list.contains(&format!("python-socketio=={version}\n")),
            "{list}"
        );
    }
}
