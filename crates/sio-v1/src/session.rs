//! One engine session, from the handshake to its end, as a state machine without I/O.
//!
//! ```text
//!                        open packet                     3probe, poll and post done
//!  PollingHandshake ───────────────► Polling ──────────────────────────────► WebSocket
//!                                     │   ▲ └─ Upgrade: Opening → Probing → Pausing ─┐
//!                                     │   └───────────── upgrade failed ─────────────┘
//!  WebSocketHandshake ──── open packet ────────────────────────────────────► WebSocket
//!          └─── silent, or ended: one question over polling, by whose answer it may end
//!
//!  Polling ──── close ───► ClosingPolling ──── post answered ───► Closed
//!  WebSocket ── close ───► ClosingWebSocket ── stream ended ────► Closed
//!  any state ── broken, silent for too long, ended by the server ─► Closed
//! ```
//!
//! The rules, and where they are: the heartbeat in `heartbeat.rs`, requests and their answers in `polling.rs`, the upgrade
//! in `upgrade.rs`, closing in `closing.rs`, what received packets mean in `inbound.rs`, URLs in `target.rs`, what an odd
//! answer means in `explain.rs`, and the question that a silent WebSocket leads to in `inquiry.rs`. This file holds the
//! states, and takes inputs and commands to where they belong.
//!
//! - One GET and at most one POST are out at any time; a GET is never cancelled while the session shall live.
//! - Posts are always in binary framing, the one form every server version reads.
//! - What the program sends waits while a post is out, or the upgrade pauses, and leaves in order.

mod closing;
mod explain;
mod heartbeat;
mod inbound;
mod inquiry;
mod polling;
mod target;
mod upgrade;

use std::collections::VecDeque;
use std::mem;
use std::time::Instant;

use bytes::Bytes;
use bytestring::ByteString;
use sio_core::manager::ROOT;
use sio_core::session::{
    Command, Input, Io, Outbox, Output, RequestId, SessionConfig, SessionEvent, WebSocketRules,
};
use sio_core::{DisconnectReason, Encoded, Error, Traffic, Transport, UsageError};

use crate::engine::handshake::Handshake;
use crate::engine::packet::undo_double_encoding;
use crate::engine::packet::{EnginePacket, Frame, kind_of_message};
use crate::error::SessionError;
use crate::options::Options;
use crate::packet::{is_message_frame, write};

use self::heartbeat::Heartbeat;
use self::inbound::Inbound;
use self::inquiry::{Inquiry, Unopened};
use self::target::Targets;
use self::upgrade::Upgrade;

/// How many bytes go into one post at most: from 2.5 on servers refuse a post of more than 1,000,000.
const MAX_POST: usize = 512 << 10;

/// How many packets go into one post at most: python-engineio throws a post of more away, all of it, and answers `OK`.
const MAX_PACKETS: usize = 16;

/// What the framing adds to a frame at most: kind, ten digits, end mark.
const FRAMING: usize = 12;

fn size(frame: &Frame) -> usize {
    match frame {
        Frame::Text(text) => text.len(),
        Frame::Binary(bytes) => bytes.len(),
    }
}

/// A session of Engine.IO 3 with Socket.IO 1.x/2.x packets. See the [module](self) and the contract in
/// [`sio_core::session`].
#[derive(Debug)]
pub struct Session {
    config: SessionConfig<Options>,
    targets: Targets,
    state: State,
    connect_by: Instant,
    inquiry: Inquiry,
    heartbeat: Option<Heartbeat>,
    inbound: Inbound,
    /// What waits for a post or for the end of the upgrade.
    queue: VecDeque<Frame>,
    queued_bytes: usize,
    /// How much is put into one post, unless a single frame has more.
    max_post: usize,
    /// See [`why_no_websocket`](sio_core::session::Session::why_no_websocket).
    no_websocket: Option<&'static str>,
    out: Outbox,
}

