//! The life of a connection as a program sees it.

use std::fmt;

use bytestring::ByteString;

use crate::error::Error;

/// What carries the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// HTTP long polling: `polling` of 1.x and later, `xhr-polling` of 0.9.
    Polling,
    /// WebSocket (RFC 6455).
    WebSocket,
    /// Long polling wrapped in scripts: `jsonp-polling` of 0.9.
    JsonpPolling,
    /// Scripts that stream in over one long HTTP answer: `htmlfile` of 0.9.
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

/// A change in the life of a namespace, in the order it happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Status {
    /// The namespace is usable.
    Connected,
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
    /// The server reported an error, a handler failed, or a payload had the wrong type. The namespace stays usable.
    Error(Error),
}
