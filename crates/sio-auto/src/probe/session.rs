//! Asks one question after another, closes what that opened, and tells the report: a session without I/O.
//!
//! ```text
//!  Asking ──── answer, or its time is up ───► HangingUp ───► Asking …  ───► Told ─── close ───► Closed
//!  Listening (WebSocket) ── enough heard ───► ClosingWebSocket ──┘
//! ```
//!
//! The first question has all the time that connecting may take: a server that does not answer it is not there. Each later
//! one has a share of what is left, so that silence does not cost the rest of the answers.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use serde::{Deserialize, Serialize};
use sio_core::manager::ROOT;
use sio_core::session::{
    AckId, Command, Input, Io, Outbox, Output, RequestId, Response, SessionConfig, SessionEvent,
    WebSocketRules,
};
use sio_core::{Args, DisconnectReason, Encoded, Error, Traffic, Transport, UsageError};
use sio_net::{CacheBuster, encode_component};
use sio_v1::engine::packet::EnginePacket;
use sio_v1::engine::payload;

use super::answer::{Answer, Legacy, SCRIPT_HEAD, Script, is_connect, open_of};
use super::findings::{Findings, Question};

/// The event that brings the report.
pub(crate) const REPORT: &str = "report";

/// How much of a body is read: no answer of a server is longer.
const MAX_BODY: usize = 64 << 10;

/// The share of the time left that a question may take, and its bounds.
const SHARE: u32 = 4;
const MOST: Duration = Duration::from_secs(5);

/// How long a WebSocket is listened to behind its open packet: a server of Engine.IO 3 then connects the root at once,
/// unless its middleware takes time.
const LISTEN: Duration = Duration::from_secs(1);

/// What only the probe is told.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Options {
    /// What the report calls the server.
    pub(super) url: String,
}

/// The probe as a session: it connects nothing, but asks, and tells its report as one event in each namespace that is
/// joined.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig<Options>,
    cache_buster: CacheBuster,
    state: State,
    findings: Findings,
    /// When it has to be done.
    until: Instant,
    has_answer: bool,
    is_closing: bool,
    out: Outbox,
}

#[derive(Debug)]
enum State {
    /// A request is out.
    Asking {
        question: Question,
        request: RequestId,
        body: BytesMut,
        /// `None` for the first question.
        until: Option<Instant>,
    },
    /// A WebSocket is opening, or open.
    Listening {
        question: Question,
        is_open: bool,
        heard: Option<Answer>,
        until: Instant,
    },
    /// A session is being closed by a POST.
    HangingUp {
        post: RequestId,
        until: Instant,
    },
    /// A WebSocket is being closed.
    ClosingWebSocket {
        until: Instant,
    },
    /// The report was told.
    Told(Args),
    Closed,
}

impl sio_core::session::Session for Session {
    type Options = Options;

