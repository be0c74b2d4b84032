use super::*;

#[test]
fn polling_opens_with_one_get_and_polls_again() {
    let mut scenario = start(config());
    assert_eq!(scenario.outputs(), ["get"]);
    scenario.answer_poll(&[OPEN]);
    assert_eq!(
        scenario.outputs(),
        [
            "opened S on polling",
            "open /socket.io/?EIO=3&transport=websocket&sid=S",
            "get"
        ]
    );
    scenario.answer_poll(&["40"]);
    assert_eq!(scenario.outputs(), ["joined /", "get"]);
}

#[test]
fn a_handshake_that_holds_several_packets_delivers_all_of_them_in_order() {
    let mut scenario = start(config());
    scenario.outputs();
    scenario.answer_poll(&[OPEN, "40", r#"42["hello",1]"#]);
    let outputs = scenario.outputs();
    assert_eq!(outputs[0], "opened S on polling");
    assert_eq!(outputs[2..], ["joined /", "event / hello [1] None", "get"]);
}

#[test]
fn websocket_only_makes_no_http_request() {
    let mut config = config();
    config.transports = vec![Transport::WebSocket];
    let mut scenario = start(config);
    assert_eq!(
        scenario.outputs(),
        ["open /socket.io/?EIO=3&transport=websocket"]
    );
    scenario.input(Input::WebSocketOpened);
    scenario.text(OPEN_WS);
    scenario.text("40");
    assert_eq!(scenario.outputs(), ["opened S on websocket", "joined /"]);
}

#[test]
fn no_upgrade_is_made_if_none_is_offered_wanted_or_allowed() {
    let mut not_wanted = config();
    not_wanted.upgrade = false;
    let mut not_allowed = config();
    not_allowed.transports = vec![Transport::Polling];
    for (config, open) in [(config(), OPEN_WS), (not_wanted, OPEN), (not_allowed, OPEN)] {
        let mut scenario = start(config);
        scenario.outputs();
        scenario.answer_poll(&[open]);
        assert_eq!(scenario.outputs(), ["opened S on polling", "get"]);
    }
}

#[test]
fn answers_that_are_no_handshake_end_the_session_and_say_what_they_are() {
    let cases: [(u16, &str, &str, &str); 7] = [
        (
            404,
            "text/html",
            "<html>gone</html>",
            "is the path option right?",
        ),
        (
            200,
            "text/html",
            "<html>hello</html>",
            "a web page answers here",
        ),
        (
            200,
            "text/plain",
            "Welcome to socket.io.",
            "use the crate sio-legacy",
        ),
        (
            200,
            "text/plain",
            r#"0{"sid":"x"}"#,
            "speaks only Engine.IO 4",
        ),
        (
            400,
            "application/json",
            r#"{"code":5,"message":"Unsupported protocol version"}"#,
            "allowEIO3",
        ),
        (
            400,
            "application/json",
            r#"{"code":0,"message":"Transport unknown"}"#,
            "does not offer this transport",
        ),
        (200, "text/plain", "2:40", "expected an open packet first"),
    ];
    for (status, content_type, body, expected) in cases {
        let mut scenario = start(config());
        scenario.outputs();
        scenario.answer_get(status, content_type, body.as_bytes().to_vec());
        let outputs = scenario.outputs();
        let last = outputs.last().expect("an output");
        assert!(
            last.starts_with("closed: ") && last.contains(expected),
            "{body}: {outputs:?}"
        );
    }
}

#[test]
fn a_redirect_is_not_followed_and_named() {
    let mut scenario = start(config());
    scenario.outputs();
    let id = scenario.get.take().unwrap();
    let response = Response {
        status: 302,
        content_type: None,
        location: Some("https://login.example/".into()),
        etag: None,
        server: None,
        proxy: None,
        body: Bytes::new(),
    };
    scenario.input(Input::HttpResponse { id, response });
    let outputs = scenario.outputs();
    assert!(
        outputs
            .last()
            .unwrap()
            .contains("redirects to https://login.example/"),
        "{outputs:?}"
    );
}
