//! L5: namespaces on 0.9.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use sio_core::{Deadline, DisconnectReason, Error, Status, UsageError, Value};
use sio_legacy::{Client, Session};

use super::kit::{Log, handled, within};
use super::legacy_kit::{
    Cx, count_received, ends, received, sent, the_end, wait_closed, wait_received, wait_until_quiet,
};
use super::returning;
use crate::case::{Case, Outcome};
use crate::context::{PATIENCE, StatusLog};
use crate::{ensure, ensure_eq};

/// Long enough for an answer, and shorter than any limit.
const AT_ONCE: Duration = Duration::from_millis(1500);

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case<Session>> {
    let case = Case::everywhere;
    vec![
        case(
            "L5.1",
            "joining sends one connect packet, and is done when it comes back",
            l5_1,
        ),
        case(
            "L5.1b",
            "nothing is sent to a namespace before its grant",
            l5_1b,
        ),
        case("L5.1c", "two joins at once are one on the wire", l5_1c),
        case("L5.1d", "names with hyphens, dots and slashes", l5_1d),
        case(
            "L5.1e",
            "names that cannot be written are refused, and not sent",
            l5_1e,
        ),
        case(
            "L5.2",
            "a join with a query succeeds, without the query",
            l5_2,
        ),
        case(
            "L5.3",
            "events reach the handlers of their namespace only",
            l5_3,
        ),
        case(
            "L5.4",
            "a namespace is left: the server is told, the others work",
            l5_4,
        ),
        case(
            "L5.4b",
            "what the server still sends to a namespace that was left is dropped",
            l5_4b,
        ),
        case(
            "L5.4c",
            "a namespace that was left is not joined again",
            l5_4c,
        ),
        case(
            "L5.4d",
            "leaving the last namespace ends the session",
            l5_4d,
        ),
        case("L5.5", "a refusal has its reason, and the root stays", l5_5),
        case(
            "L5.5b",
            "an unknown namespace is silent: the join has a deadline",
            l5_5b,
        ),
        case("L5.5c", "a grant that comes too late is let pass", l5_5c),
        case(
            "L5.6",
            "the namespace of the URL is joined behind the root",
            l5_6,
        ),
        case(
            "L5.7",
            "all namespaces come back with the session, before what waits leaves",
            l5_7,
        ),
        case(
            "L5.7b",
            "a namespace that is left while the connection is away stays away, the others come back",
            returning::a_namespace_that_is_left_stays_away,
        ),
        case(
            "L5.7c",
            "joining a namespace after the end opens the connection again",
            returning::joining_opens_the_connection_again,
        ),
        case("L5.8", "when the root ends, each namespace ends once", l5_8),
        case(
            "L5.9",
            "packets for namespaces not joined are dropped",
            l5_9,
        ),
    ]
}

fn l5_1(cx: &Cx) -> Outcome {
    let (log, welcomes) = (StatusLog::new(), Log::new());
    let client = cx.connect()?;
    let chat = client
        .namespace("/chat")
        .on_status(log.watcher())
        .on("welcome", welcomes.writer())
        .join()?;
    ensure!(chat.is_connected(), "the namespace is joined");
    ensure_eq!(chat.name(), "/chat", "its name");
    ensure_eq!(chat.id(), client.id(), "its id");
    let welcome: Vec<Value> = welcomes.wait_for(1, "welcomes")?;
    ensure_eq!(welcome[0]["nsp"], "/chat", "the namespace that welcomes");
    ensure_eq!(
        welcome[0]["id"],
        client.id().unwrap_or_default(),
        "the id it knows"
    );
    cx.exchange(&chat)?;
    let connects = log.count(|status| matches!(status, Status::Connected { .. }));
    ensure_eq!(connects, 1, "connects");
    // Joined already, it is not joined again.
    let again = client.namespace("chat").join()?;
    cx.exchange(&again)?;
    ensure_eq!(
        cx.control().sockets(Some("/chat"))?.len(),
        1,
        "sockets of the server"
    );
    let connects: Vec<String> = connects_received(cx)?;
    ensure_eq!(
        connects,
        ["1::/chat"],
        "connect packets, none of them for the root"
    );
    let echoes = sent(cx)?
        .into_iter()
        .filter(|text| text.starts_with("1:"))
        .count();
    ensure_eq!(echoes, 2, "connect packets of the server");
    ensure_eq!(welcomes.seen().len(), 1, "welcomes");
    Ok(client.close()?)
}

