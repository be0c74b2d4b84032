//! What the codecs of both protocols are made of. For protocol crates.

mod apart;
pub mod grammar;
pub mod utf16;

pub use apart::{bytes_apart, text_apart, text_cut};

/// How much a payload, the packets in one HTTP body, may hold. Its size in bytes is the business of whoever reads the body.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadLimits {
    /// The greatest number of packets in one payload. Default: 100 000, what a server would buffer at 4000 events per
    /// second over the longest usual time between two polls, 25 s.
    pub packets: usize,
}

impl Default for PayloadLimits {
    fn default() -> Self {
        Self { packets: 100_000 }
    }
}

impl PayloadLimits {
    /// Sets [`packets`](Self::packets).
    #[must_use]
    pub fn packets(mut self, count: usize) -> Self {
        self.packets = count;
        self
    }
}

/// How many decimal digits a number has.
#[inline]
pub fn digits(number: usize) -> usize {
    number
        .checked_ilog10()
        .map_or(1, |power| power as usize + 1)
}

/// The longest length of a packet that is read, leading zeros included: up to 9 999 999 999, more than any body that fits
/// into memory here. JavaScript parsers give up after 310 digits.
pub const MAX_LENGTH_DIGITS: usize = 10;

#[cfg(test)]
mod tests {
    #[test]
    fn digits_are_counted_as_they_are_written() {
        for number in [0, 1, 9, 10, 99, 100, 65_536, usize::MAX] {
            assert_eq!(super::digits(number), number.to_string().len());
        }
    }
}
