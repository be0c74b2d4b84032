//! The one way every connection is made: TCP to each address in turn, through a proxy if there is one, then TLS. Nothing
//! here blocks; a [`Dial`] is stepped by whoever waits for its socket.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io;
use std::net::{self, SocketAddr};
use std::sync::Arc;

use http::HeaderValue;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use sio_core::Error;

use crate::proxy::{ProxyKind, ProxyServer};
use crate::stream::Stream;
use crate::tls;
use crate::tunnel::{Destination, Tunnel};

/// Where to connect to, and how.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// The server, or the proxy that stands before it. Tried in this order.
    pub(crate) addresses: Arc<[SocketAddr]>,
    /// The server's name, which its certificate must have.
    pub(crate) host: String,
    pub(crate) tls: Option<tls::Connector>,
    pub(crate) proxy: Option<Via>,
}

/// The way through a proxy.
#[derive(Debug, Clone)]
pub(crate) struct Via {
    pub(crate) server: Arc<ProxyServer>,
    /// What to ask it for: the server by name, or by each of its addresses. Nothing to ask for is the way of requests
    /// that the proxy makes itself.
    pub(crate) destinations: Arc<[Destination]>,
    /// What a proxy is told of us.
    pub(crate) user_agent: Option<HeaderValue>,
}

impl Route {
    /// The way of HTTP requests. Those that are not encrypted are made by an HTTP proxy itself: tunnels to other ports
    /// than 443 are what proxies refuse.
    pub(crate) fn for_requests(mut self) -> Self {
        if let Some(via) = &mut self.proxy
            && self.tls.is_none()
            && via.server.kind == ProxyKind::Http
        {
            via.destinations = Arc::default();
        }
        self
    }

    /// The proxy that makes requests itself, if this route leads to one.
    pub(crate) fn requesting_proxy(&self) -> Option<&Arc<ProxyServer>> {
        let via = self.proxy.as_ref()?;
        via.destinations.is_empty().then_some(&via.server)
    }

    /// Each try: where to dial, and what to ask for there.
    fn tries(&self) -> VecDeque<(SocketAddr, Option<Destination>)> {
        let addresses = || self.addresses.iter().copied();
        match &self.proxy {
            Some(via) if !via.destinations.is_empty() => via
                .destinations
                .iter()
                .flat_map(|one| addresses().map(|address| (address, Some(one.clone()))))
                .collect(),
            _ => addresses().map(|address| (address, None)).collect(),
        }
    }

    /// What is done first, for errors.
    fn connecting(&self, address: SocketAddr) -> String {
        match &self.proxy {
            Some(via) => format!("connecting to {} at {address}", via.server),
            None => format!("connecting to {address}"),
        }
    }

    /// What is done last, for errors.
    fn securing(&self, address: SocketAddr) -> String {
        let host = &self.host;
        match &self.proxy {
            Some(via) => format!("the TLS handshake with {host} through {}", via.server),
            None => format!("the TLS handshake with {host} at {address}"),
        }
    }
}

/// A connection in the making.
#[derive(Debug)]
pub(crate) struct Dial {
    route: Route,
    left: VecDeque<(SocketAddr, Option<Destination>)>,
    stage: Stage,
    /// What a proxy said that would not let us through: more worth telling than that nobody listens at its next address.
    refusal: Option<Error>,
}

#[derive(Debug)]
enum Stage {
    /// Waiting for TCP.
    Connecting(SocketAddr, Option<Destination>, TcpStream),
    /// Waiting for a proxy to let us through.
    Tunnelling(SocketAddr, TcpStream, Tunnel),
    /// Waiting for TLS.
    Securing(SocketAddr, tls::Handshake),
    /// The result was given out.
    Over,
}

/// What came of a step.
pub(crate) enum Step {
    /// Step again when the socket is ready.
    Wait,
    /// Connected; the socket is still registered.
    Done(Stream),
}

