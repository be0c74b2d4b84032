//! What the server saw, kept per tag; the same records as those of node-server (see its README).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Map, Value as Json, json};

use crate::link::Link;
use crate::namespaces::Place;

const KEPT: [(&str, usize); 5] = [
    ("requests", 2000),
    ("sessions", 500),
    ("sockets", 500),
    ("packets", 10_000),
    ("questions", 2000),
];
const MAX_TAGS: usize = 1000;

/// A record, which changes while things go on.
#[derive(Debug, Clone)]
pub(crate) struct Record(Arc<Mutex<Map<String, Json>>>);

impl Record {
    pub(crate) fn get(&self, field: &str) -> Json {
        lock(&self.0).get(field).cloned().unwrap_or(Json::Null)
    }

    pub(crate) fn text(&self, field: &str) -> String {
        self.get(field).as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn set(&self, field: &str, value: impl Into<Json>) {
        lock(&self.0).insert(field.to_owned(), value.into());
    }

    pub(crate) fn add(&self, field: &str, more: i64) -> i64 {
        let sum = self.get(field).as_i64().unwrap_or_default() + more;
        self.set(field, sum);
        sum
    }

    /// Counts a request in flight, or one that is not any more.
    pub(crate) fn in_flight(&self, field: &str, more: i64) {
        let mut counts = self.get(field);
        let count = |counts: &Json, name: &str| counts[name].as_i64().unwrap_or_default();
        let now = count(&counts, "now") + more;
        counts["now"] = now.into();
        counts["total"] = (count(&counts, "total") + more.max(0)).into();
        counts["max"] = count(&counts, "max").max(now).into();
        self.set(field, counts);
    }
}

/// An open Engine.IO session.
#[derive(Debug, Clone)]
pub(crate) struct OpenSession {
    pub(crate) record: Record,
    pub(crate) links: Vec<Arc<Link>>,
    pub(crate) is_muted: bool,
}

#[derive(Debug)]
pub(crate) struct Journal {
    started: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    sequence: u64,
    tags: VecDeque<String>,
    by_tag: HashMap<String, BTreeMap<&'static str, VecDeque<Record>>>,
    sessions: BTreeMap<String, OpenSession>,
    places: Vec<Arc<Place>>,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            inner: Mutex::default(),
        }
    }

    /// Milliseconds since the process started, one decimal.
    pub(crate) fn now(&self) -> f64 {
        (self.started.elapsed().as_secs_f64() * 1e4).round() / 10.0
    }

    pub(crate) fn add(&self, kind: &'static str, tag: &str, fields: Json) -> Record {
        let at = self.now();
        let mut inner = lock(&self.inner);
        inner.sequence += 1;
        let mut map = Map::from_iter([
            ("seq".to_owned(), inner.sequence.into()),
            ("tag".to_owned(), tag.into()),
            ("at".to_owned(), at.into()),
        ]);
        map.extend(fields.as_object().cloned().unwrap_or_default());
        let record = Record(Arc::new(Mutex::new(map)));
        if !inner.by_tag.contains_key(tag) {
            inner.tags.push_back(tag.to_owned());
            if inner.tags.len() > MAX_TAGS
                && let Some(oldest) = inner.tags.pop_front()
            {
                inner.by_tag.remove(&oldest);
            }
        }
        let lists = inner.by_tag.entry(tag.to_owned()).or_default();
        let list = lists.entry(kind).or_default();
        list.push_back(record.clone());
        let limit = KEPT.iter().find(|(name, _)| *name == kind);
        if limit.is_some_and(|(_, limit)| list.len() > *limit) {
            list.pop_front();
        }
        record
    }

    /// All records of a kind with these fields, in order.
    pub(crate) fn list(&self, kind: &str, wanted: &[(&str, String)]) -> Vec<Json> {
        let inner = lock(&self.inner);
        let records = inner.by_tag.values().filter_map(|lists| lists.get(kind));
        let fits = |record: &&Record| {
            let is_so = |(field, value): &(&str, String)| record.text(field) == *value;
            wanted.iter().all(is_so)
        };
        let mut found: Vec<Json> = records
            .flatten()
            .filter(fits)
            .map(|record| Json::Object(lock(&record.0).clone()))
            .collect();
        found.sort_by_key(|record| record["seq"].as_u64());
        found
    }

    // --- open sessions --------------------------------------------------------------------------------------------

    pub(crate) fn tag_of(&self, query: &BTreeMap<String, String>) -> String {
        if let Some(tag) = query.get("tag") {
            return tag.clone();
        }
        let session = query.get("sid").and_then(|sid| self.session(sid));
        session.map_or_else(String::new, |session| session.record.text("tag"))
    }

    pub(crate) fn open_session(&self, request: &Record, sid: &str, link: &Arc<Link>) {
        request.set("opened", sid);
        let none = json!({ "total": 0, "now": 0, "max": 0 });
        let record = self.add(
            "sessions",
            &request.text("tag"),
            json!({
                "port": request.get("port"),
                "sid": sid,
                "transport": request.get("transport"),
                "upgraded_at": null,
                "closed_at": null,
                "reason": null,
                "polls": none,
                "posts": none,
                "received": 0,
                "sent": 0,
            }),
        );
        let session = OpenSession {
            record,
            links: vec![Arc::clone(link)],
            is_muted: false,
        };
        lock(&self.inner).sessions.insert(sid.to_owned(), session);
    }

    pub(crate) fn session(&self, sid: &str) -> Option<OpenSession> {
        lock(&self.inner).sessions.get(sid).cloned()
    }

    /// A session goes over this link, too.
    pub(crate) fn carries(&self, sid: &str, link: &Arc<Link>) {
        if let Some(session) = lock(&self.inner).sessions.get_mut(sid)
            && !session.links.iter().any(|known| Arc::ptr_eq(known, link))
        {
            session.links.push(Arc::clone(link));
        }
    }

    pub(crate) fn close_session(&self, sid: &str, reason: &str) {
        let session = lock(&self.inner).sessions.remove(sid);
        if let Some(session) = session {
            session.record.set("closed_at", self.now());
            session.record.set("reason", reason);
        }
    }

    pub(crate) fn live_sessions(&self, tag: &str) -> Vec<OpenSession> {
        let inner = lock(&self.inner);
        let sessions = inner.sessions.values();
        let is_of = |session: &&OpenSession| session.record.text("tag") == tag;
        sessions.filter(is_of).cloned().collect()
    }

    /// From now on these say nothing any more. Returns how many there are.
    pub(crate) fn mute(&self, tag: &str) -> usize {
        let mut inner = lock(&self.inner);
        let sessions = inner.sessions.values_mut();
        let mut muted = 0;
        for session in sessions.filter(|session| session.record.text("tag") == tag) {
            session.is_muted = true;
            if session.record.text("transport") == "websocket" {
                session.links.iter().for_each(|link| link.mute());
            }
            muted += 1;
        }
        muted
    }

    // --- open sockets in namespaces -------------------------------------------------------------------------------

    pub(crate) fn enter(&self, place: &Arc<Place>) {
        lock(&self.inner).places.push(Arc::clone(place));
    }

    pub(crate) fn leave(&self, place: &Arc<Place>, reason: &str) {
        place.record.set("disconnected_at", self.now());
        place.record.set("reason", reason);
        let mut inner = lock(&self.inner);
        inner.places.retain(|known| !Arc::ptr_eq(known, place));
    }

    pub(crate) fn places(&self, tag: &str, nsp: &str) -> Vec<Arc<Place>> {
        let inner = lock(&self.inner);
        let places = inner.places.iter();
        let is_of = |place: &&Arc<Place>| {
            place.record.text("tag") == tag && place.record.text("nsp") == nsp
        };
        places.filter(is_of).cloned().collect()
    }
}

/// What a thread that panicked has left is as good as before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
