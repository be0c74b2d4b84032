//! More than the other side takes.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sio_core::Error;
use sio_core::session::Session;
use sio_net::Client;

use crate::wait::{Background, background, takes};

/// Emits until an emit fails; gives the error, how many bytes were taken, and the longest emit.
pub fn emit_until_refused<P: Session>(client: &Client<P>, size: usize) -> (Error, usize, Duration) {
    let filler = "x".repeat(size);
    let (mut taken, mut longest) = (0, Duration::ZERO);
    loop {
        let start = Instant::now();
        let result = client.emit("fill", &filler);
        longest = longest.max(start.elapsed());
        match result {
            Ok(()) => taken += size,
            Err(error) => return (error, taken, longest),
        }
    }
}

/// Writes the same bytes for ever, as fast as the client reads.
pub fn flood(stream: &TcpStream, bytes: &[u8]) -> (Arc<AtomicBool>, Background<()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, mut stream) = (Arc::clone(&stop), stream.try_clone().unwrap());
    let burst = bytes.repeat(1 + 65_536 / bytes.len());
    let flooding = background("the flood", move || {
        while !stopped.load(Ordering::Acquire) && stream.write_all(&burst).is_ok() {}
    });
    (stop, flooding)
}

/// Asserts that a client whose peer writes the same for ever still emits, looks and closes.
#[track_caller]
pub fn survives<P: Session>(client: &Client<P>, stream: &TcpStream, bytes: &[u8]) {
    const AT_ONCE: Duration = Duration::from_secs(1);
    let (stop, flooding) = flood(stream, bytes);
    assert!(
        flooding.blocks_for(Duration::from_millis(100)),
        "the client should live"
    );
    for _ in 0..50 {
        takes(Duration::ZERO, AT_ONCE, || client.emit("x", ()).unwrap());
    }
    takes(Duration::ZERO, AT_ONCE, || client.counters());
    // The peer reads nothing, so the limit for closing passes.
    takes(Duration::ZERO, 3 * AT_ONCE, || client.close().unwrap());
    stop.store(true, Ordering::Release);
    // The system may go on waiting for a client that is gone to make room.
    let _ = stream.shutdown(Shutdown::Both);
    flooding.join();
}
