//! Odd but harmless packets: what is dropped and counted, and what reaches the program as it is.

use std::time::Duration;

use serde_json::json;
use sio_peer::client::{closing, joining};
use sio_peer::peer::Answer;
use sio_peer::wait::{assert_says, background, error_of};
use sio_v1::{DisconnectReason, Event, NextError, Status, Value};

use crate::scene::{Polling, Socketed};
use crate::wire::{Answers as _, binary, text};

#[track_caller]
fn event_as_json(scene: &mut Polling) -> serde_json::Value {
    let event = scene
        .told
        .events
        .recv_timeout(sio_peer::wait::PATIENCE)
        .expect("an event");
    let values: serde_json::Value = event
        .decode::<(serde_json::Value,)>()
        .expect("an argument")
        .0;
    values
}

#[test]
fn an_event_whose_data_is_no_list_with_a_name_is_dropped_and_counted() {
    let mut scene = Polling::new();
    let odd = [
        "42",
        "42{}",
        "42\"x\"",
        "42null",
        "42[]",
        "42[null]",
        "42[[\"x\"]]",
        "42[{}]",
        "42[true]",
        "42nonsense",
        "42[",
        "42[\"cut",
        "42[\"x\"",
        "42[\"x\",",
        "42]",
        "42[,]",
        "425",
    ];
    for (count, packet) in odd.iter().enumerate() {
        scene.text(packet);
        scene.text("42[\"next\"]");
        let (name, _) = scene.told.event();
        assert_eq!(name, "next", "{packet} should be dropped");
        assert_eq!(
            scene.client.counters().tolerated,
            1 + count as u64,
            "{packet}"
        );
    }
}

#[test]
fn an_ack_without_number_or_list_is_dropped_and_counted() {
    let mut scene = Polling::new();
    for (count, packet) in ["43", "43[1]", "430", "430{}", "430\"x\"", "43/chat,[]"]
        .iter()
        .enumerate()
    {
        scene.text(packet);
        scene.text("42[\"next\"]");
        assert_eq!(scene.told.event().0, "next");
        assert_eq!(
            scene.client.counters().tolerated,
            1 + count as u64,
            "{packet}"
        );
    }
}

#[test]
fn what_looks_like_a_placeholder_in_a_text_event_is_user_data() {
    let mut scene = Polling::new();
    scene.text("42[\"x\",{\"_placeholder\":true,\"num\":0}]");
    assert_eq!(
        event_as_json(&mut scene),
        json!({"_placeholder": true, "num": 0})
    );
    scene.text("42[\"x\",[{\"_placeholder\":true,\"num\":99,\"more\":[]}]]");
    assert_eq!(
        event_as_json(&mut scene),
        json!([{"_placeholder": true, "num": 99, "more": []}])
    );
    // The same on WebSocket, in an ack.
    let mut scene = Socketed::new();
    let client = scene.client.clone();
    let call = background("a call", move || {
        client.call::<_, serde_json::Value>("q", (), Duration::from_secs(5))
    });
    scene.socket.expect("420[\"q\"]");
    scene.socket.text("430[{\"_placeholder\":true,\"num\":0}]");
    let answer = call.join().expect("an answer");
    assert_eq!(answer, json!({"_placeholder": true, "num": 0}));
}

#[test]
fn an_event_marked_as_binary_without_attachments_is_read() {
    let mut scene = Polling::new();
    scene.text("450-[\"x\",\"no bytes\"]");
    assert_eq!(scene.told.text_event(), ("x".into(), "no bytes".into()));
}

#[test]
fn one_attachment_may_be_used_twice_or_not_at_all() {
    let mut scene = Polling::new();
    let twice = "451-[\"x\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":0}]";
    scene.deliver(&Answer::binary(&[text(twice), binary(b"b")]));
    let bytes = Value::from(bytes::Bytes::from_static(b"b"));
    assert_eq!(scene.told.event().1, [bytes.clone(), bytes]);
    scene.deliver(&Answer::binary(&[text("451-[\"x\",7]"), binary(b"unused")]));
    assert_eq!(scene.told.event().1, [Value::from(7)]);
}

