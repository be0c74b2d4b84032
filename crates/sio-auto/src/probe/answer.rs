//! What an answer to one question shows.

use bytestring::ByteString;
use serde::Deserialize;
use sio_core::session::Response;
use sio_legacy::handshake::Handshake as LegacyHandshake;
use sio_v1::engine::handshake::{Handshake, HttpErrorBody, ServerErrorCode};
use sio_v1::engine::packet::EnginePacket;
use sio_v1::engine::payload::{self, PayloadLimits};

/// How much of a refusal's text is repeated, in characters.
const MAX_MESSAGE: usize = 120;

/// What came as the answer to a question about Engine.IO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// An open packet by itself: so Engine.IO 4 frames its bodies.
    Bare(Handshake),
    /// An open packet in a framing of Engine.IO 3.
    Framed {
        open: Handshake,
        /// The framing for bytes, which 1.x has for everything.
        binary: bool,
        /// The root came with it, which 1.x and 3.x/4.x send later.
        connected: bool,
    },
    /// An open packet over a WebSocket.
    Message {
        open: Handshake,
        /// The root followed without being asked for.
        connected: bool,
    },
    /// The page that 0.9 shows where no handshake is asked for.
    Welcome,
    /// An Engine.IO server said no, in its own form.
    Refused {
        status: u16,
        code: Option<ServerErrorCode>,
        by: By,
        message: String,
    },
    /// Something else.
    Other(Page),
    /// The network failed.
    Failed(String),
    /// Nothing came in time.
    Silent,
}

/// Who writes refusals in such a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// An object with a number as its code.
    Node,
    /// A text in quotes: python-engineio.
    Python,
    /// An object with a text as its code: socketioxide.
    Rust,
}

/// A refusal of socketioxide.
#[derive(Deserialize)]
struct RustRefusal {
    code: String,
    message: String,
}

/// An answer that is none of Engine.IO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) status: u16,
    /// How it is told: status, type, server, beginning.
    pub(super) text: String,
    /// Where a redirect leads, without its query.
    pub(super) location: Option<String>,
}

impl Answer {
    /// Of a poll.
    pub(super) fn of_poll(response: &Response) -> Self {
        let body = &response.body;
        if response.status != 200 {
            return Self::of_refusal(response);
        }
        if body.starts_with(b"Welcome to socket.io") {
            return Self::Welcome;
        }
        if let Some(json) = body.strip_prefix(b"0")
            && json.starts_with(b"{")
        {
            // Engine.IO 4 puts this character between packets.
            let json = json.split(|byte| *byte == 0x1e).next().unwrap_or_default();
            let open = str::from_utf8(json)
                .ok()
                .and_then(|json| Handshake::parse(json).ok());
            return open.map_or_else(|| Self::Other(Page::new(response)), Self::Bare);
        }
        Self::framed(response).unwrap_or_else(|| Self::Other(Page::new(response)))
    }

    fn framed(response: &Response) -> Option<Self> {
        let content_type = response.content_type.as_deref();
        // Bytes go by the type; the first of them tells both framings apart, too.
        let binary = response.body.first().is_some_and(|first| *first <= 1);
        let limits = PayloadLimits::default();
        let mut packets = if binary {
            payload::decode_binary(response.body.clone(), &limits)
        } else {
            payload::decode(content_type, response.body.clone(), &limits)
        };
        let Ok(EnginePacket::Open(json)) = packets.next()? else {
            return None;
        };
        let open = Handshake::parse(&json).ok()?;
        let is_connect = |packet: &EnginePacket| matches!(packet, EnginePacket::Message(text) if is_connect(text));
        let connected = packets.flatten().any(|packet| is_connect(&packet));
        Some(Self::Framed {
            open,
            binary,
            connected,
        })
    }

    /// Of an answer that is no 200, also to a WebSocket's handshake.
    pub(super) fn of_refusal(response: &Response) -> Self {
        if let Ok(RustRefusal { code, message }) = serde_json::from_slice(&response.body)
            && let Ok(code @ 0..=5) = code.parse::<i64>()
        {
            return Self::Refused {
                status: response.status,
                code: Some(code.into()),
                by: By::Rust,
                message: message.chars().take(MAX_MESSAGE).collect(),
            };
        }
        let quoted = response.body.trim_ascii_start().starts_with(b"\"");
        let Some(HttpErrorBody { code, message }) = HttpErrorBody::parse(&response.body) else {
            return Self::Other(Page::new(response));
        };
        // Other servers write objects with a code and a message, too.
        let is_engine_io = match code {
            Some(ServerErrorCode::Other(_)) => false,
            Some(_) => matches!(response.status, 400 | 401 | 403),
            None if quoted => response.status == 400,
            None => response.status == 400 && response.body.starts_with(b"{\"code\":null"),
        };
        if !is_engine_io {
            return Self::Other(Page::new(response));
        }
        Self::Refused {
            status: response.status,
            code,
            by: if quoted { By::Python } else { By::Node },
            message: message.chars().take(MAX_MESSAGE).collect(),
        }
    }

