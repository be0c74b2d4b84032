//! The trait that clients of every protocol share.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::event::{Event, Events};
use crate::handler::{Handler, HandlerId, Handlers, IntoHandler, Removal, Trigger, observer};
use crate::manager::Queued;
use crate::payload::{Args, Encoded};
use crate::report::ConnectionReport;
use crate::status::{ConnectionState, Status};

/// Receives the outcome of a question.
pub type AckCallback = Box<dyn FnOnce(Result<Args>) + Send>;

/// What becomes of an emit while there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IfOffline {
    /// It waits in the queue.
    #[default]
    Wait,
    /// It waits in the queue, but is given up after this time.
    WaitFor(Duration),
    /// It is given up at once.
    Drop,
}

/// A namespace of a connection, on whatever protocol.
///
/// This is the object-safe half, in terms of encoded payloads. Programs use the typed methods of [`SocketExt`], which
/// every `Socket` has. Handles are cheap to clone and may be used from any thread.
///
/// ```
/// use std::time::Duration;
/// use sio_core::{Result, Socket, SocketExt};
///
/// fn greet(socket: &impl Socket) -> Result<String> {
///     socket.emit("join", ("lobby", 7))?;
///     socket.call("ask", "who is there?", Duration::from_secs(5))
/// }
/// ```
pub trait Socket: Send + Sync {
    /// The namespace, `/` for the root.
    fn name(&self) -> &str;

    /// The id the server knows this namespace's connection by; `None` while not connected.
    fn id(&self) -> Option<String>;

    /// Whether the namespace is usable.
    fn is_connected(&self) -> bool;

    /// Where the namespace stands.
    fn state(&self) -> ConnectionState;

    /// How the connection stands, and what was counted so far, all of one moment.
    fn report(&self) -> ConnectionReport;

    /// Emits an encoded event; returns whether it was handed to the connection or its queue, rather than given up.
    ///
    /// # Errors
    /// As [`SocketExt::emit`].
    fn emit_encoded(&self, event: &str, payload: Encoded, if_offline: IfOffline) -> Result<bool>;

    /// Emits an encoded event and waits for its ack.
    ///
    /// # Errors
    /// As [`SocketExt::call`].
    fn call_encoded(&self, event: &str, payload: Encoded, timeout: Duration) -> Result<Args>;

    /// Emits an encoded event; the outcome of its ack goes to `then`.
    ///
    /// # Errors
    /// As [`SocketExt::emit_with_ack`].
    fn ask_encoded(
        &self,
        event: &str,
        payload: Encoded,
        timeout: Duration,
        then: AckCallback,
    ) -> Result<()>;

    /// Registers a handler.
    fn add_handler(&self, trigger: Trigger, once: bool, handler: Handler) -> HandlerId;

    /// Removes handlers; returns how many there were.
    fn remove_handlers(&self, which: &Removal) -> usize;

    /// A receiver of the events that come from now on.
    fn events(&self) -> Events;

    /// The emits that wait for the connection, oldest first.
    fn queued(&self) -> Vec<Queued>;

    /// Gives up the emits that wait; returns how many there were. Whoever waits for their acks is told.
    fn clear_queue(&self) -> usize;

    /// Sends the emits that wait although the namespace is connected, where it was told that they leave only then; returns
    /// how many there were.
    fn flush_queue(&self) -> usize;

    /// Joins another namespace over the same connection.
    ///
    /// # Errors
    /// As [`NamespaceBuilder::join`].
    fn join(&self, plan: Join) -> Result<Box<dyn Socket>>;

    /// Connects the namespace, also after its connection is over; returns when it is usable. Connected already, it returns
    /// at once; while a lost connection waits for its next attempt, that is made now.
    ///
    /// # Errors
    /// As the client's first connect.
    fn open(&self) -> Result<()>;

    /// Leaves the namespace. When it was the last one, the connection closes unless it was told to stay open.
    ///
    /// # Errors
    /// None today; the call returns when the connection, if it closes, is closed.
    fn disconnect(&self) -> Result<()>;

    /// Closes the connection with all its namespaces, and waits for its threads to end.
    ///
    /// # Errors
    /// None today.
    fn close(&self) -> Result<()>;
}

/// A namespace to join, with its query and handlers.
#[derive(Debug)]
pub struct Join {
    /// The namespace, with or without its leading `/`.
    pub namespace: ByteString,
    /// Its query: names and values, not encoded.
    pub query: Vec<(String, String)>,
    /// Handlers that see everything from the first event on.
    pub handlers: Handlers,
    /// How long the server may take to answer; the client's connect timeout if not given.
    pub timeout: Option<Duration>,
}

