//! The client against scripted peers in the same process: odd, broken and hostile ones. Nothing here needs a network
//! beyond loopback; ports are given by the system, and every wait is bounded and says what it waited for.

mod acks;
mod bodies;
mod closing;
mod deadlines;
mod events;
mod explaining;
mod faults;
mod handlers;
mod handshake;
mod heartbeat;
mod legs;
mod lifecycle;
mod orders;
mod packets;
mod polling;
mod pressure;
mod proxies;
mod queueing;
mod reaching;
mod reconnecting;
mod recording;
mod report;
mod scene;
mod sharing;
mod threads;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod tls;
mod upgrade;
mod websocket;
mod wire;
mod words;
