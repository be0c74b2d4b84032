//! A case: one behaviour of the checklist, with its outcome and the checks that cases are written with.

use std::fmt;
use std::sync::Arc;

use sio_core::session::Session;

use crate::context::Context;
use crate::protocol::Protocol;
use crate::server::Server;

/// Which transports a run uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// HTTP polling only; 0.9 calls it xhr-polling.
    Polling,
    /// WebSocket only.
    WebSocket,
    /// Polling first, then the upgrade to WebSocket.
    Upgrade,
    /// The streamed HTTP answer of 0.9 only.
    HtmlFile,
    /// The script polling of 0.9 only.
    JsonpPolling,
}

impl Mode {
    /// All of them, in the order of the tables. Each protocol has [some](crate::protocol::Protocol::MODES).
    pub const EVERY: [Self; 5] = [
        Self::Polling,
        Self::WebSocket,
        Self::Upgrade,
        Self::HtmlFile,
        Self::JsonpPolling,
    ];

    /// The name on the command line and in `expected.json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
            Self::Upgrade => "upgrade",
            Self::HtmlFile => "htmlfile",
            Self::JsonpPolling => "jsonp-polling",
        }
    }

    /// The mode of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|mode| mode.name() == name)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Every mode that the protocol has, for cases that hold on all transports.
pub const ALL: &[Mode] = &Mode::EVERY;
/// Polling only.
pub const POLLING: &[Mode] = &[Mode::Polling];
/// WebSocket only.
pub const WEBSOCKET: &[Mode] = &[Mode::WebSocket];
/// The upgrade only.
pub const UPGRADE: &[Mode] = &[Mode::Upgrade];
/// The modes that begin with polling.
pub const POLLING_FIRST: &[Mode] = &[Mode::Polling, Mode::Upgrade];
/// The modes that end up on a WebSocket.
pub const WEBSOCKET_LAST: &[Mode] = &[Mode::WebSocket, Mode::Upgrade];

/// One behaviour that a client has to show.
#[derive(Debug)]
pub struct Case<P: Session = sio_v1::Session> {
    /// Its number in the checklist, for example `V6.1`.
    pub id: &'static str,
    /// The behaviour in a few words.
    pub title: &'static str,
    /// The modes it runs in.
    pub modes: &'static [Mode],
    /// Shows it, or says what was different.
    pub run: fn(&Context<P>) -> Outcome,
}

impl<P: Session> Clone for Case<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Session> Copy for Case<P> {}

impl<P: Session> Case<P> {
    /// A case that holds on every transport.
    #[must_use]
    pub const fn everywhere(
        id: &'static str,
        title: &'static str,
        run: fn(&Context<P>) -> Outcome,
    ) -> Self {
        Self::in_modes(id, title, ALL, run)
    }

    /// A case that holds on some transports.
    #[must_use]
    pub const fn in_modes(
        id: &'static str,
        title: &'static str,
        modes: &'static [Mode],
        run: fn(&Context<P>) -> Outcome,
    ) -> Self {
        Self {
            id,
            title,
            modes,
            run,
        }
    }
}

/// Runs a case on a server in a mode, with a tag.
type AnyRun = dyn Fn(&Arc<Server>, Mode, &str) -> Outcome + Send + Sync;

/// A case of whatever protocol.
#[derive(Clone)]
pub struct AnyCase {
    /// Its number in the checklist, for example `V6.1`.
    pub id: &'static str,
    /// The behaviour in a few words.
    pub title: &'static str,
    /// The modes it runs in; the protocol has all of them.
    pub modes: Vec<Mode>,
    run: Arc<AnyRun>,
}

impl AnyCase {
    /// Runs the case with a connection of its own protocol; the tag is one that no other case has.
    ///
    /// # Errors
    /// If the behaviour is another one.
    pub fn run(&self, server: &Arc<Server>, mode: Mode, tag: &str) -> Outcome {
        (self.run)(server, mode, tag)
    }

    /// The group, for example `V6`.
    #[must_use]
    pub fn group(&self) -> &'static str {
        group_of(self.id)
    }
}

impl<P: Protocol> From<Case<P>> for AnyCase {
    fn from(case: Case<P>) -> Self {
        let has = |mode: &Mode| case.modes.contains(mode);
        Self {
            id: case.id,
            title: case.title,
            modes: P::MODES.iter().copied().filter(has).collect(),
            run: Arc::new(move |server, mode, tag| {
                let options = P::options_for(server.version());
                let context = Context::new(Arc::clone(server), mode, tag.to_owned(), options);
                (case.run)(&context)
            }),
        }
    }
}

impl fmt::Debug for AnyCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyCase")
            .field("id", &self.id)
            .field("title", &self.title)
            .field("modes", &self.modes)
            .finish_non_exhaustive()
    }
}

/// The group of a case's number: what stands before the dot.
#[must_use]
pub fn group_of(id: &str) -> &str {
    id.split_once('.').map_or(id, |(group, _)| group)
}

/// Whether a name means a case: its number (`V8.5`, parts such as `V8.5c` included), its group (`V8`), or `*`.
#[must_use]
pub fn is_meant(name: &str, id: &str) -> bool {
    let number = id.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    name == "*" || name == id || name == number || name == group_of(id)
}

/// How a case went.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a case failed, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    text: String,
    not_here: bool,
}

impl Failure {
    /// The machine lacks what the case needs, which says nothing about the client: the case counts as skipped.
    #[must_use]
    pub fn not_here(why: impl Into<String>) -> Self {
        Self {
            text: why.into(),
            not_here: true,
        }
    }

    /// The words.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the machine lacks what the case needs.
    #[must_use]
    pub fn is_not_here(&self) -> bool {
        self.not_here
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self {
            text,
            not_here: false,
        }
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<sio_core::Error> for Failure {
    fn from(error: sio_core::Error) -> Self {
        Self::from(format!("the client says: {}", error.chain()))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::from(format!("in the test's own I/O: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::from(format!("in the test's own JSON: {error}"))
    }
}

/// Fails the case with a text unless a condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        let holds: bool = $condition;
        if !holds {
            return Err($crate::case::Failure::from(format!($($text)+)));
        }
    };
}

/// Fails the case unless two values are equal; the text says what they are, the values are shown.
#[macro_export]
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($what:tt)+) => {
        match (&$left, &$right) {
            (left, right) => {
                if *left != *right {
                    let what = format!($($what)+);
                    return Err($crate::case::Failure::from(format!(
                        "{what}: found {left:?}, expected {right:?}"
                    )));
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_meant_by_number_by_part_and_by_group() {
        for name in ["V8.5c", "V8.5", "V8", "*"] {
            assert!(is_meant(name, "V8.5c"), "{name}");
        }
        for name in ["V8.5a", "V8.55", "V", "v8.5c", ""] {
            assert!(!is_meant(name, "V8.5c"), "{name}");
        }
        assert!(is_meant("C10", "C10.1") && !is_meant("C1", "C10.1"));
    }
}
