//! Peers that never read, never stop, or do both; and many threads at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sio_peer::alone::{alone, peak_bytes, resident_bytes};
use sio_peer::client::{connecting, is_send_timeout, polling_only};
use sio_peer::flood;
use sio_peer::peer::{Answer, Peer};
use sio_peer::wait::{Background, PATIENCE, assert_says, background, error_of, takes};
use sio_peer::websocket::frame;
use sio_v1::{Client, Deadline, Error, Limits};
use tungstenite::Message;

use crate::scene::{Polling, Socketed};
use crate::wire::{Answers as _, Packet, Packets as _, Posts as _, open, plain_open, text};

#[test]
fn a_peer_that_never_reads_blocks_emits_no_longer_than_the_limit() {
    alone(
        "pressure::a_peer_that_never_reads_blocks_emits_no_longer_than_the_limit",
        || {
            let (limit, buffer) = (Duration::from_millis(200), 1 << 20);
            let mut scene =
                Socketed::with(&plain_open(), |b| b.send_timeout(limit).send_buffer(buffer));
            let before = resident_bytes();
            let (error, taken, longest) = flood::emit_until_refused(&scene.client, 50_000);
            let Error::Timeout {
                deadline, after, ..
            } = error
            else {
                panic!("{error:?}");
            };
            assert_eq!((deadline, after), (Deadline::Send, limit));
            assert!(longest < 2 * limit, "an emit took {longest:?}");
            // The system takes some megabytes of its own.
            assert!(taken < buffer + (16 << 20), "{taken} bytes were taken");
            for _ in 0..3 {
                let result = takes(limit, 2 * limit, || scene.client.emit("more", "x"));
                is_send_timeout(&result.unwrap_err());
            }
            let grown = resident_bytes().saturating_sub(before);
            assert!(grown < 32 << 20, "memory grew by {grown}");
            // Refused emits were not sent; the connection lives on when the peer reads again.
            for _ in 0..taken / 50_000 {
                assert!(matches!(scene.socket.packet(), Packet::Text(text) if text.len() > 50_000));
            }
            scene.client.emit("after", ()).unwrap();
            scene.socket.expect("42[\"after\"]");
        },
    );
}

#[test]
fn a_peer_that_reads_slowly_slows_emits_down_and_refuses_none() {
    const MESSAGES: usize = 480;
    const PACE: Duration = Duration::from_millis(10);
    // A second is too short for the whole buffer at this pace, and plenty for the steps in which the system makes room.
    let mut scene = Socketed::with(&plain_open(), |b| {
        b.send_timeout(100 * PACE).send_buffer(12 << 20)
    });
    let client = scene.client.clone();
    let emitting = background("emits to a slow peer", move || {
        let filler = "x".repeat(64 << 10);
        (0..MESSAGES).try_for_each(|_| client.emit("fill", &filler))
    });
    for _ in 0..MESSAGES {
        thread::sleep(PACE); // what makes this peer slow
        assert!(matches!(scene.socket.packet(), Packet::Text(text) if text.len() > 64 << 10));
    }
    emitting.join().unwrap();
}

#[test]
fn a_post_that_is_never_answered_blocks_emits_no_longer_than_the_limit() {
    let limit = Duration::from_millis(200);
    let mut scene = Polling::with(&plain_open(), |b| {
        polling_only(b).send_timeout(limit).send_buffer(100_000)
    });
    scene.client.emit("first", ()).unwrap();
    let post = scene.peer.post();
    let (error, taken, longest) = flood::emit_until_refused(&scene.client, 10_000);
    is_send_timeout(&error);
    assert!(taken <= 120_000, "{taken} bytes were taken");
    assert!(longest < 2 * limit, "an emit took {longest:?}");
    post.ok();
    assert_eq!(scene.post().len(), taken / 10_000);
    scene.client.emit("after", ()).unwrap();
    assert_eq!(scene.post(), [text("42[\"after\"]")]);
}

