//! Lost and made again: what the server sees, and what the program; the same in both protocols.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use sio_core::{Bounds, ConnectionState, DisconnectReason, Error, Overflow, Status};

use crate::alone::client_threads;
use crate::client::{Told, calling, watched};
use crate::host::Host;
use crate::lifecycle::{builder, eager};
use crate::wait::{PATIENCE, background, eventually, next, takes};
use crate::words::Words;

/// In which nothing shall happen.
const A_WHILE: Duration = Duration::from_millis(100);

/// The next status that `is_wanted`.
#[track_caller]
pub(crate) fn until(told: &Told, is_wanted: impl Fn(&Status) -> bool) -> Status {
    loop {
        let status = told.status();
        if is_wanted(&status) {
            return status;
        }
    }
}

pub(crate) fn is_back(status: &Status) -> bool {
    matches!(status, Status::Reconnected { .. })
}

/// Lost over and over: each time a new session, everything joined again, and nothing left of those before.
pub fn many_losses_leave_nothing<W: Words>(losses: usize) {
    let host = Host::<W>::new();
    let runs = Arc::new(AtomicUsize::new(0));
    let of_handler = Arc::clone(&runs);
    let (builder, mut told) = watched(builder(&host));
    let client = builder
        .on("x", move || {
            of_handler.fetch_add(1, Ordering::AcqRel);
        })
        .connect()
        .unwrap();
    let chat = client
        .namespace("/chat")
        .query("token", "1")
        .join()
        .unwrap();
    let asked = W::asked("/chat", "token=1");
    let mut threads = 0;
    for loss in 0..losses {
        assert_eq!(host.packets(loss, 1)[0], asked, "in session {loss}");
        eventually("both namespaces", PATIENCE, || {
            client.is_connected() && chat.is_connected()
        });
        host.say(loss, &W::event("/", "x"));
        assert_eq!(told.event().0, "x");
        if loss == 10 {
            threads = client_threads().len();
        }
        host.cut(loss);
        until(&told, is_back);
    }
    eventually("one run of the handler for each event", PATIENCE, || {
        runs.load(Ordering::Acquire) == losses
    });
    eventually("the threads of before", PATIENCE, || {
        client_threads().len() <= threads
    });
    let mut sids: Vec<String> = Vec::new();
    for session in 0..=losses {
        host.when(session, "the session", |hosted| {
            for (target, _) in &hosted.requests {
                let is_old = |sid: &String| target.ends_with(&format!("/{sid}"));
                assert!(!sids.iter().any(is_old), "{target} in session {session}");
            }
            sids.push(hosted.sid.clone());
            Some(())
        });
    }
    assert_eq!(client.counters().reconnects, losses as u64);
    client.close().unwrap();
}

/// So many attempts, and no more; the failure is told once.
pub fn attempts_are_counted_by_the_server_too<W: Words>() {
    let host = Host::<W>::new();
    let (builder, told) = watched(builder(&host).reconnect(eager().attempts(3)));
    let client = builder.connect().unwrap();
    host.refuse(100);
    host.cut(0);
    let failed = until(&told, |status| {
        matches!(status, Status::ReconnectFailed { .. })
    });
    assert!(
        matches!(failed, Status::ReconnectFailed { attempts: 3, .. }),
        "{failed:?}"
    );
    let _ = client.wait();
    assert_eq!(client.state(), ConnectionState::Disconnected);
    assert!(told.statuses.recv_timeout(A_WHILE).is_err(), "told again");
    assert_eq!(host.refusals(), 97);
    host.refuse(0);
    client.open().unwrap();
    assert_eq!(host.sessions(), 2);
    client.close().unwrap();
}

/// Closed while the next attempt is to come: none is made.
pub fn no_attempt_follows_the_close<W: Words>() {
    let host = Host::<W>::new();
    let (builder, told) = watched(builder(&host));
    let client = builder.connect().unwrap();
    host.refuse(1_000_000);
    host.cut(0);
    until(&told, |status| {
        matches!(status, Status::ReconnectError { attempt: 3, .. })
    });
    takes(Duration::ZERO, Duration::from_secs(1), || {
        client.close().unwrap();
    });
    let left = host.refusals();
    let late = told.statuses.try_iter().count();
    assert!(
        told.statuses.recv_timeout(A_WHILE).is_err(),
        "told something after {late} others"
    );
    // One may have been on its way.
    assert!(host.refusals() + 1 >= left, "attempts go on");
}

