//! Coming back after a loss, and staying away after an end: what the suites of each protocol show with their own servers.

mod namespaces;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sio_core::{ConnectionState, DisconnectReason, Error, Reconnect, Status};
use sio_net::{Attempt, Client, ClientBuilder};

use super::kit::{
    End, Log, Sequence, all_closed, disconnected, front_of, handled, sequences, wait_for_link,
    within,
};
use crate::case::Outcome;
use crate::context::{Context, StatusLog};
use crate::front::{Door, Front};
use crate::protocol::Protocol;
use crate::server::Server;
use crate::{ensure, ensure_eq};

pub(super) use self::namespaces::{
    a_namespace_that_is_left_stays_away, joining_opens_the_connection_again,
    namespaces_come_back_before_what_waits,
};

/// What "at once" is on a busy machine; below the close timeout.
const AT_ONCE: Duration = Duration::from_millis(1400);
/// Longer than any case: who comes back earlier did not wait for it.
const LONG: Duration = Duration::from_secs(60);

/// Comes back soon.
pub(super) fn quick() -> Reconnect {
    let millis = Duration::from_millis;
    Reconnect::default().base(millis(30)).cap(millis(150))
}

/// Would come back, but not while a case lasts.
pub(super) fn patient() -> Reconnect {
    Reconnect::default().base(LONG).cap(LONG).jitter(0.0)
}

// --- what was told --------------------------------------------------------------------------------------------------

/// The changes of status in words. Which transport carries it is another matter.
pub(super) fn told(log: &StatusLog) -> Vec<String> {
    log.seen().iter().filter_map(word).collect()
}

fn word(status: &Status) -> Option<String> {
    Some(match status {
        Status::Connected { again: false } => "connected".to_owned(),
        Status::Connected { again: true } => "connected again".to_owned(),
        Status::Disconnected(_) => "disconnected".to_owned(),
        Status::ReconnectScheduled { attempt, .. } => format!("scheduled {attempt}"),
        Status::Reconnecting { attempt } => format!("attempt {attempt}"),
        Status::ReconnectError { attempt, .. } => format!("error {attempt}"),
        Status::Reconnected { attempt } => format!("back {attempt}"),
        Status::ReconnectFailed { attempts, .. } => format!("failed {attempts}"),
        Status::Error(error) => error.chain(),
        _ => return None,
    })
}

/// What is told of a loss, and of attempts that fail up to this one.
pub(super) fn a_loss(failing: u32) -> Vec<String> {
    let mut words = vec!["disconnected".to_owned()];
    for attempt in 1..=failing {
        words.extend(["scheduled", "attempt", "error"].map(|word| format!("{word} {attempt}")));
    }
    words
}

/// What is told of a loss, and of the attempt that brings the connection back.
pub(super) fn a_return(attempt: u32) -> Vec<String> {
    let mut words = a_loss(attempt - 1);
    words.extend([
        format!("scheduled {attempt}"),
        format!("attempt {attempt}"),
        "connected again".to_owned(),
        format!("back {attempt}"),
    ]);
    words
}

/// What is told of the first connect, then what follows.
pub(super) fn since_connected<const N: usize>(parts: [Vec<String>; N]) -> Vec<String> {
    let mut words = vec!["connected".to_owned()];
    words.extend(parts.into_iter().flatten());
    words
}

/// Waits until the connection was made again so many times; returns the number of the attempt that did it.
pub(super) fn wait_back(log: &StatusLog, times: usize) -> Outcome<u32> {
    let back = |status: &Status| match status {
        Status::Reconnected { attempt } => Some(*attempt),
        _ => None,
    };
    let what = format!("the connection to be made again, {times} times");
    crate::context::until(&what, || {
        Ok(log.seen().iter().filter_map(back).nth(times - 1))
    })
    .map_err(|failure| format!("{failure}; told: {:?}", told(log)).into())
}

