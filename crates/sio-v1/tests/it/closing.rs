//! Closing: what the server is told, what ends at once, and how long it may take with a peer that does not help.

use std::time::Duration;

use sio_peer::client::{
    closes_for_good, closing, closing_at_once, closing_within, is_closed_by_client, joining,
    polling_only,
};
use sio_peer::peer::Answer;
use sio_peer::wait::{PATIENCE, assert_says, background, error_of, takes};
use sio_v1::{ClientBuilder, DisconnectReason, Error, NextError};

use crate::scene::{Polling, Socketed};
use crate::wire::{Posts as _, plain_open, probed, text};

#[test]
fn closing_on_polling_says_goodbye_and_ends_the_poll_at_once() {
    let mut scene = Polling::new();
    let closing = closing_at_once(&scene.client);
    assert_eq!(scene.post(), [text("41"), text("1")]);
    closing.join();
    scene.poll.take().unwrap().expect_drop();
    assert!(matches!(scene.told.reason(), DisconnectReason::Client));
    is_closed_by_client(scene.client.emit("x", ()));
    scene.peer.hears_nothing(Duration::from_millis(20));
}

#[test]
fn closing_on_websocket_says_goodbye_and_closes_with_code_1000() {
    let mut scene = Socketed::new();
    let closing = closing_at_once(&scene.client);
    scene.socket.expect("41");
    match scene.socket.message() {
        tungstenite::Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 1000),
        other => panic!("expected a close frame, and got {other:?}"),
    }
    scene.socket.is_closed();
    closing.join();
    assert!(matches!(scene.told.reason(), DisconnectReason::Client));
    is_closed_by_client(scene.client.emit("x", ()));
}

#[test]
fn every_joined_namespace_is_left() {
    let mut scene = Polling::new();
    for name in ["/a", "/b"] {
        let joining = joining(&scene.client, name);
        scene.post();
        scene.text(&format!("40{name}"));
        joining.join().unwrap();
    }
    let closing = closing_at_once(&scene.client);
    assert_eq!(
        scene.post(),
        [text("41"), text("41/a,"), text("41/b,"), text("1")]
    );
    closing.join();
}

#[test]
fn what_was_emitted_before_is_sent_first() {
    let mut scene = Polling::new();
    scene.client.emit("first", ()).unwrap();
    let post = scene.peer.post();
    scene.client.emit("second", ()).unwrap();
    let closing = closing_at_once(&scene.client);
    scene.peer.hears_nothing(Duration::from_millis(30));
    post.ok();
    assert_eq!(
        scene.post(),
        [text("42[\"second\"]"), text("41"), text("1")]
    );
    closing.join();

    let mut scene = Socketed::new();
    for n in 0..1000 {
        scene.client.emit("n", n).unwrap();
    }
    let closing = closing_at_once(&scene.client);
    for n in 0..1000 {
        scene.socket.expect(&format!("42[\"n\",{n}]"));
    }
    scene.socket.expect("41");
    scene.socket.is_closed();
    closing.join();
}

#[test]
fn a_peer_that_is_dead_delays_closing_by_its_limit_and_no_longer() {
    let limit = Duration::from_millis(300);
    let scene = Socketed::with(&plain_open(), |builder| builder.close_timeout(limit));
    closing_within(&scene.client, limit, 3 * limit).join();
    assert!(matches!(scene.told.reason(), DisconnectReason::Client));

    let mut scene = Polling::with(&plain_open(), |b| polling_only(b).close_timeout(limit));
    let closing = closing_within(&scene.client, limit, 3 * limit);
    let unanswered = scene.peer.post();
    closing.join();
    unanswered.expect_drop();
    scene.poll.take().unwrap().expect_drop();
}

