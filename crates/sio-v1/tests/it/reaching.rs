//! Reaching a peer at all: addresses, deadlines, and connections that break before anything is agreed on.

use std::net::TcpListener;
use std::time::Duration;

use sio_peer::client::{connecting, polling_only, websocket_only};
use sio_peer::peer::{Answer, Peer};
use sio_peer::wait::{PATIENCE, assert_says, error_of, takes};
use sio_peer::websocket::WebSocketPeer;
use sio_v1::{Client, Deadline, Error, Transport};

use crate::wire::{Answers as _, Posts as _, open, plain_open, text};

/// A name that the system refuses to look up, with and without a network: no part of one may be that long.
pub(crate) const NO_NAME: &str =
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.test";

#[test]
fn a_closed_port_is_refused_at_once_and_the_address_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for transport in [Transport::Polling, Transport::WebSocket] {
        let builder = Client::builder(&format!("http://{address}")).transports([transport]);
        let result = takes(Duration::ZERO, Duration::from_secs(2), || builder.connect());
        let error = error_of("connecting", result);
        assert!(matches!(error, Error::Transport { .. }), "{error:?}");
        assert_says(
            &error.chain(),
            &[&format!("connecting to {address}"), "refused"],
        );
    }
}

#[test]
fn a_name_that_does_not_exist_is_an_error_that_names_it() {
    let result = Client::builder(&format!("http://{NO_NAME}"))
        .connect_timeout(PATIENCE)
        .connect();
    let error = error_of("connecting", result);
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    assert_says(&error.chain(), &["looking up ", NO_NAME]);
}

#[test]
fn a_peer_that_says_nothing_is_given_up_at_the_connect_timeout() {
    let limit = Duration::from_millis(300);
    for (transport, doing) in [
        (Transport::Polling, "waiting for the answer to GET"),
        (Transport::WebSocket, "opening the WebSocket to"),
    ] {
        let peer = Peer::new();
        let url = peer.url();
        let builder = Client::builder(&url)
            .transports([transport])
            .connect_timeout(limit);
        let result = takes(limit, 3 * limit, || builder.connect());
        let error = error_of("connecting", result);
        let Error::Timeout {
            deadline, after, ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!((deadline, after), (Deadline::Connect, limit));
        assert_eq!(
            error.to_string(),
            format!("the server did not complete the connection within 300ms, while {doing} {url}")
        );
    }
}

#[test]
fn a_peer_that_never_accepts_is_given_up_at_the_connect_timeout() {
    // The backlog takes the connection; nobody ever reads the request.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let limit = Duration::from_millis(300);
    let result = takes(limit, 3 * limit, || {
        Client::builder(&url).connect_timeout(limit).connect()
    });
    assert!(
        matches!(
            result,
            Err(Error::Timeout {
                deadline: Deadline::Connect,
                ..
            })
        ),
        "{result:?}"
    );
}

#[test]
fn a_half_open_session_without_the_root_is_given_up_at_the_connect_timeout() {
    let mut peer = Peer::new();
    let limit = Duration::from_millis(400);
    let builder = polling_only(Client::builder(&peer.url()).connect_timeout(limit));
    let connecting = connecting(builder);
    peer.get().answer(&Answer::text(&[&plain_open()]));
    let held = peer.get();
    let result = takes(Duration::ZERO, 3 * limit, || connecting.join());
    assert!(
        matches!(
            result,
            Err(Error::Timeout {
                deadline: Deadline::Connect,
                ..
            })
        ),
        "{result:?}"
    );
    // The server is told; nothing was joined that could be left.
    assert_eq!(peer.post().packets(), [text("1")]);
    drop(held);
}

#[test]
fn a_websocket_that_is_accepted_and_then_silent_is_given_up_at_the_connect_timeout() {
    let limit = Duration::from_millis(300);
    let mut peer = Peer::new();
    let builder = websocket_only(Client::builder(&peer.url()).connect_timeout(limit));
    let connecting = connecting(builder);
    let mut socket = WebSocketPeer::accept(peer.upgrade());
    let result = takes(Duration::ZERO, 3 * limit, || connecting.join());
    assert!(
        matches!(
            result,
            Err(Error::Timeout {
                deadline: Deadline::Connect,
                ..
            })
        ),
        "{result:?}"
    );
    socket.is_closed();
}

#[test]
fn a_connection_closed_without_an_answer_says_so() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut peer = Peer::new();
        let connecting = connecting(Client::builder(&peer.url()).transports([transport]));
        match transport {
            Transport::Polling => peer.get().close(),
            _ => {
                peer.upgrade().close();
                peer.get().close();
            }
        }
        let error = error_of("connecting", connecting.join());
        assert!(matches!(error, Error::Transport { .. }), "{error:?}");
        assert_says(&error.chain(), &["closed without an answer", &peer.url()]);
    }
}

