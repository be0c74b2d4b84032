//! What is made again after a loss, when, and what everybody is told.

use super::*;

/// For ever, 1 s doubling to 5 s, with nothing left to chance.
fn steady() -> Reconnect {
    Reconnect::default().jitter(0.0)
}

fn connected_with(reconnect: Reconnect) -> Scenario {
    let mut scenario = Scenario::with(Settings {
        reconnect,
        ..settings()
    });
    scenario.activate();
    scenario.says([opened(), joined("/")]);
    scenario.effects();
    scenario
}

fn lost(reason: DisconnectReason) -> SessionEvent {
    SessionEvent::Closed(reason)
}

impl Scenario {
    /// The attempt that was prepared gets a session, which opens.
    fn come_back(&mut self) {
        self.manager.prepared(Ok(config()), self.now);
        self.says([opened(), joined("/")]);
    }

    fn refuse(&mut self) {
        let error = Error::Disconnected(DisconnectReason::SessionLost);
        self.manager.prepared(Err(error), self.now);
    }
}

#[test]
fn a_lost_connection_is_made_again_and_everybody_told_in_order() {
    let mut scenario = connected_with(steady());
    scenario.emit(ROOT_ID, "ask", Some("asker")).unwrap();
    scenario.says([closed()]);
    let reason = "ping timeout: the server was silent for too long";
    assert_eq!(
        scenario.effects(),
        [
            &format!("asker got no ack: not connected: {reason}"),
            &format!("/ disconnected: {reason}"),
            "hang up",
            "/ ReconnectScheduled { attempt: 1, delay: 1s }",
        ]
    );
    assert_eq!(
        scenario.manager.state(ROOT_ID),
        ConnectionState::Reconnecting
    );
    assert_eq!(scenario.manager.sid(), None);
    assert_eq!(scenario.manager.poll_timeout(), Some(scenario.now + SECOND));
    scenario.pass(SECOND);
    assert_eq!(
        scenario.effects(),
        ["/ Reconnecting { attempt: 1 }", "prepare 1"]
    );
    scenario.come_back();
    assert_eq!(
        scenario.effects(),
        [
            "/ connected again",
            "/ Reconnected { attempt: 1 }",
            "/ joined"
        ]
    );
    assert_eq!(scenario.manager.state(ROOT_ID), ConnectionState::Connected);
    assert_eq!(scenario.manager.counters().reconnects, 1);
}

#[test]
fn delays_double_to_the_cap_and_begin_anew_after_a_success() {
    let mut scenario = connected_with(steady());
    scenario.says([closed()]);
    for (attempt, delay) in [(1, 1), (2, 2), (3, 4), (4, 5), (5, 5)] {
        let effects = scenario.effects();
        let scheduled = format!("/ ReconnectScheduled {{ attempt: {attempt}, delay: {delay}s }}");
        assert_eq!(effects.last(), Some(&scheduled), "{effects:?}");
        scenario.pass(delay * SECOND - Duration::from_millis(1));
        assert!(scenario.effects().is_empty(), "before its time");
        scenario.pass(Duration::from_millis(1));
        assert_eq!(
            scenario.effects().last(),
            Some(&format!("prepare {attempt}"))
        );
        scenario.refuse();
    }
    scenario.effects();
    scenario.pass(5 * SECOND);
    scenario.effects();
    scenario.come_back();
    scenario.effects();
    scenario.says([closed()]);
    assert_eq!(
        scenario.effects().last().unwrap(),
        "/ ReconnectScheduled { attempt: 1, delay: 1s }"
    );
}

