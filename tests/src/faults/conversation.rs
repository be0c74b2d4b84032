//! A conversation that goes on whatever the network does: numbered emits and questions of the client in two namespaces,
//! numbered events of the server, and a record of all that came of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use sio_core::{Error, Status, Value};
use sio_net::{Client, ClientBuilder};

use crate::case::{Failure, Outcome};
use crate::context::{PATIENCE, until};
use crate::control::Tagged;
use crate::ensure;
use crate::protocol::Protocol;

/// Where it happens.
pub(crate) const NAMESPACES: [&str; 2] = ["/", "/chat"];

/// How long a question may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long it takes at most until everything works again after the last fault.
pub(crate) const RECOVERY: Duration = Duration::from_secs(10);
/// The pause between two tries of something that is refused at once.
const PAUSE: Duration = Duration::from_millis(4);
/// The pause between two things that the server says.
const SERVER_PACE: Duration = Duration::from_millis(20);

/// Something the client said: an emit if nobody waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said {
    pub(crate) number: u64,
    pub(crate) is_question: bool,
    /// Right before it was said.
    pub(crate) at: Instant,
}

/// What came of a conversation in one namespace.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// What the client said, in order, without what was refused.
    pub(crate) said: Vec<Said>,
    /// What came of each question.
    pub(crate) outcomes: BTreeMap<u64, Vec<Answer>>,
    /// The server's events, as they came.
    pub(crate) heard: Vec<u64>,
    /// The changes of status, and when they were told.
    pub(crate) statuses: Vec<(Instant, Status)>,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Right,
    Wrong(String),
    /// It was lost, or was not answered in time: nobody knows whether the server had it.
    Unknown,
}

/// A namespace of a conversation.
#[derive(Debug)]
pub(crate) struct Place<P: Protocol> {
    pub(crate) socket: Client<P>,
    pub(crate) record: Arc<Mutex<Record>>,
}

impl<P: Protocol> Clone for Place<P> {
    fn clone(&self) -> Self {
        Self {
            socket: self.socket.clone(),
            record: Arc::clone(&self.record),
        }
    }
}

/// A client and a server that talk.
#[derive(Debug)]
pub(crate) struct Conversation<P: Protocol> {
    pub(crate) places: Vec<Place<P>>,
    control: Tagged,
    next: Arc<Mutex<u64>>,
    next_of_server: u64,
}

impl<P: Protocol> Conversation<P> {
    /// Connects, and joins.
    pub(crate) fn begin(builder: ClientBuilder<P>, control: Tagged) -> Outcome<Self> {
        let [root, chat] = [(), ()].map(|()| Arc::new(Mutex::new(Record::default())));
        let client = builder
            .on("tick", listener(&root))
            .on_status(watcher(&root))
            .connect()?;
        let socket = client
            .namespace(NAMESPACES[1])
            .on("tick", listener(&chat))
            .on_status(watcher(&chat))
            .join()?;
        let root = Place {
            socket: client,
            record: root,
        };
        let chat = Place {
            socket,
            record: chat,
        };
        Ok(Self {
            places: vec![root, chat],
            control,
            next: Arc::default(),
            next_of_server: 0,
        })
    }

    pub(crate) fn client(&self) -> &Client<P> {
        &self.places[0].socket
    }

    /// The control port of another server, which the client is sent to now.
    pub(crate) fn moves_to(&mut self, control: Tagged) {
        self.control = control;
    }

    /// Lets the client say something after each pause of this length, until the guard is dropped.
    pub(crate) fn talk(&self, pause: Duration) -> Talk {
        let stop = Arc::new(Stop::default());
        let (places, next, stopped) = (
            self.places.clone(),
            Arc::clone(&self.next),
            Arc::clone(&stop),
        );
        let talking = thread::spawn(move || {
            while !stopped.wait(pause) {
                let number = take_number(&next);
                let index = usize::from(number.is_multiple_of(3));
                places[index].say(number)?;
            }
            Ok(())
        });
        Talk {
            stop,
            talking: Some(talking),
        }
    }

    /// Lets the server talk for so long, in all sessions that it has of this client.
    pub(crate) fn listen(&mut self, length: Duration) -> Outcome {
        let end = Instant::now() + length;
        loop {
            self.server_says()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(SERVER_PACE));
        }
    }

    /// The server emits one event in each namespace; returns its number.
    fn server_says(&mut self) -> Outcome<u64> {
        let number = self.next_of_server;
        self.next_of_server += 1;
        for name in NAMESPACES {
            self.control.emit(name, "tick", &[number.into()])?;
        }
        Ok(number)
    }

    /// Waits until both sides hear each other everywhere, and everything said before has its outcome.
    pub(crate) fn settle(&mut self) -> Outcome {
        let deadline = Instant::now() + RECOVERY;
        for place in self.places.clone() {
            loop {
                let number = take_number(&self.next);
                let last = place.ask(number);
                if last.as_ref().is_ok_and(|answer| *answer == Answer::Right) {
                    break;
                }
                ensure!(
                    Instant::now() < deadline,
                    "nothing works {RECOVERY:?} after the last fault in {}: {last:?}, {}",
                    place.socket.name(),
                    place.shown()
                );
            }
        }
        let number = self.server_says()?;
        for place in &self.places {
            until(&format!("the server's event {number}"), || {
                Ok((place.lock().heard.last() == Some(&number)).then_some(()))
            })
            .map_err(|failure| format!("{failure}; {}", place.shown()))?;
            until("an outcome of every question", || {
                let record = place.lock();
                let questions = record.said.iter().filter(|said| said.is_question);
                let all = questions.clone().count();
                Ok((record.outcomes.len() == all).then_some(()))
            })
            .map_err(|failure| format!("{failure}; {}", place.shown()))?;
        }
        Ok(())
    }

    /// Forgets everything so far; the numbers go on.
    pub(crate) fn forget(&self) {
        for place in &self.places {
            *place.lock() = Record::default();
        }
    }
}

