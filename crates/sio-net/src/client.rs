//! The client: handles of namespaces over one connection, generic over the protocol.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sio_core::event::Events;
use sio_core::handler::{Handler, Handlers, IntoHandler, Removal, Trigger};
use sio_core::manager::{Expiry, Queued, countable};
use sio_core::session::Session;
use sio_core::socket::{AckCallback, IfOffline, Join};
use sio_core::{
    Args, ConnectionReport, ConnectionState, Counters, DisconnectReason, Encoded, Error, Event,
    HandlerId, Result, Socket, SocketExt, Status, Transport,
};

use crate::builder::ClientBuilder;
use crate::driver::Core;
use crate::query;
use crate::space::{Queue, Space};
use crate::target::normal_namespace;

/// A namespace of a connection.
///
/// A connection that is lost is made again, as [`ClientBuilder::reconnect`] says: the handle stays the same, and what is
/// emitted meanwhile waits. It is over after [`close`](Self::close), after the server disconnected it, or when it was given
/// up; [`open`](Self::open) connects it again.
///
/// Handles are cheap to clone and may be used from any thread. When the last handle of a connection is dropped, the
/// connection is closed, and nobody waits for it: a program that shall not lose what it emitted last calls
/// [`close`](Self::close) before it returns from `main`. A handler that shall use the client captures a [`downgrade`](Self::downgrade)d handle:
/// captured as a clone, it would keep its own connection alive.
///
/// Which thread does what: [`emit`](Self::emit) writes on the caller's thread, [`call`](Self::call) waits on it,
/// handlers run one at a time, in order, on a thread of their own that starts when there is something to run. A connection has
/// at most 2 threads; besides, a name lookup has one while it lasts.
pub struct Client<P: Session> {
    owner: Arc<Owner<P>>,
    space: Arc<Space>,
}

/// Closes the connection when the last handle is gone.
struct Owner<P: Session> {
    core: Arc<Core<P>>,
}

impl<P: Session> Drop for Owner<P> {
    fn drop(&mut self) {
        self.core.abandon();
    }
}

impl<P: Session> Client<P> {
    /// Prepares a connection. See [`ClientBuilder`] for the forms of `url`.
    pub fn builder(url: &str) -> ClientBuilder<P> {
        ClientBuilder::new(url)
    }

