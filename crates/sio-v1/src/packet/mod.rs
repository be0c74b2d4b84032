//! Socket.IO packets of protocol revisions 2 to 4 (Socket.IO 1.x and 2.x): grammar, writing, and reassembly of binary
//! packets.
//!
//! A packet is the data of an Engine.IO `message`. Its JSON stays raw text here, placeholders included.

mod assemble;
mod parse;
pub mod write;

use bytestring::ByteString;

pub use assemble::{Assembled, Assembler, is_message_frame};
pub use parse::parse;

/// The namespace that every connection has from the start. On the wire it is left out.
pub const ROOT: &str = "/";

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketType {
    /// `0`: a namespace is asked for (by the client) or granted (by the server).
    Connect,
    /// `1`: a namespace is left.
    Disconnect,
    /// `2`: an event; its JSON is an array that starts with the name.
    Event,
    /// `3`: the answer to the event of the same id; its JSON is an array.
    Ack,
    /// `4`: a namespace is refused, or the server's application reports an error; any JSON.
    Error,
    /// `5`: an event with attachments.
    BinaryEvent,
    /// `6`: an answer with attachments, to an event of either type.
    BinaryAck,
}

impl PacketType {
    /// The type of a digit on the wire.
    pub fn from_digit(digit: char) -> Option<Self> {
        Some(match digit {
            '0' => Self::Connect,
            '1' => Self::Disconnect,
            '2' => Self::Event,
            '3' => Self::Ack,
            '4' => Self::Error,
            '5' => Self::BinaryEvent,
            '6' => Self::BinaryAck,
            _ => return None,
        })
    }

    /// The digit on the wire.
    pub fn digit(self) -> &'static str {
        match self {
            Self::Connect => "0",
            Self::Disconnect => "1",
            Self::Event => "2",
            Self::Ack => "3",
            Self::Error => "4",
            Self::BinaryEvent => "5",
            Self::BinaryAck => "6",
        }
    }

    /// Whether the packet announces attachments (perhaps none, see [`Packet::attachments`]).
    pub fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }

    /// Whether digits behind the namespace are an id. Elsewhere they are JSON: `45` is an error whose data is 5.
    pub fn has_id(self) -> bool {
        matches!(
            self,
            Self::Event | Self::Ack | Self::BinaryEvent | Self::BinaryAck
        )
    }
}

/// A Socket.IO packet, with its JSON unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What it is for.
    pub packet_type: PacketType,
    /// The namespace, always with its slash; [`ROOT`] where the packet names none.
    pub namespace: ByteString,
    /// What stands between `?` and `,` behind the namespace. Clients from 1.5 on send it with CONNECT; servers before
    /// 1.5 take it for a part of the name, and repeat it in what they send.
    pub query: Option<ByteString>,
    /// The id that an answer repeats. Servers count in doubles, so what we send must stay below 2^53. An ack without
    /// an id can be read, but answers nothing.
    pub id: Option<u64>,
    /// How many attachments follow; 0 unless the type [is binary](PacketType::is_binary). Servers from 2.1 on
    /// announce 0 where an event was merely flagged as binary: it is complete at once. Never send that.
    pub attachments: usize,
    /// The raw JSON, empty where there is none.
    pub data: ByteString,
}

/// How much a packet may claim before it is refused.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketLimits {
    /// The greatest number of attachments of one packet. Default: 1024. (Servers of today refuse more than 10 in what
    /// *they* receive, but send any number.)
    pub attachments: usize,
    /// The greatest size of all attachments of one packet together, in bytes. Default: 64 MiB.
    pub attachment_bytes: usize,
}

impl Default for PacketLimits {
    fn default() -> Self {
        Self {
            attachments: 1024,
            attachment_bytes: 64 << 20,
        }
    }
}
