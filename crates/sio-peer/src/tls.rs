//! A server's side of TLS, with certificates of our own.

use std::env;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::alone::alone_with;

use certificates::{Authority, Server};

pub mod certificates;
pub mod promises;

/// What such a peer reads and writes.
pub type TlsStream = StreamOwned<ServerConnection, Wire>;

/// A socket, and what is odd about how it is written to.
#[derive(Debug)]
pub struct Wire {
    socket: TcpStream,
    oddity: Oddity,
}

/// How a peer's bytes leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// As they come.
    None,
    /// One by one.
    Trickle,
    /// So many; then the connection ends.
    EndsAfter(usize),
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.oddity {
            Oddity::None => self.socket.write(bytes),
            Oddity::Trickle => self.socket.write(&bytes[..bytes.len().min(1)]),
            Oddity::EndsAfter(left) => {
                let count = self.socket.write(&bytes[..bytes.len().min(*left)])?;
                *left -= count;
                if *left == 0 {
                    let _ = self.socket.shutdown(Shutdown::Both);
                    return Err(ErrorKind::BrokenPipe.into());
                }
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A server that gives each connection to a function, on a thread of its own.
#[derive(Debug)]
pub struct TlsPeer {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl TlsPeer {
    /// A server on loopback.
    #[must_use]
    pub fn new(server: &Server, serve: impl Fn(TlsStream) + Send + Sync + 'static) -> Self {
        Self::with(server, Oddity::None, serve)
    }

    /// The same with an oddity on each connection.
    #[must_use]
    pub fn with(
        server: &Server,
        oddity: Oddity,
        serve: impl Fn(TlsStream) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let of_acceptor = Arc::clone(&shared);
        let config = server.config();
        let acceptor = thread::spawn(move || {
            accept(&listener, &of_acceptor, &config, oddity, Arc::new(serve));
        });
        Self {
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// Its URL by the name that most certificates here are for.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port())
    }

    /// Its URL by its address.
    #[must_use]
    pub fn url_by_address(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends all connections that there are.
    pub fn cut(&self) {
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for TlsPeer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        let _ = TcpStream::connect(self.address);
        self.cut();
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().unwrap();
        }
    }
}

fn accept<S: Fn(TlsStream) + Send + Sync + 'static>(
    listener: &TcpListener,
    shared: &Shared,
    config: &Arc<ServerConfig>,
    oddity: Oddity,
    serve: Arc<S>,
) {
    let mut threads = Vec::new();
    for socket in listener.incoming() {
        let Ok(socket) = socket else { break };
        if shared.stopping.load(Ordering::Acquire) {
            break;
        }
        shared
            .streams
            .lock()
            .unwrap()
            .push(socket.try_clone().unwrap());
        socket.set_nodelay(true).unwrap();
        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
        let serve = Arc::clone(&serve);
        threads.push(thread::spawn(move || {
            serve(StreamOwned::new(connection, Wire { socket, oddity }));
        }));
    }
    for stream in shared.streams.lock().unwrap().drain(..) {
        let _ = stream.shutdown(Shutdown::Both);
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A header's value in the head of a request.
#[must_use]
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    headers.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
}

/// The head of the next request; `None` at the end.
pub fn read_head(stream: &mut TlsStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
    String::from_utf8(head).ok()
}

/// Runs `body` in a process whose system trusts an authority of our own. The authority is made by that process, into
/// the file that its environment names.
pub fn trusting(name: &str, serve: fn(TlsStream), body: impl FnOnce(&TlsPeer)) {
    let file_name = format!(
        "sio-it-{}-{}.pem",
        name.replace("::", "-"),
        std::process::id()
    );
    let path = TemporaryFile(env::temp_dir().join(file_name));
    alone_with(name, &[("SSL_CERT_FILE", path.0.as_os_str())], || {
        let authority = Authority::new("it");
        let file = env::var_os("SSL_CERT_FILE").expect("set by the parent");
        fs::write(&file, authority.pem()).unwrap();
        let peer = TlsPeer::new(&Server::new(&authority.issue(&["localhost"])), serve);
        body(&peer);
    });
}

/// Removed in the end.
struct TemporaryFile(PathBuf);

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // The child has made it, if it came so far; in the child itself the name is another one.
        let _ = fs::remove_file(&self.0);
    }
}
