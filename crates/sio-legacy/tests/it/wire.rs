//! The bytes of the protocol, written by hand: what the client's own codec does is not trusted here.

use sio_legacy::Transport;
use sio_peer::peer::{Answer, Request};
use sio_peer::websocket::WebSocketPeer;

/// What stands before and behind the length of a frame.
pub(crate) const MARK: char = '\u{fffd}';

/// The names by which a server lists its transports.
pub(crate) const ALL: &str = "websocket,htmlfile,xhr-polling,jsonp-polling";

/// A transport's name on the wire.
pub(crate) fn wire_name(transport: Transport) -> &'static str {
    match transport {
        Transport::WebSocket => "websocket",
        Transport::HtmlFile => "htmlfile",
        Transport::JsonpPolling => "jsonp-polling",
        Transport::Polling => "xhr-polling",
        other => panic!("0.9 has no {other}"),
    }
}

/// Packets as frames, also a single one.
pub(crate) fn framed(packets: &[&str]) -> String {
    let frame = |packet: &&str| format!("{MARK}{}{MARK}{packet}", packet.encode_utf16().count());
    packets.iter().map(frame).collect()
}

/// A payload as a server writes it: a single packet bare, several framed.
pub(crate) fn payload(packets: &[&str]) -> String {
    match packets {
        [packet] => (*packet).to_owned(),
        packets => framed(packets),
    }
}

/// The packets of a payload.
pub(crate) fn read_payload(payload: &str) -> Vec<String> {
    if !payload.starts_with(MARK) {
        return vec![payload.to_owned()];
    }
    let mut units: Vec<u16> = payload.encode_utf16().collect();
    let mut packets = Vec::new();
    while !units.is_empty() {
        assert_eq!(units[0], 0xfffd, "a frame's first mark in {payload:?}");
        let digits = units[1..].iter().take_while(|&&unit| unit != 0xfffd);
        let digits: Vec<u16> = digits.copied().collect();
        let length: usize = String::from_utf16_lossy(&digits).parse().expect("a length");
        let start = digits.len() + 2;
        packets.push(String::from_utf16(&units[start..start + length]).expect("whole characters"));
        units.drain(..start + length);
    }
    packets
}

/// The payload in a form that jsonp-polling posts.
pub(crate) fn read_form(body: &[u8]) -> String {
    assert!(body.is_ascii(), "a form is ASCII");
    let value = body.strip_prefix(b"d=").expect("the field `d`");
    assert!(
        !value.contains(&b'+'),
        "a server would read a space for a plus"
    );
    let json = percent_encoding::percent_decode(value)
        .decode_utf8()
        .expect("UTF-8 in a form");
    serde_json::from_str(&json).expect("a JSON string in a form")
}

/// A payload as jsonp-polling brings it.
pub(crate) fn call(payload: &str) -> String {
    format!(
        "io.j[0]({});",
        serde_json::to_string(payload).expect("a string")
    )
}

/// A payload as htmlfile brings it.
pub(crate) fn script(payload: &str) -> String {
    let literal = serde_json::to_string(payload).expect("a string");
    format!("<script>_({});</script>", literal.replace('/', "\\/"))
}

/// The first chunk of every htmlfile stream.
pub(crate) fn preamble() -> String {
    let start =
        "<html><body><script>var _ = function (msg) { parent.s._(msg, document); };</script>";
    format!("{start:256}")
}

/// One chunk of a chunked body.
pub(crate) fn chunk(data: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

/// Answers in the protocol's words.
pub(crate) trait Answers {
    /// A handshake with the heartbeat of 0.9.19.
    fn handshake(sid: &str, transports: &str) -> Answer {
        Self::plain(format!("{sid}:60:60:{transports}"))
    }

    /// The answer to a poll.
    fn packets(packets: &[&str]) -> Answer {
        Self::plain(payload(packets))
    }

    /// A body of plain text, as polls are answered with.
    fn plain(body: impl AsRef<[u8]>) -> Answer {
        Answer::new(200, "text/plain; charset=UTF-8", body.as_ref())
    }
}

impl Answers for Answer {}

/// Posts in the protocol's words.
pub(crate) trait Posts {
    /// The path, without the query.
    fn path(&self) -> &str;

    /// The packets of a post, whatever transport it belongs to.
    fn packets(&self) -> Vec<String>;

    /// Answers a post as servers do.
    fn ok(self);
}

impl Posts for Request {
    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    fn packets(&self) -> Vec<String> {
        if self.path().contains("/jsonp-polling/") {
            assert_eq!(
                self.header("content-type"),
                Some("application/x-www-form-urlencoded")
            );
            return read_payload(&read_form(&self.body));
        }
        assert_eq!(
            self.header("content-type"),
            Some("text/plain;charset=UTF-8")
        );
        read_payload(std::str::from_utf8(&self.body).expect("UTF-8 in a post"))
    }

    fn ok(self) {
        self.answer(&Answer::new(200, "text/plain; charset=UTF-8", b"1"));
    }
}

/// Messages in the protocol's words.
pub(crate) trait Packets {
    /// The next packet that the program has sent, or the client for itself. Noop packets, by which the client paces what it
    /// sends, are acknowledged, as every 0.9 server does.
    fn packet(&mut self) -> String;
}

impl Packets for WebSocketPeer {
    #[track_caller]
    fn packet(&mut self) -> String {
        loop {
            let packet = self.message().to_string();
            match pacing_id(&packet) {
                Some(id) => self.text(&format!("6:::{id}")),
                None => return packet,
            }
        }
    }
}

/// The id of a noop packet that wants an ack.
pub(crate) fn pacing_id(packet: &str) -> Option<&str> {
    packet.strip_prefix("8:")?.strip_suffix(':')
}
