//! The HTTP transports: a GET that brings packets, and POSTs that take them.
//!
//! - One GET at a time: a second one would leave the first unanswered for ever. It is asked again at once, also after
//!   an answer of a single packet, since the server keeps back what came behind it.
//! - No POST before the first GET is answered: the server would lose both its packets and `1::`.
//! - One POST at a time; what piles up meanwhile goes into the next.
//! - The `1` that answers a POST proves nothing: servers write it for sessions that are long gone.
//! - A server decodes a POST in the pieces in which the network brings it, and a character that is cut is lost. So JSON is
//!   ASCII, and a body with several packets, which has marks that are not, is small enough for one piece.

use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use sio_core::session::{Outbox, RequestId, Response};
use sio_core::{DisconnectReason, Error, Transport};

use super::{Leg, Session, State, explain};
use crate::error::SessionError;
use crate::htmlfile::Scripts;
use crate::jsonp;
use crate::packet::PacketType;
use crate::payload;
use crate::tolerance;

/// How large the body of several packets may be: written at once, behind the head, it fits into one segment of a usual
/// network.
const FRAMED_BODY: usize = 1024;

/// What is said of a poll whose body cannot be read.
const BROKEN_POLL: &str = "the body of a poll is broken";

/// What a frame adds to its packet at most: two marks and a length.
const FRAME: usize = 2 * payload::MARK.len_utf8() + payload::MAX_LENGTH_DIGITS;

/// How much goes into one POST of jsonp-polling, which is percent-encoded and so cannot be damaged.
const JSONP_BODY: usize = 64 << 10;

/// A poll that brings nothing must have lasted this long, or the next one waits. A server's own rhythm is slower: it answers
/// an idle poll after its polling duration.
const QUICK: Duration = Duration::from_millis(100);

/// How long the next poll waits after the first quick answer that brought nothing; it doubles.
const PAUSE: Duration = Duration::from_millis(100);

/// How often the pause doubles.
const DOUBLINGS: u32 = 6;

/// The requests of an HTTP transport.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) transport: Transport,
    get: Option<Sent>,
    post: Option<Sent>,
    /// When the next poll starts, if it waits.
    poll_at: Option<Instant>,
    /// Quick answers in a row that brought nothing.
    fruitless: u32,
    /// What came on the stream of htmlfile.
    scripts: Option<Scripts>,
}

/// A request that was not answered yet.
#[derive(Debug, Clone, Copy)]
struct Sent {
    id: RequestId,
    at: Instant,
    /// When it is too late; a stream has other deadlines.
    deadline: Option<Instant>,
}

impl Http {
    pub(super) fn new(transport: Transport, limit: usize) -> Self {
        Self {
            transport,
            get: None,
            post: None,
            poll_at: None,
            fruitless: 0,
            scripts: (transport == Transport::HtmlFile).then(|| Scripts::new(limit)),
        }
    }

    /// What is out.
    pub(super) fn requests(&self) -> [Option<RequestId>; 2] {
        [self.get, self.post].map(|sent| sent.map(|sent| sent.id))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let [get, post] = [self.get, self.post].map(|sent| sent.and_then(|sent| sent.deadline));
        [get, post, self.poll_at].into_iter().flatten().min()
    }

    /// A poll that waits is not made any more.
    pub(super) fn stop_polling(&mut self) {
        self.poll_at = None;
    }

    fn is_late(&self, now: Instant) -> bool {
        let late = |sent: Sent| sent.deadline.is_some_and(|deadline| deadline <= now);
        self.get.is_some_and(late) || self.post.is_some_and(late)
    }

    /// How long the next poll has to wait after one that took `lasted`.
    fn pause_after(&mut self, fruitful: bool, lasted: Duration) -> Option<Duration> {
        if fruitful || lasted >= QUICK {
            self.fruitless = 0;
            return None;
        }
        let pause = PAUSE * 2_u32.pow(self.fruitless.min(DOUBLINGS));
        self.fruitless += 1;
        Some(pause)
    }
}

/// Which of the two requests an answer belongs to.
enum Answered {
    Get(Sent),
    Post,
}

