//! `--record` and `sio replay`.

use std::fs;

use crate::scratch::Scratch;
use crate::stage::{Server, Sio, is_left};

/// What a connection with two events and a question leaves behind.
fn recorded(log: &Scratch) {
    let mut server = Server::new();
    let query = "token=s3cret-s3cret";
    let args = ["--count", "2", "--record", log.path(), "--query", query];
    let (sio, mut socket) = server.let_in("listen", &args);
    socket.text(r#"42["news",{"a":1}]"#);
    socket.text(r#"421["why"]"#);
    is_left(&mut socket);
    sio.end_by_itself().is(0, "");
}

#[test]
fn a_recorded_connection_is_played_again() {
    let log = Scratch::new("again.jsonl", b"");
    recorded(&log);
    let text = fs::read_to_string(log.path()).unwrap();
    assert!(
        text.contains("token=xxxx") && !text.contains("s3cret"),
        "{text}"
    );

    let ended = Sio::start(&["replay", log.path(), "--no-time"]).end();
    ended.is(0, "events: 2, sessions: 1, ");
    assert!(
        ended.err.contains("; the same as recorded"),
        "{}",
        ended.err
    );
    assert_eq!(ended.out, [r#"news {"a":1}"#, "why"]);

    let ended = Sio::start(&["replay", log.path(), "--json"]).end();
    ended.is(0, "");
    assert_eq!(
        ended.out[1..3],
        [
            r#"{"event":"news","namespace":"/","args":[{"a":1}]}"#,
            r#"{"event":"why","namespace":"/","args":[],"ask":1}"#,
        ]
    );
    let last = ended.out.last().unwrap();
    let beginning = r#"{"replay":{"protocol":"engine.io 3","sessions":1,"events":2,"seconds":"#;
    assert!(last.starts_with(beginning), "{last}");
    assert!(
        last.ends_with(r#""truncated":false,"differences":[]}}"#),
        "{last}"
    );
}

#[test]
fn what_is_not_as_recorded_is_shown_and_ends_with_1() {
    let log = Scratch::new("other.jsonl", b"");
    recorded(&log);
    let text = fs::read_to_string(log.path()).unwrap();
    let told = r#""name":"news""#;
    assert!(text.contains(told), "{text}");
    fs::write(log.path(), text.replace(told, r#""name":"olds""#)).unwrap();
    let ended = Sio::start(&["replay", log.path()]).end();
    ended.is(1, "differences from what was recorded: 1");
    assert!(ended.err.contains(": recorded {"), "{}", ended.err);
    let ended = Sio::start(&["replay", log.path(), "--json"]).end();
    ended.is(1, "");
    let last = ended.out.last().unwrap();
    assert!(last.contains(r#""differences":[{"line":"#), "{last}");
}

#[test]
fn what_is_no_log_ends_with_2() {
    let file = Scratch::new("no.jsonl", b"{}\n");
    for (path, said) in [
        (file.path(), "this is no wire log"),
        ("/nowhere/x", "cannot read"),
    ] {
        Sio::start(&["replay", path]).end().is(2, said);
    }
    let server = Server::new();
    let sio = server.start("listen", &["--record", "/nowhere/x"]);
    sio.end().is(2, "cannot write /nowhere/x");
}
