//! C9.4: the wire log of a connection to a real server, fed through new sessions.

use std::sync::mpsc;

use serde_json::json;
use sio_core::session::SessionEvent;
use sio_core::{Ack, Args, Event, Value};
use sio_net::replay;
use sio_peer::recording::Sheet;

use super::kit::{all_closed, ask};
use crate::case::{Case, Outcome};
use crate::context::{Context, PATIENCE};
use crate::protocol::Protocol;
use crate::{ensure, ensure_eq};

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    let case = Case::everywhere;
    vec![
        case(
            "C9.4",
            "a wire log, replayed, gives the same outputs and the same events",
            |cx| recorded(cx, false),
        ),
        case(
            "C9.4b",
            "a wire log without its secrets shows no tag and no id, and gives the same",
            |cx| recorded(cx, true),
        ),
    ]
}

fn recorded<P: Protocol>(cx: &Context<P>, masked: bool) -> Outcome {
    let sheet = Sheet::default();
    let log = sheet.log();
    let log = if masked { log.mask_secrets() } else { log };
    let (seen, heard) = mpsc::channel();
    let client = cx
        .builder()
        .record(log)
        .on("question", |text: String, ack: Ack| {
            ack.send(format!("{text}, é😀"))
        })
        .on_any(move |event: &Event| {
            // The case may have failed meanwhile.
            let _ = seen.send((event.name().to_owned(), event.args().clone()));
        })
        .connect()?;
    cx.settle(&client)?;
    let text: String = ask(&client, "echo", "é😀\u{2028}")?;
    ensure_eq!(text, "é😀\u{2028}", "the echo");
    if P::HAS_BYTES {
        let bytes = Value::from(bytes::Bytes::from_static(b"\x00\xfa\xff"));
        let back: Value = ask(&client, "echo", &bytes)?;
        ensure_eq!(back, bytes, "the echo of bytes");
    }
    let asked = cx.control().ask("/", "question", &[json!("who")])?;
    ensure_eq!(asked.answers, [json!(["who, é😀"])], "the answer");
    let chat = client.namespace("/chat").timeout(PATIENCE).join()?;
    let there: String = chat.call("echo", "there", PATIENCE)?;
    ensure_eq!(there, "there", "the echo of /chat");
    let id = client.id().unwrap_or_default();
    client.close()?;
    all_closed(cx)?;

    let log = sheet.text();
    if masked {
        ensure!(!log.contains(cx.tag()), "the tag is in the log:\n{log}");
        ensure!(!log.contains(&id), "the id {id} is in the log:\n{log}");
    }
    let replay = replay::<P>(&log).map_err(|error| format!("{error}\n{log}"))?;
    if let Some(difference) = replay.differences.first() {
        return Err(format!("{difference}\n{log}").into());
    }
    let told: Vec<(String, Args)> = replay
        .told
        .into_iter()
        .filter_map(|told| match told.event {
            SessionEvent::Event {
                namespace,
                name,
                args,
                ..
            } if namespace == "/" => Some((name.to_string(), args)),
            _ => None,
        })
        .collect();
    let heard: Vec<(String, Args)> = heard.try_iter().collect();
    ensure!(!heard.is_empty(), "no event was heard");
    if masked {
        // What a server repeats of a query is not there.
        let names = |events: &[(String, Args)]| -> Vec<String> {
            events.iter().map(|(name, _)| name.clone()).collect()
        };
        ensure_eq!(names(&told), names(&heard), "the events of the replay");
    } else {
        ensure_eq!(told, heard, "the events of the replay");
    }
    Ok(())
}
