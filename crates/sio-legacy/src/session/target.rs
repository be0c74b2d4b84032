//! The paths and queries of a session's requests.

use bytestring::ByteString;
use sio_core::Transport;
use sio_core::session::SessionConfig;
use sio_net::{CacheBuster, encode_component};

/// The protocol version that every 0.9 server has in its paths.
const VERSION: &str = "1/";

/// The index of JSONP answers. It only tells callbacks in a web page apart.
const JSONP_INDEX: &str = "i=0";

/// A transport's name in paths and in the server's list.
pub(super) fn wire_name(transport: Transport) -> &'static str {
    match transport {
        Transport::WebSocket => "websocket",
        Transport::HtmlFile => "htmlfile",
        Transport::JsonpPolling => "jsonp-polling",
        _ => "xhr-polling",
    }
}

/// Makes the targets of one session's requests.
#[derive(Debug)]
pub(super) struct Targets {
    /// Path and version.
    path: String,
    query: ByteString,
    cache_buster: CacheBuster,
    sid: String,
}

impl Targets {
    pub(super) fn new<O>(config: &SessionConfig<O>) -> Self {
        Self {
            path: format!("{}{VERSION}", config.path),
            query: config.query.clone(),
            cache_buster: CacheBuster::new(config),
            sid: String::new(),
        }
    }

    pub(super) fn set_sid(&mut self, sid: &str) {
        self.sid = encode_component(sid);
    }

    pub(super) fn handshake(&mut self) -> String {
        let mut target = self.with_query(self.path.clone());
        self.cache_buster.push(&mut target);
        trimmed(target)
    }

    /// A GET or POST of one of the HTTP transports.
    pub(super) fn http(&mut self, transport: Transport) -> String {
        let mut target = self.of(transport);
        self.cache_buster.push(&mut target);
        if transport == Transport::JsonpPolling {
            if !target.ends_with(['?', '&']) {
                target.push('&');
            }
            target.push_str(JSONP_INDEX);
        }
        trimmed(target)
    }

    /// The WebSocket; it carries no cache buster, as in the reference.
    pub(super) fn websocket(&self) -> String {
        trimmed(self.of(Transport::WebSocket))
    }

    fn of(&self, transport: Transport) -> String {
        self.with_query(format!(
            "{}{}/{}",
            self.path,
            wire_name(transport),
            self.sid
        ))
    }

    fn with_query(&self, path: String) -> String {
        format!("{path}?{}", self.query)
    }
}

/// Without a `?` that nothing follows.
fn trimmed(mut target: String) -> String {
    if target.ends_with('?') {
        target.pop();
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::config;

    #[test]
    fn the_program_s_query_is_on_every_request() {
        let mut config = config();
        config.query = "token=a%20b".into();
        let mut targets = Targets::new(&config);
        let handshake = targets.handshake();
        assert!(
            handshake.starts_with("/socket.io/1/?token=a%20b&t="),
            "{handshake}"
        );
        targets.set_sid("S/1");
        assert_eq!(
            targets.websocket(),
            "/socket.io/1/websocket/S%2F1?token=a%20b"
        );
        let poll = targets.http(Transport::Polling);
        assert!(
            poll.starts_with("/socket.io/1/xhr-polling/S%2F1?token=a%20b&t="),
            "{poll}"
        );
    }

    #[test]
    fn a_target_without_parameters_has_no_question_mark() {
        let mut config = config();
        config.timestamps = false;
        let mut targets = Targets::new(&config);
        targets.set_sid("S");
        assert_eq!(targets.handshake(), "/socket.io/1/");
        assert_eq!(targets.websocket(), "/socket.io/1/websocket/S");
        assert_eq!(targets.http(Transport::HtmlFile), "/socket.io/1/htmlfile/S");
        assert_eq!(
            targets.http(Transport::JsonpPolling),
            "/socket.io/1/jsonp-polling/S?i=0"
        );
    }

    #[test]
    fn every_poll_has_another_timestamp() {
        let mut targets = Targets::new(&config());
        assert_ne!(
            targets.http(Transport::Polling),
            targets.http(Transport::Polling)
        );
    }
}
