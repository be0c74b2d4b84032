//! Packets: the grammar, writing, and what their data holds.
//!
//! | type | digit | sent by | data |
//! | --- | --- | --- | --- |
//! | disconnect | `0` | both | none; without an endpoint it ends the session |
//! | connect | `1` | both | a query, which servers ignore |
//! | heartbeat | `2` | **server**, and the client in answer | none |
//! | message | `3` | both | text |
//! | json | `4` | both | one JSON value |
//! | event | `5` | both | a JSON object: see [`read_event`] |
//! | ack | `6` | both | the id that is answered and a JSON array: see [`ack_data`] |
//! | error | `7` | server | a reason and an advice: see [`error_data`] |
//! | noop | `8` | server | none; ends a poll |
//!
//! The same in all versions of 0.9, and in 0.7 and 0.8.

mod event;
mod parse;
pub mod write;

use std::fmt;

use bytestring::ByteString;

pub use event::read_event;

use crate::error::PacketError;

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketType {
    /// `0`: a namespace is left, or without an endpoint the session ends.
    Disconnect,
    /// `1`: a namespace is asked for (by the client) or granted (by the server). The root is granted unasked.
    Connect,
    /// `2`: the server asks whether the client is there; the client answers with the same.
    Heartbeat,
    /// `3`: text.
    Message,
    /// `4`: a JSON value.
    Json,
    /// `5`: a named event with arguments.
    Event,
    /// `6`: the answer to a packet that has an id.
    Ack,
    /// `7`: the session is not known, or a namespace is refused.
    Error,
    /// `8`: nothing; a poll is over.
    Noop,
}

impl PacketType {
    /// The type of a digit on the wire.
    pub fn from_digit(digit: char) -> Option<Self> {
        Some(match digit {
            '0' => Self::Disconnect,
            '1' => Self::Connect,
            '2' => Self::Heartbeat,
            '3' => Self::Message,
            '4' => Self::Json,
            '5' => Self::Event,
            '6' => Self::Ack,
            '7' => Self::Error,
            '8' => Self::Noop,
            _ => return None,
        })
    }

    /// What it is, for logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::Connect => "connect",
            Self::Heartbeat => "heartbeat",
            Self::Message => "message",
            Self::Json => "json",
            Self::Event => "event",
            Self::Ack => "ack",
            Self::Error => "error",
            Self::Noop => "noop",
        }
    }

    /// The type of a packet that was written here, for logs.
    pub(crate) fn name_of(packet: &str) -> &'static str {
        let digit = packet.chars().next();
        digit
            .and_then(Self::from_digit)
            .map_or("unknown", Self::name)
    }

    /// The digit on the wire.
    pub fn digit(self) -> &'static str {
        &self.start()[..1]
    }

    /// What a packet begins with: the digit, and the first colon.
    pub(crate) fn start(self) -> &'static str {
        match self {
            Self::Disconnect => "0:",
            Self::Connect => "1:",
            Self::Heartbeat => "2:",
            Self::Message => "3:",
            Self::Json => "4:",
            Self::Event => "5:",
            Self::Ack => "6:",
            Self::Error => "7:",
            Self::Noop => "8:",
        }
    }
}

/// Whether a packet asks for an acknowledgement, and of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckMode {
    /// No id: none is wanted.
    None,
    /// `id`: whoever receives the packet acknowledges at once, without data.
    Plain,
    /// `id+`: the application answers, with data.
    Data,
}

/// A packet, with its data unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What it is for.
    pub packet_type: PacketType,
    /// The id that an acknowledgement repeats, as its digits: leading zeros and any length are legal.
    pub id: Option<ByteString>,
    /// What the id asks for; [`AckMode::None`] exactly where there is no id.
    pub ack: AckMode,
    /// The namespace; empty for the root. Normally begins with a slash, and never holds a colon.
    pub endpoint: ByteString,
    /// What stands behind the third colon, `None` without one. To messages, `None` and the empty text are the same.
    pub data: Option<ByteString>,
}

