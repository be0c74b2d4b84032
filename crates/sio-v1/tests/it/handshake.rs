//! The beginning of a connection, with peers that are odd but talk Engine.IO 3, and with some that break it.

use std::time::Duration;

use sio_peer::bytes::gzip;
use sio_peer::client::{connecting, polling_only, websocket_only};
use sio_peer::peer::{Answer, Peer};
use sio_peer::wait::{assert_says, error_of};
use sio_peer::websocket::{WebSocketPeer, frame, switching};
use sio_v1::{Client, Error, Limits};

use crate::scene::{Polling, Socketed};
use crate::wire::{Answers as _, binary_body, plain_open, text, text_body};

/// The error of a polling client whose handshake gets this answer.
#[track_caller]
fn refusal(answer: &Answer) -> Error {
    let mut peer = Peer::new();
    let connecting = connecting(polling_only(Client::builder(&peer.url())));
    peer.get().answer(answer);
    error_of("connecting", connecting.join())
}

/// Connects with this as the first answer, and `40` in the second.
#[track_caller]
fn accepts(first: &Answer) -> Client {
    let mut peer = Peer::new();
    let connecting = connecting(polling_only(Client::builder(&peer.url())));
    peer.get().answer(first);
    peer.get().answer(&Answer::text(&["40"]));
    connecting.join().expect("a connection")
}

#[test]
fn the_handshake_s_request_is_as_the_protocol_wants_it() {
    let mut peer = Peer::new();
    let url = format!("{}/?token=a%20b", peer.url());
    let builder = polling_only(
        Client::builder(&url)
            .query("room", "7&8")
            .header("X-Mine", "yes"),
    );
    let connecting = connecting(builder);
    let get = peer.get();
    let wanted = "/socket.io/?token=a%20b&room=7%268&EIO=3&transport=polling&t=";
    assert!(get.target.starts_with(wanted), "{}", get.target);
    assert_eq!(get.header("x-mine"), Some("yes"));
    assert_eq!(get.header("accept"), Some("*/*"));
    get.answer(&Answer::text(&[&plain_open(), "40"]));
    let next = peer.get();
    assert!(next.target.contains("&sid=abc&t="), "{}", next.target);
    assert_eq!(next.header("x-mine"), Some("yes"));
    connecting.join().unwrap();
}

#[test]
fn a_body_over_the_limit_is_an_error_that_names_the_limit() {
    let mut peer = Peer::new();
    let limits = Limits::default().message_bytes(1000);
    let connecting = connecting(polling_only(Client::builder(&peer.url()).limits(limits)));
    let get = peer.get();
    get.answer(&Answer::broken("x".repeat(1001)));
    let error = error_of("connecting", connecting.join());
    assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
    assert_says(&error.chain(), &["1000 bytes", "Limits::message_bytes"]);
}

#[test]
fn a_body_of_exactly_the_limit_is_read() {
    let body = text_body(&[&plain_open(), "40"]);
    let limits = Limits::default().message_bytes(body.len());
    let mut peer = Peer::new();
    let connecting = connecting(polling_only(Client::builder(&peer.url()).limits(limits)));
    peer.get().answer(&Answer::broken(&body));
    connecting.join().expect("a connection");
}

#[test]
fn a_body_without_a_length_is_read_to_its_end() {
    let mut peer = Peer::new();
    let connecting = connecting(polling_only(Client::builder(&peer.url())));
    let mut get = peer.get();
    get.may_be_answered();
    get.raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n");
    get.raw(&text_body(&[&plain_open(), "40"]));
    get.close();
    connecting.join().expect("a connection");
}

#[test]
fn a_gzip_coded_answer_is_decoded_and_another_coding_refused() {
    let mut peer = Peer::new();
    let connecting_ = connecting(polling_only(Client::builder(&peer.url())));
    let get = peer.get();
    assert_eq!(get.header("accept-encoding"), Some("gzip"));
    let body = gzip(&text_body(&[&plain_open(), "40"]));
    get.answer(&Answer::broken(body).header("Content-Encoding", "gzip"));
    connecting_.join().expect("a connection");

    for coding in ["br", "deflate", "gzip, br"] {
        let error = refusal(&Answer::broken("?").header("Content-Encoding", coding));
        assert!(matches!(error, Error::Transport { .. }), "{error:?}");
        assert_says(
            &error.chain(),
            &["content coding", &format!("{coding:?}"), "not asked for"],
        );
    }
    let error = refusal(&Answer::broken("no gzip").header("Content-Encoding", "gzip"));
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
}

#[test]
fn an_identity_coding_is_none() {
    drop(accepts(
        &Answer::text(&[&plain_open()]).header("Content-Encoding", "identity"),
    ));
}

#[test]
fn the_open_packet_may_come_in_any_framing_alone_or_with_others() {
    drop(accepts(&Answer::text(&[&plain_open()])));
    drop(accepts(&Answer::binary(&[text(&plain_open())])));
    let body = binary_body(&[text(&plain_open()), text("40")]);
    drop(accepts(&Answer::new(
        200,
        "Application/Octet-Stream; charset=UTF-8",
        &body,
    )));
    // An event in the very first body is not lost, though the root's connect packet comes behind it.
    let mut scene = Polling::with(&plain_open(), polling_only);
    scene.text("42[\"later\",\"x\"]");
    assert_eq!(scene.told.text_event(), ("later".into(), "x".into()));
}

