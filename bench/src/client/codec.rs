//! From the text of a frame to a typed value and back, without a server.
//!
//! | rows | what is timed | what the limit does |
//! | --- | --- | --- |
//! | `decode_event` | 1.x: `Assembler::frame`, `Args::event`, `Event::decode`; 0.9: `Packet::parse`, `read_event`, `Event::decode` | serde_json reads the same array, the name as `&str` |
//! | `encode_event` | `Encoded::event` and 1.x: `Header::into_frames`, 0.9: `write::event` | serde_json writes the same array |
//! | `…_large_event` | the same, with 1 KiB of nested structs | the same |
//! | `…_odd_text` | the same, with characters beyond ASCII and such that need escapes | the same |
//! | `…_64_bytes`, `…_1_mib` | the same with an attachment, and its own frame | serde_json with a placeholder, and a copy of the bytes |
//! | `decode_payload` | 1.x: `payload::decode` of text, 0.9 the same: 100 packets, given as text | a copy of the body |
//! | `decode_binary_payload` | 1.x: the same of the binary framing | a copy of the body |
//! | `encode_payload` | 1.x: `payload::encode_frames` (binary, which is all we post), 0.9: `payload::encode` | a copy of the body |
//!
//! Other clients have the small event and the payload of it; the rest is for `cargo bench -p sio-bench`.

use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use sio_core::{Ack, Args, Encoded, Event};

use crate::measure::Stopwatch;
use crate::work::{Line, Task};

/// Whose codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// `sio-v1`.
    V1,
    /// `sio-legacy`.
    Legacy,
    /// serde_json alone, or a copy.
    Limit,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V1, Self::Legacy, Self::Limit];

    /// Its name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::Legacy => "legacy",
            Self::Limit => "limit",
        }
    }
}

/// One thing that is measured.
pub struct Row {
    /// Its name in results.
    pub name: &'static str,
    /// Does it so many times.
    pub run: Box<dyn FnMut(u64)>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How many events a payload holds.
pub const EVENTS: usize = 100;

/// The rows that other clients have, too, and how many events are in each.
const COMMON: [(&str, usize); 4] = [
    ("decode_event", 1),
    ("encode_event", 1),
    ("decode_payload", EVENTS),
    ("encode_payload", EVENTS),
];

/// Does the rows that other clients have, too, as many times as the task says; with a payload a hundredth of that.
#[must_use]
pub fn run(codec: Codec, task: &Task) -> Line {
    let times = |count: usize, events: usize| count.div_ceil(events) as u64;
    let mut measured = BTreeMap::new();
    for mut row in rows(codec) {
        let Some((_, events)) = COMMON.into_iter().find(|(name, _)| *name == row.name) else {
            continue;
        };
        (row.run)(times(task.warm_up(), events));
        let rounds = times(task.count, events);
        let stopwatch = Stopwatch::start();
        (row.run)(rounds);
        let nanoseconds = stopwatch.took().wall.as_secs_f64() * 1e9 / rounds as f64;
        measured.insert(row.name.to_owned(), nanoseconds);
    }
    Line::Codec {
        work: task.work,
        rows: measured,
    }
}

/// All that this codec can do.
#[must_use]
pub fn rows(codec: Codec) -> Vec<Row> {
    let mut rows = Vec::new();
    event(
        &mut rows,
        codec,
        ["decode_event", "encode_event"],
        Chat::small(),
    );
    event(
        &mut rows,
        codec,
        ["decode_large_event", "encode_large_event"],
        Order::large(),
    );
    event(
        &mut rows,
        codec,
        ["decode_odd_text", "encode_odd_text"],
        ODD_TEXT.to_owned(),
    );
    if codec != Codec::Legacy {
        attachment(&mut rows, codec, ["decode_64_bytes", "encode_64_bytes"], 64);
        attachment(&mut rows, codec, ["decode_1_mib", "encode_1_mib"], 1 << 20);
    }
    payload(&mut rows, codec);
    rows
}

/// A small event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    id: u32,
    user: String,
    text: String,
}

