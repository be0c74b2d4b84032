//! Input in orders and shapes that nobody means well.

use std::sync::mpsc;
use std::time::Duration;

use sio_legacy::{
    Client, ClientBuilder, DisconnectReason, Error, Limits, Options, Status, Transport, UsageError,
    Value,
};
use sio_peer::alone::{alone, resident_bytes};
use sio_peer::bytes::gzip_bomb;
use sio_peer::client::{calling, closing, connecting, joining, watched};
use sio_peer::flood::flood;
use sio_peer::peer::{Answer, Peer};
use sio_peer::wait::{PATIENCE, assert_says, background, error_of, next, takes};

use crate::scene::{
    Polling, Socketed, Streaming, accepting, handshake, opening, shake_hands, usual,
};
use crate::wire::{ALL, Answers as _, Posts as _, framed};

#[test]
fn brackets_without_end_overflow_no_stack() {
    let mut scene = Socketed::new();
    let deep = "[".repeat(200_000);
    let closed = format!("{deep}{}", "]".repeat(200_000));
    for value in [&deep, &closed] {
        scene
            .socket
            .text(&format!("5:::{{\"name\":\"x\",\"args\":{value}}}"));
        scene
            .socket
            .text(&format!("5:::{{\"args\":{value},\"name\":\"x\"}}"));
        scene.socket.text(&format!("4:::{value}"));
        scene.socket.text(&format!("5:::{value}"));
        scene.socket.text(&format!("6:::1+{value}"));
    }
    let client = scene.client.clone();
    let asking = background("a call", move || client.call::<_, Value>("q", (), PATIENCE));
    scene.socket.expect("5:1+::{\"name\":\"q\"}");
    scene.socket.text(&format!("6:::1+{closed}"));
    assert!(!error_of("the call", asking.join()).is_timeout());
    scene.client.on("deep", |_: Value| {});
    scene
        .socket
        .text(&format!("5:::{{\"name\":\"deep\",\"args\":{closed}}}"));
    assert!(matches!(scene.told.error(), Error::Decode { .. }));
    assert!(scene.client.is_connected());
}

#[test]
fn a_head_without_end_is_given_up() {
    for header in ["X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", "x"] {
        let mut peer = Peer::new();
        let connecting_ = connecting(Client::builder(&peer.url()));
        let mut get = peer.get();
        get.raw(b"HTTP/1.1 200 OK\r\n");
        let (stop, flooding) = flood(&get.stream, header.as_bytes());
        let error = takes(Duration::ZERO, Duration::from_secs(5), || {
            error_of("connecting", connecting_.join())
        });
        assert!(!error.is_timeout(), "{error:?}");
        stop.store(true, std::sync::atomic::Ordering::Release);
        let _ = get.stream.shutdown(std::net::Shutdown::Both);
        flooding.join();

        let mut peer = Peer::new();
        let (builder, told) = watched(Client::builder(&peer.url()));
        let connecting = connecting(builder);
        shake_hands(&mut peer, &usual());
        let mut upgrade = peer.upgrade();
        upgrade.raw(b"HTTP/1.1 101 Switching Protocols\r\n");
        let (stop, flooding) = flood(&upgrade.stream, header.as_bytes());
        let status = takes(Duration::ZERO, Duration::from_secs(4), || told.status());
        let transport = Transport::WebSocket;
        assert!(
            matches!(status, Status::TransportFailed { transport: failed, .. } if failed == transport),
            "{status:?}"
        );
        stop.store(true, std::sync::atomic::Ordering::Release);
        let _ = upgrade.stream.shutdown(std::net::Shutdown::Both);
        flooding.join();
        peer.get().close();
        connecting.join().unwrap_err();
    }
}

