//! A running server process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

pub use sio_servers::StartError;
pub use sio_servers::making::{PYTHON, SOCKETIOXIDE};

use sio_servers::Started;
use sio_servers::making::Making;
use sio_servers::process::STOP_LIMIT;

use crate::certificates::Certificates;
use crate::control::Control;

/// The servers, in the order of the tables.
pub const SERVERS: [&str; 17] = [
    "0.9.0",
    "0.9.6",
    "0.9.14",
    "0.9.16",
    "0.9.17",
    "0.9.18",
    "0.9.19",
    "1.0.6",
    "1.3.7",
    "1.4.5",
    "1.7.4",
    "2.0.4",
    "2.5.1",
    "4.8.4",
    "4.8.4-no-eio3",
    PYTHON,
    SOCKETIOXIDE,
];

/// Servers that no client of ours can talk to, which are in no table but that of [`mismatch`](crate::mismatch).
pub const TOO_NEW: [&str; 2] = ["3.0.5", "3.1.2-no-eio3"];

/// The server that refuses clients of Engine.IO 3.
pub const REFUSING: &str = "4.8.4-no-eio3";

/// The servers that are also tested as they are deployed: with TLS and behind proxies.
pub const DEPLOYED: [&str; 3] = ["0.9.19", "1.4.5", "2.5.1"];

/// The server that is also one node of several behind a balancer.
pub const CLUSTERED: &str = "2.5.1";
/// Where such a node runs from: the same version, with what it tells the other nodes by.
const NODE_FOLDER: &str = "2.5.1-redis";

/// A process that serves one version of socket.io on several ports. It is ended when this is dropped.
pub struct Server {
    setup: Setup,
    started: Started,
    control: Control,
}

/// What a server is started with, so that it can be started again.
#[derive(Debug, Clone)]
struct Setup {
    name: String,
    making: Making,
    flags: Vec<OsString>,
    certificates: Option<Arc<Certificates>>,
}

impl Server {
    /// Starts a server: one of [`SERVERS`] or [`TOO_NEW`]; those that are [deployed](DEPLOYED) get certificates of their own. Returns when
    /// its ports are open.
    ///
    /// # Errors
    /// If the name is unknown, Node or the version is not installed, it does not run on this machine, or the server does
    /// not become ready in time.
    pub fn start(name: &str) -> Result<Self, StartError> {
        let mut setup = setup_of(name)?;
        if DEPLOYED.contains(&name) {
            setup = setup.with_tls().map_err(StartError::new)?;
        }
        Self::launch(setup, None)
    }

