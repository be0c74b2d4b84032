//! How a connection stands, and what was counted: what a program shows when somebody asks why.

use std::fmt;
use std::time::Duration;

use crate::error::Error;
use crate::session::{Input, Io};
use crate::status::{ConnectionState, DisconnectReason, Transport};

/// What was counted since the client was made, over all its sessions and namespaces. Nothing of it starts anew, also not
/// when the client is closed and opened again.
///
/// A *packet* is a packet of Engine.IO on 1.x and later, where each piece of bytes in an event is one of its own, and a
/// packet of the protocol on 0.9. Heartbeats, probes and what paces a connection count. *Bytes* are those of HTTP bodies,
/// compression undone, and of WebSocket messages: without heads of HTTP and of frames, and without WebSocket pings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Packets handed to the network; those that still wait in the session do not count.
    pub packets_sent: u64,
    /// Packets that came and could be read.
    pub packets_received: u64,
    /// Bytes handed to the network.
    pub bytes_sent: u64,
    /// Bytes that came. Of an answer, they count when it is complete; of one that is streamed, as they come.
    pub bytes_received: u64,
    /// HTTP requests that were begun, those that open a WebSocket included.
    pub requests: u64,
    /// Events of namespaces that are joined. Those given up behind that count in `dropped_events`, too.
    pub events: u64,
    /// Acks that nobody waited for: late, doubled or never asked for.
    pub unknown_acks: u64,
    /// Events for namespaces that are not joined, and those given up because handlers or receivers were too slow.
    pub dropped_events: u64,
    /// Emits that never left: given up by the queue's policy, expired in it, cleared, volatile while they could not leave, or
    /// still waiting when the connection ended for good.
    pub dropped_emits: u64,
    /// Times the connection was lost and made again.
    pub reconnects: u64,
    /// Times a named tolerance let something odd pass.
    pub tolerated: u64,
}

impl Counters {
    /// Something is handed to the network.
    pub(crate) fn count_output(&mut self, io: &Io) {
        let bytes = match io {
            Io::Request(request) => {
                self.requests += 1;
                request.body.len()
            }
            Io::OpenWebSocket(_) => {
                self.requests += 1;
                0
            }
            Io::SendText(text) => text.len(),
            Io::SendBinary(bytes) => bytes.len(),
            Io::CancelRequest(_) | Io::CloseWebSocket | Io::DropWebSocket => 0,
        };
        self.bytes_sent += bytes as u64;
    }

    /// Something came from the network.
    pub(crate) fn count_input(&mut self, input: &Input) {
        let bytes = match input {
            Input::HttpResponse { response, .. } | Input::WebSocketRefused(response) => {
                response.body.len()
            }
            Input::HttpData { data, .. } => data.len(),
            Input::WebSocketText(text) => text.len(),
            Input::WebSocketBinary(bytes) => bytes.len(),
            Input::HttpFailed { .. }
            | Input::WebSocketOpened
            | Input::WebSocketClosed { .. }
            | Input::WebSocketUnanswered(_)
            | Input::WebSocketFailed(_) => 0,
        };
        self.bytes_received += bytes as u64;
    }

    /// With what a session has counted.
    pub(crate) fn add(&mut self, traffic: Traffic) {
        self.packets_sent += traffic.packets_sent;
        self.packets_received += traffic.packets_received;
    }
}

/// The packets of one session; see [`Counters`] for what one is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Put out.
    pub packets_sent: u64,
    /// Came and could be read.
    pub packets_received: u64,
}

/// How a connection stands, all of one moment. [`Display`](fmt::Display) writes it in a few lines, for a log or a request
/// for help: they hold nothing of a payload, no session id and no query, but errors in full, with what the server said.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectionReport {
    /// Where the namespace of the handle stands. All else is of the connection.
    pub state: ConnectionState,
    /// What carries the session; `None` while there is none.
    pub transport: Option<Transport>,
    /// Why the last move to WebSocket failed; `None` if none was tried, or the last one worked.
    pub upgrade_failure: Option<Error>,
    /// The transports that could not be used, each with its last error. One that has carried a session since is not among
    /// them. Only 0.9 has several to try.
    pub transports_failed: Vec<(Transport, Error)>,
    /// Why the session is not on a WebSocket, and will not be, although nothing failed: it is not wanted, or not offered.
    pub no_websocket: Option<&'static str>,
    /// Why the connection, when it was last usable, ended.
    pub last_close: Option<DisconnectReason>,
    /// Why the last attempt that failed did so.
    pub last_failure: Option<Error>,
    /// How many sessions were opened so far.
    pub sessions: u64,
    /// How many attempts were begun since the connection was last usable, or was opened by the program; 0 while it is
    /// usable.
    pub attempts: u32,
    /// For how long the connection is usable; `None` while it is not.
    pub connected_for: Option<Duration>,
    /// The time of the last heartbeat from ping to pong. `None` before the first one, and on 0.9, where the server beats and
    /// the protocol has nothing to measure it by: there, the time that a `call` takes.
    pub latency: Option<Duration>,
    /// How many emits wait for the connection, in all namespaces.
    pub queued: usize,
    /// Bytes that were emitted and not yet taken by the peer, without those of `queued`.
    pub backlog_bytes: usize,
    /// What was counted so far.
    pub counters: Counters,
}

impl fmt::Display for ConnectionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)?;
        if let Some(transport) = self.transport {
            write!(f, " by {transport}")?;
        }
        if let Some(time) = self.connected_for {
            write!(f, " for {time:.1?}")?;
        }
        writeln!(
            f,
            "; {} sessions so far, {} attempts since the last success",
            self.sessions, self.attempts
        )?;
        if let Some(error) = &self.upgrade_failure {
            writeln!(f, "the last upgrade failed: {}", error.chain())?;
        }
        for (transport, error) in &self.transports_failed {
            writeln!(f, "{transport} failed: {}", error.chain())?;
        }
        if let Some(why) = self.no_websocket {
            writeln!(f, "no WebSocket: {why}")?;
        }
        if let Some(reason) = &self.last_close {
            writeln!(f, "last close: {reason}")?;
        }
        if let Some(error) = &self.last_failure {
            writeln!(f, "last attempt that failed: {}", error.chain())?;
        }
        if let Some(latency) = self.latency {
            writeln!(f, "round trip: {latency:.1?}")?;
        }
        writeln!(
            f,
            "waiting: {} emits queued, {} bytes not taken by the peer",
            self.queued, self.backlog_bytes
        )?;
        write!(f, "{}", self.counters)
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "sent: {} packets, {} bytes; received: {} packets, {} bytes; {} requests",
            self.packets_sent,
            self.bytes_sent,
            self.packets_received,
            self.bytes_received,
            self.requests
        )?;
        write!(
            f,
            "{} events, {} reconnects; dropped: {} events, {} emits; {} unknown acks, {} oddities tolerated",
            self.events,
            self.reconnects,
            self.dropped_events,
            self.dropped_emits,
            self.unknown_acks,
            self.tolerated
        )
    }
}
