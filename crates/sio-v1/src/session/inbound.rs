//! From engine messages to what the program is told: reassembly, namespaces, tolerances.

use bytestring::ByteString;
use sio_core::manager::ROOT;
use sio_core::session::{AckId, Outbox, SessionEvent};
use sio_core::{Args, Error, Limits, Value};

use crate::error::PacketError;
use crate::options::Options;
use crate::packet::{Assembled, Assembler, Packet, PacketLimits, PacketType};
use crate::tolerance;

/// The Socket.IO side of what is received. Its state is per connection: a packet's attachments may come in another
/// poll body than its header, or on the other side of an upgrade.
#[derive(Debug)]
pub(super) struct Inbound {
    assembler: Assembler,
    /// The namespaces the program wants, besides the root.
    asked: Vec<ByteString>,
    joined: Vec<ByteString>,
}

/// The longest reason that is parsed. A [`Value`] may take forty times the memory of its text.
const MAX_REASON: usize = 64 << 10;

impl Inbound {
    pub(super) fn new(limits: &Limits) -> Self {
        let limits = PacketLimits {
            attachments: limits.attachments,
            attachment_bytes: limits.attachment_bytes,
        };
        Self {
            assembler: Assembler::new(limits),
            asked: Vec::new(),
            joined: Vec::new(),
        }
    }

    /// The engine session is open.
    pub(super) fn opened(&mut self, options: Options, out: &mut Outbox) {
        if options.assume_root_connected {
            self.join(ROOT, out);
        }
    }

    /// Whether the server has connected the root.
    pub(super) fn has_root(&self) -> bool {
        self.is_joined(ROOT)
    }

    /// The namespaces the server has granted and not taken back.
    pub(super) fn joined(&self) -> &[ByteString] {
        &self.joined
    }

    /// The client asks for a namespace. Whatever came of it before it was left does not count.
    pub(super) fn ask(&mut self, namespace: ByteString) {
        self.joined.retain(|name| *name != namespace);
        if !self.asked.contains(&namespace) {
            self.asked.push(namespace);
        }
    }

    /// The client has left a namespace, or the server has taken it back.
    pub(super) fn leave(&mut self, namespace: &str) {
        self.asked.retain(|name| name != namespace);
        self.joined.retain(|name| name != namespace);
    }

    /// A poll's body was read: nothing of it is to be kept in memory for the little that waits.
    pub(super) fn detach(&mut self) {
        self.assembler.detach();
    }

    pub(super) fn text(&mut self, text: ByteString, out: &mut Outbox) -> Result<(), Error> {
        match self.assembler.text(text).map_err(broken_packet)? {
            Some(assembled) => self.packet(assembled, out),
            None => Ok(()),
        }
    }

    /// A whole WebSocket message that is a message of the engine, its type included.
    pub(super) fn frame(&mut self, frame: ByteString, out: &mut Outbox) -> Result<(), Error> {
        match self.assembler.frame(frame).map_err(broken_packet)? {
            Some(assembled) => self.packet(assembled, out),
            None => Ok(()),
        }
    }

    pub(super) fn binary(&mut self, bytes: bytes::Bytes, out: &mut Outbox) -> Result<(), Error> {
        match self.assembler.binary(bytes).map_err(broken_packet)? {
            Some(assembled) => self.packet(assembled, out),
            None => Ok(()),
        }
    }

    fn packet(&mut self, assembled: Assembled, out: &mut Outbox) -> Result<(), Error> {
        let Assembled {
            packet,
            attachments,
        } = assembled;
        match packet.packet_type {
            PacketType::Connect => self.connect(&packet.namespace, out),
            PacketType::Disconnect => {
                self.leave(&packet.namespace);
                out.tell(SessionEvent::Left {
                    namespace: packet.namespace,
                });
            }
            PacketType::Error => self.error(packet, out),
            PacketType::Event | PacketType::BinaryEvent => {
                return self.event(packet, attachments, out);
            }
            PacketType::Ack | PacketType::BinaryAck => {
                return self.ack(packet, attachments, out);
            }
        }
        Ok(())
    }

