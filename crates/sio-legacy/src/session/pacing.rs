//! How many frames may be on their way to a server's WebSocket.
//!
//! A 0.9 server handles the frames that one read of its socket brought in a recursion. That has two costs:
//!
//! - some 800 small frames in one read overflow the stack, and the process dies (0.9.18 and 0.9.19 on Node 20; 1,400 on
//!   Node 0.10);
//! - from 0.9.17 on, the server counts the bytes of a connection for its whole life, and disconnects the client beyond
//!   `destroy buffer size` (100 MB by default). For each part of each frame it counts *all that is left* of the read:
//!   `k` frames in one read cost about 2 (k + 1) times their bytes.
//!
//! How much a read brings is not the client's choice alone, for the system gathers what a busy server has not read yet. So
//! behind each *burst* of frames a noop packet follows that asks for a plain ack, which every 0.9 server gives in order, and
//! not more than [`BURSTS_AHEAD`] of them may be unanswered. Bursts are as small as the way to the server allows: where
//! an answer takes long, larger ones keep the rate up. They are larger, too, for servers that answer more quickly than any
//! that all this is about: see [`quickness`].
//!
//! Measured on 0.9.19 with frames of 1 kB: unpaced it disconnects after 0.8 MB; in bursts of 10 after 4.5 MB; with each
//! frame read alone after 24 MB.

mod quickness;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use self::quickness::Quickness;

/// How many frames a burst has at least.
pub(super) const SMALLEST: u32 = 16;

/// How many frames a burst has at most.
pub(super) const LARGEST: u32 = 200;

/// How much larger a burst becomes with each millisecond that an answer takes.
const PER_MILLISECOND: u32 = 4;

/// How many bytes a burst has at most for each of its frames, unless a single frame has more.
const BYTES_PER_FRAME: u64 = 1024;

/// How many bursts may be on their way.
pub(super) const BURSTS_AHEAD: usize = 2;

/// How long a full window waits for the first ack before it lets one more burst go: slowly enough for a server that is
/// busy, and quickly enough for one that acknowledges nothing without data.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);

/// After how long without the first ack a server that has sent other things meanwhile is not paced any more.
pub(super) const GIVE_UP: Duration = Duration::from_secs(2);

/// The first number of the noop packets: far above those of the program's acks.
const FIRST_ID: u64 = 1 << 40;

/// How often a server counts each byte of a frame that it reads alone.
const COUNTED: u64 = 4;

/// The window of one WebSocket.
#[derive(Debug)]
pub(super) struct Pacing {
    next_id: u64,
    /// How many frames a burst has now.
    size: u32,
    quickness: Quickness,
    /// Frames since the last noop packet, their bytes, and when the first was sent.
    frames: u32,
    bytes: u64,
    began: Option<Instant>,
    unanswered: VecDeque<Burst>,
    /// What the bursts before may have cost of the server's input budget, each being read at once.
    spent: u64,
    /// When the window became full for the first time, and for the last time; `None` while it is not.
    first_full: Option<Instant>,
    full_since: Option<Instant>,
    /// Whether something else came since it was full for the first time.
    heard: bool,
    answered_once: bool,
    off: bool,
}

/// Frames with a noop packet behind them that was not answered yet.
#[derive(Debug)]
struct Burst {
    id: u64,
    frames: u32,
    /// When the first frame was sent, and when the noop packet.
    began: Instant,
    ended: Instant,
}

/// What came of waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// It is not time yet.
    NotYet,
    /// One more burst may go.
    OneMore,
    /// This server cannot be paced.
    GaveUp,
}

impl Pacing {
    pub(super) fn new() -> Self {
        Self {
            next_id: FIRST_ID,
            size: SMALLEST,
            quickness: Quickness::new(),
            frames: 0,
            bytes: 0,
            began: None,
            unanswered: VecDeque::with_capacity(BURSTS_AHEAD),
            spent: 0,
            first_full: None,
            full_since: None,
            heard: false,
            answered_once: false,
            off: false,
        }
    }

    /// Whether a frame may be sent now.
    pub(super) fn may_send(&self) -> bool {
        self.unanswered.len() < BURSTS_AHEAD
    }

