//! A connected stream, plain or TLS. Whoever waits for it waits in a poll.

use std::io::{self, Read, Write};

pub(crate) use mio::net::TcpStream as Socket;

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

    /// Whether an idle connection is still good: the peer has neither closed it nor sent anything.
    pub(crate) fn is_idle(&self) -> bool {
        let peeked = self.socket().peek(&mut [0]);
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
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
