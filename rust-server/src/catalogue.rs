//! Fixed argument lists, known to both ends by name: what `type`, `types`, `reply` and `check` work with.

use rmpv::Value;
use serde_json::{Value as Json, json};

use crate::value::from_json;

/// The entries of `types`, in order.
pub(crate) const NAMES: [&str; 27] = [
    "none",
    "null",
    "false",
    "zero",
    "empty-text",
    "empty-list",
    "empty-map",
    "falsy",
    "text",
    "list",
    "many",
    "numbers",
    "nested",
    "escapes",
    "accents",
    "cjk",
    "emoji",
    "separators",
    "wire",
    "placeholder",
    "bytes",
    "bytes-empty",
    "bytes-all",
    "bytes-many",
    "bytes-with-empty",
    "bytes-nested",
    "bytes-ten",
];

/// The values of an entry; none if there is no entry of that name.
pub(crate) fn entry(name: &str) -> Vec<Value> {
    let json = match name {
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
        "numbers" => {
            json!([
                -1,
                1.5,
                -0.25,
                1e21,
                5e-324,
                9_007_199_254_740_991_i64,
                -9_007_199_254_740_991_i64
            ])
        }
        "nested" => json!([{
            "a": {"b": [{"c": null}, [[]], {}], "d": [[[1], 2], 3]},
            "": "empty key",
            "k\"\\e,y:": true,
        }]),
        "escapes" => {
            json!([
                "\"quoted\" \\back\\slash /slash",
                "\u{8}\u{c}\n\r\t",
                "\0\u{1f}\u{7f}"
            ])
        }
        "accents" => json!(["àéîõü ÀÉÎÕÜ ßøå", "e\u{301} decomposed", {"clé": "été"}]),
        "cjk" => json!(["한글", "漢字 かな カナ", {"键": "值"}]),
        "emoji" => json!(["😀", "👩‍👩‍👧 🇫🇷 👍🏽", {"🔑": "🔒"}]),
        "separators" => json!([
            "a\u{2028}b\u{2029}c",
            "\u{85}\u{a0}\u{feff}",
            "\u{fffd}",
            "\u{ffff}",
            "עברית العربية"
        ]),
        "wire" => json!(["42[\"no\",1]", "1:2", ",", "450-", "\\n", "\\u0000"]),
        "placeholder" => json!([{"_placeholder": true, "num": 0}]),
        _ => return bytes(name),
    };
    json.as_array()
        .map(|items| items.iter().map(from_json).collect())
        .unwrap_or_default()
}

fn bytes(name: &str) -> Vec<Value> {
    let bytes = |bytes: &[u8]| Value::Binary(bytes.to_vec());
    let json = |json: Json| from_json(&json);
    match name {
        "bytes" => vec![bytes(&[0, 1, 2, 0xfa, 0xff])],
        "bytes-empty" => vec![bytes(&[])],
        "bytes-all" => vec![Value::Binary((0..=255).collect())],
        "bytes-many" => vec![
            bytes(&[1]),
            bytes(&[2, 2]),
            bytes(&[3, 3, 3]),
            "text".into(),
            bytes(&[4]),
        ],
        "bytes-with-empty" => vec![bytes(&[1]), bytes(&[]), bytes(&[2])],
        "bytes-nested" => vec![
            json(json!({
                "title": "é",
                "parts": [{"data": {"$base64": "AQI="}, "note": null}, [{"$base64": "Aw=="}, []]],
                "size": 2,
            })),
            7.into(),
            bytes(&[0xff]),
        ],
        "bytes-ten" => (0..10).map(|value| bytes(&[value])).collect(),
        _ => Vec::new(),
    }
}
