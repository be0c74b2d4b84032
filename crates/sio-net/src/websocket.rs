//! The WebSocket leg: dialled, shaken hands and read without blocking, by tungstenite.

mod watched;

use std::io;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use http::{HeaderMap, HeaderValue, header};
use mio::{Registry, Token};
use sio_core::Error;
use sio_core::session::{Input, Response, WebSocketRules};
use tungstenite::error::ProtocolError;
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::headers::MAX_HEADERS;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{ClientHandshake, HandshakeError, Message, Utf8Bytes, WebSocket};

use crate::cookies::Cookies;
use crate::dialler::{Dial, Route, Step};
use crate::frames::Repaired;
use crate::http::{ClosedWithoutAnswer, text};
use crate::stream::Stream;

use self::watched::Watched;

/// The buffer to read into. tungstenite would take 128 KiB for every connection.
const READ_BUFFER: usize = 512;

/// From this size on, a message keeps the memory that it was read to.
const LARGE: usize = 4 << 10;

/// How much is gathered before it is written, unless a burst ends first.
const WRITE_BUFFER: usize = 64 << 10;

/// How much is read at once. What brings no message (pings, empty fragments) could keep the reader busy for ever.
pub(crate) const READ_AT_ONCE: usize = 32 << 10;

/// What a WebSocket connection is made with.
#[derive(Debug, Clone)]
pub(crate) struct WebSocketRequest {
    pub(crate) route: Route,
    /// The server, for errors.
    pub(crate) shown: String,
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) cookies: Cookies,
    pub(crate) max_message: usize,
    /// How the server bends the protocol.
    pub(crate) rules: WebSocketRules,
    /// Whether the server has not answered anything so far.
    pub(crate) is_first: bool,
}

impl WebSocketRequest {
    fn start_handshake(
        &self,
        stream: Stream,
    ) -> Result<MidHandshake<ClientHandshake<Socket>>, Error> {
        let request = self
            .upgrade_request()
            .map_err(|error| Error::transport(self.context(), error))?;
        let is_plain = matches!(stream, Stream::Plain(_));
        let stream = Repaired::new(stream, self.rules);
        let config = Some(self.config());
        ClientHandshake::start(Watched::new(stream, is_plain), request, config)
            .map_err(|error| Error::transport(self.context(), error))
    }

    fn config(&self) -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(self.max_message))
            .max_frame_size(Some(self.max_message))
    }

    fn upgrade_request(&self) -> Result<http::Request<()>, http::Error> {
        let scheme = if self.route.tls.is_some() {
            "wss"
        } else {
            "ws"
        };
        let uri = format!("{scheme}://{}{}", self.authority, self.target);
        let mut builder = http::Request::builder().uri(uri);
        if let Some(headers) = builder.headers_mut() {
            *headers = self.headers.clone();
            if let Some(cookies) = self.cookies.header(&self.http_url()) {
                headers.insert(header::COOKIE, cookies);
            }
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(
                header::SEC_WEBSOCKET_VERSION,
                HeaderValue::from_static("13"),
            );
        }
        builder
            .header(header::HOST, &self.authority)
            .header(header::SEC_WEBSOCKET_KEY, generate_key())
            .body(())
    }

    fn store_cookies(&self, headers: &HeaderMap) {
        self.cookies.store(headers, &self.http_url());
    }

    /// Cookies know http and https only.
    fn http_url(&self) -> String {
        format!("{}{}", self.shown, self.target)
    }

    fn context(&self) -> ByteString {
        let shown = &self.shown;
        match &self.route.proxy {
            Some(via) => format!("the WebSocket to {shown} through {}", via.server).into(),
            None => format!("the WebSocket to {shown}").into(),
        }
    }

    /// What a handshake that failed means for the session.
    fn handshake_failed(&self, error: tungstenite::Error) -> Input {
        match error {
            tungstenite::Error::Http(response) => {
                self.store_cookies(response.headers());
                Input::WebSocketRefused(refusal(*response))
            }
            tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => {
                self.unanswered(self.is_first && self.route.tls.is_none())
            }
            // The end of TLS without its goodbye.
            tungstenite::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.unanswered(false)
            }
            error => Input::WebSocketFailed(self.handshake_error(error)),
        }
    }

    fn unanswered(&self, may_want_tls: bool) -> Input {
        let error = ClosedWithoutAnswer { may_want_tls };
        Input::WebSocketUnanswered(Error::transport(self.context(), error))
    }

    fn handshake_error(&self, error: tungstenite::Error) -> Error {
        match error {
            tungstenite::Error::Io(error) => Error::transport(self.context(), error),
            tungstenite::Error::AttackAttempt => Error::protocol(self.context(), HeadTooLarge),
            tungstenite::Error::Capacity(_) => Error::protocol(self.context(), TooManyHeaders),
            error => broken(&self.context(), error),
        }
    }
}

