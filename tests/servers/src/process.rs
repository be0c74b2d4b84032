//! Processes that the tests start: what they write is kept, and they are ended by their own id.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, ChildStderr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a process may take to end by itself.
pub const STOP_LIMIT: Duration = Duration::from_secs(2);
const OUTPUT_KEPT: usize = 64 << 10;

/// What a process writes to standard error, the newest part of it.
pub struct Output {
    kept: Arc<Mutex<VecDeque<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    /// Reads it on a thread of its own, until it ends.
    #[must_use]
    pub fn keep(mut stderr: ChildStderr) -> Self {
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let shared = Arc::clone(&kept);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut chunk) {
                let mut kept = lock(&shared);
                kept.extend(&chunk[..read]);
                let surplus = kept.len().saturating_sub(OUTPUT_KEPT);
                kept.drain(..surplus);
            }
        });
        Self { kept, reader }
    }

    /// What came so far.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes: Vec<u8> = lock(&self.kept).iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What came until the process had ended, trimmed. Waits for that, within [`STOP_LIMIT`].
    #[must_use]
    pub fn last_words(&self) -> String {
        let deadline = Instant::now() + STOP_LIMIT;
        while !self.reader.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        self.text().trim().to_owned()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Output").field(&self.text()).finish()
    }
}

/// The first line that a process writes, which is how servers say that they are ready.
///
/// # Errors
/// If there is none within `limit`.
pub fn first_line(stdout: impl Read + Send + 'static, limit: Duration) -> Result<String, String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        // Nobody listens any more if it took too long.
        drop(sender.send(read.map(|_| line)));
    });
    match receiver.recv_timeout(limit) {
        Ok(Ok(line)) if line.is_empty() => Err("it ended before its ready line".to_owned()),
        Ok(Ok(line)) => Ok(line),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no ready line within {limit:?}")),
    }
}

/// Closes the standard input of a process, which tells it to end, and kills it if it takes longer than [`STOP_LIMIT`].
/// Returns the status it ended with by itself. A second call does nothing.
pub fn stop(process: &mut Child) -> Option<i32> {
    drop(process.stdin.take());
    let deadline = Instant::now() + STOP_LIMIT;
    while Instant::now() < deadline {
        match process.try_wait() {
            Ok(None) => thread::sleep(Duration::from_millis(5)),
            Ok(Some(status)) => return status.code(),
            Err(_) => return None,
        }
    }
    // It may have ended just now; either way it is gone after this.
    drop(process.kill());
    drop(process.wait());
    None
}

/// What a thread that panicked has left is as good as before: these locks guard nothing that could be half done.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
