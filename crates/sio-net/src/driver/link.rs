//! The manager with its sockets: carries out what it wants on the network, and feeds it what comes.

mod lanes;

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytestring::ByteString;
use http::HeaderMap;
use mio::Token;
use sio_core::manager::{Effect, Manager, NamespaceId, ROOT, ROOT_ID, Settings};
use sio_core::session::{AckId, Input, Io, RequestId, Session, SessionConfig};
use sio_core::{
    Ack, Args, ConnectionReport, DisconnectReason, Error, Event, Overflow, Result, Status,
    Transport,
};
use tracing::Span;
use tungstenite::Message;

use super::burst::Emits;
use super::{Core, Waiter};
use crate::builder::UpgradeMemory;
use crate::cookies::Cookies;
use crate::dialler::Route;
use crate::dispatch::{Batch, Delivery, Overflowed};
use crate::endpoint::{Endpoint, Prepared, prepare_at_once};
use crate::event_loop::{Due, EventLoop};
use crate::http::Lane;
use crate::options::Options;
use crate::space::Space;
use crate::tls::{self, Tls};
use crate::websocket::{Progress, WebSocketLeg, WebSocketRequest, text_message};
use crate::wire_log::WireLog;

/// How much is read before others get at the lock: messages, and bytes.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 1 << 20;

pub(crate) struct Link<P: Session> {
    options: Arc<Options<P>>,
    pub(crate) manager: Manager<P, Waiter>,
    /// By [`NamespaceId`].
    spaces: Vec<(NamespaceId, Arc<Space>)>,
    tls: Option<tls::Connector>,
    /// What this session's requests carry, as the hook left it.
    endpoint: Arc<Endpoint>,
    headers: HeaderMap,
    cookies: Cookies,
    /// Where this session's connections go; looked up once for all of them.
    route: Option<Route>,
    event_loop: EventLoop,
    /// Names this in the event loop, while there is something to drive.
    token: Option<Token>,
    /// When the event loop was told to drive this, if its socket brings nothing before.
    noted: Option<Instant>,
    websocket: Option<WebSocketLeg>,
    /// Whether the WebSocket may have more to read.
    readable: bool,
    get: Option<(RequestId, Box<Lane>)>,
    post: Option<(RequestId, Box<Lane>)>,
    /// What was not answered yet.
    unanswered: Vec<RequestId>,
    /// What went wrong while effects were carried out, to be fed back.
    failures: VecDeque<Input>,
    deliveries: Batch,
    /// Kept to save allocations.
    burst: Emits,
    /// Whether whoever drives is at it, so need not be woken.
    driven: bool,
    /// Whether a caller was given its outcome: it may be the one that sleeps in the poll.
    told_caller: bool,
    /// Whether there is no connection, nor the wish for one.
    over: bool,
    /// Whether the last handle is gone: nothing will be opened any more.
    abandoned: bool,
    /// Whether the manager has just ended.
    ends: bool,
    /// The span of the client.
    connection: Span,
    /// The span of the session, or of the client between two of them.
    span: Span,
    wire_log: Option<WireLog>,
}

impl<P: Session> Link<P> {
    pub(super) fn new(
        options: Arc<Options<P>>,
        event_loop: EventLoop,
        connection: Span,
        wire_log: Option<WireLog>,
    ) -> Self {
        let settings = Settings {
            connect_timeout: options.connect_timeout,
            queue: options.queue.clone(),
            manual_flush: options.manual_flush,
            reconnect: options.reconnect.clone(),
            seed: fastrand::u64(..),
            handshake_timeout: options.handshake_timeout,
            keep_open: options.keep_open,
        };
        let options_tls = options.connector.clone();
        let mut link = Self {
            endpoint: Arc::clone(&options.endpoint),
            headers: HeaderMap::new(),
            cookies: options.cookies(),
            options,
            manager: Manager::new(settings),
            spaces: Vec::new(),
            tls: options_tls,
            route: None,
            event_loop,
            token: None,
            noted: None,
            websocket: None,
            readable: false,
            get: None,
            post: None,
            unanswered: Vec::new(),
            failures: VecDeque::new(),
            deliveries: Batch::default(),
            burst: Vec::new(),
            driven: false,
            told_caller: false,
            over: true,
            abandoned: false,
            ends: false,
            wire_log,
            span: connection.clone(),
            connection,
        };
        if let Some(log) = &link.wire_log {
            let recorder = log.recorder::<P>(&link.endpoint.target.shown());
            link.manager.record(recorder);
        }
        link.space(ROOT);
        link
    }

