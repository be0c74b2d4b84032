//! The clients of this program.

pub mod codec;
pub mod limit;
pub mod ours;

use std::str::FromStr;

use self::codec::Codec;
use crate::measure::{Stopwatch, Took};
use crate::work::{Outcome, Task, Work};

/// Does something again and again, the warm-up first; what took the rest. Our clients and the limit are timed alike.
fn each(task: &Task, mut once: impl FnMut(usize) -> Outcome<()>) -> Outcome<Took> {
    for index in 0..task.warm_up() {
        once(index)?;
    }
    let watch = Stopwatch::start();
    for index in 0..task.count {
        once(index)?;
    }
    Ok(watch.took())
}

/// Which client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// `sio-v1`.
    V1,
    /// `sio-legacy`.
    Legacy,
    /// The frames of 1.x and 2.x on a bare socket.
    LimitV1,
    /// Those of 0.9.
    LimitLegacy,
}

impl Which {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::V1, Self::Legacy, Self::LimitV1, Self::LimitLegacy];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::Legacy => "legacy",
            Self::LimitV1 => "limit-v1",
            Self::LimitLegacy => "limit-legacy",
        }
    }

    const fn codec(self) -> Codec {
        match self {
            Self::V1 => Codec::V1,
            Self::Legacy => Codec::Legacy,
            Self::LimitV1 | Self::LimitLegacy => Codec::Limit,
        }
    }

    /// Does a task.
    ///
    /// # Errors
    /// If it has no such work, or the work fails.
    pub fn run(self, task: &Task) -> Outcome {
        if task.work == Work::Codec {
            return Ok(codec::run(self.codec(), task));
        }
        match self {
            Self::V1 => ours::run::<sio_v1::Session>(task),
            Self::Legacy => ours::run::<sio_legacy::Session>(task),
            Self::LimitV1 => limit::run::<limit::V1>(task),
            Self::LimitLegacy => limit::run::<limit::Legacy>(task),
        }
    }
}

impl FromStr for Which {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|which| which.name() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no client {name:?}, only {names}")
        })
    }
}
