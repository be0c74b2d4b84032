//! Opening a session: which transport it gets, and what happens when one fails.

use std::time::Duration;

use sio_legacy::{Client, DisconnectReason, Error, Status, Transport};
use sio_peer::client::{Told, connecting, watched};
use sio_peer::peer::{Answer, Peer, Request};
use sio_peer::wait::{Background, assert_says, error_of, takes};
use sio_peer::websocket::{WebSocketPeer, frame};

use crate::scene::{Stream, accepting, opening, shake_hands};
use crate::wire::{ALL, Answers as _, Posts as _, call, framed};

/// A client that begins with the WebSocket, and its peer.
struct Beginning {
    peer: Peer,
    told: Told,
    connecting: Background<sio_legacy::Result<Client>>,
}

impl Beginning {
    fn new(transports: &[Transport]) -> Self {
        Self::within(transports, Duration::from_secs(20))
    }

    fn within(transports: &[Transport], limit: Duration) -> Self {
        let peer = Peer::new();
        let builder = Client::builder(&peer.url())
            .transports(transports.iter().copied())
            .connect_timeout(limit);
        let (builder, told) = watched(builder);
        Self {
            peer,
            told,
            connecting: connecting(builder),
        }
    }

    /// Answers the next handshake with all transports.
    #[track_caller]
    fn shake_hands(&mut self, sid: &str) {
        shake_hands(&mut self.peer, &format!("{sid}:60:60:{ALL}"));
    }

    /// Which transport is told to have failed next, and why.
    #[track_caller]
    fn failed(&self) -> (Transport, String) {
        match self.told.status() {
            Status::TransportFailed { transport, error } => (transport, error.chain()),
            other => panic!("expected a transport that failed, and got {other:?}"),
        }
    }

    /// The session opens by polling, as this one.
    #[track_caller]
    fn opens_by_polling(mut self, sid: &str) {
        self.shake_hands(sid);
        opening(&mut self.peer, Transport::Polling, sid).answer(&Answer::packets(&["1::"]));
        let client = self.connecting.join().expect("a connection");
        assert_eq!(client.transport(), Some(Transport::Polling));
        assert_eq!(client.id().as_deref(), Some(sid));
        assert!(matches!(self.told.status(), Status::Connected { .. }));
        // One poll, and nothing else: the WebSocket is not tried again.
        opening(&mut self.peer, Transport::Polling, sid);
        self.peer.hears_nothing(Duration::from_millis(20));
    }
}

const TWO: [Transport; 2] = [Transport::WebSocket, Transport::Polling];

/// The session goes on by polling, with a new handshake, when its WebSocket's request is treated like this.
#[track_caller]
fn falls_back(says: &[&str], treat: impl FnOnce(Request)) {
    let mut begun = Beginning::new(&TWO);
    begun.shake_hands("A");
    let upgrade = begun.peer.upgrade();
    assert_eq!(upgrade.path(), "/socket.io/1/websocket/A");
    treat(upgrade);
    let (transport, why) = begun.failed();
    assert_eq!(transport, Transport::WebSocket);
    assert_says(&why, says);
    begun.opens_by_polling("B");
}

#[test]
fn a_websocket_that_is_refused_gives_way_to_polling() {
    for status in [400, 403, 404, 500, 502, 503] {
        let answer = Answer::new(status, "text/html", b"<h1>not through me</h1>");
        let says = format!("the WebSocket handshake was answered with HTTP status {status}");
        falls_back(&[&says, "not through me"], |upgrade| {
            upgrade.answer(&answer);
        });
    }
    falls_back(&["HTTP status 200", "hello"], |upgrade| {
        upgrade.answer(&Answer::plain("hello"));
    });
}

#[test]
fn a_websocket_that_is_closed_without_an_answer_gives_way_to_polling() {
    falls_back(&["closed without an answer"], Request::close);
    falls_back(&["the WebSocket to http://127.0.0.1"], |mut upgrade| {
        upgrade.raw(b"HTTP/1.1 101 Switching");
        upgrade.close();
    });
}

