//! L7: the end of a session on 0.9.

use std::time::Duration;

use serde_json::json;
use sio_core::{DisconnectReason, Error, Status};
use sio_legacy::Session;

use super::kit::{handled, within};
use super::legacy_kit::{
    Cx, POLLS, ends, received, sent, the_end, wait_closed, wait_received, wait_until_quiet,
};
use crate::case::{ALL, Case, Outcome};
use crate::context::StatusLog;
use crate::{ensure, ensure_eq};

/// How soon a server has to know.
const SOON: Duration = Duration::from_secs(1);

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case<Session>> {
    let case = Case::in_modes;
    vec![
        case(
            "L7.1",
            "the client disconnects: the server knows within a second, nothing is tried again",
            ALL,
            l7_1,
        ),
        case(
            "L7.1b",
            "what was emitted before the end arrives",
            ALL,
            l7_1b,
        ),
        case(
            "L7.1c",
            "dropping the last handle is an end as well",
            ALL,
            l7_1c,
        ),
        case(
            "L7.2",
            "the end is a packet, not a timeout, also when the server holds no poll",
            POLLS,
            l7_2,
        ),
        case(
            "L7.3",
            "the server disconnects: one disconnect that says so, nothing is tried again",
            ALL,
            l7_3,
        ),
        case(
            "L7.3b",
            "the server disconnects while no poll is open: the session is lost, and not used again",
            POLLS,
            l7_3b,
        ),
        case(
            "L7.3c",
            "the server disconnects a namespace: the others stay",
            ALL,
            l7_3c,
        ),
        case(
            "L7.5",
            "a session the server does not know is never used again",
            ALL,
            l7_5,
        ),
        case(
            "L7.5b",
            "a handshake the server has forgotten is made anew, once",
            ALL,
            l7_5b,
        ),
    ]
}

fn l7_1(cx: &Cx) -> Outcome {
    let log = StatusLog::new();
    let client = cx.builder().on_status(log.watcher()).connect()?;
    let chat = client.namespace("/chat").join()?;
    handled(&client)?;
    within(SOON, "closing", || Ok(client.close()?))?;
    within(SOON, "the server's disconnect handlers", || {
        cx.until("the server's disconnect handlers", || {
            let sockets = cx.control().sockets(None)?;
            ensure_eq!(sockets.len(), 2, "sockets of the server");
            let gone = sockets
                .iter()
                .all(|socket| socket.disconnected_at.is_some());
            Ok(gone.then_some(()))
        })
    })?;
    wait_closed(cx)?;
    ensure_eq!(cx.control().sessions()?.len(), 1, "sessions the server saw");
    let reason = the_end(&log, &client)?;
    ensure!(
        matches!(reason, DisconnectReason::Client),
        "it ended with {reason:?}"
    );
    ensure!(!chat.is_connected(), "the namespace is connected");
    let goodbyes: Vec<String> = received(cx)?;
    let goodbyes: Vec<&String> = goodbyes
        .iter()
        .filter(|text| text.starts_with("0:"))
        .collect();
    ensure_eq!(goodbyes, ["0::"], "the goodbyes the server got");
    ensure_eq!(client.id(), None, "the id after the end");
    Ok(client.close()?)
}

fn l7_1b(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    for index in 0..50 {
        client.emit("sink", index)?;
    }
    client.close()?;
    wait_closed(cx)?;
    let received = received(cx)?;
    let sunk = received.iter().filter(|text| text.contains("sink")).count();
    ensure_eq!(sunk, 50, "events the server got");
    let last = received.last().map(String::as_str);
    ensure_eq!(last, Some("0::"), "the last packet");
    Ok(())
}

fn l7_1c(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    drop(client);
    cx.exchange(&chat)?;
    drop(chat);
    within(SOON, "the end at the server", || wait_closed(cx))?;
    wait_received(cx, "0::")
}

fn l7_2(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    handled(&client)?;
    within(SOON, "closing", || Ok(client.close()?))?;
    within(SOON, "the end at the server", || wait_closed(cx))?;
    ended_by_packet(cx)?;
    let requests = cx.control().requests_of("other")?;
    ensure!(requests.is_empty(), "other requests: {requests:?}");
    Ok(())
}

fn ended_by_packet(cx: &Cx) -> Outcome {
    let session = cx.control().session()?;
    let reason = session.reason.unwrap_or_default();
    ensure!(
        !reason.contains("timeout"),
        "the session ended by {reason:?}"
    );
    wait_received(cx, "0::")
}

// --- the server's word ----------------------------------------------------------------------------------------------

fn l7_3(cx: &Cx) -> Outcome {
    let (log, in_chat) = (StatusLog::new(), StatusLog::new());
    let client = cx.builder().on_status(log.watcher()).connect()?;
    let chat = client
        .namespace("/chat")
        .on_status(in_chat.watcher())
        .join()?;
    wait_until_quiet(cx)?;
    ensure_eq!(
        cx.control().disconnect("/", true)?,
        1,
        "sockets disconnected"
    );
    for (place, log) in [(&chat, &in_chat), (&client, &log)] {
        let reason = the_end(log, place)?;
        ensure!(
            matches!(reason, DisconnectReason::Server),
            "{} ended with {reason:?}",
            place.name()
        );
    }
    let last = sent(cx)?.pop();
    ensure_eq!(last.as_deref(), Some("0::"), "the server's last packet");
    ensure_eq!(cx.control().sessions()?.len(), 1, "sessions the server saw");
    Ok(())
}

