//! Answers given in place of the server's, as a broken proxy would; the rules are those of node-server/lib/faults.js.

use std::sync::Mutex;

use serde_json::Value as Json;

use crate::journal::{Record, lock};

const KINDS: [&str; 6] = ["handshake", "poll", "post", "stream", "upgrade", "any"];

/// Rules as they came, each with its tag.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<(String, Json)>>);

impl Faults {
    pub(crate) fn add(&self, tag: &str, rule: Json) -> Result<(), String> {
        if !KINDS.iter().any(|kind| rule["on"] == *kind) {
            return Err(format!("\"on\" must be one of {}", KINDS.join(", ")));
        }
        lock(&self.0).push((tag.to_owned(), rule));
        Ok(())
    }

    pub(crate) fn clear(&self, tag: &str) -> usize {
        let mut rules = lock(&self.0);
        let before = rules.len();
        rules.retain(|(owner, _)| owner != tag);
        before - rules.len()
    }

    /// The rule that applies to this request, if any. Counts down `skip` and `times`.
    pub(crate) fn take(&self, request: &Record) -> Option<Json> {
        let (tag, kind) = (request.text("tag"), request.text("kind"));
        for (owner, rule) in lock(&self.0).iter_mut() {
            if *owner != tag || !(rule["on"] == kind || rule["on"] == "any") {
                continue;
            }
            let left = |field: &str| rule[field].as_u64();
            if let Some(skip @ 1..) = left("skip") {
                rule["skip"] = (skip - 1).into();
                continue;
            }
            match left("times") {
                None => return Some(rule.clone()),
                Some(0) => {}
                Some(times) => {
                    rule["times"] = (times - 1).into();
                    return Some(rule.clone());
                }
            }
        }
        None
    }
}
