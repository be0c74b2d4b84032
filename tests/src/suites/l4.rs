//! L4: messages, events and acks on 0.9.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use sio_core::{Ack, DisconnectReason, Error, UsageError, Value};
use sio_legacy::Session;

use super::kit::{
    Log, Sequence, Several, all_travel, ask, call_values, handled, many_at_once_arrive, sequences,
};
use super::legacy_kit::{
    Cx, HTTP, acks_received, asked, count_received, outcome, received, the_end, wait_received,
};
use super::{catalogue, exchanges};
use crate::case::{Case, Mode, Outcome, WEBSOCKET};
use crate::context::{PATIENCE, StatusLog};
use crate::control::Question;
use crate::{ensure, ensure_eq};

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case<Session>> {
    let case = Case::everywhere;
    vec![
        case(
            "L4.1",
            "text reaches the server's message handler, and comes back",
            l4_1,
        ),
        case("L4.2", "so does JSON", l4_2),
        case(
            "L4.3",
            "no, one and many arguments arrive, in order, both ways",
            exchanges::any_number_of_arguments,
        ),
        case(
            "L4.3b",
            "null, false, 0 and what is empty arrives as such",
            exchanges::falsy_values_and_lists,
        ),
        case(
            "L4.3c",
            "odd event names, and names with a meaning of their own",
            l4_3c,
        ),
        case("L4.4", "bursts of 1,000 keep their order, both ways", l4_4),
        Case {
            id: "L4.4b",
            title: "3,000 small events at once do not end a server",
            modes: WEBSOCKET,
            run: l4_4b,
        },
        case("L4.5", "an ack brings no, one or many values", l4_5),
        case("L4.6", "a message's receipt is told", l4_6),
        case(
            "L4.7",
            "the server's plain acks are answered without the program",
            l4_7,
        ),
        case("L4.8", "its data acks by the handler's reply alone", l4_8),
        case(
            "L4.9",
            "of two replies one leaves, and the second call says so",
            l4_9,
        ),
        case(
            "L4.9b",
            "of two acks for one question the first counts",
            exchanges::unasked_acks_are_counted,
        ),
        case("L4.10", "acks stay in their namespace, both ways", l4_10),
        case(
            "L4.11",
            "Unicode arrives unchanged, as events and as messages",
            l4_11,
        ),
        case("L4.11b", "a lone surrogate arrives as U+FFFD", l4_11b),
        case("L4.12", "bytes are refused, and nothing is sent", l4_12),
        case(
            "L4.12b",
            "a reply with bytes is refused, another one leaves",
            l4_12b,
        ),
        case("L4.12c", "a message is exactly one value", l4_12c),
        case(
            "L4.12d",
            "reserved names are refused, and nothing is sent",
            l4_12d,
        ),
        case("L4.13", "1 MiB arrives intact, both ways", l4_13),
        Case {
            id: "L4.13b",
            title: "a frame of 65,536 bytes, whose length is written as 0, arrives whole",
            modes: WEBSOCKET,
            run: l4_13b,
        },
        Case {
            id: "L4.13c",
            title: "more than the server takes: the session ends, and says so",
            modes: HTTP,
            run: l4_13c,
        },
        Case {
            id: "L4.13d",
            title: "the input budget of a WebSocket is over: the server disconnects",
            modes: WEBSOCKET,
            run: l4_13d,
        },
    ]
}

// --- messages -------------------------------------------------------------------------------------------------------

fn l4_1(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for place in [&client, &chat] {
        let before: u64 = ask(place, "count", ())?;
        let messages = Log::new();
        place.on("message", messages.writer());
        for text in ["one", "two", "{\"three\":3}"] {
            place.send(text)?;
        }
        // By itself, too.
        place.emit("send", "of the server")?;
        let came: Vec<String> = messages.wait_for(4, "messages")?;
        let expected = ["one", "two", "{\"three\":3}", "of the server"];
        ensure_eq!(came, expected, "the messages in {}", place.name());
        let after: u64 = ask(place, "count", ())?;
        // The first count, three messages and what made the server send one.
        ensure_eq!(after - before, 5, "what the server got in {}", place.name());
    }
    // Text that is not ASCII may go as JSON, which makes no difference.
    let texts = received(cx)?;
    let messages = texts.iter().filter(|text| text.starts_with("3:")).count();
    ensure_eq!(messages, 6, "text packets");
    Ok(client.close()?)
}

