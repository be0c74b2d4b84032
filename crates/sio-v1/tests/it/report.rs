//! What the client has counted, compared with what its peer has seen; and what it reports.

use std::time::Duration;

use bytes::Bytes;
use sio_peer::alone::alone;
use sio_peer::client::{closing, connecting, polling_only, reconnecting, watched, websocket_only};
use sio_peer::counting::Ledger;
use sio_peer::lifecycle::eager;
use sio_peer::peer::{Answer, Peer, Request};
use sio_peer::wait::{PATIENCE, assert_says, background, eventually};
use sio_peer::websocket::WebSocketPeer;
use sio_peer::{logging, reporting};
use sio_v1::{Client, ClientBuilder, Transport};
use tungstenite::Message;

use crate::scene::Polling;
use crate::wire::{
    Answers as _, Packet, Posts as _, binary, binary_body, finish_upgrade, open, plain_open,
    probed, text, text_body,
};
use crate::words::V1;

const A_MOMENT: Duration = Duration::from_millis(20);

/// An event with bytes: two packets.
fn with_bytes() -> [Packet; 2] {
    [
        text("451-[\"up\",{\"_placeholder\":true,\"num\":0}]"),
        binary(b"\x01\x02\xff"),
    ]
}

/// Answers a request, and notes both.
fn exchange(ledger: &mut Ledger, request: Request, packets: &[&str]) {
    ledger.request(0, 0);
    ledger.received(text_body(packets).len(), packets.len());
    request.answer(&Answer::text(packets));
}

/// Takes a post with so many packets, and answers it.
fn take_post(ledger: &mut Ledger, peer: &mut Peer, packets: usize) {
    let post = peer.post();
    assert_eq!(post.packets().len(), packets);
    ledger.request(post.body.len(), packets);
    ledger.received("ok".len(), 0);
    post.ok();
}

/// Sends a text on the WebSocket.
fn say(ledger: &mut Ledger, socket: &mut WebSocketPeer, packet: &str) {
    ledger.received(packet.len(), 1);
    socket.text(packet);
}

/// Takes so many messages.
fn hear(ledger: &mut Ledger, socket: &mut WebSocketPeer, messages: usize) {
    for _ in 0..messages {
        ledger.sent(socket.message().len(), 1);
    }
}

#[test]
fn polls_and_posts_are_counted_as_the_peer_sees_them() {
    let open = plain_open();
    let mut ledger = Ledger::default();
    let mut scene = Polling::with(&open, polling_only);
    ledger.request(0, 0);
    ledger.received(text_body(&[&open, "40"]).len(), 2);
    ledger.request(0, 0); // the poll that is held
    ledger.agrees_with(&scene.client);
    let texts = ["42[\"down\",\"é😀\"]", "6", "42[\"down\"]"];
    scene.deliver(&Answer::text(&texts));
    ledger.received(text_body(&texts).len(), 3);
    ledger.request(0, 0);
    scene.deliver(&Answer::binary(&with_bytes()));
    ledger.received(binary_body(&with_bytes()).len(), 2);
    ledger.request(0, 0);
    ledger.agrees_with(&scene.client);
    scene
        .client
        .emit("up", Bytes::from_static(b"\x01\x02\xff"))
        .unwrap();
    take_post(&mut ledger, &mut scene.peer, 2);
    ledger.agrees_with(&scene.client);
    // Its session ends, and with it the poll.
    scene.poll.as_mut().expect("a held poll").may_be_answered();
    let closing = closing(&scene.client);
    take_post(&mut ledger, &mut scene.peer, 2);
    closing.join().unwrap();
    ledger.agrees_with(&scene.client);
    // Nothing starts anew.
    let again = scene.client.clone();
    let opening = background("opening again", move || again.open());
    exchange(&mut ledger, scene.peer.get(), &[&open, "40"]);
    opening.join().unwrap();
    let _poll = scene.peer.get();
    ledger.request(0, 0);
    ledger.agrees_with(&scene.client);
}

