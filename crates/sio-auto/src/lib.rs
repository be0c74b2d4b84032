//! One Socket.IO client for programs that have to follow a server, on whatever protocol it speaks: 0.9 by `sio-legacy`,
//! 1.x, 2.x and 3.1+/4.x with `allowEIO3` by `sio-v1`.
//!
//! ```no_run
//! use std::time::Duration;
//! use sio_auto::{Client, Protocol, SocketExt};
//!
//! # fn main() -> sio_auto::Result<()> {
//! let client = Client::builder("http://localhost:3000")
//!     .protocol(Protocol::Legacy)
//!     .on("news", |title: String| println!("{title}"))
//!     .connect()?;
//! let answer: String = client.call("ask", "why?", Duration::from_secs(5))?;
//! println!("{answer}");
//! client.close()
//! # }
//! ```

mod builder;
mod client;

pub use builder::{ClientBuilder, Protocol};
pub use client::{Client, WeakClient};
pub use sio_core::event::{Events, NextError};
pub use sio_core::handler::{HandlerId, Handlers, IntoHandler};
pub use sio_core::manager::{Counters, Queued};
pub use sio_core::{
    Ack, Args, Bounds, ConnectionState, Deadline, DisconnectReason, Dropped, Error, Event,
    HttpError, IfOffline, Limits, Overflow, Reconnect, Result, Socket, SocketExt, Status,
    Transport, UsageError, Value,
};
pub use sio_net::guide;
pub use sio_net::{Attempt, Backend, Proxy, Roots, Tls, UpgradeMemory};
