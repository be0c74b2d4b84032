//! What was read from a connection and is not understood yet.

use std::io::{self, Read};

/// The largest head of an answer, and what is read of a body at once.
pub(super) const BUFFER: usize = 16 << 10;

/// As much as most answers have. This is kept between them.
const SMALL: usize = 1 << 10;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Unread {
    memory: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether the last read filled it.
    was_filled: bool,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the answer's head, or a line between its chunks, is larger than the limit of {BUFFER} bytes"
)]
pub(super) struct HeadTooLarge;

impl Unread {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// So many of them are understood.
    pub(super) fn take(&mut self, count: usize) {
        self.start += count;
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads more, once. No bytes are the end.
    pub(super) fn read(&mut self, from: &mut impl Read) -> io::Result<usize> {
        self.memory.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.memory.is_empty() {
            self.memory.resize(SMALL, 0);
        } else if self.was_filled && self.memory.len() < BUFFER {
            self.memory.resize(BUFFER, 0);
        }
        let room = &mut self.memory[self.end..];
        if room.is_empty() {
            // What fills it has no end in sight.
            return Err(io::Error::other(HeadTooLarge));
        }
        let size = room.len();
        let count = loop {
            match from.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.was_filled = count == size;
        self.end += count;
        Ok(count)
    }

    /// The answer is read: what was needed for a large one is given back.
    pub(super) fn shrink(&mut self) {
        if self.is_empty() && self.memory.len() > SMALL {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_stays_in_front_of_what_is_read_behind_it() {
        let text: Vec<u8> = (0..=u8::MAX).cycle().take(3 * SMALL).collect();
        let mut from = &text[..];
        let mut unread = Unread::default();
        let mut seen = Vec::new();
        while unread.read(&mut from).unwrap() > 0 {
            // All but the last bytes.
            let known = unread.bytes().len() - 3;
            seen.extend_from_slice(&unread.bytes()[..known]);
            unread.take(known);
        }
        seen.extend_from_slice(unread.bytes());
        assert_eq!(seen, text);
    }

    #[test]
    fn it_grows_to_its_limit_and_no_further() {
        let mut unread = Unread::default();
        let error = loop {
            match unread.read(&mut io::repeat(b'x')) {
                Ok(count) => assert!(count > 0),
                Err(error) => break error,
            }
        };
        assert_eq!(unread.bytes().len(), BUFFER);
        assert!(
            error
                .get_ref()
                .is_some_and(|error| error.is::<HeadTooLarge>())
        );
        unread.take(BUFFER);
        unread.shrink();
        assert_eq!(unread.memory.capacity(), 0);
    }
}
