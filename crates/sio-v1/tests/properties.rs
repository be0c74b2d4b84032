//! What holds for every value and for every input: round trips, no panic, bounded memory.

use bytes::Bytes;
use bytestring::ByteString;
use proptest::collection::vec;
use proptest::prelude::*;
use sio_v1::engine::handshake::{Handshake, HttpErrorBody};
use sio_v1::engine::packet::{EnginePacket, Frame, undo_double_encoding};
use sio_v1::engine::payload::{self, PayloadLimits, TextRule};
use sio_v1::packet::{Assembler, Packet, PacketLimits, PacketType, parse, write};

/// Text with everything that framings stumble over: the end marks, NUL, Latin-1, CJK, astral, U+FFFD, U+FFFF.
fn text() -> impl Strategy<Value = String> {
    let characters = prop_oneof![
        4 => proptest::char::range(' ', '~'),
        2 => proptest::sample::select(vec![
            '\0', '\u{1}', ':', '0', '9', 'b', '\u{80}', '\u{c3}', '\u{a9}', '\u{ff}', '\u{2028}', '한',
            '\u{fffd}', '\u{ffff}', '\u{1f600}', '\u{10ffff}',
        ]),
        1 => any::<char>(),
    ];
    vec(characters, 0..40).prop_map(String::from_iter)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..60).prop_map(Bytes::from)
}

fn engine_packet() -> impl Strategy<Value = EnginePacket> {
    let data = || text().prop_map(ByteString::from);
    prop_oneof![
        1 => data().prop_map(EnginePacket::Open),
        1 => Just(EnginePacket::Close),
        1 => data().prop_map(EnginePacket::Ping),
        1 => data().prop_map(EnginePacket::Pong),
        4 => data().prop_map(EnginePacket::Message),
        2 => bytes().prop_map(EnginePacket::Binary),
        1 => Just(EnginePacket::Upgrade),
        1 => Just(EnginePacket::Noop),
    ]
}

fn packet() -> impl Strategy<Value = Packet> {
    let packet_type = proptest::sample::select(vec![
        PacketType::Connect,
        PacketType::Disconnect,
        PacketType::Event,
        PacketType::Ack,
        PacketType::Error,
        PacketType::BinaryEvent,
        PacketType::BinaryAck,
    ]);
    let namespace = text().prop_map(|name| format!("/{}", name.replace([',', '?'], "-")));
    let query = proptest::option::of(text().prop_map(|query| query.replace(',', "%2C")));
    let json = prop_oneof![
        Just(String::new()),
        text().prop_map(|text| format!("[{text:?}]"))
    ];
    (
        packet_type,
        namespace,
        query,
        any::<Option<u64>>(),
        0..=1024_usize,
        json,
    )
        .prop_map(
            |(packet_type, namespace, query, id, attachments, json)| Packet {
                packet_type,
                namespace: namespace.into(),
                query: query.map(ByteString::from),
                id: id.filter(|_| packet_type.has_id()),
                attachments: if packet_type.is_binary() {
                    attachments
                } else {
                    0
                },
                data: json.into(),
            },
        )
}

/// A name that looks like JSON could pass for the end of a packet.
fn packet_without_json_in_names() -> impl Strategy<Value = Packet> {
    let plain = |name: &str| name.replace(['"', '[', '{'], "-").into();
    packet().prop_map(move |packet| Packet {
        namespace: plain(&packet.namespace),
        query: packet.query.as_deref().map(plain),
        ..packet
    })
}

/// The text framing, which the client never writes.
fn encode_text(packets: &[EnginePacket], rule: TextRule) -> Vec<u8> {
    use base64::Engine as _;
    let mut body = String::new();
    for packet in packets {
        let mut text = match packet.encode_frame() {
            Frame::Text(text) => text.to_string(),
            Frame::Binary(bytes) => {
                let engine = base64::engine::general_purpose::STANDARD;
                format!("b4{}", engine.encode(&bytes[1..]))
            }
        };
        if rule == TextRule::Double {
            text = text.bytes().map(char::from).collect();
        }
        body.push_str(&format!("{}:{text}", text.encode_utf16().count()));
    }
    body.into_bytes()
}

fn decode_all(payload: payload::Payload) -> Vec<EnginePacket> {
    payload.map(|packet| packet.unwrap()).collect()
}

/// Input that comes close to the grammars: their own characters in any order.
fn almost(alphabet: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![9 => proptest::sample::select(alphabet.to_vec()), 1 => any::<u8>()];
    vec(byte, 0..200)
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..400),
        almost(b"0123456b:::12\"[]{}\xed\x95\x9c"),
        almost(b"\x00\x00\x01\x01\x02\x09\xff\xff04b\x04\"[]\xc3\xa9"),
        almost(b"0123456--//,,??[]{}\"\\a"),
    ]
}

