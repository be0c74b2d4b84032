//! Ctrl-C, and the signals that mean the same: the first one closes the connection, the second one ends at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Exit, Failure};
use crate::happening::{Happening, Post};
use crate::terminal;

static CAME: AtomicBool = AtomicBool::new(false);

/// Listens to signals from here on.
///
/// # Errors
/// If the system does not let us.
pub(crate) fn listen(post: &Post) -> Result<(), Failure> {
    let post = post.clone();
    let set = ctrlc::set_handler(move || {
        if CAME.swap(true, Ordering::AcqRel) {
            terminal::restore();
            std::process::exit(Exit::Interrupted as i32);
        }
        // If the queue is full, whoever empties it looks at the flag.
        post.try_put(Happening::Interrupted);
    });
    set.map_err(|error| {
        let text = format!("cannot listen to signals: {error}");
        Failure::new(Exit::Failed, "other", text)
    })
}

/// Whether one came.
pub(crate) fn came() -> bool {
    CAME.load(Ordering::Acquire)
}
