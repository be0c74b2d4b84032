//! L2: the transports of 0.9.
//!
//! Elsewhere: L2.10 and L2.12 need a scripted peer.

mod broken;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use sio_core::{Deadline, DisconnectReason, Error, Status, Transport};
use sio_legacy::{Client, ClientBuilder, Proxy, Session};

use super::catalogue;
use super::kit::{Log, Several, many_at_once_arrive, travels, within};
use super::legacy_kit::{
    Cx, HTTP, POLLS, STREAMS, count_received, framed, get_kind, only_variant, path_of, payload_of,
    sent, the_end, transport, wait_received, wire_name,
};
use super::returning;
use crate::case::{ALL, Case, Mode, Outcome, WEBSOCKET};
use crate::context::{PATIENCE, StatusLog};
use crate::control::Request;
use crate::front::{Cut, Direction, Flow, Front, Place, Then, Which};
use crate::nginx::{Nginx, WebSockets};
use crate::{ensure, ensure_eq};

use self::broken::{l2_9, l2_9b, l2_9c, l2_9d, watched};

/// What may pass between two things that follow each other at once, on a busy machine.
const AT_ONCE: f64 = 150.0;

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case<Session>> {
    let case = Case::in_modes;
    vec![
        case(
            "L2.1",
            "one WebSocket at the session's path, and nothing else",
            WEBSOCKET,
            l2_1,
        ),
        case(
            "L2.1b",
            "a GET at the session's path comes first, posts go there too",
            HTTP,
            l2_1b,
        ),
        case(
            "L2.2",
            "a refused WebSocket: the next transport is used, with a new handshake",
            HTTP,
            l2_2,
        ),
        case(
            "L2.2b",
            "a WebSocket that is never answered: the next one, in time",
            HTTP,
            l2_2b,
        ),
        case(
            "L2.2c",
            "a WebSocket that opens and stays silent, or ends: the next one",
            HTTP,
            l2_2c,
        ),
        case(
            "L2.2d",
            "no transport works: the error tells of each",
            HTTP,
            l2_2d,
        ),
        case(
            "L2.2e",
            "a server with one transport only: the defaults find it",
            ALL,
            l2_2e,
        ),
        case("L2.2f", "the order is the client's", ALL, l2_2f),
        case(
            "L2.2g",
            "behind an nginx that was not told of WebSockets: the next transport is used",
            POLLS,
            l2_2g,
        ),
        case(
            "L2.3",
            "without WebSocket in the list none is opened",
            HTTP,
            l2_3,
        ),
        case(
            "L2.4",
            "a poll that the server holds is not given up first",
            POLLS,
            l2_4,
        ),
        case(
            "L2.5",
            "a noop is followed by the next poll at once, and fires nothing",
            POLLS,
            l2_5,
        ),
        case(
            "L2.6",
            "one packet is posted bare, several framed",
            HTTP,
            l2_6,
        ),
        case("L2.6b", "what is posted is ASCII", HTTP, l2_6b),
        case(
            "L2.6c",
            "nothing is posted before the first answer came",
            HTTP,
            l2_6c,
        ),
        case(
            "L2.6d",
            "emitting fast: one GET and one POST at a time, posts are batched",
            HTTP,
            l2_6d,
        ),
        case(
            "L2.7",
            "while a poll is held, an emit leaves at once",
            HTTP,
            l2_7,
        ),
        case(
            "L2.8",
            "many packets in one answer are dispatched in order",
            POLLS,
            l2_8,
        ),
        case(
            "L2.9",
            "a poll with an HTTP error or a page ends the session",
            POLLS,
            l2_9,
        ),
        case("L2.9b", "so does a post", HTTP, l2_9b),
        case(
            "L2.9d",
            "after such an end the client comes back with another session",
            HTTP,
            l2_9d,
        ),
        case("L2.9c", "so does a connection that breaks", HTTP, l2_9c),
        case(
            "L2.11",
            "a stream that ends without a packet: one disconnect, with its reason",
            STREAMS,
            l2_11,
        ),
        case(
            "L2.11b",
            "a stream that is torn: one disconnect",
            STREAMS,
            l2_11b,
        ),
        case(
            "L2.13",
            "JSONP: answers are unwrapped and posts escaped",
            &[Mode::JsonpPolling],
            l2_13,
        ),
    ]
}

