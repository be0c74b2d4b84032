//! Acks both ways: each question has exactly one outcome.

use std::sync::mpsc;
use std::time::Duration;

use sio_core::session::{Input, Io};
use sio_legacy::{Ack, DisconnectReason, Error, Session, Transport, UsageError};
use sio_peer::alone::alone;
use sio_peer::client::{calling, closing};
use sio_peer::hour::unanswered;
use sio_peer::scenario::response;
use sio_peer::wait::{Background, PATIENCE, assert_says, background, error_of, next, takes};

use crate::scene::{Polling, Socketed, usual};
use crate::wire::{Packets as _, pacing_id};

#[test]
fn a_call_that_is_never_answered_times_out_at_its_limit() {
    let scene = Socketed::new();
    for limit in [Duration::from_millis(1), Duration::from_millis(100)] {
        let most = limit + Duration::from_millis(300);
        let result = takes(limit, most, || scene.client.call::<_, ()>("q", (), limit));
        assert!(error_of("the call", result).is_timeout());
    }
    let polling = Polling::new();
    let limit = Duration::from_millis(100);
    let result = takes(limit, 4 * limit, || {
        polling.client.call::<_, ()>("q", (), limit)
    });
    assert!(error_of("the call", result).is_timeout());
}

#[test]
fn late_doubled_and_unknown_acks_are_counted_and_change_nothing() {
    let mut scene = Socketed::new();
    let result = scene
        .client
        .call::<_, ()>("q", (), Duration::from_millis(20));
    assert!(error_of("the call", result).is_timeout());
    scene.socket.expect("5:1+::{\"name\":\"q\"}");
    scene.socket.text("6:::1+[\"late\"]");
    let asking = calling(&scene.client, "q", PATIENCE);
    scene.socket.expect("5:2+::{\"name\":\"q\"}");
    for ack in [
        "6:::1+[\"later\"]",
        "6:::7+[]",
        "6:::18446744073709551615+[\"x\"]",
        "6::/other:2+[\"x\"]",
        "6:::2+[\"right\"]",
        "6:::2+[\"again\"]",
        "6:::2",
    ] {
        scene.socket.text(ack);
    }
    assert_eq!(asking.join().unwrap(), "right");
    scene.socket.text("3:::fence");
    assert_eq!(scene.told.text_event().1, "fence");
    assert_eq!(scene.client.counters().unknown_acks, 7);
}

#[test]
fn acks_that_cannot_be_read_are_dropped_and_the_caller_waits_on() {
    let mut scene = Socketed::new();
    let asking = calling(&scene.client, "q", PATIENCE);
    scene.socket.expect("5:1+::{\"name\":\"q\"}");
    let odd = [
        "6::",
        "6:::",
        "6:::+",
        "6:::+[\"x\"]",
        "6:::x+[1]",
        "6:::-1+[1]",
        "6:::99999999999999999999+[\"twenty digits\"]",
        "6:1::",
    ];
    for ack in odd {
        scene.socket.text(ack);
    }
    scene.socket.text("3:::fence");
    assert_eq!(scene.told.text_event().1, "fence");
    assert_eq!(scene.client.counters().tolerated, odd.len() as u64);
    scene.socket.text("6:::1+[\"right\"]");
    assert_eq!(asking.join().unwrap(), "right");
}

#[test]
fn an_ack_whose_values_are_no_array_has_none() {
    let mut scene = Socketed::new();
    for (index, values) in [
        "{\"a\":1}",
        "\"text\"",
        "7",
        "null",
        "[1",
        "[1]x",
        "undefined",
    ]
    .iter()
    .enumerate()
    {
        let client = scene.client.clone();
        let asking = background("a call", move || client.call::<_, ()>("q", (), PATIENCE));
        let id = index + 1;
        scene.socket.expect(&format!("5:{id}+::{{\"name\":\"q\"}}"));
        scene.socket.text(&format!("6:::{id}+{values}"));
        asking
            .join()
            .unwrap_or_else(|error| panic!("{values}: {error}"));
    }
    // Who wants a value gets an error of its own.
    let asking = calling(&scene.client, "q", PATIENCE);
    scene.socket.message();
    scene.socket.text("6:::8+\"text\"");
    let error = error_of("the call", asking.join());
    assert!(matches!(error, Error::Decode { .. }), "{error:?}");
    assert!(scene.client.is_connected());
    assert_eq!(scene.client.counters().tolerated, 8);
}

