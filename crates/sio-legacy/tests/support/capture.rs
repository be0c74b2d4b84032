//! The vector file: what its bytes carry, and what its packets mean.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sio_legacy::jsonp;
use sio_legacy::packet::{AckMode, Packet, PacketType, ack_data, error_data, read_event, write};

use crate::support::{ascii, read_form, scripts};

#[derive(Debug, Deserialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) direction: String,
    raw: String,
    pub(crate) meaning: Meaning,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Meaning {
    pub(crate) kind: Kind,
    pub(crate) framing: Option<String>,
    #[serde(default)]
    pub(crate) packets: Vec<PacketMeaning>,
    pub(crate) index: Option<u64>,
    pub(crate) jsonp_index: Option<u64>,
    #[serde(default)]
    pub(crate) sid: String,
    pub(crate) heartbeat_timeout: Option<u64>,
    pub(crate) close_timeout: Option<u64>,
    #[serde(default)]
    pub(crate) transports: Vec<String>,
    #[serde(default)]
    pub(crate) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Packets,
    Jsonp,
    JsonpPost,
    HtmlfileScript,
    HtmlfilePreamble,
    HtmlfileStream,
    Handshake,
    HandshakeError,
    PostOk,
    Empty,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PacketMeaning {
    #[serde(rename = "type")]
    packet_type: String,
    id: Option<u64>,
    ack: String,
    endpoint: String,
    #[serde(default)]
    query: String,
    #[serde(default, deserialize_with = "present")]
    data: Option<Value>,
    #[serde(default)]
    data_absent: bool,
    name: Option<String>,
    #[serde(default)]
    args: Vec<Value>,
    ack_id: Option<u64>,
    reason_code: Option<u64>,
    reason: Option<String>,
    advice_code: Option<u64>,
}

/// `null` is a value, other than a missing field.
fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(field).map(Some)
}

pub(crate) fn load() -> Vec<Vector> {
    serde_json::from_str(include_str!("../data/vectors-0.9.json")).unwrap()
}

impl Vector {
    pub(crate) fn bytes(&self) -> Bytes {
        STANDARD.decode(&self.raw).unwrap().into()
    }

    pub(crate) fn text(&self) -> ByteString {
        ByteString::try_from(self.bytes()).unwrap()
    }

    /// The payloads that the bytes carry: exactly one, except in a stream.
    pub(crate) fn payloads(&self) -> Vec<ByteString> {
        match self.meaning.kind {
            Kind::Packets => vec![self.text()],
            Kind::Jsonp => {
                let call = jsonp::unwrap(self.text()).unwrap();
                assert_eq!(call.index, self.meaning.index, "{}", self.name);
                vec![call.payload]
            }
            Kind::JsonpPost => vec![read_form(&self.text())],
            Kind::HtmlfileScript | Kind::HtmlfilePreamble => scripts(&self.bytes(), usize::MAX),
            Kind::HtmlfileStream => scripts(&unchunk(&self.bytes()), usize::MAX),
            Kind::Handshake | Kind::HandshakeError | Kind::PostOk | Kind::Empty => Vec::new(),
        }
    }
}

/// Undoes HTTP's chunked coding.
pub(crate) fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let end = body.iter().position(|byte| *byte == b'\r').unwrap();
        let size = std::str::from_utf8(&body[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return content;
        }
        let chunk = &body[end + 2..];
        content.extend_from_slice(&chunk[..size]);
        body = chunk[size..].strip_prefix(b"\r\n").unwrap();
    }
}

impl PacketMeaning {
    pub(crate) fn check(&self, packet: &Packet, name: &str) {
        let packet_type = match packet.packet_type {
            PacketType::Disconnect => "disconnect",
            PacketType::Connect => "connect",
            PacketType::Heartbeat => "heartbeat",
            PacketType::Message => "message",
            PacketType::Json => "json",
            PacketType::Event => "event",
            PacketType::Ack => "ack",
            PacketType::Error => "error",
            PacketType::Noop => "noop",
        };
        assert_eq!(packet_type, self.packet_type, "{name}");
        assert_eq!(packet.id.as_deref(), text(self.id).as_deref(), "{name}");
        let ack = match packet.ack {
            AckMode::None => "none",
            AckMode::Plain => "plain",
            AckMode::Data => "data",
        };
        assert_eq!(ack, self.ack, "{name}");
        assert_eq!(*packet.endpoint, *self.endpoint, "{name}");
        self.check_data(packet, name);
    }

