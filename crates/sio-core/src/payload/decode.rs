//! What is received: the text of a packet and its attachments, read when somebody says into what.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Visitor};

use super::arguments::{Context, Each, Fault, Typed};
use super::elements::Elements;
use super::rebuild::Rebuild;
use super::scan::Scan;
use super::surrogate::replace_lone;
use super::value::{AnyValue, Value};

/// The arguments of a received event, or the values of an ack's answer. Cheap to clone.
///
/// Nothing is read before [`decode`](Self::decode) says into which type.
///
/// ```
/// use sio_core::payload::Args;
///
/// let (name, args) = Args::event(r#"["join","lobby",7]"#.into(), Vec::new())?;
/// assert_eq!(name, "join");
/// let (room, seat): (String, u32) = args.decode()?;
/// assert_eq!((room.as_str(), seat), ("lobby", 7));
/// // A type that is no tuple is the first argument; the others are ignored.
/// assert_eq!(args.decode::<String>()?, "lobby");
/// # Ok::<(), sio_core::payload::DecodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Args {
    text: ByteString,
    /// A thin pointer: most events have none, and all are moved about.
    attachments: Option<Arc<Vec<Bytes>>>,
    /// The first element of the array is the name of an event.
    named: bool,
    /// Where the arguments begin; 0 where the array is not written like most.
    start: u32,
    repaired: bool,
}

impl Args {
    /// An event: a JSON array whose first element is its name. Returns the name, too.
    ///
    /// The name is a string, or a number (old servers let it be one), whose text is the name then. Of the arguments only
    /// the outer brackets are looked at: what is wrong with them, [`decode`](Self::decode) or
    /// [`validate`](Self::validate) will find.
    ///
    /// `attachments` are the packet's, in order. Without any nothing in the text is ever taken for a placeholder.
    ///
    /// A tolerance: half a surrogate pair, which servers on Node 12 and newer write as the escape `\udXXX`, becomes
    /// U+FFFD, the replacement character. [`repaired`](Self::repaired) tells.
    ///
    /// # Errors
    ///
    /// - [`DecodeError::NotAnArray`] when the text is no JSON array, by its first and last character;
    /// - [`DecodeError::NoName`] when the array is empty;
    /// - [`DecodeError::Name`] when its first element is neither a string nor a number;
    /// - [`DecodeError::Json`] when the JSON is broken up to the end of the name.
    pub fn event(
        text: ByteString,
        attachments: Vec<Bytes>,
    ) -> Result<(ByteString, Self), DecodeError> {
        let mut args = Self::values(text, attachments)?;
        args.named = true;
        let name = if let Some(name) = usual_name(&args.text) {
            let start = "[".len() + name.len() + "\"\"".len();
            // A name of four gigabytes is not written like most.
            args.start = u32::try_from(start).unwrap_or(0);
            args.text.slice_ref(name)
        } else {
            args.start = 0;
            read_any_name(&args.text)?
        };
        Ok((name, args))
    }

    /// The values of an ack's answer: a JSON array without a name.
    ///
    /// ```
    /// use sio_core::payload::Args;
    ///
    /// let answer = Args::values("[true,null]".into(), Vec::new())?;
    /// assert_eq!(answer.decode::<(bool, Option<u8>)>()?, (true, None));
    /// # Ok::<(), sio_core::payload::DecodeError>(())
    /// ```
    ///
    /// As for [`event`](Self::event), half surrogate pairs are tolerated and the rest is not looked at yet.
    ///
    /// # Errors
    ///
    /// [`DecodeError::NotAnArray`] when the text is no JSON array, by its first and last character; the empty text too.
    #[inline]
    pub fn values(text: ByteString, attachments: Vec<Bytes>) -> Result<Self, DecodeError> {
        let is_array = text.trim_ascii_start().starts_with('[');
        if !is_array || !text.trim_ascii_end().ends_with(']') {
            return Err(DecodeError::NotAnArray);
        }
        let start = u32::from(text.starts_with('['));
        let (text, repaired) = replace_lone(text);
        Ok(Self {
            text,
            // An empty list would take memory, too.
            attachments: (!attachments.is_empty()).then(|| Arc::new(attachments)),
            named: false,
            start,
            repaired,
        })
    }

