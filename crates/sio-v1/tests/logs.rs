//! Wire logs of real servers: each gives the outputs and the events that were recorded.
//!
//! The files in `tests/data/logs` were recorded with [`sio_v1::ClientBuilder::record`], secrets masked, from the servers of
//! `node-server`. The program echoed text and bytes, joined `/chat`, and closed. A log of yours that shows a bug belongs there,
//! too.

use std::path::Path;

use sio_peer::recording::events_of;
use sio_v1::Session;

fn told_by(file: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs");
    events_of::<Session>(&folder.join(file))
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
        assert_eq!(told_by(file), expected, "{file}");
    }
}
