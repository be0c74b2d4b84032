//! `cargo xtask test-servers`: the unit tests, then the suites against every pinned server, alone and as deployed.
//!
//! All of it runs, whatever fails. The last line of output is the sum of all parts.

use std::process::ExitCode;

use crate::command_line::{Group, Wanted};
use crate::counts::Counts;
use crate::{NOT_DONE, node, packages, process, servers};

/// Where the suites leave their report, and the output of servers that failed.
const REPORT: &str = "target/conformance";

pub(crate) fn run(wanted: &Wanted) -> Result<ExitCode, String> {
    let without_unit_tests = leaves_out_unit_tests(wanted);
    let without_suites = leaves_out_suites(wanted)?;
    let needed = needed(wanted)?;
    node::require_node()?;

    let unit_tests = match without_unit_tests {
        None => Some(unit_tests()?),
        Some(_) => None,
    };
    let suites = match without_suites {
        None => match install(wanted, &needed).and_then(|()| suites(wanted)) {
            Ok(Suites::Counted(counts)) => Some(counts),
            Ok(Suites::Refused) => return Ok(ExitCode::from(NOT_DONE)),
            Err(sentence) => {
                eprintln!("xtask: {sentence}");
                Some(ONE_FAILURE)
            }
        },
        Some(_) => None,
    };

    let mut sum = Counts::default();
    for (part, counts, reason) in [
        ("unit tests", unit_tests, without_unit_tests),
        ("servers", suites, without_suites),
    ] {
        match counts {
            Some(counts) => println!("{part}: {counts}"),
            None => println!("{part}: left out, {}", reason.unwrap_or_default()),
        }
        sum = sum + counts.unwrap_or_default();
    }
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

/// What has to be installed.
fn needed(wanted: &Wanted) -> Result<Vec<String>, String> {
    let mut needed = if wanted.servers.is_empty() {
        servers::names()?
    } else {
        let named = wanted.servers.iter();
        named
            .map(|server| servers::find(server))
            .collect::<Result<_, _>>()?
    };
    if wanted.has(Group::Deployments) {
        let version = |server: &String| node::runs_from(node::NODES, server);
        if needed.iter().any(version) {
            needed.push(node::NODES.to_owned());
        }
    }
    Ok(needed)
}

/// What cannot run on this machine is no failure. The suites skip its cases; here the reason is said once.
fn install(wanted: &Wanted, needed: &[String]) -> Result<(), String> {
    for why in servers::install(needed)? {
        eprintln!("{why}");
    }
    if wanted.has(Group::Deployments)
        && let Err(why) = packages::provide(&packages::DEPLOYMENTS)
    {
        eprintln!("{why}");
    }
    Ok(())
}

fn leaves_out_unit_tests(wanted: &Wanted) -> Option<&'static str> {
    if wanted.no_unit {
        Some("as asked")
    } else if wanted.groups.contains(&Group::Unit) {
        None
    } else if !wanted.groups.is_empty() {
        Some("because they are not among the groups")
    } else if wanted.is_filtered() {
        Some("because the filters name tests against servers")
    } else {
        None
    }
}

fn leaves_out_suites(wanted: &Wanted) -> Result<Option<&'static str>, String> {
    if wanted.has(Group::Servers) || wanted.has(Group::Deployments) {
        return Ok(None);
    }
    if wanted.no_unit || wanted.is_filtered() {
        return Err(
            "the group unit alone has no servers, transports or cases to choose from".into(),
        );
    }
    Ok(Some("because they are not among the groups"))
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
    command
        .args(["run", "--out", REPORT])
        .args(filters(wanted))
        .env("PATH", packages::path());
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
    let groups = wanted.groups.iter().filter(|group| **group != Group::Unit);
    let groups = groups.flat_map(|group| ["--group", group.name()]);
    let others = lists
        .iter()
        .flat_map(|(option, values)| values.iter().flat_map(|value| [*option, value.as_str()]));
    groups.chain(others).collect()
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
        assert_eq!(leaves_out_suites(&Wanted::default()), Ok(None));
        assert_eq!(leaves_out_unit_tests(&Wanted::default()), None);
        assert!(leaves_out_unit_tests(&wanted(&[], &[], true)).is_some());
    }

    fn only(groups: &[Group]) -> Wanted {
        Wanted {
            groups: groups.to_vec(),
            ..Wanted::default()
        }
    }

    #[test]
    fn a_group_leaves_out_the_others() {
        let unit = only(&[Group::Unit]);
        assert_eq!(leaves_out_unit_tests(&unit), None);
        assert!(leaves_out_suites(&unit).unwrap().is_some());
        let deployments = only(&[Group::Deployments]);
        assert!(leaves_out_unit_tests(&deployments).is_some());
        assert_eq!(leaves_out_suites(&deployments), Ok(None));
        assert_eq!(filters(&deployments), ["--group", "deployments"]);
        let both = only(&[Group::Unit, Group::Servers]);
        assert_eq!(leaves_out_unit_tests(&both), None);
        assert_eq!(leaves_out_suites(&both), Ok(None));
        assert_eq!(filters(&both), ["--group", "servers"]);
    }

    #[test]
    fn a_choice_of_nothing_is_refused() {
        let mut wanted = only(&[Group::Unit]);
        wanted.no_unit = true;
        assert!(leaves_out_suites(&wanted).is_err());
        let mut wanted = only(&[Group::Unit]);
        wanted.cases.push("V6".into());
        assert!(leaves_out_suites(&wanted).is_err());
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
