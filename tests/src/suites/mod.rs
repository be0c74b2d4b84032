//! The cases, one module per group of the checklist.
//!
//! The groups `C…` hold for every protocol: their bodies are generic over the session.

pub mod c1;
pub mod c10;
pub mod c2;
pub mod c3;
pub mod c5;
pub mod r1;
pub mod v1;
pub mod v2;
pub mod v3;
pub mod v4;
pub mod v5;
pub mod v6;
pub mod v7;
pub mod v8;
pub mod v9;

mod catalogue;
mod kit;

use crate::case::Case;
use crate::server::REFUSING;

/// All cases, in the order of the checklist.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut cases = served();
    cases.extend(r1::cases());
    cases
}

/// The cases for a server: the one that refuses this protocol has a group of its own.
#[must_use]
pub fn for_server(server: &str) -> Vec<Case> {
    if server == REFUSING {
        r1::cases()
    } else {
        served()
    }
}

fn served() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    cases.extend(v1::cases());
    cases.extend(v2::cases());
    cases.extend(v3::cases());
    cases.extend(v4::cases());
    cases.extend(v5::cases());
    cases.extend(v6::cases());
    cases.extend(v7::cases());
    cases.extend(v8::cases());
    cases.extend(v9::cases());
    cases.extend(c1::cases());
    cases.extend(c2::cases());
    cases.extend(c3::cases());
    cases.extend(c5::cases());
    cases.extend(c10::cases());
    cases
}

/// What the client has to be told about a server.
#[must_use]
pub fn options_for(version: &str) -> sio_v1::Options {
    sio_v1::Options::new().double_encoded_websocket(version == "1.0.6")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_case_has_the_number_of_another() {
        let mut seen = HashSet::new();
        for case in all() {
            assert!(seen.insert(case.id), "two cases {}", case.id);
        }
    }

    #[test]
    fn every_case_runs_in_some_mode_and_has_a_title() {
        for case in all() {
            assert!(!case.modes.is_empty() && !case.title.is_empty(), "{case:?}");
        }
    }
}