    fn check_data(&self, packet: &Packet, name: &str) {
        let data = packet.data.clone().unwrap_or_default();
        match packet.packet_type {
            PacketType::Connect => assert_eq!(*data, *self.query, "{name}"),
            PacketType::Message => {
                let expected = self.data.as_ref().and_then(Value::as_str);
                assert_eq!(Some(&*data), expected, "{name}");
            }
            PacketType::Json => {
                assert_eq!(packet.data.is_none(), self.data_absent, "{name}");
                let value = packet.data.as_deref().map(json);
                assert_eq!(value, self.data, "{name}");
            }
            PacketType::Event => match read_event(&data) {
                Ok((event, args)) => {
                    assert_eq!(Some(&*event), self.name.as_deref(), "{name}");
                    assert_eq!(json(args.text()), Value::from(self.args.clone()), "{name}");
                    assert_eq!(args.to_values().unwrap().len(), self.args.len(), "{name}");
                }
                Err(error) => {
                    assert_eq!(error, sio_legacy::error::EventError::NoName, "{name}");
                    assert_eq!(self.name, None, "{name}");
                }
            },
            PacketType::Ack => {
                let answer = ack_data(&data).unwrap();
                assert_eq!(Some(&*answer.id), text(self.ack_id).as_deref(), "{name}");
                let args = answer
                    .args
                    .as_deref()
                    .map_or(Value::Array(Vec::new()), json);
                assert_eq!(args, Value::from(self.args.clone()), "{name}");
            }
            PacketType::Error => {
                let error = error_data(&data);
                let code = self.reason_code.and_then(|_| error.reason.parse().ok());
                assert_eq!(code, self.reason_code, "{name}");
                let reason = error.code().map(|code| code.to_string());
                assert_eq!(reason, self.reason, "{name}");
                assert_eq!(error.reconnect(), self.advice_code == Some(0), "{name}");
            }
            PacketType::Disconnect | PacketType::Heartbeat | PacketType::Noop => {
                assert_eq!(&*data, "", "{name}");
            }
        }
    }

    /// The packet as this client would write it. `None` where it never would: plain and data ids are used for other
    /// types, and queries for nothing.
    pub(crate) fn write(&self) -> Option<ByteString> {
        let endpoint = &*self.endpoint;
        let arguments = || {
            let array = ascii(&Value::from(self.args.clone()).to_string());
            array[1..array.len() - 1].to_owned()
        };
        let expected_ack = match self.packet_type.as_str() {
            _ if self.id.is_none() => "none",
            "event" => "data",
            _ => "plain",
        };
        if self.ack != expected_ack || !self.query.is_empty() {
            return None;
        }
        Some(match self.packet_type.as_str() {
            "disconnect" => write::disconnect(endpoint),
            "connect" => write::connect(endpoint),
            "heartbeat" => write::heartbeat(),
            "message" => write::message(self.id, endpoint, self.data.as_ref()?.as_str()?),
            "json" => write::json(self.id, endpoint, &ascii(&self.data.as_ref()?.to_string())),
            "event" => {
                let name = ascii(&Value::from(self.name.as_deref()?).to_string());
                write::event(self.id, endpoint, &name, &arguments())
            }
            "ack" => write::ack(endpoint, &text(self.ack_id)?, &arguments()),
            "noop" => write::noop(self.id),
            other => panic!("a client sends no {other}"),
        })
    }
}

fn text(number: Option<u64>) -> Option<String> {
    number.map(|number| number.to_string())
}

/// Any JSON, half surrogate pairs included.
pub(crate) fn json(text: &str) -> Value {
    let (text, _) = sio_core::payload::replace_lone(text.into());
    serde_json::from_str(&text).unwrap()
}
