//! The cases, one module per group of the checklist.
//!
//! The groups `L…` are those of 0.9, `V…` and `R…` those of 1.x and later. The groups `C…` hold for every protocol: their
//! bodies are generic over the session.

pub mod balanced;
pub mod blocked;
pub mod c1;
pub mod c10;
pub mod c11;
pub mod c2;
pub mod c3;
pub mod c4;
pub mod c5;
pub mod c6;
pub mod c7;
pub mod c8;
pub mod c9;
pub mod l1;
pub mod l2;
pub mod l3;
pub mod l4;
pub mod l5;
pub mod l6;
pub mod l7;
pub mod l8;
pub mod probe;
pub mod r1;
pub mod replayed;
pub mod v1;
pub mod v10;
pub mod v2;
pub mod v3;
pub mod v4;
pub mod v5;
pub mod v6;
pub mod v7;
pub mod v8;
pub mod v9;

mod catalogue;
mod exchanges;
pub(crate) mod kit;
mod legacy_kit;
mod returning;
mod shown;

use crate::case::{AnyCase, Case};
use crate::group::is_for;
use crate::protocol::{Protocol, WithProtocol, of_server};

/// All cases, in the order of the checklist, each once.
#[must_use]
pub fn all() -> Vec<AnyCase> {
    let mut cases = any(of_legacy());
    cases.extend(any(of_v1()));
    cases.extend(any(of_both::<sio_v1::Session>()));
    cases.extend(any(r1::cases()));
    cases
}

/// The cases for a server, in the order of the checklist.
#[must_use]
pub fn for_server(server: &str) -> Vec<AnyCase> {
    struct CasesFor<'a>(&'a str);
    impl WithProtocol for CasesFor<'_> {
        type Output = Vec<AnyCase>;

        fn run<P: Protocol>(self) -> Vec<AnyCase> {
            any(P::cases_for(self.0))
        }
    }
    let mut cases = of_server(server, CasesFor(server));
    cases.retain(|case| is_for(server, case.id));
    cases
}

/// The cases of 0.9 alone.
pub(crate) fn of_legacy() -> Vec<Case<sio_legacy::Session>> {
    let mut cases = l1::cases();
    cases.extend(l2::cases());
    cases.extend(l3::cases());
    cases.extend(l4::cases());
    cases.extend(l5::cases());
    cases.extend(l6::cases());
    cases.extend(l7::cases());
    cases.extend(l8::cases());
    cases
}

/// The cases of 1.x and later alone, without those for a server that refuses.
pub(crate) fn of_v1() -> Vec<Case<sio_v1::Session>> {
    let mut cases = v1::cases();
    cases.extend(v2::cases());
    cases.extend(blocked::cases());
    cases.extend(v3::cases());
    cases.extend(balanced::cases());
    cases.extend(v4::cases());
    cases.extend(v5::cases());
    cases.extend(v6::cases());
    cases.extend(v7::cases());
    cases.extend(v8::cases());
    cases.extend(v9::cases());
    cases.extend(v10::cases());
    cases
}

/// The cases of every protocol.
pub(crate) fn of_both<P: Protocol>() -> Vec<Case<P>> {
    let mut cases = c1::cases();
    cases.extend(c2::cases());
    cases.extend(c3::cases());
    cases.extend(c4::cases());
    cases.extend(c5::cases());
    cases.extend(c6::cases());
    cases.extend(c7::cases());
    cases.extend(c8::cases());
    cases.extend(c9::cases());
    cases.extend(replayed::cases());
    cases.extend(probe::cases());
    cases.extend(c10::cases());
    cases.extend(c11::cases());
    cases
}

fn any<P: Protocol>(cases: Vec<Case<P>>) -> Vec<AnyCase> {
    cases.into_iter().map(AnyCase::from).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::server::SERVERS;

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

    #[test]
    fn what_runs_on_a_server_is_among_all_cases() {
        let known: HashSet<&str> = all().iter().map(|case| case.id).collect();
        for server in SERVERS {
            let cases = for_server(server);
            assert!(!cases.is_empty(), "{server}");
            assert!(cases.iter().all(|case| known.contains(case.id)), "{server}");
        }
    }
}
