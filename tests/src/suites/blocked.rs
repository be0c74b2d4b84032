//! Parts of V2 behind a reverse proxy, nginx, that keeps WebSockets from the server or lets them through.

use std::ffi::OsString;
use std::io;

use sio_core::{Status, Transport};
use sio_v1::Session;

use crate::case::{Case, Outcome, UPGRADE, WEBSOCKET, WEBSOCKET_LAST};
use crate::context::{Context, StatusLog};
use crate::daemon::{Daemon, Place};
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

/// What an nginx has to be told, or WebSockets end there.
const PASS_ON: &str = "proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;";

/// An nginx in front of the server; `more` is what it is told besides where that is.
fn nginx(cx: &Cx, more: &str) -> Outcome<Daemon> {
    let server = cx.server().port("main");
    Daemon::start("nginx", |place| {
        let config = place.file("nginx.conf", &configuration(place, server, more))?;
        arguments(place, config.into())
    })
}

/// Without a master, for that would leave its worker behind when it is killed.
fn configuration(place: &Place<'_>, server: u16, more: &str) -> String {
    let port = place.port;
    let bodies = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};"))
        .join("\n  ");
    format!(
        "daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  {bodies}
  map $http_upgrade $connection_upgrade {{
    default upgrade;
    '' '';
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{server};
      {more}
    }}
  }}
}}
"
    )
}

fn arguments(place: &Place<'_>, config: OsString) -> io::Result<Vec<OsString>> {
    let folder = place.folder().as_os_str().to_owned();
    Ok(vec![
        "-p".into(),
        folder,
        "-e".into(),
        "stderr".into(),
        "-c".into(),
        config,
    ])
}

fn url(nginx: &Daemon) -> String {
    format!("http://127.0.0.1:{}", nginx.port())
}

fn stays_on_polling(cx: &Cx) -> Outcome {
    let nginx = nginx(cx, "")?;
    let log = StatusLog::new();
    let builder = cx.builder_at(&url(&nginx)).on_status(log.watcher());
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
    let nginx = nginx(cx, "")?;
    match cx.builder_at(&url(&nginx)).connect() {
        Ok(_) => Err("it connected".into()),
        Err(error) => explains(&error.chain()),
    }
}

/// What the server makes of a WebSocket handshake without its `Upgrade`.
fn explains(error: &str) -> Outcome {
    for words in ["400", "WebSocket"] {
        ensure!(
            error.contains(words),
            "{words:?} is not in the error: {error}"
        );
    }
    Ok(())
}

fn nginx_that_was_told(cx: &Cx) -> Outcome {
    let nginx = nginx(cx, PASS_ON)?;
    let client = cx.builder_at(&url(&nginx)).connect()?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    ensure_eq!(
        client.transport(),
        Some(Transport::WebSocket),
        "the transport"
    );
    cx.control().session().map(drop)
}