#[test]
fn outages_of_1_20_and_90_seconds_end_with_the_attempt_that_finds_the_server() {
    for (outage, attempts, after) in [(1, 1, 1), (20, 6, 22), (90, 20, 92)] {
        let mut scenario = connected_with(steady());
        let begin = scenario.now;
        scenario.says([closed()]);
        scenario.effects();
        let mut made = 0;
        while !scenario.manager.is_open(ROOT_ID) {
            scenario.now = scenario.manager.poll_timeout().expect("an attempt to come");
            scenario.manager.handle_timeout(scenario.now);
            scenario.effects();
            made += 1;
            if scenario.now - begin < outage * SECOND {
                scenario.refuse();
            } else {
                scenario.come_back();
            }
            scenario.effects();
        }
        assert_eq!(
            (made, scenario.now - begin),
            (attempts, after * SECOND),
            "an outage of {outage} s"
        );
    }
}

#[test]
fn a_delay_of_no_end_is_one_the_clock_can_count_to() {
    let mut scenario = connected_with(steady().base(Duration::MAX).cap(Duration::MAX));
    scenario.says([closed()]);
    scenario.effects();
    let century = 99 * 365 * 86_400 * SECOND;
    assert!(scenario.manager.poll_timeout().unwrap() > scenario.now + century);
}

#[test]
fn when_attempts_run_out_the_failure_comes_once_and_the_connection_is_over() {
    let mut scenario = connected_with(steady().attempts(2));
    scenario.says([closed()]);
    for _ in 0..2 {
        scenario.effects();
        scenario.pass(2 * SECOND);
        scenario.effects();
        scenario.refuse();
    }
    let effects = scenario.effects();
    assert!(
        effects[0].starts_with("/ ReconnectError { attempt: 2, error: "),
        "{effects:?}"
    );
    assert!(
        effects[3].starts_with("/ ReconnectFailed { attempts: 2, error: "),
        "{effects:?}"
    );
    assert_eq!(effects.last().unwrap(), "ended");
    let failures = effects.iter().filter(|text| text.contains("Failed"));
    assert_eq!(failures.count(), 1, "{effects:?}");
    assert!(scenario.manager.is_closed());
    let error = scenario.emit(ROOT_ID, "late", None).unwrap_err();
    assert!(error.starts_with("not connected: "), "{error}");
}

#[test]
fn without_reconnection_a_loss_is_the_end() {
    let mut scenario = connected_with(Reconnect::off());
    scenario.says([closed()]);
    let effects = scenario.effects();
    assert!(effects[0].starts_with("/ disconnected: "), "{effects:?}");
    assert_eq!(effects[1..], ["ended"]);
    assert_eq!(scenario.manager.poll_timeout(), None);
}

#[test]
fn what_the_server_ended_is_made_again_only_if_asked_for() {
    let mut scenario = connected_with(steady());
    scenario.says([lost(DisconnectReason::Server)]);
    assert_eq!(
        scenario.effects(),
        ["/ disconnected: closed by the server", "ended"]
    );
    let mut scenario = connected_with(steady().after_server(true));
    scenario.says([lost(DisconnectReason::Server)]);
    assert_eq!(
        scenario.effects().last().unwrap(),
        "/ ReconnectScheduled { attempt: 1, delay: 1s }"
    );
}

#[test]
fn the_first_connect_is_retried_only_if_asked_for() {
    for retried in [false, true] {
        let mut scenario = Scenario::with(Settings {
            reconnect: steady().retry_initial(retried),
            ..settings()
        });
        scenario.manager.open(ROOT_ID, scenario.now).unwrap();
        scenario.effects();
        scenario.refuse();
        let effects = scenario.effects();
        if !retried {
            assert!(effects[0].starts_with("/ not joined: "), "{effects:?}");
            assert_eq!(effects[1..], ["ended"]);
            continue;
        }
        assert!(
            effects[0].starts_with("/ ReconnectError { attempt: 0, "),
            "{effects:?}"
        );
        assert!(
            !effects.iter().any(|text| text.contains("joined")),
            "the connect has one outcome: {effects:?}"
        );
        scenario.pass(SECOND);
        scenario.effects();
        scenario.come_back();
        assert_eq!(
            scenario.effects(),
            ["/ connected", "/ Reconnected { attempt: 1 }", "/ joined"]
        );
    }
}

