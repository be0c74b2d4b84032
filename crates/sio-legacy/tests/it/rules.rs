//! The rules that keep a 0.9 server alive, as the server sees them on the wire.

use std::io::Read;
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sio_legacy::{Client, Transport};
use sio_peer::client::{calling, connecting, joining, watched};
use sio_peer::peer::{Answer, Peer};
use sio_peer::wait::{PATIENCE, background, next};
use sio_peer::websocket::{WebSocketPeer, frame};

use crate::scene::{Polling, Socketed, Streaming, body, only, opening, shake_hands, usual};
use crate::wire::{Answers as _, MARK, Packets as _, Posts as _, pacing_id, read_payload};

/// The HTTP transports.
const HTTP: [Transport; 3] = [
    Transport::Polling,
    Transport::JsonpPolling,
    Transport::HtmlFile,
];

#[test]
fn nothing_is_posted_before_the_first_get_is_answered() {
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let mut peer = Peer::new();
        let builder = only(transport)(Client::builder(&peer.url()));
        let (sender, handed) = mpsc::channel();
        // A program cannot emit before it is connected, so this one joins and emits the moment it is.
        let connecting = background("connecting", move || {
            let client = builder.connect().unwrap();
            client.emit("x", ()).unwrap();
            sender.send(client).unwrap();
        });
        shake_hands(&mut peer, &usual());
        let first = opening(&mut peer, transport, "S");
        peer.hears_nothing(Duration::from_millis(100));
        first.answer(&Answer::plain(body(transport, &["8::"])));
        // A poll again, for the session is not confirmed, and still no post.
        let second = opening(&mut peer, transport, "S");
        peer.hears_nothing(Duration::from_millis(50));
        second.answer(&Answer::plain(body(transport, &["1::"])));
        assert_eq!(peer.post().packets(), ["5:::{\"name\":\"x\"}"]);
        connecting.join();
        drop(next("the client", &handed));
    }
}

#[test]
fn questions_in_the_very_first_body_are_answered_behind_it() {
    let mut peer = Peer::new();
    let connecting = connecting(only(Transport::Polling)(Client::builder(&peer.url())));
    shake_hands(&mut peer, &usual());
    let first = opening(&mut peer, Transport::Polling, "S");
    first.answer(&Answer::packets(&[
        "1::",
        "3:7::x",
        "2::",
        "5:8::{\"name\":\"y\"}",
    ]));
    let client = connecting.join().unwrap();
    let mut packets = Vec::new();
    while packets.len() < 3 {
        let post = peer.post();
        packets.extend(post.packets());
        post.ok();
    }
    assert_eq!(packets, ["6:::7", "2::", "6:::8"]);
    drop(client);
}

#[test]
fn one_get_is_out_at_a_time_and_a_get_that_is_held_is_not_given_up_for_a_post() {
    // The peer itself counts the requests of a session.
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let mut scene = Polling::on(transport);
        for n in 0..20 {
            scene.client.emit("n", n).unwrap();
            assert_eq!(scene.post().len(), 1);
            if n % 3 == 0 {
                scene.packets(&["3:::x"]);
            }
        }
        assert!(scene.client.is_connected());
        assert_eq!(scene.peer.connections(), 2);
    }
    let mut scene = Streaming::new();
    for n in 0..20 {
        scene.client.emit("n", n).unwrap();
        assert_eq!(scene.post().len(), 1);
    }
    scene.peer.hears_nothing(Duration::from_millis(20));
    assert_eq!(scene.peer.connections(), 2);
}

#[test]
fn one_post_is_out_at_a_time_and_what_piles_up_goes_into_the_next() {
    let mut scene = Polling::new();
    scene.client.emit("first", ()).unwrap();
    let first = scene.peer.post();
    for n in 0..5 {
        scene.client.emit("n", n).unwrap();
    }
    scene.peer.hears_nothing(Duration::from_millis(50));
    first.ok();
    let expected: Vec<String> = (0..5)
        .map(|n| format!("5:::{{\"name\":\"n\",\"args\":[{n}]}}"))
        .collect();
    assert_eq!(scene.post(), expected);
}

