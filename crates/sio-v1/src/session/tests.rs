//! The session with a virtual clock: input at a time, exact outputs.

use std::time::Duration;

use sio_core::session::{Method, Request, Response, Session as _};
use sio_core::{Limits, Value};

use super::*;
use crate::engine::payload::{PayloadLimits, decode_binary};

mod closing;
mod handshake;
mod heartbeat;
mod packets;
mod polling;
mod upgrade;

const SECOND: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
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
            session: Session::start(config, now + CONNECT_TIMEOUT, now),
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
        SessionEvent::TransportFailed { transport, error } => {
            format!("{transport} failed: {}", error.chain())
        }
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
