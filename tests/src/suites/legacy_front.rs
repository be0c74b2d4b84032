//! A TCP port in front of a server, for links that pass everything but change or swallow what the server says.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// What is done to what the server sends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bend {
    /// Behind the head of a WebSocket's opening, nothing passes: a proxy that takes it for an ordinary answer.
    Silence,
    /// Behind the head of a WebSocket's opening the connection ends.
    End,
    /// Each occurrence of one text becomes another of the same length.
    Replace(&'static [u8], &'static [u8]),
}

/// Forwards each connection to a port of this machine. Ends when dropped, with all connections.
#[derive(Debug)]
pub(super) struct BentFront {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl BentFront {
    /// Listens on a port that the system picks, and forwards to `port`.
    pub(super) fn open(port: u16, bend: Bend) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&listener, port, bend, &shared))
        };
        Ok(Self {
            address,
            shared,
            accepting: Some(accepting),
        })
    }

    /// The URL of the server by way of this port.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for BentFront {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        for connection in lock(&self.shared.connections).drain(..) {
            drop(connection.shutdown(Shutdown::Both));
        }
        // Wakes the accepting thread, which then sees that it is over.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

fn accept(listener: &TcpListener, port: u16, bend: Bend, shared: &Shared) {
    for client in listener.incoming() {
        if shared.stopping.load(Ordering::Acquire) {
            return;
        }
        // A connection that cannot be forwarded ends; the client under test has to say so.
        if let Ok(client) = client {
            drop(forward(client, port, bend, shared));
        }
    }
}

fn forward(client: TcpStream, port: u16, bend: Bend, shared: &Shared) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    lock(&shared.connections).extend([client.try_clone()?, server.try_clone()?]);
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        // Either end may be gone; the other learns it here.
        drop(io::copy(&mut from_client, &mut to_server));
        drop(to_server.shutdown(Shutdown::Write));
    });
    thread::spawn(move || {
        let to_client = client.try_clone();
        if let Ok(to_client) = to_client {
            drop(pass(server, to_client, bend));
        }
        drop(client.shutdown(Shutdown::Write));
    });
    Ok(())
}

/// Passes what the server sends, bent.
fn pass(mut server: TcpStream, mut client: TcpStream, bend: Bend) -> io::Result<()> {
    let mut chunk = [0; 16 << 10];
    loop {
        let read = server.read(&mut chunk)?;
        let bytes = &chunk[..read];
        match bend {
            _ if bytes.is_empty() => return Ok(()),
            Bend::Replace(from, to) => client.write_all(&replaced(bytes, from, to))?,
            Bend::Silence | Bend::End if bytes.starts_with(b"HTTP/1.1 101") => {
                client.write_all(&bytes[..end_of_head(bytes)])?;
                if let Bend::Silence = bend {
                    // Read on, so that the server can write.
                    io::copy(&mut server, &mut io::sink())?;
                }
                return Ok(());
            }
            Bend::Silence | Bend::End => client.write_all(bytes)?,
        }
    }
}

fn end_of_head(bytes: &[u8]) -> usize {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    end.map_or(bytes.len(), |end| end + 4)
}

/// The texts that are looked for are short and come in one piece.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "lengths are announced before");
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while at + from.len() <= bytes.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            at += to.len();
        } else {
            at += 1;
        }
    }
    bytes
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_occurrence_is_replaced_and_no_other_byte() {
        assert_eq!(
            replaced(b"S::60:a::60:", b"::60:", b":1:1:"),
            b"S:1:1:a:1:1:"
        );
        assert_eq!(replaced(b"::6", b"::60:", b":1:1:"), b"::6");
    }

    #[test]
    fn head_ends_behind_the_empty_line() {
        assert_eq!(end_of_head(b"HTTP/1.1 101 x\r\n\r\n\x81"), 18);
    }
}
