//! Reading Engine.IO packets out of what went over the wire: bodies of HTTP in both framings, and WebSocket frames.

use bytes::{Buf as _, Bytes, BytesMut};

const TYPES: [&str; 7] = [
    "open", "close", "ping", "pong", "message", "upgrade", "noop",
];

/// A packet without its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Data {
    Text(String),
    Bytes(Bytes),
}

/// A packet, with the name of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: &'static str,
    pub(crate) data: Data,
}

impl Packet {
    /// Bytes where the digit of the type may be a byte, and text where it is a digit.
    fn read(bytes: &[u8], is_text: bool) -> Option<Self> {
        let (first, rest) = bytes.split_first()?;
        let kind = if is_text {
            first.checked_sub(b'0')?
        } else {
            *first
        };
        Some(Self {
            kind: TYPES.get(usize::from(kind))?,
            data: if is_text {
                Data::Text(String::from_utf8_lossy(rest).into_owned())
            } else {
                Data::Bytes(Bytes::copy_from_slice(rest))
            },
        })
    }
}

/// The packets of a body; what is broken ends them.
pub(crate) fn of_body(body: &[u8]) -> Vec<Packet> {
    let is_binary = body.first().is_some_and(|first| *first <= 1);
    let mut packets = Vec::new();
    let mut rest = body;
    while let Some((packet, behind)) = if is_binary {
        binary_framing(rest)
    } else {
        text_framing(rest)
    } {
        packets.extend(packet);
        rest = behind;
    }
    packets
}

fn binary_framing(body: &[u8]) -> Option<(Option<Packet>, &[u8])> {
    let (kind, rest) = body.split_first()?;
    let digits = rest.iter().position(|byte| *byte == 0xff)?;
    let length = rest[..digits]
        .iter()
        .fold(0, |length, digit| length * 10 + usize::from(*digit));
    let data = rest.get(digits + 1..digits + 1 + length)?;
    Some((Packet::read(data, *kind == 0), &rest[digits + 1 + length..]))
}

/// Lengths count UTF-16 units.
fn text_framing(body: &[u8]) -> Option<(Option<Packet>, &[u8])> {
    let colon = body.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&body[..colon]).ok()?.parse().ok()?;
    let rest = &body[colon + 1..];
    let text = std::str::from_utf8(rest).ok()?;
    let mut units = 0;
    let mut end = 0;
    for letter in text.chars() {
        if units == length {
            break;
        }
        units += letter.len_utf16();
        end += letter.len_utf8();
    }
    Some((Packet::read(&rest[..end], true), &rest[end..]))
}

/// One direction of a WebSocket. Nobody here cuts messages into several frames, or compresses them.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    buffer: BytesMut,
    behind_head: bool,
}

impl Frames {
    /// The head of an HTTP answer comes first.
    pub(crate) fn behind_head() -> Self {
        Self {
            behind_head: true,
            ..Self::default()
        }
    }

    /// The packets that are whole with these bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Packet> {
        self.buffer.extend_from_slice(bytes);
        if self.behind_head {
            const END: &[u8] = b"\r\n\r\n";
            let Some(end) = self.buffer.windows(END.len()).position(|four| four == END) else {
                return Vec::new();
            };
            self.buffer.advance(end + END.len());
            self.behind_head = false;
        }
        let mut packets = Vec::new();
        while let Some((opcode, payload)) = self.frame() {
            if opcode == 1 || opcode == 2 {
                packets.extend(Packet::read(&payload, opcode == 1));
            }
        }
        packets
    }

    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let [first, second] = *self.buffer.get(..2)?.as_array()?;
        let (length_end, length) = match second & 0x7f {
            126 => (
                4,
                u16::from_be_bytes(*self.buffer.get(2..4)?.as_array()?).into(),
            ),
            127 => (10, u64::from_be_bytes(*self.buffer.get(2..10)?.as_array()?)),
            short => (2, u64::from(short)),
        };
        let mask = if second & 0x80 == 0 {
            None
        } else {
            Some(
                *self
                    .buffer
                    .get(length_end..length_end + 4)?
                    .as_array::<4>()?,
            )
        };
        let start = length_end + if mask.is_some() { 4 } else { 0 };
        let end = start + usize::try_from(length).ok()?;
        let mut payload = self.buffer.get(start..end)?.to_vec();
        for (byte, mask) in payload.iter_mut().zip(mask.iter().flatten().cycle()) {
            *byte ^= mask;
        }
        self.buffer.advance(end);
        Some((first & 0xf, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: &'static str, data: &str) -> Packet {
        let data = Data::Text(data.to_owned());
        Packet { kind, data }
    }

    #[test]
    fn bodies_are_read_in_both_framings() {
        let both = [text("message", "é😀"), text("ping", "")];
        assert_eq!(of_body("4:4é😀1:2".as_bytes()), both);
        let mut body = b"\x00\x07\xff4".to_vec();
        body.extend("é😀".as_bytes());
        body.extend(b"\x00\x01\xff2\x01\x03\xff\x04ab");
        let [first, second] = both;
        let third = Packet {
            kind: "message",
            data: Data::Bytes(Bytes::from_static(b"ab")),
        };
        assert_eq!(of_body(&body), [first, second, third]);
    }

    #[test]
    fn frames_are_read_however_they_are_cut() {
        let wire = b"HTTP/1.1 101 X\r\n\r\n\x81\x022a\x89\x00\x81\x82\x01\x02\x03\x043`";
        let mut frames = Frames::behind_head();
        let packets: Vec<Packet> = wire.iter().flat_map(|byte| frames.feed(&[*byte])).collect();
        assert_eq!(packets, [text("ping", "a"), text("ping", "b")]);
    }
}
