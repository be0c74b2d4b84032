//! A connection of rust_socketio's blocking client: a thread for each, which polls and calls the callbacks.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rust_socketio::client::Client;
use rust_socketio::{ClientBuilder, Payload, TransportType};
use serde_json::{Value, json};

use crate::Failure;

/// How long to wait for what does not come.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// What the thread of the connection hands on.
pub(crate) enum Incoming {
    Connected,
    /// The values of a `tick`, if these are a number and a text.
    Tick(Option<(u64, usize)>),
    /// How many bytes came back.
    Bytes(usize),
    Error(String),
}

pub(crate) struct Connection {
    client: Client,
    incoming: Receiver<Incoming>,
}

impl Connection {
    /// Waits until the server has said that the root is there: a server may close upon an event before that.
    pub(crate) fn open(url: &str, transport: TransportType) -> Result<Self, Failure> {
        let (sender, incoming) = mpsc::channel();
        let tell = |what: fn(Payload) -> Incoming| {
            let sender = sender.clone();
            move |payload, _| {
                // Nobody listens any more once the connection is given up.
                _ = sender.send(what(payload));
            }
        };
        let client = ClientBuilder::new(url)
            .transport_type(transport)
            .reconnect(false)
            .on("open", tell(|_| Incoming::Connected))
            .on("tick", tell(|payload| Incoming::Tick(tick(payload))))
            .on("message", tell(|payload| Incoming::Bytes(length(&payload))))
            .on(
                "error",
                tell(|payload| Incoming::Error(format!("{payload:?}"))),
            )
            .connect()?;
        let connection = Self { client, incoming };
        match connection.receive()? {
            Incoming::Connected => Ok(connection),
            _ => Err("something came before the connection was there".into()),
        }
    }

    pub(crate) fn receive(&self) -> Result<Incoming, Failure> {
        match self.incoming.recv_timeout(LIMIT)? {
            Incoming::Error(text) => Err(text.into()),
            other => Ok(other),
        }
    }

    /// The callback gets the values of the answer, from the thread of the connection.
    pub(crate) fn emit_with_ack(
        &self,
        event: &str,
        values: Vec<Value>,
        mut callback: impl FnMut(Vec<Value>) + Send + 'static,
    ) -> Result<(), Failure> {
        let callback = move |payload: Payload, _| callback(values_of(payload));
        Ok(self
            .client
            .emit_with_ack(event, Payload::Text(values), LIMIT, callback)?)
    }

    pub(crate) fn ask(&self, event: &str, values: Vec<Value>) -> Result<Vec<Value>, Failure> {
        let (sender, answer) = mpsc::channel();
        self.emit_with_ack(event, values, move |values| {
            // Nobody waits any more after the limit.
            _ = sender.send(values);
        })?;
        Ok(answer.recv_timeout(LIMIT)?)
    }

    /// Without an ack: with one, rust_socketio 0.6 writes bytes as an answer (type 6), not as an event, and servers ignore it.
    pub(crate) fn send_bytes(&self, bytes: bytes::Bytes) -> Result<(), Failure> {
        Ok(self.client.emit("message", Payload::Binary(bytes))?)
    }

    pub(crate) fn close(self) -> Result<(), Failure> {
        Ok(self.client.disconnect()?)
    }
}

pub(crate) fn hello(index: usize) -> Vec<Value> {
    vec![json!("hello"), json!(index)]
}

/// An answer comes as one value, the list of all.
fn values_of(payload: Payload) -> Vec<Value> {
    let Payload::Text(mut values) = payload else {
        return Vec::new();
    };
    match values.pop() {
        Some(Value::Array(list)) if values.is_empty() => list,
        _ => Vec::new(),
    }
}

/// Arguments come as a value each, already parsed.
fn tick(payload: Payload) -> Option<(u64, usize)> {
    let Payload::Text(values) = payload else {
        return None;
    };
    match values.as_slice() {
        [index, Value::String(text)] => Some((index.as_u64()?, text.len())),
        _ => None,
    }
}

fn length(payload: &Payload) -> usize {
    match payload {
        Payload::Binary(bytes) => bytes.len(),
        _ => 0,
    }
}
