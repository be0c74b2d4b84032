//! The life of a connection as a program sees it.

use std::fmt;
use std::time::Duration;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What carries the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Transport {
    /// HTTP long polling: `polling` of 1.x and later, `xhr-polling` of 0.9.
    Polling,
    /// WebSocket (RFC 6455).
    #[serde(rename = "websocket")]
    WebSocket,
    /// Long polling wrapped in scripts: `jsonp-polling` of 0.9.
    JsonpPolling,
    /// Scripts that stream in over one long HTTP answer: `htmlfile` of 0.9.
    #[serde(rename = "htmlfile")]
    HtmlFile,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
            Self::JsonpPolling => "jsonp-polling",
            Self::HtmlFile => "htmlfile",
        })
    }
}

/// Why a namespace is not connected any more, or not yet.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// It was never connected, or is still connecting.
    NotYet,
    /// This program closed it.
    Client,
    /// The server disconnected this namespace, or ended the session.
    Server,
    /// Nothing came from the server for longer than its heartbeat allows.
    PingTimeout,
    /// The server does not know the session any more: it disconnected this client while no poll was open, or was
    /// started anew. Only 0.9 says so; later versions answer with an HTTP error.
    SessionLost,
    /// The transport ended without a word of the protocol.
    TransportClose {
        /// The WebSocket close code, where one came.
        code: Option<u16>,
        /// The WebSocket close reason; often empty.
        text: ByteString,
    },
    /// The transport failed, the server broke the protocol, or a deadline passed.
    Error(Box<Error>),
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet => f.write_str("it is not connected yet"),
            Self::Client => f.write_str("closed by this client"),
            Self::Server => f.write_str("closed by the server"),
            Self::PingTimeout => f.write_str("ping timeout: the server was silent for too long"),
            Self::SessionLost => f.write_str(
                "the server does not know the session any more: it ended it, or was started anew",
            ),
            Self::TransportClose { code: None, .. } => f.write_str("the transport was closed"),
            Self::TransportClose {
                code: Some(code),
                text,
            } if text.is_empty() => write!(f, "the transport was closed with code {code}"),
            Self::TransportClose {
                code: Some(code),
                text,
            } => write!(f, "the transport was closed with code {code}, {text:?}"),
            Self::Error(error) => f.write_str(&error.chain()),
        }
    }
}

impl From<Error> for DisconnectReason {
    fn from(error: Error) -> Self {
        Self::Error(Box::new(error))
    }
}

/// Where a namespace stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Not connected, and nothing is done about it: never opened, closed, refused, or given up.
    Disconnected,
    /// For the first time since it was opened, or joined.
    Connecting,
    /// Usable.
    Connected,
    /// Lost; an attempt is being made, or waited for.
    Reconnecting,
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "disconnected",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Reconnecting => "reconnecting",
        })
    }
}

/// A change in the life of a namespace, in the order it happened.
///
/// A connection that is lost and made again shows as [`Disconnected`](Self::Disconnected), then for each attempt
/// [`ReconnectScheduled`](Self::ReconnectScheduled), [`Reconnecting`](Self::Reconnecting) and, if it fails,
/// [`ReconnectError`](Self::ReconnectError); at last [`Connected`](Self::Connected) and
/// [`Reconnected`](Self::Reconnected), or [`ReconnectFailed`](Self::ReconnectFailed). Every namespace that comes back is
/// told each of them.
///
/// A namespace that was in and that the new session does not bring within its deadline has failed an attempt, too, but
/// waits on: the server may be slow. When a second deadline has passed, the request or its answer is taken for lost: it is
/// asked for once more, on 0.9, where that cannot be done, in a new session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Status {
    /// The namespace is usable. Emits that waited leave when every handler of this status has returned; what such a handler
    /// emits goes before them.
    Connected {
        /// Whether it was connected before: the server knows nothing of that, so subscriptions are to be made again.
        again: bool,
    },
    /// The connection moved from polling to WebSocket.
    Upgraded,
    /// The move to WebSocket failed; the connection stays on polling.
    UpgradeFailed(Error),
    /// A transport could not be used; the next one is tried, with a new handshake.
    TransportFailed {
        /// The transport that failed.
        transport: Transport,
        /// Why.
        error: Error,
    },
    /// The namespace is not usable any more.
    Disconnected(DisconnectReason),
    /// An attempt to connect again will be made.
    ReconnectScheduled {
        /// Which one, counted from 1.
        attempt: u32,
        /// In how long.
        delay: Duration,
    },
    /// An attempt to connect again begins.
    Reconnecting {
        /// Which one, counted from 1.
        attempt: u32,
    },
    /// An attempt failed.
    ReconnectError {
        /// Which one, counted from 1; 0 is a first connect that is retried.
        attempt: u32,
        /// Why.
        error: Error,
    },
    /// The namespace came back; follows [`Connected`](Self::Connected).
    Reconnected {
        /// With which attempt.
        attempt: u32,
    },
    /// The namespace is given up: no attempts are left, or the server does not let it in any more.
    ReconnectFailed {
        /// How many attempts were made.
        attempts: u32,
        /// Why the last one failed.
        error: Error,
    },
    /// The server reported an error, a handler failed, or a payload had the wrong type. The namespace stays usable.
    Error(Error),
}
