//! A TCP connection: what goes over its WebSocket is listened in on, and it can go, or go dead.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::{SockRef, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::journal::lock;
use crate::packets::{Frames, Packet};

/// What is told of each packet: whether the server received it.
pub(crate) type Listener = Box<dyn FnMut(bool, &Packet) + Send>;

/// What others have of a connection.
pub(crate) struct Link {
    pub(crate) number: u64,
    state: Mutex<State>,
}

struct State {
    /// The connection once more; none when it is over.
    socket: Option<Socket>,
    is_gone: bool,
    is_muted: bool,
    readers: Vec<Waker>,
    websocket: Option<WebSocket>,
}

struct WebSocket {
    received: Frames,
    sent: Frames,
    listener: Listener,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("number", &self.number)
            .finish()
    }
}

impl Link {
    /// The connection turns into a WebSocket with the answer that comes next.
    pub(crate) fn becomes_websocket(&self, listener: Listener) {
        lock(&self.state).websocket = Some(WebSocket {
            received: Frames::default(),
            sent: Frames::behind_head(),
            listener,
        });
    }

    /// Nothing leaves any more.
    pub(crate) fn mute(&self) {
        lock(&self.state).is_muted = true;
    }

    /// It ends without a word, with a FIN or a RST. Returns whether it was there.
    pub(crate) fn drop_it(&self, with_reset: bool) -> bool {
        let mut state = lock(&self.state);
        let Some(socket) = state.socket.take() else {
            return false;
        };
        // It may be over already.
        let _ = if with_reset {
            // Sent when the last owner has let go, who is told now.
            socket.set_linger(Some(Duration::ZERO))
        } else {
            socket.shutdown(std::net::Shutdown::Both)
        };
        state.is_gone = true;
        state.readers.drain(..).for_each(Waker::wake);
        true
    }

    fn listen(&self, is_received: bool, bytes: &[u8]) {
        let mut state = lock(&self.state);
        if let Some(websocket) = &mut state.websocket {
            let frames = if is_received {
                &mut websocket.received
            } else {
                &mut websocket.sent
            };
            for packet in frames.feed(bytes) {
                (websocket.listener)(is_received, &packet);
            }
        }
    }
}

/// The connection itself.
#[derive(Debug)]
pub(crate) struct Tapped {
    stream: TcpStream,
    link: Arc<Link>,
}

impl Tapped {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let state = State {
            socket: Some(SockRef::from(&stream).try_clone()?),
            is_gone: false,
            is_muted: false,
            readers: Vec::new(),
            websocket: None,
        };
        let link = Link {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            state: Mutex::new(state),
        };
        Ok(Self {
            stream,
            link: Arc::new(link),
        })
    }

    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }
}

impl Drop for Tapped {
    fn drop(&mut self) {
        let mut state = lock(&self.link.state);
        state.socket = None;
        state.websocket = None;
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        {
            let mut state = lock(&self.link.state);
            if state.is_gone {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            state.readers.retain(|known| !known.will_wake(cx.waker()));
            state.readers.push(cx.waker().clone());
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_ready() {
            self.link.listen(true, &buf.filled()[before..]);
        }
        read
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        {
            let state = lock(&self.link.state);
            if state.is_gone {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if state.is_muted {
                return Poll::Ready(Ok(bytes.len()));
            }
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.link.listen(false, &bytes[..count]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if lock(&self.link.state).is_muted {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
