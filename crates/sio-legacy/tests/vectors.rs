//! Every captured vector of `data/vectors-0.9.json` (bytes of real servers, and what real servers accepted) against the
//! codecs: decoded to its meaning, in every prefix, with bytes appended, and written again.

#[path = "support/capture.rs"]
mod capture;
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use capture::{Kind, Vector, load, unchunk};
use sio_legacy::error::{HandshakeError, HtmlfileError, JsonpError, PacketError, PayloadError};
use sio_legacy::handshake::Handshake;
use sio_legacy::htmlfile::Scripts;
use sio_legacy::jsonp;
use sio_legacy::packet::{Packet, PacketType, ack_data, error_data, read_event, write};
use sio_legacy::payload::{self, PayloadLimits};
use support::{read_form, scripts};

/// The packets' texts of a payload, and what ended it.
fn split(payload: &str) -> (Vec<ByteString>, Option<PayloadError>) {
    let (mut texts, mut end) = (Vec::new(), None);
    for packet in payload::decode(payload, &PayloadLimits::default()) {
        match packet {
            Ok(text) => texts.push(text.into()),
            Err(error) => end = Some(error),
        }
    }
    (texts, end)
}

fn texts_of(vector: &Vector) -> Vec<ByteString> {
    let split = |payload: ByteString| {
        let (texts, error) = split(&payload);
        assert_eq!(error, None, "{}", vector.name);
        texts
    };
    vector.payloads().into_iter().flat_map(split).collect()
}

/// How many packets there are in all vectors, and how many payloads that are framed.
const PACKETS: usize = 212;
const FRAMED: usize = 18;

#[test]
fn every_vector_is_accounted_for() {
    let mut tally = BTreeMap::<_, usize>::new();
    for vector in &load() {
        *tally.entry(vector.meaning.kind).or_default() += 1;
    }
    let expected = BTreeMap::from([
        (Kind::Packets, 148),
        (Kind::Jsonp, 10),
        (Kind::JsonpPost, 6),
        (Kind::HtmlfileScript, 7),
        (Kind::HtmlfilePreamble, 1),
        (Kind::HtmlfileStream, 1),
        (Kind::Handshake, 12),
        (Kind::HandshakeError, 7),
        // The answer to a post, which is no payload and not looked at.
        (Kind::PostOk, 1),
        // The answer to `?disconnect=1`, which this client does not ask for.
        (Kind::Empty, 1),
    ]);
    assert_eq!(tally, expected);
    assert_eq!(load().len(), 194);
}

#[test]
fn every_packet_has_its_meaning() {
    let (mut packets, mut framed) = (0, 0);
    for vector in &load() {
        let texts = texts_of(vector);
        assert_eq!(texts.len(), vector.meaning.packets.len(), "{}", vector.name);
        for (text, expected) in texts.iter().zip(&vector.meaning.packets) {
            let packet = Packet::parse(text.clone());
            let packet = packet.unwrap_or_else(|error| panic!("{}: {error}", vector.name));
            expected.check(&packet, &vector.name);
            assert_eq!(write::packet(&packet), text, "{}", vector.name);
            packets += 1;
        }
        if let Some(framing) = &vector.meaning.framing {
            let payload = vector.payloads().remove(0);
            let is_framed = payload::decode(&payload, &PayloadLimits::default()).is_framed();
            assert_eq!(is_framed, framing == "framed", "{}", vector.name);
            framed += usize::from(is_framed);
        }
    }
    assert_eq!((packets, framed), (PACKETS, FRAMED));
}

