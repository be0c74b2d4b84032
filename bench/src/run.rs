//! Runs all clients on all servers, side by side, and writes down what came of it.
//!
//! In each row the clients take turns (A B C, A B C, …): what the machine does besides meets all of them. How often a
//! client does a work follows from how fast it was at a first try, so that fast and slow ones run for about as long.

pub mod clients;
pub mod cores;
pub mod goals;
pub mod report;
pub mod results;
pub mod servers;
pub mod statistics;

pub(crate) mod child;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sio_servers::making::SOCKETIOXIDE;

use crate::work::{CANNOT, Line, Work};
use clients::{Contender, Role};
use cores::Cores;
use results::{Measured, Missing, Results, RowResult};
use servers::{FAST, REAL, Running};

/// How long one run of a client may take.
const RUN_LIMIT: Duration = Duration::from_secs(60);
/// How much of a complaint is repeated.
const COMPLAINT: usize = 200;
/// Real servers take no message of more than a megabyte, or a tenth of that.
const SMALL_BUFFER: usize = 64 << 10;
/// This server keeps no more than 20,000 packets for a client; what comes above that is lost.
const OXIDE_BURST: usize = 15_000;

/// Idle connections in a quick look.
const QUICK_IDLE: usize = 100;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In less than two minutes.
    pub quick: bool,
    /// Only these works, unless there are none.
    pub works: Vec<Work>,
    /// Only clients whose name has one of these in it, and the limit, unless there are none.
    pub clients: Vec<String>,
    /// How often.
    pub repeats: Option<usize>,
    /// Where the workspace is.
    pub root: PathBuf,
    /// This program.
    pub program: PathBuf,
}

impl Plan {
    fn repeats(&self) -> usize {
        self.repeats.unwrap_or(if self.quick { 3 } else { 5 })
    }

    /// The largest count.
    fn most(&self, row: Row) -> usize {
        match row.work {
            Work::Idle if self.quick => QUICK_IDLE,
            _ => row.most(),
        }
    }

    /// How long one run should take.
    const fn run_seconds(&self) -> f64 {
        if self.quick { 0.12 } else { 1.0 }
    }

    fn has(&self, contender: &Contender) -> bool {
        let name = contender.name.to_lowercase();
        let mut wanted = self.clients.iter();
        contender.role == Role::Limit
            || self.clients.is_empty()
            || wanted.any(|wanted| name.contains(&wanted.to_lowercase()))
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = vec![Row::new(Some(FAST), Work::Ack, Cores::One)];
        let on_any = |server| {
            Work::ALL
                .into_iter()
                .filter(|work| *work != Work::Codec)
                .map(move |work| Row::new(Some(server), work, Cores::Any))
        };
        rows.extend(on_any(FAST));
        rows.push(Row::new(None, Work::Codec, Cores::Any));
        for server in REAL {
            rows.push(Row::new(Some(server), Work::Ack, Cores::One));
            if !self.quick {
                // What a connection costs the client is the same everywhere.
                rows.extend(on_any(server).filter(|row| row.work != Work::Idle));
            }
        }
        rows.retain(|row| self.works.is_empty() || self.works.contains(&row.work));
        rows
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    server: Option<&'static str>,
    work: Work,
    cores: Cores,
}

impl Row {
    const fn new(server: Option<&'static str>, work: Work, cores: Cores) -> Self {
        Self {
            server,
            work,
            cores,
        }
    }

    fn extra(self) -> usize {
        match (self.server, self.work) {
            (Some(FAST) | None, work) => work.extra(),
            (_, Work::Buffers) => SMALL_BUFFER,
            (_, work) => work.extra(),
        }
    }

    /// The largest count.
    fn most(self) -> usize {
        match (self.server, self.work) {
            (Some(SOCKETIOXIDE), Work::Flood) => OXIDE_BURST,
            (_, Work::Ack) => 20_000,
            (_, Work::Window | Work::Codec) => 100_000,
            (_, Work::Flood) => 200_000,
            (_, Work::Buffers) => 300,
            (_, Work::Polling) => 5_000,
            (_, Work::Connect) => 500,
            // The fewer there are, the more the first one's own costs weigh.
            (_, Work::Idle) => 300,
        }
    }

