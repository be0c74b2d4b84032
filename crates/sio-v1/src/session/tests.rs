//! The session with a virtual clock: input at a time, exact outputs.

use std::time::Duration;

use sio_core::session::Session as _;
use sio_core::{Limits, Value};

use super::*;
use crate::engine::payload::decode_binary;

const SECOND: Duration = Duration::from_secs(1);
const OPEN: &str =
    r#"0{"sid":"S","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":5000}"#;
const OPEN_WS: &str = r#"0{"sid":"S","upgrades":[],"pingInterval":25000,"pingTimeout":5000}"#;

pub(crate) fn config() -> SessionConfig<Options> {
    SessionConfig {
        path: "/socket.io/".into(),
        query: "".into(),
        transports: vec![Transport::Polling, Transport::WebSocket],
        upgrade: true,
        timestamps: true,
        nonce: 1,
        upgrade_timeout: 10 * SECOND,
        close_timeout: SECOND,
        limits: Limits::default(),
        options: Options::default(),
    }
}

/// A session that has reached some state, with a clock, and with what it put out as short texts.
struct Scenario {
    session: Session,
    now: Instant,
    get: Option<RequestId>,
    post: Option<RequestId>,
}

impl Scenario {
    fn start(config: SessionConfig<Options>) -> Self {
        let now = Instant::now();
        Self {
            session: Session::start(config, now),
            now,
            get: None,
            post: None,
        }
    }

    /// Polling, with a poll out, and not upgrading.
    fn to_polling() -> Self {
        let mut config = config();
        config.upgrade = false;
        let mut scenario = Self::start(config);
        scenario.outputs();
        scenario.answer_poll(&[OPEN, "40"]);
        scenario.outputs();
        scenario
    }

    fn to_websocket() -> Self {
        let mut config = config();
        config.transports = vec![Transport::WebSocket];
        let mut scenario = Self::start(config);
        scenario.outputs();
        scenario.input(Input::WebSocketOpened);
        scenario.text(OPEN_WS);
        scenario.text("40");
        scenario.outputs();
        scenario
    }

    /// Polling, with the upgrade's WebSocket being opened.
    fn to_opening() -> Self {
        let mut scenario = Self::start(config());
        scenario.outputs();
        scenario.answer_poll(&[OPEN, "40"]);
        scenario.outputs();
        scenario
    }

    fn to_probing() -> Self {
        let mut scenario = Self::to_opening();
        scenario.input(Input::WebSocketOpened);
        assert_eq!(scenario.outputs(), ["ws 2probe"]);
        scenario
    }

    /// The probe is answered while the poll is out.
    fn to_pausing() -> Self {
        let mut scenario = Self::to_probing();
        scenario.text("3probe");
        assert!(scenario.outputs().is_empty());
        scenario
    }

    fn input(&mut self, input: Input) {
        self.session.handle_input(input, self.now);
    }

    fn text(&mut self, text: &str) {
        self.input(Input::WebSocketText(text.into()));
    }

    fn binary(&mut self, bytes: &'static [u8]) {
        self.input(Input::WebSocketBinary(Bytes::from_static(bytes)));
    }

    fn command(&mut self, command: Command) {
        self.session.handle_command(command, self.now);
    }

    fn join(&mut self, namespace: &str) {
        self.command(Command::Join {
            namespace: namespace.into(),
            query: None,
        });
    }

    fn emit(&mut self, event: &str) {
        self.command(Command::Emit {
            namespace: "/".into(),
            id: None,
            payload: Encoded::event(event, &()).unwrap(),
        });
    }

    fn emit_bytes(&mut self, event: &str) {
        self.command(Command::Emit {
            namespace: "/".into(),
            id: None,
            payload: Encoded::event(event, &Bytes::from_static(b"\x01\x02")).unwrap(),
        });
    }

    /// Answers the poll that is out with packets in text framing.
    fn answer_poll(&mut self, packets: &[&str]) {
        let body: String = packets
            .iter()
            .map(|packet| format!("{}:{packet}", packet.encode_utf16().count()))
            .collect();
        self.answer_get(200, "text/plain; charset=UTF-8", body.into_bytes());
    }

    fn answer_get(&mut self, status: u16, content_type: &str, body: impl Into<Bytes>) {
        let id = self.get.take().expect("a poll that is out");
        self.input(response(id, status, content_type, body.into()));
    }

