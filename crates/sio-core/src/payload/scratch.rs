//! The memory that arguments are written into, which each thread keeps for the next ones.

use std::cell::Cell;
use std::str::Utf8Error;

use super::escape::to_ascii;

/// More memory than this is not kept.
const KEPT: usize = 16 << 10;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An empty buffer that has grown already. So a text is allocated once, as large as it has become.
///
/// Where arguments are written while others are (by a `Serialize` of the program's), the inner ones start with no memory.
pub(super) struct Scratch(Vec<u8>);

impl Scratch {
    pub(super) fn new() -> Self {
        // A thread that is about to end has given its memory up.
        Self(SPARE.try_with(Cell::take).unwrap_or_default())
    }

    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// The JSON that was written, as ASCII, with as much memory behind it as is asked for.
    #[inline]
    pub(super) fn into_ascii(mut self, room: usize) -> Result<String, Utf8Error> {
        let text = to_ascii(std::str::from_utf8(&self.0)?, room)?;
        if self.0.capacity() <= KEPT {
            self.0.clear();
            // As above.
            let _ = SPARE.try_with(|spare| spare.set(self.0));
        }
        Ok(text)
    }
}
