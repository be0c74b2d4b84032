//! What a client reports of its connection, from before it is opened until it is closed; the same in both protocols.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sio_core::{ConnectionState, DisconnectReason, Socket, Status, Transport};

use crate::client::watched;
use crate::host::Host;
use crate::lifecycle::builder;
use crate::reconnecting::{is_back, until};
use crate::wait::{PATIENCE, background, error_of, eventually};
use crate::words::Words;

/// State, sessions, attempts and reasons, through a first connect that fails, a loss, attempts that fail, and the end.
pub fn a_report_says_how_the_connection_stands<W: Words>() {
    let host = Host::<W>::new();
    let (builder, mut told) = watched(builder(&host));
    let client = builder.build().unwrap();
    let socket: &dyn Socket = &client;

    let report = socket.report();
    assert_eq!(report.state, ConnectionState::Disconnected);
    assert_eq!((report.sessions, report.attempts), (0, 0));
    assert!(report.last_close.is_none() && report.last_failure.is_none());
    assert_eq!(report.counters, client.counters());
    assert_eq!(report.counters.requests, 0);

    host.refuse(1);
    error_of("the first attempt", client.open());
    let report = socket.report();
    assert_eq!(report.state, ConnectionState::Disconnected);
    assert_eq!((report.sessions, report.attempts), (0, 1));
    // A WebSocket alone that is refused is asked about over polling.
    let asked = u64::from(W::handshake("S0").is_none());
    assert_eq!(report.counters.requests, 1 + asked);
    assert!(
        report.last_close.is_none(),
        "it never was usable: {report:?}"
    );
    assert!(report.last_failure.is_some(), "{report:?}");

    client.open().unwrap();
    let report = socket.report();
    assert_eq!(report.state, ConnectionState::Connected);
    assert_eq!(report.transport, Some(Transport::WebSocket));
    assert_eq!((report.sessions, report.attempts), (1, 0));
    assert!(report.connected_for.is_some_and(|time| time < PATIENCE));
    assert_eq!((report.queued, report.backlog_bytes), (0, 0));
    assert!(report.last_failure.is_some(), "it goes on telling that");
    assert_eq!(report.no_websocket, None);

    host.refuse(1_000_000);
    host.cut(0);
    until(&told, |status| {
        matches!(status, Status::ReconnectError { attempt: 2, .. })
    });
    for _ in 0..3 {
        client.emit("x", ()).unwrap();
    }
    let report = socket.report();
    assert_eq!(report.state, ConnectionState::Reconnecting);
    assert_eq!((report.transport, report.connected_for), (None, None));
    assert_eq!((report.sessions, report.queued), (1, 3));
    assert!(report.attempts >= 2, "{report:?}");
    let is_cut = |reason: &Option<DisconnectReason>| {
        !matches!(
            reason,
            None | Some(DisconnectReason::NotYet | DisconnectReason::Client)
        )
    };
    assert!(is_cut(&report.last_close), "{report:?}");

    host.refuse(0);
    until(&told, is_back);
    host.packets(1, 3);
    host.say(1, &W::event("/", "x"));
    assert_eq!(told.event().0, "x");
    let report = socket.report();
    assert_eq!((report.sessions, report.attempts), (2, 0));
    assert_eq!((report.queued, report.counters.reconnects), (0, 1));
    assert!(is_cut(&report.last_close), "still there: {report:?}");

    client.close().unwrap();
    let report = socket.report();
    assert_eq!(report.state, ConnectionState::Disconnected);
    assert_eq!(report.connected_for, None);
    assert!(matches!(report.last_close, Some(DisconnectReason::Client)));
    assert!(
        report
            .to_string()
            .contains("last close: closed by this client"),
        "{report}"
    );
}

/// Asked again and again while the connection comes and goes, no report mixes two moments.
pub fn a_report_is_of_one_moment<W: Words>() {
    const LOSSES: usize = 50;
    let host = Host::<W>::new();
    let (builder, told) = watched(builder(&host));
    let client = builder.connect().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (asked, of_asker) = (client.clone(), Arc::clone(&stop));
    let asker = background("asking for reports", move || {
        let (mut before, mut lost) = (asked.report(), 0);
        while !of_asker.load(Ordering::Acquire) {
            let report = asked.report();
            let is_connected = report.state == ConnectionState::Connected;
            assert_eq!(report.connected_for.is_some(), is_connected, "{report:?}");
            assert!(
                !is_connected || (report.transport.is_some() && report.attempts == 0),
                "{report:?}"
            );
            assert!(report.sessions > report.counters.reconnects, "{report:?}");
            let (now, then) = (report.counters, before.counters);
            assert!(
                now.packets_received >= then.packets_received
                    && now.bytes_received >= then.bytes_received
                    && now.requests >= then.requests
                    && report.sessions >= before.sessions,
                "{report:?} after {before:?}"
            );
            lost += usize::from(!is_connected);
            before = report;
        }
        lost
    });
    for loss in 0..LOSSES {
        host.cut(loss);
        until(&told, is_back);
    }
    eventually("the last session", PATIENCE, || client.is_connected());
    stop.store(true, Ordering::Release);
    let lost = asker.join();
    assert!(lost > 0, "no report while there was no connection");
    assert_eq!(client.report().sessions, LOSSES as u64 + 1);
    client.close().unwrap();
}
