//! What the fuzzer begins with: the vectors of both protocols, taken from the crates' own tests, and what it has found
//! before. Such an input stands in `tests/fuzz/found`, in a folder of its target's name, with a name that says what it is.

use std::fs;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytestring::ByteString;
use serde_json::Value;
use sio_legacy::packet::{Packet, PacketType};
use sio_legacy::payload::{self, PayloadLimits};
use sio_v1::packet::PacketLimits;

use super::{FUZZER, TARGETS, text};

const V1: &str = include_str!("../../sio-v1/tests/data/vectors-eio3.json");
const LEGACY: &str = include_str!("../../sio-legacy/tests/data/vectors-0.9.json");

/// Writes the seeds of every target into a folder of its name.
///
/// # Errors
/// When a file cannot be written.
pub fn write(corpus: &Path) -> io::Result<()> {
    for target in TARGETS {
        let folder = corpus.join(target.name);
        fs::create_dir_all(&folder)?;
        for (name, seed) in of(target.name) {
            fs::write(folder.join(name), seed)?;
        }
    }
    Ok(())
}

/// The seeds of the target of this name: a name for each, and the input.
#[must_use]
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let vectors = from_vectors(target).into_iter().enumerate();
    let named = vectors.map(|(index, seed)| (format!("vector-{index:04}"), seed));
    named.chain(found(target)).collect()
}

/// What made this target fail once.
fn found(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(FUZZER).join("found").join(target);
    // Most targets have nothing.
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("a folder that can be read").path());
    paths
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let input = fs::read(&path).expect("an input that can be read");
            (format!("found-{name}"), input)
        })
        .collect()
}

/// Each once.
fn from_vectors(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = match target {
        "v1_engine_packet" => v1(|vector| is_frame(vector).then(|| bytes(vector))),
        "v1_payload_text" => v1(|vector| is_body(vector, false).then(|| bytes(vector))),
        "v1_payload_binary" => v1(|vector| is_body(vector, true).then(|| bytes(vector))),
        "v1_open_packet" => v1_open_packets(),
        "v1_packet" => v1_texts("message").into_iter().map(Vec::from).collect(),
        "v1_attachments" => v1_attachments(),
        "legacy_packet" => legacy_packets()
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect(),
        "legacy_event" => legacy_events(),
        "legacy_payload" => legacy(&["packets"]),
        "legacy_handshake" => legacy(&["handshake", "handshake-error"]),
        "legacy_jsonp" => legacy(&["jsonp", "jsonp-post", "handshake", "handshake-error"]),
        "legacy_htmlfile" => {
            let streams = legacy(&["htmlfile-script", "htmlfile-preamble", "htmlfile-stream"]);
            // The bound on a script, and how the stream is cut.
            streams
                .iter()
                .map(|stream| [&[255, 7], &stream[..]].concat())
                .collect()
        }
        "arguments" => arguments(),
        // Decisions, for which no vector stands.
        "values" | "v1_session" | "legacy_session" | "v1_manager" | "legacy_manager" => tapes(),
        "wire_log" => logs(),
        _ => Vec::new(),
    };
    seeds.sort_unstable();
    seeds.dedup();
    seeds
}

/// Those of real servers.
fn logs() -> Vec<Vec<u8>> {
    macro_rules! logs {
        ($($file:literal)*) => {
            vec![$(include_bytes!(concat!("../../", $file)).to_vec()),*]
        };
    }
    logs![
        "sio-legacy/tests/data/logs/0.9.0-polling.jsonl"
        "sio-legacy/tests/data/logs/0.9.19-htmlfile.jsonl"
        "sio-legacy/tests/data/logs/0.9.19-websocket.jsonl"
        "sio-v1/tests/data/logs/1.0.6-websocket.jsonl"
        "sio-v1/tests/data/logs/1.4.5-polling.jsonl"
        "sio-v1/tests/data/logs/2.5.1-upgrade.jsonl"
        "sio-v1/tests/data/logs/4.8.4-upgrade.jsonl"
    ]
}

fn list(json: &str) -> Vec<Value> {
    serde_json::from_str(json).expect("a file of vectors")
}

fn bytes(vector: &Value) -> Vec<u8> {
    let raw = vector["raw"].as_str().expect("bytes in base64");
    STANDARD.decode(raw).expect("bytes in base64")
}

// --- 1.x and 2.x --------------------------------------------------------------------------------------------------

