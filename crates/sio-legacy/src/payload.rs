//! Payloads: the bodies of HTTP responses and posts, which hold any number of packets.
//!
//! A single packet stands in a body as it is. Two or more are framed: each is preceded by its length between two
//! characters U+FFFD, and nothing separates them.
//!
//! ```text
//! payload = packet / *frame
//! frame   = %xFFFD length %xFFFD packet
//! length  = 1*DIGIT                       ; UTF-16 code units of the packet
//! ```
//!
//! A packet begins with a digit, so the first character tells which of the two it is. Inside of data U+FFFD is legal, and
//! common: each half surrogate pair that a server on old Node sends is one.
//!
//! The same in all versions of 0.9. In the bodies of jsonp and the scripts of htmlfile, the payload is what the string
//! literal stands for. WebSocket messages are never framed.

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;
use sio_core::codec::digits;
use sio_core::codec::utf16::{self, Misfit};
pub use sio_core::codec::{MAX_LENGTH_DIGITS, PayloadLimits};

use crate::error::PayloadError;

/// The content type of a posted payload, as the reference client has it. Servers take any.
pub const CONTENT_TYPE: &str = "text/plain;charset=UTF-8";

/// What stands before and behind the length of a frame.
pub const MARK: char = '\u{fffd}';
const MARK_TEXT: &str = "\u{fffd}";

/// The texts of the packets of one body, in order: `Iterator<Item = Result<&str, PayloadError>>`.
///
/// After an error nothing follows; the packets before it are good.
#[derive(Debug, Clone)]
pub struct Payload<'a> {
    body: &'a str,
    position: usize,
    framed: bool,
    yielded: usize,
    limits: PayloadLimits,
}

/// Reads a body. An empty one holds no packet.
///
/// Lengths may be padded with zeros. Whether what they give are packets is not looked at.
///
/// # Errors
///
/// The iterator's items are every [`PayloadError`]; none for a body that is not framed.
pub fn decode<'a>(body: &'a str, limits: &PayloadLimits) -> Payload<'a> {
    Payload {
        framed: body.starts_with(MARK),
        body,
        position: 0,
        yielded: 0,
        limits: *limits,
    }
}

impl Payload<'_> {
    /// Whether the body is framed, not a single packet.
    pub fn is_framed(&self) -> bool {
        self.framed
    }

    /// Where the next packet stands.
    #[inline]
    fn place(&self) -> Result<Range<usize>, PayloadError> {
        if !self.framed {
            return Ok(0..self.body.len());
        }
        let limit = self.limits.packets;
        if self.yielded >= limit {
            return Err(PayloadError::TooManyPackets { limit });
        }
        let (length, start) = self.length()?;
        Ok(start..packet_end(self.body, start, length)?)
    }

    /// `%xFFFD length %xFFFD`; returns the length and where the packet begins
    #[inline]
    fn length(&self) -> Result<(u64, usize), PayloadError> {
        let bytes = self.body.as_bytes();
        let first = self.position + MARK_TEXT.len();
        if bytes.get(self.position..first) != Some(MARK_TEXT.as_bytes()) {
            return Err(PayloadError::Mark {
                offset: self.position,
                // Not called at the end of the body.
                found: self.character(self.position).unwrap_or_default(),
            });
        }
        let (mut length, mut end) = (0_u64, first);
        while let Some(digit @ b'0'..=b'9') = bytes.get(end) {
            if end - first == MAX_LENGTH_DIGITS {
                return Err(PayloadError::LengthTooLong {
                    offset: first,
                    limit: MAX_LENGTH_DIGITS,
                });
            }
            length = length * 10 + u64::from(digit - b'0');
            end += 1;
        }
        let start = end + MARK_TEXT.len();
        if end > first && bytes.get(end..start) == Some(MARK_TEXT.as_bytes()) {
            return Ok((length, start));
        }
        Err(match self.character(end) {
            Some(found) => PayloadError::LengthDigit { offset: end, found },
            None => PayloadError::UnfinishedLength { offset: first },
        })
    }

    /// The character at an offset between two.
    fn character(&self, offset: usize) -> Option<char> {
        self.body[offset..].chars().next()
    }
}

impl<'a> Iterator for Payload<'a> {
    type Item = Result<&'a str, PayloadError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.body.len() {
            return None;
        }
        let packet = self.place();
        self.position = packet.as_ref().map_or(self.body.len(), |packet| packet.end);
        self.yielded += 1;
        Some(packet.map(|packet| &self.body[packet]))
    }
}

impl std::iter::FusedIterator for Payload<'_> {}

/// Where the packet ends that begins at `start`.
#[inline]
fn packet_end(body: &str, start: usize, declared: u64) -> Result<usize, PayloadError> {
    utf16::end(body, start, declared).map_err(|misfit| match misfit {
        Misfit::Truncated { available } => PayloadError::Truncated {
            offset: start,
            declared,
            available,
        },
        Misfit::SplitCharacter { offset } => PayloadError::SplitCharacter { offset, declared },
    })
}

/// The text of a body, and whether each wrong sequence in it had to be replaced by U+FFFD. Otherwise nothing is copied.
pub fn from_utf8(body: Bytes) -> (ByteString, bool) {
    match ByteString::try_from(body.clone()) {
        Ok(text) => (text, false),
        Err(_) => (String::from_utf8_lossy(&body).into_owned().into(), true),
    }
}

/// The length that a frame announces for this packet: its UTF-16 code units.
pub fn frame_length(packet: &str) -> usize {
    utf16::units(packet.as_bytes()) as usize
}