fn take_number(next: &Mutex<u64>) -> u64 {
    let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
    let number = *next;
    *next += 1;
    number
}

fn listener(record: &Arc<Mutex<Record>>) -> impl FnMut(u64) + Send + 'static {
    let record = Arc::clone(record);
    move |number| lock(&record).heard.push(number)
}

fn watcher(record: &Arc<Mutex<Record>>) -> impl FnMut(&Status) + Send + 'static {
    let record = Arc::clone(record);
    move |status| {
        lock(&record)
            .statuses
            .push((Instant::now(), status.clone()));
    }
}

/// How a number stands in what is sent, so that it can be found in whatever packet.
fn marked(number: u64) -> String {
    format!("#{number}#")
}

/// The number in a packet.
pub(crate) fn number_in(text: &str) -> Option<u64> {
    let (_, behind) = text.split_once('#')?;
    behind.split_once('#')?.0.parse().ok()
}

impl<P: Protocol> Place<P> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }

    /// Its life, for failures.
    pub(crate) fn shown(&self) -> String {
        const SHOWN: usize = 20;
        let record = self.lock();
        let statuses = &record.statuses[record.statuses.len().saturating_sub(SHOWN)..];
        let since = statuses.first().map(|(at, _)| *at);
        let shown = statuses.iter().map(|(at, status)| {
            let after = since.map_or(Duration::ZERO, |since| *at - since);
            format!("{:.3} s {status:?}", after.as_secs_f64())
        });
        format!(
            "{} was told: {}",
            self.socket.name(),
            shown.collect::<Vec<_>>().join(", ")
        )
    }

    /// Says a number: as an emit, as one with bytes, or as a question whose answer comes later.
    fn say(&self, number: u64) -> Outcome {
        let at = Instant::now();
        let is_question = number.is_multiple_of(4);
        // Noted before it is said: its answer may be there at once.
        self.lock().said.push(Said {
            number,
            is_question,
            at,
        });
        let result = if is_question {
            let record = Arc::clone(&self.record);
            self.socket
                .emit_with_ack("echo", marked(number), ANSWER_WITHIN, move |answer| {
                    lock(&record).note(number, answer);
                })
        } else if P::HAS_BYTES && number.is_multiple_of(5) {
            self.emit((marked(number), Bytes::from(vec![7; 100])))
        } else {
            self.emit(marked(number))
        };
        self.accept(number, result)
    }

    fn emit(&self, args: impl Serialize) -> sio_core::Result<()> {
        self.socket.emit("sink", args)
    }

    /// What was refused was never said; only a connection that is over refuses.
    fn accept(&self, number: u64, result: sio_core::Result<()>) -> Outcome {
        match result {
            Ok(()) => Ok(()),
            Err(Error::Disconnected(_)) => {
                self.lock().said.retain(|said| said.number != number);
                Ok(())
            }
            Err(error) => {
                Err(format!("saying {number}: {}; {}", error.chain(), self.shown()).into())
            }
        }
    }

    /// Asks, and waits.
    fn ask(&self, number: u64) -> Outcome<Answer> {
        self.lock().said.push(Said {
            number,
            is_question: true,
            at: Instant::now(),
        });
        let answer = self
            .socket
            .call::<_, Value>("echo", marked(number), PATIENCE / 5);
        let mut record = self.lock();
        let pause = matches!(answer, Err(Error::Disconnected(_)));
        record.note(number, answer);
        let answer = record.outcomes[&number][0].clone();
        drop(record);
        if pause {
            // It is refused at once while the connection is over or lost.
            thread::sleep(PAUSE);
        }
        Ok(answer)
    }
}

impl Record {
    fn note(&mut self, number: u64, answer: sio_core::Result<Value>) {
        let outcome = match answer {
            Ok(Value::String(text)) if *text == *marked(number) => Answer::Right,
            Ok(other) => Answer::Wrong(format!("{other:?}")),
            Err(Error::Disconnected(_) | Error::Timeout { .. }) => Answer::Unknown,
            Err(error) => Answer::Wrong(error.chain()),
        };
        self.outcomes.entry(number).or_default().push(outcome);
    }
}

/// A client that talks; ends when dropped.
#[derive(Debug)]
pub(crate) struct Talk {
    stop: Arc<Stop>,
    talking: Option<JoinHandle<Outcome>>,
}

impl Talk {
    /// Ends it, and says what went wrong.
    pub(crate) fn end(mut self) -> Outcome {
        self.stop.set();
        match self.talking.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(Failure::from("talking panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.stop.set();
        if let Some(talking) = self.talking.take() {
            // Something else went wrong before.
            drop(talking.join());
        }
    }
}

/// A pause that can be cut short.
#[derive(Debug, Default)]
struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn set(&self) {
        *lock(&self.stopped) = true;
        self.changed.notify_all();
    }

    /// Waits so long; returns whether it is over.
    fn wait(&self, length: Duration) -> bool {
        let stopped = lock(&self.stopped);
        let waited = self
            .changed
            .wait_timeout_while(stopped, length, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
