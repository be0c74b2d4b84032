//! L7: the end of a session on 0.9, and coming back.

use std::time::Duration;

use serde_json::json;
use sio_core::{Bounds, DisconnectReason, Error, Status, UsageError};
use sio_legacy::{Client, Session};

use super::kit::{handled, within};
use super::legacy_kit::{
    Cx, POLLS, ends, received, received_in_newest, sent, the_end, wait_closed, wait_received,
    wait_until_quiet,
};
use super::returning::{
    self, Line, a_loss, a_return, is_anew, quick, since_connected, told, wait_back,
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
    let mut cases = vec![
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
        case(
            "L7.5c",
            "the server forgets the session: the client comes back with another one",
            ALL,
            l7_5c,
        ),
    ];
    cases.extend(coming_back());
    cases
}

/// What holds for every protocol.
fn coming_back() -> Vec<Case<Session>> {
    let case = Case::everywhere;
    vec![
        case(
            "L7.1d",
            "the client ends it: nothing is tried again, though a loss would be",
            returning::nothing_follows_its_own_end,
        ),
        case(
            "L7.3d",
            "the server disconnects: nothing is tried again, though a loss would be",
            l7_3d,
        ),
        case(
            "L7.3e",
            "the server disconnects: with the switch the client comes back",
            l7_3e,
        ),
        case(
            "L7.3f",
            "the server disconnects a namespace: with the switch all come back in a new session",
            l7_3f,
        ),
        case(
            "L7.4",
            "connections that go without a word bring a new handshake and a new session",
            returning::dropped_links_bring_a_new_session,
        ),
        case(
            "L7.4b",
            "a server that is killed and started again a second later finds the client back",
            returning::survives_a_restart,
        ),
        case(
            "L7.4c",
            "after a return nothing is doubled, and nothing stale is sent or delivered",
            returning::nothing_is_doubled_nor_stale,
        ),
        case(
            "L7.6",
            "delays grow from the base to the cap, and chance moves them within its part",
            returning::delays_grow_to_the_cap,
        ),
        case(
            "L7.7",
            "as many attempts as allowed, then one word that it was given up",
            returning::gives_up_after_the_last_attempt,
        ),
        case(
            "L7.7b",
            "with reconnection off nothing is retried",
            returning::nothing_is_retried_when_off,
        ),
        case(
            "L7.7c",
            "a close between two attempts, or during one, is the end at once",
            returning::closing_stops_the_attempts,
        ),
        case(
            "L7.7d",
            "after that it can be opened again, and comes back by itself later",
            returning::opens_again_after_a_close,
        ),
        case(
            "L7.7e",
            "opened while it waits for an attempt, it makes that one now",
            returning::opening_ends_the_wait,
        ),
        case(
            "L7.8",
            "every step is told with its number, to each namespace",
            returning::every_step_is_told_to_every_namespace,
        ),
        case(
            "L7.8b",
            "the hook before an attempt changes its query, headers, cookies and URL",
            returning::the_hook_changes_each_attempt,
        ),
        case(
            "L7.9",
            "events and messages wait in their order up to the bound, and leave when the namespaces are back",
            l7_9,
        ),
        case(
            "L7.10",
            "under manual flush what waited leaves when the program says so",
            l7_10,
        ),
        case(
            "L7.11",
            "the first connect is retried on request only",
            returning::the_first_connect_is_retried_on_request,
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
        handled(place)?;
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
    // Handlers run on a thread of their own.
    handled(&client)?;
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

fn l7_5c(cx: &Cx) -> Outcome {
    returning::returns_after(
        cx,
        "main",
        // What a server says that was started anew.
        |client| Ok(client.emit("raw", "7:::1+0")?),
        |reason| matches!(reason, DisconnectReason::SessionLost),
    )
}

// --- coming back ----------------------------------------------------------------------------------------------------

/// Has the server disconnect the client, with all its namespaces, at a moment when it can say so.
fn disconnect(cx: &Cx, _: &Client) -> Outcome {
    wait_until_quiet(cx)?;
    ensure_eq!(
        cx.control().disconnect("/", true)?,
        1,
        "sockets disconnected"
    );
    Ok(())
}

fn l7_3d(cx: &Cx) -> Outcome {
    returning::nothing_follows_the_servers_end(cx, disconnect)
}

fn l7_3e(cx: &Cx) -> Outcome {
    returning::returns_after_the_servers_end(cx, disconnect)
}

fn l7_3f(cx: &Cx) -> Outcome {
    let line = Line::open(cx, quick().after_server(true))?;
    let before = line.client.id();
    let in_chat = StatusLog::new();
    let chat = line
        .client
        .namespace("/chat")
        .on_status(in_chat.watcher())
        .join()?;
    wait_until_quiet(cx)?;
    ensure_eq!(
        cx.control().disconnect("/chat", false)?,
        1,
        "sockets disconnected"
    );
    // The server would run its handlers twice if it were joined again in the same session.
    for log in [&line.log, &in_chat] {
        wait_back(log, 1)?;
    }
    is_anew(cx, &line.client, before)?;
    cx.exchange(&chat)?;
    line.client.close()?;
    let expected = since_connected([a_return(1), a_loss(0)]);
    for log in [&line.log, &in_chat] {
        ensure_eq!(told(log), expected, "told");
    }
    Ok(())
}

/// A connection whose link is cut; `/chat` is joined.
fn away(cx: &Cx, bounds: Bounds, manual_flush: bool) -> Outcome<(Line<Session>, Client)> {
    let line = Line::with(cx, |builder| {
        builder.queue(bounds).manual_flush(manual_flush)
    })?;
    let chat = line.client.namespace("/chat").join()?;
    handled(&line.client)?;
    line.cut(1)?;
    Ok((line, chat))
}

/// What is emitted below, as packets.
const WAITING: [&str; 4] = [
    r#"5:::{"name":"sink","args":[0]}"#,
    "3:::one",
    r#"4:::{"two":2}"#,
    r#"5:::{"name":"sink","args":[3]}"#,
];

fn emit_all(client: &Client) -> Outcome {
    client.emit("sink", 0)?;
    client.send("one")?;
    client.send(json!({"two": 2}))?;
    Ok(client.emit("sink", 3)?)
}

fn l7_9(cx: &Cx) -> Outcome {
    let (line, chat) = away(cx, Bounds::default().count(4), false)?;
    chat.emit("sink", "in chat")?;
    emit_all(&line.client)?;
    let beyond = line.client.send("too much");
    ensure!(
        matches!(
            beyond,
            Err(Error::Usage(UsageError::QueueFull { emits: 4, .. }))
        ),
        "what is too much gave {beyond:?}"
    );
    line.heal()?;
    cx.exchange(&line.client)?;
    cx.exchange(&chat)?;
    let received = received_in_newest(cx)?;
    let in_root: Vec<&String> = received
        .iter()
        .filter(|text| WAITING.contains(&text.as_str()))
        .collect();
    ensure_eq!(in_root, WAITING, "what the root got");
    let place = |text: &str| received.iter().position(|packet| packet == text);
    let of_chat = place(r#"5::/chat:{"name":"sink","args":["in chat"]}"#);
    ensure!(
        place("1::/chat") < of_chat && of_chat.is_some(),
        "/chat was not joined before its event: {received:?}"
    );
    Ok(line.client.close()?)
}

fn l7_10(cx: &Cx) -> Outcome {
    let (line, chat) = away(cx, Bounds::default(), true)?;
    emit_all(&line.client)?;
    line.heal()?;
    // Behind what waits.
    line.client.send("later")?;
    // Before that, it would wait in there to be flushed, too.
    cx.eventually("/chat to be back", || chat.is_connected())?;
    cx.exchange(&chat)?;
    let is_ours = |text: &String| WAITING.contains(&text.as_str()) || text == "3:::later";
    let received = received_in_newest(cx)?;
    ensure!(
        !received.iter().any(is_ours),
        "something left by itself: {received:?}"
    );
    ensure_eq!(line.client.flush_queue(), 5, "emits that waited");
    cx.exchange(&line.client)?;
    let mut received = received_in_newest(cx)?;
    received.retain(is_ours);
    ensure_eq!(
        received,
        [&WAITING[..], &["3:::later"]].concat(),
        "what left"
    );
    ensure_eq!(line.client.flush_queue(), 0, "emits that wait now");
    Ok(line.client.close()?)
}
