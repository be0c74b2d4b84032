//! What may be asked for, readable as help.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use lexopt::prelude::*;

use crate::servers;

const HELP: &str = "\
cargo xtask <task>

  demo               install a real server, start it, show a client talk to it
      --server S     … this one (default: 2.5.1)
  serve <server>     a server for a client of your own, until Ctrl-C
  test-servers       all tests: unit tests, then the cases on every server
      --group G      … only unit, servers or deployments
      --server S     … only this server; also --case C, such as V6.3, or V6
      --transport T  … only polling, websocket, upgrade, htmlfile, jsonp-polling
      --no-unit      … no unit tests (a filter leaves them out too)
  soak               one connection for long, under faults and restarts
      --minutes N    … for so long (default: 20); also --server S, --transport T
  fuzz               feed every decoder and session with anything (cargo-fuzz)
      --seconds N    … for so long altogether (default: 300); also --target T
  bench              all clients on all servers, side by side: target/bench
      --quick        … in two minutes; also --only WORK, --client C, --repeats N
  ci                 gates: format, tidy, JavaScript, clippy, TLS, docs, MSRV
  help               this list

Choices may be given several times. The cases report in target/conformance.
The servers need Node 18.3 with npm; a task installs what it uses, as root also
proxies and balancers (Debian). What cannot be had is skipped: 0.9.0 to 0.9.17
need Linux on x86-64, python-4.6.1 Python 3.10, socketioxide-0.18 Rust 1.94.
";

const DEMO_SERVER: &str = "2.5.1";
const SOAKING_MINUTES: f64 = 20.0;
const FUZZING_SECONDS: u64 = 300;

/// A task, as asked for.
#[derive(Debug, PartialEq)]
pub(crate) enum Task {
    Help,
    Demo { server: String },
    Serve { server: String },
    TestServers(Wanted),
    Soak(Soaking),
    Fuzz(Fuzzing),
    Bench(Benching),
    Ci,
}

/// A part of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// What needs no server of Node's.
    Unit,
    /// The cases against a server alone.
    Servers,
    /// Those with TLS, proxies and balancers, as servers are deployed.
    Deployments,
}

impl Group {
    const ALL: [Self; 3] = [Self::Unit, Self::Servers, Self::Deployments];

    /// What it is called here, and by the program that runs the cases.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Servers => "servers",
            Self::Deployments => "deployments",
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|group| group.name() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no group {name:?}, only {names}")
        })
    }
}

/// Which tests to run; an empty list is everything.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) groups: Vec<Group>,
    pub(crate) servers: Vec<String>,
    pub(crate) transports: Vec<String>,
    pub(crate) cases: Vec<String>,
    pub(crate) no_unit: bool,
}

impl Wanted {
    /// Whether something is named that only the cases against servers have.
    pub(crate) fn is_filtered(&self) -> bool {
        !(self.servers.is_empty() && self.transports.is_empty() && self.cases.is_empty())
    }

    pub(crate) fn has(&self, group: Group) -> bool {
        self.groups.is_empty() || self.groups.contains(&group)
    }
}

/// What to soak, and for how long; without a transport the one that ends on a WebSocket.
#[derive(Debug, PartialEq)]
pub(crate) struct Soaking {
    pub(crate) minutes: f64,
    pub(crate) server: String,
    pub(crate) transport: Option<String>,
}

/// What to fuzz, and for how long altogether; an empty list is everything.
#[derive(Debug, PartialEq)]
pub(crate) struct Fuzzing {
    pub(crate) seconds: u64,
    pub(crate) targets: Vec<String>,
}

/// What to measure, and how often; an empty list is everything.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Benching {
    pub(crate) quick: bool,
    pub(crate) works: Vec<String>,
    pub(crate) clients: Vec<String>,
    pub(crate) repeats: Option<usize>,
}

/// The names of all tasks, for the check that the documents name no other.
pub(crate) const TASKS: [&str; 8] = [
    "demo",
    "serve",
    "test-servers",
    "soak",
    "fuzz",
    "bench",
    "ci",
    "help",
];

/// Reads the arguments behind `cargo xtask`.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Task, String> {
    parse_task(lexopt::Parser::from_args(arguments))
        .map_err(|error| format!("{error}; `cargo xtask help` lists the tasks and their options"))
}

fn parse_task(mut rest: lexopt::Parser) -> Result<Task, lexopt::Error> {
    let name = match rest.next()? {
        None | Some(Long("help") | Short('h')) => return Ok(Task::Help),
        Some(Value(name)) => name.string()?,
        Some(other) => return Err(other.unexpected()),
    };
    match name.as_str() {
        "demo" => parse_demo(rest),
        "serve" => parse_serve(rest),
        "test-servers" => parse_test_servers(rest),
        "soak" => parse_soak(rest),
        "fuzz" => parse_fuzz(rest),
        "bench" => parse_bench(rest),
        "ci" => parse_bare(rest, Task::Ci),
        "help" => parse_bare(rest, Task::Help),
        _ => Err(format!("there is no task {name:?}").into()),
    }
}

