//! TLS with a certificate of an authority of our own: refused with its cause while nobody trusts it, and working on
//! every transport where the system does.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use sio_peer::client::watched;
use sio_peer::peer::Peer;
use sio_peer::tls::{Identity, TlsPeer, TlsStream, header, read_head, trusting};
use sio_peer::wait::{PATIENCE, assert_says, background, error_of, takes};
use sio_peer::websocket::switching_for;
use sio_v1::{Client, ClientBuilder, Error, Roots, Tls, Transport};
use tungstenite::Message;

use crate::wire::{open, text_body};

/// A server that speaks just enough of the protocol: it accepts every session, holds polls, and echoes messages.
pub(crate) fn serve(mut stream: TlsStream) {
    while let Some(head) = read_head(&mut stream) {
        let upgrading = head.contains("&sid=");
        if let Some(key) = header(&head, "sec-websocket-key") {
            return serve_websocket(stream, key, upgrading);
        }
        let answer = match (head.starts_with("POST"), upgrading) {
            (true, _) => {
                let length = header(&head, "content-length").expect("a length");
                let mut body = vec![0; length.parse().unwrap()];
                if stream.read_exact(&mut body).is_err() {
                    return;
                }
                b"ok".to_vec()
            }
            (false, false) => text_body(&[&open(&["websocket"], 25_000, 20_000), "40"]),
            (false, true) => {
                // Soon enough for an upgrade that waits, and not so soon that polls follow each other at once.
                thread::park_timeout(Duration::from_millis(100));
                text_body(&["6"])
            }
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        if stream
            .write_all(&[head.as_bytes(), &answer].concat())
            .is_err()
        {
            return;
        }
    }
}

fn serve_websocket(mut stream: TlsStream, key: &str, upgrading: bool) {
    let head = switching_for(key);
    if stream.write_all(head.as_bytes()).is_err() {
        return;
    }
    let role = tungstenite::protocol::Role::Server;
    let mut socket = tungstenite::WebSocket::from_raw_socket(stream, role, None);
    if !upgrading {
        let _ = socket.send(Message::text(open(&[], 25_000, 20_000)));
        let _ = socket.send(Message::text("40"));
    }
    // Reads the next message only when the answer was taken.
    while let Ok(message) = socket.read() {
        let answer = match &message {
            Message::Text(text) if **text == *"2probe" => Message::text("3probe"),
            Message::Text(text) if text.starts_with("42") => message,
            _ => continue,
        };
        if socket.send(answer).is_err() {
            return;
        }
    }
}

pub(crate) fn builders(url: &str) -> [(&'static str, ClientBuilder); 3] {
    [
        (
            "polling",
            Client::builder(url).transports([Transport::Polling]),
        ),
        (
            "websocket",
            Client::builder(url).transports([Transport::WebSocket]),
        ),
        ("upgrade", Client::builder(url)),
    ]
}

#[test]
fn an_unknown_authority_is_refused_with_that_cause() {
    let identity = Identity::new();
    let peer = TlsPeer::new(&identity, serve);
    for roots in [Roots::Platform, Roots::WebPki] {
        for (name, builder) in builders(&peer.url()) {
            let connecting = || {
                builder
                    .tls(Tls::new().roots(roots))
                    .connect_timeout(PATIENCE)
                    .connect()
            };
            let result = takes(Duration::ZERO, Duration::from_secs(5), connecting);
            let error = error_of(name, result);
            assert!(
                matches!(error, Error::Transport { .. }),
                "{name}: {error:?}"
            );
            assert_says(
                &error.chain(),
                &[
                    "the TLS handshake with localhost",
                    "unknown issuer",
                    "Tls::add_ca_file",
                ],
            );
        }
    }
}

#[test]
fn a_peer_that_does_not_answer_the_tls_greeting_is_given_up_at_the_connect_timeout() {
    let mut plain = Peer::new();
    let url = format!("https://localhost:{}", plain.port());
    for (name, builder) in builders(&url) {
        // The peer reads the greeting as a request that never ends: the deadline decides.
        let result = builder
            .connect_timeout(Duration::from_millis(300))
            .connect();
        assert!(error_of(name, result).is_timeout());
    }
    plain.hears_nothing(Duration::from_millis(10));
}

#[test]
fn a_tls_server_spoken_to_in_plain_text_is_an_error_at_once() {
    let identity = Identity::new();
    let peer = TlsPeer::new(&identity, serve);
    let url = format!("http://localhost:{}", peer.port());
    for (name, builder) in builders(&url) {
        let result = takes(Duration::ZERO, Duration::from_secs(5), || builder.connect());
        let error = error_of(name, result);
        assert!(!error.is_timeout(), "{name}: {error:?}");
    }
}

#[test]
fn an_authority_the_system_trusts_works_on_every_transport() {
    trusting(
        "tls::an_authority_the_system_trusts_works_on_every_transport",
        serve,
        |peer| {
            for (name, builder) in builders(&peer.url()) {
                let (builder, told) = watched(builder);
                let client = builder
                    .connect()
                    .unwrap_or_else(|error| panic!("{name}: {}", error.chain()));
                client.emit("x", "y").unwrap();
                if name == "upgrade" {
                    told.upgraded();
                    assert_eq!(client.transport(), Some(Transport::WebSocket));
                }
                client.close().unwrap();
            }
        },
    );
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    trusting(
        "tls::a_certificate_for_another_name_is_refused",
        serve,
        |peer| {
            let url = format!("https://127.0.0.1:{}", peer.port());
            for (name, builder) in builders(&url) {
                let error = error_of(name, builder.connect());
                assert_says(
                    &error.chain(),
                    &[
                        "the TLS handshake with 127.0.0.1",
                        "not valid for \"127.0.0.1\"",
                    ],
                );
            }
        },
    );
}

#[test]
fn both_sides_at_full_speed_over_tls_do_not_block_each_other() {
    trusting(
        "tls::both_sides_at_full_speed_over_tls_do_not_block_each_other",
        serve,
        |peer| {
            const COUNT: usize = 500;
            let builder = Client::builder(&peer.url())
                .transports([Transport::WebSocket])
                .send_buffer(64 << 20);
            let (builder, mut told) = watched(builder);
            let client = builder.connect().unwrap();
            let emitter = client.clone();
            let emitting = background("emitting", move || {
                let filler = "x".repeat(100_000);
                for n in 0..COUNT {
                    emitter.emit("echo", (n, &filler)).unwrap();
                }
            });
            for n in 0..COUNT {
                let event = told.events.recv_timeout(PATIENCE).expect("an echo");
                assert_eq!(event.decode::<(usize,)>().unwrap(), (n,));
            }
            emitting.join();
            client.close().unwrap();
        },
    );
}
