//! C1: handlers and receivers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::json;
use sio_core::{Event, Events, HandlerId, NextError, Status, Value};
use sio_net::Client;

use super::kit::{Log, Seen, Several, handled, seen, until_closed};
use crate::case::{Case, Failure, Outcome};
use crate::context::{Context, PATIENCE, StatusLog};
use crate::protocol::Protocol;
use crate::{ensure, ensure_eq};

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    let case = Case::everywhere;
    vec![
        case(
            "C1.1",
            "all handlers of an event run, in the order of registration",
            c1_1,
        ),
        case(
            "C1.2",
            "`once` runs once, also for two events in one payload",
            c1_2,
        ),
        case("C1.3", "`off` by handle, by event and for all", c1_3),
        case("C1.3b", "`off` in every form inside a handler", c1_3b),
        case(
            "C1.4",
            "`on_any` gets every event, `on_unhandled` only those without a handler",
            c1_4,
        ),
        case(
            "C1.8",
            "receivers yield the same events in the same order, and end on close",
            c1_8,
        ),
    ]
}

/// Has the server emit an event, and returns when the handlers have run.
fn emitted<P: Protocol>(client: &Client<P>, name: &str, args: &[Value]) -> Outcome {
    let all = [&[Value::from(name)], args].concat();
    client.emit("emit", Several(&all))?;
    handled(client)
}

fn c1_1<P: Protocol>(cx: &Context<P>) -> Outcome {
    let log = Log::new();
    let client = cx
        .builder()
        .on("x", log.noting("builder"))
        .on("other", log.noting("other"))
        .connect()?;
    cx.settle(&client)?;
    client.on("x", log.noting("first"));
    let any = log.clone();
    client.on_any(move |event| {
        if event.name() == "x" {
            any.push("any");
        }
    });
    client.once("x", log.noting("once"));
    client.on("x", log.noting("last"));
    emitted(&client, "x", &[])?;
    ensure_eq!(
        log.seen(),
        ["builder", "first", "any", "once", "last"],
        "what ran for the first event"
    );
    emitted(&client, "x", &[])?;
    ensure_eq!(
        log.seen()[5..],
        ["builder", "first", "any", "last"],
        "what ran for the second"
    );
    Ok(client.close()?)
}

fn c1_2<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (on_builder, always, on_first) = (
        Log::<usize>::new(),
        Log::<usize>::new(),
        Log::<usize>::new(),
    );
    let client = cx
        .builder()
        .once("tick", on_builder.writer())
        .on("tick", always.writer())
        .connect()?;
    cx.settle(&client)?;
    // A waiting poll is answered with the first tick alone, so it is the second and the third that share a payload:
    // the handler registered at the first one has to run for the second only.
    let (weak, log) = (client.downgrade(), on_first.clone());
    client.once("tick", move || {
        if let Some(client) = weak.upgrade() {
            client.once("tick", log.writer());
        }
    });
    client.emit("burst", json!({"count": 3}))?;
    ensure_eq!(always.wait_for(3, "ticks")?, [0, 1, 2], "the ticks");
    handled(&client)?;
    ensure_eq!(
        on_builder.seen(),
        [0],
        "the ticks of the builder's handler that runs once"
    );
    ensure_eq!(
        on_first.seen(),
        [1],
        "the ticks of the handler that was registered at the first"
    );
    client.emit("burst", json!({"count": 3}))?;
    always.wait_for(6, "ticks")?;
    handled(&client)?;
    ensure_eq!(
        on_builder.seen().len() + on_first.seen().len(),
        2,
        "runs of both, after more ticks"
    );
    Ok(client.close()?)
}

// --- off ------------------------------------------------------------------------------------------------------------

