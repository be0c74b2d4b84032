use super::*;

#[test]
fn an_upgrade_waits_for_the_poll_and_then_everything_is_on_the_websocket() {
    let mut scenario = Scenario::to_pausing();
    scenario.emit("held");
    assert!(scenario.outputs().is_empty(), "no post while pausing");
    scenario.answer_poll(&[r#"42["last"]"#, "6"]);
    assert_eq!(
        scenario.outputs(),
        [
            "event / last [] None",
            "ws 5",
            r#"ws 42["held"]"#,
            "upgraded"
        ]
    );
    scenario.emit("after");
    scenario.text(r#"42["there"]"#);
    assert_eq!(
        scenario.outputs(),
        [r#"ws 42["after"]"#, "event / there [] None"]
    );
}

#[test]
fn an_upgrade_waits_for_the_post_too() {
    let mut scenario = Scenario::to_probing();
    scenario.emit("posted");
    assert_eq!(scenario.outputs(), [r#"post 42["posted"]"#]);
    scenario.text("3probe");
    scenario.answer_poll(&["6"]);
    assert!(
        scenario.outputs().is_empty(),
        "`5` is not sent while a post is out"
    );
    scenario.answer_post(200);
    assert_eq!(scenario.outputs(), ["ws 5", "upgraded"]);
}

#[test]
fn polling_goes_on_until_the_probe_is_answered() {
    let mut scenario = Scenario::to_probing();
    scenario.answer_poll(&[r#"42["a"]"#]);
    assert_eq!(scenario.outputs(), ["event / a [] None", "get"]);
}

#[test]
fn an_upgrade_that_fails_in_any_stage_leaves_the_session_on_polling() {
    let refused = || Error::transport("the WebSocket", std::io::Error::other("403"));
    let mut opening = Scenario::to_opening();
    opening.input(Input::WebSocketFailed(refused()));
    assert_eq!(opening.outputs(), ["upgrade failed: the WebSocket: 403"]);

    let mut probing = Scenario::to_probing();
    probing.text("3wrong");
    let outputs = probing.outputs();
    assert_eq!(outputs[0], "ws drop");
    assert!(
        outputs[1].contains(r#"expected "3probe" first, found "3wrong""#),
        "{outputs:?}"
    );

    let mut pausing = Scenario::to_pausing();
    pausing.emit("held");
    pausing.answer_poll(&["6"]);
    // `5` was sent; so fail one that still pauses:
    let mut pausing = Scenario::to_pausing();
    pausing.emit("held");
    pausing.input(Input::WebSocketClosed {
        code: Some(1006),
        text: "".into(),
    });
    let outputs = pausing.outputs();
    assert!(outputs[0].starts_with("upgrade failed"), "{outputs:?}");
    assert_eq!(outputs[1..], [r#"post 42["held"]"#]);
    pausing.answer_poll(&["40"]);
    assert_eq!(pausing.outputs(), ["get"]);
}

#[test]
fn a_silent_websocket_is_dropped_at_the_upgrade_timeout() {
    for mut scenario in [
        Scenario::to_opening(),
        Scenario::to_probing(),
        Scenario::to_pausing(),
    ] {
        scenario.pass_to_deadline(10 * SECOND);
        let outputs = scenario.outputs();
        assert_eq!(outputs[0], "ws drop");
        assert!(
            outputs[1].contains("was not confirmed within 10s"),
            "{outputs:?}"
        );
        scenario.emit("on polling");
        assert_eq!(scenario.outputs(), [r#"post 42["on polling"]"#]);
    }
}

#[test]
fn a_ping_due_while_pausing_leaves_behind_the_upgrade() {
    let mut config = config();
    config.upgrade_timeout = 60 * SECOND;
    let mut scenario = start(config);
    scenario.outputs();
    scenario.answer_poll(&[OPEN]);
    scenario.input(Input::WebSocketOpened);
    scenario.text("3probe");
    scenario.outputs();
    scenario.pass_to_deadline(25 * SECOND);
    assert!(scenario.outputs().is_empty());
    scenario.answer_poll(&["6"]);
    assert_eq!(scenario.outputs(), ["ws 5", "ws 2", "upgraded"]);
}

#[test]
fn a_binary_event_may_begin_on_polling_and_end_on_the_websocket() {
    let mut scenario = Scenario::to_pausing();
    scenario.answer_poll(&[r#"451-["b",{"_placeholder":true,"num":0}]"#]);
    assert_eq!(scenario.outputs(), ["ws 5", "upgraded"]);
    scenario.binary(b"\x04\x07");
    assert_eq!(scenario.outputs(), ["event / b [<1 bytes>] None"]);
}

#[test]
fn a_binary_emit_during_the_upgrade_stays_together() {
    let mut scenario = Scenario::to_pausing();
    scenario.emit_bytes("b");
    scenario.emit("t");
    scenario.answer_poll(&["6"]);
    assert_eq!(
        scenario.outputs(),
        [
            "ws 5",
            r#"ws 451-["b",{"_placeholder":true,"num":0}]"#,
            r#"ws b"\x04\x01\x02""#,
            r#"ws 42["t"]"#,
            "upgraded"
        ]
    );
}
