//! HTTP over streams of our own dialler; what the bytes mean is ureq-proto's business, which is ureq without its I/O.
//!
//! Each of a polling session's two requests, the long GET (or a HEAD) and the POST, has a [`Lane`] with a connection of its
//! own. Nothing here blocks: whoever drives the session goes on with a lane when the poll tells of its socket. Nor does
//! anything time out: deadlines are the session's business, and dropping the lane ends what is on its way.

mod body;
mod connection;
mod exchange;
mod trouble;
mod unread;

use std::io;
use std::mem;

use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use mio::{Registry, Token};
use sio_core::session::{Input, Method, Request, RequestId, Response};
use sio_core::{Error, HttpError};

use crate::cookies::Cookies;
use crate::dialler::{Dial, Route, Step};
use crate::tunnel::explain_refusal;
use crate::websocket::{Progress, READ_AT_ONCE};

use self::connection::Connection;
use self::exchange::{Exchange, Written};
use self::trouble::{AnswerTooLong, CutOff, Trouble, UnknownCoding, is_end};
use self::unread::BUFFER;

pub(crate) use self::trouble::{AnswersInTls, ClosedWithoutAnswer, TLS_ALERT};

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
}

/// Makes one kind of request, one at a time.
pub(crate) struct Lane {
    config: HttpConfig,
    /// Where its requests go, for errors.
    goal: ByteString,
    /// Of its sockets.
    token: Token,
    /// The request that is out, or was.
    asked: Asked,
    /// Whether there was an answer before.
    answered: bool,
    connection: Option<Connection>,
    stage: Stage,
    /// Whether the socket may have more to do.
    ready: bool,
}

/// What has to be known of a request until it is answered.
struct Asked {
    id: RequestId,
    method: Method,
    streamed: bool,
    url: String,
}

enum Stage {
    /// Nothing is out.
    Idle,
    Dialling(Box<Dial>, Exchange, Written),
    Writing(Exchange, Written),
    Reading(Box<Reading>),
}

/// An answer that is waited for, or read.
struct Reading {
    exchange: Exchange,
    /// How many bytes it may have on the wire, and how many of these are left.
    limit: usize,
    left: usize,
    /// Its head, once that has come.
    response: Option<http::Response<()>>,
}

impl Lane {
    pub(crate) fn new(config: HttpConfig, token: Token) -> Self {
        let goal: ByteString = match config.route.requesting_proxy() {
            Some(proxy) => format!("{} through {proxy}", config.origin).into(),
            None => config.origin.as_str().into(),
        };
        Self {
            config,
            goal,
            token,
            asked: Asked {
                id: RequestId(0),
                method: Method::Get,
                streamed: false,
                url: String::new(),
            },
            answered: false,
            connection: None,
            stage: Stage::Idle,
            ready: false,
        }
    }

    /// What its request waits for.
    pub(crate) fn doing(&self) -> String {
        match &self.stage {
            Stage::Dialling(dial, ..) => dial.doing(),
            _ => format!("waiting for the answer to {}", self.request_line()),
        }
    }

    fn request_line(&self) -> String {
        format!("{} {}", self.asked.method, self.goal)
    }

    /// Whether going on may bring something.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    /// A socket of the session may be ready: maybe it is this one.
    pub(crate) fn wake(&mut self) {
        self.ready = !matches!(self.stage, Stage::Idle);
    }

    /// Makes this request; what cannot be done at once follows when the socket is ready. The session has at most one of a
    /// kind out.
    ///
    /// # Errors
    /// What comes instead of an answer.
    pub(crate) fn request(&mut self, request: Request, registry: &Registry) -> Result<(), Error> {
        self.asked = Asked {
            id: request.id,
            method: request.method,
            streamed: request.streamed,
            url: format!("{}{}", self.config.origin, request.target),
        };
        self.ready = false;
        self.begin(request, registry).map_err(|trouble| {
            self.connection = None;
            self.explain(trouble)
        })
    }

