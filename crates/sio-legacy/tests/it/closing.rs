//! Closing: what the server is told, what ends at once, and how long it may take with a peer that does not help.

use std::time::Duration;

use sio_legacy::{ClientBuilder, DisconnectReason, Error, NextError, Transport};
use sio_peer::client::{
    closes_for_good, closing, closing_at_once, closing_within, is_closed_by_client, joining,
};
use sio_peer::peer::Answer;
use sio_peer::wait::{PATIENCE, background, error_of, takes};

use crate::scene::{Polling, Socketed, Streaming, body, usual};
use crate::wire::{Answers as _, Packets as _, Posts as _};

const POLLING: [Transport; 2] = [Transport::Polling, Transport::JsonpPolling];

#[test]
fn closing_on_polling_posts_a_goodbye_and_hears_the_server_s() {
    for transport in POLLING {
        let mut scene = Polling::on(transport);
        let closing = closing_at_once(&scene.client);
        assert_eq!(scene.post(), ["0::"]);
        scene.answer(&Answer::plain(body(transport, &["0::"])));
        closing.join();
        assert!(matches!(scene.told.reason(), DisconnectReason::Client));
        is_closed_by_client(scene.client.emit("x", ()));
        scene.peer.hears_nothing(Duration::from_millis(20));
    }
}

#[test]
fn closing_on_websocket_says_goodbye_and_waits_for_the_end_of_the_stream() {
    let mut scene = Socketed::new();
    let closing = closing_at_once(&scene.client);
    scene.socket.expect("0::");
    scene.socket.text("0::");
    scene.socket.cut();
    closing.join();
    assert!(matches!(scene.told.reason(), DisconnectReason::Client));
    is_closed_by_client(scene.client.emit("x", ()));
}

#[test]
fn closing_on_htmlfile_posts_a_goodbye_and_hears_the_server_s() {
    let mut scene = Streaming::new();
    let closing = closing_at_once(&scene.client);
    assert_eq!(scene.post(), ["0::"]);
    scene.stream.packet("0::");
    scene.stream.end();
    closing.join();
    assert!(matches!(scene.told.reason(), DisconnectReason::Client));
    is_closed_by_client(scene.client.emit("x", ()));
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
    assert_eq!(scene.post(), ["5:::{\"name\":\"second\"}", "0::"]);
    scene.answer(&Answer::packets(&["0::"]));
    closing.join();

    const COUNT: usize = 1000;
    let mut scene = Socketed::new();
    for n in 0..COUNT {
        scene.client.emit("n", n).unwrap();
    }
    let closing = closing_at_once(&scene.client);
    let mut came = 0;
    loop {
        let packet = scene.socket.packet();
        if packet == "0::" {
            break;
        }
        assert_eq!(packet, format!("5:::{{\"name\":\"n\",\"args\":[{came}]}}"));
        came += 1;
    }
    assert_eq!(came, COUNT);
    scene.socket.cut();
    closing.join();
}

#[test]
fn what_was_emitted_before_is_sent_to_a_server_that_paces_nothing_too() {
    // It acknowledges nothing without data, as servers that are not the reference.
    let mut scene = Socketed::with(&usual(), |b| b.close_timeout(Duration::from_secs(5)));
    for n in 0..60 {
        scene.client.emit("n", n).unwrap();
    }
    let closing = closing_within(&scene.client, Duration::ZERO, Duration::from_secs(5));
    let mut came = 0;
    loop {
        match &*scene.socket.message().to_string() {
            "0::" => break,
            packet => came += usize::from(packet.starts_with('5')),
        }
    }
    assert_eq!(came, 60);
    scene.socket.cut();
    closing.join();
}