    /// Connects with the defaults, and without handlers yet; returns when the namespace is usable.
    ///
    /// What the server sends in its connection handler may be over before a handler is registered: to see it, give
    /// handlers to the [`builder`](Self::builder).
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`].
    pub fn connect(url: &str) -> Result<Self> {
        Self::builder(url).connect()
    }

    /// A handle of a connection that is not opened yet, and has no thread.
    pub(crate) fn new(core: Arc<Core<P>>, space: Arc<Space>) -> Self {
        Self {
            owner: Arc::new(Owner { core }),
            space,
        }
    }

    /// Connects this namespace; returns when it is usable.
    ///
    /// For a client that was [built](ClientBuilder::build) without being connected, and for one whose connection is over:
    /// handlers and queries are as before, the session and its id are new. Connected already, it returns at once. While a
    /// lost connection waits for its next attempt, that one is made now, and this call has its outcome; after a failure
    /// the attempts go on.
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`]. [`Error::Disconnected`] as soon as another thread [closes](Self::close) the client.
    pub fn open(&self) -> Result<()> {
        self.owner.core.open(&self.space)
    }

    /// The same, for the first time; the connect timeout is counted from the moment `since`.
    pub(crate) fn open_since(&self, since: Instant) -> Result<()> {
        let core = &self.owner.core;
        core.join(&self.space, None, since, core.options.connect_timeout)
    }

    /// Gives handlers to the namespace before it can have events.
    pub(crate) fn adopt(&self, handlers: Handlers) {
        self.space.adopt(handlers);
    }

    pub(crate) fn add_receiver(&self, queue: &Arc<Queue>) {
        self.space.add_receiver(queue);
    }

    // --- sending ------------------------------------------------------------------------------------------------

    /// Emits an event: a tuple is several arguments, `()` none, anything else (a `Vec` too) one.
    ///
    /// Returns when the event was handed to the connection, or, while that is being made again, to its
    /// [queue](ClientBuilder::queue); that it arrived, only an ack tells. If the peer reads more slowly than this program
    /// emits, the call waits. Events that follow closely on each other (within 50 µs) leave together, a moment later; a
    /// program that ends calls [`close`](Self::close), which sends them.
    ///
    /// What is emitted in a handler that the namespace is connected goes before what waits in the queue; what other threads
    /// emit meanwhile goes behind it.
    ///
    /// # Errors
    /// [`Error::Usage`] for a reserved name, for bytes on 0.9, which has none, or for a full queue; [`Error::Encode`] if the
    /// payload cannot be written, [`Error::Disconnected`] if the namespace is not connected and will not be again by
    /// itself, [`Error::Timeout`] if the peer does not read. In each case nothing was sent.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        SocketExt::emit(self, event, args)
    }

    /// Emits an event that may wait for the connection for `limit`; after that it is given up, and never sent.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub fn emit_within<T: Serialize>(&self, limit: Duration, event: &str, args: T) -> Result<()> {
        SocketExt::emit_within(self, limit, event, args)
    }

    /// Emits an event that is worth nothing later: it is given up when it cannot leave now, because the namespace is not
    /// connected or the peer reads too slowly. Returns whether it was handed to the connection.
    ///
    /// # Errors
    /// As [`emit`](Self::emit), but for a full queue and a peer that does not read.
    pub fn emit_volatile<T: Serialize>(&self, event: &str, args: T) -> Result<bool> {
        SocketExt::emit_volatile(self, event, args)
    }

    /// Sends a message, which runs the server's handlers of `message`.
    ///
    /// On 1.x and later it is the event `message`, with any arguments. 0.9 has packets of their own, for one text or one
    /// JSON value.
    ///
    /// # Errors
    /// As [`emit`](Self::emit); [`UsageError::Unsupported`](sio_core::UsageError::Unsupported) for anything but one
    /// argument on 0.9.
    pub fn send<T: Serialize>(&self, args: T) -> Result<()> {
        SocketExt::send(self, args)
    }

    /// Sends a message and waits for its ack, for `timeout` at most.
    ///
    /// On 1.x and later the ack has the values that the server's handler answers with. On 0.9 it is a receipt without
    /// values (`()`), which the server writes before it runs its handlers.
    ///
    /// # Errors
    /// As [`send`](Self::send) and [`call`](Self::call).
    pub fn send_and_wait<T, R>(&self, args: T, timeout: Duration) -> Result<R>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        SocketExt::send_and_wait(self, args, timeout)
    }

    /// Sends a message; `then` gets the one outcome of its ack, on the thread that runs the handlers. The ack is as for
    /// [`send_and_wait`](Self::send_and_wait).
    ///
    /// # Errors
    /// As [`send`](Self::send); then `then` is not called.
    pub fn send_with_ack<T, R>(
        &self,
        args: T,
        timeout: Duration,
        then: impl FnOnce(Result<R>) + Send + 'static,
    ) -> Result<()>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        SocketExt::send_with_ack(self, args, timeout, then)
    }

    /// Emits an event and waits for the server's answer, for `timeout` at most.
    ///
    /// May be called from any thread, also in a handler.
    ///
    /// # Errors
    /// As [`emit`](Self::emit); besides [`Error::Timeout`] if no ack came, [`Error::Disconnected`] if the connection
    /// ended first, [`Error::Decode`] if the answer has another type.
    pub fn call<T, R>(&self, event: &str, args: T, timeout: Duration) -> Result<R>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        SocketExt::call(self, event, args, timeout)
    }

    /// Emits an event; `then` gets the one outcome of its ack, on the thread that runs the handlers.
    ///
    /// # Errors
    /// As [`emit`](Self::emit); then `then` is not called.
    pub fn emit_with_ack<T, R>(
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
        SocketExt::emit_with_ack(self, event, args, timeout, then)
    }

    // --- what waits ---------------------------------------------------------------------------------------------

    /// The emits of this namespace that wait for the connection, oldest first.
    #[must_use]
    pub fn queued(&self) -> Vec<Queued> {
        self.owner
            .core
            .look(|link| link.manager.queued(self.space.id))
    }

    /// Gives up the emits of this namespace that wait; returns how many there were. Whoever waits for their acks gets
    /// [`Error::Dropped`].
    pub fn clear_queue(&self) -> usize {
        self.owner.core.clear_queue(&self.space)
    }

    /// Sends the emits of this namespace that wait although it is connected, under
    /// [`manual_flush`](ClientBuilder::manual_flush); returns how many there were. While it is not connected nothing is
    /// sent.
    pub fn flush_queue(&self) -> usize {
        self.owner.core.flush(&self.space)
    }

    // --- receiving ----------------------------------------------------------------------------------------------

    /// Runs `handler` for every event of this name. See [`IntoHandler`] for the forms a handler may have.
    pub fn on<M>(&self, event: &str, handler: impl IntoHandler<M>) -> HandlerId {
        SocketExt::on(self, event, handler)
    }

    /// Runs `handler` for the next event of this name.
    pub fn once<M>(&self, event: &str, handler: impl IntoHandler<M>) -> HandlerId {
        SocketExt::once(self, event, handler)
    }

    /// Runs `handler` for every event, of whatever name.
    pub fn on_any(&self, handler: impl FnMut(&Event) + Send + 'static) -> HandlerId {
        SocketExt::on_any(self, handler)
    }

    /// Runs `handler` for events that no handler is registered for by name.
    pub fn on_unhandled(&self, handler: impl FnMut(&Event) + Send + 'static) -> HandlerId {
        SocketExt::on_unhandled(self, handler)
    }

    /// Runs `handler` for every change of status.
    pub fn on_status(&self, handler: impl FnMut(&Status) + Send + 'static) -> HandlerId {
        SocketExt::on_status(self, handler)
    }

    /// Removes one handler; returns whether it was there. It may be the one that runs.
    pub fn off(&self, handler: HandlerId) -> bool {
        SocketExt::off(self, handler)
    }

    /// Removes all handlers of one event; returns how many there were.
    pub fn off_event(&self, event: &str) -> usize {
        SocketExt::off_event(self, event)
    }

    /// Removes all handlers of events; those of status stay. Returns how many there were.
    pub fn off_all(&self) -> usize {
        SocketExt::off_all(self)
    }

    /// A receiver of the events that come from now on: the pull style, without handlers.
    #[must_use]
    pub fn events(&self) -> Events {
        self.space.receiver()
    }

    // --- namespaces and the end ---------------------------------------------------------------------------------

    /// Prepares to join another namespace over the same connection. If that is over, joining opens it again.
    pub fn namespace(&self, name: &str) -> NamespaceBuilder<P> {
        NamespaceBuilder {
            client: self.clone(),
            join: Join::new(name),
        }
    }

    fn join_namespace(&self, plan: Join) -> Result<Self> {
        let name = normal_namespace(&plan.namespace);
        P::check_namespace(&name)?;
        let core = &self.owner.core;
        let client = Self {
            owner: Arc::clone(&self.owner),
            space: core.space(&name),
        };
        client.adopt(plan.handlers);
        let mut encoded = String::new();
        for (name, value) in &plan.query {
            query::push(&mut encoded, name, value);
        }
        let query = (!encoded.is_empty()).then_some(encoded);
        let after = plan.timeout.map_or(core.options.connect_timeout, countable);
        core.join(&client.space, query, Instant::now(), after)?;
        Ok(client)
    }

    /// Leaves the namespace. When it was the last one, the connection closes unless
    /// [`keep_open`](ClientBuilder::keep_open) was set. One that is being joined counts. Leaving twice is no error.
    ///
    /// # Errors
    /// None today.
    pub fn disconnect(&self) -> Result<()> {
        self.owner.core.leave(&self.space);
        Ok(())
    }

    /// Closes the connection with all its namespaces: what was emitted while connected is sent first, what still waits for a
    /// connection is given up. It wins in every state, also over an attempt to connect. Returns when its threads have ended, within the [`close_timeout`](ClientBuilder::close_timeout); only a handler that does not return is
    /// left behind. Closing twice is no error.
    ///
    /// # Errors
    /// None today.
    pub fn close(&self) -> Result<()> {
        self.owner.core.close();
        Ok(())
    }

    /// Waits until the connection is over, and says why. One that is lost and made again is not over.
    #[must_use]
    pub fn wait(&self) -> DisconnectReason {
        let core = &self.owner.core;
        core.wait_for_end();
        core.look(|link| link.manager.reason(self.space.id))
    }

    /// A handle that keeps no connection alive, for handlers that use their own client.
    #[must_use]
    pub fn downgrade(&self) -> WeakClient<P> {
        WeakClient {
            owner: Arc::downgrade(&self.owner),
            space: Arc::clone(&self.space),
        }
    }

    // --- looking ------------------------------------------------------------------------------------------------

    /// The namespace, `/` for the root.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.space.name
    }

    /// The id the server knows this namespace's connection by; `None` while not connected.
    ///
    /// 0.9: the session id. 1.x and later: the session id for the root, and `/name#` with the session id for others, as
    /// servers from 1.5 on have it.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        if !self.is_connected() {
            return None;
        }
        let sid = self.owner.core.look(|link| link.manager.sid().cloned())?;
        Some(P::socket_id(&sid, &self.space.name))
    }

    /// Where the namespace stands.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.owner
            .core
            .look(|link| link.manager.state(self.space.id))
    }

    /// Whether the namespace is usable now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.space.is_connected()
    }

    /// What carries the connection now; `None` while there is none.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        self.owner.core.look(|link| link.manager.transport())
    }

    /// The cookies that the next request would carry, by name and value: those given, and those set by the server or a
    /// balancer before it.
    #[must_use]
    pub fn cookies(&self) -> Vec<(String, String)> {
        self.owner.core.look(|link| link.cookies())
    }

    /// The time of the last heartbeat from ping to pong; `None` before the first, and on 0.9, where the server beats.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.owner.core.look(|link| link.manager.latency())
    }

    /// How the connection stands, and what was counted so far, all of one moment: why it is on polling, why it was lost, what
    /// waits. See the [guide](crate::guide::watching).
    #[must_use]
    pub fn report(&self) -> ConnectionReport {
        self.owner.core.report(&self.space)
    }

    /// What was counted since the client was made.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.owner.core.look(|link| link.manager.counters())
    }

    fn add_handler(&self, trigger: Trigger, once: bool, handler: Handler) -> HandlerId {
        self.space.add(trigger, once, handler)
    }
}

