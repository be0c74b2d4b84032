//! One namespace of a manager: whether it is usable, who waits in it, and for what.

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use bytestring::ByteString;

use crate::ack_table::AckTable;
use crate::payload::{Args, Encoded};
use crate::session::AckId;
use crate::status::DisconnectReason;

#[derive(Debug)]
pub(super) struct Namespace<W> {
    pub(super) name: ByteString,
    pub(super) query: Option<ByteString>,
    pub(super) state: State,
    /// Whether the program asked for it. The root is connected without being asked for; alone it keeps no connection.
    pub(super) wanted: bool,
    /// The connection in which the server had it, or may have it, while this client has left it.
    pub(super) spent_in: Option<u64>,
    pub(super) acks: AckTable<W>,
    pub(super) waiting: VecDeque<Waiting<W>>,
    /// The earliest deadline among `waiting`.
    pub(super) waiting_deadline: Option<Instant>,
    /// Events that came before the namespace's connect packet.
    pub(super) early: VecDeque<(ByteString, Args, Option<AckId>)>,
}

#[derive(Debug)]
pub(super) enum State {
    Out(DisconnectReason),
    Joining { deadline: Instant, after: Duration },
    In,
}

#[derive(Debug)]
pub(super) struct Waiting<W> {
    pub(super) payload: Encoded,
    pub(super) ask: Option<Ask<W>>,
}

/// Who waits for an ack, and until when.
#[derive(Debug)]
pub struct Ask<W> {
    /// Who.
    pub waiter: W,
    /// When it is too late.
    pub deadline: Instant,
    /// The length of the deadline, for the error's text.
    pub after: Duration,
}

impl<W> Namespace<W> {
    /// A namespace that nobody has asked for yet.
    pub(super) fn new(name: &str, first_ack: AckId) -> Self {
        Self {
            name: name.into(),
            query: None,
            state: State::Out(DisconnectReason::NotYet),
            wanted: false,
            spent_in: None,
            acks: AckTable::new(first_ack),
            waiting: VecDeque::new(),
            waiting_deadline: None,
            early: VecDeque::new(),
        }
    }

    pub(super) fn is_in(&self) -> bool {
        matches!(self.state, State::In)
    }

    pub(super) fn is_joining(&self) -> bool {
        matches!(self.state, State::Joining { .. })
    }

    pub(super) fn wait(&mut self, waiting: Waiting<W>) {
        let deadlines = [self.waiting_deadline, waiting.deadline()];
        self.waiting_deadline = deadlines.into_iter().flatten().min();
        self.waiting.push_back(waiting);
    }

    pub(super) fn take_waiting(&mut self) -> VecDeque<Waiting<W>> {
        self.waiting_deadline = None;
        mem::take(&mut self.waiting)
    }

    /// Takes emits out of the queue whose ack could only come too late; they are never sent.
    pub(super) fn expire_waiting(&mut self, now: Instant) -> Vec<Ask<W>> {
        if self.waiting_deadline.is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        let mut expired = Vec::new();
        for waiting in self.take_waiting() {
            match waiting.ask {
                Some(ask) if ask.deadline <= now => expired.push(ask),
                _ => self.wait(waiting),
            }
        }
        expired
    }
}

impl<W> Waiting<W> {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ask.as_ref().map(|ask| ask.deadline)
    }
}
