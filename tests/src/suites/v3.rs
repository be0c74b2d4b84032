//! V3: HTTP polling.
//!
//! Elsewhere: V3.7 needs a scripted peer.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value as Json, json};
use sio_core::{DisconnectReason, Error, Events};
use sio_v1::Client;

use super::returning;
use super::shown::cookies_come_back;
use crate::case::{ALL, Case, Outcome, POLLING, POLLING_FIRST};
use crate::context::{Context, PATIENCE};
use crate::front::Front;
use crate::{ensure, ensure_eq};

type Cx = Context<sio_v1::Session>;

/// Texts with their SHA-1 in UTF-8: what a server has that received them intact. The second and third look like others
/// that were encoded twice.
const TEXTS: [(&str, &str); 7] = [
    ("é", "bf15be717ac1b080b4f1c456692825891ff5073d"),
    ("Ã©", "f7f4da70047300b4fa767a94055f69485705d9c4"),
    ("ã\u{81}\u{82}", "b676c31e51c927fbd10baec32ca093bbf89df4aa"),
    ("한글 漢字", "0ce4f284bec62cedbe10d9e26803f5e66018e311"),
    ("😀👍🏽", "4be0eaf2b34903ca9e5f89af91d76d39d50a2eb3"),
    (
        "\u{2028}\u{a0}\u{ffff}",
        "f063b7916faf81cbb3c54da9d010de23bb21ff43",
    ),
    ("plain ascii", "b7ca9160311f45c0fcbb42cea638d58a3b0501b6"),
];

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    vec![
        Case {
            id: "V3.1",
            title: "The server answers polls with text framing (2.x, 4.x)",
            modes: POLLING,
            run: text_framing,
        },
        Case {
            id: "V3.2",
            title: "The server answers polls with binary framing (1.x always, later ones with bytes)",
            modes: POLLING,
            run: binary_framing,
        },
        Case {
            id: "V3.3",
            title: "Text lengths count UTF-16 units; a server that counts bytes is survived",
            modes: POLLING,
            run: text_lengths,
        },
        Case {
            id: "V3.4",
            title: "Multi-byte text from the server is decoded exactly once",
            modes: POLLING_FIRST,
            run: received_text_is_decoded_once,
        },
        Case {
            id: "V3.5",
            title: "Multi-byte text that is posted arrives intact, in the one framing all servers read",
            modes: POLLING,
            run: posted_text_arrives_intact,
        },
        Case {
            id: "V3.6",
            title: "A server forced to base64: binary packets decode",
            modes: ALL,
            run: base64_packets,
        },
        Case {
            id: "V3.8",
            title: "Several packets in one response are dispatched in order",
            modes: POLLING,
            run: many_packets_in_one_response,
        },
        Case {
            id: "V3.9",
            title: "Emitting fast: one poll and one post in flight at most, and posts are batched",
            modes: POLLING,
            run: one_poll_and_one_post_in_flight,
        },
        Case {
            id: "V3.10",
            title: "A poll that the server holds is not given up first",
            modes: POLLING,
            run: held_polls_are_waited_for,
        },
        Case {
            id: "V3.11",
            title: "Gzip encoded polls decode; an encoding not asked for is a clear error",
            modes: POLLING,
            run: compressed_polls,
        },
        Case {
            id: "V3.12",
            title: "Polling for long uses two sockets at most",
            modes: POLLING,
            run: connections_are_reused,
        },
        Case {
            id: "V3.13",
            title: "The session becomes unknown to the server: the client comes back with another one",
            modes: POLLING,
            run: sessions_become_unknown,
        },
        Case {
            id: "V3.14",
            title: "Cookies of any answer come back on every later request, the upgrade and the next handshake",
            modes: POLLING_FIRST,
            run: cookies_of_the_server,
        },
        Case {
            id: "V3.15",
            title: "A proxy answers a poll or a post with HTML or 5xx: the error has the status, the session ends",
            modes: POLLING,
            run: answers_of_a_proxy,
        },
        Case {
            id: "V3.15b",
            title: "After such an end the client comes back with another session",
            modes: POLLING,
            run: comes_back_after_a_proxy,
        },
    ]
}

// --- framing --------------------------------------------------------------------------------------------------------

fn text_framing(cx: &Cx) -> Outcome {
    let front = front_of(cx, "main")?;
    let client = cx.builder_at(&front.url()).connect()?;
    for (text, _) in TEXTS {
        let echo: String = client.call("echo", text, PATIENCE)?;
        ensure_eq!(echo, text, "a text from the server");
    }
    ensure!(
        front.server_said("content-type: text/plain"),
        "the server did not use text framing"
    );
    ensure!(front.server_said(":430["), "no ack came in text framing");
    Ok(())
}