fn l4_2(cx: &Cx) -> Outcome {
    let values = [
        json!({"a": {"b": [1, null, true]}, "é": "ü😀"}),
        json!([]),
        json!([[1], "two"]),
        json!(null),
        json!(true),
        json!(0),
        json!(1e21),
    ];
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for place in [&client, &chat] {
        let mut events = place.events();
        for value in &values {
            // `null` alone would be no value.
            let value = [Value::from(value.clone())];
            place.send(Several(&value))?;
            let message = cx.next_event(&mut events, "message")?;
            ensure_eq!(message.values()?, value, "what came back");
            place.emit("send-json", Several(&value))?;
            let message = cx.next_event(&mut events, "message")?;
            ensure_eq!(message.values()?, value, "what the server sent");
            ensure_eq!(message.namespace(), place.name(), "where");
        }
    }
    let texts = received(cx)?;
    let count = texts.iter().filter(|text| text.starts_with("4:")).count();
    ensure_eq!(count, 2 * values.len(), "JSON packets");
    Ok(client.close()?)
}

fn l4_6(cx: &Cx) -> Outcome {
    const COUNT: usize = 100;
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for place in [&client, &chat] {
        let messages = Log::new();
        place.on("message", messages.writer());
        let () = place.send_and_wait("text", PATIENCE)?;
        let () = place.send_and_wait(json!({"json": 1}), PATIENCE)?;
        let () = place.send_and_wait("é", PATIENCE)?;
        let came: Vec<Value> = messages.wait_for(3, "messages")?;
        let expected = [json!("text"), json!({"json": 1}), json!("é")].map(Value::from);
        ensure_eq!(came, expected, "messages of which a receipt was wanted");
        let receipts = Log::new();
        for index in 0..COUNT {
            let log = receipts.clone();
            place.send_with_ack(
                format!("m{index}"),
                PATIENCE,
                move |receipt: sio_core::Result<()>| {
                    log.push((index, receipt.is_ok()));
                },
            )?;
        }
        let told = receipts.wait_for(COUNT, "receipts")?;
        ensure!(told.iter().all(|(_, came)| *came), "receipts: {told:?}");
        let indices: BTreeSet<usize> = told.iter().map(|(index, _)| *index).collect();
        ensure_eq!(indices.len(), COUNT, "messages with a receipt");
    }
    Ok(client.close()?)
}

// --- events ---------------------------------------------------------------------------------------------------------

fn l4_3c(cx: &Cx) -> Outcome {
    // The last of them are lifecycle events of other protocols, or of the server's own sockets.
    const NAMES: [&str; 8] = [
        "",
        "a,b:\n\"c\"",
        "😀",
        "with space",
        "message",
        "connect",
        "ping",
        "reconnect",
    ];
    let client = cx.connect()?;
    let mut events = client.events();
    for name in NAMES {
        // A server's own handlers listen to `connect`; from the server it is like any other.
        client.emit("emit", (name, "from the server"))?;
        let event = cx.next_event(&mut events, name)?;
        ensure_eq!(event.values()?, ["from the server"], "the event {name:?}");
        if name != "connect" {
            let answer = call_values(&client, name, &["to the server".into()])?;
            ensure_eq!(answer, ["to the server"], "the answer to {name:?}");
        }
    }
    Ok(client.close()?)
}

fn l4_4(cx: &Cx) -> Outcome {
    const COUNT: usize = 1000;
    let (ticks, ends) = (Log::new(), Log::new());
    let client = cx
        .builder()
        .on("tick", ticks.writer())
        .on("tick-end", ends.writer())
        .connect()?;
    client.emit("burst", json!({"count": COUNT}))?;
    for index in 0..COUNT {
        client.emit("seq", (0, index))?;
    }
    let came: Vec<usize> = ticks.wait_for(COUNT, "the server's ticks")?;
    ensure!(
        came.iter().copied().eq(0..COUNT),
        "the ticks came as {came:?}"
    );
    let end: Vec<usize> = ends.wait_for(1, "ends of the burst")?;
    ensure_eq!(end, [COUNT], "the end of the burst");
    let report = sequences(&client)?;
    ensure_eq!(
        report.get("0"),
        Some(&Sequence::complete(COUNT)),
        "what the server got"
    );
    let events: usize = ask(&client, "count", ())?;
    // The burst's beginning and the report as well.
    ensure_eq!(events, COUNT + 2, "events the server got");
    ensure_eq!(client.counters().tolerated, 0, "things let pass");
    Ok(client.close()?)
}

