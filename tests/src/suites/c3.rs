//! C3: the life of a connection.

use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use sio_core::{Ack, ConnectionState, DisconnectReason, Event, Transport, Value};
use sio_net::Client;
use sio_peer::alone::{PROMISED, client_threads};

use super::kit::{
    End, Log, Sequence, all_closed, ask, disconnected, dropped_in_handler, front_of, handled,
    sequences, within,
};
use super::returning::{Line, a_return, patient, quick, since_connected, told};
use crate::case::{Case, Outcome};
use crate::context::{Context, PATIENCE, StatusLog};
use crate::front::Front;
use crate::protocol::Protocol;
use crate::{ensure, ensure_eq};

/// What "at once" is on a busy machine; the close timeout is 1.5 s, and no live server needs it.
const AT_ONCE: Duration = Duration::from_millis(1400);
/// The close timeout with a dead peer.
const DEAD_LIMIT: Duration = Duration::from_millis(300);

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    let case = Case::everywhere;
    vec![
        case(
            "C3.1",
            "an emit right after connect or join arrives, also with a close right after it",
            c3_1,
        ),
        case(
            "C3.1b",
            "what the server sends in its connection handler is never lost",
            c3_1b,
        ),
        case(
            "C3.2",
            "another thread ends a connect that hangs, or is retried, within 100 ms",
            c3_2,
        ),
        case(
            "C3.3",
            "close and disconnect work twice, in every state, from many threads",
            c3_3,
        ),
        case("C3.3b", "close is bounded with a dead peer", c3_3b),
        case("C3.3c", "close and disconnect work inside a handler", c3_3c),
        case(
            "C3.3d",
            "a close does not wait for what another thread opens behind it",
            c3_3d,
        ),
        case(
            "C3.4",
            "when the last handle is dropped, in whatever state, all threads end within two seconds",
            c3_4,
        ),
        case(
            "C3.8",
            "a connection has no more threads than documented, also while it comes back",
            c3_8,
        ),
        case(
            "C3.9",
            "the state can be read at any time, and changes are told in order",
            c3_9,
        ),
    ]
}

// --- the beginning --------------------------------------------------------------------------------------------------

fn c3_1<P: Protocol>(cx: &Context<P>) -> Outcome {
    for _ in 0..3 {
        let client = cx.builder().connect()?;
        client.emit("seq", (0, 0))?;
        let chat = client.namespace("/chat").join()?;
        chat.emit("seq", (0, 0))?;
        let of_url = cx
            .builder_at(&format!("{}/chat", cx.url("main")))
            .connect()?;
        of_url.emit("seq", (0, 0))?;
        for place in [&client, &chat, &of_url] {
            let report = sequences(place)?;
            ensure_eq!(
                report.get("0"),
                Some(&Sequence::complete(1)),
                "what the server got in {}",
                place.name()
            );
        }
        client.close()?;
        of_url.close()?;
        arrives_before_close(cx)?;
    }
    Ok(())
}

fn arrives_before_close<P: Protocol>(cx: &Context<P>) -> Outcome {
    let client = cx.builder().connect()?;
    for index in 0..10 {
        client.emit("sink", index)?;
    }
    client.close()?;
    let socket = cx.until("the server to see the end", || {
        let newest = cx.control().sockets(Some("/"))?.pop();
        Ok(newest.filter(|socket| socket.disconnected_at.is_some()))
    })?;
    ensure_eq!(socket.events, 10, "events that arrived before the close");
    Ok(())
}

