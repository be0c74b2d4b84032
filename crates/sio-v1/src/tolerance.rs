//! Odd but harmless input that is let pass, counted and logged. Each tolerance has a name, and says who needs it.

use crate::engine::payload::Tolerated;

/// An event whose data is no JSON list, or an empty one, or begins with neither text nor number, is dropped.
///
/// 1.x and 2.x servers never write one; programs in front of them may.
pub const MALFORMED_EVENT: &str = "malformed-event";

/// An ack without a number or without a JSON list is dropped.
pub const MALFORMED_ACK: &str = "malformed-ack";

/// A root event, a root ack or a granted namespace counts as the root's connect packet.
///
/// 2.0.x never sends it if some namespace has middleware and the root has none.
pub const ROOT_PROVEN: &str = "root-proven";

/// A granted namespace that nobody asked for, or that was given up meanwhile, is not joined.
///
/// A slow server grants after the client's deadline has passed.
pub const UNASKED_GRANT: &str = "unasked-grant";

/// Invalid UTF-8 in a polling body is read as U+FFFD.
///
/// 1.5 to 1.7 write lone surrogates as three bytes.
pub const LOSSY_UTF8: &str = "lossy-utf-8";

/// A text payload whose lengths count bytes instead of UTF-16 units is read by bytes.
pub const BYTE_LENGTHS: &str = "byte-lengths";

/// Packets of length zero in a payload are skipped, as every Node server does.
pub const EMPTY_PACKET: &str = "empty-packet";

/// A binary payload whose lengths count each byte of a multi-byte character as two.
///
/// 1.0.0 to 1.0.3 write those.
pub const DOUBLED_LENGTHS: &str = "doubled-lengths";

/// The names of what a payload's decoder let pass.
pub(crate) fn of_payload(seen: Tolerated) -> impl Iterator<Item = &'static str> {
    [
        (seen.invalid_utf8, LOSSY_UTF8),
        (seen.byte_lengths, BYTE_LENGTHS),
        (seen.empty_packets, EMPTY_PACKET),
        (seen.doubled_lengths, DOUBLED_LENGTHS),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(_, name)| name)
}
