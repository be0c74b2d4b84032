//! What jsonp-polling wraps around payloads: a function call around those of the server, a form around ours.
//!
//! The same in all versions of 0.9. A [handshake](crate::handshake) that was asked for with `jsonp=<index>` comes as such
//! a call, too.

use bytestring::ByteString;

use crate::error::{JsonpError, excerpt};
use crate::literal;

/// The content type of a posted [`form`].
pub const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// A function call with one string, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The index of `io.j[<index>]`, which repeats the `i` of the request; `None` where the function is another one.
    pub index: Option<u64>,
    /// What the string stands for: a [payload](crate::payload), or a handshake.
    pub payload: ByteString,
}

/// Reads the body of a response: `io.j[<index>](<JSON string>);`.
///
/// What stands before the first parenthesis may be anything; the semicolon may be missing. A string without escapes is not
/// copied. Half a surrogate pair, which servers on newer Node write as the escape `\udXXX`, becomes U+FFFD.
///
/// # Errors
///
/// - [`JsonpError::NotACall`] when there are no parentheses around something;
/// - [`JsonpError::Refused`] when that is `new Error("…")`, a refused handshake;
/// - [`JsonpError::SingleQuotes`] and [`JsonpError::NotAString`] when it is something else than a JSON string;
/// - [`JsonpError::Json`] when the string is broken.
pub fn unwrap(body: ByteString) -> Result<Call, JsonpError> {
    let (function, argument) = call(body.trim_ascii()).ok_or_else(|| JsonpError::NotACall {
        found: excerpt(&body),
    })?;
    let string = |literal: &str| {
        literal::string(&body, literal).map_err(|error| JsonpError::Json {
            reason: error.to_string(),
        })
    };
    if argument.starts_with('"') {
        return Ok(Call {
            index: index(function),
            payload: string(argument)?,
        });
    }
    if argument.starts_with('\'') {
        return Err(JsonpError::SingleQuotes);
    }
    match argument.strip_prefix("new").and_then(call) {
        Some((class, message)) if class == "Error" && message.starts_with('"') => {
            let message = string(message)?.into();
            Err(JsonpError::Refused { message })
        }
        _ => Err(JsonpError::NotAString {
            found: excerpt(argument),
        }),
    }
}

/// `function "(" argument ")" [ ";" ]`
fn call(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_suffix(';').unwrap_or(text);
    let (function, argument) = text.trim_ascii_end().strip_suffix(')')?.split_once('(')?;
    Some((function.trim_ascii(), argument.trim_ascii()))
}

/// The index of `io.j[<index>]`.
fn index(function: &str) -> Option<u64> {
    let index = function.strip_prefix("io.j[")?.strip_suffix(']')?;
    let is_number = index.bytes().all(|byte| byte.is_ascii_digit());
    index.parse().ok().filter(|_| is_number)
}

/// The body to post for a payload: `d=` and its JSON string percent-encoded, in one allocation.
///
/// Only unreserved characters (`A-Z a-z 0-9 - . _ ~`) stay, so the body is pure ASCII. Its content type is
/// `application/x-www-form-urlencoded`. A body that is not exactly like this ends the session, or crashes the server.
pub fn form(payload: &str) -> String {
    const START: &str = "d=%22";
    const END: &str = "%22";
    let size: usize = payload.bytes().map(|byte| Encoded::of(byte).len()).sum();
    let mut body = String::with_capacity(START.len() + size + END.len());
    body.push_str(START);
    for byte in payload.bytes() {
        Encoded::of(byte).push_to(&mut body);
    }
    body.push_str(END);
    body
}

