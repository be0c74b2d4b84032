//! Bare HTTP/1.1 with keep-alive.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use memchr::memmem;

use crate::work::{Failure, Outcome, wrong};

use super::Dialect;
use super::socket::{host_of, stream_to};

/// One connection, one request at a time.
#[derive(Debug)]
pub struct Http {
    stream: TcpStream,
    host: String,
    buffer: Vec<u8>,
}

impl Http {
    /// Connects to a host and port.
    pub(super) fn connect(host: &str) -> Outcome<Self> {
        Ok(Self {
            stream: stream_to(host)?,
            host: host.to_owned(),
            buffer: Vec::new(),
        })
    }

    /// Asks, and waits for the body of the answer.
    pub(super) fn get(&mut self, path: &str) -> Outcome<String> {
        self.ask(path)?;
        self.answer()
    }

    fn ask(&mut self, path: &str) -> Outcome<()> {
        let host = &self.host;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        Ok(self.stream.write_all(request.as_bytes())?)
    }

    fn post(&mut self, path: &str, body: &str) -> Outcome<()> {
        let host = &self.host;
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(self.stream.write_all(request.as_bytes())?)
    }

    fn answer(&mut self) -> Outcome<String> {
        self.buffer.clear();
        loop {
            if let Some(body) = whole_body(&self.buffer)? {
                return Ok(body);
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk)? {
                0 => return wrong("the connection ended before the answer"),
                count => self.buffer.extend_from_slice(&chunk[..count]),
            }
        }
    }
}

/// The body of an answer, if it is all there.
fn whole_body(answer: &[u8]) -> Outcome<Option<String>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Response::new(&mut headers);
    let head = match parsed.parse(answer)? {
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(head) => head,
    };
    if parsed.code != Some(200) {
        return wrong(format!("the answer is {}", String::from_utf8_lossy(answer)));
    }
    let header = |name: &str| {
        let found = parsed
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let rest = &answer[head..];
    let body = match header("content-length") {
        Some(length) => {
            let length: usize = length.parse()?;
            rest.get(..length).map(<[u8]>::to_vec)
        }
        // Node's, where nobody has counted.
        None if header("transfer-encoding") == Some("chunked") => chunks(rest)?,
        None => return wrong("an answer without a length"),
    };
    Ok(body.map(String::from_utf8).transpose()?)
}

fn chunks(mut rest: &[u8]) -> Outcome<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let Some(end) = memmem::find(rest, b"\r\n") else {
            return Ok(None);
        };
        let length = std::str::from_utf8(&rest[..end])?;
        let length = usize::from_str_radix(length.trim(), 16)?;
        let from = end + 2;
        let Some(chunk) = rest.get(from..from + length + 2) else {
            return Ok(None);
        };
        body.extend_from_slice(&chunk[..length]);
        if length == 0 {
            return Ok(Some(body));
        }
        rest = &rest[from + length + 2..];
    }
}

/// A session over polling: one connection for polls, another one for posts.
pub(super) struct Poller {
    polls: Http,
    posts: Http,
    path: String,
}

impl Poller {
    pub(super) fn connect<D: Dialect>(url: &str) -> Outcome<Self> {
        let host = host_of(url)?;
        let mut polls = Http::connect(host)?;
        let posts = Http::connect(host)?;
        let (path, mut body) = D::polling(&mut polls)?;
        while !D::packets(&body).contains(&D::CONNECTED) {
            body = polls.get(&path)?;
        }
        Ok(Self { polls, posts, path })
    }

    /// Posts an event while a poll is out, and waits for its ack.
    pub(super) fn ask<D: Dialect>(&mut self, id: usize, index: usize) -> Outcome<()> {
        self.polls.ask(&self.path)?;
        self.posts
            .post(&self.path, &D::body(&D::message(id, index)))?;
        self.posts.answer()?;
        loop {
            let body = self.polls.answer()?;
            for packet in D::packets(&body) {
                match D::is_ack(packet, id, index) {
                    Some(true) => return Ok(()),
                    Some(false) => {
                        let sentence = format!("{index} was answered with {packet}");
                        return Err(Failure::Wrong(sentence));
                    }
                    None => {}
                }
            }
            self.polls.ask(&self.path)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_when_they_are_whole() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        ] {
            for cut in 0..answer.len() {
                let body = whole_body(&answer.as_bytes()[..cut]);
                assert_eq!(body, Ok(None), "{answer:?} cut at {cut}");
            }
            assert_eq!(whole_body(answer.as_bytes()), Ok(Some("hello".into())));
        }
        assert!(whole_body(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n").is_err());
    }
}