#[test]
fn events_in_the_handshake_s_body_reach_the_program() {
    let mut peer = Peer::new();
    let (builder, mut events) = polling_only(Client::builder(&peer.url())).events();
    let connecting = connecting(builder);
    let packets = [&plain_open(), "42[\"early\",1]", "40", "42[\"late\",2]"];
    peer.get().answer(&Answer::text(&packets));
    let client = connecting.join().expect("a connection");
    let mut names = events
        .timeout(Duration::from_millis(300))
        .map(|event| event.name().to_owned());
    assert_eq!(names.next().as_deref(), Some("early"));
    assert_eq!(names.next().as_deref(), Some("late"));
    assert_eq!(names.next(), None);
    assert_eq!(client.counters().events, 2);
}

#[test]
fn odd_fields_in_the_open_packet_do_no_harm() {
    let odd = [
        r#"0{"sid":"a"}"#,
        r#"0{"sid":"a","upgrades":[],"pingInterval":"25000","pingTimeout":"60000"}"#,
        r#"0{"pingTimeout":1e4,"extra":{"deep":[1,2]},"pingInterval":25000.5,"sid":"a","maxPayload":1000000}"#,
        r#"0{"sid":"a","upgrades":["flashsocket",7],"pingInterval":null,"pingTimeout":99999999999999}"#,
        r#"0{"sid":12,"upgrades":null}"#,
    ];
    for open in odd {
        drop(accepts(&Answer::text(&[open])));
        drop(Socketed::with(open, |builder| builder));
    }
}

#[test]
fn a_broken_open_packet_is_an_error_that_says_what_is_wrong() {
    let broken = [
        ("0{\"sid\":", "expected a JSON object in the open packet"),
        ("0[]", "expected a JSON object in the open packet"),
        ("0", "expected a JSON object in the open packet"),
        (
            "0{}",
            "expected a session id in the open packet, found nothing",
        ),
        (
            "0{\"sid\":\"\"}",
            "expected a session id in the open packet, found \"\"",
        ),
        (
            "0{\"sid\":\"a\",\"upgrades\":7}",
            "expected a list of upgrades in the open packet, found 7",
        ),
        (
            "0{\"sid\":\"a\",\"pingInterval\":0}",
            "as pingInterval in the open packet, found 0",
        ),
        (
            "0{\"sid\":\"a\",\"pingTimeout\":\"x\"}",
            "as pingTimeout in the open packet, found \"x\"",
        ),
    ];
    for (open, says) in broken {
        let by_polling = refusal(&Answer::text(&[open]));
        let by_websocket = websocket_refusal(open);
        for error in [by_polling, by_websocket] {
            assert!(matches!(error, Error::Protocol { .. }), "{open}: {error:?}");
            assert_says(
                &error.chain(),
                &["the server's open packet is broken", says],
            );
        }
    }
}

#[test]
fn anything_but_the_open_packet_first_is_an_error() {
    for packet in ["40", "3", "1", "2", "5", "42[\"x\"]"] {
        let by_polling = refusal(&Answer::text(&[packet]));
        let by_websocket = websocket_refusal(packet);
        for error in [by_polling, by_websocket] {
            assert_says(&error.chain(), &["expected an open packet first"]);
        }
    }
    assert_says(
        &refusal(&Answer::text(&["6"])).chain(),
        &["expected an open packet first"],
    );
    for nothing in [Answer::broken_binary(""), Answer::broken("")] {
        assert_says(
            &refusal(&nothing).chain(),
            &["not what a Socket.IO server answers"],
        );
    }
}

#[test]
fn a_second_open_packet_ends_the_session() {
    let mut scene = Polling::new();
    scene.answer(&Answer::text(&[&plain_open()]));
    assert_says(
        &scene.told.fatal(),
        &[
            "the server broke the protocol",
            "expected no second open packet",
        ],
    );

    let mut scene = Socketed::new();
    scene.socket.text(&plain_open());
    assert_says(
        &scene.told.fatal(),
        &[
            "the server broke the protocol",
            "expected no second open packet",
        ],
    );
    scene.socket.is_closed();
}

/// The error of a client that is told this first on its WebSocket.
#[track_caller]
fn websocket_refusal(first: &str) -> Error {
    let mut peer = Peer::new();
    let connecting = connecting(websocket_only(Client::builder(&peer.url())));
    let mut socket = WebSocketPeer::accept(peer.upgrade());
    socket.text(first);
    let error = error_of(first, connecting.join());
    socket.is_closed();
    error
}

#[test]
fn the_websocket_s_handshake_is_checked() {
    let mut peer = Peer::new();
    let connecting_ = connecting(websocket_only(Client::builder(&peer.url())));
    let mut upgrade = peer.upgrade();
    assert_eq!(upgrade.target, "/socket.io/?EIO=3&transport=websocket");
    assert_eq!(upgrade.header("sec-websocket-version"), Some("13"));
    upgrade.raw(b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n");
    let error = error_of("connecting", connecting_.join());
    assert!(matches!(error, Error::Protocol { .. }), "{error:?}");

    // The first frames may come right behind the head, in one write.
    let mut peer = Peer::new();
    let connecting = connecting(websocket_only(Client::builder(&peer.url())));
    let mut upgrade = peer.upgrade();
    let mut bytes = switching(&upgrade).into_bytes();
    bytes.extend(frame(0x81, plain_open().as_bytes()));
    bytes.extend(frame(0x81, b"40"));
    upgrade.raw(&bytes);
    connecting.join().expect("a connection");
}
