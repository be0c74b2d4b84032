//! What holds whatever comes: the checks that the fuzzer runs, one for each decoder and each state machine.
//!
//! A check takes any bytes and panics when something does not hold. Where a decoder has an inverse, what it reads is
//! written and read again. The fuzzer is the package in `tests/fuzz`, which stands outside of the workspace and only hands
//! its inputs to these checks; `cargo xtask fuzz` runs it. The tests here try every seed, and with them what once made a
//! check panic.

mod client;
mod legacy;
mod legacy_server;
mod log;
mod manager;
mod network;
mod payload;
pub mod seeds;
mod session;
mod tape;
mod v1;
mod v1_server;
mod wire_log;

/// One thing to be fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of the program in `tests/fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Panics when something does not hold for this input.
    pub check: fn(&[u8]),
}

/// Everything there is.
pub const TARGETS: [Target; 19] = [
    Target {
        name: "v1_engine_packet",
        check: v1::engine_packet,
    },
    Target {
        name: "v1_payload_text",
        check: v1::payload_text,
    },
    Target {
        name: "v1_payload_binary",
        check: v1::payload_binary,
    },
    Target {
        name: "v1_open_packet",
        check: v1::open_packet,
    },
    Target {
        name: "v1_packet",
        check: v1::packet,
    },
    Target {
        name: "v1_attachments",
        check: v1::attachments,
    },
    Target {
        name: "legacy_packet",
        check: legacy::packet,
    },
    Target {
        name: "legacy_event",
        check: legacy::event,
    },
    Target {
        name: "legacy_payload",
        check: legacy::payload,
    },
    Target {
        name: "legacy_handshake",
        check: legacy::handshake,
    },
    Target {
        name: "legacy_jsonp",
        check: legacy::jsonp,
    },
    Target {
        name: "legacy_htmlfile",
        check: legacy::htmlfile,
    },
    Target {
        name: "arguments",
        check: payload::arguments,
    },
    Target {
        name: "values",
        check: payload::values,
    },
    Target {
        name: "v1_session",
        check: session::play::<v1_server::V1>,
    },
    Target {
        name: "legacy_session",
        check: session::play::<legacy_server::Legacy>,
    },
    Target {
        name: "v1_manager",
        check: manager::play::<v1_server::V1>,
    },
    Target {
        name: "legacy_manager",
        check: manager::play::<legacy_server::Legacy>,
    },
    Target {
        name: "wire_log",
        check: wire_log::read,
    },
];

/// Checks one input of the target of this name.
///
/// # Panics
/// When something does not hold, or there is no such target.
pub fn check(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("the name of a target").check)(input);
}

/// The fuzzer's own package.
const FUZZER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz");

/// The text that a lossy reader makes of these bytes.
fn text(bytes: &[u8]) -> bytestring::ByteString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn package() -> PathBuf {
        Path::new(FUZZER).to_owned()
    }

    fn names_in(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").path());
        names
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect()
    }

    #[test]
    fn every_target_has_its_program() {
        let names: BTreeSet<_> = TARGETS
            .iter()
            .map(|target| target.name.to_owned())
            .collect();
        assert_eq!(names_in(&package().join("fuzz_targets")), names);
        let manifest = fs::read_to_string(package().join("Cargo.toml")).expect("a manifest");
        for name in names {
            let says = format!("path = \"fuzz_targets/{name}.rs\"");
            assert!(manifest.contains(&says), "{says}");
            let program = package().join(format!("fuzz_targets/{name}.rs"));
            let program = fs::read_to_string(program).expect("a program");
            assert!(
                program.contains(&format!("check(\"{name}\", input)")),
                "{name}"
            );
        }
    }

    #[test]
    fn every_seed_passes() {
        for target in TARGETS {
            let seeds = seeds::of(target.name);
            assert!(seeds.len() > 5, "{} has no seeds", target.name);
            for (what, seed) in seeds {
                eprintln!("{}: {what}", target.name);
                (target.check)(&seed);
            }
        }
    }
}