    const NAME: &'static str = "probe";
    const FIRST_ACK_ID: AckId = 0;
    const TRANSPORTS: &'static [Transport] = &[
        Transport::Polling,
        Transport::WebSocket,
        Transport::HtmlFile,
        Transport::JsonpPolling,
    ];
    const UPGRADES: bool = true;
    const REJOINS: bool = true;
    const WEBSOCKET: WebSocketRules = WebSocketRules::RFC_6455;

    fn start(config: SessionConfig<Options>, connect_by: Instant, now: Instant) -> Self {
        let mut session = Self {
            cache_buster: CacheBuster::new(&config),
            config,
            state: State::Closed,
            findings: Findings::default(),
            until: connect_by,
            has_answer: false,
            is_closing: false,
            out: Outbox::default(),
        };
        session.go_on(now);
        session
    }

    fn handle_input(&mut self, input: Input, now: Instant) {
        match input {
            Input::HttpData { id, data } => self.data(id, &data, now),
            Input::HttpResponse { id, response } => self.response(id, response, now),
            Input::HttpFailed { id, error } => self.failed(id, error, now),
            Input::WebSocketOpened => {
                if let State::Listening { is_open, .. } = &mut self.state {
                    *is_open = true;
                }
            }
            Input::WebSocketText(text) => self.heard(text, now),
            Input::WebSocketBinary(_) => {}
            Input::WebSocketRefused(response) => {
                self.websocket_over(Answer::of_refusal(&response), now);
            }
            Input::WebSocketUnanswered(error) | Input::WebSocketFailed(error) => {
                self.websocket_over(Answer::Failed(error.chain()), now);
            }
            Input::WebSocketClosed { .. } => {
                let text = "the WebSocket was closed without a packet".to_owned();
                self.websocket_over(Answer::Failed(text), now);
            }
        }
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Join { namespace, .. } => {
                if let State::Told(report) = &self.state {
                    let report = report.clone();
                    self.tell_in(namespace, report);
                }
            }
            Command::Close => self.close(now),
            Command::Leave { .. } | Command::Emit { .. } | Command::Ack { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        match &mut self.state {
            State::Asking {
                question, request, ..
            } => {
                let (question, request) = (*question, *request);
                self.out.io(Io::CancelRequest(request));
                self.silent(question);
                self.go_on(now);
            }
            State::Listening {
                question,
                is_open,
                heard,
                ..
            } => {
                let (question, is_open) = (*question, *is_open);
                let answer = heard.take().unwrap_or(Answer::Silent);
                self.findings.answered(question, answer);
                if is_open {
                    self.close_websocket(now);
                } else {
                    self.out.io(Io::DropWebSocket);
                    self.go_on(now);
                }
            }
            State::HangingUp { post, .. } => {
                let post = *post;
                self.out.io(Io::CancelRequest(post));
                self.go_on(now);
            }
            State::ClosingWebSocket { .. } => {
                self.out.io(Io::DropWebSocket);
                self.go_on(now);
            }
            State::Told(_) | State::Closed => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Asking { until, .. } => *until,
            State::Listening { until, .. }
            | State::HangingUp { until, .. }
            | State::ClosingWebSocket { until } => Some(*until),
            State::Told(_) | State::Closed => None,
        }
    }

    fn backlog(&self) -> usize {
        0
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    fn why_no_websocket(&self) -> Option<&'static str> {
        None
    }

    fn check_event_name(_: &str) -> Result<(), UsageError> {
        Ok(())
    }

    fn check_namespace(_: &str) -> Result<(), UsageError> {
        Ok(())
    }

    fn check_payload(_: &Encoded) -> Result<(), UsageError> {
        Ok(())
    }

    fn socket_id(sid: &str, _: &str) -> String {
        sid.to_owned()
    }
}

impl Session {
    // --- asking -------------------------------------------------------------------------------------------------

    /// The next question, or the report.
    fn go_on(&mut self, now: Instant) {
        if self.is_closing {
            return self.finish(DisconnectReason::Client);
        }
        match self.findings.next() {
            Some(question) => self.ask(question, now),
            None => self.tell(),
        }
    }

    fn ask(&mut self, question: Question, now: Instant) {
        let is_first = self.findings.asked.is_empty();
        self.findings.asked.push(question);
        let share = self.share(now);
        if let Question::WebSocket(version) = question {
            let target = self.engine_target(version, "websocket");
            self.out.io(Io::OpenWebSocket(target));
            self.state = State::Listening {
                question,
                is_open: false,
                heard: None,
                until: share,
            };
            return;
        }
        let request = match question {
            Question::ScriptHead => {
                let target = self.target("socket.io.js");
                self.out.head(target)
            }
            // Streamed: what is no answer of a server may have no end.
            _ => {
                let target = self.get_target(question);
                self.out.get(target, true)
            }
        };
        self.state = State::Asking {
            question,
            request,
            body: BytesMut::new(),
            until: (!is_first).then_some(share),
        };
    }

    /// Until when something may take that begins now.
    fn share(&self, now: Instant) -> Instant {
        let left = self.until.saturating_duration_since(now);
        now + (left / SHARE).min(MOST)
    }

    fn get_target(&mut self, question: Question) -> String {
        let mut target = match question {
            Question::Poll(version) => self.engine_target(version, "polling"),
            Question::Legacy => format!("{}1/?{}", self.config.path, self.config.query),
            _ => return self.target("socket.io.js"),
        };
        self.cache_buster.push(&mut target);
        if target.ends_with('?') {
            target.pop();
        }
        target
    }

    /// A target below the path, with the program's query.
    fn target(&self, name: &str) -> String {
        let SessionConfig { path, query, .. } = &self.config;
        if query.is_empty() {
            format!("{path}{name}")
        } else {
            format!("{path}{name}?{query}")
        }
    }

