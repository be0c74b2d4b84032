//! The events every namespace understands; the table is in node-server/README.md.

use std::sync::Arc;
use std::time::Duration;

use rmpv::Value;
use serde_json::{Value as Json, json};
use socketioxide::TransportType;

use crate::catalogue;
use crate::journal::lock;
use crate::namespaces::{Asked, Place};
use crate::value::{from_json, same, to_json};

/// Does what an event of a client asks for.
pub(crate) fn handle(mut asked: Asked, name: &str, args: Vec<Value>) {
    let place = Arc::clone(&asked.place);
    let first = args.first().cloned().unwrap_or(Value::Nil);
    match name {
        "message" if !asked.is_question() => place.emit("message", args),
        "sink" | "never-ack" => {}
        "count" => {
            let before = place.record.get("events").as_i64().unwrap_or_default() - 1;
            asked.ack(vec![before.into()]);
        }
        "digest" => asked.ack(vec![digest(&first)]),
        "emit" => emit(&place, &args),
        "after" => later(&first, move || emit(&place, &args[1..])),
        "handshake" => asked.ack(vec![from_json(&place.handshake())]),

        "type" => type_of(&place, first.as_str().unwrap_or_default()),
        "types" => {
            catalogue::NAMES
                .iter()
                .for_each(|name| type_of(&place, name));
            place.emit("types-end", vec![catalogue::NAMES.len().into()]);
        }
        "reply" => asked.ack(catalogue::entry(first.as_str().unwrap_or_default())),
        "check" => {
            let expected = Value::Array(catalogue::entry(first.as_str().unwrap_or_default()));
            let found = Value::Array(args[1..].to_vec());
            let shown = to_json(&found).to_string();
            asked.ack(vec![same(&found, &expected).into(), shown.into()]);
        }

        "twice-ack" => {
            asked.ack(vec!["first".into()]);
            asked.ack(vec!["second".into()]);
        }
        "late-ack" => later(&first, move || asked.ack(args[1..].to_vec())),
        "unknown-ack" => asked.ack_as(first.as_i64().unwrap_or_default(), args[1..].to_vec()),
        "ask" => ask(asked, &args),

        "burst" => burst(asked, &to_json(&first)),
        "seq" => note_in_sequence(&place, &args),
        "seq-report" => {
            let report: serde_json::Map<String, Json> =
                lock(&place.threads).clone().into_iter().collect();
            asked.ack(vec![from_json(&report.into())]);
        }

        "join" => {
            place.socket.join(text(&first));
            asked.ack(Vec::new());
        }
        "leave" => {
            place.socket.leave(text(&first));
            asked.ack(Vec::new());
        }
        "broadcast" => {
            let room = place.socket.within(text(&first));
            tokio::spawn(async move {
                let name = args.get(1).map(text).unwrap_or_default();
                // Who is gone gets nothing.
                let _ = room
                    .emit(name, &crate::value::Args(args[2..].to_vec()))
                    .await;
            });
        }

        "disconnect-me" => place.disconnect(),
        _ if asked.is_question() => asked.ack(args),
        _ => place.emit(name, args),
    }
}

/// Sent in the connection handler, so right behind the CONNECT packet.
pub(crate) fn welcome(place: &Arc<Place>) {
    let record = &place.record;
    let seen = json!({
        "id": record.get("id"),
        "nsp": record.get("nsp"),
        "query": record.get("query"),
        "auth": null,
    });
    place.emit("welcome", vec![from_json(&seen)]);
    // On polling the library sends bytes to these clients in the form of Engine.IO 4, which ends the session.
    let bytes = match place.socket.transport_type() {
        TransportType::Polling => "welcome".into(),
        TransportType::Websocket => Value::Binary(b"welcome".to_vec()),
    };
    place.emit("welcome-bytes", vec![bytes]);
    let asking = Arc::clone(place);
    place.ask(
        "welcome-question",
        vec!["who are you?".into()],
        move |values| {
            asking.record.set("welcome_answer", json_of(&values));
            asking.emit("welcome-answer", values);
        },
    );
}

