//! A client under test, and everything it tells.

use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use sio_core::event::Events;
use sio_core::session::Session;
use sio_core::{Deadline, DisconnectReason, Error, Reconnect, Result, Status, Transport, Value};
use sio_net::{Client, ClientBuilder};

use crate::wait::{Background, PATIENCE, background, error_of, next, takes};

/// What the client tells: events in the pull style, and changes of status.
#[derive(Debug)]
pub struct Told {
    /// The events.
    pub events: Events,
    /// The changes of status.
    pub statuses: Receiver<Status>,
}

/// Watches all that a client will tell.
pub fn watched<P: Session>(builder: ClientBuilder<P>) -> (ClientBuilder<P>, Told) {
    let (sender, statuses) = mpsc::channel();
    let builder = builder.on_status(move |status| {
        // The test may be over.
        let _ = sender.send(status.clone());
    });
    let (builder, events) = builder.events();
    (builder, Told { events, statuses })
}

impl Told {
    /// The next event's name and arguments.
    #[track_caller]
    pub fn event(&mut self) -> (String, Vec<Value>) {
        match self.events.recv_timeout(PATIENCE) {
            Ok(event) => (
                event.name().to_owned(),
                event.values().expect("arguments in JSON"),
            ),
            Err(error) => panic!("waited {PATIENCE:?} for an event: {error}"),
        }
    }

    /// The next event's name and one text argument.
    #[track_caller]
    pub fn text_event(&mut self) -> (String, String) {
        let (name, values) = self.event();
        match &values[..] {
            [Value::String(text)] => (name, text.to_string()),
            other => panic!("expected one text, and {name} brought {other:?}"),
        }
    }

    /// The next change of status.
    #[track_caller]
    pub fn status(&self) -> Status {
        next("a change of status", &self.statuses)
    }

    /// The next error that belongs to no call.
    #[track_caller]
    pub fn error(&self) -> Error {
        loop {
            if let Status::Error(error) = self.status() {
                return error;
            }
        }
    }

    /// Why the connection ended.
    #[track_caller]
    pub fn reason(&self) -> DisconnectReason {
        loop {
            if let Status::Disconnected(reason) = self.status() {
                return reason;
            }
        }
    }

    /// Does something over and over, until the silence of the peer has ended the connection.
    #[track_caller]
    pub fn until_ping_timeout(&self, limit: Duration, mut act: impl FnMut()) {
        let ended =
            |status: Status| matches!(status, Status::Disconnected(DisconnectReason::PingTimeout));
        let start = Instant::now();
        while !self.statuses.try_iter().any(ended) {
            assert!(
                start.elapsed() < limit,
                "waited {limit:?} for the ping timeout"
            );
            act();
            thread::yield_now();
        }
    }

    /// The text of the error that ended the connection.
    #[track_caller]
    pub fn fatal(&self) -> String {
        match self.reason() {
            DisconnectReason::Error(error) => error.chain(),
            other => panic!("expected an error, and the reason is {other:?}"),
        }
    }

    /// Why the upgrade failed.
    #[track_caller]
    pub fn failed_upgrade(&self) -> String {
        loop {
            match self.status() {
                Status::UpgradeFailed(error) => return error.chain(),
                Status::Upgraded | Status::Disconnected(_) => {
                    panic!("the upgrade should have failed")
                }
                _ => {}
            }
        }
    }

    /// Waits until the upgrade has worked.
    #[track_caller]
    pub fn upgraded(&self) {
        loop {
            match self.status() {
                Status::Upgraded => return,
                Status::UpgradeFailed(error) => panic!("the upgrade failed: {}", error.chain()),
                Status::Disconnected(reason) => panic!("disconnected: {reason}"),
                _ => {}
            }
        }
    }
}

/// Polling, and nothing else.
pub fn polling_only<P: Session>(builder: ClientBuilder<P>) -> ClientBuilder<P> {
    builder.transports([Transport::Polling])
}

