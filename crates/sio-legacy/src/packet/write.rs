//! Writing packets: the inverse of [`Packet::parse`].
//!
//! Every packet is written in one allocation. Endpoints are empty for the root, and must not hold a colon. Ids must stay
//! below 2^53 (servers count in doubles) and should count from 1.
//!
//! JSON is given as pure ASCII, as [`Encoded`](sio_core::Encoded) writes it, without whitespace between its parts: raw
//! U+2028, U+2029, CR and LF make servers lose the data of an ack, and other characters may break where a server reads a
//! posted body in pieces.

use bytestring::ByteString;

use super::{AckMode, Packet, PacketType};

/// Asks for a namespace: `1::/chat`. To be sent once in a session, and never for the root: a server would run its
/// handlers twice.
pub fn connect(endpoint: &str) -> ByteString {
    Head::bare(PacketType::Connect, endpoint).write(&[])
}

/// Leaves a namespace, `0::/chat`, or with an empty endpoint ends the session, `0::`.
pub fn disconnect(endpoint: &str) -> ByteString {
    Head::bare(PacketType::Disconnect, endpoint).write(&[])
}

/// The answer to the server's heartbeat: `2::`.
pub fn heartbeat() -> ByteString {
    ByteString::from_static("2::")
}

/// A text: `3:::text`. With an id it asks for a plain acknowledgement: `3:1::text`.
///
/// Empty text is written without the third colon, as the reference implementations do.
pub fn message(id: Option<u64>, endpoint: &str, text: &str) -> ByteString {
    let head = Head::asking(PacketType::Message, id, AckMode::Plain, endpoint);
    if text.is_empty() {
        head.write(&[])
    } else {
        head.write(&[":", text])
    }
}

/// A JSON value: `4:::{"a":1}`. With an id it asks for a plain acknowledgement: `4:1::{"a":1}`.
pub fn json(id: Option<u64>, endpoint: &str, json: &str) -> ByteString {
    Head::asking(PacketType::Json, id, AckMode::Plain, endpoint).write(&[":", json])
}

/// An event: `5:::{"name":"n","args":[1,2]}`. With an id it asks for an answer with data: `5:1+::…`.
///
/// `name_json` is the name's JSON string, quotes included. `arguments_json` is the list *without* the brackets around it:
/// what [`Encoded::arguments_json`](sio_core::Encoded::arguments_json) gives. Without any argument `args` is left out, as the
/// reference implementations do.
pub fn event(id: Option<u64>, endpoint: &str, name_json: &str, arguments_json: &str) -> ByteString {
    let head = Head::asking(PacketType::Event, id, AckMode::Data, endpoint);
    if arguments_json.is_empty() {
        head.write(&[":{\"name\":", name_json, "}"])
    } else {
        head.write(&[
            ":{\"name\":",
            name_json,
            ",\"args\":[",
            arguments_json,
            "]}",
        ])
    }
}

/// The answer to a packet with this id and of this endpoint: `6:::1+["A",2]`; `6:::1` without arguments.
///
/// `arguments_json` is the list *without* the brackets around it, as for [`event`]; so what is written is always an array
/// (anything else crashes 0.9 servers).
///
/// A `+` in the JSON becomes `\u002b` inside strings and is left out of numbers (`1e+21`), which means the same:
/// gevent-socketio splits the data at each `+`.
pub fn ack(endpoint: &str, id: &str, arguments_json: &str) -> ByteString {
    let head = Head::bare(PacketType::Ack, endpoint);
    if arguments_json.is_empty() {
        head.write(&[":", id])
    } else if memchr::memchr(b'+', arguments_json.as_bytes()).is_none() {
        head.write(&[":", id, "+[", arguments_json, "]"])
    } else {
        head.write(&[":", id, "+[", &without_plus(arguments_json), "]"])
    }
}

/// Nothing: `8::`. Servers acknowledge even this if it has an id, `8:1:`, which makes it a probe.
pub fn noop(id: Option<u64>) -> ByteString {
    match id {
        None => ByteString::from_static("8::"),
        id => Head::asking(PacketType::Noop, id, AckMode::Plain, "").write(&[]),
    }
}

/// Any packet, as [`Packet::parse`] reads it.
pub fn packet(packet: &Packet) -> ByteString {
    let head = Head {
        packet_type: packet.packet_type,
        id: packet.id.as_deref().map(Id::Text),
        ack: packet.ack,
        endpoint: &packet.endpoint,
    };
    match &packet.data {
        None => head.write(&[]),
        Some(data) => head.write(&[":", data]),
    }
}

/// Everything before the data.
struct Head<'a> {
    packet_type: PacketType,
    id: Option<Id<'a>>,
    ack: AckMode,
    endpoint: &'a str,
}

enum Id<'a> {
    Number(u64),
    Text(&'a str),
}

