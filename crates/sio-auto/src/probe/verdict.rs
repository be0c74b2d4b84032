//! From what was found out to the report.

use std::time::Duration;

use sio_v1::engine::handshake::{Handshake, ServerErrorCode};

use super::answer::{Answer, By, Legacy, Page, Script};
use super::findings::{Findings, Question};
use crate::builder::Protocol;
use crate::report::{Certainty, Family, Report};

/// Versions whose client is that of an earlier one: what the client says, and which servers hand it out.
const SHARED_CLIENTS: [(&str, &str); 4] = [
    ("0.9.11", "0.9.11 to 0.9.14"),
    ("0.9.16", "0.9.16 to 0.9.19"),
    ("2.4.0", "2.4.0 or 2.4.1"),
    ("2.5.0", "2.5.0 or 2.5.1"),
];

/// How many characters a session id of socketioxide has. Those of Node servers have 20, unless an application makes them.
const SID_OF_RUST: usize = 16;

/// `pingTimeout` of 3.x, unless it is configured; that of 4.x is longer.
const PING_TIMEOUT_OF_3: Duration = Duration::from_secs(5);

impl Findings {
    /// The report, for the server and path that `url` shows.
    pub(super) fn report(&self, url: &str) -> Report {
        let mut report = Report {
            url: url.to_owned(),
            server: Family::NotSocketIo,
            version: None,
            engine_io: None,
            allows_eio3: None,
            protocol: None,
            transports: Vec::new(),
            ping_interval: None,
            ping_timeout: None,
            heartbeat_timeout: None,
            close_timeout: None,
            certainty: Certainty::Likely,
            came: None,
            evidence: self.evidence(),
            advice: Vec::new(),
        };
        match (&self.legacy, &self.poll4) {
            (Some(Legacy::Handshake(_) | Legacy::Refused(_)), _) | (_, Some(Answer::Welcome)) => {
                self.judge_legacy(&mut report);
            }
            (_, Some(Answer::Other(page))) => judge_page(&mut report, page),
            _ => self.judge_engine(&mut report),
        }
        report
    }

    fn judge_legacy(&self, report: &mut Report) {
        report.server = Family::V0_9;
        report.protocol = Some(Protocol::Legacy);
        report.version = self.version();
        match &self.legacy {
            Some(Legacy::Handshake(handshake)) => {
                report.certainty = Certainty::Certain;
                report.transports = handshake
                    .transports
                    .iter()
                    .map(ToString::to_string)
                    .collect();
                report.heartbeat_timeout = handshake.heartbeat_timeout;
                report.close_timeout = handshake.close_timeout;
                if report.version.is_none()
                    && handshake.sid.bytes().all(|byte| byte.is_ascii_digit())
                {
                    report.version = Some("0.9.0 to 0.9.6".to_owned());
                }
            }
            Some(Legacy::Refused(page)) => {
                report.certainty = Certainty::Certain;
                let advice = format!(
                    "the server refuses this client ({}): give it what it asks for, by query, header, cookie or origin",
                    page.text
                );
                report.advice.push(advice);
            }
            _ => {
                report.certainty = Certainty::Likely;
                report.advice.push(
                    "the handshake of 0.9 was not answered as it should be: is the path right?"
                        .to_owned(),
                );
            }
        }
    }

    fn judge_engine(&self, report: &mut Report) {
        let polls = [&self.poll4, &self.poll3, &self.websocket4, &self.websocket3];
        let opens = polls.into_iter().flatten().filter_map(Answer::open);
        if let Some(open) = opens.clone().next() {
            report.ping_interval = Some(open.ping_interval);
            report.ping_timeout = Some(open.ping_timeout);
        }
        report.version = self.version();
        self.judge_generation(report, opens.clone().next());
        report.transports = self.transports();
        report.protocol = match (report.server, report.allows_eio3) {
            (Family::V1_0 | Family::V1 | Family::V2 | Family::Python, None)
            | (Family::V3 | Family::V4 | Family::Socketioxide, Some(true)) => Some(Protocol::V1),
            _ => None,
        };
        report.engine_io = match report.server {
            Family::Unknown => None,
            Family::V3 | Family::V4 | Family::Socketioxide => Some(4),
            Family::Python if report.allows_eio3 == Some(false) => Some(4),
            _ => Some(3),
        };
        self.advise(report);
    }

