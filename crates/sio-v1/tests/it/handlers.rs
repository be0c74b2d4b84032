//! Handlers: what they may do, and what a bad one does not do to others.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use sio_peer::client::calling;
use sio_peer::wait::{PATIENCE, assert_says, background, next, takes};
use sio_v1::{Ack, Client, DisconnectReason, Error, Event, Status};

use crate::scene::Socketed;
use crate::wire::plain_open;

fn pipe<T>() -> (Sender<T>, Receiver<T>) {
    mpsc::channel()
}

#[test]
fn a_handler_may_emit_and_call() {
    let mut scene = Socketed::new();
    let (sender, answers) = pipe();
    let weak = scene.client.downgrade();
    scene.client.on("go", move || {
        let client = weak.upgrade().expect("the test holds it");
        client.emit("from handler", ()).unwrap();
        let answer: String = client.call("q", (), PATIENCE).unwrap();
        sender.send(answer).unwrap();
    });
    scene.socket.text("42[\"go\"]");
    scene.socket.expect("42[\"from handler\"]");
    scene.socket.expect("420[\"q\"]");
    // Events behind the answer do not overtake it, and do not block it.
    scene.socket.text("42[\"noise\"]");
    scene.socket.text("430[\"a\"]");
    assert_eq!(next("the handler's answer", &answers), "a");
}

#[test]
fn a_handler_may_answer_and_a_callback_may_emit() {
    let mut scene = Socketed::new();
    let weak = scene.client.downgrade();
    scene.client.on("ask", move |n: u32, ack: Ack| {
        let client = weak.upgrade().unwrap();
        let again = weak.clone();
        let then = move |answer: sio_v1::Result<u32>| {
            ack.send(answer.unwrap()).unwrap();
            again.upgrade().unwrap().emit("done", ()).unwrap();
        };
        client.emit_with_ack("relay", n, PATIENCE, then).unwrap();
    });
    scene.socket.text("423[\"ask\",5]");
    scene.socket.expect("420[\"relay\",5]");
    scene.socket.text("430[6]");
    scene.socket.expect("433[6]");
    scene.socket.expect("42[\"done\"]");
}

#[test]
fn a_handler_may_register_and_remove() {
    let mut scene = Socketed::new();
    let (sender, seen) = pipe();
    let weak = scene.client.downgrade();
    scene.client.on("grow", move |n: u32| {
        let client = weak.upgrade().unwrap();
        let (inner, again) = (sender.clone(), sender.clone());
        client.once("later", move |m: u32| {
            inner.send(format!("once {n} {m}")).unwrap();
        });
        client.off_event("grow");
        client.on("grow", move |n: u32| {
            again.send(format!("second {n}")).unwrap();
        });
    });
    for packet in [
        "42[\"grow\",1]",
        "42[\"later\",2]",
        "42[\"later\",3]",
        "42[\"grow\",4]",
    ] {
        scene.socket.text(packet);
    }
    assert_eq!(next("the first", &seen), "once 1 2");
    assert_eq!(next("the second", &seen), "second 4");
    assert_eq!(scene.client.off_all(), 1);
    scene.socket.text("42[\"grow\",5]");
    assert_eq!(seen.recv_timeout(Duration::from_millis(50)).ok(), None);
}

#[test]
fn a_handler_may_close() {
    let mut scene = Socketed::new();
    let (sender, done) = pipe();
    let weak = scene.client.downgrade();
    scene.client.on("end", move || {
        let client = weak.upgrade().unwrap();
        takes(Duration::ZERO, Duration::from_secs(1), || {
            client.close().unwrap();
        });
        sender.send(client.emit("x", ()).is_err()).unwrap();
    });
    scene.socket.text("42[\"end\"]");
    scene.socket.expect("41");
    scene.socket.is_closed();
    assert!(next("the handler", &done), "nothing is sent after close");
    assert!(matches!(scene.told.reason(), DisconnectReason::Client));
}

#[test]
fn the_last_handle_may_be_dropped_in_a_handler() {
    let scene = Socketed::new();
    let Socketed {
        client,
        mut told,
        mut socket,
        peer,
    } = scene;
    let (sender, handed) = pipe::<Client>();
    let (finished, done) = pipe();
    client.on("take", move || {
        drop(handed.recv_timeout(PATIENCE).expect("the last handle"));
        finished.send(()).unwrap();
    });
    socket.text("42[\"take\"]");
    sender.send(client).unwrap();
    socket.expect("41");
    socket.is_closed();
    next("the handler", &done);
    while told.events.recv_timeout(PATIENCE).is_ok() {}
    drop(peer);
}

#[test]
fn a_handler_that_panics_is_reported_and_the_others_run() {
    let mut scene = Socketed::new();
    let (sender, seen) = pipe();
    scene
        .client
        .on("x", |_: String| -> () { panic!("out of cheese") });
    scene
        .client
        .on("x", move |text: String| sender.send(text).unwrap());
    for n in 0..3 {
        scene.socket.text(&format!("42[\"x\",\"{n}\"]"));
        let error = scene.told.error();
        assert!(matches!(error, Error::Handler { .. }), "{error:?}");
        assert_eq!(
            error.chain(),
            "the handler of \"x\" failed: it panicked: out of cheese"
        );
        assert_eq!(next("the other handler", &seen), n.to_string());
    }
    assert!(scene.client.is_connected());
    scene.client.emit("still", ()).unwrap();
    scene.socket.expect("42[\"still\"]");
}

