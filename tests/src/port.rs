//! Ports of this machine that are kept for somebody.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// A socket on this address that does not listen yet. Several may be bound to one port; while one is, the system gives the
/// port to nobody who asks for any, nor to a connection that leaves this machine's other ports.
pub(crate) fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
