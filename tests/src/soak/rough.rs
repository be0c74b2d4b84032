//! A soak on a rough sea: the network fails all the time, and the server is restarted each minute. Every few seconds the
//! faults pause, and what has to be true is checked.

use std::fmt;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use sio_core::Status;

use super::usage::{self, Usage, Watch};
use super::{Plan, TAG};
use crate::case::{Failure, Outcome};
use crate::context::Context;
use crate::faults::conversation::{Answer, Conversation};
use crate::faults::schedule::{self, Step};
use crate::faults::{chance, persistent, verdict};
use crate::front::{Door, Front};
use crate::protocol::{DeadLink, Protocol};
use crate::server::Server;

/// How long a fault may last, and how many come between two checks.
const LONGEST: Duration = Duration::from_millis(1500);
const FAULTS: usize = 12;
/// The pause between two things that the client says.
const PAUSE: Duration = Duration::from_millis(20);
const RESTART_EACH: Duration = Duration::from_secs(60);
/// How long the server is away.
const AWAY: Duration = Duration::from_secs(2);

/// Keeps a conversation going under faults, for as long as the plan says; prints a line a minute, and a summary.
pub(super) fn run<P: Protocol>(plan: &Plan, seed: u64) -> Outcome {
    println!(
        "socket.io {}, {}, faults from seed {seed}, {:.1} minutes",
        plan.server,
        plan.mode,
        plan.length.as_secs_f64() / 60.0
    );
    let mut sea = Sea::<P>::begin(plan)?;
    let mut watch = Watch::new();
    let mut runner = TestRunner::new_with_rng(Default::default(), chance(seed));
    let begin = Instant::now();
    let end = begin + plan.length;
    let (mut next_line, mut next_restart) = (begin + MINUTE, begin + RESTART_EACH);
    println!(
        "minute    said  answered  unknown   heard   lost  again  restarts  faults  {}",
        usage::HEADING
    );
    while Instant::now() < end {
        let mut steps = Vec::with_capacity(FAULTS);
        for _ in 0..FAULTS {
            let drawn = schedule::step(LONGEST).new_tree(&mut runner);
            steps.push(
                drawn
                    .map_err(|why| Failure::from(why.to_string()))?
                    .current(),
            );
        }
        let checked = sea.faults(&steps, &mut watch);
        checked.map_err(|failure| {
            format!(
                "after {:.1?}, after the faults {steps:?}: {failure}",
                begin.elapsed()
            )
        })?;
        if Instant::now() >= next_restart {
            next_restart += RESTART_EACH;
            let checked = sea.restart(plan);
            checked.map_err(|failure| {
                format!("after {:.1?}, after a restart: {failure}", begin.elapsed())
            })?;
        }
        let now = Instant::now();
        if now >= next_line || now >= end {
            next_line += MINUTE;
            let minutes = begin.elapsed().as_secs_f64() / 60.0;
            println!("{minutes:6.1}  {}  {}", sea.tally, watch.minute());
            // Whoever reads this through a pipe wants to see it now.
            std::io::stdout().flush()?;
        }
    }
    let counters = sea.conversation.client().counters();
    sea.conversation.client().close()?;
    println!("{watch}");
    println!("{counters:?}");
    watch.verdict()?;
    println!("every question had one outcome; what was answered arrived once and in order");
    Ok(())
}

const MINUTE: Duration = Duration::from_secs(60);

/// What was counted.
#[derive(Debug, Default)]
struct Tally {
    said: usize,
    answered: usize,
    unknown: usize,
    heard: usize,
    lost: usize,
    again: usize,
    restarts: usize,
    faults: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:6}  {:8}  {:7}  {:6}  {:5}  {:5}  {:8}  {:6}",
            self.said,
            self.answered,
            self.unknown,
            self.heard,
            self.lost,
            self.again,
            self.restarts,
            self.faults
        )
    }
}

/// A conversation, and all that goes wrong with it.
struct Sea<P: Protocol> {
    server: Server,
    variant: &'static str,
    front: Front,
    conversation: Conversation<P>,
    tally: Tally,
}

impl<P: Protocol> Sea<P> {
    fn begin(plan: &Plan) -> Outcome<Self> {
        let server = start(plan)?;
        let DeadLink {
            variant, options, ..
        } = P::dead_link(server.version(), plan.mode);
        let front = Front::open(Ipv4Addr::LOCALHOST.into(), server.port(variant))?;
        let server = Arc::new(server);
        let cx = Context::<P>::new(Arc::clone(&server), plan.mode, TAG.to_owned(), options);
        let builder = persistent(cx.builder_at(&front.url()));
        let conversation = Conversation::begin(builder, server.control().tagged(TAG))?;
        drop(cx);
        let server = Arc::into_inner(server).ok_or("the server has another owner")?;
        Ok(Self {
            server,
            variant,
            front,
            conversation,
            tally: Tally::default(),
        })
    }

    /// Faults, one after the other, and then a check.
    fn faults(&mut self, steps: &[Step], watch: &mut Watch) -> Outcome {
        let talk = self.conversation.talk(PAUSE);
        for step in steps {
            step.begin(&self.front)?;
            self.conversation.listen(step.length)?;
            watch.look(Usage::now());
        }
        self.front.heal()?;
        talk.end()?;
        self.tally.faults += steps.len();
        self.check(steps.iter().any(Step::doubles))
    }

    /// The server ends, and comes back after a while on another port.
    fn restart(&mut self, plan: &Plan) -> Outcome {
        self.server.stop();
        self.front.set_door(Door::Closed)?;
        let talk = self.conversation.talk(PAUSE);
        std::thread::sleep(AWAY);
        self.server = start(plan)?;
        self.front.forward_to(self.server.port(self.variant));
        self.conversation
            .moves_to(self.server.control().tagged(TAG));
        self.front.set_door(Door::Open)?;
        talk.end()?;
        self.tally.restarts += 1;
        self.check(false)
    }

    fn check(&mut self, doubled: bool) -> Outcome {
        self.conversation.settle()?;
        let control = self.server.control().tagged(TAG);
        verdict::check(&self.conversation, &control, doubled)?;
        for place in &self.conversation.places {
            let record = place.lock();
            self.tally.said += record.said.len();
            self.tally.heard += record.heard.len();
            let answers = record.outcomes.values().flatten();
            let (right, unknown): (Vec<_>, Vec<_>) =
                answers.partition(|answer| **answer == Answer::Right);
            self.tally.answered += right.len();
            self.tally.unknown += unknown.len();
            for (_, status) in &record.statuses {
                match status {
                    Status::Disconnected(_) => self.tally.lost += 1,
                    Status::Connected { .. } => self.tally.again += 1,
                    _ => {}
                }
            }
        }
        self.conversation.forget();
        self.front.forget();
        Ok(())
    }
}

fn start(plan: &Plan) -> Outcome<Server> {
    Ok(Server::start(&plan.server).map_err(|error| error.to_string())?)
}
