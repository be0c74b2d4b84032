//! V2: the upgrade from polling to WebSocket.
//!
//! Elsewhere: V2.4 needs a scripted peer.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value as Json, json};
use sio_core::{DisconnectReason, Error, Status, Transport};
use sio_v1::{Client, UpgradeMemory};

use super::kit::handled;
use super::shown::every_request_shows;
use crate::case::{Case, Outcome, UPGRADE};
use crate::context::{Context, PATIENCE, StatusLog};
use crate::control::EngineSession;
use crate::front::Front;
use crate::server::SOCKETIOXIDE;
use crate::{ensure, ensure_eq};

type Cx = Context<sio_v1::Session>;

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    vec![
        Case {
            id: "V2.1",
            title: "Probe, reply, pause, upgrade in that order; afterwards traffic is on the WebSocket only",
            modes: UPGRADE,
            run: upgrade_in_order,
        },
        Case {
            id: "V2.2",
            title: "Both sides send continuously across the upgrade: nothing lost, doubled or reordered",
            modes: UPGRADE,
            run: traffic_across_the_upgrade,
        },
        Case {
            id: "V2.3",
            title: "The WebSocket is blocked (403, 400, 502, hang, reset): the session stays on polling and says so",
            modes: UPGRADE,
            run: blocked_websocket_stays_on_polling,
        },
        Case {
            id: "V2.5",
            title: "The server offers none, or upgrade is off: no probe is made",
            modes: UPGRADE,
            run: no_probe_unless_offered_and_wanted,
        },
        Case {
            id: "V2.6",
            title: "Close in mid-upgrade waits for its end or failure, sends what was buffered, then closes",
            modes: UPGRADE,
            run: close_waits_for_the_upgrade,
        },
        Case {
            id: "V2.7",
            title: "An emit after close was asked for is refused, not sent",
            modes: UPGRADE,
            run: emit_after_close_is_refused,
        },
        Case {
            id: "V2.8",
            title: "Remember upgrade: the next connection starts with the WebSocket that worked",
            modes: UPGRADE,
            run: remembers_an_upgrade_that_worked,
        },
        Case {
            id: "V2.9",
            title: "Headers, cookies, user and query are on the upgrade as on the polls",
            modes: UPGRADE,
            run: options_on_the_upgrade,
        },
        Case {
            id: "V2.10",
            title: "Binary across the upgrade: header and attachments stay together",
            modes: UPGRADE,
            run: binary_across_the_upgrade,
        },
    ]
}

fn upgrade_in_order(cx: &Cx) -> Outcome {
    let log = StatusLog::new();
    let client = cx.builder().on_status(log.watcher()).connect()?;
    cx.settle(&client)?;
    for _ in 0..3 {
        cx.exchange(&client)?;
    }
    let control = cx.control();
    let session = control.session()?;
    let upgraded = session.upgraded_at.ok_or("the server saw no upgrade")?;
    ensure_eq!(
        session.transport,
        "websocket",
        "the transport on the server"
    );
    ensure_eq!(
        control.requests_of("upgrade")?.len(),
        1,
        "WebSockets on the server"
    );
    for request in control
        .requests()?
        .iter()
        .filter(|request| request.kind != "upgrade")
    {
        let ended = request.ended_at.unwrap_or(f64::INFINITY);
        ensure!(
            ended <= upgraded,
            "a {} was not over before the upgrade packet: {request:?}",
            request.kind
        );
    }
    let echoes = control
        .received()?
        .into_iter()
        .filter(|packet| packet.text().contains("echo"));
    let transports: Vec<String> = echoes.map(|packet| packet.transport).collect();
    ensure_eq!(
        transports,
        ["websocket"; 3],
        "the transports of three events after the upgrade"
    );
    handled(&client)?;
    let seen: Vec<Status> = log.seen();
    ensure!(
        matches!(
            seen[..],
            [Status::Connected { .. }, Status::Upgraded]
                // Where the root is connected by a packet behind the handshake's, that may come on the WebSocket.
                | [Status::Upgraded, Status::Connected { .. }]
        ),
        "expected connected and upgraded, once each, found {seen:?}"
    );
    Ok(())
}

