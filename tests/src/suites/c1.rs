//! C1: handlers and receivers.

mod slow;

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::json;
use sio_core::{
    Bounds, ConnectionState, DisconnectReason, Error, Event, Events, HandlerId, NextError,
    Overflow, Status, Value,
};
use sio_net::{Client, ClientBuilder, WeakClient};

use super::kit::{Log, Seen, Several, all_closed, dropped_in_handler, handled, seen, until_closed};
use super::returning::{Line, is_anew, quick, wait_back};
use crate::case::{Case, Failure, Outcome};
use crate::context::{Context, PATIENCE, StatusLog};
use crate::protocol::Protocol;
use crate::{ensure, ensure_eq};

use self::slow::{c1_9, c1_9b, c1_9c, c1_9d};

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
            "C1.5",
            "handlers run one at a time, in the order in which things came",
            c1_5,
        ),
        case(
            "C1.6",
            "a handler that panics is reported; the others and the connection go on",
            c1_6,
        ),
        case(
            "C1.7",
            "a handler may emit, ask, wait, register, remove, join and leave",
            c1_7,
        ),
        case(
            "C1.7b",
            "so may handlers of status, and callbacks of acks",
            c1_7b,
        ),
        case("C1.7c", "a handler may drop the last handle", c1_7c),
        case(
            "C1.8",
            "receivers yield the same events in the same order, and end on close",
            c1_8,
        ),
        case(
            "C1.8b",
            "receivers go on after a return, and end with the connection only",
            c1_8b,
        ),
        case(
            "C1.9",
            "for a slow handler no more waits than the bound, and what was chosen gives way",
            c1_9,
        ),
        case(
            "C1.9b",
            "for a slow receiver no more waits than the bound, and what was chosen gives way",
            c1_9b,
        ),
        case(
            "C1.9c",
            "where overflow is an error the connection is lost, and comes back",
            c1_9c,
        ),
        case("C1.9d", "bytes are bounded, too", c1_9d),
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

// --- one at a time --------------------------------------------------------------------------------------------------

fn c1_5<P: Protocol>(cx: &Context<P>) -> Outcome {
    const TICKS: usize = 20;
    let (log, running) = (Log::new(), Arc::new(Alone::default()));
    let slow = |what: &'static str| {
        let (log, running) = (log.clone(), Arc::clone(&running));
        move |index: usize| {
            let alone = running.run(|| log.push((what, index)));
            if !alone {
                log.push(("together", index));
            }
        }
    };
    let client = cx
        .builder()
        .on("tick", slow("first"))
        .on("tick", slow("second"))
        .connect()?;
    let chat = client.namespace("/chat").on("tick", slow("chat")).join()?;
    cx.settle(&client)?;
    let burst = json!({"count": TICKS});
    client.emit("burst", &burst)?;
    chat.emit("burst", &burst)?;
    let running = Arc::clone(&running);
    let answers = Log::new();
    let noted = answers.clone();
    client.emit_with_ack("echo", 1, PATIENCE, move |answer: sio_core::Result<u8>| {
        let alone = running.run(|| ());
        noted.push((alone, answer.is_ok()));
    })?;
    let all = log.wait_for(3 * TICKS, "runs")?;
    ensure_eq!(
        answers.wait_for(1, "answers")?,
        [(true, true)],
        "the callback of an ack"
    );
    handled(&client)?;
    let in_root: Vec<_> = all.iter().filter(|(what, _)| *what != "chat").collect();
    let expected: Vec<_> = (0..TICKS)
        .flat_map(|index| [("first", index), ("second", index)])
        .collect();
    ensure_eq!(
        in_root,
        expected.iter().collect::<Vec<_>>(),
        "runs in the root"
    );
    let in_chat: Vec<usize> = all
        .iter()
        .filter_map(|(what, index)| (*what == "chat").then_some(*index))
        .collect();
    ensure_eq!(in_chat, (0..TICKS).collect::<Vec<_>>(), "runs in /chat");
    ensure_eq!(log.seen().len(), 3 * TICKS, "runs");
    Ok(client.close()?)
}