// --- what is requested ----------------------------------------------------------------------------------------------

fn l2_1(cx: &Cx) -> Outcome {
    for url in [cx.url("main"), cx.url("main").replace("http://", "ws://")] {
        let before = cx.control().requests()?.len();
        let client = cx.builder_at(&url).connect()?;
        cx.exchange(&client)?;
        let sid = client.id().unwrap_or_default();
        client.close()?;
        let requests = &cx.control().requests()?[before..];
        let kinds: Vec<&str> = requests.iter().map(|request| &*request.kind).collect();
        ensure_eq!(kinds, ["handshake", "upgrade"], "what was requested");
        let upgrade = &requests[1];
        ensure_eq!(
            path_of(upgrade),
            format!("/socket.io/1/websocket/{sid}"),
            "the path of the WebSocket"
        );
        ensure_eq!(
            upgrade.header("sec-websocket-version"),
            Some("13"),
            "the WebSocket's version"
        );
        // Its servers know neither, and answer as if they were not there.
        for name in ["sec-websocket-protocol", "sec-websocket-extensions"] {
            ensure_eq!(upgrade.header(name), None, "{name}");
        }
    }
    Ok(())
}

fn l2_1b(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    cx.exchange(&client)?;
    let sid = client.id().unwrap_or_default();
    client.close()?;
    let requests = cx.control().requests()?;
    let kinds: Vec<&str> = requests.iter().map(|request| &*request.kind).collect();
    ensure_eq!(
        kinds[..2],
        ["handshake", get_kind(cx)],
        "the first requests"
    );
    ensure!(kinds.contains(&"post"), "nothing was posted: {kinds:?}");
    for request in &requests[1..] {
        let expected = format!("/socket.io/1/{}/{sid}", wire_name(cx));
        ensure_eq!(path_of(request), expected, "the path of a {}", request.kind);
        let index = request.query.get("i").map(String::as_str);
        let has_index = index.is_some_and(|index| index.parse::<u32>().is_ok());
        let is_jsonp = cx.mode() == Mode::JsonpPolling;
        ensure_eq!(has_index, is_jsonp, "an index in {}", request.url);
    }
    Ok(())
}

// --- the choice of a transport --------------------------------------------------------------------------------------

/// A connection that wants a WebSocket, and then the transport of the mode.
fn wants_websocket(cx: &Cx, builder: ClientBuilder, log: &StatusLog) -> ClientBuilder {
    builder
        .transports([Transport::WebSocket, transport(cx)])
        .on_status(log.watcher())
}

/// The connection is on the transport of the mode, after its WebSocket failed; returns why.
fn fell_back(cx: &Cx, client: &Client, log: &StatusLog) -> Outcome<Error> {
    ensure_eq!(
        client.transport(),
        Some(transport(cx)),
        "the transport in use"
    );
    cx.exchange(client)?;
    log.wait_for("the connect", |status| {
        matches!(status, Status::Connected { .. }).then_some(())
    })?;
    let seen = log.seen();
    let error = match &seen[..] {
        [
            Status::TransportFailed {
                transport: Transport::WebSocket,
                error,
            },
            Status::Connected { .. },
        ] => error.clone(),
        _ => return Err(format!("the changes of status were {seen:?}").into()),
    };
    let handshakes = cx.control().requests_of("handshake")?;
    let opened: Vec<Option<String>> = handshakes
        .into_iter()
        .map(|request| request.opened)
        .collect();
    let [first, second] = &opened[opened.len() - 2..] else {
        return Err(format!("the handshakes opened {opened:?}").into());
    };
    ensure_eq!(client.id(), *second, "the session in use");
    // The half-open WebSocket could still own the session it was opened for.
    ensure!(first != second, "both transports had the session {first:?}");
    Ok(error)
}

