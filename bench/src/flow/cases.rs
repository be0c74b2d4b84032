//! The cases.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use sio_core::session::Session;
use sio_core::{Bounds, Error, Transport};
use sio_net::{Client, ClientBuilder};

use crate::client::ours::Protocol;
use crate::work::{Outcome, PATIENCE, wrong};

use super::deaf::deaf_server;
use super::samples::Samples;

const MIB: u64 = 1 << 10;

/// So many events come at once, with texts of that size.
const FLOOD: u64 = 300_000;
const FLOOD_TEXT: usize = 512;
/// How long the handler takes for each.
const HANDLING: Duration = Duration::from_micros(15);
/// What an event takes besides its text, and what allocators keep.
const BESIDES: u64 = 96 * MIB;

/// How long a peer is written to that does not read.
const DEAF: Duration = Duration::from_secs(3);
const DEAF_TEXT: usize = 64 << 10;
/// Less than it takes until 0.9's pacing lets one more frame go to a server that answers nothing.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);
const SEND_BUFFER: u64 = 8 * MIB;

const THREADS: u64 = 25;
const EMITS: u64 = 20_000;
const EMIT_TEXT: usize = 100;

/// What is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// A flood that is faster than its handler.
    SlowHandler,
    /// A peer that reads nothing.
    DeafPeer,
    /// Many threads that emit.
    ManyThreads,
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SlowHandler, Self::DeafPeer, Self::ManyThreads];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SlowHandler => "slow-handler",
            Self::DeafPeer => "deaf-peer",
            Self::ManyThreads => "many-threads",
        }
    }

    /// Runs it; the table, and whether every bound held.
    ///
    /// # Errors
    /// If the case could not be made.
    pub fn run<P: Protocol>(self, url: &str) -> Outcome<(String, bool)> {
        match self {
            Self::SlowHandler => slow_handler::<P>(url),
            Self::DeafPeer => deaf_peer::<P>(),
            Self::ManyThreads => many_threads::<P>(url),
        }
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|case| case.name() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no case {name:?}, only {names}")
        })
    }
}

fn builder<P: Session>(url: &str) -> ClientBuilder<P> {
    Client::builder(url).transports([Transport::WebSocket])
}

/// The lines that say of each bound whether it held.
struct Verdict {
    text: String,
    all_hold: bool,
}

impl Verdict {
    fn of<P: Protocol>(title: &str, samples: &Samples) -> Self {
        let text = format!("### {}: {title}\n\n{}\n", P::NAME, samples.table());
        Self {
            text,
            all_hold: true,
        }
    }

    fn holds(&mut self, sentence: &str, holds: bool) {
        let answer = if holds { "yes" } else { "**no**" };
        self.text.push_str(&format!("- {sentence}: {answer}\n"));
        self.all_hold &= holds;
    }

    /// What waits to be sent is bounded.
    fn sends_within(&mut self, besides: u64, samples: &Samples) {
        self.holds(
            &format!(
                "it grows by no more than {} MiB to be sent and {} MiB besides",
                SEND_BUFFER / MIB,
                besides / MIB
            ),
            samples.most_kib() <= SEND_BUFFER + besides,
        );
    }

    fn end(self) -> (String, bool) {
        (self.text, self.all_hold)
    }
}

fn slow_handler<P: Protocol>(url: &str) -> Outcome<(String, bool)> {
    let bounds = Bounds::inbox();
    let handled = Arc::new(AtomicU64::new(0));
    let told = Arc::new(AtomicU64::new(0));
    let out_of_order = Arc::new(AtomicU64::new(0));
    let mut next = 0;
    let hear = {
        let (handled, out_of_order) = (Arc::clone(&handled), Arc::clone(&out_of_order));
        move |(index, _): (u64, String)| {
            if index < next {
                out_of_order.fetch_add(1, Ordering::AcqRel);
            }
            next = index + 1;
            let until = Instant::now() + HANDLING;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
            handled.fetch_add(1, Ordering::AcqRel);
        }
    };
    // It comes when most is given up, so it may be, too.
    let at_end = Arc::clone(&handled);
    let all = FLOOD + 1;
    let be_told = {
        let told = Arc::clone(&told);
        move |error: &Error| {
            if matches!(error, Error::Overflow { .. }) {
                told.fetch_add(1, Ordering::AcqRel);
            }
        }
    };
    let client = builder::<P>(url)
        .on("tick", hear)
        .on("tick-end", move || {
            at_end.fetch_add(1, Ordering::AcqRel);
        })
        .on_error(be_told)
        .connect()?;
    let mut samples = Samples::begin(&["handled", "given up", "waiting"])?;
    client.emit(
        "burst",
        json!({"count": FLOOD, "size": FLOOD_TEXT, "gap": 0}),
    )?;
    let count = |what: &AtomicU64| what.load(Ordering::Acquire);
    loop {
        let (mut done, mut dropped) = (0, 0);
        samples.look(|| {
            // What came first: what is handled between the looks does not seem to wait.
            let came = client.counters().events;
            dropped = client.counters().dropped_events;
            done = count(&handled);
            vec![done, dropped, came.saturating_sub(done + dropped)]
        })?;
        if done + dropped >= all {
            break;
        }
        if samples.elapsed() > PATIENCE {
            return wrong(format!("{done} handled and {dropped} given up of {all}"));
        }
    }
    let mut verdict = Verdict::of::<P>(
        &format!("{FLOOD} events of {FLOOD_TEXT} characters, {HANDLING:?} for each in the handler"),
        &samples,
    );
    verdict.holds(
        &format!(
            "no more than {} wait, beside the one in the handler",
            bounds.count
        ),
        samples.most(2) <= bounds.count as u64 + 1,
    );
    let most_kib = bounds.bytes as u64 / 1024 + BESIDES;
    verdict.holds(
        &format!(
            "it grows by no more than {} MiB of waiting events and {} MiB besides",
            bounds.bytes >> 20,
            BESIDES / MIB
        ),
        samples.most_kib() <= most_kib,
    );
    verdict.holds("what was handled has its order", count(&out_of_order) == 0);
    let dropped = client.counters().dropped_events;
    verdict.holds(
        "what was given up was told, and all others were handled",
        (dropped > 0) == (count(&told) > 0) && count(&handled) + dropped == all,
    );
    client.close()?;
    Ok(verdict.end())
}