#[test]
fn a_retried_first_connect_that_is_given_up_or_closed_tells_its_caller() {
    for closed in [false, true] {
        let mut scenario = Scenario::with(Settings {
            reconnect: steady().retry_initial(true).attempts(1),
            ..settings()
        });
        let chat = scenario.join("/chat");
        scenario.effects();
        scenario.refuse();
        if closed {
            scenario.manager.close(scenario.now);
        } else {
            scenario.pass(SECOND);
            scenario.refuse();
        }
        let effects = scenario.effects();
        for name in ["/", "/chat"] {
            let told = format!("{name} not joined: ");
            let told = effects.iter().filter(|text| text.starts_with(&told));
            assert_eq!(told.count(), 1, "{effects:?}");
        }
        assert_eq!(effects.last().unwrap(), "ended");
        assert_eq!(scenario.manager.state(chat), ConnectionState::Disconnected);
    }
}

#[test]
fn closing_wins_while_waiting_preparing_connecting_and_closing() {
    type Reach = fn(&mut Scenario);
    let states: [(&str, Reach); 4] = [
        ("waiting", |_| {}),
        ("preparing", |scenario| {
            scenario.pass(SECOND);
            scenario.effects();
        }),
        ("connecting", |scenario| {
            scenario.pass(SECOND);
            scenario.effects();
            scenario.manager.prepared(Ok(config()), scenario.now);
        }),
        ("closing to come back", |scenario| {
            scenario.pass(SECOND);
            scenario.effects();
            scenario.manager.prepared(Ok(config()), scenario.now);
            scenario.pass(20 * SECOND);
            assert_eq!(scenario.commands(), ["close"]);
        }),
    ];
    for (name, reach) in states {
        let mut scenario = connected_with(steady());
        scenario.says([closed()]);
        scenario.effects();
        reach(&mut scenario);
        scenario.effects();
        scenario.manager.close(scenario.now);
        if scenario.manager.link.session_mut().is_some() {
            scenario.says([lost(DisconnectReason::Client)]);
        }
        assert_eq!(scenario.effects().last().unwrap(), "ended", "{name}");
        assert!(scenario.manager.is_closed(), "{name}");
        assert_eq!(scenario.manager.poll_timeout(), None, "{name}");
        assert_eq!(
            scenario.manager.reason(ROOT_ID).to_string(),
            "closed by this client",
            "{name}"
        );
    }
}

#[test]
fn what_was_closed_or_given_up_is_opened_again_and_later_losses_too() {
    let mut scenario = connected_with(steady());
    scenario.manager.close(scenario.now);
    scenario.says([lost(DisconnectReason::Client)]);
    scenario.effects();
    scenario.manager.open(ROOT_ID, scenario.now).unwrap();
    assert_eq!(scenario.effects(), ["prepare 0"]);
    scenario.come_back();
    assert_eq!(scenario.effects(), ["/ connected again", "/ joined"]);
    scenario.says([closed()]);
    assert_eq!(
        scenario.effects().last().unwrap(),
        "/ ReconnectScheduled { attempt: 1, delay: 1s }"
    );
}

#[test]
fn opening_again_while_waiting_makes_the_attempt_now_and_tells_how_it_went() {
    let mut scenario = connected_with(steady());
    scenario.says([closed()]);
    scenario.effects();
    scenario.manager.open(ROOT_ID, scenario.now).unwrap();
    assert_eq!(
        scenario.effects(),
        ["/ Reconnecting { attempt: 1 }", "prepare 1"]
    );
    scenario.refuse();
    let effects = scenario.effects();
    assert!(effects[1].starts_with("/ not joined: "), "{effects:?}");
    assert_eq!(
        effects.last().unwrap(),
        "/ ReconnectScheduled { attempt: 2, delay: 2s }"
    );
}

