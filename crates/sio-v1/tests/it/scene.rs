//! A client and its peer, connected, with everything the client tells.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use sio_v1::{
    Client, ClientBuilder, DisconnectReason, Error, Events, Result, Status, Transport, Value,
};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::peer::{Answer, Peer, Request};
use crate::wait::{Background, PATIENCE, background, next};
use crate::wire::{Packet, open, plain_open};

/// What the client tells: events in the pull style, and changes of status.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) events: Events,
    pub(crate) statuses: Receiver<Status>,
}

/// Watches all that a client will tell.
pub(crate) fn watched(builder: ClientBuilder) -> (ClientBuilder, Told) {
    let (sender, statuses) = mpsc::channel();
    let builder = builder.on_status(move |status| {
        // The test may be over.
        let _ = sender.send(status.clone());
    });
    let (builder, events) = builder.events();
    (builder, Told { events, statuses })
}

impl Told {
    /// The next event's name and arguments.
    #[track_caller]
    pub(crate) fn event(&mut self) -> (String, Vec<Value>) {
        match self.events.recv_timeout(PATIENCE) {
            Ok(event) => (
                event.name().to_owned(),
                event.values().expect("arguments in JSON"),
            ),
            Err(error) => panic!("waited {PATIENCE:?} for an event: {error}"),
        }
    }

    /// The next event's name and one text argument.
    #[track_caller]
    pub(crate) fn text_event(&mut self) -> (String, String) {
        let (name, values) = self.event();
        match &values[..] {
            [Value::String(text)] => (name, text.to_string()),
            other => panic!("expected one text, and {name} brought {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Status {
        next("a change of status", &self.statuses)
    }

    /// The next error that belongs to no call.
    #[track_caller]
    pub(crate) fn error(&self) -> Error {
        loop {
            if let Status::Error(error) = self.status() {
                return error;
            }
        }
    }

    /// Why the connection ended.
    #[track_caller]
    pub(crate) fn reason(&self) -> DisconnectReason {
        loop {
            if let Status::Disconnected(reason) = self.status() {
                return reason;
            }
        }
    }

    /// The text of the error that ended the connection.
    #[track_caller]
    pub(crate) fn fatal(&self) -> String {
        match self.reason() {
            DisconnectReason::Error(error) => error.chain(),
            other => panic!("expected an error, and the reason is {other:?}"),
        }
    }

    /// Why the upgrade failed.
    #[track_caller]
    pub(crate) fn failed_upgrade(&self) -> String {
        loop {
            match self.status() {
                Status::UpgradeFailed(error) => return error.chain(),
                Status::Upgraded | Status::Disconnected(_) => {
                    panic!("the upgrade should have failed")
                }
                _ => {}
            }
        }
    }

    #[track_caller]
    pub(crate) fn upgraded(&self) {
        loop {
            match self.status() {
                Status::Upgraded => return,
                Status::UpgradeFailed(error) => panic!("the upgrade failed: {}", error.chain()),
                Status::Disconnected(reason) => panic!("disconnected: {reason}"),
                _ => {}
            }
        }
    }
}

pub(crate) fn polling_only(builder: ClientBuilder) -> ClientBuilder {
    builder.transports([Transport::Polling])
}

pub(crate) fn websocket_only(builder: ClientBuilder) -> ClientBuilder {
    builder.transports([Transport::WebSocket])
}

/// Connects on a thread of its own, so that the test can answer.
pub(crate) fn connecting(builder: ClientBuilder) -> Background<Result<Client>> {
    background("connecting", move || builder.connect())
}

/// Connected by polling; one poll is held by the peer.
#[derive(Debug)]
pub(crate) struct Polling {
    pub(crate) client: Client,
    pub(crate) told: Told,
    pub(crate) poll: Option<Request>,
    pub(crate) peer: Peer,
}

impl Polling {
    pub(crate) fn new() -> Self {
        Self::with(&plain_open(), polling_only)
    }

    /// Offers the upgrade, and takes the client's WebSocket handshake.
    pub(crate) fn upgrading(
        configure: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> (Self, Request) {
        let mut scene = Self::with(&open(&["websocket"], 25_000, 20_000), configure);
        let upgrade = scene.peer.upgrade();
        (scene, upgrade)
    }

    #[track_caller]
    pub(crate) fn with(open: &str, configure: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let mut peer = Peer::new();
        let (builder, told) = watched(configure(Client::builder(&peer.url())));
        let connecting = connecting(builder);
        peer.get().answer(&Answer::text(&[open, "40"]));
        let client = connecting.join().expect("a connection");
        let poll = Some(peer.get());
        Self {
            client,
            told,
            poll,
            peer,
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

    /// Delivers one text packet.
    #[track_caller]
    pub(crate) fn text(&mut self, packet: &str) {
        self.deliver(&Answer::text(&[packet]));
    }

    /// Ends polls with a noop, as a server does that waits for the upgrade, until `5` comes.
    #[track_caller]
    pub(crate) fn finish_upgrade(&mut self, socket: &mut WebSocketPeer) {
        const A_MOMENT: Duration = Duration::from_millis(20);
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(poll) = self.poll.take() {
                poll.answer(&Answer::text(&["6"]));
            }
            if let Some(packet) = socket.packet_within(A_MOMENT) {
                return assert_eq!(packet, Packet::Text("5".to_owned()));
            }
            self.poll = self.peer.get_within(A_MOMENT);
        }
        panic!("waited {PATIENCE:?} for the end of the upgrade");
    }

    /// The packets of the next post, which is answered.
    #[track_caller]
    pub(crate) fn post(&mut self) -> Vec<Packet> {
        let post = self.peer.post();
        let packets = post.packets();
        post.ok();
        packets
    }
}

/// Connected by WebSocket alone.
#[derive(Debug)]
pub(crate) struct Socketed {
    pub(crate) client: Client,
    pub(crate) told: Told,
    pub(crate) socket: WebSocketPeer,
    pub(crate) peer: Peer,
}

impl Socketed {
    pub(crate) fn new() -> Self {
        Self::with(&plain_open(), |builder| builder)
    }

    #[track_caller]
    pub(crate) fn with(open: &str, configure: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let mut peer = Peer::new();
        let (builder, told) = watched(configure(websocket_only(Client::builder(&peer.url()))));
        let connecting = connecting(builder);
        let mut socket = WebSocketPeer::accept(peer.upgrade());
        socket.text(open);
        socket.text("40");
        let client = connecting.join().expect("a connection");
        Self {
            client,
            told,
            socket,
            peer,
        }
    }
}

/// The server's side of a WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocketPeer {
    pub(crate) socket: WebSocket<TcpStream>,
}

impl WebSocketPeer {
    pub(crate) fn accept(mut request: Request) -> Self {
        let head = switching(&request);
        request.raw(head.as_bytes());
        request.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        request.stream.set_write_timeout(Some(PATIENCE)).unwrap();
        request.stream.set_nodelay(true).unwrap();
        let config = WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None);
        Self {
            socket: WebSocket::from_raw_socket(request.stream, Role::Server, Some(config)),
        }
    }

    /// Accepts the probe of an upgrade; `3probe` is not sent yet.
    #[track_caller]
    pub(crate) fn probed(request: Request) -> Self {
        let mut socket = Self::accept(request);
        socket.expect("2probe");
        socket
    }

    #[track_caller]
    pub(crate) fn text(&mut self, packet: &str) {
        self.socket
            .send(Message::text(packet))
            .expect("the client takes a message");
    }

    #[track_caller]
    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        let message = [&[4], bytes].concat();
        self.socket
            .send(Message::binary(message))
            .expect("the client takes a message");
    }

    /// Writes bytes that may be no frames.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.socket.get_mut().write_all(bytes);
    }