/// The hook's changes are on every request of the session, and on those of no other.
pub fn the_hook_changes_each_session_anew<W: Words>() {
    let (first, second) = (Host::<W>::new(), Host::<W>::new());
    let url = second.url();
    let client = builder(&first)
        .query("token", "none")
        .before_attempt(move |attempt| {
            let number = attempt.number();
            match number {
                1 => return Err("no token yet".into()),
                2 => panic!("no luck"),
                3 => attempt.set_url(&url)?,
                _ => {}
            }
            attempt.set_query("token", &format!("t{number}"));
            attempt.set_header("X-Number", &number.to_string())?;
            attempt.set_cookie("c", &number.to_string())?;
            Ok(())
        })
        .connect()
        .unwrap();
    let shown = |host: &Host<W>, number: &str| {
        host.when(0, "the session", |hosted| {
            for (target, headers) in &hosted.requests {
                let header = |name: &str| {
                    let found = headers.iter().find(|(other, _)| other == name);
                    found.map(|(_, value)| value.clone())
                };
                assert!(target.contains(&format!("token=t{number}")), "{target}");
                assert!(!target.contains("none"), "{target}");
                assert_eq!(header("x-number").as_deref(), Some(number));
                assert_eq!(header("cookie"), Some(format!("c={number}")));
            }
            Some(())
        });
    };
    shown(&first, "0");
    first.cut(0);
    shown(&second, "3");
    assert_eq!(first.sessions(), 1);
    client.close().unwrap();
}

/// A hook that never returns costs an attempt its time, and nothing else.
pub fn a_hook_that_blocks_for_ever_holds_nothing_up<W: Words>() {
    let host = Host::<W>::new();
    let (release, blocked) = mpsc::channel::<()>();
    let client = builder(&host)
        .connect_timeout(Duration::from_millis(200))
        .before_attempt(move |_| {
            // Until the test is over.
            let _ = blocked.recv();
            Ok(())
        })
        .build()
        .unwrap();
    for _ in 0..2 {
        let error = takes(Duration::ZERO, Duration::from_secs(2), || {
            client.open().unwrap_err()
        });
        assert!(
            matches!(error, Error::Timeout { .. } | Error::Handler { .. }),
            "{error:?}"
        );
    }
    let opening = background("opening", {
        let client = client.clone();
        move || client.open()
    });
    client.close().unwrap();
    drop(opening.join());
    assert_eq!(host.sessions(), 0);
    drop(release);
}

/// What the hook of a connected namespace emits, then what waited, then the rest; the order of each thread is kept.
pub fn the_hook_s_emits_come_first_and_each_thread_s_in_order<W: Words>() {
    const EACH: usize = 200;
    let host = Host::<W>::new();
    let (at_hook, hooked) = mpsc::channel();
    let (builder, told) = watched(builder(&host));
    let client = builder.connect().unwrap();
    let weak = client.downgrade();
    client.on_status(move |status| {
        if let Status::Connected { again: true } = status {
            let client = weak.upgrade().expect("a client");
            // The test may be over.
            let _ = at_hook.send(());
            for number in 0..20 {
                client.emit(&format!("hook-{number}"), ()).unwrap();
                std::thread::yield_now();
            }
        }
    });
    host.refuse(3);
    host.cut(0);
    until(&told, |status| {
        matches!(status, Status::ReconnectError { .. })
    });
    client.emit("waited-0", ()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..3)
        .map(|thread| {
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            background("emitting", move || {
                let mut number = 0;
                while number < EACH || !stop.load(Ordering::Acquire) {
                    client
                        .emit(&format!("thread{thread}-{number}"), ())
                        .unwrap();
                    number += 1;
                    std::thread::yield_now();
                }
                number
            })
        })
        .collect();
    next("the hook", &hooked);
    until(&told, is_back);
    stop.store(true, Ordering::Release);
    let count: usize = threads.into_iter().map(|thread| thread.join()).sum();
    let packets = host.packets(1, count + 21);
    assert_eq!(packets.len(), count + 21, "each once");
    for (index, packet) in packets.iter().take(20).enumerate() {
        assert_eq!(*packet, W::event("/", &format!("hook-{index}")));
    }
    for name in ["thread0", "thread1", "thread2"] {
        let of_thread = packets.iter().filter(|packet| packet.contains(name));
        for (number, packet) in of_thread.enumerate() {
            assert_eq!(*packet, W::event("/", &format!("{name}-{number}")));
        }
    }
    client.close().unwrap();
}

/// A question that was out is an error; one that waits has its answer from the next session.
pub fn a_call_s_one_outcome_is_of_its_own_session<W: Words>() {
    let host = Host::<W>::new();
    let (builder, told) = watched(builder(&host));
    let client = builder.connect().unwrap();
    host.refuse(1);
    let lost = calling(&client, "cut", PATIENCE);
    // Which of the two comes first, nobody knows.
    host.cut(0);
    let outcome = lost.join();
    assert!(
        matches!(outcome, Err(Error::Disconnected(_) | Error::Decode { .. })),
        "{outcome:?}"
    );
    until(&told, is_back);
    host.refuse(2);
    host.cut(1);
    until(&told, |status| matches!(status, Status::Disconnected(_)));
    let waiting = background("a call", {
        let client = client.clone();
        move || client.call::<_, ()>("q", (), PATIENCE)
    });
    waiting.join().unwrap();
    let packets = host.packets(2, 1);
    assert!(packets[0].contains("\"q\""), "{packets:?}");
    client.close().unwrap();
}

