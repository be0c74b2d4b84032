//! Everything a connection can be told before it is made.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use http::{HeaderMap, HeaderValue, header};
use sio_core::event::Events;
use sio_core::handler::{Handlers, IntoHandler};
use sio_core::manager::countable;
use sio_core::session::Session;
use sio_core::{
    Bounds, DisconnectReason, Error, Event, Limits, Reconnect, Result, Status, Transport,
    UsageError,
};

use crate::client::Client;
use crate::driver::Core;
use crate::endpoint::{Attempt, Endpoint, Hook, RequestParts};
use crate::event_loop::EventLoop;
use crate::options::Options;
use crate::proxy::Proxy;
use crate::query;
use crate::space::{Queue, Receiver};
use crate::target::Target;
use crate::tls::{Connector, Tls};
use crate::wire_log::WireLog;

/// A connection about to be made.
///
/// # The URL
/// `http`, `https`, `ws` and `wss` mean the same with and without the `s`: which transport is used, the
/// [`transports`](Self::transports) say. Without a scheme it is `http`. The **path names the namespace** of the handle
/// that [`connect`](Self::connect) returns, as in the JavaScript client; the HTTP path is an option of its own
/// ([`path`](Self::path)). The query goes with every request. User and password become basic authorization.
///
/// # What goes on which leg
/// The legs are the handshake, polls, posts, the WebSocket, the WebSocket of an upgrade, and all of them again after a loss.
///
/// | option | on which leg |
/// | --- | --- |
/// | [`header`](Self::header), [`user_agent`](Self::user_agent), [`origin`](Self::origin), [`basic_auth`](Self::basic_auth), user and password of the URL | every request |
/// | [`cookie`](Self::cookie), and what servers set | every request that their domain, path and `Secure` allow |
/// | [`query`](Self::query), the URL's query | every request of 1.x and later. 0.9 servers look at it in the handshake only, but have it on all |
/// | [`path`](Self::path) | every request |
/// | [`tls`](Self::tls), [`proxy`](Self::proxy) | every connection. Headers and cookies are never shown to a proxy that only makes a tunnel |
/// | what [`before_attempt`](Self::before_attempt) changes | every leg of that attempt and of its session |
///
/// # Defaults
/// the protocol's [`transports`](Self::transports); connect timeout 20 s, upgrade timeout 10 s, close timeout 1.5 s, send
/// timeout 20 s, send buffer 8 MiB; [reconnection](Self::reconnect) for ever; 10,000 emits with 64 MiB waiting in each
/// namespace that is not connected, 100,000 events with 256 MiB waiting for the handlers and for each receiver; the
/// certificates the operating system trusts; the proxy the environment names.
///
/// Everything is checked in [`connect`](Self::connect) or [`build`](Self::build), before anything is sent.
#[must_use = "nothing happens before `connect`"]
pub struct ClientBuilder<P: Session> {
    url: String,
    path: String,
    parts: RequestParts,
    /// What the program named; the protocol's own if it named none.
    transports: Option<Vec<Transport>>,
    /// What the program chose.
    upgrade: Option<bool>,
    memory: Option<UpgradeMemory>,
    timestamps: bool,
    connect_timeout: Duration,
    handshake_timeout: Option<Duration>,
    upgrade_timeout: Duration,
    close_timeout: Duration,
    send_timeout: Duration,
    send_buffer: usize,
    reconnect: Reconnect,
    before_attempt: Arc<Hook>,
    queue: Bounds,
    manual_flush: bool,
    inbox: Bounds,
    keep_open: bool,
    limits: Limits,
    tls: Option<Tls>,
    proxy: Proxy,
    protocol: P::Options,
    wire_log: Option<WireLog>,
    event_loop: Option<EventLoop>,
    handlers: Handlers,
    receivers: Vec<Arc<Queue>>,
    /// The first setting that was wrong.
    wrong: Option<UsageError>,
}

impl<P: Session> ClientBuilder<P> {
    pub(crate) fn new(url: &str) -> Self {
        let mut parts = RequestParts::default();
        // Few programs have headers of their own, and each connection keeps these.
        parts.headers = HeaderMap::with_capacity(1);
        let agent = concat!("sio/", env!("CARGO_PKG_VERSION"));
        let agent = HeaderValue::from_static(agent);
        parts.headers.insert(header::USER_AGENT, agent);
        Self {
            url: url.to_owned(),
            path: "/socket.io".to_owned(),
            parts,
            transports: None,
            upgrade: None,
            memory: None,
            timestamps: true,
            connect_timeout: Duration::from_secs(20),
            handshake_timeout: None,
            upgrade_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_millis(1500),
            send_timeout: Duration::from_secs(20),
            send_buffer: 8 << 20,
            reconnect: Reconnect::default(),
            before_attempt: Arc::default(),
            queue: Bounds::default(),
            manual_flush: false,
            inbox: Bounds::inbox(),
            keep_open: false,
            limits: Limits::default(),
            tls: None,
            proxy: Proxy::default(),
            protocol: P::Options::default(),
            wire_log: None,
            event_loop: None,
            handlers: Handlers::new(),
            receivers: Vec::new(),
            wrong: None,
        }
    }

