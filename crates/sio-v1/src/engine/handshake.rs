//! The open packet's JSON, and the JSON of refusals at HTTP level.

use std::fmt;
use std::time::Duration;

use bytestring::ByteString;
use serde_json::{Map, Value};

use crate::error::HandshakeError;

/// What the server tells in its open packet.
///
/// Fields that are not listed here are ignored. Versions differ in the order of the fields, in the defaults of the
/// heartbeat, and in [`max_payload`](Self::max_payload), which only newer 4.x send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The session id, opaque. 20 characters by default, 32 from python servers.
    pub sid: ByteString,
    /// The transports the server offers to upgrade to: `websocket`, or nothing. Empty on a websocket always.
    pub upgrades: Vec<ByteString>,
    /// How often the client pings. 25 s where the server does not say.
    pub ping_interval: Duration,
    /// How long the client waits for the pong. 60 s where the server does not say.
    pub ping_timeout: Duration,
    /// The largest body or message the server takes, in bytes.
    pub max_payload: Option<usize>,
}

impl Handshake {
    /// Used where `pingInterval` is missing: what every version has as its default.
    pub const DEFAULT_PING_INTERVAL: Duration = Duration::from_secs(25);
    /// Used where `pingTimeout` is missing: the default of 1.x and 2.0, the most patient one.
    pub const DEFAULT_PING_TIMEOUT: Duration = Duration::from_secs(60);
    /// Longer heartbeat times are cut to this, the longest that a JavaScript timer can be set to (24.8 days).
    /// Administrators write huge numbers to switch the heartbeat off.
    pub const MAX_PING: Duration = Duration::from_millis(i32::MAX as u64);

    /// The longest open packet that is read. Real ones have a hundred bytes or two, and parsed JSON may take forty times the
    /// memory of its text.
    pub const MAX_BYTES: usize = 64 << 10;

    /// Reads the data of an open packet.
    ///
    /// Heartbeat times may be numbers, also with fractions, or numbers in strings; `null` (what JavaScript makes of
    /// `Infinity`) counts as missing.
    ///
    /// # Errors
    ///
    /// The text is too long or no JSON object, there is no session id, `upgrades` is no list, or a heartbeat time is below one
    /// millisecond or no number: a client could only spin or die by it.
    pub fn parse(json: &str) -> Result<Self, HandshakeError> {
        if json.len() > Self::MAX_BYTES {
            return Err(HandshakeError::TooLarge {
                limit: Self::MAX_BYTES,
                found: json.len(),
            });
        }
        // A map, since servers copy fields from their users' configuration: any JSON may stand anywhere.
        let fields: Map<String, Value> =
            serde_json::from_str(json).map_err(|error| HandshakeError::Json {
                offset: error.column(),
                reason: error.to_string(),
            })?;
        let field = |name: &str| fields.get(name).unwrap_or(&Value::Null);
        let ping = |name, default| ping(name, field(name), default);
        Ok(Self {
            sid: sid(field("sid"))?,
            upgrades: upgrades(field("upgrades"))?,
            ping_interval: ping("pingInterval", Self::DEFAULT_PING_INTERVAL)?,
            ping_timeout: ping("pingTimeout", Self::DEFAULT_PING_TIMEOUT)?,
            max_payload: field("maxPayload")
                .as_u64()
                .and_then(|bytes| usize::try_from(bytes).ok())
                .filter(|bytes| *bytes > 0),
        })
    }

    /// Whether the server offers the upgrade to a websocket.
    pub fn can_upgrade(&self) -> bool {
        self.upgrades
            .iter()
            .any(|transport| transport == "websocket")
    }
}

/// A custom id generator may make numbers; they are used like text.
fn sid(field: &Value) -> Result<ByteString, HandshakeError> {
    match field {
        Value::String(sid) if !sid.is_empty() => Ok(sid.as_str().into()),
        Value::Number(sid) => Ok(sid.to_string().into()),
        Value::Null => Err(HandshakeError::Sid {
            found: "nothing".to_owned(),
        }),
        other => Err(HandshakeError::Sid {
            found: excerpt(other),
        }),
    }
}

fn upgrades(field: &Value) -> Result<Vec<ByteString>, HandshakeError> {
    match field {
        Value::Null => Ok(Vec::new()),
        Value::Array(transports) => Ok(transports
            .iter()
            .filter_map(Value::as_str)
            .map(ByteString::from)
            .collect()),
        other => Err(HandshakeError::Upgrades {
            found: excerpt(other),
        }),
    }
}

