//! Moving a program between protocols: what it does with the shared trait runs here as it does on later servers.

use std::sync::mpsc;

use sio_legacy::{Ack, Result, Socket, SocketExt, Status, Transport};
use sio_peer::wait::{PATIENCE, background, next};

use crate::scene::{Polling, Socketed};

/// A program that knows no protocol. The same function can be given a client of any crate.
fn program(socket: &impl Socket) -> Result<(String, Vec<String>)> {
    let (sender, told) = mpsc::channel();
    let of_news = sender.clone();
    socket.on("news", move |title: String| of_news.send(title).unwrap());
    socket.on("question", move |_: String, ack: Ack| ack.send(42));
    socket.on_status(move |status| {
        if let Status::Disconnected(reason) = status {
            let _ = sender.send(reason.to_string());
        }
    });
    socket.emit("join", ("lobby", 7))?;
    let answer: String = socket.call("ask", "why?", PATIENCE)?;
    let mut heard = vec![next("news", &told)];
    socket.disconnect()?;
    heard.push(next("the end", &told));
    Ok((answer, heard))
}

fn expected() -> (String, Vec<String>) {
    let heard = vec!["it works".to_owned(), "closed by this client".to_owned()];
    ("because".to_owned(), heard)
}

#[test]
fn a_program_for_any_protocol_runs_on_websocket() {
    let mut scene = Socketed::new();
    let client = scene.client.clone();
    let running = background("the program", move || program(&client));
    scene
        .socket
        .expect("5:::{\"name\":\"join\",\"args\":[\"lobby\",7]}");
    scene
        .socket
        .expect("5:1+::{\"name\":\"ask\",\"args\":[\"why?\"]}");
    scene
        .socket
        .text("5:9+::{\"name\":\"question\",\"args\":[\"?\"]}");
    scene.socket.expect("6:::9+[42]");
    scene
        .socket
        .text("5:::{\"name\":\"news\",\"args\":[\"it works\"]}");
    scene.socket.text("6:::1+[\"because\"]");
    scene.socket.expect("0::");
    scene.socket.cut();
    assert_eq!(running.join().unwrap(), expected());
}

#[test]
fn a_program_for_any_protocol_runs_on_polling() {
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let mut scene = Polling::on(transport);
        let client = scene.client.clone();
        let running = background("the program", move || program(&client));
        let mut packets = Vec::new();
        while packets.len() < 2 {
            packets.extend(scene.post());
        }
        assert_eq!(
            packets,
            [
                "5:::{\"name\":\"join\",\"args\":[\"lobby\",7]}",
                "5:1+::{\"name\":\"ask\",\"args\":[\"why?\"]}",
            ]
        );
        scene.packets(&[
            "5:9+::{\"name\":\"question\",\"args\":[\"?\"]}",
            "5:::{\"name\":\"news\",\"args\":[\"it works\"]}",
            "6:::1+[\"because\"]",
        ]);
        let mut packets = Vec::new();
        while packets.len() < 2 {
            packets.extend(scene.post());
        }
        packets.sort();
        assert_eq!(packets, ["0::", "6:::9+[42]"]);
        scene.answer(&sio_peer::peer::Answer::new(
            200,
            "text/plain",
            crate::scene::body(transport, &["0::"]).as_bytes(),
        ));
        assert_eq!(running.join().unwrap(), expected());
    }
}
