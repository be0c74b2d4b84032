//! What is on its way to a peer.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

/// A buffer that was this large is not kept for later.
const KEPT: usize = 64 << 10;

/// Bytes that have to be written, in order.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Before the tail.
    pieces: VecDeque<Piece>,
    /// What small frames are appended to.
    tail: Vec<u8>,
    /// How much of the first of them is written.
    written: usize,
    waiting: usize,
}

#[derive(Debug)]
enum Piece {
    Own(Vec<u8>),
    /// Up to here.
    Shared(Arc<Vec<u8>>, usize),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes, end) => &bytes[..*end],
        }
    }
}

impl Output {
    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.waiting + self.tail.len()
    }

    /// Where small things are appended.
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Appends a large piece without copying it.
    pub(super) fn push(&mut self, bytes: Vec<u8>) {
        self.push_piece(Piece::Own(bytes));
    }

    /// Appends the beginning of a block that others write, too.
    pub(super) fn push_shared(&mut self, block: Arc<Vec<u8>>, end: usize) {
        self.push_piece(Piece::Shared(block, end));
    }

    fn push_piece(&mut self, piece: Piece) {
        if !self.tail.is_empty() {
            let tail = Piece::Own(std::mem::take(&mut self.tail));
            self.waiting += tail.bytes().len();
            self.pieces.push_back(tail);
        }
        self.waiting += piece.bytes().len();
        self.pieces.push_back(piece);
    }

    /// Writes until nothing is left or the peer takes no more. Returns large buffers that were written to `spare`.
    pub(super) fn write_to(
        &mut self,
        stream: &mut impl Write,
        spare: &mut Vec<Vec<u8>>,
    ) -> io::Result<()> {
        while let Some(piece) = self.pieces.front() {
            let bytes = piece.bytes();
            let length = bytes.len();
            match stream.write(&bytes[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) => return unless_full(error),
            }
            if self.written == length {
                self.written = 0;
                self.waiting -= length;
                if let Some(Piece::Own(bytes)) = self.pieces.pop_front()
                    && bytes.len() > KEPT
                    && spare.is_empty()
                {
                    spare.push(bytes);
                }
            }
        }
        while self.written < self.tail.len() {
            match stream.write(&self.tail[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) => return unless_full(error),
            }
        }
        self.written = 0;
        self.tail.clear();
        if self.tail.capacity() > KEPT {
            self.tail = Vec::new();
        }
        Ok(())
    }
}

fn unless_full(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes at a time, and every other time none.
    struct Slow(Vec<u8>, usize, bool);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.2 = !self.2;
            if self.2 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(self.1);
            self.0.extend(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn everything_leaves_in_order() {
        for step in 1..12 {
            let mut output = Output::default();
            output.tail().extend(b"one ");
            output.push(b"two ".to_vec());
            output.push_shared(Arc::new(b"three and more".to_vec()), 6);
            output.tail().extend(b"four");
            assert_eq!(output.len(), 18);
            let mut peer = Slow(Vec::new(), step, false);
            let mut turns = 0;
            while output.len() > 0 {
                output.write_to(&mut peer, &mut Vec::new()).unwrap();
                turns += 1;
                assert!(turns < 100, "it does not end");
            }
            assert_eq!(peer.0, b"one two three four", "{step} at a time");
        }
    }
}