/// The server disconnects this client: it comes back only if it shall.
pub fn the_server_s_disconnect_is_the_end_unless_told_otherwise<W: Words>() {
    let host = Host::<W>::new();
    let client = builder(&host).connect().unwrap();
    host.say(0, &W::kicked("/"));
    let reason = background("the end", move || client.wait()).join();
    assert!(matches!(reason, DisconnectReason::Server), "{reason:?}");

    let (builder, told) = watched(builder(&host).reconnect(eager().after_server(true)));
    let client = builder.connect().unwrap();
    for session in 1..5 {
        host.say(session, &W::kicked("/"));
        until(&told, is_back);
    }
    assert_eq!(host.sessions(), 6);
    client.close().unwrap();
}

/// More than handlers and receivers take: as much is lost as was told, and it is told.
pub fn too_many_events_are_given_up_as_was_told<W: Words>() {
    for (overflow, kept) in [
        (Overflow::DropOldest, ["e3", "e4", "last"]),
        (Overflow::DropNewest, ["e1", "e2", "last"]),
    ] {
        let host = Host::<W>::new();
        let (release, blocked) = mpsc::channel::<()>();
        let (entered, inside) = mpsc::channel();
        let (ran, runs) = mpsc::channel();
        let (errors, told) = mpsc::channel();
        let client = builder(&host)
            .inbox(Bounds::inbox().count(2).overflow(overflow))
            .on("block", move || {
                let _ = entered.send(());
                let _ = blocked.recv();
            })
            .on_unhandled(move |event| {
                let _ = ran.send(event.name().to_owned());
            })
            .on_error(move |error: &Error| {
                let _ = errors.send(error.clone());
            })
            .connect()
            .unwrap();
        host.say(0, &W::event("/", "block"));
        next("the handler", &inside);
        host.say(0, &W::event("/", "e1"));
        host.say(0, &W::question("/", 7, "e2"));
        host.say(0, &W::question("/", 8, "e3"));
        host.say(0, &W::event("/", "e4"));
        eventually("two lost events", PATIENCE, || {
            client.counters().dropped_events == 2
        });
        drop(release);
        assert_eq!(next("an event", &runs), kept[0]);
        assert_eq!(next("an event", &runs), kept[1]);
        let error = next("the error", &told);
        assert!(matches!(error, Error::Overflow { .. }), "{error:?}");
        host.say(0, &W::event("/", kept[2]));
        assert_eq!(next("an event", &runs), kept[2]);
        assert!(told.try_recv().is_err(), "told twice");
        client.close().unwrap();
    }
}

/// With nothing to be lost, the session is: again and again, as long as the handler is too slow.
pub fn a_session_that_may_lose_nothing_ends_with_each_loss<W: Words>() {
    let host = Host::<W>::new();
    let (release, blocked) = mpsc::channel::<()>();
    let client = builder(&host)
        .inbox(Bounds::inbox().count(1).overflow(Overflow::Error))
        .on("x", move || {
            let _ = blocked.recv();
        })
        .connect()
        .unwrap();
    for session in 0..3 {
        for _ in 0..3 {
            host.say(session, &W::event("/", "x"));
        }
        host.when(session, "the session's end", |hosted| {
            hosted.is_over.then_some(())
        });
        host.when(session + 1, "another session", |_| Some(()));
    }
    drop(release);
    client.close().unwrap();
}

/// The server takes a namespace back while its hook runs, and it is joined again in the same session, or the next one:
/// what waits goes behind the second run of the hook.
pub fn a_hook_of_an_earlier_join_lets_nothing_go<W: Words>() {
    let host = Host::<W>::new();
    // Long enough to see that the namespace is away.
    let delay = Duration::from_millis(50);
    let policy = eager().base(delay).cap(delay).after_server(true);
    let client = builder(&host).reconnect(policy).connect().unwrap();
    let chat = client.namespace("/chat").join().unwrap();
    let weak = chat.downgrade();
    let (entered, inside) = mpsc::channel();
    let (go_on, blocked) = mpsc::channel::<()>();
    chat.on_status(move |status| {
        if let Status::Connected { .. } = status {
            // The test may be over.
            let _ = entered.send(());
            let _ = blocked.recv_timeout(PATIENCE);
            if let Some(chat) = weak.upgrade() {
                let _ = chat.emit("subscribe", ());
            }
        }
    });
    let kick = || {
        let session = host.sessions() - 1;
        host.say(session, &W::kicked("/chat"));
        eventually("the end of the namespace", PATIENCE, || {
            !chat.is_connected()
        });
        chat.emit("waits", ()).unwrap();
        eventually("the namespace", PATIENCE, || chat.is_connected());
    };
    kick();
    next("the first run of the hook", &inside);
    kick();
    go_on.send(()).unwrap();
    next("the second run of the hook", &inside);
    let queued = chat.queued().len();
    assert_eq!(
        queued, 2,
        "the first hook's end let go what waits for the second"
    );
    go_on.send(()).unwrap();
    let waits = W::event("/chat", "waits");
    host.when(host.sessions() - 1, "what waited", |hosted| {
        let sent = hosted.packets.iter().filter(|packet| **packet == waits);
        (sent.count() == 2).then_some(())
    });
    client.close().unwrap();
}
