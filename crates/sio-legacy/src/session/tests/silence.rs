use super::*;

#[test]
fn a_stream_may_be_silent_for_the_longer_of_the_two_timeouts() {
    for (handshake, seconds) in [
        ("S:60:25:websocket,htmlfile", 60),
        ("S:15:25:websocket,htmlfile", 25),
        ("S:15::websocket,htmlfile", 15),
    ] {
        for transport in [Transport::WebSocket, Transport::HtmlFile] {
            let mut scenario = Scenario::to_open_with(transport, handshake);
            scenario.pass(SECOND * seconds - Duration::from_millis(1));
            scenario.packets(&["8::"]);
            assert!(scenario.outputs().is_empty());
            scenario.pass_to_deadline(SECOND * seconds);
            let outputs = scenario.outputs();
            assert!(
                outputs.last().unwrap().contains("ping timeout"),
                "{handshake}: {outputs:?}"
            );
        }
    }
}

#[test]
fn without_heartbeats_there_is_no_deadline() {
    for handshake in ["S::60:websocket,htmlfile", "S:::websocket,htmlfile"] {
        for transport in [Transport::WebSocket, Transport::HtmlFile] {
            let scenario = Scenario::to_open_with(transport, handshake);
            assert_eq!(scenario.session.poll_timeout(), None, "{handshake}");
        }
    }
}

#[test]
fn heartbeats_are_answered_on_every_transport() {
    for (transport, answer) in [
        (Transport::WebSocket, "ws 2::"),
        (Transport::HtmlFile, "post /htmlfile/S 2::"),
        (Transport::Polling, "post /xhr-polling/S 2::"),
        (
            Transport::JsonpPolling,
            "post /jsonp-polling/S d=%222%3A%3A%22",
        ),
    ] {
        let mut scenario = Scenario::to_open(transport);
        scenario.packets(&["2::"]);
        let outputs = scenario.outputs();
        assert!(outputs.contains(&answer.to_owned()), "{outputs:?}");
    }
}

#[test]
fn a_poll_may_be_held_for_a_minute_or_the_close_timeout_or_as_the_program_says() {
    for (handshake, option, seconds) in [
        ("S:60:25:xhr-polling", None, 60),
        ("S:60:90:xhr-polling", None, 90),
        ("S::::xhr-polling", None, 0),
        ("S:60:25:xhr-polling", Some(7), 7),
    ] {
        let mut config = config();
        config.transports = vec![Transport::Polling];
        if let Some(seconds) = option {
            config.options = Options::new().poll_timeout(seconds * SECOND);
        }
        let mut scenario = start(config);
        scenario.outputs();
        scenario.answer_get(200, None, handshake);
        if seconds == 0 {
            // Four fields are needed.
            assert!(scenario.outputs()[0].contains("no transport in common"));
            continue;
        }
        scenario.outputs();
        scenario.packets(&["1::"]);
        scenario.outputs();
        scenario.pass_to_deadline(seconds * SECOND);
        let outputs = scenario.outputs();
        assert_eq!(outputs[0], "cancel get");
        assert!(outputs[1].contains("ping timeout"), "{outputs:?}");
    }
}

#[test]
fn a_post_that_is_never_answered_ends_the_session() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.pass(30 * SECOND);
    scenario.packets(&["8::"]);
    scenario.emit("a");
    scenario.outputs();
    scenario.pass(20 * SECOND);
    scenario.packets(&["8::"]);
    scenario.outputs();
    scenario.pass_to_deadline(40 * SECOND);
    assert!(scenario.outputs().last().unwrap().contains("ping timeout"));
}