fn v1(seed: impl Fn(&Value) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
    list(V1).iter().filter_map(seed).collect()
}

fn is_frame(vector: &Value) -> bool {
    vector["frame"] != "http-body"
}

fn is_body(vector: &Value, is_binary: bool) -> bool {
    let has_binary_type = vector["content_type"] == sio_v1::engine::payload::CONTENT_TYPE;
    !is_frame(vector) && vector["transport"] != "jsonp" && has_binary_type == is_binary
}

/// The engine packets of a vector: type, and text or bytes in base64.
fn engine_packets(vector: &Value) -> impl Iterator<Item = (&str, Option<&str>, Option<&str>)> {
    let packets = vector["meaning"]["engine"].as_array().into_iter().flatten();
    packets.filter_map(|packet| {
        let data = packet["data"].as_str();
        Some((packet["type"].as_str()?, data, packet["data_b64"].as_str()))
    })
}

fn v1_texts(wanted: &str) -> Vec<String> {
    let vectors = list(V1);
    let packets = vectors.iter().flat_map(engine_packets);
    packets
        .filter(|(packet_type, ..)| *packet_type == wanted)
        .filter_map(|(_, data, _)| data.map(str::to_owned))
        .collect()
}

fn v1_open_packets() -> Vec<Vec<u8>> {
    let refusals = v1(|vector| (!vector["meaning"]["http_error"].is_null()).then(|| bytes(vector)));
    let opens = v1_texts("open").into_iter().map(Vec::from);
    opens.chain(refusals).collect()
}

/// What an assembler is given: one message behind the other, as far as each vector goes.
fn v1_attachments() -> Vec<Vec<u8>> {
    v1(|vector| {
        let mut seed = vec![7, 255];
        for (_, text, attachment) in engine_packets(vector) {
            let (op, data) = match (text, attachment) {
                (Some(text), _) => (2, text.as_bytes().to_vec()),
                (_, Some(base64)) => (1, STANDARD.decode(base64).expect("an attachment")),
                _ => continue,
            };
            seed.push(op);
            seed.extend(counted(&data));
        }
        Some(seed)
    })
}

/// As a tape is read.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let mut counted = length.to_be_bytes().to_vec();
    counted.extend(&bytes[..usize::from(length)]);
    counted
}

// --- 0.9 ----------------------------------------------------------------------------------------------------------

fn legacy(kinds: &[&str]) -> Vec<Vec<u8>> {
    let vectors = list(LEGACY);
    let wanted = vectors.iter().filter(|vector| {
        let kind = vector["meaning"]["kind"].as_str();
        kind.is_some_and(|kind| kinds.contains(&kind))
    });
    wanted.map(bytes).collect()
}

fn legacy_packets() -> Vec<ByteString> {
    let limits = PayloadLimits::default();
    let bodies = legacy(&["packets"]).into_iter();
    let packets = bodies.flat_map(|body| {
        let body = text(&body);
        let packets = payload::decode(&body, &limits).filter_map(Result::ok);
        packets.map(ByteString::from).collect::<Vec<_>>()
    });
    packets.collect()
}

fn legacy_events() -> Vec<Vec<u8>> {
    let packets = legacy_packets()
        .into_iter()
        .filter_map(|text| Packet::parse(text).ok());
    packets
        .filter(|packet| packet.packet_type == PacketType::Event)
        .filter_map(|packet| packet.data.map(|data| data.as_bytes().to_vec()))
        .collect()
}

// --- payloads -----------------------------------------------------------------------------------------------------

/// The JSON of every packet, and how many attachments it is given.
fn arguments() -> Vec<Vec<u8>> {
    let limits = PacketLimits::default();
    let texts = v1_texts("message").into_iter();
    let packets = texts.filter_map(|text| sio_v1::packet::parse(text.into(), &limits).ok());
    packets
        .map(|packet| {
            let count = packet.attachments.min(3) as u8;
            [&[count][..], packet.data.as_bytes()].concat()
        })
        .collect()
}

// --- tapes --------------------------------------------------------------------------------------------------------

/// Decisions of all kinds, the same each time.
fn tapes() -> Vec<Vec<u8>> {
    const COUNT: u64 = 200;
    const LENGTH: usize = 300;
    let tape = |seed: u64| {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let next = || {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        std::iter::repeat_with(next).take(LENGTH).collect()
    };
    (1..=COUNT).map(tape).collect()
}