    /// A frame was sent. Returns the number of the noop packet to send behind it, if it is time for one.
    pub(super) fn sent(&mut self, bytes: usize, now: Instant) -> Option<u64> {
        let began = *self.began.get_or_insert(now);
        self.frames += 1;
        self.bytes += bytes as u64;
        let room = BYTES_PER_FRAME * u64::from(self.size);
        if self.off || (self.frames < self.size && self.bytes < room) {
            return None;
        }
        self.spent = self.spent();
        let id = self.next_id;
        self.next_id += 1;
        self.unanswered.push_back(Burst {
            id,
            frames: self.frames,
            began,
            ended: now,
        });
        (self.frames, self.bytes, self.began) = (0, 0, None);
        if !self.may_send() && self.full_since.is_none() {
            self.full_since = Some(now);
            self.first_full.get_or_insert(now);
        }
        Some(id)
    }

    /// An ack came; whether it answers a noop packet.
    pub(super) fn answered(&mut self, id: u64, now: Instant) -> bool {
        if id < FIRST_ID || id >= self.next_id {
            return false;
        }
        // Acks come in order, so it answers the earlier ones too.
        while self.unanswered.front().is_some_and(|first| first.id <= id)
            && let Some(burst) = self.unanswered.pop_front()
        {
            self.quickness.answered(burst.began, burst.frames, now);
            self.fit_size(now.saturating_duration_since(burst.ended));
        }
        self.answered_once = true;
        if self.may_send() {
            self.full_since = None;
        }
        true
    }

