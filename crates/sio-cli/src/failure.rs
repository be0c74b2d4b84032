//! What can go wrong, as a person, a program, and a shell are told of it.

use std::process::ExitCode;

use sio_core::{DisconnectReason, Error, UsageError, Value};

use crate::json::Fault;

/// How the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All was done.
    Done = 0,
    /// Something that has no number of its own: a replay that differs, an output that cannot be written.
    Failed = 1,
    /// The command line, or something on it, cannot work.
    Usage = 2,
    /// There is no connection: it could not be made, or was lost.
    NotConnected = 3,
    /// The server, or its middleware, said no.
    Refused = 4,
    /// A deadline passed.
    TimedOut = 5,
    /// Ctrl-C: 128 and the number of the signal, as shells expect.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What the command ends with, if this ends it.
    pub exit: Exit,
    /// What programs tell kinds of errors apart by.
    pub kind: &'static str,
    /// The text, on one line.
    pub message: String,
    /// What the server said, if it was the server.
    pub said: Option<Box<Said>>,
    /// What to do next.
    pub hint: Option<&'static str>,
}

/// The server's own words.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// In which namespace.
    pub namespace: String,
    /// What.
    pub reason: Value,
}

impl Said {
    fn new(namespace: &str, reason: &Value) -> Option<Box<Self>> {
        Some(Box::new(Self {
            namespace: namespace.to_owned(),
            reason: reason.clone(),
        }))
    }
}

impl Failure {
    /// A failure of the command's own.
    pub fn new(exit: Exit, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit,
            kind,
            message: message.into(),
            said: None,
            hint: None,
        }
    }

    /// The command line cannot work.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// A line of input cannot be done.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "input", message)
    }

    /// The same, with what to do next.
    #[must_use]
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// As programs are told, with the number of the line of input that it is about.
    #[must_use]
    pub fn fault(&self, line: Option<u64>) -> Fault<'_> {
        Fault {
            kind: self.kind,
            message: &self.message,
            line,
            namespace: self.said.as_ref().map(|said| &*said.namespace),
            reason: self.said.as_ref().map(|said| &said.reason),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        match self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

const PROBE: &str = "`sio probe` with the same URL tells what is there";

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let failure = |exit, kind| Self::new(exit, kind, error.chain());
        match error {
            Error::Usage(usage) => Self {
                message: in_options(usage),
                ..failure(Exit::Usage, "usage")
            },
            Error::Encode { .. } => failure(Exit::Usage, "encode"),
            Error::Decode { .. } => failure(Exit::Failed, "decode"),
            Error::Refused { namespace, reason } => Self {
                said: Said::new(namespace, reason),
                ..failure(Exit::Refused, "refused")
            },
            Error::Server { namespace, reason } => Self {
                said: Said::new(namespace, reason),
                ..failure(Exit::Refused, "server")
            },
            Error::Http(http) if http.is_refusal() => failure(Exit::Refused, "http")
                .hint("--header, --cookie or --query carry what it may ask for"),
            Error::Http(_) => failure(Exit::NotConnected, "http").hint(PROBE),
            Error::Protocol { .. } => failure(Exit::NotConnected, "protocol").hint(PROBE),
            Error::Transport { .. } => failure(Exit::NotConnected, "transport"),
            Error::Timeout { .. } => {
                failure(Exit::TimedOut, "timeout").hint("--timeout gives it longer")
            }
            Error::Disconnected(reason) => match reason {
                DisconnectReason::Error(cause) => Self::from(&**cause),
                _ => failure(Exit::NotConnected, "disconnected"),
            },
            Error::Dropped(_) => failure(Exit::NotConnected, "dropped"),
            Error::Overflow { .. } => failure(Exit::Failed, "overflow"),
            Error::Handler { .. } => failure(Exit::Failed, "handler"),
            _ => failure(Exit::Failed, "other"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

/// The text, in the words of the command line where the library has those of its setters.
fn in_options(usage: &UsageError) -> String {
    let UsageError::Option { option, why } = usage else {
        return usage.to_string();
    };
    let flag = match *option {
        "transports" => "--transport",
        "path" => "--path",
        "connect_timeout" => "--timeout",
        "proxy" => "--proxy",
        "Tls::add_ca_file" => "--ca",
        "Tls::client_certificate_files" => "--cert and --key",
        other => other,
    };
    format!("{flag} is not valid: {why}")
}

/// Why an ack did not come, in the short words of `{"ack":…,"error":…}`.
#[must_use]
pub(crate) fn ack_error(error: &Error) -> String {
    match error {
        Error::Timeout { .. } => "timed out".to_owned(),
        Error::Disconnected(_) => "disconnected".to_owned(),
        Error::Dropped(_) => "given up".to_owned(),
        other => other.chain(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sio_core::Deadline;

    use super::*;

    #[test]
    fn errors_have_the_exit_code_of_their_kind() {
        let refused = Error::Refused {
            namespace: "/".into(),
            reason: "no".into(),
        };
        assert_eq!(Failure::from(refused).exit, Exit::Refused);
        let late = Error::timeout(Deadline::Connect, Duration::from_secs(1));
        assert_eq!(Failure::from(late).exit, Exit::TimedOut);
        let io = std::io::Error::other("no route");
        let lost = Error::Disconnected(Error::transport("connecting", io).into());
        assert_eq!(Failure::from(lost).exit, Exit::NotConnected);
        for (status, exit) in [(401, Exit::Refused), (404, Exit::NotConnected)] {
            let http = sio_core::HttpError::new("the handshake", status, None, b"");
            assert_eq!(Failure::from(Error::from(http)).exit, exit);
        }
    }

    #[test]
    fn setters_are_told_by_the_names_of_their_options() {
        let error = UsageError::Option {
            option: "Tls::add_ca_file",
            why: "cannot read x.pem".into(),
        };
        let failure = Failure::from(Error::from(error));
        assert_eq!(failure.message, "--ca is not valid: cannot read x.pem");
        assert_eq!(failure.exit, Exit::Usage);
    }
}