    // --- what is sent -------------------------------------------------------------------------------------------

    /// The HTTP path of the server, with or without slashes at its ends. Default `/socket.io`. 0.9 calls it the resource.
    #[doc(alias = "resource")]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Adds a query parameter to every request, percent-encoded; it stands behind the URL's own query.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        query::push(&mut self.parts.query, name, value);
        self
    }

    /// Adds a header to every request, the WebSocket's handshake included. A header given twice is sent twice, but for
    /// `User-Agent`, `Origin` and `Authorization`, of which the last counts; a `Cookie` header is taken as its cookies.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Err(error) = self.parts.add_header(name, value) {
            self.is_wrong(error);
        }
        self
    }

    /// What the client calls itself. Default: `sio/` with its version.
    pub fn user_agent(self, user_agent: &str) -> Self {
        self.header("user-agent", user_agent)
    }

    /// The page that a browser would come from, for servers that look at it. Default: none.
    pub fn origin(self, origin: &str) -> Self {
        self.header("origin", origin)
    }

    /// User and password for the server, in place of those of the URL.
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        if let Err(error) = self.parts.set_basic_auth(user, password) {
            self.is_wrong(error);
        }
        self
    }

    /// Adds a cookie to every request, until the server sets one of the same name.
    ///
    /// Cookies that the server, or a balancer before it, sets on any leg go back on every later request of this client, those
    /// after a loss included, as their domain, path, age and `Secure` allow.
    pub fn cookie(mut self, name: &str, value: &str) -> Self {
        if let Err(error) = self.parts.cookies.set(name, value) {
            self.is_wrong(error);
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
        self.transports = Some(transports.into_iter().collect());
        self
    }

    /// Whether to upgrade from polling to WebSocket. Default true, where the protocol has it: 0.9 has not.
    pub fn upgrade(mut self, upgrade: bool) -> Self {
        if upgrade {
            self.needs_upgrades();
        }
        self.upgrade = Some(upgrade);
        self
    }

    /// Starts with WebSocket if an upgrade of a connection with the same `memory` worked before, be it this one before it
    /// was lost.
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

    /// Whom to trust and what to show over TLS. Default: certificates that the operating system trusts; no certificate
    /// of our own.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Through which proxy all connections are made. Default: [what the environment says](Proxy::from_env).
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// What only this protocol can be told.
    pub fn protocol(mut self, options: P::Options) -> Self {
        self.protocol = options;
        self
    }

    // --- bounds -------------------------------------------------------------------------------------------------

    /// How long an attempt to connect may take, from its start until the namespace is usable: [`connect`](Self::connect),
    /// and each one after a loss. Default 20 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the server may take, once its name is looked up, until it has given the session an id. Default: as long as the
    /// whole attempt.
    ///
    /// Shorter than [`connect_timeout`](Self::connect_timeout), it gives a dead server up soon, and leaves one whose
    /// middleware is slow its time.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = Some(timeout);
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

    // --- staying connected --------------------------------------------------------------------------------------

    /// When a connection that is lost is made again. Default: for ever, after 1 s doubling to 5 s; see [`Reconnect`].
    ///
    /// Each time there is a new session with a new id. Every namespace that was joined is joined again with its query; its
    /// [`on_connect`](Self::on_connect) handlers run, which is the place to subscribe again; then what was emitted
    /// meanwhile is sent, in order. While something waits, what is emitted outside those handlers waits behind it; so a slow
    /// handler delays it, too. Acks that were still out are errors: whether the server had the question, nobody knows.
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// Runs `hook` before each attempt to connect, the first one included: it may change URL, query, headers and cookies
    /// for this attempt, and its session. An error fails the attempt.
    ///
    /// It runs on a thread of its own, and may block: the connect timeout goes on meanwhile.
    ///
    /// ```no_run
    /// # fn fresh_token() -> std::io::Result<String> { Ok("t".to_owned()) }
    /// # fn connect<P: sio_core::session::Session>() -> sio_core::Result<()> {
    /// let client = sio_net::Client::<P>::builder("http://localhost:3000")
    ///     .before_attempt(|attempt| {
    ///         attempt.set_query("token", &fresh_token()?);
    ///         Ok(())
    ///     })
    ///     .connect()?;
    /// # Ok(()) }
    /// ```
    pub fn before_attempt(
        mut self,
        hook: impl FnMut(&mut Attempt) -> Result<(), Box<dyn StdError + Send + Sync>> + Send + 'static,
    ) -> Self {
        self.before_attempt = Arc::new(Hook::new(hook));
        self
    }

    /// What may wait in each namespace that is not connected, and what gives way. Default: 10,000 emits with 64 MiB, an
    /// error beyond. A count of 0 is no queue: emits fail while the namespace is not connected.
    pub fn queue(mut self, bounds: Bounds) -> Self {
        self.queue = bounds;
        self
    }

    /// Whether emits that waited leave only when the program calls [`flush_queue`](Client::flush_queue), not by themselves
    /// after the [`on_connect`](Self::on_connect) handlers. Those made later wait behind them. Default false.
    pub fn manual_flush(mut self, manual_flush: bool) -> Self {
        self.manual_flush = manual_flush;
        self
    }

    /// What may wait for the handlers, and for each receiver, and what gives way when they are too slow. Default: 100,000
    /// events with 256 MiB; beyond, the newest are given up.
    ///
    /// The first one given up is reported as [`Error::Overflow`] to [`on_error`](Self::on_error); all are counted. With
    /// [`Overflow::Error`](sio_core::Overflow::Error) the connection is lost instead, and made again.
    pub fn inbox(mut self, bounds: Bounds) -> Self {
        self.inbox = bounds;
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

    /// Records everything that the client receives and sends, over all its sessions. [`replay`](crate::replay) feeds it
    /// to sessions again, without a network.
    pub fn record(mut self, log: WireLog) -> Self {
        self.wire_log = Some(log);
        self
    }

    /// Shares an event loop with other clients, instead of having a thread of its own. See [`EventLoop`].
    pub fn event_loop(mut self, event_loop: &EventLoop) -> Self {
        self.event_loop = Some(event_loop.clone());
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

    // --- another protocol ---------------------------------------------------------------------------------------

    /// The same connection for another protocol, with that protocol's default [options](Self::protocol). Settings of
    /// upgrades count only where it has them.
    pub fn for_protocol<Q: Session>(mut self) -> ClientBuilder<Q> {
        ClientBuilder {
            handlers: std::mem::take(&mut self.handlers),
            receivers: std::mem::take(&mut self.receivers),
            wire_log: self.wire_log.take(),
            ..self.settings_for()
        }
    }

    /// A second connection with the same settings, for this protocol or another one: as
    /// [`for_protocol`](Self::for_protocol), but handlers, receivers and the wire log stay here.
    pub fn settings_for<Q: Session>(&self) -> ClientBuilder<Q> {
        ClientBuilder {
            url: self.url.clone(),
            path: self.path.clone(),
            parts: self.parts.clone(),
            transports: self.transports.clone(),
            upgrade: self.upgrade.filter(|_| Q::UPGRADES),
            memory: self.memory.clone().filter(|_| Q::UPGRADES),
            timestamps: self.timestamps,
            connect_timeout: self.connect_timeout,
            handshake_timeout: self.handshake_timeout,
            upgrade_timeout: self.upgrade_timeout,
            close_timeout: self.close_timeout,
            send_timeout: self.send_timeout,
            send_buffer: self.send_buffer,
            reconnect: self.reconnect.clone(),
            before_attempt: Arc::clone(&self.before_attempt),
            queue: self.queue.clone(),
            manual_flush: self.manual_flush,
            inbox: self.inbox.clone(),
            keep_open: self.keep_open,
            limits: self.limits.clone(),
            tls: self.tls.clone(),
            proxy: self.proxy.clone(),
            protocol: Q::Options::default(),
            wire_log: None,
            event_loop: self.event_loop.clone(),
            handlers: Handlers::new(),
            receivers: Vec::new(),
            wrong: self.wrong.clone(),
        }
    }

    /// The server and the HTTP path on it, without user, password and query.
    ///
    /// # Errors
    /// [`Error::Usage`] if the URL or the [`path`](Self::path) is not valid.
    pub fn server(&self) -> Result<String> {
        let server = Target::parse(&self.url)?.shown();
        Ok(server + &*normal_path(&self.path)?)
    }

    // --- connecting ---------------------------------------------------------------------------------------------

    /// Connects; returns when the namespace is usable: an emit right after it arrives.
    ///
    /// # Errors
    /// [`Error::Usage`] for a setting that cannot work, before anything is sent. [`Error::Refused`] with the server's
    /// own words. [`Error::Http`], [`Error::Protocol`] if what answers is no such server. [`Error::Transport`] if the
    /// network fails. [`Error::Timeout`] if the connection was not usable in time.
    pub fn connect(self) -> Result<Client<P>> {
        let client = self.build()?;
        client.open()?;
        Ok(client)
    }

    /// The same, with the [`connect_timeout`](Self::connect_timeout) of this first attempt counted from the moment `since`:
    /// for what was done before it, and belongs to it.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_since(self, since: Instant) -> Result<Client<P>> {
        let client = self.build()?;
        client.open_since(since)?;
        Ok(client)
    }

    /// A client that is not connected yet: [`Client::open`] does it. So a clone in another thread can
    /// [`close`](Client::close) it meanwhile, which ends a running `open` at once.
    ///
    /// # Errors
    /// [`Error::Usage`] for a setting that cannot work.
    pub fn build(mut self) -> Result<Client<P>> {
        let handlers = std::mem::take(&mut self.handlers);
        let receivers = std::mem::take(&mut self.receivers);
        let wire_log = self.wire_log.take();
        let event_loop = self.event_loop.take();
        let options = self.check()?;
        let event_loop = event_loop.map_or_else(EventLoop::for_one, Ok)?;
        let core = Core::new(options, event_loop, wire_log);
        let space = core.space(&core.options.endpoint.target.namespace);
        let client = Client::new(core, space);
        client.adopt(handlers);
        for queue in &receivers {
            client.add_receiver(queue);
        }
        Ok(client)
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
        let named = self.transports.unwrap_or_else(|| P::TRANSPORTS.to_vec());
        for transport in named {
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
        if self.handshake_timeout.is_some_and(|limit| limit.is_zero()) {
            let why = "zero leaves no time for the handshake";
            return Err(option("handshake_timeout", why));
        }
        if self.upgrade_timeout.is_zero() {
            let why = "zero leaves no time for the upgrade; `upgrade(false)` makes none";
            return Err(option("upgrade_timeout", why));
        }
        if let Some((setter, why)) = self.reconnect.fault() {
            return Err(option(setter, why));
        }
        // Without a word about TLS, its default is set up only where it is needed.
        let connector = match &self.tls {
            None if !target.tls => None,
            tls => Some(Connector::new(&tls.clone().unwrap_or_default())?),
        };
        let endpoint = Endpoint {
            target,
            parts: self.parts,
        };
        endpoint.full_headers()?;
        Ok(Options {
            endpoint: Arc::new(endpoint),
            before_attempt: self.before_attempt,
            path: normal_path(&self.path)?,
            transports,
            upgrade: self.upgrade.unwrap_or(P::UPGRADES),
            memory: self.memory,
            timestamps: self.timestamps,
            connect_timeout: countable(self.connect_timeout),
            handshake_timeout: self.handshake_timeout.map(countable),
            upgrade_timeout: countable(self.upgrade_timeout),
            close_timeout: countable(self.close_timeout),
            send_timeout: countable(self.send_timeout),
            send_buffer: self.send_buffer,
            reconnect: self.reconnect,
            queue: self.queue,
            manual_flush: self.manual_flush,
            inbox: self.inbox,
            keep_open: self.keep_open,
            limits: self.limits,
            connector,
            proxies: self.proxy.check()?,
            jar: Arc::default(),
            protocol: self.protocol,
        })
    }
}

/// URL, query and headers, which may be secrets, stay out.
impl<P: Session> fmt::Debug for ClientBuilder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field(
                "server",
                &Target::parse(&self.url).map(|target| target.shown()),
            )
            .field("path", &self.path)
            .field("transports", &self.transports)
            .field("tls", &self.tls)
            .field("proxy", &self.proxy)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

fn option(option: &'static str, why: impl Into<ByteString>) -> Error {
    UsageError::Option {
        option,
        why: why.into(),
    }
    .into()
}

/// The HTTP path from its first to its last slash: servers want the slash before `?`.
fn normal_path(path: &str) -> Result<ByteString> {
    let trimmed = path.trim_matches('/');
    // What a path may have, RFC 3986, section 3.3.
    let is_of_path =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/".contains(&byte);
    if !trimmed.bytes().all(is_of_path) {
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

/// Whether an upgrade to WebSocket worked, for connections that share it; see [`ClientBuilder::remember_upgrade`].
///
/// An attempt that fails makes it forget.
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

    pub(crate) fn remember(&self, worked: bool) {
        self.0.store(worked, Ordering::Release);
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
        assert_eq!(normal_path("/a%20b/c;d=e,~f").unwrap(), "/a%20b/c;d=e,~f/");
        for path in [
            "/a?b", "/a#b", "/a b", "/a\r\nb", "/a\"b", "/a<b>", "/é", "/a\\b",
        ] {
            assert!(normal_path(path).is_err(), "{path:?}");
        }
    }
}
