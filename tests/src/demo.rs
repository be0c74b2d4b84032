//! `cargo xtask demo`: a real server, and what a program can say to it, in a few lines.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sio_core::{Deadline, Error};
use sio_v1::{Ack, Client, Options, Result, Status, Transport, Value};

use crate::server::Server;

const PATIENCE: Duration = Duration::from_secs(5);

/// Starts the server and tells the story.
///
/// # Errors
/// If the server does not start, or something does not work; the text says what.
pub fn run(server: &str) -> std::result::Result<(), String> {
    let server = Server::start(server).map_err(|error| error.to_string())?;
    let url = format!("http://127.0.0.1:{}", server.port("main"));
    println!("socket.io {} is up at {url}", server.name());
    let told = tell(&url, server.version());
    server.stop();
    told.map_err(|error| error.chain())
}

fn tell(url: &str, version: &str) -> Result<()> {
    let (upgraded, upgrade) = mpsc::channel();
    let (greeted, greeting) = mpsc::channel();
    let started = Instant::now();
    let client = builder(url, version)
        .on("welcome-question", |question: String, ack: Ack| {
            ack.send(format!("you asked {question:?}: a Rust program"))
        })
        .on("welcome-answer", move |answer: String| greeted.send(answer))
        .on_status(move |status: &Status| {
            if matches!(status, Status::Upgraded) {
                // Nobody listens any more once the demo is over.
                let _ = upgraded.send(());
            }
        })
        .connect()?;
    let connected = started.elapsed();
    let answer = wait(&greeting)?;
    wait(&upgrade)?;
    let upgraded = started.elapsed();
    say(
        "polling",
        format!("connected in {connected:.1?}, moved to websocket after {upgraded:.1?}"),
    );
    say(
        "question",
        format!("the server asked, we answered, it heard: {answer}"),
    );

    let (text, number): (String, u32) = client.call("echo", ("héllo 👋", 42), PATIENCE)?;
    say("ack", format!("{text} and {number} came back"));

    let (event, events) = mpsc::channel();
    client.on("news", move |(title, tags): (String, Vec<String>)| {
        event.send((title, tags))
    });
    client.emit("emit", ("news", "it works", ["sio", "rust"]))?;
    let (title, tags) = wait(&events)?;
    say(
        "event",
        format!("news: {title:?}, tagged {}", tags.join(" and ")),
    );

    bytes(&client)?;

    let chat = client.namespace("/chat").join()?;
    let () = chat.call("join", "lobby", PATIENCE)?;
    let id = chat.id().unwrap_or_default();
    say(
        "namespace",
        format!("/chat over the same connection, as {id}"),
    );

    websocket_only(url, version)?;

    let closing = Instant::now();
    client.close()?;
    say(
        "closed",
        format!("in {:.1?}, all threads joined", closing.elapsed()),
    );
    Ok(())
}

fn builder(url: &str, version: &str) -> sio_v1::ClientBuilder {
    let double_encoded = version.starts_with("1.0.");
    Client::builder(url).protocol(Options::new().double_encoded_websocket(double_encoded))
}

fn bytes(client: &Client) -> Result<()> {
    let sent: Vec<u8> = (0..=255).cycle().take(500_000).collect();
    let started = Instant::now();
    let nested = (
        1,
        [Value::from("deep"), Value::from(Bytes::from(sent.clone()))],
    );
    let (_, back): (u32, Vec<Value>) = client.call("echo", nested, PATIENCE)?;
    let same = back
        .last()
        .and_then(Value::as_bytes)
        .is_some_and(|bytes| **bytes == *sent);
    let verdict = if same { "unchanged" } else { "CHANGED" };
    say(
        "bytes",
        format!(
            "{} kB there and back in {:.1?}, {verdict}",
            sent.len() / 1000,
            started.elapsed()
        ),
    );
    Ok(())
}

fn websocket_only(url: &str, version: &str) -> Result<()> {
    const CALLS: u32 = 1000;
    let client = builder(url, version)
        .transports([Transport::WebSocket])
        .connect()?;
    let started = Instant::now();
    for number in 0..CALLS {
        let _: u32 = client.call("echo", number, PATIENCE)?;
    }
    say(
        "websocket",
        format!(
            "alone: {CALLS} questions answered, {:.1?} each",
            started.elapsed() / CALLS
        ),
    );
    client.close()
}

/// What a handler hands over, or the error that it did not come.
fn wait<T>(channel: &mpsc::Receiver<T>) -> Result<T> {
    channel.recv_timeout(PATIENCE).map_err(|_| Error::Timeout {
        deadline: Deadline::Ack,
        after: PATIENCE,
    })
}

fn say(what: &str, text: String) {
    println!("  {what:<10} {text}");
}
