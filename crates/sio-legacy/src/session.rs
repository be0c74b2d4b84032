//! One session, from its handshake to its end, as a state machine without I/O.
//!
//! ```text
//!               sid:heartbeat:close:transports                "1::"
//!  Handshaking ────────────────────────────────► Opening ──────────────────► Open
//!       ▲                                           │                          │ close: "0::"
//!       └──── failed or silent: the next transport ─┘                          ▼
//!                                                                           Closing ──► Closed
//!  any state ── broken, silent for too long, ended or forgotten by the server ────────► Closed
//! ```
//!
//! While opening, open and closing there is a *leg*: a WebSocket, or the two requests of an HTTP transport. A session
//! stays on the transport it opened with.
//!
//! The rules that keep a 0.9 server alive, and where they are:
//!
//! - one GET at a time, and no POST before the first one is answered: `http.rs`;
//! - never more than a few hundred frames on their way to a WebSocket: `pacing.rs`;
//! - never a WebSocket ping or pong, and the frame of 65,536 bytes whose length is written as 0: [`WebSocketRules`];
//! - never `1::` for the root, and `1::/name` once: `namespaces.rs`, and [`REJOINS`](sio_core::session::Session::REJOINS);
//! - a `1` that answers a POST proves nothing, so that only polls tell whether a session lives: `http.rs`;
//! - a session the server does not know (`7:::1+0`) is never used again: `inbound.rs`;
//! - JSON is ASCII and answers are arrays: [`packet::write`](crate::packet::write).
//!
//! Besides: the handshake and the choice of transports are in `opening.rs`, deadlines of silence in `silence.rs`, URLs in
//! `target.rs`, and what an odd answer means in `explain.rs`.

mod explain;
mod http;
mod inbound;
mod namespaces;
mod opening;
mod pacing;
mod silence;
mod target;
mod websocket;

use std::collections::VecDeque;
use std::mem;
use std::time::Instant;

use bytestring::ByteString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sio_core::manager::ROOT;
use sio_core::session::{
    AckId, Command, Input, Io, Outbox, Output, RequestId, SessionConfig, SessionEvent,
    WebSocketRules,
};
use sio_core::{DisconnectReason, Encoded, Error, Traffic, Transport, UsageError};

use crate::options::Options;
use crate::packet::write;

use self::http::Http;
use self::namespaces::{Namespaces, endpoint};
use self::opening::Choice;
use self::silence::Silence;
use self::target::Targets;
use self::websocket::WebSocket;

/// A session of Socket.IO 0.9. See the [module](self) and the contract in [`sio_core::session`].
#[derive(Debug)]
pub struct Session {
    config: SessionConfig<Options>,
    targets: Targets,
    state: State,
    choice: Choice,
    silence: Silence,
    namespaces: Namespaces,
    outgoing: Outgoing,
    out: Outbox,
}

#[derive(Debug)]
enum State {
    Handshaking {
        get: RequestId,
    },
    Opening {
        leg: Leg,
        /// When the next transport gets its turn; `None` for the last one.
        deadline: Option<Instant>,
    },
    Open(Leg),
    Closing {
        leg: Leg,
        until: Instant,
    },
    Closed,
}

/// What carries the packets.
#[derive(Debug)]
enum Leg {
    WebSocket(WebSocket),
    Http(Http),
}

impl Leg {
    fn transport(&self) -> Transport {
        match self {
            Self::WebSocket(_) => Transport::WebSocket,
            Self::Http(http) => http.transport,
        }
    }
}

impl State {
    fn leg(&self) -> Option<&Leg> {
        match self {
            Self::Opening { leg, .. } | Self::Open(leg) | Self::Closing { leg, .. } => Some(leg),
            Self::Handshaking { .. } | Self::Closed => None,
        }
    }

    fn leg_mut(&mut self) -> Option<&mut Leg> {
        match self {
            Self::Opening { leg, .. } | Self::Open(leg) | Self::Closing { leg, .. } => Some(leg),
            Self::Handshaking { .. } | Self::Closed => None,
        }
    }

    /// The leg, if packets may be sent on it.
    fn sending_leg_mut(&mut self) -> Option<&mut Leg> {
        match self {
            Self::Open(leg) | Self::Closing { leg, .. } => Some(leg),
            _ => None,
        }
    }
}

/// Packets that wait for a POST, or for the server to read.
#[derive(Debug, Default)]
struct Outgoing {
    packets: VecDeque<Waiting>,
    bytes: usize,
    /// How many of them the server asked for without the program's doing.
    answers: usize,
}

#[derive(Debug)]
struct Waiting {
    packet: ByteString,
    is_answer: bool,
}

impl Outgoing {
    fn push(&mut self, packet: ByteString, is_answer: bool) {
        self.bytes += packet.len();
        self.answers += usize::from(is_answer);
        self.packets.push_back(Waiting { packet, is_answer });
    }

