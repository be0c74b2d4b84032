//! What can go wrong, told by whose fault it was.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;

use crate::payload::{DecodeError, EncodeError, Value};
use crate::status::DisconnectReason;

/// Result of the calls of a client.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause from below that several owners may hold.
pub type Cause = Arc<dyn StdError + Send + Sync + 'static>;

/// Why a call failed or a connection ended.
///
/// The variants say whose fault it was: [`Usage`](Self::Usage) and [`Encode`](Self::Encode) are the caller's,
/// [`Refused`](Self::Refused) is the server's word, [`Protocol`](Self::Protocol) and [`Http`](Self::Http) mean
/// that what answered does not speak the protocol, [`Transport`](Self::Transport) is the network,
/// [`Timeout`](Self::Timeout) names the deadline that passed.
///
/// Addresses in the texts carry neither user and password nor the query.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for something this client does not do. Nothing was sent.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The payload could not be written as JSON. Nothing was sent.
    #[error("the payload of {what} cannot be encoded")]
    Encode {
        /// The event's name, or `a reply`.
        what: ByteString,
        /// What was wrong with it.
        #[source]
        source: Arc<EncodeError>,
    },
    /// What the server sent does not have the type that was asked for. Only this caller or handler is affected.
    #[error("{what} does not have the expected type")]
    Decode {
        /// The event's name, or `the answer to` one.
        what: ByteString,
        /// What was expected, what came, and where.
        #[source]
        source: Arc<DecodeError>,
    },
    /// The server refused the connection or a namespace; `reason` is its own text or object.
    #[error("the server refused {namespace}: {reason}")]
    Refused {
        /// The namespace, `/` for the connection as a whole.
        namespace: ByteString,
        /// What the server said: a string or any other JSON value.
        reason: Value,
    },
    /// The server reported an error in a namespace, which stays connected.
    #[error("the server reported an error in {namespace}: {reason}")]
    Server {
        /// The namespace.
        namespace: ByteString,
        /// What the server said: a string or any other JSON value.
        reason: Value,
    },
    /// The server answered over HTTP with something that is no part of the protocol.
    #[error("{0}")]
    Http(Arc<HttpError>),
    /// The server sent something that breaks the protocol. The connection is closed.
    #[error("{context}")]
    Protocol {
        /// Where it happened.
        context: ByteString,
        /// What was expected and what came.
        #[source]
        source: Cause,
    },
    /// The network failed: name lookup, connecting, TLS, reading or writing.
    #[error("{context}")]
    Transport {
        /// What was being done, and with which address.
        context: ByteString,
        /// What the system or the library below said.
        #[source]
        source: Cause,
    },
    /// A handler returned an error or panicked. Other handlers and the connection go on.
    #[error("the handler of {event:?} failed")]
    Handler {
        /// The event it ran for.
        event: ByteString,
        /// What it returned, or the text of its panic.
        #[source]
        source: Cause,
    },
    /// A deadline passed.
    #[error("{deadline} within {after:?}{}", during_text(.during))]
    Timeout {
        /// Which one.
        deadline: Deadline,
        /// How long it was.
        after: Duration,
        /// What was being waited for when it passed, where that is known, for example `connecting to 10.0.0.1:80`.
        during: Option<ByteString>,
    },
    /// The namespace is not connected, or the connection ended while the call waited.
    #[error("not connected: {0}")]
    Disconnected(DisconnectReason),
    /// An emit that waited for the connection was given up. It was not sent.
    #[error("the emit was given up while it waited for the connection: {0}")]
    Dropped(Dropped),
    /// Events came faster than the program takes them; those beyond the bound of its [inbox](crate::Bounds::inbox) are
    /// lost.
    #[error(
        "events come faster than {taker} of {namespace} take them: {events} with {bytes} bytes are waiting, no more \
         are kept"
    )]
    Overflow {
        /// The namespace.
        namespace: ByteString,
        /// Who is slow: `the handlers` or `a receiver`.
        taker: &'static str,
        /// How many events wait.
        events: usize,
        /// The bytes of their payloads.
        bytes: usize,
    },
}

/// Why an emit that waited for the connection was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dropped {
    /// The program cleared the queue.
    Cleared,
    /// The queue was full, and newer emits came.
    Displaced,
}

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cleared => "the queue was cleared",
            Self::Displaced => "the queue was full and newer ones came",
        })
    }
}

impl Error {
    /// Whether this is a [`Timeout`](Self::Timeout), of whichever deadline.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// A [`Timeout`](Self::Timeout) of which no more is known.
    #[must_use]
    pub fn timeout(deadline: Deadline, after: Duration) -> Self {
        Self::Timeout {
            deadline,
            after,
            during: None,
        }
    }

