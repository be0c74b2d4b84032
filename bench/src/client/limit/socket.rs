//! A bare WebSocket.

use std::net::TcpStream;

use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Bytes, Message, Utf8Bytes, WebSocket};

use crate::work::{Failure, Outcome, PATIENCE, wrong};

use super::Dialect;

/// Buffers of tungstenite's own size, for those who want to be fast.
pub(super) const USUAL: usize = 128 << 10;
/// Buffers for those who want to be many.
pub(super) const SMALL: usize = 4 << 10;

/// A WebSocket whose root is connected.
pub(super) struct Bare(WebSocket<TcpStream>);

impl Bare {
    pub(super) fn connect<D: Dialect>(url: &str, buffer: usize) -> Outcome<Self> {
        let host = host_of(url)?;
        let path = D::websocket(host)?;
        let stream = stream_to(host)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(buffer)
            .write_buffer_size(buffer);
        let url = format!("ws://{host}{path}");
        let connected = tungstenite::client::client_with_config(url, stream, Some(config));
        let (socket, _) = connected.map_err(|error| Failure::Wrong(error.to_string()))?;
        let mut bare = Self(socket);
        while bare.text::<D>()? != D::CONNECTED {}
        Ok(bare)
    }

    pub(super) fn write(&mut self, message: Message) -> Outcome<()> {
        Ok(self.0.write(message)?)
    }

    pub(super) fn flush(&mut self) -> Outcome<()> {
        Ok(self.0.flush()?)
    }

    /// The next text; bytes that a real server says besides are passed over.
    pub(super) fn text<D: Dialect>(&mut self) -> Outcome<Utf8Bytes> {
        loop {
            if let Message::Text(text) = self.0.read()? {
                match D::HEARTBEAT {
                    Some(beat) if text == beat => self.0.send(Message::text(beat))?,
                    _ => return Ok(text),
                }
            }
        }
    }

    /// The next message, which has to be bytes.
    pub(super) fn bytes(&mut self) -> Outcome<Bytes> {
        match self.0.read()? {
            Message::Binary(bytes) => Ok(bytes),
            other => wrong(format!("instead of bytes came {other:?}")),
        }
    }

    /// The ack of an event.
    pub(super) fn wait_for<D: Dialect>(&mut self, id: usize, index: usize) -> Outcome<()> {
        loop {
            let packet = self.text::<D>()?;
            match D::is_ack(&packet, id, index) {
                Some(true) => return Ok(()),
                Some(false) => return wrong(format!("{index} was answered with {packet}")),
                None => {}
            }
        }
    }

    /// Says that it goes, and goes.
    pub(super) fn end<D: Dialect>(mut self) -> Outcome<()> {
        self.0.send(Message::text(D::END))?;
        Ok(())
    }
}

/// The host and port of a URL.
pub(super) fn host_of(url: &str) -> Outcome<&str> {
    let host = url.strip_prefix("http://");
    let host = host.and_then(|host| host.split('/').next());
    host.ok_or_else(|| Failure::Wrong(format!("{url:?} does not begin with http://")))
}

/// A stream that gives up after a while.
pub(super) fn stream_to(host: &str) -> Outcome<TcpStream> {
    let stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}
