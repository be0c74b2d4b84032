//! V5: Socket.IO packets, as real servers read and write them.
//!
//! What only a scripted peer sends (V5.7 to V5.9) and the round trips of any value (V5.10) are tests of `sio-v1`.

use serde_json::json;
use sio_core::{Ack, Error, Status, Value};
use sio_v1::{Client, Session};

use super::catalogue;
use super::kit::{Several, call_values, received_texts, travels};
use crate::case::{ALL, Case, Outcome};
use crate::context::{Context, StatusLog};
use crate::{ensure, ensure_eq};

type Cx = Context<Session>;

/// Namespaces that every server has, with names that a careless parser cuts.
const NAMESPACES: [&str; 3] = ["/with-hyphen", "/with.dot", "/a/b.c-d"];
/// Event names that a careless parser cuts.
const NAMES: [&str; 8] = [
    "",
    "a,b:\n\"c\"",
    "😀 été",
    "with space",
    "7",
    "[\"x\"]",
    "42-/chat,",
    "\\u0000",
];

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    vec![
        Case {
            id: "V5.1",
            title: "the root is never asked for, a namespace is, by its name and query",
            modes: ALL,
            run: v5_1,
        },
        Case {
            id: "V5.2",
            title: "events: name only, one and many arguments, with id, in a namespace",
            modes: ALL,
            run: v5_2,
        },
        Case {
            id: "V5.3",
            title: "acks both ways: empty, one and many values, in a namespace",
            modes: ALL,
            run: v5_3,
        },
        Case {
            id: "V5.4",
            title: "errors of any JSON kind reach their namespace, which stays connected",
            modes: ALL,
            run: v5_4,
        },
        Case {
            id: "V5.5",
            title: "binary events and acks: one and many attachments, nested, in a namespace",
            modes: ALL,
            run: v5_5,
        },
        Case {
            id: "V5.6",
            title: "odd names of namespaces and events arrive whole",
            modes: ALL,
            run: v5_6,
        },
    ]
}

/// The root, and a namespace.
fn both(cx: &Cx) -> Outcome<[Client; 2]> {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    Ok([client, chat])
}

fn v5_1(cx: &Cx) -> Outcome {
    let [client, chat] = both(cx)?;
    // Whether the server lets it in is V8.2.
    drop(client.namespace("/news").query("token", "a b,c").join());
    ensure_eq!(
        call_values(&chat, "echo", &[1.into()])?,
        [1],
        "an echo in /chat"
    );
    let texts = received_texts(cx)?;
    let connects: Vec<&str> = texts
        .iter()
        .filter(|text| text.starts_with('0'))
        .map(|text| text.trim_end_matches(','))
        .collect();
    ensure_eq!(
        connects,
        ["0/chat", "0/news?token=a%20b%2Cc"],
        "the connect packets the server got"
    );
    cx.control().socket("/")?;
    cx.control().socket("/chat")?;
    Ok(client.close()?)
}

fn v5_2(cx: &Cx) -> Outcome {
    let [client, chat] = both(cx)?;
    for place in [&client, &chat] {
        let mut events = place.events();
        for args in [
            catalogue::entry("none"),
            catalogue::entry("text"),
            catalogue::entry("many"),
        ] {
            place.emit("plain", Several(&args))?;
            ensure_eq!(
                cx.next_event(&mut events, "plain")?.values()?,
                args,
                "the event that came back"
            );
            ensure_eq!(
                call_values(place, "plain", &args)?,
                args,
                "the answer that came back"
            );
        }
    }
    let texts = received_texts(cx)?;
    for expected in [
        r#"2["plain"]"#,
        r#"2["plain","text"]"#,
        r#"20["plain"]"#,
        r#"21["plain","text"]"#,
        r#"2/chat,["plain"]"#,
        r#"2/chat,0["plain"]"#,
        r#"2/chat,2["plain",1,"two",true,null,{"three":3},[4]]"#,
    ] {
        ensure!(
            texts.iter().any(|text| text == expected),
            "the server did not get {expected}, but {texts:?}"
        );
    }
    Ok(client.close()?)
}

