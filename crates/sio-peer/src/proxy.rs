//! A scripted proxy: passes on what it is asked to, writes down what that was, and can be hostile.
//!
//! It knows names that nobody else knows: each leads to this machine. When it goes, its connections and threads go.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use crate::wait::{PATIENCE, eventually};

/// Who may use a proxy that wants to know; as HTTP writes it, [`BASIC`].
pub const USER: &str = "me";
/// The password of [`USER`].
pub const PASSWORD: &str = "secret";
/// The value of `Proxy-Authorization` for [`USER`] and [`PASSWORD`].
pub const BASIC: &str = "Basic bWU6c2VjcmV0";

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Requests in absolute form, and tunnels by `CONNECT`.
    Http,
    /// SOCKS5.
    Socks,
}

/// How it treats what comes from now on.
#[derive(Debug, Clone)]
pub enum Manner {
    /// It does what it is for.
    Obliging,
    /// The same, but its answers to tunnels come byte by byte.
    Halting,
    /// It passes on one request of each connection, and ends it at the next one: as if its end, of which it says nothing
    /// before, and that request had met.
    Once,
    /// Requests are passed on; whoever asks for a tunnel gets these bytes.
    WithoutTunnels(Vec<u8>, Then),
    /// Whatever comes first is answered with these bytes.
    Saying(Vec<u8>, Then),
    /// It reads, and says nothing.
    Silent,
    /// It ends each connection before it reads anything.
    Closing,
    /// The same with a reset.
    Resetting,
    /// Its answer to anything has no end.
    Endless,
}

/// What follows on bytes of a [`Manner`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The end of the connection.
    Close,
    /// Nothing more, until the client goes.
    Wait,
}

/// What it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `CONNECT host:port`, `GET http://…`, `SOCKS host:port`, where an address of IPv6 is in brackets.
    pub what: String,
    /// The headers of a request, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// User and password of SOCKS, with a colon between them.
    pub password: Option<String>,
    /// The how many-th connection it came on.
    pub connection: usize,
}

impl Asked {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| &**value)
    }
}

/// See the [module](self).
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    kind: Kind,
    wants_password: bool,
    manner: Mutex<Manner>,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    stopping: AtomicBool,
    streams: Mutex<Vec<Weak<TcpStream>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Proxy {
    /// A proxy on a port that the system chooses.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self::start(kind, false)
    }

    /// The same; it wants [`USER`] and [`PASSWORD`].
    #[must_use]
    pub fn with_password(kind: Kind) -> Self {
        Self::start(kind, true)
    }

    fn start(kind: Kind, wants_password: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            kind,
            wants_password,
            manner: Mutex::new(Manner::Obliging),
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            streams: Mutex::default(),
            threads: Mutex::default(),
        });
        let of_acceptor = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &of_acceptor));
        Self {
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Its URL with this scheme, without a password.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// Its URL with this scheme, with the right password.
    #[must_use]
    pub fn url_with_password(&self, scheme: &str) -> String {
        format!("{scheme}://{USER}:{PASSWORD}@{}", self.address)
    }

    /// From now on it is like this.
    pub fn be(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// Everything it was asked for so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// The first `count` things it was asked for, as soon as there are so many.
    #[track_caller]
    pub fn first_asked(&self, count: usize) -> Vec<Asked> {
        eventually(&format!("{count} who ask"), PATIENCE, || {
            self.asked().len() >= count
        });
        self.asked()[..count].to_vec()
    }

    /// How many connections were made to it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Acquire)
    }

    /// Waits until so many connections were made to it.
    #[track_caller]
    pub fn is_reached(&self, times: usize) {
        eventually(&format!("{times} connections"), PATIENCE, || {
            self.connections() >= times
        });
    }

    /// Ends all its connections; it goes on with new ones.
    pub fn cut(&self) {
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            if let Some(stream) = stream.upgrade() {
                end(&stream);
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // Wakes the acceptor; it fails only if that has ended.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().unwrap();
        }
        self.cut();
        // The last of them may just have started another one.
        loop {
            let threads = mem::take(&mut *self.shared.threads.lock().unwrap());
            if threads.is_empty() {
                break;
            }
            for thread in threads {
                let ended = thread.join();
                assert!(thread::panicking() || ended.is_ok(), "the proxy panicked");
            }
        }
    }
}