/// Waits until this attempt has failed, `since` that many changes of status had been told.
pub(super) fn wait_failed(log: &StatusLog, since: usize, attempt: u32) -> Outcome {
    let failed = |status: &Status| matches!(status, Status::ReconnectError { attempt: number, .. } if *number == attempt);
    crate::context::until(&format!("attempt {attempt} to fail"), || {
        let seen = log.seen();
        Ok(seen[since..].iter().any(failed).then_some(()))
    })
    .map_err(|failure| format!("{failure}; told: {:?}", told(log)).into())
}

/// The reason of the newest loss or end.
pub(super) fn last_reason(log: &StatusLog) -> Outcome<DisconnectReason> {
    let seen = log.seen();
    let last = seen.into_iter().rev().find_map(|status| match status {
        Status::Disconnected(reason) => Some(reason),
        _ => None,
    });
    Ok(last.ok_or("it was not told that the connection was lost")?)
}

/// A connection by way of a front, and what its root is told.
pub(super) struct Line<P: Protocol> {
    pub(super) front: Front,
    pub(super) client: Client<P>,
    pub(super) log: StatusLog,
}

impl<P: Protocol> Line<P> {
    /// Connected, on the transport that it stays on.
    pub(super) fn open(cx: &Context<P>, reconnect: Reconnect) -> Outcome<Self> {
        Self::with(cx, |builder| builder.reconnect(reconnect))
    }

    /// The same; coming back quickly, unless the caller wants it otherwise.
    pub(super) fn with(
        cx: &Context<P>,
        adjust: impl FnOnce(ClientBuilder<P>) -> ClientBuilder<P>,
    ) -> Outcome<Self> {
        let front = front_of(cx, "main")?;
        let log = StatusLog::new();
        let builder = cx.builder_at(&front.url()).on_status(log.watcher());
        let client = adjust(builder.reconnect(quick())).connect()?;
        cx.settle(&client)?;
        Ok(Self { front, client, log })
    }

    /// Cuts the link; returns when so many attempts have failed.
    pub(super) fn cut(&self, failing: u32) -> Outcome {
        let since = self.log.seen().len();
        self.front.cut_off()?;
        wait_failed(&self.log, since, failing)
    }

    /// Lets connections through again; returns when this one is back, with the number of the attempt that did it.
    pub(super) fn heal(&self) -> Outcome<u32> {
        let back = |status: &Status| matches!(status, Status::Reconnected { .. });
        let before = self.log.count(back);
        self.front.heal()?;
        wait_back(&self.log, before + 1)
    }

    /// Cuts the link, and heals it after so many attempts have failed; returns when the connection is back.
    pub(super) fn lose(&self, failing: u32) -> Outcome<u32> {
        self.cut(failing)?;
        self.heal()
    }

    /// Lets an attempt find a link that takes everything and says nothing; returns what was told of it.
    pub(super) fn hang(&self) -> Outcome<String> {
        self.cut(1)?;
        let before = self.front.from_clients().len();
        self.front.freeze();
        self.front.set_door(Door::Open)?;
        crate::context::until("an attempt that hangs", || {
            let last = told(&self.log).pop().unwrap_or_default();
            let hangs = last.starts_with("attempt") && self.front.from_clients().len() > before;
            Ok(hangs.then_some(last))
        })
    }

    /// Waits until it waits for an attempt.
    pub(super) fn waits(&self) -> Outcome {
        self.log
            .wait_for("the wait for an attempt", |status| match status {
                Status::ReconnectScheduled { .. } => Some(()),
                _ => None,
            })
    }

    fn state_becomes(&self, cx: &Context<P>, state: ConnectionState) -> Outcome {
        cx.eventually(&format!("the state {state}"), || {
            self.client.state() == state
        })
    }
}

// --- the end --------------------------------------------------------------------------------------------------------

