//! A client in a process of its own that talks, is lost and comes back; it prints nothing, or its log.

use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use sio_core::{Reconnect, Status, Transport};
use sio_net::{Client, Proxy};
use sio_peer::child::Child;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::case::{Failure, Outcome};
use crate::context::{Mode, PATIENCE, transports_of, until};
use crate::ensure_eq;
use crate::protocol::{Protocol, WithProtocol, of_server};

/// What nobody may read of what the process writes; a part of every secret that it has.
pub const SECRET: &str = "S3cret";

/// What the client asks when it may be cut off.
pub const READY: &str = "ready to be lost";

/// What such a client is told.
#[derive(Debug, Clone)]
pub struct Talk {
    /// The version of the server, for the protocol.
    pub server: String,
    /// The transports.
    pub mode: Mode,
    /// The URL.
    pub url: String,
    /// The tag in its query.
    pub tag: String,
    /// Whether everything is logged to standard output.
    pub logs: bool,
}

impl Talk {
    /// Talks: with secrets in every option and payload, an event of the wrong type, a namespace that is not there, and a loss,
    /// which is for the caller to bring about when the server was asked whether the client is [`READY`].
    ///
    /// # Errors
    /// If something of that does not work.
    pub fn talk(&self) -> Outcome {
        if self.logs {
            let lines = tracing_subscriber::fmt::layer().with_ansi(false);
            let ours = Targets::new().with_target("sio", LevelFilter::TRACE);
            tracing_subscriber::registry().with(lines).with(ours).init();
        }
        of_server(&self.server, Talking(self))
    }

    /// Starts the same in a process of its own.
    ///
    /// # Errors
    /// If this program cannot be found.
    pub fn start(&self) -> Outcome<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["talk", "--server", &self.server]);
        command.args(["--transport", self.mode.name()]);
        command.args(["--url", &self.url, "--tag", &self.tag]);
        if self.logs {
            command.arg("--logs");
        }
        // What others would have a program log is not asked here.
        command.env_remove("RUST_LOG");
        Ok(Child::start(&mut command))
    }
}

struct Talking<'a>(&'a Talk);

impl WithProtocol for Talking<'_> {
    type Output = Outcome;

    fn run<P: Protocol>(self) -> Outcome {
        let talk = self.0;
        let (told, statuses) = mpsc::channel();
        let client = Client::<P>::builder(&talk.url)
            .transports(transports_of(talk.mode))
            .query("tag", &talk.tag)
            .query("token", &secret("query"))
            .header("X-Token", &secret("header"))
            .basic_auth("me", &secret("password"))
            .cookie("token", &secret("cookie"))
            .protocol(P::options_for(&talk.server))
            .proxy(Proxy::off())
            .reconnect(Reconnect::default().base(Duration::from_millis(20)))
            .connect_timeout(PATIENCE)
            .on("echo", |_: u32| {})
            // Nobody listens any more when the talk is over.
            .on_status(move |status| drop(told.send(status.clone())))
            .connect()?;
        let await_status = |what: &str, is: fn(&Status) -> bool| loop {
            match statuses.recv_timeout(PATIENCE) {
                Ok(status) if is(&status) => return Ok(()),
                Ok(_) => {}
                Err(_) => return Err(Failure::from(format!("waited in vain for {what}"))),
            }
        };
        settle(talk.mode, &client)?;
        ask(&client, &secret("payload"))?;
        client.emit("echo", secret("payload"))?;
        await_status("the handler that fails", |status| {
            matches!(status, Status::Error(_))
        })?;
        let nowhere = client.namespace("/nowhere");
        // Refused, or on 0.9 not answered; some servers grant whatever they are asked for.
        if let Ok(granted) = nowhere.timeout(Duration::from_millis(200)).join() {
            granted.disconnect()?;
        }
        ask(&client, READY)?;
        await_status("the new session", |status| {
            matches!(status, Status::Reconnected { .. })
        })?;
        settle(talk.mode, &client)?;
        ask(&client, &secret("payload"))?;
        Ok(client.close()?)
    }
}

fn secret(of: &str) -> String {
    format!("{SECRET}-of-{of}")
}

fn ask<P: Protocol>(client: &Client<P>, question: &str) -> Outcome {
    let answer: String = client.call("echo", question, PATIENCE)?;
    ensure_eq!(answer, question, "the server's echo");
    Ok(())
}

fn settle<P: Protocol>(mode: Mode, client: &Client<P>) -> Outcome {
    if mode != Mode::Upgrade {
        return Ok(());
    }
    until("the upgrade to WebSocket", || {
        let is_there = client.transport() == Some(Transport::WebSocket);
        Ok(is_there.then_some(()))
    })
}