fn emit(place: &Place, args: &[Value]) {
    if let Some((name, args)) = args.split_first() {
        place.emit(&text(name), args.to_vec());
    }
}

fn type_of(place: &Place, name: &str) {
    place.emit(&format!("type-{name}"), catalogue::entry(name));
}

fn later(ms: &Value, run: impl FnOnce() + Send + 'static) {
    let seconds = ms.as_f64().unwrap_or_default() / 1000.0;
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        run();
    });
}

fn ask(mut asked: Asked, args: &[Value]) {
    let Some((name, args)) = args.split_first() else {
        return;
    };
    let (place, name) = (Arc::clone(&asked.place), text(name));
    let record = place.journal.add(
        "questions",
        &place.record.text("tag"),
        json!({
            "port": place.record.get("port"),
            "sid": place.record.get("sid"),
            "nsp": place.record.get("nsp"),
            "how": "data",
            "name": name,
            "answers": 0,
            "answered_at": null,
            "values": null,
        }),
    );
    let asking = Arc::clone(&place);
    place.ask(&name, args.to_vec(), move |values| {
        record.add("answers", 1);
        record.set("answered_at", asking.journal.now());
        record.set("values", json_of(&values));
        if asked.is_question() {
            asked.ack(values);
        } else {
            asking.emit("answer", values);
        }
    });
}

fn burst(mut asked: Asked, options: &Json) {
    let number = |field: &str| options[field].as_u64().unwrap_or_default();
    let (count, gap) = (number("count"), number("gap"));
    let text = "x".repeat(usize::try_from(number("size")).unwrap_or_default());
    let kind = options["kind"].as_str().unwrap_or("text").to_owned();
    let tick = move |place: &Place, index: u64| {
        let is_binary = kind == "bytes" || (kind == "alternate" && index % 2 == 1);
        let payload = if is_binary {
            Value::Binary(text.clone().into_bytes())
        } else {
            text.as_str().into()
        };
        place.emit("tick", vec![index.into(), payload]);
    };
    let end = move |asked: &mut Asked| {
        asked.place.emit("tick-end", vec![count.into()]);
        asked.ack(vec![count.into()]);
    };
    if gap == 0 {
        (0..count).for_each(|index| tick(&asked.place, index));
        end(&mut asked);
        return;
    }
    tokio::spawn(async move {
        for index in 0..count {
            tokio::time::sleep(Duration::from_millis(gap)).await;
            if !asked.place.socket.connected() {
                return;
            }
            tick(&asked.place, index);
        }
        end(&mut asked);
    });
}

fn note_in_sequence(place: &Place, args: &[Value]) {
    let [thread, index, buffers @ ..] = args else {
        return;
    };
    let (thread, index) = (text(thread), index.as_i64().unwrap_or(-1));
    let expected = format!("{thread}:{index}");
    let mut threads = lock(&place.threads);
    let seen = threads
        .entry(thread)
        .or_insert_with(|| json!({ "count": 0, "in_order": true, "intact": true, "last": -1 }));
    let number = |field: &str| seen[field].as_i64().unwrap_or_default();
    let holds = |field: &str| seen[field] == true;
    let is_intact = |buffer: &Value| buffer.as_slice() == Some(expected.as_bytes());
    *seen = json!({
        "count": number("count") + 1,
        "in_order": holds("in_order") && index == number("last") + 1,
        "intact": holds("intact") && buffers.iter().all(is_intact),
        "last": index,
    });
}

fn digest(value: &Value) -> Value {
    let (kind, bytes) = match value {
        Value::Binary(bytes) => ("bytes", bytes.clone()),
        other => ("text", text(other).into_bytes()),
    };
    let sha1 = sha1_smol::Sha1::from(&bytes).digest().to_string();
    from_json(&json!({ "kind": kind, "bytes": bytes.len(), "sha1": sha1 }))
}

fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => to_json(value).to_string(),
    }
}

fn json_of(values: &[Value]) -> Json {
    values.iter().map(to_json).collect()
}
