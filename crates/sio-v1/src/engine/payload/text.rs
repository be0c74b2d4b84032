//! The text framing: `payload = *( length ":" packet )`, `length = 1*DIGIT`.

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;
use sio_core::codec::utf16::{self, Misfit};

use super::super::packet::{EnginePacket, PacketType, latin1};
use super::{Entry, Kind, LengthForm, TextRule, Tolerated, end_of, ends_with_json, utf8_or_lossy};
use crate::error::EngineError;

const LENGTH: LengthForm = LengthForm {
    zero: b'0',
    end: b':',
};

/// What a length counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// UTF-16 code units: the rule.
    Utf16,
    /// Bytes. In a body that is not all ASCII a tolerance, see [`Tolerated::byte_lengths`].
    Byte,
    /// Characters that each stand for a byte: [`TextRule::Double`].
    Latin1,
}

/// The entries of one body, read from the front.
#[derive(Debug)]
pub(super) struct Entries {
    body: ByteString,
    position: usize,
    /// Not known while all packets so far were ASCII, which every unit counts alike, and others are to come.
    unit: Option<Unit>,
}

impl Entries {
    pub(super) fn new(body: Bytes, rule: TextRule, tolerated: &mut Tolerated) -> Self {
        let body = utf8_or_lossy(&body, 0..body.len(), tolerated);
        let unit = match rule {
            _ if body.is_ascii() => Some(Unit::Byte),
            TextRule::Utf16 => None,
            TextRule::Double => Some(Unit::Latin1),
        };
        Self {
            body,
            position: 0,
            unit,
        }
    }

    /// Where the next packet stands; `None` at the end of the body.
    #[inline]
    pub(super) fn next(&mut self, tolerated: &mut Tolerated) -> Option<Result<Entry, EngineError>> {
        if self.body.is_empty() {
            return Some(Err(EngineError::EmptyPayload));
        }
        while self.position < self.body.len() {
            let range = match self.entry(tolerated) {
                Ok(range) => range,
                Err(error) => return Some(Err(error)),
            };
            self.position = range.end;
            if !range.is_empty() {
                return Some(Ok(self.describe(range)));
            }
            tolerated.empty_packets += 1;
        }
        None
    }

    #[inline]
    fn describe(&self, range: Range<usize>) -> Entry {
        let is_plain = self.unit != Some(Unit::Latin1);
        let packet_type = PacketType::of(&self.body.as_bytes()[range.start..]);
        Entry {
            kind: Kind::Text,
            packet_type: packet_type.filter(|_| is_plain),
            range,
        }
    }

    /// `entry = length ":" packet`. Returns where the packet stands.
    #[inline]
    fn entry(&mut self, tolerated: &mut Tolerated) -> Result<Range<usize>, EngineError> {
        let (length, start) = LENGTH.read(self.body.as_bytes(), self.position)?;
        if self.unit == Some(Unit::Byte) {
            return Ok(start..byte_end(&self.body, start, length)?);
        }
        if let Some(end) = ascii_end(&self.body, start, length) {
            return Ok(start..end);
        }
        let unit = self.unit.unwrap_or_else(|| self.find_unit(tolerated));
        self.unit = Some(unit);
        Ok(start..unit.end(&self.body, start, length)?)
    }

    /// The first packet that is not ASCII (or too long) decides for the rest of the body.
    ///
    /// UTF-16 wins wherever it reads on to the end of the body.
    fn find_unit(&self, tolerated: &mut Tolerated) -> Unit {
        if !self.reads_through(Unit::Utf16) && self.reads_through(Unit::Byte) {
            tolerated.byte_lengths += 1;
            return Unit::Byte;
        }
        Unit::Utf16
    }

    /// Whether this unit makes sense of the body from here on.
    fn reads_through(&self, unit: Unit) -> bool {
        let mut position = self.position;
        while position < self.body.len() {
            let Some(range) = probe(&self.body, position, unit) else {
                return false;
            };
            position = range.end;
        }
        true
    }

    /// A part of the body, which must begin and end between characters.
    #[inline]
    pub(super) fn slice(&self, range: Range<usize>) -> ByteString {
        self.body.slice_ref(&self.body[range])
    }

    /// A packet that is not simply a type and its data.
    pub(super) fn unusual_packet(
        &self,
        range: Range<usize>,
        tolerated: &mut Tolerated,
    ) -> Result<EnginePacket, EngineError> {
        let offset = range.start;
        let text = &self.body[range];
        if self.unit == Some(Unit::Latin1) {
            return latin1_packet(text, offset, tolerated);
        }
        EnginePacket::from_base64(text.as_bytes(), offset)
    }
}

