//! Bytes there and back, and what only looks like them.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::super::*;
use super::{binary_event, bytes_of, event, received};

const PLAIN: &str = r#"{"_placeholder":true,"num":0}"#;

fn argument_error<T>(result: Result<T, DecodeError>) -> String {
    match result.map(drop).unwrap_err() {
        DecodeError::Argument { message, .. } => message,
        other => panic!("{other:?}"),
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct File {
    name: String,
    content: Bytes,
    preview: Option<Bytes>,
    parts: Vec<ByteBuf>,
    by_number: HashMap<u32, Bytes>,
    nested: (Wrapped, u8),
    kinds: Vec<Kind>,
    #[serde(flatten)]
    meta: Meta,
    #[serde(flatten)]
    others: BTreeMap<String, Either>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wrapped(Bytes);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Meta {
    hash: Bytes,
    num: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Newtype(Bytes),
    Tuple(u8, Bytes),
    Struct { inner: Bytes },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Text(String),
    Binary(Bytes),
    Boxed { binary: Bytes },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    A { content: Bytes },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum Adjacent {
    A(Bytes),
}

fn file() -> File {
    let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
    File {
        name: "é.png".to_owned(),
        content: bytes("content"),
        preview: Some(bytes("preview")),
        parts: vec![ByteBuf::from("1"), ByteBuf::new()],
        by_number: HashMap::from([(7, bytes("seven"))]),
        nested: (Wrapped(bytes("wrapped")), 1),
        kinds: vec![
            Kind::Unit,
            Kind::Newtype(bytes("newtype")),
            Kind::Tuple(1, bytes("tuple")),
            Kind::Struct {
                inner: bytes("struct"),
            },
        ],
        meta: Meta {
            hash: bytes("hash"),
            num: 3,
        },
        others: BTreeMap::from([
            ("a".to_owned(), Either::Text("text".to_owned())),
            (
                "b".to_owned(),
                Either::Binary(Bytes::from_static(b"\xffbinary")),
            ),
            (
                "c".to_owned(),
                Either::Boxed {
                    binary: bytes("boxed"),
                },
            ),
        ]),
    }
}

#[test]
fn bytes_survive_in_every_kind_of_type() {
    let sent = (
        file(),
        Tagged::A {
            content: Bytes::from_static(b"tagged"),
        },
        Adjacent::A(Bytes::from_static(b"adjacent")),
    );
    let encoded = Encoded::event("file", &sent).unwrap();
    assert_eq!(encoded.attachments().len(), 14);
    let (name, args) = received(encoded);
    assert_eq!(name, "file");
    args.validate().unwrap();
    assert_eq!(args.decode(), Ok(sent));
}

#[test]
fn bytes_survive_in_a_dynamic_value() {
    let encoded = Encoded::event("file", &file()).unwrap();
    let (_, args) = received(encoded);
    let value: Value = args.decode().unwrap();
    assert_eq!(value["kinds"][2]["Tuple"][1].as_bytes().unwrap(), "tuple");
    assert_eq!(value.decode(), Ok(file()));

    // And again as something to be sent.
    let (_, again) = received(Encoded::event("file", &value).unwrap());
    assert_eq!(again.decode(), Ok(file()));
    assert_eq!(again.to_values().unwrap(), [value]);
}

#[test]
fn the_keys_may_come_in_either_order() {
    let args = binary_event(
        r#"["e",{"num":1,"_placeholder":true},{ "_placeholder" : true , "num" : 0 }]"#,
        &[b"a", b"b"],
    );
    assert_eq!(args.decode(), Ok((ByteBuf::from("b"), ByteBuf::from("a"))));
    assert_eq!(args.validate(), Ok(()));
    // Escapes are another spelling of the same key, and what else an object holds changes nothing for JavaScript.
    let args = binary_event(
        r#"["e",{"\u005fplaceholder":true,"x":[1],"num":0},{"num":0,"_placeholder":true,"x":1}]"#,
        &[b"a"],
    );
    assert_eq!(args.decode(), Ok((ByteBuf::from("a"), ByteBuf::from("a"))));
}

#[test]
fn a_type_may_borrow_the_bytes() {
    let text = format!(r#"["e",{PLAIN}]"#);
    let args = binary_event(&text, &[b"a"]);
    let bytes: &[u8] = args.decode_borrowed().unwrap();
    assert_eq!(bytes.as_ptr(), args.attachments()[0].as_ptr());
}

#[test]
fn objects_that_begin_alike_stay_objects() {
    for object in [
        r#"{"num":5}"#,
        r#"{"num":5,"x":1}"#,
        r#"{"num":5,"_placeholder":false}"#,
        r#"{"num":5,"_placeholder":false,"x":1}"#,
        r#"{"_placeholder":"true"}"#,
        r#"{"_placeholder":false,"num":5}"#,
        r#"{"_placeholder":null,"num":5,"x":{"num":1}}"#,
        r#"{"num":{"num":[1]},"_placeholder":1,"x":1}"#,
        r#"{"x":1,"num":5}"#,
        "{}",
    ] {
        let plain: BTreeMap<String, serde_json::Value> = serde_json::from_str(object).unwrap();
        let args = binary_event(&format!(r#"["e",{object},{PLAIN}]"#), &[b"a"]);
        assert_eq!(args.validate(), Ok(()), "{object}");
        assert_eq!(
            args.decode(),
            Ok((plain.clone(), ByteBuf::from("a"))),
            "{object}"
        );
        let values = args.to_values().unwrap();
        assert_eq!(
            values[0],
            Value::from(serde_json::from_str::<serde_json::Value>(object).unwrap())
        );
    }
}

#[test]
fn placeholders_within_what_was_read_ahead_are_put_back() {
    let text = format!(r#"["e",{{"num":{{"a":[{PLAIN}]}},"_placeholder":{PLAIN},"x":{PLAIN}}}]"#);
    let args = binary_event(&text, &[b"a"]);
    let value: Value = args.decode().unwrap();
    for bytes in [&value["num"]["a"][0], &value["_placeholder"], &value["x"]] {
        assert_eq!(bytes.as_bytes().unwrap(), "a");
    }
}

#[test]
fn numbers_and_bools_as_keys_work_beside_bytes() {
    let text =
        format!(r#"["e",{{"1":{PLAIN},"-2":{PLAIN}}},{{"true":1,"false":2}},{{"num":1,"x":2}}]"#);
    let args = binary_event(&text, &[b"a"]);
    type Maps = (
        BTreeMap<i8, ByteBuf>,
        BTreeMap<bool, u8>,
        BTreeMap<String, u8>,
    );
    let (numbers, bools, words): Maps = args.decode().unwrap();
    assert_eq!(numbers.into_keys().collect::<Vec<_>>(), [-2, 1]);
    assert_eq!(bools, BTreeMap::from([(true, 1), (false, 2)]));
    assert_eq!(words.len(), 2);
    argument_error(binary_event(r#"["e",{"+1":1}]"#, &[b"a"]).decode::<BTreeMap<i8, u8>>());
}

#[test]
fn a_text_event_never_rebuilds_bytes() {
    let args = event(&format!(r#"["e",{PLAIN}]"#));
    let value: Value = args.decode().unwrap();
    assert_eq!(
        value,
        Value::from(serde_json::json!({"_placeholder": true, "num": 0}))
    );
    assert_eq!(args.validate(), Ok(()));
    argument_error(args.decode::<Bytes>());
}

#[test]
fn a_wrong_index_is_the_servers_fault() {
    let cases = [
        (
            r#"{"_placeholder":true,"num":1}"#,
            DecodeError::OutOfRange { index: 1, count: 1 },
        ),
        (
            r#"{"num":18446744073709551615,"_placeholder":true}"#,
            DecodeError::OutOfRange {
                index: u64::MAX,
                count: 1,
            },
        ),
        (r#"{"_placeholder":true}"#, DecodeError::Placeholder),
        (
            r#"{"_placeholder":true,"num":-1}"#,
            DecodeError::Placeholder,
        ),
        (
            r#"{"_placeholder":true,"num":0.5}"#,
            DecodeError::Placeholder,
        ),
        (
            r#"{"_placeholder":true,"num":"0"}"#,
            DecodeError::Placeholder,
        ),
        (
            r#"{"num":null,"_placeholder":true}"#,
            DecodeError::Placeholder,
        ),
    ];
    for (placeholder, error) in cases {
        for text in [
            format!(r#"["e",{placeholder}]"#),
            format!(r#"["e",{{"a":[{placeholder}]}}]"#),
        ] {
            let args = binary_event(&text, &[b"a"]);
            assert_eq!(args.validate(), Err(error.clone()), "{text}");
            assert_eq!(args.to_values(), Err(error.clone()), "{text}");
            assert_eq!(args.decode::<Value>(), Err(error.clone()), "{text}");
        }
    }
}

#[test]
fn validate_reads_to_the_end() {
    let broken = binary_event(&format!(r#"["e",{PLAIN},{{"a":]"#), &[b"a"]);
    assert!(matches!(broken.validate(), Err(DecodeError::Json { .. })));
    // Nobody has to use an attachment.
    assert_eq!(binary_event(r#"["e",1]"#, &[b"a"]).validate(), Ok(()));
    assert_eq!(binary_event(r#"["e",1]"#, &[b"a"]).decode(), Ok(1));
}

#[test]
fn bytes_are_told_from_other_types() {
    let args = binary_event(&format!(r#"["e",{PLAIN}]"#), &[b"a"]);
    for message in [
        argument_error(args.decode::<HashMap<String, Value>>()),
        argument_error(args.decode::<Vec<u8>>()),
        argument_error(args.decode::<Tagged>()),
        argument_error(args.decode::<Meta>()),
    ] {
        assert!(message.contains("byte array"), "{message}");
    }
    argument_error(args.decode::<String>());
    argument_error(args.decode::<u8>());
    argument_error(args.decode::<bool>());
    argument_error(args.decode::<Kind>());
    // And the other way round.
    let args = binary_event(r#"["e",{"a":1}]"#, &[b"a"]);
    argument_error(args.decode::<Bytes>());
}

#[test]
fn plain_types_work_beside_bytes() {
    let args = binary_event(
        r#"["e",true,-1,1.5,"x","text",null,[1,2],{"One":{"x":1}},"Unit",null,9]"#,
        &[b"a"],
    );
    #[derive(Debug, PartialEq, Deserialize)]
    enum Kinds {
        Unit,
        One { x: u8 },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Unit;
    let expected = (
        (true, -1_i16, 1.5_f32, 'x', "text".to_owned(), ()),
        (
            (1_u64, 2_i128),
            Kinds::One { x: 1 },
            Kinds::Unit,
            Unit,
            Some(9_u128),
        ),
    );
    type Flat = (
        bool,
        i16,
        f32,
        char,
        String,
        (),
        (u64, i128),
        Kinds,
        Kinds,
        Unit,
        Option<u128>,
    );
    let (a, b, c, d, e, f, g, h, i, j, k): Flat = args.decode().unwrap();
    assert_eq!(((a, b, c, d, e, f), (g, h, i, j, k)), expected);
}

#[test]
fn reading_ahead_within_what_was_read_ahead_costs_no_more() {
    // 120 objects that each need reading ahead, around one long array: were each to read all of it anew, the time taken
    // would grow with the depth.
    let array = vec!["1"; 100_000].join(",");
    let text = format!(
        r#"["e",{}[{array}]{},{PLAIN}]"#,
        r#"{"num":"#.repeat(120),
        "}".repeat(120)
    );
    let args = binary_event(&text, &[b"a"]);
    assert_eq!(args.validate(), Ok(()));
    let (nested, bytes): (Value, ByteBuf) = args.decode().unwrap();
    let innermost = (0..120).fold(&nested, |outer, _| &outer["num"]);
    assert_eq!(innermost.as_array().map(<[Value]>::len), Some(100_000));
    assert_eq!(bytes, "a");
}

#[test]
fn all_values_share_the_attachments() {
    let args = binary_event(
        &format!(r#"["e",[{PLAIN}],{{"num":0,"_placeholder":true}}]"#),
        &[b"a"],
    );
    let values = args.to_values().unwrap();
    for bytes in [&values[0][0], &values[1]] {
        assert_eq!(
            bytes.as_bytes().unwrap().as_ptr(),
            args.attachments()[0].as_ptr()
        );
    }
}

#[test]
fn clones_share_the_attachments() {
    let args = Args::values(format!("[{PLAIN}]").into(), bytes_of(&[b"a"])).unwrap();
    let clone = args.clone();
    assert_eq!(clone.attachments().as_ptr(), args.attachments().as_ptr());
    assert_eq!(clone, args);
}