/// The program ends it: nothing is tried again, though a lost connection would be.
pub(super) fn nothing_follows_its_own_end<P: Protocol>(cx: &Context<P>) -> Outcome {
    let ends: [End<P>; 2] = [Client::close, Client::disconnect];
    for end in ends {
        let before = cx.control().sessions()?.len();
        let line = Line::open(cx, quick())?;
        within(AT_ONCE, "the end", || Ok(end(&line.client)?))?;
        // All threads have ended: nothing can follow any more.
        ensure_eq!(told(&line.log), ["connected", "disconnected"], "told");
        let reason = last_reason(&line.log)?;
        ensure!(
            matches!(reason, DisconnectReason::Client),
            "it ended with {reason:?}"
        );
        within(AT_ONCE, "the end at the server", || all_closed(cx))?;
        ensure_eq!(
            cx.control().sessions()?.len(),
            before + 1,
            "sessions the server saw"
        );
    }
    Ok(())
}

/// The server disconnects the client: by default that is the end.
pub(super) fn nothing_follows_the_servers_end<P: Protocol>(
    cx: &Context<P>,
    disconnect: impl Fn(&Context<P>, &Client<P>) -> Outcome,
) -> Outcome {
    let line = Line::open(cx, quick())?;
    disconnect(cx, &line.client)?;
    line.state_becomes(cx, ConnectionState::Disconnected)?;
    let reason = disconnected(line.client.emit("echo", 1))?;
    ensure!(
        matches!(reason, DisconnectReason::Server),
        "it ended with {reason:?}"
    );
    line.client.close()?;
    ensure_eq!(told(&line.log), ["connected", "disconnected"], "told");
    cx.control().session().map(drop)
}

/// The server disconnects the client, which shall come back even so.
pub(super) fn returns_after_the_servers_end<P: Protocol>(
    cx: &Context<P>,
    disconnect: impl Fn(&Context<P>, &Client<P>) -> Outcome,
) -> Outcome {
    let line = Line::open(cx, quick().after_server(true))?;
    let before = line.client.id();
    disconnect(cx, &line.client)?;
    let attempt = wait_back(&line.log, 1)?;
    let reason = last_reason(&line.log)?;
    ensure!(
        matches!(reason, DisconnectReason::Server),
        "it was lost with {reason:?}"
    );
    is_anew(cx, &line.client, before)?;
    line.client.close()?;
    let end = vec!["disconnected".to_owned()];
    ensure_eq!(
        told(&line.log),
        since_connected([a_return(attempt), end]),
        "told"
    );
    Ok(())
}

/// It is in another session than before, which works.
pub(super) fn is_anew<P: Protocol>(
    cx: &Context<P>,
    client: &Client<P>,
    before: Option<String>,
) -> Outcome {
    ensure!(before.is_some(), "it had no id");
    let now = client.id();
    ensure!(now.is_some() && now != before, "its id is {now:?}");
    cx.settle(client)?;
    cx.exchange(client)
}

// --- coming back ----------------------------------------------------------------------------------------------------

/// The connections of a session go without a word: a new session, with a handshake of its own and another id.
pub(super) fn dropped_links_bring_a_new_session<P: Protocol>(cx: &Context<P>) -> Outcome {
    for how in ["fin", "reset"] {
        let log = StatusLog::new();
        let builder = cx.builder().reconnect(quick()).on_status(log.watcher());
        let client = builder.connect()?;
        cx.settle(&client)?;
        handled(&client)?;
        let before = client.id();
        let sessions = cx.control().sessions()?.len();
        wait_for_link(cx, &client)?;
        ensure!(
            cx.control().drop_connections(how)? > 0,
            "nothing was dropped"
        );
        wait_back(&log, 1)?;
        is_anew(cx, &client, before.clone())?;
        let all = cx.control().sessions()?;
        ensure_eq!(all.len(), sessions + 1, "sessions after a {how}");
        let begun =
            cx.control().requests()?.into_iter().filter(|request| {
                request.opened.as_deref() == all.last().map(|session| &*session.sid)
            });
        ensure_eq!(begun.count(), 1, "handshakes of the new session");
        client.close()?;
    }
    Ok(())
}

