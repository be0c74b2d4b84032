//! What the requests of a client show to a server: headers and cookies, on every kind of request.

use std::collections::BTreeMap;

use serde_json::json;

use super::kit::wait_for_link;
use super::returning::{is_anew, quick, wait_back};
use crate::case::{Mode, Outcome};
use crate::context::{Context, StatusLog};
use crate::control::Request;
use crate::protocol::Protocol;
use crate::{ensure, ensure_eq};

/// All requests, of which there is at least one of each kind that the mode has.
pub(super) fn every_kind_of_request<P: Protocol>(cx: &Context<P>) -> Outcome<Vec<Request>> {
    let requests = cx.control().requests()?;
    for kind in kinds_of::<P>(cx.mode()) {
        ensure!(
            requests.iter().any(|request| request.kind == *kind),
            "the server saw no {kind}"
        );
    }
    Ok(requests)
}

fn kinds_of<P: Protocol>(mode: Mode) -> &'static [&'static str] {
    match mode {
        Mode::Polling | Mode::JsonpPolling => &["handshake", "poll", "post"],
        Mode::HtmlFile => &["handshake", "stream", "post"],
        Mode::WebSocket => P::WEBSOCKET_BEGINS,
        Mode::Upgrade => &["handshake", "poll", "upgrade"],
    }
}

/// All these headers are on every kind of request, with these values.
pub(super) fn every_request_shows<P: Protocol>(
    cx: &Context<P>,
    headers: &[(&str, &str)],
) -> Outcome<Vec<Request>> {
    let requests = every_kind_of_request(cx)?;
    for request in &requests {
        for (name, value) in headers {
            ensure_eq!(
                request.header(name),
                Some(*value),
                "{name} on a {}",
                request.kind
            );
        }
    }
    Ok(requests)
}

/// What a server, or a balancer before it, sets on any answer, comes back on every later request, also in the session
/// after a loss. `own` is a cookie that the server sets itself on the handshake: the id of the session.
pub(super) fn cookies_come_back<P: Protocol>(cx: &Context<P>, own: Option<&str>) -> Outcome {
    let setting: Vec<&str> = kinds_of::<P>(cx.mode())
        .iter()
        .copied()
        .filter(|kind| *kind != "upgrade")
        .collect();
    for kind in &setting {
        let cookie = format!("by-{kind}=1; Path=/");
        cx.control()
            .fault(&json!({ "on": kind, "headers": { "Set-Cookie": cookie } }))?;
    }
    let log = StatusLog::new();
    let builder = cx.builder().reconnect(quick());
    let client = builder.on_status(log.watcher()).connect()?;
    cx.settle(&client)?;
    for _ in 0..3 {
        cx.exchange(&client)?;
    }
    let before = client.id();
    wait_for_link(cx, &client)?;
    ensure!(
        cx.control().drop_connections("fin")? > 0,
        "nothing was dropped"
    );
    wait_back(&log, 1)?;
    is_anew(cx, &client, before)?;
    cx.settle(&client)?;
    client.close()?;

    let requests = every_kind_of_request(cx)?;
    let (first, later) = requests.split_first().ok_or("there were no requests")?;
    ensure_eq!(cookies(first)?, BTreeMap::new(), "the first cookies");
    let mut session = first.opened.clone();
    let mut is_back = false;
    for request in later {
        let seen = cookies(request)?;
        let has = |name: &str| seen.get(name).copied();
        match own {
            // A handshake shows the session before.
            Some(own) => ensure_eq!(has(own), session.as_deref(), "{own} on a {}", request.kind),
            None => ensure_eq!(
                has("by-handshake"),
                Some("1"),
                "the handshake's cookie on a {}",
                request.kind
            ),
        }
        if request.opened.is_some() {
            session.clone_from(&request.opened);
            is_back = true;
        }
        let of_before = setting
            .iter()
            .filter(|kind| is_back && **kind != "handshake");
        for kind in of_before {
            ensure_eq!(
                has(&format!("by-{kind}")),
                Some("1"),
                "the {kind}'s cookie on a {}",
                request.kind
            );
        }
    }
    ensure!(is_back, "there was no second handshake");
    Ok(())
}

/// The cookies of a request, of which there is one of each name.
fn cookies(request: &Request) -> Outcome<BTreeMap<&str, &str>> {
    let mut cookies = BTreeMap::new();
    let header = request.header("cookie").unwrap_or_default();
    for pair in header.split("; ").filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("a cookie without a value")?;
        ensure!(
            cookies.insert(name, value).is_none(),
            "two cookies {name} on a {}: {header}",
            request.kind
        );
    }
    Ok(cookies)
}
