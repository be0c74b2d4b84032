//! C9.5: the probe says which server this is, and a program that asks it first runs on every server unchanged.

use std::sync::Arc;
use std::time::Duration;

use sio_auto::{Certainty, Client, ClientBuilder, Report};
use sio_core::{Error, Socket as _, SocketExt as _};
use sio_net::Proxy;

use crate::case::{Case, Failure, Outcome, POLLING};
use crate::context::{Context, PATIENCE};
use crate::protocol::Protocol;
use crate::server::{SOCKETIOXIDE, Server, TOO_NEW};
use crate::{ensure, ensure_eq};

/// The reports as they stand in the documentation, server by server.
const REPORTS: &str = include_str!("../../../crates/sio-auto/docs/reports.md");

/// How long a probe may take. The first who asks a 0.9 server for its script waits until that is put together.
const PROBE_PATIENCE: Duration = Duration::from_secs(20);

/// The cases. The probe chooses transports itself, so one mode is enough.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    let case = |id, title, run| Case::in_modes(id, title, POLLING, run);
    vec![
        case(
            "C9.5a",
            "the probe says which server this is, as the documentation has it, and leaves no session",
            says_which,
        ),
        case(
            "C9.5b",
            "the probe knows a server that is switched to one transport, moved, or refuses",
            knows_variants,
        ),
        case(
            "C9.5c",
            "one program connects, asks, joins and closes on whatever server it finds",
            same_program,
        ),
    ]
}

/// The cases for a server that neither protocol fits.
#[must_use]
pub fn of_refusing() -> Vec<Case<sio_v1::Session>> {
    let case = |id, title, run| Case::in_modes(id, title, POLLING, run);
    vec![
        case(
            "C9.5d",
            "the probe says that neither protocol fits, and leaves no session",
            says_which,
        ),
        case(
            "C9.5e",
            "a program that follows servers is told in time which server this is, and what would help",
            none_fits,
        ),
        case(
            "C9.5f",
            "the probe and such a program on servers that are too new in other ways",
            too_new,
        ),
    ]
}

fn builder<P: Protocol>(cx: &Context<P>, variant: &str) -> ClientBuilder {
    untagged(cx, variant).query("tag", cx.tag())
}

fn untagged<P: Protocol>(cx: &Context<P>, variant: &str) -> ClientBuilder {
    Client::builder(&cx.url(variant))
        .proxy(Proxy::off())
        .connect_timeout(PROBE_PATIENCE)
}

/// What the documentation says of a server.
fn documented(server: &str) -> Outcome<&'static str> {
    let heading = format!("\n## {server}\n");
    let section = REPORTS.split_once(&heading).map(|(_, rest)| rest);
    let block = section
        .and_then(|section| section.split_once("```text\n"))
        .and_then(|(_, rest)| rest.split_once("\n```"));
    match block {
        Some((text, _)) => Ok(text),
        None => Err(format!("no report on {server} in the documentation of sio-auto").into()),
    }
}

fn says_which<P: Protocol>(cx: &Context<P>) -> Outcome {
    is_documented(cx, &builder(cx, "main").probe()?)?;
    let sockets = cx.control().sockets(None)?;
    ensure!(
        sockets.is_empty() || cx.major() > 0,
        "the probe was a client of the application: {sockets:?}"
    );
    leaves_nothing(cx)
}

fn is_documented<P: Protocol>(cx: &Context<P>, report: &Report) -> Outcome {
    let here = format!("http://127.0.0.1:{}/", cx.server().port("main"));
    let shown = report.to_string().replace(&here, "http://localhost:3000/");
    ensure_eq!(shown, documented(cx.server().name())?, "the report");
    ensure!(report.certainty >= Certainty::Likely, "{report}");
    let json = serde_json::to_string(report)?;
    let again: Report = serde_json::from_str(&json)?;
    ensure_eq!(again, *report, "the report by way of JSON");
    Ok(())
}