#[test]
fn closing_works_twice_in_every_state_and_needs_no_peer() {
    let limit = Duration::from_millis(300);
    let short = |b: ClientBuilder| b.close_timeout(limit);
    let polling = || Polling::with(&plain_open(), |b| polling_only(short(b)));

    let idle = polling();
    closes_for_good("a poll that hangs", &idle.client, limit);

    let mut busy = polling();
    busy.client.emit("x", ()).unwrap();
    let post = busy.peer.post();
    closes_for_good("a poll and a post that hang", &busy.client, limit);
    post.expect_drop();

    let (upgrading, request) = Polling::upgrading(short);
    closes_for_good("a WebSocket that is not opened", &upgrading.client, limit);
    request.expect_drop();

    let (upgrading, request) = Polling::upgrading(short);
    let mut socket = probed(request);
    closes_for_good("a probe without an answer", &upgrading.client, limit);
    socket.is_closed();

    let (upgrading, request) = Polling::upgrading(short);
    let mut socket = probed(request);
    socket.text("3probe");
    closes_for_good("a poll that hangs in the pause", &upgrading.client, limit);
    socket.is_closed();

    let socketed = Socketed::with(&plain_open(), short);
    closes_for_good("a WebSocket that hangs", &socketed.client, limit);

    let mut ended = Socketed::with(&plain_open(), short);
    ended.socket.cut();
    ended.told.reason();
    closes_for_good("the end of the stream", &ended.client, Duration::ZERO);

    let mut failed = polling();
    failed.answer(&Answer::new(500, "text/plain", b"no"));
    failed.told.reason();
    closes_for_good("an error", &failed.client, Duration::ZERO);
}

#[test]
fn closing_with_a_full_buffer_and_a_peer_that_never_reads_is_bounded() {
    let limit = Duration::from_millis(300);
    let scene = Socketed::with(&plain_open(), |builder| {
        builder
            .close_timeout(limit)
            .send_timeout(Duration::from_millis(10))
            .send_buffer(1 << 20)
    });
    let filler = "x".repeat(100_000);
    while scene.client.emit("fill", &filler).is_ok() {}
    closing_within(&scene.client, Duration::ZERO, 3 * limit).join();
}

#[test]
fn a_failing_goodbye_is_no_error() {
    let mut scene = Polling::new();
    let closing_ = closing_at_once(&scene.client);
    scene
        .peer
        .post()
        .answer(&Answer::new(500, "text/plain", b"no"));
    closing_.join();
    let mut scene = Polling::new();
    let closing_ = closing_at_once(&scene.client);
    scene.peer.post().close();
    closing_.join();
    assert!(matches!(scene.told.reason(), DisconnectReason::Client));
}

#[test]
fn closing_twice_or_from_many_threads_is_no_error() {
    let mut scene = Socketed::new();
    let closers: Vec<_> = (0..8).map(|_| closing_at_once(&scene.client)).collect();
    scene.socket.is_closed();
    for closer in closers {
        closer.join();
    }
    takes(Duration::ZERO, Duration::from_millis(50), || {
        scene.client.close().unwrap();
        scene.client.disconnect().unwrap();
        scene.client.close().unwrap();
    });
    assert!(matches!(scene.client.wait(), DisconnectReason::Client));
}

#[test]
fn closing_after_the_server_has_gone_is_no_error() {
    let mut scene = Socketed::new();
    scene.socket.cut();
    scene.told.reason();
    takes(Duration::ZERO, Duration::from_millis(200), || {
        scene.client.close().unwrap();
    });
    assert!(matches!(
        scene.client.wait(),
        DisconnectReason::TransportClose { .. }
    ));
}

#[test]
fn a_waiting_call_is_told_at_once() {
    let mut scene = Socketed::new();
    let client = scene.client.clone();
    let call = background("a call", move || client.call::<_, ()>("q", (), PATIENCE));
    scene.socket.expect("420[\"q\"]");
    let closing = closing_at_once(&scene.client);
    let error = takes(Duration::ZERO, Duration::from_millis(500), || {
        error_of("the call", call.join())
    });
    assert!(
        matches!(error, Error::Disconnected(DisconnectReason::Client)),
        "{error:?}"
    );
    scene.socket.is_closed();
    closing.join();
}

#[test]
fn a_call_that_is_about_to_wait_is_told_at_once_too() {
    for round in 0..60 {
        let mut scene = Socketed::new();
        // One call makes the caller's thread the driver; the next one meets the close somewhere.
        let client = scene.client.clone();
        let calls = background("calls", move || {
            while client.call::<_, ()>("q", (), PATIENCE).is_ok() {}
        });
        for id in 0..round % 7 {
            scene.socket.expect(&format!("42{id}[\"q\"]"));
            scene.socket.text(&format!("43{id}[]"));
        }
        let closing = closing(&scene.client);
        takes(Duration::ZERO, Duration::from_millis(700), || calls.join());
        scene.socket.is_closed();
        closing.join().unwrap();
    }
}

