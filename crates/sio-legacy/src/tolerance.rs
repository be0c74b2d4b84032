//! Odd but harmless input that is let pass, counted and logged. Each tolerance has a name, and says who needs it.

/// A packet of an unknown type, or without its colons, is dropped.
///
/// The reference ignores them; third-party servers write a bare `0` or types of their own.
pub const MALFORMED_PACKET: &str = "malformed-packet";

/// An event that is no JSON object, or has no name, is dropped.
///
/// Every 0.9 server writes `5:::{}` when its application calls `emit()`.
pub const MALFORMED_EVENT: &str = "malformed-event";

/// A JSON message whose JSON is broken is dropped.
pub const MALFORMED_JSON: &str = "malformed-json";

/// An ack without a number is dropped; one whose values are no JSON array has none.
///
/// 0.9 servers write arrays only; third-party servers write single values.
pub const MALFORMED_ACK: &str = "malformed-ack";

/// A question whose number has more than 64 bits is delivered as an event that wants no answer.
pub const HUGE_ID: &str = "huge-id";

/// A second connect packet for the root is ignored.
///
/// gevent-socketio answers the first request of a polling session with one, and may repeat it.
pub const SECOND_CONNECT: &str = "second-connect";

/// A granted namespace that nobody asked for, or that was given up meanwhile, is not joined.
///
/// A slow server grants after the client's deadline has passed.
pub const UNASKED_GRANT: &str = "unasked-grant";

/// A packet for a namespace that was not joined, or was left, is dropped and not acknowledged.
///
/// 0.9 servers go on sending to a namespace that the client has left.
pub const NOT_JOINED: &str = "not-joined";

/// An error packet for the root that does not end the session is ignored.
pub const STRAY_ERROR: &str = "stray-error";

/// Invalid UTF-8 in a body is read as U+FFFD.
pub const LOSSY_UTF8: &str = "lossy-utf-8";

/// A poll that was answered with nothing at all; the next one waits a little.
pub const EMPTY_POLL: &str = "empty-poll";

/// A WebSocket message that holds several framed packets is taken apart.
///
/// 0.9 servers frame polling bodies only; third-party servers frame both.
pub const FRAMED_MESSAGE: &str = "framed-message";

/// A binary WebSocket message is ignored: the protocol has none.
pub const BINARY_MESSAGE: &str = "binary-message";

/// The server does not answer the noop packets that pace what is sent; see [`session`](crate::session).
///
/// Servers that are not the reference need not acknowledge packets without data.
pub const NO_PACING: &str = "no-pacing";

/// The server ended a WebSocket session over which much was sent.
///
/// From 0.9.17 on a server counts what it reads from a WebSocket over the whole life of the connection, and disconnects
/// the client when that exceeds its `destroy buffer size`; see the [documentation of the crate](crate).
pub const INPUT_BUDGET: &str = "input-budget";
