//! Emits of one namespace that wait for the connection.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Instant;

use super::{Ask, Emit, Expiry, Origin};
use crate::bounds::Bounds;

/// Emits in the order they were made; each may expire.
#[derive(Debug)]
pub(super) struct Queue<W> {
    next: u64,
    entries: BTreeMap<u64, Entry<W>>,
    expiries: BTreeSet<(Instant, u64)>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<W> {
    emit: Emit<W>,
    expiry: Option<Expiry>,
    bytes: usize,
}

impl<W> Queue<W> {
    pub(super) fn new() -> Self {
        Self {
            next: 0,
            entries: BTreeMap::new(),
            expiries: BTreeSet::new(),
            bytes: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Emit<W>> {
        self.entries.values().map(|entry| &entry.emit)
    }

    /// Whether another emit fits.
    pub(super) fn fits(&self, emit: &Emit<W>, bounds: &Bounds) -> bool {
        bounds.hold(self.len() + 1, self.bytes + emit.payload.size())
    }

    pub(super) fn push(&mut self, emit: Emit<W>) {
        let entry = Entry {
            expiry: emit.expiry(),
            bytes: emit.payload.size(),
            emit,
        };
        if let Some(expiry) = entry.expiry {
            self.expiries.insert((expiry.at, self.next));
        }
        self.bytes += entry.bytes;
        self.entries.insert(self.next, entry);
        self.next += 1;
    }

    /// What has waited longest.
    pub(super) fn pop(&mut self) -> Option<Emit<W>> {
        let (number, entry) = self.entries.pop_first()?;
        Some(self.forget(number, entry))
    }

    /// If a handler waits for the ack of something here, what handlers emitted, in order.
    pub(super) fn take_of_waiting_handler(&mut self) -> Vec<Emit<W>> {
        let waits = |emit: &Emit<W>| emit.origin == Origin::WaitingHandler;
        if !self.iter().any(waits) {
            return Vec::new();
        }
        let of_handlers = |emit: &Emit<W>| emit.origin != Origin::Program;
        let numbers: Vec<u64> = self
            .entries
            .iter()
            .filter(|(_, entry)| of_handlers(&entry.emit))
            .map(|(&number, _)| number)
            .collect();
        let mut taken = Vec::with_capacity(numbers.len());
        for number in numbers {
            if let Some(entry) = self.entries.remove(&number) {
                taken.push(self.forget(number, entry));
            }
        }
        taken
    }

    /// Everything, in order.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Emit<W>> + use<W> {
        self.expiries.clear();
        self.bytes = 0;
        mem::take(&mut self.entries)
            .into_values()
            .map(|entry| entry.emit)
    }

    /// One emit that has waited too long; it is never sent.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(Option<Ask<W>>, Expiry)> {
        let &(at, number) = self.expiries.first()?;
        if at > now {
            return None;
        }
        let entry = self.entries.remove(&number)?;
        let expiry = entry.expiry?;
        Some((self.forget(number, entry).ask, expiry))
    }

    /// When the next emit will have waited too long.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.expiries.first().map(|&(at, _)| at)
    }

    fn forget(&mut self, number: u64, entry: Entry<W>) -> Emit<W> {
        if let Some(expiry) = entry.expiry {
            self.expiries.remove(&(expiry.at, number));
        }
        self.bytes -= entry.bytes;
        entry.emit
    }
}
