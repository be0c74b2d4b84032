//! Which namespaces a port has, who is let in where, and the clients in them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, Data, Event, SocketRef};
use socketioxide::handler::{ConnectHandler as _, FromMessageParts as _, MessageHandler, Value};
use socketioxide::service::SocketIoService;
use socketioxide::socket::{DisconnectReason, Socket};
use socketioxide::{SocketIo, TransportType};

use crate::journal::{Journal, Record};
use crate::tap::{NotFound, Seen, query_of};
use crate::value::Args;
use crate::variants::{Guards, Variant};
use crate::vocabulary;

const OPEN: [&str; 6] = [
    "/",
    "/chat",
    "/news",
    "/with-hyphen",
    "/with.dot",
    "/a/b.c-d",
];

const GUARDED: [&str; 5] = ["/admin", "/admin-text", "/slow", "/slow-admin", "/token"];

/// The server of a port.
pub(crate) fn serve(variant: &Variant, journal: &Arc<Journal>) -> SocketIoService<NotFound> {
    let (service, io) = variant.builder().build_with_inner_svc(NotFound);
    for name in OPEN {
        let is_guarded = name == "/" && variant.guards == Guards::Everybody;
        add(&io, name, is_guarded, journal);
    }
    if variant.guards != Guards::Nobody {
        for name in GUARDED {
            add(&io, name, true, journal);
        }
    }
    service
}

fn add(io: &SocketIo, name: &'static str, is_guarded: bool, journal: &Arc<Journal>) {
    let journal = Arc::clone(journal);
    let enter = async move |socket: SocketRef| Place::enter(socket, journal);
    if is_guarded {
        io.ns(
            name,
            enter.with(async move |socket: SocketRef| decide(name, &socket).await),
        );
    } else {
        io.ns(name, enter);
    }
}

/// A refusal is a text here, whatever it is.
async fn decide(name: &str, socket: &SocketRef) -> Result<(), String> {
    let query = query_of(&socket.req_parts().uri);
    let of = |field: &str| query.get(field).map(String::as_str);
    match name {
        "/admin" => return Err("admins only".to_owned()),
        "/admin-text" => return Err("admins only, as data".to_owned()),
        "/slow" | "/slow-admin" => tokio::time::sleep(Duration::from_millis(300)).await,
        "/token" if of("token") != Some("secret") => return Err("bad token".to_owned()),
        "/" => {
            let delay = of("delay").and_then(|delay| delay.parse().ok());
            tokio::time::sleep(Duration::from_millis(delay.unwrap_or_default())).await;
            if of("refuse").is_some() {
                return Err("root refused".to_owned());
            }
        }
        _ => {}
    }
    if name == "/slow-admin" {
        return Err("admins only, after a while".to_owned());
    }
    Ok(())
}

/// A client in a namespace.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) socket: SocketRef,
    pub(crate) record: Record,
    pub(crate) journal: Arc<Journal>,
    /// What `seq` has noted of each thread.
    pub(crate) threads: Mutex<BTreeMap<String, Json>>,
}

impl Place {
    fn enter(socket: SocketRef, journal: Arc<Journal>) {
        let parts = socket.req_parts();
        let request = parts.extensions.get::<Seen>();
        let of_request = |field: &str| request.map_or(Json::Null, |seen| seen.0.get(field));
        let record = journal.add(
            "sockets",
            of_request("tag").as_str().unwrap_or_default(),
            json!({
                "port": of_request("port"),
                "sid": socket.id.to_string(),
                "nsp": socket.ns(),
                "id": socket.id.to_string(),
                "query": query_of(&parts.uri),
                "auth": null,
                "events": 0,
                "welcome_answer": null,
                "disconnected_at": null,
                "reason": null,
            }),
        );
        let place = Arc::new(Self {
            socket: socket.clone(),
            record,
            journal: Arc::clone(&journal),
            threads: Mutex::default(),
        });
        journal.enter(&place);
        socket.on_fallback(Listener(Arc::clone(&place)));
        let of_end = Arc::clone(&place);
        socket.on_disconnect(async move |reason: DisconnectReason| of_end.end(reason));
        if !socket.connected() {
            // It went before it had the handler, which nobody calls any more.
            place.end(DisconnectReason::TransportClose);
        }
        vocabulary::welcome(&place);
    }

