//! Lost and made again: what the server sees, and what the program.

use sio_peer::alone::{leaves_nothing, without_panics};
use sio_peer::client::{polling_only, reconnecting as connecting, watched};
use sio_peer::lifecycle::eager;
use sio_peer::peer::{Answer, Peer};
use sio_peer::reconnecting;
use sio_v1::{Client, Status};

use crate::wire::{Answers as _, Posts as _, open, plain_open, probed};
use crate::words::V1;

#[test]
fn many_losses_leave_nothing() {
    without_panics("reconnecting::many_losses_leave_nothing", || {
        leaves_nothing(4, || reconnecting::many_losses_leave_nothing::<V1>(50));
    });
}

#[test]
fn attempts_are_counted_by_the_server_too() {
    reconnecting::attempts_are_counted_by_the_server_too::<V1>();
}

#[test]
fn no_attempt_follows_the_close() {
    reconnecting::no_attempt_follows_the_close::<V1>();
}

#[test]
fn the_hook_changes_each_session_anew() {
    reconnecting::the_hook_changes_each_session_anew::<V1>();
}

#[test]
fn a_hook_that_blocks_for_ever_holds_nothing_up() {
    reconnecting::a_hook_that_blocks_for_ever_holds_nothing_up::<V1>();
}

#[test]
fn the_hook_s_emits_come_first_and_each_thread_s_in_order() {
    reconnecting::the_hook_s_emits_come_first_and_each_thread_s_in_order::<V1>();
}

#[test]
fn a_call_s_one_outcome_is_of_its_own_session() {
    reconnecting::a_call_s_one_outcome_is_of_its_own_session::<V1>();
}

#[test]
fn the_server_s_disconnect_is_the_end_unless_told_otherwise() {
    reconnecting::the_server_s_disconnect_is_the_end_unless_told_otherwise::<V1>();
}

#[test]
fn too_many_events_are_given_up_as_was_told() {
    reconnecting::too_many_events_are_given_up_as_was_told::<V1>();
}

#[test]
fn a_session_that_may_lose_nothing_ends_with_each_loss() {
    reconnecting::a_session_that_may_lose_nothing_ends_with_each_loss::<V1>();
}

/// A connection on polling, or upgrading, that was made for the `number`th time.
fn take_in(peer: &mut Peer, number: usize, upgrades: &[&str]) {
    let handshake = peer.get();
    assert!(
        !handshake.target.contains("sid="),
        "an old session in {handshake:?}"
    );
    let sid = format!("s{number}");
    handshake.answer(&Answer::text(&[
        &open(upgrades, 25_000, 20_000).replace("abc", &sid),
        "40",
    ]));
}

#[test]
fn lost_in_every_state_of_polling_it_comes_back_with_a_new_session() {
    let mut peer = Peer::new();
    let (builder, told) = watched(polling_only(Client::builder(&peer.url())));
    let connecting = connecting(builder, eager());
    take_in(&mut peer, 0, &[]);
    let client = connecting.join().unwrap();
    let again = |told: &sio_peer::client::Told| {
        while !matches!(told.status(), Status::Reconnected { .. }) {}
    };
    for (number, state) in [
        "a poll is held",
        "a post is out",
        "the poll's answer is cut",
        "the handshake is cut",
        "the handshake is an error",
        "the root is not granted",
        "the session is unknown",
        "the server closes",
    ]
    .into_iter()
    .enumerate()
    {
        let old = format!("sid=s{number}");
        let mut poll = peer.get();
        assert!(poll.target.contains(&old), "{state}: {}", poll.target);
        match state {
            "a poll is held" => poll.close(),
            "a post is out" => {
                client.emit("lost", ()).unwrap();
                let post = peer.post();
                post.close();
                poll.expect_drop();
            }
            "the poll's answer is cut" => {
                poll.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n4:42");
                poll.close();
            }
            "the handshake is cut" => {
                poll.close();
                peer.get().close();
            }
            "the handshake is an error" => {
                poll.close();
                peer.get()
                    .answer(&Answer::new(502, "text/html", b"<h1>Bad gateway</h1>"));
            }
            "the root is not granted" => {
                poll.close();
                let early = plain_open().replace("abc", "early");
                peer.get().answer(&Answer::text(&[&early]));
                let poll = peer.get();
                assert!(poll.target.contains("sid=early"));
                poll.close();
            }
            "the session is unknown" => poll.answer(&Answer::new(
                400,
                "application/json",
                br#"{"code":1,"message":"Session ID unknown"}"#,
            )),
            _ => poll.answer(&Answer::text(&["1"])),
        }
        take_in(&mut peer, number + 1, &[]);
        again(&told);
        client.emit("found", ()).unwrap();
        let post = peer.post();
        assert!(
            post.target.contains(&format!("sid=s{}", number + 1)),
            "{state}"
        );
        assert_eq!(
            post.packets(),
            [crate::wire::text("42[\"found\"]")],
            "{state}"
        );
        post.ok();
    }
    let closing = sio_peer::client::closing(&client);
    let post = peer.post();
    peer.get().answer(&Answer::text(&["6"]));
    post.ok();
    closing.join().unwrap();
}

#[test]
fn lost_while_upgrading_it_comes_back_with_a_new_session() {
    let mut peer = Peer::new();
    let (builder, told) = watched(Client::builder(&peer.url()));
    let connecting = connecting(builder, eager());
    take_in(&mut peer, 0, &["websocket"]);
    let client = connecting.join().unwrap();
    for (number, state) in ["handshake", "probe", "pause"].into_iter().enumerate() {
        let poll = peer.get();
        let upgrade = peer.upgrade();
        assert!(
            upgrade.target.contains(&format!("sid=s{number}")),
            "{state}"
        );
        match state {
            "handshake" => {
                poll.close();
                upgrade.expect_drop();
            }
            "probe" => {
                let mut socket = probed(upgrade);
                poll.close();
                socket.is_closed();
            }
            _ => {
                let mut socket = probed(upgrade);
                socket.text("3probe");
                poll.close();
                socket.is_closed();
            }
        }
        take_in(&mut peer, number + 1, &["websocket"]);
        while !matches!(told.status(), Status::Reconnected { .. }) {}
    }
    drop(client);
}

#[test]
fn a_hook_of_an_earlier_join_lets_nothing_go() {
    reconnecting::a_hook_of_an_earlier_join_lets_nothing_go::<V1>();
}
