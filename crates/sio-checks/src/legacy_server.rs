//! What a 0.9 server says to a session, and what it makes of the client's words.

use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use percent_encoding::percent_decode;
use sio_core::Args;
use sio_core::session::{Input, Request};
use sio_legacy::packet::{Packet, PacketType, ack_data, read_event};
use sio_legacy::payload::{self, PayloadLimits};
use sio_legacy::{Options, Session};

use super::client::number;
use super::network::Server;
use super::tape::Tape;
use super::text;

/// Packets that mean something in some state.
const PACKETS: [&str; 26] = [
    "1::",
    "1::/a",
    "1::/b:?x=y",
    "1::/c",
    "0::",
    "0::/a",
    "2::",
    "3:::text",
    "3:1::question",
    "3:2+:/a:question",
    "4:::{\"a\":[1]}",
    "4:::1,2",
    "5:::{\"name\":\"e\",\"args\":[1]}",
    "5:3+::{\"name\":\"e\"}",
    "5:4+:/a:{\"name\":\"e\",\"args\":[\"x\"]}",
    "5:99999999999999999999+::{\"name\":\"e\"}",
    "6:::1+[2]",
    "6:::1099511627776",
    "6:::1099511627777",
    "6::/a:2",
    "7:::1+0",
    "7:::2",
    "7::/a:2",
    "7::/b:undefined",
    "8::",
    "",
];

const HANDSHAKES: [&str; 6] = [
    "s:60:60:websocket,htmlfile,xhr-polling,jsonp-polling",
    "s:15:25:xhr-polling,jsonp-polling",
    "s:::websocket,htmlfile",
    "a/b:0.001:0.001:websocket,htmlfile,xhr-polling,jsonp-polling",
    "s:99999999999999:1:xhr-polling,htmlfile",
    "Welcome to socket.io.",
];

/// The server's end of a session.
#[derive(Debug, Default)]
pub(super) struct Legacy;

impl Server for Legacy {
    type Session = Session;

    fn options(tape: &mut Tape<'_>) -> Options {
        match tape.below(4) {
            1 => Options::new().poll_timeout(Duration::from_millis(tape.number())),
            _ => Options::new(),
        }
    }

    fn answer(request: &Request, tape: &mut Tape<'_>) -> (Option<&'static str>, Vec<u8>) {
        let (path, _) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        if path == "/socket.io/1/" {
            let choice = tape.below(HANDSHAKES.len() + 1);
            let body = HANDSHAKES.get(choice).map(|body| body.as_bytes());
            return (None, body.unwrap_or_else(|| tape.bytes()).to_vec());
        }
        let is_raw = tape.below(8) == 7;
        let payload = if is_raw {
            text(tape.bytes())
        } else {
            payload(tape)
        };
        let body = if path.contains("/jsonp-polling/") && !is_raw {
            format!("io.j[0]({});", serde_json::Value::from(&*payload)).into()
        } else {
            payload
        };
        (None, body.as_bytes().to_vec())
    }

    fn data(tape: &mut Tape<'_>) -> Vec<u8> {
        match tape.below(8) {
            6 => tape.bytes().to_vec(),
            choice => {
                let payload = payload(tape);
                let literal = serde_json::Value::from(&*payload);
                let mut script = format!("<script>_({literal});</script>").into_bytes();
                if choice == 7 {
                    script.truncate(tape.below(script.len()));
                }
                script
            }
        }
    }

    fn message(tape: &mut Tape<'_>) -> Input {
        match tape.below(8) {
            7 => Input::WebSocketBinary(Bytes::copy_from_slice(tape.bytes())),
            6 => Input::WebSocketText(payload(tape)),
            _ => Input::WebSocketText(packet(tape)),
        }
    }

    fn posted(&mut self, request: &Request) -> Vec<u64> {
        let body = if request.target.contains("/jsonp-polling/") {
            let value = request.body.strip_prefix(b"d=").expect("a form");
            let json = percent_decode(value).decode_utf8().expect("UTF-8");
            serde_json::from_str::<String>(&json)
                .expect("a string")
                .into()
        } else {
            ByteString::try_from(request.body.clone()).expect("UTF-8")
        };
        payload::decode(&body, &PayloadLimits::default())
            .filter_map(|packet| read(packet.expect("a body that can be read")))
            .collect()
    }

    fn text(&mut self, text: &ByteString) -> Vec<u64> {
        read(text).into_iter().collect()
    }

    fn binary(&mut self, _: &Bytes) -> Vec<u64> {
        panic!("0.9 has no binary messages");
    }

    /// Never, as `read` makes sure.
    fn asks_for_root(&self) -> bool {
        false
    }
}

fn values(value: String) -> Args {
    Args::values(format!("[{value}]").into(), Vec::new()).expect("arguments")
}

/// The number of the payload in this packet.
fn read(text: &str) -> Option<u64> {
    let packet = Packet::parse(text.into()).expect("a packet");
    let asks_for_root = packet.packet_type == PacketType::Connect && packet.endpoint.is_empty();
    assert!(!asks_for_root, "the root is asked for");
    let data = packet.data.unwrap_or_default();
    let args = match packet.packet_type {
        PacketType::Event => read_event(&data).expect("an event").1,
        PacketType::Ack => {
            let args = ack_data(&data).expect("an ack").args;
            // Without any it is a receipt, which the session gives by itself.
            Args::values(args?, Vec::new()).expect("arguments")
        }
        // One value, which is an argument like any other.
        PacketType::Message => values(serde_json::Value::from(&*data).to_string()),
        PacketType::Json => values(data.into()),
        _ => return None,
    };
    Some(number(&args))
}

fn packet(tape: &mut Tape<'_>) -> ByteString {
    let choice = tape.below(PACKETS.len() + 3);
    match PACKETS.get(choice) {
        Some(packet) => ByteString::from_static(packet),
        None => text(tape.bytes()),
    }
}

/// A few packets.
fn payload(tape: &mut Tape<'_>) -> ByteString {
    let count = tape.below(5);
    let packets: Vec<_> = (0..count).map(|_| packet(tape)).collect();
    payload::encode(packets.iter().map(|packet| &**packet)).into()
}
