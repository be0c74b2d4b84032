//! A value as something to be sent.

use serde::{Serialize, Serializer};

use super::Value;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // Not a unit: `()` alone is no argument, `null` alone is one.
            Self::Null => serializer.serialize_none(),
            Self::Bool(bool) => serializer.serialize_bool(*bool),
            Self::Number(number) => number.serialize(serializer),
            Self::String(string) => serializer.serialize_str(string),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Array(array) => serializer.collect_seq(array),
            Self::Object(object) => serializer.collect_map(object),
        }
    }
}
