//! A scripted peer: hands the client's requests to the test, and answers what the test says.
//!
//! Each connection has a thread that reads requests; the test takes them one by one, in the order they are wanted.
//! The peer itself watches one rule all the time: a path has one GET and one POST out at most, and so has
//! a session. When it goes, its
//! connections and threads go.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::wait::PATIENCE;

/// See the [module](self).
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    shared: Arc<Shared>,
    requests: Receiver<Request>,
    /// Came before they were wanted.
    stash: VecDeque<Request>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
    readers: Mutex<Vec<JoinHandle<()>>>,
    /// How many requests are unanswered, by method and path.
    flights: Mutex<HashMap<String, Arc<AtomicUsize>>>,
    faults: Mutex<Vec<String>>,
    /// Whether several clients, or several sessions of one, come at the same time.
    has_many: AtomicBool,
}

impl Peer {
    /// A peer on loopback, on a port that the system chooses.
    #[must_use]
    pub fn new() -> Self {
        Self::at("127.0.0.1:0")
    }

    /// A peer at an address.
    #[must_use]
    pub fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (sender, requests) = mpsc::channel();
        let of_acceptor = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &of_acceptor, &sender));
        Self {
            address,
            shared,
            requests,
            stash: VecDeque::new(),
            acceptor: Some(acceptor),
        }
    }

    /// A peer for several clients, or sessions, at the same time: of its paths there may be several requests out.
    #[must_use]
    pub fn for_many() -> Self {
        let peer = Self::new();
        peer.shared.has_many.store(true, Ordering::Release);
        peer
    }

    /// Its URL, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were made to it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.streams.lock().unwrap().len()
    }

    /// The next GET that opens no WebSocket; others are kept for later.
    #[track_caller]
    pub fn get(&mut self) -> Request {
        self.request("a GET", |request| {
            request.method == "GET" && !request.is_upgrade()
        })
    }

    /// The next POST; others are kept for later.
    #[track_caller]
    pub fn post(&mut self) -> Request {
        self.request("a POST", |request| request.method == "POST")
    }

    /// The next POST, if it comes within `limit`; nothing else may.
    #[track_caller]
    pub fn post_within(&mut self, limit: Duration) -> Option<Request> {
        self.within("POST", limit)
    }

    /// The next GET, if it comes within `limit`; nothing else may.
    #[track_caller]
    pub fn get_within(&mut self, limit: Duration) -> Option<Request> {
        self.within("GET", limit)
    }

    #[track_caller]
    fn within(&mut self, method: &str, limit: Duration) -> Option<Request> {
        let came = self.any_within(limit)?;
        assert_eq!(came.method, method, "{came:?}");
        Some(came)
    }

    /// The next request of any kind, if one comes within `limit`.
    pub fn any_within(&mut self, limit: Duration) -> Option<Request> {
        let stashed = self.stash.pop_front();
        stashed.or_else(|| self.requests.recv_timeout(limit).ok())
    }

    /// The next WebSocket handshake; others are kept for later.
    #[track_caller]
    pub fn upgrade(&mut self) -> Request {
        self.request("a WebSocket handshake", Request::is_upgrade)
    }

    /// Asserts that nothing is asked for within `limit`.
    #[track_caller]
    pub fn hears_nothing(&mut self, limit: Duration) {
        let came = self
            .stash
            .pop_front()
            .or_else(|| self.requests.recv_timeout(limit).ok());
        if let Some(request) = came {
            panic!("a request came: {request:?}");
        }
    }

    #[track_caller]
    fn request(&mut self, what: &str, is_wanted: impl Fn(&Request) -> bool) -> Request {
        if let Some(index) = self.stash.iter().position(&is_wanted) {
            return self.stash.remove(index).unwrap();
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.requests.recv_timeout(left) {
                Ok(request) if is_wanted(&request) => return request,
                Ok(request) => self.stash.push_back(request),
                Err(_) => panic!("waited {PATIENCE:?} for {what}; there is {:?}", self.stash),
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // Wakes the acceptor; it fails only if that has ended.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().unwrap();
        }
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for reader in mem::take(&mut *self.shared.readers.lock().unwrap()) {
            reader.join().unwrap();
        }
        let faults = self.shared.faults.lock().unwrap();
        assert!(
            thread::panicking() || faults.is_empty(),
            "the client broke a rule: {faults:?}"
        );
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, sender: &Sender<Request>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { break };
        if shared.stopping.load(Ordering::Acquire) {
            break;
        }
        shared
            .streams
            .lock()
            .unwrap()
            .push(stream.try_clone().unwrap());
        let (of_reader, sender) = (Arc::clone(shared), sender.clone());
        let reader = thread::spawn(move || read_requests(&stream, &of_reader, &sender));
        shared.readers.lock().unwrap().push(reader);
    }
}

