//! Bounds on what a peer can make this client hold.

use serde::{Deserialize, Serialize};

/// Bounds on what is received. Whatever passes one is an error that names it, and ends the connection.
///
/// Some can be set, with the builder's `limits`. The others are fixed, because no server that works comes near them. These
/// are all:
///
/// | of what | default | set by | the error |
/// | --- | --- | --- | --- |
/// | a WebSocket message, in one frame or in fragments | 64 MiB | [`message_bytes`](Self::message_bytes) | `a message is larger than the limit of … bytes (Limits::message_bytes)` |
/// | the body of an HTTP answer, unpacked, the handshake's too | 64 MiB | the same | `the answer's body is larger than the limit of … bytes (Limits::message_bytes)` |
/// | an HTTP answer on the wire: interim answers, chunks' heads, trailers | 8 × `message_bytes` | the same | `the answer is longer than … bytes on the wire, 8 times Limits::message_bytes` |
/// | a script in the stream of htmlfile (0.9), whose sum has no bound | 64 MiB | the same | `expected a script of at most … bytes at offset …, found more` |
/// | attachments of a packet, when announced | 1,024 | [`attachments`](Self::attachments) | `expected at most … attachments, found … announced` |
/// | their bytes together, as they come | 64 MiB | [`attachment_bytes`](Self::attachment_bytes) | `expected at most … bytes of attachments in one packet, found more` |
/// | an answer's head, a chunk's head | 16 KiB | | `the answer's head, or a line between its chunks, is larger than the limit of 16384 bytes` |
/// | an answer's headers | 128 | | `http parse resulted in too many headers` |
/// | the head that answers a WebSocket's handshake | 64 KiB | | `the answer's head is larger than the limit of 65536 bytes, or comes in hundreds of small pieces` |
/// | its headers | 124 | | `the answer's head has more headers than the limit of 124` |
/// | an open packet (1.x and later) | 64 KiB | | `expected an open packet of at most 65536 bytes, found …` |
/// | a session id (0.9) | 1,024 bytes | | `expected a session id in the handshake, found …` |
/// | packets in a body | 100,000 | | `expected at most 100000 packets in one payload, found more` |
/// | digits of a packet's length | 10 | | `expected a length of at most 10 digits at offset …, found more` |
/// | an id (1.x and later) | 64 bits | | `expected an id below 2^64 at offset …, found … digits` |
/// | answers that a server asks for and does not take (0.9) | 100,000 | | `the server asks for answers and takes none: … of them are waiting` |
/// | arrays and objects in each other | 127 | | [`Error::Decode`](crate::Error::Decode), of whoever decodes; the connection goes on |
///
/// | events before a namespace's connect packet | 1,000 | | none: those beyond are dropped and counted |
/// | events that wait for handlers, and for each receiver | 100,000 with 256 MiB | the builder's `inbox` | [`Error::Overflow`](crate::Error::Overflow), told once for each shortage |
/// | emits that wait for the connection, in each namespace | 10,000 with 64 MiB | the builder's `queue` | [`UsageError::QueueFull`](crate::UsageError::QueueFull), of the emit |
/// | bytes on their way to the peer | 8 MiB | the builder's `send_buffer` | `the server did not read what was sent within …`, of the emit |
///
/// A server's reason for an error that is longer than 64 KiB is given as text, not parsed, and is no error of its own. A
/// WebSocket's close reason has 123 bytes at most by its standard.
///
/// A message of the largest size is held once, and once more as what a program decodes it to; JSON decoded to
/// [`Value`](crate::Value)s may take forty times its text. What waits for a program holds its own bytes only, not those of
/// the body that it came in.
///
/// Time is bounded by the timeouts of the builder and by the heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Limits {
    /// The largest WebSocket message or HTTP body, in bytes. Default 64 MiB.
    pub message_bytes: usize,
    /// The most attachments one packet may announce. Default 1,024.
    pub attachments: usize,
    /// The most bytes the attachments of one packet may have together. Default 64 MiB.
    pub attachment_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 64 << 20,
            attachments: 1024,
            attachment_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// Sets [`message_bytes`](Self::message_bytes).
    #[must_use]
    pub fn message_bytes(mut self, bytes: usize) -> Self {
        self.message_bytes = bytes;
        self
    }

    /// Sets [`attachments`](Self::attachments).
    #[must_use]
    pub fn attachments(mut self, count: usize) -> Self {
        self.attachments = count;
        self
    }

    /// Sets [`attachment_bytes`](Self::attachment_bytes).
    #[must_use]
    pub fn attachment_bytes(mut self, bytes: usize) -> Self {
        self.attachment_bytes = bytes;
        self
    }
}