/// A server is killed, and another one started on its port: the client comes back by itself.
pub(super) fn survives_a_restart<P: Protocol>(cx: &Context<P>) -> Outcome {
    const EMITS: usize = 20;
    // Six attempts without chance in the delays: the server is away for more than a second.
    let (outage, millis) = (6, Duration::from_millis);
    let policy = Reconnect::default()
        .base(millis(100))
        .cap(millis(200))
        .jitter(0.0);
    let first = Arc::new(Server::start(cx.server().name()).map_err(|error| error.to_string())?);
    let of_first = cx.on(Arc::clone(&first));
    let (log, ticks) = (StatusLog::new(), Log::<usize>::new());
    let client = of_first
        .builder()
        .reconnect(policy)
        .on_status(log.watcher())
        .on("tick", ticks.writer())
        .connect()?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    let before = client.id();
    first.kill()?;
    wait_failed(&log, 0, outage)?;
    ensure_eq!(client.id(), None, "the id while the server is away");
    for index in 0..EMITS {
        client.emit("seq", (0, index))?;
    }
    let second = first.start_again().map_err(|error| error.to_string())?;
    let of_second = cx.on(Arc::new(second));
    let attempt = wait_back(&log, 1)?;
    is_anew(&of_second, &client, before)?;
    let report = sequences(&client)?;
    ensure_eq!(
        report.get("0"),
        Some(&Sequence::complete(EMITS)),
        "what was emitted while the server was away"
    );
    client.emit("burst", json!({"count": 3}))?;
    handled(&client)?;
    ensure_eq!(ticks.seen(), [0, 1, 2], "what the handler got");
    ensure_eq!(
        of_second.control().sessions()?.len(),
        1,
        "sessions of the new server"
    );
    client.close()?;
    let end = vec!["disconnected".to_owned()];
    ensure_eq!(
        told(&log),
        since_connected([a_return(attempt), end]),
        "told"
    );
    Ok(())
}

/// Attempts are made at delays that double from the base to the cap, moved by chance within its part.
pub(super) fn delays_grow_to_the_cap<P: Protocol>(cx: &Context<P>) -> Outcome {
    const ATTEMPTS: u32 = 6;
    let millis = Duration::from_millis;
    let exact = [20, 40, 80, 120, 120, 120].map(millis);
    for jitter in [0.0, 0.5] {
        let policy = Reconnect::default()
            .base(millis(20))
            .cap(millis(120))
            .jitter(jitter);
        let line = Line::open(cx, policy)?;
        line.cut(ATTEMPTS)?;
        let delays: Vec<Duration> = delays(&line.log)[..exact.len()].to_vec();
        for (delay, exact) in delays.iter().zip(exact) {
            let least = exact.mul_f64(1.0 - jitter);
            let most = exact.mul_f64(1.0 + jitter).min(millis(120));
            ensure!(
                (least..=most).contains(delay),
                "delays with a jitter of {jitter}: {delays:?}"
            );
        }
        ensure!(
            jitter == 0.0 || delays != exact,
            "chance moved nothing: {delays:?}"
        );
        line.heal()?;
        // Counting begins again.
        line.lose(1)?;
        line.client.close()?;
    }
    Ok(())
}

/// The delays of all attempts.
fn delays(log: &StatusLog) -> Vec<Duration> {
    let delay = |status| match status {
        Status::ReconnectScheduled { delay, .. } => Some(delay),
        _ => None,
    };
    log.seen().into_iter().filter_map(delay).collect()
}

