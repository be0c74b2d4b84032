//! Wire logs that anybody may have changed: reading one ends, with what came of it or with an error.

use std::time::Instant;

use sio_core::session::Session;
use sio_core::wire_log::{read_head, replay};

/// Either protocol reads it, or refuses it.
pub(super) fn read(input: &[u8]) {
    let log = super::text(input);
    let is_log = read_head(&log).is_ok();
    is_read::<sio_v1::Session>(&log, is_log);
    is_read::<sio_legacy::Session>(&log, is_log);
}

fn is_read<S: Session>(log: &str, is_log: bool) {
    if let Ok(replay) = replay::<S>(log, Instant::now()) {
        assert!(is_log, "what has no head is no log");
        assert_eq!(replay.head.protocol, S::NAME);
    }
}
