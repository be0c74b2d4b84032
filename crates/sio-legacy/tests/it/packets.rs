//! Packets that are odd or broken: they are dropped and counted, and the session goes on.

use sio_legacy::{Error, Status, Transport};
use sio_peer::client::joining;

use crate::scene::{Polling, Socketed, Streaming};

/// These packets on every kind of transport: each is let pass, counted this often, and the session goes on.
#[track_caller]
fn let_pass(packets: &[&str], tolerated: u64) {
    let mut socketed = Socketed::new();
    for packet in packets {
        socketed.socket.text(packet);
    }
    socketed.socket.text("3:::fence");
    assert_eq!(socketed.told.text_event().1, "fence", "{packets:?}");
    assert_eq!(
        socketed.client.counters().tolerated,
        tolerated,
        "{packets:?}"
    );
    assert_eq!(socketed.client.counters().events, 1);

    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let mut polling = Polling::on(transport);
        let together: Vec<&str> = packets.iter().copied().chain(["3:::fence"]).collect();
        polling.packets(&together);
        assert_eq!(polling.told.text_event().1, "fence", "{packets:?}");
        assert_eq!(
            polling.client.counters().tolerated,
            tolerated,
            "{packets:?}"
        );
    }

    let mut streaming = Streaming::new();
    for packet in packets {
        streaming.stream.packet(packet);
    }
    streaming.stream.packet("3:::fence");
    assert_eq!(streaming.told.text_event().1, "fence", "{packets:?}");
    assert_eq!(
        streaming.client.counters().tolerated,
        tolerated,
        "{packets:?}"
    );
}

#[test]
fn unknown_types_and_missing_fields_are_dropped_and_counted() {
    let odd = [
        "9::",
        "x",
        "0",
        "1",
        "2",
        "5",
        "5:",
        ":::",
        "-1::",
        "5::::",
        " 5:::{}",
        "10:::x",
        "hello",
        "é::",
        "5:x::{\"name\":\"y\"}",
        "\u{feff}3:::x",
    ];
    let_pass(&odd, odd.len() as u64);
}

#[test]
fn events_without_a_name_or_with_broken_json_are_dropped_and_counted() {
    let odd = [
        "5:::{}",
        "5:::",
        "5::",
        "5:::[]",
        "5:::null",
        "5:::{\"name\":[7]}",
        "5:::{\"args\":[1]}",
        "5:::{\"name\":\"x\",\"args\":[1}",
        "5:::{\"name\":\"x\"",
        "5:::{\"name\":\"x\"}}",
        "5:1+::{}",
        "4:::{",
        "4:::1,2",
        "4:::nope",
    ];
    let_pass(&odd, odd.len() as u64);
}

#[test]
fn packets_for_namespaces_that_were_never_joined_are_dropped_and_not_acknowledged() {
    let odd = [
        "5::/nobody:{\"name\":\"x\"}",
        "5:1:/nobody:{\"name\":\"x\"}",
        "5:2+:/nobody:{\"name\":\"x\"}",
        "3:3:/nobody:x",
        "4:4:/nobody:{}",
        "1::/nobody",
        "0::/nobody",
    ];
    let_pass(&odd, odd.len() as u64);
    let mut scene = Socketed::new();
    for packet in odd {
        scene.socket.text(packet);
    }
    scene.socket.text("3:9::fence");
    // The first answer is to the first question that was for somebody.
    scene.socket.expect("6:::9");
    assert_eq!(scene.client.counters().unknown_acks, 0);
}

#[test]
fn errors_and_noops_that_concern_nobody_do_no_harm() {
    let_pass(&["7:::2", "7:::what", "7::", "1::"], 4);
    let_pass(&["8::", "8:::", "2:::"], 0);
    let mut scene = Socketed::new();
    for packet in [
        "7::/nobody:2",
        "7::/nobody:undefined",
        "6::/nobody:1+[]",
        "6:::77",
    ] {
        scene.socket.text(packet);
    }
    scene.socket.text("3:::fence");
    assert_eq!(scene.told.text_event().1, "fence");
    assert_eq!(scene.client.counters().unknown_acks, 2);
    assert!(scene.client.is_connected());
}

