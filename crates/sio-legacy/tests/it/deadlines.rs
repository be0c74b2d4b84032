//! A peer that is silent at some stage. Elsewhere: one that does not read (`pressure.rs`), a close (`closing.rs`), a
//! transport among several (`opening.rs`).

use sio_peer::deadlines;

use crate::words::Legacy;

#[test]
fn a_server_that_gives_no_id_is_given_up() {
    deadlines::a_server_that_gives_no_id_is_given_up::<sio_legacy::Session>();
}

#[test]
fn a_server_that_gives_an_id_has_its_time() {
    deadlines::a_server_that_gives_an_id_has_its_time::<Legacy>();
}

#[test]
fn a_server_that_falls_silent_holds_nobody() {
    deadlines::a_server_that_falls_silent_holds_nobody::<Legacy>();
}
