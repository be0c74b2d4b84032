//! A value read from a deserializer, and as a deserializer for other types.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde_json::Number;

use super::Value;
use crate::payload::arguments::Context;
use crate::payload::{NUM, NUMBER_TOKEN, PLACEHOLDER};

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AnyValue { context: None }.deserialize(deserializer)
    }
}

/// Reads any value. With a context, it puts bytes back by itself, without a copy.
#[derive(Clone, Copy)]
pub(in crate::payload) struct AnyValue<'x, 'de> {
    pub(in crate::payload) context: Option<&'x Context<'de>>,
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_, 'de> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! visit {
    ($($method:ident: $kind:ty => $value:ident, $made:expr;)*) => {
        $(
            fn $method<E: Error>(self, $value: $kind) -> Result<Value, E> {
                Ok($made)
            }
        )*
    };
}

impl<'de> Visitor<'de> for AnyValue<'_, 'de> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value or bytes")
    }

    visit! {
        visit_bool: bool => value, Value::Bool(value);
        visit_i64: i64 => value, value.into();
        visit_u64: u64 => value, value.into();
        visit_f64: f64 => value, value.into();
        visit_str: &str => value, value.into();
        visit_string: String => value, Value::String(value);
        visit_bytes: &[u8] => value, Value::Bytes(bytes::Bytes::copy_from_slice(value));
        visit_byte_buf: Vec<u8> => value, Value::Bytes(value.into());
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        self.deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = seq.next_element_seed(self)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = BTreeMap::new();
        let mut is_placeholder = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == NUMBER_TOKEN && object.is_empty() {
                return number_from_text(map);
            }
            let value = map.next_value_seed(self)?;
            // The rule is that of `RebuildMap`.
            is_placeholder |=
                key == PLACEHOLDER && value == true && object.keys().all(|k| k == NUM);
            object.insert(key, value);
        }
        match self.context {
            Some(context) if is_placeholder => {
                let bytes = context.attachment(object.get(NUM))?;
                Ok(Value::Bytes(bytes.clone()))
            }
            _ => Ok(Value::Object(object)),
        }
    }
}

/// A number as serde_json hands it over with its feature `arbitrary_precision`, which a dependency may switch on.
fn number_from_text<'de, A: MapAccess<'de>>(mut map: A) -> Result<Value, A::Error> {
    let text: String = map.next_value()?;
    text.parse().map(Value::Number).map_err(A::Error::custom)
}

/// Reads other types from a [`Value`]; made by [`IntoDeserializer::into_deserializer`].
///
/// The error type `E` is whatever the place where it is used needs.
#[derive(Debug, Clone)]
pub struct ValueDeserializer<E> {
    value: Value,
    error: PhantomData<E>,
}

impl<E> ValueDeserializer<E> {
    pub(in crate::payload) fn new(value: Value) -> Self {
        Self {
            value,
            error: PhantomData,
        }
    }
}

impl<'de, E: Error> IntoDeserializer<'de, E> for Value {
    type Deserializer = ValueDeserializer<E>;

    fn into_deserializer(self) -> Self::Deserializer {
        ValueDeserializer::new(self)
    }
}

