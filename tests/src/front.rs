//! A TCP port in front of a server: for addresses and first bytes that the server itself does not show, and for
//! links that die.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// How many bytes of each connection are kept, per direction.
const KEPT: usize = 256 << 10;

/// Forwards each connection to a port of this machine, and keeps the bytes that went over it. Ends when dropped, with
/// all connections.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
    /// What clients sent, and what servers sent, by connection.
    from_clients: Mutex<Vec<Vec<u8>>>,
    from_servers: Mutex<Vec<Vec<u8>>>,
    link: Mutex<Link>,
    link_changed: Condvar,
}

/// How the link behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Link {
    /// Everything passes.
    #[default]
    Alive,
    /// Everything passes until the server sends these bytes.
    CutBefore(Vec<u8>),
    /// Nothing passes, nobody reads, nobody says so.
    Frozen,
    /// All connections are ended, new ones too.
    Cut,
}

impl Front {
    /// Listens on `address`, on a port that the system picks, and forwards to `port`.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn open(address: IpAddr, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((address, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&listener, port, &shared))
        };
        Ok(Self {
            address,
            shared,
            accepting: Some(accepting),
        })
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The URL of the server by way of this port.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets nothing pass any more, and reads nothing: a link that is dead without a word.
    pub fn freeze(&self) {
        self.shared.set_link(Link::Frozen);
    }

    /// Ends all connections, and new ones as soon as they come.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Cuts right before the next occurrence of `marker` in what the server sends; what stands before it passes.
    pub fn cut_before(&self, marker: &[u8]) {
        self.shared.set_link(Link::CutBefore(marker.to_vec()));
    }

    /// Whether it was cut.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        *lock(&self.shared.link) == Link::Cut
    }

    /// What came from the client so far, by connection: the first 256 KiB of each.
    #[must_use]
    pub fn from_clients(&self) -> Vec<Vec<u8>> {
        lock(&self.shared.from_clients).clone()
    }

    /// What came from the server so far, by connection: the first 256 KiB of each.
    #[must_use]
    pub fn from_servers(&self) -> Vec<Vec<u8>> {
        lock(&self.shared.from_servers).clone()
    }

    /// Forgets what came so far.
    pub fn forget(&self) {
        for kept in [&self.shared.from_clients, &self.shared.from_servers] {
            lock(kept).iter_mut().for_each(Vec::clear);
        }
    }

    /// Whether some server's bytes hold `text`, upper and lower case alike.
    #[must_use]
    pub fn server_said(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.from_servers().iter().any(|bytes| {
            let bytes = bytes.to_ascii_lowercase();
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        })
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.cut();
        // Wakes the accepting thread, which then sees that it is over.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

impl Shared {
    fn set_link(&self, link: Link) {
        *lock(&self.link) = link;
        self.link_changed.notify_all();
    }

    fn cut(&self) {
        self.set_link(Link::Cut);
        for connection in lock(&self.connections).drain(..) {
            drop(connection.shutdown(Shutdown::Both));
        }
    }

    /// How the link behaves now; while it is frozen, there is no answer.
    fn link(&self) -> Link {
        let mut link = lock(&self.link);
        while *link == Link::Frozen {
            link = self
                .link_changed
                .wait(link)
                .unwrap_or_else(PoisonError::into_inner);
        }
        link.clone()
    }
}

fn accept(listener: &TcpListener, port: u16, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.stopping.load(Ordering::Acquire) {
            return;
        }
        // A connection that cannot be forwarded ends; the client under test has to say so.
        if let Ok(client) = client {
            drop(forward(client, port, shared));
        }
    }
}

fn forward(client: TcpStream, port: u16, shared: &Arc<Shared>) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    {
        let mut connections = lock(&shared.connections);
        if *lock(&shared.link) == Link::Cut {
            return Ok(());
        }
        connections.push(client.try_clone()?);
        connections.push(server.try_clone()?);
    }
    let number = {
        let mut from_clients = lock(&shared.from_clients);
        from_clients.push(Vec::new());
        lock(&shared.from_servers).push(Vec::new());
        from_clients.len() - 1
    };
    let (from_client, to_client) = (client.try_clone()?, client);
    let (from_server, to_server) = (server.try_clone()?, server);
    let (up, down) = (Arc::clone(shared), Arc::clone(shared));
    thread::spawn(move || {
        let keep = |bytes: &[u8]| keep(&up.from_clients, number, bytes);
        copy(from_client, to_server, &up, keep, |bytes, _| {
            (bytes.len(), false)
        });
    });
    thread::spawn(move || {
        let keep = |bytes: &[u8]| keep(&down.from_servers, number, bytes);
        copy(
            from_server,
            to_client,
            &down,
            keep,
            |bytes, link| match link {
                Link::CutBefore(marker) => split_before(bytes, marker),
                _ => (bytes.len(), false),
            },
        );
    });
    Ok(())
}

/// Copies until one side is at its end, then ends the other. `keep` sees everything; `pass` says of what was not
/// passed yet how much may pass, and whether the link is cut behind that.
fn copy(
    mut from: TcpStream,
    mut to: TcpStream,
    shared: &Shared,
    keep: impl Fn(&[u8]),
    pass: impl Fn(&[u8], &Link) -> (usize, bool),
) {
    let mut held = Vec::new();
    let mut chunk = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        keep(&chunk[..read]);
        held.extend_from_slice(&chunk[..read]);
        let link = shared.link();
        if link == Link::Cut {
            return;
        }
        let (passed, cut) = pass(&held, &link);
        if to.write_all(&held[..passed]).is_err() {
            break;
        }
        held.drain(..passed);
        if cut {
            shared.cut();
            return;
        }
    }
    // It may be gone already.
    drop(to.shutdown(Shutdown::Write));
}

/// How many bytes stand before `marker`, and whether it is there. A beginning of it at the end counts as it.
fn split_before(bytes: &[u8], marker: &[u8]) -> (usize, bool) {
    for start in 0..bytes.len() {
        let rest = &bytes[start..];
        if rest.starts_with(marker) {
            return (start, true);
        }
        if marker.starts_with(rest) {
            return (start, false);
        }
    }
    (bytes.len(), false)
}

fn keep(kept: &Mutex<Vec<Vec<u8>>>, number: usize, bytes: &[u8]) {
    let kept = &mut lock(kept)[number];
    let room = KEPT.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_before_the_marker_passes_and_its_beginning_waits() {
        assert_eq!(split_before(b"abcMARKdef", b"MARK"), (3, true));
        assert_eq!(split_before(b"abcMA", b"MARK"), (3, false));
        assert_eq!(split_before(b"abcMAx", b"MARK"), (6, false));
        assert_eq!(split_before(b"M", b"MARK"), (0, false));
    }
}
