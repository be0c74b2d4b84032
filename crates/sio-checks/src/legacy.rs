//! The decoders of `sio-legacy`.

use bytes::Bytes;
use bytestring::ByteString;
use percent_encoding::percent_decode_str;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use sio_legacy::error::{HtmlfileError, PayloadError};
use sio_legacy::handshake::Handshake;
use sio_legacy::htmlfile::Scripts;
use sio_legacy::jsonp as forms;
use sio_legacy::packet::{AckMode, Packet, ack_data, error_data, read_event, write};
use sio_legacy::payload::{self as framing, PayloadLimits};

use super::payload::{checked, depth};
use super::tape::Tape;
use super::text;

/// The shortest frame: two marks, a digit, no packet.
const SHORTEST: usize = 2 * framing::MARK.len_utf8() + 1;

/// The text of a packet, and what its data may be.
pub(super) fn packet(input: &[u8]) {
    let text = text(input);
    if let Ok(packet) = Packet::parse(text.clone()) {
        let parts = [
            Some(&packet.endpoint),
            packet.id.as_ref(),
            packet.data.as_ref(),
        ];
        let size: usize = parts.into_iter().flatten().map(|part| part.len()).sum();
        assert!(size <= text.len());
        assert_eq!(packet.id.is_none(), packet.ack == AckMode::None);
        assert!(!packet.endpoint.contains(':'));
        assert_eq!(Packet::parse(write::packet(&packet)).as_ref(), Ok(&packet));
        data(&packet.data.unwrap_or_default());
    }
    data(&text);
}

fn data(data: &ByteString) {
    if let Ok(answer) = ack_data(data) {
        assert!(answer.id.bytes().all(|byte| byte.is_ascii_digit()));
        let args = answer.args.as_deref().unwrap_or_default();
        let again = ack_data(&format!("{}+{args}", answer.id).into());
        assert_eq!(again, Ok(answer));
    }
    let error = error_data(data);
    let again = error_data(&format!("{}+{}", error.reason, error.advice).into());
    assert_eq!(
        (again.code(), again.reconnect()),
        (error.code(), error.reconnect())
    );
    assert_eq!(again, error);
}

/// The JSON of an event, which must mean what it means to a reader of the whole object.
pub(super) fn event(input: &[u8]) {
    let text = text(input);
    // Whoever reads the whole object may go one level less deep into the arguments.
    if depth(&text) > 120 {
        let _ = read_event(&text);
        return;
    }
    let read = read_event(&text).ok().and_then(|(name, args)| {
        assert!(name.len() + args.text().len() <= text.len() + 2);
        let values: Option<Vec<Value>> = serde_json::from_str(args.text()).ok();
        assert_eq!(checked(&args).is_ok(), values.is_some());
        Some((name, values?))
    });
    let (repaired, _) = sio_core::payload::replace_lone(text);
    let expected = serde_json::from_str::<Map<String, Value>>(&repaired)
        .ok()
        .and_then(|mut object| {
            let name = object
                .remove("name")
                .filter(|name| name.is_string() || name.is_number())?;
            let args = match object.remove("args").unwrap_or_default() {
                Value::Array(args) => args,
                Value::Null => Vec::new(),
                single => vec![single],
            };
            Some((name, args))
        });
    let (name, args, expected_name, expected_args) = match (&read, &expected) {
        (Some((name, args)), Some((expected_name, expected_args))) => {
            (name, args, expected_name, expected_args)
        }
        // What is not wanted is not read, so a number in it may be too great for a double.
        (Some(_), None) => {
            assert!(serde_json::from_str::<IgnoredAny>(&repaired).is_ok());
            return;
        }
        _ => {
            assert_eq!(read.is_some(), expected.is_some(), "not {expected:?}");
            return;
        }
    };
    assert_eq!(args, expected_args);
    match expected_name {
        Value::String(expected) => assert_eq!(**name, **expected),
        // The text of a number is as it came.
        number => assert_eq!(
            serde_json::from_str::<Value>(name).ok().as_ref(),
            Some(number)
        ),
    }
}