/// tungstenite goes on with the buffer that it read the handshake's answer to. A new one is smaller, and nothing is lost
/// if no frame was in there.
fn with_small_buffer(socket: WebSocket<Socket>, config: WebSocketConfig) -> WebSocket<Socket> {
    if socket.get_ref().in_handshake {
        return socket;
    }
    WebSocket::from_raw_socket(socket.into_inner(), Role::Client, Some(config))
}

/// The peer broke the WebSocket protocol. The library's own wrapping would say everything twice.
fn broken(context: &ByteString, error: tungstenite::Error) -> Error {
    let context = context.clone();
    match error {
        tungstenite::Error::Protocol(ProtocolError::HttparseError(error)) => {
            Error::protocol(context, error)
        }
        tungstenite::Error::Protocol(error) => Error::protocol(context, error),
        tungstenite::Error::HttpFormat(error) => Error::protocol(context, error),
        error => Error::protocol(context, error),
    }
}

/// A WebSocket in one of its stages.
#[derive(Debug)]
pub(crate) struct WebSocketLeg {
    /// What it is, for errors.
    context: ByteString,
    max_message: usize,
    token: Token,
    stage: Stage,
    /// Bytes handed to tungstenite, as frames, that the socket has not taken.
    unwritten: usize,
    small: Small,
}

type Socket = Watched<Repaired<Stream>>;

#[derive(Debug)]
enum Stage {
    Dialling(Box<(Dial, WebSocketRequest)>),
    Handshaking(Box<(MidHandshake<ClientHandshake<Socket>>, WebSocketRequest)>),
    Open(Box<WebSocket<Socket>>),
    /// The server has accepted, and then answers in HTTP where frames should be: 4.x without allowEIO3 does.
    SecondAnswer(Box<WebSocket<Socket>>),
    Over,
}

/// What came of reading.
pub(crate) enum Progress {
    /// This.
    Input(Input),
    /// Nothing yet, though much was read; there may be more.
    Paused,
    /// Nothing more for now.
    Blocked,
}

impl WebSocketLeg {
    /// Starts connecting.
    pub(crate) fn start(
        request: WebSocketRequest,
        registry: &Registry,
        token: Token,
    ) -> Result<Self, Error> {
        let dial = Dial::start(request.route.clone(), registry, token)?;
        Ok(Self {
            context: request.context(),
            max_message: request.max_message,
            token,
            stage: Stage::Dialling(Box::new((dial, request))),
            unwritten: 0,
            small: Small::default(),
        })
    }

    /// What is being waited for before messages can come.
    pub(crate) fn doing(&self) -> Option<String> {
        match &self.stage {
            Stage::Dialling(dialling) => Some(dialling.0.doing()),
            Stage::Handshaking(_) => Some(format!("opening {}", self.context)),
            Stage::Open(_) | Stage::SecondAnswer(_) | Stage::Over => None,
        }
    }

    /// Bytes given to [`send`](Self::send) that the peer has not taken.
    pub(crate) fn unwritten(&self) -> usize {
        self.unwritten
    }

    /// Goes on connecting, or reads one message.
    pub(crate) fn advance(&mut self, registry: &Registry) -> Progress {
        let Stage::Open(socket) = &mut self.stage else {
            return self.advance_closed(registry);
        };
        socket.get_mut().left = READ_AT_ONCE;
        match read(socket, &mut self.small) {
            Ok(Progress::Input(input)) => {
                if matches!(input, Input::WebSocketClosed { .. }) {
                    self.stage = Stage::Over;
                }
                Progress::Input(input)
            }
            Ok(progress) => progress,
            Err(error) => self.read_failed(error, registry),
        }
    }