/// Whether something runs while something else does.
#[derive(Debug, Default)]
struct Alone(AtomicUsize);

impl Alone {
    /// Runs something that takes a while; returns whether nothing else ran meanwhile.
    fn run(&self, run: impl FnOnce()) -> bool {
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        run();
        thread::sleep(Duration::from_millis(1));
        let behind = self.0.fetch_sub(1, Ordering::SeqCst);
        (before, behind) == (0, 1)
    }
}

// --- what goes wrong in handlers ------------------------------------------------------------------------------------

/// Panics without the panic hook, which would write to the terminal.
fn panics(text: &'static str) {
    resume_unwind(Box::new(text));
}

fn c1_6<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (log, errors) = (Log::new(), Log::new());
    let told = errors.clone();
    let client = cx
        .builder()
        .on("x", log.noting("before"))
        .on("x", move || panics("no luck"))
        .on("x", log.noting("behind"))
        .on("fails", || Err::<(), _>("no good"))
        .on_status(move |status| {
            if matches!(status, Status::Upgraded) {
                panics("no upgrade");
            }
        })
        .on_error(move |error| told.push(error.chain()))
        .connect()?;
    cx.settle(&client)?;
    let chat = client
        .namespace("/chat")
        .on("x", log.noting("chat"))
        .join()?;
    // It panics again, so nothing was poisoned and nobody was removed.
    for _ in 0..2 {
        emitted(&client, "x", &[])?;
        emitted(&chat, "x", &[])?;
    }
    emitted(&client, "fails", &[])?;
    ensure_eq!(
        log.seen(),
        ["before", "behind", "chat", "before", "behind", "chat"],
        "what ran beside a panic"
    );
    let panicked = r#"the handler of "x" failed: it panicked: no luck"#;
    let failed = r#"the handler of "fails" failed: no good"#;
    ensure_eq!(errors.seen(), [panicked, panicked, failed], "errors");
    client.emit_with_ack("echo", 1, PATIENCE, move |_: sio_core::Result<u8>| {
        panics("no callback");
    })?;
    handled(&client)?;
    cx.exchange(&client)?;
    Ok(client.close()?)
}

// --- what handlers may do -------------------------------------------------------------------------------------------

/// Something that a handler does with its own client.
type Act<P> = fn(&Client<P>) -> Outcome;

