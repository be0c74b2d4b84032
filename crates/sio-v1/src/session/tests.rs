//! The session with a virtual clock: input at a time, exact outputs.

use sio_core::session::{Method, Request, Response, Session as _};
use sio_peer::scenario::SECOND;

use super::*;
use crate::engine::payload::{PayloadLimits, decode_binary};

mod closing;
mod handshake;
mod heartbeat;
mod inquiry;
mod packets;
mod polling;
mod upgrade;

const OPEN: &str =
    r#"0{"sid":"S","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":5000}"#;
const OPEN_WS: &str = r#"0{"sid":"S","upgrades":[],"pingInterval":25000,"pingTimeout":5000}"#;

type Scenario = sio_peer::scenario::Scenario<Session>;

pub(crate) fn config() -> SessionConfig<Options> {
    sio_peer::scenario::config::<Session>()
}

fn start(config: SessionConfig<Options>) -> Scenario {
    Scenario::start(config, show)
}

/// The states that tests begin in, and what servers and programs of this protocol do.
trait Steps: Sized {
    /// Polling, with a poll out, and not upgrading.
    fn to_polling() -> Self;

    fn to_websocket() -> Self;

    /// Polling, with the upgrade's WebSocket being opened.
    fn to_opening() -> Self;

    fn to_probing() -> Self;

    /// The probe is answered while the poll is out.
    fn to_pausing() -> Self;

    fn binary(&mut self, bytes: &'static [u8]);

    fn emit_bytes(&mut self, event: &str);

    /// Answers the poll that is out with packets in text framing.
    fn answer_poll(&mut self, packets: &[&str]);
}

impl Steps for Scenario {
    fn to_polling() -> Self {
        let mut config = config();
        config.upgrade = false;
        let mut scenario = start(config);
        scenario.outputs();
        scenario.answer_poll(&[OPEN, "40"]);
        scenario.outputs();
        scenario
    }

    fn to_websocket() -> Self {
        let mut config = config();
        config.transports = vec![Transport::WebSocket];
        let mut scenario = start(config);
        scenario.outputs();
        scenario.input(Input::WebSocketOpened);
        scenario.text(OPEN_WS);
        scenario.text("40");
        scenario.outputs();
        scenario
    }

    fn to_opening() -> Self {
        let mut scenario = start(config());
        scenario.outputs();
        scenario.answer_poll(&[OPEN, "40"]);
        scenario.outputs();
        scenario
    }

    fn to_probing() -> Self {
        let mut scenario = Self::to_opening();
        scenario.input(Input::WebSocketOpened);
        assert_eq!(scenario.outputs(), ["ws 2probe"]);
        scenario
    }

    fn to_pausing() -> Self {
        let mut scenario = Self::to_probing();
        scenario.text("3probe");
        assert!(scenario.outputs().is_empty());
        scenario
    }

    fn binary(&mut self, bytes: &'static [u8]) {
        self.input(Input::WebSocketBinary(Bytes::from_static(bytes)));
    }

    fn emit_bytes(&mut self, event: &str) {
        let bytes = Bytes::from_static(b"\x01\x02");
        self.send("/", None, Encoded::event(event, &bytes).unwrap());
    }

    fn answer_poll(&mut self, packets: &[&str]) {
        let body: String = packets
            .iter()
            .map(|packet| format!("{}:{packet}", packet.encode_utf16().count()))
            .collect();
        self.answer_get(200, "text/plain; charset=UTF-8", body);
    }
}

fn show(request: &Request) -> String {
    match request.method {
        Method::Get => "get".to_owned(),
        Method::Head => "head".to_owned(),
        Method::Post => {
            assert_eq!(request.content_type, Some("application/octet-stream"));
            let packets = decode_binary(request.body.clone(), &PayloadLimits::default());
            let texts: Vec<String> = packets
                .map(|packet| match packet.expect("a packet").encode_frame() {
                    Frame::Text(text) => text.to_string(),
                    Frame::Binary(bytes) => format!("{bytes:?}"),
                })
                .collect();
            format!("post {}", texts.join(" "))
        }
    }
}
