//! An hour of questions that nobody answers, on a virtual clock: manager and session without a network.

use std::time::Instant;

use sio_core::manager::{Ask, Effect, Emit, Expiry, Manager, ROOT_ID, Settings};
use sio_core::session::{Input, Io, Session};
use sio_core::{Bounds, Encoded, Reconnect, Result, Status, Transport};

use crate::alone::resident_bytes;
use crate::scenario::{SECOND, config};

/// How many questions are asked in each second.
const EACH_SECOND: u32 = 20;

/// How long each may wait, in seconds.
const LIMIT: u32 = 10;

/// What the hour may add to the memory after its first five minutes: a question kept would be 100 bytes and more, of 66,000.
const NOISE: usize = 2 << 20;

/// Asks for an hour. `server` says what comes back for an effect on the network, and what comes by itself each second
/// (`None`); it answers no question. Each question times out once, in order, when its time has passed; memory stays flat.
///
/// To be run in a process of its own.
///
/// # Panics
/// When it is not so.
pub fn unanswered<P: Session>(server: impl Fn(Option<&Io>) -> Vec<Input>) {
    let mut config = config::<P>();
    config.transports = vec![Transport::WebSocket];
    let mut manager = Manager::<P, u32>::new(Settings {
        connect_timeout: 20 * SECOND,
        queue: Bounds::default(),
        manual_flush: false,
        reconnect: Reconnect::off(),
        seed: 0,
        handshake_timeout: None,
        keep_open: false,
    });
    let mut now = Instant::now();
    let mut asked = 0;
    let (mut told, mut connected, mut warm) = (0, false, 0);
    manager.open(ROOT_ID, now).unwrap();
    for second in 0..3600 {
        if connected {
            for input in server(None) {
                manager.handle_input(input, now);
            }
            for _ in 0..EACH_SECOND {
                let mut emit = Emit::new(Encoded::event("q", &"why?").unwrap());
                emit.ask = Some(Ask {
                    waiter: asked,
                    expiry: Expiry::new(now, LIMIT * SECOND),
                });
                manager.emit(ROOT_ID, emit, now).unwrap();
                asked += 1;
            }
        }
        let end = now + SECOND;
        loop {
            while let Some(effect) = manager.poll_effect(now) {
                match effect {
                    Effect::Prepare { .. } => manager.prepared(Ok(config.clone()), now),
                    Effect::Io(io) => {
                        for input in server(Some(&io)) {
                            manager.handle_input(input, now);
                        }
                    }
                    Effect::Status(_, Status::Connected { .. }) => connected = true,
                    Effect::Status(_, Status::Disconnected(reason)) => {
                        panic!("disconnected after {second} s: {reason}")
                    }
                    Effect::Outcome(waiter, outcome) => {
                        assert_eq!(waiter, told, "each once, in order");
                        assert!(is_timeout(&outcome), "{outcome:?}");
                        told += 1;
                    }
                    _ => {}
                }
            }
            match manager.poll_timeout() {
                Some(due) if due <= end => {
                    now = due.max(now);
                    manager.handle_timeout(now);
                }
                _ => break,
            }
        }
        now = end;
        if second == 300 {
            warm = resident_bytes();
        }
    }
    assert!(asked > 3500 * EACH_SECOND, "{asked}");
    assert!(
        asked - told <= (LIMIT + 1) * EACH_SECOND,
        "{told} of {asked}"
    );
    assert_eq!(manager.backlog(), 0, "all was sent");
    let grown = resident_bytes().saturating_sub(warm);
    println!(
        "{told} of {asked} timed out; {} kB, grown by {} kB",
        warm >> 10,
        grown >> 10
    );
    assert!(grown < NOISE, "memory grew by {grown}");
}

fn is_timeout<T>(outcome: &Result<T>) -> bool {
    outcome.as_ref().is_err_and(sio_core::Error::is_timeout)
}
