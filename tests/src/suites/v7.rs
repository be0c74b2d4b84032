//! V7: bytes.

use std::net::Ipv4Addr;
use std::panic::resume_unwind;
use std::thread;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use sio_core::{Ack, Error, Value};
use sio_v1::{Client, Session};

use super::catalogue;
use super::kit::{Log, Sequence, all_travel, ask, call_values, sequences, travels, until_closed};
use crate::case::{Case, Outcome};
use crate::context::Context;
use crate::control;
use crate::front::{Cut, Direction, Flow, Front, Place, Then, Which};
use crate::server::PYTHON;
use crate::{ensure, ensure_eq};

type Cx = Context<Session>;

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    let case = Case::everywhere;
    vec![
        case(
            "V7.1",
            "bytes as an argument arrive as bytes, also in a namespace",
            v7_1,
        ),
        case("V7.1b", "a buffer that holds nothing is one, too", v7_1b),
        case(
            "V7.2",
            "bytes in maps and lists beside text arrive in their places",
            v7_2,
        ),
        case(
            "V7.3",
            "several buffers in one event keep their order",
            v7_3,
        ),
        case(
            "V7.4",
            "binary and text events that alternate keep their order, both ways",
            v7_4,
        ),
        case(
            "V7.5",
            "acks carry bytes, both ways, also in a namespace",
            v7_5,
        ),
        case(
            "V7.6",
            "what looks like a placeholder stays user data; beside bytes it is refused",
            v7_6,
        ),
        case(
            "V7.7",
            "binary events of many threads at once arrive whole",
            v7_7,
        ),
        case(
            "V7.8",
            "an event cut before its attachment is never delivered",
            v7_8,
        ),
    ]
}

fn v7_1(cx: &Cx) -> Outcome {
    all_travel(cx, catalogue::BUFFERS)?;
    let client = cx.builder().connect()?;
    let large = Bytes::from_iter((0..100_000_u32).map(|index| (index % 251) as u8));
    let back: Bytes = ask(&client, "echo", &large)?;
    ensure!(
        back == large,
        "100,000 bytes came back as {} others",
        back.len()
    );
    let digest: Value = ask(&client, "digest", &large)?;
    ensure_eq!(digest["kind"], "bytes", "what the server got them as");
    ensure_eq!(digest["bytes"], large.len(), "how many the server got");
    Ok(client.close()?)
}

fn v7_1b(cx: &Cx) -> Outcome {
    all_travel(cx, catalogue::EMPTY_BUFFERS)
}

fn v7_2(cx: &Cx) -> Outcome {
    all_travel(cx, &["bytes-nested"])
}

fn v7_3(cx: &Cx) -> Outcome {
    all_travel(cx, catalogue::MANY_BUFFERS)
}

fn v7_4(cx: &Cx) -> Outcome {
    const COUNT: usize = 100;
    let ticks: Log<(usize, Value)> = Log::new();
    // Not settled: in the mode with an upgrade the bursts meet it.
    let client = cx.builder().on("tick", ticks.writer()).connect()?;
    client.emit(
        "burst",
        json!({"count": COUNT, "size": 3, "kind": "alternate"}),
    )?;
    for index in 0..COUNT {
        match index % 2 {
            0 => client.emit("seq", (0, index))?,
            _ => client.emit("seq", (0, index, named_bytes(0, index)))?,
        }
    }
    let kinds = [Value::from("xxx"), catalogue::bytes(b"xxx")];
    let expected: Vec<(usize, Value)> = (0..COUNT)
        .map(|index| (index, kinds[index % 2].clone()))
        .collect();
    let came = ticks.wait_for(COUNT, "the server's ticks")?;
    ensure!(came == expected, "the ticks came as {came:?}");
    let report = sequences(&client)?;
    ensure_eq!(
        report.get("0"),
        Some(&Sequence::complete(COUNT)),
        "what the server got"
    );
    Ok(client.close()?)
}

/// What the server wants to find in the buffers of a `seq`.
fn named_bytes(thread: usize, index: usize) -> Bytes {
    Bytes::from(format!("{thread}:{index}"))
}

fn v7_5(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for place in [&client, &chat] {
        brings_bytes(place)?;
        answers_with_bytes(cx, place)?;
    }
    Ok(client.close()?)
}

