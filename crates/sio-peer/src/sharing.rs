//! Many clients on one event loop; the same in both protocols.

use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use sio_core::{Bounds, Deadline, Error, Overflow};
use sio_net::{Client, ClientBuilder, EventLoop};

use crate::alone::{threads_are, threads_end};
use crate::flood::flood;
use crate::host::Host;
use crate::lifecycle::builder;
use crate::peer::Answer;
use crate::wait::{PATIENCE, background, next, takes};
use crate::websocket::frame;
use crate::words::Words;

/// A protocol whose clients all share one event loop: what holds for clients with a loop of their own holds for them.
#[derive(Debug)]
pub struct Shared<W>(PhantomData<W>);

static LOOP: LazyLock<EventLoop> = LazyLock::new(|| EventLoop::new().expect("an event loop"));

impl<W: Words> Words for Shared<W> {
    type Protocol = W::Protocol;

    fn handshake(sid: &str) -> Option<Answer> {
        W::handshake(sid)
    }

    fn opening(sid: &str) -> Option<String> {
        W::opening(sid)
    }

    fn granted(namespace: &str) -> String {
        W::granted(namespace)
    }

    fn asked(namespace: &str, query: &str) -> String {
        W::asked(namespace, query)
    }

    fn kicked(namespace: &str) -> String {
        W::kicked(namespace)
    }

    fn event(namespace: &str, name: &str) -> String {
        W::event(namespace, name)
    }

    fn text_event(namespace: &str, name: &str, text: &str) -> String {
        W::text_event(namespace, name, text)
    }

    fn question(namespace: &str, id: u64, name: &str) -> String {
        W::question(namespace, id, name)
    }

    fn answer(namespace: &str, id: u64) -> String {
        W::answer(namespace, id)
    }

    fn reply(packet: &str) -> Option<String> {
        W::reply(packet)
    }

    fn is_end(packet: &str) -> bool {
        W::is_end(packet)
    }

    fn is_of_program(packet: &str) -> bool {
        W::is_of_program(packet)
    }

    fn configured(builder: ClientBuilder<W::Protocol>) -> ClientBuilder<W::Protocol> {
        W::configured(builder).event_loop(&LOOP)
    }
}

fn clients<W: Words>(
    count: usize,
    host: &Host<W>,
    event_loop: &EventLoop,
) -> Vec<Client<W::Protocol>> {
    let connect = |_| builder(host).event_loop(event_loop).connect().unwrap();
    (0..count).map(connect).collect()
}

/// A hundred clients have one thread, which ends with the last of them, and comes again with the next.
pub fn a_hundred_clients_have_one_thread<W: Words>() {
    let host = Host::<W>::new();
    let event_loop = EventLoop::new().unwrap();
    threads_are(&[]);
    for _ in 0..3 {
        let mut clients = clients(100, &host, &event_loop);
        assert_eq!(event_loop.clients(), 100);
        threads_are(&["sio-loop"]);
        for client in &clients {
            client.call::<_, ()>("x", (), PATIENCE).unwrap();
        }
        let last = clients.split_off(99);
        for (index, client) in clients.into_iter().enumerate() {
            if index % 2 == 0 {
                client.close().unwrap();
            }
        }
        last[0].call::<_, ()>("x", (), PATIENCE).unwrap();
        last[0].close().unwrap();
        // Those that were only dropped may still say goodbye.
        threads_end("the last close or drop");
        assert_eq!(event_loop.clients(), 0);
    }
    let mut last = clients(1, &host, &event_loop);
    last.pop().unwrap().close().unwrap();
    threads_are(&[]);
}

/// Threads that call on different clients at once all get their own answers: whoever drives, drives for all.
pub fn calls_on_many_clients_at_once_all_end<W: Words>() {
    let host = Host::<W>::new();
    let event_loop = EventLoop::new().unwrap();
    let clients = clients(20, &host, &event_loop);
    let calling: Vec<_> = clients
        .iter()
        .cloned()
        .map(|client| {
            background("calls", move || {
                for _ in 0..200 {
                    client.call::<_, ()>("x", (), PATIENCE).unwrap();
                }
            })
        })
        .collect();
    for calls in calling {
        calls.join();
    }
    for client in clients {
        client.close().unwrap();
    }
}

