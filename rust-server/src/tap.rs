//! Listening in on requests and what became of them, on sessions and packets.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue, UPGRADE};
use hyper::service::{Service, service_fn};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value as Json, json};
use socketioxide::service::SocketIoService;
use tokio::net::TcpListener;

use crate::faults::Faults;
use crate::journal::{Journal, Record, lock};
use crate::link::{Link, Listener, Tapped};
use crate::packets::{Data, Packet, of_body};

const BODY_KEPT: usize = 4096;
const PACKET_KEPT: usize = 1024;

/// An answer to be had.
type Answer = Response<Full<Bytes>>;

/// The record of a request, which the server keeps with the request.
#[derive(Debug, Clone)]
pub(crate) struct Seen(pub(crate) Record);

/// What is behind every path but the server's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotFound;

impl Service<Request<Full<Bytes>>> for NotFound {
    type Response = Answer;
    type Error = Infallible;
    type Future = Ready<Result<Answer, Infallible>>;

    fn call(&self, _: Request<Full<Bytes>>) -> Self::Future {
        ready(Ok(bare(StatusCode::NOT_FOUND)))
    }
}

/// Stands before the server of a port.
#[derive(Clone)]
pub(crate) struct Tap {
    service: SocketIoService<NotFound>,
    port: &'static str,
    journal: Arc<Journal>,
    faults: Arc<Faults>,
}

impl Tap {
    pub(crate) fn new(
        service: SocketIoService<NotFound>,
        port: &'static str,
        journal: &Arc<Journal>,
        faults: &Arc<Faults>,
    ) -> Self {
        Self {
            service,
            port,
            journal: Arc::clone(journal),
            faults: Arc::clone(faults),
        }
    }

    pub(crate) async fn listen(self, listener: TcpListener) {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    continue;
                }
            };
            match Tapped::new(stream) {
                Ok(stream) => drop(tokio::spawn(self.clone().serve(stream))),
                Err(error) => eprintln!("cannot listen in: {error}"),
            }
        }
    }

    async fn serve(self, stream: Tapped) {
        let link = stream.link();
        let service = service_fn(|request| {
            let (tap, link) = (self.clone(), Arc::clone(&link));
            async move { Ok::<Answer, Infallible>(tap.request(request, link).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        // However a client ends it, the next one may come.
        let _ = connection.await;
    }

    async fn request(self, request: Request<Incoming>, link: Arc<Link>) -> Answer {
        let (mut parts, body) = request.into_parts();
        let query = query_of(&parts.uri);
        let kind = kind_of(&parts.method, &query, parts.headers.contains_key(UPGRADE));
        let sid = query.get("sid").cloned();
        let mut headers = Map::new();
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let known = headers.remove(name.as_str());
            let joined = match known.as_ref().and_then(Json::as_str) {
                Some(first) => format!("{first}, {value}"),
                None => value,
            };
            headers.insert(name.as_str().to_owned(), joined.into());
        }
        let record = self.journal.add(
            "requests",
            &self.journal.tag_of(&query),
            json!({
                "port": self.port,
                "kind": kind,
                "connection": link.number,
                "tls": null,
                "method": parts.method.as_str(),
                "url": parts.uri.to_string(),
                "query": query,
                "transport": query.get("transport"),
                "sid": sid,
                "opened": null,
                "headers": headers,
                "body_bytes": 0,
                "body": null,
                "status": null,
                "ended_at": null,
            }),
        );
        let flight = Flight::begin(&self.journal, &record, kind, sid.as_deref());
        if let Some(sid) = &sid {
            self.journal.carries(sid, &link);
        }
        let Ok(body) = body.collect().await else {
            return bare(StatusCode::BAD_REQUEST);
        };
        let body = body.to_bytes();
        if parts.method == Method::POST {
            record.set("body_bytes", body.len());
            record.set("body", BASE64.encode(&body[..body.len().min(BODY_KEPT)]));
        }
        parts.extensions.insert(Seen(record.clone()));
        let request = Request::from_parts(parts, Full::new(body.clone()));
        let answer = self.answer(request, &body, &record, &link).await;
        if kind != "upgrade" || answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            record.set("status", answer.status().as_u16());
        }
        drop(flight);
        answer
    }

    /// That of the server, unless a fault is due.
    async fn answer(
        &self,
        request: Request<Full<Bytes>>,
        body: &Bytes,
        record: &Record,
        link: &Arc<Link>,
    ) -> Answer {
        let Some(fault) = self.faults.take(record) else {
            return self.of_server(request, body, record, link).await;
        };
        let delay = fault["delay"].as_f64().unwrap_or_default() / 1000.0;
        tokio::time::sleep(Duration::from_secs_f64(delay)).await;
        match &fault["answer"] {
            Json::Null => {
                let mut answer = self.of_server(request, body, record, link).await;
                add_headers(&mut answer, &fault["headers"]);
                answer
            }
            Json::String(what) if what == "reset" => {
                link.drop_it(true);
                std::future::pending().await
            }
            Json::String(_) => std::future::pending().await,
            given => {
                let status = given["status"].as_u64().unwrap_or(500) as u16;
                let body = given["body"].as_str().unwrap_or_default().to_owned();
                let mut answer = bare(StatusCode::from_u16(status).unwrap_or_default());
                *answer.body_mut() = Full::new(body.into());
                add_headers(&mut answer, &json!({ "content-type": "text/html" }));
                for name in given["headers"].as_object().into_iter().flat_map(Map::keys) {
                    answer.headers_mut().remove(name.as_str());
                }
                add_headers(&mut answer, &given["headers"]);
                answer
            }
        }
    }

    async fn of_server(
        &self,
        request: Request<Full<Bytes>>,
        body: &Bytes,
        record: &Record,
        link: &Arc<Link>,
    ) -> Answer {
        let (kind, sid) = (record.text("kind"), record.text("sid"));
        let listener = Packets {
            journal: Arc::clone(&self.journal),
            request: record.clone(),
            link: Arc::clone(link),
            transport: record.text("transport"),
            sid: Mutex::new(sid.clone()),
        };
        if kind == "post" {
            listener.hear_all(true, body);
        }
        let Ok(answer) = Service::call(&self.service, request).await;
        let (parts, body) = answer.into_parts();
        let Ok(body) = body.collect().await;
        let body = body.to_bytes();
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            let listener: Listener = Box::new(move |is_received, packet| {
                listener.hear(is_received, packet);
            });
            link.becomes_websocket(listener);
        } else if parts.status == StatusCode::OK && kind != "post" {
            let session = self.journal.session(&sid);
            if kind == "poll" && session.is_some_and(|session| session.is_muted) {
                std::future::pending::<()>().await;
            }
            listener.hear_all(false, &body);
        }
        Response::from_parts(parts, Full::new(body))
    }
}

