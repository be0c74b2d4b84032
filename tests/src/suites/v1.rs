//! V1: handshake and version detection.
//!
//! Elsewhere: V1.6 needs a scripted peer; V1.8, V1.10, V1.11 and V1.12 are rows of [`mismatch`](crate::mismatch), and V1.8
//! is also R1; V1.9 is the whole table for 4.8.4.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;
use sio_core::{Error, Transport, Value};

use super::returning::{Line, quick};
use crate::case::{ALL, Case, Mode, Outcome, POLLING, POLLING_FIRST, WEBSOCKET};
use crate::context::{Context, PATIENCE};
use crate::server::PYTHON;
use crate::{ensure, ensure_eq, http};

type Cx = Context<sio_v1::Session>;

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    vec![
        Case {
            id: "V1.1",
            title: "Requests carry EIO=3, the transport and the user's query; the open packet is understood",
            modes: ALL,
            run: requests_carry_the_query,
        },
        Case {
            id: "V1.2",
            title: "Open and connect packets in one response (2.x) or in two (1.x, 4.x): both work",
            modes: POLLING_FIRST,
            run: open_and_connect_together_or_apart,
        },
        Case {
            id: "V1.3",
            title: "WebSocket only: no HTTP poll is made",
            modes: WEBSOCKET,
            run: websocket_only_makes_no_poll,
        },
        Case {
            id: "V1.4",
            title: "Polling only: no WebSocket is made",
            modes: POLLING,
            run: polling_only_makes_no_websocket,
        },
        Case {
            id: "V1.5",
            title: "Ping times as numbers, floats or numeric strings",
            modes: POLLING,
            run: ping_times_of_every_form,
        },
        Case {
            id: "V1.7",
            title: "A refused handshake: each of the server's codes gives an error of its own",
            modes: &[Mode::Polling, Mode::WebSocket],
            run: refusals_are_told_apart,
        },
        Case {
            id: "V1.13",
            title: "A server as old as 1.0 connects and exchanges events, with text beyond ASCII",
            modes: ALL,
            run: exchanges_events,
        },
        Case {
            id: "V1.14",
            title: "The id equals the server's, in the root and in a namespace",
            modes: ALL,
            run: ids_equal_those_of_the_server,
        },
        Case {
            id: "V1.15",
            title: "There is no id while there is no connection, and another one after a return",
            modes: ALL,
            run: ids_go_and_come,
        },
        Case {
            id: "V1.16",
            title: "Timestamps off: no cache-busting parameter; on: each request has another",
            modes: POLLING_FIRST,
            run: timestamps_off_and_on,
        },
        Case {
            id: "V1.17",
            title: "Middleware rejects the root: connect returns the server's error value",
            modes: ALL,
            run: middleware_rejects_the_root,
        },
    ]
}

fn requests_carry_the_query(cx: &Cx) -> Outcome {
    let client = cx.builder().query("name", "a b&c=ü,#").connect()?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    let requests = cx.control().requests()?;
    ensure!(!requests.is_empty(), "the server saw no request");
    for request in &requests {
        let expected = if request.kind == "upgrade" {
            "websocket"
        } else {
            "polling"
        };
        let query = |name: &str| request.query.get(name).map(String::as_str);
        ensure_eq!(query("EIO"), Some("3"), "EIO in {}", request.url);
        ensure_eq!(
            query("transport"),
            Some(expected),
            "transport in {}",
            request.url
        );
        ensure_eq!(
            query("name"),
            Some("a b&c=ü,#"),
            "the user's query in {}",
            request.url
        );
        ensure_eq!(query("b64"), None, "b64 in {}", request.url);
    }
    ensure_eq!(
        client.id(),
        Some(cx.control().session()?.sid),
        "the session id"
    );
    Ok(())
}

fn open_and_connect_together_or_apart(cx: &Cx) -> Outcome {
    // First that the server really answers in the form in question.
    ensure_eq!(
        handshake_has_connect(cx, "main")?,
        cx.major() == 2,
        "connect packet in the handshake"
    );
    ensure_eq!(
        handshake_has_connect(cx, "root-guarded")?,
        // There the middleware has decided before the handshake is answered.
        cx.is_server(&[PYTHON]),
        "connect packet behind middleware"
    );
    for variant in ["main", "root-guarded"] {
        let client = cx.builder_for(variant).connect()?;
        cx.exchange(&client)?;
        client.close()?;
    }
    Ok(())
}

fn handshake_has_connect(cx: &Cx, variant: &str) -> Outcome<bool> {
    let target = format!(
        "/socket.io/?EIO=3&transport=polling&tag=by-hand-{}",
        cx.tag()
    );
    let answer = http::request(cx.server().port(variant), "GET", &target, "")?;
    ensure_eq!(answer.status(), 200, "status of a handshake");
    // Behind the length, in one framing or the other.
    Ok([&b"2:40"[..], b"\x02\xff40"]
        .iter()
        .any(|connect| answer.body().ends_with(connect)))
}

