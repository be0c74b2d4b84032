//! Programs of others that some tests and gates need, from packages of Debian.
//!
//! What is missing is installed where that is possible. Elsewhere one line says what is missing and what to run, and what
//! needs it counts as skipped.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};
use std::time::Instant;

/// A program, the package it comes in, and the service that would be started with it.
pub(crate) struct Package {
    pub(crate) program: &'static str,
    pub(crate) name: &'static str,
    pub(crate) service: Option<&'static str>,
}

/// What the deployments are made of. Their cases look for the programs themselves.
pub(crate) const DEPLOYMENTS: [Package; 5] = [
    Package {
        program: "tinyproxy",
        name: "tinyproxy-bin",
        service: None,
    },
    Package {
        program: "microsocks",
        name: "microsocks",
        service: None,
    },
    Package {
        program: "haproxy",
        name: "haproxy",
        service: Some("haproxy"),
    },
    Package {
        program: "nginx",
        name: "nginx",
        service: Some("nginx"),
    },
    Package {
        program: "redis-server",
        name: "redis-server",
        service: Some("redis-server"),
    },
];

/// What a build with native-tls needs on Linux.
pub(crate) const OPENSSL: [Package; 2] = [
    Package {
        program: "pkg-config",
        name: "pkg-config",
        service: None,
    },
    Package {
        program: "OpenSSL's headers",
        name: "libssl-dev",
        service: None,
    },
];

/// Where Debian keeps servers, which is not on everybody's `PATH`.
const SERVER_FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// In seconds. What is only fetched may be broken off at any time; an installation should not be, so it is given longer.
const FETCH_LIMIT: u32 = 60;
const INSTALL_LIMIT: u32 = 300;
/// What `timeout` ends with when it had to end the program.
const TIMED_OUT: i32 = 124;

/// Asked by packages whether they may start their services.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// Its answer that they may not.
const FORBIDDEN: i32 = 101;
/// How a policy of ours is known.
const MARK: &str = "# Written by `cargo xtask` while it installs packages.";

/// Where programs are looked for, here and by the cases: the `PATH`, and the folders of servers.
pub(crate) fn path() -> OsString {
    let own = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&own).chain(SERVER_FOLDERS.map(PathBuf::from));
    // A folder that cannot be written in a PATH did not come out of one.
    env::join_paths(folders).unwrap_or(own)
}

/// Installs what is missing. If that cannot be done, returns one line on what is missing, why, and what to run.
pub(crate) fn provide(packages: &'static [Package]) -> Result<(), String> {
    let missing = missing(packages, &path());
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing).map_err(|why| advice(&missing, &why))
}

/// Installs all of them, for what is not found by looking for programs. The errors are those of [`provide`].
pub(crate) fn provide_all(packages: &'static [Package]) -> Result<(), String> {
    let all: Vec<&Package> = packages.iter().collect();
    install(&all).map_err(|why| advice(&all, &why))
}

/// Whether native-tls can be built. On Linux it is made from OpenSSL's headers.
pub(crate) fn has_openssl() -> bool {
    let ask = || {
        Command::new("pkg-config")
            .args(["--exists", "openssl"])
            .stdin(process::Stdio::null())
            .status()
    };
    !cfg!(target_os = "linux") || ask().is_ok_and(|status| status.success())
}

fn missing(packages: &'static [Package], path: &OsStr) -> Vec<&'static Package> {
    let is_there = |program| env::split_paths(path).any(|folder| folder.join(program).is_file());
    let all = packages.iter();
    all.filter(|package| !is_there(package.program)).collect()
}

fn names(packages: &[&Package]) -> Vec<&'static str> {
    packages.iter().map(|package| package.name).collect()
}

fn advice(missing: &[&Package], why: &str) -> String {
    let programs: Vec<&str> = missing.iter().map(|package| package.program).collect();
    format!(
        "not installed: {} ({why}); on Debian: apt-get install {}",
        programs.join(", "),
        names(missing).join(" ")
    )
}

