//! Whole programs that use the client: how they end, what they cost and what they hold. They are in `sio-peer`, the same for both protocols.

#[expect(dead_code, reason = "the other tests use the rest")]
#[path = "../it/wire.rs"]
mod wire;

use std::process::ExitCode;

use sio_peer::peer::{Answer, Peer, Request};
use sio_peer::programs::{self, Line, Way, Words};
use sio_peer::websocket::WebSocketPeer;
use sio_v1::Session;

use crate::wire::{Answers as _, Packets as _, Posts as _, finish_upgrade, open, probed, text};

fn main() -> ExitCode {
    programs::main::<V1>()
}

struct V1;

impl Words for V1 {
    type Protocol = Session;

    const WAYS: &'static [Way] = &[Way::WebSocket, Way::Polling, Way::Upgrading, Way::Upgraded];
    const FIRST_ANSWER: &'static str = "430[]";

    fn welcome(peer: &mut Peer, way: Way) -> Line {
        let upgrades: &[&str] = match way {
            Way::Upgrading | Way::Upgraded => &["websocket"],
            Way::WebSocket | Way::Polling => &[],
        };
        let open = open(upgrades, 25_000, 20_000);
        if way == Way::WebSocket {
            let mut socket = WebSocketPeer::accept(peer.upgrade());
            socket.text(&open);
            socket.text("40");
            return Line::Socket(socket);
        }
        peer.get().answer(&Answer::text(&[&open, "40"]));
        match way {
            Way::Upgraded => {
                let mut socket = probed(peer.upgrade());
                let mut poll = Some(peer.get());
                socket.text("3probe");
                finish_upgrade(peer, &mut poll, &mut socket);
                Line::Socket(socket)
            }
            Way::Upgrading => {
                let upgrade = peer.upgrade();
                Line::Polling(peer.get(), Some(upgrade))
            }
            Way::WebSocket | Way::Polling => Line::Polling(peer.get(), None),
        }
    }

    fn upgrade(peer: &mut Peer) -> Request {
        peer.upgrade()
    }

    fn event(name: &str) -> String {
        format!("42[{name:?}]")
    }

    fn text_event(name: &str, text: &str) -> String {
        format!("42[\"{name}\",\"{text}\"]")
    }

    fn noop(data: &str) -> String {
        format!("6{data}")
    }

    fn polled(packets: &[&str]) -> Answer {
        Answer::text(packets)
    }

    fn posted() -> Answer {
        Answer::new(200, "text/html", b"ok")
    }

    fn hear_out(peer: &mut Peer, line: Line) {
        match line {
            Line::Socket(mut socket) => {
                while socket.packet() != text("41") {}
                socket.is_closed();
            }
            Line::Polling(poll, _) => {
                loop {
                    let post = peer.post();
                    let is_goodbye = post.packets().contains(&text("1"));
                    post.ok();
                    if is_goodbye {
                        break;
                    }
                }
                poll.expect_drop();
            }
        }
    }

    fn see_off(peer: &mut Peer, line: Line) {
        match line {
            Line::Socket(mut socket) => {
                socket.expect("41");
                socket.is_closed();
            }
            Line::Polling(mut poll, upgrade) => {
                let goodbye = peer.post();
                // When the program has its answer, the next session's request may be sooner than the end of this one.
                poll.may_be_answered();
                assert_eq!(goodbye.packets(), [text("41"), text("1")]);
                goodbye.ok();
                poll.expect_drop();
                if let Some(upgrade) = upgrade {
                    upgrade.expect_drop();
                }
            }
        }
    }
}
