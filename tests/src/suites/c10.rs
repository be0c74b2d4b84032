//! C10: threads and types.

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use sio_core::session::Session;
use sio_core::{
    Ack, Args, DisconnectReason, Encoded, Error, Event, Events, HandlerId, Handlers, Limits,
    Socket, Status, Transport, UsageError, Value,
};
use sio_net::{Client, ClientBuilder, NamespaceBuilder, UpgradeMemory, WeakClient};

use super::kit::{Log, ask, handled};
use crate::case::{ALL, Case, Outcome};
use crate::context::{Context, PATIENCE};
use crate::{ensure, ensure_eq};

/// The cases.
#[must_use]
pub fn cases<P: Session>() -> Vec<Case<P>> {
    let case = |id, title, run| Case {
        id,
        title,
        modes: ALL,
        run,
    };
    vec![
        case(
            "C10.1",
            "handles are cloned and shared between threads",
            c10_1,
        ),
        case(
            "C10.3",
            "a payload of the wrong type is an error of that handler or caller only",
            c10_3,
        ),
    ]
}

// --- threads --------------------------------------------------------------------------------------------------------

fn is_shared<T: Send + Sync + 'static>() {}
fn is_sent<T: Send + 'static>() {}
fn is_cloned<T: Clone>() {}

/// Compiles only if everything has what it promises.
fn types_are_for_threads<P: Session>() {
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

fn c10_1<P: Session>(cx: &Context<P>) -> Outcome {
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

// --- types ----------------------------------------------------------------------------------------------------------

fn c10_3<P: Session>(cx: &Context<P>) -> Outcome {
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

fn wrong_answers<P: Session>(client: &Client<P>) -> Outcome {
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
