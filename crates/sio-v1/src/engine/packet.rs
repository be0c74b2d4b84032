//! One Engine.IO packet, as websocket messages and payload entries carry it.

use base64::DecodeError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use bytes::{Buf, Bytes};
use bytestring::ByteString;

use crate::error::EngineError;

/// An Engine.IO packet.
///
/// Data after `close`, `upgrade` and `noop` means nothing; like the JavaScript parsers we drop it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnginePacket {
    /// `0`: the handshake's JSON, see [`Handshake`](super::handshake::Handshake).
    Open(ByteString),
    /// `1`: the sender gives the session up.
    Close,
    /// `2`: the client's heartbeat, or its probe in an upgrade.
    Ping(ByteString),
    /// `3`: the server's answer. 1.x to 4.x answer a ping with bare `3`, python servers echo the ping's data.
    Pong(ByteString),
    /// `4` with text: a Socket.IO packet.
    Message(ByteString),
    /// `4` with bytes: an attachment of a Socket.IO packet.
    Binary(Bytes),
    /// `5`: the client moves to the websocket.
    Upgrade,
    /// `6`: nothing. Servers send it to end a poll, python servers also on a websocket.
    Noop,
}

/// One websocket message. An entry of a payload has the same content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text message: type character and data.
    Text(ByteString),
    /// A binary message: type number and bytes.
    Binary(Bytes),
}

impl Frame {
    /// What it is, for logs.
    pub(crate) fn kind(&self) -> &'static str {
        let Self::Text(text) = self else {
            return ATTACHMENT;
        };
        match PacketType::of(text.as_bytes()) {
            Some(PacketType::Message) => kind_of_message(&text[1..]),
            Some(packet_type) => EnginePacket::new(packet_type, ByteString::new()).kind(),
            None => "unknown",
        }
    }
}

/// Bytes of an event or of an ack.
const ATTACHMENT: &str = "attachment";

/// The type of a Socket.IO packet.
pub(crate) fn kind_of_message(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'0') => "connect",
        Some(b'1') => "disconnect",
        Some(b'2') => "event",
        Some(b'3') => "ack",
        Some(b'4') => "error",
        Some(b'5') => "binary event",
        Some(b'6') => "binary ack",
        _ => "unknown",
    }
}

impl EnginePacket {
    /// Decodes a websocket text message, or one text packet of a payload: type character and data.
    ///
    /// `b4` and base64 is a binary message; servers send it where the session was opened with `b64=1`. Padding may be
    /// missing. Data is a slice of `text`, not a copy.
    ///
    /// # Errors
    ///
    /// [`EmptyPacket`](EngineError::EmptyPacket), [`UnknownType`](EngineError::UnknownType) or
    /// [`Base64`](EngineError::Base64).
    pub fn decode_text(text: ByteString) -> Result<Self, EngineError> {
        Self::from_text(&text, &text, 0)
    }

    /// Decodes a websocket binary message, or one binary entry of a payload: type *number* and bytes.
    ///
    /// Only messages (type 4) are ever sent like this. The reference parser takes the other types as well, so they
    /// are accepted here, with their data read as UTF-8 (lossily).
    ///
    /// # Errors
    ///
    /// [`EmptyPacket`](EngineError::EmptyPacket) or [`UnknownTypeNumber`](EngineError::UnknownTypeNumber).
    pub fn decode_binary(bytes: Bytes) -> Result<Self, EngineError> {
        Self::from_binary(bytes, 0)
    }

    /// The websocket message of this packet, in one allocation.
    pub fn encode_frame(&self) -> Frame {
        let (number, data) = self.parts();
        match data {
            Data::Text(data) => {
                let mut text = String::with_capacity(1 + data.len());
                text.push(char::from(b'0' + number));
                text.push_str(data);
                Frame::Text(text.into())
            }
            Data::Binary(data) => {
                let mut bytes = Vec::with_capacity(1 + data.len());
                bytes.push(number);
                bytes.extend_from_slice(data);
                Frame::Binary(bytes.into())
            }
        }
    }

