//! The polling transports: answers that fail, are broken, or come too fast.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use sio_legacy::{DisconnectReason, Limits, Options, Transport};
use sio_peer::bytes::gzip;
use sio_peer::peer::Answer;
use sio_peer::wait::{all_at_once, assert_says, takes};

use crate::scene::{Polling, body, usual};
use crate::wire::{Answers as _, MARK, Posts as _, call, framed, script};

const BOTH: [Transport; 2] = [Transport::Polling, Transport::JsonpPolling];

/// The error that ends a session whose poll gets this answer.
#[track_caller]
fn fatal_on(transport: Transport, answer: &Answer) -> String {
    let mut scene = Polling::on(transport);
    scene.answer(answer);
    let text = scene.told.fatal();
    assert!(!scene.client.is_connected());
    scene.peer.hears_nothing(Duration::from_millis(20));
    text
}

/// How many polls come within a second in which each is answered at once.
fn polls_in_a_second(transport: Transport, answer: &Answer) -> usize {
    let mut scene = Polling::on(transport);
    let start = Instant::now();
    let mut polls = 0;
    let mut held = scene.poll.take();
    while let Some(left) = Duration::from_secs(1).checked_sub(start.elapsed()) {
        if let Some(poll) = held.take() {
            poll.answer(answer);
            polls += 1;
        }
        held = scene.peer.get_within(left);
    }
    assert!(scene.client.is_connected());
    polls
}

#[test]
fn polls_that_are_answered_at_once_with_nothing_do_not_spin() {
    let nothing = BOTH.map(|transport| (transport, String::new()));
    let noops = BOTH.map(|transport| (transport, body(transport, &["8::"])));
    // Nor with what is of no use: confirmed again and again, of unknown types, for nobody.
    let of_no_use = [
        "1::",
        "junk",
        "1::/nobody",
        "5::/nobody:{\"name\":\"x\"}",
        "5:::{}",
        "6:::x",
        "7:::2",
    ]
    .map(|packet| (Transport::Polling, packet.to_owned()));
    let all = nothing.into_iter().chain(noops).chain(of_no_use);
    all_at_once(all, |(transport, body)| {
        let polls = polls_in_a_second(transport, &Answer::plain(&body));
        assert!(
            (2..=8).contains(&polls),
            "{polls} answers {body:?} on {transport} in a second"
        );
    });
}

#[test]
fn polls_that_bring_something_follow_each_other_at_once() {
    for transport in BOTH {
        let mut scene = Polling::on(transport);
        takes(Duration::ZERO, Duration::from_secs(5), || {
            for n in 0..300 {
                scene.packets(&[&format!("5:::{{\"name\":\"n\",\"args\":[\"{n}\"]}}")]);
                assert_eq!(scene.told.text_event().1, n.to_string());
            }
        });
        assert_eq!(scene.peer.connections(), 1);
    }
}

#[test]
fn a_pause_ends_with_the_first_poll_that_brings_something() {
    let mut scene = Polling::new();
    for _ in 0..3 {
        scene.deliver(&Answer::plain(""));
    }
    // Pauses of 100, 200 and 400 ms are over; the next quick nothing would cost 800.
    scene.packets(&["5:::{\"name\":\"x\"}"]);
    takes(Duration::ZERO, Duration::from_millis(400), || {
        scene.deliver(&Answer::plain("8::"));
    });
    assert_eq!(scene.client.counters().tolerated, 3);
}

#[test]
fn emits_leave_while_the_polls_pause() {
    let mut scene = Polling::new();
    for _ in 0..3 {
        scene.deliver(&Answer::plain(""));
    }
    scene.answer(&Answer::plain(""));
    takes(Duration::ZERO, Duration::from_millis(500), || {
        scene.client.emit("x", ()).unwrap();
        assert_eq!(scene.peer.post().packets(), ["5:::{\"name\":\"x\"}"]);
    });
}

#[test]
fn an_error_page_ends_the_session_with_its_status() {
    for transport in BOTH {
        for (status, page) in [
            (400, ""),
            (500, "<h1>Oops</h1>"),
            (502, "Bad Gateway"),
            (404, "no"),
        ] {
            let text = fatal_on(
                transport,
                &Answer::new(status, "text/html", page.as_bytes()),
            );
            let says = format!("a poll was answered with HTTP status {status}");
            assert_says(&text, &[&says, page]);
        }
        let redirect = Answer::new(302, "text/html", b"").header("Location", "/login");
        assert_says(
            &fatal_on(transport, &redirect),
            &["HTTP status 302", "/login"],
        );
        let page = Answer::new(200, "text/html", b"<html>Please log in");
        assert_says(
            &fatal_on(transport, &page),
            &["a poll was answered with HTTP status 200", "Please log in"],
        );
    }
}