    /// Family, whether a newer one speaks Engine.IO 3, and how sure that is.
    fn judge_generation(&self, report: &mut Report, open: Option<&Handshake>) {
        let told = match (self.major(), &report.version) {
            (Some(1), Some(version)) if version.starts_with("1.0.") => Some(Family::V1_0),
            (Some(1), _) => Some(Family::V1),
            (Some(2), _) => Some(Family::V2),
            (Some(3), _) => Some(Family::V3),
            (Some(4), _) => Some(Family::V4),
            _ => None,
        };
        let shown = self.shown(open);
        let is_same = |family: Family| match (family, shown) {
            (Family::V1_0, Some((Family::V1, _))) => true,
            // Between these, only the version is sure.
            (Family::V3 | Family::V4, Some((Family::V3 | Family::V4, _))) => true,
            (family, Some((shown, _))) => family == shown,
            (_, None) => true,
        };
        (report.server, report.certainty) = match (told, shown) {
            (Some(told), Some(_)) if is_same(told) => (told, Certainty::Certain),
            (Some(told), None) if open.is_some() => (told, Certainty::Certain),
            (Some(told), None) => (told, Certainty::Likely),
            (_, Some((family, certainty))) => {
                // The script is another server's, or a file.
                report.version = None;
                (family, certainty)
            }
            (None, None) => (Family::Unknown, Certainty::Guess),
        };
        if matches!(
            report.server,
            Family::V3 | Family::V4 | Family::Socketioxide
        ) || (report.server == Family::Python && matches!(self.poll4, Some(Answer::Bare(_))))
        {
            report.allows_eio3 = self.allows_eio3();
        }
    }

    /// What the answers themselves show.
    fn shown(&self, open: Option<&Handshake>) -> Option<(Family, Certainty)> {
        let poll3 = self.poll3.as_ref();
        let of_python = |answer: &Answer| matches!(answer, Answer::Refused { by: By::Python, .. });
        if self.poll4.as_ref().is_some_and(of_python) || poll3.is_some_and(of_python) {
            return Some((Family::Python, Certainty::Likely));
        }
        if self.is_of_rust(open) {
            return Some((Family::Socketioxide, Certainty::Likely));
        }
        let newer = || {
            // From 4.5 on the open packet says how much a message may have.
            let is_3 = open.is_some_and(|open| {
                open.max_payload.is_none() && open.ping_timeout == PING_TIMEOUT_OF_3
            });
            let family = if is_3 { Family::V3 } else { Family::V4 };
            Some((family, Certainty::Likely))
        };
        match (self.poll4.as_ref()?, &self.websocket4) {
            (Answer::Bare(_), _) => {
                // 3.0 does not look at the version that is asked for.
                if matches!(poll3, Some(Answer::Bare(_))) {
                    return Some((Family::V3, Certainty::Likely));
                }
                newer()
            }
            (Answer::Framed { binary: false, .. }, _) => Some((Family::V2, Certainty::Likely)),
            (Answer::Framed { connected, .. }, _) => {
                let certainty = if *connected {
                    Certainty::Guess
                } else {
                    Certainty::Likely
                };
                Some((Family::V1, certainty))
            }
            (
                _,
                Some(Answer::Message {
                    open,
                    connected: true,
                }),
            ) => {
                // 2.1 has shortened it; 1.x and 2.0 look alike.
                let is_2 = open.ping_timeout < Handshake::DEFAULT_PING_TIMEOUT;
                Some((if is_2 { Family::V2 } else { Family::V1 }, Certainty::Guess))
            }
            (_, Some(Answer::Message { open, .. })) if open.max_payload.is_some() => newer(),
            (_, Some(Answer::Message { .. })) if self.major().is_none() => {
                Some((newer()?.0, Certainty::Guess))
            }
            _ => None,
        }
    }