    fn answer_post(&mut self, status: u16) {
        let id = self.post.take().expect("a post that is out");
        self.input(response(id, status, "text/html", Bytes::from_static(b"ok")));
    }

    /// Lets time pass up to the session's next deadline, which must be `after` from now.
    fn pass_to_deadline(&mut self, after: Duration) {
        let due = self.session.poll_timeout().expect("a deadline");
        assert_eq!(due - self.now, after, "the next deadline");
        self.now = due;
        self.session.handle_timeout(due);
    }

    /// What the session put out, each in a few words; polls are answered by the test.
    fn outputs(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(output) = self.session.poll_output() {
            all.push(match output {
                Output::Io(Io::Request(request)) => self.request(request),
                Output::Io(Io::CancelRequest(id)) if self.get == Some(id) => {
                    "cancel get".to_owned()
                }
                Output::Io(Io::CancelRequest(id)) if self.post == Some(id) => {
                    "cancel post".to_owned()
                }
                Output::Io(Io::CancelRequest(id)) => format!("cancel {id:?}"),
                Output::Io(Io::OpenWebSocket(target)) => format!("open {target}"),
                Output::Io(Io::SendText(text)) => format!("ws {text}"),
                Output::Io(Io::SendBinary(bytes)) => format!("ws {bytes:?}"),
                Output::Io(Io::CloseWebSocket) => "ws close".to_owned(),
                Output::Io(Io::DropWebSocket) => "ws drop".to_owned(),
                Output::Event(event) => told(event),
            });
        }
        all
    }

    fn request(&mut self, request: Request) -> String {
        match request.method {
            Method::Get => {
                assert_eq!(self.get, None, "a second poll");
                self.get = Some(request.id);
                "get".to_owned()
            }
            Method::Post => {
                assert_eq!(self.post, None, "a second post");
                assert_eq!(request.content_type, Some("application/octet-stream"));
                self.post = Some(request.id);
                let packets = decode_binary(request.body, &PayloadLimits::default());
                let texts: Vec<String> = packets
                    .map(|packet| match packet.expect("a packet").encode_frame() {
                        Frame::Text(text) => text.to_string(),
                        Frame::Binary(bytes) => format!("{bytes:?}"),
                    })
                    .collect();
                format!("post {}", texts.join(" "))
            }
        }
    }
}

fn response(id: RequestId, status: u16, content_type: &str, body: Bytes) -> Input {
    let response = Response {
        status,
        content_type: Some(content_type.into()),
        location: None,
        body,
    };
    Input::HttpResponse { id, response }
}

fn told(event: SessionEvent) -> String {
    match event {
        SessionEvent::Opened { sid, transport } => format!("opened {sid} on {transport}"),
        SessionEvent::Upgraded => "upgraded".to_owned(),
        SessionEvent::UpgradeFailed(error) => format!("upgrade failed: {}", error.chain()),
        SessionEvent::Joined { namespace } => format!("joined {namespace}"),
        SessionEvent::Refused { namespace, reason } => format!("refused {namespace}: {reason}"),
        SessionEvent::Left { namespace } => format!("left {namespace}"),
        SessionEvent::ServerError { namespace, reason } => {
            format!("error in {namespace}: {reason}")
        }
        SessionEvent::Event {
            namespace,
            name,
            args,
            id,
        } => {
            let values = args.to_values().expect("values");
            format!("event {namespace} {name} {} {id:?}", Value::Array(values))
        }
        SessionEvent::Ack { namespace, id, .. } => format!("ack {namespace} {id}"),
        SessionEvent::Latency(latency) => format!("latency {latency:?}"),
        SessionEvent::Tolerated { name, .. } => format!("tolerated {name}"),
        SessionEvent::Closed(reason) => format!("closed: {reason}"),
    }
}

// --- handshake --------------------------------------------------------------------------------------------------

#[test]
fn polling_opens_with_one_get_and_polls_again() {
    let mut scenario = Scenario::start(config());
    assert_eq!(scenario.outputs(), ["get"]);
    scenario.answer_poll(&[OPEN]);
    assert_eq!(
        scenario.outputs(),
        [
            "opened S on polling",
            "open /socket.io/?EIO=3&transport=websocket&sid=S",
            "get"
        ]
    );
    scenario.answer_poll(&["40"]);
    assert_eq!(scenario.outputs(), ["joined /", "get"]);
}