    /// The same; a timeout, with what was being waited for, unless it is known already.
    #[must_use]
    pub fn during(mut self, what: Option<ByteString>) -> Self {
        if let Self::Timeout { during, .. } = &mut self
            && during.is_none()
        {
            *during = what;
        }
        self
    }

    /// A [`Transport`](Self::Transport) error.
    #[must_use]
    pub fn transport(
        context: impl Into<ByteString>,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self::Transport {
            context: context.into(),
            source: Arc::new(source),
        }
    }

    /// A [`Protocol`](Self::Protocol) error.
    #[must_use]
    pub fn protocol(
        context: impl Into<ByteString>,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self::Protocol {
            context: context.into(),
            source: Arc::new(source),
        }
    }

    /// The whole chain in one line: this error, then each cause behind `: `.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = self.source();
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

/// What a caller must not ask for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// The event name belongs to the client's own life cycle.
    ///
    /// A 1.x or 2.x server would run its own handler of that name.
    #[error("the event name {0:?} is reserved; choose another")]
    ReservedName(ByteString),
    /// A namespace that cannot be written on the wire.
    #[error("the namespace {name:?} is not valid: {why}")]
    Namespace {
        /// As it was given.
        name: ByteString,
        /// The rule it breaks.
        why: &'static str,
    },
    /// A URL that cannot be used.
    #[error("the URL is not valid: {0}")]
    Url(ByteString),
    /// A header that cannot be sent.
    #[error("the header {name:?} is not valid: {why}")]
    Header {
        /// The header's name. Its value is not repeated: it may be a secret.
        name: ByteString,
        /// The rule it breaks.
        why: ByteString,
    },
    /// A setting, or a pair of settings, that cannot work.
    #[error("the option {option} is not valid: {why}")]
    Option {
        /// The setter's name.
        option: &'static str,
        /// What to do instead.
        why: ByteString,
    },
    /// The server's question was answered before; only the first answer was sent.
    #[error("this question was answered before; only the first answer was sent")]
    AnsweredTwice,
    /// The protocol cannot do this at all.
    #[error("{what} is not supported by this protocol: {instead}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
        /// What works instead.
        instead: &'static str,
    },
    /// Too many emits wait for the connection.
    #[error(
        "the queue of {namespace} is full: {emits} emits with {bytes} bytes wait for the connection"
    )]
    QueueFull {
        /// The namespace that is not connected.
        namespace: ByteString,
        /// How many emits wait.
        emits: usize,
        /// The bytes of their payloads.
        bytes: usize,
    },
}

