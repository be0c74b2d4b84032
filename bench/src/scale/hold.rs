//! The process that holds connections.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sio_core::session::Session;
use sio_core::{Result, Transport};
use sio_net::{Client, EventLoop};

use crate::measure::{Stopwatch, Usage};
use crate::work::{Failure, Outcome, PATIENCE, wrong};

use super::{Driver, Held, allow_files};

/// What a process shall hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Who drives.
    pub driver: Driver,
    /// The server.
    pub url: String,
    /// How many connections.
    pub connections: usize,
    /// For how long.
    pub time: Duration,
    /// How many of them emit all the time.
    pub active: usize,
}

/// Connects, holds, and says what it took.
///
/// # Errors
/// If not all can be connected, or one is lost meanwhile.
pub fn run<P: Session>(order: &Order) -> Outcome<Held> {
    allow_files(order.connections).map_err(Failure::Wrong)?;
    if order.active > order.connections {
        return wrong("more active ones than there are");
    }
    let shared = match order.driver {
        Driver::Loop => Some(EventLoop::new()?),
        Driver::Threads => None,
    };
    let mut clients: Vec<Client<P>> = Vec::with_capacity(order.connections);
    let builder = || Client::<P>::builder(&order.url).transports([Transport::WebSocket]);
    // What the first one loads is none of theirs.
    builder().connect()?.close()?;
    let before = Usage::now().map_err(Failure::Wrong)?;
    let grown = |now: Usage| {
        let kib = now.resident_kib.saturating_sub(before.resident_kib);
        kib as f64 / order.connections as f64
    };
    let connecting = Instant::now();
    for _ in 0..order.connections {
        let builder = match &shared {
            Some(shared) => builder().event_loop(shared),
            None => builder(),
        };
        clients.push(builder.connect()?);
    }
    let connecting_seconds = connecting.elapsed().as_secs_f64();
    let connected = Usage::now().map_err(Failure::Wrong)?;
    let received = |clients: &[Client<P>]| -> u64 {
        let each = clients
            .iter()
            .map(|client| client.counters().packets_received);
        each.sum()
    };
    let packets_before = received(&clients);
    let talk = Talk::default();
    let watch = Stopwatch::start();
    for client in &clients[..order.active] {
        talk.go_on(client)?;
    }
    // The time that was asked for is what is waited for.
    thread::sleep(order.time);
    let took = watch.took();
    let acks = talk.acks.load(Ordering::Acquire);
    let packets = received(&clients) - packets_before;
    let held = Usage::now().map_err(Failure::Wrong)?;
    talk.end(order.active)?;
    if let Some(lost) = clients.iter().position(|client| !client.is_connected()) {
        return wrong(format!("connection {lost} was lost"));
    }
    for client in &clients {
        client.close()?;
    }
    Ok(Held {
        connections: order.connections,
        active: order.active,
        connecting_seconds,
        kib_per_connection: grown(connected),
        kib_at_end: grown(held),
        threads: held.threads,
        seconds: took.wall.as_secs_f64(),
        cpu_seconds: took.cpu.as_secs_f64(),
        packets,
        acks,
    })
}

/// What active connections share.
struct Talk {
    acks: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    /// Each tells once that it has stopped.
    stopped: mpsc::Sender<Result<()>>,
    hears: mpsc::Receiver<Result<()>>,
}

impl Default for Talk {
    fn default() -> Self {
        let (stopped, hears) = mpsc::channel();
        Self {
            acks: Arc::default(),
            is_over: Arc::default(),
            stopped,
            hears,
        }
    }
}

impl Talk {
    /// Emits, and again with each ack, until it is over.
    fn go_on<P: Session>(&self, client: &Client<P>) -> Result<()> {
        let speaker = Speaker {
            client: client.clone(),
            acks: Arc::clone(&self.acks),
            is_over: Arc::clone(&self.is_over),
            stopped: self.stopped.clone(),
        };
        speaker.emit(0)
    }

    /// Ends it, and waits until all have stopped.
    fn end(&self, active: usize) -> Outcome<()> {
        self.is_over.store(true, Ordering::Release);
        for _ in 0..active {
            match self.hears.recv_timeout(PATIENCE) {
                Ok(stopped) => stopped?,
                Err(_) => return wrong("an active connection does not stop"),
            }
        }
        Ok(())
    }
}

/// One active connection.
struct Speaker<P: Session> {
    client: Client<P>,
    acks: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    stopped: mpsc::Sender<Result<()>>,
}

impl<P: Session> Speaker<P> {
    fn emit(self, index: u64) -> Result<()> {
        let client = self.client.clone();
        let then = move |answer: Result<(String, u64)>| {
            let is_over = self.is_over.load(Ordering::Acquire);
            let outcome = match answer {
                Ok(_) if !is_over => {
                    self.acks.fetch_add(1, Ordering::AcqRel);
                    let stopped = self.stopped.clone();
                    match self.emit(index + 1) {
                        Ok(()) => return,
                        Err(error) => (stopped, Err(error)),
                    }
                }
                Ok(_) => (self.stopped, Ok(())),
                Err(error) => (self.stopped, Err(error)),
            };
            let (stopped, outcome) = outcome;
            // Nobody listens any more if it took too long.
            _ = stopped.send(outcome);
        };
        client.emit_with_ack("message", ("hello", index), PATIENCE, then)
    }
}
