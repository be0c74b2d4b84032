//! What a peer has seen of a client, to be compared with what the client says it has counted.

use sio_core::session::Session;
use sio_net::Client;

use crate::wait::{PATIENCE, eventually};

/// What went over the network between a peer and a client, counted by the peer; *sent* is what the client has sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ledger {
    packets_sent: u64,
    packets_received: u64,
    bytes_sent: u64,
    bytes_received: u64,
    requests: u64,
}

impl Ledger {
    /// A request came, with a body of so many bytes that holds so many packets.
    pub fn request(&mut self, body: usize, packets: usize) {
        self.requests += 1;
        self.sent(body, packets);
    }

    /// The client has sent so many bytes that are so many packets.
    pub fn sent(&mut self, bytes: usize, packets: usize) {
        self.bytes_sent += bytes as u64;
        self.packets_sent += packets as u64;
    }

    /// The client was sent so many bytes that are so many packets.
    pub fn received(&mut self, bytes: usize, packets: usize) {
        self.bytes_received += bytes as u64;
        self.packets_received += packets as u64;
    }

    /// Asserts that the client has counted the same, as soon as it has read everything.
    #[track_caller]
    pub fn agrees_with<P: Session>(&self, client: &Client<P>) {
        let counted = || Self::of(client);
        let what = format!("the counts {self:?} instead of {:?}", counted());
        eventually(&what, PATIENCE, || counted() == *self);
        let (reported, counted) = (client.report().counters, client.counters());
        assert_eq!(reported, counted, "of two ways to ask");
    }

    fn of<P: Session>(client: &Client<P>) -> Self {
        let counters = client.report().counters;
        Self {
            packets_sent: counters.packets_sent,
            packets_received: counters.packets_received,
            bytes_sent: counters.bytes_sent,
            bytes_received: counters.bytes_received,
            requests: counters.requests,
        }
    }
}
