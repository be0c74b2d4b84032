//! The stream below tungstenite: it remembers how the peer began, takes breaks, and reads ahead.

use std::io::{self, Read, Write};

use http::header;
use tungstenite::handshake::headers::MAX_HEADERS;

use crate::http::{AnswersInTls, TLS_ALERT, text};

/// How much is read ahead of tungstenite, which with its small buffer would make a call for every kilobyte: when that was
/// filled once, and when this was filled, too.
const AHEAD: usize = 8 << 10;
const FAR_AHEAD: usize = 64 << 10;

/// A stream that remembers how the peer began, to explain what cannot be read, and that takes breaks.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    /// The first bytes, the handshake's answer included, until the first message was read.
    head: Option<Vec<u8>>,
    /// Whether the end of the handshake's answer was not seen. What comes behind it is kept ahead.
    pub(super) in_handshake: bool,
    /// How much may be read before it pretends that there is nothing more for now.
    pub(super) left: usize,
    /// How much was written since somebody last asked.
    pub(super) written: usize,
    ahead: Ahead,
    /// Nothing is encrypted.
    is_plain: bool,
}

impl<S> Watched<S> {
    /// Enough for the head of an answer and another answer behind it, as short as refusals are.
    const HEAD: usize = 8 << 10;

    pub(super) fn new(stream: S, is_plain: bool) -> Self {
        Self {
            stream,
            is_plain,
            head: Some(Vec::new()),
            // The handshake has bounds of its own.
            left: usize::MAX,
            in_handshake: true,
            written: 0,
            ahead: Ahead::default(),
        }
    }

    pub(super) fn forget(&mut self) {
        self.head = None;
    }

    /// What came behind the handshake's answer, until the first message was read.
    fn behind_handshake(&self) -> Option<&[u8]> {
        let head = self.head.as_deref()?;
        let end = head.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        Some(&head[end + 4..])
    }

    /// Whether it begins like another HTTP answer, or is the beginning of that. No server's frame begins like this.
    pub(super) fn may_be_second_answer(&self) -> bool {
        const HTTP: &[u8] = b"HTTP/1.";
        self.behind_handshake().is_some_and(|bytes| {
            let known = bytes.len().min(HTTP.len());
            known > 0 && bytes[..known] == HTTP[..known]
        })
    }

    /// The second answer, as far as it has come; `None` before its head is complete.
    pub(super) fn second_answer(&self) -> Option<http::Response<Option<Vec<u8>>>> {
        let bytes = self.behind_handshake()?;
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let Ok(httparse::Status::Complete(end)) = head.parse(bytes) else {
            return None;
        };
        let mut response = http::Response::builder().status(head.code?);
        for header in head.headers.iter() {
            response = response.header(header.name, header.value);
        }
        response.body(Some(bytes[end..].to_vec())).ok()
    }

    /// Whether nothing of the second answer is missing.
    fn has_second_answer(&self) -> bool {
        self.second_answer().is_some_and(|response| {
            let length = text(response.headers(), &header::CONTENT_LENGTH);
            let length: Option<usize> = length.and_then(|length| length.trim().parse().ok());
            let body = response.body().as_ref().map_or(0, Vec::len);
            length.is_some_and(|length| body >= length)
        })
    }
}

impl<S: Read> Watched<S> {
    /// Reads on, where no frames come; returns whether nothing more is to come of the second answer.
    pub(super) fn read_second_answer(&mut self) -> bool {
        let mut buffer = [0; 512];
        loop {
            let is_full = self
                .head
                .as_ref()
                .is_none_or(|head| head.len() >= Self::HEAD);
            if is_full || self.has_second_answer() {
                return true;
            }
            match self.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The end, also one that is an error: what has come is all there is.
                Ok(0) | Err(_) => return true,
                Ok(_) => {}
            }
        }
    }
}

/// What was read ahead. It has memory only while much comes.
#[derive(Debug, Default)]
struct Ahead {
    buffer: Vec<u8>,
    /// What of it is still to be handed out.
    start: usize,
    end: usize,
    /// Whether the last read filled its buffer, so that there may be much more.
    much: bool,
}

