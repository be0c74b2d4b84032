//! The HTTP side of a session: its lanes, the requests on them, and what comes back.

use std::time::Instant;

use sio_core::session::{Input, Method, Request, RequestId, Session};
use sio_core::{DisconnectReason, Error, Result};

use super::{BATCH_BYTES, Link};
use crate::http::{HttpConfig, Lane};
use crate::websocket::Progress;

impl<P: Session> Link<P> {
    #[inline(never)]
    pub(super) fn request(&mut self, request: Request) {
        let id = request.id;
        tracing::trace!(method = ?request.method, bytes = request.body.len(), "request");
        let method = request.method;
        let kept = match method {
            Method::Get | Method::Head => self.get.take(),
            Method::Post => self.post.take(),
        };
        let lane = match kept {
            Some((_, lane)) => Ok(lane),
            None => self.start_lane(),
        };
        let asked = lane.and_then(|mut lane| {
            let asked = lane.request(request, self.event_loop.registry());
            match method {
                Method::Get | Method::Head => self.get = Some((id, lane)),
                Method::Post => self.post = Some((id, lane)),
            }
            asked
        });
        match asked {
            Ok(()) => self.unanswered.push(id),
            Err(error) => self.failures.push_back(Input::HttpFailed { id, error }),
        }
    }

    fn start_lane(&self) -> Result<Box<Lane>> {
        let (Some(route), Some(token)) = (self.route.clone(), self.token) else {
            // Sessions start with both.
            return Err(Error::Disconnected(DisconnectReason::NotYet));
        };
        let config = HttpConfig {
            route: route.for_requests(),
            origin: self.endpoint.target.shown(),
            headers: self.headers.clone(),
            cookies: self.cookies.clone(),
            max_body: self.options.limits.message_bytes,
        };
        Ok(Box::new(Lane::new(config, token)))
    }

    pub(super) fn lanes_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        let lanes = [&mut self.get, &mut self.post].into_iter().flatten();
        lanes.map(|(_, lane)| &mut **lane)
    }

    /// Goes on with both lanes, so that neither keeps the other waiting; returns how much came, or `None` if nothing more comes
    /// for now.
    pub(super) fn read_answers(&mut self, now: Instant) -> Option<usize> {
        let registry = self.event_loop.registry();
        let came = [&mut self.get, &mut self.post].map(|lane| match lane {
            Some((_, lane)) => lane.advance(registry),
            None => Progress::Blocked,
        });
        let mut size = None;
        for progress in came {
            let read = match progress {
                Progress::Input(input) => self.answer(input, now),
                // Others shall get at the lock now.
                Progress::Paused => BATCH_BYTES,
                Progress::Blocked => continue,
            };
            size = Some(size.unwrap_or(0) + read);
        }
        size
    }

    /// Tells the session what a lane brought; returns its size.
    fn answer(&mut self, input: Input, now: Instant) -> usize {
        log_answer(&input);
        let size = match &input {
            Input::HttpResponse { id, response } => {
                self.unanswered.retain(|other| other != id);
                response.body.len()
            }
            Input::HttpFailed { id, .. } => {
                self.unanswered.retain(|other| other != id);
                0
            }
            // A piece of a stream has many packets: others shall get at the lock between it and the next.
            _ => BATCH_BYTES,
        };
        self.manager.handle_input(input, now);
        size
    }

    /// Cancelling ends the lane: only so does the server hear of it. Another request gets another lane.
    pub(super) fn cancel(&mut self, id: RequestId) {
        self.unanswered.retain(|other| *other != id);
        for lane in [&mut self.get, &mut self.post] {
            lane.take_if(|(current, _)| *current == id);
        }
    }

    pub(super) fn end_lanes(&mut self) {
        self.unanswered.clear();
        (self.get, self.post) = (None, None);
    }
}

fn log_answer(input: &Input) {
    match input {
        Input::HttpResponse { response, .. } => {
            tracing::trace!(
                status = response.status,
                bytes = response.body.len(),
                "answer"
            );
        }
        Input::HttpData { data, .. } => tracing::trace!(bytes = data.len(), "part of an answer"),
        Input::HttpFailed { error, .. } => {
            tracing::debug!(error = %error.chain(), "request failed");
        }
        _ => {}
    }
}
