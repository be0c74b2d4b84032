//! Whatever may answer at a URL: the probe says what it was, or fails as a connection would, in time.

use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use sio_auto::{Certainty, Error, Family};
use sio_peer::peer::{Answer, Peer};
use sio_peer::proxy::{Kind, Proxy};
use sio_peer::wait::{assert_says, error_of, takes};
use sio_peer::websocket::WebSocketPeer;

use crate::wire::{For, LIMIT, builder, failed, open, probed, purpose, refusal, report, served};

#[test]
fn a_redirect_is_not_followed_and_says_where_to() {
    let redirect = Answer::new(302, "text/html", b"<a href=/login?token=secret>")
        .header("Location", "https://login.example/in?back=secret");
    let report = report(&redirect);
    assert_eq!(
        report.headline(),
        "Not Socket.IO: HTTP 302, text/html, to https://login.example/in"
    );
    let text = report.to_string();
    assert_says(&text, &["this leads elsewhere", "by cookie or header"]);
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(report.evidence.len(), 1, "{report}");
}

#[test]
fn a_page_for_everything_is_no_server() {
    let page = Answer::new(200, "text/html", b"<!doctype html><p>Hello").header("Server", "web/1");
    let report = report(&page);
    assert_eq!(report.server, Family::NotSocketIo);
    assert_says(
        &report.to_string(),
        &[
            "HTTP 200, text/html, from web/1: <!doctype html><p>Hello",
            "GET 1/: ",
            "not the handshake of 0.9",
            "are host, port and path right?",
        ],
    );
}

#[test]
fn who_asks_for_a_password_is_not_judged() {
    let report = report(&Answer::new(401, "text/html", b"who are you?"));
    assert_eq!(report.server, Family::Unknown);
    assert_eq!(report.certainty, Certainty::Guess);
    assert_says(&report.advice[0], &["give it user and password"]);
}

#[test]
fn a_body_larger_than_any_server_s_is_not_read_to_its_end() {
    let page = vec![b'x'; 4 << 20];
    let report = report(&Answer::new(200, "text/html", &page));
    assert_eq!(report.server, Family::NotSocketIo);
}

#[test]
fn a_body_without_end_is_given_up() {
    let report = probed(|mut request| {
        if purpose(&request) != For::Session(4) {
            return request.answer(&Answer::new(404, "text/html", b""));
        }
        request.may_be_answered();
        request.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = [&b"1000\r\n"[..], &[b'x'; 0x1000], b"\r\n"].concat();
        // Until the client has gone.
        while request.stream.write_all(&chunk).is_ok() {}
    });
    assert_eq!(report.unwrap().server, Family::NotSocketIo);
}

#[test]
fn a_connection_that_is_closed_at_once_is_the_error_of_connecting() {
    let error = failed(|request| request.close());
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    assert_says(&error.chain(), &["GET http://", "closed without an answer"]);
}

#[test]
fn a_closed_port_is_the_error_of_connecting() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let error = error_of(
        "the probe",
        sio_auto::probe(&format!("http://127.0.0.1:{port}")),
    );
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    let text = error.chain();
    assert_says(&text, &[&format!("connecting to 127.0.0.1:{port}")]);
}

#[test]
fn a_server_that_says_nothing_costs_the_connect_timeout() {
    const SHORT: Duration = Duration::from_millis(300);
    let mut peer = Peer::new();
    let builder = builder(&peer).connect_timeout(SHORT);
    let mut held = Vec::new();
    let error = takes(SHORT, SHORT + Duration::from_secs(1), || {
        served(
            &mut peer,
            move || builder.probe(),
            |request| held.push(request),
        )
    });
    let error = error_of("the probe", error);
    assert!(error.is_timeout(), "{error:?}");
    assert_says(
        &error.chain(),
        &["within 300ms", "waiting for the answer to GET http://"],
    );
}

#[test]
fn the_handshake_timeout_is_for_the_first_answer_only() {
    const SHORT: Duration = Duration::from_millis(300);
    let mut peer = Peer::new();
    let builder = builder(&peer).handshake_timeout(SHORT);
    let mut held = Vec::new();
    let report = takes(2 * SHORT, LIMIT, || {
        served(
            &mut peer,
            move || builder.probe(),
            |request| match purpose(&request) {
                For::Session(_) => request.answer(&refusal(4)),
                _ => held.push(request),
            },
        )
    });
    assert_eq!(report.unwrap().server, Family::Unknown);
}

#[test]
fn a_websocket_that_opens_and_is_silent_costs_a_share_of_the_time() {
    let mut websockets = Vec::new();
    let report = takes(Duration::from_secs(1), LIMIT, || {
        probed(|request| match purpose(&request) {
            For::Session(_) => request.answer(&refusal(0)),
            For::WebSocket(version) => {
                let mut websocket = WebSocketPeer::accept(request);
                if version == 4 {
                    websocket.text(&open(""));
                }
                websockets.push(websocket);
            }
            _ => request.answer(&Answer::new(404, "text/html", b"")),
        })
    });
    let report = report.unwrap();
    assert_eq!(report.allows_eio3, Some(false), "{report}");
    assert_eq!(report.transports, ["websocket"]);
    assert_eq!(report.certainty, Certainty::Guess);
}

#[test]
fn the_head_of_an_answer_to_head_is_enough() {
    let report = probed(|mut request| match purpose(&request) {
        For::Session(_) => request.answer(&refusal(4)),
        // It says how long the script would be.
        _ => {
            request.may_be_answered();
            request.raw(b"HTTP/1.1 200 OK\r\nETag: \"2.4.0\"\r\nContent-Length: 60000\r\n\r\n");
        }
    });
    let report = report.unwrap();
    assert_eq!(
        report.version.as_deref(),
        Some("2.4.0 or 2.4.1"),
        "{report}"
    );
}

#[test]
fn plain_text_on_a_port_for_tls_is_told() {
    // What a TLS server answers to plain text: an alert.
    let error = failed(|mut request| {
        request.raw(&[0x15, 3, 1, 0, 2, 2, 70]);
        request.close();
    });
    assert_says(&error.chain(), &["https"]);
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn tls_on_a_plain_port_is_told() {
    use std::io::Read as _;

    // What a Node server answers to the beginning of TLS.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0];
        stream.read_exact(&mut hello).unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            .unwrap();
    });
    let tls = sio_auto::Tls::new().danger_accept_any_certificate();
    let builder = sio_auto::Client::builder(&url)
        .tls(tls)
        .connect_timeout(LIMIT);
    let error = takes(Duration::ZERO, LIMIT / 2, || {
        error_of("the probe", builder.probe())
    });
    answering.join().unwrap();
    assert_says(&error.chain(), &["TLS", "http"]);
}

#[test]
fn a_proxy_that_wants_a_password_is_the_error_of_connecting() {
    let peer = Peer::new();
    let proxy = Proxy::with_password(Kind::Http);
    let through = sio_auto::Proxy::to(&proxy.url("http"));
    let error = error_of("the probe", builder(&peer).proxy(through).probe());
    match &error {
        Error::Http(http) => assert_eq!(http.status, 407),
        other => panic!("expected 407, and it is {other:?}"),
    }
    assert_eq!(peer.connections(), 0);
}
