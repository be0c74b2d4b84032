//! A peer that answers while something asks, and what servers write.

use std::thread;
use std::time::Duration;

use sio_auto::{Client, ClientBuilder, Error, Report, Result};
use sio_peer::peer::{Answer, Peer, Request};
use sio_peer::wait::error_of;

/// How long a probe may take here, unless a test is about that.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// Does something that asks the peer; `answer` gets each request.
pub(crate) fn served<T: Send>(
    peer: &mut Peer,
    ask: impl FnOnce() -> T + Send,
    mut answer: impl FnMut(Request),
) -> T {
    thread::scope(|scope| {
        let asking = scope.spawn(ask);
        while !asking.is_finished() {
            if let Some(request) = peer.any_within(Duration::from_millis(5)) {
                answer(request);
            }
        }
        match asking.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

pub(crate) fn builder(peer: &Peer) -> ClientBuilder {
    Client::builder(&peer.url()).connect_timeout(LIMIT)
}

/// The outcome of a probe whose requests get these answers.
pub(crate) fn probed(answer: impl FnMut(Request)) -> Result<Report> {
    let mut peer = Peer::new();
    let builder = builder(&peer);
    served(&mut peer, move || builder.probe(), answer)
}

/// The report of a probe whose requests all get the same answer.
#[track_caller]
pub(crate) fn report(answer: &Answer) -> Report {
    probed(|request| request.answer(answer)).expect("a report")
}

/// The error of a probe.
#[track_caller]
pub(crate) fn failed(answer: impl FnMut(Request)) -> Error {
    error_of("the probe", probed(answer))
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// The first poll of a session, in this version.
    Session(u8),
    Poll,
    Post,
    WebSocket(u8),
    Script,
    Legacy,
}

pub(crate) fn purpose(request: &Request) -> For {
    let target = &request.target;
    let version = if target.contains("EIO=4") { 4 } else { 3 };
    if request.header("upgrade").is_some() {
        For::WebSocket(version)
    } else if request.method == "POST" {
        For::Post
    } else if target.contains("socket.io.js") {
        For::Script
    } else if target.contains("/1/") {
        For::Legacy
    } else if target.contains("&sid=") {
        For::Poll
    } else {
        For::Session(version)
    }
}

pub(crate) fn text(body: &str) -> Answer {
    Answer::new(200, "text/plain; charset=UTF-8", body.as_bytes())
}

pub(crate) fn refusal(code: u8) -> Answer {
    let body = format!("{{\"code\":{code},\"message\":\"no\"}}");
    Answer::new(400, "application/json", body.as_bytes())
}

pub(crate) fn open(upgrades: &str) -> String {
    format!(r#"0{{"sid":"S","upgrades":[{upgrades}],"pingInterval":25000,"pingTimeout":5000}}"#)
}

/// The handshake of 2.x.
pub(crate) fn session_of_2(upgrades: &str) -> Answer {
    let open = open(upgrades);
    text(&format!("{}:{open}2:40", open.len()))
}

/// The answer to a question for the version.
pub(crate) fn version(etag: &str) -> Answer {
    Answer::new(200, "application/javascript", b"").header("ETag", etag)
}