    fn pop(&mut self) -> Option<ByteString> {
        let Waiting { packet, is_answer } = self.packets.pop_front()?;
        self.bytes -= packet.len();
        self.answers -= usize::from(is_answer);
        Some(packet)
    }
}

/// Names with which a 0.9 server's own machinery would run: it ignores `disconnect`, and dies of `error` without a
/// listener.
const RESERVED: [&str; 3] = ["disconnect", "error", "newListener"];

impl sio_core::session::Session for Session {
    type Options = Options;

    const NAME: &'static str = "socket.io 0.9";
    const FIRST_ACK_ID: AckId = 1;
    const TRANSPORTS: &'static [Transport] = &[
        Transport::WebSocket,
        Transport::Polling,
        Transport::HtmlFile,
        Transport::JsonpPolling,
    ];
    const UPGRADES: bool = false;
    const REJOINS: bool = false;
    const WEBSOCKET: WebSocketRules = WebSocketRules {
        answer_pings: false,
        zero_means_65536: true,
    };

    fn start(config: SessionConfig<Options>, connect_by: Instant, _now: Instant) -> Self {
        let mut session = Self {
            targets: Targets::new(&config),
            state: State::Closed,
            choice: Choice::new(&config.transports, connect_by),
            silence: Silence::new(config.options),
            namespaces: Namespaces::default(),
            outgoing: Outgoing::default(),
            out: Outbox::default(),
            config,
        };
        session.shake_hands();
        session
    }

    fn handle_input(&mut self, input: Input, now: Instant) {
        match input {
            Input::HttpResponse { id, response } => self.response(id, &response, now),
            Input::HttpData { id, data } => self.stream_data(id, &data, now),
            Input::HttpFailed { id, error } => self.request_failed(id, error),
            Input::WebSocketOpened => {} // "1::" will tell
            Input::WebSocketText(text) => self.websocket_text(text, now),
            Input::WebSocketBinary(bytes) => self.websocket_binary(&bytes, now),
            Input::WebSocketClosed { code, text } => {
                self.websocket_ended(DisconnectReason::TransportClose { code, text });
            }
            Input::WebSocketRefused(response) => {
                let error = explain::no_websocket(&response);
                self.websocket_ended(error.into());
            }
            Input::WebSocketUnanswered(error) | Input::WebSocketFailed(error) => {
                self.websocket_ended(error.into());
            }
        }
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Emit {
                namespace,
                id,
                payload,
            } => self.emit(&namespace, id, &payload, now),
            Command::Ack {
                namespace,
                id,
                payload,
            } => {
                let id = id.to_string();
                let packet = write::ack(endpoint(&namespace), &id, payload.arguments_json());
                self.send(packet, now);
            }
            Command::Join { namespace, .. } => {
                // Servers ignore a query here, or break on it.
                let packet = write::connect(endpoint(&namespace));
                self.namespaces.ask(namespace);
                self.send(packet, now);
            }
            Command::Leave { namespace } => {
                self.namespaces.leave(&namespace);
                if namespace != ROOT {
                    // For the root this would end the session.
                    self.send(write::disconnect(endpoint(&namespace)), now);
                }
            }
            Command::Close => self.close(now),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let State::Opening {
            deadline: Some(deadline),
            ..
        } = self.state
            && deadline <= now
        {
            self.opening_expired(now);
        }
        if let State::Closing { until, .. } = self.state
            && until <= now
        {
            self.end(DisconnectReason::Client);
        }
        if matches!(self.state, State::Open(_)) && self.silence.is_over(now) {
            self.end(DisconnectReason::PingTimeout);
        }
        self.websocket_timeout(now);
        self.http_timeout(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let state = match &self.state {
            State::Opening { deadline, .. } => *deadline,
            State::Closing { until, .. } => Some(*until),
            State::Open(_) => self.silence.deadline(),
            State::Handshaking { .. } | State::Closed => None,
        };
        let leg = match self.state.leg() {
            Some(Leg::WebSocket(websocket)) => websocket.deadline(),
            Some(Leg::Http(http)) => http.deadline(),
            None => None,
        };
        [state, leg].into_iter().flatten().min()
    }

    fn backlog(&self) -> usize {
        self.outgoing.bytes
    }

    fn traffic(&self) -> Traffic {
        self.out.traffic()
    }

    fn why_no_websocket(&self) -> Option<&'static str> {
        match self.state {
            State::Open(Leg::Http(_)) => self.choice.why_no_websocket(),
            _ => None,
        }
    }

    fn check_event_name(name: &str) -> Result<(), UsageError> {
        if RESERVED.contains(&name) {
            return Err(UsageError::ReservedName(name.into()));
        }
        Ok(())
    }

    fn check_namespace(name: &str) -> Result<(), UsageError> {
        let invalid = |why| UsageError::Namespace {
            name: name.into(),
            why,
        };
        if name.contains(':') {
            return Err(invalid("a colon would end it on the wire"));
        }
        if name.contains('?') {
            return Err(invalid(
                "a server takes the query for a part of the name; give it to the connection",
            ));
        }
        Ok(())
    }

    fn check_payload(payload: &Encoded) -> Result<(), UsageError> {
        if payload.attachments().len() > 0 {
            return Err(UsageError::Unsupported {
                what: "a payload with bytes",
                instead: "encode them, for example as base64 text",
            });
        }
        if payload.is_message() && !is_one_value(payload.arguments_json()) {
            return Err(UsageError::Unsupported {
                what: "a message that is not exactly one value",
                instead: "send one, such as a list, or emit an event",
            });
        }
        Ok(())
    }

    fn socket_id(sid: &str, _namespace: &str) -> String {
        sid.to_owned()
    }
}

