//! HTTP by ureq, over streams of our own dialler.
//!
//! Each of a polling session's two requests, the long GET (or a HEAD) and the POST, has a [`Lane`]: a thread that blocks in it, and
//! an agent of its own, so that ending one lane leaves the other alone. Deadlines are the session's business: nothing
//! here times out, and ending the lane ends what blocks.
//!
//! A streamed answer is reported as it comes. ureq's reader hands out what it has, and reads from the stream only when
//! it has nothing.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sio_core::session::{Input, Method, Request, Response};
use sio_core::{Error, HttpError};
use ureq::config::{AutoHeaderValue, Config};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use crate::cookies::Cookies;
use crate::dialler::{Cancel, Route, dial_blocking};
use crate::stream::Stream;
use crate::sync::lock;
use crate::tunnel::explain_refusal;

/// Node closes idle connections after 5 s; one that is older is not tried again.
const IDLE: Duration = Duration::from_secs(4);

/// The largest head of an answer, and what is read of a body at once.
const BUFFER: usize = 16 << 10;

/// How much longer than the limit for bodies an answer may be on the wire: chunks of one byte each take six. What has no end
/// and brings no data (interim answers, trailers) would keep a lane busy for ever.
const WIRE_FACTOR: usize = 8;

/// What all requests of a session have in common.
#[derive(Debug, Clone)]
pub(crate) struct HttpConfig {
    pub(crate) route: Route,
    /// Scheme and authority, for example `http://localhost:3000`.
    pub(crate) origin: String,
    pub(crate) headers: HeaderMap,
    pub(crate) cookies: Cookies,
    pub(crate) max_body: usize,
    /// The session that they are of, for what is logged.
    pub(crate) span: tracing::Span,
}

/// A thread that makes one kind of request, one at a time.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Where its requests go, for errors.
    goal: ByteString,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    cancel: Cancel,
}

struct State {
    next: Option<Request>,
    /// Of the last request.
    method: Method,
    over: bool,
}

