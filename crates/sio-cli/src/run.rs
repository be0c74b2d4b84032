//! The loop of every command that stays connected: takes what happens, one after the other, prints it, and knows when to
//! end.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use sio_auto::ClientBuilder;
use sio_core::Status;

use crate::args::{Connection, Server};
use crate::connection;
use crate::failure::{Exit, Failure};
use crate::happening::{Happening, Post, queue};
use crate::json::AckName;
use crate::printer::Printer;
use crate::reader;
use crate::screen;
use crate::signals;
use crate::talk::Talk;

/// How often it is looked whether the emits that wait have left, once there is no more input.
const A_MOMENT: Duration = Duration::from_millis(20);

/// What a command wants to see, and when it has seen enough.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Only events of these names; all, if there are none.
    pub(crate) events: Vec<String>,
    /// None at all.
    pub(crate) no_events: bool,
    /// Enough after so many.
    pub(crate) count: Option<u64>,
    /// Whether what cannot be done, and an ack that does not come, end the command with an error.
    pub(crate) strict: bool,
}

/// A connection and what happens to it.
pub(crate) struct Run {
    pub(crate) talk: Arc<Talk>,
    pub(crate) post: Post,
    happenings: Receiver<Happening>,
    /// What came before the connection was there to speak of.
    early: Vec<Happening>,
    timeout: Duration,
}

impl Run {
    /// Connects and joins; returns when all namespaces are usable.
    ///
    /// # Errors
    /// If that fails, or Ctrl-C comes meanwhile.
    pub(crate) fn connect(builder: ClientBuilder, options: &Connection) -> Result<Self, Failure> {
        let timeout = options.timeout;
        let (post, happenings) = queue();
        signals::listen(&post)?;
        let talk = Arc::new(Talk::new(post.clone(), timeout));
        let builder = builder
            .on_any(post.on_event())
            .on_status(post.on_status(None));
        let (of_thread, tell) = (Arc::clone(&talk), post.clone());
        let namespaces = options.namespace.clone();
        let is_open = options.server == Server::Auto;
        spawn("sio-connect", move || {
            let connect = || {
                of_thread.begin(connection::suited(builder, is_open)?.connect()?);
                for namespace in &namespaces {
                    of_thread.join(namespace, Vec::new())?;
                    of_thread.turn_to(&namespaces[0])?;
                }
                Ok(())
            };
            tell.put(Happening::Ready(connect()));
        })?;
        let mut early = Vec::new();
        // Connecting returns, and the handlers are told, each in its own time; whoever reads is told that first.
        let (mut is_ready, mut told) = (false, BTreeSet::new());
        while !is_ready || !talk.names().is_subset(&told) {
            match happenings.recv() {
                Ok(Happening::Ready(Ok(()))) => is_ready = true,
                Ok(Happening::Ready(Err(failure))) => {
                    // The first namespace may have let us in.
                    let closed = talk.close().map_err(Failure::from);
                    return Err(closed.err().unwrap_or(failure));
                }
                Ok(Happening::Interrupted) | Err(_) => return Err(interrupted()),
                Ok(happening) => {
                    if let Happening::Status(name, Status::Connected { .. }) = &happening {
                        told.insert(name.as_deref().map(str::to_owned));
                    }
                    early.push(happening);
                }
            }
            if signals::came() {
                return Err(interrupted());
            }
        }
        Ok(Self {
            talk,
            post,
            happenings,
            early,
            timeout,
        })
    }

    /// Prints what happens until the end.
    ///
    /// # Errors
    /// If something else ends it than what it was told to wait for.
    pub(crate) fn until_its_end(
        self,
        printer: &mut Printer,
        wanted: Wanted,
    ) -> Result<Exit, Failure> {
        let mut state = Watch {
            talk: &self.talk,
            post: &self.post,
            printer,
            wanted,
            seen: 0,
            patience: self.timeout,
            give_up_at: None,
            ending: None,
            failure: None,
            is_mute: false,
        };
        if let Err(failure) = reader::watch(&self.post) {
            state.fail(failure);
        }
        for happening in self.early {
            state.take(happening);
        }
        while !state.is_over() {
            if signals::came() {
                state.end(Exit::Interrupted);
            }
            let happening = match self.happenings.try_recv() {
                Ok(happening) => Ok(happening),
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    let flushed = state.printer.flush();
                    state.written(flushed);
                    state.wait(&self.happenings)
                }
            };
            if let Ok(happening) = happening {
                state.take(happening);
            }
        }
        let flushed = state.printer.flush();
        state.written(flushed);
        match (state.failure, state.ending) {
            (Some(failure), _) => Err(failure),
            (None, Some(Ending::Over(exit))) => Ok(exit),
            (None, _) => Ok(Exit::Done),
        }
    }
}

/// Ctrl-C; there is nothing to say about it.
fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted", "")
}

pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map(drop).map_err(|error| {
        Failure::new(
            Exit::Failed,
            "other",
            format!("cannot start a thread: {error}"),
        )
    })
}

enum Ending {
    /// The connection is being closed.
    Closing(Exit),
    Over(Exit),
}

struct Watch<'a> {
    talk: &'a Arc<Talk>,
    post: &'a Post,
    printer: &'a mut Printer,
    wanted: Wanted,
    seen: u64,
    patience: Duration,
    /// There is no more input: when what still waits to be sent is given up.
    give_up_at: Option<Instant>,
    ending: Option<Ending>,
    failure: Option<Failure>,
    /// Nobody reads the output any more.
    is_mute: bool,
}

