//! What several suites need: any number of arguments, questions, and what handlers saw.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeTuple, Serializer};
use sio_core::session::Session;
use sio_core::{
    DisconnectReason, Encoded, Error, Event, Events, NextError, Socket, Transport, Value,
};
use sio_net::Client;

use super::catalogue;
use crate::case::{Failure, Outcome};
use crate::context::{Context, PATIENCE};
use crate::control::{Packet, Request};
use crate::front::Front;
use crate::{ensure, ensure_eq};

// --- values ---------------------------------------------------------------------------------------------------------

/// Any number of values as so many arguments: what a tuple is to serde.
#[derive(Debug)]
pub(super) struct Several<'a>(pub(super) &'a [Value]);

impl Serialize for Several<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for value in self.0 {
            tuple.serialize_element(value)?;
        }
        tuple.end()
    }
}

/// Emits an event and returns all values of the answer.
pub(super) fn call_values<P: Session>(
    client: &Client<P>,
    event: &str,
    args: &[Value],
) -> Outcome<Vec<Value>> {
    let payload =
        Encoded::event(event, &Several(args)).map_err(|error| Failure::from(error.to_string()))?;
    let answer = client.call_encoded(event, payload, PATIENCE)?;
    answer
        .to_values()
        .map_err(|error| Failure::from(format!("the answer to {event:?}: {error}")))
}

/// Emits an event and returns the answer.
pub(super) fn ask<P: Session, R: DeserializeOwned>(
    client: &Client<P>,
    event: &str,
    args: impl Serialize,
) -> Outcome<R> {
    Ok(client.call(event, args, PATIENCE)?)
}

/// Shows that an entry of the catalogue arrives unchanged: from the server as an event and as an answer, and at the
/// server, which compares with its own copy, and which sends it back.
pub(super) fn travels<P: Session>(cx: &Context<P>, client: &Client<P>, entry: &str) -> Outcome {
    let expected = catalogue::entry(entry);
    let place = client.name();
    let mut events = client.events();
    client.emit("type", entry)?;
    let event = cx.next_event(&mut events, &format!("type-{entry}"))?;
    ensure_eq!(
        event.values()?,
        expected,
        "the server's event with {entry} in {place}"
    );
    ensure_eq!(
        call_values(client, "reply", &[entry.into()])?,
        expected,
        "the server's answer with {entry} in {place}"
    );
    let named = [&[Value::from(entry)], &expected[..]].concat();
    let verdict = call_values(client, "check", &named)?;
    ensure!(
        verdict.first() == Some(&Value::Bool(true)),
        "in {place} the server got, as {entry}, {:?}",
        verdict.get(1)
    );
    client.emit("echo", Several(&expected))?;
    let event = cx.next_event(&mut events, "echo")?;
    ensure_eq!(
        event.values()?,
        expected,
        "what came back of {entry} in {place}"
    );
    ensure!(!event.ack().is_wanted(), "an echo is no question");
    Ok(())
}

/// Shows the same of several entries, in the root and in `/chat`.
pub(super) fn all_travel<P: Session>(cx: &Context<P>, entries: &[&str]) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    for place in [&client, &chat] {
        for entry in entries {
            travels(cx, place, entry)?;
        }
    }
    Ok(client.close()?)
}

// --- waiting --------------------------------------------------------------------------------------------------------

/// Returns when the handlers have run for everything the server sent before it answers this.
pub(super) fn handled<P: Session>(client: &Client<P>) -> Outcome {
    let (sender, receiver) = mpsc::channel();
    client.emit_with_ack(
        "echo",
        "handled?",
        PATIENCE,
        move |answer: sio_core::Result<String>| {
            // Nobody listens any more if the case gave up.
            drop(sender.send(answer));
        },
    )?;
    let answer = receiver
        .recv_timeout(2 * PATIENCE)
        .map_err(|_| Failure::from("an ack callback had no outcome at all"))??;
    ensure_eq!(answer, "handled?", "the answer to an echo");
    Ok(())
}

/// Runs something that has to be done within a limit, and says how long it took if it was not.
pub(super) fn within<T>(
    limit: Duration,
    what: &str,
    run: impl FnOnce() -> Outcome<T>,
) -> Outcome<T> {
    let begin = Instant::now();
    let result = run()?;
    let took = begin.elapsed();
    ensure!(took <= limit, "{what} took {took:?}, more than {limit:?}");
    Ok(result)
}

