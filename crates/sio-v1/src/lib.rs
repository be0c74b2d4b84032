//! Socket.IO client for servers of **1.x and 2.x** (Engine.IO 3), and of **3.1+ and 4.x with `allowEIO3`**.
//!
//! ```no_run
//! use std::time::Duration;
//! use sio_v1::{Ack, Client};
//!
//! # fn main() -> sio_v1::Result<()> {
//! let client = Client::builder("http://localhost:3000")
//!     .on("news", |title: String| println!("{title}"))
//!     .on("question", |_: String, ack: Ack| ack.send("42"))
//!     .connect()?;
//! client.emit("join", ("lobby", 7))?;
//! let answer: String = client.call("ask", "why?", Duration::from_secs(5))?;
//! println!("{answer}");
//! client.close()
//! # }
//! ```

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}

pub mod engine;
pub mod error;
mod options;
pub mod packet;
pub mod session;
pub mod tolerance;

pub use options::Options;
pub use session::Session;
pub use sio_core::event::{Events, NextError};
pub use sio_core::handler::{HandlerId, Handlers, IntoHandler};
pub use sio_core::manager::Queued;
pub use sio_core::wire_log::{LogError, Replay};
pub use sio_core::{
    Ack, Args, Bounds, ConnectionReport, ConnectionState, Counters, Deadline, DisconnectReason,
    Dropped, Error, Event, HttpError, IfOffline, Limits, Overflow, Reconnect, Result, Socket,
    SocketExt, Status, Transport, UsageError, Value,
};
pub use sio_net::guide;
pub use sio_net::{Attempt, Backend, EventLoop, Proxy, Roots, Tls, UpgradeMemory, WireLog};

/// A namespace of a connection to a 1.x or 2.x server. See [`sio_net::Client`] for its methods.
pub type Client = sio_net::Client<Session>;
/// A connection about to be made; see [`Client::builder`].
pub type ClientBuilder = sio_net::ClientBuilder<Session>;
/// A namespace about to be joined; see [`Client::namespace`].
pub type NamespaceBuilder = sio_net::NamespaceBuilder<Session>;
/// A handle that keeps no connection alive; see [`Client::downgrade`].
pub type WeakClient = sio_net::WeakClient<Session>;

/// Feeds a recorded log through new sessions, without a network: see [`sio_core::wire_log`] for the format and
/// [`ClientBuilder::record`](sio_net::ClientBuilder::record) for how to get one.
///
/// ```no_run
/// let log = std::fs::read_to_string("trouble.jsonl").expect("a log");
/// let replay = sio_v1::replay(&log).expect("it was recorded with this protocol");
/// assert!(replay.differences.is_empty(), "{}", replay.differences[0]);
/// for told in replay.told {
///     println!("{:?} {:?}", told.at, told.event);
/// }
/// ```
///
/// # Errors
/// If the text is no log of this protocol, or a line of it is broken. Whether the session did the same as when it was
/// recorded is in [`Replay::differences`].
pub fn replay(log: &str) -> std::result::Result<Replay, LogError> {
    sio_net::replay::<Session>(log)
}
