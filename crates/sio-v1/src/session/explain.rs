//! What an unexpected HTTP answer means, in words that say what to do.

use sio_core::Error;
use sio_core::session::Response;

use crate::engine::handshake::{HttpErrorBody, ServerErrorCode};

const NEEDS_EIO4: &str = "the server speaks only Engine.IO 4: it is Socket.IO 3 or 4 without allowEIO3, \
    which this crate does not speak; switch allowEIO3 on in the server, or use a client for Engine.IO 4";
const IS_LEGACY: &str = "this is a Socket.IO 0.9 server: use the crate sio-legacy";

const PLAIN_REQUEST: &str = "the server got it as a plain request: a proxy in front of it does not pass WebSockets on; \
     nginx has to be told: `proxy_http_version 1.1`, and the headers Upgrade and Connection";

/// The error for a WebSocket handshake that got an ordinary answer.
pub(super) fn no_websocket(response: &Response) -> Error {
    let what = "the WebSocket handshake";
    match code_of(response) {
        // Asked with `Upgrade`, no server calls it a bad request.
        Some(ServerErrorCode::BadRequest) => {
            response.to_error(what).with_hint(PLAIN_REQUEST).into()
        }
        _ => refusal(what, response),
    }
}

/// The error for an answer that is not a 200.
pub(super) fn refusal(what: &'static str, response: &Response) -> Error {
    response.to_error(what).explained(hint(response)).into()
}

fn code_of(response: &Response) -> Option<ServerErrorCode> {
    HttpErrorBody::parse(&response.body)?.code
}

fn hint(response: &Response) -> Option<&'static str> {
    Some(match code_of(response) {
        Some(ServerErrorCode::UnknownTransport) => {
            "the server does not offer this transport: choose the other one"
        }
        Some(ServerErrorCode::UnknownSession) => {
            "the server does not know the session: it ended, or a balancer sent this request to another node; \
                 with several nodes, the balancer must keep each session on one of them, by cookie or by address, \
                 or use WebSocket alone"
        }
        Some(ServerErrorCode::Forbidden) => {
            "the server's allowRequest or origins setting refused the request"
        }
        Some(ServerErrorCode::UnsupportedProtocolVersion) => NEEDS_EIO4,
        Some(_) => return None,
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
pub(super) fn no_handshake(response: &Response) -> Option<Error> {
    let what = "the handshake";
    let hint = if response.body.starts_with(b"0{") {
        NEEDS_EIO4
    } else if response.body.starts_with(b"Welcome to socket.io") {
        IS_LEGACY
    } else {
        return response.page_error(what).map(Error::from);
    };
    Some(response.to_error(what).with_hint(hint).into())
}
