//! Polling: requests that fail, how they follow each other, and what the client never does.

use std::time::Duration;

use sio_peer::client::polling_only;
use sio_peer::peer::Answer;
use sio_peer::wait::{assert_says, takes};
use sio_v1::{Transport, Value};

use crate::scene::Polling;
use crate::wire::{Answers as _, Packet, Posts as _, binary, open, text};

/// The error that ends a session whose poll gets this answer.
#[track_caller]
pub(crate) fn fatal(answer: &Answer) -> String {
    let mut scene = Polling::new();
    scene.answer(answer);
    let text = scene.told.fatal();
    assert!(!scene.client.is_connected());
    scene.peer.hears_nothing(Duration::from_millis(20));
    text
}

#[test]
fn an_error_page_ends_the_session_with_its_status() {
    for (status, page) in [
        (500, "<h1>Oops</h1>"),
        (502, "<h1>Bad Gateway</h1>"),
        (504, "timed out"),
        (204, ""),
    ] {
        let text = fatal(&Answer::new(status, "text/html", page.as_bytes()));
        let says = format!("a poll was answered with HTTP status {status}");
        assert_says(&text, &[&says, page]);
    }
    let text = fatal(&Answer::new(
        400,
        "application/json",
        br#"{"code":1,"message":"Session ID unknown"}"#,
    ));
    assert_says(&text, &["HTTP status 400", "does not know the session"]);
    let text = fatal(&Answer::new(302, "text/html", b"").header("Location", "/login"));
    assert_says(&text, &["HTTP status 302", "it redirects to /login"]);
}

#[test]
fn a_web_page_in_the_place_of_a_poll_is_named_with_its_status() {
    let text = fatal(&Answer::new(
        200,
        "text/html",
        b"<html>Please log in to the hotel</html>",
    ));
    assert_says(
        &text,
        &[
            "a poll was answered with HTTP status 200",
            "Please log in to the hotel",
        ],
    );
}

#[test]
fn a_post_that_fails_ends_the_session() {
    for (status, says) in [
        (400, "HTTP status 400"),
        (413, "maxHttpBufferSize"),
        (500, "HTTP status 500"),
    ] {
        let mut scene = Polling::new();
        scene.client.emit("x", ()).unwrap();
        scene
            .peer
            .post()
            .answer(&Answer::new(status, "text/plain", b"no"));
        assert_says(&scene.told.fatal(), &["a post was answered", says]);
        scene.poll.take().unwrap().expect_drop();
    }
}

#[test]
fn a_post_without_an_answer_ends_the_session() {
    let mut scene = Polling::new();
    scene.client.emit("x", ()).unwrap();
    scene.peer.post().close();
    assert_says(
        &scene.told.fatal(),
        &["POST http://", "closed without an answer"],
    );
    scene.poll.take().unwrap().expect_drop();
}

#[test]
fn a_poll_without_an_answer_ends_the_session() {
    let mut scene = Polling::new();
    scene.poll.take().unwrap().close();
    assert_says(
        &scene.told.fatal(),
        &["GET http://", "closed without an answer"],
    );
}

#[test]
fn polls_answered_at_once_bring_one_request_each() {
    let mut scene = Polling::new();
    for _ in 0..300 {
        scene.text("6");
    }
    // The last poll is held: nothing else is asked.
    scene.peer.hears_nothing(Duration::from_millis(50));
    assert_eq!(scene.client.counters().events, 0);
    assert!(scene.client.is_connected());
}

#[test]
fn a_long_session_needs_two_connections() {
    let mut scene = Polling::new();
    for n in 0..20 {
        scene.client.emit("up", n).unwrap();
        assert_eq!(scene.post(), [text(&format!("42[\"up\",{n}]"))]);
        scene.text("42[\"down\"]");
        assert_eq!(scene.told.event().0, "down");
    }
    assert_eq!(scene.peer.connections(), 2);
}

