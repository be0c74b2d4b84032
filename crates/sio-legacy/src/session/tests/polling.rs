use super::*;

const HTTP: [Transport; 2] = [Transport::Polling, Transport::JsonpPolling];

#[test]
fn nothing_is_posted_before_the_first_get_is_answered() {
    let mut scenario = Scenario::to_opening(Transport::Polling);
    scenario.join("/chat");
    assert!(scenario.outputs().is_empty());
    assert_eq!(scenario.post, None);
}

#[test]
fn a_poll_is_out_again_at_once_and_never_two() {
    for transport in HTTP {
        let mut scenario = Scenario::to_open(transport);
        for _ in 0..3 {
            scenario.packets(&["3:::a"]);
            let outputs = scenario.outputs();
            assert_eq!(outputs[0], r#"event / message ["a"] None"#);
            assert!(outputs[1].starts_with("get /"), "{outputs:?}");
        }
    }
}

#[test]
fn several_packets_of_one_body_come_in_order() {
    for transport in HTTP {
        let mut scenario = Scenario::to_open(transport);
        scenario.packets(&["3:::\u{fffd}5\u{fffd}", "3:::\u{1f600}", "8::"]);
        assert_eq!(
            scenario.outputs()[..2],
            [
                "event / message [\"\u{fffd}5\u{fffd}\"] None",
                "event / message [\"\u{1f600}\"] None"
            ]
        );
    }
}

#[test]
fn a_noop_polls_again_and_tells_nothing() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.pass(20 * SECOND);
    scenario.packets(&["8::"]);
    assert_eq!(scenario.outputs(), ["get /xhr-polling/S"]);
}

#[test]
fn one_packet_is_posted_bare_and_several_are_framed() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.emit("a");
    assert_eq!(
        scenario.outputs(),
        [r#"post /xhr-polling/S 5:::{"name":"a"}"#]
    );
    scenario.emit("b");
    scenario.emit("c");
    assert!(scenario.outputs().is_empty(), "a post is out");
    scenario.answer_post(200);
    assert_eq!(
        scenario.outputs(),
        [r#"post /xhr-polling/S |16|5:::{"name":"b"}|16|5:::{"name":"c"}"#]
    );
    scenario.answer_post(200);
    assert!(scenario.outputs().is_empty());
    assert_eq!(scenario.session.backlog(), 0);
}

#[test]
fn a_body_of_several_packets_fits_into_one_segment_and_a_single_packet_may_be_of_any_size() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.emit("first");
    scenario.outputs();
    let long = "x".repeat(5000);
    for name in std::iter::once(long.as_str()).chain(["y"; 100]) {
        scenario.emit(name);
    }
    scenario.answer_post(200);
    let post = scenario.outputs().remove(0);
    assert!(post.len() > 5000 && !post.contains('|'), "alone, and bare");
    let mut packets = 0;
    while packets < 100 {
        scenario.answer_post(200);
        let post = scenario.outputs().remove(0);
        assert!(post.len() < 1024, "{}", post.len());
        packets += post.matches("\"y\"").count();
    }
    assert_eq!(packets, 100);
}

#[test]
fn a_forgotten_session_ends_and_a_server_s_disconnect_says_so() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.packets(&["7:::1+0"]);
    let outputs = scenario.outputs();
    assert_eq!(outputs.len(), 1, "{outputs:?}");
    assert!(
        outputs[0].contains("does not know the session any more"),
        "{outputs:?}"
    );
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.packets(&["3:::last", "0::", "3:::never"]);
    assert_eq!(
        scenario.outputs(),
        [
            r#"event / message ["last"] None"#,
            "closed: closed by the server"
        ]
    );
}

#[test]
fn a_poll_or_post_that_fails_ends_the_session() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.answer_get(500, None, "oops");
    assert_eq!(
        scenario.outputs(),
        ["closed: a poll was answered with HTTP status 500: oops"]
    );
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.emit("a");
    scenario.outputs();
    scenario.answer_post(404);
    let outputs = scenario.outputs();
    assert_eq!(outputs[0], "cancel get");
    assert!(outputs[1].contains("status 404"), "{outputs:?}");
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.fail_get();
    assert_eq!(scenario.outputs(), ["closed: GET: cut"]);
}

#[test]
fn a_web_page_instead_of_an_answer_ends_the_session() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.emit("a");
    scenario.outputs();
    let id = scenario.post.take().unwrap();
    scenario.input(response(id, 200, None, "<html>log in"));
    assert!(scenario.outputs()[1].contains("a web page answers here"));
    for transport in HTTP {
        let mut scenario = Scenario::to_open(transport);
        scenario.answer_get(200, None, "<html>log in");
        assert!(scenario.outputs()[0].contains("a web page answers here"));
    }
}

