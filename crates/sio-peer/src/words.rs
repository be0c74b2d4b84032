//! What a server says in a protocol, for tests that are the same in both.

use sio_core::session::Session;
use sio_net::ClientBuilder;

use crate::peer::Answer;

/// The words of one protocol, on a WebSocket unless they say otherwise.
pub trait Words: Send + Sync + 'static {
    /// The client's side.
    type Protocol: Session;

    /// The answer to the GET before the WebSocket, where there is one.
    fn handshake(sid: &str) -> Option<Answer>;

    /// What the server sends first, before it grants the root.
    fn opening(sid: &str) -> Option<String>;

    /// The server grants a namespace.
    fn granted(namespace: &str) -> String;

    /// The client asks for a namespace, with a query where the protocol has one.
    fn asked(namespace: &str, query: &str) -> String;

    /// The server takes a namespace back.
    fn kicked(namespace: &str) -> String;

    /// An event without arguments, from either side.
    fn event(namespace: &str, name: &str) -> String;

    /// The same with one text, which needs no escapes.
    fn text_event(namespace: &str, name: &str, text: &str) -> String;

    /// An event without arguments, with an ack wanted. The client's first id is the protocol's own.
    fn question(namespace: &str, id: u64, name: &str) -> String;

    /// An ack without values.
    fn answer(namespace: &str, id: u64) -> String;

    /// What an obliging server says to a packet: joins are granted, questions answered, heartbeats returned.
    fn reply(packet: &str) -> Option<String>;

    /// Whether the client ends the session with it, upon which a server ends the connection.
    fn is_end(packet: &str) -> bool;

    /// Whether the program has sent it, rather than the client for itself.
    fn is_of_program(packet: &str) -> bool;

    /// How the clients of the tests are made, besides.
    fn configured(builder: ClientBuilder<Self::Protocol>) -> ClientBuilder<Self::Protocol> {
        builder
    }

    /// The first id that the client gives to a question.
    fn first_id() -> u64 {
        Self::Protocol::FIRST_ACK_ID
    }
}
