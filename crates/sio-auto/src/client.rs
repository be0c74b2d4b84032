//! The client: one of the two, behind the trait they share.

use std::time::Duration;

use sio_core::event::Events;
use sio_core::handler::{Handler, Removal, Trigger};
use sio_core::manager::Queued;
use sio_core::socket::{AckCallback, Join};
use sio_core::{
    Args, ConnectionReport, ConnectionState, Counters, DisconnectReason, Encoded, HandlerId,
    IfOffline, Result, Socket, Transport,
};

use crate::builder::{ClientBuilder, Protocol};

/// A namespace of a connection, on the protocol that was chosen or found.
///
/// What both protocols have is in [`Socket`] and [`SocketExt`](sio_core::SocketExt); what only one has, in the client of
/// each variant. See [`sio_net::Client`] for how a connection lives.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Client {
    /// 1.x, 2.x, and 3.1+/4.x with `allowEIO3`.
    V1(sio_v1::Client),
    /// 0.9.
    Legacy(sio_legacy::Client),
}

/// A handle that keeps no connection alive; see [`Client::downgrade`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum WeakClient {
    /// Of a [`Client::V1`].
    V1(sio_v1::WeakClient),
    /// Of a [`Client::Legacy`].
    Legacy(sio_legacy::WeakClient),
}

/// Does the same with the client of either variant.
macro_rules! either {
    ($client:expr, $inner:ident => $then:expr) => {
        match $client {
            Client::V1($inner) => $then,
            Client::Legacy($inner) => $then,
        }
    };
}

/// Hands methods on to the client of either variant.
macro_rules! hand_on {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident(&self $(, $arg:ident: $type:ty)*) $(-> $result:ty)?;)*) => {$(
        $(#[$meta])*
        $vis fn $name(&self $(, $arg: $type)*) $(-> $result)? {
            either!(self, client => client.$name($($arg),*))
        }
    )*};
}

impl Client {
    /// Prepares a connection. See [`sio_net::ClientBuilder`] for the forms of `url`.
    pub fn builder(url: &str) -> ClientBuilder {
        ClientBuilder::new(url)
    }

    /// Connects with the defaults, and without handlers yet; returns when the namespace is usable.
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`].
    pub fn connect(url: &str) -> Result<Self> {
        Self::builder(url).connect()
    }

    /// Which protocol it speaks.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::V1(_) => Protocol::V1,
            Self::Legacy(_) => Protocol::Legacy,
        }
    }

    hand_on! {
        /// What carries the connection now; `None` while there is none.
        #[must_use]
        pub fn transport(&self) -> Option<Transport>;

        /// The cookies that the next request would carry, by name and value.
        #[must_use]
        pub fn cookies(&self) -> Vec<(String, String)>;

        /// The time of the last heartbeat from ping to pong; `None` before the first, and on 0.9, where the server beats.
        #[must_use]
        pub fn latency(&self) -> Option<Duration>;

        /// What was counted since the client was made.
        #[must_use]
        pub fn counters(&self) -> Counters;

        /// Waits until the connection is over, and says why. One that is lost and made again is not over.
        #[must_use]
        pub fn wait(&self) -> DisconnectReason;
    }

    /// A handle that keeps no connection alive, for handlers that use their own client.
    #[must_use]
    pub fn downgrade(&self) -> WeakClient {
        match self {
            Self::V1(client) => WeakClient::V1(client.downgrade()),
            Self::Legacy(client) => WeakClient::Legacy(client.downgrade()),
        }
    }
}

impl WeakClient {
    /// The client, if some other handle still holds its connection.
    #[must_use]
    pub fn upgrade(&self) -> Option<Client> {
        Some(match self {
            Self::V1(client) => Client::V1(client.upgrade()?),
            Self::Legacy(client) => Client::Legacy(client.upgrade()?),
        })
    }
}

/// By the client of the variant, whose own methods of these names do the same.
impl Socket for Client {
    fn name(&self) -> &str {
        either!(self, client => client.name())
    }

    fn emit_encoded(&self, event: &str, payload: Encoded, if_offline: IfOffline) -> Result<bool> {
        either!(self, client => client.emit_encoded(event, payload, if_offline))
    }

    fn add_handler(&self, trigger: Trigger, once: bool, handler: Handler) -> HandlerId {
        either!(self, client => Socket::add_handler(client, trigger, once, handler))
    }

    fn ask_encoded(
        &self,
        event: &str,
        payload: Encoded,
        timeout: Duration,
        then: AckCallback,
    ) -> Result<()> {
        either!(self, client => client.ask_encoded(event, payload, timeout, then))
    }

    hand_on! {
        fn id(&self) -> Option<String>;
        fn is_connected(&self) -> bool;
        fn state(&self) -> ConnectionState;
        fn report(&self) -> ConnectionReport;
        fn call_encoded(&self, event: &str, payload: Encoded, timeout: Duration) -> Result<Args>;
        fn remove_handlers(&self, which: &Removal) -> usize;
        fn events(&self) -> Events;
        fn queued(&self) -> Vec<Queued>;
        fn clear_queue(&self) -> usize;
        fn flush_queue(&self) -> usize;
        fn join(&self, plan: Join) -> Result<Box<dyn Socket>>;
        fn open(&self) -> Result<()>;
        fn disconnect(&self) -> Result<()>;
        fn close(&self) -> Result<()>;
    }
}
