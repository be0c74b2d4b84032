//! A peer that needs no script: it takes every client in, over WebSocket, and writes down what comes.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::marker::PhantomData;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tungstenite::{Message, WebSocket};

use crate::peer::{Peer, Request};
use crate::wait::PATIENCE;
use crate::websocket::WebSocketPeer;
use crate::words::Words;

/// How often it looks whether it shall stop.
const A_MOMENT: Duration = Duration::from_millis(20);

/// See the [module](self).
#[derive(Debug)]
pub struct Host<W> {
    url: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    words: PhantomData<W>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    /// Whether it says nothing any more, and ends nothing.
    is_mute: AtomicBool,
    /// How many connections are cut before they are answered.
    refusals: AtomicUsize,
    sessions: Mutex<Vec<Hosted>>,
    changed: Condvar,
}

/// One session of a [`Host`].
#[derive(Debug)]
pub struct Hosted {
    /// Its id.
    pub sid: String,
    /// The requests that opened it: target and headers.
    pub requests: Vec<(String, Vec<(String, String)>)>,
    /// What the client sent, without heartbeats and pacing.
    pub packets: Vec<String>,
    /// Whether its WebSocket has ended.
    pub is_over: bool,
    stream: TcpStream,
}

impl<W: Words> Host<W> {
    /// A host on a port that the system chooses.
    #[must_use]
    pub fn new() -> Self {
        let peer = Peer::for_many();
        let url = peer.url();
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || take_in::<W>(peer, &of_thread));
        Self {
            url,
            shared,
            thread: Some(thread),
            words: PhantomData,
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The next so many requests are cut without an answer; besides, those that only ask why.
    pub fn refuse(&self, times: usize) {
        self.shared.refusals.store(times, Ordering::Release);
    }

    /// From here on it reads, and that is all.
    pub fn mute(&self) {
        self.shared.is_mute.store(true, Ordering::Release);
    }

    /// How many refusals are left.
    #[must_use]
    pub fn refusals(&self) -> usize {
        self.shared.refusals.load(Ordering::Acquire)
    }

    /// How many sessions there were.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.shared.sessions.lock().unwrap().len()
    }

    /// Looks at a session, counted from 0, as soon as `is_so`.
    #[track_caller]
    pub fn when<R>(
        &self,
        session: usize,
        what: &str,
        mut look: impl FnMut(&Hosted) -> Option<R>,
    ) -> R {
        let deadline = Instant::now() + PATIENCE;
        let mut sessions = self.shared.sessions.lock().unwrap();
        loop {
            if let Some(found) = sessions.get(session).and_then(&mut look) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited {PATIENCE:?} for {what} in session {session} of {sessions:?}"
            );
            sessions = self.shared.changed.wait_timeout(sessions, left).unwrap().0;
        }
    }

    /// The first `count` packets of a session, as soon as they are there.
    #[track_caller]
    pub fn packets(&self, session: usize, count: usize) -> Vec<String> {
        self.when(session, &format!("{count} packets"), |hosted| {
            (hosted.packets.len() >= count).then(|| hosted.packets.clone())
        })
    }

    /// Sends a packet in a session, as soon as it is there.
    #[track_caller]
    pub fn say(&self, session: usize, packet: &str) {
        use std::io::Write as _;
        let frame = crate::websocket::frame(0x81, packet.as_bytes());
        let mut stream = self.stream(session);
        // One call: the thread that answers writes whole frames, too.
        stream.write_all(&frame).unwrap();
    }

    /// The stream of a session, as soon as it is there.
    #[track_caller]
    #[must_use]
    pub fn stream(&self, session: usize) -> TcpStream {
        self.when(session, "the session", |hosted| {
            Some(hosted.stream.try_clone().unwrap())
        })
    }

    /// Cuts the stream of a session, as soon as it is there.
    #[track_caller]
    pub fn cut(&self, session: usize) {
        self.when(session, "the session", |hosted| {
            // Fails only if it has ended.
            let _ = hosted.stream.shutdown(Shutdown::Both);
            Some(())
        });
    }

    /// Cuts all streams there are.
    pub fn cut_all(&self) {
        for hosted in &*self.shared.sessions.lock().unwrap() {
            let _ = hosted.stream.shutdown(Shutdown::Both);
        }
    }
}