#[test]
fn broken_bodies_end_the_session() {
    for (transport, body) in [
        (Transport::Polling, "\u{fffd}9\u{fffd}3:::a"),
        (Transport::Polling, "\u{fffd}x\u{fffd}3:::a"),
        (Transport::JsonpPolling, "io.j[0](3);"),
        (Transport::JsonpPolling, "io.j[0]('3:::a');"),
    ] {
        let mut scenario = Scenario::to_open(transport);
        scenario.answer_get(200, None, body);
        let outputs = scenario.outputs();
        assert!(
            outputs
                .last()
                .unwrap()
                .starts_with("closed: the body of a poll is broken"),
            "{body}: {outputs:?}"
        );
    }
}

#[test]
fn quick_answers_that_bring_nothing_slow_the_polls_down() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    for pause in [100, 200, 400, 800, 1600, 3200, 6400, 6400] {
        scenario.answer_get(200, None, "8::");
        assert!(scenario.outputs().is_empty(), "no poll at once");
        scenario.pass_to_deadline(Duration::from_millis(pause));
        assert_eq!(scenario.outputs(), ["get /xhr-polling/S"]);
    }
    scenario.answer_get(200, None, "");
    assert_eq!(scenario.outputs(), ["tolerated empty-poll"]);
    scenario.pass_to_deadline(Duration::from_millis(6400));
    scenario.outputs();
    scenario.packets(&["3:::a"]);
    assert_eq!(scenario.outputs()[1], "get /xhr-polling/S", "at once again");
    scenario.answer_get(200, None, "8::");
    scenario.pass_to_deadline(Duration::from_millis(100));
    scenario.outputs();
    scenario.pass(Duration::from_millis(100));
    scenario.answer_get(200, None, "8::");
    assert_eq!(
        scenario.outputs(),
        ["get /xhr-polling/S"],
        "the server's rhythm"
    );
}

#[test]
fn emits_leave_while_a_poll_pauses() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.answer_get(200, None, "8::");
    scenario.emit("a");
    assert_eq!(
        scenario.outputs(),
        [r#"post /xhr-polling/S 5:::{"name":"a"}"#]
    );
}

#[test]
fn answers_to_cancelled_requests_are_ignored() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.input(response(RequestId(999), 200, None, "0::"));
    assert!(scenario.outputs().is_empty());
}

#[test]
fn the_stream_of_htmlfile_brings_packets_in_any_pieces() {
    let mut scenario = Scenario::to_open(Transport::HtmlFile);
    for piece in [
        "<scr",
        "ipt>_(\"3:::<\\/script>\\u00",
        "e9\");</script><script>_(\"2::",
    ] {
        scenario.data(piece);
    }
    assert_eq!(
        scenario.outputs(),
        ["event / message [\"</script>\u{e9}\"] None"]
    );
    scenario.data("\");</script>");
    assert_eq!(scenario.outputs(), ["post /htmlfile/S 2::"]);
}

#[test]
fn a_stream_that_ends_ends_the_session() {
    let mut scenario = Scenario::to_open(Transport::HtmlFile);
    scenario.answer_get(200, None, "");
    assert_eq!(scenario.outputs(), ["closed: the transport was closed"]);
    let mut scenario = Scenario::to_open(Transport::HtmlFile);
    scenario.data("<script>_(\"3:::a");
    scenario.answer_get(200, None, "");
    assert_eq!(
        scenario.outputs(),
        ["closed: the stream is broken: expected the end of a script, found the end of the stream"]
    );
    let mut scenario = Scenario::to_open(Transport::HtmlFile);
    scenario.data("<script>_(3);</script>");
    let outputs = scenario.outputs();
    assert_eq!(outputs[0], "cancel get");
    assert!(
        outputs[1].starts_with("closed: the stream is broken"),
        "{outputs:?}"
    );
}

#[test]
fn a_server_that_answers_quickly_with_what_must_be_dropped_slows_the_polls_down() {
    for odd in [
        "1::",
        "5:::{}",
        "3:1:/nowhere:x",
        "7:::2",
        "6:::x",
        "0::/nowhere",
        "9::",
    ] {
        let mut scenario = Scenario::to_open(Transport::Polling);
        scenario.answer_get(200, None, odd);
        scenario.outputs();
        assert_eq!(scenario.get, None, "{odd}");
        scenario.pass_to_deadline(Duration::from_millis(100));
    }
}

#[test]
fn a_poll_that_waits_is_not_made_while_closing() {
    let mut scenario = Scenario::to_open(Transport::Polling);
    scenario.answer_get(200, None, "8::");
    scenario.command(Command::Close);
    assert_eq!(scenario.outputs(), ["post /xhr-polling/S 0::"]);
    scenario.pass_to_deadline(SECOND);
    assert_eq!(
        scenario.outputs(),
        ["cancel post", "closed: closed by this client"]
    );
}
