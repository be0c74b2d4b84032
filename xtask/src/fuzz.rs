//! `cargo xtask fuzz`: each target of `tests/fuzz` in turn, for its share of the time, with cargo-fuzz.
//!
//! On a nightly toolchain, where there is one, memory errors in dependencies are looked for, too. The corpus grows in
//! `tests/fuzz/corpus`, from seeds that are written anew each time; what made a target fail lies in `tests/fuzz/artifacts`.

use std::collections::VecDeque;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use crate::command_line::Fuzzing;
use crate::{process, toolchain};

const PACKAGE: &str = "tests/fuzz";

/// Where cargo-fuzz is installed if the machine has none.
const TOOL: &str = "target/cargo-fuzz";

/// What is built is built with other flags than everything else.
const BUILD: &str = "target/fuzz";

/// An input that takes longer than this, in seconds, is taken for an endless one.
const LONGEST_RUN: u32 = 10;

/// One allocation of more than this, in MB, is far beyond what an input of a few kB is worth. Only nightly finds out.
const LARGEST_ALLOCATION: u32 = 4;

/// What a target may take altogether, in MB: several times what the fuzzer itself takes.
const MOST_MEMORY: u32 = 512;

/// Freed memory is kept for so long, in MB, to see whether it is used. With the 256 of the default the peak would be nothing
/// but that.
const QUARANTINE: &str = "quarantine_size_mb=8";

/// Of what a failing target says, the end.
const SHOWN_LINES: usize = 60;

pub(crate) fn run(wanted: &Fuzzing) -> Result<ExitCode, String> {
    let targets = choose(targets()?, &wanted.targets)?;
    let fuzzer = Fuzzer::find()?;
    eprintln!(
        "building the fuzzer ({}; the first time takes minutes)",
        fuzzer.describe()
    );
    if wanted.targets.is_empty() {
        succeed(&mut fuzzer.command("build"), "cargo fuzz build")?;
    }
    for target in &wanted.targets {
        succeed(fuzzer.command("build").arg(target), "cargo fuzz build")?;
    }
    succeed(&mut write_seeds(), "writing the seeds")?;

    let share = (wanted.seconds / targets.len() as u64).max(1);
    println!("{}", Report::HEADING);
    let mut failed = false;
    for target in &targets {
        failed |= !fuzz(&fuzzer, target, share)?;
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Runs one target; returns whether nothing was found.
fn fuzz(fuzzer: &Fuzzer, target: &str, seconds: u64) -> Result<bool, String> {
    let mut command = fuzzer.command("run");
    command.arg(target).arg("--").args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={LONGEST_RUN}"),
        format!("-malloc_limit_mb={LARGEST_ALLOCATION}"),
        format!("-rss_limit_mb={MOST_MEMORY}"),
        "-print_final_stats=1".to_owned(),
    ]);
    let mut report = Report::default();
    let mut tail = VecDeque::new();
    let status = process::read_error_lines(&mut command, |line| {
        report.read(line);
        if tail.len() == SHOWN_LINES {
            tail.pop_front();
        }
        tail.push_back(line.to_owned());
    })?;
    println!("{}", report.line(target, status.success()));
    if !status.success() {
        for line in tail {
            eprintln!("{line}");
        }
        if let Some(input) = &report.input {
            println!("found: {input}\nagain: {}", fuzzer.again(target, input));
            println!(
                "to keep it: move it into {PACKAGE}/found/{target}, where `cargo test` plays it and shows what happens"
            );
        }
    }
    Ok(status.success())
}

/// The program of `sio-checks`.
fn write_seeds() -> Command {
    let mut command = process::cargo();
    command.args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "sio-checks",
        "--",
    ]);
    command.arg(format!("{PACKAGE}/corpus"));
    command
}

fn succeed(command: &mut Command, what: &str) -> Result<(), String> {
    match process::status(command.stdin(Stdio::null()))? {
        status if status.success() => Ok(()),
        status => Err(format!("{what} ended with {status}")),
    }
}

