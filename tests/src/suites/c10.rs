//! C10: threads and types.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use sio_core::{
    Ack, Args, DisconnectReason, Encoded, Error, Event, Events, HandlerId, Handlers, Limits,
    Socket, SocketExt as _, Status, Transport, UsageError, Value,
};
use sio_net::{Client, ClientBuilder, NamespaceBuilder, UpgradeMemory, WeakClient};

use super::kit::{Log, Sequence, ask, handled, until_closed};
use crate::case::{Case, Outcome};
use crate::context::{Context, Mode, PATIENCE};
use crate::protocol::Protocol;
use crate::{ensure, ensure_eq};

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    let case = Case::everywhere;
    vec![
        case(
            "C10.1",
            "handles are cloned and shared between threads",
            c10_1,
        ),
        case(
            "C10.2",
            "25 threads emit 1,000 events each: all arrive, each thread's in order",
            c10_2,
        ),
        case(
            "C10.3",
            "a payload of the wrong type is an error of that handler or caller only",
            c10_3,
        ),
        case(
            "C10.4",
            "the same program runs on both protocols, by the shared trait",
            c10_4,
        ),
    ]
}

// --- threads --------------------------------------------------------------------------------------------------------

fn is_shared<T: Send + Sync + 'static>() {}
fn is_sent<T: Send + 'static>() {}
fn is_cloned<T: Clone>() {}

/// Compiles only if everything has what it promises.
fn types_are_for_threads<P: Protocol>() {
    is_shared::<Client<P>>();
    is_shared::<WeakClient<P>>();
    is_shared::<Box<dyn Socket>>();
    is_shared::<Event>();
    is_shared::<Ack>();
    is_shared::<Args>();
    is_shared::<Encoded>();
    is_shared::<Value>();
    is_shared::<Error>();
    is_shared::<UsageError>();
    is_shared::<Status>();
    is_shared::<DisconnectReason>();
    is_shared::<Transport>();
    is_shared::<Limits>();
    is_shared::<HandlerId>();
    is_shared::<UpgradeMemory>();
    is_sent::<ClientBuilder<P>>();
    is_sent::<NamespaceBuilder<P>>();
    is_sent::<Handlers>();
    is_sent::<Events>();
    is_cloned::<Client<P>>();
    is_cloned::<WeakClient<P>>();
    is_cloned::<Event>();
    is_cloned::<Ack>();
    is_cloned::<Error>();
}

fn c10_1<P: Protocol>(cx: &Context<P>) -> Outcome {
    types_are_for_threads::<P>();
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for place in [&client, &chat] {
        let answers: Outcome<Vec<usize>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|number| {
                    let clone = place.clone();
                    scope.spawn(move || ask(&clone, "echo", number))
                })
                .collect();
            let answers = threads.into_iter();
            answers
                .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        });
        ensure_eq!(
            answers?,
            (0..8).collect::<Vec<_>>(),
            "the answers of clones"
        );
    }
    // The clones are gone, the connection is not.
    ensure!(chat.is_connected(), "it stays connected");
    let boxed: Box<dyn Socket> = Box::new(chat);
    let elsewhere = thread::spawn(move || boxed.name().to_owned());
    ensure_eq!(
        elsewhere.join().ok().as_deref(),
        Some("/chat"),
        "the name, asked on another thread"
    );
    Ok(client.close()?)
}

