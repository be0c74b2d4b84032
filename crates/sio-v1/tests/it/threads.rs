//! Threads and files: how many a connection has, and that none is left. Linux tells; elsewhere these tests see none.

use std::time::Duration;

use sio_peer::alone::{alone, leaves_nothing, threads_are, threads_end};
use sio_peer::client::{closing, connecting, websocket_only};
use sio_peer::peer::{Answer, Peer};
use sio_peer::wait::background;
use sio_peer::websocket::WebSocketPeer;
use sio_v1::{Client, Transport};

use crate::reaching::NO_NAME;
use crate::scene::{Polling, Socketed};
use crate::wire::{plain_open, probed};

#[test]
fn polling_has_two_threads_and_closing_ends_them() {
    alone(
        "threads::polling_has_two_threads_and_closing_ends_them",
        || {
            let mut scene = Polling::new();
            threads_are(&["sio-handlers", "sio-loop"]);
            scene.client.emit("x", ()).unwrap();
            scene.post();
            scene.client.on("x", || {});
            threads_are(&["sio-handlers", "sio-loop"]);
            let closing = closing(&scene.client);
            scene.post();
            closing.join().unwrap();
            threads_are(&[]);
        },
    );
}

#[test]
fn websocket_has_two_threads_and_one_without_handlers() {
    alone(
        "threads::websocket_has_two_threads_and_one_without_handlers",
        || {
            let mut peer = Peer::new();
            let connecting = connecting(websocket_only(Client::builder(&peer.url())));
            let mut socket = WebSocketPeer::accept(peer.upgrade());
            socket.text(&plain_open());
            socket.text("40");
            let client = connecting.join().unwrap();
            threads_are(&["sio-loop"]);
            client.on("x", || {});
            socket.text("42[\"x\"]");
            threads_are(&["sio-handlers", "sio-loop"]);
            let closing = background("closing", move || client.close());
            socket.is_closed();
            closing.join().unwrap();
            threads_are(&[]);
        },
    );
}

#[test]
fn an_upgrade_needs_no_thread() {
    alone("threads::an_upgrade_needs_no_thread", || {
        let (mut scene, request) = Polling::upgrading(|builder| builder);
        scene.client.emit("x", ()).unwrap();
        scene.post();
        let mut socket = probed(request);
        threads_are(&["sio-handlers", "sio-loop"]);
        socket.text("3probe");
        scene.finish_upgrade(&mut socket);
        scene.told.upgraded();
        threads_are(&["sio-handlers", "sio-loop"]);
        drop(scene.client);
        threads_end("a drop");
    });
}

#[test]
fn dropping_the_last_handle_ends_all_threads_in_every_state() {
    alone(
        "threads::dropping_the_last_handle_ends_all_threads_in_every_state",
        || {
            let mut polling = Polling::new();
            polling.client.emit("x", ()).unwrap();
            let unanswered = polling.peer.post();
            drop(polling.client);
            threads_end("a drop with a poll and a post out");
            drop(unanswered);

            let (upgrading, request) = Polling::upgrading(|builder| builder);
            drop(upgrading.client);
            threads_end("a drop with a WebSocket that is not open");
            drop(request);

            let (upgrading, request) = Polling::upgrading(|builder| builder);
            let mut socket = probed(request);
            socket.text("3probe");
            drop(upgrading.client);
            threads_end("a drop in the pause");

            let socketed = Socketed::new();
            drop(socketed.client);
            threads_end("a drop with a peer that does not answer");
        },
    );
}

#[test]
fn a_connection_that_fails_or_ends_leaves_no_thread() {
    alone(
        "threads::a_connection_that_fails_or_ends_leaves_no_thread",
        || {
            let limit = Duration::from_millis(100);
            for transport in [Transport::Polling, Transport::WebSocket] {
                let silent = Peer::new();
                for url in [
                    silent.url(),
                    "http://127.0.0.1:1".into(),
                    format!("http://{NO_NAME}"),
                ] {
                    let builder = Client::builder(&url).transports([transport]).on("x", || {});
                    builder.connect_timeout(limit).connect().unwrap_err();
                    threads_end(&format!("a failed connect to {url}"));
                }
            }
            let mut socketed = Socketed::new();
            socketed.socket.cut();
            socketed.told.reason();
            threads_end("the end of the stream, with the handle still there");
            let mut polling = Polling::new();
            polling.answer(&Answer::new(500, "text/plain", b"no"));
            polling.told.reason();
            threads_end("an error, with the handle still there");
        },
    );
}

#[test]
fn a_handler_that_drops_or_closes_leaves_no_thread() {
    alone(
        "threads::a_handler_that_drops_or_closes_leaves_no_thread",
        || {
            let mut scene = Socketed::new();
            let weak = scene.client.downgrade();
            scene
                .client
                .on("close", move || weak.upgrade().unwrap().close().unwrap());
            scene.socket.text("42[\"close\"]");
            scene.socket.is_closed();
            threads_end("close in a handler");

            let Socketed {
                client,
                mut socket,
                peer,
                told,
            } = Socketed::new();
            let (sender, handed) = std::sync::mpsc::channel::<Client>();
            client.on("drop", move || drop(handed.recv().unwrap()));
            socket.text("42[\"drop\"]");
            sender.send(client).unwrap();
            socket.is_closed();
            threads_end("a drop in a handler");
            drop((peer, told));
        },
    );
}

#[test]
fn fifty_connections_leave_neither_threads_nor_files() {
    alone(
        "threads::fifty_connections_leave_neither_threads_nor_files",
        || leaves_nothing(25, one_of_each),
    );
}

fn one_of_each() {
    let mut scene = Polling::new();
    let closed = closing(&scene.client);
    scene.post();
    closed.join().unwrap();
    let (mut scene, request) = Polling::upgrading(|builder| builder);
    let mut socket = probed(request);
    socket.text("3probe");
    scene.finish_upgrade(&mut socket);
    let closing = closing(&scene.client);
    socket.is_closed();
    closing.join().unwrap();
}
