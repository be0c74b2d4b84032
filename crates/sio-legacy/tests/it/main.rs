//! The client against scripted peers in the same process: odd, broken and hostile ones. Nothing here needs a network
//! beyond loopback; ports are given by the system, and every wait is bounded and says what it waited for.

mod acks;
mod closing;
mod deadlines;
mod explaining;
mod faults;
mod handshake;
mod heartbeat;
mod legs;
mod lifecycle;
mod malice;
mod moving;
mod opening;
mod orders;
mod packets;
mod polling;
mod pressure;
mod proxies;
mod queueing;
mod reconnecting;
mod recording;
mod report;
mod rules;
mod scene;
mod sharing;
mod stream;
mod threads;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod tls;
mod websocket;
mod wire;
mod words;