    /// What everything is logged in that concerns the session there is.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The handle data of a namespace.
    pub(super) fn space(&mut self, name: &str) -> Arc<Space> {
        let id = self.manager.namespace(name);
        if let Some(space) = self.find(id) {
            return Arc::clone(space);
        }
        let space = Arc::new(Space::new(id, self.manager.name(id).clone()));
        self.spaces.push((id, Arc::clone(&space)));
        space
    }

    /// Emits that joined a burst. Their callers have gone on: if the namespace has gone meanwhile, an ack's waiter is
    /// told, and an emit without one is lost as it would have been on the wire.
    pub(super) fn emit_all(&mut self, take: impl FnOnce(&mut Emits), now: Instant) {
        take(&mut self.burst);
        let mut burst = mem::take(&mut self.burst);
        for (id, emit) in burst.drain(..) {
            if let Err(refused) = self.manager.emit(id, emit, now) {
                tracing::debug!(error = %refused.error, "an emit came too late");
                if let Some(waiter) = refused.waiter {
                    self.outcome(waiter, Err(refused.error));
                }
            }
        }
        self.burst = burst;
    }

    /// The hook of a namespace has run: sends the emits that waited for it.
    pub(super) fn release(&mut self, space: &Space, join: u64, now: Instant) {
        self.manager.release(space.id, join, now);
        space.set_open(self.manager.is_open(space.id));
    }

    /// Gives up the emits of a namespace that wait.
    pub(super) fn clear_queue(&mut self, space: &Space) -> usize {
        let count = self.manager.clear_queue(space.id);
        space.set_open(self.manager.is_open(space.id));
        count
    }

    /// Sends the emits of a namespace that waited for the program.
    pub(super) fn flush(&mut self, space: &Space, now: Instant) -> usize {
        let count = self.manager.flush(space.id, now);
        space.set_open(self.manager.is_open(space.id));
        count
    }

    /// Reads what is there, within the batch, and lets time pass. Whether there may be more to read.
    pub(super) fn advance(&mut self, due: Due, now: Instant) -> bool {
        self.driven = true;
        self.readable |= due.socket && self.websocket.is_some();
        if due.socket {
            self.lanes_mut().for_each(Lane::wake);
        }
        if due.deadline {
            self.noted = None;
        }
        let mut bytes = 0;
        for _ in 0..BATCH {
            if bytes >= BATCH_BYTES {
                break;
            }
            let answers = self.read_answers(now);
            let message = self.readable.then(|| self.read(now));
            if answers.or(message).is_none() {
                break;
            }
            bytes += answers.unwrap_or(0) + message.unwrap_or(0);
        }
        if self.manager.poll_timeout().is_some_and(|due| due <= now) {
            let doing = self.doing().map(ByteString::from);
            self.manager.set_doing(doing);
            self.manager.handle_timeout(now);
        }
        self.readable || self.lanes_mut().any(|lane| lane.is_ready())
    }

    /// Tells the event loop when to drive this, if that is earlier than it knows.
    pub(super) fn note_deadline(&mut self) {
        let (Some(due), Some(token)) = (self.manager.poll_timeout(), self.token) else {
            return;
        };
        if self.noted.is_none_or(|noted| due < noted) {
            self.noted = Some(due);
            self.event_loop.note(token, due);
        }
    }

    /// A caller was given what it waits for.
    pub(super) fn note_told_caller(&mut self) {
        self.told_caller = true;
    }

    /// Whether a caller was given its outcome, and may sleep in the poll itself.
    pub(super) fn must_wake_caller(&mut self) -> bool {
        let by_driver = mem::take(&mut self.driven);
        mem::take(&mut self.told_caller) && !by_driver
    }

    /// What the network is busy with, for the errors of deadlines.
    fn doing(&self) -> Option<String> {
        if let Some(websocket) = &self.websocket {
            return websocket.doing();
        }
        if let Some((_, lane)) = self.get.as_ref().or(self.post.as_ref()) {
            return Some(lane.doing());
        }
        self.route.is_none().then(|| self.preparing())
    }