#[derive(Debug)]
enum State {
    /// The GET is `None` from its answer on.
    PollingHandshake {
        get: Option<RequestId>,
    },
    WebSocketHandshake(Unopened),
    Polling(Polling),
    WebSocket,
    ClosingPolling(ClosingPolling),
    ClosingWebSocket {
        until: Instant,
    },
    Closed,
}

#[derive(Debug)]
struct Polling {
    get: Option<RequestId>,
    post: Option<RequestId>,
    upgrade: Upgrade,
    /// Close was asked for in the middle of an upgrade, and may take until then.
    closing_until: Option<Instant>,
}

#[derive(Debug)]
struct ClosingPolling {
    get: Option<RequestId>,
    post: Option<RequestId>,
    until: Instant,
}

impl sio_core::session::Session for Session {
    type Options = Options;

    const NAME: &'static str = "engine.io 3";
    const FIRST_ACK_ID: u64 = 0;
    const TRANSPORTS: &'static [Transport] = &[Transport::Polling, Transport::WebSocket];
    const UPGRADES: bool = true;
    const REJOINS: bool = true;
    const WEBSOCKET: WebSocketRules = WebSocketRules::RFC_6455;

    fn start(config: SessionConfig<Options>, connect_by: Instant, _now: Instant) -> Self {
        let mut session = Self {
            targets: Targets::new(&config),
            inbound: Inbound::new(&config.limits),
            state: State::Closed,
            connect_by,
            inquiry: Inquiry::NotYet,
            heartbeat: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            max_post: MAX_POST,
            no_websocket: None,
            out: Outbox::default(),
            config,
        };
        match session.config.transports.first() {
            Some(Transport::WebSocket) => {
                let target = session.targets.websocket();
                session.out.io(Io::OpenWebSocket(target));
                session.state = State::WebSocketHandshake(Unopened::default());
            }
            _ => {
                let get = session.get();
                session.state = State::PollingHandshake { get: Some(get) };
            }
        }
        session
    }

    fn handle_input(&mut self, input: Input, now: Instant) {
        match input {
            Input::HttpResponse { id, response } => self.response(id, response, now),
            Input::HttpFailed { id, error } => self.request_failed(id, error),
            Input::HttpData { .. } => {} // no request of this session is streamed
            Input::WebSocketText(text) => self.websocket_text(text, now),
            Input::WebSocketBinary(bytes) => self.websocket_binary(bytes, now),
            Input::WebSocketOpened => self.websocket_opened(now),
            Input::WebSocketClosed { code, text } => {
                self.websocket_ended(Ended::Closed(code, text), now);
            }
            Input::WebSocketRefused(response) => {
                let error = explain::no_websocket(&response);
                self.websocket_ended(Ended::Failed(error), now);
            }
            Input::WebSocketUnanswered(error) => {
                self.websocket_ended(Ended::Unanswered(error), now);
            }
            Input::WebSocketFailed(error) => self.websocket_ended(Ended::Failed(error), now),
        }
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Emit {
                namespace,
                id,
                payload,
            } => self.send_payload(write::event(&namespace, id), payload),
            Command::Ack {
                namespace,
                id,
                payload,
            } => self.send_payload(write::ack(&namespace, id), payload),
            Command::Join { namespace, query } => {
                self.inbound.ask(namespace.clone());
                self.send_text(write::connect(&namespace, query.as_deref()));
            }
            Command::Leave { namespace } => {
                self.inbound.leave(&namespace);
                self.send_text(write::disconnect(&namespace));
            }
            Command::Close => self.close(now),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.beat(now);
        self.upgrade_timeout(now);
        self.inquiry_timeout(now);
        let closing_until = match &self.state {
            State::ClosingPolling(closing) => Some(closing.until),
            State::ClosingWebSocket { until } => Some(*until),
            _ => None,
        };
        if closing_until.is_some_and(|until| until <= now) {
            self.end(DisconnectReason::Client);
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let state = match &self.state {
            State::Closed => return None,
            State::ClosingPolling(closing) => return Some(closing.until),
            State::ClosingWebSocket { until } => {
                let inquiry = self.inquiry.deadline();
                return [Some(*until), inquiry].into_iter().flatten().min();
            }
            State::Polling(polling) => polling.upgrade.deadline(),
            _ => None,
        };
        let heartbeat = self.heartbeat.as_ref().map(Heartbeat::next_deadline);
        let inquiry = self.inquiry.deadline();
        [state, heartbeat, inquiry].into_iter().flatten().min()
    }

    fn waits_for(&self) -> Option<&'static str> {
        match &self.state {
            State::WebSocketHandshake(unopened) => unopened.waits_for(),
            State::Polling(_) | State::WebSocket => {
                (!self.inbound.has_root()).then_some(explain::NO_ROOT)
            }
            _ => None,
        }
    }