/// An HTTP answer that is no part of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} was answered with HTTP status {status}{}{}{}",
    type_text(.content_type),
    hint_text(.hint),
    snippet_text(.snippet)
)]
#[non_exhaustive]
pub struct HttpError {
    /// Which request it was, for example `the handshake`.
    pub what: ByteString,
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`, where there was one.
    pub content_type: Option<ByteString>,
    /// The first characters of the body, on one line.
    pub snippet: ByteString,
    /// What this means and what to do, where it is known.
    pub hint: Option<ByteString>,
}

impl HttpError {
    /// How many characters of a body an error shows.
    pub const SNIPPET_CHARS: usize = 120;

    /// An error that shows the first [`SNIPPET_CHARS`](Self::SNIPPET_CHARS) characters of `body`.
    #[must_use]
    pub fn new(
        what: impl Into<ByteString>,
        status: u16,
        content_type: Option<ByteString>,
        body: &[u8],
    ) -> Self {
        Self {
            what: what.into(),
            status,
            content_type,
            snippet: snippet(body).into(),
            hint: None,
        }
    }

    /// Whether the server refused for reasons of its own that the caller may change: status 401 or 403.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.status, 401 | 403)
    }

    /// Whether the same request may succeed later: a status from 500 on, or 429.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.status >= 500 || self.status == 429
    }

    /// The same; if it is a redirect, with where it leads, and without its body, which says the same: both may repeat the
    /// query of the request, and in it a secret.
    #[must_use]
    pub fn with_location(mut self, location: Option<&str>) -> Self {
        if !(300..400).contains(&self.status) {
            return self;
        }
        self.snippet = ByteString::new();
        let target = location.map_or_else(|| "nowhere".to_owned(), without_secrets);
        self.with_hint(format!(
            "it redirects to {target}; redirects are not followed: use the URL it leads to, or, where that is a login, \
             log in first and send its cookie or header"
        ))
    }

    /// The same, with what it means where that is known.
    #[must_use]
    pub fn explained(self, hint: Option<&'static str>) -> Self {
        match hint {
            Some(hint) => self.with_hint(hint),
            None => self,
        }
    }

    /// The same, with what it means.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<ByteString>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        Self::Http(Arc::new(error))
    }
}

fn during_text(during: &Option<ByteString>) -> String {
    during
        .as_ref()
        .map_or_else(String::new, |what| format!(", while {what}"))
}

/// A URL without its user, password, query and fragment.
fn without_secrets(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = &url[..end];
    let start = url.find("//").map_or(0, |slashes| slashes + 2);
    match url.rfind('@') {
        Some(at) if at >= start => format!("{}{}", &url[..start], &url[at + 1..]),
        _ => url.to_owned(),
    }
}

/// The media type, without its parameters.
fn type_text(content_type: &Option<ByteString>) -> String {
    let media_type = content_type
        .as_deref()
        .and_then(|text| text.split(';').next());
    media_type.map_or_else(String::new, |text| format!(", {}", text.trim()))
}

fn hint_text(hint: &Option<ByteString>) -> String {
    hint.as_ref()
        .map_or_else(String::new, |hint| format!(" ({hint})"))
}

fn snippet_text(snippet: &str) -> String {
    if snippet.is_empty() {
        String::new()
    } else {
        format!(": {snippet}")
    }
}

/// The first characters of `body` as one printable line.
#[must_use]
pub fn snippet(body: &[u8]) -> String {
    // Four bytes hold any character, so this many are enough.
    let head = &body[..body.len().min(4 * HttpError::SNIPPET_CHARS)];
    let text = String::from_utf8_lossy(head);
    let mut line: String = text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(HttpError::SNIPPET_CHARS)
        .collect();
    if head.len() < body.len() || line.chars().count() == HttpError::SNIPPET_CHARS {
        line.push('…');
    }
    line
}

/// The deadlines of a client. Each error names the one that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Deadline {
    /// From the start of `connect` until the root namespace is usable.
    Connect,
    /// From the start of a session until the server has given it an id.
    Handshake,
    /// From `join` until the namespace is usable.
    Join,
    /// From an emit until its ack.
    Ack,
    /// From opening the WebSocket of an upgrade until the server confirmed it.
    Upgrade,
    /// From opening a transport until the server confirmed the session on it, where there is another one to try.
    Transport,
    /// From the closing message until the peer's end of the connection.
    Close,
    /// How long an emit waits for a peer that does not read.
    Send,
}

impl std::fmt::Display for Deadline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "the server did not complete the connection",
            Self::Handshake => "the server did not open a session",
            Self::Join => "the server did not answer the join",
            Self::Ack => "no ack came",
            Self::Upgrade => "the WebSocket of the upgrade was not confirmed",
            Self::Transport => "the server did not confirm the session on this transport",
            Self::Close => "the server did not close its side",
            Self::Send => "the server did not read what was sent",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_names_each_cause_once() {
        let io = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "refused");
        let error = Error::transport("connecting to 127.0.0.1:1", io);
        assert_eq!(error.chain(), "connecting to 127.0.0.1:1: refused");
    }

    #[test]
    fn snippet_is_one_short_printable_line() {
        assert_eq!(
            snippet(b"<html>\n  <b>404\x07</b>"),
            "<html> <b>404\u{fffd}</b>"
        );
        let long = snippet(&[b'x'; 5000]);
        assert_eq!(long.chars().count(), HttpError::SNIPPET_CHARS + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn http_error_shows_type_hint_and_snippet() {
        let of_type = |content_type: Option<&'static str>| {
            let content_type = content_type.map(Into::into);
            let error = HttpError::new("the handshake", 404, content_type, b"not here");
            Error::from(error.with_hint("wrong path?")).to_string()
        };
        assert_eq!(
            of_type(None),
            "the handshake was answered with HTTP status 404 (wrong path?): not here"
        );
        assert_eq!(
            of_type(Some("text/html; charset=utf-8")),
            "the handshake was answered with HTTP status 404, text/html (wrong path?): not here"
        );
    }

    #[test]
    fn a_timeout_says_what_was_waited_for_where_it_is_known() {
        let error = Error::timeout(Deadline::Connect, Duration::from_secs(5));
        let text = "the server did not complete the connection within 5s";
        assert_eq!(error.to_string(), text);
        let error = error.during(Some("connecting to 10.0.0.1:80".into()));
        let error = error.during(Some("something later".into()));
        assert_eq!(
            error.to_string(),
            format!("{text}, while connecting to 10.0.0.1:80")
        );
    }

    #[test]
    fn error_stays_small() {
        assert!(size_of::<Error>() <= 80, "{}", size_of::<Error>());
    }
}
