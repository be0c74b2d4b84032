//! What a peer can do wrong on the wire, one enum per layer of the protocol.
//!
//! Every variant here is the *server's* doing (or a proxy's in between). The texts say what was expected, what
//! came and where: an `offset` counts bytes from the start of the packet, body or stream that was being read.

use thiserror::Error;

/// A breach of the packet grammar.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PacketError {
    /// A message without any text.
    #[error("expected a packet, found empty text")]
    Empty,
    /// The first character is no packet type.
    #[error("expected a packet type `0` to `8`, found {found:?}")]
    UnknownType {
        /// What stands there.
        found: char,
    },
    /// One of the two colons that every packet has is missing.
    #[error("expected `:` at offset {offset}, found {}", or_end(*found))]
    Colon {
        /// Where it should stand.
        offset: usize,
        /// What stands there; `None` at the end of the packet.
        found: Option<char>,
    },
    /// Something else than digits, perhaps with a `+` behind them, where the id belongs.
    #[error("expected the digits of an id at offset {offset}, found {found:?}")]
    Id {
        /// Where a digit should stand.
        offset: usize,
        /// What stands there.
        found: char,
    },
    /// The data of an ack does not begin with the id that it answers.
    #[error("expected the id that is acknowledged, found {}", or_end(*found))]
    AckId {
        /// What the data begins with; `None` where it is empty.
        found: Option<char>,
    },
}

/// The data of an event that cannot be used.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EventError {
    /// It does not begin like a JSON object.
    #[error("expected the JSON object of an event, found {}", or_end(*found))]
    NotAnObject {
        /// What it begins with; `None` where it is empty.
        found: Option<char>,
    },
    /// The object is broken, or something follows it.
    #[error("expected the JSON object of an event, broken at offset {offset}: {reason}")]
    Json {
        /// The value or the place that is wrong.
        offset: usize,
        /// What is wrong with it. A column named here counts from `offset`.
        reason: String,
    },
    /// The name is missing or `null`: what a server writes for `emit()` without arguments.
    #[error("expected the name of an event, found none")]
    NoName,
    /// The name is neither a string nor a number.
    #[error("expected the name of an event, found {found}")]
    Name {
        /// What stands there: `a bool`, `an array` or `an object`.
        found: &'static str,
    },
}

/// A breach of the framing of HTTP bodies.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PayloadError {
    /// Something stands between two frames, or behind the last one.
    #[error("expected U+FFFD or the end of the payload at offset {offset}, found {found:?}")]
    Mark {
        /// Where the frame should begin.
        offset: usize,
        /// What stands there.
        found: char,
    },
    /// A length holds something else than digits, or nothing.
    #[error("expected a length's digit at offset {offset}, found {found:?}")]
    LengthDigit {
        /// Where the digit should stand.
        offset: usize,
        /// What stands there.
        found: char,
    },
    /// The payload ends inside a length.
    #[error(
        "expected U+FFFD behind the length that begins at offset {offset}, found the end of the payload"
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
        /// The announced length in UTF-16 units.
        declared: u64,
        /// What is there, in the same unit.
        available: u64,
    },
    /// A length ends between the two halves of a surrogate pair.
    #[error(
        "expected a packet of length {declared} to end at a character, but it ends inside the one at offset {offset}"
    )]
    SplitCharacter {
        /// The character that is cut.
        offset: usize,
        /// The announced length in UTF-16 units.
        declared: u64,
    },
    /// More packets in one payload than [`PayloadLimits`](crate::payload::PayloadLimits) allows.
    #[error("expected at most {limit} packets in one payload, found more")]
    TooManyPackets {
        /// The limit.
        limit: usize,
    },
}