fn c3_1b<P: Protocol>(cx: &Context<P>) -> Outcome {
    for round in 0..5 {
        let asked: Log<Value> = Log::new();
        let (builder, mut events) = cx
            .builder()
            .on("welcome", asked.writer())
            .on("welcome-question", move |_: String, ack: Ack| {
                ack.send(("tester", round))
            })
            .events();
        let client = builder.connect()?;
        let welcome = asked.wait_for(1, "welcomes to a handler")?;
        ensure_eq!(welcome[0]["nsp"], "/", "the namespace that welcomes");
        let pulled = cx.events_until(&mut events, "welcome-answer")?;
        ensure_eq!(pulled[0].name(), "welcome", "the first event to a receiver");
        answered(&pulled, round)?;

        let in_chat: Log<Value> = Log::new();
        let (answers, answer) = (Log::<(String, u8)>::new(), json!(["tester", round]));
        let chat = client
            .namespace("/chat")
            .on("welcome", in_chat.writer())
            .on("welcome-question", move |_: String, ack: Ack| {
                ack.send(("tester", round))
            })
            .on("welcome-answer", answers.writer())
            .join()?;
        ensure_eq!(
            in_chat.wait_for(1, "welcomes in /chat")?[0]["nsp"],
            "/chat",
            "who welcomes there"
        );
        ensure_eq!(
            answers.wait_for(1, "answers in /chat")?,
            [("tester".to_owned(), round)],
            "the answer there"
        );
        for nsp in ["/", "/chat"] {
            let socket = cx.control().sockets(Some(nsp))?.pop();
            let on_server = socket.and_then(|socket| socket.welcome_answer);
            ensure_eq!(
                on_server,
                Some(answer.clone()),
                "what the server kept as the answer in {nsp}"
            );
        }
        drop(chat);
        client.close()?;
    }
    Ok(())
}

/// The server's question was answered, and the server sent the answer back.
fn answered(events: &[Event], round: u8) -> Outcome {
    let questions = events
        .iter()
        .filter(|event| event.name() == "welcome-question");
    ensure_eq!(questions.count(), 1, "questions to a receiver");
    let answer: Option<(String, u8)> = events.last().map(Event::decode).transpose()?;
    ensure_eq!(
        answer,
        Some(("tester".to_owned(), round)),
        "the answer that came back"
    );
    Ok(())
}

/// How soon a connect that is ended has to return.
const CANCELLED: Duration = Duration::from_millis(100);

/// What is done to a link.
type Spoil = fn(&Front) -> io::Result<()>;

fn c3_2<P: Protocol>(cx: &Context<P>) -> Outcome {
    let hangs = |front: &Front| {
        front.freeze();
        Ok(())
    };
    let retries = |front: &Front| front.cut_off();
    let ways: [(&str, Spoil); 2] = [("hangs", hangs), ("is retried", retries)];
    for (what, spoil) in ways {
        // A busy machine may take the processor away for a while, but not each time.
        let mut times = Vec::new();
        while times.iter().all(|took| *took > CANCELLED) {
            ensure!(
                times.len() < 5,
                "a connect that {what} ended after {times:?}"
            );
            times.push(cancelled(cx, spoil)?);
        }
    }
    Ok(())
}

/// How long a connect takes to return when another thread closes the client.
fn cancelled<P: Protocol>(cx: &Context<P>, spoil: Spoil) -> Outcome<Duration> {
    let (front, log) = (front_of(cx, "main")?, StatusLog::new());
    spoil(&front)?;
    let client = cx
        .builder_at(&front.url())
        .reconnect(patient().retry_initial(true))
        .close_timeout(DEAD_LIMIT)
        .on_status(log.watcher())
        .build()?;
    let other = client.clone();
    let (opened, took) = thread::scope(|scope| {
        let opening = scope.spawn(|| (client.open(), Instant::now()));
        let under_way = cx.eventually("a connect under way", || {
            !front.from_clients().is_empty() || !told(&log).is_empty()
        });
        let begin = Instant::now();
        let closed = within(DEAD_LIMIT + AT_ONCE, "the close", || Ok(other.close()?));
        let (opened, at) = opening.join().unwrap_or_else(|panic| resume_unwind(panic));
        under_way.and(closed)?;
        Outcome::Ok((opened, at.saturating_duration_since(begin)))
    })?;
    let reason = disconnected(opened)?;
    ensure!(
        matches!(reason, DisconnectReason::Client),
        "it returned because: {reason}"
    );
    ensure_eq!(other.state(), ConnectionState::Disconnected, "the state");
    Ok(took)
}

// --- the end --------------------------------------------------------------------------------------------------------

