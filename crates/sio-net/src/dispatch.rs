//! The thread that runs handlers: one at a time, in the order things happened, with no lock held.
//!
//! It starts with the first thing to run and does nothing else, so a slow handler delays neither heartbeats nor calls of
//! other threads.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sio_core::handler::{Handler, HandlerId};
use sio_core::socket::AckCallback;
use sio_core::{Args, Bounds, Error, Event, Overflow, Status};

use crate::space::Space;
use crate::sync::lock;

/// Something to run user code for.
pub(crate) enum Delivery {
    /// Handlers of an event.
    Event(Arc<Space>, Event),
    /// Handlers of a change of status.
    Status(Arc<Space>, Status),
    /// Whoever waits for an ack.
    Callback(AckCallback, Result<Args, Error>),
    /// What follows once the handlers before have run; no user code.
    Then(Box<dyn FnOnce() + Send>),
}

/// Deliveries on their way to the thread that runs them.
pub(crate) struct Dispatcher {
    this: Weak<Self>,
    bounds: Bounds,
    /// Handlers run in it.
    span: tracing::Span,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    queue: VecDeque<Delivery>,
    /// Events in the queue, and the bytes of their payloads. Nothing else is bounded: of the rest there is only so much.
    events: usize,
    bytes: usize,
    /// Whether events were given up since there was room again.
    overflowing: bool,
    thread: Option<JoinHandle<()>>,
    /// Whether the thread goes when it has run everything, rather than wait for more.
    over: bool,
    /// Whether the thread is gone, or about to be: it runs nothing more.
    ended: bool,
}

/// An event was too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overflowed {
    /// How many events wait.
    pub(crate) events: usize,
    /// The bytes of their payloads.
    pub(crate) bytes: usize,
    /// How many were given up.
    pub(crate) given_up: u64,
    /// Whether it is the first time since there was room.
    pub(crate) is_first: bool,
}

