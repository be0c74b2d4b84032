//! Finds out which server is at a URL.
//!
//! # What is asked, and what the server sees of it
//!
//! | question | when | what it opens, and how that is closed |
//! | --- | --- | --- |
//! | `GET ?EIO=4&transport=polling` | always first | a session of every server from 1.0 on; a POST of `1` at once |
//! | `GET ?EIO=3&transport=polling` | it is 3.x or 4.x, or python | the same, if it answers with one |
//! | `HEAD socket.io.js` | it is 1.0 or later | nothing. Its `ETag` is the version of the client that comes with the server; 3.0 tells it only to who has no [query](crate::ClientBuilder::query) |
//! | WebSocket with `EIO=4`, then `EIO=3` | polling is switched off | a session; a close frame |
//! | `GET 1/` | it is 0.9, or a page for everything | a handshake, which counts as no client and is forgotten after half a minute |
//! | the beginning of `GET socket.io.js` | it is 0.9, and offers transports | nothing. The first line names the build |
//!
//! On 1.x and 2.x, and where `allowEIO3` is on, the application sees **one short connection** (its `connection` and
//! `disconnect` run); elsewhere it sees none. A path that answers 404, a redirect or a refusal is asked no further. Of a 0.9
//! server without transports the script is not asked for: it would die of that.
//!
//! The first answer has the whole connect timeout; each later one a quarter of what is left of it, and 5 s at most.
//!
//! # How it works
//!
//! The probe is a [session](Session) that asks instead of connecting: so every option of a connection holds for it (TLS, proxy,
//! cookies, headers, deadlines), and it is tested with a virtual clock. Reading answers (`answer.rs`), choosing the next
//! question (`findings.rs`) and judging (`verdict.rs`) are functions of what came, without state.
//!
#![doc = include_str!("../docs/reports.md")]

mod answer;
mod findings;
mod session;
#[cfg(test)]
mod tests;
mod verdict;

use std::time::Instant;

use sio_core::{Bounds, Error, Limits, Reconnect, Result};
use sio_net::ClientBuilder;

pub use self::session::{Options, Session};

use self::session::REPORT;
use crate::report::Report;

/// What one answer may have: those of servers are small.
const MAX_MESSAGE: usize = 1 << 20;

/// Asks with these settings, in a time that began at `since`.
pub(crate) fn probe<P: sio_core::session::Session>(
    settings: &ClientBuilder<P>,
    since: Instant,
) -> Result<Report> {
    let url = settings.server()?;
    let limits = Limits::default().message_bytes(MAX_MESSAGE);
    let builder = settings
        .settings_for::<Session>()
        .protocol(Options { url })
        .reconnect(Reconnect::off())
        .inbox(Bounds::inbox())
        .limits(limits);
    let (builder, events) = builder.events();
    let client = builder.connect_since(since)?;
    // The report came with the connection; closed, the receiver has an end.
    client.close()?;
    let mut events = events.filter(|event| event.name() == REPORT);
    match events.next() {
        Some(report) => report.decode(),
        None => Err(Error::Disconnected(client.wait())),
    }
}
