//! WebSocket: frames as servers may send them, frames they must not send, and how the end is told.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use sio_peer::client::{connecting, watched, websocket_only};
use sio_peer::wait::{PATIENCE, assert_says};
use sio_peer::websocket::{frame, switching_for};
use sio_v1::{Client, DisconnectReason, Limits, Transport, Value};
use tungstenite::Message;

use crate::scene::Socketed;
use crate::wire::{Packet, Packets as _, open, plain_open};

/// The error that ends a session that gets these bytes.
#[track_caller]
fn fatal(bytes: &[u8]) -> String {
    let mut scene = Socketed::new();
    scene.socket.raw(bytes);
    let text = scene.told.fatal();
    assert!(!scene.client.is_connected());
    scene.socket.is_closed();
    text
}

/// The first byte of a frame: FIN, and the opcode.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

#[test]
fn fragments_with_control_frames_in_between_are_one_message() {
    let mut scene = Socketed::new();
    let packet = "42[\"split\",\"é😀\"]".as_bytes();
    for (index, byte) in packet.iter().enumerate() {
        // Cut inside characters too: only the whole must be UTF-8.
        let opcode = if index == 0 { 0x01 } else { 0x00 };
        scene.socket.raw(&frame(opcode, &[*byte]));
        scene
            .socket
            .raw(&frame(PING, format!("{index}").as_bytes()));
        scene.socket.raw(&frame(PONG, b"unasked"));
    }
    scene.socket.raw(&frame(0x80, b""));
    assert_eq!(scene.told.text_event(), ("split".into(), "é😀".into()));
    // The last ping at least is answered; pongs of earlier ones may be left out (RFC 6455, 5.5.3).
    let last = (packet.len() - 1).to_string();
    loop {
        match scene.socket.message() {
            Message::Pong(data) if data == last.as_bytes() => break,
            Message::Pong(_) => {}
            other => panic!("expected pongs, and got {other:?}"),
        }
    }
}

#[test]
fn each_ping_that_waits_for_its_pong_gets_it() {
    let mut scene = Socketed::new();
    for payload in [&b""[..], b"x", &[0xff; 125]] {
        scene.socket.raw(&frame(PING, payload));
        match scene.socket.message() {
            Message::Pong(data) => assert_eq!(data, payload),
            other => panic!("expected a pong, and got {other:?}"),
        }
    }
    assert!(scene.client.is_connected());
}

#[test]
fn messages_split_over_any_writes_arrive_whole() {
    let mut scene = Socketed::new();
    let mut bytes = frame(TEXT, b"42[\"a\",\"1\"]");
    bytes.extend(frame(
        TEXT,
        format!("42[\"a\",\"{}\"]", "x".repeat(200)).as_bytes(),
    ));
    for byte in bytes {
        scene.socket.raw(&[byte]);
    }
    assert_eq!(scene.told.text_event().1, "1");
    assert_eq!(scene.told.text_event().1.len(), 200);
}

#[test]
fn text_binary_and_base64_packets_decode() {
    let mut scene = Socketed::new();
    let header = |count| format!("45{count}-[\"b\",{{\"_placeholder\":true,\"num\":0}}]");
    let bytes = Value::from(bytes::Bytes::from_static(b"\x00\x01\xfa"));
    scene.socket.text(&header(1));
    scene.socket.binary(b"\x00\x01\xfa");
    assert_eq!(scene.told.event().1, std::slice::from_ref(&bytes));
    for base64 in ["b4AAH6", "b4AAH6"] {
        scene.socket.text(&header(1));
        scene.socket.text(base64);
        assert_eq!(scene.told.event().1, std::slice::from_ref(&bytes));
    }
    scene.socket.text(&header(1));
    scene.socket.binary(b"");
    assert_eq!(scene.told.event().1, [Value::from(bytes::Bytes::new())]);
    // A noop, which Python servers send here too, and pongs nobody asked for.
    for packet in ["6", "6 with data", "3", "3probe"] {
        scene.socket.text(packet);
    }
    scene.socket.text("42[\"end\"]");
    assert_eq!(scene.told.event().0, "end");
}

