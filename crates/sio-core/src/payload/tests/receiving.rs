//! Text into types.

use std::collections::{BTreeMap, HashMap};

use bytestring::ByteString;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::*;
use super::{event, no_event};

fn name_of(text: &str) -> String {
    Args::event(text.into(), Vec::new()).unwrap().0.into()
}

fn json_error<T>(result: Result<T, DecodeError>) -> String {
    match result.map(drop).unwrap_err() {
        DecodeError::Json { message } => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_element_is_the_name() {
    assert_eq!(name_of(r#"["chat"]"#), "chat");
    assert_eq!(name_of(r#"["",1]"#), "");
    assert_eq!(name_of(" [ \"a b\" ,1] \n"), "a b");
    assert_eq!(name_of(r#"["a\"b\u00e9\ud83d\ude00",1]"#), "a\"bé😀");
    assert_eq!(name_of("[\"日本\"]"), "日本");
}

#[test]
fn a_plain_name_is_not_copied() {
    let text = ByteString::from(r#"["chat",1]"#);
    let (name, _) = Args::event(text.clone(), Vec::new()).unwrap();
    assert_eq!(name.as_ptr(), text[2..].as_ptr());
}

#[test]
fn a_number_is_a_name_for_old_servers() {
    assert_eq!(name_of("[7]"), "7");
    assert_eq!(name_of("[-1.5e3 ,1]"), "-1.5e3");
    assert_eq!(event("[7,8]").decode(), Ok(8));
}

#[test]
fn what_cannot_be_an_event_is_refused() {
    for text in [
        "",
        " ",
        "[",
        "]",
        "{}",
        r#""chat""#,
        r#"["chat""#,
        "null",
        "7",
        r#"x["chat"]"#,
    ] {
        assert_eq!(no_event(text), DecodeError::NotAnArray, "{text}");
    }
    assert_eq!(no_event("[]"), DecodeError::NoName);
    assert_eq!(no_event(" [ ] "), DecodeError::NoName);
    for (text, found) in [
        ("[null]", "null"),
        ("[true]", "a bool"),
        ("[false,1]", "a bool"),
        ("[[1]]", "an array"),
        (r#"[{"a":1}]"#, "an object"),
    ] {
        assert_eq!(no_event(text), DecodeError::Name { found });
    }
    for text in [
        "[,]",
        "[x]",
        r#"["a]"#,
        r#"["a\"]"#,
        r#"["a\x"]"#,
        "[\"a\nb\"]",
        r#"["a"b]"#,
        r#"["a\n"b]"#,
        "[1a]",
        "[1-]",
        "[-]",
        "[01]",
    ] {
        json_error(Args::event(text.into(), Vec::new()));
    }
}

#[test]
fn values_need_an_array() {
    for text in ["", "null", "{}", "[1"] {
        let refused = Args::values(text.into(), Vec::new()).unwrap_err();
        assert_eq!(refused, DecodeError::NotAnArray);
    }
    assert_eq!(Args::values("[]".into(), Vec::new()), Ok(Args::default()));
    assert_eq!(Args::default().decode(), Ok(()));
}

#[test]
fn a_tuple_takes_several_arguments() {
    let args = event(r#"["e","lobby",7,null]"#);
    assert_eq!(args.decode(), Ok(("lobby".to_owned(), 7)));
    assert_eq!(args.decode(), Ok(("lobby".to_owned(),)));
    assert_eq!(
        args.decode::<(String, IgnoredAny, ())>().unwrap().0,
        "lobby"
    );
    assert_eq!(event("[1,2,3,4]").decode(), Ok([2, 3]));
    assert_eq!(event("[1,[2,3],4]").decode(), Ok(([2, 3], 4)));
    assert_eq!(event(r#"["e"]"#).decode(), Ok([0_u8; 0]));
}

#[test]
fn nothing_accepts_whatever_came() {
    for text in [r#"["e"]"#, r#"["e",1,"x"]"#] {
        assert_eq!(event(text).decode(), Ok(()));
        event(text).decode::<IgnoredAny>().unwrap();
    }
}

#[test]
fn everything_else_is_the_first_argument() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Unit;
    #[derive(Debug, PartialEq, Deserialize)]
    struct Pair(u8, u8);
    #[derive(Debug, PartialEq, Deserialize)]
    struct Newtype<T>(T);
    #[derive(Debug, PartialEq, Deserialize)]
    struct Seat {
        room: String,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        Unit,
        One(u8),
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i8),
        Pair(u8, u8),
    }

    assert_eq!(event(r#"["e","lobby",7]"#).decode(), Ok("lobby".to_owned()));
    assert_eq!(event(r#"["e","x"]"#).decode(), Ok('x'));
    assert_eq!(event(r#"["e",true]"#).decode(), Ok(true));
    assert_eq!(event(r#"["e",-7]"#).decode(), Ok(-7_i8));
    assert_eq!(event(r#"["e",1e+21]"#).decode(), Ok(1e21));
    assert_eq!(event(r#"["e",1.5]"#).decode(), Ok(1.5_f32));
    let big = format!(r#"["e",{}]"#, u128::MAX);
    assert_eq!(event(&big).decode(), Ok(u128::MAX));
    assert_eq!(event(r#"["e",[1,2],3]"#).decode(), Ok(vec![1, 2]));
    assert_eq!(event(r#"["e",[1,2],3]"#).decode(), Ok(Pair(1, 2)));
    assert_eq!(event(r#"["e",null]"#).decode(), Ok(Unit));
    assert_eq!(event(r#"["e",7]"#).decode(), Ok(Newtype(7)));
    assert_eq!(event(r#"["e",7,8]"#).decode(), Ok(Newtype((7, 8))));
    assert_eq!(
        event(r#"["e",{"room":"a"}]"#).decode(),
        Ok(Seat {
            room: "a".to_owned()
        })
    );
    assert_eq!(
        event(r#"["e",["a"]]"#).decode(),
        Ok(Seat {
            room: "a".to_owned()
        })
    );
    assert_eq!(event(r#"["e","Unit"]"#).decode(), Ok(Kind::Unit));
    assert_eq!(event(r#"["e",{"One":1}]"#).decode(), Ok(Kind::One(1)));
    assert_eq!(event(r#"["e",-1]"#).decode(), Ok(Either::Number(-1)));
    assert_eq!(event(r#"["e",[1,2]]"#).decode(), Ok(Either::Pair(1, 2)));
    assert_eq!(
        event(r#"["e",{"1":2}]"#).decode(),
        Ok(BTreeMap::from([(1, 2)]))
    );
    assert_eq!(event(r#"["e","é"]"#).decode_borrowed(), Ok("é"));
}

#[test]
fn an_option_may_be_missing_or_null() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Newtype(Option<u8>);
    assert_eq!(event(r#"["e"]"#).decode(), Ok(None::<u8>));
    assert_eq!(event(r#"["e",null]"#).decode(), Ok(None::<u8>));
    assert_eq!(event(r#"["e",1]"#).decode(), Ok(Some(1)));
    assert_eq!(event(r#"["e",[1,2]]"#).decode(), Ok(Some((1, 2))));
    assert_eq!(
        event(r#"["e",1]"#).decode(),
        Ok((1, None::<u8>, Newtype(None)))
    );
    assert_eq!(event(r#"["e"]"#).decode(), Ok(Newtype(None)));
}

#[test]
fn a_missing_argument_is_named() {
    let missing = |position, expected, received| DecodeError::Missing {
        position,
        expected,
        received,
    };
    assert_eq!(event(r#"["e"]"#).decode::<u8>(), Err(missing(1, 1, 0)));
    assert_eq!(event(r#"["e"]"#).decode::<(u8,)>(), Err(missing(1, 1, 0)));
    assert_eq!(event(r#"["e"]"#).decode::<Value>(), Err(missing(1, 1, 0)));
    let error = event(r#"["e",1]"#)
        .decode::<(u8, String, u8)>()
        .unwrap_err();
    assert_eq!(error, missing(2, 3, 1));
    assert_eq!(
        error.to_string(),
        "argument 2 of 3 is missing: the server sent 1"
    );
}

#[test]
fn a_wrong_type_is_named_with_its_argument() {
    let error = event(r#"["e",1,"x"]"#).decode::<(u8, u8)>().unwrap_err();
    assert_eq!(
        error,
        DecodeError::Argument {
            position: 2,
            message: r#"invalid type: string "x", expected u8 at line 1 column 10"#.to_owned()
        }
    );
    let error = event(r#"["e",{"a":1}]"#)
        .decode::<HashMap<String, String>>()
        .unwrap_err();
    assert!(
        matches!(error, DecodeError::Argument { position: 1, .. }),
        "{error:?}"
    );
    let error = event(r#"["e",300]"#).decode::<u8>().unwrap_err();
    assert!(
        matches!(error, DecodeError::Argument { position: 1, .. }),
        "{error:?}"
    );
}

#[test]
fn broken_json_is_told_from_a_wrong_type() {
    for text in [
        r#"["e",]"#,
        r#"["e",x]"#,
        r#"["e",{]"#,
        r#"["e",1]]"#,
        r#"["e",1],[]"#,
        r#"["e",1,2,{"a"]"#,
        r#"["e",1 2]"#,
        "[\"e\",\"\n\"]",
    ] {
        json_error(event(text).decode::<()>());
        json_error(event(text).validate());
        json_error(event(text).to_values());
    }
    assert_eq!(
        json_error(event(r#"["e",1]]"#).decode::<u8>()),
        "trailing characters at line 1 column 8"
    );
}

#[test]
fn whitespace_may_stand_anywhere() {
    for text in [
        r#"["e",1,"x"]"#,
        r#"["e", 1, "x"]"#,
        r#"["e",1 ,"x" ]"#,
        " [ \"e\" , 1 , \"x\" ] ",
        "\n[\"e\",\t1,\r\n\"x\"\n]\n",
    ] {
        assert_eq!(event(text).decode(), Ok((1, "x".to_owned())), "{text}");
        assert_eq!(event(text).decode(), Ok(1), "{text}");
    }
    // Without a name a bracket behind whitespace is no argument's.
    for text in [" [1]", "[1]", "[ 1]", " [1,[2]]"] {
        let args = Args::values(text.into(), Vec::new()).unwrap();
        assert_eq!(args.decode(), Ok(1), "{text}");
    }
    assert_eq!(
        Args::values(" [1]]".into(), Vec::new())
            .unwrap()
            .decode::<Value>()
            .ok(),
        None
    );
}

#[test]
fn deep_nesting_is_an_error() {
    let nested = |depth| format!("[\"e\",{}{}]", "[".repeat(depth), "]".repeat(depth));
    assert!(event(&nested(126)).to_values().is_ok());
    assert!(event(&nested(126)).decode::<Value>().is_ok());
    let values = |depth| {
        Args::values(
            format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into(),
            Vec::new(),
        )
        .unwrap()
    };
    assert!(values(127).decode::<Value>().is_ok());
    assert!(values(128).decode::<Value>().is_err());
    for depth in [127, 1_000_000] {
        let args = event(&nested(depth));
        assert!(json_error(args.to_values()).starts_with("recursion limit exceeded"));
        assert!(json_error(args.decode::<Value>()).starts_with("recursion limit exceeded"));
        assert!(json_error(args.validate()).starts_with("recursion limit exceeded"));
        // What nobody asked for is skipped without recursion.
        assert_eq!(args.decode(), Ok(()));
    }
}

#[test]
fn half_surrogate_pairs_are_tolerated() {
    let (name, args) =
        Args::event(r#"["\ud83d","a\ude00b","\\ud83d"]"#.into(), Vec::new()).unwrap();
    assert_eq!(name, "\u{fffd}");
    assert_eq!(
        args.decode(),
        Ok(("a\u{fffd}b".to_owned(), "\\ud83d".to_owned()))
    );
    assert!(args.repaired());
    assert!(
        Args::values(r#"["\udead"]"#.into(), Vec::new())
            .unwrap()
            .repaired()
    );
    assert!(!event(r#"["e","\ud83d\ude00"]"#).repaired());
}

#[test]
fn unusual_characters_arrive() {
    let text = "[\"e\",\"\u{2028}\u{2029}\u{fffd}\u{ffff}\\u0000\u{7f}\"]";
    assert_eq!(
        event(text).decode(),
        Ok("\u{2028}\u{2029}\u{fffd}\u{ffff}\0\u{7f}".to_owned())
    );
}

#[test]
fn all_values_can_be_looked_at() {
    let args = event(r#"["e",1,"x",[null]]"#);
    let values = [Value::from(1), Value::from("x"), Value::from([()])];
    assert_eq!(args.to_values().unwrap(), values);
    assert_eq!(args.text(), r#"["e",1,"x",[null]]"#);
    assert!(args.attachments().is_empty());
    assert_eq!(event("[7]").to_values(), Ok(Vec::new()));
    assert_eq!(
        Args::values("[7]".into(), Vec::new()).unwrap().to_values(),
        Ok(vec![7.into()])
    );
}

#[test]
fn debug_is_short() {
    assert_eq!(format!("{:?}", event(r#"["e",1]"#)), r#"Args(["e",1])"#);
    let long = format!("[\"e\",\"{}\"]", "é".repeat(200));
    let text = format!("{:?}", super::binary_event(&long, &[b"a", b"b"]));
    assert!(text.ends_with("é… 408 bytes, 2 attachments)"), "{text}");
}
