//! How the probe ends: in time, with nothing left open, whenever that is.

use bytes::Bytes;
use sio_core::Error;
use sio_core::session::{Command, Input, Session as _};
use sio_peer::scenario::{SECOND, Scenario};

use super::{
    CONNECT_TIMEOUT, OPEN, OPEN_4, TEXT, answer_version, config, report, report_of, show, start,
    texts,
};
use crate::probe::Session;
use crate::{Certainty, Family};

fn broken() -> Error {
    Error::transport("GET http://server", std::io::Error::other("cut"))
}

#[test]
fn the_first_question_has_all_the_time_and_its_failure_is_that_of_connecting() {
    let mut probe = start();
    assert_eq!(probe.session.poll_timeout(), None);
    let id = probe.get.take().unwrap();
    probe.input(Input::HttpFailed {
        id,
        error: broken(),
    });
    assert_eq!(probe.outputs(), ["closed: GET http://server: cut"]);
}

#[test]
fn silence_costs_each_later_question_a_share_of_the_time_that_is_left() {
    let mut probe = start();
    let begin = probe.now;
    probe.pass(12 * SECOND);
    probe.answer_get(200, TEXT, OPEN_4);
    probe.outputs();
    // 8 s are left: 2 for the farewell, then a quarter of what is left each time.
    probe.pass_to_deadline(2 * SECOND);
    assert_eq!(
        probe.outputs(),
        ["cancel post", "GET ?EIO=3&transport=polling"]
    );
    probe.pass_to_deadline(SECOND * 3 / 2);
    assert_eq!(probe.outputs(), ["cancel get", "HEAD socket.io.js"]);
    probe.pass_to_deadline(SECOND * 9 / 8);
    let outputs = probe.outputs();
    assert_eq!(outputs[0], "cancel get");
    let report = report_of(&outputs[3], "/");
    assert_eq!((report.server, report.allows_eio3), (Family::V4, None));
    assert_eq!(report.certainty, Certainty::Likely);
    assert!(probe.now < begin + CONNECT_TIMEOUT);
}

#[test]
fn a_later_question_that_fails_is_told_and_no_more() {
    let mut probe = start();
    probe.answer_get(200, TEXT, texts(&[OPEN, "40"]));
    probe.outputs();
    let id = probe.post.take().unwrap();
    probe.input(Input::HttpFailed {
        id,
        error: broken(),
    });
    assert_eq!(probe.outputs(), ["HEAD socket.io.js"]);
    let id = probe.get.take().unwrap();
    probe.input(Input::HttpFailed {
        id,
        error: broken(),
    });
    let report = report(&mut probe);
    assert_eq!((report.server, report.version), (Family::V2, None));
    let last = report.evidence.last().unwrap();
    assert!(last.contains("GET http://server: cut"), "{last}");
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let mut probe = start();
    let id = probe.get.unwrap();
    let data = Bytes::from(vec![b'x'; 40 << 10]);
    probe.input(Input::HttpData {
        id,
        data: data.clone(),
    });
    assert_eq!(probe.outputs(), ["identified"]);
    probe.input(Input::HttpData { id, data });
    assert_eq!(probe.outputs(), ["cancel get", "GET 1/"]);
    // What is still on its way of the first one is not of the second.
    let data = Bytes::from_static(b"S:60:60:websocket");
    probe.input(Input::HttpData { id, data });
    probe.answer_get(404, None, "");
    assert_eq!(report(&mut probe).server, Family::NotSocketIo);
}

#[test]
fn whoever_joins_another_namespace_gets_the_report_there() {
    let mut probe = start();
    probe.answer_get(404, None, "");
    let outputs = probe.outputs();
    let first = report_of(&outputs[3], "/");
    probe.join("/chat");
    let outputs = probe.outputs();
    assert_eq!(outputs[0], "joined /chat");
    assert_eq!(report_of(&outputs[1], "/chat"), first);
    probe.command(Command::Close);
    assert_eq!(probe.outputs(), ["closed: closed by this client"]);
}

fn asked_by_websocket() -> Scenario<Session> {
    let mut probe = start();
    let refusal = r#"{"code":0,"message":"Transport unknown"}"#;
    probe.answer_get(400, "application/json", refusal);
    probe.outputs();
    answer_version(&mut probe, None);
    probe.outputs();
    probe
}

#[test]
fn closing_leaves_nothing_open() {
    const CLOSED: &str = "closed: closed by this client";
    let mut probe = start();
    probe.command(Command::Close);
    assert_eq!(probe.outputs(), ["cancel get", CLOSED]);

    // A farewell that is on its way arrives, if it does in time.
    let leaving = || {
        let mut probe = start();
        probe.answer_get(200, TEXT, texts(&[OPEN, "40"]));
        probe.outputs();
        probe.command(Command::Close);
        assert_eq!(probe.outputs(), [""; 0]);
        probe
    };
    let mut probe = leaving();
    probe.answer_post(200);
    assert_eq!(probe.outputs(), [CLOSED]);
    let mut probe = leaving();
    probe.pass_to_deadline(SECOND);
    assert_eq!(probe.outputs(), ["cancel post", CLOSED]);

    let mut probe = asked_by_websocket();
    probe.command(Command::Close);
    assert_eq!(probe.outputs(), ["ws drop", CLOSED]);

    let mut probe = asked_by_websocket();
    probe.input(Input::WebSocketOpened);
    probe.command(Command::Close);
    assert_eq!(probe.outputs(), ["ws close"]);
    probe.pass_to_deadline(SECOND);
    assert_eq!(probe.outputs(), ["ws drop", CLOSED]);
    probe.command(Command::Close);
    assert_eq!(probe.outputs(), [""; 0]);
}

#[test]
fn the_program_s_query_is_on_every_question() {
    let mut config = config();
    config.query = "token=a".into();
    config.timestamps = true;
    let mut probe = Scenario::<Session>::start(config, show);
    assert_eq!(
        probe.outputs(),
        ["GET ?token=a&EIO=4&transport=polling&t=1"]
    );
    probe.answer_get(200, None, "Welcome to socket.io.");
    assert_eq!(probe.outputs(), ["identified", "GET 1/?token=a&t=2"]);
    probe.answer_get(200, None, "S:60:60:websocket");
    assert_eq!(probe.outputs(), ["GET socket.io.js?token=a"]);
}