/// A packet of [`TextRule::Double`].
fn latin1_packet(
    text: &str,
    offset: usize,
    tolerated: &mut Tolerated,
) -> Result<EnginePacket, EngineError> {
    let bytes = latin1(text).map_err(|found| EngineError::NotLatin1 { offset, found })?;
    let end = bytes.len();
    let text = utf8_or_lossy(&bytes.into(), 0..end, tolerated);
    EnginePacket::from_text(&text, &text, offset)
}

/// The entry at `position`, if this unit finds a credible one.
fn probe(body: &str, position: usize, unit: Unit) -> Option<Range<usize>> {
    let (length, start) = LENGTH.read(body.as_bytes(), position).ok()?;
    let end = match ascii_end(body, start, length) {
        Some(end) => end,
        None => {
            let end = unit.end(body, start, length).ok()?;
            let credible = unit != Unit::Byte || ends_with_json(&body.as_bytes()[start..end]);
            credible.then_some(end)?
        }
    };
    Some(start..end)
}

/// The packet's end where it is all ASCII, so that no unit matters.
fn ascii_end(body: &str, start: usize, length: u64) -> Option<usize> {
    let end = end_of(body.as_bytes(), start, length).ok()?;
    body.as_bytes()[start..end].is_ascii().then_some(end)
}

impl Unit {
    /// The end of the packet that begins at `start`, always between two characters.
    fn end(self, body: &str, start: usize, length: u64) -> Result<usize, EngineError> {
        match self {
            // A character up to U+00FF is one UTF-16 unit, so this serves both.
            Self::Utf16 | Self::Latin1 => utf16_end(body, start, length),
            Self::Byte => byte_end(body, start, length),
        }
    }
}

fn utf16_end(body: &str, start: usize, declared: u64) -> Result<usize, EngineError> {
    utf16::end(body, start, declared).map_err(|misfit| match misfit {
        Misfit::Truncated { available } => EngineError::Truncated {
            offset: start,
            declared,
            available,
        },
        Misfit::SplitCharacter { offset } => EngineError::SplitCharacter { offset, declared },
    })
}

