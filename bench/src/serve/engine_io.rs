//! Engine.IO 3 and 4, and the Socket.IO packets in it.

use std::io::Write as _;

use super::application::{Event, Sink, answer};
use super::dialect::Dialect;
use super::{Next, Timing};

/// The record separator between the packets of a payload of Engine.IO 4.
const SEPARATOR: u8 = 0x1e;

/// The packet that opens a session.
pub(super) fn open_packet(dialect: Dialect, sid: &str, timing: Timing, upgrades: bool) -> String {
    let upgrades = if upgrades { "\"websocket\"" } else { "" };
    let most = match dialect {
        Dialect::EngineIo4 => ",\"maxPayload\":100000000",
        _ => "",
    };
    format!(
        "0{{\"sid\":\"{sid}\",\"upgrades\":[{upgrades}],\"pingInterval\":{},\"pingTimeout\":{}{most}}}",
        timing.interval.as_millis(),
        timing.timeout.as_millis(),
    )
}

/// Does what a text packet asks for.
pub(super) fn packet(
    packet: &[u8],
    dialect: Dialect,
    sid: &str,
    sink: &mut impl Sink,
) -> Result<Next, &'static str> {
    match packet {
        b"2probe" => {
            sink.packet(&[b"3probe"]);
            return Ok(Next::Probe);
        }
        [b'4', b'2', rest @ ..] => {
            let (id, data) = split_id(behind_root(rest));
            let event = event(data, id).ok_or("an event that cannot be read")?;
            answer(event, dialect, sink)?;
        }
        [b'4', b'5', rest @ ..] => {
            let (attachments, rest) = split_id(rest);
            let count =
                attachments.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            let rest = rest
                .strip_prefix(b"-")
                .ok_or("a binary event without a count")?;
            let (id, data) = split_id(behind_root(rest));
            let event = event(data, id).ok_or("a binary event that cannot be read")?;
            if event.name != b"message" {
                return Err("bytes in another event than a message");
            }
            let digits = attachments.unwrap_or_default();
            match id {
                Some(id) => sink.packet(&[b"46", digits, b"-", id, b"[", event.args, b"]"]),
                // Some clients cannot ask for an ack to bytes.
                None => sink.packet(&[b"45", digits, b"-[\"message\",", event.args, b"]"]),
            }
            return Ok(Next::Attachments(count.ok_or("a count that is no number")?));
        }
        [b'4', b'0', ..] => {
            // Engine.IO 3 connects the root unasked.
            if dialect == Dialect::EngineIo4 {
                sink.packet(&[b"40{\"sid\":\"", sid.as_bytes(), b"\"}"]);
            }
        }
        // The client goes, or answers something.
        [b'4', b'1' | b'3', ..] | [b'3'] | [b'6'] => {}
        [b'2', data @ ..] => sink.packet(&[b"3", data]),
        [b'1'] => return Ok(Next::Close),
        [b'5'] => return Ok(Next::Upgrade),
        _ => return Err("a packet of no known kind"),
    }
    Ok(Next::GoOn)
}

/// Some clients name the root.
fn behind_root(rest: &[u8]) -> &[u8] {
    rest.strip_prefix(b"/,").unwrap_or(rest)
}

fn split_id(rest: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let end = rest.iter().position(|byte| !byte.is_ascii_digit());
    match rest.split_at(end.unwrap_or(rest.len())) {
        (b"", rest) => (None, rest),
        (digits, rest) => (Some(digits), rest),
    }
}

/// Reads `["name",…]`.
fn event<'a>(data: &'a [u8], id: Option<&'a [u8]>) -> Option<Event<'a>> {
    let inner = data.trim_ascii().strip_prefix(b"[")?.strip_suffix(b"]")?;
    let inner = inner.trim_ascii_start().strip_prefix(b"\"")?;
    let (name, rest) = inner.split_at(memchr::memchr(b'"', inner)?);
    let args = match rest[1..].trim_ascii() {
        b"" => b"",
        more => more.strip_prefix(b",")?.trim_ascii_start(),
    };
    Some(Event { name, args, id })
}

/// The body of an answer to a poll. Servers of 1.x wrote the binary form, and some clients read no other.
pub(super) fn write_payload(dialect: Dialect, is_binary: bool, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        match dialect {
            Dialect::EngineIo4 if index > 0 => body.push(SEPARATOR),
            Dialect::EngineIo4 => {}
            _ if is_binary => {
                body.push(0);
                body.extend(packet.len().to_string().bytes().map(|digit| digit - b'0'));
                body.push(0xff);
            }
            // A vector takes everything.
            _ => _ = write!(body, "{}:", super::utf16_length(packet)),
        }
        body.extend_from_slice(packet);
    }
    body
}

