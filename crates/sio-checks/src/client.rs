//! The program's side: how it configures a connection, and what it sends. Each payload has a number, so that a lost, a
//! doubled and a misplaced one can be told.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use sio_core::session::{Session, SessionConfig};
use sio_core::{Args, Encoded, Limits, Value};

use super::network::Server;
use super::tape::Tape;

/// How long closing may take.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long connecting may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// More deadlines than a connection has until it is closed.
pub(super) const DEADLINES: usize = 1000;

/// The namespaces that servers grant.
pub(super) const NAMESPACES: [&str; 3] = ["/", "/a", "/b"];

pub(super) fn config<P: Server>(
    tape: &mut Tape<'_>,
) -> SessionConfig<<P::Session as Session>::Options> {
    let mut transports = P::Session::TRANSPORTS.to_vec();
    let first = tape.below(transports.len());
    transports.rotate_left(first);
    let left_out = tape.below(transports.len());
    transports.truncate(transports.len() - left_out);
    let choices = tape.byte();
    let is_chosen = |bit: u8| choices & (1 << bit) != 0;
    SessionConfig {
        path: "/socket.io/".into(),
        query: "".into(),
        transports,
        upgrade: P::Session::UPGRADES && !is_chosen(0),
        timestamps: is_chosen(1),
        nonce: 1,
        upgrade_timeout: Duration::from_secs(if is_chosen(2) { 0 } else { 10 }),
        close_timeout: CLOSE_TIMEOUT,
        limits: Limits::default()
            .message_bytes(1000)
            .attachments(2)
            .attachment_bytes(100),
        options: P::options(tape),
    }
}

/// A payload with this number, and something more or less large behind it. Without a name it is an answer.
pub(super) fn payload<S: Session>(tape: &mut Tape<'_>, name: Option<&str>, number: u64) -> Encoded {
    let payload = match (tape.below(8), name) {
        (0, _) => encoded(name, &(number, "y".repeat(700))),
        (1, _) => encoded(name, &(number, Bytes::from_static(b"z"))),
        (2, Some(_)) => Encoded::message(&number).expect("a number can be sent"),
        (3, Some(_)) => Encoded::message(&format!("{number}\u{e9}")).expect("a text can be sent"),
        _ => encoded(name, &(number, "x+\u{e9}")),
    };
    match S::check_payload(&payload) {
        Ok(()) => payload,
        Err(_) => encoded(name, &number),
    }
}

fn encoded(name: Option<&str>, args: &impl Serialize) -> Encoded {
    let encoded = match name {
        Some(name) => Encoded::event(name, args),
        None => Encoded::values(args),
    };
    encoded.expect("a payload that can be encoded")
}

/// The number of a payload as it arrived: it stands first, as a number or at the beginning of a text.
pub(super) fn number(args: &Args) -> u64 {
    assert_eq!(args.validate(), Ok(()));
    let first: Value = args.decode().expect("a payload has arguments");
    let digits = |text: &str| text.trim_end_matches('\u{e9}').parse().ok();
    let number = first.as_u64().or_else(|| first.as_str().and_then(digits));
    number.expect("a payload begins with a number")
}