/// TLS and proxies are in C6 and C7.
fn options_on_the_upgrade(cx: &Cx) -> Outcome {
    let client = cx
        .builder()
        .header("X-Token", "one two")
        .cookie("lang", "en")
        .basic_auth("user", "pass")
        .user_agent("Thing/1")
        .origin("http://page.example")
        .query("token", "a b&c")
        .connect()?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    client.close()?;
    let requests = every_request_shows(
        cx,
        &[
            ("x-token", "one two"),
            ("authorization", "Basic dXNlcjpwYXNz"),
            ("user-agent", "Thing/1"),
            ("origin", "http://page.example"),
        ],
    )?;
    for request in &requests {
        let query = request.query.get("token").map(String::as_str);
        ensure_eq!(query, Some("a b&c"), "the query of a {}", request.kind);
        let count = request.url.matches("token=").count();
        ensure_eq!(count, 1, "tokens in {}", request.url);
        let cookies = request.header("cookie").unwrap_or_default();
        ensure!(
            cookies.starts_with("lang=en"),
            "the cookies of a {}: {cookies}",
            request.kind
        );
    }
    Ok(())
}

fn traffic_across_the_upgrade(cx: &Cx) -> Outcome {
    across_the_upgrade(cx, false)
}

fn binary_across_the_upgrade(cx: &Cx) -> Outcome {
    across_the_upgrade(cx, true)
}

/// Numbered events both ways, a millisecond apart, while a slow upgrade goes on.
fn across_the_upgrade(cx: &Cx, binary: bool) -> Outcome {
    const COUNT: usize = 500;
    cx.control()
        .fault(&json!({ "on": "upgrade", "delay": 150 }))?;
    let (builder, mut events) = cx.builder().events();
    let client = builder.connect()?;
    let kind = if binary { "alternate" } else { "text" };
    client.emit(
        "burst",
        json!({ "count": COUNT, "gap": 1, "size": 30, "kind": kind }),
    )?;
    let mut sent = 0;
    let mut received = 0;
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        ensure!(
            Instant::now() < deadline,
            "after {sent} sent and {received} received, no end"
        );
        emit_numbered(&client, sent, binary)?;
        sent += 1;
        let Ok(event) = events.recv_timeout(Duration::from_millis(1)) else {
            continue;
        };
        match event.name() {
            "tick" => {
                let is_bytes = event
                    .values()?
                    .get(1)
                    .is_some_and(|value| value.as_bytes().is_some());
                ensure_eq!(
                    event.decode::<usize>()?,
                    received,
                    "the number of an event from the server"
                );
                ensure_eq!(
                    is_bytes,
                    binary && received % 2 == 1,
                    "bytes in event {received}"
                );
                received += 1;
            }
            "tick-end" => break,
            _ => {}
        }
    }
    ensure_eq!(received, COUNT, "events from the server");
    check_numbered(&client, sent)?;
    check_both_transports_were_used(cx)
}

fn emit_numbered(client: &Client, index: usize, binary: bool) -> Outcome {
    if binary && index % 2 == 1 {
        let bytes = Bytes::from(format!("0:{index}"));
        client.emit("seq", (0, index, bytes.clone(), bytes))?;
    } else {
        client.emit("seq", (0, index))?;
    }
    Ok(())
}

fn check_numbered(client: &Client, sent: usize) -> Outcome {
    let report: Json = client.call("seq-report", (), PATIENCE)?;
    let expected =
        json!({ "0": { "count": sent, "in_order": true, "intact": true, "last": sent - 1 } });
    ensure_eq!(report, expected, "the server's report on numbered events");
    Ok(())
}

fn check_both_transports_were_used(cx: &Cx) -> Outcome {
    let packets = cx.control().packets()?;
    for (direction, word) in [("received", "seq"), ("sent", "tick")] {
        for transport in ["polling", "websocket"] {
            // It sends nothing over polling once the WebSocket was asked for.
            if cx.is_server(&[SOCKETIOXIDE]) && (direction, transport) == ("sent", "polling") {
                continue;
            }
            let used = packets.iter().any(|packet| {
                packet.direction == direction
                    && packet.transport == transport
                    && packet.text().contains(word)
            });
            ensure!(
                used,
                "no {word} was {direction} over {transport}: the case shows nothing"
            );
        }
    }
    Ok(())
}

fn blocked_websocket_stays_on_polling(cx: &Cx) -> Outcome {
    let control = cx.control();
    let answers = [
        json!({ "status": 403, "body": "<html>Forbidden</html>" }),
        json!({ "status": 400 }),
        json!({ "status": 502, "body": "<html>Bad Gateway</html>" }),
        json!("hang"),
        json!("reset"),
    ];
    for answer in answers {
        control.clear_faults()?;
        control.fault(&json!({ "on": "upgrade", "answer": answer }))?;
        let hangs = answer == "hang";
        let limit = if hangs {
            Duration::from_millis(300)
        } else {
            PATIENCE
        };
        let failure =
            blocked_upgrade(cx, limit).map_err(|failure| format!("with {answer}: {failure}"))?;
        let word = match answer.get("status") {
            Some(status) => status.to_string(),
            None if hangs => "within 300ms".to_owned(),
            None => String::new(),
        };
        ensure!(
            failure.contains(&word),
            "{word:?} is not in the error: {failure}"
        );
    }
    Ok(())
}

