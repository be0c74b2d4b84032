//! What a client has to run for its program: handlers and callbacks, one at a time, in the order things happened, with no
//! lock held.
//!
//! [`HandlerThread`] does nothing else, so a slow handler delays neither heartbeats nor calls of other threads. It starts
//! with the first thing to run.

mod running;
mod thread;

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use sio_core::handler::HandlerId;
use sio_core::socket::AckCallback;
use sio_core::{Args, Bounds, Error, Event, Overflow, Status};

use crate::space::Space;
use crate::sync::lock;

use self::running::{run_event, run_status};

pub(crate) use self::running::{guarded, is_in_hook_of};
pub(crate) use self::thread::HandlerThread;

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
    thread: Arc<HandlerThread>,
    state: Mutex<State>,
    /// It is served no more.
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
    /// Whether the thread is kept for this.
    is_served: bool,
    /// Whether this has its turn, or waits for it. If not, the queue is empty.
    has_turn: bool,
    /// Whether nothing more is expected: once the queue is empty, it is served no more.
    over: bool,
}

/// What the thread has taken out of a queue.
#[derive(Default)]
struct Taken {
    deliveries: VecDeque<Delivery>,
    /// Of the dispatcher whose turn it is.
    spaces: Vec<Arc<Space>>,
    plan: Vec<HandlerId>,
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
    pub(crate) fn new(
        bounds: Bounds,
        span: tracing::Span,
        thread: Arc<HandlerThread>,
    ) -> Arc<Self> {
        let state = State {
            queue: VecDeque::new(),
            spaces: Vec::new(),
            events: 0,
            bytes: 0,
            overflowing: false,
            is_served: false,
            has_turn: false,
            over: true,
        };
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            bounds,
            span,
            thread,
            state: Mutex::new(state),
            ended: Condvar::new(),
            begun: Begun::default(),
        })
    }

    /// A connection is opened: deliveries will come.
    pub(crate) fn open(&self) {
        lock(&self.state).over = false;
    }

    /// Whether the current thread runs handlers of this client.
    pub(crate) fn is_current(&self) -> bool {
        CURRENT.get() == Some(std::ptr::from_ref(self))
    }

    /// Whether handlers of this client wait for the current thread.
    pub(crate) fn waits_for_current_thread(&self) -> bool {
        self.thread.is_current()
    }

    /// Makes sure that there is a thread for what will be handed over.
    pub(crate) fn start(&self) -> Result<(), Error> {
        let mut state = lock(&self.state);
        if state.over {
            return Ok(()); // nothing is expected
        }
        self.start_locked(&mut state)
    }

    fn start_locked(&self, state: &mut State) -> Result<(), Error> {
        if !state.is_served {
            let served = self.thread.serve();
            served.map_err(|error| Error::transport("starting the thread for handlers", error))?;
            state.is_served = true;
        }
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
            return overflowed;
        }
        let has_turn = mem::replace(&mut state.has_turn, true);
        drop(state);
        if !has_turn && let Some(this) = self.this.upgrade() {
            self.thread.give_turn(this);
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

    /// Nothing more is expected: what was handed over is run.
    pub(crate) fn end(&self) {
        let mut state = lock(&self.state);
        state.over = true;
        if !state.has_turn {
            self.retire(&mut state);
        }
    }

    /// Waits until everything has run, and for the end of the thread if it serves nobody else; for `limit` at most. On that
    /// thread itself it does not wait.
    ///
    /// The limit is for handlers that do not return: they are the program's own.
    pub(crate) fn wait(&self, limit: Duration) {
        if self.waits_for_current_thread() {
            return;
        }
        let deadline = Instant::now() + limit;
        let mut state = lock(&self.state);
        while state.is_served {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        self.thread.join();
    }

    fn retire(&self, state: &mut State) {
        if mem::take(&mut state.is_served) {
            self.thread.release();
            self.ended.notify_all();
        }
    }

    /// Runs what waits. Whether there is more, and others have their turn before.
    fn run(&self, taken: &mut Taken) -> bool {
        CURRENT.set(Some(std::ptr::from_ref(self)));
        let _in = self.span.enter();
        taken.spaces.clear();
        while self.take(taken) {
            while let Some(delivery) = taken.deliveries.pop_front() {
                self.begun.begin(&delivery);
                deliver(delivery, &taken.spaces, &mut taken.plan);
            }
            if taken.deliveries.capacity() > KEPT {
                taken.deliveries = VecDeque::new();
            }
            if self.thread.is_wanted() {
                return true;
            }
        }
        false
    }

    /// Takes what waits, as a whole, unless that would keep the oldest from being given up. If nothing waits, it has had
    /// its turn.
    fn take(&self, taken: &mut Taken) -> bool {
        let mut state = lock(&self.state);
        if state.queue.is_empty() {
            state.has_turn = false;
            if state.over {
                self.retire(&mut state);
            }
            return false;
        }
        if taken.spaces.len() < state.spaces.len() {
            taken.spaces.clone_from(&state.spaces);
        }
        if self.bounds.overflow == Overflow::DropOldest {
            taken.deliveries.extend(state.queue.pop_front());
        } else {
            mem::swap(&mut taken.deliveries, &mut state.queue);
        }
        true
    }
}

fn deliver(delivery: Delivery, spaces: &[Arc<Space>], plan: &mut Vec<HandlerId>) {
    match delivery {
        Delivery::Event(space, event) => run_event(&spaces[space], &event, plan),
        Delivery::Status(space, status) => run_status(&space, &status, plan),
        Delivery::Callback(then, outcome) => {
            let name = "an ack callback";
            if let Err(error) = guarded(name, || then(outcome)) {
                tracing::warn!(error = %error.chain(), "an ack callback failed");
            }
        }
        Delivery::Then(then) => then(),
    }
}

thread_local! {
    /// The dispatcher for which the current thread ran something last.
    static CURRENT: Cell<Option<*const Dispatcher>> = const { Cell::new(None) };
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

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dispatcher")
    }
}
