//! The control port of a server: what the server saw of a client, and making it do something.
//!
//! The fields of the records are those of `node-server/README.md`, which says what they mean.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sio_net::encode_component;

use crate::case::Outcome;
use crate::ensure;
use crate::http;

/// The control port of a server.
#[derive(Debug, Clone, Copy)]
pub struct Control {
    port: u16,
}

/// Uncaught exceptions of a server's process.
#[derive(Debug, Clone, Deserialize)]
pub struct Errors {
    /// How many since it started.
    pub count: u64,
    /// The newest ones.
    pub errors: Vec<ServerError>,
}

/// An uncaught exception.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerError {
    /// When, in milliseconds since the process started.
    pub at: f64,
    /// What, with its stack.
    pub error: String,
}

impl Control {
    /// The control port `port`.
    #[must_use]
    pub const fn new(port: u16) -> Self {
        Self { port }
    }

    /// What concerns one tag only.
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Tagged {
        Tagged {
            control: *self,
            tag: tag.to_owned(),
        }
    }

    /// The uncaught exceptions of the process, of whatever client.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn errors(&self) -> Outcome<Errors> {
        self.ask("GET", "/errors", None)
    }

    fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
    ) -> Outcome<T> {
        let body = body.map_or_else(String::new, Value::to_string);
        let answer = http::request(self.port, method, target, &body)?;
        let text = String::from_utf8_lossy(answer.body());
        ensure!(
            answer.status() == 200,
            "the control port answered {method} {target} with {}: {text}",
            answer.status()
        );
        Ok(serde_json::from_slice(answer.body())?)
    }
}

/// What the server saw of the clients that carry one tag, and what it shall do to them.
#[derive(Debug, Clone)]
pub struct Tagged {
    control: Control,
    tag: String,
}

/// An HTTP request or a WebSocket handshake.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    /// Numbers all records of the process in the order they happened.
    pub seq: u64,
    /// The variant it came to.
    pub port: String,
    /// `handshake`, `poll`, `post`, `stream` (htmlfile), `upgrade` (any WebSocket), `other`.
    pub kind: String,
    /// The number of its TCP connection.
    pub connection: u64,
    /// The HTTP method.
    pub method: String,
    /// The request target.
    pub url: String,
    /// The decoded query.
    pub query: BTreeMap<String, String>,
    /// The session it belongs to.
    pub sid: Option<String>,
    /// The session it opened.
    pub opened: Option<String>,
    /// What the client showed in its TLS handshake; `None` without TLS.
    pub tls: Option<TlsSeen>,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, Value>,
    /// The length of the body.
    pub body_bytes: u64,
    /// The first bytes of the body of a POST, in base64.
    pub body: Option<String>,
    /// The status of the answer; `None` for a WebSocket, or before the answer.
    pub status: Option<u16>,
    /// When it came, in milliseconds.
    pub at: f64,
    /// When it was over.
    pub ended_at: Option<f64>,
}

/// What a client showed in its TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TlsSeen {
    /// The name of the server that it asked for.
    pub server_name: Option<String>,
    /// The common name of its certificate.
    pub client: Option<String>,
}

impl Request {
    /// The text of a header; the name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(Value::as_str)
    }

    /// The first bytes of the body of a POST.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let body = self.body.as_deref().unwrap_or_default();
        BASE64.decode(body).unwrap_or_default()
    }
}

/// How many requests of a kind a session had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct InFlight {
    /// All of them.
    pub total: u64,
    /// In flight now.
    pub now: u64,
    /// The most in flight at once.
    pub max: u64,
}

/// An Engine.IO session.
#[derive(Debug, Clone, Deserialize)]
pub struct EngineSession {
    /// The order of records.
    pub seq: u64,
    /// The variant it is on.
    pub port: String,
    /// Its id.
    pub sid: String,
    /// The current transport.
    pub transport: String,
    /// When it was opened.
    pub at: f64,
    /// When the upgrade was done.
    pub upgraded_at: Option<f64>,
    /// When it was closed.
    pub closed_at: Option<f64>,
    /// Why it was closed, in the server's words.
    pub reason: Option<String>,
    /// Its GETs, the handshake not counted.
    pub polls: InFlight,
    /// Its POSTs.
    pub posts: InFlight,
    /// Packets the server received.
    pub received: u64,
    /// Packets the server sent.
    pub sent: u64,
}