impl Lane {
    /// Starts the thread. Each answer goes to `answer`, on that thread; of a streamed one, each piece and the end. The last
    /// that the thread does is `end`.
    pub(crate) fn start(
        method: Method,
        config: HttpConfig,
        answer: impl Fn(Input) + Send + 'static,
        end: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                next: None,
                method,
                over: false,
            }),
            wake: Condvar::new(),
            cancel: Cancel::default(),
        });
        let of_thread = Arc::clone(&shared);
        let name = match method {
            Method::Get | Method::Head => "sio-get",
            Method::Post => "sio-post",
        };
        let goal: ByteString = match config.route.requesting_proxy() {
            Some(proxy) => format!("{} through {proxy}", config.origin).into(),
            None => config.origin.as_str().into(),
        };
        let of_errors = goal.clone();
        let run = move || {
            let _in = config.span.clone().entered();
            let client = Client::new(config, of_errors, &of_thread);
            let report = |input| {
                if !of_thread.cancel.is_cancelled() {
                    answer(input);
                }
            };
            while let Some(request) = of_thread.next() {
                client.execute(&request, report);
            }
            drop(client);
            end();
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self {
            goal,
            shared,
            thread: Some(thread),
        })
    }

    /// What its request waits for.
    pub(crate) fn doing(&self) -> String {
        let dialling = self.shared.cancel.doing();
        dialling.unwrap_or_else(|| {
            let method = lock(&self.shared.state).method;
            format!("waiting for the answer to {method} {}", self.goal)
        })
    }

    /// Makes this request. The session has at most one of a kind out.
    pub(crate) fn request(&self, request: Request) {
        let mut state = lock(&self.shared.state);
        state.method = request.method;
        state.next = Some(request);
        drop(state);
        self.shared.wake.notify_one();
    }

    /// Ends the lane, and at once what it waits for, also within an answer. The thread ends by itself and may be
    /// joined. It reports nothing any more, except what it has begun to.
    pub(crate) fn end(mut self) -> Option<JoinHandle<()>> {
        self.shared.end();
        self.thread.take()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Shared {
    fn next(&self) -> Option<Request> {
        let mut state = lock(&self.state);
        loop {
            if state.over {
                return None;
            }
            if let Some(request) = state.next.take() {
                return Some(request);
            }
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    fn end(&self) {
        lock(&self.state).over = true;
        self.wake.notify_one();
        self.cancel.cancel();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

/// An agent and what it needs.
struct Client {
    /// Where its requests go, for errors.
    goal: ByteString,
    /// Whether there was an answer before.
    answered: Cell<bool>,
    /// Whether the connection that the last answer came on may be used again.
    stays: Arc<AtomicBool>,
    agent: ureq::Agent,
    config: HttpConfig,
    wire: Arc<Wire>,
}

/// How much of an answer may be read from the wire, and how much is left of that.
#[derive(Debug, Default)]
struct Wire {
    limit: AtomicUsize,
    left: AtomicUsize,
}

impl Wire {
    fn allow(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
        self.left.store(limit, Ordering::Relaxed);
    }

    /// Takes off what was read. Only the lane's thread reads.
    fn take(&self, count: usize) -> Result<(), AnswerTooLong> {
        let left = self.left.load(Ordering::Relaxed);
        self.left
            .store(left.saturating_sub(count), Ordering::Relaxed);
        if count > left {
            return Err(AnswerTooLong(self.limit.load(Ordering::Relaxed)));
        }
        Ok(())
    }
}

impl Client {
    fn new(config: HttpConfig, goal: ByteString, shared: &Arc<Shared>) -> Self {
        let settings = Config::builder()
            // Redirects and errors are answers like any other: the session knows what they mean.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(AutoHeaderValue::None)
            .max_idle_age(IDLE)
            .max_idle_connections(1)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .build();
        let wire = Arc::new(Wire::default());
        let stays = Arc::new(AtomicBool::new(true));
        let proxy = config.route.requesting_proxy();
        let dialler = Dialler {
            route: config.route.clone(),
            origin: proxy.map(|_| config.origin.as_str().into()),
            stays: Arc::clone(&stays),
            shared: Arc::clone(shared),
            wire: Arc::clone(&wire),
        };
        let addresses = Addresses(config.route.clone());
        Self {
            goal,
            answered: Cell::new(false),
            stays,
            agent: ureq::Agent::with_parts(settings, dialler, addresses),
            config,
            wire,
        }
    }

    fn execute(&self, request: &Request, report: impl Fn(Input)) {
        let id = request.id;
        let data = |data| report(Input::HttpData { id, data });
        report(match self.exchange(request, data) {
            Ok(response) => Input::HttpResponse { id, response },
            Err(error) => Input::HttpFailed {
                id,
                error: self.explain(request.method, error),
            },
        });
    }

    fn exchange(&self, request: &Request, data: impl Fn(Bytes)) -> Result<Response, ureq::Error> {
        let proxy = self.config.route.requesting_proxy();
        self.wire.allow(if request.streamed {
            usize::MAX
        } else {
            self.config
                .max_body
                .saturating_mul(WIRE_FACTOR)
                .saturating_add(BUFFER)
        });
        let url = format!("{}{}", self.config.origin, request.target);
        let mut builder = http::Request::builder().uri(&url);
        if let Some(headers) = builder.headers_mut() {
            *headers = self.config.headers.clone();
            if let Some(cookies) = self.config.cookies.header(&url) {
                headers.insert(header::COOKIE, cookies);
            }
            if let Some(authorization) = proxy.and_then(|proxy| proxy.authorization.clone()) {
                headers.insert(header::PROXY_AUTHORIZATION, authorization);
            }
            headers
                .entry(header::ACCEPT)
                .or_insert(HeaderValue::from_static("*/*"));
            if let Some(content_type) = request.content_type {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            }
            if request.streamed || request.method == Method::Head {
                // What compresses may hold data back until there is more of it; of a HEAD nothing is unpacked.
                let identity = HeaderValue::from_static("identity");
                headers.insert(header::ACCEPT_ENCODING, identity);
            }
        }
        let mut response = match request.method {
            Method::Get => self
                .agent
                .run(builder.method(http::Method::GET).body(())?)?,
            Method::Head => self
                .agent
                .run(builder.method(http::Method::HEAD).body(())?)?,
            Method::Post => {
                let request = builder.method(http::Method::POST).body(&request.body[..])?;
                self.agent.run(request)?
            }
        };
        self.answered.set(true);
        if proxy.is_some() {
            self.stays
                .store(says_it_stays(response.headers()), Ordering::Relaxed);
        }
        self.config.cookies.store(response.headers(), &url);
        if let Some(proxy) = proxy
            && response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            let what = format!("the request to {proxy}");
            let error = HttpError::new(what, response.status().as_u16(), None, &[]);
            let error = explain_refusal(error, proxy, response.headers());
            return Err(ureq::Error::Other(Box::new(Error::from(error))));
        }
        if request.method != Method::Head
            && let Some(coding) = response.headers().get(header::CONTENT_ENCODING)
            && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            let coding = String::from_utf8_lossy(coding.as_bytes()).into_owned();
            return Err(ureq::Error::Other(Box::new(UnknownCoding(coding))));
        }
        let body = if request.method == Method::Head {
            Bytes::new()
        } else if request.streamed && response.status() == StatusCode::OK {
            pass_on(response.body_mut().as_reader(), data).map_err(cut_off)?;
            Bytes::new()
        } else {
            // One more than allowed tells a body of exactly the limit from one beyond it.
            let limited = response
                .body_mut()
                .with_config()
                .limit(self.config.max_body as u64);
            limited.read_to_vec().map_err(cut_off)?.into()
        };
        Ok(Response {
            status: response.status().as_u16(),
            content_type: text(response.headers(), &header::CONTENT_TYPE),
            location: text(response.headers(), &header::LOCATION),
            etag: text(response.headers(), &header::ETAG),
            server: text(response.headers(), &header::SERVER),
            proxy: proxy.map(|proxy| proxy.to_string().into()),
            body,
        })
    }

    fn explain(&self, method: Method, error: ureq::Error) -> Error {
        let context: ByteString = format!("{method} {}", self.goal).into();
        match error {
            ureq::Error::Other(error) => match error.downcast::<Error>() {
                Ok(own) => *own,
                Err(other) if is_beyond_limit(&*other) => Error::Protocol {
                    context,
                    source: Arc::from(other),
                },
                Err(other) => Error::Transport {
                    context,
                    source: Arc::from(other),
                },
            },
            ureq::Error::BodyExceedsLimit(limit) => {
                let limit = BodyTooLarge(limit);
                Error::protocol(context, limit)
            }
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let may_want_tls = self.config.route.tls.is_none() && !self.answered.get();
                Error::transport(context, ClosedWithoutAnswer { may_want_tls })
            }
            ureq::Error::Io(error) => Error::transport(context, error),
            error => Error::transport(context, error),
        }
    }
}

/// Hands a body out as it comes, to its end.
fn pass_on(mut body: impl Read, data: impl Fn(Bytes)) -> Result<(), ureq::Error> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match body.read(&mut buffer)? {
            0 => return Ok(()),
            count => data(Bytes::copy_from_slice(&buffer[..count])),
        }
    }
}