/// Whether a list of arguments has exactly one.
fn is_one_value(list: &str) -> bool {
    let mut json = serde_json::Deserializer::from_str(list);
    IgnoredAny::deserialize(&mut json).is_ok() && json.end().is_ok()
}

impl Session {
    fn emit(&mut self, namespace: &str, id: Option<AckId>, payload: &Encoded, now: Instant) {
        let endpoint = endpoint(namespace);
        let list = payload.arguments_json();
        let packet = match payload.name_json() {
            Some(name) if !payload.is_message() => write::event(id, endpoint, name, list),
            _ => match serde_json::from_str::<String>(list) {
                Ok(text) if text.is_ascii() || self.carries_any_text() => {
                    write::message(id, endpoint, &text)
                }
                // Text that is not ASCII may be damaged in a POST. As JSON it is, and the application sees no difference.
                _ => write::json(id, endpoint, list),
            },
        };
        self.send(packet, now);
    }

    /// Whether text beyond ASCII arrives on this leg, whatever way the network cuts it.
    fn carries_any_text(&self) -> bool {
        matches!(self.state.leg(), Some(Leg::WebSocket(_)))
            || self.transport() == Some(Transport::JsonpPolling)
    }

    fn transport(&self) -> Option<Transport> {
        self.state.leg().map(Leg::transport)
    }

    /// Sends a packet behind those that wait.
    fn send(&mut self, packet: ByteString, now: Instant) {
        self.put(packet, false, now);
    }

    fn put(&mut self, packet: ByteString, is_answer: bool, now: Instant) {
        // Before it is open there is nothing to send; after "0::" nothing is heard.
        if let State::Open(_) = self.state {
            self.outgoing.push(packet, is_answer);
            self.flush(now);
        }
    }

    /// Lets go what may.
    fn flush(&mut self, now: Instant) {
        match self.state.sending_leg_mut() {
            Some(Leg::WebSocket(websocket)) => {
                websocket.flush(&mut self.outgoing, &mut self.out, now);
            }
            Some(Leg::Http(_)) => self.post(now),
            None => {}
        }
    }

    fn close(&mut self, now: Instant) {
        match mem::replace(&mut self.state, State::Closed) {
            State::Open(mut leg) => {
                if let Leg::Http(http) = &mut leg {
                    http.stop_polling();
                }
                let until = now + self.config.close_timeout;
                self.outgoing.push(write::disconnect(""), false);
                self.state = State::Closing { leg, until };
                self.flush(now);
            }
            closing @ State::Closing { .. } => self.state = closing,
            early => {
                self.state = early;
                self.end(DisconnectReason::Client);
            }
        }
    }

    /// The leg cannot be used any more.
    fn leg_broke(&mut self, reason: DisconnectReason) {
        match self.state {
            State::Opening { .. } => self.transport_failed(reason.into_error()),
            State::Open(_) => self.end(reason),
            State::Closing { .. } => self.end(DisconnectReason::Client),
            // It was given up before, by a packet in the same body.
            State::Handshaking { .. } | State::Closed => {}
        }
    }

    /// Ends the session, and whatever is open on the network with it.
    fn end(&mut self, reason: DisconnectReason) {
        match mem::replace(&mut self.state, State::Closed) {
            State::Handshaking { get } => self.out.cancel([Some(get)]),
            State::Opening { leg, .. } | State::Open(leg) | State::Closing { leg, .. } => {
                self.drop_leg(&leg);
            }
            State::Closed => return,
        }
        self.outgoing = Outgoing::default();
        self.out.tell(SessionEvent::Closed(reason));
    }

    fn drop_leg(&mut self, leg: &Leg) {
        match leg {
            Leg::WebSocket(_) => self.out.io(Io::DropWebSocket),
            Leg::Http(http) => self.out.cancel(http.requests()),
        }
    }

    fn break_protocol(&mut self, error: Error) {
        self.leg_broke(error.into());
    }
}

#[cfg(test)]
mod tests;
