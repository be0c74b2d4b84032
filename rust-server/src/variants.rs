//! The ports of the process: each is a server of its own with one thing changed against the defaults.

use std::time::Duration;

use socketioxide::{SocketIo, SocketIoBuilder, TransportType};

/// Who has middleware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guards {
    Nobody,
    Namespaces,
    Everybody,
}

pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) guards: Guards,
    pub(crate) change: fn(SocketIoBuilder) -> SocketIoBuilder,
}

impl Variant {
    /// How the server of this port is built. The buffer is one change that all have: by default an emit fails when 128 packets
    /// wait, which is less than the events that send many at once.
    pub(crate) fn builder(&self) -> SocketIoBuilder {
        (self.change)(SocketIo::builder().max_buffer_size(20_000))
    }
}

/// All of them. An upgrade cannot be switched off, and nothing is compressed.
pub(crate) fn all() -> Vec<Variant> {
    let variant = |name, guards, change| Variant {
        name,
        guards,
        change,
    };
    let plain = |name, change| variant(name, Guards::Nobody, change);
    vec![
        plain("main", |builder| builder),
        variant("nsp-guarded", Guards::Namespaces, |builder| builder),
        variant("root-guarded", Guards::Everybody, |builder| builder),
        plain("polling-only", |builder| {
            builder.transports([TransportType::Polling])
        }),
        plain("websocket-only", |builder| {
            builder.transports([TransportType::Websocket])
        }),
        plain("short-heartbeat", |builder| {
            builder
                .ping_interval(Duration::from_millis(300))
                .ping_timeout(Duration::from_millis(700))
        }),
        plain("small-limit", |builder| builder.max_payload(1000)),
        plain("large-limit", |builder| {
            builder
                .max_payload(100_000_000)
                .ws_max_message_size(100_000_000)
                .ws_max_frame_size(100_000_000)
        }),
        plain("custom-path", |builder| builder.req_path("/custom/path")),
    ]
}
