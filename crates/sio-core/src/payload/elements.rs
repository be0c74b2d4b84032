//! The elements of a short array, each read on its own: so reading may begin behind the name of an event.

use serde::de::{DeserializeSeed, Error, IgnoredAny, SeqAccess};

/// What is shorter cannot nest deeper than [`MAX_DEPTH`](super::MAX_DEPTH), of which an element alone would not tell.
const SHORT: usize = 2 * super::MAX_DEPTH as usize;

/// The elements behind a place in an array that is written without whitespace before its commas.
///
/// Any other array, and one that is broken, gives an error that says nothing: it is for the whole array's reader to read.
pub(super) struct Elements<'de> {
    rest: &'de str,
    /// Behind the opening bracket.
    at_start: bool,
}

impl<'de> Elements<'de> {
    /// Those that begin at `start` of the array: behind the bracket, or behind an element. Not for 0.
    pub(super) fn new(array: &'de str, start: usize) -> Option<Self> {
        if start == 0 || array.len() > SHORT {
            return None;
        }
        Some(Self {
            rest: array.get(start..)?,
            at_start: start == 1,
        })
    }
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = serde_json::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Self::Error> {
        let element = match self.rest.as_bytes() {
            b"]" => return Ok(None),
            [b',', ..] if !self.at_start => &self.rest[1..],
            _ if self.at_start => self.rest,
            _ => return Err(odd()),
        };
        self.at_start = false;
        let mut json = serde_json::Deserializer::from_str(element);
        let value = seed.deserialize(&mut json)?;
        let end = json.into_iter::<IgnoredAny>().byte_offset();
        self.rest = &element[end..];
        Ok(Some(value))
    }
}

#[cold]
fn odd() -> serde_json::Error {
    serde_json::Error::custom("read the whole array")
}
