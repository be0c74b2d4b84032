//! The blocking shell that the sio Socket.IO clients run in: one dialler for every leg, HTTP by ureq-proto, WebSocket by
//! tungstenite, one event loop that any thread may drive, and one [`Client`] generic over the protocol's session.
//!
//! Programs use it through a protocol crate (`sio-v1`, `sio-legacy`). It knows no Socket.IO packet.

/// The methods that register handlers on a builder, whose [`Handlers`](sio_core::Handlers) are in `$field`.
macro_rules! handler_methods {
    ($($field:ident).+) => {
        /// Runs `handler` for every event of this name. See [`IntoHandler`] for the forms a handler may have.
        pub fn on<M>(mut self, event: &str, handler: impl IntoHandler<M>) -> Self {
            self.$($field).+ = self.$($field).+.on(event, handler);
            self
        }

        /// Runs `handler` for the first event of this name.
        pub fn once<M>(mut self, event: &str, handler: impl IntoHandler<M>) -> Self {
            self.$($field).+ = self.$($field).+.once(event, handler);
            self
        }

        /// Runs `handler` for every event, of whatever name.
        pub fn on_any(mut self, handler: impl FnMut(&Event) + Send + 'static) -> Self {
            self.$($field).+ = self.$($field).+.on_any(handler);
            self
        }

        /// Runs `handler` for events that no handler is registered for by name.
        pub fn on_unhandled(mut self, handler: impl FnMut(&Event) + Send + 'static) -> Self {
            self.$($field).+ = self.$($field).+.on_unhandled(handler);
            self
        }

        /// Runs `handler` for every change of status.
        pub fn on_status(mut self, handler: impl FnMut(&Status) + Send + 'static) -> Self {
            self.$($field).+ = self.$($field).+.on_status(handler);
            self
        }

        /// Runs `handler` each time the namespace becomes usable, with whether it was before: then the server knows
        /// nothing any more of what was subscribed to. What the handler emits leaves before anything that waits.
        pub fn on_connect(mut self, handler: impl FnMut(bool) + Send + 'static) -> Self {
            self.$($field).+ = self.$($field).+.on_connect(handler);
            self
        }

        /// Runs `handler` each time the namespace stops being usable.
        pub fn on_disconnect(mut self, handler: impl FnMut(&DisconnectReason) + Send + 'static) -> Self {
            self.$($field).+ = self.$($field).+.on_disconnect(handler);
            self
        }

        /// Runs `handler` for errors that belong to no call: the server's own, a handler's, a payload of the wrong
        /// type.
        pub fn on_error(mut self, handler: impl FnMut(&Error) + Send + 'static) -> Self {
            self.$($field).+ = self.$($field).+.on_error(handler);
            self
        }
    };
}

mod builder;
mod client;
mod cookies;
mod dialler;
mod dispatch;
mod driver;
mod endpoint;
mod event_loop;
mod frames;
pub mod guide;
mod http;
mod needed_thread;
mod options;
mod proxy;
mod query;
mod space;
mod stream;
mod sync;
mod target;
mod tls;
mod tunnel;
mod websocket;
mod wire_log;

pub use builder::{ClientBuilder, UpgradeMemory};
pub use client::{Client, NamespaceBuilder, WeakClient};
pub use endpoint::Attempt;
pub use event_loop::EventLoop;
pub use proxy::Proxy;
pub use query::{CacheBuster, encode_component};
pub use tls::{Backend, Roots, Tls};
pub use wire_log::{WireLog, replay};
