//! How quickly a server answers bursts, and how large they may be for that.
//!
//! What is paced for is one implementation, in JavaScript. It spends microseconds on each frame: on the machine where this
//! was measured at least 8 (0.9.19 on Node 20, messages that nobody listens to, 200 at once), 13 and more for an event,
//! and twice that on Node 0.10. A server that takes less than [`FRAME`] is another one, and gets larger bursts.
//!
//! That is judged by two bursts together, from the first frame of one to the answer of the other: with two on their way,
//! both acks may be read at once. The time includes what the frames waited for, and how long the client took to send
//! them and to read the acks, so a server never seems quicker than it is. A size that was not earned is lost again: the
//! larger the bursts are, the less the way matters.

use std::time::{Duration, Instant};

use super::{LARGEST, SMALLEST};

/// A quick server answers in so much time for the way there and back, on one machine.
const WAY: Duration = Duration::from_micros(60);

/// And in so much for each frame.
const FRAME: Duration = Duration::from_micros(2);

/// How many times longer an answer may take before larger bursts are given up: machines do other things, too.
const SLACK: u32 = 2;

/// What is known of a server's quickness.
#[derive(Debug)]
pub(super) struct Quickness {
    size: u32,
    /// The first burst of a trial, once it is answered: when its first frame was sent, and how many it had.
    first: Option<(Instant, u32)>,
    /// When the last trial ended.
    judged: Option<Instant>,
}

impl Quickness {
    pub(super) fn new() -> Self {
        Self {
            size: SMALLEST,
            first: None,
            judged: None,
        }
    }

    /// How many frames a burst may have.
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    /// A burst of `frames`, the first of them sent when it `began`, was answered.
    pub(super) fn answered(&mut self, began: Instant, frames: u32, now: Instant) {
        let Some((first_began, first_frames)) = self.first.take() else {
            // Not one that was under way when the size changed.
            if self.judged.is_none_or(|judged| judged <= began) {
                self.first = Some((began, frames));
            }
            return;
        };
        self.judged = Some(now);
        let took = now.saturating_duration_since(first_began);
        let quick = WAY + FRAME * (first_frames + frames);
        if took < quick {
            self.size = LARGEST.min(2 * self.size);
        } else if took > SLACK * quick {
            self.size = SMALLEST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that takes as long for each frame.
    struct Server {
        quickness: Quickness,
        now: Instant,
        way: Duration,
        frame: Duration,
    }

    impl Server {
        fn new(way: u64, frame: u64) -> Self {
            Self {
                quickness: Quickness::new(),
                now: Instant::now(),
                way: Duration::from_micros(way),
                frame: Duration::from_micros(frame),
            }
        }

        /// Two bursts are sent, and both acks read at once. Returns the size that follows.
        fn two_at_once(&mut self) -> u32 {
            let (began, size) = (self.now, self.quickness.size());
            self.now += self.way + self.frame * 2 * size;
            for _ in 0..2 {
                self.quickness.answered(began, size, self.now);
            }
            self.quickness.size()
        }

        /// Each ack is read alone, and the next burst sent behind it, while another is under way. Returns the sizes.
        fn in_turns(&mut self, times: usize) -> Vec<u32> {
            let mut under_way = std::collections::VecDeque::from([(self.now, SMALLEST); 2]);
            let turn = |_| {
                let (began, frames) = under_way.pop_front().unwrap();
                self.now += self.way / 2 + self.frame * frames;
                self.quickness.answered(began, frames, self.now);
                under_way.push_back((self.now, self.quickness.size()));
                self.quickness.size()
            };
            (0..times).map(turn).collect()
        }
    }

    #[test]
    fn bursts_grow_for_a_quick_server() {
        let mut server = Server::new(40, 1);
        let sizes: Vec<_> = (0..5).map(|_| server.two_at_once()).collect();
        assert_eq!(sizes, [32, 64, 128, LARGEST, LARGEST]);
        let sizes = Server::new(40, 1).in_turns(20);
        assert_eq!(sizes.last(), Some(&LARGEST), "{sizes:?}");
    }

    #[test]
    fn javascript_is_not_quick_however_short_the_way() {
        for frame in [4, 8, 13] {
            let mut server = Server::new(0, frame);
            for _ in 0..100 {
                assert_eq!(server.two_at_once(), SMALLEST, "{frame} µs");
            }
            let sizes = Server::new(0, frame).in_turns(100);
            assert!(sizes.iter().all(|size| *size == SMALLEST), "{frame} µs");
        }
    }

    #[test]
    fn what_was_not_earned_is_lost() {
        let mut server = Server::new(40, 1);
        server.two_at_once();
        server.two_at_once();
        server.frame = Duration::from_micros(8);
        assert_eq!(server.two_at_once(), SMALLEST);
    }

    #[test]
    fn a_machine_that_did_something_else_for_a_moment_changes_nothing() {
        let mut server = Server::new(40, 1);
        for _ in 0..4 {
            server.two_at_once();
        }
        server.now += Duration::from_secs(1);
        server.way = Duration::from_millis(1);
        assert_eq!(server.two_at_once(), LARGEST);
    }

    #[test]
    fn what_waited_for_the_end_of_its_burst_proves_nothing() {
        let mut quickness = Quickness::new();
        let mut now = Instant::now();
        // The last frame of each burst comes long after the first, which was read meanwhile.
        for _ in 0..10 {
            let began = now;
            now += Duration::from_millis(16);
            quickness.answered(began, SMALLEST, now + WAY);
        }
        assert_eq!(quickness.size(), SMALLEST);
    }
}
