//! Nobody reads a secret who does not sit at the server: whatever is printed, told or logged, of connections that work and
//! of those that fail.

use std::fmt::{self, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sio_core::session::Session;
use sio_net::{Attempt, Client, ClientBuilder};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use crate::client::watched;
use crate::host::Host;
use crate::legs::{Choice, Expected, OF_SERVER, Wire, walk};
use crate::lifecycle::{self, eager};
use crate::peer::{Answer, Peer};
use crate::reconnecting::{is_back, until};
use crate::wait::{background, error_of};
use crate::words::Words;

const PASSWORD: &str = "S3cret-of-password";
/// User `me` with that password, in base64.
const AUTHORIZATION: &str = "Basic bWU6UzNjcmV0LW9mLXBhc3N3b3Jk";
const OF_URL: &str = "S3cret-of-url";
const OF_QUERY: &str = "S3cret-of-query";
const OF_HEADER: &str = "S3cret-of-header";
const OF_COOKIE: &str = "S3cret-of-cookie";
const OF_HOOK: &str = "S3cret-of-hook";
const OF_PAYLOAD: &str = "S3cret-of-payload";

/// How secrets may look: as they are, or as a part of an authorization.
const LOOKS: [&str; 2] = ["S3cret", "UzNjcmV0"];

/// Everything that somebody could read.
#[derive(Debug, Clone, Default)]
struct Readable(Arc<Mutex<Vec<String>>>);

impl Readable {
    fn add(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }

    #[track_caller]
    fn tells_no_secret(&self) {
        for text in &*self.0.lock().unwrap() {
            for look in LOOKS {
                assert!(!text.contains(look), "a secret can be read in: {text}");
            }
        }
    }

    #[track_caller]
    fn tells(&self, words: &str) {
        let all = self.0.lock().unwrap();
        let is_there = all.iter().any(|text| text.contains(words));
        assert!(is_there, "nothing tells {words:?}: {all:?}");
    }
}

/// Connects with secrets in every option, on every leg, talks of secrets, and fails in every way; in a process of its own,
/// for it listens to all that is logged there, down to each packet.
pub fn no_secret_is_told<W: Wire, T: Words>() {
    let readable = Readable::default();
    tracing::subscriber::set_global_default(Listener(readable.clone())).unwrap();
    log::set_boxed_logger(Box::new(Listener(readable.clone()))).unwrap();
    // At the level below, ureq-proto writes all bytes. The guide says so.
    log::set_max_level(log::LevelFilter::Debug);
    assert_eq!(LOOKS.map(|look| OF_SERVER.contains(look)), [true, false]);
    let option = Choice {
        name: "secrets",
        url: |authority| url_at(authority),
        set: |builder, _| with_secrets(builder),
        expect: |_| expected(),
    };
    for way in W::ways() {
        for text in walk::<W>(&way, &option).printed() {
            readable.add(text);
        }
        for text in failures::<W>(way.transports) {
            readable.add(text);
        }
    }
    converse::<T>();
    for words in [
        "attempt begins",
        "route found",
        "session open",
        "session over",
        "connected",
        "packet sent",
        "packet received",
        "something odd was let pass",
        "a handler failed",
        "GET http://127.0.0.1",
    ] {
        readable.tells(words);
    }
    readable.tells_no_secret();
}

fn url_at(authority: &str) -> String {
    format!("http://me:{PASSWORD}@{authority}/?url={OF_URL}")
}

fn with_secrets<P: Session>(builder: ClientBuilder<P>) -> ClientBuilder<P> {
    let builder = builder
        .query("token", OF_QUERY)
        .header("X-Token", OF_HEADER)
        .cookie("given", OF_COOKIE)
        .before_attempt(|attempt| Ok(mark(attempt)?));
    tracing::info!(?builder);
    builder
}

fn mark(attempt: &mut Attempt) -> sio_core::Result<()> {
    attempt.set_query("hook", OF_HOOK);
    attempt.set_header("X-Hook", OF_HOOK)?;
    attempt.set_cookie("hook", OF_HOOK)?;
    tracing::info!(?attempt);
    Ok(())
}

/// Payloads in both directions, such as are good, odd, broken and of the wrong type; a namespace with a query; and a loss.
fn converse<W: Words>() {
    let host = Host::<W>::new();
    let (builder, mut told) = watched(with_secrets(lifecycle::builder(&host)));
    let client = builder.on("x", |_: u32| {}).connect().unwrap();
    client
        .namespace("/chat")
        .query("token", OF_QUERY)
        .join()
        .unwrap();
    for session in 0..2 {
        client.emit("x", OF_PAYLOAD).unwrap();
        let () = client.call("x", OF_PAYLOAD, crate::wait::PATIENCE).unwrap();
        let event = W::text_event("/", "x", OF_PAYLOAD);
        host.say(session, &event);
        assert_eq!(told.text_event().1, OF_PAYLOAD);
        let cut_short = &event[..event.len() - 1];
        for odd in [cut_short, &W::text_event("/unknown", "x", OF_PAYLOAD)] {
            host.say(session, odd);
        }
        host.say(session, &W::event("/", "last"));
        assert_eq!(told.event().0, "last");
        assert!(client.counters().tolerated > 0, "nothing was odd");
        host.cut(session);
        until(&told, is_back);
    }
    client.close().unwrap();
}

fn expected() -> Expected {
    Expected {
        server: 0,
        path: "/socket.io/",
        query: "url=S3cret-of-url&token=S3cret-of-query&hook=S3cret-of-hook",
        headers: vec![
            ("x-token", vec![OF_HEADER]),
            ("x-hook", vec![OF_HOOK]),
            ("authorization", vec![AUTHORIZATION]),
        ],
        cookies: vec![("given", OF_COOKIE), ("hook", OF_HOOK)],
        forgotten: Vec::new(),
    }
}

/// The errors of connections that fail: what they look like to a program.
fn failures<W: Wire>(transports: &'static [sio_core::Transport]) -> Vec<String> {
    let builder = |url: &str| {
        let builder = Client::<W::Protocol>::builder(url);
        let builder = builder.transports(transports.iter().copied());
        with_secrets(builder).connect_timeout(Duration::from_millis(200))
    };
    let mut told = Vec::new();
    let mut fails = |what: &'static str, builder: ClientBuilder<W::Protocol>| {
        let failed = background(what, move || builder.connect()).join();
        let error = error_of(what, failed);
        told.push(format!("{} {error:?}", error.chain()));
    };
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = closed.local_addr().unwrap().to_string();
    drop(closed);
    let retried = eager().retry_initial(true).attempts(2);
    fails("a closed port", builder(&url_at(&authority)));
    fails(
        "a closed port",
        builder(&url_at(&authority)).reconnect(retried),
    );
    let silent = Peer::new();
    let authority = format!("127.0.0.1:{}", silent.port());
    fails("a silent peer", builder(&url_at(&authority)));
    let with_tls = url_at(&authority).replace("http", "https");
    fails("a silent peer, with TLS", builder(&with_tls));
    let nowhere = url_at("no-such-host.invalid");
    fails("a name that does not exist", builder(&nowhere));
    let failing = builder(&url_at(&authority)).before_attempt(|_| Err("no token".into()));
    fails("a hook that fails", failing);
    for status in [302, 401, 403, 404, 500] {
        let peer = Peer::new();
        let authority = format!("127.0.0.1:{}", peer.port());
        let builder = builder(&url_at(&authority)).connect_timeout(crate::wait::PATIENCE);
        let connecting = background("connecting", move || builder.connect());
        let mut peer = peer;
        while let Some(request) = peer.any_within(Duration::from_millis(100)) {
            // As a server does that wants TLS.
            let location = format!("https://me:{PASSWORD}@127.0.0.1{}", request.target);
            let answer = Answer::new(status, "text/plain", b"no").header("Location", &location);
            request.answer(&answer);
        }
        let error = error_of("connecting", connecting.join());
        told.push(format!("{} {error:?}", error.chain()));
    }
    told
}

/// Takes everything that is logged.
struct Listener(Readable);

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut text = Text(span.metadata().name().to_owned());
        span.record(&mut text);
        self.0.add(text.0);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut text = Text(String::new());
        values.record(&mut text);
        self.0.add(text.0);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(event.metadata().target().to_owned());
        event.record(&mut text);
        self.0.add(text.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl log::Log for Listener {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.add(format!("{} {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

/// All fields in one line.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}
