//! Small pieces of synchronisation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

/// Locks; a lock that a panic left behind is taken as it is, since no user code ever runs under one.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place for one value, for which the thread that made it waits.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    value: Mutex<Option<T>>,
    waiter: Thread,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            value: Mutex::new(None),
            waiter: thread::current(),
        })
    }

    /// Puts the value in and wakes the waiter.
    pub(crate) fn set(&self, value: T) {
        *lock(&self.value) = Some(value);
        self.waiter.unpark();
    }

    pub(crate) fn take(&self) -> Option<T> {
        lock(&self.value).take()
    }

    pub(crate) fn is_set(&self) -> bool {
        lock(&self.value).is_some()
    }

    /// Wakes the waiter to look around.
    pub(crate) fn nudge(&self) {
        self.waiter.unpark();
    }

    /// Waits to be woken, until `deadline` at most.
    pub(crate) fn park(&self, deadline: Option<Instant>) {
        match deadline {
            None => thread::park(),
            Some(deadline) => {
                thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
            }
        }
    }

    /// Waits for the value.
    pub(crate) fn wait(&self) -> T {
        loop {
            if let Some(value) = self.take() {
                return value;
            }
            thread::park();
        }
    }
}
