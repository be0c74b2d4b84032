//! Many connections in one process: what each costs in memory, threads and CPU, idle and active.
//!
//! Each case runs in a process of its own, so that none finds the memory of another. Connections on a shared event loop
//! are compared to those with threads of their own.

pub mod hold;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::client::Which;
use crate::run::child;
use crate::run::cores::Cores;
use crate::run::servers::Running;

/// Files that a process has open besides its connections.
const OTHER_FILES: u64 = 100;
/// How long connecting may take, and what comes after the time that was asked for.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often hearts beat: several times in a minute.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// What is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How long connections are held.
    pub seconds: u64,
    /// No more connections than this.
    pub most: usize,
    /// This program.
    pub program: PathBuf,
}

/// Who drives the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// One event loop for all.
    Loop,
    /// A thread for each.
    Threads,
}

impl Driver {
    const fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::Threads => "threads",
        }
    }

    /// By its name.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn named(name: &str) -> Result<Self, String> {
        let mut all = [Self::Loop, Self::Threads].into_iter();
        let known = all.find(|driver| driver.name() == name);
        known.ok_or_else(|| format!("connections are driven by loop or threads, not {name:?}"))
    }
}

/// What a process that holds connections prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// How many were held.
    pub connections: usize,
    /// How many of them did something all the time.
    pub active: usize,
    /// How long it took to connect all.
    pub connecting_seconds: f64,
    /// By how much the process has grown for each, when all were connected.
    pub kib_per_connection: f64,
    /// The same at the end.
    pub kib_at_end: f64,
    /// Its threads, meanwhile.
    pub threads: u64,
    /// How long they were held then.
    pub seconds: f64,
    /// What that took.
    pub cpu_seconds: f64,
    /// Packets that came in that time: heartbeats, where none is active.
    pub packets: u64,
    /// Acks that came.
    pub acks: u64,
}

/// Which client, who drives it, how many connections and how many of them active.
type Case = (Which, Driver, usize, usize);

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for which in [Which::V1, Which::Legacy] {
        for (driver, count) in [
            (Driver::Threads, 100),
            (Driver::Threads, 1000),
            (Driver::Loop, 100),
            (Driver::Loop, 1000),
            (Driver::Loop, 10_000),
        ] {
            cases.push((which, driver, count, 0));
        }
        for (count, active) in [
            (1, 1),
            (1000, 1),
            (1000, 10),
            (1000, 100),
            (1000, 1000),
            (10_000, 1),
            (10_000, 1000),
        ] {
            cases.push((which, Driver::Loop, count, active));
        }
    }
    cases
}

/// Measures everything; the tables as Markdown, and whether all was measured.
///
/// # Errors
/// If the server does not start.
pub fn run(plan: &Plan) -> Result<(String, bool), String> {
    // Those that are started from here may have as many.
    if let Err(why) = allow_files(plan.most) {
        eprintln!("{why}");
    }
    let interval = INTERVAL.as_millis().to_string();
    let arguments = ["--interval", &interval];
    let server = Running::start_fast(&plan.program, Cores::Any, &arguments)?;
    let url = server.url();
    let mut idle = String::from(
        "| client | connections | driven by | KiB each | at the end | threads | CPU in a minute | packets each |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let mut active = String::from(
        "| client | on one loop | of them active | acks a second | CPU for each |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    let mut reasons = String::new();
    let mut is_whole = true;
    for (which, driver, count, busy) in cases() {
        let name = which.name();
        eprintln!(
            "{name}: {count} connections by {}, {busy} active",
            driver.name()
        );
        if count > plan.most {
            let _ = writeln!(
                reasons,
                "- {name}, {count}: no more than {} were asked for",
                plan.most
            );
            continue;
        }
        // Acks tell enough in a few seconds.
        let seconds = if busy > 0 {
            plan.seconds.min(5)
        } else {
            plan.seconds
        };
        let mut command = Command::new(&plan.program);
        command.args(["hold", name, driver.name(), &url]);
        command.args([count.to_string(), seconds.to_string(), busy.to_string()]);
        let ended = child::run(&mut command, PATIENCE + Duration::from_secs(seconds));
        let held = ended.and_then(|ended| {
            serde_json::from_str::<Held>(ended.out.trim()).map_err(|_| ended.err.trim().to_owned())
        });
        match held {
            Ok(held) if busy == 0 => idle.push_str(&idle_row(name, driver, &held)),
            Ok(held) => active.push_str(&active_row(name, &held)),
            Err(why) => {
                is_whole = false;
                let _ = writeln!(reasons, "- {name}, {count} by {}: {why}", driver.name());
            }
        }
    }
    let text = format!(
        "## Idle, on a WebSocket with a heartbeat each {INTERVAL:?}\n\n{idle}\n\
         ## Active: one emit with ack after the other on each\n\n{active}\n{reasons}"
    );
    Ok((text, is_whole))
}

fn idle_row(name: &str, driver: Driver, held: &Held) -> String {
    format!(
        "| {name} | {} | {} | {:.1} | {:.1} | {} | {:.2} s | {:.1} |\n",
        held.connections,
        driver.name(),
        held.kib_per_connection,
        held.kib_at_end,
        held.threads,
        held.cpu_seconds / held.seconds * 60.0,
        held.packets as f64 / held.connections as f64,
    )
}

fn active_row(name: &str, held: &Held) -> String {
    format!(
        "| {name} | {} | {} | {:.0} | {:.2} µs |\n",
        held.connections,
        held.active,
        held.acks as f64 / held.seconds,
        held.cpu_seconds / held.acks.max(1) as f64 * 1e6,
    )
}

/// Lets this process have so many connections.
///
/// # Errors
/// If it may not.
pub fn allow_files(connections: usize) -> Result<(), String> {
    let needed = connections as u64 + OTHER_FILES;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if limit.maximum.is_none_or(|most| most >= needed) {
        limit.current = Some(needed);
        if setrlimit(Resource::Nofile, limit).is_ok() {
            return Ok(());
        }
    }
    Err(format!(
        "{connections} connections need as many open files and some more: `ulimit -n {needed}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_files_than_there_can_be_are_refused_with_what_is_needed() {
        assert_eq!(allow_files(1), Ok(()));
        let error = allow_files(usize::MAX >> 1).unwrap_err();
        assert!(error.contains("ulimit -n"), "{error}");
    }

    #[test]
    fn rows_have_figures_for_each_connection() {
        let held = Held {
            connections: 1000,
            active: 10,
            connecting_seconds: 1.0,
            kib_per_connection: 8.0,
            kib_at_end: 8.5,
            threads: 2,
            seconds: 30.0,
            cpu_seconds: 0.5,
            packets: 3000,
            acks: 50_000,
        };
        assert_eq!(
            idle_row("v1", Driver::Loop, &held),
            "| v1 | 1000 | loop | 8.0 | 8.5 | 2 | 1.00 s | 3.0 |\n"
        );
        assert_eq!(
            active_row("v1", &held),
            "| v1 | 1000 | 10 | 1667 | 10.00 µs |\n"
        );
    }
}