proptest! {
    #[test]
    fn frames_round_trip(packet in engine_packet()) {
        let decoded = match packet.encode_frame() {
            Frame::Text(text) => EnginePacket::decode_text(text),
            Frame::Binary(bytes) => EnginePacket::decode_binary(bytes),
        };
        prop_assert_eq!(decoded, Ok(packet));
    }

    #[test]
    fn binary_payloads_round_trip(packets in vec(engine_packet(), 0..12)) {
        let body = payload::encode_binary(&packets);
        let payload = payload::decode_binary(body, &PayloadLimits::default());
        prop_assert_eq!(decode_all(payload), packets);
    }

    #[test]
    fn text_payloads_round_trip(packets in vec(engine_packet(), 1..12)) {
        for rule in [TextRule::Utf16, TextRule::Double] {
            let body = encode_text(&packets, rule).into();
            let mut payload = payload::decode_text(body, rule, &PayloadLimits::default());
            let decoded: Result<Vec<_>, _> = payload.by_ref().collect();
            prop_assert_eq!(decoded.as_ref(), Ok(&packets));
            prop_assert!(payload.tolerated().is_none());
        }
    }

    #[test]
    fn a_payload_cut_anywhere_gives_no_wrong_packet(
        packets in vec(packet_without_json_in_names(), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let packets: Vec<_> = packets
            .iter()
            .map(|packet| EnginePacket::Message(write::packet(packet)))
            .collect();
        let limits = PayloadLimits::default();
        let text = encode_text(&packets, TextRule::Utf16);
        let binary = payload::encode_binary(&packets);
        let text = Bytes::from(text);
        let text = text.slice(..cut.index(text.len()));
        let binary = binary.slice(..cut.index(binary.len()));
        for payload in [
            payload::decode_text(text, TextRule::Utf16, &limits),
            payload::decode_binary(binary, &limits),
        ] {
            let decoded: Vec<_> = payload.map_while(Result::ok).collect();
            prop_assert_eq!(&decoded[..], &packets[..decoded.len()]);
        }
    }

    #[test]
    fn doubly_encoded_text_is_undone(text in text()) {
        let doubled: String = text.bytes().map(char::from).collect();
        prop_assert_eq!(undo_double_encoding(doubled.into()), text);
    }

    #[test]
    fn packets_round_trip(packet in packet()) {
        let text = write::packet(&packet);
        prop_assert_eq!(parse(text, &PacketLimits::default()), Ok(packet));
    }

    #[test]
    fn events_and_acks_read_as_written(packet in packet(), id: u64) {
        let (namespace, json) = (&*packet.namespace, format!("[{:?}]", &*packet.data));
        for (header, types) in [
            (write::event(namespace, packet.id), [PacketType::Event, PacketType::BinaryEvent]),
            (write::ack(namespace, id), [PacketType::Ack, PacketType::BinaryAck]),
        ] {
            let text = header.write(packet.attachments, &json);
            let frame = header.write_frame(packet.attachments, &json);
            prop_assert_eq!(
                EnginePacket::decode_text(frame),
                Ok(EnginePacket::Message(text.clone()))
            );
            let read = parse(text, &PacketLimits::default()).unwrap();
            let expected = Packet {
                packet_type: types[usize::from(packet.attachments > 0)],
                query: None,
                id: if types[0] == PacketType::Ack { Some(id) } else { packet.id },
                data: json.clone().into(),
                ..packet.clone()
            };
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn attachments_may_come_in_any_number_of_bodies(
        sizes in vec(0..20_usize, 1..12),
        detached in vec(any::<bool>(), 12),
    ) {
        let mut assembler = Assembler::default();
        let attachments: Vec<_> = sizes.iter().map(|size| Bytes::from(vec![7; *size])).collect();
        let header = write::event("/chat", Some(1)).write(attachments.len(), "[\"a\"]");
        let mut assembled = assembler.text(header).unwrap();
        for (attachment, detach) in attachments.iter().zip(detached) {
            prop_assert_eq!(assembled, None);
            if detach {
                assembler.detach();
            }
            assembled = assembler.binary(attachment.clone()).unwrap();
        }
        prop_assert_eq!(assembled.unwrap().attachments, attachments);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_payload_is_read_within_bounds(input in input()) {
        let limits = PayloadLimits::default();
        let body = Bytes::from(input);
        for payload in [
            payload::decode_text(body.clone(), TextRule::Utf16, &limits),
            payload::decode_text(body.clone(), TextRule::Double, &limits),
            payload::decode_binary(body.clone(), &limits),
        ] {
            let packets: Vec<_> = payload.map_while(Result::ok).collect();
            // A packet takes three bytes of the body at least, a replaced byte becomes three.
            prop_assert!(packets.len() <= body.len() / 3);
            prop_assert!(packets.iter().map(EnginePacket::data_len).sum::<usize>() <= 3 * body.len());
        }
    }

    #[test]
    fn any_frame_and_packet_is_read_within_bounds(input in input()) {
        let body = Bytes::from(input);
        if let Ok(packet) = EnginePacket::decode_binary(body.clone()) {
            prop_assert!(packet.data_len() <= 3 * body.len());
        }
        let text = ByteString::from(String::from_utf8_lossy(&body).into_owned());
        if let Ok(packet) = EnginePacket::decode_text(text.clone()) {
            prop_assert!(packet.data_len() <= 3 * text.len());
        }
        prop_assert!(undo_double_encoding(text.clone()).len() <= text.len());
        let mut assembler = Assembler::default();
        let limits = PacketLimits::default();
        if let Ok(packet) = parse(text.clone(), &limits) {
            let parts = packet.namespace.len() + packet.query.map_or(0, |query| query.len());
            prop_assert!(parts + packet.data.len() <= text.len() + 1);
            prop_assert!(packet.attachments <= limits.attachments);
        }
        let _ = assembler.text(text.clone());
        let _ = assembler.binary(body.clone());
        let _ = Handshake::parse(&text);
        let _ = HttpErrorBody::parse(&body);
    }
}
