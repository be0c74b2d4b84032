//! The driver's seat: which thread waits for the socket.
//!
//! One thread at a time may wait in the poll. By default it is the loop thread. A thread in `call` that waits for its
//! ack takes the seat, so that the answer arrives on the very thread that wants it, without a hand-over; as long as
//! calls follow each other, the loop thread keeps out of the way. It takes the seat back [`GRACE`] after the last call,
//! or at once if a caller left something undone.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Waker};

use crate::sync::lock;

/// How long the loop thread leaves the seat to callers after the last of them left.
const GRACE: Duration = Duration::from_millis(2);

/// A thread that wants the seat; called when it may be free.
pub(crate) trait Waiting: Send + Sync {
    /// Whether there is nothing to wait for any more.
    fn is_done(&self) -> bool;
    /// Wakes the thread.
    fn nudge(&self);
}

/// What the holder of the seat waits with.
#[derive(Debug)]
pub(crate) struct PollSet {
    pub(crate) poll: Poll,
    pub(crate) events: Events,
}

pub(crate) struct Seat {
    poll: Mutex<PollSet>,
    state: Mutex<State>,
    /// For the loop thread: the seat was left, or everything is over.
    left: Condvar,
    waker: Waker,
}

struct State {
    occupied: bool,
    /// Whether it is a caller that sits.
    by_caller: bool,
    /// Callers that want the seat.
    waiting: VecDeque<Arc<dyn Waiting>>,
    /// When the seat was left.
    last_left: Option<Instant>,
    /// Whether the loop thread waits for a caller to leave.
    loop_waits: bool,
    over: bool,
}

impl Seat {
    /// `events` sockets are told of at once; of more, the next time.
    pub(super) fn new(poll: Poll, waker: Waker, events: usize) -> Self {
        let events = Events::with_capacity(events);
        Self {
            poll: Mutex::new(PollSet { poll, events }),
            state: Mutex::new(State {
                occupied: false,
                by_caller: false,
                waiting: VecDeque::new(),
                last_left: None,
                loop_waits: false,
                over: true,
            }),
            left: Condvar::new(),
            waker,
        }
    }

    /// There is something to drive: the seat may be taken, first by whoever opened it.
    pub(super) fn open(&self) {
        let mut state = lock(&self.state);
        if state.over {
            state.over = false;
            state.last_left = Some(Instant::now());
        }
    }

    /// There is nothing to drive any more: whoever sits gets up.
    pub(super) fn end(&self) {
        lock(&self.state).over = true;
        self.left.notify_all();
        self.wake();
    }

    /// Makes whoever sits look around.
    pub(super) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the event loop cannot be woken");
        }
    }

    /// An outcome was put down for some caller, maybe for the one that sits: then it must not wait on.
    pub(crate) fn wake_caller(&self) {
        let sits = lock(&self.state).by_caller;
        if sits {
            self.wake();
        }
    }

    /// For the loop thread: waits until no caller needs the seat, and takes it. `None` when there is nothing to drive.
    ///
    /// `has_work` tells whether a caller left something undone.
    pub(super) fn take_for_loop(&self, has_work: impl Fn() -> bool) -> Option<Taken<'_>> {
        loop {
            let is_urgent = has_work();
            let mut state = lock(&self.state);
            if state.over {
                return None;
            }
            if state.occupied {
                // A caller sits; it tells when it leaves.
                state.loop_waits = true;
                let waited = self.left.wait(state);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
                continue;
            }
            let rest = state
                .last_left
                .map_or(Duration::ZERO, |at| GRACE.saturating_sub(at.elapsed()));
            if is_urgent || rest.is_zero() {
                state.occupied = true;
                drop(state);
                return Some(self.sit());
            }
            let waited = self.left.wait_timeout(state, rest);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Whether the loop thread should leave the seat: a caller wants it, or there is nothing to drive.
    pub(super) fn is_wanted(&self) -> bool {
        let state = lock(&self.state);
        state.over || !state.waiting.is_empty()
    }

    /// Something was left undone: the loop thread sits down at once if nobody else has.
    pub(super) fn hurry(&self) {
        let mut state = lock(&self.state);
        state.last_left = None;
        if !state.occupied {
            drop(state);
            self.left.notify_one();
        }
    }

    /// Whether somebody sits.
    pub(super) fn is_occupied(&self) -> bool {
        lock(&self.state).occupied
    }

    /// For a caller: the seat if it is free. Otherwise the caller is nudged when it may be.
    pub(crate) fn take_for(&self, caller: &Arc<dyn Waiting>) -> Option<Taken<'_>> {
        let mut state = lock(&self.state);
        if state.over {
            return None;
        }
        if !state.occupied {
            state.occupied = true;
            state.by_caller = true;
            state.waiting.retain(|other| !Arc::ptr_eq(other, caller));
            drop(state);
            return Some(self.sit());
        }
        if !state.waiting.iter().any(|other| Arc::ptr_eq(other, caller)) {
            state.waiting.push_back(Arc::clone(caller));
            // The loop thread gets up for a caller, but one caller not for another.
            let by_caller = state.by_caller;
            drop(state);
            if !by_caller {
                self.wake();
            }
        }
        None
    }

    /// For a caller that waits no more, without having taken the seat.
    pub(crate) fn forget(&self, caller: &Arc<dyn Waiting>) {
        let mut state = lock(&self.state);
        state.waiting.retain(|other| !Arc::ptr_eq(other, caller));
        // It may have been nudged to take a seat that it does not want any more.
        self.offer(state);
    }

    fn sit(&self) -> Taken<'_> {
        Taken {
            seat: self,
            poll: Some(lock(&self.poll)),
        }
    }

    /// Nudges the next caller that wants the free seat.
    fn offer(&self, mut state: MutexGuard<'_, State>) {
        if state.occupied {
            return;
        }
        while let Some(next) = state.waiting.pop_front() {
            if !next.is_done() {
                next.nudge();
                return;
            }
        }
        if mem::take(&mut state.loop_waits) {
            drop(state);
            self.left.notify_one();
        }
    }
}

