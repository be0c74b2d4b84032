//! C4: emits that wait for the connection.

use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sio_core::{Bounds, Dropped, Error, Overflow, UsageError};
use sio_net::{Client, WeakClient};

use super::kit::{Log, disconnected, handled, within};
use super::returning::{Line, wait_failed};
use crate::case::{Case, Outcome};
use crate::context::{Context, PATIENCE, until};
use crate::protocol::Protocol;
use crate::{ensure, ensure_eq};

/// Longer than any case.
const LONG: Duration = Duration::from_secs(60);
/// What "at once" is on a busy machine; well below the patience of what waits.
const AT_ONCE: Duration = Duration::from_secs(2);

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    let case = Case::everywhere;
    vec![
        case(
            "C4.1",
            "what is emitted while away arrives in order after the return, in each namespace",
            c4_1,
        ),
        case("C4.1b", "without a queue emits fail while away", c4_1b),
        case(
            "C4.1c",
            "under manual flush what waited leaves when the program says so",
            c4_1c,
        ),
        case(
            "C4.2",
            "a full queue is an error, or the oldest or the newest give way",
            c4_2,
        ),
        case("C4.2b", "bytes fill a queue, too", c4_2b),
        case("C4.3", "what waits can be looked at and cleared", c4_3),
        case(
            "C4.3b",
            "what waits can be cleared when the connection is back, before it leaves",
            c4_3b,
        ),
        case(
            "C4.4",
            "what has waited for too long is given up and never sent",
            c4_4,
        ),
        case("C4.5", "volatile emits never wait", c4_5),
        case(
            "C4.6",
            "emits of the connect handler go before what waits, those of other threads behind it",
            c4_6,
        ),
    ]
}

/// A connection that notes what the server sends back, while its link is cut.
fn away<P: Protocol>(cx: &Context<P>, bounds: Bounds) -> Outcome<(Line<P>, Log<String>)> {
    let notes = Log::new();
    let line = Line::with(cx, |builder| {
        builder.queue(bounds).on("note", notes.writer())
    })?;
    line.cut(1)?;
    Ok((line, notes))
}

/// Emits something that the server sends back, so that it shows what arrived, and in which order.
fn note<P: Protocol>(client: &Client<P>, text: &str) -> sio_core::Result<()> {
    client.emit("note", text)
}

/// The connection is back: what came back of the notes.
fn arrived<P: Protocol>(line: &Line<P>, notes: &Log<String>) -> Outcome<Vec<String>> {
    line.heal()?;
    // What waits leaves when the handlers of the return have run; until then a full queue is full.
    until("what waits to leave", || {
        Ok(line.client.queued().is_empty().then_some(()))
    })?;
    handled(&line.client)?;
    Ok(notes.seen())
}

// --- waiting --------------------------------------------------------------------------------------------------------

