//! R1: a server of 3.x or 4.x without `allowEIO3` refuses, and the error says what would help.

use std::time::Instant;

use crate::case::{ALL, Case, Mode, Outcome};
use crate::context::{Context, PATIENCE};
use crate::ensure;

type Cx = Context<sio_v1::Session>;

/// The cases, for the refusing server only.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case {
            id: "R1.1",
            title: "A server without allowEIO3: connect fails in time, and names the cause and the remedy",
            modes: ALL,
            run: connect_names_the_remedy,
        },
        Case {
            id: "R1.2",
            title: "A server without allowEIO3: nothing is tried again, and no session stays",
            modes: ALL,
            run: nothing_is_left,
        },
    ];
    cases.extend(super::probe::of_refusing());
    cases
}

fn connect_names_the_remedy(cx: &Cx) -> Outcome {
    let begin = Instant::now();
    let error = match cx.builder().connect() {
        Ok(client) => return Err(format!("connected: {client:?}").into()),
        Err(error) => error.chain(),
    };
    ensure!(
        begin.elapsed() < PATIENCE,
        "it took {:?}: {error}",
        begin.elapsed()
    );
    // On a WebSocket the server accepts, and then writes its HTTP answer where frames should be.
    for word in ["HTTP status 400", "Engine.IO 4", "allowEIO3"] {
        ensure!(
            error.contains(word),
            "the error does not say {word:?}: {error}"
        );
    }
    Ok(())
}

fn nothing_is_left(cx: &Cx) -> Outcome {
    ensure!(
        cx.builder().connect().is_err(),
        "connected to a server that refuses"
    );
    let seen: Vec<String> = cx
        .control()
        .requests()?
        .into_iter()
        .map(|request| request.kind)
        .collect();
    let first = if cx.mode() == Mode::WebSocket {
        "upgrade"
    } else {
        "handshake"
    };
    ensure!(
        seen == [first],
        "expected one {first} request on the server, found {seen:?}"
    );
    let sessions = cx.control().sessions()?;
    ensure!(sessions.is_empty(), "the server has sessions: {sessions:?}");
    Ok(())
}