fn websocket_only_makes_no_poll(cx: &Cx) -> Outcome {
    let variants = cx.variants(&["main", "websocket-only"]);
    for variant in &variants {
        let client = cx.builder_for(variant).connect()?;
        ensure_eq!(
            client.transport(),
            Some(Transport::WebSocket),
            "the transport"
        );
        cx.exchange(&client)?;
        client.close()?;
    }
    let kinds: Vec<String> = cx
        .control()
        .requests()?
        .into_iter()
        .map(|request| request.kind)
        .collect();
    ensure_eq!(
        kinds,
        vec!["upgrade"; variants.len()],
        "the requests of all connections"
    );
    Ok(())
}

fn polling_only_makes_no_websocket(cx: &Cx) -> Outcome {
    let variants = cx.variants(&["main", "polling-only"]);
    for variant in &variants {
        let client = cx.builder_for(variant).connect()?;
        for _ in 0..5 {
            cx.exchange(&client)?;
        }
        ensure_eq!(
            client.transport(),
            Some(Transport::Polling),
            "the transport"
        );
        client.close()?;
    }
    let upgrades = cx.control().requests_of("upgrade")?;
    ensure!(
        upgrades.is_empty(),
        "the server saw WebSockets: {upgrades:?}"
    );
    ensure_eq!(
        cx.control().requests_of("handshake")?.len(),
        variants.len(),
        "handshakes"
    );
    Ok(())
}

fn ping_times_of_every_form(cx: &Cx) -> Outcome {
    for (interval, timeout) in [
        ("150", "60000"),
        ("150.7", "60000.5"),
        ("\"150\"", "\"60000\""),
    ] {
        let before = pings(cx)?;
        let client = connect_to_made_up_session(cx, interval, timeout)?;
        // Nothing else makes a post in that session.
        cx.until(&format!("a ping with pingInterval {interval}"), || {
            Ok((pings(cx)? > before).then_some(()))
        })?;
        client.close()?;
        cx.control().clear_faults()?;
    }
    Ok(())
}

/// A session that only the faults of the server pretend to have: it opens, never says anything, and takes all posts.
fn connect_to_made_up_session(cx: &Cx, interval: &str, timeout: &str) -> Outcome<sio_v1::Client> {
    let open = format!(
        r#"0{{"sid":"made-up","upgrades":[],"pingInterval":{interval},"pingTimeout":{timeout}}}"#
    );
    let body = format!("{}:{open}2:40", open.len());
    let headers = json!({ "Content-Type": "text/plain; charset=UTF-8" });
    let control = cx.control();
    control.fault(&json!({ "on": "handshake", "answer": { "status": 200, "headers": headers, "body": body } }))?;
    control.fault(&json!({ "on": "poll", "answer": "hang" }))?;
    control.fault(
        &json!({ "on": "post", "answer": { "status": 200, "headers": headers, "body": "ok" } }),
    )?;
    Ok(cx
        .builder()
        .close_timeout(Duration::from_millis(200))
        .connect()?)
}

/// How many posts have the length of a ping in binary framing. (Of posts that a fault answers the server keeps no body.)
fn pings(cx: &Cx) -> Outcome<usize> {
    let length = b"\x00\x01\xff2".len().to_string();
    let posts = cx.control().requests_of("post")?;
    Ok(posts
        .iter()
        .filter(|post| post.header("content-length") == Some(&length))
        .count())
}

fn refusals_are_told_apart(cx: &Cx) -> Outcome {
    match cx.mode() {
        Mode::WebSocket => refused_websockets(cx),
        _ => refused_handshakes(cx),
    }
}

fn refused_handshakes(cx: &Cx) -> Outcome {
    for variant in cx.variants(&["websocket-only"]) {
        let error = refusal(cx, variant)?;
        ensure!(
            error.contains("400") && error.contains("transport"),
            "no polling here: {error}"
        );
    }
    let error = refusal(cx, "forbidden")?;
    if cx.is_server(&[PYTHON]) {
        ensure!(error.contains("401"), "forbidden: {error}");
    } else if cx.major() >= 2 {
        ensure!(
            error.contains("403") && error.contains("refused"),
            "forbidden: {error}"
        );
    } else {
        ensure!(error.contains("400"), "forbidden: {error}");
    }
    let mut texts = HashSet::new();
    for (code, word) in [
        (0, "transport"),
        (1, "session"),
        (2, "2"),
        (3, "3"),
        (4, "refused"),
        (5, "Engine.IO 4"),
    ] {
        let body = json!({ "code": code, "message": "no" }).to_string();
        let headers = json!({ "Content-Type": "application/json" });
        let answer = json!({ "status": 400, "headers": headers, "body": body });
        cx.control()
            .fault(&json!({ "on": "handshake", "times": 1, "answer": answer }))?;
        let error = refusal(cx, "main")?;
        ensure!(
            error.contains("400") && error.contains(word),
            "code {code} without {word:?}: {error}"
        );
        ensure!(
            texts.insert(error.clone()),
            "code {code} has the error of another: {error}"
        );
    }
    Ok(())
}

