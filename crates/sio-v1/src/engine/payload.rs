//! Payloads: the bodies of polling responses and posts, which hold any number of packets.
//!
//! Which framing a body has is decided by the content type of each response, never per session: 1.x answers in the
//! binary framing always, 2.x (and 3.1+/4.x with `allowEIO3`) only where a packet holds bytes, python servers as they
//! like.
//!
//! What *we* post is always the binary framing with the content type [`CONTENT_TYPE`]: the one form that every server
//! version reads, with any text and any bytes, whether the session was opened with `b64=1` or not.
//!
//! # Tolerances
//!
//! Each is counted in [`Tolerated`]. Two of them concern servers that count a text's length wrongly. They are only
//! considered where the body does not make sense by the rule, and only believed if the other rule reads the whole rest
//! of the body and each text that holds more than ASCII ends where its JSON ends. A body cut short never passes that.

mod binary;
mod text;

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;
pub use sio_core::codec::{MAX_LENGTH_DIGITS, PayloadLimits};

use super::packet::{Data, EnginePacket, Frame, PacketType};
use crate::error::EngineError;

/// The content type of the binary framing, to be sent exactly like this: servers compare it letter by letter.
pub const CONTENT_TYPE: &str = "application/octet-stream";

/// How the text framing counts and encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextRule {
    /// Lengths are UTF-16 code units; the body is UTF-8. 2.x, 3.1+/4.x with `allowEIO3`, python.
    Utf16,
    /// Each packet is encoded to UTF-8, its bytes taken as Latin-1 characters, which are counted; the body is their
    /// UTF-8. 1.x, but only in sessions opened with `b64=1` or over JSONP, neither of which this client asks for.
    Double,
}

/// Odd but harmless things met while reading one payload, counted.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tolerated {
    /// Texts (whole bodies in the text framing, packets in the binary one) that were not UTF-8 and had each wrong
    /// sequence replaced by U+FFFD. 1.5 to 1.7 send lone surrogates as three bytes.
    pub invalid_utf8: usize,
    /// Packets of length zero, which were skipped. Every Node server does the same.
    pub empty_packets: usize,
    /// Bodies whose text lengths are bytes instead of UTF-16 units, by servers that are not written in JavaScript.
    pub byte_lengths: usize,
    /// Bodies whose binary framing counts each byte of a multi-byte character as two: 1.0.0 to 1.0.3.
    pub doubled_lengths: usize,
}

impl Tolerated {
    /// Whether there was nothing odd.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The packets of one body, in order, decoded one by one: `Iterator<Item = Result<EnginePacket, EngineError>>`.
///
/// After an error nothing follows; the packets before it are good. Data is sliced out of the body, not copied, so a
/// packet that is kept keeps the whole body in memory.
#[derive(Debug)]
pub struct Payload {
    framing: Framing,
    limits: PayloadLimits,
    yielded: usize,
    ended: bool,
    tolerated: Tolerated,
}

#[derive(Debug)]
enum Framing {
    Text(text::Entries),
    Binary(binary::Entries),
}

/// Reads a body by the content type of its response.
///
/// `application/octet-stream`, with or without parameters, is the binary framing; anything else, and no content
/// type, is the text framing by the [`Utf16`](TextRule::Utf16) rule.
pub fn decode(content_type: Option<&str>, body: Bytes, limits: &PayloadLimits) -> Payload {
    if content_type.is_some_and(is_binary) {
        decode_binary(body, limits)
    } else {
        decode_text(body, TextRule::Utf16, limits)
    }
}

/// Reads a body of the text framing: `<length>:<packet>`, repeated.
///
/// A body without any packet is an [error](EngineError::EmptyPayload), as in the JavaScript clients.
pub fn decode_text(body: Bytes, rule: TextRule, limits: &PayloadLimits) -> Payload {
    let mut tolerated = Tolerated::default();
    let entries = text::Entries::new(body, rule, &mut tolerated);
    Payload::new(Framing::Text(entries), limits, tolerated)
}

/// Reads a body of the binary framing: kind, length, `0xff`, data, repeated. An empty body holds no packet.
pub fn decode_binary(body: Bytes, limits: &PayloadLimits) -> Payload {
    let entries = binary::Entries::new(body);
    Payload::new(Framing::Binary(entries), limits, Tolerated::default())
}

/// Whether the media type, without its parameters, is the one of the binary framing.
fn is_binary(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case(CONTENT_TYPE)
}

impl Payload {
    fn new(framing: Framing, limits: &PayloadLimits, tolerated: Tolerated) -> Self {
        Self {
            framing,
            limits: *limits,
            yielded: 0,
            ended: false,
            tolerated,
        }
    }

    /// What was tolerated so far; complete when the last packet was read.
    pub fn tolerated(&self) -> Tolerated {
        self.tolerated
    }

