//! HTTP, as far as these clients use it.

use std::io::Write as _;

use memchr::memmem;

const MOST_HEADERS: usize = 64;
const LONGEST_HEAD: usize = 16 << 10;
const LONGEST_BODY: usize = 64 << 20;

/// A request that has arrived whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) is_post: bool,
    pub(super) path: String,
    pub(super) query: String,
    /// The key of a WebSocket's handshake.
    pub(super) key: Option<String>,
    /// Whether the body is `application/octet-stream`.
    pub(super) is_binary: bool,
    pub(super) is_last: bool,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// A value of the query, as it stands there.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    }
}

/// Reads a request; `None` if it is not all there. Says how many bytes it has.
pub(super) fn read(bytes: &[u8]) -> Result<Option<(Request, usize)>, &'static str> {
    let Some(head) = memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > LONGEST_HEAD {
            Err("a head that is too long")
        } else {
            Ok(None)
        };
    };
    let head = head + 4;
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let complete = parsed
        .parse(&bytes[..head])
        .is_ok_and(|status| status.is_complete());
    let (true, Some(method), Some(target)) = (complete, parsed.method, parsed.path) else {
        return Err("no request of HTTP");
    };
    let header = |name: &str| {
        let found = parsed
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    if header("transfer-encoding").is_some() {
        return Err("a body in chunks");
    }
    let length = header("content-length").unwrap_or("0").parse();
    let length: usize = length.map_err(|_| "a length that is no number")?;
    if length > LONGEST_BODY {
        return Err("a body that is too long");
    }
    let Some(body) = bytes.get(head..head + length) else {
        return Ok(None);
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let kind = header("content-type").unwrap_or_default();
    let request = Request {
        is_post: method == "POST",
        path: path.to_owned(),
        query: query.to_owned(),
        key: header("sec-websocket-key").map(str::to_owned),
        is_binary: kind.starts_with("application/octet-stream"),
        is_last: header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
        body: body.to_vec(),
    };
    Ok(Some((request, head + length)))
}

/// Appends an answer.
pub(super) fn answer(status: &str, body: &[u8], into: &mut Vec<u8>) {
    // A vector takes everything.
    _ = write!(
        into,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    into.extend_from_slice(body);
}

/// Appends the answer that accepts a WebSocket.
pub(super) fn switch(key: &str, into: &mut Vec<u8>) {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    _ = write!(
        into,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_when_they_are_whole() {
        let bytes = b"POST /socket.io/?EIO=3&sid=7 HTTP/1.1\r\nHost: x\r\ncontent-length: 4\r\n\
            Content-Type: application/octet-stream\r\n\r\nbodyGET";
        let whole = bytes.len() - 3;
        for cut in 0..whole {
            assert_eq!(read(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
        let (request, length) = read(bytes).unwrap().unwrap();
        assert_eq!(length, whole);
        assert!(request.is_post && request.is_binary && !request.is_last);
        assert_eq!(request.path, "/socket.io/");
        assert_eq!(request.query("EIO"), Some("3"));
        assert_eq!(request.query("sid"), Some("7"));
        assert_eq!(request.query("id"), None);
        assert_eq!(request.body, b"body");
        assert!(read(b"nonsense\r\n\r\n").is_err());
    }
}