/// The body of a poll.
pub(super) fn payload(input: &[u8]) {
    let limits = PayloadLimits::default();
    let (body, lossy) = framing::from_utf8(Bytes::copy_from_slice(input));
    assert_eq!(lossy, std::str::from_utf8(input).is_err());
    let is_framed = framing::decode(&body, &limits).is_framed();
    let (packets, error) = split(&body, &limits);
    assert!(packets.len() <= 1 + body.len() / SHORTEST);
    assert!(packets.iter().map(|packet| packet.len()).sum::<usize>() <= body.len());

    // A single packet is written as it is, which no packet that begins like a frame survives.
    let can_be_written = match &packets[..] {
        [packet] => !packet.is_empty() && !packet.starts_with(framing::MARK),
        _ => true,
    };
    if can_be_written {
        let written = framing::encode(packets.iter().copied());
        assert_eq!(split(&written, &limits), (packets.clone(), None));
    }
    if is_framed {
        let few = packets.len() / 2;
        let (first, refused) = split(&body, &limits.packets(few));
        assert_eq!(first, packets[..few]);
        if few < packets.len() {
            assert_eq!(refused, Some(PayloadError::TooManyPackets { limit: few }));
        }
        if error.is_none() {
            assert_eq!(
                split(&body.repeat(2), &limits),
                ([&packets[..], &packets].concat(), None)
            );
        }
    }
}

fn split<'a>(body: &'a str, limits: &PayloadLimits) -> (Vec<&'a str>, Option<PayloadError>) {
    let (mut packets, mut error) = (Vec::new(), None);
    for packet in framing::decode(body, limits) {
        assert_eq!(error, None, "something follows an error");
        match packet {
            Ok(packet) => packets.push(packet),
            Err(found) => error = Some(found),
        }
    }
    (packets, error)
}

/// The body of a handshake.
pub(super) fn handshake(input: &[u8]) {
    let Ok(handshake) = Handshake::parse(&text(input)) else {
        return;
    };
    assert!((1..=Handshake::MAX_SID).contains(&handshake.sid.len()));
    assert!(handshake.transports.len() <= Handshake::MAX_TRANSPORTS);
    let seconds = |timeout: Option<std::time::Duration>| {
        let timeout = timeout.unwrap_or_default();
        assert!(timeout <= Handshake::MAX_TIMEOUT);
        timeout.as_secs()
    };
    let (beat, close) = (
        seconds(handshake.heartbeat_timeout),
        seconds(handshake.close_timeout),
    );
    let transports = handshake.transports.join(",");
    let again = Handshake::parse(&format!("{}:{beat}:{close}:{transports}", handshake.sid));
    let again = again.expect("a handshake");
    assert_eq!(
        (again.sid, again.transports),
        (handshake.sid, handshake.transports)
    );
    assert_eq!(
        (
            seconds(again.heartbeat_timeout),
            seconds(again.close_timeout)
        ),
        (beat, close)
    );
}

/// The body of a jsonp poll, and of a post.
pub(super) fn jsonp(input: &[u8]) {
    let text = text(input);
    let payload = match forms::unwrap(text.clone()) {
        Ok(call) => {
            assert!(call.payload.len() <= text.len());
            call.payload
        }
        Err(_) => text,
    };
    let literal = Value::from(&*payload).to_string();
    let call = forms::unwrap(format!("io.j[7]({literal});").into()).expect("a call");
    assert_eq!((call.index, &call.payload), (Some(7), &payload));

    let form = forms::form(&payload);
    assert!(form.is_ascii() && !form.contains('+'));
    let value = form.strip_prefix("d=").expect("the field");
    let json = percent_decode_str(value).decode_utf8().expect("UTF-8");
    assert_eq!(
        serde_json::from_str::<String>(&json).expect("a string"),
        &*payload
    );
}

/// An htmlfile stream: the same payloads, and the same error, wherever it is cut.
pub(super) fn htmlfile(input: &[u8]) {
    let mut tape = Tape::new(input);
    let limit = 4 * tape.below(256);
    let cuts = tape.byte();
    let stream = tape.rest();
    let whole = Read::of([stream], limit);
    for piece in [1, 1 + usize::from(cuts & 0xf), 1 + usize::from(cuts)] {
        assert_eq!(
            Read::of(stream.chunks(piece), limit),
            whole,
            "in pieces of {piece}"
        );
    }
    let size: usize = whole.payloads.iter().map(|payload| payload.len()).sum();
    // Each byte that is no UTF-8 may have become three.
    assert!(size <= 3 * stream.len());
}

/// What was read of a stream.
#[derive(Debug, PartialEq)]
struct Read {
    payloads: Vec<ByteString>,
    error: Option<HtmlfileError>,
    is_between: bool,
    invalid_utf8: usize,
}

impl Read {
    fn of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Self {
        let mut scripts = Scripts::new(limit);
        let (mut payloads, mut error) = (Vec::new(), None);
        for piece in pieces {
            scripts.push(piece);
            for script in scripts.by_ref() {
                assert_eq!(error, None, "something follows an error");
                match script {
                    Ok(payload) => payloads.push(payload),
                    Err(found) => error = Some(found),
                }
            }
        }
        Self {
            payloads,
            error,
            is_between: scripts.is_between(),
            invalid_utf8: scripts.invalid_utf8(),
        }
    }
}
