//! The array of the arguments, handed to the type that was asked for: the counterpart of `spread`.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, SeqAccess, Visitor,
};

use super::RAW_VALUE_TOKEN;
use super::rebuild::Rebuild;
use super::value::Value;

/// What all parts of one reading share.
pub(super) struct Context<'de> {
    attachments: &'de [Bytes],
    position: Cell<usize>,
    fault: Cell<Option<Fault>>,
}

/// What went wrong, where the error of serde_json would only have a text for it.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    /// The argument at `position`, counted from 1.
    Missing { position: usize, expected: usize },
    /// A placeholder with the index of no attachment.
    OutOfRange(u64),
    /// A placeholder without an index.
    Placeholder,
}

impl<'de> Context<'de> {
    pub(super) fn new(attachments: &'de [Bytes]) -> Self {
        Self {
            attachments,
            position: Cell::new(0),
            fault: Cell::new(None),
        }
    }

    pub(super) fn attachments(&self) -> &'de [Bytes] {
        self.attachments
    }

    /// The argument that is being read, counted from 1.
    pub(super) fn position(&self) -> usize {
        self.position.get()
    }

    fn next_position(&self) {
        self.position.set(self.position.get() + 1);
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault.get()
    }

    /// The attachment that a placeholder with this `num` stands for.
    pub(super) fn attachment<E: Error>(&self, num: Option<&Value>) -> Result<&'de Bytes, E> {
        let Some(index) = num.and_then(Value::as_u64) else {
            return Err(self.fail(Fault::Placeholder));
        };
        let attachment = usize::try_from(index)
            .ok()
            .and_then(|index| self.attachments.get(index));
        attachment.ok_or_else(|| self.fail(Fault::OutOfRange(index)))
    }

    /// Notes a fault and returns the error that ends the reading.
    #[cold]
    pub(super) fn fail<E: Error>(&self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("see the fault")
    }
}

/// Reads the array of the arguments into a `T`.
pub(super) struct Typed<'x, 'de, T> {
    context: &'x Context<'de>,
    named: bool,
    wanted: PhantomData<T>,
}

impl<'x, 'de, T> Typed<'x, 'de, T> {
    pub(super) fn new(context: &'x Context<'de>, named: bool) -> Self {
        Self {
            context,
            named,
            wanted: PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Typed<'_, 'de, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of arguments")
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        if self.named {
            seq.next_element::<IgnoredAny>()?;
        }
        let value = T::deserialize(Arguments {
            seq: &mut seq,
            context: self.context,
        })?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(value)
    }
}

/// Reads each of the arguments with the same seed, which sees placeholders as they are.
pub(super) struct Each<'x, 'de, S> {
    context: &'x Context<'de>,
    named: bool,
    seed: S,
}

impl<'x, 'de, S> Each<'x, 'de, S> {
    pub(super) fn new(context: &'x Context<'de>, named: bool, seed: S) -> Self {
        Self {
            context,
            named,
            seed,
        }
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy> Visitor<'de> for Each<'_, 'de, S> {
    type Value = Vec<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        if self.named {
            seq.next_element::<IgnoredAny>()?;
        }
        let mut values = Vec::new();
        loop {
            self.context.next_position();
            match seq.next_element_seed(self.seed)? {
                Some(value) => values.push(value),
                None => return Ok(values),
            }
        }
    }
}

/// Reads the next argument. When there is none, the seed is still there.
#[inline]
fn next_argument<'de, A, S>(
    seq: &mut A,
    context: &Context<'de>,
    seed: &mut Option<S>,
) -> Result<Option<S::Value>, A::Error>
where
    A: SeqAccess<'de>,
    S: DeserializeSeed<'de>,
{
    context.next_position();
    seq.next_element_seed(Argument { seed, context })
}

/// Reads one argument, its bytes put back where there are attachments.
struct Argument<'x, 'de, S> {
    seed: &'x mut Option<S>,
    context: &'x Context<'de>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Argument<'_, 'de, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let Some(seed) = self.seed.take() else {
            return Err(D::Error::custom("an argument was read twice"));
        };
        if self.context.attachments.is_empty() {
            seed.deserialize(deserializer)
        } else {
            seed.deserialize(Rebuild::new(deserializer, self.context))
        }
    }
}

/// All arguments as one value: a tuple takes several, everything else the first.
struct Arguments<'x, 'de, A> {
    seq: &'x mut A,
    context: &'x Context<'de>,
}

impl<'de, A: SeqAccess<'de>> Arguments<'_, 'de, A> {
    #[inline]
    fn first<V: Visitor<'de>>(self, hint: Hint, visitor: V) -> Result<V::Value, A::Error> {
        let mut seed = Some(Hinted { hint, visitor });
        match next_argument(self.seq, self.context, &mut seed)? {
            Some(value) => Ok(value),
            None => missing(self.context, 1, seed),
        }
    }
}

/// What a type makes of an argument that is not there.
fn missing<'de, S, E>(
    context: &Context<'de>,
    expected: usize,
    seed: Option<S>,
) -> Result<S::Value, E>
where
    S: DeserializeSeed<'de>,
    E: Error,
{
    let nothing = Nothing {
        context,
        expected,
        error: PhantomData,
    };
    match seed {
        Some(seed) => seed.deserialize(nothing),
        None => Err(nothing.fail()),
    }
}