impl<'a> Head<'a> {
    fn bare(packet_type: PacketType, endpoint: &'a str) -> Self {
        Self::asking(packet_type, None, AckMode::None, endpoint)
    }

    /// `ack` is what the id asks for where there is one.
    fn asking(packet_type: PacketType, id: Option<u64>, ack: AckMode, endpoint: &'a str) -> Self {
        Self {
            packet_type,
            id: id.map(Id::Number),
            ack,
            endpoint,
        }
    }

    /// `type ":" [ id [ "+" ] ] ":" endpoint [ ":" data ]`, in one allocation. The first part of data brings its colon.
    fn write(&self, data: &[&str]) -> ByteString {
        let mut digits = itoa::Buffer::new();
        let id = match self.id {
            Some(Id::Number(number)) => digits.format(number),
            Some(Id::Text(digits)) => digits,
            None => "",
        };
        let has_plus = self.id.is_some() && self.ack == AckMode::Data;
        let colon = if has_plus { "+:" } else { ":" };
        let head = [self.packet_type.start(), id, colon, self.endpoint];
        let size = |pieces: &[&str]| pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let mut text = String::with_capacity(size(&head) + size(data));
        for piece in head.iter().chain(data).filter(|piece| !piece.is_empty()) {
            text.push_str(piece);
        }
        text.into()
    }
}

/// The same JSON without the character `+`.
fn without_plus(json: &str) -> String {
    const ESCAPED: &str = "\\u002b";
    let count = memchr::memchr_iter(b'+', json.as_bytes()).count();
    let mut text = String::with_capacity(json.len() + count * (ESCAPED.len() - 1));
    let mut rest = json;
    while let Some(found) = memchr::memchr2(b'"', b'+', rest.as_bytes()) {
        // A quote here begins a string, since whole strings are skipped below; a plus stands in a number.
        text.push_str(&rest[..found]);
        rest = &rest[found..];
        if let Some(behind) = rest.strip_prefix('+') {
            rest = behind;
            continue;
        }
        let end = crate::literal::end(rest.as_bytes()).unwrap_or(rest.len());
        let (string, behind) = rest.split_at(end);
        for (index, part) in string.split('+').enumerate() {
            if index > 0 {
                text.push_str(ESCAPED);
            }
            text.push_str(part);
        }
        rest = behind;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        for text in [
            "0::",
            "0::/chat",
            "1::/chat:?k=v",
            "2:::",
            "3::",
            "3:::",
            "3:7+:/chat:a:b",
            "4:00::null",
            "5:18446744073709551616+::{}",
            "6::/chat:1+[]",
            "7:::1+0",
            "8:1:",
        ] {
            assert_eq!(packet(&Packet::parse(text.into()).unwrap()), text);
        }
    }

    #[test]
    fn packets_without_data() {
        assert_eq!(connect("/chat"), "1::/chat");
        assert_eq!(disconnect(""), "0::");
        assert_eq!(disconnect("/chat"), "0::/chat");
        assert_eq!(heartbeat(), "2::");
        assert_eq!(noop(None), "8::");
        assert_eq!(noop(Some(10)), "8:10:");
    }

    #[test]
    fn messages_and_json() {
        assert_eq!(message(None, "", "a:b"), "3:::a:b");
        assert_eq!(message(Some(1), "/chat", "a"), "3:1:/chat:a");
        assert_eq!(message(None, "", ""), "3::");
        assert_eq!(message(Some(5), "", ""), "3:5:");
        assert_eq!(message(None, "/chat", ""), "3::/chat");
        assert_eq!(json(None, "", "null"), "4:::null");
        assert_eq!(json(Some(2), "/chat", "[1]"), "4:2:/chat:[1]");
    }

    #[test]
    fn events_ask_for_data() {
        assert_eq!(event(None, "", "\"n\"", ""), r#"5:::{"name":"n"}"#);
        assert_eq!(
            event(Some(1), "/chat", "\"n\"", "1,[2]"),
            r#"5:1+:/chat:{"name":"n","args":[1,[2]]}"#
        );
    }

    #[test]
    fn acks_are_arrays_without_plus_signs() {
        assert_eq!(ack("", "1", ""), "6:::1");
        assert_eq!(ack("/chat", "007", "\"A\",2"), "6::/chat:007+[\"A\",2]");
        assert_eq!(
            ack("", "1", r#""a+b","\"+",1e+21,{"+":-1.5E+3},"\\",1e+2,"+""#),
            r#"6:::1+["a\u002bb","\"\u002b",1e21,{"\u002b":-1.5E3},"\\",1e2,"\u002b"]"#
        );
    }

    #[test]
    fn broken_json_is_no_panic() {
        for json in ["+\"", "\"+", "\"\\", "\"+\\"] {
            assert!(!without_plus(json).contains('+'), "{json}");
        }
    }
}
