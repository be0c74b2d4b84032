//! htmlfile: scripts that stream in, in any pieces, and streams that are none.

use std::time::Duration;

use sio_legacy::{DisconnectReason, Limits, Transport};
use sio_peer::alone::{alone, resident_bytes};
use sio_peer::bytes::gzip;
use sio_peer::peer::Answer;
use sio_peer::wait::assert_says;

use crate::scene::{Streaming, begin, opening, usual};
use crate::wire::{Answers as _, framed, preamble, script};

/// The error that ends a session whose stream brings these chunks.
#[track_caller]
fn fatal(chunks: &[&[u8]]) -> String {
    let mut scene = Streaming::new();
    for chunk in chunks {
        scene.stream.chunk(chunk);
    }
    let text = scene.told.fatal();
    scene.stream.request.expect_drop();
    scene.peer.hears_nothing(Duration::from_millis(10));
    text
}

#[test]
fn scripts_may_come_in_any_pieces() {
    let mut scene = Streaming::new();
    let mut page = script("3:::한 😀 </script> \u{2028} \\/");
    page.push_str(&script(&framed(&["3:::two", "3:::three"])));
    // Each byte alone, in chunks of its own.
    for byte in page.bytes() {
        scene.stream.chunk(&[byte]);
    }
    assert_eq!(scene.told.text_event().1, "한 😀 </script> \u{2028} \\/");
    assert_eq!(scene.told.text_event().1, "two");
    assert_eq!(scene.told.text_event().1, "three");
    // Many in one chunk.
    let many: String = (0..500).map(|n| script(&format!("3:::{n}"))).collect();
    scene.stream.chunk(many.as_bytes());
    for n in 0..500 {
        assert_eq!(scene.told.text_event().1, n.to_string());
    }
}

#[test]
fn the_chunks_themselves_may_be_cut_anywhere() {
    let (mut peer, mut told, connecting) = begin(Transport::HtmlFile, &usual(), |b| b);
    let mut get = opening(&mut peer, Transport::HtmlFile, "S");
    let mut bytes =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_vec();
    for part in [preamble(), script("1::"), script("3:::x")] {
        bytes.extend(crate::wire::chunk(part.as_bytes()));
    }
    for byte in bytes {
        get.raw(&[byte]);
    }
    let client = connecting.join().expect("a connection");
    assert_eq!(told.text_event().1, "x");
    assert!(client.is_connected());
}

#[test]
fn slashes_may_be_escaped_or_not_and_other_html_is_skipped() {
    let mut scene = Streaming::new();
    scene.stream.chunk(b"<!-- <script> --><p>3:::no</p>");
    scene
        .stream
        .chunk(b"<script>_(\"3:::</script>\");</script>");
    assert_eq!(scene.told.text_event().1, "</script>");
    scene
        .stream
        .chunk(b"<script>_(\"3:::<\\/script>\");</script>");
    assert_eq!(scene.told.text_event().1, "</script>");
    scene
        .stream
        .chunk(b"<script>_(\"3:::a\\ud83db\");</script>");
    assert_eq!(scene.told.text_event().1, "a\u{fffd}b");
}

#[test]
fn whitespace_without_end_between_scripts_takes_no_memory() {
    alone(
        "stream::whitespace_without_end_between_scripts_takes_no_memory",
        || {
            let limits = Limits::default().message_bytes(100_000);
            let mut scene = Streaming::with(&usual(), |b| b.limits(limits));
            let blank = vec![b' '; 64 << 10];
            let round = |scene: &mut Streaming| {
                for _ in 0..500 {
                    scene.stream.chunk(&blank);
                }
                scene.stream.packet("3:::fence");
                assert_eq!(scene.told.text_event().1, "fence");
            };
            round(&mut scene);
            let before = resident_bytes();
            round(&mut scene);
            let grown = resident_bytes().saturating_sub(before);
            assert!(grown < 2 << 20, "memory grew by {grown}");
        },
    );
}

#[test]
fn a_script_over_the_limit_ends_the_session_before_it_is_whole() {
    let limits = Limits::default().message_bytes(10_000);
    let mut scene = Streaming::with(&usual(), |b| b.limits(limits));
    scene.stream.chunk(b"<script>_(\"3:::");
    for _ in 0..20 {
        scene.stream.chunk(&[b'x'; 1000]);
    }
    assert_says(
        &scene.told.fatal(),
        &["the stream is broken", "at most 10000 bytes"],
    );
    scene.stream.request.expect_drop();
}

