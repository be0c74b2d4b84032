//! V6: events and acks.

use std::sync::mpsc;

use bytes::Bytes;
use serde_json::json;
use sio_core::{Ack, Encoded, Error, Socket, Status, UsageError, Value};
use sio_v1::{Client, Session};

use super::kit::{Log, Sequence, all_travel, ask, call_values, received_texts, sequences};
use super::{catalogue, exchanges};
use crate::case::{Case, Failure, Outcome};
use crate::context::{Context, PATIENCE};
use crate::control;
use crate::{ensure, ensure_eq};

type Cx = Context<Session>;

/// Names that belong to the life of a socket on one of the two sides.
const RESERVED: [&str; 15] = [
    "connect",
    "connect_error",
    "connect_timeout",
    "connecting",
    "disconnect",
    "disconnecting",
    "error",
    "newListener",
    "ping",
    "pong",
    "reconnect",
    "reconnect_attempt",
    "reconnect_error",
    "reconnect_failed",
    "reconnecting",
];

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    let case = Case::everywhere;
    vec![
        case(
            "V6.1",
            "no, one and many arguments arrive, in order, both ways",
            exchanges::any_number_of_arguments,
        ),
        case(
            "V6.2",
            "null, false, 0 and what is empty arrives as such; a list is one argument",
            exchanges::falsy_values_and_lists,
        ),
        case(
            "V6.3",
            "Unicode, control characters included, arrives unchanged, also in a namespace",
            v6_3,
        ),
        case("V6.4", "bursts keep their order, both ways", v6_4),
        case(
            "V6.4b",
            "a burst larger than one request may be arrives, in order",
            v6_4b,
        ),
        case("V6.5", "`send` is a `message` event, both ways", v6_5),
        case(
            "V6.6",
            "reserved names are refused, and nothing is sent",
            v6_6,
        ),
        case(
            "V6.7",
            "an ack brings no, one or many values, also in a namespace",
            v6_7,
        ),
        case(
            "V6.8",
            "the server's questions are answered: no values, many, bytes, later",
            v6_8,
        ),
        case(
            "V6.9",
            "of two replies one leaves, and the second call says so",
            v6_9,
        ),
        case(
            "V6.10",
            "acks nobody waits for are ignored and counted",
            exchanges::unasked_acks_are_counted,
        ),
        case(
            "V6.11",
            "what the server sends on connection is delivered after the connect",
            v6_11,
        ),
    ]
}

fn v6_3(cx: &Cx) -> Outcome {
    all_travel(cx, catalogue::TEXTS)?;
    let client = cx.builder().connect()?;
    cx.settle(&client)?;
    for text in ["é", "한글", "😀👩‍👩‍👧", "\u{0}\u{2028}\u{fffd}\u{ffff}"] {
        let back: String = ask(&client, "echo", text)?;
        ensure_eq!(back, text, "a text that came back");
        // What the server hashes is what it has in memory, without a way back over the wire.
        let of_text: Value = ask(&client, "digest", text)?;
        let of_bytes: Value = ask(&client, "digest", Bytes::from(text))?;
        ensure_eq!(
            of_text["bytes"],
            text.len(),
            "the length of {text:?} on the server"
        );
        ensure_eq!(
            of_text["sha1"],
            of_bytes["sha1"],
            "the hash of {text:?} on the server"
        );
    }
    Ok(client.close()?)
}

fn v6_4(cx: &Cx) -> Outcome {
    const COUNT: usize = 500;
    let ticks = Log::new();
    // Not settled: in the mode with an upgrade the bursts meet it.
    let client = cx.builder().on("tick", ticks.writer()).connect()?;
    client.emit("burst", json!({"count": COUNT}))?;
    for index in 0..COUNT {
        client.emit("seq", (0, index))?;
    }
    let came: Vec<usize> = ticks.wait_for(COUNT, "the server's ticks")?;
    ensure!(
        came.iter().copied().eq(0..COUNT),
        "the ticks came as {came:?}"
    );
    let report = sequences(&client)?;
    ensure_eq!(
        report.get("0"),
        Some(&Sequence::complete(COUNT)),
        "what the server got"
    );
    Ok(client.close()?)
}

fn v6_4b(cx: &Cx) -> Outcome {
    // Servers from 2.5 on take 1,000,000 bytes at once by default, and this is three times as much.
    const COUNT: usize = 300;
    let client = cx.connect()?;
    let payload = Bytes::from(vec![b'x'; 10_000]);
    for index in 0..COUNT {
        client.emit("seq", (0, index))?;
        client.emit("sink", &payload)?;
    }
    let report = sequences(&client)?;
    ensure!(
        report
            .get("0")
            .is_some_and(|seen| seen.count == COUNT && seen.in_order),
        "the server got {report:?}"
    );
    let events: usize = ask(&client, "count", ())?;
    ensure_eq!(events, 2 * COUNT + 1, "events the server got");
    Ok(client.close()?)
}

