//! Acks both ways: each question has exactly one outcome.

use std::collections::HashSet;
use std::sync::mpsc;
use std::time::Duration;

use sio_core::session::{Input, Io};
use sio_peer::alone::alone;
use sio_peer::client::{calling, closing};
use sio_peer::hour::unanswered;
use sio_peer::peer::Answer;
use sio_peer::wait::{PATIENCE, assert_says, background, error_of, next, takes};
use sio_peer::websocket::WebSocketPeer;
use sio_v1::{Ack, DisconnectReason, Error, Session, UsageError, Value};

use crate::scene::{Polling, Socketed};
use crate::wire::{Answers as _, Packet, Packets as _, plain_open, text};

/// Answers `42<id>["echo",…]` with the same values, until `count` were answered.
fn echo(socket: &mut WebSocketPeer, count: usize) {
    for _ in 0..count {
        let Packet::Text(packet) = socket.packet() else {
            panic!("expected a text packet");
        };
        let body = packet.strip_prefix("42").expect("an event");
        let list = body.find('[').unwrap();
        let values = body[list..].replacen("\"echo\",", "", 1);
        socket.text(&format!("43{}{values}", &body[..list]));
    }
}

#[test]
fn a_call_that_is_never_answered_times_out_at_its_limit() {
    let scene = Socketed::new();
    for limit in [
        Duration::from_millis(1),
        Duration::from_millis(60),
        Duration::from_millis(300),
    ] {
        let most = limit + Duration::from_millis(60);
        let result = takes(limit, most, || scene.client.call::<_, ()>("q", (), limit));
        let error = error_of("the call", result);
        assert!(error.is_timeout());
        assert_eq!(error.to_string(), format!("no ack came within {limit:?}"));
    }
    let polling = Polling::new();
    let limit = Duration::from_millis(100);
    let result = takes(limit, 2 * limit, || {
        polling.client.call::<_, ()>("q", (), limit)
    });
    assert!(error_of("the call", result).is_timeout());
}

#[test]
fn the_longest_possible_limit_is_no_overflow() {
    let mut scene = Socketed::new();
    let asking = calling(&scene.client, "q", Duration::MAX);
    scene.socket.expect("420[\"q\"]");
    scene.socket.text("430[\"a\"]");
    assert_eq!(asking.join().unwrap(), "a");
    let (sender, outcome) = mpsc::channel();
    let then = move |result: sio_v1::Result<String>| sender.send(result).unwrap();
    scene
        .client
        .emit_with_ack("q", (), Duration::MAX, then)
        .unwrap();
    scene.socket.expect("421[\"q\"]");
    scene.socket.text("431[\"b\"]");
    assert_eq!(next("the ack", &outcome).unwrap(), "b");
}

#[test]
fn a_connection_with_the_longest_limits_is_no_overflow() {
    let mut scene = Socketed::with(&plain_open(), |builder| {
        builder
            .connect_timeout(Duration::MAX)
            .upgrade_timeout(Duration::MAX)
            .send_timeout(Duration::MAX)
            .close_timeout(Duration::MAX)
    });
    let client = scene.client.clone();
    let joining = background("joining", move || {
        client.namespace("/n").timeout(Duration::MAX).join()
    });
    scene.socket.expect("40/n,");
    scene.socket.text("40/n");
    joining.join().unwrap();
    let closing = closing(&scene.client);
    scene.socket.is_closed();
    closing.join().unwrap();
}

#[test]
fn a_late_ack_is_dropped_and_counted() {
    let mut scene = Socketed::new();
    let result = scene
        .client
        .call::<_, ()>("q", (), Duration::from_millis(20));
    assert!(error_of("the call", result).is_timeout());
    scene.socket.expect("420[\"q\"]");
    scene.socket.text("430[\"late\"]");
    scene.socket.text("42[\"next\"]");
    assert_eq!(scene.told.event().0, "next");
    assert_eq!(scene.client.counters().unknown_acks, 1);
}

