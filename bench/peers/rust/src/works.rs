//! The works of the benchmark, by their names; each connects, warms up and times.

use std::sync::mpsc;

use rust_socketio::TransportType;
use serde_json::{Map, Value, json};

use crate::client::{Connection, Incoming, LIMIT, hello};
use crate::measure::{Resident, Stopwatch, warm_up};
use crate::{Failure, Outcome, Request, codec};

pub(crate) fn run(request: &Request) -> Outcome {
    let Request { url, count, .. } = request;
    let extra = |default| request.extra.unwrap_or(default);
    match request.work.as_str() {
        "ack" => one_by_one(url, *count, TransportType::Websocket),
        "polling" => one_by_one(url, *count, TransportType::Polling),
        "window" => window(url, *count, extra(1000)),
        "flood" => flood(url, *count, extra(80)),
        "buffers" => buffers(url, *count, extra(1 << 20)),
        "connect" => connect(url, *count),
        "idle" => idle(url, *count),
        "codec" => codec::run(*count),
        other => Err(Failure::CannotDo(format!("There is no work {other:?}."))),
    }
}

/// Warms up, times and leaves, on one connection.
fn on_one(
    url: &str,
    count: usize,
    transport: TransportType,
    work: impl Fn(&Connection, usize) -> Result<(), Failure>,
) -> Outcome {
    let connection = Connection::open(url, transport)?;
    work(&connection, warm_up(count))?;
    let watch = Stopwatch::start();
    work(&connection, count)?;
    let times = watch.stop();
    connection.close()?;
    Ok(times.line(count))
}

fn one_by_one(url: &str, count: usize, transport: TransportType) -> Outcome {
    on_one(url, count, transport, |connection, count| {
        (0..count).try_for_each(|index| ask(connection, index))
    })
}

fn ask(connection: &Connection, index: usize) -> Result<(), Failure> {
    let answer = connection.ask("message", hello(index))?;
    if answer == hello(index) {
        Ok(())
    } else {
        Err(format!("the answer to {index} is {answer:?}").into())
    }
}

/// The ids of rust_socketio 0.6 are random numbers below 999, so that an answer also runs the callbacks of others that happen
/// to have its id. Each callback still runs once, which is what is counted; how many were wrong is said.
fn window(url: &str, count: usize, size: usize) -> Outcome {
    on_one(url, count, TransportType::Websocket, |connection, count| {
        let (sender, answers) = mpsc::channel();
        let mut wrong = 0;
        let mut take = || -> Result<(), Failure> {
            let is_its_own: bool = answers.recv_timeout(LIMIT)?;
            wrong += usize::from(!is_its_own);
            Ok(())
        };
        for index in 0..count {
            if index >= size {
                take()?;
            }
            let sender = sender.clone();
            connection.emit_with_ack("message", hello(index), move |values| {
                // Nobody counts any more after the limit.
                _ = sender.send(values == hello(index));
            })?;
        }
        for _ in 0..count.min(size) {
            take()?;
        }
        if wrong > 0 {
            eprintln!("{wrong} of {count} callbacks were given another emit's answer");
        }
        Ok(())
    })
}

/// Timed until the last event is there.
fn flood(url: &str, count: usize, size: usize) -> Outcome {
    let connection = Connection::open(url, TransportType::Websocket)?;
    let warming = warm_up(count);
    if warming > 0 {
        burst(&connection, warming, size)?;
    }
    let times = burst(&connection, count, size)?;
    connection.close()?;
    Ok(times)
}

fn burst(connection: &Connection, count: usize, size: usize) -> Outcome {
    let (sender, ended) = mpsc::channel();
    let watch = Stopwatch::start();
    let wanted = json!({ "count": count, "size": size, "gap": 0 });
    connection.emit_with_ack("burst", vec![wanted], move |values| {
        // Nobody waits any more after the limit.
        _ = sender.send(values);
    })?;
    for index in 0..count {
        match connection.receive()? {
            Incoming::Tick(Some(tick)) if tick == (index as u64, size) => {}
            Incoming::Tick(tick) => return Err(format!("{tick:?} came as event {index}").into()),
            _ => return Err("something else than an event came".into()),
        }
    }
    let times = watch.stop();
    // It comes behind the last event, so that nothing is left over.
    let told = ended.recv_timeout(LIMIT)?;
    if told != [json!(count)] {
        return Err(format!("the server sent {told:?} of {count} events").into());
    }
    Ok(times.line(count))
}

/// Sent and sent back as an event, for rust_socketio cannot ask for an ack to bytes.
fn buffers(url: &str, count: usize, size: usize) -> Outcome {
    eprintln!("rust_socketio cannot ask for an ack to bytes: they go and come back as events");
    let buffer = bytes::Bytes::from(vec![7; size]);
    let mut line = on_one(url, count, TransportType::Websocket, |connection, count| {
        (0..count).try_for_each(|_| {
            connection.send_bytes(buffer.clone())?;
            match connection.receive()? {
                Incoming::Bytes(length) if length == size => Ok(()),
                Incoming::Bytes(length) => Err(format!("{length} bytes came back").into()),
                _ => Err("something else than bytes came back".into()),
            }
        })
    })?;
    line.insert("bytes".to_owned(), size.into());
    Ok(line)
}

fn connect(url: &str, count: usize) -> Outcome {
    let visits = |times| {
        (0..times).try_for_each(|index| {
            let connection = Connection::open(url, TransportType::Websocket)?;
            ask(&connection, index)?;
            connection.close()
        })
    };
    visits(warm_up(count))?;
    let watch = Stopwatch::start();
    visits(count)?;
    Ok(watch.stop().line(count))
}

fn idle(url: &str, count: usize) -> Outcome {
    let first = Connection::open(url, TransportType::Websocket)?;
    let before = Resident::now()?;
    let connections = (0..count)
        .map(|_| Connection::open(url, TransportType::Websocket))
        .collect::<Result<Vec<_>, _>>()?;
    let after = Resident::now()?;
    let growth = after.kib.saturating_sub(before.kib) as f64 / count as f64;
    drop((first, connections));
    Ok(Map::from_iter([
        ("count".to_owned(), count.into()),
        ("kib_per_connection".to_owned(), growth.into()),
        ("threads".to_owned(), Value::from(after.threads)),
    ]))
}