    /// What stands before a session.
    fn preparing(&self) -> String {
        let options = &*self.options;
        let target = &options.endpoint.target;
        let host = match options.proxies.for_target(target) {
            Some(proxy) => &proxy.host,
            None => &target.host,
        };
        if options.before_attempt.is_set() {
            format!("in the hook before the attempt, or looking up {host}")
        } else {
            format!("looking up {host}")
        }
    }

    /// Reads one message, or goes on connecting; returns its size.
    fn read(&mut self, now: Instant) -> usize {
        let progress = match &mut self.websocket {
            Some(websocket) => websocket.advance(self.event_loop.registry()),
            None => Progress::Blocked,
        };
        let input = match progress {
            Progress::Input(input) => input,
            // Others shall get at the lock now.
            Progress::Paused => return BATCH_BYTES,
            Progress::Blocked => {
                self.readable = false;
                return 0;
            }
        };
        let size = match &input {
            Input::WebSocketText(text) => text.len(),
            Input::WebSocketBinary(bytes) => bytes.len(),
            Input::WebSocketOpened => {
                tracing::debug!("WebSocket open");
                0
            }
            _ => {
                self.drop_websocket();
                0
            }
        };
        self.manager.handle_input(input, now);
        size
    }

    fn drop_websocket(&mut self) {
        self.websocket = None;
        self.readable = false;
    }

    /// Writing failed. The peer may have said why before it went: what it sent is read first.
    fn write_failed(&mut self, error: Error, now: Instant) {
        self.readable = true;
        while self.readable {
            self.read(now);
        }
        if self.websocket.is_some() {
            self.drop_websocket();
            self.manager
                .handle_input(Input::WebSocketFailed(error), now);
        }
    }

    /// Hook and lookup are done.
    pub(super) fn prepared(&mut self, connection: u64, prepared: Result<Prepared>, now: Instant) {
        if connection != self.manager.epoch() {
            return; // of an attempt that was given up
        }
        let config = prepared.and_then(|prepared| {
            self.set_out(prepared)?;
            Ok(self.session_config())
        });
        self.manager.prepared(config, now);
    }

    fn set_out(&mut self, prepared: Prepared) -> Result<()> {
        let target = &prepared.endpoint.target;
        if target.tls && self.tls.is_none() {
            self.tls = Some(tls::Connector::new(&Tls::default())?);
        }
        let proxy = prepared
            .proxy
            .as_ref()
            .map(|via| tracing::field::display(&via.server));
        tracing::debug!(server = %target.shown(), addresses = ?prepared.addresses, proxy, "route found");
        self.route = Some(Route {
            addresses: prepared.addresses.into(),
            host: target.host.clone(),
            tls: self.tls.clone().filter(|_| target.tls),
            proxy: prepared.proxy,
        });
        self.headers = prepared.endpoint.full_headers()?;
        self.cookies.given = prepared.endpoint.parts.cookies.clone();
        self.endpoint = prepared.endpoint;
        let url = self.url_of_path();
        for name in prepared.replaced {
            self.cookies.jar.forget(&name, &url);
        }
        Ok(())
    }

    /// Carries out everything the manager wants.
    pub(super) fn settle(&mut self, core: &Core<P>, now: Instant) {
        // What follows in the same breath belongs to it.
        let mut in_new_session = None;
        loop {
            while let Some(effect) = self.manager.poll_effect(now) {
                let begins = matches!(effect, Effect::Prepare { .. });
                self.perform(effect, core, now);
                if begins {
                    in_new_session = Some(self.span().entered());
                }
            }
            self.write_log();
            let flushed = self.websocket.as_mut().map_or(Ok(()), WebSocketLeg::flush);
            if let Err(error) = flushed {
                self.write_failed(error, now);
            } else if let Some(input) = self.failures.pop_front() {
                self.manager.handle_input(input, now);
            } else if !self.hand_over(core, now) {
                break;
            }
        }
        // A session on a WebSocket makes no requests any more. What it asked over polling before may still be out.
        if self.manager.transport() == Some(Transport::WebSocket) && self.unanswered.is_empty() {
            self.end_lanes();
        }
        drop(in_new_session);
    }

