//! Every captured vector of `data/vectors-eio3.json` (bytes of real servers and of the real JavaScript clients) against
//! the codec: decoded to its meaning, in every prefix, with bytes appended, and written again.

mod support;

use bytestring::ByteString;
use sio_v1::engine::handshake::{Handshake, HttpErrorBody, ServerErrorCode};
use sio_v1::engine::packet::{EnginePacket, Frame};
use sio_v1::engine::payload::{self, CONTENT_TYPE, PayloadLimits, TextRule};
use sio_v1::error::EngineError;
use sio_v1::packet::{Assembler, PacketLimits, parse, write};
use support::{Carrier, Vector, load, packets_of};

/// How many vectors there are of each kind. A vector that is overlooked changes one of these.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    utf16_bodies: usize,
    double_bodies: usize,
    binary_bodies: usize,
    text_frames: usize,
    double_text_frames: usize,
    binary_frames: usize,
    http_errors: usize,
    detect_bodies: usize,
    detect_http_errors: usize,
}

#[test]
fn every_vector_has_its_meaning() {
    let mut tally = Tally::default();
    for vector in &load() {
        match vector.carrier() {
            Carrier::TextBody(TextRule::Utf16) => tally.utf16_bodies += 1,
            Carrier::TextBody(TextRule::Double) => tally.double_bodies += 1,
            Carrier::BinaryBody => tally.binary_bodies += 1,
            Carrier::TextFrame { double: false } => tally.text_frames += 1,
            Carrier::TextFrame { double: true } => tally.double_text_frames += 1,
            Carrier::BinaryFrame => tally.binary_frames += 1,
            Carrier::HttpError => tally.http_errors += 1,
            Carrier::Detect if vector.meaning.http_error.is_some() => {
                tally.detect_http_errors += 1;
            }
            Carrier::Detect => tally.detect_bodies += 1,
        }
        if let Some(error) = &vector.meaning.http_error {
            check_http_error(vector, error);
        } else if vector.meaning.engine.is_some() {
            assert_eq!(
                packets_of(vector),
                vector.expected_packets(),
                "{}",
                vector.name
            );
        } else {
            check_detect(vector);
        }
    }
    let expected = Tally {
        utf16_bodies: 243,
        double_bodies: 137,
        binary_bodies: 181,
        text_frames: 371,
        double_text_frames: 56,
        binary_frames: 108,
        http_errors: 39,
        detect_bodies: 15,
        detect_http_errors: 15,
    };
    assert_eq!(tally, expected);
    assert_eq!(load().len(), 1165);
}

fn check_http_error(vector: &Vector, expected: &serde_json::Value) {
    let error = HttpErrorBody::parse(&vector.bytes());
    let error = error.unwrap_or_else(|| panic!("{}: no error body", vector.name));
    let message = match expected {
        serde_json::Value::Array(arguments) => arguments[0].as_str(),
        serde_json::Value::Object(fields) => fields.get("message").and_then(|text| text.as_str()),
        other => other.as_str(),
    };
    assert_eq!(
        error.message,
        message.unwrap_or_default(),
        "{}",
        vector.name
    );
    let code = expected.get("code").and_then(serde_json::Value::as_i64);
    assert_eq!(
        error.code,
        code.map(ServerErrorCode::from),
        "{}",
        vector.name
    );
}

/// What other generations answer is either a payload that begins with a handshake, or a definite error.
fn check_detect(vector: &Vector) {
    let limits = PayloadLimits::default();
    let mut payload = payload::decode(vector.content_type.as_deref(), vector.bytes(), &limits);
    let first = payload
        .next()
        .unwrap_or_else(|| panic!("{}: nothing", vector.name));
    let bytes = vector.bytes();
    let error = |offset, found| Err(EngineError::LengthDigit { offset, found });
    match &bytes[..2] {
        b"0{" => assert_eq!(first, error(1, b'{'), "{}: Engine.IO 4", vector.name),
        b"We" => assert_eq!(first, error(0, b'W'), "{}: Socket.IO 0.9", vector.name),
        b"7H" => assert_eq!(first, error(1, b'H'), "{}: Socket.IO 0.9", vector.name),
        _ => assert!(
            matches!(first, Ok(EnginePacket::Open(_))),
            "{}",
            vector.name
        ),
    }
    if let Ok(EnginePacket::Open(json)) = first {
        assert!(Handshake::parse(&json).is_ok(), "{}", vector.name);
        assert!(payload.all(|packet| packet.is_ok()), "{}", vector.name);
    }
}