#[test]
fn messages_of_a_websocket_are_counted_as_the_peer_sees_them() {
    let open = open(&[], 50, 20_000);
    let mut ledger = Ledger::default();
    let mut peer = Peer::new();
    let builder = websocket_only(Client::builder(&peer.url()));
    let connecting = connecting(builder);
    let upgrade = peer.upgrade();
    ledger.request(0, 0);
    let mut socket = WebSocketPeer::accept(upgrade);
    say(&mut ledger, &mut socket, &open);
    say(&mut ledger, &mut socket, "40");
    let client = connecting.join().expect("a connection");
    let event = "42[\"down\",\"é😀\"]";
    say(&mut ledger, &mut socket, event);
    for packet in with_bytes() {
        let message = match packet {
            Packet::Text(text) => Message::text(text),
            Packet::Binary(bytes) => Message::binary([&[4], &bytes[..]].concat()),
        };
        ledger.received(message.len(), 1);
        socket.socket.send(message).unwrap();
    }
    client
        .emit("up", Bytes::from_static(b"\x01\x02\xff"))
        .unwrap();
    // A ping of the transport is nobody's packet.
    socket.socket.send(Message::Ping("abc".into())).unwrap();
    let mut pings = 0;
    let mut goodbye = None;
    loop {
        match socket.socket.read().expect("a message") {
            Message::Text(ping) if ping == "2" => {
                ledger.sent(1, 1);
                say(&mut ledger, &mut socket, "3");
                pings += 1;
                if pings == 3 {
                    goodbye = Some(closing(&client));
                }
            }
            Message::Pong(_) => {}
            Message::Close(_) => break,
            packet => ledger.sent(packet.len(), 1),
        }
    }
    drop(socket);
    let goodbye = goodbye.expect("three pings before the end");
    goodbye.join().unwrap();
    ledger.agrees_with(&client);
}

#[test]
fn what_comes_before_during_and_after_an_upgrade_is_counted_as_the_peer_sees_it() {
    let open = open(&["websocket"], 25_000, 20_000);
    let mut ledger = Ledger::default();
    let (mut scene, upgrade) = Polling::upgrading(|builder| builder);
    ledger.request(0, 0);
    ledger.received(text_body(&[&open, "40"]).len(), 2);
    ledger.request(0, 0); // the poll that is held
    let mut socket = probed(upgrade);
    ledger.request("2probe".len(), 1);
    scene.client.emit("posted", ()).unwrap();
    take_post(&mut ledger, &mut scene.peer, 1);
    say(&mut ledger, &mut socket, "6");
    say(&mut ledger, &mut socket, "3probe");
    let mut poll = scene.poll.take();
    loop {
        if let Some(poll) = poll.take() {
            ledger.received(text_body(&["6"]).len(), 1);
            poll.answer(&Answer::text(&["6"]));
        }
        if let Some(packet) = socket.message_within(A_MOMENT) {
            assert_eq!(packet, Message::text("5"));
            ledger.sent(1, 1);
            break;
        }
        poll = scene.peer.get_within(A_MOMENT);
        if poll.is_some() {
            ledger.request(0, 0);
        }
    }
    scene
        .client
        .emit("up", Bytes::from_static(b"\x01\x02\xff"))
        .unwrap();
    hear(&mut ledger, &mut socket, 2);
    say(&mut ledger, &mut socket, "42[\"down\"]");
    ledger.agrees_with(&scene.client);
}

// --- why it is not on a WebSocket -----------------------------------------------------------------------------------

#[test]
fn an_upgrade_that_failed_is_reported_until_one_works() {
    let offer = open(&["websocket"], 25_000, 20_000);
    let mut peer = Peer::new();
    let (builder, mut told) = watched(Client::builder(&peer.url()));
    let connecting = reconnecting(builder, eager());
    peer.get().answer(&Answer::text(&[&offer, "40"]));
    let client = connecting.join().expect("a connection");
    let refusal = Answer::new(403, "text/plain", b"no WebSocket here");
    peer.upgrade().answer(&refusal);
    assert_says(&told.failed_upgrade(), &["403"]);
    let is_reported = || {
        let report = client.report();
        assert_eq!(report.no_websocket, None, "something failed");
        let error = report
            .upgrade_failure
            .as_ref()
            .expect("why the upgrade failed");
        assert_says(&error.chain(), &["403", "no WebSocket here"]);
        assert_says(&report.to_string(), &["the last upgrade failed: ", "403"]);
        report.transport
    };
    assert_eq!(is_reported(), Some(Transport::Polling));
    // Whatever comes later: an event, and a loss.
    peer.get().answer(&Answer::text(&["42[\"x\"]"]));
    assert_eq!(told.event().0, "x");
    assert_eq!(is_reported(), Some(Transport::Polling));
    peer.get().close();
    assert_says(&told.fatal(), &["closed without an answer"]);
    let handshake = peer.get();
    assert_eq!(is_reported(), None);
    handshake.answer(&Answer::text(&[&offer, "40"]));
    let mut socket = probed(peer.upgrade());
    assert_eq!(is_reported(), Some(Transport::Polling));
    socket.text("3probe");
    finish_upgrade(&mut peer, &mut None, &mut socket);
    told.upgraded();
    let report = client.report();
    assert_eq!(report.transport, Some(Transport::WebSocket));
    assert!(report.upgrade_failure.is_none(), "{report:?}");
}

