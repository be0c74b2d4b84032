//! Pure ASCII JSON: the one spelling that every server version reads alike.

use std::str::Utf8Error;

/// Writes every character beyond ASCII as `\uXXXX`, as a surrogate pair where it needs one, into memory of exactly the size
/// that takes, and some more.
///
/// `json` must be JSON: outside its strings there is nothing but ASCII, so the whole text can be treated alike.
#[inline]
pub(super) fn to_ascii(json: &str, room: usize) -> Result<String, Utf8Error> {
    if json.is_ascii() {
        let mut ascii = String::with_capacity(json.len() + room);
        ascii.push_str(json);
        Ok(ascii)
    } else {
        escape(json, room)
    }
}

/// How long this UTF-8 text will be as ASCII.
#[inline]
pub(super) fn ascii_len(json: &[u8]) -> usize {
    // Characters of two and three bytes become one escape of six, those of four bytes two.
    json.iter()
        .map(|byte| match byte {
            ..0x80 => 1,
            ..0xc0 => 0,
            ..0xf0 => 6,
            _ => 12,
        })
        .sum()
}

fn escape(json: &str, room: usize) -> Result<String, Utf8Error> {
    let mut ascii = Vec::with_capacity(ascii_len(json.as_bytes()) + room);
    let mut rest = json;
    while let Some(at) = rest.bytes().position(|byte| !byte.is_ascii()) {
        let (plain, others) = rest.split_at(at);
        ascii.extend_from_slice(plain.as_bytes());
        let mut others = others.chars();
        if let Some(character) = others.next() {
            for unit in character.encode_utf16(&mut [0; 2]) {
                ascii.extend_from_slice(&escaped(*unit));
            }
        }
        rest = others.as_str();
    }
    ascii.extend_from_slice(rest.as_bytes());
    String::from_utf8(ascii).map_err(|error| error.utf8_error())
}

/// `\uXXXX`
fn escaped(unit: u16) -> [u8; 6] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |shift: u16| DIGITS[usize::from(unit >> shift & 0xf)];
    [b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_ascii(json: &str, room: usize) -> String {
        super::to_ascii(json, room).unwrap()
    }

    #[test]
    fn ascii_stays_as_it_is() {
        let json = "[\"\u{7f}\\n\"]";
        let ascii = to_ascii(json, 2);
        assert_eq!((&*ascii, ascii.capacity()), (json, json.len() + 2));
    }

    #[test]
    fn other_characters_become_escapes() {
        assert_eq!(to_ascii("[\"é\"]", 0), r#"["\u00e9"]"#);
        assert_eq!(to_ascii("\u{2028}\u{ffff}", 0), r"\u2028\uffff");
        assert_eq!(to_ascii("x😀", 0), r"x\ud83d\ude00");
    }

    #[test]
    fn the_length_is_known_before() {
        for text in ["", "a", "é", "\u{7ff}\u{800}", "\u{2028}\u{ffff}", "x😀y"] {
            let ascii = to_ascii(text, 2);
            assert_eq!(ascii_len(text.as_bytes()), ascii.len(), "{text}");
            assert_eq!(ascii.capacity(), ascii.len() + 2, "{text}");
        }
    }
}
