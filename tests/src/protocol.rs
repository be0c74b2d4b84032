//! What the suites have to know of a protocol beside its session, and which server speaks which.

use std::time::Duration;

use sio_core::session::Session;

use crate::case::{Case, Mode};
use crate::server::REFUSING;
use crate::suites;

/// A protocol of the workspace, as the suites see it.
pub trait Protocol: Session {
    /// The versions of its servers, as a reader of the tables knows them.
    const SERVERS: &'static str;

    /// The modes it can run in, in the order of the tables.
    const MODES: &'static [Mode];

    /// Whether payloads may have bytes.
    const HAS_BYTES: bool;

    /// The kinds of requests that a session on a WebSocket alone begins with.
    const WEBSOCKET_BEGINS: &'static [&'static str];

    /// How the target of a request goes on behind the path that was given to the client.
    const BEHIND_PATH: &'static str;

    /// What the client has to be told about a server of this version.
    fn options_for(version: &str) -> Self::Options;

    /// Where a dead link is noticed soon.
    fn dead_link(version: &str, mode: Mode) -> DeadLink<Self::Options>;

    /// The cases for a server, in the order of the checklist.
    fn cases_for(server: &str) -> Vec<Case<Self>>;
}

/// Where a dead link is noticed soon.
#[derive(Debug, Clone)]
pub struct DeadLink<O> {
    /// The port of the server.
    pub variant: &'static str,
    /// The client notices within this time, or the server does, and tells.
    pub noticed_within: Duration,
    /// What the client has to be told for that.
    pub options: O,
}

impl Protocol for sio_v1::Session {
    const SERVERS: &'static str = "1.0 and later";
    const MODES: &'static [Mode] = &[Mode::Polling, Mode::WebSocket, Mode::Upgrade];
    const HAS_BYTES: bool = true;
    const WEBSOCKET_BEGINS: &'static [&'static str] = &["upgrade"];
    const BEHIND_PATH: &'static str = "?";

    fn options_for(version: &str) -> sio_v1::Options {
        sio_v1::Options::new().double_encoded_websocket(version == "1.0.6")
    }

    fn dead_link(version: &str, _mode: Mode) -> DeadLink<sio_v1::Options> {
        DeadLink {
            variant: "short-heartbeat",
            noticed_within: Duration::from_secs(1),
            options: Self::options_for(version),
        }
    }

    fn cases_for(server: &str) -> Vec<Case<Self>> {
        if server == REFUSING {
            return suites::r1::cases();
        }
        let mut cases = suites::of_v1();
        cases.extend(suites::of_both());
        cases
    }
}

impl Protocol for sio_legacy::Session {
    const SERVERS: &'static str = "0.9";
    const MODES: &'static [Mode] = &[
        Mode::Polling,
        Mode::WebSocket,
        Mode::HtmlFile,
        Mode::JsonpPolling,
    ];
    const HAS_BYTES: bool = false;
    const WEBSOCKET_BEGINS: &'static [&'static str] = &["handshake", "upgrade"];
    const BEHIND_PATH: &'static str = "1/";

    fn options_for(_version: &str) -> sio_legacy::Options {
        sio_legacy::Options::new()
    }

    /// A stream has a heartbeat. A poll has none, and a limit; before it counts, one that is out may come back.
    fn dead_link(version: &str, mode: Mode) -> DeadLink<sio_legacy::Options> {
        const POLL: Duration = Duration::from_secs(1);
        let options = Self::options_for(version);
        let (variant, noticed_within, options) = match mode {
            Mode::Polling | Mode::JsonpPolling => {
                ("short-poll", 2 * POLL, options.poll_timeout(POLL))
            }
            _ => ("short-heartbeat", Duration::from_secs(2), options),
        };
        DeadLink {
            variant,
            noticed_within,
            options,
        }
    }

    fn cases_for(_server: &str) -> Vec<Case<Self>> {
        let mut cases = suites::of_legacy();
        cases.extend(suites::of_both());
        cases
    }
}

/// Something to be done with whatever protocol a server speaks.
pub trait WithProtocol {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run<P: Protocol>(self) -> Self::Output;
}

/// What the tables say of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// See [`Protocol::SERVERS`].
    pub servers: &'static str,
    /// See [`Protocol::MODES`].
    pub modes: &'static [Mode],
}

/// The protocol of a server.
#[must_use]
pub fn family_of(server: &str) -> Family {
    struct Look;
    impl WithProtocol for Look {
        type Output = Family;

        fn run<P: Protocol>(self) -> Family {
            Family {
                servers: P::SERVERS,
                modes: P::MODES,
            }
        }
    }
    of_server(server, Look)
}

/// Does something with the protocol of a server, which follows from its name: nowhere else are they told apart.
pub fn of_server<T: WithProtocol>(server: &str, task: T) -> T::Output {
    if server.starts_with("0.9.") {
        task.run::<sio_legacy::Session>()
    } else {
        task.run::<sio_v1::Session>()
    }
}
