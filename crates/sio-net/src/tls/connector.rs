//! The libraries that TLS connections are made with, behind one face.

use std::io;

use sio_core::Result;

#[cfg(feature = "native-tls")]
use super::native;
#[cfg(feature = "rustls")]
use super::rustls;
#[cfg(not(all(feature = "rustls", feature = "native-tls")))]
use super::unsupported;
use super::{Backend, Tls};
use crate::stream::Socket;

/// Makes TLS connections.
#[derive(Debug, Clone)]
pub(crate) enum Connector {
    #[cfg(feature = "rustls")]
    Rustls(rustls::Connector),
    #[cfg(feature = "native-tls")]
    Native(native::Connector),
}

/// A TLS connection in the making; it owns the socket.
#[derive(Debug)]
pub(crate) enum Handshake {
    #[cfg(feature = "rustls")]
    Rustls(rustls::Connection),
    #[cfg(feature = "native-tls")]
    Native(native::Handshake),
}

/// What came of a step of the handshake.
pub(crate) enum Progress {
    /// Step again when the socket is ready.
    Wait(Handshake),
    Done(Connection),
}

/// A TLS connection; it owns the socket.
#[derive(Debug)]
pub(crate) enum Connection {
    #[cfg(feature = "rustls")]
    Rustls(rustls::Connection),
    #[cfg(feature = "native-tls")]
    Native(native::Connection),
}

impl Connector {
    /// Checks all settings.
    pub(crate) fn new(tls: &Tls) -> Result<Self> {
        match tls.check()? {
            #[cfg(feature = "rustls")]
            Backend::Rustls => rustls::Connector::new(tls).map(Self::Rustls),
            #[cfg(feature = "native-tls")]
            Backend::NativeTls => native::Connector::new(tls).map(Self::Native),
            #[cfg(not(all(feature = "rustls", feature = "native-tls")))]
            other => Err(unsupported(Some(other)).into()),
        }
    }

    /// Begins a handshake with the server at this host of the URL.
    pub(crate) fn start(&self, host: &str, socket: Socket) -> Result<Handshake> {
        match *self {
            #[cfg(feature = "rustls")]
            Self::Rustls(ref connector) => connector.start(host, socket).map(Handshake::Rustls),
            #[cfg(feature = "native-tls")]
            Self::Native(ref connector) => Ok(Handshake::Native(connector.start(host, socket))),
        }
    }
}

impl Handshake {
    /// Goes on as far as the socket allows.
    pub(crate) fn step(self) -> io::Result<Progress> {
        match self {
            #[cfg(feature = "rustls")]
            Self::Rustls(mut connection) => Ok(if connection.handshake()? {
                Progress::Done(Connection::Rustls(connection))
            } else {
                Progress::Wait(Self::Rustls(connection))
            }),
            #[cfg(feature = "native-tls")]
            Self::Native(handshake) => Ok(match handshake.step()? {
                native::Progress::Wait(handshake) => Progress::Wait(Self::Native(handshake)),
                native::Progress::Done(connection) => {
                    Progress::Done(Connection::Native(connection))
                }
            }),
        }
    }
}

macro_rules! delegate {
    ($self:ident, $connection:ident => $do:expr) => {
        match *$self {
            #[cfg(feature = "rustls")]
            Self::Rustls(ref mut $connection) => $do,
            #[cfg(feature = "native-tls")]
            Self::Native(ref mut $connection) => $do,
        }
    };
}

impl Connection {
    pub(crate) fn socket(&self) -> &Socket {
        match *self {
            #[cfg(feature = "rustls")]
            Self::Rustls(ref connection) => connection.socket(),
            #[cfg(feature = "native-tls")]
            Self::Native(ref connection) => connection.socket(),
        }
    }
}

impl io::Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        delegate!(self, connection => connection.read(buffer))
    }
}

impl io::Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        delegate!(self, connection => connection.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        delegate!(self, connection => connection.flush())
    }
}