/// An error means that the other end is gone.
fn end(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { break };
        if shared.stopping.load(Ordering::Acquire) {
            break;
        }
        let number = shared.connections.fetch_add(1, Ordering::AcqRel);
        match shared.manner() {
            Manner::Closing => continue,
            Manner::Resetting => {
                SockRef::from(&stream)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
                continue;
            }
            _ => {}
        }
        let client = shared.keep(stream);
        let of_thread = Arc::clone(shared);
        shared.spawn(move || {
            let served = match of_thread.kind {
                Kind::Http => serve_http(&client, number, &of_thread),
                Kind::Socks => serve_socks(&client, number, &of_thread),
            };
            // That one of the two is gone is its right.
            drop(served);
            end(&client);
        });
    }
}

impl Shared {
    fn manner(&self) -> Manner {
        self.manner.lock().unwrap().clone()
    }

    /// So that it is ended with the proxy.
    fn keep(&self, stream: TcpStream) -> Arc<TcpStream> {
        stream.set_nodelay(true).unwrap();
        let stream = Arc::new(stream);
        let mut streams = self.streams.lock().unwrap();
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(&stream));
        drop(streams);
        if self.stopping.load(Ordering::Acquire) {
            end(&stream);
        }
        stream
    }

    fn spawn(&self, run: impl FnOnce() + Send + 'static) {
        let thread = thread::spawn(run);
        self.threads.lock().unwrap().push(thread);
    }

    fn note(&self, asked: Asked) {
        self.asked.lock().unwrap().push(asked);
    }

    /// Every name leads to this machine.
    fn connect(&self, host: &str, port: u16) -> io::Result<Arc<TcpStream>> {
        let address = host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(self.keep(TcpStream::connect((address, port))?))
    }

    /// Passes bytes on in both directions until one side ends.
    fn relay(self: &Arc<Self>, client: &Arc<TcpStream>, server: &Arc<TcpStream>) {
        self.pass_on(server, client);
        pass(client, server);
    }

    /// Passes bytes on in one direction, on a thread of its own.
    fn pass_on(&self, from: &Arc<TcpStream>, to: &Arc<TcpStream>) {
        let (from, to) = (Arc::clone(from), Arc::clone(to));
        self.spawn(move || pass(&from, &to));
    }
}

fn pass(from: &TcpStream, to: &TcpStream) {
    // Whatever ends one side ends the other.
    let _ = io::copy(&mut { from }, &mut { to });
    end(from);
    end(to);
}

/// Reads until the other side goes.
fn wait_for_end(mut client: &TcpStream) {
    let mut rest = [0; 512];
    while matches!(client.read(&mut rest), Ok(count) if count > 0) {}
}

fn say(mut client: &TcpStream, bytes: &[u8], then: Then) -> io::Result<()> {
    client.write_all(bytes)?;
    if then == Then::Wait {
        wait_for_end(client);
    }
    Ok(())
}