/// The end of the stream within a body means something else than before an answer.
fn cut_off(error: ureq::Error) -> ureq::Error {
    match error {
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            ureq::Error::Other(Box::new(CutOff))
        }
        error => error,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the connection was closed before the answer was complete")]
struct CutOff;

#[derive(Debug, thiserror::Error)]
#[error("the answer's body is larger than the limit of {0} bytes (Limits::message_bytes)")]
struct BodyTooLarge(u64);

#[derive(Debug, thiserror::Error)]
#[error(
    "the answer is longer than {0} bytes on the wire, {WIRE_FACTOR} times Limits::message_bytes"
)]
struct AnswerTooLong(usize);

#[derive(Debug, thiserror::Error)]
#[error(
    "the answer's head, or a line between its chunks, is larger than the limit of {BUFFER} bytes"
)]
struct HeadTooLarge;

fn is_beyond_limit(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<AnswerTooLong>() || error.is::<HeadTooLarge>()
}

#[derive(Debug, thiserror::Error)]
#[error("the answer has the content coding {0:?}, which was not asked for")]
struct UnknownCoding(String);

/// What a peer means that closes a connection instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed without an answer{}", if *.may_want_tls { "; is this a port for https?" } else { "" })]
pub(crate) struct ClosedWithoutAnswer {
    /// Nothing was encrypted, and the server has not said a word so far.
    pub(crate) may_want_tls: bool,
}

/// The first byte of a TLS alert, which no answer of HTTP begins with.
pub(crate) const TLS_ALERT: u8 = 0x15;

#[derive(Debug, thiserror::Error)]
#[error("what answers speaks TLS: this is a port for https")]
pub(crate) struct AnswersInTls;

