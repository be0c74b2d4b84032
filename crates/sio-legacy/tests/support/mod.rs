//! What real servers and browsers do with the outer layers.

use std::borrow::Cow;

use bytestring::ByteString;
use percent_encoding::percent_decode_str;
use sio_legacy::htmlfile::Scripts;

/// The payloads of a stream that ends between scripts, read in pieces of this size.
pub(crate) fn scripts(stream: &[u8], piece: usize) -> Vec<ByteString> {
    let mut scripts = Scripts::new(10_000);
    let mut payloads = Vec::new();
    for piece in stream.chunks(piece) {
        scripts.push(piece);
        payloads.extend(scripts.by_ref().map(Result::unwrap));
    }
    assert!(scripts.is_between());
    assert_eq!(scripts.invalid_utf8(), 0);
    payloads
}

/// What servers make of a posted form.
pub(crate) fn read_form(body: &str) -> ByteString {
    let field = body.strip_prefix("d=").unwrap().replace('+', " ");
    let json = percent_decode_str(&field).decode_utf8().unwrap();
    serde_json::from_str::<String>(&json).unwrap().into()
}

/// JSON with every other character as its escape.
pub(crate) fn ascii(json: &str) -> String {
    json.chars()
        .map(|character| match character {
            '\0'..='\x7f' => Cow::from(character.to_string()),
            _ => {
                let mut units = [0; 2];
                let units = character.encode_utf16(&mut units).iter();
                Cow::from(
                    units
                        .map(|unit| format!("\\u{unit:04x}"))
                        .collect::<String>(),
                )
            }
        })
        .collect()
}