/// Whether this protocol can carry an event.
fn check<P: Session>(event: &str, payload: &Encoded) -> Result<()> {
    P::check_event_name(event)?;
    P::check_payload(payload)?;
    Ok(())
}

impl<P: Session> Socket for Client<P> {
    fn name(&self) -> &str {
        self.name()
    }

    fn id(&self) -> Option<String> {
        self.id()
    }

    fn is_connected(&self) -> bool {
        self.is_connected()
    }

    fn state(&self) -> ConnectionState {
        self.state()
    }

    fn report(&self) -> ConnectionReport {
        self.report()
    }

    fn emit_encoded(&self, event: &str, payload: Encoded, if_offline: IfOffline) -> Result<bool> {
        check::<P>(event, &payload)?;
        self.owner.core.emit(&self.space, payload, if_offline)
    }

    fn call_encoded(&self, event: &str, payload: Encoded, timeout: Duration) -> Result<Args> {
        check::<P>(event, &payload)?;
        self.owner.core.call(&self.space, payload, timeout)
    }

    fn ask_encoded(
        &self,
        event: &str,
        payload: Encoded,
        timeout: Duration,
        then: AckCallback,
    ) -> Result<()> {
        check::<P>(event, &payload)?;
        let expiry = Expiry::new(Instant::now(), timeout);
        self.owner.core.ask(&self.space, payload, then, expiry)
    }

