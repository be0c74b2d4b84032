//! V4: WebSocket.
//!
//! Elsewhere: V4.2 and V4.3 need a scripted peer.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use sio_core::{DisconnectReason, Limits};

use crate::case::{Case, Outcome, WEBSOCKET, WEBSOCKET_LAST};
use crate::context::{Context, PATIENCE};
use crate::front::Front;
use crate::server::{PYTHON, SOCKETIOXIDE};
use crate::{ensure, ensure_eq};

type Cx = Context<sio_v1::Session>;

/// The cap on messages unless it is changed.
const CAP: usize = 64 << 20;
/// The SHA-1 of one byte less than the cap, all `y`.
const SHA1_OF_THE_LARGEST: &str = "826ce18f37451d454e2126c7c6a2c5e1547fdf74";
/// For what moves many megabytes.
const LONG: Duration = Duration::from_secs(60);

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    vec![
        Case {
            id: "V4.1",
            title: "Text, binary, empty and base64 packets decode from frames",
            modes: WEBSOCKET_LAST,
            run: every_kind_of_frame,
        },
        Case {
            id: "V4.4",
            title: "Messages up to the cap of 64 MiB work, in one frame too; above it the error says so",
            modes: WEBSOCKET,
            run: messages_up_to_the_cap,
        },
        Case {
            id: "V4.5",
            title: "Both ends send at full speed: no deadlock, nothing lost",
            modes: WEBSOCKET_LAST,
            run: both_ends_at_full_speed,
        },
        Case {
            id: "V4.6",
            title: "Close codes and reasons reach the disconnect reason",
            modes: WEBSOCKET_LAST,
            run: close_codes,
        },
        Case {
            id: "V4.7",
            title: "A server with compression: the session works uncompressed",
            modes: WEBSOCKET_LAST,
            run: no_compression,
        },
    ]
}

fn every_kind_of_frame(cx: &Cx) -> Outcome {
    for b64 in [false, true] {
        let front = Front::open(Ipv4Addr::LOCALHOST.into(), cx.server().port("main"))?;
        let mut builder = cx.builder_at(&front.url());
        if b64 {
            builder = builder.query("b64", "1");
        }
        let (builder, mut events) = builder.events();
        let client = builder.connect()?;
        cx.settle(&client)?;
        for (entry, bytes) in [("bytes", &[0, 1, 2, 0xfa, 0xff][..]), ("bytes-empty", &[])] {
            client.emit("type", entry)?;
            let received: Bytes = cx
                .next_event(&mut events, &format!("type-{entry}"))?
                .decode()?;
            ensure_eq!(
                received,
                Bytes::copy_from_slice(bytes),
                "{entry}, base64: {b64}"
            );
        }
        client.emit("type", "text")?;
        let text: String = cx.next_event(&mut events, "type-text")?.decode()?;
        ensure_eq!(text, "text", "the text, base64: {b64}");
        ensure_eq!(
            front.server_said("b4AAEC+v8="),
            // These know base64 on polling only.
            b64 && !cx.is_server(&[PYTHON, SOCKETIOXIDE]),
            "base64 frames from the server"
        );
    }
    Ok(())
}

fn messages_up_to_the_cap(cx: &Cx) -> Outcome {
    let (builder, mut events) = cx.builder_for("large-limit").events();
    let client = builder.connect()?;
    // The packet type is a byte of the message too.
    client.emit(
        "burst",
        json!({ "count": 1, "size": CAP - 1, "kind": "bytes" }),
    )?;
    let tick = events
        .by_ref()
        .timeout(LONG)
        .find(|event| event.name() == "tick");
    let (_, bytes): (usize, Bytes) = tick.ok_or("no message came in time")?.decode()?;
    ensure_eq!(bytes.len(), CAP - 1, "the bytes of the largest message");
    ensure!(
        bytes.iter().all(|byte| *byte == b'x'),
        "the bytes are not those that were sent"
    );
    drop(bytes);

    let sent = Bytes::from(vec![b'y'; CAP - 1]);
    let digest: Json = client.call("digest", sent, LONG)?;
    ensure_eq!(
        digest.get("bytes"),
        Some(&json!(CAP - 1)),
        "the bytes that the server got"
    );
    ensure_eq!(
        digest.get("sha1"),
        Some(&json!(SHA1_OF_THE_LARGEST)),
        "their digest"
    );
    client.close()?;
    above_the_cap(cx)
}

