use super::*;

const OPENED_WS: [&str; 2] = ["opened S on websocket", "joined /"];

#[test]
fn the_first_common_transport_in_the_program_s_order_is_opened() {
    let mut scenario = start(config());
    assert_eq!(scenario.outputs(), ["get /"]);
    scenario.answer_get(200, None, HANDSHAKE);
    assert_eq!(
        scenario.outputs(),
        ["identified", "open /socket.io/1/websocket/S"]
    );
    scenario.input(Input::WebSocketOpened);
    assert!(scenario.outputs().is_empty(), "only 1:: tells");
    scenario.text("1::");
    assert_eq!(scenario.outputs(), OPENED_WS);

    let mut scenario = start(config_with(&[Transport::HtmlFile, Transport::WebSocket]));
    scenario.outputs();
    scenario.answer_get(200, None, "S:60:60:websocket,xhr-polling,flashsocket");
    assert_eq!(
        scenario.outputs(),
        ["identified", "open /socket.io/1/websocket/S"]
    );
}

#[test]
fn each_http_transport_opens_with_a_get_of_its_own() {
    for (transport, path) in [
        (Transport::Polling, "get /xhr-polling/S"),
        (Transport::JsonpPolling, "get /jsonp-polling/S"),
        (Transport::HtmlFile, "get /htmlfile/S"),
    ] {
        let mut scenario = start(config_with(&[transport]));
        scenario.outputs();
        scenario.answer_get(200, None, HANDSHAKE);
        assert_eq!(scenario.outputs(), ["identified", path]);
        scenario.packets(&["1::"]);
        let outputs = scenario.outputs();
        assert_eq!(
            outputs[..2],
            [format!("opened S on {transport}"), "joined /".to_owned()]
        );
    }
}

#[test]
fn a_transport_that_fails_gives_way_to_the_next_with_a_new_handshake() {
    let mut scenario = start(config_with(&[Transport::WebSocket, Transport::Polling]));
    scenario.outputs();
    scenario.answer_get(200, None, HANDSHAKE);
    scenario.outputs();
    scenario.input(Input::WebSocketClosed {
        code: None,
        text: "".into(),
    });
    assert_eq!(
        scenario.outputs(),
        [
            "ws drop",
            "websocket failed: not connected: the transport was closed",
            "get /"
        ]
    );
    scenario.answer_get(200, None, "T:60:60:websocket,xhr-polling");
    assert_eq!(scenario.outputs(), ["identified", "get /xhr-polling/T"]);
    scenario.packets(&["1::"]);
    assert_eq!(
        scenario.outputs(),
        ["opened T on polling", "joined /", "get /xhr-polling/T"]
    );
}

#[test]
fn a_silent_transport_has_its_share_of_the_connect_timeout_and_the_last_has_the_rest() {
    let mut scenario = start(config());
    scenario.outputs();
    scenario.answer_get(200, None, HANDSHAKE);
    scenario.outputs();
    scenario.input(Input::WebSocketOpened);
    for (share, next) in [
        (5, "get /xhr-polling/S"),
        (5, "get /htmlfile/S"),
        (5, "get /jsonp-polling/S"),
    ] {
        scenario.pass_to_deadline(share * SECOND);
        let outputs = scenario.outputs();
        assert!(
            outputs[1].ends_with("did not confirm the session on this transport within 5s"),
            "{outputs:?}"
        );
        scenario.answer_get(200, None, HANDSHAKE);
        assert_eq!(scenario.outputs(), ["identified", next]);
    }
    // Only the poll's own limit is left; the manager ends the attempt before.
    scenario.pass_to_deadline(60 * SECOND);
}

#[test]
fn when_no_transport_works_the_error_says_why_for_each() {
    let mut scenario = start(config_with(&[Transport::WebSocket, Transport::Polling]));
    scenario.outputs();
    scenario.answer_get(200, None, HANDSHAKE);
    scenario.outputs();
    let refused = Response {
        status: 502,
        content_type: None,
        location: None,
        etag: None,
        server: None,
        proxy: None,
        body: Bytes::from_static(b"no"),
    };
    scenario.input(Input::WebSocketRefused(refused));
    scenario.outputs();
    scenario.answer_get(200, None, HANDSHAKE);
    scenario.outputs();
    scenario.fail_get();
    assert_eq!(
        scenario.outputs(),
        [
            "closed: opening the session: no transport works: websocket: the WebSocket handshake was answered with HTTP \
             status 502 (either the server is down, or a proxy in front of it does not pass WebSockets on; nginx has to be \
             told: `proxy_http_version 1.1`, and the headers Upgrade and Connection): no; xhr-polling: GET: cut"
        ]
    );
}

#[test]
fn a_single_transport_s_failure_speaks_for_itself() {
    let mut scenario = Scenario::to_opening(Transport::Polling);
    scenario.fail_get();
    assert_eq!(scenario.outputs(), ["closed: GET: cut"]);
}

#[test]
fn without_a_common_transport_the_error_lists_both_sides() {
    for (offered, shown) in [
        ("flashsocket,jsonp-polling", "flashsocket, jsonp-polling"),
        ("", "none"),
    ] {
        let mut scenario = start(config_with(&[Transport::WebSocket, Transport::Polling]));
        scenario.outputs();
        scenario.answer_get(200, None, format!("S:60:60:{offered}"));
        assert_eq!(
            scenario.outputs(),
            [format!(
                "closed: the handshake: no transport in common: this client may use websocket, xhr-polling; the server \
                 offers {shown}"
            )]
        );
    }
}

