//! The protocol's words, for the tests that are the same in both protocols.

use sio_peer::peer::Answer;
use sio_peer::words::Words;

use crate::wire::{ALL, Answers as _, pacing_id};

/// What a 0.9 server says.
#[derive(Debug)]
pub(crate) enum Legacy {}

impl Words for Legacy {
    type Protocol = sio_legacy::Session;

    fn handshake(sid: &str) -> Option<Answer> {
        Some(Answer::handshake(sid, ALL))
    }

    fn opening(_: &str) -> Option<String> {
        None
    }

    fn granted(namespace: &str) -> String {
        format!("1::{}", endpoint(namespace))
    }

    fn asked(namespace: &str, _: &str) -> String {
        format!("1::{namespace}")
    }

    fn kicked(namespace: &str) -> String {
        format!("0::{}", endpoint(namespace))
    }

    fn event(namespace: &str, name: &str) -> String {
        format!("5::{}:{{\"name\":{name:?}}}", endpoint(namespace))
    }

    fn text_event(namespace: &str, name: &str, text: &str) -> String {
        let endpoint = endpoint(namespace);
        format!("5::{endpoint}:{{\"name\":{name:?},\"args\":[{text:?}]}}")
    }

    fn question(namespace: &str, id: u64, name: &str) -> String {
        format!("5:{id}+:{}:{{\"name\":{name:?}}}", endpoint(namespace))
    }

    fn answer(namespace: &str, id: u64) -> String {
        format!("6::{}:{id}+[]", endpoint(namespace))
    }

    fn reply(packet: &str) -> Option<String> {
        if let Some(id) = pacing_id(packet) {
            return Some(format!("6:::{id}"));
        }
        if packet.starts_with("1::/") || packet.starts_with("2::") {
            return Some(packet.to_owned());
        }
        let mut parts = packet.strip_prefix("5:")?.splitn(3, ':');
        let id = parts.next()?.strip_suffix('+')?.parse().ok()?;
        let namespace = match parts.next()? {
            "" => "/",
            namespace => namespace,
        };
        Some(Self::answer(namespace, id))
    }

    fn is_end(packet: &str) -> bool {
        packet == "0::"
    }

    fn is_of_program(packet: &str) -> bool {
        pacing_id(packet).is_none() && !packet.starts_with("2::")
    }
}

/// A namespace as it is written in packets.
fn endpoint(namespace: &str) -> &str {
    if namespace == "/" { "" } else { namespace }
}
