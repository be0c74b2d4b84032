//! C3: the life of a connection.

use std::net::Ipv4Addr;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use serde_json::json;
use sio_core::{Ack, DisconnectReason, Event, Value};
use sio_net::Client;

use super::kit::{Log, Sequence, ask, disconnected, handled, sequences, within};
use crate::case::{Case, Outcome};
use crate::context::{Context, PATIENCE};
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
            "C3.3",
            "close and disconnect work twice, in every state, from many threads",
            c3_3,
        ),
        case("C3.3b", "close is bounded with a dead peer", c3_3b),
        case("C3.3c", "close and disconnect work inside a handler", c3_3c),
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

// --- the end --------------------------------------------------------------------------------------------------------

/// What ends a connection.
type End<P> = fn(&Client<P>) -> sio_core::Result<()>;

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

/// Waits until the server knows that all connections of the case are over.
fn all_closed<P: Protocol>(cx: &Context<P>) -> Outcome {
    cx.until("the server to see the end", || {
        let sessions = cx.control().sessions()?;
        Ok(sessions
            .iter()
            .all(|session| session.closed_at.is_some())
            .then_some(()))
    })
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
            Ok(client.close()?)
        })?;
        within(AT_ONCE, "the end of a join", || {
            Ok(joining.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })
    })?;
    disconnected(joined)?;
    is_closed_by_client(&client)
}

/// A connection whose peer is dead, with an emit on its way.
fn with_dead_peer<P: Protocol>(cx: &Context<P>) -> Outcome<(Front, Client<P>)> {
    let front = Front::open(Ipv4Addr::LOCALHOST.into(), cx.server().port("main"))?;
    let builder = cx.builder_at(&front.url());
    let client = builder.close_timeout(DEAD_LIMIT).connect()?;
    cx.settle(&client)?;
    let back: u8 = ask(&client, "echo", 7)?;
    ensure_eq!(back, 7, "an echo through the front");
    front.freeze();
    client.emit("sink", "into the void")?;
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
