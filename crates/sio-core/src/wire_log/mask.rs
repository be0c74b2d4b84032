//! Makes secrets unreadable without changing any length.

/// Shorter words would be found everywhere.
const SHORTEST: usize = 8;

/// What must not be read in a log. Lines wait until the session's id is known, since earlier ones show it.
#[derive(Debug, Default)]
pub(super) struct Mask {
    /// `name=value` of queries, as they are on the wire.
    pairs: Vec<String>,
    /// Ids, and values of queries that look the same on the wire and elsewhere: a server may repeat them in an event.
    words: Vec<String>,
    held: Vec<String>,
    holds: bool,
}

impl Mask {
    /// A session begins: nothing is shown before its id is known.
    pub(super) fn hold(&mut self) {
        self.holds = true;
    }

    /// The values of a query are secrets from now on.
    pub(super) fn hide_query(&mut self, query: &str) {
        for pair in query.split('&') {
            let Some((_, value)) = pair.split_once('=').filter(|(_, value)| !value.is_empty())
            else {
                continue;
            };
            if self.pairs.iter().all(|known| known != pair) {
                self.pairs.push(pair.to_owned());
            }
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            if value.bytes().all(is_plain) {
                self.hide_word(value);
            }
        }
    }

    fn hide_word(&mut self, word: &str) {
        if word.len() >= SHORTEST && self.words.iter().all(|known| known != word) {
            self.words.push(word.to_owned());
        }
    }

    /// The id of the session is known, or there will be none.
    pub(super) fn release(&mut self, id: Option<&str>, out: &mut String) {
        if let Some(id) = id {
            self.hide_word(id);
        }
        self.holds = false;
        for line in std::mem::take(&mut self.held) {
            self.add(line, out);
        }
    }

    pub(super) fn add(&mut self, line: String, out: &mut String) {
        if self.holds {
            self.held.push(line);
        } else {
            out.push_str(&self.apply(line));
        }
    }

    /// Works on the line's JSON: neither an id nor a query on the wire has characters that JSON escapes, nor does
    /// an escaped body change them.
    fn apply(&self, mut line: String) -> String {
        for pair in &self.pairs {
            let name = pair.find('=').map_or(0, |at| at + 1);
            line = hide(line, pair, name);
        }
        for word in &self.words {
            line = hide(line, word, 0);
        }
        line
    }
}

/// Replaces what stands behind the first `kept` bytes of each `secret`.
fn hide(line: String, secret: &str, kept: usize) -> String {
    if !line.contains(secret) {
        return line;
    }
    let (name, value) = secret.split_at(kept);
    line.replace(secret, &format!("{name}{}", "x".repeat(value.len())))
}
