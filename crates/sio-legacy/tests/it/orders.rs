//! A connection without a network, fed with anything in any order, and the rules that keep a 0.9 server alive.

use sio_core::session::Session as _;
use sio_core::session::{Io, Method, Request, SessionConfig};
use sio_legacy::{Limits, Options, Session};
use sio_peer::bytes::Dice;
use sio_peer::orders::{Got, Network, Wire, anything_in_any_order};
use sio_peer::scenario::config;

use crate::wire::{call, framed, payload, script};

/// Packets that mean something in some state.
const PACKETS: [&str; 24] = [
    "1::",
    "1::",
    "1::",
    "1::/a",
    "1::/a",
    "0::",
    "0::/a",
    "2::",
    "3:::text",
    "3:1::question",
    "5:2+::{\"name\":\"x\"}",
    "5:3:/a:{\"name\":\"x\"}",
    "5:::{}",
    "6:::1+[1]",
    "6:::1099511627776",
    "6:::1099511627777",
    "6::/a:1",
    "7:::1+0",
    "7:::2",
    "7::/a:2",
    "8::",
    "junk",
    "",
    "3:::\u{fffd}",
];

/// What 0.9 has on the network.
enum Legacy {}

impl Wire for Legacy {
    type Protocol = Session;

    fn config(dice: &mut Dice) -> SessionConfig<Options> {
        let mut config = config::<Session>();
        for _ in 0..dice.roll(4) {
            let at = dice.roll(config.transports.len());
            config.transports.remove(at);
        }
        let turns = dice.roll(config.transports.len());
        config.transports.rotate_left(turns);
        config.timestamps = false;
        config.limits = Limits::default().message_bytes(1000);
        config
    }

    /// A few packets, in a payload that may be broken.
    fn message(dice: &mut Dice) -> String {
        let count = 1 + dice.roll(4);
        let packets: Vec<&str> = (0..count)
            .map(|_| PACKETS[dice.roll(PACKETS.len())])
            .collect();
        match dice.roll(6) {
            0 => format!("{}broken", framed(&packets)),
            1 => framed(&packets),
            _ => payload(&packets),
        }
    }

    fn get(dice: &mut Dice, request: &Request) -> Got {
        let body = if is_handshake(request) {
            match dice.roll(12) {
                0 => "Welcome to socket.io.",
                1 => "S:1:1:xhr-polling",
                2 => "S:::websocket,jsonp-polling",
                _ => "S:5:7:websocket,htmlfile,xhr-polling,jsonp-polling",
            }
            .to_owned()
        } else if request.streamed && dice.roll(8) > 0 {
            let mut data = script(&Self::message(dice)).into_bytes();
            if dice.roll(10) == 0 {
                data.truncate(dice.roll(data.len()));
            }
            return Got::Part(data);
        } else if request.streamed {
            String::new()
        } else if request.target.contains("/jsonp-polling/") {
            call(&Self::message(dice))
        } else {
            Self::message(dice)
        };
        Got::Answer {
            body,
            content_type: None,
        }
    }

    fn body(dice: &mut Dice) -> String {
        Self::message(dice)
    }

    fn check(network: &Network, io: &Io) {
        match io {
            Io::Request(request) => {
                assert!(!network.websocket, "a request beside a WebSocket");
                assert!(request.method == Method::Get || network.is_open);
                let is_streamed = request.target.contains("/htmlfile/");
                assert!(
                    request.method == Method::Get || is_streamed || network.answered > 1,
                    "a POST before the first poll is answered"
                );
            }
            Io::OpenWebSocket(_) => {
                assert!(network.get.is_none(), "one transport at a time");
            }
            Io::SendText(text) => {
                assert!(network.is_open, "a packet before the session is open");
                assert!(
                    text != "1::" && !text.starts_with("1::/?"),
                    "the root is asked for"
                );
            }
            Io::SendBinary(_) | Io::CloseWebSocket => panic!("0.9 has no such thing"),
            Io::CancelRequest(_) | Io::DropWebSocket => {}
        }
    }
}

fn is_handshake(request: &Request) -> bool {
    request.target == "/socket.io/1/"
}

#[test]
fn anything_in_any_order_breaks_no_promise() {
    let seen = anything_in_any_order::<Legacy>(rounds());
    // The dice reach every corner.
    for transport in Session::TRANSPORTS {
        assert!(seen.opened[transport] > 100, "{seen:?}");
    }
    assert!(
        seen.again > 100 && seen.given_up > 100 && seen.flushed > 100,
        "{seen:?}"
    );
}

/// More of them where somebody has the time.
fn rounds() -> u64 {
    let more = std::env::var("SIO_ORDERS").ok();
    more.and_then(|more| more.parse().ok()).unwrap_or(3000)
}