fn ping(name: &'static str, field: &Value, default: Duration) -> Result<Duration, HandshakeError> {
    let milliseconds = match field {
        Value::Null => return Ok(default),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match milliseconds {
        // NaN is in no range.
        Some(milliseconds) if (1.0..).contains(&milliseconds) => {
            let capped = milliseconds.min(Handshake::MAX_PING.as_millis() as f64);
            Ok(Duration::from_micros((capped * 1000.0) as u64))
        }
        _ => Err(HandshakeError::Heartbeat {
            field: name,
            found: excerpt(field),
        }),
    }
}

/// A field's JSON for an error's text, at most 100 characters of it.
fn excerpt(field: &Value) -> String {
    let json = field.to_string();
    match json.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &json[..end]),
        None => json,
    }
}

/// Why a server refused a request at HTTP level, by its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpErrorBody {
    /// The code. Missing from python servers, and `null` where 1.x refuses an origin.
    pub code: Option<ServerErrorCode>,
    /// The message; empty where there is none.
    pub message: String,
}

/// The codes of Engine.IO 3.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerErrorCode {
    /// 0: no such transport, or it is switched off on the server.
    UnknownTransport,
    /// 1: the session is closed or expired, or lives on another node of a cluster.
    UnknownSession,
    /// 2: a handshake that is no GET.
    BadHandshakeMethod,
    /// 3: a request that does not fit the session, such as a poll after the upgrade.
    BadRequest,
    /// 4: the server's application refused (the message may be its own).
    Forbidden,
    /// 5: a 3.1+/4.x server without `allowEIO3`.
    UnsupportedProtocolVersion,
    /// Any other code.
    Other(i64),
}

impl HttpErrorBody {
    /// Reads the body of an error response, whatever its content type says.
    ///
    /// Node servers send `{"code":1,"message":"…"}`, socketioxide the code as a string. Python servers send a JSON string, or a list that begins with
    /// one. `None` means that it is none of these, or longer than [`Handshake::MAX_BYTES`], so probably no Socket.IO
    /// server's answer.
    pub fn parse(body: &[u8]) -> Option<Self> {
        if body.len() > Handshake::MAX_BYTES {
            return None;
        }
        match serde_json::from_slice(body).ok()? {
            Value::Object(fields) => {
                let (code, message) = (fields.get("code"), fields.get("message"));
                code.or(message)?;
                Some(Self {
                    code: code.and_then(number).map(ServerErrorCode::from),
                    message: message.map(text).unwrap_or_default(),
                })
            }
            Value::String(message) => Some(Self {
                code: None,
                message,
            }),
            Value::Array(arguments) => Some(Self {
                code: None,
                message: arguments.first()?.as_str()?.to_owned(),
            }),
            _ => None,
        }
    }
}

