//! What the probe found out.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::builder::Protocol;

/// Which server is at a URL, and which crate speaks to it; see [`probe`](crate::probe()).
///
/// Displayed, it is what a person reads, the answer in the first line. As JSON, times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Server and HTTP path that were asked, without user, password and query.
    pub url: String,
    /// What answers there.
    pub server: Family,
    /// The exact version, or the few it may be, where the server tells.
    pub version: Option<String>,
    /// The newest Engine.IO it speaks.
    pub engine_io: Option<u8>,
    /// Whether a server of Engine.IO 4 also speaks Engine.IO 3: 3.x and 4.x with `allowEIO3`, socketioxide with its feature `v4`.
    pub allows_eio3: Option<bool>,
    /// Which of our protocols fits; `None` if neither does.
    pub protocol: Option<Protocol>,
    /// The transports it offers, by its own names.
    pub transports: Vec<String>,
    /// From 1.x on: how often a ping is due.
    #[serde(with = "milliseconds")]
    pub ping_interval: Option<Duration>,
    /// From 1.x on: how long its answer may take.
    #[serde(with = "milliseconds")]
    pub ping_timeout: Option<Duration>,
    /// 0.9: after how much silence the connection may be taken for lost.
    #[serde(with = "milliseconds")]
    pub heartbeat_timeout: Option<Duration>,
    /// 0.9: how long a session without connection lives.
    #[serde(with = "milliseconds")]
    pub close_timeout: Option<Duration>,
    /// How sure all this is.
    pub certainty: Certainty,
    /// Where it did not answer as a Socket.IO server does: what came instead.
    pub came: Option<String>,
    /// Why: what was asked, what came, what that means.
    pub evidence: Vec<String>,
    /// What to do.
    pub advice: Vec<String>,
}

/// A family of servers that speak alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Family {
    /// No Socket.IO server answers at this path.
    #[serde(rename = "not socket.io")]
    NotSocketIo,
    /// Something answers that does not let this client see what it is.
    #[serde(rename = "unknown")]
    Unknown,
    /// 0.9.
    #[serde(rename = "0.9")]
    V0_9,
    /// 1.0.x, which encodes WebSocket text twice.
    #[serde(rename = "1.0")]
    V1_0,
    /// 1.1 and later 1.x; any 1.x where the exact version is not told.
    #[serde(rename = "1")]
    V1,
    /// 2.x.
    #[serde(rename = "2")]
    V2,
    /// 3.x.
    #[serde(rename = "3")]
    V3,
    /// 4.x.
    #[serde(rename = "4")]
    V4,
    /// python-socketio.
    #[serde(rename = "python")]
    Python,
    /// socketioxide.
    #[serde(rename = "socketioxide")]
    Socketioxide,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSocketIo => "Not Socket.IO",
            Self::Unknown => "Unknown",
            Self::V0_9 => "Socket.IO 0.9",
            Self::V1_0 => "Socket.IO 1.0.x",
            Self::V1 => "Socket.IO 1.x",
            Self::V2 => "Socket.IO 2.x",
            Self::V3 => "Socket.IO 3.x",
            Self::V4 => "Socket.IO 4.x",
            Self::Python => "python-socketio",
            Self::Socketioxide => "socketioxide",
        })
    }
}

/// How sure a [`Report`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// It fits what was seen, and other things would fit too.
    Guess,
    /// Servers of this family answer so, and no other that is known.
    Likely,
    /// The server said so, in several ways or by its version.
    Certain,
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guess => "a guess",
            Self::Likely => "likely",
            Self::Certain => "certain",
        })
    }
}

impl Report {
    /// What the server is: family, version, Engine.IO.
    #[must_use]
    pub fn name(&self) -> String {
        let mut line = self.server.to_string();
        if let Some(version) = &self.version {
            let _ = write!(line, " ({version})");
        }
        if let Some(came) = &self.came {
            let _ = write!(line, ": {came}");
        }
        match (self.allows_eio3, self.engine_io) {
            (Some(true), _) if self.server == Family::Socketioxide => {
                line.push_str(", Engine.IO 3 and 4");
            }
            (Some(true), _) => line.push_str(" with allowEIO3, Engine.IO 3 and 4"),
            (Some(false), _) if matches!(self.server, Family::V3 | Family::V4) => {
                line.push_str(" without allowEIO3, Engine.IO 4 only");
            }
            (_, Some(version)) => {
                let _ = write!(line, ", Engine.IO {version}");
            }
            (_, None) => {}
        }
        line
    }

    /// The answer in one line: what the server is, and which crate fits.
    #[must_use]
    pub fn headline(&self) -> String {
        let mut line = self.name();
        match (self.protocol.and_then(Protocol::package), self.server) {
            (Some(package), _) => {
                let _ = write!(line, ": use {package}");
            }
            (None, Family::NotSocketIo | Family::Unknown) => {}
            (None, _) if self.allows_eio3.is_none() => {
                line.push_str(": sio-v1 fits if it speaks Engine.IO 3, which it did not show");
            }
            (None, _) => line.push_str(": neither sio-v1 nor sio-legacy fits"),
        }
        line
    }

    /// The lines for `Cargo.toml`; `None` if no crate of ours fits.
    #[must_use]
    pub fn cargo(&self) -> Option<String> {
        let package = self.protocol?.package()?;
        let version = env!("CARGO_PKG_VERSION");
        // Patches are found by Cargo.
        let version = version.rsplit_once('.').map_or(version, |(minor, _)| minor);
        Some(format!("[dependencies]\n{package} = \"{version}\""))
    }

    fn beat(&self) -> Option<String> {
        if let (Some(interval), Some(timeout)) = (self.ping_interval, self.ping_timeout) {
            return Some(format!("ping every {interval:?}, timeout {timeout:?}"));
        }
        let has_handshake = !self.transports.is_empty() || self.heartbeat_timeout.is_some();
        if self.server != Family::V0_9 || !has_handshake {
            return None;
        }
        let shown = |time: Option<Duration>| match time {
            Some(time) => format!("{time:?}"),
            None => "none".to_owned(),
        };
        let (heartbeat, close) = (shown(self.heartbeat_timeout), shown(self.close_timeout));
        Some(format!("timeout {heartbeat}, close timeout {close}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.headline();
        let mut add = |name: &str, lines: &str| {
            for (index, line) in lines.lines().enumerate() {
                let name = if index == 0 { name } else { "" };
                let _ = write!(text, "\n  {name:<11} {line}");
            }
        };
        add("at", &self.url);
        if !self.transports.is_empty() {
            add("transports", &self.transports.join(", "));
        }
        if let Some(beat) = self.beat() {
            add("heartbeat", &beat);
        }
        if let Some(cargo) = self.cargo() {
            add("Cargo.toml", &cargo);
        }
        add("to do", &self.advice.join("\n"));
        add("how sure", &self.certainty.to_string());
        add("because", &self.evidence.join("\n"));
        f.write_str(&text)
    }
}

/// Times as whole milliseconds.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let milliseconds = time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        milliseconds.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let milliseconds = Option::<u64>::deserialize(deserializer)?;
        Ok(milliseconds.map(Duration::from_millis))
    }
}
