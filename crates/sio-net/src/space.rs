//! What one namespace's handles share: its handlers and receivers.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use sio_core::event::{EventSource, Events, NextError};
use sio_core::handler::{Handler, HandlerId, Handlers, Registry, Removal, Trigger};
use sio_core::manager::NamespaceId;
use sio_core::{Bounds, Event, Overflow};

use crate::dispatch::Overflowed;
use crate::sync::{Slot, lock};

/// A place for the outcome of connecting or joining.
pub(crate) type Joiner = Slot<sio_core::Result<()>>;

/// A namespace of one client, as the shell knows it.
pub(crate) struct Space {
    pub(crate) id: NamespaceId,
    pub(crate) name: ByteString,
    /// Never held while a handler runs. Boxed, because it is locked for every event by one thread, while another one reads
    /// what stands beside it.
    registry: Box<Mutex<Registry>>,
    has_event_handlers: AtomicBool,
    has_status_handlers: AtomicBool,
    receivers: Mutex<Receivers>,
    receiver_count: AtomicUsize,
    /// Whether it is usable; what the manager knows, readable without its lock.
    connected: AtomicBool,
    /// Whether an emit can leave at once, before no other.
    open: AtomicBool,
    /// Whoever waits for the outcome of connecting or joining.
    joiners: Mutex<Vec<Arc<Joiner>>>,
}

#[derive(Default)]
struct Receivers {
    queues: Vec<Weak<Queue>>,
    /// No event will come to any of them, nor to one that comes later.
    over: bool,
}

impl Space {
    pub(crate) fn new(id: NamespaceId, name: ByteString) -> Self {
        Self {
            id,
            name,
            registry: Box::default(),
            has_event_handlers: AtomicBool::new(false),
            has_status_handlers: AtomicBool::new(false),
            receivers: Mutex::default(),
            receiver_count: AtomicUsize::new(0),
            connected: AtomicBool::new(false),
            open: AtomicBool::new(false),
            joiners: Mutex::default(),
        }
    }

    // --- handlers -----------------------------------------------------------------------------------------------

    /// Takes over handlers that were registered before there was a connection.
    pub(crate) fn adopt(&self, handlers: Handlers) {
        self.change_registry(|registry| registry.append(handlers.into_registry()));
    }

    pub(crate) fn add(&self, trigger: Trigger, once: bool, handler: Handler) -> HandlerId {
        self.change_registry(|registry| registry.add(trigger, once, handler))
    }

    pub(crate) fn remove(&self, which: &Removal) -> usize {
        let removed = self.change_registry(|registry| registry.remove(which));
        removed.count()
    }

    fn change_registry<R>(&self, change: impl FnOnce(&mut Registry) -> R) -> R {
        let mut registry = lock(&self.registry);
        let result = change(&mut registry);
        self.has_event_handlers
            .store(registry.has_event(), Ordering::Release);
        self.has_status_handlers
            .store(registry.has_status(), Ordering::Release);
        result
    }

    pub(crate) fn has_event_handlers(&self) -> bool {
        self.has_event_handlers.load(Ordering::Acquire)
    }

    pub(crate) fn has_status_handlers(&self) -> bool {
        self.has_status_handlers.load(Ordering::Acquire)
    }

    pub(crate) fn with_registry<R>(&self, use_it: impl FnOnce(&mut Registry) -> R) -> R {
        use_it(&mut lock(&self.registry))
    }

    // --- receivers ----------------------------------------------------------------------------------------------

    /// A receiver of the events from now on.
    pub(crate) fn receiver(&self) -> Events {
        let queue = Arc::new(Queue::default());
        self.add_receiver(&queue);
        Events::new(Box::new(Receiver(queue)))
    }

    pub(crate) fn add_receiver(&self, queue: &Arc<Queue>) {
        let mut receivers = lock(&self.receivers);
        if receivers.over {
            queue.close();
            return;
        }
        let queues = &mut receivers.queues;
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(Arc::downgrade(queue));
        self.receiver_count.store(queues.len(), Ordering::Release);
    }

