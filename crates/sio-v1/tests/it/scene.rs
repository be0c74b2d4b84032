//! A client and its peer, connected.

use sio_peer::client::{Told, connecting, polling_only, watched, websocket_only};
use sio_peer::peer::{Answer, Peer, Request};
use sio_peer::websocket::WebSocketPeer;
use sio_v1::{Client, ClientBuilder};

use crate::wire::{Answers as _, Packet, Posts as _, finish_upgrade, open, plain_open};

/// Connected by polling; one poll is held by the peer.
#[derive(Debug)]
pub(crate) struct Polling {
    pub(crate) client: Client,
    pub(crate) told: Told,
    pub(crate) poll: Option<Request>,
    pub(crate) peer: Peer,
}

impl Polling {
    pub(crate) fn new() -> Self {
        Self::with(&plain_open(), polling_only)
    }

    /// Offers the upgrade, and takes the client's WebSocket handshake.
    pub(crate) fn upgrading(
        configure: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> (Self, Request) {
        let mut scene = Self::with(&open(&["websocket"], 25_000, 20_000), configure);
        let upgrade = scene.peer.upgrade();
        (scene, upgrade)
    }

    #[track_caller]
    pub(crate) fn with(open: &str, configure: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let mut peer = Peer::new();
        let (builder, told) = watched(configure(Client::builder(&peer.url())));
        let connecting = connecting(builder);
        peer.get().answer(&Answer::text(&[open, "40"]));
        let client = connecting.join().expect("a connection");
        let poll = Some(peer.get());
        Self {
            client,
            told,
            poll,
            peer,
        }
    }

    /// Answers the held poll, and nothing more.
    #[track_caller]
    pub(crate) fn answer(&mut self, answer: &Answer) {
        self.poll.take().expect("a held poll").answer(answer);
    }

    /// Answers the held poll, and takes the next one.
    #[track_caller]
    pub(crate) fn deliver(&mut self, answer: &Answer) {
        self.answer(answer);
        self.poll = Some(self.peer.get());
    }

    /// Delivers one text packet.
    #[track_caller]
    pub(crate) fn text(&mut self, packet: &str) {
        self.deliver(&Answer::text(&[packet]));
    }

    /// Ends polls with a noop, as a server does that waits for the upgrade, until `5` comes.
    #[track_caller]
    pub(crate) fn finish_upgrade(&mut self, socket: &mut WebSocketPeer) {
        finish_upgrade(&mut self.peer, &mut self.poll, socket);
    }

    /// The packets of the next post, which is answered.
    #[track_caller]
    pub(crate) fn post(&mut self) -> Vec<Packet> {
        let post = self.peer.post();
        let packets = post.packets();
        post.ok();
        packets
    }
}

/// Connected by WebSocket alone.
#[derive(Debug)]
pub(crate) struct Socketed {
    pub(crate) client: Client,
    pub(crate) told: Told,
    pub(crate) socket: WebSocketPeer,
    pub(crate) peer: Peer,
}

impl Socketed {
    pub(crate) fn new() -> Self {
        Self::with(&plain_open(), |builder| builder)
    }

    #[track_caller]
    pub(crate) fn with(open: &str, configure: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let mut peer = Peer::new();
        let (builder, told) = watched(configure(websocket_only(Client::builder(&peer.url()))));
        let connecting = connecting(builder);
        let mut socket = WebSocketPeer::accept(peer.upgrade());
        socket.text(open);
        socket.text("40");
        let client = connecting.join().expect("a connection");
        Self {
            client,
            told,
            socket,
            peer,
        }
    }
}
