//! `sio connect --json`: the lines of programs.

use std::time::Duration;

use sio_peer::websocket::WebSocketPeer;
use tungstenite::Message;

use crate::stage::{Server, Sio, is_left};

/// The command, connected, and its server.
fn connected(server: &mut Server) -> (Sio, WebSocketPeer) {
    let (sio, socket) = server.let_in("connect", &["--json"]);
    sio.says(&[
        r#"{"state":"connected","namespace":"/","transport":"websocket","id":"abc","again":false}"#,
    ]);
    (sio, socket)
}

#[test]
fn emits_and_acks_keep_their_names() {
    let mut server = Server::new();
    let (mut sio, mut socket) = connected(&mut server);
    sio.tell(r#"{"emit":"a","args":[1],"ack":"x1"}"#);
    sio.tell(r#"{"emit":"b","ack":2}"#);
    sio.tell(r#"{"emit":"c","args":[{"$bytes":"aGk="}]}"#);
    socket.expect(r#"420["a",1]"#);
    socket.expect(r#"421["b"]"#);
    socket.expect(r#"451-["c",{"_placeholder":true,"num":0}]"#);
    assert_eq!(socket.message(), Message::binary(&b"\x04hi"[..]));
    socket.text("431[]");
    socket.text(r#"430["one",{"$bytes":"x","y":1}]"#);
    let second = sio.line();
    assert!(
        second.starts_with(r#"{"ack":2,"args":[],"ms":"#),
        "{second}"
    );
    let first = sio.line();
    let beginning = r#"{"ack":"x1","args":["one",{"$bytes":"x","y":1}],"ms":"#;
    assert!(first.starts_with(beginning), "{first}");
    sio.tell(r#"{"close":true}"#);
    is_left(&mut socket);
    sio.end_by_itself().is(0, "");
}

#[test]
fn a_question_is_answered_once() {
    let mut server = Server::new();
    let (mut sio, mut socket) = connected(&mut server);
    socket.text(r#"4217["why","now"]"#);
    sio.says(&[r#"{"event":"why","namespace":"/","args":["now"],"ask":1}"#]);
    sio.tell(r#"{"reply":1,"args":["because",{"$bytes":""}]}"#);
    socket.expect(r#"461-17["because",{"_placeholder":true,"num":0}]"#);
    assert_eq!(socket.message(), Message::binary(&b"\x04"[..]));
    sio.tell(r#"{"reply":1}"#);
    sio.tell(r#"{"reply":2}"#);
    sio.says(&[
        r#"{"error":{"kind":"input","message":"question 1 has been answered already","line":2}}"#,
        r#"{"error":{"kind":"input","message":"there is no question 2","line":3}}"#,
    ]);
    drop(socket);
}

#[test]
fn a_bad_line_is_told_with_its_number_and_the_others_are_done() {
    let mut server = Server::new();
    let (mut sio, mut socket) = connected(&mut server);
    sio.tell(r#"{"emit":"first"}"#);
    sio.tell("");
    sio.tell("nonsense");
    sio.tell_bytes(b"\"\xff\"\n");
    sio.tell(r#"{"emit":"x","namespace":"/nowhere"}"#);
    sio.tell(r#"{"emit":"connect"}"#);
    sio.tell(r#"{"emit":"last","args":[9007199254740993]}"#);
    socket.expect(r#"42["first"]"#);
    socket.expect(r#"42["last",9007199254740993]"#);
    sio.says(&[
        r#"{"error":{"kind":"input","message":"no JSON: expected ident at column 2","line":3}}"#,
        r#"{"error":{"kind":"input","message":"no UTF-8","line":4}}"#,
        r#"{"error":{"kind":"input","message":"/nowhere is not joined; join it first","line":5}}"#,
        r#"{"error":{"kind":"usage","message":"the event name \"connect\" is reserved; choose another","line":6}}"#,
    ]);
    sio.no_more();
    is_left(&mut socket);
    sio.end().is(0, "");
}

#[test]
fn the_end_of_the_input_waits_for_acks() {
    let mut server = Server::new();
    let (mut sio, mut socket) = connected(&mut server);
    sio.tell(r#"{"emit":"a","ack":1}"#);
    sio.no_more();
    socket.expect(r#"420["a"]"#);
    socket.hears_nothing(Duration::from_millis(150));
    socket.text(r#"430["late"]"#);
    let ack = sio.line();
    assert!(
        ack.starts_with(r#"{"ack":1,"args":["late"],"ms":"#),
        "{ack}"
    );
    is_left(&mut socket);
    sio.end().is(0, "");
}

#[test]
fn the_end_of_the_input_waits_no_longer_than_an_ack_may_take() {
    let mut server = Server::new();
    let (mut sio, mut socket) = connected(&mut server);
    sio.tell(r#"{"emit":"a","ack":1,"timeout":0.2}"#);
    sio.no_more();
    sio.says(&[r#"{"ack":1,"error":"timed out"}"#]);
    is_left(&mut socket);
    let ended = sio.end();
    ended.is(0, "");
    assert_eq!(ended.out.last().unwrap(), r#"{"state":"closed"}"#);
}

#[test]
fn the_end_of_the_input_waits_for_emits_that_wait_for_a_connection() {
    let mut server = Server::new();
    let (mut sio, mut socket) = connected(&mut server);
    socket.cut();
    sio.until(r#"{"state":"waiting""#);
    sio.tell(r#"{"emit":"while away"}"#);
    sio.no_more();
    let mut socket = server.accept();
    socket.expect(r#"42["while away"]"#);
    is_left(&mut socket);
    sio.end().is(0, "");
}

#[test]
fn a_name_is_free_again_when_its_ack_came() {
    let mut server = Server::new();
    let (mut sio, mut socket) = connected(&mut server);
    sio.tell(r#"{"emit":"a","ack":"x"}"#);
    sio.tell(r#"{"emit":"b","ack":"x"}"#);
    socket.expect(r#"420["a"]"#);
    sio.says(&[
        r#"{"error":{"kind":"input","message":"the ack \"x\" is still waited for; take another name","line":2}}"#,
    ]);
    socket.text("430[]");
    sio.until(r#"{"ack":"x","args":[]"#);
    sio.tell(r#"{"emit":"c","ack":"x"}"#);
    socket.expect(r#"421["c"]"#);
}

#[test]
fn lines_behind_a_join_are_done_when_it_is_joined() {
    let mut server = Server::new();
    let (mut sio, mut socket) = connected(&mut server);
    sio.tell(r#"{"join":"/chat","query":{"token":"a b"}}"#);
    sio.tell(r#"{"emit":"hi","namespace":"/chat"}"#);
    sio.tell(r#"{"leave":"/chat"}"#);
    sio.tell(r#"{"emit":"root"}"#);
    socket.expect("40/chat?token=a%20b,");
    socket.hears_nothing(Duration::from_millis(50));
    socket.text("40/chat");
    socket.expect(r#"42/chat,["hi"]"#);
    socket.expect("41/chat,");
    socket.expect(r#"42["root"]"#);
    sio.says(&[
        r#"{"state":"connected","namespace":"/chat","transport":"websocket","id":"/chat#abc","again":false}"#,
        r#"{"state":"disconnected","namespace":"/chat","reason":"client","message":"closed by this client"}"#,
    ]);
}

#[test]
fn a_join_that_is_refused_is_an_error_and_may_be_tried_again() {
    let mut server = Server::new();
    let (mut sio, mut socket) = connected(&mut server);
    sio.tell(r#"{"join":"/guarded"}"#);
    socket.expect("40/guarded,");
    socket.text(r#"44/guarded,"no""#);
    sio.says(&[
        r#"{"error":{"kind":"refused","message":"the server refused /guarded: \"no\"","line":1,"namespace":"/guarded","reason":"no"}}"#,
    ]);
    sio.tell(r#"{"join":"/guarded"}"#);
    socket.expect("40/guarded,");
    socket.text("40/guarded");
    sio.until(r#"{"state":"connected","namespace":"/guarded""#);
}

#[test]
fn closing_waits_for_no_ack_and_says_so() {
    let mut server = Server::new();
    let (mut sio, mut socket) = connected(&mut server);
    sio.tell(r#"{"emit":"a","ack":"x"}"#);
    sio.tell(r#"{"close":true}"#);
    socket.expect(r#"420["a"]"#);
    is_left(&mut socket);
    let ended = sio.end_by_itself();
    ended.is(0, "");
    let told = r#"{"ack":"x","error":"disconnected"}"#;
    assert!(ended.out.iter().any(|line| line == told), "{:?}", ended.out);
    assert_eq!(ended.out.last().unwrap(), r#"{"state":"closed"}"#);
}