    /// Whether it is socketioxide: by the form of a refusal, or by its session ids, where no client comes with the server.
    fn is_of_rust(&self, open: Option<&Handshake>) -> bool {
        let polls = [&self.poll4, &self.poll3];
        let refuses_so = polls
            .into_iter()
            .flatten()
            .any(|answer| matches!(answer, Answer::Refused { by: By::Rust, .. }));
        let has_4 = [&self.poll4, &self.websocket4]
            .into_iter()
            .flatten()
            .any(|answer| {
                matches!(
                    answer,
                    Answer::Bare(_)
                        | Answer::Message {
                            connected: false,
                            ..
                        }
                )
            });
        let is_sid = |open: &Handshake| open.sid.len() == SID_OF_RUST;
        refuses_so || has_4 && self.script_version().is_none() && open.is_some_and(is_sid)
    }

    /// Whether a 3.x or 4.x server speaks Engine.IO 3.
    fn allows_eio3(&self) -> Option<bool> {
        if self.is_3_0() {
            return Some(false);
        }
        match (&self.poll3, &self.websocket3) {
            (Some(Answer::Framed { .. }), _)
            | (
                _,
                Some(Answer::Message {
                    connected: true, ..
                }),
            ) => Some(true),
            (Some(Answer::Bare(_)), _) => Some(false),
            (Some(answer), _) if answer.is_code(ServerErrorCode::UnsupportedProtocolVersion) => {
                Some(false)
            }
            (Some(Answer::Refused { by: By::Python, .. }), _) => Some(false),
            // What does not speak it opens the WebSocket all the same, then breaks it off or is silent.
            (None, Some(Answer::Failed(_) | Answer::Silent | Answer::Refused { .. })) => {
                Some(false)
            }
            _ => None,
        }
    }

    fn transports(&self) -> Vec<String> {
        let mut transports = Vec::new();
        let poll = [&self.poll4, &self.poll3]
            .into_iter()
            .flatten()
            .find_map(Answer::open);
        if let Some(open) = poll {
            transports.push("polling".to_owned());
            transports.extend(open.upgrades.iter().map(ToString::to_string));
        }
        let websockets = [&self.websocket4, &self.websocket3];
        if websockets
            .into_iter()
            .flatten()
            .any(|answer| answer.open().is_some())
        {
            transports.push("websocket".to_owned());
        }
        transports.truncate(8);
        transports
    }

    fn version(&self) -> Option<String> {
        let version = self.script_version()?;
        let shared = SHARED_CLIENTS.iter().find(|(client, _)| *client == version);
        Some(shared.map_or(version, |(_, servers)| servers).to_owned())
    }