fn l7_3b(cx: &Cx) -> Outcome {
    let log = StatusLog::new();
    let client = cx.builder().on_status(log.watcher()).connect()?;
    let sid = client.id().ok_or("no session")?;
    wait_until_quiet(cx)?;
    // The answer takes the held poll, and the next one is on its way for so long that the server has none.
    cx.control()
        .fault(&json!({ "on": "poll", "times": 1, "delay": 700 }))?;
    client.emit("echo", "take the poll")?;
    cx.until("a poll on its way", || {
        let polls = cx.control().requests_of("poll")?;
        let last = polls.last().filter(|poll| poll.ended_at.is_none());
        let ours = last.is_some_and(|poll| poll.sid.as_deref() == Some(&*sid));
        let taken = sent(cx)?.iter().any(|text| text.contains("take the poll"));
        Ok((ours && taken).then_some(()))
    })?;
    ensure_eq!(
        cx.control().disconnect("/", true)?,
        1,
        "sockets disconnected"
    );
    let reason = the_end(&log, &client)?;
    ensure!(
        matches!(reason, DisconnectReason::SessionLost),
        "without an open poll it ended with {reason:?}"
    );
    not_used_again(cx, &sid)
}

/// No request for the session came after the one that told of its end, and no session was opened.
fn not_used_again(cx: &Cx, sid: &str) -> Outcome {
    let of_session = || {
        let requests = cx.control().requests()?;
        let of_session = requests
            .iter()
            .filter(|request| request.sid.as_deref() == Some(sid));
        Outcome::Ok(of_session.count())
    };
    let before = of_session()?;
    // A new client does not meet the old session either.
    let client = cx.connect()?;
    cx.exchange(&client)?;
    ensure!(
        client.id().as_deref() != Some(sid),
        "the session was used again"
    );
    client.close()?;
    ensure_eq!(of_session()?, before, "requests for the lost session");
    let seen = cx.control().sessions()?.len();
    ensure_eq!(seen, 2, "sessions the server saw");
    Ok(())
}

fn l7_3c(cx: &Cx) -> Outcome {
    let (log, in_chat, in_news) = (StatusLog::new(), StatusLog::new(), StatusLog::new());
    let client = cx.builder().on_status(log.watcher()).connect()?;
    let chat = client
        .namespace("/chat")
        .on_status(in_chat.watcher())
        .join()?;
    let news = client
        .namespace("/news")
        .on_status(in_news.watcher())
        .join()?;
    handled(&client)?;
    ensure_eq!(
        cx.control().disconnect("/chat", false)?,
        1,
        "sockets disconnected"
    );
    let reason = in_chat.wait_for("the disconnect", |status| match status {
        Status::Disconnected(reason) => Some(reason.clone()),
        _ => None,
    })?;
    ensure!(
        matches!(reason, DisconnectReason::Server),
        "it ended with {reason:?}"
    );
    ensure!(
        sent(cx)?.iter().any(|text| text == "0::/chat"),
        "the server did not say so"
    );
    ensure!(!chat.is_connected(), "the namespace is connected");
    ensure!(chat.emit("sink", 1).is_err(), "the namespace takes events");
    for place in [&client, &news] {
        cx.exchange(place)?;
    }
    for log in [&log, &in_news] {
        ensure!(
            ends(log).is_empty(),
            "another namespace ended: {:?}",
            log.seen()
        );
    }
    ensure_eq!(ends(&in_chat).len(), 1, "disconnects of the namespace");
    // It was not the client that left.
    let received = received(cx)?;
    ensure!(
        !received.iter().any(|text| text == "0::/chat"),
        "the client left it: {received:?}"
    );
    Ok(client.close()?)
}

fn l7_5(cx: &Cx) -> Outcome {
    let log = StatusLog::new();
    let client = cx.builder().on_status(log.watcher()).connect()?;
    let sid = client.id().ok_or("no session")?;
    handled(&client)?;
    client.emit("raw", "7:::1+0")?;
    let reason = the_end(&log, &client)?;
    ensure!(
        matches!(reason, DisconnectReason::SessionLost),
        "it ended with {reason:?}"
    );
    not_used_again(cx, &sid)
}

fn l7_5b(cx: &Cx) -> Outcome {
    let answer = json!({
        "status": 200,
        "headers": { "Content-Type": "text/plain" },
        "body": "made-up:60:60:websocket,htmlfile,xhr-polling,jsonp-polling",
    });
    let fault = |times: u8| json!({ "on": "handshake", "times": times, "answer": answer });
    cx.control().fault(&fault(1))?;
    let log = StatusLog::new();
    let client = cx.builder().on_status(log.watcher()).connect()?;
    cx.exchange(&client)?;
    ensure!(
        client.id().as_deref() != Some("made-up"),
        "it kept the session"
    );
    ensure_eq!(
        cx.control().requests_of("handshake")?.len(),
        2,
        "handshakes"
    );
    // The transport did not fail.
    let seen = log.seen();
    ensure!(
        matches!(seen[..], [Status::Connected { .. }]),
        "changes of status: {seen:?}"
    );
    client.close()?;
    cx.control().fault(&fault(5))?;
    let error = cx.builder().connect().err();
    let text = match &error {
        Some(error @ Error::Protocol { .. }) => error.chain(),
        other => return Err(format!("connecting gave {other:?}").into()),
    };
    ensure!(
        text.contains("does not know the session"),
        "the error says: {text}"
    );
    ensure_eq!(
        cx.control().requests_of("handshake")?.len(),
        4,
        "handshakes"
    );
    Ok(())
}