#[test]
fn a_call_to_a_peer_that_never_reads_times_out_at_its_limit() {
    let scene = Socketed::with(&plain_open(), |b| {
        b.send_timeout(Duration::from_millis(50))
            .send_buffer(1 << 20)
    });
    flood::emit_until_refused(&scene.client, 50_000);
    let result = takes(Duration::ZERO, Duration::from_millis(400), || {
        scene
            .client
            .call::<_, ()>("q", (), Duration::from_millis(200))
    });
    assert!(result.unwrap_err().is_timeout());
}

/// A client under a flood of frames still emits, looks and closes.
#[track_caller]
fn survives(bytes: &[u8]) {
    let scene = Socketed::new();
    flood::survives(&scene.client, scene.socket.socket.get_ref(), bytes);
}

#[test]
fn a_flood_of_events_starves_nobody() {
    survives(&frame(0x81, b"42[\"flood\",1]"));
}

#[test]
fn a_flood_of_noops_starves_nobody() {
    survives(&frame(0x81, b"6"));
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
    scene.socket.raw(&frame(0x01, b"4"));
    let stream = scene.socket.socket.get_ref();
    flood::survives(&scene.client, stream, &frame(0x00, b""));
}

#[test]
fn a_flood_of_pings_does_not_hide_a_ping_timeout() {
    let scene = Socketed::with(&open(&[], 100, 200), |builder| builder);
    let (stop, flooding) = flood::flood(scene.socket.socket.get_ref(), &frame(0x89, b""));
    let reason = takes(Duration::from_millis(200), Duration::from_secs(2), || {
        scene.told.reason()
    });
    assert!(
        matches!(reason, sio_v1::DisconnectReason::PingTimeout),
        "{reason:?}"
    );
    stop.store(true, Ordering::Release);
    flooding.join();
}

#[test]
fn both_sides_at_full_speed_do_not_block_each_other() {
    const COUNT: usize = 300;
    let Socketed {
        client,
        mut told,
        mut socket,
        peer,
    } = Socketed::with(&plain_open(), |b| b.send_buffer(1 << 20));
    // An echo that reads the next message only when the answer was taken.
    let echoing = background("the echo", move || {
        for _ in 0..COUNT {
            match socket.message() {
                Message::Text(text) => socket.text(&text),
                other => panic!("{other:?}"),
            }
        }
        socket
    });
    let emitter = client.clone();
    let emitting = background("emitting", move || {
        let filler = "x".repeat(100_000);
        for n in 0..COUNT {
            emitter.emit("echo", (n, &filler)).unwrap();
        }
    });
    for n in 0..COUNT {
        let Ok(event) = told.events.recv_timeout(PATIENCE) else {
            panic!("no echo of {n}; {:?}", told.statuses.try_iter().last());
        };
        let (number, filler): (usize, String) = event.decode().unwrap();
        assert_eq!((number, filler.len()), (n, 100_000));
    }
    emitting.join();
    assert!(client.is_connected());
    drop(echoing.join());
    drop(peer);
}

#[test]
fn an_emit_leaves_at_once_though_another_thread_looks_at_the_client() {
    let mut scene = Socketed::new();
    let stop = Arc::new(AtomicBool::new(false));
    let lookers: Vec<_> = (0..2)
        .map(|_| {
            let (client, stop) = (scene.client.clone(), Arc::clone(&stop));
            background("looking", move || {
                while !stop.load(Ordering::Acquire) {
                    let _ = (
                        client.counters(),
                        client.transport(),
                        client.id(),
                        client.latency(),
                    );
                }
            })
        })
        .collect();
    let start = Instant::now();
    for n in 0..3000 {
        scene.client.emit("n", n).unwrap();
        scene.socket.expect(&format!("42[\"n\",{n}]"));
        if start.elapsed() > Duration::from_secs(5) {
            break;
        }
    }
    stop.store(true, Ordering::Release);
    lookers.into_iter().for_each(Background::join);
}