#[test]
fn polling_without_a_failure_has_its_reason() {
    type Configure = fn(ClientBuilder) -> ClientBuilder;
    let cases: [(&[&str], Configure, &str); 4] = [
        (&["websocket"], polling_only, "not among the transports"),
        (
            &["websocket"],
            |builder| builder.upgrade(false),
            "switched upgrades off",
        ),
        (&[], |builder| builder, "the server does not offer it"),
        (
            &["flashsocket"],
            |builder| builder,
            "the server does not offer it",
        ),
    ];
    for (upgrades, configure, why) in cases {
        let scene = Polling::with(&open(upgrades, 25_000, 20_000), configure);
        let report = scene.client.report();
        assert_says(report.no_websocket.expect(why), &[why]);
        assert!(report.upgrade_failure.is_none(), "{report:?}");
        assert_says(&report.to_string(), &["connected by polling for ", why]);
    }
    let (scene, _upgrade) = Polling::upgrading(|builder| builder);
    assert_eq!(scene.client.report().no_websocket, None, "it is on its way");
}

// --- how it stands --------------------------------------------------------------------------------------------------

#[test]
fn a_heartbeat_s_round_trip_is_reported() {
    let open = open(&[], 50, 20_000);
    let mut peer = Peer::new();
    let connecting = connecting(websocket_only(Client::builder(&peer.url())));
    let mut socket = WebSocketPeer::accept(peer.upgrade());
    socket.text(&open);
    socket.text("40");
    let client = connecting.join().expect("a connection");
    assert_eq!(client.report().latency, None);
    socket.expect("2");
    // Shorter than this it cannot have been.
    let delay = Duration::from_millis(20);
    socket.hears_nothing(delay);
    socket.text("3");
    eventually("a round trip", PATIENCE, || {
        client
            .report()
            .latency
            .is_some_and(|latency| latency >= delay)
    });
}

#[test]
fn what_the_peer_does_not_take_is_reported_and_a_volatile_emit_that_gives_way_is_counted() {
    let mut scene = Polling::with(&plain_open(), |b| polling_only(b).send_buffer(10));
    scene.client.emit("first", ()).unwrap();
    let post = scene.peer.post();
    // Waits behind the post.
    scene.client.emit("second", "some text").unwrap();
    assert!(!scene.client.emit_volatile("third", ()).unwrap());
    let report = scene.client.report();
    assert_eq!(report.backlog_bytes, "42[\"second\",\"some text\"]".len());
    assert_eq!((report.queued, report.counters.dropped_emits), (0, 1));
    post.ok();
    assert_eq!(scene.post(), [text("42[\"second\",\"some text\"]")]);
    eventually("an empty buffer", PATIENCE, || {
        scene.client.report().backlog_bytes == 0
    });
}

#[test]
fn a_report_says_how_the_connection_stands() {
    reporting::a_report_says_how_the_connection_stands::<V1>();
}

#[test]
fn a_report_is_of_one_moment() {
    reporting::a_report_is_of_one_moment::<V1>();
}

// --- what is logged -------------------------------------------------------------------------------------------------

#[test]
fn every_line_stands_in_its_spans() {
    let test = logging::every_line_stands_in_its_spans::<V1>;
    alone("report::every_line_stands_in_its_spans", test);
}
