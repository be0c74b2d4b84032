use super::*;

#[test]
fn what_is_emitted_while_a_post_is_out_leaves_in_the_next_one() {
    let mut scenario = Scenario::to_polling();
    scenario.emit("a");
    assert_eq!(scenario.outputs(), [r#"post 42["a"]"#]);
    scenario.emit("b");
    scenario.emit_bytes("c");
    assert!(scenario.outputs().is_empty());
    assert!(scenario.session.backlog() > 0);
    scenario.answer_post(200);
    assert_eq!(
        scenario.outputs(),
        [r#"post 42["b"] 451-["c",{"_placeholder":true,"num":0}] b"\x04\x01\x02""#]
    );
    assert_eq!(scenario.session.backlog(), 0);
}

#[test]
fn a_post_that_is_refused_ends_the_session() {
    let mut scenario = Scenario::to_polling();
    scenario.emit("a");
    scenario.outputs();
    scenario.answer_post(413);
    let outputs = scenario.outputs();
    assert_eq!(outputs[0], "cancel get");
    assert!(
        outputs[1].contains("a post was answered with HTTP status 413"),
        "{outputs:?}"
    );
}

#[test]
fn a_poll_that_fails_or_breaks_ends_the_session() {
    let mut scenario = Scenario::to_polling();
    scenario.answer_get(502, "text/html", &b"<html>bad gateway</html>"[..]);
    assert!(scenario.outputs()[0].contains("a poll was answered with HTTP status 502"));

    let mut scenario = Scenario::to_polling();
    scenario.answer_get(200, "text/plain", &b"99:4"[..]);
    assert!(scenario.outputs()[0].contains("the body of a poll is broken"));

    let mut scenario = Scenario::to_polling();
    let id = scenario.get.take().unwrap();
    let error = Error::transport("GET", std::io::Error::other("reset"));
    scenario.input(Input::HttpFailed { id, error });
    assert_eq!(scenario.outputs(), ["closed: GET: reset"]);
}

#[test]
fn good_packets_in_front_of_a_broken_one_are_delivered() {
    let mut scenario = Scenario::to_polling();
    scenario.answer_get(200, "text/plain", &br#"7:42["a"]x:"#[..]);
    let outputs = scenario.outputs();
    assert_eq!(outputs[0], "event / a [] None");
    assert!(outputs[1].starts_with("closed: "), "{outputs:?}");
}

#[test]
fn the_server_s_close_packet_stops_polling_at_once() {
    let mut scenario = Scenario::to_polling();
    scenario.answer_poll(&["6", "1"]);
    assert_eq!(scenario.outputs(), ["closed: the transport was closed"]);
}

#[test]
fn what_was_tolerated_in_a_body_is_not_told_behind_the_end_it_brings() {
    let mut scenario = Scenario::to_polling();
    scenario.answer_poll(&["", "1"]);
    assert_eq!(scenario.outputs(), ["closed: the transport was closed"]);
}

#[test]
fn a_binary_event_may_be_spread_over_polls_with_engine_packets_between() {
    let mut scenario = Scenario::to_polling();
    scenario
        .answer_poll(&[r#"452-["b",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#]);
    assert_eq!(scenario.outputs(), ["get"]);
    scenario.answer_poll(&["b4AAE=", "6", "3"]);
    assert_eq!(scenario.outputs(), ["get"]);
    scenario.answer_get(
        200,
        "application/octet-stream",
        &b"\x01\x02\xff\x04\x09"[..],
    );
    let outputs = scenario.outputs();
    assert!(
        outputs[0].starts_with("event / b [<1 bytes>,<2 bytes>]"),
        "{outputs:?}"
    );
}

#[test]
fn both_text_rules_are_told_apart_by_nothing_but_the_content_type() {
    // A 2.x server with bytes to send answers in binary framing, without in text: per response, never per session.
    let mut scenario = Scenario::to_polling();
    scenario.answer_poll(&[r#"42["u","한😀"]"#]);
    assert_eq!(scenario.outputs()[0], r#"event / u ["한😀"] None"#);
    let packet = r#"42["u","한😀"]"#.as_bytes();
    let mut body = vec![
        0,
        (packet.len() / 10) as u8,
        (packet.len() % 10) as u8,
        0xff,
    ];
    body.extend_from_slice(packet);
    scenario.answer_get(200, "application/octet-stream", body);
    assert_eq!(scenario.outputs()[0], r#"event / u ["한😀"] None"#);
}

#[test]
fn what_is_too_much_for_one_post_leaves_in_several_in_order() {
    let mut scenario = Scenario::to_polling();
    scenario.emit("first");
    scenario.outputs();
    let big = "x".repeat(MAX_POST / 3);
    for number in 0..4 {
        scenario.command(Command::Emit {
            namespace: "/".into(),
            id: None,
            payload: Encoded::event("big", &(number, &big)).unwrap(),
        });
    }
    let mut posted = Vec::new();
    loop {
        scenario.answer_post(200);
        let Some(post) = scenario.outputs().pop() else {
            break;
        };
        assert!(post.len() < MAX_POST + 100);
        posted.push(post.matches(r#"42["big""#).count());
    }
    assert_eq!(posted, [2, 2]);
    assert_eq!(scenario.session.backlog(), 0);
}

#[test]
fn no_more_packets_go_into_a_post_than_every_server_takes() {
    let mut scenario = Scenario::to_polling();
    scenario.emit("first");
    scenario.outputs();
    for number in 0..40 {
        scenario.emit(&format!("event {number}"));
    }
    let mut posted = Vec::new();
    loop {
        scenario.answer_post(200);
        let Some(post) = scenario.outputs().pop() else {
            break;
        };
        posted.push(post.matches("42[").count());
    }
    assert_eq!(posted, [16, 16, 8]);
}

#[test]
fn a_single_packet_beyond_the_limit_of_a_post_leaves_alone() {
    let mut scenario = Scenario::to_polling();
    scenario.session.max_post = 10;
    scenario.emit("longer than ten");
    assert_eq!(scenario.outputs(), [r#"post 42["longer than ten"]"#]);
}

#[test]
fn the_server_s_own_limit_is_kept() {
    let mut scenario = start(config());
    scenario.outputs();
    scenario.answer_poll(&[
        r#"0{"sid":"S","upgrades":[],"pingInterval":25000,"pingTimeout":5000,"maxPayload":1000}"#,
    ]);
    assert_eq!(scenario.session.max_post, 1000);
}
