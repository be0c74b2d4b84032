//! Bytes as JSON: text where they are, and else in a form that a person can read if most of them are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Bytes of a body or of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Data {
    Text(String),
    Escaped { escaped: String },
    Base64 { base64: String },
}

impl Data {
    /// `readable`: never as base64, in which a secret could not be found.
    pub(super) fn new(bytes: &[u8], readable: bool) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self::Text(text.to_owned());
        }
        let plain = bytes.iter().filter(|byte| byte.is_ascii_graphic()).count();
        // An escape takes four characters, so this is also about the shorter one.
        if readable || plain >= bytes.len() / 4 * 3 {
            let escaped = bytes.escape_ascii().to_string();
            Self::Escaped { escaped }
        } else {
            Self::base64(bytes)
        }
    }

    pub(super) fn base64(bytes: &[u8]) -> Self {
        let base64 = STANDARD.encode(bytes);
        Self::Base64 { base64 }
    }

    pub(super) fn decode(self) -> Result<Bytes, String> {
        match self {
            Self::Text(text) => Ok(text.into()),
            Self::Escaped { escaped } => unescape(&escaped).map(Bytes::from),
            Self::Base64 { base64 } => match STANDARD.decode(base64) {
                Ok(bytes) => Ok(bytes.into()),
                Err(error) => Err(format!("broken base64: {error}")),
            },
        }
    }
}

/// The reverse of [`slice::escape_ascii`].
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let broken = |at: usize| format!("expected an escape at byte {at} of the escaped bytes");
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let taken = match (byte, bytes.get(at + 1)) {
            (b'\\', Some(b'x')) => {
                let digits = text.get(at + 2..at + 4).ok_or_else(|| broken(at))?;
                out.push(u8::from_str_radix(digits, 16).map_err(|_| broken(at))?);
                4
            }
            (b'\\', Some(code)) => {
                out.push(match code {
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b'\\' | b'\'' | b'"' => *code,
                    _ => return Err(broken(at)),
                });
                2
            }
            (b'\\', None) => return Err(broken(at)),
            (plain, _) => {
                out.push(plain);
                1
            }
        };
        at += taken;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_survive_in_every_form(bytes: Vec<u8>, readable: bool) {
            let data = Data::new(&bytes, readable);
            if readable {
                let is_base64 = matches!(data, Data::Base64 { .. });
                prop_assert!(!is_base64);
            }
            let json = serde_json::to_string(&data)?;
            let read: Data = serde_json::from_str(&json)?;
            prop_assert_eq!(read.decode(), Ok(bytes.into()));
        }

        #[test]
        fn unescaping_never_panics(text: String) {
            let _ = unescape(&text);
        }
    }

    #[test]
    fn a_payload_of_1_x_can_be_read() {
        let data = Data::new(b"\x00\x09\x07\xff0{\"sid\":\"abc\"}", false);
        let escaped = r#"\x00\t\x07\xff0{\"sid\":\"abc\"}"#.to_owned();
        assert_eq!(data, Data::Escaped { escaped });
    }
}
