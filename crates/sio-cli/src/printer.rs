//! Prints what happens, as a person or as a program wants it.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sio_auto::Report;
use sio_core::{Args, DisconnectReason, Error, Event, Status, Transport, Value};

use crate::commands::replay::Outcome;
use crate::failure::{Failure, ack_error};
use crate::json::{AckName, Line, State, to_text};
use crate::paint;
use crate::screen::Screen;

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// JSON lines.
    Json,
    /// Events on standard output, with or without the time; all else beside it.
    Events { times: bool },
    /// Everything in one stream.
    Talk { times: bool },
    /// The values of acks alone on standard output.
    Values,
}

/// See the [module](self).
pub(crate) struct Printer {
    form: Form,
    screen: Screen,
    /// When it happened, if not now.
    at: Option<Timestamp>,
    /// The last line about the connection as a whole, which every namespace is told of.
    last_shared: String,
}

impl Printer {
    pub(crate) fn new(form: Form, screen: Screen) -> Self {
        Self {
            form,
            screen,
            at: None,
            last_shared: String::new(),
        }
    }

    /// Hands over what was printed.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.screen.flush()
    }

    /// What is printed from here on happened at this time.
    pub(crate) fn set_time(&mut self, at: Timestamp) {
        self.at = Some(at);
    }

    pub(crate) fn event(&mut self, event: &Event, ask: Option<u64>) -> io::Result<()> {
        let args = match event.values() {
            Ok(args) => args,
            Err(error) => return self.failure(None, &Failure::from(error)),
        };
        let (name, namespace) = (event.name(), event.namespace());
        match self.form {
            Form::Json => self.json(&Line::Event {
                event: name,
                namespace,
                args: &args,
                ask,
            }),
            Form::Events { .. } | Form::Talk { .. } => {
                let time = self.time();
                // Only who types can answer.
                let ask = ask.filter(|_| matches!(self.form, Form::Talk { .. }));
                let text = paint::event(time.as_deref(), namespace, name, &args, ask);
                self.screen.line(&text)
            }
            Form::Values => Ok(()),
        }
    }

    pub(crate) fn ack(
        &mut self,
        name: &AckName,
        event: &str,
        outcome: &sio_core::Result<Args>,
        took: Duration,
    ) -> io::Result<()> {
        let outcome = match outcome {
            Ok(args) => args.to_values().map_err(|error| error.to_string()),
            Err(error) => Err(ack_error(error)),
        };
        match (self.form, &outcome) {
            (Form::Json, Ok(args)) => self.json(&Line::Ack {
                ack: name,
                args,
                ms: (took.as_secs_f64() * 1e6).round() / 1e3,
            }),
            (Form::Json, Err(error)) => self.json(&Line::NoAck { ack: name, error }),
            (Form::Values, Ok(args)) => args.iter().try_for_each(|value| self.value(value)),
            (Form::Values, Err(_)) => Ok(()),
            (Form::Events { .. } | Form::Talk { .. }, _) => {
                let time = self.time();
                let outcome = outcome.as_deref().map_err(|error| &**error);
                let text = paint::ack(time.as_deref(), event, took, outcome);
                self.screen.line(&text)
            }
        }
    }

    /// A value by itself: JSON that can be read again, for pipes.
    fn value(&mut self, value: &Value) -> io::Result<()> {
        self.screen.data(&to_text(value))
    }

    pub(crate) fn status(
        &mut self,
        namespace: &str,
        status: &Status,
        transport: Option<Transport>,
        id: Option<String>,
        is_ending: bool,
    ) -> io::Result<()> {
        let is_shared = !matches!(
            status,
            Status::Connected { .. }
                | Status::Disconnected(_)
                | Status::ReconnectFailed { .. }
                | Status::Error(_)
        );
        if is_shared {
            let shared = format!("{status:?}");
            if shared == self.last_shared {
                return Ok(());
            }
            self.last_shared = shared;
        } else {
            self.last_shared.clear();
        }
        match self.form {
            Form::Json => match told(namespace, status, transport, id) {
                Some(state) => self.json(&Line::State(state)),
                None => match status {
                    Status::Error(error) => self.failure(None, &Failure::from(error)),
                    _ => Ok(()),
                },
            },
            // The failure that ends it says all there is to say.
            Form::Values => Ok(()),
            // A person who ends it knows.
            _ if is_ending => Ok(()),
            Form::Events { .. } | Form::Talk { .. } => {
                let transport = transport.map(|transport| transport.to_string());
                let text = paint::status(namespace, status, transport.as_deref(), id.as_deref());
                match text {
                    Some((text, true)) => self.complain(&text),
                    Some((text, false)) => self.remark(&text),
                    None => Ok(()),
                }
            }
        }
    }

    /// What went wrong; `line` is that of the input.
    pub(crate) fn failure(&mut self, line: Option<u64>, failure: &Failure) -> io::Result<()> {
        match self.form {
            Form::Json => self.json(&Line::Error {
                error: failure.fault(line),
            }),
            _ => match line {
                Some(line) => self.complain(&format!("line {line}: {failure}")),
                None => self.complain(&failure.to_string()),
            },
        }
    }

    /// A text of the command's own, for a person.
    pub(crate) fn say(&mut self, text: &str) -> io::Result<()> {
        text.lines().try_for_each(|line| self.screen.line(line))
    }

    /// The connection is closed.
    pub(crate) fn closed(&mut self) -> io::Result<()> {
        match self.form {
            Form::Json => self.json(&Line::State(State {
                state: "closed",
                ..State::default()
            })),
            _ => Ok(()),
        }
    }

    /// What a probe found.
    pub(crate) fn report(&mut self, report: &Report) -> io::Result<()> {
        if self.form == Form::Json {
            return self.screen.data(&Line::Probe { probe: report }.to_text());
        }
        let text = report.to_string();
        let mut lines = text.lines();
        if let Some(first) = lines.next() {
            self.screen.line(&paint::headline(first))?;
        }
        lines.try_for_each(|line| self.screen.line(&paint::safe(line)))
    }

    /// How a replay ended.
    pub(crate) fn outcome(&mut self, outcome: &Outcome<'_>) -> io::Result<()> {
        if self.form == Form::Json {
            return self
                .screen
                .data(&Line::Replay { replay: outcome }.to_text());
        }
        for difference in outcome.differences {
            self.complain(&difference.to_string())?;
        }
        self.screen
            .aside(&paint::remark(None, &outcome.to_string()))
    }

    /// A line of JSON.
    fn json(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.screen.data(&line.to_text())
    }

    fn remark(&mut self, text: &str) -> io::Result<()> {
        let text = paint::remark(self.time().as_deref(), text);
        self.beside(&text)
    }

    fn complain(&mut self, text: &str) -> io::Result<()> {
        let text = paint::complaint(self.time().as_deref(), text);
        self.beside(&text)
    }

    fn beside(&mut self, text: &str) -> io::Result<()> {
        match self.form {
            Form::Talk { .. } => self.screen.line(text),
            _ => self.screen.aside(text),
        }
    }

    fn time(&self) -> Option<String> {
        match self.form {
            Form::Events { times: true } | Form::Talk { times: true } => {
                let at = self.at.unwrap_or_else(Timestamp::now);
                let here = at.to_zoned_datetime(TimeZone::system());
                Some(here.strftime("%H:%M:%S%.3f").to_string())
            }
            _ => None,
        }
    }
}

