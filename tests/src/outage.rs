//! A server that dies and comes back after a while: the client comes back by itself, and nothing that was emitted meanwhile
//! is lost.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sio_core::{Error, Reconnect, Status};

use crate::case::{Failure, Mode, Outcome};
use crate::context::{Context, PATIENCE, until};
use crate::control::Tagged;
use crate::faults::conversation::{Conversation, Place};
use crate::faults::verdict;
use crate::front::{Door, Front};
use crate::protocol::{Protocol, WithProtocol, of_server};
use crate::server::Server;
use crate::{ensure, ensure_eq};

/// The most that lies between two attempts by default.
const CAP: Duration = Duration::from_secs(5);
/// How long the client talks into the outage, and how often.
const TALK: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(4);

/// What an outage was like.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// From the end of the one server until the other could be reached.
    pub away: Duration,
    /// From then on until every namespace was usable.
    pub back_after: Duration,
    /// The attempts that took.
    pub attempts: u32,
    /// Emits and questions that were made meanwhile, questions that expired included.
    pub waited: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "away for {:.1?}, back {:.2?} after that with attempt {}; {} emits and questions made meanwhile",
            self.away, self.back_after, self.attempts, self.waited
        )
    }
}

/// Starts a server, ends it, and starts it again after `length`; prints what came of it.
///
/// # Errors
/// If a server does not start, or something is not as it has to be.
pub fn run(server: &str, mode: Mode, length: Duration) -> Result<(), String> {
    of_server(
        server,
        Run {
            server,
            mode,
            length,
        },
    )
}

struct Run<'a> {
    server: &'a str,
    mode: Mode,
    length: Duration,
}

impl WithProtocol for Run<'_> {
    type Output = Result<(), String>;

    fn run<P: Protocol>(self) -> Self::Output {
        let Self {
            server,
            mode,
            length,
        } = self;
        if !P::MODES.contains(&mode) {
            return Err(format!("{server} has no {mode}"));
        }
        let name = server;
        let server = Server::start(name).map_err(|error| error.to_string())?;
        let options = P::options_for(server.version());
        let cx = Context::<P>::new(Arc::new(server), mode, "outage".to_owned(), options);
        let report = survived(&cx, length).map_err(|failure| failure.to_string())?;
        println!("socket.io {name}, {mode}: {report}");
        Ok(())
    }
}

/// Shows that a connection with default settings survives an outage of its server of this length.
///
/// The servers are two of its own, one after the other, on a port that refuses while there is none.
///
/// # Errors
/// If something is not as it has to be.
pub fn survived<P: Protocol>(cx: &Context<P>, length: Duration) -> Outcome<Report> {
    let server = start(cx)?;
    let front = Front::open(Ipv4Addr::LOCALHOST.into(), server.port("main"))?;
    let control = control_of(&server, cx);
    let builder = cx.builder_at(&front.url()).reconnect(Reconnect::default());
    let mut conversation = Conversation::begin(builder, control.clone())?;
    cx.settle(conversation.client())?;
    let talk = conversation.talk(PAUSE);
    conversation.listen(TALK / 2)?;
    talk.end()?;
    conversation.settle()?;
    verdict::check(&conversation, &control, false)?;
    conversation.forget();
    let first = conversation.client().id();

    let asked = ask_in_vain(&conversation)?;
    server.stop();
    front.set_door(Door::Closed)?;
    let gone = Instant::now();
    told(&conversation, "that it is disconnected", |status| {
        matches!(status, Status::Disconnected(_)).then_some(())
    })?;
    let outcome = asked.recv_timeout(PATIENCE);
    ensure!(
        matches!(outcome, Ok(Err(Error::Disconnected(_)))),
        "a question under way ended with {outcome:?}"
    );
    let talk = conversation.talk(PAUSE);
    thread::sleep(TALK);
    talk.end()?;
    let waited = conversation
        .places
        .iter()
        .map(|place| place.lock().said.len())
        .sum();

    let server = start(cx)?;
    thread::sleep(length.saturating_sub(gone.elapsed()));
    front.forward_to(server.port("main"));
    front.set_door(Door::Open)?;
    let away = gone.elapsed();
    let back = Instant::now();
    conversation.moves_to(control_of(&server, cx));
    let attempts = came_back(&conversation, back + CAP + PATIENCE)?;
    let back_after = back.elapsed();
    conversation.settle()?;
    verdict::check(&conversation, &control_of(&server, cx), false)?;
    let second = conversation.client().id();
    ensure!(
        first.is_some() && second.is_some() && first != second,
        "the ids before and after are {first:?} and {second:?}"
    );
    cx.settle(conversation.client())?;
    conversation.client().close()?;
    Ok(Report {
        away,
        back_after,
        attempts,
        waited,
    })
}