#[test]
fn a_body_of_several_packets_stays_below_a_segment_and_comes_in_one_piece() {
    const COUNT: usize = 300;
    for transport in [Transport::Polling, Transport::HtmlFile] {
        let (client, mut peer, _kept) = connected(transport);
        client.emit("first", ()).unwrap();
        let first = peer.post();
        assert!(first.reads <= 2, "the body comes in one piece");
        for n in 0..COUNT {
            client.emit("n", (n, "é한😀")).unwrap();
        }
        first.ok();
        let mut came = 0;
        while came < COUNT {
            let post = peer.post();
            let packets = post.packets();
            assert!(
                packets.len() == 1 || post.body.len() <= 1024,
                "{} bytes",
                post.body.len()
            );
            assert!(post.reads <= 2, "the body comes in one piece");
            for packet in &packets {
                assert_eq!(
                    packet,
                    &format!(
                        "5:::{{\"name\":\"n\",\"args\":[{came},\"\\u00e9\\ud55c\\ud83d\\ude00\"]}}"
                    )
                );
                came += 1;
            }
            // Beside the frames' marks all is ASCII.
            let text = std::str::from_utf8(&post.body).unwrap();
            assert!(text.chars().all(|c| c == MARK || c.is_ascii()), "{text}");
            post.ok();
        }
        assert_eq!(came, COUNT);
    }
}

/// A connected client on an HTTP transport, and what holds its GET.
fn connected(transport: Transport) -> (Client, Peer, Box<dyn std::any::Any>) {
    if transport == Transport::HtmlFile {
        let Streaming {
            client,
            peer,
            stream,
            ..
        } = Streaming::new();
        (client, peer, Box::new(stream))
    } else {
        let Polling {
            client, peer, poll, ..
        } = Polling::on(transport);
        (client, peer, Box::new(poll))
    }
}

#[test]
fn single_packets_of_any_size_are_posted_bare() {
    for transport in HTTP {
        let (client, mut peer, _kept) = connected(transport);
        for size in [0, 1, 1000, 100_000] {
            client.emit("x", "y".repeat(size)).unwrap();
            let post = peer.post();
            let packets = post.packets();
            assert_eq!(packets.len(), 1);
            assert_eq!(
                packets[0].len(),
                "5:::{\"name\":\"x\",\"args\":[\"\"]}".len() + size
            );
            assert_eq!(
                post.header("content-length"),
                Some(&*post.body.len().to_string())
            );
            assert_eq!(post.header("transfer-encoding"), None);
            post.ok();
        }
    }
}

#[test]
fn nothing_beyond_ascii_is_posted_on_any_transport() {
    let words = "é 한 😀 \u{2028}\u{2029} \u{fffd} \n";
    for transport in HTTP {
        let (client, mut peer, _kept) = connected(transport);
        let send = |client: &Client| {
            client.emit(words, words).unwrap();
        };
        send(&client);
        let post = peer.post();
        assert!(
            post.body.is_ascii(),
            "{:?}",
            String::from_utf8_lossy(&post.body)
        );
        post.ok();
        client.send(words).unwrap();
        let post = peer.post();
        assert!(
            post.body.is_ascii(),
            "{:?}",
            String::from_utf8_lossy(&post.body)
        );
        let packets = post.packets();
        let (kind, data) = packets[0].split_at(4);
        match (transport, kind) {
            // Percent-encoded, text cannot be damaged.
            (Transport::JsonpPolling, "3:::") => assert_eq!(data, words),
            (_, "4:::") => assert_eq!(serde_json::from_str::<String>(data).unwrap(), words),
            other => panic!("{other:?}"),
        }
        post.ok();
    }
    let mut scene = Socketed::new();
    scene.client.emit("x", words).unwrap();
    let packet = scene.socket.message().to_string();
    assert!(packet.is_ascii(), "{packet}");
    scene.client.send(words).unwrap();
    scene.socket.expect(&format!("3:::{words}"));
}

