//! Where a wire log goes. Its format and its replay are in [`sio_core::wire_log`].

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sio_core::session::Session;
use sio_core::wire_log::{LogError, Recorder, Replay};

/// A wire log about to be written: everything that a client receives and sends, with times, as lines of JSON.
///
/// It is given to [`ClientBuilder::record`](crate::ClientBuilder::record).
///
/// Each burst of lines is written as soon as it has been processed, on the thread that did it and with the connection
/// locked: a slow writer slows the connection down. When writing fails, the root namespace is told by
/// [`Status::Error`](sio_core::Status::Error), and nothing more is recorded; the connection goes on.
pub struct WireLog {
    writer: Box<dyn Write + Send>,
    masked: bool,
}

impl WireLog {
    /// A log in a new file; one that is there already is emptied.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self::new(File::create(path)?))
    }

    /// A log in whatever can be written to. It is flushed behind each burst.
    #[must_use]
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: Box::new(writer),
            masked: false,
        }
    }

    /// Makes the values of queries and the ids of sessions unreadable; lengths stay as they are. What events say stays,
    /// too: read a log before you give it away. Headers and cookies are never in it.
    #[must_use]
    pub fn mask_secrets(mut self) -> Self {
        self.masked = true;
        self
    }

    /// What writes the lines for this log's sessions.
    pub(crate) fn recorder<S: Session>(&self, server: &str) -> Recorder {
        let client = concat!("sio ", env!("CARGO_PKG_VERSION"));
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let recorder =
            Recorder::new::<S>(client, server, since.unwrap_or_default(), Instant::now());
        if self.masked {
            recorder.mask_secrets()
        } else {
            recorder
        }
    }

    pub(crate) fn write(&mut self, lines: &str) -> io::Result<()> {
        self.writer.write_all(lines.as_bytes())?;
        self.writer.flush()
    }
}

impl fmt::Debug for WireLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireLog")
            .field("masked", &self.masked)
            .finish_non_exhaustive()
    }
}

/// Feeds a recorded log through new sessions of `S`: see [`sio_core::wire_log::replay`]. Nothing is sent, and no time
/// passes.
///
/// # Errors
/// If the text is no log of this protocol, or a line of it is broken.
pub fn replay<S: Session>(log: &str) -> Result<Replay, LogError> {
    sio_core::wire_log::replay::<S>(log, Instant::now())
}