/// Whether a proxy says that it keeps the connection. HTTP/1.1 has that as the rule, but tinyproxy closes each one behind
/// its first answer without a word: the next request would race with that, and lose the session with it.
fn says_it_stays(headers: &HeaderMap) -> bool {
    let proxy_connection = HeaderName::from_static("proxy-connection");
    let values = [header::CONNECTION, proxy_connection].map(|name| text(headers, &name));
    values.iter().flatten().any(|value| {
        let mut words = value.split(',').map(str::trim);
        words.any(|word| word.eq_ignore_ascii_case("keep-alive"))
    })
}

/// A header's value as text.
pub(crate) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<Box<str>> {
    let value = headers.get(name)?.as_bytes();
    Some(String::from_utf8_lossy(value).into())
}

/// ureq asks for addresses before it connects; they are known already.
#[derive(Debug)]
struct Addresses(Route);

impl Resolver for Addresses {
    fn resolve(
        &self,
        _: &http::Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        // Only asked whether it is empty: the dialler has the whole list.
        match self.0.addresses.first() {
            Some(&address) => addresses.push(address),
            None => return Err(ureq::Error::HostNotFound),
        }
        Ok(addresses)
    }
}

/// Our dialler as ureq calls it.
#[derive(Debug)]
struct Dialler {
    route: Route,
    /// For a proxy that makes the requests itself; see [`HttpStream::origin`].
    origin: Option<Arc<str>>,
    stays: Arc<AtomicBool>,
    shared: Arc<Shared>,
    wire: Arc<Wire>,
}

impl Connector<()> for Dialler {
    type Out = HttpStream;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<HttpStream>, ureq::Error> {
        let stream = dial_blocking(self.route.clone(), &self.shared.cancel)
            .map_err(|error| ureq::Error::Other(Box::new(error)))?;
        Ok(Some(HttpStream {
            stream,
            buffers: LazyBuffers::new(BUFFER, BUFFER),
            wire: Arc::clone(&self.wire),
            is_tls: self.route.tls.is_some(),
            origin: self.origin.clone(),
            stays: Arc::clone(&self.stays),
            shared: Arc::clone(&self.shared),
            at_request_line: true,
        }))
    }
}

/// One of our streams as ureq reads and writes it.
#[derive(Debug)]
struct HttpStream {
    stream: Stream,
    buffers: LazyBuffers,
    wire: Arc<Wire>,
    is_tls: bool,
    /// What is put before the path of each request line: a proxy that makes the requests itself has to know the server
    /// (RFC 9112, section 3.2.2), and ureq only writes paths.
    origin: Option<Arc<str>>,
    stays: Arc<AtomicBool>,
    /// Of the lane that reads it.
    shared: Arc<Shared>,
    /// Whether the next that is written is a request line.
    at_request_line: bool,
}

