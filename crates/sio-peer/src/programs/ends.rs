//! How programs end: with the right exit code, at once, and nothing printed.
//!
//! A client has threads. None of them keeps a process alive, none is waited for when `main` returns, and nothing runs behind
//! the program's back on the way out: no signal handler, no exit hook.

use std::any::Any;
use std::cell::RefCell;
use std::fs;
use std::process;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sio_core::{DisconnectReason, Error, Result};
use sio_net::Client;

use super::{AT_ONCE, Case, Way, Words, connect, wait_for_cue};
use crate::flood::emit_until_refused;
use crate::wait::PATIENCE;

/// The default of the builder's `close_timeout`.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(1500);

/// Longer than any of these programs lives.
const LONG: Duration = Duration::from_secs(100);

/// The code of a process whose `main` panics.
const PANICKED: i32 = 101;

thread_local! {
    /// What is dropped when the thread ends, or the process by its main thread.
    static KEPT: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

fn keep(what: impl Any) {
    KEPT.set(Some(Box::new(what)));
}

/// Does nothing any more.
fn stay() -> ! {
    loop {
        thread::park();
    }
}

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn cases<W: Words>() -> Vec<Case<W>> {
    const WAYS: &[Way] = &[Way::WebSocket, Way::Polling, Way::Upgrading];
    let case = |name, program, script| Case::<W>::new(name, WAYS, program, script);
    vec![
        // --- main returns -----------------------------------------------------------------------------------------
        case(
            "main_closes_and_returns",
            |program| {
                let client = program.connect::<W>();
                client.close().unwrap();
                client.close().unwrap();
            },
            |stage| {
                let line = stage.connects();
                stage.sees_goodbye(line);
                stage.exits(0);
            },
        ),
        case(
            "main_drops_and_goes_on",
            |program| {
                drop(program.connect::<W>());
                wait_for_cue();
            },
            |stage| {
                let line = stage.connects();
                stage.sees_goodbye(line);
                stage.cues();
                stage.exits(0);
            },
        ),
        case(
            "main_returns_connected",
            |program| {
                let client = program.connect::<W>();
                client.on("x", || {});
            },
            |stage| {
                let line = stage.connects();
                stage.sees_end(line);
                stage.exits(0);
            },
        ),
        case(
            "main_returns_with_a_client_that_is_never_dropped",
            |program| {
                let client = Box::leak(Box::new(program.connect::<W>()));
                client.on("x", || {});
            },
            |stage| {
                let line = stage.connects();
                stage.sees_end_without_goodbye(line);
                stage.exits(0);
            },
        ),
        case(
            "main_returns_with_a_client_in_its_thread_s_local_data",
            |program| keep(program.connect::<W>()),
            |stage| {
                let line = stage.connects();
                stage.sees_end(line);
                stage.exits(0);
            },
        ),
        case(
            "a_thread_ends_with_a_client_in_its_local_data",
            |program| {
                let client = program.connect::<W>();
                thread::spawn(move || keep(client)).join().unwrap();
                wait_for_cue();
            },
            |stage| {
                let line = stage.connects();
                stage.sees_goodbye(line);
                stage.cues();
                stage.exits(0);
            },
        ),
        case(
            "main_returns_while_a_thread_connects",
            |program| {
                let builder = program.builder::<W>();
                thread::spawn(move || builder.connect());
                wait_for_cue();
            },
            |stage| {
                let request = stage.peer.any_within(PATIENCE).expect("a request");
                stage.cues();
                request.expect_drop();
                stage.exits(0);
            },
        ),
        case(
            "main_returns_after_connecting_failed",
            |program| {
                let builder = program.builder::<W>().on("x", || {});
                let error = builder
                    .connect_timeout(Duration::from_millis(100))
                    .connect();
                assert!(error.unwrap_err().is_timeout());
                wait_for_cue();
            },
            |stage| {
                let request = stage.peer.any_within(PATIENCE).expect("a request");
                request.expect_drop();
                stage.cues();
                stage.exits(0);
            },
        ),
        case(
            "main_returns_while_a_call_waits",
            |program| {
                let client = program.connect::<W>();
                let of_thread = client.clone();
                thread::spawn(move || of_thread.call::<_, ()>("q", (), LONG));
                wait_for_cue();
                drop(client);
            },
            |stage| {
                let mut line = stage.connects();
                stage.hears(&mut line);
                stage.cues();
                stage.sees_end(line);
                stage.exits(0);
            },
        ),
        case(
            "main_returns_while_a_thread_iterates_over_events",
            |program| {
                let client = program.connect::<W>();
                let events = client.events();
                thread::spawn(move || events.for_each(drop));
            },
            |stage| {
                let line = stage.connects();
                stage.sees_end(line);
                stage.exits(0);
            },
        ),
        case(
            "an_iterator_over_events_ends_with_the_client",
            |program| {
                let client = program.connect::<W>();
                let events = client.events();
                let counting = thread::spawn(move || events.count());
                drop(client);
                assert_eq!(counting.join().unwrap(), 0);
                wait_for_cue();
            },
            |stage| {
                let line = stage.connects();
                stage.sees_goodbye(line);
                stage.cues();
                stage.exits(0);
            },
        ),
        case(
            "main_returns_while_the_peer_takes_nothing",
            |program| {
                let builder = program.builder::<W>().send_buffer(1 << 20);
                let client = connect::<W>(builder.send_timeout(Duration::from_millis(50)));
                emit_until_refused(&client, 50_000);
            },
            |stage| {
                let line = stage.connects();
                stage.exits_within(0, Duration::ZERO..PATIENCE);
                drop(line);
            },
        ),
        // --- panics and hard exits ---------------------------------------------------------------------------------
        case(
            "main_panics",
            |program| {
                let client = program.connect::<W>();
                client.on("x", || {});
                panic!("out of cheese");
            },
            |stage| {
                let line = stage.connects();
                stage.sees_end(line);
                stage.exits_with_panic(PANICKED, "out of cheese");
            },
        ),
        case(
            "main_exits_while_connected",
            |program| {
                let client = program.connect::<W>();
                client.on("x", || {});
                process::exit(3);
            },
            |stage| {
                let line = stage.connects();
                stage.sees_end_without_goodbye(line);
                stage.exits(3);
            },
        ),
        case(
            "a_handler_exits",
            |program| {
                let exit = || -> () {
                    wait_for_cue();
                    process::exit(3)
                };
                let client = connect::<W>(program.builder::<W>().on("go", exit));
                let _ = client.wait();
            },
            |stage| {
                let line = stage.connects();
                let line = stage.sends_event(line, "go");
                stage.sees_end_without_goodbye(line);
                stage.exits(3);
            },
        ),
        // --- handlers -----------------------------------------------------------------------------------------------
        case(
            "a_handler_panics_and_main_closes",
            |program| {
                let (sender, told) = mpsc::channel();
                let builder = program
                    .builder::<W>()
                    .on("go", || -> () { panic!("out of cheese") })
                    .on_error(move |error| sender.send(error.chain()).unwrap());
                let client = connect::<W>(builder);
                wait_for_cue();
                let error = told.recv().unwrap();
                assert!(error.contains("out of cheese"), "{error}");
                client.close().unwrap();
            },
            |stage| {
                let line = stage.connects();
                let line = stage.sends_event(line, "go");
                stage.sees_goodbye(line);
                stage.exits_with_panic(0, "out of cheese");
            },
        ),
        case(
            "a_handler_drops_the_last_handle",
            |program| {
                let (hand, handed) = mpsc::channel::<Client<W::Protocol>>();
                let builder = program.builder::<W>().on("go", move || {
                    wait_for_cue();
                    drop(handed.recv());
                });
                let (builder, events) = builder.events();
                let client = connect::<W>(builder);
                hand.send(client).unwrap();
                assert_eq!(events.count(), 1);
                wait_for_cue();
            },
            |stage| {
                let line = stage.connects();
                let line = stage.sends_event(line, "go");
                stage.sees_goodbye(line);
                stage.cues();
                stage.exits(0);
            },
        ),
        case(
            "a_handler_drops_its_handle_while_a_call_waits",
            |program| {
                let client = program.connect::<W>();
                let (hand, handed) = mpsc::channel::<Client<W::Protocol>>();
                let (sender, dropped) = mpsc::channel();
                client.on("go", move || {
                    drop(handed.recv());
                    sender.send(()).unwrap();
                });
                let of_thread = client.clone();
                let asking = thread::spawn(move || {
                    of_thread.call::<_, ()>("q", (), LONG).unwrap();
                    wait_for_cue();
                });
                hand.send(client).unwrap();
                dropped.recv().unwrap();
                wait_for_cue();
                asking.join().unwrap();
                wait_for_cue();
            },
            |stage| {
                let mut line = stage.connects();
                stage.hears(&mut line);
                let line = stage.sends_event(line, "go");
                // The waiting thread's own handle is the last one, and keeps the connection until the answer is there.
                let line = stage.sends(line, W::FIRST_ANSWER);
                stage.sees_goodbye(line);
                stage.cues();
                stage.exits(0);
            },
        ),
        case(
            "a_handler_closes_while_a_call_waits",
            |program| {
                let client = program.connect::<W>();
                let weak = client.downgrade();
                client.on("go", move || {
                    wait_for_cue();
                    weak.upgrade().unwrap().close()
                });
                let asked: Result<()> = client.call("q", (), LONG);
                let by_client = Error::Disconnected(DisconnectReason::Client);
                assert_eq!(asked.unwrap_err().chain(), by_client.chain());
            },
            |stage| {
                let mut line = stage.connects();
                stage.hears(&mut line);
                let line = stage.sends_event(line, "go");
                stage.sees_end(line);
                stage.exits(0);
            },
        ),
        case(
            "main_returns_while_a_handler_blocks_for_ever",
            |program| {
                let (sender, blocks) = mpsc::channel();
                let block = move || -> () {
                    sender.send(()).unwrap();
                    stay()
                };
                let client = connect::<W>(program.builder::<W>().on("go", block));
                wait_for_cue();
                blocks.recv().unwrap();
                drop(client);
            },
            |stage| {
                let line = stage.connects();
                let line = stage.sends_event(line, "go");
                stage.sees_end(line);
                stage.exits(0);
            },
        ),
        case(
            "main_closes_while_a_handler_blocks_for_ever",
            |program| {
                let (sender, blocks) = mpsc::channel();
                let block = move || -> () {
                    sender.send(()).unwrap();
                    stay()
                };
                let client = connect::<W>(program.builder::<W>().on("go", block));
                wait_for_cue();
                blocks.recv().unwrap();
                client.close().unwrap();
            },
            |stage| {
                let line = stage.connects();
                let line = stage.sends_event(line, "go");
                stage.sees_goodbye(line);
                // The close timeout is all that such a handler gets.
                stage.exits_within(0, CLOSE_TIMEOUT..CLOSE_TIMEOUT + AT_ONCE);
            },
        ),
        // --- signals ------------------------------------------------------------------------------------------------
        case(
            "a_client_leaves_signals_alone",
            |program| {
                // With the first thread of a process, some C libraries catch two signals of their own.
                thread::spawn(|| {}).join().unwrap();
                let before = signals();
                let client = program.connect::<W>();
                client.on("x", || {});
                assert_eq!(signals(), before, "while connected");
                client.close().unwrap();
                assert_eq!(signals(), before, "afterwards");
            },
            |stage| {
                let line = stage.connects();
                stage.sees_goodbye(line);
                stage.exits(0);
            },
        ),
    ]
}

/// What the process does with signals: blocked, ignored, caught. Empty where the system does not tell.
fn signals() -> Vec<String> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = status.lines().filter(|line| line.starts_with("Sig"));
    // Which are pending changes by itself.
    let lines = lines.filter(|line| !line.starts_with("SigQ") && !line.starts_with("SigPnd"));
    lines.map(str::to_owned).collect()
}
