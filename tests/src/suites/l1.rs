//! L1: the handshake of 0.9.
//!
//! Elsewhere: L1.11 needs a scripted peer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use sio_core::{Deadline, Error, HttpError, Transport, Value};
use sio_legacy::{ClientBuilder, Session};

use super::kit::ask;
use super::legacy_kit::{Cx, STREAMS, path_of, transport, wire_name};
use super::shown::{cookies_come_back, every_request_shows};
use crate::case::{Case, Outcome};
use crate::context::PATIENCE;
use crate::control::Request;
use crate::{ensure, ensure_eq, http};

/// A text with everything that has a meaning in a query.
const ODD: &str = "a=1&b; é+%25 /?#\"😀\u{2028}";

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case<Session>> {
    let case = Case::everywhere;
    vec![
        case(
            "L1.1",
            "the handshake carries query and cache buster, and its answer is followed",
            l1_1,
        ),
        case(
            "L1.2",
            "a blank heartbeat field: the session lives without heartbeats",
            l1_2,
        ),
        Case {
            id: "L1.2b",
            title: "both fields blank: the session lives without timers",
            modes: STREAMS,
            run: l1_2b,
        },
        case(
            "L1.3",
            "401 and 403 are a refusal, with status, words and a hint",
            l1_3,
        ),
        case(
            "L1.3b",
            "a server that wants an origin gets it from a header",
            l1_3b,
        ),
        case("L1.4", "500 and 503 are marked as worth another try", l1_4),
        case(
            "L1.4b",
            "a slow handshake is waited for, until the connect timeout",
            l1_4b,
        ),
        case("L1.5", "a wrong path: the error says so", l1_5),
        case(
            "L1.6",
            "no transport in common: the error lists both sides",
            l1_6,
        ),
        case("L1.7", "a path of its own is on every request", l1_7),
        case(
            "L1.8",
            "the query of URL and options is merged and encoded once",
            l1_8,
        ),
        case(
            "L1.9",
            "headers, cookies and basic auth are on every request",
            l1_9,
        ),
        case(
            "L1.10",
            "cookies that are set on any answer come back on every later request, also after a loss",
            |cx| cookies_come_back(cx, None),
        ),
    ]
}

fn l1_1(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    cx.exchange(&client)?;
    let handshake = the_handshake(cx)?;
    ensure_eq!(path_of(&handshake), "/socket.io/1/", "the path");
    ensure_eq!(handshake.method, "GET", "the method");
    ensure_eq!(handshake.status, Some(200), "the status");
    ensure_eq!(handshake.opened, client.id(), "the session it opened");
    let seen: Value = ask(&client, "handshake", ())?;
    ensure_eq!(
        seen["query"]["tag"],
        cx.tag(),
        "the query the application sees"
    );
    ensure_eq!(seen["id"], client.id().unwrap_or_default(), "its id");
    ensure_eq!(seen["transport"], wire_name(cx), "its transport");
    ensure_eq!(
        client.transport(),
        Some(transport(cx)),
        "the client's transport"
    );
    client.close()?;
    let requests = cx.control().requests()?;
    let mut times = HashSet::new();
    for request in requests.iter().filter(|request| request.kind != "upgrade") {
        let time = request.query.get("t").cloned().unwrap_or_default();
        ensure!(!time.is_empty(), "a {} has no cache buster", request.kind);
        ensure!(
            times.insert(time),
            "two requests have the same cache buster"
        );
    }
    let client = cx.builder().timestamps(false).connect()?;
    cx.exchange(&client)?;
    client.close()?;
    for request in &cx.control().requests()?[requests.len()..] {
        ensure!(
            !request.query.contains_key("t"),
            "{} has a time",
            request.url
        );
    }
    Ok(())
}

fn the_handshake(cx: &Cx) -> Outcome<Request> {
    let mut handshakes = cx.control().requests_of("handshake")?;
    ensure_eq!(handshakes.len(), 1, "handshakes the server saw");
    Ok(handshakes.remove(0))
}

fn l1_2(cx: &Cx) -> Outcome {
    let close = if cx.is_server(&["0.9.0"]) { "25" } else { "60" };
    has_blank_fields(cx, "no-heartbeat", ["", close])?;
    lives(cx, "no-heartbeat")
}

fn l1_2b(cx: &Cx) -> Outcome {
    has_blank_fields(cx, "no-timeouts", ["", ""])?;
    lives(cx, "no-timeouts")
}

/// That the server announces what the case is about.
fn has_blank_fields(cx: &Cx, variant: &str, expected: [&str; 2]) -> Outcome {
    let port = cx.server().port(variant);
    let answer = http::request(port, "GET", "/socket.io/1/", "")?;
    let body = String::from_utf8_lossy(answer.body());
    let fields: Vec<&str> = body.split(':').collect();
    ensure!(fields.len() >= 4, "no handshake: {body:?}");
    ensure_eq!(fields[1..3], expected, "the timeouts of the handshake");
    Ok(())
}

