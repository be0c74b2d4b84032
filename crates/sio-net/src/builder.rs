//! Everything a connection can be told before it is made.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytestring::ByteString;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use sio_core::event::Events;
use sio_core::handler::{Handlers, IntoHandler};
use sio_core::session::Session;
use sio_core::{DisconnectReason, Error, Event, Limits, Result, Status, Transport, UsageError};

use crate::client::Client;
use crate::driver::Core;
use crate::options::{Options, countable};
use crate::query;
use crate::space::{Queue, Receiver};
use crate::target::Target;
use crate::tls::Roots;

/// A connection about to be made.
///
/// # The URL
/// `http`, `https`, `ws` and `wss` mean the same with and without the `s`: which transport is used, the
/// [`transports`](Self::transports) say. Without a scheme it is `http`. The **path names the namespace** of the handle
/// that [`connect`](Self::connect) returns, as in the JavaScript client; the HTTP path is an option of its own
/// ([`path`](Self::path)). The query goes with every request. User and password become basic authorization.
///
/// # Defaults
/// the protocol's [`transports`](Self::transports); connect timeout 20 s, upgrade timeout 10 s, close timeout 1.5 s, send
/// timeout 20 s, send buffer 8 MiB, 10,000 emits waiting per namespace; the certificates the operating system trusts.
///
/// Everything is checked in [`connect`](Self::connect), before anything is sent.
#[derive(Debug)]
#[must_use = "nothing happens before `connect`"]
pub struct ClientBuilder<P: Session> {
    url: String,
    path: String,
    query: String,
    headers: HeaderMap,
    transports: Vec<Transport>,
    upgrade: bool,
    memory: Option<UpgradeMemory>,
    timestamps: bool,
    connect_timeout: Duration,
    upgrade_timeout: Duration,
    close_timeout: Duration,
    send_timeout: Duration,
    send_buffer: usize,
    queue_limit: usize,
    keep_open: bool,
    limits: Limits,
    roots: Roots,
    protocol: P::Options,
    handlers: Handlers,
    receivers: Vec<Arc<Queue>>,
    /// The first setting that was wrong.
    wrong: Option<UsageError>,
}

impl<P: Session> ClientBuilder<P> {
    pub(crate) fn new(url: &str) -> Self {
        let mut headers = HeaderMap::new();
        let agent = concat!("sio/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        Self {
            url: url.to_owned(),
            path: "/socket.io".to_owned(),
            query: String::new(),
            headers,
            transports: P::TRANSPORTS.to_vec(),
            upgrade: P::UPGRADES,
            memory: None,
            timestamps: true,
            connect_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_millis(1500),
            send_timeout: Duration::from_secs(20),
            send_buffer: 8 << 20,
            queue_limit: 10_000,
            keep_open: false,
            limits: Limits::default(),
            roots: Roots::default(),
            protocol: P::Options::default(),
            handlers: Handlers::new(),
            receivers: Vec::new(),
            wrong: None,
        }
    }

    // --- what is sent -------------------------------------------------------------------------------------------

