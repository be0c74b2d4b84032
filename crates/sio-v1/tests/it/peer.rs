//! A scripted peer: hands the client's requests to the test, and answers what the test says.
//!
//! Each connection has a thread that reads requests; the test takes them one by one, in the order they are wanted.
//! The peer itself watches one rule all the time: a session has one GET and one POST out at most. When it goes, its
//! connections and threads go.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::wait::PATIENCE;
use crate::wire::{Packet, binary_body, read_post, text_body};

#[derive(Debug)]
pub(crate) struct Peer {
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
    gets: Arc<AtomicUsize>,
    posts: Arc<AtomicUsize>,
    faults: Mutex<Vec<String>>,
}

impl Peer {
    pub(crate) fn new() -> Self {
        Self::at("127.0.0.1:0")
    }

    pub(crate) fn at(address: &str) -> Self {
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

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.shared.streams.lock().unwrap().len()
    }

    #[track_caller]
    pub(crate) fn get(&mut self) -> Request {
        self.request("a GET", |request| {
            request.method == "GET" && !request.is_upgrade()
        })
    }

    #[track_caller]
    pub(crate) fn post(&mut self) -> Request {
        self.request("a POST", |request| request.method == "POST")
    }

    /// The next POST, if it comes within `limit`; nothing else may.
    #[track_caller]
    pub(crate) fn post_within(&mut self, limit: Duration) -> Option<Request> {
        self.within("POST", limit)
    }

    /// The next GET, if it comes within `limit`; nothing else may.
    #[track_caller]
    pub(crate) fn get_within(&mut self, limit: Duration) -> Option<Request> {
        self.within("GET", limit)
    }

    #[track_caller]
    fn within(&mut self, method: &str, limit: Duration) -> Option<Request> {
        let came = self.any_within(limit)?;
        assert_eq!(came.method, method, "{came:?}");
        Some(came)
    }

    /// The next request of any kind, if one comes within `limit`.
    pub(crate) fn any_within(&mut self, limit: Duration) -> Option<Request> {
        let stashed = self.stash.pop_front();
        stashed.or_else(|| self.requests.recv_timeout(limit).ok())
    }

    #[track_caller]
    pub(crate) fn upgrade(&mut self) -> Request {
        self.request("a WebSocket handshake", Request::is_upgrade)
    }

    /// Asserts that nothing is asked for within `limit`.
    #[track_caller]
    pub(crate) fn hears_nothing(&mut self, limit: Duration) {
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
        for reader in std::mem::take(&mut *self.shared.readers.lock().unwrap()) {
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
    let mut reader = BufReader::new(stream);
    while let Some(mut request) = read_request(&mut reader, stream) {
        let upgrade = request.is_upgrade();
        if !upgrade {
            request.flight = Some(shared.take_off(&request));
        }
        if sender.send(request).is_err() || upgrade {
            break; // frames from here on; the test reads them
        }
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
        let counter = if request.method == "GET" {
            &self.gets
        } else {
            &self.posts
        };
        if counter.fetch_add(1, Ordering::AcqRel) > 0 {
            let fault = format!("a second {} {}", request.method, request.target);
            self.faults.lock().unwrap().push(fault);
        }
        Flight(Arc::clone(counter))
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

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) stream: TcpStream,
    flight: Option<Flight>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| &**value)
    }

    fn is_upgrade(&self) -> bool {
        self.header("upgrade").is_some()
    }

    /// The packets of a post.
    pub(crate) fn packets(&self) -> Vec<Packet> {
        assert_eq!(
            self.header("content-type"),
            Some("application/octet-stream")
        );
        read_post(&self.body)
    }

    pub(crate) fn answer(mut self, answer: &Answer) {
        // The client may ask again as soon as it has the answer.
        self.flight = None;
        let _ = self.stream.write_all(&answer.bytes());
    }

    pub(crate) fn ok(self) {
        self.answer(&Answer::new(200, "text/html", b"ok"));
    }

    /// What is written as it is from here on may be a whole answer: the client may ask again.
    pub(crate) fn may_be_answered(&mut self) {
        self.flight = None;
    }

    /// Writes bytes as they are; the request stays unanswered as far as the peer is concerned.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Ends the connection.
    pub(crate) fn close(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Waits until the client ends the connection.
    #[track_caller]
    pub(crate) fn expect_drop(self) {
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
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: &[u8]) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            body: body.to_vec(),
        }
    }

    /// Packets in the text framing.
    pub(crate) fn text(packets: &[&str]) -> Self {
        Self::new(200, "text/plain; charset=UTF-8", &text_body(packets))
    }

    /// Packets in the binary framing.
    pub(crate) fn binary(packets: &[Packet]) -> Self {
        Self::new(200, "application/octet-stream", &binary_body(packets))
    }

    /// A body that says it is in the text framing.
    pub(crate) fn broken(body: impl AsRef<[u8]>) -> Self {
        Self::new(200, "text/plain; charset=UTF-8", body.as_ref())
    }

    /// A body that says it is in the binary framing.
    pub(crate) fn broken_binary(body: impl AsRef<[u8]>) -> Self {
        Self::new(200, "application/octet-stream", body.as_ref())
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
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
