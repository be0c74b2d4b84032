//! What has been asked and answered so far, and what is to be asked next.

use std::fmt;

use sio_v1::engine::handshake::ServerErrorCode;

use super::answer::{Answer, By, Legacy, Script};

/// What the probe can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// An Engine.IO session by polling, in this version.
    Poll(u8),
    /// An Engine.IO session by WebSocket, in this version.
    WebSocket(u8),
    /// The handshake of 0.9.
    Legacy,
    /// The head of the client that the server hands out.
    ScriptHead,
    /// The beginning of it.
    ScriptBeginning,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poll(version) => write!(f, "GET ?EIO={version}&transport=polling"),
            Self::WebSocket(version) => write!(f, "WebSocket ?EIO={version}"),
            Self::Legacy => f.write_str("GET 1/"),
            Self::ScriptHead => f.write_str("HEAD socket.io.js"),
            Self::ScriptBeginning => f.write_str("GET socket.io.js"),
        }
    }
}

/// The answers, by question; `None` is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    pub(super) poll4: Option<Answer>,
    pub(super) poll3: Option<Answer>,
    pub(super) websocket4: Option<Answer>,
    pub(super) websocket3: Option<Answer>,
    pub(super) legacy: Option<Legacy>,
    pub(super) script: Option<Script>,
    /// Every question that was asked, in order.
    pub(super) asked: Vec<Question>,
}

impl Findings {
    /// What is to be asked next; `None` if there is nothing more to find out.
    pub(super) fn next(&self) -> Option<Question> {
        let wanted = self.wanted();
        wanted
            .into_iter()
            .find(|question| !self.asked.contains(question))
    }

    /// What should have been asked, as far as it can be known now.
    fn wanted(&self) -> Vec<Question> {
        let mut wanted = vec![Question::Poll(4)];
        let Some(first) = &self.poll4 else {
            return wanted;
        };
        match first {
            Answer::Bare(_) => wanted.extend([Question::Poll(3), Question::ScriptHead]),
            Answer::Framed { .. } => wanted.push(Question::ScriptHead),
            Answer::Refused {
                code: Some(ServerErrorCode::UnknownTransport),
                ..
            }
            | Answer::Refused {
                code: Some(ServerErrorCode::BadRequest),
                by: By::Rust,
                ..
            } => {
                // Polling is switched off.
                wanted.extend([Question::ScriptHead, Question::WebSocket(4)]);
                if self.websocket4.is_some() && !self.has_no_4() && !self.is_3_0() {
                    wanted.push(Question::WebSocket(3));
                }
            }
            Answer::Refused {
                code: Some(ServerErrorCode::UnsupportedProtocolVersion),
                ..
            }
            | Answer::Refused { by: By::Python, .. } => {
                wanted.extend([Question::Poll(3), Question::ScriptHead]);
            }
            Answer::Refused { .. } => {
                wanted.push(Question::ScriptHead);
                if self.major().is_some_and(|major| major >= 3) && !self.is_3_0() {
                    wanted.push(Question::Poll(3));
                }
            }
            Answer::Welcome => {
                wanted.push(Question::Legacy);
                self.want_script(&mut wanted);
            }
            // A page for everything may stand before a 0.9 server.
            Answer::Other(page) if page.status == 200 => {
                wanted.push(Question::Legacy);
                self.want_script(&mut wanted);
            }
            Answer::Message { .. } | Answer::Other(_) | Answer::Failed(_) | Answer::Silent => {}
        }
        wanted
    }

    /// 0.9 puts its script together for the transports it offers, and an exception ends its process if these are none.
    fn want_script(&self, wanted: &mut Vec<Question>) {
        if matches!(&self.legacy, Some(Legacy::Handshake(handshake)) if !handshake.transports.is_empty())
        {
            wanted.push(Question::ScriptBeginning);
        }
    }

    /// Whether it is 1.x or 2.x: each session there is one of Engine.IO 3, and connects to the application.
    pub(super) fn has_no_4(&self) -> bool {
        matches!(
            self.websocket4,
            Some(Answer::Message {
                connected: true,
                ..
            })
        ) || self.major().is_some_and(|major| major < 3)
    }

    /// The version of the client that the server hands out.
    pub(super) fn script_version(&self) -> Option<&str> {
        self.script.as_ref()?.version()
    }

    /// The first number of it.
    pub(super) fn major(&self) -> Option<u8> {
        self.script_version()?.split('.').next()?.parse().ok()
    }

    /// Whether it is 3.0, which never speaks Engine.IO 3.
    pub(super) fn is_3_0(&self) -> bool {
        self.script_version()
            .is_some_and(|version| version.starts_with("3.0."))
    }

    /// Keeps the answer to a question about Engine.IO.
    pub(super) fn answered(&mut self, question: Question, answer: Answer) {
        let place = match question {
            Question::Poll(4) => &mut self.poll4,
            Question::Poll(_) => &mut self.poll3,
            Question::WebSocket(4) => &mut self.websocket4,
            _ => &mut self.websocket3,
        };
        *place = Some(answer);
    }
}
