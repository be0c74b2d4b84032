//! The JSON object of an event: `{"name":"n","args":[…]}`.

use bytestring::ByteString;
use serde::de::{DeserializeOwned, IgnoredAny};
use sio_core::payload::Args;

use crate::error::EventError;
use crate::literal;

/// Reads the data of an [event](super::PacketType::Event) into its name and its arguments.
///
/// In the form that every server writes, the arguments are not read before somebody says into what: they are a slice of
/// `data`. Any other object is walked once to find the two keys; of a repeated key the last one counts.
///
/// The name is a string, or a number whose text it is then. `args` that are missing or `null` are no arguments; a value
/// that is no array is one argument, as to the reference server.
///
/// A tolerance: half a surrogate pair, which servers on newer Node write as the escape `\udXXX`, becomes U+FFFD.
///
/// # Errors
///
/// - [`EventError::NotAnObject`] when the data does not begin with a brace;
/// - [`EventError::Json`] when the object is broken, except inside of arguments that are not read yet;
/// - [`EventError::NoName`] and [`EventError::Name`] when the name is missing or cannot be one.
pub fn read_event(data: &ByteString) -> Result<(ByteString, Args), EventError> {
    match usual(data) {
        Some(event) => Ok(event),
        None => any(data),
    }
}

/// The object as the reference implementations write it: these two keys in this order, and no whitespace.
fn usual(data: &ByteString) -> Option<(ByteString, Args)> {
    let rest = data.strip_prefix("{\"name\":")?;
    if !rest.starts_with('"') {
        return None;
    }
    let (name, rest) = rest.split_at(literal::end(rest.as_bytes())?);
    let args = if rest == "}" {
        Args::default()
    } else {
        let array = rest.strip_prefix(",\"args\":")?.strip_suffix('}')?;
        if may_end_early(array) && serde_json::from_str::<IgnoredAny>(array).is_err() {
            return None;
        }
        // It fails for anything that is no array by its first and last character.
        Args::values(data.slice_ref(array), Vec::new()).ok()?
    };
    let name = literal::string(data, name).ok()?;
    Some((name, args))
}

/// Whether what begins as an array may be one and then another key: there is something that looks like `],"`.
///
/// Valid JSON of which this is not so is a single array.
fn may_end_early(array: &str) -> bool {
    let bytes = array.as_bytes();
    memchr::memchr_iter(b']', bytes).any(|at| {
        let behind = bytes[at + 1..].trim_ascii_start();
        behind
            .strip_prefix(b",")
            .is_some_and(|next| next.trim_ascii_start().starts_with(b"\""))
    })
}

/// Any object.
fn any(data: &ByteString) -> Result<(ByteString, Args), EventError> {
    let (mut name, mut args) = (None, None);
    for field in Fields::new(data)? {
        let (key, value) = field?;
        match &*string(data, key)? {
            "name" => name = Some(value),
            "args" => args = Some(value),
            _ => {}
        }
    }
    Ok((event_name(data, name)?, arguments(data, args)?))
}

fn event_name(data: &ByteString, value: Option<&str>) -> Result<ByteString, EventError> {
    let Some(value) = value else {
        return Err(EventError::NoName);
    };
    let found = match value.as_bytes().first() {
        Some(b'"') => return string(data, value),
        Some(b'-' | b'0'..=b'9') => return Ok(data.slice_ref(value)),
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        Some(b't' | b'f') => "a bool",
        _ => return Err(EventError::NoName),
    };
    Err(EventError::Name { found })
}

fn arguments(data: &ByteString, value: Option<&str>) -> Result<Args, EventError> {
    let array = match value {
        None | Some("null") => return Ok(Args::default()),
        Some(array) if array.starts_with('[') => data.slice_ref(array),
        Some(single) => format!("[{single}]").into(),
    };
    Args::values(array, Vec::new()).map_err(|error| broken(data, value.unwrap_or_default(), error))
}

/// What a literal inside of `data` stands for.
fn string(data: &ByteString, json: &str) -> Result<ByteString, EventError> {
    literal::string(data, json).map_err(|error| broken(data, json, error))
}

fn broken(data: &str, rest: &str, reason: impl ToString) -> EventError {
    EventError::Json {
        // Both begin in the same text.
        offset: (rest.as_ptr() as usize).saturating_sub(data.as_ptr() as usize),
        reason: reason.to_string(),
    }
}

