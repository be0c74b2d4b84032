//! Wire logs: what is recorded of a connection, what it must not tell, and what a replay makes of it.

use bytes::Bytes;
use sio_core::session::SessionEvent;
use sio_peer::client::{closing, polling_only, reconnecting, watched};
use sio_peer::lifecycle::eager;
use sio_peer::peer::{Answer, Peer};
use sio_peer::recording::{FullDisk, Sheet};
use sio_peer::wait::{PATIENCE, assert_says, background};
use sio_peer::websocket::frame;
use sio_v1::{Client, LogError, Replay, Value, WireLog, replay};

use crate::scene::{Polling, Socketed};
use crate::wire::{Answers as _, open, plain_open, probed};

const TOKEN: &str = "a-secret-token";
const SID: &str = "an-id-as-long-as-any";

/// A connection with all there is: polls, a post, an upgrade, bytes both ways, an ack, a namespace with a query.
fn converse(log: WireLog) {
    let open = open(&["websocket"], 25_000, 20_000).replace("abc", SID);
    let mut scene = Polling::with(&open, |builder| builder.record(log).query("token", TOKEN));
    let request = scene.peer.upgrade();
    scene.client.emit("posted", "é").unwrap();
    scene.post();
    let mut socket = probed(request);
    socket.text("3probe");
    scene.finish_upgrade(&mut socket);
    scene.told.upgraded();
    let bytes = Value::from(Bytes::from_static(b"\x00\xff"));
    let asking = scene.client.clone();
    let question = background("an answer", move || {
        asking.call::<_, String>("bytes", bytes, PATIENCE)
    });
    socket.message();
    socket.message();
    socket.text("430[\"taken\"]");
    assert_eq!(question.join().unwrap(), "taken");
    socket.text("451-[\"file\",{\"_placeholder\":true,\"num\":0}]");
    socket.raw(&frame(0x82, b"\x04\x01\x02\xfe"));
    scene.told.event();
    let chat = scene.client.namespace("/chat").query("key", TOKEN);
    let chat = background("a namespace", move || chat.join());
    socket.expect(&format!("40/chat?key={TOKEN},"));
    socket.text("40/chat");
    chat.join().unwrap();
    let closing = closing(&scene.client);
    socket.message();
    socket.is_closed();
    closing.join().unwrap();
}

fn events(replay: &Replay) -> Vec<&str> {
    let names = replay.told.iter().filter_map(|told| match &told.event {
        SessionEvent::Event { name, .. } => Some(&**name),
        _ => None,
    });
    names.collect()
}

#[track_caller]
fn same(log: &str) -> Replay {
    let replay = replay(log).expect("a log");
    assert_eq!(replay.differences, [], "{log}");
    replay
}

#[test]
fn what_was_recorded_gives_the_same_again() {
    let sheet = Sheet::default();
    converse(sheet.log());
    let replay = same(&sheet.text());
    assert_eq!(replay.head.protocol, "engine.io 3");
    assert_eq!(events(&replay), ["file"]);
    let last = &replay.told.last().expect("the end").event;
    assert!(matches!(last, SessionEvent::Closed(_)), "{last:?}");
    assert!(!replay.truncated);
}

#[test]
fn a_masked_log_tells_no_query_and_no_id_and_gives_the_same() {
    let (open, masked) = (Sheet::default(), Sheet::default());
    converse(open.log());
    converse(masked.log().mask_secrets());
    assert!(open.text().contains(TOKEN) && open.text().contains(SID));
    let log = masked.text();
    assert!(!log.contains(TOKEN) && !log.contains(SID), "{log}");
    assert_eq!(events(&same(&log)), ["file"]);
}

