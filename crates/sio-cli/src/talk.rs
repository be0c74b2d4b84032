//! A connection that lives: its namespaces, and what programs and people ask of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::ser::{Serialize, SerializeTuple, Serializer};
use sio_auto::Client;
use sio_core::session::Session as _;
use sio_core::socket::Join;
use sio_core::{
    ConnectionState, Encoded, Error, IfOffline, Result as NetResult, Socket, Transport, UsageError,
    Value,
};

use crate::failure::{Exit, Failure};
use crate::happening::{Happening, Post};
use crate::json::{AckName, Command, Input};

/// See the [module](self).
pub(crate) struct Talk {
    post: Post,
    timeout: Duration,
    client: OnceLock<Client>,
    room: Mutex<Room>,
}

#[derive(Default)]
struct Room {
    sockets: BTreeMap<String, Arc<dyn Socket>>,
    /// Where emits go that name no namespace.
    current: String,
    /// The acks that are still out.
    acks: BTreeSet<AckName>,
}

/// Any number of values as so many arguments: what a tuple is to serde.
struct Several<'a>(&'a [Value]);

impl Serialize for Several<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for value in self.0 {
            tuple.serialize_element(value)?;
        }
        tuple.end()
    }
}

impl Talk {
    /// A connection that is being made; acks are waited for as long as `timeout` says.
    pub(crate) fn new(post: Post, timeout: Duration) -> Self {
        Self {
            post,
            timeout,
            client: OnceLock::new(),
            room: Mutex::default(),
        }
    }

    /// The connection is there.
    pub(crate) fn begin(&self, client: Client) {
        let name = client.name().to_owned();
        let mut room = self.room();
        name.clone_into(&mut room.current);
        room.sockets.insert(name, Arc::new(client.clone()));
        drop(room);
        // It begins once.
        let _ = self.client.set(client);
    }

    /// Does what a line of input asks for.
    ///
    /// # Errors
    /// If it cannot be done; then nothing was sent.
    pub(crate) fn act(&self, input: Input) -> Result<(), Failure> {
        let namespace = input.namespace.as_deref();
        match input.command {
            Command::Emit {
                event,
                args,
                ack,
                timeout,
            } => self.emit(namespace, event, &args, ack, timeout),
            Command::Reply { ask, args } => self.reply(ask, &args),
            Command::Join { query } => self.join(namespace.unwrap_or("/"), query),
            Command::Leave => self.leave(namespace),
            Command::Close => {
                self.post.put(Happening::Close);
                Ok(())
            }
        }
    }

    fn emit(
        &self,
        namespace: Option<&str>,
        event: String,
        args: &[Value],
        ack: Option<AckName>,
        timeout: Option<Duration>,
    ) -> Result<(), Failure> {
        let socket = self.socket(namespace)?;
        let payload = encoded(Encoded::event(&event, &Several(args)))?;
        let Some(name) = ack else {
            socket.emit_encoded(&event, payload, IfOffline::Wait)?;
            return Ok(());
        };
        if !self.room().acks.insert(name.clone()) {
            let text = format!("the ack {name} is still waited for; take another name");
            return Err(Failure::input(text));
        }
        let (post, start) = (self.post.clone(), Instant::now());
        let (told, told_event) = (name.clone(), event.clone());
        let then = Box::new(move |outcome| {
            post.put(Happening::Ack {
                name: told,
                event: told_event,
                outcome,
                took: start.elapsed(),
            });
        });
        let asked = socket.ask_encoded(&event, payload, timeout.unwrap_or(self.timeout), then);
        if asked.is_err() {
            self.ack_came(&name);
        }
        Ok(asked?)
    }

    fn reply(&self, number: u64, args: &[Value]) -> Result<(), Failure> {
        let question = self.post.question(number)?;
        match question.send(Several(args)) {
            Err(error @ (Error::Encode { .. } | Error::Usage(UsageError::Unsupported { .. }))) => {
                self.post.put_back(number, question);
                Err(error.into())
            }
            sent => Ok(sent?),
        }
    }

    /// Joins a namespace; returns when it is usable. One that was joined, and lost, is opened again.
    pub(crate) fn join(
        &self,
        namespace: &str,
        query: Vec<(String, String)>,
    ) -> Result<(), Failure> {
        let Some(client) = self.client.get() else {
            return Err(Failure::new(
                Exit::NotConnected,
                "disconnected",
                "not connected",
            ));
        };
        let name = full_name(namespace);
        let joined = self.room().sockets.get(&name).cloned();
        if let Some(socket) = joined {
            // Also one that was refused or thrown out: its handlers are there already.
            return Ok(socket.open()?);
        }
        let mut plan = Join::new(&name);
        plan.query = query;
        plan.handlers = self.post.handlers(&name);
        let socket: Arc<dyn Socket> = client.join(plan)?.into();
        self.room().sockets.insert(socket.name().to_owned(), socket);
        Ok(())
    }

