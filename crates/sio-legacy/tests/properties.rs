//! What holds for every value and for every input: round trips, no panic, bounded memory.

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use bytestring::ByteString;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use sio_legacy::handshake::Handshake;
use sio_legacy::htmlfile::Scripts;
use sio_legacy::jsonp;
use sio_legacy::packet::{AckMode, Packet, PacketType, ack_data, error_data, read_event, write};
use sio_legacy::payload::{self, PayloadLimits};
use support::{ascii, read_form, scripts};

/// Text with everything that the grammars stumble over: colons, the mark of frames, NUL, quotes, CJK, astral.
fn text() -> impl Strategy<Value = String> {
    let characters = prop_oneof![
        4 => proptest::char::range(' ', '~'),
        2 => proptest::sample::select(vec![
            '\0', '\u{1}', '\n', ':', '0', '9', '+', '"', '\\', '/', '(', ')', ';', '\u{80}', '\u{ff}', '\u{2028}',
            '한', '\u{fffd}', '\u{fffd}', '\u{ffff}', '\u{1f600}', '\u{10ffff}',
        ]),
        1 => any::<char>(),
    ];
    vec(characters, 0..40).prop_map(String::from_iter)
}

fn packet_type() -> impl Strategy<Value = PacketType> {
    proptest::char::range('0', '8').prop_map(|digit| PacketType::from_digit(digit).unwrap())
}

fn endpoint() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        text().prop_map(|name| format!("/{}", name.replace(':', "-"))),
    ]
}