    #[cold]
    fn read_failed(&mut self, error: tungstenite::Error, registry: &Registry) -> Progress {
        let Stage::Open(socket) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Progress::Blocked;
        };
        if socket.get_ref().may_be_second_answer() {
            self.stage = Stage::SecondAnswer(socket);
            return self.advance_closed(registry);
        }
        Progress::Input(Input::WebSocketFailed(self.read_error(error)))
    }

    /// Goes on where no frames are read. Kept apart from reading, so that idle threads touch little of their stacks.
    #[inline(never)]
    fn advance_closed(&mut self, registry: &Registry) -> Progress {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Dialling(mut dialling) => match dialling.0.step(registry, self.token) {
                    Ok(Step::Wait) => {
                        self.stage = Stage::Dialling(dialling);
                        return Progress::Blocked;
                    }
                    Ok(Step::Done(stream)) => {
                        let (_, request) = *dialling;
                        match request.start_handshake(stream) {
                            Ok(handshake) => {
                                self.stage = Stage::Handshaking(Box::new((handshake, request)));
                            }
                            Err(error) => return Progress::Input(Input::WebSocketFailed(error)),
                        }
                    }
                    Err(error) => return Progress::Input(Input::WebSocketFailed(error)),
                },
                Stage::Handshaking(handshaking) => {
                    let (handshake, request) = *handshaking;
                    match handshake.handshake() {
                        Ok((socket, response)) => {
                            request.store_cookies(response.headers());
                            let socket = with_small_buffer(socket, request.config());
                            self.stage = Stage::Open(Box::new(socket));
                            return Progress::Input(Input::WebSocketOpened);
                        }
                        Err(HandshakeError::Interrupted(handshake)) => {
                            self.stage = Stage::Handshaking(Box::new((handshake, request)));
                            return Progress::Blocked;
                        }
                        Err(HandshakeError::Failure(error)) => {
                            return Progress::Input(request.handshake_failed(error));
                        }
                    }
                }
                open @ Stage::Open(_) => {
                    self.stage = open;
                    return self.advance(registry);
                }
                Stage::SecondAnswer(mut socket) => {
                    let watched = socket.get_mut();
                    watched.left = usize::MAX; // it reads no more than it keeps
                    if watched.read_second_answer() {
                        let refused = watched.second_answer();
                        return Progress::Input(match refused {
                            Some(response) => Input::WebSocketRefused(refusal(response)),
                            None => self.nothing_to_read(),
                        });
                    }
                    self.stage = Stage::SecondAnswer(socket);
                    return Progress::Blocked;
                }
                Stage::Over => return Progress::Blocked,
            }
        }
    }

    /// Hands a message over; it leaves with the next [`flush`](Self::flush), or before.
    pub(crate) fn send(&mut self, message: Message) -> Result<(), Error> {
        self.unwritten += frame_size(message.len());
        self.write(|socket| socket.write(message))
    }

    /// Writes what was handed over, as far as the peer takes it.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.write(WebSocket::flush)
    }

    /// Starts the closing handshake; what was handed over leaves first.
    pub(crate) fn close(&mut self) -> Result<(), Error> {
        let frame = tungstenite::protocol::CloseFrame {
            code: CloseCode::Normal,
            reason: Utf8Bytes::from_static(""),
        };
        self.write(|socket| socket.close(Some(frame)))
    }

    /// Writes, and notes how much the peer has taken. That it takes no more for now is no error.
    fn write(
        &mut self,
        write: impl FnOnce(&mut WebSocket<Socket>) -> Result<(), tungstenite::Error>,
    ) -> Result<(), Error> {
        let Stage::Open(socket) = &mut self.stage else {
            return Ok(());
        };
        let result = write(socket);
        let taken = std::mem::take(&mut socket.get_mut().written);
        self.unwritten = self.unwritten.saturating_sub(taken);
        match result {
            Ok(()) => Ok(()),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                Ok(())
            }
            Err(tungstenite::Error::ConnectionClosed) => Ok(()), // reading reports it
            Err(error) => Err(self.write_error(error)),
        }
    }

    /// What is neither a frame nor an answer.
    fn nothing_to_read(&self) -> Input {
        Input::WebSocketFailed(Error::protocol(self.context.clone(), NeitherFrameNorAnswer))
    }

    fn read_error(&self, error: tungstenite::Error) -> Error {
        match error {
            tungstenite::Error::Io(error) => Error::transport(self.context.clone(), error),
            tungstenite::Error::Capacity(_) => {
                Error::protocol(self.context.clone(), MessageTooLarge(self.max_message))
            }
            error => broken(&self.context, error),
        }
    }

    fn write_error(&self, error: tungstenite::Error) -> Error {
        match error {
            tungstenite::Error::Io(error) => Error::transport(self.context.clone(), error),
            error => broken(&self.context, error),
        }
    }
}