fn byte_end(body: &str, start: usize, declared: u64) -> Result<usize, EngineError> {
    let offset = end_of(body.as_bytes(), start, declared)?;
    if body.is_char_boundary(offset) {
        Ok(offset)
    } else {
        Err(EngineError::SplitCharacter { offset, declared })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PayloadLimits, decode_text};
    use super::*;

    /// Texts of the messages, and what was tolerated.
    fn read(
        rule: TextRule,
        body: impl Into<Bytes>,
    ) -> (Vec<Result<String, EngineError>>, Tolerated) {
        let mut payload = decode_text(body.into(), rule, &PayloadLimits::default());
        let packets = payload.by_ref().map(|packet| {
            packet.map(|packet| match packet {
                EnginePacket::Message(text) => text.to_string(),
                other => format!("{other:?}"),
            })
        });
        (packets.collect(), payload.tolerated())
    }

    fn utf16(body: &'static str) -> Vec<Result<String, EngineError>> {
        read(TextRule::Utf16, body).0
    }

    fn messages(texts: &[&str]) -> Vec<Result<String, EngineError>> {
        texts.iter().map(|text| Ok((*text).to_owned())).collect()
    }

    #[test]
    fn lengths_are_utf16_units() {
        assert_eq!(
            utf16("14:42[\"uni\",\"한글\"]"),
            messages(&["2[\"uni\",\"한글\"]"])
        );
        assert_eq!(
            utf16("14:42[\"uni\",\"\u{1f600}\"]2:40"),
            messages(&["2[\"uni\",\"\u{1f600}\"]", "0"])
        );
        assert_eq!(utf16("002:40"), messages(&["0"]));
    }

    #[test]
    fn doubled_text_is_undone() {
        let body = "18:42[\"uni\",\"í\u{95}\u{9c}ê¸\u{80}\"]2:40";
        let (packets, tolerated) = read(TextRule::Double, body);
        assert_eq!(packets, messages(&["2[\"uni\",\"한글\"]", "0"]));
        assert!(tolerated.is_none());
        let (packets, _) = read(TextRule::Double, "3:4é한");
        let error = EngineError::NotLatin1 {
            offset: 2,
            found: '한',
        };
        assert_eq!(packets, [Err(error)]);
    }

    #[test]
    fn a_byte_counting_server_is_survived() {
        for body in [
            "18:42[\"uni\",\"한글\"]",
            "18:42[\"uni\",\"한글\"]18:42[\"uni\",\"한글\"]",
        ] {
            let (packets, tolerated) = read(TextRule::Utf16, body);
            assert!(
                packets
                    .iter()
                    .all(|packet| *packet == Ok("2[\"uni\",\"한글\"]".to_owned()))
            );
            assert_eq!(tolerated.byte_lengths, 1, "{body}");
        }
        let (packets, _) = read(TextRule::Utf16, "2:4018:42[\"uni\",\"한글\"]1:6");
        assert_eq!(packets, messages(&["0", "2[\"uni\",\"한글\"]", "Noop"]));
    }

    #[test]
    fn a_body_cut_where_bytes_would_fit_is_no_byte_counting_server() {
        // 17 units; after 17 bytes of the packet the body ends.
        let whole = "17:42[\"uni\",\"한글aaa\"]";
        assert_eq!(
            utf16("17:42[\"uni\",\"한글a"),
            [Err(EngineError::Truncated {
                offset: 3,
                declared: 17,
                available: 13,
            })]
        );
        assert_eq!(utf16(whole), messages(&["2[\"uni\",\"한글aaa\"]"]));
    }

    #[test]
    fn empty_packets_are_skipped_and_counted() {
        let (packets, tolerated) = read(TextRule::Utf16, "0:2:400:");
        assert_eq!(packets, messages(&["0"]));
        assert_eq!(tolerated.empty_packets, 2);
    }

    #[test]
    fn broken_utf8_is_replaced_and_counted() {
        let (packets, tolerated) = read(TextRule::Utf16, &b"7:42[\"\xff\"]"[..]);
        assert_eq!(packets, messages(&["2[\"\u{fffd}\"]"]));
        assert_eq!(tolerated.invalid_utf8, 1);
        let (packets, tolerated) = read(TextRule::Double, "7:42[\"\u{ff}\"]");
        assert_eq!(packets, messages(&["2[\"\u{fffd}\"]"]));
        assert_eq!(tolerated.invalid_utf8, 1);
    }

    #[test]
    fn broken_bodies_are_refused_where_they_break() {
        let digit = |offset, found| Err(EngineError::LengthDigit { offset, found });
        assert_eq!(utf16(""), [Err(EngineError::EmptyPayload)]);
        assert_eq!(utf16("0{\"sid\":\"x\"}"), [digit(1, b'{')]);
        assert_eq!(utf16("<html>"), [digit(0, b'<')]);
        assert_eq!(utf16(":40"), [digit(0, b':')]);
        assert_eq!(utf16("-1:4"), [digit(0, b'-')]);
        assert_eq!(utf16("2:40\n"), [Ok("0".to_owned()), digit(4, b'\n')]);
        assert_eq!(
            utf16("12"),
            [Err(EngineError::UnfinishedLength { offset: 0 })]
        );
        assert_eq!(
            utf16("2:4012"),
            [
                Ok("0".to_owned()),
                Err(EngineError::UnfinishedLength { offset: 4 })
            ]
        );
        assert_eq!(
            utf16("00000000002:40"),
            [Err(EngineError::LengthTooLong {
                offset: 0,
                limit: 10
            })]
        );
        assert_eq!(
            utf16("3:40"),
            [Err(EngineError::Truncated {
                offset: 2,
                declared: 3,
                available: 2
            })]
        );
        assert_eq!(
            utf16("9999999999:40"),
            [Err(EngineError::Truncated {
                offset: 11,
                declared: 9_999_999_999,
                available: 2
            })]
        );
        assert_eq!(
            utf16("2:4\u{1f600}"),
            [Err(EngineError::SplitCharacter {
                offset: 3,
                declared: 2
            })]
        );
        assert_eq!(
            utf16("2:71"),
            [Err(EngineError::UnknownType {
                offset: 2,
                found: '7'
            })]
        );
        assert_eq!(
            utf16("4:b4A!"),
            [Err(EngineError::Base64 { offset: 5 })],
            "offsets count from the body's start"
        );
    }

    #[test]
    fn endless_digits_are_refused_at_once() {
        let body = "1".repeat(100_000);
        let (packets, _) = read(TextRule::Utf16, body);
        assert_eq!(
            packets,
            [Err(EngineError::LengthTooLong {
                offset: 0,
                limit: 10
            })]
        );
    }
}
