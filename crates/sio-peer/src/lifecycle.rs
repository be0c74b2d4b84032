//! Opening, losing, closing and dropping, in every order and from every thread; the same in both protocols.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sio_core::{ConnectionState, DisconnectReason, Error, Reconnect, Status};
use sio_net::{Client, ClientBuilder, WeakClient};

use crate::bytes::Dice;
use crate::client::websocket_only;
use crate::host::Host;
use crate::wait::{PATIENCE, background, eventually, next};
use crate::words::Words;

/// Longer than anything takes that does not hang.
const SOON: Duration = Duration::from_secs(5);

/// At once, again and again, without chance.
#[must_use]
pub fn eager() -> Reconnect {
    Reconnect::default()
        .base(Duration::from_millis(1))
        .cap(Duration::from_millis(5))
        .jitter(0.0)
}

/// A client of this host that is not connected yet.
pub fn builder<W: Words>(host: &Host<W>) -> ClientBuilder<W::Protocol> {
    let builder = websocket_only(Client::builder(&host.url()))
        .reconnect(eager())
        .close_timeout(Duration::from_millis(300));
    W::configured(builder)
}

/// A status handler opens what a close has just ended: neither the close nor what comes later waits for ever.
pub fn a_handler_that_opens_again_does_not_hold_up_the_close<W: Words>() {
    let host = Host::<W>::new();
    let slot: Arc<Mutex<Option<WeakClient<W::Protocol>>>> = Arc::default();
    let of_handler = Arc::clone(&slot);
    let (sender, opened) = mpsc::channel();
    let client = builder(&host)
        .on_status(move |status| {
            if let Status::Disconnected(_) = status {
                let weak = of_handler.lock().unwrap().clone();
                if let Some(client) = weak.and_then(|weak| weak.upgrade()) {
                    // The test may be over.
                    let _ = sender.send(client.open());
                }
            }
        })
        .build()
        .unwrap();
    *slot.lock().unwrap() = Some(client.downgrade());
    for _ in 0..20 {
        client.open().unwrap();
        let closing = client.clone();
        background("closing", move || closing.close())
            .join()
            .unwrap();
        next("the handler's open", &opened).unwrap();
        eventually("the connection", SOON, || client.is_connected());
    }
    *slot.lock().unwrap() = None;
    client.close().unwrap();
    assert_eq!(client.state(), ConnectionState::Disconnected);
}