fn binary_framing(cx: &Cx) -> Outcome {
    let front = front_of(cx, "main")?;
    let (builder, mut events) = cx.builder_at(&front.url()).events();
    let client = builder.connect()?;
    client.emit("type", "bytes-many")?;
    let values: (Bytes, Bytes, Bytes, String, Bytes) =
        cx.next_event(&mut events, "type-bytes-many")?.decode()?;
    let b = |bytes: &'static [u8]| Bytes::from_static(bytes);
    let expected = (
        b(&[1]),
        b(&[2, 2]),
        b(&[3, 3, 3]),
        "text".to_owned(),
        b(&[4]),
    );
    ensure_eq!(values, expected, "the values of bytes-many");
    ensure!(
        front.server_said("content-type: application/octet-stream"),
        "the server did not use binary framing"
    );
    Ok(())
}

fn text_lengths(cx: &Cx) -> Outcome {
    let text = "é 한 😀";
    let packet = format!(r#"42["counted",{}]"#, Json::from(text));
    for length in [packet.encode_utf16().count(), packet.len()] {
        let (builder, mut events) = cx.builder().events();
        let client = builder.connect()?;
        // A second packet, so that a wrong end of the first one cannot go unnoticed.
        let body = format!(r#"{length}:{packet}13:42["after",1]"#);
        let headers = json!({ "Content-Type": "text/plain; charset=UTF-8" });
        answer_next_poll(
            cx,
            &client,
            &json!({ "status": 200, "headers": headers, "body": body }),
        )?;
        let counted: String = cx.next_event(&mut events, "counted")?.decode()?;
        ensure_eq!(counted, text, "the text of a packet with length {length}");
        cx.next_event(&mut events, "after")?;
        cx.exchange(&client)?;
        client.close()?;
    }
    Ok(())
}

/// Has the next poll that arrives answered by somebody else.
fn answer_next_poll(cx: &Cx, client: &Client, answer: &Json) -> Outcome {
    wait_for_pending_poll(cx)?;
    cx.control()
        .fault(&json!({ "on": "poll", "times": 1, "answer": answer }))?;
    // The server answers the pending poll, so there is a next one. Its own answer may be too late for this call.
    client.emit("echo", "next poll, please")?;
    Ok(())
}

fn wait_for_pending_poll(cx: &Cx) -> Outcome {
    cx.until("a pending poll", || {
        let session = cx.control().sessions()?.pop();
        Ok(session.filter(|session| session.polls.now == 1).map(drop))
    })
}

fn base64_packets(cx: &Cx) -> Outcome {
    let front = front_of(cx, "main")?;
    let (builder, mut events) = cx.builder_at(&front.url()).query("b64", "1").events();
    let client = builder.connect()?;
    cx.settle(&client)?;
    client.emit("type", "bytes")?;
    let bytes: Bytes = cx.next_event(&mut events, "type-bytes")?.decode()?;
    ensure_eq!(
        bytes,
        Bytes::from_static(&[0, 1, 2, 0xfa, 0xff]),
        "the bytes"
    );
    // These bytes, as a message in base64.
    ensure!(
        front.server_said("b4AAEC+v8="),
        "the server did not use base64"
    );
    cx.exchange(&client)
}

fn front_of(cx: &Cx, variant: &str) -> Outcome<Front> {
    Ok(Front::open(
        Ipv4Addr::LOCALHOST.into(),
        cx.server().port(variant),
    )?)
}

// --- text -----------------------------------------------------------------------------------------------------------

fn received_text_is_decoded_once(cx: &Cx) -> Outcome {
    let (builder, mut events) = cx.builder().events();
    let client = builder.connect()?;
    for (text, _) in TEXTS {
        let answer: String = client.call("echo", text, PATIENCE)?;
        ensure_eq!(answer, text, "a text in an ack");
        client.emit("news", text)?;
        let event: String = cx.next_event(&mut events, "news")?.decode()?;
        ensure_eq!(event, text, "a text in an event");
    }
    Ok(())
}

fn posted_text_arrives_intact(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    for (text, sha1) in TEXTS {
        let digest: Json = client.call("digest", text, PATIENCE)?;
        ensure_eq!(
            digest,
            json!({ "kind": "text", "bytes": text.len(), "sha1": sha1 }),
            "the digest of {text:?}"
        );
    }
    let posts = cx.control().requests_of("post")?;
    ensure!(
        posts.len() >= TEXTS.len(),
        "expected a post for each text, found {}",
        posts.len()
    );
    for post in posts {
        ensure_eq!(
            post.header("content-type"),
            Some("application/octet-stream"),
            "the framing of a post"
        );
        ensure_eq!(
            post.header("transfer-encoding"),
            None,
            "the transfer encoding of a post"
        );
        ensure_eq!(
            post.header("content-length"),
            Some(post.body_bytes.to_string().as_str()),
            "a post's length"
        );
    }
    Ok(())
}

// --- requests -------------------------------------------------------------------------------------------------------

fn many_packets_in_one_response(cx: &Cx) -> Outcome {
    const COUNT: usize = 300;
    let (builder, mut events) = cx.builder().events();
    let client = builder.connect()?;
    let count: usize = client.call("burst", json!({ "count": COUNT, "size": 10 }), PATIENCE)?;
    ensure_eq!(count, COUNT, "the answer of the server");
    ensure_eq!(
        ticks(cx, &mut events)?,
        (0..COUNT).collect::<Vec<_>>(),
        "the numbers of the events"
    );
    let polls = cx.control().session()?.polls.total;
    ensure!(
        polls < COUNT as u64 / 10,
        "{polls} polls for {COUNT} packets: they did not come together"
    );
    Ok(())
}

/// The numbers of all events of a burst.
fn ticks(cx: &Cx, events: &mut Events) -> Outcome<Vec<usize>> {
    let mut numbers = Vec::new();
    for event in cx.events_until(events, "tick-end")? {
        if event.name() == "tick" {
            numbers.push(event.decode()?);
        }
    }
    Ok(numbers)
}

fn one_poll_and_one_post_in_flight(cx: &Cx) -> Outcome {
    const COUNT: usize = 1000;
    let client = cx.connect()?;
    for index in 0..COUNT {
        client.emit("seq", (0, index))?;
    }
    let report: Json = client.call("seq-report", (), PATIENCE)?;
    let expected =
        json!({ "0": { "count": COUNT, "in_order": true, "intact": true, "last": COUNT - 1 } });
    ensure_eq!(report, expected, "the server's report on numbered events");
    let session = cx.control().session()?;
    ensure_eq!(session.polls.max, 1, "polls in flight at once");
    ensure_eq!(session.posts.max, 1, "posts in flight at once");
    let posts = session.posts.total;
    ensure!(
        posts < COUNT as u64 / 4,
        "{posts} posts for {COUNT} events: they are not batched"
    );
    Ok(())
}

fn held_polls_are_waited_for(cx: &Cx) -> Outcome {
    // Nothing to say: the server holds the poll for longer than the client's own limit for connecting.
    let limit = Duration::from_millis(1500);
    let (builder, mut events) = cx.builder().connect_timeout(limit).events();
    let client = builder.connect()?;
    client.emit("after", (2500, "late", 1))?;
    expect_late(cx, &client, &mut events, 1)?;
    let polls = cx.control().requests_of("poll")?;
    let held = polls
        .iter()
        .filter_map(|poll| Some(poll.ended_at? - poll.at));
    ensure!(
        held.fold(0.0, f64::max) > 2000.0,
        "no poll took 2 s: the case shows nothing"
    );
    client.close()?;
    poll_held_beyond_the_interval(cx)
}

/// A session with a ping interval of 400 ms, whose first poll the server holds for almost interval plus timeout.
fn poll_held_beyond_the_interval(cx: &Cx) -> Outcome {
    let control = cx.control();
    let text = |body: &str| {
        let headers = json!({ "Content-Type": "text/plain; charset=UTF-8" });
        json!({ "status": 200, "headers": headers, "body": body })
    };
    let open = r#"0{"sid":"made-up","upgrades":[],"pingInterval":400,"pingTimeout":3000}"#;
    let body = format!("{}:{open}2:40", open.len());
    control.fault(&json!({ "on": "handshake", "answer": text(&body) }))?;
    control.fault(&json!({ "on": "post", "answer": text("ok") }))?;
    control.fault(&json!({ "on": "poll", "times": 1, "delay": 2500, "answer": text("1:6") }))?;
    control.fault(&json!({ "on": "poll", "times": 1, "answer": text(r#"12:42["late",2]"#) }))?;
    control.fault(&json!({ "on": "poll", "answer": "hang" }))?;
    let builder = cx.builder().close_timeout(Duration::from_millis(200));
    let (builder, mut events) = builder.events();
    let client = builder.connect()?;
    expect_late(cx, &client, &mut events, 2)?;
    client.close()?;
    control.clear_faults()
}

/// The event behind a held poll.
fn expect_late(cx: &Cx, client: &Client, events: &mut Events, number: u32) -> Outcome {
    let late = cx.next_event(events, "late");
    ensure!(
        client.is_connected(),
        "session {number} ended: {}",
        client.wait()
    );
    ensure_eq!(
        late?.decode::<u32>()?,
        number,
        "the event behind a held poll"
    );
    Ok(())
}

fn compressed_polls(cx: &Cx) -> Outcome {
    let front = front_of(cx, "compressed")?;
    let (builder, mut events) = cx.builder_at(&front.url()).events();
    let client = builder.connect()?;
    let text = "é 한 😀 ".repeat(500);
    client.emit("news", &text)?;
    let event: String = cx.next_event(&mut events, "news")?.decode()?;
    ensure_eq!(event, text, "the text of a compressed poll");
    ensure!(
        front.server_said("content-encoding: gzip"),
        "the server did not compress"
    );

    let answer = json!({ "status": 200, "headers": { "Content-Encoding": "br" }, "body": "\u{1}\u{2}\u{3}" });
    let error = end_by_poll(cx, &client, &answer)?;
    ensure!(
        error.contains("br"),
        "the error does not name the encoding: {error}"
    );
    Ok(())
}

fn connections_are_reused(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    for _ in 0..60 {
        cx.exchange(&client)?;
    }
    client.close()?;
    let requests = cx.control().requests()?;
    let connections: HashSet<u64> = requests.iter().map(|request| request.connection).collect();
    ensure!(
        requests.len() > 100,
        "only {} requests: the case shows nothing",
        requests.len()
    );
    ensure!(
        connections.len() <= 2,
        "{} requests took {} connections",
        requests.len(),
        connections.len()
    );
    Ok(())
}

fn cookies_of_the_server(cx: &Cx) -> Outcome {
    // Up to 2.x the id of the session is a cookie, too.
    cookies_come_back(cx, (cx.major() < 3).then_some("io"))
}

fn answers_of_a_proxy(cx: &Cx) -> Outcome {
    for (status, body) in [
        (502, "<html><h1>Bad Gateway</h1></html>"),
        (200, "<html>Please log in</html>"),
    ] {
        let client = cx.builder().connect()?;
        let answer = json!({ "status": status, "body": body });
        let error = end_by_poll(cx, &client, &answer)?;
        ensure!(
            error.contains(&status.to_string()),
            "the status {status} is not in the error: {error}"
        );
        ensure!(
            error.contains("html"),
            "nothing of the page is in the error: {error}"
        );
    }
    let client = cx.builder().connect()?;
    cx.control().fault(
        &json!({ "on": "post", "times": 1, "answer": { "status": 503, "body": "<html>busy" } }),
    )?;
    client.emit("sink", 1)?;
    let error = end_of(&client)?;
    ensure!(
        error.contains("503"),
        "the status 503 is not in the error: {error}"
    );
    Ok(())
}

/// Has a poll answered wrongly; returns the error that ends the session.
fn end_by_poll(cx: &Cx, client: &Client, answer: &Json) -> Outcome<String> {
    answer_next_poll(cx, client, answer)?;
    end_of(client)
}

/// Waits for the end of a session, checks that nothing is left of it, and returns the error that ended it.
fn end_of(client: &Client) -> Outcome<String> {
    let begin = Instant::now();
    let reason = client.wait();
    ensure!(
        begin.elapsed() < PATIENCE,
        "the end took {:?}",
        begin.elapsed()
    );
    let DisconnectReason::Error(error) = reason else {
        return Err(format!("it ended without an error: {reason:?}").into());
    };
    let emitted = client.emit("sink", 2);
    ensure!(
        matches!(emitted, Err(Error::Disconnected(_))),
        "an emit after the end gave {emitted:?}"
    );
    ensure_eq!(client.transport(), None, "the transport after the end");
    client.close()?;
    Ok(error.chain())
}

// --- coming back ----------------------------------------------------------------------------------------------------

/// The next request of a kind is answered by somebody else; an echo brings both kinds.
fn answered_once(cx: &Cx, client: &Client, kind: &str, status: u16, body: &str) -> Outcome {
    let answer = json!({
        "status": status,
        "headers": { "Content-Type": "application/json" },
        "body": body,
    });
    cx.control()
        .fault(&json!({ "on": kind, "times": 1, "answer": answer }))?;
    Ok(client.emit("echo", 1)?)
}

fn was_answered(reason: &DisconnectReason, status: u16) -> bool {
    match reason {
        DisconnectReason::Error(error) => {
            matches!(&**error, Error::Http(http) if http.status == status)
        }
        _ => false,
    }
}

fn sessions_become_unknown(cx: &Cx) -> Outcome {
    // What another node behind a balancer says, or a server that was started anew.
    let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
    returning::returns_after(
        cx,
        "main",
        |client| answered_once(cx, client, "poll", 400, unknown),
        |reason| was_answered(reason, 400) && reason.to_string().contains("does not know"),
    )
}

fn comes_back_after_a_proxy(cx: &Cx) -> Outcome {
    returning::returns_after(
        cx,
        "main",
        |client| answered_once(cx, client, "post", 502, "Bad Gateway"),
        |reason| was_answered(reason, 502),
    )
}
