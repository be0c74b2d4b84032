//! L8: what the suite of another client tests, socketIO-client 0.5 in Python, on the transports it has.

use serde_json::json;
use sio_core::{Ack, DisconnectReason, Value};
use sio_legacy::{Client, Session};

use super::kit::{Log, ask, call_values, handled};
use super::legacy_kit::{Cx, WITHOUT_HTMLFILE, the_end, wait_closed};
use crate::case::{Case, Outcome};
use crate::context::{PATIENCE, StatusLog};
use crate::ensure;
use crate::ensure_eq;

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case<Session>> {
    let case = |id, title, run| Case {
        id,
        title,
        modes: WITHOUT_HTMLFILE,
        run,
    };
    vec![
        case("L8.1", "message", message),
        case("L8.2", "message with JSON", message_with_json),
        case("L8.3", "message with callback", message_with_callback),
        case("L8.4", "message with JSON and callback", json_with_callback),
        case("L8.5", "event", event),
        case(
            "L8.6",
            "event with one and several arguments",
            event_with_arguments,
        ),
        case("L8.7", "event with callback", event_with_callback),
        case(
            "L8.8",
            "event with callback, one and several arguments",
            event_with_arguments_and_callback,
        ),
        case(
            "L8.9",
            "event of the server, with an answer of its own",
            event_of_server,
        ),
        case("L8.10", "ack from the client", ack_from_client),
        case("L8.11", "disconnect", disconnect),
        case(
            "L8.12",
            "waiting ends with a disconnect of the server",
            wait_for_disconnect,
        ),
        case("L8.13", "event in two namespaces", event_in_namespaces),
        case("L8.14", "ack in two namespaces", ack_in_namespaces),
        case("L8.15", "message in two namespaces", message_in_namespaces),
    ]
}

/// A message goes to the server and comes back.
fn message_returns(place: &Client, value: impl Into<Value>) -> Outcome {
    let value = value.into();
    let messages = Log::new();
    let handler = place.on("message", messages.writer());
    place.send(&value)?;
    let came: Vec<Value> = messages.wait_for(1, "messages")?;
    ensure_eq!(came, [value], "the message in {}", place.name());
    place.off(handler);
    Ok(())
}

/// An event goes to the server and comes back.
fn event_returns<T: serde::Serialize>(cx: &Cx, place: &Client, args: T, back: &[Value]) -> Outcome {
    let mut events = place.events();
    place.emit("bbb", args)?;
    let event = cx.next_event(&mut events, "bbb")?;
    ensure_eq!(event.values()?, back, "the event in {}", place.name());
    ensure_eq!(event.namespace(), place.name(), "where it came");
    Ok(())
}

/// The server asks, the handler answers, the server tells what it got.
fn ack_returns(cx: &Cx, place: &Client) -> Outcome {
    place.on("ccc", |payload: Value, ack: Ack| ack.send((payload, "ack")));
    let mut events = place.events();
    place.emit("ask", ("ccc", json!({"xxx": "yyy"})))?;
    let answer = cx.next_event(&mut events, "answer")?;
    let expected = [Value::from(json!({"xxx": "yyy"})), "ack".into()];
    ensure_eq!(
        answer.values()?,
        expected,
        "what the server got in {}",
        place.name()
    );
    Ok(())
}

fn message(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    message_returns(&client, "xxx")?;
    message_returns(&client, "")?;
    Ok(client.close()?)
}

fn message_with_json(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    message_returns(&client, json!({"xxx": "yyy"}))?;
    message_returns(&client, json!([1, {"xxx": null}]))?;
    Ok(client.close()?)
}

fn message_with_callback(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    is_called_back(&client, "xxx")?;
    Ok(client.close()?)
}

fn json_with_callback(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    is_called_back(&client, json!({"xxx": "yyy"}))?;
    Ok(client.close()?)
}

