use super::*;

#[test]
fn namespaces_are_joined_left_and_refused() {
    let mut scenario = Scenario::to_websocket();
    scenario.command(Command::Join {
        namespace: "/chat".into(),
        query: Some("token=x".into()),
    });
    assert_eq!(scenario.outputs(), ["ws 40/chat?token=x,"]);
    scenario.text("40/chat,");
    scenario.text(r#"44/admin,{"why":"no"}"#);
    scenario.text(r#"44/chat,"later""#);
    scenario.text("41/chat");
    assert_eq!(
        scenario.outputs(),
        [
            "joined /chat",
            r#"refused /admin: {"why":"no"}"#,
            r#"error in /chat: "later""#,
            "left /chat"
        ]
    );
    scenario.command(Command::Leave {
        namespace: "/chat".into(),
    });
    assert_eq!(scenario.outputs(), ["ws 41/chat,"]);
}

#[test]
fn a_namespace_that_is_granted_twice_is_told_twice_and_the_root_once() {
    let mut scenario = Scenario::to_websocket();
    scenario.join("/chat");
    scenario.outputs();
    for text in ["40/chat", "40/chat,", "40"] {
        scenario.text(text);
    }
    assert_eq!(scenario.outputs(), ["joined /chat", "joined /chat"]);
}

#[test]
fn a_root_event_a_root_ack_or_a_granted_namespace_proves_the_root() {
    for (text, then) in [
        (r#"42["e"]"#, "event / e [] None"),
        ("430[]", "ack / 0 []"),
        ("40/chat,", "joined /chat"),
    ] {
        let mut config = config();
        config.transports = vec![Transport::WebSocket];
        let mut scenario = start(config);
        scenario.input(Input::WebSocketOpened);
        scenario.text(OPEN_WS);
        scenario.join("/chat");
        scenario.outputs();
        scenario.text(text);
        assert_eq!(
            scenario.outputs(),
            ["tolerated root-proven", "joined /", then]
        );
    }
}

#[test]
fn a_root_that_was_left_is_joined_again_when_the_server_says_so() {
    let mut scenario = Scenario::to_websocket();
    scenario.join("/chat");
    scenario.command(Command::Leave {
        namespace: "/".into(),
    });
    scenario.outputs();
    // To the session this proves the root, whatever the program thinks of it.
    scenario.text("40/chat,");
    scenario.outputs();
    scenario.join("/");
    assert_eq!(scenario.outputs(), ["ws 40"]);
    scenario.text("40");
    assert_eq!(scenario.outputs(), ["joined /"]);
}

#[test]
fn the_root_may_be_assumed_to_be_connected() {
    let mut config = config();
    config.transports = vec![Transport::WebSocket];
    config.options = Options::new().assume_root_connected(true);
    let mut scenario = start(config);
    scenario.input(Input::WebSocketOpened);
    scenario.outputs();
    scenario.text(OPEN_WS);
    assert_eq!(scenario.outputs(), ["opened S on websocket", "joined /"]);
    scenario.text("40");
    assert!(scenario.outputs().is_empty());
}

#[test]
fn text_of_1_0_is_decoded_twice_only_if_told_so() {
    let double = "42[\"u\",\"\u{c3}\u{a9}\"]";
    let mut scenario = Scenario::to_websocket();
    scenario.text(double);
    assert_eq!(scenario.outputs(), ["event / u [\"\u{c3}\u{a9}\"] None"]);
    scenario.session.config.options = Options::new().double_encoded_websocket(true);
    scenario.text(double);
    assert_eq!(scenario.outputs(), [r#"event / u ["é"] None"#]);
}

#[test]
fn malformed_events_and_acks_are_dropped_and_the_session_lives() {
    let mut scenario = Scenario::to_websocket();
    for text in [
        r#"42{"a":1}"#,
        "42[]",
        "42",
        "42[null]",
        "43[1]",
        "431{}",
        "431",
    ] {
        scenario.text(text);
        let outputs = scenario.outputs();
        assert_eq!(outputs.len(), 1, "{text}: {outputs:?}");
        assert!(
            outputs[0].starts_with("tolerated malformed-"),
            "{text}: {outputs:?}"
        );
    }
    scenario.text(r#"42["fine"]"#);
    assert_eq!(scenario.outputs(), ["event / fine [] None"]);
}

#[test]
fn what_breaks_the_protocol_ends_the_session() {
    let cases = [
        ("2", "the server pinged"),
        (OPEN_WS, "expected no second open packet"),
        ("5", "expected no upgrade packet"),
        ("47", "broken packet"),
        ("9", "a WebSocket message is broken"),
        (r#"451-["b",{"_placeholder":true,"num":0}]"#, ""),
    ];
    for (text, expected) in cases {
        let mut scenario = Scenario::to_websocket();
        scenario.text(text);
        if expected.is_empty() {
            assert!(scenario.outputs().is_empty());
            scenario.text(r#"42["between"]"#);
        }
        let outputs = scenario.outputs();
        assert_eq!(outputs[0], "ws drop", "{text}: {outputs:?}");
        assert!(outputs[1].contains(expected), "{text}: {outputs:?}");
    }
}

#[test]
fn a_placeholder_out_of_range_ends_the_session() {
    let mut scenario = Scenario::to_websocket();
    scenario.text(r#"451-["b",{"_placeholder":true,"num":1}]"#);
    scenario.binary(b"\x04\x01");
    let outputs = scenario.outputs();
    assert!(outputs[1].contains("broken binary packet"), "{outputs:?}");
}

#[test]
fn reserved_event_names_and_bad_namespaces_are_refused() {
    for name in RESERVED {
        assert!(Session::check_event_name(name).is_err(), "{name}");
    }
    assert!(Session::check_event_name("message").is_ok());
    assert!(Session::check_event_name("").is_ok());
    for name in ["/a,b", "/a?b", "/é"] {
        assert!(Session::check_namespace(name).is_err(), "{name}");
    }
    assert!(Session::check_namespace("/a-b.c/d").is_ok());
}