#[test]
fn payloads_are_written_as_they_came() {
    let mut compared = 0;
    for vector in &load() {
        for payload in vector.payloads() {
            let (texts, _) = split(&payload);
            let body = payload::encode(texts.iter().map(|text| &**text));
            assert_eq!(payload, body, "{}", vector.name);
            if vector.meaning.kind == Kind::JsonpPost {
                let form = jsonp::form(&payload);
                assert_eq!(vector.text(), form, "{}", vector.name);
                assert_eq!(read_form(&form), payload, "{}", vector.name);
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 148 + 10 + 6 + 7 + 7);
}

/// What was sent to try servers, in a form that this client never writes.
const NEVER_WRITTEN: [(&str, &str); 9] = [
    ("send-connect-with-query", "servers ignore the query"),
    (
        "send-message-empty-four-fields",
        "the third colon is left out",
    ),
    (
        "send-message-data-ack",
        "messages ask for plain acknowledgements",
    ),
    (
        "send-json-namespace-ack",
        "JSON asks for plain acknowledgements",
    ),
    ("send-event-empty-args", "empty arguments are left out"),
    ("send-event-plain-ack", "events ask for data"),
    ("send-event-raw-unicode", "JSON is sent as ASCII"),
    ("send-framed-utf16-lengths", "JSON is sent as ASCII"),
    ("send-ack-data-empty-array", "empty arguments are left out"),
];

#[test]
fn packets_are_written_as_servers_accepted_them() {
    let mut written = 0;
    for vector in &load() {
        if vector.direction != "send" {
            continue;
        }
        let packets: Option<Vec<_>> = vector
            .meaning
            .packets
            .iter()
            .map(|packet| packet.write())
            .collect();
        let body = packets.map(|packets| payload::encode(packets.iter().map(|text| &**text)));
        if NEVER_WRITTEN.iter().any(|(name, _)| *name == vector.name) {
            assert_ne!(
                body.as_deref(),
                Some(&*vector.payloads()[0]),
                "{}",
                vector.name
            );
        } else {
            assert_eq!(
                body.as_deref(),
                Some(&*vector.payloads()[0]),
                "{}",
                vector.name
            );
            written += 1;
        }
    }
    assert_eq!(written, 43 - NEVER_WRITTEN.len());
}

#[test]
fn handshakes_are_read() {
    let (mut granted, mut refused, mut wrapped) = (0, 0, 0);
    for vector in &load() {
        let expected = &vector.meaning;
        let (body, refusal) = match (expected.kind, expected.jsonp_index) {
            (Kind::Handshake | Kind::HandshakeError, None) => (vector.text(), None),
            (Kind::Handshake | Kind::HandshakeError, index) => {
                wrapped += 1;
                match jsonp::unwrap(vector.text()) {
                    Ok(call) => {
                        assert_eq!(call.index, index, "{}", vector.name);
                        (call.payload, None)
                    }
                    Err(error) => (ByteString::new(), Some(error)),
                }
            }
            _ => continue,
        };
        if expected.kind == Kind::Handshake {
            let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
            let handshake = Handshake {
                sid: expected.sid.as_str().into(),
                heartbeat_timeout: seconds(expected.heartbeat_timeout),
                close_timeout: seconds(expected.close_timeout),
                transports: expected
                    .transports
                    .iter()
                    .map(|name| name.as_str().into())
                    .collect(),
            };
            assert_eq!(
                Handshake::parse(&body).as_ref(),
                Ok(&handshake),
                "{}",
                vector.name
            );
            let line = format!("{body}\r\n");
            assert_eq!(
                Handshake::parse(&line).as_ref(),
                Ok(&handshake),
                "{}",
                vector.name
            );
            granted += 1;
            continue;
        }
        let message = expected.message.clone();
        match refusal {
            Some(error) => assert_eq!(error, JsonpError::Refused { message }, "{}", vector.name),
            None => {
                let error = HandshakeError::Fields { found: message };
                assert_eq!(Handshake::parse(&body), Err(error), "{}", vector.name);
            }
        }
        refused += 1;
    }
    assert_eq!((granted, refused, wrapped), (12, 7, 3));
}

#[test]
fn what_carries_no_packet_gives_none() {
    for vector in &load() {
        match vector.meaning.kind {
            Kind::HtmlfilePreamble => {
                assert_eq!(vector.bytes().len(), 256);
                assert!(vector.payloads().is_empty());
            }
            Kind::Empty => assert_eq!(split(&vector.text()), (Vec::new(), None)),
            Kind::PostOk => {
                let error = PacketError::Colon {
                    offset: 1,
                    found: None,
                };
                assert_eq!(Packet::parse(vector.text()), Err(error));
            }
            _ => {}
        }
    }
}

/// Puts a text before every decoder there is.
fn read_as_anything(text: &ByteString) {
    let (texts, _) = split(text);
    for text in texts.iter().chain([text]) {
        if let Ok(packet) = Packet::parse(text.clone()) {
            let data = packet.data.unwrap_or_default();
            let _ = ack_data(&data);
            error_data(&data);
            let _ = read_event(&data).map(|(_, args)| args.to_values());
        }
    }
    let _ = jsonp::unwrap(text.clone());
    let _ = Handshake::parse(text);
    let mut scripts = Scripts::new(1000);
    scripts.push(text.as_bytes());
    while scripts.next().is_some() {}
}

#[test]
fn no_prefix_is_a_panic() {
    for vector in &load() {
        let bytes = vector.bytes();
        for end in 0..bytes.len() {
            let cut = &vector.name;
            let (text, lossy) = payload::from_utf8(bytes.slice(..end));
            let is_whole = std::str::from_utf8(&bytes[..end]).is_ok();
            assert_eq!(lossy, !is_whole, "{cut}, {end} bytes");
            read_as_anything(&text);
        }
    }
}

#[test]
fn a_prefix_of_a_framed_payload_gives_no_wrong_packet() {
    let mut payloads = 0;
    for vector in &load() {
        for payload in vector.payloads() {
            let (whole, _) = split(&payload);
            if whole.len() < 2 {
                continue;
            }
            payloads += 1;
            for (end, _) in payload.char_indices() {
                let (texts, error) = split(&payload[..end]);
                let context = format!("{}, {end} of {} bytes", vector.name, payload.len());
                assert_eq!(texts, whole[..texts.len()], "{context}");
                assert!(texts.len() < whole.len(), "{context}");
                // Without an error it must end exactly behind a packet, or before U+FFFD says that there are frames.
                if error.is_none() && !texts.is_empty() {
                    let rest = split(&payload[end..]);
                    assert_eq!(rest, (whole[texts.len()..].to_vec(), None), "{context}");
                }
            }
            for leftover in ["x", "8::", "\u{fffd}", "\u{fffd}9\u{fffd}3:::", "\u{fffd}x"] {
                let (texts, error) = split(&format!("{payload}{leftover}"));
                assert_eq!(texts, whole, "{} and {leftover}", vector.name);
                assert!(error.is_some(), "{} and {leftover}", vector.name);
            }
            let (texts, error) = split(&payload.repeat(2));
            assert_eq!(texts, [&whole[..], &whole[..]].concat(), "{}", vector.name);
            assert_eq!(error, None, "{}", vector.name);
        }
    }
    assert_eq!(payloads, FRAMED);
}

#[test]
fn a_packet_cut_short_is_an_error_or_has_less_data() {
    for vector in &load() {
        for text in texts_of(vector) {
            let whole = Packet::parse(text.clone()).unwrap();
            for (end, _) in text.char_indices() {
                let Ok(cut) = Packet::parse(text[..end].into()) else {
                    continue;
                };
                assert_eq!(cut.packet_type, whole.packet_type);
                assert_eq!((&cut.id, cut.ack), (&whole.id, whole.ack));
                match (&cut.data, &whole.data) {
                    (Some(cut), Some(whole)) => assert!(whole.starts_with(&**cut)),
                    (None, _) => assert!(whole.endpoint.starts_with(&*cut.endpoint)),
                    (Some(_), None) => panic!("{}: data out of nothing", vector.name),
                }
                // JSON objects are not whole before their end, which may be found out only with the arguments.
                if let (PacketType::Event, Some(data)) = (cut.packet_type, &cut.data) {
                    let event = read_event(data).map(|(_, args)| args.validate());
                    assert!(!matches!(event, Ok(Ok(()))), "{}: {data}", vector.name);
                }
            }
        }
    }
}

#[test]
fn a_jsonp_body_cut_short_or_continued_is_an_error() {
    for vector in &load() {
        if vector.meaning.kind != Kind::Jsonp {
            continue;
        }
        let body = vector.text();
        for (end, _) in body.char_indices() {
            let call = jsonp::unwrap(body[..end].into());
            // Only the semicolon may be missing.
            assert_eq!(
                call.is_ok(),
                end == body.len() - 1,
                "{}, {end} bytes",
                vector.name
            );
        }
        for leftover in ["x", "1", ";;", "\"", "(\"\");", &body] {
            let call = jsonp::unwrap(format!("{body}{leftover}").into());
            assert!(call.is_err(), "{} and {leftover}", vector.name);
        }
    }
}

#[test]
fn an_htmlfile_stream_may_be_cut_anywhere() {
    let mut streams = 0;
    for vector in &load() {
        let stream = match vector.meaning.kind {
            Kind::HtmlfileStream => Bytes::from(unchunk(&vector.bytes())),
            Kind::HtmlfileScript | Kind::HtmlfilePreamble => vector.bytes(),
            _ => continue,
        };
        streams += 1;
        let whole = vector.payloads();
        for piece in 1..stream.len() {
            assert_eq!(
                scripts(&stream, piece),
                whole,
                "{}, pieces of {piece}",
                vector.name
            );
        }
        for end in 0..stream.len() {
            let mut scripts = Scripts::new(10_000);
            scripts.push(&stream[..end]);
            let payloads: Vec<_> = scripts.by_ref().map(Result::unwrap).collect();
            assert_eq!(payloads, whole[..payloads.len()]);
            assert!(payloads.len() < whole.len() || !scripts.is_between() || whole.is_empty());
            scripts.push(&stream[end..]);
            let rest: Vec<_> = scripts.map(Result::unwrap).collect();
            assert_eq!(
                rest,
                whole[payloads.len()..],
                "{}, {end} bytes",
                vector.name
            );
        }
        let mut scripts = Scripts::new(10_000);
        scripts.push(&stream);
        scripts.push(b"</body><script>_(1);</script>");
        let payloads: Vec<_> = scripts.collect();
        let (error, payloads) = payloads.split_last().unwrap();
        assert!(matches!(
            error,
            Err(HtmlfileError::NotAString { found: b'1', .. })
        ));
        assert_eq!(payloads.len(), whole.len());
    }
    assert_eq!(streams, 9);
}
