//! The protocol's words, for the tests that are the same in both protocols.

use sio_peer::peer::Answer;
use sio_peer::words::Words;

use crate::wire::plain_open;

/// What a 2.x server says.
#[derive(Debug)]
pub(crate) enum V1 {}

impl Words for V1 {
    type Protocol = sio_v1::Session;

    fn handshake(_: &str) -> Option<Answer> {
        None
    }

    fn opening(sid: &str) -> Option<String> {
        Some(plain_open().replace("abc", sid))
    }

    fn granted(namespace: &str) -> String {
        format!("40{}", prefix(namespace).trim_end_matches(','))
    }

    fn asked(namespace: &str, query: &str) -> String {
        match query {
            "" => format!("40{namespace},"),
            query => format!("40{namespace}?{query},"),
        }
    }

    fn kicked(namespace: &str) -> String {
        format!("41{}", prefix(namespace))
    }

    fn event(namespace: &str, name: &str) -> String {
        format!("42{}[{name:?}]", prefix(namespace))
    }

    fn text_event(namespace: &str, name: &str, text: &str) -> String {
        format!("42{}[{name:?},{text:?}]", prefix(namespace))
    }

    fn question(namespace: &str, id: u64, name: &str) -> String {
        format!("42{}{id}[{name:?}]", prefix(namespace))
    }

    fn answer(namespace: &str, id: u64) -> String {
        format!("43{}{id}[]", prefix(namespace))
    }

    fn reply(packet: &str) -> Option<String> {
        if packet == "2" {
            return Some("3".to_owned());
        }
        if let Some(asked) = packet.strip_prefix("40") {
            let name = asked.split(['?', ',']).next().unwrap_or_default();
            return Some(Self::granted(name));
        }
        let (namespace, rest) = split(packet.strip_prefix("42")?);
        let id = rest.split('[').next()?.parse().ok()?;
        Some(Self::answer(namespace, id))
    }

    fn is_end(packet: &str) -> bool {
        packet == "1"
    }

    fn is_of_program(packet: &str) -> bool {
        packet != "2"
    }
}

/// What stands before the id: nothing for the root.
fn prefix(namespace: &str) -> String {
    match namespace {
        "/" => String::new(),
        namespace => format!("{namespace},"),
    }
}

/// The namespace, and what is behind it.
fn split(packet: &str) -> (&str, &str) {
    match packet.split_once(',') {
        Some((namespace, rest)) if namespace.starts_with('/') => (namespace, rest),
        _ => ("/", packet),
    }
}
