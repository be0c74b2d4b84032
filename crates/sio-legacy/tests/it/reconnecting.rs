//! Lost and made again: what the server sees, and what the program.

use sio_legacy::{Client, Status, Transport};
use sio_peer::alone::{leaves_nothing, without_panics};
use sio_peer::client::{closing, reconnecting as connecting, watched};
use sio_peer::lifecycle::eager;
use sio_peer::peer::{Answer, Peer, Request};
use sio_peer::reconnecting;

use crate::scene::{Stream, body, only, opening, shake_hands};
use crate::wire::{ALL, Answers as _, Posts as _};
use crate::words::Legacy;

#[test]
fn many_losses_leave_nothing() {
    without_panics("reconnecting::many_losses_leave_nothing", || {
        leaves_nothing(4, || reconnecting::many_losses_leave_nothing::<Legacy>(50));
    });
}

#[test]
fn attempts_are_counted_by_the_server_too() {
    reconnecting::attempts_are_counted_by_the_server_too::<Legacy>();
}

#[test]
fn no_attempt_follows_the_close() {
    reconnecting::no_attempt_follows_the_close::<Legacy>();
}

#[test]
fn the_hook_changes_each_session_anew() {
    reconnecting::the_hook_changes_each_session_anew::<Legacy>();
}

#[test]
fn a_hook_that_blocks_for_ever_holds_nothing_up() {
    reconnecting::a_hook_that_blocks_for_ever_holds_nothing_up::<Legacy>();
}

#[test]
fn the_hook_s_emits_come_first_and_each_thread_s_in_order() {
    reconnecting::the_hook_s_emits_come_first_and_each_thread_s_in_order::<Legacy>();
}

#[test]
fn a_call_s_one_outcome_is_of_its_own_session() {
    reconnecting::a_call_s_one_outcome_is_of_its_own_session::<Legacy>();
}

#[test]
fn the_server_s_disconnect_is_the_end_unless_told_otherwise() {
    reconnecting::the_server_s_disconnect_is_the_end_unless_told_otherwise::<Legacy>();
}

#[test]
fn too_many_events_are_given_up_as_was_told() {
    reconnecting::too_many_events_are_given_up_as_was_told::<Legacy>();
}

#[test]
fn a_session_that_may_lose_nothing_ends_with_each_loss() {
    reconnecting::a_session_that_may_lose_nothing_ends_with_each_loss::<Legacy>();
}

#[test]
fn a_hook_of_an_earlier_join_lets_nothing_go() {
    reconnecting::a_hook_of_an_earlier_join_lets_nothing_go::<Legacy>();
}

/// What the client reads from on one of the transports over HTTP.
enum Open {
    Poll(Request),
    Stream(Stream),
}

impl Open {
    /// The session `s{number}`, opened.
    fn take_in(peer: &mut Peer, transport: Transport, number: usize) -> Self {
        let sid = format!("s{number}");
        shake_hands(peer, &format!("{sid}:60:60:{ALL}"));
        let first = opening(peer, transport, &sid);
        if transport == Transport::HtmlFile {
            let mut stream = Stream::open(first);
            stream.packet("1::");
            return Self::Stream(stream);
        }
        first.answer(&Answer::plain(body(transport, &["1::"])));
        Self::Poll(opening(peer, transport, &sid))
    }

    fn request(self) -> Request {
        match self {
            Self::Poll(poll) => poll,
            Self::Stream(stream) => stream.request,
        }
    }

    /// Sends one packet.
    fn say(self, transport: Transport, packet: &str) {
        match self {
            Self::Poll(poll) => poll.answer(&Answer::plain(body(transport, &[packet]))),
            Self::Stream(mut stream) => stream.packet(packet),
        }
    }
}

#[test]
fn lost_in_every_state_of_http_it_comes_back_with_a_new_session() {
    for transport in [
        Transport::Polling,
        Transport::JsonpPolling,
        Transport::HtmlFile,
    ] {
        let mut peer = Peer::new();
        let (builder, told) = watched(only(transport)(Client::builder(&peer.url())));
        let connecting = connecting(builder, eager());
        let mut open = Open::take_in(&mut peer, transport, 0);
        let client = connecting.join().unwrap();
        let states = [
            "reading",
            "a post is out",
            "the handshake is cut",
            "the handshake is an error",
            "the root is not granted",
            "the session is unknown",
        ];
        for (number, state) in states.into_iter().enumerate() {
            match state {
                "reading" => open.request().close(),
                "a post is out" => {
                    client.emit("lost", ()).unwrap();
                    peer.post().close();
                    open.request().expect_drop();
                }
                "the handshake is cut" => {
                    open.request().close();
                    peer.get().close();
                }
                "the handshake is an error" => {
                    open.request().close();
                    peer.get()
                        .answer(&Answer::new(503, "text/html", b"<h1>Not now</h1>"));
                }
                "the root is not granted" => {
                    open.request().close();
                    shake_hands(&mut peer, &format!("early:60:60:{ALL}"));
                    opening(&mut peer, transport, "early").close();
                }
                _ => open.say(transport, "7:::1+0"),
            }
            open = Open::take_in(&mut peer, transport, number + 1);
            while !matches!(told.status(), Status::Reconnected { .. }) {}
            client.emit("found", ()).unwrap();
            let post = peer.post();
            let sid = format!("/s{}", number + 1);
            assert!(post.path().ends_with(&sid), "{state}: {}", post.path());
            assert_eq!(
                post.packets(),
                [r#"5:::{"name":"found"}"#],
                "{transport}, {state}"
            );
            post.ok();
        }
        let closing = closing(&client);
        peer.post().ok();
        open.request().close();
        closing.join().unwrap();
    }
}
