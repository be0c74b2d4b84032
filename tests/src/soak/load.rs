//! The load: exchanges of every kind, each checked at once, and counted on both sides at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use sio_core::{Ack, Encoded, Event, Events, IfOffline, Socket, Value};
use sio_net::{Client, ClientBuilder};

use crate::case::{Failure, Outcome};
use crate::context::PATIENCE;
use crate::protocol::Protocol;
use crate::suites::kit::Sequence;
use crate::{ensure, ensure_eq};

/// The kinds of exchanges.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A question that the server answers with what was sent.
    Echo,
    /// An emit that the server takes note of.
    Note,
    /// An event that the server sends.
    Event,
    /// Several events that the server sends in one breath.
    Burst,
    /// A question of the server, answered by a handler.
    Question,
    /// Several questions under way at a time.
    Several,
    /// A message, which comes back as one.
    Message,
}

/// Twenty exchanges: a second's, by default.
const ROUND: [Kind; 20] = [
    Kind::Echo,
    Kind::Note,
    Kind::Event,
    Kind::Echo,
    Kind::Note,
    Kind::Question,
    Kind::Echo,
    Kind::Note,
    Kind::Echo,
    Kind::Event,
    Kind::Message,
    Kind::Echo,
    Kind::Note,
    Kind::Burst,
    Kind::Echo,
    Kind::Note,
    Kind::Event,
    Kind::Question,
    Kind::Echo,
    Kind::Several,
];

const BURST: u64 = 5;
const SEVERAL: u64 = 3;

/// What an event's packet has around its JSON: WebSocket frame, type, id, namespace.
const FRAMING: u64 = 24;

/// How often handlers were asked by the server. There is one load in a process.
static QUESTIONS: AtomicU64 = AtomicU64::new(0);

/// What a minute brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Minute {
    pub(super) exchanges: u64,
    /// About what was sent.
    pub(super) bytes: u64,
    /// Of the answers to echoes.
    pub(super) median: Duration,
    pub(super) max: Duration,
}

/// Keeps a connection busy.
#[derive(Debug)]
pub(super) struct Load<P: Protocol> {
    root: Place<P>,
    chat: Place<P>,
    number: u64,
    latencies: Vec<Duration>,
    bytes: u64,
    so_far: Minute,
    slowest_median: Duration,
}

/// A namespace with what was sent and came there.
#[derive(Debug)]
struct Place<P: Protocol> {
    socket: Client<P>,
    events: Events,
    /// Events and messages sent.
    sent: u64,
    notes: u64,
    /// Events received, the server's greeting not among them.
    came: u64,
    questions: u64,
}

/// Handlers for the namespaces of the load.
pub(super) fn handlers<P: Protocol>(builder: ClientBuilder<P>) -> ClientBuilder<P> {
    builder.on("question", answer)
}

fn answer((number, text): (u64, String), ack: Ack) -> sio_core::Result<()> {
    QUESTIONS.fetch_add(1, Ordering::Relaxed);
    ack.send((number, text))
}

impl<P: Protocol> Load<P> {
    /// Joins the other namespace.
    pub(super) fn new(client: &Client<P>) -> Outcome<Self> {
        let chat = client.namespace("/chat").on("question", answer).join()?;
        Ok(Self {
            root: Place::new(client.clone()),
            chat: Place::new(chat),
            number: 0,
            latencies: Vec::with_capacity(1 << 16),
            bytes: 0,
            so_far: Minute::default(),
            slowest_median: Duration::ZERO,
        })
    }

    /// One exchange, checked.
    pub(super) fn exchange(&mut self) -> Outcome {
        let number = self.number;
        let rounds = ROUND.len() as u64;
        let kind = ROUND[usize::try_from(number % rounds).unwrap_or_default()];
        // Every fourth round is in the other namespace.
        let place = if number / rounds % 4 == 3 {
            &mut self.chat
        } else {
            &mut self.root
        };
        let sent = match kind {
            Kind::Echo => place.echo(number, &mut self.latencies),
            Kind::Note => place.note(),
            Kind::Event => place.event(number),
            Kind::Burst => place.burst(number),
            Kind::Question => place.question(number),
            Kind::Several => place.several(number),
            Kind::Message => place.message(number),
        };
        let name = place.socket.name();
        let sent = sent.map_err(|failure| format!("{kind:?} {number} in {name}: {failure}"))?;
        self.bytes += sent;
        self.number += 1;
        Ok(())
    }

    /// What happened since the last call.
    pub(super) fn take_minute(&mut self) -> Minute {
        self.latencies.sort_unstable();
        let median = self.latencies.get(self.latencies.len() / 2).copied();
        let minute = Minute {
            exchanges: self.number - self.so_far.exchanges,
            bytes: self.bytes - self.so_far.bytes,
            median: median.unwrap_or_default(),
            max: self.latencies.last().copied().unwrap_or_default(),
        };
        self.latencies.clear();
        self.slowest_median = self.slowest_median.max(minute.median);
        self.so_far = Minute {
            exchanges: self.number,
            bytes: self.bytes,
            median: minute.median,
            max: self.so_far.max.max(minute.max),
        };
        minute
    }