/// The connect packets the server received.
fn connects_received(cx: &Cx) -> Outcome<Vec<String>> {
    let mut received = received(cx)?;
    received.retain(|text| text.starts_with("1:"));
    Ok(received)
}

fn l5_1b(cx: &Cx) -> Outcome {
    let client = cx.builder_for("nsp-guarded").connect()?;
    let begin = Instant::now();
    let slow = client.namespace("/slow").join()?;
    ensure!(
        begin.elapsed() >= Duration::from_millis(250),
        "it was joined before the server could grant it"
    );
    slow.emit("sink", 1)?;
    cx.exchange(&slow)?;
    let packets = cx.control().packets()?;
    let of_slow: Vec<String> = packets
        .iter()
        .filter(|packet| packet.text().split(':').nth(2) == Some("/slow"))
        .map(|packet| format!("{} {}", packet.direction, packet.kind))
        .collect();
    ensure_eq!(
        of_slow[..2],
        ["received connect", "sent connect"],
        "how it began"
    );
    ensure_eq!(count_received(cx, "1::/slow")?, 1, "joins");
    Ok(client.close()?)
}

fn l5_1c(cx: &Cx) -> Outcome {
    let client = cx.builder_for("nsp-guarded").connect()?;
    let places = thread::scope(|scope| {
        let joins: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| client.namespace("/slow").join()))
            .collect();
        let places = joins
            .into_iter()
            .map(|join| join.join().unwrap_or_else(|panic| resume_unwind(panic)));
        places.collect::<sio_core::Result<Vec<Client>>>()
    })?;
    for place in &places {
        cx.exchange(place)?;
    }
    ensure_eq!(connects_received(cx)?, ["1::/slow"], "connect packets");
    // A second connect would have run the server's handlers twice.
    ensure_eq!(
        cx.control().sockets(Some("/slow"))?.len(),
        1,
        "sockets of the server"
    );
    Ok(client.close()?)
}

fn l5_1d(cx: &Cx) -> Outcome {
    const NAMES: [&str; 3] = ["/with-hyphen", "/with.dot", "/a/b.c-d"];
    let client = cx.connect()?;
    for name in NAMES {
        let place = client.namespace(name).join()?;
        ensure_eq!(place.name(), name, "the name");
        cx.exchange(&place)?;
        let seen: Value = place.call("handshake", (), PATIENCE)?;
        ensure_eq!(seen["nsp"], name, "the name on the server");
    }
    ensure_eq!(
        connects_received(cx)?,
        NAMES.map(|name| format!("1::{name}")),
        "connect packets"
    );
    Ok(client.close()?)
}

fn l5_1e(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    for name in ["/a:b", ":", "/chat?token=x"] {
        let joined = client.namespace(name).join();
        ensure!(
            matches!(joined, Err(Error::Usage(UsageError::Namespace { .. }))),
            "joining {name:?} gave {joined:?}"
        );
    }
    cx.exchange(&client)?;
    ensure!(connects_received(cx)?.is_empty(), "something was sent");
    Ok(client.close()?)
}

fn l5_2(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client
        .namespace("/chat")
        .query("token", "x")
        .query("n", "1")
        .join()?;
    cx.exchange(&chat)?;
    ensure_eq!(chat.name(), "/chat", "its name");
    // As a part of the name it would be an unknown namespace, and behind it nobody sees it.
    ensure_eq!(connects_received(cx)?, ["1::/chat"], "connect packets");
    client.close()?;
    // Where a guard wants one, it is the connection's.
    let client = cx
        .builder_for("nsp-guarded")
        .query("token", "secret")
        .connect()?;
    let token = client.namespace("/token").join()?;
    cx.exchange(&token)?;
    Ok(client.close()?)
}

