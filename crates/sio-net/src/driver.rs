//! Drives one connection: the manager and its sockets behind one lock, and whoever has something to do.
//!
//! [`Core`] is what all handles and threads of a client share. Its [`Link`] is locked only while something is being
//! processed: never while waiting, never while user code runs. Who drives:
//!
//! - the thread of the [event loop](crate::event_loop), and callers that wait for an ack, wait in the poll and then
//!   process what the socket brought;
//! - an emit processes itself at once if the lock is free, and else joins the burst of whoever holds it; emits that follow
//!   closely on each other are gathered for whoever drives.

mod burst;
mod link;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use sio_core::event::{Question, Reply};
use sio_core::manager::{Ask, Emit, Expiry, NamespaceId, NotTaken, Origin, Taken};
use sio_core::session::Session;
use sio_core::socket::{AckCallback, IfOffline};
use sio_core::{Args, ConnectionReport, Deadline, DisconnectReason, Encoded, Error, Result};
use tracing::Span;

use crate::dispatch::{Dispatcher, is_in_hook_of};
use crate::endpoint::{Endpoint, prepare};
use crate::event_loop::{Driven, Due, EventLoop, Waiting};
use crate::options::Options;
use crate::space::Space;
use crate::sync::{Slot, lock};
use crate::wire_log::WireLog;

use self::burst::Burst;
use self::link::Link;

/// Who waits for an ack.
pub(crate) enum Waiter {
    /// A thread in `call`.
    Caller(Arc<Slot<Result<Args>>>),
    /// A callback, run where handlers run.
    Callback(AckCallback),
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiter")
    }
}

impl<T: Send> Waiting for Slot<T> {
    fn is_done(&self) -> bool {
        self.is_set()
    }

    fn nudge(&self) {
        self.nudge();
    }
}

/// An emit that was not taken; whoever waits for its ack comes back with it.
type Refused = NotTaken<Waiter>;

/// What all handles and threads of one client share.
pub(crate) struct Core<P: Session> {
    pub(crate) options: Arc<Options<P>>,
    link: Mutex<Link<P>>,
    /// Held while waiting for `link`, by one at a time.
    turn: Mutex<()>,
    /// Emits that joined the burst of whoever holds `link`, or are gathered. Locked with `link` or without, never before it.
    burst: Mutex<Burst>,
    event_loop: EventLoop,
    pub(crate) dispatcher: Arc<Dispatcher>,
    backlog: Backlog,
    /// Whether there is a socket, so that waiting in the poll can bring an ack.
    drivable: AtomicBool,
    /// Held while the loop's thread is joined, and while it is started.
    joining: Mutex<()>,
    life: Mutex<Life>,
    /// For answers to questions: an ack keeps no connection alive.
    this: Weak<Self>,
}

/// What became of an emit that might leave together with others.
enum Gathered {
    Yes,
    No(Emit<Waiter>),
    /// There are enough.
    Full(Emit<Waiter>),
}

/// Whether there is a connection, or the wish for one. Changed with the link locked.
#[derive(Debug, Default)]
struct Life {
    runs: bool,
    /// How many connections have ended.
    ends: u64,
    /// Whoever waits for the end of the one there is.
    waiting: Vec<Arc<Slot<()>>>,
}

/// Bytes that were emitted and not yet taken by the peer.
#[derive(Debug, Default)]
struct Backlog {
    bytes: AtomicUsize,
    /// Emits that wait for the backlog to shrink.
    waiting: Mutex<usize>,
    shrank: Condvar,
}

impl<P: Session> Core<P> {
    /// A client that is not connected, and has no thread yet.
    pub(crate) fn new(
        options: Options<P>,
        event_loop: EventLoop,
        wire_log: Option<WireLog>,
    ) -> Arc<Self> {
        let options = Arc::new(options);
        let span = span_of(&options);
        let link = Link::new(
            Arc::clone(&options),
            event_loop.clone(),
            span.clone(),
            wire_log,
        );
        let handlers = Arc::clone(event_loop.handlers());
        Arc::new_cyclic(|this| Self {
            link: Mutex::new(link),
            turn: Mutex::default(),
            burst: Mutex::default(),
            event_loop,
            dispatcher: Dispatcher::new(options.inbox.clone(), span, handlers),
            backlog: Backlog::default(),
            drivable: AtomicBool::new(false),
            joining: Mutex::default(),
            life: Mutex::default(),
            this: this.clone(),
            options,
        })
    }