    fn begin(&mut self, request: Request, registry: &Registry) -> Result<(), Trouble> {
        let head = self.head(&request)?;
        let body = (request.method == Method::Post).then_some(request.body);
        let proxy = self.config.route.requesting_proxy();
        let origin = proxy.map(|_| &*self.config.origin);
        let (exchange, mut written) = Exchange::begin(head, body, origin)?;
        self.connection.take_if(|kept| !kept.is_good());
        let Some(kept) = &mut self.connection else {
            let dial = Dial::start(self.config.route.clone(), registry, self.token)?;
            self.stage = Stage::Dialling(Box::new(dial), exchange, written);
            return Ok(());
        };
        // Nothing had come on it just now, so the poll will tell of what comes.
        self.stage = if kept.write(&mut written)? {
            self.reading(exchange)
        } else {
            Stage::Writing(exchange, written)
        };
        Ok(())
    }

    fn head(&self, request: &Request) -> Result<http::Request<()>, http::Error> {
        let mut head = http::Request::builder().uri(&self.asked.url).body(())?;
        *head.method_mut() = match request.method {
            Method::Get => http::Method::GET,
            Method::Head => http::Method::HEAD,
            Method::Post => http::Method::POST,
        };
        let headers = head.headers_mut();
        *headers = self.config.headers.clone();
        if let Some(cookies) = self.config.cookies.header(&self.asked.url) {
            headers.insert(header::COOKIE, cookies);
        }
        let proxy = self.config.route.requesting_proxy();
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
        headers
            .entry(header::ACCEPT_ENCODING)
            .or_insert(HeaderValue::from_static("gzip"));
        Ok(head)
    }

    /// The request is written.
    fn reading(&self, exchange: Exchange) -> Stage {
        let limit = if self.asked.streamed {
            usize::MAX
        } else {
            self.config
                .max_body
                .saturating_mul(WIRE_FACTOR)
                .saturating_add(BUFFER)
        };
        Stage::Reading(Box::new(Reading {
            exchange,
            limit,
            left: limit,
            response: None,
        }))
    }

    /// Goes on with the request that is out, as far as the socket allows. Of a streamed answer each piece is told, and the end.
    pub(crate) fn advance(&mut self, registry: &Registry) -> Progress {
        if !self.ready {
            return Progress::Blocked;
        }
        let id = self.asked.id;
        match self.go_on(registry) {
            Ok(None) => {
                self.ready = false;
                Progress::Blocked
            }
            Ok(Some(Came::Pause)) => Progress::Paused,
            Ok(Some(Came::Data(data))) => Progress::Input(Input::HttpData { id, data }),
            Ok(Some(Came::Answer(response))) => {
                self.ready = false;
                Progress::Input(Input::HttpResponse { id, response })
            }
            Err(trouble) => {
                self.ready = false;
                self.stage = Stage::Idle;
                self.connection = None;
                let error = self.explain(trouble);
                Progress::Input(Input::HttpFailed { id, error })
            }
        }
    }

    /// `None` if the socket has to be ready again first.
    fn go_on(&mut self, registry: &Registry) -> Result<Option<Came>, Trouble> {
        loop {
            match mem::replace(&mut self.stage, Stage::Idle) {
                Stage::Idle => return Ok(None),
                Stage::Dialling(mut dial, exchange, written) => {
                    match dial.step(registry, self.token)? {
                        Step::Wait => {
                            self.stage = Stage::Dialling(dial, exchange, written);
                            return Ok(None);
                        }
                        Step::Done(stream) => {
                            self.connection = Some(Connection::new(stream));
                            self.stage = Stage::Writing(exchange, written);
                        }
                    }
                }
                Stage::Writing(exchange, mut written) => {
                    let Some(connection) = &mut self.connection else {
                        return Ok(None);
                    };
                    if !connection.write(&mut written)? {
                        self.stage = Stage::Writing(exchange, written);
                        return Ok(None);
                    }
                    self.stage = self.reading(exchange);
                }
                Stage::Reading(mut reading) => {
                    let came = self.read(&mut reading)?;
                    if !matches!(came, Some(Came::Answer(_))) {
                        self.stage = Stage::Reading(reading);
                    }
                    return Ok(came);
                }
            }
        }
    }

