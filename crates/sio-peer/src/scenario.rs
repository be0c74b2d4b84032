//! A session with a virtual clock: input at a time, exact outputs.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sio_core::session::{
    Command, Input, Io, Method, Output, Request, RequestId, Response, Session, SessionConfig,
    SessionEvent,
};
use sio_core::{Encoded, Limits, Value};

/// One second.
pub const SECOND: Duration = Duration::from_secs(1);

/// How long the sessions of these tests may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// A configuration with every transport of the protocol and one second to close.
pub fn config<S: Session>() -> SessionConfig<S::Options> {
    SessionConfig {
        path: "/socket.io/".into(),
        query: "".into(),
        transports: S::TRANSPORTS.to_vec(),
        upgrade: S::UPGRADES,
        timestamps: true,
        nonce: 1,
        upgrade_timeout: 10 * SECOND,
        close_timeout: SECOND,
        limits: Limits::default(),
        options: S::Options::default(),
    }
}

/// A session that has reached some state, with its clock, and the requests that are out.
#[derive(Debug)]
pub struct Scenario<S> {
    /// The session.
    pub session: S,
    /// What time it is.
    pub now: Instant,
    /// The GET or HEAD that is out.
    pub get: Option<RequestId>,
    /// The POST that is out.
    pub post: Option<RequestId>,
    show: fn(&Request) -> String,
}

impl<S: Session> Scenario<S> {
    /// A session that has just begun. `show` puts a request into a few words.
    pub fn start(config: SessionConfig<S::Options>, show: fn(&Request) -> String) -> Self {
        let now = Instant::now();
        Self {
            session: S::start(config, now + CONNECT_TIMEOUT, now),
            now,
            get: None,
            post: None,
            show,
        }
    }

    /// Something arrives.
    pub fn input(&mut self, input: Input) {
        self.session.handle_input(input, self.now);
    }

    /// A text message arrives on the WebSocket.
    pub fn text(&mut self, text: &str) {
        self.input(Input::WebSocketText(text.into()));
    }

    /// The program wants something.
    pub fn command(&mut self, command: Command) {
        self.session.handle_command(command, self.now);
    }

    /// The program joins a namespace.
    pub fn join(&mut self, namespace: &str) {
        self.command(Command::Join {
            namespace: namespace.into(),
            query: None,
        });
    }

    /// The program sends a payload in a namespace.
    pub fn send(&mut self, namespace: &str, id: Option<u64>, payload: Encoded) {
        self.command(Command::Emit {
            namespace: namespace.into(),
            id,
            payload,
        });
    }

    /// The program emits an event without arguments in the root.
    pub fn emit(&mut self, event: &str) {
        let payload = Encoded::event(event, &()).expect("an event that can be encoded");
        self.send("/", None, payload);
    }

    /// The GET that is out is answered.
    pub fn answer_get<'a>(
        &mut self,
        status: u16,
        content_type: impl Into<Option<&'a str>>,
        body: impl Into<Bytes>,
    ) {
        let id = self.get.take().expect("a GET that is out");
        self.input(response(id, status, content_type.into(), body));
    }

    /// The POST that is out is answered.
    pub fn answer_post(&mut self, status: u16) {
        let id = self.post.take().expect("a POST that is out");
        self.input(response(id, status, None, "ok"));
    }

    /// Lets time pass without any deadline.
    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        if let Some(due) = self.session.poll_timeout() {
            assert!(due > self.now, "a deadline passes");
        }
    }

    /// Lets time pass up to the session's next deadline, which must be `after` from now.
    pub fn pass_to_deadline(&mut self, after: Duration) {
        let due = self.session.poll_timeout().expect("a deadline");
        assert_eq!(due - self.now, after, "the next deadline");
        self.now = due;
        self.session.handle_timeout(due);
    }

    /// What the session put out, each in a few words; requests are to be answered by the test.
    pub fn outputs(&mut self) -> Vec<String> {
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
        let (out, what) = match request.method {
            Method::Get | Method::Head => (&mut self.get, "a second GET"),
            Method::Post => (&mut self.post, "a second POST"),
        };
        assert_eq!(*out, None, "{what}");
        *out = Some(request.id);
        (self.show)(request)
    }
}

/// An HTTP answer.
pub fn response(
    id: RequestId,
    status: u16,
    content_type: Option<&str>,
    body: impl Into<Bytes>,
) -> Input {
    let response = Response {
        status,
        content_type: content_type.map(Into::into),
        location: None,
        etag: None,
        server: None,
        proxy: None,
        body: body.into(),
    };
    Input::HttpResponse { id, response }
}

fn told(event: SessionEvent) -> String {
    match event {
        SessionEvent::Identified => "identified".to_owned(),
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
        SessionEvent::Ack {
            namespace,
            id,
            args,
        } => {
            let values = args.to_values().expect("values");
            format!("ack {namespace} {id} {}", Value::Array(values))
        }
        SessionEvent::Latency(latency) => format!("latency {latency:?}"),
        SessionEvent::Tolerated { name, .. } => format!("tolerated {name}"),
        SessionEvent::Closed(reason) => format!("closed: {reason}"),
    }
}
