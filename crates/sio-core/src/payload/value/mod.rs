//! JSON that may hold bytes, for those who want to look at whatever came.

mod convert;
mod de;
mod ser;
mod show;

use std::collections::BTreeMap;
use std::ops::Index;

use bytes::Bytes;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde_json::Number;

use super::DecodeError;

pub use de::ValueDeserializer;
pub(super) use de::{AnyValue, KeyDeserializer};

/// Any JSON value, or bytes.
///
/// It can be sent and asked for like any other type, alone or inside others. With serializers other than this crate's, its
/// bytes become whatever these make of bytes (an array of numbers in serde_json).
///
/// ```
/// use bytes::Bytes;
/// use sio_core::payload::{Args, Value};
///
/// let text = r#"[{"name":"a.png","content":{"_placeholder":true,"num":0},"tags":["x"]}]"#;
/// let file: Value = Args::values(text.into(), vec![Bytes::from_static(b"\x89PNG")])?.decode()?;
/// assert_eq!(file["name"], "a.png");
/// assert_eq!(file["tags"][0].as_str(), Some("x"));
/// assert_eq!(file["content"].as_bytes().map(Bytes::len), Some(4));
/// assert!(file["size"].is_null());
/// assert_eq!(file.to_string(), r#"{"content":<4 bytes>,"name":"a.png","tags":["x"]}"#);
/// # Ok::<(), sio_core::payload::DecodeError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Value {
    /// `null`, also what JavaScript makes of `undefined` and NaN.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number. `1` and `1.0` are different numbers here, though not in JavaScript.
    Number(Number),
    /// A string.
    String(String),
    /// Bytes: an attachment of a binary packet.
    Bytes(Bytes),
    /// An array.
    Array(Vec<Self>),
    /// An object, sorted by its keys. Where a server sends a key twice, the last one counts.
    // Not in the order of arrival: JSON gives the order no meaning, a sorted map compares without it, needs no further
    // dependency, and stays fast whatever keys a server picks.
    Object(BTreeMap<String, Self>),
}

impl Value {
    /// Reads the value as a `T`.
    ///
    /// ```
    /// use sio_core::payload::Value;
    ///
    /// let value = Value::from(vec![1, 2]);
    /// assert_eq!(value.decode::<[u8; 2]>()?, [1, 2]);
    /// # Ok::<(), sio_core::payload::DecodeError>(())
    /// ```
    ///
    /// It is one value, so unlike with [`Args`](super::Args) a tuple here is what an array holds.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Value`] when it does not fit the type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        T::deserialize(self.clone().into_deserializer()).map_err(
            |error: serde::de::value::Error| DecodeError::Value {
                message: error.to_string(),
            },
        )
    }

    /// The element of an array (by a `usize`) or the entry of an object (by a string), if there is one.
    ///
    /// `value[index]` is the same, but [`Null`](Self::Null) where there is none. Neither panics.
    pub fn get<I: ValueIndex>(&self, index: I) -> Option<&Self> {
        index.look_up(self)
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The bool, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// The number, if it is a whole one within the range of an `i64`.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(Number::as_i64)
    }

    /// The number, if it is a whole one within the range of a `u64`.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number().and_then(Number::as_u64)
    }

    /// The number, if it is one; rounded when it is a whole one beyond 2^53.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number().and_then(Number::as_f64)
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(string) => Some(string),
            _ => None,
        }
    }

    /// The bytes, if it is bytes. Cloning them copies nothing.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The entries, if it is an object.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }
}

/// What a [`Value`] can be indexed by: `usize`, `&str`, `String`.
pub trait ValueIndex: sealed::Sealed {
    #[doc(hidden)]
    fn look_up<'v>(&self, value: &'v Value) -> Option<&'v Value>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for usize {}
    impl Sealed for str {}
    impl Sealed for String {}
    impl<T: Sealed + ?Sized> Sealed for &T {}
}

impl ValueIndex for usize {
    fn look_up<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        value.as_array()?.get(*self)
    }
}

impl ValueIndex for str {
    fn look_up<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        value.as_object()?.get(self)
    }
}

impl ValueIndex for String {
    fn look_up<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.as_str().look_up(value)
    }
}

impl<T: ValueIndex + ?Sized> ValueIndex for &T {
    fn look_up<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        T::look_up(self, value)
    }
}

impl<I: ValueIndex> Index<I> for Value {
    type Output = Self;

    /// The element or entry, or [`Null`](Value::Null) where there is none. Never panics.
    fn index(&self, index: I) -> &Self {
        static NULL: Value = Value::Null;
        self.get(index).unwrap_or(&NULL)
    }
}
