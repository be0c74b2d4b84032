//! Bounds on what a peer can make this client hold.

/// Bounds on what is received. Whatever passes one is an error that names it, and closes the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
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