fn start<P: Protocol>(cx: &Context<P>) -> Outcome<Server> {
    Ok(Server::start(cx.server().name()).map_err(|error| error.to_string())?)
}

fn control_of<P: Protocol>(server: &Server, cx: &Context<P>) -> Tagged {
    server.control().tagged(cx.tag())
}

/// Asks what is never answered; returns where the one outcome comes.
fn ask_in_vain<P: Protocol>(
    conversation: &Conversation<P>,
) -> Outcome<mpsc::Receiver<sio_core::Result<()>>> {
    let (sender, receiver) = mpsc::channel();
    conversation
        .client()
        .emit_with_ack("never-ack", (), 10 * PATIENCE, move |answer| {
            // Nobody listens any more if the rest has failed.
            drop(sender.send(answer));
        })?;
    Ok(receiver)
}

/// Waits until every namespace was told something; returns the first of it for each.
fn told<P: Protocol, T>(
    conversation: &Conversation<P>,
    what: &str,
    pick: impl Fn(&Status) -> Option<T>,
) -> Outcome<Vec<T>> {
    let of_place = |place: &Place<P>| {
        until(what, || {
            let record = place.lock();
            Ok(record.statuses.iter().find_map(|(_, status)| pick(status)))
        })
        .map_err(|failure| Failure::from(format!("{failure}; {}", place.shown())))
    };
    conversation.places.iter().map(of_place).collect()
}

/// Waits until every namespace is back, and checks what each was told; returns the number of the attempt.
fn came_back<P: Protocol>(conversation: &Conversation<P>, deadline: Instant) -> Outcome<u32> {
    while !conversation
        .places
        .iter()
        .all(|place| place.socket.is_connected())
    {
        ensure!(
            Instant::now() < deadline,
            "it did not come back; {}",
            conversation.places[0].shown()
        );
        thread::sleep(Duration::from_millis(1));
    }
    let attempts = told(
        conversation,
        "that it has come back",
        |status| match status {
            Status::Reconnected { attempt } => Some(*attempt),
            _ => None,
        },
    )?;
    for (place, last) in conversation.places.iter().zip(&attempts) {
        let told: Vec<String> = place
            .lock()
            .statuses
            .iter()
            .filter_map(|(_, status)| in_short(status))
            .collect();
        let mut expected = vec!["disconnected".to_owned()];
        for attempt in 1..=*last {
            expected.push(format!("scheduled {attempt}"));
            expected.push(format!("begins {attempt}"));
            if attempt < *last {
                expected.push(format!("failed {attempt}"));
            }
        }
        expected.extend(["connected again".to_owned(), format!("back with {last}")]);
        ensure_eq!(told, expected, "what {} was told", place.socket.name());
    }
    Ok(attempts[0])
}

/// The parts of a status that are the same each time; nothing for an upgrade, which comes when it comes.
fn in_short(status: &Status) -> Option<String> {
    Some(match status {
        Status::Disconnected(_) => "disconnected".to_owned(),
        Status::ReconnectScheduled { attempt, .. } => format!("scheduled {attempt}"),
        Status::Reconnecting { attempt } => format!("begins {attempt}"),
        Status::ReconnectError { attempt, .. } => format!("failed {attempt}"),
        Status::Connected { again: true } => "connected again".to_owned(),
        Status::Reconnected { attempt } => format!("back with {attempt}"),
        Status::Upgraded => return None,
        other => format!("{other:?}"),
    })
}
