//! The seam between a protocol and whatever drives it: a session takes inputs and yields outputs, with time as an
//! argument. It does no I/O and reads no clock.
//!
//! # Contract
//!
//! 1. [`Session::start`], then after every call with `&mut self`:
//! 2. call [`Session::poll_output`] until it returns `None`, and carry out each output in order;
//! 3. arrange to call [`Session::handle_timeout`] at [`Session::poll_timeout`]; an early or late call is harmless;
//! 4. feed what arrives to [`Session::handle_input`], what the program wants to [`Session::handle_command`].
//!
//! [`SessionEvent::Closed`] is the last output. A session is never used again: a new connection is a new session.

mod outbox;

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, HttpError, UsageError};
use crate::limits::Limits;
use crate::payload::{Args, Encoded, Value};
use crate::report::Traffic;
use crate::status::{DisconnectReason, Transport};

pub use self::outbox::Outbox;

/// Number of an ack: unique per namespace and direction.
pub type AckId = u64;

/// A protocol's session: one engine session from the handshake to its end.
pub trait Session: Sized + Send + 'static {
    /// What only this protocol can be told.
    type Options: Clone
        + fmt::Debug
        + Default
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;

    /// The protocol, as [wire logs](crate::wire_log) name it.
    const NAME: &'static str;

    /// The number of the first ack a client asks for in a namespace.
    const FIRST_ACK_ID: AckId;

    /// The transports this protocol has, in the order in which a client uses them unless it is told otherwise.
    const TRANSPORTS: &'static [Transport];

    /// Whether a session can move from polling to WebSocket.
    const UPGRADES: bool;

    /// Whether a namespace that was left can be joined again in the same session.
    const REJOINS: bool;

    /// How this protocol's servers bend the WebSocket protocol.
    const WEBSOCKET: WebSocketRules;

    /// Begins a session. The first outputs are ready after this call. The root has to be joined at `connect_by`, or
    /// the session will be told to close.
    fn start(config: SessionConfig<Self::Options>, connect_by: Instant, now: Instant) -> Self;

    /// Something arrived from the network.
    fn handle_input(&mut self, input: Input, now: Instant);

    /// The program wants something.
    fn handle_command(&mut self, command: Command, now: Instant);

    /// Time has passed.
    fn handle_timeout(&mut self, now: Instant);

    /// The next effect to carry out; `None` until the next call with `&mut self`.
    #[must_use]
    fn poll_output(&mut self) -> Option<Output>;

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    fn poll_timeout(&self) -> Option<Instant>;

    /// What is waited for before the session can be used, for the error of a deadline that passes; `None` where what the
    /// network is busy with says more.
    #[must_use]
    fn waits_for(&self) -> Option<&'static str> {
        None
    }

    /// Bytes that were commanded and not yet put out.
    #[must_use]
    fn backlog(&self) -> usize;

    /// The packets so far, which the [`Outbox`] has counted.
    #[must_use]
    fn traffic(&self) -> Traffic;

    /// Why the session is not on a WebSocket, and will not be, although nothing failed.
    #[must_use]
    fn why_no_websocket(&self) -> Option<&'static str>;

    /// Whether a program may emit an event of this name.
    ///
    /// # Errors
    /// [`UsageError::ReservedName`].
    fn check_event_name(name: &str) -> Result<(), UsageError>;

    /// Whether this namespace can be written on the wire. It begins with `/`.
    ///
    /// # Errors
    /// [`UsageError::Namespace`].
    fn check_namespace(name: &str) -> Result<(), UsageError>;

    /// Whether this protocol can carry a payload: of an event, of a message, or of an answer.
    ///
    /// # Errors
    /// [`UsageError::Unsupported`].
    fn check_payload(payload: &Encoded) -> Result<(), UsageError>;

    /// The id that the server's application knows a namespace's connection by.
    fn socket_id(sid: &str, namespace: &str) -> String;
}

/// What a WebSocket needs beside RFC 6455 to talk to servers of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebSocketRules {
    /// Whether a server's ping is answered.
    pub answer_pings: bool,
    /// Whether a frame whose length is written as 0 in 16 bits has 65,536 bytes. A correct peer never writes that.
    pub zero_means_65536: bool,
}

impl WebSocketRules {
    /// RFC 6455, nothing bent.
    pub const RFC_6455: Self = Self {
        answer_pings: true,
        zero_means_65536: false,
    };
}

