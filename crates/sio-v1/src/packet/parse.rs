//! The packet grammar.
//!
//! ```text
//! packet    = type [ count "-" ] [ namespace ] [ id ] [ json ]
//! type      = "0" / "1" / "2" / "3" / "4" / "5" / "6"
//! count     = 1*DIGIT                                          ; types 5 and 6: always; others: never
//! namespace = name [ "?" query ] ( "," / end )
//! name      = "/" *( any character but "," and "?" )
//! query     = *( any character but "," )
//! id        = 1*DIGIT                                          ; types 2, 3, 5 and 6 only
//! json      = *( any character )
//! ```
//!
//! The comma behind a namespace is missing from 1.x and python servers where nothing follows.

use bytestring::ByteString;
use nom::Parser;
use nom::bytes::complete::take_till;
use nom::character::complete::{anychar, char, digit0, digit1};
use nom::combinator::{opt, recognize};
use nom::sequence::{preceded, terminated};
use sio_core::codec::grammar::{self, Fault, fail};

use super::{Packet, PacketLimits, PacketType, ROOT};
use crate::error::PacketError;

/// Reads the text of one Socket.IO packet: the data of an Engine.IO message.
///
/// Nothing is copied: namespace, query and data are slices of `text`. The JSON is not looked at.
///
/// # Errors
///
/// Every [`PacketError`] that concerns a single packet's text.
pub fn parse(text: ByteString, limits: &PacketLimits) -> Result<Packet, PacketError> {
    parse_behind("", text, limits)
}

/// Reads the packet that stands behind `prefix` in `text`, which begins with it. Offsets in errors count from there.
#[inline]
pub(super) fn parse_behind(
    prefix: &str,
    text: ByteString,
    limits: &PacketLimits,
) -> Result<Packet, PacketError> {
    let packet = &text[prefix.len()..];
    let (json, head) = head(packet).map_err(|error| describe(error, packet))?;
    if head.attachments > limits.attachments as u64 {
        return Err(PacketError::TooManyAttachments {
            announced: head.attachments,
            limit: limits.attachments,
        });
    }
    let (namespace, query) = match head.namespace {
        Some(Namespace { name, query }) => (
            text.slice_ref(name),
            query.map(|query| text.slice_ref(query)),
        ),
        None => (ByteString::from_static(ROOT), None),
    };
    Ok(Packet {
        packet_type: head.packet_type,
        namespace,
        query,
        id: head.id,
        // Not above the limit, which is a `usize`.
        attachments: head.attachments as usize,
        data: text.slice_ref(json),
    })
}

/// Everything before the JSON.
struct Head<'a> {
    packet_type: PacketType,
    attachments: u64,
    namespace: Option<Namespace<'a>>,
    id: Option<u64>,
}

struct Namespace<'a> {
    name: &'a str,
    query: Option<&'a str>,
}

type Parsed<'a, T> = grammar::Parsed<'a, T, Expected>;

/// `packet = type [ count "-" ] [ namespace ] [ id ] [ json ]`, up to the JSON
fn head(input: &str) -> Parsed<'_, Head<'_>> {
    let (input, packet_type) = packet_type(input)?;
    let (input, attachments) = if packet_type.is_binary() {
        attachments(input)?
    } else {
        (input, 0)
    };
    let (input, namespace) = opt(namespace).parse(input)?;
    let (input, id) = if packet_type.has_id() {
        id(input)?
    } else {
        (input, None)
    };
    let head = Head {
        packet_type,
        attachments,
        namespace,
        id,
    };
    Ok((input, head))
}

/// `type = "0" / "1" / "2" / "3" / "4" / "5" / "6"`
fn packet_type(input: &str) -> Parsed<'_, PacketType> {
    let (rest, digit) = anychar(input)?;
    match PacketType::from_digit(digit) {
        Some(packet_type) => Ok((rest, packet_type)),
        None => fail(input, Expected::Type),
    }
}

/// `attachments = count "-"`, `count = 1*DIGIT`; a count beyond 64 bits becomes the greatest one
fn attachments(input: &str) -> Parsed<'_, u64> {
    let count: Parsed<'_, _> = terminated(digit1, char('-')).parse(input);
    match count {
        Ok((rest, digits)) => Ok((rest, digits.parse().unwrap_or(u64::MAX))),
        Err(_) => fail(input, Expected::AttachmentCount),
    }
}

/// `namespace = name [ "?" query ] ( "," / end )`
fn namespace(input: &str) -> Parsed<'_, Namespace<'_>> {
    let name = recognize(preceded(
        char('/'),
        take_till(|character| character == ',' || character == '?'),
    ));
    let query = preceded(char('?'), take_till(|character| character == ','));
    // What is left begins with a comma or is empty.
    terminated((name, opt(query)), opt(char(',')))
        .map(|(name, query)| Namespace { name, query })
        .parse(input)
}

/// `[ id ]`, `id = 1*DIGIT`
fn id(input: &str) -> Parsed<'_, Option<u64>> {
    let (rest, digits) = digit0(input)?;
    if digits.is_empty() {
        return Ok((rest, None));
    }
    match digits.parse() {
        Ok(id) => Ok((rest, Some(id))),
        Err(_) => fail(
            input,
            Expected::SmallerId {
                digits: digits.len(),
            },
        ),
    }
}

#[derive(Debug, Default)]
enum Expected {
    /// The only parser of nom's own that can fail outside an `opt` is the one that reads the type of empty text.
    #[default]
    Type,
    AttachmentCount,
    SmallerId {
        digits: usize,
    },
}

