//! A peer that is silent at some stage: what passes is the deadline of that stage, in time, and the error names it.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use sio_core::session::Session;
use sio_core::{Deadline, Error, Reconnect, Result};
use sio_net::{Client, ClientBuilder};

use crate::client::{connecting, websocket_only};
use crate::host::Host;
use crate::lifecycle::builder;
use crate::peer::Peer;
use crate::wait::{PATIENCE, all_at_once, background, error_of, takes};
use crate::websocket::WebSocketPeer;
use crate::words::Words;

const LIMIT: Duration = Duration::from_millis(250);
const TWICE: Duration = Duration::from_millis(500);
/// The machine has other things to do.
const LATEST: Duration = Duration::from_secs(2);

/// Asserts that this deadline passed, and when.
#[track_caller]
fn passes<T: std::fmt::Debug>(what: &str, deadline: Deadline, act: impl FnOnce() -> Result<T>) {
    let error = error_of(what, takes(LIMIT, LATEST, act));
    match &error {
        Error::Timeout {
            deadline: passed,
            after,
            ..
        } => assert_eq!((*passed, *after), (deadline, LIMIT), "{what}: {error}"),
        other => panic!("{what}: {other:?}"),
    }
    assert!(
        error.to_string().contains("within 250ms"),
        "{what}: {error}"
    );
}

/// How a peer may be silent before there is a session.
const SILENCES: [&str; 3] = ["accepts nothing", "answers nothing", "begins an answer"];

/// Before the server has given an id: the handshake's deadline, or the one of the whole attempt, whichever is shorter.
pub fn a_server_that_gives_no_id_is_given_up<P: Session>() {
    type Set<P> = fn(ClientBuilder<P>) -> ClientBuilder<P>;
    let limits: [(Deadline, Set<P>); 3] = [
        (Deadline::Handshake, |builder| {
            builder.handshake_timeout(LIMIT).connect_timeout(PATIENCE)
        }),
        (Deadline::Connect, |builder| builder.connect_timeout(LIMIT)),
        (Deadline::Connect, |builder| {
            builder.connect_timeout(LIMIT).handshake_timeout(TWICE)
        }),
    ];
    for silence in SILENCES {
        let cases = limits.into_iter().flat_map(|limit| {
            let transports = P::TRANSPORTS.iter();
            transports.map(move |transport| (limit, *transport))
        });
        all_at_once(cases, |((deadline, set), transport)| {
            let what = format!("{deadline:?}, {transport}, a peer that {silence}");
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let builder = set(Client::<P>::builder(&url)).transports([transport]);
            let connecting = background("connecting", move || {
                let connect = || builder.reconnect(Reconnect::off()).connect();
                passes(&what, deadline, connect);
            });
            let accepted = accept(&listener, silence);
            connecting.join();
            drop(accepted);
        });
    }
}

/// Does what the peer does, and goes on.
fn accept(listener: &TcpListener, silence: &str) -> Option<TcpStream> {
    if silence == "accepts nothing" {
        return None;
    }
    let (mut stream, _) = listener.accept().unwrap();
    if silence == "begins an answer" {
        // The client may have given it up.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le");
    }
    Some(stream)
}

/// Once there is an id, the deadline of the handshake is over: middleware may take its time.
pub fn a_server_that_gives_an_id_has_its_time<W: Words>() {
    let mut peer = Peer::new();
    let builder = websocket_only(Client::<W::Protocol>::builder(&peer.url()));
    let connecting = connecting(builder.handshake_timeout(LIMIT));
    if let Some(handshake) = W::handshake("S") {
        peer.get().answer(&handshake);
    }
    let mut socket = WebSocketPeer::accept(peer.upgrade());
    if let Some(opening) = W::opening("S") {
        socket.text(&opening);
    }
    assert!(connecting.blocks_for(TWICE), "it was given up");
    socket.text(&W::granted("/"));
    drop(connecting.join().unwrap());
}

/// Connected, and then the server says nothing any more: questions and joins have limits of their own.
pub fn a_server_that_falls_silent_holds_nobody<W: Words>() {
    let host = Host::<W>::new();
    let client = builder(&host).connect().unwrap();
    host.mute();
    passes("a question", Deadline::Ack, || {
        client.call::<_, ()>("q", (), LIMIT)
    });
    passes("a join", Deadline::Join, || {
        client.namespace("/late").timeout(LIMIT).join()
    });
    assert!(client.is_connected());
    client.close().unwrap();
}