    /// Reads the arguments as a `T`.
    ///
    /// A tuple or fixed array takes as many arguments as it has elements, `()` takes none, everything else the first one;
    /// surplus arguments are ignored. An `Option` is `None` when its argument is missing or `null`.
    ///
    /// Bytes are copied into the `T`; [`attachments`](Self::attachments) has them without a copy. A `Vec<u8>` is an array
    /// of numbers to serde and does not accept them: use [`Bytes`] or the `serde_bytes` crate.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use sio_core::payload::{Args, DecodeError};
    ///
    /// let text = r#"["file",{"_placeholder":true,"num":0},"a.png"]"#;
    /// let (_, args) = Args::event(text.into(), vec![Bytes::from_static(b"\x89PNG")])?;
    /// let (content, name): (Bytes, String) = args.decode()?;
    /// assert_eq!(content, b"\x89PNG"[..]);
    ///
    /// let error = args.decode::<(Bytes, String, u32)>().unwrap_err();
    /// assert_eq!(error.to_string(), "argument 3 of 3 is missing: the server sent 2");
    /// # Ok::<(), DecodeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`DecodeError::Missing`] when the server sent fewer arguments than `T` needs;
    /// - [`DecodeError::Argument`] when an argument does not fit its type, a placeholder's bytes included;
    /// - [`DecodeError::Json`] when the JSON is broken, nests deeper than 127 levels, or goes on after the array;
    /// - [`DecodeError::OutOfRange`] or [`DecodeError::Placeholder`] when a placeholder on the way is wrong.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        self.decode_borrowed()
    }

    /// Reads the arguments as a `T` that may borrow from them: `&str` where a string has no escapes, `&[u8]` for bytes.
    ///
    /// ```
    /// use sio_core::payload::Args;
    ///
    /// let (_, args) = Args::event(r#"["join","lobby",7]"#.into(), Vec::new())?;
    /// let (room, _): (&str, u32) = args.decode_borrowed()?;
    /// assert_eq!(room, "lobby");
    /// # Ok::<(), sio_core::payload::DecodeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`decode`](Self::decode).
    pub fn decode_borrowed<'a, T: Deserialize<'a>>(&'a self) -> Result<T, DecodeError> {
        if let Some(elements) = Elements::new(&self.text, self.start as usize)
            && let Ok(value) = Typed::new(&self.context(), false).visit_seq(elements)
        {
            return Ok(value);
        }
        let context = self.context();
        self.read(&context, Typed::new(&context, self.named))
    }

    /// All arguments, whatever they are. Bytes are shared with [`attachments`](Self::attachments), not copied.
    ///
    /// ```
    /// use sio_core::payload::{Args, Value};
    ///
    /// let (_, args) = Args::event(r#"["join","lobby",7]"#.into(), Vec::new())?;
    /// assert_eq!(args.to_values()?, [Value::from("lobby"), Value::from(7)]);
    /// # Ok::<(), sio_core::payload::DecodeError>(())
    /// ```
    ///
    /// Takes up to some forty times the memory of the text, when that is all short values.
    ///
    /// # Errors
    ///
    /// As for [`decode`](Self::decode), without those that concern types and missing arguments.
    pub fn to_values(&self) -> Result<Vec<Value>, DecodeError> {
        let context = self.context();
        let seed = AnyValue {
            context: self.attachments.is_some().then_some(&context),
        };
        self.read(&context, Each::new(&context, self.named, seed))
    }

    /// Checks, without building anything, that the JSON is well-formed and each placeholder has its attachment.
    ///
    /// Meant for binary packets, where a wrong index is the server's fault and not the handler's. An attachment without a
    /// placeholder is harmless.
    ///
    /// # Errors
    ///
    /// - [`DecodeError::Json`] when the JSON is broken, nests deeper than 127 levels, or goes on after the array;
    /// - [`DecodeError::OutOfRange`] when a placeholder's index is not below the number of attachments;
    /// - [`DecodeError::Placeholder`] when a placeholder has no index at all.
    pub fn validate(&self) -> Result<(), DecodeError> {
        let context = self.context();
        let scan = Scan(&Cell::new(0));
        // The lists of `()` take no memory.
        if self.attachments.is_none() {
            self.read(&context, Each::new(&context, self.named, scan))?;
        } else {
            let scan = Rebuild::new(scan, &context);
            self.read(&context, Each::new(&context, self.named, scan))?;
        }
        Ok(())
    }

    /// The JSON array as it came (but see [`repaired`](Self::repaired)), the name of the event included.
    pub fn text(&self) -> &ByteString {
        &self.text
    }

    /// The attachments by index. Empty for a text packet.
    pub fn attachments(&self) -> &[Bytes] {
        self.attachments.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The bytes of text and attachments together.
    pub fn size(&self) -> usize {
        self.text.len() + self.attachments().iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether half surrogate pairs were replaced by U+FFFD.
    pub fn repaired(&self) -> bool {
        self.repaired
    }

    fn context(&self) -> Context<'_> {
        Context::new(self.attachments())
    }

    fn read<'a, V: Visitor<'a>>(
        &'a self,
        context: &Context<'a>,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let mut json = serde_json::Deserializer::from_str(&self.text);
        json.deserialize_seq(visitor)
            .and_then(|value| json.end().map(|()| value))
            .map_err(|error| DecodeError::read(&error, context))
    }
}