impl Ahead {
    fn read(&mut self, stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            if !self.much {
                self.buffer = Vec::new();
                let count = stream.read(buffer)?;
                self.much = count == buffer.len() && !buffer.is_empty();
                return Ok(count);
            }
            self.fill(stream)?;
        }
        let count = buffer.len().min(self.end - self.start);
        buffer[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        Ok(count)
    }

    /// Keeps what was read and is to be read again.
    fn keep(&mut self, bytes: &[u8]) {
        self.buffer = bytes.to_vec();
        (self.start, self.end) = (0, bytes.len());
    }

    fn fill(&mut self, stream: &mut impl Read) -> io::Result<()> {
        if self.buffer.is_empty() {
            self.buffer.resize(AHEAD, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.resize(FAR_AHEAD, 0);
        }
        match stream.read(&mut self.buffer) {
            Ok(count) => {
                (self.start, self.end) = (0, count);
                Ok(())
            }
            Err(error) => {
                *self = Self::default();
                Err(error)
            }
        }
    }
}

impl<S: Read> Read for Watched<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = buffer.len().min(self.left);
        let count = self.ahead.read(&mut self.stream, &mut buffer[..most])?;
        self.left -= count;
        match &mut self.head {
            Some(_) => self.watch(&buffer[..count]),
            None => Ok(count),
        }
    }
}

impl<S> Watched<S> {
    /// Remembers how the peer begins; returns how much of what came is to be handed out.
    #[cold]
    fn watch(&mut self, came: &[u8]) -> io::Result<usize> {
        let Some(head) = &mut self.head else {
            return Ok(came.len());
        };
        if self.is_plain && head.is_empty() && came.first() == Some(&TLS_ALERT) {
            return Err(io::Error::other(AnswersInTls));
        }
        let room = Self::HEAD.saturating_sub(head.len()).min(came.len());
        head.extend_from_slice(&came[..room]);
        // In a head that is larger than what is kept, the end is not looked for.
        if self.in_handshake
            && room == came.len()
            && let Some(end) = end_of_handshake(head)
        {
            let behind = head.len() - end;
            head.truncate(end);
            self.in_handshake = false;
            self.ahead.keep(&came[came.len() - behind..]);
            return Ok(came.len() - behind);
        }
        Ok(came.len())
    }
}

/// Where the answer ends that opens the WebSocket, if this is one; read as tungstenite does, so that both see the same end.
#[inline(never)]
fn end_of_handshake(answer: &[u8]) -> Option<usize> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(answer) {
        Ok(httparse::Status::Complete(end)) if response.code == Some(101) => Some(end),
        _ => None,
    }
}

impl<S: Write> Write for Watched<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        self.written += count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As much as is left, and then nothing for now; it counts how often it was asked.
    struct Supply {
        left: Vec<u8>,
        asked: usize,
    }

    impl Read for Supply {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.asked += 1;
            if self.left.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let rest = self.left.split_off(self.left.len().min(buffer.len()));
            buffer[..self.left.len()].copy_from_slice(&self.left);
            let count = self.left.len();
            self.left = rest;
            Ok(count)
        }
    }

    #[test]
    fn much_is_read_ahead_and_keeps_no_memory_when_it_is_over() {
        for (size, most_asked) in [(100, 2), (4096, 2), (FAR_AHEAD, 4), (10 * FAR_AHEAD, 13)] {
            let all: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let mut supply = Supply {
                left: all.clone(),
                asked: 0,
            };
            let mut ahead = Ahead::default();
            let mut read = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                match ahead.read(&mut supply, &mut buffer) {
                    Ok(count) => read.extend_from_slice(&buffer[..count]),
                    Err(error) => {
                        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                        break;
                    }
                }
            }
            assert!(read == all, "{size} bytes");
            assert!(supply.asked <= most_asked, "{} times", supply.asked);
            assert_eq!(ahead.buffer.capacity(), 0);
        }
    }
}
