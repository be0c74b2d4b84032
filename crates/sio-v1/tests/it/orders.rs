//! A connection without a network, fed with anything in any order.

use sio_core::session::{Io, Method, Request, Session as _, SessionConfig};
use sio_peer::bytes::Dice;
use sio_peer::orders::{Got, Network, Wire, anything_in_any_order};
use sio_peer::scenario::config;
use sio_v1::{Limits, Options, Session, Transport};

use crate::wire::{open, text_body};

/// Packets that mean something in some state.
const PACKETS: [&str; 24] = [
    "40",
    "40",
    "40",
    "40/a",
    "40/a,",
    "41",
    "41/a",
    "44/a,\"no\"",
    "44\"no\"",
    "42[\"x\"]",
    "427[\"x\",1]",
    "42/a,[\"x\"]",
    "42/a,8[\"x\"]",
    "42/b,[\"x\"]",
    "430[1]",
    "431[]",
    "43/a,0[]",
    "451-[\"b\",{\"_placeholder\":true,\"num\":0}]",
    "3",
    "6",
    "3probe",
    "1",
    "junk",
    "",
];

/// What Engine.IO 3 has on the network.
enum V1 {}

impl Wire for V1 {
    type Protocol = Session;

    fn config(dice: &mut Dice) -> SessionConfig<Options> {
        let mut config = config::<Session>();
        config.transports = match dice.roll(3) {
            0 => vec![Transport::WebSocket],
            1 => vec![Transport::Polling],
            _ => vec![Transport::Polling, Transport::WebSocket],
        };
        config.timestamps = false;
        config.limits = Limits::default().message_bytes(1000);
        config
    }

    fn message(dice: &mut Dice) -> String {
        match dice.roll(8) {
            0 | 1 => open(&["websocket"], 5000, 3000),
            2..=4 => "3probe".to_owned(),
            _ => packet(dice).to_owned(),
        }
    }

    fn get(dice: &mut Dice, request: &Request) -> Got {
        let mut packets: Vec<&str> = (0..=dice.roll(3)).map(|_| packet(dice)).collect();
        let open = open(&["websocket"], 5000, 3000);
        if !request.target.contains("sid=") && dice.roll(12) > 0 {
            packets.insert(0, &open);
        }
        let mut body = text_body(&packets);
        if dice.roll(30) == 0 {
            body.push(b'x');
        }
        Got::Answer {
            body: String::from_utf8(body).expect("text"),
            content_type: Some("text/plain; charset=UTF-8"),
        }
    }

    fn body(dice: &mut Dice) -> String {
        let message = Self::message(dice);
        String::from_utf8(text_body(&[&message])).expect("text")
    }

    fn check(network: &Network, io: &Io) {
        match io {
            Io::SendText(_) | Io::SendBinary(_) => {
                assert!(network.accepted, "a packet before the WebSocket is open");
            }
            // Before that, only a session that a question has opened is closed.
            Io::Request(request) if request.method == Method::Post && !network.is_open => {
                assert!(request.target.contains("&sid="));
                assert_eq!(&request.body[..], b"\0\x01\xff1");
            }
            _ => {}
        }
    }
}

/// A packet; seldom one that ends everything.
fn packet(dice: &mut Dice) -> &'static str {
    let harmless = PACKETS.len() - 3;
    let known = if dice.roll(8) > 0 {
        harmless
    } else {
        PACKETS.len()
    };
    PACKETS[dice.roll(known)]
}

#[test]
fn anything_in_any_order_breaks_no_promise() {
    let seen = anything_in_any_order::<V1>(rounds());
    // The dice reach every corner.
    for transport in Session::TRANSPORTS {
        assert!(seen.opened[transport] > 100, "{seen:?}");
    }
    assert!(seen.again > 100 && seen.given_up > 100, "{seen:?}");
    assert!(seen.upgraded > 50 && seen.flushed > 100, "{seen:?}");
}

/// More of them where somebody has the time.
fn rounds() -> u64 {
    let more = std::env::var("SIO_ORDERS").ok();
    more.and_then(|more| more.parse().ok()).unwrap_or(3000)
}