/// Connects, waits for the upgrade to fail, and checks that the session goes on; returns why it failed.
fn blocked_upgrade(cx: &Cx, limit: Duration) -> Outcome<String> {
    let log = StatusLog::new();
    let builder = cx.builder().upgrade_timeout(limit);
    let client = builder.on_status(log.watcher()).connect()?;
    let failure = log.wait_for("the failure of the upgrade", |status| match status {
        Status::UpgradeFailed(error) => Some(error.chain()),
        _ => None,
    })?;
    cx.exchange(&client)?;
    cx.exchange(&client)?;
    ensure_eq!(
        client.transport(),
        Some(Transport::Polling),
        "the transport after a failed upgrade"
    );
    let session = cx
        .control()
        .sessions()?
        .pop()
        .ok_or("the server has no session")?;
    ensure_eq!(session.transport, "polling", "the transport on the server");
    ensure!(
        session.closed_at.is_none(),
        "the session was closed: {session:?}"
    );
    ensure_eq!(
        log.count(|status| matches!(status, Status::UpgradeFailed(_))),
        1,
        "failures of the upgrade"
    );
    client.close()?;
    Ok(failure)
}

fn no_probe_unless_offered_and_wanted(cx: &Cx) -> Outcome {
    let not_offered = cx.builder_for("no-upgrade").connect()?;
    let not_wanted = cx.builder().upgrade(false).connect()?;
    for _ in 0..5 {
        cx.exchange(&not_offered)?;
        cx.exchange(&not_wanted)?;
    }
    for client in [not_offered, not_wanted] {
        ensure_eq!(
            client.transport(),
            Some(Transport::Polling),
            "the transport"
        );
        client.close()?;
    }
    let upgrades = cx.control().requests_of("upgrade")?;
    ensure!(
        upgrades.is_empty(),
        "the server saw WebSockets: {upgrades:?}"
    );
    Ok(())
}

fn close_waits_for_the_upgrade(cx: &Cx) -> Outcome {
    let ms = Duration::from_millis;
    let worked = close_in_mid_upgrade(cx, ms(1500), ms(5000))?;
    ensure!(
        worked.upgraded_at.is_some(),
        "it closed without waiting for the upgrade: {worked:?}"
    );
    let failed = close_in_mid_upgrade(cx, ms(2000), ms(1500))?;
    ensure!(
        failed.upgraded_at.is_none(),
        "the upgrade did not fail: {failed:?}"
    );
    Ok(())
}

/// Closes while the upgrade waits for a poll that is held for so long; checks that everything emitted before arrives.
/// Returns the ended session.
fn close_in_mid_upgrade(
    cx: &Cx,
    poll_held: Duration,
    upgrade_timeout: Duration,
) -> Outcome<EngineSession> {
    const COUNT: usize = 50;
    let front = Front::open(Ipv4Addr::LOCALHOST.into(), cx.server().port("main"))?;
    let client = pause_in_mid_upgrade(cx, &front, poll_held, upgrade_timeout)?;
    for index in 0..COUNT {
        client.emit("sink", index)?;
    }
    client.close()?;
    let control = cx.control();
    let ended = cx.until("the end of the session on the server", || {
        let newest = control.sessions()?.pop();
        Ok(newest.filter(|session| session.closed_at.is_some()))
    })?;
    let received = control.received()?;
    let arrived = received
        .iter()
        .filter(|packet| packet.sid == ended.sid && packet.text().contains("sink"));
    ensure_eq!(arrived.count(), COUNT, "events that arrived");
    Ok(ended)
}

/// Connects, and returns when the probe was answered and the upgrade waits for the end of a poll.
fn pause_in_mid_upgrade(
    cx: &Cx,
    front: &Front,
    poll_held: Duration,
    upgrade_timeout: Duration,
) -> Outcome<Client> {
    const TRIES: usize = 5;
    for _ in 0..TRIES {
        let client = hold_a_poll_during_the_upgrade(cx, front, poll_held, upgrade_timeout)?;
        cx.eventually("the answer to the probe", || front.server_said("3probe"))?;
        // If this machine was slow, the upgrade is over before the poll was held. That says nothing; once more.
        if client.transport() == Some(Transport::Polling) {
            return Ok(client);
        }
        client.close()?;
        front.forget();
    }
    Err(format!("in {TRIES} tries the upgrade was always over too early").into())
}

