//! What is asked over polling when a WebSocket of its own says nothing. These sessions have 20 s to connect.

use super::*;

const HTML: &str = "text/html";

/// A WebSocket of its own is being opened.
fn opening() -> Scenario {
    let mut config = config();
    config.transports = vec![Transport::WebSocket];
    let mut scenario = start(config);
    scenario.outputs();
    scenario
}

/// It was accepted.
fn silent() -> Scenario {
    let mut scenario = opening();
    scenario.input(Input::WebSocketOpened);
    assert!(scenario.outputs().is_empty());
    scenario
}

/// It was accepted, and half of the time is over.
fn asked() -> Scenario {
    let mut scenario = silent();
    scenario.pass_to_deadline(10 * SECOND);
    assert_eq!(scenario.outputs(), ["get"]);
    scenario
}

fn unanswered() -> Input {
    let error = std::io::Error::other("closed without an answer");
    Input::WebSocketUnanswered(Error::transport("the WebSocket", error))
}

fn ended() -> Input {
    Input::WebSocketClosed {
        code: Some(1000),
        text: "bye".into(),
    }
}

/// The end of a session where polling works.
fn only_polling(symptom: &str) -> String {
    let why = SessionError::OnlyPollingWorks;
    format!("closed: the WebSocket {symptom}: {why}")
}

#[test]
fn a_websocket_that_is_closed_unanswered_or_unopened_leads_to_a_question() {
    let after_accepting = {
        let mut scenario = silent();
        scenario.input(ended());
        scenario
    };
    let mut unheard = opening();
    unheard.input(unanswered());
    for (mut scenario, symptom) in [
        (unheard, "was closed without an answer"),
        (
            after_accepting,
            "was accepted, and closed before anything came",
        ),
    ] {
        assert_eq!(scenario.outputs(), ["get"]);
        scenario.answer_get(200, HTML, "Welcome to socket.io.");
        assert_eq!(
            scenario.outputs(),
            [format!(
                "closed: the WebSocket {symptom}; the handshake over polling was answered with HTTP status 200, \
                 text/html (this is a Socket.IO 0.9 server: use the crate sio-legacy): Welcome to socket.io."
            )]
        );
        assert_eq!(scenario.session.poll_timeout(), None);
    }
}

#[test]
fn silence_leads_to_a_question_when_half_of_the_time_is_over() {
    let mut scenario = silent();
    scenario.pass(9 * SECOND);
    assert!(scenario.outputs().is_empty());
    scenario.pass_to_deadline(SECOND);
    assert_eq!(scenario.outputs(), ["get"]);
    let body = r#"{"code":5,"message":"Unsupported protocol version"}"#;
    scenario.answer_get(400, "application/json", body);
    let outputs = scenario.outputs();
    assert_eq!(outputs[0], "ws drop");
    for says in ["was accepted, and nothing came; ", "allowEIO3", body] {
        assert!(outputs[1].contains(says), "{outputs:?}");
    }
}

