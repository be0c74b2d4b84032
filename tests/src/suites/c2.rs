//! C2: acks with time limits.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use sio_core::{Deadline, DisconnectReason, Error};
use sio_net::Client;

use super::kit::{Log, disconnected, handled, wait_for_link, within};
use super::returning::{Line, quick, wait_back};
use crate::case::{Case, Outcome};
use crate::context::{Context, PATIENCE};
use crate::protocol::Protocol;
use crate::{ensure, ensure_eq};

/// Longer than any case: whoever is told earlier was told because of something else.
const LONG: Duration = Duration::from_secs(60);
/// What "at once" is on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    let case = Case::everywhere;
    vec![
        case(
            "C2.1",
            "without an ack in time the caller gets a timeout, exactly once",
            c2_1,
        ),
        case("C2.2", "a late ack is dropped and counted", c2_2),
        case(
            "C2.3",
            "when the session ends, whoever waits is told at once",
            c2_3,
        ),
        case(
            "C2.4",
            "of 1,000 questions of 25 threads each gets its own answer",
            c2_4,
        ),
        case(
            "C2.4b",
            "1,000 questions of 25 threads are out when the link is lost: each is told once, and the next are answered",
            c2_4b,
        ),
    ]
}

fn is_ack_timeout<T: std::fmt::Debug>(result: sio_core::Result<T>, limit: Duration) -> Outcome {
    match result {
        Err(Error::Timeout {
            deadline: Deadline::Ack,
            after,
            ..
        }) => {
            ensure_eq!(after, limit, "the limit in the error");
            Ok(())
        }
        other => Err(format!("expected that no ack came in time, found {other:?}").into()),
    }
}

/// The outcomes of callbacks.
type Outcomes<R> = Log<Result<R, Error>>;

/// Asks with a callback that writes its outcome into the log.
fn ask_into<P: Protocol, R>(
    client: &Client<P>,
    event: &str,
    args: impl serde::Serialize,
    limit: Duration,
    log: &Outcomes<R>,
) -> Outcome
where
    R: DeserializeOwned + Clone + std::fmt::Debug + Send + 'static,
{
    let log = log.clone();
    Ok(client.emit_with_ack(event, args, limit, move |outcome| log.push(outcome))?)
}

fn c2_1<P: Protocol>(cx: &Context<P>) -> Outcome {
    let limit = Duration::from_millis(150);
    let client = cx.connect()?;
    let begin = Instant::now();
    is_ack_timeout(client.call::<_, ()>("never-ack", 1, limit), limit)?;
    let took = begin.elapsed();
    ensure!(
        limit <= took && took < limit + AT_ONCE,
        "a limit of {limit:?} passed after {took:?}"
    );

    let outcomes = Outcomes::<()>::new();
    ask_into(&client, "never-ack", 1, limit, &outcomes)?;
    outcomes.wait_for(1, "outcomes")?;
    // Long enough for a second one: an answer in time, a second limit, and what handlers had to do.
    is_ack_timeout(client.call::<_, ()>("never-ack", 1, limit), limit)?;
    handled(&client)?;
    let outcomes = outcomes.seen();
    ensure_eq!(outcomes.len(), 1, "outcomes of one question");
    for outcome in outcomes {
        is_ack_timeout(outcome, limit)?;
    }
    ensure_eq!(client.counters().unknown_acks, 0, "acks nobody waited for");
    Ok(client.close()?)
}

fn c2_2<P: Protocol>(cx: &Context<P>) -> Outcome {
    let limit = Duration::from_millis(50);
    let client = cx.connect()?;
    let outcomes = Outcomes::<String>::new();
    ask_into(&client, "late-ack", (400, "late"), limit, &outcomes)?;
    is_ack_timeout(
        client.call::<_, String>("late-ack", (400, "late"), limit),
        limit,
    )?;
    cx.eventually("both late acks", || client.counters().unknown_acks == 2)?;
    handled(&client)?;
    let outcomes = outcomes.seen();
    ensure_eq!(outcomes.len(), 1, "outcomes of one question");
    for outcome in outcomes {
        is_ack_timeout(outcome, limit)?;
    }
    let answer: String = client.call("late-ack", (100, "in time"), PATIENCE)?;
    ensure_eq!(answer, "in time", "an answer within its limit");
    ensure_eq!(client.counters().unknown_acks, 2, "acks nobody waited for");
    Ok(client.close()?)
}

// --- the end of the session -----------------------------------------------------------------------------------------

/// A way to end a session.
type End<P> = fn(&Context<P>, &Client<P>) -> Outcome;

fn c2_3<P: Protocol>(cx: &Context<P>) -> Outcome {
    let ends: [(&str, End<P>); 5] = [
        ("the connection is reset", |cx, _| {
            cx.control().drop_connections("reset").map(drop)
        }),
        ("the connection ends", |cx, _| {
            cx.control().drop_connections("fin").map(drop)
        }),
        ("the server closes the session", |cx, _| {
            cx.control().close().map(drop)
        }),
        ("the server disconnects", |cx, _| {
            cx.control().disconnect("/", true).map(drop)
        }),
        ("the client closes", |_, client| Ok(client.close()?)),
    ];
    for (what, end) in ends {
        tells_whoever_waits(cx, end).map_err(|failure| format!("when {what}: {failure}"))?;
    }
    Ok(())
}