/// Whoever takes a blank field for 0 gives up at once.
fn lives(cx: &Cx, variant: &str) -> Outcome {
    let client = cx.builder_for(variant).connect()?;
    let late: String = ask(&client, "late-ack", (1500, "late"))?;
    ensure_eq!(late, "late", "an answer behind a silence");
    cx.exchange(&client)?;
    ensure_eq!(cx.control().sessions()?.len(), 1, "sessions the server saw");
    Ok(client.close()?)
}

// --- refusals -------------------------------------------------------------------------------------------------------

/// The HTTP answer that a connection fails with.
fn refused(builder: ClientBuilder) -> Outcome<Arc<HttpError>> {
    match builder.connect() {
        Err(Error::Http(error)) => {
            ensure_eq!(error.what, "the handshake", "what was answered");
            Ok(error)
        }
        Err(error) => Err(format!("it failed with another error: {}", error.chain()).into()),
        Ok(_) => Err("it is connected".into()),
    }
}

fn hint_of(error: &HttpError) -> &str {
    error.hint.as_deref().unwrap_or_default()
}

fn l1_3(cx: &Cx) -> Outcome {
    let error = refused(
        cx.builder_for("root-guarded")
            .query("refuse", "unauthorized"),
    )?;
    ensure_eq!(error.status, 403, "the status");
    ensure_eq!(error.snippet, "handshake unauthorized", "the words");
    ensure!(error.is_refusal() && !error.is_retryable(), "{error:?}");
    ensure!(hint_of(&error).contains("authorization"), "{error:?}");

    let error = refused(cx.builder_for("forbidden"))?;
    ensure_eq!(error.status, 403, "the status for a bad origin");
    ensure_eq!(error.snippet, "handshake bad origin", "the words for it");
    ensure!(error.is_refusal() && !error.is_retryable(), "{error:?}");
    ensure!(hint_of(&error).contains("Origin"), "{error:?}");

    let answer = json!({ "status": 401, "body": "who are you?" });
    cx.control()
        .fault(&json!({ "on": "handshake", "answer": answer }))?;
    let error = refused(cx.builder())?;
    ensure_eq!(error.status, 401, "the status of a proxy");
    ensure_eq!(error.snippet, "who are you?", "the words of a proxy");
    ensure!(error.is_refusal() && !error.is_retryable(), "{error:?}");
    // Nothing was tried again, and nothing was opened.
    let requests = cx.control().requests()?;
    ensure_eq!(
        requests.len(),
        3,
        "requests of three connections: {requests:?}"
    );
    ensure!(cx.control().sessions()?.is_empty(), "a session was opened");
    // The same server lets others in.
    cx.control().clear_faults()?;
    let client = cx.builder_for("root-guarded").connect()?;
    cx.exchange(&client)
}

fn l1_3b(cx: &Cx) -> Outcome {
    let origin = "http://nobody.invalid:1";
    let client = cx
        .builder_for("forbidden")
        .header("Origin", origin)
        .connect()?;
    cx.exchange(&client)?;
    Ok(client.close()?)
}

fn l1_4(cx: &Cx) -> Outcome {
    let error = refused(cx.builder_for("root-guarded").query("refuse", "error"))?;
    ensure_eq!(error.status, 500, "the status");
    ensure_eq!(error.snippet, "handshake error", "the words");
    ensure!(error.is_retryable() && !error.is_refusal(), "{error:?}");
    let answer = json!({ "status": 503, "body": "<html>\n<b>busy</b>" });
    cx.control()
        .fault(&json!({ "on": "handshake", "times": 1, "answer": answer }))?;
    let error = refused(cx.builder())?;
    ensure_eq!(error.status, 503, "the status of a proxy");
    ensure_eq!(error.snippet, "<html> <b>busy</b>", "the words of a proxy");
    ensure!(error.is_retryable() && !error.is_refusal(), "{error:?}");
    ensure!(cx.control().sessions()?.is_empty(), "a session was opened");
    let client = cx.builder().connect()?;
    cx.exchange(&client)
}

fn l1_4b(cx: &Cx) -> Outcome {
    const LIMIT: Duration = Duration::from_millis(700);
    let client = cx
        .builder_for("root-guarded")
        .query("delay", "400")
        .connect()?;
    cx.exchange(&client)?;
    client.close()?;
    let builder = cx.builder_for("root-guarded").query("delay", "4000");
    let begin = Instant::now();
    let error = builder.connect_timeout(LIMIT).connect().err();
    let took = begin.elapsed();
    ensure!(
        matches!(
            error,
            Some(Error::Timeout {
                deadline: Deadline::Connect,
                after: LIMIT,
                ..
            })
        ),
        "it failed with {error:?}"
    );
    ensure!(
        (LIMIT..2 * LIMIT).contains(&took),
        "it gave up after {took:?}"
    );
    Ok(())
}