/// A client in one namespace.
#[derive(Debug, Clone, Deserialize)]
pub struct SocketRecord {
    /// The order of records.
    pub seq: u64,
    /// The variant it is on.
    pub port: String,
    /// Its session.
    pub sid: String,
    /// The namespace.
    pub nsp: String,
    /// Its id.
    pub id: String,
    /// The query the application sees.
    pub query: BTreeMap<String, Value>,
    /// The auth object, on 3.x and later.
    pub auth: Option<Value>,
    /// When it connected.
    pub at: f64,
    /// How many events it sent.
    pub events: u64,
    /// How the client answered `welcome-question`: the list of values.
    pub welcome_answer: Option<Value>,
    /// When it left.
    pub disconnected_at: Option<f64>,
    /// Why, in the server's words.
    pub reason: Option<String>,
}

/// An Engine.IO packet.
#[derive(Debug, Clone, Deserialize)]
pub struct Packet {
    /// The order of records.
    pub seq: u64,
    /// Its session.
    pub sid: String,
    /// The session's transport at that time.
    pub transport: String,
    /// `received` or `sent`, as the server sees it.
    pub direction: String,
    /// `message`, `ping`, `pong`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Its length.
    pub bytes: u64,
    /// The first KiB of a text.
    pub data: Option<String>,
    /// The first KiB of bytes, in base64.
    pub data_base64: Option<String>,
    /// When, in milliseconds.
    pub at: f64,
}

impl Packet {
    /// Whether the server received it.
    #[must_use]
    pub fn is_received(&self) -> bool {
        self.direction == "received"
    }

    /// The text, empty for bytes.
    #[must_use]
    pub fn text(&self) -> &str {
        self.data.as_deref().unwrap_or_default()
    }
}

/// A question of the server to the client, asked with `ask` or one of its kin.
#[derive(Debug, Clone, Deserialize)]
pub struct Question {
    /// The order of records.
    pub seq: u64,
    /// Its session.
    pub sid: String,
    /// The namespace.
    pub nsp: String,
    /// What it asked for: `data`, or on 0.9 only a receipt, `plain`, of a `message`, or of `json`.
    pub how: String,
    /// The name of the event; messages have none.
    pub name: Option<String>,
    /// How often the server's callback ran.
    pub answers: u64,
    /// The values of the newest answer.
    pub values: Option<Value>,
    /// When it was asked.
    pub at: f64,
    /// When the newest answer came.
    pub answered_at: Option<f64>,
}

/// What the server did with an `emit`.
#[derive(Debug, Clone, Deserialize)]
pub struct Emitted {
    /// To how many sockets.
    pub sockets: u64,
    /// The answer of each, if it asked: the list of values, or `null` if none came in 5 s.
    #[serde(default)]
    pub answers: Vec<Value>,
}

/// A variant's name or other value for `{"$base64": …}`, as the control port writes bytes.
#[must_use]
pub fn bytes(bytes: &[u8]) -> Value {
    json!({ "$base64": BASE64.encode(bytes) })
}

impl Tagged {
    /// The tag.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    // --- what was seen ------------------------------------------------------------------------------------------

    /// All requests, in order.
    ///
    /// # Errors
    /// If the control port does not answer; so with all that follow.
    pub fn requests(&self) -> Outcome<Vec<Request>> {
        self.list("requests", &[])
    }

