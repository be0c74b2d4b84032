//! The handshake: what is asked, what is understood, and what each of the many things says that are none.

use std::time::Duration;

use sio_legacy::{Client, Error, Limits, Transport};
use sio_peer::bytes::gzip;
use sio_peer::client::{connecting, polling_only};
use sio_peer::peer::{Answer, Peer, Request};
use sio_peer::wait::{PATIENCE, assert_says, error_of, takes};

use crate::scene::{opening, shake_hands};
use crate::wire::{Answers as _, Posts as _, chunk};

/// The error of a client whose handshake gets this answer.
#[track_caller]
fn refusal(answer: &Answer) -> Error {
    refused_by(|get| get.answer(answer))
}

/// The error of a client whose handshake is treated like this, within the time of something that was told at once.
#[track_caller]
fn refused_by(treat: impl FnOnce(Request)) -> Error {
    let mut peer = Peer::new();
    let builder = Client::builder(&peer.url()).connect_timeout(PATIENCE);
    let connecting = connecting(builder);
    treat(peer.get());
    let error = takes(Duration::ZERO, Duration::from_secs(2), || {
        error_of("connecting", connecting.join())
    });
    peer.hears_nothing(Duration::from_millis(10));
    error
}

/// Connects with this as the handshake, and opens the session by polling.
#[track_caller]
fn accepts(shake: impl FnOnce(Request)) {
    let mut peer = Peer::new();
    let connecting = connecting(polling_only(Client::builder(&peer.url())));
    let get = peer.get();
    assert_eq!(get.path(), "/socket.io/1/");
    shake(get);
    opening(&mut peer, Transport::Polling, "S").answer(&Answer::packets(&["1::"]));
    let client = connecting.join().expect("a connection");
    assert_eq!(client.id().as_deref(), Some("S"));
}

#[test]
fn the_requests_are_as_the_protocol_wants_them() {
    let mut peer = Peer::new();
    let url = format!("{}/?token=a%20b", peer.url());
    let builder = Client::builder(&url)
        .query("room", "7&8")
        .header("X-Mine", "yes")
        .header("Cookie", "lb=2");
    let connecting = connecting(polling_only(builder));
    let get = peer.get();
    let wanted = "/socket.io/1/?token=a%20b&room=7%268&t=";
    assert!(get.target.starts_with(wanted), "{}", get.target);
    assert_eq!(get.header("x-mine"), Some("yes"));
    get.answer(&Answer::handshake("S", "xhr-polling"));
    let next = peer.get();
    let wanted = "/socket.io/1/xhr-polling/S?token=a%20b&room=7%268&t=";
    assert!(next.target.starts_with(wanted), "{}", next.target);
    assert_eq!(next.header("x-mine"), Some("yes"));
    assert_eq!(next.header("cookie"), Some("lb=2"));
    next.answer(&Answer::packets(&["1::"]));
    let client = connecting.join().unwrap();
    client.emit("x", ()).unwrap();
    let post = peer.post();
    assert!(post.target.starts_with(wanted), "{}", post.target);
    assert_eq!(post.header("x-mine"), Some("yes"));
    assert_eq!(post.header("cookie"), Some("lb=2"));
}

#[test]
fn a_handshake_may_have_a_newline_and_more_fields() {
    for body in [
        "S:60:60:xhr-polling\n",
        "S:60:60:xhr-polling\r\n",
        "  S:15:25:websocket,xhr-polling",
        "S:::xhr-polling",
        "S:0:0:xhr-polling,,unheard-of",
        "S:60.5:0060:xhr-polling:and:more",
    ] {
        accepts(|get| get.answer(&Answer::plain(body)));
    }
}

#[test]
fn a_handshake_may_be_chunked_compressed_or_without_a_length() {
    let body = b"S:60:60:websocket,xhr-polling";
    accepts(|mut get| {
        get.may_be_answered();
        let head =
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunks: Vec<u8> = body.chunks(3).flat_map(chunk).collect();
        get.raw(&[&head[..], &chunks, b"0\r\n\r\n"].concat());
    });
    accepts(|get| {
        assert_eq!(get.header("accept-encoding"), Some("gzip"));
        get.answer(&Answer::plain(gzip(body)).header("Content-Encoding", "gzip"));
    });
    accepts(|mut get| {
        get.may_be_answered();
        get.raw(b"HTTP/1.0 200 OK\r\n\r\n");
        get.raw(body);
        get.close();
    });
}

