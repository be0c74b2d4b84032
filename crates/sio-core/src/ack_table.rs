//! The acks a namespace waits for: each has exactly one outcome.

use std::collections::{BTreeSet, HashMap};
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
    pending: HashMap<AckId, Pending<W>>,
    deadlines: BTreeSet<(Instant, AckId)>,
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
            pending: HashMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Registers a question; returns its number.
    pub(crate) fn ask(&mut self, waiter: W, expiry: Expiry) -> AckId {
        let id = self.next;
        self.next += 1;
        self.deadlines.insert((expiry.at, id));
        self.pending.insert(id, Pending { waiter, expiry });
        id
    }

    /// An ack arrived. `None` if nobody waits: it is late, doubled, or was never asked for.
    pub(crate) fn answer(&mut self, id: AckId) -> Option<W> {
        let entry = self.pending.remove(&id)?;
        self.deadlines.remove(&(entry.expiry.at, id));
        Some(entry.waiter)
    }

    /// One waiter whose deadline has passed, with the length of its deadline.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<(W, Duration)> {
        let &(deadline, id) = self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        self.deadlines.pop_first();
        let entry = self.pending.remove(&id)?;
        Some((entry.waiter, entry.expiry.after))
    }

    /// When the next waiter's deadline passes.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
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
}