    fn end(self: &Arc<Self>, reason: DisconnectReason) {
        self.journal.leave(self, &reason.to_string());
        let of_namespace = [
            DisconnectReason::ClientNSDisconnect,
            DisconnectReason::ServerNSDisconnect,
        ];
        if !of_namespace.contains(&reason) {
            let sid = self.record.text("sid");
            self.journal.close_session(&sid, &reason.to_string());
        }
    }

    pub(crate) fn emit(&self, name: &str, args: Vec<rmpv::Value>) {
        // Who is gone gets nothing.
        let _ = self.socket.emit(name, &Args(args));
    }

    /// Asks the client, and does something with what it answers, if it does.
    pub(crate) fn ask(
        &self,
        name: &str,
        args: Vec<rmpv::Value>,
        answered: impl FnOnce(Vec<rmpv::Value>) + Send + 'static,
    ) {
        let Ok(answer) = self.socket.emit_with_ack::<_, Args>(name, &Args(args)) else {
            return;
        };
        tokio::spawn(async move {
            if let Ok(Args(values)) = answer.await {
                answered(values);
            }
        });
    }

    pub(crate) fn disconnect(&self) {
        // Who is gone is gone.
        let _ = self.socket.clone().disconnect();
    }

    /// What the event `handshake` answers.
    pub(crate) fn handshake(&self) -> Json {
        let parts = self.socket.req_parts();
        let request = parts.extensions.get::<Seen>();
        let transport = match self.socket.transport_type() {
            TransportType::Polling => "polling",
            TransportType::Websocket => "websocket",
        };
        json!({
            "id": self.record.get("id"),
            "sid": self.record.get("sid"),
            "nsp": self.record.get("nsp"),
            "transport": transport,
            "query": self.record.get("query"),
            "auth": null,
            "headers": request.map(|seen| seen.0.get("headers")),
            "url": parts.uri.to_string(),
            "address": "127.0.0.1",
        })
    }
}

/// Gets all events of a client, in their order.
struct Listener(Arc<Place>);

impl MessageHandler<LocalAdapter, ()> for Listener {
    fn call(&self, socket: Arc<Socket>, mut value: Value, ack: Option<i64>) {
        self.0.record.add("events", 1);
        let name = Event::from_message_parts(&socket, &mut value, &ack);
        let args = Data::<Args>::from_message_parts(&socket, &mut value, &ack);
        match (name, args) {
            (Ok(Event(name)), Ok(Data(Args(args)))) => {
                let asked = Asked {
                    place: Arc::clone(&self.0),
                    socket,
                    value,
                    id: ack,
                };
                vocabulary::handle(asked, &name, args);
            }
            (name, args) => eprintln!("not understood: {:?} {:?}", name.err(), args.err()),
        }
    }
}

/// What an event came from, and how to acknowledge it.
pub(crate) struct Asked {
    pub(crate) place: Arc<Place>,
    socket: Arc<Socket>,
    value: Value,
    id: Option<i64>,
}

impl Asked {
    /// Whether an acknowledgement is wanted.
    pub(crate) fn is_question(&self) -> bool {
        self.id.is_some()
    }

    pub(crate) fn ack(&mut self, values: Vec<rmpv::Value>) {
        if let Some(id) = self.id {
            self.ack_as(id, values);
        }
    }

    /// An ACK packet with any id.
    pub(crate) fn ack_as(&mut self, id: i64, values: Vec<rmpv::Value>) {
        let Ok(ack) = AckSender::from_message_parts(&self.socket, &mut self.value, &Some(id));
        // Who is gone gets nothing.
        let _ = ack.send(&Args(values));
    }
}