impl<'de, E: Error> Deserializer<'de> for ValueDeserializer<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(bool) => visitor.visit_bool(bool),
            Value::Number(number) => visit_number(&number, visitor),
            Value::String(string) => visitor.visit_string(string),
            Value::Bytes(bytes) => visitor.visit_byte_buf(bytes.into()),
            Value::Array(array) => {
                let mut elements = SeqDeserializer::new(array.into_iter());
                let value = visitor.visit_seq(&mut elements)?;
                elements.end().map(|()| value)
            }
            Value::Object(object) => {
                let entries = object.into_iter();
                let mut entries =
                    MapDeserializer::new(entries.map(|(key, value)| (Key(key), value)));
                let value = visitor.visit_map(&mut entries)?;
                entries.end().map(|()| value)
            }
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match &self.value {
            // A `String` would accept bytes that happen to be UTF-8, and refuse the next ones.
            Value::Bytes(bytes) => Err(E::invalid_type(Unexpected::Bytes(bytes), &visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        let (name, content) = match self.value {
            Value::String(name) => (name, None),
            Value::Object(object) if object.len() == 1 => match object.into_iter().next() {
                Some((name, content)) => (name, Some(content)),
                None => return Err(E::custom("an enum without a variant")),
            },
            _ => {
                return Err(E::custom(
                    "expected an enum: a string, or an object with one key",
                ));
            }
        };
        visitor.visit_enum(Variant {
            name,
            content: Content(content, PhantomData),
        })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

fn visit_number<'de, V: Visitor<'de>, E: Error>(
    number: &Number,
    visitor: V,
) -> Result<V::Value, E> {
    if let Some(number) = number.as_u64() {
        visitor.visit_u64(number)
    } else if let Some(number) = number.as_i64() {
        visitor.visit_i64(number)
    } else if let Some(number) = number.as_f64() {
        visitor.visit_f64(number)
    } else {
        Err(E::custom(format_args!("number {number} is out of range")))
    }
}

/// An enum variant: its name, and what it holds.
struct Variant<E> {
    name: String,
    content: Content<E>,
}

struct Content<E>(Option<Value>, PhantomData<E>);

impl<'de, E: Error> EnumAccess<'de> for Variant<E> {
    type Error = E;
    type Variant = Content<E>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Content<E>), E> {
        let name = seed.deserialize(self.name.into_deserializer())?;
        Ok((name, self.content))
    }
}

impl<E: Error> Content<E> {
    fn value(self, expected: &'static str) -> Result<ValueDeserializer<E>, E> {
        match self.0 {
            Some(value) => Ok(ValueDeserializer::new(value)),
            None => Err(E::invalid_type(Unexpected::UnitVariant, &expected)),
        }
    }
}

impl<'de, E: Error> VariantAccess<'de> for Content<E> {
    type Error = E;

    fn unit_variant(self) -> Result<(), E> {
        match self.0 {
            Some(value) => Deserialize::deserialize(ValueDeserializer::new(value)),
            None => Ok(()),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, E> {
        seed.deserialize(self.value("newtype variant")?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, E> {
        self.value("tuple variant")?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        self.value("struct variant")?.deserialize_any(visitor)
    }
}

/// The key of an object that is being read.
struct Key(String);

impl<'de, E: Error> IntoDeserializer<'de, E> for Key {
    type Deserializer = KeyDeserializer<'de, E>;

    fn into_deserializer(self) -> Self::Deserializer {
        KeyDeserializer::new(Cow::Owned(self.0))
    }
}

/// Reads a map's key from an object's: JSON knows only strings there, so numbers and bools are read from their text.
pub(in crate::payload) struct KeyDeserializer<'de, E> {
    key: Cow<'de, str>,
    error: PhantomData<E>,
}

impl<'de, E: Error> KeyDeserializer<'de, E> {
    pub(in crate::payload) fn new(key: Cow<'de, str>) -> Self {
        Self {
            key,
            error: PhantomData,
        }
    }

    fn number<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.key.parse() {
            Ok(number) => visit_number(&number, visitor),
            Err(_) => self.deserialize_any(visitor),
        }
    }
}

macro_rules! number_keys {
    ($($method:ident)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
                self.number(visitor)
            }
        )*
    };
}

impl<'de, E: Error> Deserializer<'de> for KeyDeserializer<'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.key {
            Cow::Borrowed(key) => visitor.visit_borrowed_str(key),
            Cow::Owned(key) => visitor.visit_string(key),
        }
    }

    number_keys! {
        deserialize_i8
        deserialize_i16
        deserialize_i32
        deserialize_i64
        deserialize_i128
        deserialize_u8
        deserialize_u16
        deserialize_u32
        deserialize_u64
        deserialize_u128
        deserialize_f32
        deserialize_f64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.key.parse() {
            Ok(bool) => visitor.visit_bool(bool),
            Err(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_enum(self.key.into_deserializer())
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
