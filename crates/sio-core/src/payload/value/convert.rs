//! A value made from other types, and compared with them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use bytestring::ByteString;
use serde_json::Number;

use super::Value;

macro_rules! from_as {
    ($($kind:ty => $variant:ident;)*) => {
        $(
            impl From<$kind> for Value {
                fn from(value: $kind) -> Self {
                    Self::$variant(value.into())
                }
            }
        )*
    };
}

from_as! {
    bool => Bool;
    i8 => Number;
    i16 => Number;
    i32 => Number;
    i64 => Number;
    isize => Number;
    u8 => Number;
    u16 => Number;
    u32 => Number;
    u64 => Number;
    usize => Number;
    Number => Number;
    &str => String;
    String => String;
    Cow<'_, str> => String;
    ByteString => String;
    Bytes => Bytes;
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl From<f32> for Value {
    /// NaN and the infinities become `null`, as in JavaScript.
    fn from(value: f32) -> Self {
        f64::from(value).into()
    }
}

impl From<f64> for Value {
    /// NaN and the infinities become `null`, as in JavaScript.
    fn from(value: f64) -> Self {
        Number::from_f64(value).map_or(Self::Null, Self::Number)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    /// An array. A `Vec<u8>` becomes one of numbers; bytes come from [`Bytes`].
    fn from(values: Vec<T>) -> Self {
        values.into_iter().collect()
    }
}

impl<T: Into<Self>, const N: usize> From<[T; N]> for Value {
    /// An array. A `[u8; N]` becomes one of numbers; bytes come from [`Bytes`].
    fn from(values: [T; N]) -> Self {
        values.into_iter().collect()
    }
}

impl<T: Into<Self>> From<BTreeMap<String, T>> for Value {
    fn from(entries: BTreeMap<String, T>) -> Self {
        entries.into_iter().collect()
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    /// An array.
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }
}

impl<K: Into<String>, T: Into<Self>> FromIterator<(K, T)> for Value {
    /// An object.
    fn from_iter<I: IntoIterator<Item = (K, T)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        Self::Object(
            entries
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(bool) => Self::Bool(bool),
            serde_json::Value::Number(number) => Self::Number(number),
            serde_json::Value::String(string) => Self::String(string),
            serde_json::Value::Array(array) => array.into(),
            serde_json::Value::Object(object) => object.into_iter().collect(),
        }
    }
}

/// Comparing with what a value can be, on either side.
macro_rules! compare {
    ($($kind:ty: $value:ident, $other:ident => $equal:expr;)*) => {
        $(
            impl PartialEq<$kind> for Value {
                fn eq(&self, $other: &$kind) -> bool {
                    let $value = self;
                    $equal
                }
            }

            impl PartialEq<Value> for $kind {
                fn eq(&self, value: &Value) -> bool {
                    value == self
                }
            }
        )*
    };
}

compare! {
    bool: value, other => value.as_bool() == Some(*other);
    str: value, other => value.as_str() == Some(other);
    &str: value, other => value.as_str() == Some(*other);
    String: value, other => value.as_str() == Some(other.as_str());
    Bytes: value, other => value.as_bytes() == Some(other);
    i8: value, other => value.as_i64() == Some(i64::from(*other));
    i16: value, other => value.as_i64() == Some(i64::from(*other));
    i32: value, other => value.as_i64() == Some(i64::from(*other));
    i64: value, other => value.as_i64() == Some(*other);
    u8: value, other => value.as_u64() == Some(u64::from(*other));
    u16: value, other => value.as_u64() == Some(u64::from(*other));
    u32: value, other => value.as_u64() == Some(u64::from(*other));
    u64: value, other => value.as_u64() == Some(*other);
    isize: value, other => i64::try_from(*other).is_ok_and(|other| value.as_i64() == Some(other));
    usize: value, other => u64::try_from(*other).is_ok_and(|other| value.as_u64() == Some(other));
    f32: value, other => value.as_f64() == Some(f64::from(*other));
    f64: value, other => value.as_f64() == Some(*other);
}
