//! What a peer can do wrong on the wire, one enum per layer of the protocol.
//!
//! Every variant here is the *server's* doing (or a proxy's in between). The texts say what was expected, what
//! came and where: an `offset` counts bytes from the start of the frame, body or packet that was being read.

use thiserror::Error;

/// A breach of the Engine.IO 3 packet format or of the payload framings on polling.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineError {
    /// A frame or a base64 packet has no type.
    #[error("expected an Engine.IO packet type at offset {offset}, found the end of the packet")]
    EmptyPacket {
        /// Where the type should stand.
        offset: usize,
    },
    /// A text packet starts with something that is no type.
    #[error(
        "expected an Engine.IO packet type `0` to `6` or `b` at offset {offset}, found {found:?}"
    )]
    UnknownType {
        /// Where the type should stand.
        offset: usize,
        /// What stands there.
        found: char,
    },
    /// A binary packet starts with something that is no type number.
    #[error("expected an Engine.IO packet type number 0 to 6 at offset {offset}, found {found}")]
    UnknownTypeNumber {
        /// Where the type should stand.
        offset: usize,
        /// What stands there.
        found: u8,
    },
    /// The data of a `b4…` packet is not base64 of the standard alphabet.
    #[error("expected base64 data, which is broken at offset {offset}")]
    Base64 {
        /// The first symbol that does not fit, or the end of the data.
        offset: usize,
    },
    /// A text payload without any packet.
    #[error("expected at least one packet, found an empty text payload")]
    EmptyPayload,
    /// A payload's length holds something else than digits and their end mark.
    #[error(
        "expected a length's digit or end mark at offset {offset}, found byte '{}'",
        found.escape_ascii()
    )]
    LengthDigit {
        /// Where the digit should stand.
        offset: usize,
        /// What stands there.
        found: u8,
    },
    /// The payload ends inside a length.
    #[error(
        "expected the end mark of the length that begins at offset {offset}, found the end of the payload"
    )]
    UnfinishedLength {
        /// Where the length begins.
        offset: usize,
    },
    /// A length with more digits than any payload could need.
    #[error("expected a length of at most {limit} digits at offset {offset}, found more")]
    LengthTooLong {
        /// Where the length begins.
        offset: usize,
        /// The greatest number of digits.
        limit: usize,
    },
    /// The payload ends inside a packet.
    #[error("expected a packet of length {declared} at offset {offset}, found only {available}")]
    Truncated {
        /// Where the packet begins.
        offset: usize,
        /// The announced length, in the unit of the framing.
        declared: u64,
        /// What is there, in the same unit.
        available: u64,
    },
    /// A length in a text payload ends inside a character.
    #[error(
        "expected a packet of length {declared} to end at a character, but offset {offset} is inside one"
    )]
    SplitCharacter {
        /// The character that is cut, or the place inside it.
        offset: usize,
        /// The announced length, in the unit of the framing.
        declared: u64,
    },
    /// A doubly encoded text holds a character that no byte stands for.
    #[error(
        "expected doubly encoded text up to U+00FF, found {found:?} in the packet at offset {offset}"
    )]
    NotLatin1 {
        /// Where the packet begins.
        offset: usize,
        /// The first such character.
        found: char,
    },
    /// An entry of a binary payload is neither text nor binary.
    #[error("expected a packet kind 0 (text) or 1 (binary) at offset {offset}, found {found}")]
    UnknownKind {
        /// Where the kind should stand.
        offset: usize,
        /// What stands there.
        found: u8,
    },
    /// More packets in one payload than [`PayloadLimits`](crate::engine::payload::PayloadLimits) allows.
    #[error("expected at most {limit} packets in one payload, found more")]
    TooManyPackets {
        /// The limit.
        limit: usize,
    },
}

