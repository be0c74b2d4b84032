//! C8: hostile and broken networks, by way of a proxy in front of a real server.
//!
//! Elsewhere: C8.1 is rows of [`mismatch`](crate::mismatch); C8.4 needs a scripted peer, and is in the tests of the protocol
//! crates.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sio_core::{Deadline, Error, Status};
use sio_net::Client;
use sio_peer::alone::{PROMISED, client_threads};

use super::kit::{Log, disconnected, within};
use crate::case::{Case, Failure, Mode, Outcome};
use crate::context::{Context, PATIENCE, StatusLog};
use crate::faults;
use crate::front::{Cut, Direction, Flow, Front, Place, Then, Which};
use crate::protocol::{DeadLink, Protocol};
use crate::{ensure, ensure_eq};

/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(1500);

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    let case = Case::everywhere;
    vec![
        case(
            "C8.2",
            "a link that dies without a word, in one way or both, is noticed in time",
            c8_2,
        ),
        case(
            "C8.3",
            "a peer that reads nothing blocks an emit for its limit and no longer",
            c8_3,
        ),
        Case::in_modes(
            "C8.5",
            "a cut at every byte of the handshake and of the upgrade: success or an error at once, nothing is left",
            &[Mode::Polling, Mode::WebSocket, Mode::Upgrade],
            c8_5,
        ),
        case(
            "C8.5b",
            "a conversation under faults drawn at random: one outcome each, once and in order, connected in the end",
            |cx| faults::drawn(cx, faults::any_seed(), 0),
        ),
    ]
}

fn front_of<P: Protocol>(cx: &Context<P>, variant: &str) -> Outcome<Front> {
    let port = cx.server().port(variant);
    Ok(Front::open(Ipv4Addr::LOCALHOST.into(), port)?)
}

// --- dead links -----------------------------------------------------------------------------------------------------

fn c8_2<P: Protocol>(cx: &Context<P>) -> Outcome {
    use Direction::{Down, Up};
    for (what, dead) in [
        ("both ways", &[Up, Down][..]),
        ("the way to the server", &[Up]),
        ("the way to the client", &[Down]),
    ] {
        dies(cx, dead).map_err(|failure| format!("{what} dead: {failure}"))?;
    }
    Ok(())
}

fn dies<P: Protocol>(cx: &Context<P>, dead: &[Direction]) -> Outcome {
    let DeadLink {
        variant,
        noticed_within,
        options,
    } = P::dead_link(cx.server_version(), cx.mode());
    let front = front_of(cx, variant)?;
    let (log, outcomes) = (StatusLog::new(), Log::new());
    let client = cx
        .builder_at(&front.url())
        .protocol(options)
        .on_status(log.watcher())
        .connect()?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    for direction in dead {
        front.set(Which::All, *direction, Flow::Swallowed);
    }
    let begin = Instant::now();
    let outcome = outcomes.clone();
    client.emit_with_ack("never-ack", (), 4 * PATIENCE, move |answer| {
        outcome.push(disconnected::<()>(answer));
    })?;
    log.wait_for("the disconnect", |status| {
        matches!(status, Status::Disconnected(_)).then_some(())
    })?;
    let took = begin.elapsed();
    ensure!(
        took <= noticed_within + SLACK,
        "noticed after {took:?}: {:?}",
        log.seen()
    );
    client.close()?;
    ensure_eq!(
        outcomes.wait_for(1, "outcomes of a question")?.len(),
        1,
        "outcomes of a question"
    );
    for outcome in outcomes.seen() {
        outcome?;
    }
    let ends = log.count(|status| matches!(status, Status::Disconnected(_)));
    ensure_eq!(ends, 1, "disconnects in {:?}", log.seen());
    Ok(())
}