/// So many attempts and no more; then one word that it was given up, on each namespace.
pub(super) fn gives_up_after_the_last_attempt<P: Protocol>(cx: &Context<P>) -> Outcome {
    const ATTEMPTS: u32 = 3;
    let runs = Log::<u32>::new();
    let (note, in_chat) = (runs.clone(), StatusLog::new());
    let (front, log) = (front_of(cx, "main")?, StatusLog::new());
    let client = cx
        .builder_at(&front.url())
        .reconnect(quick().attempts(ATTEMPTS))
        .before_attempt(move |attempt| {
            note.push(attempt.number());
            Ok(())
        })
        .on_status(log.watcher())
        .connect()?;
    let chat = client
        .namespace("/chat")
        .on_status(in_chat.watcher())
        .join()?;
    cx.settle(&client)?;
    // Nobody listens any more: connections are refused.
    drop(front);
    let error = log.wait_for("the word that it was given up", |status| match status {
        Status::ReconnectFailed { attempts, error } => Some((*attempts, error.clone())),
        _ => None,
    })?;
    ensure!(
        matches!(&error, (ATTEMPTS, Error::Transport { .. })),
        "it was given up with {error:?}"
    );
    for place in [&client, &chat] {
        ensure_eq!(place.state(), ConnectionState::Disconnected, "the state");
        disconnected(place.emit("echo", 1).map_err(as_disconnected))?;
    }
    client.close()?;
    ensure_eq!(runs.seen(), [0, 1, 2, 3], "attempts");
    let failed = vec![format!("failed {ATTEMPTS}")];
    let expected = since_connected([a_loss(ATTEMPTS), failed]);
    ensure_eq!(told(&log), expected, "told to the root");
    ensure_eq!(told(&in_chat), expected, "told to /chat");
    Ok(())
}

/// What a connection ended with is the error of those who use it afterwards; which one is not the matter here.
fn as_disconnected(error: Error) -> Error {
    match error {
        Error::Transport { .. } => Error::Disconnected(error.into()),
        other => other,
    }
}

/// Closed while it waits for the next attempt, or while an attempt hangs: that is all.
pub(super) fn closing_stops_the_attempts<P: Protocol>(cx: &Context<P>) -> Outcome {
    let waits = Line::open(cx, patient())?;
    waits.front.cut_off()?;
    waits.waits()?;
    is_closed_at_once(&waits, "scheduled 1")?;

    let hangs = Line::open(cx, quick())?;
    let hanging = hangs.hang()?;
    is_closed_at_once(&hangs, &hanging)?;

    for line in [&waits, &hangs] {
        // What hung there never reaches the server.
        line.front.cut_off()?;
        line.front.heal()?;
    }
    let other = cx.connect()?;
    cx.exchange(&other)?;
    other.close()?;
    ensure_eq!(
        cx.control().sockets(Some("/"))?.len(),
        3,
        "connections, with the two that were lost and the one behind them"
    );
    Ok(())
}

/// `last` is the last thing that is told.
fn is_closed_at_once<P: Protocol>(line: &Line<P>, last: &str) -> Outcome {
    let outcomes = Log::new();
    let log = outcomes.clone();
    line.client
        .emit_with_ack("echo", 1, LONG, move |answer: sio_core::Result<u8>| {
            log.push(answer);
        })?;
    within(AT_ONCE, "closing", || Ok(line.client.close()?))?;
    let told = told(&line.log);
    ensure_eq!(
        told.last().map(String::as_str),
        Some(last),
        "the last word of {told:?}"
    );
    ensure_eq!(
        line.client.state(),
        ConnectionState::Disconnected,
        "the state"
    );
    for outcome in outcomes.wait_for(1, "outcomes of a question that waited")? {
        let reason = disconnected(outcome)?;
        ensure!(
            matches!(reason, DisconnectReason::Client),
            "the question ended with {reason:?}"
        );
    }
    Ok(())
}