/// The keys and values of an object as JSON, one after the other, and its end.
struct Fields<'a> {
    data: &'a str,
    rest: &'a str,
    place: Place,
}

enum Place {
    /// Behind the opening brace.
    Start,
    /// Behind a value.
    Middle,
    /// Behind the closing brace, or an error.
    End,
}

impl<'a> Fields<'a> {
    fn new(data: &'a str) -> Result<Self, EventError> {
        let json = skip_space(data);
        let rest = json
            .strip_prefix('{')
            .ok_or_else(|| EventError::NotAnObject {
                found: json.chars().next(),
            })?;
        Ok(Self {
            data,
            rest,
            place: Place::Start,
        })
    }

    fn field(&mut self) -> Result<Option<(&'a str, &'a str)>, EventError> {
        if let Some(behind) = self.symbol('}') {
            self.rest = skip_space(behind);
            self.place = Place::End;
            return match self.rest {
                "" => Ok(None),
                _ => Err(self.broken("expected the end of the data behind the object")),
            };
        }
        if matches!(self.place, Place::Middle) {
            let comma = self.symbol(',');
            self.rest = comma.ok_or_else(|| self.broken("expected `,` or `}`"))?;
        }
        self.place = Place::Middle;
        let key = self.value::<IgnoredAny>()?;
        if !key.starts_with('"') {
            return Err(broken(self.data, key, "expected a key"));
        }
        let colon = self.symbol(':');
        self.rest = colon.ok_or_else(|| self.broken("expected `:`"))?;
        Ok(Some((key, self.value::<IgnoredAny>()?)))
    }

    /// What stands behind this character, if it comes next.
    fn symbol(&self, symbol: char) -> Option<&'a str> {
        skip_space(self.rest).strip_prefix(symbol)
    }

    /// Passes over one value of any kind, and gives its JSON.
    fn value<T: DeserializeOwned>(&mut self) -> Result<&'a str, EventError> {
        let json = skip_space(self.rest);
        self.rest = json;
        let mut values = serde_json::Deserializer::from_str(json).into_iter::<T>();
        match values.next() {
            Some(Ok(_)) => {
                let (value, rest) = json.split_at(values.byte_offset());
                self.rest = rest;
                Ok(value)
            }
            Some(Err(error)) => Err(self.broken(error)),
            None => Err(self.broken("expected a value")),
        }
    }

    fn broken(&self, reason: impl ToString) -> EventError {
        broken(self.data, self.rest, reason)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(&'a str, &'a str), EventError>;

    fn next(&mut self) -> Option<Self::Item> {
        if matches!(self.place, Place::End) {
            return None;
        }
        self.field().transpose()
    }
}

