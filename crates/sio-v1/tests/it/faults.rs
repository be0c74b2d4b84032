//! Faults at every byte, and bytes at random: each ends in success or an error, in time, and no thread panics.

use std::time::Duration;

use sio_peer::alone::without_panics;
use sio_peer::bytes::Dice;
use sio_peer::client::{connecting, ends, polling_only, websocket_only};
use sio_peer::peer::{Answer, Peer};
use sio_peer::wait::assert_says;
use sio_peer::websocket::{WebSocketPeer, frame, switching};
use sio_v1::Client;

use crate::scene::Polling;
use crate::wire::{Answers as _, binary, binary_body, open, plain_open, text, text_body};

const TEXT: u8 = 0x81;

/// Everything a server writes on a WebSocket until the root is connected, and an event.
fn websocket_start() -> Vec<u8> {
    let packets = [&plain_open(), "40", "42[\"e\",\"x\"]"];
    packets
        .iter()
        .flat_map(|packet| frame(TEXT, packet.as_bytes()))
        .collect()
}

#[test]
fn a_websocket_cut_at_any_byte_of_its_beginning_ends_at_once() {
    let head = 160;
    for cut in 0..head + websocket_start().len() {
        let mut peer = Peer::new();
        let connecting = connecting(websocket_only(Client::builder(&peer.url())));
        let mut request = peer.upgrade();
        let bytes = [switching(&request).as_bytes(), &websocket_start()].concat();
        request.raw(&bytes[..cut.min(bytes.len())]);
        request.close();
        drop(peer); // what is asked over polling gets no answer
        ends(connecting.join());
    }
}

#[test]
fn a_poll_cut_at_any_byte_ends_at_once() {
    let whole = Answer::text(&[&plain_open(), "40", "42[\"e\",\"x\"]"]).bytes();
    for cut in 0..whole.len() {
        let mut peer = Peer::new();
        let connecting = connecting(polling_only(Client::builder(&peer.url())));
        let mut get = peer.get();
        get.raw(&whole[..cut]);
        get.close();
        let error = connecting.join().expect_err("half an answer is none");
        assert_says(&error.chain(), &["GET http://127.0.0.1"]);
    }
}

#[test]
fn an_upgrade_cut_at_any_byte_leaves_the_session_on_polling() {
    let length = 135;
    for cut in (0..length).step_by(3) {
        let (mut scene, mut request) = Polling::upgrading(|builder| builder);
        let bytes = [switching(&request).as_bytes(), &frame(TEXT, b"3probe")].concat();
        assert!(length < bytes.len(), "{} bytes", bytes.len());
        request.raw(&bytes[..cut]);
        request.close();
        scene.told.failed_upgrade();
        scene.text("42[\"still\",\"here\"]");
        assert_eq!(scene.told.text_event().0, "still");
    }
}

#[test]
fn spoilt_frames_end_in_an_error_or_do_no_harm() {
    without_panics(
        "faults::spoilt_frames_end_in_an_error_or_do_no_harm",
        || {
            let mut dice = Dice(0x5eed_0001);
            let header = "451-[\"b\",{\"_placeholder\":true,\"num\":0}]";
            let mut whole = websocket_start();
            whole.extend(frame(TEXT, header.as_bytes()));
            whole.extend(frame(0x82, b"\x04bytes"));
            whole.extend(frame(TEXT, "430[{\"é\":[1,null]}]".as_bytes()));
            whole.extend(frame(0x89, b"ping"));
            whole.extend(frame(0x88, b"\x03\xe8bye"));
            for _ in 0..400 {
                let mut peer = Peer::new();
                let builder = websocket_only(Client::builder(&peer.url())).on("e", |_: String| {});
                let connecting = connecting(builder);
                let mut socket = WebSocketPeer::accept(peer.upgrade());
                socket.raw(&dice.spoil(&whole));
                socket.cut();
                drop(peer);
                ends(connecting.join());
            }
        },
    );
}

#[test]
fn spoilt_bodies_end_in_an_error_or_do_no_harm() {
    without_panics(
        "faults::spoilt_bodies_end_in_an_error_or_do_no_harm",
        || {
            let mut dice = Dice(0x5eed_0002);
            let open = open(&[], 25_000, 20_000);
            let header = "451-[\"b\",{\"_placeholder\":true,\"num\":0}]";
            let as_text = text_body(&[
                &open,
                "40",
                "42[\"e\",\"é😀\"]",
                header,
                "b4AAH6",
                "430[]",
                "6",
                "3",
            ]);
            let as_binary = binary_body(&[
                text(&open),
                text("40"),
                text("42[\"e\",\"é😀\"]"),
                text(header),
                binary(b"bytes"),
            ]);
            for round in 0..250 {
                let answer = match round % 2 {
                    0 => Answer::broken(dice.spoil(&as_text)),
                    _ => Answer::broken_binary(dice.spoil(&as_binary)),
                };
                let mut peer = Peer::new();
                let builder = polling_only(Client::builder(&peer.url()))
                    .on("e", |_: String| {})
                    .connect_timeout(Duration::from_millis(500));
                let connecting = connecting(builder);
                peer.get().answer(&answer);
                // If that was a handshake, a poll follows, which fails.
                if let Some(get) = peer.any_within(Duration::from_millis(10)) {
                    get.close();
                }
                let connected = connecting.join();
                drop(peer);
                ends(connected);
            }
        },
    );
}

#[test]
fn spoilt_http_ends_in_an_error_or_does_no_harm() {
    without_panics(
        "faults::spoilt_http_ends_in_an_error_or_does_no_harm",
        || {
            let mut dice = Dice(0x5eed_0003);
            let whole = Answer::text(&[&plain_open(), "40"]).bytes();
            for _ in 0..150 {
                let mut peer = Peer::new();
                let connecting = connecting(polling_only(Client::builder(&peer.url())));
                let mut get = peer.get();
                get.may_be_answered();
                get.raw(&dice.spoil(&whole));
                get.close();
                if let Some(next) = peer.any_within(Duration::from_millis(10)) {
                    next.close();
                }
                let connected = connecting.join();
                drop(peer);
                ends(connected);

                let mut peer = Peer::new();
                let connecting =
                    sio_peer::client::connecting(websocket_only(Client::builder(&peer.url())));
                let mut request = peer.upgrade();
                let head = switching(&request);
                request.raw(&dice.spoil(head.as_bytes()));
                request.close();
                drop(peer);
                ends(connecting.join());
            }
        },
    );
}
