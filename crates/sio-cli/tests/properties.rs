//! Values and lines of JSON, whatever they hold.

use bytes::Bytes;
use proptest::prelude::*;
use sio_cli::json::{Command, Input, parse, parse_many, to_text};
use sio_core::Value;

/// Any value, with keys and texts that look like marks more often than chance has it.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["\\PC{0,8}", "\\${0,3}bytes", any::<String>()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(|bytes| Value::Bytes(bytes.into())),
    ];
    leaf.prop_recursive(5, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..3).prop_map(Value::from),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_comes_back_from_its_line(value in value()) {
        let text = to_text(&value);
        prop_assert!(!text.contains('\n'));
        prop_assert_eq!(parse(&text), Ok(value));
    }

    #[test]
    fn several_values_come_back_from_one_line(values in prop::collection::vec(value(), 0..4)) {
        let texts: Vec<String> = values.iter().map(to_text).collect();
        prop_assert_eq!(parse_many(&texts.join(" ")), Ok(values));
    }

    #[test]
    fn arguments_of_an_emit_come_back(values in prop::collection::vec(value(), 0..4)) {
        let args = to_text(&Value::from(values.clone()));
        // A list of one object that looks marked is a list all the same.
        let input = Input::parse(&format!(r#"{{"emit":"x","args":{args}}}"#)).unwrap();
        match input.command {
            Command::Emit { args, .. } => prop_assert_eq!(args, values),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_line_breaks_the_reader(line in any::<String>()) {
        // An error is an answer, too: it has words.
        if let Err(error) = Input::parse(&line) {
            prop_assert!(!error.is_empty());
        }
    }

    #[test]
    fn bytes_stay_the_same(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytes = Bytes::from(bytes);
        let read = parse(&to_text(&Value::Bytes(bytes.clone()))).unwrap();
        prop_assert_eq!(read.as_bytes(), Some(&bytes));
    }
}
