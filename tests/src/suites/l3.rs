//! L3: packets of 0.9 as they are on the wire, both ways: the event `raw` has the server write any text.
//!
//! Elsewhere: the golden vectors of all of them, and L3.8, L3.10 and L3.11, are tests of the crate.

use serde_json::json;
use sio_core::{Ack, DisconnectReason, Error, Status, Value};
use sio_legacy::{Client, Session};

use super::catalogue;
use super::kit::{Log, Seen, Several, ask, call_values, handled};
use super::legacy_kit::{
    Cx, acks_received, asked, count_received, outcome, received, sent, the_end, wait_closed,
    wait_received,
};
use crate::case::{Case, Outcome};
use crate::context::{PATIENCE, StatusLog};
use crate::{ensure, ensure_eq};

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case<Session>> {
    let case = Case::everywhere;
    vec![
        case(
            "L3.1",
            "connect, disconnect, heartbeat and noop, both ways",
            l3_1,
        ),
        case("L3.2", "a connect packet with a query is understood", l3_2),
        case(
            "L3.3",
            "text: plain, with an id, in a namespace, empty, with colons and lines",
            l3_3,
        ),
        case(
            "L3.4",
            "JSON: plain, with an id, with the data mark, without data",
            l3_4,
        ),
        case(
            "L3.5",
            "events: name only, arguments, id and data mark, odd objects",
            l3_5,
        ),
        case("L3.6", "acks: id only, with values, with broken JSON", l3_6),
        case(
            "L3.7",
            "errors: empty, reason, advice, in a namespace",
            l3_7,
        ),
        case("L3.9", "framed answers count UTF-16 units", l3_9),
        case("L3.9b", "framed posts count them too", l3_9b),
    ]
}

/// Has the server write these texts as packets, and returns when the handlers have run for all of them.
fn server_writes(client: &Client, packets: &[&str]) -> Outcome {
    for packet in packets {
        client.emit("raw", packet)?;
    }
    handled(client)
}

/// All events but those of the server's connection handler and of echoes.
fn watcher(log: &Log<Seen>) -> impl FnMut(&sio_core::Event) + Send + 'static {
    let mut write = log.watcher();
    move |event| {
        if !event.name().starts_with("welcome") && event.name() != "echo" {
            write(event);
        }
    }
}

