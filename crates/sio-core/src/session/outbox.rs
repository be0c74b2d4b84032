//! What a session has to put out, in order.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Io, Method, Output, Request, RequestId, SessionEvent};
use crate::report::Traffic;

/// The outputs of one session, the numbers of its requests, and the count of its packets.
#[derive(Debug, Default)]
pub struct Outbox {
    outputs: VecDeque<Output>,
    next_request: u32,
    traffic: Traffic,
}

impl Outbox {
    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Tells the program.
    pub fn tell(&mut self, event: SessionEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Tells the program that something odd was let pass.
    pub fn tolerate(&mut self, name: &'static str, detail: &str) {
        self.tell(SessionEvent::tolerated(name, detail));
    }

    /// Does something on the network.
    pub fn io(&mut self, io: Io) {
        self.outputs.push_back(Output::Io(io));
    }

    /// Makes a GET.
    pub fn get(&mut self, target: String, streamed: bool) -> RequestId {
        self.request(Method::Get, target, None, Bytes::new(), streamed)
    }

    /// Makes a HEAD.
    pub fn head(&mut self, target: String) -> RequestId {
        self.request(Method::Head, target, None, Bytes::new(), false)
    }

    /// Makes a POST.
    pub fn post(&mut self, target: String, content_type: &'static str, body: Bytes) -> RequestId {
        self.request(Method::Post, target, Some(content_type), body, false)
    }

    /// A packet of this size leaves, in what was or will be put out. `kind` is asked for only if somebody listens.
    pub fn sent(&mut self, bytes: usize, kind: impl FnOnce() -> &'static str) {
        self.traffic.packets_sent += 1;
        tracing::trace!(kind = kind(), bytes, "packet sent");
    }

    /// A packet of this size came, and could be read.
    pub fn received(&mut self, bytes: usize, kind: impl FnOnce() -> &'static str) {
        self.traffic.packets_received += 1;
        tracing::trace!(kind = kind(), bytes, "packet received");
    }

    /// The packets so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Cancels these requests, as far as they are out.
    pub fn cancel(&mut self, requests: impl IntoIterator<Item = Option<RequestId>>) {
        for id in requests.into_iter().flatten() {
            self.io(Io::CancelRequest(id));
        }
    }

    fn request(
        &mut self,
        method: Method,
        target: String,
        content_type: Option<&'static str>,
        body: Bytes,
        streamed: bool,
    ) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        self.io(Io::Request(Request {
            id,
            method,
            target,
            content_type,
            body,
            streamed,
        }));
        id
    }
}
