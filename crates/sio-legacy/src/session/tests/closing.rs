use super::*;

#[test]
fn closing_on_websocket_says_goodbye_and_waits_for_the_stream_s_end() {
    let mut scenario = Scenario::to_open(Transport::WebSocket);
    scenario.emit("a");
    scenario.command(Command::Close);
    assert_eq!(scenario.outputs(), [r#"ws 5:::{"name":"a"}"#, "ws 0::"]);
    scenario.input(Input::WebSocketClosed {
        code: None,
        text: "".into(),
    });
    assert_eq!(
        scenario.outputs(),
        ["ws drop", "closed: closed by this client"]
    );
}

#[test]
fn closing_on_http_posts_what_waits_and_the_goodbye_and_hears_the_server_s() {
    for transport in [Transport::Polling, Transport::HtmlFile] {
        let mut scenario = Scenario::to_open(transport);
        scenario.emit("a");
        scenario.emit("b");
        scenario.outputs();
        scenario.command(Command::Close);
        assert!(scenario.outputs().is_empty(), "a post is out");
        scenario.answer_post(200);
        let outputs = scenario.outputs();
        assert!(
            outputs[0].ends_with(r#"|16|5:::{"name":"b"}|3|0::"#),
            "{outputs:?}"
        );
        scenario.answer_post(200);
        assert!(scenario.outputs().is_empty(), "the poll will tell");
        scenario.packets(&["0::"]);
        assert_eq!(
            scenario.outputs().last().unwrap(),
            "closed: closed by this client"
        );
    }
}

#[test]
fn closing_with_no_poll_out_ends_with_the_post() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.answer_get(200, None, "8::");
    scenario.outputs();
    scenario.command(Command::Close);
    assert_eq!(scenario.outputs(), ["post /xhr-polling/S 0::"]);
    scenario.answer_post(200);
    assert_eq!(scenario.outputs(), ["closed: closed by this client"]);
}

#[test]
fn events_that_come_while_closing_start_no_new_poll() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.command(Command::Close);
    scenario.outputs();
    scenario.packets(&["3:::late"]);
    assert_eq!(scenario.outputs(), [r#"event / message ["late"] None"#]);
    scenario.answer_post(200);
    assert_eq!(scenario.outputs(), ["closed: closed by this client"]);
}

#[test]
fn closing_is_bounded_with_a_dead_peer() {
    for &transport in Session::TRANSPORTS {
        let mut scenario = Scenario::to_open(transport);
        scenario.command(Command::Close);
        scenario.outputs();
        scenario.pass_to_deadline(SECOND);
        assert_eq!(
            scenario.outputs().last().unwrap(),
            "closed: closed by this client"
        );
        assert_eq!(scenario.session.poll_timeout(), None);
        assert_eq!(scenario.session.backlog(), 0);
    }
}

#[test]
fn nothing_leaves_behind_the_goodbye_and_closing_twice_is_once() {
    let mut scenario = Scenario::to_open(Transport::WebSocket);
    scenario.command(Command::Close);
    scenario.command(Command::Close);
    scenario.emit("late");
    scenario.text("2::");
    assert_eq!(scenario.outputs(), ["ws 0::"]);
    scenario.text("0::");
    assert_eq!(
        scenario.outputs(),
        ["ws drop", "closed: closed by this client"]
    );
    scenario.emit("later");
    scenario.command(Command::Close);
    scenario.text("3:::x");
    assert!(scenario.outputs().is_empty());
}

#[test]
fn a_leg_that_breaks_while_closing_is_closed() {
    let mut scenario = Scenario::to_open(Transport::WebSocket);
    scenario.command(Command::Close);
    scenario.outputs();
    let error = Error::transport("reading", std::io::Error::other("reset"));
    scenario.input(Input::WebSocketFailed(error));
    assert_eq!(
        scenario.outputs(),
        ["ws drop", "closed: closed by this client"]
    );
}
