//! Each rule of the payloads, by what it is about.

mod bytes_anywhere;
mod properties;
mod receiving;
mod sending;
mod values;

use bytes::Bytes;
use bytestring::ByteString;

use super::{Args, DecodeError, Encoded};

/// A received event's arguments.
fn event(text: &str) -> Args {
    binary_event(text, &[])
}

/// A received event's arguments, with attachments.
fn binary_event(text: &str, attachments: &[&'static [u8]]) -> Args {
    Args::event(text.into(), bytes_of(attachments)).unwrap().1
}

/// What refuses to be an event.
fn no_event(text: &str) -> DecodeError {
    Args::event(text.into(), Vec::new()).unwrap_err()
}

fn bytes_of(attachments: &[&'static [u8]]) -> Vec<Bytes> {
    attachments
        .iter()
        .copied()
        .map(Bytes::from_static)
        .collect()
}

/// What the other side makes of something sent.
fn received(sent: Encoded) -> (ByteString, Args) {
    let (json, attachments) = sent.into_parts();
    Args::event(json, attachments).unwrap()
}