    fn backlog(&self) -> usize {
        self.queued_bytes
    }

    fn traffic(&self) -> Traffic {
        self.out.traffic()
    }

    fn why_no_websocket(&self) -> Option<&'static str> {
        self.no_websocket
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
        if name.contains(',') {
            return Err(invalid("a comma would end it on the wire"));
        }
        if name.contains('?') {
            return Err(invalid("give the query with `query`, not in the name"));
        }
        if !name.is_ascii() {
            // 1.0.x servers die of text that is not ASCII on a WebSocket.
            return Err(invalid("it has characters that are not ASCII"));
        }
        Ok(())
    }

    fn check_payload(_: &Encoded) -> Result<(), UsageError> {
        Ok(()) // bytes, too
    }

    /// As servers from 1.5 on have it.
    fn socket_id(sid: &str, namespace: &str) -> String {
        if namespace == ROOT {
            sid.to_owned()
        } else {
            format!("{namespace}#{sid}")
        }
    }
}

/// Names the JavaScript client keeps to itself, and with which a server's own handlers would run.
const RESERVED: [&str; 15] = [
    "connect",
    "connect_error",
    "connect_timeout",
    "connecting",
    "disconnect",
    "disconnecting",
    "error",
    "newListener",
    "ping",
    "pong",
    "reconnect",
    "reconnect_attempt",
    "reconnect_error",
    "reconnect_failed",
    "reconnecting",
];

/// How a WebSocket ended.
enum Ended {
    Closed(Option<u16>, ByteString),
    /// Its handshake got no answer.
    Unanswered(Error),
    Failed(Error),
}

impl Ended {
    fn into_reason(self) -> DisconnectReason {
        match self {
            Self::Closed(code, text) => DisconnectReason::TransportClose { code, text },
            Self::Unanswered(error) | Self::Failed(error) => error.into(),
        }
    }

    fn into_error(self) -> Error {
        self.into_reason().into_error()
    }
}

impl Session {
    // --- WebSocket ----------------------------------------------------------------------------------------------

    fn websocket_opened(&mut self, now: Instant) {
        match self.state {
            State::Polling(_) => self.probe(),
            _ => self.unopened_accepted(now),
        }
    }

    fn websocket_text(&mut self, text: ByteString, now: Instant) {
        match &self.state {
            State::Polling(_) => self.probe_answered(&text),
            State::WebSocketHandshake(_) | State::WebSocket | State::ClosingWebSocket { .. } => {
                let text = if self.config.options.double_encoded_websocket {
                    undo_double_encoding(text)
                } else {
                    text
                };
                if matches!(self.state, State::WebSocket) && is_message_frame(&text) {
                    // What comes most often is read in one go.
                    self.heard(text.len(), || kind_of_message(&text[1..]), now);
                    self.message(|inbound, out| inbound.frame(text, out));
                } else {
                    self.websocket_packet(EnginePacket::decode_text(text), now);
                }
            }
            _ => {}
        }
    }

    fn websocket_binary(&mut self, bytes: Bytes, now: Instant) {
        match &self.state {
            State::Polling(_) => self.probe_answered_wrongly("a binary message"),
            State::WebSocket | State::ClosingWebSocket { .. } => {
                self.websocket_packet(EnginePacket::decode_binary(bytes), now);
            }
            State::WebSocketHandshake(_) => self.break_protocol(SessionError::NoOpenPacket),
            _ => {}
        }
    }

