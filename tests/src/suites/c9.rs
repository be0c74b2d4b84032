//! C9: what can be seen of a connection: nothing unasked, the log, the counters.
//!
//! Elsewhere: that no secret is told whatever fails, and that every line stands in its spans, is in the tests of the protocol
//! crates, as are the counters of everything that a server cannot count.

use std::time::Duration;

use sio_core::{ConnectionState, Reconnect, Status, Transport};
use sio_net::Client;

use super::kit::{handled, wait_for_link};
use crate::case::{Case, Failure, Mode, Outcome};
use crate::context::{Context, PATIENCE, StatusLog, transports_of};
use crate::protocol::Protocol;
use crate::talk::{READY, SECRET, Talk};
use crate::{ensure, ensure_eq};

/// How long a program may take that talks, is lost and comes back.
const TALK: Duration = Duration::from_secs(30);

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    let case = Case::everywhere;
    vec![
        case(
            "C9.1",
            "a program that sets up no log prints nothing, whatever happens to its connection",
            nothing_is_printed,
        ),
        case(
            "C9.2",
            "the log shows transports, upgrade, retries and close reasons, in spans, and no secret down to each packet",
            the_log_shows,
        ),
        case(
            "C9.3",
            "packets, bytes and requests are as many as the server has seen",
            counted_by_both,
        ),
        case(
            "C9.3b",
            "the report says how the connection stands: sessions, losses, what waits, was dropped or is unknown",
            the_report_tells,
        ),
    ]
}

// --- C9.1 and C9.2 --------------------------------------------------------------------------------------------------

/// What a program has written that talks to the server and is lost once.
fn talk<P: Protocol>(cx: &Context<P>, logs: bool) -> Outcome<String> {
    let talk = Talk {
        server: cx.server_version().to_owned(),
        mode: cx.mode(),
        url: cx.url("main"),
        tag: cx.tag().to_owned(),
        logs,
    };
    let child = talk.start()?;
    let lost = lose(cx);
    let ended = child.end(TALK);
    let (out, err) = (ended.out, ended.err);
    let is_done = ended.status.is_some_and(|status| status.success());
    ensure!(is_done, "the program failed: {out}{err}");
    lost?;
    ensure_eq!(err, "", "what it has written to standard error");
    Ok(out)
}

/// Ends the program's connections, when it is ready.
fn lose<P: Protocol>(cx: &Context<P>) -> Outcome {
    cx.until("a program that is ready", || {
        let sent = cx.control().sent()?;
        let ready = sent.iter().find(|packet| packet.text().contains(READY));
        let Some(answer) = ready else { return Ok(None) };
        // On HTTP the client sees the end only of a GET that the server holds, which is not the one that brought the answer.
        let requests = cx.control().requests()?;
        let is_held = requests.iter().any(|request| {
            let is_next = &*request.kind == "poll" && request.seq > answer.seq;
            request.ended_at.is_none() && (is_next || &*request.kind == "stream")
        });
        let has_websocket = transports_of(cx.mode()).contains(&Transport::WebSocket);
        Ok((has_websocket || is_held).then_some(()))
    })?;
    cx.control().drop_connections("fin")?;
    Ok(())
}

fn nothing_is_printed<P: Protocol>(cx: &Context<P>) -> Outcome {
    ensure_eq!(talk(cx, false)?, "", "what it has written");
    Ok(())
}

fn the_log_shows<P: Protocol>(cx: &Context<P>) -> Outcome {
    let log = talk(cx, true)?;
    ensure!(!log.contains(SECRET), "a secret can be read in:\n{log}");
    for session in cx.control().sessions()? {
        let sid = &session.sid;
        ensure!(!log.contains(sid.as_str()), "{sid} can be read in:\n{log}");
    }
    let client = format!(" sio{{client=1 server={}}}:", cx.url("main"));
    for line in log.lines() {
        ensure!(line.contains(&client), "{line:?} has no {client:?}");
    }
    ensure!(
        log.contains("packet sent kind=\"event\""),
        "no packets: {log}"
    );
    // At debug already.
    let is_debug = |line: &&str| !line.contains(" TRACE sio{");
    let lines: Vec<&str> = log.lines().filter(is_debug).collect();
    let first = match cx.mode() {
        Mode::Upgrade => Transport::Polling,
        mode => transports_of(mode)[0],
    };
    let open = format!("session open transport={first}");
    let mut shown = vec![
        (1, "attempt begins attempt=0"),
        (1, "route found"),
        (1, "handshake done"),
        (1, &*open),
        (1, "connected namespace=/ again=false"),
        (1, "disconnected namespace=/ reason="),
        (1, "session over reason="),
        (1, "will connect again namespace=/ attempt=1 delay="),
        (2, "attempt begins attempt=1"),
        (2, &*open),
        (2, "connected namespace=/ again=true"),
        (2, "session over reason=closed by this client"),
    ];
    if cx.mode() == Mode::Upgrade {
        for session in [1, 2] {
            shown.push((session, "opening a WebSocket upgrade=true"));
            shown.push((session, "upgraded"));
        }
    }
    // Some servers grant whatever they are asked for.
    shown.push(if log.contains("connected namespace=/nowhere") {
        (1, "connected namespace=/nowhere again=false")
    } else {
        (1, "not joined namespace=/nowhere error=")
    });
    // Handlers belong to no session.
    let failed = ": a handler failed namespace=/ error=";
    let is_warning = |line: &&str| line.contains(" WARN ") && line.contains(failed);
    ensure!(lines.iter().any(is_warning), "no {failed:?} in:\n{log}");
    for (session, text) in shown {
        let span = format!("session{{n={session}}}: ");
        let is_shown = |line: &&str| line.contains(text) && line.contains(&span);
        ensure!(
            lines.iter().any(is_shown),
            "no {text:?} of session {session} in:\n{log}"
        );
    }
    Ok(())
}