// --- targets ------------------------------------------------------------------------------------------------------

/// The names of all targets: each is a file.
fn targets() -> Result<Vec<String>, String> {
    let folder = format!("{PACKAGE}/fuzz_targets");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("cannot list {folder}: {error}"))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|error| format!("cannot list {folder}: {error}"))?
            .path();
        names.extend(
            path.file_stem()
                .and_then(|name| name.to_str())
                .map(str::to_owned),
        );
    }
    names.sort();
    Ok(names)
}

fn choose(all: Vec<String>, wanted: &[String]) -> Result<Vec<String>, String> {
    if let Some(unknown) = wanted.iter().find(|name| !all.contains(name)) {
        return Err(format!(
            "there is no target {unknown:?}, only {}",
            all.join(", ")
        ));
    }
    let is_wanted = |name: &String| wanted.is_empty() || wanted.contains(name);
    Ok(all.into_iter().filter(is_wanted).collect())
}

// --- cargo-fuzz ---------------------------------------------------------------------------------------------------

/// How cargo-fuzz is called on this machine.
struct Fuzzer {
    nightly: Option<String>,
    /// With our own cargo-fuzz on it.
    path: Option<OsString>,
}

impl Fuzzer {
    /// Installs cargo-fuzz if there is none.
    fn find() -> Result<Self, String> {
        let nightly = toolchain::find("nightly");
        let bin = PathBuf::from(TOOL).join("bin");
        if !bin.exists() && is_installed() {
            return Ok(Self {
                nightly,
                path: None,
            });
        }
        if !bin.exists() {
            eprintln!("installing cargo-fuzz into {TOOL}, since this machine has none");
            let install = [
                "install",
                "cargo-fuzz",
                "--locked",
                "--quiet",
                "--root",
                TOOL,
            ];
            succeed(process::cargo().args(install), "cargo install cargo-fuzz")?;
        }
        let bin = fs::canonicalize(&bin).map_err(|error| format!("cannot find {TOOL}: {error}"))?;
        let others = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([bin].into_iter().chain(env::split_paths(&others)));
        let path = path.map_err(|error| format!("cannot put {TOOL} on the PATH: {error}"))?;
        Ok(Self {
            nightly,
            path: Some(path),
        })
    }

    fn describe(&self) -> String {
        match &self.nightly {
            Some(nightly) => format!("with {nightly}, which also looks for memory errors"),
            None => "without a nightly toolchain, so not looking for memory errors".to_owned(),
        }
    }

    /// `cargo fuzz build` or `run`, to be followed by a target.
    fn command(&self, what: &str) -> Command {
        let mut command = process::cargo();
        command.args(["fuzz", what, "--fuzz-dir", PACKAGE]);
        if env::var_os("CARGO_TARGET_DIR").is_none() {
            command.args(["--target-dir", BUILD]);
        }
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        match &self.nightly {
            // cargo-fuzz asks rustup for it.
            Some(nightly) => command
                .env("RUSTUP_TOOLCHAIN", nightly)
                .env("ASAN_OPTIONS", QUARANTINE),
            None => command.args(["--sanitizer", "none"]),
        };
        command
    }

    /// What a person types to see a failure again: that needs neither the time nor the corpus.
    fn again(&self, target: &str, input: &str) -> String {
        let (channel, sanitizer) = match &self.nightly {
            Some(_) => ("+nightly ", ""),
            None => ("", " --sanitizer none"),
        };
        format!("cargo {channel}fuzz run --fuzz-dir {PACKAGE}{sanitizer} {target} {input}")
    }
}

fn is_installed() -> bool {
    let mut version = process::cargo();
    version.args(["fuzz", "--version"]);
    version.output().is_ok_and(|output| output.status.success())
}

// --- what libFuzzer says ------------------------------------------------------------------------------------------

