//! The outermost value of a payload: a tuple spreads into several arguments, everything else is one.

use std::cell::Cell;
use std::fmt::Display;

use serde::Serialize;
use serde::ser::Serializer;

use super::encode::Json;

/// Serializes the arguments into an array that is already open.
///
/// Only the outermost value passes through here; what stands inside it goes straight to serde_json.
pub(super) struct Spread<'a, 'b> {
    pub(super) json: &'a mut Json<'b>,
    /// Tells the formatter that the array about to begin is the open one.
    pub(super) joins_open_array: &'b Cell<bool>,
}

type Inner<'a, 'b> = &'a mut Json<'b>;
type Written = Result<(), serde_json::Error>;

/// One argument: the call goes to serde_json as it came.
macro_rules! one_argument {
    ($($method:ident($($arg:ident: $kind:ty),*);)*) => {
        $(
            #[inline]
            fn $method(self, $($arg: $kind),*) -> Written {
                self.json.$method($($arg),*)
            }
        )*
    };
}

impl<'a, 'b> Serializer for Spread<'a, 'b> {
    type Ok = ();
    type Error = serde_json::Error;
    type SerializeSeq = <Inner<'a, 'b> as Serializer>::SerializeSeq;
    type SerializeTuple = <Inner<'a, 'b> as Serializer>::SerializeSeq;
    type SerializeTupleStruct = <Inner<'a, 'b> as Serializer>::SerializeTupleStruct;
    type SerializeTupleVariant = <Inner<'a, 'b> as Serializer>::SerializeTupleVariant;
    type SerializeMap = <Inner<'a, 'b> as Serializer>::SerializeMap;
    type SerializeStruct = <Inner<'a, 'b> as Serializer>::SerializeStruct;
    type SerializeStructVariant = <Inner<'a, 'b> as Serializer>::SerializeStructVariant;

    #[inline]
    fn serialize_tuple(self, _len: usize) -> Result<Self::SerializeTuple, Self::Error> {
        self.joins_open_array.set(true);
        // Without a length serde_json leaves both brackets to the formatter's begin and end, even for an empty array.
        self.json.serialize_seq(None)
    }

    #[inline]
    fn serialize_unit(self) -> Written {
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self)
    }

    one_argument! {
        serialize_bool(value: bool);
        serialize_i8(value: i8);
        serialize_i16(value: i16);
        serialize_i32(value: i32);
        serialize_i64(value: i64);
        serialize_i128(value: i128);
        serialize_u8(value: u8);
        serialize_u16(value: u16);
        serialize_u32(value: u32);
        serialize_u64(value: u64);
        serialize_u128(value: u128);
        serialize_f32(value: f32);
        serialize_f64(value: f64);
        serialize_char(value: char);
        serialize_str(value: &str);
        serialize_bytes(value: &[u8]);
        serialize_none();
        serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.json.serialize_some(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        self.json
            .serialize_newtype_variant(name, index, variant, value)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Written {
        self.json.collect_str(value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, Self::Error> {
        self.json.serialize_seq(len)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, Self::Error> {
        self.json.serialize_tuple_struct(name, len)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, Self::Error> {
        self.json.serialize_tuple_variant(name, index, variant, len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, Self::Error> {
        self.json.serialize_map(len)
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, Self::Error> {
        self.json.serialize_struct(name, len)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, Self::Error> {
        self.json
            .serialize_struct_variant(name, index, variant, len)
    }
}
