//! Which namespaces the program wants, and which the server has granted.
//!
//! The root is granted without being asked for: `1::` from a client would run the application's connection handlers a
//! second time. So would a second `1::/name`.

use bytestring::ByteString;
use sio_core::manager::ROOT;

/// The namespaces of one session.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    /// The program has left the root. The server knows nothing of it: telling would end the session.
    left_root: bool,
    asked: Vec<ByteString>,
    joined: Vec<ByteString>,
}

/// What a grant means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// It was asked for.
    Joined,
    /// It was granted before.
    Again,
    /// Nobody wants it, or not any more.
    Unasked,
}

impl Namespaces {
    /// The client asks for a namespace.
    pub(super) fn ask(&mut self, namespace: ByteString) {
        if !self.is_known(&namespace) {
            self.asked.push(namespace);
        }
    }

    /// The server grants one.
    pub(super) fn grant(&mut self, namespace: &str) -> Grant {
        if self.joined.iter().any(|name| name == namespace) {
            return Grant::Again;
        }
        let Some(index) = self.asked.iter().position(|name| name == namespace) else {
            return Grant::Unasked;
        };
        self.joined.push(self.asked.swap_remove(index));
        Grant::Joined
    }

    /// The client has left it, or the server has refused it or taken it back. Returns whether it was known.
    pub(super) fn leave(&mut self, namespace: &str) -> bool {
        let known = self.is_known(namespace);
        self.left_root |= namespace == ROOT;
        self.asked.retain(|name| name != namespace);
        self.joined.retain(|name| name != namespace);
        known
    }

    pub(super) fn is_joined(&self, namespace: &str) -> bool {
        match namespace {
            ROOT => !self.left_root,
            namespace => self.joined.iter().any(|name| name == namespace),
        }
    }

    /// Whether packets for it are expected.
    pub(super) fn is_known(&self, namespace: &str) -> bool {
        self.is_joined(namespace) || self.asked.iter().any(|name| name == namespace)
    }
}

/// A namespace as it is written in packets: the root is empty.
pub(super) fn endpoint(namespace: &str) -> &str {
    if namespace == ROOT { "" } else { namespace }
}

/// The namespace of an endpoint.
pub(super) fn namespace(endpoint: &ByteString) -> ByteString {
    if endpoint.is_empty() {
        ByteString::from_static(ROOT)
    } else {
        endpoint.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_counts_once_and_only_if_asked_for() {
        let mut namespaces = Namespaces::default();
        assert_eq!(namespaces.grant("/a"), Grant::Unasked);
        namespaces.ask("/a".into());
        assert!(namespaces.is_known("/a") && !namespaces.is_joined("/a"));
        assert_eq!(namespaces.grant("/a"), Grant::Joined);
        assert_eq!(namespaces.grant("/a"), Grant::Again);
        assert!(namespaces.leave("/a"));
        assert!(!namespaces.leave("/a"));
        assert_eq!(namespaces.grant("/a"), Grant::Unasked);
    }
}
