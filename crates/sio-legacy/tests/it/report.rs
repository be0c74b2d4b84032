//! What the client has counted, compared with what its peer has seen; and what it reports.

use sio_legacy::{Client, ClientBuilder, Transport};
use sio_peer::alone::alone;
use sio_peer::client::{closing, connecting, watched};
use sio_peer::counting::Ledger;
use sio_peer::peer::{Answer, Peer, Request};
use sio_peer::wait::assert_says;
use sio_peer::websocket::WebSocketPeer;
use sio_peer::{logging, reporting};

use crate::scene::{
    Polling, Socketed, Streaming, accepting, body, handshake, opening, shake_hands, usual,
};
use crate::wire::{Answers as _, Packets as _, Posts as _, framed, pacing_id, preamble, script};
use crate::words::Legacy;

/// Takes a post with so many packets, and answers it.
fn take_post(ledger: &mut Ledger, post: Request, packets: usize) {
    assert_eq!(post.packets().len(), packets);
    ledger.request(post.body.len(), packets);
    ledger.received("1".len(), 0);
    post.ok();
}

/// The handshake, and the request behind it.
fn opened() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.request(0, 0);
    // It is no packet.
    ledger.received(usual().len(), 0);
    ledger.request(0, 0);
    ledger
}

#[test]
fn polls_and_posts_are_counted_as_the_peer_sees_them() {
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let mut ledger = opened();
        let mut scene = Polling::on(transport);
        ledger.received(body(transport, &["1::"]).len(), 1);
        ledger.request(0, 0); // the poll that is held
        for packets in [&["3:::é😀"][..], &["5:::{\"name\":\"x\"}", "8::"]] {
            scene.packets(packets);
            ledger.received(body(transport, packets).len(), packets.len());
            ledger.request(0, 0);
        }
        ledger.agrees_with(&scene.client);
        // A heartbeat is answered, and both are packets.
        scene.packets(&["2::"]);
        ledger.received(body(transport, &["2::"]).len(), 1);
        ledger.request(0, 0);
        take_post(&mut ledger, scene.peer.post(), 1);
        scene.client.emit("first", ()).unwrap();
        let post = scene.peer.post();
        scene.client.emit("second", "é").unwrap();
        scene.client.emit("third", ()).unwrap();
        take_post(&mut ledger, post, 1);
        take_post(&mut ledger, scene.peer.post(), 2);
        ledger.agrees_with(&scene.client);
        let closing = closing(&scene.client);
        // Its answer could come behind the end, and so stays away.
        let goodbye = scene.peer.post();
        assert_eq!(goodbye.packets(), ["0::"]);
        ledger.request(goodbye.body.len(), 1);
        scene.answer(&Answer::plain(body(transport, &["0::"])));
        ledger.received(body(transport, &["0::"]).len(), 1);
        closing.join().unwrap();
        ledger.agrees_with(&scene.client);
    }
}

#[test]
fn a_stream_is_counted_as_the_peer_sees_it() {
    let mut ledger = opened();
    let mut scene = Streaming::new();
    ledger.received(preamble().len(), 0);
    ledger.received(script("1::").len(), 1);
    scene.stream.packet("3:::é😀");
    ledger.received(script("3:::é😀").len(), 1);
    let several = script(&framed(&["3:::two", "8::"]));
    scene.stream.chunk(several.as_bytes());
    ledger.received(several.len(), 2);
    ledger.agrees_with(&scene.client);
    scene.client.emit("x", "é").unwrap();
    take_post(&mut ledger, scene.peer.post(), 1);
    ledger.agrees_with(&scene.client);
}

/// Takes what the client sends until a packet that begins so; what paces it is answered.
fn hear_until(ledger: &mut Ledger, socket: &mut WebSocketPeer, begin: &str) {
    loop {
        let packet = socket.message().to_string();
        ledger.sent(packet.len(), 1);
        if let Some(id) = pacing_id(&packet) {
            say(ledger, socket, &format!("6:::{id}"));
        }
        if packet.starts_with(begin) {
            return;
        }
    }
}

fn say(ledger: &mut Ledger, socket: &mut WebSocketPeer, packet: &str) {
    ledger.received(packet.len(), 1);
    socket.text(packet);
}