/// The texts the server received, but for what has the server write.
fn received_but_raw(cx: &Cx) -> Outcome<Vec<String>> {
    let mut texts = received(cx)?;
    texts.retain(|text| !text.contains(r#""name":"raw""#) && !text.contains("handled?"));
    Ok(texts)
}

fn l3_1(cx: &Cx) -> Outcome {
    let events = Log::new();
    let client = cx.builder().on_any(watcher(&events)).connect()?;
    let chat = client.namespace("/chat").join()?;
    // What its connection handler says must not come behind the goodbye.
    handled(&chat)?;
    chat.disconnect()?;
    handled(&client)?;
    server_writes(&client, &["8::", "8:::", "2::", "2:::"])?;
    cx.until("two beats of the client", || {
        Ok((count_received(cx, "2::")? == 2).then_some(()))
    })?;
    ensure_eq!(client.counters().tolerated, 0, "things let pass so far");
    // gevent-socketio repeats it.
    server_writes(&client, &["1::"])?;
    ensure_eq!(
        client.counters().tolerated,
        1,
        "things let pass with a second connect"
    );
    client.close()?;
    wait_closed(cx)?;
    let received = received_but_raw(cx)?;
    ensure_eq!(
        received,
        ["1::/chat", "0::/chat", "2::", "2::", "0::"],
        "what the client sent"
    );
    ensure!(events.seen().is_empty(), "events: {:?}", events.seen());
    Ok(())
}

fn l3_2(cx: &Cx) -> Outcome {
    let events = Log::new();
    let client = cx.builder().on_any(watcher(&events)).connect()?;
    let chat = client.namespace("/chat").join()?;
    server_writes(&client, &["1::/chat:?k=v", "1::/news:?k=v"])?;
    // The first is there already, the second nobody asked for.
    ensure_eq!(client.counters().tolerated, 2, "things let pass");
    for place in [&client, &chat] {
        cx.exchange(place)?;
    }
    let news = client.namespace("/news").join()?;
    cx.exchange(&news)?;
    ensure_eq!(count_received(cx, "1::/news")?, 1, "joins of the second");
    ensure!(events.seen().is_empty(), "events: {:?}", events.seen());
    Ok(client.close()?)
}

// --- messages -------------------------------------------------------------------------------------------------------

const TEXTS: [&str; 6] = [
    "text",
    "",
    "a:b::c:",
    ":",
    "line\nfeed\r\n",
    r#"5:::{"name":"no"}"#,
];

fn l3_3(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for (place, endpoint) in [(&client, ""), (&chat, "/chat")] {
        let mut events = place.events();
        for (index, text) in TEXTS.iter().enumerate() {
            place.send(text)?;
            let message = cx.next_event(&mut events, "message")?;
            ensure_eq!(
                message.values()?,
                [Value::from(*text)],
                "a text that came back"
            );
            ensure!(!message.ack().is_wanted(), "a text is no question");
            let () = place.send_and_wait(text, PATIENCE)?;
            cx.next_event(&mut events, "message")?;
            let data = if text.is_empty() {
                String::new()
            } else {
                format!(":{text}")
            };
            wait_received(cx, &format!("3::{endpoint}{data}"))?;
            // Each namespace counts from 1.
            wait_received(cx, &format!("3:{}:{endpoint}{data}", index + 1))?;
        }
        ensure!(
            sent(cx)?.contains(&format!("6::{endpoint}:{}", TEXTS.len())),
            "the server acknowledged otherwise"
        );
    }
    answers_messages(cx, &client)?;
    Ok(client.close()?)
}

/// Messages with ids, as only a server of another make would write them.
fn answers_messages(cx: &Cx, client: &Client) -> Outcome {
    let messages = Log::new();
    let log = messages.clone();
    client.on("message", move |text: String, ack: Ack| {
        log.push((text, ack.is_wanted()));
        ack.send(("got", 1))
    });
    server_writes(client, &["3:007::plain", "3:8+::data", "3:::", "3::"])?;
    let expected = [("plain", false), ("data", true), ("", false), ("", false)];
    let expected = expected.map(|(text, wanted)| (text.to_owned(), wanted));
    ensure_eq!(messages.seen(), expected, "the server's messages");
    wait_received(cx, r#"6:::8+["got",1]"#)?;
    wait_received(cx, "6:::007")?;
    ensure_eq!(acks_received(cx)?.len(), 2, "acks");
    Ok(())
}

fn l3_4(cx: &Cx) -> Outcome {
    let values = [
        json!({"a": 1, "b": [null, "x"]}),
        json!([]),
        json!([1, [2]]),
        json!(null),
        json!(false),
        json!(-1.5),
    ];
    let client = cx.connect()?;
    let mut events = client.events();
    for (index, value) in values.iter().enumerate() {
        // `null` alone would be no value.
        let value = &Value::from(value.clone());
        let one = Several(std::slice::from_ref(value));
        client.send(&one)?;
        let message = cx.next_event(&mut events, "message")?;
        ensure_eq!(message.values()?, one.0, "a value that came back");
        let () = client.send_and_wait(&one, PATIENCE)?;
        cx.next_event(&mut events, "message")?;
        wait_received(cx, &format!("4:::{value}"))?;
        wait_received(cx, &format!("4:{}::{value}", index + 1))?;
    }
    let messages = Log::new();
    let log = messages.clone();
    client.on("message", move |value: Option<Value>, ack: Ack| {
        log.push(value);
        ack.send(vec![1, 2])
    });
    let texts = ["4:9+::{\"b\":2}", "4:10::[3]", "4:::\"text\"", "4:::null"];
    server_writes(&client, &texts)?;
    let expected = [json!({"b": 2}), json!([3]), json!("text")].map(|value| Some(value.into()));
    ensure_eq!(messages.seen()[..3], expected, "the server's values");
    ensure_eq!(messages.seen()[3..], [None], "the server's null");
    wait_received(cx, "6:::9+[[1,2]]")?;
    wait_received(cx, "6:::10")?;
    // `json.send(undefined)` has no data; broken JSON is no message.
    let before = client.counters().tolerated;
    let mut events = client.events();
    server_writes(&client, &["4::", "4:::{\"a\":", "4:::1,2", "4:::\"after\""])?;
    let first = cx.next_event(&mut events, "message")?;
    ensure!(
        first.values()?.is_empty(),
        "a message without data has values"
    );
    let second = cx.next_event(&mut events, "message")?;
    ensure_eq!(
        second.values()?,
        ["after"],
        "the message behind broken ones"
    );
    ensure_eq!(
        client.counters().tolerated - before,
        2,
        "broken messages let pass"
    );
    Ok(client.close()?)
}

// --- events and acks ------------------------------------------------------------------------------------------------

fn l3_5(cx: &Cx) -> Outcome {
    let events = Log::new();
    let client = cx.builder().on_any(watcher(&events)).connect()?;
    let chat = client.namespace("/chat").join()?;
    client.emit("sink", ())?;
    client.emit("sink", (1, "a\"b\\", vec![()]))?;
    chat.emit("sink", "x")?;
    let echo: Vec<Value> = call_values(&chat, "echo", &["x".into()])?;
    ensure_eq!(echo, ["x"], "an echo");
    let () = ask(&client, "echo", ())?;
    for expected in [
        r#"5:::{"name":"sink"}"#,
        r#"5:::{"name":"sink","args":[1,"a\"b\\",[null]]}"#,
        r#"5::/chat:{"name":"sink","args":["x"]}"#,
        r#"5:1+:/chat:{"name":"echo","args":["x"]}"#,
        r#"5:1+::{"name":"echo"}"#,
    ] {
        wait_received(cx, expected)?;
    }
    for (text, name, args) in [
        (r#"5:::{"name":"bare"}"#, "bare", json!([])),
        (r#"5:::{"name":"empty","args":[]}"#, "empty", json!([])),
        (
            r#"5:::{"args":[1],"x":{},"name":"turned"}"#,
            "turned",
            json!([1]),
        ),
        (r#"5:::{"name":"","args":[null]}"#, "", json!([null])),
        (r#"5:77::{"name":"plain","args":[2]}"#, "plain", json!([2])),
        (
            "5:::{\"name\":\"raw\",\"args\":[\"\u{2028}é\"]}",
            "raw",
            json!(["\u{2028}é"]),
        ),
    ] {
        server_writes(&client, &[text])?;
        let seen = events.seen().pop();
        let expected = (name.to_owned(), catalogue::as_list(args));
        ensure_eq!(seen, Some(expected), "the event of {text}");
    }
    wait_received(cx, "6:::77")?;
    // What `emit()` without a name writes is no event.
    let (count, before) = (events.seen().len(), client.counters().tolerated);
    server_writes(
        &client,
        &["5:::{}", "5:::", "5::", "5:::{\"name\":", "5:::[1]"],
    )?;
    ensure_eq!(events.seen().len(), count, "events");
    ensure_eq!(
        client.counters().tolerated - before,
        5,
        "odd events let pass"
    );
    Ok(client.close()?)
}

fn l3_6(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    let texts = [
        ("6:::1", json!([])),
        ("6:::2+[]", json!([])),
        ("6:::3+", json!([])),
        (r#"6:::4+["a",1,null]"#, json!(["a", 1, null])),
        ("6:::5+[\"a\u{2028}b\"]", json!(["a\u{2028}b"])),
    ];
    for (text, expected) in texts {
        let answer = asked(&client, "never-ack")?;
        server_writes_quietly(cx, &client, text)?;
        ensure_eq!(
            outcome(&answer)?,
            catalogue::as_list(expected),
            "the answer {text}"
        );
    }
    ensure_eq!(client.counters().tolerated, 0, "things let pass");
    // Broken values are none, and the caller is not left waiting.
    for (index, text) in ["6::/chat:1+[\"oops", "6::/chat:2+7", "6::/chat:3+{}"]
        .iter()
        .enumerate()
    {
        let answer = asked(&chat, "never-ack")?;
        server_writes_quietly(cx, &client, text)?;
        ensure!(outcome(&answer)?.is_empty(), "the answer {text} has values");
        ensure_eq!(
            client.counters().tolerated,
            1 + index as u64,
            "things let pass"
        );
    }
    let before = client.counters();
    server_writes(
        &client,
        &["6:::4711+[1]", "6:::x", "6::", "6:::4+[\"again\"]"],
    )?;
    let after = client.counters();
    ensure_eq!(
        after.unknown_acks - before.unknown_acks,
        2,
        "acks nobody waits for"
    );
    ensure_eq!(after.tolerated - before.tolerated, 2, "acks of nothing");
    Ok(client.close()?)
}

/// Has the server write a text, without a question whose number would count.
fn server_writes_quietly(cx: &Cx, client: &Client, text: &str) -> Outcome {
    client.emit("raw", text)?;
    cx.until("the server's packet", || {
        Ok(sent(cx)?.iter().any(|sent| sent == text).then_some(()))
    })
}

fn l3_7(cx: &Cx) -> Outcome {
    let (log, in_chat) = (StatusLog::new(), StatusLog::new());
    let client = cx.builder().on_status(log.watcher()).connect()?;
    let chat = client
        .namespace("/chat")
        .on_status(in_chat.watcher())
        .join()?;
    let reasons = [
        (json!(["unauthorized"]), "7::/chat:2", "unauthorized"),
        (
            json!(["unauthorized", "reconnect"]),
            "7::/chat:2+0",
            "unauthorized",
        ),
        (json!(["nobody knows"]), "7::/chat:undefined", "undefined"),
    ];
    for (index, (args, text, reason)) in reasons.into_iter().enumerate() {
        chat.emit("fail", Several(&catalogue::as_list(args)))?;
        handled(&chat)?;
        let errors = errors_of(&in_chat);
        ensure_eq!(errors.len(), index + 1, "errors of the namespace");
        ensure_eq!(errors[index], reason, "the reason of {text}");
        ensure!(
            sent(cx)?.iter().any(|sent| sent == text),
            "the server sent no {text}"
        );
        ensure!(chat.is_connected(), "the namespace ended by {text}");
    }
    server_writes(&client, &["7::/chat", "7::/chat:"])?;
    ensure_eq!(
        errors_of(&in_chat)[3..],
        ["", ""],
        "errors without a reason"
    );
    // For the root they mean nothing, but for the one that ends the session.
    server_writes(&client, &["7:::2", "7:::0", "7::", "7:::x"])?;
    ensure_eq!(client.counters().tolerated, 4, "stray errors let pass");
    ensure!(
        errors_of(&log).is_empty(),
        "errors of the root: {:?}",
        log.seen()
    );
    cx.exchange(&client)?;
    client.emit("raw", "7:::1+0")?;
    let reason = the_end(&log, &client)?;
    ensure!(
        matches!(reason, DisconnectReason::SessionLost),
        "it ended with {reason:?}"
    );
    Ok(())
}

/// The reasons of the errors that the server reported in a namespace.
fn errors_of(log: &StatusLog) -> Vec<Value> {
    let seen = log.seen();
    let errors = seen.into_iter().filter_map(|status| match status {
        Status::Error(Error::Server { namespace, reason }) if namespace == "/chat" => Some(reason),
        Status::Error(error) => Some(error.chain().into()),
        _ => None,
    });
    errors.collect()
}

// --- framing --------------------------------------------------------------------------------------------------------

fn l3_9(cx: &Cx) -> Outcome {
    let (builder, mut events) = cx.builder().events();
    let client = builder.connect()?;
    // All at once: the first goes alone where a poll waits, the rest is one payload.
    client.emit("types", ())?;
    let mut count = 0;
    for event in cx.events_until(&mut events, "types-end")? {
        if let Some(entry) = event.name().strip_prefix("type-") {
            ensure_eq!(
                event.values()?,
                catalogue::entry(entry),
                "the event with {entry}"
            );
            count += 1;
        } else if event.name() == "types-end" {
            ensure_eq!(event.decode::<usize>()?, count, "entries");
        }
    }
    ensure!(count > 15, "only {count} entries");
    Ok(client.close()?)
}

fn l3_9b(cx: &Cx) -> Outcome {
    let texts = [
        "é",
        "한글",
        "😀",
        "\u{fffd}",
        "\u{fffd}5\u{fffd}3:::x",
        "e\u{301}",
        "plain",
        "👩‍👩‍👧",
    ];
    let messages = Log::new();
    let client = cx.builder().on("message", messages.writer()).connect()?;
    cx.exchange(&client)?;
    // While the first post is out, the others pile up.
    cx.control()
        .fault(&json!({ "on": "post", "times": 1, "delay": 300 }))?;
    for text in texts {
        client.send(text)?;
        client.emit("sink", text)?;
    }
    let came: Vec<String> = messages.wait_for(texts.len(), "messages that came back")?;
    ensure_eq!(came, texts, "the messages that came back");
    let events: usize = ask(&client, "count", ())?;
    // With the first echo.
    ensure_eq!(events, 2 * texts.len() + 1, "what the server got");
    Ok(client.close()?)
}