#[test]
fn a_handshake_that_holds_several_packets_delivers_all_of_them_in_order() {
    let mut scenario = Scenario::start(config());
    scenario.outputs();
    scenario.answer_poll(&[OPEN, "40", r#"42["hello",1]"#]);
    let outputs = scenario.outputs();
    assert_eq!(outputs[0], "opened S on polling");
    assert_eq!(outputs[2..], ["joined /", "event / hello [1] None", "get"]);
}

#[test]
fn websocket_only_makes_no_http_request() {
    let mut config = config();
    config.transports = vec![Transport::WebSocket];
    let mut scenario = Scenario::start(config);
    assert_eq!(
        scenario.outputs(),
        ["open /socket.io/?EIO=3&transport=websocket"]
    );
    scenario.input(Input::WebSocketOpened);
    scenario.text(OPEN_WS);
    scenario.text("40");
    assert_eq!(scenario.outputs(), ["opened S on websocket", "joined /"]);
}

#[test]
fn no_upgrade_is_made_if_none_is_offered_wanted_or_allowed() {
    let mut not_wanted = config();
    not_wanted.upgrade = false;
    let mut not_allowed = config();
    not_allowed.transports = vec![Transport::Polling];
    for (config, open) in [(config(), OPEN_WS), (not_wanted, OPEN), (not_allowed, OPEN)] {
        let mut scenario = Scenario::start(config);
        scenario.outputs();
        scenario.answer_poll(&[open]);
        assert_eq!(scenario.outputs(), ["opened S on polling", "get"]);
    }
}

#[test]
fn answers_that_are_no_handshake_end_the_session_and_say_what_they_are() {
    let cases: [(u16, &str, &str, &str); 7] = [
        (
            404,
            "text/html",
            "<html>gone</html>",
            "is the path option right?",
        ),
        (
            200,
            "text/html",
            "<html>hello</html>",
            "a web page answers here",
        ),
        (
            200,
            "text/plain",
            "Welcome to socket.io.",
            "use the crate sio-legacy",
        ),
        (
            200,
            "text/plain",
            r#"0{"sid":"x"}"#,
            "speaks only Engine.IO 4",
        ),
        (
            400,
            "application/json",
            r#"{"code":5,"message":"Unsupported protocol version"}"#,
            "allowEIO3",
        ),
        (
            400,
            "application/json",
            r#"{"code":0,"message":"Transport unknown"}"#,
            "does not offer this transport",
        ),
        (200, "text/plain", "2:40", "expected an open packet first"),
    ];
    for (status, content_type, body, expected) in cases {
        let mut scenario = Scenario::start(config());
        scenario.outputs();
        scenario.answer_get(status, content_type, body.as_bytes().to_vec());
        let outputs = scenario.outputs();
        let last = outputs.last().expect("an output");
        assert!(
            last.starts_with("closed: ") && last.contains(expected),
            "{body}: {outputs:?}"
        );
    }
}

#[test]
fn a_redirect_is_not_followed_and_named() {
    let mut scenario = Scenario::start(config());
    scenario.outputs();
    let id = scenario.get.take().unwrap();
    let response = Response {
        status: 302,
        content_type: None,
        location: Some("https://login.example/".into()),
        body: Bytes::new(),
    };
    scenario.input(Input::HttpResponse { id, response });
    let outputs = scenario.outputs();
    assert!(
        outputs
            .last()
            .unwrap()
            .contains("redirects to https://login.example/"),
        "{outputs:?}"
    );
}

// --- polling ----------------------------------------------------------------------------------------------------

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

// --- heartbeat --------------------------------------------------------------------------------------------------

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

// --- upgrade ----------------------------------------------------------------------------------------------------

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
    let mut scenario = Scenario::start(config);
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

// --- closing ----------------------------------------------------------------------------------------------------

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
    let mut scenario = Scenario::start(config());
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

// --- packets ----------------------------------------------------------------------------------------------------

#[test]
fn namespaces_are_joined_left_and_refused() {
    let mut scenario = Scenario::to_websocket();
    scenario.command(Command::Join {
        namespace: "/chat".into(),
        query: Some("token=x".into()),
    });
    assert_eq!(scenario.outputs(), ["ws 40/chat?token=x,"]);
    scenario.text("40/chat,");
    scenario.text(r#"44/admin,{"why":"no"}"#);
    scenario.text(r#"44/chat,"later""#);
    scenario.text("41/chat");
    assert_eq!(
        scenario.outputs(),
        [
            "joined /chat",
            r#"refused /admin: {"why":"no"}"#,
            r#"error in /chat: "later""#,
            "left /chat"
        ]
    );
    scenario.command(Command::Leave {
        namespace: "/chat".into(),
    });
    assert_eq!(scenario.outputs(), ["ws 41/chat,"]);
}

#[test]
fn a_root_event_a_root_ack_or_a_granted_namespace_proves_the_root() {
    for (text, then) in [
        (r#"42["e"]"#, "event / e [] None"),
        ("430[]", "ack / 0"),
        ("40/chat,", "joined /chat"),
    ] {
        let mut config = config();
        config.transports = vec![Transport::WebSocket];
        let mut scenario = Scenario::start(config);
        scenario.input(Input::WebSocketOpened);
        scenario.text(OPEN_WS);
        scenario.join("/chat");
        scenario.outputs();
        scenario.text(text);
        assert_eq!(
            scenario.outputs(),
            ["tolerated root-proven", "joined /", then]
        );
    }
}

#[test]
fn the_root_may_be_assumed_to_be_connected() {
    let mut config = config();
    config.transports = vec![Transport::WebSocket];
    config.options = Options::new().assume_root_connected(true);
    let mut scenario = Scenario::start(config);
    scenario.input(Input::WebSocketOpened);
    scenario.outputs();
    scenario.text(OPEN_WS);
    assert_eq!(scenario.outputs(), ["opened S on websocket", "joined /"]);
    scenario.text("40");
    assert!(scenario.outputs().is_empty());
}

#[test]
fn text_of_1_0_is_decoded_twice_only_if_told_so() {
    let double = "42[\"u\",\"\u{c3}\u{a9}\"]";
    let mut scenario = Scenario::to_websocket();
    scenario.text(double);
    assert_eq!(scenario.outputs(), ["event / u [\"\u{c3}\u{a9}\"] None"]);
    scenario.session.config.options = Options::new().double_encoded_websocket(true);
    scenario.text(double);
    assert_eq!(scenario.outputs(), [r#"event / u ["é"] None"#]);
}

#[test]
fn malformed_events_and_acks_are_dropped_and_the_session_lives() {
    let mut scenario = Scenario::to_websocket();
    for text in [
        r#"42{"a":1}"#,
        "42[]",
        "42",
        "42[null]",
        "43[1]",
        "431{}",
        "431",
    ] {
        scenario.text(text);
        let outputs = scenario.outputs();
        assert_eq!(outputs.len(), 1, "{text}: {outputs:?}");
        assert!(
            outputs[0].starts_with("tolerated malformed-"),
            "{text}: {outputs:?}"
        );
    }
    scenario.text(r#"42["fine"]"#);
    assert_eq!(scenario.outputs(), ["event / fine [] None"]);
}

#[test]
fn what_breaks_the_protocol_ends_the_session() {
    let cases = [
        ("2", "the server pinged"),
        (OPEN_WS, "expected no second open packet"),
        ("5", "expected no upgrade packet"),
        ("47", "broken packet"),
        ("9", "a WebSocket message is broken"),
        (r#"451-["b",{"_placeholder":true,"num":0}]"#, ""),
    ];
    for (text, expected) in cases {
        let mut scenario = Scenario::to_websocket();
        scenario.text(text);
        if expected.is_empty() {
            assert!(scenario.outputs().is_empty());
            scenario.text(r#"42["between"]"#);
        }
        let outputs = scenario.outputs();
        assert_eq!(outputs[0], "ws drop", "{text}: {outputs:?}");
        assert!(outputs[1].contains(expected), "{text}: {outputs:?}");
    }
}

#[test]
fn a_placeholder_out_of_range_ends_the_session() {
    let mut scenario = Scenario::to_websocket();
    scenario.text(r#"451-["b",{"_placeholder":true,"num":1}]"#);
    scenario.binary(b"\x04\x01");
    let outputs = scenario.outputs();
    assert!(outputs[1].contains("broken binary packet"), "{outputs:?}");
}

#[test]
fn reserved_event_names_and_bad_namespaces_are_refused() {
    for name in RESERVED {
        assert!(Session::check_event_name(name).is_err(), "{name}");
    }
    assert!(Session::check_event_name("message").is_ok());
    assert!(Session::check_event_name("").is_ok());
    for name in ["/a,b", "/a?b", "/é"] {
        assert!(Session::check_namespace(name).is_err(), "{name}");
    }
    assert!(Session::check_namespace("/a-b.c/d").is_ok());
}
