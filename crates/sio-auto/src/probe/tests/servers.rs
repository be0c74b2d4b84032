//! What each server answers, and the report on it.

use sio_core::session::{Input, Response};
use sio_peer::scenario::{SECOND, Scenario};

use super::{
    OCTETS, OPEN, OPEN_4, TEXT, answer, answer_version, octets, ok, report, report_of, start, texts,
};
use crate::probe::Session;
use crate::{Certainty, Family, Protocol};

const FAREWELL: &str = r"\x00\x01\xff1";

/// A 1.x server up to the question for its version.
fn asked_1x() -> Scenario<Session> {
    let mut probe = start();
    probe.answer_get(200, OCTETS, octets(OPEN));
    let farewell = format!("POST ?EIO=4&transport=polling&sid=S%2F1 {FAREWELL}");
    assert_eq!(probe.outputs(), ["identified".to_owned(), farewell]);
    probe.answer_post(200);
    assert_eq!(probe.outputs(), ["HEAD socket.io.js"]);
    probe
}

#[test]
fn a_1x_server_is_known_by_its_framing_and_told_apart_by_its_version() {
    for (etag, family, version, advice) in [
        (Some("1.0.6"), Family::V1_0, Some("1.0.6"), 1),
        (Some("\"1.7.4\""), Family::V1, Some("1.7.4"), 0),
        (Some("W/\"1.4.5\""), Family::V1, Some("1.4.5"), 0),
        (None, Family::V1, None, 1),
        (Some("5f3e-abc"), Family::V1, None, 1),
    ] {
        let mut probe = asked_1x();
        answer_version(&mut probe, etag);
        let report = report(&mut probe);
        assert_eq!(report.server, family, "{etag:?}");
        assert_eq!(report.version.as_deref(), version, "{etag:?}");
        assert_eq!(report.protocol, Some(Protocol::V1));
        assert_eq!(report.engine_io, Some(3));
        assert_eq!(report.transports, ["polling", "websocket"]);
        assert_eq!(report.ping_timeout, Some(60 * SECOND));
        assert_eq!(report.advice.len(), advice, "{etag:?}");
        let certain = report.certainty == Certainty::Certain;
        assert_eq!(certain, version.is_some(), "{etag:?}");
    }
}

#[test]
fn the_script_of_another_version_is_not_believed() {
    let mut probe = asked_1x();
    answer_version(&mut probe, Some("\"4.7.0\""));
    let report = report(&mut probe);
    assert_eq!((report.server, report.version), (Family::V1, None));
    assert_eq!(report.certainty, Certainty::Likely);
}

#[test]
fn a_2x_server_is_known_by_its_framing() {
    let mut probe = start();
    probe.answer_get(200, TEXT, texts(&[OPEN, "40"]));
    let farewell = format!("POST ?EIO=4&transport=polling&sid=S%2F1 {FAREWELL}");
    assert_eq!(probe.outputs(), ["identified".to_owned(), farewell]);
    probe.answer_post(200);
    assert_eq!(probe.outputs(), ["HEAD socket.io.js"]);
    answer_version(&mut probe, Some("\"2.5.0\""));
    let report = report(&mut probe);
    assert_eq!(report.server, Family::V2);
    assert_eq!(report.version.as_deref(), Some("2.5.0 or 2.5.1"));
    assert_eq!(
        report.headline(),
        "Socket.IO 2.x (2.5.0 or 2.5.1), Engine.IO 3: use sio-v1"
    );
    assert_eq!(report.cargo().unwrap(), "[dependencies]\nsio-v1 = \"0.1\"");
}

/// A server of Engine.IO 4, asked whether it speaks Engine.IO 3.
fn asked_4(open: &str) -> Scenario<Session> {
    let mut probe = start();
    probe.answer_get(200, TEXT, open.to_owned());
    assert_eq!(
        probe.outputs(),
        ["identified", "POST ?EIO=4&transport=polling&sid=S1 1"]
    );
    probe.answer_post(200);
    assert_eq!(probe.outputs(), ["GET ?EIO=3&transport=polling"]);
    probe
}