/// Without what JSON takes for whitespace.
fn skip_space(json: &str) -> &str {
    json.trim_start_matches([' ', '\t', '\n', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &str) -> Result<(String, String), EventError> {
        let data = ByteString::from(data);
        let (name, args) = read_event(&data)?;
        Ok((name.into(), args.text().to_string()))
    }

    fn event(name: &str, args: &str) -> Result<(String, String), EventError> {
        Ok((name.to_owned(), args.to_owned()))
    }

    #[test]
    fn the_usual_form_is_sliced() {
        let data = ByteString::from(r#"{"name":"e","args":["x",[1],"y"]}"#.to_owned());
        let (name, args) = read_event(&data).unwrap();
        assert_eq!(name.as_ptr(), data[9..].as_ptr());
        assert_eq!(args.text().as_ptr(), data[19..].as_ptr());
        assert_eq!(args.text(), r#"["x",[1],"y"]"#);
        assert_eq!(read(r#"{"name":"e"}"#), event("e", "[]"));
        assert_eq!(read(r#"{"name":"","args":[]}"#), event("", "[]"));
    }

    #[test]
    fn names_may_have_escapes() {
        assert_eq!(read(r#"{"name":"a\"\\\u00e9\n"}"#), event("a\"\\é\n", "[]"));
        assert_eq!(read(r#"{"name":"\ud83d\ude00"}"#), event("😀", "[]"));
        assert_eq!(
            read(r#"{"name":"]},\"args\":[","args":[1]}"#),
            event("]},\"args\":[", "[1]")
        );
    }

    #[test]
    fn half_surrogate_pairs_are_replaced_everywhere() {
        assert_eq!(
            read(r#"{"name":"a\ud83d","args":["\ude00b"]}"#),
            event("a\u{fffd}", r#"["\ufffdb"]"#)
        );
        let unusual = r#"{"\ud83d":"\ud83d","args":["\ude00b"],"name":"a\ud83d"}"#;
        assert_eq!(read(unusual), event("a\u{fffd}", r#"["\ufffdb"]"#));
        let data = ByteString::from(unusual);
        assert!(read_event(&data).unwrap().1.repaired());
        assert_eq!(
            read(r#"{"name":"a","args":"\ud83d"}"#),
            event("a", r#"["\ufffd"]"#)
        );
    }

    #[test]
    fn any_object_with_a_name_is_an_event() {
        for data in [
            r#"{"args":[1],"name":"e"}"#,
            r#"{ "name" : "e" , "args" : [1] }"#,
            "\t{\r\n\"name\": \"e\",\"args\":[1]}\n",
            r#"{"name":"e","args": [1] ,"extra":{"name":"x"}}"#,
            r#"{"name":"e","args":[1],"extra":["x"]}"#,
            r#"{"name":"e","args":[1] , "extra":["x"]}"#,
            r#"{"extra":1.5e3,"name":"e","args":[1]}"#,
            r#"{"n\u0061me":"e","\u0061rgs":[1]}"#,
            r#"{"name":"x","args":[2],"name":"e","args":[1]}"#,
            r#"{"name":"e","args":[2],"args":[1]}"#,
        ] {
            let (name, args) = read(data).unwrap();
            assert_eq!((name.as_str(), args.trim()), ("e", "[1]"), "{data}");
        }
    }

    #[test]
    fn arguments_that_are_no_array_are_one() {
        assert_eq!(
            read(r#"{"name":"e","args":{"a":[1]}}"#),
            event("e", r#"[{"a":[1]}]"#)
        );
        assert_eq!(read(r#"{"name":"e","args":"x"}"#), event("e", r#"["x"]"#));
        assert_eq!(read(r#"{"name":"e","args":0}"#), event("e", "[0]"));
        assert_eq!(read(r#"{"name":"e","args":null}"#), event("e", "[]"));
        assert_eq!(
            read(r#"{"args":[1],"name":"e","args":null}"#),
            event("e", "[]")
        );
    }

    #[test]
    fn numbers_and_nesting_stay_as_they_are() {
        let odd = r#"[1e+400,123456789012345678901234567890,{"a":1,"a":2}]"#;
        let data = format!(r#"{{"args":{odd},"name":"e"}}"#);
        assert_eq!(read(&data), event("e", odd));
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let data = format!(r#"{{"args":{deep},"name":"e"}}"#);
        assert_eq!(read(&data), event("e", &deep));
    }

    #[test]
    fn a_name_is_needed() {
        for data in ["{}", " { } ", r#"{"args":[1]}"#, r#"{"name":null}"#] {
            assert_eq!(read(data), Err(EventError::NoName), "{data}");
        }
        assert_eq!(read(r#"{"name":-1.5,"args":[]}"#), event("-1.5", "[]"));
        for (name, found) in [("[1]", "an array"), ("{}", "an object"), ("true", "a bool")] {
            let data = format!(r#"{{"name":{name},"args":[1]}}"#);
            assert_eq!(read(&data), Err(EventError::Name { found }));
        }
    }

    #[test]
    fn broken_objects_are_refused() {
        for (data, found) in [
            ("", None),
            ("[1]", Some('[')),
            ("\"{}\"", Some('"')),
            ("한", Some('한')),
        ] {
            assert_eq!(read(data), Err(EventError::NotAnObject { found }), "{data}");
        }
        for (data, at) in [
            ("{", 1),
            ("{\"name\"", 7),
            ("{\"name\":", 8),
            ("{\"name\":\"e", 8),
            ("{\"name\":\"e\"", 11),
            ("{\"name\":\"e\",}", 12),
            ("{\"name\":\"e\"}x", 12),
            ("{\"name\":\"\\x\"}", 8),
            ("{\"name\":\"e\",\"args\":[1}}", 19),
            ("{name:\"e\"}", 1),
            ("{1:\"e\"}", 1),
            ("{\"name\" \"e\"}", 7),
            ("{\"name\":\"e\" \"args\":[]}", 11),
        ] {
            match read(data) {
                Err(EventError::Json { offset, .. }) => assert_eq!(offset, at, "{data}"),
                other => panic!("{data}: {other:?}"),
            }
        }
    }
}