    /// Writes what was recorded meanwhile.
    fn write_log(&mut self) {
        let Some(log) = &mut self.wire_log else {
            return;
        };
        let lines = self.manager.take_recorded();
        if lines.is_empty() {
            return;
        }
        if let Err(error) = log.write(&lines) {
            self.wire_log = None;
            self.manager.stop_recording();
            let error = Error::transport("writing the wire log, which ends here", error);
            tracing::warn!(error = %error.chain());
            self.status(ROOT_ID, Status::Error(error));
        }
    }

    /// Gives deliveries to the thread that runs them; returns whether the manager has to be looked at again.
    fn hand_over(&mut self, core: &Core<P>, now: Instant) -> bool {
        let overflowed = core.dispatcher.push(&mut self.deliveries);
        let is_any = !overflowed.is_empty();
        for (space, overflowed) in overflowed {
            self.overflowed(&space, "the handlers", overflowed, now);
        }
        is_any
    }

    /// An event was given up, or the connection is, because the program is too slow.
    fn overflowed(
        &mut self,
        space: &Arc<Space>,
        taker: &'static str,
        overflowed: Overflowed,
        now: Instant,
    ) {
        self.manager.count_dropped_events(overflowed.given_up);
        let is_fatal = self.options.inbox.overflow == Overflow::Error;
        if !is_fatal && !overflowed.is_first {
            return;
        }
        let error = Error::Overflow {
            namespace: space.name.clone(),
            taker,
            events: overflowed.events,
            bytes: overflowed.bytes,
        };
        tracing::warn!(namespace = %space.name, error = %error.chain(), "the program is too slow");
        if is_fatal {
            self.manager.fail(error, now);
        } else {
            self.status(space.id, Status::Error(error));
        }
    }

    /// The cookies of the next request.
    pub(crate) fn cookies(&self) -> Vec<(String, String)> {
        let url = self.url_of_path();
        self.cookies.jar.for_request(&self.cookies.given, &url)
    }

    /// Where all requests go to, without what differs between them.
    fn url_of_path(&self) -> String {
        format!("{}{}", self.endpoint.target.shown(), self.options.path)
    }

    pub(super) fn backlog(&self) -> usize {
        let unwritten = self.websocket.as_ref().map_or(0, WebSocketLeg::unwritten);
        self.manager.backlog() + unwritten
    }

    /// How the connection stands.
    pub(super) fn report(&self, space: &Space, now: Instant) -> ConnectionReport {
        let mut report = self.manager.report(space.id, now);
        report.backlog_bytes = self.backlog();
        report
    }

    /// Whether there is a socket, so that waiting in the poll can bring something.
    pub(super) fn has_socket(&self) -> bool {
        self.websocket.is_some() || self.get.is_some() || self.post.is_some()
    }

    /// Whether the connection has just come to its end.
    pub(super) fn takes_end(&mut self) -> bool {
        mem::take(&mut self.ends)
    }

    fn perform(&mut self, effect: Effect<Waiter>, core: &Core<P>, now: Instant) {
        match effect {
            Effect::Event {
                namespace,
                name,
                args,
                id,
            } => self.deliver((namespace, name, args, id), core, now),
            Effect::Outcome(waiter, outcome) => self.outcome(waiter, outcome),
            Effect::Io(io) => self.io(io, now),
            Effect::Status(id, status) => self.status(id, status),
            Effect::Joined(id, outcome) => self.joined(id, &outcome),
            // What came may be data of the program.
            Effect::Tolerated(name, _) => {
                tracing::debug!(tolerance = name, "something odd was let pass");
            }
            Effect::Hook { namespace, join } => self.run_hook(namespace, join, core, now),
            Effect::Out { namespace, was_in } => {
                // Receivers of one that never was in are for the next try.
                if was_in && let Some(space) = self.find(namespace) {
                    space.close_receivers();
                }
            }
            Effect::Prepare { attempt, after } => self.prepare(attempt, after, core, now),
            Effect::HangUp => self.hang_up(),
            Effect::Ended => {
                self.hang_up();
                self.ends = true;
            }
        }
    }

    fn joined(&mut self, id: NamespaceId, outcome: &Result<()>) {
        if id == ROOT_ID && outcome.is_err() {
            self.remember_upgrade(false);
        }
        if let Some(space) = self.find(id) {
            if let Err(error) = outcome {
                tracing::debug!(namespace = %space.name, error = %error.chain(), "not joined");
            }
            space.tell_joiners(outcome);
            self.note_told_caller();
        }
    }

