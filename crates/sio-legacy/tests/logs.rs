//! Wire logs of real servers: each gives the outputs and the events that were recorded.
//!
//! The files in `tests/data/logs` were recorded with [`sio_legacy::ClientBuilder::record`], secrets masked, from the servers of
//! `node-server`. The program echoed text, joined `/chat`, and closed. A log of yours that shows a bug belongs there,
//! too.

use std::path::Path;

use sio_legacy::Session;
use sio_peer::recording::events_of;

fn told_by(file: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs");
    events_of::<Session>(&folder.join(file))
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
        assert_eq!(told_by(file), expected, "{file}");
    }
}
