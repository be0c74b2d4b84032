//! Finds out which server is at a URL.
//!
//! The probe is a [session](session::Session) that asks instead of connecting: so every option of a connection holds for it
//! (TLS, proxy, cookies, headers, deadlines), and it is tested with a virtual clock. Reading answers (`answer.rs`), choosing
//! the next question (`findings.rs`) and judging (`verdict.rs`) are functions of what came, without state.

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