macro_rules! first {
    ($($method:ident => $hint:ident;)*) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
                self.first(Hint::$hint, visitor)
            }
        )*
    };
}

impl<'de, A: SeqAccess<'de>> Deserializer<'de> for Arguments<'_, 'de, A> {
    type Error = A::Error;

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_seq(Several {
            seq: self.seq,
            context: self.context,
            taken: 0,
            len,
        })
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        if name == RAW_VALUE_TOKEN {
            self.first(Hint::NewtypeStruct(name), visitor)
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    first! {
        deserialize_any => Any;
        deserialize_bool => Bool;
        deserialize_i8 => I8;
        deserialize_i16 => I16;
        deserialize_i32 => I32;
        deserialize_i64 => I64;
        deserialize_i128 => I128;
        deserialize_u8 => U8;
        deserialize_u16 => U16;
        deserialize_u32 => U32;
        deserialize_u64 => U64;
        deserialize_u128 => U128;
        deserialize_f32 => F32;
        deserialize_f64 => F64;
        deserialize_char => Char;
        deserialize_str => Str;
        deserialize_string => String;
        deserialize_bytes => Bytes;
        deserialize_byte_buf => ByteBuf;
        deserialize_option => Option;
        deserialize_seq => Seq;
        deserialize_map => Map;
        deserialize_identifier => Identifier;
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.first(Hint::UnitStruct(name), visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.first(Hint::TupleStruct(name, len), visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: Names,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.first(Hint::Struct(name, fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: Names,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.first(Hint::Enum(name, variants), visitor)
    }
}

/// The arguments that a tuple takes.
struct Several<'x, 'de, A> {
    seq: &'x mut A,
    context: &'x Context<'de>,
    taken: usize,
    len: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Several<'_, 'de, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        if self.taken == self.len {
            return Ok(None);
        }
        self.taken += 1;
        let mut seed = Some(seed);
        match next_argument(self.seq, self.context, &mut seed)? {
            Some(value) => Ok(Some(value)),
            None => missing(self.context, self.len, seed).map(Some),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.taken)
    }
}

/// A missing argument: nothing for an `Option`, an error for everything else.
struct Nothing<'x, 'de, E> {
    context: &'x Context<'de>,
    expected: usize,
    error: PhantomData<E>,
}

impl<E: Error> Nothing<'_, '_, E> {
    fn fail(&self) -> E {
        self.context.fail(Fault::Missing {
            position: self.context.position(),
            expected: self.expected,
        })
    }
}

impl<'de, E: Error> Deserializer<'de> for Nothing<'_, 'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, E> {
        Err(self.fail())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

type Names = &'static [&'static str];

/// What a type asked of its deserializer, to be asked again of the argument.
#[derive(Clone, Copy)]
enum Hint {
    Any,
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    String,
    Bytes,
    ByteBuf,
    Option,
    Seq,
    Map,
    Identifier,
    UnitStruct(&'static str),
    NewtypeStruct(&'static str),
    TupleStruct(&'static str, usize),
    Struct(&'static str, Names),
    Enum(&'static str, Names),
}

struct Hinted<V> {
    hint: Hint,
    visitor: V,
}

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Hinted<V> {
    type Value = V::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, argument: D) -> Result<V::Value, D::Error> {
        let visitor = self.visitor;
        match self.hint {
            Hint::Any => argument.deserialize_any(visitor),
            Hint::Bool => argument.deserialize_bool(visitor),
            Hint::I8 => argument.deserialize_i8(visitor),
            Hint::I16 => argument.deserialize_i16(visitor),
            Hint::I32 => argument.deserialize_i32(visitor),
            Hint::I64 => argument.deserialize_i64(visitor),
            Hint::I128 => argument.deserialize_i128(visitor),
            Hint::U8 => argument.deserialize_u8(visitor),
            Hint::U16 => argument.deserialize_u16(visitor),
            Hint::U32 => argument.deserialize_u32(visitor),
            Hint::U64 => argument.deserialize_u64(visitor),
            Hint::U128 => argument.deserialize_u128(visitor),
            Hint::F32 => argument.deserialize_f32(visitor),
            Hint::F64 => argument.deserialize_f64(visitor),
            Hint::Char => argument.deserialize_char(visitor),
            Hint::Str => argument.deserialize_str(visitor),
            Hint::String => argument.deserialize_string(visitor),
            Hint::Bytes => argument.deserialize_bytes(visitor),
            Hint::ByteBuf => argument.deserialize_byte_buf(visitor),
            Hint::Option => argument.deserialize_option(visitor),
            Hint::Seq => argument.deserialize_seq(visitor),
            Hint::Map => argument.deserialize_map(visitor),
            Hint::Identifier => argument.deserialize_identifier(visitor),
            Hint::UnitStruct(name) => argument.deserialize_unit_struct(name, visitor),
            Hint::NewtypeStruct(name) => argument.deserialize_newtype_struct(name, visitor),
            Hint::TupleStruct(name, len) => argument.deserialize_tuple_struct(name, len, visitor),
            Hint::Struct(name, fields) => argument.deserialize_struct(name, fields, visitor),
            Hint::Enum(name, variants) => argument.deserialize_enum(name, variants, visitor),
        }
    }
}
