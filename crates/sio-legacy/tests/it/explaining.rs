//! What answers is no Socket.IO 0.9: the error says what it is, and what to do.

use std::time::Duration;

use sio_legacy::{Client, Error, HttpError, Transport};
use sio_peer::client::connecting;
use sio_peer::peer::{Answer, Peer};
use sio_peer::wait::{assert_says, error_of, takes};

/// The HTTP error of a client whose handshake gets this answer. It is the same whatever the transport.
#[track_caller]
fn explanation(answer: &Answer) -> HttpError {
    let errors = [Transport::WebSocket, Transport::Polling].map(|transport| {
        let mut peer = Peer::new();
        let connecting = connecting(Client::builder(&peer.url()).transports([transport]));
        peer.get().answer(answer);
        let result = takes(Duration::ZERO, Duration::from_secs(2), || connecting.join());
        match error_of("connecting", result) {
            Error::Http(error) => (*error).clone(),
            other => panic!("expected an HTTP error: {other:?}"),
        }
    });
    assert_eq!(errors[0], errors[1]);
    errors[0].clone()
}

#[test]
fn servers_of_1_x_and_later_are_recognised_and_the_other_crate_named() {
    let open = r#"0{"sid":"x","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":60000}"#;
    let unknown = r#"{"code":0,"message":"Transport unknown"}"#;
    for answer in [
        Answer::new(400, "application/json", unknown.as_bytes()),
        Answer::new(200, "text/plain; charset=UTF-8", open.as_bytes()),
        Answer::new(
            200,
            "text/plain; charset=UTF-8",
            format!("{}:{open}2:40", open.len()).as_bytes(),
        ),
        Answer::new(
            200,
            "application/octet-stream",
            &[b"\0\x07\x08\xff", open.as_bytes()].concat(),
        ),
    ] {
        let error = explanation(&answer);
        assert_says(
            &error.to_string(),
            &["1.x or later", "use the crate sio-v1", "allowEIO3"],
        );
    }
}

#[test]
fn servers_of_python_are_recognised_by_their_words() {
    let words =
        r#""The client is using an unsupported version of the Socket.IO or Engine.IO protocols""#;
    let error = explanation(&Answer::new(400, "text/plain", words.as_bytes()));
    assert_says(
        &error.to_string(),
        &["python-socketio", "the crate sio-v1", words],
    );
}

#[test]
fn what_is_no_socket_io_has_status_type_and_snippet() {
    for (status, content_type, body, says) in [
        (
            200,
            "text/html",
            "<!DOCTYPE html>",
            "a web page answers here",
        ),
        (
            404,
            "text/html",
            "<h1>gone</h1>",
            "is the path option right?",
        ),
        (
            200,
            "application/json",
            "{\"ok\":true}",
            "not what a Socket.IO server answers",
        ),
        (
            200,
            "text/plain",
            "hello",
            "not what a Socket.IO server answers",
        ),
        (200, "text/plain", "", "not what a Socket.IO server answers"),
        (503, "text/plain", "later", "HTTP status 503"),
    ] {
        let error = explanation(&Answer::new(status, content_type, body.as_bytes()));
        assert_eq!(error.status, status);
        assert_eq!(error.content_type.as_deref(), Some(content_type));
        assert_eq!(error.snippet, body);
        assert_says(
            &error.to_string(),
            &[&format!("HTTP status {status}, {content_type}"), says, body],
        );
    }
}

#[test]
fn a_redirect_is_not_followed_and_its_target_named() {
    for status in [301, 302, 303, 307, 308] {
        let answer = Answer::new(status, "text/html", b"<p>Moved")
            .header("Location", "https://sso.example/login?next=secret");
        let text = explanation(&answer).to_string();
        assert_says(
            &text,
            &[
                "redirects to https://sso.example/login; ",
                "not followed",
                "log in first",
            ],
        );
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn the_welcome_of_a_0_9_server_names_the_path() {
    let answer = Answer::new(200, "text/html", b"Welcome to socket.io.");
    assert_says(
        &explanation(&answer).to_string(),
        &["this is a 0.9 server", "is the path option right?"],
    );
}

#[test]
fn a_connection_closed_without_an_answer_asks_for_https() {
    let mut peer = Peer::new();
    let connecting = connecting(Client::builder(&peer.url()));
    peer.get().close();
    let error = error_of("connecting", connecting.join());
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    assert_says(
        &error.chain(),
        &["closed without an answer", "is this a port for https?"],
    );
}

#[test]
fn a_server_that_never_answers_is_given_up_in_time() {
    let limit = Duration::from_millis(300);
    let mut peer = Peer::new();
    let connecting = connecting(Client::builder(&peer.url()).connect_timeout(limit));
    let get = peer.get();
    let result = takes(Duration::ZERO, 3 * limit, || connecting.join());
    let error = error_of("connecting", result);
    assert!(error.is_timeout(), "{error:?}");
    assert_says(
        &error.to_string(),
        &["within 300ms", "GET http://127.0.0.1"],
    );
    get.expect_drop();
}
