//! The lines of a log, as serde sees them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::bytes::Data;
use crate::error::{Error, HttpError};
use crate::limits::Limits;
use crate::payload::{Args, Encoded};
use crate::session::{
    Command, Input, Io, Method, Output, Request, RequestId, Response, SessionConfig, SessionEvent,
};
use crate::status::Transport;

/// The version of the format that is written here.
pub const VERSION: u32 = 1;

/// The first line of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Head {
    /// The version of the format.
    #[serde(rename = "sio_wire_log")]
    pub version: u32,
    /// The protocol: [`Session::NAME`](crate::session::Session::NAME).
    pub protocol: String,
    /// What wrote the log, for example `sio 0.1.0`.
    pub client: String,
    /// Scheme, host and port of the server, without secrets.
    pub server: String,
    /// Whether secrets were made unreadable.
    pub masked: bool,
    /// The time from which the lines count, in seconds since 1970.
    pub unix_time: f64,
}

/// Any other line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) ns: Nanos,
    #[serde(flatten)]
    pub(super) what: What,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    Start(Box<Start>),
    In(In),
    Do(Do),
    Tick(Tick),
    /// Written once and compared ever after, never taken apart.
    Out(Json),
    Told(Json),
}

/// Written as `{}`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Tick {}

/// A time: in nanoseconds, because whether a deadline has passed must come out the same again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Nanos(u64);

impl From<Duration> for Nanos {
    /// Ends after 584 years.
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Nanos> for Duration {
    fn from(Nanos(nanos): Nanos) -> Self {
        Self::from_nanos(nanos)
    }
}

// --- the beginning ----------------------------------------------------------------------------------------------

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    path: String,
    query: String,
    transports: Vec<Transport>,
    upgrade: bool,
    timestamps: bool,
    nonce: u64,
    upgrade_timeout: Nanos,
    close_timeout: Nanos,
    connect_by: Nanos,
    limits: Limits,
    options: Json,
}

impl Start {
    pub(super) fn new<O: Serialize>(config: &SessionConfig<O>, connect_by: Duration) -> Self {
        Self {
            path: config.path.to_string(),
            query: config.query.to_string(),
            transports: config.transports.clone(),
            upgrade: config.upgrade,
            timestamps: config.timestamps,
            nonce: config.nonce,
            upgrade_timeout: config.upgrade_timeout.into(),
            close_timeout: config.close_timeout.into(),
            connect_by: connect_by.into(),
            limits: config.limits.clone(),
            options: to_json(&config.options),
        }
    }

    /// The settings, and by when the root has to be joined.
    pub(super) fn decode<O: for<'de> Deserialize<'de>>(
        self,
    ) -> Result<(SessionConfig<O>, Duration), String> {
        let options =
            serde_json::from_value(self.options).map_err(|error| format!("options: {error}"))?;
        let config = SessionConfig {
            path: self.path.into(),
            query: self.query.into(),
            transports: self.transports,
            upgrade: self.upgrade,
            timestamps: self.timestamps,
            nonce: self.nonce,
            upgrade_timeout: self.upgrade_timeout.into(),
            close_timeout: self.close_timeout.into(),
            limits: self.limits,
            options,
        };
        Ok((config, self.connect_by.into()))
    }
}

// --- what goes in -----------------------------------------------------------------------------------------------

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum In {
    Response(Answer),
    Data {
        id: u32,
        data: Data,
    },
    RequestFailed {
        id: u32,
        error: Fault,
    },
    WebsocketOpened,
    Text(String),
    Binary(Data),
    WebsocketClosed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
        text: String,
    },
    WebsocketRefused(Answer),
    WebsocketUnanswered(Fault),
    WebsocketFailed(Fault),
}