/// What a session is started with.
#[derive(Debug, Clone)]
pub struct SessionConfig<O> {
    /// The HTTP path, from the first to the last slash, for example `/socket.io/`.
    pub path: ByteString,
    /// The program's query, percent-encoded, without `?`; often empty.
    pub query: ByteString,
    /// The transports to use, in the order of preference; never empty.
    pub transports: Vec<Transport>,
    /// Whether to move from polling to WebSocket where the server offers it.
    pub upgrade: bool,
    /// Whether requests carry a parameter that keeps caches from answering.
    pub timestamps: bool,
    /// Makes the cache buster differ between sessions.
    pub nonce: u64,
    /// How long the WebSocket of an upgrade may take.
    pub upgrade_timeout: Duration,
    /// How long closing may take.
    pub close_timeout: Duration,
    /// Bounds on what is received.
    pub limits: Limits,
    /// What only this protocol can be told.
    pub options: O,
}

/// Number of an HTTP request within its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(pub u32);

/// What arrived.
#[derive(Debug, Clone)]
pub enum Input {
    /// A whole HTTP answer, of whatever status. Of a [streamed](Request::streamed) one with status 200 it is the end:
    /// the body is empty, since its data came before.
    HttpResponse {
        /// The request it answers.
        id: RequestId,
        /// The answer.
        response: Response,
    },
    /// The next data of a [streamed](Request::streamed) answer with status 200.
    HttpData {
        /// The request.
        id: RequestId,
        /// The data, content coding undone; never empty.
        data: Bytes,
    },
    /// A request got no answer, or its answer broke off.
    HttpFailed {
        /// The request.
        id: RequestId,
        /// Why.
        error: Error,
    },
    /// The WebSocket is open.
    WebSocketOpened,
    /// A text message.
    WebSocketText(ByteString),
    /// A binary message.
    WebSocketBinary(Bytes),
    /// The WebSocket ended: by a close frame, or by the end of the stream.
    WebSocketClosed {
        /// The close code, where there was a close frame with one.
        code: Option<u16>,
        /// The close reason.
        text: ByteString,
    },
    /// The WebSocket's handshake was answered with something else than 101.
    WebSocketRefused(Response),
    /// The WebSocket's handshake got no answer: the server closed the connection instead.
    WebSocketUnanswered(Error),
    /// The WebSocket could not be opened, or broke.
    WebSocketFailed(Error),
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The `Content-Type` header. It is small, as the others, since every input has room for an answer.
    pub content_type: Option<Box<str>>,
    /// The `Location` header of a redirect, which is not followed.
    pub location: Option<Box<str>>,
    /// The `ETag` header.
    pub etag: Option<Box<str>>,
    /// The `Server` header: what the server calls itself.
    pub server: Option<Box<str>>,
    /// The proxy that passed it on, or made it up, where one was in between that can.
    pub proxy: Option<Box<str>>,
    /// The body, content coding undone; none of a HEAD. Of a refused WebSocket it is what came with the head.
    pub body: Bytes,
}

impl Response {
    /// The error for an answer that should not have come to `what`, for example `the handshake`.
    #[must_use]
    pub fn to_error(&self, what: &'static str) -> HttpError {
        let content_type = self.content_type.as_deref().map(ByteString::from);
        let what: ByteString = match &self.proxy {
            Some(proxy) => format!("{what}, through {proxy},").into(),
            None => what.into(),
        };
        HttpError::new(what, self.status, content_type, &self.body)
            .with_location(self.location.as_deref())
    }

    /// The error for a web page, of a proxy or of another server, where packets should be; `None` if it is none.
    #[must_use]
    pub fn page_error(&self, what: &'static str) -> Option<HttpError> {
        const HINT: &str = "a web page answers here, not Socket.IO: are host, port and path right?";
        let is_page = self.body.trim_ascii_start().starts_with(b"<");
        is_page.then(|| self.to_error(what).with_hint(HINT))
    }

    /// The error for an answer of status 200 that no server of any Socket.IO version gives to `what`.
    #[must_use]
    pub fn foreign_error(&self, what: &'static str) -> HttpError {
        const HINT: &str =
            "this is not what a Socket.IO server answers: are host, port and path right?";
        self.page_error(what)
            .unwrap_or_else(|| self.to_error(what).with_hint(HINT))
    }
}

