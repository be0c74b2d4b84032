//! Opening, losing, closing and dropping, in every order and from every thread.

use sio_peer::alone::without_panics;
use sio_peer::lifecycle;

use crate::words::V1;

#[test]
fn a_handler_that_opens_again_does_not_hold_up_the_close() {
    without_panics(
        "lifecycle::a_handler_that_opens_again_does_not_hold_up_the_close",
        lifecycle::a_handler_that_opens_again_does_not_hold_up_the_close::<V1>,
    );
}

#[test]
fn threads_in_any_order_all_come_back() {
    without_panics("lifecycle::threads_in_any_order_all_come_back", || {
        lifecycle::threads_in_any_order_all_come_back::<V1>(25);
    });
}

#[test]
fn ten_threads_open_one_connection() {
    lifecycle::ten_threads_open_one_connection::<V1>();
}

#[test]
fn what_was_never_opened_ends_without_a_trace() {
    without_panics(
        "lifecycle::what_was_never_opened_ends_without_a_trace",
        lifecycle::what_was_never_opened_ends_without_a_trace::<V1>,
    );
}

#[test]
fn dropped_at_any_moment_everything_ends() {
    without_panics("lifecycle::dropped_at_any_moment_everything_ends", || {
        lifecycle::dropped_at_any_moment_everything_ends::<V1>(300);
    });
}

#[test]
fn callbacks_given_at_any_moment_run_once() {
    without_panics("lifecycle::callbacks_given_at_any_moment_run_once", || {
        lifecycle::callbacks_given_at_any_moment_run_once::<V1>(100);
    });
}

#[test]
fn handlers_registered_while_opening_run() {
    without_panics("lifecycle::handlers_registered_while_opening_run", || {
        lifecycle::handlers_registered_while_opening_run::<V1>(200);
    });
}
