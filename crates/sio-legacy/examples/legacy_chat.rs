//! A chat client. Give it a URL, or it talks to a server on port 3000.

use std::io::stdin;
use std::time::Duration;

use sio_legacy::{Ack, Client, Result};

fn main() -> Result<()> {
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "http://localhost:3000".to_owned());
    let client = Client::builder(&url)
        .on("say", |(name, text): (String, String)| {
            println!("{name}: {text}");
        })
        .on("who", |_: (), ack: Ack| ack.send("a Rust program")) // the server asks, we answer
        .connect()?; // returns when the connection is usable
    let room: String = client.call("join", "lobby", Duration::from_secs(5))?; // we ask, the server answers
    println!("you are in {room}; type something");
    for line in stdin().lines().map_while(std::io::Result::ok) {
        client.emit("say", line)?;
    }
    client.close()
}
