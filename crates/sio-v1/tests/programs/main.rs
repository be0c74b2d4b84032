//! Whole programs that use the client: how they end. The programs are in `sio-peer`, the same for both protocols.

#[expect(dead_code, reason = "the other tests use the rest")]
#[path = "../it/wire.rs"]
mod wire;

use std::process::ExitCode;

use sio_peer::peer::{Answer, Peer};
use sio_peer::programs::{self, Line, Way, Words};
use sio_peer::websocket::WebSocketPeer;
use sio_v1::Session;

use crate::wire::{Answers as _, Posts as _, open, text};

fn main() -> ExitCode {
    programs::main::<V1>()
}

struct V1;

impl Words for V1 {
    type Protocol = Session;

    const WAYS: &'static [Way] = &[Way::WebSocket, Way::Polling, Way::Upgrading];
    const FIRST_ANSWER: &'static str = "430[]";

    fn welcome(peer: &mut Peer, way: Way) -> Line {
        let upgrades: &[&str] = if way == Way::Upgrading {
            &["websocket"]
        } else {
            &[]
        };
        let open = open(upgrades, 25_000, 20_000);
        if way == Way::WebSocket {
            let mut socket = WebSocketPeer::accept(peer.upgrade());
            socket.text(&open);
            socket.text("40");
            return Line::Socket(socket);
        }
        peer.get().answer(&Answer::text(&[&open, "40"]));
        let upgrade = (way == Way::Upgrading).then(|| peer.upgrade());
        Line::Polling(peer.get(), upgrade)
    }

    fn event(name: &str) -> String {
        format!("42[{name:?}]")
    }

    fn polled(packet: &str) -> Answer {
        Answer::text(&[packet])
    }

    fn posted() -> Answer {
        Answer::new(200, "text/html", b"ok")
    }

    fn see_off(peer: &mut Peer, line: Line) {
        match line {
            Line::Socket(mut socket) => {
                socket.expect("41");
                socket.is_closed();
            }
            Line::Polling(poll, upgrade) => {
                let goodbye = peer.post();
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
