//! Queries as servers read them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sio_core::session::SessionConfig;

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

/// The parameter `t`, another one for each request, that keeps caches from answering.
#[derive(Debug)]
pub struct CacheBuster {
    /// The next one; `None` if requests carry none.
    next: Option<u64>,
}

impl CacheBuster {
    /// As a session is told to.
    #[must_use]
    pub fn new<O>(config: &SessionConfig<O>) -> Self {
        Self {
            next: config.timestamps.then_some(config.nonce),
        }
    }

    /// Appends the parameter to a target that has its `?` already.
    pub fn push(&mut self, target: &mut String) {
        let Some(stamp) = self.next else { return };
        self.next = Some(stamp.wrapping_add(1));
        if !target.ends_with(['?', '&']) {
            target.push('&');
        }
        target.push_str("t=");
        push_stamp(target, stamp);
    }
}

/// Writes a number in the alphabet of the reference's cache buster, most significant digit first.
fn push_stamp(target: &mut String, mut number: u64) {
    const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    let mut digits = Vec::with_capacity(11);
    loop {
        digits.push(DIGITS[(number % 64) as usize]);
        number /= 64;
        if number == 0 {
            break;
        }
    }
    target.extend(digits.iter().rev().map(|&digit| char::from(digit)));
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

/// A query without the parameters of this name, however it is encoded there: a URL's query is not ours.
pub(crate) fn without(query: &str, name: &str) -> String {
    let is_of_name = |one: &str| {
        let found = one.split('=').next().unwrap_or_default().replace('+', " ");
        percent_decode_str(&found).eq(name.bytes())
    };
    let others = query
        .split('&')
        .filter(|one| !one.is_empty() && !is_of_name(one));
    others.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_removed_by_name() {
        assert_eq!(without("a=1&b=2&a=3&ab=4&a", "a"), "b=2&ab=4");
        assert_eq!(without("gr%C3%B6%C3%9Fe=1", "größe"), "");
        assert_eq!(without("", "a"), "");
        // As a URL may have them.
        assert_eq!(
            without("u[id]=1&%61=2&a+b=3&c=4", "u[id]"),
            "%61=2&a+b=3&c=4"
        );
        assert_eq!(without("u[id]=1&%61=2&a+b=3&c=4", "a"), "u[id]=1&a+b=3&c=4");
        assert_eq!(without("a+b=3&a%2Bb=4", "a b"), "a%2Bb=4");
    }

    #[test]
    fn names_and_values_are_encoded_once() {
        let mut query = String::from("from=url%20");
        push(&mut query, "token", "a&b=c");
        push(&mut query, "größe", "1 2");
        assert_eq!(query, "from=url%20&token=a%26b%3Dc&gr%C3%B6%C3%9Fe=1%202");
    }
}