/// Closed while it came back, and opened again: it works, and what is lost later comes back by itself.
pub(super) fn opens_again_after_a_close<P: Protocol>(cx: &Context<P>) -> Outcome {
    let line = Line::open(cx, quick())?;
    let before = line.client.id();
    line.cut(1)?;
    line.client.close()?;
    let closed = told(&line.log);
    line.front.heal()?;
    line.client.open()?;
    is_anew(cx, &line.client, before)?;
    handled(&line.client)?;
    ensure_eq!(
        told(&line.log)[closed.len()..],
        ["connected again"],
        "told of opening it again"
    );
    let attempt = line.lose(1)?;
    cx.exchange(&line.client)?;
    line.client.close()?;
    let mut expected = a_return(attempt);
    expected.push("disconnected".to_owned());
    ensure_eq!(
        told(&line.log)[closed.len() + 1..],
        expected,
        "told of a loss after that"
    );
    Ok(())
}

/// Opened while it waits for the next attempt: that one is made now.
pub(super) fn opening_ends_the_wait<P: Protocol>(cx: &Context<P>) -> Outcome {
    let line = Line::open(cx, patient())?;
    line.front.cut_off()?;
    line.waits()?;
    // A failure is this call's to know, and the attempts go on.
    let failed = line.client.open();
    ensure!(
        matches!(failed, Err(Error::Transport { .. })),
        "opening it over a cut link gave {failed:?}"
    );
    ensure_eq!(
        line.client.state(),
        ConnectionState::Reconnecting,
        "the state"
    );
    line.front.heal()?;
    line.client.open()?;
    cx.exchange(&line.client)?;
    line.client.close()?;
    let mut expected = since_connected([a_return(2)]);
    expected.push("disconnected".to_owned());
    ensure_eq!(told(&line.log), expected, "told");
    Ok(())
}

/// Reconnection is off: what is lost is over.
pub(super) fn nothing_is_retried_when_off<P: Protocol>(cx: &Context<P>) -> Outcome {
    let line = Line::open(cx, Reconnect::off())?;
    line.front.cut_off()?;
    line.state_becomes(cx, ConnectionState::Disconnected)?;
    line.front.heal()?;
    let lost = line.client.emit("echo", 1);
    ensure!(lost.is_err(), "a connection that is over took an emit");
    line.client.close()?;
    ensure_eq!(told(&line.log), ["connected", "disconnected"], "told");
    cx.control().session().map(drop)
}

/// Every step is told in order and with its number, to the root and to each namespace.
pub(super) fn every_step_is_told_to_every_namespace<P: Protocol>(cx: &Context<P>) -> Outcome {
    let line = Line::open(cx, quick())?;
    let logs = [StatusLog::new(), StatusLog::new()];
    let places = ["/chat", "/news"].map(|name| line.client.namespace(name));
    let mut joined = Vec::new();
    for (place, log) in places.into_iter().zip(&logs) {
        joined.push(place.on_status(log.watcher()).join()?);
    }
    let mut attempts = Vec::new();
    for (failing, times) in [(2, 1), (1, 2)] {
        attempts.push(line.lose(failing)?);
        for (place, log) in joined.iter().zip(&logs) {
            wait_back(log, times)?;
            cx.exchange(place)?;
        }
    }
    line.client.close()?;
    let expected = since_connected([a_return(attempts[0]), a_return(attempts[1]), a_loss(0)]);
    ensure_eq!(told(&line.log), expected, "told to the root");
    for (place, log) in joined.iter().zip(&logs) {
        ensure_eq!(told(log), expected, "told to {}", place.name());
    }
    ensure_eq!(line.client.counters().reconnects, 2, "returns counted");
    Ok(())
}