#[test]
fn a_4x_server_that_allows_engine_io_3_is_asked_twice_and_left_twice() {
    let mut probe = asked_4(OPEN_4);
    probe.answer_get(200, TEXT, texts(&[OPEN]));
    let farewell = format!("POST ?EIO=3&transport=polling&sid=S%2F1 {FAREWELL}");
    assert_eq!(probe.outputs(), [farewell]);
    probe.answer_post(200);
    assert_eq!(probe.outputs(), ["HEAD socket.io.js"]);
    answer_version(&mut probe, Some("\"4.8.4\""));
    let report = report(&mut probe);
    assert_eq!(
        (report.server, report.allows_eio3),
        (Family::V4, Some(true))
    );
    assert_eq!(report.protocol, Some(Protocol::V1));
    assert_eq!(report.ping_timeout, Some(20 * SECOND));
    assert!(report.advice.is_empty(), "{report:?}");
}

#[test]
fn a_4x_server_that_does_not_is_no_server_for_us() {
    let mut probe = asked_4(OPEN_4);
    let refusal = r#"{"code":5,"message":"Unsupported protocol version"}"#;
    probe.answer_get(400, "application/json", refusal);
    assert_eq!(probe.outputs(), ["HEAD socket.io.js"]);
    answer_version(&mut probe, None);
    let report = report(&mut probe);
    assert_eq!(
        (report.server, report.allows_eio3),
        (Family::V4, Some(false))
    );
    assert_eq!((report.protocol, report.cargo()), (None, None));
    assert_eq!(report.certainty, Certainty::Likely);
    assert!(report.advice[0].contains("allowEIO3: true"), "{report:?}");
}

#[test]
fn a_3_0_server_answers_engine_io_4_to_either_question() {
    let open = r#"0{"sid":"S1","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":5000}"#;
    let mut probe = asked_4(open);
    probe.answer_get(200, TEXT, open);
    assert_eq!(probe.outputs(), ["POST ?EIO=3&transport=polling&sid=S1 1"]);
    probe.answer_post(200);
    assert_eq!(probe.outputs(), ["HEAD socket.io.js"]);
    answer_version(&mut probe, None);
    let report = report(&mut probe);
    assert_eq!(
        (report.server, report.allows_eio3),
        (Family::V3, Some(false))
    );
    assert!(report.advice[0].contains("3.1 or later"), "{report:?}");
}

#[test]
fn a_python_server_is_known_by_its_refusal_in_quotes() {
    let mut probe = start();
    let refusal =
        "\"The client is using an unsupported version of the Socket.IO or Engine.IO protocols\"";
    probe.answer_get(400, "text/plain", refusal);
    assert_eq!(
        probe.outputs(),
        ["identified", "GET ?EIO=3&transport=polling"]
    );
    let body = [octets(OPEN), octets("40")].concat();
    probe.answer_get(200, OCTETS, body);
    probe.outputs();
    probe.answer_post(200);
    assert_eq!(probe.outputs(), ["HEAD socket.io.js"]);
    answer(
        &mut probe,
        Response {
            status: 404,
            ..ok()
        },
    );
    let report = report(&mut probe);
    assert_eq!(report.server, Family::Python);
    assert_eq!(
        (report.protocol, report.version),
        (Some(Protocol::V1), None)
    );
    assert_eq!(report.transports, ["polling", "websocket"]);
}

#[test]
fn socketioxide_is_known_by_its_session_ids_where_it_hands_out_no_client() {
    let open = OPEN_4.replace("S1", "-2-nMlD9OBM7hhW1");
    for (etag, family) in [(None, Family::Socketioxide), (Some("4.8.4"), Family::V4)] {
        let mut probe = start();
        probe.answer_get(200, TEXT, open.clone());
        probe.outputs();
        probe.answer_post(200);
        probe.outputs();
        probe.answer_get(200, TEXT, texts(&[OPEN]));
        probe.outputs();
        probe.answer_post(200);
        probe.outputs();
        answer_version(&mut probe, etag);
        let report = report(&mut probe);
        assert_eq!((report.server, report.allows_eio3), (family, Some(true)));
        assert_eq!(report.protocol, Some(Protocol::V1));
    }
}

#[test]
fn socketioxide_without_polling_calls_a_poll_a_bad_request() {
    let mut probe = start();
    let refusal = r#"{"code":"3","message":"Bad request"}"#;
    probe.answer_get(400, "application/json", refusal);
    assert_eq!(probe.outputs(), ["identified", "HEAD socket.io.js"]);
    answer_version(&mut probe, None);
    probe.outputs();
    probe.input(Input::WebSocketOpened);
    probe.text(OPEN_4);
    probe.outputs();
    probe.input(closed());
    probe.outputs();
    probe.input(Input::WebSocketOpened);
    probe.text(OPEN);
    probe.text("40");
    assert_eq!(probe.outputs(), ["ws close"]);
    probe.input(closed());
    let report = report(&mut probe);
    assert_eq!(
        (report.server, report.allows_eio3),
        (Family::Socketioxide, Some(true))
    );
    assert_eq!(report.transports, ["websocket"]);
    assert_eq!(
        report.headline(),
        "socketioxide, Engine.IO 3 and 4: use sio-v1"
    );
    assert!(
        report.advice[0].contains("polling is switched off"),
        "{report}"
    );
}

