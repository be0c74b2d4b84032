//! What a client is made with.

use std::fmt;
use std::time::Duration;

use bytestring::ByteString;
use http::HeaderMap;
use sio_core::session::Session;
use sio_core::{Limits, Transport};

use crate::target::Target;
use crate::tls::Roots;

/// Everything a client needs to know to connect, checked.
pub(crate) struct Options<P: Session> {
    pub(crate) target: Target,
    pub(crate) path: ByteString,
    pub(crate) query: ByteString,
    pub(crate) headers: HeaderMap,
    pub(crate) transports: Vec<Transport>,
    pub(crate) upgrade: bool,
    pub(crate) timestamps: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) upgrade_timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) send_timeout: Duration,
    pub(crate) send_buffer: usize,
    pub(crate) queue_limit: usize,
    pub(crate) keep_open: bool,
    pub(crate) limits: Limits,
    pub(crate) roots: Roots,
    pub(crate) protocol: P::Options,
}

impl<P: Session> fmt::Debug for Options<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("server", &self.target.shown())
            .field("transports", &self.transports)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// A limit that the clock can count to; longer ones, `Duration::MAX` for "no limit" among them, are a hundred years.
pub(crate) fn countable(limit: Duration) -> Duration {
    limit.min(Duration::from_secs(100 * 366 * 86_400))
}