/// A body of jsonp-polling that holds no payload.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JsonpError {
    /// It is no function call.
    #[error("expected a call `io.j[…](…);`, found {found:?}")]
    NotACall {
        /// How the body begins.
        found: String,
    },
    /// The argument of the call is no string in double quotes.
    #[error("expected a JSON string as the argument of the call, found {found:?}")]
    NotAString {
        /// How the argument begins.
        found: String,
    },
    /// The argument of the call is a string in single quotes, as gevent-socketio writes it, without any escaping.
    #[error(
        "expected a JSON string, found one in single quotes: gevent-socketio's JSONP cannot be read reliably"
    )]
    SingleQuotes,
    /// The string is broken.
    #[error("expected a JSON string as the argument of the call: {reason}")]
    Json {
        /// What the JSON parser says.
        reason: String,
    },
    /// The call passes `new Error("…")`: a refused handshake.
    #[error("the server refused: {message}")]
    Refused {
        /// The server's words, such as `handshake unauthorized`.
        message: String,
    },
}

/// A breach of the form of an htmlfile stream.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HtmlfileError {
    /// A script that passes something else than a string in double quotes.
    #[error("expected a JSON string at offset {offset}, found byte '{}'", found.escape_ascii())]
    NotAString {
        /// Where the string should begin.
        offset: u64,
        /// What stands there.
        found: u8,
    },
    /// A script's string is not followed by what ends the script.
    #[error("expected `);</script>` at offset {offset}, found something else")]
    Unclosed {
        /// Where the string ends.
        offset: u64,
    },
    /// A script's string is broken.
    #[error("expected a JSON string at offset {offset}: {reason}")]
    Json {
        /// Where the string begins.
        offset: u64,
        /// What the JSON parser says.
        reason: String,
    },
    /// A script's string is larger than the limit, or has not ended within it.
    #[error("expected a script of at most {limit} bytes at offset {offset}, found more")]
    TooLarge {
        /// Where the string begins.
        offset: u64,
        /// The limit.
        limit: usize,
    },
}

/// A body that is no handshake.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// Fewer than four fields: a refusal in words, or another program's page.
    #[error("expected a handshake `id:heartbeat:close:transports`, found {found:?}")]
    Fields {
        /// How the body begins.
        found: String,
    },
    /// The session id is missing, or nothing that could stand in a path.
    #[error("expected a session id in the handshake, found {found:?}")]
    Sid {
        /// How the field begins.
        found: String,
    },
    /// A timeout is neither empty nor a number.
    #[error("expected seconds as {field} in the handshake, found {found:?}")]
    Timeout {
        /// Which one: `heartbeat timeout` or `close timeout`.
        field: &'static str,
        /// How the field begins.
        found: String,
    },
}

/// What ends a session that could be opened, or keeps it from opening.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SessionError {
    /// Client and server have no transport in common.
    #[error(
        "no transport in common: this client may use {wanted}; the server offers {}",
        or_none(offered)
    )]
    NoCommonTransport {
        /// What the client was told to use.
        wanted: String,
        /// What the server lists, its own order and names.
        offered: String,
    },
    /// Every transport in common was tried, and none worked.
    #[error("no transport works: {0}")]
    NoTransportWorks(String),
    /// The session is not known to the server that was asked for it.
    #[error(
        "the server does not know the session it has just made: if a balancer spreads requests over several nodes, it must \
         keep each session on one of them, by cookie or by address"
    )]
    Forgotten,
    /// The session was ended in the moment it was opened.
    #[error("the server ended the session before it was open")]
    EndedWhileOpening,
    /// The server asks for acknowledgements and does not take them.
    #[error("the server asks for answers and takes none: {0} of them are waiting")]
    AnswersNotTaken(usize),
    /// The stream of htmlfile ended inside a script.
    #[error("expected the end of a script, found the end of the stream")]
    CutScript,
}

/// How a text begins, for an error.
pub(crate) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 100;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn or_end(found: Option<char>) -> String {
    found.map_or_else(|| "the end".to_owned(), |found| format!("{found:?}"))
}

fn or_none(list: &str) -> &str {
    if list.is_empty() { "none" } else { list }
}
