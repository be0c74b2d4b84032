//! What answers is no Socket.IO 1.x or 2.x: the error says what it is, and what to do.

use std::time::Duration;

use sio_peer::client::{connecting, polling_only, websocket_only};
use sio_peer::peer::{Answer, Peer, Request};
use sio_peer::wait::{Background, assert_says, error_of, takes};
use sio_peer::websocket::{WebSocketPeer, frame};
use sio_v1::{Client, Error, HttpError, Transport};

use crate::scene::Polling;
use crate::wire::Answers as _;

/// The HTTP error of a client of this transport whose handshake gets this answer.
#[track_caller]
fn explanation(transport: Transport, answer: &Answer) -> HttpError {
    let mut peer = Peer::new();
    let connecting = connecting(Client::builder(&peer.url()).transports([transport]));
    match transport {
        Transport::Polling => peer.get().answer(answer),
        _ => peer.upgrade().answer(answer),
    }
    let result = takes(Duration::ZERO, Duration::from_secs(2), || connecting.join());
    match error_of("connecting", result) {
        Error::Http(error) => (*error).clone(),
        other => panic!("expected an HTTP error: {other:?}"),
    }
}

#[test]
fn a_page_that_is_not_there_has_status_type_and_snippet() {
    let page = "<html>\n<h1>Not Found</h1>\n</html>";
    for transport in [Transport::Polling, Transport::WebSocket] {
        let error = explanation(
            transport,
            &Answer::new(404, "text/html; charset=utf-8", page.as_bytes()),
        );
        assert_eq!(error.status, 404);
        assert_eq!(
            error.content_type.as_deref(),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(error.snippet, "<html> <h1>Not Found</h1> </html>");
    }
    let error = explanation(
        Transport::Polling,
        &Answer::new(404, "text/html", page.as_bytes()),
    );
    assert_eq!(
        error.to_string(),
        "the handshake was answered with HTTP status 404, text/html (nothing of Socket.IO is at this path: is the path option \
         right?): <html> <h1>Not Found</h1> </html>"
    );
}

#[test]
fn a_long_page_is_shown_by_its_beginning() {
    let page = format!("<!doctype html>{}", "x".repeat(100_000));
    let error = explanation(
        Transport::Polling,
        &Answer::new(500, "text/html", page.as_bytes()),
    );
    assert_eq!(error.snippet.chars().count(), HttpError::SNIPPET_CHARS + 1);
    assert!(error.snippet.ends_with('…'));
}

#[test]
fn a_web_page_is_told_from_a_server() {
    let error = explanation(
        Transport::Polling,
        &Answer::new(200, "text/html", b"\n <!DOCTYPE html><p>Hello"),
    );
    assert_eq!(error.status, 200);
    assert_says(
        &error.to_string(),
        &["a web page answers here, not Socket.IO", "<!DOCTYPE html>"],
    );
    let error = explanation(
        Transport::WebSocket,
        &Answer::new(200, "text/html", b"<!DOCTYPE html><p>Hello"),
    );
    assert_eq!(error.status, 200);
}

#[test]
fn a_redirect_is_not_followed_and_its_target_named() {
    for status in [301, 302, 303, 307, 308] {
        let answer =
            Answer::new(status, "text/html", b"").header("Location", "https://sso.example/login");
        let error = explanation(Transport::Polling, &answer);
        assert_eq!(error.status, status);
        assert_says(
            &error.to_string(),
            &["https://sso.example/login", "redirects are not followed"],
        );
        let error = explanation(Transport::WebSocket, &answer);
        assert_eq!(error.status, status);
        assert_says(
            &error.to_string(),
            &["https://sso.example/login", "redirects are not followed"],
        );
    }
}

#[test]
fn each_code_of_the_server_has_words_of_its_own() {
    let codes = [
        (400, 0, "Transport unknown", "does not offer this transport"),
        (400, 1, "Session ID unknown", "does not know the session"),
        (400, 2, "Bad handshake method", "Bad handshake method"),
        (400, 3, "Bad request", "Bad request"),
        (403, 4, "Forbidden", "allowRequest or origins"),
        (400, 5, "Unsupported protocol version", "allowEIO3"),
        (418, 77, "Teapot", "Teapot"),
    ];
    for (status, code, message, says) in codes {
        let body = format!(r#"{{"code":{code},"message":{message:?}}}"#);
        let answer = Answer::new(status, "application/json", body.as_bytes());
        let error = explanation(Transport::Polling, &answer);
        assert_eq!(error.status, status);
        assert_says(
            &error.to_string(),
            &[says, message, &format!("HTTP status {status}")],
        );
        let error = explanation(Transport::WebSocket, &answer);
        assert_eq!(error.status, status);
        assert_says(&error.to_string(), &[message]);
    }
}

#[test]
fn a_code_is_known_by_its_message_too() {
    let message = "Unsupported protocol version";
    let of_socketioxide = format!(r#"{{"code":"5","message":"{message}"}}"#);
    for body in [message, &of_socketioxide] {
        for transport in [Transport::Polling, Transport::WebSocket] {
            let answer = Answer::new(400, "application/json", body.as_bytes());
            assert_says(
                &explanation(transport, &answer).to_string(),
                &["only Engine.IO 4", "allowEIO3", body],
            );
        }
    }
}

#[test]
fn a_websocket_that_arrives_as_a_plain_request_names_the_proxy_between() {
    let body = br#"{"code":3,"message":"Bad request"}"#;
    let answer = Answer::new(400, "application/json", body);
    let says = "does not pass WebSockets on";
    assert_says(
        &explanation(Transport::WebSocket, &answer).to_string(),
        &["HTTP status 400", says],
    );
    let polled = explanation(Transport::Polling, &answer).to_string();
    assert!(!polled.contains(says), "{polled}");
}

#[test]
fn refusals_of_old_and_python_servers_keep_their_words() {
    let by_1x = Answer::new(400, "application/json", br#"{"code":null}"#);
    assert_says(
        &explanation(Transport::Polling, &by_1x).to_string(),
        &["HTTP status 400", r#"{"code":null}"#],
    );
    let python = Answer::new(
        401,
        "application/json",
        br#"["denied by policy",{"code":1}]"#,
    );
    assert_says(
        &explanation(Transport::Polling, &python).to_string(),
        &["401", "denied by policy"],
    );
    let words =
        r#""The client is using an unsupported version of the Socket.IO or Engine.IO protocols""#;
    let newer_python = Answer::new(400, "text/plain", words.as_bytes());
    assert_says(
        &explanation(Transport::Polling, &newer_python).to_string(),
        &["unsupported version", "python-socketio 5 or later"],
    );
}

#[test]
fn an_engine_io_4_server_is_recognised_by_its_body() {
    let body = br#"0{"sid":"x","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    let error = explanation(
        Transport::Polling,
        &Answer::new(200, "text/plain; charset=UTF-8", body),
    );
    assert_says(&error.to_string(), &["only Engine.IO 4", "allowEIO3"]);
}

#[test]
fn a_0_9_server_is_recognised_and_the_other_crate_named() {
    let error = explanation(
        Transport::Polling,
        &Answer::new(200, "text/html", b"Welcome to socket.io."),
    );
    assert_says(&error.to_string(), &["0.9", "sio-legacy"]);
}

#[test]
fn proxies_errors_keep_their_status_on_the_websocket_too() {
    for (status, words) in [
        (403, "blocked by policy"),
        (502, "<h1>Bad Gateway</h1>"),
        (407, "who are you?"),
    ] {
        for transport in [Transport::Polling, Transport::WebSocket] {
            let error = explanation(
                transport,
                &Answer::new(status, "text/html", words.as_bytes()),
            );
            assert_eq!(error.status, status);
            assert_says(&error.to_string(), &[words]);
        }
    }
}

#[test]
fn http_behind_an_accepted_websocket_is_explained() {
    let mut peer = Peer::new();
    let connecting = connecting(websocket_only(Client::builder(&peer.url())));
    let mut socket = WebSocketPeer::accept(peer.upgrade());
    socket.raw(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n{\"code\":5}");
    socket.cut();
    let error = error_of("connecting", connecting.join());
    assert_says(
        &error.to_string(),
        &["HTTP status 400", "without allowEIO3", r#"{"code":5}"#],
    );
    let Error::Http(error) = error else {
        panic!("expected an HTTP error: {error:?}");
    };
    assert_eq!(error.status, 400);
}

#[test]
fn garbage_behind_an_accepted_websocket_is_a_protocol_error() {
    let mut peer = Peer::new();
    let connecting = connecting(websocket_only(Client::builder(&peer.url())));
    let mut socket = WebSocketPeer::accept(peer.upgrade());
    socket.raw(&[0xff; 100]);
    let error = error_of("connecting", connecting.join());
    assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
    socket.is_closed();
}

#[test]
fn a_server_that_pings_is_of_the_next_generation() {
    let mut peer = Peer::new();
    let connecting = connecting(websocket_only(Client::builder(&peer.url())));
    let mut socket = WebSocketPeer::accept(peer.upgrade());
    // 3.0 answers EIO=3 by its own rules: an open packet, no root, then pings.
    socket.raw(&frame(0x81, crate::wire::plain_open().as_bytes()));
    socket.text("2");
    let error = error_of("connecting", connecting.join());
    assert_says(
        &error.chain(),
        &["only Engine.IO 4 servers do", "allowEIO3"],
    );
}

#[test]
fn a_refused_root_ends_connecting_with_the_server_s_own_words() {
    for (packet, shown) in [
        ("44\"no token\"", "the server refused /: \"no token\""),
        ("44{\"code\":7}", "the server refused /: {\"code\":7}"),
        ("44", "the server refused /: null"),
        ("44not json", "the server refused /: \"not json\""),
    ] {
        let mut peer = Peer::new();
        let connecting = connecting(polling_only(Client::builder(&peer.url())));
        peer.get()
            .answer(&Answer::text(&[&crate::wire::plain_open(), packet]));
        let error = error_of(packet, connecting.join());
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        assert_eq!(error.to_string(), shown);
    }
}

/// A WebSocket of its own is asked for, and this is done with it.
fn alone(limit: Duration, act: impl FnOnce(Request)) -> (Peer, Background<Result<Client, Error>>) {
    let mut peer = Peer::new();
    let builder = websocket_only(Client::builder(&peer.url())).connect_timeout(limit);
    let connecting = connecting(builder);
    act(peer.upgrade());
    (peer, connecting)
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_websocket_that_is_closed_unanswered_is_asked_about_over_polling() {
    let (mut peer, connecting) = alone(LONG, Request::close);
    peer.get()
        .answer(&Answer::new(200, "text/html", b"Welcome to socket.io."));
    let error = error_of("connecting", connecting.join());
    assert!(matches!(error, Error::Http(_)), "{error:?}");
    assert_eq!(
        error.chain(),
        "the WebSocket was closed without an answer; the handshake over polling was answered with HTTP status 200, \
         text/html (this is a Socket.IO 0.9 server: use the crate sio-legacy): Welcome to socket.io."
    );
}

#[test]
fn a_websocket_that_is_silent_is_asked_about_when_half_of_the_time_is_over() {
    let limit = Duration::from_secs(1);
    let mut socket = None;
    let (mut peer, connecting) = alone(limit, |upgrade| {
        socket = Some(WebSocketPeer::accept(upgrade));
    });
    let get = takes(limit / 4, limit, || peer.get());
    let body = br#"{"code":5,"message":"Unsupported protocol version"}"#;
    get.answer(&Answer::new(400, "application/json", body));
    let error = error_of("connecting", connecting.join());
    assert_says(
        &error.to_string(),
        &[
            "the WebSocket was accepted, and nothing came; the handshake over polling",
            "HTTP status 400",
            "allowEIO3",
        ],
    );
    socket.unwrap().is_closed();
}

#[test]
fn a_session_that_was_opened_only_to_ask_is_closed_again() {
    let (mut peer, connecting) = alone(LONG, |upgrade| {
        WebSocketPeer::accept(upgrade).close(1000, "");
    });
    peer.get()
        .answer(&Answer::text(&[&crate::wire::plain_open(), "40"]));
    let post = peer.post();
    assert_says(&post.target, &["transport=polling", "&sid="]);
    assert_eq!(post.body, b"\0\x01\xff1");
    post.answer(&Answer::new(200, "text/html", b"ok"));
    let error = error_of("connecting", connecting.join());
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    assert_says(
        &error.chain(),
        &[
            "the WebSocket was accepted, and closed before anything came",
            "a session over polling can be opened here",
            "leave polling among the client's `transports`",
        ],
    );
}

#[test]
fn a_websocket_that_wakes_up_late_connects_all_the_same() {
    let mut socket = None;
    let (mut peer, connecting) = alone(Duration::from_secs(2), |upgrade| {
        socket = Some(WebSocketPeer::accept(upgrade));
    });
    peer.get()
        .answer(&Answer::text(&[&crate::wire::plain_open(), "40"]));
    let post = peer.post();
    let mut socket = socket.unwrap();
    socket.text(&crate::wire::plain_open());
    socket.text("40");
    let client = connecting.join().expect("a connection");
    assert_eq!(client.transport(), Some(Transport::WebSocket));
    // The other session is closed, whatever becomes of this one.
    post.answer(&Answer::new(200, "text/html", b"ok"));
    socket.text("42[\"x\"]");
    assert!(client.is_connected());
    client.close().expect("a clean end");
}

#[test]
fn a_question_that_is_answered_behind_the_open_packet_leaves_no_session() {
    let mut socket = None;
    let (mut peer, connecting) = alone(Duration::from_secs(2), |upgrade| {
        socket = Some(WebSocketPeer::accept(upgrade));
    });
    let question = peer.get();
    let mut socket = socket.unwrap();
    socket.text(&crate::wire::plain_open());
    socket.text("40");
    let client = connecting.join().expect("a connection");
    question.answer(&Answer::text(&[&crate::wire::plain_open(), "40"]));
    let post = peer.post();
    assert_eq!(post.body, b"\0\x01\xff1");
    post.answer(&Answer::new(200, "text/html", b"ok"));
    assert_eq!(client.transport(), Some(Transport::WebSocket));
    client.close().expect("a clean end");
}

#[test]
fn silence_everywhere_ends_at_the_connect_timeout_and_says_what_is_silent() {
    let limit = Duration::from_millis(600);
    let mut socket = None;
    let (mut peer, connecting) = alone(limit, |upgrade| {
        socket = Some(WebSocketPeer::accept(upgrade));
    });
    let question = peer.get();
    let result = takes(Duration::ZERO, 2 * limit, || connecting.join());
    let error = error_of("connecting", result);
    assert!(error.is_timeout(), "{error:?}");
    assert_says(
        &error.to_string(),
        &[
            "within 600ms, while waiting for the first packet on the WebSocket, which was accepted",
            "3.1 without allowEIO3",
        ],
    );
    question.expect_drop();
    socket.unwrap().is_closed();
}

#[test]
fn an_open_session_without_a_root_says_so_at_the_connect_timeout() {
    let mut socket = None;
    let (_peer, connecting) = alone(Duration::from_millis(300), |upgrade| {
        let mut peer = WebSocketPeer::accept(upgrade);
        peer.text(&crate::wire::plain_open());
        socket = Some(peer);
    });
    let error = error_of("connecting", connecting.join());
    assert!(error.is_timeout(), "{error:?}");
    assert_says(
        &error.to_string(),
        &[
            "the root namespace",
            "Socket.IO 3.0",
            "assume_root_connected",
        ],
    );
}

#[test]
fn an_upgrade_that_is_closed_unanswered_asks_nothing() {
    let (mut scene, request) = Polling::upgrading(|builder| builder);
    request.close();
    let why = scene.told.failed_upgrade();
    assert_says(&why, &["closed without an answer"]);
    // The poll that is out is the only GET: a second one would be against the peer's rule.
    scene.text("42[\"still\",\"here\"]");
    assert_eq!(scene.told.text_event().0, "still");
}

#[test]
fn answers_of_200_that_are_no_handshake_say_that_this_is_no_socket_io() {
    for (content_type, body) in [
        ("application/json", "{\"ok\":true}"),
        ("text/plain", "hello"),
        ("text/plain", ""),
    ] {
        let error = explanation(
            Transport::Polling,
            &Answer::new(200, content_type, body.as_bytes()),
        );
        assert_eq!(error.content_type.as_deref(), Some(content_type));
        assert_eq!(error.snippet, body);
        assert_says(
            &error.to_string(),
            &["not what a Socket.IO server answers", content_type, body],
        );
    }
}
