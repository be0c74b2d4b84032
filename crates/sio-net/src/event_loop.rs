//! The event loop: waits for the sockets and deadlines of clients, and lets each process what came.
//!
//! A client has a loop of its own, with one [`Driven`] in it, unless it was given one that it shares. Either way a loop
//! has one thread while there is anything to drive, and any thread that waits for an ack may drive instead: see
//! [`seat`].

mod members;
mod seat;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use mio::{Poll, Registry, Token, Waker};
use sio_core::{Error, Result};

use crate::dispatch::HandlerThread;
use crate::needed_thread::NeededThread;
use crate::sync::lock;

use self::members::Members;
use self::seat::{PollSet, Seat};

pub(crate) use self::members::{Driven, Due};
pub(crate) use self::seat::Waiting;

/// No member has it: members count from 0.
const WAKER: Token = Token(usize::MAX);

/// How many sockets a shared loop hears of at once, and one of a single client, with its waker.
const EVENTS: usize = 256;
const EVENTS_OF_ONE: usize = 4;

/// The stack of the loop's thread. No handler runs on it. It is so much smaller than those of other threads that the system does
/// not give it one of theirs, which a handler or a lookup has used up to its own depth: idle connections would keep that.
const STACK: usize = 384 << 10;

/// One thread that waits for the sockets of many clients.
///
/// A client has a loop and a thread of its own unless its builder was given this with
/// [`event_loop`](crate::ClientBuilder::event_loop). Sharing one makes sense for hundreds or thousands of connections in
/// one process: each then costs memory, but no thread. What else changes:
///
/// - Clients of one loop take turns: what one has to read, or to parse, the others wait for. None reads more than 256
///   messages or 1 MiB before it is the others' turn.
/// - Handlers of all its clients run on one thread, too: each client's in order, and the clients take turns. A handler
///   that takes long holds up those of the others, and a [`close`](crate::Client::close) of theirs for up to the close
///   timeout. Nothing else waits for handlers: neither heartbeats, nor calls, nor [`events`](crate::Client::events).
///
/// The loop's thread starts when the first client is opened, that of the handlers with the first thing to run; both end when
/// the last client is closed, and whoever closes that waits for it. Clones are handles of the same loop. Clients of both protocols may share one.
///
/// # Files
/// Each connection takes one file descriptor, or two while polling, and the loop three: 10,000 connections need `ulimit -n`
/// above 10,000.
#[derive(Clone)]
pub struct EventLoop {
    shared: Arc<Shared>,
}

struct Shared {
    seat: Seat,
    registry: Registry,
    members: Mutex<Members>,
    thread: NeededThread,
    /// Runs the handlers of its clients.
    handlers: Arc<HandlerThread>,
}

impl EventLoop {
    /// A loop that drives nothing yet, and has no thread yet.
    ///
    /// # Errors
    /// The operating system has no file descriptors left.
    pub fn new() -> Result<Self> {
        Self::with_events(EVENTS)
    }

    /// The loop of one client.
    pub(crate) fn for_one() -> Result<Self> {
        Self::with_events(EVENTS_OF_ONE)
    }