fn install(missing: &[&Package]) -> Result<(), String> {
    if !is_root() {
        return Err("only root can install them".into());
    }
    let started = Instant::now();
    let before = running(missing);
    let policy = Policy::forbid()?;
    fetch(missing)?;
    apt_get("install", &["--no-download"], missing, INSTALL_LIMIT)?;
    drop(policy);
    for package in missing {
        keep_off(package)?;
    }
    let started_ones: Vec<String> = running(missing)
        .into_iter()
        .filter(|process| !before.contains(process))
        .collect();
    if !started_ones.is_empty() {
        return Err(format!(
            "installing them has started {}, which still runs",
            started_ones.join(", ")
        ));
    }
    eprintln!(
        "installed {} in {:.1} s",
        names(missing).join(", "),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// The lists of packages are fetched only if those that are there do not do.
fn fetch(missing: &[&Package]) -> Result<(), String> {
    if apt_get("install", &["--download-only"], missing, FETCH_LIMIT).is_ok() {
        return Ok(());
    }
    apt_get("update", &[], &[], FETCH_LIMIT)?;
    apt_get("install", &["--download-only"], missing, FETCH_LIMIT)
}

/// Runs apt-get, bounded. `timeout` also ends what it has started.
fn apt_get(
    task: &str,
    options: &[&str],
    packages: &[&Package],
    seconds: u32,
) -> Result<(), String> {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", &seconds.to_string(), "apt-get", "--yes"])
        .args(["--quiet", "--no-install-recommends"])
        .args([
            "-o",
            "Acquire::Retries=1",
            "-o",
            "Acquire::http::Timeout=20",
        ])
        .args(["-o", "DPkg::Lock::Timeout=60"])
        .arg(task)
        .args(options)
        .args(names(packages))
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(process::Stdio::null());
    match command.output() {
        Ok(output) => outcome_of(task, seconds, &output),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(no_apt_get()),
        Err(error) => Err(format!("cannot start apt-get: {error}")),
    }
}

fn outcome_of(task: &str, seconds: u32, output: &Output) -> Result<(), String> {
    /// What `timeout` and shells end with when there is no such program.
    const NO_SUCH_PROGRAM: i32 = 127;
    match output.status.code() {
        Some(0) => Ok(()),
        Some(TIMED_OUT) => Err(format!("apt-get {task} took more than {seconds} s")),
        Some(NO_SUCH_PROGRAM) => Err(no_apt_get()),
        _ => Err(format!("apt-get {task}: {}", last_words(&output.stderr))),
    }
}

fn no_apt_get() -> String {
    "this machine has no apt-get".into()
}

/// The last line that says something.
fn last_words(stderr: &[u8]) -> String {
    let said = String::from_utf8_lossy(stderr);
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    last.unwrap_or("it failed without a word").to_owned()
}

/// A service is not wanted after the next start of the machine either.
fn keep_off(package: &Package) -> Result<(), String> {
    let Some(service) = package.service else {
        return Ok(());
    };
    let output = Command::new("update-rc.d")
        .args([service, "disable"])
        .stdin(process::Stdio::null())
        .output()
        .map_err(|error| format!("cannot start update-rc.d: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "update-rc.d {service} disable: {}",
            last_words(&output.stderr)
        ))
    }
}

/// The processes of these programs, as `haproxy (123)`.
fn running(packages: &[&Package]) -> Vec<String> {
    // Without /proc this is no Linux, and nothing was installed.
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        // A process may end while we look.
        let Ok(name) = fs::read_to_string(entry.path().join("comm")) else {
            continue;
        };
        let name = name.trim();
        if packages.iter().any(|package| package.program == name) {
            found.push(format!("{name} ({})", entry.file_name().display()));
        }
    }
    found
}

/// Keeps packages from starting their services, until it is dropped.
struct Policy {
    /// The file is ours, and has to go.
    written: bool,
}

impl Policy {
    fn forbid() -> Result<Self, String> {
        match fs::read_to_string(POLICY) {
            Ok(text) if !text.contains(MARK) => Self::of_the_machine(),
            Ok(_) => Self::write(),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::write(),
            Err(error) => Err(format!("cannot read {POLICY}: {error}")),
        }
    }

