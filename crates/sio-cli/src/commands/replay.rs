//! `sio replay`.

use std::fmt;
use std::fs;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use sio_auto::Transport;
use sio_core::session::SessionEvent;
use sio_core::wire_log::Difference;
use sio_core::{Ack, DisconnectReason, Error, Event, Status};

use crate::args::Replay;
use crate::connection::unreadable;
use crate::failure::{Exit, Failure};
use crate::printer::{Form, Printer};
use crate::screen::{self, Screen};

pub(crate) fn replay(options: &Replay) -> Result<Exit, Failure> {
    let file = &options.file;
    let log = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    let replay = sio_auto::replay(&log)
        .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    let form = if options.output.json {
        Form::Json
    } else {
        Form::Events {
            times: !options.no_time,
        }
    };
    let mut printer = Printer::new(form, Screen::new(None));
    let began = began(replay.head.unix_time);
    let mut story = Story::default();
    for told in &replay.told {
        // A time that no clock shows is left out.
        if let Some(at) = began.and_then(|began| began.checked_add(told.at).ok()) {
            printer.set_time(at);
        }
        if told.session > story.sessions {
            story.begin(told.session);
        }
        screen::written(story.tell(&told.event, &mut printer))?;
    }
    let outcome = Outcome {
        protocol: &replay.head.protocol,
        sessions: story.sessions,
        events: story.events,
        time: replay.told.last().map_or(Duration::ZERO, |told| told.at),
        truncated: replay.truncated,
        differences: &replay.differences,
    };
    screen::written(printer.outcome(&outcome).and_then(|()| printer.flush()))?;
    Ok(if replay.differences.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn began(unix_time: f64) -> Option<Timestamp> {
    let since = SignedDuration::try_from_secs_f64(unix_time).ok()?;
    Timestamp::from_duration(since).ok()
}

/// How a replay ended.
#[derive(Serialize)]
pub(crate) struct Outcome<'a> {
    protocol: &'a str,
    sessions: u32,
    events: u64,
    #[serde(rename = "seconds", serialize_with = "in_seconds")]
    time: Duration,
    truncated: bool,
    #[serde(serialize_with = "each")]
    pub(crate) differences: &'a [Difference],
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (events, sessions, time) = (self.events, self.sessions, self.time);
        write!(
            f,
            "sio: events: {events}, sessions: {sessions}, time: {time:.1?}; "
        )?;
        match self.differences.len() {
            0 => f.write_str("the same as recorded")?,
            count => write!(f, "differences from what was recorded: {count}")?,
        }
        if self.truncated {
            f.write_str("; the last line of the log is cut off")?;
        }
        Ok(())
    }
}

fn in_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 1e3).round() / 1e3)
}

fn each<S: Serializer>(differences: &&[Difference], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(differences.iter().map(OneDifference))
}

struct OneDifference<'a>(&'a Difference);

impl Serialize for OneDifference<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("line", &self.0.line)?;
        map.serialize_entry("recorded", &self.0.recorded)?;
        map.serialize_entry("replayed", &self.0.replayed)?;
        map.end()
    }
}

/// What the sessions of a log tell, as a client would have told it.
#[derive(Default)]
struct Story {
    sessions: u32,
    events: u64,
    questions: u64,
    transport: Option<Transport>,
    sid: Option<String>,
}

impl Story {
    fn begin(&mut self, session: u32) {
        self.sessions = session;
        self.transport = None;
        self.sid = None;
    }

    fn tell(&mut self, event: &SessionEvent, printer: &mut Printer) -> std::io::Result<()> {
        let (namespace, status) = match event {
            SessionEvent::Event {
                namespace,
                name,
                args,
                id,
            } => {
                self.events += 1;
                let (name, args) = (name.clone(), args.clone());
                let event = Event::new(namespace.clone(), name, args, Ack::unwanted());
                let ask = id.map(|_| {
                    self.questions += 1;
                    self.questions
                });
                return printer.event(&event, ask);
            }
            SessionEvent::Opened { sid, transport } => {
                self.transport = Some(*transport);
                self.sid = Some(sid.to_string());
                return Ok(());
            }
            SessionEvent::Joined { namespace } => {
                let again = self.sessions > 1;
                (&**namespace, Status::Connected { again })
            }
            SessionEvent::Upgraded => {
                self.transport = Some(Transport::WebSocket);
                ("/", Status::Upgraded)
            }
            SessionEvent::UpgradeFailed(error) => ("/", Status::UpgradeFailed(error.clone())),
            SessionEvent::TransportFailed { transport, error } => {
                let (transport, error) = (*transport, error.clone());
                ("/", Status::TransportFailed { transport, error })
            }
            SessionEvent::Refused { namespace, reason } => {
                let error = Error::Refused {
                    namespace: namespace.clone(),
                    reason: reason.clone(),
                };
                (&**namespace, Status::Error(error))
            }
            SessionEvent::ServerError { namespace, reason } => {
                let error = Error::Server {
                    namespace: namespace.clone(),
                    reason: reason.clone(),
                };
                (&**namespace, Status::Error(error))
            }
            SessionEvent::Left { namespace } => {
                (&**namespace, Status::Disconnected(DisconnectReason::Server))
            }
            SessionEvent::Closed(reason) => ("/", Status::Disconnected(reason.clone())),
            // What a client keeps to itself.
            _ => return Ok(()),
        };
        printer.status(namespace, &status, self.transport, self.sid.clone(), false)
    }
}
