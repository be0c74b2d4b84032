//! What is on the network for a session, and what may come from there: right or wrong, but never against the contract of
//! [`sio_core::session`].

use bytes::Bytes;
use bytestring::ByteString;
use sio_core::Error;
use sio_core::session::{Input, Io, Method, Request, RequestId, Response, Session};

use super::tape::Tape;
use super::text;

/// What a protocol's server says, right or wrong, and what it makes of the client's words.
pub(super) trait Server: Default {
    /// The client's side.
    type Session: Session;

    /// Options of the client.
    fn options(tape: &mut Tape<'_>) -> <Self::Session as Session>::Options;

    /// The content type and body of an answer to a GET.
    fn answer(request: &Request, tape: &mut Tape<'_>) -> (Option<&'static str>, Vec<u8>);

    /// What comes on a stream.
    fn data(tape: &mut Tape<'_>) -> Vec<u8>;

    /// A WebSocket message.
    fn message(tape: &mut Tape<'_>) -> Input;

    /// The [numbers](super::client::number) of the payloads in a POST. Panics when the body is broken.
    fn posted(&mut self, request: &Request) -> Vec<u64>;

    /// The same for a WebSocket text message.
    fn text(&mut self, text: &ByteString) -> Vec<u64>;

    /// The same for a binary one.
    fn binary(&mut self, bytes: &Bytes) -> Vec<u64>;

    /// Whether the client has asked for the root without having left it.
    fn asks_for_root(&self) -> bool;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WebSocket {
    None,
    Opening,
    Open,
    /// The client has sent its close frame.
    Closing,
}

/// The network of one session.
#[derive(Debug)]
pub(super) struct Network<P> {
    server: P,
    get: Option<Request>,
    post: Option<RequestId>,
    websocket: WebSocket,
    /// How many requests were made; they are numbered in order.
    requests: u32,
}

impl<P: Server> Network<P> {
    pub(super) fn new() -> Self {
        Self {
            server: P::default(),
            get: None,
            post: None,
            websocket: WebSocket::None,
            requests: 0,
        }
    }

    /// Whether nothing is open.
    pub(super) fn is_silent(&self) -> bool {
        self.get.is_none() && self.post.is_none() && self.websocket == WebSocket::None
    }

    pub(super) fn server(&self) -> &P {
        &self.server
    }

    // --- what the session wants -------------------------------------------------------------------------------------

    /// Returns the numbers of the payloads that reach the server.
    pub(super) fn carry_out(&mut self, io: Io) -> Vec<u64> {
        match io {
            Io::Request(request) => return self.request(request),
            Io::CancelRequest(id) => {
                let is_get = self.get.take_if(|get| get.id == id).is_some();
                let is_post = self.post.take_if(|post| *post == id).is_some();
                assert!(is_get || is_post, "what is not out is cancelled");
            }
            Io::OpenWebSocket(_) => {
                assert_eq!(self.websocket, WebSocket::None, "a second WebSocket");
                self.websocket = WebSocket::Opening;
            }
            Io::SendText(text) => {
                self.may_send();
                return self.server.text(&text);
            }
            Io::SendBinary(bytes) => {
                self.may_send();
                return self.server.binary(&bytes);
            }
            Io::CloseWebSocket => {
                self.may_send();
                self.websocket = WebSocket::Closing;
            }
            // Also one that is gone by itself.
            Io::DropWebSocket => self.websocket = WebSocket::None,
        }
        Vec::new()
    }

    fn may_send(&self) {
        assert_eq!(
            self.websocket,
            WebSocket::Open,
            "sending on what is not open"
        );
    }

    fn request(&mut self, request: Request) -> Vec<u64> {
        assert_eq!(
            request.id.0, self.requests,
            "requests are numbered in order"
        );
        self.requests += 1;
        match request.method {
            Method::Get | Method::Head => {
                assert!(self.get.is_none(), "a second GET");
                assert!(request.body.is_empty() && request.content_type.is_none());
                self.get = Some(request);
                Vec::new()
            }
            Method::Post => {
                assert!(self.post.is_none(), "a second POST");
                assert!(!request.body.is_empty() && request.content_type.is_some());
                self.post = Some(request.id);
                self.server.posted(&request)
            }
        }
    }

    // --- what happens -----------------------------------------------------------------------------------------------

    /// Something arrives, if something is awaited there.
    pub(super) fn arrive(&mut self, tape: &mut Tape<'_>) -> Option<Input> {
        match tape.below(9) {
            0..=2 => self.get_goes_on(tape),
            3 => self.post_answered(tape),
            4 => self.request_fails(tape),
            5..=7 => self.websocket_goes_on(tape),
            _ => self.websocket_ends(tape),
        }
    }

    fn get_goes_on(&mut self, tape: &mut Tape<'_>) -> Option<Input> {
        let request = self.get.take()?;
        let id = request.id;
        if !request.streamed {
            let (content_type, body) = P::answer(&request, tape);
            let response = response(content_type, body, tape);
            return Some(Input::HttpResponse { id, response });
        }
        if tape.below(8) == 0 {
            let response = Response {
                status: 200,
                ..response(None, Vec::new(), tape)
            };
            return Some(Input::HttpResponse { id, response });
        }
        self.get = Some(request);
        let data = P::data(tape);
        (!data.is_empty()).then(|| Input::HttpData {
            id,
            data: data.into(),
        })
    }

    fn post_answered(&mut self, tape: &mut Tape<'_>) -> Option<Input> {
        let id = self.post.take()?;
        let body = if tape.below(8) == 7 { "<html>" } else { "ok" };
        let response = response(None, body.into(), tape);
        Some(Input::HttpResponse { id, response })
    }

    fn request_fails(&mut self, tape: &mut Tape<'_>) -> Option<Input> {
        let id = match tape.flag() {
            true => self.get.take().map(|get| get.id),
            false => self.post.take(),
        };
        Some(Input::HttpFailed {
            id: id?,
            error: cut(),
        })
    }

    fn websocket_goes_on(&mut self, tape: &mut Tape<'_>) -> Option<Input> {
        match self.websocket {
            WebSocket::None => None,
            WebSocket::Opening => {
                self.websocket = WebSocket::Open;
                Some(Input::WebSocketOpened)
            }
            WebSocket::Open | WebSocket::Closing => Some(P::message(tape)),
        }
    }

    fn websocket_ends(&mut self, tape: &mut Tape<'_>) -> Option<Input> {
        let was_opening = self.websocket == WebSocket::Opening;
        if std::mem::replace(&mut self.websocket, WebSocket::None) == WebSocket::None {
            return None;
        }
        Some(match (tape.flag(), was_opening) {
            (false, _) => Input::WebSocketFailed(cut()),
            (true, true) if tape.flag() => Input::WebSocketUnanswered(cut()),
            (true, true) => {
                let body = tape.bytes().to_vec();
                Input::WebSocketRefused(response(None, body, tape))
            }
            (true, false) => Input::WebSocketClosed {
                code: tape.flag().then_some(1000),
                text: text(tape.bytes()),
            },
        })
    }

    /// Of a request that is over, or that never was.
    pub(super) fn stale_answer(&self, tape: &mut Tape<'_>) -> Option<Input> {
        let id = RequestId(tape.below(self.requests as usize + 2) as u32);
        if self.get.as_ref().is_some_and(|get| get.id == id) || self.post == Some(id) {
            return None;
        }
        let body = tape.bytes().to_vec();
        Some(match tape.below(3) {
            0 => Input::HttpResponse {
                id,
                response: response(None, body, tape),
            },
            1 => Input::HttpData {
                id,
                data: body.into(),
            },
            _ => Input::HttpFailed { id, error: cut() },
        })
    }
}

fn response(content_type: Option<&str>, body: Vec<u8>, tape: &mut Tape<'_>) -> Response {
    let status = [200, 200, 200, 200, 200, 200, 302, 400][tape.below(8)];
    Response {
        status,
        content_type: content_type.map(Into::into),
        location: (status == 302).then(|| "/elsewhere".into()),
        etag: None,
        server: None,
        proxy: None,
        body: body.into(),
    }
}

pub(super) fn cut() -> Error {
    Error::transport("a test", std::io::Error::other("cut"))
}