fn refused_websockets(cx: &Cx) -> Outcome {
    for variant in cx.variants(&["polling-only"]) {
        let error = refusal(cx, variant)?;
        ensure!(
            error.contains("400") && error.contains("does not offer this transport"),
            "no websocket here: {error}"
        );
    }
    let error = refusal(cx, "forbidden")?;
    let expected = match cx.server_version() {
        // Up to 1.4 the server ends such a connection without a word.
        "1.0.6" | "1.3.7" | "1.4.5" => "WebSocket",
        PYTHON => "401",
        _ => "400",
    };
    ensure!(
        error.contains(expected),
        "forbidden, without {expected:?}: {error}"
    );
    Ok(())
}

fn refusal(cx: &Cx, variant: &str) -> Outcome<String> {
    match cx.builder_for(variant).connect() {
        Ok(client) => Err(format!("connected to {variant}: {client:?}").into()),
        Err(error) if error.is_timeout() => {
            Err(format!("no error in time: {}", error.chain()).into())
        }
        Err(error) => Ok(error.chain()),
    }
}

fn exchanges_events(cx: &Cx) -> Outcome {
    let (builder, mut events) = cx.builder().events();
    let client = builder.connect()?;
    cx.settle(&client)?;
    for text in ["plain", "é", "한글", "😀"] {
        client.emit("news", (text, 1))?;
        let echo: (String, u32) = cx.next_event(&mut events, "news")?.decode()?;
        ensure_eq!(echo, (text.to_owned(), 1), "the event that came back");
    }
    ensure_eq!(cx.control().socket("/")?.events, 4, "events on the server");
    Ok(())
}

fn ids_equal_those_of_the_server(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    let control = cx.control();
    ensure_eq!(
        client.id(),
        Some(control.socket("/")?.id),
        "the id in the root"
    );
    ensure_eq!(
        chat.id(),
        Some(control.socket("/chat")?.id),
        "the id in /chat"
    );
    client.close()?;
    ensure_eq!(client.id(), None, "the id after the end");
    Ok(())
}

fn timestamps_off_and_on(cx: &Cx) -> Outcome {
    for on in [false, true] {
        let seen = cx.control().requests()?.len();
        let client = cx.builder().timestamps(on).connect()?;
        for _ in 0..3 {
            cx.exchange(&client)?;
        }
        client.close()?;
        let requests = cx.control().requests()?.split_off(seen);
        let over_http = requests.iter().filter(|request| request.kind != "upgrade");
        let stamps: Vec<Option<&String>> =
            over_http.map(|request| request.query.get("t")).collect();
        ensure!(
            stamps.len() >= 2,
            "expected several requests, found {stamps:?}"
        );
        if on {
            let distinct: HashSet<&String> = stamps.iter().flatten().copied().collect();
            ensure_eq!(
                distinct.len(),
                stamps.len(),
                "different values among {stamps:?}"
            );
        } else {
            ensure!(
                stamps.iter().all(Option::is_none),
                "cache busters: {stamps:?}"
            );
        }
    }
    Ok(())
}

fn middleware_rejects_the_root(cx: &Cx) -> Outcome {
    let expected = [
        ("text", json!("root refused")),
        (
            "object",
            json!({ "code": 401, "reason": "root refused", "nested": { "list": [1, "two", null] } }),
        ),
        ("string", json!("root refused, as data")),
        ("list", json!([401, "root refused"])),
    ];
    for (kind, expected) in expected {
        let reason = refused_root(cx, kind)?;
        ensure_eq!(
            reason,
            Value::from(expected),
            "the reason of a refusal by {kind}"
        );
    }
    let accepted = cx.builder_for("root-guarded").connect()?;
    cx.exchange(&accepted)
}

fn refused_root(cx: &Cx, kind: &str) -> Outcome<Value> {
    match cx
        .builder_for("root-guarded")
        .query("refuse", kind)
        .connect_timeout(PATIENCE)
        .connect()
    {
        Err(Error::Refused { namespace, reason }) => {
            ensure_eq!(namespace, "/", "the refused namespace");
            Ok(reason)
        }
        Err(error) => Err(error.into()),
        Ok(client) => Err(format!("connected: {client:?}").into()),
    }
}

fn ids_go_and_come(cx: &Cx) -> Outcome {
    let line = Line::open(cx, quick())?;
    let chat = line.client.namespace("/chat").join()?;
    let places = [&line.client, &chat];
    let mut known = HashSet::new();
    let mut are_new = |what: &str| -> Outcome {
        cx.eventually("/chat to be there", || chat.is_connected())?;
        for place in places {
            let id = place.id().ok_or("no id")?;
            ensure!(
                known.insert(id),
                "{}'s id is as before, {what}",
                place.name()
            );
        }
        Ok(())
    };
    let are_gone = |what: &str| -> Outcome {
        for place in places {
            ensure_eq!(place.id(), None, "{}'s id, {what}", place.name());
        }
        Ok(())
    };
    are_new("at first")?;
    line.cut(1)?;
    are_gone("while it is away")?;
    line.heal()?;
    are_new("when it is back")?;
    line.client.close()?;
    are_gone("when it is closed")?;
    line.client.open()?;
    line.client.namespace("/chat").join()?;
    are_new("when it is opened again")?;
    Ok(line.client.close()?)
}
