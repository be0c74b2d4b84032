//! The move from polling to WebSocket, with traffic in flight, and everything that can go wrong with it.

use std::time::Duration;

use sio_peer::client::{calling, closing};
use sio_peer::peer::{Answer, Request};
use sio_peer::wait::{PATIENCE, assert_says, background, eventually, takes};
use sio_peer::websocket::WebSocketPeer;
use sio_v1::{Transport, Value};

use crate::scene::Polling;
use crate::wire::{Answers as _, Packet, Packets as _, Posts as _, binary, probed, text};

/// Time in which something that must not happen would.
const A_WHILE: Duration = Duration::from_millis(40);

/// A session that waits for its poll to end: the probe was answered.
fn paused() -> (Polling, WebSocketPeer) {
    let (scene, request) = Polling::upgrading(|builder| builder);
    let mut socket = probed(request);
    socket.text("3probe");
    socket.hears_nothing(A_WHILE);
    (scene, socket)
}

/// Asserts that the session goes on by polling, with the poll that was held all the time, and tries no upgrade again.
#[track_caller]
fn goes_on_polling(scene: &mut Polling) {
    scene.client.emit("still", "here").unwrap();
    assert_eq!(scene.post(), [text("42[\"still\",\"here\"]")]);
    scene.text("42[\"news\",\"yes\"]");
    assert_eq!(scene.told.text_event(), ("news".into(), "yes".into()));
    scene.peer.hears_nothing(A_WHILE);
    assert_eq!(scene.client.transport(), Some(Transport::Polling));
}

/// An upgrade that fails as `act` makes it, with an error that says so.
#[track_caller]
fn fails(says: &[&str], act: impl FnOnce(Request)) {
    let limit = Duration::from_millis(250);
    let (mut scene, request) = Polling::upgrading(|builder| builder.upgrade_timeout(limit));
    act(request);
    assert_says(&scene.told.failed_upgrade(), says);
    goes_on_polling(&mut scene);
}

#[test]
fn probe_pause_and_upgrade_happen_in_that_order() {
    let (mut scene, request) = Polling::upgrading(|builder| builder.header("X-Mine", "yes"));
    assert_eq!(
        request.target,
        "/socket.io/?EIO=3&transport=websocket&sid=abc"
    );
    assert_eq!(request.header("x-mine"), Some("yes"));
    let mut socket = probed(request);
    assert_eq!(scene.client.transport(), Some(Transport::Polling));
    socket.text("3probe");
    // The poll is pending, so nothing is sent.
    socket.hears_nothing(A_WHILE);
    scene.finish_upgrade(&mut socket);
    scene.told.upgraded();
    assert_eq!(scene.client.transport(), Some(Transport::WebSocket));
    scene.client.emit("up", ()).unwrap();
    socket.expect("42[\"up\"]");
    socket.text("42[\"down\"]");
    assert_eq!(scene.told.event().0, "down");
    scene.peer.hears_nothing(A_WHILE);
}

#[test]
fn the_upgrade_waits_for_a_post_too() {
    let (mut scene, request) = Polling::upgrading(|builder| builder);
    scene.client.emit("posted", ()).unwrap();
    let post = scene.peer.post();
    let mut socket = probed(request);
    socket.text("3probe");
    socket.hears_nothing(A_WHILE);
    scene.answer(&Answer::text(&["6"]));
    socket.hears_nothing(A_WHILE);
    post.ok();
    socket.expect("5");
    scene.peer.hears_nothing(A_WHILE);
}

#[test]
fn a_noop_on_the_websocket_before_the_end_does_no_harm() {
    let (mut scene, request) = Polling::upgrading(|builder| builder);
    let mut socket = probed(request);
    socket.text("6");
    socket.text("3probe");
    socket.text("6");
    scene.finish_upgrade(&mut socket);
    scene.told.upgraded();
}

#[test]
fn polling_goes_on_while_the_websocket_is_probed() {
    let (mut scene, request) = Polling::upgrading(|builder| builder);
    for n in 0..3 {
        scene.text(&format!("42[\"down\",\"{n}\"]"));
        assert_eq!(scene.told.text_event().1, n.to_string());
        scene.client.emit("up", n).unwrap();
        assert_eq!(scene.post(), [text(&format!("42[\"up\",{n}]"))]);
    }
    let mut socket = probed(request);
    goes_on_polling(&mut scene);
    socket.text("3probe");
    scene.finish_upgrade(&mut socket);
}

#[test]
fn what_the_last_poll_brings_comes_before_the_websocket() {
    let (mut scene, mut socket) = paused();
    scene.answer(&Answer::text(&["42[\"e\",\"1\"]", "42[\"e\",\"2\"]"]));
    socket.expect("5");
    socket.text("42[\"e\",\"3\"]");
    for n in 1..=3 {
        assert_eq!(scene.told.text_event().1, n.to_string());
    }
}