#[test]
fn a_refusal_of_the_root_is_told_in_the_server_s_words() {
    let mut peer = Peer::new();
    let builder = Client::builder(&peer.url()).transports([Transport::WebSocket]);
    let connecting = connecting(builder);
    shake_hands(&mut peer, &usual());
    let mut socket = accepting(&mut peer, "S");
    socket.text("7:::2");
    let error = error_of("connecting", connecting.join());
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert_says(&error.to_string(), &["refused /", "unauthorized"]);
    socket.is_closed();
}

#[test]
fn ids_of_different_namespaces_are_kept_apart() {
    let mut scene = Socketed::new();
    let joining = joining(&scene.client, "/chat");
    scene.socket.expect("1::/chat");
    scene.socket.text("1::/chat");
    let chat = joining.join().unwrap();
    let of_root = calling(&scene.client, "q", PATIENCE);
    scene.socket.expect("5:1+::{\"name\":\"q\"}");
    let of_chat = calling(&chat, "q", PATIENCE);
    scene.socket.expect("5:1+:/chat:{\"name\":\"q\"}");
    scene.socket.text("6::/chat:1+[\"chat\"]");
    assert_eq!(of_chat.join().unwrap(), "chat");
    scene.socket.text("6:::1+[\"root\"]");
    assert_eq!(of_root.join().unwrap(), "root");
}

#[test]
fn a_question_in_a_namespace_is_over_when_the_server_takes_it_back() {
    let mut scene = Socketed::new();
    let joining = joining(&scene.client, "/chat");
    scene.socket.expect("1::/chat");
    scene.socket.text("1::/chat");
    let chat = joining.join().unwrap();
    let asking = calling(&chat, "q", PATIENCE);
    scene.socket.expect("5:1+:/chat:{\"name\":\"q\"}");
    scene.socket.text("0::/chat");
    let error = takes(Duration::ZERO, Duration::from_secs(1), || {
        error_of("the call", asking.join())
    });
    assert!(
        matches!(error, Error::Disconnected(DisconnectReason::Server)),
        "{error:?}"
    );
    assert!(scene.client.is_connected());
    scene.socket.text("6::/chat:1+[\"late\"]");
    scene.socket.text("3:1::fence");
    scene.socket.expect("6:::1");
    assert_eq!(scene.client.counters().unknown_acks, 1);
}

#[test]
fn a_namespace_that_was_left_or_not_granted_in_time_is_not_asked_for_twice() {
    let mut scene = Socketed::new();
    let limit = Duration::from_millis(100);
    let result = takes(limit, 5 * limit, || {
        scene.client.namespace("/void").timeout(limit).join()
    });
    assert!(error_of("the join", result).is_timeout());
    scene.socket.expect("1::/void");
    scene.socket.expect("0::/void");
    // Granted too late: nobody is there.
    scene.socket.text("1::/void");
    scene.socket.text("5:1:/void:{\"name\":\"ghost\"}");
    let again = error_of("the join", scene.client.namespace("/void").join());
    assert!(
        matches!(again, Error::Usage(UsageError::Unsupported { .. })),
        "{again:?}"
    );
    scene.client.emit("fence", ()).unwrap();
    scene.socket.expect("5:::{\"name\":\"fence\"}");
    assert_eq!(scene.client.counters().events, 0);
}

#[test]
fn a_url_with_a_namespace_joins_it_and_ends_with_it() {
    let mut peer = Peer::new();
    let url = format!("{}/chat?token=x", peer.url());
    let (builder, told) = watched(Client::builder(&url).transports([Transport::WebSocket]));
    let connecting = connecting(builder);
    let get = peer.get();
    assert!(
        get.target.starts_with("/socket.io/1/?token=x&t="),
        "{}",
        get.target
    );
    get.answer(&Answer::handshake("S", ALL));
    let mut socket = accepting(&mut peer, "S");
    socket.text("1::");
    socket.expect("1::/chat");
    // gevent-socketio repeats the query it was sent, and others one of their own.
    socket.text("1::/chat:?token=x");
    let client = connecting.join().unwrap();
    assert_eq!(client.name(), "/chat");
    socket.text("0::/chat");
    assert!(matches!(told.reason(), DisconnectReason::Server));
    // It was the last one.
    socket.expect("0::");
    socket.cut();
    assert!(matches!(client.wait(), DisconnectReason::Server));
}

