//! What received packets mean.

use std::time::Instant;

use bytestring::ByteString;
use serde::de::IgnoredAny;
use sio_core::codec::text_cut;
use sio_core::session::{AckId, SessionEvent};
use sio_core::{Args, DisconnectReason, Error, Value};

use super::namespaces::{Grant, namespace};
use super::{Leg, Session, State};
use crate::error::SessionError;
use crate::packet::{
    self, AckMode, ErrorData, ErrorReason, Packet, PacketType, ack_data, error_data, write,
};
use crate::payload::{self, PayloadLimits};
use crate::tolerance;

/// How many answers that the server asked for may wait: as many as a payload has questions.
const MAX_ANSWERS: usize = 100_000;

/// The name under which programs get text and JSON messages.
const MESSAGE: &str = "message";

impl Session {
    /// Handles all packets of a payload; returns whether any of them was of use. `broken` is what the error says if the
    /// framing is wrong: what stands before that counts.
    pub(super) fn payload(
        &mut self,
        payload: &ByteString,
        broken: &'static str,
        now: Instant,
    ) -> bool {
        let mut fruitful = false;
        for packet in payload::decode(payload, &PayloadLimits::default()) {
            match packet {
                Ok(packet) => fruitful |= self.packet(text_cut(payload, packet), now),
                Err(error) => self.break_protocol(Error::protocol(broken, error)),
            }
        }
        fruitful
    }

    /// Handles one packet; returns whether it was of use: a noop is not, nor is what had to be dropped.
    pub(super) fn packet(&mut self, text: ByteString, now: Instant) -> bool {
        if self.state.leg().is_none() {
            return false; // a packet before it ended the session, or gave the transport up
        }
        let Ok(packet) = Packet::parse(text.clone()) else {
            self.out.tolerate(tolerance::MALFORMED_PACKET, &text);
            return false;
        };
        self.out.received(text.len(), || packet.packet_type.name());
        if packet.packet_type != PacketType::Ack {
            self.heard_something_else();
        }
        match packet.packet_type {
            PacketType::Noop => false,
            PacketType::Connect => self.connected(&packet, now),
            PacketType::Disconnect => self.disconnected(&packet),
            PacketType::Heartbeat => self.beat(now),
            PacketType::Error => self.refused(&packet),
            PacketType::Ack => self.acknowledged(&packet, &text, now),
            PacketType::Message | PacketType::Json | PacketType::Event => {
                self.delivered(&packet, &text, now)
            }
        }
    }

    fn heard_something_else(&mut self) {
        if let Some(Leg::WebSocket(websocket)) = self.state.leg_mut() {
            websocket.heard();
        }
    }

    fn connected(&mut self, packet: &Packet, now: Instant) -> bool {
        let is_opening = matches!(self.state, State::Opening { .. });
        let odd = match &*packet.endpoint {
            "" if is_opening => {
                self.opened(now);
                return true;
            }
            "" => tolerance::SECOND_CONNECT,
            endpoint => match self.namespaces.grant(endpoint) {
                Grant::Joined => {
                    let namespace = packet.endpoint.clone();
                    self.out.tell(SessionEvent::Joined { namespace });
                    return true;
                }
                Grant::Again => tolerance::SECOND_CONNECT,
                Grant::Unasked => tolerance::UNASKED_GRANT,
            },
        };
        self.out.tolerate(odd, &packet.endpoint);
        false
    }

    fn disconnected(&mut self, packet: &Packet) -> bool {
        if packet.endpoint.is_empty() {
            self.ended_by_server();
        } else if self.namespaces.leave(&packet.endpoint) {
            let namespace = packet.endpoint.clone();
            self.out.tell(SessionEvent::Left { namespace });
        } else {
            self.out.tolerate(tolerance::NOT_JOINED, &packet.endpoint);
            return false;
        }
        true
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
    fn beat(&mut self, now: Instant) -> bool {
        match &mut self.state {
            State::Open(Leg::WebSocket(websocket)) => websocket.beat(&mut self.out, now),
            _ => self.answer(write::heartbeat(), now),
        }
        true
    }

    fn refused(&mut self, packet: &Packet) -> bool {
        let data = packet.data.clone().unwrap_or_default();
        let error = error_data(&data);
        if packet.endpoint.is_empty() {
            return self.refused_as_a_whole(&error);
        }
        let namespace = packet.endpoint.clone();
        let reason = reason(&error);
        self.out.tell(if self.namespaces.is_joined(&namespace) {
            SessionEvent::ServerError { namespace, reason }
        } else {
            self.namespaces.leave(&namespace);
            SessionEvent::Refused { namespace, reason }
        });
        true
    }

    fn refused_as_a_whole(&mut self, error: &ErrorData) -> bool {
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
            _ => {
                self.out.tolerate(tolerance::STRAY_ERROR, &error.reason);
                return false;
            }
        }
        true
    }

    fn acknowledged(&mut self, packet: &Packet, text: &str, now: Instant) -> bool {
        let data = packet.data.clone().unwrap_or_default();
        let ack = ack_data(&data).ok();
        let id = ack.as_ref().and_then(|ack| ack.id.parse::<AckId>().ok());
        let (Some(ack), Some(id)) = (ack, id) else {
            self.out.tolerate(tolerance::MALFORMED_ACK, text);
            return false;
        };
        if packet.endpoint.is_empty()
            && let Some(Leg::WebSocket(websocket)) = self.state.leg_mut()
            && websocket.paced_by(id, now)
        {
            // There is room for what waits.
            self.flush(now);
            return true;
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
        true
    }

    /// A message, JSON or an event: acknowledged if that is all the server wants, and handed on.
    fn delivered(&mut self, packet: &Packet, text: &str, now: Instant) -> bool {
        let namespace = namespace(&packet.endpoint);
        if !self.namespaces.is_known(&namespace) {
            self.out.tolerate(tolerance::NOT_JOINED, &namespace);
            return false;
        }
        let id = match (packet.ack, &packet.id) {
            (AckMode::Plain, Some(id)) => {
                self.answer(write::ack(&packet.endpoint, id, ""), now);
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
        if self.state.leg().is_none() {
            return false; // the answer was one too many
        }
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
        let Some(args) = args else {
            self.out.tolerate(odd, text);
            return false;
        };
        self.out.tell(SessionEvent::Event {
            namespace,
            name,
            args,
            id,
        });
        true
    }

    /// Sends what the server asked for without the program's doing. One that asks and does not take the answers shall not
    /// fill the memory with them.
    fn answer(&mut self, packet: ByteString, now: Instant) {
        if self.outgoing.answers < MAX_ANSWERS {
            self.put(packet, true, now);
        } else {
            let error = SessionError::AnswersNotTaken(MAX_ANSWERS);
            self.break_protocol(Error::protocol("the server broke the protocol", error));
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
