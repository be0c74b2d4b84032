//! What a case is given: a server, a transport, and a tag that no other case has.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sio_core::session::Session;
use sio_core::{Event, Events, Reconnect, Status, Transport};
use sio_net::{Client, ClientBuilder, EventLoop, Proxy};

pub use crate::case::Mode;
use crate::case::{Failure, Outcome};
use crate::certificates::{Certificates, SERVER_NAME};
use crate::control::Tagged;
use crate::ensure_eq;
use crate::server::{PYTHON, SOCKETIOXIDE, Server};

/// How long anything may take that a case waits for.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A server, a transport, and a tag that no other case has.
pub struct Context<P: Session> {
    server: Arc<Server>,
    mode: Mode,
    tag: String,
    options: P::Options,
}

impl<P: Session> Context<P> {
    /// A context; `options` is what the protocol has to be told about this server.
    #[must_use]
    pub fn new(server: Arc<Server>, mode: Mode, tag: String, options: P::Options) -> Self {
        Self {
            server,
            mode,
            tag,
            options,
        }
    }

    /// The same on another server, which is this case's own: to be killed.
    #[must_use]
    pub fn on(&self, server: Arc<Server>) -> Self {
        Self {
            server,
            mode: self.mode,
            tag: self.tag.clone(),
            options: self.options.clone(),
        }
    }

    // --- where it runs ------------------------------------------------------------------------------------------

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The transports in use.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The tag of this case, in the query of its connections.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The socket.io version, for example `2.5.1`.
    #[must_use]
    pub fn server_version(&self) -> &str {
        self.server.version()
    }

    /// Whether the server is one of these versions.
    #[must_use]
    pub fn is_server(&self, versions: &[&str]) -> bool {
        versions.contains(&self.server_version())
    }

    /// The server's major version of socket.io, or that whose packets it sends.
    #[must_use]
    pub fn major(&self) -> u32 {
        let version = self.server_version();
        match version {
            PYTHON => return 2,
            SOCKETIOXIDE => return 3,
            _ => {}
        }
        let digits = version.split('.').next();
        digits
            .and_then(|digits| digits.parse().ok())
            .unwrap_or_default()
    }

    /// What the server saw of this case, and making it do something.
    #[must_use]
    pub fn control(&self) -> Tagged {
        self.server.control().tagged(&self.tag)
    }

    // --- connecting ---------------------------------------------------------------------------------------------

    /// The URL of a variant.
    #[must_use]
    pub fn url(&self, variant: &str) -> String {
        format!("http://127.0.0.1:{}", self.server.port(variant))
    }