#[test]
fn an_endpoint_of_one_slash_is_the_root_and_others_are_themselves() {
    let mut scene = Socketed::new();
    scene.socket.text("5::/:{\"name\":\"slash\"}");
    scene.socket.text("5::chat:{\"name\":\"no slash\"}");
    scene.socket.text("5:://:{\"name\":\"two\"}");
    scene.socket.text("5::/ :{\"name\":\"blank\"}");
    scene.socket.text("3:::fence");
    assert_eq!(scene.told.event().0, "slash");
    assert_eq!(scene.told.text_event().1, "fence");
    assert!(scene.client.is_connected());
}

#[test]
fn many_answers_over_a_long_time_are_not_too_many() {
    // More in sum than may wait at once.
    let mut scene = Polling::new();
    let questions = vec!["3:1::x"; 20_000];
    let mut answered = 0;
    for round in 1..=6 {
        scene.packets(&questions);
        while answered < round * questions.len() {
            answered += scene.post().len();
        }
        while scene.told.events.try_recv().is_ok() {}
    }
    assert!(scene.client.is_connected());
}

#[test]
fn a_megabyte_goes_both_ways_on_every_transport() {
    let text = "é😀x ".repeat(100_000);
    let event = format!(
        "5:::{{\"name\":\"big\",\"args\":[{}]}}",
        serde_json::to_string(&text).unwrap()
    );
    let read = |packet: &str| {
        let object = packet.strip_prefix("5:::").expect("an event");
        let object: serde_json::Value = serde_json::from_str(object).unwrap();
        object["args"][0].as_str().unwrap().to_owned()
    };
    let mut scene = Socketed::new();
    let client = scene.client.clone();
    let sent = text.clone();
    let emitting = background("emitting", move || client.emit("big", sent));
    assert_eq!(read(&scene.socket.message().to_string()), text);
    emitting.join().unwrap();
    scene.socket.text(&event);
    assert_eq!(scene.told.text_event().1, text);
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let mut scene = Polling::on(transport);
        scene.client.emit("big", &text).unwrap();
        assert_eq!(read(&scene.post()[0]), text);
        scene.packets(&[&event, "8::"]);
        assert_eq!(scene.told.text_event().1, text);
    }
    let mut scene = Streaming::new();
    scene.client.emit("big", &text).unwrap();
    assert_eq!(read(&scene.post()[0]), text);
    scene.stream.packet(&event);
    assert_eq!(scene.told.text_event().1, text);
}

#[test]
fn callers_on_many_threads_are_told_once_when_the_session_ends_under_them() {
    for round in 0..20 {
        let Polling {
            client,
            told,
            poll,
            mut peer,
            ..
        } = Polling::new();
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let client = client.clone();
                background("a caller", move || {
                    let (mut calls, mut errors) = (0, 0);
                    while errors == 0 {
                        calls += 1;
                        match client.call::<_, ()>("q", (), PATIENCE) {
                            Ok(()) => {}
                            Err(Error::Disconnected(_)) => errors += 1,
                            Err(other) => panic!("{other:?}"),
                        }
                    }
                    calls
                })
            })
            .collect();
        let post = peer.post();
        let ending = match round % 4 {
            0 => Answer::packets(&["0::"]),
            1 => Answer::packets(&["7:::1+0"]),
            2 => Answer::new(500, "text/plain", b"no"),
            _ => Answer::plain(framed(&["6:::1", "6:::2"]) + "broken"),
        };
        poll.unwrap().answer(&ending);
        takes(Duration::ZERO, Duration::from_secs(2), || {
            for caller in callers {
                assert!(caller.join() >= 1);
            }
        });
        drop((post, told));
    }
}

