//! The limit: the frames of our clients on a bare socket. No client that uses tungstenite and parses JSON with serde_json
//! can be faster than this, and this does nothing that a client is for.

mod dialect;
mod polling;
mod socket;

use std::io::Write as _;

use tungstenite::{Bytes, Message};

use super::each;
use crate::measure::{Stopwatch, Took, Usage};
use crate::work::{Failure, Line, Outcome, Task, Work, wrong};

pub use dialect::{Dialect, Legacy, V1};
use polling::Poller;
use socket::{Bare, SMALL, USUAL};

/// Does a task.
///
/// # Errors
/// If there is no such work, or it fails.
pub fn run<D: Dialect>(task: &Task) -> Outcome {
    match task.work {
        Work::Ack => acks::<D>(task),
        Work::Window => window::<D>(task),
        Work::Flood => flood::<D>(task),
        Work::Buffers if !D::HAS_BYTES => Err(Failure::Cannot("0.9 has no bytes".into())),
        Work::Buffers => buffers::<D>(task),
        Work::Polling => polls::<D>(task),
        Work::Connect => connect::<D>(task),
        Work::Idle => idle::<D>(task),
        Work::Codec => Err(Failure::Cannot(
            "the codecs' limit is measured by `cargo bench -p sio-bench`".into(),
        )),
    }
}

/// The id of the ack of an event: they count from 1, as those of 0.9.
const fn id(index: usize) -> usize {
    index + 1
}

fn acks<D: Dialect>(task: &Task) -> Outcome {
    let mut socket = Bare::connect::<D>(&task.url, USUAL)?;
    let mut index = 0;
    let mut ask = |count: usize| -> Outcome<Took> {
        let watch = Stopwatch::start();
        for _ in 0..count {
            socket.write(Message::text(D::message(id(index), index)))?;
            socket.flush()?;
            socket.wait_for::<D>(id(index), index)?;
            index += 1;
        }
        Ok(watch.took())
    };
    ask(task.warm_up())?;
    Ok(Line::timed(task, ask(task.count)?))
}

fn window<D: Dialect>(task: &Task) -> Outcome {
    let mut socket = Bare::connect::<D>(&task.url, USUAL)?;
    let mut first = 0;
    let mut all = |count: usize| -> Outcome<Took> {
        let watch = Stopwatch::start();
        let (mut sent, mut answered) = (first, first);
        let end = first + count;
        while answered < end {
            while sent < end && sent - answered < task.extra {
                socket.write(Message::text(D::message(id(sent), sent)))?;
                sent += 1;
            }
            socket.flush()?;
            let enough = sent.min(answered + task.extra.div_ceil(2));
            while answered < enough {
                socket.wait_for::<D>(id(answered), answered)?;
                answered += 1;
            }
        }
        first = end;
        Ok(watch.took())
    };
    all(task.warm_up())?;
    Ok(Line::timed(task, all(task.count)?))
}

fn flood<D: Dialect>(task: &Task) -> Outcome {
    let mut socket = Bare::connect::<D>(&task.url, USUAL)?;
    let mut burst = |count: usize| -> Outcome<Took> {
        let watch = Stopwatch::start();
        if count > 0 {
            socket.write(Message::text(D::burst(count, task.extra)))?;
            socket.flush()?;
        }
        let mut expected = 0;
        while expected < count {
            let packet = socket.text::<D>()?;
            // What else a real server says is of no interest.
            if let Some((index, text)) = D::tick(&packet) {
                if index != expected || text.len() != task.extra {
                    return wrong("a tick is not the one that comes next");
                }
                expected += 1;
            }
        }
        Ok(watch.took())
    };
    burst(task.warm_up())?;
    Ok(Line::timed(task, burst(task.count)?))
}

fn buffers<D: Dialect>(task: &Task) -> Outcome {
    let mut socket = Bare::connect::<D>(&task.url, USUAL)?;
    // The type of an Engine.IO packet, before the bytes.
    let mut frame = vec![7; task.extra + 1];
    frame[0] = 4;
    let frame = Bytes::from(frame);
    let mut index = 0;
    let mut there_and_back = |count: usize| -> Outcome<Took> {
        let watch = Stopwatch::start();
        for _ in 0..count {
            let mut packet = Vec::with_capacity(64);
            write!(
                packet,
                "451-{index}[\"message\",{{\"_placeholder\":true,\"num\":0}}]"
            )?;
            let packet = String::from_utf8(packet)?;
            socket.write(Message::text(packet))?;
            socket.write(Message::binary(frame.clone()))?;
            socket.flush()?;
            let expected = format!("461-{index}[{{\"_placeholder\":true,\"num\":0}}]");
            while socket.text::<D>()? != expected {}
            let back = socket.bytes()?;
            if back.len() != frame.len() {
                return wrong(format!("{} bytes came back", back.len()));
            }
            index += 1;
        }
        Ok(watch.took())
    };
    there_and_back(task.warm_up())?;
    Ok(Line::timed(task, there_and_back(task.count)?))
}

fn polls<D: Dialect>(task: &Task) -> Outcome {
    let mut poller = Poller::connect::<D>(&task.url)?;
    let mut index = 0;
    let mut ask = |count: usize| -> Outcome<Took> {
        let watch = Stopwatch::start();
        for _ in 0..count {
            poller.ask::<D>(id(index), index)?;
            index += 1;
        }
        Ok(watch.took())
    };
    ask(task.warm_up())?;
    Ok(Line::timed(task, ask(task.count)?))
}

fn connect<D: Dialect>(task: &Task) -> Outcome {
    let once = |index: usize| -> Outcome<()> {
        let mut socket = Bare::connect::<D>(&task.url, SMALL)?;
        socket.write(Message::text(D::message(id(0), index)))?;
        socket.flush()?;
        socket.wait_for::<D>(id(0), index)?;
        socket.end::<D>()
    };
    Ok(Line::timed(task, each(task, once)?))
}

fn idle<D: Dialect>(task: &Task) -> Outcome {
    let mut sockets = Vec::with_capacity(task.count + 1);
    sockets.push(Bare::connect::<D>(&task.url, SMALL)?);
    let before = Usage::now().map_err(Failure::Wrong)?;
    for _ in 0..task.count {
        sockets.push(Bare::connect::<D>(&task.url, SMALL)?);
    }
    let after = Usage::now().map_err(Failure::Wrong)?;
    let grown = after.resident_kib.saturating_sub(before.resident_kib);
    Ok(Line::Idle {
        work: task.work,
        count: task.count,
        kib_per_connection: grown as f64 / task.count as f64,
        threads: after.threads,
    })
}
