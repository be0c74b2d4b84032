//! Threads and files: how many a connection has, and that none is left. Linux tells; elsewhere these tests see none.

use std::thread;
use std::time::Duration;

use sio_legacy::{Client, Transport};
use sio_peer::alone::{alone, cpu_time, leaves_nothing, threads_are, threads_end};
use sio_peer::client::{closing, connecting};
use sio_peer::peer::{Answer, Peer};
use sio_peer::wait::background;

use crate::scene::{
    Polling, Socketed, Stream, Streaming, accepting, only, opening, shake_hands, usual,
};
use crate::wire::Answers as _;

const ALL: [Transport; 4] = [
    Transport::WebSocket,
    Transport::Polling,
    Transport::HtmlFile,
    Transport::JsonpPolling,
];

#[test]
fn websocket_has_two_threads_and_one_without_handlers() {
    alone(
        "threads::websocket_has_two_threads_and_one_without_handlers",
        || {
            let mut peer = Peer::new();
            let connecting = connecting(only(Transport::WebSocket)(Client::builder(&peer.url())));
            shake_hands(&mut peer, &usual());
            let mut socket = accepting(&mut peer, "S");
            socket.text("1::");
            let client = connecting.join().unwrap();
            threads_are(&["sio-loop"]);
            client.on("x", || {});
            socket.text("5:::{\"name\":\"x\"}");
            threads_are(&["sio-handlers", "sio-loop"]);
            let closing = background("closing", move || client.close());
            socket.expect("0::");
            socket.cut();
            closing.join().unwrap();
            threads_are(&[]);
        },
    );
}

#[test]
fn http_has_two_threads_and_closing_ends_them() {
    alone(
        "threads::http_has_two_threads_and_closing_ends_them",
        || {
            for transport in [Transport::Polling, Transport::JsonpPolling] {
                let mut scene = Polling::on(transport);
                threads_are(&["sio-handlers", "sio-loop"]);
                scene.client.emit("x", ()).unwrap();
                scene.post();
                threads_are(&["sio-handlers", "sio-loop"]);
                let closing = closing(&scene.client);
                scene.post();
                scene.answer(&Answer::plain(crate::scene::body(transport, &["0::"])));
                closing.join().unwrap();
                threads_are(&[]);
            }
            let mut scene = Streaming::new();
            scene.client.emit("x", ()).unwrap();
            scene.post();
            threads_are(&["sio-handlers", "sio-loop"]);
            let closing = closing(&scene.client);
            scene.post();
            scene.stream.packet("0::");
            closing.join().unwrap();
            threads_are(&[]);
        },
    );
}

#[test]
fn a_transport_that_gives_way_leaves_no_thread_behind() {
    alone(
        "threads::a_transport_that_gives_way_leaves_no_thread_behind",
        || {
            let mut peer = Peer::new();
            let builder = Client::builder(&peer.url());
            let connecting = connecting(builder.transports([
                Transport::HtmlFile,
                Transport::JsonpPolling,
                Transport::WebSocket,
                Transport::Polling,
            ]));
            shake_hands(&mut peer, &usual());
            opening(&mut peer, Transport::HtmlFile, "S").close();
            shake_hands(&mut peer, &usual());
            opening(&mut peer, Transport::JsonpPolling, "S").close();
            shake_hands(&mut peer, &usual());
            peer.upgrade().close();
            shake_hands(&mut peer, &usual());
            opening(&mut peer, Transport::Polling, "S").answer(&Answer::packets(&["1::"]));
            let client = connecting.join().unwrap();
            let held = peer.get();
            threads_are(&["sio-loop"]);
            drop(client);
            threads_end("a drop");
            drop(held);
        },
    );
}

/// Connecting fails, at its timeout or before, with the peer in some state; nothing is left of it.
#[track_caller]
fn gives_up(what: &str, prepare: impl FnOnce(&mut Peer) -> Box<dyn std::any::Any>) {
    let limit = Duration::from_millis(400);
    let mut peer = Peer::new();
    let builder = Client::builder(&peer.url())
        .on("x", || {})
        .connect_timeout(limit);
    let connecting = connecting(builder);
    let kept = prepare(&mut peer);
    connecting.join().unwrap_err();
    threads_end(what);
    drop(kept);
}

#[test]
fn connecting_that_fails_leaves_no_thread_in_any_state() {
    alone(
        "threads::connecting_that_fails_leaves_no_thread_in_any_state",
        || {
            gives_up("a silent peer", |_| Box::new(()));
            gives_up("a handshake without an answer", |peer| Box::new(peer.get()));
            gives_up("half a handshake", |peer| {
                let mut get = peer.get();
                get.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nS:60");
                Box::new(get)
            });
            gives_up("a refused handshake", |peer| {
                peer.get()
                    .answer(&Answer::new(403, "text/plain", b"handshake unauthorized"));
                Box::new(())
            });
            for transport in ALL {
                gives_up(&format!("{transport} without an answer"), |peer| {
                    shake_hands(
                        peer,
                        &format!("S:60:60:{}", crate::wire::wire_name(transport)),
                    );
                    if transport == Transport::WebSocket {
                        Box::new(peer.upgrade())
                    } else {
                        Box::new(peer.get())
                    }
                });
            }
            gives_up("a silent websocket", |peer| {
                shake_hands(peer, "S:60:60:websocket");
                Box::new(accepting(peer, "S"))
            });
            gives_up("a silent stream", |peer| {
                shake_hands(peer, "S:60:60:htmlfile");
                Box::new(Stream::open(opening(peer, Transport::HtmlFile, "S")))
            });
            gives_up("no transport in common", |peer| {
                shake_hands(peer, "S:60:60:flashsocket");
                Box::new(())
            });
        },
    );
}