/// The server's application counts no client, and the engine no session. A handshake of 0.9 that no transport follows is no
/// client: the server forgets it by itself after half a minute, and nothing else can make it.
fn leaves_nothing<P: Protocol>(cx: &Context<P>) -> Outcome {
    cx.until("the end of every session", || {
        let sockets = cx.control().sockets(None)?;
        let is_client = |sid: &str| sockets.iter().any(|socket| socket.sid == sid);
        let mut sessions = cx.control().sessions()?;
        sessions.retain(|session| cx.major() > 0 || is_client(&session.sid));
        let are_gone = sockets
            .iter()
            .all(|socket| socket.disconnected_at.is_some())
            && sessions.iter().all(|session| session.closed_at.is_some());
        Ok(are_gone.then_some(()))
    })
    .map_err(|failure| {
        let left = cx.control().sessions();
        let requests = cx.control().requests();
        format!("{failure}; sessions: {left:?}; requests: {requests:?}").into()
    })
}

fn knows_variants<P: Protocol>(cx: &Context<P>) -> Outcome {
    let main = builder(cx, "main").probe()?;
    let ports = cx.server().ports();
    for variant in [
        "websocket-only",
        "polling-only",
        "root-guarded",
        "custom-path",
    ] {
        if !ports.contains_key(variant) {
            continue; // not every server has every variant
        }
        let mut there = builder(cx, variant);
        if variant == "custom-path" {
            there = there.path("/custom/path");
        }
        let report = there.probe()?;
        ensure_eq!(
            report.server,
            main.server,
            "the family of {variant}: {report}"
        );
        ensure_eq!(
            report.version,
            main.version,
            "the version of {variant}: {report}"
        );
        ensure_eq!(
            report.protocol,
            main.protocol,
            "the protocol of {variant}: {report}"
        );
        // Its open packet offers WebSocket even where that is switched off.
        let misleads = cx.server().name() == SOCKETIOXIDE && variant == "polling-only";
        if let Some(only) = variant.strip_suffix("-only").filter(|_| !misleads) {
            ensure!(
                report.transports.len() == 1 && report.transports[0].ends_with(only),
                "the transports of {variant}: {report}"
            );
        }
    }
    if ports.contains_key("forbidden") {
        let report = builder(cx, "forbidden").probe()?;
        ensure_eq!(
            report.server,
            main.server,
            "the family of forbidden: {report}"
        );
        let advice = report.advice.join(" ");
        ensure!(advice.contains("refuses this client"), "{report}");
    }
    leaves_nothing(cx)
}

fn same_program<P: Protocol>(cx: &Context<P>) -> Outcome {
    let ports = cx.server().ports();
    let variants = ["main", "websocket-only", "polling-only"];
    for variant in variants
        .into_iter()
        .filter(|name| ports.contains_key(*name))
    {
        let (builder, mut events) = builder(cx, variant).events();
        let client = builder.connect()?;
        let welcome = cx.next_event(&mut events, "welcome")?;
        ensure!(!welcome.values()?.is_empty(), "a welcome without values");
        let answer: String = client.call("echo", "héllo", PATIENCE)?;
        ensure_eq!(answer, "héllo", "the echo of {variant}");
        let chat = client.namespace("/chat").join()?;
        let answer: u32 = chat.call("echo", 7, PATIENCE)?;
        ensure_eq!(answer, 7, "the echo of /chat");
        let weak = client.downgrade();
        ensure!(weak.upgrade().is_some(), "a handle of an open connection");
        client.close()?;
        ensure!(!client.is_connected(), "connected after closing");
    }
    leaves_nothing(cx)
}

fn none_fits<P: Protocol>(cx: &Context<P>) -> Outcome {
    let error = match builder(cx, "main").connect() {
        Ok(client) => return Err(format!("connected: {client:?}").into()),
        Err(error) => error,
    };
    ensure!(matches!(error, Error::Protocol { .. }), "{error:?}");
    let text = error.chain();
    let major = format!("Socket.IO {}.x", cx.major());
    for part in [&major, "neither", "allowEIO3: true"] {
        ensure!(
            text.contains(part),
            "the error does not say {part:?}: {text}"
        );
    }
    leaves_nothing(cx)
}

fn too_new<P: Protocol>(cx: &Context<P>) -> Outcome {
    for name in TOO_NEW {
        let server = Server::start(name).map_err(|error| match error.is_not_here() {
            true => Failure::not_here(error.to_string()),
            false => error.to_string().into(),
        })?;
        let there = cx.on(Arc::new(server));
        // With a query 3.0 does not tell its version.
        is_documented(&there, &untagged(&there, "main").probe()?)?;
        none_fits(&there)?;
    }
    Ok(())
}
