//! Drives one connection: the manager and its sockets behind one lock, and whoever has something to do.
//!
//! [`Core`] is what all handles and threads of a client share. Its [`Link`] is locked only while something is being
//! processed: never while waiting, never while user code runs. Who drives:
//!
//! - the loop thread, and callers that wait for an ack, wait in the poll (see [`seat`](crate::seat)) and then process
//!   what the socket brought;
//! - an emit processes itself at once if the lock is free, and else joins the burst of whoever holds it;
//! - an HTTP lane processes the answer it got.

mod link;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Poll, Token, Waker};
use sio_core::event::{Question, Reply};
use sio_core::manager::{Ask, NamespaceId};
use sio_core::session::{Input, Session};
use sio_core::socket::AckCallback;
use sio_core::{Args, Deadline, Encoded, Error, Result};

use crate::dialler::resolve;
use crate::dispatch::Dispatcher;
use crate::options::Options;
use crate::seat::{PollSet, Seat, Waiting};
use crate::space::Space;
use crate::sync::{Slot, lock};

use self::link::Link;

const WAKER: Token = Token(0);

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

impl Waiting for Slot<Result<Args>> {
    fn is_done(&self) -> bool {
        self.is_set()
    }

    fn nudge(&self) {
        self.nudge();
    }
}

/// An emit on its way to the manager.
pub(crate) struct Emit {
    pub(crate) namespace: NamespaceId,
    pub(crate) payload: Encoded,
    pub(crate) ask: Option<Ask<Waiter>>,
}