#[test]
fn a_panic_in_a_status_handler_or_callback_does_no_harm() {
    let (sender, statuses) = pipe();
    let mut scene = Socketed::with(&plain_open(), move |builder| {
        builder
            .on_status(|_: &Status| panic!("no"))
            .on_status(move |status: &Status| {
                let _ = sender.send(format!("{status:?}"));
            })
    });
    assert_eq!(
        next("the first change of status", &statuses),
        "Connected { again: false }"
    );
    let panics = |_: sio_v1::Result<()>| -> () { panic!("in a callback") };
    scene
        .client
        .emit_with_ack("q", (), PATIENCE, panics)
        .unwrap();
    scene.socket.expect("420[\"q\"]");
    scene.socket.text("430[]");
    let (sender, seen) = pipe();
    scene.client.on("x", move || sender.send(()).unwrap());
    scene.socket.text("42[\"x\"]");
    next("the handler behind the callback", &seen);
}

#[test]
fn a_handler_s_error_and_a_wrong_type_are_reported_with_the_event() {
    let mut scene = Socketed::new();
    scene.client.on("fails", || Err::<(), _>("no disk"));
    scene.client.on("typed", |_: (u32, String)| {});
    scene.socket.text("42[\"fails\"]");
    assert_eq!(
        scene.told.error().chain(),
        "the handler of \"fails\" failed: no disk"
    );
    for packet in [
        "42[\"typed\"]",
        "42[\"typed\",1]",
        "42[\"typed\",\"x\",\"y\"]",
        "42[\"typed\",-1,\"y\"]",
    ] {
        scene.socket.text(packet);
        let error = scene.told.error();
        assert!(matches!(error, Error::Decode { .. }), "{packet}: {error:?}");
        assert_says(
            &error.chain(),
            &["the event \"typed\" does not have the expected type"],
        );
    }
    scene.socket.text("42[\"typed\",1,\"ok\",\"surplus\"]");
    scene.socket.text("42[\"fails\"]");
    assert_eq!(
        scene.told.error().chain(),
        "the handler of \"fails\" failed: no disk",
        "surplus values are none"
    );
}

#[test]
fn handlers_run_one_at_a_time_in_order_and_unhandled_events_are_seen() {
    let mut scene = Socketed::new();
    let (sender, seen) = pipe();
    let (named, any, unhandled) = (sender.clone(), sender.clone(), sender);
    scene
        .client
        .on("n", move |n: u32| named.send(format!("n {n}")).unwrap());
    scene
        .client
        .on_any(move |event: &Event| any.send(format!("any {}", event.name())).unwrap());
    scene
        .client
        .on_unhandled(move |event: &Event| unhandled.send(format!("un {}", event.name())).unwrap());
    for n in 0..100 {
        scene.socket.text(&format!("42[\"n\",{n}]"));
        scene.socket.text("42[\"m\"]");
    }
    for n in 0..100 {
        let four: Vec<String> = (0..4).map(|_| next("a handler", &seen)).collect();
        assert_eq!(
            four,
            [
                format!("n {n}"),
                "any n".into(),
                "any m".into(),
                "un m".into()
            ]
        );
    }
}

#[test]
fn a_slow_handler_delays_no_call_of_another_thread() {
    let mut scene = Socketed::new();
    let (release, blocked) = pipe::<()>();
    scene.client.on("slow", move || {
        let _ = blocked.recv_timeout(PATIENCE);
    });
    scene.socket.text("42[\"slow\"]");
    let call = calling(&scene.client, "q", PATIENCE);
    scene.socket.expect("420[\"q\"]");
    scene.socket.text("430[\"quick\"]");
    assert_eq!(call.join().unwrap(), "quick");
    release.send(()).unwrap();
}

/// Uses the client when it is dropped.
struct Guard(Option<Box<dyn FnOnce() + Send>>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(act) = self.0.take() {
            act();
        }
    }
}

fn holds(_: &Guard) {}

#[test]
fn what_a_handler_captured_may_use_the_client_when_it_is_dropped() {
    let mut scene = Socketed::new();
    let (sender, dropped) = pipe();
    let guard = |what: &'static str| {
        let (weak, sender) = (scene.client.downgrade(), sender.clone());
        Guard(Some(Box::new(move || {
            if let Some(client) = weak.upgrade() {
                client.off_event("nothing");
                client.on("other", || {});
                // It is refused at the end.
                let _ = client.emit("dropped", ());
            }
            sender.send(what).unwrap();
        })))
    };
    let (once, removed, callback) = (guard("once"), guard("removed"), guard("callback"));
    scene.client.once("x", move || holds(&once));
    scene.client.on("y", move || holds(&removed));
    scene.socket.text("42[\"x\"]");
    assert_eq!(
        next("the drop of a handler that ran once", &dropped),
        "once"
    );
    scene.socket.expect("42[\"dropped\"]");
    let client = scene.client.clone();
    background("removing", move || client.off_event("y")).join();
    assert_eq!(next("the drop of a removed handler", &dropped), "removed");
    scene.socket.expect("42[\"dropped\"]");
    scene.socket.cut();
    scene.told.reason();
    let client = scene.client.clone();
    let then = move |_: sio_v1::Result<()>| holds(&callback);
    let refused = background("asking", move || {
        client.emit_with_ack("q", (), PATIENCE, then)
    });
    assert!(refused.join().is_err());
    assert_eq!(
        next("the drop of a callback that was not taken", &dropped),
        "callback"
    );
}
