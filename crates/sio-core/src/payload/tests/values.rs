//! The dynamic value on its own.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};

use super::super::*;

fn sample() -> Value {
    serde_json::json!({
        "null": null,
        "bool": true,
        "small": -7,
        "large": u64::MAX,
        "float": 1.5,
        "text": "é",
        "list": [1, [2], {"x": 3}],
    })
    .into()
}

#[test]
fn values_are_looked_at_without_panics() {
    let value = sample();
    assert!(value["null"].is_null());
    assert!(value["missing"]["deeper"][7].is_null());
    assert_eq!(value["bool"].as_bool(), Some(true));
    assert_eq!(value["small"].as_i64(), Some(-7));
    assert_eq!(value["small"].as_u64(), None);
    assert_eq!(value["large"].as_u64(), Some(u64::MAX));
    assert_eq!(value["large"].as_i64(), None);
    assert_eq!(value["small"].as_f64(), Some(-7.0));
    assert_eq!(value["float"].as_f64(), Some(1.5));
    assert_eq!(value["float"].as_u64(), None);
    assert_eq!(value["text"].as_str(), Some("é"));
    assert_eq!(value["list"].as_array().map(<[Value]>::len), Some(3));
    assert_eq!(value["list"][2]["x"], 3);
    assert_eq!(value[String::from("list")][&1][0], 2);
    assert_eq!(value.as_object().map(BTreeMap::len), Some(7));
    assert_eq!(value.get("list").and_then(|list| list.get(3)), None);
    assert_eq!(value.get(0), None);
    assert_eq!(value["text"].as_bytes(), None);
    assert_eq!(value.as_str(), None);
    assert_eq!(value.as_bool(), None);
    assert_eq!(value.as_array(), None);
    assert_eq!(value["list"].as_object(), None);
    assert_eq!(value.as_f64(), None);
    let bytes = Bytes::from_static(b"a");
    assert_eq!(Value::from(bytes.clone()).as_bytes(), Some(&bytes));
}

#[test]
fn values_compare_with_literals() {
    assert_eq!(Value::from("a"), "a");
    assert_eq!(*"a", Value::from("a"));
    assert_eq!(Value::from("a"), "a".to_owned());
    assert_eq!(Value::from(-1), -1_i8);
    assert_eq!(Value::from(7), 7_usize);
    assert_eq!(7_isize, Value::from(7));
    assert_eq!(Value::from(u64::MAX), u64::MAX);
    assert_eq!(Value::from(1.5), 1.5_f32);
    assert_eq!(1.5, Value::from(1.5));
    assert_eq!(Value::from(true), true);
    assert_eq!(
        Value::from(Bytes::from_static(b"a")),
        Bytes::from_static(b"a")
    );
    assert_ne!(Value::from(1), "1");
    assert_ne!(Value::from(-1), u64::MAX);
    assert_ne!(Value::from(1), Value::from(1.0));
    assert_ne!(Value::Null, false);
}

#[test]
fn values_are_made_from_common_types() {
    assert_eq!(Value::from(()), Value::Null);
    assert_eq!(Value::default(), Value::Null);
    assert_eq!(Value::from(None::<u8>), Value::Null);
    assert_eq!(Value::from(Some("a")), "a");
    assert_eq!(Value::from(f64::NAN), Value::Null);
    assert_eq!(Value::from(f32::INFINITY), Value::Null);
    assert_eq!(Value::from(vec![1_u8]), Value::Array(vec![1.into()]));
    assert_eq!(Value::from(["a", "b"])[1], "b");
    let entries: Value = [("a", 1), ("b", 2)].into_iter().collect();
    assert_eq!(
        entries,
        Value::from(BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]))
    );
    assert_eq!(entries["b"], 2);
}