fn l5_3(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    let news = client.namespace("/news").join()?;
    let log = Log::new();
    for place in [&client, &chat, &news] {
        for event in ["x", "message"] {
            let (log, name) = (log.clone(), place.name().to_owned());
            place.on(event, move |from: String| log.push((name.clone(), from)));
        }
    }
    for place in [&chat, &client, &news] {
        place.emit("emit", ("x", place.name()))?;
        place.send(place.name())?;
        handled(place)?;
    }
    for name in ["/", "/chat", "/news"] {
        cx.control().emit(name, "x", &[name.into()])?;
    }
    let seen = log.wait_for(9, "events of three namespaces")?;
    for (place, from) in seen {
        ensure_eq!(place, from, "where an event arrived");
    }
    ensure_eq!(log.seen().len(), 9, "events");
    // `/` and `/chat` begin alike, and are two.
    ensure_eq!(client.counters().dropped_events, 0, "events dropped");
    Ok(client.close()?)
}

// --- leaving --------------------------------------------------------------------------------------------------------

fn l5_4(cx: &Cx) -> Outcome {
    let log = StatusLog::new();
    let client = cx.connect()?;
    let chat = client.namespace("/chat").on_status(log.watcher()).join()?;
    let news = client.namespace("/news").join()?;
    chat.disconnect()?;
    ensure!(!chat.is_connected(), "the namespace is left");
    wait_received(cx, "0::/chat")?;
    cx.until("the end of the namespace at the server", || {
        Ok(cx.control().socket("/chat")?.disconnected_at.map(drop))
    })?;
    let reason = log.wait_for("the disconnect", |status| match status {
        Status::Disconnected(reason) => Some(reason.clone()),
        _ => None,
    })?;
    ensure!(
        matches!(reason, DisconnectReason::Client),
        "it ended with {reason:?}"
    );
    let emitted = chat.emit("sink", 1);
    ensure!(
        matches!(emitted, Err(Error::Disconnected(_))),
        "an emit after that gave {emitted:?}"
    );
    chat.disconnect()?;
    for place in [&client, &news] {
        cx.exchange(place)?;
    }
    ensure_eq!(count_received(cx, "0::/chat")?, 1, "goodbyes");
    ensure!(
        cx.control().session()?.closed_at.is_none(),
        "the session ended"
    );
    Ok(client.close()?)
}

fn l5_4b(cx: &Cx) -> Outcome {
    let events = Log::new();
    let client = cx.connect()?;
    let chat = client
        .namespace("/chat")
        .on("x", events.noting(()))
        .join()?;
    // What its connection handler says is let pass as well, if it comes behind the goodbye.
    handled(&chat)?;
    chat.disconnect()?;
    wait_received(cx, "0::/chat")?;
    let before = client.counters();
    for text in [
        r#"5::/chat:{"name":"x"}"#,
        r#"5:9:/chat:{"name":"x"}"#,
        "4::/chat:1",
        "3::/chat:text",
    ] {
        client.emit("raw", text)?;
    }
    handled(&client)?;
    ensure!(events.seen().is_empty(), "its handlers ran");
    let after = client.counters();
    ensure_eq!(after.tolerated - before.tolerated, 4, "packets let pass");
    ensure_eq!(after.events, before.events, "events delivered");
    let acks = received(cx)?
        .into_iter()
        .filter(|text| text.starts_with("6::/chat"))
        .count();
    ensure_eq!(acks, 0, "acks for a namespace that was left");
    Ok(client.close()?)
}

fn l5_4c(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    client.namespace("/chat").join()?.disconnect()?;
    let again = client.namespace("/chat").join();
    ensure!(
        matches!(again, Err(Error::Usage(UsageError::Unsupported { .. }))),
        "joining it again gave {again:?}"
    );
    cx.exchange(&client)?;
    ensure_eq!(count_received(cx, "1::/chat")?, 1, "joins");
    client.close()?;
    // In another session it can be joined.
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    cx.exchange(&chat)?;
    Ok(client.close()?)
}

