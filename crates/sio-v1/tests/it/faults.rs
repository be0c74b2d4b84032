//! Faults at every byte, and bytes at random: each ends in success or an error, in time, and no thread panics.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sio_v1::{Client, DisconnectReason};

use crate::alone::{alone, client_threads};
use crate::peer::{Answer, Peer};
use crate::scene::{Polling, WebSocketPeer, connecting, polling_only, switching, websocket_only};
use crate::wait::{PATIENCE, assert_says, background, eventually};
use crate::wire::{binary, binary_body, frame, open, plain_open, text, text_body};

const TEXT: u8 = 0x81;

/// Everything a server writes on a WebSocket until the root is connected, and an event.
fn websocket_start() -> Vec<u8> {
    let packets = [&plain_open(), "40", "42[\"e\",\"x\"]"];
    packets
        .iter()
        .flat_map(|packet| frame(TEXT, packet.as_bytes()))
        .collect()
}

/// Waits for the end of a connection that may or may not have been made.
#[track_caller]
fn ends(connected: sio_v1::Result<Client>) {
    if let Ok(client) = connected {
        let reason = background("the end", move || client.wait()).join();
        assert!(
            !matches!(reason, DisconnectReason::Client | DisconnectReason::NotYet),
            "{reason:?}"
        );
    }
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

/// A generator of numbers that are always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    /// Changes, removes or doubles a few bytes.
    fn spoil(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.roll(3) {
            let at = self.roll(bytes.len());
            match self.roll(4) {
                0 => bytes[at] = self.roll(256) as u8,
                1 => bytes[at] ^= 1 << self.roll(8),
                2 => bytes.truncate(at + 1),
                _ => {
                    let end = (at + 1 + self.roll(8)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        bytes
    }
}

/// Runs `body` in a process of its own, and asserts that no thread panicked in it and none of the client's is left.
fn without_panics(name: &str, body: impl FnOnce()) {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    alone(name, || {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::AcqRel);
            hook(info);
        }));
        body();
        eventually("the end of all threads", PATIENCE, || {
            client_threads().is_empty()
        });
        assert_eq!(PANICS.load(Ordering::Acquire), 0, "panics");
    });
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
                    crate::scene::connecting(websocket_only(Client::builder(&peer.url())));
                let mut request = peer.upgrade();
                let head = switching(&request);
                request.raw(&dice.spoil(head.as_bytes()));
                request.close();
                ends(connecting.join());
            }
        },
    );
}
