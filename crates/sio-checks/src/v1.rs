//! The decoders of `sio-v1`.

use bytes::Bytes;
use bytestring::ByteString;
use sio_v1::engine::handshake::{Handshake, HttpErrorBody};
use sio_v1::engine::packet::{EnginePacket, Frame, undo_double_encoding};
use sio_v1::engine::payload::{self, Payload, PayloadLimits, TextRule, Tolerated};
use sio_v1::error::{EngineError, PacketError};
use sio_v1::packet::{Assembled, Assembler, Packet, PacketLimits, PacketType, parse, write};

use super::tape::Tape;
use super::text;

/// The shortest packet in a body: kind or digit, length or colon, and a type.
const SHORTEST: usize = 3;

/// A byte that is no UTF-8 becomes U+FFFD, which has three.
const LOSSY: usize = 3;

/// A WebSocket message, as text and as bytes.
pub(super) fn engine_packet(input: &[u8]) {
    let as_text = text(input);
    for decoded in [
        EnginePacket::decode_text(as_text.clone()),
        EnginePacket::decode_binary(Bytes::copy_from_slice(input)),
    ] {
        let Ok(packet) = decoded else { continue };
        assert!(packet.data_len() <= LOSSY * input.len());
        let again = match packet.encode_frame() {
            Frame::Text(text) => EnginePacket::decode_text(text),
            Frame::Binary(bytes) => EnginePacket::decode_binary(bytes),
        };
        assert_eq!(again, Ok(packet));
    }
    assert!(undo_double_encoding(as_text.clone()).len() <= as_text.len());
    let doubled: String = as_text.bytes().map(char::from).collect();
    assert_eq!(undo_double_encoding(doubled.into()), as_text);
}

/// The body of a poll in text framing.
pub(super) fn payload_text(input: &[u8]) {
    for rule in [TextRule::Utf16, TextRule::Double] {
        body(input, |body, limits| {
            payload::decode_text(body, rule, limits)
        });
    }
}

/// The body of a poll in binary framing.
pub(super) fn payload_binary(input: &[u8]) {
    body(input, payload::decode_binary);
}

fn body(input: &[u8], decode: impl Fn(Bytes, &PayloadLimits) -> Payload) {
    let limits = PayloadLimits::default();
    let (packets, error, tolerated) = read(decode(Bytes::copy_from_slice(input), &limits));
    assert!(packets.len() <= input.len() / SHORTEST);
    let size: usize = packets.iter().map(EnginePacket::data_len).sum();
    assert!(size <= LOSSY * input.len());

    let written = payload::encode_binary(&packets);
    let frames: Vec<_> = packets.iter().map(EnginePacket::encode_frame).collect();
    assert_eq!(payload::encode_frames(&frames), written);
    let again = read(payload::decode_binary(written, &limits));
    assert_eq!(again, (packets.clone(), None, Tolerated::default()));

    let few = packets.len() / 2;
    let (first, refused, _) = read(decode(Bytes::copy_from_slice(input), &limits.packets(few)));
    assert_eq!(first, packets[..few]);
    if few < packets.len() {
        assert_eq!(refused, Some(EngineError::TooManyPackets { limit: few }));
    }

    if error.is_none() && tolerated.is_none() {
        let twice = read(decode(input.repeat(2).into(), &limits));
        assert_eq!(twice, ([&packets[..], &packets].concat(), None, tolerated));
    }
}

fn read(mut payload: Payload) -> (Vec<EnginePacket>, Option<EngineError>, Tolerated) {
    let (mut packets, mut error) = (Vec::new(), None);
    for packet in payload.by_ref() {
        assert_eq!(error, None, "something follows an error");
        match packet {
            Ok(packet) => packets.push(packet),
            Err(found) => error = Some(found),
        }
    }
    assert_eq!(payload.next(), None);
    (packets, error, payload.tolerated())
}

/// The data of an open packet, and the body of a refusal.
pub(super) fn open_packet(input: &[u8]) {
    if let Ok(handshake) = Handshake::parse(&text(input)) {
        assert!(!handshake.sid.is_empty());
        for time in [handshake.ping_interval, handshake.ping_timeout] {
            assert!(time.as_millis() >= 1 && time <= Handshake::MAX_PING);
        }
        assert_ne!(handshake.max_payload, Some(0));
        let again = serde_json::json!({
            "sid": &*handshake.sid,
            "upgrades": handshake.upgrades.iter().map(|name| &**name).collect::<Vec<_>>(),
            "pingInterval": handshake.ping_interval.as_millis() as u64,
            "pingTimeout": handshake.ping_timeout.as_millis() as u64,
            "maxPayload": handshake.max_payload,
        });
        let again = Handshake::parse(&again.to_string()).expect("a handshake");
        assert_eq!(
            (&again.sid, &again.upgrades),
            (&handshake.sid, &handshake.upgrades)
        );
        assert_eq!(again.max_payload, handshake.max_payload);
        assert_eq!(
            again.ping_interval.as_millis(),
            handshake.ping_interval.as_millis()
        );
    }
    if let Some(error) = HttpErrorBody::parse(input) {
        // A number may be written out, and a byte escaped.
        assert!(error.message.len() <= 8 * input.len());
    }
}

