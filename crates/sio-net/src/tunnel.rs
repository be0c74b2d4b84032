//! Asking a proxy for a connection to the server: `CONNECT` of HTTP, or SOCKS5 (RFC 1928, 1929).
//!
//! No library does this on a socket that does not block. Both are a few bytes there and a few back, and nothing of the
//! server can come before we have spoken to it, so the answer is all there is to read.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use sio_core::error::snippet;
use sio_core::{Error, HttpError};

use crate::proxy::{ProxyKind, ProxyServer};

/// The largest answer of a proxy.
const LIMIT: usize = 16 << 10;

/// The headers of an answer that are looked at.
const HEADERS: usize = 64;

/// What a tunnel leads to, as the proxy is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    Name(String, u16),
    Address(SocketAddr),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // An address of IPv6 stands here without its brackets.
            Self::Name(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Name(host, port) => write!(f, "{host}:{port}"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A tunnel in the making.
#[derive(Debug)]
pub(crate) struct Tunnel {
    proxy: Arc<ProxyServer>,
    destination: Destination,
    stage: Stage,
    /// What has to be written.
    output: Vec<u8>,
    /// What has come of the answer that is awaited.
    input: Vec<u8>,
}

/// Which answer is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connect,
    SocksMethod,
    SocksPassword,
    SocksReply,
}

/// What follows on an answer.
enum Next {
    /// The tunnel is open.
    Open,
    /// The next answer is that to these bytes.
    Ask(Stage, Vec<u8>),
}

/// An answer's length and what follows on it; `None` while some of it is missing.
type Answer = Option<(usize, Next)>;

impl Tunnel {
    /// Asks that proxy for a connection to this destination.
    pub(crate) fn new(
        proxy: Arc<ProxyServer>,
        destination: Destination,
        user_agent: Option<&HeaderValue>,
    ) -> Self {
        let (stage, output) = match proxy.kind {
            ProxyKind::Http => (
                Stage::Connect,
                connect_request(&proxy, &destination, user_agent),
            ),
            ProxyKind::Socks { .. } => {
                // Version 5, and the ways to say who we are: not at all, by password.
                let methods: &[u8] = if proxy.userinfo.is_some() {
                    &[5, 2, 0, 2]
                } else {
                    &[5, 1, 0]
                };
                (Stage::SocksMethod, methods.to_vec())
            }
        };
        Self {
            proxy,
            destination,
            stage,
            output,
            input: Vec::new(),
        }
    }

    pub(crate) fn proxy(&self) -> &ProxyServer {
        &self.proxy
    }

    /// Goes on as far as the socket allows; returns whether the tunnel is open.
    pub(crate) fn step(&mut self, socket: &mut (impl Read + Write)) -> Result<bool, Error> {
        loop {
            if !self.write(socket)? {
                return Ok(false);
            }
            let mut chunk = [0; 512];
            let count = match socket.read(&mut chunk) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(self.failed(error)),
            };
            if count == 0 {
                return Err(self.failed(Fault::Closed));
            }
            self.input.extend_from_slice(&chunk[..count]);
            if self.take_answer()? {
                return Ok(true);
            }
        }
    }

    fn write(&mut self, socket: &mut impl Write) -> Result<bool, Error> {
        while !self.output.is_empty() {
            match socket.write(&self.output) {
                Ok(0) => return Err(self.failed(Fault::Closed)),
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(true)
    }

    /// Looks at what has come; returns whether the tunnel is open.
    fn take_answer(&mut self) -> Result<bool, Error> {
        let answer = match self.stage {
            Stage::Connect => self.connect_answer()?,
            Stage::SocksMethod => self.method_answer()?,
            Stage::SocksPassword => self.password_answer()?,
            Stage::SocksReply => self.reply_answer()?,
        };
        let Some((length, next)) = answer else {
            return match self.input.len() {
                0..=LIMIT => Ok(false),
                _ => Err(self.broken(Fault::TooLong)),
            };
        };
        self.input.drain(..length);
        if !self.input.is_empty() {
            let more = snippet(&self.input);
            return Err(self.broken(Fault::MoreThanAnAnswer(more)));
        }
        match next {
            Next::Open => Ok(true),
            Next::Ask(stage, output) => {
                self.stage = stage;
                self.output = output;
                Ok(false)
            }
        }
    }

    fn connect_answer(&self) -> Result<Answer, Error> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut answer = httparse::Response::new(&mut headers);
        let length = match answer.parse(&self.input) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(self.broken(Fault::TooManyHeaders)),
            Err(error) => return Err(self.broken(Fault::NoHttp(error))),
        };
        let status = answer.code.unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(Some((length, Next::Open)));
        }
        let mut asked = HeaderMap::new();
        for found in answer.headers.iter() {
            if found
                .name
                .eq_ignore_ascii_case(header::PROXY_AUTHENTICATE.as_str())
                && let Ok(value) = HeaderValue::from_bytes(found.value)
            {
                asked.append(header::PROXY_AUTHENTICATE, value);
            }
        }
        let what = format!("CONNECT {} at {}", self.destination, self.proxy);
        let error = HttpError::new(what, status, None, &self.input[length..]);
        Err(explain_refusal(error, &self.proxy, &asked).into())
    }

    /// `05 method`.
    fn method_answer(&self) -> Result<Answer, Error> {
        let [version, method, ..] = self.input[..] else {
            return match self.input.first() {
                Some(&version) if version != 5 => Err(self.broken(Fault::NoSocks5(version))),
                _ => Ok(None),
            };
        };
        let next = match (version, method, &self.proxy.userinfo) {
            (5, 0, _) => self.ask_to_connect()?,
            (5, 2, Some((user, password))) => {
                Next::Ask(Stage::SocksPassword, password_bytes(user, password))
            }
            (5, 255, None) => return Err(self.failed(Fault::PasswordMissing)),
            (5, 255, Some(_)) => return Err(self.failed(Fault::NoCommonMethod)),
            (5, method, _) => return Err(self.broken(Fault::OddMethod(method))),
            (version, ..) => return Err(self.broken(Fault::NoSocks5(version))),
        };
        Ok(Some((2, next)))
    }

    /// `01 status`.
    fn password_answer(&self) -> Result<Answer, Error> {
        match self.input[..] {
            [_, 0, ..] => Ok(Some((2, self.ask_to_connect()?))),
            [_, _, ..] => Err(self.failed(Fault::PasswordRefused)),
            _ => Ok(None),
        }
    }

    /// `05 01 00 kind address port`.
    fn ask_to_connect(&self) -> Result<Next, Error> {
        let mut request = vec![5, 1, 0];
        let port = match &self.destination {
            Destination::Address(address) => {
                match address.ip() {
                    IpAddr::V4(address) => {
                        request.push(1);
                        request.extend_from_slice(&address.octets());
                    }
                    IpAddr::V6(address) => {
                        request.push(4);
                        request.extend_from_slice(&address.octets());
                    }
                }
                address.port()
            }
            Destination::Name(name, port) => {
                let length = u8::try_from(name.len()).map_err(|_| self.failed(Fault::LongName))?;
                request.extend_from_slice(&[3, length]);
                request.extend_from_slice(name.as_bytes());
                *port
            }
        };
        request.extend_from_slice(&port.to_be_bytes());
        Ok(Next::Ask(Stage::SocksReply, request))
    }

    /// `05 reply 00 kind address port`, where the address is the proxy's own end and of no interest.
    fn reply_answer(&self) -> Result<Answer, Error> {
        let [version, reply, _, kind, ..] = self.input[..] else {
            return Ok(None);
        };
        if version != 5 {
            return Err(self.broken(Fault::NoSocks5(version)));
        }
        if reply != 0 {
            let to = self.destination.to_string();
            return Err(self.failed(Fault::Refused(to, reply_text(reply))));
        }
        let address = match (kind, self.input.get(4)) {
            (1, _) => 4,
            (4, _) => 16,
            (3, Some(&length)) => 1 + usize::from(length),
            (3, None) => return Ok(None),
            (kind, _) => return Err(self.broken(Fault::OddAddress(kind))),
        };
        let length = 4 + address + 2;
        Ok((self.input.len() >= length).then_some((length, Next::Open)))
    }

    fn failed(&self, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::transport(self.proxy.to_string(), error)
    }

    fn broken(&self, fault: Fault) -> Error {
        Error::protocol(self.proxy.to_string(), fault)
    }
}