fn describe(error: nom::Err<Fault<'_, Expected>>, text: &str) -> PacketError {
    let fault = grammar::fault(error);
    let offset = text.len() - fault.rest.len();
    match fault.expected {
        Expected::Type => match fault.rest.chars().next() {
            Some(found) => PacketError::UnknownType { found },
            None => PacketError::Empty,
        },
        Expected::AttachmentCount => PacketError::AttachmentCount { offset },
        Expected::SmallerId { digits } => PacketError::IdTooLarge { offset, digits },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Packet, PacketError> {
        super::parse(ByteString::from_static(text), &PacketLimits::default())
    }

    fn packet(packet_type: PacketType, namespace: &'static str, data: &'static str) -> Packet {
        Packet {
            packet_type,
            namespace: namespace.into(),
            query: None,
            id: None,
            attachments: 0,
            data: data.into(),
        }
    }

    #[test]
    fn connect_and_disconnect_with_and_without_comma() {
        for (digit, packet_type) in [("0", PacketType::Connect), ("1", PacketType::Disconnect)] {
            let read = |rest: &str| {
                super::parse(format!("{digit}{rest}").into(), &PacketLimits::default())
            };
            assert_eq!(read(""), Ok(packet(packet_type, "/", "")));
            assert_eq!(read("/"), Ok(packet(packet_type, "/", "")));
            assert_eq!(read("/chat"), Ok(packet(packet_type, "/chat", "")));
            assert_eq!(read("/chat,"), Ok(packet(packet_type, "/chat", "")));
            let odd = "/my-ns.v2/sub";
            assert_eq!(read(odd), Ok(packet(packet_type, odd, "")));
        }
    }

    #[test]
    fn a_query_ends_at_the_comma_or_the_end() {
        for text in ["0/chat?token=a?b/c&x=1,", "0/chat?token=a?b/c&x=1"] {
            let expected = Packet {
                query: Some("token=a?b/c&x=1".into()),
                ..packet(PacketType::Connect, "/chat", "")
            };
            assert_eq!(parse(text), Ok(expected));
        }
        let refusal = parse("4/chat?t=1,\"Invalid namespace\"").unwrap();
        assert_eq!(refusal.namespace, "/chat");
        assert_eq!(refusal.query.as_deref(), Some("t=1"));
        assert_eq!(refusal.data, "\"Invalid namespace\"");
        assert_eq!(parse("0/chat?,").unwrap().query.as_deref(), Some(""));
    }

    #[test]
    fn events_and_acks() {
        assert_eq!(
            parse("2[\"a,b/c\",\"?\"]"),
            Ok(packet(PacketType::Event, "/", "[\"a,b/c\",\"?\"]"))
        );
        let expected = Packet {
            id: Some(7),
            ..packet(PacketType::Event, "/chat", "[\"ev\"]")
        };
        assert_eq!(parse("2/chat,7[\"ev\"]"), Ok(expected));
        let expected = Packet {
            id: Some(u64::MAX),
            ..packet(PacketType::Ack, "/", "[]")
        };
        assert_eq!(parse("318446744073709551615[]"), Ok(expected));
    }

    #[test]
    fn numbers_in_errors_are_data() {
        assert_eq!(parse("45"), Ok(packet(PacketType::Error, "/", "5")));
        assert_eq!(
            parse("4/chat,5"),
            Ok(packet(PacketType::Error, "/chat", "5"))
        );
    }

    #[test]
    fn binary_packets_announce_attachments() {
        let expected = Packet {
            id: Some(7),
            attachments: 12,
            ..packet(PacketType::BinaryEvent, "/a-b", "[\"x\"]")
        };
        assert_eq!(parse("512-/a-b,7[\"x\"]"), Ok(expected));
        let none = packet(PacketType::BinaryEvent, "/", "[\"x\"]");
        assert_eq!(parse("50-[\"x\"]"), Ok(none));
        let ack = parse("61-7[{\"_placeholder\":true,\"num\":0}]").unwrap();
        assert_eq!((ack.packet_type, ack.id), (PacketType::BinaryAck, Some(7)));
    }

    #[test]
    fn broken_packets_are_refused() {
        assert_eq!(parse(""), Err(PacketError::Empty));
        assert_eq!(parse("7[]"), Err(PacketError::UnknownType { found: '7' }));
        assert_eq!(parse("한"), Err(PacketError::UnknownType { found: '한' }));
        let count = Err(PacketError::AttachmentCount { offset: 1 });
        for text in [
            "5",
            "5[\"x\"]",
            "5-[\"x\"]",
            "51",
            "51[\"x\"]",
            "6x-",
            "5 1-",
        ] {
            assert_eq!(parse(text), count, "{text}");
        }
        assert_eq!(
            parse("2/chat,18446744073709551616[]"),
            Err(PacketError::IdTooLarge {
                offset: 7,
                digits: 20
            })
        );
    }

    #[test]
    fn too_many_attachments_are_refused_before_any_comes() {
        let refused = |announced| {
            Err(PacketError::TooManyAttachments {
                announced,
                limit: 1024,
            })
        };
        assert!(parse("51024-[]").is_ok());
        assert_eq!(parse("51025-[]"), refused(1025));
        assert_eq!(parse("699999999999999999999999-[]"), refused(u64::MAX));
        let none = PacketLimits {
            attachments: 0,
            ..PacketLimits::default()
        };
        assert!(super::parse("50-[]".into(), &none).is_ok());
        assert!(super::parse("51-[]".into(), &none).is_err());
    }
}
