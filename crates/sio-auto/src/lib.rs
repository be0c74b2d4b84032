//! One Socket.IO client for programs that have to follow a server, on whatever protocol it speaks: 0.9 by `sio-legacy`,
//! 1.x, 2.x and 3.1+/4.x with `allowEIO3` by `sio-v1`.
//!
//! ```no_run
//! use std::time::Duration;
//! use sio_auto::{Client, Socket, SocketExt};
//!
//! # fn main() -> sio_auto::Result<()> {
//! let client = Client::builder("http://localhost:3000")
//!     .on("news", |title: String| println!("{title}"))
//!     .connect()?;
//! let answer: String = client.call("ask", "why?", Duration::from_secs(5))?;
//! println!("{answer}");
//! client.close()
//! # }
//! ```
//!
//! The server is [probed](mod@probe) first, once, with the same settings; what that finds is used: the protocol, 1.0.x' encoding
//! of WebSocket text, and the transports that the server offers. Both together have one connect timeout. With a
//! [`Protocol`] the client connects at once. A server that neither protocol fits is an error that says which one it is, and
//! what would help ([`Unfit`]).
//!
//! Only to know which server it is:
//!
//! ```no_run
//! let report = sio_auto::probe("http://localhost:3000")?;
//! println!("{report}");
//! if let Some(lines) = report.cargo() {
//!     println!("{lines}");
//! }
//! # Ok::<(), sio_auto::Error>(())
//! ```

mod builder;
mod client;
pub mod probe;
mod report;

pub use builder::{ClientBuilder, Protocol, Unfit};
pub use client::{Client, WeakClient};
pub use report::{Certainty, Family, Report};
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

/// Feeds a recorded log through new sessions of the protocol that it was recorded with, without a network: see
/// [`sio_core::wire_log`].
///
/// # Errors
/// If the text is no wire log, or one of another protocol than these two, or a line of it is broken. Whether the sessions
/// did the same as when it was recorded is in [`Replay::differences`].
pub fn replay(log: &str) -> std::result::Result<Replay, LogError> {
    let protocol = sio_core::wire_log::read_head(log)?.protocol;
    if protocol == <sio_legacy::Session as sio_core::session::Session>::NAME {
        sio_legacy::replay(log)
    } else {
        sio_v1::replay(log)
    }
}

/// Finds out which server is at a URL, with the defaults; [`ClientBuilder::probe`] does it with others.
///
/// # Errors
/// As [`ClientBuilder::probe`].
pub fn probe(url: &str) -> Result<Report> {
    Client::builder(url).probe()
}