#[test]
fn ids_with_leading_zeros_are_numbers() {
    let mut scene = Socketed::new();
    let asking = calling(&scene.client, "q", PATIENCE);
    scene.socket.expect("5:1+::{\"name\":\"q\"}");
    scene.socket.text("6:::001+[\"zeros\"]");
    assert_eq!(asking.join().unwrap(), "zeros");
    // A plain question's number goes back as it came.
    for id in ["007", "0", "99999999999999999999"] {
        scene.socket.text(&format!("3:{id}::x"));
        scene.socket.expect(&format!("6:::{id}"));
    }
}

#[test]
fn the_four_forms_of_an_ack_are_read() {
    let mut scene = Socketed::new();
    for (index, form) in ["", "+", "+[]"].iter().enumerate() {
        let client = scene.client.clone();
        let asking = background("a call", move || client.call::<_, ()>("q", (), PATIENCE));
        scene.socket.message();
        scene.socket.text(&format!("6:::{}{form}", index + 1));
        asking.join().unwrap();
    }
    let client = scene.client.clone();
    let asking = background("a call", move || {
        client.call::<_, (String, u8)>("q", (), PATIENCE)
    });
    scene.socket.message();
    scene.socket.text("6:::4+[\"a\u{2028}\",2]");
    assert_eq!(asking.join().unwrap(), ("a\u{2028}".to_owned(), 2));
}

#[test]
fn acks_in_another_order_find_their_callers() {
    let mut scene = Socketed::new();
    let first = calling(&scene.client, "q", PATIENCE);
    scene.socket.expect("5:1+::{\"name\":\"q\"}");
    let second = calling(&scene.client, "q", PATIENCE);
    scene.socket.expect("5:2+::{\"name\":\"q\"}");
    scene.socket.text("6:::2+[\"second\"]");
    assert_eq!(second.join().unwrap(), "second");
    scene.socket.text("6:::1+[\"first\"]");
    assert_eq!(first.join().unwrap(), "first");
}

#[test]
fn everybody_who_waits_is_told_at_once_when_the_session_ends() {
    type End = fn(&mut Socketed);
    let ends: [(&str, End); 3] = [
        ("the server's goodbye", |scene| scene.socket.text("0::")),
        ("the end of the stream", |scene| scene.socket.cut()),
        ("a forgotten session", |scene| scene.socket.text("7:::1+0")),
    ];
    for (name, end) in ends {
        let mut scene = Socketed::new();
        let (sender, outcomes) = mpsc::channel();
        let calls: Vec<_> = (0..5)
            .map(|_| calling(&scene.client, "q", PATIENCE))
            .collect();
        let then = move |result: sio_legacy::Result<String>| sender.send(result).unwrap();
        scene.client.emit_with_ack("q", (), PATIENCE, then).unwrap();
        for _ in 0..6 {
            scene.socket.message();
        }
        end(&mut scene);
        takes(Duration::ZERO, Duration::from_secs(1), || {
            for call in calls {
                let error = error_of(name, call.join());
                assert!(matches!(error, Error::Disconnected(_)), "{name}: {error:?}");
            }
            let error = error_of(name, next("the callback", &outcomes));
            assert!(matches!(error, Error::Disconnected(_)), "{name}: {error:?}");
        });
        // Exactly one outcome.
        assert!(outcomes.recv_timeout(Duration::from_millis(20)).is_err());
        let later = scene.client.call::<_, String>("q", (), PATIENCE);
        assert!(matches!(error_of(name, later), Error::Disconnected(_)));
    }
}

#[test]
fn closing_tells_whoever_waits_at_once() {
    let mut scene = Polling::new();
    let asking = calling(&scene.client, "q", PATIENCE);
    assert_eq!(scene.post(), ["5:1+::{\"name\":\"q\"}"]);
    let closing = closing(&scene.client);
    // The peer has not answered anything yet.
    let error = takes(Duration::ZERO, Duration::from_secs(1), || {
        error_of("the call", asking.join())
    });
    assert!(
        matches!(error, Error::Disconnected(DisconnectReason::Client)),
        "{error:?}"
    );
    assert_eq!(scene.post(), ["0::"]);
    scene.answer(&sio_peer::peer::Answer::new(200, "text/plain", b"0::"));
    closing.join().unwrap();
}

