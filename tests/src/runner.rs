//! Runs cases on servers, and judges what came of it.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::case::{AnyCase, Mode, Outcome, is_meant};
use crate::expected::{Expect, Expected, Row};
use crate::group::Group;
use crate::protocol::family_of;
use crate::server::{SERVERS, Server, StartError};
use crate::suites;

/// How long a case may take before it counts as failed.
const LIMIT: Duration = Duration::from_secs(20);
/// Cases that run while no other does, and their limits: they move so much that others would wait behind them, or they look
/// at the threads of the whole process.
const ALONE: [(&str, Duration); 4] = [
    ("V4.4", Duration::from_secs(90)),
    ("C8.5", Duration::from_secs(120)),
    ("C3.4", LIMIT),
    ("C3.8", LIMIT),
];
/// How many cases run at a time; each has a tag of its own, so they do not meet.
const AT_A_TIME: usize = 4;

/// Which cases to run. Empty lists mean all.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Groups.
    pub groups: Vec<Group>,
    /// Names of servers.
    pub servers: Vec<String>,
    /// Modes.
    pub modes: Vec<Mode>,
    /// Numbers of cases (`V6.1`), or all with the same beginning (`V6`).
    pub cases: Vec<String>,
}

impl Plan {
    /// Whether the plan has a server.
    #[must_use]
    pub fn has_server(&self, server: &str) -> bool {
        self.servers.is_empty() || self.servers.iter().any(|name| name == server)
    }

    /// Whether the plan has the table of [`mismatch`](crate::mismatch), which is about many servers and both clients at once:
    /// only without filters.
    #[must_use]
    pub fn has_mismatch(&self) -> bool {
        let is_filtered =
            !self.servers.is_empty() || !self.modes.is_empty() || !self.cases.is_empty();
        let in_groups = self.groups.is_empty() || self.groups.contains(&Group::Servers);
        in_groups && !is_filtered
    }

    fn has_case(&self, case: &AnyCase) -> bool {
        let in_groups = self.groups.is_empty() || self.groups.contains(&Group::of(case.id));
        let is_named =
            self.cases.is_empty() || self.cases.iter().any(|name| is_meant(name, case.id));
        in_groups && is_named
    }

    fn has_mode(&self, mode: Mode) -> bool {
        self.modes.is_empty() || self.modes.contains(&mode)
    }

    /// The cases of the plan on a server, each with one mode, in order.
    #[must_use]
    pub fn cells(&self, server: &str) -> Vec<(AnyCase, Mode)> {
        let cases = suites::for_server(server);
        let modes = family_of(server)
            .modes
            .iter()
            .copied()
            .filter(|mode| self.has_mode(*mode));
        let mut cells = Vec::new();
        for mode in modes {
            let fits = |case: &&AnyCase| self.has_case(case) && case.modes.contains(&mode);
            cells.extend(cases.iter().filter(fits).map(|case| (case.clone(), mode)));
        }
        cells
    }
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Passed,
    /// Not as expected: why.
    Failed(String),
    /// Not run: why.
    Skipped(String),
}

