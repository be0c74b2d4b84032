//! What a client costs: nothing while nothing happens, and nothing once it is over.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sio_core::Result;

use super::{AT_ONCE, Case, Way, Words, connect, read_cue, wait_for_cue};
use crate::alone::{PROMISED, client_threads, cpu_time, open_files, resident_bytes, threads_end};
use crate::child::Ended;
use crate::peer::Peer;
use crate::wait::{PATIENCE, eventually, next};

/// How often a program connects and closes: in batches, each with a peer of its own.
const BATCHES: usize = 50;
const BATCH: usize = 20;

/// After so many batches nothing grows any more that has a final size: allocators' arenas, tables.
const WARM: usize = 10;

/// What the other 800 connections may add to the memory: less than a connection holds in its smallest part.
const CONNECTIONS: usize = 512 << 10;

/// How many questions are asked that nobody answers: one a millisecond, for a minute.
const QUESTIONS: usize = 60_000;

/// What the other 48,000 of them may add: how many wait at the same time differs. Any one kept would be 100 bytes and more.
const WAITING: usize = 3 << 20;

/// For how long nothing happens, and what may be computed meanwhile: the system counts in hundredths of a second.
const IDLE: Duration = Duration::from_secs(1);
const NEXT_TO_NOTHING: Duration = Duration::from_millis(10);

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn cases<W: Words>() -> Vec<Case<W>> {
    const WAYS: &[Way] = &[Way::WebSocket, Way::Polling, Way::Upgraded];
    let case = |name, program, script| Case::<W>::new(name, WAYS, program, script);
    vec![
        case(
            "a_thousand_connections_leave_nothing_behind",
            |program| {
                for _ in 0..BATCHES {
                    let url = read_cue();
                    for _ in 0..BATCH {
                        let builder = program.builder_at::<W>(&url).on("x", || {});
                        builder.connect().unwrap().close().unwrap();
                    }
                    println!("{}", Usage::now());
                }
            },
            |stage| {
                for _ in 0..BATCHES {
                    let mut peer = Peer::new();
                    stage.cues_with(&peer.url());
                    for _ in 0..BATCH {
                        let line = W::welcome(&mut peer, stage.way);
                        W::see_off(&mut peer, line);
                    }
                }
                let ended = stage.ends(0, Duration::ZERO..PATIENCE);
                Usage::stays(&ended, CONNECTIONS);
            },
        ),
        case(
            "a_thousand_failures_to_connect_leave_nothing_behind",
            |program| {
                let before = open_files();
                for _ in 0..BATCHES {
                    for _ in 0..BATCH {
                        let builder = program.builder_at::<W>(NOBODY).on("x", || {});
                        builder.connect().unwrap_err();
                    }
                    // Nobody waits for what a failed connect leaves to its threads.
                    threads_end("connects that failed");
                    eventually("their files to be closed", PROMISED, || {
                        open_files() <= before
                    });
                    println!("{}", Usage::now());
                }
            },
            |stage| {
                let ended = stage.ends(0, Duration::ZERO..2 * PATIENCE);
                Usage::stays(&ended, CONNECTIONS);
            },
        ),
        case(
            "questions_that_nobody_answers_leave_nothing_behind",
            |program| {
                // Little may be on its way, so that what a slow peer has not taken counts for little.
                let client = connect::<W>(program.builder::<W>().send_buffer(64 << 10));
                let (sender, outcomes) = mpsc::channel();
                for _ in 0..BATCHES {
                    let mut asked = 0;
                    for _ in 0..QUESTIONS / BATCHES {
                        let sender = sender.clone();
                        let then = move |outcome: Result<()>| {
                            sender.send(outcome.unwrap_err().is_timeout()).unwrap();
                        };
                        let limit = Duration::from_millis(20);
                        match client.emit_with_ack("q", "why?", limit, then) {
                            Ok(()) => asked += 1,
                            Err(error) => assert!(error.is_timeout(), "{}", error.chain()),
                        }
                    }
                    for _ in 0..asked {
                        assert!(next("an outcome", &outcomes), "it timed out");
                    }
                    println!("{}", Usage::now());
                }
                client.close().unwrap();
                assert!(outcomes.try_recv().is_err(), "an outcome too many");
            },
            |stage| {
                let line = stage.connects();
                W::hear_out(&mut stage.peer, line);
                let ended = stage.ends(0, Duration::ZERO..6 * PATIENCE);
                Usage::stays(&ended, WAITING);
            },
        ),
        case(
            "waiting_computes_nothing",
            |program| {
                let client = connect::<W>(program.builder::<W>().on("x", || {}));
                client.emit("x", ()).unwrap();
                wait_for_cue();
                is_idle("connected");
                drop(client);
            },
            |stage| {
                let mut line = stage.connects();
                stage.hears(&mut line);
                stage.cues();
                let ended = stage.ends(0, IDLE..IDLE + AT_ONCE);
                show(&ended);
            },
        ),
        case(
            "after_the_end_nothing_is_computed",
            |program| {
                let client = connect::<W>(program.builder::<W>().on("x", || {}));
                let _ = client.wait();
                is_idle("ended");
                drop(client);
                let builder = program.builder_at::<W>(NOBODY).on("x", || {});
                builder.connect().unwrap_err();
                is_idle("failed to connect");
            },
            |stage| {
                let line = stage.connects();
                line.cut();
                let ended = stage.ends(0, 2 * IDLE..2 * IDLE + AT_ONCE);
                show(&ended);
            },
        ),
    ]
}

