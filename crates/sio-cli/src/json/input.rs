//! What a program may write to `sio connect --json`.

use std::time::Duration;

use serde::Serialize;
use sio_core::Value;

use super::value;

/// The name a program gives to an ack that it waits for: a string, or a whole number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum AckName {
    /// A number that is not negative.
    Number(u64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for AckName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Emit an event.
    Emit {
        /// Its name.
        event: String,
        /// Its arguments.
        args: Vec<Value>,
        /// Wait for the ack, under this name.
        ack: Option<AckName>,
        /// How long to wait for it.
        timeout: Option<Duration>,
    },
    /// Answer a question of the server.
    Reply {
        /// Its number.
        ask: u64,
        /// The values.
        args: Vec<Value>,
    },
    /// Join a namespace.
    Join {
        /// Its query.
        query: Vec<(String, String)>,
    },
    /// Leave a namespace.
    Leave,
    /// Close the connection.
    Close,
}

/// One line: what is to be done, and in which namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The namespace; the first one of the connection if there is none.
    pub namespace: Option<String>,
    /// What.
    pub command: Command,
}

impl Input {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(line: &str) -> Result<Self, String> {
        let value = value::parse(line).map_err(|error| error.to_string())?;
        let Value::Object(entries) = value else {
            return Err(
                "a line must be a JSON object, such as {\"emit\":\"news\",\"args\":[]}".to_owned(),
            );
        };
        let mut fields = Fields(entries);
        let kinds = ["emit", "reply", "join", "leave", "close"];
        let mut named = kinds
            .into_iter()
            .filter(|kind| fields.0.contains_key(*kind));
        let (kind, another) = (named.next(), named.next());
        let input = match (kind, another) {
            (Some(kind), None) => fields.input(kind)?,
            (Some(kind), Some(another)) => {
                return Err(format!("{kind:?} and {another:?} are two lines"));
            }
            (None, _) => {
                let kinds = kinds.map(|kind| format!("{kind:?}")).join(", ");
                return Err(format!("nothing to do: one of {kinds} is needed"));
            }
        };
        match (fields.0.first_key_value(), kind) {
            (Some((unknown, _)), Some(kind)) => Err(format!("{kind:?} has no field {unknown:?}")),
            _ => Ok(input),
        }
    }
}

/// What is left of an object while it is read.
struct Fields(std::collections::BTreeMap<String, Value>);

impl Fields {
    fn input(&mut self, kind: &str) -> Result<Input, String> {
        let (namespace, command) = match kind {
            "emit" => (self.text("namespace")?, self.emit()?),
            "reply" => (None, self.reply()?),
            "join" => (
                self.text(kind)?,
                Command::Join {
                    query: self.query()?,
                },
            ),
            "leave" => (self.text(kind)?, Command::Leave),
            _ => match self.0.remove("close") {
                Some(Value::Bool(true)) => (None, Command::Close),
                _ => return Err("\"close\" must be true".to_owned()),
            },
        };
        Ok(Input { namespace, command })
    }

    fn emit(&mut self) -> Result<Command, String> {
        let event = self.text("emit")?.unwrap_or_default();
        let args = self.args()?;
        let ack = match self.0.remove("ack") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(AckName::Text(text)),
            Some(other) => match other.as_u64() {
                Some(number) => Some(AckName::Number(number)),
                None => return Err("\"ack\" must be a string or a whole number".to_owned()),
            },
        };
        let timeout = match self.0.remove("timeout") {
            None | Some(Value::Null) => None,
            Some(_) if ack.is_none() => {
                return Err("\"timeout\" is for the ack: \"ack\" is missing".to_owned());
            }
            Some(seconds) => Some(seconds_of(&seconds)?),
        };
        Ok(Command::Emit {
            event,
            args,
            ack,
            timeout,
        })
    }

    fn reply(&mut self) -> Result<Command, String> {
        let ask = self.0.remove("reply").and_then(|ask| ask.as_u64());
        let Some(ask) = ask else {
            return Err("\"reply\" must be the number of a question, its \"ask\"".to_owned());
        };
        let args = self.args()?;
        Ok(Command::Reply { ask, args })
    }

    fn args(&mut self) -> Result<Vec<Value>, String> {
        match self.0.remove("args") {
            None => Ok(Vec::new()),
            Some(Value::Array(args)) => Ok(args),
            Some(_) => Err("\"args\" must be an array".to_owned()),
        }
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{name:?} must be a string")),
        }
    }

    fn query(&mut self) -> Result<Vec<(String, String)>, String> {
        let wrong = || "\"query\" must be an object of strings".to_owned();
        match self.0.remove("query") {
            None => Ok(Vec::new()),
            Some(Value::Object(query)) => query
                .into_iter()
                .map(|(name, value)| Ok((name, value.as_str().ok_or_else(wrong)?.to_owned())))
                .collect(),
            Some(_) => Err(wrong()),
        }
    }
}

