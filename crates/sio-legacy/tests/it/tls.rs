//! TLS: what both protocols promise.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use sio_legacy::{Client, ClientBuilder, Result, Session, Transport};
use sio_peer::tls::promises::Kit;
use sio_peer::tls::{TlsStream, header, read_head, trusting};
use sio_peer::tls_promises;
use sio_peer::wait::{PATIENCE, all_at_once};
use sio_peer::websocket::switching_for;
use tungstenite::Message;

use crate::wire::{call, chunk, preamble, script, wire_name};

pub(crate) const ALL: [Transport; 4] = [
    Transport::WebSocket,
    Transport::Polling,
    Transport::HtmlFile,
    Transport::JsonpPolling,
];

/// A server that speaks just enough of the protocol: it opens every session and says one word, the transport's name.
pub(crate) fn serve(mut stream: TlsStream) {
    let mut polls = 0;
    while let Some(head) = read_head(&mut stream) {
        let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
        if let Some(key) = header(&head, "sec-websocket-key") {
            return serve_websocket(stream, key);
        }
        if head.starts_with("POST") {
            let length = header(&head, "content-length").expect("a length");
            let mut body = vec![0; length.parse().unwrap()];
            if stream.read_exact(&mut body).is_err() {
                return;
            }
        }
        if target.contains("/htmlfile/") && head.starts_with("GET") {
            return serve_stream(stream);
        }
        let answer = if head.starts_with("POST") {
            "1".to_owned()
        } else if target.contains("-polling/") {
            let name = if target.contains("/jsonp") {
                "jsonp-polling"
            } else {
                "xhr-polling"
            };
            polls += 1;
            let packet = match polls {
                1 => "1::".to_owned(),
                2 => format!("3:::{name}"),
                _ => {
                    thread::park_timeout(Duration::from_millis(300));
                    "0::".to_owned()
                }
            };
            if name == "jsonp-polling" {
                call(&packet)
            } else {
                packet
            }
        } else {
            polls = 0;
            format!("S:60:60:{}", crate::wire::ALL)
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        if stream
            .write_all([head, answer].concat().as_bytes())
            .is_err()
        {
            return;
        }
    }
}

fn serve_stream(mut stream: TlsStream) {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    for part in [preamble(), script("1::"), script("3:::htmlfile")] {
        bytes.extend(chunk(part.as_bytes()));
    }
    if stream.write_all(&bytes).is_ok() {
        // Until the client goes.
        let _ = stream.read(&mut [0]);
    }
}

fn serve_websocket(mut stream: TlsStream, key: &str) {
    if stream.write_all(switching_for(key).as_bytes()).is_err() {
        return;
    }
    let role = tungstenite::protocol::Role::Server;
    let mut socket = tungstenite::WebSocket::from_raw_socket(stream, role, None);
    for packet in ["1::", "3:::websocket"] {
        if socket.send(Message::text(packet)).is_err() {
            return;
        }
    }
    while let Ok(message) = socket.read() {
        if message == Message::text("0::") {
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

fn builders(url: &str) -> Vec<(&'static str, ClientBuilder)> {
    let of = |transport| {
        (
            wire_name(transport),
            Client::builder(url).transports([transport]),
        )
    };
    ALL.into_iter().map(of).collect()
}

fn connect(transport: &str, builder: ClientBuilder) -> Result<Client> {
    let (builder, mut events) = builder.events();
    let client = builder.connect()?;
    client.emit("x", "y")?;
    let event = events.recv_timeout(PATIENCE).expect("a word");
    assert_eq!(event.decode::<String>().unwrap(), transport);
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
