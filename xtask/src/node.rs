//! Node.js, npm, and the pinned servers in `node-server/`.
//!
//! Which server needs what, such as a Node of its own, says `node-server/app.js`.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fmt, fs};

use crate::installing::{is_noted, note, read, step};

const SERVERS: &str = "node-server";

/// The folder of a server that is one node of several; it has the version of another folder, and more packages.
pub(crate) const NODES: &str = "2.5.1-redis";

/// What `node-server/app.js` and the servers run on.
const OLDEST: NodeVersion = NodeVersion {
    major: 18,
    minor: 3,
};

/// Npm is a script on Windows, which is not found without its ending.
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

const INSTALL: [&str; 4] = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];

/// Says in one sentence what to install when Node.js is missing or too old.
pub(crate) fn require_node() -> Result<(), String> {
    let output = run_or_missing(Command::new("node").arg("--version"), "Node.js")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let version = NodeVersion::parse(&said).ok_or_else(|| {
        format!(
            "`node --version` said {:?}, which is no version",
            said.trim()
        )
    })?;
    if version < OLDEST {
        return Err(format!(
            "the servers need Node.js {OLDEST} or newer, and this machine has Node.js {version}"
        ));
    }
    Ok(())
}

/// Runs a program that a person may have to install first.
fn run_or_missing(command: &mut Command, what: &str) -> Result<Output, String> {
    command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            format!("{what} was not found: install Node.js {OLDEST} or newer, with npm, so that it is on the PATH")
        }
        _ => format!("cannot start {what}: {error}"),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NodeVersion {
    major: u32,
    minor: u32,
}

impl NodeVersion {
    /// Reads `v20.20.2`, as `node --version` says it.
    fn parse(said: &str) -> Option<Self> {
        let mut parts = said.trim().strip_prefix('v')?.split('.');
        Some(Self {
            major: parts.next()?.parse().ok()?,
            minor: parts.next()?.parse().ok()?,
        })
    }
}

impl fmt::Display for NodeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The folders of `node-server/` that hold a pinned server, in the order of their versions. Their names are versions;
/// a folder with another name, such as that of an old Node, holds what a server needs.
pub(crate) fn server_folders() -> Result<Vec<String>, String> {
    let cannot_list = |error: io::Error| format!("cannot list {SERVERS}: {error}");
    let mut folders = Vec::new();
    for entry in fs::read_dir(SERVERS).map_err(cannot_list)? {
        let entry = entry.map_err(cannot_list)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if numbers(&name).is_some() && entry.path().join("package-lock.json").is_file() {
            folders.push(name);
        }
    }
    folders.sort_by_key(|name| numbers(name));
    Ok(folders)
}

/// Reads `0.9.19`, to be compared as numbers.
fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

/// The folder that a server runs from: its own name, or what stands before a variant such as `4.8.4-no-eio3`.
pub(crate) fn folder_of(server: &str) -> Option<String> {
    let folders = server_folders().ok()?;
    folders.into_iter().find(|folder| runs_from(server, folder))
}

/// Whether a server, such as `4.8.4-no-eio3`, is a variant of the version of a folder.
pub(crate) fn runs_from(server: &str, folder: &str) -> bool {
    server
        .strip_prefix(folder)
        .is_some_and(|variant| variant.is_empty() || variant.starts_with('-'))
}

/// Installs what the server of a folder needs, where it is missing or was installed from another lock file. Returns why it
/// does not run on this machine, if it does not.
pub(crate) fn install(server: &str) -> Result<Option<String>, String> {
    match needs(server)? {
        Needs::Folders(folders) => {
            for folder in folders {
                install_packages(&Path::new(SERVERS).join(folder))?;
            }
            Ok(None)
        }
        Needs::AnotherMachine(why) => Ok(Some(why)),
    }
}

#[derive(Debug, PartialEq)]
enum Needs {
    Folders(Vec<String>),
    /// Why it does not run here, in one sentence.
    AnotherMachine(String),
}

/// What `app.js` ends with when a server does not run on this machine.
const NOT_HERE: i32 = 3;

