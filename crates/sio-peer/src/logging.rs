//! What is logged, and in which spans it stands: whichever thread it was that had something to say; the same in both
//! protocols.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber, span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

use crate::client::watched;
use crate::host::Host;
use crate::lifecycle::builder;
use crate::reconnecting::{is_back, until};
use crate::wait::PATIENCE;
use crate::words::Words;

/// One line of a log.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its level.
    pub level: Level,
    /// The module that has written it.
    pub target: String,
    /// Its message and fields.
    pub text: String,
    /// The spans it stands in with their fields, the outermost first.
    pub spans: Vec<String>,
    /// The thread that has written it.
    pub thread: String,
}

/// Everything that is logged in this process. Clones are the same log.
#[derive(Debug, Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<Line>>>);

impl Lines {
    /// Takes everything down to a level from now on, of all threads.
    ///
    /// # Panics
    /// If somebody else listens already.
    #[must_use]
    pub fn of_process(level: LevelFilter) -> Self {
        let lines = Self::default();
        let subscriber = Registry::default().with(Listener(lines.clone()).with_filter(level));
        tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
        lines
    }

    /// Everything so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Line> {
        self.0.lock().unwrap().clone()
    }
}

struct Listener(Lines);

/// The fields of a span.
struct Fields(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listener {
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut text = Text(attributes.metadata().name().to_owned());
        attributes.record(&mut text);
        let span = context.span(id).expect("a span that is new");
        span.extensions_mut().insert(Fields(text.0));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let scope = context.event_scope(event);
        let spans = scope.into_iter().flat_map(|scope| scope.from_root());
        let spans = spans.map(|span| {
            let extensions = span.extensions();
            extensions
                .get()
                .map_or(String::new(), |Fields(text)| text.clone())
        });
        let line = Line {
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            text: text.0,
            spans: spans.collect(),
            thread: std::thread::current().name().unwrap_or_default().to_owned(),
        };
        self.0.0.lock().unwrap().push(line);
    }
}

/// All fields in one line.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let space = if self.0.is_empty() { "" } else { " " };
        let _ = match field.name() {
            "message" => write!(self.0, "{space}{value:?}"),
            name => write!(self.0, "{space}{name}={value:?}"),
        };
    }
}

/// Two clients, one of which is lost and comes back: every line of them stands in the span of its client, and what is of a
/// session in the span of that. In a process of its own.
pub fn every_line_stands_in_its_spans<W: Words>() {
    let lines = Lines::of_process(LevelFilter::TRACE);
    let hosts = [Host::<W>::new(), Host::<W>::new()];
    let clients = [0, 1].map(|index: usize| {
        let (builder, told) = watched(builder(&hosts[index]));
        let builder = builder
            .on("x", move || tracing::info!(index, "in a handler"))
            .before_attempt(|_| {
                tracing::info!("in the hook");
                Ok(())
            });
        // The span of whoever happens to build it ends with that.
        let _in = tracing::info_span!("program").entered();
        (builder.connect().unwrap(), told)
    });
    for (host, (client, told)) in hosts.iter().zip(clients) {
        let mut told = told;
        client.emit("y", ()).unwrap();
        let () = client.call("y", (), PATIENCE).unwrap();
        host.say(0, &W::event("/", "x"));
        assert_eq!(told.event().0, "x");
        host.cut(0);
        until(&told, is_back);
        client.namespace("/chat").join().unwrap();
        client.close().unwrap();
    }
    let lines = lines.seen();
    let urls = hosts.map(|host| host.url());
    for line in &lines {
        let is_ours = line.target.starts_with("sio_") && !line.target.starts_with("sio_peer");
        if is_ours {
            is_in_its_spans(line, &urls);
        }
        if line.text.contains("in the hook") {
            is_in_its_spans(line, &urls);
            assert_eq!(line.thread, "sio-resolve");
        }
        if line.text.contains("in a handler") {
            let number = 1 + usize::from(line.text.contains("index=1"));
            let client = format!("sio client={number} ");
            assert!(line.spans[0].starts_with(&client), "{line:?}");
            assert_eq!(line.thread, "sio-handlers");
        }
    }
    for (text, level, session) in [
        ("attempt begins attempt=0", Level::DEBUG, 1),
        ("in the hook", Level::INFO, 1),
        ("route found", Level::DEBUG, 1),
        ("opening a WebSocket", Level::DEBUG, 1),
        ("WebSocket open", Level::DEBUG, 1),
        ("handshake done", Level::DEBUG, 1),
        ("session open transport=websocket", Level::DEBUG, 1),
        ("connected namespace=/", Level::DEBUG, 1),
        ("packet sent kind=\"event\"", Level::TRACE, 1),
        ("packet received kind=\"event\"", Level::TRACE, 1),
        ("packet received kind=\"ack\"", Level::TRACE, 1),
        ("session over reason=", Level::DEBUG, 1),
        ("will connect again namespace=/ attempt=1", Level::DEBUG, 1),
        ("attempt begins attempt=1", Level::DEBUG, 2),
        ("session open transport=websocket", Level::DEBUG, 2),
        ("connected namespace=/chat again=false", Level::DEBUG, 2),
        ("session over reason=closed by this client", Level::DEBUG, 2),
    ] {
        for client in 1..=2 {
            let scope = [
                format!("sio client={client} "),
                format!("session n={session}"),
            ];
            let is_it = |line: &&Line| {
                let is_there = |(span, wanted): (&String, &String)| span.starts_with(wanted);
                line.text.contains(text) && line.spans.iter().zip(&scope).all(is_there)
            };
            let found: Vec<&Line> = lines.iter().filter(is_it).collect();
            assert!(!found.is_empty(), "no {text:?} in {scope:?} of {lines:#?}");
            assert!(found.iter().all(|line| line.level == level), "{found:#?}");
        }
    }
    let threads = ["sio-loop", "sio-handlers"];
    for thread in threads {
        let is_there = lines.iter().any(|line| line.thread == thread);
        assert!(is_there, "no line of {thread}");
    }
}

fn is_in_its_spans(line: &Line, urls: &[String]) {
    let is_client = |span: &String| {
        let clients = urls.iter().zip(1..);
        let mut spans = clients.map(|(url, number)| format!("sio client={number} server={url}"));
        spans.any(|wanted| *span == wanted)
    };
    assert!(line.spans.first().is_some_and(is_client), "{line:?}");
    let is_session = |span: &String| span == "session n=1" || span == "session n=2";
    let between = ["not joined", "nobody listens"];
    if !between.iter().any(|text| line.text.contains(text)) {
        assert!(line.spans.get(1).is_some_and(is_session), "{line:?}");
    }
}