fn c3_3<P: Protocol>(cx: &Context<P>) -> Outcome {
    let ends: [End<P>; 2] = [Client::close, Client::disconnect];
    for end in ends {
        // At once: in the mode with an upgrade it is under way.
        let client = cx.builder().connect()?;
        ends_for_good(&client, end)?;
        all_closed(cx)?;
        let client = cx.connect()?;
        ends_for_good(&client, end)?;
        all_closed(cx)?;
        after_the_servers_end(cx, end)?;
        from_many_threads(&cx.connect()?, end)?;
        all_closed(cx)?;
    }
    Ok(())
}

fn ends_for_good<P: Protocol>(client: &Client<P>, end: End<P>) -> Outcome {
    for time in ["first", "second"] {
        within(AT_ONCE, &format!("the {time} end"), || Ok(end(client)?))?;
        is_closed_by_client(client)?;
    }
    within(AT_ONCE, "a close after that", || Ok(client.close()?))?;
    within(AT_ONCE, "a disconnect after that", || {
        Ok(client.disconnect()?)
    })
}

fn is_closed_by_client<P: Protocol>(client: &Client<P>) -> Outcome {
    ensure!(!client.is_connected(), "it is not connected");
    ensure_eq!(client.id(), None, "its id");
    let reasons = [
        disconnected(client.emit("echo", 1))?,
        disconnected(client.call::<_, ()>("echo", 1, PATIENCE))?,
        client.wait(),
    ];
    for reason in reasons {
        ensure!(
            matches!(reason, DisconnectReason::Client),
            "it is closed because: {reason}"
        );
    }
    Ok(())
}

fn after_the_servers_end<P: Protocol>(cx: &Context<P>, end: End<P>) -> Outcome {
    let client = cx.connect()?;
    ensure_eq!(cx.control().close()?, 1, "sessions the server closed");
    cx.eventually("the client to see the end", || !client.is_connected())?;
    for time in ["first", "second"] {
        within(AT_ONCE, &format!("the {time} end"), || Ok(end(&client)?))?;
    }
    let reason = disconnected(client.emit("echo", 1))?;
    ensure!(
        !matches!(reason, DisconnectReason::Client),
        "the server ended it, and the reason is: {reason}"
    );
    Ok(())
}

fn from_many_threads<P: Protocol>(client: &Client<P>, end: End<P>) -> Outcome {
    within(AT_ONCE, "ends of four threads", || {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| end(client))).collect();
            threads.into_iter().try_for_each(|thread| {
                Ok(thread.join().unwrap_or_else(|panic| resume_unwind(panic))?)
            })
        })
    })?;
    is_closed_by_client(client)
}