/// Asks `app.js`, which starts the servers and so knows what they need.
fn needs(folder: &str) -> Result<Needs, String> {
    let app = Path::new(SERVERS).join("app.js");
    let output = run_or_missing(
        Command::new("node").arg(&app).args(["--needs", folder]),
        "Node.js",
    )?;
    read_needs(
        output.status.code(),
        &String::from_utf8_lossy(&output.stdout),
        &String::from_utf8_lossy(&output.stderr),
    )
    .ok_or_else(|| {
        format!(
            "{} does not say what {folder} needs ({}): {}",
            app.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )
    })
}

fn read_needs(status: Option<i32>, said: &str, complaint: &str) -> Option<Needs> {
    match status {
        Some(0) if !said.is_empty() => {
            Some(Needs::Folders(said.lines().map(str::to_owned).collect()))
        }
        Some(NOT_HERE) => Some(Needs::AnotherMachine(complaint.trim().to_owned())),
        _ => None,
    }
}

/// Installs the packages of a folder's lock file, where they are missing or were installed from another one.
pub(crate) fn install_packages(folder: &Path) -> Result<(), String> {
    let lock = read(&folder.join("package-lock.json"))?;
    let noted = stamp(folder);
    if !is_noted(&noted, &lock) {
        step(&folder.to_string_lossy(), "npm", || {
            run_or_missing(Command::new(NPM).args(INSTALL).current_dir(folder), "npm")
        })?;
        note(&noted, &lock)?;
    }
    Ok(())
}

/// A copy of the lock file. Npm empties `node_modules` first, so the copy vanishes with what it stands for.
fn stamp(folder: &Path) -> PathBuf {
    folder
        .join("node_modules")
        .join(".installed-package-lock.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read() {
        let version = |major, minor| Some(NodeVersion { major, minor });
        assert_eq!(NodeVersion::parse("v20.20.2\n"), version(20, 20));
        assert_eq!(NodeVersion::parse("v18.3.0\r\n"), version(18, 3));
        assert_eq!(NodeVersion::parse("v23.0.0-nightly2024"), version(23, 0));
        for said in ["", "20.20.2", "v20", "vx.y.z", "node v20.1.0"] {
            assert_eq!(NodeVersion::parse(said), None, "{said:?}");
        }
    }

    #[test]
    fn versions_of_node_are_compared_as_numbers() {
        let parse = |said| NodeVersion::parse(said).unwrap();
        assert!(parse("v9.11.2") < OLDEST);
        assert!(parse("v18.2.0") < OLDEST);
        assert!(parse("v18.3.0") >= OLDEST);
        assert!(parse("v100.0.0") > OLDEST);
    }

    #[test]
    fn a_variant_runs_from_the_folder_of_its_version() {
        assert!(runs_from("4.8.4", "4.8.4"));
        assert!(runs_from("4.8.4-no-eio3", "4.8.4"));
        assert!(!runs_from("4.8.40", "4.8.4"));
        assert!(!runs_from("4.8", "4.8.4"));
    }

    #[test]
    fn folders_of_servers_are_versions() {
        assert!(numbers("0.9.6") < numbers("0.9.14"));
        assert!(numbers("0.9.19") < numbers("1.0.6"));
        assert_eq!(numbers("runtime-0.10.48"), None);
        assert_eq!(numbers("lib"), None);
        assert_eq!(numbers(NODES), None);
    }

    #[test]
    fn a_server_needs_folders_or_another_machine() {
        let folders = vec!["runtime-0.10.48".to_owned(), "0.9.0".to_owned()];
        assert_eq!(
            read_needs(Some(0), "runtime-0.10.48\n0.9.0\n", ""),
            Some(Needs::Folders(folders))
        );
        assert_eq!(
            read_needs(Some(NOT_HERE), "", "not on this machine.\n"),
            Some(Needs::AnotherMachine("not on this machine.".into()))
        );
        assert_eq!(read_needs(Some(0), "", ""), None);
        assert_eq!(read_needs(Some(2), "", "usage"), None);
        assert_eq!(read_needs(None, "0.9.0\n", ""), None);
    }

    #[test]
    fn a_missing_program_is_one_sentence() {
        let sentence =
            run_or_missing(&mut Command::new("no-such-program-of-sio"), "Node.js").unwrap_err();
        assert!(
            sentence.starts_with("Node.js was not found: install "),
            "{sentence}"
        );
        assert_eq!(sentence.lines().count(), 1);
    }
}
