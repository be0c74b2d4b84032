//! What a client is made with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use sio_core::session::Session;
use sio_core::{Bounds, Limits, Reconnect, Transport};

use crate::builder::UpgradeMemory;
use crate::cookies::{Cookies, Jar};
use crate::endpoint::{Endpoint, Hook};
use crate::proxy::ProxyRules;
use crate::tls::Connector;

/// Everything a client needs to know to connect, checked.
pub(crate) struct Options<P: Session> {
    /// What each attempt starts with.
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) before_attempt: Arc<Hook>,
    pub(crate) proxies: ProxyRules,
    pub(crate) jar: Arc<Jar>,
    pub(crate) path: ByteString,
    pub(crate) transports: Vec<Transport>,
    pub(crate) upgrade: bool,
    pub(crate) memory: Option<UpgradeMemory>,
    pub(crate) timestamps: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) handshake_timeout: Option<Duration>,
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
    /// Set up already if the URL or the program asks for it.
    pub(crate) connector: Option<Connector>,
    pub(crate) protocol: P::Options,
}

impl<P: Session> Options<P> {
    /// What the first session begins with.
    pub(crate) fn cookies(&self) -> Cookies {
        Cookies {
            jar: Arc::clone(&self.jar),
            given: self.endpoint.parts.cookies.clone(),
        }
    }
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