/// What came of a case on a server in a mode.
#[derive(Debug, Clone)]
pub struct CaseResult {
    /// The server.
    pub server: String,
    /// The mode.
    pub mode: Mode,
    /// The number of the case.
    pub id: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// A server with its results.
#[derive(Debug)]
pub struct ServerRun {
    /// The server.
    pub server: String,
    /// What it wrote to standard error.
    pub output: String,
    /// The results, in the order of the plan.
    pub results: Vec<CaseResult>,
    /// Why the server does not run on this machine, if it does not; then all its cases are skipped.
    pub not_here: Option<String>,
    /// How long all of it took.
    pub took: Duration,
}

/// Runs the plan, one server after the other; `done` sees each server as soon as it is through.
///
/// # Errors
/// If a server does not start though it could run on this machine.
pub fn run(
    plan: &Plan,
    expected: &Expected,
    mut done: impl FnMut(&ServerRun),
) -> Result<Vec<ServerRun>, StartError> {
    let mut runs = Vec::new();
    for server in SERVERS.into_iter().filter(|server| plan.has_server(server)) {
        let cells = plan.cells(server);
        if cells.is_empty() {
            continue;
        }
        let run = run_server(server, cells, expected)?;
        done(&run);
        runs.push(run);
    }
    Ok(runs)
}

fn run_server(
    name: &str,
    cells: Vec<(AnyCase, Mode)>,
    expected: &Expected,
) -> Result<ServerRun, StartError> {
    let begin = Instant::now();
    let server = match Server::start(name) {
        Ok(server) => Arc::new(server),
        Err(error) if error.is_not_here() => return Ok(skipped(name, &cells, &error)),
        Err(error) => return Err(error),
    };
    let jobs: Vec<Job> = (0..)
        .zip(cells)
        .map(|(number, (case, mode))| Job { number, case, mode })
        .collect();
    let (alone, others): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(Job::is_alone);
    let mut results = run_jobs(others, AT_A_TIME, &server, expected);
    results.extend(run_jobs(alone, 1, &server, expected));
    results.sort_by_key(|(number, _)| *number);
    server.stop();
    Ok(ServerRun {
        server: name.to_owned(),
        output: server.output(),
        results: results.into_iter().map(|(_, result)| result).collect(),
        not_here: None,
        took: begin.elapsed(),
    })
}

/// The run of a server that this machine cannot have.
fn skipped(server: &str, cells: &[(AnyCase, Mode)], error: &StartError) -> ServerRun {
    let why = error.to_string();
    let result = |(case, mode): &(AnyCase, Mode)| CaseResult {
        server: server.to_owned(),
        mode: *mode,
        id: case.id,
        title: case.title,
        verdict: Verdict::Skipped(why.clone()),
        took: Duration::ZERO,
    };
    ServerRun {
        server: server.to_owned(),
        output: String::new(),
        results: cells.iter().map(result).collect(),
        not_here: Some(why.clone()),
        took: Duration::ZERO,
    }
}

/// A case to run, and its place in the plan.
#[derive(Debug, Clone)]
struct Job {
    number: usize,
    case: AnyCase,
    mode: Mode,
}

impl Job {
    fn is_alone(&self) -> bool {
        ALONE.iter().any(|(id, _)| *id == self.case.id)
    }

    fn limit(&self) -> Duration {
        let alone = ALONE.iter().find(|(id, _)| *id == self.case.id);
        alone.map_or(LIMIT, |(_, limit)| *limit)
    }

    fn run(&self, server: &Arc<Server>, expected: &Expected) -> CaseResult {
        let begin = Instant::now();
        let row = expected.row(self.case.id, server.name(), self.mode);
        let verdict = match row {
            Some(row) if row.expect == Expect::Skip => Verdict::Skipped(row.reason.clone()),
            row => judge(self.outcome(server), row),
        };
        CaseResult {
            server: server.name().to_owned(),
            mode: self.mode,
            id: self.case.id,
            title: self.case.title,
            verdict,
            took: begin.elapsed(),
        }
    }