fn c10_2<P: Protocol>(cx: &Context<P>) -> Outcome {
    const THREADS: usize = 25;
    // These servers end a WebSocket that has sent them a lot in small pieces, as the docs of sio-legacy say.
    let is_sparing = cx.is_server(&["0.9.17", "0.9.18", "0.9.19"]) && cx.mode() == Mode::WebSocket;
    let each = if is_sparing { 100 } else { 1000 };
    let client = cx.connect()?;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let client = client.clone();
                scope.spawn(move || {
                    (0..each).try_for_each(|index| client.emit("seq", (thread, index)))
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    // Behind all of them; on a busy machine the server needs a while.
    let report: BTreeMap<String, Sequence> = client.call("seq-report", (), 3 * PATIENCE)?;
    ensure_eq!(report.len(), THREADS, "threads that the server saw");
    for (thread, seen) in report {
        ensure_eq!(
            seen,
            Sequence::complete(each),
            "the events of thread {thread}"
        );
    }
    Ok(client.close()?)
}

// --- types ----------------------------------------------------------------------------------------------------------

fn c10_3<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (texts, numbers, pairs, errors) = (Log::new(), Log::new(), Log::new(), Log::new());
    let log = errors.clone();
    let client = cx
        .builder()
        .on("x", numbers.writer())
        .on("x", texts.writer())
        .on("x", pairs.writer())
        .on_error(move |error| log.push(error.clone()))
        .connect()?;
    cx.settle(&client)?;
    client.emit("emit", ("x", "a text"))?;
    handled(&client)?;
    let text: Vec<String> = texts.seen();
    ensure_eq!(text, ["a text"], "what the handler of texts got");
    let number: Vec<u32> = numbers.seen();
    ensure_eq!(number, [0; 0], "what the handler of numbers got");
    let pair: Vec<(String, u32)> = pairs.seen();
    ensure!(pair.is_empty(), "the handler of two arguments got {pair:?}");
    name_the_event(&errors.seen())?;

    client.emit("emit", ("x", 7))?;
    handled(&client)?;
    ensure_eq!(
        numbers.seen(),
        [7],
        "what the handler of numbers got afterwards"
    );
    wrong_answers(&client)?;
    // Answers of the wrong type are told to who asked, and to nobody else.
    ensure_eq!(errors.seen().len(), 4, "errors that were told");
    Ok(client.close()?)
}

fn name_the_event(errors: &[Error]) -> Outcome {
    ensure_eq!(
        errors.len(),
        2,
        "errors, one for each handler of another type"
    );
    for error in errors {
        ensure!(
            matches!(error, Error::Decode { what, .. } if what.contains("\"x\"")),
            "the error is {}",
            error.chain()
        );
    }
    Ok(())
}

fn wrong_answers<P: Protocol>(client: &Client<P>) -> Outcome {
    let answer = client.call::<_, u32>("echo", "no number", PATIENCE);
    is_decode_error(answer)?;
    let outcomes = Log::new();
    let log = outcomes.clone();
    client.emit_with_ack(
        "echo",
        "no number",
        Duration::from_secs(5),
        move |answer: sio_core::Result<u32>| {
            log.push(answer);
        },
    )?;
    for outcome in outcomes.wait_for(1, "outcomes")? {
        is_decode_error(outcome)?;
    }
    let answer: String = ask(client, "echo", "no number")?;
    ensure_eq!(answer, "no number", "the same answer as a text");
    Ok(())
}

fn is_decode_error(answer: sio_core::Result<u32>) -> Outcome {
    match answer {
        Err(Error::Decode { what, .. }) if what.contains("echo") => Ok(()),
        other => Err(format!("expected an error about the type, found {other:?}").into()),
    }
}

// --- the shared trait -----------------------------------------------------------------------------------------------

fn c10_4<P: Protocol>(cx: &Context<P>) -> Outcome {
    // The same functions with the client as its own type, and as an object, in the root and in a namespace.
    let client = guarded(cx)?;
    everything(&client)?;
    joins_and_leaves(&client)?;
    client.close()?;
    let boxed: Box<dyn Socket> = Box::new(guarded(cx)?);
    everything(&*boxed)?;
    everything(&*boxed.namespace("/chat").join()?)?;
    joins_and_leaves(&*boxed)?;
    ends(&*boxed)
}

/// A connection to the server that refuses some namespaces.
fn guarded<P: Protocol>(cx: &Context<P>) -> Outcome<Client<P>> {
    let client = cx.builder_for("root-guarded").connect()?;
    cx.settle(&client)?;
    Ok(client)
}

/// A program that knows no protocol: what can be done in a namespace.
fn everything<S: Socket + ?Sized>(socket: &S) -> Outcome {
    ensure!(socket.is_connected(), "it is connected");
    ensure!(socket.id().is_some(), "it has an id");
    asks(socket)?;
    listens(socket)?;
    answers(socket)?;
    sends_messages(socket)?;
    refuses_reserved_names(socket)
}

fn asks<S: Socket + ?Sized>(socket: &S) -> Outcome {
    let (text, list): (String, Vec<u8>) = socket.call("echo", ("é😀", [1, 2]), PATIENCE)?;
    ensure_eq!((text.as_str(), &list[..]), ("é😀", &[1, 2][..]), "an echo");
    let () = socket.call("echo", (), PATIENCE)?;
    let outcomes = Log::new();
    let log = outcomes.clone();
    let then = move |answer: sio_core::Result<u8>| log.push(answer.map_err(|error| error.chain()));
    socket.emit_with_ack("echo", 7, PATIENCE, then)?;
    ensure_eq!(
        outcomes.wait_for(1, "outcomes")?,
        [Ok(7)],
        "what a callback got"
    );
    let limit = Duration::from_millis(50);
    let never = socket.call::<_, ()>("never-ack", (), limit);
    ensure!(
        matches!(never, Err(Error::Timeout { .. })),
        "a question without an answer gave {never:?}"
    );
    Ok(())
}

fn listens<S: Socket + ?Sized>(socket: &S) -> Outcome {
    let (log, all, statuses) = (Log::new(), Log::new(), Log::<String>::new());
    let mut events = socket.events();
    let first = socket.on("x", log.noting("on"));
    socket.once("x", log.noting("once"));
    let any = all.clone();
    socket.on_any(move |event| any.push(format!("any {}", event.name())));
    let unhandled = all.clone();
    socket.on_unhandled(move |event| unhandled.push(format!("unhandled {}", event.name())));
    let watcher = statuses.clone();
    let watching = socket.on_status(move |status| watcher.push(format!("{status:?}")));
    let mut emit = |name: &str| -> Outcome {
        socket.emit("emit", (name, 1))?;
        let event = events_until(&mut events, name)?;
        ensure_eq!(event.decode::<u8>()?, 1, "what came with {name}");
        // The handlers have run once a callback has, which comes behind them.
        let done = Log::new();
        let log = done.clone();
        let then = move |_: sio_core::Result<()>| log.push(());
        socket.emit_with_ack("echo", (), PATIENCE, then)?;
        done.wait_for(1, "callbacks").map(drop)
    };
    for name in ["x", "x", "y"] {
        emit(name)?;
    }
    ensure_eq!(log.seen(), ["on", "once", "on"], "what ran for two events");
    ensure_eq!(
        all.seen(),
        ["any x", "any x", "any y", "unhandled y"],
        "what ran for all events"
    );
    ensure!(
        socket.off(first) && !socket.off(first),
        "it is removed once"
    );
    socket.on("x", log.noting("more"));
    ensure_eq!(socket.off_event("x"), 1, "handlers of x");
    ensure_eq!(socket.off_all(), 2, "handlers of all events");
    emit("x")?;
    ensure_eq!(log.seen().len() + all.seen().len(), 7, "nothing runs");
    ensure!(socket.off(watching), "the handler of status was there");
    ensure!(
        statuses.seen().is_empty(),
        "status changed: {:?}",
        statuses.seen()
    );
    Ok(())
}

/// The next event of a name.
fn events_until(events: &mut Events, name: &str) -> Outcome<Event> {
    let found = events.timeout(PATIENCE).find(|event| event.name() == name);
    found.ok_or_else(|| format!("the event {name:?} did not come").into())
}

fn answers<S: Socket + ?Sized>(socket: &S) -> Outcome {
    let handler = socket.on("question", |(number, text): (u8, String), ack: Ack| {
        ack.send((number + 1, text))
    });
    let (number, text): (u8, String) =
        socket.call("ask", ("question", 41, "é\u{2028}"), PATIENCE)?;
    ensure_eq!(
        (number, text.as_str()),
        (42, "é\u{2028}"),
        "what the server heard"
    );
    ensure!(socket.off(handler), "the handler was there");
    Ok(())
}

fn sends_messages<S: Socket + ?Sized>(socket: &S) -> Outcome {
    let messages = Log::<Value>::new();
    let handler = socket.on("message", messages.writer());
    let sent = [
        Value::from("a text, é"),
        Value::from_iter([("key", Value::from(1))]),
        Value::from_iter([1, 2]),
    ];
    for message in &sent {
        socket.send(message)?;
    }
    ensure_eq!(
        messages.wait_for(sent.len(), "messages")?,
        sent,
        "the messages that came back"
    );
    // On 0.9 the ack of a message is a receipt; later it has values, which a program may leave alone.
    let () = socket.send_and_wait("received?", PATIENCE)?;
    let outcomes = Log::new();
    let log = outcomes.clone();
    let then = move |answer: sio_core::Result<()>| log.push(answer.is_ok());
    socket.send_with_ack("received?", PATIENCE, then)?;
    ensure_eq!(outcomes.wait_for(1, "receipts")?, [true], "the receipt");
    ensure!(socket.off(handler), "the handler was there");
    Ok(())
}

fn refuses_reserved_names<S: Socket + ?Sized>(socket: &S) -> Outcome {
    for name in ["disconnect", "error", "newListener"] {
        let refused = socket.emit(name, ());
        ensure!(
            matches!(refused, Err(Error::Usage(UsageError::ReservedName(_)))),
            "emitting {name:?} gave {refused:?}"
        );
    }
    Ok(())
}

fn joins_and_leaves<S: Socket + ?Sized>(socket: &S) -> Outcome {
    let greetings = Log::<Value>::new();
    let handlers = Handlers::new().on("welcome", greetings.writer());
    let news = socket.namespace("/news").handlers(handlers).join()?;
    ensure_eq!(news.name(), "/news", "the name of the handle");
    let greeting = greetings.wait_for(1, "greetings")?;
    ensure_eq!(greeting[0]["nsp"], "/news", "who greets");
    news.disconnect()?;
    ensure!(!news.is_connected(), "it was left");
    let left = news.emit("echo", 1);
    ensure!(
        matches!(left, Err(Error::Disconnected(DisconnectReason::Client))),
        "emitting where it was left gave {left:?}"
    );
    match socket.namespace("/admin").join() {
        Err(Error::Refused { namespace, .. }) => {
            ensure_eq!(&*namespace, "/admin", "the namespace in the error");
        }
        other => {
            let found = other.map(|_| "a handle");
            return Err(format!("a refusal gave {found:?}").into());
        }
    }
    ensure!(socket.is_connected(), "the connection stays");
    Ok(())
}

fn ends<S: Socket + ?Sized>(socket: &S) -> Outcome {
    let mut events = socket.events();
    let ends = Log::new();
    let log = ends.clone();
    socket.on_status(move |status| {
        if let Status::Disconnected(reason) = status {
            log.push(matches!(reason, DisconnectReason::Client));
        }
    });
    socket.close()?;
    socket.close()?;
    ensure!(!socket.is_connected(), "it is closed");
    ensure_eq!(socket.id(), None, "its id");
    ensure_eq!(
        ends.wait_for(1, "ends")?,
        [true],
        "whether the client closed it"
    );
    until_closed(&mut events).map(drop)
}