#[test]
fn broken_engine_packets_end_the_session() {
    let broken: [(Packet, &str); 7] = [
        (Packet::Text(String::new()), "found the end of the packet"),
        (
            Packet::Text("9".into()),
            "`0` to `6` or `b` at offset 0, found '9'",
        ),
        (Packet::Text("é".into()), "found 'é'"),
        (Packet::Text("b".into()), "found the end of the packet"),
        (
            Packet::Text("b4%".into()),
            "expected base64 data, which is broken at offset 2",
        ),
        (
            Packet::Text("5".into()),
            "expected no upgrade packet from a server",
        ),
        (Packet::Text("2".into()), "only Engine.IO 4 servers do"),
    ];
    for (packet, says) in broken {
        let Packet::Text(packet) = packet else {
            unreachable!()
        };
        assert_says(&fatal(&frame(TEXT, packet.as_bytes())), &[says]);
    }
    for (bytes, says) in [
        (&b""[..], "found the end of the packet"),
        (b"\x07x", "type number 0 to 6"),
        (b"\xff", "found 255"),
    ] {
        assert_says(
            &fatal(&frame(BINARY, bytes)),
            &["a WebSocket message is broken", says],
        );
    }
}

#[test]
fn breaches_of_the_websocket_protocol_end_the_session() {
    let masked = [&[TEXT, 0x82][..], &[1, 2, 3, 4], b"ab"].concat();
    let breaches: [(Vec<u8>, &str); 9] = [
        (masked, "masked"),
        (frame(0xc1, b"6"), "eserved bits"),
        (frame(0x83, b"6"), "opcode: 3"),
        (frame(0x8b, b""), "opcode: 11"),
        (frame(0x80, b"6"), "ontinue frame"),
        ([frame(0x01, b"4"), frame(TEXT, b"6")].concat(), "ragment"),
        (frame(0x09, b"split ping"), "ragmented control frame"),
        (frame(PING, &[0; 126]), "ontrol frame too big"),
        (frame(TEXT, b"42[\"\xff\xfe\"]"), "UTF-8"),
    ];
    for (bytes, says) in breaches {
        let text = fatal(&bytes);
        assert_says(&text, &["the WebSocket to http://127.0.0.1", says]);
    }
    // A close frame of one byte has half a code.
    assert_says(&fatal(&frame(0x88, b"x")), &["the WebSocket to"]);
}

#[test]
fn a_message_over_the_limit_is_an_error_that_names_the_limit() {
    let limits = Limits::default().message_bytes(1000);
    let packet = |length: usize| format!("42[\"x\",\"{}\"]", "y".repeat(length - 10)).into_bytes();
    assert_eq!(packet(1000).len(), 1000);
    let fragments = [
        frame(0x01, &packet(1200)[..600]),
        frame(0x80, &packet(1200)[600..]),
    ]
    .concat();
    let announced = [&[TEXT, 127][..], &u64::MAX.to_be_bytes()].concat();
    for bytes in [frame(TEXT, &packet(1001)), fragments, announced] {
        let mut scene = Socketed::with(&plain_open(), |b| b.limits(limits.clone()));
        scene.socket.raw(&frame(TEXT, &packet(1000)));
        assert_eq!(scene.told.text_event().1.len(), 990);
        scene.socket.raw(&bytes);
        assert_says(
            &scene.told.fatal(),
            &["limit of 1000 bytes", "Limits::message_bytes"],
        );
        scene.socket.is_closed();
    }
}

#[test]
fn sixty_four_mebibytes_in_one_frame_arrive_by_default() {
    let mut scene = Socketed::new();
    let text = "z".repeat((64 << 20) - "42[\"x\",\"\"]".len());
    scene.socket.text(&format!("42[\"x\",\"{text}\"]"));
    assert_eq!(scene.told.text_event().1.len(), text.len());
    scene
        .socket
        .raw(&frame(TEXT, format!("42[\"x\",\"{text}+\"]").as_bytes()));
    assert_says(&scene.told.fatal(), &["limit of 67108864 bytes"]);
}