impl<W> Drop for Host<W> {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the host panicked");
        }
    }
}

/// Nobody may read it in a log.
fn session_id(count: usize) -> String {
    format!("S3cret-of-session-{count}")
}

fn take_in<W: Words>(mut peer: Peer, shared: &Arc<Shared>) {
    let mut handshakes = HashMap::new();
    let mut readers = Vec::new();
    let mut count = 0;
    while !shared.stopping.load(Ordering::Acquire) {
        let Some(request) = peer.any_within(A_MOMENT) else {
            continue;
        };
        let handshake = match request.header("upgrade") {
            Some(_) => None,
            None => match W::handshake(&session_id(count)) {
                Some(handshake) => Some(handshake),
                // Asked over polling because a WebSocket was refused: that is a part of the refusal.
                None => {
                    request.close();
                    continue;
                }
            },
        };
        let left = shared.refusals.load(Ordering::Acquire);
        if left > 0 {
            shared.refusals.store(left - 1, Ordering::Release);
            request.close();
            continue;
        }
        if let Some(handshake) = handshake {
            handshakes.insert(session_id(count), told(&request));
            count += 1;
            request.answer(&handshake);
            continue;
        }
        let mut requests = Vec::new();
        let path = request.target.split('?').next().unwrap_or_default();
        let sid = path.rsplit('/').next().unwrap_or_default().to_owned();
        let sid = match handshakes.remove(&sid) {
            Some(handshake) => {
                requests.push(handshake);
                sid
            }
            None => {
                count += 1;
                session_id(count - 1)
            }
        };
        requests.push(told(&request));
        let stream = request.stream.try_clone().unwrap();
        let mut socket = WebSocketPeer::accept(request).socket;
        let first = W::opening(&sid).into_iter().chain([W::granted("/")]);
        let index = {
            // Whoever sees the client connected sees the session here, and the other way round.
            let mut sessions = shared.sessions.lock().unwrap();
            // A client that has gone is one that closed.
            let opened = first
                .map(Message::text)
                .all(|text| socket.send(text).is_ok());
            sessions.push(Hosted {
                sid,
                requests,
                packets: Vec::new(),
                is_over: !opened,
                stream,
            });
            sessions.len() - 1
        };
        shared.changed.notify_all();
        let of_reader = Arc::clone(shared);
        let listen = move || listen::<W>(socket, index, &of_reader);
        readers.push(thread::spawn(listen));
    }
    drop(peer);
    for reader in readers {
        reader.join().unwrap();
    }
}

fn told(request: &Request) -> (String, Vec<(String, String)>) {
    (request.target.clone(), request.headers.clone())
}

fn listen<W: Words>(mut socket: WebSocket<TcpStream>, index: usize, shared: &Shared) {
    loop {
        match socket.read() {
            Ok(Message::Text(packet)) => {
                let reply = W::reply(&packet);
                let is_for_the_program = W::is_of_program(&packet);
                if is_for_the_program {
                    shared.sessions.lock().unwrap()[index]
                        .packets
                        .push(packet.to_string());
                    shared.changed.notify_all();
                }
                if shared.is_mute.load(Ordering::Acquire) {
                    continue;
                }
                let is_gone = reply.is_some_and(|reply| socket.send(Message::text(reply)).is_err());
                if is_gone || W::is_end(&packet) {
                    break;
                }
            }
            Ok(_) => {}
            Err(tungstenite::Error::Io(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
                    && !shared.stopping.load(Ordering::Acquire) => {}
            Err(_) => break,
        }
    }
    let _ = socket.get_ref().shutdown(Shutdown::Both);
    shared.sessions.lock().unwrap()[index].is_over = true;
    shared.changed.notify_all();
}
