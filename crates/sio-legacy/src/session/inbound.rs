//! What received packets mean.

use std::time::Instant;

use bytestring::ByteString;
use serde::de::IgnoredAny;
use sio_core::session::{AckId, SessionEvent};
use sio_core::{Args, DisconnectReason, Error, Value};

use super::namespaces::{Grant, namespace};
use super::{Leg, Session, State};
use crate::error::SessionError;
use crate::packet::{
    self, AckMode, ErrorData, ErrorReason, Packet, PacketType, ack_data, error_data, write,
};
use crate::tolerance;

/// The name under which programs get text and JSON messages.
const MESSAGE: &str = "message";

impl Session {
    /// Handles one packet; returns whether it was of use, which a noop is not.
    pub(super) fn packet(&mut self, text: ByteString, now: Instant) -> bool {
        if matches!(self.state, State::Closed) {
            return false;
        }
        let packet = match Packet::parse(text.clone()) {
            Ok(packet) => packet,
            Err(_) => {
                self.out.tolerate(tolerance::MALFORMED_PACKET, &text);
                return false;
            }
        };
        if packet.packet_type != PacketType::Ack {
            self.heard_something_else();
        }
        match packet.packet_type {
            PacketType::Noop => return false,
            PacketType::Connect => self.connected(&packet, now),
            PacketType::Disconnect => self.disconnected(&packet),
            PacketType::Heartbeat => self.beat(now),
            PacketType::Error => self.refused(&packet),
            PacketType::Ack => self.acknowledged(&packet, &text, now),
            PacketType::Message | PacketType::Json | PacketType::Event => {
                self.delivered(&packet, &text, now);
            }
        }
        true
    }

    fn heard_something_else(&mut self) {
        if let Some(Leg::WebSocket(websocket)) = self.state.leg_mut() {
            websocket.heard();
        }
    }

    fn connected(&mut self, packet: &Packet, now: Instant) {
        if packet.endpoint.is_empty() {
            if matches!(self.state, State::Opening { .. }) {
                self.opened(now);
            } else {
                self.out.tolerate(tolerance::SECOND_CONNECT, "1::");
            }
            return;
        }
        match self.namespaces.grant(&packet.endpoint) {
            Grant::Joined => {
                let namespace = packet.endpoint.clone();
                self.out.tell(SessionEvent::Joined { namespace });
            }
            Grant::Again => self
                .out
                .tolerate(tolerance::SECOND_CONNECT, &packet.endpoint),
            Grant::Unasked => self
                .out
                .tolerate(tolerance::UNASKED_GRANT, &packet.endpoint),
        }
    }

    fn disconnected(&mut self, packet: &Packet) {
        if packet.endpoint.is_empty() {
            self.ended_by_server();
        } else if self.namespaces.leave(&packet.endpoint) {
            let namespace = packet.endpoint.clone();
            self.out.tell(SessionEvent::Left { namespace });
        } else {
            self.out.tolerate(tolerance::NOT_JOINED, &packet.endpoint);
        }
    }

    fn ended_by_server(&mut self) {
        if let State::Open(Leg::WebSocket(websocket)) = &self.state
            && let Some(sent) = websocket.over_budget()
        {
            self.out.tolerate(tolerance::INPUT_BUDGET, &sent);
        }
        match self.state {
            State::Opening { .. } => {
                let error = SessionError::EndedWhileOpening;
                self.break_protocol(Error::protocol("opening the session", error));
            }
            State::Closing { .. } => self.end(DisconnectReason::Client),
            _ => self.end(DisconnectReason::Server),
        }
    }

    /// The server beats first, and wants the same in answer. This does not wait behind what else is sent.
    fn beat(&mut self, now: Instant) {
        let answer = write::heartbeat();
        match &mut self.state {
            State::Open(Leg::WebSocket(websocket)) => {
                websocket.send_now(answer, &mut self.out, now);
            }
            _ => self.send(answer, now),
        }
    }

    fn refused(&mut self, packet: &Packet) {
        let data = packet.data.clone().unwrap_or_default();
        let error = error_data(&data);
        if packet.endpoint.is_empty() {
            self.refused_as_a_whole(&error);
            return;
        }
        let namespace = packet.endpoint.clone();
        let reason = reason(&error);
        self.out.tell(if self.namespaces.is_joined(&namespace) {
            SessionEvent::ServerError { namespace, reason }
        } else {
            self.namespaces.leave(&namespace);
            SessionEvent::Refused { namespace, reason }
        });
    }