#[test]
fn a_broken_tail_is_an_error_of_that_handler_only() {
    let mut scene = Socketed::new();
    let (sender, seen) = std::sync::mpsc::channel();
    let also = sender.clone();
    scene.client.on("x", move |n: i32| sender.send(n).unwrap());
    scene
        .client
        .on_any(move |event: &Event| also.send(event.name().len() as i32).unwrap());
    scene.socket.text("42[\"x\",1,{\"a\":}]");
    scene.socket.text("42[\"x\",nope]");
    scene.socket.text("42[\"x\",5]");
    // The broken event reaches who only looks at its name.
    assert_eq!(
        seen.recv_timeout(sio_peer::wait::PATIENCE),
        Ok(1),
        "the first one's number, or its name"
    );
    let error = scene.told.error();
    assert_says(
        &error.chain(),
        &["the event \"x\" does not have the expected type"],
    );
    let rest: Vec<i32> = seen.iter().take(3).collect();
    assert!(rest.contains(&5), "{rest:?}");
    assert!(scene.client.is_connected());
}

#[test]
fn lone_surrogates_are_read_as_replacement_characters() {
    let mut scene = Polling::new();
    for (escaped, read) in [
        ("\\ud83d", "\u{fffd}"),
        ("a\\udc00b", "a\u{fffd}b"),
        ("\\ud83d\\ude00", "😀"),
        ("\\ude00\\ud83d", "\u{fffd}\u{fffd}"),
        ("\\ud83d\\u0041", "\u{fffd}A"),
    ] {
        scene.text(&format!("42[\"s\",\"{escaped}\"]"));
        assert_eq!(scene.told.text_event().1, read, "{escaped}");
    }
    scene.text("42[\"\\ud800name\",\"x\"]");
    assert_eq!(scene.told.event().0, "\u{fffd}name");
}

#[test]
fn event_names_may_be_any_text() {
    let mut scene = Polling::new();
    for name in [
        "",
        "a,b:c",
        "quo\"te",
        "new\nline",
        "😀",
        "connect",
        "constructor",
        "\u{2028}",
    ] {
        let packet = format!("42{}", json!([name, "x"]));
        scene.text(&packet);
        assert_eq!(scene.told.text_event().0, name);
    }
    // Servers may use a number as a name.
    scene.text("42[7,\"x\"]");
    assert_eq!(scene.told.text_event().0, "7");
}

#[test]
fn deeply_nested_data_is_an_error_of_the_handler_not_a_crash() {
    let mut scene = Socketed::new();
    scene.client.on("deep", |_: Value| {});
    let deep = format!(
        "42[\"deep\",{}{}]",
        "[".repeat(500_000),
        "]".repeat(500_000)
    );
    scene.socket.text(&deep);
    assert_says(&scene.told.error().chain(), &["the event \"deep\""]);
    scene
        .socket
        .text(&deep.replace("42[", "430[").replace("\"deep\",", ""));
    scene.socket.text(&format!("44{}", "[".repeat(500_000)));
    scene
        .socket
        .text(&format!("42[\"deep\",{}", "{\"a\":".repeat(500_000)));
    scene.socket.text("42[\"shallow\",\"x\"]");
    scene.told.error();
    let (mut last, mut count) = (String::new(), 0);
    while last != "shallow" && count < 4 {
        last = scene
            .told
            .events
            .recv_timeout(sio_peer::wait::PATIENCE)
            .unwrap()
            .name()
            .to_owned();
        count += 1;
    }
    assert_eq!(last, "shallow");
}

