//! The thread that runs handlers, of one client or of all clients of an event loop.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::needed_thread::NeededThread;
use crate::sync::lock;

use super::{Dispatcher, Taken};

/// It is there while any dispatcher may have something to run, and serves them in turns.
pub(crate) struct HandlerThread {
    needed: NeededThread,
    /// Dispatchers that have something to run, each once.
    turns: Mutex<VecDeque<Arc<Dispatcher>>>,
    /// There is something to run, or nobody left to serve.
    changed: Condvar,
}

impl HandlerThread {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            needed: NeededThread::new("sio-handlers"),
            turns: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Whether the current thread is this one.
    pub(crate) fn is_current(&self) -> bool {
        CURRENT.get() == Some(std::ptr::from_ref(self))
    }

    /// Serves one dispatcher more.
    pub(super) fn serve(self: &Arc<Self>) -> io::Result<()> {
        let this = Arc::clone(self);
        self.needed.need(move || this.run())
    }

    /// Serves one less.
    pub(super) fn release(&self) {
        let turns = lock(&self.turns);
        self.needed.release();
        drop(turns);
        self.changed.notify_one();
    }

    pub(super) fn give_turn(&self, dispatcher: Arc<Dispatcher>) {
        lock(&self.turns).push_back(dispatcher);
        self.changed.notify_one();
    }

    /// Whether others wait for their turn.
    pub(super) fn is_wanted(&self) -> bool {
        !lock(&self.turns).is_empty()
    }

    /// Waits until the thread has ended, if there is nobody to serve.
    pub(super) fn join(&self) {
        self.needed.join();
    }

    fn run(&self) {
        CURRENT.set(Some(std::ptr::from_ref(self)));
        let mut taken = Taken::default();
        while let Some(dispatcher) = self.next() {
            if dispatcher.run(&mut taken) {
                self.give_turn(dispatcher);
            }
        }
    }

    fn next(&self) -> Option<Arc<Dispatcher>> {
        let mut turns = lock(&self.turns);
        loop {
            if let Some(next) = turns.pop_front() {
                return Some(next);
            }
            if self.needed.ends() {
                return None;
            }
            turns = self
                .changed
                .wait(turns)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

thread_local! {
    /// The one that the current thread is.
    static CURRENT: Cell<Option<*const HandlerThread>> = const { Cell::new(None) };
}
