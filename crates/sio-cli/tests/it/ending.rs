//! How it ends from outside: signals, and readers that go.
#![cfg(unix)]

use std::time::{Duration, Instant};

use sio_peer::peer::Peer;
use tungstenite::Message;

use crate::stage::{Server, Sio, is_left};

#[test]
fn signals_close_the_connection_and_end_with_130() {
    for signal in ["INT", "TERM"] {
        let mut server = Server::new();
        let (sio, mut socket) = server.let_in("listen", &["--json"]);
        sio.until(r#"{"state":"connected""#);
        sio.signal(signal);
        is_left(&mut socket);
        let ended = sio.end_by_itself();
        assert_eq!((ended.code, ended.err.as_str()), (Some(130), ""));
        assert_eq!(ended.out.last().unwrap(), r#"{"state":"closed"}"#);
    }
}

#[test]
fn a_second_signal_waits_for_nothing() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("listen", &["--json"]);
    sio.until(r#"{"state":"connected""#);
    sio.signal("INT");
    assert_eq!(socket.message(), Message::text("41"));
    // The close handshake stays unanswered, so closing would take its 1.5 s.
    let since = Instant::now();
    sio.signal("INT");
    let ended = sio.end_by_itself();
    assert_eq!(ended.code, Some(130));
    assert!(
        since.elapsed() < Duration::from_secs(1),
        "{:?}",
        since.elapsed()
    );
}

#[test]
fn a_signal_ends_an_attempt_to_connect() {
    let mut peer = Peer::new();
    let sio = Sio::start(&["listen", &peer.url(), "--server", "2"]);
    let request = peer.get();
    sio.signal("INT");
    assert_eq!(sio.end_by_itself().code, Some(130));
    request.expect_drop();
}

#[test]
fn a_reader_that_goes_is_no_error_even_while_nothing_comes() {
    let mut server = Server::new();
    let (mut sio, mut socket) = server.let_in("listen", &["--no-time"]);
    socket.text(r#"42["a"]"#);
    sio.says(&["a"]);
    // The thread that reads for this test takes one more line, and goes.
    sio.look_away();
    socket.text(r#"42["b"]"#);
    is_left(&mut socket);
    sio.end_by_itself().is(0, "");
}