#[test]
fn each_answer_that_is_none_of_a_matching_server_ends_the_session() {
    for (status, body, says) in [
        (200, r#"0{"sid":"x"}"#, "Socket.IO 3.0"),
        (200, "<html>", "a web page answers here"),
        (200, "{}", "not what a Socket.IO server answers"),
        (200, "", "not what a Socket.IO server answers"),
        (404, "gone", "is the path option right?"),
        (401, "who?", "HTTP status 401"),
        (302, "", "it redirects to nowhere"),
        (400, r#"{"code":null}"#, "origins setting refused"),
    ] {
        let mut scenario = asked();
        scenario.answer_get(status, HTML, body);
        let outputs = scenario.outputs();
        assert_eq!(outputs[0], "ws drop");
        assert!(outputs[1].starts_with("closed: "), "{outputs:?}");
        assert!(outputs[1].contains(says), "{outputs:?}");
    }
}

#[test]
fn a_session_that_the_question_opened_is_closed_and_the_silence_waited_for() {
    let mut scenario = asked();
    scenario.answer_poll(&[OPEN, "40"]);
    assert_eq!(scenario.outputs(), ["post 1"]);
    assert!(scenario.session.waits_for().unwrap().contains("polling"));
    scenario.answer_post(200);
    assert!(scenario.outputs().is_empty());
    assert_eq!(scenario.session.poll_timeout(), None);
    scenario.text(OPEN_WS);
    scenario.text("40");
    assert_eq!(scenario.outputs(), ["opened S on websocket", "joined /"]);
}

#[test]
fn where_polling_works_the_end_of_the_websocket_says_so() {
    let mut scenario = opening();
    scenario.input(unanswered());
    assert_eq!(scenario.outputs(), ["get"]);
    scenario.answer_poll(&[OPEN, "40"]);
    assert_eq!(scenario.outputs(), ["post 1"]);
    scenario.answer_post(400);
    assert_eq!(
        scenario.outputs(),
        [only_polling("was closed without an answer")]
    );

    let mut scenario = asked();
    scenario.answer_poll(&[OPEN]);
    scenario.outputs();
    scenario.answer_post(200);
    scenario.input(ended());
    assert_eq!(
        scenario.outputs(),
        [only_polling(
            "was accepted, and closed before anything came"
        )]
    );
}

#[test]
fn an_answer_that_explains_nothing_leaves_the_websocket_s_own_error() {
    for (status, body) in [
        (400, r#"{"code":0,"message":"Transport unknown"}"#),
        (503, "later"),
        (429, "later"),
        (200, "2:40"),
        (200, "9:0{}"),
    ] {
        let mut silent = asked();
        silent.answer_get(status, HTML, body);
        assert!(silent.outputs().is_empty(), "{body}");
        assert!(silent.session.waits_for().unwrap().contains("3.1"));
        silent.input(ended());
        assert_eq!(
            silent.outputs(),
            [r#"closed: the transport was closed with code 1000, "bye""#]
        );

        let mut gone = opening();
        gone.input(unanswered());
        gone.outputs();
        gone.answer_get(status, HTML, body);
        assert_eq!(
            gone.outputs(),
            ["closed: the WebSocket: closed without an answer"]
        );
    }
}

#[test]
fn a_question_without_an_answer_ends_in_time_and_changes_nothing() {
    let mut scenario = opening();
    scenario.input(unanswered());
    scenario.outputs();
    scenario.pass_to_deadline(10 * SECOND);
    assert_eq!(
        scenario.outputs(),
        [
            "cancel get",
            "closed: the WebSocket: closed without an answer"
        ]
    );

    let mut scenario = asked();
    scenario.pass_to_deadline(5 * SECOND);
    assert_eq!(scenario.outputs(), ["cancel get"]);
    assert_eq!(scenario.session.poll_timeout(), None);
    scenario.text(OPEN_WS);
    assert_eq!(scenario.outputs(), ["opened S on websocket"]);

    let mut scenario = opening();
    scenario.input(unanswered());
    scenario.outputs();
    let id = scenario.get.take().unwrap();
    let error = Error::transport("GET", std::io::Error::other("cut"));
    scenario.input(Input::HttpFailed { id, error });
    assert_eq!(
        scenario.outputs(),
        ["closed: the WebSocket: closed without an answer"]
    );
}

#[test]
fn without_time_for_an_answer_nothing_is_asked() {
    let mut gone = opening();
    gone.now += 20 * SECOND;
    gone.input(unanswered());
    let closed = "closed: the WebSocket: closed without an answer";
    assert_eq!(gone.outputs(), [closed]);

    let mut late = silent();
    late.now += 30 * SECOND;
    late.session.handle_timeout(late.now);
    assert!(late.outputs().is_empty());
    assert_eq!(late.session.poll_timeout(), None);
    late.text(OPEN_WS);
    assert_eq!(late.outputs(), ["opened S on websocket"]);
}

#[test]
fn hanging_up_has_a_limit_too() {
    let mut scenario = opening();
    scenario.input(unanswered());
    scenario.outputs();
    scenario.answer_poll(&[OPEN]);
    scenario.outputs();
    scenario.pass_to_deadline(SECOND); // the close timeout
    let closed = only_polling("was closed without an answer");
    assert_eq!(scenario.outputs(), ["cancel post", &closed]);
}

#[test]
fn an_open_packet_that_comes_late_wins_and_the_question_is_tidied_up() {
    let mut scenario = asked();
    scenario.text(OPEN_WS);
    scenario.text("40");
    assert_eq!(scenario.outputs(), ["opened S on websocket", "joined /"]);
    scenario.answer_poll(&[OPEN, "40"]);
    assert_eq!(scenario.outputs(), ["post 1"]);
    scenario.answer_post(200);
    scenario.emit("x");
    assert_eq!(scenario.outputs(), [r#"ws 42["x"]"#]);

    let mut scenario = asked();
    scenario.text(OPEN_WS);
    scenario.outputs();
    scenario.answer_get(404, HTML, "gone");
    assert!(scenario.outputs().is_empty(), "the session is open");
}

#[test]
fn a_question_that_is_out_keeps_its_limit_while_the_websocket_is_closed() {
    let mut scenario = asked();
    scenario.text(OPEN_WS);
    scenario.outputs();
    scenario.pass(5 * SECOND - SECOND / 2);
    scenario.command(Command::Close);
    assert_eq!(scenario.outputs(), ["ws close"]);
    scenario.pass_to_deadline(SECOND / 2);
    assert_eq!(scenario.outputs(), ["cancel get"]);
    scenario.input(ended());
    assert_eq!(scenario.outputs(), ["closed: closed by this client"]);
}

#[test]
fn an_end_while_the_question_is_out_waits_for_it() {
    let mut scenario = asked();
    scenario.input(ended());
    assert!(scenario.outputs().is_empty());
    scenario.answer_get(404, HTML, "gone");
    let outputs = scenario.outputs();
    assert_eq!(outputs.len(), 1, "{outputs:?}");
    assert!(
        outputs[0].contains("closed before anything came; "),
        "{outputs:?}"
    );
}

#[test]
fn closing_cancels_the_question() {
    let mut asking = asked();
    asking.command(Command::Close);
    assert_eq!(
        asking.outputs(),
        ["ws drop", "cancel get", "closed: closed by this client"]
    );

    let mut gone = opening();
    gone.input(unanswered());
    gone.outputs();
    gone.command(Command::Close);
    assert_eq!(
        gone.outputs(),
        ["cancel get", "closed: closed by this client"]
    );

    let mut hanging_up = asked();
    hanging_up.answer_poll(&[OPEN]);
    hanging_up.outputs();
    hanging_up.command(Command::Close);
    assert_eq!(
        hanging_up.outputs(),
        ["ws drop", "cancel post", "closed: closed by this client"]
    );
}

#[test]
fn neither_errors_of_connecting_nor_what_has_a_meaning_of_its_own_ask() {
    let refused = || {
        let error = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        Input::WebSocketFailed(Error::transport("connecting", error))
    };
    let mut scenario = opening();
    scenario.input(refused());
    assert_eq!(
        scenario.outputs(),
        ["closed: connecting: connection refused"]
    );

    let mut scenario = silent();
    scenario.text("nonsense");
    let outputs = scenario.outputs();
    assert_eq!(outputs[0], "ws drop");
    assert_eq!(outputs.len(), 2);

    // An open packet without a root: that takes as long as it takes.
    let mut scenario = silent();
    scenario.text(OPEN_WS);
    scenario.outputs();
    assert!(scenario.session.waits_for().unwrap().contains("root"));
    scenario.pass(24 * SECOND);
    assert!(scenario.outputs().is_empty());
}

#[test]
fn a_websocket_of_an_upgrade_asks_nothing() {
    let mut scenario = Scenario::to_opening();
    scenario.input(unanswered());
    let outputs = scenario.outputs();
    assert_eq!(
        outputs,
        ["upgrade failed: the WebSocket: closed without an answer"]
    );
}
