//! What is sent: arguments into JSON text and attachments.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Write};

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;
use serde::Serialize;
use serde_json::ser::Formatter;

use super::escape::ascii_len;
use super::scan::count_placeholder_keys;
use super::scratch::Scratch;
use super::spread::Spread;
use super::{MAX_DEPTH, PLACEHOLDER};

/// How many bytes are kept free behind the JSON for what a packet has in front of it. `42`, the head of an event in the root
/// that asks for nothing, fills them: such a packet is as large as its memory, and takes no other.
const ROOM: usize = 2;

/// The arguments of an event or of an ack's answer, ready for a packet.
///
/// ```
/// use bytes::Bytes;
/// use sio_core::payload::Encoded;
///
/// let event = Encoded::event("join", &("lobby", 7))?;
/// assert_eq!(event.json(), r#"["join","lobby",7]"#);
///
/// let event = Encoded::event("file", &("a.png", Bytes::from_static(b"\x89PNG")))?;
/// assert_eq!(event.json(), r#"["file","a.png",{"_placeholder":true,"num":0}]"#);
/// assert!(event.attachments().eq([b"\x89PNG"]));
/// # Ok::<(), sio_core::payload::EncodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    // Not a `ByteString`: a packet's head is put in front of it.
    json: String,
    attachments: Vec<Roomy>,
    /// Where the name's JSON string ends; 0 without a name.
    name_end: usize,
    is_message: bool,
}

impl Encoded {
    /// The payload of an event: `["name",arg,…]`.
    ///
    /// The [module](super) says how many arguments a value is, and what counts as bytes. Numbers that JSON does not have
    /// (NaN, the infinities) become `null`, as in JavaScript. Every character beyond ASCII is written as an escape.
    ///
    /// Any number of attachments is accepted here, but servers with a recent socket.io-parser (2.2 and newer as installed
    /// today) close the connection on more than 10 in one packet.
    ///
    /// # Errors
    ///
    /// - [`EncodeError::Serialize`] when the value cannot be JSON: its own `Serialize` failed, or a map has a key that is
    ///   no string, number or bool (bytes, for instance);
    /// - [`EncodeError::PlaceholderKey`] when an object with the key `_placeholder` stands beside bytes;
    /// - [`EncodeError::TooDeep`] when it nests too deep.
    pub fn event<T: Serialize + ?Sized>(name: &str, args: &T) -> Result<Self, EncodeError> {
        Self::encode(Some(name), args)
    }

    /// The payload of a message, which `send` sends: an event with the name `message`, except on 0.9, which has packets
    /// of their own for text and JSON.
    ///
    /// ```
    /// use sio_core::payload::Encoded;
    ///
    /// let message = Encoded::message("hello")?;
    /// assert_eq!(message.json(), r#"["message","hello"]"#);
    /// assert!(message.is_message());
    /// # Ok::<(), sio_core::payload::EncodeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`event`](Self::event).
    pub fn message<T: Serialize + ?Sized>(args: &T) -> Result<Self, EncodeError> {
        let mut message = Self::encode(Some("message"), args)?;
        message.is_message = true;
        Ok(message)
    }

    /// The payload of an ack's answer, which has no name: `[arg,…]`.
    ///
    /// ```
    /// use sio_core::payload::Encoded;
    ///
    /// assert_eq!(Encoded::values(&("ok", [1, 2]))?.json(), r#"["ok",[1,2]]"#);
    /// assert_eq!(Encoded::values(&vec![1, 2])?.json(), "[[1,2]]");
    /// assert_eq!(Encoded::values(&())?.json(), "[]");
    /// # Ok::<(), sio_core::payload::EncodeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`event`](Self::event).
    pub fn values<T: Serialize + ?Sized>(args: &T) -> Result<Self, EncodeError> {
        Self::encode(None, args)
    }

    /// The JSON array: pure ASCII.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The name's JSON string, quotes included; `None` for an answer.
    ///
    /// ```
    /// use sio_core::payload::Encoded;
    ///
    /// let event = Encoded::event("caf\u{e9}", &("lobby", 7))?;
    /// assert_eq!(event.name_json(), Some(r#""caf\u00e9""#));
    /// assert_eq!(event.arguments_json(), r#""lobby",7"#);
    /// # Ok::<(), sio_core::payload::EncodeError>(())
    /// ```
    pub fn name_json(&self) -> Option<&str> {
        (self.name_end > 0).then(|| &self.json[1..self.name_end])
    }

    /// The arguments without the brackets around them; empty if there are none.
    pub fn arguments_json(&self) -> &str {
        let list = &self.json[self.name_end.max(1)..self.json.len() - 1];
        // Behind a name.
        list.strip_prefix(',').unwrap_or(list)
    }

    /// Whether this is a [message](Self::message).
    pub fn is_message(&self) -> bool {
        self.is_message
    }

    /// The bytes of each placeholder, in the order of their `num`: depth first, as written. None for a text packet.
    pub fn attachments(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.attachments.iter().map(Roomy::content)
    }

    /// The bytes of text and attachments together.
    pub fn size(&self) -> usize {
        self.json.len() + self.attachments().map(<[u8]>::len).sum::<usize>()
    }