    fn io(&mut self, io: Io, now: Instant) {
        let written = match io {
            Io::Request(request) => {
                self.request(request);
                Ok(())
            }
            Io::CancelRequest(id) => {
                self.cancel(id);
                Ok(())
            }
            Io::OpenWebSocket(target) => {
                self.open_websocket(target);
                Ok(())
            }
            Io::SendText(text) => self.send(text_message(text)),
            Io::SendBinary(bytes) => self.send(Message::Binary(bytes)),
            Io::CloseWebSocket => self.websocket.as_mut().map_or(Ok(()), WebSocketLeg::close),
            Io::DropWebSocket => {
                self.drop_websocket();
                Ok(())
            }
        };
        if let Err(error) = written {
            self.write_failed(error, now);
        }
    }

    // --- WebSocket ----------------------------------------------------------------------------------------------

    #[inline(never)]
    fn open_websocket(&mut self, target: String) {
        let Some(route) = self.route.clone() else {
            return; // sessions start with a route
        };
        let upgrade = self.manager.transport() == Some(Transport::Polling);
        tracing::debug!(upgrade, "opening a WebSocket");
        let request = WebSocketRequest {
            route,
            shown: self.endpoint.target.shown(),
            authority: self.endpoint.target.authority.clone(),
            target,
            headers: self.headers.clone(),
            cookies: self.cookies.clone(),
            max_message: self.options.limits.message_bytes,
            rules: P::WEBSOCKET,
            is_first: self.get.is_none(),
        };
        let Some(token) = self.token else {
            return; // no session without a place in the event loop
        };
        self.readable = false;
        match WebSocketLeg::start(request, self.event_loop.registry(), token) {
            Ok(leg) => self.websocket = Some(leg),
            Err(error) => self.failures.push_back(Input::WebSocketFailed(error)),
        }
    }

    fn send(&mut self, message: Message) -> Result<()> {
        match &mut self.websocket {
            Some(websocket) => websocket.send(message),
            None => Ok(()), // its end was fed to the session, which will know
        }
    }

    // --- the program --------------------------------------------------------------------------------------------

    fn deliver(
        &mut self,
        (id, name, args, ack): (NamespaceId, ByteString, Args, Option<AckId>),
        core: &Core<P>,
        now: Instant,
    ) {
        let Some(space) = find(&self.spaces, id) else {
            return;
        };
        let ack = ack.map_or(Ack::unwanted(), |ack| {
            Ack::wanted(
                space.name.clone(),
                ack,
                self.manager.epoch(),
                core.replier(),
            )
        });
        let event = Event::new(space.name.clone(), name, args, ack);
        let received = space.receive(&event, &self.options.inbox);
        if space.has_event_handlers() {
            self.deliveries.event(space, event);
        } else if let Ok(false) = received {
            tracing::debug!(namespace = %space.name, event = event.name(), "nobody listens");
        }
        if let Err(overflowed) = received {
            let space = Arc::clone(space);
            self.overflowed(&space, "a receiver", overflowed, now);
        }
    }

    fn outcome(&mut self, waiter: Waiter, outcome: Result<Args>) {
        match waiter {
            Waiter::Caller(slot) => {
                slot.set(outcome);
                self.note_told_caller();
            }
            Waiter::Callback(then) => self.deliveries.push(Delivery::Callback(then, outcome)),
        }
    }

    fn status(&mut self, id: NamespaceId, status: Status) {
        let Some(space) = self.find(id).map(Arc::clone) else {
            return;
        };
        match &status {
            Status::Connected { again } => {
                tracing::debug!(namespace = %space.name, again, "connected");
                space.set_open(self.manager.is_open(id));
                space.set_connected(true);
            }
            Status::Disconnected(reason) => {
                tracing::debug!(namespace = %space.name, %reason, "disconnected");
                space.set_open(false);
                space.set_connected(false);
            }
            Status::ReconnectScheduled { attempt, delay } => {
                tracing::debug!(namespace = %space.name, attempt, ?delay, "will connect again");
            }
            Status::ReconnectError { attempt, error } => {
                tracing::debug!(namespace = %space.name, attempt, error = %error.chain(), "an attempt failed");
            }
            Status::ReconnectFailed { attempts, error } => {
                tracing::warn!(namespace = %space.name, attempts, error = %error.chain(), "given up");
            }
            Status::Upgraded => self.remember_upgrade(true),
            _ => {}
        }
        if space.has_status_handlers() {
            self.deliveries.push(Delivery::Status(space, status));
        }
    }

