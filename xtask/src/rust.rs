//! Programs that are workspaces of their own, such as the server in `rust-server/`.

use std::path::Path;
use std::process::Command;

use crate::process;

/// The server, by the version of socketioxide that its lock file names.
pub(crate) const NAME: &str = "socketioxide-0.18";

const SERVER: Workspace = Workspace {
    name: NAME,
    manifest: "rust-server/Cargo.toml",
    target: "target/rust-server",
    profile: "dev",
    program: "target/rust-server/debug/rust-server",
};

/// The same, built to run fast.
const FAST_SERVER: Workspace = Workspace {
    profile: "release",
    program: "target/rust-server/release/rust-server",
    ..SERVER
};

/// The oldest Rust that socketioxide is made for.
const OLDEST: (u32, u32) = (1, 94);

/// Builds the server, where it is not built yet. Returns why it does not run on this machine, if it does not.
pub(crate) fn install() -> Result<Option<String>, String> {
    SERVER.build()
}

/// The same for measuring.
pub(crate) fn install_fast() -> Result<Option<String>, String> {
    FAST_SERVER.build()
}

/// A program that needs socketioxide, and is no part of our workspace.
pub(crate) struct Workspace {
    pub(crate) name: &'static str,
    pub(crate) manifest: &'static str,
    /// Wherever the clients are built: whoever starts the program has to find it.
    pub(crate) target: &'static str,
    pub(crate) profile: &'static str,
    pub(crate) program: &'static str,
}

impl Workspace {
    /// Builds it, where it is not built yet. Returns why it does not run on this machine, if it does not.
    pub(crate) fn build(&self) -> Result<Option<String>, String> {
        let name = self.name;
        if let Some(why) = too_old(name)? {
            return Ok(Some(why));
        }
        if !Path::new(self.program).exists() {
            eprintln!("building {name} (the first time takes minutes)");
        }
        let mut build = process::cargo();
        build.args(["build", "--quiet", "--locked", "--profile", self.profile]);
        build.args([
            "--manifest-path",
            self.manifest,
            "--target-dir",
            self.target,
        ]);
        if process::status(&mut build)?.success() {
            Ok(None)
        } else {
            Err(format!("{name} could not be built; why stands above"))
        }
    }
}

fn too_old(name: &str) -> Result<Option<String>, String> {
    let mut ask: Command = process::cargo();
    let output = ask
        .arg("--version")
        .output()
        .map_err(|error| format!("cannot ask Cargo for its version: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let version = version(&said).ok_or_else(|| format!("{said:?} has no version"))?;
    let (major, minor) = OLDEST;
    Ok((version < OLDEST).then(|| {
        format!(
            "{name} does not run here: it needs Rust {major}.{minor} or newer, and this is {said}."
        )
    }))
}

/// Reads `cargo 1.95.0 (…)`.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut parts = said.split(' ').nth(1)?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_cargo_are_read() {
        assert_eq!(
            version("cargo 1.95.0 (59807616e 2026-04-14)"),
            Some((1, 95))
        );
        assert_eq!(version("cargo 1.94.0-nightly"), Some((1, 94)));
        assert!(version("cargo 1.100.0") > Some(OLDEST));
        assert_eq!(version("cargo"), None);
    }

    #[test]
    fn the_lock_file_has_the_version_of_the_server() {
        let lock = include_str!("../../rust-server/Cargo.lock");
        let version = NAME.trim_start_matches("socketioxide-");
        assert!(lock.contains(&format!("name = \"socketioxide\"\nversion = \"{version}.")));
    }
}
