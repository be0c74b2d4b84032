//! `sio emit`: what arrives, what is printed, and how it ends.

use tungstenite::Message;

use crate::scratch::Scratch;
use crate::stage::{Server, Sio, is_left};

#[test]
fn an_event_arrives_before_the_end() {
    let mut server = Server::new();
    let args = [
        "news",
        "\"a text\"",
        "{\"b\":1,\"a\":[null]}",
        "-5",
        "--namespace",
        "/chat",
    ];
    let (sio, mut socket) = server.let_in("emit", &args);
    socket.expect("40/chat,");
    socket.text("40/chat");
    socket.expect(r#"42/chat,["news","a text",{"a":[null],"b":1},-5]"#);
    socket.is_closed();
    let ended = sio.end();
    ended.is(0, "");
    assert!(ended.out.is_empty());
}

#[test]
fn arguments_come_from_files_and_from_the_input_in_the_order_given() {
    let json = Scratch::new("order.json", b" [1,\n 2] ");
    let bytes = Scratch::new("order.bin", b"\x00\xff");
    let mut server = Server::new();
    let at = format!("@{}", json.path());
    let args = [
        "all",
        "1",
        "--bytes",
        bytes.path(),
        "-",
        &at,
        "{\"$bytes\":\"aGk\"}",
    ];
    let mut sio = server.start("emit", &args);
    sio.tell("\"from the input\"");
    sio.no_more();
    let mut socket = server.accept();
    socket.expect(
        r#"452-["all",1,{"_placeholder":true,"num":0},"from the input",[1,2],{"_placeholder":true,"num":1}]"#,
    );
    assert_eq!(socket.message(), Message::binary(&b"\x04\x00\xff"[..]));
    assert_eq!(socket.message(), Message::binary(&b"\x04hi"[..]));
    is_left(&mut socket);
    sio.end().is(0, "");
}

#[test]
fn the_answer_is_printed_a_value_on_each_line() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("emit", &["add", "1", "--ack"]);
    socket.expect(r#"420["add",1]"#);
    socket.text(r#"42["something else"]"#);
    socket.text(r#"461-0[{"sum":1},{"_placeholder":true,"num":0},"z"]"#);
    socket.raw(b"\x82\x03\x04hi");
    sio.says(&[r#"{"sum":1}"#, r#"{"$bytes":"aGk="}"#, "\"z\""]);
    is_left(&mut socket);
    let ended = sio.end();
    ended.is(0, "");
    assert!(ended.out.is_empty());
}

#[test]
fn the_answer_with_json_is_a_line() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("emit", &["add", "--ack", "--json"]);
    socket.expect(r#"420["add"]"#);
    socket.text(r#"42["something else"]"#);
    socket.text("430[3]");
    sio.until(r#"{"state":"connected""#);
    let ack = sio.line();
    assert!(ack.starts_with(r#"{"ack":1,"args":[3],"ms":"#), "{ack}");
    is_left(&mut socket);
    sio.end().is(0, "");
}

#[test]
fn an_answer_that_does_not_come_ends_with_5() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("emit", &["add", "--ack", "--timeout", "0.2", "--json"]);
    sio.until(r#"{"ack":1,"error":"timed out"}"#);
    is_left(&mut socket);
    let ended = sio.end();
    ended.is(
        5,
        "sio: no ack came within 200ms (--timeout gives it longer)",
    );
    let last = ended.out.last().unwrap();
    assert_eq!(
        last,
        r#"{"error":{"kind":"timeout","message":"no ack came within 200ms"}}"#
    );
}

#[test]
fn a_connection_that_is_lost_before_the_answer_ends_with_3() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("emit", &["add", "--ack"]);
    socket.expect(r#"420["add"]"#);
    socket.cut();
    sio.end().is(3, "sio: ");
}

#[test]
fn a_refusal_ends_with_4_and_the_servers_own_words() {
    let mut server = Server::new();
    let (sio, mut socket) = server.let_in("emit", &["x", "--namespace", "/guarded", "--json"]);
    socket.expect("40/guarded,");
    socket.text(r#"44/guarded,{"code":7}"#);
    let ended = sio.end();
    ended.is(4, r#"sio: the server refused /guarded: {"code":7}"#);
    let message = r#""the server refused /guarded: {\"code\":7}""#;
    let error = format!(
        r#"{{"error":{{"kind":"refused","message":{message},"namespace":"/guarded","reason":{{"code":7}}}}}}"#
    );
    assert_eq!(ended.out, [error]);
}

#[test]
fn no_server_ends_with_3() {
    let server = Server::new();
    let url = server.url.clone();
    drop(server);
    let ended = Sio::start(&["emit", &url, "x", "--json"]).end();
    ended.is(3, "sio: connecting to 127.0.0.1:");
    assert!(
        ended.out[0].starts_with(r#"{"error":{"kind":"transport","#),
        "{:?}",
        ended.out
    );
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn this_build_has_tls() {
    let server = Server::new();
    let url = server.url.replace("http:", "https:");
    let authority = Scratch::new("authority.pem", b"no certificate");
    let args = ["emit", &url, "x", "--server", "2", "--ca", authority.path()];
    Sio::start(&args).end().is(2, "--ca is not valid: ");
    assert_eq!(server.peer.connections(), 0);
}

#[test]
fn a_silent_server_ends_with_5() {
    let server = Server::new();
    let sio = server.start("emit", &["x", "--timeout", "0.3"]);
    sio.end().is(5, "within 300ms");
}

#[test]
fn what_cannot_be_sent_is_said_before_anything_is_sent() {
    for (args, said) in [
        (
            &["x", "hello"][..],
            "argument 1: no JSON: expected value at column 1; as a text it is written '\"hello\"'",
        ),
        (
            &["x", "1", "{\"$bytes\":1}"],
            "argument 2: \"$bytes\" needs a string of base64",
        ),
        (&["x", "@/nowhere/x.json"], "cannot read /nowhere/x.json"),
        (&["x", "--bytes", "/nowhere/x"], "cannot read /nowhere/x"),
        (
            &["x", "--namespace", "/a", "--namespace", "/b"],
            "give --namespace once",
        ),
        (
            &["x", "--header", "s3cret"],
            "--header, the 1. one, has no ':'",
        ),
        (&["x", "--proxy", "ftp://u:s3cret@h"], "proxy"),
        (
            &["x", "--ca", "/nowhere/ca.pem"],
            "--ca is not valid: cannot read /nowhere/ca.pem",
        ),
        (
            &["x", "--transport", "htmlfile"],
            "--transport is not valid: this protocol has no htmlfile",
        ),
    ] {
        let server = Server::new();
        let fixed = ["emit", &server.url, "--server", "2"];
        let ended = Sio::start(&[&fixed, args].concat()).end();
        ended.is(2, said);
        assert!(!ended.err.contains("s3cret"), "{}", ended.err);
        assert_eq!(server.peer.connections(), 0);
    }
}

#[test]
fn secrets_come_from_files_and_reach_the_server() {
    let headers = Scratch::new(
        "headers",
        b"# a comment\nAuthorization: Bearer s3cret\n\nX-B: c:d\n",
    );
    let mut server = Server::new();
    let at = format!("@{}", headers.path());
    let args = [
        "x", "--header", &at, "--cookie", "sid=1", "--query", "q=a b",
    ];
    let sio = server.start("emit", &args);
    let request = server.peer.upgrade();
    assert_eq!(request.header("authorization"), Some("Bearer s3cret"));
    assert_eq!(request.header("x-b"), Some("c:d"));
    assert_eq!(request.header("cookie"), Some("sid=1"));
    assert!(request.target.contains("q=a%20b"), "{}", request.target);
    // So the client asks what is there, and finds nobody.
    request.close();
    drop(server);
    let ended = sio.end();
    ended.is(3, "sio: ");
    assert!(!ended.err.contains("s3cret"));
}