fn c4_1<P: Protocol>(cx: &Context<P>) -> Outcome {
    const EACH: usize = 50;
    let logs: [Log<usize>; 2] = std::array::from_fn(|_| Log::new());
    let line = Line::with(cx, |builder| builder.on("note", logs[0].writer()))?;
    let chat = line.client.namespace("/chat");
    let chat = chat.on("note", logs[1].writer()).join()?;
    line.cut(1)?;
    let places = [&line.client, &chat];
    let answers = thread::scope(|scope| {
        let asking = places.map(|place| {
            for index in 0..EACH {
                place.emit("note", index)?;
            }
            Outcome::Ok(scope.spawn(move || place.call::<_, String>("echo", "asked", PATIENCE)))
        });
        for place in places {
            cx.eventually("the question to wait as well", || {
                place.queued().len() == EACH + 1
            })?;
        }
        // However many attempts fail meanwhile.
        wait_failed(&line.log, 0, 4)?;
        line.heal()?;
        let mut answers = Vec::new();
        for asking in asking {
            let answer = asking?.join();
            answers.push(answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Outcome::Ok(answers)
    })?;
    ensure_eq!(answers, ["asked", "asked"], "answers to what waited");
    for (place, log) in places.into_iter().zip(&logs) {
        handled(place)?;
        ensure_eq!(
            log.seen(),
            (0..EACH).collect::<Vec<_>>(),
            "what arrived in {}",
            place.name()
        );
        ensure!(place.queued().is_empty(), "something still waits");
    }
    ensure_eq!(line.client.counters().dropped_emits, 0, "emits given up");
    Ok(line.client.close()?)
}

fn c4_1b<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (line, notes) = away(cx, Bounds::default().count(0))?;
    let failed = within(AT_ONCE, "failing", || {
        Ok([
            note(&line.client, "emitted"),
            line.client.call::<_, ()>("note", "asked", LONG),
            line.client.emit_within(LONG, "note", "within"),
        ])
    })?;
    failed
        .into_iter()
        .try_for_each(|failed| disconnected(failed).map(drop))?;
    ensure_eq!(arrived(&line, &notes)?, [""; 0], "what was sent");
    note(&line.client, "again")?;
    ensure_eq!(notes.wait_for(1, "notes")?, ["again"], "what was sent");
    Ok(line.client.close()?)
}

fn c4_1c<P: Protocol>(cx: &Context<P>) -> Outcome {
    let notes = Log::<String>::new();
    let line = Line::with(cx, |builder| {
        builder.manual_flush(true).on("note", notes.writer())
    })?;
    let chat = line.client.namespace("/chat").join()?;
    line.cut(1)?;
    note(&line.client, "away")?;
    ensure_eq!(line.client.flush_queue(), 0, "emits that leave while away");
    line.heal()?;
    note(&line.client, "back")?;
    // Nothing waits in there, so it is free to ask.
    cx.eventually("/chat to be back", || chat.is_connected())?;
    handled(&chat)?;
    ensure_eq!(notes.seen(), [""; 0], "what left by itself");
    ensure_eq!(line.client.queued().len(), 2, "emits that wait");
    ensure_eq!(line.client.flush_queue(), 2, "emits that leave");
    note(&line.client, "behind")?;
    handled(&line.client)?;
    ensure_eq!(notes.seen(), ["away", "back", "behind"], "what left");
    ensure_eq!(line.client.flush_queue(), 0, "emits that leave after that");
    Ok(line.client.close()?)
}

// --- a full queue ---------------------------------------------------------------------------------------------------

fn c4_2<P: Protocol>(cx: &Context<P>) -> Outcome {
    let full = Bounds::default().count(3);
    let policies = [
        (Overflow::Error, ["0", "1", "2"], 0),
        (Overflow::DropOldest, ["2", "3", "4"], 2),
        (Overflow::DropNewest, ["0", "1", "2"], 2),
    ];
    for (policy, left, dropped) in policies {
        let (line, notes) = away(cx, full.clone().overflow(policy))?;
        for index in 0..5 {
            let emitted = note(&line.client, &index.to_string());
            match (policy, index) {
                (Overflow::Error, 3 | 4) => is_full(emitted)?,
                _ => emitted?,
            }
        }
        ensure_eq!(line.client.queued().len(), 3, "emits that wait, {policy:?}");
        let counted = line.client.counters().dropped_emits;
        ensure_eq!(counted, dropped, "emits given up, {policy:?}");
        ensure_eq!(arrived(&line, &notes)?, left, "what arrived, {policy:?}");
        line.client.close()?;
    }
    questions_give_way(cx, &full)
}

fn is_full(emitted: sio_core::Result<()>) -> Outcome {
    ensure!(
        matches!(
            emitted,
            Err(Error::Usage(UsageError::QueueFull { emits: 3, .. }))
        ),
        "an emit too much gave {emitted:?}"
    );
    Ok(())
}

/// Whoever asked is told when the question gives way, or is the one too much.
fn questions_give_way<P: Protocol>(cx: &Context<P>, full: &Bounds) -> Outcome {
    let (line, notes) = away(cx, full.clone().overflow(Overflow::DropOldest))?;
    let outcomes = Log::new();
    let log = outcomes.clone();
    let then = move |outcome: sio_core::Result<String>| log.push(outcome);
    line.client.emit_with_ack("note", "asked", LONG, then)?;
    for text in ["0", "1", "2"] {
        note(&line.client, text)?;
    }
    let outcome = outcomes.wait_for(1, "outcomes")?;
    ensure!(
        matches!(outcome[..], [Err(Error::Dropped(Dropped::Displaced))]),
        "a question that gave way ended with {outcome:?}"
    );
    ensure_eq!(arrived(&line, &notes)?, ["0", "1", "2"], "what arrived");
    line.client.close()?;

    let (line, notes) = away(cx, full.clone().overflow(Overflow::DropNewest))?;
    for text in ["0", "1", "2"] {
        note(&line.client, text)?;
    }
    is_full(line.client.call("note", "asked", LONG))?;
    ensure_eq!(arrived(&line, &notes)?, ["0", "1", "2"], "what arrived");
    Ok(line.client.close()?)
}

fn c4_2b<P: Protocol>(cx: &Context<P>) -> Outcome {
    // As JSON, each is a little more than a thousand bytes.
    let texts = ["a", "b", "c", "d"].map(|letter| letter.repeat(1000));
    let bounds = Bounds::default().bytes(2500);
    let (line, notes) = away(cx, bounds.clone())?;
    note(&line.client, &texts[0])?;
    note(&line.client, &texts[1])?;
    let third = note(&line.client, &texts[2]);
    ensure!(
        matches!(
            third,
            Err(Error::Usage(UsageError::QueueFull {
                emits: 2,
                bytes: 2000..,
                ..
            }))
        ),
        "a third gave {third:?}"
    );
    note(&line.client, "a small one")?;
    let small = ["a small one".to_owned()];
    ensure_eq!(
        arrived(&line, &notes)?,
        [&texts[..2], &small].concat(),
        "what arrived"
    );
    line.client.close()?;

    let (line, notes) = away(cx, bounds.overflow(Overflow::DropOldest))?;
    for text in &texts {
        note(&line.client, text)?;
    }
    // It would not fit if all others gave way: so none does.
    let huge = note(&line.client, &"x".repeat(3000));
    ensure!(
        matches!(
            huge,
            Err(Error::Usage(UsageError::QueueFull { emits: 2, .. }))
        ),
        "one that never fits gave {huge:?}"
    );
    ensure_eq!(arrived(&line, &notes)?, texts[2..], "what arrived");
    Ok(line.client.close()?)
}

// --- looking and clearing -------------------------------------------------------------------------------------------

fn c4_3<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (line, notes) = away(cx, Bounds::default())?;
    let client = &line.client;
    note(client, "plain")?;
    let before = Instant::now();
    client.emit_within(LONG, "note", "within")?;
    let outcomes = Log::new();
    let log = outcomes.clone();
    let then = move |outcome: sio_core::Result<String>| log.push(outcome);
    client.emit_with_ack("note", "asked", 2 * LONG, then)?;
    let after = Instant::now();
    let waiting: Vec<_> = client
        .queued()
        .into_iter()
        .map(|queued| {
            let ends = queued.expires.map(|at| {
                let limit = if queued.asks { 2 * LONG } else { LONG };
                (before + limit..=after + limit).contains(&at)
            });
            (queued.payload.json().to_owned(), queued.asks, ends)
        })
        .collect();
    let expected = [
        ("plain", false, None),
        ("within", false, Some(true)),
        ("asked", true, Some(true)),
    ]
    .map(|(text, asks, ends)| (format!(r#"["note","{text}"]"#), asks, ends));
    ensure_eq!(waiting, expected, "what waits");
    ensure_eq!(client.clear_queue(), 3, "emits that were cleared");
    ensure_eq!(
        client.clear_queue(),
        0,
        "emits that were cleared after that"
    );
    ensure!(client.queued().is_empty(), "something waits");
    ensure_eq!(client.counters().dropped_emits, 3, "emits given up");
    let outcome = outcomes.wait_for(1, "outcomes")?;
    ensure!(
        matches!(outcome[..], [Err(Error::Dropped(Dropped::Cleared))]),
        "a question that was cleared ended with {outcome:?}"
    );
    note(client, "new")?;
    ensure_eq!(arrived(&line, &notes)?, ["new"], "what arrived");
    Ok(client.close()?)
}

/// A handle that a connect handler can use, which is there before the client.
type Own<P> = Arc<OnceLock<WeakClient<P>>>;

fn c4_3b<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (own, notes, cleared) = (Own::<P>::default(), Log::<String>::new(), Log::new());
    let (in_hook, log) = (Arc::clone(&own), cleared.clone());
    let line = Line::with(cx, |builder| {
        builder.on("note", notes.writer()).on_connect(move |again| {
            let client = in_hook.get().and_then(WeakClient::upgrade);
            if let (true, Some(client)) = (again, client) {
                let waiting = client.queued().len();
                let cleared = client.clear_queue();
                log.push((waiting, cleared, note(&client, "of the hook").is_ok()));
            }
        })
    })?;
    own.get_or_init(|| line.client.downgrade());
    line.cut(1)?;
    for text in ["stale", "staler"] {
        note(&line.client, text)?;
    }
    ensure_eq!(arrived(&line, &notes)?, ["of the hook"], "what arrived");
    ensure_eq!(cleared.seen(), [(2, 2, true)], "what the hook saw and did");
    Ok(line.client.close()?)
}

// --- limits ---------------------------------------------------------------------------------------------------------

fn c4_4<P: Protocol>(cx: &Context<P>) -> Outcome {
    const LIMIT: Duration = Duration::from_millis(60);
    let (line, notes) = away(cx, Bounds::default())?;
    let client = &line.client;
    client.emit_within(LIMIT, "note", "short")?;
    client.emit_within(LONG, "note", "long")?;
    let outcomes = Log::new();
    let log = outcomes.clone();
    let then = move |outcome: sio_core::Result<String>| log.push(outcome);
    client.emit_with_ack("note", "asked", LIMIT, then)?;
    let called = client.call::<_, String>("note", "called", LIMIT);
    let told = outcomes.wait_for(1, "outcomes")?;
    for outcome in [&called, &told[0]] {
        ensure!(
            matches!(outcome, Err(Error::Timeout { after: LIMIT, .. })),
            "a question that waited for too long ended with {outcome:?}"
        );
    }
    cx.eventually("what has a limit to be given up", || {
        client.queued().len() == 1
    })?;
    ensure_eq!(client.counters().dropped_emits, 3, "emits given up");
    ensure_eq!(arrived(&line, &notes)?, ["long"], "what arrived");
    ensure_eq!(outcomes.seen().len(), 1, "outcomes of one question");
    Ok(client.close()?)
}

fn c4_5<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (line, notes) = away(cx, Bounds::default())?;
    let client = &line.client;
    ensure!(
        !client.emit_volatile("note", "away")?,
        "a volatile emit was taken while away"
    );
    ensure!(client.queued().is_empty(), "a volatile emit waits");
    ensure_eq!(client.counters().dropped_emits, 1, "emits given up");
    ensure_eq!(arrived(&line, &notes)?, [""; 0], "what arrived");
    ensure!(
        client.emit_volatile("note", "back")?,
        "a volatile emit was not taken by a connection"
    );
    ensure_eq!(notes.wait_for(1, "notes")?, ["back"], "what arrived");
    client.close()?;
    disconnected(client.emit_volatile("note", "over"))?;
    Ok(())
}

// --- the connect handler --------------------------------------------------------------------------------------------

fn c4_6<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (own, notes) = (Own::<P>::default(), Log::<String>::new());
    let (begun, begins) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let in_hook = Arc::clone(&own);
    let steps = Log::new();
    let done = steps.clone();
    let line = Line::with(cx, |builder| {
        builder.on("note", notes.writer()).on_connect(move |again| {
            let client = in_hook.get().and_then(WeakClient::upgrade);
            if let (true, Some(client)) = (again, client) {
                for text in ["hook 1", "hook 2"] {
                    done.push(note(&client, text).is_ok());
                }
                done.push(begun.send(()).is_ok());
                done.push(released.recv_timeout(PATIENCE).is_ok());
                done.push(note(&client, "hook 3").is_ok());
            }
        })
    })?;
    own.get_or_init(|| line.client.downgrade());
    line.cut(1)?;
    for text in ["waits 1", "waits 2"] {
        note(&line.client, text)?;
    }
    line.front.heal()?;
    begins
        .recv_timeout(PATIENCE)
        .map_err(|_| "the hook did not run")?;
    let others = ["other 1", "other 2"].map(|text| note(&line.client, text));
    let waiting = line.client.queued().len();
    // A hook that has given up shows in its steps.
    _ = release.send(());
    others.into_iter().collect::<sio_core::Result<Vec<()>>>()?;
    ensure_eq!(waiting, 4, "emits that wait for the hook");
    cx.eventually("all that waits to leave", || {
        line.client.queued().is_empty()
    })?;
    note(&line.client, "later")?;
    handled(&line.client)?;
    let order = [
        "hook 1", "hook 2", "hook 3", "waits 1", "waits 2", "other 1", "other 2", "later",
    ];
    ensure_eq!(notes.seen(), order, "what arrived");
    ensure_eq!(steps.seen(), [true; 5], "what the hook did");
    Ok(line.client.close()?)
}