    // --- beginning and end --------------------------------------------------------------------------------------

    /// A connection is opened, which the event loop drives under this name.
    pub(super) fn begin(&mut self, token: Token) {
        self.over = false;
        self.token = Some(token);
        self.noted = None;
        for (_, space) in &self.spaces {
            space.begin();
        }
    }

    fn prepare(
        &mut self,
        attempt: u32,
        after: Option<DisconnectReason>,
        core: &Core<P>,
        now: Instant,
    ) {
        if attempt > 1 {
            // The one before failed.
            self.remember_upgrade(false);
        }
        let connection = self.manager.epoch();
        let session = tracing::debug_span!(parent: &self.connection, "session", n = connection);
        self.span = if session.is_disabled() {
            self.connection.clone()
        } else {
            session
        };
        let _in = self.span().entered();
        let options = &*self.options;
        let transports = self.transports();
        tracing::debug!(attempt, ?transports, "attempt begins");
        let hook = &options.before_attempt;
        if let Some(prepared) = prepare_at_once(hook, &options.proxies, &options.endpoint) {
            self.prepared(connection, Ok(prepared), now);
        } else if let Err(error) = core.prepare(connection, attempt, after, self.span()) {
            self.prepared(connection, Err(error), now);
        }
    }

    /// The handlers that a namespace is connected run; then what waits for them leaves.
    fn run_hook(&mut self, id: NamespaceId, join: u64, core: &Core<P>, now: Instant) {
        let Some(space) = self.find(id).map(Arc::clone) else {
            return;
        };
        if space.has_status_handlers() {
            let then = core.releaser(&space, join);
            self.deliveries.push(Delivery::Then(then));
        } else {
            self.release(&space, join, now);
        }
    }

    fn remember_upgrade(&self, worked: bool) {
        if let Some(memory) = &self.options.memory {
            memory.remember(worked);
        }
    }

    fn session_config(&self) -> SessionConfig<P::Options> {
        let options = &*self.options;
        SessionConfig {
            path: options.path.clone(),
            query: self.endpoint.full_query(),
            transports: self.transports(),
            upgrade: options.upgrade,
            timestamps: options.timestamps,
            nonce: nonce(),
            upgrade_timeout: options.upgrade_timeout,
            close_timeout: options.close_timeout,
            limits: options.limits.clone(),
            options: options.protocol.clone(),
        }
    }

    /// With the WebSocket first if an upgrade worked before.
    fn transports(&self) -> Vec<Transport> {
        let transports = &self.options.transports;
        let worked = self
            .options
            .memory
            .as_ref()
            .is_some_and(UpgradeMemory::worked);
        if worked && self.options.upgrade && transports.contains(&Transport::WebSocket) {
            return vec![Transport::WebSocket, Transport::Polling];
        }
        transports.clone()
    }

    /// No session is left: nor is what carried it.
    fn hang_up(&mut self) {
        self.drop_websocket();
        self.end_lanes();
        self.failures.clear();
        self.route = None;
        self.span = self.connection.clone();
    }

    /// The connection is over; returns its name in the event loop.
    pub(super) fn end(&mut self) -> Option<Token> {
        self.over = true;
        for (_, space) in &self.spaces {
            space.end();
            if self.abandoned {
                space.close_receivers();
            }
        }
        self.token.take()
    }

    /// The last handle is gone.
    pub(super) fn abandon(&mut self) {
        self.abandoned = true;
        if self.over {
            self.end();
        }
    }

    fn find(&self, id: NamespaceId) -> Option<&Arc<Space>> {
        find(&self.spaces, id)
    }
}

fn find(spaces: &[(NamespaceId, Arc<Space>)], id: NamespaceId) -> Option<&Arc<Space>> {
    spaces
        .iter()
        .find(|(other, _)| *other == id)
        .map(|(_, space)| space)
}

/// Differs between sessions, of this process and of others: it only has to keep caches from answering.
fn nonce() -> u64 {
    static SESSIONS: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis()) as u64;
    // Sessions that start in one millisecond differ, and leave room for the requests of each.
    (millis << 20) | (SESSIONS.fetch_add(1, Ordering::Relaxed) & 0xf) << 16
}