#[test]
fn a_stream_may_be_longer_than_the_limit_on_one_script() {
    let limits = Limits::default().message_bytes(1000);
    let mut scene = Streaming::with(&usual(), |b| b.limits(limits));
    let filler = "x".repeat(500);
    for _ in 0..20 {
        scene.stream.packet(&format!("3:::{filler}"));
        assert_eq!(scene.told.text_event().1, filler);
    }
}

#[test]
fn scripts_that_are_none_end_the_session_and_say_where() {
    let broken: [(&[u8], &str); 7] = [
        (
            b"<script>_(7);</script>",
            "expected a JSON string at offset",
        ),
        (
            b"<script>_('1::');</script>",
            "expected a JSON string at offset",
        ),
        (
            b"<script>_(\"3:::x\"+1);</script>",
            "expected `);</script>` at offset",
        ),
        (
            b"<script>_(\"3:::x\");<script>",
            "expected `);</script>` at offset",
        ),
        (
            b"<script>_(\"3:::\n\");</script>",
            "expected a JSON string at offset",
        ),
        (
            b"<script>_(\"\\x41\");</script>",
            "expected a JSON string at offset",
        ),
        (
            "<script>_(\"\u{fffd}9\u{fffd}8::\");</script>".as_bytes(),
            "expected a packet of length 9",
        ),
    ];
    for (page, says) in broken {
        let text = fatal(&[page]);
        assert_says(&text, &[says]);
    }
}

#[test]
fn what_came_before_the_break_is_delivered_and_what_comes_behind_is_not() {
    let mut scene = Streaming::new();
    let page = [
        &script("3:::good"),
        "<script>_(7);</script>",
        &script("3:::bad"),
    ]
    .concat();
    scene.stream.chunk(page.as_bytes());
    assert_eq!(scene.told.text_event().1, "good");
    scene.told.fatal();
    assert_eq!(scene.client.counters().events, 1);
}

#[test]
fn a_stream_that_ends_between_scripts_is_a_disconnect() {
    let mut scene = Streaming::new();
    scene.stream.end();
    let reason = scene.told.reason();
    assert!(
        matches!(reason, DisconnectReason::TransportClose { .. }),
        "{reason:?}"
    );
}

#[test]
fn a_stream_that_is_cut_in_a_script_is_an_error() {
    let mut scene = Streaming::new();
    scene.stream.chunk(b"<script>_(\"3:::half");
    scene.stream.end();
    assert_says(
        &scene.told.fatal(),
        &["the stream is broken", "the end of a script"],
    );

    let mut scene = Streaming::new();
    scene.stream.chunk(b"<script>_(\"3:::half");
    scene.stream.request.close();
    assert_says(
        &scene.told.fatal(),
        &["GET http://", "before the answer was complete"],
    );
}

#[test]
fn a_stream_that_is_an_error_or_a_page_ends_the_session() {
    for (answer, says) in [
        (
            Answer::new(500, "text/html", b"<h1>Oops"),
            "HTTP status 500",
        ),
        (Answer::new(400, "text/plain", b""), "HTTP status 400"),
        (
            Answer::new(302, "text/html", b"").header("Location", "/x"),
            "HTTP status 302",
        ),
        (Answer::plain("7:::1+0"), "closed"),
        (
            Answer::new(200, "text/html", b"<html>Please log in</html>"),
            "closed",
        ),
        (Answer::plain("io.j[0](\"1::\");"), "closed"),
    ] {
        let (mut peer, _told, connecting) = begin(Transport::HtmlFile, &usual(), |b| b);
        opening(&mut peer, Transport::HtmlFile, "S").answer(&answer);
        let error = connecting.join().unwrap_err();
        assert_says(&error.chain(), &[says]);
    }
}

#[test]
fn a_compressed_stream_is_read_though_it_was_not_asked_for() {
    let (mut peer, mut told, connecting) = begin(Transport::HtmlFile, &usual(), |b| b);
    let get = opening(&mut peer, Transport::HtmlFile, "S");
    assert_eq!(get.header("accept-encoding"), Some("identity"));
    let page = gzip(
        [preamble(), script("1::"), script("3:::x")]
            .concat()
            .as_bytes(),
    );
    get.answer(&Answer::new(200, "text/html", &page).header("Content-Encoding", "gzip"));
    let _client = connecting.join().expect("a connection");
    assert_eq!(told.text_event().1, "x");
    let reason = told.reason();
    assert!(
        matches!(reason, DisconnectReason::TransportClose { .. }),
        "{reason:?}"
    );
}

#[test]
fn broken_utf8_is_replaced() {
    let mut scene = Streaming::new();
    scene
        .stream
        .chunk(b"<script>_(\"3:::a\xff\xc3b\");</script>");
    assert_eq!(scene.told.text_event().1, "a\u{fffd}\u{fffd}b");
    assert!(scene.client.is_connected());
}
