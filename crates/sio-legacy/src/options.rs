//! What only this protocol can be told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::handshake::Handshake;

/// A shorter limit would end sessions that are well.
const SHORTEST: Duration = Duration::from_secs(1);

/// Options of Socket.IO 0.9.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Options {
    pub(crate) poll_timeout: Option<Duration>,
}

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a poll or a post may go unanswered before the session counts as dead; from 1 s to 24 days. Default: 60 s, or
    /// the server's close timeout if that is longer.
    ///
    /// A server answers an idle poll after its `polling duration` (20 s unless configured), which no version announces:
    /// raise this for a server that holds polls for longer.
    #[must_use]
    pub fn poll_timeout(mut self, timeout: Duration) -> Self {
        self.poll_timeout = Some(timeout.clamp(SHORTEST, Handshake::MAX_TIMEOUT));
        self
    }
}
