//! What waits for the connection, as the server sees it; the same in both protocols.

use std::sync::mpsc;
use std::time::Duration;

use sio_core::{Bounds, Deadline, Dropped, Error, Overflow, Status, UsageError};
use sio_net::{Client, ClientBuilder};

use crate::client::{Told, watched};
use crate::host::Host;
use crate::lifecycle::builder;
use crate::wait::{PATIENCE, background, eventually, next};
use crate::words::Words;

/// A client that was connected, and whose server refuses every attempt to come back.
fn offline<W: Words>(
    configure: impl FnOnce(ClientBuilder<W::Protocol>) -> ClientBuilder<W::Protocol>,
) -> (Host<W>, Client<W::Protocol>, Told) {
    let host = Host::<W>::new();
    let (builder, told) = watched(configure(builder(&host)));
    let client = builder.connect().unwrap();
    host.refuse(usize::MAX);
    host.cut(0);
    while !matches!(told.status(), Status::ReconnectError { .. }) {}
    (host, client, told)
}

fn come_back<W: Words>(host: &Host<W>, told: &Told) {
    host.refuse(0);
    while !matches!(told.status(), Status::Reconnected { .. }) {}
}

/// What expired, what is volatile and what was cleared is never sent, and whoever asked is told.
pub fn what_is_given_up_is_never_sent<W: Words>() {
    let (host, client, told) = offline::<W>(|builder| builder);
    let limit = Duration::from_millis(20);
    client.emit("cleared", ()).unwrap();
    let (sender, outcome) = mpsc::channel();
    client
        .emit_with_ack("asked", (), PATIENCE, move |result: sio_core::Result<()>| {
            // The test may be over.
            let _ = sender.send(result);
        })
        .unwrap();
    assert_eq!(client.clear_queue(), 2);
    let cleared = next("the outcome", &outcome).unwrap_err();
    assert!(
        matches!(cleared, Error::Dropped(Dropped::Cleared)),
        "{cleared:?}"
    );
    client.emit_within(limit, "late", ()).unwrap();
    let error = background("a call", {
        let client = client.clone();
        move || client.call::<_, ()>("too late", (), limit)
    })
    .join()
    .unwrap_err();
    let is_timeout = |error: &Error| {
        matches!(
            error,
            Error::Timeout {
                deadline: Deadline::Ack,
                ..
            }
        )
    };
    assert!(is_timeout(&error), "{error:?}");
    assert!(!client.emit_volatile("volatile", ()).unwrap());
    client.emit_within(PATIENCE, "in time", ()).unwrap();
    eventually("the end of what expires", PATIENCE, || {
        client.queued().len() == 1
    });
    come_back(&host, &told);
    assert_eq!(host.packets(1, 1), [W::event("/", "in time")]);
    assert_eq!(client.counters().dropped_emits, 5);
    client.close().unwrap();
}

/// A full queue does what it was told to.
pub fn a_full_queue_gives_up_what_it_was_told_to<W: Words>() {
    for (overflow, kept) in [
        (Overflow::Error, ["a", "b"]),
        (Overflow::DropOldest, ["b", "c"]),
        (Overflow::DropNewest, ["a", "b"]),
    ] {
        let bounds = Bounds::default().count(2).overflow(overflow);
        let (host, client, told) = offline::<W>(|builder| builder.queue(bounds));
        client.emit("a", ()).unwrap();
        client.emit("b", ()).unwrap();
        let third = client.emit("c", ());
        if overflow == Overflow::Error {
            let error = third.unwrap_err();
            assert!(
                matches!(error, Error::Usage(UsageError::QueueFull { .. })),
                "{error:?}"
            );
        } else {
            third.unwrap();
        }
        come_back(&host, &told);
        assert_eq!(host.packets(1, 2), kept.map(|name| W::event("/", name)));
        client.close().unwrap();
    }
    let (_host, client, _told) = offline::<W>(|builder| builder.queue(Bounds::default().count(0)));
    let error = client.emit("x", ()).unwrap_err();
    assert!(matches!(error, Error::Disconnected(_)), "{error:?}");
    client.close().unwrap();
}

/// A program that flushes itself decides when; what it emits meanwhile goes behind.
pub fn a_program_that_flushes_itself_decides_when<W: Words>() {
    let (host, client, told) = offline::<W>(|builder| builder.manual_flush(true));
    client.emit("a", ()).unwrap();
    assert_eq!(client.flush_queue(), 0, "offline");
    come_back(&host, &told);
    client.emit("b", ()).unwrap();
    assert_eq!(client.queued().len(), 2);
    host.when(1, "the session", |hosted| {
        assert_eq!(hosted.packets, [""; 0]);
        Some(())
    });
    assert_eq!(client.flush_queue(), 2);
    client.emit("c", ()).unwrap();
    let expected = ["a", "b", "c"].map(|name| W::event("/", name));
    assert_eq!(host.packets(1, 3), expected);
    client.close().unwrap();
}