impl Chat {
    fn small() -> Self {
        Self {
            id: 7,
            user: "ann".to_owned(),
            text: "hello there".to_owned(),
        }
    }
}

/// An event of about 1 KiB, nested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    number: u64,
    paid: bool,
    customer: Customer,
    items: Vec<Item>,
    note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Customer {
    name: String,
    email: String,
    address: [String; 3],
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Item {
    sku: String,
    title: String,
    count: u32,
    price: f64,
}

impl Order {
    fn large() -> Self {
        Self {
            number: 20_261_123_001,
            paid: true,
            customer: Customer {
                name: "Ann Example".to_owned(),
                email: "ann@example.com".to_owned(),
                address: [
                    "1 Main Street".into(),
                    "12345 Springfield".into(),
                    "XY".into(),
                ],
            },
            items: (0..10)
                .map(|index| Item {
                    sku: format!("A-{index:05}"),
                    title: "A thing with a title".to_owned(),
                    count: index + 1,
                    price: 9.99 + f64::from(index),
                })
                .collect(),
            note: Some("leave it at the door".to_owned()),
        }
    }
}

/// Characters beyond ASCII, and such as JSON escapes.
const ODD_TEXT: &str = "Grüße, \"日本\"\n\tpath\\to\\file 😀 ünd so wéiter, \"ja\"";

/// The event's name.
const NAME: &str = "message";

fn row(rows: &mut Vec<Row>, name: &'static str, mut once: impl FnMut() + 'static) {
    let run = Box::new(move |rounds| {
        for _ in 0..rounds {
            once();
        }
    });
    rows.push(Row { name, run });
}

/// Decode and encode of an event with one argument.
fn event<T>(rows: &mut Vec<Row>, codec: Codec, [decode, encode]: [&'static str; 2], value: T)
where
    T: Serialize + DeserializeOwned + PartialEq + fmt::Debug + 'static,
{
    match codec {
        Codec::V1 => {
            let frame = v1::encode(&value);
            let mut assembler = v1::assembler();
            assert_eq!(v1::decode::<T>(&mut assembler, frame.clone()), value);
            row(rows, decode, move || {
                black_box(v1::decode::<T>(&mut assembler, black_box(&frame).clone()));
            });
            row(rows, encode, move || {
                black_box(v1::encode(black_box(&value)));
            });
        }
        Codec::Legacy => {
            let frame = legacy::encode(&value);
            assert_eq!(legacy::decode::<T>(frame.clone()), value);
            row(rows, decode, move || {
                black_box(legacy::decode::<T>(black_box(&frame).clone()));
            });
            row(rows, encode, move || {
                black_box(legacy::encode(black_box(&value)));
            });
        }
        Codec::Limit => {
            let json = limit::encode(&value);
            assert_eq!(limit::decode::<T>(&json), value);
            row(rows, decode, move || {
                black_box(limit::decode::<T>(black_box(&json)));
            });
            row(rows, encode, move || {
                black_box(limit::encode(black_box(&value)));
            });
        }
    }
}

/// Decode and encode of an event with bytes.
fn attachment(rows: &mut Vec<Row>, codec: Codec, [decode, encode]: [&'static str; 2], size: usize) {
    let value = Bytes::from(vec![b'x'; size]);
    if codec == Codec::Limit {
        let json = limit::encode(&Placeholder {
            _placeholder: true,
            num: 0,
        });
        let copied = value.clone();
        row(rows, decode, move || {
            black_box(limit::decode::<IgnoredAny>(black_box(&json)));
            black_box(Bytes::copy_from_slice(black_box(&copied)));
        });
        row(rows, encode, move || {
            black_box(limit::encode(black_box(&Placeholder {
                _placeholder: true,
                num: 0,
            })));
            black_box(Bytes::copy_from_slice(black_box(&value)));
        });
    } else {
        let frames = v1::encode_bytes(&value);
        assert_eq!(v1::decode_bytes(frames.clone()), value);
        row(rows, decode, move || {
            black_box(v1::decode_bytes(black_box(&frames).clone()));
        });
        row(rows, encode, move || {
            black_box(v1::encode_bytes(black_box(&value)));
        });
    }
}

#[derive(Serialize, Deserialize)]
struct Placeholder {
    _placeholder: bool,
    num: u32,
}

/// The framing of a polling payload. Nothing is read of the packets but their types.
fn payload(rows: &mut Vec<Row>, codec: Codec) {
    let args = Chat::small();
    match codec {
        Codec::V1 => {
            let frames = vec![v1::encode(&args); EVENTS];
            let text: String = frames
                .iter()
                .map(|frame| format!("{}:{frame}", frame.len()))
                .collect();
            let text = Bytes::from(text);
            let frames: Vec<_> = frames
                .into_iter()
                .map(sio_v1::engine::packet::Frame::Text)
                .collect();
            let binary = v1::encode_payload(&frames);
            row(rows, "decode_payload", move || {
                assert_eq!(v1::decode_payload(None, black_box(&text)), EVENTS);
            });
            row(rows, "encode_payload", move || {
                black_box(v1::encode_payload(black_box(&frames)));
            });
            row(rows, "decode_binary_payload", move || {
                let kind = Some("application/octet-stream");
                assert_eq!(v1::decode_payload(kind, black_box(&binary)), EVENTS);
            });
        }
        Codec::Legacy => {
            let packets = vec![legacy::encode(&args); EVENTS];
            let body = ByteString::from(legacy::encode_payload(&packets));
            row(rows, "decode_payload", move || {
                assert_eq!(legacy::decode_payload(black_box(&body)), EVENTS);
            });
            row(rows, "encode_payload", move || {
                black_box(legacy::encode_payload(black_box(&packets)));
            });
        }
        Codec::Limit => {
            let body = vec![b'x'; EVENTS * (limit::encode(&args).len() + 5)];
            for name in ["decode_payload", "encode_payload", "decode_binary_payload"] {
                let from = body.clone();
                let mut to = body.clone();
                row(rows, name, move || {
                    black_box(&mut to).copy_from_slice(black_box(&from));
                });
            }
        }
    }
}

/// The event as a handler sees it, read as it reads it.
fn typed<T: DeserializeOwned>(namespace: ByteString, name: ByteString, args: Args) -> T {
    let event = Event::new(namespace, name, args, Ack::unwanted());
    assert_eq!(event.name(), NAME);
    event.decode().expect("it has this type")
}

mod v1 {
    use super::*;
    use sio_v1::engine::packet::{EnginePacket, Frame};
    use sio_v1::engine::payload;
    use sio_v1::packet::{Assembled, Assembler, PacketLimits, write};

    pub(super) fn assembler() -> Assembler {
        Assembler::new(PacketLimits::default())
    }

    pub(super) fn decode<T: DeserializeOwned>(assembler: &mut Assembler, frame: ByteString) -> T {
        event(message(assembler, frame).expect("a whole packet"))
    }

    fn message(assembler: &mut Assembler, frame: ByteString) -> Option<Assembled> {
        assert!(sio_v1::packet::is_message_frame(&frame));
        assembler.frame(frame).expect("a packet")
    }

    fn event<T: DeserializeOwned>(assembled: Assembled) -> T {
        let Assembled {
            packet,
            attachments,
        } = assembled;
        let (name, args) = Args::event(packet.data, attachments).expect("an event");
        typed(packet.namespace, name, args)
    }

    pub(super) fn encode<T: Serialize>(args: &T) -> ByteString {
        let payload = Encoded::event(NAME, args).expect("it can be written");
        write::event("/", None).into_frames(payload).0
    }

    pub(super) fn encode_bytes(args: &Bytes) -> (ByteString, Bytes) {
        let payload = Encoded::event(NAME, args).expect("it can be written");
        let (text, mut attachments) = write::event("/", None).into_frames(payload);
        (text, attachments.next().expect("one attachment"))
    }

    pub(super) fn decode_bytes((text, bytes): (ByteString, Bytes)) -> Bytes {
        let mut assembler = Assembler::new(PacketLimits::default());
        assert!(message(&mut assembler, text).is_none());
        match EnginePacket::decode_binary(bytes) {
            Ok(EnginePacket::Binary(bytes)) => {
                let assembled = assembler
                    .binary(bytes)
                    .expect("a packet")
                    .expect("it was the last");
                let Assembled {
                    packet,
                    attachments,
                } = assembled;
                let (name, args) = Args::event(packet.data, attachments).expect("an event");
                args.validate().expect("placeholders");
                typed(packet.namespace, name, args)
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn encode_payload(frames: &[Frame]) -> Bytes {
        payload::encode_frames(frames)
    }

    pub(super) fn decode_payload(content_type: Option<&str>, body: &Bytes) -> usize {
        payload::decode(
            content_type,
            body.clone(),
            &payload::PayloadLimits::default(),
        )
        .filter(|packet| black_box(packet).is_ok())
        .count()
    }
}

mod legacy {
    use super::*;
    use sio_legacy::packet::{Packet, read_event, write};
    use sio_legacy::payload;

    pub(super) fn decode<T: DeserializeOwned>(frame: ByteString) -> T {
        let packet = Packet::parse(frame).expect("a packet");
        let (name, args) = read_event(&packet.data.expect("it has data")).expect("an event");
        typed(packet.endpoint, name, args)
    }

    pub(super) fn encode<T: Serialize>(args: &T) -> ByteString {
        let payload = Encoded::event(NAME, args).expect("it can be written");
        let name = payload.name_json().expect("it has a name");
        write::event(None, "", name, payload.arguments_json())
    }

    pub(super) fn encode_payload(packets: &[ByteString]) -> String {
        payload::encode(packets.iter().map(|packet| &**packet))
    }

    pub(super) fn decode_payload(body: &ByteString) -> usize {
        payload::decode(body, &payload::PayloadLimits::default())
            .filter(|packet| black_box(packet).is_ok())
            .count()
    }
}

mod limit {
    use super::*;

    pub(super) fn decode<T: DeserializeOwned>(json: &str) -> T {
        let (name, value): (&str, T) = serde_json::from_str(json).expect("it has this type");
        assert_eq!(name, NAME);
        value
    }

    pub(super) fn encode<T: Serialize>(value: &T) -> String {
        serde_json::to_string(&(NAME, value)).expect("it can be written")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::Work;

    #[test]
    fn every_row_can_be_done_and_has_its_limit() {
        let names = |codec| {
            rows(codec).into_iter().map(|mut row| {
                (row.run)(2);
                row.name
            })
        };
        let limits: Vec<_> = names(Codec::Limit).collect();
        assert!(names(Codec::V1).eq(limits.iter().copied()));
        assert!(names(Codec::Legacy).all(|name| limits.contains(&name)));
    }

    #[test]
    fn the_work_has_the_rows_of_the_contract() {
        let task = Task {
            work: Work::Codec,
            url: "-".to_owned(),
            count: 200,
            extra: 0,
        };
        for codec in Codec::ALL {
            let Line::Codec { rows, .. } = run(codec, &task) else {
                panic!("{codec:?}");
            };
            assert_eq!(rows.len(), COMMON.len(), "{codec:?}: {rows:?}");
            for (name, _) in COMMON {
                assert!(rows[name] > 0.0, "{codec:?}: {name}");
            }
        }
    }
}
