use super::*;

#[test]
fn closing_on_polling_sends_what_waits_says_goodbye_and_ends_the_poll() {
    let mut scenario = Scenario::to_polling();
    scenario.emit("a");
    scenario.emit("b");
    scenario.outputs();
    scenario.command(Command::Close);
    assert!(scenario.outputs().is_empty(), "a post is out");
    scenario.answer_post(200);
    assert_eq!(scenario.outputs(), [r#"post 42["b"] 41 1"#]);
    scenario.answer_post(200);
    assert_eq!(
        scenario.outputs(),
        ["cancel get", "closed: closed by this client"]
    );
}

#[test]
fn closing_on_websocket_says_goodbye_and_waits_for_the_stream_s_end() {
    let mut scenario = Scenario::to_websocket();
    scenario.join("/chat");
    scenario.text("40/chat,");
    scenario.outputs();
    scenario.command(Command::Close);
    assert_eq!(scenario.outputs(), ["ws 41", "ws 41/chat,", "ws close"]);
    scenario.input(Input::WebSocketClosed {
        code: Some(1000),
        text: "".into(),
    });
    assert_eq!(scenario.outputs(), ["closed: closed by this client"]);
}

#[test]
fn closing_is_bounded_with_a_dead_peer() {
    for mut scenario in [Scenario::to_polling(), Scenario::to_websocket()] {
        scenario.command(Command::Close);
        scenario.outputs();
        scenario.pass_to_deadline(SECOND);
        let outputs = scenario.outputs();
        assert_eq!(
            outputs.last().unwrap(),
            "closed: closed by this client",
            "{outputs:?}"
        );
        assert_eq!(scenario.session.poll_timeout(), None);
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
}

#[test]
fn closing_while_the_server_knows_of_the_upgrade_waits_for_its_end() {
    let mut scenario = Scenario::to_pausing();
    scenario.emit("buffered");
    scenario.command(Command::Close);
    assert!(scenario.outputs().is_empty());
    scenario.answer_poll(&["6"]);
    assert_eq!(
        scenario.outputs(),
        [
            "ws 5",
            r#"ws 42["buffered"]"#,
            "upgraded",
            "ws 41",
            "ws close"
        ]
    );
}

#[test]
fn closing_during_an_upgrade_that_fails_goes_on_on_polling() {
    let mut scenario = Scenario::to_pausing();
    scenario.emit("buffered");
    scenario.command(Command::Close);
    scenario.input(Input::WebSocketClosed {
        code: None,
        text: "".into(),
    });
    let outputs = scenario.outputs();
    assert!(outputs[0].starts_with("upgrade failed"), "{outputs:?}");
    assert_eq!(outputs[1..], [r#"post 42["buffered"] 41 1"#]);
}

#[test]
fn closing_gives_an_upgrade_half_of_its_time_and_then_closes_on_polling() {
    for mut scenario in [
        Scenario::to_opening(),
        Scenario::to_probing(),
        Scenario::to_pausing(),
    ] {
        scenario.command(Command::Close);
        assert!(scenario.outputs().is_empty());
        scenario.pass_to_deadline(SECOND / 2);
        let outputs = scenario.outputs();
        assert_eq!(outputs[0], "ws drop");
        assert_eq!(
            outputs.last().map(String::as_str),
            Some("post 41 1"),
            "{outputs:?}"
        );
        scenario.pass_to_deadline(SECOND / 2);
        assert_eq!(
            scenario.outputs(),
            ["cancel get", "cancel post", "closed: closed by this client"]
        );
    }
}

#[test]
fn nothing_leaves_after_the_end() {
    let mut scenario = Scenario::to_websocket();
    scenario.input(Input::WebSocketClosed {
        code: Some(1001),
        text: "bye".into(),
    });
    assert_eq!(
        scenario.outputs(),
        [r#"closed: the transport was closed with code 1001, "bye""#]
    );
    scenario.emit("late");
    scenario.text(r#"42["late"]"#);
    scenario.command(Command::Close);
    assert!(scenario.outputs().is_empty());
}
