//! The options of a connection hold for the questions.

use sio_auto::Protocol;
use sio_peer::peer::{Answer, Peer};

use crate::wire::{For, builder, purpose, refusal, served, version};
use crate::wire::{open, session_of_2};

#[test]
fn every_question_carries_what_the_program_set() {
    let mut peer = Peer::new();
    let builder = builder(&peer)
        .path("/deep/path")
        .query("token", "secret")
        .header("X-Tenant", "blue")
        .cookie("lang", "en")
        .basic_auth("me", "secret")
        .user_agent("tester");
    let mut purposes = Vec::new();
    let mut websockets = Vec::new();
    let report = served(
        &mut peer,
        move || builder.probe(),
        |request| {
            let target = &request.target;
            assert!(target.starts_with("/deep/path/"), "{target}");
            assert!(target.contains("token=secret"), "{target}");
            assert_eq!(request.header("x-tenant"), Some("blue"), "{target}");
            assert_eq!(request.header("user-agent"), Some("tester"), "{target}");
            let cookies = request.header("cookie").unwrap();
            assert!(cookies.contains("lang=en"), "{cookies}");
            assert!(request.header("authorization").is_some(), "{target}");
            let purpose = purpose(&request);
            purposes.push(purpose);
            match purpose {
                For::Session(_) => request.answer(&refusal(0)),
                For::Script => request.answer(&version("\"4.8.4\"")),
                _ => {
                    let mut websocket = sio_peer::websocket::WebSocketPeer::accept(request);
                    websocket.text(&open(""));
                    websocket.text("40");
                    websockets.push(websocket);
                }
            }
        },
    );
    let report = report.unwrap();
    assert_eq!(
        purposes,
        [
            For::Session(4),
            For::Script,
            For::WebSocket(4),
            For::WebSocket(3)
        ]
    );
    assert_eq!(report.allows_eio3, Some(true), "{report}");
    let text = format!("{report} {report:?}");
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(report.url, format!("{}/deep/path/", peer.url()));
}

#[test]
fn a_namespace_in_the_url_and_a_tiny_inbox_change_nothing() {
    let mut peer = Peer::new();
    let builder = sio_auto::Client::builder(&format!("{}/chat", peer.url()))
        .inbox(sio_auto::Bounds::inbox().count(0))
        .keep_open(true);
    let report = served(
        &mut peer,
        move || builder.probe(),
        |request| match purpose(&request) {
            For::Session(_) => request.answer(&session_of_2("")),
            For::Script => request.answer(&version("\"2.5.0\"")),
            _ => request.answer(&Answer::new(200, "text/html", b"ok")),
        },
    );
    let report = report.unwrap();
    assert_eq!(report.protocol, Some(Protocol::V1), "{report}");
    assert_eq!(report.transports, ["polling"]);
}
