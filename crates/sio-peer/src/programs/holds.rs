//! What a hostile peer can make a client hold: each limit is an error that names it, and the memory stays within it.
//!
//! The table of all limits is in the documentation of [`Limits`]. What is tested here knows no packet; the rest is in the
//! protocols' crates.

use std::io::Write;
use std::time::Duration;

use sio_core::{DisconnectReason, Limits, Result};
use sio_net::Client;

use super::{Case, Line, Program, Stage, Way, Words, connect, wait_for_cue};
use crate::alone::{peak_bytes, resident_bytes};
use crate::bytes::gzip_bomb;
use crate::peer::{Answer, Request};
use crate::wait::{PATIENCE, assert_says, eventually};
use crate::websocket::{WebSocketPeer, frame};

/// The limit for messages here, and in words.
const LIMIT: usize = 1 << 20;
const LIMIT_SAID: [&str; 2] = ["1048576 bytes", "Limits::message_bytes"];

/// What these programs may hold at most: 10 MiB before anything comes, and a few times the limit.
const PEAK: usize = 20 << 20;

/// A client that takes all this takes anything.
const FLOOD: usize = 512 << 20;

/// How long megabytes may take in a build that is not optimised, on a busy machine.
const LARGE: Duration = Duration::from_secs(60);

/// How many events come beside four megabytes each.
const BODIES: u64 = 20;