impl Session {
    fn http_mut(&mut self) -> Option<&mut Http> {
        match self.state.leg_mut() {
            Some(Leg::Http(http)) => Some(http),
            _ => None,
        }
    }

    fn answered(&mut self, id: RequestId) -> Option<Answered> {
        let http = self.http_mut()?;
        if let Some(get) = http.get.take_if(|get| get.id == id) {
            return Some(Answered::Get(get));
        }
        http.post.take_if(|post| post.id == id)?;
        Some(Answered::Post)
    }

    pub(super) fn response(&mut self, id: RequestId, response: &Response, now: Instant) {
        if matches!(self.state, State::Handshaking { get } if get == id) {
            self.hand_shaken(response, now);
            return;
        }
        match self.answered(id) {
            Some(Answered::Get(get)) => self.get_answered(get, response, now),
            Some(Answered::Post) => self.post_answered(response, now),
            None => {} // the answer to a request that was cancelled
        }
    }

    pub(super) fn request_failed(&mut self, id: RequestId, error: Error) {
        if matches!(self.state, State::Handshaking { get } if get == id) {
            self.give_up(error);
        } else if self.answered(id).is_some() {
            self.leg_broke(error.into());
        }
    }

    // --- GET ----------------------------------------------------------------------------------------------------

    /// Asks for packets, unless a request does already.
    pub(super) fn poll(&mut self, now: Instant) {
        let deadline = self.silence.request_deadline(now);
        let targets = &mut self.targets;
        let Some(Leg::Http(http)) = self.state.leg_mut() else {
            return;
        };
        if http.get.is_some() {
            return;
        }
        let streamed = http.scripts.is_some();
        http.poll_at = None;
        http.get = Some(Sent {
            id: self.out.get(targets.http(http.transport), streamed),
            at: now,
            deadline: (!streamed).then_some(deadline),
        });
    }

    fn get_answered(&mut self, get: Sent, response: &Response, now: Instant) {
        if response.status != 200 {
            self.leg_broke(explain::refusal("a poll", response).into());
        } else if self.transport() == Some(Transport::HtmlFile) {
            self.stream_ended();
        } else if let Some(error) = response.page_error("a poll") {
            // Packets never look like this; one of them alone would only be dropped as malformed.
            self.break_protocol(error.into());
        } else {
            match self.read_poll(response) {
                Ok(payload) => {
                    if payload.is_empty() {
                        self.out.tolerate(tolerance::EMPTY_POLL, "a poll");
                    }
                    let fruitful = self.payload(&payload, BROKEN_POLL, now);
                    self.poll_again(fruitful, now.saturating_duration_since(get.at), now);
                }
                Err(error) => self.break_protocol(error),
            }
        }
    }

    /// The payload in the body of a poll's answer.
    fn read_poll(&mut self, response: &Response) -> Result<ByteString, Error> {
        let (body, lossy) = payload::from_utf8(response.body.clone());
        if lossy {
            self.out.tolerate(tolerance::LOSSY_UTF8, "a poll");
        }
        if self.transport() != Some(Transport::JsonpPolling) || body.is_empty() {
            return Ok(body);
        }
        match jsonp::unwrap(body) {
            Ok(call) => Ok(call.payload),
            Err(error) => Err(Error::protocol(BROKEN_POLL, error)),
        }
    }

    /// The next poll: at once, or after a pause when the server answers quickly and with nothing.
    fn poll_again(&mut self, fruitful: bool, lasted: Duration, now: Instant) {
        match &mut self.state {
            State::Opening {
                leg: Leg::Http(http),
                ..
            }
            | State::Open(Leg::Http(http)) => {
                if let Some(pause) = http.pause_after(fruitful, lasted) {
                    http.poll_at = Some(now + pause);
                } else {
                    self.poll(now);
                }
                // The first answer of a session lets posts go.
                self.flush(now);
            }
            State::Closing { .. } => self.end_if_nothing_is_out(),
            _ => {}
        }
    }

    // --- the stream of htmlfile ---------------------------------------------------------------------------------

