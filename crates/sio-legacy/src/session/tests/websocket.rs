use super::super::pacing::{BURST, BURSTS_AHEAD, PATIENCE};
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
    let outputs = scenario.outputs();
    assert_eq!(outputs[0], "tolerated no-pacing");
    assert_eq!(events(&outputs), WINDOW);
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
    let mut scenario = Scenario::to_open(Transport::WebSocket);
    scenario.emit(&"x".repeat(1_000_000));
    scenario.outputs();
    scenario.text("0::");
    assert_eq!(
        scenario.outputs(),
        [
            "tolerated input-budget",
            "ws drop",
            "closed: closed by the server"
        ]
    );
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