fn c3_3b<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (front, client) = with_dead_peer(cx)?;
    client.emit("sink", "into the void")?;
    within(
        DEAD_LIMIT + AT_ONCE,
        "a disconnect with a dead peer",
        || Ok(client.disconnect()?),
    )?;
    is_closed_by_client(&client)?;
    drop(front);

    let (_front, client) = with_dead_peer(cx)?;
    let joined = thread::scope(|scope| {
        let joining = scope.spawn(|| {
            client
                .namespace("/chat")
                .timeout(4 * PATIENCE)
                .join()
                .map(drop)
        });
        within(DEAD_LIMIT + AT_ONCE, "a close with a dead peer", || {
            // Joining after a close connects anew, which the next one ends.
            cx.eventually("the end of a join", || {
                client.close().is_err() || joining.is_finished()
            })
        })?;
        Outcome::Ok(joining.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    disconnected(joined)?;
    is_closed_by_client(&client)
}

/// A connection whose peer is dead.
fn with_dead_peer<P: Protocol>(cx: &Context<P>) -> Outcome<(Front, Client<P>)> {
    let front = front_of(cx, "main")?;
    let builder = cx.builder_at(&front.url());
    let client = builder.close_timeout(DEAD_LIMIT).connect()?;
    cx.settle(&client)?;
    let back: u8 = ask(&client, "echo", 7)?;
    ensure_eq!(back, 7, "an echo through the front");
    front.freeze();
    Ok((front, client))
}

fn c3_3c<P: Protocol>(cx: &Context<P>) -> Outcome {
    let ends: [End<P>; 2] = [Client::close, Client::disconnect];
    for end in ends {
        let client = cx.connect()?;
        let results = Log::new();
        let (weak, log) = (client.downgrade(), results.clone());
        client.on("end", move || {
            let ended = weak.upgrade().map(|client| end(&client));
            log.push(matches!(ended, Some(Ok(()))));
        });
        handled(&client)?;
        client.emit("emit", "end")?;
        ensure_eq!(
            results.wait_for(1, "ends in a handler")?,
            [true],
            "whether the end succeeded"
        );
        within(AT_ONCE, "a close after that", || Ok(client.close()?))?;
        is_closed_by_client(&client)?;
        all_closed(cx)?;
    }
    Ok(())
}

fn c3_3d<P: Protocol>(cx: &Context<P>) -> Outcome {
    const ROUNDS: usize = 10;
    let client = cx.builder().build()?;
    for _ in 0..ROUNDS {
        client.open()?;
        let (opened, in_time) = thread::scope(|scope| {
            let (done, closed) = mpsc::channel();
            let closing = client.clone();
            scope.spawn(move || done.send(closing.close()));
            let opening = scope.spawn(|| client.open());
            let in_time = closed.recv_timeout(AT_ONCE);
            // Ends what was opened behind the close, and so a close that waits for it.
            let ended = client.close();
            let opened = opening.join().unwrap_or_else(|panic| resume_unwind(panic));
            ended.map(|()| (opened, in_time))
        })?;
        if opened.is_err() {
            disconnected(opened)?;
        }
        in_time.map_err(|_| "a close waited for another connection")??;
        client.close()?;
        ensure_eq!(client.state(), ConnectionState::Disconnected, "the state");
    }
    client.open()?;
    cx.exchange(&client)?;
    Ok(client.close()?)
}

// --- threads --------------------------------------------------------------------------------------------------------

/// A way into a state in which the last handle is dropped.
type Into<P> = fn(&Context<P>) -> Outcome<Option<Front>>;

fn c3_4<P: Protocol>(cx: &Context<P>) -> Outcome {
    let ways: [(&str, Into<P>); 6] = [
        ("it was never opened", |cx| {
            cx.builder().on("tick", || {}).build().map(drop)?;
            Ok(None)
        }),
        ("it is connected", |cx| {
            let client = cx.connect()?;
            client.on("tick", || {});
            cx.exchange(&client)?;
            Ok(None)
        }),
        ("it was closed by the server", |cx| {
            let client = cx.connect()?;
            client.on("tick", || {});
            ensure_eq!(cx.control().close()?, 1, "sessions the server closed");
            cx.eventually("the end", || !client.is_connected())?;
            Ok(None)
        }),
        ("a handler drops it", |cx| {
            dropped_in_handler(cx)?;
            Ok(None)
        }),
        ("it waits for an attempt", |cx| {
            let line = Line::open(cx, patient())?;
            line.front.cut_off()?;
            line.waits()?;
            Ok(Some(line.front))
        }),
        ("an attempt hangs", |cx| {
            let line = Line::with(cx, |builder| builder.close_timeout(DEAD_LIMIT))?;
            line.hang()?;
            Ok(Some(line.front))
        }),
    ];
    let before = client_threads().len();
    for (what, way) in ways {
        let front = way(cx)?;
        let dropped = Instant::now();
        cx.eventually(&format!("the end of all threads when {what}"), || {
            client_threads().len() <= before
        })?;
        let took = dropped.elapsed();
        ensure!(took < PROMISED, "when {what}, threads ended after {took:?}");
        // Over a cut link the server does not learn of it.
        if front.is_none() {
            all_closed(cx).map_err(|failure| format!("when {what}: {failure}"))?;
        }
    }
    Ok(())
}

fn c3_8<P: Protocol>(cx: &Context<P>) -> Outcome {
    let before = client_threads().len();
    let line = Line::with(cx, |builder| builder.on("tick", || {}))?;
    let most = match line.client.transport() {
        Some(Transport::WebSocket) => 2,
        _ => 4,
    };
    cx.exchange(&line.client)?;
    // Lanes that an upgrade has left may still be on their way out.
    cx.eventually(&format!("{most} threads at most"), || {
        client_threads().len() <= before + most
    })?;
    line.front.cut_off()?;
    let mut seen = Vec::new();
    cx.eventually("attempts that fail", || {
        seen.push(client_threads());
        line.log
            .count(|status| matches!(status, sio_core::Status::ReconnectError { .. }))
            >= 5
    })?;
    line.front.heal()?;
    cx.eventually("the return", || {
        seen.push(client_threads());
        line.client.is_connected()
    })?;
    cx.settle(&line.client)?;
    for names in seen {
        ensure!(names.len() <= before + 4, "while it came back: {names:?}");
    }
    cx.eventually(&format!("{most} threads at most"), || {
        client_threads().len() <= before + most
    })?;
    line.client.close()?;
    ensure!(
        client_threads().len() <= before,
        "after the close: {:?}",
        client_threads()
    );
    Ok(())
}

// --- the state ------------------------------------------------------------------------------------------------------

fn c3_9<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (front, log) = (front_of(cx, "main")?, StatusLog::new());
    let client = cx
        .builder_at(&front.url())
        .reconnect(quick().attempts(3))
        .on_status(log.watcher())
        .build()?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Whoever looks never waits, whatever is going on.
        let looking = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !over.load(Ordering::Acquire) {
                let begin = Instant::now();
                let looked = (client.state(), client.is_connected(), client.id());
                longest = longest.max(begin.elapsed());
                drop(looked);
                thread::yield_now();
            }
            longest
        });
        let lived = lives(
            cx,
            Line {
                front,
                client: client.clone(),
                log,
            },
        );
        over.store(true, Ordering::Release);
        let longest = looking.join().unwrap_or_else(|panic| resume_unwind(panic));
        lived?;
        ensure!(longest < AT_ONCE, "looking at the state took {longest:?}");
        Ok(())
    })
}

