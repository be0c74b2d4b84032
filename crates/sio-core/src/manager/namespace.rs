//! One namespace of a manager: whether it is usable, who waits in it, and for what.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytestring::ByteString;

use super::ROOT;
use super::queue::Queue;
use crate::ack_table::AckTable;
use crate::payload::{Args, Encoded};
use crate::session::AckId;
use crate::status::DisconnectReason;

#[derive(Debug)]
pub(super) struct Namespace<W> {
    pub(super) name: ByteString,
    pub(super) query: Option<ByteString>,
    pub(super) state: State,
    /// How long the server may take to answer a join.
    pub(super) join_timeout: Duration,
    /// Whether the program asked for it. The root is connected without being asked for; alone it keeps no connection.
    pub(super) wanted: bool,
    /// Whether the program left it. A root that was left does not come back with the next session.
    pub(super) is_left: bool,
    /// Whether it is joined with every session: it was in, or the first connect is retried.
    pub(super) returns: bool,
    /// Whether it was ever in.
    pub(super) was_in: bool,
    /// Whether it was in since it was opened: until then, whoever opened it waits for the outcome.
    pub(super) has_come: bool,
    /// The attempt that it comes back with; 0 while nothing was lost.
    pub(super) attempt: u32,
    /// The connection in which the server had it, or may have it, while this client has left it.
    pub(super) spent_in: Option<u64>,
    /// How many deadlines of joins in a row passed in a session without an answer.
    pub(super) unanswered: u32,
    /// The connection in which it was asked for once more, because no answer came.
    pub(super) asked_again_in: Option<u64>,
    pub(super) acks: AckTable<W>,
    pub(super) queue: Queue<W>,
    /// Whether emits wait although it is in: for its hook, or for the program to flush.
    pub(super) is_held: bool,
    /// How often it was joined.
    pub(super) joins: u64,
    /// Events that came before the namespace's connect packet.
    pub(super) early: VecDeque<(ByteString, Args, Option<AckId>)>,
}

#[derive(Debug)]
pub(super) enum State {
    Out(DisconnectReason),
    Joining {
        deadline: Instant,
        after: Duration,
    },
    In,
    /// It was in, and will be joined with the next session, or in this one at `at`.
    Lost {
        reason: DisconnectReason,
        at: Option<Instant>,
    },
}

/// An event to emit.
#[derive(Debug)]
pub struct Emit<W> {
    /// Its name and arguments.
    pub payload: Encoded,
    /// Who waits for its ack.
    pub ask: Option<Ask<W>>,
    /// Until when it may wait for the connection; an ack's deadline holds besides.
    pub expiry: Option<Expiry>,
    /// Whether it is given up rather than wait.
    pub is_volatile: bool,
    /// Who emits it.
    pub origin: Origin,
}

/// Who emits an event: it decides what goes before what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// Any thread of the program: it goes behind what waits.
    #[default]
    Program,
    /// The thread that runs handlers.
    Handlers,
    /// The same, in a handler that waits for the ack: no hook can run before it has it, so it does not wait for one.
    WaitingHandler,
    /// The hook of the namespace: it goes before what waits.
    Hook,
}

/// Who waits for an ack, and until when.
#[derive(Debug)]
pub struct Ask<W> {
    /// Who.
    pub waiter: W,
    /// When it is too late.
    pub expiry: Expiry,
}

/// When something is too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// The moment.
    pub at: Instant,
    /// The length of the limit, for the error's text.
    pub after: Duration,
}

impl Expiry {
    /// `after` the moment `now`.
    #[must_use]
    pub fn new(now: Instant, after: Duration) -> Self {
        let at = now + countable(after);
        Self { at, after }
    }
}

/// A limit that the clock can count to; longer ones, `Duration::MAX` for "no limit" among them, are a hundred years.
#[must_use]
pub fn countable(limit: Duration) -> Duration {
    limit.min(Duration::from_secs(100 * 366 * 86_400))
}

impl<W> Emit<W> {
    /// An event that waits for the connection as long as it takes.
    #[must_use]
    pub fn new(payload: Encoded) -> Self {
        Self {
            payload,
            ask: None,
            expiry: None,
            is_volatile: false,
            origin: Origin::Program,
        }
    }

    /// Until when it may wait.
    pub(super) fn expiry(&self) -> Option<Expiry> {
        let of_ask = self.ask.as_ref().map(|ask| ask.expiry);
        let both = [of_ask, self.expiry];
        both.into_iter().flatten().min_by_key(|expiry| expiry.at)
    }
}

impl<W> Namespace<W> {
    /// A namespace that nobody has asked for yet.
    pub(super) fn new(name: &str, first_ack: AckId) -> Self {
        Self {
            // Every event has it: what is static is not counted up and down.
            name: match name {
                ROOT => ByteString::from_static(ROOT),
                name => name.into(),
            },
            query: None,
            state: State::Out(DisconnectReason::NotYet),
            join_timeout: Duration::ZERO,
            wanted: false,
            is_left: false,
            returns: false,
            was_in: false,
            has_come: false,
            attempt: 0,
            spent_in: None,
            unanswered: 0,
            asked_again_in: None,
            acks: AckTable::new(first_ack),
            queue: Queue::new(),
            is_held: false,
            joins: 0,
            early: VecDeque::new(),
        }
    }

    pub(super) fn is_in(&self) -> bool {
        matches!(self.state, State::In)
    }

    pub(super) fn is_joining(&self) -> bool {
        matches!(self.state, State::Joining { .. })
    }

    pub(super) fn is_out(&self) -> bool {
        matches!(self.state, State::Out(_))
    }

    /// Whether emits leave at once.
    pub(super) fn is_open(&self) -> bool {
        self.is_in() && !self.is_held
    }

    /// Begins to join; the server has `join_timeout`.
    pub(super) fn start_joining(&mut self, now: Instant) {
        self.state = State::Joining {
            deadline: now + self.join_timeout,
            after: self.join_timeout,
        };
    }

    /// When something here is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let state = match self.state {
            State::Joining { deadline, .. } => Some(deadline),
            State::Lost { at, .. } => at,
            State::In | State::Out(_) => None,
        };
        let dues = [state, self.queue.next_expiry(), self.acks.next_deadline()];
        dues.into_iter().flatten().min()
    }
}