    /// The handle data of a namespace.
    pub(crate) fn space(&self, name: &str) -> Arc<Space> {
        self.with_link(|link| link.space(name))
    }

    // --- what programs do ---------------------------------------------------------------------------------------

    /// Connects a namespace, with the query it had before; returns when it is usable.
    pub(crate) fn open(&self, space: &Space) -> Result<()> {
        self.enter(space, |link, now| link.manager.open(space.id, now))
    }

    /// Joins a namespace; returns when it is usable, `after` the moment `since` at the latest.
    pub(crate) fn join(
        &self,
        space: &Space,
        query: Option<String>,
        since: Instant,
        after: Duration,
    ) -> Result<()> {
        let query = query.map(Into::into);
        self.enter(space, |link, now| {
            link.manager.join(space.id, query, since, after, now)
        })
    }

    /// Asks for a namespace, and waits for the outcome: the manager keeps its deadline. Without a connection, starts what
    /// drives one.
    fn enter(
        &self,
        space: &Space,
        ask: impl FnOnce(&mut Link<P>, Instant) -> Result<()>,
    ) -> Result<()> {
        // One that is being closed is over first.
        let ending = self.look(|link| self.running().filter(|_| link.manager.is_closing()));
        self.wait_for_end_of(ending);
        let outcome: Arc<Slot<Result<()>>> = Slot::new();
        let joining = lock(&self.joining);
        let mut link = self.lock_link();
        if self.running().is_none()
            && let Some(this) = self.this.upgrade()
        {
            let token = self.event_loop.enter(this)?;
            link.begin(token);
            lock(&self.burst).token = Some(token);
            self.dispatcher.open();
            lock(&self.life).runs = true;
        }
        space.add_joiner(&outcome);
        let asked = self.process_locked(link, ask);
        drop(joining);
        if let Err(error) = asked {
            space.forget_joiner(&outcome);
            return Err(error);
        }
        // The manager keeps the deadline: there will be an outcome.
        self.drive_until_set(&outcome, || true, None)
            .unwrap_or(Err(Error::Disconnected(DisconnectReason::NotYet)))
    }

    /// The connection is over: everybody who waits for something of it goes on.
    fn end(&self, link: &mut Link<P>) {
        lock(&self.burst).token = None;
        if let Some(token) = link.end() {
            self.event_loop.leave(token);
        }
        self.dispatcher.end();
        let mut life = lock(&self.life);
        life.runs = false;
        life.ends += 1;
        for waiting in life.waiting.drain(..) {
            waiting.set(());
            link.note_told_caller();
        }
    }

    /// Emits; returns when the emit was handed over, or given up as it was told to be: whether it was not.
    pub(crate) fn emit(
        &self,
        space: &Space,
        payload: Encoded,
        if_offline: IfOffline,
    ) -> Result<bool> {
        let mut emit = Emit::new(payload);
        match if_offline {
            IfOffline::Drop => {
                // A peer that reads too slowly is as good as none.
                if self.has_backlog() {
                    self.with_link(|link| link.manager.count_dropped_emit());
                    return Ok(false);
                }
                emit.is_volatile = true;
            }
            IfOffline::WaitFor(limit) => emit.expiry = Some(Expiry::new(Instant::now(), limit)),
            _ => {}
        }
        self.hand_over(space, emit, self.options.send_timeout)
    }

    /// Emits and asks for an ack, whose outcome goes to a callback.
    pub(crate) fn ask(
        &self,
        space: &Space,
        payload: Encoded,
        then: AckCallback,
        expiry: Expiry,
    ) -> Result<()> {
        self.dispatcher.start()?;
        let waiter = Waiter::Callback(then);
        let mut emit = Emit::new(payload);
        emit.ask = Some(Ask { waiter, expiry });
        let patience = expiry.after.min(self.options.send_timeout);
        self.hand_over(space, emit, patience).map(drop)
    }

    fn hand_over(&self, space: &Space, mut emit: Emit<Waiter>, patience: Duration) -> Result<bool> {
        self.await_backlog(patience)?;
        let taken = if space.is_open() {
            self.emit_or_join_burst(space.id, emit)
        } else {
            if is_in_hook_of(space) {
                emit.origin = Origin::Hook;
            } else if self.dispatcher.is_current() && emit.origin == Origin::Program {
                emit.origin = Origin::Handlers;
            }
            self.process(|link, now| link.manager.emit(space.id, emit, now))
        };
        match taken {
            Ok(taken) => Ok(taken != Taken::Dropped),
            Err(refused) => Err(refused.error),
        }
    }