    pub(super) fn stream_data(&mut self, id: RequestId, data: &Bytes, now: Instant) {
        let Some(http) = self.http_mut() else { return };
        if http.get.is_none_or(|get| get.id != id) {
            return;
        }
        let Some(scripts) = &mut http.scripts else {
            return;
        };
        scripts.push(data);
        self.silence.broken_at(now);
        while let Some(script) = self.next_script() {
            match script {
                Ok(payload) => {
                    self.payload(&payload, "a script of the stream is broken", now);
                }
                Err(error) => {
                    self.break_protocol(Error::protocol("the stream is broken", error));
                }
            }
        }
    }

    /// The next script, as long as there is a session.
    fn next_script(&mut self) -> Option<Result<ByteString, crate::error::HtmlfileError>> {
        self.http_mut()?.scripts.as_mut()?.next()
    }

    fn stream_ended(&mut self) {
        let scripts = self.http_mut().and_then(|http| http.scripts.as_ref());
        if scripts.is_some_and(|scripts| !scripts.is_between()) {
            let error = Error::protocol("the stream is broken", SessionError::CutScript);
            self.break_protocol(error);
        } else {
            self.leg_broke(DisconnectReason::TransportClose {
                code: None,
                text: ByteString::new(),
            });
        }
    }

    // --- POST ---------------------------------------------------------------------------------------------------

    /// Posts what waits, unless a post is out.
    pub(super) fn post(&mut self, now: Instant) {
        let deadline = self.silence.request_deadline(now);
        let Some(Leg::Http(http)) = self.state.sending_leg_mut() else {
            return;
        };
        if http.post.is_some() || self.outgoing.packets.is_empty() {
            return;
        }
        let (content_type, body) = match http.transport {
            Transport::JsonpPolling => {
                let payload = self.outgoing.gather(JSONP_BODY, &mut self.out);
                (jsonp::CONTENT_TYPE, jsonp::form(&payload))
            }
            _ => (
                payload::CONTENT_TYPE,
                self.outgoing.gather(FRAMED_BODY, &mut self.out),
            ),
        };
        let target = self.targets.http(http.transport);
        http.post = Some(Sent {
            id: self.out.post(target, content_type, body.into()),
            at: now,
            deadline: Some(deadline),
        });
    }

    fn post_answered(&mut self, response: &Response, now: Instant) {
        if response.status != 200 {
            self.leg_broke(explain::refusal("a post", response).into());
        } else if let Some(error) = response.page_error("a post") {
            // A proxy that wants a login, for instance: the packets did not arrive.
            self.leg_broke(Error::from(error).into());
        } else {
            self.post(now);
            self.end_if_nothing_is_out();
        }
    }

    /// While closing: everything was posted, and the server has answered the poll with its `0::`, or has none.
    fn end_if_nothing_is_out(&mut self) {
        let State::Closing {
            leg: Leg::Http(http),
            ..
        } = &self.state
        else {
            return;
        };
        if http.get.is_none() && http.post.is_none() {
            self.end(DisconnectReason::Client);
        }
    }

    pub(super) fn http_timeout(&mut self, now: Instant) {
        let Some(http) = self.http_mut() else { return };
        if http.is_late(now) {
            self.leg_broke(DisconnectReason::PingTimeout);
        } else if http.poll_at.is_some_and(|at| at <= now) {
            self.poll(now);
        }
    }
}

impl super::Outgoing {
    /// The payload of the next post: at least one packet, and more as long as the whole stays within `limit`.
    fn gather(&mut self, limit: usize, out: &mut Outbox) -> String {
        let mut size = 0;
        let fits = |waiting: &&super::Waiting| {
            size += waiting.packet.len() + FRAME;
            size <= limit
        };
        let count = self.packets.iter().take_while(fits).count().max(1);
        let gathered = self.packets.iter().take(count);
        let payload = payload::encode(gathered.map(|waiting| &*waiting.packet));
        for packet in (0..count).filter_map(|_| self.pop()) {
            out.sent(packet.len(), || PacketType::name_of(&packet));
        }
        payload
    }
}