#[test]
fn namespaces_come_back_with_their_query_and_what_was_left_does_not() {
    let mut scenario = connected_with(steady());
    let chat = scenario.manager.namespace("/chat");
    let query = Some("a=1".into());
    scenario
        .manager
        .join(chat, query, scenario.now, SECOND, scenario.now)
        .unwrap();
    let left = scenario.join("/left");
    scenario.says([joined("/chat"), joined("/left")]);
    scenario.manager.leave(left, scenario.now);
    scenario.effects();
    scenario.says([closed()]);
    let effects = scenario.effects();
    assert!(!effects.iter().any(|text| text.contains("/left")));
    scenario.pass(SECOND);
    scenario.effects();
    scenario.come_back();
    scenario.effects();
    assert_eq!(scenario.commands(), [r#"join /chat Some("a=1")"#]);
    scenario.says([joined("/chat")]);
    assert_eq!(
        scenario.effects(),
        [
            "/chat connected again",
            "/chat Reconnected { attempt: 1 }",
            "/chat joined"
        ]
    );
}

#[test]
fn a_namespace_that_does_not_come_back_is_given_up_and_the_root_stays() {
    let mut scenario = connected_with(steady());
    let refused = scenario.join("/refused");
    let silent = scenario.join("/silent");
    scenario.says([joined("/refused"), joined("/silent")]);
    scenario.effects();
    scenario.says([closed()]);
    scenario.effects();
    scenario.pass(SECOND);
    scenario.come_back();
    scenario.effects();
    scenario.says([SessionEvent::Refused {
        namespace: "/refused".into(),
        reason: Value::Null,
    }]);
    let effects = scenario.effects();
    assert!(
        effects[1].starts_with("/refused ReconnectFailed { attempts: 1, "),
        "{effects:?}"
    );
    assert_eq!(
        scenario.manager.state(refused),
        ConnectionState::Disconnected
    );
    // Silence is no refusal: the session may be dying, and the next one bring it.
    scenario.commands();
    scenario.pass(SECOND);
    let effects = scenario.effects();
    assert!(
        effects[0].starts_with("/silent ReconnectError { attempt: 1, error: Timeout"),
        "{effects:?}"
    );
    assert_eq!(
        effects[1..],
        [
            "/silent ReconnectScheduled { attempt: 2, delay: 0ns }",
            "/silent Reconnecting { attempt: 2 }"
        ]
    );
    assert!(scenario.commands().is_empty(), "nothing is asked twice");
    scenario.says([joined("/silent")]);
    assert_eq!(
        scenario.effects(),
        [
            "/silent connected again",
            "/silent Reconnected { attempt: 2 }",
            "/silent joined"
        ]
    );
    assert!(scenario.manager.is_open(silent));
    assert!(scenario.manager.is_open(ROOT_ID));
}

/// Back after a loss, with a namespace that was in asked for, and not granted yet.
fn back_without(name: &'static str, reconnect: Reconnect) -> (Scenario, NamespaceId) {
    let mut scenario = connected_with(reconnect);
    let id = scenario.join(name);
    scenario.says([joined(name)]);
    scenario.effects();
    scenario.says([closed()]);
    scenario.effects();
    scenario.pass(SECOND);
    scenario.come_back();
    scenario.effects();
    (scenario, id)
}

/// The same, and its deadline has passed twice.
fn unanswered_twice() -> (Scenario, NamespaceId, Vec<String>) {
    let (mut scenario, chat) = back_without("/chat", steady());
    scenario.pass(SECOND);
    scenario.effects();
    scenario.commands();
    scenario.pass(SECOND);
    let effects = scenario.effects();
    (scenario, chat, effects)
}

#[test]
fn a_namespace_whose_answer_is_lost_is_asked_for_once_more_and_the_root_stays() {
    let (mut scenario, chat, effects) = unanswered_twice();
    assert_eq!(scenario.commands(), ["leave /chat", "join /chat None"]);
    assert_eq!(
        effects[1..],
        [
            "/chat ReconnectScheduled { attempt: 3, delay: 0ns }",
            "/chat Reconnecting { attempt: 3 }"
        ]
    );
    scenario.says([joined("/chat")]);
    assert!(scenario.effects().contains(&"/chat joined".to_owned()));
    assert!(scenario.manager.is_open(chat));
    assert!(scenario.manager.is_open(ROOT_ID));
    // However long the server goes on saying nothing, it is not asked a third time.
    let (mut scenario, ..) = unanswered_twice();
    scenario.commands();
    for _ in 0..5 {
        scenario.pass(SECOND);
        assert_eq!(scenario.effects().len(), 3, "an error and the next attempt");
    }
    assert!(scenario.commands().is_empty(), "nothing more is asked");
}

#[test]
fn a_namespace_granted_twice_after_it_was_asked_for_twice_begins_a_new_session() {
    let (mut scenario, ..) = unanswered_twice();
    scenario.says([joined("/chat")]);
    scenario.effects();
    scenario.commands();
    // The server was slow, and has two sockets now: every event would come twice.
    scenario.says([joined("/chat")]);
    let effects = scenario.effects();
    assert_eq!(scenario.commands(), ["close"]);
    assert!(effects[0].starts_with("/ disconnected: "), "{effects:?}");
    scenario.says([closed()]);
    assert!(
        scenario
            .effects()
            .contains(&"/chat ReconnectScheduled { attempt: 1, delay: 1s }".to_owned())
    );
    // One that was asked for once and is granted twice is the server's own affair.
    let mut scenario = connected_with(steady());
    scenario.join("/chat");
    scenario.says([joined("/chat"), joined("/chat")]);
    scenario.effects();
    assert!(scenario.manager.is_open(ROOT_ID));
}

#[test]
fn a_root_that_was_left_does_not_come_back_and_losses_go_on_being_made_good() {
    let mut scenario = connected_with(steady());
    scenario.join("/chat");
    scenario.says([joined("/chat")]);
    scenario.effects();
    scenario.manager.leave(ROOT_ID, scenario.now);
    scenario.effects();
    for _ in 0..2 {
        scenario.says([closed()]);
        let effects = scenario.effects();
        assert_eq!(
            effects.last().unwrap(),
            "/chat ReconnectScheduled { attempt: 1, delay: 1s }"
        );
        scenario.pass(SECOND);
        scenario.effects();
        scenario.come_back();
        scenario.says([joined("/chat")]);
        let effects = scenario.effects();
        assert!(
            !effects.iter().any(|text| text.starts_with("/ ")),
            "{effects:?}"
        );
        assert_eq!(scenario.commands(), ["join /chat None", "leave /"]);
        assert_eq!(
            scenario.manager.state(ROOT_ID),
            ConnectionState::Disconnected
        );
    }
}

#[test]
fn a_namespace_that_never_answers_is_given_up_with_the_last_attempt() {
    let (mut scenario, _) = back_without("/silent", steady().attempts(1));
    scenario.pass(SECOND);
    let effects = scenario.effects();
    assert!(
        effects[1].starts_with("/silent ReconnectFailed { attempts: 1, "),
        "{effects:?}"
    );
    assert_eq!(
        scenario.commands().last().map(String::as_str),
        Some("leave /silent")
    );
}

#[test]
fn a_root_that_is_opened_before_it_has_come_is_not_asked_for() {
    let mut scenario = Scenario::new();
    scenario.join("/chat");
    scenario.manager.leave(ROOT_ID, scenario.now);
    scenario.effects();
    scenario.manager.prepared(Ok(config()), scenario.now);
    scenario.says([opened()]);
    scenario.effects();
    scenario.manager.open(ROOT_ID, scenario.now).unwrap();
    scenario.says([joined("/")]);
    scenario.effects();
    assert_eq!(scenario.commands(), ["join /chat None"]);
    assert!(scenario.manager.is_open(ROOT_ID));
}

#[test]
fn a_root_asked_for_in_an_attempt_of_another_has_its_own_shorter_deadline() {
    let mut scenario = Scenario::new();
    scenario.join("/chat");
    scenario.manager.leave(ROOT_ID, scenario.now);
    scenario.effects();
    let now = scenario.now;
    scenario
        .manager
        .join(ROOT_ID, None, now, SECOND / 2, now)
        .unwrap();
    scenario.pass(SECOND / 2);
    assert_eq!(
        scenario.effects(),
        ["/ not joined: the server did not answer the join within 500ms"]
    );
    let due = scenario.manager.poll_timeout().expect("the join of /chat");
    assert!(due > scenario.now, "nothing is left due");
}

#[test]
fn a_root_asked_for_after_a_loss_has_its_own_deadline_however_long_attempts_fail() {
    let mut scenario = connected_with(steady());
    scenario.join("/chat");
    scenario.says([joined("/chat")]);
    scenario.effects();
    scenario.manager.leave(ROOT_ID, scenario.now);
    scenario.says([closed()]);
    scenario.effects();
    scenario.join("/");
    for _ in 0..10 {
        scenario.refuse();
        scenario.pass(SECOND / 2);
        let effects = scenario.effects();
        if let Some(outcome) = effects.iter().find(|text| text.starts_with("/ not joined")) {
            assert!(outcome.contains("not connected"), "{outcome}");
            assert!(scenario.manager.poll_timeout() > Some(scenario.now));
            return;
        }
    }
    panic!("whoever waits for the root never hears of it");
}

#[test]
fn an_attempt_that_takes_longer_than_the_deadline_of_a_new_root_is_no_reason_to_wait_for_the_next()
{
    let mut scenario = connected_with(steady());
    scenario.join("/chat");
    scenario.says([joined("/chat")]);
    scenario.effects();
    scenario.manager.leave(ROOT_ID, scenario.now);
    scenario.says([closed()]);
    scenario.effects();
    scenario.join("/");
    scenario.effects();
    scenario.pass(60 * SECOND);
    let effects = scenario.effects();
    let told = effects
        .iter()
        .filter(|text| text.starts_with("/ not joined"));
    assert_eq!(told.count(), 1, "{effects:?}");
    assert!(scenario.manager.poll_timeout() > Some(scenario.now));
}

#[test]
fn a_root_that_is_joined_first_has_its_own_deadline() {
    let mut scenario = Scenario::new();
    let now = scenario.now;
    scenario
        .manager
        .join(ROOT_ID, None, now, 3 * SECOND, now)
        .unwrap();
    scenario.effects();
    scenario.pass(3 * SECOND);
    assert_eq!(
        scenario.effects()[0],
        "/ not joined: the server did not complete the connection within 3s"
    );
}

#[test]
fn a_root_that_was_left_while_connecting_costs_nobody_the_connection() {
    let mut scenario = Scenario::with(Settings {
        reconnect: steady(),
        ..settings()
    });
    scenario.activate();
    scenario.join("/chat");
    scenario.manager.leave(ROOT_ID, scenario.now);
    scenario.says([opened(), joined("/"), joined("/chat")]);
    let effects = scenario.effects();
    assert_eq!(effects.last().unwrap(), "/chat joined");
    scenario.pass(60 * SECOND);
    assert!(scenario.effects().is_empty(), "the attempt has succeeded");
    scenario.says([closed()]);
    assert_eq!(
        scenario.effects().last().unwrap(),
        "/chat ReconnectScheduled { attempt: 1, delay: 1s }"
    );
}

#[test]
fn a_connection_opened_for_one_namespace_closes_with_it_also_when_the_root_was_wanted_before() {
    let mut scenario = connected_with(steady());
    scenario.manager.close(scenario.now);
    scenario.says([lost(DisconnectReason::Client)]);
    scenario.effects();
    let chat = scenario.join("/chat");
    scenario.effects();
    scenario.come_back();
    scenario.says([joined("/chat")]);
    scenario.effects();
    scenario.commands();
    scenario.manager.leave(chat, scenario.now);
    assert_eq!(scenario.commands(), ["close"]);
}

#[test]
fn an_error_of_this_side_ends_a_session_and_no_attempt() {
    let overflow = || Error::Disconnected(DisconnectReason::NotYet);
    let mut scenario = connected_with(steady());
    scenario.manager.fail(overflow(), scenario.now);
    assert_eq!(scenario.commands(), ["close"]);
    scenario.says([lost(DisconnectReason::Client)]);
    scenario.effects();
    scenario.manager.fail(overflow(), scenario.now);
    assert!(scenario.effects().is_empty(), "while waiting");
    scenario.pass(SECOND);
    scenario.effects();
    scenario.manager.fail(overflow(), scenario.now);
    assert!(scenario.effects().is_empty(), "while preparing");
}

#[test]
fn a_namespace_that_is_lost_again_before_it_is_back_hears_that_its_attempt_failed() {
    let mut scenario = connected_with(steady());
    scenario.join("/chat");
    scenario.says([joined("/chat")]);
    scenario.effects();
    scenario.says([closed()]);
    scenario.effects();
    scenario.pass(SECOND);
    scenario.come_back();
    scenario.effects();
    scenario.says([closed()]);
    let effects = scenario.effects();
    assert!(
        effects
            .iter()
            .any(|text| text.starts_with("/chat ReconnectError { attempt: 1, ")),
        "{effects:?}"
    );
}

#[test]
fn a_namespace_asked_for_while_offline_waits_for_the_connection_or_its_deadline() {
    let mut scenario = connected_with(steady());
    scenario.says([closed()]);
    scenario.effects();
    let chat = scenario.join("/chat");
    // Asking for it makes the attempt now; it fails.
    scenario.effects();
    scenario.refuse();
    let effects = scenario.effects();
    assert!(
        !effects.iter().any(|text| text.contains("/chat")),
        "{effects:?}"
    );
    scenario.pass(SECOND);
    let effects = scenario.effects();
    assert!(
        effects[0].starts_with("/chat not joined: not connected: "),
        "{effects:?}"
    );
    assert_eq!(scenario.manager.state(chat), ConnectionState::Disconnected);
}

#[test]
fn a_namespace_the_server_disconnected_comes_back_alone_if_asked_for() {
    let mut scenario = connected_with(steady().after_server(true));
    let chat = scenario.join("/chat");
    scenario.says([joined("/chat")]);
    scenario.effects();
    scenario.commands();
    scenario.says([SessionEvent::Left {
        namespace: "/chat".into(),
    }]);
    assert_eq!(
        scenario.effects(),
        [
            "/chat disconnected: closed by the server",
            "/chat ReconnectScheduled { attempt: 1, delay: 1s }",
        ]
    );
    assert_eq!(scenario.manager.state(chat), ConnectionState::Reconnecting);
    scenario.pass(SECOND);
    assert_eq!(scenario.effects(), ["/chat Reconnecting { attempt: 1 }"]);
    assert_eq!(scenario.commands(), ["join /chat None"]);
    scenario.says([joined("/chat")]);
    assert_eq!(
        scenario.effects(),
        [
            "/chat connected again",
            "/chat Reconnected { attempt: 1 }",
            "/chat joined"
        ]
    );
    assert!(scenario.manager.is_open(ROOT_ID));
}

#[test]
fn connecting_that_takes_too_long_is_one_failed_attempt() {
    let mut scenario = connected_with(steady());
    scenario.says([closed()]);
    scenario.effects();
    scenario.pass(SECOND);
    scenario.effects();
    scenario.manager.prepared(Ok(config()), scenario.now);
    scenario.pass(20 * SECOND);
    let effects = scenario.effects();
    assert!(
        effects[0].starts_with("/ ReconnectError { attempt: 1, error: Timeout"),
        "{effects:?}"
    );
    assert!(effects[1].starts_with("/ not joined: "), "{effects:?}");
    assert_eq!(scenario.commands(), ["close"]);
    scenario.says([lost(DisconnectReason::Client)]);
    assert_eq!(
        scenario.effects(),
        ["hang up", "/ ReconnectScheduled { attempt: 2, delay: 2s }"]
    );
}

#[test]
fn an_answer_never_goes_over_a_later_session() {
    use crate::event::{Question, Reply};

    let mut scenario = connected_with(steady());
    let before = scenario.manager.epoch();
    scenario.says([closed()]);
    scenario.effects();
    scenario.pass(SECOND);
    scenario.effects();
    scenario.come_back();
    scenario.effects();
    struct Nobody;
    impl Reply for Nobody {
        fn check(&self, _: &Encoded) -> Result<(), Error> {
            Ok(())
        }
        fn reply(&self, _: &Question, _: Encoded) -> Result<(), Error> {
            Ok(())
        }
    }
    let nobody: std::sync::Arc<dyn Reply> = std::sync::Arc::new(Nobody);
    let question = Question::new("/".into(), 0, before, std::sync::Arc::downgrade(&nobody));
    let answer = Encoded::values(&()).unwrap();
    let outcome = scenario.manager.reply(&question, answer, scenario.now);
    assert!(matches!(outcome, Err(Error::Disconnected(_))));
    assert!(scenario.commands().is_empty());
}

#[test]
fn a_retried_first_connect_of_a_namespace_outlives_a_session_that_had_only_the_root() {
    let mut scenario = Scenario::with(Settings {
        reconnect: steady().retry_initial(true),
        ..settings()
    });
    scenario.join("/chat");
    scenario.effects();
    scenario.manager.prepared(Ok(config()), scenario.now);
    scenario.says([opened(), joined("/"), closed()]);
    let effects = scenario.effects();
    let has_outcome = |effect: &&String| effect.starts_with("/chat not joined");
    assert_eq!(effects.iter().find(has_outcome), None);
    scenario.pass(SECOND);
    scenario.effects();
    scenario.come_back();
    scenario.says([joined("/chat")]);
    assert_eq!(scenario.effects().last().unwrap(), "/chat joined");
}

#[test]
fn a_root_left_while_an_attempt_is_made_stops_neither_it_nor_later_ones() {
    let mut scenario = connected_with(steady());
    let chat = scenario.join("/chat");
    scenario.says([joined("/chat")]);
    scenario.effects();
    scenario.says([closed()]);
    scenario.effects();
    scenario.pass(SECOND);
    scenario.manager.leave(ROOT_ID, scenario.now);
    scenario.effects();
    scenario.come_back();
    scenario.says([joined("/chat")]);
    scenario.effects();
    assert_eq!(scenario.manager.state(chat), ConnectionState::Connected);
    scenario.says([closed()]);
    assert_eq!(
        scenario.effects().last().unwrap(),
        "/chat ReconnectScheduled { attempt: 1, delay: 1s }"
    );
}

#[test]
fn a_root_granted_while_it_was_out_is_had_without_asking() {
    let mut scenario = Scenario::to_active();
    scenario.join("/chat");
    scenario.manager.leave(ROOT_ID, scenario.now);
    scenario.says([opened(), joined("/"), joined("/chat")]);
    scenario.effects();
    assert_eq!(scenario.commands(), ["join /chat None", "leave /"]);
    let mut scenario = Scenario::to_active();
    scenario.join("/chat");
    scenario.manager.leave(ROOT_ID, scenario.now);
    scenario.manager.open(ROOT_ID, scenario.now).unwrap();
    scenario.says([opened(), joined("/"), joined("/chat")]);
    let connected = "/ connected".to_owned();
    assert!(scenario.effects().contains(&connected));
    assert_eq!(scenario.commands(), ["join /chat None"]);
}