impl Dial {
    /// Starts with the first address that takes a connection attempt.
    pub(crate) fn start(route: Route, registry: &Registry, token: Token) -> Result<Self, Error> {
        let mut dial = Self {
            left: route.tries(),
            route,
            stage: Stage::Over,
            refusal: None,
        };
        let none = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
        let nowhere = Error::transport(format!("connecting to {}", dial.route.host), none);
        dial.next_try(nowhere, registry, token)?;
        Ok(dial)
    }

    /// What is being waited for.
    pub(crate) fn doing(&self) -> String {
        match &self.stage {
            Stage::Connecting(address, ..) => self.route.connecting(*address),
            Stage::Tunnelling(_, _, tunnel) => format!("waiting for {}", tunnel.proxy()),
            Stage::Securing(address, _) => format!("in {}", self.route.securing(*address)),
            Stage::Over => "connecting".to_owned(),
        }
    }

    /// Goes on as far as the socket allows.
    pub(crate) fn step(&mut self, registry: &Registry, token: Token) -> Result<Step, Error> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Connecting(address, destination, mut socket) => match connected(&socket) {
                    Ok(false) => {
                        self.stage = Stage::Connecting(address, destination, socket);
                        return Ok(Step::Wait);
                    }
                    Ok(true) => match (&self.route.proxy, destination) {
                        (Some(via), Some(destination)) => {
                            let agent = via.user_agent.as_ref();
                            let tunnel = Tunnel::new(Arc::clone(&via.server), destination, agent);
                            self.stage = Stage::Tunnelling(address, socket, tunnel);
                        }
                        _ => {
                            if let Some(stream) = self.secure(address, socket)? {
                                return Ok(Step::Done(stream));
                            }
                        }
                    },
                    Err(error) => {
                        let error = Error::transport(self.route.connecting(address), error);
                        self.leave(error, &mut socket, registry, token)?;
                    }
                },
                Stage::Tunnelling(address, mut socket, mut tunnel) => {
                    match tunnel.step(&mut socket) {
                        Ok(false) => {
                            self.stage = Stage::Tunnelling(address, socket, tunnel);
                            return Ok(Step::Wait);
                        }
                        Ok(true) => {
                            if let Some(stream) = self.secure(address, socket)? {
                                return Ok(Step::Done(stream));
                            }
                        }
                        Err(error) => {
                            self.refusal = Some(error.clone());
                            self.leave(error, &mut socket, registry, token)?;
                        }
                    }
                }
                Stage::Securing(address, handshake) => match handshake.step() {
                    Ok(tls::Progress::Done(connection)) => {
                        return Ok(Step::Done(Stream::Tls(connection)));
                    }
                    Ok(tls::Progress::Wait(handshake)) => {
                        self.stage = Stage::Securing(address, handshake);
                        return Ok(Step::Wait);
                    }
                    Err(error) => return Err(self.not_secured(address, error)),
                },
                Stage::Over => return Ok(Step::Wait),
            }
        }
    }

    /// The way to the server is open; it is done, unless TLS comes first.
    fn secure(&mut self, address: SocketAddr, socket: TcpStream) -> Result<Option<Stream>, Error> {
        let Some(tls) = &self.route.tls else {
            return Ok(Some(Stream::Plain(socket)));
        };
        let handshake = tls.start(&self.route.host, socket)?;
        self.stage = Stage::Securing(address, handshake);
        Ok(None)
    }

    fn not_secured(&self, address: SocketAddr, error: io::Error) -> Error {
        Error::transport(self.route.securing(address), error)
    }

    /// Goes on with the next address, or gives up with this error.
    fn leave(
        &mut self,
        error: Error,
        socket: &mut TcpStream,
        registry: &Registry,
        token: Token,
    ) -> Result<(), Error> {
        // Closing would deregister too; this way the token is free at once on every platform.
        let _ = registry.deregister(socket);
        self.next_try(error, registry, token)
    }

    /// Begins with the next address, or gives up with the error of the last one that was reached, if there is one.
    fn next_try(
        &mut self,
        mut last: Error,
        registry: &Registry,
        token: Token,
    ) -> Result<(), Error> {
        while let Some((address, destination)) = self.left.pop_front() {
            match begin(address, registry, token) {
                Ok(socket) => {
                    self.stage = Stage::Connecting(address, destination, socket);
                    return Ok(());
                }
                Err(error) => last = Error::transport(self.route.connecting(address), error),
            }
        }
        Err(self.refusal.take().unwrap_or(last))
    }
}