    /// The JSON array and the attachments. Nothing is copied.
    pub fn into_parts(self) -> (ByteString, Vec<Bytes>) {
        let attachments = self.attachments.into_iter().map(Roomy::into_content);
        (self.json.into(), attachments.collect())
    }

    /// The JSON array with the pieces of its packet's head in front, and each attachment with this byte in front. Nothing
    /// large is copied to make room for them.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use sio_core::payload::Encoded;
    ///
    /// let event = Encoded::event("file", &Bytes::from_static(b"\x89PNG"))?;
    /// let (text, mut attachments) = event.into_frames(&["451", "-"], 4);
    /// assert_eq!(text, r#"451-["file",{"_placeholder":true,"num":0}]"#);
    /// assert_eq!(attachments.next().unwrap(), b"\x04\x89PNG"[..]);
    /// # Ok::<(), sio_core::payload::EncodeError>(())
    /// ```
    #[inline]
    pub fn into_frames(
        self,
        head: &[&str],
        first: u8,
    ) -> (ByteString, impl ExactSizeIterator<Item = Bytes> + use<>) {
        let mut text = self.json;
        text.reserve_exact(head.iter().map(|piece| piece.len()).sum());
        for piece in head.iter().rev().filter(|piece| !piece.is_empty()) {
            text.insert_str(0, piece);
        }
        // Memory that is used up is shared as it is; what is left over would take a second allocation.
        let text = ByteString::from(text.into_boxed_str());
        let behind = move |attachment: Roomy| attachment.behind(first);
        (text, self.attachments.into_iter().map(behind))
    }

    /// One that was written to a wire log: `json` is the text of [`json`](Self::json).
    pub(crate) fn recorded(
        json: String,
        attachments: Vec<Bytes>,
        named: bool,
        is_message: bool,
    ) -> Result<Self, String> {
        if !(json.starts_with('[') && json.ends_with(']') && json.is_ascii()) {
            return Err("expected a JSON array in ASCII as the payload".to_owned());
        }
        let name_end = if named {
            let mut rest = serde_json::Deserializer::from_str(&json[1..]).into_iter::<String>();
            match rest.next() {
                Some(Ok(_)) => 1 + rest.byte_offset(),
                _ => return Err("expected an event's name as the payload's first value".to_owned()),
            }
        } else {
            0
        };
        Ok(Self {
            json,
            attachments: attachments.iter().map(|bytes| Roomy::new(bytes)).collect(),
            name_end,
            is_message,
        })
    }

    fn encode<T: Serialize + ?Sized>(name: Option<&str>, args: &T) -> Result<Self, EncodeError> {
        let found = Found::default();
        let mut out = Scratch::new();
        let written = write_array(out.buffer(), &found, name, args);
        // Asked first: it is what the failure of the writer means, also when the user's type swallowed that.
        if found.too_deep.get() {
            return Err(EncodeError::TooDeep);
        }
        let name_end = written.map_err(EncodeError::serialize)?;
        let encoded = Self {
            json: out.into_ascii(ROOM).map_err(EncodeError::serialize)?,
            attachments: found.attachments.take(),
            name_end,
            is_message: false,
        };
        if !encoded.attachments.is_empty() {
            encoded.refuse_lookalikes(found.raw_json.get())?;
        }
        Ok(encoded)
    }

    /// Makes sure that all objects which look like placeholders are the ones written here.
    fn refuse_lookalikes(&self, has_raw_json: bool) -> Result<(), EncodeError> {
        let placeholders = self.attachments.len();
        // Raw JSON may spell the key with escapes, so there only parsing tells.
        let mentions = memchr::memmem::find_iter(self.json.as_bytes(), PLACEHOLDER).count();
        if mentions == placeholders && !has_raw_json {
            return Ok(());
        }
        match count_placeholder_keys(&self.json) {
            Ok(keys) if keys == placeholders => Ok(()),
            Ok(_) => Err(EncodeError::PlaceholderKey),
            Err(error) => Err(EncodeError::serialize(error)),
        }
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::decode::debug_payload(f, "Encoded", &self.json, self.attachments.len())
    }
}

/// Bytes behind one byte that is free, for what a protocol puts in front of an attachment.
#[derive(Clone, PartialEq, Eq)]
struct Roomy(Bytes);

impl Roomy {
    fn new(content: &[u8]) -> Self {
        let mut whole = Vec::with_capacity(1 + content.len());
        whole.push(0);
        whole.extend_from_slice(content);
        Self(whole.into())
    }

    fn content(&self) -> &[u8] {
        &self.0[1..]
    }

    fn into_content(mut self) -> Bytes {
        self.0.advance(1);
        self.0
    }

    /// Copies only what somebody else holds, too.
    fn behind(self, first: u8) -> Bytes {
        let mut whole = BytesMut::from(self.0);
        whole[0] = first;
        whole.freeze()
    }
}

