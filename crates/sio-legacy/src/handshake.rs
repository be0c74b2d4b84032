//! The handshake: the body of the answer to the first request.

use std::time::Duration;

use bytestring::ByteString;

use crate::error::{HandshakeError, excerpt};

/// What the server tells of a new session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The session id, opaque: digits before 0.9.7, then 20 characters that may stand in a path. From other servers it may
    /// hold any visible characters, and has to be percent-encoded.
    pub sid: ByteString,
    /// After how much silence the connection may be taken for lost; `None` if the server sends no heartbeats.
    ///
    /// It may be *shorter* than the interval of the heartbeats, which is not told: 0.9.0 announces 15 s and beats every
    /// 20 s.
    pub heartbeat_timeout: Option<Duration>,
    /// How long the server keeps a session without an open connection; `None` if it does not say.
    pub close_timeout: Option<Duration>,
    /// The transports in the server's order, perhaps none, perhaps unknown ones.
    pub transports: Vec<ByteString>,
}

impl Handshake {
    /// Longer timeouts are cut to this, the longest that a JavaScript timer can be set to (24.8 days).
    pub const MAX_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);
    /// The longest session id that is read, in bytes.
    pub const MAX_SID: usize = 1024;
    /// Of a longer list of transports the rest is ignored.
    pub const MAX_TRANSPORTS: usize = 32;

    /// Reads the body of a successful answer: `id:heartbeat:close:transports`, whitespace around it ignored.
    ///
    /// Further fields are ignored. Timeouts are seconds, perhaps with a fraction; empty and 0 are the same. A handshake
    /// that came by JSONP is [unwrapped](crate::jsonp::unwrap) first.
    ///
    /// # Errors
    ///
    /// - [`HandshakeError::Fields`] when there are fewer than four fields, as in `Welcome to socket.io.` and other pages;
    /// - [`HandshakeError::Sid`] when the session id is empty, too long, holds whitespace or control characters, or is `.`
    ///   or `..`, which no path can hold;
    /// - [`HandshakeError::Timeout`] when a timeout is no number.
    pub fn parse(body: &str) -> Result<Self, HandshakeError> {
        let mut fields = body.trim().split(':');
        let mut field = || {
            fields.next().ok_or_else(|| HandshakeError::Fields {
                found: excerpt(body),
            })
        };
        let (id, heartbeat, close, transports) = (field()?, field()?, field()?, field()?);
        Ok(Self {
            sid: sid(id)?,
            heartbeat_timeout: timeout("heartbeat timeout", heartbeat)?,
            close_timeout: timeout("close timeout", close)?,
            transports: transports
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .take(Self::MAX_TRANSPORTS)
                .map(ByteString::from)
                .collect(),
        })
    }
}

fn sid(field: &str) -> Result<ByteString, HandshakeError> {
    let is_odd = |character: char| character.is_whitespace() || character.is_control();
    if matches!(field, "" | "." | "..")
        || field.len() > Handshake::MAX_SID
        || field.contains(is_odd)
    {
        return Err(HandshakeError::Sid {
            found: excerpt(field),
        });
    }
    Ok(field.into())
}

/// `[ 1*DIGIT [ "." 1*DIGIT ] ]`, in seconds
fn timeout(name: &'static str, field: &str) -> Result<Option<Duration>, HandshakeError> {
    if field.is_empty() {
        return Ok(None);
    }
    let is_decimal = field
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && field.starts_with(|first: char| first.is_ascii_digit());
    let seconds = field.parse::<f64>().ok().filter(|_| is_decimal);
    let seconds = seconds.ok_or_else(|| HandshakeError::Timeout {
        field: name,
        found: excerpt(field),
    })?;
    // A number too great for a double is infinite, and cut like any other.
    let capped = seconds.min(Handshake::MAX_TIMEOUT.as_secs_f64());
    let timeout = Duration::from_millis((capped * 1000.0) as u64);
    Ok((!timeout.is_zero()).then_some(timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_fields_are_read() {
        let expected = Handshake {
            sid: "_yNTYCutN5KIcBxvVDVS".into(),
            heartbeat_timeout: Some(Duration::from_secs(15)),
            close_timeout: Some(Duration::from_secs(25)),
            transports: vec!["websocket".into(), "xhr-polling".into()],
        };
        for body in [
            "_yNTYCutN5KIcBxvVDVS:15:25:websocket,xhr-polling",
            "_yNTYCutN5KIcBxvVDVS:15:25:websocket,xhr-polling\r\n",
            "_yNTYCutN5KIcBxvVDVS:15.0:025:websocket,,xhr-polling,:more",
        ] {
            assert_eq!(Handshake::parse(body).as_ref(), Ok(&expected), "{body}");
        }
    }

    #[test]
    fn fields_may_be_empty() {
        for body in ["a:::", "a:0:0:", "a:0.0:0.0001:,"] {
            let handshake = Handshake::parse(body).unwrap();
            assert_eq!(
                (handshake.heartbeat_timeout, handshake.close_timeout),
                (None, None)
            );
            assert!(handshake.transports.is_empty());
        }
    }

    #[test]
    fn timeouts_are_bounded() {
        let close = |field: &str| {
            Handshake::parse(&format!("a:60:{field}:")).map(|read| read.close_timeout)
        };
        assert_eq!(close("0.5"), Ok(Some(Duration::from_millis(500))));
        for huge in ["2147484", "99999999999999999999", &"9".repeat(1000)] {
            assert_eq!(close(huge), Ok(Some(Handshake::MAX_TIMEOUT)));
        }
        for found in [
            "-1", "+1", "1e3", "inf", "NaN", "1.2.3", ".", ".5", " 1", "soon",
        ] {
            let error = HandshakeError::Timeout {
                field: "close timeout",
                found: found.into(),
            };
            assert_eq!(close(found), Err(error));
        }
    }

    #[test]
    fn a_session_id_must_fit_into_a_path() {
        let sid = |sid: &str| Handshake::parse(&format!("{sid}:::")).map(|handshake| handshake.sid);
        for odd in ["~a/b?c%#", "한", "..."] {
            assert_eq!(sid(odd).unwrap(), odd);
        }
        assert!(sid(&"a".repeat(1024)).is_ok() && sid(&"a".repeat(1025)).is_err());
        for found in ["", ".", "..", "a b", "a\u{0}", "a\r\nb", "a\u{a0}b"] {
            assert_eq!(
                sid(found),
                Err(HandshakeError::Sid {
                    found: found.into()
                })
            );
        }
    }

    #[test]
    fn other_pages_are_refused() {
        for body in [
            "",
            "Welcome to socket.io.",
            "a:60:60",
            "handshake unauthorized",
        ] {
            let found = body.to_owned();
            assert_eq!(
                Handshake::parse(body),
                Err(HandshakeError::Fields { found })
            );
        }
        assert!(Handshake::parse("<a href=\"http://a:1/b:2:3:4\">").is_err());
    }

    #[test]
    fn lists_of_transports_are_bounded() {
        let body = format!("a:::{}", "x,".repeat(1000));
        assert_eq!(Handshake::parse(&body).unwrap().transports.len(), 32);
    }
}