#[test]
fn socket_io_packets_complete_where_they_should() {
    let mut assemblers = std::collections::HashMap::<_, Assembler>::new();
    let (mut completed, mut attachments) = (0, 0);
    for vector in &load() {
        let Some(expected) = &vector.meaning.sio else {
            continue;
        };
        // Without a stream a vector stands alone.
        let stream = vector.stream.clone().unwrap_or_else(|| vector.name.clone());
        let assembler = assemblers
            .entry((stream, vector.direction.clone()))
            .or_default();
        let mut packets = Vec::new();
        for packet in packets_of(vector) {
            let assembled = match packet.unwrap() {
                EnginePacket::Message(text) => assembler.text(text),
                EnginePacket::Binary(bytes) => assembler.binary(bytes),
                _ => continue,
            };
            packets.extend(assembled.unwrap_or_else(|error| panic!("{}: {error}", vector.name)));
        }
        assembler.detach();
        completed += packets.len();
        attachments += packets
            .iter()
            .map(|packet| packet.attachments.len())
            .sum::<usize>();
        assert_eq!(packets.len(), expected.len(), "{}", vector.name);
        for (packet, expected) in packets.iter().zip(expected) {
            expected.check(packet, &vector.name);
        }
    }
    assert!(assemblers.values().all(|assembler| !assembler.is_waiting()));
    assert_eq!((completed, attachments), (1233, 337));
}

#[test]
fn every_open_packet_is_a_handshake() {
    let mut handshakes = 0;
    for vector in &load() {
        for packet in vector.expected_packets() {
            let Ok(EnginePacket::Open(json)) = packet else {
                continue;
            };
            let handshake = Handshake::parse(&json).unwrap();
            let polling = vector.frame == "http-body";
            assert_eq!(handshake.can_upgrade(), polling, "{}", vector.name);
            let has_limit = vector.name.starts_with("4.8.4");
            assert_eq!(
                handshake.max_payload.is_some(),
                has_limit,
                "{}",
                vector.name
            );
            assert!(
                handshake.ping_interval.as_millis() >= 300,
                "{}",
                vector.name
            );
            handshakes += 1;
        }
    }
    assert_eq!(handshakes, 41);
}

/// The packets of a body that is not expected to be whole, and what ended them.
fn read(vector: &Vector, body: Vec<u8>) -> (Vec<EnginePacket>, Option<EngineError>) {
    let limits = PayloadLimits::default();
    let payload = match vector.carrier() {
        Carrier::TextBody(rule) => payload::decode_text(body.into(), rule, &limits),
        _ => payload::decode(Some(CONTENT_TYPE), body.into(), &limits),
    };
    let (mut packets, mut end) = (Vec::new(), None);
    for packet in payload {
        match packet {
            Ok(packet) => packets.push(packet),
            Err(error) => end = Some(error),
        }
    }
    (packets, end)
}

fn bodies() -> Vec<(Vector, Vec<EnginePacket>)> {
    let bodies: Vec<_> = load()
        .into_iter()
        .filter(|vector| vector.is_payload())
        .map(|vector| {
            let packets = vector.expected_packets().into_iter().map(Result::unwrap);
            let packets = packets.collect();
            (vector, packets)
        })
        .collect();
    assert_eq!(bodies.len(), 561);
    bodies
}

#[test]
fn a_prefix_of_a_body_gives_no_wrong_packet() {
    for (vector, whole) in bodies() {
        let body = vector.payload();
        for end in 0..body.len() {
            let (packets, error) = read(&vector, body[..end].to_vec());
            let context = format!("{}, {end} of {} bytes", vector.name, body.len());
            assert_eq!(packets, whole[..packets.len()], "{context}");
            assert!(packets.len() < whole.len(), "{context}");
            // Without an error it must end exactly behind a packet.
            if error.is_none() && !packets.is_empty() {
                let rest = read(&vector, body[end..].to_vec());
                assert_eq!(rest, (whole[packets.len()..].to_vec(), None), "{context}");
            }
        }
    }
}

