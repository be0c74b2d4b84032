//! The parser of socketioxide with the packets and payloads of engineioxide: from the text of a frame to a typed value and back.
//!
//! Both are public in crates of their own, socketioxide-parser-common and engineioxide-core. Payloads are framing and Engine.IO
//! packets only, in the form with lengths: 100 of the same event.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use engineioxide_core::payload::{decoder, encoder};
use engineioxide_core::{Packet as EnginePacket, PacketBuf, ProtocolVersion, Str};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use socketioxide_core::packet::{Packet, PacketData};
use socketioxide_core::parser::{Parse as _, ParseConfig, ParserState};
use socketioxide_parser_common::CommonParser;

use crate::measure::warm_up;
use crate::{Failure, Outcome};

const FRAME: &str = r#"42["message",{"id":7,"user":"ann","text":"hello there"}]"#;
const IN_PAYLOAD: usize = 100;
const MOST: u64 = 1 << 20;
const VERSION: ProtocolVersion = ProtocolVersion::V3;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Message {
    id: u64,
    user: String,
    text: String,
}

impl Message {
    fn sample() -> Self {
        Self {
            id: 7,
            user: "ann".to_owned(),
            text: "hello there".to_owned(),
        }
    }
}

/// Nanoseconds of each step; a payload has a hundredth of the rounds of an event.
pub(crate) fn run(count: usize) -> Outcome {
    let frame = Str::copy_from_slice(FRAME);
    let message = Message::sample();
    let payload = encode_payload(&frame)?;
    check(&frame, &message, &payload)?;

    let payloads = count.div_ceil(IN_PAYLOAD);
    let rows = [
        ("decode_event", time(count, || decode_event(&frame))?),
        ("encode_event", time(count, || encode_event(&message))?),
        (
            "decode_payload",
            time(payloads, || decode_payload(&payload))?,
        ),
        ("encode_payload", time(payloads, || encode_payload(&frame))?),
    ];
    let rows: Map<_, _> = rows
        .into_iter()
        .map(|(name, nanoseconds)| (name.to_owned(), Value::from(nanoseconds)))
        .collect();
    Ok(Map::from_iter([("rows".to_owned(), Value::Object(rows))]))
}

fn time<T>(rounds: usize, step: impl Fn() -> Result<T, Failure>) -> Result<f64, Failure> {
    for _ in 0..warm_up(rounds) {
        black_box(step()?);
    }
    let started = Instant::now();
    for _ in 0..rounds {
        black_box(step()?);
    }
    Ok(started.elapsed().as_nanos() as f64 / rounds as f64)
}

fn check(frame: &Str, message: &Message, payload: &Bytes) -> Result<(), Failure> {
    let same = decode_event(frame)? == *message
        && encode_event(message)? == FRAME
        && decode_payload(payload)?.len() == IN_PAYLOAD;
    if same {
        Ok(())
    } else {
        Err("the codec gives something else back".into())
    }
}

fn decode_event(frame: &Str) -> Result<Message, Failure> {
    let EnginePacket::Message(text) = EnginePacket::parse(VERSION, frame.clone())? else {
        return Err("no message".into());
    };
    // The state is one connection's, and empty between two events.
    let packet = CommonParser.decode_str(&ParseConfig::default(), &ParserState::default(), text)?;
    let PacketData::Event(mut value, _) = packet.inner else {
        return Err("no event".into());
    };
    if CommonParser.read_event(&value)? != "message" {
        return Err("another event".into());
    }
    Ok(CommonParser.decode_value(&mut value, true)?)
}

fn encode_event(message: &Message) -> Result<String, Failure> {
    let value = CommonParser.encode_value(message, Some("message"))?;
    let packet = CommonParser.encode(Packet::event("/", value));
    let text = packet.as_str().ok_or("no text")?;
    Ok(EnginePacket::Message(text.clone()).into())
}

/// The whole body is there, so that nothing is waited for.
fn decode_payload(payload: &Bytes) -> Result<Vec<EnginePacket>, Failure> {
    let body = Full::new(payload.clone());
    let packets = decoder(body, None, VERSION, MOST).collect::<Vec<_>>();
    let packets = packets.now_or_never().ok_or("not there yet")?;
    Ok(packets.into_iter().collect::<Result<_, _>>()?)
}

fn encode_payload(frame: &Str) -> Result<Bytes, Failure> {
    let message = EnginePacket::Message(frame.slice(1..));
    let packets = stream::repeat_with(|| PacketBuf::from_iter([message.clone()])).take(IN_PAYLOAD);
    let payload = encoder(packets, VERSION, false, MOST);
    Ok(payload.now_or_never().ok_or("not there yet")?.data)
}