    /// What it is, for logs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Close => "close",
            Self::Ping(_) => "ping",
            Self::Pong(_) => "pong",
            Self::Message(text) => kind_of_message(text),
            Self::Binary(_) => ATTACHMENT,
            Self::Upgrade => "upgrade",
            Self::Noop => "noop",
        }
    }

    /// The size of the data in bytes, without the type.
    pub fn data_len(&self) -> usize {
        match self.parts() {
            (_, Data::Text(text)) => text.len(),
            (_, Data::Binary(bytes)) => bytes.len(),
        }
    }

    /// `text = ( type data ) / ( "b" type base64 )`
    ///
    /// `text` is a part of `owner` and stands at `offset` for error messages.
    #[inline]
    pub(super) fn from_text(
        owner: &ByteString,
        text: &str,
        offset: usize,
    ) -> Result<Self, EngineError> {
        match PacketType::of(text.as_bytes()) {
            Some(packet_type) => Ok(Self::new(packet_type, owner.slice_ref(&text[1..]))),
            None => Self::from_base64(text.as_bytes(), offset),
        }
    }

    /// The packet of this type, with its data if it may have any.
    #[inline]
    pub(super) fn new(packet_type: PacketType, data: ByteString) -> Self {
        match packet_type {
            PacketType::Open => Self::Open(data),
            PacketType::Close => Self::Close,
            PacketType::Ping => Self::Ping(data),
            PacketType::Pong => Self::Pong(data),
            PacketType::Message => Self::Message(data),
            PacketType::Upgrade => Self::Upgrade,
            PacketType::Noop => Self::Noop,
        }
    }

    /// `base64-packet = "b" type base64`
    ///
    /// Text that begins with neither a type nor `b` ends up here too, to be refused.
    #[cold]
    pub(super) fn from_base64(packet: &[u8], offset: usize) -> Result<Self, EngineError> {
        let Some(packet) = packet.strip_prefix(b"b") else {
            return Err(unknown_type(packet, offset));
        };
        let offset = offset + 1;
        let Some(packet_type) = PacketType::of(packet) else {
            return Err(unknown_type(packet, offset));
        };
        let symbols = &packet[1..];
        let bytes =
            STANDARD_PAD_INDIFFERENT
                .decode(symbols)
                .map_err(|error| EngineError::Base64 {
                    offset: offset + 1 + broken_at(&error, symbols.len()),
                })?;
        Ok(Self::from_bytes(packet_type, bytes.into()))
    }

    /// `binary = %x00-06 *OCTET`
    pub(super) fn from_binary(mut bytes: Bytes, offset: usize) -> Result<Self, EngineError> {
        if bytes.is_empty() {
            return Err(EngineError::EmptyPacket { offset });
        }
        let found = bytes.get_u8();
        match PacketType::of(&[found.wrapping_add(b'0')]) {
            Some(packet_type) => Ok(Self::from_bytes(packet_type, bytes)),
            None => Err(EngineError::UnknownTypeNumber { offset, found }),
        }
    }

    fn from_bytes(packet_type: PacketType, data: Bytes) -> Self {
        match packet_type {
            PacketType::Message => Self::Binary(data),
            _ => Self::new(
                packet_type,
                String::from_utf8_lossy(&data).into_owned().into(),
            ),
        }
    }

    /// Type number and data.
    pub(super) fn parts(&self) -> (u8, Data<'_>) {
        match self {
            Self::Open(data) => (0, Data::Text(data)),
            Self::Close => (1, Data::Text("")),
            Self::Ping(data) => (2, Data::Text(data)),
            Self::Pong(data) => (3, Data::Text(data)),
            Self::Message(data) => (4, Data::Text(data)),
            Self::Binary(data) => (4, Data::Binary(data)),
            Self::Upgrade => (5, Data::Text("")),
            Self::Noop => (6, Data::Text("")),
        }
    }
}