    /// The quick way: an emit to an open namespace cannot fail before the network does.
    fn emit_or_join_burst(&self, id: NamespaceId, emit: Emit<Waiter>) -> Result<Taken, Refused> {
        let caller_waits = matches!(
            &emit.ask,
            Some(Ask {
                waiter: Waiter::Caller(_),
                ..
            })
        );
        let emit = match self.gather(id, emit, caller_waits) {
            Gathered::Yes => return Ok(Taken::Sent),
            Gathered::No(emit) => emit,
            // Whoever emits so fast waits for its turn.
            Gathered::Full(emit) => {
                return self.process(|link, now| link.manager.emit(id, emit, now));
            }
        };
        let link = match self.link.try_lock() {
            Ok(link) => link,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.join_burst(&mut lock(&self.burst), id, emit);
                self.process_burst();
                return Ok(Taken::Sent);
            }
        };
        self.process_locked(link, |link, now| link.manager.emit(id, emit, now))
    }

    /// Leaves an emit that follows closely on another one to whoever drives, together with those that follow it: one write
    /// for each would cost more than all the rest.
    fn gather(&self, id: NamespaceId, emit: Emit<Waiter>, caller_waits: bool) -> Gathered {
        let mut burst = lock(&self.burst);
        if caller_waits || !burst.follows(Instant::now()) {
            return Gathered::No(emit);
        }
        if burst.is_full() {
            return Gathered::Full(emit);
        }
        let asks = |token| self.event_loop.ask_for_turn(token);
        if burst.is_empty() && !burst.token.is_some_and(asks) {
            return Gathered::No(emit);
        }
        self.join_burst(&mut burst, id, emit);
        Gathered::Yes
    }

    fn join_burst(&self, burst: &mut Burst, id: NamespaceId, emit: Emit<Waiter>) {
        self.backlog.add(emit.payload.size());
        burst.push(id, emit);
    }

    /// Emits and waits for the ack, driving the connection meanwhile where possible.
    pub(crate) fn call(&self, space: &Space, payload: Encoded, after: Duration) -> Result<Args> {
        let slot = Slot::new();
        let expiry = Expiry::new(Instant::now(), after);
        let deadline = expiry.at;
        let mut emit = Emit::new(payload);
        let waiter = Waiter::Caller(Arc::clone(&slot));
        emit.ask = Some(Ask { waiter, expiry });
        if self.dispatcher.waits_for_current_thread() {
            emit.origin = Origin::WaitingHandler;
        }
        self.hand_over(space, emit, after.min(self.options.send_timeout))?;
        // The manager reports the deadline. A little later nothing will come any more.
        let patience = deadline + Duration::from_secs(1);
        let drivable = || self.drivable.load(Ordering::Acquire);
        self.drive_until_set(&slot, drivable, Some(patience))
            .unwrap_or(Err(Error::timeout(Deadline::Ack, after)))
    }

    /// Waits for a value, driving meanwhile where that can bring it.
    fn drive_until_set<T: Send + 'static>(
        &self,
        slot: &Arc<Slot<T>>,
        drivable: impl Fn() -> bool,
        deadline: Option<Instant>,
    ) -> Option<T> {
        let waiting: Arc<dyn Waiting> = Arc::clone(slot) as Arc<dyn Waiting>;
        let is_late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let seat = self.event_loop.seat();
        let outcome = loop {
            if let Some(outcome) = slot.take() {
                break Some(outcome);
            }
            if is_late() {
                break None;
            }
            if !drivable() {
                // It may have been nudged to sit down: somebody else must, then.
                seat.forget(&waiting);
                slot.park(deadline);
                continue;
            }
            match seat.take_for(&waiting) {
                Some(mut seat) => {
                    while !slot.is_set() && !is_late() {
                        let Some(set) = seat.poll() else { break };
                        self.event_loop.turn(set, || slot.is_set());
                    }
                    drop(seat);
                    self.event_loop.leave_nothing_undone();
                }
                None => slot.park(deadline),
            }
        };
        seat.forget(&waiting);
        outcome
    }

    /// Leaves a namespace. If that closes the connection, waits until its threads have ended.
    pub(crate) fn leave(&self, space: &Space) {
        let ending = self.process(|link, now| {
            link.manager.leave(space.id, now);
            link.manager.is_closing_or_closed().then(|| self.running())
        });
        if let Some(connection) = ending {
            self.join_threads(connection);
        }
    }

    /// Closes, in whatever state: what was emitted before is sent first. Waits until the threads have ended.
    pub(crate) fn close(&self) {
        let connection = self.process(|link, now| {
            link.manager.close(now);
            self.running()
        });
        self.join_threads(connection);
    }

    /// Closes because the last handle is gone: nothing will be opened any more.
    pub(crate) fn abandon(&self) {
        self.process(|link, now| {
            link.manager.close(now);
            link.abandon();
        });
    }

    /// Sends the emits that wait although their namespace is connected.
    pub(crate) fn flush(&self, space: &Space) -> usize {
        self.process(|link, now| link.flush(space, now))
    }

    /// Gives up the emits that wait.
    pub(crate) fn clear_queue(&self, space: &Space) -> usize {
        self.process(|link, _| link.clear_queue(space))
    }

    /// Waits until everything of a connection has ended, except a handler that does not return.
    fn join_threads(&self, connection: Option<u64>) {
        if let Some(end) = self.end_of(connection) {
            self.drive_until_set(&end, || true, None);
        }
        // One that closes at the same time waits until they are joined, too.
        let joining = lock(&self.joining);
        // If it was opened again, then by somebody who goes on with its thread.
        if !lock(&self.life).runs {
            self.event_loop.join();
        }
        drop(joining);
        self.dispatcher.wait(self.options.close_timeout);
    }

    /// The number of the connection that is there. With the link locked, it stays so.
    fn running(&self) -> Option<u64> {
        let life = lock(&self.life);
        life.runs.then_some(life.ends)
    }

    /// Waits until the connection is over.
    pub(crate) fn wait_for_end(&self) {
        self.wait_for_end_of(self.running());
    }

    /// Waits until a connection is over. One that is opened behind it does not count.
    fn wait_for_end_of(&self, connection: Option<u64>) {
        if let Some(end) = self.end_of(connection) {
            end.wait();
        }
    }

    /// Where the end of a connection is told, if that is still to come.
    fn end_of(&self, connection: Option<u64>) -> Option<Arc<Slot<()>>> {
        let mut life = lock(&self.life);
        if !life.runs || connection != Some(life.ends) {
            return None;
        }
        let end = Slot::new();
        life.waiting.push(Arc::clone(&end));
        Some(end)
    }

    /// How the connection stands.
    pub(crate) fn report(&self, space: &Space) -> ConnectionReport {
        self.look(|link| link.report(space, Instant::now()))
    }

    /// Looks at the manager.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Link<P>) -> R) -> R {
        self.with_link(|link| look(link))
    }

    // --- driving ------------------------------------------------------------------------------------------------

    /// Locks the link. Whoever waits for it is next: a driver with an endless supply of input lets others in.
    fn lock_link(&self) -> MutexGuard<'_, Link<P>> {
        let _turn = lock(&self.turn);
        lock(&self.link)
    }

    /// Does something with the link that nothing follows from.
    fn with_link<R>(&self, act: impl FnOnce(&mut Link<P>) -> R) -> R {
        // What was emitted before counts.
        self.process_burst();
        let result = act(&mut self.lock_link());
        // An emit that met the lock taken counts on whoever held it.
        self.process_burst();
        result
    }

    /// Does something with the link, and everything that follows from it.
    fn process<R>(&self, act: impl FnOnce(&mut Link<P>, Instant) -> R) -> R {
        self.process_locked(self.lock_link(), act)
    }

    fn process_locked<R>(
        &self,
        mut link: MutexGuard<'_, Link<P>>,
        act: impl FnOnce(&mut Link<P>, Instant) -> R,
    ) -> R {
        let now = Instant::now();
        let _in = link.span().entered();
        // Who joined a burst before must leave before.
        link.emit_all(|emits| lock(&self.burst).take(emits), now);
        let result = act(&mut link, now);
        self.settle(link, now);
        self.process_burst();
        result
    }

    /// Processes emits that came while the lock was held, unless somebody else holds it: then they will.
    fn process_burst(&self) {
        while !lock(&self.burst).is_empty() {
            let link = match self.link.try_lock() {
                Ok(link) => link,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            let mut link = link;
            let now = Instant::now();
            let _in = link.span().entered();
            link.emit_all(|emits| lock(&self.burst).take(emits), now);
            self.settle(link, now);
        }
    }

    /// Carries out what the manager wants, and lets the lock go.
    fn settle(&self, mut link: MutexGuard<'_, Link<P>>, now: Instant) {
        link.settle(self, now);
        {
            // With the link locked, so that none is put down behind a newer one; with the burst locked, so that what joins it
            // counts once.
            let burst = lock(&self.burst);
            self.backlog.set(link.backlog() + burst.bytes());
        }
        if link.takes_end() {
            self.end(&mut link);
        }
        link.note_deadline();
        let must_wake_caller = link.must_wake_caller();
        self.drivable.store(link.has_socket(), Ordering::Release);
        drop(link);
        if must_wake_caller {
            self.event_loop.seat().wake_caller();
        }
    }

    // --- for the link -------------------------------------------------------------------------------------------

    /// Runs the program's hook and looks up the name, and reports to the link.
    ///
    /// On a thread of its own: neither the hook nor the system's resolver can be interrupted. One that hangs holds nothing
    /// but that thread.
    fn prepare(
        &self,
        connection: u64,
        number: u32,
        after: Option<DisconnectReason>,
        span: Span,
    ) -> Result<()> {
        let this = self.this.clone();
        let options = Arc::clone(&self.options);
        let work = move || {
            let _in = span.entered();
            let endpoint = Endpoint::clone(&options.endpoint);
            let hook = &options.before_attempt;
            let prepared = prepare(hook, &options.proxies, endpoint, number, after);
            drop(options);
            if let Some(core) = this.upgrade() {
                core.process(|link, now| link.prepared(connection, prepared, now));
            }
        };
        thread::Builder::new()
            .name("sio-resolve".into())
            .spawn(work)
            .map_err(|error| Error::transport("starting a thread for name lookup", error))?;
        Ok(())
    }

    /// Sends what waited for the hook of a namespace, once that has run.
    fn releaser(&self, space: &Arc<Space>, join: u64) -> Box<dyn FnOnce() + Send> {
        let this = self.this.clone();
        let space = Arc::clone(space);
        Box::new(move || {
            if let Some(core) = this.upgrade() {
                core.process(|link, now| link.release(&space, join, now));
            }
        })
    }

    fn replier(&self) -> Weak<dyn Reply> {
        self.this.clone() as Weak<dyn Reply>
    }

    // --- backpressure -------------------------------------------------------------------------------------------

    /// Whether more than the send buffer's size has not been taken by the peer.
    fn has_backlog(&self) -> bool {
        self.backlog.bytes.load(Ordering::Acquire) > self.options.send_buffer
    }

    /// Waits while there is a backlog.
    fn await_backlog(&self, after: Duration) -> Result<()> {
        if !self.has_backlog() {
            return Ok(());
        }
        let limit = self.options.send_buffer;
        if self.backlog.wait_until(limit, Instant::now() + after) {
            Ok(())
        } else {
            Err(Error::timeout(Deadline::Send, after))
        }
    }
}

