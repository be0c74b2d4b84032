//! Socket.IO 0.9.

use std::io::Write as _;

use super::Next;
use super::application::{Event, Sink, answer};
use super::dialect::Dialect;

/// U+FFFD, which stands before and behind lengths.
const MARK: &[u8] = "\u{fffd}".as_bytes();

/// The packet that tells of a new session.
pub(super) const CONNECTED: &[u8] = b"1::";

/// The packet that ends one.
pub(super) const DISCONNECTED: &[u8] = b"0::";

/// The answer to a handshake.
pub(super) fn handshake(sid: &str) -> String {
    format!("{sid}:60:60:websocket,xhr-polling")
}

/// Does what a packet asks for.
pub(super) fn packet(packet: &[u8], sink: &mut impl Sink) -> Result<Next, &'static str> {
    let mut fields = packet.splitn(4, |byte| *byte == b':');
    let kind = fields.next().unwrap_or_default();
    let id = fields.next().unwrap_or_default();
    let endpoint = fields.next().unwrap_or_default();
    let data = fields.next().unwrap_or_default();
    if !endpoint.is_empty() {
        return Err("a namespace");
    }
    match kind {
        b"0" => {
            sink.packet(&[DISCONNECTED]);
            return Ok(Next::Close);
        }
        // Clients ask so how far the server is.
        b"8" if !id.is_empty() => sink.packet(&[b"6:::", id]),
        // A heartbeat's answer, an ack, and nothing.
        b"2" | b"6" | b"8" => {}
        b"5" => {
            let event = event(data).ok_or("an event that cannot be read")?;
            match (id, id.strip_suffix(b"+")) {
                (b"", _) => answer(event, Dialect::Legacy, sink)?,
                (_, Some(id)) => {
                    let id = Some(id);
                    answer(Event { id, ..event }, Dialect::Legacy, sink)?;
                }
                (id, None) => {
                    sink.packet(&[b"6:::", id]);
                    answer(event, Dialect::Legacy, sink)?;
                }
            }
        }
        _ => return Err("a packet of no known kind"),
    }
    Ok(Next::GoOn)
}

/// Reads `{"name":"…","args":[…]}`, in this order, which is every client's.
fn event(data: &[u8]) -> Option<Event<'_>> {
    let inner = data.trim_ascii().strip_prefix(b"{")?.strip_suffix(b"}")?;
    let behind_name = value_of(inner, b"\"name\"")?.strip_prefix(b"\"")?;
    let (name, rest) = behind_name.split_at(memchr::memchr(b'"', behind_name)?);
    let args = match rest[1..].trim_ascii() {
        b"" => b"",
        more => {
            let list = value_of(more.strip_prefix(b",")?, b"\"args\"")?;
            list.trim_ascii_end()
                .strip_prefix(b"[")?
                .strip_suffix(b"]")?
        }
    };
    let id = None;
    Some(Event { name, args, id })
}

fn value_of<'a>(json: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let behind = json.trim_ascii_start().strip_prefix(key)?;
    let value = behind.trim_ascii_start().strip_prefix(b":")?;
    Some(value.trim_ascii_start())
}

/// The body of an answer to a poll.
pub(super) fn write_payload(packets: &[Vec<u8>]) -> Vec<u8> {
    if let [packet] = packets {
        return packet.clone();
    }
    let mut body = Vec::new();
    for packet in packets {
        body.extend_from_slice(MARK);
        // A vector takes everything.
        _ = write!(body, "{}", super::utf16_length(packet));
        body.extend_from_slice(MARK);
        body.extend_from_slice(packet);
    }
    body
}

/// The packets of a post.
pub(super) fn read_payload(mut body: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    if !body.starts_with(MARK) {
        return Ok(vec![body]);
    }
    let mut packets = Vec::new();
    while !body.is_empty() {
        let rest = body.strip_prefix(MARK).ok_or("a length without its mark")?;
        let end = memchr::memmem::find(rest, MARK).ok_or("a length without an end")?;
        let units = std::str::from_utf8(&rest[..end]).ok();
        let units = units.and_then(|digits| digits.parse().ok());
        let rest = &rest[end + MARK.len()..];
        let end = super::end_of_utf16(rest, units.ok_or("a length that is no number")?);
        let end = end.ok_or("a length that is too large")?;
        packets.push(&rest[..end]);
        body = &rest[end..];
    }
    Ok(packets)
}

#[cfg(test)]
mod tests {
    use super::super::application::Kept;
    use super::*;

    #[test]
    fn what_clients_say_is_answered() {
        for (said, expected) in [
            (
                r#"5:1+::{"name":"message","args":["hello",5]}"#,
                vec![r#"6:::1+["hello",5]"#],
            ),
            (
                r#"5:12+::{"name": "message", "args": ["he:llo", 5]}"#,
                vec![r#"6:::12+["he:llo", 5]"#],
            ),
            (r#"5:3+::{"name":"message"}"#, vec!["6:::3"]),
            (
                r#"5:4::{"name":"message","args":[1]}"#,
                vec!["6:::4", r#"5:::{"name":"message","args":[1]}"#],
            ),
            (
                r#"5:::{"name":"burst","args":[{"count":3,"size":2}]}"#,
                vec!["3 of 2", r#"5:::{"name":"tick-end","args":[3]}"#],
            ),
            ("2::", vec![]),
            ("8:99::", vec!["6:::99"]),
            ("8::", vec![]),
            ("0::", vec!["0::"]),
        ] {
            let mut kept = Kept::default();
            packet(said.as_bytes(), &mut kept).unwrap();
            assert_eq!(kept.0, expected, "{said}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for said in [
            "",
            "9::",
            "5:::",
            "5:::[]",
            "5::/chat:{}",
            r#"5:::{"args":[]}"#,
        ] {
            let next = packet(said.as_bytes(), &mut Kept::default());
            assert!(next.is_err(), "{said:?}: {next:?}");
        }
    }

    #[test]
    fn payloads_are_read_as_they_are_written() {
        for packets in [
            vec![b"2::".to_vec()],
            vec!["5:::é😀".as_bytes().to_vec(), b"2::".to_vec()],
        ] {
            let body = write_payload(&packets);
            assert_eq!(read_payload(&body).unwrap(), packets);
        }
        assert!(read_payload("\u{fffd}9\u{fffd}2::".as_bytes()).is_err());
    }
}