#[test]
fn the_root_is_never_asked_for_and_other_namespaces_once() {
    let Socketed {
        client,
        mut socket,
        peer: _peer,
        ..
    } = Socketed::new();
    let join = |name: &'static str| {
        let client = client.clone();
        background("joining", move || {
            client.namespace(name).query("token", "x").join()
        })
    };
    let (first, second) = (join("/chat"), join("/chat"));
    socket.expect("1::/chat");
    assert_eq!(socket.message_within(Duration::from_millis(50)), None);
    socket.text("1::/chat");
    let chat = first.join().unwrap();
    second.join().unwrap();
    join("/chat").join().unwrap();
    join("/").join().unwrap();
    chat.emit("x", ()).unwrap();
    socket.expect("5::/chat:{\"name\":\"x\"}");
}

// --- WebSocket frames ------------------------------------------------------------------------------------------------

/// One frame as it stands on the wire: the first byte, and the data, which must have been masked.
fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).expect("a frame");
    assert!(head[1] & 0x80 != 0, "a client's frame is masked");
    let length = match head[1] & 0x7f {
        126 => {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            usize::from(u16::from_be_bytes(length))
        }
        127 => {
            let mut length = [0; 8];
            stream.read_exact(&mut length).unwrap();
            u64::from_be_bytes(length) as usize
        }
        length => usize::from(length),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).unwrap();
    let mut data = vec![0; length];
    stream.read_exact(&mut data).unwrap();
    for (byte, key) in data.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    (head[0], data)
}

/// Reads frames until one is this packet; each must be a whole text message.
#[track_caller]
fn text_frames_up_to(stream: &mut TcpStream, last: &str) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let (first, data) = read_frame(stream);
        assert_eq!(first, 0x81, "an unfragmented text without reserved bits");
        let text = String::from_utf8(data).expect("UTF-8");
        if text == last {
            return texts;
        }
        texts.push(text);
    }
}

#[test]
fn no_ping_or_pong_is_ever_sent_whatever_the_peer_sends() {
    let mut scene = Socketed::new();
    let raw = |socket: &mut WebSocketPeer, bytes: &[u8]| socket.raw(bytes);
    for n in 0..50 {
        raw(&mut scene.socket, &frame(0x89, b""));
        raw(&mut scene.socket, &frame(0x89, format!("{n}").as_bytes()));
        raw(&mut scene.socket, &frame(0x8a, b"unasked"));
    }
    // A ping within a fragmented message, and one as long as may be.
    raw(&mut scene.socket, &frame(0x01, b"5:::{\"name\":"));
    raw(&mut scene.socket, &frame(0x89, &[7; 125]));
    raw(&mut scene.socket, &frame(0x80, b"\"split\"}"));
    assert_eq!(scene.told.event().0, "split");
    // What was read brings no answer, not even with the next write.
    scene.client.emit("x", ()).unwrap();
    let last = "5:::{\"name\":\"x\"}";
    let stream = scene.socket.socket.get_mut();
    assert_eq!(text_frames_up_to(stream, last), [""; 0]);
    assert!(scene.client.is_connected());
}

#[test]
fn messages_of_any_size_are_one_masked_frame_each() {
    let mut scene = Socketed::new();
    let sizes = [0, 60, 100, 5000, 65_000, 65_536, 70_000, 300_000];
    let client = scene.client.clone();
    let emitting = background("emitting", move || {
        for size in sizes {
            client.emit("x", "y".repeat(size)).unwrap();
        }
        client.emit("last", ()).unwrap();
    });
    let stream = scene.socket.socket.get_mut();
    let texts = text_frames_up_to(stream, "5:::{\"name\":\"last\"}");
    let packets: Vec<&String> = texts.iter().filter(|text| text.starts_with('5')).collect();
    assert_eq!(packets.len(), sizes.len());
    for (packet, size) in packets.iter().zip(sizes) {
        assert_eq!(
            packet.len(),
            "5:::{\"name\":\"x\",\"args\":[\"\"]}".len() + size
        );
    }
    emitting.join();
}

