//! A connection about to be made, on whichever protocol.

use std::error::Error as StdError;
use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use sio_core::event::Events;
use sio_core::handler::IntoHandler;
use sio_core::{
    Bounds, DisconnectReason, Error, Event, Limits, Reconnect, Result, Status, Transport,
};
use sio_net::{Attempt, EventLoop, Proxy, Tls, UpgradeMemory, WireLog};

use crate::client::Client;
use crate::probe;
use crate::report::{Family, Report};

/// Which protocol to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Protocol {
    /// The one that the server speaks: it is [probed](crate::probe()) first.
    #[default]
    Auto,
    /// That of 0.9, by `sio-legacy`.
    Legacy,
    /// Engine.IO 3, by `sio-v1`: 1.x, 2.x, and 3.1+/4.x with `allowEIO3`.
    V1,
}

impl Protocol {
    /// The crate that speaks it; `None` of [`Auto`](Self::Auto).
    #[must_use]
    pub fn package(self) -> Option<&'static str> {
        match self {
            Self::Auto => None,
            Self::Legacy => Some("sio-legacy"),
            Self::V1 => Some("sio-v1"),
        }
    }
}

/// A connection about to be made.
///
/// The setters are those of [`sio_net::ClientBuilder`], and mean the same. Those of upgrades count only on a protocol that
/// has them.
#[derive(Debug)]
#[must_use = "nothing happens before `connect`"]
pub struct ClientBuilder {
    settings: sio_net::ClientBuilder<sio_v1::Session>,
    protocol: Protocol,
    v1: sio_v1::Options,
    legacy: sio_legacy::Options,
    /// Whether the program chose transports.
    names_transports: bool,
}

/// The setters of the builder below.
macro_rules! setters {
    ($($name:ident $([$generic:ident])? ($($arg:ident: $type:ty),*);)*) => {$(
        #[doc = concat!("See [`", stringify!($name), "`](sio_net::ClientBuilder::", stringify!($name), ").")]
        pub fn $name $(<$generic>)? (mut self, $($arg: $type),*) -> Self {
            self.settings = self.settings.$name($($arg),*);
            self
        }
    )*};
}