/// The body to post for these packets, in one allocation: a single packet as it is, several framed.
///
/// No packet begins with U+FFFD, so a single one is never mistaken for a frame. The packets are walked three times (to
/// count, to reserve and to write), hence the `Clone`.
pub fn encode<'a, I>(packets: I) -> String
where
    I: IntoIterator<Item = &'a str, IntoIter: Clone>,
{
    let packets = packets.into_iter();
    let mut first_two = packets.clone();
    let first = first_two.next().unwrap_or_default();
    if first_two.next().is_none() {
        return first.to_owned();
    }
    // A unit takes a byte at least, so its length has no more digits than its size.
    let frame = |packet: &str| 2 * MARK.len_utf8() + digits(packet.len()) + packet.len();
    let mut body = String::with_capacity(packets.clone().map(frame).sum());
    let mut length = itoa::Buffer::new();
    for packet in packets {
        body.push_str(MARK_TEXT);
        body.push_str(length.format(frame_length(packet)));
        body.push_str(MARK_TEXT);
        body.push_str(packet);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Vec<Result<String, PayloadError>> {
        decode(body, &PayloadLimits::default())
            .map(|packet| packet.map(str::to_owned))
            .collect()
    }

    /// `~` stands for U+FFFD.
    fn framed(body: &str) -> Vec<Result<String, PayloadError>> {
        read(&body.replace('~', "\u{fffd}"))
    }

    fn texts(texts: &[&str]) -> Vec<Result<String, PayloadError>> {
        texts.iter().map(|text| Ok((*text).to_owned())).collect()
    }

    #[test]
    fn a_bare_packet_is_the_whole_body() {
        assert_eq!(read(""), texts(&[]));
        assert_eq!(read("8::"), texts(&["8::"]));
        let odd = "3:::\u{fffd}5\u{fffd}3:::x";
        assert_eq!(read(odd), texts(&[odd]));
        assert!(!decode(odd, &PayloadLimits::default()).is_framed());
    }

    #[test]
    fn lengths_are_utf16_units() {
        assert_eq!(
            framed("~5~3:::한~6~3:::😀~6~3:::e\u{301}"),
            texts(&["3:::한", "3:::😀", "3:::e\u{301}"])
        );
        assert_eq!(framed("~5~3:::~~3~8::"), texts(&["3:::\u{fffd}", "8::"]));
        assert_eq!(
            framed("~12~3:::~5~3:::x~005~3:::y"),
            texts(&["3:::\u{fffd}5\u{fffd}3:::x", "3:::y"])
        );
        assert_eq!(framed("~3~8::"), texts(&["8::"]));
        assert_eq!(framed("~0~~3~8::"), texts(&["", "8::"]));
    }

    #[test]
    fn packets_are_slices() {
        let body = "\u{fffd}3\u{fffd}8::";
        let packet = decode(body, &PayloadLimits::default()).next().unwrap();
        assert_eq!(packet.unwrap().as_ptr(), body[7..].as_ptr());
    }

    #[test]
    fn broken_bodies_are_refused_where_they_break() {
        let digit = |offset, found| Err(PayloadError::LengthDigit { offset, found });
        let unfinished = |offset| Err(PayloadError::UnfinishedLength { offset });
        assert_eq!(framed("~"), [unfinished(3)]);
        assert_eq!(framed("~12"), [unfinished(3)]);
        assert_eq!(framed("~~"), [digit(3, MARK)]);
        assert_eq!(framed("~-1~"), [digit(3, '-')]);
        assert_eq!(framed("~3한"), [digit(4, '한')]);
        assert_eq!(
            framed("~3~8::8::"),
            [
                Ok("8::".to_owned()),
                Err(PayloadError::Mark {
                    offset: 10,
                    found: '8'
                })
            ]
        );
        assert_eq!(
            framed("~00000000003~8::"),
            [Err(PayloadError::LengthTooLong {
                offset: 3,
                limit: 10
            })]
        );
        let truncated = |declared, available| {
            let offset = 6 + u64::to_string(&declared).len();
            [Err(PayloadError::Truncated {
                offset,
                declared,
                available,
            })]
        };
        assert_eq!(framed("~7~3:::한"), truncated(7, 5));
        assert_eq!(framed("~7~3:::😀"), truncated(7, 6));
        assert_eq!(framed("~9999999999~8::"), truncated(9_999_999_999, 3));
        assert_eq!(
            framed("~5~3:::😀"),
            [Err(PayloadError::SplitCharacter {
                offset: 11,
                declared: 5
            })]
        );
    }

    #[test]
    fn the_number_of_packets_is_bounded() {
        let limits = PayloadLimits::default().packets(2);
        let body = "\u{fffd}0\u{fffd}".repeat(3);
        let mut payload = decode(&body, &limits);
        assert_eq!(payload.next(), Some(Ok("")));
        assert_eq!(payload.next(), Some(Ok("")));
        let error = PayloadError::TooManyPackets { limit: 2 };
        assert_eq!(payload.next(), Some(Err(error)));
        assert_eq!(payload.next(), None);
        assert_eq!(payload.next(), None);
    }

    #[test]
    fn one_packet_is_posted_bare_and_several_framed() {
        assert_eq!(encode([]), "");
        assert_eq!(encode(["3:::a"]), "3:::a");
        let body = encode(["3:::한", "3:::😀😀😀", "8::"]);
        assert_eq!(
            body,
            "~5~3:::한~10~3:::😀😀😀~3~8::".replace('~', "\u{fffd}")
        );
        assert_eq!(body.capacity(), body.len());
    }

    #[test]
    fn broken_utf8_is_replaced() {
        let body = Bytes::from_static(b"3:::a");
        let (text, lossy) = from_utf8(body.clone());
        assert_eq!((text.as_ptr(), lossy), (body.as_ptr(), false));
        assert_eq!(
            from_utf8(Bytes::from_static(b"3:::\xff")),
            ("3:::\u{fffd}".into(), true)
        );
    }
}