/// All at once, they overflow the server's stack.
fn l4_4b(cx: &Cx) -> Outcome {
    const COUNT: usize = 3000;
    let client = cx.connect()?;
    many_at_once_arrive(&client, COUNT)?;
    ensure_eq!(client.counters().tolerated, 0, "things let pass");
    Ok(client.close()?)
}

// --- acks -----------------------------------------------------------------------------------------------------------

fn l4_5(cx: &Cx) -> Outcome {
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
            "separators",
            "escapes",
        ] {
            let expected = catalogue::entry(entry);
            let waited = call_values(place, "reply", &[entry.into()])?;
            ensure_eq!(waited, expected, "the answer {entry} in {}", place.name());
        }
    }
    Ok(client.close()?)
}

/// The questions the server asked, but for the one of its connection handler.
fn questions(cx: &Cx, nsp: &str) -> Outcome<Vec<Question>> {
    let mut questions = cx.control().questions()?;
    questions.retain(|question| question.nsp == nsp);
    Ok(questions)
}

fn l4_7(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for (place, endpoint) in [(&client, ""), (&chat, "/chat")] {
        let questions_seen = Log::new();
        for name in ["question", "message"] {
            let log = questions_seen.clone();
            place.on(name, move |text: Value, ack: Ack| {
                log.push((text, ack.is_wanted()));
                // Nobody wants it, so it is not sent.
                ack.send("too much")
            });
        }
        place.emit("ask-plain", ("question", 1))?;
        place.emit("ask-send", "text")?;
        place.emit("ask-send-json", json!({"json": 1}))?;
        place.emit("ask-plain", "nobody listens")?;
        let answered = cx.until("answers to four questions", || {
            let questions = questions(cx, place.name())?;
            let answered = questions
                .iter()
                .filter(|question| question.answers > 0)
                .count();
            Ok((answered == 4).then_some(questions))
        })?;
        let how: Vec<&str> = answered.iter().map(|question| &*question.how).collect();
        ensure_eq!(how, ["plain", "message", "json", "plain"], "what was asked");
        for question in &answered {
            ensure_eq!(question.answers, 1, "answers to {question:?}");
            ensure_eq!(question.values, Some(json!([])), "values for {question:?}");
        }
        handled(place)?;
        let expected = [json!(1), json!("text"), json!({"json": 1})];
        let expected = expected.map(|value| (Value::from(value), false));
        ensure_eq!(questions_seen.seen(), expected, "what the program saw");
        let acks = acks_received(cx)?;
        let bare = |ack: &&String| {
            let id = ack.strip_prefix(&format!("6::{endpoint}:"));
            id.is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let count = acks.iter().filter(bare).count();
        ensure_eq!(count, 4, "bare acks in {endpoint:?} among {acks:?}");
    }
    ensure_eq!(acks_received(cx)?.len(), 8, "acks");
    Ok(client.close()?)
}

fn l4_8(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for place in [&client, &chat] {
        // Nobody replies: neither to this nor to the question of the connection handler.
        place.emit("ask", "unheard")?;
        place.on("kept", |(): (), _: Ack| ());
        place.emit("ask", "kept")?;
        handled(place)?;
    }
    ensure!(
        acks_received(cx)?.is_empty(),
        "acks: {:?}",
        acks_received(cx)?
    );
    for place in [&client, &chat] {
        let asked = questions(cx, place.name())?;
        let answers: Vec<u64> = asked.iter().map(|question| question.answers).collect();
        ensure_eq!(answers, [0, 0], "answers to questions nobody replied to");
    }
    for place in [&client, &chat] {
        place.on("odd", |(): (), ack: Ack| {
            ack.send(("a\u{2028}b\r\n+", None::<u8>, 1e21))
        });
        // Raw, this would arrive as no values at all.
        let odd = json!(["a\u{2028}b\r\n+", null, 1e21]);
        exchanges::replies(cx, place, vec![("odd", vec![], odd)])?;
    }
    let acks = acks_received(cx)?;
    let well_formed = |ack: &String| {
        let data = ack.split_once('+').map(|(_, data)| data);
        data.is_none_or(|data| data.starts_with('[') && data.ends_with(']') && data.is_ascii())
    };
    ensure!(
        acks.iter().all(well_formed),
        "an ack is no ASCII list: {acks:?}"
    );
    Ok(client.close()?)
}

fn l4_9(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    exchanges::second_reply_is_refused(&client, || Ok(client.emit("ask", "question")?))?;
    let asked = questions(cx, "/")?;
    ensure_eq!(asked.len(), 1, "questions");
    // A second one would have run the server's callback again.
    ensure_eq!(asked[0].answers, 1, "answers the server got");
    ensure_eq!(asked[0].values, Some(json!(["first"])), "the answer it got");
    ensure_eq!(acks_received(cx)?.len(), 1, "acks");
    Ok(client.close()?)
}

fn l4_10(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    let news = client.namespace("/news").join()?;
    // The first question of each namespace has the number 1, and they are out at the same time.
    let places = [&client, &chat, &news];
    let answers = Log::new();
    for (place, delay) in places.into_iter().zip([300, 200, 100]) {
        let (log, name) = (answers.clone(), place.name().to_owned());
        place.emit_with_ack("late-ack", (delay, place.name()), PATIENCE, move |answer| {
            let answer: sio_core::Result<String> = answer;
            log.push((name, answer.map_err(|error| error.chain())));
        })?;
    }
    let came = answers.wait_for(3, "answers")?;
    for (name, answer) in came {
        ensure_eq!(answer, Ok(name), "an answer of its own namespace");
    }
    for endpoint in ["", "/chat", "/news"] {
        let question = received(cx)?
            .into_iter()
            .find(|text| text.starts_with(&format!("5:1+:{endpoint}:")));
        ensure!(question.is_some(), "no question 1 in {endpoint:?}");
    }
    // An ack of another namespace is nobody's.
    let waiting = asked(&chat, "never-ack")?;
    let before = client.counters().unknown_acks;
    client.emit("raw", "6:::2+[\"of the root\"]")?;
    handled(&news)?;
    ensure_eq!(
        client.counters().unknown_acks,
        before + 1,
        "acks nobody asked for"
    );
    client.emit("raw", "6::/chat:2+[\"of its own\"]")?;
    ensure_eq!(outcome(&waiting)?, ["of its own"], "the answer in /chat");
    // What the client answers has the namespace of the question.
    for place in [&chat, &news] {
        place.on("who", |name: String, ack: Ack| ack.send(name));
        let answers = cx
            .control()
            .ask(place.name(), "who", &[place.name().into()])?
            .answers;
        ensure_eq!(
            answers,
            [json!([place.name()])],
            "the answer in {}",
            place.name()
        );
    }
    let acks = acks_received(cx)?;
    for endpoint in ["/chat", "/news"] {
        let count = acks
            .iter()
            .filter(|ack| ack.starts_with(&format!("6::{endpoint}:")))
            .count();
        ensure_eq!(count, 1, "acks with {endpoint} among {acks:?}");
    }
    Ok(client.close()?)
}

// --- text -----------------------------------------------------------------------------------------------------------

fn l4_11(cx: &Cx) -> Outcome {
    all_travel(cx, catalogue::TEXTS)?;
    let client = cx.builder().connect()?;
    let mut events = client.events();
    for entry in catalogue::TEXTS {
        for value in catalogue::entry(entry) {
            let value = [value];
            client.send(Several(&value))?;
            let message = cx.next_event(&mut events, "message")?;
            ensure_eq!(
                message.values()?,
                value,
                "a message of {entry} that came back"
            );
            let event = if value[0].as_str().is_some() {
                "send"
            } else {
                "send-json"
            };
            client.emit(event, Several(&value))?;
            let message = cx.next_event(&mut events, "message")?;
            ensure_eq!(
                message.values()?,
                value,
                "a message of {entry} from the server"
            );
        }
    }
    for text in ["é", "한글", "😀👩‍👩‍👧", "\u{0}\u{2028}\u{fffd}\u{ffff}"] {
        let back: String = ask(&client, "echo", text)?;
        ensure_eq!(back, text, "a text that came back");
        // What the server measures is what it has in memory.
        let digest: Value = ask(&client, "digest", text)?;
        ensure_eq!(
            digest["bytes"],
            text.len(),
            "the length of {text:?} on the server"
        );
    }
    Ok(client.close()?)
}

fn l4_11b(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let mut events = client.events();
    client.emit("type", "lone-surrogate")?;
    let event = cx.next_event(&mut events, "type-lone-surrogate")?;
    ensure_eq!(event.values()?, ["x\u{fffd}y"], "the event");
    let answer = call_values(&client, "reply", &["lone-surrogate".into()])?;
    ensure_eq!(answer, ["x\u{fffd}y"], "the answer");
    cx.exchange(&client)?;
    Ok(client.close()?)
}

// --- what this protocol has not -------------------------------------------------------------------------------------

fn is_unsupported<T: std::fmt::Debug>(what: &str, result: sio_core::Result<T>) -> Outcome {
    ensure!(
        matches!(result, Err(Error::Usage(UsageError::Unsupported { .. }))),
        "{what} gave {result:?}"
    );
    Ok(())
}

fn l4_12(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for place in [&client, &chat] {
        let before: u64 = ask(place, "count", ())?;
        let sent = received(cx)?.len();
        let bytes = Bytes::from_static(b"\0\xff");
        is_unsupported("emit", place.emit("sink", &bytes))?;
        is_unsupported(
            "emit, nested",
            place.emit("sink", ("x", vec![Some(&bytes)])),
        )?;
        is_unsupported("emit, empty", place.emit("sink", Bytes::new()))?;
        is_unsupported("call", place.call::<_, Value>("echo", &bytes, PATIENCE))?;
        let none = |_: sio_core::Result<Value>| ();
        is_unsupported("ask", place.emit_with_ack("echo", &bytes, PATIENCE, none))?;
        is_unsupported("send", place.send(&bytes))?;
        is_unsupported("a receipt", place.send_and_wait::<_, ()>(&bytes, PATIENCE))?;
        let none = |_: sio_core::Result<()>| ();
        is_unsupported(
            "ask for a receipt",
            place.send_with_ack(&bytes, PATIENCE, none),
        )?;
        let after: u64 = ask(place, "count", ())?;
        ensure_eq!(
            after,
            before + 1,
            "events the server got besides the first count"
        );
        ensure_eq!(received(cx)?.len(), sent + 1, "packets the server got");
    }
    Ok(client.close()?)
}

fn l4_12b(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let outcomes = Log::new();
    let log = outcomes.clone();
    client.on("question", move |(): (), ack: Ack| {
        let refused = ack.send(("x", Bytes::from_static(b"\0")));
        log.push(matches!(
            refused,
            Err(Error::Usage(UsageError::Unsupported { .. }))
        ));
        log.push(ack.send("text").is_ok());
    });
    client.emit("ask", "question")?;
    ensure_eq!(
        outcomes.wait_for(2, "replies")?,
        [true, true],
        "bytes refused, text taken"
    );
    handled(&client)?;
    let asked = questions(cx, "/")?;
    let answers: Vec<(u64, Option<Json>)> = asked
        .into_iter()
        .map(|question| (question.answers, question.values))
        .collect();
    ensure_eq!(
        answers,
        [(1, Some(json!(["text"])))],
        "the answer the server got"
    );
    ensure_eq!(acks_received(cx)?.len(), 1, "acks");
    Ok(client.close()?)
}

fn l4_12c(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    handled(&client)?;
    let before = received(cx)?.len();
    is_unsupported("no value", client.send(()))?;
    is_unsupported("two values", client.send(("a", 1)))?;
    handled(&client)?;
    ensure_eq!(received(cx)?.len(), before + 1, "packets the server got");
    // A list is one value.
    client.send(vec![1, 2])?;
    wait_received(cx, "4:::[1,2]")?;
    Ok(client.close()?)
}

fn l4_12d(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let before: u64 = ask(&client, "count", ())?;
    for name in ["disconnect", "error", "newListener"] {
        for refused in [
            client.emit(name, 1),
            client.call::<_, ()>(name, 1, PATIENCE),
            client.emit_with_ack(name, 1, PATIENCE, |_: sio_core::Result<()>| ()),
        ] {
            ensure!(
                matches!(&refused, Err(Error::Usage(UsageError::ReservedName(reserved))) if reserved == name),
                "{name:?} gave {refused:?}"
            );
        }
    }
    let after: u64 = ask(&client, "count", ())?;
    ensure_eq!(
        after,
        before + 1,
        "events the server got besides the first count"
    );
    ensure_eq!(
        count_received(cx, r#"5:::{"name":"error","args":[1]}"#)?,
        0,
        "reserved events"
    );
    Ok(client.close()?)
}

// --- size -----------------------------------------------------------------------------------------------------------

/// How long a large message may take on a busy machine.
const LONG: Duration = Duration::from_secs(10);

fn l4_13(cx: &Cx) -> Outcome {
    const SIZE: usize = 1 << 20;
    let (messages, large) = (Log::new(), Log::new());
    let client = cx
        .builder()
        .on("message", messages.writer())
        .on("large", large.writer())
        .connect()?;
    let text = "0123456789abcdef".repeat(SIZE / 16);
    let digest: Value = client.call("digest", &text, LONG)?;
    ensure_eq!(digest["bytes"], SIZE, "what the server got of an event");
    client.emit("large", &text)?;
    let events: Vec<String> = large.wait_for(1, "large events")?;
    ensure!(events[0] == text, "the event that came back is another");
    client.send(&text)?;
    let came: Vec<String> = messages.wait_for(1, "messages")?;
    ensure!(came[0] == text, "the message that came back is another");
    // Escaped it is three times as long on the wire.
    let text = "é😀".repeat(SIZE / 16);
    let answer: String = client.call("echo", &text, LONG)?;
    ensure!(answer == text, "the answer is another text");
    cx.exchange(&client)?;
    Ok(client.close()?)
}

fn l4_13b(cx: &Cx) -> Outcome {
    ensure_eq!(cx.mode(), Mode::WebSocket, "the only transport with frames");
    let messages = Log::new();
    let client = cx.builder().on("message", messages.writer()).connect()?;
    let sizes = [125, 126, 127, 65_534, 65_535, 65_536, 65_537, 131_072];
    for (index, size) in sizes.into_iter().enumerate() {
        let text = "x".repeat(size - "3:::".len());
        // The same both ways: the text is ASCII, so the packet has as many bytes.
        client.send(&text)?;
        let came: Vec<String> = messages.wait_for(index + 1, "messages")?;
        ensure_eq!(
            came[index].len(),
            text.len(),
            "the text in a frame of {size} bytes"
        );
        ensure!(
            came[index] == text,
            "the text in a frame of {size} bytes is another"
        );
        let sent = cx.control().sent()?;
        let sent = sent.iter().rfind(|packet| packet.kind == "message");
        ensure_eq!(
            sent.map(|packet| packet.bytes),
            Some(size as u64),
            "the server's packet"
        );
    }
    cx.exchange(&client)?;
    Ok(client.close()?)
}

fn l4_13c(cx: &Cx) -> Outcome {
    let log = StatusLog::new();
    let client = cx
        .builder_for("small-limit")
        .on_status(log.watcher())
        .connect()?;
    cx.exchange(&client)?;
    // Its limit is 10,000 bytes.
    client.emit("sink", "x".repeat(20_000))?;
    let reason = the_end(&log, &client)?;
    ensure!(
        matches!(&reason, DisconnectReason::Error(error) if matches!(**error, Error::Transport { .. })),
        "it ended with {reason:?}"
    );
    Ok(())
}

fn l4_13d(cx: &Cx) -> Outcome {
    let (log, messages) = (StatusLog::new(), Log::new());
    let client = cx
        .builder_for("small-limit")
        .on_status(log.watcher())
        .on("message", messages.writer())
        .connect()?;
    // It counts what it reads over the whole life of the connection, since 0.9.17.
    let counts = cx.is_server(&["0.9.17", "0.9.18", "0.9.19"]);
    let text = "x".repeat(3000);
    for _ in 0..5 {
        if client.send(&text).is_err() {
            break; // it has ended
        }
    }
    if counts {
        let reason = the_end(&log, &client)?;
        ensure!(
            matches!(reason, DisconnectReason::Server),
            "it ended with {reason:?}"
        );
    } else {
        let came: Vec<String> = messages.wait_for(5, "messages")?;
        ensure!(
            came.iter().all(|message| *message == text),
            "another text came back"
        );
        client.close()?;
    }
    Ok(())
}
