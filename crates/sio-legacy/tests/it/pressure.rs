//! Peers that never read, never stop, or do both; and many threads at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sio_legacy::{DisconnectReason, Limits, Transport};
use sio_peer::alone::{alone, resident_bytes};
use sio_peer::client::is_send_timeout;
use sio_peer::flood;
use sio_peer::peer::Answer;
use sio_peer::wait::{Background, background, takes};
use sio_peer::websocket::frame;

use crate::scene::{Polling, Socketed, Streaming, handshake, usual};
use crate::wire::{Answers as _, Packets as _, chunk, script};

#[test]
fn a_peer_that_never_reads_blocks_emits_no_longer_than_the_limit() {
    alone(
        "pressure::a_peer_that_never_reads_blocks_emits_no_longer_than_the_limit",
        || {
            let (limit, buffer) = (Duration::from_millis(200), 1 << 20);
            let scene = Socketed::with(&usual(), |b| b.send_timeout(limit).send_buffer(buffer));
            let before = resident_bytes();
            let (error, taken, longest) = flood::emit_until_refused(&scene.client, 50_000);
            is_send_timeout(&error);
            assert!(longest < 3 * limit, "an emit took {longest:?}");
            assert!(taken < buffer + (16 << 20), "{taken} bytes were taken");
            let grown = resident_bytes().saturating_sub(before);
            assert!(grown < 32 << 20, "memory grew by {grown}");
            assert!(scene.client.is_connected());
        },
    );
}

#[test]
fn small_emits_to_a_peer_that_acknowledges_nothing_are_bounded_too() {
    let limit = Duration::from_millis(200);
    let scene = Socketed::with(&usual(), |b| b.send_timeout(limit).send_buffer(100_000));
    let (error, _, longest) = flood::emit_until_refused(&scene.client, 10);
    is_send_timeout(&error);
    assert!(longest < 3 * limit, "an emit took {longest:?}");
    assert!(scene.client.is_connected());
}

#[test]
fn a_post_that_is_never_answered_blocks_emits_no_longer_than_the_limit() {
    let limit = Duration::from_millis(200);
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let mut scene = Polling::with(transport, &usual(), |b| {
            b.send_timeout(limit).send_buffer(100_000)
        });
        scene.client.emit("first", ()).unwrap();
        let post = scene.peer.post();
        let (error, taken, longest) = flood::emit_until_refused(&scene.client, 10_000);
        is_send_timeout(&error);
        assert!(taken <= 120_000, "{taken} bytes were taken");
        assert!(longest < 3 * limit, "an emit took {longest:?}");
        crate::wire::Posts::ok(post);
        let mut came = 0;
        while came < taken / 10_000 {
            came += scene.post().len();
        }
        scene.client.emit("after", ()).unwrap();
        assert_eq!(scene.post(), ["5:::{\"name\":\"after\"}"]);
    }
}

#[test]
fn a_call_to_a_peer_that_never_reads_times_out_at_its_limit() {
    let scene = Socketed::with(&usual(), |b| {
        b.send_timeout(Duration::from_millis(50))
            .send_buffer(1 << 20)
    });
    flood::emit_until_refused(&scene.client, 50_000);
    let limit = Duration::from_millis(200);
    let result = takes(Duration::ZERO, 3 * limit, || {
        scene.client.call::<_, ()>("q", (), limit)
    });
    assert!(result.unwrap_err().is_timeout());
}

#[test]
fn the_program_s_own_backlog_is_not_held_against_the_server() {
    // More emits than packets may wait in answer to the server, within the default buffer.
    const COUNT: usize = 150_000;
    let mut scene = Polling::new();
    scene.client.emit("first", ()).unwrap();
    let post = scene.peer.post();
    for _ in 0..COUNT {
        scene.client.emit("n", ()).unwrap();
    }
    scene.packets(&["3:1::question", "2::"]);
    assert_eq!(scene.told.text_event().1, "question");
    scene.packets(&["3:::still here"]);
    assert_eq!(scene.told.text_event().1, "still here");
    assert!(scene.client.is_connected());
    drop(post);
}

/// A client under a flood of frames still emits, looks and closes.
#[track_caller]
fn survives(bytes: &[u8]) {
    let scene = Socketed::new();
    flood::survives(&scene.client, scene.socket.socket.get_ref(), bytes);
}

#[test]
fn a_flood_of_events_starves_nobody() {
    survives(&frame(0x81, b"5:::{\"name\":\"flood\",\"args\":[1]}"));
}

#[test]
fn a_flood_of_noops_starves_nobody() {
    survives(&frame(0x81, b"8::"));
}

#[test]
fn a_flood_of_heartbeats_starves_nobody() {
    survives(&frame(0x81, b"2::"));
}

#[test]
fn a_flood_of_garbage_starves_nobody() {
    survives(&frame(0x81, b"garbage"));
    survives(&frame(
        0x81,
        "\u{fffd}3\u{fffd}8::\u{fffd}3\u{fffd}9::".as_bytes(),
    ));
    survives(&frame(0x81, b"6:::7+[]"));
}

#[test]
fn a_flood_of_websocket_pings_starves_nobody() {
    survives(&frame(0x89, b""));
    survives(&frame(0x89, &[7; 125]));
    survives(&frame(0x8a, b"pong"));
}

#[test]
fn a_flood_of_empty_fragments_starves_nobody() {
    let mut scene = Socketed::new();
    scene.socket.raw(&frame(0x01, b"3"));
    let stream = scene.socket.socket.get_ref();
    flood::survives(&scene.client, stream, &frame(0x00, b""));
}

