//! L6: heartbeats, on a server that beats every 300 ms and whose timeouts are 1 s.

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use serde_json::json;
use sio_core::DisconnectReason;
use sio_legacy::Session;

use super::kit::{Log, front_of, handled};
use super::legacy_kit::{Cx, POLLS, STREAMS, count_received, sent, the_end};
use super::returning;
use crate::case::{Case, Outcome};
use crate::context::{PATIENCE, StatusLog};
use crate::front::{Direction, Flow, Which};
use crate::{ensure, ensure_eq};

const SHORT: &str = "short-heartbeat";
/// The longer of its two timeouts.
const SILENCE: Duration = Duration::from_secs(1);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(1500);
const BEAT: &str = "2::";

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case<Session>> {
    let case = Case::in_modes;
    vec![
        case(
            "L6.1",
            "each beat is answered within a second, also while a handler blocks",
            STREAMS,
            l6_1,
        ),
        case("L6.1b", "the client beats only in answer", STREAMS, l6_1b),
        case(
            "L6.2",
            "a stream that is silent for too long has timed out",
            STREAMS,
            l6_2,
        ),
        case(
            "L6.2b",
            "after that silence the client comes back with another session",
            STREAMS,
            l6_2b,
        ),
        case("L6.3", "any packet restarts the timer", STREAMS, l6_3),
        case(
            "L6.4",
            "on polling, silence is no timeout, and nobody beats",
            POLLS,
            l6_4,
        ),
    ]
}

/// Waits until the server got so many beats more; returns how many it got so far.
fn wait_for_beats(cx: &Cx, more: usize) -> Outcome<usize> {
    let before = count_received(cx, BEAT)?;
    cx.until(&format!("{more} more beats"), || {
        let now = count_received(cx, BEAT)?;
        Ok((now >= before + more).then_some(now))
    })
}

/// Each beat of the server but the last was answered within a second.
fn are_answered(cx: &Cx) -> Outcome {
    let packets = cx.control().packets()?;
    let mut waiting = None;
    for beat in packets.iter().filter(|packet| packet.text() == BEAT) {
        if !beat.is_received() {
            ensure!(
                waiting.is_none(),
                "a beat was not answered before the next one"
            );
            waiting = Some(beat.at);
        } else if let Some(asked) = waiting.take() {
            let took = beat.at - asked;
            ensure!(took < 1000.0, "a beat was answered after {took} ms");
        }
    }
    Ok(())
}

fn is_alive(cx: &Cx) -> Outcome {
    let session = cx.control().session()?;
    ensure!(
        session.closed_at.is_none(),
        "the server closed the session: {:?}",
        session.reason
    );
    Ok(())
}

fn l6_1(cx: &Cx) -> Outcome {
    let (entered, release) = (Log::new(), Arc::new(Barrier::new(2)));
    let (enter, released) = (entered.clone(), Arc::clone(&release));
    let client = cx
        .builder_for(SHORT)
        .on("block", move || {
            enter.push(());
            released.wait();
        })
        .connect()?;
    client.emit("emit", "block")?;
    entered.wait_for(1, "handlers that block")?;
    let begin = Instant::now();
    let beaten = wait_for_beats(cx, 5);
    let blocked = begin.elapsed();
    let alive = is_alive(cx);
    // Whatever came of it, the handler must not block for ever.
    release.wait();
    beaten.and(alive)?;
    ensure!(
        blocked > SILENCE,
        "five beats came within {blocked:?}: too many"
    );
    handled(&client)?;
    are_answered(cx)?;
    Ok(client.close()?)
}

fn l6_1b(cx: &Cx) -> Outcome {
    let client = cx.builder_for(SHORT).connect()?;
    wait_for_beats(cx, 4)?;
    client.close()?;
    let asked = sent(cx)?.iter().filter(|text| *text == BEAT).count();
    let answered = count_received(cx, BEAT)?;
    // The last one may have come after the goodbye.
    ensure!(
        answered == asked || answered + 1 == asked,
        "{asked} beats of the server, {answered} of the client"
    );
    are_answered(cx)
}

fn l6_2(cx: &Cx) -> Outcome {
    let front = front_of(cx, SHORT)?;
    let log = StatusLog::new();
    let client = cx
        .builder_at(&front.url())
        .on_status(log.watcher())
        .connect()?;
    wait_for_beats(cx, 2)?;
    front.freeze();
    times_out(&log, &client)
}

fn l6_2b(cx: &Cx) -> Outcome {
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

fn times_out(log: &StatusLog, client: &sio_legacy::Client) -> Outcome {
    let begin = Instant::now();
    let reason = the_end(log, client)?;
    let took = begin.elapsed();
    ensure!(
        matches!(reason, DisconnectReason::PingTimeout),
        "the connection ended with {reason:?}"
    );
    ensure!(
        (SILENCE / 2..SILENCE + SLACK).contains(&took),
        "the silence was noticed after {took:?}"
    );
    Ok(())
}

fn l6_3(cx: &Cx) -> Outcome {
    // A server without heartbeats, whose handshake is made to announce timeouts of 1 s.
    let fields: &[u8] = if cx.is_server(&["0.9.0"]) {
        b"::25:"
    } else {
        b"::60:"
    };
    let front = front_of(cx, "no-heartbeat")?;
    front.set(Which::All, Direction::Down, Flow::Replace(fields, b":1:1:"));
    let (ends, log) = (Log::new(), StatusLog::new());
    let client = cx
        .builder_at(&front.url())
        .on("tick-end", ends.writer())
        .on_status(log.watcher())
        .connect()?;
    client.emit("burst", json!({ "count": 6, "gap": 400 }))?;
    let end: Vec<usize> = ends.wait_for(1, "ends of the burst")?;
    ensure_eq!(end, [6], "the end of the burst");
    ensure_eq!(count_received(cx, BEAT)?, 0, "beats");
    // Nothing more is said: now it is silent.
    times_out(&log, &client)
}

fn l6_4(cx: &Cx) -> Outcome {
    let (builder, mut events) = cx.builder_for(SHORT).events();
    let client = builder.connect()?;
    client.emit("after", (2500, "late", 1))?;
    let late = cx.next_event(&mut events, "late");
    ensure!(
        client.is_connected(),
        "the session ended: {}",
        client.wait()
    );
    ensure_eq!(late?.decode::<u8>()?, 1, "the event behind a silence");
    let answer: String = client.call("echo", "alive", PATIENCE)?;
    ensure_eq!(answer, "alive", "an echo");
    let beats = sent(cx)?.iter().filter(|text| *text == BEAT).count();
    ensure_eq!(beats, 0, "beats of the server");
    ensure_eq!(count_received(cx, BEAT)?, 0, "beats of the client");
    Ok(client.close()?)
}