/// The hook before an attempt changes query, headers, cookies and URL for that attempt and its session.
pub(super) fn the_hook_changes_each_attempt<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (first, second) = (front_of(cx, "main")?, front_of(cx, "main")?);
    let (log, elsewhere) = (StatusLog::new(), second.url());
    let client = cx
        .builder_at(&first.url())
        .header("X-Attempt", "none")
        .query("attempt", "none")
        .reconnect(quick())
        .before_attempt(move |attempt| {
            mark(attempt)?;
            match (attempt.number(), attempt.after()) {
                (0, None) => Ok(()),
                (1, Some(_)) => Err("no token yet".into()),
                (_, Some(_)) => Ok(attempt.set_url(&elsewhere)?),
                (number, None) => Err(format!("attempt {number} follows nothing").into()),
            }
        })
        .on_status(log.watcher())
        .connect()?;
    cx.settle(&client)?;
    let sids = [client.id(), {
        first.cut_off()?;
        wait_back(&log, 1)?;
        cx.settle(&client)?;
        client.id()
    }];
    let failed = log.wait_for("the attempt whose hook failed", |status| match status {
        Status::ReconnectError { attempt: 1, error } => Some(error.clone()),
        _ => None,
    })?;
    ensure!(
        matches!(failed, Error::Handler { .. }) && failed.chain().contains("no token yet"),
        "the hook failed, and the attempt with: {}",
        failed.chain()
    );
    cx.exchange(&client)?;
    client.close()?;
    let expected = since_connected([a_return(2), a_loss(0)]);
    ensure_eq!(told(&log), expected, "told");
    ensure!(
        !second.from_clients().is_empty(),
        "nobody came to the second URL"
    );
    for (sid, number) in sids.into_iter().zip(["0", "2"]) {
        is_marked(cx, &sid.ok_or("no id")?, number)?;
    }
    Ok(())
}

/// Writes the attempt's number wherever one can.
fn mark(attempt: &mut Attempt) -> sio_core::Result<()> {
    let number = attempt.number().to_string();
    attempt.set_query("attempt", &number);
    attempt.set_header("X-Attempt", &number)?;
    attempt.set_cookie("attempt", &number)
}

/// All requests of a session carry the number.
fn is_marked<P: Protocol>(cx: &Context<P>, sid: &str, number: &str) -> Outcome {
    let requests = cx.control().requests()?;
    let of_session: Vec<_> = requests
        .iter()
        .filter(|request| {
            request.sid.as_deref() == Some(sid) || request.opened.as_deref() == Some(sid)
        })
        .collect();
    ensure!(!of_session.is_empty(), "the session {sid} had no request");
    for request in of_session {
        let cookie = format!("attempt={number}");
        let seen = (
            request.query.get("attempt").map(String::as_str),
            request.header("x-attempt"),
            request
                .header("cookie")
                .is_some_and(|cookies| cookies.contains(&cookie)),
        );
        ensure_eq!(
            seen,
            (Some(number), Some(number), true),
            "query, header and cookie of {} {}",
            request.method,
            request.url
        );
    }
    Ok(())
}

/// After a return handlers run once, and nothing of the session before is sent or delivered.
pub(super) fn nothing_is_doubled_nor_stale<P: Protocol>(cx: &Context<P>) -> Outcome {
    let ticks = Log::<usize>::new();
    let line = Line::with(cx, |builder| builder.on("tick", ticks.writer()))?;
    let client = &line.client;
    let mut events = client.events();
    for round in 1..=3 {
        let outcomes = Log::new();
        for event in ["never-ack", "late-ack"] {
            let log = outcomes.clone();
            let then = move |answer: sio_core::Result<()>| log.push(answer);
            client.emit_with_ack(event, 300, LONG, then)?;
        }
        for index in 0..10 {
            client.emit("seq", ("before", index))?;
        }
        cx.exchange(client)?;
        line.cut(1)?;
        for index in 0..5 {
            client.emit("seq", ("away", index))?;
        }
        line.heal()?;
        let report = sequences(client)?;
        let sent: Vec<_> = report
            .iter()
            .map(|(name, seen)| (name.as_str(), seen))
            .collect();
        ensure_eq!(sent, [("away", &Sequence::complete(5))], "what was sent");
        let told = outcomes.wait_for(2, "outcomes")?;
        ensure_eq!(told.len(), 2, "outcomes of two questions");
        told.into_iter()
            .try_for_each(|outcome| disconnected(outcome.map_err(as_disconnected)).map(drop))?;
        for question in ["one", "two", "three"] {
            let answer: String = super::kit::ask(client, "echo", question)?;
            ensure_eq!(answer, question, "an answer in the new session");
        }
        client.emit("burst", json!({"count": 3}))?;
        handled(client)?;
        ensure_eq!(ticks.seen().len(), 3 * round, "ticks that the handler got");
        let pulled = cx.events_until(&mut events, "tick-end")?;
        let pulled = pulled.iter().filter(|event| event.name() == "tick");
        ensure_eq!(pulled.count(), 3, "ticks that the receiver got");
        ensure_eq!(client.counters().unknown_acks, 0, "acks nobody waited for");
    }
    Ok(client.close()?)
}

