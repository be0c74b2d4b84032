//! The binary framing: `payload = *( kind length %xFF data )`, `kind = %x00 / %x01`, `length = 1*( %x00-09 )`.

use std::ops::Range;

use bytes::Bytes;
use sio_core::codec::digits;

use super::super::packet::PacketType;
use super::{Entry, Kind, LengthForm, Tolerated, end_of, ends_with_json};
use crate::error::EngineError;

const LENGTH: LengthForm = LengthForm { zero: 0, end: END };
const END: u8 = 0xff;

/// What the length of a text counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    /// Bytes: the rule.
    Bytes,
    /// Bytes below 0x80 once and others twice: a tolerance, see [`Tolerated::doubled_lengths`].
    Doubled,
}

/// The entries of one body, read from the front.
#[derive(Debug)]
pub(super) struct Entries {
    body: Bytes,
    position: usize,
    /// Not known while all texts so far were ASCII, which both count alike.
    count: Option<Count>,
}

impl Entries {
    pub(super) fn new(body: Bytes) -> Self {
        Self {
            body,
            position: 0,
            count: None,
        }
    }

    /// The whole body.
    #[inline]
    pub(super) fn body(&self) -> &Bytes {
        &self.body
    }

    /// Where the next packet stands; `None` at the end of the body.
    #[inline]
    pub(super) fn next(&mut self, tolerated: &mut Tolerated) -> Option<Result<Entry, EngineError>> {
        while self.position < self.body.len() {
            let (kind, range) = match self.entry(tolerated) {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            self.position = range.end;
            if !range.is_empty() {
                return Some(Ok(self.describe(kind, range)));
            }
            tolerated.empty_packets += 1;
        }
        None
    }

    #[inline]
    fn describe(&self, kind: Kind, range: Range<usize>) -> Entry {
        let packet_type = PacketType::of(&self.body[range.start..]);
        Entry {
            kind,
            packet_type: packet_type.filter(|_| kind == Kind::Text),
            range,
        }
    }

    #[inline]
    fn entry(&mut self, tolerated: &mut Tolerated) -> Result<(Kind, Range<usize>), EngineError> {
        if let Some(count) = self.count {
            return entry(&self.body, self.position, count);
        }
        let plain = entry(&self.body, self.position, Count::Bytes);
        match &plain {
            Ok((Kind::Binary, _)) => plain,
            Ok((Kind::Text, range)) if self.body[range.clone()].is_ascii() => plain,
            // The first text that is not ASCII, or too long, decides for the rest of the body.
            _ => {
                let count = self.find_count(tolerated);
                self.count = Some(count);
                entry(&self.body, self.position, count)
            }
        }
    }

    /// A length that is too great runs into the next entry, whose 0xff is no UTF-8, or past the end. So a body that
    /// reads well by the rule is never mistaken.
    fn find_count(&self, tolerated: &mut Tolerated) -> Count {
        if !self.reads_through(Count::Bytes) && self.reads_through(Count::Doubled) {
            tolerated.doubled_lengths += 1;
            return Count::Doubled;
        }
        Count::Bytes
    }

    /// Whether this count makes sense of the body from here on.
    fn reads_through(&self, count: Count) -> bool {
        let mut position = self.position;
        while position < self.body.len() {
            let Ok((kind, range)) = entry(&self.body, position, count) else {
                return false;
            };
            position = range.end;
            if kind == Kind::Text && !is_credible(&self.body[range], count) {
                return false;
            }
        }
        true
    }
}

/// `entry = kind length %xFF data`. Returns where the data stands.
#[inline]
fn entry(body: &[u8], position: usize, count: Count) -> Result<(Kind, Range<usize>), EngineError> {
    let kind = match body.get(position) {
        Some(0) => Kind::Text,
        Some(1) => Kind::Binary,
        found => {
            let (offset, found) = (position, found.copied().unwrap_or_default());
            return Err(EngineError::UnknownKind { offset, found });
        }
    };
    let (length, start) = LENGTH.read(body, position + 1)?;
    let end = match (kind, count) {
        (Kind::Text, Count::Doubled) => doubled_end(body, start, length)?,
        _ => end_of(body, start, length)?,
    };
    Ok((kind, start..end))
}

/// The end of a text whose length counts each byte of a multi-byte character as two.
fn doubled_end(body: &[u8], start: usize, declared: u64) -> Result<usize, EngineError> {
    let mut missing = declared;
    for (index, byte) in body[start..].iter().enumerate() {
        let offset = start + index;
        if missing == 0 {
            return Ok(offset);
        }
        missing = missing
            .checked_sub(if byte.is_ascii() { 1 } else { 2 })
            .ok_or(EngineError::SplitCharacter { offset, declared })?;
    }
    if missing == 0 {
        return Ok(body.len());
    }
    Err(EngineError::Truncated {
        offset: start,
        declared,
        available: declared - missing,
    })
}

fn is_credible(text: &[u8], count: Count) -> bool {
    text.is_ascii()
        || std::str::from_utf8(text).is_ok() && (count == Count::Bytes || ends_with_json(text))
}

/// One entry that is to be written: perhaps a type, and data.
#[derive(Clone, Copy)]
pub(super) struct Draft<'a> {
    kind: Kind,
    packet_type: Option<u8>,
    data: &'a [u8],
}

