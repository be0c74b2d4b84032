//! Wire logs in memory, and those of real servers.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use sio_core::session::{Session, SessionEvent};
use sio_net::{WireLog, replay};

use crate::wait::{PATIENCE, eventually};

/// What a client has written to its wire log.
#[derive(Debug, Clone, Default)]
pub struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Sheet {
    /// A log that is written here.
    pub fn log(&self) -> WireLog {
        WireLog::new(self.clone())
    }

    /// Everything up to these words and as much as was written with them: a program may hear of something before it is
    /// written.
    pub fn with(&self, words: &str) -> String {
        let says = || self.text().contains(words);
        eventually(&format!("{words} in the log"), PATIENCE, says);
        self.text()
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).expect("text")
    }
}

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk that has room for so many bytes.
#[derive(Debug)]
pub struct FullDisk(pub usize);

impl Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        if taken == 0 {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"));
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The events that a recorded log tells, by namespace and name, to the end of its connection.
///
/// # Panics
/// If the sessions of `S` make something else of it than is recorded.
#[track_caller]
pub fn events_of<S: Session>(file: &Path) -> Vec<String> {
    let log = fs::read_to_string(file).expect("a log");
    let replay = replay::<S>(&log).expect("a log");
    assert_eq!(replay.differences, [], "{}", file.display());
    assert!(
        !replay.truncated && replay.head.masked,
        "{}",
        file.display()
    );
    let last = replay.told.last().map(|told| &told.event);
    assert!(matches!(last, Some(SessionEvent::Closed(_))), "{last:?}");
    let events = replay.told.iter().filter_map(|told| match &told.event {
        SessionEvent::Event {
            namespace, name, ..
        } => Some(format!("{namespace} {name}")),
        _ => None,
    });
    events.collect()
}
