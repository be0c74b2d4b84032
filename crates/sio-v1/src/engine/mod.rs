//! Engine.IO protocol 3: packets, the framings that carry them, and the handshake.
//!
//! An Engine.IO packet is a type and data. Socket.IO packets travel as the data of `message` packets.
//!
//! | type | char / number | sent by | data |
//! | --- | --- | --- | --- |
//! | open | `0` | server | the [`Handshake`](handshake::Handshake), always the first packet |
//! | close | `1` | both | none; on polling only |
//! | ping | `2` | **client** | `probe` in an upgrade, else none |
//! | pong | `3` | **server** | `probe` in an upgrade, else none |
//! | message | `4` | both | a Socket.IO packet, or the bytes of an attachment |
//! | upgrade | `5` | client | none; ends the upgrade |
//! | noop | `6` | server | none; flushes a poll |
//!
//! Ping and pong go the other way round than in Engine.IO 4.
//!
//! A websocket message is one packet: [`EnginePacket`](packet::EnginePacket). A polling body is a [`payload`] of any
//! number of packets.

pub mod handshake;
pub mod packet;
pub mod payload;