fn c8_3<P: Protocol>(cx: &Context<P>) -> Outcome {
    /// Shorter than the time after which a 0.9 session tries once more whether its peer reads.
    const LIMIT: Duration = Duration::from_millis(200);
    /// More than the buffers of the system hold, on every machine.
    const MOST: usize = 64 << 20;
    let front = front_of(cx, "main")?;
    let client = cx
        .builder_at(&front.url())
        .send_buffer(64 << 10)
        .send_timeout(LIMIT)
        .close_timeout(LIMIT)
        .connect()?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    front.freeze();
    let payload = "x".repeat(16 << 10);
    for _ in 0..MOST / payload.len() {
        let begin = Instant::now();
        let emitted = client.emit("sink", &payload);
        let took = begin.elapsed();
        ensure!(took <= LIMIT + SLACK, "an emit took {took:?}: {emitted:?}");
        match emitted {
            Ok(()) => {}
            Err(Error::Timeout {
                deadline: Deadline::Send,
                ..
            }) => {
                ensure!(took >= LIMIT / 2, "it waited for {took:?} only");
                return within(
                    LIMIT + SLACK,
                    "a close with a peer that reads nothing",
                    || Ok(client.close()?),
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(format!("{MOST} bytes went to a peer that reads nothing").into())
}

// --- cuts -----------------------------------------------------------------------------------------------------------

/// The servers of which every byte is tried, one for each protocol; of the others about so many.
const THOROUGHLY: [&str; 2] = ["2.5.1", "0.9.19"];
const SPREAD: usize = 50;
/// How many cuts are under way at a time.
const AT_A_TIME: usize = 8;
/// No cut makes anybody wait: it is heard of at once.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Where and how a connection is cut.
#[derive(Debug, Clone, Copy)]
struct Where {
    connection: usize,
    direction: Direction,
    byte: usize,
    how: Cut,
}

/// What came of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// `connect` said why not.
    Refused,
    /// It connected, and the session ended, and said so.
    Ended,
    /// The upgrade failed; the session works.
    StayedOnPolling,
    /// The session works.
    Works,
    /// The place was not reached.
    NotCut,
}

fn c8_5<P: Protocol>(cx: &Context<P>) -> Outcome {
    let places = places(cx)?;
    let next = AtomicUsize::new(0);
    let came = Mutex::new(BTreeMap::<Came, usize>::new());
    let try_all = || -> Outcome {
        while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
            let what = cut_at(cx, *place).map_err(|failure| format!("{place:?}: {failure}"))?;
            let mut came = came.lock().unwrap_or_else(PoisonError::into_inner);
            *came.entry(what).or_default() += 1;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let tries: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(try_all)).collect();
        tries.into_iter().try_for_each(|one| {
            one.join()
                .unwrap_or_else(|_| Err(Failure::from("a cut made the test panic")))
        })
    })?;
    let came = came.into_inner().unwrap_or_else(PoisonError::into_inner);
    let missed = came.get(&Came::NotCut).copied().unwrap_or_default();
    let hit = missed * 10 < places.len() && came.contains_key(&Came::Refused);
    let upgrades = cx.mode() != Mode::Upgrade || came.contains_key(&Came::StayedOnPolling);
    ensure!(hit && upgrades, "of {} cuts came {came:?}", places.len());
    let begin = Instant::now();
    while !client_threads().is_empty() {
        ensure!(
            begin.elapsed() < PROMISED,
            "these threads are left after {came:?}: {:?}",
            client_threads()
        );
        thread::yield_now();
    }
    Ok(())
}

/// All places where a connection can be cut until it has settled: so many bytes go over each of its connections when
/// nothing is cut.
fn places<P: Protocol>(cx: &Context<P>) -> Outcome<Vec<Where>> {
    let front = front_of(cx, "main")?;
    let client = cx.builder_at(&front.url()).connect()?;
    cx.settle(&client)?;
    let (up, down) = (front.from_clients(), front.from_servers());
    client.close()?;
    let mut places = Vec::new();
    for (direction, sent) in [(Direction::Up, up), (Direction::Down, down)] {
        for (connection, bytes) in sent.iter().enumerate() {
            for byte in 0..=bytes.len() {
                places.extend([Cut::Fin, Cut::Reset].map(|how| Where {
                    connection,
                    direction,
                    byte,
                    how,
                }));
            }
        }
    }
    if cx.is_server(&THOROUGHLY) {
        return Ok(places);
    }
    // An odd step, for both kinds of cuts.
    let step = (places.len() / SPREAD) | 1;
    Ok(places.into_iter().step_by(step).collect())
}

fn cut_at<P: Protocol>(cx: &Context<P>, place: Where) -> Outcome<Came> {
    let front = front_of(cx, "main")?;
    let flow = Flow::Until(Place::Byte(place.byte as u64), Then::Cut(place.how));
    front.set(Which::Number(place.connection), place.direction, flow);
    let log = StatusLog::new();
    let builder = cx
        .builder_at(&front.url())
        .close_timeout(AT_ONCE)
        .on_status(log.watcher());
    let connected = within(AT_ONCE, "connecting", || Ok(builder.connect()))?;
    let came = match connected {
        Ok(client) => {
            let came = within(AT_ONCE, "finding out what is left", || {
                what_is_left(cx, &client, &log)
            });
            within(AT_ONCE, "closing", || Ok(client.close()?))?;
            came?
        }
        Err(error) => {
            ensure!(
                matches!(error, Error::Transport { .. } | Error::Disconnected(_)),
                "connecting failed with {error:?}"
            );
            Came::Refused
        }
    };
    let ends = log.count(|status| matches!(status, Status::Disconnected(_)));
    ensure!(ends <= 1, "{ends} disconnects in {:?}", log.seen());
    Ok(if front.done().cuts > 0 {
        came
    } else {
        Came::NotCut
    })
}

/// A connection that came about works, or says why it does not.
fn what_is_left<P: Protocol>(
    cx: &Context<P>,
    client: &Client<P>,
    log: &StatusLog,
) -> Outcome<Came> {
    let mut failed = false;
    if cx.mode() == Mode::Upgrade {
        failed = log.wait_for("the end of the upgrade", |status| match status {
            Status::UpgradeFailed(_) => Some(true),
            Status::Upgraded | Status::Disconnected(_) => Some(false),
            _ => None,
        })?;
    }
    let answer = client.call::<_, String>("echo", "alive?", PATIENCE);
    match answer {
        Ok(answer) => {
            ensure_eq!(answer, "alive?", "an echo");
            Ok(if failed {
                Came::StayedOnPolling
            } else {
                Came::Works
            })
        }
        Err(Error::Disconnected(_)) => {
            log.wait_for("the disconnect", |status| {
                matches!(status, Status::Disconnected(_)).then_some(())
            })?;
            Ok(Came::Ended)
        }
        Err(error) => Err(format!("{}; {:?}", error.chain(), log.seen()).into()),
    }
}