/// A packet's type, as one character says it.
#[derive(Debug, Clone, Copy)]
pub(super) enum PacketType {
    Open,
    Close,
    Ping,
    Pong,
    Message,
    Upgrade,
    Noop,
}

impl PacketType {
    /// The type of a packet by its first character.
    #[inline]
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        Some(match packet.first()? {
            b'0' => Self::Open,
            b'1' => Self::Close,
            b'2' => Self::Ping,
            b'3' => Self::Pong,
            b'4' => Self::Message,
            b'5' => Self::Upgrade,
            b'6' => Self::Noop,
            _ => return None,
        })
    }
}

/// The data of a packet that is being written.
pub(super) enum Data<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// The error for a packet whose first character is no type.
fn unknown_type(packet: &[u8], offset: usize) -> EngineError {
    // Four bytes hold any character.
    let start = String::from_utf8_lossy(&packet[..packet.len().min(4)]);
    match start.chars().next() {
        Some(found) => EngineError::UnknownType { offset, found },
        None => EngineError::EmptyPacket { offset },
    }
}

/// The first symbol that does not fit; the end where the whole has a wrong length.
fn broken_at(error: &DecodeError, end: usize) -> usize {
    match *error {
        DecodeError::InvalidByte(offset, _) | DecodeError::InvalidLastSymbol { offset, .. } => {
            offset
        }
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => end,
    }
}

/// Undoes the double encoding of received websocket text. Only servers before 1.1.0 need it.
///
/// 1.0.x encodes a text frame as UTF-8, takes the bytes for Latin-1 characters and encodes these once more. Nothing
/// on the wire announces it, so this is a guess, to be applied on request: text whose characters are all at most
/// U+00FF and whose Latin-1 bytes are valid UTF-8 (with at least one multi-byte character) is taken for
/// double-encoded. Any other text is returned as it is. A newer server's `"Ã©"` would be misread as `"é"`.
pub fn undo_double_encoding(text: ByteString) -> ByteString {
    if text.is_ascii() {
        return text;
    }
    match latin1(&text).map(String::from_utf8) {
        Ok(Ok(undone)) => undone.into(),
        Ok(Err(_)) | Err(_) => text,
    }
}