impl Default for Args {
    /// No arguments.
    fn default() -> Self {
        Self {
            text: ByteString::from_static("[]"),
            attachments: None,
            named: false,
            start: 1,
            repaired: false,
        }
    }
}

impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_payload(f, "Args", &self.text, self.attachments().len())
    }
}

/// Shows the beginning of the text, and the number of attachments where there are any.
pub(super) fn debug_payload(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    text: &str,
    attachments: usize,
) -> fmt::Result {
    const SHOWN: usize = 100;
    write!(f, "{name}({text:.SHOWN$}")?;
    if text.chars().nth(SHOWN).is_some() {
        write!(f, "… {} bytes", text.len())?;
    }
    match attachments {
        0 => f.write_str(")"),
        1 => f.write_str(", 1 attachment)"),
        many => write!(f, ", {many} attachments)"),
    }
}

/// Why received arguments cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The server's fault: the data of the packet is no JSON array.
    #[error("the data is not a JSON array")]
    NotAnArray,

    /// The server's fault: an event without a name.
    #[error("the event has no name: the array is empty")]
    NoName,

    /// The server's fault: the first element of an event is something that cannot be a name.
    #[error("the name of the event is {found}, not a string")]
    Name {
        /// What stands there: `null`, `a bool`, `an array` or `an object`.
        found: &'static str,
    },

    /// The server's fault: the JSON is broken, nests too deep, or something follows the array.
    #[error("broken JSON: {message}")]
    Json {
        /// What the JSON reader said, and where.
        message: String,
    },

    /// The server's fault: a placeholder names an attachment that the packet does not have.
    #[error("a placeholder names attachment {index}, but the packet has {count}")]
    OutOfRange {
        /// The index, counted from 0.
        index: u64,
        /// How many attachments came with the packet.
        count: usize,
    },

    /// The server's fault: a placeholder without an index that is a whole number from 0.
    #[error("a placeholder has no valid `num`")]
    Placeholder,

    /// The server sent fewer arguments than were asked for.
    #[error("argument {position} of {expected} is missing: the server sent {received}")]
    Missing {
        /// The first missing argument, counted from 1.
        position: usize,
        /// How many arguments the type has.
        expected: usize,
        /// How many the server sent.
        received: usize,
    },

    /// An argument is not what was asked for.
    #[error("argument {position}: {message}")]
    Argument {
        /// Which one, counted from 1.
        position: usize,
        /// What was expected and what came. The column it names is that of the whole array.
        message: String,
    },

    /// A [`Value`] is not what was asked for.
    #[error("the value does not fit: {message}")]
    Value {
        /// What was expected and what it is.
        message: String,
    },
}