/// An open packet whose handshake cannot be used.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// The open packet is longer than any server's.
    #[error("expected an open packet of at most {limit} bytes, found {found}")]
    TooLarge {
        /// The limit.
        limit: usize,
        /// Its length.
        found: usize,
    },
    /// The data of the open packet is no JSON object.
    #[error("expected a JSON object in the open packet, broken at byte {offset}: {reason}")]
    Json {
        /// Where it stops being one (the column of its only line).
        offset: usize,
        /// What the JSON parser says.
        reason: String,
    },
    /// There is no session id, or an empty one.
    #[error("expected a session id in the open packet, found {found}")]
    Sid {
        /// The start of the field's JSON, or `nothing`.
        found: String,
    },
    /// `upgrades` is no list.
    #[error("expected a list of upgrades in the open packet, found {found}")]
    Upgrades {
        /// The start of the field's JSON.
        found: String,
    },
    /// A heartbeat time that no timer can be set to.
    #[error("expected milliseconds, one or more, as {field} in the open packet, found {found}")]
    Heartbeat {
        /// The field's name on the wire: `pingInterval` or `pingTimeout`.
        field: &'static str,
        /// The start of the field's JSON.
        found: String,
    },
}

/// A breach of the Socket.IO packet grammar, or of the order of packets and attachments.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PacketError {
    /// A message without any text.
    #[error("expected a Socket.IO packet, found empty text")]
    Empty,
    /// The first character is no packet type.
    #[error("expected a Socket.IO packet type `0` to `6`, found {found:?}")]
    UnknownType {
        /// What stands there.
        found: char,
    },
    /// A binary event or binary ack without the number of its attachments and a dash.
    #[error("expected the number of attachments and `-` at offset {offset}")]
    AttachmentCount {
        /// Where the number should stand.
        offset: usize,
    },
    /// More attachments announced than [`PacketLimits`](crate::packet::PacketLimits) allows.
    #[error("expected at most {limit} attachments, found {announced} announced")]
    TooManyAttachments {
        /// The announced number, or `u64::MAX` if it is greater.
        announced: u64,
        /// The limit.
        limit: usize,
    },
    /// An id that does not fit into 64 bits. (Servers count in doubles: real ids stay below 2^53.)
    #[error("expected an id below 2^64 at offset {offset}, found {digits} digits")]
    IdTooLarge {
        /// Where the id begins.
        offset: usize,
        /// How long it is.
        digits: usize,
    },
    /// A Socket.IO packet came while attachments of the one before were missing.
    #[error("expected {announced} attachments, found the next packet after {received}")]
    AttachmentsMissing {
        /// How many were announced.
        announced: usize,
        /// How many had come.
        received: usize,
    },
    /// A binary message came that no packet announced.
    #[error(
        "expected a Socket.IO packet, found an attachment of {length} bytes that none announced"
    )]
    UnexpectedAttachment {
        /// Its size.
        length: usize,
    },
    /// The attachments of one packet exceed [`PacketLimits`](crate::packet::PacketLimits) together.
    #[error("expected at most {limit} bytes of attachments in one packet, found more")]
    AttachmentsTooLarge {
        /// The limit.
        limit: usize,
    },
}

/// A packet that is well formed, and out of place.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SessionError {
    /// The first packet is not the open packet.
    #[error("expected an open packet first, found something else")]
    NoOpenPacket,
    /// An open packet in a session that is open.
    #[error("expected no second open packet")]
    SecondOpen,
    /// In Engine.IO 3 the client pings; a server that does speaks Engine.IO 4.
    #[error(
        "the server pinged, which only Engine.IO 4 servers do: it is Socket.IO 3 or 4 without allowEIO3"
    )]
    ServerPinged,
    /// Only clients upgrade.
    #[error("expected no upgrade packet from a server")]
    ServerUpgraded,
    /// A WebSocket of its own ends without a word where polling works.
    #[error(
        "a session over polling can be opened here, so the server's `transports` setting, or a proxy before it, keeps \
         WebSockets away: leave polling among the client's `transports`"
    )]
    OnlyPollingWorks,
    /// The WebSocket of an upgrade began with something else than the answer to the probe.
    #[error("expected \"3probe\" first, found {0:?}")]
    WrongProbe(String),
}