fn read_requests(stream: &TcpStream, shared: &Shared, sender: &Sender<Request>) {
    let counted = Counted { stream, reads: 0 };
    // Large enough that the buffer is no reason to read twice.
    let mut reader = BufReader::with_capacity(64 << 10, counted);
    while let Some(mut request) = read_request(&mut reader, stream) {
        request.reads = mem::take(&mut reader.get_mut().reads);
        let upgrade = request.is_upgrade();
        if !upgrade {
            request.flight = Some(shared.take_off(&request));
        }
        if sender.send(request).is_err() || upgrade {
            break; // frames from here on; the test reads them
        }
    }
}

/// A stream that counts how often something was read from it.
struct Counted<'a> {
    stream: &'a TcpStream,
    reads: usize,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.reads += 1;
        Ok(count)
    }
}

fn read_request(reader: &mut impl BufRead, stream: &TcpStream) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        let count = reader.read_line(&mut line).ok()?;
        (count > 0).then(|| line.trim_end().to_owned())
    };
    let start = line()?;
    let mut words = start.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        match line.split_once(": ") {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let mut request = Request {
        method,
        target,
        headers,
        body: Vec::new(),
        stream: stream.try_clone().ok()?,
        reads: 0,
        flight: None,
    };
    let length = request
        .header("content-length")
        .map_or(0, |value| value.parse().unwrap());
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

impl Shared {
    fn take_off(&self, request: &Request) -> Flight {
        let path = request.target.split('?').next().unwrap_or_default();
        let key = format!("{} {path}", request.method);
        let counter = Arc::clone(self.flights.lock().unwrap().entry(key).or_default());
        let is_alone = counter.fetch_add(1, Ordering::AcqRel) == 0;
        if !is_alone && !self.has_many.load(Ordering::Acquire) {
            let fault = format!("a second {} {}", request.method, request.target);
            self.faults.lock().unwrap().push(fault);
        }
        Flight(counter)
    }
}

/// A request that is not answered yet.
#[derive(Debug)]
struct Flight(Arc<AtomicUsize>);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A request that waits for its answer. Dropped, it stays unanswered, and its connection open.
#[derive(Debug)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What it came over.
    pub stream: TcpStream,
    /// In how many pieces it came. One that was written at once, and is not large, comes in one.
    pub reads: usize,
    flight: Option<Flight>,
}

impl Request {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| &**value)
    }

    fn is_upgrade(&self) -> bool {
        self.header("upgrade").is_some()
    }

    /// Answers it.
    pub fn answer(mut self, answer: &Answer) {
        // The client may ask again as soon as it has the answer.
        self.flight = None;
        let _ = self.stream.write_all(&answer.bytes());
    }

    /// What is written as it is from here on may be a whole answer: the client may ask again.
    pub fn may_be_answered(&mut self) {
        self.flight = None;
    }

    /// Writes bytes as they are; the request stays unanswered as far as the peer is concerned.
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Ends the connection.
    pub fn close(mut self) {
        // The client may ask again as soon as it sees the end.
        self.flight = None;
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Waits until the client ends the connection.
    #[track_caller]
    pub fn expect_drop(self) {
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The reading thread may see the end first; either way there is nothing to read.
        match (&self.stream).read(&mut [0]) {
            Ok(0) => {}
            other => panic!("waited for the end of {}, and read {other:?}", self.target),
        }
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// An answer of this status, with a body.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: &[u8]) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            body: body.to_vec(),
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {} Whatever\r\nContent-Length: {}\r\n",
            self.status,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}
