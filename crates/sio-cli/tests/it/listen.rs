//! `sio listen`.

use crate::stage::{Server, is_left};

#[test]
fn events_are_printed_one_per_line_and_enough_is_enough() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("listen", &["--no-time", "--count", "3"]);
    socket.text(r#"42["news",{"title":"x","a":[1,null]},"y"]"#);
    socket.text(r#"451-["file",{"_placeholder":true,"num":0}]"#);
    socket.raw(b"\x82\x04\x04abc");
    socket.text(r#"421["a b \u001b[2J"]"#);
    socket.text(r#"42["one too many"]"#);
    sio.says(&[
        r#"news {"a":[1,null],"title":"x"} "y""#,
        "file <3 bytes>",
        r#""a b \u001b[2J""#,
    ]);
    is_left(&mut socket);
    let ended = sio.end_by_itself();
    ended.is(0, "connected over websocket, id abc");
    assert!(ended.out.is_empty(), "{:?}", ended.out);
}

#[test]
fn lines_begin_with_the_time_and_have_no_colours_in_a_pipe() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("listen", &["--count", "1"]);
    socket.text(r#"42["news",true]"#);
    let line = sio.line();
    let (time, rest) = line.split_at("12:00:01.234".len());
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!((shape.as_str(), rest), ("00:00:00.000", " news true"));
    is_left(&mut socket);
    sio.end_by_itself().is(0, "");
}

#[test]
fn only_events_that_were_asked_for_are_printed_and_counted() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("listen", &["--no-time", "--count", "2", "b", "c"]);
    for name in ["a", "b", "a", "c"] {
        socket.text(&format!("42[{name:?}]"));
    }
    sio.says(&["b", "c"]);
    is_left(&mut socket);
    sio.end_by_itself().is(0, "");
}

#[test]
fn namespaces_are_joined_and_named() {
    let mut server = Server::new();
    let args = [
        "--no-time",
        "--count",
        "3",
        "--namespace",
        "chat",
        "--namespace",
        "/news",
    ];
    let (sio, mut socket) = server.let_in("listen", &args);
    for name in ["/chat", "/news"] {
        socket.expect(&format!("40{name},"));
        socket.text(&format!("40{name}"));
    }
    socket.text(r#"42/chat,["a"]"#);
    socket.text(r#"42/news,["b"]"#);
    socket.text(r#"42["c"]"#);
    sio.says(&["/chat a", "/news b", "c"]);
    sio.end_by_itself().is(0, "connected /news over websocket");
}

#[test]
fn with_json_states_and_events_come_in_order() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("listen", &["--json", "--count", "2"]);
    socket.text(r#"42["news",{"$bytes":"aGk="},18446744073709551615]"#);
    socket.text(r#"427["why","a\ud800b"]"#);
    sio.says(&[
        r#"{"state":"connected","namespace":"/","transport":"websocket","id":"abc","again":false}"#,
        r#"{"event":"news","namespace":"/","args":[{"$$bytes":"aGk="},18446744073709551615]}"#,
        r#"{"event":"why","namespace":"/","args":["a�b"],"ask":1}"#,
        r#"{"state":"disconnected","namespace":"/","reason":"client","message":"closed by this client"}"#,
        r#"{"state":"closed"}"#,
    ]);
    is_left(&mut socket);
    sio.end_by_itself().is(0, "");
}

#[test]
fn a_lost_connection_is_made_again_and_each_step_is_told() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("listen", &["--json", "--count", "1"]);
    sio.until(r#"{"state":"connected""#);
    socket.cut();
    let lost = sio.line();
    assert!(
        lost.starts_with(r#"{"state":"disconnected","namespace":"/","reason":"transport-close""#),
        "{lost}"
    );
    let waiting = sio.line();
    assert!(
        waiting.starts_with(r#"{"state":"waiting","attempt":1,"seconds":"#),
        "{waiting}"
    );
    sio.says(&[r#"{"state":"reconnecting","attempt":1}"#]);
    let mut socket = server.accept();
    sio.says(&[
        r#"{"state":"connected","namespace":"/","transport":"websocket","id":"abc","again":true}"#,
    ]);
    socket.text(r#"42["back"]"#);
    sio.until(r#"{"event":"back""#);
    sio.end_by_itself().is(0, "");
}

#[test]
fn without_reconnecting_a_lost_connection_is_the_end() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("listen", &["--no-reconnect"]);
    socket.cut();
    sio.end_by_itself()
        .is(3, "sio: the connection is over: the transport was closed");
}

#[test]
fn a_server_that_throws_us_out_is_the_end() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("listen", &["--json"]);
    socket.text("41");
    sio.until(r#"{"state":"disconnected","namespace":"/","reason":"server""#);
    sio.until(r#"{"state":"closed"}"#);
    sio.says(&[
        r#"{"error":{"kind":"disconnected","message":"the connection is over: closed by the server"}}"#,
    ]);
    sio.end_by_itself()
        .is(3, "sio: the connection is over: closed by the server");
}