impl<'a> Draft<'a> {
    pub(super) fn text(packet_type: Option<u8>, data: &'a [u8]) -> Self {
        let kind = Kind::Text;
        Self {
            kind,
            packet_type,
            data,
        }
    }

    pub(super) fn binary(packet_type: Option<u8>, data: &'a [u8]) -> Self {
        let kind = Kind::Binary;
        Self {
            kind,
            packet_type,
            data,
        }
    }

    fn length(&self) -> usize {
        usize::from(self.packet_type.is_some()) + self.data.len()
    }

    /// Kind, length, end mark and data together.
    fn size(&self) -> usize {
        2 + digits(self.length()) + self.length()
    }

    fn write(&self, body: &mut Vec<u8>) {
        body.push(self.kind as u8);
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(self.length()).bytes();
        body.extend(digits.map(|digit| digit - b'0'));
        body.push(END);
        body.extend(self.packet_type);
        body.extend_from_slice(self.data);
    }
}

/// Writes a body into a buffer of exactly its size.
pub(super) fn encode<'a>(entries: impl Iterator<Item = Draft<'a>> + Clone) -> Bytes {
    let mut body = Vec::with_capacity(entries.clone().map(|entry| entry.size()).sum());
    entries.for_each(|entry| entry.write(&mut body));
    body.into()
}

#[cfg(test)]
mod tests {
    use super::super::super::packet::EnginePacket;
    use super::super::{PayloadLimits, decode_binary, encode_binary};
    use super::*;
    use bytestring::ByteString;

    fn read(body: impl Into<Bytes>) -> (Vec<Result<EnginePacket, EngineError>>, Tolerated) {
        let mut payload = decode_binary(body.into(), &PayloadLimits::default());
        (payload.by_ref().collect(), payload.tolerated())
    }

    fn packets(body: &'static [u8]) -> Vec<Result<EnginePacket, EngineError>> {
        read(body).0
    }

    fn message(text: &'static str) -> EnginePacket {
        EnginePacket::Message(ByteString::from_static(text))
    }

    #[test]
    fn entries_are_text_or_binary() {
        let body = b"\x00\x02\xff40\x01\x05\xff\x04\x00\x01\x02\xff\x00\x06\xffb4AAH6";
        let expected = [
            message("0"),
            EnginePacket::Binary(Bytes::from_static(b"\x00\x01\x02\xff")),
            EnginePacket::Binary(Bytes::from_static(b"\x00\x01\xfa")),
        ];
        assert_eq!(packets(body), expected.clone().map(Ok));
        assert_eq!(
            encode_binary(&expected[..2]),
            body[..13],
            "lengths are digit values"
        );
    }

