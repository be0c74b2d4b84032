//! Lengths in UTF-16 units, as JavaScript counts the characters of a text.

/// A length that does not fit its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// There are only so many units.
    Truncated {
        /// How many there are.
        available: u64,
    },
    /// It ends between the two halves of a surrogate pair.
    SplitCharacter {
        /// Where the character begins, in bytes.
        offset: usize,
    },
}

/// Where the `length` units end that begin at byte `start` of `text`: between two characters.
///
/// ```
/// use sio_core::codec::utf16::{Misfit, end};
///
/// assert_eq!(end("3:::\u{1f600}!", 0, 6), Ok(8));
/// assert_eq!(end("3:::\u{1f600}!", 0, 5), Err(Misfit::SplitCharacter { offset: 4 }));
/// assert_eq!(end("3:::\u{1f600}!", 0, 8), Err(Misfit::Truncated { available: 7 }));
/// ```
///
/// # Errors
/// The text is too short, or the length ends inside a character.
#[inline]
pub fn end(text: &str, start: usize, length: u64) -> Result<usize, Misfit> {
    // ASCII, as nearly all packets are, has a byte for each unit.
    if let Ok(length) = usize::try_from(length)
        && let Some(end) = start.checked_add(length)
        && let Some(ascii) = text.as_bytes().get(start..end)
        && ascii.is_ascii()
    {
        return Ok(end);
    }
    any_end(text, start, length)
}

fn any_end(text: &str, start: usize, length: u64) -> Result<usize, Misfit> {
    let bytes = text.as_bytes();
    let mut end = start.min(bytes.len());
    let mut missing = length;
    while missing > 0 {
        let available = bytes.len() - end;
        // A unit takes one byte at least, so this many more are never too far.
        let reached = match usize::try_from(missing) {
            Ok(missing) if missing <= available => end + missing,
            _ => {
                let missing = missing.saturating_sub(units(&bytes[end..]));
                return Err(Misfit::Truncated {
                    available: length - missing,
                });
            }
        };
        let found = units(&bytes[end..reached]);
        end = reached;
        // Only the last character can be too much, being a surrogate pair where one unit was missing.
        missing = missing
            .checked_sub(found)
            .ok_or_else(|| Misfit::SplitCharacter {
                offset: last_character(text, end),
            })?;
    }
    // The last character's unit is counted at its first byte; here come the others.
    while !text.is_char_boundary(end) {
        end += 1;
    }
    Ok(end)
}

/// The units of the characters that *begin* in these bytes of a UTF-8 text.
#[inline]
pub fn units(utf8: &[u8]) -> u64 {
    if utf8.is_ascii() {
        return utf8.len() as u64;
    }
    units_of_any(utf8)
}

fn units_of_any(utf8: &[u8]) -> u64 {
    let units = |byte: &u8| u8::from(!matches!(byte, 0x80..=0xbf)) + u8::from(*byte >= 0xf0);
    // A chunk's sum fits into a byte, which lets the compiler add many at once.
    utf8.chunks(32)
        .map(|chunk| u64::from(chunk.iter().map(units).sum::<u8>()))
        .sum()
}

/// Where the character begins that the byte before `end` belongs to.
fn last_character(text: &str, end: usize) -> usize {
    let mut start = end.saturating_sub(1);
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    start
}