#[test]
fn a_poll_without_an_answer_or_with_half_of_one_ends_the_session() {
    let mut scene = Polling::new();
    scene.poll.take().unwrap().close();
    assert_says(
        &scene.told.fatal(),
        &["GET http://", "closed without an answer"],
    );

    let mut scene = Polling::new();
    let mut poll = scene.poll.take().unwrap();
    let bytes = Answer::packets(&["5:::{\"name\":\"half\"}"]).bytes();
    poll.raw(&bytes[..bytes.len() - 3]);
    poll.close();
    scene.told.fatal();
    assert_eq!(scene.client.counters().events, 0);
}

#[test]
fn frames_with_wrong_lengths_end_the_session_and_say_where() {
    let packet = "5:::{\"name\":\"x\"}";
    let frames = |length: &str, packet: &str| format!("{MARK}{length}{MARK}{packet}");
    let endless = frames(&"1".repeat(100_000), packet);
    let broken = [
        (
            frames("99", packet),
            "expected a packet of length 99 at offset 8, found only 16",
        ),
        (
            frames("9999999999", packet),
            "expected a packet of length 9999999999",
        ),
        (frames("15", packet), "U+FFFD"),
        (frames("", packet), "found '\u{fffd}'"),
        (frames("-1", packet), "found '-'"),
        (frames("1e1", packet), "found 'e'"),
        (frames("0x10", packet), "found 'x'"),
        (
            endless,
            "expected a length of at most 10 digits at offset 3",
        ),
        (format!("{MARK}12"), "found the end of the payload"),
        (format!("{MARK}"), "found the end of the payload"),
        (
            format!("{MARK}6{MARK}3:::😀{MARK}5{MARK}3:::😀"),
            "ends inside the one at offset",
        ),
        (format!("{}garbage", framed(&[packet, packet])), "found 'g'"),
    ];
    for (payload, says) in broken {
        for transport in BOTH {
            let body = if transport == Transport::JsonpPolling {
                call(&payload)
            } else {
                payload.clone()
            };
            let text = fatal_on(transport, &Answer::plain(body));
            assert_says(&text, &["the body of a poll is broken"]);
            assert!(
                text.contains(says) || says == "U+FFFD",
                "no {says:?} in {text}"
            );
            assert!(text.len() < 400, "{} characters", text.len());
        }
    }
}

#[test]
fn what_came_before_the_break_is_delivered() {
    let mut scene = Polling::new();
    let good = framed(&["5:::{\"name\":\"good\"}"]);
    scene.answer(&Answer::plain(format!("{good}{MARK}9{MARK}8::")));
    assert_eq!(scene.told.event().0, "good");
    assert_says(&scene.told.fatal(), &["expected a packet of length 9"]);
}

#[test]
fn lengths_are_utf16_units_and_marks_inside_of_data_are_data() {
    let texts = [
        "한",
        "😀",
        "e\u{301}",
        "\u{fffd}",
        "\u{fffd}5\u{fffd}3:::x",
        "a:b\n",
    ];
    for transport in BOTH {
        let mut scene = Polling::on(transport);
        let packets: Vec<String> = texts.iter().map(|text| format!("3:::{text}")).collect();
        let packets: Vec<&str> = packets.iter().map(|packet| &**packet).collect();
        scene.packets(&packets);
        for text in texts {
            assert_eq!(scene.told.text_event(), ("message".into(), text.into()));
        }
        scene.packets(&packets[4..5]);
        assert_eq!(scene.told.text_event().1, texts[4]);
    }
}

#[test]
fn a_body_that_is_no_utf8_is_read_with_replacements_and_counted() {
    let mut scene = Polling::new();
    scene.deliver(&Answer::plain(b"3:::a\xff\xc3b"));
    assert_eq!(scene.told.text_event().1, "a\u{fffd}\u{fffd}b");
    assert_eq!(scene.client.counters().tolerated, 1);
}

#[test]
fn compressed_and_slow_bodies_are_read() {
    let mut scene = Polling::new();
    let body = gzip(b"3:::small");
    scene.deliver(&Answer::plain(body).header("Content-Encoding", "gzip"));
    assert_eq!(scene.told.text_event().1, "small");
    let mut poll = scene.poll.take().unwrap();
    poll.may_be_answered();
    for byte in Answer::packets(&["3:::slow", "3:::er"]).bytes() {
        poll.raw(&[byte]);
    }
    assert_eq!(scene.told.text_event().1, "slow");
    assert_eq!(scene.told.text_event().1, "er");
}

