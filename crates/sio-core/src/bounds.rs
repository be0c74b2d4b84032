//! How much may wait in a queue, and what gives way when it is full.

/// How much may wait in a queue, and what gives way when it is full.
///
/// ```
/// use sio_core::{Bounds, Overflow};
///
/// let latest_only = Bounds::default().count(1).overflow(Overflow::DropOldest);
/// let none = Bounds::default().count(0);
/// # let _ = (latest_only, none);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// The most entries. None at all means that there is no queue.
    pub count: usize,
    /// The most bytes of their payloads together, attachments included.
    pub bytes: usize,
    /// What gives way.
    pub overflow: Overflow,
}

/// What gives way when a queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// Nothing: it is an error.
    Error,
    /// What has waited longest.
    DropOldest,
    /// What comes.
    DropNewest,
}

impl Default for Bounds {
    /// 10,000 entries, 64 MiB, an error beyond: what emits wait in.
    fn default() -> Self {
        Self {
            count: 10_000,
            bytes: 64 << 20,
            overflow: Overflow::Error,
        }
    }
}

impl Bounds {
    /// 100,000 entries, 256 MiB, the newest given up: what events wait in for handlers and receivers. It has room for
    /// several messages of the [largest size](crate::Limits::message_bytes).
    #[must_use]
    pub fn inbox() -> Self {
        Self {
            count: 100_000,
            bytes: 256 << 20,
            overflow: Overflow::DropNewest,
        }
    }

    /// Sets [`count`](Self::count).
    #[must_use]
    pub fn count(mut self, entries: usize) -> Self {
        self.count = entries;
        self
    }

    /// Sets [`bytes`](Self::bytes).
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets [`overflow`](Self::overflow).
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Whether so much may wait.
    #[must_use]
    pub fn hold(&self, count: usize, bytes: usize) -> bool {
        count <= self.count && bytes <= self.bytes
    }
}