#[test]
fn dropping_the_last_handle_ends_all_threads_on_every_transport() {
    alone(
        "threads::dropping_the_last_handle_ends_all_threads_on_every_transport",
        || {
            let socketed = Socketed::new();
            drop(socketed.client);
            threads_end("a drop with a peer that does not answer");

            for transport in [Transport::Polling, Transport::JsonpPolling] {
                let mut polling = Polling::on(transport);
                polling.client.emit("x", ()).unwrap();
                let unanswered = polling.peer.post();
                drop(polling.client);
                threads_end("a drop with a poll and a post out");
                drop(unanswered);
            }

            let mut streaming = Streaming::new();
            streaming.client.emit("x", ()).unwrap();
            let unanswered = streaming.peer.post();
            streaming.stream.chunk(b"<script>_(\"3:::half");
            drop(streaming.client);
            threads_end("a drop in the middle of a script");
            drop(unanswered);

            let mut pausing = Polling::new();
            pausing.answer(&Answer::plain(""));
            drop(pausing.client);
            threads_end("a drop while the polls pause");

            let full = Socketed::new();
            for n in 0..5000 {
                full.client.emit("n", n).unwrap();
            }
            drop(full.client);
            threads_end("a drop with much that was not sent");

            let mut scene = Polling::new();
            let closed = closing(&scene.client);
            let goodbye = scene.peer.post();
            drop(scene.client);
            closed.join().unwrap();
            threads_end("a drop while closing");
            drop(goodbye);
        },
    );
}

#[test]
fn a_session_that_ends_by_itself_leaves_no_thread() {
    alone(
        "threads::a_session_that_ends_by_itself_leaves_no_thread",
        || {
            let mut socketed = Socketed::new();
            socketed.socket.text("0::");
            socketed.told.reason();
            threads_end("a goodbye, with the handle still there");
            let mut polling = Polling::new();
            polling.answer(&Answer::packets(&["7:::1+0"]));
            polling.told.reason();
            threads_end("a forgotten session, with the handle still there");
            let mut streaming = Streaming::new();
            streaming.stream.end();
            streaming.told.reason();
            threads_end("the end of the stream, with the handle still there");
        },
    );
}

#[test]
fn a_handler_that_drops_or_closes_leaves_no_thread() {
    alone(
        "threads::a_handler_that_drops_or_closes_leaves_no_thread",
        || {
            let mut scene = Polling::new();
            let weak = scene.client.downgrade();
            scene
                .client
                .on("close", move || weak.upgrade().unwrap().close().unwrap());
            scene.packets(&["5:::{\"name\":\"close\"}"]);
            scene.post();
            scene.answer(&Answer::packets(&["0::"]));
            threads_end("close in a handler");

            let Streaming {
                client,
                mut stream,
                mut peer,
                told,
            } = Streaming::new();
            let (sender, handed) = std::sync::mpsc::channel::<Client>();
            client.on("drop", move || drop(handed.recv().unwrap()));
            stream.packet("5:::{\"name\":\"drop\"}");
            sender.send(client).unwrap();
            let goodbye = peer.post();
            threads_end("a drop in a handler");
            drop((goodbye, told));
        },
    );
}

#[test]
fn connections_leave_neither_threads_nor_files() {
    alone(
        "threads::connections_leave_neither_threads_nor_files",
        || leaves_nothing(10, one_of_each),
    );
}

fn one_of_each() {
    let closing = |client: &Client| {
        let client = client.clone();
        background("closing", move || client.close())
    };
    let mut scene = Socketed::new();
    let closed = closing(&scene.client);
    scene.socket.expect("0::");
    scene.socket.cut();
    closed.join().unwrap();
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let mut scene = Polling::on(transport);
        let closed = closing(&scene.client);
        scene.post();
        scene.answer(&Answer::plain(crate::scene::body(transport, &["0::"])));
        closed.join().unwrap();
    }
    let mut scene = Streaming::new();
    let closed = closing(&scene.client);
    scene.post();
    scene.stream.packet("0::");
    closed.join().unwrap();
}

/// Asserts that nothing computes while nothing happens.
#[track_caller]
fn is_idle(what: &str) {
    let before = cpu_time();
    thread::sleep(Duration::from_millis(700)); // this long nothing shall happen
    let spent = cpu_time() - before;
    assert!(
        spent <= Duration::from_millis(70),
        "{what}: computed for {spent:?}"
    );
}

#[test]
fn waiting_costs_no_time_in_any_state() {
    alone("threads::waiting_costs_no_time_in_any_state", || {
        let socketed = Socketed::new();
        is_idle("an open WebSocket");
        for n in 0..2000 {
            socketed.client.emit("n", n).unwrap();
        }
        is_idle("a WebSocket that acknowledges nothing");
        let mut polling = Polling::new();
        polling.client.emit("x", ()).unwrap();
        let post = polling.peer.post();
        is_idle("a poll and a post that are not answered");
        for _ in 0..4 {
            polling.deliver(&Answer::plain(""));
        }
        polling.answer(&Answer::plain(""));
        is_idle("polls that pause");
        let streaming = Streaming::new();
        is_idle("a silent stream");
        let mut peer = Peer::new();
        let connecting = connecting(Client::builder(&peer.url()));
        shake_hands(&mut peer, &usual());
        let socket = accepting(&mut peer, "S");
        is_idle("a WebSocket that is not confirmed");
        drop(socket);
        peer.get().close();
        connecting.join().unwrap_err();
        let mut ended = Socketed::new();
        ended.socket.cut();
        ended.told.reason();
        let closing = background("closing", move || socketed.client.close());
        is_idle("a session that ended, and one that closes");
        closing.join().unwrap();
        drop((post, streaming));
    });
}
