//! The arguments of events and acks: JSON with bytes anywhere in it, typed by serde.
//!
//! Going out, [`Encoded`] turns anything that is [`Serialize`](serde::Serialize) into the JSON array a packet carries, and
//! takes the bytes out of it as attachments. Coming in, [`Args`] keeps the text as it arrived and parses it once, into the
//! type the handler asks for. [`Value`] is for those who want to look at whatever came.
//!
//! # How many arguments
//!
//! | Rust value | arguments |
//! | --- | --- |
//! | `()` | none |
//! | a tuple, a fixed array (serde sees no difference) | one for each element |
//! | a newtype `struct N(T)` | whatever `T` is |
//! | anything else: a `Vec`, an `Option`, a struct, a tuple struct, [`Value::Null`], … | exactly one |
//!
//! serde sees no difference between `()` and the `Null` of `serde_json::Value`, so that alone is no argument either.
//!
//! Receiving mirrors it: surplus arguments are ignored, an `Option` is `None` when its argument is missing or `null`, and
//! `()` accepts whatever came.
//!
//! # Bytes
//!
//! Bytes are what serde calls bytes: [`bytes::Bytes`], the types of the `serde_bytes` crate, and [`Value::Bytes`]. They may
//! stand at any depth, in flattened structs and untagged enums too, but not as the key of a map. A **`Vec<u8>` is an array
//! of numbers** to serde, and so it is here.
//!
//! These types take a string for bytes where they get one. So in an untagged enum that knows both, put the `String` first,
//! and expect it to take bytes that happen to be UTF-8: serde decides that. A [`Value`] never mistakes one for the other.
//!
//! On the wire each is an attachment of its own, and `{"_placeholder":true,"num":k}` stands in the text. Only a packet with
//! attachments is ever read that way: in a text event an object that looks like a placeholder is the user's data. Sending
//! one beside real bytes is refused ([`EncodeError::PlaceholderKey`]), because every server would mistake it.
//!
//! # Limits
//!
//! Arrays and objects nest at most 127 deep, the array of the arguments included, in both directions (serde_json's own
//! limit when reading). Sizes and counts are limited where packets are read, not here.

mod arguments;
mod decode;
mod elements;
mod encode;
mod escape;
mod rebuild;
mod scan;
mod scratch;
mod spread;
mod surrogate;
mod value;

#[cfg(test)]
mod tests;

pub use decode::{Args, DecodeError};
pub use encode::{EncodeError, Encoded};
pub use surrogate::replace_lone;
pub use value::{Value, ValueDeserializer, ValueIndex};

/// The key that marks an object as standing for an attachment.
const PLACEHOLDER: &str = "_placeholder";
/// The key of the attachment's index in such an object.
const NUM: &str = "num";

/// How deep arrays and objects may nest, the array of the arguments included: what serde_json reads.
const MAX_DEPTH: u32 = 127;

/// The name by which serde_json recognises its `RawValue` when a dependency switches its feature `raw_value` on.
const RAW_VALUE_TOKEN: &str = "$serde_json::private::RawValue";
/// The key by which serde_json hands over numbers when a dependency switches its feature `arbitrary_precision` on.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";
