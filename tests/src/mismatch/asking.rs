//! What the clients say of a URL.

use std::fmt;
use std::time::{Duration, Instant};

use sio_core::session::Session;
use sio_core::{Error, Transport};
use sio_net::{Client, Proxy};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// What may be added to that on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// What is said of a server that a client can talk to.
pub const CONNECTS: &str = "connects";

/// One of the two clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crate {
    /// `sio-v1`.
    V1,
    /// `sio-legacy`.
    Legacy,
}

/// A client, and the only transport that it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The client.
    pub client: Crate,
    /// The transport.
    pub transport: Transport,
}

/// All of them, in the order of the page.
pub const ALL: [Way; 4] = [
    Way::new(Crate::V1, Transport::Polling),
    Way::new(Crate::V1, Transport::WebSocket),
    Way::new(Crate::Legacy, Transport::Polling),
    Way::new(Crate::Legacy, Transport::WebSocket),
];

impl Crate {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "sio-v1",
            Self::Legacy => "sio-legacy",
        }
    }
}

impl Way {
    const fn new(client: Crate, transport: Transport) -> Self {
        Self { client, transport }
    }

    /// The transport's name on the page.
    #[must_use]
    pub const fn transport(self) -> &'static str {
        match self.transport {
            Transport::WebSocket => "WebSocket",
            _ => "polling",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} over {}", self.client.name(), self.transport())
    }
}

/// What a client said.
#[derive(Debug)]
pub struct Asked {
    /// Which one.
    pub way: Way,
    /// The whole text of its error, or [`CONNECTS`]; what differs between runs is replaced.
    pub text: String,
    took: Duration,
}

impl Asked {
    /// What is wrong if it took longer than the connect timeout.
    #[must_use]
    pub fn why_late(&self) -> Option<String> {
        let is_late = self.took > CONNECT_TIMEOUT + SLACK;
        is_late.then(|| format!("{} took {:?}: {}", self.way, self.took, self.text))
    }
}

/// Connects to a URL in all ways, one after the other.
#[must_use]
pub fn ask(url: &str) -> Vec<Asked> {
    let ask = |way: Way| {
        let begin = Instant::now();
        let text = match way.client {
            Crate::V1 => connect::<sio_v1::Session>(url, way.transport),
            Crate::Legacy => connect::<sio_legacy::Session>(url, way.transport),
        };
        Asked {
            way,
            text: without_chance(&text),
            took: begin.elapsed(),
        }
    };
    ALL.into_iter().map(ask).collect()
}

fn connect<P: Session>(url: &str, transport: Transport) -> String {
    let connected = Client::<P>::builder(url)
        .transports([transport])
        .connect_timeout(CONNECT_TIMEOUT)
        .proxy(Proxy::off())
        .connect();
    match connected.and_then(|client| client.close()) {
        Ok(()) => CONNECTS.to_owned(),
        Err(error) => Error::chain(&error),
    }
}

/// Without what differs from run to run: ports and session ids.
fn without_chance(text: &str) -> String {
    let text = masked(text, "127.0.0.1:", |c| c.is_ascii_digit(), "PORT");
    let text = masked(&text, "localhost:", |c| c.is_ascii_digit(), "PORT");
    masked(&text, "\"sid\":\"", |c| c != '"', "…")
}

/// Replaces what stands behind each `mark`, as long as it is of that kind.
fn masked(text: &str, mark: &str, of_kind: fn(char) -> bool, by: &str) -> String {
    let mut parts = text.split(mark);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str(mark);
        masked.push_str(by);
        masked.push_str(part.trim_start_matches(of_kind));
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_replaced() {
        assert_eq!(
            without_chance("http://127.0.0.1:1234 via 127.0.0.1:5: {\"sid\":\"a_b-C\",\"x\":1}"),
            "http://127.0.0.1:PORT via 127.0.0.1:PORT: {\"sid\":\"…\",\"x\":1}"
        );
        assert_eq!(without_chance("nothing of it"), "nothing of it");
    }
}
