//! The htmlfile stream: an endless HTML page with a script for each payload, read as its bytes arrive.
//!
//! ```text
//! stream = preamble *script
//! script = "<script>_(" string ");</script>"
//! string = a JSON string, which stands for a payload
//! ```
//!
//! Before 0.9.15 slashes are not escaped, so that `</script>` may occur inside of the string. This is why the string is
//! read as one, and the edges of HTTP chunks mean nothing.

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;
use memchr::memmem;

use crate::error::HtmlfileError;
use crate::{literal, payload};

const OPENING: &[u8] = b"<script>_(";
const CLOSING: &[u8] = b");</script>";

/// Takes the payloads out of a stream's bytes: `Iterator<Item = Result<ByteString, HtmlfileError>>`, which ends where more
/// bytes are needed and goes on when they were [pushed](Self::push).
///
/// ```
/// use sio_legacy::htmlfile::Scripts;
///
/// let mut scripts = Scripts::new(1 << 20);
/// scripts.push(b"<html><body>  <script>_(\"3:::a\\/b");
/// assert_eq!(scripts.next(), None);
/// assert!(!scripts.is_between());
/// scripts.push(b"\");</script>");
/// assert_eq!(scripts.next(), Some(Ok("3:::a/b".into())));
/// assert_eq!(scripts.next(), None);
/// assert!(scripts.is_between());
/// ```
///
/// Each byte is looked at once, and what was read is released. Whoever takes all payloads after each push has no more in
/// memory than the greatest string and what was pushed last. What stands between two scripts is skipped, as browsers do.
///
/// After an error nothing follows.
#[derive(Debug)]
pub struct Scripts {
    buffer: BytesMut,
    place: Place,
    /// Of the stream's bytes, how many stood before the buffer.
    released: u64,
    max_bytes: usize,
    invalid_utf8: usize,
}

/// Where in the stream the buffer begins, and how much of it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Between,
    /// At the string of a script, of which the bytes before `scanned` do not end it.
    Inside {
        scanned: usize,
    },
    /// At the string of a script, which ends at `end`.
    Ended {
        end: usize,
    },
    Failed,
}

impl Scripts {
    /// A stream from its start, in which no script's string is larger than this, quotes and escapes included.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            place: Place::Between,
            released: 0,
            max_bytes,
            invalid_utf8: 0,
        }
    }

    /// Adds bytes that arrived, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.place != Place::Failed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether all that was pushed is read and no script has begun, so that the stream may end here.
    ///
    /// To be asked when [`next`](Iterator::next) has given `None`.
    pub fn is_between(&self) -> bool {
        self.place == Place::Between && self.buffer.is_empty()
    }

    /// How many strings were not UTF-8 and had each wrong sequence replaced by U+FFFD. No 0.9 server writes one.
    pub fn invalid_utf8(&self) -> usize {
        self.invalid_utf8
    }

    fn script(&mut self) -> Result<Option<ByteString>, HtmlfileError> {
        if self.place == Place::Between {
            let Some(at) = memmem::find(&self.buffer, OPENING) else {
                let kept = overlap(&self.buffer, OPENING);
                self.release(self.buffer.len() - kept);
                return Ok(None);
            };
            self.release(at + OPENING.len());
            self.place = Place::Inside { scanned: 1 };
        }
        if let Place::Inside { scanned } = self.place {
            match self.buffer.first() {
                Some(b'"') => {}
                Some(&found) => {
                    let offset = self.released;
                    return Err(HtmlfileError::NotAString { offset, found });
                }
                None => return Ok(None),
            }
            self.place = match literal::scan(&self.buffer, scanned) {
                Ok(end) if end <= self.max_bytes => Place::Ended { end },
                Err(scanned) if self.buffer.len() <= self.max_bytes => Place::Inside { scanned },
                Ok(_) | Err(_) => {
                    return Err(HtmlfileError::TooLarge {
                        offset: self.released,
                        limit: self.max_bytes,
                    });
                }
            };
        }
        match self.place {
            Place::Ended { end } if self.is_closed(end)? => self.take(end).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether the script's end stands behind its string, or more bytes are needed to tell.
    fn is_closed(&self, end: usize) -> Result<bool, HtmlfileError> {
        let behind = &self.buffer[end..];
        if behind.starts_with(CLOSING) {
            Ok(true)
        } else if CLOSING.starts_with(behind) {
            Ok(false)
        } else {
            let offset = self.released + end as u64;
            Err(HtmlfileError::Unclosed { offset })
        }
    }

    fn take(&mut self, end: usize) -> Result<ByteString, HtmlfileError> {
        let offset = self.released;
        let literal: Bytes = self.buffer.split_to(end).freeze();
        self.released += end as u64;
        self.release(CLOSING.len());
        self.place = Place::Between;
        let (literal, was_invalid) = payload::from_utf8(literal);
        self.invalid_utf8 += usize::from(was_invalid);
        literal::string(&literal, &literal).map_err(|error| HtmlfileError::Json {
            offset,
            reason: error.to_string(),
        })
    }

    fn release(&mut self, count: usize) {
        self.buffer.advance(count);
        self.released += count as u64;
    }
}

impl Iterator for Scripts {
    type Item = Result<ByteString, HtmlfileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.place == Place::Failed {
            return None;
        }
        let script = self.script();
        if script.is_err() {
            self.place = Place::Failed;
            self.buffer = BytesMut::new();
        }
        script.transpose()
    }
}

