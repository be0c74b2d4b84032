//! The bodies of polls: broken, odd, in any framing, and in any pieces.

use sio_peer::peer::Answer;
use sio_peer::wait::assert_says;
use sio_v1::Value;

use crate::polling::fatal;
use crate::scene::Polling;
use crate::wire::{Answers as _, binary, binary_body, text, text_body};

#[test]
fn a_broken_text_body_ends_the_session_and_says_where_it_is_broken() {
    let endless = format!("{}:42[\"x\"]", "1".repeat(100_000));
    let broken = [
        ("", "found an empty text payload"),
        (
            "9:42[\"x\"]",
            "expected a packet of length 9 at offset 2, found only 7",
        ),
        ("99999999:4", "expected a packet of length 99999999"),
        ("9999999999:4", "expected a packet of length 9999999999"),
        (
            "12",
            "expected the end mark of the length that begins at offset 0",
        ),
        ("5x:42[1]", "found byte 'x'"),
        (":42[1]", "found byte ':'"),
        ("-1:4", "found byte '-'"),
        (&endless, "expected a length of at most 10 digits"),
        ("2:9x", "found '9'"),
        ("2:x0", "found 'x'"),
        ("1:b", "found the end of the packet"),
        ("4:b4#!", "expected base64 data"),
    ];
    for (body, says) in broken {
        let text = fatal(&Answer::broken(body));
        assert_says(&text, &["the body of a poll is broken", says]);
    }
}

#[test]
fn a_broken_binary_body_ends_the_session_and_says_where_it_is_broken() {
    let endless = [&[0][..], &[1; 100_000]].concat();
    let broken: [(&[u8], &str); 8] = [
        (
            b"\x00\x09\xff42",
            "expected a packet of length 9 at offset 3, found only 2",
        ),
        (
            b"\x00\x09\x09\x09\x09\x09\x09\x09\x09\xff4",
            "expected a packet of length 99999999",
        ),
        (
            b"\x00\x01",
            "expected the end mark of the length that begins at offset 1",
        ),
        (b"\x00", "expected the end mark of the length"),
        (b"\x00\x0b\xff4", "found byte '\\x0b'"),
        (
            b"\x02\x01\xff4",
            "expected a packet kind 0 (text) or 1 (binary) at offset 0, found 2",
        ),
        (
            b"\x01\x01\xff\x09",
            "expected an Engine.IO packet type number 0 to 6 at offset 3, found 9",
        ),
        (&endless, "expected a length of at most 10 digits"),
    ];
    for (body, says) in broken {
        let text = fatal(&Answer::broken_binary(body));
        assert_says(&text, &["the body of a poll is broken", says]);
    }
}

#[test]
fn what_came_before_the_break_is_delivered() {
    let mut scene = Polling::new();
    scene.answer(&Answer::broken("12:42[\"good\",1]9:42"));
    assert_eq!(scene.told.event().0, "good");
    assert_says(&scene.told.fatal(), &["expected a packet of length"]);
}

#[test]
fn odd_bodies_are_read_and_counted() {
    let mut scene = Polling::new();
    // A server that counts bytes; a lone surrogate as 1.5 to 1.7 write it; a packet of length zero.
    scene.deliver(&Answer::broken("14:42[\"uni\",\"é\"]"));
    assert_eq!(scene.told.text_event().1, "é");
    assert_eq!(scene.client.counters().tolerated, 1);
    scene.deliver(&Answer::broken_binary(
        b"\x00\x01\x03\xff42[\"s\",\"\xed\xa0\x80\"]",
    ));
    assert_eq!(scene.told.text_event().1, "\u{fffd}\u{fffd}\u{fffd}");
    assert_eq!(scene.client.counters().tolerated, 2);
    scene.deliver(&Answer::broken("0:11:42[\"t\",\"u\"]"));
    assert_eq!(scene.told.text_event().1, "u");
    assert_eq!(scene.client.counters().tolerated, 3);
}

#[test]
fn the_framing_is_chosen_anew_for_each_answer() {
    let mut scene = Polling::new();
    let event = |n: u32| format!("42[\"e\",\"{n} é😀\"]");
    for n in (0..6).step_by(2) {
        scene.deliver(&Answer::text(&[&event(n)]));
        scene.deliver(&Answer::binary(&[text(&event(n + 1))]));
        for n in [n, n + 1] {
            assert_eq!(scene.told.text_event().1, format!("{n} é😀"));
        }
    }
    assert_eq!(scene.client.counters().tolerated, 0);
}

#[test]
fn a_slow_body_is_read_to_its_end() {
    let mut scene = Polling::new();
    let mut poll = scene.poll.take().unwrap();
    poll.may_be_answered();
    for byte in Answer::text(&["42[\"slow\",\"body\"]"]).bytes() {
        poll.raw(&[byte]);
    }
    drop(poll);
    assert_eq!(scene.told.text_event(), ("slow".into(), "body".into()));
    scene.poll = Some(scene.peer.get());
}

#[test]
fn chunked_bodies_are_read() {
    let mut scene = Polling::new();
    let mut poll = scene.poll.take().unwrap();
    poll.may_be_answered();
    let body = text_body(&["42[\"c\",\"1\"]", "42[\"c\",\"2\"]"]);
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(7) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    poll.raw(&bytes);
    drop(poll);
    assert_eq!(scene.told.text_event().1, "1");
    assert_eq!(scene.told.text_event().1, "2");
}

#[test]
fn a_hundred_thousand_packets_in_one_body_are_read_and_more_refused() {
    let mut peer_body = text_body(&vec!["6"; 99_999]);
    peer_body.extend(text_body(&["42[\"last\",\"one\"]"]));
    let mut scene = Polling::new();
    scene.deliver(&Answer::broken(&peer_body));
    assert_eq!(scene.told.text_event(), ("last".into(), "one".into()));
    peer_body.extend(text_body(&["6"]));
    scene.answer(&Answer::broken(&peer_body));
    assert_says(
        &scene.told.fatal(),
        &["expected at most 100000 packets in one payload"],
    );
}

#[test]
fn a_body_in_the_wrong_framing_is_an_error() {
    let as_text = Answer::broken(binary_body(&[text("42[\"x\"]")]));
    assert_says(&fatal(&as_text), &["the body of a poll is broken"]);
    let as_binary = Answer::broken_binary(text_body(&["42[\"x\"]"]));
    assert_says(&fatal(&as_binary), &["the body of a poll is broken"]);
}

#[test]
fn a_binary_event_may_be_spread_over_polls() {
    let mut scene = Polling::new();
    let header =
        "452-[\"two\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]";
    scene.deliver(&Answer::binary(&[text(header)]));
    scene.text("6");
    scene.deliver(&Answer::binary(&[binary(b"zero")]));
    scene.deliver(&Answer::text(&["b4b25l"]));
    let (name, values) = scene.told.event();
    assert_eq!(name, "two");
    assert_eq!(
        values,
        [
            Value::from(bytes::Bytes::from("one")),
            bytes::Bytes::from("zero").into(),
        ]
    );
}
