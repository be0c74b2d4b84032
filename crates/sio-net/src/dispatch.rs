//! The thread that runs handlers: one at a time, in the order things happened, with no lock held.
//!
//! It starts with the first thing to run and does nothing else, so a slow handler delays neither heartbeats nor calls of
//! other threads.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sio_core::handler::{Handler, HandlerId};
use sio_core::socket::AckCallback;
use sio_core::{Args, Bounds, Error, Event, Overflow, Status};

use crate::space::Space;
use crate::sync::lock;

/// The largest queue whose memory is kept for what comes next.
const KEPT: usize = 128;

/// Something to run user code for.
pub(crate) enum Delivery {
    /// Handlers of an event.
    Event(SpaceIndex, Event),
    /// Handlers of a change of status.
    Status(Arc<Space>, Status),
    /// Whoever waits for an ack.
    Callback(AckCallback, Result<Args, Error>),
    /// What follows once the handlers before have run; no user code.
    Then(Box<dyn FnOnce() + Send>),
}

/// A place in [`Batch::spaces`]. An `Arc` in each event would be counted up and down by two threads at once.
pub(crate) type SpaceIndex = usize;

/// Deliveries that are gathered, to be handed over together.
#[derive(Default)]
pub(crate) struct Batch {
    deliveries: VecDeque<Delivery>,
    /// The events among them, and the bytes of their payloads.
    events: usize,
    bytes: usize,
    /// The namespaces that have had an event so far; it only grows.
    spaces: Vec<Arc<Space>>,
}

impl Batch {
    pub(crate) fn event(&mut self, space: &Arc<Space>, event: Event) {
        self.events += 1;
        self.bytes += event.args().size();
        let index = self.index(space);
        self.push(Delivery::Event(index, event));
    }

    /// Anything but an event.
    pub(crate) fn push(&mut self, delivery: Delivery) {
        self.deliveries.push_back(delivery);
    }

    fn index(&mut self, space: &Arc<Space>) -> SpaceIndex {
        // Programs have few namespaces: a scan beats a table.
        let known = self
            .spaces
            .iter()
            .position(|known| Arc::ptr_eq(known, space));
        known.unwrap_or_else(|| {
            self.spaces.push(Arc::clone(space));
            self.spaces.len() - 1
        })
    }
}

/// Deliveries on their way to the thread that runs them.
pub(crate) struct Dispatcher {
    this: Weak<Self>,
    bounds: Bounds,
    /// Handlers run in it.
    span: tracing::Span,
    state: Mutex<State>,
    /// For the thread that runs handlers: there is something to do.
    came: Condvar,
    /// That thread is gone.
    ended: Condvar,
    begun: Begun,
}

struct State {
    queue: VecDeque<Delivery>,
    spaces: Vec<Arc<Space>>,
    /// The events that were ever put into the queue, without those given up, and the bytes of their payloads. Those that
    /// wait are these without those [`Begun`]. Nothing else is bounded: of the rest there is only so much.
    events: usize,
    bytes: usize,
    /// Whether events were given up since there was room again.
    overflowing: bool,
    thread: Option<JoinHandle<()>>,
    /// Whether the thread waits for something to do.
    idle: bool,
    /// Whether the thread goes when it has run everything, rather than wait for more.
    over: bool,
    /// Whether the thread is gone, or about to be: it runs nothing more.
    ended: bool,
}

/// How many events were ever begun, and their bytes: what the thread has taken out of the queue and not begun still
/// waits. Only that thread writes it.
#[derive(Default)]
struct Begun {
    events: AtomicUsize,
    bytes: AtomicUsize,
}