    /// Runs the case on a thread of its own. One that overruns is left behind; its server ends soon.
    fn outcome(&self, server: &Arc<Server>) -> Outcome {
        let tag = format!("{}-{}-{}", self.case.id, self.mode, self.number);
        let (sender, receiver) = mpsc::channel();
        let (case, mode) = (self.case.clone(), self.mode);
        let (of_case, tag_of_case) = (Arc::clone(server), tag.clone());
        let started = thread::Builder::new()
            .name(self.case.id.to_owned())
            .spawn(move || {
                let outcome =
                    catch_unwind(AssertUnwindSafe(|| case.run(&of_case, mode, &tag_of_case)));
                // After an overrun nobody listens any more.
                drop(sender.send(outcome.unwrap_or_else(|panic| Err(panic_text(&*panic).into()))));
            });
        started?;
        let limit = self.limit();
        receiver.recv_timeout(limit).unwrap_or_else(|_| {
            let seen = last_seen(server, &tag);
            Err(format!("the case was not done within {limit:?}; {seen}").into())
        })
    }
}

/// What the server and a client last said to each other, for cases that do not come to an end.
fn last_seen(server: &Server, tag: &str) -> String {
    const SHOWN: usize = 8;
    let packets = match server.control().tagged(tag).packets() {
        Ok(packets) => packets,
        Err(failure) => return format!("what the server saw is not known: {failure}"),
    };
    let last = &packets[packets.len().saturating_sub(SHOWN)..];
    let shown = last.iter().map(|packet| {
        let text: String = packet.text().chars().take(60).collect();
        format!(
            "{} {} {text:?} over {}",
            packet.direction, packet.kind, packet.transport
        )
    });
    format!(
        "the server's last packets: {}",
        shown.collect::<Vec<_>>().join(", ")
    )
}

fn judge(outcome: Outcome, row: Option<&Row>) -> Verdict {
    match (outcome, row) {
        (Ok(()), None) => Verdict::Passed,
        (Ok(()), Some(row)) => Verdict::Failed(format!(
            "it passed, but tests/expected.json expects it to fail ({}): remove the row",
            row.reason
        )),
        (Err(failure), _) if failure.is_not_here() => Verdict::Skipped(failure.to_string()),
        (Err(failure), None) => Verdict::Failed(failure.to_string()),
        // Expected to fail, and did: shown like a skipped one, with the reason.
        (Err(_), Some(row)) => Verdict::Skipped(format!("fails as expected: {}", row.reason)),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the case panicked: {}", text.unwrap_or("without a text"))
}

fn run_jobs(
    jobs: Vec<Job>,
    at_a_time: usize,
    server: &Arc<Server>,
    expected: &Expected,
) -> Vec<(usize, CaseResult)> {
    let queue = Mutex::new(VecDeque::from(jobs));
    let results = Mutex::new(Vec::new());
    let next = || lock(&queue).pop_front();
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                while let Some(job) = next() {
                    let result = job.run(server, expected);
                    lock(&results).push((job.number, result));
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Failure;

    fn row() -> Row {
        let text = r#"{"cases":["V1.1"],"servers":["*"],"modes":["*"],"expect":"fail","reason":"it cannot"}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn unexpected_pass_is_a_failure() {
        let verdict = judge(Ok(()), Some(&row()));
        assert!(
            matches!(verdict, Verdict::Failed(text) if text.contains("expects it to fail (it cannot)"))
        );
    }

    #[test]
    fn failure_is_a_failure_unless_expected() {
        assert_eq!(
            judge(Err("no".into()), None),
            Verdict::Failed("no".to_owned())
        );
        assert!(matches!(
            judge(Err("no".into()), Some(&row())),
            Verdict::Skipped(_)
        ));
    }

    #[test]
    fn what_the_machine_lacks_is_no_failure() {
        let verdict = judge(Err(Failure::not_here("no IPv6")), None);
        assert_eq!(verdict, Verdict::Skipped("no IPv6".to_owned()));
    }

    #[test]
    fn plan_takes_cases_by_number_and_by_group() {
        let plan = Plan {
            cases: vec!["V1".into(), "V2.2".into()],
            modes: vec![Mode::Upgrade],
            ..Plan::default()
        };
        let ids: Vec<&str> = plan
            .cells("2.5.1")
            .iter()
            .map(|(case, _)| case.id)
            .collect();
        assert!(ids.contains(&"V1.1") && ids.contains(&"V2.2"), "{ids:?}");
        assert!(!ids.contains(&"V2.1"), "{ids:?}");
    }

    #[test]
    fn plan_takes_groups() {
        let ids = |groups: &[Group]| -> Vec<&str> {
            let plan = Plan {
                groups: groups.to_vec(),
                ..Plan::default()
            };
            let cells = plan.cells("2.5.1");
            cells.iter().map(|(case, _)| case.id).collect()
        };
        let deployments = ids(&[Group::Deployments]);
        assert!(deployments.contains(&"C5.1") && !deployments.contains(&"C1.1"));
        let servers = ids(&[Group::Servers]);
        assert!(servers.contains(&"C1.1") && !servers.contains(&"C5.1"));
        let all = ids(&[]);
        assert_eq!(all.len(), deployments.len() + servers.len());
        assert_eq!(ids(&Group::ALL), all);
    }
}