#[test]
fn a_forgotten_handshake_is_made_once_more() {
    let mut scenario = Scenario::to_opening(Transport::WebSocket);
    scenario.input(Input::WebSocketOpened);
    scenario.text("7:::1+0");
    assert_eq!(scenario.outputs(), ["ws drop", "get /"]);
    scenario.answer_get(200, None, "T:60:60:websocket");
    assert_eq!(
        scenario.outputs(),
        ["identified", "open /socket.io/1/websocket/T"]
    );
    scenario.text("7:::1+0");
    let outputs = scenario.outputs();
    assert_eq!(outputs[0], "ws drop");
    assert!(
        outputs[1].starts_with("closed: opening the session: the server does not know the session"),
        "{outputs:?}"
    );
}

#[test]
fn a_handshake_that_is_refused_or_none_is_explained() {
    for (status, body, says) in [
        (
            403,
            "handshake unauthorized",
            "authorization function said no",
        ),
        (
            403,
            "handshake bad origin",
            "origins setting wants another Origin header",
        ),
        (500, "handshake error", "HTTP status 500: handshake error"),
        (
            500,
            "Protocol version not supported.",
            "takes a part of the path for the version",
        ),
        (200, "Welcome to socket.io.", "path for sessions is another"),
        (200, "<html>hello</html>", "a web page answers here"),
        (
            200,
            r#"97:0{"sid":"x","upgrades":[]}2:40"#,
            "use the crate sio-v1",
        ),
        (200, r#"0{"sid":"x"}"#, "use the crate sio-v1"),
        (
            200,
            "\u{0}\u{9}\u{7}",
            "not what a Socket.IO server answers",
        ),
        (200, "S:soon:60:websocket", "the handshake is broken"),
        (
            400,
            r#"{"code":0,"message":"Transport unknown"}"#,
            "use the crate sio-v1",
        ),
        (200, "", "not what a Socket.IO server answers"),
    ] {
        let mut scenario = start(config());
        scenario.outputs();
        scenario.answer_get(status, None, body);
        let outputs = scenario.outputs();
        assert_eq!(outputs.len(), 1, "{outputs:?}");
        assert!(outputs[0].contains(says), "{body:?}: {outputs:?}");
    }
}

#[test]
fn closing_before_the_session_is_open_ends_it_at_once() {
    let mut scenario = start(config());
    scenario.outputs();
    scenario.command(Command::Close);
    assert_eq!(
        scenario.outputs(),
        ["cancel get", "closed: closed by this client"]
    );
    let mut scenario = Scenario::to_opening(Transport::Polling);
    scenario.command(Command::Close);
    assert_eq!(
        scenario.outputs(),
        ["cancel get", "closed: closed by this client"]
    );
}

#[test]
fn a_server_that_ends_the_session_at_once_is_an_error() {
    let mut scenario = Scenario::to_opening(Transport::WebSocket);
    scenario.text("0::");
    assert_eq!(
        scenario.outputs(),
        [
            "ws drop",
            "closed: opening the session: the server ended the session before it was open"
        ]
    );
}

#[test]
fn what_stands_behind_the_packet_that_gave_a_transport_up_is_ignored() {
    for body in [
        ["7:::1+0", "7:::1+0"],
        ["7:::1+0", "0::"],
        ["7:::1+0", "1::"],
        ["7:::1+0", "3:::x"],
    ] {
        let mut scenario = Scenario::to_opening(Transport::Polling);
        scenario.packets(&body);
        assert_eq!(scenario.outputs(), ["get /"], "{body:?}");
    }
    let mut scenario = start(config_with(&[Transport::Polling, Transport::HtmlFile]));
    scenario.outputs();
    scenario.answer_get(200, None, HANDSHAKE);
    scenario.outputs();
    scenario.packets(&["0::", "0::", "3:::x"]);
    assert_eq!(
        scenario.outputs(),
        [
            "polling failed: opening the session: the server ended the session before it was open",
            "get /"
        ]
    );
}

#[test]
fn the_silence_of_a_transport_that_was_given_up_says_nothing_about_the_next() {
    let mut scenario = start(config_with(&[Transport::WebSocket, Transport::Polling]));
    scenario.outputs();
    scenario.answer_get(200, None, "S:1:1:websocket,xhr-polling");
    scenario.text("8::");
    scenario.input(Input::WebSocketClosed {
        code: None,
        text: "".into(),
    });
    scenario.outputs();
    scenario.answer_get(200, None, "S:1:1:websocket,xhr-polling");
    scenario.outputs();
    scenario.packets(&["1::"]);
    scenario.outputs();
    scenario.pass_to_deadline(60 * SECOND);
}

#[test]
fn a_handshake_without_an_answer_ends_the_attempt() {
    let mut scenario = start(config());
    scenario.outputs();
    scenario.fail_get();
    assert_eq!(scenario.outputs(), ["closed: GET: cut"]);
    assert_eq!(scenario.session.poll_timeout(), None);
}

#[test]
fn when_the_server_takes_back_what_is_left_the_error_says_what_was_tried() {
    let mut scenario = start(config_with(&[Transport::WebSocket, Transport::Polling]));
    scenario.outputs();
    scenario.answer_get(200, None, HANDSHAKE);
    scenario.input(Input::WebSocketClosed {
        code: None,
        text: "".into(),
    });
    scenario.outputs();
    scenario.answer_get(200, None, "S:60:60:websocket");
    assert_eq!(
        scenario.outputs(),
        [
            "closed: opening the session: no transport works: websocket: not connected: the transport was closed"
        ]
    );
}