#[test]
fn messages_of_a_websocket_are_counted_as_the_peer_sees_them() {
    let mut ledger = opened();
    let mut scene = Socketed::new();
    ledger.received("1::".len(), 1);
    say(&mut ledger, &mut scene.socket, "3:::é😀");
    say(&mut ledger, &mut scene.socket, "2::");
    hear_until(&mut ledger, &mut scene.socket, "2::");
    ledger.agrees_with(&scene.client);
    // Enough that it has to be paced, by packets of its own.
    for n in 0..2000 {
        scene.client.emit("n", n).unwrap();
    }
    hear_until(
        &mut ledger,
        &mut scene.socket,
        "5:::{\"name\":\"n\",\"args\":[1999]}",
    );
    ledger.agrees_with(&scene.client);
    let paced = scene.client.counters();
    assert!(paced.packets_sent > 2001, "nothing was paced: {paced:?}");
    let closing = closing(&scene.client);
    hear_until(&mut ledger, &mut scene.socket, "0::");
    scene.socket.cut();
    closing.join().unwrap();
    ledger.agrees_with(&scene.client);
}

// --- why it is not on a WebSocket -----------------------------------------------------------------------------------

#[test]
fn transports_that_failed_are_reported_whatever_comes_later() {
    let mut peer = Peer::new();
    let (builder, mut told) = watched(Client::builder(&peer.url()));
    let connecting = connecting(builder.transports([Transport::WebSocket, Transport::Polling]));
    shake_hands(&mut peer, &usual());
    let refusal = Answer::new(403, "text/plain", b"no WebSocket here");
    peer.upgrade().answer(&refusal);
    shake_hands(&mut peer, &usual());
    opening(&mut peer, Transport::Polling, "S").answer(&Answer::packets(&["1::"]));
    let client = connecting.join().expect("a connection");
    peer.get().answer(&Answer::packets(&["3:::x"]));
    assert_eq!(told.text_event().1, "x");
    let report = client.report();
    assert_eq!(report.transport, Some(Transport::Polling));
    assert_eq!(report.no_websocket, None, "something failed");
    let [(transport, error)] = &report.transports_failed[..] else {
        panic!("{report:?}");
    };
    assert_eq!(*transport, Transport::WebSocket);
    assert_says(&error.chain(), &["403", "no WebSocket here"]);
    assert_says(&report.to_string(), &["websocket failed: ", "403"]);

    // The connection ends; the next one has its WebSocket.
    peer.get().close();
    assert_says(&told.fatal(), &["closed without an answer"]);
    let again = client.clone();
    let opening = sio_peer::wait::background("opening again", move || again.open());
    shake_hands(&mut peer, &usual());
    let mut socket = accepting(&mut peer, "S");
    socket.text("1::");
    opening.join().unwrap();
    let report = client.report();
    assert_eq!(report.transport, Some(Transport::WebSocket));
    assert!(report.transports_failed.is_empty(), "{report:?}");
    client.emit("x", ()).unwrap();
    assert_eq!(socket.packet(), "5:::{\"name\":\"x\"}");
}

#[test]
fn another_transport_without_a_failure_has_its_reason() {
    type Configure = fn(ClientBuilder) -> ClientBuilder;
    let cases: [(&str, Configure, &str); 3] = [
        (&usual(), |builder| builder, "not among the transports"),
        (
            "S:60:60:htmlfile,xhr-polling",
            |builder| builder.transports([Transport::WebSocket, Transport::Polling]),
            "the server does not offer it",
        ),
        (
            &handshake("60", "60"),
            |builder| builder.transports([Transport::Polling, Transport::WebSocket]),
            "the program prefers another transport",
        ),
    ];
    for (handshake, configure, why) in cases {
        let scene = Polling::with(Transport::Polling, handshake, configure);
        let report = scene.client.report();
        assert_says(report.no_websocket.expect(why), &[why]);
        assert!(report.transports_failed.is_empty(), "{report:?}");
        assert_says(&report.to_string(), &["connected by polling for ", why]);
    }
}

// --- how it stands --------------------------------------------------------------------------------------------------

#[test]
fn a_report_says_how_the_connection_stands() {
    reporting::a_report_says_how_the_connection_stands::<Legacy>();
}

#[test]
fn a_report_is_of_one_moment() {
    reporting::a_report_is_of_one_moment::<Legacy>();
}

// --- what is logged -------------------------------------------------------------------------------------------------

#[test]
fn every_line_stands_in_its_spans() {
    let test = logging::every_line_stands_in_its_spans::<Legacy>;
    alone("report::every_line_stands_in_its_spans", test);
}
