//! What cannot work is refused when the client is built: nothing is sent, and what may be a secret is not repeated.

use std::time::Duration;

use sio_core::session::Session;
use sio_core::{Error, UsageError};
use sio_net::{Client, ClientBuilder};

use crate::peer::Peer;
use crate::wait::error_of;

const SECRET: &str = "S3cret";

/// A setting, the value in it that may be a secret, and what the error is about.
type Wrong<P> = (fn(ClientBuilder<P>) -> ClientBuilder<P>, &'static str);

/// Everything that a builder takes and that cannot work.
pub fn what_cannot_work_is_refused_when_built<P: Session>() {
    let peer = Peer::new();
    let refused = |what: &str, builder: ClientBuilder<P>, about: &str| {
        let printed = format!("{builder:?}");
        let error = error_of(what, builder.build());
        let Error::Usage(usage) = &error else {
            panic!("{what}: {error:?}");
        };
        let found = match usage {
            UsageError::Header { name, .. } => name.to_string(),
            UsageError::Option { option, .. } => (*option).to_owned(),
            UsageError::Url(_) => "URL".to_owned(),
            other => panic!("{what}: {other:?}"),
        };
        assert_eq!(found, about, "{what}: {error}");
        for text in [printed, error.chain(), format!("{error:?}")] {
            assert!(!text.contains(SECRET), "{what} is told: {text}");
        }
    };
    for (index, (set, about)) in wrong().into_iter().enumerate() {
        let builder = set(Client::builder(&peer.url()));
        refused(&format!("setting {index}, {about}"), builder, about);
    }
    for name in OWN_HEADERS {
        let builder = Client::builder(&peer.url()).header(name, "S3cret");
        refused(name, builder, name);
    }
    for url in [
        "",
        "http://",
        "ftp://S3cret@h",
        "http://a%3Ab:S3cret@h",
        "http://me:S3cret@h:99999",
        "http://me:S3cret/1@h",
        "http://h:99999/?token=S3cret",
    ] {
        refused(url, Client::builder(url), "URL");
    }
    if P::UPGRADES {
        let builder = Client::builder(&peer.url()).upgrade_timeout(Duration::ZERO);
        refused("upgrade_timeout", builder, "upgrade_timeout");
    }
    assert_eq!(peer.connections(), 0, "something was sent");
}

/// Headers that belong to the requests themselves.
const OWN_HEADERS: [&str; 11] = [
    "Accept-Encoding",
    "Connection",
    "Content-Length",
    "Content-Type",
    "HOST",
    "Proxy-Authorization",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Transfer-Encoding",
    "upgrade",
];

fn wrong<P: Session>() -> Vec<Wrong<P>> {
    vec![
        (|builder| builder.header("X Token", "S3cret"), "X Token"),
        (|builder| builder.header("", "S3cret"), ""),
        (
            |builder| builder.header("X-Token", "S3cret\r\nA: b"),
            "X-Token",
        ),
        (|builder| builder.header("X-Token", "S3cret\0"), "X-Token"),
        (
            |builder| builder.header("X-Token", "S3cret\u{e9}"),
            "X-Token",
        ),
        (|builder| builder.user_agent("S3cret\n"), "user-agent"),
        (|builder| builder.origin("S3cret\n"), "origin"),
        (|builder| builder.cookie("", "S3cret"), "cookie "),
        (|builder| builder.cookie("a b", "S3cret"), "cookie a b"),
        (|builder| builder.cookie("a=b", "S3cret"), "cookie a=b"),
        (|builder| builder.cookie("a", "S3cret; b=2"), "cookie a"),
        (|builder| builder.cookie("a", "S3cret\n"), "cookie a"),
        (|builder| builder.cookie("a", "S3cret\u{e9}"), "cookie a"),
        (
            |builder| builder.header("Cookie", "a=1; S3cret one"),
            "cookie ",
        ),
        (
            |builder| builder.header("Cookie", "a=S3cret; b c=2"),
            "cookie b c",
        ),
        (|builder| builder.basic_auth("a:b", "S3cret"), "basic_auth"),
        (
            |builder| builder.connect_timeout(Duration::ZERO),
            "connect_timeout",
        ),
        (
            |builder| builder.handshake_timeout(Duration::ZERO),
            "handshake_timeout",
        ),
        (|builder| builder.transports([]), "transports"),
        (|builder| builder.path("/a?b=1"), "path"),
        (|builder| builder.path("/a#b"), "path"),
        (|builder| builder.path("/a b"), "path"),
        (|builder| builder.path("/a\r\nb"), "path"),
        (|builder| builder.path("/a<b>"), "path"),
        // The first that is wrong is the one that is told.
        (
            |builder| builder.cookie("a b", "S3cret").basic_auth("a:b", "S3cret"),
            "cookie a b",
        ),
    ]
}