#[test]
fn a_websocket_whose_handshake_is_wrong_gives_way_to_polling() {
    falls_back(&["the WebSocket to http://127.0.0.1"], |mut upgrade| {
        upgrade.raw(
            b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: no\r\n\r\n",
        );
    });
    falls_back(&["the WebSocket to http://127.0.0.1"], |mut upgrade| {
        upgrade.raw(b"\x00\xff garbage \r\n\r\n");
    });
}

#[test]
fn a_websocket_that_ends_before_the_session_opens_gives_way_to_polling() {
    falls_back(&["the transport was closed"], |upgrade| {
        WebSocketPeer::accept(upgrade).cut();
    });
    falls_back(&["1011", "proxy"], |upgrade| {
        WebSocketPeer::accept(upgrade).close(1011, "proxy");
    });
    falls_back(&["the WebSocket to http://127.0.0.1"], |upgrade| {
        WebSocketPeer::accept(upgrade).raw(&[0xff; 64]);
    });
    falls_back(&["HTTP status 502", "sorry, no frames here"], |upgrade| {
        let mut socket = WebSocketPeer::accept(upgrade);
        socket.raw(
            b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n<h1>sorry, no frames here</h1>",
        );
        socket.cut();
    });
    falls_back(
        &["the server ended the session before it was open"],
        |upgrade| {
            WebSocketPeer::accept(upgrade).text("0::");
        },
    );
    falls_back(&["a WebSocket message is broken"], |upgrade| {
        WebSocketPeer::accept(upgrade).text("\u{fffd}9\u{fffd}1::");
    });
}

#[test]
fn a_websocket_that_opens_and_stays_silent_gives_way_to_polling() {
    let limit = Duration::from_millis(600);
    let mut begun = Beginning::within(&TWO, limit);
    begun.shake_hands("A");
    let mut socket = accepting(&mut begun.peer, "A");
    let (transport, why) = takes(limit / 4, limit, || begun.failed());
    assert_eq!(transport, Transport::WebSocket);
    assert_says(&why, &["did not confirm the session on this transport"]);
    socket.is_closed();
    begun.opens_by_polling("B");
}

#[test]
fn a_websocket_that_accepts_nothing_and_answers_nothing_gives_way_to_polling() {
    let limit = Duration::from_millis(600);
    let mut begun = Beginning::within(&TWO, limit);
    begun.shake_hands("A");
    let upgrade = begun.peer.upgrade();
    takes(limit / 4, limit, || begun.failed());
    upgrade.expect_drop();
    begun.opens_by_polling("B");
}

#[test]
fn a_websocket_that_talks_without_confirming_the_session_gives_way_to_polling() {
    let limit = Duration::from_millis(600);
    let mut begun = Beginning::within(&TWO, limit);
    begun.shake_hands("A");
    let mut socket = accepting(&mut begun.peer, "A");
    for packet in [
        "8::",
        "2::",
        "1::/chat",
        "5:::{\"name\":\"x\"}",
        "6:::1",
        "7::/chat:2",
        "junk",
    ] {
        socket.text(packet);
    }
    socket.raw(&frame(0x89, b"ping"));
    assert_eq!(begun.failed().0, Transport::WebSocket);
    begun.opens_by_polling("B");
}

#[test]
fn each_transport_is_tried_in_the_program_s_order_with_a_handshake_of_its_own() {
    let order = [
        Transport::HtmlFile,
        Transport::WebSocket,
        Transport::JsonpPolling,
        Transport::Polling,
    ];
    let mut begun = Beginning::new(&order);
    begun.shake_hands("A");
    opening(&mut begun.peer, Transport::HtmlFile, "A").close();
    assert_eq!(begun.failed().0, Transport::HtmlFile);
    begun.shake_hands("B");
    begun.peer.upgrade().close();
    assert_eq!(begun.failed().0, Transport::WebSocket);
    begun.shake_hands("C");
    let get = opening(&mut begun.peer, Transport::JsonpPolling, "C");
    get.answer(&Answer::plain("io.j[0](new Error(\"no\"));"));
    assert_eq!(begun.failed().0, Transport::JsonpPolling);
    begun.opens_by_polling("D");
}

