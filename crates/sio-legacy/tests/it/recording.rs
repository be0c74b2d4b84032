//! Wire logs of every transport: a replay gives the same, and a masked log tells no secret.

use sio_core::session::{Session as _, SessionEvent};
use sio_legacy::{Client, LogError, Session, Transport, replay};
use sio_peer::client::{connecting, polling_only, watched};
use sio_peer::peer::{Answer, Peer};
use sio_peer::recording::Sheet;

use crate::scene::{Polling, Socketed, Streaming, body, shake_hands, usual};
use crate::wire::Answers as _;

/// Asserts that a replay tells this one event.
#[track_caller]
fn same(sheet: &Sheet, event: &str) {
    let log = sheet.with("\"told\":{\"event\"");
    let replay = replay(&log).expect("a log");
    assert_eq!(replay.differences, [], "{log}");
    let names = replay.told.iter().filter_map(|told| match &told.event {
        SessionEvent::Event { name, .. } => Some(&**name),
        _ => None,
    });
    assert_eq!(names.collect::<Vec<_>>(), [event], "{log}");
}

#[test]
fn polls_give_the_same_again() {
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let sheet = Sheet::default();
        let log = sheet.log();
        let mut scene = Polling::with(transport, &usual(), |builder| builder.record(log));
        scene.packets(&["5:::{\"name\":\"news\",\"args\":[\"é\u{fffd}😀\"]}"]);
        scene.told.event();
        scene.client.emit("said", "é").unwrap();
        scene.post();
        same(&sheet, "news");
    }
}

#[test]
fn a_websocket_gives_the_same_again() {
    let sheet = Sheet::default();
    let log = sheet.log();
    let mut scene = Socketed::with(&usual(), |builder| builder.record(log));
    scene.socket.text("5:::{\"name\":\"news\"}");
    scene.told.event();
    same(&sheet, "news");
}

#[test]
fn a_stream_gives_the_same_again() {
    let sheet = Sheet::default();
    let log = sheet.log();
    let mut scene = Streaming::with(&usual(), |builder| builder.record(log));
    scene.stream.packet("5:::{\"name\":\"news\"}");
    scene.told.event();
    same(&sheet, "news");
}

#[test]
fn a_masked_log_tells_no_query_and_no_id_and_gives_the_same() {
    const TOKEN: &str = "a-secret-token";
    const SID: &str = "4d4f185e96a7b";
    let sheet = Sheet::default();
    let mut peer = Peer::new();
    let builder = polling_only(Client::builder(&peer.url())).query("token", TOKEN);
    let (builder, mut told) = watched(builder.record(sheet.log().mask_secrets()));
    let connecting = connecting(builder);
    shake_hands(&mut peer, &usual().replace('S', SID));
    let packets = ["1::", "5:::{\"name\":\"news\"}"];
    for packet in packets {
        let poll = peer.get();
        assert!(poll.target.contains(SID) && poll.target.contains(TOKEN));
        poll.answer(&Answer::plain(body(Transport::Polling, &[packet])));
    }
    let _client = connecting.join().unwrap();
    told.event();
    let log = sheet.text();
    assert!(!log.contains(TOKEN) && !log.contains(SID), "{log}");
    same(&sheet, "news");
}

#[test]
fn a_log_of_the_other_protocol_is_refused() {
    let head = "{\"sio_wire_log\":1,\"protocol\":\"engine.io 3\",\"client\":\"\",\"server\":\"\",\"masked\":false,\
                \"unix_time\":0.0}\n";
    let refused = replay(head).expect_err("another protocol");
    assert_eq!(
        refused,
        LogError::Protocol {
            expected: Session::NAME,
            found: "engine.io 3".to_owned()
        }
    );
}