    fn add_handler(&self, trigger: Trigger, once: bool, handler: Handler) -> HandlerId {
        self.add_handler(trigger, once, handler)
    }

    fn remove_handlers(&self, which: &Removal) -> usize {
        self.space.remove(which)
    }

    fn events(&self) -> Events {
        self.events()
    }

    fn queued(&self) -> Vec<Queued> {
        self.queued()
    }

    fn clear_queue(&self) -> usize {
        self.clear_queue()
    }

    fn flush_queue(&self) -> usize {
        self.flush_queue()
    }

    fn open(&self) -> Result<()> {
        self.open()
    }

    fn join(&self, plan: Join) -> Result<Box<dyn Socket>> {
        Ok(Box::new(self.join_namespace(plan)?))
    }

    fn disconnect(&self) -> Result<()> {
        self.disconnect()
    }

    fn close(&self) -> Result<()> {
        self.close()
    }
}

impl<P: Session> Clone for Client<P> {
    fn clone(&self) -> Self {
        Self {
            owner: Arc::clone(&self.owner),
            space: Arc::clone(&self.space),
        }
    }
}

impl<P: Session> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.owner.core.options.endpoint.target.shown())
            .field("namespace", &self.space.name)
            .field("connected", &self.is_connected())
            .finish()
    }
}