fn l2_2(cx: &Cx) -> Outcome {
    for answer in [
        json!({ "status": 403, "body": "<html>no WebSockets here</html>" }),
        json!({ "status": 502, "body": "Bad Gateway" }),
        json!({ "status": 200, "body": "what?" }),
        json!("reset"),
    ] {
        cx.control()
            .fault(&json!({ "on": "upgrade", "answer": answer }))?;
        let log = StatusLog::new();
        let client = wants_websocket(cx, cx.builder(), &log).connect()?;
        let error = fell_back(cx, &client, &log)?;
        if let Some(status) = answer["status"].as_u64() {
            ensure!(
                matches!(&error, Error::Http(error) if u64::from(error.status) == status),
                "a WebSocket answered with {status} failed with {error:?}"
            );
        }
        client.close()?;
        cx.control().clear_faults()?;
    }
    Ok(())
}

fn l2_2g(cx: &Cx) -> Outcome {
    let nginx = Nginx::start(&[cx.server().port("main")], WebSockets::Lost)?;
    let log = StatusLog::new();
    let client = wants_websocket(cx, cx.builder_at(&nginx.url()), &log).connect()?;
    let error = fell_back(cx, &client, &log)?;
    // The server hangs up on a WebSocket's path that is asked for plainly.
    ensure!(
        matches!(&error, Error::Http(error) if error.status == 502),
        "a WebSocket behind nginx failed with {error:?}"
    );
    Ok(client.close()?)
}

const LIMIT: Duration = Duration::from_secs(3);

/// The same for a WebSocket that keeps silent: half of the time is for the other transport.
fn falls_back_in_time(cx: &Cx, url: &str) -> Outcome {
    let log = StatusLog::new();
    let builder = wants_websocket(cx, cx.builder_at(url), &log).connect_timeout(LIMIT);
    let begin = Instant::now();
    let client = within(LIMIT, "connecting", || Ok(builder.connect()?))?;
    let took = begin.elapsed();
    ensure!(
        took >= LIMIT / 3,
        "it waited for the WebSocket for {took:?} only"
    );
    let error = fell_back(cx, &client, &log)?;
    ensure!(
        matches!(
            error,
            Error::Timeout {
                deadline: Deadline::Transport,
                ..
            }
        ),
        "a silent WebSocket failed with {error:?}"
    );
    Ok(client.close()?)
}

fn l2_2b(cx: &Cx) -> Outcome {
    cx.control()
        .fault(&json!({ "on": "upgrade", "answer": "hang" }))?;
    falls_back_in_time(cx, &cx.url("main"))
}

fn l2_2c(cx: &Cx) -> Outcome {
    let port = cx.server().port("main");
    let front = Front::open(Ipv4Addr::LOCALHOST.into(), port)?;
    let behind_the_head = |then| {
        let flow = Flow::Until(Place::Behind(b"\r\n\r\n".to_vec()), then);
        front.set(Which::WebSockets, Direction::Down, flow);
    };
    // A proxy that takes the opening's answer for an ordinary one.
    behind_the_head(Then::Swallow);
    falls_back_in_time(cx, &front.url())?;
    behind_the_head(Then::Cut(Cut::Fin));
    let log = StatusLog::new();
    let client = wants_websocket(cx, cx.builder_at(&front.url()), &log).connect()?;
    let error = fell_back(cx, &client, &log)?;
    ensure!(
        !error.is_timeout(),
        "it waited for a WebSocket that had ended"
    );
    Ok(client.close()?)
}

