//! The server's fixed argument lists, `node-server/lib/catalogue.js`, on this side.

use bytes::Bytes;
use serde_json::json;
use sio_core::Value;

/// Entries of JSON values, one or several, plain and nested.
pub(super) const VALUES: &[&str] = &["none", "null", "text", "list", "many", "numbers", "nested"];
/// Entries of values that a careless client takes for none.
pub(super) const FALSY: &[&str] = &[
    "null",
    "false",
    "zero",
    "empty-text",
    "empty-list",
    "empty-map",
    "falsy",
];
/// Entries of text that a careless client changes.
pub(super) const TEXTS: &[&str] = &["escapes", "accents", "cjk", "emoji", "separators", "wire"];
/// Entries of one or several buffers as arguments of their own.
pub(super) const BUFFERS: &[&str] = &["bytes", "bytes-all"];
/// Entries of several buffers.
pub(super) const MANY_BUFFERS: &[&str] = &["bytes-many", "bytes-ten"];

/// Entries with buffers that hold nothing.
pub(super) const EMPTY_BUFFERS: &[&str] = &["bytes-empty", "bytes-with-empty"];

/// The values of an entry.
///
/// # Panics
/// If there is no such entry: the test names one that does not exist.
pub(super) fn entry(name: &str) -> Vec<Value> {
    let values = match name {
        "none" => json!([]),
        "null" => json!([null]),
        "false" => json!([false]),
        "zero" => json!([0]),
        "empty-text" => json!([""]),
        "empty-list" => json!([[]]),
        "empty-map" => json!([{}]),
        "falsy" => json!([null, false, 0, "", [], {}]),
        "text" => json!(["text"]),
        "list" => json!([[1, "two", [3]]]),
        "many" => json!([1, "two", true, null, {"three": 3}, [4]]),
        "numbers" => json!([
            -1,
            1.5,
            -0.25,
            1e21,
            5e-324,
            9_007_199_254_740_991_u64,
            -9_007_199_254_740_991_i64
        ]),
        "nested" => json!([{
            "a": {"b": [{"c": null}, [[]], {}], "d": [[[1], 2], 3]},
            "": "empty key",
            "k\"\\e,y:": true,
        }]),
        "escapes" => json!([
            "\"quoted\" \\back\\slash /slash",
            "\u{8}\u{c}\n\r\t",
            "\u{0}\u{1f}\u{7f}",
        ]),
        "accents" => json!(["àéîõü ÀÉÎÕÜ ßøå", "e\u{301} decomposed", {"clé": "été"}]),
        "cjk" => json!(["한글", "漢字 かな カナ", {"键": "值"}]),
        "emoji" => json!(["😀", "👩‍👩‍👧 🇫🇷 👍🏽", {"🔑": "🔒"}]),
        "separators" => json!([
            "a\u{2028}b\u{2029}c",
            "\u{85}\u{a0}\u{feff}",
            "\u{fffd}",
            "\u{ffff}",
            "עברית العربية",
        ]),
        "wire" => json!(["42[\"no\",1]", "1:2", ",", "450-", "\\n", "\\u0000"]),
        "placeholder" => json!([{"_placeholder": true, "num": 0}]),
        name => return buffers(name),
    };
    as_list(values)
}

fn buffers(name: &str) -> Vec<Value> {
    match name {
        "bytes" => vec![bytes(&[0x00, 0x01, 0x02, 0xfa, 0xff])],
        "bytes-empty" => vec![bytes(&[])],
        "bytes-all" => vec![bytes(&(0..=255).collect::<Vec<u8>>())],
        "bytes-many" => vec![
            bytes(&[1]),
            bytes(&[2, 2]),
            bytes(&[3, 3, 3]),
            "text".into(),
            bytes(&[4]),
        ],
        "bytes-with-empty" => vec![bytes(&[1]), bytes(&[]), bytes(&[2])],
        "bytes-nested" => vec![nested_buffers(), 7.into(), bytes(&[0xff])],
        "bytes-ten" => (0..10).map(|byte| bytes(&[byte])).collect(),
        name => panic!("the catalogue has no entry {name:?}"),
    }
}

fn nested_buffers() -> Value {
    let part = Value::from_iter([("data", bytes(&[1, 2])), ("note", Value::Null)]);
    let rest = Value::from_iter([bytes(&[3]), Value::Array(Vec::new())]);
    Value::from_iter([
        ("title", "é".into()),
        ("parts", Value::from_iter([part, rest])),
        ("size", 2.into()),
    ])
}

/// A buffer.
pub(super) fn bytes(bytes: &[u8]) -> Value {
    Value::from(Bytes::copy_from_slice(bytes))
}

/// The elements of a JSON array.
pub(super) fn as_list(values: serde_json::Value) -> Vec<Value> {
    match Value::from(values) {
        Value::Array(values) => values,
        value => panic!("{value} is no list"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_there() {
        for name in [VALUES, FALSY, TEXTS, BUFFERS, MANY_BUFFERS, EMPTY_BUFFERS].concat() {
            let values = entry(name);
            assert_eq!(values.is_empty(), name == "none", "{name}");
        }
        assert_eq!(entry("bytes-nested")[0]["parts"][0]["data"], bytes(&[1, 2]));
    }
}