fn c1_3<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (log, status) = (Log::new(), StatusLog::new());
    let client = cx.builder().on_status(status.watcher()).connect()?;
    cx.settle(&client)?;
    let by_handle = client.on("x", log.noting("by handle"));
    client.on("x", log.noting("by event"));
    client.once("x", log.noting("by event, once"));
    client.on("y", log.noting("y"));
    let any = log.clone();
    client.on_any(move |event| {
        if matches!(event.name(), "x" | "y") {
            any.push("any");
        }
    });

    ensure!(client.off(by_handle), "the handler was there");
    ensure!(!client.off(by_handle), "a handler is removed once");
    emitted(&client, "x", &[])?;
    ensure_eq!(
        log.seen(),
        ["by event", "by event, once", "any"],
        "what ran without the one by its handle"
    );

    client.once("x", log.noting("by event, once more"));
    ensure_eq!(client.off_event("x"), 2, "handlers of x");
    ensure_eq!(client.off_event("x"), 0, "handlers of x after that");
    emitted(&client, "x", &[])?;
    emitted(&client, "y", &[])?;
    ensure_eq!(
        log.seen()[3..],
        ["any", "y", "any"],
        "what ran without those of x"
    );

    ensure_eq!(client.off_all(), 2, "handlers of events");
    emitted(&client, "y", &[])?;
    ensure_eq!(log.seen().len(), 6, "nothing more runs");
    client.on("y", log.noting("again"));
    emitted(&client, "y", &[])?;
    ensure_eq!(
        log.seen()[6..],
        ["again"],
        "what ran after a new registration"
    );
    client.close()?;
    ensure_eq!(
        status.count(|status| matches!(status, Status::Disconnected(_))),
        1,
        "disconnects told to the handler of status, which `off_all` leaves"
    );
    Ok(())
}

/// What a handler does to handlers.
type Removing<P> = fn(&Client<P>, HandlerId) -> usize;

fn c1_3b<P: Protocol>(cx: &Context<P>) -> Outcome {
    let client = cx.connect()?;
    // What it removes, how, how many that are, and what runs for two events.
    let forms: [(&str, Removing<P>, usize, &[&str]); 4] = [
        (
            "itself",
            |client, own| usize::from(client.off(own)),
            1,
            &["first", "remover", "last", "first", "last"],
        ),
        (
            "its event",
            |client, _| client.off_event("x"),
            3,
            &["first", "remover"],
        ),
        (
            "all",
            |client, _| client.off_all(),
            3,
            &["first", "remover"],
        ),
        (
            "nothing",
            |_, _| 0,
            0,
            &["first", "remover", "last", "first", "remover", "last"],
        ),
    ];
    for (what, remove, count, expected) in forms {
        let (log, removed) = (Log::new(), Log::new());
        client.on("x", log.noting("first"));
        on_x_remove(&client, &log, &removed, remove);
        client.on("x", log.noting("last"));
        emitted(&client, "x", &[])?;
        emitted(&client, "x", &[])?;
        ensure_eq!(
            log.seen(),
            expected,
            "what ran when a handler removes {what}"
        );
        ensure_eq!(
            removed.seen().first(),
            Some(&count),
            "handlers that were removed with {what}"
        );
        client.off_all();
    }
    removes_a_later_one(&client)?;
    Ok(client.close()?)
}

/// Registers a handler of `x` that removes.
fn on_x_remove<P: Protocol>(
    client: &Client<P>,
    log: &Log<&'static str>,
    removed: &Log<usize>,
    remove: Removing<P>,
) {
    let own = Arc::new(OnceLock::new());
    let (weak, log, removed, id) = (
        client.downgrade(),
        log.clone(),
        removed.clone(),
        Arc::clone(&own),
    );
    let handler = client.on("x", move || {
        log.push("remover");
        if let (Some(client), Some(own)) = (weak.upgrade(), id.get()) {
            removed.push(remove(&client, *own));
        }
    });
    // Set before the first event: the test has the server emit it only later.
    own.get_or_init(|| handler);
}

fn removes_a_later_one<P: Protocol>(client: &Client<P>) -> Outcome {
    let log = Log::new();
    let later = Arc::new(OnceLock::new());
    let (weak, id, note) = (client.downgrade(), Arc::clone(&later), log.clone());
    client.on("x", move || {
        note.push("remover");
        if let (Some(client), Some(later)) = (weak.upgrade(), id.get()) {
            client.off(*later);
        }
    });
    let handler = client.on("x", log.noting("later"));
    later.get_or_init(|| handler);
    emitted(client, "x", &[])?;
    ensure_eq!(
        log.seen(),
        ["remover"],
        "what ran when a handler removes a later one"
    );
    Ok(())
}

// --- catch-all ------------------------------------------------------------------------------------------------------