#[test]
fn a_0_9_server_is_asked_for_its_handshake_and_its_script() {
    let mut probe = start();
    probe.answer_get(200, None, "Welcome to socket.io.");
    assert_eq!(probe.outputs(), ["identified", "GET 1/"]);
    probe.answer_get(200, TEXT, "S:60::websocket,xhr-polling");
    assert_eq!(probe.outputs(), ["GET socket.io.js"]);
    // Its beginning is enough.
    let id = probe.get.expect("a GET that is out");
    let script = "/*! Socket.IO.js build:0.9.16, development. */";
    let script = format!("{script}{}", " ".repeat(400));
    probe.input(Input::HttpData {
        id,
        data: script.into(),
    });
    let outputs = probe.outputs();
    assert_eq!(outputs[0], "cancel get");
    let report = report_of(&outputs[3], "/");
    assert_eq!(report.server, Family::V0_9);
    assert_eq!(report.version.as_deref(), Some("0.9.16 to 0.9.19"));
    assert_eq!(report.protocol, Some(Protocol::Legacy));
    assert_eq!(report.heartbeat_timeout, Some(60 * SECOND));
    assert_eq!(report.close_timeout, None);
    assert_eq!(report.transports, ["websocket", "xhr-polling"]);
}

#[test]
fn a_0_9_server_without_transports_would_die_of_the_question_for_its_script() {
    for (status, handshake) in [(200, "S:60:60:"), (403, "handshake unauthorized")] {
        let mut probe = start();
        probe.answer_get(200, None, "Welcome to socket.io.");
        probe.outputs();
        probe.answer_get(status, TEXT, handshake);
        let report = report(&mut probe);
        assert_eq!((report.server, report.version), (Family::V0_9, None));
    }
}

/// A server without polling, asked by WebSocket.
fn asked_by_websocket(etag: Option<&str>) -> Scenario<Session> {
    let mut probe = start();
    let refusal = r#"{"code":0,"message":"Transport unknown"}"#;
    probe.answer_get(400, "application/json", refusal);
    assert_eq!(probe.outputs(), ["identified", "HEAD socket.io.js"]);
    answer_version(&mut probe, etag);
    let target = "open /socket.io/?EIO=4&transport=websocket";
    assert_eq!(probe.outputs(), [target]);
    probe.input(Input::WebSocketOpened);
    probe
}

fn closed() -> Input {
    Input::WebSocketClosed {
        code: Some(1000),
        text: "".into(),
    }
}

#[test]
fn without_polling_a_root_that_comes_by_itself_is_engine_io_3() {
    let mut probe = asked_by_websocket(None);
    probe.text(OPEN);
    probe.text("40");
    assert_eq!(probe.outputs(), ["ws close"]);
    probe.input(closed());
    let report = report(&mut probe);
    assert_eq!(report.server, Family::V1);
    assert_eq!(report.certainty, Certainty::Guess);
    assert_eq!(report.transports, ["websocket"]);
    assert_eq!(report.protocol, Some(Protocol::V1));
}

#[test]
fn without_polling_silence_behind_the_open_packet_is_waited_for_a_second() {
    let mut probe = asked_by_websocket(None);
    let begin = probe.now;
    probe.text(OPEN);
    probe.pass_to_deadline(SECOND);
    assert_eq!(probe.outputs(), ["ws close"]);
    probe.input(closed());
    let target = "open /socket.io/?EIO=3&transport=websocket";
    assert_eq!(probe.outputs(), [target]);
    // As 3.1 without allowEIO3: it opens, and says nothing.
    probe.input(Input::WebSocketOpened);
    probe.pass_to_deadline(19 * SECOND / 4);
    assert_eq!(probe.outputs(), ["ws close"]);
    probe.pass_to_deadline(SECOND);
    let outputs = probe.outputs();
    assert_eq!(outputs[0], "ws drop");
    let report = report_of(&outputs[3], "/");
    assert_eq!(report.allows_eio3, Some(false));
    assert_eq!(report.certainty, Certainty::Guess);
    assert!(probe.now - begin < 7 * SECOND);
}

