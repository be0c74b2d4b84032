//! The body of an answer, unpacked and bounded.

use std::io::{self, Write};
use std::mem;

use flate2::write::MultiGzDecoder;
use http::{HeaderMap, header};

/// What has come of a body.
pub(super) enum Body {
    Plain(Bounded),
    Packed(Box<MultiGzDecoder<Bounded>>),
}

/// Bytes, and how many more may be held.
pub(super) struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    left: usize,
}

/// Why a body cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error("the answer's body is larger than the limit of {0} bytes (Limits::message_bytes)")]
pub(super) struct BodyTooLarge(usize);

impl Body {
    /// That of an answer with these headers, of which at most `limit` bytes are held.
    pub(super) fn of(headers: &HeaderMap, limit: usize) -> Self {
        let bounded = Bounded {
            bytes: Vec::new(),
            limit,
            left: limit,
        };
        match headers.get(header::CONTENT_ENCODING) {
            Some(coding) if coding.as_bytes().eq_ignore_ascii_case(b"gzip") => {
                Self::Packed(Box::new(MultiGzDecoder::new(bounded)))
            }
            _ => Self::Plain(bounded),
        }
    }

    /// Takes what `read` makes of the input: how much it has read, and how much is the body's.
    pub(super) fn fill<E: From<io::Error>>(
        &mut self,
        input: &[u8],
        read: impl FnOnce(&[u8], &mut [u8]) -> Result<(usize, usize), E>,
    ) -> Result<(usize, usize), E> {
        match self {
            Self::Plain(bounded) => {
                let bytes = &mut bounded.bytes;
                let before = bytes.len();
                bytes.resize(before + input.len(), 0);
                let (taken, put) = read(input, &mut bytes[before..])?;
                bytes.truncate(before + put);
                bounded.count(put)?;
                Ok((taken, put))
            }
            Self::Packed(unpacks) => {
                let mut packed = vec![0; input.len()];
                let (taken, put) = read(input, &mut packed)?;
                unpacks.write_all(&packed[..put])?;
                Ok((taken, put))
            }
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Packed(unpacks) => unpacks.try_finish(),
        }
    }

    /// Takes out what has come: the limit counts from here on again.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let bounded = match self {
            Self::Plain(bounded) => bounded,
            Self::Packed(unpacks) => unpacks.get_mut(),
        };
        bounded.left = bounded.limit;
        mem::take(&mut bounded.bytes)
    }
}

impl Bounded {
    fn count(&mut self, more: usize) -> io::Result<()> {
        match self.left.checked_sub(more) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(BodyTooLarge(self.limit))),
        }
        Ok(())
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.count(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut packs = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packs.write_all(text).unwrap();
        packs.finish().unwrap()
    }

    /// What comes of these bytes, in pieces of this size.
    fn unpack(bytes: &[u8], size: usize, limit: usize) -> io::Result<Vec<u8>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let mut body = Body::of(&headers, limit);
        for piece in bytes.chunks(size) {
            let taken = body.fill(piece, |input, output| {
                output[..input.len()].copy_from_slice(input);
                Ok::<_, io::Error>((input.len(), input.len()))
            })?;
            assert_eq!(taken, (piece.len(), piece.len()));
        }
        body.finish()?;
        Ok(body.take())
    }

    #[test]
    fn a_packed_body_is_unpacked_in_whatever_pieces_it_comes() {
        let text = b"to be or not to be, that is the question".repeat(100);
        let packed = packed(&text);
        for size in [1, 7, packed.len()] {
            assert_eq!(unpack(&packed, size, text.len()).unwrap(), text);
        }
    }

    #[test]
    fn what_unpacks_to_more_than_the_limit_is_refused_before_it_is_held() {
        let packed = packed(&vec![0; 10 << 20]);
        let error = unpack(&packed, packed.len(), 100 << 10).unwrap_err();
        assert!(
            error
                .get_ref()
                .is_some_and(|error| error.is::<BodyTooLarge>()),
            "{error}"
        );
    }

    #[test]
    fn a_packed_body_that_breaks_off_is_an_error() {
        let packed = packed(b"to be or not to be");
        assert!(unpack(&packed[..packed.len() - 9], 5, 100).is_err());
        assert!(unpack(b"not packed at all", 5, 100).is_err());
    }
}
