//! What happens while a connection lives, in one queue: so it is printed in the order in which it happened.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sio_auto::Handlers;
use sio_core::{Ack, Args, Event, Result, Status};

use crate::failure::Failure;
use crate::json::AckName;

/// How much may wait to be printed before handlers wait, too; behind them the client's own bounds count.
const WAITING: usize = 1024;

/// How many of the server's questions may wait for a reply before the oldest is forgotten.
const QUESTIONS: usize = 100_000;

/// Something to be printed, or to be acted upon.
#[derive(Debug)]
pub(crate) enum Happening {
    /// An event came, with the number of its question, if it is one.
    Event(Event, Option<u64>),
    /// Something changed in the life of a namespace; that of the URL, if there is none.
    Status(Option<Arc<str>>, Status),
    /// A question of ours has its outcome.
    Ack {
        name: AckName,
        event: String,
        outcome: Result<Args>,
        took: Duration,
    },
    /// The first connect is over.
    Ready(std::result::Result<(), Failure>),
    /// What was asked for, on this line of the input, cannot be done.
    Fault(Option<u64>, Failure),
    /// A text for the person who types.
    Say(String),
    /// There will be no more input.
    InputOver,
    /// The connection shall be closed.
    Close,
    /// Nobody reads the output any more.
    NobodyReads,
    /// Ctrl-C.
    Interrupted,
    /// The connection is closed, and nothing of it follows.
    Closed,
}

/// Puts what happens into the queue; knows the questions of the server.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    queue: SyncSender<Happening>,
    questions: Arc<Mutex<Questions>>,
}

/// The server's questions that wait for a reply, by their numbers.
#[derive(Debug, Default)]
struct Questions {
    last: u64,
    open: BTreeMap<u64, Ack>,
}

/// A queue, and the way into it.
pub(crate) fn queue() -> (Post, Receiver<Happening>) {
    let (queue, receiver) = mpsc::sync_channel(WAITING);
    let questions = Arc::default();
    (Post { queue, questions }, receiver)
}

impl Post {
    /// Puts something in, at the end; waits while the queue is full.
    pub(crate) fn put(&self, happening: Happening) {
        // Fails only when the command is ending, and then nobody wants it.
        let _ = self.queue.send(happening);
    }

    /// The same, without waiting: for signals, which are looked for besides.
    pub(crate) fn try_put(&self, happening: Happening) {
        let _ = self.queue.try_send(happening);
    }

    /// Handlers for all that comes in a namespace that is joined.
    pub(crate) fn handlers(&self, namespace: &str) -> Handlers {
        Handlers::new()
            .on_any(self.on_event())
            .on_status(self.on_status(Some(namespace)))
    }

    /// A handler of events.
    pub(crate) fn on_event(&self) -> impl FnMut(&Event) + Send + 'static {
        let post = self.clone();
        move |event| {
            let ask = post.number(event.ack());
            post.put(Happening::Event(event.clone(), ask));
        }
    }

    /// A handler of changes of status; without a name, for the namespace that the URL names.
    pub(crate) fn on_status(
        &self,
        namespace: Option<&str>,
    ) -> impl FnMut(&Status) + Send + 'static {
        let post = self.clone();
        let namespace: Option<Arc<str>> = namespace.map(Arc::from);
        move |status| post.put(Happening::Status(namespace.clone(), status.clone()))
    }

    fn number(&self, ack: &Ack) -> Option<u64> {
        if !ack.is_wanted() {
            return None;
        }
        let mut questions = self.questions();
        questions.last += 1;
        let number = questions.last;
        questions.open.insert(number, ack.clone());
        if questions.open.len() > QUESTIONS {
            questions.open.pop_first();
        }
        Some(number)
    }

    /// The question of this number, which is answered then.
    ///
    /// # Errors
    /// If there is none, or none any more.
    pub(crate) fn question(&self, number: u64) -> std::result::Result<Ack, Failure> {
        let mut questions = self.questions();
        if let Some(ack) = questions.open.remove(&number) {
            return Ok(ack);
        }
        Err(Failure::input(if (1..=questions.last).contains(&number) {
            format!("question {number} has been answered already")
        } else {
            format!("there is no question {number}")
        }))
    }

    /// A question that could not be answered with what was given may be answered with something else.
    pub(crate) fn put_back(&self, number: u64, ack: Ack) {
        self.questions().open.insert(number, ack);
    }

    fn questions(&self) -> MutexGuard<'_, Questions> {
        self.questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