fn seconds_of(value: &Value) -> Result<Duration, String> {
    value
        .as_f64()
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "\"timeout\" must be a number of seconds above 0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &str) -> String {
        Input::parse(line).unwrap_err()
    }

    #[test]
    fn an_emit_may_say_all_it_can() {
        let line = r#"{"emit":"news","args":[1,"x"],"namespace":"/chat","ack":"x1","timeout":0.5}"#;
        let input = Input::parse(line).unwrap();
        assert_eq!(input.namespace.as_deref(), Some("/chat"));
        let expected = Command::Emit {
            event: "news".to_owned(),
            args: vec![1.into(), "x".into()],
            ack: Some(AckName::Text("x1".to_owned())),
            timeout: Some(Duration::from_millis(500)),
        };
        assert_eq!(input.command, expected);
    }

    #[test]
    fn the_short_forms() {
        let emit = Input::parse(r#"{"emit":""}"#).unwrap();
        assert!(
            matches!(emit.command, Command::Emit { event, args, .. } if event.is_empty() && args.is_empty())
        );
        let numbered = Input::parse(r#"{"emit":"a","ack":3}"#).unwrap();
        assert!(matches!(
            numbered.command,
            Command::Emit {
                ack: Some(AckName::Number(3)),
                ..
            }
        ));
        let reply = Input::parse(r#"{"reply":7}"#).unwrap().command;
        assert_eq!(
            reply,
            Command::Reply {
                ask: 7,
                args: vec![]
            }
        );
        let join = Input::parse(r#"{"join":"/a","query":{"t":"1"}}"#).unwrap();
        assert_eq!(join.namespace.as_deref(), Some("/a"));
        let query = vec![("t".to_owned(), "1".to_owned())];
        assert_eq!(join.command, Command::Join { query });
        assert_eq!(
            Input::parse(r#"{"leave":"/a"}"#).unwrap().command,
            Command::Leave
        );
        assert_eq!(
            Input::parse(r#"{"close":true}"#).unwrap().command,
            Command::Close
        );
    }

    #[test]
    fn each_fault_is_named() {
        for (line, said) in [
            ("", "EOF while parsing"),
            ("emit news", "no JSON: expected value at column 1"),
            ("[1]", "must be a JSON object"),
            (
                "{}",
                r#"one of "emit", "reply", "join", "leave", "close" is needed"#,
            ),
            (r#"{"emit":1}"#, r#""emit" must be a string"#),
            (r#"{"emit":"a","arg":[]}"#, r#""emit" has no field "arg""#),
            (r#"{"emit":"a","args":{}}"#, r#""args" must be an array"#),
            (
                r#"{"emit":"a","ack":1.5}"#,
                r#""ack" must be a string or a whole number"#,
            ),
            (r#"{"emit":"a","timeout":1}"#, r#""ack" is missing"#),
            (r#"{"emit":"a","ack":1,"timeout":0}"#, "seconds above 0"),
            (r#"{"emit":"a","ack":1,"timeout":1e300}"#, "seconds above 0"),
            (r#"{"emit":"a","join":"/b"}"#, "are two lines"),
            (r#"{"reply":"7"}"#, "the number of a question"),
            (r#"{"join":"/a","query":{"a":1}}"#, "an object of strings"),
            (
                r#"{"leave":"/a","args":[]}"#,
                r#""leave" has no field "args""#,
            ),
            (r#"{"close":false}"#, r#""close" must be true"#),
            (
                r#"{"emit":"a","args":[{"$bytes":"*"}]}"#,
                "needs a string of base64",
            ),
        ] {
            let text = fault(line);
            assert!(
                text.contains(said),
                "{line} gave {text:?}, without {said:?}"
            );
        }
    }
}