    /// All requests of a kind: `handshake`, `poll`, `post`, `upgrade`, `other`.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn requests_of(&self, kind: &str) -> Outcome<Vec<Request>> {
        self.list("requests", &[("kind", kind)])
    }

    /// All Engine.IO sessions, in order.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn sessions(&self) -> Outcome<Vec<EngineSession>> {
        self.list("sessions", &[])
    }

    /// The one Engine.IO session of this tag.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn session(&self) -> Outcome<EngineSession> {
        let mut sessions = self.sessions()?;
        ensure!(
            sessions.len() == 1,
            "expected one engine session on the server, found {}",
            sessions.len()
        );
        Ok(sessions.remove(0))
    }

    /// All sockets, in order; those of one namespace if it is given.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn sockets(&self, nsp: Option<&str>) -> Outcome<Vec<SocketRecord>> {
        match nsp {
            Some(nsp) => self.list("sockets", &[("nsp", nsp)]),
            None => self.list("sockets", &[]),
        }
    }

    /// The one socket of this tag in a namespace.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn socket(&self, nsp: &str) -> Outcome<SocketRecord> {
        let mut sockets = self.sockets(Some(nsp))?;
        ensure!(
            sockets.len() == 1,
            "expected one socket in {nsp} on the server, found {}",
            sockets.len()
        );
        Ok(sockets.remove(0))
    }

    /// All packets, both ways, in order.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn packets(&self) -> Outcome<Vec<Packet>> {
        self.list("packets", &[])
    }

    /// The packets the server received, in order.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn received(&self) -> Outcome<Vec<Packet>> {
        self.list("packets", &[("direction", "received")])
    }

    /// The packets the server sent, in order.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn sent(&self) -> Outcome<Vec<Packet>> {
        self.list("packets", &[("direction", "sent")])
    }

    /// The questions the server asked, in order.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn questions(&self) -> Outcome<Vec<Question>> {
        self.list("questions", &[])
    }

    // --- making it do something ---------------------------------------------------------------------------------

    /// Emits to the tag's sockets in a namespace.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn emit(&self, nsp: &str, event: &str, args: &[Value]) -> Outcome<Emitted> {
        self.post("/emit", &[("nsp", nsp)], Some(&event_body(event, args)))
    }

    /// The same, and waits for the answers, for 5 s at most.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn ask(&self, nsp: &str, event: &str, args: &[Value]) -> Outcome<Emitted> {
        self.post(
            "/emit",
            &[("nsp", nsp), ("ack", "1")],
            Some(&event_body(event, args)),
        )
    }

    /// Disconnects the tag's sockets in a namespace; with `close` the sessions too. Returns how many there were.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn disconnect(&self, nsp: &str, close: bool) -> Outcome<u64> {
        let close = if close { "1" } else { "0" };
        self.count("/disconnect", &[("nsp", nsp), ("close", close)], "sockets")
    }

    /// Closes the Engine.IO sessions in order.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn close(&self) -> Outcome<u64> {
        self.count("/close", &[], "sessions")
    }

    /// Closes the WebSockets with a code and a reason.
    ///
    /// # Errors
    /// If the control port does not answer, or a session is not on a WebSocket.
    pub fn close_with(&self, code: u16, reason: &str) -> Outcome<u64> {
        self.count(
            "/close",
            &[("code", &code.to_string()), ("reason", reason)],
            "sessions",
        )
    }

    /// Ends the TCP connections without a word: `fin` or `reset`.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn drop_connections(&self, how: &str) -> Outcome<u64> {
        self.count("/drop", &[("how", how)], "connections")
    }

    /// From now on the server takes everything and sends nothing: a dead link.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn mute(&self) -> Outcome<u64> {
        self.count("/mute", &[], "sessions")
    }

    /// Has the next requests answered by somebody else, for example `{"on": "upgrade", "answer": {"status": 403}}`.
    ///
    /// # Errors
    /// If the control port does not answer, or does not understand the rule.
    pub fn fault(&self, rule: &Value) -> Outcome {
        let _: Value = self.post("/fault", &[], Some(rule))?;
        Ok(())
    }

    /// Forgets the faults of this tag.
    ///
    /// # Errors
    /// If the control port does not answer.
    pub fn clear_faults(&self) -> Outcome {
        let _: Value = self
            .control
            .ask("DELETE", &self.target("/fault", &[]), None)?;
        Ok(())
    }

    // --- underneath ---------------------------------------------------------------------------------------------

    fn list<T: DeserializeOwned>(&self, kind: &str, filters: &[(&str, &str)]) -> Outcome<Vec<T>> {
        let target = self.target(&format!("/{kind}"), filters);
        let mut answer: BTreeMap<String, Vec<T>> = self.control.ask("GET", &target, None)?;
        Ok(answer.remove(kind).unwrap_or_default())
    }

    fn count(&self, path: &str, query: &[(&str, &str)], field: &str) -> Outcome<u64> {
        let answer: BTreeMap<String, u64> = self.post(path, query, None)?;
        Ok(answer.get(field).copied().unwrap_or_default())
    }

    fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Outcome<T> {
        self.control.ask("POST", &self.target(path, query), body)
    }

    fn target(&self, path: &str, query: &[(&str, &str)]) -> String {
        let mut target = format!("{path}?tag={}", encode_component(&self.tag));
        for (name, value) in query {
            target.push_str(&format!("&{name}={}", encode_component(value)));
        }
        target
    }
}

fn event_body(event: &str, args: &[Value]) -> Value {
    let mut body = vec![Value::from(event)];
    body.extend_from_slice(args);
    Value::from(body)
}
