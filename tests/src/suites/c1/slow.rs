//! C1.9: handlers and receivers that are slow.

use super::*;

/// What the server sends at once, `tick-end` included; far more than may wait.
const FLOOD: usize = 101;
/// What may wait.
const BOUND: usize = 10;

/// Has the server send the flood; returns when all of it has come.
fn flood<P: Protocol>(cx: &Context<P>, client: &Client<P>, size: usize) -> Outcome {
    let before = client.counters().events;
    client.emit("burst", json!({"count": FLOOD - 1, "size": size}))?;
    cx.eventually("the flood", || {
        client.counters().events == before + FLOOD as u64
    })
}

/// The numbers of the ticks, and `FLOOD - 1` for their end.
fn numbers(events: &[Seen]) -> Vec<usize> {
    let number = |(name, values): &Seen| match name.as_str() {
        "tick" => values
            .first()
            .and_then(Value::as_u64)
            .map(|index| index as usize),
        "tick-end" => Some(FLOOD - 1),
        _ => None,
    };
    events.iter().filter_map(number).collect()
}

/// What is left of the flood under a policy.
fn survivors(policy: Overflow) -> Vec<usize> {
    match policy {
        Overflow::DropOldest => (FLOOD - BOUND..FLOOD).collect(),
        _ => (0..BOUND).collect(),
    }
}

/// A handler of `block` that returns only when it is told to.
struct Blocked<P: Protocol> {
    client: Client<P>,
    entered: mpsc::Receiver<()>,
    release: mpsc::Sender<()>,
}

impl<P: Protocol> Blocked<P> {
    fn connect(cx: &Context<P>, builder: ClientBuilder<P>) -> Outcome<Self> {
        let (enter, entered) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let builder = builder.on("block", move || {
            // Without a listener the case is over, and so is the patience.
            _ = enter.send(());
            _ = released.recv_timeout(2 * PATIENCE);
        });
        let client = builder.connect()?;
        cx.settle(&client)?;
        handled(&client)?;
        Ok(Self {
            client,
            entered,
            release,
        })
    }

    /// Blocks, has the flood sent, and lets go; returns when all handlers have run.
    fn flood(&self, cx: &Context<P>, size: usize) -> Outcome {
        self.client.emit("emit", "block")?;
        self.entered
            .recv_timeout(PATIENCE)
            .map_err(|_| "the handler did not run")?;
        let flooded = flood(cx, &self.client, size);
        self.release.send(()).map_err(|_| "the handler is gone")?;
        flooded?;
        handled(&self.client)
    }
}

pub(in crate::suites) fn c1_9<P: Protocol>(cx: &Context<P>) -> Outcome {
    for policy in [Overflow::DropNewest, Overflow::DropOldest] {
        let (log, errors) = (Log::<Seen>::new(), Log::new());
        let told = errors.clone();
        let builder = cx
            .builder()
            .inbox(Bounds::inbox().count(BOUND).overflow(policy))
            .on_any(log.watcher())
            .on_error(move |error| told.push(error.clone()));
        let blocked = Blocked::connect(cx, builder)?;
        let dropped = (FLOOD - BOUND) as u64;
        for round in 1..=2 {
            let before = log.seen().len();
            blocked.flood(cx, 0)?;
            ensure_eq!(
                numbers(&log.seen()[before..]),
                survivors(policy),
                "what the handler got under {policy:?}"
            );
            // Each shortage is told once.
            let told = errors.seen();
            ensure_eq!(told.len(), round, "errors under {policy:?}");
            is_overflow(&told[round - 1], "the handlers")?;
            let counted = blocked.client.counters().dropped_events;
            ensure_eq!(counted, round as u64 * dropped, "events given up");
        }
        cx.exchange(&blocked.client)?;
        blocked.client.close()?;
    }
    Ok(())
}