#[test]
fn a_peer_that_is_dead_delays_closing_by_its_limit_and_no_longer() {
    let limit = Duration::from_millis(300);
    let most = limit + Duration::from_millis(500);
    let scene = Socketed::with(&usual(), |builder| builder.close_timeout(limit));
    closing_within(&scene.client, limit, most).join();
    assert!(matches!(scene.told.reason(), DisconnectReason::Client));

    for transport in POLLING {
        // A goodbye that is not answered.
        let mut scene = Polling::with(transport, &usual(), |b| b.close_timeout(limit));
        let closed = closing_within(&scene.client, limit, most);
        let unanswered = scene.peer.post();
        closed.join();
        unanswered.expect_drop();
        scene.poll.take().unwrap().expect_drop();

        // A poll that is not answered though the goodbye was.
        let mut scene = Polling::with(transport, &usual(), |b| b.close_timeout(limit));
        let closed = closing_within(&scene.client, limit, most);
        assert_eq!(scene.post(), ["0::"]);
        closed.join();
        scene.poll.take().unwrap().expect_drop();

        // A post before it that is not answered: the goodbye never goes out.
        let mut scene = Polling::with(transport, &usual(), |b| b.close_timeout(limit));
        scene.client.emit("x", ()).unwrap();
        let unanswered = scene.peer.post();
        closing_within(&scene.client, limit, most).join();
        unanswered.expect_drop();
    }

    let mut scene = Streaming::with(&usual(), |builder| builder.close_timeout(limit));
    let closed = closing_within(&scene.client, limit, most);
    assert_eq!(scene.post(), ["0::"]);
    closed.join();
    scene.stream.request.expect_drop();
}

#[test]
fn closing_works_twice_in_every_state_and_needs_no_peer() {
    let limit = Duration::from_millis(300);
    let short = |b: ClientBuilder| b.close_timeout(limit);
    for transport in POLLING {
        let idle = Polling::with(transport, &usual(), short);
        closes_for_good("a poll that hangs", &idle.client, limit);

        let mut busy = Polling::with(transport, &usual(), short);
        busy.client.emit("x", ()).unwrap();
        let post = busy.peer.post();
        closes_for_good("a poll and a post that hang", &busy.client, limit);
        post.expect_drop();

        let mut failed = Polling::with(transport, &usual(), short);
        failed.answer(&Answer::new(500, "text/plain", b"no"));
        failed.told.reason();
        closes_for_good("an error", &failed.client, Duration::ZERO);
    }
    let streaming = Streaming::with(&usual(), short);
    closes_for_good("a stream that hangs", &streaming.client, limit);

    let socketed = Socketed::with(&usual(), short);
    closes_for_good("a WebSocket that hangs", &socketed.client, limit);

    let waiting = Socketed::with(&usual(), short);
    for n in 0..500 {
        waiting.client.emit("n", n).unwrap();
    }
    closes_for_good("emits that wait for acks", &waiting.client, limit);

    let mut ended = Socketed::with(&usual(), short);
    ended.socket.cut();
    ended.told.reason();
    closes_for_good("the end of the stream", &ended.client, Duration::ZERO);
}

#[test]
fn closing_with_a_full_buffer_and_a_peer_that_never_reads_is_bounded() {
    let limit = Duration::from_millis(300);
    let scene = Socketed::with(&usual(), |b| {
        b.close_timeout(limit)
            .send_timeout(Duration::from_millis(50))
            .send_buffer(1 << 20)
    });
    let filler = "x".repeat(50_000);
    while scene.client.emit("fill", &filler).is_ok() {}
    closing_within(&scene.client, limit, limit + Duration::from_millis(700)).join();
    assert!(matches!(scene.told.reason(), DisconnectReason::Client));
}

#[test]
fn closing_starts_no_new_poll_also_when_one_is_due() {
    let mut scene = Polling::new();
    // Answered at once with nothing: the next poll waits for some 100 ms.
    scene.answer(&Answer::plain(""));
    let closing = closing(&scene.client);
    let goodbye = scene.peer.post();
    assert_eq!(goodbye.packets(), ["0::"]);
    scene.peer.hears_nothing(Duration::from_millis(300));
    goodbye.ok();
    takes(Duration::ZERO, Duration::from_millis(500), || {
        closing.join().unwrap();
    });
    scene.peer.hears_nothing(Duration::from_millis(20));
}

#[test]
fn what_comes_while_closing_changes_nothing() {
    let mut scene = Polling::new();
    let closing_ = closing_at_once(&scene.client);
    let goodbye = scene.peer.post();
    scene.answer(&Answer::packets(&[
        "3:1::late",
        "2::",
        "5:2+::{\"name\":\"late\"}",
        "1::/x",
    ]));
    // No new poll, no answers: after a goodbye nothing is heard.
    scene.peer.hears_nothing(Duration::from_millis(50));
    goodbye.ok();
    closing_.join();
    assert_eq!(scene.client.counters().events, 0);

    for end in ["7:::1+0", "0::", "\u{fffd}9\u{fffd}0::", "<html>"] {
        let mut scene = Polling::new();
        let closing = closing_at_once(&scene.client);
        let goodbye = scene.peer.post();
        scene.answer(&Answer::plain(end));
        goodbye.ok();
        closing.join();
        assert!(
            matches!(scene.told.reason(), DisconnectReason::Client),
            "{end}"
        );
    }
    let mut scene = Polling::new();
    let closing = closing_at_once(&scene.client);
    scene
        .peer
        .post()
        .answer(&Answer::new(500, "text/plain", b"no"));
    closing.join();
    assert!(matches!(scene.told.reason(), DisconnectReason::Client));
}

