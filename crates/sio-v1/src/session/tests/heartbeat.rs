use super::*;

#[test]
fn pings_keep_their_schedule_whatever_else_flows() {
    let mut scenario = Scenario::to_websocket();
    scenario.now += 20 * SECOND;
    scenario.text(r#"42["busy"]"#);
    scenario.emit("busy too");
    scenario.outputs();
    scenario.pass_to_deadline(5 * SECOND);
    assert_eq!(scenario.outputs(), ["ws 2"]);
    scenario.now += SECOND;
    scenario.text("3");
    assert_eq!(scenario.outputs(), ["latency 1s"]);
    scenario.pass_to_deadline(24 * SECOND);
    assert_eq!(scenario.outputs(), ["ws 2"]);
}

#[test]
fn silence_after_a_ping_ends_the_session_with_ping_timeout() {
    let mut scenario = Scenario::to_websocket();
    scenario.pass_to_deadline(25 * SECOND);
    assert_eq!(scenario.outputs(), ["ws 2"]);
    scenario.emit("into the void");
    scenario.pass_to_deadline(5 * SECOND);
    let outputs = scenario.outputs();
    assert_eq!(
        outputs[1..],
        [
            "ws drop",
            "closed: ping timeout: the server was silent for too long"
        ]
    );
    assert_eq!(scenario.session.poll_timeout(), None);
}

#[test]
fn any_packet_counts_as_life() {
    let mut scenario = Scenario::to_websocket();
    scenario.pass_to_deadline(25 * SECOND);
    scenario.now += 4 * SECOND;
    scenario.text("6");
    scenario.outputs();
    scenario.pass_to_deadline(21 * SECOND); // the next ping, not the end
    assert_eq!(scenario.outputs(), ["ws 2"]);
}

#[test]
fn an_early_timeout_is_harmless() {
    let mut scenario = Scenario::to_websocket();
    let now = scenario.now;
    scenario.session.handle_timeout(now);
    assert!(scenario.outputs().is_empty());
}