/// The receipt of a message runs a callback, once.
fn is_called_back(client: &Client, value: impl serde::Serialize) -> Outcome {
    let receipts = Log::new();
    let log = receipts.clone();
    client.send_with_ack(value, PATIENCE, move |receipt: sio_core::Result<()>| {
        log.push(receipt.is_ok());
    })?;
    ensure_eq!(receipts.wait_for(1, "receipts")?, [true], "the receipt");
    handled(client)?;
    ensure_eq!(receipts.seen().len(), 1, "receipts");
    Ok(())
}

fn event(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    event_returns(cx, &client, (), &[])?;
    Ok(client.close()?)
}

fn event_with_arguments(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let payload = json!({"xxx": "yyy"});
    event_returns(cx, &client, &payload, &[payload.clone().into()])?;
    event_returns(
        cx,
        &client,
        (&payload, "zzz"),
        &[payload.clone().into(), "zzz".into()],
    )?;
    Ok(client.close()?)
}

fn event_with_callback(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let answer = call_values(&client, "bbb", &[])?;
    ensure!(answer.is_empty(), "the answer has values: {answer:?}");
    Ok(client.close()?)
}

fn event_with_arguments_and_callback(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let payload = Value::from(json!({"xxx": "yyy"}));
    for args in [
        vec![payload.clone()],
        vec![payload.clone(), payload, 3.into()],
    ] {
        ensure_eq!(call_values(&client, "bbb", &args)?, args, "the answer");
    }
    Ok(client.close()?)
}

fn event_of_server(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let mut events = client.events();
    for name in ["aaa", "bbb"] {
        client.emit("emit", (name, "xxx"))?;
        let event = cx.next_event(&mut events, name)?;
        ensure_eq!(event.values()?, ["xxx"], "the event {name:?}");
    }
    Ok(client.close()?)
}

fn ack_from_client(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    ack_returns(cx, &client)?;
    Ok(client.close()?)
}

fn disconnect(cx: &Cx) -> Outcome {
    let log = StatusLog::new();
    let client = cx.builder().on_status(log.watcher()).connect()?;
    ensure!(client.is_connected(), "it says that it is not connected");
    client.disconnect()?;
    let reason = the_end(&log, &client)?;
    ensure!(
        matches!(reason, DisconnectReason::Client),
        "it ended with {reason:?}"
    );
    wait_closed(cx)?;
    Ok(())
}

fn wait_for_disconnect(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    client.emit("disconnect-me", true)?;
    let reason = client.wait();
    ensure!(
        // Without an open poll the server cannot say that it was it.
        matches!(
            reason,
            DisconnectReason::Server | DisconnectReason::SessionLost
        ),
        "it ended with {reason:?}"
    );
    ensure!(!client.is_connected(), "it says that it is connected");
    Ok(())
}

/// The root, and two namespaces besides.
fn namespaces(client: &Client) -> Outcome<[Client; 2]> {
    let chat = client.namespace("/chat").join()?;
    let news = client.namespace("/news").join()?;
    Ok([chat, news])
}

fn event_in_namespaces(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let strays = Log::new();
    client.on("bbb", strays.noting(()));
    for place in &namespaces(&client)? {
        event_returns(cx, place, "xxx", &["xxx".into()])?;
        let answer: String = ask(place, "bbb", "yyy")?;
        ensure_eq!(answer, "yyy", "the answer in {}", place.name());
    }
    handled(&client)?;
    ensure!(strays.seen().is_empty(), "events strayed into the root");
    Ok(client.close()?)
}

fn ack_in_namespaces(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    for place in &namespaces(&client)? {
        ack_returns(cx, place)?;
    }
    Ok(client.close()?)
}

fn message_in_namespaces(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    for place in &namespaces(&client)? {
        message_returns(place, "xxx")?;
        message_returns(place, json!({"xxx": "yyy"}))?;
        is_called_back(place, "zzz")?;
    }
    Ok(client.close()?)
}