    fn advise(&self, report: &mut Report) {
        const NO_POLLING: &str =
            "polling is switched off: connect with `.transports([Transport::WebSocket])`";
        let has_websocket_alone = report.transports == ["websocket"];
        let mut advise = |text: &str| report.advice.push(text.to_owned());
        match (report.server, report.allows_eio3) {
            (Family::V1_0, _) => advise(
                "1.0.x encodes WebSocket text twice: set `Options::new().double_encoded_websocket(true)`",
            ),
            (Family::V1, _) if report.version.is_none() => advise(
                "if non-ASCII text arrives garbled on a WebSocket, the server is 1.0.x: set \
                 `Options::new().double_encoded_websocket(true)`",
            ),
            (Family::V3, Some(false))
                if self.is_3_0() || matches!(self.poll3, Some(Answer::Bare(_))) =>
            {
                advise(
                    "3.0 speaks Engine.IO 4 only: update it to 3.1 or later and set `allowEIO3: true`, or use a client for \
                 Engine.IO 4",
                );
            }
            (Family::V3 | Family::V4, Some(false)) => advise(
                "set `allowEIO3: true` in the server's options, or use a client for Engine.IO 4",
            ),
            (Family::Socketioxide, Some(false)) => advise(
                "build the server with socketioxide's feature `v4`, or use a client for Engine.IO 4",
            ),
            (Family::Python, Some(false)) => advise("use a client for Engine.IO 4"),
            _ => {}
        }
        if report.server == Family::V2
            && report
                .version
                .as_deref()
                .is_some_and(|version| version.starts_with("2.0."))
        {
            advise("if connecting times out, set `Options::new().assume_root_connected(true)`");
        }
        if let Some(Answer::Refused {
            status,
            message,
            code,
            ..
        }) = &self.poll4
        {
            match code {
                Some(ServerErrorCode::UnknownTransport) => advise(NO_POLLING),
                _ if has_websocket_alone => advise(NO_POLLING),
                Some(ServerErrorCode::UnsupportedProtocolVersion) => {}
                _ if self
                    .poll3
                    .as_ref()
                    .is_some_and(|answer| answer.open().is_some()) => {}
                _ => {
                    let refusal = match &self.poll3 {
                        // Of the version that it speaks.
                        Some(Answer::Other(page)) => page.text.clone(),
                        _ => refusal(*status, message),
                    };
                    report.advice.push(format!(
                        "the server refuses this client ({refusal}): give it what it asks for, by query, header, cookie or \
                         origin"
                    ));
                    if report.server == Family::Unknown {
                        report.came = Some(refusal);
                    }
                }
            }
        }
    }

    fn evidence(&self) -> Vec<String> {
        self.asked
            .iter()
            .map(|question| format!("{question}: {}", self.tell(*question)))
            .collect()
    }

    /// What came as the answer, and what it means.
    fn tell(&self, question: Question) -> String {
        let answer = match question {
            Question::Poll(4) => &self.poll4,
            Question::Poll(_) => &self.poll3,
            Question::WebSocket(4) => &self.websocket4,
            Question::WebSocket(_) => &self.websocket3,
            Question::Legacy => return self.tell_legacy(),
            Question::ScriptHead | Question::ScriptBeginning => return self.tell_script(),
        };
        let asked_for_3 = matches!(question, Question::Poll(3) | Question::WebSocket(3));
        match answer {
            None => "not answered before the end".to_owned(),
            Some(Answer::Bare(open)) => {
                let more = match (asked_for_3, open.max_payload) {
                    (true, _) => "; the version asked for is not looked at, as in 3.0",
                    (false, Some(_)) => ", and has maxPayload, as 4.5 and later send it",
                    (false, None) => ", and has no maxPayload, as 3.x and 4.x before 4.5 send it",
                };
                let sid = if open.sid.len() == SID_OF_RUST {
                    "; its session id has 16 characters, as those of socketioxide"
                } else {
                    ""
                };
                format!("an open packet by itself, which is Engine.IO 4{more}{sid}")
            }
            Some(Answer::Framed {
                binary, connected, ..
            }) => {
                let frame = if *binary {
                    "in the framing for bytes"
                } else {
                    "in the framing for text"
                };
                let more = match (asked_for_3, binary, connected) {
                    (false, true, false) => "; 1.x answers so, whatever version is asked for",
                    (false, false, _) => "; 2.x answers so, whatever version is asked for",
                    (false, true, true) => " and the root with it; no Node server answers so",
                    (true, true, true) => " and the root with it, as python-engineio 3 answers",
                    (true, ..) => ": Engine.IO 3 is spoken, too",
                };
                format!("an open packet {frame}{more}")
            }
            Some(Answer::Message { open, connected }) => match (connected, open.max_payload) {
                (true, _) => {
                    "an open packet, then the root without being asked for it, which is Engine.IO 3"
                        .to_owned()
                }
                (false, _) if asked_for_3 => {
                    "an open packet, and nothing behind it: Engine.IO 4, or slow middleware"
                        .to_owned()
                }
                (false, Some(_)) => {
                    "an open packet with maxPayload, which is 4.5 or later".to_owned()
                }
                (false, None) if self.major().is_some() => "an open packet".to_owned(),
                (false, None) => {
                    "an open packet, and nothing behind it: Engine.IO 4, or slow middleware"
                        .to_owned()
                }
            },
            Some(Answer::Welcome) => "`Welcome to socket.io.`, the page of 0.9".to_owned(),
            Some(Answer::Refused {
                status,
                code,
                by,
                message,
            }) => {
                let meaning = match code {
                    Some(ServerErrorCode::BadRequest) if *by == By::Rust => {
                        "polling is switched off, as socketioxide says it"
                    }
                    Some(ServerErrorCode::UnknownTransport) => "polling is switched off",
                    Some(ServerErrorCode::UnsupportedProtocolVersion)
                        if asked_for_3 && *by == By::Node =>
                    {
                        "3.1 or later without allowEIO3"
                    }
                    Some(ServerErrorCode::UnsupportedProtocolVersion) => {
                        "this version is not spoken"
                    }
                    Some(_) => "an Engine.IO server refuses this client",
                    None if *by == By::Python => "a text in quotes, as python-engineio answers",
                    None => "a refusal as 1.x writes it",
                };
                format!("{}: {meaning}", refusal(*status, message))
            }
            Some(Answer::Other(page)) => format!("{}: not Engine.IO", page.text),
            Some(Answer::Failed(error)) if asked_for_3 => {
                format!("{error}: Engine.IO 3 is not spoken")
            }
            Some(Answer::Failed(error)) => error.clone(),
            Some(Answer::Silent) if asked_for_3 => {
                "no answer in time: Engine.IO 3 is not spoken".to_owned()
            }
            Some(Answer::Silent) => "no answer in time".to_owned(),
        }
    }

