//! The heartbeat: answered whatever else happens, and an end when the server is silent.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use sio_legacy::{DisconnectReason, Options, Transport};
use sio_peer::client::emitting;
use sio_peer::wait::{PATIENCE, all_at_once, background, next, takes};
use sio_peer::websocket::frame;

use crate::scene::{
    Polling, Socketed, Stream, Streaming, accepting, handshake, opening, shake_hands,
};
use crate::wire::{Answers as _, Posts as _, pacing_id};

/// More than a second, and less than a session with `1` second should take to be given up.
const LEAST: Duration = Duration::from_millis(900);
const MOST: Duration = Duration::from_millis(2500);

#[track_caller]
fn is_ping_timeout(reason: &DisconnectReason) {
    assert!(
        matches!(reason, DisconnectReason::PingTimeout),
        "{reason:?}"
    );
}

#[test]
fn a_heartbeat_is_answered_on_every_transport() {
    let mut scene = Socketed::new();
    for beat in ["2::", "2:::", "2::"] {
        scene.socket.text(beat);
        scene.socket.expect("2::");
    }
    let mut scene = Streaming::new();
    for _ in 0..3 {
        scene.stream.packet("2::");
        assert_eq!(scene.post(), ["2::"]);
    }
    // gevent-socketio beats on polling, too.
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let mut scene = Polling::on(transport);
        scene.packets(&["2::"]);
        assert_eq!(scene.post(), ["2::"]);
    }
}

#[test]
fn a_heartbeat_is_answered_while_a_handler_blocks() {
    let mut scene = Socketed::new();
    let (release, blocked) = mpsc::channel::<()>();
    let (entered, in_handler) = mpsc::channel();
    scene.client.on("block", move || {
        entered.send(()).unwrap();
        let _ = blocked.recv_timeout(PATIENCE);
    });
    scene.socket.text("5:::{\"name\":\"block\"}");
    next("the handler", &in_handler);
    takes(Duration::ZERO, Duration::from_secs(1), || {
        for _ in 0..5 {
            scene.socket.text("2::");
            scene.socket.expect("2::");
        }
    });
    release.send(()).unwrap();

    let mut scene = Streaming::new();
    let (release, blocked) = mpsc::channel::<()>();
    scene.client.on("block", move || {
        let _ = blocked.recv_timeout(PATIENCE);
    });
    scene.stream.packet("5:::{\"name\":\"block\"}");
    scene.stream.packet("2::");
    assert_eq!(scene.post(), ["2::"]);
    release.send(()).unwrap();
}

#[test]
fn a_waiting_call_drives_the_heartbeat_too() {
    let mut scene = Socketed::new();
    let client = scene.client.clone();
    let limit = Duration::from_millis(300);
    let call = background("a call", move || client.call::<_, ()>("q", (), limit));
    scene.socket.expect("5:1+::{\"name\":\"q\"}");
    for _ in 0..3 {
        scene.socket.text("2::");
        scene.socket.expect("2::");
    }
    assert!(call.join().unwrap_err().is_timeout());
}

#[test]
fn a_steady_stream_of_emits_leaves_no_heartbeat_unanswered() {
    const BEATS: usize = 60;
    let mut scene = Socketed::new();
    let client = scene.client.clone();
    let (stop, stopped) = mpsc::channel::<()>();
    let emitting = background("emitting", move || {
        while let Err(mpsc::TryRecvError::Empty) = stopped.try_recv() {
            client.emit("n", ()).unwrap();
        }
    });
    // Each beat comes while as much is on its way as may be; then the server answers, and reads on.
    let (mut sent, mut answered) = (0, 0);
    let start = Instant::now();
    while answered < BEATS {
        assert!(
            start.elapsed() < PATIENCE,
            "{answered} of {sent} beats were answered"
        );
        let packet = scene.socket.message().to_string();
        if let Some(id) = pacing_id(&packet) {
            if sent < BEATS {
                scene.socket.text("2::");
                sent += 1;
            }
            scene.socket.text(&format!("6:::{id}"));
        } else if packet == "2::" {
            answered += 1;
        }
    }
    stop.send(()).unwrap();
    emitting.join();
}

#[test]
fn silence_on_a_websocket_ends_the_session_at_the_longer_of_the_two_timeouts() {
    all_at_once(
        [("1", "1"), ("0.3", "1"), ("1", "0.3"), ("1", "")],
        |(heartbeat, close)| {
            let mut scene = Socketed::with(&handshake(heartbeat, close), |builder| builder);
            let reason = takes(LEAST, MOST, || scene.told.reason());
            is_ping_timeout(&reason);
            scene.socket.is_closed();
        },
    );
}

