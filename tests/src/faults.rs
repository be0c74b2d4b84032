//! Conversations under faults drawn at random: whatever the network does, every question has one outcome, what was
//! answered arrived once and in order, the client is connected again in the end, and nothing is left behind.

pub(crate) mod conversation;
pub(crate) mod schedule;
pub(crate) mod verdict;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use sio_core::Reconnect;
use sio_net::ClientBuilder;
use sio_peer::alone::{PROMISED, client_threads};

use self::conversation::Conversation;
use self::schedule::Step;
use crate::case::{Failure, Mode, Outcome};
use crate::context::{Context, shared_loop};
use crate::ensure;
use crate::front::Front;
use crate::protocol::{DeadLink, Protocol, WithProtocol, of_server};
use crate::server::Server;
use crate::soak::usage::open_files;

/// How many faults one after the other, and how long each.
const STEPS: usize = 6;
const LONGEST: Duration = Duration::from_millis(1400);
/// The pause between two things that the client says.
const PAUSE: Duration = Duration::from_millis(4);
/// Conversations side by side.
const AT_A_TIME: usize = 8;
/// How many shorter schedules are tried when one fails.
const SHORTER: u32 = 12;
/// After so many conversations the server is started anew: it keeps what it saw.
const ROUND: u64 = 96;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server.
    pub server: String,
    /// The transport.
    pub mode: Mode,
    /// How many conversations.
    pub conversations: u64,
    /// The seed of the first; each has the next.
    pub seed: u64,
}

/// Runs conversations, several side by side, and prints a line for each round.
///
/// # Errors
/// If the server does not start, or a conversation goes wrong; the text has its seed and its faults.
pub fn run(plan: &Plan) -> Result<(), String> {
    of_server(&plan.server, Faults(plan))
}

/// A seed that is another one each second.
#[must_use]
pub fn any_seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

struct Faults<'a>(&'a Plan);

impl WithProtocol for Faults<'_> {
    type Output = Result<(), String>;

    fn run<P: Protocol>(self) -> Self::Output {
        let plan = self.0;
        if !P::MODES.contains(&plan.mode) {
            return Err(format!("{} has no {}", plan.server, plan.mode));
        }
        let begin = Instant::now();
        println!(
            "socket.io {}, {}: {} conversations from seed {} on",
            plan.server, plan.mode, plan.conversations, plan.seed
        );
        let end = plan.seed + plan.conversations;
        let mut first = plan.seed;
        while first < end {
            let next = end.min(first + ROUND);
            round::<P>(plan, first, next).map_err(|failure| failure.to_string())?;
            println!(
                "{} conversations, {:.0?}",
                next - plan.seed,
                begin.elapsed()
            );
            first = next;
        }
        Ok(())
    }
}

fn round<P: Protocol>(plan: &Plan, first: u64, end: u64) -> Outcome {
    shared_loop();
    let files = open_files();
    let server = Server::start(&plan.server).map_err(|error| error.to_string())?;
    let server = Arc::new(server);
    let next = AtomicU64::new(first);
    let failure = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let cx = context::<P>(&server, plan.mode, &seed.to_string());
                    if let Err(why) = drawn(&cx, seed, SHORTER) {
                        next.store(end, Ordering::Relaxed);
                        *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                    }
                }
            });
        }
    });
    drop(server);
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failure) => Err(failure),
        None => nothing_is_left(files),
    }
}

fn context<P: Protocol>(server: &Arc<Server>, mode: Mode, tag: &str) -> Context<P> {
    let options = P::options_for(server.version());
    Context::new(Arc::clone(server), mode, tag.to_owned(), options)
}

/// The client's threads end, and no more files are open than before.
fn nothing_is_left(files_before: Option<u64>) -> Outcome {
    let begin = Instant::now();
    loop {
        let (threads, files) = (client_threads(), open_files());
        if threads.is_empty() && files <= files_before {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < PROMISED,
            "left are the threads {threads:?}, and {files:?} open files after {files_before:?}"
        );
        thread::yield_now();
    }
}

/// Draws faults from a seed, and holds a conversation under them. A failure shows the shortest faults that were found to
/// lead to it, when so many shorter ones were tried; each takes seconds.
///
/// # Errors
/// If something is not as it has to be.
pub fn drawn<P: Protocol>(cx: &Context<P>, seed: u64, shorter: u32) -> Outcome {
    let config = Config {
        cases: 1,
        max_shrink_iters: shorter,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, chance(seed));
    let tries = AtomicUsize::new(0);
    let result = runner.run(&schedule::schedules(STEPS, LONGEST), |steps| {
        let number = tries.fetch_add(1, Ordering::Relaxed);
        let tag = format!("{}-{number}", cx.tag());
        converse(cx, &tag, &steps).map_err(|failure| TestCaseError::fail(failure.to_string()))
    });
    result.map_err(|error| {
        Failure::from(format!(
            "{error}\nagain: conformance faults --server {} --transport {} --seed {seed} --cases 1",
            cx.server().name(),
            cx.mode()
        ))
    })
}

pub(crate) fn chance(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// A conversation under faults, one after the other.
fn converse<P: Protocol>(cx: &Context<P>, tag: &str, steps: &[Step]) -> Outcome {
    let DeadLink {
        variant, options, ..
    } = P::dead_link(cx.server_version(), cx.mode());
    let control = cx.server().control().tagged(tag);
    let front = Front::open(Ipv4Addr::LOCALHOST.into(), cx.server().port(variant))?;
    let builder = cx.builder_tagged(&front.url(), tag).protocol(options);
    let mut conversation = Conversation::begin(persistent(builder), control.clone())?;
    let talk = conversation.talk(PAUSE);
    for step in steps {
        step.begin(&front)?;
        conversation.listen(step.length)?;
    }
    front.heal()?;
    talk.end()?;
    conversation
        .settle()
        .map_err(|failure| format!("{failure}\n{}", last_carried(&front)))?;
    let doubled = steps.iter().any(Step::doubles);
    verdict::check(&conversation, &control, doubled)?;
    Ok(conversation.client().close()?)
}

/// What the last connections carried, for failures.
fn last_carried(front: &Front) -> String {
    const CONNECTIONS: usize = 6;
    const BYTES: usize = 600;
    let (up, down) = (front.from_clients(), front.from_servers());
    let last = up.iter().zip(&down).enumerate();
    let last = last.skip(up.len().saturating_sub(CONNECTIONS));
    let end = |bytes: &[u8]| {
        let shown = &bytes[bytes.len().saturating_sub(BYTES)..];
        String::from_utf8_lossy(shown).into_owned()
    };
    let shown = last.map(|(number, (up, down))| {
        format!(
            "connection {number}: {} bytes up, ending with {:?}; {} bytes down, ending with {:?}",
            up.len(),
            end(up),
            down.len(),
            end(down)
        )
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// A client that gives up soon what does not answer, and tries again soon.
pub(crate) fn persistent<P: Protocol>(builder: ClientBuilder<P>) -> ClientBuilder<P> {
    const SOON: Duration = Duration::from_secs(1);
    let reconnect = Reconnect::default()
        .base(Duration::from_millis(10))
        .cap(Duration::from_millis(200))
        .after_server(true);
    let builder = builder
        .connect_timeout(SOON)
        .close_timeout(SOON)
        .reconnect(reconnect);
    if P::UPGRADES {
        builder.upgrade_timeout(SOON)
    } else {
        builder
    }
}