fn tells_whoever_waits<P: Protocol>(cx: &Context<P>, end: End<P>) -> Outcome {
    const CALLERS: u64 = 5;
    let client = cx.connect()?;
    let outcomes = Outcomes::<()>::new();
    let told: Vec<sio_core::Result<()>> = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| scope.spawn(|| client.call::<_, ()>("never-ack", (), LONG)))
            .collect();
        ask_into(&client, "never-ack", (), LONG, &outcomes)?;
        all_asked(cx, CALLERS + 1)?;
        wait_for_link(cx, &client)?;
        within(AT_ONCE, "telling them", || {
            end(cx, &client)?;
            let told = callers
                .into_iter()
                .map(|caller| caller.join().unwrap_or_else(|panic| resume_unwind(panic)));
            Ok(told.collect())
        })
    })?;
    let called_back = outcomes.wait_for(1, "outcomes of a callback")?;
    for outcome in told.into_iter().chain(called_back) {
        let reason = disconnected(outcome)?;
        ensure!(
            !matches!(reason, DisconnectReason::NotYet),
            "the reason is {reason}"
        );
    }
    client.close()?;
    ensure_eq!(outcomes.seen().len(), 1, "outcomes of one question");
    Ok(())
}

/// Waits until the server has so many events of the newest connection.
fn all_asked<P: Protocol>(cx: &Context<P>, count: u64) -> Outcome {
    cx.until("the questions to arrive", || {
        let sockets = cx.control().sockets(Some("/"))?;
        Ok(sockets
            .last()
            .is_some_and(|socket| socket.events >= count)
            .then_some(()))
    })
}

// --- many -----------------------------------------------------------------------------------------------------------

const THREADS: usize = 25;
const EACH: usize = 40;

/// Asks from all threads; `ask` asks one question, whose number it is given.
fn from_all_threads(ask: impl Fn(usize) -> Outcome + Sync) -> Outcome {
    let ask = &ask;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let mut tokens = thread * EACH..(thread + 1) * EACH;
                scope.spawn(move || tokens.try_for_each(ask))
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

fn c2_4<P: Protocol>(cx: &Context<P>) -> Outcome {
    let client = cx.connect()?;
    all_are_answered(&client)?;
    Ok(client.close()?)
}

fn all_are_answered<P: Protocol>(client: &Client<P>) -> Outcome {
    let (outcomes, waiting) = (Log::new(), Waiting::default());
    from_all_threads(|token| ask_for(client, token, &outcomes, &waiting))?;
    let mut outcomes: Vec<(usize, Result<usize, String>)> =
        outcomes.wait_for(THREADS * EACH, "outcomes")?;
    outcomes.sort_by_key(|(token, _)| *token);
    for (expected, (token, answer)) in outcomes.into_iter().enumerate() {
        ensure_eq!(token, expected, "the question that had this outcome");
        ensure_eq!(answer, Ok(token), "its answer");
    }
    ensure_eq!(
        waiting.most(),
        THREADS * EACH,
        "the most that waited at once"
    );
    ensure_eq!(client.counters().unknown_acks, 0, "acks nobody waited for");
    Ok(())
}

fn c2_4b<P: Protocol>(cx: &Context<P>) -> Outcome {
    let line = Line::open(cx, quick())?;
    let outcomes = Log::new();
    from_all_threads(|token| {
        let log = outcomes.clone();
        let then = move |answer: sio_core::Result<()>| log.push((token, answer));
        Ok(line.client.emit_with_ack("never-ack", (), LONG, then)?)
    })?;
    all_asked(cx, (THREADS * EACH) as u64)?;
    within(AT_ONCE, "telling all", || {
        line.front.cut_off()?;
        outcomes.wait_for(THREADS * EACH, "outcomes")
    })?;
    line.front.heal()?;
    wait_back(&line.log, 1)?;
    all_are_answered(&line.client)?;
    line.client.close()?;
    let mut outcomes = outcomes.seen();
    outcomes.sort_by_key(|(token, _)| *token);
    let tokens: Vec<usize> = outcomes.iter().map(|(token, _)| *token).collect();
    ensure_eq!(
        tokens,
        (0..THREADS * EACH).collect::<Vec<_>>(),
        "whose outcomes came"
    );
    for (_, outcome) in outcomes {
        disconnected(outcome)?;
    }
    Ok(())
}

/// Asks for a number, which comes back after a second or more, and not in the order of asking.
fn ask_for<P: Protocol>(
    client: &Client<P>,
    token: usize,
    outcomes: &Log<(usize, Result<usize, String>)>,
    waiting: &Waiting,
) -> Outcome {
    let delay = 1000 + token * 389 % 500;
    let (outcomes, done) = (outcomes.clone(), waiting.clone());
    waiting.begin();
    client.emit_with_ack(
        "late-ack",
        (delay, token),
        PATIENCE,
        move |answer: sio_core::Result<usize>| {
            done.end();
            outcomes.push((token, answer.map_err(|error| error.chain())));
        },
    )?;
    Ok(())
}

/// How many wait, and how many waited at most.
#[derive(Debug, Clone, Default)]
struct Waiting(Arc<(AtomicUsize, AtomicUsize)>);

impl Waiting {
    fn begin(&self) {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
    }

    fn end(&self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}
