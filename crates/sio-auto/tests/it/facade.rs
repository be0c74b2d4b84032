//! The client that finds out which server it has.

use std::time::Duration;

use sio_auto::{Client, ConnectionState, Error, Protocol, Socket as _, Transport, Unfit};
use sio_peer::peer::{Answer, Peer};
use sio_peer::wait::{PATIENCE, assert_says, error_of, takes};

use crate::wire::{
    For, LIMIT, builder, open, purpose, refusal, served, session_of_2, text, version,
};

#[test]
fn a_server_that_neither_protocol_fits_is_an_error_with_the_report() {
    let mut peer = Peer::new();
    let builder = builder(&peer);
    let connected = served(
        &mut peer,
        move || builder.connect(),
        |request| match purpose(&request) {
            For::Session(4) => request.answer(&text(&open(""))),
            For::Session(_) => request.answer(&refusal(5)),
            For::Script => request.answer(&version("\"4.4.1\"")),
            _ => request.answer(&text("ok")),
        },
    );
    let error = error_of("connecting", connected);
    assert_says(
        &error.chain(),
        &[
            "Socket.IO 4.x (4.4.1) without allowEIO3",
            "neither sio-v1 nor sio-legacy fits",
            "set `allowEIO3: true` in the server's options",
        ],
    );
    let Error::Protocol { source, .. } = &error else {
        panic!("expected an error of the protocol: {error:?}");
    };
    let unfit = source.downcast_ref::<Unfit>().expect("the report");
    assert_eq!(unfit.report.allows_eio3, Some(false));
}

#[test]
fn probe_and_connection_share_one_connect_timeout() {
    const SHORT: Duration = Duration::from_secs(1);
    let mut peer = Peer::new();
    let builder = builder(&peer).connect_timeout(SHORT);
    let mut held = Vec::new();
    let connected = takes(SHORT, SHORT * 19 / 10, || {
        served(
            &mut peer,
            move || builder.connect(),
            |request| match purpose(&request) {
                For::Session(4) => request.answer(&session_of_2("")),
                // The probe has asked; nobody answers the connection.
                For::Session(_) => held.push(request),
                For::Script => held.push(request),
                _ => request.answer(&text("ok")),
            },
        )
    });
    let error = error_of("connecting", connected);
    assert!(error.is_timeout(), "{error:?}");
    assert_says(&error.chain(), &["within 1s"]);
    let asked: Vec<For> = held.iter().map(purpose).collect();
    assert_eq!(asked, [For::Script, For::Session(3)]);
}

/// A 2.x server that holds its polls, and what asked for WebSockets.
fn two_x(builder: sio_auto::ClientBuilder, peer: &mut Peer, upgrades: &str) -> (Client, Vec<For>) {
    let mut seen = Vec::new();
    let mut polls = Vec::new();
    let client = served(
        peer,
        move || builder.connect(),
        |request| {
            let purpose = purpose(&request);
            seen.push(purpose);
            match purpose {
                For::Session(_) => request.answer(&session_of_2(upgrades)),
                For::Script => request.answer(&version("\"2.5.0\"")),
                For::Poll => polls.push(request),
                For::WebSocket(_) => {
                    let answer = Answer::new(400, "text/plain", b"no");
                    request.answer(&answer);
                }
                _ => request.answer(&text("ok")),
            }
        },
    );
    let client = client.expect("connected");
    // Its polls are left unanswered: it gives them up when it closes.
    let closing = || client.close();
    served(peer, closing, |request| {
        if purpose(&request) == For::Post {
            request.answer(&text("ok"));
        }
    })
    .expect("closed");
    (client, seen)
}

#[test]
fn what_the_probe_found_is_used() {
    let mut peer = Peer::for_many();
    let builder = builder(&peer).close_timeout(Duration::from_millis(200));
    let (client, seen) = two_x(builder, &mut peer, "");
    assert_eq!(client.protocol(), Protocol::V1);
    assert_eq!(client.state(), ConnectionState::Disconnected);
    assert_eq!(
        seen[..4],
        [For::Session(4), For::Post, For::Script, For::Session(3)]
    );
    assert!(!seen.contains(&For::WebSocket(3)), "{seen:?}");
}

#[test]
fn a_protocol_that_is_named_is_not_probed_for() {
    let mut peer = Peer::for_many();
    let builder = builder(&peer)
        .protocol(Protocol::V1)
        .transports([Transport::Polling])
        .close_timeout(Duration::from_millis(200));
    let (client, seen) = two_x(builder, &mut peer, "");
    assert!(matches!(client, Client::V1(_)));
    assert_eq!(seen[0], For::Session(3));

    let mut peer = Peer::new();
    let builder = builder_for_legacy(&peer);
    let mut first = None;
    let connected = served(
        &mut peer,
        move || builder.connect(),
        |request| {
            first.get_or_insert_with(|| purpose(&request));
            request.answer(&Answer::new(403, "text/plain", b"handshake unauthorized"));
        },
    );
    let error = error_of("connecting", connected);
    assert!(matches!(error, Error::Http(_)), "{error:?}");
    assert_eq!(first, Some(For::Legacy));
}

/// Settings of upgrades count only where there are any.
fn builder_for_legacy(peer: &Peer) -> sio_auto::ClientBuilder {
    builder(peer)
        .protocol(Protocol::Legacy)
        .upgrade(true)
        .upgrade_timeout(LIMIT)
        .remember_upgrade(&sio_auto::UpgradeMemory::new())
}

#[test]
fn handlers_and_receivers_are_those_of_the_connection() {
    let mut peer = Peer::for_many();
    let (sender, connects) = std::sync::mpsc::channel();
    let (builder, events) = builder(&peer)
        .close_timeout(Duration::from_millis(200))
        .on_connect(move |again| {
            let _ = sender.send(again);
        })
        .events();
    let (client, _) = two_x(builder, &mut peer, "");
    assert_eq!(connects.recv_timeout(PATIENCE), Ok(false));
    // The probe has connected, too, and nobody was told.
    drop(client);
    assert_eq!(connects.recv_timeout(PATIENCE).ok(), None);
    assert_eq!(events.count(), 0);
}

#[test]
fn a_wrong_setting_is_told_before_anything_is_sent() {
    let peer = Peer::new();
    for wrong in [
        builder(&peer).header("X", "a\r\nb"),
        builder(&peer).path("/a?b"),
        builder(&peer).connect_timeout(Duration::ZERO),
        Client::builder("ftp://localhost"),
    ] {
        let error = error_of("the probe", wrong.probe());
        assert!(matches!(error, Error::Usage(_)), "{error:?}");
        let error = error_of("connecting", wrong.connect());
        assert!(matches!(error, Error::Usage(_)), "{error:?}");
    }
    assert_eq!(peer.connections(), 0);
}
