//! Scripted peers for the tests of the protocol crates.
//!
//! What is here knows HTTP, WebSocket and TLS, and waits; the words of a protocol are in the tests of its crate. Nothing
//! needs a network beyond loopback; ports are given by the system, and every wait is bounded and says what it waited for.

#![expect(
    clippy::new_without_default,
    reason = "a peer is a thing that is started, not a value"
)]

pub mod alone;
pub mod bytes;
pub mod child;
pub mod client;
pub mod counting;
pub mod deadlines;
pub mod flood;
pub mod host;
pub mod hour;
pub mod legs;
pub mod lifecycle;
pub mod logging;
pub mod orders;
pub mod peer;
pub mod programs;
pub mod proxy;
pub mod proxying;
pub mod queueing;
pub mod reconnecting;
pub mod recording;
pub mod reporting;
pub mod scenario;
pub mod secrets;
pub mod settings;
pub mod sharing;
pub mod tls;
pub mod wait;
pub mod websocket;
pub mod words;
