//! One direction of a connection: what came, and how much of it may go on. No I/O.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Flow, Place, Then};

/// How many bytes wait in a pipe before no more are read.
const ROOM: usize = 64 << 10;
/// At a limited rate, up to so many bytes go in one piece, as over a network: a small write is not split.
const SEGMENT: usize = 1448;

/// The bytes on their way in one direction.
#[derive(Debug)]
pub(super) struct Pipe {
    flow: Flow,
    held: Vec<u8>,
    /// When the bytes came: up to which number, counted from the beginning of the connection.
    arrivals: VecDeque<(u64, Instant)>,
    /// How many bytes left the pipe, passed or swallowed.
    left: u64,
    swallowed: bool,
    /// At a limited rate: since when, and how many bytes went since then.
    rated: (Instant, u64),
}

/// What may happen now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// So many bytes may pass.
    pub(super) pass: usize,
    /// This follows when they have passed.
    pub(super) then: Option<Then>,
}

impl Pipe {
    pub(super) fn new(flow: Flow, now: Instant) -> Self {
        Self {
            flow,
            held: Vec::new(),
            arrivals: VecDeque::new(),
            left: 0,
            swallowed: false,
            rated: (now, 0),
        }
    }

    /// From now on bytes travel so. Returns whether the connection can go on: not if bytes of it are lost.
    pub(super) fn set(&mut self, flow: Flow, now: Instant) -> bool {
        if self.flow == flow {
            return true;
        }
        self.flow = flow;
        self.rated = (now, 0);
        !self.swallowed || self.swallows()
    }

    /// Whether bytes are read.
    pub(super) fn reads(&self) -> bool {
        self.flow != Flow::Frozen && self.held.len() < ROOM
    }

    /// Whether bytes vanish, and the end of them too.
    pub(super) fn swallows(&self) -> bool {
        self.flow == Flow::Swallowed
    }

    /// Whether the end of the bytes may pass: everything before it has.
    pub(super) fn passes_end(&self) -> bool {
        self.held.is_empty() && !matches!(self.flow, Flow::Frozen | Flow::Swallowed)
    }

    /// Takes in bytes.
    pub(super) fn push(&mut self, bytes: &[u8], now: Instant) {
        if self.swallows() {
            self.swallowed |= !bytes.is_empty();
            self.left += bytes.len() as u64;
            return;
        }
        if self.held.is_empty() {
            // A link that was idle has saved nothing up.
            self.rated = (now, 0);
        }
        self.held.extend_from_slice(bytes);
        if let Flow::Replace(from, to) = self.flow {
            replace(&mut self.held, from, to);
        }
        let end = self.left + self.held.len() as u64;
        self.arrivals.push_back((end, now));
    }

    /// The bytes that wait.
    pub(super) fn held(&self) -> &[u8] {
        &self.held
    }

    /// So many of them have passed.
    pub(super) fn passed(&mut self, count: usize) {
        self.held.drain(..count);
        self.left += count as u64;
        self.rated.1 += count as u64;
        while self
            .arrivals
            .front()
            .is_some_and(|(end, _)| *end <= self.left)
        {
            self.arrivals.pop_front();
        }
    }

    /// How much may pass now, and what follows.
    pub(super) fn step(&self, now: Instant) -> Step {
        let all = self.held.len();
        let free = |pass| Step { pass, then: None };
        match &self.flow {
            Flow::Free | Flow::Replace(..) => free(all),
            Flow::Frozen | Flow::Swallowed => free(0),
            Flow::Late(by) => {
                let due = self.arrivals.iter().take_while(|(_, at)| *at + *by <= now);
                let end = due.last().map_or(self.left, |(end, _)| *end);
                free(count(end - self.left).min(all))
            }
            Flow::Slow(rate) => {
                let (since, gone) = self.rated;
                let allowed = bytes_in(*rate, now.saturating_duration_since(since));
                let segment = self.segment();
                free(if gone + segment as u64 <= allowed {
                    segment
                } else {
                    0
                })
            }
            Flow::Until(place, then) => {
                let (pass, reached) = match place {
                    Place::Byte(number) => {
                        let room = count(number.saturating_sub(self.left));
                        (all.min(room), all >= room)
                    }
                    Place::Before(marker) => split_before(&self.held, marker),
                    Place::Behind(marker) => match split_before(&self.held, marker) {
                        (start, true) => (start + marker.len(), true),
                        not_there => not_there,
                    },
                };
                Step {
                    pass,
                    then: reached.then_some(*then),
                }
            }
        }
    }

    /// How many bytes travel together.
    fn segment(&self) -> usize {
        let first = self.arrivals.front().map_or(0, |(end, _)| end - self.left);
        count(first).min(SEGMENT)
    }

    /// When more may pass by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.flow {
            Flow::Late(by) => self.arrivals.front().map(|(_, at)| *at + by),
            Flow::Slow(rate) if !self.held.is_empty() => {
                let (since, gone) = self.rated;
                let bytes = gone + self.segment() as u64;
                let micros = (bytes * 1_000_000).div_ceil(u64::from(rate.max(1)));
                Some(since + Duration::from_micros(micros))
            }
            _ => None,
        }
    }
}

