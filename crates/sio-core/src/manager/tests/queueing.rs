//! What waits for the connection, in which order it leaves, and what is given up.

use super::*;

/// Two emits may wait; connected once, and lost.
fn offline(queue: Bounds, manual_flush: bool) -> Scenario {
    let mut scenario = Scenario::with(Settings {
        queue,
        manual_flush,
        reconnect: Reconnect::default().jitter(0.0),
        ..settings()
    });
    scenario.activate();
    scenario.says([opened(), joined("/")]);
    scenario.effects();
    scenario.says([closed()]);
    scenario.effects();
    scenario
}

fn two() -> Bounds {
    Bounds::default().count(2)
}

impl Scenario {
    fn reconnect(&mut self) {
        self.pass(SECOND);
        self.effects();
        self.manager.prepared(Ok(config()), self.now);
        self.says([opened(), joined("/")]);
    }

    fn queued(&self) -> Vec<String> {
        let waiting = self.manager.queued(ROOT_ID);
        let text = |emit: &Queued| emit.payload.json().to_owned();
        waiting.iter().map(text).collect()
    }
}

#[test]
fn what_waited_leaves_in_order_after_the_namespace_is_back() {
    let mut scenario = offline(two(), false);
    scenario.emit(ROOT_ID, "a", None).unwrap();
    scenario.emit(ROOT_ID, "b", Some("asker")).unwrap();
    assert_eq!(scenario.queued(), [r#"["a"]"#, r#"["b"]"#]);
    scenario.reconnect();
    assert_eq!(
        scenario.effects(),
        [
            "/ connected again",
            "/ Reconnected { attempt: 1 }",
            "/ hook",
            "/ joined"
        ]
    );
    assert_eq!(
        scenario.commands(),
        [r#"emit / None ["a"]"#, r#"emit / Some(0) ["b"]"#]
    );
    assert!(scenario.queued().is_empty());
}

#[test]
fn what_the_hook_emits_goes_before_what_waits_and_other_emits_behind_it() {
    let mut scenario = offline(Bounds::default(), false);
    scenario.emit(ROOT_ID, "waited", None).unwrap();
    scenario.reconnect();
    while let Some(effect) = scenario.manager.poll_effect(scenario.now) {
        if matches!(effect, Effect::Hook { .. }) {
            break;
        }
    }
    assert!(!scenario.manager.is_open(ROOT_ID));
    assert_eq!(
        scenario.take(ROOT_ID, plain("another thread's")),
        Ok(Taken::Queued)
    );
    let mut of_hook = plain("subscribe");
    of_hook.origin = Origin::Hook;
    assert_eq!(scenario.take(ROOT_ID, of_hook), Ok(Taken::Sent));
    assert_eq!(scenario.manager.flush(ROOT_ID, scenario.now), 2);
    assert!(scenario.manager.is_open(ROOT_ID));
    assert_eq!(
        scenario.commands(),
        [
            r#"emit / None ["subscribe"]"#,
            r#"emit / None ["waited"]"#,
            r#"emit / None ["another thread's"]"#
        ]
    );
}

#[test]
fn a_handler_that_waits_for_its_ack_is_not_behind_the_hook_that_waits_for_it() {
    let mut scenario = offline(Bounds::default(), false);
    scenario.emit(ROOT_ID, "another thread's", None).unwrap();
    for (event, origin) in [
        ("the handler's", Origin::Handlers),
        ("the handler's call", Origin::WaitingHandler),
    ] {
        let mut emit = plain(event);
        emit.origin = origin;
        scenario.take(ROOT_ID, emit).unwrap();
    }
    scenario.reconnect();
    while let Some(effect) = scenario.manager.poll_effect(scenario.now) {
        if matches!(effect, Effect::Hook { .. }) {
            break;
        }
    }
    assert_eq!(
        scenario.commands(),
        [
            r#"emit / None ["the handler's"]"#,
            r#"emit / None ["the handler's call"]"#
        ]
    );
    assert_eq!(scenario.queued(), [r#"["another thread's"]"#]);
}

#[test]
fn a_hook_of_an_earlier_join_releases_nothing() {
    let mut scenario = offline(Bounds::default(), false);
    scenario.emit(ROOT_ID, "waited", None).unwrap();
    scenario.reconnect();
    let mut join = None;
    while let Some(effect) = scenario.manager.poll_effect(scenario.now) {
        if let Effect::Hook { join: of_this, .. } = effect {
            join = Some(of_this);
            break;
        }
    }
    let join = join.expect("a hook");
    scenario.manager.release(ROOT_ID, join - 1, scenario.now);
    assert!(scenario.commands().is_empty());
    scenario.manager.release(ROOT_ID, join, scenario.now);
    assert_eq!(scenario.commands(), [r#"emit / None ["waited"]"#]);
}

#[test]
fn what_waited_for_its_hook_waits_on_when_the_server_takes_the_namespace_away() {
    let mut scenario = Scenario::with(Settings {
        reconnect: Reconnect::default().jitter(0.0).after_server(true),
        ..settings()
    });
    scenario.activate();
    scenario.emit(ROOT_ID, "waited", None).unwrap();
    scenario.says([opened(), joined("/")]);
    while let Some(effect) = scenario.manager.poll_effect(scenario.now) {
        if matches!(effect, Effect::Hook { .. }) {
            break;
        }
    }
    scenario.says([SessionEvent::Left {
        namespace: "/".into(),
    }]);
    scenario.effects();
    assert_eq!(scenario.commands(), ["close"]);
    assert_eq!(scenario.queued(), [r#"["waited"]"#]);
}

#[test]
fn closing_before_the_hook_has_run_sends_what_waited_for_it() {
    let mut scenario = offline(two(), false);
    scenario.emit(ROOT_ID, "a", None).unwrap();
    scenario.reconnect();
    while let Some(effect) = scenario.manager.poll_effect(scenario.now) {
        if matches!(effect, Effect::Hook { .. }) {
            break;
        }
    }
    scenario.manager.close(scenario.now);
    assert_eq!(scenario.commands(), [r#"emit / None ["a"]"#, "close"]);
}

#[test]
fn a_program_that_flushes_itself_decides_when_and_may_clear_before() {
    let mut scenario = offline(Bounds::default(), true);
    scenario.emit(ROOT_ID, "a", None).unwrap();
    assert_eq!(scenario.manager.flush(ROOT_ID, scenario.now), 0, "offline");
    scenario.reconnect();
    scenario.effects();
    scenario.emit(ROOT_ID, "b", Some("asker")).unwrap();
    assert!(scenario.commands().is_empty());
    assert_eq!(scenario.manager.clear_queue(ROOT_ID), 2);
    assert!(scenario.manager.is_open(ROOT_ID), "nothing waits any more");
    assert_eq!(
        scenario.effects(),
        [
            "asker got no ack: the emit was given up while it waited for the connection: the queue was cleared"
        ]
    );
    scenario.emit(ROOT_ID, "c", None).unwrap();
    assert_eq!(scenario.commands(), [r#"emit / None ["c"]"#]);
}

#[test]
fn what_the_program_flushes_leaves_in_order_before_later_emits() {
    let mut scenario = offline(Bounds::default(), true);
    scenario.emit(ROOT_ID, "a", None).unwrap();
    scenario.reconnect();
    scenario.effects();
    scenario.emit(ROOT_ID, "b", None).unwrap();
    assert_eq!(scenario.manager.flush(ROOT_ID, scenario.now), 2);
    scenario.emit(ROOT_ID, "c", None).unwrap();
    assert_eq!(
        scenario.commands(),
        [
            r#"emit / None ["a"]"#,
            r#"emit / None ["b"]"#,
            r#"emit / None ["c"]"#
        ]
    );
}

#[test]
fn a_full_queue_gives_up_what_it_was_told_to() {
    let full = |overflow| {
        let mut scenario = offline(two().overflow(overflow), false);
        scenario.emit(ROOT_ID, "a", Some("a")).unwrap();
        scenario.emit(ROOT_ID, "b", None).unwrap();
        scenario
    };

    let mut scenario = full(Overflow::Error);
    let error = scenario.emit(ROOT_ID, "c", None).unwrap_err();
    assert_eq!(
        error,
        "the queue of / is full: 2 emits with 10 bytes wait for the connection"
    );
    assert_eq!(scenario.queued(), [r#"["a"]"#, r#"["b"]"#]);

    let mut scenario = full(Overflow::DropOldest);
    assert_eq!(scenario.take(ROOT_ID, plain("c")), Ok(Taken::Queued));
    assert_eq!(
        scenario.effects(),
        [
            "a got no ack: the emit was given up while it waited for the connection: \
             the queue was full and newer ones came"
        ]
    );
    assert_eq!(scenario.queued(), [r#"["b"]"#, r#"["c"]"#]);

    let mut scenario = full(Overflow::DropNewest);
    assert_eq!(scenario.take(ROOT_ID, plain("c")), Ok(Taken::Dropped));
    scenario
        .emit(ROOT_ID, "d", Some("a question is never dropped in silence"))
        .unwrap_err();
    assert_eq!(scenario.queued(), [r#"["a"]"#, r#"["b"]"#]);
    assert_eq!(scenario.manager.counters().dropped_emits, 1);
}

#[test]
fn bytes_are_bounded_too_and_nothing_is_given_up_for_what_never_fits() {
    let bounds = Bounds::default().bytes(12).overflow(Overflow::DropOldest);
    let mut scenario = offline(bounds, false);
    scenario.emit(ROOT_ID, "a", None).unwrap();
    scenario.emit(ROOT_ID, "b", None).unwrap();
    scenario.emit(ROOT_ID, "cc", None).unwrap();
    assert_eq!(scenario.queued(), [r#"["b"]"#, r#"["cc"]"#]);
    scenario
        .emit(ROOT_ID, "a name of its own length", None)
        .unwrap_err();
    assert_eq!(scenario.queued().len(), 2);
}

#[test]
fn without_a_queue_offline_emits_fail_at_once() {
    let mut scenario = offline(Bounds::default().count(0), false);
    let error = scenario.emit(ROOT_ID, "a", None).unwrap_err();
    assert_eq!(
        error,
        "not connected: ping timeout: the server was silent for too long"
    );
}

#[test]
fn what_expires_in_the_queue_is_never_sent() {
    let mut scenario = offline(Bounds::default(), false);
    let mut soon = plain("soon");
    soon.expiry = Some(scenario.expiry(SECOND / 2));
    let mut late = plain("late");
    late.expiry = Some(scenario.expiry(60 * SECOND));
    scenario.take(ROOT_ID, soon).unwrap();
    scenario.take(ROOT_ID, late).unwrap();
    assert_eq!(
        scenario.manager.poll_timeout(),
        Some(scenario.now + SECOND / 2)
    );
    scenario.pass(SECOND / 2);
    assert_eq!(scenario.queued(), [r#"["late"]"#]);
    scenario.reconnect();
    scenario.effects();
    assert_eq!(scenario.commands(), [r#"emit / None ["late"]"#]);
    assert_eq!(scenario.manager.counters().dropped_emits, 1);
}

#[test]
fn volatile_emits_never_wait() {
    let mut scenario = offline(Bounds::default(), false);
    let volatile = || {
        let mut emit = plain("tick");
        emit.is_volatile = true;
        emit
    };
    assert_eq!(scenario.take(ROOT_ID, volatile()), Ok(Taken::Dropped));
    assert!(scenario.queued().is_empty());
    scenario.reconnect();
    scenario.effects();
    assert_eq!(scenario.take(ROOT_ID, volatile()), Ok(Taken::Sent));
}

#[test]
fn what_still_waits_at_the_end_is_given_up_and_its_askers_told() {
    let mut scenario = offline(two(), false);
    scenario.emit(ROOT_ID, "a", None).unwrap();
    scenario.emit(ROOT_ID, "b", Some("asker")).unwrap();
    scenario.manager.close(scenario.now);
    assert_eq!(
        scenario.effects(),
        [
            "asker got no ack: not connected: closed by this client",
            "/ not joined: not connected: closed by this client",
            "ended"
        ]
    );
    assert_eq!(scenario.manager.counters().dropped_emits, 2);
    // Opened again, nothing stale is left.
    scenario.manager.open(ROOT_ID, scenario.now).unwrap();
    scenario.effects();
    scenario.manager.prepared(Ok(config()), scenario.now);
    scenario.says([opened(), joined("/")]);
    scenario.effects();
    assert!(scenario.commands().is_empty());
}
