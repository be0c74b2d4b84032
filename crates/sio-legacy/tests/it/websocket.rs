//! WebSocket: frames as 0.9 servers write them, in any pieces, and frames they must not write.

use std::time::Duration;

use sio_legacy::{DisconnectReason, Limits};
use sio_peer::wait::assert_says;
use sio_peer::websocket::frame;

use crate::scene::{Socketed, usual};
use crate::wire::{MARK, framed};

/// The first byte of a frame: FIN, and the opcode.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

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

/// The frame of a payload of 65,536 bytes as 0.9 servers write it: with the length 0.
fn odd_frame(payload: &str) -> Vec<u8> {
    assert_eq!(payload.len(), 65_536);
    [b"\x81\x7e\x00\x00", payload.as_bytes()].concat()
}

fn message_of(size: usize) -> String {
    format!("3:::{}", "x".repeat(size - 4))
}

#[test]
fn a_frame_of_65_536_bytes_with_the_length_0_is_read() {
    let mut scene = Socketed::new();
    for round in 0..3 {
        scene.socket.raw(&odd_frame(&message_of(65_536)));
        assert_eq!(scene.told.text_event().1.len(), 65_532);
        scene.socket.text(&format!("3:::{round}"));
        assert_eq!(scene.told.text_event().1, round.to_string());
    }
    for size in [65_535, 65_537] {
        scene.socket.text(&message_of(size));
        assert_eq!(scene.told.text_event().1.len(), size - 4);
    }
}

#[test]
fn that_frame_may_be_cut_at_every_byte_of_its_header_and_stand_among_others() {
    let odd = odd_frame(&message_of(65_536));
    let bytes = [
        &frame(TEXT, b"3:::before")[..],
        &odd,
        &odd,
        &frame(TEXT, b"3:::behind"),
    ]
    .concat();
    let before = frame(TEXT, b"3:::before").len();
    for cut in 0..=6 {
        let mut scene = Socketed::new();
        let (first, rest) = bytes.split_at(before + cut);
        let (second, third) = rest.split_at(odd.len());
        scene.socket.raw(first);
        assert_eq!(scene.told.text_event().1, "before");
        scene.socket.raw(second);
        assert_eq!(scene.told.text_event().1.len(), 65_532);
        scene.socket.raw(third);
        assert_eq!(scene.told.text_event().1.len(), 65_532);
        assert_eq!(scene.told.text_event().1, "behind");
    }
}

#[test]
fn frames_that_come_byte_by_byte_arrive_whole() {
    let mut scene = Socketed::new();
    let mut bytes = frame(TEXT, "3:::é😀".as_bytes());
    bytes.extend(frame(0x89, b"ping"));
    bytes.extend(frame(TEXT, message_of(300).as_bytes()));
    for byte in bytes {
        scene.socket.raw(&[byte]);
    }
    assert_eq!(scene.told.text_event().1, "é😀");
    assert_eq!(scene.told.text_event().1.len(), 296);
}

#[test]
fn fragments_with_control_frames_in_between_are_one_message() {
    let mut scene = Socketed::new();
    let packet = "3:::é한😀".as_bytes();
    for (index, byte) in packet.iter().enumerate() {
        let opcode = if index == 0 { 0x01 } else { 0x00 };
        scene.socket.raw(&frame(opcode, &[*byte]));
        scene.socket.raw(&frame(0x89, b"ping"));
    }
    scene.socket.raw(&frame(0x80, b""));
    assert_eq!(scene.told.text_event().1, "é한😀");
}

#[test]
fn a_message_that_holds_framed_packets_is_taken_apart() {
    let mut scene = Socketed::new();
    scene.socket.text(&framed(&[
        "3:::한😀",
        "8::",
        "3:::\u{fffd}",
        "5:::{\"name\":\"last\"}",
    ]));
    assert_eq!(scene.told.text_event().1, "한😀");
    assert_eq!(scene.told.text_event().1, "\u{fffd}");
    assert_eq!(scene.told.event().0, "last");
    assert!(scene.client.counters().tolerated > 0);
    scene.socket.text(&format!("{MARK}9{MARK}8::"));
    assert_says(
        &scene.told.fatal(),
        &[
            "a WebSocket message is broken",
            "expected a packet of length 9",
        ],
    );
    scene.socket.is_closed();
}