    /// Those of these variants that the server has.
    #[must_use]
    pub fn variants(&self, names: &[&'static str]) -> Vec<&'static str> {
        let ports = self.server.ports();
        let names = names.iter().copied();
        names.filter(|name| ports.contains_key(*name)).collect()
    }

    /// The URL of a variant with TLS, by the [name](crate::certificates::SERVER_NAME) that its certificate is for.
    #[must_use]
    pub fn tls_url(&self, variant: &str) -> String {
        format!("https://{SERVER_NAME}:{}", self.server.port(variant))
    }

    /// The same by its address, which no certificate is for.
    #[must_use]
    pub fn tls_url_by_address(&self, variant: &str) -> String {
        format!("https://127.0.0.1:{}", self.server.port(variant))
    }

    /// The certificates of the server's variants with TLS.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        self.server.certificates()
    }

    /// A connection to the plain server, over the transports of the mode, with the tag. Once lost, it is over: a case that
    /// is about coming back says so.
    pub fn builder(&self) -> ClientBuilder<P> {
        self.builder_for("main")
    }

    /// The same to a variant.
    pub fn builder_for(&self, variant: &str) -> ClientBuilder<P> {
        self.builder_at(&self.url(variant))
    }

    /// The same to any URL.
    pub fn builder_at(&self, url: &str) -> ClientBuilder<P> {
        self.builder_tagged(url, &self.tag)
    }

    /// The same with another tag, for cases that tell several connections apart. The machine's own proxy is not used.
    pub fn builder_tagged(&self, url: &str, tag: &str) -> ClientBuilder<P> {
        let builder = Client::builder(url)
            .transports(transports_of(self.mode))
            .query("tag", tag)
            .protocol(self.options.clone())
            .proxy(Proxy::off())
            .reconnect(Reconnect::off())
            .connect_timeout(PATIENCE);
        if shares(&self.tag) {
            builder.event_loop(shared_loop())
        } else {
            builder
        }
    }

    /// Connects to the plain server, and in [`Mode::Upgrade`] waits for the upgrade.
    ///
    /// # Errors
    /// If that fails.
    pub fn connect(&self) -> Outcome<Client<P>> {
        let client = self.builder().connect()?;
        self.settle(&client)?;
        Ok(client)
    }

    /// Asks the server something, and checks its answer: the connection works.
    ///
    /// # Errors
    /// If it does not.
    pub fn exchange(&self, client: &Client<P>) -> Outcome {
        let question = format!("is {} there?", self.tag);
        let answer: String = client.call("echo", &question, PATIENCE)?;
        ensure_eq!(answer, question, "the server's echo");
        Ok(())
    }

    /// Waits until the connection is on the transport it stays on.
    ///
    /// # Errors
    /// If the upgrade does not come.
    pub fn settle(&self, client: &Client<P>) -> Outcome {
        if self.mode != Mode::Upgrade {
            return Ok(());
        }
        self.eventually("the upgrade to WebSocket", || {
            client.transport() == Some(Transport::WebSocket)
        })
    }

    // --- waiting ------------------------------------------------------------------------------------------------

    /// Waits until `condition` holds, for [`PATIENCE`] at most.
    ///
    /// # Errors
    /// If it does not; the failure says `what` was awaited.
    pub fn eventually(&self, what: &str, mut condition: impl FnMut() -> bool) -> Outcome {
        self.until(what, || Ok(condition().then_some(())))
    }

    /// Waits until `look` finds something, for [`PATIENCE`] at most.
    ///
    /// # Errors
    /// If it finds nothing, or fails; the failure says `what` was awaited.
    pub fn until<T>(&self, what: &str, look: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
        until(what, look)
    }

    /// The next event of a name; others are passed over. Waits for [`PATIENCE`] at most.
    ///
    /// # Errors
    /// If none comes.
    pub fn next_event(&self, events: &mut Events, name: &str) -> Outcome<Event> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match events.recv_timeout(left) {
                Ok(event) if event.name() == name => return Ok(event),
                Ok(_) => {}
                Err(error) => return Err(format!("waited for the event {name:?}: {error}").into()),
            }
        }
    }

    /// All events up to the next of a name, that one included. Waits for [`PATIENCE`] for each.
    ///
    /// # Errors
    /// If it does not come.
    pub fn events_until(&self, events: &mut Events, name: &str) -> Outcome<Vec<Event>> {
        let mut seen = Vec::new();
        loop {
            match events.recv_timeout(PATIENCE) {
                Ok(event) => {
                    let last = event.name() == name;
                    seen.push(event);
                    if last {
                        return Ok(seen);
                    }
                }
                Err(error) => {
                    let count = seen.len();
                    return Err(format!(
                        "waited for the event {name:?}: {error}, after {count} other events"
                    )
                    .into());
                }
            }
        }
    }
}

impl<P: Session> fmt::Debug for Context<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("server", &self.server.name())
            .field("mode", &self.mode)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}

/// Whether a case's clients share one event loop: those of about every second one do, and their tags decide which, so
/// that it stays the same.
fn shares(tag: &str) -> bool {
    tag.bytes().fold(0, |sum, byte| sum ^ byte) % 2 == 1
}

/// The event loop that they share; it stays until the program ends.
pub(crate) fn shared_loop() -> &'static EventLoop {
    static SHARED: LazyLock<EventLoop> = LazyLock::new(|| EventLoop::new().expect("an event loop"));
    &SHARED
}

/// The transports of a mode.
#[must_use]
pub fn transports_of(mode: Mode) -> Vec<Transport> {
    match mode {
        Mode::Polling => vec![Transport::Polling],
        Mode::WebSocket => vec![Transport::WebSocket],
        Mode::Upgrade => vec![Transport::Polling, Transport::WebSocket],
        Mode::HtmlFile => vec![Transport::HtmlFile],
        Mode::JsonpPolling => vec![Transport::JsonpPolling],
    }
}

/// Waits until `look` finds something, for [`PATIENCE`] at most. The one place that looks again and again.
///
/// # Errors
/// If it finds nothing, or fails; the failure says `what` was awaited.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(Failure::from(format!(
                "waited {PATIENCE:?} for {what}, in vain"
            )));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Keeps the changes of status of a connection: give [`watcher`](Self::watcher) to `on_status`.
#[derive(Debug, Clone, Default)]
pub struct StatusLog(Arc<Mutex<Vec<Status>>>);

impl StatusLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A handler that writes into this log.
    pub fn watcher(&self) -> impl FnMut(&Status) + Send + 'static {
        let log = self.clone();
        move |status| log.lock().push(status.clone())
    }

    /// Everything so far, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Status> {
        self.lock().clone()
    }

    /// How many so far are as `is` says.
    pub fn count(&self, is: impl Fn(&Status) -> bool) -> usize {
        self.lock().iter().filter(|status| is(status)).count()
    }

    /// Waits for the first status that `pick` takes.
    ///
    /// # Errors
    /// If none comes; the failure shows those that came.
    pub fn wait_for<T>(&self, what: &str, pick: impl Fn(&Status) -> Option<T>) -> Outcome<T> {
        until(what, || Ok(self.lock().iter().find_map(&pick)))
            .map_err(|failure| format!("{failure}; came: {:?}", self.seen()).into())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Status>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