impl Join {
    /// A namespace without query and handlers.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
            query: Vec::new(),
            handlers: Handlers::new(),
            timeout: None,
        }
    }
}

/// The typed methods of every [`Socket`].
pub trait SocketExt: Socket {
    /// Emits an event: a tuple is several arguments, `()` none, anything else (a `Vec` too) one.
    ///
    /// Returns when the event was handed to the connection, or, while that is being made again, to its queue; that it
    /// arrived, only an ack tells. Events that follow closely on each other leave together, a moment later; a program that
    /// ends calls [`close`](Socket::close), which sends them.
    ///
    /// # Errors
    /// [`Error::Usage`] for a reserved name, for bytes on 0.9, which has none, or for a full queue; [`Error::Encode`] if the
    /// payload cannot be written, [`Error::Disconnected`] if the namespace is not connected and will not be again by
    /// itself, [`Error::Timeout`] if the peer does not read. In each case nothing was sent.
    fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        let payload = encode(event, &args)?;
        self.emit_encoded(event, payload, IfOffline::Wait).map(drop)
    }

    /// Emits an event that may wait for the connection for `limit`; after that it is given up, and never sent.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    fn emit_within<T: Serialize>(&self, limit: Duration, event: &str, args: T) -> Result<()> {
        let payload = encode(event, &args)?;
        let if_offline = IfOffline::WaitFor(limit);
        self.emit_encoded(event, payload, if_offline).map(drop)
    }

    /// Emits an event that is worth nothing later: it is given up when it cannot leave now, because the namespace is not
    /// connected or the peer reads too slowly. Returns whether it was handed to the connection.
    ///
    /// # Errors
    /// As [`emit`](Self::emit), but for a full queue and a peer that does not read.
    fn emit_volatile<T: Serialize>(&self, event: &str, args: T) -> Result<bool> {
        self.emit_encoded(event, encode(event, &args)?, IfOffline::Drop)
    }

    /// Sends a message, which runs the server's handlers of `message`.
    ///
    /// On 1.x and later it is the event `message`, with any arguments. 0.9 has packets of their own, for one text or one
    /// JSON value.
    ///
    /// # Errors
    /// As [`emit`](Self::emit); [`UsageError::Unsupported`](crate::UsageError::Unsupported) for anything but one argument
    /// on 0.9.
    fn send<T: Serialize>(&self, args: T) -> Result<()> {
        let payload = message(&args)?;
        self.emit_encoded(MESSAGE, payload, IfOffline::Wait)
            .map(drop)
    }

    /// Sends a message and waits for its ack, for `timeout` at most.
    ///
    /// On 1.x and later the ack has the values that the server's handler answers with. On 0.9 it is a receipt without
    /// values (`()`), which the server writes before it runs its handlers.
    ///
    /// # Errors
    /// As [`send`](Self::send) and [`call`](Self::call).
    fn send_and_wait<T, R>(&self, args: T, timeout: Duration) -> Result<R>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        let answer = self.call_encoded(MESSAGE, message(&args)?, timeout)?;
        decode_answer(MESSAGE, &answer)
    }

    /// Sends a message; `then` gets the one outcome of its ack, on the thread that runs the handlers. The ack is as for
    /// [`send_and_wait`](Self::send_and_wait).
    ///
    /// # Errors
    /// As [`send`](Self::send); then `then` is not called.
    fn send_with_ack<T, R>(
        &self,
        args: T,
        timeout: Duration,
        then: impl FnOnce(Result<R>) + Send + 'static,
    ) -> Result<()>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        let callback = move |outcome: Result<Args>| {
            then(outcome.and_then(|answer| decode_answer(MESSAGE, &answer)));
        };
        self.ask_encoded(MESSAGE, message(&args)?, timeout, Box::new(callback))
    }

    /// Emits an event and waits for the server's answer, for `timeout` at most.
    ///
    /// # Errors
    /// As [`emit`](Self::emit); besides [`Error::Timeout`] if no ack came, [`Error::Disconnected`] if the connection
    /// ended first, [`Error::Decode`] if the answer has another type.
    fn call<T, R>(&self, event: &str, args: T, timeout: Duration) -> Result<R>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        let answer = self.call_encoded(event, encode(event, &args)?, timeout)?;
        decode_answer(event, &answer)
    }

    /// Emits an event; `then` gets the one outcome of its ack, on the thread that runs the handlers.
    ///
    /// # Errors
    /// As [`emit`](Self::emit); then `then` is not called.
    fn emit_with_ack<T, R>(
        &self,
        event: &str,
        args: T,
        timeout: Duration,
        then: impl FnOnce(Result<R>) + Send + 'static,
    ) -> Result<()>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        let name = event.to_owned();
        let callback = move |outcome: Result<Args>| {
            then(outcome.and_then(|answer| decode_answer(&name, &answer)));
        };
        self.ask_encoded(event, encode(event, &args)?, timeout, Box::new(callback))
    }

    /// Runs `handler` for every event of this name.
    fn on<M>(&self, event: &str, handler: impl IntoHandler<M>) -> HandlerId {
        self.add_handler(Trigger::Event(event.into()), false, handler.into_handler())
    }

    /// Runs `handler` for the next event of this name.
    fn once<M>(&self, event: &str, handler: impl IntoHandler<M>) -> HandlerId {
        self.add_handler(Trigger::Event(event.into()), true, handler.into_handler())
    }

    /// Runs `handler` for every event, of whatever name.
    fn on_any(&self, handler: impl FnMut(&Event) + Send + 'static) -> HandlerId {
        self.add_handler(Trigger::Any, false, observer(handler))
    }

    /// Runs `handler` for events that no handler is registered for by name.
    fn on_unhandled(&self, handler: impl FnMut(&Event) + Send + 'static) -> HandlerId {
        self.add_handler(Trigger::Unhandled, false, observer(handler))
    }

    /// Runs `handler` for every change of status.
    fn on_status(&self, handler: impl FnMut(&Status) + Send + 'static) -> HandlerId {
        self.add_handler(Trigger::Status, false, Handler::status(handler))
    }

    /// Removes one handler; returns whether it was there. It may be the one that runs.
    fn off(&self, handler: HandlerId) -> bool {
        self.remove_handlers(&Removal::Handler(handler)) == 1
    }

    /// Removes all handlers of one event; returns how many there were.
    fn off_event(&self, event: &str) -> usize {
        self.remove_handlers(&Removal::Event(event.into()))
    }

    /// Removes all handlers of events; those of status stay. Returns how many there were.
    fn off_all(&self) -> usize {
        self.remove_handlers(&Removal::AllEvents)
    }

    /// Prepares to join another namespace over the same connection.
    fn namespace(&self, name: &str) -> NamespaceBuilder<'_, Self> {
        NamespaceBuilder {
            socket: self,
            join: Join::new(name),
        }
    }
}

