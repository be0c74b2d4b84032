//! The common name of a certificate's subject, which rustls does not look at.

/// `2.5.4.3`, as DER writes it.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// Whether a subject, given without its outer tag and length, has this common name.
pub(super) fn is(subject: &[u8], name: &str) -> bool {
    let mut names = elements(subject).filter(|(tag, _)| *tag == SET);
    names.any(|(_, set)| {
        let mut pairs = elements(set).filter(|(tag, _)| *tag == SEQUENCE);
        pairs.any(|(_, pair)| {
            let mut parts = elements(pair);
            parts.next() == Some((OBJECT_IDENTIFIER, COMMON_NAME))
                && parts
                    .next()
                    .is_some_and(|(_, value)| value.eq_ignore_ascii_case(name.as_bytes()))
        })
    })
}

/// Tag and content of each element, up to the first that is cut off, or 64 KiB long.
fn elements(mut der: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (length, rest) = match der.get(1..)? {
            [length @ 0..=0x7f, rest @ ..] => (usize::from(*length), rest),
            [0x81, length, rest @ ..] => (usize::from(*length), rest),
            [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            _ => return None,
        };
        let (tag, content) = (der[0], rest.get(..length)?);
        der = &rest[length..];
        Some((tag, content))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `C=DE, CN=hub.local`, with the name in UTF-8.
    const SUBJECT: &[u8] = b"\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02DE\
        \x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09hub.local";

    #[test]
    fn it_is_found_behind_other_parts_of_the_subject() {
        assert!(is(SUBJECT, "hub.local"));
        assert!(is(SUBJECT, "HUB.local"));
        assert!(!is(SUBJECT, "DE"), "that is the country");
        assert!(!is(SUBJECT, "hub"));
    }

    #[test]
    fn a_subject_that_is_cut_off_has_none() {
        for end in 0..SUBJECT.len() {
            assert!(!is(&SUBJECT[..end], "hub.local"), "{end}");
        }
    }

    #[test]
    fn long_elements_are_read() {
        let mut long = b"\x31\x82\x01\x0b\x30\x82\x01\x07\x06\x03\x55\x04\x03\x0c\x81\xff".to_vec();
        long.extend([b'x'; 255]);
        assert!(is(&long, &"x".repeat(255)));
        // More than there is.
        long[3] += 1;
        assert!(!is(&long, &"x".repeat(255)));
    }
}