/// A request counts as in flight as long as this lives, which ends with the connection at the latest.
struct Flight {
    journal: Arc<Journal>,
    record: Record,
    counter: Option<(Record, &'static str)>,
}

impl Flight {
    fn begin(journal: &Arc<Journal>, record: &Record, kind: &str, sid: Option<&str>) -> Self {
        let session = sid.and_then(|sid| journal.session(sid));
        let field = match kind {
            "poll" => Some("polls"),
            "post" => Some("posts"),
            _ => None,
        };
        let counter = session.map(|session| session.record).zip(field);
        if let Some((session, field)) = &counter {
            session.in_flight(field, 1);
        }
        Self {
            journal: Arc::clone(journal),
            record: record.clone(),
            counter,
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.record.set("ended_at", self.journal.now());
        if let Some((session, field)) = &self.counter {
            session.in_flight(field, -1);
        }
    }
}

/// Notes the packets of a session.
struct Packets {
    journal: Arc<Journal>,
    request: Record,
    link: Arc<Link>,
    transport: String,
    /// Empty until the open packet names it.
    sid: Mutex<String>,
}

impl Packets {
    fn hear_all(&self, is_received: bool, body: &[u8]) {
        for packet in of_body(body) {
            self.hear(is_received, &packet);
        }
    }

    fn hear(&self, is_received: bool, packet: &Packet) {
        let text = match &packet.data {
            Data::Text(text) => text.as_str(),
            Data::Bytes(_) => "",
        };
        match (packet.kind, is_received) {
            ("open", false) => {
                let open: Json = serde_json::from_str(text).unwrap_or_default();
                let sid = open["sid"].as_str().unwrap_or_default();
                sid.clone_into(&mut lock(&self.sid));
                self.journal.open_session(&self.request, sid, &self.link);
                return;
            }
            ("ping" | "pong", _) if text == "probe" => return,
            _ => {}
        }
        let sid = lock(&self.sid).clone();
        let Some(session) = self.journal.session(&sid) else {
            return;
        };
        let direction = if is_received { "received" } else { "sent" };
        session.record.add(direction, 1);
        if packet.kind == "upgrade" {
            session.record.set("transport", "websocket");
            session.record.set("upgraded_at", self.journal.now());
        }
        let (bytes, data, base64) = match &packet.data {
            Data::Text(text) => {
                let kept: String = text.chars().take(PACKET_KEPT).collect();
                (text.len(), Some(kept), None)
            }
            Data::Bytes(bytes) => {
                let kept = BASE64.encode(&bytes[..bytes.len().min(PACKET_KEPT)]);
                (bytes.len(), None, Some(kept))
            }
        };
        self.journal.add(
            "packets",
            &session.record.text("tag"),
            json!({
                "port": session.record.get("port"),
                "sid": sid,
                "transport": self.transport,
                "direction": direction,
                "type": packet.kind,
                "bytes": bytes,
                "data": data,
                "data_base64": base64,
            }),
        );
        if packet.kind == "close" && is_received {
            self.journal.close_session(&sid, "closed by the client");
        }
    }
}

impl Drop for Packets {
    /// A session goes with its WebSocket, though not with one that was to be an upgrade.
    fn drop(&mut self) {
        let sid = lock(&self.sid);
        let is_on_websocket = self.transport == "websocket"
            && self
                .journal
                .session(&sid)
                .is_some_and(|session| session.record.text("transport") == "websocket");
        if is_on_websocket {
            self.journal.close_session(&sid, "the connection is gone");
        }
    }
}

pub(crate) fn query_of(uri: &Uri) -> BTreeMap<String, String> {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

fn kind_of(method: &Method, query: &BTreeMap<String, String>, is_upgrade: bool) -> &'static str {
    if is_upgrade {
        "upgrade"
    } else if !query.contains_key("transport") {
        "other"
    } else if !query.contains_key("sid") {
        "handshake"
    } else if method == Method::GET {
        "poll"
    } else {
        "post"
    }
}

fn bare(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// One may have several values. What is no header is the fault of the test that asks for it.
fn add_headers(answer: &mut Answer, headers: &Json) {
    for (name, values) in headers.as_object().into_iter().flatten() {
        let values = match values {
            Json::Array(values) => values.iter().collect(),
            one => vec![one],
        };
        for value in values.into_iter().filter_map(Json::as_str) {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                answer.headers_mut().append(name, value);
            }
        }
    }
}