    fn fit_size(&mut self, round_trip: Duration) {
        let millis = u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX);
        let size = millis.saturating_mul(PER_MILLISECOND);
        self.size = size.clamp(self.quickness.size(), LARGEST);
    }

    /// Something else came from the server.
    pub(super) fn heard(&mut self) {
        self.heard |= self.first_full.is_some();
    }

    /// Time has passed.
    pub(super) fn wait(&mut self, now: Instant) -> Waited {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Waited::NotYet;
        }
        self.full_since = None;
        if self.heard && self.first_full.is_some_and(|first| now >= first + GIVE_UP) {
            self.off = true;
            self.unanswered.clear();
            return Waited::GaveUp;
        }
        self.unanswered.pop_front();
        Waited::OneMore
    }

    /// When [`wait`](Self::wait) is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // A server that has answered once will answer; its silence is the session's business.
        let since = self.full_since.filter(|_| !self.answered_once)?;
        Some(since + PATIENCE)
    }

    /// What was sent so far may have cost so much of the server's input budget, in bytes: the count of 0.9.17 and later
    /// if each burst was read at once. What a quiet client sends is read in smaller pieces and costs less.
    pub(super) fn spent(&self) -> u64 {
        let at_once = u64::from(self.frames) + 1;
        self.spent + COUNTED * self.bytes * at_once / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: u32 = SMALLEST;
    const FRAME: usize = 10;

    /// Sends until the window is full; returns how many frames, and the noop packets' numbers.
    fn fill(pacing: &mut Pacing, now: Instant) -> (u32, Vec<u64>) {
        let (mut frames, mut ids) = (0, Vec::new());
        while pacing.may_send() && frames < 10_000 {
            frames += 1;
            ids.extend(pacing.sent(FRAME, now));
        }
        (frames, ids)
    }

    #[test]
    fn a_full_window_waits_for_the_server_s_ack() {
        let mut now = Instant::now();
        let mut pacing = Pacing::new();
        let (frames, ids) = fill(&mut pacing, now);
        assert_eq!(frames, 2 * BURST);
        assert_eq!(ids, [FIRST_ID, FIRST_ID + 1]);
        now += Duration::from_millis(1);
        assert!(pacing.answered(ids[0], now));
        let (frames, more) = fill(&mut pacing, now);
        assert_eq!(frames, BURST, "one burst for each ack");
        assert!(
            pacing.answered(more[0], now),
            "the last answers all before it"
        );
        now += Duration::from_millis(1);
        assert_eq!(fill(&mut pacing, now).0, 2 * BURST);
    }

    #[test]
    fn bursts_grow_with_the_time_an_answer_takes_and_shrink_again() {
        let mut now = Instant::now();
        let mut pacing = Pacing::new();
        let mut id = *fill(&mut pacing, now).1.last().unwrap();
        for (millis, size) in [
            (1, SMALLEST),
            (3, SMALLEST),
            (10, 40),
            (10_000, LARGEST),
            (1, SMALLEST),
        ] {
            now += Duration::from_millis(millis);
            assert!(pacing.answered(id, now));
            let (frames, ids) = fill(&mut pacing, now);
            assert_eq!(frames, 2 * size, "{millis} ms");
            id = ids[1];
        }
    }

    #[test]
    fn bursts_grow_for_a_server_that_takes_no_time() {
        let now = Instant::now();
        let mut pacing = Pacing::new();
        let mut frames = 0;
        for _ in 0..4 {
            let (sent, ids) = fill(&mut pacing, now);
            frames = sent;
            assert!(pacing.answered(*ids.last().unwrap(), now));
        }
        assert_eq!(frames, 2 * 8 * SMALLEST);
    }

    #[test]
    fn large_frames_make_short_bursts() {
        let now = Instant::now();
        let mut pacing = Pacing::new();
        assert_eq!(pacing.sent(5_000, now), None);
        assert_eq!(pacing.sent(5_000, now), None);
        assert_eq!(pacing.sent(5_000, now), None);
        assert_eq!(pacing.sent(5_000, now), Some(FIRST_ID));
        assert_eq!(pacing.sent(1_000_000, now), Some(FIRST_ID + 1));
        assert!(!pacing.may_send());
    }

    #[test]
    fn the_budget_is_counted_as_the_server_does_when_it_reads_a_burst_at_once() {
        let now = Instant::now();
        let mut pacing = Pacing::new();
        pacing.sent(100, now);
        assert_eq!(pacing.spent(), 4 * 100);
        pacing.sent(100, now);
        assert_eq!(pacing.spent(), 4 * (200 + 100));
        for _ in 2..SMALLEST {
            pacing.sent(100, now);
        }
        let burst = 4 * 100 * u64::from(SMALLEST * (SMALLEST + 1) / 2);
        assert_eq!(pacing.spent(), burst);
        pacing.sent(100, now);
        assert_eq!(pacing.spent(), burst + 4 * 100);
    }

    #[test]
    fn other_acks_are_not_its_own() {
        let now = Instant::now();
        let mut pacing = Pacing::new();
        fill(&mut pacing, now);
        assert!(!pacing.answered(1, now));
        assert!(!pacing.answered(FIRST_ID + 2, now), "never asked for");
        assert!(!pacing.may_send());
    }

    #[test]
    fn a_server_that_answers_nothing_gets_one_burst_at_a_time() {
        let mut now = Instant::now();
        let mut pacing = Pacing::new();
        fill(&mut pacing, now);
        assert_eq!(pacing.deadline(), Some(now + PATIENCE));
        assert_eq!(pacing.wait(now), Waited::NotYet);
        for _ in 0..20 {
            now += PATIENCE;
            assert_eq!(pacing.wait(now), Waited::OneMore);
            assert_eq!(fill(&mut pacing, now).0, BURST);
        }
        now += GIVE_UP;
        assert_eq!(pacing.wait(now), Waited::OneMore, "it may be busy for long");
    }

    #[test]
    fn a_server_that_sends_other_things_but_no_acks_is_not_paced() {
        let now = Instant::now();
        let mut pacing = Pacing::new();
        pacing.heard();
        fill(&mut pacing, now);
        pacing.heard();
        assert_eq!(
            pacing.wait(now + PATIENCE),
            Waited::OneMore,
            "an answer may be on its way"
        );
        fill(&mut pacing, now + PATIENCE);
        assert_eq!(pacing.wait(now + GIVE_UP), Waited::GaveUp);
        assert_eq!(fill(&mut pacing, now + GIVE_UP), (10_000, Vec::new()));
    }

    #[test]
    fn a_server_that_answered_once_is_waited_for() {
        let now = Instant::now();
        let mut pacing = Pacing::new();
        let (_, ids) = fill(&mut pacing, now);
        pacing.answered(ids[1], now);
        fill(&mut pacing, now);
        pacing.heard();
        assert_eq!(pacing.deadline(), None);
        assert_eq!(pacing.wait(now + 100 * PATIENCE), Waited::NotYet);
    }
}