#[test]
fn a_body_over_the_limit_ends_the_session_and_names_the_limit() {
    let limits = Limits::default().message_bytes(1 << 20);
    for transport in BOTH {
        let mut scene = Polling::with(transport, &usual(), |b| b.limits(limits.clone()));
        let body = format!("3:::{}", "x".repeat(8 << 20));
        scene.answer(&Answer::plain(body));
        assert_says(
            &scene.told.fatal(),
            &["1048576 bytes", "Limits::message_bytes"],
        );
    }
}

#[test]
fn a_body_of_exactly_the_limit_is_read() {
    let limits = Limits::default().message_bytes(100_000);
    let mut scene = Polling::with(Transport::Polling, &usual(), |b| b.limits(limits));
    let text = "x".repeat(100_000 - 4);
    scene.packets(&[&format!("3:::{text}")]);
    assert_eq!(scene.told.text_event().1, text);
}

#[test]
fn a_hundred_thousand_packets_in_one_body_are_read_and_more_refused() {
    let mut packets = vec!["8::"; 99_999];
    packets.push("3:::last");
    let mut scene = Polling::new();
    takes(Duration::ZERO, Duration::from_secs(5), || {
        scene.packets(&packets);
        assert_eq!(scene.told.text_event().1, "last");
    });
    packets.push("3:::too much");
    scene.answer(&Answer::packets(&packets));
    assert_says(
        &scene.told.fatal(),
        &["expected at most 100000 packets in one payload"],
    );
}

#[test]
fn what_answers_a_post_proves_nothing_unless_it_is_an_error_or_a_page() {
    for transport in BOTH {
        let mut scene = Polling::on(transport);
        for answer in [
            "1",
            "",
            "ok",
            "0",
            "{\"ok\":1}",
            "7:::1+0",
            "\u{fffd}9\u{fffd}",
            "1\n",
        ] {
            scene.client.emit("x", ()).unwrap();
            scene.peer.post().answer(&Answer::plain(answer));
        }
        scene.client.emit("last", ()).unwrap();
        assert_eq!(scene.post(), ["5:::{\"name\":\"last\"}"]);
        assert!(scene.client.is_connected());
    }
    for (answer, says) in [
        (Answer::new(500, "text/plain", b"no"), "HTTP status 500"),
        (Answer::new(400, "text/plain", b""), "HTTP status 400"),
        (Answer::new(204, "text/plain", b""), "HTTP status 204"),
        (
            Answer::new(200, "text/html", b"<html>log in"),
            "a web page answers here",
        ),
        (
            Answer::plain("1").header("Content-Encoding", "br"),
            "content coding",
        ),
    ] {
        let mut scene = Polling::new();
        scene.client.emit("x", ()).unwrap();
        scene.peer.post().answer(&answer);
        assert_says(&scene.told.fatal(), &[says]);
        scene.poll.take().unwrap().expect_drop();
    }
}

#[test]
fn a_post_without_an_answer_ends_the_session() {
    let mut scene = Polling::new();
    scene.client.emit("x", ()).unwrap();
    scene.peer.post().close();
    assert_says(
        &scene.told.fatal(),
        &["POST http://", "closed without an answer"],
    );
    scene.poll.take().unwrap().expect_drop();
}

#[test]
fn a_post_that_is_never_answered_ends_the_session_at_its_limit() {
    let limit = Duration::from_secs(1);
    let options = Options::new().poll_timeout(limit);
    let mut scene = Polling::with(Transport::Polling, &usual(), |b| b.protocol(options));
    scene.client.emit("x", ()).unwrap();
    let post = scene.peer.post();
    let reason = takes(Duration::ZERO, 3 * limit, || scene.told.reason());
    assert!(
        matches!(reason, DisconnectReason::PingTimeout),
        "{reason:?}"
    );
    post.expect_drop();
    scene.poll.take().unwrap().expect_drop();
}

#[test]
fn a_server_that_closes_after_each_answer_is_served_too() {
    let mut scene = Polling::new();
    for n in 0..5 {
        let packet = format!("3:::{n}");
        scene.deliver(&Answer::packets(&[&packet]).header("Connection", "close"));
        assert_eq!(scene.told.text_event().1, n.to_string());
    }
    assert_eq!(scene.peer.connections(), 6);
}

#[test]
fn a_connection_that_is_closed_between_two_polls_is_made_anew() {
    let mut scene = Polling::new();
    for _ in 0..3 {
        // Closed without a word, as a server does whose time for idle connections is over; the next poll pauses.
        let poll = scene.poll.take().unwrap();
        let stream = poll.stream.try_clone().unwrap();
        poll.answer(&Answer::packets(&["8::"]));
        let _ = stream.shutdown(Shutdown::Both);
        scene.poll = Some(scene.peer.get());
    }
    scene.packets(&["3:::x"]);
    assert_eq!(scene.told.text_event().1, "x");
}