/// Why arguments cannot be sent. It is always the caller's value; nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The value cannot be written as JSON: its own `Serialize` failed, or a map has a key that cannot be a JSON key.
    #[error("the arguments cannot be written as JSON: {message}")]
    Serialize {
        /// What the value's `Serialize` or the JSON writer said.
        message: String,
    },

    /// An object has the key `_placeholder` while there are bytes beside it: the server would take it for bytes.
    #[error("an object with the key `_placeholder` cannot be sent together with bytes")]
    PlaceholderKey,

    /// Arrays and objects nest deeper than 127 levels, the array of the arguments included.
    #[error("the arguments nest deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

impl EncodeError {
    fn serialize(error: impl fmt::Display) -> Self {
        Self::Serialize {
            message: error.to_string(),
        }
    }
}

/// The JSON writer below the outermost value.
pub(super) type Json<'a> = serde_json::Serializer<&'a mut Vec<u8>, TakeBytes<'a>>;

/// Writes `["name",arg,…]`, or `[arg,…]` without a name. Returns where the name will end once it is all ASCII, or 0.
fn write_array<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    found: &Found,
    name: Option<&str>,
    args: &T,
) -> Result<usize, serde_json::Error> {
    let mut name_end = 0;
    out.push(b'[');
    if let Some(name) = name {
        name.serialize(&mut Json::with_formatter(out, TakeBytes::new(found)))?;
        name_end = if name.is_ascii() {
            out.len()
        } else {
            ascii_len(out)
        };
        out.push(b',');
    }
    args.serialize(Spread {
        json: &mut Json::with_formatter(out, TakeBytes::new(found)),
        joins_open_array: &found.joins_open_array,
    })?;
    // A comma can only be last when no argument followed the name.
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(b']');
    Ok(name_end)
}

/// What comes up while writing. Cells, because serde_json keeps the formatter to itself.
#[derive(Default)]
struct Found {
    attachments: RefCell<Vec<Roomy>>,
    joins_open_array: Cell<bool>,
    raw_json: Cell<bool>,
    too_deep: Cell<bool>,
}

/// Compact JSON in which bytes become attachments.
pub(super) struct TakeBytes<'a> {
    found: &'a Found,
    depth: u32,
}

impl<'a> TakeBytes<'a> {
    fn new(found: &'a Found) -> Self {
        // The array of the arguments is open already.
        Self { found, depth: 1 }
    }

    fn descend(&mut self) -> io::Result<()> {
        if self.depth == MAX_DEPTH {
            self.found.too_deep.set(true);
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.depth += 1;
        Ok(())
    }
}

impl Formatter for TakeBytes<'_> {
    fn write_byte_array<W: Write + ?Sized>(&mut self, out: &mut W, value: &[u8]) -> io::Result<()> {
        let mut attachments = self.found.attachments.borrow_mut();
        let num = attachments.len();
        attachments.push(Roomy::new(value));
        drop(attachments);
        self.descend()?;
        out.write_all(br#"{"_placeholder":true,"num":"#)?;
        self.write_u64(out, num as u64)?;
        out.write_all(b"}")?;
        self.depth -= 1;
        Ok(())
    }

    #[inline]
    fn begin_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        if self.found.joins_open_array.take() {
            return Ok(());
        }
        self.descend()?;
        out.write_all(b"[")
    }

    #[inline]
    fn end_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        if self.depth == 1 {
            // The array of the arguments, which is closed where it was opened.
            return Ok(());
        }
        self.depth -= 1;
        out.write_all(b"]")
    }

    #[inline]
    fn begin_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.descend()?;
        out.write_all(b"{")
    }

    #[inline]
    fn end_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        out.write_all(b"}")
    }

    fn write_raw_fragment<W: Write + ?Sized>(&mut self, out: &mut W, json: &str) -> io::Result<()> {
        self.found.raw_json.set(true);
        out.write_all(json.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a type of serde_json's feature `raw_value` does, which this workspace does not switch on.
    fn raw_json_beside_bytes(raw: &str) -> Result<(), EncodeError> {
        let found = Found::default();
        let mut formatter = TakeBytes::new(&found);
        let mut out = b"[".to_vec();
        formatter.write_byte_array(&mut out, b"bytes").unwrap();
        out.push(b',');
        formatter.write_raw_fragment(&mut out, raw).unwrap();
        out.push(b']');
        let encoded = Encoded {
            json: String::from_utf8(out).unwrap(),
            attachments: found.attachments.take(),
            name_end: 0,
            is_message: false,
        };
        encoded.refuse_lookalikes(found.raw_json.get())
    }

    #[test]
    fn raw_json_may_stand_beside_bytes() {
        for raw in ["1", r#"{ "a" : "_placeholder" }"#, r#"{"\u005f":["é"]}"#] {
            assert_eq!(raw_json_beside_bytes(raw), Ok(()), "{raw}");
        }
    }

    #[test]
    fn a_lookalike_in_raw_json_is_found_in_any_spelling() {
        for raw in [
            r#"{ "_placeholder" : 1 }"#,
            r#"[{"x":{"\u005fplaceholder":true}}]"#,
        ] {
            let refused = raw_json_beside_bytes(raw);
            assert_eq!(refused, Err(EncodeError::PlaceholderKey), "{raw}");
        }
    }
}
