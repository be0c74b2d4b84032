//! Writing packets: the inverse of [`parse`](super::parse()).
//!
//! A packet can be written alone, or as a *frame*: with the Engine.IO type `4` of a message in front. The frame is a
//! websocket text message and a payload entry as it stands, so that nothing is copied again.
//!
//! A namespace other than the root is always followed by a comma. 1.x and python leave it out where nothing follows,
//! but every server reads both. Names must start with a slash and hold neither `,` nor `?`; a query must not hold `,`.

use bytestring::ByteString;
use sio_core::codec::Decimal;

use super::{Packet, PacketType, ROOT};

/// The Engine.IO type of a message.
const MESSAGE: char = '4';

/// Everything before the JSON of an event or ack, except that the number of attachments is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    plain: PacketType,
    binary: PacketType,
    namespace: &'a str,
    id: Option<u64>,
}

/// The header of an event. With an id, which must stay below 2^53, it asks for an answer.
pub fn event(namespace: &str, id: Option<u64>) -> Header<'_> {
    Header {
        plain: PacketType::Event,
        binary: PacketType::BinaryEvent,
        namespace,
        id,
    }
}

/// The header of the answer to the event of this namespace and id.
pub fn ack(namespace: &str, id: u64) -> Header<'_> {
    Header {
        plain: PacketType::Ack,
        binary: PacketType::BinaryAck,
        namespace,
        id: Some(id),
    }
}

impl<'a> Header<'a> {
    /// The packet with its JSON, an array: `2…` or `3…`, and with attachments `5<attachments>-…` or `6<attachments>-…`.
    ///
    /// Servers of today take at most 10 attachments. Zero is never announced, since they refuse that.
    pub fn write(&self, attachments: usize, json: &str) -> ByteString {
        self.parts(attachments, json).write(None)
    }

    /// The packet as an Engine.IO message: `4`, then what [`write`](Self::write) gives.
    pub fn write_frame(&self, attachments: usize, json: &str) -> ByteString {
        self.parts(attachments, json).write(Some(MESSAGE))
    }

    fn parts(&self, attachments: usize, json: &'a str) -> Parts<'a> {
        let has_attachments = attachments > 0;
        Parts {
            packet_type: if has_attachments {
                self.binary
            } else {
                self.plain
            },
            attachments: has_attachments.then(|| Decimal::of(attachments)),
            namespace: self.namespace,
            query: None,
            id: self.id.map(Decimal::new),
            json,
        }
    }
}

/// The request for a namespace: `0/chat?token=x,`. Nothing is ever sent for the root: 4.x servers close on it.
pub fn connect(namespace: &str, query: Option<&str>) -> ByteString {
    Parts {
        query,
        ..Parts::bare(PacketType::Connect, namespace)
    }
    .write(None)
}

/// Leaves a namespace: `1`, `1/chat,`.
pub fn disconnect(namespace: &str) -> ByteString {
    Parts::bare(PacketType::Disconnect, namespace).write(None)
}

/// Any packet, as [`parse`](super::parse()) reads it.
pub fn packet(packet: &Packet) -> ByteString {
    let Packet {
        packet_type,
        namespace,
        query,
        id,
        attachments,
        data,
    } = packet;
    let has_count = packet_type.is_binary();
    Parts {
        attachments: has_count.then(|| Decimal::of(*attachments)),
        query: query.as_deref(),
        id: id.map(Decimal::new),
        json: data,
        ..Parts::bare(*packet_type, namespace)
    }
    .write(None)
}

/// What a packet is written from.
struct Parts<'a> {
    packet_type: PacketType,
    attachments: Option<Decimal>,
    namespace: &'a str,
    query: Option<&'a str>,
    id: Option<Decimal>,
    json: &'a str,
}

impl<'a> Parts<'a> {
    /// Type and namespace alone.
    fn bare(packet_type: PacketType, namespace: &'a str) -> Self {
        Self {
            packet_type,
            attachments: None,
            namespace,
            query: None,
            id: None,
            json: "",
        }
    }

