//! The thread that runs handlers: one at a time, in the order things happened, with no lock held.
//!
//! It starts with the first handler and does nothing but run them, so a slow one delays neither heartbeats nor calls
//! of other threads.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sio_core::handler::{Handler, HandlerId};
use sio_core::socket::AckCallback;
use sio_core::{Args, Error, Event, Status};

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
}

/// Deliveries on their way to the thread that runs them.
pub(crate) struct Dispatcher {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Delivery>,
    thread: Option<JoinHandle<()>>,
    /// Nothing more will be handed over.
    over: bool,
    /// The thread has run everything.
    ended: bool,
}

impl Dispatcher {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Makes sure that deliveries are run.
    pub(crate) fn start(self: &Arc<Self>) -> Result<(), Error> {
        let mut state = lock(&self.state);
        if state.thread.is_some() || state.over {
            return Ok(());
        }
        let dispatcher = Arc::clone(self);
        let thread = thread::Builder::new()
            .name("sio-handlers".into())
            .spawn(move || dispatcher.run())
            .map_err(|error| Error::transport("starting the thread for handlers", error))?;
        state.thread = Some(thread);
        Ok(())
    }

    /// Hands over deliveries, and empties `batch`.
    pub(crate) fn push(&self, batch: &mut Vec<Delivery>) {
        if batch.is_empty() {
            return;
        }
        let mut state = lock(&self.state);
        state.queue.extend(batch.drain(..));
        drop(state);
        self.changed.notify_all();
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
        let mut plan = Vec::new();
        let mut batch = VecDeque::new();
        while self.next_batch(&mut batch) {
            for delivery in batch.drain(..) {
                match delivery {
                    Delivery::Event(space, event) => run_event(&space, &event, &mut plan),
                    Delivery::Status(space, status) => run_status(&space, &status, &mut plan),
                    Delivery::Callback(then, outcome) => {
                        let name = "an ack callback";
                        if let Err(error) = guarded(name, || then(outcome)) {
                            tracing::error!(error = %error.chain());
                        }
                    }
                }
            }
        }
        lock(&self.state).ended = true;
        self.changed.notify_all();
    }

    /// Everything there is to do; false when nothing more will come.
    fn next_batch(&self, batch: &mut VecDeque<Delivery>) -> bool {
        let mut state = lock(&self.state);
        loop {
            if !state.queue.is_empty() {
                mem::swap(&mut state.queue, batch);
                return true;
            }
            if state.over {
                return false;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
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
            tracing::warn!(namespace = %space.name, error = %error.chain(), "a handler failed");
            run_status(space, &Status::Error(error), &mut Vec::new());
        }
    }
}

fn run_status(space: &Arc<Space>, status: &Status, plan: &mut Vec<HandlerId>) {
    space.with_registry(|registry| registry.plan_status(plan));
    for &id in &*plan {
        let Some(mut handler) = space.with_registry(|registry| registry.take(id)) else {
            continue;
        };
        let result = guarded("a change of status", || handler.run_status(status));
        put_back(space, id, handler);
        if let Err(error) = result {
            // Reporting it to the handlers of status could go round for ever.
            tracing::error!(namespace = %space.name, error = %error.chain());
        }
    }
}

/// A handler has run. What it captured is dropped with it if it does not run again, which may run user code too.
fn put_back(space: &Space, id: HandlerId, handler: Handler) {
    let unwanted = space.with_registry(|registry| registry.put_back(id, handler));
    if let Err(error) = guarded("what a handler captured", || drop(unwanted)) {
        tracing::error!(namespace = %space.name, error = %error.chain());
    }
}

/// Runs user code; a panic becomes an error.
fn guarded<R>(what: &str, run: impl FnOnce() -> R) -> Result<R, Error> {
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