    /// The HTTP path of the server, with or without slashes at its ends. Default `/socket.io`.
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Adds a query parameter to every request, percent-encoded; it stands behind the URL's own query.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        query::push(&mut self.query, name, value);
        self
    }

    /// Adds a header to every request, the WebSocket's handshake included. A header given twice is sent twice.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match checked_header(name, value) {
            Ok((header::USER_AGENT, value)) => {
                self.headers.insert(header::USER_AGENT, value);
            }
            Ok((name, value)) => {
                self.headers.append(name, value);
            }
            Err(error) => self.is_wrong(error),
        }
        self
    }

    // --- how it is carried --------------------------------------------------------------------------------------

    /// Which transports to use, in the order of preference.
    ///
    /// 1.x and 2.x: the first connects; from polling the connection upgrades to WebSocket if that is listed too. Default
    /// polling, then WebSocket. 0.9: the first that the server offers is opened; if that fails or stays silent, the
    /// next one, each with a handshake of its own. Default WebSocket, polling, htmlfile, jsonp-polling.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.transports = transports.into_iter().collect();
        self
    }

    /// Whether to upgrade from polling to WebSocket. Default true, where the protocol has it: 0.9 has not.
    pub fn upgrade(mut self, upgrade: bool) -> Self {
        if upgrade {
            self.needs_upgrades();
        }
        self.upgrade = upgrade;
        self
    }

    /// Starts with WebSocket if an upgrade of a connection with the same `memory` worked before.
    pub fn remember_upgrade(mut self, memory: &UpgradeMemory) -> Self {
        self.needs_upgrades();
        self.memory = Some(memory.clone());
        self
    }

    /// Whether polling requests carry a parameter that keeps caches from answering. Default true.
    pub fn timestamps(mut self, timestamps: bool) -> Self {
        self.timestamps = timestamps;
        self
    }

    /// Which certificate authorities are trusted. Default: those of the operating system.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// What only this protocol can be told.
    pub fn protocol(mut self, options: P::Options) -> Self {
        self.protocol = options;
        self
    }

    // --- bounds -------------------------------------------------------------------------------------------------

    /// From the start of [`connect`](Self::connect) until the namespace is usable. Default 20 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the WebSocket of an upgrade may take, before the connection stays on polling. Default 10 s.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.needs_upgrades();
        self.upgrade_timeout = timeout;
        self
    }

    /// How long closing may take with a peer that does not answer. Default 1.5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// How long an emit waits while the peer does not read. Default 20 s.
    pub fn send_timeout(mut self, timeout: Duration) -> Self {
        self.send_timeout = timeout;
        self
    }

    /// How many bytes may be on their way to the peer before emits wait for it. Default 8 MiB.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = bytes;
        self
    }

    /// How many emits may wait in each namespace that is being joined. Default 10,000.
    pub fn queue_limit(mut self, emits: usize) -> Self {
        self.queue_limit = emits;
        self
    }

    /// Bounds on what is received.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether the connection stays when the last namespace was left. Default false.
    pub fn keep_open(mut self, keep_open: bool) -> Self {
        self.keep_open = keep_open;
        self
    }

    // --- receiving ----------------------------------------------------------------------------------------------

    handler_methods!(handlers);

    /// A receiver that sees everything from the first event on: the pull style, without handlers.
    ///
    /// ```no_run
    /// # fn connect<P: sio_core::session::Session>() -> sio_core::Result<()> {
    /// let (builder, events) = sio_net::Client::<P>::builder("http://localhost:3000").events();
    /// let client = builder.connect()?;
    /// for event in events {
    ///     println!("{}", event.name());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn events(mut self) -> (Self, Events) {
        let queue = Arc::new(Queue::default());
        self.receivers.push(Arc::clone(&queue));
        (self, Events::new(Box::new(Receiver(queue))))
    }

    // --- connecting ---------------------------------------------------------------------------------------------

    /// Connects; returns when the namespace is usable: an emit right after it arrives.
    ///
    /// # Errors
    /// [`Error::Usage`] for a setting that cannot work, before anything is sent. [`Error::Refused`] with the server's
    /// own words. [`Error::Http`], [`Error::Protocol`] if what answers is no such server. [`Error::Transport`] if the
    /// network fails. [`Error::Timeout`] if the connection was not usable in time.
    pub fn connect(mut self) -> Result<Client<P>> {
        let memory = self.memory.take();
        let handlers = std::mem::take(&mut self.handlers);
        let receivers = std::mem::take(&mut self.receivers);
        let mut options = self.check()?;
        if let Some(memory) = &memory
            && memory.worked()
            && options.upgrade
            && options.transports.contains(&Transport::WebSocket)
        {
            options.transports = vec![Transport::WebSocket, Transport::Polling];
        }
        let namespace = options.target.namespace.clone();
        let core = Core::start(options)?;
        let space = core.space(&namespace);
        let client = Client::new(core, space);
        client.adopt(match &memory {
            Some(memory) => memory.watch(handlers),
            None => handlers,
        })?;
        for queue in &receivers {
            client.add_receiver(queue);
        }
        match client.open() {
            Ok(()) => Ok(client),
            Err(error) => {
                if let Some(memory) = &memory {
                    memory.forget();
                }
                Err(error)
            }
        }
    }

    fn needs_upgrades(&mut self) {
        if !P::UPGRADES {
            self.is_wrong(UsageError::Unsupported {
                what: "the upgrade of a session",
                instead: "choose with `transports`; a session stays on the transport it opened with",
            });
        }
    }

    fn is_wrong(&mut self, error: UsageError) {
        self.wrong.get_or_insert(error);
    }

    fn check(self) -> Result<Options<P>> {
        if let Some(error) = self.wrong {
            return Err(error.into());
        }
        let target = Target::parse(&self.url)?;
        P::check_namespace(&target.namespace)?;
        let mut transports: Vec<Transport> = Vec::new();
        for transport in self.transports {
            if !transports.contains(&transport) {
                transports.push(transport);
            }
        }
        if transports.is_empty() {
            return Err(option("transports", "name at least one"));
        }
        if let Some(unknown) = transports.iter().find(|one| !P::TRANSPORTS.contains(one)) {
            let known: Vec<String> = P::TRANSPORTS.iter().map(Transport::to_string).collect();
            let known = known.join(", ");
            return Err(option(
                "transports",
                format!("this protocol has no {unknown}; it has {known}"),
            ));
        }
        if self.connect_timeout.is_zero() {
            return Err(option("connect_timeout", "zero leaves no time to connect"));
        }
        let mut headers = self.headers;
        if let Some((user, password)) = &target.userinfo
            && !headers.contains_key(header::AUTHORIZATION)
        {
            headers.insert(header::AUTHORIZATION, basic_auth(user, password)?);
        }
        Ok(Options {
            path: normal_path(&self.path)?,
            query: joined_query(&target.query, &self.query),
            headers,
            transports,
            upgrade: self.upgrade,
            timestamps: self.timestamps,
            connect_timeout: countable(self.connect_timeout),
            upgrade_timeout: countable(self.upgrade_timeout),
            close_timeout: countable(self.close_timeout),
            send_timeout: countable(self.send_timeout),
            send_buffer: self.send_buffer,
            queue_limit: self.queue_limit,
            keep_open: self.keep_open,
            limits: self.limits,
            roots: self.roots,
            protocol: self.protocol,
            target,
        })
    }
}

