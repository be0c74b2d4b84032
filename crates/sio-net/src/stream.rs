//! A connected stream, plain or TLS, over a socket that blocks or does not.

use std::io::{self, Read, Write};
use std::net;
use std::sync::Arc;

use crate::tls;

/// What every leg reads and writes.
#[derive(Debug)]
pub(crate) struct Stream<S> {
    socket: S,
    tls: Option<tls::Connection>,
}

impl<S> Stream<S> {
    pub(crate) fn new(socket: S, tls: Option<tls::Connection>) -> Self {
        Self { socket, tls }
    }

    pub(crate) fn socket(&self) -> &S {
        &self.socket
    }

    pub(crate) fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }
}

impl Stream<mio::net::TcpStream> {
    /// The same connection over a socket that blocks, which another thread can shut down.
    pub(crate) fn into_blocking(self) -> io::Result<Stream<Blocking>> {
        let socket = net::TcpStream::from(self.socket);
        socket.set_nonblocking(false)?;
        Ok(Stream {
            socket: Blocking(Arc::new(socket)),
            tls: self.tls,
        })
    }
}

impl<S: Read + Write> Read for Stream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.read(&mut self.socket, buffer),
            None => self.socket.read(buffer),
        }
    }
}

impl<S: Read + Write> Write for Stream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.write(&mut self.socket, bytes),
            None => self.socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.flush(&mut self.socket),
            None => self.socket.flush(),
        }
    }
}

/// A blocking socket, shared so that another thread can end what blocks on it.
#[derive(Debug, Clone)]
pub(crate) struct Blocking(pub(crate) Arc<net::TcpStream>);

impl Blocking {
    /// Whether an idle connection is still good: the peer has neither closed it nor sent anything.
    pub(crate) fn is_idle(&self) -> bool {
        let peeked = self
            .0
            .set_nonblocking(true)
            .and_then(|()| self.0.peek(&mut [0]));
        let restored = self.0.set_nonblocking(false);
        let nothing_came =
            matches!(&peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        nothing_came && restored.is_ok()
    }
}

impl Read for Blocking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Write for Blocking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
