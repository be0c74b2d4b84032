//! What an unexpected HTTP answer means, in words that say what to do.

use sio_core::Error;
use sio_core::session::Response;

use crate::error::HandshakeError;

const IS_NEWER: &str = "this is a server of Socket.IO 1.x or later: use the crate sio-v1; if it is 3.x or 4.x, it has to have \
    allowEIO3 switched on";
const IS_PYTHON: &str = "this is a server of python-socketio: use the crate sio-v1, if it is python-socketio 4 or older";
const NO_VERSION: &str =
    "this is a 0.9 server, but its path for sessions is another: is the path option right?";
const WRONG_VERSION: &str = "this is a 0.9 server, which takes a part of the path for the version: is the path option right?";
const NEEDS_ORIGIN: &str =
    "the server's origins setting wants another Origin header: set it with `header`";
const LOST_UPGRADE: &str = "either the server is down, or a proxy in front of it does not pass WebSockets on; \
     nginx has to be told: `proxy_http_version 1.1`, and the headers Upgrade and Connection";
const UNAUTHORIZED: &str = "the server's authorization function said no";

/// The error for a WebSocket handshake that got an ordinary answer.
pub(super) fn no_websocket(response: &Response) -> Error {
    let what = "the WebSocket handshake";
    match response.status {
        // A server that gets it as a plain request hangs up, which is the gateway's 502.
        502 => response.to_error(what).with_hint(LOST_UPGRADE).into(),
        200 => response.foreign_error(what).into(),
        _ => refusal(what, response),
    }
}

/// The error for an answer that is not a 200.
pub(super) fn refusal(what: &'static str, response: &Response) -> Error {
    response.to_error(what).explained(hint(response)).into()
}

fn hint(response: &Response) -> Option<&'static str> {
    let body = &response.body[..];
    Some(match response.status {
        403 if body.starts_with(b"handshake bad origin") => NEEDS_ORIGIN,
        401 | 403 if body.starts_with(b"handshake unauthorized") => UNAUTHORIZED,
        500 if body.starts_with(b"Protocol version not supported") => WRONG_VERSION,
        404 => "nothing of Socket.IO is at this path: is the path option right?",
        // Engine.IO 3 and 4 name what they miss: `{"code":0,"message":"Transport unknown"}`.
        400 if body.starts_with(b"{\"code\":") => IS_NEWER,
        400 if body.starts_with(b"\"The client is using an unsupported version") => IS_PYTHON,
        _ => return None,
    })
}

/// The error for a 200 whose body is no handshake.
pub(super) fn no_handshake(response: &Response, error: HandshakeError) -> Error {
    let what = "the handshake";
    let hint = if is_engine_io(&response.body) {
        IS_NEWER
    } else if response.body.starts_with(b"Welcome to socket.io") {
        NO_VERSION
    } else if let HandshakeError::Fields { .. } = error {
        return response.foreign_error(what).into();
    } else if let Some(error) = response.page_error(what) {
        return error.into();
    } else {
        return Error::protocol("the handshake is broken", error);
    };
    response.to_error(what).with_hint(hint).into()
}

/// Whether this is the open packet of Engine.IO: bare, or framed as text or binary.
fn is_engine_io(body: &[u8]) -> bool {
    let open = memchr::memmem::find(&body[..body.len().min(16)], b"0{\"");
    open.is_some_and(|at| {
        body[..at]
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | 0..=9 | 0xff))
    })
}