fn lives<P: Protocol>(cx: &Context<P>, line: Line<P>) -> Outcome {
    use ConnectionState::{Connected, Connecting, Disconnected, Reconnecting};
    let client = &line.client;
    shows(client, Disconnected)?;

    line.front.freeze();
    thread::scope(|scope| {
        let opening = scope.spawn(|| client.open());
        let connecting = cx
            .eventually("a connect that hangs", || {
                !line.front.from_clients().is_empty()
            })
            .and_then(|()| shows(client, Connecting));
        line.front.heal()?;
        let opened = opening.join().unwrap_or_else(|panic| resume_unwind(panic));
        connecting?;
        Outcome::Ok(opened?)
    })?;
    shows(client, Connected)?;

    line.cut(1)?;
    shows(client, Reconnecting)?;
    let attempt = line.heal()?;
    shows(client, Connected)?;

    line.front.cut_off()?;
    cx.eventually("the end of all attempts", || client.state() == Disconnected)?;
    shows(client, Disconnected)?;
    line.front.heal()?;
    client.open()?;
    shows(client, Connected)?;
    client.close()?;
    shows(client, Disconnected)?;

    let mut failed = super::returning::a_loss(3);
    failed.push("failed 3".to_owned());
    let again = ["connected again", "disconnected"]
        .map(str::to_owned)
        .to_vec();
    let expected = since_connected([a_return(attempt), failed, again]);
    ensure_eq!(told(&line.log), expected, "told");
    Ok(())
}

/// Everything that can be looked at says the same.
fn shows<P: Protocol>(client: &Client<P>, state: ConnectionState) -> Outcome {
    let connected = state == ConnectionState::Connected;
    ensure_eq!(client.state(), state, "the state");
    ensure_eq!(
        client.is_connected(),
        connected,
        "whether it is connected, when {state}"
    );
    ensure_eq!(
        client.id().is_some(),
        connected,
        "whether it has an id, when {state}"
    );
    // A transport may be there before the namespace is.
    ensure!(
        client.transport().is_some() || !connected,
        "no transport when {state}"
    );
    Ok(())
}