/// What is repeated without end, behind a beginning.
type Endless = (&'static [u8], &'static [u8]);

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const UNTIL_CLOSED: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n";

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn cases<W: Words>() -> Vec<Case<W>> {
    const EACH: &[Way] = &[Way::WebSocket, Way::Polling];
    const POLLING: &[Way] = &[Way::Polling];
    const WEBSOCKET: &[Way] = &[Way::WebSocket];
    let case = |name, ways, script| Case::<W>::new(name, ways, victim::<W>, script);
    vec![
        // --- heads --------------------------------------------------------------------------------------------------
        case("a_handshake_of_headers_without_end", EACH, |stage| {
            stage.first_request_gets((HEAD, b"X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"));
            stage.is_refused(&["headers"]);
        }),
        case("a_handshake_with_a_header_without_end", EACH, |stage| {
            stage.first_request_gets((HEAD, b"X"));
            stage.is_refused(&["head", "larger than the limit of"]);
        }),
        case("a_handshake_without_a_line_end", EACH, |stage| {
            stage.first_request_gets((b"", b"x"));
            stage.is_refused(&["HTTP version"]);
        }),
        case("a_poll_of_headers_without_end", POLLING, |stage| {
            stage.poll_gets((HEAD, b"X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"));
            stage.is_refused(&["headers"]);
        }),
        case("a_poll_with_a_header_without_end", POLLING, |stage| {
            stage.poll_gets((HEAD, b"X"));
            stage.is_refused(&["head", "larger than the limit of 16384 bytes"]);
        }),
        case("a_poll_of_answers_without_end", POLLING, |stage| {
            stage.poll_gets((b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"));
            stage.is_refused(&["8404992 bytes on the wire", "Limits::message_bytes"]);
        }),
        // --- bodies -------------------------------------------------------------------------------------------------
        case("a_body_of_chunks_without_end", POLLING, |stage| {
            stage.poll_gets((CHUNKED, b"10\r\n0123456789abcdef\r\n"));
            stage.is_refused(&LIMIT_SAID);
        }),
        case("a_body_without_end", POLLING, |stage| {
            stage.poll_gets((UNTIL_CLOSED, b"0123456789abcdef"));
            stage.is_refused(&LIMIT_SAID);
        }),
        case("a_body_of_a_length_beyond_all_limits", POLLING, |stage| {
            stage.poll_gets((
                b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999\r\n\r\n",
                b"0123456789abcdef",
            ));
            stage.is_refused(&LIMIT_SAID);
        }),
        case("a_chunk_whose_size_has_no_end", POLLING, |stage| {
            stage.poll_gets((CHUNKED, b"0"));
            stage.is_refused(&["chunks", "larger than the limit of 16384 bytes"]);
        }),
        case("a_chunk_extension_without_end", POLLING, |stage| {
            stage.poll_gets((CHUNKED, b"1;x"));
            stage.is_refused(&["chunks", "larger than the limit of 16384 bytes"]);
        }),
        case("trailers_without_end", POLLING, |stage| {
            stage.poll_gets((
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
                b"X-Filler: x\r\n",
            ));
            stage.is_refused(&["8404992 bytes on the wire", "Limits::message_bytes"]);
        }),
        case("a_body_that_unpacks_beyond_the_limit", POLLING, |stage| {
            let bomb = gzip_bomb(b'6', 400 << 20);
            let answer = Answer::new(200, "text/plain", &bomb).header("Content-Encoding", "gzip");
            match stage.connects() {
                Line::Polling(poll, _) => poll.answer(&answer),
                Line::Socket(_) => unreachable!("it is polling"),
            }
            stage.is_refused(&LIMIT_SAID);
        }),
        case("a_handshake_beyond_the_limit", POLLING, |stage| {
            stage.first_request_gets((CHUNKED, b"10\r\n0123456789abcdef\r\n"));
            stage.is_refused(&LIMIT_SAID);
        }),
        // --- messages: the default limit ----------------------------------------------------------------------------
        Case::new(
            "sixty_megabytes_arrive_in_one_piece",
            EACH,
            |program| {
                let (builder, mut events) = program.builder::<W>().events();
                let client = builder.connect().unwrap();
                let event = events.recv_timeout(LARGE).expect("an event");
                let text: String = event.decode().unwrap();
                assert_eq!(text.len(), 60 << 20);
                println!("{} kB for 60 MiB", peak_bytes() >> 10);
                drop((client, event));
            },
            |stage| {
                let line = stage.connects();
                let text = "x".repeat(60 << 20);
                let line = stage.sends(line, &W::text_event("large", &text));
                let ended = stage.ends(0, Duration::ZERO..LARGE);
                drop(line);
                assert_eq!(ended.err, "");
                print!("{}", ended.out);
            },
        ),
        Case::new(
            "sixty_five_megabytes_are_refused",
            EACH,
            |program| {
                let client = program.builder::<W>().connect().unwrap();
                println!("{}", client.wait());
                println!("{}", peak_bytes());
            },
            |stage| {
                let packet = W::text_event("large", &"x".repeat(65 << 20));
                match stage.connects() {
                    Line::Socket(mut socket) => socket.raw(&frame(0x81, packet.as_bytes())),
                    Line::Polling(poll, _) => poll.answer(&W::polled(&[&packet])),
                }
                stage.is_refused_holding(
                    &["67108864 bytes", "Limits::message_bytes"],
                    2 * Limits::default().message_bytes,
                );
            },
        ),
        Case::new(
            "small_events_beside_large_packets_keep_nothing_of_them",
            EACH,
            |program| {
                let (builder, events) = program.builder::<W>().events();
                let client = connect::<W>(builder);
                for n in 1..=BODIES {
                    eventually("an event", PATIENCE, || client.counters().events >= n);
                    wait_for_cue();
                }
                println!("{} kB for {BODIES} small events", resident_bytes() >> 10);
                assert!(resident_bytes() < PEAK, "they keep {}", resident_bytes());
                drop((client, events));
            },
            |stage| {
                let mut line = stage.connects();
                let noop = W::noop(&"x".repeat(4 << 20));
                for _ in 0..BODIES {
                    line = stage.sends_both(line, [&noop, &W::event("small")]);
                }
                let ended = stage.ends(0, Duration::ZERO..LARGE);
                drop(line);
                assert_eq!(ended.err, "");
                print!("{}", ended.out);
            },
        ),
        // --- messages: a limit of one megabyte -----------------------------------------------------------------------------------------------
        case("a_frame_beyond_the_limit", WEBSOCKET, |stage| {
            let mut socket = stage.socket();
            let mut head = frame(0x81, &[b'x'; LIMIT + 1]);
            head.truncate(10);
            socket.raw(&head);
            stage.is_refused(&LIMIT_SAID);
        }),
        case("fragments_without_end", WEBSOCKET, |stage| {
            let mut socket = stage.socket();
            socket.raw(&frame(0x01, b"x"));
            pour(socket.socket.get_mut(), &frame(0x00, &[b'x'; 1000]));
            stage.is_refused(&LIMIT_SAID);
        }),
    ]
}

/// Connects, if it may, and tells how that ended.
fn victim<W: Words>(program: &Program) {
    let limits = Limits::default().message_bytes(LIMIT);
    let connected: Result<Client<W::Protocol>> = program.builder::<W>().limits(limits).connect();
    let error = match connected.map(|client| client.wait()) {
        Ok(DisconnectReason::Error(error)) => *error,
        Err(error) => error,
        Ok(other) => panic!("it ended: {other}"),
    };
    println!("{}", error.chain());
    println!("{}", peak_bytes());
}

/// Writes the same without end, as long as the client reads.
fn pour(stream: &mut impl Write, unit: &[u8]) {
    let burst = unit.repeat(1 + 65_536 / unit.len());
    let mut poured = 0;
    while stream.write_all(&burst).is_ok() {
        poured += burst.len();
        assert!(poured < FLOOD, "the client takes {poured} bytes");
    }
}

impl<W: Words> Stage<W> {
    /// Sends two packets in one body, or in one go, and gives the program its cue.
    #[track_caller]
    fn sends_both(&mut self, line: Line, packets: [&str; 2]) -> Line {
        let line = match line {
            Line::Socket(mut socket) => {
                let frames = packets.map(|packet| frame(0x81, packet.as_bytes()));
                socket.raw(&frames.concat());
                Line::Socket(socket)
            }
            Line::Polling(poll, upgrade) => {
                poll.answer(&W::polled(&packets));
                Line::Polling(self.peer.get(), upgrade)
            }
        };
        self.cues();
        line
    }

    #[track_caller]
    fn first_request_gets(&mut self, (beginning, unit): Endless) {
        let request = match self.way {
            Way::WebSocket => W::upgrade(&mut self.peer),
            _ => self.peer.get(),
        };
        answer(request, beginning, unit);
    }

    #[track_caller]
    fn poll_gets(&mut self, (beginning, unit): Endless) {
        match self.connects() {
            Line::Polling(poll, _) => answer(poll, beginning, unit),
            Line::Socket(_) => unreachable!("it is polling"),
        }
    }

    #[track_caller]
    fn socket(&mut self) -> WebSocketPeer {
        match self.connects() {
            Line::Socket(socket) => socket,
            Line::Polling(..) => unreachable!("it is a WebSocket"),
        }
    }

    /// The program ends with an error that says this, and never held more than it may.
    #[track_caller]
    fn is_refused(&mut self, says: &[&str]) {
        self.is_refused_holding(says, PEAK);
    }

    #[track_caller]
    fn is_refused_holding(&mut self, says: &[&str], most: usize) {
        let ended = self.ends(0, Duration::ZERO..LARGE);
        assert_eq!(ended.err, "");
        let (error, peak) = ended.out.trim_end().split_once('\n').expect("two lines");
        println!("{} kB: {error}", peak.parse::<usize>().unwrap() >> 10);
        assert_says(error, says);
        let peak: usize = peak.parse().unwrap();
        assert!(peak < most, "it held {peak} bytes");
    }
}

#[track_caller]
fn answer(mut request: Request, beginning: &[u8], unit: &[u8]) {
    request.raw(beginning);
    request.stream.set_write_timeout(Some(PATIENCE)).unwrap();
    pour(&mut request.stream, unit);
}