fn above_the_cap(cx: &Cx) -> Outcome {
    const SMALL_CAP: usize = 100_000;
    let limits = Limits::default().message_bytes(SMALL_CAP);
    let client = cx.builder_for("large-limit").limits(limits).connect()?;
    client.emit(
        "burst",
        json!({ "count": 1, "size": SMALL_CAP - 1, "kind": "bytes" }),
    )?;
    cx.exchange(&client)?;
    client.emit(
        "burst",
        json!({ "count": 1, "size": SMALL_CAP, "kind": "bytes" }),
    )?;
    let DisconnectReason::Error(error) = client.wait() else {
        return Err("a message above the cap ended the session without an error".into());
    };
    let error = error.chain();
    ensure!(
        error.contains("100000"),
        "the error does not name the cap: {error}"
    );
    Ok(())
}

fn both_ends_at_full_speed(cx: &Cx) -> Outcome {
    const COUNT: usize = 1500;
    const SIZE: usize = 8000;
    let (builder, mut events) = cx.builder().events();
    let client = builder.connect()?;
    cx.settle(&client)?;
    client.emit(
        "burst",
        json!({ "count": COUNT, "size": SIZE, "kind": "alternate" }),
    )?;
    let emitting = {
        let client = client.clone();
        thread::spawn(move || {
            (0..COUNT).try_for_each(|index| {
                let padding = Bytes::from(format!("0:{index}"));
                client.emit("seq", (0, index, padding))?;
                client.emit("sink", "y".repeat(SIZE))
            })
        })
    };
    let ticks = cx.events_until(&mut events, "tick-end")?;
    let ticks = ticks.iter().filter(|event| event.name() == "tick");
    let numbers: Vec<usize> = ticks
        .map(|event| event.decode())
        .collect::<Result<_, _>>()?;
    ensure_eq!(
        numbers,
        (0..COUNT).collect::<Vec<_>>(),
        "the numbers of the events"
    );
    emitting
        .join()
        .map_err(|_| "the emitting thread panicked")??;
    let report: Json = client.call("seq-report", (), 2 * PATIENCE)?;
    let expected =
        json!({ "0": { "count": COUNT, "in_order": true, "intact": true, "last": COUNT - 1 } });
    ensure_eq!(report, expected, "the server's report on numbered events");
    Ok(())
}

fn close_codes(cx: &Cx) -> Outcome {
    for (code, text) in [(4001, "go away"), (3000, ""), (1011, "größer")] {
        let client = cx.connect()?;
        ensure_eq!(cx.control().close_with(code, text)?, 1, "sessions to close");
        match client.wait() {
            DisconnectReason::TransportClose {
                code: found,
                text: said,
            } => {
                ensure_eq!(found, Some(code), "the close code");
                ensure_eq!(&*said, text, "the close reason");
            }
            reason => return Err(format!("closed with {code}, it says {reason:?}").into()),
        }
    }
    Ok(())
}

fn no_compression(cx: &Cx) -> Outcome {
    let front = Front::open(Ipv4Addr::LOCALHOST.into(), cx.server().port("compressed"))?;
    let (builder, mut events) = cx.builder_at(&front.url()).events();
    let client = builder.connect()?;
    cx.settle(&client)?;
    let text = "uncompressed ".repeat(300);
    client.emit("news", &text)?;
    let event: String = cx.next_event(&mut events, "news")?.decode()?;
    ensure_eq!(event, text, "the text that came back");
    ensure!(
        !front.server_said("sec-websocket-extensions"),
        "the server agreed to an extension"
    );
    ensure!(
        front.server_said(&"uncompressed ".repeat(10)),
        "the text was not readable on the wire"
    );
    let upgrades = cx.control().requests_of("upgrade")?;
    ensure_eq!(upgrades.len(), 1, "WebSockets on the server");
    ensure_eq!(
        upgrades[0].header("sec-websocket-extensions"),
        None,
        "extensions offered"
    );
    Ok(())
}
