//! Emits that leave together.

use std::time::{Duration, Instant};

use mio::Token;
use sio_core::manager::{Emit, NamespaceId};

use super::Waiter;

/// An emit that follows another one within this time is gathered with what follows it. One after a longer pause leaves at
/// once.
const CLOSELY: Duration = Duration::from_micros(50);

/// How many are gathered, and how many bytes of them, before whoever emits sends them itself.
const EMITS: usize = 256;
const BYTES: usize = 64 << 10;

/// The largest list whose memory is kept.
const KEPT: usize = EMITS;

pub(super) type Emits = Vec<(NamespaceId, Emit<Waiter>)>;

/// Emits that wait for whoever has the link, or has been asked to take it.
#[derive(Default)]
pub(super) struct Burst {
    emits: Emits,
    bytes: usize,
    /// When something was last emitted.
    last: Option<Instant>,
    /// Whom to ask for a turn.
    pub(super) token: Option<Token>,
}

impl Burst {
    pub(super) fn is_empty(&self) -> bool {
        self.emits.is_empty()
    }

    /// What the emits' payloads take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_full(&self) -> bool {
        self.emits.len() >= EMITS || self.bytes >= BYTES
    }

    /// Something is emitted now. Whether it follows closely on another one.
    pub(super) fn follows(&mut self, now: Instant) -> bool {
        let last = self.last.replace(now);
        last.is_some_and(|last| now.saturating_duration_since(last) < CLOSELY)
    }

    pub(super) fn push(&mut self, id: NamespaceId, emit: Emit<Waiter>) {
        self.bytes += emit.payload.size();
        self.emits.push((id, emit));
    }

    /// Moves the emits behind those in `emits`.
    pub(super) fn take(&mut self, emits: &mut Emits) {
        self.bytes = 0;
        if emits.is_empty() {
            std::mem::swap(&mut self.emits, emits);
        } else {
            emits.append(&mut self.emits);
        }
        if self.emits.capacity() > KEPT {
            self.emits = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use sio_core::Encoded;
    use sio_core::manager::ROOT_ID;

    use super::*;

    fn emit(size: usize) -> Emit<Waiter> {
        Emit::new(Encoded::event("e", &"x".repeat(size)).unwrap())
    }

    #[test]
    fn only_what_comes_soon_after_another_emit_follows_it() {
        let start = Instant::now();
        let mut burst = Burst::default();
        assert!(!burst.follows(start));
        assert!(burst.follows(start + CLOSELY / 2));
        assert!(burst.follows(start + CLOSELY), "soon after the last one");
        assert!(!burst.follows(start + 2 * CLOSELY));
    }

    #[test]
    fn it_is_full_with_many_emits_or_with_many_bytes() {
        let mut burst = Burst::default();
        for _ in 0..EMITS {
            assert!(!burst.is_full());
            burst.push(ROOT_ID, emit(1));
        }
        assert!(burst.is_full());
        let mut taken = Vec::new();
        burst.take(&mut taken);
        assert_eq!(taken.len(), EMITS);
        assert!(burst.is_empty() && !burst.is_full());
        burst.push(ROOT_ID, emit(BYTES));
        assert!(burst.is_full());
    }

    #[test]
    fn what_is_taken_stands_behind_what_was_taken_before() {
        let mut burst = Burst::default();
        let mut taken = Vec::new();
        for size in [1, 2, 3] {
            burst.push(ROOT_ID, emit(size));
            burst.take(&mut taken);
        }
        let sizes: Vec<usize> = taken.iter().map(|(_, emit)| emit.payload.size()).collect();
        assert_eq!(sizes, [9, 10, 11]);
    }
}
