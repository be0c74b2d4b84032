//! What our clients have to reach.

use crate::work::Work;

use super::cores::Cores;
use super::results::Metric;

/// A figure that a client may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// So many times the limit.
    Ratio(f64),
    /// KiB for each connection.
    Kib(f64),
    /// Nanoseconds.
    Nanoseconds(f64),
}

/// What has to be reached in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// What must be.
    pub must: Figure,
    /// What should be.
    pub should: Figure,
}

/// The goal of a row on the fast server, or without one.
#[must_use]
pub fn goal(work: Work, cores: Cores, metric: Metric) -> Option<Goal> {
    let ratios = |must, should| {
        Some(Goal {
            must: Figure::Ratio(must),
            should: Figure::Ratio(should),
        })
    };
    match (work, cores, metric) {
        (Work::Ack, Cores::One, Metric::Time) => ratios(1.7, 1.3),
        (Work::Ack, Cores::Any, Metric::Time) => ratios(1.1, 1.05),
        (Work::Window, _, Metric::Time) => ratios(4.0, 2.0),
        (Work::Window, _, Metric::Cpu) => ratios(5.0, 3.0),
        // 2 and 3 million a second, where the limit has 3.1.
        (Work::Flood, _, Metric::Time) => ratios(3.1 / 2.0, 3.1 / 3.0),
        (Work::Buffers, _, Metric::Time) => ratios(1.25, 1.1),
        (Work::Polling, _, Metric::Time) => ratios(1.6, 1.3),
        (Work::Connect, _, Metric::Time) => ratios(2.5, 1.5),
        (Work::Idle, _, Metric::Memory) => Some(Goal {
            must: Figure::Kib(20.0),
            should: Figure::Kib(8.0),
        }),
        (Work::Codec, _, Metric::Codec("decode_event")) => ratios(1.8, 1.3),
        (Work::Codec, _, Metric::Codec("encode_event")) => ratios(2.5, 1.6),
        (Work::Codec, _, Metric::Codec(_)) => Some(Goal {
            must: Figure::Nanoseconds(1500.0),
            should: Figure::Nanoseconds(700.0),
        }),
        _ => None,
    }
}

impl Figure {
    /// Whether a client that has `value`, where the limit has `limit`, is there.
    #[must_use]
    pub fn is_met(self, value: f64, limit: Option<f64>) -> Option<bool> {
        Some(match self {
            Self::Ratio(most) => value / limit? <= most,
            Self::Kib(most) | Self::Nanoseconds(most) => value <= most,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_met_by_those_who_are_there() {
        let ratio = Figure::Ratio(1.5);
        assert_eq!(ratio.is_met(3.0, Some(2.0)), Some(true));
        assert_eq!(ratio.is_met(3.1, Some(2.0)), Some(false));
        assert_eq!(ratio.is_met(3.0, None), None);
        assert_eq!(Figure::Kib(8.0).is_met(9.0, None), Some(false));
        assert_eq!(Figure::Kib(8.0).is_met(7.0, Some(1.0)), Some(true));
    }
}