/// The packets of a post.
pub(super) fn read_payload(
    dialect: Dialect,
    body: &[u8],
    is_binary: bool,
) -> Result<Vec<&[u8]>, &'static str> {
    match dialect {
        Dialect::EngineIo4 => Ok(body.split(|byte| *byte == SEPARATOR).collect()),
        _ if is_binary => read_binary(body),
        _ => read_text(body),
    }
}

fn read_text(mut body: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    let mut packets = Vec::new();
    while !body.is_empty() {
        let (digits, rest) = split_id(body);
        let units = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let units = units.ok_or("a length that is no number")?;
        let rest = rest.strip_prefix(b":").ok_or("a length without a colon")?;
        let end = super::end_of_utf16(rest, units).ok_or("a length that is too large")?;
        packets.push(&rest[..end]);
        body = &rest[end..];
    }
    Ok(packets)
}

fn read_binary(mut body: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    let mut packets = Vec::new();
    while let [kind, rest @ ..] = body {
        if *kind != 0 {
            return Err("bytes over polling");
        }
        let end = rest.iter().position(|byte| *byte == 0xff);
        let (digits, rest) = rest.split_at(end.ok_or("a length without an end")?);
        let length = digits.iter().fold(0_usize, |length, digit| {
            length
                .saturating_mul(10)
                .saturating_add(usize::from(*digit))
        });
        let rest = &rest[1..];
        if length > rest.len() {
            return Err("a length that is too large");
        }
        packets.push(&rest[..length]);
        body = &rest[length..];
    }
    Ok(packets)
}

#[cfg(test)]
mod tests {
    use super::super::application::Kept;
    use super::*;

    fn answers(dialect: Dialect, text: &str) -> Vec<String> {
        let mut kept = Kept::default();
        packet(text.as_bytes(), dialect, "me", &mut kept).unwrap();
        kept.0
    }

    #[test]
    fn what_clients_say_is_answered() {
        for (said, expected) in [
            (r#"420["message","hello",5]"#, vec![r#"430["hello",5]"#]),
            (
                r#"4217["message", "hello", 5]"#,
                vec![r#"4317["hello", 5]"#],
            ),
            (r#"42/,3["message"]"#, vec!["433[]"]),
            (r#"42["message",[1,2]]"#, vec![r#"42["message",[1,2]]"#]),
            (
                r#"427["burst",{"count":3,"size":2,"gap":0}]"#,
                vec!["3 of 2", r#"42["tick-end",3]"#, "437[3]"],
            ),
            ("2", vec!["3"]),
            ("2probe", vec!["3probe"]),
            (
                r#"451-0["message",{"_placeholder":true,"num":0}]"#,
                vec![r#"461-0[{"_placeholder":true,"num":0}]"#],
            ),
            (
                r#"451-["message",{"_placeholder":true,"num":0}]"#,
                vec![r#"451-["message",{"_placeholder":true,"num":0}]"#],
            ),
            ("41", vec![]),
        ] {
            assert_eq!(answers(Dialect::EngineIo3, said), expected, "{said}");
            assert_eq!(answers(Dialect::EngineIo4, said), expected, "{said}");
        }
        assert_eq!(answers(Dialect::EngineIo3, "40"), [""; 0]);
        assert_eq!(answers(Dialect::EngineIo4, "40"), [r#"40{"sid":"me"}"#]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for said in [
            "",
            "42",
            "42[]",
            "42[1]",
            r#"42["x"]"#,
            "45",
            "9",
            r#"42["burst"]"#,
        ] {
            let mut kept = Kept::default();
            let next = packet(said.as_bytes(), Dialect::EngineIo3, "me", &mut kept);
            assert!(next.is_err(), "{said:?}: {next:?} {:?}", kept.0);
        }
    }

    #[test]
    fn payloads_are_read_in_each_form() {
        let both: [&[u8]; 2] = ["4é😀".as_bytes(), b"2"];
        let text = "4:4é😀1:2".as_bytes();
        assert_eq!(read_payload(Dialect::EngineIo3, text, false).unwrap(), both);
        let binary = [&[0, 7, 0xff][..], both[0], &[0, 1, 0xff], both[1]].concat();
        assert_eq!(
            read_payload(Dialect::EngineIo3, &binary, true).unwrap(),
            both
        );
        let four = "4é😀\u{1e}2".as_bytes();
        assert_eq!(read_payload(Dialect::EngineIo4, four, false).unwrap(), both);
        let packets = both.map(<[u8]>::to_vec);
        assert_eq!(write_payload(Dialect::EngineIo3, false, &packets), text);
        assert_eq!(write_payload(Dialect::EngineIo3, true, &packets), binary);
        assert_eq!(write_payload(Dialect::EngineIo4, false, &packets), four);
        assert!(read_payload(Dialect::EngineIo3, b"5:42", false).is_err());
    }
}
