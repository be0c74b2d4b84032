//! TLS: what both protocols promise, and what 1.x and 2.x add.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use sio_peer::client::{polling_only, watched, websocket_only};
use sio_peer::tls::certificates::{Authority, Server, self_signed};
use sio_peer::tls::promises::Kit;
use sio_peer::tls::{TlsPeer, TlsStream, header, read_head, trusting};
use sio_peer::tls_promises;
use sio_peer::wait::{PATIENCE, all_at_once, assert_says, background, error_of};
use sio_peer::websocket::switching_for;
#[cfg(feature = "native-tls")]
use sio_v1::Backend;
use sio_v1::{Client, ClientBuilder, Result, Session, Tls, Transport};
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

const KIT: Kit<Session> = Kit {
    serve,
    transports: builders,
    connect,
};

tls_promises!(KIT);

pub(crate) fn builders(url: &str) -> Vec<(&'static str, ClientBuilder)> {
    vec![
        ("polling", polling_only(Client::builder(url))),
        ("websocket", websocket_only(Client::builder(url))),
        ("upgrade", Client::builder(url)),
    ]
}

fn connect(transport: &str, builder: ClientBuilder) -> Result<Client> {
    let (builder, told) = watched(builder);
    let client = builder.connect()?;
    client.emit("x", "y")?;
    if transport == "upgrade" {
        told.upgraded();
        assert_eq!(client.transport(), Some(Transport::WebSocket));
    }
    Ok(client)
}

#[test]
fn an_authority_the_system_trusts_works_on_every_transport() {
    trusting(
        "tls::an_authority_the_system_trusts_works_on_every_transport",
        serve,
        |peer| {
            all_at_once(builders(&peer.url()), |(name, builder)| {
                let client = connect(name, builder)
                    .unwrap_or_else(|error| panic!("{name}: {}", error.chain()));
                client.close().unwrap();
            });
        },
    );
}

#[test]
fn a_tls_server_spoken_to_in_plain_text_is_found_out() {
    let server = Server::new(&self_signed(&["localhost"], |_| ()));
    let peer = TlsPeer::new(&server, serve);
    let url = format!("http://localhost:{}", peer.port());
    for (name, builder) in builders(&url) {
        let error = error_of(name, builder.connect());
        assert_says(&error.chain(), &["port for https"]);
    }
}

#[test]
fn both_sides_at_full_speed_over_tls_do_not_block_each_other() {
    const COUNT: usize = 500;
    let authority = Authority::new("ours");
    let peer = TlsPeer::new(&Server::new(&authority.issue(&["localhost"])), serve);
    for backend in KIT.backends() {
        let tls = Tls::new().backend(backend).add_ca_pem(authority.pem());
        let builder = websocket_only(Client::builder(&peer.url()))
            .tls(tls)
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
            assert_eq!(event.decode::<(usize,)>().unwrap(), (n,), "{backend:?}");
        }
        emitting.join();
        client.close().unwrap();
    }
}

#[cfg(feature = "rustls")]
#[test]
fn a_ready_made_configuration_of_rustls_is_used() {
    use sio_peer::tls::certificates::client_config;

    let authority = Authority::new("ours");
    let (ours, other) = (authority.issue(&["me"]), self_signed(&["me"], |_| ()));
    let server = Server::new(&authority.issue(&["hub.example"])).requiring(&authority);
    let peer = TlsPeer::new(&server, serve);
    let tls = |issued| Tls::new().rustls_config(client_config(&authority, issued));
    for (name, builder) in builders(&peer.url()) {
        let builder = builder.tls(tls(&ours).server_name("hub.example"));
        connect(name, builder).unwrap().close().unwrap();
    }
    for (name, builder) in builders(&peer.url()) {
        let error = error_of(name, builder.tls(tls(&ours)).connect());
        assert_says(
            &error.chain(),
            &["not valid for \"localhost\", only for hub.example"],
        );
    }
    for (name, builder) in builders(&peer.url()) {
        let builder = builder.tls(tls(&other).server_name("hub.example"));
        let error = error_of(name, builder.connect());
        assert_says(&error.chain(), &["does not accept the client certificate"]);
    }
}

/// The archive was made with `openssl req -x509` and `openssl pkcs12 -export`, for a hundred years.
#[cfg(feature = "native-tls")]
#[test]
fn a_client_certificate_may_be_pkcs12_with_native_tls() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const ARCHIVE: &[u8] = include_bytes!("client.p12");

    let authority = Authority::new("ours");
    let server = Server::new(&authority.issue(&["localhost"])).asking();
    let shown = Arc::new(AtomicUsize::new(0));
    let of_peer = Arc::clone(&shown);
    let peer = TlsPeer::new(&server, move |mut stream| {
        // What is wrong with the handshake, the client tells.
        let _ = stream.conn.complete_io(&mut stream.sock);
        let count = stream.conn.peer_certificates().map_or(0, <[_]>::len);
        of_peer.fetch_add(count, Ordering::AcqRel);
        serve(stream);
    });
    let tls = |password| {
        Tls::new()
            .backend(Backend::NativeTls)
            .add_ca_pem(authority.pem())
            .client_certificate_pkcs12(ARCHIVE, password)
    };
    for (name, builder) in builders(&peer.url()) {
        let before = shown.load(Ordering::Acquire);
        let client = connect(name, builder.tls(tls("secret"))).unwrap();
        assert!(shown.load(Ordering::Acquire) > before, "{name}");
        client.close().unwrap();
    }
    let wrong = Client::builder(&peer.url()).tls(tls("guessed")).build();
    let text = error_of("another password", wrong).chain();
    assert_says(&text, &["PKCS#12", "password"]);
}