#[test]
fn emits_during_the_pause_leave_in_order_behind_the_upgrade_packet() {
    let (mut scene, mut socket) = paused();
    for n in 0..5 {
        scene.client.emit("n", n).unwrap();
    }
    scene
        .client
        .emit("b", Value::from(bytes::Bytes::from_static(b"\x07")))
        .unwrap();
    let asking = calling(&scene.client, "q", PATIENCE);
    socket.hears_nothing(A_WHILE);
    scene.answer(&Answer::text(&["6"]));
    socket.expect("5");
    for n in 0..5 {
        socket.expect(&format!("42[\"n\",{n}]"));
    }
    socket.expect("451-[\"b\",{\"_placeholder\":true,\"num\":0}]");
    assert_eq!(socket.packet(), binary(b"\x07"));
    socket.expect("420[\"q\"]");
    socket.text("430[\"a\"]");
    assert_eq!(asking.join().unwrap(), "a");
    scene.peer.hears_nothing(A_WHILE);
}

#[test]
fn a_binary_event_may_be_split_by_the_upgrade() {
    let (mut scene, mut socket) = paused();
    let header = "452-[\"b\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]";
    scene.answer(&Answer::binary(&[text(header), binary(b"poll")]));
    socket.expect("5");
    socket.binary(b"socket");
    let bytes = [&b"poll"[..], b"socket"].map(|part| Value::from(bytes::Bytes::from_static(part)));
    assert_eq!(scene.told.event(), ("b".into(), bytes.to_vec()));
}

#[test]
fn a_stream_of_events_survives_the_upgrade_both_ways() {
    const COUNT: usize = 400;
    let (mut scene, request) = Polling::upgrading(|builder| builder);
    let client = scene.client.clone();
    let emitting = background("emitting", move || {
        for n in 0..COUNT {
            client.emit("up", n).unwrap();
            std::thread::yield_now();
        }
    });
    let mut got = scene.post();
    let mut socket = probed(request);
    let down = |n: usize| format!("42[\"down\",\"{n}\"]");
    scene.text(&down(0));
    socket.text("3probe");
    socket.hears_nothing(A_WHILE);
    scene.answer(&Answer::text(&[&down(1), &down(2)]));
    // A post may be out; the upgrade waits for it.
    while let Some(post) = scene.peer.post_within(Duration::from_millis(100)) {
        got.extend(post.packets());
        post.ok();
    }
    socket.expect("5");
    socket.text(&down(3));
    while got.len() < COUNT {
        got.push(socket.packet());
    }
    emitting.join();
    let expected: Vec<Packet> = (0..COUNT)
        .map(|n| text(&format!("42[\"up\",{n}]")))
        .collect();
    assert_eq!(got, expected);
    for n in 0..4 {
        assert_eq!(scene.told.text_event().1, n.to_string());
    }
}

#[test]
fn a_wrong_answer_to_the_probe_drops_the_websocket() {
    for answer in ["3", "3nope", "40", "42[\"x\"]", "", "2probe", "5"] {
        let says = format!("expected \"3probe\" first, found {answer:?}");
        fails(&["the upgrade's WebSocket was dropped", &says], |request| {
            let mut socket = probed(request);
            socket.text(answer);
            socket.is_closed();
        });
    }
    fails(&["found \"a binary message\""], |request| {
        let mut socket = probed(request);
        socket.binary(b"x");
        socket.is_closed();
    });
}

#[test]
fn data_before_the_probe_s_answer_is_a_wrong_answer_however_long() {
    fails(&["expected \"3probe\" first"], |request| {
        let mut socket = probed(request);
        socket.text(&format!("42[\"{}\"]", "x".repeat(100_000)));
        socket.is_closed();
    });
}

#[test]
fn a_websocket_that_ends_before_the_probe_s_answer_is_given_up() {
    fails(&["closed with code 1013, \"later\""], |request| {
        probed(request).close(1013, "later");
    });
    fails(&["the transport was closed"], |request| {
        probed(request).cut();
    });
    fails(&["closed without an answer"], Request::close);
}

