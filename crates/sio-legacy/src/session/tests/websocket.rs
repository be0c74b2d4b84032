use std::time::Duration;

use super::super::pacing::{BURSTS_AHEAD, GIVE_UP, PATIENCE, SMALLEST as BURST};
use super::*;

const WINDOW: usize = BURST as usize * BURSTS_AHEAD;

/// An open session that was told to send more than a window.
fn busy() -> Scenario {
    let mut scenario = Scenario::to_open(Transport::WebSocket);
    for _ in 0..2 * WINDOW {
        scenario.emit("a");
    }
    scenario
}

fn events(outputs: &[String]) -> usize {
    outputs
        .iter()
        .filter(|output| output.starts_with("ws 5"))
        .count()
}

fn noops(outputs: &[String]) -> Vec<String> {
    let noops = outputs
        .iter()
        .filter_map(|output| output.strip_prefix("ws 8:"));
    noops
        .map(|noop| noop.trim_end_matches(':').to_owned())
        .collect()
}

#[test]
fn not_more_than_a_window_of_frames_is_on_its_way() {
    let mut scenario = busy();
    let outputs = scenario.outputs();
    assert_eq!(events(&outputs), WINDOW);
    let ids = noops(&outputs);
    assert_eq!(ids.len(), BURSTS_AHEAD);
    assert!(scenario.session.backlog() > 0);
    scenario.text(&format!("6:::{}", ids[0]));
    assert_eq!(events(&scenario.outputs()), BURST as usize);
    scenario.text(&format!("6:::{}", ids[1]));
    assert_eq!(events(&scenario.outputs()), BURST as usize);
    assert_eq!(scenario.session.backlog(), 0);
}

#[test]
fn a_heartbeat_is_answered_before_what_waits() {
    let mut scenario = busy();
    scenario.outputs();
    scenario.text("2::");
    assert_eq!(scenario.outputs(), ["ws 2::"]);
}

#[test]
fn closing_sends_what_waits_first() {
    let mut scenario = busy();
    let mut ids = noops(&scenario.outputs());
    scenario.command(Command::Close);
    assert!(scenario.outputs().is_empty());
    let mut sent = Vec::new();
    while let Some(id) = ids.pop() {
        scenario.text(&format!("6:::{id}"));
        let outputs = scenario.outputs();
        ids.extend(noops(&outputs));
        sent.extend(outputs);
    }
    assert_eq!(events(&sent), WINDOW);
    assert!(sent.contains(&"ws 0::".to_owned()));
}

#[test]
fn a_server_that_acknowledges_nothing_is_named_and_not_paced() {
    let mut scenario = busy();
    scenario.outputs();
    scenario.text("3:::alive");
    scenario.outputs();
    scenario.pass_to_deadline(PATIENCE);
    assert_eq!(events(&scenario.outputs()), BURST as usize);
    for _ in 0..100 * WINDOW {
        scenario.emit("a");
    }
    for _ in 1..GIVE_UP.div_duration_f32(PATIENCE) as u32 {
        assert!(scenario.session.backlog() > 0);
        scenario.pass_to_deadline(PATIENCE);
    }
    assert!(
        scenario
            .outputs()
            .contains(&"tolerated no-pacing".to_owned())
    );
    assert_eq!(scenario.session.backlog(), 0);
}

#[test]
fn a_server_that_beats_without_reading_gets_no_endless_answers() {
    let mut scenario = busy();
    scenario.outputs();
    for _ in 0..1000 {
        scenario.text("2::");
    }
    let outputs = scenario.outputs();
    let beats = outputs.iter().filter(|output| *output == "ws 2::").count();
    assert_eq!(beats, 16);
}

#[test]
fn a_server_that_reads_gets_every_heartbeat_answered_however_busy_the_client_is() {
    let mut scenario = busy();
    let mut ids = noops(&scenario.outputs());
    for _ in 0..100 {
        scenario.pass(Duration::from_millis(1));
        scenario.text(&format!("6:::{}", ids.remove(0)));
        for _ in 0..BURST {
            scenario.emit("more");
        }
        scenario.text("2::");
        let outputs = scenario.outputs();
        assert!(outputs.contains(&"ws 2::".to_owned()), "{outputs:?}");
        ids.extend(noops(&outputs));
    }
    assert!(scenario.session.backlog() > 0, "busy all the time");
}

#[test]
fn what_the_program_emits_is_not_held_against_the_server() {
    let mut scenario = Scenario::to_open(Transport::WebSocket);
    for _ in 0..100_100 {
        scenario.emit("a");
    }
    scenario.text("3:1::x");
    let outputs = scenario.outputs();
    assert_eq!(outputs.last().unwrap(), r#"event / message ["x"] None"#);
}

#[test]
fn a_server_that_asks_and_takes_no_answers_breaks_the_protocol() {
    let mut scenario = Scenario::to_open(Transport::WebSocket);
    for _ in 0..100_100 {
        scenario.text("3:1::x");
        while scenario
            .session
            .poll_output()
            .is_some_and(|output| !matches!(output, Output::Event(SessionEvent::Closed(_))))
        {
        }
    }
    assert_eq!(scenario.session.poll_timeout(), None);
    assert_eq!(scenario.session.backlog(), 0);
}

#[test]
fn a_framed_message_is_taken_apart_and_a_binary_one_ignored() {
    let mut scenario = Scenario::to_open(Transport::WebSocket);
    scenario.text(&payload::encode(["3:::a", "3:::b"]));
    assert_eq!(
        scenario.outputs(),
        [
            "tolerated framed-message",
            r#"event / message ["a"] None"#,
            r#"event / message ["b"] None"#
        ]
    );
    scenario.input(Input::WebSocketBinary(Bytes::from_static(b"x")));
    assert_eq!(scenario.outputs(), ["tolerated binary-message"]);
    scenario.text("\u{fffd}7\u{fffd}3:::a");
    let outputs = scenario.outputs();
    assert!(
        outputs
            .last()
            .unwrap()
            .starts_with("closed: a WebSocket message is broken")
    );
}

#[test]
fn the_end_of_the_stream_is_a_disconnect() {
    let mut scenario = Scenario::to_open(Transport::WebSocket);
    scenario.input(Input::WebSocketClosed {
        code: None,
        text: "".into(),
    });
    assert_eq!(
        scenario.outputs(),
        ["ws drop", "closed: the transport was closed"]
    );
}

#[test]
fn a_disconnect_after_much_was_sent_may_be_the_input_budget() {
    for (messages, told) in [(20, false), (30, true)] {
        let mut scenario = Scenario::to_open(Transport::WebSocket);
        for _ in 0..messages {
            // The server counts each four times.
            scenario.emit(&"x".repeat(1_000_000));
            for id in noops(&scenario.outputs()) {
                scenario.text(&format!("6:::{id}"));
            }
        }
        scenario.text("0::");
        let outputs = scenario.outputs();
        assert_eq!(outputs.contains(&"tolerated input-budget".to_owned()), told);
        assert_eq!(outputs.last().unwrap(), "closed: closed by the server");
    }
}

#[test]
fn what_a_dropped_websocket_still_brings_is_ignored() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.text("0::");
    scenario.input(Input::WebSocketBinary(Bytes::new()));
    scenario.input(Input::WebSocketClosed {
        code: None,
        text: "".into(),
    });
    assert!(scenario.outputs().is_empty());
}