    /// Compares with what the server counted.
    pub(super) fn finish(&mut self) -> Outcome<Totals> {
        for place in [&mut self.root, &mut self.chat] {
            place.compare()?;
        }
        let asked = self.root.questions + self.chat.questions;
        ensure_eq!(
            QUESTIONS.load(Ordering::Relaxed),
            asked,
            "the server's questions that handlers saw"
        );
        Ok(Totals {
            exchanges: self.number,
            sent: self.root.sent + self.chat.sent,
            came: self.root.came + self.chat.came,
            questions: asked,
            bytes: self.bytes,
            median: self.slowest_median,
            max: self.so_far.max,
        })
    }
}

impl<P: Protocol> Place<P> {
    fn new(socket: Client<P>) -> Self {
        Self {
            events: socket.events(),
            socket,
            sent: 0,
            notes: 0,
            came: 0,
            questions: 0,
        }
    }

    fn encode<T: Serialize>(&mut self, event: &str, args: T) -> Outcome<(Encoded, u64)> {
        self.sent += 1;
        let payload = Encoded::event(event, &args).map_err(|error| error.to_string())?;
        let attached: usize = payload.attachments().map(<[u8]>::len).sum();
        let bytes = payload.json().len() + attached;
        Ok((payload, bytes as u64 + FRAMING))
    }

    fn call<T: Serialize>(&mut self, event: &str, args: T) -> Outcome<(Vec<Value>, u64)> {
        let (payload, bytes) = self.encode(event, args)?;
        let answer = self.socket.call_encoded(event, payload, PATIENCE)?;
        let values = answer.to_values().map_err(|error| error.to_string())?;
        Ok((values, bytes))
    }

    fn emit<T: Serialize>(&mut self, event: &str, args: T) -> Outcome<u64> {
        let (payload, bytes) = self.encode(event, args)?;
        self.socket.emit_encoded(event, payload, IfOffline::Wait)?;
        Ok(bytes)
    }

    /// The next event, which has to be of this name.
    fn next(&mut self, name: &str) -> Outcome<Event> {
        loop {
            let event = self.events.recv_timeout(PATIENCE);
            let event = event.map_err(|error| format!("waited for the event {name:?}: {error}"))?;
            if event.name().starts_with("welcome") {
                continue;
            }
            self.came += 1;
            ensure_eq!(event.name(), name, "the next event");
            return Ok(event);
        }
    }

    fn echo(&mut self, number: u64, latencies: &mut Vec<Duration>) -> Outcome<u64> {
        let text = text(number, size(number));
        let begin = Instant::now();
        let (values, bytes) = if P::HAS_BYTES && number.is_multiple_of(7) {
            let data = Bytes::from(text.clone().into_bytes());
            let (mut values, bytes) = self.call("echo", (number, &text, Value::from(data)))?;
            let back = values.pop().unwrap_or_default();
            ensure!(
                back.as_bytes()
                    .is_some_and(|back| **back == *text.as_bytes()),
                "the bytes came back changed: {back:?}"
            );
            (values, bytes)
        } else {
            self.call("echo", (number, &text))?
        };
        latencies.push(begin.elapsed());
        same(&values, number, &text)?;
        Ok(bytes)
    }

    fn note(&mut self) -> Outcome<u64> {
        let index = self.notes;
        self.notes += 1;
        self.emit("seq", (0, index))
    }

    fn event(&mut self, number: u64) -> Outcome<u64> {
        let text = text(number, size(number) / 2);
        let bytes = self.emit("emit", ("news", number, &text))?;
        let event = self.next("news")?;
        same(&event.values()?, number, &text)?;
        Ok(bytes)
    }

    fn burst(&mut self, number: u64) -> Outcome<u64> {
        let size = size(number);
        let options = serde_json::json!({ "count": BURST, "size": size });
        let bytes = self.emit("burst", options)?;
        for index in 0..BURST {
            let (tick, payload): (u64, String) = self.next("tick")?.decode()?;
            ensure_eq!(tick, index, "the number of a tick");
            ensure!(
                payload.len() == size && payload.bytes().all(|byte| byte == b'x'),
                "tick {index} came with {payload:?} instead of {size} times x"
            );
        }
        let count: u64 = self.next("tick-end")?.decode()?;
        ensure_eq!(count, BURST, "the ticks the server sent");
        Ok(bytes)
    }

    fn question(&mut self, number: u64) -> Outcome<u64> {
        self.questions += 1;
        let text = text(number, 40);
        let (values, bytes) = self.call("ask", ("question", number, &text))?;
        same(&values, number, &text)?;
        // The receiver saw the question too.
        let asked = self.next("question")?.values()?;
        same(&asked, number, &text)?;
        Ok(2 * bytes)
    }