#[test]
fn a_server_that_closes_after_each_answer_is_served_too() {
    let mut scene = Polling::new();
    for n in 0..5 {
        scene.answer(&Answer::text(&[&format!("42[\"n\",\"{n}\"]")]).header("Connection", "close"));
        assert_eq!(scene.told.text_event().1, n.to_string());
        scene.poll = Some(scene.peer.get());
    }
    assert_eq!(scene.peer.connections(), 6);
}

#[test]
fn bytes_behind_an_answer_do_not_poison_the_next_one() {
    let mut scene = Polling::new();
    let mut poll = scene.poll.take().unwrap();
    poll.may_be_answered();
    let mut bytes = Answer::text(&["42[\"a\",\"1\"]"]).bytes();
    bytes.extend(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1:1");
    poll.raw(&bytes);
    drop(poll);
    assert_eq!(scene.told.text_event().1, "1");
    scene.poll = Some(scene.peer.get());
    scene.text("42[\"a\",\"2\"]");
    assert_eq!(
        scene.told.text_event().1,
        "2",
        "the close packet behind the first answer is nobody's"
    );
    assert!(scene.client.is_connected());
}

#[test]
fn an_emit_leaves_at_once_though_a_poll_is_pending() {
    let mut scene = Polling::new();
    takes(Duration::ZERO, Duration::from_secs(1), || {
        scene.client.emit("now", ()).unwrap();
        assert_eq!(scene.post(), [text("42[\"now\"]")]);
    });
}

#[test]
fn emits_during_a_post_wait_and_leave_together_in_order_sixteen_at_a_time() {
    let mut scene = Polling::new();
    scene.client.emit("first", ()).unwrap();
    let first = scene.peer.post();
    for n in 0..50 {
        scene.client.emit("n", n).unwrap();
    }
    scene
        .client
        .emit("bytes", Value::from(bytes::Bytes::from_static(b"\x00\xff")))
        .unwrap();
    scene.peer.hears_nothing(Duration::from_millis(30));
    first.ok();
    let mut expected: Vec<Packet> = (0..50).map(|n| text(&format!("42[\"n\",{n}]"))).collect();
    expected.push(text("451-[\"bytes\",{\"_placeholder\":true,\"num\":0}]"));
    expected.push(binary(b"\x00\xff"));
    for packets in expected.chunks(16) {
        assert_eq!(scene.post(), packets);
    }
}

#[test]
fn posts_have_their_length_and_the_one_content_type_all_servers_read() {
    let mut scene = Polling::new();
    scene.client.emit("x", "한😀").unwrap();
    let post = scene.peer.post();
    assert_eq!(
        post.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(
        post.header("content-length"),
        Some(&*post.body.len().to_string())
    );
    assert_eq!(post.header("transfer-encoding"), None);
    assert!(
        post.target.contains("EIO=3&transport=polling&sid=abc&t="),
        "{}",
        post.target
    );
    assert_eq!(
        post.packets(),
        [text("42[\"x\",\"\\ud55c\\ud83d\\ude00\"]")]
    );
    post.ok();
}

#[test]
fn a_poll_may_be_held_as_long_as_the_heartbeat_allows() {
    // The pong comes when the poll was held for nearly interval and timeout.
    let mut scene = Polling::with(&open(&[], 200, 600), polling_only);
    assert_eq!(scene.post(), [text("2")]);
    scene.peer.hears_nothing(Duration::from_millis(150));
    scene.text("3");
    assert_eq!(scene.post(), [text("2")]);
    assert!(scene.client.is_connected());
}

#[test]
fn polling_alone_never_opens_a_websocket() {
    let mut scene = Polling::with(&open(&["websocket"], 25_000, 20_000), polling_only);
    scene.text("6");
    scene.peer.hears_nothing(Duration::from_millis(50));
    assert_eq!(scene.client.transport(), Some(Transport::Polling));
}

#[test]
fn a_server_that_offers_no_upgrade_is_not_asked_for_one() {
    let mut scene = Polling::with(&open(&[], 25_000, 20_000), |builder| builder);
    scene.text("6");
    scene.peer.hears_nothing(Duration::from_millis(50));
}