fn is_overflow(error: &Error, who: &str) -> Outcome {
    ensure!(
        matches!(error, Error::Overflow { taker, events: BOUND, .. } if *taker == who),
        "the error is: {}",
        error.chain()
    );
    Ok(())
}

pub(in crate::suites) fn c1_9b<P: Protocol>(cx: &Context<P>) -> Outcome {
    for policy in [Overflow::DropNewest, Overflow::DropOldest] {
        let errors = Log::new();
        let told = errors.clone();
        let client = cx
            .builder()
            .inbox(Bounds::inbox().count(BOUND).overflow(policy))
            .on_error(move |error| told.push(error.clone()))
            .connect()?;
        cx.settle(&client)?;
        handled(&client)?;
        let mut slow = client.events();
        let dropped = (FLOOD - BOUND) as u64;
        for round in 1..=2 {
            flood(cx, &client, 0)?;
            handled(&client)?;
            ensure_eq!(slow.lost(), round * dropped, "events that it lost");
            let mut pulled = Vec::new();
            while let Ok(event) = slow.try_recv() {
                pulled.push(seen(&event)?);
            }
            ensure_eq!(pulled.len(), BOUND, "events that it got");
            ensure_eq!(numbers(&pulled), survivors(policy), "what it got");
        }
        // The handlers may have been slow as well.
        let of_receiver = |error: &Error| is_overflow(error, "a receiver").is_ok();
        let told = errors
            .seen()
            .iter()
            .filter(|error| of_receiver(error))
            .count();
        ensure_eq!(told, 2, "errors, one for each shortage, under {policy:?}");
        client.close()?;
    }
    Ok(())
}

pub(in crate::suites) fn c1_9c<P: Protocol>(cx: &Context<P>) -> Outcome {
    let log = StatusLog::new();
    let builder = cx
        .builder()
        .reconnect(quick())
        .inbox(Bounds::inbox().count(BOUND).overflow(Overflow::Error))
        .on_status(log.watcher());
    let client = builder.connect()?;
    cx.settle(&client)?;
    handled(&client)?;
    let mut slow = client.events();
    let before = client.id();
    client.emit("burst", json!({"count": FLOOD - 1}))?;
    let reason = log.wait_for("the loss", |status| match status {
        Status::Disconnected(reason) => Some(reason.clone()),
        _ => None,
    })?;
    ensure!(
        matches!(&reason, DisconnectReason::Error(error) if matches!(**error, Error::Overflow { .. })),
        "it was lost with {reason:?}"
    );
    // As long as nothing is taken, what the server says to a client that comes back is too much again.
    let mut pulled = Vec::new();
    while let Ok(event) = slow.try_recv() {
        pulled.push(seen(&event)?);
    }
    ensure_eq!(numbers(&pulled), survivors(Overflow::Error), "what it got");
    wait_back(&log, 1)?;
    cx.eventually("a connection that stays", || client.is_connected())?;
    is_anew(cx, &client, before)?;
    Ok(client.close()?)
}

pub(in crate::suites) fn c1_9d<P: Protocol>(cx: &Context<P>) -> Outcome {
    const SIZE: usize = 1000;
    let log = Log::<Seen>::new();
    let builder = cx
        .builder()
        .inbox(Bounds::inbox().bytes(BOUND * SIZE))
        .on_any(log.watcher());
    let blocked = Blocked::connect(cx, builder)?;
    let mut slow = blocked.client.events();
    let before = log.seen().len();
    blocked.flood(cx, SIZE)?;
    let mut pulled = Vec::new();
    while let Ok(event) = slow.try_recv() {
        pulled.push(seen(&event)?);
    }
    for kept in [&log.seen()[before..], &pulled] {
        let ticks = kept.iter().filter(|(name, _)| name == "tick").count();
        // Each is a little longer than its text.
        ensure_eq!(ticks, BOUND - 1, "ticks of {SIZE} bytes that were kept");
    }
    Ok(blocked.client.close()?)
}
