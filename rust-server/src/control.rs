//! The control port: what did the server see, and make it do something. The API is that of node-server (see its README).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::faults::Faults;
use crate::journal::Journal;
use crate::tap::query_of;
use crate::value::{from_json, to_json};

const ACK_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BODY: usize = 1_000_000;

struct Control {
    journal: Arc<Journal>,
    faults: Arc<Faults>,
    about: Json,
}

pub(crate) async fn listen(
    listener: TcpListener,
    journal: Arc<Journal>,
    faults: Arc<Faults>,
    about: Json,
) {
    let control = Arc::new(Control {
        journal,
        faults,
        about,
    });
    while let Ok((stream, _)) = listener.accept().await {
        let control = Arc::clone(&control);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let control = Arc::clone(&control);
                async move { Ok::<_, Infallible>(control.answer(request).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            // However a client ends it, the next one may come.
            let _ = connection
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// What is asked for.
struct Asked {
    query: BTreeMap<String, String>,
    body: Json,
}

impl Asked {
    fn of(&self, field: &str) -> Option<&str> {
        self.query.get(field).map(String::as_str)
    }

    fn tag(&self) -> &str {
        self.of("tag").unwrap_or_default()
    }

    fn nsp(&self) -> &str {
        self.of("nsp").unwrap_or("/")
    }
}

impl Control {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let route = format!("{} {}", request.method(), request.uri().path());
        let query = query_of(request.uri());
        let body = Limited::new(request.into_body(), MAX_BODY).collect().await;
        let body = body
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let body = if body.is_empty() {
            Ok(json!({}))
        } else {
            serde_json::from_slice(&body)
        };
        let (status, content) = match body {
            Err(error) => (400, json!({ "error": error.to_string() })),
            Ok(body) => match self.route(&route, &Asked { query, body }).await {
                Ok(content) => (200, content),
                Err(error) => (400, json!({ "error": error })),
            },
        };
        let mut answer = Response::new(Full::from(content.to_string()));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        answer
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }

    async fn route(&self, route: &str, asked: &Asked) -> Result<Json, String> {
        if !route.starts_with("GET ") && asked.of("tag").is_none() {
            return Err("this needs a tag".to_owned());
        }
        Ok(match route {
            "GET /" => self.about.clone(),
            // A panic of a task would stand on standard error; nothing here counts them.
            "GET /errors" => json!({ "count": 0, "errors": [] }),
            "GET /requests" => self.list(
                "requests",
                &["port", "sid", "kind", "method", "transport"],
                asked,
            ),
            "GET /sessions" => self.list("sessions", &["port", "sid"], asked),
            "GET /sockets" => self.list("sockets", &["port", "sid", "nsp"], asked),
            "GET /packets" => {
                let fields = ["port", "sid", "direction", "type", "transport"];
                self.list("packets", &fields, asked)
            }
            "GET /questions" => {
                self.list("questions", &["port", "sid", "nsp", "how", "name"], asked)
            }
            "POST /emit" => self.emit(asked).await?,
            "POST /disconnect" => {
                let places = self.journal.places(asked.tag(), asked.nsp());
                places.iter().for_each(|place| place.disconnect());
                json!({ "sockets": places.len() })
            }
            "POST /drop" => {
                let with_reset = asked.of("how") == Some("reset");
                let sessions = self.journal.live_sessions(asked.tag());
                let links = sessions.iter().flat_map(|session| &session.links);
                let dropped = links.filter(|link| link.drop_it(with_reset)).count();
                json!({ "connections": dropped })
            }
            "POST /mute" => json!({ "sessions": self.journal.mute(asked.tag()) }),
            "POST /fault" => {
                self.faults.add(asked.tag(), asked.body.clone())?;
                json!({ "added": 1 })
            }
            "DELETE /fault" => json!({ "removed": self.faults.clear(asked.tag()) }),
            _ => return Err(format!("no {route} here")),
        })
    }

    fn list(&self, kind: &str, fields: &[&'static str], asked: &Asked) -> Json {
        let wanted: Vec<(&str, String)> = fields
            .iter()
            .chain(&["tag"])
            .filter_map(|field| Some((*field, asked.of(field)?.to_owned())))
            .collect();
        json!({ kind: self.journal.list(kind, &wanted) })
    }

    async fn emit(&self, asked: &Asked) -> Result<Json, String> {
        let Some((Some(name), args)) = asked.body.as_array().and_then(|body| {
            let (name, args) = body.split_first()?;
            Some((name.as_str(), args))
        }) else {
            return Err("the body must be [\"event\", argument…]".to_owned());
        };
        let args: Vec<rmpv::Value> = args.iter().map(from_json).collect();
        let places = self.journal.places(asked.tag(), asked.nsp());
        if asked.of("ack") != Some("1") {
            places
                .iter()
                .for_each(|place| place.emit(name, args.clone()));
            return Ok(json!({ "sockets": places.len() }));
        }
        let mut answers = Vec::new();
        for place in &places {
            let (sender, receiver) = oneshot::channel();
            place.ask(name, args.clone(), move |values| {
                // Nobody waits any more if it took too long.
                drop(sender.send(values));
            });
            answers.push(receiver);
        }
        let mut found = Vec::new();
        for answer in answers {
            let values = tokio::time::timeout(ACK_TIMEOUT, answer).await;
            found.push(match values {
                Ok(Ok(values)) => values.iter().map(to_json).collect(),
                _ => Json::Null,
            });
        }
        Ok(json!({ "sockets": places.len(), "answers": found }))
    }
}