    #[track_caller]
    pub(crate) fn message(&mut self) -> Message {
        match self.socket.read() {
            Ok(message) => message,
            Err(error) => panic!("waited {PATIENCE:?} for a message: {error}"),
        }
    }

    #[track_caller]
    pub(crate) fn packet(&mut self) -> Packet {
        packet_of(self.message())
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, packet: &str) {
        assert_eq!(self.packet(), Packet::Text(packet.to_owned()));
    }

    /// Asserts that the client sends nothing within `limit`.
    #[track_caller]
    pub(crate) fn hears_nothing(&mut self, limit: Duration) {
        let came = self.packet_within(limit);
        assert_eq!(came, None, "expected silence");
    }

    /// The next packet, if it comes within `limit`.
    #[track_caller]
    pub(crate) fn packet_within(&mut self, limit: Duration) -> Option<Packet> {
        self.socket.get_ref().set_read_timeout(Some(limit)).unwrap();
        let read = self.socket.read();
        self.socket
            .get_ref()
            .set_read_timeout(Some(PATIENCE))
            .unwrap();
        match read {
            Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => None,
            Ok(message) => Some(packet_of(message)),
            Err(error) => panic!("waited for a message: {error}"),
        }
    }

    pub(crate) fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        let _ = self.socket.close(Some(frame));
    }

    /// Ends the stream without a close frame.
    pub(crate) fn cut(&mut self) {
        let _ = self.socket.get_mut().shutdown(Shutdown::Both);
    }

    /// Waits until the client has closed: by a close frame or by the end of the stream.
    #[track_caller]
    pub(crate) fn is_closed(&mut self) {
        loop {
            match self.socket.read() {
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    panic!("waited {PATIENCE:?} for the client to close")
                }
                Err(_) => return,
            }
        }
    }
}

#[track_caller]
fn packet_of(message: Message) -> Packet {
    match message {
        Message::Text(text) => Packet::Text(text.to_string()),
        Message::Binary(bytes) => {
            assert_eq!(bytes[0], 4, "binary packets are messages");
            Packet::Binary(bytes[1..].to_vec())
        }
        other => panic!("expected a packet, and got {other:?}"),
    }
}

/// The head of the answer that accepts a WebSocket.
pub(crate) fn switching(request: &Request) -> String {
    switching_for(request.header("sec-websocket-key").expect("a key"))
}

pub(crate) fn switching_for(key: &str) -> String {
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}
