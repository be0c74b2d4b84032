//! Faults at every byte, and bytes at random: each ends in success or an error, in time, and no thread panics.

use std::time::Duration;

use sio_legacy::{Client, Transport};
use sio_peer::alone::without_panics;
use sio_peer::bytes::Dice;
use sio_peer::client::{connecting, ends};
use sio_peer::peer::{Answer, Peer};
use sio_peer::wait::Background;
use sio_peer::websocket::{WebSocketPeer, frame, switching};

use crate::scene::{Stream, begin, body, opening, usual};
use crate::wire::{Answers as _, chunk, preamble, script};

const TEXT: u8 = 0x81;

/// A connection that begins, and the handshake is answered.
fn begun(transport: Transport) -> (Peer, Background<sio_legacy::Result<Client>>) {
    let (peer, _, connecting) = begin(transport, &usual(), |builder| {
        builder
            .on("e", |_: String| {})
            .connect_timeout(Duration::from_secs(2))
    });
    (peer, connecting)
}

/// Ends every request until connecting has its outcome.
fn deny_the_rest(peer: &mut Peer, connecting: &Background<sio_legacy::Result<Client>>) {
    while connecting.blocks_for(Duration::from_millis(1)) {
        if let Some(next) = peer.any_within(Duration::from_millis(1)) {
            next.close();
        }
    }
}

/// The packets of a session's beginning, of every kind.
const PACKETS: [&str; 8] = [
    "1::",
    "5:::{\"name\":\"e\",\"args\":[\"é😀\"]}",
    "5:1+::{\"name\":\"e\",\"args\":[\"x\"]}",
    "3:2::text",
    "4:::{\"a\":[1,null]}",
    "6:::1+[\"x\"]",
    "2::",
    "7::/x:2",
];

fn websocket_start() -> Vec<u8> {
    PACKETS
        .iter()
        .flat_map(|packet| frame(TEXT, packet.as_bytes()))
        .collect()
}

#[test]
fn a_websocket_cut_at_any_byte_of_its_beginning_ends_at_once() {
    let length = 160 + websocket_start().len();
    for cut in (0..length).step_by(3) {
        let (mut peer, connecting) = begun(Transport::WebSocket);
        let mut request = peer.upgrade();
        let bytes = [switching(&request).as_bytes(), &websocket_start()].concat();
        request.raw(&bytes[..cut.min(bytes.len())]);
        request.close();
        ends(connecting.join());
    }
}

#[test]
fn a_poll_cut_at_any_byte_ends_at_once() {
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let whole = Answer::plain(body(transport, &PACKETS)).bytes();
        for cut in (0..whole.len()).step_by(5) {
            let (mut peer, connecting) = begun(transport);
            let mut get = peer.get();
            get.raw(&whole[..cut]);
            get.close();
            connecting.join().expect_err("half an answer is none");
        }
    }
}

#[test]
fn a_stream_cut_at_any_byte_ends_at_once() {
    let page: Vec<u8> = PACKETS
        .iter()
        .flat_map(|packet| chunk(script(packet).as_bytes()))
        .collect();
    for cut in (0..page.len()).step_by(5) {
        let (mut peer, connecting) = begun(Transport::HtmlFile);
        let mut stream = Stream::open(opening(&mut peer, Transport::HtmlFile, "S"));
        stream.request.raw(&page[..cut]);
        stream.request.close();
        // Answers to what came are posted, and nobody answers them.
        ends(connecting.join());
    }
}

#[test]
fn spoilt_handshakes_end_in_an_error_or_do_no_harm() {
    without_panics(
        "faults::spoilt_handshakes_end_in_an_error_or_do_no_harm",
        || {
            let mut dice = Dice(0x5eed_0009);
            let whole = Answer::plain(usual()).bytes();
            for _ in 0..200 {
                let mut peer = Peer::new();
                let builder =
                    Client::builder(&peer.url()).connect_timeout(Duration::from_millis(500));
                let connecting = connecting(builder);
                let mut get = peer.get();
                get.may_be_answered();
                get.raw(&dice.spoil(&whole));
                get.close();
                // Whatever the client makes of it, nothing else is ever answered.
                deny_the_rest(&mut peer, &connecting);
            }
        },
    );
}

#[test]
fn spoilt_frames_end_in_an_error_or_do_no_harm() {
    without_panics(
        "faults::spoilt_frames_end_in_an_error_or_do_no_harm",
        || {
            let mut dice = Dice(0x5eed_0019);
            let mut whole = websocket_start();
            whole.extend(frame(0x89, b"ping"));
            whole.extend(frame(0x82, b"binary"));
            whole.extend(b"\x81\x7e\x00\x00");
            whole.extend(vec![b'3'; 300]);
            for _ in 0..300 {
                let (mut peer, connecting) = begun(Transport::WebSocket);
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
            let mut dice = Dice(0x5eed_0029);
            for round in 0..200 {
                let transport = match round % 2 {
                    0 => Transport::Polling,
                    _ => Transport::JsonpPolling,
                };
                let spoilt = dice.spoil(body(transport, &PACKETS).as_bytes());
                let (mut peer, connecting) = begun(transport);
                peer.get().answer(&Answer::plain(spoilt));
                // What follows fails.
                deny_the_rest(&mut peer, &connecting);
            }
        },
    );
}

#[test]
fn spoilt_streams_end_in_an_error_or_do_no_harm() {
    without_panics(
        "faults::spoilt_streams_end_in_an_error_or_do_no_harm",
        || {
            let mut dice = Dice(0x5eed_0039);
            let mut whole =
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
                    .to_vec();
            whole.extend(chunk(preamble().as_bytes()));
            for packet in PACKETS {
                whole.extend(chunk(script(packet).as_bytes()));
            }
            for _ in 0..200 {
                let (mut peer, connecting) = begun(Transport::HtmlFile);
                let mut get = opening(&mut peer, Transport::HtmlFile, "S");
                get.raw(&dice.spoil(&whole));
                get.close();
                ends(connecting.join());
            }
        },
    );
}

#[test]
fn bytes_at_random_never_open_a_session() {
    without_panics("faults::bytes_at_random_never_open_a_session", || {
        let mut dice = Dice(0x5eed_0049);
        for _ in 0..100 {
            let length = dice.roll(2000);
            let bytes: Vec<u8> = (0..length).map(|_| dice.roll(256) as u8).collect();
            let (mut peer, connecting) = begun(Transport::WebSocket);
            let mut socket = WebSocketPeer::accept(peer.upgrade());
            socket.raw(&bytes);
            socket.cut();
            connecting.join().unwrap_err();
        }
    });
}