impl Dispatcher {
    pub(crate) fn new(bounds: Bounds, span: tracing::Span) -> Arc<Self> {
        let state = State {
            queue: VecDeque::new(),
            events: 0,
            bytes: 0,
            overflowing: false,
            thread: None,
            over: true,
            ended: false,
        };
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            bounds,
            span,
            state: Mutex::new(state),
            changed: Condvar::new(),
        })
    }

    /// A connection is opened: deliveries will come.
    pub(crate) fn open(&self) {
        lock(&self.state).over = false;
    }

    /// Whether the current thread is the one that runs handlers.
    pub(crate) fn is_current(&self) -> bool {
        RUNS_FOR.get() == Some(std::ptr::from_ref(self))
    }

    /// Makes sure that there is a thread for what is handed over.
    pub(crate) fn start(&self) -> Result<(), Error> {
        self.start_locked(&mut lock(&self.state))
    }

    fn start_locked(&self, state: &mut State) -> Result<(), Error> {
        if state.thread.is_some() && !state.ended {
            return Ok(());
        }
        let Some(dispatcher) = self.this.upgrade() else {
            return Ok(()); // a method of it runs, so it is there
        };
        let thread = thread::Builder::new()
            .name("sio-handlers".into())
            .spawn(move || dispatcher.run())
            .map_err(|error| Error::transport("starting the thread for handlers", error))?;
        state.ended = false;
        // The one before has nothing left to do but to end.
        state.thread = Some(thread);
        Ok(())
    }

    /// Hands over deliveries, and empties `batch`. Returns which events were too much: of each, one was given up, the oldest
    /// if the bounds say so, or else itself.
    pub(crate) fn push(&self, batch: &mut Vec<Delivery>) -> Vec<(Arc<Space>, Overflowed)> {
        let mut overflowed = Vec::new();
        if batch.is_empty() {
            return overflowed;
        }
        let mut given_up = Vec::new();
        let mut state = lock(&self.state);
        for delivery in batch.drain(..) {
            let Delivery::Event(space, event) = delivery else {
                state.queue.push_back(delivery);
                continue;
            };
            let size = event.args().size();
            if !self.bounds.hold(state.events + 1, state.bytes + size) {
                let before = given_up.len();
                let mut shortage = state.overflow();
                if self.bounds.overflow == Overflow::DropOldest && self.bounds.hold(1, size) {
                    while !self.bounds.hold(state.events + 1, state.bytes + size) {
                        let Some(oldest) = state.take_oldest_event() else {
                            break;
                        };
                        given_up.push(oldest);
                    }
                    shortage.given_up = (given_up.len() - before) as u64;
                    overflowed.push((Arc::clone(&space), shortage));
                } else {
                    given_up.push(event);
                    overflowed.push((space, shortage));
                    continue;
                }
            }
            state.events += 1;
            state.bytes += size;
            state.queue.push_back(Delivery::Event(space, event));
        }
        if let Err(error) = self.start_locked(&mut state) {
            // What waits is run when there is a thread.
            tracing::error!(error = %error.chain(), "handlers cannot run");
        }
        drop(state);
        self.changed.notify_all();
        overflowed
    }

    /// Ends the thread once it has run what was handed over.
    pub(crate) fn end(&self) {
        lock(&self.state).over = true;
        self.changed.notify_all();
    }

    /// Waits for the thread's end, for `limit` at most; on that thread itself it does not wait.
    ///
    /// The limit is for handlers that do not return: they are the program's own.
    pub(crate) fn wait(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut state = lock(&self.state);
        let current = thread::current().id();
        if state
            .thread
            .as_ref()
            .is_none_or(|thread| thread.thread().id() == current)
        {
            return;
        }
        while !state.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let thread = state.thread.take();
        drop(state);
        if let Some(thread) = thread {
            // User code's panics were caught, so there is no result to look at.
            let _ = thread.join();
        }
    }

    fn run(&self) {
        RUNS_FOR.set(Some(std::ptr::from_ref(self)));
        let _in = self.span.enter();
        let mut plan = Vec::new();
        while let Some(delivery) = self.next() {
            match delivery {
                Delivery::Event(space, event) => run_event(&space, &event, &mut plan),
                Delivery::Status(space, status) => run_status(&space, &status, &mut plan),
                Delivery::Callback(then, outcome) => {
                    let name = "an ack callback";
                    if let Err(error) = guarded(name, || then(outcome)) {
                        tracing::warn!(error = %error.chain(), "an ack callback failed");
                    }
                }
                Delivery::Then(then) => then(),
            }
        }
    }

    /// The next thing to do; `None` when nothing more will come.
    fn next(&self) -> Option<Delivery> {
        let mut state = lock(&self.state);
        loop {
            if let Some(delivery) = state.queue.pop_front() {
                if let Delivery::Event(_, event) = &delivery {
                    state.events -= 1;
                    state.bytes -= event.args().size();
                    // Half empty, so that each shortage is told once.
                    let (events, bytes) = (2 * state.events, 2 * state.bytes);
                    state.overflowing &= !self.bounds.hold(events, bytes);
                }
                return Some(delivery);
            }
            if state.over {
                state.ended = true;
                drop(state);
                self.changed.notify_all();
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    fn overflow(&mut self) -> Overflowed {
        Overflowed {
            events: self.events,
            bytes: self.bytes,
            given_up: 1,
            is_first: !std::mem::replace(&mut self.overflowing, true),
        }
    }

    fn take_oldest_event(&mut self) -> Option<Event> {
        let is_event = |delivery: &Delivery| matches!(delivery, Delivery::Event(..));
        let oldest = self.queue.iter().position(is_event)?;
        let Some(Delivery::Event(_, event)) = self.queue.remove(oldest) else {
            return None;
        };
        self.events -= 1;
        self.bytes -= event.args().size();
        Some(event)
    }
}

thread_local! {
    /// The dispatcher whose thread this is.
    static RUNS_FOR: Cell<Option<*const Dispatcher>> = const { Cell::new(None) };
    /// The namespace whose handlers of `Status::Connected` this thread runs.
    static HOOK_OF: Cell<Option<*const Space>> = const { Cell::new(None) };
}

/// Whether the current thread runs handlers that a namespace is connected: what they emit goes before what waits.
pub(crate) fn is_in_hook_of(space: &Space) -> bool {
    HOOK_OF.get().is_some_and(|hook| std::ptr::eq(hook, space))
}

fn run_event(space: &Arc<Space>, event: &Event, plan: &mut Vec<HandlerId>) {
    space.with_registry(|registry| registry.plan(event.name(), plan));
    for &id in &*plan {
        let Some(mut handler) = space.with_registry(|registry| registry.take(id)) else {
            continue; // removed by a handler before it
        };
        let result = guarded(event.name(), || handler.run_event(event)).and_then(|ran| ran);
        put_back(space, id, handler);
        if let Err(error) = result {
            tracing::warn!(namespace = %space.name, error = %shown(&error), "a handler failed");
            run_status(space, &Status::Error(error), &mut Vec::new());
        }
    }
}

fn run_status(space: &Arc<Space>, status: &Status, plan: &mut Vec<HandlerId>) {
    space.with_registry(|registry| registry.plan_status(plan));
    let before = HOOK_OF.get();
    if matches!(status, Status::Connected { .. }) {
        HOOK_OF.set(Some(Arc::as_ptr(space)));
    }
    for &id in &*plan {
        let Some(mut handler) = space.with_registry(|registry| registry.take(id)) else {
            continue;
        };
        let result = guarded("a change of status", || handler.run_status(status));
        put_back(space, id, handler);
        if let Err(error) = result {
            // Reporting it to the handlers of status could go round for ever.
            tracing::warn!(namespace = %space.name, error = %error.chain(), "a handler failed");
        }
    }
    HOOK_OF.set(before);
}

/// A handler has run. What it captured is dropped with it if it does not run again, which may run user code too.
fn put_back(space: &Space, id: HandlerId, handler: Handler) {
    let unwanted = space.with_registry(|registry| registry.put_back(id, handler));
    if let Err(error) = guarded("what a handler captured", || drop(unwanted)) {
        tracing::warn!(namespace = %space.name, error = %error.chain(), "a handler failed");
    }
}

/// An error as it is logged. What payloads are made of stays out: that is in the cause of one of the wrong type.
fn shown(error: &Error) -> String {
    match error {
        Error::Decode { .. } => error.to_string(),
        error => error.chain(),
    }
}

/// Runs user code; a panic becomes an error.
pub(crate) fn guarded<R>(what: &str, run: impl FnOnce() -> R) -> Result<R, Error> {
    // What a handler captured is its own to keep consistent; nothing of ours is touched inside.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no text".to_owned());
        Error::Handler {
            event: what.into(),
            source: Arc::new(Panicked(text)),
        }
    })
}

/// A handler panicked.
#[derive(Debug, thiserror::Error)]
#[error("it panicked: {0}")]
struct Panicked(String);

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dispatcher")
    }
}
