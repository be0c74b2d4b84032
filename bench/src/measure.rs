//! Clocks, memory and threads of this process.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A stretch of time, of the clock on the wall and of the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Took {
    /// On the wall.
    pub wall: Duration,
    /// Of all threads of this process together, in the system too.
    pub cpu: Duration,
}

/// Measures a stretch of time.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    /// Starts.
    #[must_use]
    pub fn start() -> Self {
        let cpu = cpu_time();
        let wall = Instant::now();
        Self { wall, cpu }
    }

    /// What has passed since.
    #[must_use]
    pub fn took(self) -> Took {
        let wall = self.wall.elapsed();
        let cpu = cpu_time().saturating_sub(self.cpu);
        Took { wall, cpu }
    }
}

/// The CPU time of this process so far.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Memory and threads of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What of its memory is in use now.
    pub resident_kib: u64,
    /// Its threads.
    pub threads: u64,
}

impl Usage {
    /// What it is now.
    ///
    /// # Errors
    /// Where there is no `/proc/self/status` as Linux has it.
    pub fn now() -> Result<Self, String> {
        let path = "/proc/self/status";
        let status = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        Self::parse(&status).ok_or_else(|| format!("{path} has no VmRSS or no Threads"))
    }

    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self {
            resident_kib: field("VmRSS:")?,
            threads: field("Threads:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_the_status_of_a_process() {
        let status = "Name:\tbench\nVmHWM:\t 9000 kB\nVmRSS:\t    5124 kB\nThreads:\t3\n";
        let usage = Usage {
            resident_kib: 5124,
            threads: 3,
        };
        assert_eq!(Usage::parse(status), Some(usage));
        assert_eq!(Usage::parse("VmRSS:\t 1 kB\n"), None);
    }

    #[test]
    fn cpu_time_grows_with_work_and_not_with_rest() {
        let watch = Stopwatch::start();
        let mut turns = 0_u64;
        while watch.took().cpu < Duration::from_millis(20) {
            turns += 1;
            assert!(
                watch.took().wall < Duration::from_secs(20),
                "{turns} turns cost nothing"
            );
        }
        let idle = Stopwatch::start();
        std::thread::park_timeout(Duration::from_millis(50));
        let took = idle.took();
        assert!(took.cpu < took.wall, "{took:?}");
    }
}