    /// Where the next packet stands, unless it is one too many.
    #[inline]
    fn find(&mut self) -> Option<Result<Entry, EngineError>> {
        let entry = match &mut self.framing {
            Framing::Text(entries) => entries.next(&mut self.tolerated)?,
            Framing::Binary(entries) => entries.next(&mut self.tolerated)?,
        };
        let limit = self.limits.packets;
        if entry.is_ok() && self.yielded == limit {
            return Some(Err(EngineError::TooManyPackets { limit }));
        }
        self.yielded += 1;
        Some(entry)
    }

    /// The data of a text packet, behind its type.
    #[inline]
    fn text(&mut self, packet: Range<usize>) -> ByteString {
        let data = packet.start + 1..packet.end;
        match &self.framing {
            Framing::Text(entries) => entries.slice(data),
            Framing::Binary(entries) => utf8_or_lossy(entries.body(), data, &mut self.tolerated),
        }
    }

    /// A packet that is not simply a type and its data.
    #[cold]
    fn unusual_packet(&mut self, entry: Entry) -> Result<EnginePacket, EngineError> {
        let offset = entry.range.start;
        match &self.framing {
            Framing::Text(entries) => entries.unusual_packet(entry.range, &mut self.tolerated),
            Framing::Binary(entries) => match entry.kind {
                Kind::Text => EnginePacket::from_base64(&entries.body()[entry.range], offset),
                Kind::Binary => {
                    EnginePacket::from_binary(entries.body().slice(entry.range), offset)
                }
            },
        }
    }
}

impl Iterator for Payload {
    type Item = Result<EnginePacket, EngineError>;

    // A packet is 40 bytes, and each function it is handed through costs as much as finding it. So what looks for an
    // entry gives its place only, and nearly all packets are made here.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let packet = match self.find()? {
            Ok(Entry {
                packet_type: Some(packet_type),
                range,
                ..
            }) => {
                let data = self.text(range);
                return Some(Ok(EnginePacket::new(packet_type, data)));
            }
            Ok(entry) => self.unusual_packet(entry),
            Err(error) => Err(error),
        };
        self.ended = packet.is_err();
        Some(packet)
    }
}

impl std::iter::FusedIterator for Payload {}

/// The body to post for these packets, in one allocation. Its content type is [`CONTENT_TYPE`].
///
/// The packets are walked twice (first to measure), hence the `Clone`.
pub fn encode_binary<'a, I>(packets: I) -> Bytes
where
    I: IntoIterator<Item = &'a EnginePacket, IntoIter: Clone>,
{
    binary::encode(packets.into_iter().map(|packet| match packet.parts() {
        (number, Data::Text(data)) => binary::Draft::text(Some(b'0' + number), data.as_bytes()),
        (number, Data::Binary(data)) => binary::Draft::binary(Some(number), data),
    }))
}

/// The body to post for packets that are [frames](Frame) already: an entry of a payload is the same text or bytes.
pub fn encode_frames<'a, I>(frames: I) -> Bytes
where
    I: IntoIterator<Item = &'a Frame, IntoIter: Clone>,
{
    binary::encode(frames.into_iter().map(|frame| match frame {
        Frame::Text(text) => binary::Draft::text(None, text.as_bytes()),
        Frame::Binary(bytes) => binary::Draft::binary(None, bytes),
    }))
}

/// Where a packet stands in a body.
#[derive(Debug)]
struct Entry {
    kind: Kind,
    /// Where the packet is a type character and text as it stands.
    packet_type: Option<PacketType>,
    range: Range<usize>,
}

/// What an entry holds. The numbers are those of the binary framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A type character and UTF-8.
    Text = 0,
    /// A type number and bytes.
    Binary = 1,
}

/// How a framing writes the length of a packet: digits from `zero` on, ended by `end`.
struct LengthForm {
    zero: u8,
    end: u8,
}

impl LengthForm {
    /// `length = 1*10digit end`. Returns the length and where the packet begins.
    #[inline]
    fn read(&self, body: &[u8], start: usize) -> Result<(u64, usize), EngineError> {
        let mut length = 0;
        let bytes = body.get(start..).unwrap_or_default();
        for (index, &byte) in bytes.iter().enumerate() {
            let digit = byte.wrapping_sub(self.zero);
            let offset = start + index;
            match digit {
                0..=9 if index == MAX_LENGTH_DIGITS => {
                    let limit = MAX_LENGTH_DIGITS;
                    return Err(EngineError::LengthTooLong {
                        offset: start,
                        limit,
                    });
                }
                0..=9 => length = length * 10 + u64::from(digit),
                _ if byte == self.end && index > 0 => return Ok((length, offset + 1)),
                _ => {
                    return Err(EngineError::LengthDigit {
                        offset,
                        found: byte,
                    });
                }
            }
        }
        Err(EngineError::UnfinishedLength { offset: start })
    }
}

