//! Wire logs in memory.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use sio_net::WireLog;

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
