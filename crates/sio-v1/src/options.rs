//! What only this protocol can be told: tolerances for particular servers that no answer reveals.

use serde::{Deserialize, Serialize};

/// Options of Engine.IO 3 / Socket.IO 1.x and 2.x. All are off by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Options {
    /// See [`double_encoded_websocket`](Self::double_encoded_websocket).
    pub double_encoded_websocket: bool,
    /// See [`assume_root_connected`](Self::assume_root_connected).
    pub assume_root_connected: bool,
}

impl Options {
    /// All off.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Undoes the double encoding of received WebSocket text, which servers of **1.0.x** (1.0.0 to 1.0.6) send.
    ///
    /// Nothing on the wire tells these servers from 1.1 and later. A text whose characters happen to be the Latin-1
    /// reading of valid UTF-8 would be changed, so switch it on for those servers only. What is sent needs no option:
    /// it is ASCII on every version.
    #[must_use]
    pub fn double_encoded_websocket(mut self, on: bool) -> Self {
        self.double_encoded_websocket = on;
        self
    }

    /// Takes the root namespace as connected as soon as the engine session is open.
    ///
    /// **2.0.x** never sends the root's connect packet if some namespace has middleware and the root has none, though
    /// root events and acks work. Without this option the root counts as connected at the first root event or ack, or
    /// at the first other namespace granted, whichever comes first.
    #[must_use]
    pub fn assume_root_connected(mut self, on: bool) -> Self {
        self.assume_root_connected = on;
        self
    }
}