fn l2_2d(cx: &Cx) -> Outcome {
    let control = cx.control();
    let answer = |status: u16| json!({ "status": status, "body": "no" });
    control.fault(&json!({ "on": "upgrade", "answer": answer(403) }))?;
    control.fault(&json!({ "on": get_kind(cx), "answer": answer(502) }))?;
    let log = StatusLog::new();
    let error = wants_websocket(cx, cx.builder(), &log).connect().err();
    let text = match &error {
        Some(error @ Error::Transport { .. }) => error.chain(),
        other => return Err(format!("connecting gave {other:?}").into()),
    };
    for part in ["websocket", "403", wire_name(cx), "502"] {
        ensure!(text.contains(part), "{part:?} is not in the error: {text}");
    }
    // One alone speaks for itself.
    let error = cx.builder().connect().err();
    ensure!(
        matches!(&error, Some(Error::Http(error)) if error.status == 502),
        "one failing transport gave {error:?}"
    );
    Ok(())
}

/// The transports, by their names in paths, that were asked for.
fn transports_asked(cx: &Cx) -> Outcome<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for request in cx.control().requests()? {
        let name = path_of(&request).split('/').nth(3).unwrap_or_default();
        if request.kind != "handshake" && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn l2_2e(cx: &Cx) -> Outcome {
    let log = StatusLog::new();
    // Not the builder of the context: that knows the transport already.
    let client = Client::builder(&cx.url(only_variant(cx)))
        .query("tag", cx.tag())
        .proxy(Proxy::off())
        .on_status(log.watcher())
        .connect()?;
    ensure_eq!(
        client.transport(),
        Some(transport(cx)),
        "the transport in use"
    );
    cx.exchange(&client)?;
    client.close()?;
    ensure_eq!(
        transports_asked(cx)?,
        [wire_name(cx)],
        "the transports asked for"
    );
    let failed = log.count(|status| matches!(status, Status::TransportFailed { .. }));
    ensure_eq!(failed, 0, "transports that failed");
    ensure_eq!(cx.control().sessions()?.len(), 1, "sessions the server saw");
    Ok(())
}

fn l2_2f(cx: &Cx) -> Outcome {
    let every = [
        Transport::JsonpPolling,
        Transport::HtmlFile,
        Transport::Polling,
        Transport::WebSocket,
    ];
    let others = every.into_iter().filter(|other| *other != transport(cx));
    let order: Vec<Transport> = [transport(cx)].into_iter().chain(others).collect();
    // One port lists them in the default order, the other in another.
    for variant in ["main", "polling-first"] {
        let client = cx
            .builder_for(variant)
            .transports(order.clone())
            .connect()?;
        ensure_eq!(
            client.transport(),
            Some(transport(cx)),
            "the transport on {variant}"
        );
        cx.exchange(&client)?;
        client.close()?;
    }
    ensure_eq!(
        transports_asked(cx)?,
        [wire_name(cx)],
        "the transports asked for"
    );
    // One that the server does not list is passed over.
    let others = every.into_iter().filter(|other| *other != transport(cx));
    let order: Vec<Transport> = others.chain([transport(cx)]).collect();
    let client = cx
        .builder_for(only_variant(cx))
        .transports(order)
        .connect()?;
    ensure_eq!(
        client.transport(),
        Some(transport(cx)),
        "the one the server has"
    );
    Ok(client.close()?)
}

fn l2_3(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    cx.exchange(&client)?;
    client.close()?;
    let upgrades = cx.control().requests_of("upgrade")?;
    ensure!(upgrades.is_empty(), "a WebSocket was opened: {upgrades:?}");
    ensure_eq!(
        transports_asked(cx)?,
        [wire_name(cx)],
        "the transports asked for"
    );
    Ok(())
}

// --- polls ----------------------------------------------------------------------------------------------------------

/// The requests that bring packets.
fn gets(cx: &Cx) -> Outcome<Vec<Request>> {
    cx.control().requests_of(get_kind(cx))
}

fn l2_4(cx: &Cx) -> Outcome {
    // Neither the client's limit for connecting nor the server's close timeout of 1 s is a limit for a poll.
    let (builder, mut events) = cx
        .builder_for("short-close")
        .connect_timeout(Duration::from_millis(1500))
        .events();
    let client = builder.connect()?;
    client.emit("after", (2500, "late", 1))?;
    let late = cx.next_event(&mut events, "late");
    ensure!(
        client.is_connected(),
        "the session ended: {}",
        client.wait()
    );
    ensure_eq!(late?.decode::<u8>()?, 1, "the event behind a held poll");
    let polls = gets(cx)?;
    let held = polls
        .iter()
        .filter_map(|poll| Some(poll.ended_at? - poll.at));
    ensure!(
        held.fold(0.0, f64::max) > 2000.0,
        "no poll took 2 s: the case shows nothing"
    );
    cx.exchange(&client)?;
    Ok(client.close()?)
}

fn l2_5(cx: &Cx) -> Outcome {
    const IDLE: usize = 5;
    let events = Log::new();
    let client = cx
        .builder_for("short-poll")
        .on_any(events.watcher())
        .connect()?;
    events.wait_for(2, "events of the server's connection handler")?;
    let before = gets(cx)?.len();
    let polls = cx.until("idle polls", || {
        let polls = gets(cx)?;
        Ok((polls.len() > before + IDLE).then_some(polls))
    })?;
    let pause = |pair: &[Request]| pair[1].at - pair[0].ended_at.unwrap_or_default();
    let mut pauses: Vec<f64> = polls[before..].windows(2).map(pause).collect();
    pauses.sort_by(f64::total_cmp);
    // A machine that stalls delays one of them; a client that waits delays all, each more than the last.
    let median = pauses[pauses.len() / 2];
    ensure!(
        median < AT_ONCE,
        "the polls after noops came late, by {pauses:?} ms"
    );
    let noops = cx.control().sent()?;
    let noops = noops.iter().filter(|packet| packet.text() == "8::").count();
    ensure!(
        noops >= IDLE,
        "{noops} noops were sent: the case shows nothing"
    );
    cx.exchange(&client)?;
    ensure_eq!(events.seen().len(), 2, "events: {:?}", events.seen());
    ensure_eq!(client.counters().tolerated, 0, "things let pass");
    Ok(client.close()?)
}

fn l2_7(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let poll = wait_for_held_get(cx)?;
    let begin = Instant::now();
    client.emit("sink", "now")?;
    wait_received(cx, r#"5:::{"name":"sink","args":["now"]}"#)?;
    let took = begin.elapsed();
    ensure!(took < Duration::from_millis(500), "it left after {took:?}");
    let last = gets(cx)?.pop().ok_or("the server saw no GET")?;
    ensure!(
        last.seq == poll.seq && last.ended_at.is_none(),
        "the GET was not held all the time: {last:?}"
    );
    Ok(client.close()?)
}

/// Waits until the server holds a GET, everything it had to say being said; returns it.
fn wait_for_held_get(cx: &Cx) -> Outcome<Request> {
    // The question in the connection handler is the last thing it says by itself.
    cx.until("a GET that the server holds", || {
        let sent = sent(cx)?;
        let is_done = sent.iter().any(|text| text.contains("welcome-question"));
        let last = gets(cx)?.pop();
        Ok(last.filter(|get| is_done && get.ended_at.is_none()))
    })
}

fn l2_8(cx: &Cx) -> Outcome {
    const COUNT: usize = 300;
    let (builder, mut events) = cx.builder().events();
    let client = builder.connect()?;
    client.emit("burst", json!({ "count": COUNT, "size": 10 }))?;
    let mut numbers = Vec::new();
    for event in cx.events_until(&mut events, "tick-end")? {
        if event.name() == "tick" {
            numbers.push(event.decode::<usize>()?);
        }
    }
    ensure!(
        numbers.iter().copied().eq(0..COUNT),
        "the ticks came as {numbers:?}"
    );
    let polls = cx.control().session()?.polls.total;
    ensure!(
        polls < COUNT as u64 / 10,
        "{polls} polls for {COUNT} packets: they did not come together"
    );
    Ok(client.close()?)
}

// --- posts ----------------------------------------------------------------------------------------------------------

fn l2_6(cx: &Cx) -> Outcome {
    let packets: Vec<String> = (0..5)
        .map(|index| format!(r#"5:::{{"name":"sink","args":[{index}]}}"#))
        .collect();
    let packets: Vec<&str> = packets.iter().map(String::as_str).collect();
    let client = cx.connect()?;
    wait_for_held_get(cx)?;
    client.emit("sink", 0)?;
    wait_received(cx, packets[0])?;
    // While this post is out, the others pile up.
    cx.control()
        .fault(&json!({ "on": "post", "times": 1, "delay": 300 }))?;
    for index in 1..5 {
        client.emit("sink", index)?;
    }
    wait_received(cx, packets[4])?;
    ensure_eq!(
        count_received(cx, packets[1])?,
        1,
        "packets of the post that took long"
    );
    let posts = cx.control().requests_of("post")?;
    ensure_eq!(posts.len(), 3, "posts");
    // Of one that is passed on late, Node 0.10 does not show the body.
    let payloads = [payload_of(&posts[0])?, payload_of(&posts[2])?];
    ensure_eq!(
        payloads,
        [packets[0].to_owned(), framed(&packets[2..])],
        "the posts"
    );
    for post in [&posts[0], &posts[2]] {
        let form = cx.mode() == Mode::JsonpPolling;
        let expected = if form {
            "application/x-www-form-urlencoded"
        } else {
            "text/plain"
        };
        let content_type = post.header("content-type").unwrap_or_default();
        ensure!(
            content_type.starts_with(expected),
            "a post's type: {content_type}"
        );
        ensure_eq!(
            post.header("content-length"),
            Some(post.body_bytes.to_string().as_str()),
            "a post's length"
        );
        ensure_eq!(
            post.header("transfer-encoding"),
            None,
            "a post's transfer coding"
        );
        ensure_eq!(post.status, Some(200), "its answer");
    }
    Ok(client.close()?)
}

fn l2_6b(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    for entry in catalogue::TEXTS {
        client.emit("sink", Several(&catalogue::entry(entry)))?;
        // One by one: the marks of a framed payload are not ASCII.
        cx.exchange(&client)?;
    }
    client.emit("größe", "été")?;
    cx.exchange(&client)?;
    client.send("text 😀")?;
    client.send(json!({ "clé": "été" }))?;
    cx.exchange(&client)?;
    for post in cx.control().requests_of("post")? {
        let is_framed = payload_of(&post)?.starts_with('\u{fffd}');
        let body = post.body();
        ensure!(
            body.is_ascii() || (is_framed && cx.mode() != Mode::JsonpPolling),
            "a post is not ASCII: {}",
            String::from_utf8_lossy(&body)
        );
    }
    Ok(client.close()?)
}

fn l2_6c(cx: &Cx) -> Outcome {
    cx.control()
        .fault(&json!({ "on": get_kind(cx), "times": 1, "delay": 400 }))?;
    let url = format!("{}/chat", cx.url("main"));
    let chat = cx.builder_at(&url).connect()?;
    chat.emit("sink", 1)?;
    cx.exchange(&chat)?;
    let requests = cx.control().requests()?;
    let first = requests.iter().find(|request| request.kind == "post");
    let first = first.ok_or("nothing was posted")?;
    let sent = cx.control().sent()?;
    let opened = sent.iter().find(|packet| packet.text() == "1::");
    let opened = opened.ok_or("the server sent no connect packet")?;
    ensure!(
        opened.seq < first.seq,
        "a post came at {}, the first answer at {}",
        first.at,
        opened.at
    );
    ensure_eq!(payload_of(first)?, "1::/chat", "the first post");
    Ok(chat.close()?)
}

fn l2_6d(cx: &Cx) -> Outcome {
    const COUNT: usize = 1000;
    let client = cx.connect()?;
    many_at_once_arrive(&client, COUNT)?;
    let session = cx.control().session()?;
    ensure_eq!(session.posts.max, 1, "posts in flight at once");
    let posts = session.posts.total;
    ensure!(
        posts < COUNT as u64 / 4,
        "{posts} posts for {COUNT} events: they are not batched"
    );
    if cx.mode() == Mode::HtmlFile {
        ensure_eq!(gets(cx)?.len(), 1, "streams");
    } else {
        ensure_eq!(session.polls.max, 1, "polls in flight at once");
    }
    client.close()?;
    // Servers read a post in the pieces in which it comes, and cut characters are lost.
    let posts = cx.control().requests_of("post")?;
    let largest = posts.iter().map(|post| post.body_bytes).max();
    ensure!(
        cx.mode() == Mode::JsonpPolling || largest <= Some(1024),
        "a framed post of {largest:?} bytes may be cut"
    );
    Ok(())
}

// --- streams --------------------------------------------------------------------------------------------------------

fn l2_11(cx: &Cx) -> Outcome {
    let (client, log) = watched(cx)?;
    cx.exchange(&client)?;
    ensure_eq!(cx.control().close()?, 1, "sessions the server closed");
    let reason = the_end(&log, &client)?;
    ensure!(
        matches!(&reason, DisconnectReason::TransportClose { code: None, text } if text.is_empty()),
        "it ended with {reason:?}"
    );
    ensure_eq!(cx.control().sessions()?.len(), 1, "sessions the server saw");
    Ok(())
}

fn l2_11b(cx: &Cx) -> Outcome {
    let (client, log) = watched(cx)?;
    cx.exchange(&client)?;
    ensure!(
        cx.control().drop_connections("reset")? > 0,
        "nothing was dropped"
    );
    let reason = the_end(&log, &client)?;
    let is_told = match &reason {
        DisconnectReason::TransportClose { code: None, .. } => true,
        DisconnectReason::Error(error) => matches!(**error, Error::Transport { .. }),
        _ => false,
    };
    ensure!(is_told, "it ended with {reason:?}");
    Ok(())
}

// --- JSONP ----------------------------------------------------------------------------------------------------------

fn l2_13(cx: &Cx) -> Outcome {
    const ODD: [&str; 6] = [
        "\"quoted\" \\ back / slash",
        "a+b&c=d%20;e",
        "'); alert('",
        "</script>",
        "line\nfeed\r\u{2028}\u{2029}",
        "\u{0}\u{fffd}3\u{fffd}é😀",
    ];
    let client = cx.connect()?;
    for entry in catalogue::TEXTS {
        travels(cx, &client, entry)?;
    }
    for text in ODD {
        let echo: String = client.call("echo", text, PATIENCE)?;
        ensure_eq!(echo, text, "a text that came back");
    }
    let mut events = client.events();
    for text in ODD {
        client.send(text)?;
        let message = cx.next_event(&mut events, "message")?;
        ensure_eq!(
            message.decode::<String>()?,
            text,
            "a message that came back"
        );
    }
    for post in cx.control().requests_of("post")? {
        let body = String::from_utf8_lossy(&post.body()).into_owned();
        let value = body.strip_prefix("d=").ok_or("a post is no form")?;
        let is_escaped = value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"%-_.!~*'()+".contains(&byte));
        ensure!(is_escaped, "a post is not escaped: {body}");
        let payload: Json = payload_of(&post)?.into();
        ensure!(payload.is_string(), "no payload in {body}");
    }
    Ok(client.close()?)
}