#[test]
fn a_refused_websocket_is_given_up() {
    for (status, words) in [
        (400, "Bad Request"),
        (403, "no websockets here"),
        (404, "nothing"),
        (502, "bad gateway"),
    ] {
        let says = format!("the WebSocket handshake was answered with HTTP status {status}");
        fails(&[&says, words], |request| {
            request.answer(&Answer::new(status, "text/plain", words.as_bytes()));
        });
    }
    fails(&["the WebSocket to http://127.0.0.1"], |mut request| {
        request.raw(b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
        request.expect_drop();
    });
}

#[test]
fn a_silent_websocket_is_given_up_at_the_upgrade_timeout() {
    let says = "the WebSocket of the upgrade was not confirmed within 250ms";
    let span = (Duration::from_millis(200), Duration::from_millis(900));
    takes(span.0, span.1, || fails(&[says], Request::expect_drop));
    takes(span.0, span.1, || {
        fails(&[says], |request| {
            let mut socket = probed(request);
            socket.is_closed();
        });
    });
}

#[test]
fn an_upgrade_that_fails_in_the_pause_loses_nothing() {
    let (mut scene, mut socket) = paused();
    scene.client.emit("n", 1).unwrap();
    scene.client.emit("n", 2).unwrap();
    scene.peer.hears_nothing(A_WHILE);
    socket.cut();
    assert_says(&scene.told.failed_upgrade(), &["the transport was closed"]);
    assert_eq!(scene.post(), [text("42[\"n\",1]"), text("42[\"n\",2]")]);
    goes_on_polling(&mut scene);
}

#[test]
fn a_poll_that_is_held_through_the_whole_upgrade_is_not_cancelled() {
    let limit = Duration::from_millis(250);
    let (mut scene, request) = Polling::upgrading(|builder| builder.upgrade_timeout(limit));
    let mut socket = probed(request);
    socket.text("3probe");
    scene.client.emit("n", 1).unwrap();
    // A server that never ends the poll: the upgrade cannot be finished.
    assert_says(
        &scene.told.failed_upgrade(),
        &["not confirmed within 250ms"],
    );
    assert_eq!(scene.post(), [text("42[\"n\",1]")]);
    goes_on_polling(&mut scene);
    socket.is_closed();
}

#[test]
fn a_poll_that_fails_in_the_pause_ends_the_session() {
    let (mut scene, mut socket) = paused();
    scene.answer(&Answer::new(502, "text/html", b"gone"));
    assert_says(
        &scene.told.fatal(),
        &["a poll was answered with HTTP status 502"],
    );
    socket.is_closed();
}

#[test]
fn a_session_that_ends_by_itself_drops_the_probe() {
    let (mut scene, request) = Polling::upgrading(|builder| builder);
    let mut socket = probed(request);
    scene.answer(&Answer::text(&["41"]));
    scene.told.reason();
    socket.is_closed();
    let (mut scene, request) = Polling::upgrading(|builder| builder);
    scene.answer(&Answer::text(&["1"]));
    scene.told.reason();
    request.expect_drop();
}

// --- closing in the middle -------------------------------------------------------------------------------------------

#[test]
fn closing_before_the_websocket_is_open_says_goodbye_by_polling() {
    let (mut scene, request) = Polling::upgrading(|builder| builder);
    let closing = closing(&scene.client);
    request.expect_drop();
    assert_eq!(scene.post(), [text("41"), text("1")]);
    takes(Duration::ZERO, Duration::from_secs(1), || {
        closing.join().unwrap();
    });
    scene.poll.take().unwrap().expect_drop();
}

#[test]
fn closing_in_the_pause_waits_for_the_upgrade_and_sends_what_was_emitted() {
    let (mut scene, mut socket) = paused();
    scene.client.emit("before", ()).unwrap();
    let closing = closing(&scene.client);
    socket.hears_nothing(A_WHILE);
    assert!(scene.client.emit("after", ()).is_err(), "refused, not sent");
    scene.answer(&Answer::text(&["6"]));
    socket.expect("5");
    socket.expect("42[\"before\"]");
    socket.expect("41");
    socket.is_closed();
    closing.join().unwrap();
    scene.peer.hears_nothing(A_WHILE);
}

#[test]
fn closing_while_the_upgrade_fails_says_goodbye_by_polling() {
    let (mut scene, mut socket) = paused();
    scene.client.emit("before", ()).unwrap();
    let closing = closing(&scene.client);
    eventually("the close", PATIENCE, || !scene.client.is_connected());
    socket.cut();
    assert_eq!(
        scene.post(),
        [text("42[\"before\"]"), text("41"), text("1")]
    );
    closing.join().unwrap();
    scene.poll.take().unwrap().expect_drop();
}

#[test]
fn closing_during_a_probe_that_hangs_still_says_goodbye_in_time() {
    let (mut scene, request) =
        Polling::upgrading(|builder| builder.close_timeout(Duration::from_millis(600)));
    let _silent = probed(request);
    let client = scene.client.clone();
    let closing = background("closing", move || {
        takes(Duration::ZERO, Duration::from_millis(900), || {
            client.close()
        })
    });
    assert_eq!(scene.post(), [text("41"), text("1")]);
    closing.join().unwrap();
}