fn l1_5(cx: &Cx) -> Outcome {
    // The server's own path is a prefix of it, and that is all it looks at.
    let error = refused(cx.builder().path("/socket.io2"))?;
    ensure_eq!(error.status, 200, "the status of the welcome");
    ensure_eq!(error.snippet, "Welcome to socket.io.", "the welcome");
    ensure!(hint_of(&error).contains("path"), "{error:?}");
    let error = refused(cx.builder().path("/socket.io/abc"))?;
    ensure_eq!(error.status, 500, "the status of another version");
    ensure_eq!(
        error.snippet,
        "Protocol version not supported.",
        "the words for another version"
    );
    let error = refused(cx.builder().path("/elsewhere"))?;
    ensure_eq!(error.status, 404, "the status where nothing is");
    ensure_eq!(error.snippet, "not found", "the words where nothing is");
    ensure!(hint_of(&error).contains("path"), "{error:?}");
    Ok(())
}

fn l1_6(cx: &Cx) -> Outcome {
    let (other, offered) = if cx.mode() == crate::case::Mode::WebSocket {
        ("htmlfile-only", "offers htmlfile")
    } else {
        ("websocket-only", "offers websocket")
    };
    for (variant, offered) in [(other, offered), ("no-transports", "offers none")] {
        let text = match cx.builder_for(variant).connect() {
            Err(error @ Error::Protocol { .. }) => error.chain(),
            other => return Err(format!("connecting to {variant} gave {other:?}").into()),
        };
        for part in ["no transport in common", wire_name(cx), offered] {
            ensure!(text.contains(part), "{part:?} is not in the error: {text}");
        }
    }
    for request in cx.control().requests()? {
        ensure_eq!(
            request.kind,
            "handshake",
            "what was requested: {}",
            request.url
        );
    }
    // With more than one to choose from, all of them are listed.
    let builder = cx.builder_for("no-transports");
    let all = builder
        .transports([Transport::WebSocket, Transport::Polling])
        .connect();
    let text = all.err().map(|error| error.chain()).unwrap_or_default();
    ensure!(
        text.contains("websocket, xhr-polling"),
        "the error says: {text}"
    );
    Ok(())
}

// --- what is sent ---------------------------------------------------------------------------------------------------

fn l1_7(cx: &Cx) -> Outcome {
    for path in [
        "/custom/path",
        "custom/path",
        "/custom/path/",
        "//custom/path//",
    ] {
        let client = cx.builder_for("custom-path").path(path).connect()?;
        cx.exchange(&client)?;
        client.close()?;
    }
    let requests = cx.control().requests()?;
    ensure!(requests.len() >= 8, "only {} requests", requests.len());
    for request in requests {
        ensure!(
            request.url.starts_with("/custom/path/1/"),
            "{}",
            request.url
        );
    }
    Ok(())
}

fn l1_8(cx: &Cx) -> Outcome {
    let encoded = sio_net::encode_component(ODD);
    let client = cx
        .builder_at(&format!("{}?text={encoded}", cx.url("main")))
        .query("map", ODD)
        .connect()?;
    cx.exchange(&client)?;
    let seen: Value = ask(&client, "handshake", ())?;
    for form in ["text", "map"] {
        ensure_eq!(
            seen["query"][form],
            ODD,
            "the query in the form of a {form}"
        );
    }
    client.close()?;
    let requests = cx.control().requests()?;
    ensure!(requests.len() >= 2, "only {} requests", requests.len());
    for request in requests {
        for form in ["text", "map"] {
            let value = request.query.get(form).map(String::as_str);
            ensure_eq!(
                value,
                Some(ODD),
                "{form} in the query of a {}",
                request.kind
            );
            let count = request.url.matches(&format!("{form}=")).count();
            ensure_eq!(count, 1, "{form} in {}", request.url);
        }
    }
    Ok(())
}

fn l1_9(cx: &Cx) -> Outcome {
    let url = cx.url("main").replace("http://", "http://user:pass@");
    let client = cx
        .builder_at(&url)
        .header("X-Test", "of the test")
        .header("Cookie", "a=1; b=2")
        .connect()?;
    cx.exchange(&client)?;
    let seen: Value = client.call("handshake", (), PATIENCE)?;
    ensure_eq!(
        seen["headers"]["x-test"],
        "of the test",
        "what the application sees"
    );
    client.close()?;
    every_request_shows(
        cx,
        &[
            ("x-test", "of the test"),
            ("cookie", "a=1; b=2"),
            ("authorization", "Basic dXNlcjpwYXNz"),
        ],
    )?;
    Ok(())
}
