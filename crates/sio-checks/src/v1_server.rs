//! What a 1.x or 2.x server says to a session, and what it makes of the client's words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use bytestring::ByteString;
use sio_core::Args;
use sio_core::session::{Input, Request};
use sio_v1::engine::packet::{EnginePacket, Frame};
use sio_v1::engine::payload::{self, PayloadLimits};
use sio_v1::packet::{Assembled, Assembler, PacketType, ROOT};
use sio_v1::{Options, Session};

use super::client::number;
use super::network::Server;
use super::tape::Tape;
use super::text;

/// Engine packets that mean something in some state.
const PACKETS: [&str; 28] = [
    "40",
    "40/a,",
    "40/b,",
    "40/c",
    "41",
    "41/a,",
    "42[\"e\"]",
    "420[\"e\",1]",
    "42/a,7[\"e\"]",
    "42{}",
    "430[]",
    "43/a,1[2]",
    "43[]",
    "44\"no\"",
    "44/a,\"no\"",
    "44/b,{\"message\":\"no\"}",
    "451-[\"e\",{\"_placeholder\":true,\"num\":0}]",
    "452-/a,3[\"e\",{\"_placeholder\":true,\"num\":1}]",
    "461-0[{\"_placeholder\":true,\"num\":0}]",
    "450-[\"e\"]",
    "49",
    "1",
    "2",
    "3",
    "3probe",
    "5",
    "6",
    "",
];

const OPEN_PACKETS: [&str; 6] = [
    r#"0{"sid":"s","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":60000}"#,
    r#"0{"sid":"s","upgrades":[],"pingInterval":3000,"pingTimeout":1}"#,
    r#"0{"sid":"s","upgrades":["websocket"],"maxPayload":40}"#,
    r#"0{"sid":"s","upgrades":["websocket"],"pingInterval":1,"pingTimeout":1}"#,
    r#"0{"sid":"a/b c","pingInterval":"1e300","pingTimeout":1e300,"maxPayload":1}"#,
    r#"0{"upgrades":["websocket"]}"#,
];

/// The server's end of a session.
#[derive(Debug, Default)]
pub(super) struct V1 {
    assembler: Assembler,
    has_left_root: bool,
    asks_for_root: bool,
}

impl Server for V1 {
    type Session = Session;

    fn options(tape: &mut Tape<'_>) -> Options {
        Options::new()
            .assume_root_connected(tape.below(8) == 1)
            .double_encoded_websocket(tape.below(8) == 1)
    }

    fn answer(request: &Request, tape: &mut Tape<'_>) -> (Option<&'static str>, Vec<u8>) {
        let is_binary = tape.flag();
        let content_type = is_binary.then_some(payload::CONTENT_TYPE);
        let count = tape.below(6);
        if count == 5 {
            return (content_type, tape.bytes().to_vec());
        }
        let is_handshake = !request.target.contains("&sid=");
        let opening = is_handshake.then(|| Frame::Text(open_packet(tape).into()));
        let packets: Vec<_> = opening
            .into_iter()
            .chain((0..count).map(|_| frame(tape)))
            .collect();
        let body = if is_binary {
            payload::encode_frames(&packets).to_vec()
        } else {
            packets.iter().flat_map(entry).collect()
        };
        (content_type, body)
    }

    fn data(tape: &mut Tape<'_>) -> Vec<u8> {
        tape.bytes().to_vec()
    }

    fn message(tape: &mut Tape<'_>) -> Input {
        if tape.below(8) == 7 {
            return Input::WebSocketText(open_packet(tape).into());
        }
        match frame(tape) {
            Frame::Text(text) => Input::WebSocketText(text),
            Frame::Binary(bytes) => Input::WebSocketBinary(bytes),
        }
    }

    fn posted(&mut self, request: &Request) -> Vec<u64> {
        assert_eq!(request.content_type, Some(payload::CONTENT_TYPE));
        let mut packets = payload::decode_binary(request.body.clone(), &PayloadLimits::default());
        let numbers = packets
            .by_ref()
            .filter_map(|packet| self.packet(packet.expect("a body that can be read")))
            .collect();
        assert!(packets.tolerated().is_none());
        numbers
    }

    fn text(&mut self, text: &ByteString) -> Vec<u64> {
        let packet = EnginePacket::decode_text(text.clone());
        self.packet(packet.expect("a packet")).into_iter().collect()
    }

    fn binary(&mut self, bytes: &Bytes) -> Vec<u64> {
        let packet = EnginePacket::decode_binary(bytes.clone());
        self.packet(packet.expect("a packet")).into_iter().collect()
    }

    fn asks_for_root(&self) -> bool {
        self.asks_for_root
    }
}

impl V1 {
    /// The number of the payload that this packet completes.
    fn packet(&mut self, packet: EnginePacket) -> Option<u64> {
        let assembled = match packet {
            EnginePacket::Message(text) => {
                assert!(text.is_ascii(), "the one spelling that all versions read");
                self.assembler.text(text)
            }
            EnginePacket::Binary(bytes) => self.assembler.binary(bytes),
            EnginePacket::Ping(_) | EnginePacket::Upgrade | EnginePacket::Close => return None,
            other => panic!("no client sends {other:?}"),
        };
        let Assembled {
            packet,
            attachments,
        } = assembled.expect("a packet in its place")?;
        let args = match packet.packet_type {
            PacketType::Event | PacketType::BinaryEvent => {
                Args::event(packet.data, attachments).map(|(_, args)| args)
            }
            PacketType::Ack | PacketType::BinaryAck => Args::values(packet.data, attachments),
            PacketType::Connect | PacketType::Disconnect => {
                let is_root = packet.namespace == ROOT;
                let connects = packet.packet_type == PacketType::Connect;
                self.has_left_root |= is_root && !connects;
                self.asks_for_root |= is_root && connects && !self.has_left_root;
                return None;
            }
            PacketType::Error => panic!("no client sends an error"),
        };
        Some(number(&args.expect("arguments")))
    }
}

fn open_packet(tape: &mut Tape<'_>) -> String {
    match OPEN_PACKETS.get(tape.below(OPEN_PACKETS.len() + 1)) {
        Some(packet) => (*packet).to_owned(),
        None => format!("0{}", text(tape.bytes())),
    }
}

fn frame(tape: &mut Tape<'_>) -> Frame {
    let choice = tape.below(PACKETS.len() + 6);
    if let Some(packet) = PACKETS.get(choice) {
        return Frame::Text(ByteString::from_static(packet));
    }
    match choice % 3 {
        0 => Frame::Text(text(tape.bytes())),
        1 => Frame::Binary(Bytes::copy_from_slice(tape.bytes())),
        _ => Frame::Binary(Bytes::from_static(b"\x04bytes")),
    }
}

/// An entry of the text framing.
fn entry(frame: &Frame) -> Vec<u8> {
    let text = match frame {
        Frame::Text(text) => text.clone(),
        Frame::Binary(bytes) => {
            let bytes = bytes.strip_prefix(b"\x04").unwrap_or(bytes);
            format!("b4{}", STANDARD.encode(bytes)).into()
        }
    };
    format!("{}:{text}", text.encode_utf16().count()).into_bytes()
}
