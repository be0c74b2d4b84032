//! Bytes put back where their placeholders stand: a layer between serde_json and the type that was asked for.

use std::borrow::Cow;
use std::fmt;
use std::vec;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::arguments::Context;
use super::scan::KeyText;
use super::value::{AnyValue, KeyDeserializer, Value, ValueDeserializer};
use super::{NUM, PLACEHOLDER, RAW_VALUE_TOKEN};

/// Wraps what serde passes around while reading, whatever its role, so that all that is nested is wrapped as well.
#[derive(Clone, Copy)]
pub(super) struct Rebuild<'x, 'de, T> {
    inner: T,
    context: &'x Context<'de>,
}

impl<'x, 'de, T> Rebuild<'x, 'de, T> {
    pub(super) fn new(inner: T, context: &'x Context<'de>) -> Self {
        Self { inner, context }
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Rebuild<'_, 'de, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner
            .deserialize(Rebuild::new(deserializer, self.context))
    }
}

/// Nothing can be nested in these, so they need no wrapping. Strings are among them: a `String` would accept bytes that
/// happen to be UTF-8, and refuse the next ones.
macro_rules! plain {
    ($($method:ident)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
                self.inner.$method(visitor)
            }
        )*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Rebuild<'_, 'de, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner
            .deserialize_any(Rebuild::new(visitor, self.context))
    }

    // For bytes serde_json itself would refuse the object that a placeholder is; in the other places it must not pass for
    // an ordinary object, and the visitor then says that it got bytes.
    serde::forward_to_deserialize_any! {
        bytes byte_buf seq tuple tuple_struct map struct
    }

    plain! {
        deserialize_bool
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
        deserialize_char
        deserialize_str
        deserialize_string
        deserialize_unit
        deserialize_identifier
        deserialize_ignored_any
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner
            .deserialize_option(Rebuild::new(visitor, self.context))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if name == RAW_VALUE_TOKEN {
            // Raw JSON is asked for: it shows the placeholders as they are.
            return self.inner.deserialize_newtype_struct(name, visitor);
        }
        self.inner
            .deserialize_newtype_struct(name, Rebuild::new(visitor, self.context))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner
            .deserialize_enum(name, variants, Rebuild::new(visitor, self.context))
    }
}

macro_rules! hand_on {
    ($($method:ident: $kind:ty;)*) => {
        $(
            fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
                self.inner.$method(value)
            }
        )*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Rebuild<'_, 'de, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    hand_on! {
        visit_bool: bool;
        visit_i64: i64;
        visit_i128: i128;
        visit_u64: u64;
        visit_u128: u128;
        visit_f64: f64;
        visit_str: &str;
        visit_borrowed_str: &'de str;
        visit_string: String;
        visit_bytes: &[u8];
        visit_borrowed_bytes: &'de [u8];
        visit_byte_buf: Vec<u8>;
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner
            .visit_some(Rebuild::new(deserializer, self.context))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        self.inner
            .visit_newtype_struct(Rebuild::new(deserializer, self.context))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Rebuild::new(seq, self.context))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        match RebuildMap::look_at(map, self.context)? {
            Object::Plain(map) => self.inner.visit_map(map),
            Object::Bytes(bytes) => self.inner.visit_borrowed_bytes(bytes),
        }
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Rebuild::new(data, self.context))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Rebuild<'_, 'de, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.inner
            .next_element_seed(Rebuild::new(seed, self.context))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'x, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Rebuild<'x, 'de, A> {
    type Error = A::Error;
    type Variant = Rebuild<'x, 'de, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, content) = self.inner.variant_seed(seed)?;
        Ok((name, Rebuild::new(content, self.context)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Rebuild<'_, 'de, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner
            .newtype_variant_seed(Rebuild::new(seed, self.context))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner
            .tuple_variant(len, Rebuild::new(visitor, self.context))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner
            .struct_variant(fields, Rebuild::new(visitor, self.context))
    }
}

/// What an object turned out to be.
enum Object<'x, 'de, A> {
    Plain(RebuildMap<'x, 'de, A>),
    Bytes(&'de [u8]),
}

/// An entry whose value has been read.
type Entry<'de> = (Cow<'de, str>, Value);

/// An object that is no placeholder. To know that, its beginning had to be read; it is handed on first.
struct RebuildMap<'x, 'de, A> {
    map: A,
    context: &'x Context<'de>,
    read: vec::IntoIter<Entry<'de>>,
    /// The key behind those, whose value has not been read.
    key: Option<Cow<'de, str>>,
    /// The value of the key that was just handed on, if it had been read.
    value: Option<Value>,
}

impl<'x, 'de, A: MapAccess<'de>> RebuildMap<'x, 'de, A> {
    /// Tells a placeholder, `{"_placeholder":true,"num":0}`, from other objects.
    ///
    /// Nothing but bytes makes servers write that, with these two keys, in either order (Java servers put `num` first).
    /// So the first key decides, and only an object that begins with one of them is read ahead.
    fn look_at(map: A, context: &'x Context<'de>) -> Result<Object<'x, 'de, A>, A::Error> {
        let mut object = Self {
            map,
            context,
            read: Vec::new().into_iter(),
            key: None,
            value: None,
        };
        match object.map.next_key_seed(KeyText)? {
            Some(key) if key == PLACEHOLDER => object.after_placeholder(key),
            Some(key) if key == NUM => object.after_num(key),
            key => {
                object.key = key;
                Ok(Object::Plain(object))
            }
        }
    }

    fn after_placeholder(mut self, key: Cow<'de, str>) -> Result<Object<'x, 'de, A>, A::Error> {
        let marker = self.read_value()?;
        if marker != true {
            return Ok(self.plain(vec![(key, marker)]));
        }
        let mut num = None;
        while let Some(key) = self.map.next_key_seed(KeyText)? {
            if key == NUM {
                num = Some(self.read_value()?);
            } else {
                self.map.next_value::<IgnoredAny>()?;
            }
        }
        self.bytes(num.as_ref())
    }

    fn after_num(mut self, key: Cow<'de, str>) -> Result<Object<'x, 'de, A>, A::Error> {
        let num = self.read_value()?;
        let second = match self.map.next_key_seed(KeyText)? {
            Some(second) if second == PLACEHOLDER => second,
            second => {
                self.key = second;
                return Ok(self.plain(vec![(key, num)]));
            }
        };
        let marker = self.read_value()?;
        if marker != true {
            return Ok(self.plain(vec![(key, num), (second, marker)]));
        }
        while self.map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.bytes(Some(&num))
    }

    /// Reads ahead, whatever is nested, so that nothing within has to do so once more.
    fn read_value(&mut self) -> Result<Value, A::Error> {
        self.map.next_value_seed(AnyValue {
            context: Some(self.context),
        })
    }

    fn plain(mut self, read: Vec<Entry<'de>>) -> Object<'x, 'de, A> {
        self.read = read.into_iter();
        Object::Plain(self)
    }

    fn bytes(self, num: Option<&Value>) -> Result<Object<'x, 'de, A>, A::Error> {
        self.context
            .attachment(num)
            .map(|bytes| Object::Bytes(bytes))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for RebuildMap<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let key = match self.read.next() {
            Some((key, value)) => {
                self.value = Some(value);
                Some(key)
            }
            None => self.key.take(),
        };
        match key {
            Some(key) => seed.deserialize(KeyDeserializer::new(key)).map(Some),
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        match self.value.take() {
            Some(value) => seed.deserialize(ValueDeserializer::new(value)),
            None => self.map.next_value_seed(Rebuild::new(seed, self.context)),
        }
    }
}