/// What all handles and threads of one client share.
pub(crate) struct Core<P: Session> {
    pub(crate) options: Arc<Options<P>>,
    link: Mutex<Link<P>>,
    /// Held while waiting for `link`, by one at a time.
    turn: Mutex<()>,
    /// Emits that joined the burst of whoever holds `link`.
    burst: Mutex<Vec<Emit>>,
    seat: Seat,
    pub(crate) dispatcher: Arc<Dispatcher>,
    backlog: Backlog,
    /// Whether there is a WebSocket, so that waiting in the poll can bring an ack.
    drivable: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held while threads are joined.
    joining: Mutex<()>,
    ended: Mutex<bool>,
    end: Condvar,
    /// For answers to questions: an ack keeps no connection alive.
    this: Weak<Self>,
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
    /// A client that is not connected, with the thread that will drive it.
    pub(crate) fn start(options: Options<P>) -> Result<Arc<Self>> {
        let setup = |error: io::Error| Error::transport("setting up the event loop", error);
        let poll = Poll::new().map_err(setup)?;
        let registry = poll.registry().try_clone().map_err(setup)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(setup)?);
        let options = Arc::new(options);
        let link = Link::new(Arc::clone(&options), registry)?;
        let core = Arc::new_cyclic(|this| Self {
            options,
            link: Mutex::new(link),
            turn: Mutex::default(),
            burst: Mutex::default(),
            seat: Seat::new(poll, waker),
            dispatcher: Dispatcher::new(),
            backlog: Backlog::default(),
            drivable: AtomicBool::new(false),
            threads: Mutex::default(),
            joining: Mutex::default(),
            ended: Mutex::new(false),
            end: Condvar::new(),
            this: this.clone(),
        });
        let of_thread = Arc::clone(&core);
        let thread = thread::Builder::new()
            .name("sio-loop".into())
            .spawn(move || of_thread.run())
            .map_err(setup)?;
        core.keep(thread);
        Ok(core)
    }

    /// The handle data of a namespace.
    pub(crate) fn space(&self, name: &str) -> Arc<Space> {
        self.with_link(|link| link.space(name))
    }

    // --- what programs do ---------------------------------------------------------------------------------------

    /// Connects; returns when the root namespace is usable. Without being `wanted`, it keeps no connection alone.
    pub(crate) fn connect(&self, root: &Space, wanted: bool) -> Result<()> {
        let outcome = Slot::new();
        root.add_joiner(&outcome);
        self.process(|link, now| link.manager.open(wanted, now));
        self.wait_for_join(&outcome, self.options.connect_timeout, Deadline::Connect)
    }

    /// Joins a namespace; returns when it is usable, `after` the moment `since` at the latest.
    pub(crate) fn join(
        &self,
        space: &Space,
        query: Option<String>,
        since: Instant,
        after: Duration,
    ) -> Result<()> {
        let outcome = Slot::new();
        space.add_joiner(&outcome);
        let query = query.map(Into::into);
        self.process(|link, now| link.manager.join(space.id, query, since, after, now))?;
        self.wait_for_join(&outcome, after, Deadline::Join)
    }

    fn wait_for_join(
        &self,
        outcome: &Slot<Result<()>>,
        after: Duration,
        deadline: Deadline,
    ) -> Result<()> {
        // The manager keeps the deadline; this one only bounds the wait should it fail to.
        let patience = after + self.options.close_timeout + Duration::from_secs(1);
        let waited = outcome.wait(Instant::now() + patience);
        waited.unwrap_or(Err(Error::Timeout { deadline, after }))
    }

    /// Emits; returns when the emit was handed over.
    pub(crate) fn emit(
        &self,
        space: &Space,
        payload: Encoded,
        ask: Option<Ask<Waiter>>,
    ) -> Result<()> {
        let patience = ask.as_ref().map_or(Duration::MAX, |ask| ask.after);
        self.await_backlog(patience.min(self.options.send_timeout))?;
        let emit = Emit {
            namespace: space.id,
            payload,
            ask,
        };
        if space.is_connected() {
            self.emit_or_join_burst(emit)
        } else {
            let taken = self.process(|link, now| link.emit(emit, now));
            taken.map_err(|not_taken| not_taken.error)
        }
    }

    /// The quick way: an emit to a connected namespace cannot fail before the network does.
    fn emit_or_join_burst(&self, emit: Emit) -> Result<()> {
        let link = match self.link.try_lock() {
            Ok(link) => link,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                lock(&self.burst).push(emit);
                self.process_burst();
                return Ok(());
            }
        };
        let taken = self.process_locked(link, |link, now| link.emit(emit, now));
        taken.map_err(|not_taken| not_taken.error)
    }

    /// Emits and waits for the ack, driving the connection meanwhile where possible.
    pub(crate) fn call(&self, space: &Space, payload: Encoded, after: Duration) -> Result<Args> {
        let slot = Slot::new();
        let deadline = Instant::now() + after;
        let ask = Ask {
            waiter: Waiter::Caller(Arc::clone(&slot)),
            deadline,
            after,
        };
        self.emit(space, payload, Some(ask))?;
        let waiting: Arc<dyn Waiting> = Arc::clone(&slot) as Arc<dyn Waiting>;
        // The manager reports the deadline. A little later nothing will come any more.
        let patience = deadline + Duration::from_secs(1);
        let outcome = loop {
            if let Some(outcome) = slot.take() {
                break Some(outcome);
            }
            if Instant::now() >= patience {
                break None;
            }
            if !self.drivable.load(Ordering::Acquire) {
                // It may have been nudged to sit down: somebody else must, then.
                self.seat.forget(&waiting);
                slot.park(patience);
                continue;
            }
            match self.seat.take_for(&waiting) {
                Some(mut seat) => {
                    while !slot.is_set() && Instant::now() < patience {
                        let Some(set) = seat.poll() else { break };
                        if !self.drive(set, || slot.is_set()) {
                            break;
                        }
                    }
                }
                None => slot.park(patience),
            }
        };
        self.seat.forget(&waiting);
        outcome.unwrap_or(Err(Error::Timeout {
            deadline: Deadline::Ack,
            after,
        }))
    }

    pub(crate) fn leave(&self, space: &Space) {
        self.process(|link, now| link.manager.leave(space.id, now));
    }

    /// Asks to close; what was emitted before is sent first.
    pub(crate) fn close(&self) {
        self.process(Link::close);
    }

    /// Waits until everything has ended after [`close`](Self::close), except a handler that does not return.
    pub(crate) fn join_threads(&self) {
        self.wait_for_end();
        // One that closes at the same time waits until they are joined, too.
        let joining = lock(&self.joining);
        let threads = std::mem::take(&mut *lock(&self.threads));
        join_all(threads);
        drop(joining);
        self.dispatcher.wait(self.options.close_timeout);
    }

    /// Waits until the connection is over.
    pub(crate) fn wait_for_end(&self) {
        let mut ended = lock(&self.ended);
        while !*ended {
            ended = self.end.wait(ended).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Looks at the manager.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Link<P>) -> R) -> R {
        self.with_link(|link| look(link))
    }

    // --- driving ------------------------------------------------------------------------------------------------

    fn run(&self) {
        while let Some(mut seat) = self.seat.take_for_loop() {
            while let Some(set) = seat.poll() {
                if !self.drive(set, || false) || self.seat.is_wanted() {
                    break;
                }
            }
        }
    }

    /// Waits for the socket or the next deadline, and processes what came. False when everything is over.
    ///
    /// `is_done` tells that there is nothing to wait for any more. It is asked when the link knows that somebody goes
    /// to sleep: what is done earlier is seen here, what is done later wakes the sleeper.
    fn drive(&self, set: &mut PollSet, is_done: impl FnOnce() -> bool) -> bool {
        if self.look(Link::is_over) {
            return false;
        }
        let patience = self.with_link(|link| link.patience(Instant::now()));
        let patience = if is_done() {
            Some(Duration::ZERO)
        } else {
            patience
        };
        match set.poll.poll(&mut set.events, patience) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                tracing::error!(%error, "the poll failed");
                return false;
            }
            _ => {}
        }
        let ready = set.events.iter().filter(|event| event.token() != WAKER);
        let tokens: Vec<Token> = ready.map(mio::event::Event::token).collect();
        self.process(|link, now| {
            link.socket_ready(&tokens);
            link.advance(now);
        });
        true
    }

    /// Something arrived from an HTTP lane of a connection. It may have been on its way when that was given up; another
    /// one numbers its requests alike.
    fn input(&self, input: Input, connection: u64) {
        self.process(|link, now| {
            if link.manager.epoch() == connection {
                link.manager.handle_input(input, now);
            }
        });
    }

    /// Locks the link. Whoever waits for it is next: a driver with an endless supply of input lets others in.
    fn lock_link(&self) -> MutexGuard<'_, Link<P>> {
        let _turn = lock(&self.turn);
        lock(&self.link)
    }

    /// Does something with the link that nothing follows from.
    fn with_link<R>(&self, act: impl FnOnce(&mut Link<P>) -> R) -> R {
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
        // Who joined a burst before must leave before.
        link.emit_all(std::mem::take(&mut *lock(&self.burst)), now);
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
            link.emit_all(std::mem::take(&mut *lock(&self.burst)), now);
            self.settle(link, now);
        }
    }

    /// Carries out what the manager wants, and lets the lock go.
    fn settle(&self, mut link: MutexGuard<'_, Link<P>>, now: Instant) {
        link.settle(self, now);
        let backlog = link.backlog();
        let wake = link.must_wake_driver();
        let over = link.is_over();
        let told_caller = link.has_told_caller();
        self.drivable.store(link.has_websocket(), Ordering::Release);
        drop(link);
        self.backlog.set(backlog);
        if over {
            self.seat.end();
            *lock(&self.ended) = true;
            self.end.notify_all();
        } else if wake {
            self.seat.wake();
        } else if told_caller {
            self.seat.wake_caller();
        }
    }

    // --- for the link -------------------------------------------------------------------------------------------

    /// Keeps a thread to be joined on close.
    fn keep(&self, thread: JoinHandle<()>) {
        let mut threads = lock(&self.threads);
        // Only dropped, one that is about to end would not be waited for by anybody.
        let (ended, running) = threads.drain(..).partition(JoinHandle::is_finished);
        *threads = running;
        join_all(ended);
        threads.push(thread);
    }

    /// What an HTTP lane does with an answer.
    fn answerer(&self, connection: u64) -> impl Fn(Input) + Send + 'static {
        let this = self.this.clone();
        move |input| {
            if let Some(core) = this.upgrade() {
                core.input(input, connection);
            }
        }
    }

    /// Looks up the server's addresses, and reports them to the link.
    fn resolve(&self, attempt: u64) -> Result<()> {
        let this = self.this.clone();
        let target = &self.options.target;
        resolve(&target.host, target.port, move |found| {
            if let Some(core) = this.upgrade() {
                core.process(|link, now| link.resolved(attempt, found, now));
            }
        })
    }

    fn replier(&self) -> Weak<dyn Reply> {
        self.this.clone() as Weak<dyn Reply>
    }

    // --- backpressure -------------------------------------------------------------------------------------------

    /// Waits while more than the send buffer's size has not been taken by the peer.
    fn await_backlog(&self, after: Duration) -> Result<()> {
        let limit = self.options.send_buffer;
        if self.backlog.bytes.load(Ordering::Acquire) <= limit {
            return Ok(());
        }
        if self.backlog.wait_until(limit, Instant::now() + after) {
            Ok(())
        } else {
            Err(Error::Timeout {
                deadline: Deadline::Send,
                after,
            })
        }
    }
}

/// Waits for the end of threads, except the current one's.
fn join_all(threads: Vec<JoinHandle<()>>) {
    let current = thread::current().id();
    for thread in threads {
        if thread.thread().id() != current && thread.join().is_err() {
            tracing::error!("a thread of the client panicked");
        }
    }
}

impl Backlog {
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