    fn connect(&mut self, namespace: &str, out: &mut Outbox) {
        // A server grants nothing before the root, so this proves the root: see `tolerance::ROOT_PROVEN`.
        self.prove_root(namespace, out);
        if namespace != ROOT && self.is_joined(namespace) {
            // One that was asked for again may be granted again, which is for the manager to judge.
            out.tell(SessionEvent::Joined {
                namespace: namespace.into(),
            });
        } else if namespace == ROOT || self.asked.iter().any(|name| name == namespace) {
            self.join(namespace, out);
        } else {
            out.tolerate(tolerance::UNASKED_GRANT, namespace);
        }
    }

    fn join(&mut self, namespace: &str, out: &mut Outbox) {
        if self.is_joined(namespace) {
            return;
        }
        let namespace = ByteString::from(namespace);
        self.joined.push(namespace.clone());
        out.tell(SessionEvent::Joined { namespace });
    }

    fn prove_root(&mut self, because_of: &str, out: &mut Outbox) {
        if !self.is_joined(ROOT) {
            if because_of != ROOT {
                out.tolerate(tolerance::ROOT_PROVEN, because_of);
            }
            self.join(ROOT, out);
        }
    }

    fn error(&self, packet: Packet, out: &mut Outbox) {
        let Packet {
            namespace, data, ..
        } = packet;
        // The payload may be any JSON; text that is none, or more than anybody's reason, is shown as it came.
        let reason = if data.is_empty() {
            Value::Null
        } else if data.len() > MAX_REASON {
            Value::from(&*data)
        } else {
            serde_json::from_str(&data).unwrap_or_else(|_| Value::from(&*data))
        };
        out.tell(if self.is_joined(&namespace) {
            SessionEvent::ServerError { namespace, reason }
        } else {
            SessionEvent::Refused { namespace, reason }
        });
    }

    fn event(
        &mut self,
        packet: Packet,
        attachments: Vec<bytes::Bytes>,
        out: &mut Outbox,
    ) -> Result<(), Error> {
        let binary = packet.packet_type == PacketType::BinaryEvent;
        let text = packet.data.clone();
        match Args::event(packet.data, attachments) {
            Ok((name, args)) => {
                if binary {
                    check_placeholders(&args)?;
                }
                if packet.namespace == ROOT {
                    self.prove_root_by_packet(out);
                }
                out.tell(SessionEvent::Event {
                    namespace: packet.namespace,
                    name,
                    args,
                    id: packet.id,
                });
            }
            Err(_) => out.tolerate(tolerance::MALFORMED_EVENT, &text),
        }
        Ok(())
    }

    fn ack(
        &mut self,
        packet: Packet,
        attachments: Vec<bytes::Bytes>,
        out: &mut Outbox,
    ) -> Result<(), Error> {
        let binary = packet.packet_type == PacketType::BinaryAck;
        let text = packet.data.clone();
        let id: Option<AckId> = packet.id;
        match (id, Args::values(packet.data, attachments)) {
            (Some(id), Ok(args)) => {
                if binary {
                    check_placeholders(&args)?;
                }
                if packet.namespace == ROOT {
                    self.prove_root_by_packet(out);
                }
                out.tell(SessionEvent::Ack {
                    namespace: packet.namespace,
                    id,
                    args,
                });
            }
            _ => out.tolerate(tolerance::MALFORMED_ACK, &text),
        }
        Ok(())
    }

    fn prove_root_by_packet(&mut self, out: &mut Outbox) {
        if !self.is_joined(ROOT) {
            out.tolerate(tolerance::ROOT_PROVEN, "a root packet");
            self.join(ROOT, out);
        }
    }

    fn is_joined(&self, namespace: &str) -> bool {
        self.joined.iter().any(|name| name == namespace)
    }
}

fn broken_packet(error: PacketError) -> Error {
    Error::protocol("the server sent a broken packet", error)
}

fn check_placeholders(args: &Args) -> Result<(), Error> {
    args.validate()
        .map_err(|error| Error::protocol("the server sent a broken binary packet", error))
}