impl<S: Socket + ?Sized> SocketExt for S {}

/// A namespace about to be joined; see [`SocketExt::namespace`].
#[derive(Debug)]
#[must_use = "nothing is joined before `join`"]
pub struct NamespaceBuilder<'a, S: ?Sized> {
    socket: &'a S,
    join: Join,
}

impl<S: Socket + ?Sized> NamespaceBuilder<'_, S> {
    /// Adds a query parameter, percent-encoded on the wire.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.join.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Registers handlers that see everything from the first event on.
    pub fn handlers(mut self, handlers: Handlers) -> Self {
        self.join.handlers = handlers;
        self
    }

    /// How long the server may take to answer; the client's connect timeout if not given.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.join.timeout = Some(timeout);
        self
    }

    /// Joins; returns when the namespace is usable.
    ///
    /// # Errors
    /// [`Error::Refused`] with the server's own words, [`Error::Timeout`] if it does not answer,
    /// [`Error::Disconnected`] if the connection is not there, [`Error::Usage`] for a name that cannot be written.
    pub fn join(self) -> Result<Box<dyn Socket>> {
        self.socket.join(self.join)
    }
}

/// What the program's handlers of messages listen to.
const MESSAGE: &str = "message";

/// Encodes an event.
///
/// # Errors
/// [`Error::Encode`].
fn encode<T: Serialize>(event: &str, args: &T) -> Result<Encoded> {
    Encoded::event(event, args).map_err(|source| Error::Encode {
        what: format!("the event {event:?}").into(),
        source: Arc::new(source),
    })
}

/// Encodes a message.
///
/// # Errors
/// [`Error::Encode`].
fn message<T: Serialize>(args: &T) -> Result<Encoded> {
    Encoded::message(args).map_err(|source| Error::Encode {
        what: ByteString::from_static("a message"),
        source: Arc::new(source),
    })
}

/// Decodes the answer to an event.
///
/// # Errors
/// [`Error::Decode`].
fn decode_answer<R: DeserializeOwned>(event: &str, answer: &Args) -> Result<R> {
    answer.decode().map_err(|source| Error::Decode {
        what: format!("the answer to {event:?}").into(),
        source: Arc::new(source),
    })
}
