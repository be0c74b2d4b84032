//! The tolerance **lone surrogates**: servers on Node 12 and newer (Socket.IO 2.x to 4.x as installed today) write half a
//! surrogate pair as the escape `\udXXX`, which is no character and which a strict JSON parser refuses. JavaScript strings
//! may hold such halves, for instance when a server cuts a text in the middle of an emoji.

use bytestring::ByteString;

/// The length of `\uXXXX`.
const ESCAPE: usize = 6;

/// Replaces each surrogate escape without a partner by `\ufffd`, and tells whether there was any.
///
/// Pairs, escaped backslashes (`\\ud800`) and everything else stay as they are, and so does the length of the text. Memory
/// is taken only when something is replaced.
#[inline]
pub fn replace_lone(json: ByteString) -> (ByteString, bool) {
    match find_lone(json.as_bytes(), 0) {
        None => (json, false),
        Some(first) => replace_from(json, first),
    }
}

#[cold]
fn replace_from(json: ByteString, first: usize) -> (ByteString, bool) {
    let mut repaired = json.as_bytes().to_vec();
    let mut next = Some(first);
    while let Some(at) = next {
        repaired[at..at + ESCAPE].copy_from_slice(b"\\ufffd");
        next = find_lone(&repaired, at + ESCAPE);
    }
    // ASCII was exchanged for ASCII, so this cannot fail.
    match ByteString::try_from(repaired) {
        Ok(repaired) => (repaired, true),
        Err(_) => (json, false),
    }
}

/// Where the next surrogate escape without a partner begins.
fn find_lone(json: &[u8], mut from: usize) -> Option<usize> {
    // In JSON a backslash always begins an escape, so walking from one to the next never mistakes `\\u` for `\u`.
    while let Some(skipped) = memchr::memchr(b'\\', json.get(from..)?) {
        let at = from + skipped;
        from = match unit_at(json, at) {
            None => at + 2,
            Some(0xd800..0xdc00) if is_low(unit_at(json, at + ESCAPE)) => at + 2 * ESCAPE,
            Some(0xd800..0xe000) => return Some(at),
            Some(_) => at + ESCAPE,
        };
    }
    None
}

fn is_low(unit: Option<u16>) -> bool {
    matches!(unit, Some(0xdc00..0xe000))
}

/// The code unit of the escape `\uXXXX` that begins at `at`.
fn unit_at(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + ESCAPE)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(json: &str) -> Option<String> {
        let (text, changed) = replace_lone(json.into());
        assert_eq!(changed, *text != *json);
        changed.then(|| text.into())
    }

    #[test]
    fn lone_halves_are_replaced() {
        assert_eq!(replaced(r#"["\ud800"]"#).as_deref(), Some(r#"["\ufffd"]"#));
        assert_eq!(
            replaced(r#"["\uDFFFx\ud83d\ude00\uDbFf"]"#).as_deref(),
            Some(r#"["\ufffdx\ud83d\ude00\ufffd"]"#)
        );
        // Two first halves: only the second one has a partner.
        assert_eq!(
            replaced(r"\ud83d\ud83d\ude00").as_deref(),
            Some(r"\ufffd\ud83d\ude00")
        );
        // A half pair in front of another escape, and the halves in the wrong order.
        assert_eq!(
            replaced(r"\ud83d\n\u00e9").as_deref(),
            Some(r"\ufffd\n\u00e9")
        );
        assert_eq!(replaced(r"\ude00\ud83d").as_deref(), Some(r"\ufffd\ufffd"));
    }

    #[test]
    fn everything_else_stays() {
        for text in [
            "",
            "[]",
            r"\ud83d\ude00",
            r"\\ud800",
            r"\\\\ud800",
            r"\u00e9\ud7ff\ue000",
            "\\",
            r"\u",
            r"\ud80",
            r"\ud8zz",
            "d800 é",
        ] {
            assert_eq!(replaced(text), None, "{text}");
        }
        assert_eq!(replaced(r"\\\ud800").as_deref(), Some(r"\\\ufffd"));
    }

    #[test]
    fn text_without_halves_is_not_copied() {
        let text = ByteString::from(r#"["\u00e9\\"]"#);
        let (same, _) = replace_lone(text.clone());
        assert_eq!(same.as_ptr(), text.as_ptr());
    }
}
