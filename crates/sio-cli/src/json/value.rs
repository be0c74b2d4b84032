//! Values as JSON text: bytes are `{"$bytes":"<base64>"}`, and an object of that shape gets one more `$`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Deserializer;
use sio_core::Value;
use sio_core::payload::replace_lone;

/// Why a text is not a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseError {
    /// It is no JSON, for this reason.
    Json(String),
    /// Something is marked as bytes and is none.
    Bytes,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(why) => write!(f, "no JSON: {why}"),
            Self::Bytes => f.write_str(
                "\"$bytes\" needs a string of base64; an object that only looks like bytes is written {\"$$bytes\":…}",
            ),
        }
    }
}

impl std::error::Error for ParseError {}

/// Base64 with or without its padding.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads one value. Half a surrogate pair, which no text can hold, becomes U+FFFD.
///
/// # Errors
/// If it is no JSON, or something in it is marked as bytes and is none.
pub fn parse(text: &str) -> Result<Value, ParseError> {
    let (text, _) = replace_lone(text.into());
    let value = serde_json::from_str(&text).map_err(|error| ParseError::Json(in_words(&error)))?;
    unmark(value)
}

/// Reads the values that stand one behind the other, with or without white space between them.
///
/// # Errors
/// As [`parse`].
pub fn parse_many(text: &str) -> Result<Vec<Value>, ParseError> {
    let (text, _) = replace_lone(text.into());
    let mut values = Vec::new();
    for value in Deserializer::from_str(&text).into_iter::<Value>() {
        let value = value.map_err(|error| ParseError::Json(in_words(&error)))?;
        values.push(unmark(value)?);
    }
    Ok(values)
}

/// The value as JSON on one line.
#[must_use]
pub fn to_text(value: &Value) -> String {
    // Writing into memory cannot fail, and every key is a string.
    serde_json::to_string(&Marked(value)).unwrap_or_default()
}

/// Writes a value with its bytes marked.
pub(crate) struct Marked<'v>(pub(crate) &'v Value);

impl Serialize for Marked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bytes(bytes) => {
                let mut object = serializer.serialize_map(Some(1))?;
                object.serialize_entry("$bytes", &STANDARD.encode(bytes))?;
                object.end()
            }
            Value::Array(array) => serializer.collect_seq(array.iter().map(Marked)),
            Value::Object(object) => {
                let looks_marked = object.len() == 1 && object.keys().all(|key| is_mark(key));
                let mut map = serializer.serialize_map(Some(object.len()))?;
                for (key, value) in object {
                    if looks_marked {
                        map.serialize_entry(&format!("${key}"), &Marked(value))?;
                    } else {
                        map.serialize_entry(key, &Marked(value))?;
                    }
                }
                map.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

/// `$bytes` with any number of further `$` before it.
fn is_mark(key: &str) -> bool {
    key.strip_suffix("$bytes")
        .is_some_and(|more| more.bytes().all(|byte| byte == b'$'))
}

fn unmark(value: Value) -> Result<Value, ParseError> {
    match value {
        Value::Array(array) => {
            let array: Result<_, _> = array.into_iter().map(unmark).collect();
            Ok(Value::Array(array?))
        }
        Value::Object(object) if object.len() == 1 && object.keys().all(|key| is_mark(key)) => {
            let Some((key, value)) = object.into_iter().next() else {
                return Ok(Value::Null);
            };
            if key == "$bytes" {
                return bytes(&value);
            }
            Ok(Value::Object(
                [(key[1..].to_owned(), unmark(value)?)].into(),
            ))
        }
        Value::Object(object) => {
            let entries = object.into_iter();
            let object: Result<_, _> = entries
                .map(|(key, value)| Ok((key, unmark(value)?)))
                .collect();
            Ok(Value::Object(object?))
        }
        plain => Ok(plain),
    }
}

fn bytes(value: &Value) -> Result<Value, ParseError> {
    let decoded = value.as_str().and_then(|text| TOLERANT.decode(text).ok());
    match decoded {
        Some(bytes) => Ok(Value::Bytes(bytes.into())),
        None => Err(ParseError::Bytes),
    }
}

/// serde_json's words, with the column, and with the line only where there are several.
fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(what) if error.line() == 1 => format!("{what} at column {}", error.column()),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_kept(text: &str) {
        assert_eq!(to_text(&parse(text).unwrap()), text);
    }

    #[test]
    fn bytes_are_marked_at_any_depth() {
        let value = parse(r#"{"a":[1,{"$bytes":"iVBORw=="}]}"#).unwrap();
        let bytes = value["a"][1].as_bytes().unwrap();
        assert_eq!(&bytes[..], b"\x89PNG");
        is_kept(r#"{"a":[1,{"$bytes":"iVBORw=="}]}"#);
    }

    #[test]
    fn base64_may_come_without_padding() {
        let value = parse(r#"{"$bytes":"iVBORw"}"#).unwrap();
        assert_eq!(to_text(&value), r#"{"$bytes":"iVBORw=="}"#);
    }

    #[test]
    fn an_object_that_looks_like_bytes_stays_an_object() {
        let value = parse(r#"{"$$bytes":"iVBORw=="}"#).unwrap();
        assert_eq!(value["$bytes"], "iVBORw==");
        is_kept(r#"{"$$bytes":"iVBORw=="}"#);
        is_kept(r#"{"$$$bytes":{"$bytes":""}}"#);
        // More than that one key: no mark.
        is_kept(r#"{"$bytes":"iVBORw==","more":1}"#);
        is_kept(r#"{"$bytess":1}"#);
        is_kept(r#"{"a$bytes":1}"#);
    }

    #[test]
    fn what_is_marked_as_bytes_and_is_none_is_an_error_that_says_what_to_write() {
        for text in [
            r#"{"$bytes":"*"}"#,
            r#"[{"$bytes":7}]"#,
            r#"{"$bytes":null}"#,
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("$$bytes"), "{error}");
        }
    }

    #[test]
    fn whole_numbers_beyond_2_to_the_53_are_exact() {
        is_kept("[9007199254740993,18446744073709551615,-9223372036854775808]");
        is_kept("[0.1,1e+300,-0.0]");
    }

    #[test]
    fn half_a_surrogate_pair_becomes_a_replacement_character() {
        assert_eq!(parse(r#""a\ud83dz""#).unwrap(), "a\u{fffd}z");
        assert_eq!(parse(r#""\ud83d\ude00""#).unwrap(), "\u{1f600}");
    }

    #[test]
    fn several_values_stand_one_behind_the_other() {
        let values = parse_many(r#" {"a":1} 5 "x"[]"#).unwrap();
        assert_eq!(values.len(), 4);
        assert_eq!(parse_many("  ").unwrap(), Vec::<Value>::new());
        let error = parse_many("1 hello").unwrap_err().to_string();
        assert_eq!(error, "no JSON: expected value at column 3");
    }
}
