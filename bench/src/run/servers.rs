//! The servers that are measured on.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use sio_servers::Started;
use sio_servers::making::{Making, SOCKETIOXIDE};
use sio_servers::process;

use super::cores::Cores;
use super::results::Missing;

/// The fast server, by its name in the tables.
pub const FAST: &str = "fast";

/// The real servers.
pub const REAL: [&str; 3] = ["2.5.1", "0.9.19", SOCKETIOXIDE];

const START_LIMIT: Duration = Duration::from_secs(10);

/// A server that runs. It ends when this is dropped.
#[derive(Debug)]
pub(crate) enum Running {
    Fast { process: Child, port: u16 },
    Real(Started),
}

impl Running {
    /// Starts a server by its name. `program` is `bench`.
    pub(super) fn start(name: &str, program: &Path, cores: Cores) -> Result<Self, Missing> {
        if name == FAST {
            return Self::start_fast(program, cores, &[]).map_err(Missing::failed);
        }
        let server = Started::launch(name, &Making::of(name).fast(), &[]);
        let server = server.map_err(|error| match error.is_not_here() {
            true => Missing::cannot(error.to_string()),
            false => Missing::failed(error.to_string()),
        })?;
        cores.bind(server.id()).map_err(Missing::failed)?;
        Ok(Self::Real(server))
    }

    /// Starts the fast server, which may be told more.
    pub(crate) fn start_fast(
        program: &Path,
        cores: Cores,
        arguments: &[&str],
    ) -> Result<Self, String> {
        start_fast(cores.command(program).arg("serve").args(arguments))
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        let port = match self {
            Self::Fast { port, .. } => *port,
            Self::Real(server) => server.ports().get("main").copied().unwrap_or_default(),
        };
        format!("http://127.0.0.1:{port}")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Fast { process, .. } = self {
            _ = process::stop(process);
        }
    }
}

#[derive(Deserialize)]
struct Ready {
    port: u16,
}

fn start_fast(command: &mut Command) -> Result<Running, String> {
    let cannot = |why: String| format!("the fast server did not start: {why}");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut process = child.map_err(|error| cannot(error.to_string()))?;
    let line = match process.stdout.take() {
        Some(stdout) => process::first_line(stdout, START_LIMIT),
        None => Err("its standard output is missing".to_owned()),
    };
    let ready = line.and_then(|line| {
        serde_json::from_str::<Ready>(&line).map_err(|error| format!("{error} in {line:?}"))
    });
    match ready {
        Ok(Ready { port }) => Ok(Running::Fast { process, port }),
        Err(why) => {
            _ = process::stop(&mut process);
            Err(cannot(why))
        }
    }
}