#[test]
fn a_peer_that_reads_and_does_not_answer_gets_no_more_than_two_bursts_at_once() {
    let mut scene = Socketed::new();
    for n in 0..5000 {
        scene.client.emit("n", n).unwrap();
    }
    let mut frames = 0;
    while scene
        .socket
        .message_within(Duration::from_millis(100))
        .is_some()
    {
        frames += 1;
    }
    // "A few hundred" is what a server survives.
    assert!((2..=402).contains(&frames), "{frames} frames came at once");
    // Whatever else happens meanwhile, there are never many.
    let start = Instant::now();
    let mut more = 0;
    while start.elapsed() < Duration::from_secs(1) {
        more += usize::from(
            scene
                .socket
                .message_within(Duration::from_millis(50))
                .is_some(),
        );
    }
    assert!(more <= 5 * 201, "{more} frames in the next second");
    assert!(scene.client.is_connected());
}

#[test]
fn a_peer_that_answers_gets_everything_in_order_and_never_many_frames_unanswered() {
    const COUNT: usize = 5000;
    let mut scene = Socketed::new();
    let client = scene.client.clone();
    let emitting = background("emitting", move || {
        (0..COUNT).try_for_each(|n| client.emit("n", n))
    });
    let (mut wanted, mut unanswered) = (0, 0);
    while wanted < COUNT {
        let packet = scene.socket.message().to_string();
        unanswered += 1;
        if let Some(id) = pacing_id(&packet) {
            scene.socket.text(&format!("6:::{id}"));
            unanswered = 0;
        } else {
            assert_eq!(
                packet,
                format!("5:::{{\"name\":\"n\",\"args\":[{wanted}]}}")
            );
            wanted += 1;
        }
        assert!(
            unanswered <= 402,
            "{unanswered} frames since the last answer"
        );
    }
    emitting.join().unwrap();
    assert_eq!(
        scene.client.counters().unknown_acks,
        0,
        "the program did not ask"
    );
}

#[test]
fn a_call_in_the_middle_of_a_flood_of_emits_gets_its_answer() {
    let mut scene = Socketed::new();
    for n in 0..1000 {
        scene.client.emit("n", n).unwrap();
    }
    let asking = calling(&scene.client, "q", PATIENCE);
    while scene.socket.packet() != "5:1+::{\"name\":\"q\"}" {}
    scene.socket.text("6:::1+[\"a\"]");
    assert_eq!(asking.join().unwrap(), "a");
}

#[test]
fn emits_while_nothing_is_connected_yet_leave_together_once_it_is() {
    let mut peer = Peer::new();
    let (builder, told) = watched(only(Transport::Polling)(Client::builder(&peer.url())));
    let connecting = connecting(builder);
    shake_hands(&mut peer, &usual());
    opening(&mut peer, Transport::Polling, "S").answer(&Answer::packets(&["1::"]));
    let client = connecting.join().unwrap();
    let held = peer.get();
    let joining = joining(&client, "/chat");
    let post = peer.post();
    assert_eq!(post.packets(), ["1::/chat"]);
    post.ok();
    // Events of a namespace wait for its echo: the server would drop them.
    peer.hears_nothing(Duration::from_millis(30));
    held.answer(&Answer::packets(&["1::/chat"]));
    let chat = joining.join().unwrap();
    chat.emit("a", ()).unwrap();
    let post = peer.post();
    assert_eq!(
        read_payload(std::str::from_utf8(&post.body).unwrap()),
        ["5::/chat:{\"name\":\"a\"}"]
    );
    drop(told);
}
