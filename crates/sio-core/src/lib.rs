//! Values and rules that the sio Socket.IO clients share. No I/O, no clock, no threads.
//!
//! Programs depend on a protocol crate (`sio-v1`, `sio-legacy`), which re-exports what they need from here. Code that
//! shall run on either protocol takes `&impl` [`Socket`] and imports [`SocketExt`].

mod ack_table;
mod bounds;
pub mod codec;
pub mod error;
pub mod event;
pub mod handler;
mod limits;
pub mod manager;
pub mod payload;
mod reconnect;
mod report;
pub mod session;
pub mod socket;
mod status;
pub mod wire_log;

pub use bounds::{Bounds, Overflow};
pub use error::{Deadline, Dropped, Error, HttpError, Result, UsageError};
pub use event::{Ack, Event, Events, NextError};
pub use handler::{HandlerId, Handlers};
pub use limits::Limits;
pub use payload::{Args, Encoded, Value};
pub use reconnect::Reconnect;
pub use report::{ConnectionReport, Counters, Traffic};
pub use socket::{IfOffline, Socket, SocketExt};
pub use status::{ConnectionState, DisconnectReason, Status, Transport};