/// How a byte inside of a JSON string is written in a form.
enum Encoded {
    Plain(char),
    /// `%XX`
    Percent(u8),
    /// An escape of one character: `%5C` and the character, which may need percent-encoding itself.
    Escape(&'static str),
    /// `\u00xx`
    Control(u8),
}

impl Encoded {
    fn of(byte: u8) -> Self {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                Self::Plain(char::from(byte))
            }
            b'"' => Self::Escape("%5C%22"),
            b'\\' => Self::Escape("%5C%5C"),
            0x08 => Self::Escape("%5Cb"),
            b'\t' => Self::Escape("%5Ct"),
            b'\n' => Self::Escape("%5Cn"),
            0x0c => Self::Escape("%5Cf"),
            b'\r' => Self::Escape("%5Cr"),
            ..b' ' => Self::Control(byte),
            _ => Self::Percent(byte),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Plain(_) => 1,
            Self::Percent(_) => "%XX".len(),
            Self::Escape(text) => text.len(),
            Self::Control(_) => "%5Cu00xx".len(),
        }
    }

    fn push_to(&self, body: &mut String) {
        match *self {
            Self::Plain(character) => body.push(character),
            Self::Percent(byte) => {
                body.push('%');
                push_hex(body, byte);
            }
            Self::Escape(text) => body.push_str(text),
            Self::Control(byte) => {
                body.push_str("%5Cu00");
                push_hex(body, byte);
            }
        }
    }
}

fn push_hex(body: &mut String, byte: u8) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    body.push(DIGITS[usize::from(byte >> 4)]);
    body.push(DIGITS[usize::from(byte & 0xf)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &'static str) -> Result<(Option<u64>, String), JsonpError> {
        unwrap(body.into()).map(|call| (call.index, call.payload.into()))
    }

    fn payload(index: Option<u64>, payload: &str) -> Result<(Option<u64>, String), JsonpError> {
        Ok((index, payload.to_owned()))
    }

    #[test]
    fn a_call_is_taken_apart() {
        assert_eq!(
            read("io.j[12](\"3:::a\\/b\\n\");"),
            payload(Some(12), "3:::a/b\n")
        );
        assert_eq!(
            read("io.j[0](\"3:::);\u{2028}(\")"),
            payload(Some(0), "3:::);\u{2028}(")
        );
        assert_eq!(read(" io.j[0] ( \"\" ) ; \n"), payload(Some(0), ""));
        assert_eq!(
            read("io.j[0](\"3:::a\\ud83db\");"),
            payload(Some(0), "3:::a\u{fffd}b")
        );
        for other in [
            "io.j[]",
            "io.j[+1]",
            "io.j[['0']]",
            "io.j[99999999999999999999]",
            "f",
            "",
        ] {
            let call = unwrap(format!("{other}(\"8::\");").into()).unwrap();
            assert_eq!(call.index, None, "{other}");
        }
    }

    #[test]
    fn nothing_is_copied_without_escapes() {
        let body = ByteString::from("io.j[0](\"8::\");".to_owned());
        let call = unwrap(body.clone()).unwrap();
        assert_eq!(call.payload.as_ptr(), body[9..].as_ptr());
    }

    #[test]
    fn refusals_are_errors_of_their_own() {
        let refused = Err(JsonpError::Refused {
            message: "handshake unauthorized".into(),
        });
        assert_eq!(
            read("io.j[3](new Error(\"handshake unauthorized\"));"),
            refused
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let single = Err(JsonpError::SingleQuotes);
        assert_eq!(read("io.j[['0']]('1::');"), single);
        for body in ["", "8::", "io.j[0]", "io.j[0](", "io.j[0](\"8::\"", ")("] {
            assert_eq!(read(body), Err(JsonpError::NotACall { found: body.into() }));
        }
        for (body, found) in [
            ("f()", ""),
            ("f(1);", "1"),
            ("f(new Error);", "new Error"),
            ("f(new Error());", "new Error()"),
            ("f(new Date(\"1\"));", "new Date(\"1\")"),
        ] {
            assert_eq!(
                read(body),
                Err(JsonpError::NotAString {
                    found: found.into()
                })
            );
        }
        for body in [
            "f(\");",
            "f(\"a\",\"b\");",
            "f(\"\n\");",
            "f(new Error(\"\\x\"));",
        ] {
            assert!(matches!(read(body), Err(JsonpError::Json { .. })), "{body}");
        }
    }

    #[test]
    fn forms_are_pure_ascii() {
        assert_eq!(form("3:::a+b"), "d=%223%3A%3A%3Aa%2Bb%22");
        assert_eq!(
            form(" \"\\\n\u{1}\u{1f}\u{7f}é-._~!*'()"),
            "d=%22%20%5C%22%5C%5C%5Cn%5Cu0001%5Cu001F%7F%C3%A9-._~%21%2A%27%28%29%22"
        );
        let body = form("a\u{8}\u{c}\t\r\u{0}한");
        assert_eq!(body.capacity(), body.len());
    }
}