    /// In containers there is one already that forbids. Another one is not for us to replace.
    fn of_the_machine() -> Result<Self, String> {
        let answer = Command::new(POLICY).args(["haproxy", "start"]).output();
        let answer = answer.map_err(|error| format!("cannot ask {POLICY}: {error}"))?;
        if answer.status.code() == Some(FORBIDDEN) {
            Ok(Self { written: false })
        } else {
            Err(format!("{POLICY} would have them start services"))
        }
    }

    fn write() -> Result<Self, String> {
        write_program(Path::new(POLICY), &policy_of(process::id()))
            .map_err(|error| format!("cannot write {POLICY}: {error}"))?;
        Ok(Self { written: true })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.written
            && let Err(error) = fs::remove_file(POLICY)
        {
            eprintln!("cannot remove {POLICY}: {error}");
        }
    }
}

/// It forbids while this process lives: should it be left behind, it does no harm.
fn policy_of(id: u32) -> String {
    format!("#!/bin/sh\n{MARK}\nkill -0 {id} 2>/dev/null && exit {FORBIDDEN}\nexit 0\n")
}

fn write_program(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    fn two() -> Vec<&'static Package> {
        DEPLOYMENTS.iter().skip(2).take(2).collect()
    }

    #[test]
    fn what_is_missing_and_what_to_run_is_one_line() {
        assert_eq!(
            advice(&two(), "only root can install them"),
            "not installed: haproxy, nginx (only root can install them); on Debian: apt-get install haproxy nginx"
        );
        let openssl: Vec<_> = OPENSSL.iter().collect();
        assert_eq!(
            advice(&openssl, "this machine has no apt-get"),
            "not installed: pkg-config, OpenSSL's headers (this machine has no apt-get); on Debian: apt-get install \
             pkg-config libssl-dev"
        );
    }

    #[test]
    fn a_program_is_looked_for_in_each_folder_of_the_path() {
        let all = DEPLOYMENTS.len();
        assert_eq!(missing(&DEPLOYMENTS, OsStr::new("")).len(), all);
        let folder = env::temp_dir().join(format!("sio-xtask-{}", process::id()));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("nginx"), "").unwrap();
        let path = env::join_paths([Path::new("nowhere"), &folder]).unwrap();
        let found = missing(&DEPLOYMENTS, &path);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.len(), all - 1);
        assert!(found.iter().all(|package| package.program != "nginx"));
    }

    #[test]
    fn failures_of_apt_get_are_one_sentence() {
        let said = |command: &str| {
            let output = Command::new("sh").args(["-c", command]).output().unwrap();
            outcome_of("update", 120, &output)
        };
        assert_eq!(said("exit 0"), Ok(()));
        assert_eq!(
            said("exit 124").unwrap_err(),
            "apt-get update took more than 120 s"
        );
        assert_eq!(said("exit 127").unwrap_err(), no_apt_get());
        assert_eq!(
            said("echo W: old >&2; echo E: no network >&2; echo >&2; exit 100").unwrap_err(),
            "apt-get update: E: no network"
        );
    }

    /// Whether a policy lets a service be started.
    #[cfg(target_os = "linux")]
    fn answer_of(policy: &str) -> Option<i32> {
        let mut shell = Command::new("sh");
        shell.args(["-c", policy]).status().unwrap().code()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_policy_forbids_as_long_as_we_live() {
        assert_eq!(answer_of(&policy_of(process::id())), Some(FORBIDDEN));
        let mut ended = Command::new("true").spawn().unwrap();
        let id = ended.id();
        ended.wait().unwrap();
        assert_eq!(answer_of(&policy_of(id)), Some(0));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn running_programs_are_found() {
        let cat = Package {
            program: "cat",
            name: "coreutils",
            service: None,
        };
        let mut child = Command::new("cat")
            .stdin(process::Stdio::piped())
            .stdout(process::Stdio::piped())
            .spawn()
            .unwrap();
        let entry = format!("cat ({})", child.id());
        // Once it answers it is what it is called.
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        let mut answer = [0];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut answer)
            .unwrap();
        let found = running(&[&cat]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&entry), "{found:?}");
        assert!(!running(&[&cat]).contains(&entry));
    }
}