impl Packet {
    /// Reads one packet: a WebSocket message, or one item of a [payload](crate::payload).
    ///
    /// Nothing is copied: id, endpoint and data are slices of `text`. Only the first three colons count; the data may
    /// hold any others. A surplus third colon (`2:::`, `1::/chat:`) is data that is empty. A `+` without an id asks for
    /// nothing, as to the server's own parser.
    ///
    /// # Errors
    ///
    /// Every [`PacketError`] but [`AckId`](PacketError::AckId): the text has fewer than two colons, the type is
    /// unknown, or the id is no number.
    pub fn parse(text: ByteString) -> Result<Self, PacketError> {
        parse::parse(&text)
    }
}

/// What the data of an [ack](PacketType::Ack) holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckData {
    /// The id of the packet that is acknowledged, as its digits.
    pub id: ByteString,
    /// The JSON array of the answer, unread; `None` if there is none, or only a `+`.
    pub args: Option<ByteString>,
}

/// Reads the data of an [ack](PacketType::Ack): `1`, `1+`, `1+["answer"]`.
///
/// Nothing is copied. As to the reference parsers, the `+` may be missing before an answer. The answer may hold anything,
/// the raw line terminators U+2028 and U+2029 included, at which the JavaScript parsers lose it.
///
/// # Errors
///
/// [`PacketError::AckId`] when the data does not begin with a digit.
pub fn ack_data(data: &ByteString) -> Result<AckData, PacketError> {
    parse::ack_data(data)
}

/// What the data of an [error](PacketType::Error) holds, in the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorData {
    /// Why: usually a code, see [`code`](Self::code). `undefined` where the application refused a namespace with an error
    /// of its own.
    pub reason: ByteString,
    /// What to do: usually empty or a code, see [`reconnect`](Self::reconnect).
    pub advice: ByteString,
}

impl ErrorData {
    /// The reason, if it is a known code.
    pub fn code(&self) -> Option<ErrorReason> {
        // gevent-socketio writes the endpoint behind the codes.
        Some(match leading_digits(&self.reason) {
            "0" => ErrorReason::TransportNotSupported,
            "1" => ErrorReason::ClientNotHandshaken,
            "2" => ErrorReason::Unauthorized,
            _ => return None,
        })
    }

    /// Whether the advice is `0`, the only one there is: to make a new handshake.
    pub fn reconnect(&self) -> bool {
        leading_digits(&self.advice) == "0"
    }
}

/// The reasons that the protocol has codes for.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorReason {
    /// `0`: no such transport. No 0.9 server sends it.
    TransportNotSupported,
    /// `1`: the session is unknown, expired, or lives on another server behind a balancer.
    ClientNotHandshaken,
    /// `2`: the application refused the namespace.
    Unauthorized,
}

impl fmt::Display for ErrorReason {
    /// The protocol's own names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TransportNotSupported => "transport not supported",
            Self::ClientNotHandshaken => "client not handshaken",
            Self::Unauthorized => "unauthorized",
        })
    }
}

/// Reads the data of an [error](PacketType::Error): `1+0`, `2`, `undefined`, or nothing.
///
/// Never fails: what stands before the first `+` is the reason, the rest is the advice.
pub fn error_data(data: &ByteString) -> ErrorData {
    let (reason, advice) = data.split_once('+').unwrap_or((data, ""));
    ErrorData {
        reason: data.slice_ref(reason),
        advice: data.slice_ref(advice),
    }
}

fn leading_digits(text: &str) -> &str {
    let rest = text.trim_start_matches(|character: char| character.is_ascii_digit());
    &text[..text.len() - rest.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_data_is_read_leniently() {
        let read = |data: &'static str| {
            let error = error_data(&data.into());
            let code = error.code().map(|code| code.to_string());
            (code.unwrap_or_default(), error.reconnect())
        };
        assert_eq!(read("1+0"), ("client not handshaken".to_owned(), true));
        assert_eq!(read("2"), ("unauthorized".to_owned(), false));
        assert_eq!(read("0+1"), ("transport not supported".to_owned(), false));
        assert_eq!(read("1+0/ns"), ("client not handshaken".to_owned(), true));
        assert_eq!(read("2/ns"), ("unauthorized".to_owned(), false));
        for unknown in ["undefined", "", "+", "10", "01", "3", " 1", "word+00", "한"] {
            assert_eq!(read(unknown), (String::new(), false), "{unknown}");
        }
        assert_eq!(
            error_data(&"word + more + yet".into()),
            ErrorData {
                reason: "word ".into(),
                advice: " more + yet".into()
            }
        );
    }
}