#[test]
fn code_and_reason_of_the_close_frame_are_the_reason() {
    let cases = [
        (1000, ""),
        (1001, "going away"),
        (1009, "too big"),
        (1011, "größer 😀"),
        (4321, "own"),
    ];
    for (code, reason) in cases {
        let mut scene = Socketed::new();
        scene.socket.close(code, reason);
        match scene.told.reason() {
            DisconnectReason::TransportClose { code: got, text } => {
                assert_eq!((got, &*text), (Some(code), reason));
            }
            other => panic!("{other:?}"),
        }
        // The closing handshake is answered.
        scene.socket.is_closed();
    }
    let mut scene = Socketed::new();
    let _ = scene.socket.socket.close(None);
    assert!(matches!(
        scene.told.reason(),
        DisconnectReason::TransportClose { code: None, .. }
    ));
}

#[test]
fn messages_before_the_close_frame_are_delivered() {
    let mut scene = Socketed::new();
    for n in 0..600 {
        scene.socket.text(&format!("42[\"n\",\"{n}\"]"));
    }
    scene.socket.close(1000, "done");
    for n in 0..600 {
        assert_eq!(scene.told.text_event().1, n.to_string());
    }
    assert!(matches!(
        scene.told.reason(),
        DisconnectReason::TransportClose {
            code: Some(1000),
            ..
        }
    ));
}

#[test]
fn the_end_of_the_stream_without_a_close_frame_is_a_transport_close() {
    let mut scene = Socketed::new();
    scene.socket.cut();
    assert!(matches!(
        scene.told.reason(),
        DisconnectReason::TransportClose { code: None, .. }
    ));
    assert_eq!(scene.client.transport(), None);
    // In the middle of a frame it is no other end.
    let mut scene = Socketed::new();
    scene.socket.raw(&frame(TEXT, b"42[\"cut\"]")[..5]);
    scene.socket.cut();
    assert!(matches!(
        scene.told.reason(),
        DisconnectReason::TransportClose { code: None, .. }
    ));
}

#[test]
fn a_reset_is_an_error_of_the_transport() {
    // A socket without a second handle: closed with something unread, its kernel answers with a reset.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (builder, told) = watched(websocket_only(Client::builder(&url)));
    let connecting = connecting(builder);
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the handshake");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let (_, key) = head
        .split_once("sec-websocket-key: ")
        .or_else(|| head.split_once("Sec-WebSocket-Key: "))
        .unwrap();
    let start = [frame(TEXT, plain_open().as_bytes()), frame(TEXT, b"40")].concat();
    let answer = switching_for(key.lines().next().unwrap());
    stream
        .write_all(&[answer.as_bytes(), &start].concat())
        .unwrap();
    let client = connecting.join().expect("a connection");
    client.emit("never read", ()).unwrap();
    stream.peek(&mut [0]).expect("the emit");
    drop(stream);
    assert_says(
        &told.fatal(),
        &["the WebSocket to http://127.0.0.1", "reset"],
    );
}

#[test]
fn a_close_packet_of_the_engine_ends_the_session() {
    let mut scene = Socketed::new();
    scene.socket.text("1");
    assert!(matches!(
        scene.told.reason(),
        DisconnectReason::TransportClose { code: None, .. }
    ));
    scene.socket.is_closed();
}

#[test]
fn a_server_s_disconnect_is_told_as_such() {
    let mut scene = Socketed::new();
    scene.socket.text("41");
    assert!(matches!(scene.told.reason(), DisconnectReason::Server));
    scene.socket.is_closed();
    assert!(!scene.client.is_connected());
}

#[test]
fn websocket_alone_makes_no_other_request() {
    let mut scene = Socketed::with(&open(&["websocket"], 25_000, 20_000), |builder| builder);
    assert_eq!(scene.client.transport(), Some(Transport::WebSocket));
    scene.peer.hears_nothing(Duration::from_millis(50));
    assert_eq!(scene.peer.connections(), 1);
}

#[test]
fn what_is_sent_is_one_packet_per_message_in_order() {
    let mut scene = Socketed::new();
    scene.client.emit("a", "é").unwrap();
    let bytes = Value::from(bytes::Bytes::from_static(b"\x00\xff"));
    scene.client.emit("b", (bytes, 7)).unwrap();
    scene.client.emit("c", ()).unwrap();
    scene.socket.expect("42[\"a\",\"\\u00e9\"]");
    scene
        .socket
        .expect("451-[\"b\",{\"_placeholder\":true,\"num\":0},7]");
    assert_eq!(scene.socket.packet(), Packet::Binary(b"\x00\xff".to_vec()));
    scene.socket.expect("42[\"c\"]");
}