    fn refused_as_a_whole(&mut self, error: &ErrorData) {
        let forgotten = error.code() == Some(ErrorReason::ClientNotHandshaken) || error.reconnect();
        match self.state {
            State::Closing { .. } => self.end(DisconnectReason::Client),
            State::Opening { .. } if forgotten => {
                let error = SessionError::Forgotten;
                self.handshake_forgotten(Error::protocol("opening the session", error));
            }
            _ if forgotten => self.end(DisconnectReason::SessionLost),
            State::Opening { .. } => self.transport_failed(Error::Refused {
                namespace: sio_core::manager::ROOT.into(),
                reason: reason(error),
            }),
            _ => self.out.tolerate(tolerance::STRAY_ERROR, &error.reason),
        }
    }

    fn acknowledged(&mut self, packet: &Packet, text: &str, now: Instant) {
        let data = packet.data.clone().unwrap_or_default();
        let ack = ack_data(&data).ok();
        let id = ack.as_ref().and_then(|ack| ack.id.parse::<AckId>().ok());
        let (Some(ack), Some(id)) = (ack, id) else {
            self.out.tolerate(tolerance::MALFORMED_ACK, text);
            return;
        };
        if packet.endpoint.is_empty()
            && let Some(Leg::WebSocket(websocket)) = self.state.leg_mut()
            && websocket.paced_by(id)
        {
            // There is room for what waits.
            self.flush(now);
            return;
        }
        self.heard_something_else();
        let args = match ack.args {
            None => Args::default(),
            Some(json) => read_array(json).unwrap_or_else(|| {
                self.out.tolerate(tolerance::MALFORMED_ACK, text);
                Args::default()
            }),
        };
        self.out.tell(SessionEvent::Ack {
            namespace: namespace(&packet.endpoint),
            id,
            args,
        });
    }

    /// A message, JSON or an event: acknowledged if that is all the server wants, and handed on.
    fn delivered(&mut self, packet: &Packet, text: &str, now: Instant) {
        let namespace = namespace(&packet.endpoint);
        if !self.namespaces.is_known(&namespace) {
            self.out.tolerate(tolerance::NOT_JOINED, &namespace);
            return;
        }
        let id = match (packet.ack, &packet.id) {
            (AckMode::Plain, Some(id)) => {
                self.send(write::ack(&packet.endpoint, id, ""), now);
                None
            }
            (AckMode::Data, Some(id)) => {
                let number = id.parse().ok();
                if number.is_none() {
                    self.out.tolerate(tolerance::HUGE_ID, id);
                }
                number
            }
            _ => None,
        };
        let data = packet.data.clone().unwrap_or_default();
        let (name, args, odd) = match packet.packet_type {
            PacketType::Message => (MESSAGE.into(), text_args(&data), ""),
            PacketType::Json if packet.data.is_none() => {
                (MESSAGE.into(), Some(Args::default()), "")
            }
            PacketType::Json => (MESSAGE.into(), json_args(&data), tolerance::MALFORMED_JSON),
            _ => match packet::read_event(&data) {
                Ok((name, args)) => (name, Some(args), ""),
                Err(_) => (ByteString::new(), None, tolerance::MALFORMED_EVENT),
            },
        };
        match args {
            Some(args) => self.out.tell(SessionEvent::Event {
                namespace,
                name,
                args,
                id,
            }),
            None => self.out.tolerate(odd, text),
        }
    }
}

/// The reason of an error, in the protocol's words where it has a code for it.
fn reason(error: &ErrorData) -> Value {
    match error.code() {
        Some(code) => Value::from(code.to_string()),
        None => Value::from(&*error.reason),
    }
}

/// A JSON array that is well-formed to its end.
fn read_array(json: ByteString) -> Option<Args> {
    let args = Args::values(json, Vec::new()).ok()?;
    args.validate().ok()?;
    Some(args)
}

/// One argument: this text.
fn text_args(text: &str) -> Option<Args> {
    let json = serde_json::to_string(&[text]).ok()?;
    Args::values(json.into(), Vec::new()).ok()
}

/// One argument: this JSON value.
fn json_args(json: &str) -> Option<Args> {
    let args = Args::values(format!("[{json}]").into(), Vec::new()).ok()?;
    // `1,2` would become two arguments.
    serde_json::from_str::<IgnoredAny>(json).ok()?;
    Some(args)
}