    fn read(&mut self, reading: &mut Reading) -> Result<Option<Came>, Trouble> {
        let limit = match self.asked.streamed {
            // What is handed on is held no longer than it takes to read it.
            true => self.config.max_body.max(BUFFER),
            false => self.config.max_body,
        };
        let mut room = READ_AT_ONCE;
        let mut ended = false;
        loop {
            let Some(connection) = &mut self.connection else {
                return Ok(None);
            };
            let unread = &mut connection.unread;
            if reading.exchange.is_in_head()
                && let Some(response) = reading.exchange.read_head(unread, limit)?
            {
                self.note_head(&response)?;
                reading.response = Some(response);
                continue;
            }
            if let Some(response) = &reading.response {
                let is_whole = reading.exchange.read_body(unread, ended)?;
                if self.streams(response) {
                    let data = reading.exchange.take_body();
                    if !data.is_empty() {
                        return Ok(Some(Came::Data(data)));
                    }
                }
                if is_whole {
                    return Ok(Some(Came::Answer(self.whole(reading))));
                }
            }
            if ended {
                return Err(match &reading.response {
                    Some(_) => CutOff.into(),
                    None => Trouble::Closed,
                });
            }
            if room == 0 {
                return Ok(Some(Came::Pause));
            }
            let Some(count) = self.read_more(reading)? else {
                return Ok(None);
            };
            ended = count == 0;
            room = room.saturating_sub(count);
        }
    }

    /// Reads once from the socket; `None` if there is nothing for now, and nothing at the end of the stream.
    fn read_more(&mut self, reading: &mut Reading) -> Result<Option<usize>, Trouble> {
        let Some(connection) = &mut self.connection else {
            return Ok(None);
        };
        let is_first = reading.response.is_none() && connection.unread.is_empty();
        let count = match connection.unread.read(&mut connection.stream) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if reading.response.is_some() && is_end(&error) => 0,
            Err(error) => return Err(error.into()),
        };
        let is_plain = self.config.route.tls.is_none();
        if is_plain && is_first && connection.unread.bytes().first() == Some(&TLS_ALERT) {
            return Err(Trouble::Other(Box::new(AnswersInTls)));
        }
        reading.left = match reading.left.checked_sub(count) {
            Some(left) => left,
            None => return Err(Trouble::Beyond(Box::new(AnswerTooLong(reading.limit)))),
        };
        Ok(Some(count))
    }

    /// Whether its body is handed on as it comes.
    fn streams(&self, response: &http::Response<()>) -> bool {
        self.asked.streamed && response.status() == StatusCode::OK
    }

    fn note_head(&mut self, response: &http::Response<()>) -> Result<(), Trouble> {
        self.answered = true;
        let headers = response.headers();
        self.config.cookies.store(headers, &self.asked.url);
        let status = response.status();
        if let Some(proxy) = self.config.route.requesting_proxy()
            && status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            let what = format!("the request to {proxy}");
            let error = HttpError::new(what, status.as_u16(), None, &[]);
            return Err(Error::from(explain_refusal(error, proxy, headers)).into());
        }
        if self.asked.method != Method::Head
            && let Some(coding) = headers.get(header::CONTENT_ENCODING)
            && !is_known(coding)
        {
            let coding = String::from_utf8_lossy(coding.as_bytes()).into_owned();
            return Err(Trouble::Other(Box::new(UnknownCoding(coding))));
        }
        Ok(())
    }

    /// All of an answer has come.
    fn whole(&mut self, reading: &mut Reading) -> Response {
        let (head, ()) = reading.response.take().unwrap_or_default().into_parts();
        let proxy = self.config.route.requesting_proxy();
        let stays = reading.exchange.server_keeps_connection()
            && (proxy.is_none() || says_it_stays(&head.headers));
        // What stands behind an answer that was asked for belongs to no other.
        self.connection
            .take_if(|connection| !stays || !connection.unread.is_empty());
        if let Some(kept) = &mut self.connection {
            kept.keep();
        }
        Response {
            status: head.status.as_u16(),
            content_type: text(&head.headers, &header::CONTENT_TYPE),
            location: text(&head.headers, &header::LOCATION),
            etag: text(&head.headers, &header::ETAG),
            server: text(&head.headers, &header::SERVER),
            proxy: proxy.map(|proxy| proxy.to_string().into()),
            body: reading.exchange.take_body(),
        }
    }

    fn explain(&self, trouble: Trouble) -> Error {
        let context = ByteString::from(self.request_line());
        match trouble {
            Trouble::Own(error) => error,
            Trouble::Closed => {
                let may_want_tls = self.config.route.tls.is_none() && !self.answered;
                Error::transport(context, ClosedWithoutAnswer { may_want_tls })
            }
            Trouble::Beyond(error) => Error::Protocol {
                context,
                source: error.into(),
            },
            Trouble::Other(error) => Error::Transport {
                context,
                source: error.into(),
            },
        }
    }
}