#[test]
fn without_polling_a_known_version_needs_no_waiting() {
    let mut probe = asked_by_websocket(Some("\"2.5.0\""));
    probe.text(OPEN);
    assert_eq!(probe.outputs(), ["ws close"]);
    probe.input(closed());
    let report = report(&mut probe);
    assert_eq!(report.server, Family::V2);
    assert_eq!(report.certainty, Certainty::Certain);
}

#[test]
fn without_polling_4x_is_asked_for_engine_io_3_by_websocket() {
    let mut probe = asked_by_websocket(Some("\"4.8.4\""));
    probe.text(OPEN_4);
    assert_eq!(probe.outputs(), ["ws close"]);
    probe.input(closed());
    probe.outputs();
    let broken = std::io::Error::other("no frame");
    let broken = sio_core::Error::transport("the WebSocket", broken);
    probe.input(Input::WebSocketFailed(broken));
    let report = report(&mut probe);
    assert_eq!(
        (report.server, report.allows_eio3),
        (Family::V4, Some(false))
    );
}

#[test]
fn who_is_refused_learns_the_version_all_the_same() {
    let forbidden = r#"{"code":4,"message":"no"}"#;
    for (status, body, etag, family, protocol) in [
        (
            400,
            r#"{"code":null}"#,
            "1.4.5",
            Family::V1,
            Some(Protocol::V1),
        ),
        (403, forbidden, "2.5.0", Family::V2, Some(Protocol::V1)),
        (403, forbidden, "none", Family::Unknown, None),
    ] {
        let mut probe = start();
        probe.answer_get(status, "application/json", body);
        assert_eq!(probe.outputs(), ["identified", "HEAD socket.io.js"]);
        answer_version(&mut probe, Some(etag));
        let report = report(&mut probe);
        assert_eq!(
            (report.server, report.protocol),
            (family, protocol),
            "{body}"
        );
        assert!(
            report.advice[0].contains("refuses this client"),
            "{report:?}"
        );
    }
}

#[test]
fn a_page_is_no_server() {
    let page = |status, content_type: &str, body: &'static str| Response {
        status,
        content_type: Some(content_type.into()),
        server: Some("nginx/1.24".into()),
        body: body.into(),
        ..ok()
    };
    for (response, headline) in [
        (
            page(404, "text/html; charset=utf-8", "<h1>Not\n Found</h1>"),
            "Not Socket.IO: HTTP 404, text/html, from nginx/1.24: <h1>Not Found</h1>",
        ),
        (
            page(400, "application/json", r#"{"code":400,"message":"no"}"#),
            r#"Not Socket.IO: HTTP 400, application/json, from nginx/1.24: {"code":400,"message":"no"}"#,
        ),
        (
            page(401, "text/html", ""),
            "Unknown: HTTP 401, text/html, from nginx/1.24",
        ),
        (
            page(502, "text/html", "bad"),
            "Unknown: HTTP 502, text/html, from nginx/1.24: bad",
        ),
        (
            Response {
                location: Some("https://login.example/in?token=secret".into()),
                ..page(302, "text/html", "token=secret")
            },
            "Not Socket.IO: HTTP 302, text/html, from nginx/1.24, to https://login.example/in",
        ),
    ] {
        let mut probe = start();
        answer(&mut probe, response);
        let outputs = probe.outputs();
        assert_eq!(outputs[0], "identified");
        let report = report_of(&outputs[3], "/");
        assert_eq!(report.headline(), headline);
        assert!(!report.to_string().contains("secret"), "{report}");
        assert_eq!(report.protocol, None);
        assert_eq!(report.advice.len(), 1);
    }
}

#[test]
fn a_page_for_everything_may_stand_before_a_0_9_server() {
    let asked = || {
        let mut probe = start();
        probe.answer_get(200, "text/html", "<!doctype html>");
        assert_eq!(probe.outputs(), ["identified", "GET 1/"]);
        probe
    };
    let mut probe = asked();
    probe.answer_get(200, "text/html", "<!doctype html>");
    assert_eq!(report(&mut probe).server, Family::NotSocketIo);

    let mut probe = asked();
    probe.answer_get(200, TEXT, "S:60:60:websocket");
    assert_eq!(probe.outputs(), ["GET socket.io.js"]);
    probe.answer_get(404, TEXT, "");
    assert_eq!(report(&mut probe).server, Family::V0_9);
}