/// Nobody listens here.
const NOBODY: &str = "http://127.0.0.1:1";

/// Asserts that nothing is computed while nothing happens.
#[track_caller]
fn is_idle(what: &str) {
    let before = cpu_time();
    thread::sleep(IDLE); // this long nothing shall happen
    let spent = cpu_time() - before;
    println!("{what}: {spent:?} of {IDLE:?}");
    assert!(spent <= NEXT_TO_NOTHING, "{what}: computed for {spent:?}");
}

/// Shows what a program has found out, for whoever wants to know.
#[track_caller]
fn show(ended: &Ended) {
    assert_eq!(ended.err, "");
    print!("{}", ended.out);
}

/// What a process holds, in a line of text.
#[derive(Debug, Clone, Copy)]
struct Usage {
    threads: usize,
    files: usize,
    kilobytes: usize,
}

impl Usage {
    fn now() -> Self {
        Self {
            threads: client_threads().len(),
            files: open_files(),
            kilobytes: resident_bytes() >> 10,
        }
    }

    /// Asserts that it stays the same when the program is warm, the memory but for some noise.
    #[track_caller]
    fn stays(ended: &Ended, noise: usize) {
        assert_eq!(ended.err, "");
        let lines = ended.out.lines();
        let all: Vec<Self> = lines.map(|line| line.parse().unwrap()).collect();
        let (warm, last) = (all[WARM - 1], all[BATCHES - 1]);
        println!("{warm}; and in the end {last}");
        assert_eq!((last.threads, last.files), (warm.threads, warm.files));
        let grown = last.kilobytes.saturating_sub(warm.kilobytes) << 10;
        assert!(grown < noise, "memory grew by {grown}:\n{}", ended.out);
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            threads,
            files,
            kilobytes,
        } = self;
        write!(f, "{threads} threads, {files} files, {kilobytes} kB")
    }
}

impl FromStr for Usage {
    type Err = ParseIntError;

    fn from_str(line: &str) -> std::result::Result<Self, ParseIntError> {
        let mut numbers = line.split(' ').step_by(2).map(str::parse);
        let mut next = || numbers.next().expect("a number");
        Ok(Self {
            threads: next()?,
            files: next()?,
            kilobytes: next()?,
        })
    }
}