#[test]
fn binary_messages_and_empty_ones_are_let_pass_and_counted() {
    let mut scene = Socketed::new();
    scene.socket.raw(&frame(BINARY, b"\x04\x00\xff"));
    scene.socket.raw(&frame(BINARY, b"3:::x"));
    scene.socket.raw(&frame(TEXT, b""));
    scene.socket.text("3:::fence");
    assert_eq!(scene.told.text_event().1, "fence");
    assert_eq!(scene.client.counters().tolerated, 3);
    assert_eq!(scene.client.counters().events, 1);
}

#[test]
fn broken_frames_end_the_session_with_a_protocol_error() {
    let broken: [&[u8]; 6] = [
        &[0xff; 64],
        &[0xc1, 0x03, b'8', b':', b':'],
        &[0x81, 0x83, 0, 0, 0, 0, b'8', b':', b':'],
        &[0x83, 0x00],
        &frame(0x80, b"continues nothing"),
        &frame(TEXT, b"3:::\xff\xfe"),
    ];
    for bytes in broken {
        assert_says(&fatal(bytes), &["the WebSocket to http://127.0.0.1"]);
    }
}

#[test]
fn a_message_over_the_limit_ends_the_session_before_it_is_whole() {
    let limits = Limits::default().message_bytes(100_000);
    let mut scene = Socketed::with(&usual(), |b| b.limits(limits.clone()));
    scene.socket.text(&message_of(100_000));
    assert_eq!(scene.told.text_event().1.len(), 99_996);
    // Of the message only the header comes.
    scene
        .socket
        .raw(b"\x81\x7f\x00\x00\x00\x00\x40\x00\x00\x00");
    assert_says(
        &scene.told.fatal(),
        &["100000 bytes", "Limits::message_bytes"],
    );

    let mut scene = Socketed::with(&usual(), |b| b.limits(limits));
    scene.socket.raw(&frame(0x01, b"3:::"));
    for _ in 0..101 {
        scene.socket.raw(&frame(0x00, &[b'x'; 1000]));
    }
    assert_says(
        &scene.told.fatal(),
        &["100000 bytes", "Limits::message_bytes"],
    );
}

#[test]
fn the_odd_frame_counts_as_what_it_has_for_the_limit() {
    let limits = Limits::default().message_bytes(65_535);
    let mut scene = Socketed::with(&usual(), |b| b.limits(limits));
    scene.socket.raw(&odd_frame(&message_of(65_536)));
    assert_says(
        &scene.told.fatal(),
        &["65535 bytes", "Limits::message_bytes"],
    );
}

#[test]
fn a_close_frame_ends_the_session_with_its_code() {
    let mut scene = Socketed::new();
    scene.socket.close(1001, "going away");
    match scene.told.reason() {
        DisconnectReason::TransportClose {
            code: Some(1001),
            text,
        } => {
            assert_eq!(text, "going away");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_end_of_the_stream_may_come_anywhere_in_a_frame() {
    let whole = frame(TEXT, message_of(200).as_bytes());
    for cut in 0..whole.len().min(10) {
        let mut scene = Socketed::new();
        scene.socket.raw(&whole[..cut]);
        scene.socket.cut();
        let reason = scene.told.reason();
        assert!(
            matches!(
                reason,
                DisconnectReason::TransportClose { .. } | DisconnectReason::Error(_)
            ),
            "{reason:?}"
        );
        assert_eq!(scene.client.counters().events, 0);
    }
}

#[test]
fn nothing_counts_behind_the_end() {
    let mut scene = Socketed::new();
    let bytes: Vec<u8> = ["3:::last", "0::", "3:::ghost", "1::", "7:::1+0"]
        .iter()
        .flat_map(|packet| frame(TEXT, packet.as_bytes()))
        .collect();
    scene.socket.raw(&bytes);
    assert!(matches!(scene.told.reason(), DisconnectReason::Server));
    assert_eq!(scene.told.text_event().1, "last");
    assert_eq!(scene.client.counters().events, 1);
    scene.peer.hears_nothing(Duration::from_millis(20));
}