    fn leave(&self, namespace: Option<&str>) -> Result<(), Failure> {
        let socket = self.socket(namespace)?;
        self.room().sockets.remove(socket.name());
        Ok(socket.disconnect()?)
    }

    /// Where emits go that name no namespace.
    pub(crate) fn current(&self) -> String {
        self.room().current.clone()
    }

    /// The namespace that the URL names.
    pub(crate) fn first(&self) -> String {
        let name = self.client.get().map(|client| client.name().to_owned());
        name.unwrap_or_else(|| "/".to_owned())
    }

    /// Makes a namespace that is joined the one that emits go to.
    ///
    /// # Errors
    /// If it is not joined.
    pub(crate) fn turn_to(&self, namespace: &str) -> Result<(), Failure> {
        let name = self.socket(Some(namespace))?.name().to_owned();
        self.room().current = name;
        Ok(())
    }

    fn socket(&self, namespace: Option<&str>) -> Result<Arc<dyn Socket>, Failure> {
        let room = self.room();
        let name = namespace.map_or_else(|| room.current.clone(), full_name);
        match room.sockets.get(&name) {
            Some(socket) => Ok(Arc::clone(socket)),
            None => Err(Failure::input(format!(
                "{name} is not joined; join it first"
            ))),
        }
    }

    /// An ack has its outcome.
    pub(crate) fn ack_came(&self, name: &AckName) {
        self.room().acks.remove(name);
    }

    /// Whether acks are out.
    pub(crate) fn waits_for_acks(&self) -> bool {
        !self.room().acks.is_empty()
    }

    /// Whether no namespace is connected, or will be again by itself.
    pub(crate) fn is_over(&self) -> bool {
        let room = self.room();
        let mut sockets = room.sockets.values();
        !room.sockets.is_empty()
            && sockets.all(|socket| socket.state() == ConnectionState::Disconnected)
    }

    /// What carries the connection now.
    pub(crate) fn transport(&self) -> Option<Transport> {
        self.client.get()?.transport()
    }

    /// The id of a namespace.
    pub(crate) fn id(&self, namespace: &str) -> Option<String> {
        let socket = self.room().sockets.get(namespace).cloned();
        if let Some(socket) = socket {
            return socket.id();
        }
        // One that is just being joined: its id follows from that of the first one.
        let client = self.client.get()?;
        let id = client.id()?;
        let sid = id.rsplit('#').next().unwrap_or_default();
        Some(match client {
            Client::Legacy(_) => sio_legacy::Session::socket_id(sid, namespace),
            _ => sio_v1::Session::socket_id(sid, namespace),
        })
    }

    /// The namespaces, as their handlers of status name them.
    pub(crate) fn names(&self) -> BTreeSet<Option<String>> {
        let first = self.first();
        let room = self.room();
        let names = room.sockets.keys();
        names
            .map(|name| (*name != first).then(|| name.clone()))
            .collect()
    }

    /// How many emits wait for the connection.
    pub(crate) fn queued(&self) -> usize {
        let room = self.room();
        let sockets = room.sockets.values();
        sockets.map(|socket| socket.queued().len()).sum()
    }

    /// The namespaces and their states.
    pub(crate) fn states(&self) -> Vec<(String, ConnectionState)> {
        let room = self.room();
        let sockets = room.sockets.iter();
        sockets
            .map(|(name, socket)| (name.clone(), socket.state()))
            .collect()
    }

    /// The client, once it is there.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.client.get()
    }

    /// Closes the connection; returns when nothing of it follows.
    ///
    /// # Errors
    /// As the client's own.
    pub(crate) fn close(&self) -> NetResult<()> {
        match self.client.get() {
            Some(client) => client.close(),
            None => Ok(()),
        }
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encoded(encoded: Result<Encoded, sio_core::payload::EncodeError>) -> Result<Encoded, Failure> {
    encoded.map_err(|error| Failure::new(Exit::Usage, "encode", error.to_string()))
}

fn full_name(namespace: &str) -> String {
    if namespace.starts_with('/') {
        namespace.to_owned()
    } else {
        format!("/{namespace}")
    }
}
