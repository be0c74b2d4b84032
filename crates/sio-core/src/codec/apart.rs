//! What is cut out of something large and may be kept for long.

use bytes::Bytes;
use bytestring::ByteString;

/// A text that was cut out of a body of this many bytes. As a slice it would keep the whole body in memory, so it is copied
/// unless it is most of it. All copies out of a body are smaller together than the body.
#[must_use]
pub fn text_apart(text: ByteString, body: usize) -> ByteString {
    if is_most_of(text.len(), body) {
        text
    } else {
        ByteString::from(&*text)
    }
}

/// The same for a part that was not cut out yet.
///
/// # Panics
/// If it is no part of the body.
#[must_use]
pub fn text_cut(body: &ByteString, part: &str) -> ByteString {
    if is_most_of(part.len(), body.len()) {
        body.slice_ref(part)
    } else {
        ByteString::from(part)
    }
}

/// The same for bytes.
#[must_use]
pub fn bytes_apart(bytes: Bytes, body: usize) -> Bytes {
    if is_most_of(bytes.len(), body) {
        bytes
    } else {
        Bytes::copy_from_slice(&bytes)
    }
}

fn is_most_of(part: usize, body: usize) -> bool {
    part >= body / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_part_is_copied_and_a_large_one_is_not() {
        let body = Bytes::from(vec![7; 1000]);
        let shares = |part: &Bytes| body.as_ptr_range().contains(&part.as_ptr());
        assert!(shares(&bytes_apart(body.slice(..600), body.len())));
        assert!(!shares(&bytes_apart(body.slice(..400), body.len())));
        let text = ByteString::from("small and large");
        let part = text.slice_ref(&text[..5]);
        assert_ne!(text_apart(part, text.len()).as_ptr(), text.as_ptr());
        assert_eq!(text_apart(text.clone(), text.len()).as_ptr(), text.as_ptr());
        assert_ne!(text_cut(&text, &text[..5]).as_ptr(), text.as_ptr());
        assert_eq!(text_cut(&text, &text[..10]).as_ptr(), text.as_ptr());
    }
}
