//! What clients may ask for: the part of the vocabulary of the real servers' application that the benchmarks use.

use std::io::Write as _;

use memchr::memmem;

use super::dialect::Dialect;

/// What a client may ask for at once.
const MOST_TICKS: usize = 10_000_000;
const LARGEST_TICK: usize = 1 << 20;

/// An event of a client, with its bytes as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub(super) name: &'a [u8],
    /// What stands between the brackets of its arguments.
    pub(super) args: &'a [u8],
    /// The id that its ack needs, if it wants one.
    pub(super) id: Option<&'a [u8]>,
}

/// Where answers go.
pub(super) trait Sink {
    /// A packet, in parts.
    fn packet(&mut self, parts: &[&[u8]]);

    /// The events `tick` of a burst.
    fn ticks(&mut self, dialect: Dialect, count: usize, size: usize);
}

/// Does what an event asks for.
pub(super) fn answer(
    event: Event<'_>,
    dialect: Dialect,
    sink: &mut impl Sink,
) -> Result<(), &'static str> {
    match event.name {
        b"message" => match event.id {
            Some(id) => dialect.ack(id, event.args, sink),
            None => dialect.event(b"message", event.args, sink),
        },
        b"burst" => {
            let count = number(event.args, b"\"count\"").ok_or("a burst without a count")?;
            let size = number(event.args, b"\"size\"").unwrap_or(0);
            if count > MOST_TICKS || size > LARGEST_TICK {
                return Err("a burst that is too large");
            }
            sink.ticks(dialect, count, size);
            let mut digits = Vec::new();
            // A vector takes everything.
            _ = write!(digits, "{count}");
            dialect.event(b"tick-end", &digits, sink);
            if let Some(id) = event.id {
                dialect.ack(id, &digits, sink);
            }
        }
        b"sink" => {}
        _ => return Err("an event that is not in its vocabulary"),
    }
    Ok(())
}

/// The number behind a key, without a look at what else there is.
fn number(json: &[u8], key: &[u8]) -> Option<usize> {
    let behind = &json[memmem::find(json, key)? + key.len()..];
    let digits = behind.trim_ascii_start().strip_prefix(b":")?;
    let digits = digits.trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit());
    let digits = &digits[..end.unwrap_or(digits.len())];
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_however_they_are_written() {
        for json in [
            &br#"{"count":12,"size":80}"#[..],
            br#"{"size": 80, "count": 12, "gap": 0}"#,
        ] {
            assert_eq!(number(json, b"\"count\""), Some(12));
            assert_eq!(number(json, b"\"size\""), Some(80));
            assert_eq!(number(json, b"\"missing\""), None);
        }
    }
}

/// Keeps what would be sent, for the tests of the dialects.
#[cfg(test)]
#[derive(Default)]
pub(super) struct Kept(pub(super) Vec<String>);

#[cfg(test)]
impl Sink for Kept {
    fn packet(&mut self, parts: &[&[u8]]) {
        self.0.push(String::from_utf8(parts.concat()).unwrap());
    }

    fn ticks(&mut self, _: Dialect, count: usize, size: usize) {
        self.0.push(format!("{count} of {size}"));
    }
}