#[test]
fn every_session_of_a_client_is_in_its_log() {
    let sheet = Sheet::default();
    let mut peer = Peer::new();
    let builder = polling_only(Client::builder(&peer.url()));
    let (builder, mut told) = watched(builder.record(sheet.log()));
    let connecting = reconnecting(builder, eager());
    let open = plain_open();
    peer.get().answer(&Answer::text(&[&open, "40"]));
    let _client = connecting.join().unwrap();
    peer.get().answer(&Answer::new(500, "text/plain", b"gone"));
    peer.get().answer(&Answer::text(&[&open, "40"]));
    peer.get().answer(&Answer::text(&["42[\"again\"]"]));
    told.event();
    let replay = same(&sheet.with("\"told\":{\"event\""));
    assert_eq!(replay.told.last().expect("an event").session, 2);
    assert_eq!(events(&replay), ["again"]);
}

#[test]
fn a_session_that_does_otherwise_is_found_out_by_line() {
    let sheet = Sheet::default();
    converse(sheet.log());
    let log = sheet.text();
    let changed = log.replace(r#"\"taken\""#, r#"\"other\""#);
    assert_ne!(log, changed);
    // What came was changed, and what was told then: the log agrees with itself.
    same(&changed);
    let line = log
        .lines()
        .position(|line| line.contains(r#""told":{"ack""#))
        .expect("the ack was told");
    let lines: Vec<String> = log
        .lines()
        .enumerate()
        .map(|(index, text)| {
            if index == line {
                text.replace("taken", "other")
            } else {
                text.to_owned()
            }
        })
        .collect();
    let replay = replay(&(lines.join("\n") + "\n")).unwrap();
    assert_eq!(replay.differences.len(), 1, "{:?}", replay.differences);
    assert_eq!(replay.differences[0].line, line + 1);
    assert_says(
        &replay.differences[0].to_string(),
        &["recorded", "other", "replayed", "taken"],
    );
}

#[test]
fn a_log_that_was_cut_off_is_replayed_as_far_as_it_goes() {
    let sheet = Sheet::default();
    converse(sheet.log());
    let log = sheet.text();
    for end in 0..log.len() {
        if !log.is_char_boundary(end) {
            continue;
        }
        match replay(&log[..end]) {
            Ok(replay) if replay.truncated => {
                assert_eq!(replay.differences, [], "{end}");
            }
            Ok(_) => {
                let is_whole = log[..end].ends_with('\n') || log[end..].starts_with('\n');
                assert!(is_whole, "{end}");
            }
            Err(error) => assert!(matches!(error, LogError::NoLog(_)), "{end}: {error}"),
        }
    }
}

#[test]
fn what_is_no_log_of_this_protocol_is_refused_with_what_it_is() {
    let refused = |log: &str| replay(log).expect_err("no log").to_string();
    assert_says(&refused(""), &["no wire log", "sio_wire_log"]);
    assert_says(&refused("{\"event\":1}\n"), &["no wire log"]);
    let head = |version: u32, protocol: &str| {
        format!(
            "{{\"sio_wire_log\":{version},\"protocol\":\"{protocol}\",\"client\":\"\",\"server\":\"\",\
             \"masked\":false,\"unix_time\":0.0}}\n"
        )
    };
    assert_says(&refused(&head(2, "engine.io 3")), &["format 2", "up to 1"]);
    assert_says(
        &refused(&head(1, "socket.io 0.9")),
        &["socket.io 0.9", "engine.io 3"],
    );
    let good = head(1, "engine.io 3");
    let broken = refused(&format!("{good}\n{{\"ns\":1,\"what\":{{}}}}\n"));
    assert_says(&broken, &["line 3", "broken"]);
    let early = refused(&format!("{good}{{\"ns\":1,\"in\":{{\"text\":\"40\"}}}}\n"));
    assert_says(&early, &["line 2", "start"]);
}

#[test]
fn a_disk_that_is_full_ends_the_log_and_not_the_connection() {
    let log = WireLog::new(FullDisk(600));
    let mut scene = Socketed::with(&plain_open(), |builder| builder.record(log));
    for number in 0..10 {
        scene.client.emit("n", number).unwrap();
        scene.socket.expect(&format!("42[\"n\",{number}]"));
    }
    assert_says(
        &scene.told.error().chain(),
        &["writing the wire log", "no space left"],
    );
    scene.client.emit("still", ()).unwrap();
    scene.socket.expect("42[\"still\"]");
}