/// A change of status as a line of JSON; `None` if it is no state, or said by another.
fn told<'a>(
    namespace: &'a str,
    status: &Status,
    transport: Option<Transport>,
    id: Option<String>,
) -> Option<State<'a>> {
    let of_namespace = |state| State {
        state,
        namespace: Some(namespace),
        ..State::default()
    };
    let of_all = |state| State {
        state,
        ..State::default()
    };
    let chain = |error: &Error| Some(error.chain());
    Some(match status {
        Status::Connected { again } => State {
            transport,
            id,
            again: Some(*again),
            ..of_namespace("connected")
        },
        Status::Upgraded => State {
            transport,
            ..of_all("upgraded")
        },
        Status::UpgradeFailed(error) => State {
            message: chain(error),
            ..of_all("upgrade-failed")
        },
        Status::TransportFailed { transport, error } => State {
            transport: Some(*transport),
            message: chain(error),
            ..of_all("transport-failed")
        },
        Status::Disconnected(reason) => State {
            reason: Some(reason_name(reason)),
            message: Some(reason.to_string()),
            ..of_namespace("disconnected")
        },
        Status::ReconnectScheduled { attempt, delay } => State {
            attempt: Some(*attempt),
            seconds: Some((delay.as_secs_f64() * 1e3).round() / 1e3),
            ..of_all("waiting")
        },
        Status::Reconnecting { attempt } => State {
            attempt: Some(*attempt),
            ..of_all("reconnecting")
        },
        Status::ReconnectError { attempt, error } => State {
            attempt: Some(*attempt),
            message: chain(error),
            ..of_all("attempt-failed")
        },
        Status::ReconnectFailed { attempts, error } => State {
            attempt: Some(*attempts),
            message: chain(error),
            ..of_namespace("given-up")
        },
        _ => return None,
    })
}

fn reason_name(reason: &DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::NotYet => "not-yet",
        DisconnectReason::Client => "client",
        DisconnectReason::Server => "server",
        DisconnectReason::PingTimeout => "ping-timeout",
        DisconnectReason::SessionLost => "session-lost",
        DisconnectReason::TransportClose { .. } => "transport-close",
        _ => "error",
    }
}
