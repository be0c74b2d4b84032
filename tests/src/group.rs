//! The two groups of cases against servers: `--group`.

use crate::case::is_meant;
use crate::server::{CLUSTERED, DEPLOYED};

/// A group; each case is in one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// A client and a server, and nothing between them but what the tests bring.
    Servers,
    /// What it takes to reach a server as it is deployed: options, TLS, proxies, cookies, balancers.
    Deployments,
}

/// The cases of [`Group::Deployments`], as [`is_meant`] reads names.
const DEPLOYMENTS: [&str; 19] = [
    "C5", "C6", "C7", "L1.7", "L1.8", "L1.9", "L1.10", "L1.11", "L2.2g", "V2.3b", "V2.3c", "V2.3d",
    "V2.9", "V3.11", "V3.12", "V3.13", "V3.14", "V3.15", "V10.10",
];

/// Cases that are for some servers only, and those servers.
const FOR_SOME: [(&str, &[&str]); 10] = [
    // The examples have bytes, and a namespace that any server lets in.
    ("C11.3", &["2.5.1"]),
    ("C11", &["0.9.19", "2.5.1"]),
    ("C6", &DEPLOYED),
    ("C7", &DEPLOYED),
    ("V3.13b", &[CLUSTERED]),
    ("V3.14a", &[CLUSTERED]),
    ("V3.14b", &[CLUSTERED]),
    ("V3.14c", &[CLUSTERED]),
    ("V3.14d", &[CLUSTERED]),
    ("V3.14e", &[CLUSTERED]),
];

impl Group {
    /// Both, in the order of the tables.
    pub const ALL: [Self; 2] = [Self::Servers, Self::Deployments];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Servers => "servers",
            Self::Deployments => "deployments",
        }
    }

    /// The group of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// The group of a case.
    #[must_use]
    pub fn of(id: &str) -> Self {
        if DEPLOYMENTS.iter().any(|name| is_meant(name, id)) {
            Self::Deployments
        } else {
            Self::Servers
        }
    }
}

/// Whether a server, of a protocol that has the case, is one the case is for.
#[must_use]
pub fn is_for(server: &str, id: &str) -> bool {
    let row = FOR_SOME.iter().find(|(name, _)| is_meant(name, id));
    row.is_none_or(|(_, servers)| servers.contains(&server))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_is_in_one_group() {
        for id in ["C5.1", "C6.2", "V3.13", "V3.15b", "V10.10", "L1.7"] {
            assert_eq!(Group::of(id), Group::Deployments, "{id}");
        }
        for id in ["C1.1", "C10.1", "V2.3", "V3.1", "V10.1", "L1.1", "V10.3"] {
            assert_eq!(Group::of(id), Group::Servers, "{id}");
        }
    }

    #[test]
    fn some_cases_are_for_some_servers() {
        assert!(is_for("2.5.1", "C6.1") && is_for("1.4.5", "C7.1"));
        assert!(!is_for("2.0.4", "C6.1") && is_for("2.0.4", "C5.1"));
    }

    #[test]
    fn groups_are_known_by_name() {
        for group in Group::ALL {
            assert_eq!(Group::named(group.name()), Some(group));
        }
        assert_eq!(Group::named("unit"), None);
    }
}