fn packet() -> impl Strategy<Value = Packet> {
    let id = proptest::option::of(("[0-9]{1,25}", any::<bool>()));
    let data = proptest::option::of(text());
    (packet_type(), id, endpoint(), data).prop_map(|(packet_type, id, endpoint, data)| {
        let (id, ack) = match id {
            None => (None, AckMode::None),
            Some((id, false)) => (Some(id.into()), AckMode::Plain),
            Some((id, true)) => (Some(id.into()), AckMode::Data),
        };
        Packet {
            packet_type,
            id,
            ack,
            endpoint: endpoint.into(),
            data: data.map(ByteString::from),
        }
    })
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(vec![1e21, -1.5e300, 1e-7]).prop_map(Value::from),
        text().prop_map(Value::from),
        Just(Value::from("],\"args\":[")),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(text(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// The same JSON with other whitespace.
fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

fn arguments_json(args: &[Value]) -> String {
    let array = Value::from(args).to_string();
    array[1..array.len() - 1].to_owned()
}

fn split(payload: &str) -> Vec<ByteString> {
    payload::decode(payload, &PayloadLimits::default())
        .map(|packet| packet.unwrap().into())
        .collect()
}

proptest! {
    #[test]
    fn packets_round_trip(packet in packet()) {
        let text = write::packet(&packet);
        prop_assert_eq!(Packet::parse(text), Ok(packet));
    }

    #[test]
    fn what_clients_write_reads_as_it_was_meant(
        id: Option<u64>,
        endpoint in endpoint(),
        name in text(),
        args in vec(json(), 0..4),
    ) {
        let written = |packet_type, ack, data| Packet {
            packet_type,
            id: id.map(|id| id.to_string().into()),
            ack: if id.is_some() { ack } else { AckMode::None },
            endpoint: endpoint.as_str().into(),
            data,
        };
        let text = write::message(id, &endpoint, &name);
        let data = Some(ByteString::from(name.as_str())).filter(|data| !data.is_empty());
        let expected = written(PacketType::Message, AckMode::Plain, data);
        prop_assert_eq!(Packet::parse(text), Ok(expected));

        let value = Value::from(args.clone()).to_string();
        let text = write::json(id, &endpoint, &value);
        let expected = written(PacketType::Json, AckMode::Plain, Some(value.into()));
        prop_assert_eq!(Packet::parse(text), Ok(expected));

        let name_json = Value::from(name.as_str()).to_string();
        let text = write::event(id, &endpoint, &name_json, &arguments_json(&args));
        let packet = Packet::parse(text).unwrap();
        let expected = written(PacketType::Event, AckMode::Data, packet.data.clone());
        prop_assert_eq!(&packet, &expected);
        let (read_name, read_args) = read_event(&packet.data.unwrap()).unwrap();
        prop_assert_eq!(&*read_name, &*name);
        prop_assert_eq!(serde_json::from_str::<Vec<Value>>(read_args.text()).unwrap(), args);
    }

    #[test]
    fn answers_hold_no_plus_sign_and_mean_the_same(
        endpoint in endpoint(),
        id in "[0-9]{1,25}",
        args in vec(json(), 0..4),
    ) {
        let text = write::ack(&endpoint, &id, &arguments_json(&args));
        let packet = Packet::parse(text).unwrap();
        prop_assert_eq!(packet.packet_type, PacketType::Ack);
        prop_assert_eq!((&*packet.endpoint, packet.id), (&*endpoint, None));
        let answer = ack_data(&packet.data.unwrap()).unwrap();
        prop_assert_eq!(&*answer.id, &*id);
        prop_assert_eq!(answer.args.is_none(), args.is_empty());
        let json = answer.args.unwrap_or_else(|| "[]".into());
        prop_assert!(!json.contains('+'));
        prop_assert_eq!(serde_json::from_str::<Vec<Value>>(&json).unwrap(), args);
    }

    #[test]
    fn an_event_is_the_same_in_any_order_and_spacing(
        name in text(),
        args in vec(json(), 0..4),
        extra in json(),
    ) {
        let (name_json, args_json) = (Value::from(name.as_str()), Value::from(args.clone()));
        let ordered = BTreeMap::from([("name", &name_json), ("args", &args_json), ("extra", &extra)]);
        let (ascii_name, ascii_args) = (ascii(&name_json.to_string()), ascii(&args_json.to_string()));
        for data in [
            format!("{{\"name\":{name_json},\"args\":{args_json}}}"),
            format!("{{\"name\":{ascii_name},\"args\":{ascii_args}}}"),
            format!("{{\"name\":{name_json},\"args\":{args_json},\"extra\":{extra}}}"),
            format!("{{\"name\":{name_json},\"args\":{args_json} ,\t\"extra\":{extra}}}"),
            format!("{{\"name\":{name_json},\"args\":{args_json},\"extra\":[{extra}]}}"),
            format!("{{\"name\":{name_json},\"args\":[{extra}],\"args\":{args_json}}}"),
            format!("{{\"extra\":{extra},\"args\":{},\"name\":{name_json}}}", pretty(&args_json)),
            pretty(&ordered),
        ] {
            let (read_name, read_args) = read_event(&data.as_str().into()).unwrap();
            prop_assert_eq!(&*read_name, &*name, "{}", data);
            let read_args: Vec<Value> = serde_json::from_str(read_args.text()).unwrap();
            prop_assert_eq!(&read_args, &args, "{}", data);
        }
    }

    #[test]
    fn payloads_round_trip(packets in vec(packet(), 1..12)) {
        let packets: Vec<_> = packets.iter().map(write::packet).collect();
        let body = payload::encode(packets.iter().map(|text| &**text));
        prop_assert_eq!(split(&body), packets);
    }

    #[test]
    fn frames_hold_any_text(mut texts in vec(text(), 2..12)) {
        texts[0].insert(0, '\u{fffd}');
        let body = payload::encode(texts.iter().map(|text| &**text));
        prop_assert_eq!(split(&body), texts.clone());
        for text in &texts {
            prop_assert_eq!(payload::frame_length(text), text.encode_utf16().count());
        }
    }

    #[test]
    fn a_payload_cut_anywhere_gives_no_wrong_packet(
        packets in vec(packet(), 2..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let packets: Vec<_> = packets.iter().map(write::packet).collect();
        let body = payload::encode(packets.iter().map(|text| &**text));
        let mut end = cut.index(body.len());
        while !body.is_char_boundary(end) {
            end -= 1;
        }
        let cut = payload::decode(&body[..end], &PayloadLimits::default());
        let decoded: Vec<_> = cut.map_while(Result::ok).collect();
        let packets: Vec<_> = packets.iter().map(|text| &**text).collect();
        prop_assert_eq!(&decoded[..], &packets[..decoded.len()]);
    }

    #[test]
    fn forms_and_calls_are_undone(payload in text(), index: u64) {
        let form = jsonp::form(&payload);
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        prop_assert!(form.strip_prefix("d=").unwrap().bytes().all(is_safe));
        prop_assert_eq!(form.capacity(), form.len());
        prop_assert_eq!(&*read_form(&form), &*payload);
        let literal = Value::from(payload.as_str()).to_string();
        for literal in [ascii(&literal), literal.replace('/', "\\/"), literal] {
            let call = jsonp::unwrap(format!("io.j[{index}]({literal});").into()).unwrap();
            prop_assert_eq!(call.index, Some(index));
            prop_assert_eq!(&*call.payload, &*payload);
        }
    }

    #[test]
    fn htmlfile_chunks_mean_nothing(
        payloads in vec((text(), any::<bool>(), " {0,3}|<script>|</scrip"), 0..6),
        piece in 1..100_usize,
    ) {
        let mut stream = String::new();
        for (payload, escaped, between) in &payloads {
            let literal = Value::from(payload.as_str()).to_string();
            let literal = if *escaped { literal.replace('/', "\\/") } else { literal };
            stream.push_str(&format!("{between}<script>_({literal});</script>"));
        }
        let expected: Vec<_> = payloads.iter().map(|(payload, ..)| payload.as_str()).collect();
        prop_assert_eq!(scripts(stream.as_bytes(), piece), expected);
    }

    #[test]
    fn handshakes_round_trip(
        sid in "[!-9;-~]{1,30}",
        heartbeat in 0..2_000_000_u64,
        close in 0..2_000_000_u64,
        transports in vec("[a-z-]{1,10}", 0..5),
    ) {
        prop_assume!(sid != "." && sid != "..");
        let body = format!("{sid}:{heartbeat}:{close}:{}\n", transports.join(","));
        let handshake = Handshake::parse(&body).unwrap();
        prop_assert_eq!(&*handshake.sid, &*sid);
        let seconds = |timeout: Option<std::time::Duration>| timeout.unwrap_or_default().as_secs();
        prop_assert_eq!(seconds(handshake.heartbeat_timeout), heartbeat);
        prop_assert_eq!(seconds(handshake.close_timeout), close);
        prop_assert_eq!(handshake.transports, transports);
    }
}

/// Input that comes close to a grammar: its own words in any order.
fn almost(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(proptest::sample::select(words), 0..30).prop_map(|words| words.concat())
}

const EVENT_WORDS: &[&str] = &[
    "],\"x\":[",
    "] , \"args\":[",
    "],\"args\":null,\"x\":[",
    ",\"args\":\"e\"",
    "{\"name\":\"e\"",
    "\"name\":",
    "\"name\"",
    ",\"args\":[",
    "\"args\":",
    "\"x\":",
    "\"e\"",
    "{",
    "}",
    "]}",
    "],\"",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\"",
    "\\",
    "\\ud83d",
    "\\\"",
    "1",
    "null",
    "true",
];

/// Half of it begins like the form that servers write.
fn almost_event() -> impl Strategy<Value = String> {
    let words =
        || vec(proptest::sample::select(EVENT_WORDS), 0..7).prop_map(|words| words.concat());
    prop_oneof![
        1 => almost(EVENT_WORDS),
        1 => words().prop_map(|words| format!("{{{words}}}")),
        1 => words().prop_map(|words| format!("{{\"name\":\"e\"{words}}}")),
        3 => words().prop_map(|words| format!("{{\"name\":\"e\",\"args\":[1{words}]}}")),
    ]
}

const PACKET_WORDS: &[&str] = &[
    "0", "1", "5", "6", "8", "9", "12", "+", ":", "::", ":::", "/chat", "[]", "{}", "한",
];

const PAYLOAD_WORDS: &[&str] = &[
    "\u{fffd}",
    "\u{fffd}",
    "\u{fffd}3\u{fffd}",
    "0",
    "3",
    "5",
    "8::",
    "3:::",
    "한",
    "😀",
];

const HTMLFILE_WORDS: &[&str] = &[
    "<script>_(",
    "<script>",
    "_(",
    "\"",
    "\\",
    "\\\"",
    ");</script>",
    ");",
    "</script>",
    "a",
    "한",
    "\n",
    "\\ud83d",
];

const JSONP_WORDS: &[&str] = &[
    "io.j[", "0", "]", "(", ")", ";", "\"", "'", "\\", "\\u", "new", "Error", " ", "\"8::\"", "한",
];

const HANDSHAKE_WORDS: &[&str] = &[
    "a",
    ":",
    ":",
    ":60",
    "0",
    ".",
    "9999999999",
    ",",
    "websocket",
    " ",
    "\n",
    "한",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Nobody who decodes the arguments, too, is told anything else than by a reader of the whole object.
    #[test]
    fn events_are_read_as_json_is(data in almost_event()) {
        let (repaired, _) = sio_core::payload::replace_lone(data.as_str().into());
        let object: Option<serde_json::Map<String, Value>> = serde_json::from_str(&repaired).ok();
        let expected = object.and_then(|mut object| {
            let name = match object.remove("name")? {
                Value::String(name) => name,
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            let args = match object.remove("args").unwrap_or_default() {
                Value::Array(args) => args,
                Value::Null => Vec::new(),
                single => vec![single],
            };
            Some((name, args))
        });
        let read = read_event(&data.as_str().into()).ok().and_then(|(name, args)| {
            let args = serde_json::from_str(args.text()).ok()?;
            Some((name.to_string(), args))
        });
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn any_text_is_read_within_bounds(
        text in prop_oneof![
            any::<String>(),
            almost(EVENT_WORDS),
            almost(PACKET_WORDS),
            almost(PAYLOAD_WORDS),
            almost(JSONP_WORDS),
            almost(HANDSHAKE_WORDS),
        ],
    ) {
        let text = ByteString::from(text);
        if let Ok(packet) = Packet::parse(text.clone()) {
            let size = packet.endpoint.len() + packet.data.map_or(0, |data| data.len());
            prop_assert!(size + packet.id.map_or(0, |id| id.len()) <= text.len() - 3 + 1);
        }
        if let Ok(answer) = ack_data(&text) {
            prop_assert!(answer.id.len() + answer.args.map_or(0, |args| args.len()) <= text.len());
        }
        let error = error_data(&text);
        prop_assert!(error.reason.len() + error.advice.len() <= text.len());
        if let Ok((name, args)) = read_event(&text) {
            prop_assert!(name.len() + args.text().len() <= text.len() + 2);
        }
        if let Ok(call) = jsonp::unwrap(text.clone()) {
            prop_assert!(call.payload.len() <= text.len());
        }
        if let Ok(handshake) = Handshake::parse(&text) {
            let transports: usize = handshake.transports.iter().map(|name| name.len()).sum();
            prop_assert!(handshake.sid.len() + transports <= text.len());
        }
        let packets: Vec<_> = payload::decode(&text, &PayloadLimits::default())
            .map_while(Result::ok)
            .collect();
        prop_assert!(packets.iter().map(|packet| packet.len()).sum::<usize>() <= text.len());
        // The smallest frame takes seven bytes.
        prop_assert!(packets.len() <= 1 + text.len() / 7);
    }

    #[test]
    fn any_bytes_are_read_within_bounds(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..200),
            almost(HTMLFILE_WORDS).prop_map(String::into_bytes),
        ],
        piece in 1..20_usize,
        limit in 0..30_usize,
    ) {
        let (text, lossy) = payload::from_utf8(Bytes::from(bytes.clone()));
        prop_assert!(lossy || *text.as_bytes() == *bytes);
        prop_assert!(text.len() <= 3 * bytes.len());
        let mut in_pieces = Scripts::new(limit);
        let mut read = Vec::new();
        for piece in bytes.chunks(piece) {
            in_pieces.push(piece);
            read.extend(in_pieces.by_ref());
        }
        let mut at_once = Scripts::new(limit);
        at_once.push(&bytes);
        prop_assert_eq!(&read, &at_once.by_ref().collect::<Vec<_>>());
        prop_assert_eq!(in_pieces.is_between(), at_once.is_between());
        let size: usize = read.iter().flatten().map(|payload| payload.len()).sum();
        prop_assert!(size <= 3 * bytes.len());
    }
}