#[test]
fn when_every_transport_fails_one_error_names_each_with_its_cause() {
    let mut begun = Beginning::new(&[
        Transport::WebSocket,
        Transport::Polling,
        Transport::HtmlFile,
        Transport::JsonpPolling,
    ]);
    begun.shake_hands("A");
    begun
        .peer
        .upgrade()
        .answer(&Answer::new(502, "text/plain", b"gateway"));
    begun.shake_hands("B");
    opening(&mut begun.peer, Transport::Polling, "B").answer(&Answer::new(
        500,
        "text/plain",
        b"poll",
    ));
    begun.shake_hands("C");
    let mut stream = Stream::open(opening(&mut begun.peer, Transport::HtmlFile, "C"));
    stream.chunk(b"<script>_(7);</script>");
    begun.shake_hands("D");
    opening(&mut begun.peer, Transport::JsonpPolling, "D").answer(&Answer::plain("x('1::');"));
    let error = error_of("connecting", begun.connecting.join());
    let text = error.chain();
    for part in [
        "no transport works",
        "websocket: the WebSocket handshake was answered with HTTP status 502",
        "xhr-polling: a poll was answered with HTTP status 500",
        "htmlfile: the stream is broken",
        "jsonp-polling: the body of a poll is broken",
        "single quotes",
    ] {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    begun.peer.hears_nothing(Duration::from_millis(10));
}

#[test]
fn a_transport_the_server_does_not_offer_is_not_tried() {
    let mut begun = Beginning::new(&TWO);
    shake_hands(
        &mut begun.peer,
        "A:60:60:flashsocket,jsonp-polling,xhr-polling",
    );
    let get = opening(&mut begun.peer, Transport::Polling, "A");
    get.answer(&Answer::packets(&["1::"]));
    begun.connecting.join().unwrap();
}

#[test]
fn a_handshake_that_fails_between_two_transports_ends_connecting() {
    let mut begun = Beginning::new(&TWO);
    begun.shake_hands("A");
    begun.peer.upgrade().close();
    begun
        .peer
        .get()
        .answer(&Answer::new(503, "text/plain", b"too busy"));
    let error = error_of("connecting", begun.connecting.join());
    assert_says(&error.chain(), &["HTTP status 503", "too busy"]);
}

#[test]
fn a_session_the_server_forgot_at_once_gets_one_more_handshake_on_each_transport() {
    let forgotten = "7:::1+0";
    for transport in [
        Transport::WebSocket,
        Transport::Polling,
        Transport::HtmlFile,
        Transport::JsonpPolling,
    ] {
        let mut begun = Beginning::new(&[transport]);
        for sid in ["A", "B"] {
            begun.shake_hands(sid);
            let first = if sid == "A" { forgotten } else { "1::" };
            open_with(&mut begun.peer, transport, sid, first);
        }
        let client = begun.connecting.join().expect("a connection");
        assert_eq!(client.id().as_deref(), Some("B"));
        assert_eq!(client.transport(), Some(transport));
        assert!(
            matches!(begun.told.status(), Status::Connected { .. }),
            "nothing failed"
        );

        // A second time is once too often.
        let mut begun = Beginning::new(&[transport]);
        for sid in ["A", "B"] {
            begun.shake_hands(sid);
            open_with(&mut begun.peer, transport, sid, forgotten);
        }
        let error = error_of("connecting", begun.connecting.join());
        assert_says(
            &error.chain(),
            &["does not know the session it has just made"],
        );
        begun.peer.hears_nothing(Duration::from_millis(10));
    }
}

/// Begins a session with this packet. What keeps it is given back.
fn open_with(
    peer: &mut Peer,
    transport: Transport,
    sid: &str,
    packet: &str,
) -> Vec<Box<dyn std::any::Any>> {
    match transport {
        Transport::WebSocket => {
            let mut socket = accepting(peer, sid);
            socket.text(packet);
            vec![Box::new(socket)]
        }
        Transport::HtmlFile => {
            let mut stream = Stream::open(opening(peer, transport, sid));
            stream.packet(packet);
            vec![Box::new(stream)]
        }
        Transport::JsonpPolling => {
            opening(peer, transport, sid).answer(&Answer::plain(call(packet)));
            Vec::new()
        }
        _ => {
            opening(peer, transport, sid).answer(&Answer::packets(&[packet]));
            Vec::new()
        }
    }
}

#[test]
fn a_peer_that_is_silent_on_every_transport_costs_the_connect_timeout_and_no_more() {
    let limit = Duration::from_millis(800);
    let mut begun = Beginning::within(
        &[
            Transport::WebSocket,
            Transport::HtmlFile,
            Transport::Polling,
        ],
        limit,
    );
    begun.shake_hands("A");
    let upgrade = begun.peer.upgrade();
    assert_eq!(begun.failed().0, Transport::WebSocket);
    upgrade.expect_drop();
    begun.shake_hands("B");
    let stream = opening(&mut begun.peer, Transport::HtmlFile, "B");
    assert_eq!(begun.failed().0, Transport::HtmlFile);
    stream.expect_drop();
    begun.shake_hands("C");
    let poll = opening(&mut begun.peer, Transport::Polling, "C");
    let error = takes(Duration::ZERO, 2 * limit, || {
        error_of("connecting", begun.connecting.join())
    });
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert_says(
        &error.to_string(),
        &["did not complete the connection within 800ms"],
    );
    poll.expect_drop();
    begun.peer.hears_nothing(Duration::from_millis(10));
}

#[test]
fn a_handshake_without_an_answer_between_two_transports_ends_connecting() {
    let mut begun = Beginning::new(&TWO);
    begun.shake_hands("A");
    begun.peer.upgrade().close();
    begun.failed();
    begun.peer.get().close();
    let error = takes(Duration::ZERO, Duration::from_secs(2), || {
        error_of("connecting", begun.connecting.join())
    });
    assert_says(&error.chain(), &["closed without an answer"]);

    // One that is silent has what is left of the time.
    let limit = Duration::from_millis(600);
    let mut begun = Beginning::within(&TWO, limit);
    begun.shake_hands("A");
    begun.peer.upgrade().close();
    begun.failed();
    let handshake = begun.peer.get();
    let error = takes(Duration::ZERO, 2 * limit, || {
        error_of("connecting", begun.connecting.join())
    });
    assert!(error.is_timeout(), "{error:?}");
    handshake.expect_drop();
}

#[test]
fn the_end_may_come_in_the_very_body_that_opens_the_session() {
    let mut begun = Beginning::new(&[Transport::Polling]);
    begun.shake_hands("A");
    let get = opening(&mut begun.peer, Transport::Polling, "A");
    get.answer(&Answer::packets(&[
        "1::",
        "5:::{\"name\":\"last\",\"args\":[\"word\"]}",
        "0::",
    ]));
    let client = begun.connecting.join().expect("a connection");
    assert!(matches!(begun.told.reason(), DisconnectReason::Server));
    assert_eq!(begun.told.text_event(), ("last".into(), "word".into()));
    assert!(!client.is_connected());
    begun.peer.hears_nothing(Duration::from_millis(20));
}

/// What comes behind the packet that ended a session's first attempt belongs to nobody.
#[track_caller]
fn nothing_counts_behind(first: &str) {
    for behind in [
        "0::",
        "7:::1+0",
        "7:::2",
        "1::",
        "5:::{\"name\":\"ghost\"}",
        "2::",
    ] {
        let mut begun = Beginning::new(&[Transport::Polling, Transport::HtmlFile]);
        begun.shake_hands("A");
        let get = opening(&mut begun.peer, Transport::Polling, "A");
        get.answer(&Answer::packets(&[first, behind]));
        begun.shake_hands("B");
        let get = begun.peer.get();
        let transport = if first == "0::" {
            Transport::HtmlFile
        } else {
            Transport::Polling
        };
        if transport == Transport::HtmlFile {
            let mut stream = Stream::open(get);
            stream.packet("1::");
            stream.packet("5:::{\"name\":\"real\"}");
        } else {
            get.answer(&Answer::packets(&["1::", "5:::{\"name\":\"real\"}"]));
        }
        let client = begun
            .connecting
            .join()
            .unwrap_or_else(|error| panic!("{first} and {behind}: {}", error.chain()));
        assert_eq!(client.transport(), Some(transport));
        assert_eq!(begun.told.event().0, "real", "{first} and {behind}");
    }
}

#[test]
fn what_comes_behind_a_forgotten_session_in_the_same_body_counts_for_nothing() {
    nothing_counts_behind("7:::1+0");
}

#[test]
fn what_comes_behind_a_goodbye_in_the_same_body_counts_for_nothing() {
    nothing_counts_behind("0::");
}

#[test]
fn what_breaks_behind_the_packet_that_gave_the_transport_up_breaks_nothing() {
    // Behind a goodbye the next transport gets its turn, whatever else the body holds.
    let broken = format!("{}broken", framed(&["0::"]));
    let mut begun = Beginning::new(&[
        Transport::HtmlFile,
        Transport::WebSocket,
        Transport::JsonpPolling,
        Transport::Polling,
    ]);
    begun.shake_hands("A");
    let mut stream = Stream::open(opening(&mut begun.peer, Transport::HtmlFile, "A"));
    stream.packet(&broken);
    assert_says(&begun.failed().1, &["ended the session before it was open"]);
    begun.shake_hands("B");
    accepting(&mut begun.peer, "B").text(&broken);
    assert_says(&begun.failed().1, &["ended the session before it was open"]);
    begun.shake_hands("C");
    let get = opening(&mut begun.peer, Transport::JsonpPolling, "C");
    get.answer(&Answer::plain(call(&broken)));
    assert_says(&begun.failed().1, &["ended the session before it was open"]);
    begun.opens_by_polling("D");
}

#[test]
fn what_breaks_behind_a_forgotten_session_breaks_nothing() {
    let mut begun = Beginning::new(&[Transport::Polling]);
    begun.shake_hands("A");
    let get = opening(&mut begun.peer, Transport::Polling, "A");
    get.answer(&Answer::plain(format!("{}broken", framed(&["7:::1+0"]))));
    begun.opens_by_polling("B");
}

#[test]
fn changes_of_status_come_in_order_and_once() {
    let mut begun = Beginning::new(&TWO);
    begun.shake_hands("A");
    accepting(&mut begun.peer, "A").text("7:::1+0");
    begun.shake_hands("B");
    begun.peer.upgrade().close();
    begun.shake_hands("C");
    let get = opening(&mut begun.peer, Transport::Polling, "C");
    get.answer(&Answer::packets(&["1::", "1::", "3:::x", "0::", "0::"]));
    let client = begun.connecting.join().expect("a connection");
    assert!(matches!(client.wait(), DisconnectReason::Server));
    drop(client);
    let statuses: Vec<String> = begun
        .told
        .statuses
        .iter()
        .map(|status| format!("{status:?}"))
        .collect();
    let names: Vec<&str> = statuses
        .iter()
        .map(|status| status.split([' ', '(', '{']).next().unwrap_or_default())
        .collect();
    assert_eq!(
        names,
        ["TransportFailed", "Connected", "Disconnected"],
        "{statuses:?}"
    );
}