#[test]
fn a_handler_may_answer_emit_ask_and_close_without_a_deadlock() {
    let mut scene = Socketed::new();
    let weak = scene.client.downgrade();
    let (sender, done) = mpsc::channel();
    scene.client.on("go", move || {
        let client = weak.upgrade().unwrap();
        client.emit("a", ()).unwrap();
        let answer: String = client.call("ask", (), PATIENCE).unwrap();
        client.on("more", || {});
        let nowhere = client
            .namespace("/n")
            .timeout(Duration::from_millis(50))
            .join();
        assert!(nowhere.unwrap_err().is_timeout());
        client.close().unwrap();
        sender.send(answer).unwrap();
    });
    scene.socket.text("5:::{\"name\":\"go\"}");
    scene.socket.expect("5:::{\"name\":\"a\"}");
    scene.socket.expect("5:1+::{\"name\":\"ask\"}");
    scene.socket.text("6:::1+[\"yes\"]");
    scene.socket.expect("1::/n");
    scene.socket.expect("0::/n");
    scene.socket.expect("0::");
    scene.socket.cut();
    assert_eq!(next("the handler", &done), "yes");
}

#[test]
fn a_session_is_never_asked_for_on_two_transports() {
    // The id is the same each time, as a proxy's cache would have it: still nothing is open twice.
    let order = [
        Transport::WebSocket,
        Transport::HtmlFile,
        Transport::Polling,
        Transport::JsonpPolling,
    ];
    let mut peer = Peer::new();
    let connecting = connecting(Client::builder(&peer.url()).transports(order));
    shake_hands(&mut peer, &usual());
    let mut socket = accepting(&mut peer, "S");
    socket.text("0::");
    socket.is_closed();
    shake_hands(&mut peer, &usual());
    let stream = opening(&mut peer, Transport::HtmlFile, "S");
    let connection = stream.stream.try_clone().unwrap();
    stream.answer(&Answer::new(503, "text/plain", b"no"));
    shake_hands(&mut peer, &usual());
    let poll = opening(&mut peer, Transport::Polling, "S");
    poll.answer(&Answer::plain("<html>"));
    shake_hands(&mut peer, &usual());
    let poll = opening(&mut peer, Transport::JsonpPolling, "S");
    assert!(poll.target.ends_with("&i=0"));
    poll.answer(&Answer::plain("io.j[0](\"1::\");"));
    let client = connecting.join().unwrap();
    let held = peer.get();
    assert_eq!(held.path(), "/socket.io/1/jsonp-polling/S");
    peer.hears_nothing(Duration::from_millis(50));
    drop((client, connection));
}

#[test]
fn everything_at_once_in_one_body_is_handled_in_order() {
    let mut scene = Polling::new();
    let joining = joining(&scene.client, "/a");
    assert_eq!(scene.post(), ["1::/a"]);
    let asking = calling(&scene.client, "q", PATIENCE);
    assert_eq!(scene.post(), ["5:1+::{\"name\":\"q\"}"]);
    let packets = [
        "8::",
        "1::/a",
        "5::/a:{\"name\":\"in a\"}",
        "6:::1+[\"answer\"]",
        "2::",
        "3:1::one",
        "junk",
        "0::/a",
        "5:2:/a:{\"name\":\"ghost\"}",
        "3:3::two",
    ];
    scene.packets(&packets);
    let a = joining.join().unwrap();
    assert_eq!(asking.join().unwrap(), "answer");
    assert_eq!(scene.told.text_event().1, "one");
    assert_eq!(scene.told.text_event().1, "two");
    let mut posted = Vec::new();
    while posted.len() < 3 {
        posted.extend(scene.post());
    }
    assert_eq!(posted, ["2::", "6:::1", "6:::3"]);
    assert!(!a.is_connected() && scene.client.is_connected());
}

