//! Whoever reads standard output may go while nothing is written: `sio listen … | head -1` shall end then, not at the next
//! event.

use crate::happening::Post;

/// Tells when nobody reads the output any more, from here on.
#[cfg(unix)]
pub(crate) fn watch(post: &Post) -> Result<(), crate::failure::Failure> {
    use std::io;

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;

    use crate::happening::Happening;

    let post = post.clone();
    crate::run::spawn("sio-reader", move || {
        let out = io::stdout();
        loop {
            // Nothing is asked for, so only an error or the end is told.
            match poll(&mut [PollFd::new(&out, PollFlags::empty())], None) {
                Ok(_) => return post.put(Happening::NobodyReads),
                Err(Errno::INTR) => {}
                // Then the next write finds out.
                Err(_) => return,
            }
        }
    })
}

/// Elsewhere the next write finds out.
#[cfg(not(unix))]
pub(crate) fn watch(_: &Post) -> Result<(), crate::failure::Failure> {
    Ok(())
}