    /// That of the first try.
    fn least(self) -> usize {
        match self.work {
            // Their time is not what is measured: there is nothing to try.
            Work::Idle | Work::Codec => self.most(),
            Work::Buffers | Work::Connect => 5,
            _ => self.most() / 200,
        }
    }
}

/// Measures everything. Says what it does on standard error.
///
/// # Errors
/// If the list of clients cannot be read, or nothing fits the plan.
pub fn run(plan: &Plan) -> Result<Results, String> {
    let mut contenders = clients::all(&plan.program, &plan.root)?;
    contenders.retain(|contender| plan.has(contender));
    let mut results = Results::new(plan.repeats(), plan.quick);
    let mut running: Option<(&str, Cores, Result<Running, Missing>)> = None;
    for row in plan.rows() {
        let mut turns: Vec<Turns<'_>> = contenders
            .iter()
            .filter(|contender| contender.can(row.server, row.work))
            .map(Turns::new)
            .collect();
        if let Some(name) = row.server {
            let same = running.as_ref();
            if same.is_none_or(|(server, cores, _)| (*server, *cores) != (name, row.cores)) {
                // The one before ends first.
                drop(running.take());
                let started = match row.cores.missing() {
                    Some(why) => Err(Missing::cannot(why)),
                    None => Running::start(name, &plan.program, row.cores),
                };
                running = Some((name, row.cores, started));
            }
        }
        let url = match (row.server, &running) {
            (Some(_), Some((_, _, Ok(server)))) => Ok(server.url()),
            (Some(_), Some((_, _, Err(why)))) => Err(why.clone()),
            _ => Ok("-".to_owned()),
        };
        let started = Instant::now();
        match url {
            Ok(url) => measure(plan, row, &url, &mut turns),
            Err(why) => {
                for turn in &mut turns {
                    turn.missing = Some(why.clone());
                }
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        eprintln!("{} {seconds:.1} s", progress(row, &turns));
        results.rows.push(RowResult {
            server: row.server.map(str::to_owned),
            work: row.work,
            cores: row.cores,
            extra: row.extra(),
            clients: turns.into_iter().map(Turns::into_measured).collect(),
        });
    }
    if results.rows.iter().all(|row| row.clients.is_empty()) {
        return Err("no client fits this choice".into());
    }
    Ok(results)
}

fn progress(row: Row, turns: &[Turns<'_>]) -> String {
    let server = row.server.unwrap_or("no server");
    let core = match row.cores {
        Cores::One => " on one core",
        Cores::Any => "",
    };
    format!(
        "{server}: {}{core}, {} clients:",
        row.work.name(),
        turns.len()
    )
}

/// The runs of one client in one row.
struct Turns<'a> {
    contender: &'a Contender,
    count: usize,
    lines: Vec<Line>,
    missing: Option<Missing>,
}

impl<'a> Turns<'a> {
    fn new(contender: &'a Contender) -> Self {
        Self {
            contender,
            count: 0,
            lines: Vec::new(),
            missing: None,
        }
    }

    fn into_measured(self) -> Measured {
        let contender = self.contender;
        Measured {
            client: contender.name.clone(),
            package: contender.package.clone(),
            role: contender.role,
            family: contender.family,
            lines: self.lines,
            missing: self.missing,
        }
    }
}

fn measure(plan: &Plan, row: Row, url: &str, turns: &mut [Turns<'_>]) {
    for turn in &mut *turns {
        let most = plan.most(row).min(turn.contender.most(row.work));
        let least = row.least().min(most);
        if least == most {
            turn.count = most;
            continue;
        }
        match once(plan, row, turn.contender, url, least) {
            Ok(line) => turn.count = enough(&line, least, most, plan.run_seconds()),
            Err(why) => turn.missing = Some(why),
        }
    }
    for _ in 0..plan.repeats() {
        for turn in turns.iter_mut().filter(|turn| turn.missing.is_none()) {
            match once(plan, row, turn.contender, url, turn.count) {
                Ok(line) => turn.lines.push(line),
                Err(why) => turn.missing = Some(why),
            }
        }
    }
}

/// How often a client can do what it did in a first try, if it has so many seconds.
fn enough(line: &Line, tried: usize, most: usize, seconds: f64) -> usize {
    let Line::Timed { seconds: took, .. } = line else {
        return most;
    };
    let fits = tried as f64 * seconds / took.max(1e-6);
    (fits as usize).clamp(tried, most)
}

/// Runs a client to its end.
fn once(
    plan: &Plan,
    row: Row,
    contender: &Contender,
    url: &str,
    count: usize,
) -> Result<Line, Missing> {
    let [program, before @ ..] = contender.command() else {
        return Err(Missing::failed("it has no command"));
    };
    let mut command = row.cores.command(program);
    command
        .args(before)
        .arg(row.work.name())
        .arg(url)
        .arg(count.to_string());
    if row.extra() > 0 {
        command.arg(row.extra().to_string());
    }
    let ended = child::run(command.current_dir(&plan.root), RUN_LIMIT);
    let ended = ended.map_err(Missing::failed)?;
    let complaint = complaint(&ended.err);
    match ended.status {
        Some(0) => read_line(&ended.out, row.work).map_err(Missing::failed),
        Some(status) if status == i32::from(CANNOT) => Err(Missing::cannot(complaint)),
        Some(status) => Err(Missing::failed(format!("status {status}: {complaint}"))),
        None => Err(Missing::failed(format!("ended by a signal: {complaint}"))),
    }
}

fn read_line(out: &str, work: Work) -> Result<Line, String> {
    let line: Line = serde_json::from_str(out.trim())
        .map_err(|error| format!("{error} in its line {:?}", complaint(out)))?;
    if line.work() == work {
        Ok(line)
    } else {
        Err(format!("its line is about {:?}", line.work()))
    }
}

/// The line of a complaint that says what it is about.
fn complaint(err: &str) -> String {
    let lines = || err.lines().map(str::trim).filter(|line| !line.is_empty());
    // Node and Python say where before they say what.
    let named = lines().find(|line| line.contains("Error: "));
    let line = match (named, lines().next()) {
        (Some(line), _) => line,
        (None, Some(first)) if first.starts_with("Traceback") => {
            lines().next_back().unwrap_or(first)
        }
        (None, first) => first.unwrap_or("it said nothing"),
    };
    line.chars().take(COMPLAINT).collect()
}

/// Where results go, below the root.
#[must_use]
pub fn folder(root: &Path) -> PathBuf {
    root.join("target/bench")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(seconds: f64) -> Line {
        Line::Timed {
            work: Work::Ack,
            count: 100,
            seconds,
            cpu_seconds: 0.0,
            bytes: None,
        }
    }

    #[test]
    fn counts_follow_from_a_first_try() {
        assert_eq!(enough(&timed(0.1), 100, 20_000, 1.0), 1000);
        assert_eq!(enough(&timed(0.0001), 100, 20_000, 1.0), 20_000, "the most");
        assert_eq!(
            enough(&timed(10.0), 100, 20_000, 1.0),
            100,
            "no less than tried"
        );
    }

    #[test]
    fn complaints_are_one_line() {
        let node = "/x.js:44\n  throw error;\n\nError: no\n    at x.js";
        assert_eq!(complaint(node), "Error: no");
        let python = "Traceback (most recent call last):\n  File x\nStopIteration\n";
        assert_eq!(complaint(python), "StopIteration");
        assert_eq!(complaint(""), "it said nothing");
    }

    #[test]
    fn lines_are_about_the_work() {
        let line = r#"{"work":"ack","count":1,"seconds":1,"cpu_seconds":0.5}"#;
        assert!(read_line(line, Work::Ack).is_ok());
        assert!(read_line(line, Work::Flood).is_err());
        assert!(read_line("1 2 3", Work::Ack).is_err());
    }

    #[test]
    fn quick_plan_has_the_fast_server_and_a_row_of_each_real_one() {
        let mut plan = Plan {
            quick: true,
            works: Vec::new(),
            clients: Vec::new(),
            repeats: None,
            root: PathBuf::new(),
            program: PathBuf::new(),
        };
        let rows_of = |plan: &Plan, server| {
            let rows = plan.rows();
            rows.iter().filter(|row| row.server == Some(server)).count()
        };
        assert_eq!(rows_of(&plan, FAST), 8);
        for server in REAL {
            assert_eq!(rows_of(&plan, server), 1, "{server}");
        }
        plan.quick = false;
        for server in REAL {
            assert_eq!(rows_of(&plan, server), 7, "{server}");
        }
        plan.works = vec![Work::Flood];
        assert_eq!(plan.rows().len(), 4);
    }
}