/// The text of a part of the body without copying it, or with every wrong sequence replaced.
#[inline]
fn utf8_or_lossy(body: &Bytes, range: Range<usize>, tolerated: &mut Tolerated) -> ByteString {
    match ByteString::try_from(body.slice(range.clone())) {
        Ok(text) => text,
        Err(_) => lossy(&body[range], tolerated),
    }
}

#[cold]
fn lossy(text: &[u8], tolerated: &mut Tolerated) -> ByteString {
    tolerated.invalid_utf8 += 1;
    String::from_utf8_lossy(text).into_owned().into()
}

/// The end of `length` bytes from `start` on.
fn end_of(body: &[u8], start: usize, length: u64) -> Result<usize, EngineError> {
    let available = body.len().saturating_sub(start);
    match usize::try_from(length) {
        Ok(length) if length <= available => Ok(start + length),
        Ok(_) | Err(_) => Err(EngineError::Truncated {
            offset: start,
            declared: length,
            available: available as u64,
        }),
    }
}

/// Whether `text` ends exactly where an outermost JSON array, object or string ends.
///
/// The evidence asked for before a length is read by another rule: a Socket.IO packet's text cut short anywhere does
/// not have it, and neither has one that runs on into the next packet.
fn ends_with_json(text: &[u8]) -> bool {
    let mut depth = 0_usize;
    let (mut in_string, mut escaped, mut closed) = (false, false, false);
    for byte in text {
        closed = false;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => {
                in_string = !in_string;
                closed = !in_string && depth == 0;
            }
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth == 0 => return false,
            b']' | b'}' => {
                depth -= 1;
                closed = depth == 0;
            }
            _ => {}
        }
    }
    closed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_chooses_the_framing() {
        let limits = PayloadLimits::default();
        let message = EnginePacket::Message(ByteString::from_static("0"));
        let binary = Bytes::from_static(b"\x00\x02\xff40");
        for content_type in [
            "application/octet-stream",
            "application/octet-stream; charset=UTF-8",
            "Application/Octet-Stream;x",
        ] {
            let packets: Vec<_> = decode(Some(content_type), binary.clone(), &limits).collect();
            assert_eq!(packets, [Ok(message.clone())], "{content_type}");
        }
        let text = Bytes::from_static(b"2:40");
        for content_type in [
            Some("text/plain; charset=UTF-8"),
            Some("text/html"),
            Some(""),
            None,
        ] {
            let packets: Vec<_> = decode(content_type, text.clone(), &limits).collect();
            assert_eq!(packets, [Ok(message.clone())], "{content_type:?}");
        }
    }

    #[test]
    fn more_packets_than_the_limit_are_an_error() {
        let limits = PayloadLimits::default().packets(2);
        let two: Vec<_> = decode(None, Bytes::from_static(b"1:61:6"), &limits).collect();
        assert_eq!(two, [Ok(EnginePacket::Noop), Ok(EnginePacket::Noop)]);
        let three: Vec<_> = decode(None, Bytes::from_static(b"1:61:61:6"), &limits).collect();
        assert_eq!(three[2], Err(EngineError::TooManyPackets { limit: 2 }));
        assert_eq!(three.len(), 3);
    }

    #[test]
    fn nothing_follows_an_error() {
        let mut payload = decode(
            None,
            Bytes::from_static(b"1:6x:1:6"),
            &PayloadLimits::default(),
        );
        assert_eq!(payload.next(), Some(Ok(EnginePacket::Noop)));
        let error = EngineError::LengthDigit {
            offset: 3,
            found: b'x',
        };
        assert_eq!(payload.next(), Some(Err(error)));
        assert_eq!(payload.next(), None);
        assert_eq!(payload.next(), None);
    }

    #[test]
    fn frames_encode_like_the_packets_they_are() {
        let packets = [
            EnginePacket::Message(ByteString::from_static("2[\"한\"]")),
            EnginePacket::Binary(Bytes::from_static(b"\x00\xff")),
            EnginePacket::Ping(ByteString::new()),
        ];
        let frames: Vec<_> = packets.iter().map(EnginePacket::encode_frame).collect();
        assert_eq!(encode_frames(&frames), encode_binary(&packets));
    }

    #[test]
    fn json_is_closed_only_at_its_end() {
        for text in [
            "42[1]",
            "44\"a\\\"b\"",
            "44/nsp,{\"a\":[\"]\"]}",
            "461-/chat,12[{\"n\":0}]",
        ] {
            assert!(ends_with_json(text.as_bytes()), "{text}");
            for end in 0..text.len() {
                assert!(!ends_with_json(&text.as_bytes()[..end]), "{}", &text[..end]);
            }
        }
        for text in ["42[1]2:40", "40/chat,", "42]", "42[1] "] {
            assert!(!ends_with_json(text.as_bytes()), "{text}");
        }
    }
}