fn c1_4<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (any, unhandled, known) = (Log::<Seen>::new(), Log::<Seen>::new(), Log::<u8>::new());
    let client = cx
        .builder()
        .on_any(any.watcher())
        .on_unhandled(unhandled.watcher())
        .on("known", known.writer())
        .connect()?;
    cx.settle(&client)?;
    emitted(&client, "known", &[1.into()])?;
    emitted(&client, "unknown", &["two".into(), 2.into()])?;
    emitted(&client, "", &[])?;
    client.once("known later", || {});
    emitted(&client, "known later", &[])?;
    emitted(&client, "known later", &[])?;
    let event = |name: &str, args: &[Value]| (name.to_owned(), args.to_vec());
    let not_known = [
        event("unknown", &["two".into(), 2.into()]),
        event("", &[]),
        event("known later", &[]),
    ];
    let (welcome, rest) = split_welcome(&unhandled)?;
    ensure_eq!(rest, not_known, "events without a handler");
    let (any_welcome, rest) = split_welcome(&any)?;
    ensure_eq!(
        any_welcome,
        welcome,
        "what came on connection, which has no handler"
    );
    let all = [
        &[event("known", &[1.into()])],
        &not_known[..],
        &[event("known later", &[])],
    ]
    .concat();
    ensure_eq!(rest, all, "all events");
    ensure_eq!(known.seen(), [1], "what the handler by name got");
    Ok(client.close()?)
}

/// What the server sends in its connection handler, and what came after it.
fn split_welcome(log: &Log<Seen>) -> Outcome<(Vec<Seen>, Vec<Seen>)> {
    let (welcome, rest): (Vec<Seen>, Vec<Seen>) = log
        .seen()
        .into_iter()
        .partition(|(name, _)| name.starts_with("welcome"));
    ensure!(!welcome.is_empty(), "the welcome is missing");
    Ok((welcome, rest))
}

// --- receivers ------------------------------------------------------------------------------------------------------

fn c1_8<P: Protocol>(cx: &Context<P>) -> Outcome {
    let log = Log::<Seen>::new();
    let (builder, mut events) = cx.builder().on_any(log.watcher()).events();
    let client = builder.connect()?;
    cx.settle(&client)?;
    handled(&client)?;
    let mut from_now_on = client.events();
    client.emit("burst", json!({"count": 50, "size": 2}))?;
    emitted(&client, "last", &["é".into()])?;
    let mut pulled = pull_in_every_way(&mut events)?;
    ensure!(
        matches!(events.try_recv(), Err(NextError::Empty)),
        "an event more, after the last"
    );
    let nothing = events.recv_timeout(Duration::from_millis(20));
    ensure!(
        matches!(nothing, Err(NextError::Empty)),
        "waiting for nothing gave {nothing:?}"
    );

    emitted(&client, "after", &[])?;
    client.close()?;
    let rest = until_closed(&mut events)?;
    pulled.extend(all_seen(&rest)?);
    ensure_eq!(
        pulled,
        log.seen(),
        "what was pulled, against what the handlers got"
    );
    ensure!(
        matches!(events.recv(), Err(NextError::Closed)),
        "an event after the end"
    );
    ensure!(
        matches!(events.try_recv(), Err(NextError::Closed)),
        "an event after the end"
    );
    ensure_eq!(
        events.count(),
        0,
        "events that are iterated over after the end"
    );

    let late = all_seen(&until_closed(&mut from_now_on)?)?;
    // The ticks, their end, `last`, `after`.
    ensure_eq!(late.len(), 53, "events since the second receiver began");
    ensure_eq!(late, pulled[pulled.len() - 53..], "what it got");
    Ok(())
}

/// Pulls until `last`: waits, waits with a limit, tries, iterates, iterates with a limit.
fn pull_in_every_way(events: &mut Events) -> Outcome<Vec<Seen>> {
    let none = |error: NextError| Failure::from(format!("pulling an event that is there: {error}"));
    let mut pulled = vec![
        events.recv().map_err(none)?,
        events.recv_timeout(PATIENCE).map_err(none)?,
        events.try_recv().map_err(none)?,
    ];
    pulled.extend(events.by_ref().take(5));
    for event in events.timeout(PATIENCE) {
        let last = event.name() == "last";
        pulled.push(event);
        if last {
            return all_seen(&pulled);
        }
    }
    Err(format!("the event \"last\" was not among {} others", pulled.len()).into())
}

fn all_seen(events: &[Event]) -> Outcome<Vec<Seen>> {
    events.iter().map(seen).collect()
}