// --- C9.3 -----------------------------------------------------------------------------------------------------------

/// What was sent and received: packets each way, requests, and the bytes of their bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Traffic {
    sent: u64,
    received: u64,
    requests: u64,
    bytes: u64,
}

impl Traffic {
    /// As the client has counted it.
    fn counted<P: Protocol>(client: &Client<P>) -> Self {
        let counters = client.report().counters;
        Self {
            sent: counters.packets_sent,
            received: counters.packets_received,
            requests: counters.requests,
            bytes: counters.bytes_sent,
        }
    }

    /// As the server has seen it.
    fn seen<P: Protocol>(cx: &Context<P>) -> Outcome<Self> {
        let requests = cx.control().requests()?;
        Ok(Self {
            sent: cx.control().received()?.len() as u64,
            received: cx.control().sent()?.len() as u64,
            requests: requests.len() as u64,
            bytes: requests.iter().map(|request| request.body_bytes).sum(),
        })
    }

    /// What was added to it, but for the requests and their bytes, of which all are compared.
    fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            received: self.received - before.received,
            ..self
        }
    }
}

fn counted_by_both<P: Protocol>(cx: &Context<P>) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    handled(&client)?;
    // Some packets of handshake and probe are not in the server's list; from here on all are.
    let ours = Traffic::counted(&client);
    let theirs = Traffic::seen(cx)?;
    for place in [&client, &chat] {
        for text in ["a", "é😀", "three"] {
            place.emit("sink", text)?;
        }
        let answer: String = place.call("echo", "é", PATIENCE)?;
        ensure_eq!(answer, "é", "an echo");
    }
    let is_on_websocket = client.transport() == Some(Transport::WebSocket);
    let mut last = None;
    cx.until("the same counts on both sides", || {
        let mut counted = Traffic::counted(&client).since(ours);
        let mut seen = Traffic::seen(cx)?.since(theirs);
        if is_on_websocket {
            // They have no bodies.
            (counted.bytes, seen.bytes) = (0, 0);
        }
        last = Some((counted, seen));
        Ok((counted == seen && seen.sent >= 8).then_some(()))
    })
    .map_err(|failure| Failure::from(format!("{failure}: {last:?}")))?;
    Ok(client.close()?)
}

fn the_report_tells<P: Protocol>(cx: &Context<P>) -> Outcome {
    let log = StatusLog::new();
    let client = cx
        .builder()
        .reconnect(
            Reconnect::default()
                .base(Duration::from_millis(300))
                .jitter(0.0),
        )
        .on_status(log.watcher())
        .connect()?;
    cx.settle(&client)?;
    client.emit("unknown-ack", (4242, "unasked"))?;
    handled(&client)?;
    let report = client.report();
    ensure_eq!(report.state, ConnectionState::Connected, "its state");
    ensure_eq!(report.transport, client.transport(), "its transport");
    ensure_eq!(
        (report.sessions, report.attempts),
        (1, 0),
        "sessions and attempts"
    );
    ensure_eq!(report.counters.unknown_acks, 1, "acks nobody asked for");
    ensure!(
        report.connected_for.is_some() && report.last_close.is_none(),
        "{report}"
    );
    let is_named = report.no_websocket.is_some();
    ensure_eq!(
        is_named,
        report.transport != Some(Transport::WebSocket),
        "whether it says why there is no WebSocket"
    );
    wait_for_link(cx, &client)?;
    cx.control().drop_connections("fin")?;
    log.wait_for("the loss", |status| {
        matches!(status, Status::ReconnectScheduled { .. }).then_some(())
    })?;
    client.emit("sink", "later")?;
    ensure!(
        !client.emit_volatile("sink", "now")?,
        "a volatile emit waits"
    );
    let report = client.report();
    ensure_eq!(report.state, ConnectionState::Reconnecting, "its state");
    ensure_eq!(
        (report.queued, report.counters.dropped_emits),
        (1, 1),
        "queued and dropped"
    );
    ensure!(
        report.last_close.is_some() && report.transport.is_none(),
        "{report}"
    );
    log.wait_for("the new session", |status| {
        matches!(status, Status::Reconnected { .. }).then_some(())
    })?;
    handled(&client)?;
    let report = client.report();
    ensure_eq!(
        (report.sessions, report.attempts),
        (2, 0),
        "sessions and attempts"
    );
    ensure_eq!(
        (report.queued, report.counters.reconnects),
        (0, 1),
        "queued and reconnects"
    );
    ensure!(report.last_close.is_some(), "it forgets why it was lost");
    Ok(client.close()?)
}
