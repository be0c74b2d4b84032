//! Parts of V2 behind a reverse proxy, nginx, that keeps WebSockets from the server or lets them through.

use sio_core::{Status, Transport};
use sio_v1::Session;

use crate::case::{Case, Outcome, UPGRADE, WEBSOCKET, WEBSOCKET_LAST};
use crate::context::{Context, StatusLog};
use crate::nginx::{Nginx, WebSockets};
use crate::{ensure, ensure_eq};

type Cx = Context<Session>;

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    vec![
        Case::in_modes(
            "V2.3b",
            "behind an nginx that was not told of WebSockets, the session stays on polling and says why",
            UPGRADE,
            stays_on_polling,
        ),
        Case::in_modes(
            "V2.3c",
            "behind such an nginx, a WebSocket alone fails with an error that says why",
            WEBSOCKET,
            websocket_alone_says_why,
        ),
        Case::in_modes(
            "V2.3d",
            "behind an nginx that was told, WebSockets work",
            WEBSOCKET_LAST,
            nginx_that_was_told,
        ),
    ]
}

fn nginx(cx: &Cx, websockets: WebSockets) -> Outcome<Nginx> {
    Nginx::start(&[cx.server().port("main")], websockets)
}

fn stays_on_polling(cx: &Cx) -> Outcome {
    let nginx = nginx(cx, WebSockets::Lost)?;
    let log = StatusLog::new();
    let builder = cx.builder_at(&nginx.url()).on_status(log.watcher());
    let client = builder.connect()?;
    let why = log.wait_for("the failure of the upgrade", |status| match status {
        Status::UpgradeFailed(error) => Some(error.chain()),
        _ => None,
    })?;
    explains(&why)?;
    for _ in 0..3 {
        cx.exchange(&client)?;
    }
    ensure_eq!(
        client.transport(),
        Some(Transport::Polling),
        "the transport"
    );
    cx.control().session().map(drop)
}

fn websocket_alone_says_why(cx: &Cx) -> Outcome {
    let nginx = nginx(cx, WebSockets::Lost)?;
    match cx.builder_at(&nginx.url()).connect() {
        Ok(_) => Err("it connected".into()),
        Err(error) => explains(&error.chain()),
    }
}

/// What the server makes of a WebSocket handshake without its `Upgrade`.
fn explains(error: &str) -> Outcome {
    for words in ["400", "does not pass WebSockets on"] {
        ensure!(
            error.contains(words),
            "{words:?} is not in the error: {error}"
        );
    }
    Ok(())
}

fn nginx_that_was_told(cx: &Cx) -> Outcome {
    let nginx = nginx(cx, WebSockets::PassedOn)?;
    let client = cx.builder_at(&nginx.url()).connect()?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    ensure_eq!(
        client.transport(),
        Some(Transport::WebSocket),
        "the transport"
    );
    cx.control().session().map(drop)
}
