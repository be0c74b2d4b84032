//! `conformance soak`: one connection under a steady mixed load. Every answer is checked, and what the process uses is
//! watched. With faults the load is that of [`faults`](crate::faults), and the connection is lost all the time.

mod load;
mod rough;
pub(crate) mod usage;

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use sio_core::Reconnect;
use sio_net::{Client, Proxy};

use self::load::Load;
use self::usage::{Usage, Watch};
use crate::case::{Mode, Outcome};
use crate::context::{PATIENCE, transports_of, until};
use crate::control::Tagged;
use crate::protocol::{Protocol, WithProtocol, of_server};
use crate::server::Server;
use crate::{ensure, ensure_eq};

/// The tag of the connection.
const TAG: &str = "soak";

/// What to soak.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server.
    pub server: String,
    /// The transport.
    pub mode: Mode,
    /// How long.
    pub length: Duration,
    /// How many exchanges a second; the transport's default if not given.
    pub rate: Option<f64>,
    /// The seed of the faults, if there shall be any.
    pub faults: Option<u64>,
}

impl Plan {
    /// How many exchanges a second. HTTP takes a request for each.
    ///
    /// Servers from 0.9.17 on count all WebSocket input of a connection, three times over, and end the connection at 100 MB:
    /// the default stays below 15 MB in an hour.
    fn rate(&self) -> f64 {
        self.rate.unwrap_or(match self.mode {
            Mode::WebSocket | Mode::Upgrade => 20.0,
            Mode::Polling | Mode::HtmlFile | Mode::JsonpPolling => 5.0,
        })
    }
}

/// Starts the server and keeps a connection busy; prints a line a minute, and a summary.
///
/// # Errors
/// If the server does not start, the connection is lost, something is lost, doubled, changed or out of order, or the
/// process uses more and more; the text says what.
pub fn run(plan: &Plan) -> Result<(), String> {
    of_server(&plan.server, Soak(plan))
}

struct Soak<'a>(&'a Plan);

impl WithProtocol for Soak<'_> {
    type Output = Result<(), String>;

    fn run<P: Protocol>(self) -> Self::Output {
        let plan = self.0;
        if !P::MODES.contains(&plan.mode) {
            return Err(format!("{} has no {}", plan.server, plan.mode));
        }
        if let Some(seed) = plan.faults {
            return rough::run::<P>(plan, seed).map_err(|failure| format!("FAILED: {failure}"));
        }
        let server = Server::start(&plan.server).map_err(|error| error.to_string())?;
        let outcome = soak::<P>(plan, &server);
        server.stop();
        let said = server.output();
        outcome.map_err(|failure| match said.trim() {
            "" => format!("FAILED: {failure}"),
            said => format!("FAILED: {failure}\nthe server said: {said}"),
        })
    }
}

fn soak<P: Protocol>(plan: &Plan, server: &Server) -> Outcome {
    let rate = plan.rate();
    println!(
        "socket.io {}, {}, {rate} exchanges a second for {:.1} minutes",
        server.name(),
        plan.mode,
        plan.length.as_secs_f64() / 60.0
    );
    let url = format!("http://127.0.0.1:{}", server.port("main"));
    let client = load::handlers(Client::<P>::builder(&url))
        .transports(transports_of(plan.mode))
        .query("tag", TAG)
        .proxy(Proxy::off())
        .protocol(P::options_for(server.version()))
        .reconnect(Reconnect::off())
        .connect_timeout(PATIENCE)
        .connect()?;
    let end_state = transports_of(plan.mode).last().copied();
    until("the transport it stays on", || {
        Ok((client.transport() == end_state).then_some(()))
    })?;
    let control = server.control().tagged(TAG);
    let mut load = Load::new(&client)?;
    let mut watch = Watch::new();
    let begin = Instant::now();
    keep_busy(plan, begin, &mut load, &mut watch)
        .map_err(|failure| format!("after {:.1?}: {failure}", begin.elapsed()))?;
    let totals = load.finish()?;
    let counters = client.counters();
    still_one_session(&control)?;
    client.close()?;
    println!("{totals}");
    println!("{watch}");
    println!("tolerated: {}", counters.tolerated);
    ensure_eq!(counters.unknown_acks, 0, "answers that nobody waited for");
    ensure_eq!(
        counters.dropped_events,
        0,
        "events of namespaces not joined"
    );
    ensure_eq!(
        server.control().errors()?.count,
        0,
        "uncaught exceptions of the server"
    );
    watch.verdict()?;
    println!("nothing lost, doubled, changed or out of order");
    Ok(())
}

/// Makes one exchange after the other at the rate of the plan, and looks at the process each second.
fn keep_busy<P: Protocol>(
    plan: &Plan,
    begin: Instant,
    load: &mut Load<P>,
    watch: &mut Watch,
) -> Outcome {
    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);
    let pace = Duration::from_secs_f64(1.0 / plan.rate());
    let end = begin + plan.length;
    let (mut next, mut next_look, mut next_line) = (begin, begin + SECOND, begin + MINUTE);
    println!(
        "minute  exchanges  sent kB  median ms  max ms  {}",
        usage::HEADING
    );
    loop {
        let now = Instant::now();
        if now >= next_look {
            watch.look(Usage::now());
            next_look += SECOND;
        }
        if now >= next_line || now >= end {
            let minute = load.take_minute();
            println!(
                "{:6.1}  {:9}  {:7.1}  {:9.2}  {:6.2}  {}",
                begin.elapsed().as_secs_f64() / 60.0,
                minute.exchanges,
                minute.bytes as f64 / 1000.0,
                minute.median.as_secs_f64() * 1000.0,
                minute.max.as_secs_f64() * 1000.0,
                watch.minute()
            );
            // Whoever reads this through a pipe wants to see it now.
            std::io::stdout().flush()?;
            next_line += MINUTE;
        }
        if now >= end {
            return Ok(());
        }
        load.exchange()?;
        // What was missed is not made up for: the load shall be steady.
        next = (next + pace).max(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// The connection is the one it began with.
fn still_one_session(control: &Tagged) -> Outcome {
    let session = control.session()?;
    ensure!(
        session.closed_at.is_none(),
        "the server closed the session: {:?}",
        session.reason
    );
    Ok(())
}
