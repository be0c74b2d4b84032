//! The acks a namespace waits for: each has exactly one outcome.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::{Duration, Instant};

use crate::manager::Expiry;
use crate::session::AckId;

/// The acks asked for in one namespace. `W` is whoever waits.
///
/// Numbers count on for the life of the table, also over reconnects, so that an ack of an earlier session cannot
/// match a later question.
#[derive(Debug)]
pub(crate) struct AckTable<W> {
    next: AckId,
    pending: HashMap<AckId, Pending<W>, BuildHasherDefault<Spread>>,
    /// In the order of the deadlines. The first one is pending; others may have been answered.
    deadlines: VecDeque<(Instant, AckId)>,
}

/// Hashes our own numbers, which count up: nobody else chooses which ones are in the table.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio: it spreads what counts up over all bits.
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Debug)]
struct Pending<W> {
    waiter: W,
    expiry: Expiry,
}

impl<W> AckTable<W> {
    pub(crate) fn new(first: AckId) -> Self {
        Self {
            next: first,
            pending: HashMap::default(),
            deadlines: VecDeque::new(),
        }
    }

    /// Registers a question; returns its number.
    pub(crate) fn ask(&mut self, waiter: W, expiry: Expiry) -> AckId {
        let id = self.next;
        self.next += 1;
        self.note((expiry.at, id));
        self.pending.insert(id, Pending { waiter, expiry });
        id
    }

    /// Most questions have the same limit, so most deadlines come in order.
    fn note(&mut self, deadline: (Instant, AckId)) {
        if self.deadlines.len() > 2 * self.pending.len() + 64 {
            self.deadlines
                .retain(|(_, id)| self.pending.contains_key(id));
        }
        if self.deadlines.back().is_none_or(|last| *last < deadline) {
            self.deadlines.push_back(deadline);
        } else {
            let place = self.deadlines.partition_point(|other| *other < deadline);
            self.deadlines.insert(place, deadline);
        }
    }

    /// The first deadline is of a question that is pending, again.
    fn pass_over_answered(&mut self) {
        while let Some((_, id)) = self.deadlines.front()
            && !self.pending.contains_key(id)
        {
            self.deadlines.pop_front();
        }
    }

    /// An ack arrived. `None` if nobody waits: it is late, doubled, or was never asked for.
    pub(crate) fn answer(&mut self, id: AckId) -> Option<W> {
        let entry = self.pending.remove(&id)?;
        self.pass_over_answered();
        Some(entry.waiter)
    }

    /// One waiter whose deadline has passed, with the length of its deadline.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<(W, Duration)> {
        let &(deadline, id) = self.deadlines.front()?;
        if deadline > now {
            return None;
        }
        let entry = self.pending.remove(&id)?;
        self.pass_over_answered();
        Some((entry.waiter, entry.expiry.after))
    }

    /// When the next waiter's deadline passes.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|&(deadline, _)| deadline)
    }

    /// Every waiter, in the order of asking; none is left behind.
    pub(crate) fn drain(&mut self) -> Vec<W> {
        self.deadlines.clear();
        let mut all: Vec<_> = self.pending.drain().collect();
        all.sort_unstable_by_key(|&(id, _)| id);
        all.into_iter().map(|(_, entry)| entry.waiter).collect()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn numbers_count_on_and_each_answer_goes_to_its_asker() {
        let now = Instant::now();
        let mut table = AckTable::new(0);
        assert_eq!(table.ask("a", Expiry::new(now, SECOND)), 0);
        assert_eq!(table.ask("b", Expiry::new(now, SECOND)), 1);
        assert_eq!(table.answer(1), Some("b"));
        assert_eq!(table.answer(1), None, "a doubled ack finds nobody");
        assert_eq!(table.answer(7), None, "an ack never asked for finds nobody");
        assert_eq!(table.drain(), ["a"]);
        assert_eq!(table.ask("c", Expiry::new(now, SECOND)), 2);
    }

    #[test]
    fn expiry_is_in_the_order_of_deadlines_and_final() {
        let now = Instant::now();
        let mut table = AckTable::new(1);
        let late = table.ask("late", Expiry::new(now, 2 * SECOND));
        let soon = table.ask("soon", Expiry::new(now, SECOND));
        assert_eq!(table.next_deadline(), Some(now + SECOND));
        assert_eq!(table.expire(now), None);
        assert_eq!(table.expire(now + SECOND), Some(("soon", SECOND)));
        assert_eq!(table.answer(soon), None, "a late ack finds nobody");
        assert_eq!(table.answer(late), Some("late"));
        assert_eq!(table.next_deadline(), None);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn a_question_that_stays_open_keeps_nothing_of_those_answered_since() {
        let now = Instant::now();
        let mut table = AckTable::new(0);
        let open = table.ask("open", Expiry::new(now, SECOND));
        for _ in 0..10_000 {
            let id = table.ask("short", Expiry::new(now, 2 * SECOND));
            assert_eq!(table.answer(id), Some("short"));
        }
        assert!(table.deadlines.len() < 100, "{}", table.deadlines.len());
        let soon = table.ask("soon", Expiry::new(now, SECOND / 2));
        assert_eq!(table.next_deadline(), Some(now + SECOND / 2));
        assert_eq!(table.answer(soon), Some("soon"));
        assert_eq!(table.next_deadline(), Some(now + SECOND));
        assert_eq!(table.answer(open), Some("open"));
        assert_eq!(table.next_deadline(), None);
    }
}