/// WebSocket, and nothing else.
pub fn websocket_only<P: Session>(builder: ClientBuilder<P>) -> ClientBuilder<P> {
    builder.transports([Transport::WebSocket])
}

/// Connects on a thread of its own, so that the test can answer. Once lost, the connection is over.
pub fn connecting<P: Session>(builder: ClientBuilder<P>) -> Background<Result<Client<P>>> {
    reconnecting(builder, Reconnect::off())
}

/// Connects on a thread of its own, so that the test can answer, and again by this policy.
pub fn reconnecting<P: Session>(
    builder: ClientBuilder<P>,
    policy: Reconnect,
) -> Background<Result<Client<P>>> {
    background("connecting", move || builder.reconnect(policy).connect())
}

/// Joins a namespace on a thread of its own.
pub fn joining<P: Session>(
    client: &Client<P>,
    name: &'static str,
) -> Background<Result<Client<P>>> {
    let client = client.clone();
    background("joining", move || client.namespace(name).join())
}

/// Asks a question on a thread of its own.
pub fn calling<P: Session>(
    client: &Client<P>,
    event: &'static str,
    limit: Duration,
) -> Background<Result<String>> {
    let client = client.clone();
    background("a call", move || client.call(event, (), limit))
}

/// Closes on a thread of its own.
pub fn closing<P: Session>(client: &Client<P>) -> Background<Result<()>> {
    let client = client.clone();
    background("closing", move || client.close())
}

/// The same; it has to take this long.
pub fn closing_within<P: Session>(
    client: &Client<P>,
    least: Duration,
    most: Duration,
) -> Background<()> {
    let client = client.clone();
    background("closing", move || {
        takes(least, most, || client.close().unwrap());
    })
}

/// Asserts that closing ends within this limit, by a good bit of time at most, with a peer that does nothing any more; and
/// that whatever is done afterwards ends at once.
#[track_caller]
pub fn closes_for_good<P: Session>(what: &str, client: &Client<P>, limit: Duration) {
    const MORE: Duration = Duration::from_millis(700);
    const AT_ONCE: Duration = Duration::from_millis(100);
    closing_within(client, Duration::ZERO, limit + MORE).join();
    let again = client.clone();
    background("closing again", move || {
        takes(Duration::ZERO, AT_ONCE, || {
            again.close().unwrap();
            again.disconnect().unwrap();
            again.close().unwrap();
            again.wait()
        })
    })
    .join();
    assert!(!client.is_connected(), "{what}");
    assert!(client.emit("x", ()).is_err(), "{what}");
    assert_eq!(client.transport(), None, "{what}");
}

/// The same, with a peer that helps.
pub fn closing_at_once<P: Session>(client: &Client<P>) -> Background<()> {
    closing_within(client, Duration::ZERO, Duration::from_millis(700))
}

/// Emits on a thread of its own until an emit fails.
pub fn emitting<P: Session>(client: &Client<P>) -> Background<Error> {
    let client = client.clone();
    background("emitting", move || {
        let filler = "x".repeat(10_000);
        loop {
            if let Err(error) = client.emit("more", &filler) {
                return error;
            }
        }
    })
}

/// Asserts that an emit failed because the client has closed.
#[track_caller]
pub fn is_closed_by_client(result: Result<()>) {
    let error = error_of("an emit", result);
    assert!(
        matches!(error, Error::Disconnected(DisconnectReason::Client)),
        "{error:?}"
    );
}

/// Asserts that an emit failed because the peer did not read.
#[track_caller]
pub fn is_send_timeout(error: &Error) {
    assert!(
        matches!(
            error,
            Error::Timeout {
                deadline: Deadline::Send,
                ..
            }
        ),
        "{error:?}"
    );
}

/// Waits for the end of a connection that may or may not have been made; the client does not end it itself.
#[track_caller]
pub fn ends<P: Session>(connected: Result<Client<P>>) {
    if let Ok(client) = connected {
        let reason = background("the end", move || client.wait()).join();
        assert!(
            !matches!(reason, DisconnectReason::Client | DisconnectReason::NotYet),
            "{reason:?}"
        );
    }
}
