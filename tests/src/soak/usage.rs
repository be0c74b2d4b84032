//! What this process uses, from `/proc`; elsewhere than on Linux nothing is known of it, and nothing is judged.

use std::fmt;
use std::fs;

use crate::case::Outcome;
use crate::ensure;

/// How much the memory may grow after [`SETTLED`].
const GROWTH: u64 = 4096;
/// Minutes after which a process has all the memory it needs.
const SETTLED: usize = 5;

/// The columns of [`Watch::minute`].
pub(super) const HEADING: &str = "RSS kB  threads  files";

/// What a process uses at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    /// Memory, in KiB.
    rss: u64,
    threads: u64,
    files: u64,
}

impl Usage {
    /// What this process uses now.
    pub(super) fn now() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        Some(Self {
            rss: field(&status, "VmRSS:")?,
            threads: field(&status, "Threads:")?,
            files: open_files()?,
        })
    }

    fn max(self, other: Self) -> Self {
        Self {
            rss: self.rss.max(other.rss),
            threads: self.threads.max(other.threads),
            files: self.files.max(other.files),
        }
    }

    fn min(self, other: Self) -> Self {
        Self {
            rss: self.rss.min(other.rss),
            threads: self.threads.min(other.threads),
            files: self.files.min(other.files),
        }
    }
}

/// How many files and sockets this process has open.
pub(crate) fn open_files() -> Option<u64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The least and the most of a minute.
#[derive(Debug, Clone, Copy)]
struct Range {
    least: Usage,
    most: Usage,
}

/// The usage, minute by minute.
#[derive(Debug)]
pub(super) struct Watch {
    minutes: Vec<Range>,
    current: Option<Range>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            // All the memory it will need: the process watches itself.
            minutes: Vec::with_capacity(1 << 12),
            current: None,
        }
    }

    /// Takes note of the usage, as often as it is looked at.
    pub(super) fn look(&mut self, usage: Option<Usage>) {
        let Some(usage) = usage else { return };
        let (least, most) = match self.current {
            Some(range) => (range.least.min(usage), range.most.max(usage)),
            None => (usage, usage),
        };
        self.current = Some(Range { least, most });
    }

    /// Ends a minute: the most of it.
    pub(super) fn minute(&mut self) -> String {
        match self.current.take() {
            Some(range) => {
                self.minutes.push(range);
                let Usage {
                    rss,
                    threads,
                    files,
                } = range.most;
                format!("{rss:6}  {threads:7}  {files:5}")
            }
            None => "unknown".to_owned(),
        }
    }

    /// Whether the process uses no more at the end than it did once it was under way.
    ///
    /// Threads and files may be more for a moment, while an HTTP connection replaces another: the least of the last minute
    /// counts, against the most of the first.
    pub(super) fn verdict(&self) -> Outcome {
        let (Some(first), Some(last)) = (self.minutes.first(), self.minutes.last()) else {
            return Ok(());
        };
        let (first, last) = (first.most, last.least);
        ensure!(
            last.threads <= first.threads,
            "{} threads at the end, {} in the first minute",
            last.threads,
            first.threads
        );
        ensure!(
            last.files <= first.files,
            "{} open files at the end, {} in the first minute",
            last.files,
            first.files
        );
        let settled = self.settled().unwrap_or(first.rss);
        ensure!(
            last.rss <= settled + GROWTH,
            "the memory grew from {settled} kB to {} kB, by more than {GROWTH} kB",
            last.rss
        );
        Ok(())
    }

    /// The memory after the first minutes.
    fn settled(&self) -> Option<u64> {
        let minute = self
            .minutes
            .get(SETTLED - 1)
            .or_else(|| self.minutes.last())?;
        Some(minute.most.rss)
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(first), Some(last)) = (self.minutes.first(), self.minutes.last()) else {
            return f.write_str("memory, threads, files: not known on this machine");
        };
        write!(
            f,
            "memory: {} kB after {} min, {} kB at the end (may grow by {GROWTH} kB); threads {} → {}, files {} → {}",
            self.settled().unwrap_or_default(),
            SETTLED.min(self.minutes.len()),
            last.least.rss,
            first.most.threads,
            last.least.threads,
            first.most.files,
            last.least.files
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(minutes: &[(u64, u64, u64)]) -> Watch {
        let mut watch = Watch::new();
        for (rss, threads, files) in minutes {
            watch.look(Some(Usage {
                rss: *rss,
                threads: *threads,
                files: *files,
            }));
            drop(watch.minute());
        }
        watch
    }

    #[test]
    fn more_threads_files_or_memory_at_the_end_fail() {
        let steady = [(5000, 3, 10); 7];
        assert!(watch(&steady).verdict().is_ok());
        for (last, what) in [
            ((5000, 4, 10), "threads"),
            ((5000, 3, 11), "files"),
            ((9097, 3, 10), "memory"),
        ] {
            let mut minutes = steady;
            minutes[6] = last;
            let failure = watch(&minutes).verdict().unwrap_err();
            assert!(failure.text().contains(what), "{failure}");
        }
    }

    #[test]
    fn a_moment_of_more_is_let_pass() {
        let mut watch = watch(&[(5000, 3, 10)]);
        for files in [12, 10] {
            watch.look(Some(Usage {
                rss: 5000,
                threads: 3,
                files,
            }));
        }
        drop(watch.minute());
        assert!(watch.verdict().is_ok());
    }

    #[test]
    fn fields_of_status_are_read() {
        let status = "Name:\tx\nVmRSS:\t    5120 kB\nThreads:\t3\n";
        assert_eq!(field(status, "VmRSS:"), Some(5120));
        assert_eq!(field(status, "Threads:"), Some(3));
        assert_eq!(field(status, "VmSwap:"), None);
    }
}