    fn tell_legacy(&self) -> String {
        match &self.legacy {
            None => "not answered before the end".to_owned(),
            Some(Legacy::Handshake(handshake)) => {
                let digits = handshake.sid.bytes().all(|byte| byte.is_ascii_digit());
                let sid = if digits {
                    "digits, as up to 0.9.6"
                } else {
                    "letters and digits, as from 0.9.7 on"
                };
                format!("the handshake of 0.9; its session id is of {sid}")
            }
            Some(Legacy::Refused(page)) => format!("{}: a refusal as 0.9 writes it", page.text),
            Some(Legacy::Other(text)) => format!("{text}: not the handshake of 0.9"),
        }
    }

    fn tell_script(&self) -> String {
        match &self.script {
            None => "not answered before the end".to_owned(),
            Some(Script::Version(version)) if self.major() == Some(0) => {
                format!("the client that comes with the server is build {version}")
            }
            Some(Script::Version(version)) => {
                format!(
                    "the ETag is {version}, the version of the client that comes with the server"
                )
            }
            Some(Script::Unknown(why)) => format!("{why}: no version is told"),
        }
    }
}

fn refusal(status: u16, message: &str) -> String {
    if message.is_empty() {
        format!("HTTP {status}")
    } else {
        format!("HTTP {status}, {message:?}")
    }
}

fn judge_page(report: &mut Report, page: &Page) {
    report.came = Some(page.text.clone());
    let advice = match page.status {
        401 | 403 | 407 => {
            (report.server, report.certainty) = (Family::Unknown, Certainty::Guess);
            "the request was refused: give it user and password, a token, or a cookie".to_owned()
        }
        429 | 500.. => {
            (report.server, report.certainty) = (Family::Unknown, Certainty::Guess);
            "the server, or a proxy before it, is not well: try later, and look at its log".to_owned()
        }
        _ => match &page.location {
            Some(location) => format!(
                "this leads elsewhere ({location}), which is not followed: connect there, or give what a login would, by \
                 cookie or header"
            ),
            None => "are host, port and path right? The path is the server's option `path`, /socket.io unless it is set"
                .to_owned(),
        },
    };
    report.advice.push(advice);
}