/// A number, or the digits of one.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A string as it is, anything else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl From<i64> for ServerErrorCode {
    fn from(code: i64) -> Self {
        match code {
            0 => Self::UnknownTransport,
            1 => Self::UnknownSession,
            2 => Self::BadHandshakeMethod,
            3 => Self::BadRequest,
            4 => Self::Forbidden,
            5 => Self::UnsupportedProtocolVersion,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for ServerErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTransport => f.write_str("transport unknown"),
            Self::UnknownSession => f.write_str("session ID unknown"),
            Self::BadHandshakeMethod => f.write_str("bad handshake method"),
            Self::BadRequest => f.write_str("bad request"),
            Self::Forbidden => f.write_str("forbidden"),
            Self::UnsupportedProtocolVersion => f.write_str("unsupported protocol version"),
            Self::Other(code) => write!(f, "code {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping_interval(json: &str) -> Result<Duration, HandshakeError> {
        Handshake::parse(&format!(r#"{{"sid":"a","pingInterval":{json}}}"#))
            .map(|handshake| handshake.ping_interval)
    }

    #[test]
    fn all_fields_are_read_and_unknown_ones_ignored() {
        let json = r#"{"pingTimeout":20000,"sid":"x-_1","upgrades":["websocket","webtransport",1],
            "new":{"deep":[1]},"pingInterval":300,"maxPayload":1000000}"#;
        let handshake = Handshake::parse(json).unwrap();
        assert_eq!(
            handshake,
            Handshake {
                sid: "x-_1".into(),
                upgrades: vec!["websocket".into(), "webtransport".into()],
                ping_interval: Duration::from_millis(300),
                ping_timeout: Duration::from_secs(20),
                max_payload: Some(1_000_000),
            }
        );
        assert!(handshake.can_upgrade());
    }

    #[test]
    fn missing_fields_get_their_defaults() {
        let expected = Handshake {
            sid: "a".into(),
            upgrades: Vec::new(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(60),
            max_payload: None,
        };
        let nulls =
            r#"{"sid":"a","upgrades":null,"pingInterval":null,"pingTimeout":null,"maxPayload":-1}"#;
        for json in [r#"{"sid":"a"}"#, nulls] {
            let handshake = Handshake::parse(json).unwrap();
            assert_eq!(handshake, expected);
            assert!(!handshake.can_upgrade());
        }
    }

    #[test]
    fn heartbeat_times_may_be_floats_and_strings() {
        assert_eq!(
            ping_interval("1500.5"),
            Ok(Duration::from_micros(1_500_500))
        );
        assert_eq!(ping_interval("\"25000\""), Ok(Duration::from_secs(25)));
        assert_eq!(ping_interval("\" 2.5e4 \""), Ok(Duration::from_secs(25)));
        assert_eq!(ping_interval("1"), Ok(Duration::from_millis(1)));
        for huge in ["1e300", "18446744073709551615", "\"inf\""] {
            assert_eq!(ping_interval(huge), Ok(Handshake::MAX_PING), "{huge}");
        }
    }

    #[test]
    fn impossible_heartbeat_times_are_refused() {
        for found in [
            "0", "-1", "0.5", "\"NaN\"", "\"soon\"", "\"\"", "[1]", "true",
        ] {
            let expected = HandshakeError::Heartbeat {
                field: "pingInterval",
                found: found.to_owned(),
            };
            assert_eq!(ping_interval(found), Err(expected));
        }
    }

    #[test]
    fn a_session_id_is_needed() {
        let sid = |json: &str| Handshake::parse(json).map(|handshake| handshake.sid);
        let missing = |found: &str| {
            Err(HandshakeError::Sid {
                found: found.to_owned(),
            })
        };
        assert_eq!(sid("{}"), missing("nothing"));
        assert_eq!(sid(r#"{"sid":""}"#), missing("\"\""));
        assert_eq!(sid(r#"{"sid":["a"]}"#), missing("[\"a\"]"));
        assert_eq!(sid(r#"{"sid":17}"#), Ok("17".into()));
    }

    #[test]
    fn broken_handshakes_are_refused() {
        for json in [
            "",
            "[]",
            "null",
            "{\"sid\":\"a\"",
            "{\"sid\":\"a\"}2:40",
            "<html>",
        ] {
            let error = Handshake::parse(json).unwrap_err();
            assert!(matches!(error, HandshakeError::Json { .. }), "{json}");
        }
        assert_eq!(
            Handshake::parse(r#"{"sid":"a","upgrades":"websocket"}"#),
            Err(HandshakeError::Upgrades {
                found: "\"websocket\"".to_owned()
            })
        );
    }

    #[test]
    fn refusals_of_every_kind_of_server_are_read() {
        let read = |body: &str| {
            HttpErrorBody::parse(body.as_bytes()).map(|error| (error.code, error.message))
        };
        let codes = [
            ServerErrorCode::UnknownTransport,
            ServerErrorCode::UnknownSession,
            ServerErrorCode::BadHandshakeMethod,
            ServerErrorCode::BadRequest,
            ServerErrorCode::Forbidden,
            ServerErrorCode::UnsupportedProtocolVersion,
            ServerErrorCode::Other(6),
        ];
        for (number, code) in codes.into_iter().enumerate() {
            // As Node writes it, and as socketioxide does.
            for written in [number.to_string(), format!("\"{number}\"")] {
                let body = format!(r#"{{"code":{written},"message":"m"}}"#);
                assert_eq!(read(&body), Some((Some(code), "m".to_owned())));
            }
        }
        assert_eq!(read(r#"{"code":null}"#), Some((None, String::new())));
        assert_eq!(
            read(r#"{"message":{"a":1}}"#),
            Some((None, "{\"a\":1}".to_owned()))
        );
        assert_eq!(
            read("\"Unauthorized\""),
            Some((None, "Unauthorized".to_owned()))
        );
        assert_eq!(
            read(r#"["denied",{"code":1}]"#),
            Some((None, "denied".to_owned()))
        );
        for other in [
            "",
            "ok",
            "{}",
            "[]",
            "[1]",
            "17",
            "<html>",
            "{\"code\":1",
            "\u{0}",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
