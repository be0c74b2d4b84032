//! What a client is made with.

use std::fmt;
use std::time::Duration;

use bytestring::ByteString;
use sio_core::session::Session;
use sio_core::{Bounds, Limits, Reconnect, Transport};

use crate::builder::UpgradeMemory;
use crate::endpoint::{Endpoint, Hook};
use crate::tls::Roots;

/// Everything a client needs to know to connect, checked.
pub(crate) struct Options<P: Session> {
    /// What each attempt starts with.
    pub(crate) endpoint: Endpoint,
    pub(crate) before_attempt: Hook,
    pub(crate) path: ByteString,
    pub(crate) transports: Vec<Transport>,
    pub(crate) upgrade: bool,
    pub(crate) memory: Option<UpgradeMemory>,
    pub(crate) timestamps: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) upgrade_timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) send_timeout: Duration,
    pub(crate) send_buffer: usize,
    pub(crate) reconnect: Reconnect,
    pub(crate) queue: Bounds,
    pub(crate) manual_flush: bool,
    pub(crate) inbox: Bounds,
    pub(crate) keep_open: bool,
    pub(crate) limits: Limits,
    pub(crate) roots: Roots,
    pub(crate) protocol: P::Options,
}

impl<P: Session> fmt::Debug for Options<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("server", &self.endpoint.target.shown())
            .field("transports", &self.transports)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}