/// A count of bytes that are in memory, or as good as endless.
fn count(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn bytes_in(rate: u32, time: Duration) -> u64 {
    let bytes = u128::from(rate) * time.as_micros() / 1_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// How many bytes stand before `marker`, and whether it is there. A beginning of it at the end counts as it.
fn split_before(bytes: &[u8], marker: &[u8]) -> (usize, bool) {
    for start in 0..bytes.len() {
        let rest = &bytes[start..];
        if rest.starts_with(marker) {
            return (start, true);
        }
        if marker.starts_with(rest) {
            return (start, false);
        }
    }
    (bytes.len(), false)
}

/// The texts that are looked for are short and come in one piece.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len(), "lengths are announced before");
    let mut at = 0;
    while at + from.len() <= bytes.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            at += to.len();
        } else {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::Cut;

    const MS: Duration = Duration::from_millis(1);

    fn filled(flow: Flow, bytes: &[u8]) -> (Pipe, Instant) {
        let now = Instant::now();
        let mut pipe = Pipe::new(flow, now);
        pipe.push(bytes, now);
        (pipe, now)
    }

    #[test]
    fn everything_before_the_marker_passes_and_its_beginning_waits() {
        assert_eq!(split_before(b"abcMARKdef", b"MARK"), (3, true));
        assert_eq!(split_before(b"abcMA", b"MARK"), (3, false));
        assert_eq!(split_before(b"abcMAx", b"MARK"), (6, false));
        assert_eq!(split_before(b"M", b"MARK"), (0, false));
    }

    #[test]
    fn each_occurrence_is_replaced_and_no_other_byte() {
        let mut bytes = *b"S::60:a::60:";
        replace(&mut bytes, b"::60:", b":1:1:");
        assert_eq!(&bytes, b"S:1:1:a:1:1:");
        let mut bytes = *b"::6";
        replace(&mut bytes, b"::60:", b":1:1:");
        assert_eq!(&bytes, b"::6");
    }

    #[test]
    fn a_cut_comes_right_behind_its_byte() {
        let cut = Then::Cut(Cut::Fin);
        let (mut pipe, now) = filled(Flow::Until(Place::Byte(5), cut), b"abc");
        assert_eq!(
            pipe.step(now),
            Step {
                pass: 3,
                then: None
            }
        );
        pipe.passed(3);
        pipe.push(b"def", now);
        let step = pipe.step(now);
        assert_eq!((step.pass, step.then), (2, Some(cut)));
        let (pipe, now) = filled(Flow::Until(Place::Byte(0), cut), b"");
        assert_eq!(pipe.step(now).then, Some(cut));
    }

    #[test]
    fn a_head_passes_whole_before_what_follows_behind_it() {
        let flow = Flow::Until(Place::Behind(b"\r\n\r\n".to_vec()), Then::Swallow);
        let (pipe, now) = filled(flow, b"HTTP/1.1 101 x\r\n\r\n\x81");
        let step = pipe.step(now);
        assert_eq!((step.pass, step.then), (18, Some(Then::Swallow)));
    }

    #[test]
    fn late_bytes_pass_when_their_time_has_come() {
        let (mut pipe, now) = filled(Flow::Late(10 * MS), b"abc");
        pipe.push(b"d", now + 5 * MS);
        assert_eq!(pipe.step(now + 9 * MS).pass, 0);
        assert_eq!(pipe.deadline(), Some(now + 10 * MS));
        assert_eq!(pipe.step(now + 10 * MS).pass, 3);
        pipe.passed(3);
        assert_eq!(pipe.deadline(), Some(now + 15 * MS));
        assert_eq!(pipe.step(now + 15 * MS).pass, 1);
    }

    #[test]
    fn a_rate_is_kept_and_small_writes_stay_whole() {
        let (mut pipe, now) = filled(Flow::Slow(1000), &[b'x'; 300]);
        pipe.push(&[b'y'; 3000], now);
        assert_eq!(pipe.step(now + 299 * MS).pass, 0);
        assert_eq!(pipe.deadline(), Some(now + 300 * MS));
        assert_eq!(pipe.step(now + 300 * MS).pass, 300);
        pipe.passed(300);
        assert_eq!(pipe.step(now + 1747 * MS).pass, 0);
        assert_eq!(pipe.step(now + 1748 * MS).pass, 1448);
        pipe.passed(1448);
        assert_eq!(pipe.deadline(), Some(now + 3196 * MS));
    }

    #[test]
    fn a_connection_with_a_hole_cannot_go_on() {
        let (mut pipe, now) = filled(Flow::Swallowed, b"abc");
        assert!(!pipe.set(Flow::Free, now));
        let (mut pipe, now) = filled(Flow::Swallowed, b"");
        assert!(pipe.set(Flow::Free, now), "nothing was lost");
        let (mut pipe, now) = filled(Flow::Frozen, b"abc");
        assert!(pipe.set(Flow::Free, now));
        assert_eq!(pipe.step(now).pass, 3);
    }
}
