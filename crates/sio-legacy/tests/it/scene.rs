//! A client and its peer, connected.

use sio_legacy::{Client, ClientBuilder, Result, Transport};
use sio_peer::client::{Told, connecting, watched};
use sio_peer::peer::{Answer, Peer, Request};
use sio_peer::wait::Background;
use sio_peer::websocket::WebSocketPeer;

use crate::wire::{
    ALL, Answers as _, Posts as _, call, chunk, payload, preamble, script, wire_name,
};

/// One transport, and nothing else.
pub(crate) fn only(transport: Transport) -> impl FnOnce(ClientBuilder) -> ClientBuilder {
    move |builder| builder.transports([transport])
}

/// Answers the next handshake.
#[track_caller]
pub(crate) fn shake_hands(peer: &mut Peer, body: &str) {
    let get = peer.get();
    assert_eq!(get.path(), "/socket.io/1/");
    get.answer(&Answer::plain(body));
}

/// The next poll, or stream, of this session.
#[track_caller]
pub(crate) fn opening(peer: &mut Peer, transport: Transport, sid: &str) -> Request {
    let get = peer.get();
    let path = format!("/socket.io/1/{}/{sid}", wire_name(transport));
    assert_eq!(get.path(), path);
    get
}

/// The next WebSocket of this session, accepted.
#[track_caller]
pub(crate) fn accepting(peer: &mut Peer, sid: &str) -> WebSocketPeer {
    let upgrade = peer.upgrade();
    assert_eq!(upgrade.path(), format!("/socket.io/1/websocket/{sid}"));
    WebSocketPeer::accept(upgrade)
}

/// A handshake for a session `S` with these timeouts, empty ones left out.
pub(crate) fn handshake(heartbeat: &str, close: &str) -> String {
    format!("S:{heartbeat}:{close}:{ALL}")
}

/// The handshake of 0.9.19.
pub(crate) fn usual() -> String {
    handshake("60", "60")
}

/// A client that may use only this transport, and whose handshake is answered; its peer, and what it tells.
#[track_caller]
pub(crate) fn begin(
    transport: Transport,
    handshake: &str,
    configure: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> (Peer, Told, Background<Result<Client>>) {
    let mut peer = Peer::new();
    let builder = only(transport)(Client::builder(&peer.url()));
    let (builder, told) = watched(configure(builder));
    let connecting = connecting(builder);
    shake_hands(&mut peer, handshake);
    (peer, told, connecting)
}

/// Connected by one of the polling transports; one poll is held by the peer.
#[derive(Debug)]
pub(crate) struct Polling {
    pub(crate) client: Client,
    pub(crate) told: Told,
    pub(crate) poll: Option<Request>,
    pub(crate) peer: Peer,
    transport: Transport,
}

impl Polling {
    /// On xhr-polling.
    pub(crate) fn new() -> Self {
        Self::on(Transport::Polling)
    }

    pub(crate) fn on(transport: Transport) -> Self {
        Self::with(transport, &usual(), |builder| builder)
    }

    #[track_caller]
    pub(crate) fn with(
        transport: Transport,
        handshake: &str,
        configure: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let (mut peer, told, connecting) = begin(transport, handshake, configure);
        let first = opening(&mut peer, transport, "S");
        first.answer(&Answer::plain(body(transport, &["1::"])));
        let client = connecting.join().expect("a connection");
        let poll = Some(peer.get());
        Self {
            client,
            told,
            poll,
            peer,
            transport,
        }
    }

    /// Answers the held poll, and nothing more.
    #[track_caller]
    pub(crate) fn answer(&mut self, answer: &Answer) {
        self.poll.take().expect("a held poll").answer(answer);
    }

    /// Answers the held poll, and takes the next one.
    #[track_caller]
    pub(crate) fn deliver(&mut self, answer: &Answer) {
        self.answer(answer);
        self.poll = Some(self.peer.get());
    }

    /// Delivers packets in one body.
    #[track_caller]
    pub(crate) fn packets(&mut self, packets: &[&str]) {
        self.deliver(&Answer::plain(body(self.transport, packets)));
    }

    /// The packets of the next post, which is answered.
    #[track_caller]
    pub(crate) fn post(&mut self) -> Vec<String> {
        let post = self.peer.post();
        let packets = post.packets();
        post.ok();
        packets
    }
}

/// The body of a poll's answer.
pub(crate) fn body(transport: Transport, packets: &[&str]) -> String {
    match transport {
        Transport::JsonpPolling => call(&payload(packets)),
        _ => payload(packets),
    }
}

/// Connected by WebSocket.
#[derive(Debug)]
pub(crate) struct Socketed {
    pub(crate) client: Client,
    pub(crate) told: Told,
    pub(crate) socket: WebSocketPeer,
    pub(crate) peer: Peer,
}

impl Socketed {
    pub(crate) fn new() -> Self {
        Self::with(&usual(), |builder| builder)
    }

    #[track_caller]
    pub(crate) fn with(
        handshake: &str,
        configure: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let (mut peer, told, connecting) = begin(Transport::WebSocket, handshake, configure);
        let mut socket = accepting(&mut peer, "S");
        socket.text("1::");
        let client = connecting.join().expect("a connection");
        Self {
            client,
            told,
            socket,
            peer,
        }
    }
}

/// Connected by htmlfile.
#[derive(Debug)]
pub(crate) struct Streaming {
    pub(crate) client: Client,
    pub(crate) told: Told,
    pub(crate) stream: Stream,
    pub(crate) peer: Peer,
}

impl Streaming {
    pub(crate) fn new() -> Self {
        Self::with(&usual(), |builder| builder)
    }

    #[track_caller]
    pub(crate) fn with(
        handshake: &str,
        configure: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let (mut peer, told, connecting) = begin(Transport::HtmlFile, handshake, configure);
        let mut stream = Stream::open(opening(&mut peer, Transport::HtmlFile, "S"));
        stream.packet("1::");
        let client = connecting.join().expect("a connection");
        Self {
            client,
            told,
            stream,
            peer,
        }
    }

    /// The packets of the next post, which is answered.
    #[track_caller]
    pub(crate) fn post(&mut self) -> Vec<String> {
        let post = self.peer.post();
        let packets = post.packets();
        post.ok();
        packets
    }
}

/// The server's side of htmlfile.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) request: Request,
}

impl Stream {
    /// Answers with the head and the preamble.
    pub(crate) fn open(mut request: Request) -> Self {
        request.raw(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\n\
              Connection: Keep-Alive\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        let mut stream = Self { request };
        stream.chunk(preamble().as_bytes());
        stream
    }

    /// Writes one chunk.
    pub(crate) fn chunk(&mut self, data: &[u8]) {
        self.request.raw(&chunk(data));
    }

    /// Writes one packet in a script of its own.
    pub(crate) fn packet(&mut self, packet: &str) {
        self.chunk(script(packet).as_bytes());
    }

    /// Ends the answer; the connection stays.
    pub(crate) fn end(&mut self) {
        self.request.raw(b"0\r\n\r\n");
    }
}