impl Transport for HttpStream {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let mut output = &self.buffers.output()[..amount];
        if mem::take(&mut self.at_request_line)
            && let Some(origin) = &self.origin
            && let Some(space) = output.iter().position(|&byte| byte == b' ')
        {
            let (method, rest) = output.split_at(space + 1);
            self.stream
                .write_all(&[method, origin.as_bytes()].concat())?;
            output = rest;
        }
        self.stream.write_all(output)?;
        self.stream.flush()?;
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let buffer = self.buffers.input_append_buf();
        if buffer.is_empty() {
            // What fills the buffer has no end in sight. To read nothing into it would look like the end of the stream.
            return Err(ureq::Error::Other(Box::new(HeadTooLarge)));
        }
        if self.shared.cancel.is_cancelled() {
            // The socket is shut down, but Linux hands out what still comes on it, as long as there is some.
            return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into());
        }
        let count = loop {
            match self.stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        let is_alert = !self.is_tls && !self.at_request_line && buffer[0] == TLS_ALERT;
        self.buffers.input_appended(count);
        if is_alert && count > 0 {
            return Err(ureq::Error::Other(Box::new(AnswersInTls)));
        }
        // What is written behind an answer is the next request.
        self.at_request_line = true;
        self.wire
            .take(count)
            .map_err(|error| ureq::Error::Other(Box::new(error)))?;
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stays.load(Ordering::Relaxed) && self.stream.is_idle()
    }

    fn is_tls(&self) -> bool {
        self.is_tls
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};
    use std::sync::mpsc;

    use sio_core::session::RequestId;

    use super::*;
    use crate::cookies::Given;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn lane(address: SocketAddr) -> (Lane, mpsc::Receiver<Input>) {
        let config = HttpConfig {
            route: Route {
                addresses: [address].into(),
                host: "localhost".to_owned(),
                tls: None,
                proxy: None,
            },
            origin: format!("http://{address}"),
            headers: HeaderMap::new(),
            cookies: Cookies {
                jar: Arc::default(),
                given: Given::default(),
            },
            max_body: 4,
            span: tracing::Span::none(),
        };
        let (answers, received) = mpsc::channel();
        let answer = move |input| {
            let _ = answers.send(input);
        };
        let lane = Lane::start(Method::Get, config, answer, || {});
        (lane.unwrap(), received)
    }

    fn get(id: u32) -> Request {
        Request {
            id: RequestId(id),
            method: Method::Get,
            target: "/socket.io/?EIO=3".to_owned(),
            content_type: None,
            body: Bytes::new(),
            streamed: false,
        }
    }

    fn stream(id: u32) -> Request {
        Request {
            streamed: true,
            ..get(id)
        }
    }

    /// Reads one request's head, and answers.
    fn answer(peer: &mut std::net::TcpStream, text: &str) -> String {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            peer.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        peer.write_all(text.as_bytes()).unwrap();
        String::from_utf8(head).unwrap()
    }

    #[test]
    fn ending_a_lane_ends_what_it_waits_for_at_once() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (lane, answers) = lane(listener.local_addr().unwrap());
        lane.request(get(0));
        let (mut silent, _) = listener.accept().unwrap();
        answer(&mut silent, ""); // the request is out, and stays unanswered
        let thread = lane.end().expect("a thread");
        thread.join().unwrap();
        let nothing = answers.recv_timeout(PATIENCE);
        assert_eq!(nothing.unwrap_err(), mpsc::RecvTimeoutError::Disconnected);
    }

    #[test]
    fn ending_a_lane_ends_an_answer_that_never_pauses() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (lane, answers) = lane(listener.local_addr().unwrap());
        lane.request(stream(0));
        let (mut peer, _) = listener.accept().unwrap();
        answer(
            &mut peer,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        let writing = thread::spawn(move || {
            let chunk = [&b"4000\r\n"[..], &[b'x'; 0x4000], b"\r\n"].concat();
            // Until the client has gone.
            while peer.write_all(&chunk).is_ok() {}
        });
        assert!(answers.recv_timeout(PATIENCE).is_ok());
        let thread = lane.end().expect("a thread");
        let ended = thread::spawn(move || thread.join());
        let deadline = std::time::Instant::now() + PATIENCE;
        while !ended.is_finished() {
            assert!(
                std::time::Instant::now() < deadline,
                "the lane reads on and on"
            );
            thread::yield_now();
        }
        ended.join().unwrap().unwrap();
        writing.join().unwrap();
    }

    #[test]
    fn a_connection_is_used_again_and_a_closed_one_is_not() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (lane, answers) = lane(listener.local_addr().unwrap());
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let wait = || match answers.recv_timeout(PATIENCE).expect("an answer") {
            Input::HttpResponse { response, .. } => (response.status, response.body),
            other => panic!("{other:?}"),
        };
        lane.request(get(0));
        let (mut peer, _) = listener.accept().unwrap();
        let head = answer(&mut peer, ok);
        assert!(
            head.starts_with("GET /socket.io/?EIO=3 HTTP/1.1\r\n"),
            "{head}"
        );
        assert_eq!(wait(), (200, Bytes::from("ok")));
        lane.request(get(1));
        answer(&mut peer, ok); // on the same connection
        assert_eq!(wait(), (200, Bytes::from("ok")));
        drop(peer);
        lane.request(get(2));
        let (mut peer, _) = listener.accept().unwrap();
        answer(&mut peer, ok);
        assert_eq!(wait(), (200, Bytes::from("ok")));
    }

    #[test]
    fn a_body_beyond_the_limit_is_an_error_that_names_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (lane, answers) = lane(listener.local_addr().unwrap());
        for (body, fits) in [("1234", true), ("12345", false)] {
            lane.request(get(0));
            let (mut peer, _) = listener.accept().unwrap();
            let length = body.len();
            let text = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            answer(&mut peer, &text);
            match answers.recv_timeout(PATIENCE).expect("an answer") {
                Input::HttpResponse { .. } => assert!(fits),
                Input::HttpFailed { error, .. } => {
                    assert!(
                        !fits && error.chain().contains("Limits::message_bytes"),
                        "{}",
                        error.chain()
                    );
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next piece of a streamed answer, or its end.
    #[derive(Debug, PartialEq)]
    enum Piece {
        Data(Bytes),
        End(u16, Bytes),
        Failed(String),
    }

    fn next(answers: &mpsc::Receiver<Input>) -> Piece {
        match answers.recv_timeout(PATIENCE).expect("a piece") {
            Input::HttpData { data, .. } => Piece::Data(data),
            Input::HttpResponse { response, .. } => Piece::End(response.status, response.body),
            Input::HttpFailed { error, .. } => Piece::Failed(error.chain()),
            other => panic!("{other:?}"),
        }
    }

    fn data(text: &'static str) -> Piece {
        Piece::Data(text.into())
    }

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// A lane that has asked for a stream, and the peer it has asked.
    fn streaming() -> (
        Lane,
        mpsc::Receiver<Input>,
        TcpListener,
        std::net::TcpStream,
    ) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (lane, answers) = lane(listener.local_addr().unwrap());
        lane.request(stream(0));
        let (peer, _) = listener.accept().unwrap();
        (lane, answers, listener, peer)
    }

    #[test]
    fn a_streamed_answer_is_reported_as_it_comes() {
        let (lane, answers, _listener, mut peer) = streaming();
        let head = answer(&mut peer, CHUNKED).to_ascii_lowercase();
        assert!(head.contains("\r\naccept-encoding: identity\r\n"), "{head}");
        // Each is sent when the one before has been seen: of a chunk comes what there is, and the bound on bodies of
        // the other answers does not count.
        for (bytes, expected) in [
            ("3\r\none\r\n", "one"),
            ("5\r\ntw", "tw"),
            ("o..\r\n1", "o.."),
            ("0\r\n0123456789abcdef\r\n", "0123456789abcdef"),
        ] {
            peer.write_all(bytes.as_bytes()).unwrap();
            assert_eq!(next(&answers), data(expected));
        }
        peer.write_all(b"0\r\n\r\n").unwrap();
        assert_eq!(next(&answers), Piece::End(200, Bytes::new()));
        // The lane goes on, on the same connection.
        lane.request(get(1));
        answer(&mut peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!(next(&answers), Piece::End(200, "ok".into()));
    }

    #[test]
    fn a_streamed_answer_may_end_with_its_connection() {
        let (_lane, answers, _listener, mut peer) = streaming();
        answer(&mut peer, "HTTP/1.0 200 OK\r\n\r\none");
        assert_eq!(next(&answers), data("one"));
        peer.write_all(b"two").unwrap();
        assert_eq!(next(&answers), data("two"));
        drop(peer);
        assert_eq!(next(&answers), Piece::End(200, Bytes::new()));
    }

    #[test]
    fn a_streamed_answer_that_breaks_off_has_failed() {
        let (lane, answers, listener, mut peer) = streaming();
        answer(&mut peer, &format!("{CHUNKED}3\r\none\r\n"));
        assert_eq!(next(&answers), data("one"));
        drop(peer);
        match next(&answers) {
            Piece::Failed(why) => assert!(why.ends_with("before the answer was complete"), "{why}"),
            other => panic!("{other:?}"),
        }
        lane.request(stream(1));
        let (mut peer, _) = listener.accept().unwrap();
        // The request's bytes are in, and closing with some of them unread resets the connection.
        peer.peek(&mut [0]).unwrap();
        peer.write_all(format!("{CHUNKED}3\r\ntwo\r\n").as_bytes())
            .unwrap();
        assert_eq!(next(&answers), data("two"));
        drop(peer);
        assert!(matches!(next(&answers), Piece::Failed(_)));
    }

    #[test]
    fn only_an_answer_of_status_200_is_streamed() {
        let (_lane, answers, _listener, mut peer) = streaming();
        answer(
            &mut peer,
            "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n",
        );
        peer.write_all(b"1\r\n!\r\n0\r\n\r\n").unwrap();
        assert_eq!(next(&answers), Piece::End(503, "no!".into()));
    }

    #[test]
    fn ending_a_lane_ends_a_streamed_answer_at_once() {
        let (lane, answers, _listener, mut peer) = streaming();
        answer(&mut peer, &format!("{CHUNKED}3\r\none\r\n"));
        assert_eq!(next(&answers), data("one"));
        let thread = lane.end().expect("a thread");
        thread.join().unwrap();
        let nothing = answers.recv_timeout(PATIENCE);
        assert_eq!(nothing.unwrap_err(), mpsc::RecvTimeoutError::Disconnected);
    }
}
