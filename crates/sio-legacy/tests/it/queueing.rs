//! What waits for the connection, as the server sees it.

use sio_peer::queueing;

use crate::words::Legacy;

#[test]
fn what_is_given_up_is_never_sent() {
    queueing::what_is_given_up_is_never_sent::<Legacy>();
}

#[test]
fn a_full_queue_gives_up_what_it_was_told_to() {
    queueing::a_full_queue_gives_up_what_it_was_told_to::<Legacy>();
}

#[test]
fn a_program_that_flushes_itself_decides_when() {
    queueing::a_program_that_flushes_itself_decides_when::<Legacy>();
}