/// What came of reading.
enum Came {
    Data(Bytes),
    Answer(Response),
    /// Much.
    Pause,
}

fn is_known(coding: &HeaderValue) -> bool {
    let known = ["gzip", "identity"];
    known
        .iter()
        .any(|known| coding.as_bytes().eq_ignore_ascii_case(known.as_bytes()))
}

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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;
    use crate::cookies::Given;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// A lane, and whoever drives it.
    struct Driven {
        lane: Lane,
        poll: Poll,
    }

    impl Driven {
        fn new(address: SocketAddr) -> Self {
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
            };
            Self {
                lane: Lane::new(config, Token(0)),
                poll: Poll::new().unwrap(),
            }
        }

        fn request(&mut self, request: Request) {
            self.lane.request(request, self.poll.registry()).unwrap();
        }

        /// Drives until something comes.
        fn next(&mut self) -> Input {
            let mut events = Events::with_capacity(4);
            loop {
                match self.lane.advance(self.poll.registry()) {
                    Progress::Input(input) => return input,
                    Progress::Paused => {}
                    Progress::Blocked => {
                        self.poll.poll(&mut events, Some(PATIENCE)).unwrap();
                        assert!(!events.is_empty(), "nothing came: {}", self.lane.doing());
                        self.lane.wake();
                    }
                }
            }
        }

        /// Drives until the peer has been reached.
        fn reach(&mut self, listener: &TcpListener) -> TcpStream {
            let (peer, _) = listener.accept().unwrap();
            let mut events = Events::with_capacity(4);
            while !matches!(self.lane.stage, Stage::Reading(_)) {
                self.poll.poll(&mut events, Some(PATIENCE)).unwrap();
                assert!(!events.is_empty(), "{}", self.lane.doing());
                self.lane.wake();
                let progress = self.lane.advance(self.poll.registry());
                assert!(matches!(progress, Progress::Blocked));
            }
            peer
        }

        /// The next piece of a streamed answer, or its end.
        fn piece(&mut self) -> Piece {
            match self.next() {
                Input::HttpData { data, .. } => Piece::Data(data),
                Input::HttpResponse { response, .. } => Piece::End(response.status, response.body),
                Input::HttpFailed { error, .. } => Piece::Failed(error.chain()),
                other => panic!("{other:?}"),
            }
        }
    }

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
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
    fn answer(peer: &mut TcpStream, text: &str) -> String {
        let head = read_head(peer);
        peer.write_all(text.as_bytes()).unwrap();
        head
    }

    fn read_head(peer: &mut TcpStream) -> String {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            peer.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap()
    }

    #[test]
    fn dropping_a_lane_closes_its_connection_at_once() {
        let (listener, address) = listener();
        let mut lane = Driven::new(address);
        lane.request(get(0));
        let mut silent = lane.reach(&listener);
        answer(&mut silent, ""); // the request is out, and stays unanswered
        drop(lane);
        assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn an_answer_that_never_pauses_lets_others_in() {
        let (listener, address) = listener();
        let mut lane = Driven::new(address);
        lane.lane.config.max_body = 1 << 30;
        lane.request(get(0));
        let mut peer = lane.reach(&listener);
        answer(
            &mut peer,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        let writing = thread::spawn(move || {
            let chunk = [&b"4000\r\n"[..], &[b'x'; 0x4000], b"\r\n"].concat();
            // Until the client has gone.
            while peer.write_all(&chunk).is_ok() {}
        });
        let mut events = Events::with_capacity(4);
        loop {
            match lane.lane.advance(lane.poll.registry()) {
                Progress::Paused => break,
                Progress::Blocked => {
                    lane.poll.poll(&mut events, Some(PATIENCE)).unwrap();
                    assert!(!events.is_empty(), "nothing came");
                    lane.lane.wake();
                }
                Progress::Input(input) => panic!("{input:?}"),
            }
        }
        assert!(lane.lane.is_ready(), "it goes on after the others");
        drop(lane);
        writing.join().unwrap();
    }

    #[test]
    fn a_connection_is_used_again_and_a_closed_one_is_not() {
        let (listener, address) = listener();
        let mut lane = Driven::new(address);
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let whole = Piece::End(200, "ok".into());
        lane.request(get(0));
        let mut peer = lane.reach(&listener);
        let head = answer(&mut peer, ok);
        assert!(
            head.starts_with("GET /socket.io/?EIO=3 HTTP/1.1\r\n"),
            "{head}"
        );
        assert_eq!(lane.piece(), whole);
        lane.request(get(1));
        answer(&mut peer, ok); // on the same connection
        assert_eq!(lane.piece(), whole);
        drop(peer);
        lane.request(get(2));
        let mut peer = lane.reach(&listener);
        answer(&mut peer, ok);
        assert_eq!(lane.piece(), whole);
        // Nor is one that brings what nobody asked for.
        peer.write_all(b"HTTP/1.1 408 Too late\r\n\r\n").unwrap();
        lane.request(get(3));
        answer(&mut lane.reach(&listener), ok);
        assert_eq!(lane.piece(), whole);
    }

    #[test]
    fn a_large_request_is_written_as_the_peer_takes_it() {
        let (listener, address) = listener();
        let mut lane = Driven::new(address);
        let body = Bytes::from((0..=u8::MAX).cycle().take(16 << 20).collect::<Vec<_>>());
        lane.request(Request {
            method: Method::Post,
            content_type: Some("text/plain"),
            body: body.clone(),
            ..get(0)
        });
        let (mut peer, _) = listener.accept().unwrap();
        let reading = thread::spawn(move || {
            let head = read_head(&mut peer);
            let mut read = vec![0; body.len()];
            peer.read_exact(&mut read).unwrap();
            assert!(read == body, "what came is what was sent");
            peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .unwrap();
            head
        });
        assert_eq!(lane.piece(), Piece::End(200, "ok".into()));
        let head = reading.join().unwrap().to_ascii_lowercase();
        assert!(
            head.starts_with("post /socket.io/?eio=3 http/1.1\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\ncontent-length: 16777216\r\n"), "{head}");
    }

    #[test]
    fn an_answer_is_read_in_whatever_pieces_it_comes() {
        let text = "HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            2\r\nto\r\n2\r\nbe\r\n0\r\n\r\n";
        let (listener, address) = listener();
        let mut lane = Driven::new(address);
        lane.request(get(0));
        let mut peer = lane.reach(&listener);
        answer(&mut peer, "");
        let (last, rest) = text.as_bytes().split_last().unwrap();
        for byte in rest {
            peer.write_all(&[*byte]).unwrap();
            lane.lane.wake();
            let progress = lane.lane.advance(lane.poll.registry());
            assert!(matches!(progress, Progress::Blocked), "before the end");
        }
        peer.write_all(&[*last]).unwrap();
        assert_eq!(lane.piece(), Piece::End(200, "tobe".into()));
    }

    #[test]
    fn a_body_beyond_the_limit_is_an_error_that_names_it() {
        let (listener, address) = listener();
        let mut lane = Driven::new(address);
        for (body, fits) in [("1234", true), ("12345", false)] {
            lane.request(get(0));
            let mut peer = lane.reach(&listener);
            let length = body.len();
            let text = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            answer(&mut peer, &text);
            match lane.piece() {
                Piece::Failed(why) => {
                    assert!(!fits && why.contains("Limits::message_bytes"), "{why}");
                }
                other => assert_eq!((other, fits), (Piece::End(200, body.into()), true)),
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

    fn data(text: &'static str) -> Piece {
        Piece::Data(text.into())
    }

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// A lane that has asked for a stream, and the peer it has asked.
    fn streaming() -> (Driven, TcpListener, TcpStream) {
        let (listener, address) = listener();
        let mut lane = Driven::new(address);
        lane.request(stream(0));
        let peer = lane.reach(&listener);
        (lane, listener, peer)
    }

    #[test]
    fn a_streamed_answer_is_reported_as_it_comes() {
        let (mut lane, _listener, mut peer) = streaming();
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
            assert_eq!(lane.piece(), data(expected));
        }
        peer.write_all(b"0\r\n\r\n").unwrap();
        assert_eq!(lane.piece(), Piece::End(200, Bytes::new()));
        // The lane goes on, on the same connection.
        lane.request(get(1));
        answer(&mut peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!(lane.piece(), Piece::End(200, "ok".into()));
    }

    #[test]
    fn a_streamed_answer_may_end_with_its_connection() {
        let (mut lane, _listener, mut peer) = streaming();
        answer(&mut peer, "HTTP/1.0 200 OK\r\n\r\none");
        assert_eq!(lane.piece(), data("one"));
        peer.write_all(b"two").unwrap();
        assert_eq!(lane.piece(), data("two"));
        drop(peer);
        assert_eq!(lane.piece(), Piece::End(200, Bytes::new()));
    }

    #[test]
    fn a_streamed_answer_that_breaks_off_has_failed() {
        let (mut lane, listener, mut peer) = streaming();
        answer(&mut peer, &format!("{CHUNKED}3\r\none\r\n"));
        assert_eq!(lane.piece(), data("one"));
        drop(peer);
        match lane.piece() {
            Piece::Failed(why) => assert!(why.ends_with("before the answer was complete"), "{why}"),
            other => panic!("{other:?}"),
        }
        lane.request(stream(1));
        let mut peer = lane.reach(&listener);
        // The request's bytes are in, and closing with some of them unread resets the connection.
        peer.peek(&mut [0]).unwrap();
        peer.write_all(format!("{CHUNKED}3\r\ntwo\r\n").as_bytes())
            .unwrap();
        assert_eq!(lane.piece(), data("two"));
        drop(peer);
        assert!(matches!(lane.piece(), Piece::Failed(_)));
    }

    #[test]
    fn what_is_not_streamed_has_its_limit_although_a_stream_was_asked_for() {
        let (mut lane, _listener, mut peer) = streaming();
        answer(
            &mut peer,
            "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        let writing = thread::spawn(move || {
            let chunk = [&b"4000\r\n"[..], &[b'x'; 0x4000], b"\r\n"].concat();
            // Until the client has gone.
            while peer.write_all(&chunk).is_ok() {}
        });
        match lane.piece() {
            Piece::Failed(why) => assert!(why.contains("Limits::message_bytes"), "{why}"),
            other => panic!("{other:?}"),
        }
        writing.join().unwrap();
    }

    #[test]
    fn only_an_answer_of_status_200_is_streamed() {
        let (mut lane, _listener, mut peer) = streaming();
        answer(
            &mut peer,
            "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n",
        );
        peer.write_all(b"1\r\n!\r\n0\r\n\r\n").unwrap();
        assert_eq!(lane.piece(), Piece::End(503, "no!".into()));
    }
}
