//! The wire log: everything that goes into a session and comes out of it, with times, one JSON object per line.
//!
//! A [`Recorder`] in the [manager](crate::manager::Manager::record) writes it; whoever drives the manager takes the text
//! ([`Manager::take_recorded`](crate::manager::Manager::take_recorded)) and puts it where it belongs. Since a session does
//! no I/O and reads no clock, feeding it the same inputs at the same times gives the same outputs: [`replay`] does that,
//! and tells every difference. So what a user has recorded is a test.
//!
//! # The format
//!
//! The first line says what it is, `{"sio_wire_log":1,"protocol":…,"client":…,"server":…,"unix_time":…}`. Every other
//! line has the time `ns`, in nanoseconds since then (as are all times in it), and one of
//!
//! | key | what |
//! | --- | --- |
//! | `start` | a session begins, with these settings; the lines that follow are of it |
//! | `in` | arrived from the network: `response`, `data`, `request_failed`, `websocket_opened`, `text`, `binary`, `websocket_closed`, `websocket_refused`, `websocket_unanswered`, `websocket_failed` |
//! | `do` | the program wants: `join`, `leave`, `emit`, `ack`, `close` |
//! | `tick` | time has passed that the session waited for |
//! | `out` | to be done on the network: `get`, `post`, `head`, `cancel`, `open_websocket`, `text`, `binary`, `close_websocket`, `drop_websocket` |
//! | `told` | told to the program: `opened`, `joined`, `event`, `ack`, `closed` and others |
//!
//! Bytes are a string where they are UTF-8, else `{"escaped":"\\x00…"}` with Rust's escapes or `{"base64":"…"}`. Headers
//! and cookies are in no line. A log of version 1 stays readable by every later release with the same major version.
//!
//! # Secrets
//!
//! A log holds what was sent and received: also what the payloads say. [`Recorder::mask_secrets`] makes the values of
//! queries and the session ids unreadable: each character becomes an `x`, so that lengths stay right. Those of eight
//! characters and more are found everywhere, also in payloads that repeat them; all else in payloads stays.

mod bytes;
mod line;
mod mask;
mod recorder;
mod replay;

pub use self::line::{Head, VERSION};
pub use self::recorder::Recorder;
pub use self::replay::{Difference, LogError, Replay, Told, read_head, replay};