#[test]
fn a_handshake_that_comes_byte_by_byte_is_read() {
    accepts(|mut get| {
        get.may_be_answered();
        for byte in Answer::handshake("S", "xhr-polling").bytes() {
            get.raw(&[byte]);
        }
    });
}

#[test]
fn a_refusal_keeps_its_status_and_words_and_says_what_to_do() {
    let refusals = [
        (
            403,
            "handshake unauthorized",
            "authorization function said no",
        ),
        (
            401,
            "handshake unauthorized",
            "authorization function said no",
        ),
        (403, "handshake bad origin", "another Origin header"),
        (500, "handshake error", "handshake error"),
        (500, "Protocol version not supported.", "not supported"),
        (503, "<h1>Service Unavailable</h1>", "Service Unavailable"),
        (404, "Cannot GET /socket.io/1/", "is the path option right?"),
        (200, "Welcome to socket.io.", "is the path option right?"),
    ];
    for (status, body, says) in refusals {
        let error = refusal(&Answer::new(status, "text/html", body.as_bytes()));
        let Error::Http(http) = &error else {
            panic!("{body}: {error:?}");
        };
        assert_eq!(http.status, status);
        let status_says = format!("the handshake was answered with HTTP status {status}");
        assert_says(&error.chain(), &[&status_says, says]);
        assert_eq!(http.is_refusal(), matches!(status, 401 | 403));
        assert_eq!(http.is_retryable(), status >= 500);
    }
}

#[test]
fn a_newer_server_is_named_and_the_crate_that_fits() {
    let json = r#"{"sid":"x","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}"#;
    let framed = format!("{}:0{json}", json.len() + 1);
    let binary = [&b"\x00\x08\x02\xff0"[..], json.as_bytes()].concat();
    let error = br#"{"code":0,"message":"Transport unknown"}"#;
    let answers = [
        Answer::plain(format!("0{json}")),
        Answer::plain(framed),
        Answer::new(200, "application/octet-stream", &binary),
        Answer::new(400, "application/json", error),
    ];
    for answer in answers {
        let error = refusal(&answer);
        assert!(matches!(error, Error::Http(_)), "{error:?}");
        assert_says(&error.chain(), &["Socket.IO 1.x or later", "sio-v1"]);
    }
}

#[test]
fn a_web_page_is_named_with_its_status_and_its_beginning() {
    for page in ["<!DOCTYPE html><p>Hotel Wi-Fi", "\n <html><p>Hotel Wi-Fi"] {
        let error = refusal(&Answer::new(200, "text/html", page.as_bytes()));
        assert_says(
            &error.chain(),
            &["HTTP status 200", "a web page answers here", "Hotel Wi-Fi"],
        );
    }
    let redirect = Answer::new(302, "text/html", b"").header("Location", "/login");
    let error = refusal(&redirect);
    assert_says(&error.chain(), &["HTTP status 302", "redirects to /login"]);
}

#[test]
fn a_body_that_is_no_handshake_is_an_error_that_shows_it() {
    for body in ["", "hello", "{\"ok\":true}", "S:60:60"] {
        let error = refusal(&Answer::plain(body));
        assert!(matches!(error, Error::Http(_)), "{error:?}");
        let says = ["HTTP status 200", "not what a Socket.IO server answers"];
        assert_says(&error.chain(), &[says[0], says[1], body]);
    }
    let bodies = [
        (":60:60:xhr-polling", "expected a session id"),
        ("a b:60:60:xhr-polling", "expected a session id"),
        ("..:60:60:xhr-polling", "expected a session id"),
        (
            "S:soon:60:xhr-polling",
            "as heartbeat timeout in the handshake, found \"soon\"",
        ),
        (
            "S:60:-1:xhr-polling",
            "as close timeout in the handshake, found \"-1\"",
        ),
        ("S:NaN:60:xhr-polling", "found \"NaN\""),
        ("S:60:1e3:xhr-polling", "found \"1e3\""),
    ];
    for (body, says) in bodies {
        let error = refusal(&Answer::plain(body));
        assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
        assert_says(&error.chain(), &["the handshake is broken", says]);
    }
    let sid = "x".repeat(2000);
    let error = refusal(&Answer::plain(format!("{sid}:60:60:xhr-polling")));
    let text = error.chain();
    assert!(
        text.len() < 300,
        "an error repeats {} characters",
        text.len()
    );
}

#[test]
fn without_a_transport_in_common_the_error_lists_both_sides() {
    for offered in ["flashsocket,xhr-multipart", ""] {
        let error = refusal(&Answer::handshake("S", offered));
        let shown = if offered.is_empty() {
            "none"
        } else {
            "flashsocket, xhr-multipart"
        };
        assert_says(
            &error.chain(),
            &["websocket, xhr-polling, htmlfile, jsonp-polling", shown],
        );
    }
}