#[test]
fn a_waiting_join_is_told_at_once() {
    let mut scene = Socketed::new();
    let joining = joining(&scene.client, "/slow");
    scene.socket.expect("40/slow,");
    let closing = closing_at_once(&scene.client);
    let error = error_of("the join", joining.join());
    assert!(
        matches!(error, Error::Disconnected(DisconnectReason::Client)),
        "{error:?}"
    );
    scene.socket.is_closed();
    closing.join();
}

#[test]
fn a_blocked_emit_is_told_at_once() {
    let scene = Socketed::with(&plain_open(), |b| {
        b.send_buffer(1 << 20)
            .close_timeout(Duration::from_millis(200))
    });
    let client = scene.client.clone();
    let emitting = background("emitting", move || {
        let filler = "x".repeat(100_000);
        loop {
            if let Err(error) = client.emit("fill", &filler) {
                return error;
            }
        }
    });
    assert!(emitting.blocks_for(Duration::from_millis(300)));
    closing_within(&scene.client, Duration::ZERO, PATIENCE).join();
    let error = takes(Duration::ZERO, Duration::from_millis(500), || {
        emitting.join()
    });
    assert!(
        matches!(error, Error::Disconnected(DisconnectReason::Client)),
        "{error:?}"
    );
}

#[test]
fn receivers_end_after_the_last_event() {
    let mut scene = Socketed::new();
    scene.socket.text("42[\"last\",\"one\"]");
    assert_eq!(scene.told.text_event().1, "one");
    let closing = closing_at_once(&scene.client);
    scene.socket.is_closed();
    closing.join();
    assert_eq!(scene.told.events.recv().unwrap_err(), NextError::Closed);
    assert_eq!(
        scene
            .told
            .events
            .next()
            .map(|event| event.name().to_owned()),
        None
    );
    assert_eq!(
        scene.client.events().try_recv().unwrap_err(),
        NextError::Closed
    );
}

#[test]
fn dropping_the_last_handle_says_goodbye() {
    let mut scene = Polling::new();
    let client = scene.client.clone();
    drop(scene.client);
    scene.peer.hears_nothing(Duration::from_millis(30));
    takes(Duration::ZERO, Duration::from_millis(100), || drop(client));
    let post = scene.peer.post();
    assert_eq!(post.packets(), [text("41"), text("1")]);
    post.ok();
    scene.poll.take().unwrap().expect_drop();

    let mut scene = Socketed::new();
    drop(scene.client);
    scene.socket.expect("41");
    scene.socket.is_closed();
}

#[test]
fn leaving_the_last_namespace_closes_unless_told_to_stay() {
    let mut scene = Socketed::new();
    let client = scene.client.clone();
    let leaving = background("leaving", move || client.disconnect());
    scene.socket.expect("41");
    scene.socket.is_closed();
    leaving.join().unwrap();

    let mut scene = Socketed::with(&plain_open(), |builder| builder.keep_open(true));
    scene.client.disconnect().unwrap();
    scene.socket.expect("41");
    is_closed_by_client(scene.client.emit("x", ()));
    let joining = joining(&scene.client, "/still");
    scene.socket.expect("40/still,");
    scene.socket.text("40/still");
    joining.join().unwrap();
}

#[test]
fn a_join_that_is_not_answered_fails_at_its_limit_and_is_taken_back() {
    let mut scene = Socketed::new();
    let limit = Duration::from_millis(150);
    let result = takes(limit, 3 * limit, || {
        scene.client.namespace("/void").timeout(limit).join()
    });
    let error = error_of("the join", result);
    assert_says(
        &error.to_string(),
        &["the server did not answer the join within 150ms"],
    );
    scene.socket.expect("40/void,");
    scene.socket.expect("41/void,");
    // Granted too late: nobody is there.
    scene.socket.text("40/void");
    scene.socket.text("42/void,[\"x\"]");
    scene.socket.text("42[\"next\"]");
    assert_eq!(scene.told.event().0, "next");
    assert_eq!(scene.client.counters().dropped_events, 1);
    assert!(scene.client.is_connected());
}
