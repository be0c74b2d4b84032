//! JSON string literals: the names of events, and what JSONP and htmlfile wrap around a payload.

use bytestring::ByteString;
use sio_core::payload::replace_lone;

/// What a literal inside of `text`, quotes included, stands for: a slice of it, unless it has escapes.
///
/// Surrogate escapes without a partner, which servers on newer Node write, become U+FFFD. That is one UTF-16 unit like
/// the half it replaces, so lengths inside a wrapped payload stay right.
pub(crate) fn string(text: &ByteString, literal: &str) -> serde_json::Result<ByteString> {
    if let Some(plain) = plain(literal) {
        return Ok(text.slice_ref(plain));
    }
    let (literal, _) = replace_lone(text.slice_ref(literal));
    serde_json::from_str::<String>(&literal).map(ByteString::from)
}

/// The content of a literal without escapes, and without anything that would need one.
fn plain(literal: &str) -> Option<&str> {
    let content = literal.strip_prefix('"')?.strip_suffix('"')?;
    let is_plain = memchr::memchr2(b'"', b'\\', content.as_bytes()).is_none()
        && content.bytes().all(|byte| byte >= b' ');
    is_plain.then_some(content)
}

/// Where the literal ends that begins at the start of `json`, quotes included; `None` if it does not end.
///
/// Whether it is a *valid* literal is not looked at.
pub(crate) fn end(json: &[u8]) -> Option<usize> {
    scan(json, 1).ok()
}

/// Goes on from inside a literal: `Ok` is the end, `Err` is where to go on when there is more of it.
pub(crate) fn scan(json: &[u8], mut from: usize) -> Result<usize, usize> {
    loop {
        let rest = json.get(from..).unwrap_or_default();
        let Some(skipped) = memchr::memchr2(b'"', b'\\', rest) else {
            // An escape may have led beyond the end.
            return Err(from.max(json.len()));
        };
        let at = from + skipped;
        if json[at] == b'"' {
            return Ok(at + 1);
        }
        // Whatever is escaped, if only its first byte is skipped, the rest of it is neither quote nor backslash.
        from = at + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(literal: &ByteString) -> serde_json::Result<ByteString> {
        super::string(literal, literal)
    }

    #[test]
    fn plain_literals_are_not_copied() {
        let literal = ByteString::from_static("\"한/\u{2028}\"");
        let content = string(&literal).unwrap();
        assert_eq!(content, "한/\u{2028}");
        assert_eq!(content.as_ptr(), literal[1..].as_ptr());
        assert_eq!(string(&"\"\"".into()).unwrap(), "");
    }

    #[test]
    fn escapes_are_undone_and_lone_halves_replaced() {
        let read = |literal: &'static str| string(&literal.into()).unwrap();
        assert_eq!(read(r#""a\/b\"\\\n\ud83d\ude00""#), "a/b\"\\\n😀");
        assert_eq!(read(r#""a\ud83db\\ud83d""#), "a\u{fffd}b\\ud83d");
    }

    #[test]
    fn broken_literals_are_refused() {
        for literal in [
            "", "\"", "a", "\"a", "\"a\"b\"", "\"\n\"", r#""\x""#, r#""\"#, "'a'",
        ] {
            assert!(string(&literal.into()).is_err(), "{literal}");
        }
    }

    #[test]
    fn the_end_is_the_first_quote_that_is_not_escaped() {
        assert_eq!(end(br#""a","b""#), Some(3));
        assert_eq!(end(br#""\\\"" "#), Some(6));
        assert_eq!(end(br#""\\\""#), None);
        assert_eq!(end(b"\""), None);
    }

    #[test]
    fn a_scan_goes_on_behind_an_escape_that_was_cut() {
        assert_eq!(scan(br#""a\"#, 1), Err(4));
        assert_eq!(scan(br#""a\""#, 4), Err(4));
        assert_eq!(scan(br#""a\"""#, 4), Ok(5));
    }
}