#[test]
fn bytes_left_over_are_an_error_behind_the_packets() {
    let leftovers: [&[u8]; 7] = [
        b"x",
        b"7",
        b"3:",
        b"99:42",
        b"\xff",
        b"\x01",
        b"\x00\x02\xff4",
    ];
    for (vector, whole) in bodies() {
        for leftover in leftovers {
            let body = [&vector.payload(), leftover].concat();
            let (packets, error) = read(&vector, body);
            assert_eq!(packets, whole, "{} and {leftover:?}", vector.name);
            assert!(error.is_some(), "{} and {leftover:?}", vector.name);
        }
    }
}

#[test]
fn two_bodies_in_a_row_read_as_one() {
    for (vector, whole) in bodies() {
        let twice = vector.payload().repeat(2);
        let (packets, error) = read(&vector, twice);
        assert_eq!(
            packets,
            [&whole[..], &whole[..]].concat(),
            "{}",
            vector.name
        );
        assert_eq!(error, None, "{}", vector.name);
    }
}

#[test]
fn what_we_post_is_what_the_clients_posted() {
    let mut compared = 0;
    for vector in &load() {
        if vector.meaning.engine.is_none() {
            continue;
        }
        let packets: Vec<_> = vector
            .expected_packets()
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let body = payload::encode_binary(&packets);
        let limits = PayloadLimits::default();
        let decoded: Result<Vec<_>, _> = payload::decode_binary(body.clone(), &limits).collect();
        assert_eq!(decoded.as_ref(), Ok(&packets), "{}", vector.name);
        let frames: Vec<_> = packets.iter().map(EnginePacket::encode_frame).collect();
        assert_eq!(payload::encode_frames(&frames), body, "{}", vector.name);
        if vector.carrier() == Carrier::BinaryBody {
            assert_eq!(body, vector.bytes(), "{}", vector.name);
            compared += 1;
        }
    }
    assert_eq!(compared, 181, "binary bodies of both directions");
}

#[test]
fn websocket_messages_are_written_as_they_came() {
    let mut compared = 0;
    for vector in &load() {
        let double = match vector.carrier() {
            Carrier::TextFrame { double } => double,
            Carrier::BinaryFrame => false,
            _ => continue,
        };
        let [Ok(packet)] = &vector.expected_packets()[..] else {
            panic!("{}: not one packet", vector.name);
        };
        let frame = packet.encode_frame();
        let decoded = match frame.clone() {
            Frame::Text(text) => EnginePacket::decode_text(text),
            Frame::Binary(bytes) => EnginePacket::decode_binary(bytes),
        };
        assert_eq!(decoded.as_ref(), Ok(packet), "{}", vector.name);
        let bytes = match &frame {
            Frame::Text(text) => text.as_bytes(),
            Frame::Binary(bytes) => bytes,
        };
        if !double {
            assert_eq!(*bytes, vector.bytes(), "{}", vector.name);
            compared += 1;
        }
    }
    assert_eq!(compared, 479);
}

#[test]
fn socket_io_packets_are_written_as_they_came() {
    let limits = PacketLimits::default();
    let mut written = 0;
    for vector in &load() {
        for packet in vector.expected_packets() {
            let Ok(EnginePacket::Message(text)) = packet else {
                continue;
            };
            let packet = parse(text.clone(), &limits).unwrap();
            let again = write::packet(&packet);
            assert_eq!(parse(again.clone(), &limits).as_ref(), Ok(&packet));
            // 1.x and python leave the comma out where nothing follows the namespace.
            let with_comma = ByteString::from(format!("{text},"));
            assert!(
                again == text || again == with_comma,
                "{}: {again}",
                vector.name
            );
            written += 1;
        }
    }
    assert_eq!(written, 1233);
}