fn option(option: &'static str, why: impl Into<ByteString>) -> Error {
    UsageError::Option {
        option,
        why: why.into(),
    }
    .into()
}

/// Headers that belong to the requests themselves.
const OWN_HEADERS: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::ACCEPT_ENCODING,
];

fn checked_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), UsageError> {
    let wrong = |why: &dyn Display| UsageError::Header {
        name: name.into(),
        why: why.to_string().into(),
    };
    let parsed: HeaderName = name.parse().map_err(|error| wrong(&error))?;
    if OWN_HEADERS.contains(&parsed) || parsed.as_str().starts_with("sec-websocket-") {
        return Err(wrong(&"the client sets it itself"));
    }
    let value = HeaderValue::from_str(value).map_err(|error| wrong(&error))?;
    Ok((parsed, value))
}

fn basic_auth(user: &str, password: &str) -> Result<HeaderValue> {
    let value = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::try_from(value)
        .map_err(|error| option("the URL's user and password", error.to_string()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The HTTP path from its first to its last slash: servers want the slash before `?`.
fn normal_path(path: &str) -> Result<ByteString> {
    let trimmed = path.trim_matches('/');
    if trimmed.contains(['?', '#', ' ']) || !trimmed.is_ascii() {
        return Err(option(
            "path",
            "it must be a percent-encoded path without query",
        ));
    }
    Ok(if trimmed.is_empty() {
        "/".into()
    } else {
        format!("/{trimmed}/").into()
    })
}

fn joined_query(of_url: &str, of_options: &str) -> ByteString {
    match (of_url, of_options) {
        (query, "") | ("", query) => query.into(),
        (first, second) => format!("{first}&{second}").into(),
    }
}

/// Whether an upgrade to WebSocket worked, for connections that share it; see [`ClientBuilder::remember_upgrade`].
///
/// A connection that fails makes it forget.
#[derive(Debug, Clone, Default)]
pub struct UpgradeMemory(Arc<AtomicBool>);

impl UpgradeMemory {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the next connection starts with WebSocket.
    #[must_use]
    pub fn worked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn forget(&self) {
        self.0.store(false, Ordering::Release);
    }

    fn watch(&self, handlers: Handlers) -> Handlers {
        let memory = self.clone();
        handlers.on_status(move |status| {
            if matches!(status, Status::Upgraded) {
                memory.0.store(true, Ordering::Release);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_end_with_the_slash_servers_want() {
        for path in ["/socket.io", "socket.io", "/socket.io/", "//socket.io//"] {
            assert_eq!(normal_path(path).unwrap(), "/socket.io/");
        }
        assert_eq!(normal_path("/").unwrap(), "/");
        assert_eq!(normal_path("a/b").unwrap(), "/a/b/");
        assert!(normal_path("/a?b").is_err());
    }

    #[test]
    fn headers_are_checked_and_their_values_not_repeated() {
        assert!(checked_header("X-Token", "abc").is_ok());
        let error = checked_header("X-Token", "se\ncret")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("X-Token") && !error.contains("cret"),
            "{error}"
        );
        for own in ["Host", "connection", "Sec-WebSocket-Key", "content-length"] {
            assert!(checked_header(own, "x").is_err(), "{own}");
        }
        assert!(checked_header("bad name", "x").is_err());
    }

    #[test]
    fn the_url_s_query_comes_before_the_options() {
        assert_eq!(joined_query("a=1", "b=2"), "a=1&b=2");
        assert_eq!(joined_query("", "b=2"), "b=2");
        assert_eq!(joined_query("a=1", ""), "a=1");
    }

    #[test]
    fn basic_authorization() {
        let value = basic_auth("Aladdin", "open sesame").unwrap();
        assert_eq!(
            value.to_str().unwrap(),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
    }
}