impl Watch<'_> {
    fn is_over(&self) -> bool {
        matches!(self.ending, Some(Ending::Over(_)))
    }

    fn wait(&mut self, happenings: &Receiver<Happening>) -> Result<Happening, RecvTimeoutError> {
        if self.give_up_at.is_none() || self.ending.is_some() {
            return happenings
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected);
        }
        self.end_if_done();
        happenings.recv_timeout(A_MOMENT)
    }

    fn take(&mut self, happening: Happening) {
        let written = match happening {
            Happening::Event(event, ask) => {
                let has_enough = self.wanted.count.is_some_and(|count| self.seen >= count);
                let names = &self.wanted.events;
                let is_wanted = !self.wanted.no_events
                    && (names.is_empty() || names.iter().any(|name| name == event.name()));
                if has_enough || !is_wanted {
                    return;
                }
                self.seen += 1;
                let printed = self.print(|printer| printer.event(&event, ask));
                if self.wanted.count == Some(self.seen) {
                    self.end(Exit::Done);
                }
                printed
            }
            Happening::Status(namespace, status) => self.status(namespace.as_deref(), &status),
            Happening::Ack {
                name,
                event,
                outcome,
                took,
            } => {
                self.talk.ack_came(&name);
                let printed = self.print(|printer| printer.ack(&name, &event, &outcome, took));
                if let Err(error) = &outcome
                    && self.wanted.strict
                {
                    self.fail(Failure::from(error));
                }
                self.end_if_done();
                printed
            }
            Happening::Fault(_, failure) if self.wanted.strict => {
                self.fail(failure);
                Ok(())
            }
            Happening::Fault(line, failure) => {
                self.print(|printer| printer.failure(line, &failure))
            }
            Happening::Say(text) => self.print(|printer| printer.say(&text)),
            Happening::InputOver => {
                self.give_up_at = Instant::now().checked_add(self.patience);
                self.end_if_done();
                Ok(())
            }
            Happening::Close => {
                self.end(Exit::Done);
                Ok(())
            }
            Happening::Interrupted => {
                self.end(Exit::Interrupted);
                Ok(())
            }
            Happening::NobodyReads => {
                self.is_mute = true;
                self.end(Exit::Done);
                Ok(())
            }
            Happening::Closed => {
                let exit = match self.ending {
                    Some(Ending::Closing(exit) | Ending::Over(exit)) => exit,
                    None => Exit::Done,
                };
                self.ending = Some(Ending::Over(exit));
                self.print(Printer::closed)
            }
            Happening::Ready(_) => Ok(()),
        };
        self.written(written);
    }

    fn status(&mut self, namespace: Option<&str>, status: &Status) -> io::Result<()> {
        let first = self.talk.first();
        let namespace = namespace.unwrap_or(&first);
        let (transport, id) = (self.talk.transport(), self.talk.id(namespace));
        let is_ending = self.ending.is_some();
        let printed =
            self.print(|printer| printer.status(namespace, status, transport, id, is_ending));
        if !is_ending && self.talk.is_over() {
            match status {
                Status::Disconnected(reason) => {
                    let text = format!("the connection is over: {reason}");
                    self.fail(Failure::new(Exit::NotConnected, "disconnected", text));
                }
                Status::ReconnectFailed { error, .. } => self.fail(Failure::from(error)),
                _ => {}
            }
        }
        printed
    }

    fn print(&mut self, print: impl FnOnce(&mut Printer) -> io::Result<()>) -> io::Result<()> {
        if self.is_mute {
            return Ok(());
        }
        print(self.printer)
    }

    /// Ends when the output cannot be written, or nobody reads it any more.
    fn written(&mut self, written: io::Result<()>) {
        if written.is_ok() || self.is_mute {
            return;
        }
        self.is_mute = true;
        if let Err(failure) = screen::written(written) {
            self.failure = Some(failure);
        }
        self.end(Exit::Done);
    }

    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
        self.end(Exit::Failed);
    }

    /// Ends when the input is over and everything has left, or had its time.
    fn end_if_done(&mut self) {
        let Some(give_up_at) = self.give_up_at else {
            return;
        };
        let waits = self.talk.waits_for_acks() || self.talk.queued() > 0;
        if !waits || Instant::now() >= give_up_at && !self.talk.waits_for_acks() {
            self.end(Exit::Done);
        }
    }

    /// Closes the connection; what still comes is printed meanwhile.
    fn end(&mut self, exit: Exit) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(Ending::Closing(exit));
        let unsent = self.talk.queued();
        if unsent > 0 && self.failure.is_none() {
            let text = format!("{unsent} emits waited for the connection, and were not sent");
            self.failure = Some(Failure::new(Exit::NotConnected, "dropped", text));
        }
        let (talk, post) = (Arc::clone(self.talk), self.post.clone());
        let closing = spawn("sio-close", move || {
            if let Err(error) = talk.close() {
                post.put(Happening::Fault(None, error.into()));
            }
            post.put(Happening::Closed);
        });
        if let Err(failure) = closing {
            self.failure = Some(failure);
            self.ending = Some(Ending::Over(exit));
        }
    }
}

/// The name of the only ack of a command that asks once.
pub(crate) const ONLY_ACK: AckName = AckName::Number(1);
