//! The session with a virtual clock: input at a time, exact outputs.

use std::time::Duration;

use bytes::Bytes;
use sio_core::session::{Method, Request, Response, Session as _};
use sio_peer::scenario::{SECOND, response};

use super::*;
use crate::payload;

mod closing;
mod opening;
mod packets;
mod polling;
mod silence;
mod websocket;

const HANDSHAKE: &str = "S:60:25:websocket,htmlfile,xhr-polling,jsonp-polling";

type Scenario = sio_peer::scenario::Scenario<Session>;

pub(crate) fn config() -> SessionConfig<Options> {
    sio_peer::scenario::config::<Session>()
}

fn config_with(transports: &[Transport]) -> SessionConfig<Options> {
    let mut config = config();
    config.transports = transports.to_vec();
    config
}

fn start(config: SessionConfig<Options>) -> Scenario {
    Scenario::start(config, show)
}

/// The states that tests begin in, and what servers of this protocol do.
trait Steps: Sized {
    /// A session that may use only this transport, whose handshake is answered.
    fn to_opening(transport: Transport) -> Self {
        Self::to_opening_with(transport, HANDSHAKE)
    }

    fn to_opening_with(transport: Transport, handshake: &str) -> Self;

    fn to_open(transport: Transport) -> Self {
        Self::to_open_with(transport, HANDSHAKE)
    }

    fn to_open_with(transport: Transport, handshake: &str) -> Self;

    /// The server sends packets, on whatever transport.
    fn packets(&mut self, packets: &[&str]);

    /// The server sends a piece of a stream.
    fn data(&mut self, data: &str);

    /// A GET finds no answer.
    fn fail_get(&mut self);
}

impl Steps for Scenario {
    fn to_opening_with(transport: Transport, handshake: &str) -> Self {
        let mut scenario = start(config_with(&[transport]));
        scenario.outputs();
        scenario.answer_get(200, None, handshake.to_owned());
        scenario.outputs();
        scenario
    }

    fn to_open_with(transport: Transport, handshake: &str) -> Self {
        let mut scenario = Self::to_opening_with(transport, handshake);
        if transport == Transport::WebSocket {
            scenario.input(Input::WebSocketOpened);
        }
        scenario.packets(&["1::"]);
        scenario.outputs();
        scenario
    }

    fn packets(&mut self, packets: &[&str]) {
        let body = payload::encode(packets.iter().copied());
        let literal = serde_json::to_string(&body).expect("a string");
        match self.session.transport() {
            Some(Transport::WebSocket) => packets.iter().for_each(|packet| self.text(packet)),
            Some(Transport::HtmlFile) => self.data(&format!("<script>_({literal});</script>")),
            Some(Transport::JsonpPolling) => {
                self.answer_get(200, None, format!("io.j[0]({literal});"));
            }
            _ => self.answer_get(200, None, body),
        }
    }

    fn data(&mut self, data: &str) {
        let id = self.get.expect("a stream that is open");
        let data = Bytes::from(data.to_owned());
        self.input(Input::HttpData { id, data });
    }

    fn fail_get(&mut self) {
        let id = self.get.take().expect("a GET that is out");
        let error = Error::transport("GET", std::io::Error::other("cut"));
        self.input(Input::HttpFailed { id, error });
    }
}

fn show(request: &Request) -> String {
    let path = request.target.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("/socket.io/1").expect("the path");
    match request.method {
        Method::Get => {
            assert_eq!(request.streamed, path.starts_with("/htmlfile"));
            format!("get {path}")
        }
        Method::Head => format!("head {path}"),
        Method::Post => {
            let body = String::from_utf8_lossy(&request.body).replace(payload::MARK, "|");
            format!("post {path} {body}")
        }
    }
}
