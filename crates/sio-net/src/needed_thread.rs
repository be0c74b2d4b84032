//! A thread that is there as long as anybody needs it.

use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::sync::lock;

/// See the [module](self).
pub(crate) struct NeededThread {
    name: &'static str,
    /// In bytes; `None` is Rust's default.
    stack: Option<usize>,
    state: Mutex<State>,
    /// It ended, or is needed again.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How many need it.
    users: usize,
    /// Whether it will ask once more whether it is needed.
    runs: bool,
    handle: Option<JoinHandle<()>>,
}

impl NeededThread {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            stack: None,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// With a stack of this size.
    pub(crate) fn with_stack(mut self, bytes: usize) -> Self {
        self.stack = Some(bytes);
        self
    }

    /// One more needs it. If it does not run, it starts, with `run`, which returns as soon as [`ends`](Self::ends) says so.
    pub(crate) fn need(&self, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !state.runs {
            let builder = thread::Builder::new().name(self.name.into());
            let builder = match self.stack {
                Some(bytes) => builder.stack_size(bytes),
                None => builder,
            };
            // The one before, if nobody joined it, has nothing left to do but to end.
            state.handle = Some(builder.spawn(run)?);
            state.runs = true;
        }
        state.users += 1;
        self.changed.notify_all();
        Ok(())
    }

    /// One needs it no more.
    pub(crate) fn release(&self) {
        lock(&self.state).users -= 1;
    }

    /// For the thread itself: whether nobody needs it. Then it has ended.
    pub(crate) fn ends(&self) -> bool {
        let mut state = lock(&self.state);
        if state.users > 0 {
            return false;
        }
        state.runs = false;
        self.changed.notify_all();
        true
    }

    /// Waits until it has ended, if nobody needs it. On the thread itself it does not wait.
    pub(crate) fn join(&self) {
        let current = thread::current().id();
        let mut state = lock(&self.state);
        let is_other = |handle: &JoinHandle<()>| handle.thread().id() != current;
        while state.users == 0 && state.runs && state.handle.as_ref().is_some_and(is_other) {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.runs {
            return;
        }
        let handle = state.handle.take();
        drop(state);
        if handle.is_some_and(|handle| handle.join().is_err()) {
            tracing::error!(thread = self.name, "a thread of the client panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;

    /// A thread that does something each time it is told to, and asks whether it is needed.
    fn start(thread: &Arc<NeededThread>) -> mpsc::Sender<()> {
        let (sender, told) = mpsc::channel();
        let of_thread = Arc::clone(thread);
        thread
            .need(move || while told.recv().is_ok() && !of_thread.ends() {})
            .unwrap();
        sender
    }

    #[test]
    fn it_runs_as_long_as_anybody_needs_it() {
        let thread = Arc::new(NeededThread::new("sio-test"));
        let tell = start(&thread);
        thread.need(|| panic!("there is one already")).unwrap();
        thread.release();
        // Somebody needs it: nobody waits for its end.
        tell.send(()).unwrap();
        thread.join();
        assert!(lock(&thread.state).runs);
        thread.release();
        tell.send(()).unwrap();
        thread.join();
        assert!(lock(&thread.state).handle.is_none());
        assert!(tell.send(()).is_err(), "it is gone");
    }

    #[test]
    fn it_starts_again() {
        let thread = Arc::new(NeededThread::new("sio-test"));
        for _ in 0..3 {
            let tell = start(&thread);
            thread.release();
            tell.send(()).unwrap();
            thread.join();
            assert!(!lock(&thread.state).runs);
            // Nobody waits for one that is gone.
            thread.join();
        }
    }
}
