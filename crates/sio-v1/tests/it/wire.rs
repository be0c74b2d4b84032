//! The bytes of the protocol, written by hand: what the client's own codec does is not trusted here.

use std::time::{Duration, Instant};

use sio_peer::peer::{Answer, Peer, Request};
use sio_peer::wait::PATIENCE;
use sio_peer::websocket::WebSocketPeer;
use tungstenite::Message;

/// One packet of a polling body, or one WebSocket message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packet {
    Text(String),
    /// Without the leading type byte 4.
    Binary(Vec<u8>),
}

pub(crate) fn text(text: &str) -> Packet {
    Packet::Text(text.to_owned())
}

pub(crate) fn binary(bytes: &[u8]) -> Packet {
    Packet::Binary(bytes.to_vec())
}

/// An open packet.
pub(crate) fn open(upgrades: &[&str], interval: u32, timeout: u32) -> String {
    let upgrades: Vec<String> = upgrades.iter().map(|name| format!("{name:?}")).collect();
    let upgrades = upgrades.join(",");
    format!(
        r#"0{{"sid":"abc","upgrades":[{upgrades}],"pingInterval":{interval},"pingTimeout":{timeout}}}"#
    )
}

/// An open packet that offers nothing, with the heartbeat of 2.5.
pub(crate) fn plain_open() -> String {
    open(&[], 25_000, 20_000)
}

/// A body in the text framing of 2.x.
pub(crate) fn text_body(packets: &[&str]) -> Vec<u8> {
    let framed = |packet: &&str| format!("{}:{packet}", packet.encode_utf16().count());
    packets.iter().map(framed).collect::<String>().into_bytes()
}

/// A body in the binary framing.
pub(crate) fn binary_body(packets: &[Packet]) -> Vec<u8> {
    let mut body = Vec::new();
    for packet in packets {
        let (kind, data) = match packet {
            Packet::Text(text) => (0, text.clone().into_bytes()),
            Packet::Binary(bytes) => (1, [&[4], &bytes[..]].concat()),
        };
        body.push(kind);
        body.extend(data.len().to_string().bytes().map(|digit| digit - b'0'));
        body.push(0xff);
        body.extend(data);
    }
    body
}

/// The packets of a post, which is in the binary framing always.
pub(crate) fn read_post(mut body: &[u8]) -> Vec<Packet> {
    let mut packets = Vec::new();
    while let Some((&kind, rest)) = body.split_first() {
        let end = rest
            .iter()
            .position(|&byte| byte == 0xff)
            .expect("a length's end mark");
        let length = rest[..end]
            .iter()
            .fold(0, |sum, &digit| sum * 10 + usize::from(digit));
        let (data, next) = rest[end + 1..].split_at(length);
        packets.push(match kind {
            0 => Packet::Text(String::from_utf8(data.to_vec()).expect("UTF-8 in a post")),
            1 => {
                assert_eq!(data[0], 4, "binary packets are messages");
                binary(&data[1..])
            }
            other => panic!("the post has a packet of kind {other}"),
        });
        body = next;
    }
    packets
}

/// Answers in the protocol's words.
pub(crate) trait Answers {
    /// Packets in the text framing.
    fn text(packets: &[&str]) -> Answer {
        Self::broken(text_body(packets))
    }

    /// Packets in the binary framing.
    fn binary(packets: &[Packet]) -> Answer {
        Self::broken_binary(binary_body(packets))
    }

    /// A body that says it is in the text framing.
    fn broken(body: impl AsRef<[u8]>) -> Answer {
        Answer::new(200, "text/plain; charset=UTF-8", body.as_ref())
    }

    /// A body that says it is in the binary framing.
    fn broken_binary(body: impl AsRef<[u8]>) -> Answer {
        Answer::new(200, "application/octet-stream", body.as_ref())
    }
}

impl Answers for Answer {}

/// Posts in the protocol's words.
pub(crate) trait Posts {
    /// The packets of a post.
    fn packets(&self) -> Vec<Packet>;

    /// Answers a post as servers do.
    fn ok(self);
}

impl Posts for Request {
    fn packets(&self) -> Vec<Packet> {
        assert_eq!(
            self.header("content-type"),
            Some("application/octet-stream")
        );
        read_post(&self.body)
    }

    fn ok(self) {
        self.answer(&Answer::new(200, "text/html", b"ok"));
    }
}

/// Messages in the protocol's words.
pub(crate) trait Packets {
    /// Sends a binary packet.
    fn binary(&mut self, bytes: &[u8]);

    /// The next packet.
    fn packet(&mut self) -> Packet;

    /// The next packet, if it comes within `limit`.
    fn packet_within(&mut self, limit: Duration) -> Option<Packet>;
}

impl Packets for WebSocketPeer {
    #[track_caller]
    fn binary(&mut self, bytes: &[u8]) {
        let message = [&[4], bytes].concat();
        self.socket
            .send(Message::binary(message))
            .expect("the client takes a message");
    }

    #[track_caller]
    fn packet(&mut self) -> Packet {
        packet_of(self.message())
    }

    #[track_caller]
    fn packet_within(&mut self, limit: Duration) -> Option<Packet> {
        self.message_within(limit).map(packet_of)
    }
}

/// Accepts the probe of an upgrade; `3probe` is not sent yet.
#[track_caller]
pub(crate) fn probed(request: Request) -> WebSocketPeer {
    let mut socket = WebSocketPeer::accept(request);
    socket.expect("2probe");
    socket
}

/// Ends polls with a noop, as a server does that waits for the upgrade, until `5` comes. A poll that is held then stays in
/// `poll`.
#[track_caller]
pub(crate) fn finish_upgrade(
    peer: &mut Peer,
    poll: &mut Option<Request>,
    socket: &mut WebSocketPeer,
) {
    const A_MOMENT: Duration = Duration::from_millis(20);
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(poll) = poll.take() {
            poll.answer(&Answer::text(&["6"]));
        }
        if let Some(packet) = socket.packet_within(A_MOMENT) {
            return assert_eq!(packet, text("5"));
        }
        *poll = peer.get_within(A_MOMENT);
    }
    panic!("waited {PATIENCE:?} for the end of the upgrade");
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
