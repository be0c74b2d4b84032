//! Events and acks as every protocol has them: what the suites of each show with their own servers.

use std::sync::mpsc;

use serde_json::{Value as Json, json};
use sio_core::session::Session;
use sio_core::{Ack, Error, UsageError, Value};
use sio_net::Client;

use super::catalogue;
use super::kit::{Log, ask, call_values, handled, travels};
use crate::case::{Failure, Outcome};
use crate::context::{Context, PATIENCE};
use crate::{ensure, ensure_eq};

/// A question by name, its arguments, and the values of the answer.
pub(super) type Exchange<'a> = (&'a str, Vec<Json>, Json);

/// Values of every kind arrive unchanged, as none, one or several arguments.
pub(super) fn any_number_of_arguments<P: Session>(cx: &Context<P>) -> Outcome {
    let client = cx.connect()?;
    for entry in catalogue::VALUES {
        travels(cx, &client, entry)?;
    }
    let () = ask(&client, "echo", ())?;
    let one: String = ask(&client, "echo", "one")?;
    ensure_eq!(one, "one", "one argument");
    let three: (u8, String, Option<bool>) = ask(&client, "echo", (1, "two", None::<bool>))?;
    ensure_eq!(three, (1, "two".to_owned(), None), "three arguments");
    Ok(client.close()?)
}

/// Values that are false to JavaScript, and lists, are no other values and no several arguments.
pub(super) fn falsy_values_and_lists<P: Session>(cx: &Context<P>) -> Outcome {
    let client = cx.connect()?;
    for entry in catalogue::FALSY {
        travels(cx, &client, entry)?;
    }
    let lists = [Value::from(vec![1, 2]), Value::Array(Vec::new())];
    ensure_eq!(call_values(&client, "echo", &lists)?, lists, "two lists");
    ensure_eq!(
        call_values(&client, "echo", &lists[..1])?,
        lists[..1],
        "a list"
    );
    let numbers: Vec<u8> = ask(&client, "echo", vec![1, 2])?;
    ensure_eq!(numbers, [1, 2], "a list, typed");
    let empty: Vec<u8> = ask(&client, "echo", Vec::<u8>::new())?;
    ensure_eq!(empty, [0; 0], "an empty list, typed");
    let one: Vec<Vec<u8>> = ask(&client, "echo", vec![vec![1], vec![]])?;
    ensure_eq!(one, [vec![1], vec![]], "a list of lists, typed");
    Ok(client.close()?)
}

/// What handlers reply reaches the server's callback: nothing, one value, a list, and whatever else the caller has
/// registered handlers for; and an answer that is given on another thread, long after the handler has returned.
pub(super) fn replies<P: Session>(
    cx: &Context<P>,
    place: &Client<P>,
    more: Vec<Exchange<'_>>,
) -> Outcome {
    place.on("none", |(): (), ack: Ack| ack.send(()));
    place.on("one", |text: String, ack: Ack| {
        ack.send(format!("{text}, é😀"))
    });
    place.on("list", |(): (), ack: Ack| ack.send(vec![1, 2]));
    let usual = [
        ("none", vec![], json!([])),
        ("one", vec![json!("who")], json!(["who, é😀"])),
        ("list", vec![], json!([[1, 2]])),
    ];
    for (question, args, answer) in usual.into_iter().chain(more) {
        let emitted = cx.control().ask(place.name(), question, &args)?;
        ensure_eq!(
            emitted.answers,
            [answer],
            "the answer to {question:?} in {}",
            place.name()
        );
    }
    reply_from_another_thread(cx, place)
}

fn reply_from_another_thread<P: Session>(cx: &Context<P>, place: &Client<P>) -> Outcome {
    let (later, waiting) = mpsc::channel::<Ack>();
    place.on("later", move |(): (), ack: Ack| later.send(ack));
    let mut events = place.events();
    place.emit("ask", "later")?;
    let ack = waiting
        .recv_timeout(PATIENCE)
        .map_err(|_| Failure::from("the question did not come"))?;
    handled(place)?;
    ensure!(ack.is_wanted(), "the server wants an answer");
    ack.send(("here", 1))?;
    let answer = cx.next_event(&mut events, "answer")?;
    ensure_eq!(
        answer.values()?,
        [Value::from("here"), 1.into()],
        "what the server got"
    );
    Ok(())
}

/// A handler of `question` that replies twice: the second call says so. `ask` makes the server ask.
pub(super) fn second_reply_is_refused<P: Session>(
    client: &Client<P>,
    ask: impl FnOnce() -> Outcome,
) -> Outcome {
    let replies = Log::new();
    let log = replies.clone();
    client.on("question", move |(): (), ack: Ack| {
        for answer in ["first", "second"] {
            log.push(ack.clone().send(answer).map_err(|error| error.chain()));
        }
    });
    ask()?;
    let outcomes = replies.wait_for(2, "replies")?;
    let twice = Error::from(UsageError::AnsweredTwice).chain();
    ensure_eq!(
        outcomes,
        [Ok(()), Err(twice)],
        "what the two calls returned"
    );
    handled(client)
}

/// Acks that nobody asked for, and the second of two, are dropped and counted; the connection goes on.
pub(super) fn unasked_acks_are_counted<P: Session>(cx: &Context<P>) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for (place, before) in [(&client, 0), (&chat, 2)] {
        place.emit("unknown-ack", (4242, "unasked"))?;
        handled(place)?;
        ensure_eq!(
            client.counters().unknown_acks,
            before + 1,
            "acks nobody asked for"
        );
        let answer: String = ask(place, "twice-ack", ())?;
        ensure_eq!(answer, "first", "the answer that counts");
        handled(place)?;
        ensure_eq!(
            client.counters().unknown_acks,
            before + 2,
            "with the second of two acks"
        );
        let answer: String = ask(place, "echo", "alive")?;
        ensure_eq!(answer, "alive", "an echo afterwards");
    }
    Ok(client.close()?)
}
