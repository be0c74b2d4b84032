//! Whole programs that use the client: how they end, what they cost and what they hold. They are in `sio-peer`, the same for both protocols.

#[expect(dead_code, reason = "the other tests use the rest")]
#[path = "../it/wire.rs"]
mod wire;

use std::process::ExitCode;

use sio_legacy::Session;
use sio_peer::peer::{Answer, Peer, Request};
use sio_peer::programs::{self, Line, Way, Words};
use sio_peer::websocket::WebSocketPeer;

use crate::wire::{ALL, Answers as _, Packets as _, Posts as _};

fn main() -> ExitCode {
    programs::main::<Legacy>()
}

struct Legacy;

impl Words for Legacy {
    type Protocol = Session;

    const WAYS: &'static [Way] = &[Way::WebSocket, Way::Polling];
    const FIRST_ANSWER: &'static str = "6:::1+[]";

    fn welcome(peer: &mut Peer, way: Way) -> Line {
        if way == Way::WebSocket {
            let mut socket = WebSocketPeer::accept(Self::upgrade(peer));
            socket.text("1::");
            return Line::Socket(socket);
        }
        peer.get().answer(&Answer::handshake("S", ALL));
        peer.get().answer(&Answer::packets(&["1::"]));
        Line::Polling(peer.get(), None)
    }

    fn upgrade(peer: &mut Peer) -> Request {
        peer.get().answer(&Answer::handshake("S", ALL));
        peer.upgrade()
    }

    fn event(name: &str) -> String {
        format!("5:::{{\"name\":{name:?}}}")
    }

    fn text_event(name: &str, text: &str) -> String {
        format!("5:::{{\"name\":\"{name}\",\"args\":[\"{text}\"]}}")
    }

    fn noop(data: &str) -> String {
        format!("8:::{data}")
    }

    fn polled(packets: &[&str]) -> Answer {
        Answer::packets(packets)
    }

    fn posted() -> Answer {
        Answer::plain("1")
    }

    fn hear_out(peer: &mut Peer, line: Line) {
        match line {
            Line::Socket(mut socket) => {
                while socket.packet() != "0::" {}
                socket.cut();
            }
            Line::Polling(poll, _) => {
                loop {
                    let post = peer.post();
                    let is_goodbye = post.packets().contains(&"0::".to_owned());
                    post.ok();
                    if is_goodbye {
                        break;
                    }
                }
                poll.answer(&Answer::packets(&["0::"]));
            }
        }
    }

    fn see_off(peer: &mut Peer, line: Line) {
        match line {
            Line::Socket(mut socket) => {
                socket.expect("0::");
                socket.cut();
            }
            Line::Polling(poll, _) => {
                let goodbye = peer.post();
                assert_eq!(goodbye.packets(), ["0::"]);
                goodbye.ok();
                poll.answer(&Answer::packets(&["0::"]));
            }
        }
    }
}
