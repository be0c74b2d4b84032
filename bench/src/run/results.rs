//! What was measured.

use std::io;
use std::path::Path;

use serde::Serialize;

use crate::work::{Line, Work};

use super::clients::{Family, Role};
use super::cores::Cores;
use super::statistics::Spread;

/// Everything that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// The processor, as the system calls it.
    pub machine: String,
    /// How many cores it has for us.
    pub cores: usize,
    /// How often each client did each work.
    pub repeats: usize,
    /// Whether it was a quick look.
    pub quick: bool,
    /// In the order in which they were measured.
    pub rows: Vec<RowResult>,
}

/// One row of the table.
#[derive(Debug, Clone, Serialize)]
pub struct RowResult {
    /// The server, if there is one.
    pub server: Option<String>,
    /// What was done.
    pub work: Work,
    /// Where.
    pub cores: Cores,
    /// See [`Work::extra`].
    pub extra: usize,
    /// The clients that have this work.
    pub clients: Vec<Measured>,
}

/// What one client did.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Its name.
    pub client: String,
    /// Its packages with their versions.
    pub package: String,
    /// What it is.
    pub role: Role,
    /// Whose limit it is compared to.
    pub family: Family,
    /// A line for each repeat.
    pub lines: Vec<Line>,
    /// Why there are none, or fewer.
    pub missing: Option<Missing>,
}

/// Why something was not measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// In one sentence.
    pub why: String,
    /// Whether the client, or this machine, has no such thing: that is no failure.
    pub is_no_failure: bool,
}

impl Missing {
    /// It cannot be had.
    pub(super) fn cannot(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_no_failure: true,
        }
    }

    /// It went wrong.
    pub(super) fn failed(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_no_failure: false,
        }
    }
}

/// A number that lines have. Less is better in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Seconds for each time.
    Time,
    /// Seconds of the client's CPU for each time.
    Cpu,
    /// KiB for each connection.
    Memory,
    /// Nanoseconds of a row of the codecs.
    Codec(&'static str),
}

impl Metric {
    /// What a line says of it.
    #[must_use]
    pub fn of(self, line: &Line) -> Option<f64> {
        match (self, line) {
            (Self::Time, Line::Timed { seconds, count, .. }) => Some(seconds / *count as f64),
            (
                Self::Cpu,
                Line::Timed {
                    cpu_seconds, count, ..
                },
            ) => Some(cpu_seconds / *count as f64),
            (
                Self::Memory,
                Line::Idle {
                    kib_per_connection, ..
                },
            ) => Some(*kib_per_connection),
            (Self::Codec(row), Line::Codec { rows, .. }) => rows.get(row).copied(),
            _ => None,
        }
    }
}

impl Measured {
    /// What its lines say of a metric.
    #[must_use]
    pub fn spread(&self, metric: Metric) -> Option<Spread> {
        if self.missing.is_some() {
            return None;
        }
        Spread::of(self.lines.iter().filter_map(|line| metric.of(line)))
    }
}

impl RowResult {
    /// The limit of a family.
    #[must_use]
    pub fn limit(&self, family: Family) -> Option<&Measured> {
        let mut clients = self.clients.iter();
        clients.find(|client| client.role == Role::Limit && client.family == family)
    }
}

impl Results {
    /// Nothing yet, on this machine.
    #[must_use]
    pub fn new(repeats: usize, quick: bool) -> Self {
        let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let line = known
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let name = line.map(|line| line.trim_start_matches([':', ' ', '\t']));
        Self {
            machine: name.unwrap_or(std::env::consts::ARCH).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            repeats,
            quick,
            rows: Vec::new(),
        }
    }

    /// Whether what has to work did: the limit and our clients. Others may fail, and servers may be missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let clients = self.rows.iter().flat_map(|row| &row.clients);
        let mut own = clients
            .filter(|client| client.role != Role::Peer)
            .peekable();
        own.peek().is_some()
            && own.all(|client| {
                let missing = client.missing.as_ref();
                missing.is_none_or(|missing| missing.is_no_failure)
            })
    }

    /// Writes `results.json` and `results.md` into a folder.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&self, markdown: &str, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        std::fs::write(folder.join("results.json"), json)?;
        std::fs::write(folder.join("results.md"), markdown)
    }
}
