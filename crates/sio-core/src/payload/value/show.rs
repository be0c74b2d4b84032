//! A value as something to look at.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::Value;

/// Compact JSON, with `<N bytes>` where bytes are.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut json = serde_json::Serializer::with_formatter(Text(f), CountBytes);
        self.serialize(&mut json).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More bytes than this are only counted.
        const SHOWN: usize = 32;
        match self {
            Self::Null => f.write_str("Null"),
            Self::Bool(bool) => f.debug_tuple("Bool").field(bool).finish(),
            Self::Number(number) => write!(f, "Number({number})"),
            Self::String(string) => f.debug_tuple("String").field(string).finish(),
            Self::Bytes(bytes) if bytes.len() > SHOWN => {
                write!(f, "Bytes(<{} bytes>)", bytes.len())
            }
            Self::Bytes(bytes) => f.debug_tuple("Bytes").field(bytes).finish(),
            Self::Array(array) => f.debug_tuple("Array").field(array).finish(),
            Self::Object(object) => f.debug_tuple("Object").field(object).finish(),
        }
    }
}

/// Lets serde_json write into a formatter.
struct Text<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Text<'_, '_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        // serde_json writes whole strings only.
        let text_str = str::from_utf8(text).map_err(io::Error::other)?;
        self.0.write_str(text_str).map_err(io::Error::other)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct CountBytes;

impl Formatter for CountBytes {
    fn write_byte_array<W: Write + ?Sized>(&mut self, out: &mut W, value: &[u8]) -> io::Result<()> {
        write!(out, "<{} bytes>", value.len())
    }
}