fn parse_demo(mut rest: lexopt::Parser) -> Result<Task, lexopt::Error> {
    let mut server = DEMO_SERVER.to_owned();
    while let Some(argument) = rest.next()? {
        match argument {
            Long("server") => server = rest.value()?.string()?,
            Long("help") | Short('h') => return Ok(Task::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Task::Demo { server })
}

fn parse_serve(mut rest: lexopt::Parser) -> Result<Task, lexopt::Error> {
    let mut server = None;
    while let Some(argument) = rest.next()? {
        match argument {
            Value(name) if server.is_none() => server = Some(name.string()?),
            Long("help") | Short('h') => return Ok(Task::Help),
            other => return Err(other.unexpected()),
        }
    }
    let server = server.ok_or("serve needs the name of a server, such as 2.5.1")?;
    Ok(Task::Serve { server })
}

fn parse_test_servers(mut rest: lexopt::Parser) -> Result<Task, lexopt::Error> {
    let mut wanted = Wanted::default();
    while let Some(argument) = rest.next()? {
        match argument {
            Long("group") => wanted.groups.push(Group::named(&rest.value()?.string()?)?),
            Long("server") => wanted.servers.push(rest.value()?.string()?),
            Long("transport") => wanted.transports.push(rest.value()?.string()?),
            Long("case") => wanted.cases.push(rest.value()?.string()?),
            Long("no-unit") => wanted.no_unit = true,
            Long("help") | Short('h') => return Ok(Task::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Task::TestServers(wanted))
}

fn parse_soak(mut rest: lexopt::Parser) -> Result<Task, lexopt::Error> {
    let mut wanted = Soaking {
        minutes: SOAKING_MINUTES,
        server: DEMO_SERVER.to_owned(),
        transport: None,
    };
    while let Some(argument) = rest.next()? {
        match argument {
            Long("minutes") => wanted.minutes = rest.value()?.parse()?,
            Long("server") => wanted.server = rest.value()?.string()?,
            Long("transport") => wanted.transport = Some(rest.value()?.string()?),
            Long("help") | Short('h') => return Ok(Task::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Task::Soak(wanted))
}

fn parse_fuzz(mut rest: lexopt::Parser) -> Result<Task, lexopt::Error> {
    let mut wanted = Fuzzing {
        seconds: FUZZING_SECONDS,
        targets: Vec::new(),
    };
    while let Some(argument) = rest.next()? {
        match argument {
            Long("seconds") => wanted.seconds = rest.value()?.parse()?,
            Long("target") => wanted.targets.push(rest.value()?.string()?),
            Long("help") | Short('h') => return Ok(Task::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Task::Fuzz(wanted))
}

fn parse_bench(mut rest: lexopt::Parser) -> Result<Task, lexopt::Error> {
    let mut wanted = Benching::default();
    while let Some(argument) = rest.next()? {
        match argument {
            Long("quick") => wanted.quick = true,
            Long("only") => wanted.works.push(rest.value()?.string()?),
            Long("client") => wanted.clients.push(rest.value()?.string()?),
            Long("repeats") => wanted.repeats = Some(rest.value()?.parse()?),
            Long("help") | Short('h') => return Ok(Task::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Task::Bench(wanted))
}

fn parse_bare(mut rest: lexopt::Parser, task: Task) -> Result<Task, lexopt::Error> {
    match rest.next()? {
        None => Ok(task),
        Some(Long("help") | Short('h')) => Ok(Task::Help),
        Some(other) => Err(other.unexpected()),
    }
}

pub(crate) fn print_help() -> Result<ExitCode, String> {
    let servers = servers::names()?.join(", ");
    // Whoever stops reading, as `head` does, has seen enough.
    _ = writeln!(
        io::stdout(),
        "{HELP}Servers: {servers}; 4.8.4-no-eio3 is 4.8.4 without allowEIO3."
    );
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Task, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_or_a_plea_for_help_is_help() {
        for line in [
            "",
            "help",
            "--help",
            "-h",
            "demo --help",
            "serve -h",
            "ci --help",
            "soak -h",
            "fuzz -h",
            "bench --help",
            "test-servers --help",
        ] {
            assert_eq!(read(line), Ok(Task::Help), "{line:?}");
        }
    }

    #[test]
    fn help_fits_a_screen() {
        assert!(HELP.lines().count() < 24);
        assert!(HELP.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn every_task_is_known_and_in_the_help() {
        for name in TASKS {
            assert!(
                HELP.lines().any(|line| line.trim_start().starts_with(name)),
                "{name}"
            );
            let known = read(name).map_or_else(|sentence| !sentence.contains("no task"), |_| true);
            assert!(known, "{name}");
        }
    }

    #[test]
    fn demo_has_a_default_server() {
        assert_eq!(
            read("demo"),
            Ok(Task::Demo {
                server: "2.5.1".into()
            })
        );
        assert_eq!(
            read("demo --server=1.4.5"),
            Ok(Task::Demo {
                server: "1.4.5".into()
            })
        );
    }

    #[test]
    fn serve_takes_one_server() {
        assert_eq!(
            read("serve 1.4.5"),
            Ok(Task::Serve {
                server: "1.4.5".into()
            })
        );
        assert!(
            read("serve")
                .unwrap_err()
                .contains("needs the name of a server")
        );
        assert!(read("serve 1.4.5 2.5.1").unwrap_err().contains("2.5.1"));
    }

    #[test]
    fn filters_add_up() {
        let line =
            "test-servers --server 1.4.5 --case V6 --server=2.5.1 --transport polling --no-unit";
        let wanted = Wanted {
            servers: texts(&["1.4.5", "2.5.1"]),
            transports: texts(&["polling"]),
            cases: texts(&["V6"]),
            no_unit: true,
            ..Wanted::default()
        };
        assert!(wanted.is_filtered());
        assert_eq!(read(line), Ok(Task::TestServers(wanted)));
    }

    #[test]
    fn groups_add_up_and_are_all_without_one() {
        let groups = |line| match read(line) {
            Ok(Task::TestServers(wanted)) => Group::ALL.map(|group| wanted.has(group)),
            other => panic!("{line:?}: {other:?}"),
        };
        assert_eq!(groups("test-servers"), [true; 3]);
        assert_eq!(
            groups("test-servers --group deployments --group=unit"),
            [true, false, true]
        );
        assert_eq!(groups("test-servers --group servers"), [false, true, false]);
    }

    #[test]
    fn leaving_out_the_unit_tests_is_no_filter() {
        let Ok(Task::TestServers(wanted)) = read("test-servers --no-unit") else {
            panic!("not read as test-servers");
        };
        assert!(!wanted.is_filtered());
    }

    #[test]
    fn soaking_has_defaults() {
        let wanted = Soaking {
            minutes: SOAKING_MINUTES,
            server: DEMO_SERVER.into(),
            transport: None,
        };
        assert_eq!(read("soak"), Ok(Task::Soak(wanted)));
        let wanted = Soaking {
            minutes: 0.5,
            server: "0.9.19".into(),
            transport: Some("polling".into()),
        };
        assert_eq!(
            read("soak --minutes 0.5 --server=0.9.19 --transport polling"),
            Ok(Task::Soak(wanted))
        );
    }

    #[test]
    fn fuzzing_has_a_default_time() {
        let read_fuzz = |line| match read(line) {
            Ok(Task::Fuzz(wanted)) => (wanted.seconds, wanted.targets),
            other => panic!("{line:?}: {other:?}"),
        };
        assert_eq!(read_fuzz("fuzz"), (FUZZING_SECONDS, Vec::new()));
        assert_eq!(
            read_fuzz("fuzz --seconds 20 --target a --target=b"),
            (20, texts(&["a", "b"]))
        );
    }

    #[test]
    fn benching_takes_choices_and_is_all_without_one() {
        assert_eq!(read("bench"), Ok(Task::Bench(Benching::default())));
        let wanted = Benching {
            quick: true,
            works: texts(&["ack", "flood"]),
            clients: texts(&["sio-v1"]),
            repeats: Some(3),
        };
        assert_eq!(
            read("bench --quick --only ack --only=flood --client sio-v1 --repeats 3"),
            Ok(Task::Bench(wanted))
        );
    }

    #[test]
    fn what_is_wrong_is_named_in_one_line() {
        let wrong = [
            ("tset", "tset"),
            ("--fast", "--fast"),
            ("demo 2.5.1", "2.5.1"),
            ("demo --server", "--server"),
            ("test-servers --serve 1.4.5", "--serve"),
            ("test-servers --group V6", "unit, servers, deployments"),
            ("ci now", "now"),
            ("soak --minutes soon", "soon"),
            ("fuzz --seconds soon", "soon"),
            ("fuzz v1_packet", "v1_packet"),
            ("bench ack", "ack"),
            ("bench --repeats often", "often"),
            ("help demo", "demo"),
        ];
        for (line, culprit) in wrong {
            let sentence = read(line).unwrap_err();
            assert!(sentence.contains(culprit), "{line:?}: {sentence}");
            assert!(
                sentence.contains("cargo xtask help"),
                "{line:?}: {sentence}"
            );
            assert_eq!(sentence.lines().count(), 1, "{line:?}: {sentence}");
        }
    }
}
