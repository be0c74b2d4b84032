//! Feeds a log through a session.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;
use serde_json::Value as Json;

use super::line::{Head, Line, VERSION, What, output};
use crate::session::{Output, Session, SessionEvent};

/// What a session made of a log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Replay {
    /// The log's first line.
    pub head: Head,
    /// What the sessions told, in order.
    pub told: Vec<Told>,
    /// What they did otherwise than it is recorded. None: the same.
    pub differences: Vec<Difference>,
    /// Whether the last line is cut off, as if whoever wrote it had been ended. It is left out.
    pub truncated: bool,
}

/// Something a session told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Told {
    /// Which session of the log, counted from 1.
    pub session: u32,
    /// When, counted from the log's beginning.
    pub at: Duration,
    /// What.
    pub event: SessionEvent,
}

/// An output that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The line of the log, counted from 1, that shows what was recorded, or behind which there is nothing of it.
    pub line: usize,
    /// What is recorded there, as JSON; `None` if nothing is.
    pub recorded: Option<String>,
    /// What the session did; `None` if nothing.
    pub replayed: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nothing = "nothing";
        let recorded = self.recorded.as_deref().unwrap_or(nothing);
        let replayed = self.replayed.as_deref().unwrap_or(nothing);
        write!(
            f,
            "line {}: recorded {recorded}, replayed {replayed}",
            self.line
        )
    }
}

/// Why a log cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The first line is not that of a wire log.
    #[error("this is no wire log: expected {{\"sio_wire_log\":1,…}} as its first line: {0}")]
    NoLog(String),
    /// A format of later.
    #[error("the log has format {found}, and this release reads formats up to {VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// The log is one of another protocol.
    #[error("the log was recorded with {found}, and is replayed with {expected}")]
    Protocol {
        /// The protocol of the session.
        expected: &'static str,
        /// That of the log.
        found: String,
    },
    /// A line is broken.
    #[error("line {line} of the log is broken: {why}")]
    Line {
        /// Which, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// The first line of a log, for whoever has to know which session replays it.
///
/// # Errors
/// [`LogError::NoLog`], [`LogError::Version`].
pub fn read_head(log: &str) -> Result<Head, LogError> {
    let line = log.lines().next().unwrap_or_default();
    let head: Head =
        serde_json::from_str(line).map_err(|error| LogError::NoLog(error.to_string()))?;
    if head.version > VERSION {
        return Err(LogError::Version {
            found: head.version,
        });
    }
    Ok(head)
}

/// Feeds everything that a log says went into sessions to new ones, at the times of the log, counted from `base`, which
/// may be any moment. No time passes.
///
/// # Errors
/// If the text is no log of this protocol, or a line of it is broken. Whether the sessions did the same as then is in
/// [`Replay::differences`].
pub fn replay<S: Session>(log: &str, base: Instant) -> Result<Replay, LogError> {
    let head = read_head(log)?;
    if head.protocol != S::NAME {
        return Err(LogError::Protocol {
            expected: S::NAME,
            found: head.protocol,
        });
    }
    let mut player = Player::<S> {
        base,
        session: None,
        number: 0,
        outs: Stream::default(),
        tells: Stream::default(),
        replay: Replay {
            head,
            told: Vec::new(),
            differences: Vec::new(),
            truncated: false,
        },
    };
    let last = log.lines().count();
    for (index, text) in log.lines().enumerate().skip(1) {
        let line = index + 1;
        let is_whole = || serde_json::from_str::<IgnoredAny>(text).is_ok();
        if line == last && !log.ends_with('\n') && !is_whole() {
            player.replay.truncated = true;
            player.forget_the_rest();
            break;
        }
        if !text.trim().is_empty() {
            let played = player.play(line, text);
            played.map_err(|why| LogError::Line { line, why })?;
        }
    }
    player.finish(last);
    Ok(player.replay)
}

/// One kind of output: what was recorded, and what the session has done, as far as neither has met the other.
#[derive(Debug, Default)]
struct Stream {
    recorded: VecDeque<(usize, Json)>,
    replayed: VecDeque<Json>,
}

impl Stream {
    fn compare(&mut self, differences: &mut Vec<Difference>) {
        while !self.recorded.is_empty() && !self.replayed.is_empty() {
            let (recorded, replayed) = (self.recorded.pop_front(), self.replayed.pop_front());
            if let (Some((line, recorded)), Some(replayed)) = (recorded, replayed)
                && recorded != replayed
            {
                differences.push(Difference {
                    line,
                    recorded: Some(recorded.to_string()),
                    replayed: Some(replayed.to_string()),
                });
            }
        }
    }

    /// What is left has no counterpart.
    fn finish(&mut self, line: usize, differences: &mut Vec<Difference>) {
        let recorded = self.recorded.drain(..).map(|(line, recorded)| Difference {
            line,
            recorded: Some(recorded.to_string()),
            replayed: None,
        });
        differences.extend(recorded);
        let replayed = self.replayed.drain(..).map(|replayed| Difference {
            line,
            recorded: None,
            replayed: Some(replayed.to_string()),
        });
        differences.extend(replayed);
    }
}

struct Player<S> {
    base: Instant,
    session: Option<S>,
    number: u32,
    outs: Stream,
    tells: Stream,
    replay: Replay,
}

impl<S: Session> Player<S> {
    fn play(&mut self, number: usize, text: &str) -> Result<(), String> {
        let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let at = Duration::from(line.ns);
        let now = self.moment(at)?;
        match line.what {
            What::Out(recorded) => self.outs.recorded.push_back((number, recorded)),
            What::Told(recorded) => self.tells.recorded.push_back((number, recorded)),
            What::Start(start) => {
                // Everything of the session before is told.
                self.finish(number - 1);
                let (config, connect_by) = start.decode()?;
                self.number += 1;
                self.session = Some(S::start(config, self.moment(connect_by)?, now));
            }
            What::In(input) => self.session()?.handle_input(input.decode()?, now),
            What::Do(command) => self.session()?.handle_command(command.decode()?, now),
            What::Tick(_) => self.session()?.handle_timeout(now),
        }
        self.drain(at);
        self.outs.compare(&mut self.replay.differences);
        self.tells.compare(&mut self.replay.differences);
        Ok(())
    }

    fn moment(&self, at: Duration) -> Result<Instant, String> {
        let moment = self.base.checked_add(at);
        moment.ok_or_else(|| format!("{at:?} is too far in the future"))
    }

    fn session(&mut self) -> Result<&mut S, String> {
        self.session
            .as_mut()
            .ok_or_else(|| "expected the start of a session before it".to_owned())
    }

    fn drain(&mut self, at: Duration) {
        let Some(session) = &mut self.session else {
            return;
        };
        while let Some(done) = session.poll_output() {
            match output(&done, self.replay.head.masked) {
                What::Told(told) => self.tells.replayed.push_back(told),
                What::Out(out) => self.outs.replayed.push_back(out),
                _ => {}
            }
            if let Output::Event(event) = done {
                self.replay.told.push(Told {
                    session: self.number,
                    at,
                    event,
                });
            }
        }
    }

    /// What the log would go on with is not there to be compared.
    fn forget_the_rest(&mut self) {
        self.outs.replayed.clear();
        self.tells.replayed.clear();
    }

    fn finish(&mut self, line: usize) {
        self.outs.finish(line, &mut self.replay.differences);
        self.tells.finish(line, &mut self.replay.differences);
    }
}