fn l5_4d(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    client.disconnect()?;
    // The root cannot be left alone on the wire: that would end the session.
    cx.exchange(&chat)?;
    ensure_eq!(count_received(cx, "0::")?, 0, "goodbyes so far");
    within(AT_ONCE, "leaving the last one", || Ok(chat.disconnect()?))?;
    wait_closed(cx)?;
    wait_received(cx, "0::")
}

// --- refusals -------------------------------------------------------------------------------------------------------

fn is_refused(name: &str, joined: sio_core::Result<Client>, expected: &str) -> Outcome {
    match joined {
        Err(Error::Refused { namespace, reason }) => {
            ensure_eq!(namespace, name, "who was refused");
            ensure_eq!(reason, expected, "why {name} was refused");
            Ok(())
        }
        other => Err(format!("joining {name} gave {other:?}").into()),
    }
}

fn l5_5(cx: &Cx) -> Outcome {
    let log = StatusLog::new();
    let client = cx.builder_for("nsp-guarded").connect()?;
    for (name, reason) in [
        ("/admin", "unauthorized"),
        ("/admin-error", "undefined"),
        ("/slow-admin", "unauthorized"),
        ("/token", "unauthorized"),
    ] {
        let builder = client.namespace(name).on_status(log.watcher());
        let joined = within(AT_ONCE, "a refusal", || Ok(builder.join()))?;
        is_refused(name, joined, reason)?;
        ensure_eq!(
            count_received(cx, &format!("1::{name}"))?,
            1,
            "joins of {name}"
        );
    }
    let connects = log.count(|status| matches!(status, Status::Connected { .. }));
    ensure_eq!(connects, 0, "connects");
    let none = cx.control().sockets(Some("/admin"))?;
    ensure!(none.is_empty(), "the server let somebody in: {none:?}");
    cx.exchange(&client)?;
    let slow = client.namespace("/slow").join()?;
    cx.exchange(&slow)?;
    client.close()?;
    let url = format!("{}/admin", cx.url("nsp-guarded"));
    let connected = within(AT_ONCE, "a refused connect", || {
        Ok(cx.builder_at(&url).connect())
    })?;
    is_refused("/admin", connected, "unauthorized")
}

fn l5_5b(cx: &Cx) -> Outcome {
    const LIMIT: Duration = Duration::from_millis(700);
    let client = cx.connect()?;
    let begin = Instant::now();
    let joined = client.namespace("/nope").timeout(LIMIT).join();
    let took = begin.elapsed();
    ensure!(
        matches!(
            joined,
            Err(Error::Timeout {
                deadline: Deadline::Join,
                after: LIMIT,
                ..
            })
        ),
        "joining it gave {joined:?}"
    );
    ensure!(
        (LIMIT..LIMIT + AT_ONCE).contains(&took),
        "the join gave up after {took:?}"
    );
    ensure_eq!(count_received(cx, "1::/nope")?, 1, "joins");
    cx.exchange(&client)?;
    let chat = client.namespace("/chat").join()?;
    cx.exchange(&chat)?;
    Ok(client.close()?)
}

fn l5_5c(cx: &Cx) -> Outcome {
    let (log, events) = (StatusLog::new(), Log::new());
    let client = cx.builder_for("nsp-guarded").connect()?;
    let joined = client
        .namespace("/slow")
        .timeout(Duration::from_millis(50))
        .on_status(log.watcher())
        .on_any(events.watcher())
        .join();
    ensure!(
        joined.as_ref().is_err_and(Error::is_timeout),
        "joining it gave {joined:?}"
    );
    cx.until("the late grant", || {
        Ok(sent(cx)?
            .iter()
            .any(|text| text == "1::/slow")
            .then_some(()))
    })?;
    cx.until("the late grant, let pass", || {
        Ok((client.counters().tolerated > 0).then_some(()))
    })?;
    handled(&client)?;
    let connects = log.count(|status| matches!(status, Status::Connected { .. }));
    ensure_eq!(connects, 0, "connects");
    ensure!(events.seen().is_empty(), "events: {:?}", events.seen());
    cx.exchange(&client)?;
    Ok(client.close()?)
}

