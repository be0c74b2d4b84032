//! The packet grammar.
//!
//! ```text
//! packet   = type ":" [ id ] [ "+" ] ":" endpoint [ ":" data ]
//! type     = "0" / "1" / "2" / "3" / "4" / "5" / "6" / "7" / "8"
//! id       = 1*DIGIT
//! endpoint = *( any character but ":" )
//! data     = *( any character )
//! ack      = id [ "+" ] *( any character )                        ; the data of type 6
//! ```

use bytestring::ByteString;
use nom::Parser;
use nom::bytes::complete::take_till;
use nom::character::complete::{anychar, char, digit0, digit1};
use nom::combinator::{opt, rest};
use nom::sequence::{preceded, terminated};
use sio_core::codec::grammar::{self, Fault, fail};

use super::{AckData, AckMode, Packet, PacketType};
use crate::error::PacketError;

pub(super) fn parse(text: &ByteString) -> Result<Packet, PacketError> {
    let (_, parts) = packet(text).map_err(|error| describe(error, text))?;
    Ok(Packet {
        packet_type: parts.packet_type,
        id: parts.id.map(|id| text.slice_ref(id)),
        ack: parts.ack,
        endpoint: text.slice_ref(parts.endpoint),
        data: parts.data.map(|data| text.slice_ref(data)),
    })
}

pub(super) fn ack_data(data: &ByteString) -> Result<AckData, PacketError> {
    let (args, id) = ack_id(data).map_err(|_| PacketError::AckId {
        found: data.chars().next(),
    })?;
    Ok(AckData {
        id: data.slice_ref(id),
        args: (!args.is_empty()).then(|| data.slice_ref(args)),
    })
}

struct Parts<'a> {
    packet_type: PacketType,
    id: Option<&'a str>,
    ack: AckMode,
    endpoint: &'a str,
    data: Option<&'a str>,
}

type Parsed<'a, T> = grammar::Parsed<'a, T, Expected>;

/// `packet = type ":" [ id ] [ "+" ] ":" endpoint [ ":" data ]`
fn packet(input: &str) -> Parsed<'_, Parts<'_>> {
    let (input, packet_type) = packet_type(input)?;
    let (input, _) = colon(input)?;
    let (input, (id, ack)) = id(input)?;
    let (input, endpoint) = take_till(|character| character == ':').parse(input)?;
    let (input, data) = opt(preceded(char(':'), rest)).parse(input)?;
    let parts = Parts {
        packet_type,
        id,
        ack,
        endpoint,
        data,
    };
    Ok((input, parts))
}

/// `type = "0" / … / "8"`
fn packet_type(input: &str) -> Parsed<'_, PacketType> {
    let (rest, digit) = anychar(input)?;
    match PacketType::from_digit(digit) {
        Some(packet_type) => Ok((rest, packet_type)),
        None => fail(input, Expected::Type),
    }
}

fn colon(input: &str) -> Parsed<'_, char> {
    match char::<_, Fault<'_, Expected>>(':').parse(input) {
        Ok(parsed) => Ok(parsed),
        Err(_) => fail(input, Expected::Colon),
    }
}

/// `[ id ] [ "+" ] ":"`
fn id(input: &str) -> Parsed<'_, (Option<&str>, AckMode)> {
    let (rest, digits) = digit0(input)?;
    let (rest, plus) = opt(char('+')).parse(rest)?;
    let id = (!digits.is_empty()).then_some(digits);
    let ack = match (id, plus) {
        (None, _) => AckMode::None,
        (Some(_), None) => AckMode::Plain,
        (Some(_), Some(_)) => AckMode::Data,
    };
    match char::<_, Fault<'_, Expected>>(':').parse(rest) {
        Ok((rest, _)) => Ok((rest, (id, ack))),
        Err(_) if rest.is_empty() || plus.is_some() => fail(rest, Expected::Colon),
        Err(_) => fail(rest, Expected::Digit),
    }
}

/// `ack = id [ "+" ] *( any character )`, up to what follows
fn ack_id(input: &str) -> Parsed<'_, &str> {
    terminated(digit1, opt(char('+'))).parse(input)
}

#[derive(Debug, Default)]
enum Expected {
    /// The only parser of nom's own whose failure is told is the one that reads the type of empty text.
    #[default]
    Type,
    Colon,
    Digit,
}