    fn websocket_packet(
        &mut self,
        packet: Result<EnginePacket, crate::error::EngineError>,
        now: Instant,
    ) {
        match packet {
            Ok(packet) => self.engine_packet(packet, now),
            Err(error) => {
                let error = Error::protocol("a WebSocket message is broken", error);
                self.end(error.into());
            }
        }
    }

    fn websocket_ended(&mut self, ended: Ended, now: Instant) {
        match &self.state {
            State::Polling(_) => self.upgrade_failed(ended.into_error()),
            State::ClosingWebSocket { .. } => {
                self.end_with_websocket_gone(DisconnectReason::Client);
            }
            State::WebSocketHandshake(_) => match ended {
                Ended::Failed(error) => self.end_with_websocket_gone(error.into()),
                ended => self.unopened_ended(ended.into_reason(), now),
            },
            State::WebSocket => self.end_with_websocket_gone(ended.into_reason()),
            _ => {}
        }
    }

    // --- packets ------------------------------------------------------------------------------------------------

    /// A packet of this size came.
    fn heard(&mut self, bytes: usize, kind: impl FnOnce() -> &'static str, now: Instant) {
        self.out.received(bytes, kind);
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.alive(now);
        }
    }

    fn engine_packet(&mut self, packet: EnginePacket, now: Instant) {
        if matches!(self.state, State::Closed) {
            return;
        }
        self.heard(1 + packet.data_len(), || packet.kind(), now);
        let opening = matches!(
            self.state,
            State::PollingHandshake { .. } | State::WebSocketHandshake(_)
        );
        match packet {
            EnginePacket::Open(json) if opening => self.open(&json, now),
            EnginePacket::Noop => {}
            _ if opening => self.break_protocol(SessionError::NoOpenPacket),
            EnginePacket::Message(text) => {
                self.message(|inbound, out| inbound.text(text, out));
            }
            EnginePacket::Binary(bytes) => {
                self.message(|inbound, out| inbound.binary(bytes, out));
            }
            EnginePacket::Pong(_) => {
                let latency = self
                    .heartbeat
                    .as_mut()
                    .and_then(|heartbeat| heartbeat.pong(now));
                if let Some(latency) = latency {
                    self.out.tell(SessionEvent::Latency(latency));
                }
            }
            EnginePacket::Close => self.closed_by_server(),
            EnginePacket::Ping(_) => self.break_protocol(SessionError::ServerPinged),
            EnginePacket::Open(_) => self.break_protocol(SessionError::SecondOpen),
            EnginePacket::Upgrade => self.break_protocol(SessionError::ServerUpgraded),
        }
    }

    fn open(&mut self, json: &str, now: Instant) {
        let handshake = match Handshake::parse(json) {
            Ok(handshake) => handshake,
            Err(error) => {
                self.end(Error::protocol("the server's open packet is broken", error).into());
                return;
            }
        };
        tracing::debug!(
            upgrades = ?handshake.upgrades,
            ping_interval = ?handshake.ping_interval,
            ping_timeout = ?handshake.ping_timeout,
            "handshake done"
        );
        self.heartbeat = Some(Heartbeat::new(&handshake, now));
        self.max_post = handshake
            .max_payload
            .map_or(MAX_POST, |limit| limit.min(MAX_POST));
        self.targets.set_sid(&handshake.sid);
        let transport = match self.state {
            State::WebSocketHandshake(_) => {
                self.no_need_to_ask();
                self.state = State::WebSocket;
                Transport::WebSocket
            }
            _ => {
                self.state = State::Polling(Polling {
                    get: None,
                    post: None,
                    upgrade: Upgrade::None,
                    closing_until: None,
                });
                Transport::Polling
            }
        };
        self.out.tell(SessionEvent::Opened {
            sid: handshake.sid.clone(),
            transport,
        });
        let options = self.config.options;
        self.message(|inbound, out| {
            inbound.opened(options, out);
            Ok(())
        });
        if let State::Polling(_) = self.state {
            self.no_websocket = self.why_no_upgrade(&handshake);
            if self.no_websocket.is_none() {
                self.start_upgrade(now);
            }
        }
    }

    fn why_no_upgrade(&self, handshake: &Handshake) -> Option<&'static str> {
        if !self.config.transports.contains(&Transport::WebSocket) {
            Some("it is not among the transports that the program allows")
        } else if !self.config.upgrade {
            Some("the program has switched upgrades off")
        } else if !handshake.can_upgrade() {
            Some("the server does not offer it")
        } else {
            None
        }
    }

    fn message(&mut self, read: impl FnOnce(&mut Inbound, &mut Outbox) -> Result<(), Error>) {
        if let Err(error) = read(&mut self.inbound, &mut self.out) {
            self.end(error.into());
        }
    }

    fn send_payload(&mut self, header: write::Header<'_>, payload: Encoded) {
        let (text, attachments) = header.into_frames(payload);
        self.put(Frame::Text(text));
        for bytes in attachments {
            self.put(Frame::Binary(bytes));
        }
        self.flush();
    }

    fn send(&mut self, packet: &EnginePacket) {
        self.put(packet.encode_frame());
        self.flush();
    }

    fn send_text(&mut self, packet: ByteString) {
        self.send(&EnginePacket::Message(packet));
    }

    /// Sends on the WebSocket, or queues for the next post.
    fn put(&mut self, frame: Frame) {
        match self.state {
            State::WebSocket => self.put_on_websocket(frame),
            State::Polling(_) => self.enqueue(frame),
            _ => {} // closed: nothing leaves any more
        }
    }

    fn put_on_websocket(&mut self, frame: Frame) {
        self.out.sent(size(&frame), || frame.kind());
        self.out.io(match frame {
            Frame::Text(text) => Io::SendText(text),
            Frame::Binary(bytes) => Io::SendBinary(bytes),
        });
    }

    fn enqueue(&mut self, frame: Frame) {
        self.queued_bytes += size(&frame);
        self.queue.push_back(frame);
    }

    fn beat(&mut self, now: Instant) {
        if !matches!(self.state, State::Polling(_) | State::WebSocket) {
            return;
        }
        let Some(heartbeat) = &mut self.heartbeat else {
            return;
        };
        if heartbeat.is_dead(now) {
            self.end(DisconnectReason::PingTimeout);
        } else if heartbeat.take_ping(now) {
            self.send(&EnginePacket::Ping(ByteString::new()));
        }
    }

    // --- the end ------------------------------------------------------------------------------------------------

    /// Ends the session, and whatever is open on the network with it.
    fn end(&mut self, reason: DisconnectReason) {
        match mem::replace(&mut self.state, State::Closed) {
            State::PollingHandshake { get } => self.out.cancel([get]),
            State::Polling(polling) => {
                let websocket = polling.upgrade != Upgrade::None;
                self.out.cancel([polling.get, polling.post]);
                if websocket {
                    self.out.io(Io::DropWebSocket);
                }
            }
            State::ClosingPolling(closing) => self.out.cancel([closing.get, closing.post]),
            State::WebSocketHandshake(unopened) if unopened.has_ended() => {}
            State::WebSocketHandshake(_) | State::WebSocket | State::ClosingWebSocket { .. } => {
                self.out.io(Io::DropWebSocket);
            }
            State::Closed => return,
        }
        self.finish(reason);
    }

    fn end_with_websocket_gone(&mut self, reason: DisconnectReason) {
        self.state = State::Closed;
        self.finish(reason);
    }

    fn finish(&mut self, reason: DisconnectReason) {
        self.drop_inquiry();
        self.queue.clear();
        self.queued_bytes = 0;
        self.out.tell(SessionEvent::Closed(reason));
    }
}

#[cfg(test)]
mod tests;
