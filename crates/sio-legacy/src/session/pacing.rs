//! How many frames may be on their way to a server's WebSocket.
//!
//! A 0.9 server handles the frames that one read of its socket brought in a recursion: about 1,000 of them overflow its
//! stack, and the process dies (0.9.19; 500 survive). From 0.9.17 on it also counts what waits in that recursion again and
//! again against the connection's input budget. How much a read brings is not the client's choice alone, for the system
//! gathers what a busy server has not read. So every [`BURST`] frames a noop packet follows that asks for a plain ack,
//! which every 0.9 server answers in order; not more than [`BURSTS_AHEAD`] of them may be unanswered.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many frames are sent between two noop packets.
pub(super) const BURST: u32 = 200;

/// How many bursts may be on their way.
pub(super) const BURSTS_AHEAD: usize = 2;

/// How long a full window waits for the server's ack before it lets one more burst go, or, if the server has sent other
/// things meanwhile, gives up pacing: then it is one that acknowledges nothing without data.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The first number of the noop packets: far above those of the program's acks.
const FIRST_ID: u64 = 1 << 40;

/// The window of one WebSocket.
#[derive(Debug)]
pub(super) struct Pacing {
    next_id: u64,
    /// Frames since the last noop packet.
    sent: u32,
    /// The noop packets that were not answered yet.
    unanswered: VecDeque<u64>,
    /// Since when the window is full.
    full_since: Option<Instant>,
    /// Whether something else came since then.
    heard: bool,
    answered_once: bool,
    off: bool,
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
            sent: 0,
            unanswered: VecDeque::with_capacity(BURSTS_AHEAD),
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
    pub(super) fn sent(&mut self, now: Instant) -> Option<u64> {
        self.sent += 1;
        if self.off || self.sent < BURST {
            return None;
        }
        self.sent = 0;
        let id = self.next_id;
        self.next_id += 1;
        self.unanswered.push_back(id);
        if !self.may_send() && self.full_since.is_none() {
            self.full_since = Some(now);
            self.heard = false;
        }
        Some(id)
    }

    /// An ack came; whether it answers a noop packet.
    pub(super) fn answered(&mut self, id: u64) -> bool {
        if id < FIRST_ID || id >= self.next_id {
            return false;
        }
        // Acks come in order, so it answers the earlier ones too.
        self.unanswered.retain(|&other| other > id);
        self.answered_once = true;
        if self.may_send() {
            self.full_since = None;
        }
        true
    }

    /// Something else came from the server.
    pub(super) fn heard(&mut self) {
        self.heard = true;
    }

    /// Time has passed.
    pub(super) fn wait(&mut self, now: Instant) -> Waited {
        let Some(since) = self.full_since else {
            return Waited::NotYet;
        };
        if self.answered_once || now < since + PATIENCE {
            return Waited::NotYet;
        }
        if self.heard {
            self.off = true;
            self.full_since = None;
            self.unanswered.clear();
            return Waited::GaveUp;
        }
        self.unanswered.pop_front();
        self.full_since = None;
        Waited::OneMore
    }

    /// When [`wait`](Self::wait) is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // A server that has answered once will answer; its silence is the session's business.
        let since = self.full_since.filter(|_| !self.answered_once)?;
        Some(since + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends until the window is full; returns how many frames, and the noop packets' numbers.
    fn fill(pacing: &mut Pacing, now: Instant) -> (u32, Vec<u64>) {
        let (mut frames, mut ids) = (0, Vec::new());
        while pacing.may_send() && frames < 10_000 {
            frames += 1;
            ids.extend(pacing.sent(now));
        }
        (frames, ids)
    }

    #[test]
    fn a_full_window_waits_for_the_server_s_ack() {
        let now = Instant::now();
        let mut pacing = Pacing::new();
        let (frames, ids) = fill(&mut pacing, now);
        assert_eq!(frames, 2 * BURST);
        assert_eq!(ids, [FIRST_ID, FIRST_ID + 1]);
        assert!(pacing.answered(ids[0]));
        let (frames, more) = fill(&mut pacing, now);
        assert_eq!(frames, BURST, "one burst for each ack");
        assert!(pacing.answered(more[0]), "the last answers all before it");
        assert_eq!(fill(&mut pacing, now).0, 2 * BURST);
    }

    #[test]
    fn other_acks_are_not_its_own() {
        let mut pacing = Pacing::new();
        fill(&mut pacing, Instant::now());
        assert!(!pacing.answered(1));
        assert!(!pacing.answered(FIRST_ID + 2), "never asked for");
        assert!(!pacing.may_send());
    }

    #[test]
    fn a_server_that_answers_nothing_gets_one_burst_at_a_time() {
        let mut now = Instant::now();
        let mut pacing = Pacing::new();
        fill(&mut pacing, now);
        assert_eq!(pacing.deadline(), Some(now + PATIENCE));
        assert_eq!(pacing.wait(now), Waited::NotYet);
        for _ in 0..3 {
            now += PATIENCE;
            assert_eq!(pacing.wait(now), Waited::OneMore);
            assert_eq!(fill(&mut pacing, now).0, BURST);
        }
    }

    #[test]
    fn a_server_that_sends_other_things_but_no_acks_is_not_paced() {
        let now = Instant::now();
        let mut pacing = Pacing::new();
        fill(&mut pacing, now);
        pacing.heard();
        assert_eq!(pacing.wait(now + PATIENCE), Waited::GaveUp);
        assert_eq!(fill(&mut pacing, now), (10_000, Vec::new()));
    }

    #[test]
    fn a_server_that_answered_once_is_waited_for() {
        let now = Instant::now();
        let mut pacing = Pacing::new();
        let (_, ids) = fill(&mut pacing, now);
        pacing.answered(ids[1]);
        fill(&mut pacing, now);
        pacing.heard();
        assert_eq!(pacing.deadline(), None);
        assert_eq!(pacing.wait(now + 100 * PATIENCE), Waited::NotYet);
    }
}