#[test]
fn a_flood_on_the_stream_of_htmlfile_starves_nobody() {
    let packets = ["3:::flood", "8::", "garbage"];
    let floods = packets
        .iter()
        .map(|packet| chunk(script(packet).as_bytes()));
    for bytes in floods.chain([chunk(b" ")]) {
        let scene = Streaming::new();
        flood::survives(&scene.client, &scene.stream.request.stream, &bytes);
    }
}

#[test]
fn a_flood_of_pings_does_not_hide_the_silence() {
    let scene = Socketed::with(&handshake("1", "1"), |builder| builder);
    let (stop, flooding) = flood::flood(scene.socket.socket.get_ref(), &frame(0x89, b""));
    let reason = takes(Duration::from_millis(900), Duration::from_secs(4), || {
        scene.told.reason()
    });
    assert!(
        matches!(reason, DisconnectReason::PingTimeout),
        "{reason:?}"
    );
    stop.store(true, Ordering::Release);
    flooding.join();
}

/// Whatever a peer asks for without reading the answers, memory stays bounded: answers, or the session, have an end.
#[track_caller]
fn asks_in_vain(packet: &str) {
    // Nobody takes the events, so they take no memory.
    let scene = Socketed::new();
    drop(scene.told.events);
    let (stop, flooding) = flood::flood(
        scene.socket.socket.get_ref(),
        &frame(0x81, packet.as_bytes()),
    );
    let before = resident_bytes();
    // Enough for some hundred thousand questions. The client may end the session before.
    let goes_on = flooding.blocks_for(Duration::from_secs(3));
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 48 << 20, "{packet}: memory grew by {grown}");
    stop.store(true, Ordering::Release);
    drop(scene.client);
    if goes_on {
        flooding.join();
    }
}

#[test]
fn heartbeats_without_end_take_no_memory_though_their_answers_are_not_read() {
    alone(
        "pressure::heartbeats_without_end_take_no_memory_though_their_answers_are_not_read",
        || {
            asks_in_vain("2::");
        },
    );
}

#[test]
fn questions_without_end_take_no_memory_though_their_answers_are_not_read() {
    alone(
        "pressure::questions_without_end_take_no_memory_though_their_answers_are_not_read",
        || {
            asks_in_vain("3:1::x");
            asks_in_vain("5:1::{\"name\":\"x\"}");
        },
    );
}

#[test]
fn questions_by_polling_take_no_memory_without_end_though_the_post_is_not_answered() {
    alone(
        "pressure::questions_by_polling_take_no_memory_without_end_though_the_post_is_not_answered",
        || {
            let mut scene = Polling::new();
            let packets = vec!["3:1::x"; 20_000];
            let before = resident_bytes();
            for _ in 0..50 {
                let Some(poll) = scene.poll.take() else { break };
                poll.answer(&Answer::packets(&packets));
                while scene.poll.is_none() {
                    match scene.peer.any_within(Duration::from_millis(500)) {
                        Some(request) if request.method == "GET" => scene.poll = Some(request),
                        Some(post) => std::mem::forget(post),
                        None => break,
                    }
                }
                while scene.told.events.try_recv().is_ok() {}
            }
            let grown = resident_bytes().saturating_sub(before);
            assert!(grown < 64 << 20, "memory grew by {grown}");
        },
    );
}

#[test]
fn what_a_peer_sends_to_nobody_takes_no_memory() {
    alone(
        "pressure::what_a_peer_sends_to_nobody_takes_no_memory",
        || {
            let limits = Limits::default().message_bytes(1 << 20);
            let mut scene = Socketed::with(&usual(), |builder| builder.limits(limits));
            let round = |scene: &mut Socketed, first: usize| {
                for n in first..first + 10_000 {
                    let nobody = format!("/nobody-{n}-{}", "x".repeat(100));
                    scene.socket.text(&format!("1::{nobody}"));
                    scene.socket.text(&format!("7::{nobody}:2"));
                    scene.socket.text(&format!("0::{nobody}"));
                    scene
                        .socket
                        .text(&format!("5::{nobody}:{{\"name\":\"e\"}}"));
                    scene.socket.text(&format!("6::{nobody}:{n}+[]"));
                    scene.socket.text(&format!("6:::{n}+[]"));
                }
                scene.socket.text("3:::fence");
                assert_eq!(scene.told.text_event().1, "fence");
            };
            round(&mut scene, 0);
            let before = resident_bytes();
            round(&mut scene, 10_000);
            let grown = resident_bytes().saturating_sub(before);
            assert!(grown < 2 << 20, "memory grew by {grown}");
        },
    );
}

#[test]
fn many_threads_emit_without_losing_or_mixing() {
    const THREADS: usize = 25;
    const EACH: usize = 100;
    let mut scene = Socketed::new();
    let emitters: Vec<_> = (0..THREADS)
        .map(|thread| {
            let client = scene.client.clone();
            background("an emitter", move || {
                for n in 0..EACH {
                    client.emit("b", (thread, n)).unwrap();
                }
            })
        })
        .collect();
    let mut next = [0; THREADS];
    let mut came = 0;
    while came < THREADS * EACH {
        let packet = scene.socket.packet();
        let list = packet
            .strip_prefix("5:::{\"name\":\"b\",\"args\":")
            .unwrap();
        let (thread, n): (usize, usize) =
            serde_json::from_str(list.strip_suffix('}').unwrap()).unwrap();
        assert_eq!(n, next[thread], "thread {thread} is out of order");
        next[thread] += 1;
        came += 1;
    }
    emitters.into_iter().for_each(Background::join);
}
