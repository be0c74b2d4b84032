//! `cargo xtask demo`: a real server, and what a program can say to it, in a few lines.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sio_core::{Ack, Status, Transport, Value};
use sio_net::{Client, ClientBuilder, Proxy};

use crate::case::{Failure, Outcome};
use crate::ensure_eq;
use crate::protocol::{Protocol, WithProtocol, of_server};
use crate::server::Server;

const PATIENCE: Duration = Duration::from_secs(5);
/// How long a client may take to come back: a server may be slow to start, and attempts are up to 5 s apart.
const RETURN: Duration = Duration::from_secs(30);

/// Starts the server and tells the story.
///
/// # Errors
/// If the server does not start, or something does not work; the text says what.
pub fn run(server: &str) -> Result<(), String> {
    let server = Server::start(server).map_err(|error| error.to_string())?;
    println!(
        "socket.io {} is up at http://127.0.0.1:{}",
        server.name(),
        server.port("main")
    );
    let told = of_server(server.name(), Story(&server));
    server.stop();
    told.map_err(|failure| failure.to_string())
}

struct Story<'a>(&'a Server);

impl WithProtocol for Story<'_> {
    type Output = Outcome;

    fn run<P: Protocol>(self) -> Outcome {
        tell::<P>(self.0)
    }
}

fn tell<P: Protocol>(server: &Server) -> Outcome {
    let client = connect::<P>(server)?;

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

    let (message, messages) = mpsc::channel();
    client.on("message", move |text: String| message.send(text));
    client.send("¿qué tal?")?;
    say(
        "message",
        format!("{:?}, sent and sent back", wait(&messages)?),
    );

    if P::HAS_BYTES {
        bytes(&client)?;
    }

    let chat = client.namespace("/chat").join()?;
    let () = chat.call("join", "lobby", PATIENCE)?;
    let id = chat.id().unwrap_or_default();
    say(
        "namespace",
        format!("/chat over the same connection, as {id}"),
    );

    for transport in P::TRANSPORTS {
        alone::<P>(server, *transport)?;
    }

    let again = outlives_its_server(server, &client, &chat)?;

    let closing = Instant::now();
    client.close()?;
    say(
        "closed",
        format!("in {:.1?}, all threads joined", closing.elapsed()),
    );
    again.stop();
    Ok(())
}

fn builder<P: Protocol>(server: &Server) -> ClientBuilder<P> {
    Client::builder(&format!("http://127.0.0.1:{}", server.port("main")))
        .protocol(P::options_for(server.version()))
        .proxy(Proxy::off())
}

/// Connects as a program does that chooses nothing, and answers the question that the server has for everybody.
fn connect<P: Protocol>(server: &Server) -> Outcome<Client<P>> {
    let (upgraded, upgrade) = mpsc::channel();
    let (greeted, greeting) = mpsc::channel();
    let started = Instant::now();
    let client = builder::<P>(server)
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
    if P::UPGRADES {
        wait(&upgrade)?;
        say(
            "polling",
            format!(
                "connected in {connected:.1?}, moved to websocket after {:.1?}",
                started.elapsed()
            ),
        );
    } else if let Some(transport) = client.transport() {
        say(
            &transport.to_string(),
            format!("connected in {connected:.1?}"),
        );
    }
    say(
        "question",
        format!("the server asked, we answered, it heard: {answer}"),
    );
    Ok(client)
}

fn bytes<P: Protocol>(client: &Client<P>) -> Outcome {
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

/// Questions over one transport and no other.
fn alone<P: Protocol>(server: &Server, transport: Transport) -> Outcome {
    // On the others each question takes an HTTP request.
    let calls: u32 = if transport == Transport::WebSocket {
        1000
    } else {
        200
    };
    let client = builder::<P>(server).transports([transport]).connect()?;
    let started = Instant::now();
    for number in 0..calls {
        let _: u32 = client.call("echo", number, PATIENCE)?;
    }
    say(
        &transport.to_string(),
        format!(
            "alone: {calls} questions answered, {:.1?} each",
            started.elapsed() / calls
        ),
    );
    Ok(client.close()?)
}

/// The server is killed and started again, which costs the program nothing but a pause. Returns the new server.
fn outlives_its_server<P: Protocol>(
    server: &Server,
    client: &Client<P>,
    chat: &Client<P>,
) -> Outcome<Server> {
    let (lost, loss) = mpsc::channel();
    let (back, comeback) = mpsc::channel();
    client.on_status(move |status: &Status| {
        // Nobody listens any more once the demo is over.
        match status {
            Status::Disconnected(reason) => _ = lost.send(reason.to_string()),
            Status::Reconnected { attempt } => _ = back.send(*attempt),
            _ => {}
        }
    });
    let (arrived, arrival) = mpsc::channel();
    client.on("order", move |number: u32| arrived.send(number));

    server.kill()?;
    let away = Instant::now();
    let reason = wait(&loss)?;
    let orders = [1, 2, 3];
    for order in orders {
        client.emit("order", order)?;
    }
    say(
        "killed",
        format!(
            "the server is gone ({reason}); {} events wait",
            client.queued().len()
        ),
    );

    let again = server.start_again().map_err(|error| error.to_string())?;
    let attempt = comeback
        .recv_timeout(RETURN)
        .map_err(|_| Failure::from(format!("it did not come back within {RETURN:?}")))?;
    let came = orders
        .map(|_| wait(&arrival))
        .into_iter()
        .collect::<Outcome<Vec<u32>>>()?;
    ensure_eq!(came, orders, "what the new server got");
    for place in [client, chat] {
        let question = format!("are you there, {}?", place.name());
        let answer: String = place.call("echo", &question, PATIENCE)?;
        ensure_eq!(answer, question, "the answer");
    }
    say(
        "back",
        format!(
            "after {:.1?}, with attempt {attempt}: the events arrived in order, both namespaces answer",
            away.elapsed()
        ),
    );
    Ok(again)
}

/// What a handler hands over.
fn wait<T>(channel: &mpsc::Receiver<T>) -> Outcome<T> {
    channel
        .recv_timeout(PATIENCE)
        .map_err(|_| Failure::from(format!("nothing came within {PATIENCE:?}")))
}

fn say(what: &str, text: String) {
    println!("  {what:<13} {text}");
}