/// The span of a client: clients are numbered, as they are made in this process.
fn span_of<P: Session>(options: &Options<P>) -> Span {
    static CLIENTS: AtomicU64 = AtomicU64::new(0);
    let client = CLIENTS.fetch_add(1, Ordering::Relaxed) + 1;
    let server = options.endpoint.target.shown();
    // At the level of errors, so that it stands before warnings too where nothing else is listened to. It outlives whatever
    // the program is doing now.
    tracing::error_span!(parent: None, "sio", client, %server)
}

impl Backlog {
    /// Emits that wait to be processed count, too.
    fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    fn set(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Ordering::AcqRel);
        if bytes < before && *lock(&self.waiting) > 0 {
            self.shrank.notify_all();
        }
    }

    /// Whether the backlog came down to `limit` in time.
    fn wait_until(&self, limit: usize, deadline: Instant) -> bool {
        let mut waiting = lock(&self.waiting);
        *waiting += 1;
        let fits = loop {
            if self.bytes.load(Ordering::Acquire) <= limit {
                break true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break false;
            }
            let waited = self.shrank.wait_timeout(waiting, left);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        *waiting -= 1;
        fits
    }
}

impl<P: Session> Driven for Core<P> {
    fn drive(&self, due: Due) -> bool {
        self.process(|link, now| link.advance(due, now))
    }
}

impl<P: Session> Reply for Core<P> {
    fn check(&self, payload: &Encoded) -> Result<()> {
        P::check_payload(payload)?;
        Ok(())
    }

    fn reply(&self, question: &Question, payload: Encoded) -> Result<()> {
        self.process(|link, now| link.manager.reply(question, payload, now))
    }
}

impl<P: Session> fmt::Debug for Core<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