#[test]
fn a_value_shows_itself_as_compact_json() {
    let mut value = sample();
    if let Value::Object(object) = &mut value {
        object.insert("bytes".to_owned(), Bytes::from_static(&[0; 40]).into());
    }
    assert_eq!(
        value.to_string(),
        concat!(
            r#"{"bool":true,"bytes":<40 bytes>,"float":1.5,"large":18446744073709551615,"#,
            r#""list":[1,[2],{"x":3}],"null":null,"small":-7,"text":"é"}"#
        )
    );
    assert_eq!(
        format!(
            "{:?}",
            Value::from([value["bytes"].clone(), Bytes::from_static(b"a").into()])
        ),
        r#"Array([Bytes(<40 bytes>), Bytes(b"a")])"#
    );
    assert_eq!(
        format!(
            "{:?}",
            Value::from([Value::Null, true.into(), 1.into(), "x".into()])
        ),
        r#"Array([Null, Bool(true), Number(1), String("x")])"#
    );
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    option: Option<u8>,
    none: Option<u8>,
    unit: (),
    newtype: Newtype,
    tuple: (u8, String),
    map: BTreeMap<i16, bool>,
    by_letter: BTreeMap<Letter, char>,
    kinds: Vec<Kind>,
    float: f32,
    whole_float: f64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(u8);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Letter {
    A,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Newtype(u8),
    Tuple(u8, u8),
    Struct { x: u8 },
}

#[test]
fn a_value_reads_into_types_as_json_does() {
    let everything = Everything {
        option: Some(1),
        none: None,
        unit: (),
        newtype: Newtype(2),
        tuple: (3, "x".to_owned()),
        map: BTreeMap::from([(-1, true)]),
        by_letter: BTreeMap::from([(Letter::A, 'z')]),
        kinds: vec![
            Kind::Unit,
            Kind::Newtype(1),
            Kind::Tuple(1, 2),
            Kind::Struct { x: 1 },
        ],
        float: 1.5,
        whole_float: 2.0,
    };
    let value = Value::from(serde_json::to_value(&everything).unwrap());
    assert_eq!(value.decode(), Ok(everything));
}

#[test]
fn a_value_that_does_not_fit_is_told() {
    let error = Value::from("x").decode::<u8>().unwrap_err();
    assert_eq!(
        error,
        DecodeError::Value {
            message: r#"invalid type: string "x", expected u8"#.to_owned()
        }
    );
    assert_eq!(
        error.to_string(),
        r#"the value does not fit: invalid type: string "x", expected u8"#
    );
    assert!(
        Value::from(Bytes::from_static(b"a"))
            .decode::<String>()
            .is_err()
    );
    assert!(Value::from([1, 2, 3]).decode::<(u8, u8)>().is_err());
    assert!(Value::from([1]).decode::<(u8, u8)>().is_err());
    assert!(Value::from("Newtype").decode::<Kind>().is_err());
    assert!(Value::from("Other").decode::<Kind>().is_err());
    assert!(
        Value::from(serde_json::json!({"Unit": 1}))
            .decode::<Kind>()
            .is_err()
    );
    assert!(
        Value::from(serde_json::json!({"Unit": null, "x": 1}))
            .decode::<Kind>()
            .is_err()
    );
    assert!(
        Value::from(serde_json::json!({"x": 1}))
            .decode::<BTreeMap<u8, u8>>()
            .is_err()
    );
    assert!(Value::from(1).decode::<Kind>().is_err());
}

#[test]
fn a_value_is_a_deserializer() {
    type Error = serde::de::value::Error;
    let deserializer: ValueDeserializer<Error> = Value::from([1, 2]).into_deserializer();
    assert_eq!(Vec::<u8>::deserialize(deserializer), Ok(vec![1, 2]));
}

#[test]
fn a_value_survives_plain_serde_json() {
    let text = serde_json::to_string(&sample()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), sample());
    // There its bytes are an array of numbers.
    assert_eq!(
        serde_json::to_string(&Value::from(Bytes::from_static(b"a"))).unwrap(),
        "[97]"
    );
}

#[test]
fn the_last_of_equal_keys_counts() {
    let value: Value = serde_json::from_str(r#"{"a":1,"a":2}"#).unwrap();
    assert_eq!(value["a"], 2);
}
