//! The heartbeat: pings on schedule whatever else happens, and an end when the server is silent.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use sio_peer::client::{emitting, polling_only};
use sio_peer::wait::{PATIENCE, background, error_of, next, takes};
use sio_peer::websocket::frame;
use sio_v1::{DisconnectReason, Error};

use crate::scene::{Polling, Socketed};
use crate::wire::{Packets as _, open, text};

/// A heartbeat of 150 + 250 ms.
fn quick() -> String {
    open(&[], 150, 250)
}

#[test]
fn an_idle_client_pings_at_the_server_s_interval() {
    let mut scene = Socketed::with(&quick(), |builder| builder);
    let start = Instant::now();
    for beat in 1..=4 {
        scene.socket.expect("2");
        let due = Duration::from_millis(150 * beat);
        let late = start
            .elapsed()
            .checked_sub(due)
            .map_or(Duration::ZERO, |late| late);
        assert!(
            start.elapsed() + Duration::from_millis(50) >= due,
            "ping {beat} came early"
        );
        assert!(
            late < Duration::from_millis(100),
            "ping {beat} came {late:?} late"
        );
        scene.socket.text("3");
    }
    assert!(scene.client.latency().is_some());
    assert!(scene.client.is_connected());
}

#[test]
fn pings_stay_on_schedule_while_the_server_and_the_program_talk() {
    let mut scene = Socketed::with(&quick(), |builder| builder);
    let client = scene.client.clone();
    let (stop, stopped) = mpsc::channel::<()>();
    let talking = background("emitting", move || {
        while stopped.recv_timeout(Duration::from_millis(5)) == Err(mpsc::RecvTimeoutError::Timeout)
        {
            client.emit("chatter", ()).unwrap();
        }
    });
    let (start, mut pings) = (Instant::now(), 0);
    while pings < 4 {
        if scene.socket.packet() == text("2") {
            pings += 1;
            scene.socket.text("3");
        } else {
            scene.socket.text("42[\"answer\"]");
        }
        assert!(
            start.elapsed() < Duration::from_millis(900),
            "{pings} pings in {:?}",
            start.elapsed()
        );
    }
    stop.send(()).unwrap();
    talking.join();
}

#[test]
fn silence_after_a_ping_ends_the_session_as_a_ping_timeout() {
    let scene = Socketed::with(&quick(), |builder| builder);
    let reason = takes(
        Duration::from_millis(300),
        Duration::from_millis(900),
        || scene.told.reason(),
    );
    assert!(
        matches!(reason, DisconnectReason::PingTimeout),
        "{reason:?}"
    );

    let mut scene = Polling::with(&quick(), polling_only);
    let reason = takes(
        Duration::from_millis(300),
        Duration::from_millis(900),
        || scene.told.reason(),
    );
    assert!(
        matches!(reason, DisconnectReason::PingTimeout),
        "{reason:?}"
    );
    scene.poll.take().unwrap().expect_drop();
}

#[test]
fn any_packet_counts_as_life() {
    let mut scene = Socketed::with(&quick(), |builder| builder);
    let start = Instant::now();
    // Never a pong, for more than twice the time after which silence would be the end.
    while start.elapsed() < Duration::from_millis(900) {
        scene.socket.expect("2");
        scene.socket.text("6");
    }
    assert!(scene.client.is_connected());
    assert_eq!(scene.client.latency(), None);
}

#[test]
fn websocket_pings_of_the_server_are_no_packets() {
    // They prove the connection, not the engine behind a proxy.
    let mut scene = Socketed::with(&quick(), |builder| builder);
    let ping = frame(0x89, b"proxy");
    scene
        .told
        .until_ping_timeout(Duration::from_secs(3), || scene.socket.raw(&ping));
}

#[test]
fn emitting_into_a_dead_link_does_not_hide_the_timeout() {
    let scene = Socketed::with(&quick(), |builder| builder);
    let emitting = emitting(&scene.client);
    let reason = takes(Duration::from_millis(300), Duration::from_secs(2), || {
        scene.told.reason()
    });
    assert!(
        matches!(reason, DisconnectReason::PingTimeout),
        "{reason:?}"
    );
    let error = emitting.join();
    assert!(
        matches!(error, Error::Disconnected(DisconnectReason::PingTimeout)),
        "{error:?}"
    );
}

#[test]
fn a_handler_that_blocks_delays_no_ping() {
    let mut scene = Socketed::with(&quick(), |builder| builder);
    let (release, blocked) = mpsc::channel::<()>();
    let (entered, in_handler) = mpsc::channel();
    scene.client.on("block", move || {
        entered.send(()).unwrap();
        let _ = blocked.recv_timeout(PATIENCE);
    });
    scene.socket.text("42[\"block\"]");
    next("the handler", &in_handler);
    for _ in 0..4 {
        scene.socket.expect("2");
        scene.socket.text("3");
    }
    assert!(scene.client.is_connected());
    release.send(()).unwrap();
}

#[test]
fn a_waiting_call_drives_the_heartbeat_too() {
    let mut scene = Socketed::with(&quick(), |builder| builder);
    let client = scene.client.clone();
    let limit = Duration::from_millis(700);
    let call = background("a call", move || client.call::<_, ()>("q", (), limit));
    scene.socket.expect("420[\"q\"]");
    for _ in 0..4 {
        scene.socket.expect("2");
        scene.socket.text("3");
    }
    assert!(error_of("the call", call.join()).is_timeout());
}

#[test]
fn pings_on_polling_are_posted_between_other_posts() {
    let mut scene = Polling::with(&quick(), polling_only);
    let mut pings = 0;
    for n in 0..4 {
        scene.client.emit("n", n).unwrap();
        let packets = scene.post();
        pings += packets
            .iter()
            .filter(|packet| **packet == text("2"))
            .count();
        if pings == 0 || n == 0 {
            assert_eq!(
                scene.post(),
                [text("2")],
                "the ping has a post of its own when nothing else waits"
            );
            pings += 1;
        }
        scene.text("3");
    }
    assert!(scene.client.is_connected());
}