fn describe(error: nom::Err<Fault<'_, Expected>>, text: &str) -> PacketError {
    let fault = grammar::fault(error);
    let offset = text.len() - fault.rest.len();
    match (fault.expected, fault.rest.chars().next()) {
        (Expected::Type, None) => PacketError::Empty,
        (Expected::Type, Some(found)) => PacketError::UnknownType { found },
        (Expected::Digit, Some(found)) => PacketError::Id { offset, found },
        (Expected::Colon | Expected::Digit, found) => PacketError::Colon { offset, found },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Packet, PacketError> {
        Packet::parse(ByteString::from_static(text))
    }

    fn packet(
        packet_type: PacketType,
        endpoint: &'static str,
        data: Option<&'static str>,
    ) -> Packet {
        Packet {
            packet_type,
            id: None,
            ack: AckMode::None,
            endpoint: endpoint.into(),
            data: data.map(ByteString::from_static),
        }
    }

    #[test]
    fn every_type_is_read() {
        let types = [
            PacketType::Disconnect,
            PacketType::Connect,
            PacketType::Heartbeat,
            PacketType::Message,
            PacketType::Json,
            PacketType::Event,
            PacketType::Ack,
            PacketType::Error,
            PacketType::Noop,
        ];
        for (digit, packet_type) in types.into_iter().enumerate() {
            let text = ByteString::from(format!("{digit}::"));
            assert_eq!(Packet::parse(text), Ok(packet(packet_type, "", None)));
            assert_eq!(packet_type.digit(), digit.to_string());
        }
    }

    #[test]
    fn only_three_colons_count() {
        let read = |text| {
            let packet = parse(text).unwrap();
            (packet.endpoint.to_string(), packet.data.map(String::from))
        };
        let root = |data: &str| (String::new(), Some(data.to_owned()));
        let chat = |data: Option<&str>| ("/chat".to_owned(), data.map(str::to_owned));
        assert_eq!(read("3::::x"), root(":x"));
        assert_eq!(
            read("3:::a:b::c:::d\n\u{fffd}"),
            root("a:b::c:::d\n\u{fffd}")
        );
        assert_eq!(read("3:::5:::{}"), root("5:::{}"));
        assert_eq!(read("2:::"), root(""));
        assert_eq!(read("1::/chat"), chat(None));
        assert_eq!(read("1::/chat:"), chat(Some("")));
        assert_eq!(read("1::/chat:?k=v"), chat(Some("?k=v")));
    }

    #[test]
    fn ids_are_text_and_may_ask_for_data() {
        let read = |text| {
            let packet = parse(text).unwrap();
            (packet.id.map(String::from), packet.ack)
        };
        let id = |id: &str, ack| (Some(id.to_owned()), ack);
        assert_eq!(read("3:5:"), id("5", AckMode::Plain));
        assert_eq!(read("5:1+:/chat:{}"), id("1", AckMode::Data));
        assert_eq!(read("4:0::1"), id("0", AckMode::Plain));
        let long = "99999999999999999999999";
        assert_eq!(
            read("3:99999999999999999999999+::"),
            id(long, AckMode::Data)
        );
        assert_eq!(read("3:007::"), id("007", AckMode::Plain));
        assert_eq!(read("5:+::{}"), (None, AckMode::None));
    }

    #[test]
    fn nothing_is_copied() {
        let text = ByteString::from("5:12+:/chat:{}".to_owned());
        let packet = Packet::parse(text.clone()).unwrap();
        assert_eq!(packet.id.unwrap().as_ptr(), text[2..].as_ptr());
        assert_eq!(packet.endpoint.as_ptr(), text[6..].as_ptr());
        assert_eq!(packet.data.unwrap().as_ptr(), text[12..].as_ptr());
    }

    #[test]
    fn broken_packets_are_refused() {
        let colon = |offset, found| Err(PacketError::Colon { offset, found });
        assert_eq!(parse(""), Err(PacketError::Empty));
        assert_eq!(parse("9::"), Err(PacketError::UnknownType { found: '9' }));
        assert_eq!(parse("한::"), Err(PacketError::UnknownType { found: '한' }));
        assert_eq!(
            parse("\u{feff}1::").unwrap_err(),
            PacketError::UnknownType { found: '\u{feff}' }
        );
        assert_eq!(parse("1"), colon(1, None));
        assert_eq!(parse("12::"), colon(1, Some('2')));
        assert_eq!(parse("1:"), colon(2, None));
        assert_eq!(parse("1:2"), colon(3, None));
        assert_eq!(parse("1:2+"), colon(4, None));
        assert_eq!(parse("1:2++:"), colon(4, Some('+')));
        assert_eq!(
            parse("1:2a:"),
            Err(PacketError::Id {
                offset: 3,
                found: 'a'
            })
        );
        assert_eq!(
            parse("1:-1:"),
            Err(PacketError::Id {
                offset: 2,
                found: '-'
            })
        );
    }

    #[test]
    fn acks_begin_with_an_id() {
        let read = |data: &'static str| ack_data(&data.into());
        let ack = |id: &'static str, args: Option<&'static str>| {
            Ok(AckData {
                id: id.into(),
                args: args.map(ByteString::from_static),
            })
        };
        assert_eq!(read("1"), ack("1", None));
        assert_eq!(read("1+"), ack("1", None));
        assert_eq!(read("007+[]"), ack("007", Some("[]")));
        assert_eq!(
            read("12+[\"a\u{2028}b+c\"]"),
            ack("12", Some("[\"a\u{2028}b+c\"]"))
        );
        assert_eq!(read("1[2]"), ack("1", Some("[2]")));
        assert_eq!(read(""), Err(PacketError::AckId { found: None }));
        assert_eq!(read("+[]"), Err(PacketError::AckId { found: Some('+') }));
    }
}