#[test]
fn a_plain_question_is_acknowledged_by_itself_and_a_data_question_by_the_program() {
    let mut scene = Socketed::new();
    let (sender, second) = mpsc::channel();
    scene
        .client
        .on("ask", move |what: String, ack: Ack| match &*what {
            "none" => ack.send(()).unwrap(),
            "two" => ack.send((1, "é\u{2028}+")).unwrap(),
            _ => {
                ack.send("first").unwrap();
                sender.send(ack.send("second")).unwrap();
            }
        });
    scene.socket.text("3:1::x");
    scene.socket.expect("6:::1");
    scene.socket.text("4:2::{}");
    scene.socket.expect("6:::2");
    scene.socket.text("5:3::{\"name\":\"unheard\"}");
    scene.socket.expect("6:::3");
    scene
        .socket
        .text("5:4+::{\"name\":\"ask\",\"args\":[\"none\"]}");
    scene.socket.expect("6:::4");
    scene
        .socket
        .text("5:5+::{\"name\":\"ask\",\"args\":[\"two\"]}");
    let answer = scene.socket.message().to_string();
    // A plus within the values would confuse gevent-socketio; beyond ASCII nothing is sent.
    assert_eq!(answer, "6:::5+[1,\"\\u00e9\\u2028\\u002b\"]");
    scene
        .socket
        .text("5:18446744073709551615+::{\"name\":\"ask\",\"args\":[\"twice\"]}");
    scene.socket.expect("6:::18446744073709551615+[\"first\"]");
    let again = error_of("the second answer", next("the handler", &second));
    assert!(
        matches!(again, Error::Usage(UsageError::AnsweredTwice)),
        "{again:?}"
    );
    // Nobody asked: nothing is sent.
    scene
        .socket
        .text("5:::{\"name\":\"ask\",\"args\":[\"two\"]}");
    scene.client.emit("fence", ()).unwrap();
    scene.socket.expect("5:::{\"name\":\"fence\"}");
}

#[test]
fn a_receipt_has_no_values_and_comes_on_every_transport() {
    let mut scene = Socketed::new();
    let client = scene.client.clone();
    let sending = background("a message", move || {
        client.send_and_wait::<_, ()>("text", PATIENCE)
    });
    scene.socket.expect("3:1::text");
    scene.socket.text("6:::1");
    sending.join().unwrap();
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let mut scene = Polling::on(transport);
        let client = scene.client.clone();
        let sending = background("a message", move || {
            client.send_and_wait::<_, ()>(vec![1, 2], PATIENCE)
        });
        assert_eq!(scene.post(), ["4:1::[1,2]"]);
        scene.packets(&["6:::1"]);
        sending.join().unwrap();
    }
}

#[test]
fn many_threads_get_their_own_answers() {
    const THREADS: usize = 25;
    const CALLS: usize = 40;
    let Socketed {
        client,
        mut socket,
        peer,
        told,
    } = Socketed::new();
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
    let mut answered = 0;
    while answered < THREADS * CALLS {
        let packet = socket.packet();
        let (id, rest) = packet[2..].split_once("+::").expect("a question");
        let values = rest.strip_prefix("{\"name\":\"echo\",\"args\":").unwrap();
        socket.text(&format!("6:::{id}+{}", values.strip_suffix('}').unwrap()));
        answered += 1;
    }
    callers.into_iter().for_each(Background::join);
    assert_eq!(client.counters().unknown_acks, 0);
    drop((peer, told));
}

#[test]
fn what_the_protocol_cannot_carry_is_refused_before_anything_is_sent() {
    let mut scene = Socketed::new();
    for name in ["disconnect", "error", "newListener"] {
        let error = error_of(name, scene.client.emit(name, ()));
        assert!(
            matches!(error, Error::Usage(UsageError::ReservedName(_))),
            "{error:?}"
        );
    }
    let bytes = sio_legacy::Value::from(bytes::Bytes::from_static(b"x"));
    let error = error_of("bytes", scene.client.emit("x", bytes));
    assert_says(
        &error.to_string(),
        &["not supported by this protocol", "base64"],
    );
    let error = error_of("two values", scene.client.send((1, 2)));
    assert_says(&error.to_string(), &["not exactly one value"]);
    scene.client.emit("fence", ()).unwrap();
    scene.socket.expect("5:::{\"name\":\"fence\"}");
}

#[test]
fn an_hour_of_questions_without_answers_takes_no_memory() {
    alone(
        "acks::an_hour_of_questions_without_answers_takes_no_memory",
        || {
            unanswered::<Session>(|io| match io {
                Some(Io::Request(handshake)) => {
                    vec![response(handshake.id, 200, None, usual())]
                }
                Some(Io::OpenWebSocket(_)) => {
                    vec![Input::WebSocketOpened, Input::WebSocketText("1::".into())]
                }
                // Every server acknowledges the noops by which the client paces what it sends.
                Some(Io::SendText(text)) => pacing_id(text)
                    .map(|id| Input::WebSocketText(format!("6:::{id}").into()))
                    .into_iter()
                    .collect(),
                Some(_) => Vec::new(),
                None => vec![Input::WebSocketText("2::".into())],
            });
        },
    );
}
