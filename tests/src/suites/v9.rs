//! V9: heartbeats, on a server with an interval of 300 ms and a timeout of 700 ms.

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use serde_json::json;
use sio_core::{Bounds, DisconnectReason, Overflow};
use sio_v1::{Client, ClientBuilder, Session};

use super::kit::{Log, call_values, disconnected, front_of, handled, received_pings};
use super::returning;
use crate::case::{Case, Outcome};
use crate::context::{Context, PATIENCE, StatusLog};
use crate::control::Packet;
use crate::{ensure, ensure_eq};

type Cx = Context<Session>;

const SHORT: &str = "short-heartbeat";
const INTERVAL: f64 = 300.0;
const TIMEOUT: f64 = 700.0;
/// Interval and timeout, after which either side has given up.
const SILENCE: Duration = Duration::from_millis(1000);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(1500);

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    let case = Case::everywhere;
    vec![
        case(
            "V9.1",
            "pings leave at the server's interval, when idle and when busy",
            v9_1,
        ),
        case(
            "V9.2",
            "without a pong the session has timed out, and the client comes back with another one",
            v9_2,
        ),
        case(
            "V9.3",
            "emitting non-stop into a dead link still times out",
            v9_3,
        ),
        case(
            "V9.3b",
            "a server that listens and says nothing times out",
            v9_3b,
        ),
        case(
            "V9.3c",
            "emitting non-stop over a dead link, the client comes back when there is another one",
            v9_3c,
        ),
        case("V9.4", "pings leave while a handler blocks", v9_4),
        case("V9.5", "the time from ping to pong is known", v9_5),
    ]
}

fn v9_1(cx: &Cx) -> Outcome {
    let ends = Log::new();
    let client = cx
        .builder_for(SHORT)
        .on("tick-end", ends.writer())
        .connect()?;
    cx.settle(&client)?;
    let idle = wait_for_pings(cx, 6)?;
    // A busy server is no reason to be silent: 4.x counts nothing but pings as life.
    client.emit("burst", json!({"count": 15, "gap": 100}))?;
    let end: Vec<usize> = ends.wait_for(1, "ends of the burst")?;
    ensure_eq!(end, [15], "the end of the burst");
    let busy = received_pings(cx)?;
    ensure!(
        busy.len() >= idle + 3,
        "only {} pings during the burst",
        busy.len() - idle
    );
    let opened = cx.control().session()?.at;
    let first = busy[0].at - opened;
    ensure!(
        first < 2.0 * INTERVAL,
        "the first ping came {first} ms after the session was opened"
    );
    are_on_schedule(&busy)?;
    is_alive(cx, &client)?;
    Ok(client.close()?)
}

/// One may come late on a busy machine, and the next one then sooner; on the whole they come at the interval.
fn are_on_schedule(pings: &[Packet]) -> Outcome {
    let times: Vec<f64> = pings.iter().map(|ping| ping.at).collect();
    let longest = times
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .fold(0.0, f64::max);
    ensure!(
        longest < INTERVAL + TIMEOUT,
        "{longest} ms between two pings: {times:?}"
    );
    let (first, last) = (times[0], times[times.len() - 1]);
    let mean = (last - first) / (times.len() - 1) as f64;
    ensure!(
        (0.9 * INTERVAL..1.3 * INTERVAL).contains(&mean),
        "a ping every {mean} ms: {times:?}"
    );
    Ok(())
}

/// Waits until the server got so many pings more.
fn wait_for_pings(cx: &Cx, more: usize) -> Outcome<usize> {
    let before = received_pings(cx)?.len();
    cx.until(&format!("{more} more pings"), || {
        let now = received_pings(cx)?.len();
        Ok((now >= before + more).then_some(now))
    })
}

fn is_alive(cx: &Cx, client: &Client) -> Outcome {
    ensure!(client.is_connected(), "the client is connected");
    let session = cx.control().session()?;
    ensure!(
        session.closed_at.is_none(),
        "the server closed the session: {:?}",
        session.reason
    );
    ensure_eq!(
        call_values(client, "echo", &["alive".into()])?,
        ["alive"],
        "an echo"
    );
    Ok(())
}

/// A client whose end is written to the log.
fn watched(builder: ClientBuilder, ends: &Log<DisconnectReason>) -> ClientBuilder {
    let ends = ends.clone();
    builder.on_disconnect(move |reason| ends.push(reason.clone()))
}

fn timed_out(ends: &Log<DisconnectReason>, since: Instant) -> Outcome {
    let reasons = ends.wait_for(1, "ends of the connection")?;
    let took = since.elapsed();
    ensure!(
        matches!(reasons[..], [DisconnectReason::PingTimeout]),
        "the connection ended with {reasons:?}"
    );
    ensure!(
        took <= SILENCE + SLACK,
        "the dead link was noticed after {took:?}"
    );
    Ok(())
}

