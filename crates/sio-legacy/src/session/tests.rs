//! The session with a virtual clock: input at a time, exact outputs.

use std::time::Duration;

use bytes::Bytes;
use sio_core::session::{Method, Request, Response, Session as _};
use sio_core::{Limits, Value};

use super::*;
use crate::payload;

mod closing;
mod opening;
mod packets;
mod polling;
mod silence;
mod websocket;

const SECOND: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const HANDSHAKE: &str = "S:60:25:websocket,htmlfile,xhr-polling,jsonp-polling";

pub(crate) fn config() -> SessionConfig<Options> {
    SessionConfig {
        path: "/socket.io/".into(),
        query: "".into(),
        transports: Session::TRANSPORTS.to_vec(),
        upgrade: false,
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

    /// A session that may use only this transport, whose handshake is answered.
    fn to_opening(transport: Transport) -> Self {
        Self::to_opening_with(transport, HANDSHAKE)
    }

    fn to_opening_with(transport: Transport, handshake: &str) -> Self {
        let mut config = config();
        config.transports = vec![transport];
        let mut scenario = Self::start(config);
        scenario.outputs();
        scenario.answer_get(200, handshake.to_owned());
        scenario.outputs();
        scenario
    }

    fn to_open(transport: Transport) -> Self {
        Self::to_open_with(transport, HANDSHAKE)
    }

    fn to_open_with(transport: Transport, handshake: &str) -> Self {
        let mut scenario = Self::to_opening_with(transport, handshake);
        if transport == Transport::WebSocket {
            scenario.input(Input::WebSocketOpened);
        }
        scenario.packets(&["1::"]);
        scenario.outputs();
        scenario
    }

    fn input(&mut self, input: Input) {
        self.session.handle_input(input, self.now);
    }

    fn text(&mut self, text: &str) {
        self.input(Input::WebSocketText(text.into()));
    }

    /// The server sends packets, on whatever transport.
    fn packets(&mut self, packets: &[&str]) {
        let body = payload::encode(packets.iter().copied());
        match self.session.transport() {
            Some(Transport::WebSocket) => packets.iter().for_each(|packet| self.text(packet)),
            Some(Transport::HtmlFile) => self.script(&body),
            Some(Transport::JsonpPolling) => {
                let body = serde_json::to_string(&body).expect("a string");
                self.answer_get(200, format!("io.j[0]({body});"));
            }
            _ => self.answer_get(200, body),
        }
    }

    fn script(&mut self, payload: &str) {
        let payload = serde_json::to_string(payload).expect("a string");
        self.data(&format!("<script>_({payload});</script>"));
    }

    fn data(&mut self, data: &str) {
        let id = self.get.expect("a stream that is open");
        let data = Bytes::from(data.to_owned());
        self.input(Input::HttpData { id, data });
    }

    fn command(&mut self, command: Command) {
        self.session.handle_command(command, self.now);
    }

    fn join(&mut self, namespace: &str) {
        self.command(Command::Join {
            namespace: namespace.into(),
            query: Some("token=x".into()),
        });
    }

    fn emit(&mut self, event: &str) {
        self.command(Command::Emit {
            namespace: "/".into(),
            id: None,
            payload: Encoded::event(event, &()).unwrap(),
        });
    }

    fn answer_get(&mut self, status: u16, body: impl Into<Bytes>) {
        let id = self.get.take().expect("a GET that is out");
        self.input(response(id, status, body.into()));
    }

    fn answer_post(&mut self, status: u16) {
        let id = self.post.take().expect("a POST that is out");
        self.input(response(id, status, Bytes::from_static(b"1")));
    }

    fn fail_get(&mut self) {
        let id = self.get.take().expect("a GET that is out");
        let error = Error::transport("GET", std::io::Error::other("cut"));
        self.input(Input::HttpFailed { id, error });
    }

    /// Lets time pass without any deadline.
    fn pass(&mut self, time: Duration) {
        self.now += time;
        if let Some(due) = self.session.poll_timeout() {
            assert!(due > self.now, "a deadline passes");
        }
    }

    /// Lets time pass up to the session's next deadline, which must be `after` from now.
    fn pass_to_deadline(&mut self, after: Duration) {
        let due = self.session.poll_timeout().expect("a deadline");
        assert_eq!(due - self.now, after, "the next deadline");
        self.now = due;
        self.session.handle_timeout(due);
    }

    /// What the session put out, each in a few words; requests are answered by the test.
    fn outputs(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(output) = self.session.poll_output() {
            all.push(match output {
                Output::Io(Io::Request(request)) => self.request(&request),
                Output::Io(Io::CancelRequest(id)) => self.cancelled(id).to_owned(),
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

    fn cancelled(&mut self, id: RequestId) -> &'static str {
        if self.get.take_if(|get| *get == id).is_some() {
            "cancel get"
        } else if self.post.take_if(|post| *post == id).is_some() {
            "cancel post"
        } else {
            panic!("{id:?} is cancelled, which is not out")
        }
    }

    fn request(&mut self, request: &Request) -> String {
        let path = request.target.split('?').next().unwrap_or_default();
        let path = path.strip_prefix("/socket.io/1").expect("the path");
        match request.method {
            Method::Get => {
                assert_eq!(self.get, None, "a second GET");
                assert_eq!(request.streamed, path.starts_with("/htmlfile"));
                self.get = Some(request.id);
                format!("get {path}")
            }
            Method::Post => {
                assert_eq!(self.post, None, "a second POST");
                self.post = Some(request.id);
                let body = String::from_utf8_lossy(&request.body).replace(payload::MARK, "|");
                format!("post {path} {body}")
            }
        }
    }
}

fn response(id: RequestId, status: u16, body: Bytes) -> Input {
    let response = Response {
        status,
        content_type: None,
        location: None,
        body,
    };
    Input::HttpResponse { id, response }
}

fn told(event: SessionEvent) -> String {
    match event {
        SessionEvent::Opened { sid, transport } => format!("opened {sid} on {transport}"),
        SessionEvent::Upgraded | SessionEvent::UpgradeFailed(_) | SessionEvent::Latency(_) => {
            panic!("{event:?} on a protocol that has none")
        }
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
        SessionEvent::Ack {
            namespace,
            id,
            args,
        } => {
            let values = args.to_values().expect("values");
            format!("ack {namespace} {id} {}", Value::Array(values))
        }
        SessionEvent::Tolerated { name, .. } => format!("tolerated {name}"),
        SessionEvent::Closed(reason) => format!("closed: {reason}"),
    }
}
