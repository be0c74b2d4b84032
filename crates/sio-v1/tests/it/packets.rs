//! Socket.IO packets that break the protocol, on both transports: each ends the session with an error that says what
//! was wrong, and a session after it is clean.

use sio_peer::client::polling_only;
use sio_peer::peer::Answer;
use sio_peer::wait::{PATIENCE, assert_says};
use sio_v1::{Limits, NextError, Value};

use crate::scene::{Polling, Socketed};
use crate::wire::{Answers as _, Packet, Packets as _, binary, plain_open, text};

/// The errors that end the sessions, on polling and on WebSocket, that get these packets.
#[track_caller]
fn fatal_with(limits: &Limits, packets: &[Packet]) -> [String; 2] {
    let mut polling = Polling::with(&plain_open(), |b| polling_only(b).limits(limits.clone()));
    polling.answer(&Answer::binary(packets));
    let mut socketed = Socketed::with(&plain_open(), |b| b.limits(limits.clone()));
    for packet in packets {
        match packet {
            Packet::Text(text) => socketed.socket.text(text),
            Packet::Binary(bytes) => socketed.socket.binary(bytes),
        }
    }
    [polling.told.fatal(), socketed.told.fatal()]
}

#[track_caller]
fn breaks(packets: &[Packet], says: &[&str]) {
    for error in fatal_with(&Limits::default(), packets) {
        assert_says(&error, says);
    }
}

const ONE: &str = "451-[\"x\",{\"_placeholder\":true,\"num\":0}]";
const TWO: &str = "452-[\"x\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]";

#[test]
fn an_attachment_that_none_announced_ends_the_session() {
    breaks(
        &[binary(b"abc")],
        &["found an attachment of 3 bytes that none announced"],
    );
    breaks(
        &[text("42[\"x\"]"), binary(b"")],
        &["found an attachment of 0 bytes that none announced"],
    );
    breaks(
        &[text(ONE), binary(b"a"), binary(b"one too many")],
        &["found an attachment of 12 bytes that none announced"],
    );
}

#[test]
fn a_packet_between_attachments_ends_the_session() {
    let says = "expected 2 attachments, found the next packet after 1";
    for packet in ["42[\"y\"]", "40", "41", ONE, "43[]"] {
        breaks(&[text(TWO), binary(b"a"), text(packet)], &[says]);
    }
    breaks(
        &[text(ONE), text("42[\"y\"]")],
        &["expected 1 attachments, found the next packet after 0"],
    );
}

#[test]
fn a_count_that_is_missing_ends_the_session() {
    for packet in [
        "45[\"x\"]",
        "45-[\"x\"]",
        "451[\"x\"]",
        "45",
        "45x-[\"x\"]",
        "46[]",
        "45/n,1-[\"x\"]",
    ] {
        breaks(
            &[text(packet)],
            &[
                "the server sent a broken packet",
                "the number of attachments and `-`",
            ],
        );
    }
}

#[test]
fn a_count_beyond_the_limit_ends_the_session_at_once() {
    breaks(
        &[text("451025-[\"x\"]")],
        &["expected at most 1024 attachments, found 1025 announced"],
    );
    let huge = format!("45{}-[\"x\"]", "9".repeat(10_000));
    breaks(&[text(&huge)], &["expected at most 1024 attachments"]);
    let limits = Limits::default().attachments(1).attachment_bytes(10);
    for error in fatal_with(&limits, &[text(TWO)]) {
        assert_says(
            &error,
            &["expected at most 1 attachments, found 2 announced"],
        );
    }
    for error in fatal_with(&limits, &[text(ONE), binary(&[0; 11])]) {
        assert_says(
            &error,
            &["expected at most 10 bytes of attachments in one packet"],
        );
    }
}

#[test]
fn a_placeholder_that_points_at_nothing_ends_the_session() {
    let placeholder = |num: &str| format!("451-[\"x\",{{\"_placeholder\":true,\"num\":{num}}}]");
    for num in [
        "1",
        "7",
        "18446744073709551616",
        "-1",
        "0.5",
        "\"0\"",
        "null",
    ] {
        breaks(
            &[text(&placeholder(num)), binary(b"a")],
            &["the server sent a broken binary packet"],
        );
    }
    // Deep inside, and in an ack.
    let deep = "451-[\"x\",{\"a\":[{\"b\":{\"num\":3,\"_placeholder\":true}}]}]";
    breaks(
        &[text(deep), binary(b"a")],
        &["the server sent a broken binary packet"],
    );
    let ack = "461-0[{\"_placeholder\":true,\"num\":9}]";
    breaks(
        &[text(ack), binary(b"a")],
        &["the server sent a broken binary packet"],
    );
}

#[test]
fn unknown_types_and_empty_messages_end_the_session() {
    breaks(
        &[text("4")],
        &["expected a Socket.IO packet, found empty text"],
    );
    for (packet, found) in [
        ("47", "'7'"),
        ("49[]", "'9'"),
        ("4x", "'x'"),
        ("4é", "'é'"),
        ("4 2[\"x\"]", "' '"),
    ] {
        breaks(
            &[text(packet)],
            &["expected a Socket.IO packet type `0` to `6`", found],
        );
    }
}

#[test]
fn an_id_beyond_64_bits_ends_the_session() {
    let digits = "9".repeat(50);
    breaks(
        &[text(&format!("42{digits}[\"x\"]"))],
        &["expected an id below 2^64", "50 digits"],
    );
    breaks(
        &[text(&format!("43/chat,{digits}[]"))],
        &["expected an id below 2^64"],
    );
}

#[test]
fn half_a_binary_event_is_gone_with_its_session() {
    let mut scene = Socketed::new();
    scene.socket.text(TWO);
    scene.socket.binary(b"half");
    scene.socket.cut();
    scene.told.reason();
    assert_eq!(
        scene.told.events.recv_timeout(PATIENCE).unwrap_err(),
        NextError::Closed
    );
    // The next session begins with nothing of it.
    let mut scene = Socketed::new();
    scene.socket.text(ONE);
    scene.socket.binary(b"whole");
    assert_eq!(
        scene.told.event().1,
        [Value::from(bytes::Bytes::from_static(b"whole"))]
    );
}