fn acts<P: Protocol>() -> [(&'static str, Act<P>); 7] {
    [
        ("emit", |client| Ok(client.emit("sink", 1)?)),
        ("emit with ack", |client| {
            let then = |_: sio_core::Result<u8>| {};
            Ok(client.emit_with_ack("echo", 1, PATIENCE, then)?)
        }),
        ("call", |client| {
            let answer: String = client.call("echo", "asked", PATIENCE)?;
            ensure_eq!(answer, "asked", "the answer");
            Ok(())
        }),
        ("register and remove", |client| {
            let handler = client.on("y", || {});
            ensure!(client.off(handler), "it was not there");
            client.once("y", || {});
            ensure_eq!(client.off_event("y"), 1, "handlers of y");
            Ok(())
        }),
        ("receive", |client| {
            let mut events = client.events();
            client.emit("echoed", 1)?;
            let event = events.recv_timeout(PATIENCE);
            ensure!(event.is_ok(), "pulling an event gave {event:?}");
            Ok(())
        }),
        ("join", |client| {
            let chat = client.namespace("/chat").join()?;
            let answer: u8 = chat.call("echo", 1, PATIENCE)?;
            ensure_eq!(answer, 1, "the answer in /chat");
            Ok(())
        }),
        ("look", |client| {
            ensure!(
                client.is_connected() && client.id().is_some(),
                "it is not connected"
            );
            ensure!(client.queued().is_empty(), "something waits");
            client.clear_queue();
            client.flush_queue();
            ensure_eq!(client.state(), ConnectionState::Connected, "the state");
            ensure!(client.transport().is_some(), "it has no transport");
            ensure_eq!(client.counters().dropped_emits, 0, "emits given up");
            Ok(())
        }),
    ]
}

fn c1_7<P: Protocol>(cx: &Context<P>) -> Outcome {
    let client = cx.connect()?;
    let (weak, done) = (client.downgrade(), Log::new());
    let log = done.clone();
    client.on("act", move |which: usize| {
        let acted = match weak.upgrade() {
            Some(client) => acts::<P>()[which].1(&client),
            None => Err("the client is gone".into()),
        };
        log.push(acted);
    });
    for (which, (what, _)) in acts::<P>().into_iter().enumerate() {
        client.emit("emit", ("act", which))?;
        let done = done.wait_for(which + 1, "acts of a handler")?;
        done[which]
            .clone()
            .map_err(|failure| format!("in a handler, to {what}: {failure}"))?;
        cx.exchange(&client)?;
    }
    // Leaving the last namespace, and closing, are in C3.3c.
    client.namespace("/chat").join()?;
    let (weak, log) = (client.downgrade(), Log::new());
    let left = log.clone();
    client.on("leave", move || {
        let chat = weak
            .upgrade()
            .and_then(|client| client.namespace("/chat").join().ok());
        left.push(chat.is_some_and(|chat| chat.disconnect().is_ok()));
    });
    emitted(&client, "leave", &[])?;
    ensure_eq!(log.seen(), [true], "whether a handler left /chat");
    Ok(client.close()?)
}

fn c1_7b<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (own, done) = (Arc::new(OnceLock::<WeakClient<P>>::new()), Log::new());
    let act_all = |log: &Log<Outcome>| {
        let (own, log) = (Arc::clone(&own), log.clone());
        move || {
            let Some(client) = own.get().and_then(WeakClient::upgrade) else {
                return;
            };
            for (what, act) in acts::<P>() {
                log.push(act(&client).map_err(|failure| format!("to {what}: {failure}").into()));
            }
        }
    };
    let in_status = act_all(&done);
    let line = Line::with(cx, |builder| {
        builder.on_connect(move |again| {
            if again {
                in_status();
            }
        })
    })?;
    own.get_or_init(|| line.client.downgrade());
    let count = acts::<P>().len();
    line.lose(1)?;
    let seen = done.wait_for(count, "acts of a handler of status")?;
    seen.into_iter().collect::<Outcome<Vec<()>>>()?;

    let in_callback = act_all(&done);
    line.client
        .emit_with_ack("echo", 1, PATIENCE, move |_: sio_core::Result<u8>| {
            in_callback();
        })?;
    let seen = done.wait_for(2 * count, "acts of a callback")?;
    seen.into_iter().collect::<Outcome<Vec<()>>>()?;
    cx.exchange(&line.client)?;
    Ok(line.client.close()?)
}

fn c1_7c<P: Protocol>(cx: &Context<P>) -> Outcome {
    dropped_in_handler(cx)?;
    all_closed(cx)
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

fn c1_8b<P: Protocol>(cx: &Context<P>) -> Outcome {
    let line = Line::with(cx, |builder| builder)?;
    let client = &line.client;
    let mut events = client.events();
    for round in 0..2 {
        client.emit("emit", ("before", round))?;
        let before = cx.next_event(&mut events, "before")?;
        ensure_eq!(before.decode::<u8>()?, round, "the event before a loss");
        line.cut(1)?;
        let nothing = events.try_recv();
        ensure!(
            !matches!(nothing, Err(NextError::Closed)),
            "the events ended with a loss"
        );
        let mut from_now_on = client.events();
        line.heal()?;
        client.emit("emit", ("after", round))?;
        for events in [&mut events, &mut from_now_on] {
            let seen = cx.events_until(events, "after")?;
            let ours = seen
                .iter()
                .filter(|event| !event.name().starts_with("welcome"));
            ensure_eq!(ours.count(), 1, "events after the return");
        }
    }
    client.close()?;
    until_closed(&mut events).map(drop)
}