fn v5_3(cx: &Cx) -> Outcome {
    let [client, chat] = both(cx)?;
    for place in [&client, &chat] {
        place.on("none?", |(): (), ack: Ack| ack.send(()));
        place.on("one?", |(): (), ack: Ack| ack.send("one"));
        place.on("many?", |(): (), ack: Ack| ack.send((1, "two", [3])));
        for (question, answer) in [
            ("none?", json!([])),
            ("one?", json!(["one"])),
            ("many?", json!([1, "two", [3]])),
        ] {
            let emitted = cx.control().ask(place.name(), question, &[])?;
            ensure_eq!(
                emitted.answers,
                [answer],
                "what the server got for {question} in {}",
                place.name()
            );
        }
        for entry in ["none", "text", "many"] {
            let answer = call_values(place, "reply", &[entry.into()])?;
            ensure_eq!(
                answer,
                catalogue::entry(entry),
                "the answer {entry} in {}",
                place.name()
            );
        }
    }
    Ok(client.close()?)
}

fn v5_4(cx: &Cx) -> Outcome {
    let statuses = [StatusLog::new(), StatusLog::new()];
    let client = cx.builder().on_status(statuses[0].watcher()).connect()?;
    cx.settle(&client)?;
    let chat = client
        .namespace("/chat")
        .on_status(statuses[1].watcher())
        .join()?;
    for (place, log) in [&client, &chat].into_iter().zip(&statuses) {
        for value in [
            json!("a text"),
            json!({"code": 7, "why": ["é"]}),
            json!([1, null]),
            json!(42),
        ] {
            let value = Value::from(value);
            place.emit("fail", &value)?;
            log.wait_for("the server's error", |status| match status {
                Status::Error(Error::Server { namespace, reason }) => {
                    (namespace == place.name() && *reason == value).then_some(())
                }
                _ => None,
            })?;
        }
        ensure!(place.is_connected(), "{} stays connected", place.name());
        ensure_eq!(
            call_values(place, "echo", &[1.into()])?,
            [1],
            "an echo after the errors"
        );
    }
    for log in &statuses {
        let errors = log.count(|status| matches!(status, Status::Error(_)));
        ensure_eq!(errors, 4, "errors told in one namespace");
    }
    Ok(client.close()?)
}

fn v5_5(cx: &Cx) -> Outcome {
    let places = both(cx)?;
    for place in &places {
        for entry in ["bytes", "bytes-many", "bytes-nested"] {
            travels(cx, place, entry)?;
        }
    }
    let texts = received_texts(cx)?;
    for expected in [
        r#"51-["echo",{"_placeholder":true,"num":0}]"#,
        r#"51-/chat,["echo",{"_placeholder":true,"num":0}]"#,
        r#"54-/chat,3["check","bytes-many",{"_placeholder":true,"num":0}"#,
    ] {
        ensure!(
            texts.iter().any(|text| text.starts_with(expected)),
            "the server did not get {expected}, but {texts:?}"
        );
    }
    Ok(places[0].close()?)
}

fn v5_6(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let mut places = vec![client.clone()];
    for name in NAMESPACES {
        let place = client.namespace(name).join()?;
        ensure_eq!(
            cx.control().socket(name)?.nsp,
            name,
            "the namespace on the server"
        );
        places.push(place);
    }
    for place in &places {
        let mut events = place.events();
        for name in NAMES {
            ensure_eq!(
                call_values(place, name, &["a".into()])?,
                ["a"],
                "the answer to {name:?}"
            );
            place.emit(name, (1, "b"))?;
            let event = cx.next_event(&mut events, name)?;
            ensure_eq!(
                event.values()?,
                [Value::from(1), "b".into()],
                "the event {name:?}"
            );
            ensure_eq!(event.namespace(), place.name(), "where {name:?} came");
        }
    }
    Ok(client.close()?)
}
