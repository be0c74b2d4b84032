//! One request and its answer as bytes: ureq-proto, which is ureq's protocol without its I/O.

use std::{io, mem};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use ureq_proto::BodyMode;
use ureq_proto::client::state::{RecvBody, RecvResponse, SendBody};
use ureq_proto::client::{
    Await100Result, Call, RecvBodyResult, RecvResponseResult, SendRequestResult,
};

use super::body::Body;
use super::unread::{BUFFER, Unread};

/// Bodies up to this size leave in one write with the head.
const SMALL: usize = 16 << 10;

/// The head of a request is hardly ever larger.
const USUAL_HEAD: usize = 1 << 10;

/// An answer that is being waited for, or read.
pub(super) struct Exchange {
    stage: Stage,
    body: Option<Body>,
}

enum Stage {
    Head(Box<Call<RecvResponse>>),
    Body(Box<Call<RecvBody>>),
    /// All is read.
    Over {
        server_keeps_connection: bool,
    },
}

impl Stage {
    fn over(must_close: bool) -> Self {
        Self::Over {
            server_keeps_connection: !must_close,
        }
    }
}

/// What has to be written.
pub(super) struct Written {
    /// With the body, if that is small.
    pub(super) head: Bytes,
    pub(super) body: Bytes,
}

/// What is left to do once the head is written.
enum Sent {
    All(Call<RecvResponse>),
    Body(Call<SendBody>),
}

/// Why an answer cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Http(#[from] ureq_proto::Error),
    #[error(transparent)]
    Body(#[from] io::Error),
}

impl Exchange {
    /// The request with its body. What goes to a proxy that makes the requests itself has to name the server
    /// (RFC 9112, section 3.2.2); ureq-proto writes paths only.
    pub(super) fn begin(
        mut request: http::Request<()>,
        body: Option<Bytes>,
        origin: Option<&str>,
    ) -> Result<(Self, Written), ureq_proto::Error> {
        if let Some(body) = &body {
            let length = HeaderValue::from(body.len());
            request.headers_mut().insert(header::CONTENT_LENGTH, length);
        }
        let body = body.unwrap_or_default();
        let mut call = Call::new(request)?.proceed();
        let mut head = Vec::new();
        let mut room = USUAL_HEAD;
        while !call.can_proceed() {
            let written = head.len();
            head.resize(written + room, 0);
            let more = match call.write(&mut head[written..]) {
                // Its next line is longer.
                Err(ureq_proto::Error::OutputOverflow) if room < BUFFER => {
                    room = BUFFER;
                    0
                }
                result => result?,
            };
            head.truncate(written + more);
        }
        if let Some(origin) = origin
            && let Some(space) = head.iter().position(|&byte| byte == b' ')
        {
            let path = space + 1;
            head.splice(path..path, origin.bytes());
        }
        let sent = match call.proceed()? {
            Some(SendRequestResult::SendBody(call)) => Sent::Body(call),
            Some(SendRequestResult::RecvResponse(call)) => Sent::All(call),
            // Nobody has to wait for the word to go on (RFC 9110, section 10.1.1).
            Some(SendRequestResult::Await100(call)) => match call.proceed()? {
                Await100Result::SendBody(call) => Sent::Body(call),
                Await100Result::RecvResponse(call) => Sent::All(call),
            },
            None => return Err(ureq_proto::Error::OutputOverflow),
        };
        let call = match sent {
            Sent::All(call) => call,
            Sent::Body(mut call) => {
                call.consume_direct_write(body.len())?;
                call.proceed()
                    .ok_or(ureq_proto::Error::BodyLargerThanContentLength)?
            }
        };
        let (head, body) = if body.len() <= SMALL {
            head.extend_from_slice(&body);
            (head, Bytes::new())
        } else {
            (head, body)
        };
        let written = Written {
            head: head.into(),
            body,
        };
        let exchange = Self {
            stage: Stage::Head(Box::new(call)),
            body: None,
        };
        Ok((exchange, written))
    }

    /// Whether the head of the answer is still to come.
    pub(super) fn is_in_head(&self) -> bool {
        matches!(self.stage, Stage::Head(_))
    }

    /// Whether the connection can take another request, once all is read.
    pub(super) fn server_keeps_connection(&self) -> bool {
        matches!(
            self.stage,
            Stage::Over {
                server_keeps_connection: true
            }
        )
    }

    /// Reads the head, if it is all there. Interim answers are passed over. Of the body at most `limit` bytes
    /// are held.
    pub(super) fn read_head(
        &mut self,
        unread: &mut Unread,
        limit: usize,
    ) -> Result<Option<Response<()>>, Fault> {
        let Stage::Head(call) = &mut self.stage else {
            return Ok(None);
        };
        let response = loop {
            let (count, response) = call.try_response(unread.bytes(), false)?;
            unread.take(count);
            match response {
                Some(response) => break response,
                None if count > 0 => {}
                None => return Ok(None),
            }
        };
        if let Stage::Head(call) = mem::replace(&mut self.stage, Stage::over(true)) {
            self.stage = match call.proceed() {
                Some(RecvResponseResult::RecvBody(call)) => {
                    self.body = Some(Body::of(response.headers(), limit));
                    Stage::Body(Box::new(call))
                }
                Some(RecvResponseResult::Redirect(call)) => {
                    Stage::over(call.must_close_connection())
                }
                Some(RecvResponseResult::Cleanup(call)) => {
                    Stage::over(call.must_close_connection())
                }
                None => Stage::over(true),
            };
        }
        Ok(Some(response))
    }

    /// Reads what there is of the body; whether that is all of it. `ended` says that the connection brings nothing more.
    pub(super) fn read_body(&mut self, unread: &mut Unread, ended: bool) -> Result<bool, Fault> {
        let (Stage::Body(call), Some(body)) = (&mut self.stage, &mut self.body) else {
            return Ok(true);
        };
        loop {
            let read = |input: &[u8], output: &mut [u8]| Ok::<_, Fault>(call.read(input, output)?);
            let (taken, put) = body.fill(unread.bytes(), read)?;
            unread.take(taken);
            if taken == 0 && put == 0 {
                break;
            }
        }
        let is_whole = match call.body_mode() {
            BodyMode::CloseDelimited => ended,
            // Some servers leave out the empty line behind the last chunk.
            _ => call.can_proceed() || ended && call.is_ended_chunked(),
        };
        if !is_whole {
            return Ok(false);
        }
        body.finish()?;
        if let Stage::Body(call) = mem::replace(&mut self.stage, Stage::over(true))
            && !ended
        {
            self.stage = match call.proceed() {
                Some(RecvBodyResult::Redirect(call)) => Stage::over(call.must_close_connection()),
                Some(RecvBodyResult::Cleanup(call)) => Stage::over(call.must_close_connection()),
                None => Stage::over(true),
            };
        }
        Ok(true)
    }

    /// Takes out what has come of the body.
    pub(super) fn take_body(&mut self) -> Bytes {
        self.body
            .as_mut()
            .map(Body::take)
            .unwrap_or_default()
            .into()
    }
}
