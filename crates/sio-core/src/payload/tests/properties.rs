//! What holds for any value and any text.

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::*;
use super::received;

/// Any value with bytes in it; its keys are often those of placeholders, but no object is one.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Quarters: serde_json reads floats with many digits only nearly unless its feature `float_roundtrip` is on.
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 4.0)),
        any::<String>().prop_map(Value::from),
        vec(any::<u8>(), 0..20).prop_map(|bytes| Value::from(Bytes::from(bytes))),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            btree_map(any_key(), inner, 0..6).prop_map(Value::Object),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just("num".to_owned()),
        Just("nums".to_owned())
    ]
}

/// What several types make of it.
type Readings = (
    Option<Value>,
    Option<Vec<Value>>,
    Option<(Option<Value>, Option<String>, ())>,
    Option<(u8, Bytes)>,
    Option<()>,
);

fn readings(args: &Args) -> Readings {
    (
        args.decode().ok(),
        args.decode().ok(),
        args.decode().ok(),
        args.decode().ok(),
        args.decode().ok(),
    )
}

/// Text that is nearly an event.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just(","),
        Just(":"),
        Just("\""),
        Just("\\"),
        Just("\"_placeholder\":true"),
        Just("\"num\":"),
        Just("0"),
        Just("-1.5e3"),
        Just("null"),
        Just("\"a\""),
        Just("\\ud800"),
        Just("\\u"),
        Just("é"),
        Just(" "),
        Just("{\"_placeholder\":true,\"num\":0}"),
    ];
    prop_oneof![
        any::<String>(),
        vec(piece.clone(), 0..30).prop_map(|pieces| pieces.concat()),
        vec(piece, 0..30).prop_map(|pieces| format!("[\"e\",{}]", pieces.concat())),
    ]
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Typed {
    text: String,
    bytes: Bytes,
    #[serde(flatten)]
    flat: Flat,
    either: Vec<Either>,
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

fn any_bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn any_either() -> impl Strategy<Value = Either> {
    prop_oneof![
        Just(Either::Kind(Kind::Unit)),
        any_bytes().prop_map(|bytes| Either::Kind(Kind::Newtype(bytes))),
        (any::<u8>(), any_bytes()).prop_map(|(n, bytes)| Either::Kind(Kind::Tuple(n, bytes))),
        any_bytes().prop_map(|bytes| Either::Kind(Kind::Struct { bytes })),
        any::<u32>().prop_map(Either::Number),
        any_bytes().prop_map(Either::Bytes),
    ]
}

fn any_typed() -> impl Strategy<Value = Typed> {
    let flat = (any::<i64>(), proptest::option::of(any_bytes()))
        .prop_map(|(num, more)| Flat { num, more });
    (any::<String>(), any_bytes(), flat, vec(any_either(), 0..5)).prop_map(
        |(text, bytes, flat, either)| Typed {
            text,
            bytes,
            flat,
            either,
        },
    )
}

proptest! {
    #[test]
    fn any_value_survives(name in any::<String>(), value in any_value()) {
        let sent = Encoded::event(&name, &value).unwrap();
        prop_assert!(sent.json().is_ascii());
        let (received_name, args) = received(sent);
        prop_assert_eq!(received_name.as_bytes(), name.as_bytes());
        prop_assert_eq!(args.validate(), Ok(()));
        prop_assert_eq!(args.decode(), Ok((value.clone(),)));
        prop_assert_eq!(args.to_values(), Ok(vec![value.clone()]));
        prop_assert_eq!(value.decode(), Ok(value));
    }

    #[test]
    fn any_typed_value_survives(typed in any_typed(), other in any_either()) {
        let sent = Encoded::event("e", &(&typed, &other)).unwrap();
        prop_assert!(sent.json().is_ascii());
        let (_, args) = received(sent);
        prop_assert_eq!(args.validate(), Ok(()));
        prop_assert_eq!(args.decode(), Ok((typed.clone(), other)));
        prop_assert_eq!(args.decode(), Ok(typed));
    }

    #[test]
    fn short_texts_are_read_like_long_ones(text in nearly_json(), attachments in 0_usize..2) {
        let attachments = vec![Bytes::from_static(b"a"); attachments];
        let long = format!("{text}{:300}", "");
        let event = |text: &str| Args::event(text.into(), attachments.clone()).ok().map(|(_, args)| readings(&args));
        prop_assert_eq!(event(&text), event(&long));
        let values = |text: &str| Args::values(text.into(), attachments.clone()).ok().map(|args| readings(&args));
        prop_assert_eq!(values(&text), values(&long));
    }

    #[test]
    fn any_text_is_read_or_refused(text in nearly_json(), attachments in 0_usize..2) {
        let attachments = vec![Bytes::from_static(b"a"); attachments];
        let event = Args::event(text.as_str().into(), attachments.clone()).map(|(_, args)| args);
        for args in [event, Args::values(text.as_str().into(), attachments)].into_iter().flatten() {
            // Whatever can be validated can be looked at, and the other way round.
            prop_assert_eq!(args.validate().err(), args.to_values().err());
            let _ = args.decode::<Value>();
            let _ = args.decode::<(String, Typed)>();
            let _ = args.decode::<Either>();
            let _ = args.decode::<Option<Bytes>>();
            let shown = format!("{args:?}");
            prop_assert!(shown.len() <= 500);
        }
    }
}