/// A handle that keeps no connection alive; see [`Client::downgrade`].
pub struct WeakClient<P: Session> {
    owner: Weak<Owner<P>>,
    space: Arc<Space>,
}

impl<P: Session> WeakClient<P> {
    /// The client, if some other handle still holds its connection.
    #[must_use]
    pub fn upgrade(&self) -> Option<Client<P>> {
        Some(Client {
            owner: self.owner.upgrade()?,
            space: Arc::clone(&self.space),
        })
    }
}

impl<P: Session> Clone for WeakClient<P> {
    fn clone(&self) -> Self {
        Self {
            owner: Weak::clone(&self.owner),
            space: Arc::clone(&self.space),
        }
    }
}

impl<P: Session> fmt::Debug for WeakClient<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakClient")
            .field("namespace", &self.space.name)
            .finish_non_exhaustive()
    }
}

/// A namespace about to be joined; see [`Client::namespace`].
#[derive(Debug)]
#[must_use = "nothing is joined before `join`"]
pub struct NamespaceBuilder<P: Session> {
    client: Client<P>,
    join: Join,
}

impl<P: Session> NamespaceBuilder<P> {
    /// Adds a query parameter, percent-encoded on the wire. Servers from 1.5 on show it to the application.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.join.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How long the server may take to answer; the client's connect timeout if not given.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.join.timeout = Some(timeout);
        self
    }

    handler_methods!(join.handlers);

    /// Joins; returns when the namespace is usable. A namespace that is joined already is not joined again: the
    /// handle is one more of it.
    ///
    /// # Errors
    /// [`Error::Refused`] with the server's own words, [`Error::Timeout`] if it does not answer,
    /// [`Error::Disconnected`] if the connection is not there, [`Error::Usage`] for a name that cannot be written.
    pub fn join(self) -> Result<Client<P>> {
        self.client.join_namespace(self.join)
    }
}