#[test]
fn a_goodbye_of_the_server_is_told_on_every_transport() {
    let mut socketed = Socketed::new();
    socketed.socket.text("0::");
    assert!(matches!(socketed.told.reason(), DisconnectReason::Server));
    socketed.socket.is_closed();
    for transport in POLLING {
        let mut polling = Polling::on(transport);
        polling.answer(&Answer::plain(body(transport, &["0::"])));
        assert!(matches!(polling.told.reason(), DisconnectReason::Server));
        polling.peer.hears_nothing(Duration::from_millis(20));
    }
    let mut streaming = Streaming::new();
    streaming.stream.packet("0::");
    assert!(matches!(streaming.told.reason(), DisconnectReason::Server));
    streaming.stream.request.expect_drop();
    let error = error_of("an emit", streaming.client.emit("x", ()));
    assert!(
        matches!(error, Error::Disconnected(DisconnectReason::Server)),
        "{error:?}"
    );
}

#[test]
fn a_forgotten_session_is_told_on_every_transport_and_never_used_again() {
    let mut socketed = Socketed::new();
    socketed.socket.text("7:::1+0");
    assert!(matches!(
        socketed.told.reason(),
        DisconnectReason::SessionLost
    ));
    for transport in POLLING {
        let mut polling = Polling::on(transport);
        polling.answer(&Answer::plain(body(transport, &["7:::1+0"])));
        assert!(matches!(
            polling.told.reason(),
            DisconnectReason::SessionLost
        ));
        polling.peer.hears_nothing(Duration::from_millis(20));
    }
    let mut streaming = Streaming::new();
    streaming.stream.packet("7:::1+0");
    assert!(matches!(
        streaming.told.reason(),
        DisconnectReason::SessionLost
    ));
}

#[test]
fn the_bare_end_of_the_stream_is_a_disconnect() {
    let mut socketed = Socketed::new();
    socketed.socket.cut();
    let reason = socketed.told.reason();
    assert!(
        matches!(reason, DisconnectReason::TransportClose { code: None, .. }),
        "{reason:?}"
    );
    let mut streaming = Streaming::new();
    streaming.stream.end();
    let reason = streaming.told.reason();
    assert!(
        matches!(reason, DisconnectReason::TransportClose { .. }),
        "{reason:?}"
    );
}

#[test]
fn closing_ends_receivers_and_is_no_error_twice() {
    let mut scene = Socketed::new();
    let client = scene.client.clone();
    let first = closing_at_once(&client);
    let second = closing_at_once(&client);
    scene.socket.expect("0::");
    scene.socket.cut();
    first.join();
    second.join();
    scene.client.close().unwrap();
    assert_eq!(
        scene.told.events.recv_timeout(PATIENCE).unwrap_err(),
        NextError::Closed
    );
    assert!(matches!(scene.client.wait(), DisconnectReason::Client));
}

#[test]
fn leaving_the_last_namespace_closes_the_session() {
    let mut scene = Socketed::new();
    let client = scene.client.clone();
    let leaving = background("leaving", move || client.disconnect());
    scene.socket.expect("0::");
    scene.socket.cut();
    leaving.join().unwrap();
    assert!(matches!(scene.told.reason(), DisconnectReason::Client));
}

#[test]
fn leaving_one_of_two_namespaces_keeps_the_session() {
    let mut scene = Socketed::new();
    let joining = joining(&scene.client, "/chat");
    scene.socket.expect("1::/chat");
    scene.socket.text("1::/chat");
    let chat = joining.join().unwrap();
    scene.client.disconnect().unwrap();
    // `0::` would end the session, so the server is not told.
    chat.emit("x", ()).unwrap();
    scene.socket.expect("5::/chat:{\"name\":\"x\"}");
    is_closed_by_client(scene.client.emit("x", ()));
    scene.socket.text("5:::{\"name\":\"ghost\"}");
    scene.socket.text("3:1:/chat:fence");
    scene.socket.expect("6::/chat:1");
    let closing = closing_at_once(&chat);
    scene.socket.expect("0::");
    scene.socket.cut();
    closing.join();
}