fn hold_a_poll_during_the_upgrade(
    cx: &Cx,
    front: &Front,
    poll_held: Duration,
    upgrade_timeout: Duration,
) -> Outcome<Client> {
    let control = cx.control();
    control.clear_faults()?;
    control.fault(&json!({ "on": "upgrade", "delay": 500 }))?;
    let client = cx
        .builder_at(&front.url())
        .upgrade_timeout(upgrade_timeout)
        .close_timeout(PATIENCE)
        .connect()?;
    cx.exchange(&client)?;
    cx.until("a pending poll", || {
        let newest = control.sessions()?.pop();
        Ok(newest
            .filter(|session| session.polls.now == 1 || session.upgraded_at.is_some())
            .map(drop))
    })?;
    // The poll after the pending one is held.
    let delay = poll_held.as_secs_f64() * 1000.0;
    control.fault(&json!({ "on": "poll", "times": 1, "delay": delay }))?;
    cx.exchange(&client)?;
    Ok(client)
}

/// Connects under a fault of the upgrade, and returns when the server has its request.
fn connect_and_wait_for_the_probe(cx: &Cx, fault: &Json) -> Outcome<Client> {
    let control = cx.control();
    let before = control.requests_of("upgrade")?.len();
    control.fault(fault)?;
    let client = cx.builder().connect()?;
    cx.until("the upgrade to begin", || {
        Ok((control.requests_of("upgrade")?.len() > before).then_some(()))
    })?;
    Ok(client)
}

fn emit_after_close_is_refused(cx: &Cx) -> Outcome {
    let client = connect_and_wait_for_the_probe(cx, &json!({ "on": "upgrade", "delay": 500 }))?;
    client.emit("before", 1)?;
    let closing = {
        let client = client.clone();
        thread::spawn(move || client.close())
    };
    cx.eventually("the client to know that it closes", || {
        !client.is_connected()
    })?;
    let while_closing = client.emit("after", 1);
    ensure!(
        matches!(
            while_closing,
            Err(Error::Disconnected(DisconnectReason::Client))
        ),
        "an emit while closing gave {while_closing:?}"
    );
    closing.join().map_err(|_| "close panicked")??;
    let afterwards = client.emit("after", 2);
    ensure!(
        matches!(
            afterwards,
            Err(Error::Disconnected(DisconnectReason::Client))
        ),
        "an emit after closing gave {afterwards:?}"
    );
    let socket = cx.until("the end of the socket on the server", || {
        Ok(Some(cx.control().socket("/")?).filter(|socket| socket.disconnected_at.is_some()))
    })?;
    ensure_eq!(socket.events, 1, "events on the server");
    Ok(())
}

fn remembers_an_upgrade_that_worked(cx: &Cx) -> Outcome {
    let memory = UpgradeMemory::new();
    let kinds = kinds_of_a_connection(cx, &memory)?;
    ensure_eq!(
        kinds.first().map(String::as_str),
        Some("handshake"),
        "the first request of {kinds:?}"
    );
    ensure!(memory.worked(), "the upgrade is not remembered");
    let kinds = kinds_of_a_connection(cx, &memory)?;
    ensure_eq!(kinds, ["upgrade"], "the requests of the next connection");
    // Where the WebSocket does not work, the memory is given up, and the one after starts with polling.
    let control = cx.control();
    control.fault(&json!({ "on": "upgrade", "answer": { "status": 400 } }))?;
    let refused = cx.builder().remember_upgrade(&memory).connect();
    control.clear_faults()?;
    ensure!(
        refused.is_err(),
        "a WebSocket that was refused: {refused:?}"
    );
    ensure!(
        !memory.worked(),
        "an upgrade that failed is still remembered"
    );
    let kinds = kinds_of_a_connection(cx, &memory)?;
    ensure_eq!(
        kinds.first().map(String::as_str),
        Some("handshake"),
        "the first request of {kinds:?}"
    );
    Ok(())
}

/// The kinds of all requests of one connection that ends on a WebSocket.
fn kinds_of_a_connection(cx: &Cx, memory: &UpgradeMemory) -> Outcome<Vec<String>> {
    let before = cx.control().requests()?.len();
    let client = cx.builder().remember_upgrade(memory).connect()?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    client.close()?;
    let requests = cx.control().requests()?.split_off(before);
    Ok(requests.into_iter().map(|request| request.kind).collect())
}