fn v9_3(cx: &Cx) -> Outcome {
    let front = front_of(cx, SHORT)?;
    let ends = Log::new();
    // A small buffer: most emits wait for the dead link.
    let client = watched(cx.builder_at(&front.url()), &ends)
        .send_buffer(64 << 10)
        .connect()?;
    cx.settle(&client)?;
    ensure_eq!(
        call_values(&client, "echo", &[1.into()])?,
        [1],
        "an echo through the front"
    );
    front.freeze();
    let begin = Instant::now();
    let payload = "x".repeat(4096);
    let last = loop {
        let emitted = client.emit("sink", &payload);
        if emitted.is_err() || begin.elapsed() > PATIENCE {
            break emitted;
        }
    };
    let reason = disconnected(last)?;
    ensure!(
        matches!(reason, DisconnectReason::PingTimeout),
        "the emit ended with {reason:?}"
    );
    timed_out(&ends, begin)?;
    Ok(client.close()?)
}

fn v9_2(cx: &Cx) -> Outcome {
    returning::returns_after(
        cx,
        SHORT,
        |_| {
            ensure_eq!(cx.control().mute()?, 1, "sessions that are mute now");
            Ok(())
        },
        |reason| matches!(reason, DisconnectReason::PingTimeout),
    )
}

fn v9_3c(cx: &Cx) -> Outcome {
    let (front, log) = (front_of(cx, SHORT)?, StatusLog::new());
    let client = cx
        .builder_at(&front.url())
        .send_buffer(64 << 10)
        // The newest one is what counts, as with measurements.
        .queue(Bounds::default().count(1).overflow(Overflow::DropOldest))
        .reconnect(returning::quick())
        .connect_timeout(SILENCE)
        .on_status(log.watcher())
        .connect()?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    let before = client.id();
    front.freeze();
    let payload = "x".repeat(4096);
    let begin = Instant::now();
    while returning::told(&log).len() < 2 && begin.elapsed() < PATIENCE {
        // While the peer does not read, it waits; when the connection is lost, it is queued.
        client.emit("sink", &payload)?;
    }
    let reason = returning::last_reason(&log)?;
    ensure!(
        matches!(reason, DisconnectReason::PingTimeout),
        "the connection was lost with {reason:?}"
    );
    front.heal()?;
    returning::wait_back(&log, 1)?;
    returning::is_anew(cx, &client, before)?;
    Ok(client.close()?)
}

fn v9_3b(cx: &Cx) -> Outcome {
    let ends = Log::new();
    let client = watched(cx.builder_for(SHORT), &ends).connect()?;
    cx.settle(&client)?;
    let begin = Instant::now();
    ensure_eq!(cx.control().mute()?, 1, "sessions that are mute now");
    // Each waits a little for an answer that does not come.
    while client.is_connected() && begin.elapsed() < PATIENCE {
        let answer = client.call::<_, ()>("echo", (), Duration::from_millis(20));
        ensure!(answer.is_err(), "a mute server answered");
    }
    timed_out(&ends, begin)?;
    Ok(client.close()?)
}

fn v9_4(cx: &Cx) -> Outcome {
    let (entered, release) = (Log::new(), Arc::new(Barrier::new(2)));
    let (enter, released) = (entered.clone(), Arc::clone(&release));
    let client = cx
        .builder_for(SHORT)
        .on("block", move || {
            enter.push(());
            released.wait();
        })
        .connect()?;
    cx.settle(&client)?;
    client.emit("emit", "block")?;
    entered.wait_for(1, "handlers that block")?;
    let begin = Instant::now();
    let pinged = wait_for_pings(cx, 5);
    let blocked = begin.elapsed();
    let alive = is_alive(cx, &client);
    // Whatever came of it, the handler must not block for ever.
    release.wait();
    pinged.and(alive)?;
    ensure!(
        blocked > SILENCE,
        "five pings came within {blocked:?}: too many"
    );
    handled(&client)?;
    Ok(client.close()?)
}

fn v9_5(cx: &Cx) -> Outcome {
    let begin = Instant::now();
    let client = cx.builder_for(SHORT).connect()?;
    if begin.elapsed() < Duration::from_millis(250) {
        ensure_eq!(client.latency(), None, "the time before the first ping");
    }
    cx.eventually("the first pong", || client.latency().is_some())?;
    let latency = client.latency().unwrap_or_default();
    ensure!(
        !latency.is_zero() && latency < Duration::from_millis(700),
        "a pong after {latency:?} is none"
    );
    Ok(client.close()?)
}
