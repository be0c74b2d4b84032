//! Our clients: one program for both protocols, as a program would be written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use serde_json::json;
use sio_core::session::Session;
use sio_core::{Error, Result, Transport};
use sio_net::{Client, ClientBuilder};

use super::each;
use crate::measure::{Stopwatch, Took, Usage};
use crate::work::{Failure, Line, Outcome, PATIENCE, Task, Work, wrong};

/// A protocol that has both of our clients' settings.
pub trait Protocol: Session {
    /// Whether payloads may have bytes.
    const HAS_BYTES: bool;
}

impl Protocol for sio_v1::Session {
    const HAS_BYTES: bool = true;
}

impl Protocol for sio_legacy::Session {
    const HAS_BYTES: bool = false;
}

/// Does a task.
///
/// # Errors
/// If there is no such work, or it fails.
pub fn run<P: Protocol>(task: &Task) -> Outcome {
    match task.work {
        Work::Ack => acks::<P>(task, Transport::WebSocket),
        Work::Polling => acks::<P>(task, Transport::Polling),
        Work::Window => window::<P>(task),
        Work::Flood => flood::<P>(task),
        Work::Buffers if !P::HAS_BYTES => Err(Failure::Cannot("0.9 has no bytes".into())),
        Work::Buffers => buffers::<P>(task),
        Work::Connect => connect::<P>(task),
        Work::Idle => idle::<P>(task),
        Work::Codec => Err(Failure::Cannot(
            "the codecs are measured by `cargo bench -p sio-bench`".into(),
        )),
    }
}

fn builder<P: Session>(task: &Task, transport: Transport) -> ClientBuilder<P> {
    Client::builder(&task.url).transports([transport])
}

fn ask<P: Session>(client: &Client<P>, index: usize) -> Outcome<()> {
    let (text, same): (String, usize) = client.call("message", ("hello", index), PATIENCE)?;
    if text != "hello" || same != index {
        return wrong(format!("{index} was answered with {same}"));
    }
    Ok(())
}

fn acks<P: Session>(task: &Task, transport: Transport) -> Outcome {
    let client = builder::<P>(task, transport).connect()?;
    let took = each(task, |index| ask(&client, index))?;
    client.close()?;
    Ok(Line::timed(task, took))
}

fn window<P: Session>(task: &Task) -> Outcome {
    let client = builder::<P>(task, Transport::WebSocket).connect()?;
    emit_all(&client, task.warm_up(), task.extra)?;
    let watch = Stopwatch::start();
    emit_all(&client, task.count, task.extra)?;
    let took = watch.took();
    client.close()?;
    Ok(Line::timed(task, took))
}

/// Emits so many, at most `window` of them unanswered.
fn emit_all<P: Session>(client: &Client<P>, count: usize, window: usize) -> Outcome<()> {
    let answered = Arc::new(AtomicUsize::new(0));
    let wrong_ones = Arc::new(AtomicUsize::new(0));
    let emitter = thread::current();
    for index in 0..count {
        // Half a window is a pause worth taking: else the emitter is woken for each answer.
        if index - answered.load(Ordering::Acquire) >= window {
            wait_for(&answered, index - window / 2)?;
        }
        let answered = Arc::clone(&answered);
        let wrong_ones = Arc::clone(&wrong_ones);
        let emitter = emitter.clone();
        let then = move |answer: Result<(String, usize)>| {
            if !answer.is_ok_and(|(text, same)| text == "hello" && same == index) {
                wrong_ones.fetch_add(1, Ordering::Release);
            }
            let so_far = answered.fetch_add(1, Ordering::AcqRel) + 1;
            if so_far.is_multiple_of((window / 2).max(1)) || so_far == count {
                emitter.unpark();
            }
        };
        client.emit_with_ack("message", ("hello", index), PATIENCE, then)?;
    }
    wait_for(&answered, count)?;
    match wrong_ones.load(Ordering::Acquire) {
        0 => Ok(()),
        wrong_ones => wrong(format!("{wrong_ones} of {count} answers are wrong")),
    }
}

fn wait_for(answered: &AtomicUsize, enough: usize) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    while answered.load(Ordering::Acquire) < enough {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return wrong("no answers came any more");
        }
        thread::park_timeout(left);
    }
    Ok(())
}

fn flood<P: Session>(task: &Task) -> Outcome {
    let (sender, ended) = mpsc::channel();
    let (size, mut expected) = (task.extra, 0);
    let mut of_this = task.warm_up();
    let later = task.count;
    let hear = move |(index, text): (usize, String)| {
        let is_right = index == expected && text.len() == size;
        expected += 1;
        if !is_right || expected == of_this {
            // Nobody waits any more if it took too long.
            _ = sender.send(is_right);
            expected = 0;
            of_this = later;
        }
    };
    let client = builder::<P>(task, Transport::WebSocket)
        .on("tick", hear)
        .connect()?;
    let burst = |count: usize| -> Outcome<Took> {
        let watch = Stopwatch::start();
        if count > 0 {
            client.emit("burst", json!({"count": count, "size": size, "gap": 0}))?;
            match ended.recv_timeout(PATIENCE) {
                Ok(true) => {}
                Ok(false) => return wrong("a tick is not the one that comes next"),
                Err(_) => return wrong("the last tick did not come"),
            }
        }
        Ok(watch.took())
    };
    burst(task.warm_up())?;
    let took = burst(task.count)?;
    client.close()?;
    Ok(Line::timed(task, took))
}

fn buffers<P: Session>(task: &Task) -> Outcome {
    let client = builder::<P>(task, Transport::WebSocket).connect()?;
    let buffer = Bytes::from(vec![7; task.extra]);
    let there_and_back = |count: usize| -> Outcome<Took> {
        let watch = Stopwatch::start();
        for _ in 0..count {
            let back: Bytes = client.call("message", buffer.clone(), PATIENCE)?;
            if back.len() != buffer.len() {
                return wrong(format!("{} bytes came back", back.len()));
            }
        }
        Ok(watch.took())
    };
    there_and_back(task.warm_up())?;
    let took = there_and_back(task.count)?;
    client.close()?;
    Ok(Line::timed(task, took))
}

fn connect<P: Session>(task: &Task) -> Outcome {
    let once = |index| -> Outcome<()> {
        let client = builder::<P>(task, Transport::WebSocket).connect()?;
        ask(&client, index)?;
        Ok(client.close()?)
    };
    Ok(Line::timed(task, each(task, once)?))
}

fn idle<P: Session>(task: &Task) -> Outcome {
    let mut clients = Vec::with_capacity(task.count + 1);
    clients.push(builder::<P>(task, Transport::WebSocket).connect()?);
    let before = Usage::now().map_err(Failure::Wrong)?;
    for _ in 0..task.count {
        clients.push(builder::<P>(task, Transport::WebSocket).connect()?);
    }
    let after = Usage::now().map_err(Failure::Wrong)?;
    let grown = after.resident_kib.saturating_sub(before.resident_kib);
    let line = Line::Idle {
        work: task.work,
        count: task.count,
        kib_per_connection: grown as f64 / task.count as f64,
        threads: after.threads,
    };
    clients.iter().try_for_each(|client| match client.close() {
        // It is over anyway.
        Err(Error::Disconnected(_)) => Ok(()),
        closed => closed,
    })?;
    Ok(line)
}