fn connect_request(
    proxy: &ProxyServer,
    destination: &Destination,
    user_agent: Option<&HeaderValue>,
) -> Vec<u8> {
    let mut request =
        format!("CONNECT {destination} HTTP/1.1\r\nHost: {destination}\r\n").into_bytes();
    for (name, value) in [
        ("User-Agent", user_agent),
        ("Proxy-Authorization", proxy.authorization.as_ref()),
    ] {
        if let Some(value) = value {
            request.extend_from_slice(name.as_bytes());
            request.extend_from_slice(b": ");
            request.extend_from_slice(value.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// `01 length user length password`.
fn password_bytes(user: &str, password: &str) -> Vec<u8> {
    let mut request = vec![1];
    for text in [user, password] {
        // Their length was checked when the proxy's URL was.
        request.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        request.extend_from_slice(text.as_bytes());
    }
    request
}

/// What an HTTP proxy means that does not let us through.
pub(crate) fn explain_refusal(
    error: HttpError,
    proxy: &ProxyServer,
    headers: &HeaderMap,
) -> HttpError {
    let hint = match error.status {
        // tinyproxy says 401 to a wrong password.
        401 | 407 => {
            let asked = headers.get_all(header::PROXY_AUTHENTICATE);
            let schemes: Vec<String> = asked
                .iter()
                .filter_map(|value| value.to_str().ok()?.split(' ').next().map(str::to_owned))
                .collect();
            let knows_basic = schemes
                .iter()
                .any(|scheme| scheme.eq_ignore_ascii_case("basic"));
            if !schemes.is_empty() && !knows_basic {
                format!(
                    "the proxy wants {}, and this client can only say user and password in the Basic way",
                    schemes.join(" or ")
                )
            } else if proxy.userinfo.is_some() {
                "the proxy does not accept the user and password in its URL".to_owned()
            } else {
                "the proxy wants a user and password: put user:password@ before the host in its URL".to_owned()
            }
        }
        403 => "the proxy does not allow it: many allow tunnels to port 443 only, unless they are told of others"
            .to_owned(),
        400 | 404 | 405 | 501 => "is this an HTTP proxy, and does it allow tunnels?".to_owned(),
        500 | 502..=504 => "the proxy cannot reach the server".to_owned(),
        _ => return error,
    };
    error.with_hint(hint)
}

fn reply_text(reply: u8) -> &'static str {
    match reply {
        1 => "it failed",
        2 => "its rules do not allow it",
        3 => "the network is unreachable",
        4 => "the host is unreachable, or its name unknown",
        5 => "the connection was refused",
        6 => "it took too long",
        7 => "it knows no CONNECT",
        8 => "it does not know this kind of address",
        _ => "for a reason that SOCKS5 does not name",
    }
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("SOCKS5 takes names of at most 255 bytes")]
    LongName,
    #[error("it closed the connection without an answer")]
    Closed,
    #[error("its answer is larger than the limit of {LIMIT} bytes")]
    TooLong,
    #[error("its answer has more than {HEADERS} headers")]
    TooManyHeaders,
    #[error("it sent more than an answer, as a login page may do: {0}")]
    MoreThanAnAnswer(String),
    #[error("what answers is no HTTP proxy: {0}")]
    NoHttp(httparse::Error),
    #[error("what answers is no SOCKS5 proxy: its answer begins with {0:#04x}")]
    NoSocks5(u8),
    #[error("it wants a user and password: put user:password@ before the host in its URL")]
    PasswordMissing,
    #[error("it does not accept the user and password in its URL")]
    PasswordRefused,
    #[error("it takes no password, and nobody without one")]
    NoCommonMethod,
    #[error("it chose the way {0} to say who we are, which was not offered")]
    OddMethod(u8),
    #[error("its answer has an address of the unknown kind {0}")]
    OddAddress(u8),
    #[error("it does not connect to {0}: {1}")]
    Refused(String, &'static str),
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::proxy::Proxy;
    use crate::target::Target;

    /// A socket that takes everything and hands out these bytes one at a time.
    struct Script {
        written: Vec<u8>,
        answers: VecDeque<u8>,
        open: bool,
    }

    impl Script {
        fn new(answers: &[u8]) -> Self {
            Self {
                written: Vec::new(),
                answers: answers.iter().copied().collect(),
                open: true,
            }
        }
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.answers.pop_front() {
                Some(byte) => {
                    buffer[0] = byte;
                    Ok(1)
                }
                None if self.open => Err(io::ErrorKind::WouldBlock.into()),
                None => Ok(0),
            }
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written.push(bytes[0]);
            Ok(1)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn tunnel(proxy: &str, destination: Destination) -> Tunnel {
        let rules = Proxy::to(proxy).check().unwrap();
        let target = Target::parse("http://anywhere").unwrap();
        let server = Arc::clone(rules.for_target(&target).unwrap());
        Tunnel::new(server, destination, None)
    }

    fn name() -> Destination {
        Destination::Name("h.example".to_owned(), 80)
    }

    fn run(
        proxy: &str,
        destination: Destination,
        answers: &[u8],
    ) -> (Result<bool, Error>, Vec<u8>) {
        let mut script = Script::new(answers);
        let outcome = tunnel(proxy, destination).step(&mut script);
        (outcome, script.written)
    }

    fn error(proxy: &str, answers: &[u8]) -> String {
        run(proxy, name(), answers).0.unwrap_err().chain()
    }

    #[test]
    fn connect_asks_by_name_and_takes_any_2xx() {
        for answer in [
            "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\n",
        ] {
            let (outcome, written) = run("http://u:p@proxy", name(), answer.as_bytes());
            assert!(outcome.unwrap());
            let expected = "CONNECT h.example:80 HTTP/1.1\r\nHost: h.example:80\r\nProxy-Authorization: Basic dTpw\r\n\r\n";
            assert_eq!(String::from_utf8(written).unwrap(), expected);
        }
        let v6 = Destination::Name("::1".to_owned(), 1);
        assert!(
            run("http://proxy", v6, b"")
                .1
                .starts_with(b"CONNECT [::1]:1 HTTP")
        );
    }

    #[test]
    fn half_an_answer_is_waited_for() {
        let (outcome, _) = run("http://proxy", name(), b"HTTP/1.1 200 OK\r\n");
        assert!(!outcome.unwrap());
        let (outcome, _) = run("socks5://proxy", name(), &[5]);
        assert!(!outcome.unwrap());
    }

    #[test]
    fn refusals_of_an_http_proxy_say_what_is_missing() {
        let answer = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
        let said = error("http://proxy:1", answer);
        assert!(
            said.contains("http://proxy:1") && said.contains("user:password@"),
            "{said}"
        );
        let unauthorized = b"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n";
        let said = error("http://u:p@proxy", unauthorized);
        assert!(said.contains("does not accept the user"), "{said}");
        let said = error("http://u:p@proxy", answer);
        assert!(said.contains("does not accept the user"), "{said}");
        let said = error(
            "http://u:p@proxy",
            b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\n\r\n",
        );
        assert!(said.contains("wants NTLM"), "{said}");
        let said = error("http://proxy", b"HTTP/1.1 403 No\r\n\r\n");
        assert!(said.contains("403") && said.contains("443"), "{said}");
        let said = error("http://proxy", b"HTTP/1.1 405 No\r\n\r\n");
        assert!(said.contains("is this an HTTP proxy"), "{said}");
        let said = error("http://proxy", b"HTTP/1.0 500 Unable to connect\r\n\r\n");
        assert!(said.contains("cannot reach the server"), "{said}");
    }

    #[test]
    fn what_is_no_proxy_and_what_says_too_much_is_an_error() {
        assert!(error("http://proxy", b"SSH-2.0-x\r\n").contains("no HTTP proxy"));
        assert!(error("socks5://proxy", b"HTTP/1.1 400").contains("no SOCKS5 proxy"));
        // The bytes come one at a time, so what is too much has to come with the last of the answer.
        let mut early = tunnel("http://proxy", name());
        early.input = b"HTTP/1.1 200 OK\r\n\r\nx".to_vec();
        let said = early.take_answer().unwrap_err().chain();
        assert!(
            said.ends_with("more than an answer, as a login page may do: x"),
            "{said}"
        );
        let many = [
            b"HTTP/1.1 200 OK\r\n".as_slice(),
            &b"A: b\r\n".repeat(65),
            b"\r\n",
        ]
        .concat();
        assert!(error("http://proxy", &many).contains("more than 64 headers"));
        let long = [
            b"HTTP/1.1 200 OK\r\n".as_slice(),
            &b"A: b\r\n".repeat(60),
            b"X: ",
            &[b'x'; LIMIT],
        ]
        .concat();
        assert!(error("http://proxy", &long).contains("larger than the limit"));
        let mut script = Script::new(b"");
        script.open = false;
        let closed = tunnel("http://proxy", name())
            .step(&mut script)
            .unwrap_err();
        assert!(
            closed.chain().contains("closed the connection"),
            "{}",
            closed.chain()
        );
    }

    #[test]
    fn socks_by_name_and_by_address() {
        let (outcome, written) = run(
            "socks5h://proxy",
            name(),
            b"\x05\x00\x05\x00\x00\x01\0\0\0\0\0\0",
        );
        assert!(outcome.unwrap());
        assert_eq!(
            written,
            b"\x05\x01\x00\x05\x01\x00\x03\x09h.example\x00\x50"
        );
        let address = Destination::Address("[::1]:258".parse().unwrap());
        let (outcome, written) = run(
            "socks5://proxy",
            address,
            b"\x05\x00\x05\x00\x00\x03\x02ab\0\0",
        );
        assert!(outcome.unwrap());
        let expected = [&[5, 1, 0, 5, 1, 0, 4][..], &[0; 15], &[1, 1, 2]].concat();
        assert_eq!(written, expected);
    }

    #[test]
    fn socks_with_a_password() {
        let answers = b"\x05\x02\x01\x00\x05\x00\x00\x01\0\0\0\0\0\0";
        let (outcome, written) = run("socks5://us:pwd@proxy", name(), answers);
        assert!(outcome.unwrap());
        assert!(
            written.starts_with(b"\x05\x02\x00\x02\x01\x02us\x03pwd\x05\x01"),
            "{written:?}"
        );
        // It may do without.
        let (outcome, written) = run(
            "socks5://us:pwd@proxy",
            name(),
            b"\x05\x00\x05\x00\x00\x01\0\0\0\0\0\0",
        );
        assert!(outcome.unwrap() && !written.windows(2).any(|two| two == b"us"));
    }

    #[test]
    fn refusals_of_a_socks_proxy_say_what_is_missing() {
        assert!(error("socks5://proxy", &[5, 255]).contains("user:password@"));
        assert!(error("socks5://u:p@proxy", &[5, 255]).contains("takes no password"));
        assert!(error("socks5://u:p@proxy", &[5, 2, 1, 1]).contains("does not accept"));
        assert!(error("socks5://proxy", &[5, 2]).contains("not offered"));
        let refused = error("socks5://proxy", &[5, 0, 5, 5, 0, 1]);
        assert!(
            refused.contains("h.example:80: the connection was refused"),
            "{refused}"
        );
        assert!(error("socks5://proxy", &[5, 0, 5, 0, 0, 9]).contains("unknown kind 9"));
    }
}
