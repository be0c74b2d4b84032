//! `cargo xtask test-servers`: the unit tests, then the suites against every pinned server.
//!
//! All of it runs, whatever fails. The last line of output is the sum of both parts.

use std::process::ExitCode;

use crate::command_line::Wanted;
use crate::counts::Counts;
use crate::{NOT_DONE, node, process};

/// Where the suites leave their report, and the output of servers that failed.
const REPORT: &str = "target/conformance";

pub(crate) fn run(wanted: &Wanted) -> Result<ExitCode, String> {
    let folders = folders(&wanted.servers)?;
    node::require_node()?;

    let reason = leaves_out_unit_tests(wanted);
    let unit_tests = if reason.is_none() {
        unit_tests()?
    } else {
        Counts::default()
    };

    let suites = match install(&folders).and_then(|()| suites(wanted)) {
        Ok(Suites::Counted(counts)) => counts,
        Ok(Suites::Refused) => return Ok(ExitCode::from(NOT_DONE)),
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ONE_FAILURE
        }
    };

    match reason {
        Some(reason) => println!("unit tests: left out, {reason}"),
        None => println!("unit tests: {unit_tests}\nservers: {suites}"),
    }
    let sum = unit_tests + suites;
    println!("{sum}");
    Ok(if sum.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// For a part that broke down: it must not count as nothing.
const ONE_FAILURE: Counts = Counts {
    passed: 0,
    failed: 1,
    skipped: 0,
};

fn folders(servers: &[String]) -> Result<Vec<String>, String> {
    if servers.is_empty() {
        return node::server_folders();
    }
    servers
        .iter()
        .map(|server| node::folder_of(server))
        .collect()
}

/// A server that does not run on this machine is no failure. The suites skip its cases; here the reason is said once.
fn install(folders: &[String]) -> Result<(), String> {
    for why in node::install(folders)? {
        eprintln!("{why}");
    }
    Ok(())
}

fn leaves_out_unit_tests(wanted: &Wanted) -> Option<&'static str> {
    if wanted.no_unit {
        Some("as asked")
    } else if wanted.is_filtered() {
        Some("because the filters name tests against servers")
    } else {
        None
    }
}

fn unit_tests() -> Result<Counts, String> {
    let mut counts = Counts::default();
    let mut noise = Noise::default();
    let mut command = process::cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    let status = process::read_lines(&mut command, |line| {
        counts = counts + Counts::from_cargo_test(line).unwrap_or_default();
        if !noise.hides(line) {
            println!("{line}");
        }
    })?;
    if !status.success() && counts.failed == 0 {
        eprintln!(
            "xtask: cargo test ended with {status} though no test failed: a test does not compile, or was killed"
        );
        counts = counts + ONE_FAILURE;
    }
    Ok(counts)
}

/// Hides the line of each test that passed: a thousand of them bury the one that did not.
#[derive(Default)]
struct Noise {
    /// Between `failures:` and the result line stands what failed tests said; all of it is shown.
    in_failures: bool,
}

impl Noise {
    fn hides(&mut self, line: &str) -> bool {
        if line == "failures:" {
            self.in_failures = true;
        } else if line.starts_with("test result: ") {
            self.in_failures = false;
        }
        let passed = line.starts_with("test ") && line.ends_with(" ... ok");
        let heading =
            line.starts_with("running ") && (line.ends_with(" tests") || line.ends_with(" test"));
        !self.in_failures && (line.is_empty() || passed || heading)
    }
}

enum Suites {
    Counted(Counts),
    /// A filter that makes no sense to them, as they have said.
    Refused,
}

/// Shows what the suites say, but for their last line, which goes into the sum.
fn suites(wanted: &Wanted) -> Result<Suites, String> {
    process::announce_build();
    let mut command = process::conformance();
    command.args(["run", "--out", REPORT]).args(filters(wanted));
    let mut counts = None;
    let status = process::read_lines(&mut command, |line| match Counts::from_suites(line) {
        Some(found) => counts = Some(found),
        None => println!("{line}"),
    })?;
    let Some(mut counts) = counts else {
        if wanted.is_filtered() && status.code() == Some(NOT_DONE.into()) {
            return Ok(Suites::Refused);
        }
        return Err(format!("the suites did not come to an end ({status})"));
    };
    if !status.success() && counts.failed == 0 {
        eprintln!("xtask: the suites ended with {status} though no case failed");
        counts = counts + ONE_FAILURE;
    }
    Ok(Suites::Counted(counts))
}

fn filters(wanted: &Wanted) -> Vec<&str> {
    let lists = [
        ("--server", &wanted.servers),
        ("--transport", &wanted.transports),
        ("--case", &wanted.cases),
    ];
    lists
        .iter()
        .flat_map(|(option, values)| values.iter().flat_map(|value| [*option, value.as_str()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(servers: &[&str], cases: &[&str], no_unit: bool) -> Wanted {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Wanted {
            servers: texts(servers),
            cases: texts(cases),
            no_unit,
            ..Wanted::default()
        }
    }

    #[test]
    fn filters_are_handed_on_and_leave_out_the_unit_tests() {
        let wanted = wanted(&["1.4.5", "2.5.1"], &["V6"], false);
        assert_eq!(
            filters(&wanted),
            ["--server", "1.4.5", "--server", "2.5.1", "--case", "V6"]
        );
        assert!(leaves_out_unit_tests(&wanted).is_some());
    }

    #[test]
    fn without_filters_everything_runs() {
        assert_eq!(filters(&Wanted::default()), [""; 0]);
        assert_eq!(leaves_out_unit_tests(&Wanted::default()), None);
        assert!(leaves_out_unit_tests(&wanted(&[], &[], true)).is_some());
    }

    #[test]
    fn what_failed_is_shown_whole_and_what_passed_is_not() {
        let output = "
running 2 tests
test quiet ... ok
test loud ... FAILED

failures:

---- loud stdout ----
running 2 tests

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

";
        let mut noise = Noise::default();
        let shown: Vec<_> = output.lines().filter(|line| !noise.hides(line)).collect();
        let expected = [
            "test loud ... FAILED",
            "failures:",
            "",
            "---- loud stdout ----",
            "running 2 tests",
            "",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ];
        assert_eq!(shown, expected);
    }
}
