//! What an unexpected HTTP answer means, in words that say what to do.

use bytestring::ByteString;
use sio_core::session::Response;
use sio_core::{Error, HttpError};

use crate::engine::handshake::{Handshake, HttpErrorBody, ServerErrorCode};
use crate::engine::packet::EnginePacket;
use crate::engine::payload::{self, PayloadLimits};

const NEEDS_EIO4: &str = "the server speaks only Engine.IO 4: it is Socket.IO 3.1 or later without allowEIO3; \
    switch allowEIO3 on in the server, or use a client for Engine.IO 4";
const IS_3_0: &str = "the server speaks only Engine.IO 4: it is Socket.IO 3.0, which has no allowEIO3; \
    update it to 3.1 or later and switch allowEIO3 on, or use a client for Engine.IO 4";
const IS_NEWER_PYTHON: &str = "the server speaks only Engine.IO 4: it is python-socketio 5 or later, which has nothing like allowEIO3; \
    use a client for Engine.IO 4";
const IS_LEGACY: &str = "this is a Socket.IO 0.9 server: use the crate sio-legacy";
const FORBIDDEN: &str = "the server's allowRequest or origins setting refused the request";

const PLAIN_REQUEST: &str = "the server got it as a plain request: a proxy in front of it does not pass WebSockets on; \
     nginx has to be told: `proxy_http_version 1.1`, and the headers Upgrade and Connection; \
     or it is socketioxide with WebSockets switched off";

/// What is waited for on a WebSocket that was accepted.
pub(super) const SILENT: &str = "waiting for the first packet on the WebSocket, which was accepted: Socket.IO 3.1 without \
     allowEIO3 is silent like this, and so is what is no Socket.IO server";
pub(super) const SILENT_BUT_POLLING_WORKS: &str = "waiting for the first packet on the WebSocket, which was accepted: a session \
     over polling can be opened here, so a proxy may keep WebSockets away; leave polling among the client's `transports`";

/// What is waited for in a session that is open.
pub(super) const NO_ROOT: &str = "waiting for the server to connect the root namespace, in a session that is open: either its \
     middleware takes long, or it is Socket.IO 3.0, which this crate does not speak, or 2.0.x with middleware on some \
     namespace, for which there is the option `assume_root_connected`";

/// The error for a WebSocket handshake that got an ordinary answer.
pub(super) fn no_websocket(response: &Response) -> Error {
    let what = "the WebSocket handshake";
    match code_of(response) {
        // Asked with `Upgrade`, no server of Node calls it a bad request.
        Some(ServerErrorCode::BadRequest) => {
            response.to_error(what).with_hint(PLAIN_REQUEST).into()
        }
        _ if response.status == 200 => response.foreign_error(what).into(),
        _ => refusal(what, response),
    }
}

/// The error for an answer that is not a 200.
pub(super) fn refusal(what: &'static str, response: &Response) -> Error {
    refused(what, response).into()
}

fn refused(what: &'static str, response: &Response) -> HttpError {
    response.to_error(what).explained(hint(response))
}

/// The code of the server. From 1.7 on, where a WebSocket is refused, only the message is told.
fn code_of(response: &Response) -> Option<ServerErrorCode> {
    match HttpErrorBody::parse(&response.body) {
        Some(error) => error
            .code
            .or_else(|| code_of_message(error.message.as_bytes())),
        None => code_of_message(&response.body),
    }
}

fn code_of_message(message: &[u8]) -> Option<ServerErrorCode> {
    Some(match message {
        b"Transport unknown" => ServerErrorCode::UnknownTransport,
        b"Session ID unknown" => ServerErrorCode::UnknownSession,
        b"Bad request" => ServerErrorCode::BadRequest,
        b"Forbidden" => ServerErrorCode::Forbidden,
        b"Unsupported protocol version" => ServerErrorCode::UnsupportedProtocolVersion,
        _ => return None,
    })
}

fn hint(response: &Response) -> Option<&'static str> {
    Some(match code_of(response) {
        Some(ServerErrorCode::UnknownTransport) => {
            "the server does not offer this transport: choose the other one with `transports`"
        }
        Some(ServerErrorCode::UnknownSession) => {
            "the server does not know the session: it ended, or a balancer sent this request to another node; \
                 with several nodes, the balancer must keep each session on one of them, by cookie or by address, \
                 or use WebSocket alone"
        }
        Some(ServerErrorCode::Forbidden) => FORBIDDEN,
        Some(ServerErrorCode::UnsupportedProtocolVersion) => NEEDS_EIO4,
        Some(_) => return None,
        // What 1.x says to an origin that it does not know.
        None if response.body.starts_with(br#"{"code":null"#) => FORBIDDEN,
        None if response
            .body
            .starts_with(b"\"The client is using an unsupported version") =>
        {
            IS_NEWER_PYTHON
        }
        None if response.status == 404 => {
            "nothing of Socket.IO is at this path: is the path option right?"
        }
        None if response.status == 413 => {
            "the server's maxHttpBufferSize is smaller than this post"
        }
        None => return None,
    })
}

/// The error for a 200 whose body is no handshake; `None` if nothing is known about it.
pub(super) fn no_handshake(what: &'static str, response: &Response) -> Option<HttpError> {
    let hint = if response.body.starts_with(b"0{") {
        IS_3_0
    } else if response.body.starts_with(b"Welcome to socket.io") {
        IS_LEGACY
    } else if let Some(b'0'..=b'9' | 0 | 1) = response.body.first() {
        return None; // the beginning of a payload
    } else {
        return Some(response.foreign_error(what));
    };
    Some(response.to_error(what).with_hint(hint))
}

/// What the answer to a handshake over polling says about a server that is silent on a WebSocket.
pub(super) enum Told {
    /// Polling works, and this session was opened.
    Session(ByteString),
    /// Why the WebSocket cannot work.
    Mismatch(Box<HttpError>),
    Nothing,
}

pub(super) fn told_over_polling(response: &Response) -> Told {
    let what = "the handshake over polling";
    if response.status != 200 {
        let error = refused(what, response);
        // Polling may be switched off, or the server be out of order: that says nothing about WebSockets.
        let is_no_reason = code_of(response) == Some(ServerErrorCode::UnknownTransport);
        return if is_no_reason || error.is_retryable() {
            Told::Nothing
        } else {
            Told::Mismatch(Box::new(error))
        };
    }
    if let Some(error) = no_handshake(what, response) {
        return Told::Mismatch(Box::new(error));
    }
    match sid_of(response) {
        Some(sid) => Told::Session(sid),
        None => Told::Nothing,
    }
}

/// The session that a handshake over polling has opened.
fn sid_of(response: &Response) -> Option<ByteString> {
    let limits = PayloadLimits::default();
    let content_type = response.content_type.as_deref();
    let first = payload::decode(content_type, response.body.clone(), &limits).next()?;
    match first {
        Ok(EnginePacket::Open(json)) => Handshake::parse(&json).ok().map(|open| open.sid),
        _ => None,
    }
}