/// The seat, as long as this is held.
pub(crate) struct Taken<'a> {
    seat: &'a Seat,
    poll: Option<MutexGuard<'a, PollSet>>,
}

impl Taken<'_> {
    pub(crate) fn poll(&mut self) -> Option<&mut PollSet> {
        self.poll.as_deref_mut()
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.poll = None;
        let mut state = lock(&self.seat.state);
        state.occupied = false;
        state.by_caller = false;
        state.last_left = Some(Instant::now());
        self.seat.offer(state);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use mio::Token;

    use super::*;

    fn seat() -> Seat {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        let seat = Seat::new(poll, waker, 4);
        seat.open();
        seat
    }

    /// A caller that counts how often it was nudged.
    #[derive(Default)]
    struct Caller(AtomicUsize);

    impl Waiting for Caller {
        fn is_done(&self) -> bool {
            false
        }

        fn nudge(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn caller() -> (Arc<Caller>, Arc<dyn Waiting>) {
        let caller = Arc::new(Caller::default());
        (Arc::clone(&caller), caller as Arc<dyn Waiting>)
    }

    #[test]
    fn a_caller_asks_the_loop_thread_to_get_up_and_is_nudged_when_it_did() {
        let seat = seat();
        let (nudges, caller) = caller();
        let mut taken = seat.take_for_loop(|| false).expect("a free seat");
        assert!(seat.take_for(&caller).is_none());
        assert!(seat.is_wanted());
        // The loop thread is woken from its poll.
        let set = taken.poll().unwrap();
        set.poll
            .poll(&mut set.events, Some(Duration::from_secs(5)))
            .unwrap();
        assert!(!set.events.is_empty());
        drop(taken);
        assert_eq!(nudges.0.load(Ordering::Relaxed), 1);
        assert!(seat.take_for(&caller).is_some());
    }

    #[test]
    fn one_caller_after_the_other_takes_the_seat() {
        let seat = seat();
        let ((_, first), (nudges, second)) = (caller(), caller());
        let taken = seat.take_for(&first).expect("a free seat");
        assert!(seat.take_for(&second).is_none());
        drop(taken);
        assert_eq!(nudges.0.load(Ordering::Relaxed), 1);
        // It goes away without sitting down: the next one is asked instead.
        let (nudges, third) = caller();
        let taken = seat.take_for(&first).expect("a free seat");
        assert!(seat.take_for(&third).is_none());
        seat.forget(&second);
        assert_eq!(nudges.0.load(Ordering::Relaxed), 0, "the seat is taken");
        drop(taken);
        assert_eq!(nudges.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_loop_thread_waits_for_a_caller_to_leave_and_for_the_end() {
        let seat = Arc::new(seat());
        let (_, caller) = caller();
        let taken = seat.take_for(&caller).expect("a free seat");
        let of_thread = Arc::clone(&seat);
        let (sat, sits) = mpsc::channel();
        let looping = thread::spawn(move || {
            while let Some(taken) = of_thread.take_for_loop(|| false) {
                drop(taken);
                let _ = sat.send(());
            }
        });
        assert!(sits.try_recv().is_err(), "the caller still sits");
        drop(taken);
        sits.recv_timeout(Duration::from_secs(5))
            .expect("the loop thread to sit down");
        seat.end();
        looping.join().unwrap();
    }
}
