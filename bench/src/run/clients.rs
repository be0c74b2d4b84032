//! The clients that are measured: ours, the limit, and the peers of `bench/peers/peers.json`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::client::Which;
use crate::run::servers::FAST;
use crate::work::Work;

/// Protocols that have a limit of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Family {
    /// 1.x and later: Engine.IO 3 and 4.
    #[serde(rename = "1.x and later")]
    Modern,
    /// 0.9.
    #[serde(rename = "0.9")]
    Legacy,
}

/// What a client is to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// What the others are compared to.
    Limit,
    /// One of the crates of this workspace.
    Ours,
    /// Somebody else's.
    Peer,
}

/// A program that keeps the contract.
#[derive(Debug, Clone)]
pub struct Contender {
    /// What it is called in the table.
    pub name: String,
    /// Its packages with their versions.
    pub package: String,
    /// What it is.
    pub role: Role,
    /// Whose limit it is compared to.
    pub family: Family,
    command: Vec<OsString>,
    /// All servers of its family, or these.
    servers: Option<Vec<String>>,
    works: Vec<Work>,
    most: BTreeMap<Work, usize>,
}

impl Contender {
    /// Whether it does a work on a server; `None` is no server.
    #[must_use]
    pub fn can(&self, server: Option<&str>, work: Work) -> bool {
        let speaks = match (server, &self.servers) {
            (None, _) => true,
            (Some(server), Some(servers)) => servers.iter().any(|known| known == server),
            (Some(FAST), None) => true,
            (Some(server), None) => (self.family == Family::Legacy) == server.starts_with("0.9"),
        };
        speaks && self.works.contains(&work)
    }

    /// The program and what comes before the work.
    #[must_use]
    pub fn command(&self) -> &[OsString] {
        &self.command
    }

    /// The largest count it may be asked for.
    #[must_use]
    pub fn most(&self, work: Work) -> usize {
        self.most.get(&work).copied().unwrap_or(usize::MAX)
    }

    fn own(which: Which, program: &Path) -> Self {
        let (name, package, role, family) = match which {
            Which::LimitV1 => ("LIMIT", "tungstenite 0.30", Role::Limit, Family::Modern),
            Which::LimitLegacy => ("LIMIT", "tungstenite 0.30", Role::Limit, Family::Legacy),
            Which::V1 => ("sio-v1", "this workspace", Role::Ours, Family::Modern),
            Which::Legacy => ("sio-legacy", "this workspace", Role::Ours, Family::Legacy),
        };
        Self {
            name: name.into(),
            package: package.into(),
            role,
            family,
            command: vec![program.into(), "client".into(), which.name().into()],
            servers: None,
            works: Work::ALL
                .into_iter()
                .filter(|work| *work != Work::Buffers || family == Family::Modern)
                .collect(),
            most: BTreeMap::new(),
        }
    }
}

/// All of them: the limits first, then ours, then the peers as they stand in their file. `program` is `bench`.
///
/// # Errors
/// If the peers' file cannot be read.
pub fn all(program: &Path, root: &Path) -> Result<Vec<Contender>, String> {
    let own = [Which::LimitV1, Which::LimitLegacy, Which::V1, Which::Legacy];
    let mut all = own.map(|which| Contender::own(which, program)).to_vec();
    let file = root.join("bench/peers/peers.json");
    let text = std::fs::read_to_string(&file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    all.extend(peers(&text).map_err(|error| format!("{}: {error}", file.display()))?);
    Ok(all)
}

#[derive(Deserialize)]
struct File {
    peers: Vec<Peer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Peer {
    name: String,
    package: String,
    command: Vec<String>,
    dialect: String,
    servers: Vec<String>,
    works: Vec<Work>,
    most: BTreeMap<Work, usize>,
}

fn peers(text: &str) -> Result<Vec<Contender>, String> {
    let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
    file.peers.into_iter().map(Peer::into_contender).collect()
}

impl Peer {
    fn into_contender(self) -> Result<Contender, String> {
        let family = match self.dialect.as_str() {
            "engine.io 3" | "engine.io 4" => Family::Modern,
            "0.9" => Family::Legacy,
            other => return Err(format!("{} speaks {other:?}, which is unknown", self.name)),
        };
        if self.command.is_empty() {
            return Err(format!("{} has no command", self.name));
        }
        Ok(Contender {
            name: self.name,
            package: self.package,
            role: Role::Peer,
            family,
            command: self.command.into_iter().map(OsString::from).collect(),
            servers: Some(self.servers),
            works: self.works,
            most: self.most,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"peers": [{
        "name": "other", "package": "other 1.0", "command": ["node", "client.js"],
        "dialect": "engine.io 4", "servers": ["fast"], "works": ["ack", "codec"], "most": {"ack": 20}
    }]}"#;

    #[test]
    fn peers_do_what_their_file_says() {
        let peers = peers(TEXT).unwrap();
        let [peer] = &peers[..] else {
            panic!("{peers:?}");
        };
        assert!(peer.can(Some(FAST), Work::Ack));
        assert!(!peer.can(Some(FAST), Work::Flood), "not its work");
        assert!(!peer.can(Some("2.5.1"), Work::Ack), "not its server");
        assert!(peer.can(None, Work::Codec));
        assert_eq!(
            (peer.most(Work::Ack), peer.most(Work::Codec)),
            (20, usize::MAX)
        );
        assert_eq!(peer.command(), ["node", "client.js"]);
    }

    #[test]
    fn ours_go_where_their_protocol_is_spoken() {
        let v1 = Contender::own(Which::V1, Path::new("bench"));
        let legacy = Contender::own(Which::Legacy, Path::new("bench"));
        for (server, speaks) in [
            (FAST, [true, true]),
            ("2.5.1", [true, false]),
            ("socketioxide-0.18", [true, false]),
            ("0.9.19", [false, true]),
        ] {
            let can = [&v1, &legacy].map(|ours| ours.can(Some(server), Work::Ack));
            assert_eq!(can, speaks, "{server}");
        }
        assert!(!legacy.can(Some(FAST), Work::Buffers));
    }

    #[test]
    fn what_is_wrong_with_the_file_is_said() {
        for (from, to) in [
            ("engine.io 4", "engine.io 5"),
            (r#""works": ["ack", "codec"]"#, r#""works": ["sleep"]"#),
            (r#"["node", "client.js"]"#, "[]"),
        ] {
            let text = TEXT.replace(from, to);
            assert_ne!(text, TEXT);
            assert!(peers(&text).is_err(), "{to}");
        }
    }
}