    /// Gives an event to every receiver, within the bounds; returns whether there was one.
    ///
    /// # Errors
    /// A receiver had to give up an event: its oldest, if the bounds say so, or else this one.
    pub(crate) fn receive(&self, event: &Event, bounds: &Bounds) -> Result<bool, Overflowed> {
        if self.receiver_count.load(Ordering::Acquire) == 0 {
            return Ok(false);
        }
        let mut outcome: Result<bool, Overflowed> = Ok(false);
        let receivers = lock(&self.receivers);
        for queue in receivers.queues.iter().filter_map(Weak::upgrade) {
            match queue.push(event.clone(), bounds) {
                Ok(()) => outcome = outcome.map(|_| true),
                // One report is enough.
                Err(mut overflowed) => {
                    if let Err(before) = outcome {
                        overflowed.given_up += before.given_up;
                        overflowed.is_first |= before.is_first;
                    }
                    outcome = Err(overflowed);
                }
            }
        }
        outcome
    }

    /// No event will come any more to those there are.
    pub(crate) fn close_receivers(&self) {
        self.receiver_count.store(0, Ordering::Release);
        let queues = std::mem::take(&mut lock(&self.receivers).queues);
        for queue in queues.iter().filter_map(Weak::upgrade) {
            queue.close();
        }
    }

    /// A connection is opened: events may come.
    pub(crate) fn begin(&self) {
        lock(&self.receivers).over = false;
    }

    /// The connection is over. Receivers of a namespace that never was connected wait for the next one.
    pub(crate) fn end(&self) {
        self.set_connected(false);
        self.set_open(false);
        lock(&self.receivers).over = true;
    }

    // --- state --------------------------------------------------------------------------------------------------

    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    pub(crate) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Release);
    }

    pub(crate) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Release);
    }

    pub(crate) fn add_joiner(&self, slot: &Arc<Joiner>) {
        lock(&self.joiners).push(Arc::clone(slot));
    }

    /// For one whose request was refused at once: nothing will be told.
    pub(crate) fn forget_joiner(&self, slot: &Arc<Joiner>) {
        lock(&self.joiners).retain(|other| !Arc::ptr_eq(other, slot));
    }

    pub(crate) fn tell_joiners(&self, outcome: &sio_core::Result<()>) {
        for slot in lock(&self.joiners).drain(..) {
            slot.set(outcome.clone());
        }
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Events on their way to a receiver.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    events: VecDeque<Event>,
    /// The bytes of their payloads.
    bytes: usize,
    /// How many events were given up.
    lost: u64,
    /// Whether events were given up since there was room again.
    overflowing: bool,
    closed: bool,
}

impl Queue {
    fn push(&self, event: Event, bounds: &Bounds) -> Result<(), Overflowed> {
        let size = event.args().size();
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        // Half empty, so that each shortage is told once.
        state.overflowing &= !bounds.hold(2 * state.events.len(), 2 * state.bytes);
        let mut overflowed: Option<Overflowed> = None;
        while !bounds.hold(state.events.len() + 1, state.bytes + size) {
            let shortage = overflowed.get_or_insert(Overflowed {
                events: state.events.len(),
                bytes: state.bytes,
                given_up: 0,
                is_first: !state.overflowing,
            });
            shortage.given_up += 1;
            state.overflowing = true;
            state.lost += 1;
            let gives_way = bounds.overflow == Overflow::DropOldest && bounds.hold(1, size);
            let oldest = if gives_way {
                state.events.pop_front()
            } else {
                None
            };
            match oldest {
                Some(oldest) => state.bytes -= oldest.args().size(),
                None => return overflowed.map_or(Ok(()), Err),
            }
        }
        state.bytes += size;
        state.events.push_back(event);
        drop(guard);
        self.came.notify_one();
        overflowed.map_or(Ok(()), Err)
    }

    fn close(&self) {
        lock(&self.state).closed = true;
        self.came.notify_all();
    }
}

/// The receiving end.
pub(crate) struct Receiver(pub(crate) Arc<Queue>);

impl EventSource for Receiver {
    fn next(&mut self, limit: Option<Duration>) -> Result<Event, NextError> {
        // A limit beyond what the clock can say is none.
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = lock(&self.0.state);
        loop {
            if let Some(event) = state.events.pop_front() {
                state.bytes -= event.args().size();
                return Ok(event);
            }
            if state.closed {
                return Err(NextError::Closed);
            }
            state = match deadline {
                None => self
                    .0
                    .came
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(NextError::Empty);
                    }
                    let waited = self.0.came.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lost(&self) -> u64 {
        lock(&self.0.state).lost
    }
}
