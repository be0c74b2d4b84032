mod queueing;
mod reconnecting;

use std::time::{Duration, Instant};

use super::*;
use crate::limits::Limits;
use crate::payload::Value;
use crate::report::Traffic;
use crate::session::{SessionEvent, WebSocketRules};
use crate::status::ConnectionState;

const SECOND: Duration = Duration::from_secs(1);

/// A session that records its commands and says what a test tells it to.
#[derive(Debug)]
struct Scripted<const REJOINS: bool = true> {
    commands: Vec<String>,
    out: VecDeque<Output>,
}

impl<const R: bool> Session for Scripted<R> {
    type Options = ();
    const NAME: &'static str = "scripted";
    const FIRST_ACK_ID: AckId = 0;
    const TRANSPORTS: &'static [Transport] = &[Transport::WebSocket];
    const UPGRADES: bool = true;
    const REJOINS: bool = R;
    const WEBSOCKET: WebSocketRules = WebSocketRules::RFC_6455;

    fn start(_: SessionConfig<()>, _: Instant, _: Instant) -> Self {
        Self {
            commands: Vec::new(),
            out: VecDeque::new(),
        }
    }

    fn handle_input(&mut self, _: Input, _: Instant) {}

    fn handle_command(&mut self, command: Command, _: Instant) {
        self.commands.push(match command {
            Command::Join { namespace, query } => format!("join {namespace} {query:?}"),
            Command::Leave { namespace } => format!("leave {namespace}"),
            Command::Emit {
                namespace,
                id,
                payload,
            } => format!("emit {namespace} {id:?} {}", payload.json()),
            Command::Ack {
                namespace,
                id,
                payload,
            } => format!("ack {namespace} {id} {}", payload.json()),
            Command::Close => "close".to_owned(),
        });
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn backlog(&self) -> usize {
        0
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    fn why_no_websocket(&self) -> Option<&'static str> {
        None
    }

    fn check_event_name(_: &str) -> Result<(), UsageError> {
        Ok(())
    }

    fn check_namespace(_: &str) -> Result<(), UsageError> {
        Ok(())
    }

    fn check_payload(_: &Encoded) -> Result<(), UsageError> {
        Ok(())
    }

    fn socket_id(sid: &str, _: &str) -> String {
        sid.to_owned()
    }
}

/// A manager with a clock, and what it said so far.
struct Scenario {
    manager: Manager<Scripted, &'static str>,
    now: Instant,
}

impl Scenario {
    fn new() -> Self {
        Self::with_keep_open(false)
    }

    fn with_keep_open(keep_open: bool) -> Self {
        Self::with(Settings {
            keep_open,
            ..settings()
        })
    }

    fn with(settings: Settings) -> Self {
        Self {
            manager: Manager::new(settings),
            now: Instant::now(),
        }
    }

    fn to_active() -> Self {
        let mut scenario = Self::new();
        scenario.activate();
        scenario
    }

    /// Connected, with nothing said left over.
    fn to_connected() -> Self {
        let mut scenario = Self::to_active();
        scenario.says([opened(), joined("/")]);
        scenario.effects();
        scenario
    }

    fn activate(&mut self) {
        self.manager.open(ROOT_ID, self.now).unwrap();
        assert_eq!(self.effects(), ["prepare 0"]);
        self.manager.prepared(Ok(config()), self.now);
    }

    fn says(&mut self, events: impl IntoIterator<Item = SessionEvent>) {
        let session = self.manager.link.session_mut().expect("a session");
        session.out.extend(events.into_iter().map(Output::Event));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.manager.handle_timeout(self.now);
    }

    /// What the manager wants, as text.
    fn effects(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(effect) = self.manager.poll_effect(self.now) {
            if matches!(effect, Effect::Out { .. }) {
                continue; // goes with every end of a namespace
            }
            all.push(match effect {
                Effect::Prepare { attempt, .. } => format!("prepare {attempt}"),
                Effect::Io(io) => format!("{io:?}"),
                Effect::Out { .. } => unreachable!(),
                Effect::HangUp => "hang up".to_owned(),
                Effect::Hook { namespace, join } => {
                    self.manager.release(namespace, join, self.now);
                    format!("{} hook", self.name(namespace))
                }
                Effect::Status(id, Status::Connected { again }) => {
                    let again = if again { " again" } else { "" };
                    format!("{} connected{again}", self.name(id))
                }
                Effect::Status(id, Status::Disconnected(reason)) => {
                    format!("{} disconnected: {reason}", self.name(id))
                }
                Effect::Status(id, status) => format!("{} {status:?}", self.name(id)),
                Effect::Joined(id, Ok(())) => format!("{} joined", self.name(id)),
                Effect::Joined(id, Err(error)) => format!("{} not joined: {error}", self.name(id)),
                Effect::Event {
                    namespace, name, ..
                } => format!("{} event {name}", self.name(namespace)),
                Effect::Outcome(waiter, Ok(args)) => format!("{waiter} got {}", args.text()),
                Effect::Outcome(waiter, Err(error)) => format!("{waiter} got no ack: {error}"),
                Effect::Tolerated(name, _) => format!("tolerated {name}"),
                Effect::Ended => "ended".to_owned(),
            });
        }
        all
    }