impl In {
    pub(super) fn new(input: &Input, readable: bool) -> Self {
        match input {
            Input::HttpResponse { id, response } => {
                Self::Response(Answer::new(Some(*id), response, readable))
            }
            Input::HttpData { id, data } => Self::Data {
                id: id.0,
                data: Data::new(data, readable),
            },
            Input::HttpFailed { id, error } => Self::RequestFailed {
                id: id.0,
                error: Fault::new(error),
            },
            Input::WebSocketOpened => Self::WebsocketOpened,
            Input::WebSocketText(text) => Self::Text(text.to_string()),
            Input::WebSocketBinary(bytes) => Self::Binary(Data::base64(bytes)),
            Input::WebSocketClosed { code, text } => Self::WebsocketClosed {
                code: *code,
                text: text.to_string(),
            },
            Input::WebSocketRefused(response) => {
                Self::WebsocketRefused(Answer::new(None, response, readable))
            }
            Input::WebSocketUnanswered(error) => Self::WebsocketUnanswered(Fault::new(error)),
            Input::WebSocketFailed(error) => Self::WebsocketFailed(Fault::new(error)),
        }
    }

    pub(super) fn decode(self) -> Result<Input, String> {
        Ok(match self {
            Self::Response(answer) => Input::HttpResponse {
                id: RequestId(answer.id.ok_or("expected the id of the request")?),
                response: answer.decode()?,
            },
            Self::Data { id, data } => Input::HttpData {
                id: RequestId(id),
                data: data.decode()?,
            },
            Self::RequestFailed { id, error } => Input::HttpFailed {
                id: RequestId(id),
                error: error.decode(),
            },
            Self::WebsocketOpened => Input::WebSocketOpened,
            Self::Text(text) => Input::WebSocketText(text.into()),
            Self::Binary(data) => Input::WebSocketBinary(data.decode()?),
            Self::WebsocketClosed { code, text } => Input::WebSocketClosed {
                code,
                text: text.into(),
            },
            Self::WebsocketRefused(answer) => Input::WebSocketRefused(answer.decode()?),
            Self::WebsocketUnanswered(error) => Input::WebSocketUnanswered(error.decode()),
            Self::WebsocketFailed(error) => Input::WebSocketFailed(error.decode()),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proxy: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<Box<str>>,
    body: Data,
}

impl Answer {
    fn new(id: Option<RequestId>, response: &Response, readable: bool) -> Self {
        Self {
            id: id.map(|id| id.0),
            status: response.status,
            content_type: response.content_type.clone(),
            location: response.location.clone(),
            proxy: response.proxy.clone(),
            etag: response.etag.clone(),
            server: response.server.clone(),
            body: Data::new(&response.body, readable),
        }
    }

    fn decode(self) -> Result<Response, String> {
        Ok(Response {
            status: self.status,
            content_type: self.content_type,
            location: self.location,
            proxy: self.proxy,
            etag: self.etag,
            server: self.server,
            body: self.body.decode()?,
        })
    }
}

/// An error of the network: what a session makes of it, and what it says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fault {
    Http {
        what: String,
        status: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
        snippet: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    Protocol {
        context: String,
        cause: String,
    },
    Transport {
        context: String,
        cause: String,
    },
}

/// The causes of a recorded error, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

impl Fault {
    fn new(error: &Error) -> Self {
        let text = |text: &ByteString| text.to_string();
        if let Error::Http(http) = error {
            return Self::Http {
                what: text(&http.what),
                status: http.status,
                content_type: http.content_type.as_ref().map(text),
                snippet: text(&http.snippet),
                hint: http.hint.as_ref().map(text),
            };
        }
        let context = error.to_string();
        let chain = error.chain();
        let cause = chain.strip_prefix(&context).unwrap_or_default();
        let cause = cause.strip_prefix(": ").unwrap_or(cause).to_owned();
        match error {
            Error::Protocol { .. } => Self::Protocol { context, cause },
            _ => Self::Transport { context, cause },
        }
    }

    fn decode(self) -> Error {
        match self {
            Self::Http {
                what,
                status,
                content_type,
                snippet,
                hint,
            } => {
                let content_type = content_type.map(ByteString::from);
                let mut error = HttpError::new(what, status, content_type, &[]);
                error.snippet = snippet.into();
                error.hint = hint.map(ByteString::from);
                Error::Http(Arc::new(error))
            }
            Self::Protocol { context, cause } => Error::protocol(context, Cause(cause)),
            Self::Transport { context, cause } => Error::transport(context, Cause(cause)),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Do {
    Join {
        namespace: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        query: Option<String>,
    },
    Leave {
        namespace: String,
    },
    Emit {
        namespace: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        #[serde(flatten)]
        payload: Payload,
        #[serde(default, skip_serializing_if = "is_false")]
        message: bool,
    },
    Ack {
        namespace: String,
        id: u64,
        #[serde(flatten)]
        payload: Payload,
    },
    Close {},
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Payload {
    json: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Data>,
}

impl Payload {
    fn new<'a>(json: &str, attachments: impl Iterator<Item = &'a [u8]>) -> Self {
        Self {
            json: json.to_owned(),
            attachments: attachments.map(Data::base64).collect(),
        }
    }

    fn decode(self, named: bool, message: bool) -> Result<Encoded, String> {
        let attachments: Result<Vec<Bytes>, String> =
            self.attachments.into_iter().map(Data::decode).collect();
        Encoded::recorded(self.json, attachments?, named, message)
    }
}

impl Do {
    pub(super) fn new(command: &Command) -> Self {
        let payload = |payload: &Encoded| Payload::new(payload.json(), payload.attachments());
        match command {
            Command::Join { namespace, query } => Self::Join {
                namespace: namespace.to_string(),
                query: query.as_ref().map(ByteString::to_string),
            },
            Command::Leave { namespace } => Self::Leave {
                namespace: namespace.to_string(),
            },
            Command::Emit {
                namespace,
                id,
                payload: event,
            } => Self::Emit {
                namespace: namespace.to_string(),
                id: *id,
                payload: payload(event),
                message: event.is_message(),
            },
            Command::Ack {
                namespace,
                id,
                payload: answer,
            } => Self::Ack {
                namespace: namespace.to_string(),
                id: *id,
                payload: payload(answer),
            },
            Command::Close => Self::Close {},
        }
    }

    pub(super) fn decode(self) -> Result<Command, String> {
        Ok(match self {
            Self::Join { namespace, query } => Command::Join {
                namespace: namespace.into(),
                query: query.map(ByteString::from),
            },
            Self::Leave { namespace } => Command::Leave {
                namespace: namespace.into(),
            },
            Self::Emit {
                namespace,
                id,
                payload,
                message,
            } => Command::Emit {
                namespace: namespace.into(),
                id,
                payload: payload.decode(true, message)?,
            },
            Self::Ack {
                namespace,
                id,
                payload,
            } => Command::Ack {
                namespace: namespace.into(),
                id,
                payload: payload.decode(false, false)?,
            },
            Self::Close {} => Command::Close,
        })
    }
}

// --- what comes out ---------------------------------------------------------------------------------------------

/// An output as a line has it: its key, and what stands there.
pub(super) fn output(output: &Output, readable: bool) -> What {
    match output {
        Output::Io(io) => What::Out(to_json(&Out::new(io, readable))),
        Output::Event(event) => What::Told(to_json(&ToldLine::new(event))),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Out<'a> {
    Get {
        id: u32,
        target: &'a str,
        #[serde(skip_serializing_if = "is_false")]
        streamed: bool,
    },
    Head {
        id: u32,
        target: &'a str,
    },
    Post {
        id: u32,
        target: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        content_type: Option<&'a str>,
        body: Data,
    },
    Cancel {
        id: u32,
    },
    OpenWebsocket {
        target: &'a str,
    },
    Text(&'a str),
    Binary(Data),
    CloseWebsocket,
    DropWebsocket,
}

impl<'a> Out<'a> {
    fn new(io: &'a Io, readable: bool) -> Self {
        match io {
            Io::Request(request) => Self::request(request, readable),
            Io::CancelRequest(id) => Self::Cancel { id: id.0 },
            Io::OpenWebSocket(target) => Self::OpenWebsocket { target },
            Io::SendText(text) => Self::Text(text),
            Io::SendBinary(bytes) => Self::Binary(Data::base64(bytes)),
            Io::CloseWebSocket => Self::CloseWebsocket,
            Io::DropWebSocket => Self::DropWebsocket,
        }
    }

    fn request(request: &'a Request, readable: bool) -> Self {
        let id = request.id.0;
        let target = &request.target;
        match request.method {
            Method::Get => Self::Get {
                id,
                target,
                streamed: request.streamed,
            },
            Method::Head => Self::Head { id, target },
            Method::Post => Self::Post {
                id,
                target,
                content_type: request.content_type,
                body: Data::new(&request.body, readable),
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum ToldLine<'a> {
    Identified,
    Opened {
        sid: &'a str,
        transport: Transport,
    },
    Upgraded,
    UpgradeFailed {
        error: String,
    },
    TransportFailed {
        transport: Transport,
        error: String,
    },
    Joined {
        namespace: &'a str,
    },
    Refused {
        namespace: &'a str,
        reason: String,
    },
    Left {
        namespace: &'a str,
    },
    ServerError {
        namespace: &'a str,
        reason: String,
    },
    Event {
        namespace: &'a str,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        #[serde(flatten)]
        args: Payload,
    },
    Ack {
        namespace: &'a str,
        id: u64,
        #[serde(flatten)]
        args: Payload,
    },
    Latency(Nanos),
    Tolerated {
        name: &'a str,
        detail: &'a str,
    },
    Closed {
        reason: String,
    },
}

impl<'a> ToldLine<'a> {
    fn new(event: &'a SessionEvent) -> Self {
        let payload = |args: &Args| {
            let attachments = args.attachments().iter().map(|bytes| &**bytes);
            Payload::new(args.text(), attachments)
        };
        match event {
            SessionEvent::Identified => Self::Identified,
            SessionEvent::Opened { sid, transport } => Self::Opened {
                sid,
                transport: *transport,
            },
            SessionEvent::Upgraded => Self::Upgraded,
            SessionEvent::UpgradeFailed(error) => Self::UpgradeFailed {
                error: error.chain(),
            },
            SessionEvent::TransportFailed { transport, error } => Self::TransportFailed {
                transport: *transport,
                error: error.chain(),
            },
            SessionEvent::Joined { namespace } => Self::Joined { namespace },
            SessionEvent::Refused { namespace, reason } => Self::Refused {
                namespace,
                reason: reason.to_string(),
            },
            SessionEvent::Left { namespace } => Self::Left { namespace },
            SessionEvent::ServerError { namespace, reason } => Self::ServerError {
                namespace,
                reason: reason.to_string(),
            },
            SessionEvent::Event {
                namespace,
                name,
                args,
                id,
            } => Self::Event {
                namespace,
                name,
                id: *id,
                args: payload(args),
            },
            SessionEvent::Ack {
                namespace,
                id,
                args,
            } => Self::Ack {
                namespace,
                id: *id,
                args: payload(args),
            },
            SessionEvent::Latency(latency) => Self::Latency((*latency).into()),
            SessionEvent::Tolerated { name, detail } => Self::Tolerated { name, detail },
            SessionEvent::Closed(reason) => Self::Closed {
                reason: reason.to_string(),
            },
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// None of the types above can fail: no map has keys that are no strings.
pub(super) fn to_json(value: &impl Serialize) -> Json {
    serde_json::to_value(value).unwrap_or_else(|error| Json::String(error.to_string()))
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_json(self, f)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_json(self, f)
    }
}

fn write_json(value: &impl Serialize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&serde_json::to_string(value).map_err(|_| fmt::Error)?)
}
