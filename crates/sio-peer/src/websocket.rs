//! A scripted peer's WebSocket: messages by tungstenite, and any bytes besides.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::peer::Request;
use crate::wait::PATIENCE;

/// The server's side of a WebSocket.
#[derive(Debug)]
pub struct WebSocketPeer {
    /// What frames are read and written with.
    pub socket: WebSocket<TcpStream>,
}

impl WebSocketPeer {
    /// Accepts the WebSocket.
    #[must_use]
    pub fn accept(request: Request) -> Self {
        Self::accept_with(request, &[])
    }

    /// Accepts the WebSocket, and sets cookies.
    #[must_use]
    pub fn accept_with(mut request: Request, cookies: &[String]) -> Self {
        let mut head = switching(&request);
        for cookie in cookies {
            head.insert_str(head.len() - 2, &format!("Set-Cookie: {cookie}\r\n"));
        }
        request.raw(head.as_bytes());
        request.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        request.stream.set_write_timeout(Some(PATIENCE)).unwrap();
        request.stream.set_nodelay(true).unwrap();
        let config = WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None);
        Self {
            socket: WebSocket::from_raw_socket(request.stream, Role::Server, Some(config)),
        }
    }

    /// Sends a text message.
    #[track_caller]
    pub fn text(&mut self, packet: &str) {
        self.socket
            .send(Message::text(packet))
            .expect("the client takes a message");
    }

    /// Writes bytes that may be no frames.
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = self.socket.get_mut().write_all(bytes);
    }

    /// The next message.
    #[track_caller]
    pub fn message(&mut self) -> Message {
        match self.socket.read() {
            Ok(message) => message,
            Err(error) => panic!("waited {PATIENCE:?} for a message: {error}"),
        }
    }

    /// Asserts that this text message comes next.
    #[track_caller]
    pub fn expect(&mut self, packet: &str) {
        assert_eq!(self.message(), Message::text(packet));
    }

    /// Asserts that the client sends nothing within `limit`.
    #[track_caller]
    pub fn hears_nothing(&mut self, limit: Duration) {
        let came = self.message_within(limit);
        assert_eq!(came, None, "expected silence");
    }

    /// The next message, if it comes within `limit`.
    #[track_caller]
    pub fn message_within(&mut self, limit: Duration) -> Option<Message> {
        self.socket.get_ref().set_read_timeout(Some(limit)).unwrap();
        let read = self.socket.read();
        self.socket
            .get_ref()
            .set_read_timeout(Some(PATIENCE))
            .unwrap();
        match read {
            Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => None,
            Ok(message) => Some(message),
            Err(error) => panic!("waited for a message: {error}"),
        }
    }

    /// Sends a close frame.
    pub fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        let _ = self.socket.close(Some(frame));
    }

    /// Ends the stream without a close frame.
    pub fn cut(&mut self) {
        let _ = self.socket.get_mut().shutdown(Shutdown::Both);
    }

    /// Waits until the client has closed: by a close frame or by the end of the stream.
    #[track_caller]
    pub fn is_closed(&mut self) {
        loop {
            match self.socket.read() {
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    panic!("waited {PATIENCE:?} for the client to close")
                }
                Err(_) => return,
            }
        }
    }
}

/// The head of the answer that accepts a WebSocket.
#[must_use]
pub fn switching(request: &Request) -> String {
    switching_for(request.header("sec-websocket-key").expect("a key"))
}

/// The same for the key of a request.
#[must_use]
pub fn switching_for(key: &str) -> String {
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// A WebSocket frame as a server writes it, if `first` is well chosen: FIN is 0x80, text 1, binary 2, ping 9.
#[must_use]
pub fn frame(first: u8, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match data.len() {
        length @ 0..126 => frame.push(length as u8),
        length @ 126..65_536 => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(data);
    frame
}
