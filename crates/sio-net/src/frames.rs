//! Repairs a server's WebSocket frames below the library that reads them.
//!
//! Socket.IO 0.9's servers bend the protocol in two ways that no library can be told of. [`Repaired`] finds the frame
//! headers in the bytes on their way, whatever pieces they come in, and writes them as a correct client needs them:
//!
//! - A server that takes a pong for an error must not get one, and tungstenite answers every ping. So a ping becomes a
//!   pong, which says as little and asks for nothing.
//! - A frame of 65,536 bytes comes with the length 0, in 16 bits. It gets its length, in 64.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use sio_core::session::WebSocketRules;
use tungstenite::handshake::headers::MAX_HEADERS;

/// What a length of 0 means.
const LONG: u64 = 65_536;

/// By how much the header of a frame grows whose length is written anew.
const GROWTH: usize = 6;

/// How much is read at once where there may be headers. Behind a frame of [`LONG`] bytes begins no other one then: of
/// what was read, one header grows at most.
const AT_ONCE: usize = LONG as usize;

/// The least buffer to read frames into. It holds the longest header and its growth, and some more.
const LEAST: usize = 64;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const PING: u8 = 9;
const PONG: u8 = 10;
const MASKED: u8 = 0x80;
const LENGTH_OF_2: u8 = 126;
const LENGTH_OF_8: u8 = 127;

/// A WebSocket's stream, from its handshake on, whose frames are read as rules want them. Writing changes nothing.
#[derive(Debug)]
pub(crate) struct Repaired<S> {
    stream: S,
    rules: WebSocketRules,
    stage: Stage,
    /// The beginning of a header, held back until the rest has come.
    held: Vec<u8>,
    /// What was read and repaired for a buffer too small for it.
    ready: VecDeque<u8>,
}

#[derive(Debug)]
enum Stage {
    /// The handshake's answer, of which this has come.
    Head(Vec<u8>),
    /// Frames; of the current one's payload, this much has not come.
    Frames(u64),
    /// There is nothing to repair.
    Untouched,
}

impl<S> Repaired<S> {
    pub(crate) fn new(stream: S, rules: WebSocketRules) -> Self {
        let stage = if rules == WebSocketRules::RFC_6455 {
            Stage::Untouched
        } else {
            Stage::Head(Vec::new())
        };
        Self {
            stream,
            rules,
            stage,
            held: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    /// Repairs the first `filled` bytes of a buffer, which has room for the growth. Returns how many there are to hand
    /// out; the beginning of a header at their end is held back.
    fn repair(&mut self, buffer: &mut [u8], mut filled: usize) -> usize {
        let mut at = 0;
        if let Stage::Head(head) = &mut self.stage {
            let before = head.len();
            head.extend_from_slice(&buffer[..filled]);
            match Answer::read(head) {
                Answer::Partial => return filled,
                Answer::Other => self.stage = Stage::Untouched,
                Answer::Switching { end } => {
                    at = end.saturating_sub(before);
                    self.stage = Stage::Frames(0);
                }
            }
        }
        while at < filled {
            let Stage::Frames(payload_left) = &mut self.stage else {
                break;
            };
            if *payload_left > 0 {
                let here = filled - at;
                let of_payload = usize::try_from(*payload_left).map_or(here, |left| left.min(here));
                *payload_left -= of_payload as u64;
                at += of_payload;
                continue;
            }
            match Header::read(&buffer[at..filled]) {
                Header::Partial => {
                    self.held.extend_from_slice(&buffer[at..filled]);
                    return at;
                }
                // It will be refused, and what follows is no frame.
                Header::Illegal => self.stage = Stage::Untouched,
                Header::Legal {
                    mut size,
                    mut payload,
                } => {
                    if !self.rules.answer_pings && buffer[at] & OPCODE == PING {
                        buffer[at] = buffer[at] & FIN | PONG;
                    }
                    let is_zero = buffer[at + 1] == LENGTH_OF_2 && payload == 0;
                    if self.rules.zero_means_65536 && is_zero {
                        buffer.copy_within(at + size..filled, at + size + GROWTH);
                        filled += GROWTH;
                        size += GROWTH;
                        payload = LONG;
                        buffer[at + 1] = LENGTH_OF_8;
                        buffer[at + 2..at + size].copy_from_slice(&LONG.to_be_bytes());
                    }
                    at += size;
                    *payload_left = payload;
                }
            }
        }
        filled
    }

    /// Whether the next `count` bytes are all payload.
    fn is_payload(&self, count: usize) -> bool {
        matches!(self.stage, Stage::Frames(left) if left >= count as u64)
    }
}

impl<S: Read> Repaired<S> {
    /// Reads into a buffer of at least [`LEAST`] bytes, or one for payload only.
    fn read_repaired(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let held = self.held.len();
            let end = if self.is_payload(buffer.len()) {
                buffer.len()
            } else {
                (buffer.len() - GROWTH).min(AT_ONCE)
            };
            let count = self.stream.read(&mut buffer[held..end])?;
            buffer[..held].copy_from_slice(&self.held);
            self.held.clear();
            if count == 0 {
                return Ok(held); // a header that ends too early, or the end
            }
            let repaired = self.repair(buffer, held + count);
            if repaired > 0 {
                return Ok(repaired);
            }
        }
    }
}

impl<S: Read> Read for Repaired<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.ready.is_empty() {
            if matches!(self.stage, Stage::Untouched) {
                return self.stream.read(buffer);
            }
            if buffer.len() >= LEAST || self.is_payload(buffer.len()) {
                return self.read_repaired(buffer);
            }
            let mut enough = [0; LEAST];
            let count = self.read_repaired(&mut enough)?;
            self.ready.extend(&enough[..count]);
        }
        self.ready.read(buffer)
    }
}