#[test]
fn a_small_body_that_unpacks_to_a_large_one_takes_no_memory() {
    alone(
        "malice::a_small_body_that_unpacks_to_a_large_one_takes_no_memory",
        || {
            let bomb = gzip_bomb(b'3', 400 << 20);
            let before = resident_bytes();
            let mut peer = Peer::new();
            let limits = Limits::default().message_bytes(1 << 20);
            let connecting = connecting(Client::builder(&peer.url()).limits(limits.clone()));
            peer.get()
                .answer(&Answer::plain(&bomb).header("Content-Encoding", "gzip"));
            let error = error_of("connecting", connecting.join());
            assert_says(&error.chain(), &["1048576 bytes", "Limits::message_bytes"]);
            let mut scene = Polling::with(Transport::Polling, &usual(), |b| b.limits(limits));
            scene.answer(&Answer::plain(&bomb).header("Content-Encoding", "gzip"));
            assert_says(
                &scene.told.fatal(),
                &["1048576 bytes", "Limits::message_bytes"],
            );
            let grown = resident_bytes().saturating_sub(before);
            assert!(grown < 32 << 20, "memory grew by {grown}");
        },
    );
}

#[test]
fn the_longest_limits_are_no_overflow() {
    let longest = |builder: ClientBuilder| {
        builder
            .protocol(Options::new().poll_timeout(Duration::MAX))
            .connect_timeout(Duration::MAX)
            .send_timeout(Duration::MAX)
            .close_timeout(Duration::MAX)
    };
    let mut scene = Polling::with(Transport::Polling, &usual(), longest);
    let asking = calling(&scene.client, "q", Duration::MAX);
    assert_eq!(scene.post(), ["5:1+::{\"name\":\"q\"}"]);
    scene.packets(&["6:::1+[\"a\"]"]);
    assert_eq!(asking.join().unwrap(), "a");
    let closed = closing(&scene.client);
    assert_eq!(scene.post(), ["0::"]);
    scene.answer(&Answer::packets(&["0::"]));
    closed.join().unwrap();
    // A handshake may announce more than any clock can count.
    let endless = handshake("99999999999999999999", "99999999999999999999");
    let mut socketed = Socketed::with(&endless, longest);
    socketed.socket.text("3:1::x");
    socketed.socket.expect("6:::1");
    drop(Polling::with(Transport::JsonpPolling, &endless, longest));
    drop(Streaming::with(&endless, longest));
    // Several transports share the time for connecting.
    let mut peer = Peer::new();
    let connecting = connecting(longest(Client::builder(&peer.url())));
    shake_hands(&mut peer, &endless.replace("htmlfile,", ""));
    peer.upgrade().close();
    shake_hands(&mut peer, &endless);
    opening(&mut peer, Transport::Polling, "S").answer(&Answer::packets(&["1::"]));
    connecting.join().unwrap();
}

#[test]
fn a_url_s_namespace_that_is_refused_or_never_granted_ends_connecting_in_time() {
    let limit = Duration::from_millis(600);
    let begin = || {
        let mut peer = Peer::new();
        let url = format!("{}/chat", peer.url());
        let builder = Client::builder(&url).transports([Transport::WebSocket]);
        let connecting = connecting(builder.connect_timeout(limit));
        shake_hands(&mut peer, &usual());
        let socket = accepting(&mut peer, "S");
        (peer, socket, connecting)
    };
    let (_peer, mut socket, connecting) = begin();
    socket.text("1::");
    socket.expect("1::/chat");
    socket.text("7::/chat:2");
    let error = error_of("connecting", connecting.join());
    assert_says(&error.to_string(), &["refused /chat", "unauthorized"]);
    socket.expect("0::");

    // An unknown namespace is not answered at all. What the root has taken of the time is not given back.
    let (_peer, mut socket, connecting) = begin();
    assert!(connecting.blocks_for(limit * 2 / 3));
    socket.text("1::");
    socket.expect("1::/chat");
    let error = takes(Duration::ZERO, limit * 2 / 3, || {
        error_of("connecting", connecting.join())
    });
    assert!(error.is_timeout(), "{error:?}");
}
