//! The vector file, and what only captures need: JSONP wrapping.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use bytestring::ByteString;
use serde::Deserialize;
use serde_json::Value;
use sio_v1::engine::packet::{EnginePacket, undo_double_encoding};
use sio_v1::engine::payload::{self, PayloadLimits, TextRule};
use sio_v1::error::EngineError;
use sio_v1::packet::{Assembled, PacketType};

#[derive(Debug, Deserialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) transport: String,
    pub(crate) direction: String,
    pub(crate) frame: String,
    pub(crate) content_type: Option<String>,
    text_mode: Option<String>,
    pub(crate) stream: Option<String>,
    raw: String,
    pub(crate) meaning: Meaning,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Meaning {
    pub(crate) engine: Option<Vec<EngineMeaning>>,
    pub(crate) sio: Option<Vec<SioMeaning>>,
    pub(crate) http_error: Option<Value>,
    pub(crate) detect: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct EngineMeaning {
    #[serde(rename = "type")]
    packet_type: String,
    data: Option<String>,
    data_b64: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SioMeaning {
    #[serde(rename = "type")]
    packet_type: String,
    nsp: String,
    id: Option<u64>,
    data: Value,
    #[serde(default)]
    attachments_b64: Vec<String>,
}

/// What a vector's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    TextBody(TextRule),
    BinaryBody,
    TextFrame { double: bool },
    BinaryFrame,
    HttpError,
    Detect,
}

pub(crate) fn load() -> Vec<Vector> {
    serde_json::from_str(include_str!("../data/vectors-eio3.json")).unwrap()
}

fn unbase64(text: &str) -> Bytes {
    STANDARD.decode(text).unwrap().into()
}

impl Vector {
    pub(crate) fn bytes(&self) -> Bytes {
        unbase64(&self.raw)
    }

    pub(crate) fn carrier(&self) -> Carrier {
        let double = match self.text_mode.as_deref() {
            Some("double") => true,
            Some("utf16") | None => false,
            Some(other) => panic!("{}: text mode {other}", self.name),
        };
        match self.frame.as_str() {
            _ if self.meaning.detect.is_some() => Carrier::Detect,
            _ if self.meaning.http_error.is_some() => Carrier::HttpError,
            "text" => Carrier::TextFrame { double },
            "binary" => Carrier::BinaryFrame,
            "http-body" if double => Carrier::TextBody(TextRule::Double),
            "http-body" if self.content_type.as_deref() == Some(payload::CONTENT_TYPE) => {
                Carrier::BinaryBody
            }
            "http-body" => Carrier::TextBody(TextRule::Utf16),
            other => panic!("{}: frame {other}", self.name),
        }
    }

    /// Whether the bytes are a polling body of packets.
    pub(crate) fn is_payload(&self) -> bool {
        matches!(self.carrier(), Carrier::TextBody(_) | Carrier::BinaryBody)
    }

    /// The body without the JSONP wrapping.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let bytes = self.bytes().to_vec();
        match (self.transport.as_str(), self.direction.as_str()) {
            ("jsonp", "recv") => jsonp_response(&bytes),
            ("jsonp", "send") => jsonp_post(&bytes),
            _ => bytes,
        }
    }

    pub(crate) fn expected_packets(&self) -> Vec<Result<EnginePacket, EngineError>> {
        let packets = self.meaning.engine.iter().flatten();
        packets.map(|packet| Ok(packet.packet())).collect()
    }
}

impl EngineMeaning {
    fn packet(&self) -> EnginePacket {
        let data = || ByteString::from(self.data.as_deref().unwrap_or_default());
        match (self.packet_type.as_str(), &self.data_b64) {
            ("open", None) => EnginePacket::Open(data()),
            ("close", None) => EnginePacket::Close,
            ("ping", None) => EnginePacket::Ping(data()),
            ("pong", None) => EnginePacket::Pong(data()),
            ("message", None) => EnginePacket::Message(data()),
            ("message", Some(bytes)) => EnginePacket::Binary(unbase64(bytes)),
            ("upgrade", None) => EnginePacket::Upgrade,
            ("noop", None) => EnginePacket::Noop,
            other => panic!("packet {other:?}"),
        }
    }
}

