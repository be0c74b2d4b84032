//! The probe with a virtual clock: which questions are asked, what is closed, and what the answers mean.

mod anything;
mod ends;
mod servers;

use std::time::Duration;

use sio_core::session::{Input, Method, Request, Response, SessionConfig};
use sio_peer::scenario::{self, Scenario};

use super::session::{Options, Session, ok};
use crate::Report;

/// How long the sessions of these tests may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

const OCTETS: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=UTF-8";
const OPEN: &str =
    r#"0{"sid":"S/1","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":60000}"#;
const OPEN_4: &str = r#"0{"sid":"S1","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

fn config() -> SessionConfig<Options> {
    SessionConfig {
        timestamps: false,
        options: Options {
            url: "http://server/socket.io/".into(),
        },
        ..scenario::config::<Session>()
    }
}

/// A probe that has just begun.
fn start() -> Scenario<Session> {
    let mut probe = Scenario::start(config(), show);
    assert_eq!(probe.outputs(), ["GET ?EIO=4&transport=polling"]);
    probe
}

fn show(request: &Request) -> String {
    let target = request
        .target
        .strip_prefix("/socket.io/")
        .expect("the path");
    match request.method {
        Method::Post => format!("POST {target} {}", request.body.escape_ascii()),
        method => format!("{method} {target}"),
    }
}

/// Answers what is out.
fn answer(probe: &mut Scenario<Session>, response: Response) {
    let id = probe.get.take().expect("a request that is out");
    probe.input(Input::HttpResponse { id, response });
}

/// Answers what is out with the version of a script.
fn answer_version(probe: &mut Scenario<Session>, etag: Option<&str>) {
    let etag = etag.map(Into::into);
    answer(probe, Response { etag, ..ok() });
}

/// The framing of 1.x for one packet.
fn octets(packet: &str) -> Vec<u8> {
    let mut body = vec![0];
    body.extend(packet.len().to_string().bytes().map(|digit| digit - b'0'));
    body.push(0xff);
    body.extend(packet.as_bytes());
    body
}

/// The framing of 2.x.
fn texts(packets: &[&str]) -> String {
    let framed = packets
        .iter()
        .map(|packet| format!("{}:{packet}", packet.len()));
    framed.collect()
}

/// The report, which is told with the root connected, and nothing behind it.
#[track_caller]
fn report(probe: &mut Scenario<Session>) -> Report {
    match &probe.outputs()[..] {
        [opened, joined, event] => {
            assert_eq!(opened, "opened  on polling");
            assert_eq!(joined, "joined /");
            report_of(event, "/")
        }
        other => panic!("expected the report, and it is {other:?}"),
    }
}

#[track_caller]
fn report_of(event: &str, namespace: &str) -> Report {
    let prefix = format!("event {namespace} report ");
    let json = event
        .strip_prefix(&prefix)
        .and_then(|text| text.strip_suffix(" None"));
    let args: Vec<Report> = serde_json::from_str(json.expect("the event")).expect("a report");
    args.into_iter().next().expect("an argument")
}
