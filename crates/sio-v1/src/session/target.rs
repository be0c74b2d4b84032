//! The paths and queries of a session's requests.

use bytestring::ByteString;
use sio_core::session::SessionConfig;
use sio_net::{CacheBuster, encode_component};

/// The engine protocol this crate speaks; 4.x wants the same value on every request of a session.
const EIO: &str = "EIO=3";

/// Makes the targets of one session's requests.
#[derive(Debug)]
pub(super) struct Targets {
    /// Path, `?`, and the program's query with a trailing `&` if there is one.
    base: String,
    cache_buster: CacheBuster,
    sid: Option<String>,
}

impl Targets {
    pub(super) fn new<O>(config: &SessionConfig<O>) -> Self {
        let mut base = format!("{}?", config.path);
        if !config.query.is_empty() {
            base.push_str(&config.query);
            base.push('&');
        }
        Self {
            base,
            cache_buster: CacheBuster::new(config),
            sid: None,
        }
    }

    pub(super) fn set_sid(&mut self, sid: &ByteString) {
        self.sid = Some(encode_component(sid));
    }

    /// The target of the next poll or post.
    pub(super) fn polling(&mut self) -> String {
        let mut target = self.of("polling");
        self.cache_buster.push(&mut target);
        target
    }

    /// The target of a post to another session.
    pub(super) fn polling_of(&mut self, sid: &ByteString) -> String {
        let own = self.sid.replace(encode_component(sid));
        let target = self.polling();
        self.sid = own;
        target
    }

    /// The target of the WebSocket; it carries no timestamp, as in the reference.
    pub(super) fn websocket(&self) -> String {
        self.of("websocket")
    }

    fn of(&self, transport: &str) -> String {
        let mut target = format!("{}{EIO}&transport={transport}", self.base);
        if let Some(sid) = &self.sid {
            target.push_str("&sid=");
            target.push_str(sid);
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::config;

    #[test]
    fn the_program_s_query_comes_first_and_the_sid_is_encoded() {
        let mut config = config();
        config.query = "token=a%20b".into();
        let mut targets = Targets::new(&config);
        assert_eq!(
            targets.websocket(),
            "/socket.io/?token=a%20b&EIO=3&transport=websocket"
        );
        targets.set_sid(&"a/b".into());
        let poll = targets.polling();
        assert!(
            poll.starts_with("/socket.io/?token=a%20b&EIO=3&transport=polling&sid=a%2Fb&t="),
            "{poll}"
        );
    }

    #[test]
    fn every_poll_has_another_timestamp_and_none_if_they_are_off() {
        let mut config = config();
        let mut targets = Targets::new(&config);
        assert_ne!(targets.polling(), targets.polling());
        config.timestamps = false;
        assert_eq!(
            Targets::new(&config).polling(),
            "/socket.io/?EIO=3&transport=polling"
        );
    }
}