/// Threads that open, close, disconnect, emit, ask, look, lose and drop, with no order: everybody comes back.
pub fn threads_in_any_order_all_come_back<W: Words>(rounds: usize) {
    for round in 0..rounds {
        let host = Arc::new(Host::<W>::new());
        let outcomes = Arc::new(AtomicUsize::new(0));
        let asked = Arc::new(AtomicUsize::new(0));
        let client = builder(&host).on("x", || {}).build().unwrap();
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let (client, host) = (client.clone(), Arc::clone(&host));
                let (outcomes, asked) = (Arc::clone(&outcomes), Arc::clone(&asked));
                let mut dice =
                    Dice((round as u64 * 4 + number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
                background("a thread of the program", move || {
                    for _ in 0..40 {
                        act(&client, &host, &mut dice, &outcomes, &asked);
                        match dice.roll(4) {
                            0 => thread::yield_now(),
                            1 => thread::sleep(Duration::from_micros(dice.roll(300) as u64)),
                            _ => {}
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join();
        }
        let last = background("closing at the end", {
            let client = client.clone();
            move || client.close()
        });
        last.join().unwrap();
        assert_eq!(client.state(), ConnectionState::Disconnected);
        let reason = background("waiting for the end", {
            let client = client.clone();
            move || client.wait()
        });
        assert!(matches!(
            reason.join(),
            DisconnectReason::Client | DisconnectReason::NotYet
        ));
        eventually("an outcome of every ack", PATIENCE, || {
            outcomes.load(Ordering::Acquire) == asked.load(Ordering::Acquire)
        });
    }
}

/// One thing that a program does.
fn act<W: Words>(
    client: &Client<W::Protocol>,
    host: &Host<W>,
    dice: &mut Dice,
    outcomes: &Arc<AtomicUsize>,
    asked: &AtomicUsize,
) {
    const LIMIT: Duration = Duration::from_secs(1);
    match dice.roll(12) {
        0 | 1 => {
            // Whoever closes meanwhile is the reason of a failure.
            let _ = client.open();
        }
        2 => client.close().unwrap(),
        3 => client.disconnect().unwrap(),
        4 => host.cut_all(),
        5 => {
            let _ = client.call::<_, ()>("q", (), Duration::from_millis(20));
        }
        6 | 7 => {
            let outcomes = Arc::clone(outcomes);
            let taken = client.emit_with_ack("q", (), LIMIT, move |_: sio_core::Result<()>| {
                outcomes.fetch_add(1, Ordering::AcqRel);
            });
            if taken.is_ok() {
                asked.fetch_add(1, Ordering::AcqRel);
            }
        }
        8 => {
            let _ = client.namespace("/a").timeout(LIMIT).join();
        }
        9 => {
            let id = client.on("y", || {});
            client.off(id);
        }
        10 => drop(client.clone()),
        _ => {
            let _ = client.emit("x", ());
        }
    }
}

/// Ten threads open one client: all have the one connection.
pub fn ten_threads_open_one_connection<W: Words>() {
    let host = Host::<W>::new();
    let client = builder(&host).build().unwrap();
    for _ in 0..20 {
        let before = host.sessions();
        let threads: Vec<_> = (0..10)
            .map(|_| {
                let client = client.clone();
                background("opening", move || client.open())
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(host.sessions(), before + 1);
        client.close().unwrap();
    }
}

/// Built and dropped, or closed, without ever being open.
pub fn what_was_never_opened_ends_without_a_trace<W: Words>() {
    let host = Host::<W>::new();
    for _ in 0..100 {
        let client = builder(&host).on("x", || {}).build().unwrap();
        assert_eq!(client.state(), ConnectionState::Disconnected);
        assert!(matches!(client.wait(), DisconnectReason::NotYet));
        client.close().unwrap();
        client.disconnect().unwrap();
        let error = client.emit("x", ()).unwrap_err();
        assert!(
            matches!(error, Error::Disconnected(DisconnectReason::NotYet)),
            "{error:?}"
        );
        drop(client);
    }
    assert_eq!(host.sessions(), 0);
}

/// The last handle goes while threads of the connection are anywhere; nothing is left of it.
pub fn dropped_at_any_moment_everything_ends<W: Words>(rounds: usize) {
    let host = Host::<W>::new();
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for round in 0..rounds {
        let client = builder(&host).on("x", || {}).build().unwrap();
        let weak = client.downgrade();
        let opening = background("opening", move || client.open());
        let nap = Duration::from_micros(dice.roll(1500) as u64);
        thread::sleep(nap);
        if dice.roll(2) == 0 {
            host.cut_all();
        }
        if let Some(client) = weak.upgrade() {
            drop(client.emit_with_ack("q", (), SOON, |_: sio_core::Result<()>| {}));
        }
        let start = Instant::now();
        // The cut may have met the connection before it was usable.
        drop(opening.join());
        assert!(start.elapsed() < SOON, "round {round}");
    }
}

/// Callbacks given to a client that has no thread for them yet, or none any more: each runs once.
pub fn callbacks_given_at_any_moment_run_once<W: Words>(rounds: usize) {
    let host = Arc::new(Host::<W>::new());
    let outcomes = Arc::new(AtomicUsize::new(0));
    let mut asked = 0;
    for round in 0..rounds {
        let client = builder(&host).build().unwrap();
        let asking: Vec<_> = (0..2)
            .map(|_| {
                let (client, outcomes) = (client.clone(), Arc::clone(&outcomes));
                background("asking", move || {
                    let mut asked = 0;
                    let mut has_begun = false;
                    while asked < 20 {
                        let outcomes = Arc::clone(&outcomes);
                        let taken =
                            client.emit_with_ack("q", (), SOON, move |_: sio_core::Result<()>| {
                                outcomes.fetch_add(1, Ordering::AcqRel);
                            });
                        match taken {
                            Ok(()) => {
                                has_begun = true;
                                asked += 1;
                            }
                            Err(Error::Disconnected(DisconnectReason::NotYet)) if !has_begun => {}
                            Err(_) => break,
                        }
                    }
                    asked
                })
            })
            .collect();
        client.open().unwrap();
        if round % 2 == 0 {
            host.say(host.sessions() - 1, &W::event("/", "x"));
        }
        client.close().unwrap();
        for thread in asking {
            asked += thread.join();
        }
        eventually("an outcome of every ack", SOON, || {
            outcomes.load(Ordering::Acquire) == asked
        });
    }
    assert!(asked > 0);
}

/// A handler registered while another thread opens the connection runs.
pub fn handlers_registered_while_opening_run<W: Words>(rounds: usize) {
    let host = Host::<W>::new();
    for round in 0..rounds {
        let client = builder(&host).build().unwrap();
        let (sender, came) = mpsc::channel();
        let registering = {
            let client = client.clone();
            background("registering", move || {
                client.on("x", move || {
                    // The test may be over.
                    let _ = sender.send(());
                })
            })
        };
        if round % 3 == 0 {
            thread::yield_now();
        }
        client.open().unwrap();
        registering.join();
        host.say(round, &W::event("/", "x"));
        next("the handler's run", &came);
        client.close().unwrap();
    }
}
