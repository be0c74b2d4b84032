//! Socket.IO client for servers of **0.9** (Socket.IO protocol 1; tested against 0.9.0 to 0.9.19).
//!
//! ```no_run
//! use std::time::Duration;
//! use sio_legacy::{Ack, Client};
//!
//! # fn main() -> sio_legacy::Result<()> {
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
//!
//! # What is different from 1.x and 2.x
//!
//! A program that was written for `sio-v1` needs another dependency and nothing else, except where 0.9 cannot follow:
//!
//! | | on 0.9 |
//! | --- | --- |
//! | bytes | refused by every method that sends ([`UsageError::Unsupported`]); nothing is sent |
//! | `upgrade`, `upgrade_timeout` | refused: a session stays on the transport it opened with |
//! | `send` | packets of their own, for one text or one JSON value; they reach handlers of `message`, as events of that name do |
//! | the ack of a message | a receipt without values, which the server gives before its handlers run |
//! | the query of a namespace | not sent: servers ignore it or break on it. Give it to the connection |
//! | an unknown namespace | no answer at all: the join fails at its deadline |
//! | a namespace that was left | cannot be joined again in the same session: the server would run its handlers twice |
//! | `client.id()` | the session id, in every namespace |
//!
//! ```no_run
//! use std::time::Duration;
//! use sio_legacy::Client;
//!
//! # fn main() -> sio_legacy::Result<()> {
//! let client = Client::builder("http://localhost:3000")
//!     .on("message", |text: String| println!("{text}"))
//!     .connect()?;
//! client.send("some text")?;
//! client.send(vec![1, 2, 3])?; // one JSON value
//! let () = client.send_and_wait("did it arrive?", Duration::from_secs(5))?;
//! # Ok(()) }
//! ```
//!
//! # Transports
//!
//! In the order of the builder's `transports`, limited to what the server lists: [`WebSocket`](Transport::WebSocket),
//! [`Polling`](Transport::Polling) (`xhr-polling` on the wire), [`HtmlFile`](Transport::HtmlFile) (a stream over one long
//! answer) and [`JsonpPolling`](Transport::JsonpPolling) by default. One that is refused, fails, or stays silent for its
//! share of the connect timeout gives way to the next, with a new handshake; [`Status::TransportFailed`] tells, and
//! `client.transport()` says which it became.
//!
//! # Busy clients
//!
//! From 0.9.17 on, a server counts the bytes it reads from a WebSocket over the whole life of the connection, some of them
//! many times, and **disconnects the client** when that exceeds its `destroy buffer size` (100 MB by default). How far
//! that reaches depends on how many messages the server finds in one read:
//!
//! | messages of 1 kB, on 0.9.19 | the server disconnects after |
//! | --- | --- |
//! | all at once, as other clients send | 0.8 MB |
//! | one at a time, each read alone | 24 MB |
//!
//! Besides, some 800 small messages in one read overflow the server's stack, and **end its process** (0.9.18 and 0.9.19 on
//! Node 20). So this client lets only a few be on their way: behind each burst, of 16 messages if the server answers
//! quickly and up to 200 if it is far away, it sends a noop packet that the server acknowledges, and has not more than two
//! of these unanswered. (A server that takes less than some 2 µs for a message is not the one in JavaScript, and gets
//! bursts of up to 200 as well.) What does not fit waits in the send buffer, in order. A program that sends more than some
//! megabytes an hour to such a server should expect [`DisconnectReason::Server`] (the log then says
//! [`input-budget`](tolerance::INPUT_BUDGET)) and tell the client to come back
//! ([`Reconnect::after_server`]), or use polling, where nothing is counted.
//!
//! # What may be lost without a word
//! A 0.9 server answers a post with 200 whatever it understood, and decodes it in the pieces in which it arrives. Several
//! packets in one post are framed by a character of three bytes; if the network cuts a post right there, the server drops
//! or shortens packets of it. So a post with several packets is kept so small that it leaves in one segment, but a middlebox
//! may cut it all the same. What must arrive should be asked for with an ack, or sent over a WebSocket.

pub mod error;
pub mod handshake;
pub mod htmlfile;
pub mod jsonp;
mod literal;
mod options;
pub mod packet;
pub mod payload;
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
pub use sio_net::{Attempt, Backend, EventLoop, Proxy, Roots, Tls, WireLog};

/// A namespace of a connection to a 0.9 server. See [`sio_net::Client`] for its methods.
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
/// let replay = sio_legacy::replay(&log).expect("it was recorded with this protocol");
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