// --- the whole ------------------------------------------------------------------------------------------------------

fn l5_6(cx: &Cx) -> Outcome {
    let (log, welcomes) = (StatusLog::new(), Log::new());
    let url = format!("{}/chat?n=1", cx.url("main"));
    let chat = cx
        .builder_at(&url)
        .on_status(log.watcher())
        .on("welcome", welcomes.writer())
        .connect()?;
    ensure_eq!(chat.name(), "/chat", "the handle's namespace");
    let welcome: Vec<Value> = welcomes.wait_for(1, "welcomes")?;
    ensure_eq!(welcome[0]["nsp"], "/chat", "the namespace that welcomes");
    ensure_eq!(welcome[0]["query"]["n"], "1", "the query of the URL");
    cx.exchange(&chat)?;
    let packets = cx.control().packets()?;
    let connects: Vec<String> = packets
        .iter()
        .filter(|packet| packet.kind == "connect")
        .map(|packet| format!("{} {}", packet.direction, packet.text()))
        .collect();
    ensure_eq!(
        connects,
        ["sent 1::", "received 1::/chat", "sent 1::/chat"],
        "connect packets"
    );
    chat.disconnect()?;
    // It was the last one.
    wait_closed(cx)?;
    let reason = the_end(&log, &chat)?;
    ensure!(
        matches!(reason, DisconnectReason::Client),
        "it ended with {reason:?}"
    );
    Ok(())
}

fn l5_7(cx: &Cx) -> Outcome {
    returning::namespaces_come_back_before_what_waits(cx, None, |text| text.starts_with("1::/"))
}

fn l5_8(cx: &Cx) -> Outcome {
    for by_server in [true, false] {
        let logs = [(); 3].map(|()| StatusLog::new());
        let client = cx.builder().on_status(logs[0].watcher()).connect()?;
        let chat = client
            .namespace("/chat")
            .on_status(logs[1].watcher())
            .join()?;
        let news = client
            .namespace("/news")
            .on_status(logs[2].watcher())
            .join()?;
        if by_server {
            wait_until_quiet(cx)?;
            ensure_eq!(
                cx.control().disconnect("/", true)?,
                1,
                "sockets disconnected"
            );
        } else {
            client.close()?;
        }
        for (place, log) in [&client, &chat, &news].into_iter().zip(&logs) {
            let reason = the_end(log, place)?;
            ensure!(
                matches!(
                    (&reason, by_server),
                    (DisconnectReason::Server, true) | (DisconnectReason::Client, false)
                ),
                "{} ended with {reason:?}",
                place.name()
            );
            ensure_eq!(ends(log).len(), 1, "disconnects of {}", place.name());
            ensure_eq!(place.id(), None, "the id of {}", place.name());
        }
    }
    Ok(())
}

fn l5_9(cx: &Cx) -> Outcome {
    let events = Log::new();
    let client = cx.builder().on_any(events.watcher()).connect()?;
    handled(&client)?;
    let count = events.seen().len();
    let before = client.counters();
    let texts = [
        r#"5::/news:{"name":"x"}"#,
        r#"5:7:/news:{"name":"x"}"#,
        r#"5:8+:/news:{"name":"x"}"#,
        "3::/nope:text",
        "4::/nope:{}",
        "0::/news",
    ];
    for text in texts {
        client.emit("raw", text)?;
    }
    handled(&client)?;
    let after = client.counters();
    ensure_eq!(after.tolerated - before.tolerated, 6, "packets let pass");
    ensure_eq!(events.seen().len(), count, "events: {:?}", events.seen());
    let acks = received(cx)?
        .into_iter()
        .filter(|text| text.starts_with('6'))
        .count();
    ensure_eq!(acks, 0, "acks");
    // The namespace can be joined all the same.
    let news = client.namespace("/news").join()?;
    cx.exchange(&news)?;
    Ok(client.close()?)
}