/// A client that is flooded leaves the others their turn.
pub fn a_flooded_client_leaves_the_others_their_turn<W: Words>() {
    let host = Host::<W>::new();
    let event_loop = EventLoop::new().unwrap();
    let bounds = Bounds::inbox().count(10).overflow(Overflow::DropOldest);
    let (flooded, _events) = builder(&host)
        .event_loop(&event_loop)
        .inbox(bounds)
        .events();
    let flooded = flooded.connect().unwrap();
    let other = builder(&host).event_loop(&event_loop).connect().unwrap();
    let burst = frame(0x81, W::event("/", "x").as_bytes());
    let (stop, flooding) = flood(&host.stream(0), &burst);
    for _ in 0..200 {
        takes(Duration::ZERO, Duration::from_secs(1), || {
            other.call::<_, ()>("x", (), PATIENCE).unwrap();
        });
    }
    assert!(flooded.counters().dropped_events > 0);
    other.close().unwrap();
    flooded.close().unwrap();
    stop.store(true, Ordering::Release);
    flooding.join();
}

/// Each client has deadlines of its own, and the earliest of all is kept.
pub fn each_client_keeps_its_own_deadlines<W: Words>() {
    const FIRST: Duration = Duration::from_millis(50);
    let host = Host::<W>::new();
    let event_loop = EventLoop::new().unwrap();
    let clients = clients(10, &host, &event_loop);
    host.mute();
    let (sender, ended) = mpsc::channel();
    // The latest is asked first, so that each deadline is earlier than what the loop sleeps for.
    for (index, client) in clients.iter().enumerate().rev() {
        let sender = sender.clone();
        let limit = FIRST * (1 + index as u32);
        client
            .emit_with_ack("x", (), limit, move |result: sio_core::Result<()>| {
                // The test may be over.
                let _ = sender.send((index, result));
            })
            .unwrap();
    }
    for expected in 0..clients.len() {
        let (index, result) = next("a deadline", &ended);
        let error = result.unwrap_err();
        let is_timeout = matches!(
            error,
            Error::Timeout {
                deadline: Deadline::Ack,
                ..
            }
        );
        assert!(is_timeout, "{error:?}");
        assert_eq!(index, expected, "in the order of the deadlines");
    }
    for client in clients {
        client.close().unwrap();
    }
}

/// The tests of this module, and those of lives and losses with clients that share a loop, for the words of one protocol.
/// The module that calls it is named `sharing`.
#[macro_export]
macro_rules! sharing_tests {
    ($words:ty) => {
        #[test]
        fn a_hundred_clients_have_one_thread() {
            $crate::sharing_test!(
                a_hundred_clients_have_one_thread,
                $crate::sharing::a_hundred_clients_have_one_thread::<$words>()
            );
        }

        #[test]
        fn calls_on_many_clients_at_once_all_end() {
            $crate::sharing::calls_on_many_clients_at_once_all_end::<$words>();
        }

        #[test]
        fn a_flooded_client_leaves_the_others_their_turn() {
            $crate::sharing::a_flooded_client_leaves_the_others_their_turn::<$words>();
        }

        #[test]
        fn each_client_keeps_its_own_deadlines() {
            $crate::sharing::each_client_keeps_its_own_deadlines::<$words>();
        }

        $crate::sharing_tests!($words, lifecycle:
            a_handler_that_opens_again_does_not_hold_up_the_close();
            threads_in_any_order_all_come_back(10);
            ten_threads_open_one_connection();
            what_was_never_opened_ends_without_a_trace();
            dropped_at_any_moment_everything_ends(100);
            callbacks_given_at_any_moment_run_once(30);
            handlers_registered_while_opening_run(50);
        );
        $crate::sharing_tests!($words, reconnecting:
            many_losses_leave_nothing(20);
            attempts_are_counted_by_the_server_too();
            no_attempt_follows_the_close();
            a_hook_that_blocks_for_ever_holds_nothing_up();
            the_hook_s_emits_come_first_and_each_thread_s_in_order();
            a_call_s_one_outcome_is_of_its_own_session();
            the_server_s_disconnect_is_the_end_unless_told_otherwise();
            too_many_events_are_given_up_as_was_told();
            a_session_that_may_lose_nothing_ends_with_each_loss();
        );
    };
    ($words:ty, $module:ident: $($test:ident($($argument:expr)?);)+) => {
        $(
            #[test]
            fn $test() {
                $crate::sharing_test!(
                    $test,
                    $crate::$module::$test::<$crate::sharing::Shared<$words>>($($argument)?)
                );
            }
        )+
    };
}

/// Runs a test of a module named `sharing` in a process of its own.
#[macro_export]
macro_rules! sharing_test {
    ($name:ident, $body:expr) => {
        $crate::alone::without_panics(concat!("sharing::", stringify!($name)), || $body)
    };
}