#[test]
fn a_posts_connection_that_was_closed_while_idle_is_made_anew() {
    let mut scene = Polling::new();
    for n in 0..5 {
        scene.client.emit("n", n).unwrap();
        let post = scene.peer.post();
        let stream = post.stream.try_clone().unwrap();
        post.ok();
        let _ = stream.shutdown(Shutdown::Both);
    }
    scene.client.emit("last", ()).unwrap();
    assert_eq!(scene.post(), ["5:::{\"name\":\"last\"}"]);
    assert!(scene.client.is_connected());
}

#[test]
fn bytes_behind_an_answer_do_not_poison_the_next_one() {
    let mut scene = Polling::new();
    let mut poll = scene.poll.take().unwrap();
    poll.may_be_answered();
    let mut bytes = Answer::packets(&["3:::1"]).bytes();
    bytes.extend(Answer::packets(&["0::"]).bytes());
    poll.raw(&bytes);
    assert_eq!(scene.told.text_event().1, "1");
    scene.poll = Some(scene.peer.get());
    scene.packets(&["3:::2"]);
    assert_eq!(scene.told.text_event().1, "2");
    assert!(scene.client.is_connected());
}

#[test]
fn jsonp_answers_may_have_any_index_and_spaces() {
    let mut scene = Polling::on(Transport::JsonpPolling);
    for (function, end) in [
        ("io.j[0]", ");"),
        ("io.j[7]", ");"),
        ("io.j[18446744073709551616]", ")"),
        ("anything", " ) ;\n"),
        (" \n io.j[0] ", ");\r\n"),
    ] {
        scene.deliver(&Answer::plain(format!("{function}(\"3:::{}\"{end}", "x")));
        assert_eq!(scene.told.text_event().1, "x");
    }
    scene.packets(&["3:::\u{2028}\u{2029}\"\\/\u{7f}"]);
    assert_eq!(scene.told.text_event().1, "\u{2028}\u{2029}\"\\/\u{7f}");
    // Half a surrogate pair, as newer Node writes it.
    scene.deliver(&Answer::plain("io.j[0](\"3:::a\\ud83db\");"));
    assert_eq!(scene.told.text_event().1, "a\u{fffd}b");
}

#[test]
fn jsonp_answers_that_are_none_end_the_session_and_say_why() {
    let broken = [
        ("io.j[0]('3:::x');", "single quotes"),
        ("io.j[['0']]('3:::x');", "single quotes"),
        (
            "io.j[0](new Error(\"session gone\"));",
            "the server refused: session gone",
        ),
        (
            "io.j[0](7);",
            "expected a JSON string as the argument of the call, found \"7\"",
        ),
        ("io.j[0]();", "found \"\""),
        ("io.j[0](\"3:::x\"", "expected a call"),
        ("io.j[0](\"3:::x);", "expected a JSON string"),
        ("io.j[0](\"a\",\"b\");", "expected a JSON string"),
        ("3:::x", "expected a call"),
        ("8::", "expected a call"),
        (&script("3:::x"), "HTTP status 200"),
    ];
    for (body, says) in broken {
        let text = fatal_on(Transport::JsonpPolling, &Answer::plain(body));
        assert_says(&text, &[says]);
    }
}

#[test]
fn jsonp_posts_are_forms_that_any_server_reads() {
    let mut scene = Polling::on(Transport::JsonpPolling);
    scene.client.emit("a+b&c=d%", "é\"\\\n😀 ;").unwrap();
    let post = scene.peer.post();
    assert!(post.target.ends_with("&i=0"), "{}", post.target);
    assert!(post.reads <= 2, "the body comes in one piece");
    assert_eq!(
        post.packets(),
        ["5:::{\"name\":\"a+b&c=d%\",\"args\":[\"\\u00e9\\\"\\\\\\n\\ud83d\\ude00 ;\"]}"]
    );
    post.ok();
    scene.client.emit("first", ()).unwrap();
    let first = scene.peer.post();
    for n in 0..2000 {
        scene.client.emit("n", n).unwrap();
    }
    first.ok();
    let mut came = 0;
    while came < 2000 {
        came += scene.post().len();
    }
    assert_eq!(came, 2000);
}

#[test]
fn an_interim_answer_before_the_answer_is_none() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut scene = Polling::new();
    let mut poll = scene.poll.take().unwrap();
    poll.raw(interim);
    poll.answer(&Answer::packets(&["3:::x"]));
    assert_eq!(scene.told.text_event().1, "x");
    scene.client.emit("y", ()).unwrap();
    let mut post = scene.peer.post();
    post.raw(interim);
    post.ok();
    scene.client.emit("z", ()).unwrap();
    assert_eq!(scene.post(), ["5:::{\"name\":\"z\"}"]);
}