/// What is known of a run, in libFuzzer's own numbers.
#[derive(Debug, Default, PartialEq)]
struct Report {
    runs: u64,
    runs_per_second: u64,
    /// Places in the code that were reached.
    coverage: u64,
    /// Inputs worth keeping.
    corpus: u64,
    peak_mb: u64,
    /// What made the target fail.
    input: Option<String>,
}

impl Report {
    const HEADING: &str = "target                    runs  runs/s  covered  corpus  peak memory";

    fn read(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            let field = match word {
                "stat::number_of_executed_units:" => &mut self.runs,
                "stat::average_exec_per_sec:" => &mut self.runs_per_second,
                "stat::peak_rss_mb:" => &mut self.peak_mb,
                "cov:" => &mut self.coverage,
                "corp:" => &mut self.corpus,
                _ => continue,
            };
            // The corpus is inputs/size.
            let number = words.next().and_then(|word| word.split('/').next());
            *field = number
                .and_then(|number| number.parse().ok())
                .unwrap_or(*field);
        }
        if let Some((_, path)) = line.split_once("Test unit written to ") {
            self.input = Some(relative(path));
        }
    }

    fn line(&self, target: &str, passed: bool) -> String {
        let Self {
            runs,
            runs_per_second,
            coverage,
            corpus,
            peak_mb,
            ..
        } = self;
        let verdict = if passed { "nothing found" } else { "FAILED" };
        format!(
            "{target:<18} {runs:>11} {runs_per_second:>7} {coverage:>8} {corpus:>7} {peak_mb:>9} MB  {verdict}"
        )
    }
}

/// cargo-fuzz names its folders by their whole path.
fn relative(path: &str) -> String {
    let root = env::current_dir().unwrap_or_default();
    let shorter = PathBuf::from(path);
    let shorter = shorter.strip_prefix(root).unwrap_or(&shorter);
    shorter.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_libfuzzer() {
        let mut report = Report::default();
        for line in [
            "#2\tINITED cov: 17 ft: 18 corp: 1/1b exec/s: 0 rss: 53Mb",
            "#472199\tDONE   cov: 2911 ft: 8705 corp: 1829/80Kb lim: 247 exec/s: 22485 rss: 520Mb",
            "stat::number_of_executed_units: 472199",
            "stat::average_exec_per_sec:     22485",
            "stat::new_units_added:          4431",
            "stat::peak_rss_mb:              520",
        ] {
            report.read(line);
        }
        let expected = Report {
            runs: 472_199,
            runs_per_second: 22_485,
            coverage: 2911,
            corpus: 1829,
            peak_mb: 520,
            input: None,
        };
        assert_eq!(report, expected);
        let line = report.line("legacy_event", true);
        assert!(
            line.ends_with("472199   22485     2911    1829       520 MB  nothing found"),
            "{line}"
        );
        assert_eq!(line.find("472199").map(|at| at + 6), Some(30));
        assert_eq!(Report::HEADING.find("runs").map(|at| at + 4), Some(30));
    }

    #[test]
    fn what_made_it_fail_is_named_from_the_root_on() {
        let root = env::current_dir().unwrap();
        let mut report = Report::default();
        let said = "artifact_prefix='a/'; Test unit written to ";
        report.read(&format!("{said}{}", root.join("a/crash-1").display()));
        assert_eq!(report.input.as_deref(), Some("a/crash-1"));
        assert!(report.line("x", false).ends_with("FAILED"));
    }

    #[test]
    fn targets_are_all_or_those_asked_for() {
        let all = || vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(choose(all(), &[]), Ok(all()));
        assert_eq!(choose(all(), &["b".to_owned()]), Ok(vec!["b".to_owned()]));
        let sentence = choose(all(), &["c".to_owned()]).unwrap_err();
        assert_eq!(sentence, "there is no target \"c\", only a, b");
    }
}