#[test]
fn many_threads_emit_without_losing_or_mixing() {
    const THREADS: usize = 25;
    const EACH: usize = 200;
    let mut scene = Socketed::new();
    let emitters: Vec<_> = (0..THREADS)
        .map(|thread| {
            let client = scene.client.clone();
            background("an emitter", move || {
                for n in 0..EACH {
                    let bytes = bytes::Bytes::from(vec![thread as u8, n as u8]);
                    client
                        .emit("b", (thread, n, sio_v1::Value::from(bytes)))
                        .unwrap();
                }
            })
        })
        .collect();
    let mut next = [0; THREADS];
    for _ in 0..THREADS * EACH {
        let Packet::Text(header) = scene.socket.packet() else {
            panic!("an attachment without its header");
        };
        let list = header.strip_prefix("451-").expect("a binary event");
        let (_, thread, n, _): (String, usize, usize, serde_json::Value) =
            serde_json::from_str(list).unwrap();
        assert_eq!(n, next[thread], "thread {thread} is out of order");
        next[thread] += 1;
        assert_eq!(
            scene.socket.packet(),
            Packet::Binary(vec![thread as u8, n as u8])
        );
    }
    emitters.into_iter().for_each(Background::join);
}

/// Numbers that fill this many bytes as text. Each becomes a value of many bytes where somebody parses them.
fn zeros(bytes: usize) -> String {
    format!("[{}0]", "0,".repeat(bytes / 2))
}

#[test]
fn an_open_packet_of_megabytes_is_refused_unread() {
    alone(
        "pressure::an_open_packet_of_megabytes_is_refused_unread",
        || {
            let mut open = plain_open();
            open.truncate(open.len() - 1);
            open.push_str(&format!(",\"more\":{}}}", zeros(8 << 20)));
            let mut peer = Peer::new();
            let connecting = connecting(polling_only(Client::builder(&peer.url())));
            peer.get().answer(&Answer::text(&[&open, "40"]));
            let error = error_of("connecting", connecting.join());
            assert_says(
                &error.chain(),
                &["expected an open packet of at most 65536 bytes, found 8388"],
            );
            assert!(peak_bytes() < 80 << 20, "it held {}", peak_bytes());
        },
    );
}

#[test]
fn an_error_packet_of_megabytes_is_shown_as_text() {
    alone(
        "pressure::an_error_packet_of_megabytes_is_shown_as_text",
        || {
            let mut scene = Socketed::new();
            scene.socket.text(&format!("44{}", zeros(8 << 20)));
            let error = scene.told.error();
            assert!(matches!(error, Error::Server { .. }), "{error:?}");
            assert!(peak_bytes() < 80 << 20, "it held {}", peak_bytes());
            scene.socket.text("44[\"short\"]");
            assert_says(&scene.told.error().to_string(), &["[\"short\"]"]);
        },
    );
}

#[test]
fn what_a_peer_sends_to_nobody_takes_no_memory() {
    alone(
        "pressure::what_a_peer_sends_to_nobody_takes_no_memory",
        || {
            let limits = Limits::default().message_bytes(1 << 20);
            let mut scene = Socketed::with(&plain_open(), |builder| builder.limits(limits));
            let round = |scene: &mut Socketed, first: usize| {
                for n in first..first + 20_000 {
                    let nobody = format!("/nobody-{n}-{}", "x".repeat(100));
                    scene.socket.text(&format!("40{nobody}"));
                    scene.socket.text(&format!("42{nobody},[\"e\"]"));
                    scene.socket.text(&format!("43{nobody},{n}[]"));
                    scene.socket.text(&format!("43{n}[]"));
                }
                scene.socket.text("42[\"fence\"]");
                assert_eq!(scene.told.event().0, "fence");
            };
            round(&mut scene, 0);
            let before = resident_bytes();
            round(&mut scene, 20_000);
            let grown = resident_bytes().saturating_sub(before);
            assert!(grown < 2 << 20, "memory grew by {grown}");
        },
    );
}
