//! Clocks, around the timed part only, and memory.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value};

use crate::Failure;

/// How often a work is done before it is timed.
pub(crate) fn warm_up(count: usize) -> usize {
    (count / 10).min(1000)
}

/// Wall clock, and the CPU time of all threads, user and system.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch {
    started: Instant,
    cpu: Duration,
}

#[derive(Clone, Copy)]
pub(crate) struct Times {
    seconds: f64,
    cpu_seconds: f64,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        let cpu = cpu();
        Self {
            started: Instant::now(),
            cpu,
        }
    }

    pub(crate) fn stop(self) -> Times {
        Times {
            seconds: self.started.elapsed().as_secs_f64(),
            cpu_seconds: cpu().saturating_sub(self.cpu).as_secs_f64(),
        }
    }
}

impl Times {
    pub(crate) fn line(self, count: usize) -> Map<String, Value> {
        Map::from_iter([
            ("count".to_owned(), count.into()),
            ("seconds".to_owned(), self.seconds.into()),
            ("cpu_seconds".to_owned(), self.cpu_seconds.into()),
        ])
    }
}

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    // The kernel counts it from zero, in less than a second of nanoseconds.
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or_default(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    )
}

/// What the process holds.
pub(crate) struct Resident {
    /// VmRSS.
    pub(crate) kib: u64,
    pub(crate) threads: u64,
}

impl Resident {
    pub(crate) fn now() -> Result<Self, Failure> {
        let status = std::fs::read_to_string("/proc/self/status").map_err(|error| {
            Failure::CannotDo(format!(
                "Memory is read from /proc/self/status, which cannot be read here: {error}."
            ))
        })?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            number.ok_or_else(|| format!("/proc/self/status has no {name}"))
        };
        Ok(Self {
            kib: field("VmRSS:")?,
            threads: field("Threads:")?,
        })
    }
}
