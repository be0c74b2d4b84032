//! V10: the end, and coming back, on 1.x and later.

use std::time::Duration;

use sio_core::{ConnectionState, DisconnectReason};
use sio_v1::{Client, Session};

use super::kit::{all_closed, handled, within};
use super::returning::{self, Line, a_return, quick, since_connected, told, wait_back};
use crate::case::{Case, Outcome};
use crate::context::{Context, StatusLog};
use crate::{ensure, ensure_eq};

type Cx = Context<Session>;

/// How soon a server has to know.
const SOON: Duration = Duration::from_secs(1);

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    let case = Case::everywhere;
    vec![
        case(
            "V10.1",
            "the client ends it: nothing is tried again",
            returning::nothing_follows_its_own_end,
        ),
        case(
            "V10.1b",
            "the client ends it: the server knows within a second, and who it was",
            v10_1b,
        ),
        case(
            "V10.2",
            "the server disconnects: nothing is tried again",
            v10_2,
        ),
        case(
            "V10.2b",
            "the server disconnects: with the switch the client comes back",
            v10_2b,
        ),
        case(
            "V10.2c",
            "the server disconnects a namespace: the others stay; with the switch it is joined again",
            v10_2c,
        ),
        case(
            "V10.3",
            "a server that is killed and started again a second later finds the client back",
            returning::survives_a_restart,
        ),
        case(
            "V10.3b",
            "connections that go without a word bring a new session",
            returning::dropped_links_bring_a_new_session,
        ),
        case(
            "V10.4",
            "delays grow from the base to the cap, and chance moves them within its part",
            returning::delays_grow_to_the_cap,
        ),
        case(
            "V10.5",
            "as many attempts as allowed, then one word that it was given up",
            returning::gives_up_after_the_last_attempt,
        ),
        case(
            "V10.6",
            "a close between two attempts, or during one, is the end at once",
            returning::closing_stops_the_attempts,
        ),
        case(
            "V10.7",
            "after that it can be opened again, and comes back by itself later",
            returning::opens_again_after_a_close,
        ),
        case(
            "V10.7b",
            "opened while it waits for an attempt, it makes that one now",
            returning::opening_ends_the_wait,
        ),
        case(
            "V10.8",
            "with reconnection off nothing is retried",
            returning::nothing_is_retried_when_off,
        ),
        case(
            "V10.9",
            "every step is told with its number, to each namespace",
            returning::every_step_is_told_to_every_namespace,
        ),
        case(
            "V10.9b",
            "the first connect is retried on request only",
            returning::the_first_connect_is_retried_on_request,
        ),
        case(
            "V10.10",
            "the hook before an attempt changes its query, headers, cookies and URL",
            returning::the_hook_changes_each_attempt,
        ),
        case(
            "V10.11",
            "after a return nothing is doubled, and nothing stale is sent or delivered",
            returning::nothing_is_doubled_nor_stale,
        ),
    ]
}

fn v10_1b(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    handled(&client)?;
    within(SOON, "closing", || Ok(client.close()?))?;
    within(SOON, "the end at the server", || all_closed(cx))?;
    for nsp in ["/", "/chat"] {
        let socket = cx.control().socket(nsp)?;
        ensure!(
            socket.disconnected_at.is_some(),
            "the server still has {nsp}"
        );
        // python-socketio knows no reasons.
        let is_right = |reason: &String| reason.contains("client") || reason == "transport close";
        ensure!(
            socket.reason.as_ref().is_none_or(is_right),
            "the server says of {nsp}: {:?}",
            socket.reason
        );
    }
    ensure_eq!(client.id(), None, "the id after the end");
    ensure!(!chat.is_connected(), "the namespace is connected");
    Ok(())
}

/// Has the server disconnect the client, with all its namespaces.
fn disconnect(cx: &Cx, _: &Client) -> Outcome {
    ensure_eq!(
        cx.control().disconnect("/", true)?,
        1,
        "sockets disconnected"
    );
    Ok(())
}

fn v10_2(cx: &Cx) -> Outcome {
    returning::nothing_follows_the_servers_end(cx, disconnect)
}

fn v10_2b(cx: &Cx) -> Outcome {
    returning::returns_after_the_servers_end(cx, disconnect)
}

fn v10_2c(cx: &Cx) -> Outcome {
    for after_server in [false, true] {
        let line = Line::open(cx, quick().after_server(after_server))?;
        let in_chat = StatusLog::new();
        let chat = line
            .client
            .namespace("/chat")
            .on_status(in_chat.watcher())
            .join()?;
        cx.exchange(&chat)?;
        ensure_eq!(
            cx.control().disconnect("/chat", false)?,
            1,
            "sockets disconnected"
        );
        if after_server {
            wait_back(&in_chat, 1)?;
            cx.exchange(&chat)?;
            let expected = since_connected([a_return(1)]);
            ensure_eq!(told(&in_chat), expected, "told to /chat");
        } else {
            cx.eventually("the end of /chat", || {
                chat.state() == ConnectionState::Disconnected
            })?;
            let reason = super::kit::disconnected(chat.emit("echo", 1))?;
            ensure!(
                matches!(reason, DisconnectReason::Server),
                "it ended with {reason:?}"
            );
        }
        handled(&line.client)?;
        ensure_eq!(told(&line.log), ["connected"], "told to the root");
        line.client.close()?;
        all_closed(cx)?;
    }
    ensure_eq!(cx.control().sessions()?.len(), 2, "sessions");
    Ok(())
}
