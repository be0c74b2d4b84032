//! The works, and what every client of the benchmarks is asked for and prints.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::measure::Took;

/// The status of a program that cannot do a work.
pub const CANNOT: u8 = 3;

/// How long one answer may take: whoever waits longer has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What is done and timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Emit with an ack, wait for it, and again.
    Ack,
    /// The same with many unanswered at a time.
    Window,
    /// Receive events that come as fast as they can be taken.
    Flood,
    /// Large buffers there and back.
    Buffers,
    /// As `Ack`, over polling.
    Polling,
    /// Connect, one ack, disconnect.
    Connect,
    /// Connections that do nothing, and what they cost.
    Idle,
    /// Encoding and decoding, without a server.
    Codec,
}

impl Work {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Ack,
        Self::Window,
        Self::Flood,
        Self::Buffers,
        Self::Polling,
        Self::Connect,
        Self::Idle,
        Self::Codec,
    ];

    /// What it is called on command lines and in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Window => "window",
            Self::Flood => "flood",
            Self::Buffers => "buffers",
            Self::Polling => "polling",
            Self::Connect => "connect",
            Self::Idle => "idle",
            Self::Codec => "codec",
        }
    }

    /// The number behind the count, where it has one, unless another is asked for.
    #[must_use]
    pub const fn extra(self) -> usize {
        match self {
            Self::Window => 1000,
            Self::Flood => 80,
            Self::Buffers => 1 << 20,
            _ => 0,
        }
    }
}

impl FromStr for Work {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|work| work.name() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no work {name:?}, only {names}")
        })
    }
}

/// One run of a work: `<program> <work> <url> <count> [<extra>]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What is done.
    pub work: Work,
    /// The server.
    pub url: String,
    /// How often.
    pub count: usize,
    /// How many, or how large: see [`Work::extra`].
    pub extra: usize,
}

impl Task {
    /// How often it is done before the clock starts.
    #[must_use]
    pub fn warm_up(&self) -> usize {
        (self.count / 10).min(1000)
    }
}

/// The line that a program prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// Of `idle`.
    Idle {
        /// `idle`.
        work: Work,
        /// How many connections.
        count: usize,
        /// By how much the process has grown, for each.
        kib_per_connection: f64,
        /// Its threads.
        threads: u64,
    },
    /// Of `codec`.
    Codec {
        /// `codec`.
        work: Work,
        /// Nanoseconds by what was done.
        rows: std::collections::BTreeMap<String, f64>,
    },
    /// Of all others.
    Timed {
        /// Which.
        work: Work,
        /// How often it was done.
        count: usize,
        /// On the wall.
        seconds: f64,
        /// Of the CPU.
        cpu_seconds: f64,
        /// Of each buffer.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        bytes: Option<usize>,
    },
}

impl Line {
    /// Which work it is about.
    #[must_use]
    pub const fn work(&self) -> Work {
        match self {
            Self::Idle { work, .. } | Self::Codec { work, .. } | Self::Timed { work, .. } => *work,
        }
    }

    /// What a timed work took.
    #[must_use]
    pub fn timed(task: &Task, took: Took) -> Self {
        Self::Timed {
            work: task.work,
            count: task.count,
            seconds: took.wall.as_secs_f64(),
            cpu_seconds: took.cpu.as_secs_f64(),
            bytes: (task.work == Work::Buffers).then_some(task.extra),
        }
    }
}

/// Why there is no line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The client has no such work.
    Cannot(String),
    /// Something went wrong.
    Wrong(String),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Wrong(error.to_string())
    }
}

/// What comes of a task.
pub type Outcome<T = Line> = Result<T, Failure>;

/// A failure with that sentence.
pub(crate) fn wrong<T>(sentence: impl Into<String>) -> Outcome<T> {
    Err(Failure::Wrong(sentence.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_work_is_read_by_its_name() {
        for work in Work::ALL {
            assert_eq!(work.name().parse(), Ok(work));
            assert_eq!(
                serde_json::to_string(&work).unwrap(),
                format!("{:?}", work.name())
            );
        }
        assert!("sleep".parse::<Work>().unwrap_err().contains("flood"));
    }

    #[test]
    fn lines_are_those_of_the_contract() {
        let task = Task {
            work: Work::Buffers,
            url: String::new(),
            count: 3,
            extra: 7,
        };
        let took = Took {
            wall: Duration::from_millis(1500),
            cpu: Duration::from_millis(250),
        };
        for (line, text) in [
            (
                Line::timed(&task, took),
                r#"{"work":"buffers","count":3,"seconds":1.5,"cpu_seconds":0.25,"bytes":7}"#,
            ),
            (
                Line::timed(
                    &Task {
                        work: Work::Ack,
                        ..task.clone()
                    },
                    took,
                ),
                r#"{"work":"ack","count":3,"seconds":1.5,"cpu_seconds":0.25}"#,
            ),
            (
                Line::Idle {
                    work: Work::Idle,
                    count: 2,
                    kib_per_connection: 14.5,
                    threads: 1,
                },
                r#"{"work":"idle","count":2,"kib_per_connection":14.5,"threads":1}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&line).unwrap(), text);
            assert_eq!(serde_json::from_str::<Line>(text).unwrap(), line);
        }
        let codec = r#"{"work":"codec","rows":{"decode_event":98.5}}"#;
        let read: Line = serde_json::from_str(codec).unwrap();
        assert!(matches!(read, Line::Codec { rows, .. } if rows["decode_event"] == 98.5));
    }
}