    fn commands(&mut self) -> Vec<String> {
        mem::take(&mut self.manager.link.session_mut().expect("a session").commands)
    }

    fn name(&self, id: NamespaceId) -> ByteString {
        self.manager.name(id).clone()
    }

    fn emit(
        &mut self,
        id: NamespaceId,
        event: &str,
        ask: Option<&'static str>,
    ) -> Result<(), String> {
        let mut emit = plain(event);
        emit.ask = ask.map(|waiter| Ask {
            waiter,
            expiry: self.expiry(5 * SECOND),
        });
        self.take(id, emit).map(drop)
    }

    fn take(&mut self, id: NamespaceId, emit: Emit<&'static str>) -> Result<Taken, String> {
        self.manager
            .emit(id, emit, self.now)
            .map_err(|not_taken| not_taken.error.to_string())
    }

    fn expiry(&self, after: Duration) -> Expiry {
        Expiry::new(self.now, after)
    }

    fn join(&mut self, name: &str) -> NamespaceId {
        let id = self.manager.namespace(name);
        self.manager
            .join(id, None, self.now, SECOND, self.now)
            .unwrap();
        id
    }
}

/// Two emits may wait, and nothing is made again.
fn settings() -> Settings {
    Settings {
        connect_timeout: 20 * SECOND,
        queue: Bounds::default().count(2),
        manual_flush: false,
        reconnect: Reconnect::off(),
        seed: 0,
        handshake_timeout: None,
        keep_open: false,
    }
}

fn plain(event: &str) -> Emit<&'static str> {
    Emit::new(Encoded::event(event, &()).unwrap())
}

fn config() -> SessionConfig<()> {
    SessionConfig {
        path: "/".into(),
        query: "".into(),
        transports: vec![Transport::Polling],
        upgrade: false,
        timestamps: false,
        nonce: 0,
        upgrade_timeout: SECOND,
        close_timeout: SECOND,
        limits: Limits::default(),
        options: (),
    }
}

fn opened() -> SessionEvent {
    SessionEvent::Opened {
        sid: "sid".into(),
        transport: Transport::Polling,
    }
}

fn joined(name: &str) -> SessionEvent {
    SessionEvent::Joined {
        namespace: name.into(),
    }
}

fn event(namespace: &str, name: &str) -> SessionEvent {
    SessionEvent::Event {
        namespace: namespace.into(),
        name: name.into(),
        args: Args::default(),
        id: None,
    }
}

fn ack(namespace: &str, id: AckId) -> SessionEvent {
    SessionEvent::Ack {
        namespace: namespace.into(),
        id,
        args: Args::values("[1]".into(), Vec::new()).unwrap(),
    }
}

fn closed() -> SessionEvent {
    SessionEvent::Closed(DisconnectReason::PingTimeout)
}