    /// The namespace is left out where it is the root, unless a query needs it.
    fn names_namespace(&self) -> bool {
        self.namespace != ROOT || self.query.is_some()
    }

    /// `[ prefix ] type [ count "-" ] [ name [ "?" query ] "," ] [ id ] [ json ]`, in one allocation
    fn write(&self, prefix: Option<char>) -> ByteString {
        let mut text = String::with_capacity(self.size() + prefix.map_or(0, char::len_utf8));
        text.extend(prefix);
        text.push(self.packet_type.digit());
        if let Some(attachments) = &self.attachments {
            attachments.push_to(&mut text);
            text.push('-');
        }
        if self.names_namespace() {
            text.push_str(self.namespace);
            if let Some(query) = self.query {
                text.push('?');
                text.push_str(query);
            }
            text.push(',');
        }
        if let Some(id) = &self.id {
            id.push_to(&mut text);
        }
        text.push_str(self.json);
        text.into()
    }

    /// Exactly the bytes that `write` pushes behind the prefix.
    fn size(&self) -> usize {
        let attachments = self.attachments.as_ref().map_or(0, |count| count.len() + 1);
        let namespace = if self.names_namespace() {
            self.namespace.len() + self.query.map_or(0, |query| query.len() + 1) + 1
        } else {
            0
        };
        let id = self.id.as_ref().map_or(0, Decimal::len);
        1 + attachments + namespace + id + self.json.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PacketLimits, parse};
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        for text in [
            "0",
            "1",
            "0/chat,",
            "0/chat?token=x,",
            "0/?token=x,",
            "1/chat,",
            "2[\"ev\",1]",
            "20[\"ev\"]",
            "2/chat,7[\"ev\"]",
            "37[1,\"two\"]",
            "3/chat,7[]",
            "4\"no\"",
            "45",
            "4/nsp,{\"message\":\"no\"}",
            "52-/chat,7[\"ev\",{\"_placeholder\":true,\"num\":0}]",
            "50-[\"ev\"]",
            "61-18446744073709551615[{\"_placeholder\":true,\"num\":0}]",
        ] {
            let read = parse(text.into(), &PacketLimits::default()).unwrap();
            assert_eq!(packet(&read), text);
        }
    }

    #[test]
    fn a_missing_comma_is_supplied() {
        let read = parse("0/chat?a=b".into(), &PacketLimits::default()).unwrap();
        assert_eq!(packet(&read), "0/chat?a=b,");
    }

    #[test]
    fn events_and_acks() {
        assert_eq!(event("/", None).write(0, "[\"a\"]"), "2[\"a\"]");
        let chat = event("/chat", Some(7));
        assert_eq!(chat.write(0, "[\"a\"]"), "2/chat,7[\"a\"]");
        assert_eq!(event("/", Some(0)).write(2, "[\"a\"]"), "52-0[\"a\"]");
        assert_eq!(chat.write_frame(10, "[]"), "4510-/chat,7[]");
        assert_eq!(ack("/", 12).write_frame(0, "[]"), "4312[]");
        assert_eq!(ack("/chat", 12).write_frame(1, "[]"), "461-/chat,12[]");
    }

    #[test]
    fn joining_and_leaving() {
        assert_eq!(connect("/chat", None), "0/chat,");
        assert_eq!(connect("/chat", Some("token=x")), "0/chat?token=x,");
        assert_eq!(disconnect("/"), "1");
        assert_eq!(disconnect("/chat"), "1/chat,");
    }

    #[test]
    fn no_byte_is_reserved_in_vain() {
        for (namespace, id, attachments) in [("/", None, 0), ("/chat", Some(u64::MAX), 10)] {
            let header = event(namespace, id);
            let parts = header.parts(attachments, "[\"a\"]");
            assert_eq!(parts.size(), parts.write(None).len());
        }
        let connect = connect("/chat", Some("a=b"));
        let parts = Parts {
            query: Some("a=b"),
            ..Parts::bare(PacketType::Connect, "/chat")
        };
        assert_eq!(parts.size(), connect.len());
    }
}