fn read(socket: &mut WebSocket<Socket>, small: &mut Small) -> Result<Progress, tungstenite::Error> {
    loop {
        let input = match socket.read() {
            Ok(Message::Text(text)) => Input::WebSocketText(small.text(text)),
            Ok(Message::Binary(bytes)) => Input::WebSocketBinary(small.apart(bytes)),
            // A ping is answered by tungstenite with the next read or flush.
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
            Ok(Message::Close(frame)) => {
                // The answer leaves now or never: the server closes the stream behind it.
                let _ = socket.flush();
                let (code, text) = frame.map_or((None, ByteString::new()), |frame| {
                    (Some(frame.code.into()), frame.reason.as_str().into())
                });
                Input::WebSocketClosed { code, text }
            }
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(match socket.get_ref().left {
                    0 => Progress::Paused,
                    _ => {
                        small.burst_ends();
                        Progress::Blocked
                    }
                });
            }
            Err(error) if is_end(&error) => {
                // An answer too short for the frame that its first bytes announce ends like this, too.
                if socket.get_ref().may_be_second_answer() {
                    return Err(error);
                }
                Input::WebSocketClosed {
                    code: None,
                    text: ByteString::new(),
                }
            }
            Err(error) => return Err(error),
        };
        socket.get_mut().forget();
        return Ok(Progress::Input(input));
    }
}

/// Whether the stream has ended. TLS may end without a goodbye of its own, as when a server was killed: frames tell by
/// themselves whether all has come.
fn is_end(error: &tungstenite::Error) -> bool {
    match error {
        tungstenite::Error::Protocol(error) => {
            *error == ProtocolError::ResetWithoutClosingHandshake
        }
        tungstenite::Error::ConnectionClosed => true,
        tungstenite::Error::Io(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        _ => false,
    }
}

/// The answer that refused a WebSocket.
fn refusal(response: http::Response<Option<Vec<u8>>>) -> Response {
    let (head, body) = response.into_parts();
    let body = body.unwrap_or_default();
    let chunked = text(&head.headers, &header::TRANSFER_ENCODING)
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    Response {
        status: head.status.as_u16(),
        content_type: text(&head.headers, &header::CONTENT_TYPE),
        location: text(&head.headers, &header::LOCATION),
        etag: text(&head.headers, &header::ETAG),
        server: text(&head.headers, &header::SERVER),
        // A proxy's tunnel passes everything on as it is.
        proxy: None,
        body: if chunked {
            without_chunks(&body)
        } else {
            body.into()
        },
    }
}

/// The data of a chunked body, as far as it has come.
fn without_chunks(mut body: &[u8]) -> Bytes {
    let mut data = Vec::with_capacity(body.len());
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(body) {
        let rest = &body[start..];
        let chunk = rest.len().min(usize::try_from(size).unwrap_or(usize::MAX));
        data.extend_from_slice(&rest[..chunk]);
        // Behind a chunk comes a line end.
        body = rest.get(chunk + 2..).unwrap_or_default();
        if size == 0 {
            break;
        }
    }
    data.into()
}

/// The size of a message's one frame, with the mask that a client's frames have.
fn frame_size(payload: usize) -> usize {
    let head = match payload {
        0..126 => 6,
        126..65_536 => 8,
        _ => 14,
    };
    head + payload
}

/// Small messages are copied: what was read beside them may be the end of a very large one, and they may wait for long.
///
/// The first of a burst gets memory of its own. Those that follow share pieces of [`PIECE`] bytes, so that a flood does not
/// allocate for each message; one that is kept keeps no more than such a piece.
#[derive(Debug, Default)]
struct Small {
    in_burst: bool,
    piece: BytesMut,
}

/// What small messages of a burst share.
const PIECE: usize = 2 << 10;

/// The largest message that shares memory with others.
const SHARED: usize = PIECE / 4;

impl Small {
    fn text(&mut self, text: Utf8Bytes) -> ByteString {
        if !self.in_burst && text.len() < LARGE {
            self.in_burst = true;
            return text.as_str().into();
        }
        // It is checked again, which for ASCII costs next to nothing.
        ByteString::try_from(self.apart(text.into())).unwrap_or_default()
    }

    fn apart(&mut self, bytes: Bytes) -> Bytes {
        let in_burst = std::mem::replace(&mut self.in_burst, true);
        match bytes.len() {
            LARGE.. => bytes,
            ..=SHARED if in_burst => {
                if self.piece.capacity() < bytes.len() {
                    self.piece = BytesMut::with_capacity(PIECE);
                }
                self.piece.extend_from_slice(&bytes);
                self.piece.split().freeze()
            }
            _ => Bytes::copy_from_slice(&bytes),
        }
    }

    /// There is nothing more to read for now.
    fn burst_ends(&mut self) {
        *self = Self::default();
    }
}

/// The other way.
pub(crate) fn text_message(text: ByteString) -> Message {
    Message::Text(Utf8Bytes::try_from(text.into_bytes()).unwrap_or_default())
}

#[derive(Debug, thiserror::Error)]
#[error("a message is larger than the limit of {0} bytes (Limits::message_bytes)")]
struct MessageTooLarge(usize);

/// tungstenite's own limits for what answers the handshake.
#[derive(Debug, thiserror::Error)]
#[error(
    "the answer's head is larger than the limit of 65536 bytes, or comes in hundreds of small pieces"
)]
struct HeadTooLarge;

