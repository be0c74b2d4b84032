//! A server that lets a client in and then reads nothing any more.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use tungstenite::Message;

/// Takes one client in, on a port that the system chooses; returns its URL. What it holds stays open until the process ends.
pub(super) fn deaf_server(is_legacy: bool) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("http://127.0.0.1:{}", listener.local_addr()?.port());
    thread::spawn(move || {
        // A client that cannot connect says so itself.
        if let Ok(held) = take_in(&listener, is_legacy) {
            // Its threads end with the process; until then the sockets stay open and unread.
            thread::park();
            drop(held);
        }
    });
    Ok(url)
}

fn take_in(listener: &TcpListener, is_legacy: bool) -> io::Result<impl Sized> {
    let mut first: &[&str] = &[
        "0{\"sid\":\"deaf\",\"upgrades\":[],\"pingInterval\":60000,\"pingTimeout\":60000}",
        "40",
    ];
    if is_legacy {
        handshake(&mut listener.accept()?.0)?;
        first = &["1::"];
    }
    let (stream, _) = listener.accept()?;
    let mut socket = tungstenite::accept(stream).map_err(io::Error::other)?;
    for packet in first {
        socket
            .send(Message::text(*packet))
            .map_err(io::Error::other)?;
    }
    Ok(socket)
}

/// Answers the request that comes before the WebSocket's.
fn handshake(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let body = "deaf:60:60:websocket";
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