/// The server's acks.
fn brings_bytes(place: &Client) -> Outcome {
    for entry in [
        catalogue::BUFFERS,
        catalogue::MANY_BUFFERS,
        catalogue::EMPTY_BUFFERS,
        &["bytes-nested"],
    ]
    .concat()
    {
        let answer = call_values(place, "reply", &[entry.into()])?;
        ensure_eq!(
            answer,
            catalogue::entry(entry),
            "the answer {entry} in {}",
            place.name()
        );
    }
    let log = Log::new();
    let write = log.clone();
    place.emit_with_ack(
        "echo",
        (Bytes::from_static(b"\0\xfe"), "beside"),
        crate::context::PATIENCE,
        move |answer: sio_core::Result<(Bytes, String)>| {
            write.push(answer.map_err(|error| error.chain()));
        },
    )?;
    let answer = log.wait_for(1, "answers to a callback")?;
    let expected = (Bytes::from_static(b"\0\xfe"), "beside".to_owned());
    ensure_eq!(answer, [Ok(expected)], "bytes in a callback");
    Ok(())
}

/// The client's acks.
fn answers_with_bytes(cx: &Cx, place: &Client) -> Outcome {
    place.on("bytes?", |back: Value, ack: Ack| {
        let nested = Value::from_iter([("in a map", catalogue::bytes(b"\x01")), ("back", back)]);
        ack.send((Bytes::from_static(b"\xff\0"), nested, Bytes::new()))
    });
    let emitted = cx
        .control()
        .ask(place.name(), "bytes?", &[control::bytes(b"\x80")])?;
    let nothing = if cx.is_server(&[PYTHON]) {
        Json::Null // as it reads it
    } else {
        control::bytes(b"")
    };
    let expected = json!([
        control::bytes(b"\xff\0"),
        {"in a map": control::bytes(b"\x01"), "back": control::bytes(b"\x80")},
        nothing,
    ]);
    ensure_eq!(
        emitted.answers,
        [expected],
        "what the server got as an answer in {}",
        place.name()
    );
    Ok(())
}

fn v7_6(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    travels(cx, &client, "placeholder")?;
    let before: u64 = ask(&client, "count", ())?;
    let lookalike = json!({"_placeholder": true, "num": 0});
    let refused = client.emit("echo", (lookalike, Bytes::from_static(b"real")));
    ensure!(
        matches!(refused, Err(Error::Encode { .. })),
        "beside real bytes it was not refused: {refused:?}"
    );
    let after: u64 = ask(&client, "count", ())?;
    ensure_eq!(
        after,
        before + 1,
        "events the server got besides the first count"
    );
    Ok(client.close()?)
}

fn v7_7(cx: &Cx) -> Outcome {
    const THREADS: usize = 8;
    const EACH: usize = 60;
    let client = cx.builder().connect()?;
    let emit_all = |thread| -> sio_core::Result<()> {
        for index in 0..EACH {
            let bytes = named_bytes(thread, index);
            client.emit("seq", (thread, index, &bytes, &bytes, &bytes))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || emit_all(thread)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    let report = sequences(&client)?;
    ensure_eq!(report.len(), THREADS, "threads the server heard of");
    for (thread, sequence) in report {
        ensure_eq!(
            sequence,
            Sequence::complete(EACH),
            "what the server got of thread {thread}"
        );
    }
    Ok(client.close()?)
}

fn v7_8(cx: &Cx) -> Outcome {
    let front = Front::open(Ipv4Addr::LOCALHOST.into(), cx.server().port("main"))?;
    let (builder, mut events) = cx.builder_at(&front.url()).events();
    let client = builder.connect()?;
    cx.settle(&client)?;
    cx.events_until(&mut events, "welcome-question")?;
    let place = Place::Before(b"cut here".to_vec());
    let flow = Flow::Until(place, Then::Cut(Cut::Fin));
    front.set(Which::All, Direction::Down, flow);
    let args = [json!("before"), control::bytes(b"cut here, and more")];
    let emitted = cx.control().emit("/", "half", &args)?;
    ensure_eq!(emitted.sockets, 1, "sockets the server sent it to");
    let seen = until_closed(&mut events)?;
    ensure!(
        front.done().cuts > 0,
        "the session ended before the attachment was sent"
    );
    ensure!(seen.is_empty(), "these events came: {seen:?}");
    ensure!(!client.is_connected(), "the session is over");
    client.close()?;
    let next = cx.connect()?;
    travels(cx, &next, "bytes-many")?;
    Ok(next.close()?)
}