    #[test]
    fn text_is_utf8_counted_in_bytes() {
        let packet = message("2[\"uni\",\"한글\"]");
        let body = encode_binary([&packet]);
        assert_eq!(body[..4], *b"\x00\x01\x08\xff");
        let (packets, tolerated) = read(body);
        assert_eq!(packets, [Ok(packet)]);
        assert!(tolerated.is_none());
    }

    #[test]
    fn doubled_lengths_of_the_first_versions_are_survived() {
        // As 1.0.0 writes `42["한"]`: 9 bytes, three of them counted twice.
        let one = "\u{0}\u{1}\u{2}|42[\"한\"]".replace('|', "\u{1}");
        let mut one = one.into_bytes();
        one[3] = END;
        let followed = [&one[..], b"\x00\x01\xff6", &one[..]].concat();
        for (body, count) in [(one, 1), (followed, 3)] {
            let (packets, tolerated) = read(body);
            assert_eq!(packets.len(), count);
            assert_eq!(packets.first(), Some(&Ok(message("2[\"한\"]"))));
            assert_eq!(packets.last(), Some(&Ok(message("2[\"한\"]"))));
            assert_eq!(tolerated.doubled_lengths, 1);
        }
    }

    #[test]
    fn broken_utf8_is_replaced_and_counted() {
        let (packets, tolerated) = read(&b"\x00\x07\xff42[\"\xff\"]\x00\x02\xff40"[..]);
        assert_eq!(packets, [Ok(message("2[\"\u{fffd}\"]")), Ok(message("0"))]);
        assert_eq!(tolerated.invalid_utf8, 1);
    }

    #[test]
    fn empty_bodies_and_empty_packets_are_nothing() {
        assert_eq!(packets(b""), []);
        let (packets, tolerated) = read(&b"\x00\x00\xff\x01\x00\xff\x00\x01\xff6"[..]);
        assert_eq!(packets, [Ok(EnginePacket::Noop)]);
        assert_eq!(tolerated.empty_packets, 2);
    }

    #[test]
    fn broken_bodies_are_refused_where_they_break() {
        let digit = |offset, found| Err(EngineError::LengthDigit { offset, found });
        assert_eq!(
            packets(b"2:40"),
            [Err(EngineError::UnknownKind {
                offset: 0,
                found: b'2'
            })]
        );
        assert_eq!(packets(b"\x00\xff4"), [digit(1, END)]);
        assert_eq!(packets(b"\x00\x0a\xff4"), [digit(1, 0x0a)]);
        assert_eq!(packets(b"\x002\xff40"), [digit(1, b'2')]);
        assert_eq!(
            packets(b"\x00\x01"),
            [Err(EngineError::UnfinishedLength { offset: 1 })]
        );
        assert_eq!(
            packets(b"\x00"),
            [Err(EngineError::UnfinishedLength { offset: 1 })]
        );
        assert_eq!(
            packets(b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff6"),
            [Err(EngineError::LengthTooLong {
                offset: 1,
                limit: 10
            })]
        );
        assert_eq!(
            packets(b"\x00\x02\xff40\x01\x03\xff\x04\x00"),
            [
                Ok(message("0")),
                Err(EngineError::Truncated {
                    offset: 8,
                    declared: 3,
                    available: 2
                })
            ]
        );
        assert_eq!(
            packets(b"\x00\x01\xff9"),
            [Err(EngineError::UnknownType {
                offset: 3,
                found: '9'
            })]
        );
        assert_eq!(
            packets(b"\x00\x01\xff\xfe"),
            [Err(EngineError::UnknownType {
                offset: 3,
                found: '\u{fffd}'
            })]
        );
        assert_eq!(
            packets(b"\x01\x01\xff4"),
            [Err(EngineError::UnknownTypeNumber {
                offset: 3,
                found: b'4'
            })]
        );
        assert_eq!(
            packets(b"\x00\x04\xffb4A!"),
            [Err(EngineError::Base64 { offset: 6 })]
        );
    }
}