    fn with_events(events: usize) -> Result<Self> {
        let setup = |error: io::Error| Error::transport("setting up the event loop", error);
        let poll = Poll::new().map_err(setup)?;
        let registry = poll.registry().try_clone().map_err(setup)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(setup)?;
        let shared = Shared {
            seat: Seat::new(poll, waker, events),
            registry,
            members: Mutex::default(),
            thread: NeededThread::new("sio-loop").with_stack(STACK),
            handlers: HandlerThread::new(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// How many clients it drives now: those that are connected, connect, or wait to connect again.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.shared.lock_members().len()
    }

    /// Where sockets are registered, with the token of their client.
    pub(crate) fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    pub(crate) fn seat(&self) -> &Seat {
        &self.shared.seat
    }

    /// The thread that runs the handlers of its clients.
    pub(crate) fn handlers(&self) -> &Arc<HandlerThread> {
        &self.shared.handlers
    }

    /// Drives `driven` from now on, until it [leaves](Self::leave); returns the token of its sockets.
    pub(crate) fn enter(&self, driven: Arc<dyn Driven>) -> Result<Token> {
        let mut members = self.shared.lock_members();
        let shared = Arc::clone(&self.shared);
        let needed = self.shared.thread.need(move || shared.run());
        needed.map_err(|error| Error::transport("starting the event loop", error))?;
        // With the members locked, as in `leave`: what others left does not count.
        self.shared.seat.open();
        Ok(members.add(driven))
    }

    /// Drives it no more.
    pub(crate) fn leave(&self, token: Token) {
        let mut members = self.shared.lock_members();
        let left = members.remove(token);
        self.shared.thread.release();
        if members.is_empty() {
            self.shared.seat.end();
        }
        drop(members);
        // It may be the last that holds the client.
        drop(left);
    }

    /// A member wants to be driven at this time, or earlier. Called with the member's own lock held, so that what is noted
    /// last is what it wants.
    pub(crate) fn note(&self, token: Token, due: Instant) {
        if self.shared.lock_members().note(token, due) {
            self.shared.seat.wake();
        }
    }

    /// Asks whoever drives, or sleeps in the poll, for a turn of a member; false if nobody does now.
    pub(crate) fn ask_for_turn(&self, token: Token) -> bool {
        let mut members = self.shared.lock_members();
        let sleeps = members.sleeps();
        if !sleeps && !self.shared.seat.is_occupied() {
            return false;
        }
        let given = members.give_turn(token, Due::AGAIN);
        drop(members);
        if sleeps && given {
            self.shared.seat.wake();
        }
        given
    }

    /// For a caller that has left the seat: whose turn it is shall not have to wait for the next one.
    pub(crate) fn leave_nothing_undone(&self) {
        if self.shared.has_work() {
            self.shared.seat.hurry();
        }
    }

    /// Waits until the thread has ended, if there is nothing to drive any more.
    pub(crate) fn join(&self) {
        self.shared.thread.join();
    }

    /// Waits for something to do, and does it, once. `is_done` tells that the caller has what it wants: it is asked when
    /// everybody knows that somebody goes to sleep, so what is done earlier is seen here, what is done later wakes.
    pub(crate) fn turn(&self, set: &mut PollSet, is_done: impl Fn() -> bool) {
        self.shared.turn(set, is_done);
    }
}

impl Shared {
    fn lock_members(&self) -> MutexGuard<'_, Members> {
        lock(&self.members)
    }

    fn run(&self) {
        loop {
            if let Some(mut seat) = self.seat.take_for_loop(|| self.has_work()) {
                while let Some(set) = seat.poll() {
                    self.turn(set, || self.seat.is_wanted());
                    if self.seat.is_wanted() {
                        break;
                    }
                }
                continue;
            }
            if self.thread.ends() {
                return;
            }
        }
    }

    /// Whether somebody waits for its turn, although nobody sits.
    fn has_work(&self) -> bool {
        self.lock_members().has_turns()
    }

    fn turn(&self, set: &mut PollSet, is_done: impl Fn() -> bool) {
        let patience = self.lock_members().fall_asleep(Instant::now());
        let patience = if is_done() {
            Some(Duration::ZERO)
        } else {
            patience
        };
        match set.poll.poll(&mut set.events, patience) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                tracing::error!(%error, "the poll failed");
                return;
            }
            _ => {}
        }
        let ready = set.events.iter().map(mio::event::Event::token);
        let ready = ready.filter(|token| *token != WAKER);
        let turns = self.lock_members().wake_up(ready, Instant::now());
        for _ in 0..turns {
            let Some((token, driven, due)) = self.lock_members().next_turn() else {
                break;
            };
            if driven.drive(due) {
                self.lock_members().give_turn(token, Due::AGAIN);
            }
            if is_done() {
                break;
            }
        }
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop")
            .field("clients", &self.clients())
            .finish_non_exhaustive()
    }
}