/// The first connect is retried only if that was asked for.
pub(super) fn the_first_connect_is_retried_on_request<P: Protocol>(cx: &Context<P>) -> Outcome {
    let front = Arc::new(front_of(cx, "main")?);
    front.cut_off()?;
    let attempts = Log::<u32>::new();
    let (note, healing) = (attempts.clone(), Arc::clone(&front));
    let log = StatusLog::new();
    let builder = |policy| {
        let (note, healing) = (note.clone(), Arc::clone(&healing));
        cx.builder_at(&front.url())
            .reconnect(policy)
            .before_attempt(move |attempt| {
                note.push(attempt.number());
                if attempt.number() == 3 {
                    healing.heal()?;
                }
                Ok(())
            })
    };
    let refused = builder(quick()).connect();
    ensure!(refused.is_err(), "it connected over a cut link");
    ensure_eq!(attempts.seen(), [0], "attempts without the request");

    let refused = builder(quick().retry_initial(true).attempts(2)).connect();
    ensure!(refused.is_err(), "it connected over a cut link");
    ensure_eq!(attempts.seen()[1..], [0, 1, 2], "attempts with an end");

    let client = builder(quick().retry_initial(true))
        .on_status(log.watcher())
        .connect()?;
    cx.exchange(&client)?;
    client.close()?;
    ensure_eq!(
        attempts.seen()[4..],
        [0, 1, 2, 3],
        "attempts without an end"
    );
    let mut expected = vec!["error 0".to_owned()];
    expected.extend(a_loss(2).split_off(1));
    expected.extend(
        [
            "scheduled 3",
            "attempt 3",
            "connected",
            "back 3",
            "disconnected",
        ]
        .map(str::to_owned),
    );
    ensure_eq!(told(&log), expected, "told");
    Ok(())
}

// --- ends of every kind ---------------------------------------------------------------------------------------------

/// The connection ends as `spoil` makes it, is lost with the reason that `expected` takes, and comes back.
pub(super) fn returns_after<P: Protocol>(
    cx: &Context<P>,
    variant: &str,
    spoil: impl FnOnce(&Client<P>) -> Outcome,
    expected: impl FnOnce(&DisconnectReason) -> bool,
) -> Outcome {
    let log = StatusLog::new();
    let client = cx
        .builder_for(variant)
        .reconnect(quick())
        .on_status(log.watcher())
        .connect()?;
    cx.settle(&client)?;
    handled(&client)?;
    let before = client.id();
    spoil(&client)?;
    wait_back(&log, 1)?;
    let reason = last_reason(&log)?;
    ensure!(expected(&reason), "it was lost with {reason:?}");
    is_anew(cx, &client, before.clone())?;
    let seen = cx.control().sessions()?;
    ensure_eq!(seen.len(), 2, "sessions");
    not_used_again(cx, before.as_deref())?;
    Ok(client.close()?)
}

/// Since the newest session was opened, no request was for the one before.
fn not_used_again<P: Protocol>(cx: &Context<P>, before: Option<&str>) -> Outcome {
    let requests = cx.control().requests()?;
    let opened = requests
        .iter()
        .rposition(|request| request.opened.is_some());
    let since = &requests[opened.unwrap_or(0)..];
    let old = since
        .iter()
        .find(|request| request.sid.as_deref() == before);
    ensure!(old.is_none(), "the lost session was used again: {old:?}");
    Ok(())
}