impl ClientBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            settings: sio_v1::Client::builder(url),
            protocol: Protocol::default(),
            v1: sio_v1::Options::default(),
            legacy: sio_legacy::Options::default(),
            names_transports: false,
        }
    }

    /// Which protocol to speak. Default: the one that the server speaks.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// What only Engine.IO 3 can be told, if that is spoken.
    pub fn v1_options(mut self, options: sio_v1::Options) -> Self {
        self.v1 = options;
        self
    }

    /// What only 0.9 can be told, if that is spoken.
    pub fn legacy_options(mut self, options: sio_legacy::Options) -> Self {
        self.legacy = options;
        self
    }

    /// See [`transports`](sio_net::ClientBuilder::transports). Default: those of the protocol, as far as a probe has found
    /// that the server offers them.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.settings = self.settings.transports(transports);
        self.names_transports = true;
        self
    }

    setters! {
        path(path: &str);
        query(name: &str, value: &str);
        header(name: &str, value: &str);
        user_agent(user_agent: &str);
        origin(origin: &str);
        basic_auth(user: &str, password: &str);
        cookie(name: &str, value: &str);
        upgrade(upgrade: bool);
        remember_upgrade(memory: &UpgradeMemory);
        timestamps(timestamps: bool);
        tls(tls: Tls);
        proxy(proxy: Proxy);
        connect_timeout(timeout: Duration);
        handshake_timeout(timeout: Duration);
        upgrade_timeout(timeout: Duration);
        close_timeout(timeout: Duration);
        send_timeout(timeout: Duration);
        send_buffer(bytes: usize);
        reconnect(reconnect: Reconnect);
        before_attempt(
            hook: impl FnMut(&mut Attempt) -> Result<(), Box<dyn StdError + Send + Sync>> + Send + 'static
        );
        queue(bounds: Bounds);
        manual_flush(manual_flush: bool);
        inbox(bounds: Bounds);
        limits(limits: Limits);
        keep_open(keep_open: bool);
        record(log: WireLog);
        event_loop(event_loop: &EventLoop);
        on[M](event: &str, handler: impl IntoHandler<M>);
        once[M](event: &str, handler: impl IntoHandler<M>);
        on_any(handler: impl FnMut(&Event) + Send + 'static);
        on_unhandled(handler: impl FnMut(&Event) + Send + 'static);
        on_status(handler: impl FnMut(&Status) + Send + 'static);
        on_connect(handler: impl FnMut(bool) + Send + 'static);
        on_disconnect(handler: impl FnMut(&DisconnectReason) + Send + 'static);
        on_error(handler: impl FnMut(&Error) + Send + 'static);
    }

    /// A receiver that sees everything from the first event on; see [`events`](sio_net::ClientBuilder::events).
    pub fn events(mut self) -> (Self, Events) {
        let (settings, events) = self.settings.events();
        self.settings = settings;
        (self, events)
    }

    /// Finds out which server is at the URL, with these settings: TLS, proxy, headers, cookies, path and deadlines hold for
    /// the questions as for a connection. See [`probe`](crate::probe()).
    ///
    /// A hook [before attempts](Self::before_attempt) runs once for all questions.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), where nothing answers. What answers, and is no Socket.IO server, is no error.
    pub fn probe(&self) -> Result<Report> {
        probe::probe(&self.settings, Instant::now())
    }

    /// Connects; returns when the namespace is usable: an emit right after it arrives.
    ///
    /// Without a [protocol](Self::protocol), the server is probed first: both together have the connect timeout. What is
    /// found is kept for all later connections of this client, also after losses.
    ///
    /// # Errors
    /// As [`connect`](sio_net::ClientBuilder::connect) of the protocol's own client. [`Error::Protocol`] with the cause
    /// [`Unfit`] if a probe found a server that neither protocol fits.
    pub fn connect(mut self) -> Result<Client> {
        let since = Instant::now();
        if self.protocol == Protocol::Auto {
            let report = probe::probe(&self.settings, since)?;
            self = self.suited(report)?;
        }
        match self.protocol {
            Protocol::Legacy => {
                let builder = self.settings.for_protocol().protocol(self.legacy);
                Ok(Client::Legacy(builder.connect_since(since)?))
            }
            _ => {
                let builder = self.settings.protocol(self.v1);
                Ok(Client::V1(builder.connect_since(since)?))
            }
        }
    }

    /// With what a [probe](Self::probe) found, where the program left it open: the protocol, and what servers of that version
    /// need. [`connect`](Self::connect) then probes no more.
    ///
    /// # Errors
    /// [`Error::Protocol`] with the cause [`Unfit`] if neither protocol fits.
    pub fn suited(mut self, report: Report) -> Result<Self> {
        let may_fit = matches!(
            report.server,
            Family::V3 | Family::V4 | Family::Socketioxide
        ) && report.allows_eio3.is_none();
        // Its own error says best why it is refused.
        let refused = may_fit.then_some(Protocol::V1);
        let Some(protocol) = report.protocol.or(refused) else {
            return Err(Error::protocol(report.headline(), Unfit::new(report)));
        };
        self.protocol = protocol;
        if report.server == Family::V1_0 {
            self.v1.double_encoded_websocket = true;
        }
        // 0.9 chooses by its own list.
        if protocol == Protocol::V1 && !self.names_transports {
            let known = [Transport::Polling, Transport::WebSocket];
            let is_offered = |one: &Transport| report.transports.contains(&one.to_string());
            let offered: Vec<Transport> = known.into_iter().filter(is_offered).collect();
            if !offered.is_empty() {
                self = self.transports(offered);
            }
        }
        Ok(self)
    }
}

/// Neither protocol fits the server that a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfit {
    /// All that the probe found.
    pub report: Report,
}

impl Unfit {
    fn new(report: Report) -> Self {
        Self { report }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report.advice.join("; "))
    }
}

impl StdError for Unfit {}