impl SioMeaning {
    pub(crate) fn check(&self, assembled: &Assembled, name: &str) {
        let packet = &assembled.packet;
        let packet_type = match packet.packet_type {
            PacketType::Connect => "CONNECT",
            PacketType::Disconnect => "DISCONNECT",
            PacketType::Event => "EVENT",
            PacketType::Ack => "ACK",
            PacketType::Error => "ERROR",
            PacketType::BinaryEvent => "BINARY_EVENT",
            PacketType::BinaryAck => "BINARY_ACK",
        };
        assert_eq!(packet_type, self.packet_type, "{name}");
        // The vectors keep a query in the name.
        let query = packet.query.iter().map(|query| format!("?{query}"));
        let nsp = format!("{}{}", packet.namespace, query.collect::<String>());
        assert_eq!(nsp, self.nsp, "{name}");
        assert_eq!(packet.id, self.id, "{name}");
        let data = match &*packet.data {
            "" => Value::Null,
            json => serde_json::from_str(json).unwrap(),
        };
        assert_eq!(data, self.data, "{name}");
        let attachments: Vec<_> = self
            .attachments_b64
            .iter()
            .map(|text| unbase64(text))
            .collect();
        assert_eq!(assembled.attachments, attachments, "{name}");
        assert_eq!(packet.attachments, attachments.len(), "{name}");
    }
}

/// The packets of a vector, by the way they were carried.
pub(crate) fn packets_of(vector: &Vector) -> Vec<Result<EnginePacket, EngineError>> {
    let limits = PayloadLimits::default();
    let text = || ByteString::try_from(vector.bytes()).unwrap();
    match vector.carrier() {
        Carrier::TextFrame { double: false } => vec![EnginePacket::decode_text(text())],
        Carrier::TextFrame { double: true } => {
            vec![EnginePacket::decode_text(undo_double_encoding(text()))]
        }
        Carrier::BinaryFrame => vec![EnginePacket::decode_binary(vector.bytes())],
        Carrier::TextBody(TextRule::Double) => {
            payload::decode_text(vector.payload().into(), TextRule::Double, &limits).collect()
        }
        Carrier::TextBody(TextRule::Utf16) | Carrier::BinaryBody => {
            let mut payload = payload::decode(
                vector.content_type.as_deref(),
                vector.payload().into(),
                &limits,
            );
            let packets = payload.by_ref().collect();
            assert!(
                payload.tolerated().is_none(),
                "{}: {payload:?}",
                vector.name
            );
            packets
        }
        Carrier::HttpError | Carrier::Detect => panic!("{}: holds no packets", vector.name),
    }
}

/// `___eio[7]("<JSON string>");` to the text inside.
fn jsonp_response(body: &[u8]) -> Vec<u8> {
    let body = std::str::from_utf8(body).unwrap();
    let (_, call) = body.split_once('(').unwrap();
    let (string, _) = call.rsplit_once(')').unwrap();
    serde_json::from_str::<String>(string).unwrap().into_bytes()
}

/// The form field `d` to the text inside, as the servers undo the clients' escaping of line breaks.
fn jsonp_post(body: &[u8]) -> Vec<u8> {
    let body = std::str::from_utf8(body).unwrap();
    let field = body.strip_prefix("d=").unwrap().replace('+', " ");
    let text = percent_encoding::percent_decode_str(&field)
        .decode_utf8()
        .unwrap();
    // Two backslashes and n stand for one and n; one backslash and n for a line feed.
    let text = text.replace("\\\\n", "\u{1}").replace("\\n", "\n");
    text.replace('\u{1}', "\\n").into_bytes()
}
