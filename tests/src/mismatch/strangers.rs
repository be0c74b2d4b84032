//! Who answers at a URL, or does not.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{SockRef, Socket};

use super::asking::Crate;
use crate::certificates::SERVER_NAME;
use crate::port::bound;
use crate::server::{CLUSTERED, PYTHON, SOCKETIOXIDE, Server, StartError};

/// Somebody at a URL.
#[derive(Debug)]
pub struct Stranger {
    /// The heading on the page.
    pub name: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A Socket.IO server by its name.
    Server(&'static str),
    /// Whatever is asked for, this is the answer.
    Web(&'static str),
    /// `https` to a port without TLS.
    TlsOnPlain,
    /// `http` to a port with TLS.
    PlainOnTls,
    /// A port that takes connections and says nothing.
    Silent,
    /// A port where nobody listens.
    Closed,
    /// Each connection is reset when its request has come.
    Reset,
    /// A URL that leads nowhere.
    Nowhere(&'static str),
}

/// A name that the system refuses to look up, with and without a network: no part of one may be that long.
const NO_NAME: &str =
    "http://xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.test";
/// Everybody on this network, to whom the system opens no connection.
const NO_WAY: &str = "http://255.255.255.255";

/// The servers; the rest of the name on the page.
const SERVERS: [(&str, &str); 11] = [
    ("0.9.0", ""),
    ("0.9.19", ""),
    ("1.0.6", ""),
    ("1.4.5", ""),
    ("2.5.1", ""),
    ("3.0.5", ""),
    ("3.1.2-no-eio3", "3.1.2 without allowEIO3"),
    ("4.8.4-no-eio3", "4.8.4 without allowEIO3"),
    ("4.8.4", "4.8.4 with allowEIO3"),
    (PYTHON, "python-socketio 4.6.1"),
    (SOCKETIOXIDE, "socketioxide 0.18"),
];

const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\
     Content-Length: 53\r\n\r\n<!DOCTYPE html>\n<title>Shop</title>\n<h1>Welcome!</h1>";
const JSON: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
     Content-Length: 15\r\n\r\n{\"status\":\"up\"}";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nConnection: close\r\n\
     Content-Length: 22\r\n\r\n<h1>404 Not Found</h1>";
const LOGIN: &str = "HTTP/1.1 302 Found\r\nLocation: https://sso.example/login?next=%2F\r\nConnection: close\r\n\
     Content-Length: 0\r\n\r\n";

/// Everybody, in the order of the page.
#[must_use]
pub fn all() -> Vec<Stranger> {
    let of_server = |(name, shown): (&'static str, &str)| Stranger {
        name: match shown {
            "" => format!("Socket.IO {name}"),
            shown if name.starts_with(|first: char| first.is_ascii_digit()) => {
                format!("Socket.IO {shown}")
            }
            shown => shown.to_owned(),
        },
        kind: Kind::Server(name),
    };
    let others = [
        ("A web server with a page at every path", Kind::Web(PAGE)),
        ("A web server with JSON at every path", Kind::Web(JSON)),
        ("A web server that answers 404", Kind::Web(NOT_FOUND)),
        ("A web server that redirects to a login", Kind::Web(LOGIN)),
        ("`https://` to a port without TLS", Kind::TlsOnPlain),
        ("`http://` to a port with TLS", Kind::PlainOnTls),
        ("A port that takes connections and is silent", Kind::Silent),
        ("A port where nobody listens", Kind::Closed),
        ("A port that resets connections", Kind::Reset),
        ("A name that does not exist", Kind::Nowhere(NO_NAME)),
        ("An address that cannot be reached", Kind::Nowhere(NO_WAY)),
    ];
    let others = others.map(|(name, kind)| Stranger {
        name: name.to_owned(),
        kind,
    });
    SERVERS.map(of_server).into_iter().chain(others).collect()
}

impl Stranger {
    /// The number of the checklist that a client's words about it are for.
    #[must_use]
    pub fn number(&self, client: Crate) -> &'static str {
        match (self.kind, client) {
            (Kind::Server(name), Crate::V1) if name.starts_with("0.9") => "V1.10",
            (Kind::Server("3.0.5" | "3.1.2-no-eio3" | "4.8.4-no-eio3"), Crate::V1) => "V1.8",
            (Kind::Server("1.0.6"), Crate::V1) => "V1.13",
            (Kind::Server("4.8.4"), Crate::V1) => "V1.9",
            (Kind::Server(_), Crate::V1) => "V1.1",
            (Kind::Server(name), Crate::Legacy) if name.starts_with("0.9") => "L1.1",
            (Kind::Server(_) | Kind::Web(_), Crate::Legacy) => "L1.5",
            (Kind::Web(_), Crate::V1) => "V1.11",
            (Kind::TlsOnPlain | Kind::PlainOnTls, _) => "C6",
            (Kind::Silent, _) => "V1.12",
            (Kind::Closed | Kind::Reset | Kind::Nowhere(_), _) => "C8.1",
        }
    }

    /// Lets it answer until what is returned is dropped.
    ///
    /// # Errors
    /// As [`Server::start`]; or if this machine has no port left.
    pub fn start(&self) -> Result<Host, StartError> {
        let failed = |error: io::Error| StartError::new(error.to_string());
        match self.kind {
            Kind::Server(name) => Host::of_server(name, "main", "http://127.0.0.1"),
            Kind::TlsOnPlain => {
                Host::of_server(CLUSTERED, "main", &format!("https://{SERVER_NAME}"))
            }
            Kind::PlainOnTls => Host::of_server(CLUSTERED, "tls", &format!("http://{SERVER_NAME}")),
            Kind::Web(answer) => Web::start(Some(answer)).map(Host::of_web).map_err(failed),
            Kind::Reset => Web::start(None).map(Host::of_web).map_err(failed),
            Kind::Nowhere(url) => Ok(Host {
                url: url.to_owned(),
                _keeps: Keeps::Nothing,
            }),
            Kind::Silent => Host::silent().map_err(failed),
            Kind::Closed => Host::closed().map_err(failed),
        }
    }
}

/// Whoever answers, or keeps a port; and its URL.
#[derive(Debug)]
pub struct Host {
    url: String,
    _keeps: Keeps,
}

#[derive(Debug)]
enum Keeps {
    Server { _server: Server },
    Web { _web: Web },
    Listener { _listener: TcpListener },
    Port { _socket: Socket },
    Nothing,
}

impl Host {
    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    fn of_server(name: &str, variant: &str, origin: &str) -> Result<Self, StartError> {
        let server = Server::start(name)?;
        Ok(Self {
            url: format!("{origin}:{}", server.port(variant)),
            _keeps: Keeps::Server { _server: server },
        })
    }

    fn of_web(web: Web) -> Self {
        Self {
            url: format!("http://{}", web.address),
            _keeps: Keeps::Web { _web: web },
        }
    }

    fn silent() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self {
            url: format!("http://{}", listener.local_addr()?),
            _keeps: Keeps::Listener {
                _listener: listener,
            },
        })
    }

    fn closed() -> io::Result<Self> {
        let socket = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = socket.local_addr()?.as_socket();
        let address = address.ok_or_else(|| io::Error::other("a port without an address"))?;
        Ok(Self {
            url: format!("http://{address}"),
            _keeps: Keeps::Port { _socket: socket },
        })
    }
}

/// A web server with one answer, or none.
#[derive(Debug)]
struct Web {
    address: SocketAddr,
    stops: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(2);

impl Web {
    fn start(answer: Option<&'static str>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stops = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stops);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::Acquire) {
                    break;
                }
                // What goes wrong here is what the client then says.
                if let Err(error) = stream.and_then(|stream| respond(&stream, answer)) {
                    eprintln!("the web server: {error}");
                }
            }
        });
        Ok(Self {
            address,
            stops,
            thread: Some(thread),
        })
    }
}

/// Answers a request, or resets its connection.
fn respond(mut stream: &TcpStream, answer: Option<&str>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next().transpose()? {
        if line.is_empty() {
            return match answer {
                Some(answer) => stream.write_all(answer.as_bytes()),
                None => SockRef::from(stream).set_linger(Some(Duration::ZERO)),
            };
        }
    }
    Ok(())
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Release);
        // It wakes the thread; without a connection that one has ended already.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("the web server panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_answers_are_right() {
        for answer in [PAGE, JSON, NOT_FOUND, LOGIN] {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let length = format!("Content-Length: {}", body.len());
            assert!(head.ends_with(&length), "{length}: {head}");
        }
    }

    #[test]
    fn nobody_has_the_name_of_another() {
        let mut names: Vec<String> = all().into_iter().map(|stranger| stranger.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
