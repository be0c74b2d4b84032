//! A client in a process of its own, with an environment of its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use sio_core::Reconnect;
use sio_net::{Client, Roots, Tls};

use crate::case::{Failure, Outcome};
use crate::context::{Mode, PATIENCE, transports_of};
use crate::ensure_eq;
use crate::protocol::{Protocol, WithProtocol, of_server};

/// What such a client is told.
#[derive(Debug, Clone)]
pub struct Question {
    /// The version of the server, for the protocol.
    pub server: String,
    /// The transports.
    pub mode: Mode,
    /// The URL.
    pub url: String,
    /// The tag in its query.
    pub tag: String,
    /// The authority to trust, and no other.
    pub authority: Option<PathBuf>,
}

impl Question {
    /// Connects, asks the server something, and closes. The proxy is the environment's.
    ///
    /// # Errors
    /// If something of that does not work.
    pub fn ask(&self) -> Outcome {
        of_server(&self.server, Asking(self))
    }

    /// The same in a process of its own, which has no proxies in its environment but these variables.
    ///
    /// # Errors
    /// What the process says, if it does not succeed.
    pub fn ask_with(&self, variables: &[(&str, &str)]) -> Outcome {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["ask", "--server", &self.server]);
        command.args(["--transport", self.mode.name()]);
        command.args(["--url", &self.url, "--tag", &self.tag]);
        if let Some(authority) = &self.authority {
            command.arg("--authority").arg(authority);
        }
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(name);
            command.env_remove(name.to_ascii_uppercase());
        }
        command.envs(variables.iter().copied());
        // It gives up by itself: everything it waits for has a limit.
        let ended = command.stdin(Stdio::null()).output()?;
        if ended.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        Err(Failure::from(said.trim().to_owned()))
    }
}

struct Asking<'a>(&'a Question);

impl WithProtocol for Asking<'_> {
    type Output = Outcome;

    fn run<P: Protocol>(self) -> Outcome {
        let question = self.0;
        let mut builder = Client::<P>::builder(&question.url)
            .transports(transports_of(question.mode))
            .query("tag", &question.tag)
            .protocol(P::options_for(&question.server))
            .reconnect(Reconnect::off())
            .connect_timeout(PATIENCE);
        if let Some(authority) = &question.authority {
            builder = builder.tls(Tls::new().roots(Roots::None).add_ca_file(authority));
        }
        let client = builder.connect()?;
        let answer: String = client.call("echo", "is anybody there?", PATIENCE)?;
        ensure_eq!(answer, "is anybody there?", "the server's echo");
        Ok(client.close()?)
    }
}
