//! Writes the log.

use std::mem;
use std::time::{Duration, Instant};

use super::line::{Do, Head, In, Line, Start, Tick, VERSION, What, output};
use super::mask::Mask;
use crate::session::{Command, Input, Output, Session, SessionConfig, SessionEvent};

/// Turns what goes into sessions and comes out of them into the text of a log. See the [module](super) for the format.
#[derive(Debug)]
pub struct Recorder {
    began: Instant,
    mask: Option<Mask>,
    /// Until it is written.
    head: Option<Head>,
    text: String,
}

impl Recorder {
    /// A recorder for the sessions of a client of `S`, `client`, to `server`. Lines count from `now`, which is
    /// `unix_time` for people.
    #[must_use]
    pub fn new<S: Session>(client: &str, server: &str, unix_time: Duration, now: Instant) -> Self {
        let head = Head {
            version: VERSION,
            protocol: S::NAME.to_owned(),
            client: client.to_owned(),
            server: server.to_owned(),
            masked: false,
            unix_time: unix_time.as_secs_f64(),
        };
        Self {
            began: now,
            mask: None,
            head: Some(head),
            text: String::new(),
        }
    }

    /// Makes the values of queries and the ids of sessions unreadable. The first lines of a session then wait until its
    /// id is known.
    #[must_use]
    pub fn mask_secrets(mut self) -> Self {
        self.mask = Some(Mask::default());
        if let Some(head) = &mut self.head {
            head.masked = true;
        }
        self
    }

    /// The lines since the last time; often empty.
    pub fn take(&mut self) -> String {
        self.write_head();
        mem::take(&mut self.text)
    }

    pub(crate) fn start<O: serde::Serialize>(
        &mut self,
        config: &SessionConfig<O>,
        connect_by: Instant,
        now: Instant,
    ) {
        if let Some(mask) = &mut self.mask {
            // Of the session before, in case it never told its end.
            mask.release(None, &mut self.text);
            mask.hide_query(&config.query);
            mask.hold();
        }
        let connect_by = connect_by.saturating_duration_since(self.began);
        self.line(now, What::Start(Box::new(Start::new(config, connect_by))));
    }

    pub(crate) fn input(&mut self, input: &Input, now: Instant) {
        self.line(now, What::In(In::new(input, self.mask.is_some())));
    }

    pub(crate) fn command(&mut self, command: &Command, now: Instant) {
        if let Command::Join {
            query: Some(query), ..
        } = command
            && let Some(mask) = &mut self.mask
        {
            mask.hide_query(query);
        }
        self.line(now, What::Do(Do::new(command)));
    }

    pub(crate) fn tick(&mut self, now: Instant) {
        self.line(now, What::Tick(Tick {}));
    }

    pub(crate) fn output(&mut self, of_session: &Output, now: Instant) {
        self.line(now, output(of_session, self.mask.is_some()));
        if let Some(mask) = &mut self.mask
            && let Output::Event(event) = of_session
        {
            match event {
                SessionEvent::Opened { sid, .. } => mask.release(Some(sid), &mut self.text),
                SessionEvent::Closed(_) => mask.release(None, &mut self.text),
                _ => {}
            }
        }
    }

    fn write_head(&mut self) {
        if let Some(head) = self.head.take() {
            self.text = format!("{head}\n");
        }
    }

    fn line(&mut self, now: Instant, what: What) {
        self.write_head();
        let ns = now.saturating_duration_since(self.began).into();
        let mut line = Line { ns, what }.to_string();
        line.push('\n');
        match &mut self.mask {
            Some(mask) => mask.add(line, &mut self.text),
            None => self.text.push_str(&line),
        }
    }
}