    /// The open packet, where one came.
    pub(super) fn open(&self) -> Option<&Handshake> {
        match self {
            Self::Bare(open) | Self::Framed { open, .. } | Self::Message { open, .. } => Some(open),
            _ => None,
        }
    }

    pub(super) fn is_code(&self, wanted: ServerErrorCode) -> bool {
        matches!(self, Self::Refused { code: Some(code), .. } if *code == wanted)
    }
}

impl Page {
    pub(super) fn new(response: &Response) -> Self {
        // It knows what may be repeated of an answer.
        let error = response.to_error("it");
        let mut text = format!("HTTP {}", response.status);
        if let Some(content_type) = &response.content_type {
            text.push_str(", ");
            text.push_str(content_type.split(';').next().unwrap_or_default());
        }
        if let Some(server) = &response.server {
            text.push_str(", from ");
            text.extend(server.chars().filter(|c| !c.is_control()).take(40));
        }
        let location = response
            .location
            .as_deref()
            .filter(|_| (300..400).contains(&response.status));
        let location = location.map(|location| {
            let end = location.find(['?', '#']).unwrap_or(location.len());
            location[..end]
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect::<String>()
        });
        if let Some(location) = &location {
            text.push_str(", to ");
            text.push_str(location);
        } else if !error.snippet.is_empty() {
            text.push_str(": ");
            text.extend(error.snippet.chars().take(60));
        }
        Self {
            status: response.status,
            text,
            location,
        }
    }
}

/// Whether a message connects the root.
pub(super) fn is_connect(message: &str) -> bool {
    message == "0" || message.starts_with("0{")
}

/// What came as the answer to the handshake of 0.9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Legacy {
    Handshake(LegacyHandshake),
    /// 0.9 itself said no.
    Refused(Page),
    /// Something else, or nothing.
    Other(String),
}

impl Legacy {
    pub(super) fn of(response: &Response) -> Self {
        let text = str::from_utf8(&response.body).unwrap_or_default();
        let page = Page::new(response);
        if response.status == 200
            && let Ok(handshake) = LegacyHandshake::parse(text)
        {
            Self::Handshake(handshake)
        } else if text.starts_with("handshake ") {
            Self::Refused(page)
        } else {
            Self::Other(page.text)
        }
    }
}

/// The version of the client that a server hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Script {
    /// Told by the `ETag`, or by the first line.
    Version(String),
    /// Not told: why.
    Unknown(String),
}

impl Script {
    /// From the head of the answer: servers from 1.0 on have the version as its `ETag`.
    pub(super) fn of_head(response: &Response) -> Self {
        let tag = response.etag.as_deref().unwrap_or_default();
        let version = tag.trim_start_matches("W/").trim_matches('"');
        if response.status == 200 && is_version(version) {
            return Self::Version(version.to_owned());
        }
        Self::Unknown(match &response.etag {
            Some(_) => format!("HTTP {}, with an ETag that is no version", response.status),
            None => format!("HTTP {}, without ETag", response.status),
        })
    }

    /// From the beginning of the script: that of 0.9 says which build it is.
    pub(super) fn of_beginning(response: &Response) -> Self {
        const MARK: &str = "build:";
        if response.status != 200 {
            return Self::Unknown(format!("HTTP {}", response.status));
        }
        let body = &response.body;
        let head = String::from_utf8_lossy(&body[..body.len().min(SCRIPT_HEAD)]);
        let version = head.split_once(MARK).map(|(_, rest)| {
            let is_of_version = |c: char| c.is_ascii_digit() || c == '.';
            let end = rest.find(|c| !is_of_version(c)).unwrap_or(rest.len());
            rest[..end].to_owned()
        });
        match version {
            Some(version) if is_version(&version) => Self::Version(version),
            _ => Self::Unknown("a script that names no build".to_owned()),
        }
    }

    pub(super) fn version(&self) -> Option<&str> {
        match self {
            Self::Version(version) => Some(version),
            Self::Unknown(_) => None,
        }
    }
}

/// How much of a script is looked at.
pub(super) const SCRIPT_HEAD: usize = 256;

/// Three numbers, perhaps with a pre-release behind them.
fn is_version(text: &str) -> bool {
    let release = text.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = release.split('.').collect();
    let is_number = |text: &&str| {
        !text.is_empty() && text.len() < 6 && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.len() <= 32
        && numbers.len() == 3
        && numbers.iter().all(is_number)
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The first message of a WebSocket.
pub(super) fn open_of(text: ByteString) -> Option<Handshake> {
    match EnginePacket::decode_text(text) {
        Ok(EnginePacket::Open(json)) => Handshake::parse(&json).ok(),
        _ => None,
    }
}
