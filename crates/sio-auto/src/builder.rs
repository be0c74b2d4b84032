//! A connection about to be made, on whichever protocol.

use std::error::Error as StdError;
use std::time::Duration;

use sio_core::event::Events;
use sio_core::handler::IntoHandler;
use sio_core::{
    Bounds, DisconnectReason, Error, Event, Limits, Reconnect, Result, Status, Transport,
};
use sio_net::{Attempt, Proxy, Tls, UpgradeMemory, WireLog};

use crate::client::Client;

/// Which protocol to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// That of 0.9, by `sio-legacy`.
    Legacy,
    /// Engine.IO 3, by `sio-v1`: 1.x, 2.x, and 3.1+/4.x with `allowEIO3`.
    #[default]
    V1,
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
        }
    }

    /// Which protocol to speak.
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

    setters! {
        path(path: &str);
        query(name: &str, value: &str);
        header(name: &str, value: &str);
        user_agent(user_agent: &str);
        origin(origin: &str);
        basic_auth(user: &str, password: &str);
        cookie(name: &str, value: &str);
        transports(transports: impl IntoIterator<Item = Transport>);
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

    /// Connects; returns when the namespace is usable: an emit right after it arrives.
    ///
    /// # Errors
    /// As [`connect`](sio_net::ClientBuilder::connect) of the protocol's own client.
    pub fn connect(self) -> Result<Client> {
        match self.protocol {
            Protocol::V1 => {
                let builder = self.settings.protocol(self.v1);
                Ok(Client::V1(builder.connect()?))
            }
            Protocol::Legacy => {
                let builder = self.settings.for_protocol().protocol(self.legacy);
                Ok(Client::Legacy(builder.connect()?))
            }
        }
    }
}