#[test]
fn silence_on_htmlfile_ends_the_session_too() {
    let scene = Streaming::with(&handshake("1", "0.5"), |builder| builder);
    let reason = takes(LEAST, MOST, || scene.told.reason());
    is_ping_timeout(&reason);
    scene.stream.request.expect_drop();
}

#[test]
fn silence_on_polling_is_no_timeout() {
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let mut scene = Polling::with(transport, &handshake("0.2", "0.2"), |builder| builder);
        scene.peer.hears_nothing(Duration::from_millis(800));
        scene.packets(&["3:::x"]);
        assert_eq!(scene.told.text_event().1, "x");
    }
}

#[test]
fn a_poll_that_is_held_for_too_long_ends_the_session() {
    // A limit below a second is one: no poll could be held that short.
    for limit in [Duration::from_secs(1), Duration::ZERO] {
        let options = Options::new().poll_timeout(limit);
        let mut scene = Polling::with(Transport::Polling, &handshake("60", "60"), |b| {
            b.protocol(options)
        });
        let reason = takes(LEAST, MOST, || scene.told.reason());
        is_ping_timeout(&reason);
        scene.poll.take().unwrap().expect_drop();
    }
}

#[test]
fn empty_fields_mean_no_timeout() {
    all_at_once(
        [("", ""), ("", "1"), ("0", "0"), ("0", "1")],
        |(heartbeat, close)| {
            let mut socketed = Socketed::with(&handshake(heartbeat, close), |builder| builder);
            let mut streaming = Streaming::with(&handshake(heartbeat, close), |builder| builder);
            assert_eq!(
                socketed.socket.message_within(Duration::from_millis(700)),
                None
            );
            streaming.peer.hears_nothing(Duration::from_millis(700));
            assert!(socketed.client.is_connected() && streaming.client.is_connected());
        },
    );
}

#[test]
fn any_packet_counts_as_life() {
    let mut scene = Socketed::with(&handshake("1", "1"), |builder| builder);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2200) {
        assert_eq!(
            scene.socket.message_within(Duration::from_millis(200)),
            None
        );
        scene.socket.text("8::");
    }
    assert!(scene.client.is_connected());
    let mut scene = Streaming::with(&handshake("1", "1"), |builder| builder);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2200) {
        scene.peer.hears_nothing(Duration::from_millis(200));
        scene.stream.chunk(b" ");
    }
    assert!(scene.client.is_connected());
}

#[test]
fn websocket_pings_of_a_proxy_do_not_hide_the_silence() {
    let mut scene = Socketed::with(&handshake("1", "1"), |builder| builder);
    let ping = frame(0x89, b"proxy");
    scene
        .told
        .until_ping_timeout(Duration::from_secs(4), || scene.socket.raw(&ping));
}

#[test]
fn emitting_into_a_dead_link_does_not_hide_the_silence() {
    let scene = Socketed::with(&handshake("1", "1"), |builder| builder);
    let emitting = emitting(&scene.client);
    let reason = takes(LEAST, MOST, || scene.told.reason());
    is_ping_timeout(&reason);
    emitting.join();
}

#[test]
fn what_a_transport_heard_that_was_given_up_does_not_limit_the_next_one() {
    for first in [Transport::WebSocket, Transport::HtmlFile] {
        let mut peer = sio_peer::peer::Peer::new();
        let builder =
            sio_legacy::Client::builder(&peer.url()).transports([first, Transport::Polling]);
        let (builder, told) = sio_peer::client::watched(builder);
        let connecting = sio_peer::client::connecting(builder);
        shake_hands(&mut peer, "A:0.3:0.3:websocket,htmlfile,xhr-polling");
        if first == Transport::WebSocket {
            let mut socket = accepting(&mut peer, "A");
            socket.text("8::");
            socket.cut();
        } else {
            let mut stream = Stream::open(opening(&mut peer, first, "A"));
            stream.packet("8::");
            stream.request.close();
        }
        shake_hands(&mut peer, "B:0.3:0.3:websocket,htmlfile,xhr-polling");
        let get = opening(&mut peer, Transport::Polling, "B");
        get.answer(&sio_peer::peer::Answer::packets(&["1::"]));
        let client = connecting.join().unwrap();
        let poll = peer.get();
        peer.hears_nothing(Duration::from_millis(800));
        assert!(client.is_connected());
        assert!(poll.path().ends_with("/B"));
        drop(told);
    }
}