#[test]
fn an_answer_cut_short_is_a_transport_error() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\nContent-";
    let body = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n97:0{\"sid\"";
    let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n97:0{";
    for cut in [head, body, chunk] {
        let mut peer = Peer::new();
        let connecting = connecting(polling_only(Client::builder(&peer.url())));
        let mut get = peer.get();
        get.raw(cut.as_bytes());
        get.close();
        let error = error_of(cut, connecting.join());
        assert!(
            matches!(error, Error::Transport { .. }),
            "{cut:?}: {error:?}"
        );
        assert_says(&error.chain(), &["GET http://127.0.0.1"]);
    }
}

#[test]
fn an_answer_that_stops_half_way_is_given_up_at_the_connect_timeout() {
    let limit = Duration::from_millis(300);
    for part in [
        "HTTP/1.1 200 OK\r\nContent-",
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n97:0",
    ] {
        let mut peer = Peer::new();
        let builder = polling_only(Client::builder(&peer.url()).connect_timeout(limit));
        let connecting = connecting(builder);
        let mut get = peer.get();
        get.raw(part.as_bytes());
        let result = takes(Duration::ZERO, 3 * limit, || connecting.join());
        assert!(
            matches!(
                result,
                Err(Error::Timeout {
                    deadline: Deadline::Connect,
                    ..
                })
            ),
            "{result:?}"
        );
        get.expect_drop();
    }
}

#[test]
fn an_endless_header_is_an_error_long_before_memory_ends() {
    let line = format!("X-Filler: {}\r\n", "x".repeat(1000));
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut peer = Peer::new();
        let connecting = connecting(Client::builder(&peer.url()).transports([transport]));
        let mut request = match transport {
            Transport::Polling => peer.get(),
            _ => peer.upgrade(),
        };
        request.raw(b"HTTP/1.1 200 OK\r\n");
        for _ in 0..200 {
            request.raw(line.as_bytes());
        }
        let error = error_of("connecting", connecting.join());
        assert!(!error.is_timeout(), "{error:?}");
        assert_says(&error.chain(), &["127.0.0.1"]);
    }
}

#[test]
fn what_is_no_http_at_all_is_an_error() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut peer = Peer::new();
        let connecting = connecting(Client::builder(&peer.url()).transports([transport]));
        let mut request = match transport {
            Transport::Polling => peer.get(),
            _ => peer.upgrade(),
        };
        request.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n");
        let error = error_of("connecting", connecting.join());
        assert!(!error.is_timeout(), "{error:?}");
        assert_says(&error.chain(), &["127.0.0.1"]);
    }
}

#[test]
fn names_and_both_kinds_of_addresses_can_be_connected_to() {
    let mut peer = Peer::new();
    let url = format!("http://localhost:{}", peer.port());
    for transport in [Transport::Polling, Transport::WebSocket] {
        exchange(&mut peer, &url, transport);
    }
    let mut peer = Peer::at("[::1]:0");
    let url = format!("http://[::1]:{}", peer.port());
    for transport in [Transport::Polling, Transport::WebSocket] {
        exchange(&mut peer, &url, transport);
    }
}

fn exchange(peer: &mut Peer, url: &str, transport: Transport) {
    let connecting = connecting(Client::builder(url).transports([transport]));
    let host = url.trim_start_matches("http://").to_owned();
    if transport == Transport::Polling {
        let get = peer.get();
        assert_eq!(get.header("host"), Some(&*host));
        get.answer(&Answer::text(&[&open(&[], 25_000, 20_000), "40"]));
    } else {
        let upgrade = peer.upgrade();
        assert_eq!(upgrade.header("host"), Some(&*host));
        let mut socket = WebSocketPeer::accept(upgrade);
        socket.text(&plain_open());
        socket.text("40");
        connecting.join().expect("a connection");
        return;
    }
    let held = peer.get();
    connecting.join().expect("a connection");
    held.close();
}
