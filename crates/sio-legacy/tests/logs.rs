//! Wire logs of real servers: each gives the outputs and the events that were recorded.
//!
//! The files in `tests/data/logs` were recorded with [`sio_legacy::ClientBuilder::record`], secrets masked, from the servers of
//! `node-server`. The program echoed text, joined `/chat`, and closed. A log of yours that shows a bug belongs
//! there, too.

use std::fs;
use std::path::Path;

use sio_core::session::SessionEvent;
use sio_legacy::replay;

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
fn logs_of_old_and_late_servers_give_the_same_events() {
    let files = [
        "0.9.0-polling.jsonl",
        "0.9.19-htmlfile.jsonl",
        "0.9.19-websocket.jsonl",
    ];
    let expected = [
        "/ welcome",
        "/ welcome-question",
        "/chat welcome",
        "/chat welcome-question",
    ];
    for file in files {
        assert_eq!(events_of(file), expected, "{file}");
    }
}
