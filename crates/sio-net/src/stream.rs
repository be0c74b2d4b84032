//! A connected stream, plain or TLS, over a socket that blocks or does not.

use std::io::{self, Read, Write};
use std::mem;
use std::net;
use std::sync::Arc;

use crate::tls;

/// What every leg reads and writes.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Socket),
    Tls(tls::Connection),
}

impl Stream {
    pub(crate) fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(connection) => connection.socket(),
        }
    }

    pub(crate) fn socket_mut(&mut self) -> &mut Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(connection) => connection.socket_mut(),
        }
    }

    /// Whether an idle connection is still good: the peer has neither closed it nor sent anything.
    pub(crate) fn is_idle(&self) -> bool {
        match self.socket() {
            Socket::Blocking(socket) => is_idle(socket),
            Socket::Waiting(_) | Socket::Gone => false,
        }
    }
}

fn is_idle(socket: &net::TcpStream) -> bool {
    let peeked = socket
        .set_nonblocking(true)
        .and_then(|()| socket.peek(&mut [0]));
    let restored = socket.set_nonblocking(false);
    let nothing_came = matches!(&peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    nothing_came && restored.is_ok()
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(connection) => connection.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(connection) => connection.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(connection) => connection.flush(),
        }
    }
}

/// A TCP socket. A TLS connection keeps it for good, so it changes its ways in place.
#[derive(Debug)]
pub(crate) enum Socket {
    /// Whoever waits for it waits in a poll.
    Waiting(mio::net::TcpStream),
    /// A thread blocks on it; another one can shut it down.
    Blocking(Arc<net::TcpStream>),
    /// It could not be made to block.
    Gone,
}

impl Socket {
    /// The registered socket, while it does not block.
    pub(crate) fn waiting_mut(&mut self) -> Option<&mut mio::net::TcpStream> {
        match self {
            Self::Waiting(socket) => Some(socket),
            Self::Blocking(_) | Self::Gone => None,
        }
    }

    /// From here on it blocks; whoever has the result can shut it down.
    pub(crate) fn block(&mut self) -> io::Result<Arc<net::TcpStream>> {
        let socket = match mem::replace(self, Self::Gone) {
            Self::Waiting(socket) => {
                let socket = net::TcpStream::from(socket);
                socket.set_nonblocking(false)?;
                Arc::new(socket)
            }
            Self::Blocking(socket) => socket,
            Self::Gone => return Err(io::ErrorKind::NotConnected.into()),
        };
        *self = Self::Blocking(Arc::clone(&socket));
        Ok(socket)
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Waiting(socket) => socket.read(buffer),
            Self::Blocking(socket) => (&**socket).read(buffer),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Waiting(socket) => socket.write(bytes),
            Self::Blocking(socket) => (&**socket).write(bytes),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Sockets hold nothing back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