impl DecodeError {
    fn json(error: &serde_json::Error) -> Self {
        Self::Json {
            message: error.to_string(),
        }
    }

    fn read(error: &serde_json::Error, context: &Context<'_>) -> Self {
        match context.fault() {
            Some(Fault::Missing { position, expected }) => Self::Missing {
                position,
                expected,
                received: position - 1,
            },
            Some(Fault::OutOfRange(index)) => Self::OutOfRange {
                index,
                count: context.attachments().len(),
            },
            Some(Fault::Placeholder) => Self::Placeholder,
            None if error.is_data() => Self::Argument {
                position: context.position(),
                message: error.to_string(),
            },
            None => Self::json(error),
        }
    }
}

/// What stands behind the `[` that the text begins with.
fn array_body(text: &str) -> Option<&str> {
    let body = text.trim_ascii_start().strip_prefix('[')?;
    Some(body.trim_ascii_start())
}

/// The name of the event as every server writes it: nothing before it, no escapes, and a comma or the end behind it.
fn usual_name(array: &str) -> Option<&str> {
    let name = plain_content(array.strip_prefix("[\"")?)?;
    let behind = array.as_bytes().get("[\"\"".len() + name.len());
    matches!(behind, Some(b',' | b']')).then_some(name)
}

/// The name of the event: the first element of the array.
#[cold]
fn read_any_name(text: &ByteString) -> Result<ByteString, DecodeError> {
    let body = array_body(text).ok_or(DecodeError::NotAnArray)?;
    let (name, length) = match body.as_bytes().first() {
        Some(b'"') => first_value::<String>(body).map(|(name, end)| (name.into(), end))?,
        Some(b'-' | b'0'..=b'9') => {
            let (_, end) = first_value::<serde_json::Number>(body)?;
            (text.slice_ref(&body[..end]), end)
        }
        Some(b']') => return Err(DecodeError::NoName),
        first => return Err(no_name(first)),
    };
    let rest = body[length..].trim_ascii_start();
    if rest.starts_with([',', ']']) {
        Ok(name)
    } else {
        Err(DecodeError::Json {
            message: "no comma behind the name of the event".to_owned(),
        })
    }
}

fn no_name(first: Option<&u8>) -> DecodeError {
    let found = match first {
        Some(b'n') => "null",
        Some(b't' | b'f') => "a bool",
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        _ => {
            return DecodeError::Json {
                message: "expected the name of the event".to_owned(),
            };
        }
    };
    DecodeError::Name { found }
}

/// What stands before the quote that ends a string, if it has no escapes and nothing that would need one.
fn plain_content(string: &str) -> Option<&str> {
    // Names are short: a byte at a time is faster than a search, and checks at once.
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    let end = string.as_bytes().iter().position(ends)?;
    (string.as_bytes()[end] == b'"').then(|| &string[..end])
}

/// Reads the value that `json` begins with, and tells where it ends.
fn first_value<T: DeserializeOwned>(json: &str) -> Result<(T, usize), DecodeError> {
    let mut values = serde_json::Deserializer::from_str(json).into_iter();
    match values.next() {
        Some(Ok(value)) => Ok((value, values.byte_offset())),
        Some(Err(error)) => Err(DecodeError::json(&error)),
        None => Err(DecodeError::NoName),
    }
}