fn v6_5(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for place in [&client, &chat] {
        let messages = Log::new();
        place.on("message", messages.writer());
        place.send("hello")?;
        place.send(("two", 2))?;
        let came: Vec<(String, Option<u8>)> = messages.wait_for(2, "messages")?;
        let expected = [("hello".to_owned(), None), ("two".to_owned(), Some(2))];
        ensure_eq!(came, expected, "the messages that came back");
    }
    let texts = received_texts(cx)?;
    for expected in [r#"2["message","hello"]"#, r#"2/chat,["message","two",2]"#] {
        ensure!(
            texts.iter().any(|text| text == expected),
            "the server did not get {expected}: {texts:?}"
        );
    }
    Ok(client.close()?)
}

fn v6_6(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for place in [&client, &chat] {
        let before: u64 = ask(place, "count", ())?;
        for name in RESERVED {
            is_reserved(name, place.emit(name, 1))?;
            is_reserved(name, place.call::<_, Value>(name, 1, PATIENCE))?;
            let asked = place.emit_with_ack(name, 1, PATIENCE, |_: sio_core::Result<Value>| {});
            is_reserved(name, asked)?;
        }
        let after: u64 = ask(place, "count", ())?;
        ensure_eq!(
            after,
            before + 1,
            "events the server got besides the first count"
        );
    }
    Ok(client.close()?)
}

fn is_reserved<T>(name: &str, result: sio_core::Result<T>) -> Outcome {
    match result {
        Err(Error::Usage(UsageError::ReservedName(reserved))) => {
            ensure_eq!(reserved, name, "the name in the error");
            Ok(())
        }
        Err(error) => Err(format!("{name:?} gave another error: {error}").into()),
        Ok(_) => Err(format!("{name:?} was taken").into()),
    }
}

fn v6_7(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for place in [&client, &chat] {
        for entry in [
            "none",
            "null",
            "text",
            "list",
            "many",
            "falsy",
            "bytes-nested",
        ] {
            let expected = catalogue::entry(entry);
            let waited = call_values(place, "reply", &[entry.into()])?;
            ensure_eq!(
                waited,
                expected,
                "the answer {entry} to a call in {}",
                place.name()
            );
            let called_back = call_back(place, entry)?;
            ensure_eq!(
                called_back,
                expected,
                "the answer {entry} to a callback in {}",
                place.name()
            );
        }
    }
    Ok(client.close()?)
}

/// The values of an entry as an answer to a callback.
fn call_back(place: &Client, entry: &str) -> Outcome<Vec<Value>> {
    let (sender, receiver) = mpsc::channel();
    let payload =
        Encoded::event("reply", &entry).map_err(|error| Failure::from(error.to_string()))?;
    let then = Box::new(move |answer| drop(sender.send(answer)));
    place.ask_encoded("reply", payload, PATIENCE, then)?;
    let answer = receiver
        .recv_timeout(2 * PATIENCE)
        .map_err(|_| Failure::from("the callback had no outcome"))??;
    ensure!(receiver.recv().is_err(), "the callback ran twice");
    answer.to_values().map_err(|error| error.to_string().into())
}

fn v6_8(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for place in [&client, &chat] {
        place.on("bytes", |(bytes, number): (Bytes, u8), ack: Ack| {
            ack.send((bytes, number, None::<u8>))
        });
        let with_bytes = (
            "bytes",
            vec![control::bytes(b"\0\xff"), json!(7)],
            json!([control::bytes(b"\0\xff"), 7, null]),
        );
        exchanges::replies(cx, place, vec![with_bytes])?;
    }
    Ok(client.close()?)
}

fn v6_9(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    exchanges::second_reply_is_refused(&client, || {
        let emitted = cx.control().ask("/", "question", &[])?;
        ensure_eq!(emitted.answers, [json!(["first"])], "what the server got");
        Ok(())
    })?;
    let texts = received_texts(cx)?;
    let acks: Vec<&String> = texts.iter().filter(|text| text.starts_with('3')).collect();
    ensure!(
        acks.len() == 1 && acks[0].ends_with(r#"["first"]"#),
        "the server got the acks {acks:?}"
    );
    Ok(client.close()?)
}

fn v6_11(cx: &Cx) -> Outcome {
    // On the guarded server 2.0.4 forgets the root's connect packet: the first event has to stand for it.
    for variant in ["main", "nsp-guarded", "root-guarded"] {
        let (in_root, in_chat) = (Log::new(), Log::new());
        let client = cx
            .builder_for(variant)
            .on_status(connects(&in_root))
            .on_any(names(&in_root))
            .connect()?;
        client
            .namespace("/chat")
            .on_status(connects(&in_chat))
            .on_any(names(&in_chat))
            .join()?;
        for log in [in_root, in_chat] {
            let order = log.wait_for(4, "things at the beginning")?;
            let expected = ["connected", "welcome", "welcome-bytes", "welcome-question"];
            ensure_eq!(
                order[..4],
                expected,
                "the order at the beginning on {variant}"
            );
        }
        client.close()?;
    }
    Ok(())
}

fn connects(log: &Log<String>) -> impl FnMut(&Status) + Send + 'static {
    let log = log.clone();
    move |status| {
        if matches!(status, Status::Connected { .. }) {
            log.push("connected".to_owned());
        }
    }
}

fn names(log: &Log<String>) -> impl FnMut(&sio_core::Event) + Send + 'static {
    let log = log.clone();
    move |event| log.push(event.name().to_owned())
}