/// Does what a hostile manner does to what has come; returns whether it was one.
fn is_hostile(manner: &Manner, mut client: &TcpStream) -> io::Result<bool> {
    match manner {
        Manner::Saying(bytes, then) => say(client, bytes, *then)?,
        Manner::Silent => wait_for_end(client),
        Manner::Endless => {
            client.write_all(b"HTTP/1.1 200 OK\r\n")?;
            loop {
                client.write_all(b"X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n")?;
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Writes an answer to a tunnel.
fn answer(manner: &Manner, mut client: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    if !matches!(manner, Manner::Halting) {
        return client.write_all(bytes);
    }
    bytes.iter().try_for_each(|&byte| client.write_all(&[byte]))
}

// --- HTTP -----------------------------------------------------------------------------------------------------------

fn serve_http(client: &Arc<TcpStream>, number: usize, shared: &Arc<Shared>) -> io::Result<()> {
    let mut reader = BufReader::new(&**client);
    let mut server: Option<Arc<TcpStream>> = None;
    while let Some(request) = read_request(&mut reader)? {
        if server.is_some() && matches!(shared.manner(), Manner::Once) {
            break;
        }
        shared.note(Asked {
            what: format!("{} {}", request.method, request.target),
            headers: request.headers.clone(),
            password: None,
            connection: number,
        });
        let manner = shared.manner();
        if is_hostile(&manner, client)? {
            return Ok(());
        }
        let mut to_client = &**client;
        if shared.wants_password && request.header("proxy-authorization") != Some(BASIC) {
            to_client.write_all(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\
                  Proxy-Authenticate: Basic realm=\"proxy\"\r\n\r\n",
            )?;
            continue;
        }
        if request.method == "CONNECT" {
            if let Manner::WithoutTunnels(bytes, then) = manner {
                return say(client, &bytes, then);
            }
            let Some(server) = open(shared, &request.target, to_client)? else {
                return Ok(());
            };
            answer(
                &manner,
                client,
                b"HTTP/1.1 200 Connection established\r\n\r\n",
            )?;
            shared.relay(client, &server);
            return Ok(());
        }
        let Some((authority, path)) = request
            .target
            .strip_prefix("http://")
            .and_then(|rest| rest.split_at_checked(rest.find('/')?))
        else {
            return to_client.write_all(b"HTTP/1.1 400 Not in absolute form\r\n\r\n");
        };
        if server.is_none() {
            let Some(new) = open(shared, authority, to_client)? else {
                return Ok(());
            };
            shared.pass_on(&new, client);
            server = Some(new);
        }
        if let Some(server) = &server {
            (&**server).write_all(&request.for_server(path))?;
        }
    }
    if let Some(server) = server {
        end(&server);
    }
    Ok(())
}

/// Connects, or says that this is not possible.
fn open(
    shared: &Shared,
    authority: &str,
    mut client: &TcpStream,
) -> io::Result<Option<Arc<TcpStream>>> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(80)),
        _ => (authority, 80),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match shared.connect(host, port) {
        Ok(server) => Ok(Some(server)),
        Err(_) => {
            client.write_all(
                b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n\
                  <h1>Sorry.</h1>",
            )?;
            Ok(None)
        }
    }
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| &**value)
    }

    /// The request as the server gets it: what is meant for the proxy is taken off.
    fn for_server(&self, path: &str) -> Vec<u8> {
        let mut head = format!("{} {path} HTTP/1.1\r\n", self.method);
        for (name, value) in &self.headers {
            if !name.starts_with("proxy-") {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

/// The next request; `None` at the end.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_ascii_whitespace().map(str::to_owned);
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let (method, target) = (
        words.next().ok_or_else(broken)?,
        words.next().ok_or_else(broken)?,
    );
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let mut request = Request {
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = request.header("content-length").map_or(Ok(0), str::parse);
    request.body.resize(length.map_err(|_| broken())?, 0);
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

// --- SOCKS5 ---------------------------------------------------------------------------------------------------------

fn serve_socks(client: &Arc<TcpStream>, number: usize, shared: &Arc<Shared>) -> io::Result<()> {
    let manner = shared.manner();
    let mut stream = &**client;
    let [_, count] = read(stream)?;
    let mut methods = vec![0; count.into()];
    stream.read_exact(&mut methods)?;
    if is_hostile(&manner, client)? {
        return Ok(());
    }
    let mut password = None;
    if shared.wants_password {
        if !methods.contains(&2) {
            return answer(&manner, client, &[5, 255]);
        }
        answer(&manner, client, &[5, 2])?;
        let [_, length] = read(stream)?;
        let user = read_text(stream, length)?;
        let [length] = read(stream)?;
        let given = format!("{user}:{}", read_text(stream, length)?);
        let is_right = given == format!("{USER}:{PASSWORD}");
        answer(&manner, client, &[1, u8::from(!is_right)])?;
        if !is_right {
            return Ok(());
        }
        password = Some(given);
    } else {
        answer(&manner, client, &[5, 0])?;
    }
    let [_, _, _, kind] = read(stream)?;
    let (host, shown) = match kind {
        1 => {
            let address = IpAddr::from(read::<4>(stream)?).to_string();
            (address.clone(), address)
        }
        4 => {
            let address = IpAddr::from(read::<16>(stream)?);
            (address.to_string(), format!("[{address}]"))
        }
        _ => {
            let [length] = read(stream)?;
            let name = read_text(stream, length)?;
            (name.clone(), name)
        }
    };
    let port = u16::from_be_bytes(read(stream)?);
    shared.note(Asked {
        what: format!("SOCKS {shown}:{port}"),
        headers: Vec::new(),
        password,
        connection: number,
    });
    if let Manner::WithoutTunnels(bytes, then) = manner {
        return say(client, &bytes, then);
    }
    match shared.connect(&host, port) {
        Ok(server) => {
            answer(&manner, client, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
            shared.relay(client, &server);
            Ok(())
        }
        Err(_) => answer(&manner, client, &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]),
    }
}

fn read<const N: usize>(mut stream: &TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_text(mut stream: &TcpStream, length: u8) -> io::Result<String> {
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}