    fn several(&mut self, number: u64) -> Outcome<u64> {
        let (sender, answers) = mpsc::channel();
        let mut sum = 0;
        for index in 0..SEVERAL {
            let (payload, bytes) = self.encode("echo", (index, text(number + index, 30)))?;
            sum += bytes;
            let sender = sender.clone();
            let then = move |outcome: sio_core::Result<sio_core::Args>| {
                // Nobody listens any more once the run has failed.
                drop(sender.send(outcome));
            };
            self.socket
                .ask_encoded("echo", payload, PATIENCE, Box::new(then))?;
        }
        for index in 0..SEVERAL {
            let answer = answers
                .recv_timeout(2 * PATIENCE)
                .map_err(|_| Failure::from("a callback had no outcome at all"))??;
            let values = answer.to_values().map_err(|error| error.to_string())?;
            same(&values, index, &text(number + index, 30))?;
        }
        Ok(sum)
    }

    fn message(&mut self, number: u64) -> Outcome<u64> {
        let text = format!("{number} {}", text(number, 60));
        self.sent += 1;
        self.socket.send(&text)?;
        let back: String = self.next("message")?.decode()?;
        ensure_eq!(back, text, "the message that came back");
        Ok(text.len() as u64 + FRAMING)
    }

    fn compare(&mut self) -> Outcome {
        let name = self.socket.name().to_owned();
        let before = self.sent;
        let (values, _) = self.call("count", ())?;
        ensure_eq!(
            values,
            [Value::from(before)],
            "events the server received in {name}"
        );
        let noted: BTreeMap<String, Sequence> = self.socket.call("seq-report", (), PATIENCE)?;
        let notes = usize::try_from(self.notes).unwrap_or_default();
        let complete = (notes > 0).then(|| ("0".to_owned(), Sequence::complete(notes)));
        ensure_eq!(
            noted,
            complete.into_iter().collect(),
            "what the server noted in {name}"
        );
        if let Ok(event) = self.events.try_recv() {
            return Err(format!("one event too many in {name}: {event:?}").into());
        }
        Ok(())
    }
}

/// The values of an answer or event are these.
fn same(values: &[Value], number: u64, text: &str) -> Outcome {
    let expected = [Value::from(number), Value::from(text)];
    ensure_eq!(values, expected, "what came back");
    Ok(())
}

/// Mostly short, now and then up to 4 kB. The same number has the same size.
fn size(number: u64) -> usize {
    let random = mix(number);
    let within = |least: u64, most: u64| least + (random >> 8) % (most - least);
    let size = match random % 100 {
        0 => within(1000, 4000),
        1..=8 => within(100, 600),
        _ => within(10, 100),
    };
    usize::try_from(size).unwrap_or_default()
}

/// A text of about so many bytes; one in four is not ASCII.
fn text(number: u64, size: usize) -> String {
    const ALPHABETS: [&str; 4] = [
        "abcdefghijklmnopqrstuvwxyz 0123456789",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ.,:;!?+-*/",
        "{\"name\":\"x\",\"args\":[1,2]}\\\n\t5:1+::6:::",
        "àéîõü ÀÉ 한글 漢字かな 😀👩‍👧 \u{2028}\u{fffd} עברית",
    ];
    let random = mix(!number);
    let alphabet = ALPHABETS[usize::try_from(random % 4).unwrap_or_default()];
    let skip = usize::try_from(random >> 8 & 31).unwrap_or_default();
    let mut text = String::with_capacity(size + 8);
    for letter in alphabet.chars().cycle().skip(skip) {
        if text.len() >= size {
            break;
        }
        text.push(letter);
    }
    text
}

/// Spreads a number over all bits, always in the same way (splitmix64).
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// All of it.
#[derive(Debug)]
pub(super) struct Totals {
    exchanges: u64,
    sent: u64,
    came: u64,
    questions: u64,
    bytes: u64,
    median: Duration,
    max: Duration,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} exchanges: {} events sent (about {:.1} MB), {} received, {} questions of the server answered; \
             answers after {:.2} ms (the slowest minute's median), {:.2} ms at most",
            self.exchanges,
            self.sent,
            self.bytes as f64 / 1e6,
            self.came,
            self.questions,
            self.median.as_secs_f64() * 1000.0,
            self.max.as_secs_f64() * 1000.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_the_default_load_stays_far_below_a_server_s_budget() {
        let mut bytes = 0;
        for number in 0..20 * 3600 {
            let text = match ROUND[number as usize % ROUND.len()] {
                Kind::Echo => text(number, size(number)),
                Kind::Event => text(number, size(number) / 2),
                _ => text(number, 60),
            };
            let encoded = Encoded::event("echo", &(number, text)).unwrap();
            bytes += encoded.json().len() as u64 + FRAMING;
        }
        assert!(bytes < 15_000_000, "{bytes}");
    }

    #[test]
    fn sizes_are_mostly_small_and_reach_4_kb() {
        let sizes: Vec<usize> = (0..10_000).map(size).collect();
        assert!(sizes.iter().all(|size| (10..4000).contains(size)));
        assert!(sizes.iter().filter(|size| **size < 100).count() > 8000);
        assert!(sizes.iter().any(|size| *size > 3900));
    }
}
