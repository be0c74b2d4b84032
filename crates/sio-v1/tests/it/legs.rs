//! Every option on every leg of 1.x and 2.x; what is refused before anything is sent; what is told of secrets.

use std::time::Duration;

use sio_peer::alone::alone;
use sio_peer::legs::{self, Leg, Stage, Way, Wire};
use sio_peer::peer::Answer;
use sio_peer::{secrets, settings};
use sio_v1::Transport;

use crate::wire::{Answers as _, Packets as _, open, plain_open, text};

type OnStage = Stage<sio_v1::Session>;

#[test]
fn every_option_is_on_every_leg() {
    legs::every_option_is_on_every_leg::<V1>();
}

#[test]
fn no_secret_is_told() {
    let test = secrets::no_secret_is_told::<V1, crate::words::V1>;
    alone("legs::no_secret_is_told", test);
}

#[test]
fn what_cannot_work_is_refused_when_built() {
    settings::what_cannot_work_is_refused_when_built::<sio_v1::Session>();
}

enum V1 {}

impl Wire for V1 {
    type Protocol = sio_v1::Session;

    const PARAMETERS: &'static [&'static str] = &["EIO", "transport", "sid", "t"];

    fn is_behind_path(rest: &str) -> bool {
        rest.is_empty()
    }

    fn ways() -> Vec<Way<sio_v1::Session>> {
        const BOTH: &[Transport] = &[Transport::Polling, Transport::WebSocket];
        let way = |name, transports, walk| Way {
            name,
            transports,
            walk,
        };
        vec![
            way("polling", &[Transport::Polling], polling),
            way("WebSocket", &[Transport::WebSocket], websocket),
            way(
                "a WebSocket that is refused first",
                &[Transport::WebSocket],
                refused,
            ),
            way("the upgrade", BOTH, upgrade),
            way("an upgrade that is refused", BOTH, refused_upgrade),
        ]
    }
}

/// Takes a session in, and returns its first poll.
fn opened(stage: &mut OnStage, upgrades: &[&str]) -> Leg {
    let handshake = stage.get("handshake");
    let open = open(upgrades, 25_000, 20_000);
    stage.answer(handshake, Answer::text(&[&open, "40"]));
    stage.get("poll")
}

/// Posts and polls until each has brought cookies to the other; then the session is lost.
fn exchange(stage: &mut OnStage, mut poll: Leg) {
    for _ in 0..3 {
        stage.emit();
        let post = stage.post("post");
        stage.answer(poll, Answer::text(&["6"]));
        poll = stage.get("poll");
        stage.answer(post, Answer::new(200, "text/html", b"ok"));
    }
    // Stays unanswered: that it comes tells that the answer before was read.
    stage.emit();
    let _last = stage.post("post");
    poll.request.close();
}

fn polling(stage: &mut OnStage) {
    let poll = opened(stage, &[]);
    exchange(stage, poll);
}

fn websocket(stage: &mut OnStage) {
    let websocket = stage.upgrade("websocket");
    let mut socket = stage.accept(websocket);
    socket.text(&plain_open());
    socket.text("40");
    stage.emit();
    assert_eq!(socket.packet(), text("42[\"x\"]"));
    socket.cut();
}

fn refused(stage: &mut OnStage) {
    let websocket = stage.upgrade("websocket");
    stage.refuse(websocket);
    stage.next_attempt();
    self::websocket(stage);
}

fn upgrade(stage: &mut OnStage) {
    const A_MOMENT: Duration = Duration::from_millis(5);
    let poll = opened(stage, &["websocket"]);
    let upgrade = stage.upgrade("upgrade");
    let mut socket = stage.accept(upgrade);
    socket.expect("2probe");
    socket.text("3probe");
    // A poll may follow before the client has read this; all end until `5` comes.
    let mut held = Some(poll);
    loop {
        if let Some(poll) = held.take() {
            stage.answer(poll, Answer::text(&["6"]));
        }
        if let Some(packet) = socket.packet_within(A_MOMENT) {
            assert_eq!(packet, text("5"));
            break;
        }
        held = stage.get_within("poll", A_MOMENT);
    }
    stage.emit();
    assert_eq!(socket.packet(), text("42[\"x\"]"));
    socket.cut();
}

fn refused_upgrade(stage: &mut OnStage) {
    let poll = opened(stage, &["websocket"]);
    let upgrade = stage.upgrade("upgrade");
    stage.refuse(upgrade);
    stage.upgrade_failed();
    exchange(stage, poll);
}
