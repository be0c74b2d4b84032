//! Pure ASCII JSON: the one spelling that every server version reads alike.

/// Writes every character beyond ASCII as `\uXXXX`, as a surrogate pair where it needs one.
///
/// `json` must be JSON: outside its strings there is nothing but ASCII, so the whole text can be treated alike.
#[inline]
pub(super) fn to_ascii(json: String) -> String {
    if json.is_ascii() { json } else { escape(&json) }
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

fn escape(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len().saturating_mul(2));
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            character
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| push_escape(&mut ascii, *unit));
        }
    }
    ascii
}

fn push_escape(ascii: &mut String, unit: u16) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    ascii.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        ascii.push(DIGITS[usize::from(unit >> shift & 0xf)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_stays_as_it_is() {
        let json = "[\"\u{7f}\\n\"]".to_owned();
        assert_eq!(to_ascii(json.clone()), json);
    }

    #[test]
    fn other_characters_become_escapes() {
        assert_eq!(to_ascii("[\"é\"]".into()), r#"["\u00e9"]"#);
        assert_eq!(to_ascii("\u{2028}\u{ffff}".into()), r"\u2028\uffff");
        assert_eq!(to_ascii("😀".into()), r"\ud83d\ude00");
    }

    #[test]
    fn the_length_is_known_before() {
        for text in ["", "a", "é", "\u{7ff}\u{800}", "\u{2028}\u{ffff}", "x😀y"] {
            assert_eq!(
                ascii_len(text.as_bytes()),
                to_ascii(text.into()).len(),
                "{text}"
            );
        }
    }
}