fn deaf_peer<P: Protocol>() -> Outcome<(String, bool)> {
    let url = deaf_server(!P::HAS_BYTES)?;
    let client = builder::<P>(&url)
        .send_timeout(SEND_TIMEOUT)
        .close_timeout(SEND_TIMEOUT)
        .connect()?;
    let taken = Arc::new(AtomicU64::new(0));
    let refused = Arc::new(AtomicU64::new(0));
    let longest = Arc::new(AtomicU64::new(0));
    let mut samples = Samples::begin(&["taken", "refused", "sent, MiB"])?;
    let emitter = {
        let (client, taken) = (client.clone(), Arc::clone(&taken));
        let (refused, longest) = (Arc::clone(&refused), Arc::clone(&longest));
        let text = "x".repeat(DEAF_TEXT);
        thread::spawn(move || -> Result<(), Error> {
            let until = Instant::now() + DEAF;
            while Instant::now() < until {
                let started = Instant::now();
                let counter = match client.emit("sink", &text) {
                    Ok(()) => &taken,
                    Err(Error::Timeout { .. }) => &refused,
                    Err(other) => return Err(other),
                };
                counter.fetch_add(1, Ordering::AcqRel);
                let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                longest.fetch_max(took, Ordering::AcqRel);
            }
            Ok(())
        })
    };
    let count = |what: &AtomicU64| what.load(Ordering::Acquire);
    while !emitter.is_finished() {
        samples.look(|| {
            let sent = client.counters().bytes_sent >> 20;
            vec![count(&taken), count(&refused), sent]
        })?;
        if samples.elapsed() > PATIENCE {
            return wrong("an emit to a peer that does not read never returns");
        }
    }
    let Ok(emitted) = emitter.join() else {
        return wrong("the emitting thread panicked");
    };
    emitted?;
    let volatile = client.emit_volatile("sink", "x".repeat(DEAF_TEXT))?;
    let mut verdict = Verdict::of::<P>(
        &format!(
            "a peer that reads nothing gets {} KiB each",
            DEAF_TEXT >> 10
        ),
        &samples,
    );
    verdict.sends_within(8 * MIB, &samples);
    verdict.holds("emits that find no room are refused", count(&refused) > 0);
    verdict.holds("a volatile emit is given up", !volatile);
    verdict.text.push_str(&format!(
        "- the longest emit took {} ms; it may wait {SEND_TIMEOUT:?}\n",
        count(&longest)
    ));
    client.close()?;
    Ok(verdict.end())
}

fn many_threads<P: Protocol>(url: &str) -> Outcome<(String, bool)> {
    let client = builder::<P>(url).connect()?;
    let emitted = Arc::new(AtomicU64::new(0));
    let mut samples = Samples::begin(&["emitted", "packets sent"])?;
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (client, emitted) = (client.clone(), Arc::clone(&emitted));
            let text = "x".repeat(EMIT_TEXT);
            thread::spawn(move || -> Result<(), Error> {
                for index in 0..EMITS {
                    client.emit("sink", (thread, index, &text))?;
                    emitted.fetch_add(1, Ordering::AcqRel);
                }
                Ok(())
            })
        })
        .collect();
    while !threads.iter().all(thread::JoinHandle::is_finished) {
        samples.look(|| {
            let sent = client.counters().packets_sent;
            vec![emitted.load(Ordering::Acquire), sent]
        })?;
        if samples.elapsed() > PATIENCE {
            return wrong("threads that emit do not come to their end");
        }
    }
    for thread in threads {
        match thread.join() {
            Ok(done) => done?,
            Err(_) => return wrong("an emitting thread panicked"),
        }
    }
    let seconds = samples.elapsed().as_secs_f64();
    let same: u64 = client.call("message", 7, PATIENCE)?;
    let mut verdict = Verdict::of::<P>(
        &format!("{THREADS} threads emit {EMITS} events each"),
        &samples,
    );
    verdict.sends_within(16 * MIB, &samples);
    let sent = client.counters().packets_sent;
    verdict.holds(
        &format!("all {} left, in {seconds:.1} s", THREADS * EMITS),
        same == 7 && sent > THREADS * EMITS,
    );
    client.close()?;
    Ok(verdict.end())
}