    /// Starts [the server](CLUSTERED) as one node of several, which tell each other their broadcasts by the redis server on
    /// that port. It has the port `main` alone.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_node(redis: u16) -> Result<Self, StartError> {
        let setup = Setup {
            name: CLUSTERED.to_owned(),
            making: Making::Node(NODE_FOLDER.to_owned()),
            flags: vec![format!("--redis={redis}").into()],
            certificates: None,
        };
        Self::launch(setup, None)
    }

    /// Starts a server anew after it was [killed](Self::kill): the port `main` is the same, the others are not.
    ///
    /// # Errors
    /// As [`start`](Self::start); besides if somebody else has taken that port meanwhile.
    pub fn start_again(&self) -> Result<Self, StartError> {
        Self::launch(self.setup.clone(), Some(self.port("main")))
    }

    fn launch(setup: Setup, main: Option<u16>) -> Result<Self, StartError> {
        let mut flags = setup.flags.clone();
        flags.extend(main.map(|port| format!("--main={port}").into()));
        let started = Started::launch(&setup.name, &setup.making, &flags)?;
        let control = started.ports().get("control").copied();
        Ok(Self {
            setup,
            control: Control::new(control.unwrap_or_default()),
            started,
        })
    }

    /// The name it was started by, for example `2.5.1` or `4.8.4-no-eio3`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.setup.name
    }

    /// The socket.io version, for example `4.8.4`; the name of a server that is not Node's.
    #[must_use]
    pub fn version(&self) -> &str {
        version_of(self.name())
    }

    /// The port of a variant, for example `main`.
    ///
    /// # Panics
    /// If the server has no such variant: the test names one that does not exist.
    #[must_use]
    pub fn port(&self, variant: &str) -> u16 {
        match self.ports().get(variant) {
            Some(port) => *port,
            None => panic!(
                "the server {} has no port {variant:?}, only {:?}",
                self.name(),
                self.ports()
            ),
        }
    }

    /// All ports by the names of their variants.
    #[must_use]
    pub fn ports(&self) -> &BTreeMap<String, u16> {
        self.started.ports()
    }

    /// The certificates of its ports with TLS, and of the clients they know.
    ///
    /// # Panics
    /// If the server has none: the test is not for this server.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        match &self.setup.certificates {
            Some(certificates) => certificates,
            None => panic!("the server {} has no TLS", self.name()),
        }
    }

    /// What the server saw, and making it do something.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// What the process wrote to standard error, the newest part of it.
    #[must_use]
    pub fn output(&self) -> String {
        self.started.output()
    }

    /// Kills the process, which has no time to say goodbye to anybody. Returns when nobody listens on its port `main` any
    /// more.
    ///
    /// # Errors
    /// If it cannot be killed, or somebody still listens after 2 s.
    pub fn kill(&self) -> io::Result<()> {
        self.started.kill()?;
        let deadline = Instant::now() + STOP_LIMIT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port("main"))).is_ok() {
            if Instant::now() >= deadline {
                return Err(io::Error::other("a killed server still listens"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Ends the process: closes its standard input, waits 2 s at most, then kills it. A second call does nothing.
    pub fn stop(&self) {
        self.started.stop();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.name())
            .field("ports", self.ports())
            .finish_non_exhaustive()
    }
}

fn setup_of(name: &str) -> Result<Setup, StartError> {
    if !SERVERS.contains(&name) && !TOO_NEW.contains(&name) {
        return Err(StartError::new(format!(
            "there is no server {name:?}, only {}",
            SERVERS.join(", ")
        )));
    }
    Ok(Setup {
        name: name.to_owned(),
        making: Making::of(name),
        flags: if name.ends_with("-no-eio3") {
            vec!["--no-eio3".into()]
        } else {
            Vec::new()
        },
        certificates: None,
    })
}

fn version_of(name: &str) -> &str {
    match name.split_once('-') {
        Some((version, _)) if version.starts_with(|first: char| first.is_ascii_digit()) => version,
        _ => name,
    }
}

impl Setup {
    fn with_tls(mut self) -> Result<Self, String> {
        let certificates = Certificates::new()?;
        let mut flag = OsString::from("--tls=");
        flag.push(certificates.folder());
        self.flags.push(flag);
        self.certificates = Some(Arc::new(certificates));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_server_is_one_clear_sentence() {
        let error = Server::start("0.0.1").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("there is no server \"0.0.1\", only 0.9.0, "),
            "{error}"
        );
    }

    #[test]
    fn refusing_server_is_the_same_version_with_a_flag() {
        let folder_and_flags = |name| {
            let setup = setup_of(name).unwrap();
            (setup.making, setup.flags)
        };
        let node = Making::Node("4.8.4".to_owned());
        assert_eq!(folder_and_flags("4.8.4"), (node.clone(), vec![]));
        let flags = vec![OsString::from("--no-eio3")];
        assert_eq!(folder_and_flags(REFUSING), (node, flags));
    }

    #[test]
    fn versions_are_those_of_socket_io() {
        assert_eq!(version_of(REFUSING), "4.8.4");
        assert_eq!(version_of("0.9.19"), "0.9.19");
        for name in [PYTHON, SOCKETIOXIDE] {
            assert_eq!(version_of(name), name);
        }
    }
}