#[test]
fn odd_forms_that_servers_do_write_are_understood() {
    let mut scene = Socketed::new();
    for (packet, text) in [
        ("3:::", ""),
        ("3::", ""),
        ("3:::5:::{}", "5:::{}"),
        ("3:::a:b:c", "a:b:c"),
        ("3:::\r\n\u{0}", "\r\n\u{0}"),
        ("4:::\"json\"", "json"),
        ("5:::{\"name\":\"message\",\"args\":[\"event\"]}", "event"),
        (
            "5:::{\"args\":[\"order\"],\"extra\":1,\"name\":\"message\"}",
            "order",
        ),
        (
            "5:::{\"name\":\"message\",\"args\":[\"a\\ud83db\"]}",
            "a\u{fffd}b",
        ),
        ("5:::{\"name\":\"message\",\"args\":\"no list\"}", "no list"),
    ] {
        scene.socket.text(packet);
        assert_eq!(
            scene.told.text_event(),
            ("message".into(), text.into()),
            "{packet}"
        );
    }
    scene.socket.text("5:::{\"name\":\"\"}");
    assert_eq!(scene.told.event(), (String::new(), vec![]));
    assert_eq!(scene.client.counters().tolerated, 0);
}

#[test]
fn a_namespace_may_be_refused_granted_late_taken_back_and_sent_to_after_leaving() {
    let mut scene = Socketed::new();
    let client = scene.client.clone();
    let join = |name| joining(&client, name);
    for (reason, shown) in [
        ("2", "unauthorized"),
        ("undefined", "undefined"),
        ("2+0", "unauthorized"),
    ] {
        let refused = join("/no");
        scene.socket.expect("1::/no");
        scene.socket.text(&format!("7::/no:{reason}"));
        let error = refused.join().unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(shown), "{error}");
    }
    // Granted after all: nobody waits any more.
    scene.socket.text("1::/no");
    scene.socket.text("5::/no:{\"name\":\"x\"}");

    let ended = join("/gone");
    scene.socket.expect("1::/gone");
    scene.socket.text("0::/gone");
    let error = ended.join().unwrap_err();
    assert!(matches!(error, Error::Disconnected(_)), "{error:?}");

    let joining = join("/chat");
    scene.socket.expect("1::/chat");
    // An event before the echo waits for it.
    scene.socket.text("5::/chat:{\"name\":\"early\"}");
    scene.socket.text("1::/chat");
    let chat = joining.join().unwrap();
    let mut events = chat.events();
    scene.socket.text("5::/chat:{\"name\":\"in\"}");
    let name = |events: &mut sio_legacy::Events| {
        events
            .recv_timeout(sio_peer::wait::PATIENCE)
            .unwrap()
            .name()
            .to_owned()
    };
    let first = name(&mut events);
    let second = if first == "early" {
        name(&mut events)
    } else {
        first
    };
    assert_eq!(second, "in");
    chat.disconnect().unwrap();
    scene.socket.expect("0::/chat");
    scene.socket.text("5:5:/chat:{\"name\":\"ghost\"}");
    scene.socket.text("1::/chat");
    scene.socket.text("3:6::fence");
    scene.socket.expect("6:::6");
    assert!(!chat.is_connected());
    assert!(scene.client.is_connected());
}

#[test]
fn an_error_in_a_joined_namespace_is_told_and_the_namespace_stays() {
    let mut scene = Socketed::new();
    let joining = joining(&scene.client, "/chat");
    scene.socket.expect("1::/chat");
    scene.socket.text("1::/chat");
    let chat = joining.join().unwrap();
    let (sender, statuses) = std::sync::mpsc::channel();
    chat.on_status(move |status| {
        let _ = sender.send(status.clone());
    });
    scene.socket.text("7::/chat:2");
    match sio_peer::wait::next("an error", &statuses) {
        Status::Error(Error::Server { namespace, .. }) => assert_eq!(namespace, "/chat"),
        other => panic!("{other:?}"),
    }
    assert!(chat.is_connected());
}

#[test]
fn a_namespace_the_server_takes_back_is_gone_and_the_others_stay() {
    let mut scene = Socketed::new();
    let joining = joining(&scene.client, "/chat");
    scene.socket.expect("1::/chat");
    scene.socket.text("1::/chat");
    let chat = joining.join().unwrap();
    scene.socket.text("0::/chat");
    scene.socket.text("3:::fence");
    assert_eq!(scene.told.text_event().1, "fence");
    assert!(!chat.is_connected() && scene.client.is_connected());
    let error = chat.emit("x", ()).unwrap_err();
    assert!(matches!(error, Error::Disconnected(_)), "{error:?}");
}