    fn engine_target(&self, version: u8, transport: &str) -> String {
        let target = self.target("");
        let mark = if target.contains('?') { '&' } else { '?' };
        format!("{target}{mark}EIO={version}&transport={transport}")
    }

    // --- answers ------------------------------------------------------------------------------------------------

    fn has_answered(&mut self) {
        if !self.has_answer {
            self.has_answer = true;
            // The server is there: so much for the deadline of the handshake.
            self.out.tell(SessionEvent::Identified);
        }
    }

    fn data(&mut self, id: RequestId, data: &[u8], now: Instant) {
        let State::Asking {
            question,
            request,
            body,
            ..
        } = &mut self.state
        else {
            return;
        };
        if *request != id {
            return;
        }
        let (question, room) = (*question, MAX_BODY.saturating_sub(body.len()));
        body.extend_from_slice(&data[..data.len().min(room)]);
        let is_enough = match question {
            Question::ScriptBeginning => body.len() >= SCRIPT_HEAD,
            _ => data.len() > room,
        };
        let body = is_enough.then(|| body.split().freeze());
        self.has_answered();
        if let Some(body) = body {
            self.out.io(Io::CancelRequest(id));
            self.answered(question, Response { body, ..ok() }, now);
        }
    }

    fn response(&mut self, id: RequestId, mut response: Response, now: Instant) {
        match &mut self.state {
            State::Asking {
                question,
                request,
                body,
                ..
            } if *request == id => {
                let question = *question;
                if response.body.is_empty() {
                    response.body = body.split().freeze();
                }
                self.has_answered();
                self.answered(question, response, now);
            }
            State::HangingUp { post, .. } if *post == id => self.go_on(now),
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, response: Response, now: Instant) {
        match question {
            Question::Legacy => self.findings.legacy = Some(Legacy::of(&response)),
            Question::ScriptHead => self.findings.script = Some(Script::of_head(&response)),
            Question::ScriptBeginning => {
                self.findings.script = Some(Script::of_beginning(&response));
            }
            Question::Poll(_) | Question::WebSocket(_) => {
                let answer = Answer::of_poll(&response);
                let farewell = self.farewell(question, &answer);
                self.findings.answered(question, answer);
                if let Some((target, content_type, body)) = farewell {
                    let post = self.out.post(target, content_type, body);
                    let until = self.share(now);
                    self.state = State::HangingUp { post, until };
                    return;
                }
            }
        }
        self.go_on(now);
    }

    /// What closes the session that an answer has opened, if it has.
    fn farewell(
        &mut self,
        question: Question,
        answer: &Answer,
    ) -> Option<(String, &'static str, Bytes)> {
        let sid = encode_component(&answer.open()?.sid);
        let mut target = self.get_target(question);
        target.push_str("&sid=");
        target.push_str(&sid);
        Some(match answer {
            Answer::Bare(_) => (target, "text/plain;charset=UTF-8", Bytes::from_static(b"1")),
            _ => {
                let body = payload::encode_binary([&EnginePacket::Close]);
                (target, payload::CONTENT_TYPE, body)
            }
        })
    }

    fn failed(&mut self, id: RequestId, error: Error, now: Instant) {
        match &self.state {
            State::Asking {
                question, request, ..
            } if *request == id => match *question {
                // Who does not answer this is not there.
                Question::Poll(4) => self.finish(error.into()),
                question => {
                    self.not_answered(question, error.chain());
                    self.go_on(now);
                }
            },
            State::HangingUp { post, .. } if *post == id => self.go_on(now),
            _ => {}
        }
    }

    fn silent(&mut self, question: Question) {
        match question {
            Question::Poll(_) | Question::WebSocket(_) => {
                self.findings.answered(question, Answer::Silent);
            }
            _ => self.not_answered(question, "no answer in time".to_owned()),
        }
    }

    fn not_answered(&mut self, question: Question, why: String) {
        match question {
            Question::Poll(_) | Question::WebSocket(_) => {
                self.findings.answered(question, Answer::Failed(why));
            }
            Question::Legacy => self.findings.legacy = Some(Legacy::Other(why)),
            Question::ScriptHead | Question::ScriptBeginning => {
                self.findings.script = Some(Script::Unknown(why));
            }
        }
    }

    // --- the WebSocket ------------------------------------------------------------------------------------------

    fn heard(&mut self, text: ByteString, now: Instant) {
        let knows = self.findings.major().is_some();
        let listen = now + LISTEN.min(self.share(now) - now);
        let State::Listening {
            question,
            heard,
            until,
            ..
        } = &mut self.state
        else {
            return;
        };
        let question = *question;
        match heard {
            None => match open_of(text) {
                Some(open) => {
                    // Nothing more will tell, or nothing more is needed.
                    let is_4 = open.max_payload.is_some() && question == Question::WebSocket(4);
                    let answer = Answer::Message {
                        open,
                        connected: false,
                    };
                    if is_4 || (knows && question == Question::WebSocket(4)) {
                        self.findings.answered(question, answer);
                        return self.close_websocket(now);
                    }
                    *heard = Some(answer);
                    *until = listen;
                }
                None => {
                    let why = "a message that is no open packet".to_owned();
                    self.findings.answered(question, Answer::Failed(why));
                    self.close_websocket(now);
                }
            },
            Some(Answer::Message { connected, .. }) => {
                if !matches!(EnginePacket::decode_text(text), Ok(EnginePacket::Message(text)) if is_connect(&text))
                {
                    return;
                }
                *connected = true;
                if let Some(answer) = heard.take() {
                    self.findings.answered(question, answer);
                }
                self.close_websocket(now);
            }
            Some(_) => {}
        }
    }

    fn close_websocket(&mut self, now: Instant) {
        self.out.io(Io::CloseWebSocket);
        let until = now + self.config.close_timeout.min(self.share(now) - now);
        self.state = State::ClosingWebSocket { until };
    }

    fn websocket_over(&mut self, answer: Answer, now: Instant) {
        match &mut self.state {
            State::Listening {
                question, heard, ..
            } => {
                let question = *question;
                let answer = heard.take().unwrap_or(answer);
                self.findings.answered(question, answer);
                self.go_on(now);
            }
            State::ClosingWebSocket { .. } => self.go_on(now),
            _ => {}
        }
    }

    // --- the end ------------------------------------------------------------------------------------------------

    fn tell(&mut self) {
        let report = self.findings.report(&self.config.options.url);
        let args = Encoded::event(REPORT, &report).map(|event| event.into_parts().0);
        let args = args.map(|json| Args::event(json, Vec::new()));
        let report = match args {
            Ok(Ok((_, report))) => report,
            Ok(Err(error)) => return self.finish(Error::protocol("the report", error).into()),
            Err(error) => return self.finish(Error::protocol("the report", error).into()),
        };
        self.state = State::Told(report.clone());
        self.out.tell(SessionEvent::Opened {
            sid: ByteString::new(),
            transport: Transport::Polling,
        });
        self.tell_in(ROOT.into(), report);
    }

    fn tell_in(&mut self, namespace: ByteString, report: Args) {
        let event = SessionEvent::Event {
            namespace: namespace.clone(),
            name: REPORT.into(),
            args: report,
            id: None,
        };
        self.out.tell(SessionEvent::Joined { namespace });
        self.out.tell(event);
    }

    fn close(&mut self, now: Instant) {
        if self.is_closing {
            return;
        }
        self.is_closing = true;
        let limit = now + self.config.close_timeout;
        match &mut self.state {
            State::Asking { request, .. } => {
                let request = *request;
                self.out.io(Io::CancelRequest(request));
                self.finish(DisconnectReason::Client);
            }
            State::Listening { is_open: true, .. } => {
                self.out.io(Io::CloseWebSocket);
                self.state = State::ClosingWebSocket { until: limit };
            }
            State::Listening { .. } => {
                self.out.io(Io::DropWebSocket);
                self.finish(DisconnectReason::Client);
            }
            State::HangingUp { until, .. } | State::ClosingWebSocket { until } => {
                *until = limit.min(*until);
            }
            State::Told(_) => self.finish(DisconnectReason::Client),
            State::Closed => {}
        }
    }

    fn finish(&mut self, reason: DisconnectReason) {
        if !matches!(self.state, State::Closed) || self.findings.asked.is_empty() {
            self.state = State::Closed;
            self.out.tell(SessionEvent::Closed(reason));
        }
    }
}

/// What a streamed answer began with.
pub(super) fn ok() -> Response {
    Response {
        status: 200,
        content_type: None,
        location: None,
        etag: None,
        server: None,
        proxy: None,
        body: Bytes::new(),
    }
}