#[test]
fn acks_that_are_doubled_or_were_never_asked_for_are_counted() {
    let mut scene = Socketed::new();
    let asking = calling(&scene.client, "q", PATIENCE);
    scene.socket.expect("420[\"q\"]");
    for ack in [
        "437[]",
        "4318446744073709551615[\"x\"]",
        "43/other,0[\"x\"]",
        "430[\"right\"]",
        "430[\"again\"]",
    ] {
        scene.socket.text(ack);
    }
    assert_eq!(asking.join().unwrap(), "right");
    scene.socket.text("42[\"next\"]");
    assert_eq!(scene.told.event().0, "next");
    assert_eq!(scene.client.counters().unknown_acks, 4);
}

#[test]
fn acks_in_another_order_find_their_callers() {
    let mut scene = Socketed::new();
    let first = calling(&scene.client, "a", PATIENCE);
    scene.socket.expect("420[\"a\"]");
    let second = calling(&scene.client, "b", PATIENCE);
    scene.socket.expect("421[\"b\"]");
    scene.socket.text("431[\"for b\"]");
    assert_eq!(second.join().unwrap(), "for b");
    scene.socket.text("430[\"for a\"]");
    assert_eq!(first.join().unwrap(), "for a");
}

#[test]
fn an_answer_of_another_type_is_an_error_of_that_caller_only() {
    let mut scene = Socketed::new();
    for ack in ["[7]", "[]", "[nope]", "[{\"a\":}]"] {
        let asking = calling(&scene.client, "q", PATIENCE);
        let Packet::Text(question) = scene.socket.packet() else {
            unreachable!()
        };
        let id = question
            .strip_prefix("42")
            .unwrap()
            .strip_suffix("[\"q\"]")
            .unwrap();
        scene.socket.text(&format!("43{id}{ack}"));
        let error = error_of(ack, asking.join());
        assert!(matches!(error, Error::Decode { .. }), "{error:?}");
        assert_says(
            &error.chain(),
            &["the answer to \"q\" does not have the expected type"],
        );
    }
    assert!(scene.client.is_connected());
}

