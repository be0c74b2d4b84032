//! Writing packets: the inverse of [`parse`](super::parse()).
//!
//! A packet can be written alone, or as a *frame*: with the Engine.IO type `4` of a message in front. The frame is a
//! websocket text message and a payload entry as it stands, so that nothing is copied again.
//!
//! A namespace other than the root is always followed by a comma. 1.x and python leave it out where nothing follows,
//! but every server reads both. Names must start with a slash and hold neither `,` nor `?`; a query must not hold `,`.

use bytes::Bytes;
use bytestring::ByteString;
use sio_core::Encoded;

use super::{Packet, PacketType, ROOT};

/// The Engine.IO type of a message.
pub(super) const MESSAGE: &str = "4";
/// The same in front of bytes.
const BINARY_MESSAGE: u8 = 4;

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
        self.parts(attachments, json).write("")
    }

    /// The packet as an Engine.IO message: `4`, then what [`write`](Self::write) gives.
    pub fn write_frame(&self, attachments: usize, json: &str) -> ByteString {
        self.parts(attachments, json).write(MESSAGE)
    }

    /// The frames of a packet and its attachments, made of the memory that the payload has: nothing large is copied.
    pub fn into_frames(
        self,
        payload: Encoded,
    ) -> (ByteString, impl ExactSizeIterator<Item = Bytes> + use<>) {
        if self.namespace == ROOT && payload.attachments().len() == 0 {
            // As most packets are.
            let head = match self.plain {
                PacketType::Ack => "43",
                _ => "42",
            };
            let mut digits = itoa::Buffer::new();
            let id = self.id.map_or("", |id| digits.format(id));
            return payload.into_frames(&[head, id], BINARY_MESSAGE);
        }
        let parts = self.parts(payload.attachments().len(), "");
        payload.into_frames(
            &parts.pieces(MESSAGE, &mut Digits::default()),
            BINARY_MESSAGE,
        )
    }

    fn parts(&self, attachments: usize, json: &'a str) -> Parts<'a> {
        let has_attachments = attachments > 0;
        Parts {
            packet_type: if has_attachments {
                self.binary
            } else {
                self.plain
            },
            attachments: has_attachments.then_some(attachments),
            namespace: self.namespace,
            query: None,
            id: self.id,
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
    .write("")
}

/// Leaves a namespace: `1`, `1/chat,`.
pub fn disconnect(namespace: &str) -> ByteString {
    Parts::bare(PacketType::Disconnect, namespace).write("")
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
        attachments: has_count.then_some(*attachments),
        query: query.as_deref(),
        id: *id,
        json: data,
        ..Parts::bare(*packet_type, namespace)
    }
    .write("")
}

/// What a packet is written from.
struct Parts<'a> {
    packet_type: PacketType,
    attachments: Option<usize>,
    namespace: &'a str,
    query: Option<&'a str>,
    id: Option<u64>,
    json: &'a str,
}

/// Where the digits of numbers are.
#[derive(Default)]
struct Digits {
    attachments: itoa::Buffer,
    id: itoa::Buffer,
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

    /// `[ prefix ] type [ count "-" ] [ name [ "?" query ] "," ] [ id ] [ json ]`
    fn pieces(&self, prefix: &'static str, digits: &'a mut Digits) -> [&'a str; 10] {
        let (count, dash) = match self.attachments {
            Some(count) => (digits.attachments.format(count), "-"),
            None => ("", ""),
        };
        let (question_mark, query) = match self.query {
            Some(query) => ("?", query),
            None => ("", ""),
        };
        // It is left out where it is the root, unless a query needs it.
        let (namespace, comma) = match self.namespace {
            ROOT if self.query.is_none() => ("", ""),
            namespace => (namespace, ","),
        };
        let id = self.id.map_or("", |id| digits.id.format(id));
        let packet_type = self.packet_type.digit();
        [
            prefix,
            packet_type,
            count,
            dash,
            namespace,
            question_mark,
            query,
            comma,
            id,
            self.json,
        ]
    }

    /// The packet behind the prefix, in one allocation.
    fn write(&self, prefix: &'static str) -> ByteString {
        self.pieces(prefix, &mut Digits::default()).concat().into()
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
    fn frames_are_what_is_written_otherwise() {
        for (namespace, id) in [("/", None), ("/", Some(7)), ("/chat", Some(u64::MAX))] {
            let payload =
                Encoded::event("a", &(1, Bytes::from_static(b"one"), Bytes::new())).unwrap();
            let header = event(namespace, id);
            let (text, attachments) = header.into_frames(payload.clone());
            assert_eq!(text, header.write_frame(2, payload.json()));
            assert!(attachments.eq([&b"\x04one"[..], b"\x04"]));
        }
    }

    #[test]
    fn the_most_common_frame_takes_no_memory_but_the_payloads() {
        let payload = Encoded::event("a", &"b").unwrap();
        let memory = payload.json().as_ptr();
        let (text, _) = event("/", None).into_frames(payload);
        assert_eq!((&*text, text.as_ptr()), ("42[\"a\",\"b\"]", memory));
    }

    #[test]
    fn an_attachment_is_not_copied() {
        let payload = Encoded::event("a", &Bytes::from(vec![7; 1000])).unwrap();
        let memory = payload.attachments().next().unwrap().as_ptr();
        let (_, mut attachments) = event("/", None).into_frames(payload);
        assert_eq!(attachments.next().unwrap()[1..].as_ptr(), memory);
    }
}
