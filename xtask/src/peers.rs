//! The other clients of the benchmark, in `bench/peers/`, from their published packages.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{node, packages, python, rust};

const NODE: &str = "bench/peers/node";
const PYTHON: &str = "bench/peers/python";

const RUST: rust::Workspace = rust::Workspace {
    name: "peers-rust",
    manifest: "bench/peers/rust/Cargo.toml",
    target: "target/peers-rust",
    profile: "release",
    program: "target/peers-rust/release/peers-rust",
};

/// Installs all of them, where they are missing or were installed from another list. Returns why some of them are not there,
/// one sentence each: a benchmark can do without.
pub(crate) fn install() -> Vec<String> {
    let mut absent: Vec<_> = absent(RUST.name, install_rust()).into_iter().collect();
    match node::require_node() {
        Ok(()) => {
            absent.extend(install_each(NODE, "package-lock.json", |folder| {
                node::install_packages(folder).map(|()| None)
            }));
        }
        Err(sentence) => absent.push(format!("{NODE}: {sentence}")),
    }
    absent.extend(install_each(
        PYTHON,
        "requirements.txt",
        python::make_environment,
    ));
    absent
}

/// Its client knows native-tls only.
fn install_rust() -> Result<Option<String>, String> {
    if !packages::has_openssl() {
        packages::provide_all(&packages::OPENSSL)?;
    }
    RUST.build()
}

/// What was not installed of the folders in `parent`.
fn install_each(
    parent: &str,
    list: &str,
    install: impl Fn(&Path) -> Result<Option<String>, String>,
) -> Vec<String> {
    match folders_with(parent, list) {
        Ok(folders) => {
            let outcomes = folders
                .iter()
                .map(|folder| absent(&folder.to_string_lossy(), install(folder)));
            outcomes.flatten().collect()
        }
        Err(error) => vec![format!("{parent}: cannot be listed: {error}")],
    }
}

fn absent(what: &str, installed: Result<Option<String>, String>) -> Option<String> {
    let why = match installed {
        Ok(why) => why?,
        Err(sentence) => sentence,
    };
    Some(format!("{what}: {why}"))
}

/// The folders of `parent` that hold such a list.
fn folders_with(parent: &str, list: &str) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(parent)? {
        let folder = entry?.path();
        if folder.join(list).is_file() {
            folders.push(folder);
        }
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_installed_is_said_and_the_rest_goes_on() {
        let root = crate::root();
        let parent = root.join(PYTHON);
        let absent =
            install_each(
                &parent.to_string_lossy(),
                "requirements.txt",
                |folder| match folder.file_name().and_then(|name| name.to_str()) {
                    Some("python-socketio-4.6.1") => Ok(None),
                    Some("socketIO-client-0.7.2") => Ok(Some("not on this machine.".into())),
                    _ => Err("no network".into()),
                },
            );
        let said = |name: &str, why: &str| format!("{}: {why}", parent.join(name).display());
        assert_eq!(
            absent,
            [
                said("socketIO-client-0.5.7.2", "no network"),
                said("socketIO-client-0.7.2", "not on this machine."),
            ]
        );
    }

    #[test]
    fn a_missing_folder_is_said() {
        let absent = install_each("no-such-folder", "list", |_| Ok(None));
        assert_eq!(absent.len(), 1);
        assert!(absent[0].starts_with("no-such-folder: cannot be listed: "));
    }
}