/// The bytes that the characters stand for as Latin-1, or the first character that stands for none.
pub(super) fn latin1(text: &str) -> Result<Vec<u8>, char> {
    // Each character becomes one byte, so this never grows, and at most half is unused.
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        bytes.push(u8::try_from(character).map_err(|_| character)?);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> Result<EnginePacket, EngineError> {
        EnginePacket::decode_text(ByteString::from_static(text))
    }

    fn binary(bytes: &'static [u8]) -> Result<EnginePacket, EngineError> {
        EnginePacket::decode_binary(Bytes::from_static(bytes))
    }

    #[test]
    fn text_packets_of_every_type() {
        let data = ByteString::from_static("x");
        let none = ByteString::new();
        assert_eq!(text("0x"), Ok(EnginePacket::Open(data.clone())));
        assert_eq!(text("1"), Ok(EnginePacket::Close));
        assert_eq!(text("2x"), Ok(EnginePacket::Ping(data.clone())));
        assert_eq!(text("2"), Ok(EnginePacket::Ping(none.clone())));
        assert_eq!(text("3x"), Ok(EnginePacket::Pong(data.clone())));
        assert_eq!(text("4x"), Ok(EnginePacket::Message(data)));
        assert_eq!(text("4"), Ok(EnginePacket::Message(none)));
        assert_eq!(text("5"), Ok(EnginePacket::Upgrade));
        assert_eq!(text("6"), Ok(EnginePacket::Noop));
    }

    #[test]
    fn data_of_packets_that_have_none_is_dropped() {
        assert_eq!(text("1bye"), Ok(EnginePacket::Close));
        assert_eq!(text("6?"), Ok(EnginePacket::Noop));
    }

    #[test]
    fn base64_text_is_a_binary_message() {
        let expected = Ok(EnginePacket::Binary(Bytes::from_static(&[0, 1, 0xfa])));
        assert_eq!(text("b4AAH6"), expected);
        assert_eq!(text("b4"), Ok(EnginePacket::Binary(Bytes::new())));
        assert_eq!(
            text("b4AA=="),
            Ok(EnginePacket::Binary(Bytes::from_static(&[0])))
        );
        assert_eq!(text("b4AA"), text("b4AA=="));
        assert_eq!(
            text("b3cHJvYmU="),
            Ok(EnginePacket::Pong(ByteString::from_static("probe")))
        );
    }

    #[test]
    fn broken_text_packets_are_refused() {
        assert_eq!(text(""), Err(EngineError::EmptyPacket { offset: 0 }));
        assert_eq!(text("b"), Err(EngineError::EmptyPacket { offset: 1 }));
        let unknown = |offset, found| Err(EngineError::UnknownType { offset, found });
        assert_eq!(text("7"), unknown(0, '7'));
        assert_eq!(text("{\"code\":5}"), unknown(0, '{'));
        assert_eq!(text("한"), unknown(0, '한'));
        assert_eq!(text("\u{1f600}"), unknown(0, '\u{1f600}'));
        assert_eq!(text("b7AAAA"), unknown(1, '7'));
        assert_eq!(text("b한"), unknown(1, '한'));
        assert_eq!(text("b4A*AA"), Err(EngineError::Base64 { offset: 3 }));
        assert_eq!(text("b4AAAAA"), Err(EngineError::Base64 { offset: 7 }));
        assert_eq!(text("b4AB=="), Err(EngineError::Base64 { offset: 3 }));
    }

    #[test]
    fn binary_packets() {
        assert_eq!(
            binary(b"\x04\x00\xff"),
            Ok(EnginePacket::Binary(Bytes::from_static(b"\x00\xff")))
        );
        assert_eq!(binary(b"\x04"), Ok(EnginePacket::Binary(Bytes::new())));
        assert_eq!(
            binary(b"\x03pro\xffbe"),
            Ok(EnginePacket::Pong(ByteString::from_static("pro\u{fffd}be")))
        );
        assert_eq!(binary(b""), Err(EngineError::EmptyPacket { offset: 0 }));
        for found in [7, b'4', 0xff] {
            let decoded = EnginePacket::decode_binary(Bytes::from(vec![found]));
            let expected = EngineError::UnknownTypeNumber { offset: 0, found };
            assert_eq!(decoded, Err(expected));
        }
    }

    #[test]
    fn double_encoding_is_undone_only_where_it_shows() {
        let undo = |text: &'static str| undo_double_encoding(ByteString::from_static(text));
        assert_eq!(undo("42[\"uni\",\"í\u{95}\u{9c}\"]"), "42[\"uni\",\"한\"]");
        assert_eq!(undo("\u{f0}\u{9f}\u{98}\u{80}"), "\u{1f600}");
        assert_eq!(undo("plain"), "plain");
        assert_eq!(undo("caf\u{e9}"), "caf\u{e9}");
        assert_eq!(
            undo("한 \u{c3}\u{a9}"),
            "한 \u{c3}\u{a9}",
            "no Latin-1: left alone"
        );
    }

    #[test]
    fn errors_say_what_was_expected_and_where() {
        let message = |result: Result<EnginePacket, EngineError>| result.unwrap_err().to_string();
        assert_eq!(
            message(text("9")),
            "expected an Engine.IO packet type `0` to `6` or `b` at offset 0, found '9'"
        );
        assert_eq!(
            message(binary(b"9")),
            "expected an Engine.IO packet type number 0 to 6 at offset 0, found 57"
        );
    }
}
