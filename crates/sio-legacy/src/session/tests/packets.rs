use super::*;

fn open() -> Scenario {
    Scenario::to_open(Transport::WebSocket)
}

/// What the session does with one packet.
fn after(packet: &str) -> Vec<String> {
    let mut scenario = open();
    scenario.text(packet);
    scenario.outputs()
}

fn command(namespace: &str, id: Option<AckId>, payload: Encoded) -> Vec<String> {
    let mut scenario = open();
    scenario.send(namespace, id, payload);
    scenario.outputs()
}

#[test]
fn events_messages_and_json_reach_the_program() {
    assert_eq!(
        after(r#"5:::{"name":"n","args":[1,"a"]}"#),
        [r#"event / n [1,"a"] None"#]
    );
    assert_eq!(after(r#"5:::{"name":"n"}"#), ["event / n [] None"]);
    assert_eq!(
        after("3:::a \"quoted\" :text"),
        [r#"event / message ["a \"quoted\" :text"] None"#]
    );
    assert_eq!(after("3::"), [r#"event / message [""] None"#]);
    assert_eq!(
        after(r#"4:::{"a":[1]}"#),
        [r#"event / message [{"a":[1]}] None"#]
    );
    assert_eq!(after("4::"), ["event / message [] None"]);
}

#[test]
fn a_plain_id_is_acknowledged_at_once_and_a_data_id_is_the_program_s() {
    for packet in ["3:7::x", "4:7::1", r#"5:7::{"name":"n"}"#] {
        let outputs = after(packet);
        assert_eq!(outputs[0], "ws 6:::7", "{packet}");
        assert!(outputs[1].ends_with("None"), "{outputs:?}");
    }
    for packet in ["3:7+::x", "4:7+::1", r#"5:7+::{"name":"n"}"#] {
        let outputs = after(packet);
        assert_eq!(outputs.len(), 1, "{outputs:?}");
        assert!(outputs[0].ends_with("Some(7)"), "{outputs:?}");
    }
    assert_eq!(
        after("3:00000000000000000000099::x")[0],
        "ws 6:::00000000000000000000099"
    );
    assert_eq!(
        after("3:99999999999999999999+::x"),
        ["tolerated huge-id", r#"event / message ["x"] None"#]
    );
}

#[test]
fn answers_are_arrays_of_the_question_s_endpoint() {
    let mut scenario = open();
    for (namespace, payload) in [
        ("/", Encoded::values(&("a", 2)).unwrap()),
        ("/chat", Encoded::values(&()).unwrap()),
    ] {
        scenario.command(Command::Ack {
            namespace: namespace.into(),
            id: 3,
            payload,
        });
    }
    assert_eq!(scenario.outputs(), [r#"ws 6:::3+["a",2]"#, "ws 6::/chat:3"]);
}

#[test]
fn events_are_objects_and_ask_for_data() {
    let event = || Encoded::event("n", &(1, "\u{e9}")).unwrap();
    assert_eq!(
        command("/", None, event()),
        [r#"ws 5:::{"name":"n","args":[1,"\u00e9"]}"#]
    );
    assert_eq!(
        command("/chat", Some(2), event()),
        [r#"ws 5:2+:/chat:{"name":"n","args":[1,"\u00e9"]}"#]
    );
    let nothing = Encoded::event("\u{1f600}", &()).unwrap();
    assert_eq!(
        command("/", None, nothing),
        [r#"ws 5:::{"name":"\ud83d\ude00"}"#]
    );
}

#[test]
fn messages_have_packets_of_their_own_and_ask_for_a_receipt() {
    let text = || Encoded::message("h\u{e9} \"x\"").unwrap();
    assert_eq!(command("/", None, text()), ["ws 3:::h\u{e9} \"x\""]);
    assert_eq!(
        command("/chat", Some(4), text()),
        ["ws 3:4:/chat:h\u{e9} \"x\""]
    );
    assert_eq!(
        command("/", None, Encoded::message("").unwrap()),
        ["ws 3::"]
    );
    let json = Encoded::message(&vec![1, 2]).unwrap();
    assert_eq!(command("/", Some(1), json), ["ws 4:1::[1,2]"]);
    let event = Encoded::event("message", "x").unwrap();
    assert_eq!(
        command("/", None, event),
        [r#"ws 5:::{"name":"message","args":["x"]}"#],
        "an event that happens to have the name"
    );
}

#[test]
fn text_that_a_post_could_damage_goes_as_json() {
    for (transport, sent) in [
        (Transport::Polling, "post /xhr-polling/S 4:::\"h\\u00e9\""),
        (Transport::HtmlFile, "post /htmlfile/S 4:::\"h\\u00e9\""),
        (
            Transport::JsonpPolling,
            "post /jsonp-polling/S d=%223%3A%3A%3Ah%C3%A9%22",
        ),
    ] {
        let mut scenario = Scenario::to_open(transport);
        scenario.send("/", None, Encoded::message("h\u{e9}").unwrap());
        assert_eq!(scenario.outputs(), [sent]);
    }
}

#[test]
fn acks_have_values_or_none() {
    assert_eq!(after(r#"6:::5+["a",1]"#), [r#"ack / 5 ["a",1]"#]);
    assert_eq!(after("6::/chat:5"), ["ack /chat 5 []"]);
    assert_eq!(after("6:::5+"), ["ack / 5 []"]);
    for odd in [r#"6:::5+"a""#, "6:::5+[1", "6:::5+[1]2", "6:::5+{}"] {
        assert_eq!(
            after(odd),
            ["tolerated malformed-ack", "ack / 5 []"],
            "{odd}"
        );
    }
    for lost in ["6::", "6:::", "6:::x", "6:::99999999999999999999"] {
        assert_eq!(after(lost), ["tolerated malformed-ack"], "{lost}");
    }
}

#[test]
fn what_cannot_be_read_is_dropped_and_named() {
    assert_eq!(after("5:::{}"), ["tolerated malformed-event"]);
    assert_eq!(after("5:::[1]"), ["tolerated malformed-event"]);
    assert_eq!(after("5:::{\"name\":"), ["tolerated malformed-event"]);
    assert_eq!(after("4:::{"), ["tolerated malformed-json"]);
    assert_eq!(after("4:::1,2"), ["tolerated malformed-json"]);
    for odd in ["", "0", "9::", "x", "3:a::", "2:"] {
        assert_eq!(after(odd), ["tolerated malformed-packet"], "{odd:?}");
    }
    assert_eq!(after("1::"), ["tolerated second-connect"]);
    assert_eq!(after("7:::2"), ["tolerated stray-error"]);
    assert!(after("8::").is_empty());
}

#[test]
fn a_namespace_is_asked_for_without_its_query_and_usable_from_its_echo_on() {
    let mut scenario = open();
    scenario.command(Command::Join {
        namespace: "/chat".into(),
        query: Some("token=x".into()),
    });
    assert_eq!(scenario.outputs(), ["ws 1::/chat"]);
    scenario.text("1::/chat");
    assert_eq!(scenario.outputs(), ["joined /chat"]);
    scenario.text(r#"5:1+:/chat:{"name":"n"}"#);
    assert_eq!(scenario.outputs(), ["event /chat n [] Some(1)"]);
    scenario.text("1::/chat");
    assert_eq!(scenario.outputs(), ["tolerated second-connect"]);
    scenario.text("0::/chat");
    assert_eq!(scenario.outputs(), ["left /chat"]);
    scenario.text("3:1:/chat:x");
    assert_eq!(
        scenario.outputs(),
        ["tolerated not-joined"],
        "not acknowledged either"
    );
}

#[test]
fn a_namespace_can_be_refused_with_a_code_or_a_word() {
    for (data, reason) in [
        ("2", r#""unauthorized""#),
        ("undefined", r#""undefined""#),
        ("", r#""""#),
    ] {
        let mut scenario = open();
        scenario.join("/chat");
        scenario.outputs();
        scenario.text(&format!("7::/chat:{data}"));
        assert_eq!(scenario.outputs(), [format!("refused /chat: {reason}")]);
        scenario.text("1::/chat");
        assert_eq!(scenario.outputs(), ["tolerated unasked-grant"]);
    }
    let mut scenario = open();
    scenario.join("/chat");
    scenario.text("1::/chat");
    scenario.outputs();
    scenario.text("7::/chat:x+y");
    assert_eq!(scenario.outputs(), [r#"error in /chat: "x""#]);
}

#[test]
fn leaving_tells_the_server_except_for_the_root_which_would_end_the_session() {
    let mut scenario = open();
    scenario.join("/chat");
    scenario.text("1::/chat");
    scenario.outputs();
    scenario.command(Command::Leave {
        namespace: "/chat".into(),
    });
    assert_eq!(scenario.outputs(), ["ws 0::/chat"]);
    scenario.command(Command::Leave {
        namespace: "/".into(),
    });
    assert!(scenario.outputs().is_empty());
    scenario.text("3:1::x");
    assert_eq!(scenario.outputs(), ["tolerated not-joined"]);
}

#[test]
fn packets_for_unknown_namespaces_are_dropped_and_not_acknowledged() {
    for packet in ["3:1:/chat:x", "0::/chat"] {
        assert_eq!(after(packet), ["tolerated not-joined"], "{packet}");
    }
    assert_eq!(after("1::/chat"), ["tolerated unasked-grant"]);
}

#[test]
fn lone_surrogates_from_new_node_are_read() {
    assert_eq!(
        after(r#"5:::{"name":"n","args":["a\ud83db"]}"#),
        ["event / n [\"a\u{fffd}b\"] None"]
    );
}

#[test]
fn bytes_and_messages_of_several_values_are_refused() {
    let check = Session::check_payload;
    let bytes = Encoded::event("n", &Bytes::from_static(b"x")).unwrap();
    assert!(matches!(check(&bytes), Err(UsageError::Unsupported { .. })));
    for message in [
        Encoded::message(&(1, 2)).unwrap(),
        Encoded::message(&()).unwrap(),
    ] {
        assert!(matches!(
            check(&message),
            Err(UsageError::Unsupported { .. })
        ));
    }
    for fine in [
        Encoded::message("a,b").unwrap(),
        Encoded::message(&vec![1, 2]).unwrap(),
        Encoded::event("n", &(1, 2)).unwrap(),
        Encoded::values(&(1, 2)).unwrap(),
    ] {
        assert_eq!(check(&fine), Ok(()));
    }
}

#[test]
fn names_that_would_hurt_are_refused() {
    assert!(Session::check_event_name("disconnect").is_err());
    assert!(Session::check_event_name("connect").is_ok());
    assert!(Session::check_namespace("/a:b").is_err());
    assert!(Session::check_namespace("/a?b").is_err());
    assert!(Session::check_namespace("/a b/\u{e9}").is_ok());
}

#[test]
fn a_namespace_that_is_taken_back_while_it_is_joined_says_so() {
    let mut scenario = open();
    scenario.join("/chat");
    scenario.outputs();
    scenario.text("0::/chat");
    assert_eq!(scenario.outputs(), ["left /chat"]);
}