#[test]
fn events_for_namespaces_that_are_not_joined_are_dropped_and_counted() {
    let mut scene = Polling::new();
    scene.text("42/chat,[\"x\"]");
    scene.text("42/chat?token=1,7[\"x\"]");
    scene.text("42[\"next\"]");
    assert_eq!(scene.told.event().0, "next");
    assert_eq!(scene.client.counters().dropped_events, 2);
}

#[test]
fn namespaces_are_granted_with_and_without_a_comma_and_with_a_query() {
    for grant in ["40/chat", "40/chat,", "40/chat?token=1", "40/chat?token=1,"] {
        let mut scene = Polling::new();
        let client = scene.client.clone();
        let joining = background("joining", move || {
            client.namespace("chat").query("token", "1").join()
        });
        assert_eq!(scene.post(), [text("40/chat?token=1,")]);
        scene.text(grant);
        let chat = joining.join().expect("the namespace");
        assert_eq!(chat.id().as_deref(), Some("/chat#abc"));
    }
}

#[test]
fn a_refused_namespace_gets_the_server_s_words_and_the_root_goes_on() {
    let mut scene = Polling::new();
    for (packet, words) in [
        ("44/no,\"Invalid namespace\"", "Invalid namespace"),
        ("44/no,{\"code\":3}", "\"code\""),
    ] {
        let joining = joining(&scene.client, "/no");
        assert_eq!(scene.post(), [text("40/no,")]);
        scene.text(packet);
        let error = error_of("joining", joining.join());
        assert_says(&error.to_string(), &["the server refused /no: ", words]);
    }
    scene.text("42[\"next\"]");
    assert_eq!(scene.told.event().0, "next");
}

#[test]
fn an_error_packet_for_a_joined_namespace_leaves_it_joined() {
    let mut scene = Polling::new();
    scene.text("44{\"oops\":1}");
    assert_says(
        &scene.told.error().to_string(),
        &["the server reported an error in /", "oops"],
    );
    assert!(scene.client.is_connected());
    // And one for a namespace nobody asked for is nobody's.
    scene.text("44/other,\"x\"");
    scene.text("42[\"next\"]");
    assert_eq!(scene.told.event().0, "next");
}

#[test]
fn grants_and_goodbyes_nobody_asked_for_do_nothing() {
    let mut scene = Polling::new();
    for packet in ["40", "40/stranger", "41/stranger", "40/stranger,"] {
        scene.text(packet);
    }
    scene.text("42/stranger,[\"x\"]");
    scene.text("42[\"next\"]");
    assert_eq!(scene.told.event().0, "next");
    assert_eq!(scene.client.counters().dropped_events, 1);
    // On closing, only what was joined is left.
    let closing = closing(&scene.client);
    assert_eq!(scene.post(), [text("41"), text("1")]);
    closing.join().unwrap();
}

#[test]
fn a_root_event_an_ack_or_a_granted_namespace_proves_the_root() {
    for packet in ["42[\"e\"]", "43999[]"] {
        let mut peer = sio_peer::peer::Peer::new();
        let connecting = sio_peer::client::connecting(sio_peer::client::polling_only(
            sio_v1::Client::builder(&peer.url()),
        ));
        peer.get()
            .answer(&Answer::text(&[&crate::wire::plain_open(), packet]));
        let client = connecting.join().expect("a connection");
        assert_eq!(client.counters().tolerated, 1);
    }
}

#[test]
fn a_server_s_disconnect_ends_the_receivers() {
    let mut scene = Polling::new();
    scene.text("42[\"last\"]");
    scene.answer(&Answer::text(&["41"]));
    assert_eq!(scene.told.event().0, "last");
    assert_eq!(
        scene
            .told
            .events
            .recv_timeout(sio_peer::wait::PATIENCE)
            .unwrap_err(),
        NextError::Closed
    );
    assert!(matches!(scene.told.reason(), DisconnectReason::Server));
    assert!(
        scene
            .told
            .statuses
            .try_iter()
            .all(|status| !matches!(status, Status::Disconnected(_)))
    );
}
