//! Looks at the process each 100 ms.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::measure::Usage;
use crate::work::{Failure, Outcome};

/// How often it looks.
const EACH: Duration = Duration::from_millis(100);
/// How many rows a person reads.
const ROWS: usize = 12;

/// What was seen, over time.
pub(super) struct Samples {
    started: Instant,
    next: Instant,
    before_kib: u64,
    columns: &'static [&'static str],
    rows: Vec<Sample>,
}

struct Sample {
    at: Duration,
    grown_kib: u64,
    values: Vec<u64>,
}

impl Samples {
    /// Begins; `columns` are what a case counts.
    pub(super) fn begin(columns: &'static [&'static str]) -> Outcome<Self> {
        let now = Instant::now();
        Ok(Self {
            started: now,
            next: now + EACH,
            before_kib: Usage::now().map_err(Failure::Wrong)?.resident_kib,
            columns,
            rows: Vec::new(),
        })
    }

    /// Waits until it is time, and looks.
    pub(super) fn look(&mut self, values: impl FnOnce() -> Vec<u64>) -> Outcome<()> {
        std::thread::sleep(self.next.saturating_duration_since(Instant::now()));
        self.next += EACH;
        let now = Usage::now().map_err(Failure::Wrong)?;
        self.rows.push(Sample {
            at: self.started.elapsed(),
            grown_kib: now.resident_kib.saturating_sub(self.before_kib),
            values: values(),
        });
        Ok(())
    }

    /// For how long it has looked.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// By how much the process had grown, at most.
    pub(super) fn most_kib(&self) -> u64 {
        self.rows.iter().map(|row| row.grown_kib).max().unwrap_or(0)
    }

    /// The most of a column.
    pub(super) fn most(&self, column: usize) -> u64 {
        let values = self.rows.iter().map(|row| row.values[column]);
        values.max().unwrap_or(0)
    }

    /// A table of some of the rows, the last one among them.
    pub(super) fn table(&self) -> String {
        let mut text = format!("| s | {} | grown, MiB |\n", self.columns.join(" | "));
        text.push_str(&"| --- ".repeat(self.columns.len() + 2));
        text.push_str("|\n");
        let step = self.rows.len().div_ceil(ROWS).max(1);
        let last = self.rows.len().wrapping_sub(1);
        for (index, row) in self.rows.iter().enumerate() {
            if index % step == 0 || index == last {
                let values: Vec<_> = row.values.iter().map(u64::to_string).collect();
                let _ = writeln!(
                    text,
                    "| {:.1} | {} | {:.1} |",
                    row.at.as_secs_f64(),
                    values.join(" | "),
                    row.grown_kib as f64 / 1024.0
                );
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_some_rows_and_the_last() {
        let mut samples = Samples::begin(&["waiting"]).unwrap();
        for index in 0..50 {
            samples.rows.push(Sample {
                at: Duration::from_millis(100 * index),
                grown_kib: 1024 * index,
                values: vec![100 - index],
            });
        }
        let table = samples.table();
        let lines: Vec<_> = table.lines().collect();
        assert!(lines.len() <= ROWS + 3, "{table}");
        assert_eq!(lines[0], "| s | waiting | grown, MiB |");
        assert_eq!(lines[2], "| 0.0 | 100 | 0.0 |");
        assert_eq!(lines.last(), Some(&"| 4.9 | 51 | 49.0 |"));
        assert_eq!((samples.most(0), samples.most_kib()), (100, 49 * 1024));
    }
}