#[test]
fn twenty_five_threads_get_their_own_answers() {
    const THREADS: usize = 25;
    const CALLS: usize = 40;
    let Socketed {
        client,
        mut socket,
        peer,
        ..
    } = Socketed::new();
    let echoing = background("the echo", move || echo(&mut socket, THREADS * CALLS));
    let callers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let client = client.clone();
            background("a caller", move || {
                for n in 0..CALLS {
                    let question = format!("{thread}-{n}");
                    let answer: String = client.call("echo", &question, PATIENCE).unwrap();
                    assert_eq!(answer, question);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.join();
    }
    echoing.join();
    assert_eq!(client.counters().unknown_acks, 0);
    drop(peer);
}

#[test]
fn a_thousand_callbacks_on_polling_get_their_own_answers() {
    let mut scene = Polling::new();
    let (sender, outcomes) = mpsc::channel();
    for n in 0..1000 {
        let sender = sender.clone();
        let then = move |answer: sio_v1::Result<u32>| sender.send((n, answer.unwrap())).unwrap();
        scene
            .client
            .emit_with_ack("double", n, PATIENCE, then)
            .unwrap();
    }
    let mut asked = 0;
    while asked < 1000 {
        let packets = scene.post();
        asked += packets.len();
        let answers: Vec<Packet> = packets.iter().map(doubled).collect();
        scene.deliver(&Answer::binary(&answers));
    }
    let seen: HashSet<u32> = (0..1000)
        .map(|_| {
            let (n, answer) = next("an ack", &outcomes);
            assert_eq!(answer, 2 * n);
            n
        })
        .collect();
    assert_eq!(seen.len(), 1000);
}

/// The answer to `42<id>["double",<n>]`.
fn doubled(question: &Packet) -> Packet {
    let Packet::Text(question) = question else {
        panic!("expected text");
    };
    let (id, rest) = question[2..].split_once("[\"double\",").unwrap();
    let n: u32 = rest.strip_suffix(']').unwrap().parse().unwrap();
    text(&format!("43{id}[{}]", 2 * n))
}

#[test]
fn everybody_who_waits_is_told_when_the_connection_ends() {
    let mut scene = Socketed::new();
    let (sender, outcome) = mpsc::channel();
    let calls: Vec<_> = (0..5)
        .map(|_| calling(&scene.client, "q", PATIENCE))
        .collect();
    let then = move |result: sio_v1::Result<String>| sender.send(result).unwrap();
    scene.client.emit_with_ack("q", (), PATIENCE, then).unwrap();
    for _ in 0..6 {
        scene.socket.packet();
    }
    scene.socket.close(1001, "bye");
    let check = |result: sio_v1::Result<String>| match result {
        Err(Error::Disconnected(DisconnectReason::TransportClose {
            code: Some(1001), ..
        })) => {}
        other => panic!("{other:?}"),
    };
    takes(Duration::ZERO, Duration::from_secs(1), || {
        calls.into_iter().for_each(|call| check(call.join()));
        check(next("the callback", &outcome));
    });
    let later = scene.client.call::<_, String>("q", (), PATIENCE);
    check(takes(Duration::ZERO, Duration::from_millis(100), || later));
}

#[test]
fn a_server_s_question_is_answered_once_with_any_values() {
    let mut scene = Socketed::new();
    let (sender, second) = mpsc::channel();
    scene.client.on("ask", move |what: String, ack: Ack| {
        let bytes = Value::from(bytes::Bytes::from_static(b"\x01"));
        match &*what {
            "none" => ack.send(()).unwrap(),
            "two" => ack.send((1, "é")).unwrap(),
            "bytes" => ack.send(bytes).unwrap(),
            _ => {
                ack.send("first").unwrap();
                sender.send(ack.send("second")).unwrap();
            }
        }
    });
    scene.socket.text("425[\"ask\",\"none\"]");
    scene.socket.expect("435[]");
    scene.socket.text("426[\"ask\",\"two\"]");
    scene.socket.expect("436[1,\"\\u00e9\"]");
    scene.socket.text("427[\"ask\",\"bytes\"]");
    scene
        .socket
        .expect("461-7[{\"_placeholder\":true,\"num\":0}]");
    assert_eq!(scene.socket.packet(), Packet::Binary(vec![1]));
    scene
        .socket
        .text("4218446744073709551615[\"ask\",\"twice\"]");
    scene.socket.expect("4318446744073709551615[\"first\"]");
    let again = error_of("the second answer", next("the handler", &second));
    assert!(
        matches!(again, Error::Usage(UsageError::AnsweredTwice)),
        "{again:?}"
    );
    // Nobody asked: nothing is sent.
    scene.socket.text("42[\"ask\",\"two\"]");
    scene.client.emit("fence", ()).unwrap();
    scene.socket.expect("42[\"fence\"]");
}

#[test]
fn an_answer_after_the_end_says_so() {
    let mut scene = Socketed::new();
    scene.socket.text("421[\"ask\"]");
    let event = scene.told.events.recv_timeout(PATIENCE).unwrap();
    scene.socket.cut();
    scene.told.reason();
    let error = error_of("the answer", event.ack().send("x"));
    assert!(matches!(error, Error::Disconnected(_)), "{error:?}");
    drop(scene);
    let again = error_of("the answer", event.ack().send("x"));
    assert!(
        matches!(again, Error::Usage(UsageError::AnsweredTwice)),
        "{again:?}"
    );
}

#[test]
fn an_hour_of_questions_without_answers_takes_no_memory() {
    alone(
        "acks::an_hour_of_questions_without_answers_takes_no_memory",
        || {
            unanswered::<Session>(|io| match io {
                Some(Io::OpenWebSocket(_)) => vec![
                    Input::WebSocketOpened,
                    Input::WebSocketText(plain_open().into()),
                    Input::WebSocketText("40".into()),
                ],
                Some(Io::SendText(ping)) if ping == "2" => vec![Input::WebSocketText("3".into())],
                _ => Vec::new(),
            });
        },
    );
}
