//! What a session has to put out, in order.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Io, Method, Output, Request, RequestId, SessionEvent};

/// The outputs of one session, and the numbers of its requests.
#[derive(Debug, Default)]
pub struct Outbox {
    outputs: VecDeque<Output>,
    next_request: u32,
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
