//! `sio connect`, by lines that a person may have typed, piped in.

use crate::stage::{Server, is_left};

#[test]
fn typed_lines_are_emitted_and_answers_shown() {
    let mut server = Server::new();
    let (mut sio, mut socket) = server.let_in("connect", &["--no-time"]);
    sio.says(&["connected over websocket, id abc"]);
    sio.tell(r#"news "x" {"a": 1}"#);
    socket.expect(r#"42["news","x",{"a":1}]"#);
    sio.tell("/ack add 1 2");
    socket.expect(r#"420["add",1,2]"#);
    socket.text("430[3]");
    let ack = sio.line();
    assert!(ack.starts_with("ack of add after "), "{ack}");
    assert!(ack.ends_with(" ms 3"), "{ack}");
    socket.text(r#"425["why"]"#);
    sio.says(&["why (question 1)"]);
    sio.tell(r#"/reply 1 "because""#);
    socket.expect(r#"435["because"]"#);
    sio.tell("/reply 1");
    sio.says(&["question 1 has been answered already"]);
    sio.tell("say hello");
    sio.says(&[r#"hello is no JSON; a text is written in quotes: "hello""#]);
    sio.tell("/quit");
    is_left(&mut socket);
    sio.end_by_itself().is(0, "");
}

#[test]
fn a_namespace_that_is_joined_is_the_one_that_emits_go_to() {
    let mut server = Server::new();
    let (mut sio, mut socket) = server.let_in("connect", &["--no-time"]);
    sio.line();
    sio.tell("/join chat token=a");
    socket.expect("40/chat?token=a,");
    socket.text("40/chat");
    sio.says(&["connected /chat over websocket, id /chat#abc"]);
    sio.tell("hi");
    socket.expect(r#"42/chat,["hi"]"#);
    sio.tell("/use /");
    sio.tell("hi");
    socket.expect(r#"42["hi"]"#);
    sio.tell("/state");
    sio.says(&["/ connected (emits go here)", "/chat connected"]);
    let report = sio.line();
    assert!(
        report.starts_with("connected by websocket for "),
        "{report}"
    );
    sio.until("0 events, 0 reconnects");
    sio.tell("/leave chat");
    socket.expect("41/chat,");
    sio.says(&["disconnected /chat: closed by this client"]);
    sio.tell("/use chat");
    sio.says(&["/chat is not joined; join it first"]);
    sio.tell("/help");
    sio.until("/quit, Ctrl-D");
    sio.no_more();
    is_left(&mut socket);
    sio.end().is(0, "");
}
