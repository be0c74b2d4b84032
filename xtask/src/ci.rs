//! `cargo xtask ci`: the gates that need no server, each named with its time and result.
//!
//! Every gate runs, whatever failed before it. Of the tests only those of TLS are among them, with the library that is not the
//! default: `cargo xtask test-servers` has all.

use std::io::{self, Write as _};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::{packages, process, tidy, toolchain};

struct Gate {
    name: &'static str,
    check: fn() -> Result<Outcome, String>,
}

/// In the order of how soon they answer. Clippy goes over the crates with features once more with each choice of them: in
/// the whole workspace the features of one member are switched on for the others.
const GATES: [Gate; 10] = [
    Gate {
        name: "format",
        check: || cargo("fmt --all --check -- -l"),
    },
    Gate {
        name: "tidy",
        check: tidy_gate,
    },
    Gate {
        name: "javascript",
        check: javascript,
    },
    Gate {
        name: "clippy",
        check: || {
            cargo("clippy --quiet --keep-going --workspace --all-targets --locked -- -D warnings")
        },
    },
    Gate {
        name: "clippy, no TLS",
        check: || clippy_with("--no-default-features"),
    },
    Gate {
        name: "clippy, native-tls",
        check: || with_openssl(|| clippy_with("--no-default-features --features native-tls")),
    },
    Gate {
        name: "clippy, both kinds of TLS",
        check: || with_openssl(|| clippy_with("--features native-tls")),
    },
    Gate {
        name: "tests of TLS, native-tls",
        check: || with_openssl(native_tls_tests),
    },
    Gate {
        name: "docs",
        check: docs,
    },
    Gate {
        name: "oldest Rust",
        check: oldest_rust,
    },
];

enum Outcome {
    Passed,
    Failed,
    /// Says why; never counted as passed.
    NotChecked(String),
}

impl From<bool> for Outcome {
    fn from(passed: bool) -> Self {
        if passed { Self::Passed } else { Self::Failed }
    }
}

struct Row {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

pub(crate) fn run() -> Result<ExitCode, String> {
    let rows: Vec<_> = GATES.iter().map(pass_through).collect();
    println!("\n{}", table(&rows));
    let failed = rows
        .iter()
        .any(|row| matches!(row.outcome, Outcome::Failed));
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn pass_through(gate: &Gate) -> Row {
    let started = Instant::now();
    let outcome = (gate.check)().unwrap_or_else(|sentence| {
        eprintln!("xtask: {sentence}");
        Outcome::Failed
    });
    Row {
        name: gate.name,
        outcome,
        took: started.elapsed(),
    }
}

fn table(rows: &[Row]) -> String {
    let width = rows
        .iter()
        .map(|row| row.name.len())
        .max()
        .unwrap_or_default();
    let lines = rows.iter().map(|row| {
        let verdict = match &row.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::NotChecked(reason) => {
                return format!("{:<width$}           not checked: {reason}", row.name);
            }
        };
        format!(
            "{:<width$}  {:>5.1} s  {verdict}",
            row.name,
            row.took.as_secs_f64()
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn cargo(line: &str) -> Result<Outcome, String> {
    announce(&format!("cargo {line}"));
    run_quietly(process::cargo().args(line.split(' ')))
}

/// The crates with features.
const WITH_FEATURES: &str =
    "--package sio-net --package sio-v1 --package sio-legacy --package sio-auto --package sio-cli";

fn clippy_with(features: &str) -> Result<Outcome, String> {
    cargo(&format!(
        "clippy --quiet --keep-going {WITH_FEATURES} --all-targets {features} --locked -- -D warnings"
    ))
}

/// With rustls they run in `cargo xtask test-servers`.
fn native_tls_tests() -> Result<Outcome, String> {
    cargo(&format!(
        "test --quiet {WITH_FEATURES} --lib --test it --no-default-features --features native-tls --locked -- tls"
    ))
}

fn with_openssl(check: fn() -> Result<Outcome, String>) -> Result<Outcome, String> {
    if packages::has_openssl() {
        return check();
    }
    if let Err(sentence) = packages::provide_all(&packages::OPENSSL) {
        return Ok(Outcome::NotChecked(sentence));
    }
    if packages::has_openssl() {
        check()
    } else {
        Err("pkg-config does not find OpenSSL, though its headers were installed".into())
    }
}

fn docs() -> Result<Outcome, String> {
    let line = "doc --quiet --keep-going --workspace --no-deps --locked";
    announce(&format!("RUSTDOCFLAGS='-D warnings' cargo {line}"));
    run_quietly(
        process::cargo()
            .args(line.split(' '))
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// The version stands once, in the workspace's `Cargo.toml`.
fn oldest_rust() -> Result<Outcome, String> {
    let version = env!("CARGO_PKG_RUST_VERSION");
    let Some(toolchain) = toolchain::find(version) else {
        return Ok(Outcome::NotChecked(format!(
            "toolchain {version} is absent"
        )));
    };
    let line = format!(
        "run {toolchain} cargo check --quiet --keep-going --workspace --all-targets --locked"
    );
    announce(&format!("rustup {line}"));
    run_quietly(Command::new("rustup").args(line.split(' ')))
}

fn javascript() -> Result<Outcome, String> {
    let mut passed = true;
    announce("node --check, each file of JavaScript");
    for path in tidy::tracked_paths(&crate::root())?
        .iter()
        .filter(|path| is_javascript(path))
    {
        passed &= process::status(
            Command::new("node")
                .arg("--check")
                .arg(path)
                .stdin(Stdio::null()),
        )?
        .success();
    }
    Ok(passed.into())
}

fn is_javascript(path: &str) -> bool {
    [".js", ".mjs", ".cjs"]
        .iter()
        .any(|ending| path.ends_with(ending))
}

fn tidy_gate() -> Result<Outcome, String> {
    announce("tidy (xtask/src/tidy.rs)");
    let faults = tidy::check_tree(&crate::root())?;
    for fault in &faults {
        println!("{fault}");
    }
    Ok(faults.is_empty().into())
}

fn run_quietly(command: &mut Command) -> Result<Outcome, String> {
    Ok(process::status(command.stdin(Stdio::null()))?
        .success()
        .into())
}

/// A heading above what the gate may say, written so that a person can run it alone.
fn announce(line: &str) {
    println!("$ {line}");
    // What follows is often another program's, which does not wait for our buffer.
    _ = io::stdout().flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_checked_does_not_look_passed() {
        let row = |name, outcome| Row {
            name,
            outcome,
            took: Duration::from_millis(1250),
        };
        let rows = [
            row("format", Outcome::Passed),
            row("docs", Outcome::Failed),
            row(
                "oldest Rust",
                Outcome::NotChecked("toolchain 1.88 is absent".into()),
            ),
        ];
        let expected = "\
format         1.2 s  passed
docs           1.2 s  FAILED
oldest Rust           not checked: toolchain 1.88 is absent";
        assert_eq!(table(&rows), expected);
    }
}