impl<S: Write> Write for Repaired<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// What the handshake was answered with.
enum Answer {
    Partial,
    /// The WebSocket is open; here the head ends.
    Switching {
        end: usize,
    },
    /// A refusal, or nothing that can be read.
    Other,
}

impl Answer {
    /// Reads it the way tungstenite does, so that both see the same end.
    #[inline(never)]
    fn read(head: &[u8]) -> Self {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(head) {
            Ok(httparse::Status::Partial) => Self::Partial,
            Ok(httparse::Status::Complete(end)) if response.code == Some(101) => {
                Self::Switching { end }
            }
            Ok(httparse::Status::Complete(_)) | Err(_) => Self::Other,
        }
    }
}

/// The header of a server's frame.
enum Header {
    Partial,
    Legal {
        /// Its own size.
        size: usize,
        payload: u64,
    },
    /// Masked, or with reserved bits, though no extension was agreed on.
    Illegal,
}

impl Header {
    fn read(bytes: &[u8]) -> Self {
        let [first, second, rest @ ..] = bytes else {
            return Self::Partial;
        };
        if first & RESERVED != 0 || second & MASKED != 0 {
            return Self::Illegal;
        }
        let (size, payload) = match *second {
            LENGTH_OF_2 => (
                4,
                rest.first_chunk()
                    .map(|&bytes| u16::from_be_bytes(bytes).into()),
            ),
            LENGTH_OF_8 => (
                10,
                rest.first_chunk().map(|&bytes| u64::from_be_bytes(bytes)),
            ),
            payload => (2, Some(payload.into())),
        };
        payload.map_or(Self::Partial, |payload| Self::Legal { size, payload })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const RULES_OF_0_9: WebSocketRules = WebSocketRules {
        answer_pings: false,
        zero_means_65536: true,
    };

    const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    /// A stream that comes in pieces.
    struct Pieces(VecDeque<Piece>);

    enum Piece {
        Bytes(Vec<u8>),
        /// Nothing, for now.
        Wait,
    }

    impl Pieces {
        fn new<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
            let pieces = pieces.into_iter();
            Self(pieces.map(|piece| Piece::Bytes(piece.to_vec())).collect())
        }
    }

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.pop_front() {
                None => Ok(0),
                Some(Piece::Wait) => Err(io::ErrorKind::WouldBlock.into()),
                Some(Piece::Bytes(mut bytes)) => {
                    assert!(!buffer.is_empty(), "a read of nothing looks like the end");
                    let rest = bytes.split_off(bytes.len().min(buffer.len()));
                    buffer[..bytes.len()].copy_from_slice(&bytes);
                    if !rest.is_empty() {
                        self.0.push_front(Piece::Bytes(rest));
                    }
                    Ok(bytes.len())
                }
            }
        }
    }

    /// Reads to the end with buffers of these sizes, over and over.
    fn read_all(pieces: Pieces, rules: WebSocketRules, buffers: &[usize]) -> Vec<u8> {
        let mut stream = Repaired::new(pieces, rules);
        let mut all = Vec::new();
        let mut buffer = vec![0; buffers.iter().copied().max().unwrap_or(0)];
        for &size in buffers.iter().cycle() {
            match stream.read(&mut buffer[..size]) {
                Ok(0) => break,
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        all
    }

    fn with_head(frames: &[u8]) -> Vec<u8> {
        [SWITCHING, frames].concat()
    }

    fn repaired(frames: &[u8], rules: WebSocketRules) -> Vec<u8> {
        let all = read_all(Pieces::new([&*with_head(frames)]), rules, &[4096]);
        all.strip_prefix(SWITCHING).expect("the head").to_vec()
    }

    #[test]
    fn a_ping_becomes_a_pong() {
        let frames = b"\x89\x02hi\x81\x02\x89\x00\x89\x00";
        assert_eq!(
            repaired(frames, RULES_OF_0_9),
            b"\x8a\x02hi\x81\x02\x89\x00\x8a\x00",
            "a payload that looks like a ping is none"
        );
    }

    #[test]
    fn a_length_of_0_in_16_bits_becomes_65536() {
        for first in [0x81, 0x82, 0x01, 0x80] {
            let payload = [b'x'; 65_536];
            let sent = [&[first, 126, 0, 0], &payload[..], b"\x81\x00"].concat();
            let meant = [
                &[first, 127, 0, 0, 0, 0, 0, 1, 0, 0],
                &payload[..],
                b"\x81\x00",
            ]
            .concat();
            assert!(repaired(&sent, RULES_OF_0_9) == meant);
        }
        let others = b"\x81\x00\x81\x7e\x00\x01x\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x00\x81\x01y";
        assert_eq!(repaired(others, RULES_OF_0_9), others);
    }

    #[test]
    fn each_rule_counts_alone() {
        let frames = b"\x89\x00\x81\x7e\x00\x00";
        let only_pings = WebSocketRules {
            answer_pings: false,
            ..WebSocketRules::RFC_6455
        };
        let only_lengths = WebSocketRules {
            zero_means_65536: true,
            ..WebSocketRules::RFC_6455
        };
        assert_eq!(repaired(frames, only_pings), b"\x8a\x00\x81\x7e\x00\x00");
        assert_eq!(
            repaired(frames, only_lengths),
            b"\x89\x00\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"
        );
        assert_eq!(repaired(frames, WebSocketRules::RFC_6455), frames);
    }

    #[test]
    fn an_answer_other_than_101_passes_as_it_is() {
        let other = b"HTTP/1.1 400 Bad Request\r\n\r\n\x89\x00\x81\x7e\x00\x00";
        let all = read_all(
            Pieces::new([&other[..30], &other[30..]]),
            RULES_OF_0_9,
            &[4096],
        );
        assert_eq!(all, other);
        let garbage = b"no HTTP\r\n\r\n\x89\x00\x81\x7e\x00\x00";
        let all = read_all(Pieces::new([&garbage[..]]), RULES_OF_0_9, &[4096]);
        assert_eq!(all, garbage);
    }

    #[test]
    fn what_will_be_refused_passes_as_it_is() {
        let masked = b"\x81\x80\x00\x00\x00\x00\x89\x00\x89\x00";
        assert_eq!(repaired(masked, RULES_OF_0_9), masked);
        let compressed = b"\xc1\x01x\x89\x00";
        assert_eq!(repaired(compressed, RULES_OF_0_9), compressed);
        let endless = b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x89\x00\x89\x00";
        assert_eq!(repaired(endless, RULES_OF_0_9), endless);
    }

    #[test]
    fn a_header_is_held_back_until_it_is_complete() {
        let mut pieces = Pieces::new([SWITCHING, b"\x81\x02hi\x81\x7e", b"\x00", b"\x00xy"]);
        pieces.0.insert(2, Piece::Wait);
        pieces.0.insert(4, Piece::Wait);
        let mut stream = Repaired::new(pieces, RULES_OF_0_9);
        let mut buffer = [0; 4096];
        let mut read = || match stream.read(&mut buffer) {
            Ok(count) => Some(buffer[..count].to_vec()),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                None
            }
        };
        assert_eq!(read().as_deref(), Some(SWITCHING));
        assert_eq!(read().as_deref(), Some(&b"\x81\x02hi"[..]));
        assert_eq!(read(), None);
        assert_eq!(read(), None, "one byte more is not enough");
        let repaired = b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00xy";
        assert_eq!(read().as_deref(), Some(&repaired[..]));
        assert_eq!(read().as_deref(), Some(&b""[..]));
    }

    #[test]
    fn half_a_header_at_the_end_is_handed_out() {
        for end in [
            &b"\x81"[..],
            b"\x81\x7e",
            b"\x89\x7e\x00",
            b"\x81\x7f\x00\x00",
        ] {
            assert_eq!(repaired(end, RULES_OF_0_9), end);
        }
    }

    /// The same on the whole stream at once.
    fn reference(stream: &[u8], rules: WebSocketRules) -> Vec<u8> {
        let mut rest = stream.strip_prefix(SWITCHING).expect("the head");
        let mut repaired = SWITCHING.to_vec();
        while let [first, second, ..] = *rest {
            let size = match second & 0x7f {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            if first & 0x70 != 0 || second >= 0x80 || rest.len() < size {
                break;
            }
            let mut payload = match size {
                2 => u64::from(second),
                _ => rest[2..size]
                    .iter()
                    .fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
            };
            repaired.push(match first {
                0x09 | 0x89 if !rules.answer_pings => first + 1,
                _ => first,
            });
            if size == 4 && payload == 0 && rules.zero_means_65536 {
                payload = 65_536;
                repaired.extend([127, 0, 0, 0, 0, 0, 1, 0, 0]);
            } else {
                repaired.extend(&rest[1..size]);
            }
            let end = usize::try_from(payload).map_or(rest.len(), |payload| {
                rest.len().min(size.saturating_add(payload))
            });
            repaired.extend(&rest[size..end]);
            rest = &rest[end..];
        }
        repaired.extend(rest);
        repaired
    }

    /// A frame, mostly as a server writes it.
    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        let first = prop_oneof![
            8 => Just(0x81_u8),
            4 => Just(0x89),
            2 => prop::sample::select(vec![0x01, 0x80, 0x82, 0x88, 0x8a, 0x09]),
        ];
        let rest = prop_oneof![
            6 => vec(any::<u8>(), 0..126).prop_map(|payload| {
                let mut rest = vec![payload.len() as u8];
                rest.extend(payload);
                rest
            }),
            3 => (any::<u8>(), 0..400_u16).prop_map(|(fill, length)| {
                let mut rest = vec![126];
                rest.extend(length.to_be_bytes());
                rest.resize(rest.len() + usize::from(length), fill);
                rest
            }),
            2 => (any::<u8>(), 0..70_000_u64).prop_map(|(fill, length)| {
                let mut rest = vec![127];
                rest.extend(length.to_be_bytes());
                rest.resize(rest.len() + length as usize, fill);
                rest
            }),
            2 => any::<u8>().prop_map(|fill| {
                let mut rest = vec![126, 0, 0];
                rest.resize(rest.len() + 65_536, fill);
                rest
            }),
        ];
        (first, rest).prop_map(|(first, mut rest)| {
            rest.insert(0, first);
            rest
        })
    }

    /// Sizes of pieces and buffers; small ones cut headers apart.
    fn any_sizes() -> impl Strategy<Value = Vec<usize>> {
        vec(
            prop_oneof![1..12_usize, 50..80_usize, 1..5_000_usize, Just(100_000)],
            1..12,
        )
    }

    fn any_rules() -> impl Strategy<Value = WebSocketRules> {
        any::<(bool, bool)>().prop_map(|(answer_pings, zero_means_65536)| WebSocketRules {
            answer_pings,
            zero_means_65536,
        })
    }

    fn in_pieces(stream: &[u8], sizes: &[usize]) -> Pieces {
        let mut rest = stream;
        let mut pieces = VecDeque::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at(rest.len().min(*size));
            pieces.push_back(Piece::Bytes(piece.to_vec()));
            if size % 3 == 0 {
                pieces.push_back(Piece::Wait);
            }
            rest = behind;
        }
        Pieces(pieces)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn pieces_and_buffers_make_no_difference(
            frames in vec(any_frame(), 0..12),
            missing in 0..20_usize,
            rules in any_rules(),
            pieces in any_sizes(),
            buffers in any_sizes(),
        ) {
            let mut stream = with_head(&frames.concat());
            stream.truncate((stream.len() - missing).max(SWITCHING.len()));
            let expected = reference(&stream, rules);
            let all = read_all(in_pieces(&stream, &pieces), rules, &buffers);
            prop_assert!(all == expected, "{} bytes, not {}", all.len(), expected.len());
            if rules == WebSocketRules::RFC_6455 {
                prop_assert!(all == stream);
            }
        }

        #[test]
        fn what_needs_no_repair_is_not_changed(
            payloads in vec(vec(any::<u8>(), 1..300), 0..12),
            pieces in any_sizes(),
            buffers in any_sizes(),
        ) {
            let mut stream = SWITCHING.to_vec();
            for payload in payloads {
                stream.extend([0x81, 126]);
                stream.extend((payload.len() as u16).to_be_bytes());
                stream.extend(payload);
            }
            prop_assert_eq!(read_all(in_pieces(&stream, &pieces), RULES_OF_0_9, &buffers), stream);
        }

        #[test]
        fn any_bytes_are_borne(
            frames in vec(prop_oneof![any::<u8>(), Just(0x81), Just(0x7e), Just(0)], 0..200),
            pieces in any_sizes(),
            buffers in any_sizes(),
        ) {
            let stream = with_head(&frames);
            let all = read_all(in_pieces(&stream, &pieces), RULES_OF_0_9, &buffers);
            prop_assert_eq!(all, reference(&stream, RULES_OF_0_9));
        }
    }
}