/// The text of a Socket.IO packet.
pub(super) fn packet(input: &[u8]) {
    let text = text(input);
    let limits = PacketLimits::default();
    let Ok(packet) = parse(text.clone(), &limits) else {
        return;
    };
    let query = packet.query.as_ref().map_or(0, |query| query.len());
    // A root that is not named has its slash from elsewhere.
    assert!(packet.namespace.len() + query + packet.data.len() <= text.len() + 1);
    assert!(packet.namespace.starts_with('/'));
    assert!(packet.attachments <= limits.attachments);
    assert!(packet.packet_type.has_id() || packet.id.is_none());
    assert!(packet.packet_type.is_binary() || packet.attachments == 0);
    // Behind the root, which is left out, data that begins like a namespace would be one. No JSON does.
    if !packet.data.starts_with('/') {
        assert_eq!(parse(write::packet(&packet), &limits).as_ref(), Ok(&packet));
    }
    let header = match packet.packet_type {
        PacketType::Event | PacketType::BinaryEvent => write::event(&packet.namespace, packet.id),
        PacketType::Ack | PacketType::BinaryAck => {
            write::ack(&packet.namespace, packet.id.unwrap_or_default())
        }
        _ => return,
    };
    let frame = header.write_frame(packet.attachments, &packet.data);
    let written = header.write(packet.attachments, &packet.data);
    assert_eq!(
        EnginePacket::decode_text(frame),
        Ok(EnginePacket::Message(written))
    );
}

/// A packet whose attachments are missing, as an assembler should have it.
struct Waiting {
    packet: Packet,
    attachments: Vec<Bytes>,
}

/// Packets and attachments in any order.
pub(super) fn attachments(input: &[u8]) {
    let mut tape = Tape::new(input);
    let mut limits = PacketLimits::default();
    limits.attachments = tape.below(8);
    limits.attachment_bytes = tape.below(256);
    let mut assembler = Assembler::new(limits);
    let mut waiting: Option<Waiting> = None;
    while !tape.is_over() {
        match tape.below(4) {
            0 => assembler.detach(),
            1 => {
                let bytes = Bytes::copy_from_slice(tape.bytes());
                let expected = add(&mut waiting, bytes.clone(), &limits);
                assert_eq!(assembler.binary(bytes), expected);
            }
            _ => {
                let text = text(tape.bytes());
                let expected = begin(&mut waiting, text.clone(), &limits);
                assert_eq!(assembler.text(text), expected);
            }
        }
        assert_eq!(assembler.is_waiting(), waiting.is_some());
    }
}

fn begin(
    waiting: &mut Option<Waiting>,
    text: ByteString,
    limits: &PacketLimits,
) -> Result<Option<Assembled>, PacketError> {
    if let Some(Waiting {
        packet,
        attachments,
    }) = waiting.take()
    {
        return Err(PacketError::AttachmentsMissing {
            announced: packet.attachments,
            received: attachments.len(),
        });
    }
    let packet = parse(text, limits)?;
    let attachments = Vec::new();
    if packet.attachments == 0 {
        return Ok(Some(Assembled {
            packet,
            attachments,
        }));
    }
    *waiting = Some(Waiting {
        packet,
        attachments,
    });
    Ok(None)
}

fn add(
    waiting: &mut Option<Waiting>,
    bytes: Bytes,
    limits: &PacketLimits,
) -> Result<Option<Assembled>, PacketError> {
    let length = bytes.len();
    let Some(Waiting {
        packet,
        mut attachments,
    }) = waiting.take()
    else {
        return Err(PacketError::UnexpectedAttachment { length });
    };
    attachments.push(bytes);
    let size: usize = attachments.iter().map(Bytes::len).sum();
    if size > limits.attachment_bytes {
        let limit = limits.attachment_bytes;
        return Err(PacketError::AttachmentsTooLarge { limit });
    }
    if attachments.len() == packet.attachments {
        return Ok(Some(Assembled {
            packet,
            attachments,
        }));
    }
    *waiting = Some(Waiting {
        packet,
        attachments,
    });
    Ok(None)
}