/// What handlers saw, in order. Clones are the same log.
#[derive(Debug)]
pub(super) struct Log<T>(Arc<(Mutex<Vec<T>>, Condvar)>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone + Debug + Send + 'static> Log<T> {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self(Arc::new((Mutex::new(Vec::new()), Condvar::new())))
    }

    /// Adds something.
    pub(super) fn push(&self, item: T) {
        self.lock().push(item);
        self.0.1.notify_all();
    }

    /// A handler that adds what it is given.
    pub(super) fn writer(&self) -> impl FnMut(T) + Send + 'static {
        let log = self.clone();
        move |item| log.push(item)
    }

    /// A handler that adds this, whatever comes.
    pub(super) fn noting(&self, item: T) -> impl FnMut() + Send + 'static {
        let log = self.clone();
        move || log.push(item.clone())
    }

    /// Everything so far.
    pub(super) fn seen(&self) -> Vec<T> {
        self.lock().clone()
    }

    /// Waits until there are so many, and returns all.
    pub(super) fn wait_for(&self, count: usize, what: &str) -> Outcome<Vec<T>> {
        let (seen, timeout) = self
            .0
            .1
            .wait_timeout_while(self.lock(), PATIENCE, |seen| seen.len() < count)
            .unwrap_or_else(PoisonError::into_inner);
        ensure!(
            !timeout.timed_out(),
            "waited {PATIENCE:?} for {count} of {what}, only these came: {seen:?}"
        );
        Ok(seen.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event as a test remembers it: name and arguments.
pub(super) type Seen = (String, Vec<Value>);

/// Name and arguments of an event.
pub(super) fn seen(event: &Event) -> Outcome<Seen> {
    Ok((event.name().to_owned(), event.values()?))
}

impl Log<Seen> {
    /// A handler for `on_any` and `on_unhandled`.
    pub(super) fn watcher(&self) -> impl FnMut(&Event) + Send + 'static {
        let log = self.clone();
        move |event| {
            // Broken arguments show up as what they are.
            let values = event
                .values()
                .unwrap_or_else(|error| vec![error.to_string().into()]);
            log.push((event.name().to_owned(), values));
        }
    }
}

/// All events until the namespace is closed, each within the usual patience.
pub(super) fn until_closed(events: &mut Events) -> Outcome<Vec<Event>> {
    let mut seen = Vec::new();
    loop {
        match events.recv_timeout(PATIENCE) {
            Ok(event) => seen.push(event),
            Err(NextError::Closed) => return Ok(seen),
            Err(error) => return Err(format!("waited for the end of the events: {error}").into()),
        }
    }
}

/// The reason of the error, if it is a disconnect.
pub(super) fn disconnected<T: Debug>(result: sio_core::Result<T>) -> Outcome<DisconnectReason> {
    match result {
        Err(Error::Disconnected(reason)) => Ok(reason),
        other => Err(format!(
            "expected an error that says why it is not connected, found {other:?}"
        )
        .into()),
    }
}

// --- links and ends -------------------------------------------------------------------------------------------------

/// A front of the server's port of that name.
pub(super) fn front_of<P: Session>(cx: &Context<P>, variant: &str) -> Outcome<Front> {
    let port = cx.server().port(variant);
    Ok(Front::open(Ipv4Addr::LOCALHOST.into(), port)?)
}

/// Waits until a connection is there whose end the client sees: on HTTP transports, a GET that the server holds.
pub(super) fn wait_for_link<P: Session>(cx: &Context<P>, client: &Client<P>) -> Outcome {
    if client.transport() == Some(Transport::WebSocket) {
        return Ok(());
    }
    cx.until("a GET that the server holds", || {
        let requests = cx.control().requests()?;
        let is_get = |request: &&Request| matches!(&*request.kind, "poll" | "stream");
        let last = requests.iter().rfind(is_get);
        Ok(last.filter(|get| get.ended_at.is_none()).map(drop))
    })
}

/// What ends a connection.
pub(super) type End<P> = fn(&Client<P>) -> sio_core::Result<()>;

/// Waits until the server knows that all connections of the case are over.
pub(super) fn all_closed<P: Session>(cx: &Context<P>) -> Outcome {
    cx.until("the server to see the end", || {
        let sessions = cx.control().sessions()?;
        Ok(sessions
            .iter()
            .all(|session| session.closed_at.is_some())
            .then_some(()))
    })
}

/// The last handle of a connection is dropped by one of its own handlers.
pub(super) fn dropped_in_handler<P: Session>(cx: &Context<P>) -> Outcome {
    let client = cx.connect()?;
    let last = Arc::new(Mutex::new(Some(client.clone())));
    let dropped = Log::new();
    let (log, held) = (dropped.clone(), Arc::clone(&last));
    client.on("drop", move || {
        let client = held.lock().unwrap_or_else(PoisonError::into_inner).take();
        log.push(client.is_some());
    });
    client.emit("after", (50, "drop"))?;
    cx.exchange(&client)?;
    drop(client);
    ensure_eq!(
        dropped.wait_for(1, "drops")?,
        [true],
        "whether it was there"
    );
    Ok(())
}

// --- what the server saw --------------------------------------------------------------------------------------------

/// The texts of the Socket.IO packets the server received, without the Engine.IO type.
pub(super) fn received_texts<P: Session>(cx: &Context<P>) -> Outcome<Vec<String>> {
    let packets = cx.control().received()?;
    let texts = packets.iter().filter(|packet| packet.kind == "message");
    Ok(texts.filter_map(|packet| packet.data.clone()).collect())
}

/// The pings the server received.
pub(super) fn received_pings<P: Session>(cx: &Context<P>) -> Outcome<Vec<Packet>> {
    let packets = cx.control().received()?;
    Ok(packets
        .into_iter()
        .filter(|packet| packet.kind == "ping")
        .collect())
}

/// What the server noted of the `seq` events of one thread of this client.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Sequence {
    /// How many came.
    pub(crate) count: usize,
    /// Whether they came as 0, 1, 2, …
    pub(crate) in_order: bool,
    /// Whether each buffer had the content it should have.
    pub(crate) intact: bool,
    /// The last one.
    pub(crate) last: i64,
}

impl Sequence {
    /// So many, in order and intact.
    pub(crate) fn complete(count: usize) -> Self {
        Self {
            count,
            in_order: true,
            intact: true,
            last: i64::try_from(count).unwrap_or(i64::MAX) - 1,
        }
    }
}

/// What the server noted, by the number of the thread.
pub(super) fn sequences<P: Session>(client: &Client<P>) -> Outcome<BTreeMap<String, Sequence>> {
    ask(client, "seq-report", ())
}

/// Emits so many events without a pause, and sees that the server got all, in order.
pub(super) fn many_at_once_arrive<P: Session>(client: &Client<P>, count: usize) -> Outcome {
    for index in 0..count {
        client.emit("seq", (0, index))?;
    }
    let report = sequences(client)?;
    ensure_eq!(
        report.get("0"),
        Some(&Sequence::complete(count)),
        "what the server got"
    );
    Ok(())
}