#[test]
fn emits_wait_for_the_connection_and_leave_in_order_behind_the_connect() {
    let mut scenario = Scenario::to_active();
    scenario.emit(ROOT_ID, "a", None).unwrap();
    scenario.emit(ROOT_ID, "b", Some("asker")).unwrap();
    scenario.says([opened(), joined("/")]);
    assert_eq!(scenario.effects(), ["/ connected", "/ hook", "/ joined"]);
    assert_eq!(
        scenario.commands(),
        [r#"emit / None ["a"]"#, r#"emit / Some(0) ["b"]"#]
    );
    scenario.says([ack("/", 0)]);
    assert_eq!(scenario.effects(), ["asker got [1]"]);
}

#[test]
fn the_queue_is_bounded_and_an_emit_beyond_it_is_an_error() {
    let mut scenario = Scenario::to_active();
    scenario.emit(ROOT_ID, "a", None).unwrap();
    scenario.emit(ROOT_ID, "b", None).unwrap();
    let error = scenario.emit(ROOT_ID, "c", None).unwrap_err();
    assert_eq!(
        error,
        "the queue of / is full: 2 emits with 10 bytes wait for the connection"
    );
}

#[test]
fn an_emit_whose_ack_came_too_late_in_the_queue_is_never_sent() {
    let mut scenario = Scenario::to_active();
    scenario.emit(ROOT_ID, "late", Some("asker")).unwrap();
    scenario.emit(ROOT_ID, "plain", None).unwrap();
    assert_eq!(
        scenario.manager.poll_timeout(),
        Some(scenario.now + 5 * SECOND)
    );
    scenario.pass(5 * SECOND);
    assert_eq!(
        scenario.effects(),
        ["asker got no ack: no ack came within 5s"]
    );
    scenario.says([opened(), joined("/")]);
    scenario.effects();
    assert_eq!(scenario.commands(), [r#"emit / None ["plain"]"#]);
}

#[test]
fn connecting_that_takes_too_long_fails_with_its_deadline_and_closes() {
    let mut scenario = Scenario::to_active();
    scenario.pass(20 * SECOND);
    assert_eq!(
        scenario.effects(),
        ["/ not joined: the server did not complete the connection within 20s"]
    );
    assert_eq!(scenario.commands(), ["close"]);
    scenario.says([closed()]);
    assert_eq!(scenario.effects(), ["ended"]);
}

#[test]
fn a_lookup_that_fails_is_the_outcome_of_connecting() {
    let mut scenario = Scenario::new();
    scenario.manager.open(ROOT_ID, scenario.now).unwrap();
    scenario.effects();
    let error = Error::transport("looking up h", std::io::Error::other("no"));
    scenario.manager.prepared(Err(error), scenario.now);
    assert_eq!(scenario.effects(), ["/ not joined: looking up h", "ended"]);
}

#[test]
fn closing_while_preparing_wins_over_what_comes_later() {
    let mut scenario = Scenario::new();
    scenario.manager.open(ROOT_ID, scenario.now).unwrap();
    scenario.manager.close(scenario.now);
    scenario.manager.prepared(Ok(config()), scenario.now);
    assert_eq!(
        scenario.effects(),
        [
            "prepare 0",
            "/ not joined: not connected: closed by this client",
            "ended"
        ]
    );
}

#[test]
fn namespaces_asked_for_before_the_session_is_open_are_joined_when_it_is() {
    let mut scenario = Scenario::to_active();
    scenario.join("/chat");
    assert!(scenario.commands().is_empty());
    scenario.says([opened()]);
    scenario.effects();
    assert_eq!(scenario.commands(), ["join /chat None"]);
}

#[test]
fn a_namespace_is_joined_once_however_often_it_is_asked_for() {
    let mut scenario = Scenario::to_connected();
    let chat = scenario.join("/chat");
    scenario.join("/chat");
    assert_eq!(scenario.commands(), ["join /chat None"]);
    scenario.says([joined("/chat"), joined("/chat")]);
    assert_eq!(scenario.effects(), ["/chat connected", "/chat joined"]);
    scenario.join("/chat");
    assert_eq!(scenario.effects(), ["/chat joined"]);
    assert!(scenario.manager.is_open(chat));
}

#[test]
fn a_refused_namespace_has_the_server_s_words_and_the_root_stays() {
    let mut scenario = Scenario::to_connected();
    let admin = scenario.join("/admin");
    scenario.emit(admin, "queued", Some("asker")).unwrap();
    scenario.says([SessionEvent::Refused {
        namespace: "/admin".into(),
        reason: Value::from("no entry"),
    }]);
    let effects = scenario.effects();
    assert_eq!(effects.len(), 2, "{effects:?}");
    assert!(effects[0].starts_with("asker got no ack: not connected: the server refused /admin"));
    assert!(effects[1].starts_with("/admin not joined: the server refused /admin"));
    assert!(scenario.manager.is_open(ROOT_ID));
}

#[test]
fn a_namespace_that_never_answers_fails_at_its_deadline_and_is_left() {
    let mut scenario = Scenario::to_connected();
    scenario.join("/silent");
    scenario.pass(SECOND);
    assert_eq!(
        scenario.effects(),
        ["/silent not joined: the server did not answer the join within 1s"]
    );
    assert_eq!(scenario.commands(), ["join /silent None", "leave /silent"]);
    scenario.says([joined("/silent")]);
    assert!(scenario.effects().is_empty(), "granted too late");
}

#[test]
fn events_before_the_namespace_s_connect_packet_come_behind_it() {
    let mut scenario = Scenario::to_connected();
    scenario.join("/chat");
    scenario.says([
        event("/chat", "early"),
        joined("/chat"),
        event("/chat", "later"),
    ]);
    assert_eq!(
        scenario.effects(),
        [
            "/chat connected",
            "/chat joined",
            "/chat event early",
            "/chat event later"
        ]
    );
}

#[test]
fn events_of_namespaces_not_joined_are_dropped_and_counted() {
    let mut scenario = Scenario::to_connected();
    scenario.says([event("/other", "x")]);
    assert!(scenario.effects().is_empty());
    assert_eq!(scenario.manager.counters().dropped_events, 1);
}

#[test]
fn each_ack_has_exactly_one_outcome() {
    let mut scenario = Scenario::to_connected();
    for waiter in ["answered", "late", "lost"] {
        scenario.emit(ROOT_ID, "q", Some(waiter)).unwrap();
    }
    scenario.says([ack("/", 0), ack("/", 0)]);
    assert_eq!(scenario.effects(), ["answered got [1]"]);
    scenario.now += SECOND;
    scenario.emit(ROOT_ID, "q", Some("last")).unwrap();
    scenario.pass(4 * SECOND);
    assert_eq!(
        scenario.effects(),
        [
            "late got no ack: no ack came within 5s",
            "lost got no ack: no ack came within 5s"
        ]
    );
    scenario.says([ack("/", 1), closed()]);
    let effects = scenario.effects();
    assert_eq!(
        effects,
        [
            "last got no ack: not connected: ping timeout: the server was silent for too long",
            "/ disconnected: ping timeout: the server was silent for too long",
            "ended"
        ]
    );
    assert_eq!(scenario.manager.counters().unknown_acks, 2);
}

#[test]
fn acks_of_namespaces_do_not_meet() {
    let mut scenario = Scenario::to_connected();
    let chat = scenario.join("/chat");
    scenario.says([joined("/chat")]);
    scenario.effects();
    scenario.emit(ROOT_ID, "q", Some("root")).unwrap();
    scenario.emit(chat, "q", Some("chat")).unwrap();
    scenario.says([ack("/chat", 0)]);
    assert_eq!(scenario.effects(), ["chat got [1]"]);
}

#[test]
fn leaving_the_last_namespace_closes_and_leaving_another_does_not() {
    let mut scenario = Scenario::to_connected();
    let chat = scenario.join("/chat");
    scenario.says([joined("/chat")]);
    scenario.effects();
    scenario.commands();
    scenario.manager.leave(chat, scenario.now);
    assert_eq!(scenario.commands(), ["leave /chat"]);
    assert_eq!(
        scenario.effects(),
        ["/chat disconnected: closed by this client"]
    );
    scenario.manager.leave(ROOT_ID, scenario.now);
    assert_eq!(scenario.commands(), ["close"]);
    assert!(scenario.manager.is_closing_or_closed());
}

#[test]
fn a_root_that_was_not_asked_for_keeps_no_connection() {
    let mut scenario = Scenario::new();
    let chat = scenario.join("/chat");
    scenario.effects();
    scenario.manager.prepared(Ok(config()), scenario.now);
    scenario.says([opened(), joined("/"), joined("/chat")]);
    scenario.effects();
    scenario.commands();
    scenario.manager.leave(chat, scenario.now);
    assert_eq!(scenario.commands(), ["close"]);
}

#[test]
fn a_connection_told_to_stay_stays_when_the_last_namespace_was_left() {
    let mut scenario = Scenario::with_keep_open(true);
    scenario.activate();
    scenario.says([opened(), joined("/")]);
    scenario.effects();
    scenario.manager.leave(ROOT_ID, scenario.now);
    assert_eq!(scenario.commands(), ["leave /"]);
    assert!(!scenario.manager.is_closing_or_closed());
}

#[test]
fn the_server_disconnecting_the_last_namespace_closes() {
    let mut scenario = Scenario::to_connected();
    scenario.says([SessionEvent::Left {
        namespace: "/".into(),
    }]);
    assert_eq!(scenario.effects(), ["/ disconnected: closed by the server"]);
    assert_eq!(scenario.commands(), ["close"]);
}

#[test]
fn a_refused_root_is_the_outcome_of_connecting_and_closes() {
    let mut scenario = Scenario::to_active();
    scenario.join("/chat");
    scenario.says([
        opened(),
        SessionEvent::Refused {
            namespace: "/".into(),
            reason: Value::from("go away"),
        },
    ]);
    let effects = scenario.effects();
    assert_eq!(effects.len(), 2, "{effects:?}");
    assert!(
        effects[0].starts_with("/ not joined: the server refused /"),
        "{effects:?}"
    );
    assert!(
        effects[1].starts_with("/chat not joined: the server refused /"),
        "{effects:?}"
    );
    assert_eq!(
        scenario.commands().last().map(String::as_str),
        Some("close")
    );
}

#[test]
fn an_answer_to_a_question_of_an_earlier_connection_is_not_sent() {
    use std::sync::{Arc, Mutex};

    use crate::event::{Ack, Reply};

    /// Hands the question back to the test.
    #[derive(Default)]
    struct Capture(Mutex<Option<(ByteString, AckId, u64)>>);

    impl Reply for Capture {
        fn check(&self, _: &Encoded) -> Result<(), Error> {
            Ok(())
        }

        fn reply(&self, question: &Question, _: Encoded) -> Result<(), Error> {
            let seen = (question.namespace.clone(), question.id, question.epoch);
            *self.0.lock().unwrap() = Some(seen);
            Ok(())
        }
    }

    let mut scenario = Scenario::to_connected();
    let capture = Arc::new(Capture::default());
    let replier: Arc<dyn Reply> = Arc::clone(&capture) as Arc<dyn Reply>;
    let epoch = scenario.manager.epoch();
    Ack::wanted("/".into(), 7, epoch, Arc::downgrade(&replier))
        .send(())
        .unwrap();
    assert_eq!(*capture.0.lock().unwrap(), Some(("/".into(), 7, epoch)));

    let question = |epoch| Question::new("/".into(), 7, epoch, Arc::downgrade(&replier));
    let answer = || Encoded::values(&"yes").unwrap();
    scenario
        .manager
        .reply(&question(epoch), answer(), scenario.now)
        .unwrap();
    assert_eq!(scenario.commands(), [r#"ack / 7 ["yes"]"#]);
    let stale = scenario
        .manager
        .reply(&question(epoch - 1), answer(), scenario.now);
    assert!(matches!(stale, Err(Error::Disconnected(_))));
    assert!(scenario.commands().is_empty());
}

#[test]
fn a_handshake_that_takes_too_long_ends_the_attempt_with_its_own_deadline() {
    let mut scenario = Scenario::with(Settings {
        handshake_timeout: Some(3 * SECOND),
        ..settings()
    });
    scenario.manager.open(ROOT_ID, scenario.now).unwrap();
    scenario.effects();
    // It counts from here, and looking the name up may take its time.
    scenario.pass(10 * SECOND);
    scenario.manager.prepared(Ok(config()), scenario.now);
    let due = scenario.manager.poll_timeout();
    assert_eq!(due, Some(scenario.now + 3 * SECOND));
    scenario.pass(3 * SECOND);
    assert_eq!(
        scenario.effects(),
        ["/ not joined: the server did not open a session within 3s"]
    );
    assert_eq!(scenario.commands(), ["close"]);
}

#[test]
fn an_open_session_may_take_the_whole_attempt() {
    let mut scenario = Scenario::with(Settings {
        handshake_timeout: Some(3 * SECOND),
        ..settings()
    });
    scenario.activate();
    scenario.pass(2 * SECOND);
    scenario.says([SessionEvent::Identified]);
    assert_eq!(scenario.effects(), [""; 0]);
    scenario.pass(2 * SECOND);
    assert_eq!(scenario.effects(), [""; 0]);
    scenario.says([opened()]);
    scenario.pass(15 * SECOND);
    scenario.says([joined("/")]);
    assert_eq!(scenario.effects(), ["/ connected", "/ joined"]);
    scenario.pass(100 * SECOND);
    assert_eq!(scenario.effects(), [""; 0]);
}

#[test]
fn what_was_left_is_not_joined_again_where_the_server_would_run_its_handlers_twice() {
    let now = Instant::now();
    let mut manager = Manager::<Scripted<false>, ()>::new(Settings {
        connect_timeout: SECOND,
        ..settings()
    });
    let told = |manager: &mut Manager<Scripted<false>, ()>, events: &[SessionEvent]| {
        let Link::Active(session) = &mut manager.link else {
            panic!("no session");
        };
        let events = events.iter().cloned().map(Output::Event);
        session.out.extend(events);
        while manager.poll_effect(now).is_some() {}
    };
    let opened = SessionEvent::Opened {
        sid: "S".into(),
        transport: Transport::WebSocket,
    };
    let joined = |namespace: &'static str| SessionEvent::Joined {
        namespace: namespace.into(),
    };
    manager.open(ROOT_ID, now).unwrap();
    manager.prepared(Ok(config()), now);
    told(&mut manager, &[opened, joined("/")]);

    let [left, refused, silent] = ["/left", "/refused", "/silent"].map(|name| {
        let id = manager.namespace(name);
        manager.join(id, None, now, SECOND, now).unwrap();
        id
    });
    let refusal = SessionEvent::Refused {
        namespace: "/refused".into(),
        reason: Value::Null,
    };
    told(&mut manager, &[joined("/left"), refusal]);
    manager.leave(left, now);
    manager.handle_timeout(now + SECOND);
    for id in [left, silent] {
        let error = manager.join(id, None, now, SECOND, now).unwrap_err();
        assert!(
            matches!(error, Error::Usage(UsageError::Unsupported { .. })),
            "{error:?}"
        );
    }
    manager.join(refused, None, now, SECOND, now).unwrap();
}

#[test]
fn what_was_never_asked_for_in_a_session_may_be_joined_in_it() {
    let now = Instant::now();
    let mut manager = Manager::<Scripted<false>, ()>::new(settings());
    manager.open(ROOT_ID, now).unwrap();
    let chat = manager.namespace("/chat");
    manager.join(chat, None, now, SECOND, now).unwrap();
    // The program's hook, or the name lookup, takes longer.
    let now = now + SECOND;
    manager.handle_timeout(now);
    manager.prepared(Ok(config()), now);
    while manager.poll_effect(now).is_some() {}
    manager.join(chat, None, now, SECOND, now).unwrap();
}

#[test]
fn what_was_left_before_it_was_granted_is_not_joined_again_either() {
    let now = Instant::now();
    let mut manager = Manager::<Scripted<false>, ()>::new(settings());
    manager.open(ROOT_ID, now).unwrap();
    manager.prepared(Ok(config()), now);
    let session = manager.link.session_mut().unwrap();
    session.out.push_back(Output::Event(opened()));
    session.out.push_back(Output::Event(joined("/")));
    while manager.poll_effect(now).is_some() {}
    let chat = manager.namespace("/chat");
    manager.join(chat, None, now, SECOND, now).unwrap();
    manager.leave(chat, now);
    let error = manager.open(chat, now).unwrap_err();
    assert!(
        matches!(error, Error::Usage(UsageError::Unsupported { .. })),
        "{error:?}"
    );
}

#[test]
fn where_a_namespace_cannot_be_asked_for_again_a_lost_answer_takes_a_new_session() {
    let begin = Instant::now();
    let mut manager = Manager::<Scripted<false>, ()>::new(Settings {
        reconnect: Reconnect::default(),
        ..settings()
    });
    let say = |manager: &mut Manager<_, ()>, events: Vec<SessionEvent>, now| {
        let session: &mut Scripted<false> = manager.link.session_mut().unwrap();
        session.out.extend(events.into_iter().map(Output::Event));
        while manager.poll_effect(now).is_some() {}
    };
    manager.open(ROOT_ID, begin).unwrap();
    manager.prepared(Ok(config()), begin);
    let chat = manager.namespace("/chat");
    manager.join(chat, None, begin, SECOND, begin).unwrap();
    let all = || vec![opened(), joined("/"), joined("/chat")];
    say(&mut manager, all(), begin);
    assert!(manager.is_open(chat));
    say(&mut manager, vec![closed()], begin);
    let back = begin + 10 * SECOND;
    manager.handle_timeout(back);
    manager.prepared(Ok(config()), back);
    say(&mut manager, vec![opened(), joined("/")], back);
    manager.handle_timeout(back + SECOND);
    assert!(manager.is_open(ROOT_ID), "the server may be slow");
    manager.handle_timeout(back + 2 * SECOND);
    let session = manager.link.session_mut().unwrap();
    assert_eq!(session.commands, ["join /chat None", "close"]);
    let mut told = Vec::new();
    while let Some(effect) = manager.poll_effect(back + 2 * SECOND) {
        if let Effect::Status(_, status) = effect {
            told.push(format!("{status:?}"));
        }
    }
    assert_eq!(
        told.iter()
            .filter(|told| told.contains("ReconnectError"))
            .count(),
        2,
        "{told:?}"
    );
    assert!(!manager.is_open(ROOT_ID), "{told:?}");
}