/// What a program wants of a session.
#[derive(Debug, Clone)]
pub enum Command {
    /// Join a namespace other than the root.
    Join {
        /// Its name.
        namespace: ByteString,
        /// Its query, percent-encoded, without `?`.
        query: Option<ByteString>,
    },
    /// Leave a namespace.
    Leave {
        /// Its name.
        namespace: ByteString,
    },
    /// Send an event. The namespace is connected.
    Emit {
        /// The namespace.
        namespace: ByteString,
        /// The ack asked for.
        id: Option<AckId>,
        /// The event with its arguments.
        payload: Encoded,
    },
    /// Answer the server's question.
    Ack {
        /// The namespace.
        namespace: ByteString,
        /// The question's number.
        id: AckId,
        /// The values of the answer.
        payload: Encoded,
    },
    /// End the session: what was commanded before is sent first.
    Close,
}

/// Which kind of request this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// The long poll.
    Get,
    /// What the client sends.
    Post,
    /// A question of which only the head of the answer counts.
    Head,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Head => "HEAD",
        })
    }
}

/// An HTTP request to make. A session has at most one GET or HEAD open, and one POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub id: RequestId,
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The body's `Content-Type`, for a POST.
    pub content_type: Option<&'static str>,
    /// The body, for a POST.
    pub body: Bytes,
    /// Whether the data of the answer is wanted as it comes, with no bound on its sum.
    pub streamed: bool,
}

/// What a session puts out, to be carried out in order.
#[derive(Debug, Clone)]
pub enum Output {
    /// Do this on the network.
    Io(Io),
    /// Tell the program.
    Event(SessionEvent),
}

/// An effect on the network.
#[derive(Debug, Clone)]
pub enum Io {
    /// Make this request and report its answer.
    Request(Request),
    /// End this request at once; its answer is not wanted any more.
    CancelRequest(RequestId),
    /// Open the WebSocket at this path and query, and report.
    OpenWebSocket(String),
    /// Send a text message.
    SendText(ByteString),
    /// Send a binary message.
    SendBinary(Bytes),
    /// Send a close frame with code 1000 behind what was sent before, and report the end of the stream.
    CloseWebSocket,
    /// Drop the WebSocket without a word; nothing of it is reported any more.
    DropWebSocket,
}

/// What a session tells.
#[derive(Debug, Clone)]
pub enum SessionEvent {
    /// The server has given the session an id, and a transport is still to be opened: told where those are two steps.
    Identified,
    /// The engine session is open.
    Opened {
        /// The session id.
        sid: ByteString,
        /// What carries it.
        transport: Transport,
    },
    /// The session moved to WebSocket.
    Upgraded,
    /// The move to WebSocket failed; the session stays on polling.
    UpgradeFailed(Error),
    /// A transport could not be used; the session goes on with the next one.
    TransportFailed {
        /// The transport.
        transport: Transport,
        /// Why.
        error: Error,
    },
    /// A namespace is usable.
    Joined {
        /// Its name.
        namespace: ByteString,
    },
    /// The server refused a namespace.
    Refused {
        /// Its name.
        namespace: ByteString,
        /// What the server said.
        reason: Value,
    },
    /// The server disconnected a namespace.
    Left {
        /// Its name.
        namespace: ByteString,
    },
    /// The server reported an error in a namespace, which stays connected.
    ServerError {
        /// The namespace.
        namespace: ByteString,
        /// What the server said.
        reason: Value,
    },
    /// An event.
    Event {
        /// The namespace.
        namespace: ByteString,
        /// The event's name.
        name: ByteString,
        /// Its arguments.
        args: Args,
        /// The ack the server wants.
        id: Option<AckId>,
    },
    /// An ack.
    Ack {
        /// The namespace.
        namespace: ByteString,
        /// Its number.
        id: AckId,
        /// Its values.
        args: Args,
    },
    /// The time from a heartbeat to its answer.
    Latency(Duration),
    /// Something odd but harmless was let pass.
    Tolerated {
        /// The tolerance's name, as the protocol crate documents it.
        name: &'static str,
        /// What came.
        detail: ByteString,
    },
    /// The session is over.
    Closed(DisconnectReason),
}

impl SessionEvent {
    /// Something odd was let pass; shows the beginning of what came.
    #[must_use]
    pub fn tolerated(name: &'static str, detail: &str) -> Self {
        const SHOWN: usize = 80;
        let shown: String = detail.chars().take(SHOWN).collect();
        Self::Tolerated {
            name,
            detail: shown.into(),
        }
    }
}
