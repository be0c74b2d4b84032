//! The threads that a connection is done with: they end by themselves, and have to be joined.

use std::mem;
use std::thread::{self, JoinHandle, ThreadId};

/// See the [module](self). One that ended and is not joined keeps its stack.
#[derive(Default)]
pub(super) struct Threads {
    kept: Vec<JoinHandle<()>>,
    /// Those that have nothing left to do but to end.
    ended: Vec<ThreadId>,
}

impl Threads {
    /// Keeps a thread that was told to end.
    pub(super) fn keep(&mut self, thread: JoinHandle<()>) {
        self.kept.push(thread);
    }

    /// The current thread has nothing left to do but to end.
    pub(super) fn note_end(&mut self) {
        self.ended.push(thread::current().id());
    }

    /// Those that can be joined without waiting.
    pub(super) fn take_ended(&mut self) -> Vec<JoinHandle<()>> {
        if self.ended.is_empty() || self.kept.is_empty() {
            return Vec::new();
        }
        let all = mem::take(&mut self.kept).into_iter();
        let (ended, kept) = all.partition(|thread| self.ended.contains(&thread.thread().id()));
        self.kept = kept;
        if self.kept.is_empty() {
            // A thread that is not kept yet is found by who joins all.
            self.ended = Vec::new();
        }
        ended
    }

    pub(super) fn take_all(&mut self) -> Vec<JoinHandle<()>> {
        self.ended = Vec::new();
        mem::take(&mut self.kept)
    }
}

/// Waits for the end of threads, except the current one's.
pub(super) fn join_all(threads: Vec<JoinHandle<()>>) {
    let current = thread::current().id();
    for thread in threads {
        if thread.thread().id() != current && thread.join().is_err() {
            tracing::error!("a thread of the client panicked");
        }
    }
}