#[derive(Debug, thiserror::Error)]
#[error("the answer's head has more headers than the limit of {}", MAX_HEADERS)]
struct TooManyHeaders;

#[derive(Debug, thiserror::Error)]
#[error("what came first is no frame, and begins like an HTTP answer that cannot be read")]
struct NeitherFrameNorAnswer;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use mio::{Events, Poll};
    use tungstenite::handshake::derive_accept_key;

    use super::*;
    use crate::cookies::Given;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[test]
    fn the_body_of_a_refusal_is_read_out_of_its_chunks() {
        assert_eq!(without_chunks(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "abcde");
        assert_eq!(without_chunks(b"5\r\nabc"), "abc", "the rest has not come");
        assert_eq!(without_chunks(b"no chunks"), "");
        assert_eq!(without_chunks(b""), "");
    }

    /// A leg, and the poll that its socket is in.
    struct Client {
        poll: Poll,
        leg: WebSocketLeg,
    }

    impl Client {
        fn connect(address: SocketAddr, rules: WebSocketRules) -> Self {
            let poll = Poll::new().unwrap();
            let request = WebSocketRequest {
                route: Route {
                    addresses: [address].into(),
                    host: "localhost".to_owned(),
                    tls: None,
                    proxy: None,
                },
                shown: format!("http://{address}"),
                authority: address.to_string(),
                target: "/socket.io/1/websocket/0".to_owned(),
                headers: HeaderMap::new(),
                cookies: Cookies {
                    jar: Arc::default(),
                    given: Given::default(),
                },
                max_message: 1 << 20,
                rules,
                is_first: true,
            };
            let leg = WebSocketLeg::start(request, poll.registry(), Token(1)).unwrap();
            Self { poll, leg }
        }

        fn next(&mut self) -> Input {
            let mut events = Events::with_capacity(4);
            loop {
                match self.leg.advance(self.poll.registry()) {
                    Progress::Input(input) => return input,
                    Progress::Paused => {}
                    Progress::Blocked => {
                        self.poll.poll(&mut events, Some(PATIENCE)).unwrap();
                        assert!(!events.is_empty(), "nothing came");
                    }
                }
            }
        }

        fn text(&mut self) -> ByteString {
            match self.next() {
                Input::WebSocketText(text) => text,
                other => panic!("{other:?}"),
            }
        }
    }

    /// A server that accepts a WebSocket, writes these bytes behind its answer, and returns what it reads.
    fn serve(frames: Vec<u8>) -> (SocketAddr, thread::JoinHandle<Vec<u8>>) {
        serve_in_pieces(vec![frames], false)
    }

    /// The same; only the first piece comes with the answer, and the end of its side may follow the last one.
    fn serve_in_pieces(
        pieces: Vec<Vec<u8>>,
        ends: bool,
    ) -> (SocketAddr, thread::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let run = move || {
            let (mut peer, _) = listener.accept().unwrap();
            peer.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") {
                peer.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let key = head
                .lines()
                .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
                .expect("a key");
            let accept = derive_accept_key(key.as_bytes());
            let mut answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .into_bytes();
            peer.set_nodelay(true).unwrap();
            for piece in pieces {
                answer.extend(piece);
                // The client may have seen enough before the last piece.
                if peer.write_all(&answer).is_err() {
                    break;
                }
                answer.clear();
            }
            if ends {
                peer.shutdown(std::net::Shutdown::Write).unwrap();
            }
            let mut read = Vec::new();
            if let Err(error) = peer.read_to_end(&mut read) {
                // A client that goes with bytes unread resets the connection.
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            }
            read
        };
        (address, thread::spawn(run))
    }

    #[test]
    fn a_server_that_bends_the_protocol_is_understood() {
        let long = "x".repeat(65_536);
        let mut frames = b"\x81\x031::\x89\x00\x89\x02hi\x81\x7e\x00\x00".to_vec();
        frames.extend(long.as_bytes());
        frames.extend(b"\x89\x00\x81\x032::");
        let (address, server) = serve(frames);
        let rules = WebSocketRules {
            answer_pings: false,
            zero_means_65536: true,
        };
        let mut client = Client::connect(address, rules);
        assert!(matches!(client.next(), Input::WebSocketOpened));
        assert_eq!(client.text(), "1::");
        assert_eq!(client.text(), long);
        assert_eq!(client.text(), "2::");
        client.leg.send(text_message("2::".into())).unwrap();
        client.leg.flush().unwrap();
        assert_eq!(client.leg.unwritten(), 0);
        drop(client);
        let sent = server.join().unwrap();
        assert_eq!((sent[0], sent.len()), (0x81, 9), "one text and no pong");
    }

    /// What a client makes of these pieces where frames should be.
    fn second_answer(pieces: Vec<Vec<u8>>, ends: bool) -> Input {
        let (address, server) = serve_in_pieces(pieces, ends);
        let mut client = Client::connect(address, WebSocketRules::RFC_6455);
        assert!(matches!(client.next(), Input::WebSocketOpened));
        let input = client.next();
        drop(client);
        server.join().unwrap();
        input
    }

    #[test]
    fn an_http_answer_where_frames_should_be_is_read_in_any_pieces() {
        let answer =
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-type: text/html\r\n\
                       Content-Length: 28\r\n\r\nUnsupported protocol version";
        let each_byte = answer.iter().map(|&byte| vec![byte]).collect();
        for pieces in [vec![answer.to_vec()], each_byte] {
            let Input::WebSocketRefused(response) = second_answer(pieces, false) else {
                panic!("expected a refusal");
            };
            assert_eq!(
                (response.status, response.content_type.as_deref()),
                (400, Some("text/html"))
            );
            assert_eq!(response.body, "Unsupported protocol version");
        }
    }

    #[test]
    fn an_http_answer_without_a_length_ends_with_the_stream() {
        let answer = b"HTTP/1.1 503 Busy\r\n\r\nlater";
        let Input::WebSocketRefused(response) = second_answer(vec![answer.to_vec()], true) else {
            panic!("expected a refusal");
        };
        assert_eq!((response.status, &response.body[..]), (503, &b"later"[..]));
    }

    #[test]
    fn what_only_begins_like_an_http_answer_is_an_error() {
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 64 << 10]].concat();
        for (bytes, ends) in [(b"HTTP/1.1 4".to_vec(), true), (endless, false)] {
            let Input::WebSocketFailed(error) = second_answer(vec![bytes], ends) else {
                panic!("expected an error");
            };
            assert!(
                error.chain().contains("begins like an HTTP answer"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn without_rules_a_ping_is_answered() {
        let (address, server) = serve(b"\x89\x02hi\x81\x032::".to_vec());
        let mut client = Client::connect(address, WebSocketRules::RFC_6455);
        assert!(matches!(client.next(), Input::WebSocketOpened));
        assert_eq!(client.text(), "2::");
        client.leg.flush().unwrap();
        drop(client);
        let sent = server.join().unwrap();
        assert_eq!((sent[0], sent.len()), (0x8a, 8), "a pong");
    }
}