impl Begun {
    fn begin(&self, delivery: &Delivery) {
        let Delivery::Event(_, event) = delivery else {
            return;
        };
        let add = |count: &AtomicUsize, more| {
            let before = count.load(Ordering::Relaxed);
            count.store(before.wrapping_add(more), Ordering::Release);
        };
        add(&self.events, 1);
        add(&self.bytes, event.args().size());
    }
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
            spaces: Vec::new(),
            events: 0,
            bytes: 0,
            overflowing: false,
            thread: None,
            idle: false,
            over: true,
            ended: false,
        };
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            bounds,
            span,
            state: Mutex::new(state),
            came: Condvar::new(),
            ended: Condvar::new(),
            begun: Begun::default(),
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
    pub(crate) fn push(&self, batch: &mut Batch) -> Vec<(Arc<Space>, Overflowed)> {
        let mut overflowed = Vec::new();
        if batch.deliveries.is_empty() {
            return overflowed;
        }
        let (events, bytes) = (mem::take(&mut batch.events), mem::take(&mut batch.bytes));
        let mut given_up = Vec::new();
        let mut state = lock(&self.state);
        if state.spaces.len() < batch.spaces.len() {
            state.spaces.clone_from(&batch.spaces);
        }
        let (waiting, waiting_bytes) = self.waiting(&state);
        // Half empty, so that each shortage is told once.
        state.overflowing &= !self.bounds.hold(2 * waiting, 2 * waiting_bytes);
        if self.bounds.hold(waiting + events, waiting_bytes + bytes) {
            state.events = state.events.wrapping_add(events);
            state.bytes = state.bytes.wrapping_add(bytes);
            if state.queue.is_empty() {
                mem::swap(&mut state.queue, &mut batch.deliveries);
            } else {
                state.queue.append(&mut batch.deliveries);
            }
        } else {
            for delivery in batch.deliveries.drain(..) {
                match delivery {
                    Delivery::Event(space, event) => {
                        let shortage = self.push_event(&mut state, space, event, &mut given_up);
                        let of_space = |shortage| (Arc::clone(&batch.spaces[space]), shortage);
                        overflowed.extend(shortage.map(of_space));
                    }
                    delivery => state.queue.push_back(delivery),
                }
            }
        }
        if batch.deliveries.capacity() > KEPT {
            batch.deliveries = VecDeque::new();
        }
        if let Err(error) = self.start_locked(&mut state) {
            // What waits is run when there is a thread.
            tracing::error!(error = %error.chain(), "handlers cannot run");
        }
        let idle = mem::take(&mut state.idle);
        drop(state);
        if idle {
            self.came.notify_one();
        }
        overflowed
    }

    /// Puts an event into the queue, or gives up what there is no room for: events are dropped where nothing is locked.
    fn push_event(
        &self,
        state: &mut State,
        space: SpaceIndex,
        event: Event,
        given_up: &mut Vec<Event>,
    ) -> Option<Overflowed> {
        let size = event.args().size();
        let fits = |state: &State| {
            let (events, bytes) = self.waiting(state);
            self.bounds.hold(events + 1, bytes + size)
        };
        let mut shortage = None;
        if !fits(state) {
            let (events, bytes) = self.waiting(state);
            let before = given_up.len();
            let gives_way =
                self.bounds.overflow == Overflow::DropOldest && self.bounds.hold(1, size);
            while gives_way && !fits(state) {
                let Some(oldest) = state.take_oldest_event() else {
                    break;
                };
                given_up.push(oldest);
            }
            let is_first = !mem::replace(&mut state.overflowing, true);
            shortage = Some(Overflowed {
                events,
                bytes,
                given_up: (given_up.len() - before).max(1) as u64,
                is_first,
            });
            if !gives_way {
                given_up.push(event);
                return shortage;
            }
        }
        state.events = state.events.wrapping_add(1);
        state.bytes = state.bytes.wrapping_add(size);
        state.queue.push_back(Delivery::Event(space, event));
        shortage
    }

    /// The events that wait, and the bytes of their payloads.
    fn waiting(&self, state: &State) -> (usize, usize) {
        let begun = |count: &AtomicUsize| count.load(Ordering::Acquire);
        let events = state.events.wrapping_sub(begun(&self.begun.events));
        let bytes = state.bytes.wrapping_sub(begun(&self.begun.bytes));
        (events, bytes)
    }

    /// Ends the thread once it has run what was handed over.
    pub(crate) fn end(&self) {
        lock(&self.state).over = true;
        self.came.notify_one();
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
            let waited = self.ended.wait_timeout(state, left);
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
        let mut taken = Batch::default();
        while let Some(delivery) = self.next(&mut taken) {
            match delivery {
                Delivery::Event(space, event) => run_event(&taken.spaces[space], &event, &mut plan),
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

    /// The next thing to do; `None` when nothing more will come. What waits is taken as a whole, unless that would keep the
    /// oldest from being given up.
    fn next(&self, taken: &mut Batch) -> Option<Delivery> {
        loop {
            if let Some(delivery) = taken.deliveries.pop_front() {
                self.begun.begin(&delivery);
                return Some(delivery);
            }
            if taken.deliveries.capacity() > KEPT {
                taken.deliveries = VecDeque::new();
            }
            let mut state = lock(&self.state);
            while state.queue.is_empty() {
                if state.over {
                    state.ended = true;
                    drop(state);
                    self.ended.notify_all();
                    return None;
                }
                state = self.wait_for_more(state);
            }
            if taken.spaces.len() < state.spaces.len() {
                taken.spaces.clone_from(&state.spaces);
            }
            if self.bounds.overflow == Overflow::DropOldest {
                let delivery = state.queue.pop_front()?;
                self.begun.begin(&delivery);
                return Some(delivery);
            }
            mem::swap(&mut taken.deliveries, &mut state.queue);
        }
    }

    fn wait_for_more<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.idle = true;
        let mut state = self
            .came
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
        state.idle = false;
        state
    }
}

impl State {
    fn take_oldest_event(&mut self) -> Option<Event> {
        let is_event = |delivery: &Delivery| matches!(delivery, Delivery::Event(..));
        let oldest = self.queue.iter().position(is_event)?;
        let Some(Delivery::Event(_, event)) = self.queue.remove(oldest) else {
            return None;
        };
        self.events = self.events.wrapping_sub(1);
        self.bytes = self.bytes.wrapping_sub(event.args().size());
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
    let mut first = space.with_registry(|registry| {
        registry.plan(event.name(), plan);
        plan.first().and_then(|&id| registry.take(id))
    });
    for (place, &id) in plan.iter().enumerate() {
        let handler = if place == 0 {
            first.take()
        } else {
            space.with_registry(|registry| registry.take(id))
        };
        let Some(mut handler) = handler else {
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
    if unwanted.is_none() {
        return;
    }
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