/// How many bytes at the end of `bytes` may be the beginning of `needle`.
fn overlap(bytes: &[u8], needle: &[u8]) -> usize {
    let longest = bytes.len().min(needle.len() - 1);
    (1..=longest)
        .rev()
        .find(|count| bytes.ends_with(&needle[..*count]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREAMBLE: &str =
        "<html><body><script>var _ = function (msg) { parent.s._(msg, document); };</script>   ";

    fn read(stream: &[u8], chunk: usize) -> (Vec<Result<String, HtmlfileError>>, Scripts) {
        let mut scripts = Scripts::new(100);
        let mut read = Vec::new();
        for chunk in stream.chunks(chunk) {
            scripts.push(chunk);
            read.extend(scripts.by_ref().map(|script| script.map(String::from)));
        }
        (read, scripts)
    }

    #[test]
    fn chunk_edges_mean_nothing() {
        let stream = format!(
            "{PREAMBLE}<script>_(\"1::\");</script><script>_(\"3:::</script>\\/한😀\\\"\\\\\");</script>\
            <script>_(\"\");</script>"
        );
        for chunk in 1..stream.len() {
            let (payloads, scripts) = read(stream.as_bytes(), chunk);
            let expected = ["1::", "3:::</script>/한😀\"\\", ""].map(|text| Ok(text.to_owned()));
            assert_eq!(payloads, expected, "{chunk}");
            assert!(scripts.is_between());
        }
    }

    #[test]
    fn the_end_of_the_stream_may_be_inside() {
        let script = "<script>_(\"a\\\"\");</script>";
        for end in 1..script.len() {
            let (payloads, scripts) = read(&script.as_bytes()[..end], 3);
            assert!(payloads.is_empty() && !scripts.is_between(), "{end}");
        }
        let (_, scripts) = read(PREAMBLE.as_bytes(), 7);
        assert!(scripts.is_between());
    }

    #[test]
    fn what_was_read_is_released() {
        let mut scripts = Scripts::new(100);
        for _ in 0..1000 {
            scripts.push(&[b' '; 1000]);
            scripts.push(b"<script>_(\"8::\");</script>\n");
            assert_eq!(scripts.next(), Some(Ok("8::".into())));
            assert_eq!(scripts.next(), None);
            assert!(scripts.is_between() && scripts.buffer.capacity() < 10_000);
        }
    }

    #[test]
    fn broken_scripts_are_refused_where_they_break() {
        let one = |stream: &str| {
            let (payloads, mut scripts) = read(stream.as_bytes(), 5);
            assert_eq!(payloads.len(), 1, "{stream}");
            scripts.push(b"<script>_(\"8::\");</script>");
            assert!(scripts.next().is_none() && !scripts.is_between());
            payloads.into_iter().next().unwrap().unwrap_err()
        };
        assert_eq!(
            one("  <script>_('1::');</script>"),
            HtmlfileError::NotAString {
                offset: 12,
                found: b'\''
            }
        );
        assert_eq!(
            one("<script>_(\"1::\") ;</script>"),
            HtmlfileError::Unclosed { offset: 15 }
        );
        let broken = one("<script>_(\"\n\");</script>");
        assert!(matches!(broken, HtmlfileError::Json { offset: 10, .. }));
    }

    #[test]
    fn strings_are_bounded() {
        let script = |size: usize| format!("<script>_(\"{}\");</script>", "a".repeat(size - 2));
        let error = || {
            Err(HtmlfileError::TooLarge {
                offset: 10,
                limit: 100,
            })
        };
        for chunk in [1, 1000] {
            assert!(read(script(100).as_bytes(), chunk).0[0].is_ok());
            assert_eq!(read(script(101).as_bytes(), chunk).0, [error()]);
            let endless = format!("<script>_(\"{}", "\\\\".repeat(500));
            let (payloads, scripts) = read(endless.as_bytes(), chunk);
            assert_eq!(payloads, [error()]);
            assert_eq!(scripts.buffer.capacity(), 0);
        }
    }

    #[test]
    fn broken_utf8_is_replaced_and_counted() {
        let (payloads, scripts) = read(b"<script>_(\"3:::\xff\");</script>", 4);
        assert_eq!(payloads, [Ok("3:::\u{fffd}".to_owned())]);
        assert_eq!(scripts.invalid_utf8(), 1);
    }
}
