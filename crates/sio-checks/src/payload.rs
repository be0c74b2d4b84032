//! The payloads of `sio-core`: what is received as JSON and attachments, and what is sent.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sio_core::Value;
use sio_core::payload::{Args, DecodeError, EncodeError, Encoded, replace_lone};

use super::tape::Tape;
use super::text;

/// How much of a payload is shown in logs at most, in bytes.
const SHOWN: usize = 500;

/// A payload with everything that serde treats in a way of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Typed {
    text: String,
    bytes: Bytes,
    #[serde(flatten)]
    flat: Flat,
    either: Vec<Either>,
    map: HashMap<String, Option<Either>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flat {
    num: i64,
    more: Option<Bytes>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Kind(Kind),
    Number(u32),
    Bytes(Bytes),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Newtype(Bytes),
    Tuple(u8, Bytes),
    Struct { bytes: Bytes },
}

/// The arguments of an event or of an ack.
pub(super) fn arguments(input: &[u8]) {
    let mut tape = Tape::new(input);
    let attachments: Vec<_> = (0..tape.below(4))
        .map(|index| Bytes::from(vec![b'a'; index]))
        .collect();
    let json = text(tape.rest());

    let (repaired, changed) = replace_lone(json.clone());
    assert_eq!((repaired.len(), changed), (json.len(), repaired != json));
    assert_eq!(replace_lone(repaired.clone()), (repaired, false));

    if let Ok((name, args)) = Args::event(json.clone(), attachments.clone()) {
        assert!(name.len() <= json.len());
        read(&args);
    }
    if let Ok(args) = Args::values(json, attachments) {
        read(&args);
    }
}

fn read(args: &Args) {
    let _ = args.decode::<Value>();
    let _ = args.decode::<(String, Typed)>();
    let _ = args.decode::<(Either, Option<Kind>)>();
    let _ = args.decode_borrowed::<(&str, &[u8])>();
    let _ = args.decode::<BTreeMap<u8, Value>>();
    assert!(format!("{args:?}").len() <= SHOWN);
    let Ok(values) = checked(args) else { return };
    let first = values.first().cloned().unwrap_or_default();
    assert_eq!(
        args.decode::<Option<Value>>()
            .map(Option::unwrap_or_default),
        Ok(first)
    );
    same_again(&Value::Array(values));
}

/// All values. Whatever can be validated can be looked at, and the other way round.
pub(super) fn checked(args: &Args) -> Result<Vec<Value>, DecodeError> {
    let values = args.to_values();
    // Where there are two faults, they may find another one first.
    assert_eq!(args.validate().is_err(), values.is_err(), "{args:?}");
    values
}

/// What is sent arrives.
fn same_again(value: &Value) {
    match Encoded::values(value) {
        Ok(sent) => assert_eq!(arrive(sent).decode::<Value>().as_ref(), Ok(value)),
        Err(EncodeError::TooDeep | EncodeError::PlaceholderKey) => {}
        Err(error) => panic!("{error}"),
    }
}

fn arrive(sent: Encoded) -> Args {
    assert!(sent.json().is_ascii());
    let (json, attachments) = sent.into_parts();
    let args = Args::values(json, attachments).expect("an array");
    assert_eq!(args.validate(), Ok(()));
    args
}

/// Any value and any typed one, sent and received.
pub(super) fn values(input: &[u8]) {
    let mut tape = Tape::new(input);
    let (name, value) = (text(tape.bytes()), value(&mut tape, 0));
    same_again(&value);
    assert_eq!(value.decode::<Value>().as_ref(), Ok(&value));
    match Encoded::event(&name, &(&value, 1, &*name)) {
        Ok(sent) => {
            let list = sent.arguments_json();
            let whole = sent.name_json().map(|name| format!("[{name},{list}]"));
            assert_eq!(whole.as_deref(), Some(sent.json()));
            assert!(format!("{sent:?}").len() <= SHOWN);
            let (json, attachments) = sent.into_parts();
            let (read_name, args) = Args::event(json, attachments).expect("an event");
            assert_eq!(read_name, name);
            assert_eq!(
                args.decode::<(Value, u8, String)>(),
                Ok((value, 1, name.into()))
            );
        }
        Err(EncodeError::TooDeep | EncodeError::PlaceholderKey) => {}
        Err(error) => panic!("{error}"),
    }

    let typed = typed(&mut tape);
    let sent = Encoded::values(&(&typed, 1)).expect("what is no placeholder can be sent");
    assert_eq!(arrive(sent).decode::<(Typed, u8)>(), Ok((typed, 1)));
}

fn value(tape: &mut Tape<'_>, depth: usize) -> Value {
    // Deeper than may be sent, but not so deep that building it ends the stack.
    let kinds = if depth > 130 { 7 } else { 9 };
    match tape.below(kinds) {
        0 => Value::Null,
        1 => Value::from(tape.flag()),
        2 => Value::from(tape.number()),
        3 => Value::from(tape.number() as i64),
        4 => Value::from(f64::from_bits(tape.number())),
        5 => Value::from(&*text(tape.bytes())),
        6 => Value::from(Bytes::copy_from_slice(tape.bytes())),
        7 => (0..tape.below(8))
            .map(|_| value(tape, depth + 1))
            .collect::<Vec<_>>()
            .into(),
        _ => {
            let count = tape.below(8);
            Value::Object(
                (0..count)
                    .map(|_| (key(tape), value(tape, depth + 1)))
                    .collect(),
            )
        }
    }
}

/// Often one that means something inside of placeholders.
fn key(tape: &mut Tape<'_>) -> String {
    match tape.below(4) {
        0 => "_placeholder".to_owned(),
        1 => "num".to_owned(),
        _ => text(tape.bytes()).into(),
    }
}

fn typed(tape: &mut Tape<'_>) -> Typed {
    let bytes = |tape: &mut Tape<'_>| Bytes::copy_from_slice(tape.bytes());
    let either = |tape: &mut Tape<'_>| match tape.below(6) {
        0 => Either::Kind(Kind::Unit),
        1 => Either::Kind(Kind::Newtype(bytes(tape))),
        2 => Either::Kind(Kind::Tuple(tape.byte(), bytes(tape))),
        3 => Either::Kind(Kind::Struct { bytes: bytes(tape) }),
        4 => Either::Number(tape.number() as u32),
        _ => Either::Bytes(bytes(tape)),
    };
    Typed {
        text: text(tape.bytes()).into(),
        bytes: bytes(tape),
        flat: Flat {
            num: tape.number() as i64,
            more: tape.flag().then(|| bytes(tape)),
        },
        either: (0..tape.below(4)).map(|_| either(tape)).collect(),
        map: (0..tape.below(4))
            .map(|index| (index.to_string(), tape.flag().then(|| either(tape))))
            .collect(),
    }
}

/// How deep brackets nest, counted without looking at strings: never less than the JSON does.
pub(super) fn depth(json: &str) -> usize {
    json.bytes()
        .filter(|byte| matches!(byte, b'[' | b'{'))
        .count()
}
