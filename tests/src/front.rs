//! A TCP proxy in front of a server that does harm on request: for links that are slow, dead or cut, for connections that
//! are refused or doubled, and for addresses and bytes that the server itself does not show.
//!
//! What harm is done may change at any time, by connection and by direction; everything passes until something is set.

mod pipe;
mod wire;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Poll, Waker};

use self::wire::Wire;

/// The way of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Up, Self::Down];
}

/// How bytes travel in a direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Flow {
    /// Everything passes at once.
    #[default]
    Free,
    /// Everything passes so much later.
    Late(Duration),
    /// So many bytes pass in a second, whole segments at a time.
    Slow(u32),
    /// Nothing passes and nothing is read, so that the sender can write no more in the end. What it wrote is kept: when
    /// the flow is another one, everything goes on, as after an outage of the network.
    Frozen,
    /// Everything is read, and nothing passes, the end of the connection included. When the flow is another one, the
    /// connection is reset if something was lost.
    Swallowed,
    /// Everything passes up to a place.
    Until(Place, Then),
    /// Each occurrence of one text becomes another of the same length.
    Replace(&'static [u8], &'static [u8]),
}

/// A place in the bytes of a direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Behind so many bytes from the beginning of the connection on.
    Byte(u64),
    /// Right before the next occurrence of these bytes.
    Before(Vec<u8>),
    /// Right behind the next occurrence of these bytes.
    Behind(Vec<u8>),
}

/// What happens when everything before a place has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The connection ends, on both sides.
    Cut(Cut),
    /// Nothing more passes in this direction.
    Swallow,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// In order: each side reads the end (FIN).
    Fin,
    /// By force: each side gets an error (RST).
    Reset,
}

/// Which connections are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All, those to come too.
    All,
    /// The one of this number, counted from 0 in the order in which they came.
    Number(usize),
    /// Those that open a WebSocket.
    WebSockets,
}

/// What happens to a connection that comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Door {
    /// It is forwarded.
    #[default]
    Open,
    /// It is refused: nobody listens.
    Closed,
    /// It is accepted, and everything the client says is swallowed; nobody answers.
    BlackHole,
    /// It is accepted and ends at once.
    Slammed(Cut),
    /// It is forwarded twice: the server gets everything the client says on two connections; the client gets what comes
    /// on the first. So does a middlebox that tries again too soon.
    Doubled,
}

/// What was done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Connections that came.
    pub connections: usize,
    /// Connections that were cut.
    pub cuts: usize,
    /// Connections that were forwarded twice.
    pub doubled: usize,
}

/// Forwards each connection to a port of this machine, and keeps the bytes that went over it. Ends when dropped, with
/// all connections.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    wire: Arc<Mutex<Wire>>,
    waker: Arc<Waker>,
    carrying: Option<JoinHandle<()>>,
}

impl Front {
    /// Listens on `address`, on a port that the system picks, and forwards to `port`.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn open(address: IpAddr, port: u16) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), wire::WAKER)?);
        let wire = Wire::open(address, port, poll.registry().try_clone()?)?;
        let address = wire.address();
        let wire = Arc::new(Mutex::new(wire));
        let carrying = {
            let wire = Arc::clone(&wire);
            thread::Builder::new()
                .name("front".to_owned())
                .spawn(move || wire::carry(poll, &wire))?
        };
        Ok(Self {
            address,
            wire,
            waker,
            carrying: Some(carrying),
        })
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The URL of the server by way of this port.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    // --- doing harm ---------------------------------------------------------------------------------------------

    /// From now on the bytes of these connections travel so in a direction. What was said of the same connections
    /// and direction before is forgotten; if a connection is meant by several, the newest counts.
    pub fn set(&self, which: Which, direction: Direction, flow: Flow) {
        self.change(|wire, now| wire.set(which, direction, flow, now));
    }

    /// From now on this happens to connections that come.
    ///
    /// # Errors
    /// If the port cannot be opened again.
    pub fn set_door(&self, door: Door) -> io::Result<()> {
        self.change(|wire, _| wire.set_door(door))
    }

    /// Everything passes again. A connection of which bytes are lost, or that is doubled, is reset; one in the black hole
    /// stays there.
    ///
    /// # Errors
    /// If the port cannot be opened again.
    pub fn heal(&self) -> io::Result<()> {
        self.change(|wire, now| {
            wire.free(now);
            wire.set_door(Door::Open)
        })
    }

    /// Ends all connections that are there; new ones may come.
    pub fn cut(&self, how: Cut) {
        self.change(|wire, _| wire.cut(how));
    }

    /// Ends all connections, and new ones as soon as they come.
    ///
    /// # Errors
    /// If the port cannot be opened again.
    pub fn cut_off(&self) -> io::Result<()> {
        self.set_door(Door::Slammed(Cut::Fin))?;
        self.cut(Cut::Fin);
        Ok(())
    }

    /// Lets nothing pass any more, and reads nothing: a link that is dead without a word.
    pub fn freeze(&self) {
        for direction in Direction::BOTH {
            self.set(Which::All, direction, Flow::Frozen);
        }
    }

    /// New connections are forwarded to this port.
    pub fn forward_to(&self, port: u16) {
        self.change(|wire, _| wire.forward_to(port));
    }

    // --- looking ------------------------------------------------------------------------------------------------

    /// What was done so far.
    #[must_use]
    pub fn done(&self) -> Done {
        self.lock().done()
    }

    /// What came from the client so far, by connection: the first 256 KiB of each.
    #[must_use]
    pub fn from_clients(&self) -> Vec<Vec<u8>> {
        self.lock().kept(Direction::Up)
    }

    /// What came from the server so far, by connection: the first 256 KiB of each.
    #[must_use]
    pub fn from_servers(&self) -> Vec<Vec<u8>> {
        self.lock().kept(Direction::Down)
    }

    /// Forgets what came so far, and the connections that are gone.
    pub fn forget(&self) {
        self.lock().forget();
    }

    /// Whether some server's bytes hold `text`, upper and lower case alike.
    #[must_use]
    pub fn server_said(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.from_servers().iter().any(|bytes| {
            let bytes = bytes.to_ascii_lowercase();
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Wire, Instant) -> T) -> T {
        let result = change(&mut self.lock(), Instant::now());
        // It fails only if the system has no memory left for a wake-up.
        self.waker.wake().expect("waking the front");
        result
    }

    fn lock(&self) -> MutexGuard<'_, Wire> {
        lock(&self.wire)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.change(|wire, _| wire.stop());
        if let Some(carrying) = self.carrying.take() {
            // Its panic was shown already.
            drop(carrying.join());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
