//! Queries as servers read them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What JavaScript's `encodeURIComponent` leaves alone.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// Percent-encodes a name or value of a query, as JavaScript's `encodeURIComponent` does: a space becomes `%20`.
///
/// ```
/// assert_eq!(sio_net::encode_component("a b&c,é"), "a%20b%26c%2C%C3%A9");
/// ```
#[must_use]
pub fn encode_component(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// Appends a parameter to a query.
pub(crate) fn push(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.extend(utf8_percent_encode(name, COMPONENT));
    query.push('=');
    query.extend(utf8_percent_encode(value, COMPONENT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_encoded_once() {
        let mut query = String::from("from=url%20");
        push(&mut query, "token", "a&b=c");
        push(&mut query, "größe", "1 2");
        assert_eq!(query, "from=url%20&token=a%26b%3Dc&gr%C3%B6%C3%9Fe=1%202");
    }
}