#[test]
fn a_huge_handshake_is_an_error_that_names_the_limit() {
    let mut peer = Peer::new();
    let limits = Limits::default().message_bytes(10_000);
    let connecting = connecting(Client::builder(&peer.url()).limits(limits));
    peer.get().answer(&Answer::plain("x".repeat(1 << 20)));
    let error = error_of("connecting", connecting.join());
    assert_says(&error.chain(), &["10000 bytes", "Limits::message_bytes"]);
}

#[test]
fn a_megabyte_that_is_no_handshake_is_shown_in_a_few_words() {
    let error = refusal(&Answer::plain("spam ".repeat(200_000)));
    let text = error.chain();
    assert_says(&text, &["not what a Socket.IO server answers", "spam"]);
    assert!(text.len() < 300, "{} characters", text.len());
}

#[test]
fn a_handshake_that_drips_is_given_up_at_the_connect_timeout() {
    let limit = Duration::from_millis(300);
    let mut peer = Peer::new();
    let connecting = connecting(Client::builder(&peer.url()).connect_timeout(limit));
    let mut get = peer.get();
    get.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    // A byte every few milliseconds, for as long as the client takes them.
    while connecting.blocks_for(Duration::from_millis(5)) {
        get.raw(&chunk(b"S"));
    }
    get.expect_drop();
}

#[test]
fn a_peer_that_never_answers_is_given_up_at_the_connect_timeout() {
    let limit = Duration::from_millis(300);
    let mut peer = Peer::new();
    let connecting = connecting(Client::builder(&peer.url()).connect_timeout(limit));
    let get = peer.get();
    let error = takes(Duration::from_millis(200), 4 * limit, || {
        error_of("connecting", connecting.join())
    });
    assert_eq!(
        error.to_string(),
        format!(
            "the server did not complete the connection within 300ms, while waiting for the answer to GET {}",
            peer.url()
        )
    );
    get.expect_drop();
}

#[test]
fn a_handshake_without_an_answer_or_with_half_of_one_is_an_error_at_once() {
    let error = refused_by(Request::close);
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    assert_says(
        &error.chain(),
        &["GET http://127.0.0.1", "closed without an answer"],
    );
    let whole = Answer::handshake("S", "websocket").bytes();
    for cut in (1..whole.len()).step_by(7) {
        let error = refused_by(|mut get| {
            get.raw(&whole[..cut]);
            get.close();
        });
        assert!(!error.is_timeout(), "cut at {cut}: {error:?}");
    }
}

#[test]
fn an_answer_that_is_no_http_is_an_error_at_once() {
    for bytes in [
        &b"S:60:60:websocket\r\n\r\n"[..],
        b"\x00\xff\xfe\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ] {
        let error = refused_by(|mut get| {
            get.raw(bytes);
            get.close();
        });
        assert!(
            matches!(error, Error::Transport { .. } | Error::Protocol { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn an_unknown_coding_is_refused() {
    for coding in ["br", "deflate", "gzip, br"] {
        let error = refusal(&Answer::plain("?").header("Content-Encoding", coding));
        assert_says(&error.chain(), &["content coding", "not asked for"]);
    }
    let error = refusal(&Answer::plain("no gzip").header("Content-Encoding", "gzip"));
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
}

#[test]
fn a_session_id_is_percent_encoded_in_paths() {
    let mut peer = Peer::new();
    let connecting = connecting(polling_only(Client::builder(&peer.url())));
    shake_hands(&mut peer, "a/b?c#d%:60:60:xhr-polling");
    let get = opening(&mut peer, Transport::Polling, "a%2Fb%3Fc%23d%25");
    get.answer(&Answer::packets(&["1::"]));
    let client = connecting.join().unwrap();
    assert_eq!(client.id().as_deref(), Some("a/b?c#d%"));
}

#[test]
fn custom_paths_have_the_version_behind_them() {
    for path in ["realtime", "/realtime/", "/realtime"] {
        let mut peer = Peer::new();
        let connecting = connecting(polling_only(Client::builder(&peer.url()).path(path)));
        let get = peer.get();
        assert_eq!(get.path(), "/realtime/1/");
        get.answer(&Answer::handshake("S", "xhr-polling"));
        let get = peer.get();
        assert_eq!(get.path(), "/realtime/1/xhr-polling/S");
        get.answer(&Answer::packets(&["1::"]));
        connecting.join().unwrap();
    }
}
