//! Wire logs of real servers: each gives the outputs and the events that were recorded.
//!
//! The files in `tests/data/logs` were recorded with [`sio_v1::ClientBuilder::record`], secrets masked, from the servers of
//! `node-server`. The program echoed text and bytes, joined `/chat`, and closed. A log of yours that shows a bug belongs
//! there, too.

use std::fs;
use std::path::Path;

use sio_core::session::SessionEvent;
use sio_v1::replay;

/// The events that a log tells, by namespace and name.
fn events_of(file: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs");
    let log = fs::read_to_string(folder.join(file)).expect(file);
    let replay = replay(&log).expect(file);
    assert_eq!(replay.differences, [], "{file}");
    assert!(!replay.truncated && replay.head.masked, "{file}");
    let last = replay.told.last().map(|told| &told.event);
    assert!(matches!(last, Some(SessionEvent::Closed(_))), "{file}");
    let events = replay.told.iter().filter_map(|told| match &told.event {
        SessionEvent::Event {
            namespace, name, ..
        } => Some(format!("{namespace} {name}")),
        _ => None,
    });
    events.collect()
}

#[test]
fn logs_of_every_generation_give_the_same_events() {
    let files = [
        "1.0.6-websocket.jsonl",
        "1.4.5-polling.jsonl",
        "2.5.1-upgrade.jsonl",
        "4.8.4-upgrade.jsonl",
    ];
    let welcome = ["welcome", "welcome-bytes", "welcome-question"];
    let expected: Vec<String> = ["/", "/chat"]
        .iter()
        .flat_map(|namespace| welcome.map(|name| format!("{namespace} {name}")))
        .collect();
    for file in files {
        assert_eq!(events_of(file), expected, "{file}");
    }
}
