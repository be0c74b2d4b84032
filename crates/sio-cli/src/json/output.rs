//! What `--json` writes: one object on each line.

use serde::Serialize;
use serde::ser::Serializer;
use sio_core::{Transport, Value};

use super::input::AckName;
use super::value::Marked;

/// One line. Which kind it is, its first field says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "the fields are told of in JSON.md")]
pub enum Line<'a, R = ()> {
    /// An event.
    Event {
        event: &'a str,
        namespace: &'a str,
        #[serde(serialize_with = "marked")]
        args: &'a [Value],
        #[serde(skip_serializing_if = "Option::is_none")]
        ask: Option<u64>,
    },
    /// The values of an ack.
    Ack {
        ack: &'a AckName,
        #[serde(serialize_with = "marked")]
        args: &'a [Value],
        ms: f64,
    },
    /// No ack, and why.
    NoAck { ack: &'a AckName, error: &'a str },
    /// A change of state.
    State(State<'a>),
    /// An error.
    Error { error: Fault<'a> },
    /// What a probe found.
    Probe { probe: &'a R },
    /// How a replay ended.
    Replay { replay: &'a R },
}

/// A change of state: of one namespace, or of the connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are told of in JSON.md")]
pub struct State<'a> {
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown")]
    pub transport: Option<Transport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What went wrong.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are told of in JSON.md")]
pub struct Fault<'a> {
    pub kind: &'static str,
    pub message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "marked_one")]
    pub reason: Option<&'a Value>,
}

impl<R: Serialize> Line<'_, R> {
    /// The line as it is written, without its end.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Writing into memory cannot fail, and every key is a string.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn marked<S: Serializer>(values: &&[Value], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(Marked))
}

fn marked_one<S: Serializer>(value: &Option<&Value>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(Marked).serialize(serializer)
}

fn shown<S: Serializer>(transport: &Option<Transport>, serializer: S) -> Result<S::Ok, S::Error> {
    match transport {
        Some(transport) => serializer.collect_str(transport),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &Line<'_>) -> String {
        line.to_text()
    }

    #[test]
    fn each_kind_of_line() {
        let args = [Value::from(1), Value::Bytes(b"hi"[..].into())];
        let event = Line::Event {
            event: "news",
            namespace: "/",
            args: &args,
            ask: None,
        };
        assert_eq!(
            text(&event),
            r#"{"event":"news","namespace":"/","args":[1,{"$bytes":"aGk="}]}"#
        );
        let question = Line::Event {
            event: "why",
            namespace: "/chat",
            args: &[],
            ask: Some(7),
        };
        assert_eq!(
            text(&question),
            r#"{"event":"why","namespace":"/chat","args":[],"ask":7}"#
        );
        let name = AckName::Text("x1".to_owned());
        let ack = Line::Ack {
            ack: &name,
            args: &args[..1],
            ms: 1.5,
        };
        assert_eq!(text(&ack), r#"{"ack":"x1","args":[1],"ms":1.5}"#);
        let late = Line::NoAck {
            ack: &AckName::Number(2),
            error: "timed out",
        };
        assert_eq!(text(&late), r#"{"ack":2,"error":"timed out"}"#);
        let state = Line::State(State {
            state: "connected",
            namespace: Some("/"),
            transport: Some(Transport::WebSocket),
            ..State::default()
        });
        assert_eq!(
            text(&state),
            r#"{"state":"connected","namespace":"/","transport":"websocket"}"#
        );
        let error = Line::Error {
            error: Fault {
                kind: "input",
                message: "what is wrong",
                line: Some(3),
                ..Fault::default()
            },
        };
        assert_eq!(
            text(&error),
            r#"{"error":{"kind":"input","message":"what is wrong","line":3}}"#
        );
    }
}