fn begin(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(socket)
}

/// Whether a socket is connected by now.
fn connected(socket: &TcpStream) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => {
            // Small messages must leave at once.
            socket.set_nodelay(true)?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// Looks a name up; `what` it is, for errors. The system's resolver cannot be interrupted, so the thread should be one that
/// holds nothing.
pub(crate) fn look_up(what: &dyn Display, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    net::ToSocketAddrs::to_socket_addrs(&(host, port))
        .map(Iterator::collect)
        .map_err(|error| Error::transport(format!("looking up {what}"), error))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;
    use crate::proxy::Proxy;
    use crate::target::Target;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// An address where nothing listens any more.
    fn closed_port() -> SocketAddr {
        listener().1
    }

    fn route(addresses: &[SocketAddr]) -> Route {
        Route {
            addresses: addresses.into(),
            host: "localhost".to_owned(),
            tls: None,
            proxy: None,
        }
    }

    fn dial(route: Route) -> Result<Stream, Error> {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(4);
        let mut dial = Dial::start(route, poll.registry(), Token(0))?;
        loop {
            match dial.step(poll.registry(), Token(0))? {
                Step::Done(stream) => return Ok(stream),
                Step::Wait => poll.poll(&mut events, Some(PATIENCE)).unwrap(),
            }
            assert!(!events.is_empty(), "the dial hangs in {}", dial.doing());
        }
    }

    #[test]
    fn the_next_address_is_tried_when_one_refuses() {
        let (_listener, open) = listener();
        let route = route(&[closed_port(), open]);
        let stream = dial(route).unwrap();
        let socket = stream.socket();
        assert_eq!(socket.peer_addr().unwrap(), open);
        assert!(socket.nodelay().unwrap());
    }

    #[test]
    fn when_all_refuse_the_error_names_the_last_address() {
        let (first, last) = (closed_port(), closed_port());
        let error = dial(route(&[first, last])).unwrap_err();
        let text = error.chain();
        assert!(
            text.starts_with(&format!("connecting to {last}: ")),
            "{text}"
        );
    }

    #[test]
    fn what_a_proxy_says_counts_more_than_its_next_address() {
        let (proxy, address) = listener();
        let rules = Proxy::to("http://proxy").check().unwrap();
        let target = Target::parse("http://server").unwrap();
        let mut route = route(&[address, closed_port()]);
        route.proxy = Some(Via {
            server: Arc::clone(rules.for_target(&target).unwrap()),
            destinations: [Destination::Name("server".to_owned(), 80)].into(),
            user_agent: None,
        });
        let refusing = thread::spawn(move || {
            let (mut client, _) = proxy.accept().unwrap();
            let _ = client.read(&mut [0; 512]).unwrap();
            client.write_all(b"HTTP/1.1 403 No\r\n\r\n").unwrap();
        });
        let error = dial(route).unwrap_err();
        refusing.join().unwrap();
        assert!(
            error.chain().contains("HTTP status 403"),
            "{}",
            error.chain()
        );
    }

    #[test]
    fn a_name_without_an_address_is_an_error() {
        let error = dial(route(&[])).unwrap_err();
        assert!(
            error.chain().contains("the name has no address"),
            "{}",
            error.chain()
        );
    }

    #[test]
    fn a_lookup_finds_addresses_with_the_port() {
        let found = look_up(&"it", "localhost", 7).unwrap();
        assert!(!found.is_empty());
        let fits = |address: &SocketAddr| address.port() == 7 && address.ip().is_loopback();
        assert!(found.iter().all(fits), "{found:?}");
    }
}
