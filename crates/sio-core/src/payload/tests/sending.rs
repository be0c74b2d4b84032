//! Values into text and attachments.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::ser::{Error, SerializeTuple};
use serde::{Serialize, Serializer};
use serde_bytes::ByteBuf;

use super::super::*;

fn json<T: Serialize + ?Sized>(args: &T) -> String {
    let event = Encoded::event("e", args).unwrap();
    assert_eq!(event.attachments().len(), 0);
    // The answer of an ack is the same without the name.
    let answer = Encoded::values(args).unwrap().json().to_string();
    let named = event.json().replacen(r#""e","#, "", 1);
    assert_eq!(answer, named.replacen(r#""e""#, "", 1));
    event.json().to_string()
}

#[derive(Serialize)]
struct Nothing;
#[derive(Serialize)]
struct Newtype<T>(T);
#[derive(Serialize)]
struct Pair(u8, u8);
#[derive(Serialize)]
struct Seat {
    room: &'static str,
    number: Option<u8>,
}
#[derive(Serialize)]
enum Kind {
    Unit,
    One(u8),
    Two(u8, u8),
    Named { x: u8 },
}

#[test]
fn a_tuple_is_several_arguments() {
    assert_eq!(json(&("lobby", 7)), r#"["e","lobby",7]"#);
    assert_eq!(json(&("lobby",)), r#"["e","lobby"]"#);
    assert_eq!(json(&[1, 2, 3]), r#"["e",1,2,3]"#);
    assert_eq!(json(&((1, 2), [3], ())), r#"["e",[1,2],[3],null]"#);
    assert_eq!(json(&Newtype((1, 2))), r#"["e",1,2]"#);
    assert_eq!(json(&&Box::new((1, 2))), r#"["e",1,2]"#);
    assert_eq!(json(&(vec![1], Vec::<u8>::new())), r#"["e",[1],[]]"#);
}

#[test]
fn nothing_is_no_argument() {
    assert_eq!(json(&()), r#"["e"]"#);
    assert_eq!(json(&serde_json::Value::Null), r#"["e"]"#);
    assert_eq!(json(&Newtype(())), r#"["e"]"#);
    assert_eq!(json(&[0_u8; 0]), r#"["e"]"#);
}

#[test]
fn everything_else_is_one_argument() {
    assert_eq!(json("lobby"), r#"["e","lobby"]"#);
    assert_eq!(json(&7), r#"["e",7]"#);
    assert_eq!(json(&true), r#"["e",true]"#);
    assert_eq!(json(&'x'), r#"["e","x"]"#);
    assert_eq!(json(&i128::MIN), format!(r#"["e",{}]"#, i128::MIN));
    assert_eq!(json(&None::<u8>), r#"["e",null]"#);
    assert_eq!(json(&Value::Null), r#"["e",null]"#);
    assert_eq!(json(&Some((1, 2))), r#"["e",[1,2]]"#);
    assert_eq!(json(&vec![1, 2]), r#"["e",[1,2]]"#);
    assert_eq!(json(&Vec::<u8>::new()), r#"["e",[]]"#);
    assert_eq!(json(&[1, 2][..]), r#"["e",[1,2]]"#);
    assert_eq!(json(&Nothing), r#"["e",null]"#);
    assert_eq!(json(&Newtype(7)), r#"["e",7]"#);
    assert_eq!(json(&Pair(1, 2)), r#"["e",[1,2]]"#);
    assert_eq!(
        json(&Seat {
            room: "a",
            number: None
        }),
        r#"["e",{"room":"a","number":null}]"#
    );
    assert_eq!(json(&BTreeMap::from([(1, 2)])), r#"["e",{"1":2}]"#);
    assert_eq!(json(&format_args!("{}-{}", 1, 2)), r#"["e","1-2"]"#);
    assert_eq!(
        json(&vec![
            Kind::Unit,
            Kind::One(1),
            Kind::Two(1, 2),
            Kind::Named { x: 1 }
        ]),
        r#"["e",["Unit",{"One":1},{"Two":[1,2]},{"Named":{"x":1}}]]"#
    );
    assert_eq!(json(&Kind::Unit), r#"["e","Unit"]"#);
    assert_eq!(json(&Kind::One(1)), r#"["e",{"One":1}]"#);
    assert_eq!(json(&Kind::Two(1, 2)), r#"["e",{"Two":[1,2]}]"#);
    assert_eq!(json(&Kind::Named { x: 1 }), r#"["e",{"Named":{"x":1}}]"#);
}

#[test]
fn a_string_that_ends_with_a_comma_keeps_it() {
    assert_eq!(json(&(",", "a,")), r#"["e",",","a,"]"#);
    let event = Encoded::event("e,", &()).unwrap();
    assert_eq!(event.json(), r#"["e,"]"#);
}

#[test]
fn numbers_that_json_does_not_have_are_null() {
    let args = (f64::NAN, f64::INFINITY, f32::NEG_INFINITY, 1.5);
    assert_eq!(json(&args), r#"["e",null,null,null,1.5]"#);
}

#[test]
fn text_is_ascii_in_the_name_too() {
    let event = Encoded::event("né\"", &("日本", "😀\u{2028}", '\u{e9}', "\n\u{1}\u{7f}")).unwrap();
    assert_eq!(
        event.json(),
        "[\"n\\u00e9\\\"\",\"\\u65e5\\u672c\",\"\\ud83d\\ude00\\u2028\",\"\\u00e9\",\"\\n\\u0001\u{7f}\"]"
    );
}

#[test]
fn bytes_become_attachments_in_the_order_of_writing() {
    #[derive(Serialize)]
    struct File {
        content: Bytes,
        parts: Vec<ByteBuf>,
    }
    let file = File {
        content: Bytes::from_static(b"a"),
        parts: vec![ByteBuf::from("b"), ByteBuf::new()],
    };
    let event = Encoded::event("e", &(file, "x", serde_bytes::Bytes::new(b"d"))).unwrap();
    assert_eq!(
        event.json(),
        concat!(
            r#"["e",{"content":{"_placeholder":true,"num":0},"parts":[{"_placeholder":true,"num":1},"#,
            r#"{"_placeholder":true,"num":2}]},"x",{"_placeholder":true,"num":3}]"#
        )
    );
    assert!(event.attachments().eq([&b"a"[..], b"b", b"", b"d"]));
}

#[test]
fn bytes_alone_are_one_argument() {
    let answer = Encoded::values(&Bytes::from_static(b"a")).unwrap();
    assert_eq!(answer.json(), r#"[{"_placeholder":true,"num":0}]"#);
    assert_eq!(json(&vec![1_u8, 2]), r#"["e",[1,2]]"#);
}

#[test]
fn bytes_are_no_key() {
    let error = Encoded::values(&BTreeMap::from([(ByteBuf::from("a"), 1)])).unwrap_err();
    assert_eq!(
        error,
        EncodeError::Serialize {
            message: "key must be a string".to_owned()
        }
    );
}

#[test]
fn an_object_that_looks_like_a_placeholder_cannot_stand_beside_bytes() {
    let bytes = Bytes::from_static(b"a");
    let lookalikes = [
        serde_json::json!({"_placeholder": true, "num": 0}),
        serde_json::json!({"a": [{"x": 1, "_placeholder": null}]}),
    ];
    for lookalike in lookalikes {
        assert!(Encoded::values(&lookalike).is_ok());
        for refused in [
            Encoded::values(&(&lookalike, &bytes)),
            Encoded::values(&(&bytes, &lookalike)),
        ] {
            assert_eq!(refused.unwrap_err(), EncodeError::PlaceholderKey);
        }
    }
}

#[test]
fn a_key_pieced_together_is_found_as_well() {
    struct Pieces;
    impl fmt::Display for Pieces {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("_place")?;
            f.write_str("holder")
        }
    }
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    struct PiecedKey;
    impl Serialize for PiecedKey {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&Pieces)
        }
    }
    let map = BTreeMap::from([(PiecedKey, 1)]);
    let refused = Encoded::values(&(map, Bytes::new())).unwrap_err();
    assert_eq!(refused, EncodeError::PlaceholderKey);
}

#[test]
fn the_word_itself_may_stand_beside_bytes() {
    let words = (
        "_placeholder",
        "\"_placeholder\":",
        serde_json::json!({"x_placeholder": 1, "\"_placeholder": 2, "{\"_placeholder\":true": 3}),
        Bytes::from_static(b"a"),
    );
    assert_eq!(
        Encoded::event("_placeholder", &words)
            .unwrap()
            .attachments()
            .len(),
        1
    );
}

#[test]
fn the_values_own_failure_is_told() {
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("out of paper"))
        }
    }
    let error = Encoded::event("e", &(1, Broken)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the arguments cannot be written as JSON: out of paper"
    );
    assert_eq!(Encoded::event("e", &Broken).unwrap_err(), error);
}

#[test]
fn a_value_is_asked_once() {
    struct Once(Cell<u32>);
    impl Serialize for Once {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.set(self.0.get() + 1);
            let mut tuple = serializer.serialize_tuple(1)?;
            tuple.serialize_element(&self.0.get())?;
            tuple.end()
        }
    }
    assert_eq!(
        Encoded::event("e", &Once(Cell::new(0))).unwrap().json(),
        r#"["e",1]"#
    );
}

/// An array in an array …, `depth` of them.
fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| Value::from([inner]))
}

#[test]
fn what_can_be_sent_can_be_read() {
    // The array of the arguments is one level, and the array `nested(126)` in it 126.
    let sent = Encoded::values(&nested(126)).unwrap();
    let (json, attachments) = sent.into_parts();
    assert_eq!(
        Args::values(json, attachments).unwrap().decode(),
        Ok(nested(126))
    );
    assert_eq!(
        Encoded::values(&nested(127)).unwrap_err(),
        EncodeError::TooDeep
    );

    // A placeholder is an object, too.
    let with_bytes =
        |depth| (0..depth).fold(Value::from(Bytes::new()), |inner, _| Value::from([inner]));
    let (json, attachments) = Encoded::values(&with_bytes(125)).unwrap().into_parts();
    assert_eq!(
        Args::values(json, attachments).unwrap().decode(),
        Ok(with_bytes(125))
    );
    assert_eq!(
        Encoded::values(&with_bytes(126)).unwrap_err(),
        EncodeError::TooDeep
    );
}

#[test]
fn endless_nesting_ends() {
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("again", Self)])
        }
    }
    assert_eq!(Encoded::values(&Endless).unwrap_err(), EncodeError::TooDeep);
}

#[test]
fn debug_is_short() {
    let event = Encoded::event("e", &("é".repeat(200), Bytes::new())).unwrap();
    let text = format!("{event:?}");
    assert!(text.starts_with(r#"Encoded(["e","\u00e9"#), "{text}");
    assert!(text.ends_with("… 1238 bytes, 1 attachment)"), "{text}");
}

#[test]
fn errors_are_small() {
    assert!(size_of::<EncodeError>() <= 24);
    assert!(size_of::<DecodeError>() <= 32);
}
